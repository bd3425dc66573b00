"""Spread by cycle and device, memory along cycles, window: against what was put in."""

from __future__ import annotations

import numpy as np
import pytest

from mho.procedures.cells.extraction.switching_statistics import (
    correlation,
    distribution,
    lag_one,
    variance_components,
    window,
)


def drawn(cells: int, cycles: int, cycle: float, device: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, device, (cells, 1)) + rng.normal(0.0, cycle, (cells, cycles))


def test_cycle_and_device_parts_are_found_apart():
    cycle, device = variance_components(drawn(800, 20, 0.1, 0.05))
    assert cycle == pytest.approx(0.1, rel=0.03)
    assert device == pytest.approx(0.05, rel=0.1)


def test_parts_are_found_where_cells_have_unequal_numbers_of_cycles():
    values = drawn(800, 20, 0.1, 0.05)
    values[::2, 8:] = np.nan
    cycle, device = variance_components(values)
    assert cycle == pytest.approx(0.1, rel=0.03)
    assert device == pytest.approx(0.05, rel=0.1)


def test_a_closed_form_of_two_cells_of_two_cycles():
    # Within: each cell 0.5, mean 0.5. Between: means 1 and 5 differ by 4, mean square 16. (16 - 0.5)/2 is left.
    cycle, device = variance_components(np.array([[0.5, 1.5], [4.5, 5.5]]))
    assert cycle**2 == pytest.approx(0.5)
    assert device**2 == pytest.approx((16.0 - 0.5) / 2.0)


def test_what_cycles_explain_is_no_spread_of_devices_and_one_cell_tells_none():
    assert variance_components(np.array([[0.0, 2.0], [2.0, 0.0]]))[1] == 0.0
    assert np.isnan(variance_components(np.array([[0.0, 2.0]]))[1])
    assert np.isnan(variance_components(np.array([[0.0], [1.0]]))).all()


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
