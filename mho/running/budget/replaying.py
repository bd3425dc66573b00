"""Repeats a run on its own twin as far as its answers, and keeps what went on between cells and converters.

A twin with causes off carries out the same code, calibration included, on a bench that repeats the run's exchanges with the
vectors that it is then given. Of an inverse by blocks the answer is what the first step along its length came to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mho import procedures
from mho.array_types import Floats
from mho.errors import Aborted, InputError, MhoError
from mho.instruments import Bench, arrays
from mho.instruments.simulated import cell_preset
from mho.procedures.base import Procedure
from mho.procedures.stream import Control, NullStream, Observer, Progress, Stream
from mho.running.budget.conductances import CellErrors, cell_errors
from mho.running.budget.questions import (
    RAILED,
    AllAnswered,
    Answers,
    FirstCycles,
    InversionAnswers,
    LoopInputs,
    LoopTargets,
    Question,
    Railed,
    RepeatedBench,
    Sums,
    squared_error,
    tile_targets,
)
from mho.running.budget.shares import StageProgress
from mho.running.continuing import chip_before
from mho.running.phases import Cut, CutShort, Opening, with_earlier
from mho.running.recipe import RunRecipe
from mho.running.trust import Trust, deny_all
from mho.runs import RunFile, Status

MOST_BLOCK_ANSWERS = 8  # of one run that are explained, the first ones: each takes many loops
EXCHANGES = 8  # that take about the time of a loop at all its scales, with its wires
APART = 1 << 20  # exchanges of an answer, at most: their noise is numbered


class WatchedBlocks(procedures.ProgrammedBlockMatrix):
    """A matrix by blocks that records its pulses, and keeps what was played before and for the calibration."""

    recorded = True
    taken: Callable[[], tuple[arrays.Exchange, ...]]  # returns what was played since it was called last
    before: tuple[arrays.Exchange, ...] = ()
    calibration: tuple[arrays.Exchange, ...] = ()

    def calibrate(self) -> None:
        """Calibrate all products."""
        self.before = self.taken()
        super().calibrate()
        self.calibration = self.taken()


class Blocks:
    """The programmed blocks of a solve, on twins with any causes: calibrated anew for each set of them.

    `targets`: of the cells in each place.
    `before`, `calibration`: what was played before the products were calibrated, and for that.
    """

    def __init__(
        self,
        facts: LoopInputs,
        procedure: procedures.Solve,
        plan: procedures.PreparedSolve,
        targets: dict[arrays.Place, arrays.Holding],
        before: tuple[arrays.Exchange, ...],
        calibration: tuple[arrays.Exchange, ...],
    ) -> None:
        self._facts, self._procedure, self.plan, self._targets = facts, procedure, plan, targets
        self._before, self._calibration = before, calibration
        self._cache: (
            tuple[
                tuple[arrays.SwitchedCircuits, arrays.Causes], procedures.ProgrammedBlockMatrix, RepeatedBench
            ]
            | None
        ) = None
        self._moments: dict[int, Blocks] = {}

    def answer(
        self,
        circuits: arrays.SwitchedCircuits,
        causes: arrays.Causes,
        column: int,
        played: tuple[arrays.Exchange, ...],
    ) -> Floats:
        """Return the unknowns after the first cycle of a right-hand side.

        `Railed` when a loop gives no answer.
        """
        matrix, bench = self._calibrated(circuits, causes)
        bench.follow(played)
        system, form = self.plan.system, matrix.plan.preconditioning
        cycle = next(
            procedures.refine(
                form.equations(system.rhs[:, column]), matrix.invert, matrix.multiply,
                lambda unknowns: form.equations(system.residual(form.solution(unknowns), column)),
                lambda unknowns, size: False, method=matrix.method,
                correction_bits=int(self._procedure.correction_bits), max_cycles=1,
                measure=lambda residual: system.measure(form.given_equations(residual)),
            )
        )  # fmt: skip
        return system.unknowns(form.solution(cycle.solution))

    def redrawn(self, moment: int) -> Blocks:
        """Return the same blocks with noise of another moment: one and the same for all answers."""
        if moment not in self._moments:
            before, calibration = (
                tuple(one.redrawn(moment, number) for number, one in enumerate(some))
                for some in (self._before, self._calibration)
            )
            self._moments[moment] = Blocks(
                self._facts, self._procedure, self.plan, self._targets, before, calibration
            )
        return self._moments[moment]

    @property
    def exchanges(self) -> int:
        """Number of exchanges of the calibration."""
        return len(self._calibration)

    def _calibrated(
        self, circuits: arrays.SwitchedCircuits, causes: arrays.Causes
    ) -> tuple[procedures.ProgrammedBlockMatrix, RepeatedBench]:
        """Return the blocks on a twin, the last one again where it is the same."""
        key = circuits, causes
        if self._cache is None or self._cache[0] != key:
            bench: Any = RepeatedBench(circuits, self._targets, causes, self._facts)
            bench.follow(self._before)
            bench.follow(self._calibration)
            plan = self.plan
            matrix = procedures.ProgrammedBlockMatrix(
                bench, NullStream(), by_blocks(plan), plan.settings, plan.rng
            )
            matrix.method = self._procedure.given_method or matrix.method
            matrix.calibrate()
            self._cache = key, matrix, bench
        return self._cache[1:]


@dataclass(frozen=True)
class BlockQuestion(Question):
    """The unknowns of a right-hand side after the first cycle: one INV by blocks, at the best length of its step."""

    blocks: Blocks
    column: int  # number of the right-hand side
    exchanges: tuple[arrays.Exchange, ...]  # what was played in the cycle

    @property
    def effort(self) -> int:
        """How many answers of one loop it takes the time of."""
        return 1 + (self.blocks.exchanges + len(self.exchanges)) // EXCHANGES

    def error(self, circuits: arrays.SwitchedCircuits, causes: arrays.Causes) -> float:
        """Return the squared error of a twin with only `causes`, calibrated as the run calibrates."""
        try:
            answer = self.blocks.answer(circuits, causes, self.column, self.exchanges)
        except Railed:
            return RAILED
        return squared_error(answer, self.blocks.plan.system.reference[:, self.column])

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        first = APART * (number + 1)
        played = tuple(one.redrawn(moment, first + which) for which, one in enumerate(self.exchanges))
        return replace(self, blocks=self.blocks.redrawn(moment), exchanges=played)


class FirstBlockCycles(Answers):
    """Those of a `Solve` by blocks: what each right-hand side's first cycle came to."""

    def __init__(self, file: RunFile, procedure: Procedure, plan: Any, bench: Bench) -> None:
        super().__init__(file, procedure, plan, bench)
        table = file.table("cycles")
        first = table["cycle"] == 1
        errors = zip(table["rhs"][first].tolist(), table["relative_error"][first].tolist(), strict=True)
        self._errors = dict(errors)
        self._played: list[arrays.Exchange] = []
        self._matrix: WatchedBlocks | None = None
        self._blocks: Blocks | None = None

    def watched(self, plan: procedures.PreparedSolve, bench: Bench) -> WatchedBlocks:
        """Return the matrix of a plan on a bench, not programmed yet."""
        self._matrix = WatchedBlocks(bench, self, by_blocks(plan), plan.settings, plan.rng)
        self._matrix.taken = self._taken
        return self._matrix

    def _taken(self) -> tuple[arrays.Exchange, ...]:
        played, self._played = tuple(self._played), []
        return played

    def keep(self, exchange: arrays.Exchange) -> None:
        """Take an exchange that has just been played; a loop that rails in it is programmed again."""
        if exchange.board.mode == "MULT" or procedures.largest_linear(exchange.answers) is not None:
            self._played.append(exchange)

    def forget(self) -> None:
        """Keep what was played: other blocks are not those that were just programmed."""

    def emit(self, table: str, **row: Any) -> None:
        """Match a first cycle with the exchanges before."""
        if table != "cycles":
            return
        played = self._taken()
        if row["cycle"] != 1:
            return
        column = int(row["rhs"])
        if column not in self._errors:
            raise AllAnswered
        blocks = self._blocks = self._blocks or self._programmed()
        question = BlockQuestion(self._errors[column] ** 2, blocks, column, played)
        self.add(question, len(self._errors), MOST_BLOCK_ANSWERS)

    def _programmed(self) -> Blocks:
        matrix, bench, plan = self._matrix, self.bench, self.plan
        assert matrix is not None  # it has been programmed
        assert isinstance(self.procedure, procedures.Solve)
        on_chip = by_blocks(plan)
        targets = tile_targets(on_chip.tiles, on_chip.levels)
        for leaf in on_chip.leaves:
            place, loop = leaf.cells.positive.placement, leaf.loop
            loop_matrix = loop.matrix + loop.candidate.shift * np.eye(len(loop.matrix))
            lines = tuple(map(int, place.rows)), tuple(map(int, place.columns))
            targets["INV", place.array, *lines] = LoopTargets.of(leaf.cells, loop_matrix)
        facts = LoopInputs(bench.file, bench.input_conductance)
        return Blocks(facts, self.procedure, plan, targets, matrix.before, matrix.calibration)


