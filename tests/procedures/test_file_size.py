"""A run of a few cells has a small file: what is declared and not written takes hardly any room."""

from __future__ import annotations

from pathlib import Path

from procedures import Read, Solve, run
from runs import RunFile, Verdict, verify

MATRIX = Path(__file__).parents[2] / "data/matrices/zuo2025-4x4.mtx"


def size_of(path: Path) -> int:
    """Bytes of a file but for the state of the code, which is as long as somebody's changes."""
    with RunFile(path) as file:
        code = sum(len(text.encode()) for name, text in file.provenance.items() if name.startswith("git_"))
    assert verify(path).verdict is Verdict.SOUND
    return path.stat().st_size - code


def test_the_file_of_a_small_solve(tmp_path: Path):
    solved = run(Solve(matrix=str(MATRIX), bits=12), preset="quiet", seed=1, output=tmp_path / "solve.h5")
    assert solved.summary["cells"] == 80
    assert size_of(solved.path) < 220_000


def test_the_file_of_a_small_read(tmp_path: Path):
    read = run(Read(rows="0:4", columns="0:4"), seed=1, output=tmp_path / "read.h5")
    assert size_of(read.path) < 90_000
