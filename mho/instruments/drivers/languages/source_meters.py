"""Common part of the drivers of source-measure units: checked configuration, confirmed safe state, one unit, or a pair."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.languages.scpi import Span, choice, control, one_of, switch, within
from mho.instruments.roles import Reading

LIST_SIZE = 2500  # largest number of levels in a list (B2900: p. 4-105; Keithley: (?))
LISTED_AT_ONCE = 100  # levels in one message
PROTECTED = Span(0.02, math.inf, "voltage limit", "V")
UNLOCKED = 20.0  # V, below which no interlock is required
NOT_A_NUMBER = 9.9e37  # smallest value of a reading that means overflow


class VoltageSourceMeter:
    """Voltage source and current meter: the part of `mho.instruments.roles.SourceMeter` common to all models."""

    VOLTAGE: ClassVar[Span]
    CURRENT_LIMIT: ClassVar[Span]
    CURRENT_RANGE: ClassVar[Span]
    NPLC: ClassVar[Span]
    DELAY: ClassVar[Span] = Span(0.0, 1e4, "delay", "s")
    PROTECTIONS: ClassVar[
        Mapping[float, Any]
    ]  # settings of an overvoltage protection, by their voltages, V, upwards

    voltage_protection: Any
    current_limit: Any
    current_range: Any
    nplc: Any
    output_enabled: Any
    exchange: Any  # of the bus
    _title: Any
    _aperture: float  # s, duration of a reading

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare sourcing volts and measuring amperes; the output keeps its state.

        `current_limit`: compliance, A; read back and compared.
        `current_range`: largest current to be measured, A.
        `nplc`: integration time in power line cycles.
        `LimitError` for a value beyond the instrument's abilities; `InstrumentError` when the instrument refuses, or
        reports another limit than the requested one.
        """
        within(current_limit, self.CURRENT_LIMIT)
        within(current_range, self.CURRENT_RANGE)
        within(nplc, self.NPLC)
        self._prepare(current_limit)
        # The range is set first: a range too small for the limit would lower the limit.
        self.current_range, self.current_limit, self.nplc = current_range, current_limit, nplc
        self._aperture = self._seconds(nplc)
        actual = self.current_limit
        if not abs(actual - current_limit) <= 1e-3 * current_limit:
            raise InstrumentError(
                f"{self._title} set a current limit of {actual:g} A instead of {current_limit:g} A; "
                f"choose another limit, or another current range than {current_range:g} A"
            )

    @property
    def aperture(self) -> float:
        """Duration of a reading, s."""
        return self._aperture

    def _prepare(self, current_limit: float) -> None:
        """Set everything that `configure` itself does not."""
        raise NotImplementedError

    def _seconds(self, nplc: float) -> float:
        """Return the duration of a reading of `nplc` power line cycles, s."""
        raise NotImplementedError

    def protect(self, voltage: float) -> None:
        """Limit the source to `voltage` (V), or to the instrument's next step above it; read back."""
        within(voltage, PROTECTED)
        step = next(setting for volts, setting in self.PROTECTIONS.items() if volts >= voltage)
        self.voltage_protection = step
        if (actual := self.voltage_protection) != step:
            raise InstrumentError(f"{self._title} set its overvoltage protection to {actual}, not {step}")

    # What a unit of one channel is told in SCPI

    def enable(self) -> None:
        """Switch the output on at 0 V."""
        self.exchange(":SOUR:VOLT 0;:OUTP ON")

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command; raises `LimitError` beyond the instrument's range."""
        within(voltage, self.VOLTAGE)
        self.exchange(f":SOUR:VOLT {voltage:.9e}")

    def make_safe(self) -> None:
        """Stop any running operation, set 0 V and switch the output off; raises `InstrumentError` unless confirmed by
        query.
        """
        try:
            self._go_to_zero()
        finally:
            self.output_enabled = False
        if self.output_enabled:
            raise InstrumentError(f"{self._title} still has its output on; switch it off by hand")

    def _go_to_zero(self) -> None:
        """Interrupt any running operation, and set the level to 0 V."""
        raise NotImplementedError

    def check_sweep(self, voltages: Sequence[float], delay: float) -> None:
        """Raise when a sweep through `voltages` (V) with `delay` (s) per point is not possible; nothing is sent."""
        within(delay, self.DELAY)
        self._listed(voltages)

    def _listed(self, voltages: Sequence[float]) -> Iterator[Sequence[float]]:
        """Check the levels (V) of a list, and return them in chunks that fit a message."""
        if not 1 <= len(voltages) <= LIST_SIZE:
            raise InstrumentError(f"{self._title}: a sweep has 1 to {LIST_SIZE} levels, not {len(voltages)}")
        for voltage in voltages:
            within(voltage, self.VOLTAGE)
        return (voltages[start : start + LISTED_AT_ONCE] for start in range(0, len(voltages), LISTED_AT_ONCE))

    def _list_commands(self, header: str, voltages: Sequence[float]) -> Iterator[str]:
        """Check the levels of a list as `_listed`, and return the SCPI commands that store it."""
        values = (",".join(f"{voltage:.9e}" for voltage in piece) for piece in self._listed(voltages))
        return (f"{header}{':APP' if number else ''} {listed}" for number, listed in enumerate(values))


