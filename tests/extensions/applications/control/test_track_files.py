"""Files of measured positions, with gaps, and what is refused of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.control.kalman import read_track


def written(folder: Path, text: str) -> Path:
    path = folder / "track.csv"
    path.write_text(text)
    return path


def test_positions_and_gaps_are_read(tmp_path: Path) -> None:
    track = read_track(written(tmp_path, "x,y\n# m\n1,2\n,\nnan;4\n3,4\n\n5.5,-1e2\n"))
    np.testing.assert_array_equal(track, [[1, 2], [np.nan, np.nan], [np.nan, np.nan], [3, 4], [5.5, -100]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2\n3\n4,5\n", "line 2: 1 values"),
        ("1,2\n3,four\n4,5\n", "line 2: 'four' is no number"),
        ("1,2\n3,inf\n4,5\n", "line 2: 'inf' is infinite"),
        ("1,2\n,\n,\n3,4\n", "2 whole measurements"),
        (",\n1,2\n3,4\n5,6\n", "begins with a gap"),
        ("", "0 whole measurements"),
    ],
)
def test_what_is_no_track_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_track(written(tmp_path, text))


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_track(tmp_path / "none.csv")
    with pytest.raises(InputError, match="give one of random, turn, rocket"):
        read_track("spiral")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no UTF-8"):
        read_track(tmp_path / "bytes.csv")
