"""Training: batches of an epoch, steps of an optimiser, and what the network is worth in between; and the search for
the settings of each optimiser, over grids of one size, by the epochs that they take to the target.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.extensions.applications.training.data.datasets import Split
from mho.extensions.applications.training.network import (
    Weights,
    accuracy,
    cross_entropy,
    forward,
    initial_weights,
)
from mho.extensions.applications.training.optimisers import Adam, Momentum, NaturalGradient, Optimiser

EVALUATIONS = 4  # evaluations in an epoch at most: epochs to a target are known to a quarter


@dataclass(frozen=True)
class Evaluation:
    """What a network is worth at one time; of many networks, arrays (networks,)."""

    epoch: float  # epochs so far
    steps: int  # steps so far
    # training_loss, validation_loss: mean cross-entropy over all samples, nat
    training_loss: Floats
    validation_loss: Floats
    accuracy: Floats  # share of validation samples that are recognised
    seconds: float  # wall time of the steps so far, s, without evaluations


def steps_in_epoch(samples: int, batch: int) -> int:
    """Return how many batches of about `batch` samples an epoch has."""
    return max(1, round(samples / batch))


def train(
    optimiser: Optimiser, weights: Weights, split: Split, rngs: Sequence[np.random.Generator], *, epochs: int,
    batch: int, with_training_loss: bool = True,
) -> Iterator[Evaluation]:  # fmt: skip
    """Train networks, one or many, and yield what they are worth before, and up to four times an epoch.

    `weights` (..., outputs, inputs + 1): with an axis of networks in front where there are several; `rngs`: one a
    network: each draws its own order of the samples anew in every epoch.
    """
    count = len(split.x)
    each = steps_in_epoch(count, batch)
    between = max(1, each // EVALUATIONS)
    seconds, steps = 0.0, 0
    yield _evaluate(weights, split, 0, each, seconds, with_training_loss)
    for _ in range(epochs):
        order = np.stack([rng.permutation(count) for rng in rngs])
        if weights[0].ndim == 2:
            order = order[0]
        for chosen in np.array_split(order, each, axis=-1):
            began = time.perf_counter()
            with np.errstate(over="ignore", invalid="ignore"):  # a rate that is too large ends in infinity
                weights = optimiser.step(weights, split.x[chosen], split.labels[chosen])
            seconds += time.perf_counter() - began
            steps += 1
            if steps % between == 0 or steps % each == 0:
                yield _evaluate(weights, split, steps, each, seconds, with_training_loss)


def starting_weights(sizes: Sequence[int], rngs: Sequence[np.random.Generator]) -> Weights:
    """Return the initial weights of many networks, (networks, outputs, inputs + 1) a layer."""
    drawn = [initial_weights(sizes, rng) for rng in rngs]
    return tuple(np.stack(layer) for layer in zip(*drawn, strict=True))


def epochs_to(target: float, epochs: Floats, losses: Floats) -> Floats:
    """Return the first epoch from which on each loss is not above the target any more; infinity where it is at the end.

    A training that comes to the target and leaves it again has not learned what it was to.

    `epochs` (evaluations,); `losses` (evaluations, ...).
    """
    above = ~(losses <= target)  # NaN is above
    last = len(epochs) - 1 - above[::-1].argmax(axis=0)
    first = np.where(above.any(axis=0), last + 1, 0)
    return np.append(epochs, np.inf)[first]


def quartiles(values: Sequence[float] | Floats) -> NDArray[np.float64]:
    """Return first quartile, median and third quartile, (3,), of values of which some may be infinite.

    Between two values the higher one counts.
    """
    return np.quantile(np.asarray(values, dtype=np.float64), (0.25, 0.5, 0.75), method="higher")


def _evaluate(
    weights: Weights, split: Split, steps: int, each: int, seconds: float, with_training_loss: bool
) -> Evaluation:
    with np.errstate(over="ignore", invalid="ignore"):
        passed = forward(weights, split.validation_x)
        loss = cross_entropy(passed, split.validation_labels)
        of_training = np.full_like(loss, np.nan)
        if with_training_loss:
            of_training = cross_entropy(forward(weights, split.x), split.labels)
        return Evaluation(
            steps / each, steps, of_training, loss, accuracy(passed, split.validation_labels), seconds
        )


Grid = Mapping[str, tuple[float, ...]]

# What is tried of each optimiser: 27 settings each
GRIDS: dict[str, Grid] = {
    "sgd": {"rate": (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0), "momentum": (0.0, 0.5, 0.9)},
    "adam": {"rate": (5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2), "second": (0.9, 0.99, 0.999)},
    "second-order": {"trust": (0.03, 0.1, 0.3), "damping": (0.3, 1.0, 3.0), "momentum": (0.0, 0.5, 0.9)},
}  # fmt: skip
# Names of all settings, in the order in which they are told
SETTINGS = ("rate", "momentum", "second", "trust", "damping")


@dataclass(frozen=True)
class Tried:
    """Settings that were tried."""

    settings: Mapping[str, float]  # values by name
    # Median epochs to the target over the networks of the search; infinity where most did not reach it
    epochs: float
    loss: float  # median of their last validation losses, nat; infinity where they diverged


def optimiser_of(
    kind: str, settings: Mapping[str, Floats], make_natural: Callable[..., NaturalGradient] = NaturalGradient
) -> Optimiser:
    """Return the optimiser of a kind with these settings, which may have one value a network."""
    if kind == "sgd":
        return Momentum(settings["rate"], settings["momentum"])
    if kind == "adam":
        return Adam(settings["rate"], second=settings["second"])
    return make_natural(settings["trust"], settings["damping"], settings["momentum"])


def grid_of(kind: str, fixed: Mapping[str, float]) -> list[dict[str, float]]:
    """Return the settings to try of an optimiser, of which those in `fixed` have one value only."""
    grid = {name: (fixed[name],) if name in fixed else values for name, values in GRIDS[kind].items()}
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def search(
    kind: str, grid: Sequence[Mapping[str, float]], split: Split, sizes: Sequence[int],
    seeds: Sequence[np.random.SeedSequence], *, epochs: int, batch: int, target: float,
    make_natural: Callable[..., NaturalGradient] = NaturalGradient,
) -> list[Tried]:  # fmt: skip
    """Train networks of all settings together, each with the same seeds; return the settings, the best first.

    The fewest median epochs to the target come first, then the smallest last loss.
    """
    rngs = [np.random.default_rng(seed) for _ in grid for seed in seeds]
    settings = {name: np.repeat([one[name] for one in grid], len(seeds)) for name in grid[0]}
    passes = list(
        train(optimiser_of(kind, settings, make_natural), starting_weights(sizes, rngs), split, rngs,
              epochs=epochs, batch=batch, with_training_loss=False),
    )  # fmt: skip
    losses = np.nan_to_num(np.stack([one.validation_loss for one in passes]), nan=np.inf)
    reached = epochs_to(target, np.array([one.epoch for one in passes]), losses)
    by_setting = (len(grid), len(seeds))
    tried = [
        Tried(dict(one), float(quartiles(taken)[1]), float(quartiles(last)[1]))
        for one, taken, last in zip(
            grid, reached.reshape(by_setting), losses[-1].reshape(by_setting), strict=True
        )
    ]
    return sorted(tried, key=lambda one: (one.epochs, one.loss))