def by_blocks(plan: procedures.PreparedSolve) -> procedures.BlockSolvePlan:
    """Return the plan of a matrix by blocks."""
    assert isinstance(plan.on_chip, procedures.BlockSolvePlan)  # the kind of answers is chosen by that
    return plan.on_chip


@dataclass(frozen=True)
class AnswerKind:
    """Answers of a kind that have an error to explain."""

    answers: type[Answers]  # what hears of them
    error: str  # which error that is
    counted: tuple[str, str] = ("answer", "answers")  # what is counted: one of these, and several
    drawn: str = "noise is drawn anew on the same programmed cells"  # what is drawn anew for an interval


_ONE_STEP = AnswerKind(InversionAnswers, "error of the one-step INV")
_BY_ONE_LOOP = AnswerKind(FirstCycles, "error of the first INV, before refinement")
_BY_BLOCKS = AnswerKind(FirstBlockCycles, "error after the first cycle, of one INV by blocks")
_SUMS = AnswerKind(
    Sums, "error of the sums of digits, before they are rounded", ("set of patterns", "sets of patterns")
)
_CELLS = AnswerKind(
    Answers,
    "error of the conductances, as they were last read",
    ("cell", "cells"),
    "cells are drawn anew from these",
)

NEGLIGIBLE = 1e-9  # share of a noise that weighs nothing and is drawn all the same

