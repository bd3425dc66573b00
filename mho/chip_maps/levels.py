"""Conductance levels: conversion of digits to siemens and back, verify windows, and the expected error inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.errors import ChipMapError

PARTS = 20  # of a digit, of targets without rounding: an eighth of a level's usual spread


@dataclass(frozen=True)
class Levels:
    """The digits 0..L-1 of a cell as conductances (S)."""

    nominal: Floats  # (L,): target conductance of each digit
    # low, high: (L,): verify window of each digit
    low: Floats
    high: Floats
    step: float  # conductance of one digit unit: nominal of the top digit over its value
    spread: float  # standard deviation expected inside the windows of the digits above 0
    zero_range: tuple[float, float]  # expected range of digit 0

    @classmethod
    def from_values(
        cls, conductances: Sequence[float], *, tolerance: float, spread: float,
        zero_range: tuple[float, float], zero_limit: float, zero_floor: float | None = None,
    ) -> Levels:  # fmt: skip
        """Build from nominal conductances with one half width `tolerance` for all digits above 0.

        Digit 0 reaches down to `zero_floor` (S), below which a cell was never formed; without it, to any cell that does
        not conduct.
        """
        nominal = np.asarray(conductances, dtype=float)
        if np.any(np.diff(nominal) <= 0):
            raise ChipMapError("levels: the conductances must ascend")
        low, high = nominal - tolerance, nominal + tolerance
        low[0] = -np.inf if zero_floor is None else zero_floor  # a meter may read a little below zero
        high[0] = zero_limit
        return cls(nominal, low, high, float(nominal[-1]) / (len(nominal) - 1), spread, zero_range)

    @property
    def top(self) -> int:
        """The largest digit."""
        return len(self.nominal) - 1

    @property
    def bits(self) -> int:
        """Number of bits per cell."""
        return int(np.log2(len(self.nominal)))

    def refined(self, parts: int = PARTS) -> Levels:
        """Return targets between the digits: the same range in steps of 1 / `parts` of a digit, with windows as wide.

        Windows then overlap, so that a cell no longer tells its target: its conductance is an analogue quantity. A
        target below half a window's width is met by whatever meets digit 0, as a cell that does not conduct. Raises
        `ChipMapError` for less than one part.
        """
        if parts < 1:
            raise ChipMapError(f"a digit cannot be divided into {parts} parts; give at least 1")
        nominal = np.linspace(0.0, self.nominal[-1], self.top * parts + 1)
        half_width = self.high[-1] - self.nominal[-1]
        low, high = np.maximum(nominal - half_width, 0.0), nominal + half_width
        low[nominal < 0.5 * half_width], high[0] = self.low[0], self.high[0]
        return Levels(nominal, low, high, self.step / parts, self.spread, self.zero_range)

    def compensated(self, ratio: float) -> Levels:
        """Return the levels as they appear once a second slice of this ratio holds what these cells leave, for forecasts.

        Raises `ChipMapError` for a ratio that is not above 1.
        """
        if not ratio > 1.0:
            raise ChipMapError(f"a second slice of ratio {ratio:g}; give one above 1")
        low, high = (self.nominal + (bound - self.nominal) / ratio for bound in (self.low, self.high))
        lowest, highest = self.zero_range
        return Levels(
            self.nominal, low, high, self.step, self.spread / ratio, (lowest / ratio, highest / ratio)
        )

    def conductance(self, digits: ArrayLike) -> Floats:
        """Return the target conductance (S) of each digit; raises `ChipMapError` for a digit outside the range."""
        index = np.asarray(digits)
        wrong = index[(index < 0) | (index > self.top)]
        if wrong.size:
            raise ChipMapError(f"digit {wrong[0]} is outside 0..{self.top}: slice the matrix further")
        return self.nominal[index.astype(np.int64)]

    def inside(self, conductances: ArrayLike, digits: ArrayLike) -> NDArray[np.bool_]:
        """Return whether each conductance (S) lies in the verify window of its digit."""
        g, index = np.asarray(conductances, dtype=float), np.asarray(digits, dtype=np.int64)
        return (g >= self.low[index]) & (g <= self.high[index])

    def draw(self, digits: ArrayLike, draws: int, rng: np.random.Generator) -> Floats:
        """Draw conductances of verified cells, (draws, *digits.shape), S.

        Digits above 0 are normal with `spread`, cut at the window; digit 0 is uniform over
        `zero_range` (the distributions read off the published level histogram).
        """
        index = np.asarray(digits, dtype=np.int64)
        shape = (draws, *index.shape)
        g = self.nominal[index] + rng.normal(0.0, self.spread, shape)
        g = np.clip(g, np.maximum(self.low, 0.0)[index], self.high[index])
        return np.where(index > 0, g, rng.uniform(*self.zero_range, shape))


UNKNOWN = -1  # level of a cell that does not conduct, or was not read


def nearest_levels(conductance: Floats, levels: Levels, formed: Booleans) -> Integers:
    """Return the digit whose level lies nearest to each conductance (S); `UNKNOWN` of cells that are not `formed`.

    A level counts as far as the middle between it and the next.
    """
    edges = 0.5 * (levels.nominal[1:] + levels.nominal[:-1])
    digits = np.searchsorted(edges, conductance).astype(np.int64)
    return np.where(formed, digits, UNKNOWN)


def in_windows(conductance: Floats, digits: Integers, levels: Levels) -> Booleans:
    """Return whether conductances (..., cells), S, lie in the windows of their `digits` (cells,); never of `UNKNOWN`."""
    inside: Booleans = levels.inside(conductance, np.maximum(digits, 0)) & (digits != UNKNOWN)
    return inside
