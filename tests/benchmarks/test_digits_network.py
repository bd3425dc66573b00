"""The network whose weights are shipped: what it reads in float64 and on cells, and not without its weights."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._digits_network import TRAINED, UNITS, classes, exact, samples, train, weights
from benchmarks.network import on_cells, run, shuffled

PIXELS, DIGITS = (values[TRAINED:] for values in samples())


def right(layers, count=None):
    return float(np.mean(classes(layers, PIXELS[:count]) == DIGITS[:count]))


def test_the_weights_that_are_shipped_read_digits_and_shuffled_ones_do_not():
    hidden, outputs = weights()
    assert (hidden.shape, outputs.shape) == ((UNITS[1], UNITS[0]), (UNITS[2], UNITS[1]))
    assert right(exact((hidden, outputs))) > 0.93
    assert np.mean([right(exact(shuffled((hidden, outputs), seed))) for seed in range(10)]) < 0.15


def test_cells_read_nearly_what_float64_does():
    meant = classes(exact(weights()), PIXELS)
    unlike = {}
    for preset in ("ideal", "pku", "relaxing"):
        (layers,) = ([classes(one, PIXELS)] for one in on_cells(weights(), [1], preset))
        unlike[preset] = np.mean(layers != meant)
    assert unlike["ideal"] < 0.005
    assert 0.0 < unlike["pku"] < 0.02
    assert unlike["pku"] < unlike["relaxing"] < 0.08


def test_shuffled_weights_on_cells_are_at_chance():
    shares = [right(one, 200) for seed in (1, 2) for one in on_cells(shuffled(weights(), seed), [seed])]
    assert np.mean(shares) < 0.25


@pytest.mark.thorough
def test_training_anew_comes_to_what_is_shipped():
    for mine, shipped in zip(train(), weights(), strict=True):
        assert np.linalg.norm(mine - shipped) < 0.01 * np.linalg.norm(shipped)


@pytest.mark.thorough
def test_a_whole_run_beside_crosssim_or_without_it():
    figures = {one.name: one for one in run(1)}
    usual, relaxing = (figures[f"{kind} cells: read right"] for kind in ("usual", "relaxing"))
    assert usual.peer_name == relaxing.peer_name == "CrossSim"
    assert 92.0 < relaxing.value < usual.value < 94.5
    twice, chips = (
        figures[f"relaxing cells, {what}: read differently"].value for what in ("read twice", "two chips")
    )
    assert twice < 0.5 * chips
    assert abs(figures["usual cells, written by pulses: read right"].value - usual.value) < 1.0
    if usual.peer_value is not None:
        assert abs(usual.value - usual.peer_value) < 1.0
        same = figures["relaxing cells and CrossSim with the same weights: read differently"].value
        assert same < 0.5 * chips
