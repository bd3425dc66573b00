"""Every property and every method of every driver refuses what is out of range before anything is sent."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
from daily import daily
from hypothesis import assume, given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import registered

from mho.errors import InstrumentError, LimitError, MhoError
from mho.instruments import drivers
from mho.instruments.drivers import (
    array_board,
    keithley707b,
    keithley2400,
    keithley2450,
    keithley2636b,
    keithleydaq6510,
    keysight33522b,
    keysightb2201a,
    keysightb2912a,
    lakeshore335,
    tektronixafg31000,
    yokogawags210,
)
from mho.instruments.drivers.languages.bus import BusInstrument
from mho.instruments.drivers.languages.scpi import ScpiInstrument, Span
from mho.instruments.drivers.languages.tsp import TspInstrument
from mho.instruments.roles import Cell
from mho.instruments.simulated.array_board import SimulatedArrayBoard
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley707b import SimulatedKeithley707B
from mho.instruments.simulated.keithley2400 import SimulatedKeithley2400
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
from mho.instruments.simulated.keithley2636b import instrument as simulated_2600b
from mho.instruments.simulated.keithleydaq6510 import SimulatedKeithleyDAQ6510, SimulatedKeithleyDMM6500
from mho.instruments.simulated.keysight33522b.instrument import (
    SimulatedKeysight33522B,
    SimulatedKeysight33622A,
)
from mho.instruments.simulated.keysightb2201a import SimulatedKeysightB2201A
from mho.instruments.simulated.keysightb2912a import SimulatedKeysightB2912A
from mho.instruments.simulated.lakeshore335 import SimulatedLakeShore335, SimulatedLakeShore336
from mho.instruments.simulated.physics.heated_stage import HeatedStage
from mho.instruments.simulated.tektronixafg31000 import SimulatedTektronixAFG31000
from mho.instruments.simulated.yokogawags210 import SimulatedYokogawaGS210

OURS = "mho.instruments."  # the rest is PyMeasure's
SCPI = '0,"No error"'
KEITHLEY = [(":SYST:ERR?", '0,"No error;0;0 0"'), ("*LANG?", "SCPI")]
LUA = ("print(errorqueue.next())", "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00")

# driver, what it asks when it opens, what has the properties
DRIVERS: dict[str, tuple[Any, list[Any], Callable[[Any], Any]]] = {
    "2450": (keithley2450.Keithley2450, [("*IDN?", "K,MODEL 2450,1,1"), *KEITHLEY], lambda it: it),
    **{
        name: (getattr(keithley2636b, f"Keithley{name}"), [("*IDN?", f"K,Model {name},1,1"), LUA], lambda it: it.smub)
        for name in ("2602B", "2612B", "2614B", "2636B")
    },
    "33622A": (keysight33522b.Keysight33622A, [("*IDN?", "K,33622A,1,1"), (":SYST:ERR?", SCPI)], lambda it: it.ch_2),
    "B2912A": (keysightb2912a.KeysightB2912A, [("*IDN?", "K,B2912A,1,1"), (":SYST:ERR?", SCPI)], lambda it: it.ch_2),
    "33522B": (keysight33522b.Keysight33522B, [("*IDN?", "K,33522B,1,1"), (":SYST:ERR?", SCPI)], lambda it: it.ch_1),
    "AFG31000": (tektronixafg31000.TektronixAFG31000, [("*IDN?", "T,AFG31052,1,1"), (":SYST:ERR?", SCPI)],
                 lambda it: it.ch_1),
    "AFG31000's trigger": (tektronixafg31000.TektronixAFG31000,
                           [("*IDN?", "T,AFG31052,1,1"), (":SYST:ERR?", SCPI)], lambda it: it),
    "DAQ6510": (keithleydaq6510.KeithleyDAQ6510, [("*IDN?", "K,MODEL DAQ6510,1,1"), *KEITHLEY], lambda it: it),
    "DMM6500": (keithleydaq6510.KeithleyDMM6500, [("*IDN?", "K,MODEL DMM6500,1,1"), *KEITHLEY], lambda it: it),
    "707B": (keithley707b.Keithley707B, [("*IDN?", "K,Model 707B,1,1"), LUA], lambda it: it),
    "GS210": (yokogawags210.YokogawaGS210, [("*IDN?", "Y,GS210,1,1"), (":SYST:ERR?", SCPI)], lambda it: it),
    "B2201A": (keysightb2201a.KeysightB2201A, [("*IDN?", "K,B2201A,0,1"), (":SYST:ERR?", SCPI)], lambda it: it),
    "2400": (keithley2400.Keithley2400, [("*IDN?", "K,MODEL 2400,1,1"), (":SYST:ERR?", SCPI)], lambda it: it),
}  # fmt: skip


def settable(owner: type) -> dict[str, property]:
    """Return the properties that a class of drivers declares, and that can be set."""
    found = {}
    for name in dir(owner):
        attribute = inspect.getattr_static(owner, name, None)
        home = next((base for base in owner.__mro__ if name in vars(base)), object)
        if not home.__module__.startswith(OURS) or not isinstance(attribute, property):
            continue
        if attribute.fset is not None and declaration(attribute).get("set_command", ""):
            found[name] = attribute
    return found


def declaration(declared: property) -> dict[str, Any]:
    """Return what PyMeasure was told of a property."""
    return {name: it.default for name, it in inspect.signature(declared.fset).parameters.items()}


def allowed_of(declared: property) -> Any:
    """Return what a property may be: a `Span`, a tuple of choices, or a pattern of texts; None where nothing is said."""
    return declaration(declared)["values"] or None


def classes() -> Iterator[type]:
    """Yield every class that a module of drivers defines."""
    for module in pkgutil.iter_modules(drivers.__path__):
        name = f"mho.instruments.drivers.{module.name}"
        for thing in vars(importlib.import_module(name)).values():
            if inspect.isclass(thing) and thing.__module__ == name:
                yield thing


def test_every_property_that_can_be_set_is_a_declared_one() -> None:
    """So that none can do without limits: a setter written by hand would not be found below."""
    for owner in classes():
        for name in dir(owner):
            attribute = inspect.getattr_static(owner, name)
            home = next(base for base in owner.__mro__ if name in vars(base))
            if not isinstance(attribute, property) or not home.__module__.startswith(OURS):
                continue
            if attribute.fset is not None:
                assert "set_command" in declaration(attribute), f"{owner.__name__}.{name} is set by hand"


def test_every_declared_property_says_what_it_does() -> None:
    for owner in classes():
        for name in dir(owner):
            attribute = inspect.getattr_static(owner, name)
            home = next((base for base in owner.__mro__ if name in vars(base)), object)
            if (
                isinstance(attribute, property)
                and home.__module__.startswith(OURS)
                and attribute.fset is not None
            ):
                assert re.match("(Control|Get|Measure|Set) ", attribute.__doc__ or ""), (
                    f"{owner.__name__}.{name}"
                )


def test_no_driver_with_settings_is_forgotten() -> None:
    covered = {type(part_of(*each)) for each in DRIVERS.values()}
    declaring = {owner for owner in classes() if settable(owner)}
    assert all(any(issubclass(each, owner) for each in covered) for owner in declaring)


def test_no_property_takes_whatever_it_is_given() -> None:
    for owner in set(classes()):
        for name, declared in settable(owner).items():
            assert allowed_of(declared) is not None, f"{owner.__name__}.{name} has no limits"


NO_NUMBERS = st.sampled_from([None, "1.0", "", [1.0], (), {}, np.ones(2), 1j])


@pytest.mark.parametrize(("driver", "opening", "part"), daily(DRIVERS.values(), 3), ids=DRIVERS.keys())
@given(data=st.data())
def test_a_value_out_of_range_raises_before_anything_is_sent(driver, opening, part, data):
    with expected_protocol(driver, opening) as instrument:  # which fails on any message beside the opening
        owner = part(instrument)
        properties = settable(type(owner))
        assert properties
        name = data.draw(st.sampled_from(sorted(properties)), "property")
        allowed = allowed_of(properties[name])
        if isinstance(allowed, Span):
            value = data.draw(outside(allowed) | NO_NUMBERS, "value")
            with pytest.raises(LimitError, match=r"beyond what the instrument can do|is one number, not"):
                setattr(owner, name, value)
        elif isinstance(allowed, re.Pattern):
            value = data.draw(st.text(), "value")
            assume(not allowed.fullmatch(value))
            with pytest.raises(InstrumentError):
                setattr(owner, name, value)
        else:
            value = data.draw(st.text() | st.floats() | st.none(), "value")
            assume(value not in allowed)
            with pytest.raises(InstrumentError, match="does not exist; choose one of"):
                setattr(owner, name, value)


@pytest.mark.parametrize(("driver", "opening", "part"), DRIVERS.values(), ids=DRIVERS.keys())
def test_the_limits_themselves_are_sent_in_full_precision(driver, opening, part):
    for name, declared in settable(type(part_of(driver, opening, part))).items():
        allowed = allowed_of(declared)
        if isinstance(allowed, Span):
            with (
                pytest.raises((ValueError, AssertionError)) as sent,
                expected_protocol(driver, [*opening]) as instrument,
            ):
                setattr(part(instrument), name, allowed.maximum)
            assert f"{allowed.maximum:.9e}" in str(sent.value)


def part_of(driver, opening, part):
    with expected_protocol(driver, opening) as instrument:
        return part(instrument)


# --- methods ---

NAME = "out-of-range"
ADDRESS = "GPIB0::1::INSTR"


class Port:
    """A resistor that also takes pulses."""

    def drive(self, volts: float, *, connected: bool) -> None:
        pass

    def current(self, volts: float, aperture: float) -> float:
        return volts * 1e-5

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        pass

    def array_size(self, array: str) -> tuple[int, int] | None:
        return (8, 8)

    def switching(self, what: str) -> None:
        pass

    def exchange(self, volts: np.ndarray, input_count: int, period: float) -> np.ndarray:
        return volts[:, :input_count]


PORTS = {1: Port(), 2: Port()}


class Model(NamedTuple):
    """A driver, its twin, and what brings a driver into the state in which its methods are called."""

    driver: Any
    twin: Callable[[VirtualClock, np.random.Generator], Any]
    part: Callable[[Any], Any] = lambda it: it
    ready: Callable[[Any], object] = lambda it: None


def shaped(pulser: Any) -> None:
    pulser.configure(1)
    pulser.shape(1, voltage=1.0, width=1e-6)


def configured(smu: Any) -> None:
    smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)


MODELS = {
    "2450": Model(
        keithley2450.Keithley2450, lambda *a: SimulatedKeithley2450(*a, PORTS[1]), ready=configured
    ),
    "2400": Model(
        keithley2400.Keithley2400, lambda *a: SimulatedKeithley2400(*a, PORTS[1]), ready=configured
    ),
    **{
        name: Model(
            getattr(keithley2636b, f"Keithley{name}"),
            lambda *a, name=name: getattr(simulated_2600b, f"SimulatedKeithley{name}")(*a, PORTS),
            lambda it: it.channel(1),
            configured,
        )
        for name in ("2636B", "2602B", "2612B")
    },
    "B2912A": Model(
        keysightb2912a.KeysightB2912A,
        lambda *a: SimulatedKeysightB2912A(*a, PORTS),
        lambda it: it.channel(1),
        configured,
    ),
    "33522B": Model(
        keysight33522b.Keysight33522B, lambda *a: SimulatedKeysight33522B(*a, PORTS), ready=shaped
    ),
    "33622A": Model(
        keysight33522b.Keysight33622A, lambda *a: SimulatedKeysight33622A(*a, PORTS), ready=shaped
    ),
    "AFG31000": Model(
        tektronixafg31000.TektronixAFG31000, lambda *a: SimulatedTektronixAFG31000(*a, PORTS), ready=shaped
    ),
    "DAQ6510": Model(
        keithleydaq6510.KeithleyDAQ6510,
        lambda *a: SimulatedKeithleyDAQ6510(*a, {}),
        ready=lambda it: it.configure(channels=[101]),
    ),
    "DMM6500": Model(
        keithleydaq6510.KeithleyDMM6500,
        lambda *a: SimulatedKeithleyDMM6500(*a, {}),
        ready=lambda it: it.configure(channels=[1]),
    ),
    "707B": Model(keithley707b.Keithley707B, lambda *a: SimulatedKeithley707B(*a)),
    "B2201A": Model(keysightb2201a.KeysightB2201A, lambda *a: SimulatedKeysightB2201A(*a)),
    "GS210": Model(
        yokogawags210.YokogawaGS210,
        lambda *a: SimulatedYokogawaGS210(*a, PORTS[1]),
        ready=lambda it: it.configure(current_limit=1e-3),
    ),
    "335": Model(
        lakeshore335.LakeShore335,
        lambda clock, rng: SimulatedLakeShore335(clock, rng, HeatedStage(clock, 298.15)),
    ),
    "336": Model(
        lakeshore335.LakeShore336,
        lambda clock, rng: SimulatedLakeShore336(clock, rng, HeatedStage(clock, 298.15)),
    ),
    "array board": Model(array_board.ArrayBoardDriver, lambda *a: SimulatedArrayBoard(*a, PORTS[1])),
}


def outside(*spans: Span) -> st.SearchStrategy[float]:
    """Numbers beyond all of `spans`, and what is no number."""
    return (st.floats() | st.just(math.nan)).filter(
        lambda value: not any(span.minimum <= value <= span.maximum for span in spans)
    )


def listed(wrong: st.SearchStrategy[float], right: float, longest: int = 0) -> st.SearchStrategy[Any]:
    """Lists with one wrong value among right ones, none at all, and too many."""
    some = st.tuples(st.lists(st.just(right), max_size=4), wrong, st.lists(st.just(right), max_size=4))
    lists = some.map(lambda parts: [*parts[0], parts[1], *parts[2]])
    return lists | st.just([]) | (st.just([right] * (longest + 1)) if longest else st.nothing())


LEVELS = listed(outside(Span(-210.0, 210.0, "")), 0.1, 2500)
NUMBERS = st.integers().filter(lambda number: number not in (1, 2))
CHANNELS = listed(st.sampled_from([0, 100, 101.5, -101, 1, 1000, math.nan, "101"]), 101)
CHANNELS_OF_ONE_SLOT = listed(st.sampled_from([0, 11, 101, 1.5, -1, math.nan, "1"]), 1)
LINE = st.sampled_from([-1, 0.5, 4096, math.nan, "0"])
LINES = listed(LINE, 1).filter(bool)
ARRAYS = st.sampled_from(['"', 'multiply",0,0;:ROUT:PATH SET;:ROUT:CELL "multiply', "a\nb"])
PATHS = listed(st.sampled_from(["1A00", "1I01", "9A01", "1A13", "", "A1", 'x") os.exit("']), "1A01").filter(
    bool
)
CHANNEL_PATHS = listed(
    st.sampled_from(["10113", "11501", "20101", "00101", "", "1A01", "10101)"]), "10101"
).filter(bool)
NAMES = st.text().filter(lambda name: not keysight33522b.NAME.fullmatch(name))
COUNTS = st.sampled_from([0, -1, 0.5, 1.5, 1e9, math.nan, math.inf, "1"])


def source_meter(module: Any, **more: Any) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return what every source meter has: right arguments of each method, and wrong ones of each argument."""
    right = {"current_limit": 1e-4, "current_range": 1e-4, "nplc": 1.0}
    spans = {
        "current_limit": module.CURRENT_LIMIT,
        "current_range": module.CURRENT_RANGE,
        "nplc": module.NPLC,
    }
    voltage = {"voltage": outside(module.VOLTAGE)}
    return {
        "configure": (right, {name: outside(span) for name, span in spans.items()}),
        "hold": ({"voltage": 0.1}, voltage),
        "read": ({"voltage": 0.1}, voltage),
        "sweep": (
            {"voltages": [0.1], "delay": 0.0},
            {"voltages": LEVELS, "delay": outside(Span(0.0, 1e5, ""))},
        ),
        "check_sweep": (
            {"voltages": [0.1], "delay": 0.0},
            {"voltages": LEVELS, "delay": outside(Span(0.0, 1e5, ""))},
        ),
        **more,
    }


