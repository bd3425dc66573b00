"""Cells that switch at thresholds: the curve of SET, the ramp, RESET as an autoregression, memory, scaling."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from mho.errors import BenchError
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset, scaled
from mho.instruments.simulated.physics.cells.switching import HeldLevel, ThresholdLaw, largest

STANFORD = CELL_PRESETS["stanford"]
STILL = {
    "stuck_on": 0.0, "stuck_off": 0.0, "deep_reset_loss": 0.0, "relaxation": 0.0, "drift": 0.0,
    "read_noise": 0.0, "rtn_share": 0.0, "white_noise": 0.0, "wear_top": 0.0, "wear_floor": 0.0,
}  # fmt: skip
EVEN = {
    "gate_spread": 0.0, "gate_cycle_spread": 0.0, "set_device_spread": 0.0, "set_cycle_spread": 0.0,
    "set_threshold_spread": 0.0, "forming_spread": 0.0, "reset_threshold_spread": 0.0,
    "floor_device_spread": 0.0, "reset_cycle_spread": 0.0, "reset_drop_spread": 0.0, "cycle_memory": 0.0,
}  # fmt: skip
WIDTH = 100e-9  # s
GATE = 2.3  # V, of a SET a little above the threshold


def cells_of(preset: CellPreset, count: int, seed: int = 1) -> CellArray:
    cells = CellArray(count, 1, preset, VirtualClock(), np.random.default_rng(seed))
    cells.set_cells(slice(None), 4.3, 1e-6, 2.0)
    return cells


def limit(preset: CellPreset, gate: float, width: float = WIDTH) -> float:
    return float(ThresholdLaw(preset).compliance(gate, 2.0, width, 1.0, 0.0, 0.0, np.float64(0.0)))


def test_a_set_is_linear_above_its_threshold_and_saturates():
    on = STANFORD.gate_threshold + STANFORD.gate_rise - 2.0 * STANFORD.gate_bit_line
    assert limit(STANFORD, on - 0.01) == 0.0
    assert limit(STANFORD, on + 0.1) == pytest.approx(STANFORD.set_slope * 0.1, rel=1e-3)
    above = [limit(STANFORD, gate) for gate in (3.4, 3.9)]
    assert above[1] - above[0] == pytest.approx(0.5 * STANFORD.maximum_slope, rel=1e-2)
    assert above[0] == pytest.approx(STANFORD.maximum + STANFORD.maximum_slope * (3.4 - on), rel=1e-2)


def test_a_longer_pulse_needs_less_gate():
    gates = [np.interp(50e-6, [limit(STANFORD, g, w) for g in GATES], GATES) for w in (1e-7, 2e-7, 1e-6)]
    rise, power = STANFORD.gate_rise, STANFORD.gate_power
    assert gates[0] - gates[1] == pytest.approx(rise * (1 - 0.5**power), abs=0.02)
    assert gates[0] - gates[2] == pytest.approx(rise * (1 - 0.1**power), abs=0.02)


GATES = np.linspace(1.4, 3.0, 161)


def test_a_ramp_of_small_steps_ends_higher_than_one_pulse():
    preset = replace(STANFORD, **STILL)
    single, ramped = cells_of(preset, 3000), cells_of(preset, 3000)
    for cells in (single, ramped):
        cells.reset_cells(slice(None), 2.4, 1e-6, 4.0)
    single.set_cells(slice(None), 2.0, WIDTH, 2.45)
    for gate in np.arange(2.2, 2.4501, 0.01):
        ramped.set_cells(slice(None), 2.0, WIDTH, gate)
    one, many = np.median(single.conductance()), np.median(ramped.conductance())
    assert many > one + 0.3 * STANFORD.set_slope * STANFORD.gate_cycle_spread


def test_a_set_never_lowers_a_cell():
    cells = cells_of(replace(STANFORD, **STILL), 2000)
    before = cells.conductance()
    cells.set_cells(slice(None), 2.0, WIDTH, 2.3)
    assert (cells.conductance() >= before - 1e-12).all()


def test_no_reset_arrives_beyond_the_source_follower():
    preset = replace(STANFORD, **STILL)
    cells = cells_of(preset, 500)
    cells.set_cells(slice(None), 2.0, WIDTH, 3.5)
    before = cells.conductance()
    cells.reset_cells(slice(None), 3.0, WIDTH, preset.reset_gate + 0.3)
    assert np.array_equal(cells.conductance(), before)
    cells.reset_cells(slice(None), 3.0, WIDTH, 4.0)
    assert np.median(cells.conductance()) < 0.2 * np.median(before)


def test_repeated_resets_are_an_autoregression_about_the_floor():
    changed = {"reset_cycle_spread": 0.4, "reset_rise": 0.0, "reset_reach": 1.0}
    preset = replace(STANFORD, **STILL | EVEN | changed)
    cells = cells_of(preset, 20_000)
    seen = []
    for _ in range(40):
        cells.reset_cells(slice(None), 2.4, WIDTH, 4.0)
        seen.append(np.log(cells.conductance().ravel()))
    assert np.mean(seen[-1]) == pytest.approx(np.log(preset.floor), abs=0.02)
    assert np.std(seen[-1]) == pytest.approx(0.4, abs=0.02)
    kept = np.exp(-(2.4 - preset.reset_threshold))
    assert np.corrcoef(seen[-1], seen[-2])[0, 1] == pytest.approx(kept, abs=0.02)


def test_a_reset_ends_where_its_voltage_says():
    preset = replace(STANFORD, **STILL | EVEN | {"reset_rise": 0.0})
    cells = cells_of(preset, 10)
    for voltage in (1.6, 1.8, 2.0):
        cells.reset_cells(slice(None), voltage, 1e-3, 4.0)
        end = preset.reset_top * np.exp(-preset.reset_slope * (voltage - preset.reset_threshold))
        assert cells.conductance() == pytest.approx(end, rel=1e-3)


def test_a_weaker_reset_does_not_bring_a_cell_back_up():
    cells = cells_of(replace(STANFORD, **STILL), 2000)
    cells.set_cells(slice(None), 2.0, WIDTH, 3.5)
    cells.reset_cells(slice(None), 2.2, 1e-3, 4.0)
    before = np.median(cells.conductance())
    for voltage in np.arange(2.15, 1.3, -0.05):  # the way back of a sweep
        cells.reset_cells(slice(None), voltage, 1e-3, 4.0)
    assert np.median(cells.conductance()) < 1.2 * before


def test_many_resets_at_once_are_distributed_as_one_after_the_other():
    preset = replace(STANFORD, **STILL | EVEN | {"reset_cycle_spread": 0.489})
    each, once = cells_of(preset, 800), cells_of(preset, 800)
    for _ in range(30):
        each.reset_cells(slice(None), 2.4, WIDTH, 4.0)
    for row in range(800):
        once.reset((row, 0), 2.4, WIDTH, 4.0, times=30)
    logs = [np.log(cells.conductance().ravel()) for cells in (each, once)]
    assert np.mean(logs[0]) == pytest.approx(np.mean(logs[1]), abs=0.1)
    assert np.std(logs[0]) == pytest.approx(np.std(logs[1]), rel=0.1)


@pytest.mark.parametrize("memory", [0.0, 0.3])
def test_many_sets_at_once_end_with_the_largest_of_their_draws(memory):
    preset = replace(STANFORD, **STILL | EVEN | {"gate_cycle_spread": 0.05, "cycle_memory": memory})
    each, once = cells_of(preset, 1500), cells_of(preset, 1500, seed=2)
    for cells in (each, once):
        cells.reset_cells(slice(None), 2.4, 1e-3, 4.0)
    for _ in range(20):
        each.set_cells(slice(None), 2.0, WIDTH, GATE)
    for row in range(1500):
        once.set((row, 0), 2.0, WIDTH, GATE, times=20)
    means = [cells.conductance().mean() for cells in (each, once)]
    alone = cells_of(preset, 1500)
    alone.reset_cells(slice(None), 2.4, 1e-3, 4.0)
    alone.set_cells(slice(None), 2.0, WIDTH, GATE)
    assert means[1] == pytest.approx(means[0], rel=0.05)
    assert means[1] > 1.2 * alone.conductance().mean()


def test_the_largest_of_many_draws_is_distributed_as_that():
    rng, like = np.random.default_rng(4), np.zeros(4000, np.float32)
    drawn = largest(rng, like, 9)
    wanted = rng.standard_normal((9, 4000)).max(axis=0)
    assert kstest(drawn, wanted).pvalue > 1e-3
    assert np.array_equal(
        largest(np.random.default_rng(5), like, 1), np.random.default_rng(5).standard_normal(4000, np.float32)
    )


def test_a_cell_holds_still_up_to_its_own_threshold():
    cells = cells_of(replace(STANFORD, **STILL), 2000)
    cells.set_cells(slice(None), 2.0, WIDTH, 3.5)
    before = cells.conductance().ravel()
    cells.reset_cells(slice(None), 1.5, WIDTH, 4.0)
    after = cells.conductance().ravel()
    moved = after != before
    assert 0.02 < moved.mean() < 0.5
    assert (after[moved] < before[moved]).mean() > 0.8


def test_a_held_level_does_the_same_however_it_is_divided():
    preset = replace(STANFORD, **STILL)
    whole, parts = cells_of(preset, 500), cells_of(preset, 500)
    for cells in (whole, parts):
        cells.set_cells(slice(None), 2.0, WIDTH, 3.0)
    one, many = HeldLevel(), HeldLevel()
    whole.reset_cells(slice(None), 1.7, 1e-6, 4.0, one)
    for _ in range(10):
        parts.reset_cells(slice(None), 1.7, 1e-7, 4.0, many)
    assert np.median(parts.conductance()) == pytest.approx(np.median(whole.conductance()), rel=0.1)


def test_pulses_remember_a_share_of_their_draw():
    preset = replace(STANFORD, **STILL | {"set_tail": 0.0})
    cells = cells_of(preset, 60)
    seen = []
    for _ in range(800):
        cells.reset_cells(slice(None), 2.3, WIDTH, 4.0)
        cells.set_cells(slice(None), 2.0, WIDTH, 2.45)
        seen.append(cells.conductance().ravel())
    read = np.log(np.array(seen))[200:]  # seven correlation lengths are left
    read -= read.mean(axis=0)
    lag = (read[1:] * read[:-1]).mean() / read.var()
    assert 0.6 * preset.cycle_memory < lag < 1.2 * preset.cycle_memory


def test_a_scaled_preset_does_the_same_on_another_scale():
    factor = 0.175
    small = scaled(STANFORD, "small", factor)
    wide, narrow = (cells_of(replace(preset, **STILL), 300, seed=3) for preset in (STANFORD, small))
    for cells in (wide, narrow):
        cells.reset_cells(slice(None), 2.2, WIDTH, 4.0)
        cells.set_cells(slice(None), 2.0, WIDTH, 2.5)
    formed = wide.conductance() > 1e-6
    assert narrow.conductance()[formed] == pytest.approx(factor * wide.conductance()[formed], rel=1e-3)


def test_an_unknown_law_is_refused():
    with pytest.raises(BenchError, match="law = 'magic' must be one of gradual, threshold"):
        replace(STANFORD, law="magic")
