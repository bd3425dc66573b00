"""The B2912A's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import Resistor, ask, error_of

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.keysightb2912a import KeysightB2912A
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keysightb2912a import SimulatedKeysightB2912A

ADDRESS = "USB0::0x0957::0x8E18::SIM00002::INSTR"


@pytest.fixture
def twin():
    clock = VirtualClock()
    ports = {1: Resistor(20e-6, clock), 2: Resistor(50e-6, clock)}
    device = SimulatedKeysightB2912A(
        clock, np.random.default_rng(2), ports, serial="MY1", accuracy=0.0, noise=0.0
    )
    device.status.events = 0
    return device


@pytest.fixture
def instrument(rack):
    instrument = KeysightB2912A(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


# --- driver and twin together ---


def test_each_channel_reads_its_own_resistor(instrument):
    for number, conductance in ((1, 20e-6), (2, 50e-6)):
        channel = instrument.channel(number)
        channel.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
        channel.enable()
        assert channel.read(0.2) == (pytest.approx(0.2), pytest.approx(0.2 * conductance), False)


def test_one_channel_is_made_safe_without_the_other(instrument, twin):
    one, two = instrument.channel(1), instrument.channel(2)
    for channel in (one, two):
        channel.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
        channel.enable()
        channel.hold(0.5)
    one.make_safe()
    assert twin.output_on == {1: False, 2: True}
    assert twin.outputs[2].volts == pytest.approx(0.5)
    instrument.make_safe()
    assert twin.output_on == {1: False, 2: False}


def test_the_connection_closes_with_the_last_channel_in_use(instrument):
    one, two = instrument.channel(1), instrument.channel(2)
    one.close()
    one.close()
    assert "B2912A" in two.identify()
    two.close()
    with pytest.raises(InstrumentError):
        two.identify()


def test_there_is_no_third_channel(instrument):
    with pytest.raises(InstrumentError, match=r"channel of B2912 .* 3 does not exist; choose one of 1, 2"):
        instrument.channel(3)


def test_long_lists_travel_in_binary_and_agree_with_short_ones(instrument, twin):
    channel = instrument.channel(2)
    channel.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    channel.enable()
    sent = []
    write = twin.write
    twin.write = lambda data, end=True: (sent.append(data), write(data, end))[1]
    levels = np.linspace(-1, 1, 2500)
    readings = channel.sweep(list(levels), delay=1e-4)
    assert any(b"REAL,32" in message for message in sent)
    assert [r.voltage for r in readings] == pytest.approx(list(levels), rel=1e-6, abs=1e-7)
    assert [r.current for r in readings] == pytest.approx(list(50e-6 * levels), rel=1e-6, abs=1e-12)
    assert ask(twin, "FORM?") == "ASC"
    assert sum(b"LIST:VOLT" in message for message in sent) == 25
    sent.clear()
    channel.sweep([0.1, 0.2])
    assert not any(b"REAL" in message for message in sent)


def test_a_pulse_is_as_wide_as_asked_for_and_measured_in_its_end(instrument, twin):
    channel = instrument.channel(1)
    channel.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    channel.enable()
    port = twin.outputs[1]
    port.history.clear()
    port.times.clear()
    readings = channel.pulse([1.0, -2.0], width=1e-3, period=5e-3)
    assert [r.current for r in readings] == pytest.approx([20e-6, -40e-6])
    seen = list(zip(port.times, port.history, strict=True))
    moments = {round(volts): now for now, volts in seen if volts}
    ends = [now for now, volts in seen if volts == 0.0]
    assert ends[0] - moments[1] == pytest.approx(1e-3)
    assert ends[1] - moments[-2] == pytest.approx(1e-3)
    assert moments[-2] - moments[1] == pytest.approx(5e-3, rel=0.05)
    assert port.volts == 0.0
    assert channel.shape == "DC"


def test_a_pulse_too_short_for_its_measurement_raises(instrument, twin):
    channel = instrument.channel(1)
    channel.configure(current_limit=1e-4, current_range=1e-4, nplc=1)
    sent = []
    twin.write = lambda data, end=True: sent.append(data)
    with pytest.raises(LimitError, match=r"integrating for 0\.02 s does not fit a pulse of 0\.001 s"):
        channel.pulse([1.0], width=1e-3, period=5e-3)
    with pytest.raises(LimitError, match="do not fit a period"):
        channel.pulse([1.0], width=0.1, period=0.1)
    for width, period in ((1e-6, 1.0), (1.0, 1e6)):
        with pytest.raises(LimitError):
            channel.pulse([1.0], width=width, period=period)
    assert sent == []


def test_properties_read_back_what_was_set(instrument):
    channel = instrument.channel(2)
    channel.voltage_range, channel.four_wire, channel.output_off_mode = 2.0, True, "HIZ"
    channel.pulse_width, channel.trigger_period, channel.protection_enabled = 1e-3, 0.01, True
    assert (channel.voltage_range, channel.four_wire, channel.output_off_mode) == (2.0, True, "HIZ")
    assert (channel.pulse_width, channel.trigger_period, channel.protection_enabled) == (1e-3, 0.01, True)
    assert instrument.settings()["ch2_output_off_mode"] == "HIZ"
    assert instrument.settings()["ch1_output_off_mode"] == "NORM"


def test_protection_switches_the_output_off_when_the_limit_is_reached(instrument, twin):
    channel = instrument.channel(1)
    channel.configure(current_limit=1e-5, current_range=1e-5, nplc=0.1)
    channel.protection_enabled = True
    channel.enable()
    assert channel.read(2.0).tripped
    assert not channel.output_enabled


def test_someone_elses_elements_are_noticed(instrument):
    channel = instrument.channel(1)
    channel.configure(current_limit=1e-5, current_range=1e-5, nplc=0.1)
    instrument.exchange(":FORM:ELEM:SENS CURR")
    with pytest.raises(InstrumentError, match="measures other elements; configure the channel again"):
        channel.read(0.1)


def test_measuring_does_not_switch_the_output_on(instrument, twin):
    channel = instrument.channel(1)
    channel.configure(current_limit=1e-5, current_range=1e-5, nplc=0.1)
    channel.read(0.1)
    assert not twin.output_on[1]


# --- the driver against the wire ---

OPENING = [("*IDN?", "Agilent Technologies,B2912A,MY1,3.0"), (":SYST:ERR?", '+0,"No error"')]
FINE = '+0,"No error"'


def test_a_read_is_one_message():
    message = ":SOUR2:VOLT 2.000000000e-01;:MEAS? (@2);:SOUR2:VOLT 0;:SYST:ERR?"
    pairs = [*OPENING, (message, f"+1.999000E-01,+4.100000E-06,+6.000000E+00;{FINE}")]
    with expected_protocol(KeysightB2912A, pairs) as instrument:
        assert instrument.channel(2).read(0.2) == (0.1999, 4.1e-6, True)


def test_an_overflow_reads_as_nan():
    message = ":SOUR1:VOLT 1.000000000e+00;:MEAS? (@1);:SOUR1:VOLT 0;:SYST:ERR?"
    pairs = [*OPENING, (message, f"+1.000000E+00,+9.900000E+37,+8.192000E+03;{FINE}")]
    with expected_protocol(KeysightB2912A, pairs) as instrument:
        reading = instrument.channel(1).read(1.0)
    assert np.isnan(reading.current)
    assert not reading.tripped


def test_a_list_is_sent_run_and_fetched_as_the_manual_says():
    pairs = [
        *OPENING,
        (":OUTP1?", "1"),
        (":SOUR1:LIST:VOLT 1.000000000e-01,2.000000000e-01;:SYST:ERR?", FINE),
        (
            ":SOUR1:VOLT:MODE LIST;:TRIG1:COUN 2;:TRIG1:SOUR AINT;:TRIG1:ACQ:DEL 1.000000000e-03;:SYST:ERR?",
            FINE,
        ),
        (":INIT (@1);*OPC?;:SYST:ERR?", f"1;{FINE}"),
        (":SOUR1:VOLT:MODE FIX;:SOUR1:VOLT 0;:SOUR1:FUNC:SHAP DC;:OUTP1 ON;:SYST:ERR?", FINE),
        (":FETC:ARR? (@1);:SYST:ERR?", f"0.1,2E-6,0,0.2,4E-6,2;{FINE}"),
    ]
    with expected_protocol(KeysightB2912A, pairs) as instrument:
        assert instrument.channel(1).sweep([0.1, 0.2], 1e-3) == [(0.1, 2e-6, False), (0.2, 4e-6, True)]


def test_a_binary_block_may_contain_line_feeds_and_semicolons():
    numbers = np.array([0.1, 2e-6, 0.0] * 32, "<f4")
    numbers[3:6] = np.frombuffer(b";\n\n;#\n;\n\x0a\x0a\x0a\x00", "<f4")
    block = b"#3384" + numbers.tobytes() + b";" + FINE.encode()
    pairs = [
        *OPENING,
        (":FORM REAL,32;:FORM:BORD SWAP;:SYST:ERR?", FINE),
        (":FETC:ARR? (@1);:SYST:ERR?", block),
        (":FORM ASC;:SYST:ERR?", FINE),
    ]
    with expected_protocol(KeysightB2912A, pairs) as instrument:
        assert instrument.fetch(1, 32) == pytest.approx(numbers.astype(float))


def test_an_error_instead_of_a_block_is_reported_and_the_format_restored():
    pairs = [
        *OPENING,
        (":FORM REAL,32;:FORM:BORD SWAP;:SYST:ERR?", FINE),
        (":FETC:ARR? (@1);:SYST:ERR?", '-230,"Data corrupt or stale"'),
        (":SYST:ERR?", FINE),
        (":FORM ASC;:SYST:ERR?", FINE),
    ]
    with (
        expected_protocol(KeysightB2912A, pairs) as instrument,
        pytest.raises(InstrumentError, match=r"refused ':FETC:ARR\? \(@1\)': -230, Data corrupt or stale"),
    ):
        instrument.fetch(1, 32)


def test_too_few_points_and_nonsense_are_noticed():
    for reply, message in (("0.1,2E-6,0", "returned 1 points instead of 2"), ("hello", "no numbers")):
        pairs = [*OPENING, (":FETC:ARR? (@1);:SYST:ERR?", f"{reply};{FINE}")]
        with (
            expected_protocol(KeysightB2912A, pairs) as instrument,
            pytest.raises(InstrumentError, match=message),
        ):
            instrument.fetch(1, 2)


# --- the twin against the manual ---


def test_two_channels_are_interleaved_and_the_shorter_one_is_padded(twin):
    """Manual p. 4-81: the channel that has no more data answers +9.910000E+37."""
    twin.write(b"FORM:ELEM:SENS CURR,SOUR;:SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 1,2,3;:TRIG1:COUN 3")
    twin.write(b"SOUR2:VOLT:MODE LIST;:SOUR2:LIST:VOLT 0.5,1;:TRIG2:COUN 2")
    reply = ask(twin, "READ:ARR? (@1,2)").split(",")
    assert reply[:4] == ["+2.000000E-05", "+1.000000E+00", "+2.500000E-05", "+5.000000E-01"]
    assert reply[8:] == ["+6.000000E-05", "+3.000000E+00", "+9.910000E+37", "+9.910000E+37"]
    assert ask(twin, "FETC:ARR? (@2:1)").split(",") == reply
    assert ask(twin, "OUTP1?;:OUTP2?;:SYST:ERR?") == '1;1;+0,"No error"'  # :OUTP:ON:AUTO


def test_real_blocks_carry_the_same_numbers_in_either_byte_order(twin):
    twin.write(b"FORM:ELEM:SENS VOLT,CURR;:SOUR1:VOLT 0.5;:OUTP1 ON")
    text = [float(number) for number in ask(twin, "MEAS? (@1)").split(",")]
    for kind, order, dtype in (
        ("REAL,32", "SWAP", "<f4"),
        ("REAL,32", "NORM", ">f4"),
        ("REAL,64", "NORM", ">f8"),
    ):
        twin.write(f"FORM {kind};:FORM:BORD {order};:MEAS? (@1)".encode())
        block = twin.read()
        assert block[:2] == (b"#1" if kind == "REAL,32" else b"#2")
        size = 3 if kind == "REAL,32" else 4
        assert np.frombuffer(block[size:-1], dtype) == pytest.approx(text)
    assert ask(twin, "FORM?") == "REAL,64"


@pytest.mark.parametrize(
    ("message", "code"),
    [("SOUR1:VOLT 211", -222), ("SOUR2:VOLT:RANG 2;:SOUR2:VOLT 3", -222), ("SOUR:VOLT 5;:SOUR:VOLT:RANG 2", -221),
     ("SENS:CURR:PROT 4", -222), ("SENS:CURR:PROT 2;:SOUR:VOLT 10", -221), ("SENS:CURR:NPLC 101", -222),
     ("SENS:CURR:RANG 1e-6;:SENS:CURR:PROT 1e-5", -221), ("SOUR3:VOLT 1", -114), ("SENS1:CURR:PROT", -109),
     ("SOUR:CURR 0.5;:SENS:VOLT:PROT 100", -221), ("SENS:CURR:PROT 2;:SOUR:VOLT:RANG 20", -221),
     ("SOUR:CURR:RANG 1;:SENS:VOLT:PROT 100", -221),
     ("SOUR:VOLT:STAR -1;STOP 1;:SOUR:SWE:SPAC LOG;:SOUR:VOLT:MODE SWE;:INIT", -221),
     ("SOUR:VOLT:STOP 1;STEP -0.1", -221), ("SOUR:VOLT:STOP 1;STEP 1e-4", -222), ("SOUR:SWE:POIN 2501", -222),
     ("SOUR:VOLT:RANG 2;STOP 5;:SOUR:SWE:POIN 2;:SOUR:VOLT:MODE SWE;:INIT", -222), ("SENS:CURR:APER 3", -222),
     ("FETC:ARR:SPEED?", -113), ("FETC:ARR? (@1)", -230),
     ("MEAS? (@3)", -222), ("FORM REAL,48", -224), ("TRIG:COUN 0", -222), ("*TRG", -211), ("FOO", -113),
     ("SOUR:LIST:VOLT " + ",".join(["1"] * 2500) + ";:SOUR:LIST:VOLT:APP 1", -223), ("OUTP1 MAYBE", -224),
     ("FORM:ELEM:SENS SPEED", -224), ("SOUR:PULS:WIDT 1e-6", -222)],
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    twin.write(message.encode())
    assert error_of(twin) == code


def test_reset_gives_the_documented_defaults(twin):
    twin.write(b"SOUR1:VOLT 3;:OUTP1 ON;:SENS1:CURR:PROT 1e-3;:SENS1:CURR:NPLC 5;:OUTP1:OFF:MODE HIZ;*RST")
    assert ask(twin, "SOUR1:VOLT?;:OUTP1?;:SENS1:CURR:PROT?;:SENS1:CURR:NPLC?;:OUTP1:OFF:MODE?") == (
        "+0.000000E+00;0;+1.000000E-04;+1.000000E+00;NORM"
    )
    assert twin.outputs[1].history[-1] == 0.0
    assert ask(twin, "SENS1:FUNC?;:FORM:ELEM:SENS?") == '"VOLT","CURR";VOLT,CURR,RES,TIME,STAT,SOUR'


def test_bus_triggers_run_point_by_point(twin):
    twin.write(b"TRIG1:SOUR BUS;:TRIG1:COUN 2;:FORM:ELEM:SENS CURR;:SOUR1:VOLT 1;:INIT (@1);*TRG")
    assert ask(twin, "TRAC1:POIN:ACT?;:INIT (@1)") == "1"
    assert error_of(twin) == -213
    twin.write(b"*TRG;*TRG")
    assert error_of(twin) == -211
    assert ask(twin, "FETC:ARR? (@1)") == "+2.000000E-05,+2.000000E-05"


def test_timing_follows_the_integration_and_the_timer(twin):
    twin.write(b"SENS1:CURR:NPLC 5;:MEAS? (@1)")
    assert twin.clock.now == pytest.approx(5 / 50, abs=1e-3)
    start = twin.clock.now
    twin.write(b"*CLS;:SENS1:CURR:NPLC 0.01;:TRIG1:SOUR TIM;:TRIG1:TIM 0.1;:TRIG1:COUN 10;:INIT (@1)")
    assert twin.clock.now - start == pytest.approx(1.0, abs=5e-3)


def test_more_than_42_volts_need_the_interlock():
    twin = SimulatedKeysightB2912A(VirtualClock(), np.random.default_rng(0), {}, interlock=False)
    twin.write(b"SOUR1:VOLT 50")
    assert error_of(twin) == -221


def test_what_is_not_measured_is_not_a_number(twin):
    twin.write(b'SENS1:FUNC "CURR";:FORM:ELEM:SENS VOLT,CURR;:OUTP1 ON;:SOUR1:VOLT 1')
    assert ask(twin, "MEAS? (@1)") == "+9.910000E+37,+2.000000E-05"


@given(st.lists(st.sampled_from(["VOLT", "CURR", "TIME", "STAT", "SOUR"]), min_size=1, unique=True))
def test_elements_come_in_the_instruments_order(elements):
    twin = SimulatedKeysightB2912A(VirtualClock(), np.random.default_rng(0), {}, accuracy=0, noise=0)
    order = ["VOLT", "CURR", "TIME", "STAT", "SOUR"]
    assert ask(twin, f"FORM:ELEM:SENS {','.join(elements)};SENS?") == ",".join(
        name for name in order if name in elements
    )


@pytest.mark.slow
def test_a_hundred_thousand_points_are_read_in_a_few_pieces(instrument, twin, monkeypatch):
    twin.write(b"FORM:ELEM:SENS CURR;:SENS1:CURR:NPLC 4e-4;:TRIG1:COUN 100000;:INIT (@1)")
    instrument.exchange(":FORM REAL,32;:FORM:BORD SWAP")
    pieces, read = [], instrument.adapter.connection.read_bytes
    monkeypatch.setattr(
        instrument.adapter.connection,
        "read_bytes",
        lambda *given, **how: pieces.append(given) or read(*given, **how),
    )
    values = instrument.exchange_block(":FETC:ARR? (@1)", "<f4")
    assert len(values) == 100_000
    assert len(pieces) <= 10


def test_a_trigger_beyond_a_count_that_was_lowered_is_ignored(twin):
    ask(twin, ":TRIG:SOUR BUS;:TRIG:COUN 3;:INIT (@1);*TRG;*TRG;:TRIG:COUN 1;*OPC?")
    assert ask(twin, "*TRG;:SYST:ERR?").startswith("-211")


# --- sourcing current ---


def test_a_sourced_current_finds_its_voltage_or_its_limit(twin):
    twin.write(
        b"SOUR:FUNC:MODE CURR;:SOUR:CURR 1e-5;:SENS:VOLT:PROT 2;:OUTP ON;:FORM:ELEM:SENS VOLT,CURR,STAT"
    )
    volts, amperes, status = (float(text) for text in ask(twin, "MEAS? (@1)").split(","))
    assert (volts, amperes, int(status) & 6) == (pytest.approx(0.5, rel=1e-3), pytest.approx(1e-5), 0)
    assert twin.outputs[1].volts == pytest.approx(0.5, rel=1e-3)
    twin.write(b"SOUR:CURR 1e-4")
    assert twin.outputs[1].volts == 2.0
    assert ask(twin, "SENS:VOLT:PROT:TRIP?;:SENS:CURR:PROT:TRIP?") == "1;0"
    assert float(ask(twin, "MEAS:CURR? (@1)")) == pytest.approx(4e-5)
    assert float(ask(twin, "MEAS:RES? (@1)")) == pytest.approx(5e4, rel=1e-3)
    twin.write(b"SOUR:FUNC:MODE VOLT")
    assert ask(twin, "OUTP1?") == "0"
    twin.write(b"SOUR:CURR:RANG 1e-3;:SOUR:CURR 2e-3")
    assert error_of(twin) == -222


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        ("VOLT:STAR 0;STOP 1;STEP 0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("VOLT:STAR 1;STOP -1;:SOUR:SWE:POIN 3", [1.0, 0.0, -1.0]),
        ("VOLT:STAR 0.01;STOP 1;POIN 3;:SOUR:SWE:SPAC LOG", [0.01, 0.1, 1.0]),
        ("VOLT:STAR 0;STOP 1;POIN 2;:SOUR:SWE:STA DOUB;DIR DOWN", [1.0, 0.0, 0.0, 1.0]),
    ],
)
def test_a_staircase_steps_through_its_levels(twin, settings, levels):
    twin.write(f"SOUR:{settings};:SOUR:VOLT:MODE SWE;:TRIG:COUN {len(levels)};:OUTP ON".encode())
    replies = [float(text) for text in ask(twin, "READ:ARR:SOUR?").split(",")]
    assert replies == pytest.approx(levels)
    assert error_of(twin) == 0


def test_a_step_and_a_number_of_points_say_the_same(twin):
    assert ask(twin, "SOUR:VOLT:STAR 0;STOP 1;STEP 0.1;POIN?;STEP?;:SOUR:SWE:POIN?") == "11;+1.000000E-01;11"
    assert ask(twin, "SENS:CURR:NPLC 0.5;APER?;APER 0.1;NPLC?") == "+1.000000E-02;+5.000000E+00"


def test_one_element_comes_whatever_elements_are_in_use(twin):
    twin.write(b"FORM:ELEM:SENS STAT;:TRIG:COUN 2;:SOUR:VOLT 0.5;:OUTP ON")
    assert ask(twin, "READ:ARR:SOUR?") == "+5.000000E-01,+5.000000E-01"
    assert ask(twin, "FETC:SOUR?") == "+5.000000E-01"
    assert [float(text) for text in ask(twin, "FETC:ARR:VOLT?").split(",")] == pytest.approx(
        [0.5, 0.5], rel=1e-2
    )
    assert ask(twin, "READ:STAT?;:FETC:ARR?") == "+0.000000E+00;+0.000000E+00,+0.000000E+00"
