"""Run files of a whole 1-Mb array being programmed, as fast as a benchmark wants them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map, read_chip_text
from mho.procedures.cells.programming.record import PULSES
from mho.runs import Layout, Map, RunHeader, RunWriter

SIDE = 1024
ARRAY = 2  # the number of `multiply` in the reference chip
FLUSHED = 0.05  # s between two blocks, as `RunWriter` flushes single rows


class PulseWriter:
    """Writes pulses of all cells of the reference chip's multiplying array, one cell after the other.

    Parameters
    ----------
    path : Path
        The run file, in which the targets are known at once.
    """

    def __init__(self, path: Path) -> None:
        chip = read_chip_text("reference")
        lines = np.arange(SIDE)
        quantities = (("conductance", "S"), ("target", "S"), ("pulses", ""))
        maps = tuple(Map(f"multiply_{name}", unit, lines, lines) for name, unit in quantities)
        header = RunHeader("Program", "Program", "1", {}, bench='name = "simulated"', chip=chip)
        self._rng = np.random.default_rng(5)
        self._target = self._rng.choice(parse_chip_map(chip).level_scale().nominal, (SIDE, SIDE))
        self._spread = self._rng.normal(0.0, 0.5e-6, 1 << 16)
        self.rows = 0
        self.writer = RunWriter.create(path, header, Layout((PULSES,), maps))
        self.writer.snapshot("multiply_target", self._target, 0.0)

    def emit(self, count: int, pulses_a_cell: int = 10) -> None:
        """Write `count` rows; a pulse and its read take a millisecond."""
        rows = np.arange(self.rows, self.rows + count)
        cells = rows // pulses_a_cell % SIDE**2
        block: dict[str, NDArray[np.generic]] = {
            "time": 1e-3 * rows,
            "array": np.full(count, ARRAY, np.uint8),
            "row": (cells // SIDE).astype(np.uint16),
            "column": (cells % SIDE).astype(np.uint16),
            "kind": (rows % 3).astype(np.uint8),
            "voltage": np.full(count, 3.0, np.float32),
            "width": np.full(count, 1e-7, np.float32),
            "gate": np.full(count, 1.25, np.float32),
            "conductance": self._target.flat[cells] + self._spread[rows % len(self._spread)],
        }
        self.writer.emit_block("pulses", block)
        self.rows += count

    def stream(self, rate: float, over: Callable[[], bool]) -> None:
        """Write `rate` rows a second until it is over, and keep that pace however slow the machine is."""
        start, first = time.monotonic(), self.rows
        while not over():
            due = first + int(rate * (time.monotonic() - start)) - self.rows
            if due > 0:
                self.emit(due)
            time.sleep(FLUSHED)

    def picture(self) -> None:
        """Write images of all cells."""
        image = self._target + self._spread[np.arange(SIDE**2) % len(self._spread)].reshape(SIDE, SIDE)
        self.writer.snapshot("multiply_conductance", image, 1e-3 * self.rows)
        self.writer.snapshot("multiply_pulses", np.full((SIDE, SIDE), 7.0), 1e-3 * self.rows)

    def finish(self) -> None:
        """End the run."""
        self.writer.__exit__(None, None, None)
