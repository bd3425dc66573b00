"""Refresh a programmed block: read it, and bring back the cells that left their windows; the others are left alone.

The cells that a run programmed, with the digits that they hold and what they read then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.matrix_files import load_digits
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.attempt_clock import clock_zero
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange, check_inside, lines_text
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import (
    PULSES,
    Block,
    BlockMaps,
    earlier_pulses,
    most_at_once,
    sent_pulses,
    takes_up,
)
from mho.procedures.cells.programming.settings_text import read_settings, settings_text
from mho.procedures.cells.programming.strategies.known_strategies import chosen_strategy, find_strategy
from mho.procedures.cells.programming.strategy import Strategy
from mho.procedures.chip_in_use import check_same_chip, chip_of, recall_formed
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, if_any, joined, lost_cells, verified_cells
from mho.runs import Array, Column, Conclusion, Figure, Layout, Map, RecordedParameter, RunFile, Table
from mho.runs.standard_figures import programming_figures

TARGET = "_target"


@dataclass(frozen=True)
class ProgrammedCells:
    """A block of cells and what it is to hold.

    Attributes
    ----------
    placement : Placement
    digits : (rows, columns) array
    achieved : (rows, columns) array
        What the cells read when they were last verified, S; NaN where that is not known.
    run : Path or None
        The run file they are from.
    """

    placement: Placement
    digits: NDArray[np.int64]
    achieved: NDArray[np.float64]
    run: Path | None = None

    def check_chip(self, chip: ChipMap) -> None:
        """Raise unless they are on this chip; errors as `check_same_chip`."""
        if self.run is not None:
            with RunFile(self.run) as run:
                check_same_chip(run, chip)


def programmed_by(path: Path) -> ProgrammedCells:
    """Return the cells of the program or refresh run in a file.

    Raises
    ------
    RunFileError
        When it cannot be read.
    InputError
        When it programmed no block of digits.
    """
    with RunFile(path) as run:
        arrays = [name.removesuffix(TARGET) for name in run.maps if name.endswith(TARGET)]
        if len(arrays) != 1 or "digits" not in run.arrays or "pulses" not in run.tables:
            raise InputError(
                f"{path} ({run.procedure}) did not program a block of digits; name a run of program or refresh"
            )
        array, digits = arrays[0], run.array("digits")
        placement = Placement(array, *run.map_axes(f"{array}{TARGET}"))
        known = len(run.map_times(f"{array}_conductance"))
        achieved = run.map(f"{array}_conductance") if known else np.full(digits.shape, np.nan)
    return ProgrammedCells(placement, digits.astype(np.int64), achieved, path)


LEFT = Table(
    "left",
    (
        Column("row", dtype="u2"),
        Column("column", dtype="u2"),
        Column("digit", dtype="u1"),
        Column("programmed", "S", description="last verify read of the programming; NaN where not known"),
        Column("before", "S", description="read before the refresh"),
        Column("after", "S", description="last verify read of the refresh"),
        Column("pulses", dtype="u4"),
    ),
    signal="after",
    axis="before",
    title="cells that had left their windows",
)

FRESH = 0.5  # share of cells that do not conduct above which the chip is not the one that was programmed


@dataclass(frozen=True)
class Refreshed:
    """Result of a refresh; `units` are those of the summary.

    Attributes
    ----------
    before, after : (rows, columns) array
        Read before the refresh, and last verify read, S.
    pulses : (rows, columns) array
        Number of pulses per cell.
    failed : int
        Cells that ended outside their window.
    summary : dict
        Summary in the run file and of ``--json``.
    path : Path
        The run file.
    """

    before: Floats
    after: Floats
    pulses: Integers
    failed: int
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {
        "moved_mean": "S",
        "moved_deviation": "S",
        "moved_largest": "S",
        "virtual_seconds": "s",
    }


@dataclass(frozen=True)
class RefreshPlan:
    """The cells with what they are to hold, and how they are brought back."""

    cells: ProgrammedCells
    levels: Levels
    chip: ChipMap
    settings: WriteVerifySettings
    strategy: type[Strategy]

    @property
    def array(self) -> str:
        """The array's name."""
        return self.cells.placement.array

    @property
    def arrays(self) -> tuple[str, ...]:
        """The chip's arrays, in its order."""
        return tuple(array.name for array in self.chip.arrays)

    def block(self) -> Block:
        """Return the block, with empty results."""
        return Block(self.cells.placement, self.cells.digits)


