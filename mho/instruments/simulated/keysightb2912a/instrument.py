"""The simulated Keysight B2912A: two source-measure channels on one trigger system.

B2900 Series SCPI Command Reference, B2910-90030, edition 2. (?) from memory: that a list ends at the immediate
level, and how long a point takes beside its delays and its aperture.
"""

from __future__ import annotations

import numpy as np

from mho.instruments.simulated.keysightb2912a.channels import SourceChannels
from mho.instruments.simulated.keysightb2912a.data import CHANNELS, ELEMENTS
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import Choice, Numeric

MEASURED = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
SETTLING = 2e-4  # s from a new level to the earliest measurement
OVERHEAD = 1e-4  # s a point takes beside


class SimulatedKeysightB2912A(SourceChannels):
    """A B2912A on a bench.

    Parameters
    ----------
    clock, rng, serial
        As for `ScpiDevice`.
    outputs : mapping of int to SourcePort
        What the terminals of channels 1 and 2 are wired to.
    accuracy : float
        Standard deviation of this specimen's gain and offset errors as a fraction of the specification.
    noise : float
        Standard deviation of a current at 1 NPLC as a fraction of the measurement range.
    interlock : bool
        Whether the interlock is closed, which more than 42 V need.
    """

    identity = "Keysight Technologies,B2912A,{serial},3.4.2011.5100"

    count = IndexedSetting(":TRIGger[1|2][:ALL]:COUNt", Numeric(1, 1, 1e5, integer=True))
    trigger_source = IndexedSetting(
        ":TRIGger[1|2][:ALL]:SOURce[:SIGNal]", Choice("AINT", ("AINTernal", "BUS", "TIMer"))
    )
    timer = IndexedSetting(":TRIGger[1|2][:ALL]:TIMer", Numeric(1e-5, 1e-5, 1e5, unit="S"))
    source_delay = IndexedSetting(":TRIGger[1|2]:TRANsient:DELay", Numeric(0.0, 0.0, 1e5, unit="S"))
    acquire_delay = IndexedSetting(":TRIGger[1|2]:ACQuire:DELay", Numeric(0.0, 0.0, 1e5, unit="S"))

    def reset(self) -> None:
        """Power-on state: 0 V, outputs off, automatic ranges, no data, idle."""
        self._armed: tuple[int, ...] = ()
        self._position = 0
        self._levels: dict[int, list[float]] = {}  # levels of each armed channel
        super().reset()

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
        kept = self._elements, {channel: self._functions[channel] for channel in channels}
        self._elements = (function,)
        self._functions.update(dict.fromkeys(channels, ("VOLT", "CURR", "RES")))
        try:
            return self._measure_now(channels)
        finally:
            self._elements = kept[0]
            self._functions.update(kept[1])

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
            self._keep(channel, self._measure(channel, levels[channel]))
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

    @query(":READ:ARRay:<function>", CHANNELS, functions=ELEMENTS)
    def _read_array_of(self, element: str, channels: tuple[int, ...]) -> str | None:
        self._initiate(channels)
        return None if self._armed else self._fetch_array_of(element, channels)

    @query(":READ[:SCALar]:<function>", CHANNELS, functions=ELEMENTS)
    def _read_of(self, element: str, channels: tuple[int, ...]) -> str | None:
        self._initiate(channels)
        return None if self._armed else self._fetch_of(element, channels)

    @query(":READ:ARRay", CHANNELS)
    def _read_array(self, channels: tuple[int, ...]) -> str | None:
        self._initiate(channels)
        return None if self._armed else self._fetch_array(channels)

    @query(":READ[:SCALar]", CHANNELS)
    def _read(self, channels: tuple[int, ...]) -> str | None:
        self._initiate(channels)
        return None if self._armed else self._fetch(channels)