class SingleSourceMeter(VoltageSourceMeter):
    """A source meter behind an address of its own, with the commands that Keithley's 2400 and 2450 share.

    A mixin for a driver, placed before `ScpiInstrument`; constructed as that.
    `voltage_range`: fixed source range, V; `LimitError` for one that it does not have. Without it the instrument
        chooses the range for each level, which is more accurate at small voltages, but the output may glitch where
        the range changes.
    """

    VOLTAGE = Span(-210.0, 210.0, "source voltage", "V")
    CURRENT_LIMIT = Span(1e-9, 1.05, "current limit", "A")
    NPLC = Span(0.01, 10.0, "integration time", "power line cycles")
    SOURCE_RANGE: ClassVar[Span]
    LONGEST_READING: ClassVar[float]  # s
    LIMITED: ClassVar[int]  # bits of a reading's status: in compliance
    AFTER_A_SWEEP: ClassVar[str]  # commands that bring it back to 0 V, and to single readings

    source_function = choice(":SOUR:FUNC", "Control what is sourced: ``VOLT`` or ``CURR``.", ("VOLT", "CURR"))
    source_voltage = control(":SOUR:VOLT", "Control the source level, V.", VOLTAGE)
    protection_tripped = Instrument.measurement(
        ":SOUR:VOLT:PROT:TRIP?", "Get whether the source is held back right now.", cast=bool
    )
    nplc = control(":SENS:CURR:NPLC", "Control the integration time in power line cycles.", NPLC)
    terminals = choice(
        ":ROUT:TERM", "Control which terminals are used; a change switches the output off.", ("FRON", "REAR")
    )
    output_enabled = switch(":OUTP", "Control whether the output is on.")
    _patience: Any  # of the bus

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, voltage_range: float | None = None,
        timeout: float = 5.0, **connection: Any,
    ) -> None:  # fmt: skip
        self.voltage_range = None if voltage_range is None else within(voltage_range, self.SOURCE_RANGE)
        self._aperture = self.LONGEST_READING  # until `configure` knows
        super().__init__(address, visa_library, timeout=timeout, **connection)  # type: ignore[call-arg]

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list sweep timed by the instrument, ending at 0 V with the output as it was before.

        Parameters
        ----------
        voltages : sequence of float
            Levels, V; at most 2500, which are sent in pieces of 100 and run as one list.
        delay : float
            Wait at each level before its measurement, s.
        """
        self.check_sweep(voltages, delay)
        was_on, count = self.output_enabled, len(voltages)
        for command in self._list_commands(":SOUR:LIST:VOLT", voltages):
            self.exchange(command)
        try:
            with self._patience(count * (delay + self._aperture + 0.05)):
                reply = self._play(count, delay)
        finally:
            self.exchange(f"{self.AFTER_A_SWEEP};:OUTP {'ON' if was_on else 'OFF'}")
        return readings(map(float, self._swept(count, reply).split(",")), self.LIMITED)

    def _play(self, count: int, delay: float) -> str:
        """Play the list, and return the reply."""
        raise NotImplementedError

    def _swept(self, count: int, reply: str) -> str:
        """Return the readings of a sweep, after it has ended and given its `reply`."""
        return reply

    def abort(self) -> None:
        """Stop a running sweep."""
        self.exchange(":ABOR")


class SourceMeterChannel:
    """One channel of a `SourceMeterPair` as a separate source meter.

    A mixin for a channel of PyMeasure, placed before `VoltageSourceMeter`.
    """

    PULSE_WIDTH: ClassVar[Span]
    PULSE_PERIOD: ClassVar[Span]
    MEASURING: ClassVar[str]  # in the sentence about a measurement that does not fit a pulse
    FASTER: ClassVar[str]  # and how to make it shorter
    recorded: ClassVar[tuple[str, ...]]
    parent: Any
    id: Any
    voltage_limit: Any
    _title: Any
    _aperture: float

    def protect(self, voltage: float) -> None:
        """Limit the voltage to `voltage` (V, from 20 mV) when sourcing current, read back.

        When sourcing voltage these instruments limit the current only: this is in case a user selects current by hand.
        The limit stays below the interlock's threshold.
        """
        limit = min(within(voltage, PROTECTED), UNLOCKED)
        self.voltage_limit = limit
        if not abs(self.voltage_limit - limit) <= 1e-3 * limit + 1e-3:
            raise InstrumentError(
                f"{self._title} set a voltage limit of {self.voltage_limit} V instead of {limit:g} V"
            )

    def _check_pulse(self, width: float, period: float) -> None:
        """Raise `LimitError` unless pulses of `width` every `period` (s) are possible, each with its measurement."""
        within(width, self.PULSE_WIDTH)
        within(period, self.PULSE_PERIOD)
        if self._aperture > 0.9 * width:
            raise LimitError(
                f"{self._title}: {self.MEASURING} {self._aperture:.3g} s does not fit a pulse of {width:.3g} s; "
                f"{self.FASTER} or choose a wider pulse"
            )
        if period < 1.1 * width:
            raise LimitError(
                f"{self._title}: pulses of {width:.3g} s do not fit a period of {period:.3g} s; "
                f"choose a period of {1.1 * width:.3g} s or more"
            )

    def identify(self) -> str:
        """Return the instrument's reply to ``*IDN?``."""
        identity: str = self.parent.identify()
        return identity

    def settings(self) -> dict[str, str]:
        """Return the properties named in `recorded`, as text."""
        return {name: str(getattr(self, name)) for name in self.recorded}

    def close(self) -> None:
        """Release the channel; the connection closes with the last channel in use. No output changes."""
        self.parent.release(self)