# Procedures, and the kind of their answers by the plan
KINDS: dict[type[Procedure], Callable[[Any], AnswerKind]] = {
    procedures.Invert: lambda plan: _ONE_STEP,
    procedures.Solve: lambda plan: (
        _BY_BLOCKS if isinstance(plan.on_chip, procedures.BlockSolvePlan) else _BY_ONE_LOOP
    ),
    procedures.Multiply: lambda plan: _SUMS,
    procedures.Program: lambda plan: _CELLS,
}


@dataclass(frozen=True)
class Replayed:
    """A run as its twin repeated it."""

    kind: AnswerKind
    questions: tuple[Question, ...]  # its answers
    circuits: arrays.SwitchedCircuits  # on which they are given again with causes off
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReplayedCells:
    """A run of `Program` as its twin repeated it."""

    kind: AnswerKind
    errors: CellErrors
    remarks: tuple[str, ...]


class _SolveOnMatrix(procedures.Solve):
    """A solve that shows its matrix, and whose blocks are watched."""

    matrix_in_use: Any = None

    def matrix_on(self, plan: procedures.PreparedSolve, bench: Bench, stream: Stream) -> Any:
        """Return the matrix, and keep it."""
        if isinstance(stream, FirstBlockCycles):
            return stream.watched(plan, bench)
        self.matrix_in_use = super().matrix_on(plan, bench, stream)
        return self.matrix_in_use


