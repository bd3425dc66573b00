"""The 2400's driver and its simulated twin, together through PyVISA, each against the manual's wire, and on a bench."""

import math
import re
from importlib import resources

import numpy as np
import pytest
from pymeasure.test import expected_protocol
from typer.testing import CliRunner
from wired_twins import Resistor, ask, error_of

from mho import run
from mho.cli.main import app
from mho.errors import InstrumentError, LimitError
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.drivers.keithley2400 import Keithley2400
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithley2400 import SimulatedKeithley2400
from mho.procedures import Program

ADDRESS = "GPIB0::24::INSTR"
LIMITED, RANGE_LIMITED = 1 << 3, 1 << 16


@pytest.fixture
def port():
    return Resistor(20e-6)


@pytest.fixture
def twin(port):
    return SimulatedKeithley2400(
        VirtualClock(), np.random.default_rng(2), port, serial="S1", accuracy=0.0, noise=0.0
    )


@pytest.fixture
def smu(rack):
    instrument = Keithley2400(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


def numbers(twin, message):
    return [float(text) for text in ask(twin, message).split(",")]


# --- driver and twin together ---


def test_a_read_steps_measures_and_returns_to_zero(smu, port):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    smu.enable()
    assert (port.volts, port.connected) == (0.0, True)
    port.history.clear()
    assert smu.read(0.2) == (pytest.approx(0.2), pytest.approx(4e-6), False)
    assert port.history == [pytest.approx(0.2), 0.0]
    assert port.apertures[-1] == pytest.approx(0.1 / 60)


def test_a_range_beyond_the_limit_follows_the_limit(smu):
    smu.configure(current_limit=1e-5, current_range=1e-3, nplc=1)
    assert (smu.current_limit, smu.current_range) == (1e-5, 1.05e-5)
    smu.configure(current_limit=1e-9, current_range=1e-3, nplc=1)
    assert (smu.current_limit, smu.current_range) == (1e-9, 1.05e-6)


@pytest.mark.parametrize(("limit", "span", "held"), [(1e-5, 1e-5, 1e-5), (1e-3, 1e-5, 1.05e-5)])
def test_compliance_and_a_fixed_range_hold_the_current_and_say_so(smu, limit, span, held):
    smu.configure(current_limit=limit, current_range=span, nplc=1)
    smu.enable()
    assert smu.read(2.0) == (pytest.approx(held / 20e-6), pytest.approx(held), True)
    smu.hold(2.0)
    assert smu.current_limit_tripped
    smu.hold(0.2)
    assert not smu.current_limit_tripped


def test_a_long_sweep_is_one_list_timed_by_the_instrument(smu, port, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    smu.enable()
    voltages = np.linspace(-1, 1, 250).tolist()
    port.history.clear()
    start = twin.clock.now
    readings = smu.sweep(voltages, delay=2e-3)
    assert [r.voltage for r in readings] == pytest.approx(voltages, rel=1e-6, abs=1e-9)
    assert [r.current for r in readings] == pytest.approx([20e-6 * v for v in voltages], rel=1e-6, abs=1e-12)
    assert port.history == pytest.approx([0.0, 0.0, *voltages, 0.0, 0.0], abs=1e-9)
    assert twin.clock.now - start >= 250 * (2e-3 + 2 * 0.01 / 60)
    assert smu.output_enabled
    smu.output_enabled = False
    smu.sweep([0.1])
    assert not smu.output_enabled


def test_a_fixed_source_range_is_kept(rack, twin):
    smu = Keithley2400(ADDRESS, "bench@mho", voltage_range=2.0)
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=1)
    smu.enable()
    smu.hold(0.1)
    assert smu.source_voltage_range == 2.1
    with pytest.raises(InstrumentError, match="-222"):
        smu.hold(3.0)
    smu.close()


@pytest.mark.parametrize(("voltage", "step"), [(4.6, 20.0), (20.5, 40.0), (121.0, 160.0), (161.0, 210.0)])
def test_it_holds_its_source_back_at_the_next_step(smu, port, voltage, step):
    smu.protect(voltage)
    assert smu.voltage_protection == step
    smu.enable()
    smu.hold(200.0)
    assert port.volts == min(step, 200.0)
    assert smu.protection_tripped is (step < 200.0)


def test_a_protection_other_than_asked_for_is_found_out(smu, twin):
    write = twin.write
    twin.write = lambda data, end=True: write(data.replace(b"PROT 2.000000000e+01", b"PROT NONE"), end)
    with pytest.raises(InstrumentError, match=r"set its overvoltage protection to 210\.0, not 20\.0"):
        smu.protect(5.0)


def test_values_beyond_the_instrument_raise_before_anything_is_sent(smu, twin):
    sent = []
    twin.write = lambda data, end=True: sent.append(data)
    for attempt in (
        lambda: smu.hold(211.0),
        lambda: smu.read(math.nan),
        lambda: smu.configure(current_limit=2.0, current_range=1e-4, nplc=1),
        lambda: smu.configure(current_limit=1e-4, current_range=2.0, nplc=1),
        lambda: smu.sweep([0.1], delay=1000.0),
        lambda: setattr(smu, "nplc", 20),
    ):
        with pytest.raises(LimitError, match="beyond what the instrument can do"):
            attempt()
    assert sent == []
    with pytest.raises(LimitError, match="source range 300 V"):
        Keithley2400(ADDRESS, "bench@mho", voltage_range=300.0)


def test_level_and_limit_beyond_its_power_are_refused(smu):
    smu.configure(current_limit=1.0, current_range=1.0, nplc=1)
    with pytest.raises(InstrumentError, match="826, Attempt to exceed power limit"):
        smu.hold(22.0)


def test_make_safe_works_after_a_lost_reply_and_during_a_sweep(smu, rack, port):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=1)
    smu.enable()
    rack.faults.append(Fault(ADDRESS, "timeout", match=b"LIST;:READ"))
    with pytest.raises(InstrumentError, match="VI_ERROR_TMO"):
        smu.sweep([0.2, 0.3])
    smu.make_safe()
    assert (port.volts, port.connected, smu.output_enabled, smu.source_voltage) == (0.0, True, False, 0.0)


