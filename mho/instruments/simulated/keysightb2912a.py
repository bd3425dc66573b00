"""The simulated Keysight B2912A: two source-measure channels on one trigger system.

B2900 Series SCPI Command Reference, B2910-90030, edition 2: data output format pp. 1-12 to 1-16, interleaving and padding
p. 4-81. (?) from memory: the accuracies, the limits of pulses, the voltage limit after a reset, that a change of the
function switches the output off, that a small measurement range lowers the compliance, that a staircase of one point stays
at its start, that a list ends at the immediate level, that elements come in a fixed order, and how long a point takes
beside its delays and its aperture. Volts are always measured on an automatic range. Not simulated: sweeps of a current.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.analogue import (
    OFF,
    Regulated,
    SpecimenConverter,
    carry,
    largest_current,
    regulate,
    staircase,
)
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import (
    IndexedSetting,
    ScpiDevice,
    ScpiError,
    Setting,
    command,
    query,
)
from mho.instruments.simulated.scpi.parameters import Boolean, ChannelList, Choice, Numeric, block_text
from mho.instruments.simulated.scpi.status import ERROR_TEXTS, QueuedError

NOT_A_NUMBER, INFINITY = 9.91e37, 9.9e37
LIMITED, OVERFLOW = 2, 8192  # bits of the status element (table 1-2, p. 1-14)
CHANNELS = ChannelList((1,), required=False)
BUFFER_SIZE = 100_000  # readings a channel keeps
ELEMENTS = {
    "VOLT": "VOLTage", "CURR": "CURRent", "RES": "RESistance", "TIME": "TIME", "STAT": "STATus", "SOUR": "SOURce",
}  # fmt: skip
_ORDER = tuple(ELEMENTS)


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


INTERLOCK_VOLTAGE = 42.0
LEVEL = Numeric(0.0, -210.0, 210.0, unit="V")
AMPERES = Numeric(0.0, -3.03, 3.03, unit="A")
CURRENT_SETTLING = 1e-4  # s in which a current source finds its voltage
SOURCES, SENSE = "[:SOURce[1|2]]", ":SENSe[1|2]"


# range: (gain error, offset error in V or A)
SOURCE = {0.2: (1.5e-4, 2.25e-4), 2.0: (2e-4, 3.5e-4), 20.0: (1.5e-4, 5e-3), 200.0: (1.5e-4, 5e-2)}
MEASURE = {
    1e-8: (6e-4, 5e-11), 1e-7: (6e-4, 1e-10), 1e-6: (2.5e-4, 5e-10), 1e-5: (2.5e-4, 1.5e-9),
    1e-4: (2e-4, 2.5e-8), 1e-3: (2e-4, 2e-7), 1e-2: (2e-4, 2.5e-6), 1e-1: (2e-4, 2e-5),
    1.0: (3e-4, 1.5e-3), 1.5: (5e-4, 3.5e-3), 3.0: (4e-3, 7e-3),
}  # fmt: skip


# largest DC current (A) up to a magnitude of the level (V)
DC_LIMITS = ((6.0, 3.03), (21.0, 1.515), (210.0, 0.105))


LIST_SIZE = 2500
LEVELS = Numeric(0.0, -210.0, 210.0, unit="V", repeated=True)


_TEXTS = {**ERROR_TEXTS, -230: "Data corrupt or stale"}


MEASURED = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
SETTLING = 2e-4  # s from a new level to the earliest measurement
OVERHEAD = 1e-4  # s a point takes beside


def _point_queries() -> dict[str, Any]:
    """Return the queries of points: of one element or of those in use, of all points or of the latest."""
    rows: dict[str, Any] = {}
    for verb, method in ((":FETCh", "_fetch"), (":READ", "_read")):
        for node, first in ((":ARRay", 0), ("[:SCALar]", -1)):

            def answer(device: Any, *given: Any, method: str = method, first: int = first) -> Any:
                *elements, channels = given
                return getattr(device, method)(channels, elements, first)

            rows[f"{verb}{node}?"] = (CHANNELS, answer)
            rows[f"{verb}{node}:<function>?"] = (ELEMENTS, CHANNELS, answer)
    return rows


class SimulatedKeysightB2912A(ScpiDevice):
    """A B2912A on a bench; constructed as `SimulatedKeithley2450`, but that `outputs` are of channels 1 and 2."""

    identity = "Keysight Technologies,B2912A,{serial},3.4.2011.5100"

    count = IndexedSetting(":TRIGger[1|2][:ALL]:COUNt", Numeric(1, 1, 1e5, integer=True))
    trigger_source = IndexedSetting(
        ":TRIGger[1|2][:ALL]:SOURce[:SIGNal]", Choice("AINT", ("AINTernal", "BUS", "TIMer"))
    )
    timer = IndexedSetting(":TRIGger[1|2][:ALL]:TIMer", Numeric(1e-5, 1e-5, 1e5, unit="S"))
    source_delay = IndexedSetting(":TRIGger[1|2]:TRANsient:DELay", Numeric(0.0, 0.0, 1e5, unit="S"))
    acquire_delay = IndexedSetting(":TRIGger[1|2]:ACQuire:DELay", Numeric(0.0, 0.0, 1e5, unit="S"))

    real_format = "%+.6E"
    line_frequency = 50.0

    function = IndexedSetting(f"{SOURCES}:FUNCtion:MODE", Choice("VOLT", ("VOLTage", "CURRent")))
    shape = IndexedSetting(f"{SOURCES}:FUNCtion[:SHAPe]", Choice("DC", ("DC", "PULSe")))
    level = IndexedSetting(f"{SOURCES}:VOLTage[:LEVel][:IMMediate][:AMPLitude]", LEVEL)
    mode = IndexedSetting(f"{SOURCES}:VOLTage:MODE", Choice("FIX", ("FIXed", "SWEep", "LIST")))
    range_auto = IndexedSetting(f"{SOURCES}:VOLTage:RANGe:AUTO", Boolean(True))
    pulse_delay = IndexedSetting(f"{SOURCES}:PULSe:DELay", Numeric(0.0, 0.0, 9.99e4, unit="S"))
    pulse_width = IndexedSetting(f"{SOURCES}:PULSe:WIDTh", Numeric(5e-5, 5e-5, 1e5, unit="S"))
    amperes = IndexedSetting(f"{SOURCES}:CURRent[:LEVel][:IMMediate][:AMPLitude]", AMPERES)
    current_auto = IndexedSetting(f"{SOURCES}:CURRent:RANGe:AUTO", Boolean(True))
    current_limit = IndexedSetting(
        f"{SENSE}:CURRent[:DC]:PROTection[:LEVel][:BOTH]", Numeric(1e-4, 1e-9, 3.03, unit="A")
    )
    voltage_limit = IndexedSetting(
        f"{SENSE}:VOLTage[:DC]:PROTection[:LEVel][:BOTH]", Numeric(2.0, 1e-3, 210.0, unit="V")
    )
    measure_auto = IndexedSetting(f"{SENSE}:CURRent[:DC]:RANGe:AUTO", Boolean(True))
    nplc = IndexedSetting(f"{SENSE}:CURRent[:DC]:NPLCycles", Numeric(1.0, 4e-4, 100.0))
    remote_sense = IndexedSetting(f"{SENSE}:REMote", Boolean(False))
    output_on = IndexedSetting(":OUTPut[1|2][:STATe]", Boolean(False))
    auto_on = IndexedSetting(":OUTPut[1|2]:ON:AUTO", Boolean(True))
    off_mode = IndexedSetting(":OUTPut[1|2]:OFF:MODE", Choice("NORM", ("ZERO", "HIZ", "NORMal")))
    protection = IndexedSetting(":OUTPut[1|2]:PROTection[:STATe]", Boolean(False))

    start = IndexedSetting(f"{SOURCES}:VOLTage:STARt", LEVEL)
    stop = IndexedSetting(f"{SOURCES}:VOLTage:STOP", LEVEL)
    points = IndexedSetting(f"{SOURCES}:SWEep:POINts", Numeric(1, 1, LIST_SIZE, integer=True))
    spacing = IndexedSetting(f"{SOURCES}:SWEep:SPACing", Choice("LIN", ("LINear", "LOGarithmic")))
    direction = IndexedSetting(f"{SOURCES}:SWEep:DIRection", Choice("UP", ("UP", "DOWN")))
    stairs = IndexedSetting(f"{SOURCES}:SWEep:STAir", Choice("SING", ("SINGle", "DOUBle")))

    byte_order = Setting(":FORMat:BORDer", Choice("NORM", ("NORMal", "SWAPped")))

    commands = {
        ":FORMat[:DATA]?": lambda self: self._format,
        ":FORMat:ELEMents:SENSe?": lambda self: ",".join(self._elements),
        ":TRACe[1|2]:POINts:ACTual?": lambda self, channel: str(len(self._data[channel]) // _WIDTH),
        f"{SENSE}:CURRent[:DC]:APERture": (
            Numeric(0.02, 8e-6, 2.0, unit="S"),
            lambda self, channel, seconds: self.nplc.update({channel: seconds * self.line_frequency}),
        ),
        f"{SENSE}:CURRent[:DC]:APERture?": lambda self, channel: self.real(self._aperture(channel)),
        f"{SENSE}:CURRent[:DC]:PROTection:TRIPped?": lambda self, channel: self._is_tripped(channel, "VOLT"),
        f"{SENSE}:VOLTage[:DC]:PROTection:TRIPped?": lambda self, channel: self._is_tripped(channel, "CURR"),
        f"{SOURCES}:CURRent:RANGe?": lambda self, channel: self.real(self._current_range[channel]),
        f"{SOURCES}:VOLTage:RANGe?": lambda self, channel: self.real(self._source_range[channel]),
        f"{SENSE}:CURRent[:DC]:RANGe[:UPPer]?": lambda self, channel: self.real(self._measure_range[channel]),
        f"{SENSE}:FUNCtion[:ON]?": lambda self, channel: ",".join(f'"{each}"' for each in self._functions[channel]),
        # The points, and a step that says the same as they.
        f"{SOURCES}:VOLTage:POINts": (
            Numeric(1, 1, LIST_SIZE, integer=True),
            lambda self, channel, points: self.points.update({channel: points}),
        ),
        f"{SOURCES}:VOLTage:POINts?": lambda self, channel: f"{self.points[channel]:.0f}",
        f"{SOURCES}:VOLTage:STEP?": lambda self, channel: self.real(
            (self.stop[channel] - self.start[channel]) / max(1.0, self.points[channel] - 1.0)
        ),
        f"{SOURCES}:LIST:VOLTage": (LEVELS, lambda self, channel, levels: self._store_list(channel, levels)),
        f"{SOURCES}:LIST:VOLTage:APPend": (
            LEVELS, lambda self, channel, levels: self._store_list(channel, self._lists[channel] + levels),
        ),
        f"{SOURCES}:LIST:VOLTage?": lambda self, channel: ",".join(map(self.real, self._lists[channel])),
        f"{SOURCES}:LIST:VOLTage:POINts?": lambda self, channel: str(len(self._lists[channel])),
        ":SYSTem:LFRequency?": lambda self: f"{self.line_frequency:.0f}",
        **_point_queries(),
    }  # fmt: skip

    def reset(self) -> None:
        """Power-on state: 0 V, outputs off, automatic ranges, no data, idle; the lists hold 0 V."""
        self._armed: tuple[int, ...] = ()
        self._position = 0
        self._levels: dict[int, list[float]] = {}  # levels of each armed channel
        # Points end to end: an array of doubles is numpy's without a copy, however many there are.
        self._data = {1: array("d"), 2: array("d")}
        self._format = "ASC"
        self._elements: tuple[str, ...] = _ORDER
        self._source_range = dict.fromkeys((1, 2), min(SOURCE))
        self._current_range = dict.fromkeys((1, 2), min(MEASURE))
        self._actual = dict.fromkeys((1, 2), 0.0)  # at the terminals, V
        self._driven = dict.fromkeys((1, 2), 0.0)  # output of a current source, A
        self._measure_range = dict.fromkeys((1, 2), 1e-4)
        self._functions: dict[int, tuple[str, ...]] = dict.fromkeys((1, 2), ("VOLT", "CURR"))
        self._lists = {1: [0.0], 2: [0.0]}
        for channel in (1, 2):
            self._apply(channel)

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, outputs: Mapping[int, SourcePort], *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6, interlock: bool = True,
    ) -> None:  # fmt: skip
        self.outputs, self.interlock = outputs, interlock
        self._sources = {channel: SpecimenConverter(rng, SOURCE, accuracy) for channel in (1, 2)}
        self._current_sources = {channel: SpecimenConverter(rng, MEASURE, accuracy) for channel in (1, 2)}
        self._meters = {channel: SpecimenConverter(rng, MEASURE, accuracy, noise=noise) for channel in (1, 2)}
        self._voltmeters = {channel: SpecimenConverter(rng, SOURCE, accuracy) for channel in (1, 2)}
        super().__init__(clock, rng, serial=serial)
        self.reset()

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

    def _check_channels(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        if not channels or not {1, 2}.issuperset(channels):
            raise ScpiError(-222, "channel list")
        return tuple(sorted(set(channels)))  # channel 1 comes first, however they are asked for

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
        return self.real(value)

    def _fetch(self, channels: tuple[int, ...], elements: Sequence[str], first: int) -> str:
        return self._reply(
            [self._measured(each)[first:] for each in self._check_channels(channels)], elements
        )

    def _read(self, channels: tuple[int, ...], elements: Sequence[str], first: int) -> str | None:
        self._initiate(channels)
        return None if self._armed else self._fetch(channels, elements, first)

    def _measured(self, channel: int) -> Floats:
        """Points of a channel, (points, fields of a `MeasuredPoint`); -230 when there are none."""
        if not self._data[channel]:
            raise ScpiError(-230)
        return np.array(self._data[channel]).reshape(-1, _WIDTH)

    # --- the sources ---

    @function.on_change
    def _function_changed(self, channel: int, function: str) -> None:
        self.output_on[channel] = False
        self._apply(channel)

    @level.check
    def check_level(self, channel: int, volts: float) -> None:
        """Refuse a level that range, interlock or compliance do not allow."""
        source = self._sources[channel]
        if not self.range_auto[channel] and not source.holds(volts, self._source_range[channel]):
            raise ScpiError(-222)
        if abs(volts) > INTERLOCK_VOLTAGE and not self.interlock:
            raise ScpiError(-221, "interlock")
        if self.current_limit[channel] > largest_current(volts, DC_LIMITS) * (1 + 1e-9):
            raise ScpiError(-221, "compliance beyond what this level allows")

    @amperes.check
    def _check_amperes(self, channel: int, amperes: float) -> None:
        source = self._current_sources[channel]
        if not self.current_auto[channel] and not source.holds(amperes, self._current_range[channel]):
            raise ScpiError(-222)
        if abs(amperes) > largest_current(self.voltage_limit[channel], DC_LIMITS) * (1 + 1e-9):
            raise ScpiError(-221, "current beyond what the voltage limit allows")

    @voltage_limit.check
    def _check_voltage_limit(self, channel: int, volts: float) -> None:
        if volts > INTERLOCK_VOLTAGE and not self.interlock:
            raise ScpiError(-221, "interlock")
        if abs(self.amperes[channel]) > largest_current(volts, DC_LIMITS) * (1 + 1e-9):
            raise ScpiError(-221, "voltage limit beyond what the current allows")

    @level.on_change
    @amperes.on_change
    @current_auto.on_change
    @output_on.on_change
    @off_mode.on_change
    @range_auto.on_change
    def _changed(self, channel: int, value: object) -> None:
        self._apply(channel)

    @property
    def limit(self) -> dict[int, float]:
        """The largest current that can flow, A, by channel."""
        return {
            channel: limit if self.function[channel] == "VOLT" else abs(self._driven[channel])
            for channel, limit in self.current_limit.items()
        }

    def _apply(self, channel: int, volts: float | None = None) -> None:
        """Set the terminals to the state of the settings, or to a level of a list (V)."""
        port, on = self.outputs.get(channel), self.output_on[channel]
        if self.function[channel] == "CURR":
            driver, amperes = self._current_sources[channel], self.amperes[channel]
            if self.current_auto[channel]:
                self._current_range[channel] = driver.range_for(amperes)
            self._driven[channel] = driver.convert(amperes, self._current_range[channel])
            if on:
                self._regulate(channel, CURRENT_SETTLING)
        else:
            source, volts = self._sources[channel], self.level[channel] if volts is None else volts
            if self.range_auto[channel]:
                self._source_range[channel] = source.range_for(volts)
            self._actual[channel] = actual = source.convert(volts, self._source_range[channel])
            if on and port is not None:
                port.drive(actual, connected=True)
        if not on and port is not None:
            port.drive(0.0, connected=self.off_mode[channel] != "HIZ")

    def _regulate(self, channel: int, aperture: float) -> Regulated:
        """Find the voltage of a current source."""
        point = regulate(
            lambda volts: self._current(channel, volts, aperture), self._driven[channel],
            self.voltage_limit[channel], self._actual[channel],
        )  # fmt: skip
        self._actual[channel] = point.volts
        port = self.outputs.get(channel)
        if port is not None:
            port.drive(point.volts, connected=True)
        return point

    def _flow(self, channel: int) -> Regulated:
        """Return the volts and amperes at the terminals, and whether a limit stops the source."""
        aperture = self._aperture(channel)
        if not self.output_on[channel]:
            return OFF
        if self.function[channel] == "CURR":
            return self._regulate(channel, aperture)
        volts = self._actual[channel]
        return carry(volts, self._current(channel, volts, aperture), self.current_limit[channel])

    def _aperture(self, channel: int) -> float:
        return self.nplc[channel] / self.line_frequency

    def _current(self, channel: int, volts: float, aperture: float) -> float:
        port = self.outputs.get(channel)
        return 0.0 if port is None else port.current(volts, aperture)

    def _is_tripped(self, channel: int, function: str) -> str:
        return "1" if self.function[channel] == function and self._flow(channel).limited else "0"

    @command(f"{SOURCES}:CURRent:RANGe", Numeric(1e-8, -3.03, 3.03, unit="A"))
    def _set_current_range(self, channel: int, amperes: float) -> None:
        span = self._current_sources[channel].range_for(amperes)
        if not self._current_sources[channel].holds(self.amperes[channel], span):
            raise ScpiError(-221)
        self.current_auto[channel] = False
        self._current_range[channel] = span
        self._apply(channel)

    @command(f"{SOURCES}:VOLTage:RANGe", Numeric(2.0, -210.0, 210.0, unit="V"))
    def _set_source_range(self, channel: int, volts: float) -> None:
        span = self._sources[channel].range_for(volts)
        if not self._sources[channel].holds(self.level[channel], span):
            raise ScpiError(-221)
        self.range_auto[channel] = False
        self._source_range[channel] = span
        self._apply(channel)

    def levels(self, channel: int) -> list[float]:
        """Return the levels (V) that triggers step through; none where the level is fixed."""
        if self.function[channel] != "VOLT" or self.mode[channel] == "FIX":
            return []
        return self._lists[channel] if self.mode[channel] == "LIST" else self._staircase(channel)

    def _staircase(self, channel: int) -> list[float]:
        levels = staircase(
            self.start[channel],
            self.stop[channel],
            self.points[channel],
            logarithmic=self.spacing[channel] == "LOG",
        )
        if self.direction[channel] == "DOWN":
            levels.reverse()
        return levels + levels[::-1] if self.stairs[channel] == "DOUB" else levels

    def check_sweep(self, channel: int) -> None:
        """Refuse a sweep that the settings do not allow, before it starts."""
        levels = self.levels(channel)
        for volts in {max(levels, default=0.0), min(levels, default=0.0)}:
            self.check_level(channel, volts)

    # --- the step says the same as the points ---

    @command(f"{SOURCES}:VOLTage:STEP", Numeric(0.0, -210.0, 210.0, unit="V"))
    def _set_step(self, channel: int, volts: float) -> None:
        span = self.stop[channel] - self.start[channel]
        points = round(abs(span / volts)) + 1 if volts else 1
        if span * volts < 0.0:
            raise ScpiError(-221, "the step leads away from the stop level")
        if points > LIST_SIZE:
            raise ScpiError(-222)
        self.points[channel] = points

    # --- lists ---

    def _store_list(self, channel: int, levels: list[float]) -> None:
        if len(levels) > LIST_SIZE:
            raise ScpiError(-223)
        for volts in levels:
            self.check_level(channel, volts)
        self._lists[channel] = levels

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with SCPI's -230."""
        return _TEXTS

    def format_error(self, error: QueuedError) -> str:
        """Write ``+0,"No error"``."""
        return f'{error.code:+d},"{error.text}"'

    # --- the meters ---

    @current_limit.check
    def _check_limit(self, channel: int, amperes: float) -> None:
        if amperes > largest_current(self.level[channel], DC_LIMITS) * (1 + 1e-9):
            raise ScpiError(-222)
        if not self.measure_auto[channel] and not self._meters[channel].holds(
            amperes, self._measure_range[channel]
        ):
            raise ScpiError(-221)

    @command(f"{SENSE}:CURRent[:DC]:RANGe[:UPPer]", Numeric(1e-4, 1e-8, 3.03, unit="A"))
    def _set_measure_range(self, channel: int, amperes: float) -> None:
        meter = self._meters[channel]
        self.measure_auto[channel] = False
        self._measure_range[channel] = meter.range_for(amperes)
        self.current_limit[channel] = min(
            self.current_limit[channel], meter.overrange * self._measure_range[channel]
        )

    @command(
        f"{SENSE}:FUNCtion[:ON]",
        Choice("CURR:DC", ("VOLTage[:DC]", "CURRent[:DC]", "RESistance"), quoted=True, repeated=True),
    )
    def _set_functions(self, channel: int, functions: list[str]) -> None:
        names = {name.removesuffix(":DC") for name in functions}
        self._functions[channel] = tuple(name for name in ("VOLT", "CURR", "RES") if name in names)

    def _measure(self, channel: int, programmed: float) -> MeasuredPoint:
        """Integrate over the aperture and report; the caller advances the clock."""
        flow = self._flow(channel)
        status = LIMITED if flow.limited else 0
        nplc = self.nplc[channel]
        meter, voltmeter = self._meters[channel], self._voltmeters[channel]
        if self.measure_auto[channel]:
            self._measure_range[channel] = meter.range_for(flow.amperes)
        amperes = meter.read(flow.amperes, self._measure_range[channel], nplc)
        volts = voltmeter.read(flow.volts, voltmeter.range_for(flow.volts), nplc)
        if abs(amperes) >= INFINITY:
            status |= OVERFLOW
        if status & LIMITED and self.protection[channel]:
            self.output_on[channel] = False
            self._apply(channel)
        functions = self._functions[channel]
        return MeasuredPoint(
            volts if "VOLT" in functions else math.nan, amperes if "CURR" in functions else math.nan,
            self.clock.now, status, programmed,
        )  # fmt: skip

    @query(":MEASure", CHANNELS)
    def _measure_now(self, channels: tuple[int, ...]) -> str:
        """Measure once at the present level, whatever the trigger system is set to."""
        channels = self._check_channels(channels)
        self.clock.advance(SETTLING + max(map(self._aperture, channels)))
        runs = [np.array([self._measure(channel, self._programmed(channel))]) for channel in channels]
        self.clock.advance(OVERHEAD)
        return self._reply(runs)

    @query(":MEASure:<function>", CHANNELS, functions=MEASURED)
    def _measure_one(self, function: str, channels: tuple[int, ...]) -> str:
        """Measure one quantity, whatever the functions and elements in use (p. 4-28)."""
        channels = self._check_channels(channels)
        before = self._elements, {channel: self._functions[channel] for channel in channels}
        self._elements = (function,)
        self._functions.update(dict.fromkeys(channels, ("VOLT", "CURR", "RES")))
        try:
            return self._measure_now(channels)
        finally:
            self._elements = before[0]
            self._functions.update(before[1])

    # --- the trigger system ---

    @command(":INITiate[:IMMediate][:ALL]", CHANNELS)
    def _initiate(self, channels: tuple[int, ...]) -> None:
        channels = self._check_channels(channels)
        if self._armed:
            raise ScpiError(-213)
        for channel in channels:
            self.check_sweep(channel)
        self._levels = {channel: self.levels(channel) for channel in channels}
        for channel in channels:
            del self._data[channel][:]
            if self.auto_on[channel]:
                self.output_on[channel] = True
                self._apply(channel)
        self._armed, self._position = channels, 0
        if all(self.trigger_source[channel] != "BUS" for channel in channels):
            while self._armed:
                self._step()

    def on_trigger(self) -> None:
        """Run the next point of the channels that wait for the bus."""
        if not self._armed:
            raise ScpiError(-211)
        self._step()

    def _step(self) -> None:
        """Run one point on every armed channel at the same time; those which are done go idle."""
        position = self._position
        running = [channel for channel in self._armed if position < self.count[channel]]
        if not running:  # the counts were lowered while it waited for triggers
            self._armed = ()
            raise ScpiError(-211)
        self.clock.advance(max(self.source_delay[channel] for channel in running))
        start = self.clock.now
        levels = {channel: self._listed(channel, position) for channel in running}
        for channel in running:
            if self.shape[channel] == "PULS":
                self.clock.advance(self.pulse_delay[channel])
            self._apply(channel, levels[channel])
        self.clock.advance(
            max(max(self.acquire_delay[c], SETTLING if self.shape[c] == "DC" else 0.0) + self._aperture(c)
                for c in running)
        )  # fmt: skip
        for channel in running:
            point = self._measure(channel, levels[channel])
            if len(self._data[channel]) < BUFFER_SIZE * _WIDTH:
                self._data[channel].extend(point)
            if self.shape[channel] == "PULS":
                self._pass_until(start + self.pulse_delay[channel] + self.pulse_width[channel])
                self._apply(channel)
            if self.trigger_source[channel] == "TIM":
                self._pass_until(start + self.timer[channel])
        self.clock.advance(OVERHEAD)
        self._position += 1
        if all(self._position >= self.count[channel] for channel in self._armed):
            self._rest()

    def _programmed(self, channel: int) -> float:
        return (self.level if self.function[channel] == "VOLT" else self.amperes)[channel]

    def _listed(self, channel: int, position: int) -> float:
        levels = self._levels[channel]
        return levels[position % len(levels)] if levels else self._programmed(channel)

    def _pass_until(self, moment: float) -> None:
        self.clock.advance(max(0.0, moment - self.clock.now))

    def _rest(self) -> None:
        """Go idle; the outputs return to their immediate levels."""
        for channel in self._armed:
            self._apply(channel)
        self._armed = ()

    @command(":ABORt[:ALL]", CHANNELS)
    def _abort(self, channels: tuple[int, ...]) -> None:
        if set(self._check_channels(channels)) & set(self._armed):
            self._rest()