def replay(
    recipe: RunRecipe,
    file: RunFile,
    trust: Trust = deny_all,
    report: StageProgress = lambda stage, done, total: None,
) -> Replayed | ReplayedCells:
    """Repeat a run on its own twin as far as its answers, or a programming as far as it came.

    `InputError` for a run of another kind, or one that has no answer.
    """
    watched = replace(recipe, kind=_SolveOnMatrix) if recipe.kind is procedures.Solve else recipe
    opener = with_earlier(recipe.resume_of, chip_before(recipe, trust))
    with (
        opener(Opening(recipe.seed, [_observer(report)], Control())) as opened,
        watched.procedure() as procedure,
    ):
        bench = opened.bench
        plan = procedure.prepare(procedure.check(), bench, np.random.default_rng([recipe.seed, 1]))
        if isinstance(plan, procedures.PreparedSolve) and plan.system.residual_only:
            raise InputError(
                f"{recipe.path} is a solve with certificate = residual, which knows no solution to take errors against; "
                "solve it with certificate = proved"
            )
        kind = KINDS[recipe.kind](plan)
        stream = kind.answers(file, procedure, plan, bench)
        stream.report = report
        stream.earlier, stream.chip_kept = opened.earlier, opened.chip_kept
        if recipe.kind.cell_record and recipe.status is not Status.FINISHED:
            Cut(recipe.path, recipe.kind.cell_record).watch(stream)
        recorder = arrays.ExchangeRecorder(bench, stream.reads.of, stream.keep)
        try:
            procedure.execute(plan, bench, stream)
        except (AllAnswered, CutShort):
            pass
        except Aborted:
            raise
        except MhoError:  # the run may have ended so too, after its answers
            if not stream.questions:
                raise
        finally:
            recorder.close()
            del stream.record, stream.record_block  # which refer to the stream itself
            bench.safe()
        if recipe.kind is procedures.Program:
            errors = cell_errors(file, plan, bench, stream.reads)
            return ReplayedCells(kind, errors, _remarks(recipe, errors, plan.digits.size))
    if not stream.questions:
        raise InputError(f"{recipe.path} holds no answer whose error could be explained ({file.status})")
    return Replayed(
        kind,
        tuple(stream.questions),
        arrays.SwitchedCircuits(recorder.circuits, recorder.converters, recorder.zero),
    )


def without_read_noise(recipe: RunRecipe) -> RunRecipe | None:
    """Return the same run on the same chip without read noise, which then misleads no write-verify; None where it has none.

    All that is random is drawn as before, and the noise weighs nothing: cells, and what pulses do to them, are the same as
    long as the same pulses are sent. The chip of a run that went on with another one, and the cells of a programming that
    was stopped, are what noise made of them before: they have no such twin.
    """
    simulation = recipe.source.bench.simulation
    stopped = recipe.kind.cell_record and recipe.status is not Status.FINISHED
    if simulation is None or stopped or recipe.after is not None or recipe.resume_of is not None:
        return None
    cells = cell_preset(recipe.preset or recipe.source.kind_of_cells)
    if cells.own is not None and cells.own.noise is not None:
        return None  # whose draws nothing but the law itself makes
    noises = {name: NEGLIGIBLE * getattr(cells, name) for name in ("read_noise", "rtn_noise", "white_noise")}
    quiet = replace(cells, name=f"{cells.name[:80]} without noise", **noises)
    readout = {"readout_noise": NEGLIGIBLE * simulation.readout_noise}
    bench = recipe.source.bench.model_copy(update={"simulation": simulation.model_copy(update=readout)})
    source = recipe.source.model_copy(update={"bench": bench})
    return replace(recipe, source=source, preset=quiet)


def _remarks(recipe: RunRecipe, errors: CellErrors, asked: int) -> tuple[str, ...]:
    """Return what is to be said of a programming that was stopped."""
    if recipe.status is Status.FINISHED:
        return ()
    return (
        f"{errors.cells} of {asked} cells had been read after their last pulse when the run stopped; those that were not "
        "done count as they were then",
    )


def _observer(report: StageProgress) -> Observer:
    def hear(event: Any) -> None:
        if isinstance(event, Progress):
            report(event.stage, event.done, event.total)

    return hear
