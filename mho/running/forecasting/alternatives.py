"""What would help a solve that may not converge, or takes many cycles: the same one otherwise, on drawn chips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mho.errors import MhoError
from mho.instruments.arrays import as_arrays
from mho.procedures import Solve, SolveForecast
from mho.running.forecasting.conditions import Conditions
from mho.runs.intervals import LEAST_DRAWS

SURE = 0.95  # share of drawn chips from which on no alternative is tried
FEWER_CYCLES = (
    0.8  # times the median cycles, from which an alternative is worth a sentence where all converge
)
SLOW = 12  # median cycles from which alternatives are tried though all converge

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Alternative:
    """The same solve, otherwise: what was changed, and what drawn chips made of it.

    Attributes
    ----------
    change : str
        In words.
    converging, draws : int
    cycles : float
        Median; infinite where most do not converge.
    """

    change: str
    converging: int
    draws: int
    cycles: float


def helping(
    at: Conditions, values: dict[str, Any], now: SolveForecast, progress: Progress
) -> Iterator[Alternative]:
    """Yield what makes more chips converge, or all in clearly fewer cycles; nothing where none is needed."""
    cycles = _median_cycles(now)
    sure = now.draws > 0 and now.converging >= SURE * now.draws
    if sure and cycles < SLOW:
        return
    share = now.converging / max(now.draws, 1)
    found = []
    others = list(_changes(at, values))
    for number, (change, changed, conditions) in enumerate(others):
        one = _tried_out(conditions, change, changed)
        progress("trying what would help", number + 1, len(others))
        if one is None:
            continue
        better = one.converging / one.draws
        faster = np.isfinite(one.cycles) and one.cycles <= FEWER_CYCLES * cycles
        if better > share + 1.0 / one.draws or (better >= share and faster):
            found.append(one)
    yield from sorted(found, key=lambda one: (-one.converging, one.cycles))


def _changes(at: Conditions, values: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Conditions]]:
    """Yield what could be changed, in words, the parameters, and the conditions."""
    if values.get("residual") != "float64":
        yield "products in float64 (--residual float64)", values | {"residual": "float64"}, at
    most = int(values.get("max_cycles") or 50)
    yield f"{4 * most} cycles allowed (--max-cycles {4 * most})", values | {"max_cycles": 4 * most}, at
    for kind in ("bias", "differential"):
        if values.get("encoding") != kind:
            yield f"the {kind} encoding alone (--encoding {kind})", values | {"encoding": kind}, at
    if values.get("loop_slices") != 2:
        yield "a second slice of the loop (--loop-slices 2)", values | {"loop_slices": 2}, at
    simulation = at.source.bench.simulation
    if simulation is not None and simulation.preset != "ideal":
        yield "cells without errors (preset ideal)", values, replace(at, source=as_arrays(at.source, "ideal"))


def _tried_out(at: Conditions, change: str, values: dict[str, Any]) -> Alternative | None:
    """Return what few drawn chips make of a change; None where it cannot be."""
    try:
        solve = Solve(**values)
        given = solve.check()
        drawn = list(at.drawn(solve, given, at.planned(solve, given), LEAST_DRAWS))
    except MhoError:
        return None
    solves = SolveForecast.of(drawn)
    return Alternative(change, solves.converging, solves.draws, _median_cycles(solves))


def _median_cycles(solves: SolveForecast) -> float:
    interval = solves.intervals.get("cycles_to_goal")
    return np.inf if interval is None else interval.median
