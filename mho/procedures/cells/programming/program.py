"""Program a block of cells to given digits by write-verify; what Program and Refresh have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.matrix_files import load_digits
from mho.chip_maps.placement import Placement, known_bad
from mho.chip_maps.placement import place as place_block
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.confidence import binomial_interval
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, Procedure, ProcedureResult, Result
from mho.procedures.cell_range import CellRange, check_inside, lines_text, parse_lines
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import (
    PULSES,
    PULSES_PER_CELL,
    Block,
    BlockMaps,
    EarlierPulses,
    clock_zero,
    earlier_pulses,
    most_at_once,
    sent_pulses,
    takes_up,
)
from mho.procedures.cells.programming.settings_text import (
    VERIFIED,
    read_settings,
    settings_text,
    verified_needs,
)
from mho.procedures.cells.programming.strategies.known_strategies import chosen_strategy, find_strategy
from mho.procedures.cells.programming.strategy import Outcome, Strategy
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import joined, lost_cells, verified_cells
from mho.runs import Array, Conclusion, Figure, Layout
from mho.runs.standard_figures import programming_figures

DESTROYED = "destroyed by our own pulses: they are no defects of the chip's own"


@dataclass(frozen=True)
class TargetCells:
    """A block of cells and what it holds, or is to hold."""

    placement: Placement
    digits: Integers  # (rows, columns)
    # (rows, columns): what the cells read when they were last verified, S; NaN where that is not known
    achieved: Floats
    run: Path | None = None  # the run file they are from

    @classmethod
    def at(cls, placement: Placement, digits: Integers) -> TargetCells:
        """Return cells of which nothing was read yet."""
        return cls(placement, digits, np.full(digits.shape, np.nan))


@dataclass(frozen=True)
class ProgrammingPlan:
    """The cells with what they are to hold, and how they are brought there."""

    cells: TargetCells
    levels: Levels
    chip: ChipMap
    settings: WriteVerifySettings
    strategy: type[Strategy]

    @property
    def placement(self) -> Placement:
        """Where the cells are."""
        return self.cells.placement

    @property
    def digits(self) -> Integers:
        """Digit of each cell of the placement."""
        return self.cells.digits

    @property
    def array(self) -> str:
        """The array's name."""
        return self.placement.array

    def block(self) -> Block:
        """Return the block, with empty results."""
        return Block(self.placement, self.digits)


def write_parameters() -> tuple[IntegerParameter[int], Parameter, Parameter]:
    """Return the parameters ``passes, strategy, write_verify`` for a class that derives from `BlockProcedure`."""
    return (
        IntegerParameter("Passes of touching up", minimum=0, maximum=100, default=2),
        Parameter("Strategy, the chip map's unless given"),
        Parameter("Write-verify settings, the chip map's unless given"),
    )


class BlockProcedure(Procedure[Result]):
    """Base of procedures that write a block of cells; they have `write_parameters`."""

    group: ClassVar[str] = "Cells"
    needs: ClassVar[tuple[Operation, ...]] = ("read", "program")
    may_need: ClassVar[Mapping[Operation, str]] = {
        "select": "where there is more than one cell",
        "multiply": VERIFIED,
    }
    cell_record: ClassVar[str] = PULSES.name
    recorded_in_use: ClassVar[tuple[str, ...]] = ("write_verify",)
    passes: Any
    strategy: Any
    write_verify: Any

    def check_settings(self) -> None:
        """Find the given strategy, and read the given settings."""
        read_settings(self.write_verify, self._settings_type())

    def _settings_type(self) -> type[WriteVerifySettings]:
        return WriteVerifySettings if self.strategy is None else find_strategy(self.strategy).settings_type

    def needed(self) -> tuple[Operation, ...]:
        """Return what programming needs, `select` of several cells, and what verifies them."""
        given = self.check()
        digits = given.digits if isinstance(given, TargetCells) else given
        several: tuple[Operation, ...] = ("select",) if digits.size > 1 else ()
        return verified_needs((*type(self).needs, *several), self.write_verify, self._settings_type())

    def plan_for(self, cells: TargetCells, chip: ChipMap, bench: Bench) -> ProgrammingPlan:
        """Return the plan after checking that the array has the cells, and the bench allows the largest pulses."""
        levels = chip.level_scale()
        levels.conductance(cells.digits)
        at = cells.placement
        check_inside(chip.array(at.array), CellRange(at.rows, at.columns))
        settings, strategy = chosen_strategy(chip.write_verify, self.write_verify, self.strategy)
        bench.check_read()
        strategy.check_pulses(bench, settings)
        if settings.verify != "cell":
            bench.limits.check_voltage("vector", bench.file.read.voltage)
        return ProgrammingPlan(cells, levels, chip, settings, strategy)

    def arrays(self, plan: ProgrammingPlan) -> tuple[Array, ...]:
        """Declare the arrays of a layout."""
        return (
            Array("digits", plan.digits, description="digit wanted of each cell"),
            clock_zero(),
            sent_pulses(most_at_once(plan.settings, plan.strategy, plan.placement)),
        )

    def figures(self, plan: ProgrammingPlan) -> tuple[Figure, ...]:
        """Declare the figures of programming."""
        windows = zip(plan.levels.low.tolist(), plan.levels.high.tolist(), strict=True)
        return programming_figures([plan.array], windows)

    def in_use(self, plan: ProgrammingPlan) -> Mapping[str, tuple[str, str]]:
        """Return the strategy and the settings of write-verify."""
        return {
            "strategy": (plan.settings.strategy, "the chip map's"),
            "write_verify": (settings_text(plan.settings), "the chip map's"),
        }

    def own_classes(self) -> Mapping[str, type]:
        """Return the strategy."""
        return {} if self.strategy is None else {"strategy": find_strategy(self.strategy)}

    def describe_cells(self, plan: ProgrammingPlan) -> str:
        """Return array and range."""
        at = plan.placement
        return f"{at.array}[{lines_text(at.rows)}, {lines_text(at.columns)}]"

    def earlier(self, plan: ProgrammingPlan, stream: Stream) -> EarlierPulses | None:
        """Return what an attempt at the same did to the same cells; None without one."""
        if stream.earlier is None or not takes_up(stream):
            return None
        at, digits = plan.placement, plan.digits
        return earlier_pulses(stream.earlier, plan.chip, at, digits, plan.levels, plan.settings)

    def programmer(self, plan: ProgrammingPlan, bench: Bench, stream: Stream, passes: int) -> Programmer:
        """Return what programs the cells."""
        arrays = [array.name for array in plan.chip.arrays]
        return Programmer(bench, stream, plan.levels, arrays, plan.settings, passes, strategy=plan.strategy)