class Refresh(Procedure):
    """Read a programmed block of cells, and bring back those that left their windows."""

    title: ClassVar[str] = "Refresh cells"
    group: ClassVar[str] = "Cells"
    version: ClassVar[str] = "3"  # in version 1 a formed cell that read low could be formed again
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"3": ("repaired",)}  # counted all that were pulsed
    cell_record: ClassVar[str] = PULSES.name

    of = Parameter("Run that programmed the cells")
    digits = Parameter("Digits that they hold, instead of a run")
    array = Parameter("Array of the digits", default="multiply")
    row = IntegerParameter("First row of the digits", minimum=0, maximum=4095, default=0)
    column = IntegerParameter("First column of the digits", minimum=0, maximum=4095, default=0)
    wait = FloatParameter("Wait before the first read", units="s", minimum=0.0, maximum=1e8, default=0.0)
    passes = IntegerParameter("Passes of touching up", minimum=0, maximum=100, default=2)
    strategy = Parameter("Strategy, the chip map's unless given")
    write_verify = Parameter("Write-verify settings, the chip map's unless given")

    def check(self) -> ProgrammedCells:
        """Read the run or the digits, find the given strategy, and read the given settings."""
        kind = WriteVerifySettings if self.strategy is None else find_strategy(self.strategy).settings_type
        read_settings(self.write_verify, kind)
        if (self.of is None) == (self.digits is None):
            given = "neither" if self.of is None else "both"
            raise InputError(
                f"refresh needs the run that programmed the cells (--of RUN.h5) or the digits that they hold "
                f"(--digits FILE), and has {given}; give one"
            )
        if self.of is not None:
            return programmed_by(Path(self.of))
        digits = load_digits(self.digits)
        rows, columns = (
            start + np.arange(count)
            for start, count in zip((self.row, self.column), digits.shape, strict=True)
        )
        return ProgrammedCells(Placement(self.array, rows, columns), digits, np.full(digits.shape, np.nan))

    def prepare(self, given: ProgrammedCells, bench: Bench, rng: np.random.Generator) -> RefreshPlan:
        """Check that the cells are on this bench's chip, and the largest pulses."""
        chip = chip_of(bench)
        given.check_chip(chip)
        if given.run is not None:
            recall_formed(bench, given.run)
        levels = chip.level_scale()
        levels.conductance(given.digits)
        placement = given.placement
        check_inside(chip.array(placement.array), CellRange(placement.rows, placement.columns))
        settings, strategy = chosen_strategy(chip.write_verify, self.write_verify, self.strategy)
        bench.check_read()
        strategy.check_pulses(bench, settings)
        if settings.verify != "cell":
            bench.limits.check_voltage("vector", bench.file.read.voltage)
        return RefreshPlan(given, levels, chip, settings, strategy)

    def layout(self, plan: RefreshPlan) -> Layout:
        """Declare the reads and pulses, the cells that had left, and maps of before and after."""
        images, cells = BlockMaps.covering(plan.array, [plan.block()]), plan.cells
        lines = cells.placement.rows, cells.placement.columns
        before = Map(f"{plan.array}_before", "S", *lines, f"{plan.array}: conductance before", 1)
        moved = Map(f"{plan.array}_moved", "S", *lines, f"{plan.array}: change since programming", 1)
        maps = (*images.declared(), before, moved, images.outcome_map())
        arrays = (
            Array("digits", cells.digits, description="digit wanted of each cell"),
            clock_zero(),
            sent_pulses(most_at_once(plan.settings, plan.strategy, plan.cells.placement)),
        )
        windows = zip(plan.levels.low.tolist(), plan.levels.high.tolist(), strict=True)
        levels, *others = programming_figures([plan.array], windows)
        figures = (
            replace(levels, name="before", map=before.name, title="Levels before the refresh"),
            replace(levels, name="levels", title="Levels after the refresh"),
            *(
                replace(one, name="confusion_before", map=before.name, title="Levels wanted and read before")
                for one in others
                if one.name == "confusion"
            ),
            Figure(
                "moved", kind="distribution", map=moved.name, by=f"{plan.array}_target", y_scale="probability",
                title="Change since programming, by level",
            ),
            Figure("moved_map", map=moved.name, title="Change since programming"),
            *others,
        )  # fmt: skip
        pulses = replace(PULSES, rows=2 * cells.digits.size)
        return Layout((pulses, LEFT), maps, arrays, default=f"maps/{maps[0].name}", figures=figures)

    def in_use(self, plan: RefreshPlan) -> Mapping[str, tuple[str, str]]:
        """Return the strategy and the settings of write-verify, and the array of a run."""
        return {
            "strategy": (plan.settings.strategy, "the chip map's"),
            "write_verify": (settings_text(plan.settings), "the chip map's"),
        }

    def own_classes(self) -> Mapping[str, type]:
        """Return the strategy."""
        return {} if self.strategy is None else {"strategy": find_strategy(self.strategy)}

    def recorded_parameters(self, plan: RefreshPlan) -> dict[str, RecordedParameter]:
        """Return the parameters, with all settings of write-verify."""
        recorded = super().recorded_parameters(plan)
        whole = replace(recorded["write_verify"], value=settings_text(plan.settings))
        return recorded | {"write_verify": whole}

    def describe_cells(self, plan: RefreshPlan) -> str:
        """Return array and range."""
        at = plan.cells.placement
        return f"{at.array}[{lines_text(at.rows)}, {lines_text(at.columns)}]"

    def run_title(self) -> str:
        """Return the name of the run or the digits."""
        of = self.digits if self.of is None else self.of
        return f"Refresh {Path(of).name if isinstance(of, str | Path) else 'array'}"

    def estimate(self, given: ProgrammedCells, source: BenchSource) -> Estimate:
        """Return nothing: how many cells have left their windows is not known before."""
        return Estimate()

    def execute(self, plan: RefreshPlan, bench: Bench, stream: Stream) -> Refreshed:
        """Read all cells, write those that left their windows, verify these again, touch up."""
        block, passes = plan.block(), int(self.passes)
        programmer = Programmer(
            bench, stream, plan.levels, plan.arrays, plan.settings, passes=passes, strategy=plan.strategy
        )
        earlier = None
        if stream.earlier is not None and takes_up(stream):
            at = plan.cells.placement
            earlier = earlier_pulses(
                stream.earlier, plan.chip, at, plan.cells.digits, plan.levels, plan.settings
            )
        programmer.begin(block, earlier)
        if earlier is None or not earlier.reads:  # an attempt without a read may have waited for a part of it
            waited = 0.0 if earlier is None else earlier.elapsed
            bench.wait_until(bench.now() + max(float(self.wait) - waited, 0.0))
        unread = np.ones(block.digits.shape, bool) if earlier is None else earlier.cells.untouched
        programmer.reread([block], [unread])
        before = (
            block.achieved.copy()
            if earlier is None
            else np.where(unread, block.achieved, earlier.cells.first)
        )
        self._check_formed(plan, before, bench)
        moved = before - plan.cells.achieved
        now = bench.now() + programmer.shift
        stream.snapshot(f"{plan.array}_before", before, now)
        stream.snapshot(f"{plan.array}_moved", moved, now)
        outside = ~plan.levels.inside(block.achieved, block.digits)
        programmer.repair(
            block, outside if earlier is None else outside & (unread | earlier.cells.unfinished)
        )
        programmer.record_outcome(block)
        left = ~plan.levels.inside(before, block.digits)
        self._record_left(plan, block, before, left, stream)
        failed = programmer.failed([block])
        if failed:
            stream.say(f"{failed} cells read outside their verify window after the last pass", "WARNING")
        summary = {
            "cells": block.digits.size,
            "in_window_before": int((~left).sum()),
            "in_window_after": block.digits.size - failed,
            "repaired": int(
                (left & plan.levels.inside(block.achieved, block.digits) & (block.pulses > 0)).sum()
            ),
            "cells_failed": failed,
            **_moved_summary(moved),
            "pulses": programmer.pulses,
            "reads": programmer.reads,
            "lost_by_pulses": len(bench.damage.lost()),
            "virtual_seconds": bench.now(),
        }
        return Refreshed(before, block.achieved, block.pulses, failed, summary)

    def conclude(self, plan: RefreshPlan, result: Refreshed) -> Conclusion:
        """Return how many cells had left their windows, and how many are in them now."""
        summary = result.summary
        left = summary["cells"] - summary["in_window_before"]
        return Conclusion(
            joined(
                f"{left:,} of {counted(summary['cells'], 'cell')} had left their windows",
                if_any(summary["repaired"], "repaired"),
                verified_cells(summary["cells"], result.failed),
                lost_cells(summary),
            )
        )

    def _check_formed(self, plan: RefreshPlan, before: Floats, bench: Bench) -> None:
        """Refuse a chip on which the cells were never formed, before anything is written."""
        wanted = plan.cells.digits > 0
        at = plan.cells.placement
        formed = bench.forming.mask(at.array)[np.ix_(at.rows, at.columns)]
        silent = int(((before < plan.settings.formed_above) & ~formed)[wanted].sum())
        if silent > FRESH * wanted.sum():
            again = "" if bench.simulated is None else "go on with a simulated chip by --after RUN.h5, or "
            raise InputError(
                f"{silent} of the {int(wanted.sum())} cells that are to conduct are unformed (below "
                f"{plan.settings.formed_above:g} S): this is not the chip that was programmed; {again}program this one "
                "first"
            )

    def _record_left(
        self, plan: RefreshPlan, block: Block, before: Floats, left: Booleans, stream: Stream
    ) -> None:
        rows, columns = plan.cells.placement.cells()
        stream.record_block(
            LEFT.name,
            {
                "row": rows[left],
                "column": columns[left],
                "digit": block.digits[left],
                "programmed": plan.cells.achieved[left],
                "before": before[left],
                "after": block.achieved[left],
                "pulses": block.pulses[left],
            },
        )


def _moved_summary(moved: Floats) -> dict[str, float]:
    """Return by how much cells moved since they were programmed; nothing where that is not known."""
    known = moved[np.isfinite(moved)]
    if not known.size:
        return {}
    return {
        "moved_mean": float(known.mean()),
        "moved_deviation": float(known.std()),
        "moved_largest": float(known[np.argmax(np.abs(known))]),
    }