class SourceMeterPair:
    """Two channels behind one connection, which stays open until the last one in use is closed.

    A mixin for a driver of a bus, placed before its base.
    """

    CHANNELS: ClassVar[tuple[str, str]]  # the attributes that are channels 1 and 2
    setting_name: ClassVar[str] = "{channel}.{setting}"
    _title: Any
    close: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._in_use: set[Any] = set()
        super().__init__(*arguments, **options)

    @property
    def pair(self) -> dict[int, Any]:
        """The channels by number."""
        return {number: getattr(self, name) for number, name in enumerate(self.CHANNELS, 1)}

    def channel(self, number: int) -> Any:
        """Return channel 1 or 2 and mark it as in use; raises `InstrumentError` for another number."""
        pair = self.pair
        one_of(number, tuple(pair), f"channel of {self._title}")
        self._in_use.add(pair[number].id)
        return pair[number]

    def release(self, channel: SourceMeterChannel) -> None:
        """Mark a channel as no longer in use; the last one closes the connection."""
        if channel.id in self._in_use:
            self._in_use.discard(channel.id)
            if not self._in_use:
                self.close()

    def settings(self) -> dict[str, str]:
        """Return the settings of both channels, as text."""
        return {
            self.setting_name.format(channel=channel.id, setting=setting): text
            for channel in self.pair.values()
            for setting, text in channel.settings().items()
        }

    def make_safe(self) -> None:
        """Take both channels to 0 V and off, confirmed by query; the second one even if the first fails."""
        first, second = self.pair.values()
        try:
            first.make_safe()
        finally:
            second.make_safe()


def readings(values: Iterable[float], limited: int) -> list[Reading]:
    """Parse triples of volts, amperes and status; `limited` are the status bits for compliance."""
    numbers = iter(values)
    return [
        Reading(float(v), float(i) if abs(i) < NOT_A_NUMBER else math.nan, bool(int(status) & limited))
        for v, i, status in zip(numbers, numbers, numbers, strict=True)
    ]
