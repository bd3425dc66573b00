"""Arbitrary waveforms of the pulse generators: from a script to the terminal, in three lines, from 0 V and back to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from daily import daily
from hypothesis import given, settings
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import registered

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.keysight33522b import Keysight33522B, Keysight33622A
from mho.instruments.drivers.tektronixafg31000 import TektronixAFG31000
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.excursions import MOST, Excursion, excursions, repeated
from mho.instruments.simulated.keysight33522b.instrument import (
    SimulatedKeysight33522B,
    SimulatedKeysight33622A,
)
from mho.instruments.simulated.tektronixafg31000 import SimulatedTektronixAFG31000

ADDRESS = "USB0::0x0957::0x2C07::SIM00001::INSTR"
FINE = '0,"No error"'


class Line:
    """A terminal that remembers its pulses: (volts, width, period, count)."""

    def __init__(self) -> None:
        self.pulses: list[tuple[float, float, float, int]] = []

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        self.pulses.append((volts, width, period, count))


MODELS: dict[str, tuple[Any, Any]] = {
    "33522B": (Keysight33522B, SimulatedKeysight33522B),
    "33622A": (Keysight33622A, SimulatedKeysight33622A),
    "AFG31000": (TektronixAFG31000, SimulatedTektronixAFG31000),
}


@pytest.fixture(params=MODELS)
def wired(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """Yield a driver and its twin."""
    driver, twin = MODELS[request.param]
    device = twin(VirtualClock(), np.random.default_rng(0), {1: Line(), 2: Line()})
    with registered("waveforms", {ADDRESS: device}):
        yield driver(ADDRESS, "waveforms@mho"), device


def seen(line: Line) -> list[tuple[float, float]]:
    """Return volts and seconds of all that has reached a terminal, one after the other."""
    return [(volts, width) for volts, width, _, count in line.pulses for _ in range(count)]


def test_a_script_of_three_lines_plays_a_waveform(wired):
    pulser, twin = wired
    pulser.shape_waveform(1, [0.5, 0.5, 1.0, -2.0], interval=1e-6)
    pulser.fire(1, 3)
    assert seen(twin.ports[1]) == 3 * [
        (pytest.approx(0.5, abs=2e-4), pytest.approx(2e-6)),
        (pytest.approx(1.0, abs=2e-4), pytest.approx(1e-6)),
        (pytest.approx(-2.0, abs=2e-4), pytest.approx(1e-6)),
    ]
    assert not twin.ports[2].pulses
    assert twin.status.events & 0x3C == 0


def test_the_output_idles_at_zero_before_and_after(wired):
    pulser, twin = wired
    for volts in ([1.0, 0.3], [-1.0, -0.3], [3.0, -1.0]):
        pulser.shape_waveform(2, volts, interval=1e-6)
        ((fractions, _, _),) = twin.stored(2)
        middle, half = twin.offset(2), twin.amplitude(2) / 2
        assert middle + half * fractions[0] == pytest.approx(0.0, abs=1e-12)
        assert middle + half * fractions[-1] == pytest.approx(0.0, abs=1e-12)


def test_pulses_follow_a_waveform_and_a_waveform_pulses(wired):
    pulser, twin = wired
    pulser.configure(1)
    pulser.shape(1, voltage=-3.0, width=1e-6)
    pulser.shape_waveform(1, [2.0], interval=1e-6)
    pulser.fire(1)
    pulser.shape(1, voltage=-3.0, width=1e-6)
    pulser.fire(1)
    assert seen(twin.ports[1]) == [
        (pytest.approx(2.0), pytest.approx(1e-6)), (pytest.approx(-3.0), pytest.approx(1e-6)),
    ]  # fmt: skip
    assert twin.status.events & 0x3C == 0


def test_voltage_limits_hold_for_waveforms_too(wired):
    pulser, twin = wired
    pulser.configure(1)
    pulser.shape(1, voltage=2.0, width=1e-6)
    pulser.ch_1.limit_low, pulser.ch_1.limit_high = -0.001, 2.5
    if hasattr(pulser.ch_1, "limits_enabled"):
        pulser.ch_1.limits_enabled = True
    pulser.shape_waveform(1, [1.0, 2.4], interval=1e-6)
    pulser.fire(1)
    with pytest.raises(InstrumentError, match=r"-22[12]"):
        pulser.shape_waveform(1, [1.0, 2.6], interval=1e-6)
    with pytest.raises(InstrumentError, match="configure channel 1"):
        pulser.fire(1)
    assert [volts for volts, _ in seen(twin.ports[1])] == pytest.approx([1.0, 2.4], abs=1e-3)


def test_a_long_waveform_is_waited_for(wired):
    pulser, twin = wired
    pulser.shape_waveform(1, [1.0, 2.0, 1.0], interval=100.0)
    pulser.fire(1)
    assert twin.clock.now >= 500.0
    pulser.make_safe()
    assert not twin.output_on[1]
    with pytest.raises(InstrumentError, match="configure channel 1"):
        pulser.fire(1)


@pytest.mark.parametrize("name", daily(MODELS, 1))
@given(tenths=st.lists(st.integers(-100, 100), min_size=1, max_size=40).filter(any))
@settings(max_examples=25)
def test_whatever_is_played_arrives_within_a_step_of_the_converter(name, tenths):
    volts = np.array(tenths) / 10
    driver, model = MODELS[name]
    twin = model(VirtualClock(), np.random.default_rng(0), {1: Line(), 2: Line()})
    with registered("waveforms", {ADDRESS: twin}):
        pulser = driver(ADDRESS, "waveforms@mho")
        pulser.shape_waveform(1, volts, interval=1e-3)
        pulser.fire(1)
    arrived = [level for level, width in seen(twin.ports[1]) for _ in range(round(width / 1e-3))]
    assert arrived == pytest.approx(volts[volts != 0.0], abs=20 / 16382)
    assert twin.status.events & 0x3C == 0


@pytest.mark.parametrize(
    ("volts", "interval", "error"),
    daily([
        ([], 1e-6, "no samples"), ([[1.0]], 1e-6, "one axis"), (["high"], 1e-6, "list of numbers"),
        ([1.0, 11.0], 1e-6, "pulse amplitude 11 V"), ([np.nan], 1e-6, "nan"), ([0.0, 0.0], 1e-6, "pulse amplitude 0 V"),
        ([1.0], 0.0, "interval"), ([1.0], np.nan, "interval"), (np.ones(5_000_000), 1e-6, "waveform length"),
    ], 4),
)  # fmt: skip
def test_what_is_no_waveform_raises_before_anything_is_sent(wired, volts, interval, error):
    pulser, twin = wired
    twin.write = None
    with pytest.raises(LimitError, match=error):
        pulser.shape_waveform(1, volts, interval=interval)


def test_a_waveform_that_is_in_memory_is_not_sent_again(wired):
    pulser, _ = wired
    if "Tektronix" in type(pulser).__name__:
        pytest.skip("it has one edit memory a channel")
    for volts in ([1.0, 2.0], [1.0], [2.0, 4.0], [1.0, 2.0]):  # the third is the first, twice as high
        pulser.shape_waveform(1, volts, interval=1e-6)
    assert len(pulser.waveforms(1)) == 3  # with the built-in one
    pulser.clear_waveforms(1)
    assert len(pulser.waveforms(1)) == 1


def test_a_waveform_that_is_gone_from_memory_is_not_fired(wired):
    pulser, twin = wired
    pulser.shape_waveform(1, [1.0, 2.0], interval=1e-6)
    if hasattr(pulser, "clear_waveforms"):
        pulser.clear_waveforms(1)
    else:
        pulser.upload(7, [-1.0, 1.0])  # through the memory that channel 1 plays
    with pytest.raises(InstrumentError, match="configure channel 1 and shape"):
        pulser.fire(1)
    assert not twin.ports[1].pulses


def test_a_sequence_joins_waveforms(wired):
    pulser, twin = wired
    if "Tektronix" in type(pulser).__name__:
        pytest.skip("its sequences belong to another run mode")
    for name, level in (("up", 1.0), ("down", -1.0)):
        pulser.upload(1, name, [0.0, *[level] * 40, 0.0])
    pulser.upload_sequence(1, "lap", [("up", 2), ("down", 1)])
    assert [(step.waveform, step.times) for step in twin.sequences[1]["LAP"]] == [("UP", 2), ("DOWN", 1)]
    pulser.ch_1.waveform = "lap"
    assert pulser.ch_1.waveform == "LAP"
    with pytest.raises(InstrumentError, match="does not exist"):
        pulser.upload_sequence(1, "lap2", [("sideways", 1)])
    for steps, error in (
        ([], "no steps"), ([("up", 0)], "repetitions"), ([("up", 1.5)], "whole"), ([("1up", 1)], "no name"),
    ):  # fmt: skip
        with pytest.raises((InstrumentError, LimitError), match=error):
            pulser.upload_sequence(1, "lap3", steps)


# --- the wire ---


def test_a_waveform_of_the_33522b_on_the_wire():
    header = b":FORM:BORD SWAP;:SOUR1:DATA:ARB:DAC MHO4D2CD181,#216"
    samples = np.array([-32767, 0, 32767, *[-32767] * 5], "<i2").tobytes()
    with expected_protocol(
        Keysight33522B,
        [
            ("*IDN?", "Keysight Technologies,33522B,1,1"), (":SYST:ERR?", FINE),
            (":OUTP1:LOAD?", "9.9E37"),
            (":OUTP1 OFF;:SOUR1:BURS:STAT OFF;:SOUR1:FREQ:MODE CW;:SOUR1:VOLT:UNIT VPP;:OUTP1:POL NORM;:SYST:ERR?", FINE),
            (":SOUR1:DATA:VOL:CAT?", '"INT:\\BUILTIN\\EXP_RISE.ARB"'),
            (header + samples + b";:SYST:ERR?\n", FINE),
            (':SOUR1:FUNC:ARB "MHO4D2CD181";:SOUR1:FUNC:ARB:ADV SRAT;:SOUR1:FUNC:ARB:FILT STEP;'
             ":SOUR1:FUNC:ARB:SRAT 1.000000000e+06;:SOUR1:FUNC ARB;:SYST:ERR?", FINE),
            (":SOUR1:VOLT 1.000000000e-02;:SOUR1:VOLT:OFFS 5.000000000e-03;:SOUR1:VOLT:LOW 0;"
             ":SOUR1:VOLT:LOW 0.000000000e+00;:SOUR1:VOLT:HIGH 2.000000000e+00;:SYST:ERR?", FINE),
            (":TRIG1:SOUR BUS;:TRIG1:DEL 0;:SOUR1:BURS:MODE TRIG;:SOUR1:BURS:NCYC 1;:SOUR1:BURS:STAT ON;:OUTP1 ON;"
             ":SYST:ERR?", FINE),
            (":TRIG1;*OPC?;:SYST:ERR?", f"1;{FINE}"),
        ],
    ) as pulser:  # fmt: skip
        pulser.shape_waveform(1, [1.0, 2.0], interval=1e-6)
        pulser.fire(1)


def test_a_waveform_of_the_afg31000_on_the_wire():
    with expected_protocol(
        TektronixAFG31000,
        [
            ("*IDN?", "TEKTRONIX,AFG31052,1,1"), (":SYST:ERR?", FINE),
            (":OUTP2 OFF;:TRIG:SOUR EXT;:SOUR2:VOLT:UNIT VPP;:OUTP2:IMP INF;:OUTP2:POL NORM;:SYST:ERR?", FINE),
            (b":DATA:DATA EMEM2,#16\x3f\xfe\x00\x00\x3f\xfe;:SYST:ERR?\n", FINE),
            (":SOUR2:FUNC:SHAP EMEM2;:SOUR2:PULS:HOLD WIDT;:SOUR2:PULS:DEL 0;:SOUR2:PULS:PER 1.000000000e+06;"
             ":SOUR2:PULS:TRAN:LEAD 7.000000000e-09;:SOUR2:PULS:TRAN:TRA 7.000000000e-09;"
             ":SOUR2:PULS:WIDT 1.600000000e-08;:SOUR2:FREQ 3.333333333e+05;:SYST:ERR?", FINE),
            (":SOUR2:VOLT 1.000000000e-02;:SOUR2:VOLT:OFFS 5.000000000e-03;:SOUR2:VOLT:LOW 0;"
             ":SOUR2:VOLT:LOW -2.000000000e+00;:SOUR2:VOLT:HIGH 0.000000000e+00;:SYST:ERR?", FINE),
            (":SOUR2:BURS:MODE TRIG;:SOUR2:BURS:NCYC 1;:SOUR2:BURS:TDEL 0;:SOUR2:BURS:STAT ON;:OUTP2 ON;:SYST:ERR?", FINE),
        ],
    ) as pulser:  # fmt: skip
        pulser.shape_waveform(2, [-2.0], interval=1e-6)


# --- what a stored waveform amounts to ---


def test_equal_samples_are_one_excursion():
    assert excursions(np.array([0.0, 1.0, 1.0, 0.0]), 4.0) == [
        Excursion(0.0, 1.0), Excursion(1.0, 2.0), Excursion(0.0, 1.0),
    ]  # fmt: skip


def test_what_has_too_many_levels_keeps_its_peaks_and_its_time():
    volts = np.sin(np.linspace(0, 60, 10 * MOST))
    volts[777] = -5.0
    found = excursions(volts, 2.0)
    assert len(found) == MOST
    assert sum(each.seconds for each in found) == pytest.approx(2.0)
    assert min(each.volts for each in found) == -5.0
    assert max(each.volts for each in found) == volts.max()


def test_a_short_burst_keeps_its_order_and_a_long_one_its_count():
    cycle = [Excursion(1.0, 1e-6), Excursion(-1.0, 1e-6)]
    assert repeated(cycle, 3) == 3 * cycle
    assert repeated(cycle, MOST) == [Excursion(1.0, 1e-6, MOST), Excursion(-1.0, 1e-6, MOST)]
    assert repeated(cycle[:1], 100) == [Excursion(1.0, 1e-6, 100)]
