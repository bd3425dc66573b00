"""The slow part of the draws of pulses, followed from pulse to pulse by a Kalman filter, and back for derivatives.

    z = m^(1/2) s + (1 - m)^(1/2) e,   s' = a s + (1 - a^2)^(1/2) e',   a = exp(-1/pulses)

An observation is a draw with an error, or that the draw lay below a bound, or that it was one of both; after it the
distribution of s is again taken for a normal one, of the same mean and variance (assumed density filtering: Maybeck,
Stochastic Models, Estimation and Control, 1982, section 12.7). Derivatives by what went in are carried from the last pulse
to the first (reverse mode: Griewank and Walther, Evaluating Derivatives, 2008, chapter 3): all of them together cost about
as much as the likelihood itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from mho.array_types import Booleans, Floats
from mho.extensions.calibration.likelihoods.pulse_model import LOG_2PI

LEAST_LOG = -80.0


def log_of_both(one: Floats, other: Floats) -> Floats:
    """Return ``np.logaddexp``, in a quarter of its time."""
    return np.maximum(one, other) + np.log(1.0 + exponential(-np.abs(one - other)))


def exponential(log: Floats) -> Floats:
    """Return ``np.exp`` of what is at most about 0, but no numbers so small that processors are slow with them."""
    return np.exp(np.maximum(log, LEAST_LOG))


class Memory:
    """Mean and variance of the slow part, for arrays of the `shape` (cells, nodes).

    Of the draws' variance `share` drifts slowly, over a correlation length of `pulses`; the slow part of `young` cells,
    which have no past, begins at 0.
    """

    def __init__(self, shape: tuple[int, int], share: float, pulses: float, young: NDArray[np.bool_]) -> None:
        self._share = share
        self._correlation = float(np.exp(-1.0 / pulses))
        begun = np.where(young, 1.0 - self._correlation**2, 1.0)
        self._mean, self._variance = np.zeros(shape), np.broadcast_to(begun[:, None], shape)
        self._past: list[tuple[Floats, Floats, Floats, Floats, Booleans]] = []
        self._by_mean, self._by_variance = np.zeros(shape), np.zeros(shape)
        self.by_share = np.zeros(shape)  # derivative by the share, once all pulses were gone back

    def predict(self) -> tuple[Floats, Floats]:
        """Return mean and variance of the next draw."""
        return self._share**0.5 * self._mean, self._share * self._variance + (1.0 - self._share)

    def advance(self, live: Booleans, shift: Floats, shrink: Floats, *, keep: bool = False) -> None:
        """Take in what an observation said of the draw, and go on to the next pulse of the cells that are `live`.

        `shift` is how far the draw's mean moved, over its variance before, `shrink` the relative loss of that variance,
        over it; `keep` what is needed to go back.
        """
        if keep:
            self._past.append((self._mean, self._variance, shift, shrink, live))
        root = self._share**0.5 * self._variance
        mean = self._mean + root * shift
        variance = np.maximum(self._variance - root * root * shrink, 1e-6)
        correlation = self._correlation
        self._mean = np.where(live, correlation * mean, self._mean)
        self._variance = np.where(
            live, correlation * correlation * variance + 1.0 - correlation * correlation, self._variance
        )

    def back(self) -> tuple[Floats, Floats]:
        """Go back over the last pulse; return the derivatives by its `shift` and `shrink`."""
        _, variance, shift, shrink, live = self._past[-1]
        root = self._share**0.5
        by_mean = self._correlation * self._by_mean * live
        by_variance = self._correlation**2 * self._by_variance * live
        self._by_mean = np.where(live, by_mean, self._by_mean)
        loss = variance * shrink
        changed = by_variance * (1.0 - 2.0 * self._share * loss) + by_mean * root * shift
        self._by_variance = np.where(live, changed, self._by_variance)
        self.by_share += by_mean * variance * shift / (2.0 * max(root, 1e-9)) - by_variance * variance * loss
        return by_mean * root * variance, -self._share * by_variance * variance**2

    def back_of_prediction(self, by_mean: Floats, by_variance: Floats) -> None:
        """Take the derivatives by what `predict` returned of the pulse that `back` went over."""
        mean, variance, *_ = self._past.pop()
        root = self._share**0.5
        self._by_mean = self._by_mean + root * by_mean
        self._by_variance = self._by_variance + self._share * by_variance
        self.by_share += by_mean * mean / (2.0 * max(root, 1e-9)) + by_variance * (variance - 1.0)

    def observe(
        self, draw: Floats, log_slope: Floats, error: Floats, unchanged: Floats, above: Floats,
        live: Booleans,
    ) -> Floats:  # fmt: skip
        """Take in SETs; return their log-likelihoods. The parameters are those of `Raised`."""
        raised = Raised(*self.predict(), draw, log_slope, error, unchanged, above)
        self.advance(live, raised.shift, raised.shrink)
        return np.where(live, raised.log, 0.0)


@dataclass(frozen=True)
class ByRaised:
    """Derivatives by what a `Raised` was made of."""

    mean: Floats
    variance: Floats
    draw: Floats
    log_slope: Floats
    error: Floats


class Raised:
    """A SET as it was seen, of a cell that it raised or not: its log-likelihood `log`, `shift` and `shrink` for `Memory`.

    Parameters
    ----------
    mean, variance
        Of the draw, before it.
    draw
        At which the compliance is the conductance after the pulse, or before it where that did not change clearly.
    log_slope, error
        ln of d(conductance)/d(draw), S; variance of the draw by the read.
    unchanged
        ln of the density (1/S) of the read if the pulse did not change the cell.
    above
        ln of the probability that a change that may be none is one.
    """

    def __init__(
        self, mean: Floats, variance: Floats, draw: Floats, log_slope: Floats, error: Floats,
        unchanged: Floats, above: Floats,
    ) -> None:  # fmt: skip
        self._root = np.sqrt(variance)
        self._variance, self._total = variance, variance + error
        self._apart = apart = draw - mean
        self._pull = pull = apart / self._total
        drawn = -0.5 * (apart * pull + LOG_2PI + np.log(self._total)) - log_slope + above
        # P(z < draw), and the moments of the draw below it
        self._alpha = alpha = apart / self._root
        log_below = log_ndtr(alpha)
        self._hazard = hazard = exponential(-0.5 * (alpha * alpha + LOG_2PI) - log_below)
        self.log = log_of_both(drawn, log_below + unchanged)
        self._weight = weight = exponential(drawn - self.log)
        self._stayed = -hazard / self._root  # shift, if it was not raised
        self._loss = hazard * (hazard + alpha) / variance  # shrink, then
        self.shift = weight * pull + (1.0 - weight) * self._stayed
        within = weight / self._total + (1.0 - weight) * self._loss
        self.shrink = within - weight * (1.0 - weight) * (pull - self._stayed) ** 2

    def back(self, weight: Floats, by_shift: Floats, by_shrink: Floats) -> ByRaised:
        """Return derivatives of what `log` counts for with `weight`, and what has those by shift and shrink."""
        w, total, variance, root = self._weight, self._total, self._variance, self._root
        hazard, alpha, between = self._hazard, self._alpha, self._pull - self._stayed
        rest = w * (1.0 - w)
        # by ln of the odds that it was raised
        odds = rest * (
            by_shift * between
            + by_shrink * (1.0 / total - self._loss - (1.0 - 2.0 * w) * between**2)
        )  # fmt: skip
        by_drawn, by_stayed = weight * w + odds, weight * (1.0 - w) - odds
        across = 2.0 * by_shrink * rest * between
        by_pull = w * by_shift - across
        by_alpha = (
            by_stayed * hazard
            + ((1.0 - w) * by_shift + across) * self._loss * root
            + (1.0 - w) * by_shrink * hazard * (1.0 - (hazard + alpha) * (2.0 * hazard + alpha)) / variance
        )
        by_apart = by_pull / total - by_drawn * self._pull + by_alpha / root
        by_total = (
            by_drawn * 0.5 * (self._pull**2 - 1.0 / total)
            - by_pull * self._pull / total
            - w * by_shrink / total**2
        )
        by_variance = by_total + (
            -by_alpha * alpha
            - ((1.0 - w) * by_shift + across) * self._stayed
            - 2.0 * (1.0 - w) * by_shrink * self._loss
        ) / (2.0 * variance)
        return ByRaised(-by_apart, by_variance, by_apart, -by_drawn, by_total)
