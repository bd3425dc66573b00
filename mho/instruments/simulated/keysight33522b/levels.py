"""Levels of the simulated 33522B: what does not fit is adjusted, and reported as a conflict.

33500 Series Operating and Service Guide, 33500-90901, pp 61, 215 and 324. (?) the least amplitude at loads between
50 ohm and an open line, V rms of noise and of arbitrary waveforms, and that DC keeps the amplitude for the next
waveform.
"""

from __future__ import annotations

import math

from mho.instruments.simulated.generators.amplitude import Amplitude
from mho.instruments.simulated.generators.pulse_outputs import INFINITE, PulseOutputs
from mho.instruments.simulated.keysight33522b.numbers import Clipped
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import Boolean, Numeric


def _highest(device: PulseOutputs, channel: int) -> float:
    return device.highest_level(channel)


def _lowest(device: PulseOutputs, channel: int) -> float:
    return -device.highest_level(channel)


class OutputLevels(PulseOutputs):
    """High and low level, amplitude and offset, the limits on them, and the load they refer to."""

    rms = {
        "SIN": 1 / math.sqrt(8), "SQU": 0.5, "PULS": 0.5, "PRBS": 0.5, "TRI": 1 / math.sqrt(12),
        "RAMP": 1 / math.sqrt(12), "NOIS": 0.11, "ARB": 0.5,
    }  # fmt: skip

    high = IndexedSetting("[:SOURce[1|2]]:VOLTage:HIGH", Clipped(0.05, _lowest, _highest, unit="V"))
    low = IndexedSetting("[:SOURce[1|2]]:VOLTage:LOW", Clipped(-0.05, _lowest, _highest, unit="V"))
    range_auto = IndexedSetting("[:SOURce[1|2]]:VOLTage:RANGe:AUTO", Boolean(True))
    limited = IndexedSetting("[:SOURce[1|2]]:VOLTage:LIMit:STATe", Boolean(False))
    load = IndexedSetting(
        ":OUTPut[1|2]:LOAD", Clipped(50.0, 1.0, 1e4, unit="OHM", names={"INFinity": INFINITE})
    )

    def limits_hold(self, channel: int) -> bool:
        """Return whether the channel's voltage limits are in force."""
        return self.limited[channel]

    def _bounds(self, channel: int) -> tuple[float, float, float]:
        """Return the lowest and the highest level allowed, and their least distance, V at the load."""
        least = self.least_amplitude(channel)
        if self.limited[channel]:
            return self.limit_low[channel], self.limit_high[channel], least
        return -self.highest_level(channel), self.highest_level(channel), least

    @high.on_change
    def _high_changed(self, channel: int, volts: float) -> None:
        if not self.limited[channel] and volts - self.low[channel] >= self.least_amplitude(channel):
            return  # frequent commands of a pulse program
        lowest, highest, least = self._bounds(channel)
        high = _clamped(volts, lowest + least, highest)
        self._keep(channel, high, _clamped(self.low[channel], lowest, high - least))

    @low.on_change
    def _low_changed(self, channel: int, volts: float) -> None:
        lowest, highest, least = self._bounds(channel)
        low = _clamped(volts, lowest, highest - least)
        self._keep(channel, _clamped(self.high[channel], low + least, highest), low)

    def _set_levels(self, channel: int, high: float, low: float) -> None:
        self.low[channel], self.high[channel] = low, high
        self._high_changed(channel, high)

    def _keep(self, channel: int, high: float, low: float) -> None:
        """Store both levels; report when they are not those that were asked for."""
        slack = 1e-9 * self.highest_level(channel)
        if abs(high - self.high[channel]) > slack or abs(low - self.low[channel]) > slack:
            self.adjusted("levels changed to fit each other and the limits")
        self.high[channel], self.low[channel] = high, low

    @limited.check
    def _check_limited(self, channel: int, on: bool) -> None:
        high, low = self.reaches(channel)
        if on and not (self.limit_low[channel] <= low and high <= self.limit_high[channel]):
            raise ScpiError(-221, "signal exceeds the limits")

    # --- amplitude and offset ---

    @command("[:SOURce[1|2]]:VOLTage", Amplitude(0.1))
    def _set_amplitude(self, channel: int, volts: float) -> None:
        half = _clamped(volts, self.least_amplitude(channel), self.most_amplitude(channel)) / 2
        if abs(2 * half - volts) > 1e-9 * half:
            self.push_error(-222, "amplitude; value clipped to limit")
        if self.function[channel] == "DC":
            self._put_levels(channel, self.offset(channel), half)
            return
        room = self.highest_level(channel) - half
        middle = _clamped(self.offset(channel), -room, room)
        if abs(middle - self.offset(channel)) > 1e-9 * half:
            self.adjusted("offset changed due to amplitude")
        self._set_levels(channel, middle + half, middle - half)

    @query("[:SOURce[1|2]]:VOLTage")
    def _query_amplitude(self, channel: int) -> str:
        return self.amplitude_in_unit(channel)

    @command("[:SOURce[1|2]]:VOLTage:OFFSet", Numeric(0.0, unit="V"))
    def _set_offset(self, channel: int, volts: float) -> None:
        half = self.amplitude(channel) / 2
        if self.function[channel] == "DC":
            lowest, highest, _ = self._bounds(channel)
        else:
            highest = self.highest_level(channel) - half
            lowest = -highest
        middle = _clamped(volts, lowest, highest)
        if abs(middle - volts) > 1e-9 * self.highest_level(channel):
            self.push_error(-222, "offset; value clipped to limit")
        if self.function[channel] == "DC":
            self._put_levels(channel, middle, half)
        else:
            self._set_levels(channel, middle + half, middle - half)

    def _put_levels(self, channel: int, middle: float, half: float) -> None:
        """Store levels that DC does not reach."""
        self.high[channel], self.low[channel] = middle + half, middle - half

    def leave_dc(self, channel: int) -> None:
        """Make room for the amplitude, which DC lacks."""
        lowest, highest, _ = self._bounds(channel)
        half = min(self.amplitude(channel), highest - lowest) / 2
        middle = _clamped(self.offset(channel), lowest + half, highest - half)
        if self.high[channel] > highest or self.low[channel] < lowest:
            self._put_levels(channel, middle, half)
            self.adjusted("offset changed on exit from dc function")

    @query("[:SOURce[1|2]]:VOLTage:OFFSet")
    def _query_offset(self, channel: int) -> str:
        return self.real(self.offset(channel))

    # --- the load ---

    @load.check
    def _check_load(self, channel: int, ohms: float) -> None:
        if self.limited[channel] and ohms != self.load[channel]:
            raise ScpiError(-221, "load cannot change while voltage limits are on")

    @load.on_change
    def _load_changed(self, channel: int, ohms: float) -> None:
        self.restate(channel, ohms)
        if ohms >= INFINITE and self.unit[channel] == "DBM":
            self.unit[channel] = "VPP"
            self.adjusted("amplitude units changed to Vpp due to high-Z load")


def _clamped(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)
