"""Training: batches of an epoch, steps of an optimiser, and what the network is worth in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
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
from mho.extensions.applications.training.optimisers import Optimiser

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
