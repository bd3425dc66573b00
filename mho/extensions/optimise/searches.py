"""Searches of the unit cube for the least of a noisy function, a batch of points at a time: which points to try next.

`Evolution` is a differential evolution (Storn and Price, J. Global Optimization 11, 341 (1997)) about the best points so
far. `Bayesian` is the tree-structured Parzen estimator of optuna (Bergstra et al., NIPS 2011), an extra.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from scipy.stats import qmc

from mho.array_types import Floats
from mho.errors import InputError

ELITE = 6  # points from which others are made
AROUND = 0.12  # deviation of the first points about the start
DIFFERENCE = 0.7  # of two points, added to a third
CROSSED = 0.7  # share of the dimensions that are taken from that
LEAST = 0.02  # deviation that is always added, so that a search does not die of alikeness


class SettingsSearch(Protocol):
    """What proposes points and is told what came of them."""

    def ask(self, count: int) -> list[Floats]:
        """Return points to try."""
        ...

    def tell(self, points: Sequence[Floats], values: Sequence[float]) -> None:
        """Take the values of the points that were asked for, in their order; less is better."""
        ...


class Evolution:
    """Half of a batch about the mean of the best points, half by differences of them.

    `start` (dimensions,): tried first.
    """

    def __init__(self, start: Floats, seed: int) -> None:
        self._start, self._rng = start, np.random.default_rng(seed)
        self._sobol = qmc.Sobol(len(start), seed=self._rng)
        self._points: list[Floats] = []
        self._values: list[float] = []

    def ask(self, count: int) -> list[Floats]:
        """Return points to try; the first of the first batch is the start."""
        if not self._points:
            wide = self._sobol.random_base2(int(np.ceil(np.log2(max(count, 2)))))
            near = self._start + AROUND * self._rng.standard_normal(wide.shape)
            mixed = np.where((np.arange(len(wide)) % 3 == 0)[:, None], wide, near)
            return [self._start, *np.clip(mixed, 0.0, 1.0)][:count]
        order = np.argsort(self._values, kind="stable")[:ELITE]
        elite = np.stack([self._points[number] for number in order])
        return [np.clip(self._made(elite, number % 2 == 0), 0.0, 1.0) for number in range(count)]

    def _made(self, elite: Floats, about: bool) -> Floats:
        """Return a point about the mean of the elite, or one made of differences within it."""
        rng, dimensions = self._rng, elite.shape[1]
        noise = LEAST * rng.standard_normal(dimensions)
        if about or len(elite) < 3:
            weights = 1.0 / (1.0 + np.arange(len(elite)))
            mean = weights @ elite / weights.sum()
            return np.asarray(mean + elite.std(axis=0) * rng.standard_normal(dimensions) + noise)
        base, one, other = elite[rng.integers(len(elite))], *elite[rng.permutation(len(elite))[:2]]
        crossed = rng.random(dimensions) < CROSSED
        return np.asarray(base + np.where(crossed, DIFFERENCE * (one - other), 0.0) + noise)

    def tell(self, points: Sequence[Floats], values: Sequence[float]) -> None:
        """Take the values of points; less is better."""
        self._points += points
        self._values += values


class Bayesian:
    """Optuna's multivariate tree-structured Parzen estimator.

    `start` (dimensions,): tried first. Raises `InputError`: where optuna is not installed.
    """

    def __init__(self, start: Floats, seed: int) -> None:
        try:
            import optuna
        except ImportError:
            raise InputError(
                "the search `bayesian` needs optuna: pip install 'mho[optimise]', or leave --search out"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = {
            f"x{number}": optuna.distributions.FloatDistribution(0.0, 1.0) for number in range(len(start))
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # optuna calls what is used here experimental
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=12
            )
        self._study = optuna.create_study(sampler=sampler)
        self._study.enqueue_trial({f"x{number}": float(one) for number, one in enumerate(start)})
        self._trials: list[Any] = []

    def ask(self, count: int) -> list[Floats]:
        """Return points to try; the first of the first batch is the start."""
        self._trials = [self._study.ask(self._space) for _ in range(count)]
        return [np.array([trial.params[name] for name in self._space]) for trial in self._trials]

    def tell(self, points: Sequence[Floats], values: Sequence[float]) -> None:
        """Take the values of the points that were asked for last; less is better."""
        for trial, value in zip(self._trials, values, strict=True):
            self._study.tell(trial, value)


SEARCHES: dict[str, Callable[[Floats, int], SettingsSearch]] = {"evolution": Evolution, "bayesian": Bayesian}
