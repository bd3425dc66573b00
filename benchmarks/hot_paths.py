"""Hot paths: CPU time of what a bench does thousands of times, beside another checkout in turns.

``MHO_BENCHMARK_BEFORE=FOLDER python -m benchmarks hot_paths`` runs the same program in a fresh Python with the other
checkout's mho in each turn; without it the figures stand alone. The program uses names that were public all along.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

import mho
from benchmarks.registry import Figure
from mho import Cell, Program, Pulse, Read, Solve
from mho.instruments import open_bench
from mho.running.queue import Order, Queue
from mho.runs import RunFile

BEFORE = os.environ.get("MHO_BENCHMARK_BEFORE", "")
HERE = Path(__file__).parents[1]
DIGITS = np.random.default_rng(0).integers(0, 8, (16, 16))


def run(repeat: int) -> list[Figure]:
    """Measure every path in this checkout and in the other, in turns."""
    places = [HERE, *([Path(BEFORE)] if BEFORE else [])]
    turns = [[_times(place) for place in places] for _ in range(repeat)]
    figures = []
    for name in turns[0][0]:
        here, *before = (median(turn[number][name] for turn in turns) for number in range(len(places)))
        ratio = median(turn[0][name] / turn[1][name] for turn in turns) if before else None
        figures.append(
            Figure(
                name,
                here,
                "s CPU",
                "before" if before else "",
                before[0] if before else None,
                ratio=ratio,
                target="< 1.05 times" if before else None,
                met=None if ratio is None else ratio < 1.05,
            )
        )
    return figures


def _times(place: Path) -> dict[str, float]:
    """Return the CPU time of every path in a fresh Python with the mho of `place`."""
    environ = os.environ | {"PYTHONPATH": str(place), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__], cwd=place, env=environ, capture_output=True, text=True, check=True
    )
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def _time(work: Callable[[], object], count: int = 1) -> float:
    """Return the least CPU time of a call of three turns, after one that fills caches."""
    work()
    turns = []
    for _ in range(3):
        begin = time.process_time()
        for _ in range(count):
            work()
        turns.append((time.process_time() - begin) / count)
    return min(turns)


def measure(folder: Path) -> dict[str, float]:
    """Return the CPU time of each path, s; run files go into `folder`."""
    paths = iter(folder / f"{number}.h5" for number in range(1000))
    times = {}
    with open_bench("simulated", seed=1) as bench:
        cell = Cell("multiply", 0, 0)
        bench.pulse(cell, Pulse("set", 4.0, 1e-6, 1.6))
        times["a pulse, again on a cell"] = _time(
            lambda: bench.pulse(cell, Pulse("set", 2.0, 1e-7, 1.2)), 2000
        )
        times["a read, again of a cell"] = _time(lambda: bench.read(cell), 2000)
    runs = {
        "read 4 x 4 on simulated": (Read(rows="0:4", columns="0:4"), "simulated"),
        "program 3 x 3 on simulated": (Program(digits=DIGITS[:3, :3]), "simulated"),
        "program 16 x 16 on arrays": (Program(digits=DIGITS), "arrays"),
        "solve mimo-16x16 on arrays": (Solve(matrix="mimo-16x16"), "arrays"),
        "solve 2 x 2 on simulated": (Solve(matrix=np.array([[2.0, 1.0], [0.5, 1.5]]), bits=8), "simulated"),
    }
    for name, (procedure, on) in runs.items():
        times[name] = _time(
            lambda procedure=procedure, on=on: mho.run(procedure, on, seed=1, output=next(paths))
        )
    kept = next(paths)
    mho.run(Program(digits=DIGITS), "arrays", seed=1, output=kept)

    def read() -> None:
        with RunFile(kept) as file:
            file.table("pulses")

    def line_up() -> None:
        with Queue(next(paths).with_suffix(".sqlite")) as queue:
            queue.add_all([(Order("read", {"rows": "0:2"}, "simulated", seed), None) for seed in range(200)])

    times["open a run, read its pulses"] = _time(read, 20)
    times["line up 200 jobs"] = _time(line_up)
    return times


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        sys.stdout.write(json.dumps(measure(Path(scratch))) + "\n")
