"""What the instruments of a bench do in their roles, on real ones or on their twins.

Harmless with a chip in its socket: the board connects a source to a cell in one test only, with that source off,
and its own converters, if they are the DAQ, to four cells at 50 mV; no source exceeds 0.1 V, and pulses (0.5 V)
end at open switches.
"""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from mho.errors import LimitError
from mho.instruments import Cell, Pulse
from mho.instruments.bench import check_temperature

LIMIT, RANGE = 1e-5, 1e-5  # A
SMALL = 0.05  # V


@pytest.fixture(params=["smu", "gate"])
def meter(request, bench):
    return getattr(bench.instruments, request.param)


@pytest.fixture
def cell(bench):
    return Cell(tomllib.loads(bench.chip_text)["arrays"][0]["name"], 0, 0)


# --- every instrument ---


def test_each_says_who_it_is_and_how_it_is_set(bench):
    for instrument in bench.instruments.by_name().values():
        assert instrument.identify() == instrument.identify() != ""
        settings = instrument.settings()
        assert settings
        assert all(
            isinstance(name, str) and isinstance(text, str) and text for name, text in settings.items()
        )


def test_each_can_be_made_safe_again_and_again(bench):
    for instrument in bench.instruments.by_name().values():
        for _ in range(3):
            instrument.make_safe()


# --- source-measure units, at open switches ---


def test_a_source_is_off_until_it_is_enabled_and_after_it_is_made_safe(meter):
    assert not meter.output_enabled
    meter.configure(current_limit=LIMIT, current_range=RANGE, nplc=1.0)
    assert not meter.output_enabled
    meter.enable()
    assert meter.output_enabled
    meter.hold(SMALL)
    meter.make_safe()
    assert not meter.output_enabled


def test_a_reading_is_at_its_voltage_and_an_open_switch_carries_nothing(meter):
    meter.configure(current_limit=LIMIT, current_range=RANGE, nplc=1.0)
    meter.enable()
    for volts in (SMALL, -SMALL, 2 * SMALL):
        reading = meter.read(volts)
        assert reading.voltage == pytest.approx(volts, abs=2e-3)
        assert abs(reading.current) < 1e-7
        assert not reading.tripped


def test_a_sweep_returns_its_points_in_order(meter):
    meter.configure(current_limit=LIMIT, current_range=RANGE, nplc=0.1)
    meter.enable()
    levels = [0.0, SMALL, -SMALL, 2 * SMALL]
    readings = meter.sweep(levels, delay=1e-3)
    assert [reading.voltage for reading in readings] == pytest.approx(levels, abs=2e-3)
    assert meter.output_enabled


def test_a_level_beyond_the_instrument_is_refused(meter):
    meter.configure(current_limit=LIMIT, current_range=RANGE, nplc=0.1)
    with pytest.raises(LimitError):
        meter.hold(1e4)
    assert not meter.output_enabled


# --- the pulse generator, into open switches ---


def test_pulses_are_shaped_and_fired(bench):
    pulser = bench.instruments.pulser
    for channel in bench.file.instruments.pulser.channels:
        pulser.configure(channel)
        pulser.shape(channel, voltage=0.5, width=1e-6)
        for _ in range(3):
            pulser.fire(channel)
        pulser.fire(channel, 5)
    pulser.make_safe()
    settings = pulser.settings()
    for channel in bench.file.instruments.pulser.channels:
        assert float(settings[f"ch{channel}_width"]) == pytest.approx(1e-6, rel=0.01)
        assert settings[f"ch{channel}_output_enabled"] == "False"


def test_a_pulse_beyond_the_limits_is_refused_before_anything_is_sent(bench, cell):
    limits = bench.limits.terminals["bit line"]
    for pulse in (
        Pulse("set", 1.01 * limits.voltage, 1e-7, 1.0),
        Pulse("set", 1.0, 1.01 * limits.pulse_width, 1.0),
        Pulse("set", 1.0, 1e-7, 1.01 * bench.limits.terminals["word line"].voltage),
    ):
        with pytest.raises(LimitError):
            bench.pulse(cell, pulse)


# --- the DAQ ---


@pytest.mark.parametrize("samples", [1, 7, 100])
def test_vectors_come_back_in_shape(bench, cell, samples):
    daq = bench.instruments.daq
    if bench.file.instruments.daq.driver == "array_board":  # its converters play into a connected block only
        bench.connect_multiply(cell.array, [0, 1], [0, 1])
    answer = daq.exchange(np.full((samples, min(2, daq.output_count)), SMALL))
    assert answer.shape == (samples, daq.input_count)
    assert np.isfinite(answer).all()


def test_a_vector_beyond_the_limits_is_refused(bench):
    with pytest.raises(LimitError):
        bench.multiply(np.full((1, 1), 1.01 * bench.limits.terminals["vector"].voltage))


# --- the board ---


@pytest.mark.parametrize("mode", ["PROGRAM", "MULTIPLY", "INVERT", "SAFE"])
def test_a_mode_is_read_back(bench, mode):
    bench.instruments.board.set_mode(mode)
    assert bench.instruments.board.mode == mode[: 4 if mode != "INVERT" else 3]


def test_every_path_closes_and_opens(bench, cell):
    board = bench.instruments.board
    board.set_mode("PROGRAM")
    board.select(cell)
    for path in ("READ", "SET", "RESET", "OPEN"):
        board.route(path)
        assert board.path == path[: 3 if path == "RESET" else 4]


# --- the switch matrix, with every source off ---


def test_every_crosspoint_of_every_path_closes_and_opens(bench):
    switch, entry = bench.instruments.switch, bench.file.instruments.switch
    if switch is None:
        pytest.skip("this bench has no switch matrix")
    switch.open_all()
    for crosspoints in entry.crosspoints().values():
        switch.close_paths(sorted(crosspoints))
        assert set(switch.closed()) == crosspoints
        switch.open_paths(sorted(crosspoints))
        assert switch.closed() == ()


# --- the chuck, which is not heated ---


def test_the_chuck_tells_its_temperature_with_its_heater_off(bench):
    chuck, entry = bench.instruments.chuck, bench.file.instruments.chuck
    if chuck is None:
        pytest.skip("this bench has no chuck")
    chuck.make_safe()
    readings = [chuck.temperature() for _ in range(5)]
    assert not chuck.output_enabled
    assert all(4.0 < kelvin < entry.highest for kelvin in readings)
    assert np.ptp(readings) < 1.0
    for kelvin in (entry.lowest - 1.0, entry.highest + 1.0):
        with pytest.raises(LimitError):
            check_temperature(bench, kelvin)
    assert not chuck.output_enabled


# --- all together ---


def test_safe_switches_off_whatever_is_on(bench):
    bench.prepare()
    tools = bench.instruments
    assert tools.smu.output_enabled
    assert tools.gate.output_enabled
    bench.safe()
    assert not tools.smu.output_enabled
    assert not tools.gate.output_enabled
    assert tools.board.mode == "SAFE"
