"""Program a block of cells to given digits by write-verify."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.levels import Levels
from mho.chip_maps.matrix_files import load_digits
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.cells.programming.programmer import PULSES, PULSES_PER_CELL, Block, BlockMaps, Programmer
from mho.procedures.cells.programming.settings_text import read_settings, settings_text
from mho.procedures.cells.programming.strategies.known_strategies import chosen_strategy, find_strategy
from mho.procedures.cells.programming.strategy import Outcome, Strategy
from mho.procedures.parameters import IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Array, Layout, RecordedParameter
from mho.runs.standard_figures import programming_figures

Digits = NDArray[np.int64]


@dataclass(frozen=True)
class Programmed:
    """Result of programming; `units` are those of the summary.

    Attributes
    ----------
    achieved : (rows, columns) array
        Last verify read, S.
    pulses : (rows, columns) array
        Number of pulses per cell.
    failed : int
        Cells that ended outside their window.
    summary : dict
        Summary in the run file and of ``--json``.
    path : Path
        The run file.
    """

    achieved: NDArray[np.float64]
    pulses: NDArray[np.int64]
    failed: int
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {"virtual_seconds": "s"}


@dataclass(frozen=True)
class ProgramPlan:
    """The digits with their placement and settings.

    Attributes
    ----------
    digits : (rows, columns) array
        Digit of each cell of `placement`.
    arrays : tuple of str
        The chip's arrays, in its order.
    strategy : type of Strategy
    """

    placement: Placement
    digits: Digits
    levels: Levels
    arrays: tuple[str, ...]
    settings: WriteVerifySettings
    strategy: type[Strategy]

    def block(self) -> Block:
        """Return the block to program, with empty results."""
        return Block(self.placement, self.digits)


class Program(Procedure):
    """Program a block of cells to digits from a file, by write-verify or another strategy."""

    title: ClassVar[str] = "Program cells"
    group: ClassVar[str] = "Cells"

    digits = Parameter("Digits", default="")
    array = Parameter("Array", default="multiply")
    row = IntegerParameter("First row", minimum=0, maximum=4095, default=0)
    column = IntegerParameter("First column", minimum=0, maximum=4095, default=0)
    passes = IntegerParameter("Passes of touching up", minimum=0, maximum=100, default=2)
    strategy = Parameter("Strategy, the chip map's unless given")
    write_verify = Parameter("Write-verify settings, the chip map's unless given")

    def check(self) -> Digits:
        """Read the digits, find the given strategy, and read the given settings."""
        kind = WriteVerifySettings if self.strategy is None else find_strategy(self.strategy).settings_type
        read_settings(self.write_verify, kind)
        return load_digits(self.digits)

    def prepare(self, given: Digits, bench: Bench, rng: np.random.Generator) -> ProgramPlan:
        """Place the block on the array and check the largest pulses."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        levels = chip.level_scale()
        levels.conductance(given)
        rows, columns = (
            start + np.arange(count)
            for start, count in zip((self.row, self.column), given.shape, strict=True)
        )
        check_inside(chip.array(self.array), CellRange(rows, columns))
        settings, strategy = chosen_strategy(chip.write_verify, self.write_verify, self.strategy)
        bench.check_read()
        for pulse in strategy.largest_pulses(settings):
            bench.check_pulse(pulse)
        if settings.verify != "cell":
            bench.limits.check_voltage("vector", bench.file.read.voltage)
        placement = Placement(self.array, rows, columns)
        arrays = tuple(array.name for array in chip.arrays)
        return ProgramPlan(placement, given, levels, arrays, settings, strategy)

    def layout(self, plan: ProgramPlan) -> Layout:
        """Declare the pulses, the maps of the block, and the target digits."""
        images = BlockMaps.covering(self.array, [plan.block()])
        maps = (*images.declared(), images.outcome_map())
        digits = Array("digits", plan.digits, description="digit wanted of each cell")
        pulses = replace(PULSES, rows=round(PULSES_PER_CELL * plan.digits.size))
        windows = zip(plan.levels.low.tolist(), plan.levels.high.tolist(), strict=True)
        figures = programming_figures([self.array], windows)
        return Layout((pulses,), maps, (digits,), default=f"maps/{maps[0].name}", figures=figures)

    def in_use(self, plan: ProgramPlan) -> Mapping[str, tuple[str, str]]:
        """Return the strategy and the settings of write-verify."""
        return {
            "strategy": (plan.settings.strategy, "the chip map's"),
            "write_verify": (settings_text(plan.settings), "the chip map's"),
        }

    def own_classes(self) -> Mapping[str, type]:
        """Return the strategy."""
        return {} if self.strategy is None else {"strategy": find_strategy(self.strategy)}

    def recorded_parameters(self, plan: ProgramPlan) -> dict[str, RecordedParameter]:
        """Return the parameters, with all settings of write-verify."""
        recorded = super().recorded_parameters(plan)
        whole = replace(recorded["write_verify"], value=settings_text(plan.settings))
        return recorded | {"write_verify": whole}

    def describe_cells(self, plan: ProgramPlan) -> str:
        """Return array and range."""
        rows, columns = plan.placement.rows, plan.placement.columns
        return f"{self.array}[{rows[0]}:{rows[-1] + 1}, {columns[0]}:{columns[-1] + 1}]"

    def run_title(self) -> str:
        """Return the name of the digits and their place."""
        name = Path(self.digits).name if isinstance(self.digits, str | Path) else "array"
        return f"Program {name} at {self.array}[{self.row}, {self.column}]"

    def estimate(self, given: Digits, source: BenchSource) -> Estimate:
        """Estimate the pulses from the usual number per cell."""
        return Estimate(pulses=round(PULSES_PER_CELL * given.size))

    def execute(self, plan: ProgramPlan, bench: Bench, stream: Stream) -> Programmed:
        """Program, verify again later, touch up."""
        block = plan.block()
        programmer = Programmer(
            bench,
            stream,
            plan.levels,
            plan.arrays,
            plan.settings,
            passes=int(self.passes),
            strategy=plan.strategy,
        )
        programmer.program([block])
        image = BlockMaps.covering(self.array, [block])
        stream.snapshot(
            image.outcome_map().name, image.image([block], [block.outcome.astype(float)]), bench.now()
        )
        failed = programmer.failed([block])
        ended = {one: int(np.count_nonzero(block.outcome == one)) for one in Outcome}
        if failed:
            reasons = "; ".join(
                f"{n} {one.words}" for one, n in ended.items() if n and one != Outcome.IN_WINDOW
            )
            stream.say(
                f"{failed} cells read outside their verify window after the last pass: {reasons}", "WARNING"
            )
        summary = {
            "cells": block.digits.size,
            "cells_failed": failed,
            "outcomes": {one.name.lower(): n for one, n in ended.items() if n},
            "pulses": programmer.pulses,
            "reads": programmer.reads,
            "virtual_seconds": bench.now(),
        }
        return Programmed(block.achieved, block.pulses, failed, summary)
