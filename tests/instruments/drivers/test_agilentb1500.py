"""The adapted B1500 driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import math

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.instruments.agilent import AgilentB1500 as PyMeasureB1500
from pymeasure.instruments.agilent.agilentB1500 import ADCType
from pymeasure.test import expected_protocol
from qcodes.instrument import Instrument as QCoDeSInstrument
from qcodes.instrument_drivers.Keysight import KeysightB1500
from qcodes.instrument_drivers.Keysight.keysightb1500 import constants
from wired_twins import ask, registered

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.agilentb1500 import AgilentB1500
from mho.instruments.simulated.agilentb1500.instrument import SimulatedAgilentB1500
from mho.instruments.simulated.agilentb1500.language import engineering
from mho.instruments.simulated.clock import VirtualClock

ADDRESS = "GPIB0::17::INSTR"


class Resistor:
    """A terminal with a conductance (S) behind it, which remembers what it saw."""

    def __init__(self, conductance):
        self.conductance = conductance
        self.volts, self.connected = 0.0, False

    def drive(self, volts, *, connected):
        self.volts, self.connected = volts, connected

    def current(self, volts, aperture):
        self.aperture = aperture
        return volts * self.conductance


@pytest.fixture
def twin():
    ports = {2: Resistor(20e-6), 5: Resistor(50e-6)}
    return SimulatedAgilentB1500(VirtualClock(), np.random.default_rng(3), ports, accuracy=0.0, noise=0.0)


@pytest.fixture
def smu(rack):
    instrument = AgilentB1500(ADDRESS, "bench@mho", smu=2)
    yield instrument
    instrument.close()


# --- driver and twin together ---


def test_smus_are_counted_in_the_order_of_their_slots(rack, smu):
    assert smu.settings()["slot"] == "5"
    first = AgilentB1500(ADDRESS, "bench@mho")
    assert first.settings()["slot"] == "2"
    first.close()
    with pytest.raises(InstrumentError, match=r"SMU of B1500 at .* 3 does not exist; choose one of 1, 2"):
        AgilentB1500(ADDRESS, "bench@mho", smu=3)


def test_nothing_is_sourced_or_measured_before_it_is_configured(smu):
    for attempt in (smu.enable, lambda: smu.hold(0.1), lambda: smu.read(0.1), lambda: smu.sweep([0.1])):
        with pytest.raises(InstrumentError, match="configure it before"):
            attempt()


def test_an_output_that_is_off_does_not_measure_and_says_why(smu):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    with pytest.raises(
        InstrumentError, match=r"VI_ERROR_TMO.*the instrument says \+200, Channel output switch must"
    ):
        smu.read(0.1)
    smu.enable()
    assert smu.read(0.1).current == pytest.approx(5e-6)


def test_every_error_of_a_refused_command_is_dropped(smu):
    with pytest.raises(
        InstrumentError, match=r"refused 'FOO': Agilent B1500 Error \+100: Undefined GPIB command"
    ):
        smu._do("FOO", "BAR", "BAZ", "FOO")
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)


@pytest.mark.parametrize(
    ("nplc", "aperture"), [(1e-4, 2e-6), (0.01, 2e-4), (1.0, 0.02), (2.0, 0.04), (100.0, 2.0)]
)
def test_integration_by_time_and_by_cycles(smu, twin, nplc, aperture):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=nplc)
    smu.enable()
    smu.read(0.1)
    assert twin.outputs[5].aperture == pytest.approx(aperture)


def test_broken_cycles_and_delays_are_not_rounded_in_silence(smu):
    with pytest.raises(LimitError, match=r"whole power line cycles above 1, not 2\.5; choose 2 or 3"):
        smu.configure(current_limit=1e-4, current_range=1e-4, nplc=2.5)
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    with pytest.raises(LimitError, match=r"no multiple of 0\.0001 s"):
        smu.sweep([0.1], delay=1.5e-5)


@given(st.floats(-10.99, -1.01))
def test_the_smallest_range_that_holds_the_current_is_taken(exponent):
    twin = SimulatedAgilentB1500(VirtualClock(), np.random.default_rng(3), {1: Resistor(0.0)})
    with registered("ranges", {ADDRESS: twin}):
        smu = AgilentB1500(ADDRESS, "ranges@mho")
        index = -smu._measurement_range(10**exponent)
        assert 10 ** (index - 20) >= 10**exponent * (1 - 1e-9)
        assert index == 9 or 10 ** (index - 21) < 10**exponent


def test_an_overflow_reads_as_nan(smu):
    smu.configure(current_limit=1e-4, current_range=1e-6, nplc=0.1)
    smu.enable()
    reading = smu.read(1.0)
    assert math.isnan(reading.current)
    assert not reading.tripped


def test_a_sweep_leaves_no_program_and_no_data_behind(smu, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    smu.enable()
    smu.sweep([0.1, 0.2], delay=0.5)
    assert twin._programs == {}
    assert not twin._data
    assert twin.clock.now > 1.0


def test_one_module_is_made_safe_without_the_others(rack, smu, twin):
    first = AgilentB1500(ADDRESS, "bench@mho")
    for instrument in (first, smu):
        instrument.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
        instrument.enable()
        instrument.hold(0.4)
    smu.make_safe()
    assert (twin.outputs[2].connected, twin.outputs[5].connected) == (True, False)
    assert twin.outputs[2].volts == pytest.approx(0.4)
    first.make_safe()
    first.close()


# --- the driver against the wire ---

OPENING = [
    ("*IDN?", "Agilent Technologies,B1500A,0,A.05.50.2013.0228"),
    ("ERRX?", '+0,"No Error."'),
    ("UNT?", "0,0;B1517A,0;B1511B,0;0,0;0,0;0,0;0,0;0,0;0,0;0,0"),
]
FINE = ("ERRX?", '+0,"No Error."')


def test_configuring_and_enabling_say_what_the_manual_wants():
    pairs = [
        *OPENING,
        ("FMT 21, 0", None), FINE, ("AAD 2, 0", None), FINE, ("AIT 0, 3, 2.000000000e-04", None), FINE,
        ("*LRN? 2", "CL2"),
        ("CN 2", None), FINE, ("DV 2, 0, 0.0, 1e-07", None), FINE,
        ("*LRN? 2", "DV2,0,+00.0000E+00,+100.000E-09,0,14"),
    ]  # fmt: skip
    with expected_protocol(AgilentB1500, pairs) as smu:
        smu.configure(current_limit=1e-7, current_range=1e-6, nplc=0.01)
        smu.enable()


def test_a_read_is_one_message():
    message = "DV 2,0,2.000000000e-01,1.000000000e-04;TI 2,-16;TV 2,0;DV 2,0,0.000000000e+00,1.000000000e-04"
    pairs = [*OPENING, (message, "008BI+004.1000E-06"), (None, "000BV+199.9000E-03"), FINE]
    with expected_protocol(AgilentB1500, pairs) as smu:
        smu._limit, smu._range_index = 1e-4, -16
        assert smu.read(0.2) == (0.1999, 4.1e-6, True)


@pytest.mark.parametrize("reply", ["hello", "000CI+004.1000E-06", "NBI+004.100E-06"])
def test_data_of_another_channel_or_format_is_not_understood(reply):
    message = "DV 2,0,2.000000000e-01,1.000000000e-04;TI 2,-16;TV 2,0;DV 2,0,0.000000000e+00,1.000000000e-04"
    pairs = [*OPENING, (message, reply)]
    with expected_protocol(AgilentB1500, pairs) as smu:
        smu._limit, smu._range_index = 1e-4, -16
        with pytest.raises(InstrumentError, match="was not understood: answered"):
            smu.read(0.2)


def test_an_answer_that_is_no_error_is_not_taken_for_none():
    with (
        expected_protocol(AgilentB1500, [*OPENING, ("AB", None), ("ERRX?", "hello")]) as smu,
        pytest.raises(InstrumentError, match="'AB' was not understood: answered 'hello'"),
    ):
        smu._do("AB")


# --- the twin against the manual ---


def test_it_answers_as_the_manual_says(twin):
    assert ask(twin, "*LRN? 2") == "CL2"
    twin.write(b"CN 2;DV2,0,0.5,1E-4\r\n")
    assert ask(twin, "*LRN? 2") == "DV2,0,+00.5000E+00,+100.000E-06,0,0"
    assert ask(twin, "*LRN? 0") == "CN2"
    assert ask(twin, "UNT?").startswith("0,0;B1517A,0;0,0;0,0;B1517A,0;")
    for kind, reply in ((1, "NBI+010.000E-06"), (11, "NBI+010.0000E-06"), (21, "000BI+010.0000E-06")):
        assert ask(twin, f"FMT {kind};TI 2,0") == reply
    assert ask(twin, "DV 2,0,20;TI 2,0") == "008BI+100.0000E-06"
    assert ask(twin, "TI 2,-11") == "009BI+199.9999E+99"


def test_a_querys_reply_is_read_before_data(twin):
    twin.write(b"FMT 21;CN 2;TI 2,0;ERRX?\r\n")
    assert twin.read() == b'+0,"No Error."\r\n'
    assert twin.read()[:5] == b"000BI"
    assert twin.read() == b""


@pytest.mark.parametrize(
    ("message", "code"),
    [("FOO", 100), ("DV 2,0,0.1", 200), ("TI 2,0", 200), ("CN 3", 121), ("CN 2;DV 2,0,101", 120),
     ("CN 2;DV 2,11,2.5", 120), ("CN 2;DV 2,0,50,0.1", 123), ("CN 2;DV 2,0,0,0", 123), ("DV 2,0", 102),
     ("FMT 99", 120), ("AIT 0,3,1", 120), ("AIT 1,3,1E-3", 120), ("PA 100", 120), ("DO 7", 126),
     ("SCR 7", 126), ("ST 0", 120), ("CN x", 101), ("CN 2;TI 2,25", 120), ("PA 1E99", 120),
     ("ST 1;ERRX?", 120), ("X" * 300, 102), ("1,2", 100), ("CN 2;TV 2,3", 120), ("AAD 2,5", 120),
     ("MM 3,2", 120), ("MM 2,3", 121), ("XE", 120), ("CN 2;MM 2,2;XE", 120), ("MM 1,2;XE", 200), ("WV 2,2,0,-1,1,5", 120),
     ("WV 2,1,0,0,1,1002", 120), ("WV 2,1,0,0,101,5", 120), ("WV 2,1,0,0,50,5,0.1", 123), ("WT 700,0", 120), ("WM 3", 120),
     ("MT 0,1E-5,1", 120), ("CMM 2,9", 120), ("RI 2,99", 120), ("FL 2", 120), ("AV 0", 120), ("FMT 1,2", 120)],
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    twin.write(message.encode() + b"\r\n")
    twin.clear()
    assert ask(twin, "ERRX?").split(",")[0] == f"{code:+d}"


def test_a_program_is_stored_run_and_scratched(twin):
    twin.write(b"FMT 21;CN 2\r\nST 3\r\nDV 2,0,1;PA 0.5\r\nTI 2,0\r\nEND\r\n")
    assert twin.outputs[2].volts == 0.0
    assert ask(twin, "DO 3,3") == "000BI+020.0000E-06"
    assert twin.read() == b"000BI+020.0000E-06\r\n"
    assert twin.clock.now > 1.0
    twin.write(b"SCR 3;DO 3\r\n")
    assert ask(twin, "ERRX?").startswith("+126")


def test_zero_and_restore(twin):
    twin.write(b"CN 2;DV 2,0,1.5,1E-3;DZ 2\r\n")
    assert twin.outputs[2].volts == 0.0
    twin.write(b"RZ 2\r\n")
    assert twin.outputs[2].volts == 1.5
    assert ask(twin, "*LRN? 2") == "DV2,0,+01.5000E+00,+001.000E-03,0,0"
    twin.write(b"*RST\r\n")
    assert not twin.outputs[2].connected


def test_the_error_queue_keeps_the_oldest_thirty(twin):
    twin.write(b"CN 3\r\n" + b"FOO\r\n" * 40)
    assert ask(twin, "ERRX?").startswith("+121")
    assert [ask(twin, "ERRX?")[:4] for _ in range(30)] == ["+100"] * 29 + ['+0,"']


@given(st.floats(-1e3, 1e3), st.sampled_from([12, 13]))
def test_engineering_numbers_have_their_width_and_value(value, width):
    text = engineering(value, width)
    if value == 0.0 or abs(value) > 1e-99:
        assert len(text) == width
        assert float(text) == pytest.approx(value, rel=10.0 ** (9 - width))


@given(st.lists(st.text("CNDVTILR?*;, 0123456789.E+-\n\r", max_size=40), max_size=20))
def test_no_text_breaks_it(lines):
    twin = SimulatedAgilentB1500(VirtualClock(), np.random.default_rng(3), {1: Resistor(1e-5)})
    for line in lines:
        twin.write(line.encode())
        twin.read()
    twin.clear()
    twin.write(b"*IDN?\r\n")
    assert twin.read().startswith(b"Agilent Technologies,B1500A")


def test_pymeasures_own_driver_works_on_it(rack, twin):
    b1500 = PyMeasureB1500(ADDRESS, visa_library="bench@mho")
    b1500.initialize_all_smus()
    b1500.data_format(1)
    b1500.smu1.enable()
    b1500.smu1.adc_type = "HRADC"
    b1500.smu1.force("Voltage", "2 V", 0.25, 1e-3)
    assert b1500.query_learn(2)["DV2"][:2] == ["20", "+00.2500E+00"]
    b1500.write("CN 9")
    with pytest.raises(OSError, match=r"Error \+121: Channel number must be 1 to 10"):
        b1500.check_errors()
    b1500.write("TI 2,0")
    assert b1500.read() == "NBI+005.000E-06"
    b1500.smu1.disable()
    assert not twin.outputs[2].connected
    b1500.adapter.close()


@pytest.fixture
def pymeasure_b1500(rack):
    b1500 = PyMeasureB1500(ADDRESS, visa_library="bench@mho")
    b1500.initialize_all_smus()
    b1500.smu1.enable()
    yield b1500
    b1500.adapter.close()


def test_pymeasures_staircase_sweep_runs_on_it(pymeasure_b1500):
    """The steps of PyMeasure's own example."""
    b1500, smu = pymeasure_b1500, pymeasure_b1500.smu1
    b1500.data_format(21, mode=1)
    b1500.meas_mode("STAIRCASE_SWEEP", b1500.smu1)
    b1500.adc_setup("HSADC", "MANUAL", 1)
    b1500.adc_auto_zero = True
    b1500.time_stamp = True
    smu.adc_type = "HSADC"
    smu.meas_range_current = "100 uA"
    smu.meas_op_mode = "COMPLIANCE_SIDE"
    smu.staircase_sweep_source("VOLTAGE", "LINEAR_DOUBLE", "Auto Ranging", 0, 0.5, 3, 1e-3)
    b1500.sweep_timing(0.1, 0.01, step_delay=0.005)
    b1500.sweep_auto_abort(False, post="STOP")
    b1500.clear_timer()
    b1500.send_trigger()
    points = [b1500.read_channels(3) for _ in range(6)]
    assert [point[2][3] for point in points] == pytest.approx([0.0, 0.25, 0.5, 0.5, 0.25, 0.0])
    assert [point[1][3] for point in points] == pytest.approx(
        [2e-5 * point[2][3] for point in points], rel=1e-3, abs=1e-9
    )
    assert points[0][0][3] == pytest.approx(0.11, rel=1e-3)
    b1500.adapter.connection.clear()  # PyMeasure leaves the line feed
    assert b1500.query_learn(33)["WM"] == ["1", "2"]
    assert b1500.query_learn(32)["RI2"] == "16"