@dataclass(frozen=True, eq=False, repr=False)
class Programmed(ProcedureResult):
    """Result of programming.

    Attributes
    ----------
    achieved : (rows, columns) array
        Last verify read, S.
    pulses : (rows, columns) array
        Number of pulses per cell.
    failed : int
        Cells that ended outside their window.
    """

    achieved: Floats
    pulses: Integers
    failed: int
    units: ClassVar[Mapping[str, str]] = {"achieved": "S", "virtual_seconds": "s"}
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(("achieved", "pulses"), ("row", "column")),
    }


class Program(BlockProcedure[Programmed]):
    """Program a block of cells to digits from a file, or all of them to one, by write-verify or another strategy."""

    title: ClassVar[str] = "Program cells"
    leading: ClassVar[tuple[str, ...]] = ("digits", "array", "row", "column", "strategy")
    version: ClassVar[str] = "2"  # in version 1 a formed cell that read low could be formed again

    digits: Parameter[Any] = Parameter("Digits, a file or one for all cells", default="")
    array = Parameter("Array", default="multiply")
    place = ListParameter("Place, fixed or on good cells", choices=["fixed", "auto"], default="fixed")
    row = IntegerParameter("First row", minimum=0, maximum=4095, default=0)
    column = IntegerParameter("First column", minimum=0, maximum=4095, default=0)
    rows = Parameter("Rows, in place of a first one")
    columns = Parameter("Columns, in place of a first one")
    passes, strategy, write_verify = write_parameters()

    def check(self) -> Integers:
        """Read the digits, find the given strategy, and read the given settings."""
        self.check_settings()
        if self.place == "auto" and (self.row or self.column):
            raise InputError(
                f"place is auto, which finds the lines by itself; leave out row {self.row} and column {self.column}"
            )
        level = str(self.digits).strip()
        if level.isascii() and level.isdecimal():  # not a file: the digit of all cells
            return self._uniform(int(level))
        digits = load_digits(self.digits)
        for what, start, count in (
            ("row", self.row, digits.shape[0]),
            ("column", self.column, digits.shape[1]),
        ):
            given = getattr(self, f"{what}s")
            if given is None:
                continue
            if start or self.place == "auto":
                raise InputError(
                    f"{what}s are {given}, so the place is given; leave out {what} {start} and place {self.place}"
                )
            if (lines := len(parse_lines(given, f"{what}s"))) != count:
                raise InputError(
                    f"{what}s {given!r} are {lines}, and the digits have {count}; name as many {what}s as there are"
                )
        return digits

    def _uniform(self, level: int) -> Integers:
        """Return one digit for each cell of the given rows and columns."""
        if self.rows is None or self.columns is None:
            raise InputError(
                f"the digits are {level}, one for all cells; name these by rows and columns, or give a file of digits"
            )
        lines = (parse_lines(text, what) for what, text in (("rows", self.rows), ("columns", self.columns)))
        return np.full([len(one) for one in lines], level, np.int64)

    def prepare(self, given: Integers, bench: Bench, rng: np.random.Generator) -> ProgrammingPlan:
        """Place the block on the array and check the largest pulses."""
        chip = chip_of(bench)
        chip.level_scale().conductance(given)
        array = chip.array(self.array)
        placement = place_block(array, *given.shape) if self.place == "auto" else self._fixed(array, given)
        return self.plan_for(TargetCells.at(placement, given), chip, bench)

    def _fixed(self, array: ArrayMap, digits: Integers) -> Placement:
        rows, columns = (
            start + np.arange(count) if given is None else parse_lines(given, "lines")
            for given, start, count in zip(
                (self.rows, self.columns), (self.row, self.column), digits.shape, strict=True
            )
        )
        check_inside(array, CellRange(rows, columns))
        return Placement(self.array, rows, columns)

    def layout(self, plan: ProgrammingPlan) -> Layout:
        """Declare the pulses, the maps of the block, and the target digits."""
        images = BlockMaps.covering(plan.array, [plan.block()])
        maps = (*images.declared(), images.outcome_map())
        pulses = replace(PULSES, rows=round(PULSES_PER_CELL * plan.digits.size))
        default = f"maps/{maps[0].name}"
        return Layout((pulses,), maps, self.arrays(plan), default=default, figures=self.figures(plan))

    def run_title(self) -> str:
        """Return the name of the digits and their place."""
        name = Path(self.digits).name if isinstance(self.digits, str | Path) else "array"
        lines = ", ".join(
            str(one if given is None else given)
            for given, one in ((self.rows, self.row), (self.columns, self.column))
        )
        where = f"on {self.array}" if self.place == "auto" else f"at {self.array}[{lines}]"
        return f"Program {name} {where}"

    def estimate(self, given: Integers, source: BenchSource) -> Estimate:
        """Estimate the pulses from the usual number per cell."""
        return Estimate(pulses=round(PULSES_PER_CELL * given.size))

    def execute(self, plan: ProgrammingPlan, bench: Bench, stream: Stream) -> Programmed:
        """Program, verify again later, touch up."""
        at, size = plan.placement, plan.digits.size
        if bad := int(known_bad(plan.chip.array(at.array))[np.ix_(at.rows, at.columns)].sum()):
            stream.say(
                f"{bad} of the {size} cells are known to be bad; `place = auto` goes around them", "WARNING"
            )
        block, first, passes = plan.block(), None, int(self.passes)
        earlier = self.earlier(plan, stream)
        if earlier is not None:  # what it verified is read again at least once, and left alone where it holds
            first, passes = [earlier.cells.unfinished], max(passes, 1)
        programmer = self.programmer(plan, bench, stream, passes)
        programmer.begin(block, earlier)
        programmer.program([block], first=first)
        programmer.record_outcome(block)
        failed = programmer.failed([block])
        outside = block.outcome != Outcome.IN_WINDOW
        ours = outside & bench.damage.lost_among(at.array, at.rows, at.columns)
        ended = {one: int(np.count_nonzero((block.outcome == one) & ~ours)) for one in Outcome}
        if failed:
            reasons = [f"{n} {one.words}" for one, n in ended.items() if n and one != Outcome.IN_WINDOW]
            if ours.any():
                reasons.append(f"{ours.sum()} {DESTROYED}")
            stream.say(
                f"{failed} cells read outside their verify window after the last pass: {'; '.join(reasons)}",
                "WARNING",
            )
        low, high = binomial_interval(size - failed, size)
        summary = {
            "cells": size, "cells_failed": failed, "yield": (size - failed) / size,
            "yield_low": low, "yield_high": high,
            "pulses_per_cell": programmer.pulses / size,
            "outcomes": {one.name.lower(): n for one, n in ended.items() if n}
            | ({"lost_by_pulses": int(ours.sum())} if ours.any() else {}),
            **_product_errors(programmer), "pulses": programmer.pulses, "reads": programmer.reads,
            "lost_by_pulses": len(bench.damage.lost()), "virtual_seconds": bench.now(),
        }  # fmt: skip
        if earlier is not None:
            summary["taken_over"] = int((~earlier.cells.unfinished).sum())
            if earlier.in_doubt:
                summary["pulses_not_confirmed"] = earlier.in_doubt
        return Programmed(block.achieved, block.pulses, failed, summary=summary)

    def conclude(self, plan: ProgrammingPlan, result: Programmed) -> Conclusion:
        """Return how many cells are in their windows, and how many the run's own pulses broke."""
        summary = result.summary
        return Conclusion(joined(verified_cells(summary["cells"], result.failed), lost_cells(summary)))


def _product_errors(programmer: Programmer) -> dict[str, float]:
    """Return the relative error of products before and after a descent of it; nothing without one."""
    if not programmer.product_errors:
        return {}
    before, after = np.sqrt(np.mean(np.square(programmer.product_errors), axis=0))
    return {"product_error_before": float(before), "product_error": float(after)}
