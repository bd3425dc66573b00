"""The 2636B's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import math
import random
import warnings

import numpy as np
import pytest
import pyvisa
import qcodes.instrument_drivers.Keithley as qcodes_keithley  # noqa: N813
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.instruments.keithley import Keithley2600
from pymeasure.test import expected_protocol
from qcodes.dataset import LinSweep
from wired_twins import Resistor
from wired_twins import ask_all as ask

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.keithley2636b import SCRIPT, Keithley2636B
from mho.instruments.drivers.languages.tsp import lua_list
from mho.instruments.roles import SourceMeter
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithley2636b.instrument import SimulatedKeithley2636B
from mho.instruments.simulated.keithley2636b.source import AMPERE_RANGES, OVERRANGE, range_for

ADDRESS = "TCPIP0::192.0.2.36::inst0::INSTR"


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def ports(clock):
    return {1: Resistor(20e-6, clock), 2: Resistor(1e-9, clock)}


@pytest.fixture
def port(ports):
    return ports[1]


@pytest.fixture
def twin(ports, clock):
    device = SimulatedKeithley2636B(
        clock, np.random.default_rng(2), ports, serial="S1", accuracy=0.0, noise=0.0
    )
    device.status.events = 0
    return device


@pytest.fixture
def instrument(rack):
    instrument = Keithley2636B(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


@pytest.fixture
def smu(instrument):
    return instrument.channel(1)


def error_code(device):
    return device.status.next_error().code


# --- driver and twin together ---


def test_each_channel_is_a_source_meter(instrument):
    for number in (1, 2):
        assert isinstance(instrument.channel(number), SourceMeter)
        assert instrument.channel(number).identify() == "Keithley Instruments Inc., Model 2636B, S1, 3.2.2"
    with pytest.raises(InstrumentError, match=r"channel of 2636B .* 3 does not exist; choose one of 1, 2"):
        instrument.channel(3)


def test_connecting_changes_no_output_and_no_setting(rack, twin, ports):
    ask(twin, "smua.source.levelv = 0.3 smua.source.output = 1 format.asciiprecision = 3 foo.bar = 1")
    seen = [len(port.history) for port in ports.values()]
    before = {name: dict(unit.source.table._values) for name, unit in twin.units.items()}
    Keithley2636B(ADDRESS, "bench@mho").close()
    assert [len(port.history) for port in ports.values()] == seen
    assert {name: dict(unit.source.table._values) for name, unit in twin.units.items()} == before
    assert ask(twin, "print(format.asciiprecision)") == ["3.00e+00"]


def test_replies_and_errors_left_by_others_are_not_taken_for_ours(rack, twin):
    twin.write(b"print('stale') print('older') foo.bar = 1")
    channel = Keithley2636B(ADDRESS, "bench@mho").channel(1)
    channel.hold(0.1)
    channel.close()


def test_closing_the_last_channel_closes_the_connection(rack):
    instrument = Keithley2636B(ADDRESS, "bench@mho")
    first, second = instrument.channel(1), instrument.channel(2)
    first.close()
    first.close()
    second.hold(0.0)
    second.close()
    with pytest.raises(InstrumentError):
        second.hold(0.0)


def test_a_read_steps_measures_and_returns_to_zero(smu, port, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    smu.enable()
    assert (port.volts, port.connected) == (0.0, True)
    port.history.clear()
    reading = smu.read(0.2)
    assert reading == (pytest.approx(0.2), pytest.approx(4e-6, rel=1e-9), False)
    assert port.history == [pytest.approx(0.2), 0.0]
    assert port.apertures[-1] == pytest.approx(0.1 / 60)


def test_a_read_is_one_message_after_the_first(smu, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    smu.read(0.1)
    sent = []
    write = twin.write
    twin.write = lambda data, end=True: (sent.append(data), write(data, end))[1]
    smu.read(0.2)
    assert sent == [b"mho_read(smua, 2.000000000e-01) print(errorqueue.next())\n"]


def test_compliance_clamps_the_current_and_says_so(smu):
    smu.configure(current_limit=1e-5, current_range=1e-5, nplc=1)
    smu.enable()
    assert smu.read(2.0) == (pytest.approx(0.5), pytest.approx(1e-5), True)
    assert smu.read(-2.0) == (pytest.approx(-0.5), pytest.approx(-1e-5), True)
    assert [reading.tripped for reading in smu.sweep([0.1, 2.0])] == [False, True]
    smu.hold(2.0)
    assert smu.current_limit_tripped
    smu.hold(0.2)
    assert not smu.current_limit_tripped


def test_a_current_beyond_the_range_reads_as_nan(smu):
    smu.configure(current_limit=1e-3, current_range=1e-6, nplc=1)
    smu.enable()
    assert math.isnan(smu.read(1.0).current)
    assert math.isnan(smu.sweep([1.0])[0].current)


def test_off_is_zero_volts_with_the_limit_the_cell_may_see(smu, port, twin):
    smu.output_off_mode = "HIGH_Z"
    assert not port.connected
    smu.configure(current_limit=1e-5, current_range=1e-5, nplc=1)
    assert (port.volts, port.connected) == (0.0, True)
    assert (smu.output_off_mode, smu.output_off_function, smu.output_off_limit) == ("NORMAL", "VOLTS", 1e-5)
    smu.configure(current_limit=0.1, current_range=0.1, nplc=1)
    assert smu.output_off_limit == 1e-3


def test_small_currents_go_out_in_full_precision(smu, twin):
    smu.configure(current_limit=1.23456789e-7, current_range=1e-6, nplc=1)
    assert twin.units["smua"].source.table["limiti"] == 1.23456789e-7
    assert smu.current_limit == 1.23456789e-7


def test_a_sweep_is_timed_by_the_instrument_and_ends_at_zero(smu, port, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    smu.enable()
    port.history.clear()
    voltages = np.linspace(-1, 1, 250)
    start = twin.clock.now
    readings = smu.sweep(list(voltages), delay=2e-3)
    assert [r.voltage for r in readings] == pytest.approx(list(voltages), rel=1e-9, abs=1e-12)
    assert [r.current for r in readings] == pytest.approx(list(20e-6 * voltages), rel=1e-9, abs=1e-15)
    assert [v for v in port.history if v] == pytest.approx([v for v in voltages if v])
    assert port.history[-1] == 0.0
    assert smu.output_enabled
    assert twin.clock.now - start >= 250 * (2e-3 + 0.01 / 60)
    smu.output_enabled = False
    smu.sweep([0.1])
    assert not smu.output_enabled
    assert ask(twin, "print(format.data, smua.source.delay)") == ["1.00000e+00\t0.00000e+00"]


@pytest.mark.parametrize("number", [1, 2])
def test_pulses_have_the_width_and_the_period_asked_for(instrument, ports, twin, number):
    smu, port = instrument.channel(number), ports[number]
    smu.autozero = "ONCE"
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    port.history.clear()
    port.times.clear()
    levels = [0.5, -1.0, 1.5]
    readings = smu.pulse(levels, width=1e-3, period=10e-3)
    assert [r.voltage for r in readings] == pytest.approx(levels, rel=1e-9)
    assert [r.current for r in readings] == pytest.approx(
        [port.conductance * v for v in levels], rel=1e-9, abs=1e-15
    )
    steps = list(zip(port.times, port.history, strict=True))
    tops = [(start, volts) for start, volts in steps if volts]
    assert [volts for _, volts in tops] == levels
    assert np.diff([start for start, _ in tops]) == pytest.approx(10e-3)
    for start, _ in tops:
        ended = next(later for later, volts in steps if later > start and not volts)
        assert ended - start == pytest.approx(1e-3)
    assert not smu.output_enabled
    assert smu.source_voltage_range_auto
    assert ask(twin, "print(smua.measure.delay, smua.source.delay, trigger.timer[1].stimulus)") == [
        "-1.00000e+00\t0.00000e+00\t0.00000e+00"  # as they were: the measure delay is automatic
    ]


def test_one_pulse_needs_no_period(smu, port):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    smu.enable()
    port.history.clear()
    assert len(smu.pulse([0.5], width=1e-2, period=1.0)) == 1
    assert [volts for volts in port.history if volts] == [0.5]
    assert port.history[-1] == 0.0
    assert smu.output_enabled


def test_pulses_that_do_not_fit_are_refused(smu, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=1.0)
    with pytest.raises(LimitError, match=r"does not fit a pulse of 0.001 s; configure a smaller nplc"):
        smu.pulse([0.5], width=1e-3, period=1.0)
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.001)
    with pytest.raises(LimitError, match=r"choose a period of 0.0011 s or more"):
        smu.pulse([0.5], width=1e-3, period=1e-3)


def test_pulses_that_came_late_are_not_taken_for_what_was_asked_for():
    pairs = [
        *OPENING,
        *LOADING,
        ("mho_levels = {} print(errorqueue.next())", FINE),
        ("mho_append({5.000000000e-01}) print(errorqueue.next())", FINE),
        (
            "mho_pulse(smub, 3, 2.000000000e+00, 3.000000000e+00, 3.000000000e-01) print(errorqueue.next())",
            "1.00000e+00",
        ),
        (None, FINE),
    ]
    with (
        expected_protocol(Keithley2636B, pairs) as instrument,
        pytest.raises(InstrumentError, match="could not keep a period of 3 s"),
    ):
        instrument.channel(2).pulse([0.5], width=2.0, period=3.0)


def test_a_list_of_reads_returns_to_zero_between_them(smu, port):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    smu.enable()
    port.history.clear()
    voltages = [0.01 * k for k in range(1, 151)]
    readings = smu.read_list(voltages)
    assert [r.current for r in readings] == pytest.approx([20e-6 * v for v in voltages])
    assert port.history[1::2] == [0.0] * 150
    assert port.history[0::2] == pytest.approx(voltages)


def test_both_channels_work_side_by_side(instrument, ports):
    first, second = instrument.channel(1), instrument.channel(2)
    for channel in (first, second):
        channel.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
        channel.enable()
    second.hold(1.5)
    assert first.read(0.2).current == pytest.approx(4e-6)
    assert ports[2].volts == 1.5
    assert first.sweep([0.1])[0].current == pytest.approx(2e-6)
    assert ports[2].volts == 1.5


def test_open_terminals_carry_no_current(clock):
    twin = SimulatedKeithley2636B(clock, np.random.default_rng(0), {}, accuracy=0.0, noise=0.0)
    assert ask(twin, "smub.source.levelv = 1 smub.source.output = 1 print(smub.measure.iv())") == [
        "0.00000e+00\t1.00000e+00"
    ]


def test_a_long_sweep_gets_the_time_it_needs(smu, twin):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=10)
    patience = []
    connection = smu.parent.adapter.connection
    usual = connection.timeout
    write = twin.write
    twin.write = lambda data, end=True: (patience.append((data, connection.timeout)), write(data, end))[1]
    start = twin.clock.now
    smu.sweep([0.1] * 50, delay=1.0)
    during = next(timeout for data, timeout in patience if b"mho_sweep(smua" in data)
    assert during * 1e-3 > twin.clock.now - start
    assert connection.timeout == usual


def test_values_beyond_the_instrument_raise_before_anything_is_sent(smu, twin):
    sent = []
    twin.write = lambda data, end=True: sent.append(data)
    for attempt in (
        lambda: smu.hold(250.0),
        lambda: smu.read(math.nan),
        lambda: smu.sweep([0.1, math.inf]),
        lambda: smu.sweep([0.1], delay=-1.0),
        lambda: smu.read_list([math.nan, 0.1]),
        lambda: smu.configure(current_limit=2.0, current_range=1e-4, nplc=1),
        lambda: smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0),
        lambda: setattr(smu, "nplc", 26),
    ):
        with pytest.raises(LimitError, match="beyond what the instrument can do"):
            attempt()
    for attempt in (smu.sweep, smu.read_list):
        with pytest.raises(InstrumentError, match="a sweep has 1 to 2500 levels"):
            attempt([])
    assert sent == []


@given(st.floats(allow_nan=True))
def test_no_level_is_ever_truncated(volts):
    text = lua_list([volts]) if math.isfinite(volts) else ""
    twin = _shared_twin()
    if not text:
        return
    ask(twin, f"smua.source.levelv = {text[1:-1]}")
    kept = twin.units["smua"].source.table["levelv"]
    if abs(volts) <= 202:
        assert kept == pytest.approx(volts, rel=1e-9, abs=1e-300)
        assert not twin.status.errors
    else:
        assert abs(kept) <= 202
        assert error_code(twin) == (1101 if volts > 0 else 1102) or abs(volts) < 202 * (1 + 1e-9)
        twin.status.errors.clear()


_twins = []


def _shared_twin():
    if not _twins:
        _twins.append(SimulatedKeithley2636B(VirtualClock(), np.random.default_rng(0), {}))
    return _twins[0]


def test_an_error_names_instrument_command_and_reason(smu):
    with pytest.raises(InstrumentError) as caught:
        smu.parent.exchange("smua.source.levelv = 500")
    assert ADDRESS in str(caught.value)
    assert "refused 'smua.source.levelv = 500': 1101, Parameter too big" in str(caught.value)
    smu.hold(0.1)  # the queue is empty again


def test_a_script_that_fails_says_why(smu):
    with pytest.raises(
        InstrumentError, match=r"'foo.bar = 1' failed: VI_ERROR_TMO.*-286, TSP Runtime error at line 1"
    ):
        smu.parent.exchange("foo.bar = 1")
    with pytest.raises(InstrumentError, match=r"-285, TSP Syntax error at line 1"):
        smu.parent.ask("print(")
    smu.hold(0.1)


def test_a_level_beyond_a_fixed_range_is_found_out(rack):
    instrument = Keithley2636B(ADDRESS, "bench@mho", voltage_range=2.0)
    smu = instrument.channel(1)
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.1)
    smu.enable()
    assert smu.read(2.0).voltage == pytest.approx(2.0)
    with pytest.raises(InstrumentError, match="1101, Parameter too big"):
        smu.read(3.0)
    with pytest.raises(InstrumentError, match="1101, Parameter too big"):
        smu.sweep([1.0, 3.0])
    assert smu.sweep([1.0])[0].voltage == pytest.approx(1.0)
    smu.close()


def test_make_safe_works_after_a_lost_reply(smu, rack, port):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=1)
    smu.enable()
    rack.faults.append(Fault(ADDRESS, "timeout", match=b"mho_read(smua"))
    with pytest.raises(InstrumentError, match="VI_ERROR_TMO"):
        smu.read(0.2)
    smu.hold(0.3)
    smu.make_safe()
    assert not smu.output_enabled
    assert smu.source_voltage == 0.0
    assert (port.volts, port.connected) == (0.0, True)


def test_make_safe_ends_a_sweep_that_waits(smu, twin, port):
    smu.enable()
    ask(
        twin,
        "smua.source.rangev = 2 smua.trigger.source.listv({1}) smua.trigger.source.action = 1 smua.trigger.count = 2",
    )
    ask(twin, "smua.trigger.endpulse.stimulus = trigger.EVENT_ID smua.trigger.initiate() delay(1)")
    assert port.volts == 1.0
    smu.make_safe()
    assert (port.volts, port.connected) == (0.0, True)
    assert not twin.units["smua"].model.running


def test_make_safe_switches_off_even_if_the_level_cannot_be_set(smu, rack, twin):
    smu.enable()
    smu.hold(0.5)
    rack.faults.append(Fault(ADDRESS, "timeout", match=b"abort"))
    with pytest.raises(InstrumentError):
        smu.make_safe()
    assert not twin.units["smua"].source.on


def test_the_instrument_makes_both_channels_safe(instrument, twin):
    for number in (1, 2):
        instrument.channel(number).enable()
        instrument.channel(number).hold(0.4)
    instrument.shutdown()
    assert [unit.source.on for unit in twin.units.values()] == [False, False]
    assert [unit.source.level for unit in twin.units.values()] == [0.0, 0.0]
    with pytest.raises(InstrumentError):
        instrument.identify()


def test_a_lost_connection_is_an_instrument_error(smu, rack):
    rack.faults.append(Fault(ADDRESS, "disconnect"))
    for attempt in (lambda: smu.read(0.1), smu.make_safe, smu.identify, lambda: smu.sweep([0.1])):
        with pytest.raises(InstrumentError, match="VI_ERROR_CONN_LOST"):
            attempt()


def test_another_model_is_refused(rack, twin, monkeypatch):
    monkeypatch.setattr(type(twin), "model", "2602A")
    with pytest.raises(InstrumentError, match=r"expected a 2636B, but .*Model 2602A"):
        Keithley2636B(ADDRESS, "bench@mho")


def test_properties_read_back_what_was_set(smu):
    smu.source_voltage_range = 2.0
    smu.source_delay = 5e-3
    smu.four_wire = True
    smu.autozero = "ONCE"
    assert (smu.source_voltage_range, smu.source_delay, smu.four_wire) == (2.0, 5e-3, True)
    assert smu.settings()["autozero"] == "ONCE"
    assert smu.parent.settings()["smua.source_delay"] == "0.005"
    with pytest.raises(InstrumentError, match="'LOUD' does not exist"):
        smu.output_off_mode = "LOUD"


def test_the_scripts_use_nothing_that_lua_5_0_does_not_have():
    outside = SCRIPT.replace('"%.9e,%.9e,%d"', "")
    assert "#" not in outside
    assert "%" not in outside


# --- the driver against the wire ---

FINE = "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00"
OPENING = [
    ("*IDN?", "Keithley Instruments Inc., Model 2636B, 4030123, 3.2.2"),
    ("print(errorqueue.next())", FINE),
]
LOADING = [
    (f"loadandrunscript\n{SCRIPT.strip()}\nendscript", None),
    (" print(errorqueue.next())", FINE),
]


def test_a_read_over_the_wire():
    message = "mho_read(smub, 2.000000000e-01) print(errorqueue.next())"
    pairs = [*OPENING, *LOADING, (message, "1.999000000e-01,4.100000000e-06,64"), (None, FINE)]
    with expected_protocol(Keithley2636B, pairs) as instrument:
        assert instrument.channel(2).read(0.2) == (0.1999, 4.1e-6, True)


def test_a_sweep_over_the_wire():
    block = b"#0" + np.array([0.1, 2e-6, 0.0, 0.2, 9.91e37, 64.0], "<f8").tobytes() + b"\n"
    pairs = [
        *OPENING,
        *LOADING,
        ("mho_levels = {} print(errorqueue.next())", FINE),
        ("mho_append({1.000000000e-01,2.000000000e-01}) print(errorqueue.next())", FINE),
        ("mho_sweep(smua, 1.000000000e-03) print(errorqueue.next())", FINE),
        ("mho_fetch(smua, 2)", block),
        (" print(errorqueue.next())", FINE),
    ]
    with expected_protocol(Keithley2636B, pairs) as instrument:
        first, second = instrument.channel(1).sweep([0.1, 0.2], 1e-3)
        assert first == (0.1, 2e-6, False)
        assert math.isnan(second.current)
        assert second.tripped


def test_a_limit_other_than_asked_for_is_refused():
    number = 'print(string.format("%.9e", smua.{}))'.format
    check = " print(errorqueue.next())"
    pairs = [
        *OPENING,
        ("print(smua.source.func)", "1.00000e+00"),
        ("smua.source.rangev = 2.000000000e+00" + check, FINE),
        ("smua.source.offfunc = 1" + check, FINE),
        ("smua.source.offlimiti = 1.000000000e-07" + check, FINE),
        ("smua.source.offmode = 0" + check, FINE),
        ("smua.measure.rangei = 1.000000000e-07" + check, FINE),
        ("smua.source.limiti = 1.000000000e-07" + check, FINE),
        ("smua.measure.nplc = 1.000000000e+00" + check, FINE),
        ("print(smua.measure.autozero)", "2.00000e+00"),
        ("print(localnode.linefreq)", "5.00000e+01"),
        (number("source.limiti"), "1.000000000e-03"),
    ]
    with (
        expected_protocol(Keithley2636B, pairs, voltage_range=2.0) as instrument,
        pytest.raises(InstrumentError, match=r"current limit of 0\.001 A instead of 1e-07 A"),
    ):
        instrument.channel(1).configure(current_limit=1e-7, current_range=1e-7, nplc=1)


def test_an_output_that_stays_on_is_said_loudly():
    pairs = [
        *OPENING,
        ("errorqueue.clear() smua.abort() smua.source.levelv = 0 print(errorqueue.next())", FINE),
        ("smua.source.output = 0 print(errorqueue.next())", FINE),
        ("print(smua.source.output)", "1.00000e+00"),
    ]
    with (
        expected_protocol(Keithley2636B, pairs) as instrument,
        pytest.raises(InstrumentError, match="smua still has its output on"),
    ):
        instrument.channel(1).make_safe()


@pytest.mark.parametrize("reply", ["hello", "", "1.1"])
def test_nonsense_is_not_understood(reply):
    pairs = [
        *OPENING,
        (
            "smua.abort() smua.source.levelv = 0 smua.source.output = smua.OUTPUT_ON print(errorqueue.next())",
            reply,
        ),
    ]
    with (
        expected_protocol(Keithley2636B, pairs) as instrument,
        pytest.raises(InstrumentError, match="not understood"),
    ):
        instrument.channel(1).enable()


# --- the twin against the manual ---


def test_reset_gives_the_documented_defaults(twin, port):
    ask(twin, "smua.source.levelv = 3 smua.source.output = 1 smua.source.limiti = 1e-3 smua.measure.nplc = 5")
    ask(
        twin,
        "smua.source.offmode = smua.OUTPUT_HIGH_Z smua.nvbuffer1.appendmode = 1 smua.measure.i(smua.nvbuffer1)",
    )
    assert ask(
        twin, "reset() print(smua.source.levelv, smua.source.output, smua.source.limiti, smua.measure.nplc)"
    ) == ["0.00000e+00\t0.00000e+00\t1.00000e-01\t1.00000e+00"]
    assert ask(twin, "print(smua.source.offmode, smua.source.offlimiti, smua.nvbuffer1.n)") == [
        "0.00000e+00\t1.00000e-03\t0.00000e+00"
    ]
    assert (port.volts, port.connected) == (0.0, True)


def test_a_channels_reset_leaves_timers_and_the_other_channel(twin):
    ask(twin, "trigger.timer[1].delay = 0.5 smub.source.levelv = 1 smua.source.levelv = 1 smua.reset()")
    assert ask(twin, "print(trigger.timer[1].delay, smub.source.levelv, smua.source.levelv)") == [
        "5.00000e-01\t1.00000e+00\t0.00000e+00"
    ]


@pytest.mark.parametrize(
    ("settings", "volts"),
    [
        ("offmode = 0", 0.0),
        ("offmode = 1", 0.0),
        ("offmode = 2", None),
        ("offfunc = 0", None),
        ("output = 2", None),
    ],
)
def test_what_the_output_is_when_off(twin, port, settings, volts):
    ask(twin, f"smua.source.levelv = 1 smua.source.output = 1 smua.source.output = 0 smua.source.{settings}")
    assert port.history[-1] == volts


@pytest.mark.parametrize(
    ("message", "code"),
    daily([("smua.source.levelv = 203", 1101), ("smua.source.levelv = -203", 1102), ("smua.source.limiti = 2", 1101),
     ("smua.source.rangev = 2 smua.source.levelv = 3", 1101), ("smua.source.levelv = 5 smua.source.rangev = 2", -221),
     ("smua.source.func = 2", 1101), ("smua.source.rangei = 1e-6 smua.source.leveli = 2e-6", 1101),
     ("smua.measure.nplc = 26", 1101), ("smua.measure.nplc = 0", 1102),
     ("smua.source.output = 3", 1101), ("smua.source.output = 0.5", -224), ("smua.measure.delay = -0.5", 1102),
     ("smua.measure.i(smub)", -104), ("smua.measure.i({})", -104), ("smua.makebuffer(0)", 1102),
     ("smua.makebuffer(1e9)", 1101),
     ("smua.trigger.source.listv({})", -224), ("smua.trigger.source.listv({300})", 1101),
     ("smua.trigger.source.listv(3)", -224),
     ("smua.trigger.source.listi({100})", 1101), ("smua.trigger.source.logv(0, 1, 5)", -224),
     ("smua.trigger.source.action = 1 smua.trigger.initiate()", -221),
     ("smua.trigger.measure.action = 1 smua.trigger.initiate()", -221),
     ("smua.measure.i(smua.nvbuffer1) smua.nvbuffer1.collecttimestamps = 1", -221),
     ("smua.source.foo = 1", -286), ("smua.source.compliance = true", -286), ("smuc.source.levelv = 1", -286)], 7),
)  # fmt: skip
def test_what_the_instrument_refuses(twin, message, code):
    ask(twin, message)
    assert error_code(twin) == code


def test_pulses_need_a_fixed_range(twin):
    ask(
        twin, "smua.trigger.source.listv({1}) smua.trigger.source.action = 1 smua.trigger.endpulse.action = 0"
    )
    ask(twin, "smua.trigger.initiate()")
    assert error_code(twin) == 5028
    ask(twin, "smua.source.rangev = 2 smua.trigger.initiate() waitcomplete()")
    assert not twin.status.errors


@pytest.mark.parametrize(
    ("before", "beyond"),
    [
        ("smua.source.levelv = 30", "smua.source.limiti = 0.2"), ("smua.source.limiti = 0.2", "smua.source.levelv = 30"),
        ("smua.source.limiti = 1.5", "smua.source.rangev = 200"), ("smua.source.rangev = 200", "smua.source.limiti = 1.5"),
        ("smua.source.leveli = 1", "smua.source.limitv = 40"), ("smua.source.limitv = 40", "smua.source.leveli = 1"),
    ],
)  # fmt: skip
def test_level_and_limit_together_stay_within_the_sources_power(twin, before, beyond):
    ask(twin, before)
    assert error_code(twin) == 0
    ask(twin, beyond)
    assert error_code(twin) == -221


def test_contact_check_needs_a_milliampere(twin):
    assert ask(twin, "print(smua.contact.check())") == ["true"]
    for settings, code in (
        ("smua.source.offlimiti = 1e-4", 5066), ("smua.source.offmode = smua.OUTPUT_HIGH_Z", 5048),
        ("smua.source.output = 1 smua.source.limiti = 1e-5", 5050),
    ):  # fmt: skip
        ask(twin, settings + " smua.contact.check()")
        assert error_code(twin) == code


def test_more_than_twenty_volts_need_the_interlock(ports, clock):
    twin = SimulatedKeithley2636B(clock, np.random.default_rng(0), ports, interlock=False)
    ask(twin, "smua.source.levelv = 50 smua.source.output = 1")
    assert error_code(twin) == 802
    assert not twin.units["smua"].source.on


def test_measurements_fill_buffers(twin):
    ask(
        twin,
        "smua.source.levelv = 0.5 smua.source.output = 1 b = smua.nvbuffer1 b.collectsourcevalues = 1 "
        "b.collecttimestamps = 1",
    )
    ask(twin, "smua.measure.count = 3 smua.measure.nplc = 6 smua.measure.autozero = 0 smua.measure.i(b)")
    assert ask(twin, "print(b.n, b[3], b[4], b.readings[1], b.sourcevalues[2], b.capacity)") == [
        "3.00000e+00\t1.00000e-05\tnil\t1.00000e-05\t5.00000e-01\t1.40000e+05"
    ]
    assert ask(twin, "printbuffer(2, 4, b, b.timestamps)") == [
        "1.00000e-05, 1.00050e-01, 1.00000e-05, 2.00100e-01, 9.91000e+37, 9.91000e+37"
    ]
    ask(twin, "smua.measure.i(b) smua.measure.count = 1 b.appendmode = 1 smua.measure.i(b)")
    assert ask(twin, "print(b.n) b.clear() print(b.n)") == ["4.00000e+00", "0.00000e+00"]


def test_a_full_buffer_says_so(twin):
    ask(twin, "b = smua.makebuffer(2) smua.measure.count = 3 smua.measure.nplc = 0.001 smua.measure.i(b)")
    assert error_code(twin) == 4915
    assert ask(twin, "print(b.n)") == ["2.00000e+00"]


def test_status_bits_of_readings(twin):
    ask(
        twin,
        "smua.source.rangev = 2 smua.source.levelv = 1 smua.source.limiti = 1e-6 smua.source.output = 1 "
        "smua.measure.rangei = 1e-6",
    )
    ask(twin, "smua.sense = smua.SENSE_REMOTE smua.measure.rel.enablei = 1 smua.measure.i(smua.nvbuffer1)")
    assert ask(twin, "print(smua.nvbuffer1.statuses[1], smua.source.compliance)") == [
        f"{0x40 + 0x10 + 0x20:.5e}\ttrue"
    ]
    assert ask(twin, "print(status.measurement.instrument.smua.condition)") == ["2.00000e+00"]


def test_resistance_and_power(twin):
    ask(twin, "smua.source.levelv = 0.5 smua.source.output = 1")
    assert ask(twin, "print(smua.measure.r(), smua.measure.p(), smua.measure.v())") == [
        "5.00000e+04\t5.00000e-06\t5.00000e-01"
    ]


def test_measure_and_step(twin, port):
    ask(twin, "smua.source.levelv = 0.1 smua.source.output = 1")
    assert ask(twin, "print(smua.measureivandstep(0.2))") == ["2.00000e-06\t1.00000e-01"]
    assert port.volts == 0.2


@pytest.mark.parametrize(
    ("kind", "factor"), [("FILTER_REPEAT_AVG", 5), ("FILTER_MEDIAN", 5), ("FILTER_MOVING_AVG", 1)]
)
def test_filters_take_their_time_and_quieten(ports, clock, kind, factor):
    def spread(enable):
        twin = SimulatedKeithley2636B(VirtualClock(), np.random.default_rng(3), ports, noise=1e-3)
        ask(
            twin,
            "smua.source.output = 1 smua.measure.rangei = 1e-4 smua.measure.nplc = 0.1 smua.measure.autozero = 0",
        )
        ask(
            twin,
            f"smua.measure.filter.type = smua.{kind} smua.measure.filter.count = 5 smua.measure.filter.enable = {enable}",
        )
        start = twin.clock.now
        values = [float(ask(twin, "print(smua.measure.i())")[0]) for _ in range(300)]
        return np.std(values), twin.clock.now - start

    (filtered, long), (plain, short) = spread(1), spread(0)
    assert filtered < 0.65 * plain
    assert long / short == pytest.approx(factor, rel=0.05)


def test_noise_falls_with_the_square_root_of_the_aperture(ports):
    def spread(nplc):
        twin = SimulatedKeithley2636B(VirtualClock(), np.random.default_rng(4), ports, noise=1e-4)
        ask(twin, f"smua.measure.rangei = 1e-4 smua.measure.nplc = {nplc} smua.source.output = 1")
        return np.std([float(ask(twin, "print(smua.measure.i())")[0]) for _ in range(400)])

    assert spread(0.01) / spread(1) == pytest.approx(10, rel=0.15)
    assert spread(1) == pytest.approx(1e-8, rel=0.15)


def test_time_follows_delays_aperture_and_automatic_zeroing(twin):
    ask(
        twin,
        "smua.measure.nplc = 6 smua.measure.delay = 0.25 smua.source.output = 1 smua.measure.rangei = 1e-3",
    )
    ask(twin, "smua.measure.i()")
    assert twin.clock.now == pytest.approx(0.25 + 3 * 0.1, abs=1e-3)
    ask(twin, "smua.measure.autozero = smua.AUTOZERO_OFF smua.measure.i()")
    assert twin.clock.now == pytest.approx(0.25 + 3 * 0.1 + 0.25 + 0.1, abs=1e-3)


@given(st.floats(1e-13, 1.5))
def test_a_range_holds_its_value_and_the_next_smaller_one_does_not(amperes):
    span = range_for(AMPERE_RANGES, amperes)
    assert amperes <= OVERRANGE * span * (1 + 1e-9)
    smaller = [each for each in AMPERE_RANGES if each < span]
    assert not smaller or amperes > OVERRANGE * smaller[-1] * (1 - 1e-9)


# --- sweeps and pulses ---

PULSES = """
smua.source.rangev = 2 smua.source.output = 1
smua.trigger.source.listv({0.5, 1.0, 1.5}) smua.trigger.source.action = smua.ENABLE smua.trigger.count = 3
smua.trigger.measure.action = smua.DISABLE
trigger.timer[1].delay = 10e-3 trigger.timer[1].count = 2 trigger.timer[1].passthrough = true
trigger.timer[1].stimulus = smua.trigger.ARMED_EVENT_ID
smua.trigger.source.stimulus = trigger.timer[1].EVENT_ID
trigger.timer[2].delay = 1e-3 trigger.timer[2].stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID
smua.trigger.endpulse.stimulus = trigger.timer[2].EVENT_ID smua.trigger.endpulse.action = smua.SOURCE_IDLE
"""


def test_timers_make_pulses_of_a_width_and_a_period(twin, port):
    ask(twin, PULSES)
    port.history.clear()
    port.times.clear()
    port.apertures.clear()
    start = twin.clock.now
    ask(twin, "smua.trigger.initiate() waitcomplete()")
    assert port.history[:6] == [0.5, 0.0, 1.0, 0.0, 1.5, 0.0]
    assert np.subtract(port.times[:6], start) == pytest.approx([0, 1e-3, 10e-3, 11e-3, 20e-3, 21e-3])
    # The cell has carried the current though nobody measured it.
    assert port.apertures == pytest.approx([1e-3] * 3)
    assert not twin.status.errors


def test_two_channels_sweep_in_step(twin, ports):
    for name in ("smua", "smub"):
        ask(twin, f"{name}.source.rangev = 2 {name}.source.output = 1 {name}.trigger.source.listv({{1, 2}})")
        ask(twin, f"{name}.trigger.source.action = 1 {name}.trigger.count = 2 {name}.measure.nplc = 0.1")
        ask(twin, f"{name}.trigger.measure.i({name}.nvbuffer1) {name}.trigger.measure.action = 1")
    ask(twin, "smub.trigger.source.stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID")
    for port in ports.values():
        port.history.clear()
        port.times.clear()
    ask(twin, "smub.trigger.initiate() smua.trigger.initiate() waitcomplete()")
    assert ports[1].history[:2] == ports[2].history[:2] == [1.0, 2.0]
    assert ports[1].times[:2] == pytest.approx(ports[2].times[:2])
    assert ask(twin, "printbuffer(1, 2, smua.nvbuffer1, smub.nvbuffer1)") == [
        "2.00000e-05, 1.00000e-09, 4.00000e-05, 2.00000e-09"
    ]


def test_sweeping_is_seen_before_it_ends(twin):
    ask(twin, PULSES + "smua.trigger.initiate()")
    assert ask(
        twin, "print(status.operation.sweeping.condition) print(status.operation.sweeping.condition)"
    ) == [
        "2.00000e+00",
        "0.00000e+00",
    ]


def test_a_bus_trigger_moves_a_sweep_on(twin, port):
    ask(
        twin,
        "smua.source.rangev = 2 smua.source.output = 1 smua.trigger.source.listv({1, 2}) smua.trigger.source.action = 1",
    )
    ask(
        twin, "smua.trigger.count = 2 smua.trigger.source.stimulus = trigger.EVENT_ID smua.trigger.initiate()"
    )
    for expected in (1.0, 2.0):
        twin.trigger()
        ask(twin, "delay(0)")
        assert port.history.count(expected) == 1
    assert ask(twin, "*OPC?") == ["1"]


def test_a_sweep_that_waits_for_ever_stops_the_script_not_the_instrument(twin):
    ask(
        twin,
        "smua.trigger.source.stimulus = trigger.EVENT_ID smua.trigger.initiate() waitcomplete() print('no')",
    )
    assert twin.status.next_error().text.endswith("waits for a trigger that does not come")
    assert ask(twin, "smua.abort() waitcomplete() print('yes')") == ["yes"]


def test_an_armed_sweep_is_in_nobodys_way(twin, ports):
    ask(twin, "smua.trigger.source.stimulus = trigger.EVENT_ID smua.trigger.initiate()")
    ask(twin, "smub.source.levelv = 1 smub.source.output = 1 smua.source.levelv = 0.5 smua.source.output = 1")
    assert ask(twin, "print(smub.measure.i(), smua.measure.i(), smua.nvbuffer1.n)") == [
        "1.00000e-09\t1.00000e-05\t0.00000e+00"
    ]
    assert not twin.status.errors
    assert twin.units["smua"].model.running


def test_what_is_set_during_a_sweep_is_for_the_next_one(twin, port):
    ask(twin, "smua.source.output = 1 smua.trigger.count = 2 smua.trigger.source.stimulus = trigger.EVENT_ID")
    ask(twin, "smua.trigger.initiate() smua.trigger.source.action = 1 smua.trigger.measure.action = 1")
    for _ in range(2):
        twin.trigger()
    assert ask(twin, "waitcomplete() print('done')") == ["done"]
    assert set(port.history) == {0.0}
    assert not twin.status.errors


def test_enabling_ends_a_sweep_that_was_armed(smu, twin, port):
    ask(twin, "smua.source.rangev = 2 smua.trigger.source.listv({1}) smua.trigger.source.action = 1")
    ask(twin, "smua.trigger.endpulse.stimulus = trigger.EVENT_ID smua.trigger.initiate() delay(0)")
    smu.enable()
    assert (port.volts, port.connected) == (0.0, True)


def test_a_sweep_without_end_is_stopped_and_leaves_zero_volts(twin, port, monkeypatch):
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.CALLS", 10_000)
    ask(twin, PULSES)
    ask(twin, "smua.trigger.count = 0 smua.trigger.source.stimulus = 0 smua.trigger.endpulse.stimulus = 0")
    ask(twin, "smua.trigger.initiate() waitcomplete()")
    assert error_code(twin) == -286
    assert port.volts == 0.0
    assert ask(twin, "waitcomplete() print('alive')") == ["alive"]


def test_linear_and_logarithmic_sweeps(twin, port):
    ask(twin, "smua.source.output = 1 smua.trigger.source.action = 1 smua.trigger.count = 3")
    for levels, expected in (("linearv(0, 1, 3)", [0.0, 0.5, 1.0]), ("logv(0.01, 1, 3)", [0.01, 0.1, 1.0])):
        port.history.clear()
        ask(twin, f"smua.trigger.source.{levels} smua.trigger.initiate() waitcomplete()")
        assert port.history[:3] == pytest.approx(expected)
    assert not twin.status.errors


def test_a_sweep_may_hold_its_last_level(twin, port):
    ask(twin, "smua.source.output = 1 smua.trigger.source.listv({0.1, 0.2}) smua.trigger.source.action = 1")
    ask(
        twin,
        "smua.trigger.count = 2 smua.trigger.endsweep.action = smua.SOURCE_HOLD smua.trigger.initiate() waitcomplete()",
    )
    assert port.volts == 0.2
    ask(twin, "smua.source.levelv = 0")
    assert port.volts == 0.0


# --- other people's programs ---


@pytest.mark.thorough
def test_a_hundred_thousand_points_come_as_binary(rack, twin):
    ask(
        twin,
        "b = smua.makebuffer(100000) smua.measure.nplc = 0.001 smua.measure.count = 100000 smua.measure.i(b)",
    )
    with pyvisa.ResourceManager("bench@mho").open_resource(ADDRESS) as raw:
        raw.write("format.data = format.REAL32 printbuffer(1, 100000, b)")
        values = np.frombuffer(raw.read_raw(1 << 20)[2:-1], "<f4")
    assert len(values) == 100_000


def test_pymeasures_own_driver_works(rack, twin, port):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = Keithley2600(ADDRESS, visa_library="bench@mho")
    theirs.ChA.source_mode = "voltage"
    theirs.ChA.compliance_current = 1e-3
    theirs.ChA.source_voltage = 0.5
    theirs.ChA.source_output = "ON"
    assert (theirs.ChA.current, theirs.ChA.voltage) == (pytest.approx(1e-5), pytest.approx(0.5))
    theirs.ChA.measure_current(nplc=0.1)
    assert theirs.next_error[0] == 0
    theirs.ChA.compliance_current = 1e-7  # goes out as 0.000000, and is refused
    assert theirs.next_error == (1102, "Parameter too small")
    theirs.ChA.source_output = "OFF"
    assert port.volts == 0.0


def test_qcodes_own_driver_works(rack):
    theirs = qcodes_keithley.Keithley2636B("smu", ADDRESS, visalib="bench@mho")
    try:
        theirs.smua.volt(0.5)
        theirs.smua.output(True)
        assert theirs.smua.curr() == pytest.approx(1e-5)
        theirs.smua.setup_fastsweep(LinSweep(theirs.smua.volt, 0, 1, 5))
        assert theirs.smua.fastsweep() == pytest.approx(20e-6 * np.linspace(0, 1, 5), rel=1e-6)
    finally:
        theirs.close()


def test_the_keithley2600_package_works(rack):
    package = pytest.importorskip("keithley2600")
    theirs = package.Keithley2600(ADDRESS, visa_library="bench@mho", raise_keithley_errors=True)
    theirs.smua.source.levelv = 0.3
    theirs.smua.source.output = 1
    assert theirs.smua.measure.iv() == pytest.approx((6e-6, 0.3))
    volts, amperes = theirs.voltage_sweep_single_smu(theirs.smua, [0, 0.1, 0.2], 0.01, 0.0, False)
    assert volts == pytest.approx([0, 0.1, 0.2])
    assert amperes == pytest.approx([0, 2e-6, 4e-6])


# --- soak ---


@pytest.mark.slow
def test_ten_thousand_reads_stay_in_step(smu):
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
    smu.enable()
    for index in range(10_000):
        volts = 1e-4 * (index % 2000)
        assert smu.read(volts).current == pytest.approx(20e-6 * volts, rel=1e-6, abs=1e-12)


WORDS = (
    "smua smub source measure levelv limiti rangev output trigger timer blender count stimulus initiate waitcomplete "
    "reset abort nvbuffer1 nvbuffer2 readings iv i v r p listv linearv action print printbuffer printnumber format "
    "data errorqueue next clear n status operation sweeping condition delay for do end if then while function return "
    "nil true = == < + * .. . , ( ) [ ] { } 0 1 2 3 -1 1e-6 0.2 1e9 'x' x y t makebuffer contact check filter enable "
    "measureivandstep interval autozero delaylist wait EVENT_ID ARMED_EVENT_ID arm endpulse endsweep *RST *TRG *OPC? "
    "pcall getmetatable setmetatable loadscript loadandrunscript endscript"
)
SENTENCES = (
    "smua.source.levelv={}", "print(smua.measure.iv())", "smua.source.output={}", "smua.measure.count={}",
    "smua.trigger.source.listv({{{},{}}}) smua.trigger.source.action=1 smua.trigger.count={} smua.trigger.initiate()",
    "smua.measure.i(smua.nvbuffer1) printbuffer(1,{},smua.nvbuffer1)", "smua.trigger.measure.i(smua.nvbuffer1)",
    "trigger.timer[1].delay={} trigger.timer[1].count={}", "trigger.timer[1].stimulus=smua.trigger.ARMED_EVENT_ID",
    "smua.trigger.source.stimulus=trigger.timer[1].EVENT_ID", "smub.measure.nplc={}", "x={} print(x)", "delay({})",
    "smua.trigger.endpulse.action={}", "smua.measure.filter.enable={}", "b=smua.makebuffer({})", "waitcomplete()",
)  # fmt: skip
NUMBERS = (
    "0",
    "1",
    "2",
    "3",
    "-1",
    "1e-6",
    "0.2",
    "1e30",
    "nil",
    "true",
    "'x'",
    "{}",
    "print",
    "1/0",
    "0/0",
    "100",
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_random_messages_neither_crash_nor_hang_it(monkeypatch):
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.CALLS", 50_000)
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.INSTRUCTIONS", 10_000_000)
    draw = random.Random(6)
    clock = VirtualClock()
    ports = {1: Resistor(1e-5, clock), 2: Resistor(1e-9, clock)}
    twin = SimulatedKeithley2636B(clock, np.random.default_rng(1), ports)
    for number in range(100_000):
        if draw.random() < 0.5:
            message = " ".join(draw.choices(WORDS.split(), k=draw.randint(1, 12)))
        else:
            sentence = draw.choice(SENTENCES)
            message = sentence.format(*(draw.choice(NUMBERS) for _ in range(sentence.count("{}"))))
        twin.write(message.encode(), end=draw.random() < 0.95)  # one that hangs ends by the test's time out
        twin.read()
        if number % 50 == 0:
            twin.clear()
            assert all(isinstance(entry.code, int) and entry.text for entry in twin.status.errors)
            twin.status.errors.clear()
            for port in ports.values():
                assert port.volts is None or abs(port.volts) < 210
                port.history.clear()
                port.times.clear()
                port.apertures.clear()
        if number % 5000 == 4999:
            twin = SimulatedKeithley2636B(clock, np.random.default_rng(number), ports)


# --- sourcing current ---


def test_a_sourced_current_finds_its_voltage_or_its_limit(twin, ports):
    ask(twin, "smua.source.func = smua.OUTPUT_DCAMPS smua.source.leveli = 1e-5 smua.source.limitv = 2")
    ask(twin, "smua.source.output = 1")
    assert ports[1].volts == pytest.approx(0.5, rel=1e-3)
    amperes, volts = (float(text) for text in ask(twin, "print(smua.measure.iv())")[0].split("\t"))
    assert (amperes, volts) == (pytest.approx(1e-5), pytest.approx(0.5, rel=1e-3))
    assert ask(twin, "print(smua.source.compliance)") == ["false"]
    ask(twin, "smua.source.leveli = 1e-4")
    assert ports[1].volts == 2.0
    condition = "print(smua.source.compliance, status.measurement.instrument.smua.condition)"
    assert ask(twin, condition) == ["true\t1.00000e+00"]
    assert float(ask(twin, "print(smua.measure.i())")[0]) == pytest.approx(4e-5)


def test_a_current_has_no_sweeps_here(twin):
    ask(twin, "smua.source.func = 0 smua.trigger.source.listv({1}) smua.trigger.source.action = 1")
    ask(twin, "smua.trigger.initiate()")
    assert error_code(twin) == -221


def test_errors_that_somebody_has_left_are_read_out_and_logged(instrument, twin, caplog):
    twin.write(b"smua.source.levelv = 999 smua.source.nonsense()\n")
    again = Keithley2636B(instrument.resource, "bench@mho")
    assert [text.split(",")[0] for text in again.found_errors] == ["1101", "-286"]
    assert "had another error in its queue: 1101, Parameter too big" in caplog.text
    again.close()


def test_the_days_of_calibration_are_among_the_settings_and_one_that_is_not_set_is_absent(smu, monkeypatch):
    kept = smu.settings()
    assert (kept["calibration_date"], kept["calibration_due"]) == ("2024-10-03", "2025-10-03")
    assert smu.parent.settings()["smub.calibration_date"] == "2024-10-03"
    monkeypatch.setattr(type(smu), "values", lambda *_, **__: [0.0])
    assert smu.calibration_due == ""
    monkeypatch.undo()
    monkeypatch.setattr(type(smu), "calibration_due", "")
    assert "calibration_due" not in smu.settings()
