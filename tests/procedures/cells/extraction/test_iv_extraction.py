"""SET, RESET and states out of loops: of any shape and noise, in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mho.procedures.cells.extraction.iv_extraction import Branches, extract, low_field
from mho.procedures.cells.switching.iv import levels

VOLTS = levels(2.0, -1.6, 0.02)
HRS, LRS, V_SET, V_RESET = 0.4e-6, 35e-6, 0.9, -0.95


def loops(count=1, noise=0.0, seed=0, v_set=V_SET, v_reset=V_RESET, hrs=HRS, lrs=LRS, nonlinear=0.0):
    """Currents of loops that set and reset abruptly, (count, points), A."""
    rng = np.random.default_rng(seed)
    low = np.zeros(len(VOLTS), dtype=bool)
    branches = Branches.of(VOLTS)
    low[: np.argmax(branches.up & (v_set <= VOLTS))] = True
    low[np.argmax(branches.out & (v_reset >= VOLTS)) :] = True
    conductance = np.where(low, hrs * np.cosh(nonlinear * VOLTS), lrs)
    return conductance * VOLTS + noise * rng.standard_normal((count, len(VOLTS)))


def found(currents, limited=None, **given):
    limited = np.zeros(currents.shape, dtype=bool) if limited is None else limited
    return extract(VOLTS, currents, limited, given.get("window", 0.2), given.get("least_change", 2.0))


def test_branches_are_those_of_the_loop():
    branches = Branches.of(VOLTS)
    parts = (branches.up, branches.down, branches.out, branches.back)
    assert sum(map(np.count_nonzero, parts)) == np.count_nonzero(VOLTS)
    assert (VOLTS[branches.up].max(), VOLTS[branches.out].min()) == (2.0, -1.6)
    one_sided = Branches.of(levels(1.0, 0.0, 0.1))
    assert not one_sided.out.any()
    assert not one_sided.back.any()


@pytest.mark.parametrize("noise", [0.0, 2e-9, 20e-9])
def test_voltages_and_states_are_those_of_the_loop(noise):
    loop = found(loops(50, noise))
    np.testing.assert_allclose(loop.v_set, V_SET, atol=0.0201)
    np.testing.assert_allclose(loop.v_reset, V_RESET, atol=0.0201)
    np.testing.assert_allclose(loop.lrs, LRS, rtol=0.01)
    np.testing.assert_allclose(loop.hrs, HRS, rtol=0.01 + 3.0 * noise / 0.2 / HRS)
    np.testing.assert_allclose(np.median(loop.window), LRS / HRS, rtol=0.05)
    np.testing.assert_allclose(loop.peak_current, LRS * 0.94, rtol=0.02)
    np.testing.assert_allclose(loop.peak_voltage, -0.94, atol=0.0201)


def test_spikes_are_no_switching():
    currents = loops(20, 2e-9)
    rng = np.random.default_rng(1)
    up = np.flatnonzero(Branches.of(VOLTS).up)
    for row in currents:
        row[rng.choice(up[5:40], 2, replace=False)] *= 40.0  # before the SET, as high as after it
    np.testing.assert_allclose(found(currents).v_set, V_SET, atol=0.0201)


def test_conduction_that_rises_with_the_voltage_is_no_set():
    """cosh(4 V) rises fourfold to where the cell sets, and a hundredfold to 1.3 V."""
    np.testing.assert_allclose(found(loops(nonlinear=4.0)).v_set, V_SET, atol=0.0201)
    never = found(loops(v_set=3.0, lrs=HRS * 1.5, nonlinear=4.0))
    assert np.isnan(never.v_set).all()


def test_a_gradual_reset_has_the_voltage_of_its_steepest_part():
    branches, currents = Branches.of(VOLTS), loops()
    fall = np.exp(-6.0 / (1.0 + np.exp((VOLTS + 1.1) / 0.05)))
    currents[:, branches.out] = (LRS * fall * VOLTS)[branches.out]
    currents[:, branches.back] = (LRS * math.exp(-6.0) * VOLTS)[branches.back]
    np.testing.assert_allclose(found(currents).v_reset, -1.1, atol=0.05)


def test_a_cell_that_does_not_switch_has_states_and_no_voltages():
    for g in (HRS, LRS):
        loop = found(g * VOLTS[None] + 1e-9 * np.random.default_rng(2).standard_normal((5, len(VOLTS))))
        assert np.isnan(loop.v_set).all()
        assert np.isnan(loop.v_reset).all()
        np.testing.assert_allclose(loop.lrs, g, rtol=0.05)
        np.testing.assert_allclose(loop.window, 1.0, rtol=0.1)


def test_what_counts_as_switching_is_a_factor():
    currents = loops(lrs=2.5 * HRS)
    assert np.isfinite(found(currents, least_change=2.0).v_set).all()
    assert np.isnan(found(currents, least_change=3.0).v_set).all()


def test_compliance_and_overflow_are_high_currents():
    currents = loops()
    limited = currents > 10e-6
    capped = np.minimum(currents, 10e-6)
    loop = found(capped, limited)
    np.testing.assert_allclose(loop.v_set, V_SET, atol=0.0201)
    overflowed = np.where(currents > 40e-6, np.nan, currents)
    np.testing.assert_allclose(found(overflowed).v_set, V_SET, atol=0.0201)


def test_loops_keep_their_shape_and_half_loops_have_what_they_have():
    loop = found(loops(12).reshape(3, 2, 2, -1))
    assert loop.v_set.shape == loop.window.shape == (3, 2, 2)
    up = levels(2.0, 0.0, 0.05)
    conductance = np.where((np.arange(len(up)) < np.argmax(up >= 0.9)), HRS, LRS)
    half = extract(up, (conductance * up)[None], np.zeros((1, len(up)), bool), 0.2, 2.0)
    assert half.v_set[0] == pytest.approx(0.875, abs=0.026)
    assert half.hrs[0] == pytest.approx(HRS)
    assert np.isnan(half.v_reset[0])


def test_low_field_conductance_is_least_squares_through_zero():
    volts = np.array([0.0, 0.1, 0.2, 0.3])
    currents = np.array([[0.0, 1.0, 2.2, 99.0], [0.0, np.nan, 4.0, 99.0]])
    used = np.ones(currents.shape, dtype=bool)
    assert low_field(volts, currents, used, 0.2).tolist() == pytest.approx([0.54 / 0.05, 20.0])
    assert np.isnan(low_field(volts, currents, ~used, 0.2)).all()
