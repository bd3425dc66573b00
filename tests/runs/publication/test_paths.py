"""Of an absolute path in a text the last part is left, and of all else everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.runs.publication import without_folders


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/srv/jane/lab/x.mtx", "x.mtx"),
        ("/srv/jane doe/x y.npy", "x y.npy"),
        ("/srv/jane doe/runs", "runs"),
        ("read '/srv/jane doe/x.npy' again", "read 'x.npy' again"),
        ("'C:\\data\\jane doe\\x.csv'", "'x.csv'"),
        ("/srv/group/a.h5 was read at 3 V/s", "a.h5 was read at 3 V/s"),
        ("/srv/group/2026/a.h5, then V/s", "a.h5, then V/s"),
        ("(/srv/a/b.h5); x=/srv/c.h5", "(b.h5); x=c.h5"),
        ("at C:\\Users\\jane\\x.csv now", "at x.csv now"),
        ("C:/data/jane/x.csv", "x.csv"),
        (r"on \\server\jane$\x.csv now", "on x.csv now"),
        (r"re.split('\\s\\d\\w', line)", r"re.split('\\s\\d\\w', line)"),
        ("file:///srv/jane/x", "x"),
        ("~/lab/x.toml and ~jane/x", "x.toml and ~jane/x"),
        ("/dev/ttyUSB0 and ASRL/dev/ttyUSB0::INSTR", "/dev/ttyUSB0 and ASRL/dev/ttyUSB0::INSTR"),
        ("/entry/pulses/time was changed", "/entry/pulses/time was changed"),
        ("https://example.org/a/b, 3 V/s, a // b", "https://example.org/a/b, 3 V/s, a // b"),
        ("own/file.py:Class", "own/file.py:Class"),
    ],
)
def test_only_the_folders_of_absolute_paths_are_cut(text: str, kept: str) -> None:
    assert without_folders(text) == kept
    assert without_folders(kept) == kept


@given(st.text(st.sampled_from("ab/\\:.~ '\"…\n"), max_size=40), st.sampled_from(["", "…/"]))
def test_twice_is_once(text: str, mark: str) -> None:
    cut = without_folders(text, mark)
    assert without_folders(cut, mark) == cut
