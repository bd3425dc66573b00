"""Holds what runs came to against what was forecast of them: how often 90 % intervals hold, over many runs."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mho.analysis.reports.collection import find_runs, measure_runs
from mho.analysis.reports.run_table import Row, RunRow
from mho.confidence import binomial_interval
from mho.errors import RunFileError
from mho.runs import RunFile, Status
from mho.runs.intervals import LEVEL, Interval

WANTED = (0.85, 0.95)  # coverage within which intervals of 90 % count as neither too narrow nor too wide
UNSETTLED = "ConvergenceError:"
"""Beginning of the reason of a run that failed as no loop settled: it did not converge, and has no other outcome."""


@dataclass
class Coverage:
    """How often the intervals of one quantity held."""

    quantity: str  # its name in a run's summary
    runs: int = 0
    inside: int = 0  # outcomes inside their interval, ends included
    share: float = 0.0  # the same, outcomes at an end counted with their share (`mho.runs.intervals`)

    def add(self, interval: Interval, outcome: float) -> None:
        """Count one run."""
        self.runs += 1
        self.inside += interval.holds(outcome)
        self.share += interval.share(outcome)

    @property
    def coverage(self) -> float:
        """Share of outcomes that were held, to be compared with 0.9."""
        return self.share / self.runs

    @property
    def uncertainty(self) -> tuple[float, float]:
        """90 % interval of the coverage, as of independent runs."""
        return binomial_interval(round(self.share), self.runs, LEVEL)

    @property
    def met(self) -> bool:
        """Whether the coverage is as wanted."""
        return WANTED[0] <= self.coverage <= WANTED[1]


@dataclass
class ForecastScores:
    """Scores of many runs' forecasts."""

    coverages: dict[str, Coverage] = field(default_factory=dict)  # by quantity
    runs: int = 0  # that were scored
    converged: int = 0  # those of them that converged
    expected: float = 0.0  # how many should have converged, by the shares of drawn chips
    without: int = 0  # runs that hold no forecast, or did not end by themselves
    unreadable: list[RunRow] = field(default_factory=list)  # files that could not be read, with the reason

    def add(self, forecast: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
        """Score one run: the entry ``forecast`` of its summary by that, or by ``converged`` alone where no loop settled.

        Raises `RunFileError`: the entry is no forecast; nothing is counted then.
        """
        try:
            # The share of draws, whose mean is the outcomes'; the probability that is shown is pulled towards 1/2.
            expected, converged = forecast["converging"] / forecast["draws"], bool(outcome["converged"])
            intervals = {
                name: Interval.from_plain(one)
                for name, one in forecast.items()
                if isinstance(one, Mapping) and name in outcome
            }
            values = {name: _number(outcome[name]) for name in intervals}
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            raise RunFileError("what it holds as a forecast is none, or its result is no solve's") from None
        self.runs += 1
        self.converged += converged
        self.expected += expected
        for name, interval in intervals.items():
            self.coverages.setdefault(name, Coverage(name)).add(interval, values[name])

    def plain(self) -> dict[str, Any]:
        """Return the scores for machines."""
        coverage = {
            name: {
                "runs": one.runs, "inside": one.inside, "coverage": one.coverage, "low": one.uncertainty[0],
                "high": one.uncertainty[1], "met": one.met,
            }
            for name, one in self.coverages.items()
        }  # fmt: skip
        unreadable = [{"path": str(one.path), "reason": one.reason} for one in self.unreadable]
        return {
            "level": LEVEL, "runs": self.runs, "converged": self.converged, "expected_to_converge": self.expected,
            "without_forecast": self.without, "unreadable": unreadable, "coverage": coverage,
        }  # fmt: skip


def score_forecasts(*places: str | os.PathLike[str]) -> ForecastScores:
    """Score the forecasts that the run files at `places` hold, files or folders.

    Raises `InputError`: a place that is not there.
    """
    scores = ForecastScores()
    for one in measure_runs(find_runs(*places), _forecast_and_outcome):
        if one.row is None:
            scores.unreadable.append(one)
        elif not one.row:
            scores.without += 1
        else:
            try:
                scores.add(one.row["forecast"], one.row["outcome"])
            except RunFileError as error:
                scores.unreadable.append(RunRow(one.path, None, reason=str(error)))
    return scores


def _forecast_and_outcome(run: RunFile) -> Row:
    """Return a run's forecast and what came; empty where it has none of them."""
    result = run.summary
    forecast = result.get("forecast")
    if not isinstance(forecast, Mapping):
        return {}
    if run.status is Status.FINISHED:
        return {"forecast": forecast, "outcome": result}
    if run.status is Status.FAILED and run.reason.startswith(UNSETTLED):
        return {"forecast": forecast, "outcome": {"converged": False}}
    return {}


def _number(value: object) -> float:
    """Return a value of a summary, None as infinite; `TypeError` for what is no number."""
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    return float(value)
