"""The strategy `model`: where a SET is aimed, what a cell and a run learn, and that it pays."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from scipy.integrate import quad
from scipy.stats import norm, truncnorm

from mho import open_bench
from mho.chip_maps.chip import load_chip_map, parse_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.cells.programming.strategies.model import Model, Population, best_aim, beyond
from mho.procedures.cells.programming.strategy import SET
from mho.procedures.stream import NullStream

LEVELS = load_chip_map("reference").level_scale()
SETTINGS = WriteVerifySettings(inner=1.0)
WINDOW = 20e-6, 18.8e-6, 21.2e-6  # at 1.371 V, 1.337 to 1.406 V on the straight line of the settings
SLOPE = SETTINGS.set_slope


def test_the_aim_is_the_middle_where_above_and_below_cost_alike_and_lower_where_above_costs_more():
    aim, left = best_aim(1.0, 1.1, 0.05, under=3.0, over=3.0)
    assert aim == pytest.approx(1.05, abs=0.005)
    inside = norm.cdf(1.0) - norm.cdf(-1.0)
    assert left == pytest.approx(1.0 + 3.0 * (1.0 - inside), rel=1e-2)
    lower, more = best_aim(1.0, 1.1, 0.05, under=3.0, over=6.0)
    assert lower < aim - 0.005
    assert more > left


def test_of_many_cells_twenty_of_a_level_are_tried_with_fine_resets_until_as_many_have_shown_what_these_do():
    memory = Population(SETTINGS)
    level = memory.number(*(np.full(100, value) for value in WINDOW))
    able = np.arange(100) % 2 == 0
    assert memory.lowers_finely(level, able).nonzero()[0].tolist() == list(range(40))
    for known in (False, True):  # of 15 and of 30, which count less as they grow old
        memory.saw_resets(level[:15], np.ones(15, np.int64), np.full(15, 1.0))
        assert memory.lowers_finely(level, able).all() == known


def test_an_aim_takes_no_more_pulses_than_any_other():
    low, high, spread, under, over = 1.0, 1.03, 0.04, 4.0, 5.5
    _, left = best_aim(low, high, spread, under, over)
    aims = np.linspace(0.8, 1.2, 4001)
    every = 1.0 + under * norm.cdf((low - aims) / spread) + over * norm.sf((high - aims) / spread)
    assert every.min() <= left <= every.min() * 1.002


def test_nothing_is_too_high_for_a_window_that_is_open_above():
    _, left = best_aim(1.0, np.inf, 0.05, under=3.0, over=3.0)
    assert left == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("excess", [-0.2, 0.0, 0.05, 0.2])
def test_the_moments_beyond_a_bound_are_those_of_a_truncated_normal_distribution(excess):
    mean, variance = beyond(0.05, excess)
    expected = truncnorm(excess / 0.05, np.inf, scale=0.05)
    assert (mean, variance) == (
        pytest.approx(expected.mean(), rel=1e-6),
        pytest.approx(expected.var(), rel=1e-5),
    )
    numeric = quad(lambda v: v * norm.pdf(v, scale=0.05), excess, 1.0)[0] / norm.sf(excess, scale=0.05)
    assert mean == pytest.approx(numeric, rel=1e-4)


def test_a_cell_s_offset_is_filtered_from_where_its_sets_end():
    state = Model.towards(*WINDOW, SETTINGS)
    device, cycle = SETTINGS.device_spread, SETTINGS.cycle_spread
    gate = state.next_pulse(1e-6).gate
    reached = gate - 0.8 - 0.05  # V on the line: this cell needs 50 mV more
    state.next_pulse(reached * SLOPE)
    away = max(0.0, WINDOW[1] / SLOPE - reached)
    noise = cycle**2 + (0.2 * away) ** 2
    assert state.offset == pytest.approx(0.05 * device**2 / (device**2 + noise))
    assert state.doubt < device
    doubt = state.doubt
    state.next_pulse(reached * SLOPE)  # it did not move: its offset is larger than that
    assert state.offset > 0.05 * device**2 / (device**2 + noise)
    assert state.doubt < doubt


@pytest.mark.parametrize(("raised", "still"), [(1.0 + 0.02, False), (1.0199, True)])
def test_a_cell_that_a_set_raised_by_less_than_two_percent_tells_a_bound(raised: float, still: bool):
    state = Model.towards(*WINDOW, SETTINGS)
    state.next_pulse(10e-6)
    state.conclude(10e-6 * raised)
    assert bool(state._unsure > 0.0) is still


def test_the_next_set_of_a_cell_that_answers_late_has_more_gate_voltage():
    late, early = (Model.towards(*WINDOW, SETTINGS) for _ in range(2))
    first = [state.next_pulse(1e-6).gate for state in (late, early)]
    second = late.next_pulse(8e-6).gate, early.next_pulse(18.5e-6).gate
    assert first[0] == first[1]
    assert second[0] > second[1]


def test_a_fine_reset_of_a_cell_is_repeated_as_it_was_and_half_a_step_higher_where_it_did_too_little():
    state = Model.towards(*WINDOW, SETTINGS)
    state.gently = True
    state.next_pulse(1e-6)
    first = state.next_pulse(25e-6)
    assert state.next_pulse(15e-6).kind == "set"
    again, more = state.next_pulse(25e-6), state.next_pulse(24e-6)
    assert [first.kind, again.voltage] == ["reset", first.voltage]
    assert more.voltage == pytest.approx(first.voltage + 0.5 * SETTINGS.reset_step)


def test_pulses_are_expected_of_cells_of_which_two_sets_are_known():
    known = Population(SETTINGS)
    level = known.number(*WINDOW)
    device, cycle = known.device[level], known.cycle[0, level]
    observed = device**2 + cycle**2 * np.eye(2)  # covariance of where two SETs of a cell end
    doubt = device**2 - device**4 * np.linalg.inv(observed).sum()
    spread = np.sqrt(cycle**2 + doubt)
    _, left = best_aim(*known.window(level), spread, known.left[1, level], known.left_above[level])
    assert known.left[0, level] == pytest.approx(left, rel=1e-3)


def simulated(count: int, device: float, cycle: float, seed: int) -> tuple[Population, float]:
    """Program cells on the settings' line, with known spreads (V) among them and from pulse to pulse."""
    rng = np.random.default_rng(seed)
    known = Population(SETTINGS)
    offsets, pulses = 0.03 + device * rng.standard_normal(count), 0
    for offset in offsets:
        state, g = Model.towards(*WINDOW, SETTINGS, known), 1e-6
        while not (state.done(g) or state.given_up(g)):
            kind, _, _, gate = state.next_pulses(g)
            reached = (gate - 0.8 - offset - cycle * rng.standard_normal()) * SLOPE
            g = max(g, reached) if kind == SET else 1e-6
            pulses += 1
        state.conclude(g)
    return known, pulses / count


