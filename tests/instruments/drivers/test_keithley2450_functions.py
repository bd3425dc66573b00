"""The simulated 2450 beyond volts out and amperes in: sourced currents, volts, ohms, filters, buffers, the panel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wired_twins import ask

from mho.instruments.simulated.analogue import PROBE, regulate
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450

SIEMENS = 1e-4


class Load:
    """A port with a conductance (S) that may switch on at a threshold (V), and remembers what it saw."""

    def __init__(self, conductance: float = SIEMENS, threshold: float = math.inf) -> None:
        self.conductance = conductance
        self.threshold = threshold
        self.volts: float | None = None
        self.highest = 0.0

    def drive(self, volts: float, *, connected: bool) -> None:
        self.volts = volts if connected else None

    def current(self, volts: float, aperture: float) -> float:
        self.highest = max(self.highest, abs(volts))
        if abs(volts) >= self.threshold:
            self.conductance, self.threshold = SIEMENS, math.inf
        return volts * self.conductance


def twin(load: Load, **options: float) -> SimulatedKeithley2450:
    return SimulatedKeithley2450(
        VirtualClock(), np.random.default_rng(2), load, **{"accuracy": 0.0, "noise": 0.0, **options}
    )


@pytest.fixture
def load() -> Load:
    return Load()


@pytest.fixture
def smu(load: Load) -> SimulatedKeithley2450:
    return twin(load)


def numbers(device: SimulatedKeithley2450, message: str) -> list[float]:
    return [float(text) for text in ask(device, message).split(",")]


def error(device: SimulatedKeithley2450) -> int:
    return int(ask(device, ":SYST:ERR?").split(",")[0])


# --- sourcing current ---


@pytest.mark.parametrize("amperes", [1e-6, -1e-4, 1e-3])
def test_a_sourced_current_finds_its_voltage(smu, load, amperes):
    smu.write(f':SOUR:FUNC CURR;:SOUR:CURR {amperes};:SENS:FUNC "VOLT";:OUTP ON'.encode())
    assert load.volts == pytest.approx(amperes / SIEMENS, rel=1e-3)
    source, volts = numbers(smu, ':READ? "defbuffer1",SOUR,READ')
    assert (source, volts) == pytest.approx((amperes, amperes / SIEMENS), rel=1e-3)
    assert ask(smu, ":SOUR:CURR:VLIM:TRIP?;:SOUR:VOLT:ILIM:TRIP?") == "0;0"


def test_an_open_load_takes_the_current_source_to_its_voltage_limit(load, smu):
    load.conductance = 1e-12
    smu.write(b':SOUR:FUNC CURR;:SOUR:CURR 1e-6;:SOUR:CURR:VLIM 2;:SENS:FUNC "VOLT";:OUTP ON')
    assert load.volts == 2.0
    volts, status = numbers(smu, ':READ? "defbuffer1",READ,SOURSTAT')
    assert volts == pytest.approx(2.0)
    assert int(status) & 32
    assert ask(smu, ":SOUR:CURR:VLIM:TRIP?") == "1"
    load.conductance = SIEMENS  # the contact closes
    assert numbers(smu, ":READ?") == [pytest.approx(1e-2, rel=1e-3)]
    assert ask(smu, ":SOUR:CURR:VLIM:TRIP?") == "0"


def test_a_cell_that_switches_on_the_way_up_does_so_at_its_threshold_not_at_the_limit():
    load = Load(1e-7, threshold=1.5)
    smu = twin(load)
    smu.write(b':SOUR:FUNC CURR;:SOUR:CURR 1e-4;:SOUR:CURR:VLIM 20;:SENS:FUNC "VOLT";:OUTP ON')
    assert 1.5 <= load.highest < 3.1
    assert load.volts == pytest.approx(1.0, rel=1e-3)


def test_a_change_of_the_sources_function_switches_the_output_off(smu, load):
    smu.write(b":SOUR:VOLT 1;:OUTP ON;:SOUR:FUNC CURR")
    assert ask(smu, ":OUTP?") == "0"
    assert load.volts == 0.0
    smu.write(b":OUTP:CURR:SMOD HIMP")
    assert load.volts is None
    smu.write(b":OUTP:CURR:SMOD GUAR")  # a current source at 0 A: nothing holds the line
    assert load.volts is None
    smu.write(b":OUTP:SMOD ZERO")
    assert ask(smu, ":OUTP:CURR:SMOD?;:OUTP:VOLT:SMOD?") == "ZERO;ZERO"
    assert load.volts == 0.0


def test_current_ranges_follow_the_level_or_hold_it(smu):
    smu.write(b":SOUR:CURR 5e-5")
    assert ask(smu, ":SOUR:CURR:RANG?") == "1.000000E-08"  # volts are sourced: nothing has been chosen
    smu.write(b":SOUR:FUNC CURR")
    assert ask(smu, ":SOUR:CURR:RANG?") == "1.000000E-04"
    smu.write(b":SOUR:CURR:RANG 2e-3;:SOUR:CURR 2e-2")
    assert error(smu) == -222
    assert ask(smu, ":SOUR:CURR:RANG?;:SOUR:CURR:RANG:AUTO?") == "1.000000E-02;0"


@pytest.mark.parametrize(
    ("message", "code"),
    [(":SOUR:CURR 1.06", -222), (":SOUR:CURR:VLIM 0.01", -222), (":SOUR:CURR:VLIM 211", -222), (":SOUR:CURR:RANG 2", -222),
     (":SENS:VOLT:RANG 0.2;:SOUR:CURR:VLIM 1", -221), (':SENS:FUNC "RES";:SOUR:FUNC VOLT', -221),
     (":SENS:COUN 0", -222), (":SENS:CURR:AVER:COUN 101", -222), (":SENS:CURR:AVER:TCON BOTH", -224),
     (":SYST:BEEP 10,1", -222), (":SYST:BEEP 100", -109), (":ROUT:TERM BACK", -224), (":DISP:SCR KITCHEN", -224),
     (":SENS:VOLT:RANG 201", -222), (":SENS:RES:RANG 1", -222), (":TRAC:MAKE 'mine',9", -222),
     (":TRAC:MAKE 'mine',10;:TRAC:MAKE 'mine',10", 1115), (":TRAC:MAKE 'mine',10,TINY", -224),
     (":TRAC:MAKE 'mine',10,WRIT;:READ? 'mine'", -221), (":TRAC:STAT:AVER?", -221), (":SENS:FREQ:NPLC 1", -113),
     (":SOUR:RES 1", -113), (":MEAS:FREQ?", -113), (":SOUR:SWE:CURR:LIN 0,1e-6,3;:INIT", -221),
     (":SOUR:SWE:VOLT:LIN 0,1,1000000", -221), (":SOUR:SWE:VOLT:LIN 0,1,100,0,1000000", -221),
     (":SOUR:SWE:VOLT:LOG 0,1,10", -222), (":SOUR:SWE:VOLT:LIN:STEP 0,1,-0.1", -222), (":SENS:COUN 200000;:READ?", -221)],
)  # fmt: skip
def test_what_the_instrument_refuses(smu, message, code):
    smu.write(message.encode())
    smu._output = b""
    assert error(smu) == code


def test_volts_beyond_42_need_the_interlock_whoever_asks_for_them(load):
    smu = twin(load, interlock=False)
    smu.write(b":SOUR:CURR:VLIM 50")
    assert error(smu) == -221
    smu.write(b":SOUR:SWE:VOLT:LIN 0,50,3")
    assert error(smu) == -221


# --- measuring ---


def test_measuring_what_is_sourced_uses_the_sources_range_and_keeps_the_own(smu):
    smu.write(b':SOUR:VOLT:ILIM 1e-3;:SENS:VOLT:RANG 0.2;:SENS:FUNC "VOLT";:SOUR:VOLT 5;:OUTP ON')
    assert numbers(smu, ":READ?") == [pytest.approx(5.0)]
    assert ask(smu, ":SENS:VOLT:RANG?") == "2.000000E-01"
    smu.write(b":SOUR:FUNC CURR;:SOUR:CURR 1e-4;:SOUR:CURR:VLIM 0.2;:OUTP ON")
    assert numbers(smu, ":READ?") == [pytest.approx(0.2)]


@pytest.mark.parametrize("ohms", [33.0, 4.7e3, 1e4, 6.8e5, 3.3e7])
def test_the_ohmmeter_finds_its_range_and_takes_the_source_over(ohms):
    load = Load(1.0 / ohms)
    smu = twin(load)
    smu.write(b':SENS:FUNC "RES";:OUTP ON')
    assert ask(smu, ":SOUR:FUNC?;:SENS:FUNC?") == 'CURR;"RES"'
    assert numbers(smu, ":READ?") == [pytest.approx(ohms, rel=1e-3)]
    assert load.highest < 21.1
    assert ask(smu, ':FETC? "defbuffer1",UNIT') == "Ohm"


def test_an_open_ohmmeter_and_a_range_too_small_overflow(load, smu):
    smu.write(b':SENS:FUNC "RES";:SENS:RES:RANG 2e3;:OUTP ON')
    assert numbers(smu, ":READ?") == [9.9e37]
    load.conductance = 1e-13
    smu.write(b":SENS:RES:RANG:AUTO ON")
    assert numbers(smu, ":READ?") == [9.9e37]


def test_measuring_by_function_selects_it_for_good(smu):
    smu.write(b":SOUR:VOLT 0.5;:OUTP ON")
    assert numbers(smu, ":MEAS:CURR?") == [pytest.approx(5e-5)]
    assert numbers(smu, ":MEAS:VOLT:DC?") == [pytest.approx(0.5)]
    assert ask(smu, ":SENS:FUNC?") == '"VOLT:DC"'
    assert numbers(smu, ":MEAS?") == [pytest.approx(0.5)]


def test_a_count_fills_the_buffer_and_answers_the_last(smu):
    smu.write(b":SOUR:VOLT 1;:OUTP ON;:SENS:COUN 5")
    assert numbers(smu, ":MEAS?") == [pytest.approx(1e-4)]
    assert ask(smu, ":TRAC:ACT?") == "5"
    smu.write(b":TRAC:CLE;:TRAC:TRIG")
    assert numbers(smu, ':TRAC:DATA? 1,5,"defbuffer1"') == pytest.approx([1e-4] * 5)


def test_a_filter_takes_its_time_and_quietens(load):
    def spread(setting: str) -> tuple[float, float]:
        smu = twin(load, noise=1e-4)
        smu.write(f":SENS:CURR:RANG 1e-4;:SENS:CURR:NPLC 0.1;:OUTP ON{setting}".encode())
        readings = [numbers(smu, ":READ?")[0] for _ in range(300)]
        return float(np.std(readings[20:])), smu.clock.now

    raw, seconds = spread("")
    repeat, longer = spread(";:SENS:CURR:AVER:COUN 16;TCON REP;STAT ON")
    moving, same = spread(";:SENS:CURR:AVER:COUN 16;TCON MOV;STAT ON")
    assert raw / repeat == pytest.approx(4.0, rel=0.25)
    assert raw / moving == pytest.approx(4.0, rel=0.4)
    assert longer > 2 * seconds
    assert same == pytest.approx(seconds)


# --- sweeps ---


def test_currents_are_swept_in_lines_steps_decades_and_lists(smu):
    smu.write(b':SOUR:FUNC CURR;:SENS:FUNC "VOLT"')
    for sweep, expected in (
        (":SOUR:SWE:CURR:LIN 1e-6,3e-6,3", [1e-6, 2e-6, 3e-6]),
        (":SOUR:SWE:CURR:LIN:STEP 1e-6,3e-6,1e-6", [1e-6, 2e-6, 3e-6]),
        (":SOUR:SWE:CURR:LOG 1e-6,1e-4,3", [1e-6, 1e-5, 1e-4]),
        (":SOUR:LIST:CURR 1e-6,5e-6;:SOUR:SWE:CURR:LIST 1", [1e-6, 5e-6]),
    ):
        smu.write(f":TRAC:CLE;{sweep};:INIT".encode())
        data = numbers(smu, f':TRAC:DATA? 1,{len(expected)},"defbuffer1",SOUR,READ')
        assert data[::2] == pytest.approx(expected, rel=1e-5)
        assert data[1::2] == pytest.approx([amperes / SIEMENS for amperes in expected], rel=1e-3)
        assert error(smu) == 0


def test_a_sweep_ends_where_the_limit_is_reached_if_so_told(smu):
    smu.write(b":SOUR:VOLT:ILIM 1.5e-4;:SOUR:SWE:VOLT:LIN 0,4,5,0,1,AUTO,ON;:INIT")
    assert ask(smu, ":TRAC:ACT?;:OUTP?") == "3;0"
    smu.write(b":TRAC:CLE;:SOUR:SWE:VOLT:LIN 0,4,5,0,1,AUTO,OFF;:INIT")
    assert ask(smu, ":TRAC:ACT?;:OUTP?") == "5;0"


def test_a_sweep_on_a_fixed_range_that_does_not_hold_it_is_refused(smu):
    smu.write(b":SOUR:VOLT:RANG 2;:SOUR:SWE:VOLT:LIN 0,4,5,0,1,FIX")
    assert error(smu) == -221
    smu.write(b":SOUR:SWE:VOLT:LIN 0,4,5,0,1,BEST")
    assert ask(smu, ":SOUR:VOLT:RANG?;:SOUR:VOLT:RANG:AUTO?") == "2.000000E+01;0"


# --- buffers ---


def test_a_users_buffer_takes_an_empty_style_and_goes_with_a_reset(smu):
    smu.write(b":TRAC:MAKE 'mine', 100, ")  # as QCoDeS sends it
    assert error(smu) == 0
    smu.write(b"*RST")
    assert ask(smu, ":TRAC:ACT?") == "0"
    smu.write(b":TRAC:ACT? 'mine'")
    assert error(smu) == -224


def test_a_reading_is_dated_formatted_and_has_its_units(smu):
    smu.write(b":SOUR:VOLT 0.25;:OUTP ON;:READ?")
    smu.read()
    reply = ask(smu, ':FETC? "defbuffer1",DATE,FORM,SOURFORM,UNIT,SOURUNIT')
    assert reply == "01/01/2025,+025.0000 uA,+250.0000 mV,Amp DC,Volt DC"
    time, stamp = ask(smu, ':FETC? "defbuffer1",TIME,TST').split(",")
    assert stamp == f"01/01/2025 {time}"


def test_statistics_are_those_of_the_buffer(smu):
    smu.write(b':SOUR:VOLT:ILIM 1e-3;:SENS:FUNC "VOLT";:SOUR:SWE:VOLT:LIN 0,4,5,0,1,AUTO,OFF;:INIT')
    names = ("AVER", "MIN", "MAX", "STDD", "PK2P")
    found = [float(ask(smu, f":TRAC:STAT:{name}? 'defbuffer1'")) for name in names]
    assert found == pytest.approx([2.0, 0.0, 4.0, math.sqrt(2.5), 4.0], rel=1e-5, abs=1e-6)


# --- the panel ---


def test_the_panel_shows_beeps_and_switches_terminals(smu, load):
    smu.write(b":SOUR:VOLT 1;:OUTP ON;:ROUT:TERM REAR")
    assert ask(smu, ":ROUT:TERM?;:OUTP?") == "REAR;0"
    smu.write(b":DISP:SCR GRAP;:DISP:USER1:TEXT 'forming';:DISP:CURR:DIG 6;:DISP:LIGH:STAT OFF")
    assert (smu.screen, smu.shown["1"]) == ("GRAP", "forming")
    assert ask(smu, ":DISP:CURR:DIG?;:DISP:VOLT:DIG?;:DISP:LIGH:STAT?") == "6;5;OFF"
    before = smu.clock.now
    smu.write(b":DISP:CLE;:SYST:BEEP 400,0.5")
    assert smu.shown["1"] == ""
    assert smu.clock.now == before + 0.5
    assert error(smu) == 0


# --- the current source by itself ---


@given(st.floats(1e-9, 1e-1), st.floats(1e-9, 1.0), st.floats(0.02, 210.0), st.floats(-300.0, 300.0))
def test_it_regulates_or_says_that_it_cannot(amperes, siemens, limit, start):
    found = regulate(lambda volts: volts * siemens, amperes, limit, start)
    assert abs(found.volts) <= limit
    if amperes < siemens * limit * (1 - 1e-6):
        assert found == (pytest.approx(amperes / siemens, rel=1e-3), amperes, False)
    elif amperes > siemens * limit * (1 + 1e-6):
        assert found == (pytest.approx(limit), pytest.approx(siemens * limit), True)


def test_it_regulates_through_noise_and_gives_up_nowhere():
    rng = np.random.default_rng(1)
    found = [
        regulate(lambda volts: volts * SIEMENS * (1 + 0.1 * rng.standard_normal()), 1e-4, 20.0).volts
        for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(1.0, abs=0.05)
    assert regulate(lambda volts: 0.0, 1e-6, 5.0) == (5.0, 0.0, True)
    assert regulate(lambda volts: volts, 0.0, 5.0) == (0.0, 0.0, False)
    assert PROBE < 0.02


@pytest.mark.parametrize(
    ("before", "beyond"),
    [
        ("SOUR:VOLT 30", "SOUR:VOLT:ILIM 0.2"), ("SOUR:VOLT:ILIM 0.2", "SOUR:VOLT 30"),
        ("SOUR:VOLT:ILIM 1", "SOUR:VOLT:RANG 200"), ("SOUR:VOLT:RANG 200", "SOUR:VOLT:ILIM 1"),
        ("SOUR:CURR 0.5", "SOUR:CURR:VLIM 40"), ("SOUR:CURR:VLIM 40", "SOUR:CURR 0.5"),
        ("SOUR:CURR:VLIM 40", "SOUR:CURR:RANG 1"), ("SOUR:CURR:RANG 1", "SOUR:CURR:VLIM 40"),
        ("SOUR:VOLT:ILIM 0.2", "SOUR:SWE:VOLT:LIN 0,30,2"),
        ("SOUR:LIST:VOLT 30;:SOUR:SWE:VOLT:LIST 1,0.1;:SOUR:VOLT:ILIM 0.2", "INIT"),
    ],
)  # fmt: skip
def test_level_and_limit_together_stay_within_twenty_watts(smu, before, beyond):
    smu.write(before.encode())
    assert error(smu) == 0
    smu.write(beyond.encode())
    assert error(smu) == -221


def test_a_buffer_says_where_its_readings_begin_and_end(load):
    device = twin(load)
    places = ':TRAC:ACT:STAR? "defbuffer1";:TRAC:ACT:END? "defbuffer1";:TRAC:ACT:END?'
    assert ask(device, places) == "0;0;0"
    device.write(b":COUN 3;:TRAC:TRIG")
    assert ask(device, places) == "1;3;3"


def test_the_trigger_model_loops_over_readings_by_number_or_for_a_time(smu):
    smu.write(b":OUTP ON;:SOUR:VOLT 0.5;:TRAC:TRIG;:SENS:CURR:NPLC 6")
    assert ask(smu, ":TRIG:STAT?") == "EMPTY;EMPTY;0"
    smu.write(b':TRIG:LOAD "SimpleLoop",3,0.1')
    assert ask(smu, ":TRIG:STAT?;:TRAC:ACT?") == "IDLE;IDLE;0;1"
    begun = smu.clock.now
    smu.write(b":INIT;*WAI")
    assert smu.clock.now - begun == pytest.approx(3 * 0.2, rel=0.01)
    assert numbers(smu, ':TRAC:DATA? 1,3,"defbuffer1"') == pytest.approx([5e-5] * 3)
    smu.write(b':TRIG:LOAD "DURATIONLOOP",1;:INIT')
    assert (ask(smu, ":TRAC:ACT:END?"), ask(smu, ":OUTP?")) == ("10", "1")
    assert smu.clock.now - begun == pytest.approx(1.6, rel=0.01)


@pytest.mark.parametrize(
    ("message", "code"),
    [(':TRIG:LOAD "Empty";:INIT', -213), (':TRIG:LOAD "GradeBinning"', -224), (':TRIG:LOAD "SimpleLoop",100001', -222),
     (':TRIG:LOAD "SimpleLoop",3,0,"mine"', -224), (':TRIG:LOAD "SimpleLoop",0.4', -222),
     (':TRIG:LOAD "DurationLoop",1e5;:INIT', -221),
     (":TRIG:BLOC:NOP 1", -113)],
)  # fmt: skip
def test_what_the_trigger_model_refuses(smu, message, code):
    smu.write(b':TRIG:LOAD "SimpleLoop",1;' + message.encode())
    assert error(smu) == code


def test_two_ohm_are_a_range_that_an_automatic_one_takes_only_where_it_may_go_so_low(smu, load):
    load.conductance = 1.0
    smu.write(b':SENS:FUNC "RES";:OUTP ON')
    assert numbers(smu, ":READ?") == [pytest.approx(1.0)]
    assert ask(smu, ":SENS:RES:RANG?") == "2.000000E+01"
    smu.write(b":SENS:RES:RANG:AUTO:LLIM 2")
    assert numbers(smu, ":READ?") == [pytest.approx(1.0)]
    assert ask(smu, ":SENS:RES:RANG?") == "2.000000E+00"
