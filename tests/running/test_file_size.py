"""A run of a few cells has a small file: it holds its data, its description, and little else."""

from __future__ import annotations

from pathlib import Path

import pytest
from repository import ROOT

from mho import run
from mho.procedures import Read, Solve
from mho.runs import Verdict, verify

MATRIX = ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx"


@pytest.fixture(autouse=True)
def clean_checkout(monkeypatch: pytest.MonkeyPatch, packed: None) -> None:
    """No uncommitted changes, and a command line as a user types it: a run file keeps both as they are."""
    monkeypatch.setattr("sys.argv", ["mho", "solve", "zuo2025-4x4"])
    monkeypatch.setattr("mho.runs.provenance.git_state", lambda house: {})


@pytest.mark.thorough
def test_the_file_of_a_small_solve(tmp_path: Path):
    solved = run(Solve(matrix=str(MATRIX), bits=24), seed=1, output=tmp_path / "solve.h5")
    assert solved.summary["cells"] == 92
    assert verify(solved.path).verdict is Verdict.SOUND
    # 121.8 kB: 8 of it are the circuit around the loop's cells, for a netlist, 7 the table of answers, 3 the solve without
    # the chip, 3 energy and judged methods in the result, 1.5 declared figures, 1.2 the write-verify settings in use.
    # A column costs half a kB by itself, and HDF5 allots space in pieces of 1 to 2 kB.
    assert solved.path.stat().st_size < 123_500


def test_the_file_of_a_small_read(tmp_path: Path):
    read = run(Read(rows="0:4", columns="0:4"), seed=1, output=tmp_path / "read.h5")
    assert verify(read.path).verdict is Verdict.SOUND
    # 44.8 kB: 2 of it are the calibration dates of two source meters, in pieces of HDF5's.
    assert read.path.stat().st_size < 45_500
