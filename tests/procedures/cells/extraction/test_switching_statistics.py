"""Spread by cycle and device, memory along cycles, window: against what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mho.procedures.cells.extraction.switching_statistics import (
    correlation,
    distribution,
    distribution_with_intervals,
    lag_one,
    mean_squares,
    quantile_interval,
    window,
    window_with_intervals,
)


def drawn(cells: int, cycles: int, cycle: float, device: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, device, (cells, 1)) + rng.normal(0.0, cycle, (cells, cycles))


def test_cycle_and_device_parts_are_found_apart():
    cycle, device = mean_squares(drawn(800, 20, 0.1, 0.05)).deviations
    assert cycle == pytest.approx(0.1, rel=0.03)
    assert device == pytest.approx(0.05, rel=0.1)


def test_parts_are_found_where_cells_have_unequal_numbers_of_cycles():
    values = drawn(800, 20, 0.1, 0.05)
    values[::2, 8:] = np.nan
    cycle, device = mean_squares(values).deviations
    assert cycle == pytest.approx(0.1, rel=0.03)
    assert device == pytest.approx(0.05, rel=0.1)


def test_a_closed_form_of_two_cells_of_two_cycles():
    # Within: each cell 0.5, mean 0.5. Between: means 1 and 5 differ by 4, mean square 16. (16 - 0.5)/2 is left.
    cycle, device = mean_squares(np.array([[0.5, 1.5], [4.5, 5.5]])).deviations
    assert cycle**2 == pytest.approx(0.5)
    assert device**2 == pytest.approx((16.0 - 0.5) / 2.0)


def test_what_cycles_explain_is_no_spread_of_devices_and_one_cell_tells_none():
    assert mean_squares(np.array([[0.0, 2.0], [2.0, 0.0]])).deviations[1] == 0.0
    assert np.isnan(mean_squares(np.array([[0.0, 2.0]])).deviations[1])
    assert np.isnan(mean_squares(np.array([[0.0], [1.0]])).deviations).all()


@pytest.mark.parametrize("memory", [0.0, 0.22, 0.6])
@pytest.mark.parametrize("cycles", [30, 300])
def test_the_memory_from_cycle_to_cycle_is_found_in_short_series_too(memory, cycles):
    rng = np.random.default_rng(2)
    series = np.zeros((400, cycles))
    series[:, 0] = rng.standard_normal(400)
    for number in range(1, cycles):
        fresh = np.sqrt(1.0 - memory**2) * rng.standard_normal(400)
        series[:, number] = memory * series[:, number - 1] + fresh
    assert lag_one(series) == pytest.approx(memory, abs=0.02)


def test_states_that_vary_together_are_told_from_those_that_do_not_whatever_their_devices():
    rng = np.random.default_rng(3)
    device = rng.normal(0.0, 5.0, (100, 1))
    one, other = rng.standard_normal((2, 100, 50))
    assert correlation(one + device, other + device) == pytest.approx(0.0, abs=0.05)
    assert correlation(one + device, 0.6 * one + 0.8 * other) == pytest.approx(0.6, abs=0.03)


def test_a_state_s_numbers_leave_out_what_no_logarithm_has():
    conductance = 10.0 ** drawn(50, 40, 0.1, 0.05) * 2e-5
    conductance[0, 0] = -1e-9
    found = distribution(conductance)
    assert found["median"] == pytest.approx(2e-5, rel=0.05)
    assert found["cycle_deviation"] == pytest.approx(0.1, rel=0.05)
    assert found["robust_deviation"] == pytest.approx(0.1, rel=0.1)


def test_the_window_is_of_medians_and_of_the_worst_cycles():
    states = np.stack([np.full((20, 100), 3e-5), np.full((20, 100), 3e-7)], axis=1)
    states[:, 0, :4] = 1e-6  # 4 %: not within the tail of 5 %
    assert window(states)["worst_window"] == pytest.approx(100.0)
    states[:, 0, :6] = 1e-6
    assert window(states)["worst_window"] == pytest.approx(1e-6 / 3e-7)
    assert window(states)["window"] == pytest.approx(100.0)
    assert np.isnan(list(window(np.empty((0, 2, 5))).values())).all()


READINGS = st.one_of(st.integers(-1, 6).map(float), st.floats(1e-3, 1e3), st.just(np.nan))
TABLES = st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1)).map(
    lambda drawn: 10.0 ** np.random.default_rng(drawn[2]).normal(0.0, 2.0, (drawn[0], 2, drawn[1])).round(1)
) | arrays.arrays(float, st.tuples(st.integers(1, 9), st.just(2), st.integers(1, 4)), elements=READINGS)


@pytest.mark.thorough
@settings(deadline=None)
@given(TABLES)
def test_every_number_lies_within_its_own_interval(states):
    for found in (distribution_with_intervals(states[:, 1]), window_with_intervals(states)):
        for name in (name for name in found if f"{name}_low" in found):
            value, low, high = (found[f"{name}{end}"] for end in ("", "_low", "_high"))
            room = 1e-9 * abs(value or 0.0)  # to logarithms and back
            assert value is not None or (low is None and high is None), name
            assert low is None or low <= value + room, name
            assert high is None or value - room <= high, name


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.95])
def test_equal_values_have_no_other_quantile(share):
    assert quantile_interval(np.full((40, 3), 2.0), share) == (2.0, 2.0)
    assert np.isnan(quantile_interval(np.full((4, 3), 2.0), share)).all()


def test_order_statistics_of_single_readings_are_those_of_the_binomial_law():
    values = np.arange(100.0)[:, None]
    low, high = quantile_interval(values, 0.5)
    assert (low, high) == (pytest.approx(39.5, abs=1.0), pytest.approx(59.5, abs=1.0))


def test_a_tail_has_an_outer_end_from_32_cells_on_whose_cycles_scatter():
    rng = np.random.default_rng(4)
    for cells, cycles, device, known in ((16, 20, 0.0, False), (64, 20, 0.0, True), (64, 20, 1.0, False)):
        values = device * rng.standard_normal((cells, 1)) + 0.1 * rng.standard_normal((cells, cycles))
        for one, outer in ((quantile_interval(values, 0.05), 0), (quantile_interval(values, 0.95), 1)):
            assert np.isfinite(one[outer]) == known
            assert np.isfinite(one[1 - outer])


def test_cells_without_readings_change_nothing():
    states = 10.0 ** np.stack([drawn(40, 10, 0.05, 0.03), drawn(40, 10, 0.2, 0.1, seed=2) - 2.0], axis=1)
    more = np.concatenate([states, np.full((3, 2, 10), np.nan)])
    assert (
        window_with_intervals(more)["worst_window_low"] == window_with_intervals(states)["worst_window_low"]
    )
    median = distribution_with_intervals(more[:, 1])["median_high"]
    assert median == distribution_with_intervals(states[:, 1])["median_high"]
    assert lag_one(np.log10(more[:, 1])) == pytest.approx(lag_one(np.log10(states[:, 1])))
