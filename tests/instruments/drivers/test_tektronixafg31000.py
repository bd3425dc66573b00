"""The AFG31000's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import ask, error_of, registered

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers import tektronixafg31000
from mho.instruments.drivers.languages.scpi_pulses import Shape
from mho.instruments.drivers.tektronixafg31000 import TektronixAFG31000
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.tektronixafg31000 import SimulatedTektronixAFG31000

ADDRESS = "USB0::0x0699::0x0356::SIM00004::INSTR"


class Line:
    """A terminal that remembers its pulses: (volts, width, period, count)."""

    def __init__(self):
        self.pulses = []

    def pulse(self, volts, width, period, count):
        self.pulses.append((volts, width, period, count))


@pytest.fixture
def twin():
    device = SimulatedTektronixAFG31000(
        VirtualClock(), np.random.default_rng(0), {1: Line(), 2: Line()}, serial="C1"
    )
    device.status.events = 0
    return device


@pytest.fixture
def pulser(rack):
    instrument = TektronixAFG31000(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


# --- driver and twin together ---


def test_a_pulse_takes_its_period(pulser, twin):
    pulser.configure(1)
    pulser.shape(1, voltage=3.0, width=1e-6)
    pulser.fire(1)
    assert twin.ports[1].pulses == [(3.0, 1e-6, pytest.approx(2.2e-6), 1)]
    assert twin.clock.now == pytest.approx(2.2e-6)


def test_the_other_channels_output_is_off_while_one_fires(pulser, twin):
    """One trigger fires both channels: an open relay keeps the other one's pulse from its terminal."""
    for channel in (1, 2):
        pulser.configure(channel)
    for channel in (2, 2, 1):
        pulser.fire(channel)
        assert twin.output_on == {channel: True, 3 - channel: False}
    assert [len(twin.ports[channel].pulses) for channel in (1, 2)] == [1, 2]


def test_the_other_output_is_confirmed_off_before_the_trigger(pulser, twin, rack):
    for channel in (1, 2):
        pulser.configure(channel)
    rack.faults.append(Fault(ADDRESS, "refusal", match=b"OUTP2 OFF"))
    with pytest.raises(InstrumentError, match=r":OUTP2 OFF;:OUTP1 ON.* failed"):
        pulser.fire(1)
    assert [line.pulses for line in twin.ports.values()] == [[], []]
    pulser.shape(1, voltage=1.0, width=1e-6)
    pulser.fire(1)
    assert twin.ports[2].pulses == []


def test_a_polarity_changes_behind_an_open_relay(pulser, twin):
    for channel in (1, 2):
        pulser.configure(channel)
    pulser.fire(1)
    pulser.shape(2, voltage=-1.0, width=1e-6)
    assert twin.output_on == {1: True, 2: False}
    pulser.fire(2)
    assert twin.ports[2].pulses == [(-1.0, pytest.approx(1e-6), pytest.approx(2.2e-6), 1)]


def test_the_timer_never_fires(pulser, twin):
    """From the timer, the default, a burst would repeat by itself as soon as it is switched on."""
    assert pulser.trigger_source == "TIM"
    pulser.configure(2)
    assert pulser.trigger_source == "EXT"
    assert twin.ports[2].pulses == []
    assert twin.running(2) is None
    pulser.trigger_source = "TIM"
    assert twin.running(2).period == twin.timer


def test_dc_has_an_offset_and_no_amplitude(twin):
    twin.write(b"OUTP1:IMP INF;:SOUR1:VOLT 4;:SOUR1:FUNC DC;:SOUR1:VOLT:OFFS 9.5;:OUTP1 ON")
    assert error_of(twin) == 0
    assert twin.running(1).extreme == twin.idle_voltage(1) == 9.5
    twin.write(b"SOUR1:VOLT:OFFS 10.5")
    assert error_of(twin) == -222
    twin.write(b"SOUR1:FUNC SIN")
    assert (twin.high[1], twin.low[1]) == (10.0, 6.0)


