"""The slow part of the draws of pulses, followed from pulse to pulse by a Kalman filter.

    z = m^(1/2) s + (1 - m)^(1/2) e,   s' = a s + (1 - a^2)^(1/2) e',   a = exp(-1/pulses)

An observation is a draw with an error, or that the draw lay below a bound, or that it was one of both; after it the
distribution of s is again taken for a normal one, of the same mean and variance (assumed density filtering: Maybeck,
Stochastic Models, Estimation and Control, 1982, section 12.7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

Floats = NDArray[np.float64]

LOG_2PI = np.log(2.0 * np.pi)


class Memory:
    """Mean and variance of the slow part, for arrays of cells and nodes.

    Parameters
    ----------
    shape : (cells, nodes)
    share : float
        Of the variance of draws that drifts slowly.
    pulses : float
        Correlation length.
    young : (cells,) array of bool
        Cells without a past, whose slow part begins at 0.
    """

    def __init__(self, shape: tuple[int, int], share: float, pulses: float, young: NDArray[np.bool_]) -> None:
        self._share = share
        self._kept = float(np.exp(-1.0 / pulses))
        begun = np.where(young, 1.0 - self._kept**2, 1.0)
        self._mean, self._variance = np.zeros(shape), np.broadcast_to(begun[:, None], shape)

    def predict(self) -> tuple[Floats, Floats]:
        """Return mean and variance of the next draw."""
        return self._share**0.5 * self._mean, self._share * self._variance + (1.0 - self._share)

    def advance(self, live: NDArray[np.bool_], shift: Floats, shrink: Floats) -> None:
        """Take in what an observation said of the draw, and go on to the next pulse of the cells that are `live`.

        Parameters
        ----------
        shift, shrink : array
            How far the draw's mean moved, over its variance before; and the relative loss of that variance, over it.
        """
        root = self._share**0.5 * self._variance
        mean = self._mean + root * shift
        variance = np.maximum(self._variance - root * root * shrink, 1e-6)
        kept = self._kept
        self._mean = np.where(live, kept * mean, self._mean)
        self._variance = np.where(live, kept * kept * variance + 1.0 - kept * kept, self._variance)

    def observe(
        self,
        draw: Floats,
        log_slope: Floats,
        error: Floats,
        unchanged: Floats,
        above: Floats,
        live: NDArray[np.bool_],
    ) -> Floats:
        """Take in SETs; return their log-likelihoods.

        Parameters
        ----------
        draw : array
            At which the compliance is the conductance after the pulse, or before it where that did not change clearly.
        log_slope : array
            ln of d(conductance)/d(draw), S.
        error : array
            Variance of the draw by the read.
        unchanged : array
            ln of the density (1/S) of the read if the pulse did not change the cell.
        above : array
            ln of the probability that a change that may be none is one.
        live : array of bool
            Which pulses are there at all.
        """
        mean, variance = self.predict()
        total = variance + error
        apart = draw - mean
        squared = apart * apart / total
        drawn = -0.5 * (squared + LOG_2PI + np.log(total)) - log_slope + above
        # P(z < draw), and the moments of the draw below it
        alpha = apart / np.sqrt(variance)
        log_below = log_ndtr(alpha)
        hazard = np.exp(-0.5 * (alpha * alpha + LOG_2PI) - log_below)
        stayed = log_below + unchanged
        both = np.logaddexp(drawn, stayed)
        weight = np.exp(drawn - both)
        shift_drawn, shift_stayed = apart / total, -hazard / np.sqrt(variance)
        shift = weight * shift_drawn + (1.0 - weight) * shift_stayed
        shrink = weight / total + (1.0 - weight) * hazard * (hazard + alpha) / variance
        shrink = shrink - weight * (1.0 - weight) * (shift_drawn - shift_stayed) ** 2
        self.advance(live, shift, shrink)
        return np.where(live, both, 0.0)
