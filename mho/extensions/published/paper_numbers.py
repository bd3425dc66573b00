"""The numbers of the reference paper, each with how it was read: printed, read off a figure, or open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.errors import RunFileError
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
