"""Effect of sources on the chip over time: running generators, and levels that source-measure units or DAQs hold.

The twins describe the outputs at their terminals (`running_waveforms`). As the clock advances, the cell that the board
has connected to one of them is exposed to the part of its waveform that falls into the elapsed time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from mho.instruments.laboratory.chip_lines import PATHS, REST, ChipLines
from mho.instruments.laboratory.vector_lines import VectorLines
from mho.instruments.simulated.generators.running_waveforms import Playing, Resting, Train, Waveform
from mho.instruments.simulated.physics.cells.pulse_trains import Level, pulse_train
from mho.instruments.simulated.physics.cells.switching.pulse_effects import LASTING


class RunningSources:
    """Applies the sources of one laboratory as its clock advances.

    Parameters
    ----------
    lines : ChipLines
    vectors : VectorLines
    playing : mapping
        Functions that return a generator's waveform, by line, or by name in front of a switch matrix.
    generator : Resting
        Whether none of them has one.
    reached : callable
        Returns the lines to which a source is connected.
    """

    def __init__(
        self,
        lines: ChipLines,
        vectors: VectorLines,
        playing: Mapping[str, Playing],
        generator: Resting,
        reached: Callable[[str], Iterable[str]],
    ) -> None:
        self._lines, self._vectors, self._reached = lines, vectors, reached
        self._playing, self._generator, self._board = tuple(playing.items()), generator, lines.board
        self._held, self._disturbing = lines.held, lines.chip.preset.disturb_voltage
        self._began: dict[str, tuple[Waveform, float]] = {}
        self._told: dict[str, tuple[object, ...]] = {}  # the last incident of a source: each is recorded once
        self._floating: tuple[object, float] | None = None  # the last recorded level on a floating gate

    def __call__(self, start: float, end: float) -> None:
        """Apply all sources for the time from `start` to `end` (s)."""
        generator = self._generator
        if self._began or not (generator.at_rest or generator.rests()):
            for source, playing in self._playing:
                waveform = playing()
                if waveform is not None:
                    self._play(source, waveform, start, end)
                elif source in self._began:
                    del self._began[source]
                    self._told.pop(source, None)
        held = self._held.get("bit line", 0.0)
        if held > self._disturbing or -held > self._disturbing:
            self._hold(start, min(end, self._lines.board.goes_safe_at))
        else:
            self._floating = None
        if self._board.block is not None:  # else vectors reach no cell
            self._vectors.pass_time(end - start)

    def _play(self, source: str, waveform: Waveform, start: float, end: float) -> None:
        if source not in self._began or self._began[source][0] != waveform:
            self._began[source] = waveform, start
        began, grounded = self._began[source][1], self._lines.board.goes_safe_at
        for line in self._reached(source):
            self._watch(line, waveform, start - began, end - began)
            if start < grounded:
                trains = waveform.between(start - began, min(end, grounded) - began)
                self._reach_cell(source, line, waveform, trains, start)

    def _watch(self, line: str, waveform: Waveform, start: float, end: float) -> None:
        """Pass the monitor the levels of all cycles that begin from `start` to `end`, s since the waveform began."""
        trace = self._lines.monitor.terminals[line]
        if math.isinf(waveform.period):
            if abs(waveform.extreme) > REST:
                trace.take_endless_pulse(waveform.extreme, end)
            return
        cycles = math.ceil(end / waveform.period) - math.ceil(start / waveform.period)
        for volts, seconds, times in waveform.cycle if cycles else ():
            if abs(volts) > REST:
                trace.take_pulses(volts, seconds, self._lines.edges[line](), times * cycles)

    def _reach_cell(
        self, source: str, line: str, waveform: Waveform, trains: list[Train], start: float
    ) -> None:
        """Apply a generator's output on a line to the cell that it is connected to."""
        lines, path = self._lines, PATHS.get(line, "")
        cell = lines.board.cell
        if cell is None or not lines.closed(path) or abs(waveform.extreme) <= REST:
            self._told.pop(source, None)
            lines.levels.end(f"generator {source}")
            return
        gate = lines.gate
        told = (waveform, line, cell, gate is None)
        if self._told.get(source) != told:
            self._told[source] = told
            array, row, column = cell
            lines.monitor.record(
                "running generator",
                f"{line}: {_told(waveform)} on {array}[{row}, {column}] without a trigger"
                + (", with nothing on the word line" if gate is None else ""),
                start,
            )
        if gate is None:
            return
        sign, at = 1.0 if path == "SET" else -1.0, start - self._began[source][1]
        array, row, column = cell
        for levels, count in trains:
            cycle = [Level(sign * volts, seconds, times) for volts, seconds, times in levels]
            if count > 1:
                lines.monitor.pulses += count * sum(level.times for level in cycle if level.volts)
                pulse_train(lines.chip.cells[array], (row, column), cycle, count, gate)
                at += count * waveform.period
                continue
            for level in cycle:  # each may be the rest of a level that began earlier, or only its beginning
                self._pass_level(source, cell, level, gate, waveform, at)
                at += level.seconds * level.times

    def _pass_level(
        self,
        source: str,
        cell: tuple[str, int, int],
        level: Level,
        gate: float,
        waveform: Waveform,
        at: float,
    ) -> None:
        """Apply a generator's level, or a part of it, that begins `at` seconds after the waveform began."""
        lines, (array, row, column) = self._lines, cell
        cycle, place = waveform.place(at + level.seconds * level.times / 2.0)
        lasts = waveform.cycle[place].seconds > LASTING and level.times == 1
        if lasts and abs(level.volts) >= lines.chip.preset.disturb_voltage:
            since = self._began[source], cycle, place
            lines.hold(f"generator {source}", cell, level.volts, level.seconds, gate, math.inf, *since)
            return
        lines.monitor.pulses += level.times if level.volts else 0
        pulse_train(lines.chip.cells[array], (row, column), [level], 1, gate)

    def _hold(self, start: float, end: float) -> None:
        """Apply the level of a source-measure unit while no measurement runs."""
        lines = self._lines
        volts, cell, gate = lines.held.get("bit line", 0.0), lines.board.cell, lines.gate
        if volts == lines.measured[0]:
            start = max(start, lines.measured[1])
        if end <= start or cell is None or not lines.closed("READ"):
            return
        if gate is not None:
            lines.stress(cell, volts, end - start, gate)
        elif self._floating != (cell, volts):
            self._floating = cell, volts
            lines.monitor.record(
                "floating gate", f"{volts:.3g} V held at {cell} with nothing on the word line", start
            )


def _told(waveform: Waveform) -> str:
    if math.isinf(waveform.period):
        return f"{waveform.extreme:.3g} V"
    return f"up to {waveform.extreme:.3g} V every {waveform.period:.3g} s"
