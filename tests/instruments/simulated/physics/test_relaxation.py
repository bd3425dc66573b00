"""Cells that nobody touches: relaxation, drift, retention and read disturb against their laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kurtosis

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.instruments.simulated.physics.cells.relaxation import (
    BOLTZMANN,
    ROOM,
    ThermalHistory,
    continued,
    heavy_tailed,
    sums,
)

ALL = slice(None)
IDEAL, QUIET, PKU, RELAXING = (CELL_PRESETS[n] for n in ("ideal", "quiet", "pku", "relaxing"))
DAY = 86400.0
N = 20_000


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


def watched(level: float, *times: float) -> list[np.ndarray]:
    """Changes (S) of relaxing cells at `level` (S) by each of `times` (s)."""
    array, clock = programmed(RELAXING, level=level)
    before, start = array.conductance()[0], clock.now
    changes = []
    for time in times:
        clock.advance(start + time - clock.now)
        changes.append(array.conductance()[0] - before)
    return changes


@pytest.mark.parametrize("level", [3e-6, 15e-6, 35e-6])
def test_relaxing_cells_follow_their_jumps(level):
    """The law written out: a sum of rises, and a share lost in falls."""
    array, clock = programmed(RELAXING, 2000, level)
    p, before = RELAXING, array.conductance()[0]
    clock.advance(3600.0)
    rises, falls = sums(p, array._relaxing[0], np.full(2000, 3600.0, np.float32))
    rise = p.relaxation * before / (before + p.relaxation_full) * np.exp(-before / p.rise_fading)
    fall = p.relaxation / p.fall_full * np.exp(-before / p.fall_fading)
    np.testing.assert_allclose(
        array.conductance()[0], (before + rise * rises) * np.exp(-fall * falls), rtol=1e-5
    )


def test_low_cells_rise_and_high_cells_fall():
    means = [watched(level, 1e5)[0].mean() for level in (1e-6, 16e-6, 35e-6)]
    assert means[0] > 0.3e-6
    assert means[1] < -1.2e-6
    assert means[2] < -1.5e-6


def test_most_cells_are_still_at_first_and_few_in_the_end():
    still = [(np.abs(change) < 0.2e-6).mean() for change in watched(16e-6, 1e-2, 1.0, 1e5)]
    assert still[0] > 0.6
    assert still[0] > 2.0 * still[1] > 4.0 * still[2]


def test_what_a_cell_did_at_first_says_little_of_what_it_does_in_the_end():
    """One coefficient a cell would make all of these 1."""
    early, soon, late = watched(16e-6, 0.1, 1.0, 1e5)
    assert 0.3 < np.corrcoef(early, soon)[0, 1] < 0.8
    assert 0.1 < np.corrcoef(early, late)[0, 1] < 0.45
    assert np.corrcoef(soon - early, late - soon)[0, 1] < 0.0


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


def test_a_cell_that_was_postponed_is_as_old_as_its_own_time_says():
    (own, own_clock), (other, other_clock) = programmed(RELAXING, 500), programmed(RELAXING, 500)
    own.postpone(ALL, own_clock.now - 0.5, 0.0, np.full(own.shape, 5.0))
    own_clock.advance(10.0)
    other_clock.advance(5.0)
    np.testing.assert_array_equal(own.conductance(), other.conductance())


def test_further_cells_leave_those_there_were_as_they_are():
    array, clock = programmed(RELAXING, 500)
    clock.advance(100.0)
    before = array.conductance()
    array.extend(2, 1)
    np.testing.assert_array_equal(array.conductance()[:1], before)
    array.set_cells((slice(1, 4), ALL), 4.3, 10e-6, 0.8 + 15 / 35)
    clock.advance(1.0)
    assert array.conductance()[1:].std() == pytest.approx(watched(15e-6, 1.0)[0].std(), rel=0.2)


def test_a_pulse_starts_relaxation_anew():
    array, clock = programmed(RELAXING, 5000)
    clock.advance(DAY)
    array.reset_cells(ALL, 3.0, 1e-7, 2.8)
    array.set_cells(ALL, 3.0, 10e-6, 0.8 + 15 / 35)
    assert array.conductance().std() < 0.1e-6
    clock.advance(1.0)
    assert array.conductance().std() == pytest.approx(watched(15e-6, 1.0)[0].std(), rel=0.1)


def test_small_conductances_relax_little_and_stay_positive():
    """But for the few that rise, as was measured: robust sd 0.73 uS below 2 uS after a day, 3.2 uS at 12 to 20 uS."""
    array, clock = programmed(RELAXING, 2000, level=0.4e-6)
    clock.advance(DAY)
    low, high = array.conductance()[0], 15e-6 + watched(15e-6, DAY)[0]
    assert np.diff(np.quantile(low, [0.25, 0.75])) < 0.3 * np.diff(np.quantile(high, [0.25, 0.75]))
    assert low.min() > 0.99 * RELAXING.unformed


# --- pulses that hardly touch a cell ---


def test_a_pulse_renews_a_cell_in_proportion_to_what_it_moves():
    before = np.full(N, 15e-6, np.float32)
    past = np.full(N, 14e-6, np.float32), np.zeros(N, np.uint32), np.zeros(N)
    for share, expected in ((0.01, 0.2), (0.025, 0.5), (0.06, 1.0)):
        after = before * np.float32(1.0 + share)
        fresh = after, np.ones(N, np.uint32), 7.0
        kept = continued(
            RELAXING,
            lambda g, *_: g * np.float32(15 / 14),
            np.True_,
            before,
            past,
            fresh,
            np.random.default_rng(2),
        )
        anew = np.broadcast_to(kept[1] == 1, (N,))
        assert anew.mean() == pytest.approx(expected, abs=0.02)
        np.testing.assert_allclose(kept[0][anew], after[anew])
        if expected < 1.0:
            np.testing.assert_array_equal(kept[2][anew], 7.0)
            np.testing.assert_array_equal(kept[2][~anew], 0.0)
            np.testing.assert_allclose(kept[0][~anew], after[~anew] * 14 / 15, rtol=1e-6)


def test_a_light_pulse_takes_a_cell_where_it_is_sent_and_leaves_its_relaxation():
    array, clock = programmed(RELAXING, 5000)
    clock.advance(DAY)
    since, before = array._since.copy(), array.conductance()
    array.set_cells(ALL, 3.0, 10e-6, (0.8 + 1.003 * before / 35e-6).astype(np.float32))
    after = array.conductance()
    np.testing.assert_allclose(after[after > before], 1.003 * before[after > before], rtol=2e-4)
    kept = array._since == since
    assert 0.85 < kept.mean() < 0.99
    clock.advance(1.0)  # a second after a day is nothing, after a pulse it is much
    moved = np.abs(array.conductance() - after)
    assert np.quantile(moved[kept], 0.9) < 1e-9 < np.quantile(moved[~kept], 0.5)


def test_a_light_pulse_on_one_cell_is_as_one_on_many():
    array, clock = programmed(RELAXING, 300)
    clock.advance(DAY)
    since, before = array._since.copy(), array.conductance()
    for column in range(300):
        array.set((0, column), 3.0, 10e-6, 0.8 + 1.003 * float(before[0, column]) / 35e-6)
    np.testing.assert_allclose(array.conductance(), 1.003 * before, rtol=2e-4)
    assert 0.85 < (array._since == since).mean() < 0.99


def test_many_light_pulses_renew_as_often_as_one():
    def share(pulses: int) -> float:
        array, clock = programmed(RELAXING, 20000)
        clock.advance(1e-9)
        since = array._since.copy()
        for gate in 0.8 + 15 / 35 * np.linspace(1.0, 1.02, pulses + 1)[1:]:
            array.set_cells(ALL, 3.0, 10e-6, np.float32(gate))
        return float((array._since != since).mean())

    assert share(1) == pytest.approx(0.4, abs=0.02)
    assert share(20) == pytest.approx(1.0 - np.exp(-0.4), abs=0.02)


def test_a_pulse_that_changes_nothing_touches_nothing():
    array, clock = programmed(RELAXING, 1000)
    clock.advance(10.0)
    before = array.conductance()
    array.set_cells(ALL, 0.2, 1e-7, 1.2)
    np.testing.assert_array_equal(array.conductance(), before)


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