def test_a_burst_without_end_runs_until_it_is_aborted(twin):
    twin.write(
        b"TRIG:SOUR EXT;:OUTP1:IMP INF;:SOUR1:FUNC PULS;:SOUR1:VOLT:HIGH 3;LOW 0;:SOUR1:BURS:NCYC INF;STAT ON;:OUTP1 ON"
    )
    assert twin.running(1) is None
    assert ask(twin, "STAT:OPER:COND?") == "32"
    twin.write(b"*TRG")
    assert twin.running(1).period == pytest.approx(1e-6)
    assert ask(twin, "STAT:OPER:COND?") == "0"
    twin.write(b"ABOR")
    assert twin.running(1) is None
    assert ask(twin, "STAT:OPER:COND?") == "32"


def test_a_duty_cycle_that_was_held_does_not_change_the_width(pulser, twin):
    twin.write(b"SOUR1:PULS:HOLD DUTY")
    pulser.configure(1)
    pulser.shape(1, voltage=1.0, width=5e-6)
    pulser.fire(1)
    assert twin.ports[1].pulses[0][1] == pytest.approx(5e-6)


def test_slow_edges_need_wide_pulses(rack):
    pulser = TektronixAFG31000(ADDRESS, "bench@mho", edge=2e-6)
    pulser.configure(2)
    with pytest.raises(LimitError, match=r"choose a width of 2\.5e-06 s or more"):
        pulser.shape(2, voltage=1.0, width=1e-6)
    pulser.shape(2, voltage=1.0, width=3e-6)
    assert (pulser.ch_2.leading, pulser.ch_2.trailing) == (pytest.approx(2e-6), pytest.approx(2e-6))
    pulser.close()


def test_a_voltage_limit_is_respected_and_the_channel_configured_anew(pulser, twin):
    pulser.configure(1)
    pulser.ch_1.limit_high = 2.0
    with pytest.raises(InstrumentError, match=r"-222, .*voltage limit"):
        pulser.shape(1, voltage=3.0, width=1e-6)
    pulser.shape(1, voltage=1.5, width=1e-6)
    pulser.fire(1)
    assert twin.ports[1].pulses[-1][0] == 1.5


STATES = (
    "OUTP1 ON", "OUTP1:POL INV", "OUTP1:IMP 1E3", "OUTP1:IMP INF", "SOUR1:VOLT 5", "SOUR1:VOLT:OFFS 2.4",
    "SOUR1:VOLT:HIGH -1", "SOUR1:VOLT:UNIT DBM", "SOUR1:VOLT:UNIT VRMS", "SOUR1:FUNC PULS", "SOUR1:FUNC DC",
    "SOUR1:FREQ 1", "SOUR1:FREQ 2E7", "SOUR1:PULS:HOLD DUTY", "SOUR1:PULS:DCYC 90", "SOUR1:PULS:WIDT 2e-7",
    "SOUR1:PULS:DEL 1e-7", "SOUR1:PULS:TRAN:LEAD 1e-7", "SOUR1:BURS:STAT ON", "SOUR1:BURS:MODE GAT",
    "SOUR1:BURS:NCYC INF", "SOUR1:BURS:TDEL 5", "TRIG:SOUR EXT",
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.sampled_from(STATES)))
def test_from_whatever_state_it_is_configured_without_a_conflict(before):
    line = Line()
    twin = SimulatedTektronixAFG31000(VirtualClock(), np.random.default_rng(0), {1: line})
    for command in before:
        twin.write(command.encode())
    with registered("states", {ADDRESS: twin}):
        pulser = TektronixAFG31000(ADDRESS, "states@mho")
        pulser.configure(1)
        pulser.shape(1, voltage=2.5, width=50e-9)
        pulser.fire(1)
        assert line.pulses == [(pytest.approx(2.5), pytest.approx(50e-9), pytest.approx(300e-9), 1)]
        assert twin.idle_voltage(1) == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(STATES)), st.sampled_from([[1.5, 2.5], [-2.5], [0.5, -2.5]]))
