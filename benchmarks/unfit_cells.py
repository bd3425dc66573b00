"""Cells that miss most levels of their chip map: preset `stanford` on the bench `arrays`, whose map is of other cells.

The families of `reach`, as `mho solve` does without options. What is counted is who is refused after programming, and how
many cycles of GCR the loops on such cells save. No other program solves on them, so there is no peer.
"""

from __future__ import annotations

from itertools import product
from statistics import median

import numpy as np

from benchmarks._families import FAMILIES
from benchmarks._judging import Case, Verdict, judge_all
from benchmarks.reach import bins, reasons
from benchmarks.registry import Figure

PRESET, BENCH = "stanford", "arrays"
SIZES = (2, 4, 8, 16, 32)
SEEDS = 6  # of each family and size, of which the cases are drawn
A_REPEAT = 60  # cases


def run(repeat: int) -> list[Figure]:
    """Judge 60 solves a repeat, the same ones every time."""
    verdicts = judge_all(cases(A_REPEAT * repeat))
    late = [one for one in verdicts if one.refused and one.programmed]
    false = sum(one.false for one in verdicts)
    return [
        Figure(
            "refused after programming",
            len(late),
            f"of {len(verdicts)}",
            target="none",
            met=not late,
            detail={
                "refused before": sum(bool(one.refused) for one in verdicts) - len(late),
                "why, # for a number": reasons(verdicts, lambda one: one.refused),
                "converged, by condition number": bins(verdicts),
                "said converged and were not": false,
                "cycles of n unknowns, median": _by_size(verdicts),
            },
        )
    ]


def cases(count: int) -> list[Case]:
    """Return the first cases of a fixed order."""
    every = [
        Case(seed, family, size, PRESET, 0.0, 0.0, BENCH)
        for seed, size, family in product(range(SEEDS), SIZES, FAMILIES)
    ]
    order = np.random.default_rng(0).permutation(len(every))[:count]
    return [every[number] for number in order.tolist()]


def _by_size(verdicts: list[Verdict]) -> dict[int, float]:
    cycles = {size: [v.cycles for v in verdicts if v.converged and v.case.size == size] for size in SIZES}
    return {size: median(took) for size, took in cycles.items() if took}
