"""The same solve on drawn chips: each is programmed, calibrated and refined as the real one is going to be.

Nothing is simplified: cells are those of the preset as write-verify leaves them, relaxed, with their read noise, stuck
ones among them, behind wires, amplifiers and converters with errors of their own. What is drawn this way is distributed
as the outcome is, where the bench is simulated with the same preset; of a real chip it knows what the preset knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mho.errors import ConvergenceError
from mho.instruments import ArrayBench, Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.stream import NullStream, Stream

QUANTITIES = (
    "forecast_rho",
    "cycles_to_goal",
    "bits",
    "pulses",
    "cells_failed",
    "virtual_seconds",
    "joules",
    "loop_slowest",
    "loop_damping",
    "cycles_saved",
    "digital_ratio",
)
"""Entries of a solve's summary that are forecast; None in it counts as infinite, and one that is not there is left out."""

WITHOUT_CHIP = ("cycles_saved", "digital_ratio")
"""Those of a solve beside the same one without the chip: they are of solves that converge."""

Execute = Callable[[Any, Bench, Stream], Any]
Plan = Callable[[Bench, np.random.Generator], Any]


@dataclass(frozen=True)
class DrawnSolve:
    """What came of one solve on a drawn chip.

    Attributes
    ----------
    converged : bool
    reason : str
        Why it did not.
    values : mapping
        By the names of `QUANTITIES`; empty where no loop settled.
    seconds : float
        That it took on this machine, as a run's `solve_seconds`.
    operations : int
        Verify reads, pulses, and exchanged vectors.
    """

    converged: bool
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)
    seconds: float = math.nan
    operations: int = 0


def draw_solves(
    plan: Plan, execute: Execute, source: BenchSource, count: int, rng: np.random.Generator
) -> Iterator[DrawnSolve]:
    """Yield the outcomes of `count` solves, each on a chip of its own.

    Parameters
    ----------
    plan : callable
        Bench and generator -> what `execute` takes, with cells not yet programmed.
    execute : callable
        The procedure's own; its result has a `summary`.
    source : BenchSource
        The bench, without instruments, as `as_arrays` returns it.
    count : int
    rng : numpy.random.Generator
        Draws the chips.
    """
    for one in rng.spawn(count):
        with ArrayBench(source, seed=int(one.integers(2**63))) as bench:
            try:
                summary = execute(plan(bench, one), bench, NullStream()).summary
            except ConvergenceError as error:
                yield DrawnSolve(False, str(error))
                continue
        yield DrawnSolve(
            summary["converged"],
            summary["reason"],
            {
                name: math.inf if summary[name] is None else float(summary[name])
                for name in QUANTITIES
                if name in summary and not (name in WITHOUT_CHIP and summary[name] is None)
            },
            summary["solve_seconds"],
            operations(summary),
        )


def operations(summary: Mapping[str, Any]) -> int:
    """Return the verify reads, pulses and exchanged vectors of a solve."""
    return int(summary["reads"] + summary["pulses"] + summary["vectors"])
