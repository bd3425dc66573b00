"""Search for the settings of each optimiser, over grids of one size, by the epochs that they take to the target."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.extensions.applications.training.data.datasets import Split
from mho.extensions.applications.training.optimisers import Adam, Momentum, NaturalGradient, Optimiser
from mho.extensions.applications.training.training import epochs_to, quartiles, starting_weights, train

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
