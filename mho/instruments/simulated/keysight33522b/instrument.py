"""The simulated Keysight 33522B and 33622A: two channels of pulses, each fired as bursts by its own trigger or a common
one.

33500 and 33600 Series Operating and Service Guide, 33500-90901 (pp 61, 69, 215, 219 and 324), and data sheets. What does
not fit is adjusted, and reported as a conflict. Not simulated, and refused as unknown: modulation (AM, FM, PM, FSK, PWM,
SUM), sweeps and lists beyond ``FREQ:MODE``, ``APPLy``, ``UNIT:ANGL``, coupling of the channels, gated output and mass
memory. Nothing is connected to the trigger inputs: a burst with the external source waits, and a gated one runs with the
inverted gate only (?). (?) from memory: the limits of the 33622A, the least amplitude at loads between 50 ohm and an open
line, V rms of noise and of arbitrary waveforms, that DC keeps the amplitude for the next waveform, how long an edge may be
for a given width (0.625 of it), and the highest frequencies of triangles, ramps and noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.generators import CHANNELS, INFINITE, Amplitude, PulseOutputs, source_setting
from mho.instruments.simulated.keysight33522b.waveforms import (
    FULL_SCALE,
    TEXTS,
    Clipped,
    MemoryAbilities,
    SequenceStep,
    WaveformMemory,
)
from mho.instruments.simulated.ports import PulsePort
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiDevice, ScpiError, Setting, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric, Text
from mho.instruments.simulated.scpi.status import QueuedError

LONGEST_PERIOD, LONGEST_EDGE = 1e6, 1e-6
EDGE_SHARE = 0.625  # share of the width, or of the rest of the period
SLACK = 1 + 1e-9
FUNCTIONS = ("SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARB", "DC")


# Limits by device and channel
def _least_duty(device: SimulatedKeysight33522B, channel: int) -> float:
    return max(0.01, 100.0 * device.shortest_width / device.period[channel])


def _highest_frequency(device: SimulatedKeysight33522B, channel: int) -> float:
    return device.highest_frequency.get(device.function[channel], device.highest_frequency["PULS"])


_EDGE = Clipped(1e-8, lambda device, channel: device.shortest_edge, LONGEST_EDGE, unit="S")
_DUTY = partial(Clipped, minimum=_least_duty, maximum=lambda *which: 100.0 - _least_duty(*which))
_LEVEL = partial(
    Clipped, unit="V",
    minimum=lambda device, channel: -device.highest_level(channel),
    maximum=lambda device, channel: device.highest_level(channel),
)  # fmt: skip


def _clamped(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)


NOT_BURST = ("DC", "NOIS")  # noise is gated only (BURSt subsystem, introduction)
BETWEEN_BURSTS = 1e-6  # s, that the burst period leaves


class SimulatedKeysight33522B(PulseOutputs, ScpiDevice):
    """A 33522B on a bench; constructed as `PulseOutputs`."""

    identity = "Keysight Technologies,33522B,{serial},5.03-3.15-2.00-58-00"
    real_format = "%+.15E"
    integer_format = "%+d"
    error_capacity = 20
    parts = (WaveformMemory,)
    memory_abilities: ClassVar[MemoryAbilities] = MemoryAbilities(1_000_000, 8, 2.5e8, 6.25e7)

    frequency_mode = source_setting("FREQuency:MODE", Choice("CW", ("CW", "LIST", "SWEep", "FIXed")))
    bursting = source_setting("BURSt:STATe", Boolean(False))
    cycles = source_setting(
        "BURSt:NCYCles", Clipped(1.0, 1.0, 1e8, integer=True, names={"INFinity": INFINITE})
    )
    burst_period = source_setting("BURSt:INTernal:PERiod", Clipped(1e-2, 1e-6, 8e3, unit="S"))
    burst_phase = source_setting("BURSt:PHASe", Clipped(0.0, -360.0, 360.0))
    gate_polarity = source_setting("BURSt:GATE:POLarity", Choice("NORM", ("NORMal", "INVerted")))
    output_on = IndexedSetting(":OUTPut[1|2][:STATe]", Boolean(False))
    trigger_source = IndexedSetting(
        ":TRIGger[1|2]:SOURce", Choice("IMM", ("IMMediate", "EXTernal", "TIMer", "BUS"))
    )
    trigger_slope = IndexedSetting(":TRIGger[1|2]:SLOPe", Choice("POS", ("POSitive", "NEGative")))
    trigger_count = IndexedSetting(":TRIGger[1|2]:COUNt", Clipped(1.0, 1.0, 1e6, integer=True))
    trigger_delay = IndexedSetting(":TRIGger[1|2]:DELay", Clipped(0.0, 0.0, 1e3, unit="S"))
    trigger_timer = IndexedSetting(":TRIGger[1|2]:TIMer", Clipped(1.0, 1e-6, 8e3, unit="S"))
    sync_on = Setting(":OUTPut:SYNC[:STATe]", Boolean(True))
    sync_source = Setting(":OUTPut:SYNC:SOURce", Choice("CH1", ("CH1", "CH2")))
    trigger_output = Setting(":OUTPut:TRIGger[:STATe]", Boolean(False))
    trigger_output_slope = Setting(":OUTPut:TRIGger:SLOPe", Choice("POS", ("POSitive", "NEGative")))
    trigger_output_source = Setting(":OUTPut:TRIGger:SOURce", Choice("CH1", ("CH1", "CH2")))
    message = Setting(":DISPlay:TEXT", Text())

    commands = {
        "[:SOURce[1|2]]:VOLTage?": lambda self, channel: self.amplitude_in_unit(channel),
        "[:SOURce[1|2]]:VOLTage:OFFSet?": lambda self, channel: self.real(self.offset(channel)),
        "[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition[:BOTH]?": lambda self, channel: self.real(
            self.leading[channel]
        ),
        "[:SOURce[1|2]]:FUNCtion:PULSe:DCYCle?": lambda self, channel: self.real(
            100.0 * self.width[channel] / self.period[channel]
        ),
        "[:SOURce[1|2]]:FREQuency?": lambda self, channel: self.real(1.0 / self.period[channel]),
        # Bursts start at their trigger: there is no phase to bring into step.
        "[:SOURce[1|2]]:PHASe:SYNChronize": lambda self, channel: None,
        ":TRIGger[1|2]": lambda self, channel: self._fire([channel]),  # whatever its source
        ":ABORt": lambda self: (
            self._endless.clear()
        ),  # bursts that have an end are over when their command is done
        ":DISPlay:TEXT:CLEar": lambda self: setattr(self, "message", ""),
        ":SYSTem:BEEPer[:IMMediate]": lambda self: None,
    }

    rms = {
        "SIN": 1 / math.sqrt(8), "SQU": 0.5, "PULS": 0.5, "PRBS": 0.5, "TRI": 1 / math.sqrt(12),
        "RAMP": 1 / math.sqrt(12), "NOIS": 0.11, "ARB": 0.5,
    }  # fmt: skip

    high = source_setting("VOLTage:HIGH", _LEVEL(0.05))
    low = source_setting("VOLTage:LOW", _LEVEL(-0.05))
    range_auto = source_setting("VOLTage:RANGe:AUTO", Boolean(True))
    limited = source_setting("VOLTage:LIMit:STATe", Boolean(False))
    load = IndexedSetting(
        ":OUTPut[1|2]:LOAD", Clipped(50.0, 1.0, 1e4, unit="OHM", names={"INFinity": INFINITE})
    )

    shortest_width: ClassVar[float] = 16e-9  # of a pulse, s
    shortest_edge: ClassVar[float] = 8.4e-9
    # By waveform, Hz; one that is missing goes as fast as pulses.
    highest_frequency: ClassVar[Mapping[str, float]] = {"PULS": 30e6, "TRI": 200e3, "RAMP": 200e3}

    function = source_setting("FUNCtion", Choice("SIN", FUNCTIONS))
    period = source_setting(
        "FUNCtion:PULSe:PERiod",
        Clipped(1e-3, lambda device, channel: 1 / device.highest_frequency["PULS"], LONGEST_PERIOD, unit="S"),
    )
    width = source_setting(
        "FUNCtion:PULSe:WIDTh",
        Clipped(1e-4, lambda device, channel: device.shortest_width, LONGEST_PERIOD, unit="S"),
    )
    leading = source_setting("FUNCtion:PULSe:TRANsition:LEADing", _EDGE)
    trailing = source_setting("FUNCtion:PULSe:TRANsition:TRAiling", _EDGE)
    hold = source_setting("FUNCtion:PULSe:HOLD", Choice("WIDT", ("WIDTh", "DCYCle")))
    square_duty = source_setting("FUNCtion:SQUare:DCYCle", _DUTY(50.0))
    symmetry = source_setting("FUNCtion:RAMP:SYMMetry", Clipped(100.0, 0.0, 100.0))
    phase = source_setting("PHASe", Clipped(0.0, -360.0, 360.0))

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, ports: Mapping[int, PulsePort], *,
        serial: str = "SIM00000",
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, ports, serial=serial)
        self.memory = WaveformMemory(self, self.memory_abilities)

    @property
    def waveforms(self) -> dict[int, dict[str, NDArray[np.int16]]]:
        """The stored waveforms of each channel, by name."""
        return self.memory.waveforms

    @property
    def sequences(self) -> dict[int, dict[str, list[SequenceStep]]]:
        """The stored sequences of each channel, by name."""
        return self.memory.sequences

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with those of waveform memory."""
        return TEXTS

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

    def _put(self, channel: int, middle: float, half: float) -> None:
        """Store levels that DC does not reach."""
        self.high[channel], self.low[channel] = middle + half, middle - half

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
            self._put(channel, self.offset(channel), half)
            return
        room = self.highest_level(channel) - half
        middle = _clamped(self.offset(channel), -room, room)
        if abs(middle - self.offset(channel)) > 1e-9 * half:
            self.adjusted("offset changed due to amplitude")
        self._set_levels(channel, middle + half, middle - half)

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
            self._put(channel, middle, half)
        else:
            self._set_levels(channel, middle + half, middle - half)

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

    # --- what fits together ---

    @width.on_change
    def _width_changed(self, channel: int, seconds: float) -> None:
        self._fit_pulse(channel, "width")

    @leading.on_change
    @trailing.on_change
    def _edge_changed(self, channel: int, seconds: float) -> None:
        self._fit_pulse(channel, "edge")

    def _fit_pulse(self, channel: int, asked: str = "") -> None:
        """Adjust edges to the width, and the width to the period.

        Without pulses on the output an error is queued only for the setting that was `asked` for (?).
        """
        fields = ("width", "edge") if self.function[channel] == "PULS" else (asked,)
        period = self.period[channel]
        width = min(max(self.width[channel], self.shortest_width), period - self.shortest_width)
        if abs(width - self.width[channel]) > 1e-9 * width and "width" in fields:
            self.adjusted("pulse width changed due to period")
        longest = EDGE_SHARE * min(width, period - width)
        if max(self.leading[channel], self.trailing[channel]) > longest * SLACK and "edge" in fields:
            self.adjusted("edge time decreased due to pulse width")
        self.width[channel] = width
        for edges in (self.leading, self.trailing):
            edges[channel] = min(edges[channel], longest * SLACK)

    @period.check
    def _hold_duty(self, channel: int, seconds: float) -> None:
        if self.hold[channel] == "DCYC":
            self.width[channel] *= seconds / self.period[channel]

    @period.on_change
    def _period_changed(self, channel: int, seconds: float) -> None:
        self._fit_pulse(channel)
        self.timing_changed(channel)

    @function.on_change
    def _function_changed(self, channel: int, function: str) -> None:
        if 1.0 / self.period[channel] > _highest_frequency(self, channel) * SLACK:
            self.period[channel] = 1.0 / _highest_frequency(self, channel)
            self.adjusted("frequency reduced for the new function")
        if function == "PULS":
            self._fit_pulse(channel)
        if function != "DC" and self.leave_dc(channel, *self._bounds(channel)[:2]):
            self.adjusted("offset changed on exit from dc function")
        if function not in self.rms:
            self.unit[channel] = "VPP"
        self.timing_changed(channel)

    # --- other ways to say the same ---

    @command("[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition[:BOTH]", _EDGE)
    def _set_edges(self, channel: int, seconds: float) -> None:
        self.leading[channel] = self.trailing[channel] = seconds
        self._fit_pulse(channel, "edge")

    @command("[:SOURce[1|2]]:FUNCtion:PULSe:DCYCle", _DUTY(10.0))
    def _set_duty(self, channel: int, percent: float) -> None:
        self.width[channel] = percent / 100.0 * self.period[channel]
        self._fit_pulse(channel, "width")

    @command("[:SOURce[1|2]]:FREQuency", Clipped(1e3, 1 / LONGEST_PERIOD, _highest_frequency, unit="HZ"))
    def _set_frequency(self, channel: int, hertz: float) -> None:
        self._hold_duty(channel, 1.0 / hertz)
        self.period[channel] = 1.0 / hertz
        if self.function[channel] == "PULS":
            self._fit_pulse(channel)
        self.timing_changed(channel)

    def format_error(self, error: QueuedError) -> str:
        """Write ``+0,"No error"``."""
        return f'{error.code:+d},"{error.text}"'

    # --- what fits together ---

    @bursting.check
    def _check_bursting(self, channel: int, on: bool) -> None:
        gated = self.function[channel] == "NOIS" and self.burst_mode[channel] == "GAT"
        if on and self.function[channel] in NOT_BURST and not gated:
            raise ScpiError(-221, "not able to burst this function")

    @bursting.on_change
    def _bursting_changed(self, channel: int, on: bool) -> None:
        self._endless.discard(channel)
        if on and self.frequency_mode[channel] in ("LIST", "SWE"):
            self.frequency_mode[channel] = "CW"
            self.adjusted("sweep turned off by selection of other mode or modulation")
        self.timing_changed(channel)

    def timing_changed(self, channel: int) -> None:
        """Adjust a burst to the waveform, and its period to the burst (p 177)."""
        if not self.bursting[channel]:
            return
        if self.function[channel] in NOT_BURST and self.burst_mode[channel] == "TRIG":
            self.bursting[channel] = False
            self.adjusted("not able to burst this function")
            return
        least = self.cycles[channel] * self.period[channel] + BETWEEN_BURSTS
        by_itself = self.trigger_source[channel] == "IMM" and self.burst_mode[channel] == "TRIG"
        if by_itself and self.burst_period[channel] < least <= 8e3:
            self.burst_period[channel] = least
            self.adjusted("burst period increased to fit entire burst")

    @cycles.on_change
    @burst_period.on_change
    def _burst_changed(self, channel: int, value: float) -> None:
        self._endless.discard(channel)
        self.timing_changed(channel)

    @frequency_mode.on_change
    def _frequency_mode_changed(self, channel: int, mode: str) -> None:
        if mode in ("LIST", "SWE") and self.bursting[channel]:
            self.bursting[channel] = False
            self.adjusted("burst turned off by selection of other mode or modulation")

    @trigger_source.on_change
    def _trigger_source_changed(self, channel: int, source: str) -> None:
        if source == "EXT" and self.trigger_output:
            self.trigger_output = False
            self.adjusted("trigger output disabled by trigger external")
        self.timing_changed(channel)

    @trigger_output.check
    def _check_trigger_output(self, on: bool) -> None:
        if on and "EXT" in self.trigger_source.values():
            raise ScpiError(-221, "trigger output disabled by trigger external")

    # --- triggers ---

    def on_trigger(self) -> None:
        """Fire every channel that waits for the bus; advances the clock to the end of the bursts."""
        self._fire([channel for channel in CHANNELS if self.trigger_source[channel] == "BUS"])

    def _fire(self, channels: list[int]) -> None:
        self.fire({n: self.trigger_delay[n] for n in channels if self.triggers_burst(n)})

    def fires_every(self, channel: int) -> float:
        """Return the time to the next automatic burst, s; 0 when its gate is open, infinite when it waits for a trigger."""
        if self.burst_mode[channel] == "GAT":
            return 0.0 if self.gate_polarity[channel] == "INV" else math.inf
        source = self.trigger_source[channel]
        if source == "IMM":
            return self.burst_period[channel]
        return self.trigger_timer[channel] if source == "TIM" else math.inf

    def high_share(self, channel: int) -> float:
        """Return the duty cycle of a square wave; other waveforms are at either peak for half a cycle."""
        return self.square_duty[channel] / 100.0 if self.function[channel] == "SQU" else 0.5

    def cycle(self, channel: int) -> float:
        """Return how long one cycle of a burst takes, s."""
        if self.function[channel] == "ARB":
            played = self.memory.played(channel)
            return sum(len(samples) * times for samples, times in played) / self.memory.sample_rate[channel]
        return super().cycle(channel)

    def stored(self, channel: int) -> list[tuple[NDArray[np.float64], float, int]]:
        """Return the waveforms that the chosen one, or sequence, consists of."""
        if self.function[channel] != "ARB":
            return []
        played = self.memory.played(channel)
        total = sum(len(samples) * times for samples, times in played)
        return [(samples / FULL_SCALE, len(samples) * times / total, times) for samples, times in played]


class SimulatedKeysight33622A(SimulatedKeysight33522B):
    """A 33622A on a bench; constructed as `PulseOutputs`."""

    identity = "Keysight Technologies,33622A,{serial},A.02.03-3.15-03-64-02"
    shortest_width = 5e-9
    shortest_edge = 2.9e-9
    highest_frequency = {"SIN": 120e6, "SQU": 120e6, "PULS": 100e6, "TRI": 800e3, "RAMP": 800e3}
    memory_abilities = MemoryAbilities(4_000_000, 32, 1e9, 2.5e8)
