"""A solve of many right-hand sides that was killed goes on where it was, and believes nothing that its file says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from mho import run
from mho.errors import InputError
from mho.platforms import here
from mho.procedures import Solution, Solve
from mho.procedures.equations.planning.linear_system import Goal, LinearSystem
from mho.procedures.equations.solve.answers import earlier_answers
from mho.running.continuing import rerun, resume
from mho.runs import RunFile, Status, clear_writer_flag

MATRIX = np.array([[2.0, 0.3, -0.2], [0.1, 1.5, 0.4], [-0.3, 0.2, 1.8]])
COUNT, KILLED_AT = 6, 3

CHILD = """
import sys, time
import numpy as np
from mho import run
from mho.platforms import here
from mho.procedures import Solve
from mho.procedures.stream import Row
from mho.runs import RunFile

def kill(event):
    if isinstance(event, Row) and event.values.get("rhs") == {killed_at}:
        with RunFile("killed.h5") as file:
            while file.length("answers") < {killed_at}:
                time.sleep(0.01)
                file.refresh()
        here.kill_this()

run(Solve(matrix="matrix.npy", count={count}, bits=20), "arrays", seed=5, output="killed.h5", observers=[kill])
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A run that was killed while it worked on right-hand side 3."""
    folder = tmp_path_factory.mktemp("killed")
    np.save(folder / "matrix.npy", MATRIX)
    script = CHILD.format(killed_at=KILLED_AT, count=COUNT)
    child = subprocess.run([sys.executable, "-c", script], cwd=folder, check=False)
    assert here.is_kill(child.returncode)
    return SimpleNamespace(path=folder / "killed.h5", folder=folder)


@pytest.fixture(scope="module")
def whole(killed: SimpleNamespace) -> Solution:
    """What the killed run would have become."""
    procedure = Solve(matrix=MATRIX, count=COUNT, bits=20)
    return run(procedure, "arrays", seed=5, output=killed.folder / "whole.h5")


def system(path: Path, matrix: np.ndarray = MATRIX, bits: int = 20) -> LinearSystem:
    with RunFile(path) as file:
        return LinearSystem.load(matrix, file.array("rhs"), 0, Goal(bits, None))


@pytest.mark.thorough
def test_the_answers_so_far_are_in_the_file_of_a_killed_run(killed, whole):
    with RunFile(killed.path) as file:
        assert file.status is Status.INTERRUPTED
        answers = file.table("answers")
    assert answers["rhs"].tolist() == [0, 1, 2]
    assert answers["converged"].all()
    np.testing.assert_array_equal(answers["solution"], whole.solution.T[:KILLED_AT])


@pytest.mark.thorough
def test_only_the_others_are_solved_and_the_result_holds_all(killed, whole):
    result: Solution = resume(killed.path, output=killed.folder / "resumed.h5")
    assert result.converged
    np.testing.assert_array_equal(result.solution[:, :KILLED_AT], whole.solution[:, :KILLED_AT])
    with RunFile(result.path) as file:
        rhs = file.array("rhs")
        answers = file.table("answers")
        assert set(file.column("cycles", "rhs")) == {3, 4, 5}
        assert file.provenance["resume_of"] == str(killed.path)
        said = [entry.message for entry in file.log()]
        np.testing.assert_array_equal(file.array("solution"), result.solution)
    exact = np.linalg.solve(MATRIX, rhs)
    assert np.linalg.norm(result.solution - exact, axis=0).max() <= 2.0**-19 * np.linalg.norm(exact)
    assert answers["taken_over"].tolist() == [1, 1, 1, 0, 0, 0]
    assert answers["cycles"].all()
    assert result.summary["relative_error"] == pytest.approx(
        max(np.linalg.norm(result.solution - exact, axis=0) / np.linalg.norm(exact, axis=0)), rel=1e-3
    )
    assert any("3 of 6 right-hand sides are taken over from" in text for text in said)
    assert rerun(result.path, output=killed.folder / "rerun.h5").equal
    again: Solution = resume(result.path, output=killed.folder / "again.h5")  # of nothing that is left
    assert again.summary["pulses"] == 0
    assert not again.cycles
    np.testing.assert_array_equal(again.solution, result.solution)


@pytest.mark.thorough
def test_the_command_line_resumes_too(killed, tmp_path):
    words = [sys.executable, "-m", "mho", "resume", str(killed.path), "--output", str(tmp_path), "--json"]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    summary = json.loads(told.stdout)
    assert summary["converged"]
    assert {row["rhs"] for row in summary["cycles"]} == {3, 4, 5}


def test_a_stored_solution_that_does_not_solve_is_not_believed(killed, tmp_path):
    forged = tmp_path / "forged.h5"
    forged.write_bytes(killed.path.read_bytes())
    clear_writer_flag(forged)
    with h5py.File(forged, "r+") as file:
        file["entry/answers/solution"][1] *= 1.0 + 1e-4
        file["entry/answers/solution"][2] = np.nan
    assert set(earlier_answers(forged, system(forged))) == {0}
    assert set(earlier_answers(killed.path, system(killed.path))) == {0, 1, 2}
    assert not earlier_answers(
        killed.path, system(killed.path, bits=48)
    )  # nor is it good for more than it is


@pytest.mark.thorough
def test_a_run_of_another_system_is_not_taken_up(killed, tmp_path):
    with pytest.raises(InputError, match="its matrix is another one; take the same, or begin anew"):
        earlier_answers(killed.path, system(killed.path, matrix=MATRIX + 1e-9))
    with pytest.raises(InputError, match="its rhs is another one"):
        run(
            Solve(matrix=MATRIX, count=COUNT, bits=20, seed=1),
            "arrays",
            output=tmp_path,
            resume_of=killed.path,
        )
