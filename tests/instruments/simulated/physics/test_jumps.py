"""Sums of a cell's jumps: their moments in closed form, their memory, and that they are the same whenever asked for."""

from __future__ import annotations

from dataclasses import replace
from math import exp, gamma

import numpy as np
import pytest
from daily import daily

from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.instruments.simulated.physics.cells.relaxation import NODES, STEP, dose, numbers, sums

RELAXING = CELL_PRESETS["relaxing"]
ONE_WAY = replace(RELAXING, jump_return=0.0)
N = 400_000
NODE = [6, 20, 35, 55]  # from 0.3 of a time constant to years


def node_ages(preset):
    """Ages (s) of the table's nodes."""
    return preset.relaxation_time * np.expm1((STEP * np.arange(NODES)) ** 2)


def cells(count: int = N, seed: int = 1) -> np.ndarray:
    return numbers(np.random.default_rng(seed), (count,))


def at(preset: CellPreset, number: np.ndarray, age: float) -> tuple[np.ndarray, np.ndarray]:
    return sums(preset, number, np.full(number.shape, age, np.float32))


def standing(preset: CellPreset, first: float, then: float) -> float:
    """Mean number of jumps up to dose `first` that still stand at dose `then`."""
    memory, share = preset.jump_memory, preset.jump_return
    gone = share * memory * (exp(-(then - first) / memory) - exp(-then / memory))
    return preset.relaxation_jumps * ((1.0 - share) * first + gone)


def fourth(preset: CellPreset) -> float:
    """Fourth moment of a jump, whose mean square is 1."""
    return gamma(1.0 + 4.0 * preset.jump_tail) / gamma(1.0 + 2.0 * preset.jump_tail) ** 2


def exactly_on(preset: CellPreset, node: int) -> float:
    """Age (s) at which all cells have come to a node and none to the next."""
    return float(node_ages(preset)[node]) * (1.0 + 1e-6)


@pytest.mark.parametrize("preset", daily([RELAXING, ONE_WAY], 1), ids=["half of them undone", "one way"])
@pytest.mark.parametrize("node", NODE)
def test_mean_and_variance_grow_with_the_jumps_that_stand(preset, node):
    age = exactly_on(preset, node)
    count = standing(preset, dose(preset, age), dose(preset, age))
    mean = gamma(1.0 + preset.jump_tail) / gamma(1.0 + 2.0 * preset.jump_tail) ** 0.5
    off = (fourth(preset) / count + 2.0) ** 0.5 / 2**7  # of a variance, relative: 2^14 paths are drawn
    for total in at(preset, cells(), age):
        assert total.var() == pytest.approx(count, rel=4.0 * off)
        assert total.mean() == pytest.approx(mean * count, abs=4.0 * count**0.5 / 2**7)


@pytest.mark.parametrize("node", NODE)
def test_cells_without_a_jump_are_as_many_as_poisson_says(node):
    age = exactly_on(ONE_WAY, node)
    rises, falls = at(ONE_WAY, cells(), age)
    expected = exp(-2.0 * standing(ONE_WAY, dose(ONE_WAY, age), dose(ONE_WAY, age)))
    still = ((rises == 0.0) & (falls == 0.0)).mean()
    assert still == pytest.approx(expected, abs=4.0 * (expected / 2**14) ** 0.5 + 1e-4)


def test_increments_over_different_decades_are_independent_where_no_jump_is_undone():
    number = cells()
    rises = np.array([at(ONE_WAY, number, exactly_on(ONE_WAY, node))[0] for node in (0, *NODE)])
    correlations = np.corrcoef(np.diff(rises, axis=0))[np.triu_indices(len(NODE), 1)]
    assert np.abs(correlations).max() < 5.0 / 2**7


@pytest.mark.parametrize(("first", "then"), [(20, 22), (20, 30), (20, 55), (35, 40)])
def test_what_is_remembered_is_what_still_stands(first, then):
    number, ages = cells(), [exactly_on(RELAXING, node) for node in (first, then)]
    doses = [dose(RELAXING, age) for age in ages]
    one, two = (at(RELAXING, number, age)[0] for age in ages)
    expected = standing(RELAXING, *doses)
    spread = (fourth(RELAXING) * expected + 2.0 * standing(RELAXING, doses[1], doses[1]) ** 2) ** 0.5 / 2**7
    assert np.cov(one, two)[0, 1] == pytest.approx(expected, abs=4.0 * spread)


def test_tails_become_light_as_jumps_add_up():
    number = cells()
    excess = []
    for node in NODE:
        total = at(ONE_WAY, number, exactly_on(ONE_WAY, node))[0]
        excess.append(((total - total.mean()) ** 4).mean() / total.var() ** 2 - 3.0)
    assert excess == sorted(excess, reverse=True)
    age = exactly_on(ONE_WAY, NODE[-1])
    assert excess[-1] == pytest.approx(
        fourth(ONE_WAY) / standing(ONE_WAY, dose(ONE_WAY, age), dose(ONE_WAY, age)), rel=0.5
    )


def test_between_nodes_cells_go_over_one_by_one():
    number, ages = cells(), node_ages(RELAXING)
    before, after = (
        at(RELAXING, number, exactly_on(RELAXING, 30)),
        at(RELAXING, number, exactly_on(RELAXING, 31)),
    )
    root = np.sqrt(np.log1p(ages / RELAXING.relaxation_time))
    middle = RELAXING.relaxation_time * np.expm1((0.75 * root[30] + 0.25 * root[31]) ** 2)
    now = at(RELAXING, number, middle)
    for then, soon, between in zip(before, after, now, strict=True):
        assert np.all((between == then) | (between == soon))
        changed = then != soon
        assert (between[changed] == soon[changed]).mean() == pytest.approx(0.25, abs=0.02)


def test_the_same_cell_at_the_same_age_is_the_same_however_it_is_asked():
    number, age = cells(1000), np.geomspace(1e-4, 1e9, 1000).astype(np.float32)
    rises, falls = sums(RELAXING, number, age)
    again = sums(RELAXING, number[::-1], age[::-1])
    np.testing.assert_array_equal(again[0][::-1], rises)
    np.testing.assert_array_equal(again[1][::-1], falls)
    for k in range(0, 1000, 7):
        assert sums(RELAXING, number[k], age[k]) == (rises[k], falls[k])
    square = sums(RELAXING, number.reshape(10, 100), age.reshape(10, 100))
    np.testing.assert_array_equal(square[0].reshape(-1), rises)


def test_at_first_nothing_has_happened_and_in_the_end_nothing_more_does():
    number = cells(5000)
    assert not any(total.any() for total in at(RELAXING, number, 0.0))
    last = at(RELAXING, number, exactly_on(RELAXING, NODES - 1))
    for total, end in zip(at(RELAXING, number, 1e30), last, strict=True):
        np.testing.assert_array_equal(total, end)


def test_presets_that_differ_a_little_have_paths_that_differ_a_little():
    number = cells(20_000)
    ours = at(RELAXING, number, 1e3)[0]
    near = at(replace(RELAXING, jump_tail=RELAXING.jump_tail * 1.001), number, 1e3)[0]
    assert np.corrcoef(ours, near)[0, 1] > 0.99
