"""Forecast of a solve: intervals of what will come of it, from solves on drawn chips.

Each drawn chip is programmed, calibrated and refined as the real one is going to be. Nothing is simplified: cells are
those of the preset as write-verify leaves them, relaxed, with their read noise, stuck ones among them, behind wires,
amplifiers and converters with errors of their own. What is drawn this way is distributed as the outcome is, where the
bench is simulated with the same preset; of a real chip it knows what the preset knows.

The energy is what cells take, and a model of the amplifiers and converters around them. Cells take V^2 G w in each
pulse and each verify read (G the read that follows, w the width or the meter's aperture), and V I t in each vector that
is multiplied, t the time from one vector to the next. What they take while the loop inverts is left out: 0.4 V across
35 uS is 6 uW, an amplifier takes a thousand times as much.

The seconds of this machine are those of the solve without its run file and display. Without instruments they are
those of the drawn solves. At the wire, where a solve takes far longer, they are

    t = a + c n,    n the operations of a drawn solve

with a and c from solves of two unknowns at the wire, with few and with many operations, repeated: the machine's speed,
which changes from second to second, is then drawn as chips are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Literal, Self

import numpy as np

from mho.array_types import Floats
from mho.confidence import binomial_interval
from mho.errors import ConvergenceError, MhoError
from mho.instruments import ArrayBench, Bench
from mho.instruments.bench_file import BenchSource
from mho.instruments.opening import open_simulated
from mho.instruments.simulated import Cells
from mho.procedures.stream import NullStream, Stream
from mho.runs.intervals import LEAST_DRAWS, LEVEL, Interval, prediction_interval

RESTING = 2  # vectors of 0 V that the bench plays before and after those of an exchange


@dataclass(frozen=True)
class EnergyModel:
    """Assumed figures of what stands around the cells.

    Attributes
    ----------
    amplifier : float
        Power of one amplifier, W: an AD823 takes 2.6 mA (data sheet), here from two supplies of 5 V.
    conversion : float
        Energy of one conversion of one line, J, in either direction: an AD7606 takes 100 mW for eight lines at 200,000
        samples a second (data sheet).
    """

    amplifier: float = 26e-3
    conversion: float = 62.5e-9

    def in_words(self) -> str:
        """Return the assumptions in words."""
        return (
            f"{1e3 * self.amplifier:g} mW an amplifier and {1e9 * self.conversion:g} nJ a conversion while vectors are "
            "played; instruments and computers are not counted"
        )


@contextmanager
def metering(bench: Bench) -> Iterator[VectorMeter]:
    """Count the energy of the vectors that a bench plays meanwhile."""
    before, meter = bench.on_vectors, VectorMeter(bench.vector_period)

    def meter_too(mode: Literal["MULTIPLY", "INVERT"], volts: Floats, answers: Floats) -> None:
        before(mode, volts, answers)
        meter(mode, volts, answers)

    bench.on_vectors = meter_too
    try:
        yield meter
    finally:
        bench.on_vectors = before


class VectorMeter:
    """Counts the energy of the vectors that a bench plays; the bench's `on_vectors` calls it.

    Parameters
    ----------
    period : float
        From one vector to the next, s.

    Attributes
    ----------
    joules : float
        So far.
    vectors : int
        Number played, without those of 0 V.
    """

    model = EnergyModel()

    def __init__(self, period: float) -> None:
        self._period = period
        self.joules, self.vectors = 0.0, 0

    def __call__(self, mode: str, volts: Floats, answers: Floats) -> None:
        """Add what cells take while they multiply, and amplifiers and converters: one a line that answers, one a line."""
        samples, lines = len(volts) + RESTING, answers.shape[1]
        self.vectors += len(volts)
        if mode == "MULTIPLY":
            peaks = np.maximum(volts.max(axis=1, initial=0.0), -volts.min(axis=1, initial=0.0))
            self.joules += float((peaks * np.abs(answers).sum(axis=1)).sum()) * self._period
        self.joules += samples * (
            lines * self.model.amplifier * self._period + (volts.shape[1] + lines) * self.model.conversion
        )


QUANTITIES = (
    "forecast_rho", "cycles_to_goal", "bits", "pulses", "cells_failed", "virtual_seconds", "joules",
    "loop_slowest", "loop_damping", "cycles_saved", "digital_ratio",
)  # fmt: skip
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
            summary["converged"], summary["reason"],
            {
                name: math.inf if summary[name] is None else float(summary[name])
                for name in QUANTITIES
                if name in summary and not (name in WITHOUT_CHIP and summary[name] is None)
            },
            summary["solve_seconds"], operations(summary),
        )  # fmt: skip


def operations(summary: Mapping[str, Any]) -> int:
    """Return the verify reads, pulses and exchanged vectors of a solve."""
    return int(summary["reads"] + summary["pulses"] + summary["vectors"])


@dataclass(frozen=True)
class SolveForecast:
    """Intervals that hold the outcome with a probability of 90 %, each by itself.

    Attributes
    ----------
    draws : int
        Number of drawn chips.
    converging : int
        Those of them on which the solve converged.
    intervals : dict
        By the names of `QUANTITIES`; a quantity is left out where too few draws have it.
    wall : Interval or None
        Seconds that a draw took on this machine.
    reasons : dict
        Why draws did not converge: how many, by the first clause of the reason.
    """

    draws: int
    converging: int
    intervals: dict[str, Interval]
    wall: Interval | None
    reasons: dict[str, int]

    @classmethod
    def of(cls, drawn: Sequence[DrawnSolve]) -> Self:
        """Return the forecast that drawn solves make."""
        ended = [one for one in drawn if one.values]
        intervals = {
            name: prediction_interval([one.values[name] for one in ended if name in one.values])
            for name in QUANTITIES
        }
        reasons = Counter(
            one.reason.partition(",")[0].partition(";")[0] for one in drawn if not one.converged
        )
        return cls(
            len(drawn), sum(one.converged for one in drawn),
            {name: interval for name, interval in intervals.items() if interval is not None},
            prediction_interval([one.seconds for one in ended]), dict(reasons),
        )  # fmt: skip

    @property
    def probability(self) -> tuple[float, float, float]:
        """Probability of converging (Laplace's rule of succession), and the ends of its 90 % interval."""
        return (self.converging + 1) / (self.draws + 2), *binomial_interval(
            self.converging, self.draws, LEVEL
        )

    def in_words(self) -> str:
        """Return the forecast in a sentence."""
        words = [f"forecast: converges on {self.converging} of {self.draws} drawn chips"]
        for name, what, form in (
            ("forecast_rho", "rho", "{:.3f}"),
            ("cycles_to_goal", "cycles", "{:.0f}"),
            ("cycles_saved", "cycles saved by the chip", "{:.0f}"),
            ("virtual_seconds", "s on the bench's clock", "{:.3g}"),
        ):
            if interval := self.intervals.get(name):
                words.append(f"{form.format(interval.low)} to {form.format(interval.high)} {what}")
        return ", ".join(words)

    def plain(self) -> dict[str, Any]:
        """Return what a run file keeps of the forecast, to be held to what came."""
        probability, low, high = self.probability
        return {
            "draws": self.draws, "converging": self.converging, "probability": probability,
            "probability_low": low, "probability_high": high,
            **{name: interval.plain() for name, interval in self.intervals.items()},
        }  # fmt: skip


SMALL = {"matrix": np.eye(2) + 0.3, "rhs": np.ones(2)}
TIMED = 4  # pairs of solves at the wire


def wall_time(
    source: BenchSource, preset: Cells | None, drawn: Sequence[DrawnSolve], solve: Callable[..., Any],
    meanwhile: Callable[[int, int], object] = lambda done, total: None,
) -> Interval | None:  # fmt: skip
    """Return the interval of the seconds that a solve takes; None for real instruments, or too few draws.

    Parameters
    ----------
    source : BenchSource
        The bench of the run.
    preset : str or object, optional
        Its cells; None for the file's own.
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
    source: BenchSource, preset: Cells | None, solve: Callable[..., Any],
    meanwhile: Callable[[int, int], object],
) -> Iterator[tuple[float, float]]:  # fmt: skip
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
