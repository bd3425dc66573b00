"""Loops of solves, exported as netlists, in ngspice beside our own simulation: DC and settling."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks._ngspice import NGSPICE, both, with_amplifier
from benchmarks.registry import Figure
from mho import run as run_procedure
from mho.analysis.exports.spice import LoopCircuit, read_loop
from mho.procedures import Solve
from mho.runs import RunFile

SIZES = {4: 5, 8: 5, 16: 2}  # loops of each order
DC, SETTLING = 1e-5, 1e-2  # wanted, relative


def run(repeat: int) -> list[Figure]:
    """Measure the largest deviations of loops of each order."""
    if NGSPICE is None:
        raise FileNotFoundError("ngspice is not installed; on Debian: apt install ngspice")
    return [
        one for n, loops in SIZES.items() for preset in ("AD823", "OPA690") for one in _of(n, loops, preset)
    ]


def _of(n: int, loops: int, preset: str) -> Iterator[Figure]:
    voltages, times, seconds = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(loops):
            circuit = with_amplifier(_loop(n, seed, Path(folder)), preset)
            began = time.perf_counter()
            theirs, ours = both(circuit, preset, Path(folder))
            seconds.append(time.perf_counter() - began)
            voltages.append(np.abs(theirs.outputs - ours.outputs).max() / np.abs(ours.outputs).max())
            times.append(abs(theirs.settling / ours.settling - 1.0))
    detail = {"loops": loops, "seconds": f"{np.median(seconds):.2g}"}
    name = f"{n} x {n}, {preset}"
    worst = float(max(voltages)), float(max(times))
    yield Figure(f"DC, {name}", worst[0], "of the output", target=f"{DC:g}", met=worst[0] < DC, detail=detail)
    yield Figure(f"settling, {name}", worst[1], "of it", target=f"{SETTLING:g}", met=worst[1] < SETTLING)


def _loop(n: int, seed: int, folder: Path) -> LoopCircuit:
    """Return the loop of a solve of a random matrix with a heavy diagonal on the reference bench's cells."""
    drawn = np.random.default_rng(seed).standard_normal((n, n))
    path = folder / f"{n}-{seed}.h5"
    path.unlink(missing_ok=True)
    matrix = 2.0 * np.eye(n) + drawn / np.sqrt(n)
    run_procedure(Solve(matrix=matrix, residual="float64"), "arrays", seed=1, output=path)
    with RunFile(path) as file:
        return read_loop(file)
