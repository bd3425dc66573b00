"""Repeats a run on its own twin as far as its answers, and keeps what went on between cells and converters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mho.errors import Aborted, InputError, MhoError
from mho.instruments import Bench
from mho.instruments.arrays import ExchangeRecorder, SwitchedCircuits
from mho.instruments.simulated import cell_preset, preset_text
from mho.procedures import BlockSolvePlan, Invert, Multiply, PreparedSolve, Program, Solve
from mho.procedures.base import Procedure
from mho.procedures.stream import Control, Observer, Progress, Stream
from mho.running.budget.answers import Answers, Enough, FirstCycles, Inversions, Sums
from mho.running.budget.block_answers import FirstBlockCycles
from mho.running.budget.conductances import CellErrors, cell_errors
from mho.running.budget.questions import Question
from mho.running.budget.shares import Told
from mho.running.continuing import as_found_by
from mho.running.cutting import Cut, CutShort
from mho.running.openers import Opening, taking_up
from mho.running.recipe import Recipe
from mho.running.trust import Trust, nobody
from mho.runs import RunFile, Status


@dataclass(frozen=True)
class Kind:
    """Answers of a kind that have an error to explain.

    Attributes
    ----------
    answers : type
        What hears of them.
    error : str
        Which error that is.
    counted : str
        What is counted: one of these, and several.
    drawn : str
        What is drawn anew for an interval.
    """

    answers: type[Answers]
    error: str
    counted: tuple[str, str] = ("answer", "answers")
    drawn: str = "noise is drawn anew on the same programmed cells"


_ONE_STEP = Kind(Inversions, "error of the one-step INV")
_BY_ONE_LOOP = Kind(FirstCycles, "error of the first INV, before refinement")
_BY_BLOCKS = Kind(FirstBlockCycles, "error after the first cycle, of one INV by blocks")
_SUMS = Kind(
    Sums, "error of the sums of digits, before they are rounded", ("set of patterns", "sets of patterns")
)
_CELLS = Kind(
    Answers,
    "error of the conductances, as they were last read",
    ("cell", "cells"),
    "cells are drawn anew from these",
)

NEGLIGIBLE = 1e-9
"""Share of a noise that weighs nothing and is drawn all the same."""

KINDS: dict[type[Procedure], Callable[[Any], Kind]] = {
    Invert: lambda plan: _ONE_STEP,
    Solve: lambda plan: _BY_BLOCKS if isinstance(plan.on_chip, BlockSolvePlan) else _BY_ONE_LOOP,
    Multiply: lambda plan: _SUMS,
    Program: lambda plan: _CELLS,
}
"""Procedures, and the kind of their answers by the plan."""


@dataclass(frozen=True)
class Replayed:
    """A run as its twin repeated it.

    Attributes
    ----------
    kind : Kind
    questions : tuple of Question
        Its answers.
    circuits : SwitchedCircuits
        On which they are given again with causes off.
    """

    kind: Kind
    questions: tuple[Question, ...]
    circuits: SwitchedCircuits
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReplayedCells:
    """A run of `Program` as its twin repeated it."""

    kind: Kind
    errors: CellErrors
    remarks: tuple[str, ...]


class _SolveOnMatrix(Solve):
    """A solve that shows its matrix, and whose blocks are watched."""

    matrix_in_use: Any = None

    def matrix_on(self, plan: PreparedSolve, bench: Bench, stream: Stream) -> Any:
        """Return the matrix, and keep it."""
        if isinstance(stream, FirstBlockCycles):
            return stream.watched(plan, bench)
        self.matrix_in_use = super().matrix_on(plan, bench, stream)
        return self.matrix_in_use


def replay(
    recipe: Recipe, file: RunFile, trust: Trust = nobody, told: Told = lambda stage, done, total: None
) -> Replayed | ReplayedCells:
    """Repeat a run on its own twin as far as its answers, or a programming as far as it came.

    Raises
    ------
    InputError
        For a run of another kind, or one that has no answer.
    """
    watched = replace(recipe, kind=_SolveOnMatrix) if recipe.kind is Solve else recipe
    opener = as_found_by(recipe, trust)
    if recipe.resume_of is not None:
        opener = taking_up(recipe.resume_of, opener)
    with opener(Opening(recipe.seed, [_heard(told)], Control())) as opened, watched.procedure() as procedure:
        bench = opened.bench
        plan = procedure.prepare(procedure.check(), bench, np.random.default_rng([recipe.seed, 1]))
        if isinstance(plan, PreparedSolve) and plan.system.residual_only:
            raise InputError(
                f"{recipe.path} is a solve with certificate = residual, which knows no solution to take errors against; "
                "solve it with certificate = proved"
            )
        kind = KINDS[recipe.kind](plan)
        stream = kind.answers(file, procedure, plan, bench)
        stream.told = told
        stream.earlier, stream.chip_kept = opened.earlier, opened.chip_kept
        if recipe.kind.cell_record and recipe.status is not Status.FINISHED:
            Cut(recipe.path, recipe.kind.cell_record).watch(stream)
        recorder = ExchangeRecorder(bench, stream.reads.of, stream.keep)
        try:
            procedure.execute(plan, bench, stream)
        except (Enough, CutShort):
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
            errors = cell_errors(file, plan, bench, stream.reads)
            return ReplayedCells(kind, errors, _remarks(recipe, errors, plan.digits.size))
    if not stream.found:
        raise InputError(f"{recipe.path} holds no answer whose error could be explained ({file.status})")
    return Replayed(
        kind, tuple(stream.found), SwitchedCircuits(recorder.circuits, recorder.converters, recorder.zero)
    )


def without_read_noise(recipe: Recipe) -> Recipe | None:
    """Return the same run on the same chip without read noise, which then misleads no write-verify; None where it has none.

    All that is random is drawn as before, and the noise weighs nothing: cells, and what pulses do to them, are the same as
    long as the same pulses are sent. The chip of a run that went on with another one, and the cells of a programming that
    was stopped, are what noise made of them before: they have no such twin.
    """
    simulation = recipe.source.bench.simulation
    stopped = recipe.kind.cell_record and recipe.status is not Status.FINISHED
    if simulation is None or stopped or recipe.after is not None or recipe.resume_of is not None:
        return None
    cells = cell_preset(recipe.preset or simulation.preset)
    noises = {name: NEGLIGIBLE * getattr(cells, name) for name in ("read_noise", "rtn_noise", "white_noise")}
    quiet = replace(cells, name=f"{cells.name[:80]} without noise", **noises)
    readout = {"readout_noise": NEGLIGIBLE * simulation.readout_noise}
    bench = recipe.source.bench.model_copy(update={"simulation": simulation.model_copy(update=readout)})
    source = recipe.source.model_copy(update={"bench": bench})
    return replace(recipe, source=source, preset=preset_text(quiet))


def _remarks(recipe: Recipe, errors: CellErrors, asked: int) -> tuple[str, ...]:
    """Return what is to be said of a programming that was stopped."""
    if recipe.status is Status.FINISHED:
        return ()
    return (
        f"{errors.cells} of {asked} cells had been read after their last pulse when the run stopped; those that were not "
        "done count as they were then",
    )


def _heard(told: Told) -> Observer:
    def hear(event: Any) -> None:
        if isinstance(event, Progress):
            told(event.stage, event.done, event.total)

    return hear
