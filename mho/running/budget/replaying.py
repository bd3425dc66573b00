"""Repeats a run on its own twin as far as its answers, and keeps what went on between cells and converters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map
from mho.errors import Aborted, InputError, MhoError
from mho.instruments import Bench
from mho.instruments.arrays import Exchange, ExchangeRecorder, SwitchedCircuits, Targets
from mho.procedures import Invert, Multiply, PreparedSolve, Program, Solve
from mho.procedures.base import Procedure
from mho.procedures.stream import Control, NullStream, Observer, Progress, Stream
from mho.running.budget.conductances import CellErrors, cell_errors
from mho.running.budget.last_reads import LastReads
from mho.running.budget.questions import LoopQuestion, ProductQuestion, Question, loop_targets, volts_per_unit
from mho.running.budget.shares import Told
from mho.running.continuing import as_found_by
from mho.running.openers import Opening
from mho.running.recipe import Recipe
from mho.running.trust import Trust, nobody
from mho.runs import RunFile

Floats = NDArray[np.float64]

MOST_ANSWERS = 64  # of one run that are explained, the first ones


@dataclass(frozen=True)
class Replayed:
    """A run as its twin repeated it.

    Attributes
    ----------
    questions : tuple of Question
        Its answers.
    circuits : SwitchedCircuits
        On which they are given again with causes off.
    """

    questions: tuple[Question, ...]
    circuits: SwitchedCircuits


@dataclass(frozen=True)
class ReplayedCells:
    """A run of `Program` as its twin repeated it."""

    errors: CellErrors


class _Enough(Exception):
    """All answers of the run have been given."""


class _SolveOnMatrix(Solve):
    """A solve that shows its matrix."""

    matrix_in_use: Any = None

    def matrix_on(self, plan: PreparedSolve, bench: Bench, stream: Stream) -> Any:
        """Return the matrix, and keep it."""
        self.matrix_in_use = super().matrix_on(plan, bench, stream)
        return self.matrix_in_use


class _Answers(NullStream):
    """Hears of a run's answers, and matches them with the exchanges behind them."""

    table: ClassVar[str]

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__()
        self.file, self.procedure, self.plan, self.bench = file, procedure, plan, bench
        self.told: Told = lambda stage, done, total: None
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
        self.told(f"repeating: {stage}", int(done), int(total))

    def keep(self, exchange: Exchange) -> None:
        """Take an exchange that has just been played."""
        if exchange.board.mode != "MULT":
            self.last = exchange


class _Inversions(_Answers):
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
            raise _Enough
        measured = self._errors.get((number, index))
        if measured is None:  # every scale clamped an output, or the run did not come so far
            if (number, index) > max(self._errors):
                raise _Enough
            return
        loop, systems = self.plan.loops[number], self.plan.systems
        rhs = systems.rhs[index]
        self.found.append(
            LoopQuestion(
                measured**2,
                self.last,
                loop_targets(loop.cells, loop.matrix),
                volts_per_unit(self.last.volts, rhs, loop.cells, self.bench.input_conductance),
                systems.solutions[number, index],
                np.asarray,
                len(rhs),
            )
        )
        if len(self.found) == min(MOST_ANSWERS, len(self._errors)):
            raise _Enough


class _FirstCycles(_Answers):
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
            raise _Enough
        system, plan = self.plan.system, self.procedure.matrix_in_use.plan  # type: ignore[attr-defined]
        form, held = plan.preconditioning, plan.loop.matrix + plan.shift * np.eye(len(plan.loop.matrix))
        rhs = form.equations(system.rhs[:, column])
        conductance = self.bench.input_conductance
        question = LoopQuestion(
            np.nan,
            self.last,
            loop_targets(plan.cells, held),
            volts_per_unit(self.last.volts, rhs, plan.cells, conductance),
            system.reference[:, column],
            lambda found: system.unknowns(form.solution(found)),
            len(rhs),
        )
        volts, outputs = self._played[column]
        per_unit = volts_per_unit(volts[None], rhs, plan.cells, conductance)
        played = replace(question, per_unit=per_unit)
        self.found.append(replace(question, measured=played.error_of(outputs[None])))
        if len(self.found) == min(MOST_ANSWERS, len(self._played)):
            raise _Enough


