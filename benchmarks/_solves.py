"""Solving one matrix again and again, each time on a freshly drawn chip: what `published` and `mimo` share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mho import run
from mho.procedures import Solution, Solve

MATRICES = Path(__file__).resolve().parents[1] / "mho/chip_maps/matrices"
PRESET = "pku"
SEEDS_A_REPEAT = 4  # the frame's five repeats are twenty chips


def seeds(repeat: int) -> range:
    """Return the chips' seeds, from 1."""
    return range(1, SEEDS_A_REPEAT * repeat + 1)


def solve_on_chips(
    matrix: str,
    *,
    bits: int,
    chips: Iterable[int],
    rhs: str = "random",
    max_cycles: int = 50,
    bench: str = "simulated",
) -> list[Solution]:
    """Solve as ``mho solve MATRIX --bits BITS --seed SEED`` does, once a seed; run files are thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            run(
                Solve(matrix=str(MATRICES / matrix), rhs=rhs, bits=bits, max_cycles=max_cycles, seed=seed),
                bench,
                preset=PRESET,
                seed=seed,
                output=Path(folder) / f"{seed}.h5",
            )
            for seed in chips
        ]


def threads() -> int:
    """Return how many threads a solve could use: those of BLAS, and the run file's own."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    return (int(limit) if limit else usable) + 1
