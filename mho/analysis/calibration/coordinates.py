"""The coordinates in which parameters are inferred: each with a weak prior about the base preset, of unit variance.

log      u = ln(value/base) / 0.5            what is above 0: e times more or less is two deviations
volts    u = (value - base) / 0.3 V          thresholds
logit    u = (logit(value) - logit(base))    shares
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH = {"log": 0.5, "volts": 0.3, "logit": 1.0}
"""Standard deviation of the prior, in units of ln, V, and ln of the odds."""

SMALLEST = 1e-12  # a base value of 0 has no logarithm


@dataclass(frozen=True)
class Coordinates:
    """Parameters by name, with their kind of coordinate and their values in the base preset."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    base: tuple[float, ...]

    @classmethod
    def about(cls, preset: Mapping[str, float], kinds: Mapping[str, str]) -> Coordinates:
        """Return the coordinates of the parameters in `kinds` about a preset's values."""
        return cls(tuple(kinds), tuple(kinds.values()), tuple(float(preset[name]) for name in kinds))

    def __len__(self) -> int:
        return len(self.names)

    def values(self, u: Floats) -> dict[str, Floats]:
        """Return the parameters' values at coordinates `u` (..., parameters), each of shape (...)."""
        u = np.asarray(u, dtype=float)
        return {
            name: _value(kind, base, WIDTH[kind] * u[..., k])
            for k, (name, kind, base) in enumerate(zip(self.names, self.kinds, self.base, strict=True))
        }

    def preset(self, u: Floats) -> dict[str, float]:
        """Return the parameters' values at one place (parameters,)."""
        return {name: float(value) for name, value in self.values(u).items()}

    def slopes(self, u: Floats) -> Floats:
        """Return the derivatives (parameters,) of the values by their coordinates, at one place."""
        changes = []
        for kind, value in zip(self.kinds, self.preset(u).values(), strict=True):
            by = {"log": value, "logit": value * (1.0 - value), "volts": 1.0}
            changes.append(WIDTH[kind] * by[kind])
        return np.array(changes)

    def of(self, values: Mapping[str, float]) -> Floats:
        """Return the coordinates (parameters,) of values."""
        rows = zip(self.names, self.kinds, self.base, strict=True)
        return np.array([_coordinate(kind, base, values[name]) / WIDTH[kind] for name, kind, base in rows])

    def places(self, names: Sequence[str]) -> list[int]:
        """Return the numbers of some parameters."""
        return [self.names.index(name) for name in names]


def _value(kind: str, base: float, change: Floats) -> Floats:
    match kind:
        case "log":
            return max(base, SMALLEST) * np.exp(change)
        case "logit":
            return 1.0 / (1.0 + np.exp(-_logit(base) - change))
        case _:
            return base + change


def _coordinate(kind: str, base: float, value: float) -> float:
    match kind:
        case "log":
            return float(np.log(max(value, SMALLEST) / max(base, SMALLEST)))
        case "logit":
            return _logit(value) - _logit(base)
        case _:
            return value - base


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1.0 - 1e-6)
    return float(np.log(share / (1.0 - share)))
