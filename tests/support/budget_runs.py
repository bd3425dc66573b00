"""Runs for budgets: repeated on their twins, and stopped half-way."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.errors import Aborted
from mho.procedures import Procedure, stream
from mho.procedures.stream import Control, Event, Progress, Row
from mho.running import run
from mho.running.budget.replaying import Replayed, replay
from mho.running.recipe import read_recipe
from mho.runs import RunFile


def replayed(path: Path) -> Replayed:
    """Return a run as its twin repeats it."""
    with RunFile(path) as file:
        found = replay(read_recipe(path), file)
    assert isinstance(found, Replayed)
    return found


def stopped(
    procedure: Procedure, stage: str, done: int, output: Path, bench: str = "arrays", **options: str
) -> Path:
    """Carry out a procedure until it has done so much of a stage, and return its file.

    Every cell is announced, so that where it stops does not hang on the speed of the computer.
    """
    control = Control()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.stage.startswith(stage) and event.done >= done:
            control.abort("enough")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "PACE", -1.0)
        with pytest.raises(Aborted):
            run(procedure, bench, seed=3, output=output, control=control, observers=[stop], **options)
    return output


def stopped_solve(procedure: Procedure, answers: int, output: Path) -> Path:
    """Carry out a solve on arrays until it works on a right-hand side after so many, and return its file."""
    control, begun = Control(), set()

    def stop(event: Event) -> None:
        if isinstance(event, Row) and event.table == "cycles":
            begun.add(event.values["rhs"])
            if len(begun) > answers:
                control.abort("enough")

    with pytest.raises(Aborted):
        run(procedure, "arrays", seed=3, output=output, control=control, observers=[stop])
    return output
