"""The DAQ6510's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import ask, error_of, registered

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.keithleydaq6510 import KeithleyDAQ6510, KeithleyDMM6500
from mho.instruments.roles import Daq, Instrument
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithleydaq6510 import SimulatedKeithleyDAQ6510, SimulatedKeithleyDMM6500

ADDRESS = "USB0::0x05E6::0x6510::SIM00005::INSTR"


def wired(channel):
    return lambda aperture: 0.01 * (channel - 110)


def new_twin(**options):
    device = SimulatedKeithleyDAQ6510(
        VirtualClock(),
        np.random.default_rng(1),
        {channel: wired(channel) for channel in range(101, 121)},
        **{"accuracy": 0.0, "noise": 0.0, "serial": "S5", **options},
    )
    device.status.events = 0
    return device


@pytest.fixture
def twin():
    return new_twin(resistors={103: lambda aperture: 50e3}, currents={121: lambda aperture: -2e-6})


@pytest.fixture
def daq(rack):
    instrument = KeithleyDAQ6510(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


# --- driver and twin together ---


def test_it_is_an_instrument_with_inputs_but_no_daq_that_exchanges(daq):
    assert isinstance(daq, Instrument)
    assert not isinstance(daq, Daq)
    assert daq.input_count == 20


def test_a_scan_reads_every_channel_in_order(daq):
    daq.configure(full_scale=1.0, nplc=0.1)
    assert daq.scan() == pytest.approx([wired(channel)(0) for channel in range(101, 121)])
    assert daq.scan([115, 102]) == pytest.approx([0.05, -0.08])


def test_scans_repeat_at_their_interval(daq, twin):
    daq.configure(nplc=0.01)
    start = twin.clock.now
    values = daq.scans(5, [101, 111], interval=0.5)
    assert values.shape == (5, 2)
    assert values == pytest.approx(np.tile([-0.09, 0.01], (5, 1)))
    assert twin.clock.now - start == pytest.approx(2.5, abs=0.1)


@given(st.lists(st.integers(101, 120), min_size=1, max_size=30), st.integers(1, 4))
def test_each_reading_belongs_to_its_channel(channels, count):
    twin = new_twin()
    with registered("scans", {ADDRESS: twin}):
        daq = KeithleyDAQ6510(ADDRESS, "scans@mho")
        assert daq.scans(count, channels) == pytest.approx(
            np.tile([wired(channel)(0) for channel in channels], (count, 1))
        )


def test_ohms_and_amperes_have_their_channels(daq):
    daq.configure(function="RES", full_scale=1e5, channels=[103, 104])
    assert daq.scan([103]) == pytest.approx([50e3])
    assert np.isnan(daq.scan([104])[0])  # open
    daq.configure(function="CURR", full_scale=1e-5, channels=[121])
    assert daq.scan([121]) == pytest.approx([-2e-6])
    with pytest.raises(InstrumentError, match="no such function"):
        daq.configure(function="CURR", full_scale=1e-5, channels=[101])


def test_an_overflow_reads_as_nan(daq, twin):
    twin._ports["VOLT"][102] = lambda aperture: -5.0
    daq.configure(full_scale=1.0, nplc=0.1)
    assert daq.scan([101, 102, 103]) == pytest.approx([-0.09, math.nan, -0.07], nan_ok=True)


def test_relays_close_and_open_and_are_read_back(daq, twin):
    daq.close_channels([105, 107])
    assert daq.closed_channels() == (105, 107)
    daq.open_channels([105])
    assert twin.closed == {107}
    for _ in range(2):
        daq.make_safe()
        assert daq.closed_channels() == ()


def test_a_scan_ends_with_every_channel_open(daq, twin):
    daq.close_channels([101])
    daq.scan()
    assert twin.closed == set()


def test_a_channel_that_stays_closed_is_said_loudly(daq, twin):
    daq.close_channels([101, 102])
    write = twin.write
    twin.write = lambda data, end=True: write(data.replace(b"OPEN:ALL", b"OPEN (@101)"), end)
    with pytest.raises(InstrumentError, match="still has channels 102 closed; switch it off by hand"):
        daq.make_safe()


def test_values_beyond_the_instrument_raise_before_anything_is_sent(daq, twin):
    sent = []
    twin.write = lambda data, end=True: sent.append(data)
    for attempt in (
        lambda: daq.configure(full_scale=2000.0), lambda: daq.configure(nplc=20.0),
        lambda: daq.configure(full_scale=math.nan), lambda: daq.configure(function="RES", full_scale=1.0),
        lambda: daq.scans(0), lambda: daq.scans(1, interval=-1.0),
    ):  # fmt: skip
        with pytest.raises(LimitError, match="beyond what the instrument can do"):
            attempt()
    with pytest.raises(InstrumentError, match="function 'TEMP' does not exist"):
        daq.configure(function="TEMP")
    with pytest.raises(InstrumentError, match="needs channels to scan; name some"):
        daq.scans(1, [])
    with pytest.raises(InstrumentError, match="scans have 1 to 100000 readings"):
        daq.scans(100_001, [101])
    for attempt in (lambda: daq.scan([101.5]), lambda: daq.scans(1.5), lambda: daq.close_channels([0])):
        with pytest.raises(LimitError, match=r"not a whole number|channel 0 +is beyond"):
            attempt()
    assert sent == []


def test_a_channel_that_is_not_there_is_refused_by_the_instrument(daq):
    with pytest.raises(InstrumentError, match=r"-222, .*channel 130"):
        daq.scan([130])


def test_a_long_scan_gets_the_time_it_needs(daq, twin):
    daq.configure(nplc=10)
    patience = []
    connection, write = daq.adapter.connection, twin.write
    twin.write = lambda data, end=True: (patience.append((data, connection.timeout)), write(data, end))[1]
    daq.scans(10, interval=20.0)
    assert next(timeout for data, timeout in patience if b":INIT" in data) * 1e-3 > 200
    assert connection.timeout == 5000


def test_connecting_changes_nothing_and_stale_errors_are_dropped(rack, twin):
    twin.write(b"ROUT:CLOS (@104);:FOO")
    before = dict(vars(twin), _output=b"")
    daq = KeithleyDAQ6510(ADDRESS, "bench@mho")
    assert dict(vars(twin), _output=b"") == before
    assert daq.scan([101]) == pytest.approx([-0.09])
    daq.close()


def test_another_model_or_language_is_refused(rack, twin):
    twin.write(b"*LANG SCPI2700")
    with pytest.raises(InstrumentError, match="speaks SCPI2700; switch it to SCPI"):
        KeithleyDAQ6510(ADDRESS, "bench@mho")
    twin.identity = "KEITHLEY INSTRUMENTS,MODEL DMM6500,1,1"
    with pytest.raises(InstrumentError, match="expected a MODEL DAQ6510"):
        KeithleyDAQ6510(ADDRESS, "bench@mho")
    with pytest.raises(InstrumentError, match="needs channels to scan"):
        KeithleyDAQ6510(ADDRESS, "bench@mho", channels=[])


@pytest.mark.parametrize("kind", ["timeout", "error", "disconnect"])
def test_whatever_message_fails_make_safe_opens_every_channel(daq, rack, twin, kind):
    for struck in range(7):
        rack.faults.append(Fault(ADDRESS, kind, after=struck))
        with pytest.raises(InstrumentError):
            daq.scans(3, [101, 102])
        rack.faults.clear()
        daq.make_safe()
        assert twin.closed == set()
        assert daq.scans(3, [101, 102]).shape == (3, 2)


def test_settings_tell_what_the_channels_measure(daq):
    daq.configure(full_scale=1.0, nplc=0.5)
    kept = daq.settings()
    assert kept["channel_functions"] == ";".join(['"VOLT:DC"'] * 20)
    assert kept["channel_voltage_ranges"] == ";".join(["1.000000E+00"] * 20)
    assert kept["channels"].startswith("(@101,102,")


# --- the driver against the wire ---

FINE = '0,"No error;0;0 0"'
OPENING = [
    ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL DAQ6510,04419020,1.7.4b"),
    (":SYST:ERR?", FINE),
    ("*LANG?", "SCPI"),
]


def test_a_scan_is_created_run_and_transferred_as_the_manual_says():
    values = np.array([0.25, -0.5], "<f8")
    pairs = [
        *OPENING,
        (
            ':TRAC:CLE "defbuffer1";:ROUT:SCAN:CRE (@103,101);:ROUT:SCAN:COUN:SCAN 1;'
            ':ROUT:SCAN:INT 0.000000000e+00;:ROUT:SCAN:BUFF "defbuffer1";:SYST:ERR?',
            FINE,
        ),
        (":INIT;*WAI;:SYST:ERR?", FINE),
        (':TRAC:ACT? "defbuffer1"', "2"),
        (":FORM REAL;:FORM:BORD SWAP;:SYST:ERR?", FINE),
        (':TRAC:DATA? 1,2,"defbuffer1",READ', b"#0" + values.tobytes() + b"\n"),
        (":SYST:ERR?", FINE),
        (":FORM ASC;:SYST:ERR?", FINE),
    ]
    with expected_protocol(KeithleyDAQ6510, pairs) as daq:
        assert daq.scan([103, 101]) == pytest.approx(values)


def test_too_few_readings_are_noticed():
    pairs = [
        *OPENING,
        (
            ':TRAC:CLE "defbuffer1";:ROUT:SCAN:CRE (@101);:ROUT:SCAN:COUN:SCAN 2;'
            ':ROUT:SCAN:INT 0.000000000e+00;:ROUT:SCAN:BUFF "defbuffer1";:SYST:ERR?',
            FINE,
        ),
        (":INIT;*WAI;:SYST:ERR?", FINE),
        (':TRAC:ACT? "defbuffer1"', "1"),
    ]
    with (
        expected_protocol(KeithleyDAQ6510, pairs) as daq,
        pytest.raises(InstrumentError, match="took 1 readings instead of 2; is the card in its slot"),
    ):
        daq.scans(2, [101])


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"#18" + bytes(8) + b"\n", "8 bytes, not 16"),
        (b"0.25,-0.5\n", "not a block"),
        (b"#x\n", "not a block"),
    ],
)
def test_a_reply_that_is_not_the_block_asked_for_is_noticed(reply, message):
    pairs = [*OPENING, (":TRAC:DATA? 1,2", reply)]
    with pytest.raises(InstrumentError, match=message), expected_protocol(KeithleyDAQ6510, pairs) as daq:
        daq.ask_block(":TRAC:DATA? 1,2", "<f8", 2)


def test_a_definite_block_is_understood_as_well():
    values = np.array([0.25, -0.5], "<f8")
    pairs = [*OPENING, (":X?", b"#216" + values.tobytes() + b"\n"), (":SYST:ERR?", FINE)]
    with expected_protocol(KeithleyDAQ6510, pairs) as daq:
        assert daq.ask_block(":X?", "<f8", 2) == pytest.approx(values)


# --- the twin against the manual ---


def test_the_manuals_scan_works(twin):
    for line in ("*RST", 'FUNC "VOLT",(@101:105)', "VOLT:RANG 10,(@101:105)", "VOLT:NPLC 0.1,(@101:105)",
                 "ROUT:SCAN:CRE (@101:105)", "ROUT:SCAN:COUN:SCAN 2", 'TRAC:MAKE "b",100', 'ROUT:SCAN:BUFF "b"',
                 "INIT", "*WAI"):  # fmt: skip
        twin.write(line.encode())
    assert ask(twin, 'TRAC:ACT? "b";:ROUT:SCAN:COUN:STEP?') == "10;5"
    data = ask(twin, 'TRAC:DATA? 1,10,"b",CHAN,READ,UNIT').split(",")
    assert data[0::3] == [str(channel) for channel in (101, 102, 103, 104, 105)] * 2
    assert [float(text) for text in data[1::3]] == pytest.approx([-0.09, -0.08, -0.07, -0.06, -0.05] * 2)
    assert set(data[2::3]) == {"Volt DC"}
    assert ask(twin, "ROUT:SCAN:CRE?;BUFF?;:SYST:ERR?") == '(@101,102,103,104,105);b;0,"No error;0;0 0"'


def test_channels_are_set_and_asked_one_by_one(twin):
    twin.write(b'SENS:FUNC "RES",(@102);:SENS:RES:RANG 2e3,(@102);:VOLT:NPLC 5,(@103)')
    assert ask(twin, "SENS:FUNC? (@101,102);:SENS:RES:RANG? (@102);RANG:AUTO? (@101,102)") == (
        '"VOLT:DC";"RES";1.000000E+04;1;0'
    )
    assert ask(twin, "VOLT:NPLC? (@103);NPLC?") == "5.000000E+00;1.000000E+00"


def test_a_reading_is_of_the_closed_channel_or_of_the_front(twin):
    assert float(ask(twin, "READ?")) == 0.0
    assert float(ask(twin, "ROUT:CLOS (@120);:READ?")) == pytest.approx(0.1)
    assert ask(twin, "ROUT:CLOS?;STAT? (@119,120);:FETC?") == "(@120);0,1;1.000000E-01"


@pytest.mark.parametrize(
    ("message", "code"),
    [('FUNC "TEMP",(@101)', -224), ("VOLT:RANG 2000", -222), ("VOLT:NPLC 13,(@101)", -222), ("ROUT:CLOS (@99)", -222),
     ("ROUT:SCAN:CRE (@130)", -222), ('ROUT:SCAN:BUFF "no"', -224), ("INIT", -221), ("ROUT:CLOS", -109),
     ("ROUT:SCAN:COUN:SCAN 1e7;:ROUT:SCAN:CRE (@101);:INIT", -221),
     ("ROUT:SCAN:COUN:SCAN 0;:ROUT:SCAN:CRE (@101);:INIT", -221), ("ROUT:CLOS (@101,102);:READ?", -221),
     ('FUNC "VOLT",(@121)', -221), ("FORM REAL;:READ? 'defbuffer1',UNIT", 1133), ("TRAC:DATA? 1,1", -222)],
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    twin.write(message.encode())
    assert error_of(twin) == code


def test_reset_opens_the_channels_and_forgets_the_scan(twin):
    twin.write(b"ROUT:CLOS (@101);:ROUT:SCAN:CRE (@101);:VOLT:NPLC 5,(@101);*RST")
    assert ask(twin, "ROUT:CLOS?;:ROUT:SCAN:CRE?;:VOLT:NPLC? (@101)") == "(@);(@);1.000000E+00"


def test_readings_are_within_accuracy_and_noise_falls_with_the_aperture():
    def spread(nplc):
        twin = new_twin(noise=1e-5)
        twin.write(f"VOLT:RANG 1,(@120);:VOLT:NPLC {nplc},(@120);:ROUT:CLOS (@120)".encode())
        return np.std([float(ask(twin, "READ?")) for _ in range(300)])

    assert spread(0.01) / spread(1) == pytest.approx(10, rel=0.2)
    twin = new_twin(accuracy=0.2)
    twin.write(b"ROUT:CLOS (@120)")
    assert float(ask(twin, "READ?")) == pytest.approx(0.1, abs=1e-4)


# --- the DMM6500, of one slot with ten channels ---


@pytest.fixture
def dmm():
    twin = SimulatedKeithleyDMM6500(
        VirtualClock(), np.random.default_rng(1), {number: lambda aperture, v=number: v / 10 for number in range(1, 11)},
        resistors={3: lambda aperture: 4.7e3}, accuracy=0.0, noise=0.0,
    )  # fmt: skip
    with registered("slot", {ADDRESS: twin}):
        yield KeithleyDMM6500(ADDRESS, "slot@mho"), twin


def test_a_dmm6500_scans_ten_channels(dmm):
    meter, twin = dmm
    assert "MODEL DMM6500" in meter.identify()
    assert meter.input_count == 10
    meter.configure(full_scale=1.0, nplc=0.1)
    assert meter.scan() == pytest.approx(np.arange(1, 11) / 10)
    assert meter.scans(2, [7, 2]) == pytest.approx(np.array([[0.7, 0.2]] * 2))
    meter.configure(function="RES", full_scale=1e4, channels=[3])
    assert meter.scan([3]) == pytest.approx([4.7e3])
    assert meter.settings()["channels"] == "(@1,2,3,4,5,6,7,8,9,10)"
    assert ask(twin, ":ROUT:TERM?") == "REAR"


def test_a_dmm6500_closes_its_channels_and_is_made_safe(dmm):
    meter, twin = dmm
    meter.close_channels([4, 9])
    assert meter.closed_channels() == (4, 9)
    meter.make_safe()
    assert twin.closed == set()


def test_a_dmm6500_has_no_channels_of_a_daq6510_and_no_amperes(dmm):
    meter, _ = dmm
    with pytest.raises(LimitError, match=r"channel 101 .*\(1 to 10"):
        meter.scan([101])
    with pytest.raises(InstrumentError, match="a DMM6500 needs channels to scan; name some"):
        meter.scan([])
    with pytest.raises(InstrumentError, match="no such function"):
        meter.configure(function="CURR", full_scale=1e-3, channels=[1])


def test_a_dmm6500_is_no_daq6510(dmm):
    with pytest.raises(InstrumentError, match="expected a MODEL DAQ6510"):
        KeithleyDAQ6510(ADDRESS, "slot@mho")


def test_a_scan_of_a_dmm6500_over_the_wire():
    pairs = [
        ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL DMM6500,04419020,1.7.7b"),
        *OPENING[1:],
        (
            ':SENS:FUNC "VOLT",(@1,10);:SENS:VOLT:RANG 1.000000000e+00,(@1,10);:SENS:VOLT:NPLC 1.000000000e+00,(@1,10);'
            ":SYST:ERR?",
            FINE,
        ),
        (":SYST:LFR?", "50"),
        (":ROUT:CLOS (@10);:SYST:ERR?", FINE),
    ]
    with expected_protocol(KeithleyDMM6500, pairs) as meter:
        meter.configure(channels=[1, 10])
        meter.close_channels([10])
