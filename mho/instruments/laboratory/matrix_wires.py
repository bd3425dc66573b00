"""Wires of a bench whose sources are connected to the chip's lines by the crosspoints of a switch matrix.

A source with open crosspoints is connected to no line. Two sources with crosspoints on the same line drive it together.
A crosspoint that moves with a voltage on its row is a hot switch. All of these are recorded as incidents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mho.instruments.bench_file.switch_paths import GROUND, row_and_column
from mho.instruments.laboratory.chip_lines import HOT, LEAKAGE, ChipLines
from mho.instruments.simulated.generators.running_waveforms import Playing
from mho.instruments.simulated.generators.stored_waveforms import Excursion

RESISTANCE = 50.0  # ohm, source resistance in a contention

Level = Callable[[], float | None]
"""Present level of a source, V; None when it drives nothing."""


class MatrixWires:
    """Connections of sources to lines, and their effects.

    Parameters
    ----------
    lines : ChipLines
    rows, columns : mapping
        Source by row, terminal by column, as in a bench file.
    """

    def __init__(self, lines: ChipLines, rows: Mapping[str, str], columns: Mapping[str, str]) -> None:
        self._lines, self._rows, self._columns = lines, rows, columns
        self._closed: frozenset[str] = frozenset()
        self._held: dict[str, float] = {}
        self._levels: dict[str, Level] = {GROUND: lambda: 0.0}

    def source_port(self, source: str) -> MatrixSource:
        """Return the port of a source-measure unit."""
        self._levels[source] = lambda: self._held.get(source)
        return MatrixSource(self, source)

    def pulse_port(self, source: str) -> MatrixPulse:
        """Return the port of a pulse generator's channel."""
        return MatrixPulse(self, source)

    def know_waveform(self, source: str, playing: Playing) -> None:
        """Register the untriggered output of a pulse generator's channel; only its largest magnitude is used."""

        def level() -> float:
            waveform = playing()
            return 0.0 if waveform is None else waveform.extreme

        self._levels[source] = level

    def take_closed(self, closed: frozenset[str]) -> None:
        """Record the crosspoints that are now closed; the matrix calls this when relays move."""
        changed = closed ^ self._closed
        for crosspoint in sorted(changed):
            source = self._rows.get(row_and_column(crosspoint)[0], "")
            volts = self._level(source)
            if volts is not None and abs(volts) > HOT:
                self._lines.monitor.record(
                    "hot switch", f"crosspoint {crosspoint} moved with {volts:.3g} V of {source} on it"
                )
        self._closed = closed
        if changed:
            self._lines.levels.end()
            for terminal in dict.fromkeys(self._columns.values()):
                self._settle(terminal)

    @property
    def held(self) -> Mapping[str, float]:
        """Level at which each source-measure unit holds its row, V; a missing one drives nothing."""
        return self._held

    def terminals(self, source: str) -> list[str]:
        """Return the lines to which a source is connected."""
        return [terminal for name, terminal in self._joined() if name == source]

    def drive(self, source: str, volts: float, connected: bool) -> None:
        """Apply a new level of a source."""
        if connected:
            self._held[source] = volts
        else:
            self._held.pop(source, None)
        for terminal in self.terminals(source):
            self._settle(terminal)

    def current(self, source: str, volts: float, aperture: float) -> float:
        """Return the current (A) out of a source at `volts`, into the lines and into other sources on them."""
        amperes = volts * LEAKAGE
        for terminal in self.terminals(source):
            amperes += self._lines.current(terminal, volts, aperture)
            amperes += sum((volts - level) / RESISTANCE for level in self._rivals(source, terminal, volts))
        return amperes

    def train(self, source: str, cycle: Sequence[Excursion], count: int) -> None:
        """Apply cycles of levels of a generator's channel."""
        for terminal in self.terminals(source):
            for excursion in cycle:
                self._rivals(source, terminal, excursion.volts)
            self._lines.train(terminal, cycle, count)

    def _rivals(self, source: str, terminal: str, volts: float) -> list[float]:
        """Return the levels of the other sources on a line, and record those that disagree."""
        levels = []
        for name, reached in self._joined():
            level = self._level(name)
            if reached == terminal and name != source and level is not None:
                levels.append(level)
                if abs(level - volts) > HOT:
                    self._lines.monitor.record(
                        "contention", f"{terminal}: {volts:.3g} V of {source} against {level:.3g} V of {name}"
                    )
        return levels

    def _settle(self, terminal: str) -> None:
        """Set a line to the level of the source-measure unit that holds it; of two, the one farther from 0 V."""
        held = [
            self._held[name] for name, reached in self._joined() if reached == terminal and name in self._held
        ]
        self._lines.drive(terminal, max(held, key=abs, default=0.0), bool(held))

    def _joined(self) -> list[tuple[str, str]]:
        pairs = (row_and_column(crosspoint) for crosspoint in sorted(self._closed))
        return [
            (self._rows[row], self._columns[column])
            for row, column in pairs
            if row in self._rows and column in self._columns
        ]

    def _level(self, source: str) -> float | None:
        level = self._levels.get(source)
        return None if level is None else level()


@dataclass(frozen=True)
class MatrixSource:
    """Wire from a source-measure unit's output to a row."""

    wires: MatrixWires
    source: str

    def drive(self, volts: float, *, connected: bool) -> None:
        """Hold `volts` (V), or float."""
        self.wires.drive(self.source, volts, connected)

    def current(self, volts: float, aperture: float) -> float:
        """Return the current (A) that flows at `volts`."""
        return self.wires.current(self.source, volts, aperture)


@dataclass(frozen=True)
class MatrixPulse:
    """Wire from a pulse generator's channel to a row."""

    wires: MatrixWires
    source: str

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        """Put out `count` pulses."""
        self.wires.train(self.source, [Excursion(volts, width)], count)

    def train(self, cycle: Sequence[Excursion], count: int) -> None:
        """Put out `count` cycles of levels (V, s, times)."""
        self.wires.train(self.source, cycle, count)
