from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mho.runs.reading.text import cut, encode, split

ANY_TEXT = st.text(alphabet=st.characters(codec=None))  # lone surrogates and NUL included


@given(text=ANY_TEXT, size=st.integers(8, 40))
def test_cut_text_is_valid_fits_and_is_a_beginning(text: str, size: int) -> None:
    data = cut(text, size)
    assert len(data) <= size
    assert b"\0" not in data
    whole = encode(text).decode()
    if len(encode(text)) <= size:
        assert data.decode() == whole
    else:
        assert data.decode().endswith("…")
        assert whole.startswith(data.decode()[:-1])
        assert len(data) > size - 4


@given(text=ANY_TEXT, size=st.integers(8, 40))
def test_the_pieces_of_split_text_join_again(text: str, size: int) -> None:
    first, *others = split(text, size)
    assert all(len(piece) <= size for piece in (first, *others))
    assert all(piece.startswith("…".encode()) for piece in others)
    assert first + b"".join(piece[3:] for piece in others) == encode(text)
    assert len(others) <= math.ceil(len(encode(text)) / (size - 6))


def test_a_null_padded_field_holds_what_it_was_given() -> None:
    assert np.array([encode("a\0b\0")], dtype="S20")[0].decode() == "a␀b␀"
