"""The simulated Keysight 33522B: two channels of pulses, fired as bursts by a trigger.

33500 series Operating and Service Guide, 33500-90901, and data sheet. (?) from memory: the limits of width
and edge relative to each other, and the error numbers of waveform memory. What a continuous or arbitrary
waveform would put on the terminals is not simulated: its ports carry pulses.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from instruments.simulated.clock import VirtualClock
from instruments.simulated.keysight33522b_waveforms import WaveformMemory
from instruments.simulated.ports import PulsePort
from instruments.simulated.scpi import IndexedSetting, ScpiError, command, query
from instruments.simulated.scpi_parameters import Boolean, Choice, Numeric
from instruments.simulated.status import QueuedError

INFINITE = 9.9e37
SOURCE_RESISTANCE = 50.0
SHORTEST_WIDTH = 16e-9
SHORTEST_PERIOD = 1 / 30e6
SHORTEST_EDGE, LONGEST_EDGE = 8.4e-9, 1e-6


def load_factor(load: float) -> float:
    """Return volts at `load` (ohm) per volt into 50 ohm: 1 into 50 ohm, 2 into an open circuit."""
    return 2.0 if load >= INFINITE else 2.0 * load / (load + SOURCE_RESISTANCE)


class SimulatedKeysight33522B(WaveformMemory):
    """A 33522B on a bench.

    Parameters
    ----------
    clock, rng, serial
        As for `ScpiDevice`.
    ports : mapping of int to PulsePort
        What each channel's terminal is wired to; a high impedance, so the programmed voltage arrives when
        the load is set to INF, and twice that when it is left at 50 ohm.
    """

    identity = "Keysight Technologies,33522B,{serial},5.03-3.15-2.00-58-00"
    real_format = "%+.15E"
    integer_format = "%+d"
    error_capacity = 20

    function = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion",
        Choice("SIN", ("SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARB", "DC")),
    )
    period = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion:PULSe:PERiod", Numeric(1e-3, SHORTEST_PERIOD, 1e6, unit="S")
    )
    width = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion:PULSe:WIDTh", Numeric(1e-4, SHORTEST_WIDTH, 1e6, unit="S")
    )
    leading = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition:LEADing",
        Numeric(1e-8, SHORTEST_EDGE, LONGEST_EDGE, unit="S"),
    )
    trailing = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition:TRAiling",
        Numeric(1e-8, SHORTEST_EDGE, LONGEST_EDGE, unit="S"),
    )
    high = IndexedSetting("[:SOURce[1|2]]:VOLTage:HIGH", Numeric(0.05, unit="V"))
    low = IndexedSetting("[:SOURce[1|2]]:VOLTage:LOW", Numeric(-0.05, unit="V"))
    range_auto = IndexedSetting("[:SOURce[1|2]]:VOLTage:RANGe:AUTO", Boolean(True))
    limit_high = IndexedSetting("[:SOURce[1|2]]:VOLTage:LIMit:HIGH", Numeric(10.0, -10.0, 10.0, unit="V"))
    limit_low = IndexedSetting("[:SOURce[1|2]]:VOLTage:LIMit:LOW", Numeric(-10.0, -10.0, 10.0, unit="V"))
    limited = IndexedSetting("[:SOURce[1|2]]:VOLTage:LIMit:STATe", Boolean(False))
    bursting = IndexedSetting("[:SOURce[1|2]]:BURSt:STATe", Boolean(False))
    burst_mode = IndexedSetting("[:SOURce[1|2]]:BURSt:MODE", Choice("TRIG", ("TRIGgered", "GATed")))
    cycles = IndexedSetting(
        "[:SOURce[1|2]]:BURSt:NCYCles", Numeric(1.0, 1.0, 1e8, names={"INFinity": INFINITE})
    )
    output_on = IndexedSetting(":OUTPut[1|2][:STATe]", Boolean(False))
    load = IndexedSetting(
        ":OUTPut[1|2]:LOAD", Numeric(50.0, 1.0, 1e4, unit="OHM", names={"INFinity": INFINITE})
    )
    polarity = IndexedSetting(":OUTPut[1|2]:POLarity", Choice("NORM", ("NORMal", "INVerted")))
    trigger_source = IndexedSetting(
        ":TRIGger[1|2]:SOURce", Choice("IMM", ("IMMediate", "EXTernal", "TIMer", "BUS"))
    )
    trigger_delay = IndexedSetting(":TRIGger[1|2]:DELay", Numeric(0.0, 0.0, 1e3, unit="S"))

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        ports: Mapping[int, PulsePort],
        *,
        serial: str = "SIM00000",
    ) -> None:
        super().__init__(clock, rng, serial=serial)
        self.ports = ports
        self.reset()

    def reset(self) -> None:
        """Power-on state: sine, outputs off, no waveforms in memory."""
        self._loads = dict(self.load)
        super().reset()

    def format_error(self, error: QueuedError) -> str:
        """Write ``+0,"No error"``."""
        return f'{error.code:+d},"{error.text}"'

    # --- what fits together ---

    @width.check
    def _check_width(self, channel: int, seconds: float) -> None:
        self._check_pulse(channel, seconds, self.period[channel])

    @period.check
    def _check_period(self, channel: int, seconds: float) -> None:
        self._check_pulse(channel, self.width[channel], seconds)

    def _check_pulse(self, channel: int, width: float, period: float) -> None:
        if width > period - SHORTEST_WIDTH * (1 - 1e-9):
            raise ScpiError(-221, "pulse width does not fit the period")
        if max(self.leading[channel], self.trailing[channel]) > 0.625 * width * (1 + 1e-9):
            raise ScpiError(-221, "edge time does not fit the pulse width")

    @leading.check
    @trailing.check
    def _check_edge(self, channel: int, seconds: float) -> None:
        if seconds > 0.625 * self.width[channel] * (1 + 1e-9):
            raise ScpiError(-221, "edge time does not fit the pulse width")

    @high.check
    def _check_high(self, channel: int, volts: float) -> None:
        self._check_levels(channel, volts, self.low[channel])

    @low.check
    def _check_low(self, channel: int, volts: float) -> None:
        self._check_levels(channel, self.high[channel], volts)

    def _check_levels(self, channel: int, high: float, low: float) -> None:
        factor = load_factor(self.load[channel])
        if max(abs(high), abs(low)) > 5.0 * factor * (1 + 1e-9):
            raise ScpiError(-222)
        if high - low < 1e-3 * factor * (1 - 1e-9):
            raise ScpiError(-221, "high level must exceed low level")
        if self.limited[channel] and not (
            self.limit_low[channel] <= low and high <= self.limit_high[channel]
        ):
            raise ScpiError(-222, "voltage limit")

    @limited.check
    def _check_limited(self, channel: int, on: bool) -> None:
        if on and not (
            self.limit_low[channel] <= self.low[channel] and self.high[channel] <= self.limit_high[channel]
        ):
            raise ScpiError(-221, "signal exceeds the limits")

    @limit_high.check
    def _check_limit_high(self, channel: int, volts: float) -> None:
        if self.limited[channel] and volts < self.high[channel]:
            raise ScpiError(-221, "signal exceeds the limits")

    @limit_low.check
    def _check_limit_low(self, channel: int, volts: float) -> None:
        if self.limited[channel] and volts > self.low[channel]:
            raise ScpiError(-221, "signal exceeds the limits")

    @load.on_change
    def _load_changed(self, channel: int, ohms: float) -> None:
        """Restate the levels for the new load: the signal itself stays."""
        ratio = load_factor(ohms) / load_factor(self._loads[channel])
        self._loads[channel] = ohms
        self.high[channel] *= ratio
        self.low[channel] *= ratio

    # --- other ways to say the same ---

    @command(
        "[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition[:BOTH]",
        Numeric(1e-8, SHORTEST_EDGE, LONGEST_EDGE, unit="S"),
    )
    def _set_edges(self, channel: int, seconds: float) -> None:
        self._check_edge(channel, seconds)
        self.leading[channel] = self.trailing[channel] = seconds

    @query("[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition[:BOTH]")
    def _query_edges(self, channel: int) -> str:
        return self.real(self.leading[channel])

    @command("[:SOURce[1|2]]:FREQuency", Numeric(1e3, 1e-6, 30e6, unit="HZ"))
    def _set_frequency(self, channel: int, hertz: float) -> None:
        self._check_pulse(channel, self.width[channel], 1.0 / hertz)
        self.period[channel] = 1.0 / hertz

    @query("[:SOURce[1|2]]:FREQuency")
    def _query_frequency(self, channel: int) -> str:
        return self.real(1.0 / self.period[channel])

    @command("[:SOURce[1|2]]:VOLTage", Numeric(0.1, 0.0, 20.0, unit="VPP"))
    def _set_amplitude(self, channel: int, volts: float) -> None:
        middle = (self.high[channel] + self.low[channel]) / 2
        self._set_levels(channel, middle + volts / 2, middle - volts / 2)

    @query("[:SOURce[1|2]]:VOLTage")
    def _query_amplitude(self, channel: int) -> str:
        return self.real(self.high[channel] - self.low[channel])

    @command("[:SOURce[1|2]]:VOLTage:OFFSet", Numeric(0.0, -10.0, 10.0, unit="V"))
    def _set_offset(self, channel: int, volts: float) -> None:
        half = (self.high[channel] - self.low[channel]) / 2
        self._set_levels(channel, volts + half, volts - half)

    @query("[:SOURce[1|2]]:VOLTage:OFFSet")
    def _query_offset(self, channel: int) -> str:
        return self.real((self.high[channel] + self.low[channel]) / 2)

    def _set_levels(self, channel: int, high: float, low: float) -> None:
        self._check_levels(channel, high, low)
        self.high[channel], self.low[channel] = high, low

    # --- pulses ---

    def idle_voltage(self, channel: int) -> float:
        """Return the open-circuit voltage between pulses: the low level, or the high one when inverted."""
        if not self.output_on[channel]:
            return 0.0
        return self._open_circuit(
            channel, self.low[channel] if self.polarity[channel] == "NORM" else self.high[channel]
        )

    def _open_circuit(self, channel: int, volts: float) -> float:
        return volts * 2.0 / load_factor(self.load[channel])

    def on_trigger(self) -> None:
        """Fire every channel that waits for the bus; advances the clock to the end of the bursts."""
        armed = [channel for channel in (1, 2) if self._armed(channel)]
        if not armed:
            raise ScpiError(-211)
        duration = 0.0
        for channel in armed:
            duration = max(duration, self.trigger_delay[channel] + self._fire(channel))
        self.clock.advance(duration)

    def _armed(self, channel: int) -> bool:
        return (
            self.trigger_source[channel] == "BUS"
            and self.bursting[channel]
            and self.burst_mode[channel] == "TRIG"
        )

    def _fire(self, channel: int) -> float:
        """Deliver one burst; returns how long it takes, s."""
        cycles = self.cycles[channel]
        if cycles >= INFINITE:
            raise ScpiError(-221, "an endless burst does not end on the virtual clock")
        period = self.period[channel]
        port = self.ports.get(channel)
        if port is not None and self.output_on[channel] and self.function[channel] == "PULS":
            active = self.high if self.polarity[channel] == "NORM" else self.low
            port.pulse(self._open_circuit(channel, active[channel]), self.width[channel], period, int(cycles))
        return period * cycles

    @command(":TRIGger[1|2]")
    def _trigger_channel(self, channel: int) -> None:
        if not self.bursting[channel]:
            raise ScpiError(-211)
        self.clock.advance(self._fire(channel))

    @command(":ABORt")
    def _abort(self) -> None:
        """Nothing runs between two messages on the virtual clock."""
