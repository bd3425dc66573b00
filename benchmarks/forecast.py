"""How often the 90 % intervals of a forecast hold what comes: solves of four presets, whose chips nobody has seen.

Each of 50 systems a repeat is forecast from 19 drawn chips by ``mho solve --draws 19``, which solves it on another, and
solved on one more by the same plan: 500 runs, and their files, with the frame's five repeats. Systems are those that
`Solve` plans without a shift at a contraction of at most 0.95. No other program forecasts an analogue solve, so there is
no peer.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks._families import draw
from benchmarks.registry import Figure
from mho import run as run_procedure
from mho.analysis.reports import Coverage, ForecastScores
from mho.errors import ConvergenceError
from mho.instruments import Bench, open_bench
from mho.procedures import Solve
from mho.runs import RunFile

FAMILIES = (
    "dominant", "Gram", "random", "random positive", "condition 1", "condition 3", "condition 10", "condition 100",
    "complex Gram", "complex dominant",
)  # fmt: skip
PRESETS = {"pku": "arrays", "quiet": "arrays", "relaxing": "arrays", "stanford": "stanford-arrays"}
"""Each with a bench whose levels its cells hold."""

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
            yield Case(number, str(family), int(rng.choice(SIZES)), tuple(PRESETS)[number % len(PRESETS)])
            number += 1


def judge(case: Case) -> Judged:
    """Forecast a system, and solve it on chips that the forecast has not seen."""
    system = draw(case.family, case.size, case.number)
    forecast: Mapping[str, Any] | None = None
    outcomes: list[Mapping[str, Any]] = []
    with TemporaryDirectory() as folder:
        for chip in range(CHIPS):
            solve = Solve(matrix=system.matrix, rhs=system.rhs, draws=None if chip else DRAWS)
            path = Path(folder) / f"{chip}.h5"
            with open_bench(
                PRESETS[case.preset], preset=case.preset, seed=CHIPS * case.number + chip
            ) as bench:
                if not chip and not _counted(solve, bench, case):
                    return Judged(case)
                with suppress(ConvergenceError):
                    run_procedure(solve, bench, seed=case.number, output=path)
            with RunFile(path) as file:
                told = file.summary
            forecast = forecast or told["forecast"]
            outcomes.append(told if "converged" in told else {"converged": False})
    return Judged(case, forecast, tuple(outcomes))


def _counted(solve: Solve, bench: Bench, case: Case) -> bool:
    """Return whether the run's plan needs no shift and contracts fast enough."""
    plan = solve.prepare(solve.check(), bench, np.random.default_rng([case.number, 1]))
    return not plan.on_chip.candidate.shift and plan.on_chip.candidate.rho <= STEADY


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
        *(
            _figure(one, {name: each[one.quantity] for name, each in every.items() if one.quantity in each})
            for one in scores.coverages.values()
        ),
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
