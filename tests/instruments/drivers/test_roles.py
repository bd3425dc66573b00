"""What every driver of a role does on its twin: one suite for the source-measure units, one for the pulsers."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daily import daily
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.errors import InstrumentError, LimitError
from mho.instruments.bench_file import models
from mho.instruments.drivers.agilentb1500 import AgilentB1500
from mho.instruments.drivers.keithley2400 import Keithley2400
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.drivers.keithley2636b import Keithley2602B, Keithley2612B, Keithley2614B, Keithley2636B
from mho.instruments.drivers.keysight33522b import Keysight33522B, Keysight33622A
from mho.instruments.drivers.keysightb2912a import KeysightB2912A
from mho.instruments.drivers.tektronixafg31000 import TektronixAFG31000
from mho.instruments.roles import Instrument, PulseGenerator, SourceMeter
from mho.instruments.simulated.agilentb1500.instrument import SimulatedAgilentB1500
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithley2400 import SimulatedKeithley2400
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
from mho.instruments.simulated.keithley2636b.instrument import (
    SimulatedKeithley2602B,
    SimulatedKeithley2612B,
    SimulatedKeithley2614B,
    SimulatedKeithley2636B,
)
from mho.instruments.simulated.keysight33522b.instrument import (
    SimulatedKeysight33522B,
    SimulatedKeysight33622A,
)
from mho.instruments.simulated.keysightb2912a import SimulatedKeysightB2912A
from mho.instruments.simulated.tektronixafg31000 import SimulatedTektronixAFG31000
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

CONDUCTANCE = 20e-6


class Resistor:
    """A terminal with a conductance (S) behind it, which remembers what it saw."""

    def __init__(self):
        self.volts, self.connected = 0.0, False
        self.history = []

    def drive(self, volts, *, connected):
        self.volts, self.connected = volts, connected
        self.history.append((volts, connected))

    def current(self, volts, aperture):
        return volts * CONDUCTANCE

    @property
    def safe(self):
        """Whether there is no more than an offset error at the terminal."""
        return not self.connected or abs(self.volts) < 1e-3


class Line:
    """A terminal that remembers its pulses: (volts, width)."""

    def __init__(self):
        self.pulses = []

    def pulse(self, volts, width, period, count):
        self.pulses += [(volts, width)] * count


@dataclass(frozen=True)
class Model:
    """How a driver and its twin are made: what the tables below have for each model.

    `build` makes the twin from clock, generator and port; `open` the driver from address and library.
    `start` is in the one message that runs a sweep; `off` is what switches an output off on the wire, and what
    leaves it on in its place.
    """

    address: str
    build: Callable[[VirtualClock, np.random.Generator, Any], Any]
    open: Callable[[str, str], Any]
    start: bytes = b"INIT"
    off: tuple[bytes, bytes] = (b" OFF", b" ON")


# A model is tested as soon as it stands here.
SOURCE_METERS = {
    "2450": Model(
        "USB0::0x05E6::0x2450::SIM00001::INSTR",
        lambda clock, rng, port: SimulatedKeithley2450(clock, rng, port),
        Keithley2450,
    ),
    "B2912A channel 1": Model(
        "USB0::0x0957::0x8E18::SIM00002::INSTR",
        lambda clock, rng, port: SimulatedKeysightB2912A(clock, rng, {1: port}),
        lambda address, library: KeysightB2912A(address, library).channel(1),
    ),
    "B2912A channel 2": Model(
        "USB0::0x0957::0x8E18::SIM00002::INSTR",
        lambda clock, rng, port: SimulatedKeysightB2912A(clock, rng, {2: port}),
        lambda address, library: KeysightB2912A(address, library).channel(2),
    ),
    "2602B channel 1": Model(
        "TCPIP0::192.0.2.36::inst0::INSTR",
        lambda clock, rng, port: SimulatedKeithley2602B(clock, rng, {1: port}),
        lambda address, library: Keithley2602B(address, library, voltage_range=6.0).channel(1),
        start=b"mho_sweep(smua",
        off=(b"source.output = 0", b"source.output = 1"),
    ),
    **{
        f"{name} channel 2": Model(
            "TCPIP0::192.0.2.36::inst0::INSTR",
            lambda clock, rng, port, twin=twin: twin(clock, rng, {2: port}),
            lambda address, library, kind=kind: kind(address, library, voltage_range=2.0).channel(2),
            start=b"mho_sweep(smub",
            off=(b"source.output = 0", b"source.output = 1"),
        )
        for name, kind, twin in (
            ("2612B", Keithley2612B, SimulatedKeithley2612B),
            ("2614B", Keithley2614B, SimulatedKeithley2614B),
        )
    },
    "2636B channel 1": Model(
        "TCPIP0::192.0.2.36::inst0::INSTR",
        lambda clock, rng, port: SimulatedKeithley2636B(clock, rng, {1: port}),
        lambda address, library: Keithley2636B(address, library, voltage_range=2.0).channel(1),
        start=b"mho_sweep(smua",
        off=(b"source.output = 0", b"source.output = 1"),
    ),
    "2636B channel 2": Model(
        "TCPIP0::192.0.2.36::inst0::INSTR",
        lambda clock, rng, port: SimulatedKeithley2636B(clock, rng, {2: port}),
        lambda address, library: Keithley2636B(address, library, voltage_range=2.0).channel(2),
        start=b"mho_sweep(smub",
        off=(b"source.output = 0", b"source.output = 1"),
    ),
    "B1500": Model(
        "GPIB0::17::INSTR",
        lambda clock, rng, port: SimulatedAgilentB1500(clock, rng, {3: port}),
        AgilentB1500,
        start=b"DO ",
        off=(b"CL ", b"CN "),
    ),
    "2400": Model(
        "GPIB0::24::INSTR",
        lambda clock, rng, port: SimulatedKeithley2400(clock, rng, port),
        Keithley2400,
        start=b":READ?",
    ),
}
PULSE_GENERATORS = {
    "33522B": Model(
        "USB0::0x0957::0x2C07::SIM00003::INSTR",
        lambda clock, rng, ports: SimulatedKeysight33522B(clock, rng, ports),
        Keysight33522B,
    ),
    "33622A": Model(
        "USB0::0x0957::0x5707::SIM00003::INSTR",
        lambda clock, rng, ports: SimulatedKeysight33622A(clock, rng, ports),
        Keysight33622A,
    ),
    "AFG31000": Model(
        "USB0::0x0699::0x0356::SIM00004::INSTR",
        lambda clock, rng, ports: SimulatedTektronixAFG31000(clock, rng, ports),
        TektronixAFG31000,
    ),
}


@dataclass
class Bench:
    """A twin on a rack, what is wired to it, and what was sent to it."""

    model: Model
    port: Any
    twin: Any
    faults: list = field(default_factory=list)
    sent: list = field(default_factory=list)
    tamper: Callable[[bytes], bytes] = bytes

    def __post_init__(self):
        write = self.twin.write

        def spy(data, end=True):
            self.sent.append(data)
            write(self.tamper(data), end)

        self.twin.write = spy

    def open(self):
        return self.model.open(self.model.address, "roles@mho")

    def fault(self, kind, **options):
        self.faults.append(Fault(self.model.address, kind, **options))


def set_up(model, port):
    twin = model.build(VirtualClock(), np.random.default_rng(7), port)
    bench = Bench(model, port, twin)
    rack = SimpleNamespace(clock=twin.clock, devices={model.address: twin}, faults=bench.faults)
    register_rack("roles", rack)
    return bench


@pytest.fixture(params=SOURCE_METERS.values(), ids=SOURCE_METERS.keys())
def bench(request):
    yield set_up(request.param, Resistor())
    unregister_rack("roles")


@pytest.fixture
def smu(bench):
    instrument = bench.open()
    bench.sent.clear()
    yield instrument
    instrument.close()


@pytest.fixture(params=PULSE_GENERATORS.values(), ids=PULSE_GENERATORS.keys())
def pulser_bench(request):
    yield set_up(request.param, {1: Line(), 2: Line()})
    unregister_rack("roles")


@pytest.fixture
def pulser(pulser_bench):
    instrument = pulser_bench.open()
    pulser_bench.sent.clear()
    yield instrument
    instrument.close()


@pytest.fixture(params=[*SOURCE_METERS.values(), *PULSE_GENERATORS.values()],
                ids=[*SOURCE_METERS, *PULSE_GENERATORS])  # fmt: skip
def any_bench(request):
    pulses = request.param in PULSE_GENERATORS.values()
    yield set_up(request.param, {1: Line(), 2: Line()} if pulses else Resistor())
    unregister_rack("roles")


def ready(smu, limit=1e-4):
    smu.configure(current_limit=limit, current_range=1e-4, nplc=0.1)
    smu.enable()
    return smu


def state(twin):
    """Return everything a twin remembers, as text; not its queues."""
    queues = {"_input", "_output", "_reply", "_data", "status", "errors", "write", "_lua"}
    return {name: repr(value) for name, value in vars(twin).items() if name not in queues}


# --- every instrument ---


@pytest.mark.parametrize(
    ("role", "tested"), [(models.SOURCE_METERS, SOURCE_METERS), (models.PULSE_GENERATORS, PULSE_GENERATORS)]
)
def test_every_model_that_a_bench_file_may_name_is_here(role, tested):
    here = {name.split()[0].lower() for name in tested}
    assert all(any(model.endswith(name) for name in here) for model in role)


def test_connecting_changes_nothing(any_bench):
    def seen():
        ports = any_bench.port.values() if isinstance(any_bench.port, dict) else [any_bench.port]
        return [repr(vars(port)) for port in ports]

    before, seen_before = state(any_bench.twin), seen()
    instrument = any_bench.open()
    assert isinstance(instrument, Instrument)
    instrument.close()
    assert state(any_bench.twin) == before
    assert seen() == seen_before


def test_another_model_is_refused_and_its_connection_closed(any_bench):
    # A TSP twin makes up its identity of its model.
    any_bench.twin.identity, any_bench.twin.model = "ACME,MODEL 9000,1,1.0", "9000"
    with pytest.raises(
        InstrumentError, match=r"expected a .*'.*(MODEL|Model) 9000,.*' answered; check the address"
    ):
        any_bench.open()


def test_an_address_without_instrument_is_an_instrument_error(any_bench):
    with pytest.raises(InstrumentError, match="cannot be opened"):
        any_bench.model.open("GPIB0::3::INSTR", "roles@mho")


def test_settings_are_text(any_bench):
    instrument = any_bench.open()
    kept = instrument.settings()
    assert kept
    assert all(isinstance(name, str) and isinstance(text, str) and text for name, text in kept.items())
    instrument.close()


def test_stale_errors_are_not_blamed_on_the_first_command(any_bench):
    for _ in range(5):
        any_bench.twin.write(b"FOO\n")
    instrument = any_bench.open()
    instrument.make_safe()
    instrument.close()


def test_a_lost_connection_is_an_instrument_error(any_bench):
    instrument = any_bench.open()
    any_bench.fault("disconnect")
    for attempt in (instrument.identify, instrument.settings, instrument.make_safe):
        with pytest.raises(InstrumentError, match="CONN_LOST"):
            attempt()
    any_bench.faults.clear()
    instrument.make_safe()
    instrument.close()


# --- source-measure units ---


def test_it_is_a_source_meter(smu):
    assert isinstance(smu, SourceMeter)


def test_a_known_resistor_is_read_within_accuracy(smu, bench):
    ready(smu)
    for volts in (0.2, -0.2, 1.0):
        reading = smu.read(volts)
        assert reading.voltage == pytest.approx(volts, abs=1e-3)
        assert reading.current == pytest.approx(CONDUCTANCE * volts, rel=2e-3, abs=5e-8)
        assert not reading.tripped
        assert bench.port.safe


def test_a_read_steps_once_and_returns_to_zero_in_one_message(smu, bench):
    ready(smu).read(0.1)  # the first one may load a script
    bench.port.history.clear()
    bench.sent.clear()
    smu.read(0.2)
    assert [volts for volts, _ in bench.port.history] == [
        pytest.approx(0.2, abs=1e-3),
        pytest.approx(0, abs=1e-3),
    ]
    assert sum(b"2.000000000e-01" in message for message in bench.sent) == 1
    assert len(bench.sent) <= 2  # one message, and where the language needs it one to check for errors


def test_compliance_is_reported_at_its_point_only(smu):
    ready(smu, limit=1e-5)
    reading = smu.read(2.0)
    assert reading.tripped
    assert reading.current == pytest.approx(1e-5, rel=1e-2)
    assert reading.voltage == pytest.approx(0.5, rel=1e-2)
    assert not smu.read(0.2).tripped
    assert [reading.tripped for reading in smu.sweep([0.1, 1.0, -0.1, -1.0, 0.2])] == [0, 1, 0, 1, 0]


def test_a_sweep_is_the_same_as_its_points(smu, bench):
    ready(smu)
    volts = [0.1, 0.5, -0.3, 0.2]
    swept, read = smu.sweep(volts, delay=1e-3), [smu.read(level) for level in volts]
    for a, b in zip(swept, read, strict=True):
        assert a.voltage == pytest.approx(b.voltage, abs=1e-4)  # the voltmeters' noise
        assert a.current == pytest.approx(b.current, rel=1e-3, abs=1e-9)
        assert a.tripped == b.tripped
    assert bench.port.safe


@pytest.mark.parametrize("count", daily([1, 250], [250]))
def test_a_sweep_is_timed_by_the_instrument(smu, bench, count):
    ready(smu)
    bench.sent.clear()
    start = bench.twin.clock.now
    readings = smu.sweep([0.1] * count, delay=2e-3)
    assert len(readings) == count
    assert bench.twin.clock.now - start >= count * (2e-3 + 0.1 / 60)
    assert sum(bench.model.start in message for message in bench.sent) == 1


def test_a_sweep_leaves_the_output_as_it_was(smu, bench):
    ready(smu)
    smu.sweep([0.1, 0.2])
    assert bench.port.connected
    smu.make_safe()
    smu.sweep([0.1, 0.2])
    assert bench.port.safe
    reading = smu.sweep([0.5])[0]
    assert reading.current == pytest.approx(CONDUCTANCE * 0.5, rel=1e-2)


def test_a_hold_stays(smu, bench):
    ready(smu)
    smu.hold(0.3)
    assert bench.port.connected
    assert bench.port.volts == pytest.approx(0.3, abs=1e-3)


def test_configuring_leaves_the_output_alone(smu, bench):
    smu.configure(current_limit=1e-5, current_range=1e-4, nplc=1)
    assert bench.port.safe
    ready(smu).hold(0.3)
    smu.configure(current_limit=1e-5, current_range=1e-4, nplc=1)
    assert bench.port.volts == pytest.approx(0.3, abs=1e-3)
    smu.hold(0.2)
    assert smu.read(2.0).tripped  # the new limit


def test_a_limit_other_than_asked_for_is_found_out_before_the_output_is_used(smu, bench):
    bench.tamper = lambda data: data.replace(b"1.250000000e-05", b"1.5e-05").replace(b"1.25e-05", b"1.5e-05")
    with pytest.raises(InstrumentError, match=r"current limit of 1\.5e-05 A instead of 1\.25e-05 A"):
        ready(smu, limit=1.25e-5)
    assert bench.port.safe


def test_make_safe_is_confirmed_and_may_be_repeated(smu, bench):
    ready(smu).hold(0.5)
    for _ in range(2):
        smu.make_safe()
        assert bench.port.safe
    ready(smu)
    assert smu.read(0.2).current == pytest.approx(CONDUCTANCE * 0.2, rel=1e-2)


def test_an_output_that_stays_on_is_said_loudly(smu, bench):
    ready(smu)
    bench.tamper = lambda data: data.replace(*bench.model.off)
    with pytest.raises(InstrumentError, match="still has its output on; switch it off by hand"):
        smu.make_safe()


def test_values_beyond_the_instrument_raise_before_anything_is_sent(smu, bench):
    ready(smu)
    bench.sent.clear()
    fine = {"current_limit": 1e-5, "current_range": 1e-4, "nplc": 0.1}
    attempts = [
        *(lambda volts=volts: smu.hold(volts) for volts in (1e4, -1e4, math.nan, math.inf)),
        *(lambda volts=volts: smu.read(volts) for volts in (1e4, math.nan)),
        lambda: smu.sweep([0.1, 1e4]),
        *(lambda wrong=wrong: smu.configure(**{**fine, **wrong}) for wrong in (
            {"current_limit": 1e3}, {"current_limit": 0.0}, {"current_limit": math.nan},
            {"current_range": 1e3}, {"current_range": -1.0}, {"nplc": 1e6}, {"nplc": 0.0},
        )),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(LimitError):
            attempt()
    for levels in ([], [0.1] * 2501):
        with pytest.raises(InstrumentError, match="a sweep has 1 to 2500 levels"):
            smu.sweep(levels)
    assert bench.sent == []


def test_a_list_with_a_level_that_is_no_number_raises_before_anything_is_sent(smu, bench):
    ready(smu)
    bench.sent.clear()
    with pytest.raises(LimitError):
        smu.sweep([0.1, math.nan, 0.2])
    assert bench.sent == []


@pytest.mark.parametrize("kind", daily(["timeout", "error", "disconnect"], ["timeout", "disconnect"]))
def test_whatever_message_fails_make_safe_brings_it_to_zero(bench, kind):
    def work(smu):
        ready(smu)
        smu.read(0.2)
        smu.sweep([0.1, 0.2, 0.3])
        smu.hold(0.5)

    smu = bench.open()
    work(smu)  # the first time it may load a script
    smu.make_safe()
    bench.sent.clear()
    work(smu)
    messages = len(bench.sent)
    for struck in range(messages):
        bench.fault(kind, after=struck)
        # A command that has no reply has none to lose.
        without_loss = kind == "timeout" and isinstance(smu, AgilentB1500)
        with suppress(InstrumentError) if without_loss else pytest.raises(InstrumentError):
            work(smu)
        bench.faults.clear()
        smu.make_safe()
        assert bench.port.safe, f"{kind} at message {struck}"
    smu.close()


# --- pulse generators ---


def test_it_is_a_pulse_generator(pulser):
    assert isinstance(pulser, PulseGenerator)


def test_a_pulse_has_the_voltage_and_width_asked_for(pulser, pulser_bench):
    pulser.configure(1)
    for voltage, width in ((3.0, 100e-9), (-2.5, 1e-6), (0.002, 1e-3), (10.0, 20e-9)):
        pulser.shape(1, voltage=voltage, width=width)
        pulser.fire(1)
        assert pulser_bench.port[1].pulses.pop() == (pytest.approx(voltage), pytest.approx(width))
    assert pulser_bench.port[2].pulses == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(1, 20)), max_size=8))
def test_only_the_wanted_channel_delivers_pulses(pulser, pulser_bench, shots):
    wanted = {1: (1.0, pytest.approx(1e-6)), 2: (-2.0, pytest.approx(1e-6))}
    for channel, (voltage, _) in wanted.items():
        pulser.configure(channel)
        pulser.shape(channel, voltage=voltage, width=1e-6)
    for channel, count in shots:
        pulser.fire(channel, count)
        delivered = {n: line.pulses.copy() for n, line in pulser_bench.port.items()}
        assert delivered == {channel: [wanted[channel]] * count, 3 - channel: []}
        pulser_bench.port[channel].pulses.clear()


def test_a_burst_takes_as_long_as_its_periods(pulser, pulser_bench):
    pulser.configure(2)
    pulser.shape(2, voltage=1.0, width=1e-3)
    start = pulser_bench.twin.clock.now
    pulser.fire(2, 1000)
    assert pulser_bench.twin.clock.now - start == pytest.approx(2.0, rel=1e-3)
    pulser.fire(2)  # and the next one is single again
    assert len(pulser_bench.port[2].pulses) == 1001


def test_what_cannot_be_a_burst_raises_before_anything_is_sent(pulser, pulser_bench):
    pulser.configure(1)
    pulser_bench.sent.clear()
    for count in (0, -1, 10**9, 1.5, math.nan):
        with pytest.raises(LimitError):
            pulser.fire(1, count)
    for attempt in (lambda: pulser.fire(2), lambda: pulser.fire(3)):
        with pytest.raises(InstrumentError, match="before firing"):
            attempt()
    assert pulser_bench.sent == []


def test_a_channel_whose_last_command_failed_does_not_fire(pulser, pulser_bench):
    pulser.configure(1)
    pulser_bench.fault("error")
    with pytest.raises(InstrumentError):
        pulser.shape(1, voltage=2.0, width=1e-6)
    with pytest.raises(InstrumentError, match="configure channel 1 and shape its pulses before firing"):
        pulser.fire(1)
    pulser.shape(1, voltage=2.0, width=1e-6)
    pulser.fire(1)
    assert pulser_bench.port[1].pulses == [(2.0, pytest.approx(1e-6))]


def test_configuring_and_shaping_fire_nothing(pulser, pulser_bench):
    for channel in (1, 2):
        pulser.configure(channel)
        pulser.shape(channel, voltage=1.0, width=1e-6)
        assert pulser_bench.twin.idle_voltage(channel) == 0.0
    assert [line.pulses for line in pulser_bench.port.values()] == [[], []]


def test_only_what_changes_is_sent(pulser, pulser_bench):
    pulser.configure(1)
    pulser.shape(1, voltage=1.0, width=1e-7)
    pulser_bench.sent.clear()
    pulser.shape(1, voltage=1.0, width=1e-7)
    assert pulser_bench.sent == []
    pulser.shape(1, voltage=1.5, width=1e-7)
    assert len(pulser_bench.sent) == 1


def test_what_a_pulser_cannot_do_raises_before_anything_is_sent(pulser, pulser_bench):
    pulser.configure(1)
    pulser_bench.sent.clear()
    for voltage, width in ((10.1, 1e-6), (-11, 1e-6), (0.0, 1e-6), (1.0, 1e-9), (1.0, 1e6), (math.nan, 1e-6)):
        with pytest.raises(LimitError):
            pulser.shape(1, voltage=voltage, width=width)
    for attempt in (lambda: pulser.configure(3), lambda: pulser.shape(2, voltage=1.0, width=1e-6)):
        with pytest.raises(InstrumentError):
            attempt()
    assert pulser_bench.sent == []


def test_make_safe_of_a_pulser_opens_both_outputs_and_may_be_repeated(pulser, pulser_bench):
    for channel in (1, 2):
        pulser.configure(channel)
    for _ in range(2):
        pulser.make_safe()
        assert pulser_bench.twin.output_on == {1: False, 2: False}
    with pytest.raises(InstrumentError, match="configure"):
        pulser.fire(1)


def test_a_pulser_whose_output_stays_on_is_said_loudly(pulser, pulser_bench):
    pulser.configure(2)
    pulser_bench.tamper = lambda data: data.replace(*pulser_bench.model.off)
    with pytest.raises(InstrumentError, match="still has an output on; switch it off by hand"):
        pulser.make_safe()


@pytest.mark.parametrize("kind", ["timeout", "error", "disconnect"])
def test_whatever_message_to_a_pulser_fails_make_safe_opens_its_outputs(pulser_bench, kind):
    def work(pulser):
        for channel in (1, 2):
            pulser.configure(channel)
            pulser.shape(channel, voltage=-1.0, width=1e-6)
        pulser.fire(1)
        pulser.fire(2, 3)

    pulser = pulser_bench.open()
    pulser_bench.sent.clear()
    work(pulser)
    for struck in range(len(pulser_bench.sent)):
        pulser_bench.fault(kind, after=struck)
        with pytest.raises(InstrumentError):
            work(pulser)
        pulser_bench.faults.clear()
        pulser.make_safe()
        assert not any(pulser_bench.twin.output_on.values())
    pulser.close()


shapes = st.tuples(
    st.one_of(st.floats(0.002, 10.0), st.floats(-10.0, -0.002)), st.floats(-7.6, 0.0).map(lambda x: 10**x)
)


@pytest.mark.parametrize("model", daily(PULSE_GENERATORS.values(), 2), ids=PULSE_GENERATORS.keys())
@settings(max_examples=40)
@given(wanted=st.lists(shapes, min_size=1, max_size=6))
def test_from_any_shape_to_any_other_every_step_is_legal_and_idles_at_zero(model, wanted):
    bench = set_up(model, {1: Line(), 2: Line()})
    try:
        pulser = bench.open()
        pulser.configure(1)
        for voltage, width in wanted:
            pulser.shape(1, voltage=voltage, width=width)
            assert abs(bench.twin.idle_voltage(1)) < 1e-12
            pulser.fire(1)
            assert bench.port[1].pulses.pop() == (pytest.approx(voltage), pytest.approx(width))
    finally:
        unregister_rack("roles")
