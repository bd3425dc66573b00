"""Keithley DAQ6510 data acquisition system and DMM6500 multimeter, in their SCPI command set: many inputs, one voltmeter.

They have no analogue outputs, so they implement only the input half of `mho.instruments.roles.Daq`, without `exchange`.
DAQ6510 Reference Manual, DAQ6510-901-01; DMM6500 Reference Manual, DMM6500-901-01. (?) marks what is from memory and to be
checked on hardware: the limits of the interval between scans, the time a relay takes, that ``:ROUT:STAT?`` answers 1 and 0,
and that a DMM6500 takes its card's channels as a DAQ6510 does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from mho.array_types import Floats
from mho.errors import InstrumentError
from mho.instruments.drivers.languages.scpi import (
    ScpiInstrument,
    Span,
    choice,
    control,
    counted,
    one_of,
    switch,
    whole,
    within,
)

RANGES = {
    "VOLT": Span(0.1, 1000.0, "voltage range", "V"),
    "CURR": Span(1e-5, 3.0, "current range", "A"),
    "RES": Span(10.0, 1e8, "resistance range", "ohm"),
}
NPLC = Span(5e-4, 12.0, "integration time", "power line cycles")
SCANS = Span(1, 1e8, "number of scans")
INTERVAL = Span(0.0, 1e5, "interval between scans", "s")
OVERFLOW = 9.9e37
RELAY_TIME = 0.05  # s, time per channel in addition to its aperture
BUFFER = "defbuffer1"
BUFFER_SIZE = 100_000  # readings that the buffer holds after a reset


class Channels(NamedTuple):
    """What differs from model to model: the numbers that channels may have, and those in use unless others are named."""

    numbers: Span
    usual: tuple[int, ...]
    example: str


# Slot, and two digits; a 7700 in slot 1 has voltage channels 101 to 120.
OF_DAQ6510 = Channels(Span(101, 299, "channel"), tuple(range(101, 121)), "101 to 110")
# The one slot of a 2000-SCAN, or of a 2001-TCSCAN
OF_DMM6500 = Channels(Span(1, 10, "channel"), tuple(range(1, 11)), "1 to 5")


class ScanningMeter:
    """A voltmeter behind a multiplexer card; a mixin for a model, placed before `ScpiInstrument`.

    `address`, `visa_library`, `timeout`, `connection`: as for `BusInstrument`.
    `channels`: channels in use, in the order of a scan; by default all of the card in slot 1 that take volts.
    """

    CHANNELS: ClassVar[Channels]
    model: ClassVar[str]
    ask: Any
    ask_block: Any
    exchange: Any
    exchange_numbers: Any
    interrupt: Any
    line_frequency: Any
    _patience: Any
    _title: Any

    several_languages = True
    recorded: ClassVar[tuple[str, ...]] = (
        "function", "voltage_range", "voltage_nplc", "scan_count", "scan_interval", "scan_list",
        "line_frequency",
    )  # fmt: skip

    # Settings of the front terminals; `configure` sets those of channels.
    function = choice(
        ":SENS:FUNC", "Control what is measured at the front.",
        ("VOLT:DC", "CURR:DC", "RES"), quoted=True,
    )  # fmt: skip
    voltage_range = control(":SENS:VOLT:RANG", "Control the voltage range at the front, V.", RANGES["VOLT"])
    voltage_range_auto = switch(":SENS:VOLT:RANG:AUTO", "Control whether that range follows the voltage.")
    voltage_nplc = control(":SENS:VOLT:NPLC", "Control the integration time at the front.", NPLC)
    current_range = control(":SENS:CURR:RANG", "Control the current range at the front, A.", RANGES["CURR"])
    current_nplc = control(":SENS:CURR:NPLC", "Control the integration time at the front.", NPLC)
    resistance_range = control(":SENS:RES:RANG", "Control the range at the front, ohm.", RANGES["RES"])
    resistance_nplc = control(":SENS:RES:NPLC", "Control the integration time at the front.", NPLC)
    scan_count = counted(":ROUT:SCAN:COUN:SCAN", "Control how often ``:INIT`` scans.", SCANS)
    scan_interval = control(":ROUT:SCAN:INT", "Control the time from scan to scan, s.", INTERVAL)
    scan_list = Instrument.measurement(
        ":ROUT:SCAN:CRE?", "Get the channels of a scan.", cast=str, separator=None
    )
    points_in_buffer = Instrument.measurement(
        f':TRAC:ACT? "{BUFFER}"', "Get how many readings the buffer holds.", cast=int
    )

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, channels: Sequence[int] | None = None,
        timeout: float = 5.0, **connection: Any,
    ) -> None:  # fmt: skip
        self.channels = self._numbers(self.CHANNELS.usual if channels is None else channels)
        self._aperture = 0.24  # s, the longest possible one, until `configure` sets it
        opened: dict[str, Any] = {"address": address, "visa_library": visa_library, "timeout": timeout}
        super().__init__(**opened, **connection)

    @property
    def input_count(self) -> int:
        """Number of scanned analogue inputs (vector elements out)."""
        return len(self.channels)

    # --- scans ---

    def configure(
        self, *, function: str = "VOLT", full_scale: float = 1.0, nplc: float = 1.0,
        channels: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        """Prepare channels (by default all in use) for one function, with a fixed range.

        `function`: DC volts, DC amperes (a card's current channels only), two-wire ohms.
        `full_scale`: largest value to be measured, V, A or ohm.
        `nplc`: integration time in power line cycles.
        """
        one_of(function, tuple(RANGES), "function")
        within(full_scale, RANGES[function])
        within(nplc, NPLC)
        listed = self._listed(self.channels if channels is None else channels)
        self.exchange(
            f':SENS:FUNC "{function}",{listed};:SENS:{function}:RANG {full_scale:.9e},{listed};'
            f":SENS:{function}:NPLC {nplc:.9e},{listed}"
        )
        self._aperture = nplc / self.line_frequency

    def scan(self, channels: Sequence[int] | None = None) -> Floats:
        """Read each channel once, timed by the instrument; (channels,), V, A or ohm, NaN where the range overflowed."""
        values: Floats = self.scans(1, channels)[0]
        return values

    def scans(self, count: int, channels: Sequence[int] | None = None, interval: float = 0.0) -> Floats:
        """Read every channel `count` times, one scan after the other, timed by the instrument: (count, channels), V.

        A or ohm where those are measured, NaN where the range overflowed; all readings together are at most 100,000.
        `channels`: in the order of a scan; default all channels in use.
        `interval`: time from scan to scan, s; 0 is as fast as possible.
        """
        count = int(whole(count, SCANS))
        within(interval, INTERVAL)
        chosen = self.channels if channels is None else self._numbers(channels)
        total = count * len(chosen)
        if not 1 <= total <= BUFFER_SIZE:
            raise InstrumentError(f"{self._title}: scans have 1 to {BUFFER_SIZE} readings, not {total}")
        self.exchange(
            f':TRAC:CLE "{BUFFER}";:ROUT:SCAN:CRE {self._listed(chosen)};:ROUT:SCAN:COUN:SCAN {count:d};'
            f':ROUT:SCAN:INT {interval:.9e};:ROUT:SCAN:BUFF "{BUFFER}"'
        )
        with self._patience(total * (self._aperture + RELAY_TIME) + count * interval):
            self.exchange(":INIT;*WAI")
        taken = self.points_in_buffer
        if taken != total:
            raise InstrumentError(
                f"{self._title} took {taken} readings instead of {total}; is the card in its slot?"
            )
        return self._readings(total).reshape(count, len(chosen))

    def _readings(self, total: int) -> Floats:
        """Return the buffer's readings, transferred in binary."""
        self.exchange(":FORM REAL;:FORM:BORD SWAP")
        try:
            with self._patience(total * 1e-3):
                values = self.ask_block(f':TRAC:DATA? 1,{total},"{BUFFER}",READ', "<f8", total)
        finally:
            self.exchange(":FORM ASC")
        return np.where(np.abs(values) < OVERFLOW, values, np.nan)

    def abort(self) -> None:
        """Stop a running scan."""
        self.exchange(":ABOR")

    # --- relays ---

    def close_channels(self, channels: Sequence[int]) -> None:
        """Connect channels to the voltmeter until the next command."""
        self.exchange(f":ROUT:CLOS {self._listed(channels)}")

    def open_channels(self, channels: Sequence[int]) -> None:
        """Disconnect channels."""
        self.exchange(f":ROUT:OPEN {self._listed(channels)}")

    def closed_channels(self) -> tuple[int, ...]:
        """Return those of the channels in use that are closed, as the instrument reports them."""
        states = self.exchange_numbers(f":ROUT:STAT? {self._listed(self.channels)}")
        if len(states) != len(self.channels):
            raise InstrumentError(
                f"{self._title} reported {len(states)} relays instead of {self.input_count}"
            )
        return tuple(channel for channel, state in zip(self.channels, states, strict=True) if state)

    # --- roles.Instrument ---

    def settings(self) -> dict[str, str]:
        """Return the properties named in `recorded`, and the settings of the channels in use, as text."""
        listed = self._listed(self.channels)
        return {
            **super().settings(),  # type: ignore[misc]
            "channels": listed,
            "channel_functions": self.ask(f":SENS:FUNC? {listed}").strip(),
            "channel_voltage_ranges": self.ask(f":SENS:VOLT:RANG? {listed}").strip(),
            "channel_voltage_nplc": self.ask(f":SENS:VOLT:NPLC? {listed}").strip(),
        }

    def make_safe(self) -> None:
        """Open every channel; raises `InstrumentError` when that cannot be confirmed."""
        try:
            self.interrupt()
            self.exchange("*CLS;:ABOR")
        finally:
            self.exchange(":ROUT:OPEN:ALL")
        closed = self.closed_channels()
        if closed:
            raise InstrumentError(
                f"{self._title} still has channels {', '.join(map(str, closed))} closed; switch it off by hand"
            )

    def _listed(self, channels: Sequence[int]) -> str:
        """Format a channel list."""
        return f"(@{','.join(map(str, self._numbers(channels)))})"

    def _numbers(self, channels: Sequence[int]) -> tuple[int, ...]:
        """Return channel numbers; the instrument checks whether the card has them."""
        numbers = tuple(int(whole(channel, self.CHANNELS.numbers)) for channel in channels)
        if not numbers:
            name = self.model.removeprefix("MODEL ")
            raise InstrumentError(f"a {name} needs channels to scan; name some, e.g. {self.CHANNELS.example}")
        return numbers


class KeithleyDAQ6510(ScanningMeter, ScpiInstrument):
    """A DAQ6510 with a multiplexer card in each of its two slots; constructed as `ScanningMeter`."""

    model = "MODEL DAQ6510"
    CHANNELS = OF_DAQ6510


class KeithleyDMM6500(ScanningMeter, ScpiInstrument):
    """A DMM6500 with a scanner card of ten channels, at the rear; constructed as `ScanningMeter`."""

    model = "MODEL DMM6500"
    CHANNELS = OF_DMM6500
