"""Relaxing cells relax as measured ones did: every statistic in every range at every time, and the probabilities given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import relaxation
from benchmarks.registry import Figure
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

RELAXING = CELL_PRESETS["relaxing"]


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    found = relaxation.compare(RELAXING, 20, np.random.default_rng(2))
    return {figure.name: figure for figure in found}


@pytest.fixture(scope="module")
def few() -> dict[str, Figure]:
    """As many replicas as one can wait for every day."""
    found = relaxation.compare(RELAXING, 5, np.random.default_rng(2))
    return {figure.name: figure for figure in found}


@pytest.mark.thorough
def test_every_statistic_in_every_range_at_every_time_is_near_enough(figures):
    asked = [figure for figure in figures.values() if figure.met is not None]
    assert len(asked) == 6 * 5 * 4 + 1
    assert [figure.name for figure in asked if not figure.met] == []
    whole = figures["statistics within what is allowed"]
    assert (whole.value, whole.peer_value) == (120, 120)


@pytest.mark.thorough
def test_cells_that_keep_their_level_are_as_many_though_that_was_not_fitted(few):
    kept = [figure for name, figure in few.items() if name.startswith("cells that keep")]
    assert len(kept) == 5
    for figure in kept:
        assert figure.value == pytest.approx(figure.peer_value, abs=2.0)


@pytest.mark.thorough
def test_relaxation_has_the_memory_of_measured_cells(few):
    times = [figure for name, figure in few.items() if name.startswith("correlation between times")]
    increments = [figure for name, figure in few.items() if name.startswith("correlation of increments")]
    assert len(times) == len(increments) == 10
    assert max(abs(figure.value - figure.peer_value) for figure in times) < 0.15
    assert max(abs(figure.value - figure.peer_value) for figure in increments) < 0.1


@pytest.mark.thorough
def test_another_preset_is_told_apart():
    quiet = list(relaxation.compare(CELL_PRESETS["quiet"], 3, np.random.default_rng(3)))
    met = [figure.met for figure in quiet if figure.met is not None]
    assert sum(met) < 60
    sds = [figure for figure in quiet if figure.name.endswith(": sd")]
    assert max(figure.detail["p"] for figure in sds) < 0.15  # none of 14 replicas or more is as far out


def test_statistics_of_a_known_change():
    changes = np.array([[-3e-6, -1e-6, 0.0, 0.1e-6, 1e-6], [0.0, 0.0, 0.0, 0.0, 5e-6]])
    found = relaxation.statistics(changes)
    np.testing.assert_allclose(found["mean"], [-0.58, 1.0])
    np.testing.assert_allclose(found["sd"], [np.std([-3, -1, 0, 0.1, 1]), 2.0])
    np.testing.assert_allclose(found["robust sd"], [1.4826, 0.0])
    np.testing.assert_allclose(found["still"], [40.0, 80.0])


@pytest.mark.parametrize(("value", "p"), [(50.5, 100 / 101), (0.5, 4 / 101), (-1.0, 2 / 101), (1e9, 2 / 101)])
def test_the_probability_of_being_as_far_out(value, p):
    assert relaxation.tail_probability(np.arange(100.0), value) == pytest.approx(p)


def test_cells_are_programmed_where_they_are_wanted():
    start, changes = relaxation.watch(
        RELAXING, (20e-6, 30e-6), (2, 500), [1e-2, 1.0], np.random.default_rng(1)
    )
    assert start.shape == (2, 500)
    assert changes.shape == (2, 2, 500)
    assert 20e-6 <= start.min() < 21e-6
    assert 29e-6 < start.max() < 30e-6


def test_a_preset_that_does_not_reach_a_level_is_told():
    low = replace(RELAXING, maximum=15e-6)
    with pytest.raises(
        RuntimeError, match=r"could be programmed to 20 to 30 uS: the preset's SET does not reach"
    ):
        relaxation.watch(low, (20e-6, 30e-6), (1, 50), [1.0], np.random.default_rng(1))


def test_the_measured_statistics_say_where_they_are_from():
    source = relaxation.source()
    assert source["repository"] == "akashlevy/RRAM-Relaxation-Master-Model"
    assert len(source["commit"]) == 40
    assert source["licence"] == "MIT"
    rows = relaxation.measured()
    assert len(rows) == 30
    assert {row.count for row in rows if row.low == pytest.approx(20e-6)} == {4242, 4245, 1470}
