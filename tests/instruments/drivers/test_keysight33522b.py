"""The 33522B's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import numpy as np
import pytest
from daily import daily
from hypothesis import given, settings
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import ask, error_of, registered

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.keysight33522b import Keysight33522B
from mho.instruments.drivers.languages.scpi_pulses import Shape
from mho.instruments.roles import PulseGenerator
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keysight33522b.instrument import SimulatedKeysight33522B

ADDRESS = "USB0::0x0957::0x2C07::SIM00003::INSTR"


class Line:
    """A port that remembers its pulses: (volts, width, period, count)."""

    def __init__(self):
        self.pulses = []

    def pulse(self, volts, width, period, count):
        self.pulses.append((volts, width, period, count))


def new_twin(ports=None):
    device = SimulatedKeysight33522B(
        VirtualClock(),
        np.random.default_rng(0),
        {1: Line(), 2: Line()} if ports is None else ports,
        serial="S3",
    )
    device.status.events = 0
    return device


@pytest.fixture
def twin():
    return new_twin()


@pytest.fixture
def pulser(rack):
    instrument = Keysight33522B(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


def overhear(device):
    """Return a list of what is sent from now on."""
    sent = []
    write = device.write
    device.write = lambda data, end=True: (sent.append(data), write(data, end))[1]
    return sent


# --- driver and twin together ---


def test_it_is_a_pulse_generator(pulser):
    assert isinstance(pulser, PulseGenerator)
    assert "33522B,S3" in pulser.identify()


def test_connecting_changes_nothing(rack, twin):
    twin.write(b"VOLT:HIGH 3;:OUTP2 ON")
    before = dict(twin.__dict__, _output=b"")
    Keysight33522B(ADDRESS, "bench@mho").close()
    assert dict(twin.__dict__, _output=b"") == before


def test_a_pulse_has_the_voltage_and_width_asked_for(pulser, twin):
    pulser.configure(1)
    pulser.shape(1, voltage=3.0, width=100e-9)
    pulser.fire(1)
    assert twin.ports[1].pulses == [(pytest.approx(3.0), pytest.approx(100e-9), pytest.approx(300e-9), 1)]
    assert twin.ports[2].pulses == []
    assert twin.clock.now == pytest.approx(300e-9)


def test_one_channels_trigger_costs_one_message(pulser, twin):
    for channel in (1, 2):
        pulser.configure(channel)
    sent = overhear(twin)
    for channel in (1, 2, 1):
        pulser.fire(channel)
    assert sent == [b":TRIG%d;*OPC?;:SYST:ERR?\n" % channel for channel in (1, 2, 1)]


STATES = (
    "OUTP1 ON", "OUTP1:POL INV", "OUTP1:LOAD 1E3", "OUTP1:LOAD INF", "VOLT 5", "VOLT:OFFS 2.4", "VOLT:HIGH -1",
    "VOLT:LOW 3", "VOLT:UNIT DBM", "FUNC DC", "FUNC NOIS", "FUNC RAMP", "FUNC SQU", "FUNC PULS", "FUNC ARB",
    "FREQ 1", "FREQ 2E7", "FREQ:MODE SWE", "FUNC:PULS:HOLD DCYC", "FUNC:PULS:DCYC 99", "FUNC:PULS:WIDT 5e-4",
    "FUNC:PULS:TRAN 1e-6", "BURS:STAT ON", "BURS:NCYC INF", "BURS:NCYC 1E8", "BURS:MODE GAT", "TRIG1:SOUR IMM",
    "TRIG1:SOUR TIM", "TRIG1:DEL 5", "BURS:INT:PER 1e-6",
)  # fmt: skip


@pytest.mark.thorough
@settings(max_examples=80)
@given(st.lists(st.sampled_from(STATES)))
def test_from_whatever_state_it_is_configured_without_a_conflict(before):
    twin = new_twin()
    for command in before:
        twin.write(command.encode())
    twin.write(b"*CLS")
    with registered("states", {ADDRESS: twin}):
        pulser = Keysight33522B(ADDRESS, "states@mho")
        pulser.configure(1)
        pulser.shape(1, voltage=2.5, width=50e-9)
        pulser.fire(1)
        assert twin.ports[1].pulses == [(pytest.approx(2.5), pytest.approx(50e-9), pytest.approx(200e-9), 1)]
        assert twin.idle_voltage(1) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.thorough
@settings(max_examples=60)
@given(st.lists(st.sampled_from(STATES)), st.sampled_from([[1.5, 2.5], [-2.5], [0.5, -2.5]]))
def test_from_whatever_state_it_plays_a_waveform_without_a_conflict(before, volts):
    twin = new_twin()
    for command in before:
        twin.write(command.encode())
    twin.write(b"*CLS")
    with registered("states", {ADDRESS: twin}):
        pulser = Keysight33522B(ADDRESS, "states@mho")
        pulser.shape_waveform(1, volts, interval=20e-9)
        pulser.fire(1)
        assert [pulse[0] for pulse in twin.ports[1].pulses] == pytest.approx(volts, abs=2e-3)


shapes = st.tuples(
    st.one_of(st.floats(0.002, 10.0), st.floats(-10.0, -0.002)), st.floats(-7.7, 0.0).map(lambda x: 10**x)
)


@pytest.mark.thorough
@settings(max_examples=60)
@given(
    st.lists(shapes, min_size=1, max_size=6),
    st.sampled_from(["", "SOUR1:VOLT 20", "SOUR1:VOLT:OFFS 4;:OUTP1:POL INV"]),
)
def test_from_any_shape_to_any_other_every_step_is_legal_and_idles_at_zero(wanted, before):
    twin = new_twin()
    twin.write(b"OUTP1:LOAD INF;:SOUR1:FUNC PULS;:SOUR1:FUNC:PULS:WIDT 16e-9;PER 34e-9;" + before.encode())
    idle = []
    with registered("legal", {ADDRESS: twin}):
        try:
            pulser = Keysight33522B(ADDRESS, "legal@mho")
            pulser.configure(1)
            for setting in type(twin)._language.settings.values():
                setting.changes += ("_watch",)
            type(twin)._watch = lambda self, *_: idle.append(self.idle_voltage(1))
            for voltage, width in wanted:
                pulser.shape(1, voltage=voltage, width=width)
                pulser.fire(1)
                fired = twin.ports[1].pulses[-1]
                assert fired[0] == pytest.approx(voltage, rel=1e-8)
                assert fired[1] == pytest.approx(width, rel=1e-8)
            assert max(map(abs, idle), default=0.0) < 1e-12
        finally:
            for setting in type(twin)._language.settings.values():
                setting.changes = tuple(name for name in setting.changes if name != "_watch")


def test_only_what_changes_is_sent(pulser, twin):
    pulser.configure(1)
    pulser.shape(1, voltage=1.0, width=1e-7)
    sent = overhear(twin)
    pulser.shape(1, voltage=1.0, width=1e-7)
    assert sent == []
    pulser.shape(1, voltage=1.1, width=1e-7)
    assert sent == [b":SOUR1:VOLT:HIGH 1.100000000e+00;:SYST:ERR?\n"]
    sent.clear()
    pulser.shape(1, voltage=1.1, width=2e-7)
    assert len(sent) == 1
    assert b"VOLT" not in sent[0]


def test_after_a_refusal_the_channel_is_configured_anew(pulser, twin, rack):
    pulser.configure(1)
    pulser.shape(1, voltage=1.0, width=1e-7)
    pulser.ch_1.limit_high = 2.0
    pulser.ch_1.limits_enabled = True
    with pytest.raises(InstrumentError, match=r"':SOUR1:VOLT:HIGH 3.000000000e\+00': -221, .*limits"):
        pulser.shape(1, voltage=3.0, width=1e-7)
    pulser.shape(1, voltage=1.5, width=1e-7)
    pulser.fire(1)
    assert twin.ports[1].pulses[-1][0] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("voltage", "width"),
    [(10.1, 1e-6), (-11, 1e-6), (0.0, 1e-6), (1.0, 1e-9), (1.0, 1e6), (float("nan"), 1e-6)],
)
def test_what_the_instrument_cannot_do_is_a_limit_error(pulser, voltage, width):
    pulser.configure(1)
    with pytest.raises(LimitError):
        pulser.shape(1, voltage=voltage, width=width)


def test_slow_edges_need_wide_pulses(rack):
    pulser = Keysight33522B(ADDRESS, "bench@mho", edge=100e-9)
    pulser.configure(2)
    with pytest.raises(LimitError, match=r"choose a width of 1\.6e-07 s or more"):
        pulser.shape(2, voltage=1.0, width=100e-9)
    pulser.shape(2, voltage=1.0, width=200e-9)
    assert pulser.ch_2.edge == pytest.approx(100e-9)
    pulser.close()


def test_what_is_not_configured_neither_shapes_nor_fires(pulser):
    with pytest.raises(InstrumentError, match="configure channel 1 and shape its pulses before firing"):
        pulser.fire(1)
    with pytest.raises(InstrumentError, match="configure channel 2"):
        pulser.shape(2, voltage=1.0, width=1e-6)
    with pytest.raises(InstrumentError, match=r"channel of .* 3 does not exist; choose one of 1, 2"):
        pulser.configure(3)


def test_make_safe_opens_both_outputs_and_asks_for_a_new_configuration(pulser, twin):
    for channel in (1, 2):
        pulser.configure(channel)
    pulser.make_safe()
    assert twin.output_on == {1: False, 2: False}
    with pytest.raises(InstrumentError, match="configure"):
        pulser.fire(1)


def test_make_safe_tries_both_outputs_though_one_fails(pulser, twin, rack):
    for channel in (1, 2):
        pulser.configure(channel)
    rack.faults.append(Fault(ADDRESS, "timeout", match=b"OUTP1 OFF"))
    pulser.make_safe()
    assert twin.output_on == {1: False, 2: False}


def test_a_second_long_pulse_is_waited_for(pulser, twin):
    pulser.configure(1)
    pulser.shape(1, voltage=1.0, width=8.0)
    patience = []
    write = twin.write
    twin.write = lambda data, end=True: (
        patience.append(pulser.adapter.connection.timeout),
        write(data, end),
    )[1]
    pulser.fire(1)
    assert patience[0] > 16_000
    assert pulser.adapter.connection.timeout == 5000


def test_a_waveform_arrives_sample_by_sample(pulser, twin):
    samples = np.sin(np.linspace(0, 2 * np.pi, 500))
    pulser.upload(2, "wave_1", samples)
    assert twin.waveforms[2]["WAVE_1"] == pytest.approx(32767 * samples, abs=0.5)
    with pytest.raises(InstrumentError, match="786, Specified arb waveform already exists"):
        pulser.upload(2, "wave_1", samples)
    pulser.clear_waveforms(2)
    pulser.upload(2, "wave_1", samples)
    pulser.ch_2.waveform = "wave_1"
    assert pulser.ch_2.waveform == "WAVE_1"


@pytest.mark.parametrize(
    ("name", "samples", "error", "message"),
    [("w", [1.5] * 8, LimitError, r"reaches 1\.5; scale it to"), ("w", [0.0] * 7, LimitError, "waveform length 7"),
     ("w", [float("nan")] * 8, LimitError, "reaches nan"), ("w", np.zeros((8, 2)), LimitError, "one axis, not 2"),
     ("2w", [0.0] * 8, InstrumentError, "no name of a waveform"), ("a" * 13, [0.0] * 8, InstrumentError, "no name"),
     ("w,x", [0.0] * 8, InstrumentError, "no name")],
)  # fmt: skip
def test_what_is_no_waveform_raises_before_anything_is_sent(pulser, twin, name, samples, error, message):
    sent = overhear(twin)
    with pytest.raises(error, match=message):
        pulser.upload(1, name, samples)
    assert sent == []


def test_settings_tell_both_channels(pulser):
    pulser.configure(1)
    settings = pulser.settings()
    assert settings["ch1_output_enabled"] == "True"
    assert settings["ch1_load"] == "9.9e+37"
    assert settings["ch2_function"] == "SIN"


# --- the driver against the wire ---


def test_firing_is_one_message():
    opening = [("*IDN?", "Agilent Technologies,33522B,MY1,4.00"), (":SYST:ERR?", '+0,"No error"')]
    with expected_protocol(
        Keysight33522B, [*opening, (":TRIG2;*OPC?;:SYST:ERR?", '1;+0,"No error"')]
    ) as pulser:
        pulser._shapes[2] = Shape(1.0, 1e-6)
        pulser.fire(2)


def test_an_output_that_stays_on_is_said_loudly():
    pairs = [
        ("*IDN?", "Agilent Technologies,33522B,MY1,4.00"), (":SYST:ERR?", '+0,"No error"'),
        ("*CLS;:OUTP1 OFF;:SYST:ERR?", '+0,"No error"'), (":OUTP2 OFF;:SYST:ERR?", '+0,"No error"'),
        (":OUTP1?", "0"), (":OUTP2?", "1"),
    ]  # fmt: skip
    with (
        expected_protocol(Keysight33522B, pairs) as pulser,
        pytest.raises(InstrumentError, match="still has an output on"),
    ):
        pulser.make_safe()


# --- the twin against the manual ---


def test_numbers_and_errors_look_like_keysights(twin):
    assert ask(twin, "SOUR2:VOLT:HIGH?;:SYST:ERR?") == '+5.000000000000000E-02;+0,"No error"'
    assert float(ask(twin, "OUTP1:LOAD INF;LOAD?")) == 9.9e37
    assert ask(twin, "FOO;:SYST:ERR?") == '-113,"Undefined header"'


def test_an_open_line_and_an_endless_burst_have_a_spelling_of_their_own(twin):
    assert ask(twin, "OUTP1:LOAD INF;LOAD?;:BURS:NCYC INF;NCYC?") == "9.9E+37;9.9E+37"
    twin.write(b"VOLT 1A")
    assert error_of(twin) == -131


def test_into_fifty_ohms_half_the_voltage_counts(twin):
    twin.write(b"VOLT:HIGH 2;LOW 0;:OUTP:LOAD INF;:VOLT:HIGH?;LOW?")
    assert twin.read() == b"+4.000000000000000E+00;+0.000000000000000E+00\n"
    twin.write(b"FUNC PULS;:BURS:STAT ON;:TRIG:SOUR BUS;:OUTP ON;*TRG;:OUTP:LOAD 50;*TRG")
    assert [pulse[0] for pulse in twin.ports[1].pulses] == [4.0, 4.0]


@pytest.mark.parametrize(
    ("message", "code"),
    [("FUNC:PULS:WIDT 10e-9", -222), ("FUNC:PULS:PER 20e-9", -222), ("FUNC:PULS:WIDT 2e-3", -221),
     ("FUNC PULS;:FUNC:PULS:PER 1e-4", -221), ("VOLT:LOW 0.1", -221), ("VOLT:HIGH 6", -222), ("VOLT 11", -222),
     ("FUNC:PULS:TRAN 5e-9", -222), ("FUNC:PULS:WIDT 20e-9;TRAN 20e-9", -221), ("BURS:NCYC 0", -222),
     ("*TRG", -211), ("TRIG", -211), ("FUNC SAW", -224), ("VOLT:LIM:HIGH 0.01;STAT ON", -221),
     ("DATA:ARB:DAC x,#216" + "a" * 15, -161), ("DATA:ARB:DAC x,#217" + "a" * 17, 800),
         ("DATA:ARB:DAC x,#15aaaaa", 800), ("DATA:ARB:DAC x,#16aaaaaa", -161), ("FUNC:ARB nothing", 785)],
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    twin.write(message.encode())
    assert error_of(twin) == code


def test_only_an_armed_channel_with_its_output_on_pulses(twin):
    twin.write(b"FUNC PULS;:SOUR2:FUNC PULS;:BURS:STAT ON;:SOUR2:BURS:STAT ON;:TRIG1:SOUR BUS;:OUTP2 ON;*TRG")
    assert twin.ports[1].pulses == []  # output off
    assert twin.ports[2].pulses == []  # not waiting for the bus
    twin.write(b"OUTP1 ON;:SOUR1:BURS:NCYC 5;*TRG")
    assert twin.ports[1].pulses == [(0.1, 1e-4, 1e-3, 5)]
    assert twin.clock.now == pytest.approx(6e-3)


def test_waveform_memory_is_catalogued_and_cleared(twin):
    twin.write(b"FORM:BORD SWAP;:SOUR1:DATA:ARB:DAC ramp,#216" + np.arange(8, dtype="<i2").tobytes())
    assert list(twin.waveforms[1]["RAMP"]) == list(range(8))
    assert ask(twin, "SOUR1:FUNC:ARB ramp;ARB?;:SOUR1:DATA:VOL:CAT?;FREE?;:DATA:ATTR:POIN?") == (
        '"RAMP";"INT:\\BUILTIN\\EXP_RISE.ARB","RAMP";+999892;+8'
    )
    assert ask(twin, "SOUR1:DATA:VOL:CLE;CAT?;:FUNC:ARB?") == ";".join(2 * ['"INT:\\BUILTIN\\EXP_RISE.ARB"'])
    assert error_of(twin) == 0


@pytest.mark.parametrize(
    ("message", "asked", "found", "code"),
    daily(
        [
            ("VOLT:HIGH 7", "VOLT:HIGH?;LOW?", (5.0, -0.05), -222),
            ("VOLT:HIGH -1", "VOLT:HIGH?;LOW?", (-1.0, -1.001), -221),
            ("VOLT:LOW 5", "VOLT:HIGH?;LOW?", (5.0, 4.999), -221),
            ("VOLT:OFFS 4.9;:VOLT 4", "VOLT?;VOLT:OFFS?", (4.0, 3.0), -221),
            ("VOLT 4;VOLT:OFFS 4.9", "VOLT?;VOLT:OFFS?", (4.0, 3.0), -222),
            ("VOLT 0", "VOLT?;VOLT:OFFS?", (1e-3, 0.0), -222),
            (
                "VOLT:LIM:HIGH 1;LOW 0;:VOLT:LOW 0;:VOLT:LIM:STAT ON;:VOLT:HIGH 3",
                "VOLT:HIGH?;LOW?",
                (1.0, 0.0),
                -221,
            ),
            (
                "VOLT:LIM:HIGH 1;LOW 0;:VOLT:LOW 0;:VOLT:LIM:STAT ON;:VOLT:OFFS 3",
                "VOLT:HIGH?;LOW?",
                (1.0, 0.999),
                -221,
            ),
            ("VOLT:LIM:STAT ON;:OUTP1:LOAD INF", "OUTP1:LOAD?", (50.0,), -221),
            ("FUNC PULS;:FUNC:PULS:WIDT 2e-8;TRAN 2e-8", "FUNC:PULS:TRAN?;WIDT?", (1.25e-8, 2e-8), -221),
            ("FUNC PULS;:FUNC:PULS:TRAN 1e-6;WIDT 1e-7", "FUNC:PULS:TRAN?;WIDT?", (6.25e-8, 1e-7), -221),
            ("FUNC PULS;:FUNC:PULS:PER 1e-6", "FUNC:PULS:PER?;WIDT?", (1e-6, 984e-9), -221),
            ("FUNC:PULS:HOLD DCYC;DCYC 25;:FREQ 2e4", "FUNC:PULS:WIDT?;DCYC?", (12.5e-6, 25.0), 0),
            ("FUNC SQU;:FREQ 1E7;:FUNC:SQU:DCYC 1", "FUNC:SQU:DCYC?", (16.0,), -222),
            ("FREQ 1E6;:FUNC RAMP", "FREQ?", (200e3,), -221),
            ("FREQ 1E9", "FREQ?", (30e6,), -222),
            ("FUNC:ARB:SRAT 1E8;FILT OFF", "FUNC:ARB:SRAT?", (62.5e6,), -221),
            ("FUNC:ARB:PTP 11", "FUNC:ARB:PTP?", (10.0,), -222),
            ("BURS:NCYC 100;STAT ON", "BURS:INT:PER?", (0.100001,), -221),
            ("TRIG:SOUR BUS;:BURS:NCYC 100;STAT ON", "BURS:INT:PER?", (0.01,), 0),
            ("FUNC DC;:BURS:STAT ON", "BURS:STAT?", (0.0,), -221),
            ("BURS:STAT ON;:FREQ:MODE LIST", "BURS:STAT?", (0.0,), -221),
            ("OUTP:TRIG ON;:TRIG2:SOUR EXT", "OUTP:TRIG?", (0.0,), -221),
            ("VOLT:UNIT DBM;:VOLT 10", "VOLT?;:VOLT:UNIT VPP;:VOLT?", (10.0, 2.0), 0),
            ("FUNC SQU;:VOLT 1 VRMS", "VOLT?", (2.0,), 0),
            ("OUTP1:LOAD INF;:VOLT:UNIT DBM", "VOLT?", (0.2,), -221),
            ("VOLT MAX", "VOLT?", (10.0,), 0),
            ("TRIG:DEL 1001", "TRIG:DEL?", (1000.0,), -222),
        ],
        10,
    ),
)
def test_what_does_not_fit_is_adjusted_and_reported(twin, message, asked, found, code):
    """33500-90901, pp 61, 69, 177, 215, 219 and 324: unlike other instruments it does not keep the old value."""
    twin.write(message.encode())
    assert error_of(twin) == code
    assert error_of(twin) == 0
    assert [float(text) for text in ask(twin, asked).split(";")] == pytest.approx(found, rel=1e-6)


def test_a_channels_own_trigger_leaves_the_other_alone(twin):
    twin.write(
        b"FUNC PULS;:SOUR2:FUNC PULS;:BURS:STAT ON;:SOUR2:BURS:STAT ON;:TRIG1:SOUR BUS;:TRIG2:SOUR BUS"
    )
    twin.write(b"OUTP1 ON;:OUTP2 ON;:TRIG2;*TRG;:TRIG1;*OPC?")
    assert [len(twin.ports[channel].pulses) for channel in (1, 2)] == [2, 2]
    twin.write(b"TRIG2:SOUR EXT;:TRIG2")  # whatever its source
    assert [len(twin.ports[channel].pulses) for channel in (1, 2)] == [2, 3]


def test_a_burst_of_another_waveform_reaches_its_peaks(twin):
    twin.write(b"FUNC SIN;:FREQ 125;:VOLT:HIGH 3;LOW -1")
    twin.write(b"BURS:NCYC 4;STAT ON;:OUTP1:LOAD INF;:OUTP1 ON;:TRIG1;*OPC?")
    assert twin.read() == b"1\n"
    assert twin.ports[1].pulses == 4 * [(6.0, 4e-3, 8e-3, 1), (-2.0, 4e-3, 8e-3, 1)]
    assert twin.clock.now == pytest.approx(32e-3)


@pytest.mark.parametrize(
    ("shape", "volts"),
    [("PULS", -2.0), ("SQU", -2.0), ("SIN", 1.0), ("RAMP", 1.0), ("DC", 1.0), ("ARB", 1.0)],
)
def test_a_burst_idles_where_its_waveform_begins(twin, shape, volts):
    twin.write(f"OUTP1:LOAD INF;:FUNC {shape};:VOLT 6;:VOLT:OFFS 1;:OUTP1 ON".encode())
    assert twin.idle_voltage(1) == pytest.approx(volts)
    twin.write(b"OUTP1 OFF")
    assert twin.idle_voltage(1) == 0.0


def test_dc_has_an_offset_and_no_amplitude(twin):
    """What DC is told reaches the terminal; the next waveform has to have room."""
    assert (
        ask(twin, "OUTP1:LOAD INF;:VOLT 4;:FUNC DC;:VOLT:OFFS -10;:OUTP1 ON;:VOLT:OFFS?")
        == "-1.000000000000000E+01"
    )
    assert error_of(twin) == 0
    assert twin.running(1).extreme == -10.0
    twin.write(b"VOLT:OFFS 11")
    assert error_of(twin) == -222
    twin.write(b"VOLT:OFFS 3;:VOLT:LIM:HIGH 3.5;LOW -3.5;STAT ON;:VOLT:OFFS 4")
    assert error_of(twin) == -222
    assert twin.idle_voltage(1) == 3.5
    twin.write(b"FUNC SQU")
    assert error_of(twin) == -221
    assert (twin.high[1], twin.low[1]) == (3.5, -0.5)


def test_a_square_wave_keeps_its_duty_cycle(twin):
    twin.write(b"OUTP1:LOAD INF;:FUNC SQU;:FREQ 1000;:FUNC:SQU:DCYC 20;:VOLT:HIGH 3;LOW 0;:OUTP1 ON")
    assert twin.running(1).cycle == ((3.0, pytest.approx(2e-4), 1), (0.0, pytest.approx(8e-4), 1))


def test_bursts_that_need_no_trigger_come_at_their_period(twin):
    twin.write(
        b"OUTP1:LOAD INF;:FUNC PULS;:VOLT:LOW 0;HIGH 3;:BURS:NCYC 2;INT:PER 0.01;:BURS:STAT ON;:OUTP1 ON"
    )
    running = twin.running(1)
    assert running.period == pytest.approx(0.01)
    assert sum(seconds * times for volts, seconds, times in running.cycle if volts) == pytest.approx(2e-4)
    twin.write(b"TRIG1:SOUR TIM;TIM 0.5")
    assert twin.running(1).period == pytest.approx(0.5)
    twin.write(b"TRIG1:SOUR BUS")
    assert twin.running(1) is None


def test_a_sequence_is_played_step_by_step(twin):
    for name, level in ((b"up", b"32767"), (b"down", b"-32767")):
        twin.write(b"DATA:ARB:DAC " + name + b"," + b",".join([b"0", *[level] * 8, b"0"]))
    block = b"lap,up,2,repeat,maintain,4,down,1,once,maintain,4"
    twin.write(b"DATA:SEQ #2%d" % len(block) + block)
    twin.write(
        b"OUTP1:LOAD INF;:FUNC:ARB lap;ARB:SRAT 1000;:FUNC ARB;:VOLT:HIGH 2;LOW -2;:BURS:NCYC 1;STAT ON;:OUTP1 ON;:TRIG1"
    )
    assert [(volts, pytest.approx(width)) for volts, width, _, _ in twin.ports[1].pulses] == [
        (2.0, 8e-3), (2.0, 8e-3), (-2.0, 8e-3),
    ]  # fmt: skip
    assert twin.clock.now == pytest.approx(30e-3)


def test_a_sequence_plays_waveforms_of_the_memory(twin):
    block = b"lap,up,3,repeat,maintain,4,'DOWN',0,onceWaitTrig,highAtStart,5"
    for name in (b"up", b"down"):
        twin.write(b"DATA:ARB:DAC " + name + b"," + b",".join(b"%d" % i for i in range(10)))
    twin.write(b"DATA:SEQ #2%d" % len(block) + block)
    assert twin.sequences[1]["LAP"] == [
        ("UP", 3, "REPEAT", "MAINTAIN", 4), ("DOWN", 0, "ONCEWAITTRIG", "HIGHATSTART", 5)
    ]  # fmt: skip
    assert ask(twin, "FUNC:ARB lap;ARB?;:DATA:ATTR:POIN?") == '"LAP";+20'
    assert error_of(twin) == 0
    for block, code in (
        (b"lap,up,1,once,maintain,4", 786), (b"x,none,1,once,maintain,4", 785), (b"x,up,1,once,maintain", -161),
        (b"x,up,1,often,maintain,4", -224), (b"x,up,1,once,maintain,8", -222), (b"x,up,-1,once,maintain,4", -104),
    ):  # fmt: skip
        twin.write(b"DATA:SEQ #2%d" % len(block) + block)
        assert error_of(twin) == code, block


def test_waveforms_travel_as_integers_fractions_and_text(twin):
    values = np.linspace(-1, 1, 9)
    fractions = values.astype(">f4").tobytes()
    twin.write(b"DATA:ARB frac,#236" + fractions + b";:DATA:ARB text," + ",".join(map(str, values)).encode())
    assert error_of(twin) == 0
    assert twin.waveforms[1]["FRAC"] == pytest.approx(32767 * values, abs=0.5)
    assert list(twin.waveforms[1]["TEXT"]) == list(twin.waveforms[1]["FRAC"])
    for message, code in (
        ("DATA:ARB loud," + ",".join(["1.01"] * 8), -222), ("DATA:ARB:DAC half," + ",".join(["0.5"] * 8), -222),
        ("DATA:ARB a_name_of_13_,1,1,1,1,1,1,1,1", 783), ("DATA:ARB mix,1,#11a", -104), ("DATA:ARB two,#11a,#11a", -108),
        ("DATA:ARB:DAC big,#72000000" + 2_000_000 * "a", 781), ("DATA:ARB odd,#15aaaaa", 800), ("DATA:ARB none", -109),
    ):  # fmt: skip
        twin.write(message.encode())
        assert error_of(twin) == code, message[:20]


def test_reset_switches_off_and_forgets(twin):
    twin.write(b"OUTP ON;:VOLT 1;:FUNC PULS;:DATA:ARB:DAC x,#216" + bytes(16) + b";*RST")
    assert ask(twin, "OUTP?;:VOLT?;:FUNC?;:DATA:VOL:CAT?") == (
        '0;+1.000000000000000E-01;SIN;"INT:\\BUILTIN\\EXP_RISE.ARB"'
    )


@pytest.mark.slow
def test_ten_thousand_pulses_stay_in_step(pulser, twin):
    pulser.configure(1)
    for index in range(10_000):
        voltage, width = 0.5 + 1e-3 * (index % 1000), 1e-7 * (1 + index % 5)
        pulser.shape(1, voltage=voltage, width=width)
        pulser.fire(1)
        assert twin.ports[1].pulses.pop()[:2] == (pytest.approx(voltage), pytest.approx(width))
