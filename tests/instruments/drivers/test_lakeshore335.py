"""The driver of the Lake Shore 335 and 336 and its twin, together through PyVISA and each against the manual's wire."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from pyvisa.constants import Parity, StopBits
from wired_twins import ask, registered

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers import lakeshore335
from mho.instruments.drivers.lakeshore335 import LakeShore335, LakeShore336
from mho.instruments.roles import TemperatureController
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.lakeshore335 import (
    NO_SENSOR,
    SimulatedLakeShore335,
    SimulatedLakeShore336,
    six_digits,
)
from mho.instruments.simulated.physics.heated_stage import HeatedStage

ADDRESS = "GPIB0::12::INSTR"
ROOM = 298.15


@pytest.fixture
def twin():
    clock = VirtualClock()
    stage = HeatedStage(clock, ROOM)
    return SimulatedLakeShore335(clock, np.random.default_rng(1), stage, serial="S1")


def tell(device, message):
    device.write(message.encode())


@pytest.fixture
def controller(rack):
    instrument = LakeShore335(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


# --- driver and twin together ---


def test_it_is_a_temperature_controller(controller):
    assert isinstance(controller, TemperatureController)
    assert controller.identify() == "LSCI,MODEL335,S1/S1,1.6"
    assert controller.temperature() == pytest.approx(ROOM, abs=0.05)
    assert controller.settings().keys() == set(LakeShore335.recorded)


def test_connecting_changes_nothing(rack, twin):
    tell(twin, "SETP 1,310;RANGE 1,2")
    before = {number: vars(loop).copy() for number, loop in twin.loops.items()}
    with_events = twin.events
    LakeShore335(ADDRESS, "bench@mho").close()
    assert {number: vars(loop) for number, loop in twin.loops.items()} == before
    assert with_events == 128  # the event of power-up is no error


def test_it_ramps_from_where_it_is_and_stays(controller, twin):
    controller.ramp_to(318.15, 20.0)
    assert controller.output_enabled
    assert controller.setpoint == pytest.approx(ROOM, abs=0.05)  # no kick at full power
    twin.clock.advance(30.0)
    assert controller.setpoint == pytest.approx(ROOM + 10.0, abs=0.05)
    twin.clock.advance(300.0)
    assert controller.temperature() == pytest.approx(318.15, abs=0.05)
    assert controller.setpoint == 318.15


def test_made_safe_it_cools(controller, twin):
    controller.ramp_to(350.0, 100.0)
    twin.clock.advance(200.0)
    controller.make_safe()
    assert not controller.output_enabled
    twin.clock.advance(1e5)
    assert controller.temperature() == pytest.approx(ROOM, abs=0.05)


def test_a_heater_that_stays_on_is_named(controller, twin):
    controller.ramp_to(350.0, 100.0)
    twin.stuck = True
    with pytest.raises(InstrumentError, match="still has the heater at output 1 on; switch it off by hand"):
        controller.make_safe()


@pytest.mark.parametrize(
    ("status", "words"),
    [(1, "invalid reading"), (1 | 64, "invalid reading, sensor units zero"), (32, "temperature overrange")],
)
def test_a_sensor_without_a_valid_reading_is_an_error_and_its_heater_goes_to_zero(
    controller, twin, status, words
):
    controller.ramp_to(400.0, 100.0)
    twin.clock.advance(60.0)
    warm = controller.temperature()
    twin.break_sensor(status)
    with pytest.raises(InstrumentError, match=rf"input A gives no valid reading \({words}\)"):
        controller.temperature()
    assert controller.kelvin == 0.0  # what run files keep is still read
    twin.clock.advance(600.0)
    twin.break_sensor(0)
    assert controller.temperature() < warm


@pytest.mark.parametrize(("fault", "words"), [(1, "open load"), (2, "short"), (3, "error 3")])
def test_a_fault_of_the_heater_is_an_error(controller, twin, fault, words):
    twin.heater_fault = fault
    with pytest.raises(InstrumentError, match=rf"heater at output 1 has a fault \({words}\)"):
        controller.temperature()


def test_above_its_limit_it_switches_its_heaters_off_by_itself(controller, twin):
    controller.protect(309.2)
    assert controller.temperature_limit == 310.0  # in whole kelvins, never less than asked for
    controller.ramp_to(330.0, 100.0)
    twin.clock.advance(5.0)
    assert controller.output_enabled
    twin.clock.advance(60.0)
    assert not controller.output_enabled
    assert controller.temperature() < 312.0


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("INTYPE A,3,1,0,1,2", "other units than kelvin"),
        ("OUTMODE 1,3,1,0", "not in closed loop"),
        ("OUTMODE 1,1,2,0", "not in closed loop .* with input A"),
    ],
)
def test_a_loop_that_is_set_up_otherwise_is_refused_and_the_heater_stays_off(
    controller, twin, message, answer
):
    tell(twin, message)
    with pytest.raises(InstrumentError, match=answer):
        controller.ramp_to(350.0, 10.0)
    assert twin.loops[1].heater == 0


def test_nothing_beyond_the_instrument_is_sent(controller, twin):
    for kelvin, rate in ((0.0, 10.0), (2000.0, 10.0), (float("nan"), 10.0), (350.0, 0.05), (350.0, 200.0)):
        with pytest.raises(LimitError):
            controller.ramp_to(kelvin, rate)
    assert twin.loops[1].heater == 0


def test_the_other_outputs_are_left_alone(rack, twin):
    tell(twin, "SETP 2,320;RANGE 2,1")
    other = LakeShore335(ADDRESS, "bench@mho")
    other.ramp_to(310.0, 10.0)
    other.make_safe()
    assert twin.loops[2].heater == 1


def test_a_336_may_be_wired_to_other_terminals():
    clock = VirtualClock()
    twin = SimulatedLakeShore336(
        clock, np.random.default_rng(1), HeatedStage(clock, ROOM), output=3, input="C"
    )
    with registered("four", {ADDRESS: twin}):
        controller = LakeShore336(ADDRESS, "four@mho", output=3, input="C", heater_range=1)
        controller.ramp_to(310.0, 60.0)
        clock.advance(200.0)
        assert controller.temperature() == pytest.approx(310.0, abs=0.05)
        wrong = LakeShore336(ADDRESS, "four@mho", output=1, input="A")
        with pytest.raises(InstrumentError, match="input A gives no valid reading"):
            wrong.temperature()
        with pytest.raises(InstrumentError, match="expected a MODEL335, but 'LSCI,MODEL336"):
            LakeShore335(ADDRESS, "four@mho")


def test_a_lost_reply_leaves_question_and_answer_together(controller, rack):
    rack.faults.append(Fault(ADDRESS, "timeout", match=b"KRDG?"))
    with pytest.raises(InstrumentError, match="VI_ERROR_TMO"):
        controller.temperature()
    assert controller.temperature() == pytest.approx(ROOM, abs=0.05)
    controller.make_safe()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("error", "refused 'RANGE 1,3': 16, execution error"),
        ("refusal", "'RANGE 1,3' failed: .* execution error"),
    ],
)
def test_a_refused_command_is_named_with_the_kind_of_its_error(controller, rack, kind, words):
    rack.faults.append(Fault(ADDRESS, kind, match=b"RANGE 1,3", code=-222))
    with pytest.raises(InstrumentError, match=words):
        controller.ramp_to(310.0, 10.0)
    controller.make_safe()
    assert not controller.output_enabled


# --- the driver against the wire ---

OPENING = [(b"*IDN?", b"LSCI,MODEL335,1234567/1234567,1.0"), (b"*ESR?", b"128")]


def test_a_reading_is_one_message():
    with expected_protocol(
        LakeShore335,
        [*OPENING, (b"KRDG? A;RDGST? A;HTRST? 1;*ESR?", b"+298.152;000;0;000\r")],
    ) as controller:
        assert controller.temperature() == 298.152


def test_a_ramp_begins_at_the_reading_with_the_heater_last_but_for_the_target():
    with expected_protocol(
        LakeShore335,
        [
            *OPENING,
            (b"INTYPE? A;*ESR?", b"3,1,0,1,1;000"),
            (b"OUTMODE? 1;*ESR?", b"1,1,0;000"),
            (b"KRDG? A;RDGST? A;HTRST? 1;*ESR?", b"+298.152;000;0;000"),
            (b"RAMP 1,0,10.5;*ESR?", b"000"),
            (b"SETP 1,298.152;*ESR?", b"000"),
            (b"RANGE 1,2;*ESR?", b"000"),
            (b"RAMP 1,1,10.5;*ESR?", b"000"),
            (b"SETP 1,398.150;*ESR?", b"000"),
            (b"RANGE? 1;*ESR?", b"2;000"),
            (b"RAMP? 1;*ESR?", b"1,+10.5;000"),
        ],
        heater_range=2,
    ) as controller:
        controller.ramp_to(398.15, 10.5)


@pytest.mark.parametrize(
    ("heater", "ramp"), [(b"0;000", b"1,10;000"), (b"3;000", b"0,10;000"), (b"3;000", b"1,5;000")]
)
def test_what_is_not_confirmed_is_an_error(heater, ramp):
    with (
        expected_protocol(
            LakeShore335,
            [
                *OPENING,
                (b"INTYPE? A;*ESR?", b"3,1,0,1,1;000"),
                (b"OUTMODE? 1;*ESR?", b"1,1,0;000"),
                (b"KRDG? A;RDGST? A;HTRST? 1;*ESR?", b"+298.152;000;0;000"),
                *[
                    (text, b"000")
                    for text in (
                        b"RAMP 1,0,10.0;*ESR?",
                        b"SETP 1,298.152;*ESR?",
                        b"RANGE 1,3;*ESR?",
                        b"RAMP 1,1,10.0;*ESR?",
                        b"SETP 1,398.150;*ESR?",
                    )
                ],
                (b"RANGE? 1;*ESR?", heater),
                (b"RAMP? 1;*ESR?", ramp),
            ],
        ) as controller,
        pytest.raises(InstrumentError, match=r"where range 3 and 10 K/min were set"),
    ):
        controller.ramp_to(398.15, 10.0)  # fmt: skip


@pytest.mark.parametrize("reply", [b"000", b"+298.1;000", b"hot;000;0;000", b"", b"+298.1;000;0;0;000"])
def test_a_reply_that_is_no_reading_is_an_error(reply):
    with (
        expected_protocol(
            LakeShore335, [*OPENING, (b"KRDG? A;RDGST? A;HTRST? 1;*ESR?", reply)]
        ) as controller,
        pytest.raises(InstrumentError, match="not understood"),
    ):
        controller.temperature()


def test_a_serial_line_is_set_as_the_manual_says_and_left_to_rest(monkeypatch):
    seen = {}

    def adapter(address, library, **options):
        seen.update(options)
        raise OSError("nobody there")

    monkeypatch.setattr("mho.instruments.drivers.languages.bus.VISAAdapter", adapter)
    with pytest.raises(InstrumentError, match="cannot be opened: nobody there"):
        LakeShore335("ASRL5::INSTR")
    assert seen["asrl"] == {
        "baud_rate": 57600, "data_bits": 7, "parity": Parity.odd, "stop_bits": StopBits.one,
    }  # fmt: skip
    assert lakeshore335.PAUSE == 0.05


# --- the twin against the wire ---


def test_numbers_travel_with_a_sign_and_six_digits():
    assert six_digits(298.15) == "+298.150"
    assert six_digits(77.35) == "+77.3500"
    assert six_digits(999.99996) == "+1000.00"
    assert six_digits(0.0) == "+0.00000"


@given(st.floats(0.0, 99999.0))
def test_a_number_is_read_back_to_six_digits(value):
    text = six_digits(value)
    assert len(text) <= 8
    assert text[0] == "+"
    assert float(text) == pytest.approx(value, rel=6e-6, abs=6e-6)


@given(st.floats(1.0, 1505.0))
def test_a_setpoint_arrives_as_it_was_sent(kelvin):
    clock = VirtualClock()
    twin = SimulatedLakeShore335(clock, np.random.default_rng(1), HeatedStage(clock, ROOM))
    assert ask(twin, f"SETP 1,{kelvin:.3f};*ESR?") == "128"
    assert float(ask(twin, "SETP? 1")) == pytest.approx(kelvin, rel=6e-6, abs=6e-4)


@pytest.mark.parametrize(
    ("message", "events"),
    [
        ("SETP 1,3e2", 32), ("SETP 1", 32), ("SETP 3,300", 16), ("SETP 1,-5", 16), ("RAMP 1,1,0.05", 16),
        ("RAMP 1,2,1", 16), ("RANGE 1,4", 16), ("RANGE 1,1.5", 32), ("KRDG? C", 16), ("KRDG? 1", 32), ("NONSENSE", 32),
        ("KRDG A", 32), ("TLIMIT A,x", 32), ("OUTMODE 1,1,3,0", 16),
    ],
)  # fmt: skip
def test_what_the_twin_refuses_is_an_event_of_its_kind_and_changes_nothing(twin, message, events):
    tell(twin, "*CLS")
    before = {number: vars(loop).copy() for number, loop in twin.loops.items()}
    assert ask(twin, f"{message};*ESR?") == f"{events:03d}"
    assert ask(twin, "*ESR?") == "000"
    assert {number: vars(loop) for number, loop in twin.loops.items()} == before


def test_an_input_without_a_sensor_and_an_output_without_a_heater_say_so(twin):
    assert ask(twin, "KRDG? B;RDGST? B;HTRST? 2") == f"+0.00000;{NO_SENSOR:03d};1"


def test_a_setpoint_on_its_way_is_told_and_goes_down_as_it_goes_up(twin):
    tell(twin, "SETP 1,300;RAMP 1,1,6;SETP 1,310")
    twin.clock.advance(50.0)
    assert ask(twin, "SETP? 1;RAMPST? 1") == "+305.000;1"
    tell(twin, "SETP 1,300")
    twin.clock.advance(20.0)
    assert ask(twin, "SETP? 1;RAMPST? 1") == "+303.000;1"
    twin.clock.advance(100.0)
    assert ask(twin, "SETP? 1;RAMPST? 1") == "+300.000;0"
