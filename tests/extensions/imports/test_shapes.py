"""Columns of numbers are told apart by their shape."""

from __future__ import annotations

import numpy as np

from mho.extensions.imports import shapes

UP = np.linspace(0.0, 1.0, 21)
LOOP = np.concatenate([UP, UP[::-1][1:], -UP[1:], -UP[::-1][1:]])


def test_a_sweep_moves_in_small_steps():
    assert shapes.is_sweep(LOOP)
    assert shapes.is_sweep(UP)
    assert not shapes.is_sweep(np.tile([0.0, 1.0], 20))
    assert not shapes.is_sweep(np.full(20, 0.2))
    assert shapes.turns(UP) == 0
    assert shapes.turns(LOOP) == 2


def test_a_sweep_repeats_itself_after_its_period():
    period = LOOP[:-1]
    assert shapes.period(np.tile(period, 4)) == len(period)
    assert shapes.period(np.tile(UP, 3)) == len(UP)
    assert shapes.period(LOOP) == len(LOOP)
    noisy = np.tile(UP, 3) + 1e-4 * np.random.default_rng(1).normal(size=63)
    assert shapes.period(noisy) == len(UP)
    fine = np.concatenate([np.linspace(1.0, -1.1, 211), np.linspace(-1.1, 1.0, 211)])
    assert shapes.period(fine) == len(fine)


def test_forming_ends_in_a_jump():
    currents = np.where(UP < 0.9, 1e-9, 1e-4)
    assert shapes.ends_in_jump(UP, currents)
    assert not shapes.ends_in_jump(UP, UP * 1e-6 + 1e-7)
    assert not shapes.ends_in_jump(LOOP, np.where(LOOP > 0.8, 1e-4, 1e-9))


def test_times_are_even_or_grow_by_decades():
    assert shapes.is_even(np.arange(50) * 1e-3)
    assert not shapes.is_even(np.geomspace(1, 1e5, 50))
    assert shapes.grows_by_decades(np.geomspace(1, 1e5, 10))
    assert not shapes.grows_by_decades(np.arange(50.0))


def test_grids_states_and_branches():
    rows, columns = (grid.ravel().astype(float) for grid in np.mgrid[:3, :4])
    assert shapes.fills_a_grid(rows, columns)
    assert not shapes.fills_a_grid(rows[:-1], columns[:-1])
    assert shapes.two_states(np.tile([2e-4, 1e-5], 10))
    assert not shapes.two_states(np.linspace(1e-5, 2e-5, 20))
    assert shapes.rises_and_falls(np.concatenate([UP, UP[::-1]]))
    assert shapes.is_whole(np.array([0.0, 3.0]))
    assert not shapes.is_whole(np.array([0.5]))


def test_a_sweep_whose_first_value_is_missing_has_no_period():
    assert shapes.period(np.array([np.nan, 0.0, 1.0, 0.0, 1.0])) == 5