def test_pymeasures_samples_of_a_level_come_one_by_one(pymeasure_b1500, twin):
    b1500, smu = pymeasure_b1500, pymeasure_b1500.smu1
    b1500.data_format(1)
    b1500.meas_mode("SAMPLING", b1500.smu1)
    b1500.sampling_mode = "LINEAR"
    b1500.sampling_timing(0, 0.01, 3)
    smu.sampling_source("VOLTAGE", "2 V", 0.0, 0.1, 1e-3)
    b1500.sampling_auto_abort(False, post="Bias")
    b1500.send_trigger()
    assert [point[0][3] for point in (b1500.read_channels(1) for _ in range(3))] == pytest.approx(
        3 * [2e-6], rel=1e-3
    )
    assert twin.outputs[2].volts == pytest.approx(0.1)


def test_pymeasures_queries_of_settings_are_answered(pymeasure_b1500):
    b1500, smu = pymeasure_b1500, pymeasure_b1500.smu1
    b1500.adc_auto_zero = True
    smu.adc_type = "HSADC"
    smu.series_resistor = True
    smu.meas_range_current_auto(2, 60)
    assert (b1500.adc_auto_zero, smu.adc_type, smu.series_resistor) == (
        True,
        ADCType.HSADC,
        True,
    )
    for query in ("adc_setup", "meas_op_mode", "meas_range_current_auto", "meas_ranges", "meas_settings",
                  "sampling_settings", "series_resistor", "staircase_sweep_settings", "time_stamp_setting"):  # fmt: skip
        assert getattr(b1500, f"query_{query}")(), query
    b1500.check_errors()


