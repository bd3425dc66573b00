"""Portfolios of least variance for a wanted return: the optimality conditions as one linear system, and their closed form.

    minimise w^T C w / 2   with   1^T w = 1,  m^T w = r:      [ C  1  m ] [ w ]   [ 0 ]
                                                              [ 1' 0  0 ] [ a ] = [ 1 ]
                                                              [ m' 0  0 ] [ b ]   [ r ]

(Markowitz, J. Finance 7, 77 (1952); Merton, J. Financial Quantitative Anal. 7, 1851 (1972), for the closed form.) The
system is symmetric and indefinite. It does not depend on r: a whole frontier is as many right-hand sides of one matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError

Floats = NDArray[np.float64]

DAYS = 252
"""Trading days of a year."""


def conditions(covariance: Floats, means: Floats) -> Floats:
    """Return the matrix of the optimality conditions, (assets + 2, assets + 2); C and m scaled to entries of order 1.

    Raises
    ------
    InputError
        All means are equal: then every portfolio has one return, and the last two rows are one.
    """
    if np.ptp(means) <= 1e-12 * np.abs(means).max():
        raise InputError(
            "all assets have the same mean return, so that none can be asked for; give assets that differ"
        )
    assets = len(means)
    matrix = np.zeros((assets + 2, assets + 2))
    matrix[:assets, :assets] = covariance / np.diag(covariance).mean()
    matrix[:assets, assets] = matrix[assets, :assets] = 1.0
    matrix[:assets, assets + 1] = matrix[assets + 1, :assets] = means / np.abs(means).max()
    return matrix


def right_sides(returns: Floats, means: Floats) -> Floats:
    """Return the right-hand sides of wanted returns, (assets + 2, count)."""
    sides = np.zeros((len(means) + 2, len(returns)))
    sides[-2] = 1.0
    sides[-1] = returns / np.abs(means).max()
    return sides


def variances(weights: Floats, covariance: Floats) -> Floats:
    """Return w^T C w of weights (assets, count)."""
    return np.asarray(np.einsum("ik,ij,jk->k", weights, covariance, weights))


def frontier(returns: Floats, covariance: Floats, means: Floats) -> Floats:
    """Return the least variance at each wanted return: (a r^2 - 2 b r + c) / d (Merton 1972, equation 9)."""
    ones = np.ones(len(means))
    with_ones, with_means = np.linalg.solve(covariance, np.stack((ones, means), axis=1)).T
    a, b, c = ones @ with_ones, ones @ with_means, means @ with_means
    return np.asarray((a * returns**2 - 2.0 * b * returns + c) / (a * c - b**2))


def made_market(assets: int, days: int, rng: np.random.Generator) -> Floats:
    """Return daily returns (days, assets) of a market with one factor that all follow, and noise of their own.

    Volatilities of a year from 12 to 40 %, sensitivities to the factor from 0.5 to 1.5, means in proportion to these.
    """
    sensitivity = rng.uniform(0.5, 1.5, assets)
    own = rng.uniform(0.12, 0.4, assets) / np.sqrt(DAYS)
    factor = rng.normal(0.0, 0.16 / np.sqrt(DAYS), days)
    drift = (0.03 + 0.08 * sensitivity + rng.normal(0.0, 0.02, assets)) / DAYS
    return np.asarray(drift + factor[:, None] * sensitivity + own * rng.standard_normal((days, assets)))


def moments(returns: Floats) -> tuple[Floats, Floats]:
    """Return covariance and means of daily returns (days, assets), of a year.

    Raises
    ------
    InputError
        Fewer than two assets, fewer days than assets and one more, or an asset that never moves.
    """
    days, assets = returns.shape
    if assets < 2:
        raise InputError(f"the returns have {assets} asset; a portfolio takes two or more, a column each")
    if days < assets + 2:
        raise InputError(
            f"the returns have {days} days of {assets} assets, and their covariance is singular; give "
            f"{assets + 2} days or more"
        )
    still = np.flatnonzero(np.ptp(returns, axis=0) == 0.0)
    if still.size:
        raise InputError(
            f"asset {still[0]}, counted from 0, never moves, and its variance is 0; leave it out"
        )
    return np.asarray(np.cov(returns.T) * DAYS), np.asarray(returns.mean(axis=0) * DAYS)