class _Sums(_Answers):
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
        tiles = {}
        for tile in self.plan.tiles:
            place = tile.placement
            rounded = levels.conductance(tile.digits)
            lines = (place.array, tuple(map(int, place.rows)), tuple(map(int, place.columns)))
            tiles[lines] = {place.array: Targets(rounded, levels.step * tile.digits)}
        targets = tuple(tiles[one.board.block] for one in self._played if one.board.block is not None)
        self.found.append(
            ProductQuestion(self._measured, tuple(self._played), targets, self.procedure, self.plan)
        )
        raise _Enough

    def forget(self) -> None:
        """Forget what was played before the cells were programmed further: verify reads of whole columns."""
        self._played.clear()


@dataclass(frozen=True)
class Kind:
    """A kind of run that has an error to explain.

    Attributes
    ----------
    answers : type
        What hears of its answers.
    error : str
        Which error that is.
    counted : str
        What is counted: one of these, and several.
    drawn : str
        What is drawn anew for an interval.
    """

    answers: type[_Answers]
    error: str
    counted: tuple[str, str] = ("answer", "answers")
    drawn: str = "noise is drawn anew on the same programmed cells"


KINDS: dict[type[Procedure], Kind] = {
    Invert: Kind(_Inversions, "error of the one-step INV"),
    Solve: Kind(_FirstCycles, "error of the first INV, before refinement"),
    Multiply: Kind(
        _Sums, "error of the sums of digits, before they are rounded", ("set of patterns", "sets of patterns")
    ),
    Program: Kind(
        _Answers,
        "error of the conductances, as they were last read",
        ("cell", "cells"),
        "cells are drawn anew from these",
    ),
}


def replay(
    recipe: Recipe, file: RunFile, trust: Trust = nobody, told: Told = lambda stage, done, total: None
) -> Replayed | ReplayedCells:
    """Repeat a run on its own twin as far as its answers, or a programming to its end.

    Raises
    ------
    InputError
        For a run of another kind, or one that has no answer.
    """
    answers = KINDS[recipe.kind].answers
    watched = replace(recipe, kind=_SolveOnMatrix) if recipe.kind is Solve else recipe
    opener = as_found_by(recipe, trust)
    with opener(Opening(recipe.seed, [_heard(told)], Control())) as opened, watched.procedure() as procedure:
        bench = opened.bench
        plan = procedure.prepare(procedure.check(), bench, np.random.default_rng([recipe.seed, 1]))
        _check(recipe, plan)
        stream = answers(file, procedure, plan, bench)
        stream.told = told
        recorder = ExchangeRecorder(bench, stream.reads.of, stream.keep)
        try:
            procedure.execute(plan, bench, stream)
        except _Enough:
            pass
        except Aborted:
            raise
        except MhoError:  # the run may have ended so too, after its answers
            if not stream.found:
                raise
        finally:
            recorder.close()
            del stream.record, stream.record_block  # which refer to the stream itself
            bench.safe()
        if recipe.kind is Program:
            return ReplayedCells(cell_errors(file, plan, bench, stream.reads))
    if not stream.found:
        raise InputError(f"{recipe.path} holds no answer whose error could be explained ({file.status})")
    return Replayed(tuple(stream.found), SwitchedCircuits(recorder.circuits, recorder.converters))


def _heard(told: Told) -> Observer:
    def hear(event: Any) -> None:
        if isinstance(event, Progress):
            told(event.stage, event.done, event.total)

    return hear


def _check(recipe: Recipe, plan: Any) -> None:
    """Refuse answers of which the twin's cells are not told one by one."""
    if recipe.values.get("loop_slices", 1) == 2:
        raise InputError(
            f"{recipe.path} used a second slice of the loop, whose cells hold what others left: a budget is made of loops "
            "of one slice (loop_slices = 1)"
        )
    if isinstance(plan, PreparedSolve) and not hasattr(plan.on_chip, "cells"):
        raise InputError(
            f"{recipe.path} inverted its matrix by blocks, many loops an answer: a budget is made of solves by one loop, "
            f"up to {plan.leaf} rows on this bench"
        )
