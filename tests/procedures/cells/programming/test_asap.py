"""Write-verify on bare cells, without any instrument: every level of every preset, and cells past saving."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from daily import daily, spread

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Pulse
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.procedures.cells.programming.strategies.literature import Asap
from mho.procedures.cells.programming.strategy import Outcome

LEVELS = load_chip_map("reference").level_scale()
SETTINGS = WriteVerifySettings()
GRADUAL = [one.name for one in CELL_PRESETS.values() if one.law == "gradual"]
STEP = 500e-6  # s between a pulse and its verify read


class Device:
    """A row of cells under write-verify."""

    def __init__(self, preset: CellPreset, count: int, seed: int = 1) -> None:
        self.clock = VirtualClock()
        self.cells = CellArray(1, count, preset, self.clock, np.random.default_rng(seed))
        self.pulses: list[list] = [[] for _ in range(count)]

    def program(
        self, column: int, digit: int, settings: WriteVerifySettings = SETTINGS
    ) -> tuple[float, Asap]:
        state = Asap.towards(
            float(LEVELS.nominal[digit]), float(LEVELS.low[digit]), float(LEVELS.high[digit]), settings
        )
        conductance = self.read(column)
        while not (state.done(conductance) or state.given_up(conductance)):
            pulse = state.next_pulse(conductance)
            self.pulses[column].append(pulse)
            act = self.cells.set if pulse.kind == "set" else self.cells.reset
            act((0, column), pulse.voltage, pulse.width, pulse.gate)
            conductance = self.read(column)
        return conductance, state

    def read(self, column: int) -> float:
        self.clock.advance(STEP)
        return float(self.cells.read((0, column)))


@pytest.mark.parametrize(("preset", "digit"), daily(product(GRADUAL, range(8)), spread(GRADUAL, range(8))))
def test_every_level_is_reached_by_cells_of_every_preset(preset, digit):
    quiet = replace(CELL_PRESETS[preset], stuck_on=0.0, stuck_off=0.0)
    device = Device(quiet, 60)
    outcome = [device.program(column, digit) for column in range(60)]
    verified = [LEVELS.inside(conductance, digit) for conductance, _ in outcome]
    assert np.mean(verified) >= (0.95 if preset == "relaxing" else 1.0)
    assert np.mean([state.pulses for _, state in outcome]) < (30 if preset in ("relaxing", "quiet") else 15)


def test_a_cell_moves_from_any_level_to_any_other():
    device = Device(CELL_PRESETS["pku"], 1)
    for digit in (7, 0, 7, 1, 4, 3, 5, 0, 6, 2):
        conductance, _ = device.program(0, digit)
        assert LEVELS.inside(conductance, digit), digit


def test_a_cell_in_its_window_is_left_alone():
    device = Device(CELL_PRESETS["ideal"], 1)
    device.program(0, 4)
    before = len(device.pulses[0])
    _, state = device.program(0, 4)
    assert state.pulses == 0
    assert len(device.pulses[0]) == before


def test_the_ends_of_the_window_belong_to_it():
    state = Asap.towards(20e-6, 19e-6, 21e-6, WriteVerifySettings(inner=1.0))
    low, high = state.low, state.high
    assert state.done(low)
    assert state.done(high)
    assert not state.done(np.nextafter(low, 0.0))
    assert not state.done(np.nextafter(high, 1.0))
    assert not state.done(float("nan"))


def test_the_inner_part_of_the_window_is_aimed_for():
    state = Asap.towards(10e-6, 8.8e-6, 11.2e-6, SETTINGS)
    assert (state.low, state.high) == (pytest.approx(9.04e-6), pytest.approx(10.96e-6))
    zero = Asap.towards(0.37e-6, -np.inf, 0.6e-6, SETTINGS)
    assert zero.low == -np.inf
    assert zero.done(-1e-9)


@pytest.mark.parametrize("most", [1, 5, 40])
def test_never_more_pulses_than_allowed(most):
    # A read that never settles: the worst a cell can do.
    rng = np.random.default_rng(0)
    state = Asap.towards(20e-6, 18.8e-6, 21.2e-6, SETTINGS.model_copy(update={"max_pulses": most}))
    pulses = []
    conductance = 5e-6
    while not state.given_up(conductance):
        pulses.append(state.next_pulse(conductance))
        conductance = float(rng.choice([5e-6, 19.0e-6 - 1e-6, 22e-6, 50e-6]))
    assert len(pulses) == state.pulses == most
    for pulse in pulses:
        assert SETTINGS.gate_range[0] <= pulse.gate <= max(SETTINGS.gate_range[1], SETTINGS.reset_gate)
        assert 0.0 < pulse.voltage <= SETTINGS.reset_full


def test_the_tail_of_hard_to_form_cells_gets_rising_pulses():
    device = Device(replace(CELL_PRESETS["pku"], forming_voltage=4.05, forming_spread=0.0), 1)
    conductance, _ = device.program(0, 5)
    assert LEVELS.inside(conductance, 5)
    forming = [pulse for pulse in device.pulses[0] if pulse.width == SETTINGS.forming_width]
    assert [pulse.voltage for pulse in forming] == [3.3, 3.5, 3.7, 3.9, 4.1]
    assert {pulse.gate for pulse in forming} == {SETTINGS.forming_gate}
    assert device.pulses[0][: len(forming)] == forming


def test_a_cell_that_only_the_last_forming_pulse_forms_is_programmed():
    device = Device(replace(CELL_PRESETS["pku"], forming_voltage=4.45, forming_spread=0.0), 1)
    conductance, state = device.program(0, 5)
    assert LEVELS.inside(conductance, 5)
    assert state.pulses > len(SETTINGS.forming_voltages)


def test_a_formed_cell_is_never_formed_again_nor_damaged():
    device = Device(CELL_PRESETS["pku"], 100)
    for column in range(100):
        device.program(column, 7)
        first = len(device.pulses[column])
        for digit in (0, 5, 0, 1):
            device.program(column, digit)
        assert device.pulses[column][0].width == SETTINGS.forming_width
        for pulse in device.pulses[column][first:]:
            assert pulse.width == SETTINGS.width
            assert pulse.voltage <= SETTINGS.reset_full
    assert (
        max(pulse.voltage for pulses in device.pulses for pulse in pulses)
        < CELL_PRESETS["pku"].damage_voltage
    )


def test_a_virgin_cell_is_a_zero_as_it_is():
    device = Device(CELL_PRESETS["pku"], 1)
    _, state = device.program(0, 0)
    assert state.pulses == 0


def test_a_cell_that_cannot_be_formed_is_given_up_after_the_last_forming_pulse():
    device = Device(replace(CELL_PRESETS["pku"], forming_voltage=5.0, forming_spread=0.0), 1)
    conductance, state = device.program(0, 3)
    assert state.given_up(conductance)
    assert state.pulses == len(SETTINGS.forming_voltages)
    assert not LEVELS.inside(conductance, 3)


@pytest.mark.parametrize(
    ("fault", "digit"), [("stuck_on", 0), ("stuck_on", 3), ("stuck_off", 1), ("stuck_off", 7)]
)
def test_a_stuck_cell_is_given_up(fault, digit):
    device = Device(replace(CELL_PRESETS["pku"], **{fault: 1.0}), 1)
    conductance, state = device.program(0, digit)
    assert state.given_up(conductance)
    assert 0 < state.pulses <= SETTINGS.max_pulses
    assert not LEVELS.inside(conductance, digit)


@pytest.mark.parametrize("digit", [1, 6])
def test_a_cell_that_the_same_pulses_do_not_move_is_given_up_before(digit):
    device = Device(replace(CELL_PRESETS["pku"], stuck_on=1.0), 1)
    conductance, state = device.program(0, digit, SETTINGS.model_copy(update={"futile": 25}))
    assert state.given_up(conductance)
    assert state.pulses == 25
    assert state.outcome(conductance) == Outcome.STUCK_HIGH


def test_a_formed_cell_that_no_set_raises_is_stuck_low():
    state = Asap.towards(20e-6, 19e-6, 21e-6, SETTINGS.model_copy(update={"futile": 3}))
    state.formed = True
    for _ in range(3):
        assert not state.given_up(1e-6)
        assert state.next_pulse(1e-6).kind == "set"
    assert state.outcome(1e-6) == Outcome.STUCK_LOW


def test_many_cells_are_decided_as_each_by_itself():
    rng = np.random.default_rng(2)
    digits = rng.integers(0, 8, 300)
    windows = LEVELS.nominal[digits], LEVELS.low[digits], LEVELS.high[digits]
    reads = np.abs(LEVELS.nominal[digits] + 4e-6 * rng.standard_normal((40, 300)))
    reads[:9][rng.random((9, 300)) < 0.2] = 1e-9  # as of cells that have to be formed
    reads[rng.random(reads.shape) < 0.1] = 60e-6
    each = [Asap.towards(*map(float, window), SETTINGS) for window in zip(*windows, strict=True)]
    together, which = Asap.towards(*windows, SETTINGS), np.arange(300)
    for read in reads:
        one_by_one = [state.done(g) or state.given_up(g) for state, g in zip(each, read, strict=True)]
        left = ~(together.done(read[which]) | together.given_up(read[which]))
        which, together = which[left], together.of(left)
        each_left = [number for number in which if not one_by_one[number]]
        assert each_left == which.tolist()
        decided = together.next_pulses(read[which])
        expected = [each[number].next_pulses(read[number]) for number in which]
        assert list(zip(*(value.tolist() for value in decided), strict=True)) == [
            tuple(pulse) for pulse in expected
        ]
    assert max(state.pulses for state in each) > 10


def test_the_coarse_set_comes_from_the_measured_curve():
    state = Asap.towards(20e-6, 18.8e-6, 21.2e-6, SETTINGS)
    first = state.next_pulse(0.4e-6)
    assert first.kind == "set"
    assert first.voltage == SETTINGS.set_voltage
    assert first.gate == pytest.approx(
        SETTINGS.set_offset + SETTINGS.coarse_share * 20e-6 / SETTINGS.set_slope
    )


def test_steps_grow_after_a_small_change_and_shrink_after_a_large_one():
    def gates(readings):
        state = Asap.towards(20e-6, 18.8e-6, 21.2e-6, SETTINGS)
        return np.diff([state.next_pulse(reading).gate for reading in readings])

    slow = gates([1e-6, 10e-6, 10.01e-6, 10.02e-6])
    assert slow[0] < slow[1] < slow[2]
    fast = gates([1e-6, 5e-6, 10e-6, 15e-6])
    assert fast[0] > fast[1] > fast[2]


def test_the_steps_of_fine_resets_do_so_by_how_far_the_cell_came_down():
    def voltages(readings):
        state = Asap.towards(20e-6, 18.8e-6, 21.2e-6, SETTINGS)
        return np.diff([state.next_pulse(reading).voltage for reading in readings])

    slow = voltages([35e-6, 34.99e-6, 34.98e-6, 34.97e-6])
    assert slow[0] < slow[1] < slow[2]
    fast = voltages([45e-6, 40e-6, 35e-6, 30e-6])
    assert fast[0] > fast[1] > fast[2]


def test_far_above_the_level_starts_afresh_from_a_full_reset():
    state = Asap.towards(5e-6, 3.8e-6, 6.2e-6, SETTINGS)
    pulse = state.next_pulse(35e-6)
    assert (pulse.kind, pulse.voltage, pulse.gate) == ("reset", SETTINGS.reset_full, SETTINGS.reset_gate)
    gentle = Asap.towards(30e-6, 28.8e-6, 31.2e-6, SETTINGS).next_pulse(32e-6)
    assert gentle.kind == "reset"
    assert gentle.voltage < SETTINGS.reset_full


def test_a_full_reset_leaves_a_formed_cell_formed():
    state = Asap.towards(5e-6, 3.8e-6, 6.2e-6, SETTINGS)
    assert state.next_pulse(1e-9).voltage == SETTINGS.forming_voltages[0]
    for _ in range(3):
        assert state.next_pulse(200e-6) == Pulse(
            "reset", SETTINGS.reset_full, SETTINGS.width, SETTINGS.reset_gate
        )
        raised = state.next_pulse(0.2 * SETTINGS.formed_above)
        assert (raised.voltage, raised.width) == (SETTINGS.set_voltage, SETTINGS.width)


def test_the_largest_pulses_are_those_that_are_checked():
    s = SETTINGS
    sent = []

    class Bench:
        programs = False

        def check_pulse(self, pulse, forming=False):
            sent.append((pulse, forming))

    Asap.check_pulses(Bench(), s)
    assert sent == [
        (Pulse("set", s.set_voltage, s.width, s.gate_range[1]), False),
        (Pulse("reset", max(s.reset_full, s.reset_fine[1]), s.width, s.reset_gate), False),
        (Pulse("set", max(s.forming_voltages), s.forming_width, s.forming_gate), True),
    ]


def test_voltages_and_steps_stay_within_the_settings():
    """A cell that answers nothing is raised, or lowered, by ever larger steps up to the end of the range."""
    for read, kind in ((1e-6, "set"), (30e-6, "reset")):
        state = Asap.towards(20e-6, 19e-6, 21e-6, SETTINGS)
        state.formed = True
        pulses = [state.next_pulse(read) for _ in range(60)]
        assert {pulse.kind for pulse in pulses} == {kind}
        volts = np.array([pulse.gate if kind == "set" else pulse.voltage for pulse in pulses])
        low, high = SETTINGS.gate_range if kind == "set" else SETTINGS.reset_fine
        assert (np.diff(volts) >= 0.0).all(), "steps go towards the window"
        assert low <= volts.min()
        assert volts.max() == high
        first = SETTINGS.gate_step if kind == "set" else SETTINGS.reset_step
        assert np.diff(volts).max() <= 8.0 * first * (1.0 + 1e-9)
