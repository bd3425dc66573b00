"""The posterior of parameters from the log-likelihoods of many cells: its mode by slopes, its width by Laplace's method.

The prior is the unit normal in the coordinates used. The sum over cells of the outer products of their scores stands
for the curvature at first (Berndt, Hall, Hall and Hausman, Annals of Economic and Social Measurement 3, 653 (1974)), and
is corrected by how slopes change on the way; at the mode the curvature is measured by differences of slopes, in the
coordinates in which that of the scores is the unit matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

Likelihood = Callable[[Floats], Floats]  # coordinates (parameters,) to the log-likelihoods (cells,)
Scores = Callable[[Floats], tuple[Floats, Floats]]  # to them and their derivatives (cells, parameters)

PROBE = 0.3  # deviations, for the curvature
WIDE_PROBE = 1.0  # the same, to both sides, where slopes are rough on the way of the first
STEEPER = 10.0  # times the other: a side of such curvature is a cliff, and the other one tells the width
UNSEEN = 0.7  # deviations of the prior, from which a width is little more than the prior's
CLIFF_WITHIN = 2.5  # deviations
CLIFF_FALL = 1.0  # of the log-posterior, below what the width says, from where on it is a cliff
WEAKEST = 0.1  # least curvature, in units of that by the scores, which a few odd cells raise
ROUNDS = 80
ENOUGH = 2e-2  # expected gain of the log-posterior at which the search ends
ROUGH = 1.0  # the same of a search that another one follows
JITTER = 0.3  # of the log-posterior, as nodes move
FURTHEST = 0.7  # deviations of the prior, by which one step changes a coordinate at most
STEEPEST = 1e6  # score of a cell: a place beyond numbers stays one with a curvature
DAMPING = 10.0  # of the first step: directions of less curvature are gone more slowly


@dataclass(frozen=True)
class Posterior:
    """A normal distribution of coordinates."""

    mean: Floats  # (parameters,)
    covariance: Floats  # (parameters, parameters)
    log_likelihood: float  # at the mean, of all cells
    log_posterior: float  # with the prior's, but for its constant
    converged: bool  # whether the search ended at a mode
    # Whether directions without a clear curvature were given a width by the scores, three times as wide: no
    # interval
    repaired: bool

    @property
    def deviation(self) -> Floats:
        """Standard deviations (parameters,); those of the prior are 1."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Floats:
        """Correlations (parameters, parameters)."""
        return self.covariance / np.outer(self.deviation, self.deviation)


def infer(
    likelihood: Likelihood, scores: Scores, start: Floats, recentre: Callable[[Floats], None] | None = None,
    prior: tuple[Floats, Floats] | None = None, *, rough: bool = False,
) -> Posterior:  # fmt: skip
    """Find the posterior's mode from `start` on, and its width there.

    `recentre` is called with all coordinates at which the search tries a step: what the likelihood integrates over follows
    them. `prior` has mean and deviation, 0 and 1 by default; a `rough` search ends near the mode, without a width.
    """
    mean, width = prior or (np.zeros(len(start)), np.ones(len(start)))

    def centred(u: Floats) -> _Place:
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                if recentre:
                    recentre(u)
                cells, by_cell = scores(u)
        except np.linalg.LinAlgError:  # a step that leads too far, beyond all numbers, is not taken
            return _Place(u, -np.inf, -np.inf, np.zeros(len(u)), np.eye(len(u)))
        by_cell = np.clip(by_cell, -STEEPEST, STEEPEST)
        apart, total = (u - mean) / width, float(cells.sum())
        common = by_cell - by_cell.mean(axis=0)  # far from the mode all cells pull the same way
        slope, outer = by_cell.sum(axis=0) - apart / width, common.T @ common + np.diag(width**-2.0)
        return _Place(u, total, total - 0.5 * float((apart**2).sum()), slope, outer)

    place, converged = _searched(centred, start, ROUGH if rough else ENOUGH)
    if not np.isfinite(place.value):
        return Posterior(place.u, np.eye(len(place.u)), place.likelihood, -np.inf, False, True)
    if rough:
        covariance = np.asarray(np.linalg.inv(place.outer), float)
        return Posterior(place.u, covariance, place.likelihood, place.value, converged, False)
    covariance, repaired = _width(
        lambda u: scores(u)[1].sum(axis=0) - (u - mean) / width**2, place.u, place.outer
    )

    def log_posterior(u: Floats) -> float:
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                return float(likelihood(u).sum()) - 0.5 * float((((u - mean) / width) ** 2).sum())
        except np.linalg.LinAlgError:
            return -np.inf

    unseen = np.flatnonzero(np.sqrt(np.diag(covariance)) > UNSEEN * width)
    middle, covariance = _cut_off(log_posterior, place.u, covariance, unseen)
    return Posterior(middle, covariance, place.likelihood, place.value, converged, repaired)


@dataclass(frozen=True)
class _Place:
    """Coordinates, the log-likelihood and the log-posterior there, its slope, and its curvature by the scores."""

    u: Floats
    likelihood: float
    value: float
    slope: Floats
    outer: Floats


