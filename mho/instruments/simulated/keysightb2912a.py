"""The simulated Keysight B2912A: two source-measure channels on one trigger system.

B2900 Series SCPI Command Reference, B2910-90030, edition 2: data output format pp. 1-12 to 1-16, interleaving and padding
p. 4-81. (?) from memory: the accuracies, the limits of pulses, the voltage limit after a reset, that a change of the
function switches the output off, that a small measurement range lowers the compliance, that a fixed range counts with its
end for the power, that a staircase of one point stays at its start, that a list ends at the immediate level, that elements
come in a fixed order, and how long a point takes beside its delays and its aperture. Volts are always measured on an
automatic range. Not simulated: sweeps of a current.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.analogue import staircase
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import (
    FunctionSetting,
    IndexedSetting,
    ScpiDevice,
    ScpiError,
    ScpiPart,
    Setting,
    command,
    query,
)
from mho.instruments.simulated.scpi.parameters import Boolean, ChannelList, Choice, Numeric, block_text
from mho.instruments.simulated.scpi.status import ERROR_TEXTS, QueuedError
from mho.instruments.simulated.source_meters import LIMITED as LIMITS
from mho.instruments.simulated.source_meters import (
    LIST_SIZE,
    SENSED,
    SOURCED,
    MeterPart,
    SourcePart,
    list_commands,
)

NOT_A_NUMBER, INFINITY = 9.91e37, 9.9e37
LIMITED, OVERFLOW = 2, 8192  # bits of the status element (table 1-2, p. 1-14)
CHANNELS = ChannelList((1,), required=False)
BUFFER_SIZE = 100_000  # readings a channel keeps
ELEMENTS = {
    "VOLT": "VOLTage", "CURR": "CURRent", "RES": "RESistance", "TIME": "TIME", "STAT": "STATus", "SOUR": "SOURce",
}  # fmt: skip
_ORDER = tuple(ELEMENTS)
SETTLING = 2e-4  # s from a new level to the earliest measurement
OVERHEAD = 1e-4  # s a point takes beside
SOURCES, SENSE = "[:SOURce[1|2]]", ":SENSe[1|2]"
VOLTS, AMPERES = Numeric(0.0, -210.0, 210.0, unit="V"), Numeric(0.0, -3.03, 3.03, unit="A")
LISTED = {"VOLT": Numeric(0.0, -210.0, 210.0, unit="V", repeated=True)}
# range: (gain error, offset error in V or A)
SOURCE = {0.2: (1.5e-4, 2.25e-4), 2.0: (2e-4, 3.5e-4), 20.0: (1.5e-4, 5e-3), 200.0: (1.5e-4, 5e-2)}
MEASURE = {
    1e-8: (6e-4, 5e-11), 1e-7: (6e-4, 1e-10), 1e-6: (2.5e-4, 5e-10), 1e-5: (2.5e-4, 1.5e-9),
    1e-4: (2e-4, 2.5e-8), 1e-3: (2e-4, 2e-7), 1e-2: (2e-4, 2.5e-6), 1e-1: (2e-4, 2e-5),
    1.0: (3e-4, 1.5e-3), 1.5: (5e-4, 3.5e-3), 3.0: (4e-3, 7e-3),
}  # fmt: skip
_TEXTS = {**ERROR_TEXTS, -230: "Data corrupt or stale"}


class MeasuredPoint(NamedTuple):
    """One measurement: volts and amperes (NaN where not measured), time (s), status bits, programmed volts."""

    volts: float
    amperes: float
    time: float
    status: int
    source: float


_COLUMNS = {"VOLT": 0, "CURR": 1, "TIME": 2, "STAT": 3, "SOUR": 4}  # index of an element in a MeasuredPoint
_WIDTH = len(MeasuredPoint._fields)


def _elements(run: Floats, names: Sequence[str]) -> Floats:
    """Return elements of points (points, fields of a `MeasuredPoint`), as (points, elements)."""
    if "RES" not in names:
        return run[:, [_COLUMNS[name] for name in names]]
    with np.errstate(divide="ignore", invalid="ignore"):
        ohms = run[:, 0] / run[:, 1]
    return np.column_stack([ohms if name == "RES" else run[:, _COLUMNS[name]] for name in names])


class Unwired:
    """Terminals that lead nowhere."""

    def drive(self, volts: float, *, connected: bool) -> None:
        """Nothing is there."""

    def current(self, volts: float, aperture: float) -> float:
        """Nothing flows."""
        return 0.0


class Source(SourcePart):
    """One channel's source: fixed, or listed or swept volts, as DC or as pulses."""

    channels = (1, 2)
    RANGES = {"VOLT": SOURCE, "CURR": MEASURE}
    ENVELOPE = ((6.0, 3.03), (21.0, 1.515), (210.0, 0.105))  # of DC
    INTERLOCK_VOLTAGE = 42.0
    LISTED_AT_ONCE = LIST_SIZE
    EMPTY_LIST = (0.0,)

    function = Setting(f"{SOURCES}:FUNCtion:MODE", Choice("VOLT", ("VOLTage", "CURRent")))
    shape = Setting(f"{SOURCES}:FUNCtion[:SHAPe]", Choice("DC", ("DC", "PULSe")))
    levels = FunctionSetting(
        f"{SOURCES}:<function>[:LEVel][:IMMediate][:AMPLitude]", SOURCED, {"VOLT": VOLTS, "CURR": AMPERES}
    )
    auto = FunctionSetting(f"{SOURCES}:<function>:RANGe:AUTO", SOURCED, Boolean(True))
    ranges = FunctionSetting(
        f"{SOURCES}:<function>:RANGe", SOURCED,
        {"VOLT": Numeric(0.2, -210.0, 210.0, unit="V"), "CURR": Numeric(1e-8, -3.03, 3.03, unit="A")},
    )  # fmt: skip
    limits = FunctionSetting(
        f"{SENSE}:<function>:PROTection[:LEVel][:BOTH]", LIMITS,
        {"CURR": Numeric(1e-4, 1e-9, 3.03, unit="A"), "VOLT": Numeric(2.0, 1e-3, 210.0, unit="V")},
    )  # fmt: skip
    mode = Setting(f"{SOURCES}:VOLTage:MODE", Choice("FIX", ("FIXed", "SWEep", "LIST")))
    pulse_delay = Setting(f"{SOURCES}:PULSe:DELay", Numeric(0.0, 0.0, 9.99e4, unit="S"))
    pulse_width = Setting(f"{SOURCES}:PULSe:WIDTh", Numeric(5e-5, 5e-5, 1e5, unit="S"))
    start = Setting(f"{SOURCES}:VOLTage:STARt", VOLTS)
    stop = Setting(f"{SOURCES}:VOLTage:STOP", VOLTS)
    points = Setting(f"{SOURCES}:SWEep:POINts", Numeric(1, 1, LIST_SIZE, integer=True))
    spacing = Setting(f"{SOURCES}:SWEep:SPACing", Choice("LIN", ("LINear", "LOGarithmic")))
    direction = Setting(f"{SOURCES}:SWEep:DIRection", Choice("UP", ("UP", "DOWN")))
    stairs = Setting(f"{SOURCES}:SWEep:STAir", Choice("SING", ("SINGle", "DOUBle")))
    output_on = Setting(":OUTPut[1|2][:STATe]", Boolean(False))
    auto_on = Setting(":OUTPut[1|2]:ON:AUTO", Boolean(True))
    off_mode = Setting(":OUTPut[1|2]:OFF:MODE", Choice("NORM", ("ZERO", "HIZ", "NORMal")))
    protection = Setting(":OUTPut[1|2]:PROTection[:STATe]", Boolean(False))

    commands = {
        f"{SENSE}:<function>:PROTection:TRIPped?": (LIMITS, lambda self, quantity: self.is_tripped(quantity)),
        # The points, and a step that says the same as they.
        f"{SOURCES}:VOLTage:POINts": (
            Numeric(1, 1, LIST_SIZE, integer=True), lambda self, points: setattr(self, "points", points),
        ),
        f"{SOURCES}:VOLTage:POINts?": lambda self: f"{self.points:.0f}",
        f"{SOURCES}:VOLTage:STEP?": lambda self: self.device.real(
            (self.stop - self.start) / max(1.0, self.points - 1.0)
        ),
        **list_commands(SOURCES, {"VOLT": "VOLTage"}, LISTED),
    }  # fmt: skip

    @property
    def grounded(self) -> bool:
        """Whether the terminals are at 0 V when the output is off, and not open."""
        return self.off_mode != "HIZ"

    @off_mode.on_change
    def _off_mode_changed(self, mode: str) -> None:
        self.apply()

    @command(f"{SOURCES}:VOLTage:STEP", VOLTS)
    def _set_step(self, volts: float) -> None:
        span = self.stop - self.start
        points = round(abs(span / volts)) + 1 if volts else 1
        if span * volts < 0.0:
            raise ScpiError(-221, "the step leads away from the stop level")
        if points > LIST_SIZE:
            raise ScpiError(-222)
        self.points = points

    def swept(self) -> list[float]:
        """Return the levels (V) that triggers step through; none where the level is fixed. -22x for what may not be."""
        if self.function != "VOLT" or self.mode == "FIX":
            return []
        levels = self.lists["VOLT"]
        if self.mode == "SWE":
            levels = staircase(self.start, self.stop, self.points, logarithmic=self.spacing == "LOG")
            if self.direction == "DOWN":
                levels.reverse()
            if self.stairs == "DOUB":
                levels = levels + levels[::-1]
        for extreme in (max(levels), min(levels)):
            self.check_level("VOLT", extreme)
        return levels


