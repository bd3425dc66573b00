"""How often the 90 % intervals of a forecast hold what comes: solves of three presets, whose chips nobody has seen.

Each of 50 systems a repeat is forecast from 19 drawn chips, as ``mho solve --draws 19`` does it, and solved on two others
by the same plan: 500 runs with the frame's five repeats. Systems are those that `Solve` plans without a shift at a
contraction of at most 0.95. No other program forecasts an analogue solve, so there is no peer.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from benchmarks._families import draw
from benchmarks.registry import Figure
from mho.analysis.reports import Coverage, ForecastScores
from mho.errors import ConvergenceError
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.stream import NullStream

FAMILIES = (
    "dominant", "Gram", "random", "random positive", "condition 1", "condition 3", "condition 10", "condition 100",
    "complex Gram", "complex dominant",
)  # fmt: skip
PRESETS = ("pku", "quiet", "relaxing")
SIZES = (2, 3, 4, 6, 8, 12, 16)
SYSTEMS, CHIPS = 50, 2  # systems a repeat, and chips that each is solved on
DRAWS = 19
STEADY = 0.95  # contraction up to which a system is counted
SPARE = 2  # cases for each that is counted
THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True)
class Case:
    """A system and the cells of its chips."""

    number: int
    family: str
    size: int
    preset: str


@dataclass(frozen=True)
class Judged:
    """A case's forecast, and what came on each chip; None where its plan is not counted."""

    case: Case
    forecast: Mapping[str, Any] | None = None
    outcomes: tuple[Mapping[str, Any], ...] = ()


def cases() -> Iterator[Case]:
    """Return cases without end, the same every time."""
    rng, number = np.random.default_rng(0), 0
    while True:
        for family in rng.permutation(FAMILIES):
            yield Case(number, str(family), int(rng.choice(SIZES)), PRESETS[number % len(PRESETS)])
            number += 1


class _Keeper(NullStream):
    """A stream that keeps the forecast that a solve makes, also where no loop settles later."""

    def __init__(self) -> None:
        super().__init__()
        self.forecast: Mapping[str, Any] | None = None
        self.set_result = self._keep

    def _keep(self, values: Mapping[str, Any], units: Mapping[str, str] | None = None) -> None:
        self.forecast = values["forecast"]


def judge(case: Case) -> Judged:
    """Forecast a system, and solve it on chips that the forecast has not seen."""
    system = draw(case.family, case.size, case.number)
    keeper = _Keeper()
    outcomes: list[Mapping[str, Any]] = []
    for chip in range(CHIPS):
        solve = Solve(matrix=system.matrix, rhs=system.rhs, draws=None if chip else DRAWS)
        with open_bench("arrays", preset=case.preset, seed=CHIPS * case.number + chip) as bench:
            plan = solve.prepare(solve.check(), bench, np.random.default_rng([case.number, 1]))
            chosen = plan.on_chip.candidate
            if chosen.shift or chosen.rho > STEADY:
                return Judged(case)
            try:
                outcomes.append(solve.execute(plan, bench, keeper).summary)
            except ConvergenceError:
                outcomes.append({"converged": False})
    return Judged(case, keeper.forecast, tuple(outcomes))


def run(repeat: int) -> list[Figure]:
    """Forecast 50 systems a repeat, and solve each on two chips."""
    scores, of_preset = ForecastScores(), {preset: ForecastScores() for preset in PRESETS}
    skipped = 0
    for judged in judge_all(SYSTEMS * repeat):
        if judged.forecast is None:
            skipped += 1
            continue
        for outcome in judged.outcomes:
            scores.add(judged.forecast, outcome)
            of_preset[judged.case.preset].add(judged.forecast, outcome)
    every = {name: each.coverages for name, each in of_preset.items()}
    return [
        *(_figure(one, {name: each[one.quantity] for name, each in every.items()}) for one in scores.coverages.values()),
        Figure(
            "runs that converged",
            scores.converged,
            f"of {scores.runs}",
            target="as many as were forecast",
            detail={"expected": round(scores.expected, 1), "systems left out (shift, or rho above 0.95)": skipped},
        ),
    ]  # fmt: skip


def judge_all(wanted: int) -> Iterator[Judged]:
    """Yield judged cases on all usable cores, until so many of them are counted."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"  # two processes with two threads each would wait for each other
    pool = ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn"))
    try:
        for judged in pool.map(judge, islice(cases(), SPARE * wanted)):
            yield judged
            wanted -= judged.forecast is not None
            if not wanted:
                return
    finally:
        pool.shutdown(cancel_futures=True)
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


def _figure(coverage: Coverage, of_preset: Mapping[str, Coverage]) -> Figure:
    low, high = coverage.uncertainty
    return Figure(
        f"90 % intervals of {coverage.quantity} that hold",
        coverage.coverage,
        f"of {coverage.runs}",
        target="0.85 to 0.95",
        met=coverage.met,
        detail={
            "its own 90 % interval": f"{low:.3f} to {high:.3f}",
            "inside, ends included": coverage.inside,
            **{preset: f"{one.coverage:.3f} of {one.runs}" for preset, one in of_preset.items()},
        },
    )