def _searched(look: Callable[[Floats], _Place], start: Floats, enough: float) -> tuple[_Place, bool]:
    """Return the mode, and whether the search ended there.

    Far from the mode scores tell little of the curvature: slopes on the way correct it, and steps are short as long as they
    gain less than it promises (Nocedal and Wright, Numerical Optimization, 2006, sections 4.1 and 18.3).
    """
    place = last = look(start)
    curve, damping = place.outer, DAMPING
    for _ in range(ROUNDS):
        if _promised(place, curve) < enough:
            if _promised(place, place.outer) < 2.0 * enough:
                break
            curve = place.outer
        step = np.asarray(np.linalg.solve(curve + damping * np.eye(len(start)), place.slope), float)
        step *= min(1.0, FURTHEST / np.abs(step).max())
        last = look(place.u + step)
        gain, hoped = last.value - place.value, float(place.slope @ step - 0.5 * step @ curve @ step)
        if np.isfinite(gain):
            curve = _corrected(curve, step, place.slope - last.slope)
        # nodes that move change the value a little: the slope tells then whether the mode is closer
        if gain > 0.0 or (gain > -JITTER and _promised(last, curve) < _promised(place, curve)):
            place = last
        damping *= 0.2 if gain > 0.5 * hoped else 1.0 if gain > 0.1 * hoped else 5.0
        if 0.0 <= hoped < 0.1 * enough:  # steps have become too short to gain anything
            break
    if place is not last:  # what is integrated over follows the mode
        place = look(place.u)
    return place, bool(np.isfinite(place.value)) and _promised(place, place.outer) < 10.0 * enough


def _promised(place: _Place, curve: Floats) -> float:
    """Return what the log-posterior gains from a place to the mode, if the curvature is that."""
    return 0.5 * float(place.slope @ np.linalg.solve(curve, place.slope))


def _corrected(curve: Floats, step: Floats, change: Floats) -> Floats:
    """Return the curvature that explains how the slope changed by a step, positive (damped BFGS: Powell 1978)."""
    along = curve @ step
    strength, seen = float(step @ along), float(step @ change)
    if seen < 0.2 * strength:
        share = 0.8 * strength / (strength - seen)
        change, seen = share * change + (1.0 - share) * along, 0.2 * strength
    return curve + np.outer(change, change) / seen - np.outer(along, along) / strength


def _width(slope: Callable[[Floats], Floats], u: Floats, curve: Floats) -> tuple[Floats, bool]:
    """Return the covariance with the curvature at `u`, and whether that was repaired; `curve` is what it is about.

    Where a probe of a part of a deviation sees no clear curvature, one of a whole deviation to both sides is taken: slopes
    may have steps where a read lies close to a threshold. A cliff on one side does not tell the width on the other.
    """
    axes = np.linalg.inv(np.linalg.cholesky(curve)).T  # columns: about one deviation each, uncorrelated
    here = slope(u)
    near = np.stack([axes.T @ (here - slope(u + PROBE * axis)) / PROBE for axis in axes.T])
    strength, directions, repaired = _curved(near)
    if repaired:
        sides = [
            [axes.T @ (here - slope(u + side * axis)) / side for axis in axes.T]
            for side in (WIDE_PROBE, -WIDE_PROBE)
        ]
        strength, directions, repaired = _curved(_of_both(*map(np.array, sides)))
    root = axes @ directions / np.sqrt(np.maximum(strength, WEAKEST))
    return root @ root.T, repaired


def _of_both(above: Floats, below: Floats) -> Floats:
    """Return the curvature (rows by axis) seen on both sides: their mean, or what one tells where the other is a cliff."""
    sides = np.stack([above, below])
    strength = sides.diagonal(axis1=1, axis2=2)
    cliff = (strength > STEEPER * strength[::-1]) & (strength[::-1] > WEAKEST)
    weights = np.where(cliff, 0.0, np.where(cliff[::-1], 1.0, 0.5))
    seen: Floats = (weights[:, :, None] * sides).sum(axis=0)
    return seen


def _cut_off(
    log_posterior: Callable[[Floats], float], u: Floats, covariance: Floats, unseen: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return mean and covariance without what lies beyond a cliff of the log-posterior.

    Data may rule out one side of a parameter and be silent on the other: at the mode there is then no curvature but the
    prior's, and much of what that allows does not explain what was measured. Of the coordinates that are `unseen` the
    normal distribution is cut off where the log-posterior falls below it, and mean and variance of what remains are taken;
    other coordinates follow as they go together. One by one: a cliff that slants across several unseen coordinates is cut
    off of the first, which is then taken for narrower than it is.
    """
    from scipy.stats import truncnorm  # loads slowly

    for place in unseen:
        along = covariance[:, place] / np.sqrt(covariance[place, place])
        low, high = -_cliff(log_posterior, u, -along), _cliff(log_posterior, u, along)
        if np.isfinite(low) or np.isfinite(high):
            truncated = truncnorm(low, high)  # a unit normal variable between the cliffs
            u = u + float(truncated.mean()) * along
            covariance = covariance - (1.0 - float(truncated.var())) * np.outer(along, along)
    return u, covariance


def _cliff(log_posterior: Callable[[Floats], float], u: Floats, along: Floats) -> float:
    """Return after how many deviations `along` the log-posterior falls below what these say; inf where it does not."""
    top = log_posterior(u)

    def beyond(reach: float) -> bool:
        return not top - log_posterior(u + reach * along) < 0.5 * reach**2 + CLIFF_FALL

    if not beyond(CLIFF_WITHIN):
        return np.inf
    low, high = 0.0, CLIFF_WITHIN
    for _ in range(8):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return high


def _curved(slopes: Floats) -> tuple[Floats, Floats, bool]:
    """Return strengths and directions of a curvature, in units of that by the scores, and whether it is not clear."""
    unknown = np.asarray(~np.isfinite(slopes).all(axis=1))  # so far away that the likelihood is no number
    measured = np.where(unknown[:, None], np.eye(len(slopes)), slopes)  # as the scores have it
    strength, directions = np.linalg.eigh(0.5 * (measured + measured.T))
    return strength, directions, bool((strength < WEAKEST).any() or unknown.any())
