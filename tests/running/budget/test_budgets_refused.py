"""Files that have no budget: each is answered with one sentence that says why."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from command_line import Shell

from mho.errors import ConvergenceError, InputError, MhoError, RunFileError
from mho.procedures import Invert, Read, Solve
from mho.running import run
from mho.running.budget import budget

OWN = '''
from pathlib import Path
Path("imported").touch()
from mho.procedures import Invert


class Mine(Invert):
    """A procedure of one's own."""
'''


def test_a_run_without_answers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "read.h5"
    run(Read(rows="0", columns="0"), "arrays", seed=1, output=path)
    with pytest.raises(InputError, match=r"read\.h5 is a run of read, which has no error"):
        budget(path)


def test_a_solve_that_knows_no_solution_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "residual.h5"
    run(Solve(matrix=np.diag([3.0, 2.0]), certificate="residual"), "arrays", seed=1, output=path)
    with pytest.raises(InputError, match=r"residual\.h5 is a solve with certificate = residual.*= proved"):
        budget(path)


def test_a_run_that_failed_before_its_first_answer_is_refused_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "unstable.h5"
    procedure = Invert(matrix=np.diag([1.0, 1e-3]), vectors=1)
    for again in (
        partial(run, procedure, "arrays", seed=1, preset="ideal", output=path),
        partial(budget, path),
    ):
        with pytest.raises(ConvergenceError, match=r"would be unstable: .* it was not connected"):
            again()


def test_a_run_that_no_procedure_made_is_refused_as_one_without_answers(tmp_path: Path) -> None:
    path = run_samples.empty_run(tmp_path / "published.h5")
    with pytest.raises(InputError, match=r"published\.h5 is a run of nothing, which has no error"):
        budget(path)


def test_a_file_that_was_changed_is_refused(inverted: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.h5"
    shutil.copy(inverted, path)
    with h5py.File(path, "r+") as file:
        file["entry/solutions/error"][0] *= 2.0
    with pytest.raises(RunFileError, match=r"changed\.h5"):
        budget(path)


@pytest.mark.thorough
def test_what_the_twin_does_not_repeat_is_said(inverted: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    shutil.copy(inverted, path)
    with h5py.File(path, "r+") as file:
        file["entry/solutions/error"][0] *= 2.0
    found = budget(run_samples.seal_again(path), draws=0)
    assert found.unexplained > 0.01
    assert "does not repeat this run" in found.remarks[-1]
    assert not budget(inverted, draws=0).remarks


@pytest.mark.thorough
def test_a_solve_of_before_there_were_several_right_hand_sides_is_explained(tmp_path: Path) -> None:
    path = run(
        Solve(matrix=np.eye(2) + 0.1, rhs=[1, 2], bits=8), "arrays", seed=1, output=tmp_path / "a.h5"
    ).path
    now = budget(path, draws=0)
    with h5py.File(path, "r+") as file:
        del file["entry/cycles/rhs"]
    assert budget(run_samples.seal_again(path), draws=0).shares == now.shares


def test_a_damaged_file_is_refused(inverted: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.h5"
    path.write_bytes(inverted.read_bytes()[: inverted.stat().st_size // 2])
    with pytest.raises(RunFileError, match=r"half\.h5"):
        budget(path)


def test_a_file_of_a_newer_mho_is_refused(inverted: Path, tmp_path: Path) -> None:
    path = tmp_path / "newer.h5"
    shutil.copy(inverted, path)
    with h5py.File(path, "r+", libver="latest") as file:
        file.attrs["mho_schema"] = 99
    with pytest.raises(RunFileError, match=r"newer\.h5 has schema 99.*update mho"):
        budget(path)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run of a procedure of the user's own, which says when its module is imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_inversion.py").write_text(OWN, "utf-8")
    from mho.procedures.catalogue import find_procedure

    procedure = find_procedure("own_inversion.py:Mine")(conditions="3", size=2, vectors=1, scales=4, steps=0)
    run(procedure, "arrays", seed=1, output=tmp_path / "own.h5")
    (tmp_path / "imported").unlink()
    yield tmp_path / "own.h5"
    for name in [name for name in sys.modules if "own_inversion" in name]:
        del sys.modules[name]


def test_a_run_of_a_procedure_of_one_s_own_is_refused_without_its_code(own: Path) -> None:
    with pytest.raises(
        InputError, match=r"own\.h5 was made by a procedure of one's own, .*own_inversion\.py:Mine"
    ):
        budget(own)
    assert not (own.parent / "imported").exists()


def test_one_that_has_the_name_of_a_procedure_of_mho_is_refused_as_well(
    inverted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "forged.h5"
    shutil.copy(inverted, path)
    with h5py.File(path, "r+") as file:
        del file["entry/provenance/procedure"]
        file["entry/provenance/procedure"] = np.bytes_(b"nowhere_at_all:Invert")
    with pytest.raises(
        InputError, match=r"forged\.h5 was made by a procedure of one's own, nowhere_at_all:Invert"
    ):
        budget(run_samples.seal_again(path))


@pytest.mark.parametrize("name", ["newer.h5", "none.h5", "text.h5", "folder"])
def test_the_command_answers_with_one_sentence(
    name: str,
    inverted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    if name == "newer.h5":
        shutil.copy(inverted, path)
        with h5py.File(path, "r+", libver="latest") as file:
            file.attrs["mho_schema"] = 99
    elif name == "text.h5":
        path.write_text("no run", "utf-8")
    elif name == "folder":
        path.mkdir()
    assert name in Shell(tmp_path / "runs", monkeypatch, capsys).refused("budget", path)


def test_a_preset_is_for_real_chips(inverted: Path) -> None:
    with pytest.raises(MhoError, match="whose cells are known"):
        budget(inverted, preset="relaxing")