class Meter(MeterPart):
    """One channel's meters: amperes on ranges, and volts on an automatic one."""

    channels = (1, 2)
    RANGES = {"VOLT": SOURCE, "CURR": MEASURE}
    ON_RANGE_OF_SOURCE = False
    source: Source

    _CURRENT = {"CURR": "CURRent[:DC]"}
    auto = FunctionSetting(f"{SENSE}:<function>:RANGe:AUTO", _CURRENT, Boolean(True))
    ranges = FunctionSetting(
        f"{SENSE}:<function>:RANGe[:UPPer]", _CURRENT, Numeric(1e-4, 1e-8, 3.03, unit="A")
    )
    nplcs = FunctionSetting(f"{SENSE}:<function>:NPLCycles", _CURRENT, Numeric(1.0, 4e-4, 100.0))
    remote_sense = Setting(f"{SENSE}:REMote", Boolean(False))

    commands = {
        f"{SENSE}:CURRent[:DC]:APERture": (
            Numeric(0.02, 8e-6, 2.0, unit="S"),
            lambda self, seconds: self.nplcs.update({"CURR": seconds * self.device.line_frequency}),
        ),
        f"{SENSE}:CURRent[:DC]:APERture?": lambda self: self.device.real(self.aperture),
        f"{SENSE}:FUNCtion[:ON]?": lambda self: ",".join(f'"{each}"' for each in self.functions),
    }

    def reset(self) -> None:
        """Volts and amperes are measured."""
        super().reset()
        self.functions: tuple[str, ...] = ("VOLT", "CURR")

    @command(f"{SENSE}:FUNCtion[:ON]", Choice("CURR:DC", tuple(SENSED.values()), quoted=True, repeated=True))
    def _set_functions(self, functions: list[str]) -> None:
        names = {name.removesuffix(":DC") for name in functions}
        self.functions = tuple(name for name in SENSED if name in names)

    def measure(self, programmed: float) -> MeasuredPoint:
        """Integrate over the aperture and report; the caller advances the clock."""
        source, nplc, functions = self.source, self.nplcs["CURR"], self.functions
        flow = source.flow(self.aperture)
        amperes, volts = self.read("CURR", flow.amperes, nplc), self.read("VOLT", flow.volts, nplc)
        status = (LIMITED if flow.limited else 0) | (OVERFLOW if abs(amperes) >= INFINITY else 0)
        if flow.limited and source.protection:
            source.turn(False)
        return MeasuredPoint(
            volts if "VOLT" in functions else math.nan, amperes if "CURR" in functions else math.nan,
            self.device.clock.now, status, programmed,
        )  # fmt: skip


