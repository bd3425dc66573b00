"""Forecast of a solve: intervals of what will come of it, from solves on drawn chips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from mho.confidence import binomial_interval
from mho.procedures.equations.forecast.drawn_solves import QUANTITIES, DrawnSolve
from mho.runs.intervals import LEVEL, Interval, prediction_interval


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
        found = {
            name: prediction_interval([one.values[name] for one in ended if name in one.values])
            for name in QUANTITIES
        }
        reasons = Counter(
            one.reason.partition(",")[0].partition(";")[0] for one in drawn if not one.converged
        )
        return cls(
            len(drawn),
            sum(one.converged for one in drawn),
            {name: interval for name, interval in found.items() if interval is not None},
            prediction_interval([one.seconds for one in ended]),
            dict(reasons),
        )

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
            "draws": self.draws,
            "converging": self.converging,
            "probability": probability,
            "probability_low": low,
            "probability_high": high,
            **{name: interval.plain() for name, interval in self.intervals.items()},
        }
