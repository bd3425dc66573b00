"""PyMeasure's and QCoDeS's drivers of the GS200, and QCoDeS's of the B2200, unchanged, with all that works on hardware."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pymeasure.instruments.yokogawa import YokogawaGS200 as PyMeasuresGS200
from qcodes.instrument import Instrument
from qcodes.instrument_drivers.Keysight import KeysightB2201
from qcodes.instrument_drivers.yokogawa import YokogawaGS200
from wired_twins import Resistor, registered

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keysightb2201a import SimulatedKeysightB2201A
from mho.instruments.simulated.yokogawags210 import SimulatedYokogawaGS210

NAME = "third-party-gs200"
SOURCE, MATRIX = "GPIB0::3::INSTR", "GPIB0::22::INSTR"


@pytest.fixture
def rack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Twins of both, the source on 1 kilohm; `errors` keeps the numbers that either queues."""
    clock, rng = VirtualClock(), np.random.default_rng(0)
    load = Resistor(1e-3, clock)
    source = SimulatedYokogawaGS210(clock, rng, load, accuracy=0.0)
    matrix = SimulatedKeysightB2201A(clock, rng, cards=4)
    errors: list[int] = []

    def recording(push: Callable[..., None]) -> Callable[..., None]:
        def pushing(code: int, detail: str = "") -> None:
            errors.append(code)
            push(code, detail)

        return pushing

    for device in (source, matrix):
        monkeypatch.setattr(device, "push_error", recording(device.push_error))
    with registered(NAME, {SOURCE: source, MATRIX: matrix}) as it:
        it.load, it.errors, it.source, it.matrix = load, errors, source, matrix
        yield it
        Instrument.close_all()


# --- the GS200 ---


def test_pymeasures_gs200_finds_what_it_sets_and_ramps(rack):
    with pytest.warns(FutureWarning, match="not known whether this device support SCPI"):
        yoko = PyMeasuresGS200(SOURCE, visa_library=f"{NAME}@mho")
    assert (yoko.source_mode, yoko.source_enabled) == ("VOLT", False)  # it does not map what it reads
    for span in (10e-3, 100e-3, 1, 10, 30):
        yoko.source_range = span
        assert yoko.source_range == span
    yoko.voltage_limit, yoko.current_limit, yoko.source_range = 12, 5e-3, 10
    assert (yoko.voltage_limit, yoko.current_limit) == (12, 5e-3)
    yoko.source_enabled = True
    yoko.source_level = 1.25
    assert (yoko.source_level, rack.load.volts, rack.load.connected) == (1.25, 1.25, True)
    rack.load.history.clear()
    start = rack.clock.now
    yoko.trigger_ramp_to_level(-2.0, 5.0)
    assert yoko.source_level == rack.load.volts == -2.0
    assert rack.clock.now - start == pytest.approx(5.0)
    assert rack.load.history == sorted(rack.load.history, reverse=True)
    assert len(rack.load.history) > 50
    yoko.source_enabled = False
    assert rack.load.connected is False
    yoko.source_mode = "current"
    yoko.source_range, yoko.source_level = 10e-3, 4e-3
    yoko.source_enabled = True
    assert rack.load.volts == pytest.approx(4.0, rel=1e-3)
    yoko.voltage_limit = 2
    yoko.source_level = 5e-3
    assert rack.load.volts == pytest.approx(2.0)
    assert rack.errors == []
    yoko.adapter.close()