class TriggerSystem(ScpiPart):
    """Runs the points of the channels that are armed, at the same time: ``:TRIGger``, ``:INITiate``, ``:ABORt``."""

    count = IndexedSetting(":TRIGger[1|2][:ALL]:COUNt", Numeric(1, 1, 1e5, integer=True))
    trigger_source = IndexedSetting(
        ":TRIGger[1|2][:ALL]:SOURce[:SIGNal]", Choice("AINT", ("AINTernal", "BUS", "TIMer"))
    )
    timer = IndexedSetting(":TRIGger[1|2][:ALL]:TIMer", Numeric(1e-5, 1e-5, 1e5, unit="S"))
    source_delay = IndexedSetting(":TRIGger[1|2]:TRANsient:DELay", Numeric(0.0, 0.0, 1e5, unit="S"))
    acquire_delay = IndexedSetting(":TRIGger[1|2]:ACQuire:DELay", Numeric(0.0, 0.0, 1e5, unit="S"))

    device: SimulatedKeysightB2912A

    def reset(self) -> None:
        """Idle."""
        self.armed: tuple[int, ...] = ()
        self._position = 0
        self._levels: dict[int, list[float]] = {}  # of each armed channel

    @command(":INITiate[:IMMediate][:ALL]", CHANNELS)
    def initiate(self, channels: tuple[int, ...]) -> None:
        """Arm channels; those that need not wait for the bus run at once."""
        channels = check_channels(channels)
        if self.armed:
            raise ScpiError(-213)
        self._levels = {channel: self.device.sources[channel].swept() for channel in channels}
        for channel in channels:
            del self.device.readings.data[channel][:]
            source = self.device.sources[channel]
            if source.auto_on:
                source.turn(True)
        self.armed, self._position = channels, 0
        if all(self.trigger_source[channel] != "BUS" for channel in channels):
            while self.armed:
                self.step()

    def step(self) -> None:
        """Run one point on every armed channel at the same time; those which are done go idle. -211 when none is armed."""
        position, sources, meters = self._position, self.device.sources, self.device.meters
        running = [channel for channel in self.armed if position < self.count[channel]]
        if not running:  # nothing is armed, or the counts were lowered while it waited for triggers
            self.armed = ()
            raise ScpiError(-211)
        clock = self.device.clock
        clock.advance(max(self.source_delay[channel] for channel in running))
        start = clock.now
        levels = {channel: self._listed(channel, position) for channel in running}
        for channel in running:
            if sources[channel].shape == "PULS":
                clock.advance(sources[channel].pulse_delay)
            sources[channel].apply(levels[channel])
        clock.advance(
            max(max(self.acquire_delay[c], SETTLING if sources[c].shape == "DC" else 0.0) + meters[c].aperture
                for c in running)
        )  # fmt: skip
        for channel in running:
            source = sources[channel]
            self.device.readings.keep(channel, meters[channel].measure(levels[channel]))
            if source.shape == "PULS":
                self._pass_until(start + source.pulse_delay + source.pulse_width)
                source.apply()
            if self.trigger_source[channel] == "TIM":
                self._pass_until(start + self.timer[channel])
        clock.advance(OVERHEAD)
        self._position += 1
        if all(self._position >= self.count[channel] for channel in self.armed):
            self._rest()

    def _listed(self, channel: int, position: int) -> float:
        levels = self._levels[channel]
        return levels[position % len(levels)] if levels else self.device.sources[channel].programmed

    def _pass_until(self, moment: float) -> None:
        self.device.clock.advance(max(0.0, moment - self.device.clock.now))

    def _rest(self) -> None:
        """Go idle; the outputs return to their immediate levels."""
        for channel in self.armed:
            self.device.sources[channel].apply()
        self.armed = ()

    @command(":ABORt[:ALL]", CHANNELS)
    def _abort(self, channels: tuple[int, ...]) -> None:
        if set(check_channels(channels)) & set(self.armed):
            self._rest()


