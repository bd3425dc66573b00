"""The posterior of parameters from the log-likelihoods of many cells: its mode by scoring, its width by Laplace's method.

The prior is the unit normal in the coordinates used. The sum over cells of the outer products of their scores stands
for the curvature on the way (Berndt, Hall, Hall and Hausman, Annals of Economic and Social Measurement 3, 653 (1974));
at the mode the curvature is measured, in the coordinates in which it is about the unit matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Likelihood = Callable[[Floats], Floats]  # coordinates (parameters,) to the log-likelihoods (cells,)

STEP = 1e-4  # of a coordinate, for scores
PROBE = 0.5  # deviations, for the curvature
WEAKEST = 0.25  # least curvature, in units of that by the scores
ROUNDS = 40
ENOUGH = 2e-2  # expected gain of the log-posterior at which the search ends
ROUGH = 1.0  # the same of a search that another one follows
FURTHEST = 1.5  # deviations of the prior, by which one step changes a coordinate at most


@dataclass(frozen=True)
class Posterior:
    """A normal distribution of coordinates.

    Attributes
    ----------
    mean : (parameters,) array
    covariance : (parameters, parameters) array
    log_likelihood : float
        At the mean, of all cells.
    converged : bool
        Whether the search ended at a mode.
    repaired : bool
        Whether directions without a clear curvature were given a width by the scores, twice as wide.
    """

    mean: Floats
    covariance: Floats
    log_likelihood: float
    converged: bool
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
    likelihood: Likelihood,
    start: Floats,
    recentre: Callable[[Floats], None] | None = None,
    prior: tuple[Floats, Floats] | None = None,
    *,
    rough: bool = False,
) -> Posterior:
    """Find the posterior's mode from `start` on, and its width there.

    Parameters
    ----------
    recentre : function, optional
        Called with each coordinates at which the search tries a step: what the likelihood integrates over follows them.
    prior : (mean, deviation) arrays, optional
        Of each coordinate; 0 and 1 by default.
    rough : bool
        Whether to end near the mode, without a width.
    """
    mean, width = prior or (np.zeros(len(start)), np.ones(len(start)))
    u, damping, converged = start.copy(), 1e-3, False

    def log_prior(u: Floats) -> float:
        return -0.5 * float((((u - mean) / width) ** 2).sum())

    def centred(u: Floats) -> Floats:
        if recentre:
            recentre(u)
        return likelihood(u)

    cells = centred(u)
    for _ in range(ROUNDS):
        here = float(cells.sum()) + log_prior(u)
        scores = _scores(likelihood, u, cells)
        slope = scores.sum(axis=0) - (u - mean) / width**2
        apart = scores - scores.mean(axis=0)  # far from the mode all cells pull the same way
        curve = apart.T @ apart + np.diag(width**-2.0)
        for _try in range(6):
            step = np.linalg.solve(curve + damping * np.diag(np.diag(curve)), slope)
            step *= min(1.0, FURTHEST / np.abs(step).max())
            tried = centred(u + step)
            gain = float(tried.sum()) + log_prior(u + step) - here
            if gain > 0.0:
                break
            damping = max(8.0 * damping, 1e-2)
        else:
            # no step in the direction of ascent gains anything: at the mode, but for rounding
            converged = float(slope @ step) < 1.0
            centred(u)
            break
        u, cells, damping = u + step, tried, damping / 8.0
        if gain < (ROUGH if rough else ENOUGH) and damping < 0.1:
            converged = True
            break
    if rough:
        return Posterior(u, np.linalg.inv(curve), float(cells.sum()), converged, False)
    return _laplace(likelihood, log_prior, u, curve, converged)


def _scores(likelihood: Likelihood, u: Floats, here: Floats) -> Floats:
    """Return the derivatives (cells, parameters) of the cells' log-likelihoods, which are `here` at `u`."""
    return np.stack([(likelihood(u + step) - here) / STEP for step in STEP * np.eye(len(u))], axis=1)


def _laplace(
    likelihood: Likelihood, log_prior: Callable[[Floats], float], u: Floats, curve: Floats, converged: bool
) -> Posterior:
    """Return the normal distribution with the curvature at `u`; `curve` is what it is about."""
    axes = np.linalg.inv(np.linalg.cholesky(curve)).T  # columns: about one deviation each, uncorrelated

    def value(w: Floats) -> float:
        at = u + axes @ w
        return float(likelihood(at).sum()) + log_prior(at)

    count = len(u)
    unit = PROBE * np.eye(count)
    here = value(np.zeros(count))
    up = np.array([value(step) for step in unit])
    down = np.array([value(-step) for step in unit])
    measured = np.diag((2.0 * here - up - down) / PROBE**2)
    for i in range(count):
        for j in range(i):
            both = value(unit[i] - unit[j])
            # f(i, -j) - f(i) - f(-j) + f(0): the mixed second difference, its sign turned twice
            measured[i, j] = measured[j, i] = (both - up[i] - down[j] + here) / PROBE**2
    strength, directions = np.linalg.eigh(measured)
    repaired = bool((strength < WEAKEST).any())
    strength = np.maximum(strength, WEAKEST)
    root = axes @ directions / np.sqrt(strength)
    return Posterior(u, root @ root.T, float(likelihood(u).sum()), converged, repaired)