PROTECT = ({"voltage": 5.0}, {"voltage": outside(Span(0.02, math.inf, ""))})

# The width holds a measurement, and the period the width.
PULSE = (
    {"voltages": [0.1], "width": 1e-3, "period": 1e-2},
    {"voltages": LEVELS, "width": outside(Span(3e-4, 8e-3, "")), "period": outside(Span(1.1e-3, 1e5, ""))},
)


def pulser(module: Any, **more: Any) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    # Written as it is wired: into high impedance, up to 10 V.
    volts = outside(Span(-10.0, 10.0, ""))
    return {
        "configure": ({"channel": 1}, {"channel": NUMBERS}),
        "shape": (
            {"channel": 1, "voltage": 1.0, "width": 1e-6},
            {"channel": NUMBERS, "voltage": volts, "width": outside(module.WIDTH)},
        ),
        "check_shape": (
            {"voltage": 1.0, "width": 1e-6, "count": 1},
            {"voltage": volts, "width": outside(module.WIDTH), "count": COUNTS},
        ),
        "check_waveform": (
            {"volts": [0.1, 1.0], "interval": 1e-6, "count": 1},
            {
                "volts": listed(volts, 1.0) | st.just([0.0, 1e-3]),
                "interval": outside(module.SAMPLE_INTERVAL),
                "count": COUNTS,
            },
        ),
        "protect": (
            {"channel": 1, "voltage": 5.0},
            {"channel": NUMBERS, "voltage": outside(Span(1e-2, math.inf, ""))},
        ),
        "fire": ({"channel": 1, "count": 1}, {"channel": NUMBERS, "count": COUNTS}),
        "shape_waveform": (
            {"channel": 1, "volts": [0.1, 1.0], "interval": 1e-6},
            {
                "channel": NUMBERS,
                "volts": listed(volts, 1.0) | st.just([0.0, 1e-3]),
                "interval": outside(module.SAMPLE_INTERVAL),
            },
        ),
        **more,
    }