@pytest.mark.parametrize(("device", "cycle"), [(0.05, 0.02), (0.05, 0.05)])
def test_a_run_learns_the_spreads_of_its_chip(device, cycle):
    known, pulses = simulated(250, device, cycle, 1)
    assert known.cycle[0, 0] == pytest.approx(cycle, rel=0.35)
    assert known.device[0] == pytest.approx(max(device, cycle), rel=0.5)
    assert known.mean[0] == pytest.approx(0.03, abs=0.02)
    assert known.left[0, 0] == pytest.approx(pulses, rel=0.4)


def test_without_a_memory_no_cell_learns_from_another():
    first, second = (Model.towards(*WINDOW, SETTINGS) for _ in range(2))
    before = second.next_pulse(1e-6)
    for read in (1e-6, 5e-6, 9e-6, 30e-6, 1e-6, 40e-6):
        first.next_pulse(read)
    assert Model.towards(*WINDOW, SETTINGS).next_pulse(1e-6) == before


@pytest.mark.parametrize("preset", daily(["pku", "relaxing"], ["pku"]))
def test_it_takes_no_more_pulses_than_write_verify(preset):
    def pulses(strategy: str) -> float:
        taken = []
        for seed in (1, 2):
            with open_bench("arrays", preset=preset, seed=seed) as bench:
                chip = parse_chip_map(bench.chip_text)
                digits = np.random.default_rng(seed).integers(0, 8, (20, 20))
                block = Block(Placement("multiply", np.arange(20), np.arange(20)), digits)
                names = [array.name for array in chip.arrays]
                settings = WriteVerifySettings(strategy=strategy)
                programmer = Programmer(bench, NullStream(), chip.level_scale(), names, settings)
                programmer.program([block])
                assert programmer.failed([block]) <= (0 if preset == "pku" else 4)  # of 400, some relax away
                taken.append(block.pulses.mean())
        return float(np.mean(taken))

    assert pulses("model") < 1.02 * pulses("asap")


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "levels"), [("stanford-arrays", 4), ("stanford35-arrays", 8)])
def test_it_programs_cells_that_switch_at_thresholds_with_the_settings_of_their_chip(name, levels):
    def outcome(strategy: str) -> tuple[float, float]:
        with open_bench(name, seed=3) as bench:
            chip = parse_chip_map(bench.chip_text)
            digits = np.random.default_rng(3).integers(0, levels, (20, 20))
            block = Block(Placement("multiply", np.arange(20), np.arange(20)), digits)
            settings = chip.write_verify.model_copy(update={"strategy": strategy})
            arrays = [array.name for array in chip.arrays]
            programmer = Programmer(bench, NullStream(), chip.level_scale(), arrays, settings)
            programmer.program([block])
            return block.pulses.mean(), programmer.failed([block]) / block.digits.size

    pulses, failed = outcome("model")
    assert failed <= 0.03
    for other in ("ispp", "fppv"):
        assert pulses < 0.8 * outcome(other)[0]
