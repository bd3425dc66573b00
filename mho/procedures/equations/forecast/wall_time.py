"""Seconds of this machine that a solve takes, its run file and what displays it apart.

Without instruments they are those of the drawn solves. At the wire, where a solve takes far longer, they are

    t = a + c n,    n the operations of a drawn solve

with a and c from solves of two unknowns at the wire, with few and with many operations, repeated: the machine's speed,
which changes from second to second, is then drawn as chips are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from mho.errors import MhoError
from mho.instruments.bench_file import BenchSource
from mho.instruments.opening import open_simulated
from mho.procedures.equations.forecast.drawn_solves import DrawnSolve, operations
from mho.procedures.stream import NullStream
from mho.runs.intervals import LEAST_DRAWS, Interval, prediction_interval

SMALL = {"matrix": np.eye(2) + 0.3, "rhs": np.ones(2)}
TIMED = 4  # pairs of solves at the wire


def wall_time(
    source: BenchSource,
    preset: str | None,
    drawn: Sequence[DrawnSolve],
    solve: Callable[..., Any],
    meanwhile: Callable[[int, int], object] = lambda done, total: None,
) -> Interval | None:
    """Return the interval of the seconds that a solve takes; None for real instruments, or too few draws.

    Parameters
    ----------
    source : BenchSource
        The bench of the run.
    preset : str, optional
        Its cells; None for the file's own.
    drawn : sequence of DrawnSolve
    solve : callable
        `Solve`, which is timed at the wire.
    meanwhile : callable
        Called with how many solves are timed at the wire, and of how many; it may raise to stop.
    """
    simulation, ended = source.bench.simulation, [one for one in drawn if one.values]
    if simulation is None or len(ended) < LEAST_DRAWS:
        return None
    if not simulation.instruments:
        return prediction_interval([one.seconds for one in ended])
    rates = list(_rates(source, preset, solve, meanwhile))
    if not rates:
        return None
    return prediction_interval(
        [fixed + each * one.operations for one, (fixed, each) in zip(ended, cycle(rates), strict=False)]
    )


def _rates(
    source: BenchSource,
    preset: str | None,
    solve: Callable[..., Any],
    meanwhile: Callable[[int, int], object],
) -> Iterator[tuple[float, float]]:
    """Yield seconds of a solve at the wire beside its operations, and of one; none where no small one succeeds."""

    def timed(residual: str, seed: int) -> tuple[int, float]:
        procedure = solve(**SMALL, residual=residual)
        with open_simulated(source, preset, seed) as bench:
            plan = procedure.prepare(procedure.check(), bench, np.random.default_rng(seed))
            summary = procedure.execute(plan, bench, NullStream()).summary
        return operations(summary), summary["solve_seconds"]

    for seed in range(-1, TIMED):
        meanwhile(max(seed, 0), TIMED)
        try:
            few, short = timed("float64", abs(seed))
            if seed < 0:  # the first one loads what the others find
                continue
            many, long = timed("analogue", seed)
        except MhoError:  # as on cells of which most are stuck
            continue
        each = max(long - short, 0.0) / (many - few)
        yield short - few * each, each