def test_from_whatever_state_it_plays_a_waveform_without_a_conflict(before, volts):
    twin = SimulatedTektronixAFG31000(VirtualClock(), np.random.default_rng(0), {1: Line()})
    for command in before:
        twin.write(command.encode())
    twin.write(b"*CLS")
    with registered("states", {ADDRESS: twin}):
        pulser = TektronixAFG31000(ADDRESS, "states@mho")
        pulser.shape_waveform(1, volts, interval=20e-9)
        pulser.fire(1)
        assert [pulse[0] for pulse in twin.ports[1].pulses] == pytest.approx(volts, abs=2e-3)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=200))
def test_a_waveform_arrives_within_half_a_step_of_14_bits(samples):
    twin = SimulatedTektronixAFG31000(VirtualClock(), np.random.default_rng(0), {})
    with registered("waveforms", {ADDRESS: twin}):
        pulser = TektronixAFG31000(ADDRESS, "waveforms@mho")
        pulser.upload(7, samples)
        stored = twin.waveforms["USER7"] / 8191 - 1
        assert stored == pytest.approx(np.array(samples), abs=0.5001 / 8191)


def test_a_waveform_is_selected_by_its_memory(pulser):
    pulser.upload(3, np.sin(np.linspace(0, 6, 500)))
    pulser.ch_2.function = "USER3"
    assert pulser.ch_2.function == "USER3"


@pytest.mark.parametrize(
    ("memory", "samples"),
    [(0, [0, 0]), (256, [0, 0]), (1, [0]), (1, [1.5, 0]), (1, [np.nan, 0]), (1, [0] * 131073)],
)
def test_what_is_no_waveform_raises_before_anything_is_sent(pulser, twin, memory, samples):
    sent = []
    twin.write = lambda data, end=True: sent.append(data)
    with pytest.raises(LimitError):
        pulser.upload(memory, samples)
    assert sent == []


def test_the_load_is_told(pulser, twin):
    twin.write(b"OUTP2:IMP 50")
    pulser.configure(1)
    assert pulser.settings()["ch1_impedance"] == "9.9e+37"
    assert pulser.settings()["ch2_impedance"] == "50.0"


# --- the driver against the wire ---

OPENING = [("*IDN?", "TEKTRONIX,AFG31252,C1,SCPI:99.0 FV:1.5.2"), (":SYST:ERR?", '0,"No error"')]
FINE = '0,"No error"'


def test_firing_waits_until_bursts_wait_again(monkeypatch):
    monkeypatch.setattr(tektronixafg31000.time, "sleep", lambda seconds: None)
    pairs = [
        *OPENING,
        ("*TRG;:STAT:OPER:COND?;:SYST:ERR?", f"0;{FINE}"),
        (":STAT:OPER:COND?", "0"),
        (":STAT:OPER:COND?", "33"),
    ]
    with expected_protocol(TektronixAFG31000, pairs) as pulser:
        pulser._shapes[1], pulser._live = Shape(1.0, 1e-6), {1}
        pulser.fire(1)


