"""A switch matrix at the lines of a passive crossbar: every cell bears the difference of its two lines, selected or not.

A line is held by the source, or the ground, that closed crosspoints bring to it, and floats otherwise
(`physics.passive_crossbar`). A source carries the currents of all cells on its lines; sneak paths are among them. Levels
and pulses act on each cell by its own law: the selected one within the current limits of the sources at its two lines,
half-selected ones without: what a limit takes from a line's voltage is not simulated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.bench_file.switch_paths import GROUND, CellWiring
from mho.instruments.laboratory.bench_twins import MatrixWires
from mho.instruments.laboratory.chip_lines import HOT, LEAKAGE, ChipLines
from mho.instruments.laboratory.probes import ALWAYS_ON, Probes
from mho.instruments.simulated.excursions import Excursion
from mho.instruments.simulated.physics.cells.conduction import cell_current
from mho.instruments.simulated.physics.cells.switching import HeldLevels
from mho.instruments.simulated.physics.passive_crossbar import across_cells, settled_voltages

MICROVOLT = 1e-6  # V: at this and less a cell bears nothing


class CrossbarWires(MatrixWires):
    """Connections of sources to the lines of a passive crossbar, and their effects on all of its cells.

    `probes`: what stands for a board; it addresses no cell, so that the lines act on none by themselves.

    `seen`: the largest voltage that each cell has borne, (R, C), V; whoever measures it may set it to 0.
    """

    def __init__(self, lines: ChipLines, probes: Probes, wiring: CellWiring) -> None:
        self._at = wiring.lines()
        super().__init__(lines, wiring.rows, {at: line for at, (line, _) in self._at.items()}, wiring.names)
        assert probes.cell is not None  # of a chip of one array
        self._array, probes.cell = probes.cell[0], None
        geometry = lines.chip.geometry[self._array]
        self._shape = geometry.rows, geometry.columns
        self._grounded = not wiring.source_lines  # for good
        self._held = HeldLevels()
        self._measured = -math.inf  # s, until which the present levels have acted already
        self._across: Floats | None = None  # of the cells, V, until something changes
        self._version = -1  # of the cells, for which that is
        self.seen = np.zeros(self._shape)

    # --- what is on the lines ---

    def _places(self) -> list[tuple[str, str, int]]:
        """Return the source, the terminal and the node of each closed crosspoint."""
        places = []
        for crosspoint in sorted(self._closed):
            row, column = self._names.split(crosspoint)
            if row in self._rows and column in self._at:
                line, number = self._at[column]
                places.append(
                    (self._rows[row], line, number + (self._shape[0] if line == "source line" else 0))
                )
        return places

    def _rivals(self, source: str, terminal: str, volts: float) -> list[float]:
        """Return the levels of other sources on the same line, and record those that disagree."""
        places, levels = self._places(), []
        own = {node for name, _, node in places if name == source}
        for name, line, node in places:
            level = self._level(name)
            if name != source and line == terminal and node in own and level is not None:
                levels.append(level)
                if abs(level - volts) > HOT:
                    self._lines.monitor.record(
                        "contention", f"{line}: {volts:.3g} V of {source} against {level:.3g} V of {name}"
                    )
        return levels

    def _nodes(self, levels: dict[str, float]) -> Floats:
        """Return the voltages at which the lines are held, (R + C,), V; NaN where they float; of two, the farther from 0.

        `levels`: of sources, in place of their present ones.
        """
        nodes = np.full(sum(self._shape), np.nan)
        if self._grounded:
            nodes[self._shape[0] :] = 0.0
        for source, _, node in self._places():
            level = levels.get(source, self._level(source))
            if level is not None and not abs(level) <= abs(nodes[node]):
                nodes[node] = level
        return nodes

    def _volts(self, levels: dict[str, float]) -> Floats:
        """Return what each cell bears, (R, C), V."""
        preset, cells = self._lines.chip.preset, self._lines.chip.cells[self._array]
        g = cells.conductance()

        def current(across: Floats) -> Floats:
            return cell_current(preset, g, across, ALWAYS_ON)

        across = across_cells(settled_voltages(g, self._nodes(levels), current), self._shape[0])
        np.maximum(self.seen, np.abs(across), out=self.seen)
        return across

    def _now(self) -> Floats:
        version = self._lines.chip.cells[self._array].version
        if self._across is None or version != self._version:
            self._across, self._version = self._volts({}), version
        return self._across

    def _changed(self) -> None:
        self._across, self._measured = None, -math.inf
        self._held.end()

    # --- what sources and relays do ---

    def take_closed(self, closed: frozenset[str]) -> None:
        """Record the crosspoints that are now closed; a source at two lines of a kind is an incident."""
        before, moved = self._closed, closed != self._closed
        super().take_closed(closed)
        if not moved:
            return
        self._changed()
        self._now()
        ends = [(source, terminal) for source, terminal, _ in self._places() if source != GROUND]
        twice = [end for end in ends if ends.count(end) > 1]
        if twice and closed > before:
            source, terminal = twice[0]
            self._lines.monitor.record("joined devices", f"{source} at two of the {terminal}s")

    def drive(self, source: str, volts: float, connected: bool) -> None:
        """Apply a new level of a source."""
        if self.held.get(source) != (volts if connected else None):
            self._changed()
        super().drive(source, volts, connected)
        self._now()

    def current(self, source: str, volts: float, aperture: float) -> float:
        """Return the current (A) out of a source at `volts`, into all cells of its lines."""
        lines, preset = self._lines, self._lines.chip.preset
        places = [(terminal, node) for name, terminal, node in self._places() if name == source]
        amperes = volts * LEAKAGE
        for terminal in dict.fromkeys(terminal for terminal, _ in places):
            lines.monitor.terminals[terminal].take_held(volts)
            self._rivals(source, terminal, volts)
        if not places:
            if abs(volts) > HOT:
                lines.monitor.record("source on nothing", f"{volts:.3g} V of {source} with no line connected")
            return amperes
        across = self._volts({source: volts})
        if np.abs(across).max() >= preset.disturb_voltage:  # less is in the reading itself
            self._act(across, aperture, self._held)
        self._measured = lines.clock.now + aperture
        nodes = np.zeros(sum(self._shape), bool)
        nodes[[node for _, node in places]] = True
        rows, columns = nodes[: self._shape[0], None], nodes[None, self._shape[0] :]
        index = np.nonzero((np.abs(across) > MICROVOLT) & (rows | columns))
        if index[0].size:
            there = across[index]
            cells = lines.chip.cells[self._array]
            strongest = float(there[np.abs(there).argmax()])
            g = cells.read(index, aperture, strongest)
            flowing = cell_current(preset, g, there, ALWAYS_ON)
            out = np.broadcast_to(rows, self._shape)[index].astype(float)
            out -= np.broadcast_to(columns, self._shape)[index]
            amperes += float((out * flowing).sum())
        amperes += lines.readout()
        for terminal in dict.fromkeys(terminal for terminal, _ in places):
            lines.monitor.terminals[terminal].take_current(amperes, lines.compliance[terminal])
        return amperes

    def train(self, source: str, cycle: Sequence[Excursion], count: int) -> None:
        """Apply cycles of levels of a generator's channel."""
        for terminal in self.terminals(source):
            for volts, width, times in cycle:
                edge = self._lines.edges[terminal]()
                self._lines.monitor.terminals[terminal].take_pulses(volts, width, edge, times * count)
                self._rivals(source, terminal, volts)
                self._lines.monitor.pulses += times * count
        for _ in range(count):
            for volts, width, times in cycle:
                for _ in range(times):
                    self._act(self._volts({source: volts}), width, None)

    def pass_time(self, start: float, end: float) -> None:
        """Apply the present levels for the time from `start` to `end` (s), unless a measurement has already."""
        start = max(start, self._measured)
        if end > start and any(abs(volts) > HOT for volts in self.held.values()):
            self._act(self._now(), end - start, self._held)

    # --- what they do to cells ---

    def _act(self, across: Floats, seconds: float, levels: HeldLevels | None) -> None:
        """Let every cell bear its voltage for `seconds`: in pulses, or as more of levels that are known."""
        preset, cells = self._lines.chip.preset, self._lines.chip.cells[self._array]
        weak = np.nonzero((across > HOT) & (across < preset.disturb_voltage))
        if weak[0].size:
            cells.disturb(weak, across[weak], seconds)  # type: ignore[arg-type]
        selected = self._selected()
        for sign, name in ((1.0, "set"), (-1.0, "reset")):
            hot = sign * across >= preset.disturb_voltage
            for row, column in selected:
                if hot[row, column]:
                    hot[row, column] = False
                    volts = float(across[row, column])
                    act = cells.set if sign > 0 else cells.reset
                    level = None if levels is None else levels.of(f"{name} {row} {column}", volts)
                    act((row, column), abs(volts), seconds, ALWAYS_ON, current=self._limit(), level=level)
            if hot.any():
                index: tuple[NDArray[np.intp], ...] = np.nonzero(hot)
                many = cells.set_cells if sign > 0 else cells.reset_cells
                level = None if levels is None else levels.of(name, hot.tobytes())
                many(index, np.abs(across[index]), seconds, ALWAYS_ON, level)

    def _selected(self) -> list[tuple[int, int]]:
        """Return the cells between the lines of two sources, or of one and a column on ground for good."""
        rows = [node for source, line, node in self._places() if line == "bit line" and source != GROUND]
        ends = {source for source, line, _ in self._places() if line == "source line" and source != GROUND}
        columns = [
            node - self._shape[0] for source, line, node in self._places()
            if line == "source line" and (source in ends or not ends)
        ]  # fmt: skip
        return [(row, column) for row in rows for column in columns]

    def _limit(self) -> float:
        """Return the lower of the current limits of the sources at the two lines of a selected cell, A."""
        ends = dict.fromkeys(terminal for source, terminal, _ in self._places() if source != GROUND)
        return min((self._lines.compliance[terminal]() for terminal in ends), default=math.inf)