def test_properties_read_back_what_was_set(smu):
    values = {
        "source_voltage_range": 2.1, "four_wire": True, "output_off_mode": "HIMP", "terminals": "REAR",
        "auto_zero": False, "source_function": "CURR",
    }  # fmt: skip
    for name, value in values.items():
        setattr(smu, name, value)
    assert {name: getattr(smu, name) for name in values} == values
    assert smu.settings()["output_off_mode"] == "HIMP"
    smu.abort()


# --- the driver against the wire ---

FINE = '0,"No error"'
OPENING = [("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30"), (":SYST:ERR?", FINE)]
READ = ":SOUR:VOLT 2.000000000e-01;:READ?;:SOUR:VOLT 0;:SYST:ERR?"


@pytest.mark.parametrize(
    ("status", "tripped"), [("+5.324400E+04", True), ("+5.323600E+04", False), ("+1.187720E+05", True)]
)
def test_a_read_is_one_message_and_two_bits_say_that_it_was_limited(status, tripped):
    with expected_protocol(
        Keithley2400, [*OPENING, (READ, f"+1.999830E-01,+4.001200E-06,{status};{FINE}")]
    ) as smu:
        assert smu.read(0.2) == (0.199983, 4.0012e-06, tripped)


def test_an_overflow_reads_as_nan():
    with expected_protocol(
        Keithley2400, [*OPENING, (READ, f"+1.999830E-01,+9.900000E+37,+1.0E+00;{FINE}")]
    ) as smu:
        assert math.isnan(smu.read(0.2).current)


def test_what_configuring_sends():
    volts = ':SENS:FUNC:CONC ON;:SENS:FUNC "VOLT","CURR";:FORM:ELEM VOLT,CURR,STAT'
    pairs = [
        (":SOUR:FUNC?", "CURR"),
        (f":SOUR:FUNC VOLT;{':SYST:ERR?'}", FINE),
        (f":SOUR:VOLT:MODE FIX;:SOUR:VOLT:RANG:AUTO ON;:SOUR:CLE:AUTO OFF;{volts};:SYST:ERR?", FINE),
        (":SENS:CURR:RANG 1.000000000e-06;:SYST:ERR?", FINE),
        (":SENS:CURR:PROT 1.000000000e-07;:SYST:ERR?", FINE),
        (":SENS:CURR:RANG 1.000000000e-06;:SYST:ERR?", FINE),
        (":SENS:CURR:PROT 1.000000000e-07;:SYST:ERR?", FINE),
        (":SENS:CURR:NPLC 1.000000000e+00;:SYST:ERR?", FINE),
        (":SYST:LFR?", "50"),
        (":SENS:CURR:PROT?", "+1.050000E-04"),
    ]
    with (
        expected_protocol(Keithley2400, [*OPENING, *pairs]) as smu,
        pytest.raises(InstrumentError, match=r"current limit of 0\.000105 A instead of 1e-07 A"),
    ):
        smu.configure(current_limit=1e-7, current_range=1e-5, nplc=1)


