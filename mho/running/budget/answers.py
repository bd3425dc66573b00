"""Hears the answers of a run that is repeated, and matches them with the exchanges behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.levels import Levels
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.arrays import Exchange, Holding, Place, Targets, TargetsByArray
from mho.procedures import Block, Multiply
from mho.procedures.base import Procedure
from mho.procedures.stream import NullStream
from mho.running.budget.conductances import LastReads
from mho.running.budget.questions import LoopQuestion, LoopTargets, ProductQuestion, Question, volts_per_unit
from mho.running.budget.shares import StageProgress
from mho.runs import RunFile

MOST_ANSWERS = 64  # of one run that are explained, the first ones


class AllAnswered(Exception):
    """All answers of the run have been given."""


class Answers(NullStream):
    """Hears of a run's answers, and matches them with the exchanges behind them."""

    table: ClassVar[str]

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__()
        self.file, self.procedure, self.plan, self.bench = file, procedure, plan, bench
        self.report: StageProgress = lambda stage, done, total: None
        shapes = {
            one.name: (one.rows, one.columns)
            for one in parse_chip_map(bench.chip_text, "the chip map").arrays
        }
        self.reads = LastReads(shapes)
        self.record: Any = self._record
        self.record_block: Any = self._record_block
        self.last: Exchange | None = None
        self.found: list[Question] = []

    def _record(self, table: str, **row: Any) -> None:
        if table == "pulses":
            self.reads.take(row)
            self.forget()

    def _record_block(self, table: str, columns: Any) -> None:
        if table == "pulses":
            self.reads.take(columns)
            self.forget()
        else:
            self.match(table, columns)

    def forget(self) -> None:
        """Forget what was played before the cells were programmed further."""
        self.last = None

    def match(self, table: str, columns: Any) -> None:
        """Match rows of other tables with the exchange before; nothing here."""

    def progress(self, stage: str, done: float, total: float, **values: Any) -> None:
        """Tell how far the repetition is."""
        self.report(f"repeating: {stage}", int(done), int(total))

    def keep(self, exchange: Exchange) -> None:
        """Take an exchange that has just been played."""
        if exchange.board.mode != "MULT":
            self.last = exchange


class HeardInversions(Answers):
    """Those of `Invert`: every right-hand side of every matrix, at all scales in one exchange."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(file, procedure, plan, bench)
        table = file.table("solutions")
        self._errors = {
            (int(m), int(b)): float(e)
            for m, b, e in zip(table["matrix"], table["rhs"], table["error"], strict=True)
        }

    def match(self, table: str, columns: Any) -> None:
        """Match the rows of a right-hand side with the exchange before."""
        if table != "inversions" or self.last is None:
            return
        number, index = int(columns["matrix"][0]), int(columns["rhs"][0])
        if not self._errors:
            raise AllAnswered
        measured = self._errors.get((number, index))
        if measured is None:  # every scale clamped an output, or the run did not come so far
            if (number, index) > max(self._errors):
                raise AllAnswered
            return
        loop, systems = self.plan.loops[number], self.plan.systems
        rhs = systems.rhs[index]
        self.found.append(
            LoopQuestion(
                measured**2,
                self.last,
                LoopTargets.of(loop.cells, loop.matrix),
                volts_per_unit(self.last.volts, rhs, loop.cells, self.bench.input_conductance),
                systems.solutions[number, index],
                np.asarray,
                len(rhs),
            )
        )
        if len(self.found) == min(MOST_ANSWERS, len(self._errors)):
            raise AllAnswered


class FirstCycles(Answers):
    """Those of `Solve`: the bare INV of each right-hand side's first cycle, before any refinement."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(file, procedure, plan, bench)
        table = file.table("cycles")
        first = table["cycle"] == 1
        self._played = {
            int(b): (u, v)
            for b, u, v in zip(
                table["rhs"][first], table["input"][first], table["output"][first], strict=True
            )
        }

    def emit(self, table: str, **row: Any) -> None:
        """Match a first cycle with the exchange before."""
        if table != "cycles" or row["cycle"] != 1 or self.last is None:
            return
        column = int(row["rhs"])
        if column not in self._played:
            raise AllAnswered
        system, plan = self.plan.system, self.procedure.matrix_in_use.plan  # type: ignore[attr-defined]
        form, held = plan.preconditioning, plan.loop.matrix + plan.shift * np.eye(len(plan.loop.matrix))
        rhs = form.equations(system.rhs[:, column])
        conductance = self.bench.input_conductance
        question = LoopQuestion(
            np.nan, self.last, LoopTargets.of(plan.cells, held),
            volts_per_unit(self.last.volts, rhs, plan.cells, conductance), system.reference[:, column],
            lambda found: system.unknowns(form.solution(found)), len(rhs),
        )  # fmt: skip
        volts, outputs = self._played[column]
        per_unit = volts_per_unit(volts[None], rhs, plan.cells, conductance)
        played = replace(question, per_unit=per_unit)
        self.found.append(replace(question, measured=played.error_of(outputs[None])))
        if len(self.found) == min(MOST_ANSWERS, len(self._played)):
            raise AllAnswered


class Sums(Answers):
    """Those of `Multiply`: sums of digits of random patterns, before they are rounded to integers."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(file, procedure, plan, bench)
        self._played: list[Exchange] = []
        table = file.table("patterns")
        whole = float(np.sum(table["expected"].astype(np.float64) ** 2))
        if not whole:
            raise InputError(f"{file.path} holds no sum of digits that is not 0 ({file.status})")
        self._measured = float(np.sum(table["error"] ** 2)) / whole

    def keep(self, exchange: Exchange) -> None:
        """Take an exchange that has just been played."""
        self._played.append(exchange)

    def match(self, table: str, columns: Any) -> None:
        """Take all exchanges since the cells were programmed, once the patterns are over."""
        if table != "linearity":
            return
        assert isinstance(self.procedure, Multiply)
        levels = self.plan.chip.level_scale()
        targets = tile_targets(self.plan.tiles, levels)
        played = tuple(one for one in self._played if one.board.block is not None)
        self.found.append(ProductQuestion(self._measured, played, targets, self.procedure, self.plan))
        raise AllAnswered

    def forget(self) -> None:
        """Forget what was played before the cells were programmed further: verify reads of whole columns."""
        self._played.clear()


def tile_targets(tiles: Iterable[Block], levels: Levels) -> dict[Place, Holding]:
    """Return the targets of multiplying tiles, in their places; exact are whole digits."""
    found: dict[Place, Holding] = {}
    for tile in tiles:
        place = tile.placement
        lines = place.array, tuple(map(int, place.rows)), tuple(map(int, place.columns))
        one = Targets(levels.conductance(tile.digits), levels.step * tile.digits.astype(np.float64))
        found["MULT", *lines] = TargetsByArray({place.array: one})
    return found
