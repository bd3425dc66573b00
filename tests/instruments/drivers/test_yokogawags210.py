"""The GS210's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import Resistor, ask, error_of

from mho.errors import InstrumentError, LimitError
from mho.instruments.bench_file.models import VOLTAGE_SOURCES, lacking
from mho.instruments.drivers.yokogawags210 import RANGES, YokogawaGS210
from mho.instruments.roles import SourceMeter, VoltageSource
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.yokogawags210 import (
    CHANGED,
    HIGH,
    LOW,
    TRIPPED,
    SimulatedYokogawaGS210,
    written,
)

ADDRESS = "USB0::0x0B21::0x0039::91SIM0001::INSTR"


@pytest.fixture
def port():
    return Resistor(1e-3)


@pytest.fixture
def twin(port):
    return SimulatedYokogawaGS210(VirtualClock(), np.random.default_rng(2), port, serial="91S1", accuracy=0.0)


@pytest.fixture
def source(rack):
    instrument = YokogawaGS210(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


def ready(source, volts=3.3):
    source.protect(volts)
    source.configure(current_limit=5e-3)
    source.enable()


def send(device, message):
    device.write(message.encode("latin-1"))


# --- driver and twin together ---


def test_it_is_a_voltage_source_and_no_source_meter(source):
    assert isinstance(source, VoltageSource)
    assert "read(voltage)" in lacking(type(source), SourceMeter)  # its own is another, of PyMeasure's
    assert source.identify() == "YOKOGAWA,GS210,91S1,2.02"
    assert VOLTAGE_SOURCES["yokogawags210"].load_driver() is YokogawaGS210
    assert VOLTAGE_SOURCES["yokogawags210"].load_twin() is SimulatedYokogawaGS210


def test_a_gs211_is_one_too():
    with expected_protocol(
        YokogawaGS210, [("*IDN?", "YOKOGAWA,GS211,1,1.01"), (":SYST:ERR?", '0,"No error"')]
    ):
        pass


def test_connecting_changes_nothing(rack, twin, port):
    twin.write(b":SOUR:LEV 0.3;:OUTP ON;:FOO")
    before, seen = dict(twin.__dict__, _output=b""), len(port.history)
    YokogawaGS210(ADDRESS, "bench@mho").close()
    assert dict(twin.__dict__, _output=b"") == before
    assert len(port.history) == seen


def test_it_goes_on_at_zero_and_holds(source, port):
    ready(source)
    assert (port.volts, port.connected) == (0.0, True)
    port.history.clear()
    for volts in (1.6, -2.4, 0.0):
        source.hold(volts)
    assert port.history == [1.6, -2.4, 0.0]
    assert source.output_enabled
    assert source.settings() == {
        "source_function": "VOLT", "source_range": "10.0", "source_level": "0.0", "current_limit": "0.005",
        "output_enabled": "True",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("volts", "span"), [(0.005, 0.01), (0.1, 0.1), (1.2, 1.0), (1.3, 10.0), (12.5, 30.0), (math.inf, 30.0)]
)
def test_the_benchs_highest_voltage_fixes_the_range(source, twin, port, volts, span):
    ready(source, volts)
    assert twin.span == source.voltage_range == span
    source.hold(RANGES[span])
    assert port.volts == pytest.approx(RANGES[span])
    with pytest.raises(
        LimitError, match=rf"level \(range {span:g} V\) .* is beyond what the instrument can do"
    ):
        source.hold(1.01 * RANGES[span])
    assert twin.span == span


def test_a_range_that_it_was_opened_with_stays(rack, twin):
    source = YokogawaGS210(ADDRESS, "bench@mho", voltage_range=30.0)
    ready(source, 1.0)
    assert twin.span == 30.0
    source.close()
    with pytest.raises(InstrumentError, match=r"voltage range 5.0 does not exist; choose one of 0\.01"):
        YokogawaGS210(ADDRESS, "bench@mho", voltage_range=5.0)


def test_another_range_is_set_at_zero_and_the_same_one_not_again(source, port, twin):
    send(twin, ":OUTP ON;:SOUR:LEV 1")
    port.history.clear()
    source.configure(current_limit=1e-3)
    assert port.history == [0.0, 0.0]  # to 0 V, then to the range
    source.hold(2.0)
    port.history.clear()
    source.configure(current_limit=2e-3)
    assert port.history == []
    assert twin.current_limit == 2e-3


def test_a_current_source_becomes_a_voltage_source_with_its_output_off(source, port, twin):
    send(twin, ":SOUR:FUNC CURR;:SOUR:LEV 1E-3;:OUTP ON")
    source.configure(current_limit=1e-3)
    assert (twin.function, twin.output_on, port.connected) == ("VOLT", False, False)


@pytest.mark.parametrize("amperes", [1e-4, 9.9e-4, 0.201, math.nan, -1e-3])
def test_a_limit_that_no_gs210_keeps_raises_before_anything_is_sent(source, twin, amperes):
    sent = []
    twin.write = lambda data, end=True: sent.append(data)
    with pytest.raises(LimitError, match=r"0.001 to 0.2 A.*it is this source's own limit"):
        source.configure(current_limit=amperes)
    assert sent == []


def test_a_limit_between_its_steps_is_found_out(source):
    with pytest.raises(
        InstrumentError, match=r"set a current limit of 0.002 A instead of 0.0015 A.*steps of 1 mA"
    ):
        source.configure(current_limit=1.5e-3)


def test_the_limiter_acts_and_says_so(source):
    ready(source)
    source.hold(4.9)
    assert source.current_limit_tripped is False
    for volts in (5.1, -5.1):
        source.hold(volts)
        assert source.current_limit_tripped is True
    assert source.output_enabled


def test_make_safe_goes_to_zero_and_off(source, port):
    ready(source)
    source.hold(2.0)
    port.history.clear()
    for _ in range(2):
        source.make_safe()
    assert port.history[:2] == [0.0, None]
    assert not source.output_enabled


def test_an_output_that_stays_on_is_said_loudly(source, twin, port):
    ready(source)
    source.hold(2.0)
    twin.stuck = True
    with pytest.raises(InstrumentError, match="still has its output on; switch it off by hand"):
        source.make_safe()
    assert port.volts == 0.0


@pytest.mark.parametrize("kind", ["timeout", "error", "disconnect"])
def test_whatever_message_fails_make_safe_switches_it_off(rack, twin, port, kind):
    def work(source):
        ready(source)
        source.hold(2.0)

    source = YokogawaGS210(ADDRESS, "bench@mho")
    sent, write = [], twin.write
    twin.write = lambda data, end=True: (sent.append(data), write(data, end))[1]
    work(source)
    source.make_safe()
    for struck in range(len(sent)):
        ask(twin, ":SOUR:RANG 1")  # so that the range is set each time
        rack.faults.append(Fault(ADDRESS, kind, after=struck))
        with suppress(InstrumentError):
            work(source)
        rack.faults.clear()
        source.make_safe()
        assert port.connected is False, f"{kind} at message {struck}"
    source.close()


def test_a_program_that_somebody_left_in_the_editor_takes_no_level(source, twin, port):
    send(twin, ":SOUR:LEV 1;:PROG:EDIT:STAR")
    ready(source)
    assert (port.volts, port.connected) == (0.0, True)
    source.hold(2.0)
    send(twin, ":PROG:EDIT:STAR")
    source.make_safe()
    assert twin.level == 0.0
    assert twin.program == []


def test_an_instrument_that_went_off_by_itself_is_seen(source, twin):
    ready(source)
    source.hold(2.0)
    assert int(ask(twin, ":STAT:EVEN?")) & (CHANGED | TRIPPED) == CHANGED
    source.hold(2.0)
    assert int(ask(twin, ":STAT:EVEN?")) & (CHANGED | TRIPPED) == 0
    twin.trip()
    assert not source.output_enabled
    assert int(ask(twin, ":STAT:EVEN?")) & (CHANGED | TRIPPED) == TRIPPED


# --- the driver against the wire ---

FINE = '0,"No error"'
OPENING = [("*IDN?", "YOKOGAWA,GS210,91X123456,2.02"), (":SYST:ERR?", FINE)]


def test_a_gates_work_over_the_wire():
    pairs = [
        *OPENING,
        (":PROG:EDIT:END;*CLS;:SYST:ERR?", FINE),
        (":SOUR:FUNC?", "CURR"),
        (":OUTP OFF;:SOUR:FUNC VOLT;:SYST:ERR?", FINE),
        (":SOUR:RANG?", "+1E+0"),
        (":SOUR:LEV 0;:SOUR:RANG 1.000000000e+01;:SYST:ERR?", FINE),
        (":SOUR:PROT:CURR 1.000000000e-03;:SYST:ERR?", FINE),
        (":SOUR:RANG?", "+10E+0"),
        (":SOUR:PROT:CURR?", "+1E-3"),
        (":SOUR:LEV 0;:OUTP ON;:SYST:ERR?", FINE),
        (":SOUR:LEV 1.600000000e+00;:SYST:ERR?", FINE),
        (":STAT:COND?", "2333"),
    ]
    with expected_protocol(YokogawaGS210, pairs) as source:
        source.protect(4.0)
        source.configure(current_limit=1e-3)
        source.enable()
        source.hold(1.6)
        assert source.current_limit_tripped is True


def test_another_range_than_the_one_set_is_refused_over_the_wire():
    pairs = [
        *OPENING,
        (":PROG:EDIT:END;*CLS;:SYST:ERR?", FINE),
        (":SOUR:FUNC?", "VOLT"),
        (":SOUR:RANG?", "+1E+0"),
        (":SOUR:LEV 0;:SOUR:RANG 1.000000000e+01;:SYST:ERR?", FINE),
        (":SOUR:PROT:CURR 1.000000000e-03;:SYST:ERR?", FINE),
        (":SOUR:RANG?", "+30E+0"),
    ]
    with (
        expected_protocol(YokogawaGS210, pairs) as source,
        pytest.raises(InstrumentError, match="set a source range of 30 V instead of 10 V"),
    ):
        source.configure(current_limit=1e-3)


# --- the twin against the manual ---


def test_the_manuals_forms(twin):
    assert ask(twin, ":SOURce:FUNCtion VOLTage;RANGe 100E-3;RANGe?") == "+100E-3"
    assert (
        ask(twin, ":SOUR:PROT:VOLT? MIN;:SOUR:PROT:VOLT? MAX;:SOUR:PROT:CURR? MAX") == "+1E+0;+30E+0;+200E-3"
    )
    assert ask(twin, ":SOUR:LEV:AUTO 1.5;:SOUR:LEV:AUTO?;:SOUR:RANG?") == "+1.5000E+0;+10E+0"
    assert ask(twin, ":SOUR:LEV MAX;:SOUR:LEV?;:SOUR:LEV MIN;:SOUR:LEV?") == "+12.0000E+0;-12.0000E+0"
    assert ask(twin, ":SOUR:LEV:AUTO MAX;:SOUR:LEV?;:SOUR:RANG?") == "+32.000E+0;+30E+0"
    assert ask(twin, ":SOUR:LEV:AUTO 0;:SOUR:RANG?;:SOUR:RANG UP;:SOUR:RANG?") == "+10E-3;+100E-3"
    assert (
        ask(twin, ":SOUR:RANG MAX;:SOUR:RANG UP;:SOUR:RANG?;:SOUR:RANG DOWN;:SOUR:RANG?") == "+30E+0;+10E+0"
    )
    assert ask(twin, "*OPT?;:OUTP?") == "NONE;0"
    assert error_of(twin) == 0


@pytest.mark.parametrize(
    ("message", "code"),
    [(":SOUR:RANG 31", -222), (":SOUR:FUNC CURR;:SOUR:RANG DEF", -222), (":SOUR:LEV 1.3", -222),
     (":SOUR:PROT:CURR 0.9E-3", -222), (":SOUR:LEV:AUTO 33", -222),
     (":SOUR:PROT:VOLT 0.5", -222), (":SOUR:LEV 1;:SOUR:RANG 0.1", -221), (":PROG:RUN", -221),
     (":OUTP ON;:PROG:REP ON;:PROG:RUN", -221), (":PROG:EDIT:STAR;:SOUR:LEV:AUTO 1", -221), (":SOUR:LEV x", -104),
     (":MEAS?", -113), (":SENS 1", -113)],
)  # fmt: skip
def test_what_it_refuses_stays_as_it_was(twin, port, message, code):
    send(twin, message)
    assert error_of(twin) == code
    assert twin.span in (1.0, 1e-3)
    assert abs(twin.level) <= 1.0


def test_levels_have_the_ranges_resolution(twin, port):
    send(twin, ":OUTP ON;:SOUR:RANG 10;:SOUR:LEV 1.23456")
    assert port.volts == 1.2346
    send(twin, ":SOUR:LEV 0;:SOUR:RANG 1;:SOUR:LEV 0.123456")
    assert port.volts == 0.12346


def test_specimens_differ_within_their_specification():
    def volts(seed):
        port = Resistor(0.0)
        twin = SimulatedYokogawaGS210(VirtualClock(), np.random.default_rng(seed), port)
        send(twin, ":OUTP ON;:SOUR:RANG 10;:SOUR:LEV 5")
        return port.volts

    errors = [volts(seed) - 5.0 for seed in range(20)]
    assert len(set(errors)) == 20
    assert 1e-5 < np.std(errors) < 2e-3


def test_an_output_that_is_off_is_open_and_carries_nothing(twin, port):
    send(twin, ":SOUR:LEV 1")
    assert (port.volts, port.connected) == (0.0, False)
    assert twin.flow().amperes == 0.0


def test_the_limiter_holds_the_current_and_the_condition_tells_its_sign(twin, port):
    port.conductance = 1e-2
    send(twin, ":SOUR:PROT:CURR 5E-3;:OUTP ON;:SOUR:LEV 1")
    assert twin.flow() == (pytest.approx(0.5), pytest.approx(5e-3), True)
    assert int(ask(twin, ":STAT:COND?")) & (HIGH | LOW) == HIGH
    send(twin, ":SOUR:LEV -1")
    assert int(ask(twin, ":STAT:COND?")) & (HIGH | LOW) == LOW
    assert int(ask(twin, ":STAT:EVEN?")) & (HIGH | LOW) == HIGH | LOW
    assert int(ask(twin, ":STAT:EVEN?")) & (HIGH | LOW) == 0
    assert twin.limit == 5e-3


def test_a_current_source_keeps_to_its_voltage_limit(twin, port):
    send(twin, ":SOUR:FUNC CURR;:SOUR:PROT:VOLT 3;:SOUR:RANG 1E-2;:SOUR:LEV 2E-3;:OUTP ON")
    assert port.volts == pytest.approx(2.0, rel=1e-3)
    assert twin.limit == 2e-3
    send(twin, ":SOUR:LEV 5E-3")
    assert port.volts == pytest.approx(3.0)
    assert int(ask(twin, ":STAT:COND?")) & HIGH


def test_a_program_goes_through_its_steps_in_time(twin, port):
    send(twin, ":OUTP ON;:PROG:EDIT:STAR;:SOUR:LEV 1;:SOUR:LEV -1;:PROG:EDIT:END;:PROG:INT 10;:PROG:SLOP 2")
    assert ask(twin, ":PROG:COUN?") == "2"
    assert port.volts == 0.0
    send(twin, ":PROG:RUN")
    assert twin.clock.now == pytest.approx(20.0)
    assert port.volts == -1.0
    assert max(port.history, key=lambda volts: volts or 0.0) == 1.0
    assert int(ask(twin, ":STAT:EVEN?")) & 1 << 7
    assert error_of(twin) == 0


def test_reset_switches_it_off(twin, port):
    send(twin, ":OUTP ON;:SOUR:LEV 1;:SOUR:PROT:CURR 1E-3;*RST")
    assert (port.volts, port.connected, twin.current_limit, twin.span) == (0.0, False, 0.2, 1.0)


@given(st.sampled_from(sorted(RANGES)), st.floats(-1.0, 1.0))
def test_what_is_written_is_the_level_to_the_last_digit(span, part):
    twin = SimulatedYokogawaGS210(VirtualClock(), np.random.default_rng(0), Resistor(0.0))
    level = part * RANGES[span]
    send(twin, f":SOUR:RANG {span};:SOUR:LEV {level:.9e}")
    it = twin._range
    assert float(ask(twin, ":SOUR:LEV?")) == pytest.approx(twin.level, abs=1e-15)
    assert abs(twin.level - level) <= 0.5001 * it.step
    assert error_of(twin) == 0


def test_numbers_are_written_with_an_exponent_of_three():
    assert [written(1.5, 1e-4, 0), written(-0.05, 1e-6, -3), written(-0.0, 1e-4, 0), written(10.0, 10.0, 0)] == [
        "+1.5000E+0", "-50.000E-3", "+0.0000E+0", "+10E+0",
    ]  # fmt: skip
