"""What a call of the library costs: CPU time of a fresh process up to a first solution, and of solves on an open bench.

The peer of a first solve is ``import scipy.linalg`` in a fresh process, in turns with it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

import mho
from benchmarks.registry import Figure
from mho.extensions.linalg import on_bench

MATRIX = [[0.9, 0.1, -0.2, 0.0], [0.1, 0.8, 0.1, 0.1], [0.2, -0.1, 0.7, 0.1], [0.0, 0.1, 0.1, 0.8]]
RHS = [0.3, -0.5, 0.2, 0.1]
CLOCK = "import time, numpy; begun = time.process_time(); {}; print(time.process_time() - begun)"
STARTS = {
    "import mho": ("import time; begun = time.process_time(); import mho; print(time.process_time() - begun)", 0.06),
    "first mho.solve, NumPy loaded": (
        CLOCK.format(f"import mho; mho.solve({MATRIX}, {RHS}, bench='arrays', seed=1)"), 0.6,
    ),
}  # fmt: skip
PEER = CLOCK.format("import scipy.linalg")


def run(repeat: int) -> list[Figure]:
    """Measure the starts in turns with the peer, then solves of 4 x 4 on one open bench."""
    turns = [
        [_printed(code) for code in (*(code for code, _ in STARTS.values()), PEER)] for _ in range(repeat + 1)
    ][1:]
    peer = median(turn[-1] for turn in turns)
    figures = []
    for place, (name, (_, goal)) in enumerate(STARTS.items()):
        seconds = median(turn[place] for turn in turns)
        figures.append(
            Figure(
                name,
                seconds,
                "s CPU",
                "import scipy.linalg",
                peer,
                target=f"< {goal:g} s",
                met=seconds < goal,
            )
        )
    return figures + _solves(repeat)


def _printed(code: str) -> float:
    """Return the number that a fresh Python prints."""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(told.stdout)


def _solves(repeat: int) -> list[Figure]:
    matrix, rhs = np.array(MATRIX), np.array(RHS)
    with TemporaryDirectory() as folder, mho.open_bench("arrays", seed=1) as bench:
        held = on_bench(matrix, bench, seed=1)
        works: Sequence[tuple[str, Callable[[], object], float | None]] = (
            ("4 x 4 that is held, one right-hand side", lambda: held.solve(rhs), 12e-3),
            ("4 x 4, no run file", lambda: mho.solve(matrix, rhs, bench=bench, seed=1), 60e-3),
            (
                "4 x 4, with its run file",
                lambda: mho.solve(matrix, rhs, bench=bench, seed=1, output=folder),
                None,
            ),
        )
        return [_figure(name, work, goal, repeat) for name, work, goal in works]


def _figure(name: str, work: Callable[[], object], goal: float | None, repeat: int) -> Figure:
    """Return the median CPU time of this process for a call, ms, with the wall time beside it."""
    work()
    cpu, wall = [], []
    for _ in range(4 * repeat):
        begun, at = time.perf_counter(), time.process_time()
        work()
        cpu.append(time.process_time() - at)
        wall.append(time.perf_counter() - begun)
    seconds = median(cpu)
    return Figure(
        name, 1e3 * seconds, "ms CPU", target=None if goal is None else f"< {1e3 * goal:g} ms",
        met=None if goal is None else seconds < goal, detail={"wall, ms": round(1e3 * median(wall), 1)},
    )  # fmt: skip
