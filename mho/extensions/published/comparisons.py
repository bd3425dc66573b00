"""What is found on the virtual bench beside what is published: a row a number, a curve a cycle, and the verdict.

Each number of the reference paper has how it was read: printed, read off a figure, or open.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.errors import RunFileError
from mho.extensions.published.ensemble import Setup
from mho.extensions.published.rejection import Rejection
from mho.runs import Figure, Table
from mho.toml import load_toml

How = Literal["printed", "read off", "open"]


@dataclass(frozen=True)
class PublishedNumber:
    """One quantity of the paper."""

    values: NDArray[np.float64]  # (k,): empty where it is not published
    unit: str
    how: How  # "printed", "read off" or "open"
    reading: float  # relative standard error of reading it off a figure; 0 of what is printed

    @property
    def one(self) -> float | None:
        """The only value; None where it is not published or there are several."""
        return float(self.values[0]) if self.values.size == 1 else None


@dataclass(frozen=True)
class PublishedExperiment:
    """What is published of an experiment: its title, and its quantities by name."""

    title: str
    numbers: Mapping[str, PublishedNumber]

    def __getitem__(self, quantity: str) -> PublishedNumber:
        return self.numbers[quantity]


@cache
def published_numbers() -> dict[str, PublishedExperiment]:
    """Return what is published, by experiment."""
    text = (resources.files(__package__) / "paper_numbers.toml").read_text("utf-8")
    read = load_toml(text, "the published numbers", RunFileError)
    return {name: _experiment(dict(entry)) for name, entry in read.items()}


def _experiment(entry: dict[str, Any]) -> PublishedExperiment:
    title = entry.pop("title")
    return PublishedExperiment(title, {name: _number(one) for name, one in entry.items()})


def _number(entry: Mapping[str, Any]) -> PublishedNumber:
    values = np.asarray(entry["values"], np.float64)
    return PublishedNumber(values, entry.get("unit", ""), entry["how"], float(entry.get("reading", 0.0)))


SHARES = (0.05, 0.5, 0.95)  # of the chips, below the three numbers by which an ensemble is told

Tell = Callable[[int, int], None]  # told how many chips are done, of how many


@dataclass(frozen=True)
class PublishedComparison:
    """One number on the chips beside the published one."""

    quantity: str
    number: int  # of the cycle, or which of several; 0 for a quantity of one number
    published: float | None  # none where it is not published
    how: str  # how that was read
    # low, median, high: of the chips: 5 %, half and 95 % lie below; NaN where nothing was found
    low: float
    median: float
    high: float
    below: float  # share of the chips below the published number; NaN without one
    unit: str = ""

    @classmethod
    def of(
        cls, quantity: str, found: ArrayLike, published: PublishedNumber, number: int = 0,
        value: float | None = None,
    ) -> PublishedComparison:  # fmt: skip
        """Compare what chips (N,) came to with a published number, its only one unless `value` says which."""
        values = np.asarray(found, np.float64).ravel()
        beside = published.one if value is None else value
        low, median, high = np.quantile(values, SHARES) if values.size else (np.nan,) * 3
        below = np.nan if beside is None or not values.size else float(np.mean(values < beside))
        return cls(
            quantity, number, beside, published.how, float(low), float(median), float(high), below, published.unit
        )  # fmt: skip

    @property
    def deviation(self) -> float:
        """The chips' median over the published number; NaN where either is missing, or the published one is 0."""
        return self.median / self.published if self.published else np.nan

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        values = {name: getattr(self, name) for name in ("low", "median", "high", "below", "deviation")}
        told = {name: None if np.isnan(value) else value for name, value in values.items()}
        return {
            "quantity": self.quantity,
            "number": self.number,
            "published": self.published,
            "how": self.how,
            "unit": self.unit,
        } | told


@dataclass(frozen=True)
class ExperimentOutcome:
    """What came of one experiment."""

    rows: tuple[PublishedComparison, ...] = ()
    # Columns of the run file's tables, by table
    tables: Mapping[str, Mapping[str, ArrayLike]] = field(default_factory=dict)
    rejection: Rejection | None = None  # of a published curve; None where there is none to test
    # (float, float): the factors a cycle that so many chips would have seen, as `rejection.detectable`
    seen: tuple[float, float] | None = None
    # Further numbers and words for the result: wrong integers, pulses
    facts: Mapping[str, Any] = field(default_factory=dict)
    open_: tuple[str, ...] = ()  # what is not told, and why

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, without the tables."""
        told: dict[str, Any] = {"numbers": [row.plain() for row in self.rows], **self.facts}
        if self.rejection is not None:
            told |= {
                "p": self.rejection.p, "least_p": self.rejection.least, "verdict": self.rejection.in_words(),
            }  # fmt: skip
        if self.seen is not None:
            told["seen_factors_a_cycle"] = [one if np.isfinite(one) else None for one in self.seen]
        return told | ({"open": list(self.open_)} if self.open_ else {})


class Experiment(ABC):
    """One experiment of the paper, on the virtual bench; `name` is how it is typed."""

    name: str

    @cached_property
    def published(self) -> PublishedExperiment:
        """What the paper says."""
        return published_numbers()[self.name]

    @property
    @abstractmethod
    def tables(self) -> tuple[Table, ...]:
        """Tables of the run file."""

    @property
    @abstractmethod
    def figures(self) -> tuple[Figure, ...]:
        """Figures of the run file."""

    @abstractmethod
    def carry_out(self, setup: Setup, tell: Tell) -> ExperimentOutcome:
        """Carry it out on the chips of a set-up."""
