"""The simulated Keithley DAQ6510 and DMM6500 (SCPI command set): one meter behind a multiplexer, scanning into a buffer.

DAQ6510 Reference Manual, DAQ6510-901-01; DMM6500 Reference Manual, DMM6500-901-01. In the DAQ6510 a 7700 is in slot 1:
channels 101 to 120 take volts and ohms, 121 and 122 amperes. In the DMM6500 it is a 2000-SCAN: channels 1 to 10, of volts
and ohms.
Without a channel list a setting is the front terminals'. (?) from memory: the accuracies, the relays' time, error numbers,
that ``:ROUT:STAT?`` answers 1 and 0, and that the DMM6500 takes its channels in the same commands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from mho.instruments.simulated.analogue import SpecimenConverter
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.buffers import (
    BUFFER,
    DEFAULT,
    BufferRecord,
    ReadingBuffers,
    ReplyFormat,
    reading_queries,
)
from mho.instruments.simulated.scpi.instrument import ScpiError, Setting, command, query
from mho.instruments.simulated.scpi.parameters import Boolean, ChannelList, Choice, Numeric, Text
from mho.instruments.simulated.scpi.status import ERROR_TEXTS

FRONT = 0
LISTED = ChannelList(required=False)

# range: (gain error, offset error in the range's unit), one year
SPECIFICATIONS = {
    "VOLT": {0.1: (3e-5, 3.5e-6), 1.0: (2.5e-5, 6e-6), 10.0: (2.5e-5, 5e-5), 100.0: (3.5e-5, 6e-4),
             1000.0: (3.5e-5, 6e-3)},
    "CURR": {1e-5: (5e-4, 2.5e-9), 1e-4: (5e-4, 2.5e-8), 1e-3: (5e-4, 5e-8), 1e-2: (5e-4, 2e-6),
             1e-1: (5e-4, 5e-6), 1.0: (8e-4, 1e-4), 3.0: (1.2e-3, 1.2e-4)},
    "RES": {10.0: (1e-4, 6e-4), 100.0: (1e-4, 3e-3), 1e3: (7.5e-5, 6e-3), 1e4: (7.5e-5, 6e-2),
            1e5: (7.5e-5, 0.6), 1e6: (8.5e-5, 6.0), 1e7: (4e-4, 100.0), 1e8: (2e-3, 1e4)},
}  # fmt: skip
_TOP = {"VOLT": 1000.0, "CURR": 3.0, "RES": 1e8}
_UNITS = {"VOLT": "V", "CURR": "A", "RES": "OHM"}
UNIT_NAMES = {"VOLT": "Volt DC", "CURR": "Amp DC", "RES": "Ohm"}


@dataclass
class ChannelSettings:
    """Settings of one channel, or of the front terminals; ranges and times by function."""

    function: str = "VOLT"
    ranges: dict[str, float] = field(default_factory=lambda: dict(_TOP))
    auto: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(_TOP, True))
    nplc: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_TOP, 1.0))


FUNCTIONS = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
RANGES = {name: Numeric(top, min(SPECIFICATIONS[name]), top, unit=_UNITS[name]) for name, top in _TOP.items()}


def _setting(name: str, node: str, parameters: Numeric | Boolean | dict[str, Numeric]) -> dict[str, Any]:
    """Return command and query of what each channel, or the front terminals, has for each function."""
    header = f"[:SENSe[1]]:<function>:{node}"

    def answer(device: Any, function: str, channels: tuple[int, ...]) -> str:
        parameter = parameters[function] if isinstance(parameters, dict) else parameters
        values = (getattr(settings, name)[function] for settings in device._meant(channels))
        return ";".join(parameter.format(value, device) for value in values)

    return {
        header: (FUNCTIONS, parameters, LISTED, lambda device, *given: device._set(name, *given)),
        f"{header}?": (FUNCTIONS, LISTED, answer),
    }


_SENSED = {"VOLT": "VOLT:DC", "CURR": "CURR:DC", "RES": "RES"}


OVERFLOW = 9.9e37
RELAY_TIME = 3e-3  # s that closing a channel takes, opening the one before included
OVERHEAD = 2e-4  # s a reading takes beside its aperture

ELEMENTS = Choice(
    "READ", ("READing", "CHANnel", "RELative", "SEConds", "FRACtional", "STATus", "UNIT", "EXTRa"),
    required=False, repeated=True,
)  # fmt: skip


class VoltmeterPort(Protocol):
    """Source that an input is wired to."""

    def __call__(self, aperture: float) -> float:
        """Return what is there, averaged over `aperture` seconds: V (A, ohm). The caller advances the clock."""


class MeterBehindCard:
    """A meter behind a multiplexer card; a mixin for a model, placed before `ReadingBuffers`.

    Constructed as `SimulatedKeithley2450`, but for what is wired to it.

    `inputs`: what the voltage channels are wired to, V; what is not wired reads 0 V.
    `resistors`: what they see when they measure ohms; what is not wired is open.
    `currents`: what flows into the current channels, A.
    """

    # What differs from model to model: its card's channels
    volt_channels: ClassVar[tuple[int, ...]]
    current_channels: ClassVar[tuple[int, ...]]

    clock: VirtualClock
    data_format: Any
    _buffer: Any
    _origin: Any

    line_frequency = 50.0

    language = Setting("*LANG", Choice("SCPI", ("SCPI", "TSP", "SCPI2700", "SCPI34970", "SCPI34972")))
    scan_count = Setting(":ROUTe:SCAN:COUNt:SCAN", Numeric(1, 0, 1e8, integer=True))
    interval = Setting(":ROUTe:SCAN:INTerval", Numeric(0.0, 0.0, 1e5, unit="S"))

    commands: ClassVar[Any] = {
        "[:SENSe[1]]:FUNCtion[:ON]?": (
            LISTED,
            lambda self, channels: ";".join(f'"{_SENSED[each.function]}"' for each in self._meant(channels)),
        ),
        **_setting("ranges", "RANGe[:UPPer]", RANGES),
        **_setting("auto", "RANGe:AUTO", Boolean(True)),
        **_setting("nplc", "NPLCycles", Numeric(1.0, 5e-4, 12.0)),
        ":ROUTe[:CHANnel][:MULTiple]:CLOSe?": lambda self: f"(@{','.join(map(str, sorted(self.closed)))})",
        ":ROUTe[:CHANnel]:STATe?": (
            ChannelList(),
            lambda self, channels: ",".join("01"[each in self.closed] for each in self._checked(channels)),
        ),
        ":ROUTe:SCAN[:CREate]?": lambda self: f"(@{','.join(map(str, self._scan))})",
        ":ROUTe:SCAN:COUNt:STEP?": lambda self: str(len(self._scan)),
        ":ROUTe:SCAN:BUFFer?": lambda self: self._scan_buffer,
        ":ABORt": lambda self: None,  # nothing runs between two messages on the virtual clock
        **reading_queries(ELEMENTS),
    }  # fmt: skip

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, inputs: Mapping[int, VoltmeterPort], *,
        resistors: Mapping[int, VoltmeterPort] | None = None,
        currents: Mapping[int, VoltmeterPort] | None = None, serial: str = "SIM00000",
        accuracy: float = 0.2, noise: float = 2e-7,
    ) -> None:  # fmt: skip
        wired: dict[str, Any] = {"clock": clock, "rng": rng, "serial": serial}
        super().__init__(**wired)
        self._meters = {
            name: SpecimenConverter(rng, ranges, accuracy, noise=noise, overrange=1.2)
            for name, ranges in SPECIFICATIONS.items()
        }
        self._ports = {"VOLT": inputs, "RES": resistors or {}, "CURR": currents or {}}
        self.reset()

    def reset(self) -> None:
        """Power-on state: channels open, default functions and ranges, no scan."""
        self._channels = {channel: ChannelSettings() for channel in (FRONT, *self._card())}
        for channel in self.current_channels:
            self._channels[channel].function = "CURR"
        self.closed: set[int] = set()
        self._scan: tuple[int, ...] = ()
        self._scan_buffer = DEFAULT

    def _card(self) -> tuple[int, ...]:
        return self.volt_channels + self.current_channels

    def _checked(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Refuse channels that are not there."""
        for channel in channels:
            if channel not in self._card():
                raise ScpiError(-222, f"channel {channel}")
        return channels

    def _meant(self, channels: tuple[int, ...]) -> list[ChannelSettings]:
        """Return the settings of channels, or of the front terminals."""
        return [self._channels[channel] for channel in self._checked(channels) or (FRONT,)]

    def _set(self, name: str, function: str, value: float, channels: tuple[int, ...]) -> None:
        for settings in self._meant(channels):
            getattr(settings, name)[function] = value
            if name == "ranges":
                settings.ranges[function] = next(span for span in SPECIFICATIONS[function] if value <= span)
                settings.auto[function] = False

    @command(
        "[:SENSe[1]]:FUNCtion[:ON]",
        Choice("VOLT:DC", ("VOLTage[:DC]", "CURRent[:DC]", "RESistance"), quoted=True),
        LISTED,
    )
    def _set_function(self, function: str, channels: tuple[int, ...]) -> None:
        name = function.removesuffix(":DC")
        meant = self._meant(channels)
        if any((name == "CURR") != (channel in self.current_channels) for channel in channels):
            raise ScpiError(-221, "this channel has no such function")
        for settings in meant:
            settings.function = name

    def error_texts(self) -> dict[int, str]:
        """Return the texts as Keithley words them."""
        return _TEXTS

    # --- relays ---

    @command(":ROUTe[:CHANnel][:MULTiple]:CLOSe", ChannelList())
    def _close(self, channels: tuple[int, ...]) -> None:
        self.closed |= set(self._checked(channels))
        self.clock.advance(RELAY_TIME)

    @command(":ROUTe[:CHANnel][:MULTiple]:OPEN", ChannelList())
    def _open(self, channels: tuple[int, ...]) -> None:
        self.closed -= set(self._checked(channels))
        self.clock.advance(RELAY_TIME)

    @command(":ROUTe[:CHANnel][:MULTiple]:OPEN:ALL")
    def _open_all(self) -> None:
        self.closed.clear()
        self.clock.advance(RELAY_TIME)

    # --- readings ---

    def _measure(self, channel: int) -> BufferRecord:
        """Read what a channel (or nothing: the front) sees; a record's source is its channel. Takes time."""
        settings = self._channels[channel]
        function = settings.function
        aperture = settings.nplc[function] / self.line_frequency
        port = self._ports[function].get(channel)
        value = (math.inf if function == "RES" else 0.0) if port is None else port(aperture)
        meter = self._meters[function]
        if settings.auto[function]:
            settings.ranges[function] = meter.range_for(value)
        span = settings.ranges[function]
        reading = math.copysign(OVERFLOW, value)
        if meter.holds(value, span):
            reading = meter.convert(value, span, settings.nplc[function])
        self.clock.advance(aperture + OVERHEAD)
        return BufferRecord(float(channel), reading, UNIT_NAMES[function], 0, self.clock.now)

    @query(":READ", BUFFER, ELEMENTS)
    def _read(self, name: str, elements: list[str]) -> str:
        """Measure what is connected: the one closed channel, or the front terminals."""
        buffer = self._buffer(name)
        connected = sorted(self.closed)
        if len(connected) > 1:
            raise ScpiError(-221, "several channels are closed")
        record = self._measure(connected[0] if connected else FRONT)
        buffer.append(record)
        return self._reply([record], elements)

    def _reply(self, records: list[BufferRecord], elements: list[str]) -> str:
        if self.data_format != "ASC" or "CHAN" not in elements:
            written: str = super()._reply(records, elements)  # type: ignore[misc]
            return written
        write = ReplyFormat().write
        origin = self._origin(records)
        return ",".join(
            f"{record.source:.0f}" if element == "CHAN" else write([record], [element], origin)
            for record in records
            for element in elements
        )

    # --- scans ---

    @command(":ROUTe:SCAN[:CREate]", ChannelList())
    def _create_scan(self, channels: tuple[int, ...]) -> None:
        self._scan = self._checked(channels)

    @command(":ROUTe:SCAN:ADD", ChannelList())
    def _add_to_scan(self, channels: tuple[int, ...]) -> None:
        self._scan += self._checked(channels)

    @command(":ROUTe:SCAN:BUFFer", Text())
    def _set_scan_buffer(self, name: str) -> None:
        self._buffer(name)
        self._scan_buffer = name

    @command(":INITiate[1][:IMMediate]")
    def _initiate(self) -> None:
        """Scan; all channels are open at the end."""
        if not self._scan:
            raise ScpiError(-221, "no channels to scan")
        if not self.scan_count:
            raise ScpiError(-221, "an endless scan does not end on the virtual clock")
        buffer = self._buffer(self._scan_buffer)
        if self.scan_count * len(self._scan) > buffer.capacity:
            raise ScpiError(-221, "scans beyond the buffer's size are not simulated")
        for _ in range(int(self.scan_count)):
            start = self.clock.now
            for channel in self._scan:
                self.closed = {channel}
                self.clock.advance(RELAY_TIME)
                buffer.append(self._measure(channel))
            self.closed = set()
            self.clock.advance(max(0.0, start + self.interval - self.clock.now))


class SimulatedKeithleyDAQ6510(MeterBehindCard, ReadingBuffers):
    """A DAQ6510 with a 7700 in slot 1; constructed as `MeterBehindCard`."""

    identity = "KEITHLEY INSTRUMENTS,MODEL DAQ6510,{serial},1.7.12b"
    volt_channels, current_channels = tuple(range(101, 121)), (121, 122)


class SimulatedKeithleyDMM6500(MeterBehindCard, ReadingBuffers):
    """A DMM6500 with a 2000-SCAN, and its rear terminals in use; constructed as `MeterBehindCard`."""

    identity = "KEITHLEY INSTRUMENTS,MODEL DMM6500,{serial},1.7.12b"
    volt_channels, current_channels = tuple(range(1, 11)), ()
    commands: ClassVar[Any] = {":ROUTe:TERMinals?": lambda self: "REAR"}


_TEXTS = {
    **ERROR_TEXTS,
    -222: "Parameter data out of range",
    1133: "Parameter 4, Syntax error, expected READ, REL or EXTR",
}
