"""Pictures: bits and back, files, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.extensions.applications.wireless.picture import (
    MOST_PIXELS,
    from_bits,
    load_picture,
    sample_picture,
    to_bits,
)


@given(
    st.tuples(st.integers(1, 7), st.integers(1, 7)), st.sampled_from([2, 4, 6, 8, 10, 12]), st.integers(1, 9)
)
def test_a_picture_survives_any_constellation_and_number_of_users(
    shape: tuple[int, int], bits: int, users: int
) -> None:
    picture = np.random.default_rng(bits).integers(0, 256, shape, dtype=np.uint8)
    sent = to_bits(picture, bits, users)
    assert sent.shape[1:] == (users, bits)
    assert sent.shape[0] == -(-8 * picture.size // (users * bits))
    assert (from_bits(sent, shape) == picture).all()


def test_a_pixel_is_a_symbol_of_256_points() -> None:
    assert to_bits(np.array([[0b10110001]], dtype=np.uint8), 8, 1).tolist() == [[[1, 0, 1, 1, 0, 0, 0, 1]]]


def test_the_sample_has_many_grey_values_and_is_always_the_same() -> None:
    picture = load_picture("sample")
    assert picture.shape == (96, 96)
    assert len(np.unique(picture)) > 100
    assert (picture == sample_picture()).all()


def test_numbers_and_pictures_are_read(tmp_path: Path) -> None:
    from matplotlib.image import imsave

    grey = sample_picture(16)
    np.save(tmp_path / "grey.npy", grey)
    np.savetxt(tmp_path / "grey.csv", grey, fmt="%d", delimiter=",")
    imsave(tmp_path / "grey.png", np.stack([grey] * 3, axis=-1))
    for name in ("grey.csv", "grey.npy", "grey.png"):
        assert (load_picture(str(tmp_path / name)) == grey).all(), name


@pytest.mark.parametrize("kept", [0, 20, 60])
def test_a_damaged_picture_is_refused(tmp_path: Path, kept: int) -> None:
    from matplotlib.image import imsave

    imsave(tmp_path / "whole.png", sample_picture(16), cmap="gray")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:kept])
    with pytest.raises(InputError, match=r"cut.png (cannot be read|is no image)"):
        load_picture(str(tmp_path / "cut.png"))


def test_what_is_no_picture_is_refused_with_what_would_be(tmp_path: Path) -> None:
    np.save(tmp_path / "bright.npy", np.array([[1, 256]]))
    np.save(tmp_path / "large.npy", np.zeros((MOST_PIXELS + 1, 1)))
    (tmp_path / "text.txt").write_text("no picture")
    for name, words in (
        ("bright.npy", r"pixel \[0, 1\], counted from 0, is 256; grey values go from 0 to 255"),
        ("large.npy", f"{MOST_PIXELS} are the most"),
        ("text.txt", "is no image that can be read"),
        ("none.png", "does not exist; give the path"),
        (".", "cannot be read"),
    ):
        with pytest.raises(InputError, match=words):
            load_picture(str(tmp_path / name))
