"""The outputs of an INV loop over time after a step of its inputs: what an oscilloscope would show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError


@dataclass(frozen=True)
class StepResponse:
    """Waveforms after a step at time 0.

    Attributes
    ----------
    times : (times,) array
        Ascending, s.
    outputs : (times, n) array
        Output voltages, V.
    start, final : (n,) array
        Outputs before the step, and after settling, V; `final` is NaN for a loop that never settles.
    """

    times: Floats
    outputs: Floats
    start: Floats
    final: Floats

    def settling_time(self, tolerance: float = 1e-2) -> float:
        """Return the time (s) from which all outputs stay within `tolerance` of the largest output's step.

        Infinite where they do not within the times that are shown.

        Raises
        ------
        InputError
            For a tolerance that is not between 0 and 1.
        """
        if not 0.0 < tolerance < 1.0:
            raise InputError(f"tolerance is {tolerance:g}; give a share of the step between 0 and 1")
        within = np.abs(self.outputs - self.final).max(axis=1) <= tolerance * self._height
        outside = np.flatnonzero(~within)
        first = outside[-1] + 1 if outside.size else 0
        return float(self.times[first]) if first < len(self.times) else np.inf

    @property
    def overshoot(self) -> float:
        """Largest excursion beyond a final value, relative to the largest output's step; infinite where none is final."""
        if np.isnan(self._height):
            return np.inf
        beyond = (self.outputs - self.final) * np.sign(self.final - self.start)
        return float(max(beyond.max(), 0.0) / self._height) if self._height > 0.0 else 0.0

    @property
    def _height(self) -> float:
        return float(np.abs(self.final - self.start).max())