@pytest.fixture
def qcodes_b1500(rack):
    yield KeysightB1500("b1500", ADDRESS, visalib="bench@mho")
    QCoDeSInstrument.close_all()


def test_qcodes_own_driver_sweeps_and_samples(qcodes_b1500, twin):
    b1500, smu = qcodes_b1500, qcodes_b1500.by_channel[2]
    assert b1500.self_calibration() == constants.CALResponse.PASSED
    b1500.autozero_enabled(True)
    b1500.use_nplc_for_high_speed_adc(n=1)
    b1500.enable_smu_filters(True)
    smu.enable_outputs()
    smu.setup_staircase_sweep(v_start=0, v_end=0.5, n_steps=5, i_comp=1e-3)
    b1500.set_measurement_mode(mode=constants.MM.Mode.STAIRCASE_SWEEP, channels=(2,))
    b1500.run_iv_staircase_sweep.set_names_labels_and_units(names=("cell",))
    (currents,) = b1500.run_iv_staircase_sweep()
    assert currents == pytest.approx([0.0, 2.5e-6, 5e-6, 7.5e-6, 10e-6], rel=1e-3, abs=1e-9)
    assert b1500.run_iv_staircase_sweep.source_voltage.value == pytest.approx([0, 0.125, 0.25, 0.375, 0.5])
    read_back = {name: parameter() for name, parameter in smu.iv_sweep.parameters.items()}
    assert (read_back["sweep_start"], read_back["sweep_end"], read_back["sweep_steps"]) == (0.0, 0.5, 5)
    smu.timing_parameters(h_bias=0, interval=0.1, number=4)
    smu.measurement_mode(constants.MM.Mode.SAMPLING)
    smu.voltage(0.3)
    start = twin.clock.now
    assert smu.sampling_measurement_trace() == pytest.approx(4 * [6e-6], rel=1e-3)
    assert twin.clock.now - start == pytest.approx(0.4, rel=0.05)
    assert b1500.get_status() == 0
    b1500.disable_channels()
    assert not twin.outputs[2].connected


