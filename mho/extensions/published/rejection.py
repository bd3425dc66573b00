"""Is a published convergence curve one of an ensemble's? A Monte Carlo test on the logarithms of its errors.

A curve is told by few numbers: where it begins (log10 of the first error), how fast it falls (the slope of log10 of the
error over the cycles before its floor), and where it ends. If the published curve were drawn as the N curves of an ensemble
are, all N + 1 would be exchangeable, and each of them equally likely the farthest from their common mean. So

    p = share of the N + 1 curves that are as far from the mean as the published one, or farther

is exact at any N, whatever the distribution; the distance is Mahalanobis' of the pooled curves. It cannot be below
1 / (N + 1): 20 chips reject nothing at less than 0.048, and 100 at less than 0.0099. What a test of so many chips would
have seen is found the same way: `detectable`.

Barnard, discussion of Bartlett, J. R. Stat. Soc. B 25, 294 (1963); Vovk, Gammerman and Shafer, Algorithmic Learning in a
Random World (2005), chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from mho.array_types import Floats
from mho.errors import InputError

LEVEL = 0.05  # p at or below which a curve is said to be none of the ensemble's
RIDGE = 1e-9  # of the largest variance, added to all: numbers that do not vary
POWER = 0.5  # share of shifted curves that must be rejected for the shift to count as seen
FACTORS = np.geomspace(1.02, 20.0, 60)  # of the contraction, that `detectable` tries
MOST_TOLD = 200  # curves that are shifted


@dataclass(frozen=True)
class Rejection:
    """How a published curve lies among an ensemble's."""

    p: float  # of the curve as a whole
    least: float  # the smallest p that so many chips allow
    chips: int
    below: Floats  # (cycles,): share of the ensemble's curves below the published one, after each cycle

    @property
    def rejected(self) -> bool:
        """Whether the published curve is none of the ensemble's, at `LEVEL`."""
        return self.p <= LEVEL

    def in_words(self) -> str:
        """Return the verdict, with what the number of chips can tell at all."""
        if self.least > LEVEL:
            return f"not decided: {self.chips} chips cannot reject anything at {LEVEL:g}; give at least {fewest()}"
        verdict = "rejected" if self.rejected else "not rejected"
        return f"{verdict} at {LEVEL:g}, p = {self.p:.2g} of {self.chips} chips"


def fewest() -> int:
    """Return the number of chips from which the test can reject at all."""
    return int(np.ceil(1.0 / LEVEL - 1e-9)) - 1


def curve_numbers(errors: Floats, falling: int, floor: bool) -> Floats:
    """Return what tells curves (..., cycles) apart, (..., 2 or 3): log10 of the first error, slope, log10 of the last.

    `falling`: cycles, from the first, over which the error falls: the slope's; `floor`: whether the last cycle is at
    the floor, so that its error is a number of its own.
    """
    logs = np.log10(errors)
    numbers = [logs[..., 0]]
    if falling > 1:
        cycles = np.arange(falling) - 0.5 * (falling - 1)
        numbers.append(logs[..., :falling] @ cycles / (cycles @ cycles))
    if floor:
        numbers.append(logs[..., -1])
    return np.stack(numbers, axis=-1)


def exchangeable_p(published: Floats, ensemble: Floats) -> float:
    """Return p of one point (d,) among others (N, d), by Mahalanobis' distance from the mean of all N + 1."""
    pooled = np.vstack([published[None], ensemble])
    distances = _distances(pooled)
    return float(np.mean(distances >= distances[0] * (1.0 - 1e-12)))


def reject(
    published: Floats, ensemble: Floats, *, falling: int, floor: bool = False, reading: float = 0.0,
    rng: np.random.Generator,
) -> Rejection:  # fmt: skip
    """Test a published curve (cycles,) against those of an ensemble (N, cycles).

    Parameters
    ----------
    falling, floor
        As `curve_numbers`.
    reading : float
        Relative standard error with which the published curve was read off its figure: the ensemble's are read as badly.

    Raises
    ------
    InputError
        For curves of other lengths, or errors that are not above 0.
    """
    published, ensemble = np.asarray(published, np.float64), np.atleast_2d(np.asarray(ensemble, np.float64))
    if published.ndim != 1 or ensemble.shape[1:] != published.shape or not len(ensemble):
        raise InputError(
            f"a published curve of shape {published.shape} beside curves of shape {ensemble.shape}; give one curve, and at "
            "least one other of as many cycles"
        )
    if not (np.all(published > 0.0) and np.all(ensemble > 0.0)):
        raise InputError(
            "an error of a curve is not above 0, so that it has no logarithm; leave that cycle out"
        )
    read = ensemble * np.exp(reading * rng.standard_normal(ensemble.shape))
    p = exchangeable_p(curve_numbers(published, falling, floor), curve_numbers(read, falling, floor))
    count = len(ensemble)
    return Rejection(p, 1.0 / (count + 1), count, np.mean(read < published, axis=0))


def detectable(ensemble: Floats, *, falling: int, floor: bool = False) -> tuple[float, float] | None:
    """Return the factors of the error a cycle, below and above 1, at which half of the ensemble's own curves are rejected.

    Each curve is taken out, made to fall slower or faster by the factor, and tested against the others. None where so few
    curves reject nothing, or no factor tried does; an infinite or zero factor stands for one side alone.
    """
    numbers = curve_numbers(ensemble, falling, floor)[:MOST_TOLD]
    count = len(numbers)
    if falling < 2 or count < fewest() + 1:
        return None
    sides = [_first_seen(numbers, -np.log10(FACTORS)), _first_seen(numbers, np.log10(FACTORS))]
    if not any(np.isfinite(side) for side in sides):
        return None
    return 1.0 / sides[0], sides[1]


def combined(p: Sequence[float]) -> float:
    """Return Fisher's p of independent tests together."""
    if not len(p):
        raise InputError("no p was given to be combined; give at least one")
    return float(chi2.sf(-2.0 * np.sum(np.log(np.asarray(p, np.float64))), 2 * len(p)))


def _first_seen(numbers: Floats, shifts: Floats) -> float:
    """Return the factor of the first shift of the slope at which the others reject enough curves; infinity if none does."""
    others = [np.delete(numbers, one, axis=0) for one in range(len(numbers))]
    for shift in shifts:
        moved = numbers + np.array([0.0, shift] + [0.0] * (numbers.shape[1] - 2))
        seen = [exchangeable_p(one, rest) <= LEVEL for one, rest in zip(moved, others, strict=True)]
        if np.mean(seen) >= POWER:
            return float(10.0 ** abs(shift))
    return float("inf")


def _distances(points: Floats) -> Floats:
    """Return the squared Mahalanobis distances of points (N, d) from their mean."""
    apart = points - points.mean(axis=0)
    covariance = apart.T @ apart / len(points)
    largest = float(np.max(np.diag(covariance), initial=0.0))
    if largest == 0.0:
        return np.zeros(len(points))
    covariance += RIDGE * largest * np.eye(len(covariance))
    return np.asarray(np.einsum("ij,ij->i", apart, np.linalg.solve(covariance, apart.T).T))
