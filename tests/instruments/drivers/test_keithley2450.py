"""The 2450's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import math

import numpy as np
import pytest
import pyvisa
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.instruments import Instrument
from pymeasure.test import expected_protocol
from wired_twins import Resistor, ask

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.roles import SourceMeter
from mho.instruments.simulated.analogue import range_for
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
from mho.instruments.simulated.keithley2450.ranges import SOURCE

ADDRESS = "USB0::0x05E6::0x2450::SIM00001::INSTR"


@pytest.fixture
def port():
    return Resistor(20e-6)


@pytest.fixture
def twin(port):
    device = SimulatedKeithley2450(
        VirtualClock(), np.random.default_rng(2), port, serial="S1", accuracy=0.0, noise=0.0
    )
    device.status.events = 0
    return device


@pytest.fixture
def smu(rack):
    instrument = Keithley2450(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


# --- driver and twin together ---


def test_it_is_a_source_meter(smu):
    assert isinstance(smu, SourceMeter)
    assert "MODEL 2450,S1" in smu.identify()


def test_connecting_changes_nothing(rack, twin, port):
    twin.write(b":SOUR:VOLT 0.3;:OUTP ON;:FOO")
    before, seen = dict(twin.__dict__, _output=b""), len(port.history)
    Keithley2450(ADDRESS, "bench@mho").close()
    assert dict(twin.__dict__, _output=b"") == before
    assert len(port.history) == seen


def test_a_stale_error_is_not_blamed_on_the_first_command(rack, twin):
    twin.write(b":FOO;:BAR")
    smu = Keithley2450(ADDRESS, "bench@mho")
    smu.hold(0.1)
    smu.close()


def test_a_read_steps_measures_and_returns_to_zero(smu, port, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    smu.enable()
    assert (port.volts, port.connected) == (0.0, True)
    port.history.clear()
    reading = smu.read(0.2)
    assert reading.voltage == pytest.approx(0.2)
    assert reading.current == pytest.approx(4e-6, rel=1e-6)
    assert not reading.tripped
    assert port.history == [pytest.approx(0.2), 0.0]
    assert port.apertures[-1] == pytest.approx(0.1 / 60)


def test_compliance_clamps_the_current_and_says_so(smu):
    smu.configure(current_limit=1e-5, current_range=1e-5, nplc=1)
    smu.enable()
    reading = smu.read(2.0)
    assert reading.tripped
    assert reading.current == pytest.approx(1e-5)
    assert reading.voltage == pytest.approx(0.5)
    assert smu.read(-2.0).current == pytest.approx(-1e-5)
    smu.hold(2.0)
    assert smu.current_limit_tripped
    smu.hold(0.2)
    assert not smu.current_limit_tripped


def test_a_limit_that_the_range_does_not_hold_is_found_out(smu):
    with pytest.raises(InstrumentError, match=r"refused ':SOUR:VOLT:ILIM 1.000000000e-03'.*-221"):
        smu.configure(current_limit=1e-3, current_range=1e-5, nplc=1)


def test_a_sweep_is_timed_by_the_instrument_and_ends_at_zero(smu, port, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    smu.enable()
    port.history.clear()
    voltages = np.linspace(-1, 1, 250)
    start = twin.clock.now
    readings = smu.sweep(list(voltages), delay=2e-3)
    assert [r.voltage for r in readings] == pytest.approx(list(voltages), rel=1e-6, abs=1e-9)
    assert [r.current for r in readings] == pytest.approx(list(20e-6 * voltages), rel=1e-6, abs=1e-12)
    assert port.history[-1] == 0.0
    assert smu.output_enabled
    assert twin.clock.now - start >= 250 * (2e-3 + 0.01 / 60)
    smu.output_enabled = False
    smu.sweep([0.1])
    assert not smu.output_enabled


def test_a_long_sweep_gets_the_time_it_needs(smu, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=10)
    patience = []
    connection = smu.adapter.connection
    usual = connection.timeout
    write = twin.write
    twin.write = lambda data, end=True: (patience.append((data, connection.timeout)), write(data, end))[1]
    smu.sweep([0.1] * 50, delay=1.0)
    during = next(timeout for data, timeout in patience if b":INIT" in data)
    assert during * 1e-3 > 50 * (1.0 + 10 / 60)
    assert connection.timeout == usual


def test_values_beyond_the_instrument_raise_before_anything_is_sent(smu, twin):
    sent = []
    twin.write = lambda data, end=True: sent.append(data)
    for attempt in (
        lambda: smu.hold(250.0),
        lambda: smu.read(math.nan),
        lambda: smu.configure(current_limit=2.0, current_range=1e-4, nplc=1),
        lambda: setattr(smu, "nplc", 20),
    ):
        with pytest.raises(LimitError, match="beyond what the instrument can do"):
            attempt()
    with pytest.raises(InstrumentError, match="a sweep has 1 to 2500 levels"):
        smu.sweep([])
    assert sent == []


def test_an_error_names_instrument_command_and_reason(smu):
    with pytest.raises(InstrumentError) as error:
        smu.exchange(":SOUR:VOLT 500")
    assert ADDRESS in str(error.value)
    assert "':SOUR:VOLT 500'" in str(error.value)
    assert "-222, Parameter data out of range" in str(error.value)
    smu.hold(0.1)  # the queue is empty again


def test_a_query_that_is_not_understood_says_why(smu):
    with pytest.raises(InstrumentError, match=r"':FOO\?' failed: VI_ERROR_TMO.*-113, Undefined header"):
        smu.ask(":FOO?")
    smu.hold(0.1)


def test_make_safe_works_after_a_lost_reply(smu, rack, port):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=1)
    smu.enable()
    rack.faults.append(Fault(ADDRESS, "timeout", match=b"READ"))
    with pytest.raises(InstrumentError, match="VI_ERROR_TMO"):
        smu.read(0.2)
    smu.hold(0.3)
    smu.make_safe()
    assert not smu.output_enabled
    assert smu.source_voltage == 0.0
    assert (port.volts, port.connected) == (0.0, True)


def test_make_safe_switches_off_even_if_the_level_cannot_be_set(smu, rack, twin):
    smu.enable()
    smu.hold(0.5)
    rack.faults.append(Fault(ADDRESS, "error", match=b":ABOR", code=-310))
    rack.faults.append(Fault(ADDRESS, "timeout", match=b":ABOR"))
    with pytest.raises(InstrumentError):
        smu.make_safe()
    assert not twin.output_on


def test_a_lost_connection_is_an_instrument_error(smu, rack):
    rack.faults.append(Fault(ADDRESS, "disconnect"))
    for attempt in (lambda: smu.read(0.1), smu.make_safe, smu.identify):
        with pytest.raises(InstrumentError, match="VI_ERROR_CONN_LOST"):
            attempt()


def test_another_model_or_language_is_refused(rack, twin):
    twin.write(b"*LANG TSP")
    with pytest.raises(InstrumentError, match="speaks TSP; switch it to SCPI"):
        Keithley2450(ADDRESS, "bench@mho")
    type(twin).identity, original = "ACME,MODEL 9000,{serial},1", type(twin).identity
    try:
        with pytest.raises(InstrumentError, match="expected a MODEL 2450, but 'ACME"):
            Keithley2450(ADDRESS, "bench@mho")
    finally:
        type(twin).identity = original


def test_an_address_without_instrument_is_an_instrument_error(rack):
    with pytest.raises(InstrumentError, match="cannot be opened"):
        Keithley2450("GPIB0::3::INSTR", "bench@mho")


def test_properties_read_back_what_was_set(smu):
    smu.source_voltage_range = 2.0
    smu.source_delay = 5e-3
    smu.four_wire = True
    smu.output_off_mode = "HIMP"
    smu.sense_function = "VOLT:DC"
    assert (smu.source_voltage_range, smu.source_delay, smu.four_wire) == (2.0, 5e-3, True)
    assert (smu.output_off_mode, smu.sense_function, smu.interlock_closed) == ("HIMP", "VOLT:DC", True)
    assert smu.settings()["output_off_mode"] == "HIMP"
    with pytest.raises(InstrumentError, match=":OUTP:VOLT:SMOD 'LOUD' does not exist"):
        smu.output_off_mode = "LOUD"


def test_the_day_of_calibration_is_among_the_settings(smu):
    assert smu.settings()["calibration_date"] == "2024-10-03"


@pytest.mark.parametrize("reply", ["0,0,0", "", "2024,10", "never"])
def test_no_day_of_calibration_is_made_up_and_it_is_asked_once(smu, twin, reply, monkeypatch):
    asked = []
    monkeypatch.setattr("mho.instruments.simulated.keithley2450.instrument.CALIBRATED", reply)
    values = type(smu).values
    monkeypatch.setattr(
        type(smu), "values", lambda self, text, **more: asked.append(text) or values(self, text, **more)
    )
    for _ in range(2):
        assert "calibration_date" not in smu.settings()
    assert asked.count(":CAL:VER:DATE?") == 1


def test_a_2450_that_knows_no_such_query_is_used_all_the_same(smu, monkeypatch):
    monkeypatch.setattr(
        Keithley2450, "calibration_date", Instrument.measurement(":CAL:NONE:DATE?", "Get what there is not.")
    )
    assert "calibration_date" not in smu.settings()
    smu.enable()
    assert smu.read(0.1).voltage == pytest.approx(0.1, abs=1e-3)


def test_shutdown_makes_safe_and_closes(smu, twin):
    smu.enable()
    smu.shutdown()
    assert not twin.output_on
    with pytest.raises(InstrumentError):
        smu.identify()


# --- the driver against the wire ---

OPENING = [
    ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2450,04096331,1.7.3"),
    (":SYST:ERR?", '0,"No error;0;0 0"'),
    ("*LANG?", "SCPI"),
]
FINE = '0,"No error;0;0 0"'


def test_a_read_is_one_message():
    message = ':SOUR:VOLT 2.000000000e-01;:READ? "defbuffer1",SOUR,READ,SOURSTAT;:SOUR:VOLT 0;:SYST:ERR?'
    with expected_protocol(Keithley2450, [*OPENING, (message, f"1.999E-01,4.1E-06,160;{FINE}")]) as smu:
        assert smu.read(0.2) == (0.1999, 4.1e-6, True)


def test_an_overflow_reads_as_nan():
    message = ':SOUR:VOLT 1.000000000e+00;:READ? "defbuffer1",SOUR,READ,SOURSTAT;:SOUR:VOLT 0;:SYST:ERR?'
    with expected_protocol(Keithley2450, [*OPENING, (message, f"1,9.900000E+37,128;{FINE}")]) as smu:
        assert math.isnan(smu.read(1.0).current)


def test_a_limit_other_than_asked_for_is_refused():
    pairs = [
        (":SOUR:FUNC?", "VOLT"),
        (":SOUR:VOLT:RANG 2.000000000e+00;:SYST:ERR?", FINE),
        (":SOUR:VOLT:READ:BACK ON;:SYST:ERR?", FINE),
        (':SENS:FUNC "CURR:DC";:SYST:ERR?', FINE),
        (":SENS:CURR:RANG 1.000000000e-05;:SYST:ERR?", FINE),
        (":SOUR:VOLT:ILIM 1.000000000e-07;:SYST:ERR?", FINE),
        (":SENS:CURR:NPLC 1.000000000e+00;:SYST:ERR?", FINE),
        (":SYST:LFR?", "50"),
        (":SOUR:VOLT:ILIM?", "1.05E-04"),
    ]
    with (
        expected_protocol(Keithley2450, [*OPENING, *pairs], voltage_range=2.0) as smu,
        pytest.raises(InstrumentError, match=r"current limit of 0\.000105 A instead of 1e-07 A"),
    ):
        smu.configure(current_limit=1e-7, current_range=1e-5, nplc=1)


def test_an_output_that_stays_on_is_said_loudly():
    pairs = [
        ("*CLS;:ABOR;:SOUR:VOLT 0;:SYST:ERR?", FINE),
        (":OUTP OFF;:SYST:ERR?", FINE),
        (":OUTP?", "1"),
    ]
    with (
        expected_protocol(Keithley2450, [*OPENING, *pairs]) as smu,
        pytest.raises(InstrumentError, match="still has its output on"),
    ):
        smu.make_safe()


def test_nonsense_is_not_understood():
    with (
        expected_protocol(Keithley2450, [*OPENING, (":SOUR:VOLT 0;:OUTP ON;:SYST:ERR?", "hello")]) as smu,
        pytest.raises(InstrumentError, match="answered 'hello'"),
    ):
        smu.enable()


# --- the twin against the manual ---


def test_the_manuals_list_sweep_works(twin):
    twin.output.conductance = 1e-3
    for line in ("*RST", 'SENS:FUNC "CURR"', "SENS:CURR:RANG:AUTO ON", "SENS:CURR:RSEN OFF", "SOUR:FUNC VOLT",
                 "SOUR:VOLT:RANG 20", "SOUR:VOLT:ILIM 1", "SOUR:LIST:VOLT 1, 5, 1, 5", "SOUR:LIST:VOLT:APP 1, 5",
                 "SOUR:SWE:VOLT:LIST 1, 0.2", "INIT", "*WAI"):  # fmt: skip
        twin.write(line.encode())
    data = ask(twin, 'TRAC:DATA? 1, 6, "defbuffer1", SOUR, READ').split(",")
    assert [float(value) for value in data] == pytest.approx([1, 1e-3, 5, 5e-3] * 3)
    assert ask(twin, "TRAC:ACT?;:OUTP?;:SOUR:LIST:VOLT:POIN?;:SYST:ERR?") == '6;0;6;0,"No error;0;0 0"'
    assert twin.clock.now > 1.2


def test_a_linear_sweep_runs_there_and_back(twin):
    twin.write(b":SOUR:SWE:VOLT:LIN 0,1,3,1e-3,1,AUTO,ON,ON,'defbuffer1';:INIT")
    data = ask(twin, ':TRAC:DATA? 1,6,"defbuffer1",SOUR').split(",")
    assert [float(value) for value in data] == pytest.approx([0, 0.5, 1, 1, 0.5, 0])


def test_errors_are_worded_as_the_2450_does(twin):
    twin.write(b":SOUR:VOLT")
    assert ask(twin, ":SYST:ERR?") == '-109,"Missing parameter;1;2025/01/01 00:00:00.000"'
    assert ask(twin, ":SYST:ERR?") == '0,"No error;0;0 0"'


@pytest.mark.parametrize(
    ("message", "code"),
    [(":SOUR:VOLT 211", -222), (":SOUR:VOLT:RANG 2;:SOUR:VOLT 3", -222), (":SOUR:VOLT 5;:SOUR:VOLT:RANG 2", -221),
     (":SENS:CURR:NPLC 11", -222), (":READ? 'nobuffer'", -224), (":INIT", -213),
     (":SOUR:SWE:VOLT:LIST 1", -221), (":SOUR:LIST:VOLT " + ",".join(["1"] * 101), -223),
     (':TRAC:DATA? 1,1,"defbuffer1"', -222), (":FORM REAL;:READ? 'defbuffer1',STAT", 1133),
     (":SENS:CURR:RANG 1e-6;:SOUR:VOLT:ILIM 1e-5", -221), (":TRAC:DEL 'defbuffer1'", -224),
     (":SOUR:SWE:VOLT:LIN 0,1,5,1e-6", -222)],
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    twin.write(message.encode())
    twin._output = b""
    assert int(ask(twin, ":SYST:ERR?").split(",")[0]) == code


def test_reset_gives_the_documented_defaults(twin, port):
    twin.write(b":SOUR:VOLT 3;:OUTP ON;:SOUR:VOLT:ILIM 1e-3;:SENS:CURR:NPLC 5;:OUTP:VOLT:SMOD HIMP;*RST")
    assert ask(twin, ":SOUR:VOLT?;:OUTP?;:SOUR:VOLT:ILIM?;:SENS:CURR:NPLC?;:OUTP:VOLT:SMOD?") == ";".join(
        ["0.000000E+00", "0", "1.050000E-04", "1.000000E+00", "NORM"]
    )
    assert (port.volts, port.connected) == (0.0, True)


def test_off_is_zero_volts_or_an_open_relay(twin, port):
    twin.write(b":SOUR:VOLT 1;:OUTP ON;:OUTP OFF")
    assert (port.volts, port.connected) == (0.0, True)
    twin.write(b":OUTP:VOLT:SMOD HIMP")
    assert not port.connected


def test_more_than_42_volts_need_the_interlock(port):
    twin = SimulatedKeithley2450(VirtualClock(), np.random.default_rng(0), port, interlock=False)
    twin.write(b":SOUR:VOLT 50")
    assert ask(twin, ":SYST:ERR?").startswith("-221")
    assert ask(twin, ":OUTP:INT:TRIP?;:SOUR:VOLT?") == "0;0.000000E+00"


def test_a_small_range_lowers_the_limit_and_rounds_up(twin):
    assert ask(twin, ":SENS:CURR:RANG 2e-6;RANG?;:SOUR:VOLT:ILIM?") == "1.000000E-05;1.050000E-05"


def test_binary_replies_carry_the_same_numbers(twin):
    twin.write(b":OUTP ON;:SOUR:VOLT 0.5;:FORM REAL")
    twin.write(b':READ? "defbuffer1",SOUR,READ')
    reply = twin.read()
    assert reply[:2] == b"#0"
    assert np.frombuffer(reply[2:-1], "<f8") == pytest.approx([0.5, 1e-5])


def test_buffers_are_made_filled_cleared_and_deleted(twin):
    twin.write(b':TRAC:MAKE "mine",10;:READ? "mine"')
    twin.read()
    assert ask(twin, ':TRAC:ACT? "mine";:TRAC:POIN? "mine"') == "1;10"
    for _ in range(25):
        ask(twin, ':READ? "mine"')
    assert int(ask(twin, ":SYST:ERR?").split(",")[0]) == 4915  # a user's buffer fills once
    assert ask(twin, ':TRAC:FILL:MODE? "mine";:TRAC:FILL:MODE CONT,"mine"') == "ONCE"
    twin.write(b"*CLS")
    for _ in range(25):
        ask(twin, ':READ? "mine"')
    assert ask(twin, ':TRAC:ACT? "mine";:TRAC:CLE "mine";:TRAC:ACT? "mine"') == "10;0"
    twin.write(b':TRAC:DEL "mine";:TRAC:ACT? "mine"')
    assert ask(twin, ":SYST:ERR?").startswith("-224")


def test_time_follows_delay_and_aperture(twin):
    twin.write(b":SOUR:VOLT:DEL 0.25;:SENS:CURR:NPLC 6;:OUTP ON")
    ask(twin, ":READ?")
    assert twin.clock.now == pytest.approx(0.25 + 0.1, abs=1e-3)
    assert ask(twin, ":SOUR:VOLT:DEL:AUTO?") == "0"


def test_noise_falls_with_the_square_root_of_the_aperture(port):
    def spread(nplc):
        twin = SimulatedKeithley2450(VirtualClock(), np.random.default_rng(4), port, noise=1e-4)
        twin.write(f":SENS:CURR:RANG 1e-4;:SENS:CURR:NPLC {nplc};:OUTP ON".encode())
        return np.std([float(ask(twin, ":READ?")) for _ in range(400)])

    assert spread(0.01) / spread(1) == pytest.approx(10, rel=0.15)
    assert spread(1) == pytest.approx(1e-8, rel=0.15)


def test_same_seed_same_instrument(port):
    def first(seed):
        twin = SimulatedKeithley2450(VirtualClock(), np.random.default_rng(seed), port)
        twin.write(b":OUTP ON;:SOUR:VOLT 0.2")
        return ask(twin, ":READ?")

    assert first(1) == first(1) != first(2)


@given(st.floats(-210, 210))
def test_a_range_holds_its_value_and_the_next_smaller_one_does_not(volts):
    ranges = tuple(SOURCE["VOLT"])
    span = range_for(ranges, volts, 1.05)
    assert abs(volts) <= 1.05 * span * (1 + 1e-9)
    smaller = [r for r in ranges if r < span]
    assert not smaller or abs(volts) > 1.05 * smaller[-1]


@pytest.mark.slow
def test_ten_thousand_reads_stay_in_step(smu):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    smu.enable()
    for index in range(10_000):
        volts = 1e-4 * (index % 2000)
        assert smu.read(volts).current == pytest.approx(20e-6 * volts, rel=1e-5, abs=1e-12)


def test_pyvisa_reads_it_without_the_driver(rack):
    with pyvisa.ResourceManager("bench@mho").open_resource(ADDRESS, read_termination="\n") as raw:
        assert raw.query("*LANG?") == "SCPI"