def check_channels(channels: tuple[int, ...]) -> tuple[int, ...]:
    """Return the channels of a list; channel 1 comes first, however they are asked for."""
    if not channels or not {1, 2}.issuperset(channels):
        raise ScpiError(-222, "channel list")
    return tuple(sorted(set(channels)))


def _point_queries() -> dict[str, Any]:
    """Return the queries of points: of one element or of those in use, of all points or of the latest."""
    rows: dict[str, Any] = {}
    for verb, method in ((":FETCh", "_fetch"), (":READ", "_read")):
        for node, first in ((":ARRay", 0), ("[:SCALar]", -1)):

            def answer(readings: Any, *given: Any, method: str = method, first: int = first) -> Any:
                *elements, channels = given
                return getattr(readings, method)(channels, elements, first)

            rows[f"{verb}{node}?"] = (CHANNELS, answer)
            rows[f"{verb}{node}:<function>?"] = (ELEMENTS, CHANNELS, answer)
    return rows


class Readings(ScpiPart):
    """The points that were measured, and how they are replied: ``:FORMat``, ``:FETCh?``, ``:READ?``, ``:MEASure?``."""

    byte_order = Setting(":FORMat:BORDer", Choice("NORM", ("NORMal", "SWAPped")))
    commands = {
        ":FORMat[:DATA]?": lambda self: self._format,
        ":FORMat:ELEMents:SENSe?": lambda self: ",".join(self._elements),
        ":TRACe[1|2]:POINts:ACTual?": lambda self, channel: str(len(self.data[channel]) // _WIDTH),
        **_point_queries(),
    }
    device: SimulatedKeysightB2912A

    def reset(self) -> None:
        """No points; all elements, as text."""
        # Points end to end: an array of doubles is numpy's without a copy, however many there are.
        self.data = {1: array("d"), 2: array("d")}
        self._format = "ASC"
        self._elements: tuple[str, ...] = _ORDER

    def keep(self, channel: int, point: MeasuredPoint) -> None:
        """Store a point of a channel, unless there is no more room."""
        if len(self.data[channel]) < BUFFER_SIZE * _WIDTH:
            self.data[channel].extend(point)

    @command(
        ":FORMat[:DATA]", Choice("ASC", ("ASCii", "REAL")), Numeric(64, 32, 64, integer=True, required=False)
    )
    def _set_format(self, kind: str, bits: float) -> None:
        if bits not in (32, 64):
            raise ScpiError(-224)
        self._format = kind if kind == "ASC" else f"REAL,{bits:.0f}"

    @command(":FORMat:ELEMents:SENSe", Choice("VOLT", tuple(ELEMENTS.values()), repeated=True))
    def _set_elements(self, elements: list[str]) -> None:
        self._elements = tuple(name for name in _ORDER if name in elements)

    def _reply(self, runs: list[Floats], elements: Sequence[str] = ()) -> str:
        """Interleave the channels point by point; the shorter one is padded. Without `elements`, those in use."""
        names = elements or self._elements
        table = np.full((max(map(len, runs)), len(runs), len(names)), np.nan)
        for index, run in enumerate(runs):
            table[: len(run), index] = _elements(run, names)
        numbers = table.ravel()
        if self._format != "ASC":
            order = "<" if self.byte_order == "SWAP" else ">"
            return block_text(numbers.astype(f"{order}f{int(self._format[5:]) // 8}").tobytes())
        return ",".join(map(self._text, numbers.tolist()))

    def _text(self, value: float) -> str:
        if math.isnan(value):
            value = NOT_A_NUMBER
        elif math.isinf(value):
            value = math.copysign(INFINITY, value)
        return self.device.real(value)

    def _fetch(self, channels: tuple[int, ...], elements: Sequence[str], first: int) -> str:
        return self._reply([self._measured(each)[first:] for each in check_channels(channels)], elements)

    def _read(self, channels: tuple[int, ...], elements: Sequence[str], first: int) -> str | None:
        trigger_system = self.device.trigger_system
        trigger_system.initiate(channels)
        return None if trigger_system.armed else self._fetch(channels, elements, first)

    def _measured(self, channel: int) -> Floats:
        """Points of a channel, (points, fields of a `MeasuredPoint`); -230 when there are none."""
        if not self.data[channel]:
            raise ScpiError(-230)
        return np.array(self.data[channel]).reshape(-1, _WIDTH)

    @query(":MEASure", CHANNELS)
    def _measure_now(self, channels: tuple[int, ...], elements: Sequence[str] = ()) -> str:
        """Measure once at the present level, whatever the trigger system is set to."""
        device, channels = self.device, check_channels(channels)
        device.clock.advance(SETTLING + max(device.meters[channel].aperture for channel in channels))
        runs = [
            np.array([device.meters[channel].measure(device.sources[channel].programmed)])
            for channel in channels
        ]
        device.clock.advance(OVERHEAD)
        return self._reply(runs, elements)

    @query(":MEASure:<function>", CHANNELS, functions=SENSED)
    def _measure_one(self, function: str, channels: tuple[int, ...]) -> str:
        """Measure one quantity, whatever the functions and elements in use (p. 4-28)."""
        meters = [self.device.meters[channel] for channel in check_channels(channels)]
        before = [meter.functions for meter in meters]
        for meter in meters:
            meter.functions = tuple(SENSED)
        try:
            return self._measure_now(channels, (function,))
        finally:
            for meter, functions in zip(meters, before, strict=True):
                meter.functions = functions


class SimulatedKeysightB2912A(ScpiDevice):
    """A B2912A on a bench; constructed as `SimulatedKeithley2450`, but that `outputs` are of channels 1 and 2."""

    identity = "Keysight Technologies,B2912A,{serial},3.4.2011.5100"
    real_format = "%+.6E"
    line_frequency = 50.0
    parts = (Source, Meter, TriggerSystem, Readings)
    commands = {":SYSTem:LFRequency?": lambda self: f"{self.line_frequency:.0f}"}

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, outputs: Mapping[int, SourcePort], *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6, interlock: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.outputs, self.interlock = outputs, interlock
        ports = {channel: outputs.get(channel, Unwired()) for channel in (1, 2)}
        self.sources = {channel: Source(self, rng, port, accuracy) for channel, port in ports.items()}
        self.meters = {
            channel: Meter(self, source, rng, accuracy, noise) for channel, source in self.sources.items()
        }
        self.trigger_system = TriggerSystem(self)
        self.readings = Readings(self)
        self._reset()

    @property
    def output_on(self) -> dict[int, bool]:
        """Whether the output is on, by channel."""
        return {channel: source.output_on for channel, source in self.sources.items()}

    @property
    def limit(self) -> dict[int, float]:
        """The largest current that can flow, A, by channel."""
        return {channel: source.limit for channel, source in self.sources.items()}

    def on_trigger(self) -> None:
        """Run the next point of the channels that wait for the bus."""
        self.trigger_system.step()

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with SCPI's -230."""
        return _TEXTS

    def format_error(self, error: QueuedError) -> str:
        """Write ``+0,"No error"``."""
        return f'{error.code:+d},"{error.text}"'
