"""PyMeasure's and QCoDeS's drivers of the pulse generators, unchanged, with every parameter they have.

Where a driver is broken itself, the test says so, and shows that the twin refuses what the instrument would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pymeasure.instruments.agilent import Agilent33500
from pymeasure.instruments.tektronix import AFG3152C
from qcodes.instrument import Instrument
from qcodes.instrument_drivers.Keysight import Keysight33522B, Keysight33622A

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keysight33522b.instrument import (
    SimulatedKeysight33522B,
    SimulatedKeysight33622A,
)
from mho.instruments.simulated.tektronixafg31000 import SimulatedTektronixAFG31000
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

NAME = "third-party-pulsers"
KEYSIGHT, TEKTRONIX, FASTER = (f"GPIB0::{number}::INSTR" for number in (10, 11, 12))


class Scope:
    """A `PulsePort` that keeps what it sees: (volts, width, period, count)."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float, float, int]] = []

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        self.seen.append((volts, width, period, count))


@pytest.fixture
def rack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Both twins, a scope on each of their channels; `errors` keeps the numbers that either of them queues."""
    clock, rng = VirtualClock(), np.random.default_rng(0)
    scopes = {1: Scope(), 2: Scope()}
    devices = {
        KEYSIGHT: SimulatedKeysight33522B(clock, rng, scopes),
        TEKTRONIX: SimulatedTektronixAFG31000(clock, rng, scopes),
        FASTER: SimulatedKeysight33622A(clock, rng, scopes),
    }
    errors: list[int] = []
    for device in devices.values():
        monkeypatch.setattr(device, "push_error", recording(device.push_error, errors))
    it = SimpleNamespace(clock=clock, devices=devices, faults=[], scopes=scopes, errors=errors)
    register_rack(NAME, it)
    yield it
    Instrument.close_all()
    unregister_rack(NAME)


def recording(push: Callable[..., None], numbers: list[int]) -> Callable[..., None]:
    def pushing(code: int, detail: str = "") -> None:
        numbers.append(code)
        push(code, detail)

    return pushing


def refused(rack: SimpleNamespace, thing: object, **values: Any) -> list[int]:
    """Return the numbers of the errors that setting `values` makes a twin queue."""
    assert rack.errors == []
    for name, value in values.items():
        setattr(thing, name, value)
    numbers = list(rack.errors)
    rack.errors.clear()
    return numbers


def declared(owner: type) -> set[str]:
    return {name for base in owner.__mro__[:-1] if "33500" in base.__name__ or "AFG3152C" in base.__name__
            for name, member in vars(base).items() if isinstance(member, property)}  # fmt: skip


# --- the 33522B with PyMeasure ---

# In an order in which each is legal beside those before it.
PYMEASURE: Mapping[str, Any] = {
    "output_load": 50.0, "shape": "SQU", "frequency": 2e3, "amplitude_unit": "VRMS", "amplitude": 0.5, "offset": 0.25,
    "phase": -90.0, "square_dutycycle": 20.0, "ramp_symmetry": 25.0, "voltage_high": 3.0, "voltage_low": -1.0,
    "pulse_hold": "DCYC", "pulse_period": 1e-3, "pulse_dutycycle": 5.0, "pulse_width": 2e-6, "pulse_transition": 2e-8,
    "burst_mode": "TRIG", "burst_period": 0.5, "burst_ncycles": 7, "burst_state": True, "arb_advance": "TRIG",
    "arb_filter": "OFF", "arb_srate": 1e6, "output": True,
}  # fmt: skip
COMMON = {"trigger_source": "BUS", "ext_trig_out": True}


@pytest.fixture
def generator(rack: SimpleNamespace) -> Iterator[Agilent33500]:
    opened = Agilent33500(KEYSIGHT, visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


@pytest.mark.parametrize("part", ["whole", "ch_1", "ch_2"])
def test_pymeasures_33500_finds_everything_it_sets(rack, generator, part):
    owner = generator if part == "whole" else getattr(generator, part)
    values = {**PYMEASURE, **COMMON} if part == "whole" else PYMEASURE
    assert declared(type(owner)) - set(values) == (
        {"arb_file", "display"} if part == "whole" else {"arb_file"}
    )
    for name, value in values.items():
        assert refused(rack, owner, **{name: value}) == [], name
        assert getattr(owner, name) == pytest.approx(value), name
    changed = {"amplitude": 2.0, "offset": 1.0}  # by the levels; in the square's Vrms
    assert {name: getattr(owner, name) for name in changed} == pytest.approx(changed)


@pytest.mark.parametrize("part", ["whole", "ch_2"])
def test_pymeasures_33500_loads_waveforms_as_integers_and_fractions(rack, generator, part):
    owner = generator if part == "whole" else getattr(generator, part)
    channel = 1 if part == "whole" else 2
    memory = rack.devices[KEYSIGHT].waveforms
    owner.data_arb("ramp", range(-32767, 32768, 9362), data_format="DAC")
    owner.data_arb("saw", [-1.0, -0.5, 0.0, 0.5, 1.0, 0.5, 0.0, -0.5], data_format="float")
    assert rack.errors == []
    assert list(memory[channel]["RAMP"]) == list(range(-32767, 32768, 9362))
    assert list(memory[channel]["SAW"]) == [-32767, -16384, 0, 16384, 32767, 16384, 0, -16384]
    assert refused(rack, owner, arb_file="ramp", shape="ARB") == []
    assert owner.arb_file == '"RAMP"'
    owner.data_arb("ramp", [0] * 8)
    owner.data_arb("short", [0] * 7)
    owner.data_arb("loud", [1.5] * 8, data_format="float")
    assert rack.errors == [786, -161, -222]
    rack.errors.clear()
    owner.data_volatile_clear()
    assert refused(rack, owner, arb_file="saw") == [785]


def test_what_else_pymeasures_33500_can_do(rack, generator):
    assert "33522B" in generator.id
    for action in (generator.beep, generator.phase_sync, generator.clear_display):
        action()
    generator.display = "do not touch"
    assert rack.devices[KEYSIGHT].message == "do not touch"
    assert rack.errors == []
    with pytest.raises(NotImplementedError):
        generator.data_arb("w", b"", data_format="binary")


def test_pymeasures_trigger_fires_every_channel_that_waits_for_the_bus(rack, generator):
    values = {
        "output_load": "INF", "shape": "PULS", "voltage_high": 3.0, "voltage_low": 0.0, "pulse_width": 2e-6,
        "pulse_period": 1e-5, "burst_state": True, "burst_ncycles": 3, "output": True,
    }  # fmt: skip
    for channel in (generator.ch_1, generator.ch_2):
        assert refused(rack, channel, **values) == []
    generator.trigger_source = "BUS"  # of channel 1
    generator.trigger()
    generator.wait_for_trigger()
    assert rack.scopes[1].seen == [(pytest.approx(3.0), 2e-6, 1e-5, 3)]
    assert rack.scopes[2].seen == []
    assert rack.clock.now == pytest.approx(3e-5)
    generator.trigger_source = "EXT"
    generator.trigger()
    assert rack.errors == [-211]


def test_what_does_not_fit_is_adjusted_and_reported_as_by_the_instrument(rack, generator):
    assert refused(rack, generator, shape="PULS", pulse_period=1e-3, pulse_width=1e-4) == []
    assert refused(rack, generator, pulse_width=2e-3) == [-221]
    assert generator.pulse_width == pytest.approx(1e-3 - 16e-9)
    generator.pulse_width = 1e-4
    rack.errors.clear()
    assert refused(rack, generator, frequency=1e5) == [-221]
    assert generator.pulse_width == pytest.approx(1e-5 - 16e-9)
    assert refused(rack, generator, voltage_high=1.0, voltage_low=2.0) == [-221]
    assert (generator.voltage_high, generator.voltage_low) == pytest.approx((2.001, 2.0))
    assert refused(rack, generator, voltage_low=-4.0, offset=4.5) == [-222]
    assert generator.voltage_high == pytest.approx(5.0)  # what the output stage gives into 50 ohm
    assert refused(rack, generator, amplitude=10.0) == [-221]
    assert (generator.amplitude, generator.offset) == pytest.approx((10.0, 0.0))
    assert refused(rack, generator, amplitude_unit="DBM", output_load="INF") == [-221]
    assert generator.amplitude_unit == "VPP"
    assert refused(rack, generator, shape="RAMP", frequency=1e6) == [-222]
    assert generator.frequency == pytest.approx(200e3)
    assert refused(rack, generator, burst_state=True, shape="DC") == [-221]
    assert generator.burst_state is False


# --- the 33522B with QCoDeS ---

QCODES: Mapping[str, Any] = {
    "frequency_mode": "FIXED", "function_type": "SIN", "frequency": 1e6, "phase": 45.0, "amplitude_unit": "DBM",
    "amplitude": 3.0, "offset": 0.5, "output_polarity": "INV", "ramp_symmetry": 75.0, "pulse_width": 1e-7,
    "trigger_source": "EXT", "trigger_slope": "NEG", "trigger_count": 12, "trigger_delay": 0.25, "trigger_timer": 5e-2,
    "burst_mode": "N Cycle", "burst_ncycles": 9, "burst_phase": -180.0, "burst_polarity": "INV",
    "burst_int_period": 2e-3, "burst_state": "ON", "output": "ON",
}  # fmt: skip
SHORT = {"FIXED": "FIX"}  # QCoDeS sends the long form and gets the short one


@pytest.fixture
def qcodes_generator(rack: SimpleNamespace) -> Any:
    return Keysight33522B("generator", KEYSIGHT, visalib=f"{NAME}@mho")


@pytest.mark.parametrize("channel", ["ch1", "ch2"])
@pytest.mark.parametrize(("model", "address"), [(Keysight33522B, KEYSIGHT), (Keysight33622A, FASTER)])
def test_qcodes_generators_find_everything_they_set(rack, model, address, channel):
    generator = model("generator", address, visalib=f"{NAME}@mho")
    part = getattr(generator, channel)
    assert set(part.parameters) == set(QCODES)
    for name, value in QCODES.items():
        part.parameters[name](value)
        assert rack.errors == [], name
        found = part.parameters[name].get()
        assert found == (pytest.approx(value) if isinstance(value, float) else SHORT.get(value, value)), name
    generator.snapshot(update=True)
    part.burst_ncycles("INF")
    assert part.burst_ncycles() == float("inf")
    assert rack.errors == []


def test_qcodes_33522b_fires_pulses_and_steers_its_sync_output(rack, qcodes_generator):
    part = qcodes_generator.ch2
    values = {
        "function_type": "PULS", "amplitude": 1.5, "offset": 0.75, "pulse_width": 1e-6, "burst_mode": "N Cycle",
        "burst_ncycles": 2, "burst_state": "ON", "trigger_source": "BUS", "output": "ON",
    }  # fmt: skip
    for name, value in values.items():
        part.parameters[name](value)
    sync = {"output": "OFF", "source": 2}
    assert set(qcodes_generator.sync.parameters) == set(sync)
    for name, value in sync.items():
        qcodes_generator.sync.parameters[name](value)
        assert qcodes_generator.sync.parameters[name].get() == value
    qcodes_generator.force_trigger()
    qcodes_generator.sync_channel_phases()
    assert rack.errors == []
    assert rack.scopes[2].seen == [
        (pytest.approx(3.0), 1e-6, 1e-3, 2)
    ]  # left at 50 ohm, twice as much arrives
    assert rack.scopes[1].seen == []
    part.frequency(1e6)
    assert qcodes_generator.error()[0] == -221
    assert qcodes_generator.error() == (0, "No error")
    part.frequency_mode("SWEEP")  # one at a time: the burst gives way
    assert (part.burst_state(), qcodes_generator.error()[0]) == ("OFF", -221)


# --- the AFG31000 with PyMeasure; QCoDeS has no driver for it ---


@pytest.fixture
def tektronix(rack: SimpleNamespace) -> Iterator[AFG3152C]:
    with pytest.warns(FutureWarning, match="not known whether this device support SCPI"):
        opened = AFG3152C(TEKTRONIX, visa_library=f"{NAME}@mho")
    yield opened
    opened.adapter.close()


def test_pymeasures_afg_finds_everything_it_sets(rack, tektronix):
    assert tektronix.id.startswith("TEKTRONIX,AFG31")
    channel = tektronix.ch2
    values = {
        "shape": "sinusoidal", "unit": "VRMS", "amp_vrms": 0.3, "frequency": 2e5, "offset": 0.1, "duty": 20.0,
    }  # fmt: skip
    assert declared(type(channel)) == {*values, "amp_vpp", "amp_dbm", "impedance"}
    for name, value in values.items():
        assert refused(rack, channel, **{name: value}) == [], name
        assert getattr(channel, name) == pytest.approx(value), name
    for unit, name, value in (
        ("VPP", "amp_vpp", 0.3 * 8**0.5),
        ("DBM", "amp_dbm", 10 * np.log10(0.3**2 / 0.05)),
    ):
        channel.unit = unit
        assert getattr(channel, name) == pytest.approx(value)
        assert refused(rack, channel, **{name: value}) == []
    for shape in channel.SHAPES:
        assert refused(rack, channel, shape=shape) == []
        assert channel.shape == shape
    channel.waveform(shape="PULS", frequency=1e4, amplitude=1.5, offset=0.75)
    tektronix.beep()
    assert tektronix.opc() == 1
    assert rack.errors == []


def test_what_an_afg_refuses_of_pymeasure_is_refused(rack, tektronix):
    channel = tektronix.ch1
    channel.shape = "pulse"
    assert refused(rack, channel, unit="VRMS") == [-221]  # a sine's only
    assert refused(rack, channel, amp_dbm=0.0) == [-221]
    # The driver puts every header behind SOURce<n>:, where the outputs are not, and lacks what `enable` needs.
    assert refused(rack, channel, impedance=50) == [-113]
    with pytest.raises(AttributeError, match="number"):
        channel.enable()
    assert rack.devices[TEKTRONIX].output_on == {1: False, 2: False}
