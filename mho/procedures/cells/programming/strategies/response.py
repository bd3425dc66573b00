"""The response of a chip's cells to SET pulses from a RESET state: median G against V_WL, and the gate for a level.

The settings hold it as a table, `response_gates` and `response_levels`; without one it is the straight line of `set_offset`
and `set_slope`. Between the points it is straight, beyond them it stays at the last: measured curves rise sharply above a
threshold and saturate, and nothing is known beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.write_verify_settings import WriteVerifySettings

Values = Any  # a number for one cell, an array for many


@dataclass(frozen=True)
class ResponseCurve:
    """Median conductance after one SET pulse against the voltage on the word line.

    Attributes
    ----------
    gates : (n,) array
        V, ascending.
    levels : (n,) array
        S, strictly ascending.
    """

    gates: Floats
    levels: Floats

    @classmethod
    def of(cls, settings: WriteVerifySettings) -> ResponseCurve:
        """Return the table of the settings, or the straight line within their `gate_range`."""
        s = settings
        if s.response_gates:
            levels = np.asarray(s.response_levels, dtype=float)
            # A flat stretch has no gate of its own; a slope of a millionth keeps the inverse single-valued.
            rising = np.maximum.accumulate(levels) + 1e-6 * levels.max() * np.arange(len(levels)) / len(
                levels
            )
            return cls(np.asarray(s.response_gates, dtype=float), rising)
        gates = np.asarray(s.gate_range, dtype=float)
        return cls(gates, np.maximum((gates - s.set_offset) * s.set_slope, 1e-12 * np.arange(1, 3)))

    def level(self, gate: Values) -> Values:
        """Return the median conductance, S, after a SET with `gate` V on the word line."""
        return np.interp(gate, self.gates, self.levels)

    def gate(self, level: Values) -> Values:
        """Return the voltage on the word line, V, that SETs half of the cells above `level` (S)."""
        return np.interp(level, self.levels, self.gates)