# --- the twin against the manual ---


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":SOUR:VOLT 211", -222), (":SOUR:VOLT:RANG 2;:SOUR:VOLT 3", -222), (":SOUR:VOLT 5;:SOUR:VOLT:RANG 2", -221),
        (":SENS:CURR:PROT 1;:SOUR:VOLT 22", 826), (":SOUR:VOLT 22;:SENS:CURR:PROT 1", 826),
        (":SENS:CURR:PROT 1;:SOUR:VOLT:RANG 200", 826), (":SOUR:CURR 0.5;:SENS:VOLT:PROT 100", 826),
        (":READ?", 803), (":INIT", 803), (":SENS:CURR:RANG 1e-3", 824), (":SENS:VOLT:RANG 2", 823),
        (":SOUR:FUNC CURR;:SENS:CURR:RANG 1e-6", 823), (":SENS:CURR:PROT 1e-8", 822),
        (":SOUR:LIST:VOLT " + ",".join(["1"] * 101), -223), (":FETC?", -230), (":TRAC:DATA?", -230),
        (":CALC3:DATA?", -230), ("*TRG", -211), (":ARM:COUN 100;:TRIG:COUN 26", -221),
        (":TRIG:COUN 100;:ARM:COUN 26", -221), (":TRAC:FEED:CONT NEXT;:TRAC:POIN 5", 800), (":SYST:LFR 55", -104),
        (":SENS:FUNC 'RES';:SOUR:CURR 1e-3", 825), (":SOUR:VOLT:STAR 0;STOP 1;STEP -1", -222),
        (":OUTP ON;:SOUR:VOLT:MODE SWE;:SOUR:SWE:SPAC LOG;:INIT", -221), (":FORM REAL", -224),
        (":SENS:CURR:NPLC 11", -222), (":OUTP ON;:ARM:SOUR BUS;:INIT;:INIT", -213),
    ],
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    twin.write(message.encode())
    assert error_of(twin) == code
    assert error_of(twin) == 0


def test_reset_gives_the_documented_defaults(twin, port):
    twin.write(b":SOUR:VOLT 3;:OUTP ON;:SENS:CURR:PROT 1e-3;:SENS:CURR:NPLC 5;:SOUR:LIST:VOLT 1,2;:READ?")
    twin.read()
    twin.write(b":OUTP:SMOD HIMP;:FORM:ELEM CURR;:ARM:SOUR BUS;:TRAC:FEED:CONT NEXT;*RST")
    assert ask(twin, ":SOUR:VOLT?;:OUTP?;:SENS:CURR:PROT?;:SENS:VOLT:NPLC?;:OUTP:SMOD?;:ARM:SOUR?") == (
        "+0.000000E+00;0;+1.050000E-04;+1.000000E+00;NORM;IMM"
    )
    assert (
        ask(twin, ":SENS:FUNC?;:FORM:ELEM?;:SOUR:LIST:VOLT?")
        == '"CURR:DC";VOLT,CURR,RES,TIME,STAT;+0.000000E+00'
    )
    assert ask(twin, ":FETC?") == ""
    assert error_of(twin) == -230
    assert (port.volts, port.connected) == (0.0, True)


def test_what_is_not_measured_is_programmed_or_no_number(twin):
    assert numbers(twin, ":OUTP ON;:SOUR:VOLT 0.5;:READ?")[:3] == pytest.approx([0.5, 1e-5, 9.91e37])
    assert numbers(twin, ":SENS:RES:MODE MAN;:SENS:FUNC:ALL;:SOUR:VOLT 0.5;:READ?")[:3] == pytest.approx(
        [0.5, 1e-5, 5e4], rel=1e-4
    )
    assert ask(twin, ":SENS:FUNC:OFF 'RES';:SENS:FUNC?;FUNC:COUN?") == '"VOLT:DC","CURR:DC";2'
    assert ask(twin, ":SENS:FUNC:CONC OFF;:SENS:FUNC 'VOLT';:SENS:FUNC?") == '"VOLT:DC"'
    assert ask(twin, ":SENS:FUNC:OFF:ALL;:SENS:FUNC:COUN?") == "0"


