"""Run files of cells being programmed, made in milliseconds; as a program, one written step by step.

``pulse_runs.py PATH`` obeys the words on its standard input: ``pulse`` (50 more rows), ``image``, ``finish``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from run_samples import BENCH

from mho.chip_maps.chip import parse_chip_map
from mho.procedures.cells.programming.record import PULSES
from mho.runs import Layout, Map, RunHeader, RunWriter

CHIP = """
name = "small"
[levels]
conductances = [0.37e-6, 5e-6, 10e-6, 15e-6, 20e-6, 25e-6, 30e-6, 35e-6]
tolerance = 1.2e-6
spread = 0.65e-6
zero_range = [0.22e-6, 0.52e-6]
zero_limit = 0.6e-6
[[arrays]]
name = "invert"
purpose = "invert"
rows = 8
columns = 8
wire_resistance = 1.73
[[arrays]]
name = "multiply"
purpose = "multiply"
rows = 24
columns = 40
wire_resistance = 1.73
bad_cells = [[3, 5], [20, 30], [21, 30]]
"""
LEVELS = parse_chip_map(CHIP).level_scale()
ARRAY = 1  # the number of `multiply`
LINES = np.array([2, 4, 5, 6]), np.array([3, 4, 6, 7, 8])  # past a bad row and a bad column
CELLS = "multiply[2:7, 3:9]"


class PulseRun:
    """Writes a run that programs the cells where `LINES` cross.

    Parameters
    ----------
    maps : bool
        Whether the run has images of its cells.
    """

    def __init__(self, path: Path, *, maps: bool = True, seed: int = 3) -> None:
        self._rng = np.random.default_rng(seed)
        images = [
            Map(f"multiply_{quantity}", unit, *LINES)
            for quantity, unit in (("conductance", "S"), ("target", "S"), ("pulses", ""))
        ]
        header = RunHeader("Program", "Program", "1", {}, bench=BENCH, chip=CHIP, cells=CELLS)
        self.writer = RunWriter.create(path, header, Layout((PULSES,), tuple(images) if maps else ()))
        shape = tuple(map(len, LINES))
        self.target = LEVELS.nominal[self._rng.integers(0, 8, shape)]
        self.conductance, self.touched = np.full(shape, np.nan), np.full(shape, np.nan)
        self.pulses = np.zeros(shape)
        self.time, self._maps = 0.0, maps
        if maps:
            self.writer.snapshot("multiply_target", self.target, 0.0)

    def pulse(self, rows: int = 50) -> None:
        """So many more pulses and reads of cells at random."""
        for _ in range(rows):
            i, j = (int(self._rng.integers(len(lines))) for lines in LINES)
            kind, self.time = int(self._rng.integers(3)), self.time + 0.01
            self.conductance[i, j] = self.target[i, j] + self._rng.normal(0.0, 1e-6)
            self.touched[i, j] = self.time
            self.pulses[i, j] += kind > 0
            self.writer.emit(
                "pulses", time=self.time, array=ARRAY, row=LINES[0][i], column=LINES[1][j], kind=kind,
                voltage=(0.2, 3.0, 1.5)[kind], width=(0.0, 1e-7, 1e-7)[kind], gate=1.25,
                conductance=self.conductance[i, j],
            )  # fmt: skip

    def image(self) -> None:
        """Images of the cells as they are now."""
        self.writer.snapshot("multiply_conductance", self.conductance, self.time)
        self.writer.snapshot("multiply_pulses", self.pulses, self.time)

    def finish(self) -> PulseRun:
        """End the run well."""
        self.writer.__exit__(None, None, None)
        return self


def programmed(path: Path, *, maps: bool = True) -> PulseRun:
    """A run that has 400 rows, with images after 150 and 300 of them."""
    run = PulseRun(path, maps=maps)
    for rows in (150, 150, 100):
        run.pulse(rows)
        if maps and rows == 150:
            run.image()
    return run.finish()


def main() -> None:
    run = PulseRun(Path(sys.argv[1]))
    run.image()
    for word in map(str.strip, sys.stdin):
        if word == "finish":
            break
        getattr(run, word)()
        run.writer.flush()
        sys.stdout.write("done\n")
        sys.stdout.flush()
    run.finish()


if __name__ == "__main__":
    main()