def test_qcodes_gs200_finds_what_it_sets_and_ramps(rack):
    yoko: Any = YokogawaGS200("yoko", SOURCE, visalib=f"{NAME}@mho")
    assert yoko.get_idn()["model"] == "GS210"
    assert (yoko.output(), yoko.source_mode(), yoko.line_freq()) == ("off", "VOLT", 50)
    assert not yoko.measure.present
    values = {
        "voltage_range": 10.0,
        "voltage_limit": 20,
        "current_limit": 0.015,
        "four_wire": "on",
        "guard": "on",
    }
    for name, value in values.items():
        yoko.parameters[name](value)
    assert {name: yoko.parameters[name]() for name in values} == values
    yoko.output("on")
    yoko.voltage(3.3)
    assert yoko.voltage() == rack.load.volts == 3.3
    start = rack.clock.now
    yoko.ramp_mode("HARDWARE")
    yoko.ramp_rate(0.5)
    yoko.voltage(1.0)
    assert yoko.voltage() == rack.load.volts == 1.0
    assert rack.clock.now - start == pytest.approx(2.3 / 0.5)
    yoko.ramp_mode("JUMP")
    yoko.auto_range(True)
    yoko.voltage(0.05)
    assert yoko.voltage_range() == 0.1
    assert yoko.condition_register() & (1 << 10 | 1 << 11) == 0
    yoko.voltage(20)
    assert yoko.condition_register() & 1 << 11  # 20 mA into 1 kilohm, and 15 mA are allowed
    assert yoko.extended_event_register() & 1 << 11
    yoko.output("off")
    yoko.source_mode("CURR")
    yoko.current_range(1e-3)
    yoko.current(5e-4)
    assert yoko.current() == 5e-4
    assert rack.load.connected is False
    assert yoko.system_errors() == '0,"No error"'
    assert rack.errors == []


# --- the B2200 ---


@pytest.fixture
def matrix(rack: SimpleNamespace) -> Any:
    return KeysightB2201("matrix", MATRIX, visalib=f"{NAME}@mho")


def test_qcodes_b2201_connects_through_all_cards(rack, matrix):
    assert matrix.get_idn()["model"] == "B2201A"
    matrix.connect(2, 48)
    matrix.connect_paths([(10, 12), (3, 13)])
    assert matrix.connections() == {(2, 48), (10, 12), (3, 13)}
    assert rack.matrix.closed == {"40212", "11012", "20301"}
    matrix.disconnect(10, 12)
    matrix.disconnect_paths([(3, 13)])
    assert matrix.connections() == {(2, 48)}
    matrix.disconnect_all()
    assert matrix.connections() == set()
    assert rack.errors == []


def test_qcodes_b2201_finds_every_parameter_it_sets(rack, matrix):
    assert (matrix.connection_rule(), matrix.connection_sequence()) == ("free", "bbm")
    assert (matrix.bias_input_port(), matrix.gnd_input_port()) == (10, 12)
    assert not matrix.bias_mode()
    values = {
        "connection_sequence": "mbb", "bias_input_port": 9, "gnd_input_port": 5, "unused_inputs": [5, 6, 7, 8],
        "couple_ports": [1, 3, 5], "couple_mode": True, "gnd_mode": True,
    }  # fmt: skip
    for name, value in values.items():
        matrix.parameters[name](value)
    assert {name: matrix.parameters[name]() for name in values} == values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # QCoDeS's, of connections that stay
        matrix.connection_rule("single")
    assert matrix.connection_rule() == "single"
    matrix.couple_port_autodetect()
    assert rack.errors == []


def test_qcodes_b2201_biases_and_grounds_what_is_not_in_use(rack, matrix):
    matrix.bias_disable_all_outputs()
    matrix.bias_enable_output(1)
    matrix.bias_enable_output(14)
    matrix.bias_mode(True)
    assert matrix.connections() == {(10, 1), (10, 14)}
    matrix.connect(3, 1)
    assert matrix.connections() == {(3, 1), (10, 14)}
    matrix.disconnect_all()
    assert matrix.connections() == {(10, 1), (10, 14)}
    matrix.bias_disable_output(14)
    matrix.bias_mode(False)
    matrix.gnd_enable_all_outputs()
    matrix.gnd_mode(True)
    assert len(matrix.connections()) == 48
    assert rack.errors == []
    with pytest.warns(UserWarning, match="error occurred"):
        matrix.connect(12, 33)  # the ground port is not for this
    matrix.gnd_disable_output(48)
    matrix.gnd_disable_all_outputs()
    assert matrix.connections() == set()
    assert rack.errors == [-221]
