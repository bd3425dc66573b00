"""The outputs of an INV loop over time after a step of its inputs: what an oscilloscope would show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StepResponse:
    """Waveforms after a step at time 0.

    Attributes
    ----------
    times : (times,) array
        Ascending, s.
    outputs : (times, n) array
        Output voltages, V.
    final : (n,) array
        Outputs after settling, V; NaN for a loop that never settles.
    """

    times: Floats
    outputs: Floats
    final: Floats

    def settling_time(self, tolerance: float = 1e-2) -> float:
        """Return the time (s) from which all outputs stay within `tolerance` of the largest final value.

        Infinite where they do not within the times that are shown.

        Raises
        ------
        InputError
            For a tolerance that is not between 0 and 1.
        """
        if not 0.0 < tolerance < 1.0:
            raise InputError(f"tolerance is {tolerance:g}; give a share of the final value between 0 and 1")
        within = self._deviation.max(axis=1) <= tolerance * self._scale
        outside = np.flatnonzero(~within)
        if not outside.size:
            return float(self.times[0])
        return float(self.times[outside[-1] + 1]) if outside[-1] + 1 < len(self.times) else np.inf

    @property
    def overshoot(self) -> float:
        """Largest excursion beyond the final value, relative to the largest final value; infinite where none is final."""
        if np.isnan(self._scale):
            return np.inf
        beyond = (self.outputs - self.final) * np.sign(self.final)
        return max(float(beyond.max() / self._scale), 0.0)

    @property
    def _deviation(self) -> Floats:
        return np.abs(self.outputs - self.final)

    @property
    def _scale(self) -> float:
        return float(np.abs(self.final).max())
