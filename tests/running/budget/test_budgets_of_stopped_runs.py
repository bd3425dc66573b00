"""Runs that were stopped, and runs that went on where others ended: what they came to is explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from budget_runs import stopped, stopped_solve
from daily import daily

from mho.errors import Aborted, InputError
from mho.procedures import Invert, Program, Solve
from mho.procedures.stream import Control, Event, Started
from mho.running import run
from mho.running.budget import Budget, budget
from mho.running.budget.budgets import NOT_AGAIN
from mho.running.budget.conductances import LastReads
from mho.running.continuing import resume
from mho.runs import RunFile, Status

DIGITS = np.arange(24).reshape(4, 6) % 8


def programming(folder: Path, **options: str) -> Program:
    """Return a programming of 24 cells."""
    np.savetxt(folder / "digits.csv", DIGITS, delimiter=",", fmt="%d")
    return Program(digits=str(folder / "digits.csv"), **options)


def explained(path: Path, draws: int = 2) -> Budget:
    """Return the budget of a run that its twin repeats: what the shares add up to is what was measured."""
    found = budget(path, draws=draws)
    assert found.twin == pytest.approx(found.measured, rel=1e-9)
    assert sum(one.share for one in found.shares) + found.rest == pytest.approx(1.0, abs=1e-9)
    return found


def test_a_budget_can_be_stopped_while_it_repeats_its_run(inverted: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("repeating: inverting", 1):  # the first answer is there, and others would follow
            raise Aborted("enough")

    with pytest.raises(Aborted, match="enough"):
        budget(inverted, draws=0, progress=stop)


@pytest.mark.parametrize("bench", daily(["arrays", "simulated"], ["simulated"]))
def test_a_programming_that_was_stopped_is_explained_as_far_as_it_came(bench: str, tmp_path: Path) -> None:
    path = stopped(programming(tmp_path), "programming", 3, tmp_path / "stopped.h5", bench)
    found = explained(path, draws=0)
    assert found.status is Status.ABORTED
    with RunFile(path) as file:
        rows = file.table("pulses")
    cells = {(r, c): g for r, c, g in zip(rows["row"], rows["column"], rows["conductance"], strict=True)}
    assert found.answers == len(cells)
    assert found.remarks[-2].startswith(f"{len(cells)} of 24 cells had been read")
    if bench == "simulated":  # cell by cell
        assert len(cells) < 24
    with RunFile(path) as file:
        target = file.map("multiply_target")
    off = [g - target[r, c] for (r, c), g in cells.items()]
    size = np.sqrt(np.mean([target[place] ** 2 for place in cells]))
    assert found.measured == pytest.approx(np.sqrt(np.mean(np.square(off))) / size, rel=1e-9)


def test_one_that_verifies_whole_rows_is_explained_too(tmp_path: Path) -> None:
    procedure = programming(tmp_path, write_verify="verify=row")
    found = explained(stopped(procedure, "programming", 8, tmp_path / "stopped.h5"))
    assert 0 < found.answers < 24


def test_a_programming_that_was_stopped_before_its_first_read_is_refused(tmp_path: Path) -> None:
    control, path = Control(), tmp_path / "stopped.h5"

    def stop(event: Event) -> None:
        if isinstance(event, Started):
            control.abort("enough")

    with pytest.raises(Aborted):
        run(programming(tmp_path), "arrays", seed=1, output=path, control=control, observers=[stop])
    with pytest.raises(InputError, match=r"stopped\.h5 holds no verify read of a cell .*aborted"):
        budget(path)


@pytest.mark.thorough
@pytest.mark.parametrize("bench", ["arrays", "simulated"])
def test_a_programming_that_was_gone_on_with_is_explained_to_its_end(bench: str, tmp_path: Path) -> None:
    path = stopped(programming(tmp_path), "programming", 3, tmp_path / "stopped.h5", bench)
    resume(path, output=tmp_path / "whole.h5")
    found = explained(tmp_path / "whole.h5", draws=0)
    assert [found.status, found.answers] == [Status.FINISHED, 24]
    assert found.remarks == ("it went on with the cells as stopped.h5 left them", NOT_AGAIN)


@pytest.mark.thorough
def test_the_answers_that_a_run_took_over_are_left_to_the_run_that_made_them(tmp_path: Path) -> None:
    solve = Solve(matrix="zuo2025-4x4", bits=12, count=4)
    path = stopped_solve(solve, 2, tmp_path / "stopped.h5")
    whole = resume(path, output=tmp_path / "whole.h5").path
    first, rest = explained(path), explained(whole)
    assert first.answers + rest.answers >= 4
    assert rest.answers < 4
    taken = 4 - rest.answers
    assert rest.remarks == (
        f"{taken} answers were taken over from stopped.h5, whose own budget has them: these are the others",
        NOT_AGAIN,
    )


@pytest.mark.thorough
def test_what_was_gone_on_with_must_be_there(tmp_path: Path) -> None:
    path = stopped_solve(Solve(matrix="zuo2025-4x4", bits=12, count=3), 1, tmp_path / "stopped.h5")
    whole = resume(path, output=tmp_path / "whole.h5").path
    path.unlink()
    with pytest.raises(
        InputError, match=r"whole\.h5 went on with the run in .*stopped\.h5, .*gone; put it back"
    ):
        budget(whole)


@pytest.mark.thorough
def test_a_run_on_the_chip_that_another_one_left_is_explained(tmp_path: Path) -> None:
    first = run(programming(tmp_path), "arrays", preset="pku", seed=3, output=tmp_path / "first.h5").path
    procedure = Invert(conditions="3", size=3, vectors=2, scales=6, steps=0)
    then = run(procedure, "arrays", after=first, seed=4, output=tmp_path / "then.h5").path
    found = explained(then)
    assert found.answers == 2


def test_a_pulse_whose_read_was_cut_short_leaves_its_cell_unknown() -> None:
    reads = LastReads({"a": (1, 2)})
    row = {"array": 0, "row": 0, "column": 0, "time": 1.0, "conductance": 5e-6}
    reads.take(row)
    reads.take(row | {"column": 1, "conductance": 6e-6})
    reads.take(row | {"time": 2.0, "conductance": np.nan})
    times, values = reads.of("a", np.array([0]), np.array([0, 1]))
    np.testing.assert_array_equal(values, [[np.nan, 6e-6]])
    assert times[0, 1] == 1.0


@pytest.mark.thorough
def test_a_descent_of_products_is_explained_by_what_its_rows_say(tmp_path: Path) -> None:
    """Its image has what the last products said of the cells, and no row of them."""
    path = run(programming(tmp_path, strategy="gdp"), "arrays", seed=1, output=tmp_path / "gdp.h5").path
    assert not explained(path, draws=0).remarks
