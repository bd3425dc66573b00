"""Refresh a programmed block: read it, and bring back the cells that left their windows; the others are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.matrix_files import load_digits
from mho.chip_maps.placement import Placement
from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.base import ProcedureResult
from mho.procedures.cells.cell_procedure import PLACE
from mho.procedures.cells.programming.program import (
    BlockProcedure,
    ProgrammingPlan,
    TargetCells,
    write_parameters,
)
from mho.procedures.cells.programming.record import PULSES, BlockMaps
from mho.procedures.chip_in_use import check_same_chip, chip_of, recall_formed
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, if_any, joined, lost_cells, verified_cells
from mho.runs import Column, Conclusion, Figure, Layout, Map, RunFile, Table

TARGET = "_target"


def programmed_by(path: Path) -> TargetCells:
    """Return the cells of the program or refresh run in a file.

    Raises `RunFileError` when it cannot be read; `InputError` when it programmed no block of digits.
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
    return TargetCells(placement, digits.astype(np.int64), achieved, path)


LEFT = Table(
    "left",
    (
        *PLACE,
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


@dataclass(frozen=True, eq=False, repr=False)
class Refreshed(ProcedureResult):
    """Result of a refresh.

    Attributes
    ----------
    before, after : (rows, columns) array
        Read before the refresh, and last verify read, S.
    pulses : (rows, columns) array
        Number of pulses per cell.
    failed : int
        Cells that ended outside their window.
    """

    before: Floats
    after: Floats
    pulses: Integers
    failed: int
    units: ClassVar[Mapping[str, str]] = {
        "before": "S",
        "after": "S",
        **dict.fromkeys(("moved_mean", "moved_deviation", "moved_largest"), "S"),
        "virtual_seconds": "s",
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(("before", "after", "pulses"), ("row", "column")),
    }


class Refresh(BlockProcedure[Refreshed]):
    """Read a programmed block of cells, and bring back those that left their windows."""

    title: ClassVar[str] = "Refresh cells"
    leading: ClassVar[tuple[str, ...]] = ("of", "wait", "passes")
    version: ClassVar[str] = "3"  # in version 1 a formed cell that read low could be formed again
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"3": ("repaired",)}  # counted all that were pulsed

    of = Parameter("Run that programmed the cells")
    digits = Parameter("Digits that they hold, instead of a run")
    array = Parameter("Array of the digits", default="multiply")
    row = IntegerParameter("First row of the digits", minimum=0, maximum=4095, default=0)
    column = IntegerParameter("First column of the digits", minimum=0, maximum=4095, default=0)
    wait = FloatParameter("Wait before the first read", units="s", minimum=0.0, maximum=1e8, default=0.0)
    passes, strategy, write_verify = write_parameters()

    def check(self) -> TargetCells:
        """Read the run or the digits, find the given strategy, and read the given settings."""
        self.check_settings()
        if (self.of is None) == (self.digits is None):
            given = "neither" if self.of is None else "both"
            raise InputError(
                f"refresh needs the run that programmed the cells (of = RUN.h5) or the digits that they hold "
                f"(digits = FILE), and has {given}; give one"
            )
        if self.of is not None:
            return programmed_by(Path(self.of))
        digits = load_digits(self.digits)
        rows, columns = (
            start + np.arange(count)
            for start, count in zip((self.row, self.column), digits.shape, strict=True)
        )
        return TargetCells.at(Placement(self.array, rows, columns), digits)

    def prepare(self, given: TargetCells, bench: Bench, rng: np.random.Generator) -> ProgrammingPlan:
        """Check that the cells are on this bench's chip, and the largest pulses."""
        chip = chip_of(bench)
        if given.run is not None:
            with RunFile(given.run) as run:
                check_same_chip(run, chip)
            recall_formed(bench, given.run)
        return self.plan_for(given, chip, bench)

    def layout(self, plan: ProgrammingPlan) -> Layout:
        """Declare the reads and pulses, the cells that had left, and maps of before and after."""
        images, cells = BlockMaps.covering(plan.array, [plan.block()]), plan.cells
        lines = cells.placement.rows, cells.placement.columns
        before = Map(f"{plan.array}_before", "S", *lines, f"{plan.array}: conductance before", 1)
        moved = Map(f"{plan.array}_moved", "S", *lines, f"{plan.array}: change since programming", 1)
        maps = (*images.declared(), before, moved, images.outcome_map())
        levels, *others = self.figures(plan)
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
        return Layout(
            (pulses, LEFT), maps, self.arrays(plan), default=f"maps/{maps[0].name}", figures=figures
        )

    def run_title(self) -> str:
        """Return the name of the run or the digits."""
        of = self.digits if self.of is None else self.of
        return f"Refresh {Path(of).name if isinstance(of, str | Path) else 'array'}"

    def execute(self, plan: ProgrammingPlan, bench: Bench, stream: Stream) -> Refreshed:
        """Read all cells, write those that left their windows, verify these again, touch up."""
        block, earlier = plan.block(), self.earlier(plan, stream)
        programmer = self.programmer(plan, bench, stream, int(self.passes))
        programmer.begin(block, earlier)
        if earlier is None or not earlier.reads:  # an attempt without a read may have waited for a part of it
            waited = 0.0 if earlier is None else earlier.elapsed
            bench.wait_until(bench.now() + max(float(self.wait) - waited, 0.0))
        unread = np.ones(block.digits.shape, bool) if earlier is None else earlier.cells.untouched
        programmer.reread([block], [unread])
        before = block.achieved.copy()
        if earlier is not None:
            before = np.where(unread, block.achieved, earlier.cells.first)
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
        rows, columns = plan.placement.cells()
        table = {
            "row": rows, "column": columns, "digit": block.digits, "programmed": plan.cells.achieved,
            "before": before, "after": block.achieved, "pulses": block.pulses,
        }  # fmt: skip
        stream.record_block(LEFT.name, {name: values[left] for name, values in table.items()})
        failed = programmer.failed([block])
        if failed:
            stream.say(f"{failed} cells read outside their verify window after the last pass", "WARNING")
        summary = {
            "cells": block.digits.size, "in_window_before": int((~left).sum()),
            "in_window_after": block.digits.size - failed,
            "repaired": int(
                (left & plan.levels.inside(block.achieved, block.digits) & (block.pulses > 0)).sum()
            ),
            "cells_failed": failed, **_moved_summary(moved), "pulses": programmer.pulses,
            "reads": programmer.reads, "lost_by_pulses": len(bench.damage.lost()),
            "virtual_seconds": bench.now(),
        }  # fmt: skip
        return Refreshed(before, block.achieved, block.pulses, failed, summary=summary)

    def conclude(self, plan: ProgrammingPlan, result: Refreshed) -> Conclusion:
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

    def _check_formed(self, plan: ProgrammingPlan, before: Floats, bench: Bench) -> None:
        """Refuse a chip on which the cells were never formed, before anything is written."""
        conducting = plan.digits > 0
        at = plan.placement
        formed = bench.forming.mask(at.array)[np.ix_(at.rows, at.columns)]
        silent = int(((before < plan.settings.formed_above) & ~formed)[conducting].sum())
        if silent > FRESH * conducting.sum():
            again = "" if bench.simulated is None else "go on with a simulated chip by --after RUN.h5, or "
            raise InputError(
                f"{silent} of the {int(conducting.sum())} cells that are to conduct are unformed (below "
                f"{plan.settings.formed_above:g} S): this is not the chip that was programmed; {again}program this one "
                "first"
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
