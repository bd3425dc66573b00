"""What goes to workers and back by pickle: errors, procedures, results and runs; an older pickle says what it lacks."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho import errors
from mho.errors import InputError, MhoError, RunFileError, UnsafeError
from mho.procedures.base import ProcedureResult
from mho.procedures.catalogue import find_procedure
from mho.procedures.manifest import known_entries
from mho.procedures.origin import import_procedure

MATRIX, RHS = np.array([[2.0, 0.5], [0.3, 1.5]]), np.array([1.0, 2.0])
OWN = """
from mho import Column, Layout, Parameter, Procedure, Table

class Own(Procedure):
    values = Parameter("Values")

    def layout(self, plan):
        return Layout((Table("none", (Column("nothing"),)),))

    def execute(self, plan, bench, stream):
        return {"sum": float(sum(self.values))}
"""


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def kinds_of_errors() -> Iterator[type[MhoError]]:
    from mho.foreign_arrays import ArrayError
    from mho.running.queue.database import StorageError
    from mho.running.runner.client import NoRunnerError, RunnerBusyError

    yield from (ArrayError, StorageError, NoRunnerError, RunnerBusyError)
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, MhoError):
            yield kind


@pytest.mark.parametrize("kind", list(kinds_of_errors()), ids=lambda kind: kind.__name__)
def test_an_error_keeps_its_words_attributes_and_notes(kind: type[MhoError]) -> None:
    error = kind("bench 'a' cannot")
    error.cells = (1, 2)  # type: ignore[attr-defined]
    error.add_note("and more")
    back = again(error)
    assert type(back) is kind
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_an_unsafe_error_still_says_what_is_live() -> None:
    back = again(UnsafeError("not safe", live=["smu"], left_on=["gate", "daq"]))
    assert (str(back), back.live, back.left_on) == ("not safe", ("smu",), ("gate", "daq"))


@pytest.mark.parametrize("name", sorted(known_entries()))
def test_a_procedure_keeps_its_parameters(name: str) -> None:
    procedure = find_procedure(name)()
    back = again(procedure)
    assert type(back) is type(procedure)
    assert {one: getattr(back, one) for one in back.form()} == {
        one: getattr(procedure, one) for one in procedure.form()
    }


def test_a_procedure_keeps_arrays_and_what_its_user_put_on_it() -> None:
    procedure = mho.Solve(matrix=MATRIX, rhs=RHS, bits=30)
    procedure._remark = "mine"  # type: ignore[attr-defined]
    back = again(procedure)
    np.testing.assert_array_equal(back.matrix, MATRIX)
    np.testing.assert_array_equal(back.rhs, RHS)
    assert (back.bits, back._remark) == (30, "mine")
    assert back.form()["bits"].value == 30


def test_a_procedure_of_a_file_is_found_by_another_process(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    kind = import_procedure(f"{tmp_path}/own.py:Own")
    (tmp_path / "pickle").write_bytes(pickle.dumps(kind(values=np.array([1.0, 2.0]))))
    code = (
        f"import pickle, mho\nown = pickle.load(open({str(tmp_path / 'pickle')!r}, 'rb'))\n"
        f"print(mho.run(own, 'arrays', output={str(tmp_path)!r})['sum'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3.0\n"


def test_a_procedure_that_lost_a_parameter_since_names_it() -> None:
    rebuild, (kind, version, values, own) = mho.Solve(bits=30).__reduce__()
    with pytest.raises(InputError, match="Solve has no parameter 'digits'; did you mean"):
        rebuild(kind, version, {**values, "digits": 3}, own)


def test_a_procedure_of_an_earlier_version_is_converted_as_a_rerun_does() -> None:
    rebuild, (kind, _, values, own) = mho.Read().__reduce__()
    old = {**values, "read_voltage": 0}  # in version 1 this stood for the bench's
    assert rebuild(kind, "1", old, own).read_voltage is None


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory) -> mho.Solution:
    folder = tmp_path_factory.mktemp("runs")
    result: mho.Solution = mho.solve(MATRIX, RHS, bench="arrays", seed=1, output=folder / "a.h5")
    return result


def test_a_result_comes_back_whole(solution: mho.Solution) -> None:
    back = again(solution)
    for field in dataclasses.fields(solution):
        np.testing.assert_equal(getattr(back, field.name), getattr(solution, field.name))


def kinds_of_results() -> list[type[ProcedureResult]]:
    for name in known_entries():
        find_procedure(name)
    return sorted(ProcedureResult.__subclasses__(), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", kinds_of_results(), ids=lambda kind: kind.__name__)
def test_a_pickle_of_another_version_of_a_result_says_what_it_lacks(kind: type[ProcedureResult]) -> None:
    names = [field.name for field in dataclasses.fields(kind) if field.name != "path"]
    needed = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    made = object.__new__(kind)
    vars(made).update(dict.fromkeys(names), path=Path("runs/a.h5"))
    assert vars(again(made)) == vars(made)
    vars(made).pop(needed[-1])
    with pytest.raises(
        InputError,
        match=rf"of a {kind.__name__} is of .* lacks {needed[-1]}; .*{re.escape(repr(str(Path('runs/a.h5'))))}",
    ):
        again(made)


def test_an_older_part_of_a_result_is_named_too(solution: mho.Solution) -> None:
    old = again(solution)
    vars(old.certificate).pop(dataclasses.fields(old.certificate)[0].name)
    with pytest.raises(InputError, match=r"lacks certificate\.\w+; open its run file instead"):
        again(old)


def test_a_run_opens_its_file_again(solution: mho.Solution) -> None:
    with mho.open_run(solution.path) as run, again(run) as back:
        assert back.path == run.path.absolute()
        assert back.seed == run.seed
        assert back.result == run.result


def test_a_run_whose_file_is_not_there_says_so(solution: mho.Solution, tmp_path: Path) -> None:
    moved = tmp_path / "moved.h5"
    moved.write_bytes(solution.path.read_bytes())
    with mho.open_run(moved) as run:
        pickled = pickle.dumps(run)
    moved.unlink()
    with pytest.raises(RunFileError, match=r"moved\.h5"):
        pickle.loads(pickled)


def test_runs_come_back_with_their_paths(solution: mho.Solution) -> None:
    runs = mho.open_runs(solution.path.parent)
    back = again(runs)
    assert back.paths == runs.paths
    assert len(back.rows()) == 1


FEW: dict[str, Any] = {"rows": "0:2", "columns": "0:2"}


@pytest.mark.filterwarnings("ignore::mho.errors.RunWarning")
@pytest.mark.parametrize(
    "procedure",
    [
        mho.Contact(**FEW), mho.Form(**FEW), mho.Invert(matrix=MATRIX), mho.Multiply(matrix=MATRIX), mho.IV(**FEW),
        mho.Program(digits=[[1, 2], [3, 4]]), mho.Read(**FEW), mho.Response(**FEW), mho.Retention(**FEW),
        mho.Switching(**FEW),
    ],
    ids=lambda procedure: type(procedure).__name__,
)  # fmt: skip
def test_every_result_goes_to_another_process_and_comes_back_equal(procedure: mho.Procedure[Any]) -> None:
    result = mho.run(procedure, "arrays", seed=1, output=None)
    back = again(result)
    assert back == result
    assert repr(back) == repr(result)
    assert len(repr(result).splitlines()) <= 10
    assert "object at 0x" not in repr(result)