def test_each_function_takes_its_aperture(twin):
    def seconds(message):
        begun = twin.clock.now
        ask(twin, message)
        return twin.clock.now - begun

    assert seconds(":OUTP ON;:SENS:CURR:NPLC 6;:SOUR:DEL 0.25;:READ?") == pytest.approx(0.35, abs=1e-3)
    assert seconds(":SENS:FUNC 'VOLT';:READ?") == pytest.approx(0.45, abs=1e-3)
    assert seconds(":TRIG:DEL 1;:TRIG:COUN 2;:READ?") == pytest.approx(2 * 1.45, abs=1e-2)
    assert seconds(":ARM:SOUR TIM;:ARM:TIM 10;:ARM:COUN 3;:READ?") == pytest.approx(20 + 2.9, abs=0.1)
    assert ask(twin, ":SOUR:DEL:AUTO?") == "0"


def test_ranges_follow_what_is_measured_and_a_fixed_one_holds_the_current(twin, port):
    twin.write(b":OUTP ON;:SENS:CURR:PROT 1e-2;:SOUR:VOLT 0.01")
    ask(twin, ":READ?")
    assert ask(twin, ":SENS:CURR:RANG?;:SOUR:VOLT:RANG?") == "+1.050000E-06;+2.100000E-01"
    twin.write(b":SOUR:VOLT 2;:READ?")
    twin.read()
    assert ask(twin, ":SENS:CURR:RANG?;:SOUR:VOLT:RANG?") == "+1.050000E-04;+2.100000E+00"
    *_, status = numbers(twin, ":SENS:CURR:RANG 1e-5;:READ?")
    assert int(status) & (LIMITED | RANGE_LIMITED) == RANGE_LIMITED
    assert twin.limit == pytest.approx(1.05e-5)
    *_, status = numbers(twin, ":SENS:CURR:PROT 1e-5;:READ?")
    assert int(status) & (LIMITED | RANGE_LIMITED) == LIMITED
    assert ask(twin, ":SENS:CURR:RANG:AUTO?;:SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "0;1;0"


# Front terminals, amperes measured, volts sourced
USUAL = 1 << 2 | 1 << 12 | 1 << 14


@pytest.mark.parametrize(
    ("message", "differ"),
    [
        ("", 0), (":ROUT:TERM REAR", 1 << 2), (":SENS:FUNC 'VOLT'", 1 << 11), (":SYST:RSEN ON", 1 << 22),
        (":SENS:AVER ON", 1 << 1), (":SOUR:VOLT:PROT 20;:SOUR:VOLT 30", 1 << 3 | 1 << 4),
        (":SOUR:FUNC CURR", 3 << 14), (":SOUR:VOLT 3;:SENS:CURR:RANG 1e-6;:SENS:CURR:PROT 1e-4", 1 << 16),
        (":SENS:FUNC 'RES'", 1 << 10 | 1 << 13 | 3 << 14),
    ],
)  # fmt: skip
def test_the_bits_of_the_status_word(twin, message, differ):
    assert int(numbers(twin, f"{message};:OUTP ON;:FORM:ELEM STAT;:READ?")[0]) == USUAL ^ differ


def test_a_current_source_finds_its_voltage_or_its_limit(twin, port):
    twin.write(b":SOUR:FUNC CURR;:SOUR:CURR 1e-5;:OUTP ON;:SENS:FUNC 'VOLT'")
    volts, amperes, _, _, status = numbers(twin, ":READ?")
    assert (volts, amperes, int(status) & LIMITED) == (pytest.approx(0.5, rel=1e-3), pytest.approx(1e-5), 0)
    assert twin.limit == pytest.approx(1e-5)
    volts, amperes, _, _, status = numbers(twin, ":SOUR:CURR 1e-3;:READ?")
    assert (volts, amperes, int(status) & LIMITED) == (21.0, pytest.approx(4.2e-4), LIMITED)
    assert ask(twin, ":SENS:VOLT:PROT:TRIP?;:SENS:CURR:PROT:TRIP?") == "1;0"
    twin.write(b":SOUR:FUNC VOLT")
    assert (ask(twin, ":OUTP?"), port.volts) == ("0", 0.0)


@pytest.mark.parametrize(("ohms", "end"), [(50e3, 2.1e5), (470.0, 2.1e3), (5e7, 2.1e8)])
def test_the_ohmmeter_takes_the_source_and_finds_its_range(twin, port, ohms, end):
    port.conductance = 1 / ohms
    assert numbers(twin, ":OUTP ON;:MEAS:RES?")[2] == pytest.approx(ohms, rel=1e-3)
    assert float(ask(twin, ":SENS:RES:RANG?")) == end
    assert ask(twin, ":SOUR:FUNC?;:OUTP?") == "CURR;1"
    port.conductance = 0.0
    assert numbers(twin, ":MEAS:RES?")[2] == 9.9e37


@pytest.mark.parametrize(
    ("sweep", "levels"),
    [
        (":SOUR:VOLT:STAR 0;STOP 1;STEP 0.25", [0, 0.25, 0.5, 0.75, 1]),
        (":SOUR:VOLT:STAR 0;STOP 1;:SOUR:SWE:POIN 3;DIR DOWN", [1, 0.5, 0]),
        (":SOUR:VOLT:STAR -0.01;STOP -1;:SOUR:SWE:POIN 3;SPAC LOG", [-0.01, -0.1, -1]),
        (":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 1,2;:SOUR:LIST:VOLT:APP 3", [1, 2, 3]),
    ],
)
def test_staircases_and_lists_are_played_point_by_point(twin, port, sweep, levels):
    twin.write(f":SOUR:VOLT:MODE SWE;{sweep};:OUTP ON;:TRIG:COUN {len(levels)};:FORM:ELEM VOLT".encode())
    port.history.clear()
    assert numbers(twin, ":READ?") == pytest.approx(levels, abs=1e-12)
    assert port.history == pytest.approx(levels, abs=1e-12)
    assert numbers(twin, ":FETC?") == pytest.approx(levels, abs=1e-12)


def test_the_buffer_fills_once_and_says_so(twin):
    twin.write(
        b":STAT:MEAS:ENAB 512;*SRE 1;:TRAC:POIN 3;:TRAC:FEED:CONT NEXT;:TRIG:COUN 5;:FORM:ELEM VOLT;:OUTP ON"
    )
    twin.write(b":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 1,2,6,7,8")
    assert int(ask(twin, "*STB?")) & 65 == 0
    twin.write(b":INIT")
    assert int(ask(twin, "*STB?")) & 65 == 65
    assert numbers(twin, ":TRAC:DATA?") == pytest.approx([1, 2, 6])
    assert ask(twin, ":TRAC:POIN:ACT?;:TRAC:FEED:CONT?;:STAT:MEAS?;:STAT:MEAS?") == "3;NEV;512;0"
    found = {
        name: numbers(twin, f":CALC3:FORM {name};:CALC3:DATA?")[0]
        for name in ("MEAN", "MAX", "MIN", "SDEV", "PKPK")
    }
    assert found == pytest.approx(
        {"MEAN": 3, "MAX": 6, "MIN": 1, "SDEV": np.std([1, 2, 6], ddof=1), "PKPK": 5}
    )
    assert ask(twin, ":TRAC:CLE;:TRAC:POIN:ACT?") == "0"


def test_a_bus_trigger_passes_the_arm_layer(twin):
    twin.write(b":OUTP ON;:ARM:SOUR BUS;:ARM:COUN 2;:TRIG:COUN 3;:INIT")
    twin.trigger()
    twin.write(b"*TRG")
    assert len(numbers(twin, ":FORM:ELEM CURR;:FETC?")) == 6
    twin.trigger()
    assert error_of(twin) == -211
    assert ask(twin, ":ARM:SOUR MAN;:READ?") == ""
    twin.write(b":ABOR;:ARM:SOUR IMM")
    assert numbers(twin, ":READ?")
    assert error_of(twin) == -420  # of the reply that never came


def test_the_output_goes_off_after_a_reading_where_that_is_wanted(twin, port):
    twin.write(b":SOUR:CLE:AUTO ON;:SOUR:VOLT 0.5")
    assert numbers(twin, ":READ?")[1] == pytest.approx(1e-5)
    assert (ask(twin, ":OUTP?"), port.volts) == ("0", 0.0)
    twin.write(b":OUTP ON;:SOUR:CLE")
    assert ask(twin, ":OUTP?") == "0"


@pytest.mark.parametrize(
    ("mode", "connected"), [("NORM", True), ("ZERO", True), ("HIMP", False), ("GUAR", False)]
)
def test_what_it_is_when_off(twin, port, mode, connected):
    twin.write(f":SOUR:VOLT 1;:OUTP ON;:OUTP:SMOD {mode};:OUTP OFF".encode())
    assert (port.volts, port.connected) == (0.0, connected)


def test_an_open_interlock_blocks_the_output_where_it_is_used(twin):
    twin.interlock = False
    assert ask(twin, ":OUTP:ENAB:TRIP?;:OUTP ON;:OUTP?") == "0;1"
    twin.write(b":OUTP OFF;:OUTP:ENAB ON;:OUTP ON")
    assert (error_of(twin), ask(twin, ":OUTP?")) == (802, "0")


@pytest.mark.parametrize("kind", ["REP", "MOV"])
def test_filters_take_the_noise_down(port, kind):
    def spread(message):
        twin = SimulatedKeithley2400(VirtualClock(), np.random.default_rng(4), port, noise=1e-4)
        twin.write(f":SENS:CURR:RANG 1e-4;:FORM:ELEM CURR;:OUTP ON;{message}".encode())
        return np.std([numbers(twin, ":READ?")[0] for _ in range(400)][20:])

    plain = spread(":SENS:AVER OFF")
    assert plain == pytest.approx(1e-8, rel=0.15)
    assert plain / spread(":SENS:CURR:NPLC 0.01") == pytest.approx(0.1, rel=0.15)
    assert plain / spread(f":SENS:AVER:TCON {kind};COUN 16;:SENS:AVER ON") == pytest.approx(4.0, rel=0.25)


def test_the_line_frequency_is_set_and_kept(twin):
    assert ask(twin, ":SYST:LFR?;LFR:AUTO?;:SYST:LFR 50;*RST;:SYST:LFR?;LFR:AUTO?") == "60;1;50;0"
    assert twin.meter.aperture == pytest.approx(0.02)


def test_same_seed_same_instrument(port):
    def first(seed):
        twin = SimulatedKeithley2400(VirtualClock(), np.random.default_rng(seed), port)
        return ask(twin, ":OUTP ON;:SOUR:VOLT 0.2;:READ?")

    assert first(1) == first(1) != first(2)


# --- on a bench ---


@pytest.fixture
def bench(tmp_path):
    """The simulated bench with a 2400 on the bit line and another as gate."""
    text = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
    for name, number in (("smu", 24), ("gate", 25)):
        text, count = re.subn(
            rf"(\[instruments\.{name}\]\n)driver = .*\naddress = .*\n",
            rf'\1driver = "keithley2400"\naddress = "GPIB0::{number}::INSTR"\n',
            text,
        )
        assert count == 1
    path = tmp_path / "two-2400.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_the_limit_of_a_2400_ends_a_set(bench):
    cell, limit = Cell("multiply", 2, 3), 1e-5
    with open_bench(bench, seed=1, preset="ideal") as opened:
        opened.prepare()
        opened.instruments.smu.configure(current_limit=limit, current_range=limit, nplc=0.01)
        readings = opened.sweep(cell, [1.0, 3.6, 0.2])
        assert [reading.tripped for reading in readings] == [False, True, False]
        assert 0.6 < limit / opened.read(cell) < 1.0


def test_two_2400_program_and_read_cells(bench, tmp_path):
    result = run(Program(digits=[[0, 3], [5, 7]]), bench, seed=1, output=tmp_path / "a.h5")
    assert result.path.exists()
    with open_bench(bench, seed=1, preset="ideal") as opened:
        opened.pulse(Cell("multiply", 3, 4), Pulse("set", 3.3, 1e-6, 1.6))
        assert opened.read(Cell("multiply", 3, 4)) == pytest.approx(28e-6, rel=0.02)
        assert opened.laboratory.incidents == []


def test_the_command_line_draws_a_curve_with_two_2400(bench, tmp_path):
    done = CliRunner().invoke(
        app, ["run", "iv", "--bench", bench, "--seed", "1", "--output", str(tmp_path / "iv.h5")]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "iv.h5").exists()
