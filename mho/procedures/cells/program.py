"""Program a block of cells to given digits by write-verify."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.matrix_files import load_digits
from mho.chip_maps.placement import Placement
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import check_inside
from mho.procedures.cells.programming import PULSES, PULSES_PER_CELL, Block, BlockMaps, Programmer
from mho.procedures.cells.write_verify import WriteVerifySettings
from mho.procedures.parameters import IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Array, Layout


@dataclass(frozen=True)
class Programmed:
    """How the cells turned out.

    Attributes
    ----------
    achieved : (rows, columns) array
        Last verify read, S.
    pulses : (rows, columns) array
        Pulses each cell took.
    failed : int
        Cells that ended outside their window.
    summary : dict
        What the run file keeps, and ``--json`` prints.
    path : Path
        The run file.
    """

    achieved: NDArray[np.float64]
    pulses: NDArray[np.int64]
    failed: int
    summary: dict[str, Any]
    path: Path = field(default=Path())


class Program(Procedure):
    """Program a block of cells to digits from a file, by write-verify."""

    title: ClassVar[str] = "Program cells"
    group: ClassVar[str] = "Cells"

    digits = Parameter("Digits", default="")
    array = Parameter("Array", default="multiply")
    row = IntegerParameter("First row", minimum=0, maximum=4095, default=0)
    column = IntegerParameter("First column", minimum=0, maximum=4095, default=0)
    passes = IntegerParameter("Passes of touching up", minimum=0, maximum=100, default=2)

    def check(self) -> None:
        """Read the digits."""
        self._digits = load_digits(self.digits)

    def prepare(self, bench: Bench, rng: np.random.Generator) -> None:
        """Lay the block on the array and check the largest pulses."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        self._levels, self._arrays = chip.level_scale(), [array.name for array in chip.arrays]
        self._levels.conductance(self._digits)
        rows, columns = (
            start + np.arange(count)
            for start, count in zip((self.row, self.column), self._digits.shape, strict=True)
        )
        check_inside(chip.array(self.array), rows, columns)
        self._block = Block(Placement(self.array, rows, columns), self._digits)
        self._settings = WriteVerifySettings()
        bench.check_read()
        for pulse in self._settings.largest_pulses():
            bench.check_pulse(pulse)

    def layout(self) -> Layout:
        """Every pulse, the maps of the block, and the digits wanted."""
        maps = BlockMaps.covering(self.array, [self._block]).declared()
        digits = Array("digits", self._digits, description="digit wanted of each cell")
        pulses = replace(PULSES, rows=round(PULSES_PER_CELL * self._digits.size))
        return Layout((pulses,), maps, (digits,), default=f"maps/{maps[0].name}")

    def describe_cells(self) -> str:
        """Array and range."""
        (rows, columns), row, column = self._digits.shape, self.row, self.column
        return f"{self.array}[{row}:{row + rows}, {column}:{column + columns}]"

    def run_title(self) -> str:
        """Name the cells."""
        return f"Program {self.describe_cells()}"

    def estimate(self, source: BenchSource) -> Estimate:
        """Pulses as cells usually take them."""
        return Estimate(pulses=round(PULSES_PER_CELL * self._digits.size))

    def execute(self, bench: Bench, stream: Stream) -> Programmed:
        """Program, verify again later, touch up."""
        programmer = Programmer(
            bench, stream, self._levels, self._arrays, self._settings, passes=int(self.passes)
        )
        block = self._block
        programmer.program([block])
        failed = programmer.failed([block])
        if failed:
            stream.say(f"{failed} cells read outside their verify window after the last pass", "WARNING")
        summary = {
            "cells": block.digits.size,
            "cells_failed": failed,
            "pulses": programmer.pulses,
            "reads": programmer.reads,
            "virtual_seconds": bench.now(),
        }
        return Programmed(block.achieved, block.pulses, failed, summary)