def test_a_sweep_that_reaches_its_limit_may_stop(twin):
    twin.write(b"CN 2;MM 2,2;WV 2,1,0,0,2,5,1E-5;WM 2,1;FMT 1,1;XE")
    data = twin.read().decode().strip().split(",")
    assert [datum[0] for datum in data] == [*"NWNWCWTWTE"]
    assert twin.outputs[2].volts == 0.0
    assert not twin.errors


def beyond(low, high):
    """Numbers outside `low` to `high`, and what is no number at all."""
    finite = {"allow_nan": False, "allow_infinity": False}
    return (
        st.floats(max_value=low, exclude_max=True, **finite)
        | st.floats(min_value=high, exclude_min=True, **finite)
        | st.sampled_from([math.inf, -math.inf, math.nan])
    )


GOOD = {"current_limit": 1e-4, "current_range": 1e-4, "nplc": 0.1}
SETTERS = {
    "hold": (lambda smu, value: smu.hold(value), -100.0, 100.0),
    "read": (lambda smu, value: smu.read(value), -100.0, 100.0),
    "a level of a sweep": (lambda smu, value: smu.sweep([0.1, value]), -100.0, 100.0),
    "a sweep's delay": (lambda smu, value: smu.sweep([0.1], value), 0.0, 99.9999),
    "current limit": (lambda smu, value: smu.configure(**GOOD | {"current_limit": value}), 1e-12, 0.1),
    "current range": (lambda smu, value: smu.configure(**GOOD | {"current_range": value}), 1e-12, 0.1),
    "nplc": (lambda smu, value: smu.configure(**GOOD | {"nplc": value}), 1e-4, 100.0),
}


@pytest.mark.parametrize("name", daily(SETTERS, 3))
@given(data=st.data())
def test_nothing_out_of_range_is_ever_sent(name, data):
    act, low, high = SETTERS[name]
    device = SimulatedAgilentB1500(VirtualClock(), np.random.default_rng(3), {2: Resistor(2e-5)})
    with registered("limits", {ADDRESS: device}):
        smu = AgilentB1500(ADDRESS, "limits@mho", smu=1)
        smu.configure(**GOOD)
        smu.enable()
        sent, device.write = [], lambda message: sent.append(message)
        with pytest.raises(LimitError):
            act(smu, data.draw(beyond(low, high)))
        assert sent == []
        smu.close()
