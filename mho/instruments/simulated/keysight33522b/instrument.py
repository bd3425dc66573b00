"""The simulated Keysight 33522B: two channels of pulses, each fired as bursts by its own trigger or by a common one.

33500 Series Operating and Service Guide, 33500-90901, and data sheet. Not simulated, and refused as unknown:
modulation (AM, FM, PM, FSK, PWM, SUM), sweeps and lists beyond ``FREQ:MODE``, ``APPLy``, ``UNIT:ANGL``, coupling
of the channels, gated output and mass memory. Nothing is connected to the trigger inputs: a burst with the external
source waits, and a gated one runs with the inverted gate only (?).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.generators.pulse_outputs import CHANNELS, INFINITE
from mho.instruments.simulated.keysight33522b.levels import OutputLevels
from mho.instruments.simulated.keysight33522b.numbers import Clipped
from mho.instruments.simulated.keysight33522b.timing import WaveformTiming
from mho.instruments.simulated.keysight33522b.waveforms import FULL_SCALE, WaveformMemory
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiError, Setting, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Text
from mho.instruments.simulated.scpi.status import QueuedError

NOT_BURST = ("DC", "NOIS")  # noise is gated only (BURSt subsystem, introduction)
BETWEEN_BURSTS = 1e-6  # s, that the burst period leaves


class SimulatedKeysight33522B(OutputLevels, WaveformTiming, WaveformMemory):
    """A 33522B on a bench; constructed as `PulseOutputs`."""

    identity = "Keysight Technologies,33522B,{serial},5.03-3.15-2.00-58-00"
    real_format = "%+.15E"
    integer_format = "%+d"
    error_capacity = 20

    frequency_mode = IndexedSetting(
        "[:SOURce[1|2]]:FREQuency:MODE", Choice("CW", ("CW", "LIST", "SWEep", "FIXed"))
    )
    bursting = IndexedSetting("[:SOURce[1|2]]:BURSt:STATe", Boolean(False))
    cycles = IndexedSetting(
        "[:SOURce[1|2]]:BURSt:NCYCles", Clipped(1.0, 1.0, 1e8, integer=True, names={"INFinity": INFINITE})
    )
    burst_period = IndexedSetting("[:SOURce[1|2]]:BURSt:INTernal:PERiod", Clipped(1e-2, 1e-6, 8e3, unit="S"))
    burst_phase = IndexedSetting("[:SOURce[1|2]]:BURSt:PHASe", Clipped(0.0, -360.0, 360.0))
    gate_polarity = IndexedSetting(
        "[:SOURce[1|2]]:BURSt:GATE:POLarity", Choice("NORM", ("NORMal", "INVerted"))
    )
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
        self._fire([n for n in CHANNELS if self.trigger_source[n] == "BUS" and self.triggers_burst(n)])

    @command(":TRIGger[1|2]")
    def _trigger_channel(self, channel: int) -> None:
        """Fire one channel, whatever its source."""
        self.fire({channel: self.trigger_delay[channel]} if self.triggers_burst(channel) else {})

    def _fire(self, channels: list[int]) -> None:
        self.fire({channel: self.trigger_delay[channel] for channel in channels})

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
            return (
                sum(len(samples) * times for samples, times in self.played(channel))
                / self.sample_rate[channel]
            )
        return super().cycle(channel)

    def stored(self, channel: int) -> list[tuple[NDArray[np.float64], float, int]]:
        """Return the waveforms that the chosen one, or sequence, consists of."""
        if self.function[channel] != "ARB":
            return []
        played = self.played(channel)
        total = sum(len(samples) * times for samples, times in played)
        return [(samples / FULL_SCALE, len(samples) * times / total, times) for samples, times in played]

    @command(":ABORt")
    def _abort(self) -> None:
        """End the bursts that have no end; others are over when their command is done."""
        self._endless.clear()

    # --- the front panel ---

    @command(":DISPlay:TEXT:CLEar")
    def _clear_message(self) -> None:
        self.message = ""

    @command(":SYSTem:BEEPer[:IMMediate]")
    def _beep(self) -> None:
        """Do nothing: there is no beeper."""
