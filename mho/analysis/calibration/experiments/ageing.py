"""Relaxation, drift and retention, from reads of programmed cells over hours.

    G(t) = (G + w c relaxation s(t) + w drift ln(1 + t/s)) exp(-rate t)
    s(t) = ln(1 + t/relaxation_time)^relaxation_power,    rate = exp(-E/k (1/T - 1/T_ref))/retention_time

with a coefficient c of each cell, of mean 0 and unit variance, and w = 1 above relaxation_full. So the mean tells the drift
and the rate, and the variance of the change between two reads is the square of relaxation and the change of s. 1/f noise
and telegraph noise grow with time as well, but in proportion to the conductance. Times count from programming: without its
age, a run tells the rate only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.experiments.estimates import FEWEST, TAIL, Estimate, mean_of

Floats = NDArray[np.float64]

BOLTZMANN = 8.617333e-5  # eV/K
SURE = 2.5  # standard errors of a rate above 0 from which it counts as seen
DEVIATES = 1.959964
LEVELS = 2.0  # largest over smallest conductance, at least, for relaxation to be told from noise
LEAST_CELLS = 20
DRAWS, ROUNDS = 200, 5


@dataclass(frozen=True)
class Rate:
    """How fast cells lose their conductance at a temperature (K): 1/s, with its standard error."""

    temperature: float
    rate: float
    error: float

    @property
    def seen(self) -> bool:
        """Whether they lose any that the reads show."""
        return self.rate > SURE * self.error


def relaxed(
    ages: Floats, conductance: Floats, base: Mapping[str, float], rng: np.random.Generator
) -> list[Estimate]:
    """Return relaxation and drift of cells read (reads, cells) at `ages` (reads, cells), s since programming.

    Only cells above relaxation_full are used. Relaxation is told from noise by cells of different conductance: it is the
    same for all of them, noise grows with it. Not for presets whose cells relax in jumps.
    """
    high = conductance[0] > base["relaxation_full"]
    start, change = conductance[0, high], conductance[1:, high] - conductance[0, high]
    ages = ages[:, high]
    if base["relaxation_jumps"] or high.sum() < FEWEST or len(change) < 3 or not (ages[0] > 0.0).all():
        return []
    slow = np.log1p(ages[1:]) - np.log1p(ages[0])
    found = [mean_of("drift", (slow * change).sum(axis=0) / (slow * slow).sum(axis=0))]  # of each cell
    spread = np.log1p(ages / base["relaxation_time"]) ** base["relaxation_power"]
    x = (spread[1:] - spread[0]) ** 2
    squares = (change - change.mean(axis=1, keepdims=True)) ** 2 * (change.shape[1] / (change.shape[1] - 1))
    if high.sum() >= LEAST_CELLS and float(np.ptp(np.log(start))) > math.log(LEVELS):
        found.append(_relaxation(x, start, squares, rng))
    return [one for one in found if one is not None]


def _relaxation(x: Floats, start: Floats, squares: Floats, rng: np.random.Generator) -> Estimate | None:
    """Fit squares of changes by R^2 x + n(t) G^2, each (moments, cells); the interval is a bootstrap over cells."""
    cells = squares.shape[1]
    drawn = [np.arange(cells), *rng.integers(0, cells, (DRAWS, cells))]
    values = [_fitted(x[:, some], start[some], squares[:, some]) for some in drawn]
    low, high = np.quantile(values[1:], [TAIL, 1.0 - TAIL])
    if not low > 0.0:
        return None
    value, low, high = (math.sqrt(one) for one in (values[0], float(low), float(high)))
    return Estimate("relaxation", value, min(low, value), max(high, value))


def _fitted(x: Floats, start: Floats, squares: Floats) -> float:
    """Return R^2 by weighted least squares: the variance of a square is in proportion to its own square."""
    noisy = (start / start.max()) ** 2
    shared, own = float(squares.mean()) / max(float(x.mean()), 1e-12), np.zeros(len(x))
    for _ in range(ROUNDS):
        expected = np.maximum(shared * x + own[:, None] * noisy, 1e-2 * squares.mean())
        weight = expected**-2.0
        # The noise of each moment is eliminated, what is left is one equation for what they share.
        nn, nx, xx, ny, xy = (
            (weight * one * other).sum(axis=1)
            for one, other in ((noisy, noisy), (noisy, x), (x, x), (noisy, squares), (x, squares))
        )
        shared = max(float((xy - nx * ny / nn).sum() / (xx - nx * nx / nn).sum()), 0.0)
        own = np.maximum((ny - nx * shared) / nn, 0.0)
    return shared


def rate_of(ages: Floats, conductance: Floats, temperature: float) -> Rate | None:
    """Return the rate at which ln G of cells read (reads, cells) at `ages` (reads, cells) falls beside the drift in ln t.

    None for too few cells or reads.
    """
    known = (conductance > 0.0).all(axis=0)
    ages = np.median(ages, axis=1)
    elapsed = ages - ages[0]
    if known.sum() < FEWEST or len(ages) < 5 or not elapsed[-1] > 0.0:
        return None
    terms = np.stack([np.ones(len(ages)), np.log1p(ages), elapsed / elapsed[-1]], axis=1)
    slopes = -np.linalg.lstsq(terms, np.log(conductance[:, known]), rcond=None)[0][2] / elapsed[-1]
    return Rate(temperature, float(slopes.mean()), float(slopes.std(ddof=1)) / math.sqrt(len(slopes)))


def retention(rates: Sequence[Rate], base: Mapping[str, float]) -> list[Estimate]:
    """Return retention_energy and retention_time from rates that are seen at two temperatures and more; else nothing.

    At one temperature the time follows from the base's energy.
    """
    seen = [one for one in rates if one.seen]
    if not seen:
        return []
    x = np.array([1.0 / one.temperature - 1.0 / base["retention_temperature"] for one in seen]) / BOLTZMANN
    y, error = np.log([one.rate for one in seen]), np.array([one.error / one.rate for one in seen])
    if np.ptp(x) * BOLTZMANN < 1e-5:  # 1/K: one temperature
        middle = float(np.average(y + base["retention_energy"] * x, weights=error**-2.0))
        return [_time(-middle, float((error**-2.0).sum() ** -0.5))]
    design = np.stack([np.ones(len(x)), -x], axis=1) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    level, energy = covariance @ design.T @ (y / error)
    half = DEVIATES * math.sqrt(covariance[1, 1])
    return [
        Estimate("retention_energy", float(energy), float(energy - half), float(energy + half)),
        _time(-float(level), math.sqrt(covariance[0, 0])),
    ]


def _time(log: float, error: float) -> Estimate:
    low, value, high = (math.exp(log + side * DEVIATES * error) for side in (-1.0, 0.0, 1.0))
    return Estimate("retention_time", value, low, high)
