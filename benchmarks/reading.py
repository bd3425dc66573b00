"""Passing over thousands of run files: each opened, a column, an image and the preset read, beside h5py doing just that.

CPU time: the files are in the page cache, and what else the machine does is no part of it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py

import mho
from benchmarks._run_folder import fill
from benchmarks.registry import Figure
from mho.runs import RunFile

RUNS = int(os.environ.get("MHO_BENCHMARK_RUNS", "1000"))
WANTED = 1e-3  # s a file


def run(repeat: int) -> list[Figure]:
    """Measure a pass over `RUNS` files by `mho.open_runs`, by the whole check of each file, and by h5py."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, RUNS)
        paths = sorted(folder.glob("*.h5"))
        ours = _seconds(lambda: _read(mho.open_runs(folder)), repeat)
        bare = _seconds(lambda: [_plain(path) for path in paths], repeat)
        whole = _seconds(lambda: [_whole(path) for path in paths], repeat)
    detail = {"files": RUNS, "each file checked whole": f"{1e3 * whole / RUNS:.2f} ms"}
    return [
        Figure(
            "a column, an image and the preset of a run", 1e3 * ours / RUNS, "ms of CPU", "h5py", 1e3 * bare / RUNS,
            target="1 ms", met=ours / RUNS < WANTED, detail=detail,
        )
    ]  # fmt: skip


def _read(runs: Iterable[mho.Run]) -> None:
    for one in runs:
        one.column("pulses", "conductance")
        one.map("conductance")
        assert one.preset == "pku"


def _whole(path: Path) -> None:
    with RunFile(path) as one:
        one.column("pulses", "conductance")
        one.map("conductance")
        assert one.provenance["preset"] == "pku"


def _plain(path: Path) -> None:
    with h5py.File(path, "r") as file:
        file["entry/pulses/conductance"][()]
        file["entry/maps/conductance/value"][-1]
        assert file["entry/provenance/preset"][()] == b"pku"


def _seconds(action: Callable[[], object], repeat: int) -> float:
    """Return the least CPU time of `repeat` calls after one that warms up."""
    action()
    taken = []
    for _ in range(repeat):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return min(taken)
