"""What the simulated pulse generators share: levels that mean volts at a load, and bursts that leave the terminals.

A model declares the settings with the headers of its manual, and says what fits together. What a waveform without
bursts would put on the terminals is not simulated: its ports carry the pulses of triggered bursts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from instruments.simulated.clock import VirtualClock
from instruments.simulated.ports import PulsePort
from instruments.simulated.pulse_amplitude import UNITS, in_unit, peak_to_peak
from instruments.simulated.scpi import IndexedSetting, ScpiDevice, ScpiError
from instruments.simulated.scpi_parameters import Choice, Numeric
from instruments.simulated.stored_waveforms import Excursion, excursions, repeated

CHANNELS = (1, 2)
INFINITE = 9.9e37
SOURCE_RESISTANCE = 50.0


def load_factor(load: float) -> float:
    """Return volts at `load` (ohm) per volt into 50 ohm: 1 into 50 ohm, 2 into an open circuit."""
    return 2.0 if load >= INFINITE else 2.0 * load / (load + SOURCE_RESISTANCE)


class PulseOutputs(ScpiDevice):
    """The output stage of a two-channel generator.

    Parameters
    ----------
    clock, rng, serial
        As for `ScpiDevice`.
    ports : mapping of int to PulsePort
        What each channel's terminal is wired to; a high impedance, so the programmed voltage arrives when
        the load is set to INF, and twice that when it is left at 50 ohm.
    """

    rms: ClassVar[Mapping[str, float]] = {}
    """V rms of 1 Vpp, for each waveform whose amplitude has other units than VPP."""

    # The model's, each by channel.
    function: IndexedSetting[str]
    high: IndexedSetting[float]
    low: IndexedSetting[float]
    width: IndexedSetting[float]
    period: IndexedSetting[float]
    bursting: IndexedSetting[bool]
    cycles: IndexedSetting[float]
    output_on: IndexedSetting[bool]
    load: IndexedSetting[float]

    unit = IndexedSetting("[:SOURce[1|2]]:VOLTage:UNIT", Choice("VPP", UNITS))
    limit_high = IndexedSetting("[:SOURce[1|2]]:VOLTage:LIMit:HIGH", Numeric(10.0, -10.0, 10.0, unit="V"))
    limit_low = IndexedSetting("[:SOURce[1|2]]:VOLTage:LIMit:LOW", Numeric(-10.0, -10.0, 10.0, unit="V"))
    burst_mode = IndexedSetting("[:SOURce[1|2]]:BURSt:MODE", Choice("TRIG", ("TRIGgered", "GATed")))
    polarity = IndexedSetting(":OUTPut[1|2]:POLarity", Choice("NORM", ("NORMal", "INVerted")))

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
        """Power-on state; ``*RST`` has restored the settings."""
        super().reset()
        self._loads = dict(self.load)

    def adjusted(self, what: str) -> None:
        """Report that a setting made another one change."""
        self.push_error(-221, what)

    # --- levels ---

    def least_amplitude(self, channel: int) -> float:
        """Return the least difference of high and low level, V at the load."""
        return 1e-3 * load_factor(self.load[channel])

    def highest_level(self, channel: int) -> float:
        """Return how far from 0 V a level may be, V at the load."""
        return 5.0 * load_factor(self.load[channel])

    def most_amplitude(self, channel: int) -> float:
        """Return the largest difference of high and low level, V at the load."""
        return 2.0 * self.highest_level(channel)

    def limits_hold(self, channel: int) -> bool:
        """Tell whether the channel's voltage limits are in force."""
        return True

    def amplitude(self, channel: int) -> float:
        """Return high minus low level, V at the load."""
        return self.high[channel] - self.low[channel]

    def offset(self, channel: int) -> float:
        """Return the middle between the levels, V at the load."""
        return (self.high[channel] + self.low[channel]) / 2

    def restate(self, channel: int, ohms: float) -> None:
        """Restate the levels for a new load: the signal itself stays."""
        ratio = load_factor(ohms) / load_factor(self._loads[channel])
        self._loads[channel] = ohms
        self.high[channel] *= ratio
        self.low[channel] *= ratio

    @limit_high.check
    def _check_limit_high(self, channel: int, volts: float) -> None:
        if self.limits_hold(channel) and volts < self.high[channel]:
            raise ScpiError(-221, "signal exceeds the limits")

    @limit_low.check
    def _check_limit_low(self, channel: int, volts: float) -> None:
        if self.limits_hold(channel) and volts > self.low[channel]:
            raise ScpiError(-221, "signal exceeds the limits")

    # --- units of the amplitude ---

    @unit.check
    def check_unit(self, channel: int, unit: str) -> None:
        """Refuse a unit that the waveform, or a load that takes no power, does not have."""
        if unit != "VPP" and self.function[channel] not in self.rms:
            raise ScpiError(-221, "this waveform's amplitude is in Vpp")
        if unit == "DBM" and self.load[channel] >= INFINITE:
            raise ScpiError(-221, "amplitude units are Vpp due to high-Z load")

    def peak_to_peak(self, channel: int, value: float, unit: str) -> float:
        """Return V peak to peak of an amplitude in `unit`, or in the channel's when that is empty."""
        unit = unit or self.unit[channel]
        self.check_unit(channel, unit)
        return peak_to_peak(value, unit, self.rms.get(self.function[channel], 0.5), self.load[channel])

    def amplitude_in_unit(self, channel: int) -> str:
        """Write the amplitude in the channel's unit."""
        rms = self.rms.get(self.function[channel], 0.5)
        return self.real(in_unit(self.amplitude(channel), self.unit[channel], rms, self.load[channel]))

    # --- terminals ---

    def idle_voltage(self, channel: int) -> float:
        """Return the open-circuit voltage between pulses: the low level, or the high one when inverted."""
        if not self.output_on[channel]:
            return 0.0
        levels = self.low if self.polarity[channel] == "NORM" else self.high
        return self._open_circuit(channel, levels[channel])

    def _open_circuit(self, channel: int, volts: float) -> float:
        return volts * 2.0 / load_factor(self.load[channel])

    def triggers_burst(self, channel: int) -> bool:
        """Tell whether a trigger lets a counted burst out of a channel's generator."""
        return self.bursting[channel] and self.burst_mode[channel] == "TRIG"

    def fire(self, delays: Mapping[int, float]) -> None:
        """Let a burst out of each channel named, so long (s) after the trigger; time passes until all are over."""
        if not delays:
            raise ScpiError(-211)
        if any(self.cycles[channel] >= INFINITE for channel in delays):
            raise ScpiError(-221, "an endless burst does not end on the virtual clock")
        self.clock.advance(max(delay + self._deliver(channel) for channel, delay in delays.items()))

    def _deliver(self, channel: int) -> float:
        """Put one burst on the terminal; returns how long it takes, s."""
        count, cycle = int(self.cycles[channel]), self.cycle(channel)
        port = self.ports.get(channel)
        if port is not None and self.output_on[channel]:
            for volts, seconds, times in repeated(self.excursions(channel, cycle), count):
                if volts:
                    port.pulse(self._open_circuit(channel, volts), seconds, cycle, times)
        return cycle * count

    def cycle(self, channel: int) -> float:
        """Return how long one cycle of a burst takes, s."""
        return self.period[channel]

    def excursions(self, channel: int, cycle: float) -> list[Excursion]:
        """Return the levels that a cycle of so many seconds reaches, in V at the load.

        Pulses are exact, and so are stored waveforms; of another one the terminal sees half a cycle at either peak.
        """
        high, low = self.high[channel], self.low[channel]
        if self.function[channel] == "PULS":
            level = high if self.polarity[channel] == "NORM" else low
            return [Excursion(level, self.width[channel])]
        found: list[Excursion] = []
        for fractions, share, times in self.stored(channel):
            upright = fractions if self.polarity[channel] == "NORM" else -fractions
            volts = (high + low) / 2 + (high - low) / 2 * upright
            found += repeated(excursions(volts, share * cycle / times), times)
        return found or [Excursion(level, cycle / 2) for level in (high, low)]

    def stored(self, channel: int) -> list[tuple[NDArray[np.float64], float, int]]:
        """Return the stored waveforms that a cycle plays; none where the waveform is not a stored one.

        Of each the samples, -1 for the low level to 1 for the high one, its share of the cycle, and how often it is played.
        """
        return []
