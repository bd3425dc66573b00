"""Sweeps of the simulated B2912A: lists of levels, and staircases.

B2900 Series SCPI Command Reference, B2910-90030, edition 2, SOURce subsystem. (?) from memory: that a staircase of one
point stays at its start. Not simulated: sweeps of a current.
"""

from __future__ import annotations

import numpy as np

from mho.instruments.simulated.keysightb2912a.sources import LEVEL, SOURCES, Sources
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import Choice, Numeric

LIST_SIZE = 2500
LEVELS = Numeric(0.0, -210.0, 210.0, unit="V", repeated=True)


class LevelSweeps(Sources):
    """The part of the instrument that determines the next level."""

    start = IndexedSetting(f"{SOURCES}:VOLTage:STARt", LEVEL)
    stop = IndexedSetting(f"{SOURCES}:VOLTage:STOP", LEVEL)
    points = IndexedSetting(f"{SOURCES}:SWEep:POINts", Numeric(1, 1, LIST_SIZE, integer=True))
    spacing = IndexedSetting(f"{SOURCES}:SWEep:SPACing", Choice("LIN", ("LINear", "LOGarithmic")))
    direction = IndexedSetting(f"{SOURCES}:SWEep:DIRection", Choice("UP", ("UP", "DOWN")))
    stairs = IndexedSetting(f"{SOURCES}:SWEep:STAir", Choice("SING", ("SINGle", "DOUBle")))

    def reset(self) -> None:
        """Power-on state; the lists hold 0 V."""
        super().reset()
        self._lists = {1: [0.0], 2: [0.0]}

    def levels(self, channel: int) -> list[float]:
        """Return the levels (V) that triggers step through; none where the level is fixed."""
        if self.function[channel] != "VOLT" or self.mode[channel] == "FIX":
            return []
        return self._lists[channel] if self.mode[channel] == "LIST" else self._staircase(channel)

    def _staircase(self, channel: int) -> list[float]:
        start, stop, points = self.start[channel], self.stop[channel], int(self.points[channel])
        if self.spacing[channel] == "LIN":
            levels: list[float] = np.linspace(start, stop, points).tolist()
        elif start * stop > 0.0:
            levels = (np.sign(start) * np.geomspace(abs(start), abs(stop), points)).tolist()
        else:
            raise ScpiError(-221, "a logarithmic sweep does not cross 0 V")
        if self.direction[channel] == "DOWN":
            levels.reverse()
        return levels + levels[::-1] if self.stairs[channel] == "DOUB" else levels

    def check_sweep(self, channel: int) -> None:
        """Refuse a sweep that the settings do not allow, before it starts."""
        levels = self.levels(channel)
        for volts in {max(levels, default=0.0), min(levels, default=0.0)}:
            self.check_level(channel, volts)

    # --- the step says the same as the points ---

    @command(f"{SOURCES}:VOLTage:POINts", Numeric(1, 1, LIST_SIZE, integer=True))
    def _set_points(self, channel: int, points: float) -> None:
        self.points[channel] = points

    @query(f"{SOURCES}:VOLTage:POINts")
    def _query_points_of_volts(self, channel: int) -> str:
        return f"{self.points[channel]:.0f}"

    @command(f"{SOURCES}:VOLTage:STEP", Numeric(0.0, -210.0, 210.0, unit="V"))
    def _set_step(self, channel: int, volts: float) -> None:
        span = self.stop[channel] - self.start[channel]
        points = round(abs(span / volts)) + 1 if volts else 1
        if span * volts < 0.0:
            raise ScpiError(-221, "the step leads away from the stop level")
        if points > LIST_SIZE:
            raise ScpiError(-222)
        self.points[channel] = points

    @query(f"{SOURCES}:VOLTage:STEP")
    def _query_step(self, channel: int) -> str:
        intervals = max(1.0, self.points[channel] - 1.0)
        return self.real((self.stop[channel] - self.start[channel]) / intervals)

    # --- lists ---

    @command(f"{SOURCES}:LIST:VOLTage", LEVELS)
    def _set_list(self, channel: int, levels: list[float]) -> None:
        self._store_list(channel, levels)

    @command(f"{SOURCES}:LIST:VOLTage:APPend", LEVELS)
    def _append_list(self, channel: int, levels: list[float]) -> None:
        self._store_list(channel, self._lists[channel] + levels)

    def _store_list(self, channel: int, levels: list[float]) -> None:
        if len(levels) > LIST_SIZE:
            raise ScpiError(-223)
        for volts in levels:
            self.check_level(channel, volts)
        self._lists[channel] = levels

    @query(f"{SOURCES}:LIST:VOLTage")
    def _query_list(self, channel: int) -> str:
        return ",".join(map(self.real, self._lists[channel]))

    @query(f"{SOURCES}:LIST:VOLTage:POINts")
    def _query_list_points(self, channel: int) -> str:
        return str(len(self._lists[channel]))
