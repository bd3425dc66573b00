"""Cells that nobody touches: relaxation, drift, retention and read disturb against their laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kurtosis

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.instruments.simulated.physics.cells.relaxation import BOLTZMANN, ROOM, ThermalHistory, heavy_tailed

ALL = slice(None)
IDEAL, QUIET, PKU, RELAXING = (CELL_PRESETS[n] for n in ("ideal", "quiet", "pku", "relaxing"))
DAY = 86400.0


def programmed(
    preset: CellPreset, count: int = 20000, level: float = 15e-6
) -> tuple[CellArray, VirtualClock]:
    """Cells at about `level` (S), programmed at this very moment."""
    clock = VirtualClock()
    clock.advance(1.0)
    still = replace(
        preset,
        set_cycle_spread=0.0, set_device_spread=0.0, forming_spread=0.0, set_threshold_spread=0.0,
        landing=0.0, landing_share=0.0, stuck_on=0.0, stuck_off=0.0,
    )  # fmt: skip
    array = CellArray(1, count, still, clock, np.random.default_rng(5))
    array.set_cells(ALL, 4.3, 10e-6, 0.8 + level / preset.set_slope)
    return array, clock


@pytest.mark.parametrize(("passed", "sd"), [(1.0, 2.3e-6), (DAY, 4.0e-6)])
def test_relaxing_cells_spread_as_measured(passed, sd):
    array, clock = programmed(RELAXING)
    clock.advance(passed)
    assert array.conductance().std() == pytest.approx(sd, rel=0.03)


@pytest.mark.parametrize("passed", [1.0, 60.0, 3600.0, DAY])
def test_quiet_cells_follow_the_published_law(passed):
    array, clock = programmed(QUIET)
    before = array.conductance()
    clock.advance(passed)
    change = array.conductance() - before
    assert change.std() == pytest.approx(1e-6 * (0.41 + 0.042 * np.log(passed)), rel=0.02)
    assert change.mean() == pytest.approx(-0.089e-6 * np.log1p(passed), abs=0.02e-6)


def test_relaxation_is_heavy_tailed_where_it_was_measured_so():
    array, clock = programmed(RELAXING)
    clock.advance(DAY)
    assert kurtosis(array.conductance()[0]) > 1.5
    array, clock = programmed(QUIET)
    clock.advance(DAY)
    assert abs(kurtosis(array.conductance()[0])) < 0.15


@pytest.mark.parametrize("tail", [0.0, 0.05, 0.12])
def test_the_heavy_tailed_draw_has_unit_variance(tail):
    draws = heavy_tailed(np.random.default_rng(0).standard_normal(400_000), tail)
    assert draws.std() == pytest.approx(1.0, rel=0.01)
    expected = 3.0 * (1 - 2 * tail) ** 3 / (1 - 4 * tail) ** 2.5 - 3.0
    assert kurtosis(draws) == pytest.approx(expected, rel=0.25, abs=0.05)


def test_a_day_in_steps_is_a_day_at_once():
    slow, slow_clock = programmed(RELAXING, 100)
    fast, fast_clock = programmed(RELAXING, 100)
    start = slow_clock.now
    for moment in np.geomspace(1e-6, DAY, 200):
        slow_clock.advance(start + moment - slow_clock.now)
        slow.conductance()
        slow.read((0, 3))
    fast_clock.advance(start + DAY - fast_clock.now)
    np.testing.assert_allclose(slow.conductance(), fast.conductance(), rtol=1e-5)


def test_a_pulse_starts_relaxation_anew():
    array, clock = programmed(RELAXING, 5000)
    clock.advance(DAY)
    array.reset_cells(ALL, 3.0, 1e-7, 2.8)
    array.set_cells(ALL, 3.0, 10e-6, 0.8 + 15 / 35)
    assert array.conductance().std() < 0.1e-6
    clock.advance(1.0)
    assert array.conductance().std() == pytest.approx(2.3e-6, rel=0.05)


def test_small_conductances_relax_little_and_stay_positive():
    array, clock = programmed(RELAXING, 2000, level=0.4e-6)
    clock.advance(DAY)
    assert array.conductance().std() < 0.2e-6
    assert array.conductance().min() > 0.99 * RELAXING.unformed


def test_virgin_cells_do_not_change():
    clock = VirtualClock()
    array = CellArray(4, 4, QUIET, clock, np.random.default_rng(1))
    array.temperature = 400.0
    clock.advance(DAY)
    assert array.conductance() == pytest.approx(QUIET.unformed)


# --- retention ---


def test_retention_follows_arrhenius():
    hot = IDEAL.retention_temperature
    for kelvin in (hot, hot + 50.0):
        array, clock = programmed(IDEAL, 1)
        before = array.conductance((0, 0))
        array.temperature = kelvin
        clock.advance(1e6)
        factor = np.exp(2.25 / BOLTZMANN * (1.0 / hot - 1.0 / kelvin))
        lost = -np.log(array.conductance((0, 0)) / before)
        assert lost == pytest.approx(1e6 * factor / IDEAL.retention_time, rel=1e-3)


def test_ten_years_in_a_room_cost_nothing():
    array, clock = programmed(IDEAL, 1)
    before = array.conductance((0, 0))
    clock.advance(3.2e8)
    assert array.conductance((0, 0)) == pytest.approx(before, rel=1e-6)


def test_changing_temperature_is_exact():
    history = ThermalHistory(2.25, 398.15)
    rate = {kelvin: np.exp(2.25 / BOLTZMANN * (1 / 398.15 - 1 / kelvin)) for kelvin in (ROOM, 400.0, 350.0)}
    history.change(10.0, 400.0)
    history.change(30.0, 350.0)
    assert history.effective(5.0) == pytest.approx(5 * rate[ROOM])
    assert history.effective(35.0) == pytest.approx(10 * rate[ROOM] + 20 * rate[400.0] + 5 * rate[350.0])
    times = np.linspace(0.0, 40.0, 9)
    np.testing.assert_allclose(history.effective(times), [history.effective(t) for t in times])


def test_the_order_of_two_bakes_does_not_matter_and_steps_do_not_either():
    def baked(schedule):
        array, clock = programmed(IDEAL, 1)
        for kelvin, seconds in schedule:
            array.temperature = kelvin
            clock.advance(seconds)
        return array.conductance((0, 0))

    once = baked([(440.0, 2e5), (420.0, 1e6)])
    assert baked([(420.0, 1e6), (440.0, 2e5)]) == pytest.approx(once, rel=1e-6)
    assert baked([(440.0, 1e4)] * 20 + [(420.0, 1e6)]) == pytest.approx(once, rel=1e-6)
    assert once < 14e-6


def test_a_bake_before_programming_does_not_count():
    array, clock = programmed(IDEAL, 1)
    array.temperature = 450.0
    clock.advance(1e6)
    array.temperature = ROOM
    array.reset_cells(ALL, 3.0, 1e-7, 2.8)
    array.set_cells(ALL, 3.0, 10e-6, 0.8 + 15 / 35)
    assert array.conductance((0, 0)) == pytest.approx(15e-6, rel=1e-4)


@pytest.mark.parametrize("kelvin", [0.0, -5.0, np.nan, np.inf])
def test_no_temperature_is_refused(kelvin):
    array, _ = programmed(IDEAL, 1)
    with pytest.raises(ValueError, match=r"temperature must be positive and finite: .* K"):
        array.temperature = kelvin
    assert array.temperature == ROOM


# --- read disturb ---


def test_reads_disturb_in_proportion_to_their_number():
    one, _ = programmed(IDEAL, 1)
    many, _ = programmed(IDEAL, 1)
    before = one.conductance((0, 0))
    one.disturb((0, 0), 0.55, 5.0)
    for _ in range(50):
        many.read((0, 0), aperture=0.1, voltage=0.55)
    way = (one.conductance((0, 0)) - before) / (IDEAL.maximum - before)
    assert way == pytest.approx(1.0 - np.exp(-5.0 / 40e-9 * np.exp(-0.65 / 0.03)), rel=1e-3)
    assert many.conductance((0, 0)) == pytest.approx(one.conductance((0, 0)), rel=1e-5)


def test_what_counts_as_a_pulse_is_no_read_disturb():
    array, _ = programmed(IDEAL, 1)
    before = array.conductance((0, 0))
    array.read((0, 0), aperture=1.0, voltage=1.0)
    assert array.conductance((0, 0)) == before


def test_a_million_reads_stay_below_the_noise_and_a_pulse_wipes_them_out():
    array, _ = programmed(PKU, 1)
    before = array.conductance((0, 0))
    array.disturb((0, 0), 0.2, 1e6 * 1e-4)
    assert 0.0 <= array.conductance((0, 0)) - before < PKU.read_noise * before
    array.disturb((0, 0), 0.8, 1.0)
    assert array.conductance((0, 0)) > 50e-6
    array.reset((0, 0), 3.0, 1e-7, 2.8)
    assert array.conductance((0, 0)) < 5e-6


def test_caches_are_told_of_a_disturbance_that_matters():
    array, _ = programmed(IDEAL, 1)
    version = array.version
    array.read((0, 0))
    assert array.version == version
    array.disturb((0, 0), 0.7, 1e-3)
    assert array.version > version


def test_the_other_polarity_and_virgin_cells_are_not_disturbed():
    array, _ = programmed(IDEAL, 1)
    before = array.conductance((0, 0))
    array.disturb((0, 0), -0.7, 10.0)
    assert array.conductance((0, 0)) == before
    virgin = CellArray(1, 1, IDEAL, VirtualClock(), np.random.default_rng(0))
    virgin.disturb((0, 0), 1.0, 10.0)
    assert virgin.conductance((0, 0)) == pytest.approx(IDEAL.unformed)
