"""What a run of an application shows where 0 is used as 0, and does not show by its default or otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safety_runs import SHORTEST, TRAINING

from mho.extensions.applications import Kalman, Train
from mho.extensions.applications.control.kalman import TrackModel
from mho.extensions.applications.control.portfolio import made_market, moments
from mho.extensions.applications.learning.factorisation import random_factors
from mho.extensions.applications.training.network import cross_entropy, forward, initial_weights
from mho.extensions.applications.wireless.detection import rayleigh
from mho.runs import RunFile

UNCORRELATED = TrackModel(1.0, 3.0, np.array([40.0, 60.0]))


def first_loss_of_seed_0() -> float:
    """Return the loss of the network with which the first training of seed 0 begins."""
    task = Train(**TRAINING, seed=0).check().task
    rng = np.random.default_rng(np.random.SeedSequence(0).spawn(2)[1])
    passed = forward(initial_weights(task.sizes, rng), task.split.validation_x)
    return float(cross_entropy(passed, task.split.validation_labels))


USED_IN_APPLICATIONS: dict[tuple[str, str], Callable[[Any, RunFile], bool]] = {
    ("mimo", "seed"): lambda result, file: np.isclose(
        file.summary["condition"], np.linalg.cond(rayleigh(4, 2, np.random.default_rng(0))) ** 2
    ),
    ("eigenvector", "shift"): lambda result, file: file.summary["shift"] == 0.0,
    ("factorisation", "seed"): lambda result, file: np.array_equal(
        file.map("start"), random_factors(file.map("picture"), 2, np.random.default_rng(0)).product
    ),
    ("kalman", "seed"): lambda result, file: (
        file.table("path")["x"][0] == Kalman(**SHORTEST["kalman"]).check().measured[0, 0, ::2].mean()
    ),
    ("kalman", "shared"): lambda result, file: (
        file.table("steps")["expected_error"][0]
        == pytest.approx(np.sqrt(np.trace(UNCORRELATED.steady_covariance()[:2, :2])))
    ),
    ("kalman", "gap"): lambda result, file: result["gaps"] == 0,
    ("portfolio", "seed"): lambda result, file: np.array_equal(
        file.array("means"), moments(made_market(2, 20, np.random.default_rng(0)))[1]
    ),
    ("powerflow", "seed"): lambda result, file: np.allclose(
        file.array("injections")[1, 1],
        -50e6 * (1.0 + 0.1 * np.random.default_rng(0).standard_normal((3, 1))[1]),
    ),
    ("powerflow", "scenarios"): lambda result, file: file.length("scenarios") == 0,
    ("powerflow", "spread"): lambda result, file: np.ptp(file.array("injections"), axis=1).max() == 0.0,
    ("train", "seed"): lambda result, file: np.isclose(
        file.table("training")["validation_loss"][0], first_loss_of_seed_0()
    ),
    ("train", "moved"): lambda result, file: result.summary["matrices"] > 2,
    ("train", "momentum"): lambda result, file: not file.table("search")["momentum"].any(),
}