def test_a_burst_without_end_is_an_error(monkeypatch):
    moments = iter([0.0, 0.0, 100.0])
    monkeypatch.setattr(tektronixafg31000.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(tektronixafg31000.time, "monotonic", lambda: next(moments))
    pairs = [*OPENING, ("*TRG;:STAT:OPER:COND?;:SYST:ERR?", f"0;{FINE}"), (":STAT:OPER:COND?", "0")]
    with expected_protocol(TektronixAFG31000, pairs) as pulser:
        pulser._shapes[1], pulser._live = Shape(1.0, 1e-6), {1}
        with pytest.raises(InstrumentError, match="the burst has not ended after 5 s"):
            pulser.fire(1)


def test_a_change_of_sign_happens_with_the_output_off():
    message = (
        ":OUTP1 OFF;:SOUR1:VOLT:LOW -2.000000000e+00;:SOUR1:VOLT:HIGH 0;:OUTP1:POL INV;:OUTP1 ON;:SYST:ERR?"
    )
    with expected_protocol(TektronixAFG31000, [*OPENING, (message, FINE)]) as pulser:
        pulser._shapes[1], pulser._live = Shape(1.0, 1e-6), {1}
        pulser.shape(1, voltage=-2.0, width=1e-6)


def test_a_waveform_travels_big_endian_in_one_block():
    pairs = [
        *OPENING,
        (b":DATA:DATA EMEM,#16\x00\x00\x1f\xff\x3f\xfe;:SYST:ERR?\n", FINE),
        (":DATA:COPY USER9,EMEM;:SYST:ERR?", FINE),
    ]
    with expected_protocol(TektronixAFG31000, pairs) as pulser:
        pulser.upload(9, [-1, 0, 1])


# --- the twin against the manual ---


def test_long_and_short_forms_and_units(twin):
    twin.write(b"SOURce1:PULSe:WIDTh 200ns;:SOURce1:VOLTage:LEVel:IMMediate:HIGH 800mV")
    assert ask(twin, "SOUR1:PULS:WIDT?;:SOUR1:VOLT:HIGH?") == "2.0000000000E-07;8.0000000000E-01"
    assert ask(twin, "SYSTem:ERRor?") == '0,"No error"'


def test_into_fifty_ohms_half_the_voltage_counts(twin):
    twin.write(b"SOUR1:VOLT:HIGH 2;LOW 0;:OUTP1:IMP INF;:SOUR1:VOLT:HIGH?")
    assert float(twin.read()) == 4.0
    twin.write(
        b"TRIG:SOUR EXT;:SOUR1:FUNC PULS;:SOUR1:BURS:NCYC 3;STAT ON;:OUTP1 ON;*TRG;:OUTP1:IMP 50;:TRIG"
    )
    assert [pulse[::3] for pulse in twin.ports[1].pulses] == [(4.0, 3), (4.0, 3)]


@pytest.mark.parametrize(
    ("message", "code"),
    [("SOUR1:PULS:WIDT 10e-9", -222), ("SOUR1:PULS:WIDT 1e-6", -221), ("SOUR1:PULS:PER 5e-7", -221),
     ("SOUR1:PULS:TRAN:LEAD 1e-9", -222), ("SOUR1:PULS:TRAN:LEAD 1e-6", -221), ("SOUR1:PULS:DEL 1e-6", -221),
     ("SOUR2:VOLT:HIGH 6", -222), ("SOUR2:VOLT:HIGH -1", -221), ("SOUR1:VOLT:LIM:HIGH 0.1", -221),
     ("SOUR1:VOLT:LIM:HIGH 1;:SOUR1:VOLT:HIGH 2", -222), ("SOUR1:BURS:NCYC 0", -222), ("SOUR3:VOLT 1", -114),
     ("*TRG", -211), ("TRIG:SEQ:IMM", -211), ("SOUR1:FUNC SAW", -224), ("OUTP1:IMP 1e6", -222),
     ("DATA:COPY USER1,USER2", -221), ("DATA EMEM,#13abc", -161), ("DATA EMEM,#14\xff\xff\xff\xff", -222),
     ("DATA:POIN EMEM,1", -222), ("DATA:DEL USER4", -221), ("SOUR1:FREQ 45MHZ", -222)],
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    twin.write(message.encode("latin-1"))
    assert error_of(twin) == code


def test_waveforms_are_kept_read_back_and_deleted(twin):
    data = np.array([0, 16382, 8191], ">u2").tobytes()
    twin.write(b"DATA:DATA EMEM1,#16" + data + b";:DATA:COPY USER5,EMEM")
    twin.write(b"DATA:DATA? USER5")
    assert twin.read() == b"#16" + data + b"\n"
    assert ask(twin, "DATA:POIN? USER5;CAT?") == '3;"EMEM","EMEM2","USER5"'
    assert ask(twin, "*RST;:DATA:POIN? USER5;POIN? EMEM") == "3;1000"
    assert ask(twin, "DATA:DEL USER5;CAT?;:DATA:POIN EMEM,5;POIN? EMEM") == '"EMEM","EMEM2";5'


def test_a_memory_that_a_channel_plays_is_not_deleted(twin):
    twin.write(b"DATA:COPY USER5,EMEM;:SOUR1:FUNC USER5;:DATA:DEL USER5")
    assert error_of(twin) == -221
    twin.write(b"OUTP1 ON")
    assert twin.running(1) is None  # mid-scale: it plays, and rests at 0 V
    twin.write(b"SOUR1:FUNC SIN;:DATA:DEL USER5")
    assert error_of(twin) == 0
    assert ask(twin, "DATA:CAT?") == '"EMEM","EMEM2"'


def test_reset_switches_off(twin):
    twin.write(b"OUTP1 ON;:SOUR1:VOLT 1.5;:SOUR1:FUNC PULS;:TRIG:SOUR EXT;*RST")
    assert (
        ask(twin, "OUTP1?;:SOUR1:VOLT?;:SOUR1:FUNC?;:TRIG:SOUR?;:STAT:OPER:COND?")
        == "0;1.0000000000E+00;SIN;TIM;0"
    )


def test_a_burst_has_whole_cycles(twin):
    assert float(ask(twin, "SOUR1:BURS:NCYC 2.6;NCYC?")) == 3.0
    assert float(ask(twin, "SOUR1:BURS:NCYC INF;NCYC?")) == 9.9e37
    twin.write(b"SOUR1:VOLT 1A")
    assert error_of(twin) == -131


def test_frequency_and_duty_cycle_say_the_same(twin):
    assert (
        ask(twin, "SOUR1:PULS:PER 1e-5;:SOUR1:PULS:DCYC 20;WIDT?;:SOUR1:FREQ?")
        == "2.0000000000E-06;1.0000000000E+05"
    )
    assert ask(twin, "SOUR1:PULS:HOLD DUTY;:SOUR1:FREQ 50E3;:SOUR1:PULS:WIDT?") == "4.0000000000E-06"


# What `generate_function` and `setup_burst` of Tektronix' tm_devices 3.7.0 send for a channel, in their order
GENERATED = (
    "OUTPUT1:STATE 0;:OUTPUT1:IMPEDANCE 50;:SOURCE1:FREQUENCY:FIXED 100000.0;:SOURCE1:VOLTAGE:OFFSET 0.25;"
    ":SOURCE1:PULSE:DCYCLE 20.0;:OUTPUT1:POLARITY INV;:SOURCE1:FUNCTION:RAMP:SYMMETRY 30.0;:SOURCE1:FUNCTION RAMP;"
    ":SOURCE1:VOLTAGE:AMPLITUDE 1.0;:OUTPUT1:STATE 1;:SOURCE1:PHASE:INITIATE"
)
ASKED = (
    "OUTPUT1:STATE?;:OUTPUT1:IMPEDANCE?;:SOURCE1:FREQUENCY:FIXED?;:SOURCE1:VOLTAGE:OFFSET?;:SOURCE1:PULSE:DCYCLE?;"
    ":OUTPUT1:POLARITY?;:SOURCE1:FUNCTION:RAMP:SYMMETRY?;:SOURCE1:FUNCTION?;:SOURCE1:VOLTAGE:AMPLITUDE?;"
    ":SOURCE1:BURST:STATE?"
)


def test_tektronixs_own_package_finds_what_it_asks_for(twin):
    assert float(ask(twin, "SOURCE1:FUNCTION:RAMP:SYMMETRY?")) == 50.0
    twin.write(GENERATED.encode())
    texts = ask(twin, ASKED).split(";")
    numbers = [float(text) for text in texts if text not in ("INV", "RAMP")]
    assert numbers == pytest.approx([1, 50.0, 1e5, 0.25, 20.0, 30.0, 1.0, 0])
    assert (ask(twin, "*ESR?"), error_of(twin)) == ("0", 0)
    twin.write(b"SOURCE1:FUNCTION:RAMP:SYMMETRY 101")
    assert error_of(twin) == -222
    twin.write(b"SOURCE1:FUNCTION ARBITRARY")  # a word of the package's that the manual has not
    assert error_of(twin) == -224
