"""Which assumption decides: each at its low and high value, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mho.analysis.projection.assumptions import Assumptions, Parameters


@dataclass(frozen=True)
class Bar:
    """What one assumption changes: the answer at its low and at its high value, relative to the answer as it is."""

    name: str
    low: float
    high: float

    @property
    def span(self) -> float:
        """How many times the larger is the smaller."""
        small, large = sorted((self.low, self.high))
        return large / small


def tornado(answer: Callable[[Parameters], float], assumptions: Assumptions) -> list[Bar]:
    """Return the assumptions that change an answer, that which changes it most first.

    Parameters
    ----------
    answer : callable
        Of the values: a positive number, such as the energy of a solve.
    """
    middle = answer(assumptions.parameters)
    bars = [
        Bar(
            name,
            answer(assumptions.at(name, one.low)) / middle,
            answer(assumptions.at(name, one.high)) / middle,
        )
        for name, one in assumptions.items()
        if one.low < one.high
    ]
    return sorted((bar for bar in bars if bar.span > 1.0), key=lambda bar: bar.span, reverse=True)