def keysight_pulser(module: Any) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    steps = listed(COUNTS, 1).map(lambda counts: [("ramp", count) for count in counts])
    return pulser(
        module,
        upload=(
            {"channel": 1, "name": "ramp", "samples": np.linspace(-1, 1, 32)},
            {"channel": NUMBERS, "name": NAMES, "samples": listed(outside(Span(-1.0, 1.0, "")), 0.5)},
        ),
        upload_sequence=(
            {"channel": 1, "name": "lap", "steps": [("ramp", 1)]},
            {"channel": NUMBERS, "name": NAMES, "steps": st.just([]) | steps},
        ),
        waveforms=({"channel": 1}, {"channel": NUMBERS}),
        clear_waveforms=({"channel": 1}, {"channel": NUMBERS}),
    )


def scanner(right: int, wrong: st.SearchStrategy[Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return what a meter behind a card has; one channel that is right, and lists of which one is wrong."""
    channels: tuple[dict[str, Any], dict[str, Any]] = ({"channels": [right]}, {"channels": wrong})
    return {
        "configure": (
            {"function": "VOLT", "full_scale": 1.0, "nplc": 1.0, **channels[0]},
            {
                "function": st.text().filter(lambda text: text not in keithleydaq6510.RANGES),
                "full_scale": outside(Span(0.0, 1e9, "")),
                "nplc": outside(keithleydaq6510.NPLC),
                **channels[1],
            },
        ),
        "scans": (
            {"count": 1, "interval": 0.0, **channels[0]},
            {"count": COUNTS, "interval": outside(keithleydaq6510.INTERVAL), **channels[1]},
        ),
        **dict.fromkeys(("scan", "close_channels", "open_channels"), channels),
    }


CONTROLLER = {
    "ramp_to": (
        {"kelvin": 350.0, "rate": 10.0},
        {"kelvin": outside(lakeshore335.TEMPERATURE), "rate": outside(lakeshore335.RATE)},
    ),
    "protect": ({"kelvin": 400.0}, {"kelvin": outside(lakeshore335.TEMPERATURE)}),
}

# model: method: right arguments, and what may be wrong with each
METHODS: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "2450": source_meter(keithley2450.Keithley2450, protect=PROTECT),
    "2400": source_meter(keithley2400.Keithley2400, protect=PROTECT),
    **{
        name: source_meter(
            getattr(keithley2636b, f"Keithley{name}Channel"),
            read_list=({"voltages": [0.1]}, {"voltages": LEVELS}),
            pulse=PULSE,
            protect=PROTECT,
        )
        for name in ("2636B", "2602B", "2612B")
    },
    "B2912A": source_meter(
        keysightb2912a,
        pulse=PULSE,
        protect=PROTECT,
    ),
    "33522B": keysight_pulser(keysight33522b),
    "33622A": keysight_pulser(keysight33522b),
    "AFG31000": pulser(
        tektronixafg31000,
        upload=(
            {"memory": 1, "samples": np.linspace(-1, 1, 32)},
            {"memory": st.integers().filter(lambda number: not 1 <= number <= 255),
             "samples": listed(outside(Span(-1.0, 1.0, "")), 0.5)},
        ),
    ),
    "DAQ6510": scanner(101, CHANNELS),
    "DMM6500": scanner(1, CHANNELS_OF_ONE_SLOT),
    "array board": {
        "set_mode": ({"mode": "SAFE"}, {"mode": st.text().filter(lambda text: text not in array_board.MODES)}),
        "route": ({"path": "OPEN"}, {"path": st.text().filter(lambda text: text not in array_board.PATHS)}),
        "select": (
            {"cell": Cell("multiply", 0, 0)},
            {"cell": LINE.map(lambda row: Cell("multiply", row, 0)) | LINE.map(lambda column: Cell("multiply", 0, column))
             | ARRAYS.map(lambda array: Cell(array, 0, 0))},
        ),
        "connect_cell": (
            {"cell": Cell("multiply", 0, 0), "path": "READ"},
            {"cell": LINE.map(lambda row: Cell("multiply", row, 0)) | LINE.map(lambda column: Cell("multiply", 0, column))
             | ARRAYS.map(lambda array: Cell(array, 0, 0)),
             "path": st.text().filter(lambda text: text not in array_board.PATHS)},
        ),
        "connect_multiply": (
            {"array": "multiply", "rows": [0], "columns": [0]}, {"array": ARRAYS, "rows": LINES, "columns": LINES},
        ),
        "connect_invert": (
            {"positive": "multiply", "rows": [0], "columns": [0], "negative": None, "second_slice": None,
             "diagonal": 0.0, "diagonal_count": 0, "bias": 0.0},
            {"positive": ARRAYS, "rows": LINES, "columns": LINES, "negative": ARRAYS,
             "second_slice": st.tuples(st.just("multiply"), ARRAYS),
             "diagonal": outside(array_board.DIAGONAL), "diagonal_count": outside(array_board.DIAGONAL_COUNT),
             "bias": outside(array_board.BIAS)},
        ),
        "arm_watchdog": ({"seconds": 1.0}, {"seconds": outside(array_board.WATCHDOG)}),
        "beat": ({"patience": 0.5}, {"patience": outside(array_board.PATIENCE)}),
    },
    "GS210": {
        "configure": ({"current_limit": 1e-3}, {"current_limit": outside(yokogawags210.CURRENT_LIMIT)}),
        "hold": ({"voltage": 0.1}, {"voltage": outside(Span(-12.0, 12.0, ""))}),
        "protect": ({"voltage": 5.0}, {"voltage": outside(Span(0.0, math.inf, ""))}),
    },
    "335": CONTROLLER,
    "336": CONTROLLER,
    "707B": {
        name: ({"paths": ["1A01"]}, {"paths": PATHS})
        for name in ("close_paths", "open_paths", "connect_only")
    },
    "B2201A": {name: ({"paths": ["10101"]}, {"paths": CHANNEL_PATHS}) for name in ("close_paths", "open_paths")},
}  # fmt: skip

# What takes no quantity: plumbing of the bus.
PLUMBING = {base.__module__ for base in (BusInstrument, ScpiInstrument, TspInstrument)}
UNCHECKED = {"ask", "exchange", "exchange_samples", "channel", "release", "fetch"}
# Classes without a bus of messages, and the tests that hold their methods to the same rule.
ELSEWHERE = {
    "AgilentB1500": ("test_agilentb1500", {"check_sweep", "configure", "hold", "read", "sweep"}),
    "ArrayBoardConverters": ("test_output_vectors", {"exchange"}),
    "NIDaq": ("test_ni_daq", {"exchange", "write", "write_lines"}),
    "ClockedExchange": ("test_ni_daq", {"play"}),
    "NILines": (
        "test_daq_at_the_lines",
        {"configure", "select", "gate", "read", "sweep", "check_shape", "pulse", "multiply"},
    ),
    "NIOutput": ("test_digital_pattern", {"configure", "hold"}),
    "NIOutputs": ("test_daq_kinds", {"checked", "hold"}),
    "ScannedDaq": ("test_daq_kinds", {"exchange"}),
}


def with_arguments(owner: type) -> set[str]:
    """Return the public methods that a driver adds to its bus, and that take arguments."""
    found = set()
    for name in dir(owner):
        home = next((base for base in owner.__mro__ if name in vars(base)), object).__module__
        method = inspect.getattr_static(owner, name)
        if name.startswith("_") or home in PLUMBING or not home.startswith(OURS):
            continue
        if not inspect.isfunction(method):
            continue
        if len(inspect.signature(method).parameters) > 1:
            found.add(name)
    return found


@contextmanager
def opened(name: str) -> Iterator[tuple[Any, list[bytes]]]:
    """Yield a driver on its twin, ready, and the messages that it sends from then on."""
    model = MODELS[name]
    clock = VirtualClock()
    twin = model.twin(clock, np.random.default_rng(0))
    with registered(NAME, {ADDRESS: twin}):
        instrument = model.driver(ADDRESS, f"{NAME}@mho")
        part = model.part(instrument)
        model.ready(part)
        sent: list[bytes] = []
        write = twin.write
        twin.write = lambda data, end=True: (sent.append(data), write(data, end))[1]
        yield part, sent


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("2450", {"voltage_range": 201.0}, "source range 201 V"),
        ("2636B", {"voltage_range": math.nan}, "source range nan V"),
        ("33522B", {"edge": 1e-9}, "edge time 1e-09 s"),
        ("33622A", {"edge": 1e-9}, "edge time 1e-09 s"),
        ("AFG31000", {"edge": "10 ns"}, "edge time is one number, not '10 ns'"),
        ("DAQ6510", {"channels": [100]}, "channel 100"),
        ("DMM6500", {"channels": [11]}, "channel 11"),
        ("B2201A", {"cards": 0}, "number of cards 0"),
        ("335", {"output": 3}, "output 3"),
        ("336", {"output": 3, "heater_range": 2}, "heater range 2"),
    ],
)
def test_what_it_is_opened_with_is_checked_first(name: str, options: dict[str, Any], error: str) -> None:
    with pytest.raises(LimitError, match=error):
        MODELS[name].driver("GPIB0::30::INSTR", "none@mho", **options)  # where nothing is


@pytest.mark.parametrize("name", MODELS)
def test_no_method_is_forgotten(name: str) -> None:
    with opened(name) as (part, _):
        assert with_arguments(type(part)) - UNCHECKED == set(METHODS[name])
        for method, (_, wrongs) in METHODS[name].items():
            parameters = set(inspect.signature(getattr(part, method)).parameters)
            assert parameters == set(wrongs), (
                f"{method}: nothing wrong is tried with {parameters - set(wrongs)}"
            )


def test_no_driver_with_methods_is_forgotten() -> None:
    kinds = {}
    for name in MODELS:
        with opened(name) as (part, _):
            kinds[name] = type(part)
    for owner in classes():
        tried = {method for name in MODELS if issubclass(kinds[name], owner) for method in METHODS[name]}
        tried |= ELSEWHERE.get(owner.__name__, ("", set()))[1]
        assert with_arguments(owner) - UNCHECKED - tried == set(), owner


@pytest.mark.parametrize(
    ("name", "method"), daily([(name, method) for name in METHODS for method in METHODS[name]], 10)
)
def test_a_method_refuses_wrong_arguments_before_anything_is_sent(name: str, method: str) -> None:
    right, wrongs = METHODS[name][method]
    with opened(name) as (part, sent):

        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            argument = data.draw(st.sampled_from(sorted(wrongs)), "argument")
            wrong = data.draw(wrongs[argument], "value")
            with pytest.raises(MhoError):
                getattr(part, method)(**{**right, argument: wrong})
            assert sent == []

        check()
