"""Pulses on cells: SET, RESET, forming, loss and wear against their laws, alone and in blocks."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from repository import ROOT
from scipy.integrate import solve_ivp
from scipy.stats import norm

from mho.errors import BenchError
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.blocks import pieces
from mho.instruments.simulated.physics.cells.cells import FORMED, STUCK_OFF, STUCK_ON, VIRGIN, CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset, cell_preset, parameters
from mho.instruments.simulated.physics.cells.switching import at_least, at_most

ALL = slice(None)
IDEAL, QUIET, PKU, RELAXING = (CELL_PRESETS[n] for n in ("ideal", "quiet", "pku", "relaxing"))
STILL = replace(PKU, relaxation=0.0, drift=0.0)  # pulses of the chip without what follows them


def cells(
    preset: CellPreset, rows: int = 1, columns: int = 1, *, formed: bool = True, seed: int = 1
) -> CellArray:
    array = CellArray(rows, columns, preset, VirtualClock(), np.random.default_rng(seed))
    if formed:
        array.set_cells(ALL, 4.35, 10e-6, 1.6)
        array.reset_cells(ALL, 3.0, 100e-9, 2.8)
    return array


# --- SET ---


@pytest.mark.parametrize("gate", [1.0, 1.4, 1.8])
def test_set_goes_with_the_gate_voltage(gate):
    array = cells(IDEAL)
    before = array.conductance((0, 0))
    array.set((0, 0), 3.0, 100e-9, gate)
    limit = 35e-6 * (gate - 0.8)
    expected = before + (limit - before) * (1.0 - np.exp(-100 / 40))
    assert array.conductance((0, 0)) == pytest.approx(expected, rel=2e-4)


def test_set_saturates_and_never_lowers():
    array = cells(IDEAL)
    for _ in range(20):
        array.set((0, 0), 3.0, 100e-9, 4.0)
    assert array.conductance((0, 0)) == pytest.approx(IDEAL.maximum, rel=2e-4)
    version = array.version
    array.set((0, 0), 3.0, 100e-9, 1.2)
    assert array.conductance((0, 0)) == pytest.approx(IDEAL.maximum, rel=2e-4)
    assert array.version == version


@pytest.mark.parametrize("current", daily([1e-6, 5e-6, 2e-5, 5e-5], 2))
@pytest.mark.parametrize("width", daily([1e-4, 2e-2, 1.0], 2))
@pytest.mark.parametrize("voltage", [1.0, 1.2, 4.0])
def test_a_source_in_its_limit_ends_a_set_as_the_state_equation_says(current, width, voltage):
    """dG/dt = (G_c - G) rate(min(V, I/G)), integrated over the logarithm of the time."""
    array, gate = cells(IDEAL), 2.5
    before, limit = float(array.conductance((0, 0))), 35e-6 * (gate - 0.8)

    def slope(log_time: float, state: np.ndarray) -> list[float]:
        left = min(voltage, current / state[0])
        rate = np.exp(min(left - IDEAL.set_threshold, 0.0) / IDEAL.set_acceleration) / IDEAL.set_time
        return [(limit - state[0]) * rate * np.exp(log_time)]

    solved = solve_ivp(slope, np.log([1e-12, width]), [before], method="LSODA", rtol=1e-8, atol=1e-14)
    array.set((0, 0), voltage, width, gate, current=current)
    assert array.conductance((0, 0)) == pytest.approx(solved.y[0, -1], rel=0.05)


def test_resistance_after_a_limited_set_goes_as_one_over_the_limit():
    ends = []
    for current in (1e-7, 1e-6, 1e-5):
        array = cells(IDEAL, formed=False)
        array.set((0, 0), 4.0, 20e-3, 2.5, current=current)
        ends.append(current / float(array.conductance((0, 0))))
    assert 0.4 < min(ends) <= max(ends) < 0.8  # V over the cell


def test_a_limit_that_nothing_reaches_changes_nothing():
    plain, limited = (cells(PKU, 1, 40) for _ in range(2))
    for column in range(40):
        plain.set((0, column), 3.0, 1e-3, 1.8)
        limited.set((0, column), 3.0, 1e-3, 1.8, current=1.0)
        plain.reset((0, column), 1.4, 1e-3, 2.8)
        limited.reset((0, column), 1.4, 1e-3, 2.8, current=1.0)
    assert np.array_equal(plain.conductance(), limited.conductance())


def test_a_source_in_its_limit_neither_destroys_nor_resets():
    array = cells(IDEAL)
    array.set((0, 0), 3.0, 1e-6, 2.0)
    before = array.conductance((0, 0))
    array.set((0, 0), 4.5, 1e-3, 2.0, current=1e-6)
    array.reset((0, 0), 3.0, 1e-3, 2.8, current=1e-6)
    assert array.status((0, 0)) == FORMED
    assert array.conductance((0, 0)) == before


def test_two_short_set_pulses_do_what_one_long_one_does():
    one, two = cells(IDEAL), cells(IDEAL)
    one.set((0, 0), 3.0, 60e-9, 1.5)
    two.set((0, 0), 3.0, 20e-9, 1.5)
    two.set((0, 0), 3.0, 40e-9, 1.5)
    assert two.conductance((0, 0)) == pytest.approx(one.conductance((0, 0)), rel=2e-4)


def test_below_its_threshold_a_set_slows_down_exponentially():
    growths = []
    for voltage in (1.0, 1.0 - IDEAL.set_acceleration):
        array = cells(IDEAL)
        before = array.conductance((0, 0))
        array.set((0, 0), voltage, 100e-9, 1.5)
        growths.append(array.conductance((0, 0)) - before)
    assert growths[0] / growths[1] == pytest.approx(np.e, rel=0.01)


def test_set_spreads_by_device_and_by_cycle_as_measured():
    array = cells(replace(STILL, deep_reset_loss=0.0), 1, 2000)
    logs = []
    for _ in range(30):
        array.reset_cells(ALL, 3.0, 100e-9, 2.8)
        array.reset_cells(ALL, 3.0, 100e-9, 2.8)
        array.set_cells(ALL, 3.0, 1e-6, 1.3)
        logs.append(np.log10(array.conductance()[0]))
    logs = np.array(logs)
    assert logs.std(axis=0).mean() == pytest.approx(0.056, rel=0.05)
    assert logs.mean(axis=0).std() == pytest.approx(0.061, rel=0.06)


def test_a_small_step_spreads_little():
    array = cells(replace(STILL, set_device_spread=0.0), 1, 4000)
    array.set_cells(ALL, 3.0, 1e-6, 1.5)
    array.set_cells(ALL, 3.0, 1e-6, 1.6)
    before = array.conductance()
    array.set_cells(ALL, 3.0, 1e-6, 1.62)
    assert 0.0 < (array.conductance() - before).std() < 1.5e-6


def test_quiet_cells_land_with_the_published_programming_sigma():
    landing = replace(QUIET, set_cycle_spread=0.0, set_device_spread=0.0, relaxation=0.0, drift=0.0)
    array = cells(landing, 1, 20000)
    limit = 35e-6 * 0.6
    array.set_cells(ALL, 3.0, 10e-6, 1.4)
    sigma = 0.011e-6 + 0.011 * limit
    assert array.conductance().std() == pytest.approx(sigma, rel=0.05)


# --- RESET ---


def test_reset_is_gradual_in_voltage_and_width():
    def drop(voltage, width):
        array = cells(IDEAL)
        array.set((0, 0), 3.0, 1e-6, 1.8)
        before = array.conductance((0, 0))
        array.reset((0, 0), voltage, width, 2.8)
        return np.log(before / array.conductance((0, 0)))

    assert drop(1.1, 100e-9) == pytest.approx(IDEAL.reset_slope * 0.2, rel=1e-4)
    assert drop(1.5, 100e-9) == pytest.approx(IDEAL.reset_slope * 0.6, rel=1e-4)
    assert drop(1.1, 400e-9) == pytest.approx(2 * drop(1.1, 100e-9), rel=1e-4)
    assert drop(0.8, 100e-9) == 0.0


def test_reset_ends_at_the_floor_and_needs_the_gate():
    array = cells(IDEAL)
    array.set((0, 0), 3.0, 1e-6, 1.8)
    high = array.conductance((0, 0))
    array.reset((0, 0), 3.0, 100e-9, 1.4)
    assert array.conductance((0, 0)) == high
    array.reset((0, 0), 3.0, 100e-9, 2.8)
    assert array.conductance((0, 0)) == pytest.approx(IDEAL.floor, rel=2e-4)


def test_strong_reset_fills_the_published_range_of_level_0():
    array = cells(PKU, 1, 5000)
    for _ in range(3):
        array.set_cells(ALL, 3.0, 100e-9, 1.8)
        array.reset_cells(ALL, 3.0, 100e-9, 2.8)
        again = array.conductance() > 0.6e-6
        array.reset_cells((0, np.nonzero(again[0])[0]), 3.0, 100e-9, 2.8)
    low, high = np.quantile(array.conductance(), [0.005, 0.95])
    assert 0.18e-6 < low < 0.26e-6
    assert 0.42e-6 < high < 0.58e-6


def test_a_cell_that_resets_late_has_a_higher_floor():
    array = cells(replace(IDEAL, reset_threshold_spread=0.06, floor_device_spread=0.1), 1, 2000)
    floor = array.conductance()[0]
    array.set_cells(ALL, 3.0, 1e-6, 1.8)
    array.reset_cells(ALL, 1.3, 100e-9, 2.8)
    assert np.corrcoef(floor, array.conductance()[0])[0, 1] > 0.9
    assert np.log(floor).std() == pytest.approx(0.1, rel=0.05)


def test_reset_spread_of_relaxing_cells_is_the_measured_one():
    array = cells(replace(RELAXING, relaxation=0.0, drift=0.0, stuck_on=0.0, stuck_off=0.0), 1, 5000)
    array.set_cells(ALL, 3.0, 1e-6, 1.8)
    before = array.conductance()
    array.reset_cells(ALL, 1.5, 100e-9, 2.8)
    assert np.log(array.conductance() / before).std() == pytest.approx(0.6, abs=0.1)


# --- forming ---


@pytest.mark.parametrize("voltage", [2.9, 3.15, 3.4])
def test_forming_voltages_are_normal(voltage):
    array = cells(PKU, 1, 10000, formed=False)
    array.set_cells(ALL, voltage, 1e-6, 1.6)
    share = (array.status() == FORMED).mean()
    assert share == pytest.approx(norm.cdf((voltage - 3.15) / 0.25), abs=0.015)
    assert array.conductance()[array.status() == VIRGIN] == pytest.approx(PKU.unformed)


def test_forming_needs_more_voltage_at_a_low_gate_and_in_a_short_pulse():
    def formed(voltage, width, gate):
        array = cells(IDEAL, formed=False)
        array.set((0, 0), voltage, width, gate)
        return array.status((0, 0)) == FORMED

    assert formed(3.16, 1e-6, 1.6)
    assert not formed(3.16, 1e-6, 1.4)
    assert formed(3.16 + 0.5 * 0.2, 1e-6, 1.4)
    assert not formed(3.16, 1e-7, 1.6)
    assert formed(3.16 + 0.12, 1e-7, 1.6)
    assert not formed(4.3, 1e-6, 0.7)  # the transistor is off


def test_a_virgin_cell_is_not_reset():
    array = cells(IDEAL, formed=False)
    array.reset((0, 0), 3.0, 100e-9, 2.8)
    assert array.status((0, 0)) == VIRGIN
    assert array.conductance((0, 0)) == pytest.approx(IDEAL.unformed)


# --- loss and wear ---


@pytest.mark.parametrize("pulse", ["set", "reset"])
def test_over_voltage_shorts_a_formed_cell_for_good(pulse):
    array = cells(IDEAL)
    getattr(array, pulse)((0, 0), IDEAL.damage_voltage + 0.01, 100e-9, 2.8)
    assert array.status((0, 0)) == STUCK_ON
    array.reset((0, 0), 3.0, 100e-9, 2.8)
    assert array.conductance((0, 0)) == pytest.approx(IDEAL.maximum)


def test_reset_of_a_deep_cell_may_lose_it():
    array = cells(replace(IDEAL, deep_reset=1e-6, deep_reset_loss=0.02), 100, 100)
    array.set_cells(ALL, 3.0, 1e-6, 1.8)
    array.reset_cells(ALL, 1.0, 100e-9, 2.8)
    assert (array.status() == FORMED).mean() > 0.97  # from LRS nothing is lost (the fixture reset once)
    alive = (array.status() == FORMED).sum()
    array.reset_cells(ALL, 3.0, 100e-9, 2.8)
    array.reset_cells(ALL, 3.0, 100e-9, 2.8)
    lost = alive - (array.status() == FORMED).sum()
    assert lost / alive == pytest.approx(0.02, rel=0.2)
    assert set(np.unique(array.status())) == {FORMED, STUCK_OFF}
    assert array.conductance()[array.status() == STUCK_OFF].max() == pytest.approx(IDEAL.unformed)


def test_stuck_cells_are_as_many_as_the_preset_says_and_stay():
    array = CellArray(500, 500, RELAXING, VirtualClock(), np.random.default_rng(2))
    assert (array.status() == STUCK_ON).mean() == pytest.approx(0.0005, rel=0.3)
    assert (array.status() == STUCK_OFF).mean() == pytest.approx(0.0005, rel=0.3)
    on, off = array.status() == STUCK_ON, array.status() == STUCK_OFF
    array.set_cells(ALL, 4.3, 1e-6, 2.0)
    array.reset_cells(ALL, 3.0, 100e-9, 2.8)
    assert array.conductance()[on] == pytest.approx(RELAXING.maximum)
    assert array.conductance()[off] == pytest.approx(RELAXING.unformed)


def test_a_full_cycle_wears_as_one_and_over_voltage_as_many():
    array = cells(IDEAL, 1, 2)
    gate = 0.8 + IDEAL.maximum / IDEAL.set_slope

    def cycle(voltage):
        before = array.wear()[0, 0]
        array.set_cells(ALL, voltage, 10e-6, gate)
        array.reset_cells(ALL, voltage, 100e-9, 2.8)
        return array.wear()[0, 0] - before

    usual = cycle(3.0)
    assert usual == pytest.approx(1.0 + 2 * IDEAL.wear_idle, rel=0.02)
    assert cycle(3.5) == pytest.approx(usual * np.exp(0.5 / 0.25), rel=0.02)


def test_the_window_closes_with_cycles():
    windows = []
    for cycles in (0, 1e6, 1e7, 1e8):
        array = cells(IDEAL)
        array.age(ALL, cycles)
        array.set((0, 0), 3.0, 10e-6, 4.0)
        top = array.conductance((0, 0))
        for _ in range(3):
            array.reset((0, 0), 3.0, 100e-9, 2.8)
        windows.append(np.log(top / array.conductance((0, 0))))
    assert windows[0] > windows[1] > windows[2] > windows[3]
    assert windows[0] - windows[1] == pytest.approx(np.log(2.0) + np.log(1.25), rel=1e-3)
    assert windows[3] < 0.1


# --- blocks, seeds, errors ---


def test_a_block_is_pulsed_as_its_cells_are_one_by_one():
    gates = np.linspace(1.0, 1.9, 12).reshape(3, 4)
    block, single = cells(IDEAL, 3, 4), cells(IDEAL, 3, 4)
    block.set_cells(ALL, 3.0, 100e-9, gates)
    block.reset_cells((slice(1, 3), slice(None, None, 2)), 1.3, 100e-9, 2.8)
    for r, c in np.ndindex(3, 4):
        single.set((r, c), 3.0, 100e-9, float(gates[r, c]))
        if r >= 1 and c % 2 == 0:
            single.reset((r, c), 1.3, 100e-9, 2.8)
    np.testing.assert_allclose(block.conductance(), single.conductance(), rtol=1e-6)


@pytest.mark.parametrize("rows", [slice(20, 60), np.array([3, 90, 41, 7])], ids=["in a row", "scattered"])
def test_cells_that_were_taken_go_on_by_themselves_until_they_are_put_back(rows):
    preset = replace(RELAXING, rtn_share=0.5)
    clock, own = VirtualClock(), VirtualClock()
    whole = CellArray(100, 1, preset, clock, np.random.default_rng(2))
    whole.set_cells(ALL, 4.5, 1e-6, 2.0)
    whole.read(ALL)
    clock.advance(1.0)
    before, traps, version = whole.conductance().copy(), whole._noise._parts[1], whole.version
    up, untouched = traps._up.copy(), np.setdiff1d(np.arange(100), np.arange(100)[rows])

    own.advance(clock.now)
    some = whole.taken(rows, own, np.random.default_rng(3))
    assert_array_equal(some.conductance(), before[rows])
    assert_array_equal(
        some._noise._parts[1].times[some._noise._parts[1]._slot], traps.times[traps._slot[rows]]
    )
    own.advance(100.0)
    some.reset_cells(ALL, 2.0, 1e-7, 3.0)
    some.read(ALL)
    whole.put(rows, some)
    clock.advance(100.0)

    assert_array_equal(whole.conductance()[rows], some.conductance())
    assert whole.version > version
    assert whole.changed_at == own.now
    assert (whole.conductance()[rows] < 0.5 * before[rows]).mean() > 0.7
    assert_array_equal(whole.wear()[rows], some.wear())
    flicker = whole._noise._parts[0]
    assert_array_equal(flicker._state[:, rows], some._noise._parts[0]._state)
    assert np.all(flicker._time[rows] > flicker._time[untouched].max())
    others = np.setdiff1d(np.arange(len(up)), traps._slot[rows])
    assert_array_equal(traps._up[others], up[others])
    assert_array_equal(traps._up[traps._slot[rows]], some._noise._parts[1]._up[some._noise._parts[1]._slot])


def test_a_large_block_has_the_statistics_of_single_cells():
    block, single = cells(STILL, 64, 512), cells(STILL, 1, 2000, seed=2)
    block.set_cells(ALL, 3.0, 100e-9, 1.4)
    for column in range(2000):
        single.set((0, column), 3.0, 100e-9, 1.4)
    assert block.conductance().mean() == pytest.approx(single.conductance().mean(), rel=0.02)
    assert block.conductance().std() == pytest.approx(single.conductance().std(), rel=0.06)


lines = st.one_of(
    st.slices(40),
    st.lists(st.integers(0, 39), min_size=1, max_size=30, unique=True).map(
        lambda rows: np.array(rows)[:, None]
    ),
)


@given(rows=lines, columns=st.slices(7), size=st.integers(1, 60))
def test_pieces_cover_a_block_once_and_in_order(rows, columns, size):
    array = np.arange(280).reshape(40, 7)
    index = (rows, np.arange(7)[None, columns]) if isinstance(rows, np.ndarray) else (rows, columns)
    expected = array[index]
    found = np.full(expected.shape, -1)
    for piece, part in pieces(index, array.shape, size):
        assert (found[part] == -1).all()
        found[part] = array[piece]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("index", [(2, 3), (np.array([0, 1]), np.array([2, 3])), np.eye(5, dtype=bool), 1])
def test_any_other_index_is_one_piece(index):
    array = np.arange(25).reshape(5, 5)
    ((piece, part),) = pieces(index, (5, 5))
    np.testing.assert_array_equal(np.asarray(array[index])[part], array[piece])


def test_the_same_seed_gives_the_same_cells():
    def run(seed):
        array = cells(RELAXING, 8, 8, seed=seed)
        array.set_cells(ALL, 3.0, 100e-9, 1.5)
        array.set((1, 1), 3.0, 100e-9, 1.7)
        return array.read(ALL)

    np.testing.assert_array_equal(run(3), run(3))
    assert (run(3) != run(4)).any()


@pytest.mark.parametrize(
    ("pulse", "message"),
    [
        ((np.nan, 1e-7, 1.5), "voltage: nan V"),
        ((3.0, 0.0, 1.5), "width above 0 s: 0.0 s"),
        ((3.0, -1e-9, 1.5), "width above 0 s"),
        ((3.0, np.inf, 1.5), "width: inf s"),
        ((3.0, 1e-7, np.inf), "gate: inf V"),
    ],
)
def test_a_bad_pulse_is_refused_with_name_value_and_unit(pulse, message):
    array = cells(IDEAL, 2, 2)
    before = array.conductance()
    for act in (array.set, array.reset):
        with pytest.raises(ValueError, match=message):
            act((0, 0), *pulse)
    for act in (array.set_cells, array.reset_cells):
        with pytest.raises(ValueError, match=message.split(":")[0]):
            act(ALL, *(np.full((2, 2), value) for value in pulse))
    np.testing.assert_array_equal(array.conductance(), before)


@pytest.mark.parametrize("cycles", [-1.0, np.nan])
def test_cells_age_forwards_only(cycles):
    with pytest.raises(ValueError, match="cycles ="):
        cells(IDEAL).age(ALL, cycles)


# --- presets ---


def test_every_number_has_a_unit_and_a_source():
    for parameter in parameters():
        assert parameter.metadata["unit"]
        assert len(parameter.metadata["source"]) >= 3


def test_the_page_shows_the_presets_as_they_are():
    docs = ROOT / "docs"
    specification = importlib.util.spec_from_file_location("make_cell_figures", docs / "make_cell_figures.py")
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    page = (docs / "presets.md").read_text(encoding="utf-8")
    for row in script.parameters():
        assert "| " + " | ".join(row) + " |" in page, "run docs/make_cell_figures.py"


def test_presets_are_known_by_their_names():
    assert [preset.name for preset in CELL_PRESETS.values()] == list(CELL_PRESETS)
    with pytest.raises(BenchError, match="'perfect'; there are ideal, quiet, pku, relaxing"):
        cell_preset("perfect")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"set_time": 0.0}, "set_time = 0 s must lie between"),
        ({"floor": -1e-6}, "floor = -1e-06 S"),
        ({"maximum": np.nan}, "maximum = nan S"),
        ({"stuck_on": 0.6, "stuck_off": 0.6}, r"stuck_on \+ stuck_off = 1.2"),
        (
            {"noise_fastest": 1.0, "noise_slowest": 0.1},
            "noise_fastest = 1 s is longer than noise_slowest = 0.1 s",
        ),
        ({"relaxation_tail": 0.3}, "relaxation_tail = 0.3 1"),
    ],
)
def test_a_preset_refuses_what_cannot_be(change, message):
    with pytest.raises(BenchError, match=message):
        replace(PKU, **change)


# --- one cell's numbers ---

NUMBERS = st.floats(-1e3, 1e3, width=32)


@given(NUMBERS, NUMBERS, st.sampled_from([np.float32, np.float64]), st.booleans())
def test_limits_of_one_number_are_those_of_arrays(value, limit, kind, plain):
    value, limit = kind(value), float(limit) if plain else kind(limit)
    for one, many in ((at_least, np.maximum), (at_most, np.minimum)):
        found, wanted = one(value, limit), many(value, limit)
        assert (type(found), found) == (type(wanted), wanted)


# --- cells that pulses destroy ---


def lost(array: CellArray) -> list[tuple]:
    return [(one.row, one.column, one.cause, one.line, one.voltage) for one in array.losses]


def test_a_formed_cell_above_the_damage_voltage_is_recorded_once_and_a_virgin_one_never():
    array, above = cells(IDEAL, 1, 3), IDEAL.damage_voltage + 0.1
    array._status[0, 2] = VIRGIN
    array.set((0, 0), IDEAL.damage_voltage, 100e-9, 1.0)  # at the voltage itself it lives
    assert lost(array) == []
    array._clock.advance(2.0)
    array.set((0, 0), above, 100e-9, 1.0)
    array.reset((0, 1), above, 100e-9, 2.8)
    array.set((0, 2), above, 10e-9, 0.0)
    array.set((0, 0), above, 100e-9, 1.0)  # it is stuck already
    assert lost(array) == [
        (0, 0, "over-voltage", "bit line", above),
        (0, 1, "over-voltage", "source line", above),
    ]
    assert [one.time for one in array.losses] == [array._clock.now] * 2
    assert_array_equal(array.status(0), [STUCK_ON, STUCK_ON, VIRGIN])


def test_a_virgin_cell_that_a_long_pulse_forms_above_the_damage_voltage_is_lost_by_that_pulse():
    array = cells(IDEAL, formed=False)
    array.set((0, 0), 4.5, 1e-3, 1.6)
    assert lost(array) == [(0, 0, "over-voltage", "bit line", 4.5)]


def test_of_a_block_those_are_recorded_that_had_too_much():
    array = cells(IDEAL, 3, 4)
    volts = np.full((2, 2), 3.0)
    volts[1, 0], volts[0, 1] = 4.5, 4.6
    array.set_cells((np.array([[0], [2]]), np.array([[1, 3]])), volts, 100e-9, 1.0)
    assert lost(array) == [(0, 3, "over-voltage", "bit line", 4.6), (2, 1, "over-voltage", "bit line", 4.5)]


def test_a_cell_that_deep_reset_pulses_open_is_recorded_with_that_cause():
    preset = replace(IDEAL, deep_reset=1.0, deep_reset_loss=1.0 - 1e-9)
    array = cells(preset)
    assert lost(array) == [(0, 0, "deep RESET", "source line", 3.0)]
    assert array.status((0, 0)) == STUCK_OFF


def test_defects_of_the_chip_and_resistors_in_place_of_cells_are_no_losses():
    array = cells(replace(IDEAL, stuck_on=0.3, stuck_off=0.3), 8, 8)
    array.fix((0, 0), 1e-3)
    assert (array.status() >= STUCK_ON).sum() > 10
    assert lost(array) == []


@pytest.mark.parametrize("rows", [slice(1, 4), np.array([3, 0, 2])])
def test_losses_of_cells_that_went_on_by_themselves_come_back_with_their_own_rows(rows):
    array = cells(IDEAL, 4, 1)
    array.set((1, 0), 4.5, 100e-9, 1.0)
    some = array.taken(rows, VirtualClock(), np.random.default_rng(0))
    assert some.losses == []
    some.set((2, 0), 4.5, 100e-9, 1.0)
    array.put(rows, some)
    assert [one.row for one in array.losses] == [1, int(np.arange(4)[rows][2])]
