"""A simulated run is repeated from its file bit for bit, and whatever differs is named."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from command_line import Shell
from repository import ROOT

from mho import run
from mho.errors import Aborted, InputError
from mho.procedures import Contact, Invert, Program, Read, Solve
from mho.procedures.cells.reading import contact
from mho.procedures.stream import Control, Event, Progress
from mho.running.continuing import rerun
from mho.runs import RunFile, Status
from mho.runs.index.card import read_card
from mho.runs.index.index import RunIndex


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A block of cells programmed from a file of digits, in a folder of its own."""
    folder = tmp_path_factory.mktemp("original")
    np.save(folder / "digits.npy", np.array([[1, 5, 0], [7, 3, 2]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        programmed = run(Program(digits="digits.npy"), preset="quiet", seed=7, output=folder / "program.h5")
    return programmed.path


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "copy.h5"))


def replace_text(path: Path, name: str, text: str) -> None:
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        file[name] = np.bytes_(text.encode())
    run_samples.seal_again(path)


def test_a_run_is_repeated_bit_for_bit_from_anywhere(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    again = rerun(original, output="again.h5")
    assert again.path == tmp_path / "again.h5"
    assert again.equal, [one for one in again.compared if not one.equal]
    assert {
        "pulses/conductance",
        "maps/multiply_conductance/value",
        "arrays/digits",
        "result",
        "log",
    } <= {one.name for one in again.compared}
    assert (again.remarks, again.changes) == ((), ())
    with RunFile(again.path) as repeated, RunFile(original) as first:
        assert repeated.title == first.title
        assert repeated.provenance["preset"] == "quiet"
        assert repeated.parameters == first.parameters
    assert read_card(again.path).facts.rerun_of == read_card(original).facts.run_id


@pytest.mark.thorough
def test_a_solve_of_a_complex_matrix_is_repeated_without_its_files(tmp_path: Path):
    rng = np.random.default_rng(1)
    matrix = 3.0 * np.eye(2) + 0.3 * (rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))
    np.save(tmp_path / "a.npy", matrix)
    np.save(tmp_path / "b.npy", matrix[0])
    procedure = Solve(matrix=str(tmp_path / "a.npy"), rhs=str(tmp_path / "b.npy"), bits=12)
    first = run(procedure, seed=3, output=tmp_path / "solve.h5")
    for name in ("a.npy", "b.npy"):
        (tmp_path / name).unlink()
    again = rerun(first.path, output=tmp_path / "again.h5")
    assert again.equal, [one for one in again.compared if not one.equal]
    assert [remark.split()[0] for remark in again.remarks] == ["matrix", "rhs"]
    assert "is gone: its values are taken from the run file" in again.remarks[0]


def test_cells_of_a_preset_file_are_taken_from_the_run(tmp_path: Path):
    preset = tmp_path / "mychip.toml"
    preset.write_text(
        'name = "mychip"\nbase = "stanford"\n[parameters]\nset_slope = 455e-6\n', encoding="utf-8"
    )
    first = run(
        Read(rows="0:2", columns="0:2"),
        "stanford-arrays",
        preset=str(preset),
        seed=3,
        output=tmp_path / "a.h5",
    )
    preset.unlink()
    with RunFile(first.path) as file:
        assert file.provenance["preset"] == "mychip"
        assert "set_slope = 0.000455" in file.provenance["preset_file"]
    assert rerun(first.path, output=tmp_path / "b.h5").equal


@pytest.mark.thorough
def test_an_array_from_a_script_is_taken_from_the_file(tmp_path: Path):
    first = run(Program(digits=np.array([[3, 4]])), seed=3, output=tmp_path / "program.h5")
    again = rerun(first.path, output=tmp_path / "again.h5")
    assert again.equal
    assert "was an array in a script" in again.remarks[0]


@pytest.mark.thorough
def test_lists_from_a_script_are_taken_from_the_file(tmp_path: Path):
    first = run(
        Solve(matrix=[[2.0, 0.3], [0.1, 1.5]], rhs=[1, 2], bits=8), seed=3, output=tmp_path / "solve.h5"
    )
    again = rerun(first.path, output=tmp_path / "again.h5")
    assert again.equal
    assert [one.partition(":")[0] for one in again.remarks] == [
        "matrix was an array in a script",
        "rhs was an array in a script",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("factor", [1.0, 1.0 - 0.1j], ids=["real", "complex"])
def test_the_matrix_of_an_inversion_from_a_script_is_taken_from_the_file(tmp_path: Path, factor: complex):
    matrix = factor * np.array([[2.0, 0.3], [0.1, 1.5]])
    if np.isreal(factor):
        matrix = matrix.real
    rhs = matrix[::-1] + 0.5
    inversion = Invert(matrix=matrix, rhs=rhs, scales=1, steps=0)
    first = run(inversion, "arrays", seed=3, output=tmp_path / "invert.h5")
    again = rerun(first.path, output=tmp_path / "again.h5")
    assert again.equal
    assert again.remarks == tuple(
        f"{name} was an array in a script: its values are taken from the run file"
        for name in ("matrix", "rhs")
    )
    with RunFile(tmp_path / "again.h5") as file:
        np.testing.assert_array_equal(file.array("matrix"), matrix)
        np.testing.assert_array_equal(file.array("rhs"), rhs)


@pytest.mark.thorough
def test_an_input_that_has_changed_since_is_taken_from_the_file(copy: Path, original: Path, tmp_path: Path):
    replace_text(copy, "entry/provenance/folder", str(tmp_path))
    np.save(tmp_path / "digits.npy", np.array([[7, 7, 7]]))
    again = rerun(copy, output=tmp_path / "again.h5")
    assert again.equal
    assert again.remarks == (
        "digits was read from digits.npy, which has changed since: its values are taken from the run file",
    )


def test_an_input_that_is_nowhere_is_named(copy: Path, tmp_path: Path):
    replace_text(copy, "entry/provenance/folder", str(tmp_path))
    with h5py.File(copy, "r+") as file:
        del file["entry/arrays/digits"]
    run_samples.seal_again(copy)
    with pytest.raises(
        InputError, match=r"digits was read from digits\.npy, which is gone, and the file does not hold it"
    ):
        rerun(copy, output=tmp_path / "again.h5")
    assert not (tmp_path / "again.h5").exists()


@pytest.mark.thorough
def test_what_differs_is_named_with_its_place(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with h5py.File(copy, "r+") as file:
        values = file["entry/pulses/conductance"]
        values[2] = 2.0 * values[2]
        packages = file["entry/provenance/packages"][()].decode()
    version = next(line for line in packages.splitlines() if line.startswith("numpy=="))
    replace_text(copy, "entry/provenance/packages", packages.replace(version, "numpy==0.9") + "\ngone==1.0")
    replace_text(copy, "entry/provenance/mho_version", "0.0.1")
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    code, out, _ = shell("rerun", copy, "--json")
    told = json.loads(out)
    assert code == 1
    assert not told["equal"]
    assert list(told["differences"]) == ["pulses/conductance"]
    assert told["differences"]["pulses/conductance"].startswith("from [2] on: ")
    changes = {change["name"]: (change["then"], change["now"]) for change in told["changes"]}
    assert changes["numpy"] == ("0.9", np.__version__)
    assert changes["gone"] == ("1.0", "")
    assert changes["mho_version"][0] == "0.0.1"
    code, out, _ = shell("rerun", copy, "--output", tmp_path / "text.h5")
    assert code == 1
    assert "pulses/conductance: from [2] on" in out
    assert "numpy" in out


@pytest.mark.thorough
def test_a_bench_file_that_says_something_else_now_is_not_used(original: Path, copy: Path, tmp_path: Path):
    with RunFile(original) as first:
        (tmp_path / "bench.toml").write_text(first.bench.replace('preset = "pku"', 'preset = "ideal"'))
    replace_text(copy, "entry/provenance/bench", str(tmp_path / "bench.toml"))
    again = rerun(copy, output=tmp_path / "again.h5")
    assert again.equal
    assert "has changed since: the one in the run file is used" in again.remarks[0]


@pytest.mark.thorough
def test_a_run_that_was_aborted_is_compared_as_far_as_it_went(tmp_path: Path):
    control = Control()

    def abort(event: Event) -> None:
        if isinstance(event, Progress):
            control.abort("enough")

    with pytest.raises(Aborted):
        run(
            Read(array="multiply", rows="0:4", columns="0:4", repeats=150),
            seed=1,
            output=tmp_path / "read.h5",
            observers=[abort],
            control=control,
        )
    with RunFile(tmp_path / "read.h5") as first:
        assert first.status is Status.ABORTED
        assert first.length("reads") > 0
    again = rerun(tmp_path / "read.h5", output=tmp_path / "again.h5")
    assert again.equal, [one for one in again.compared if not one.equal]
    with RunFile(again.path) as second:
        assert second.status is Status.FINISHED


@pytest.mark.thorough
def test_intervals_of_an_earlier_version_are_said_and_not_compared(tmp_path: Path):
    def tested(version: str, name: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Contact, "version", version)
            patch.setattr(contact, "binomial_interval", lambda good, cells: (0.25, 0.75))
            cells = Contact(rows="0:2", columns="0:2")
            return run(cells, preset="quiet", seed=1, output=tmp_path / name).path

    earlier = rerun(tested("1", "earlier.h5"), output=tmp_path / "again.h5")
    assert earlier.equal
    assert "result, intervals and what follows from them" in [
        one.name for one in earlier.compared if one.restated
    ]
    same = rerun(tested(Contact.version, "same.h5"), output=tmp_path / "other.h5")
    assert [one.name for one in same.compared if not one.equal] == ["result"]
    assert not any(one.restated for one in same.compared)


@pytest.mark.thorough
def test_the_index_links_a_run_and_its_repetition(original: Path, tmp_path: Path):
    shutil.copy(original, tmp_path / "first.h5")
    rerun(original, output=tmp_path / "again.h5")
    with RunIndex(tmp_path) as index:
        index.update()
        assert [run.path.name for run in index.links(index.find("first")).rerun_by] == ["again.h5"]


def imported(path: Path) -> Path:
    path.with_suffix(".csv").write_text("row,column,conductance\n0,0,1e-5\n")
    return pytest.importorskip("mho.extensions.imports").import_table(path.with_suffix(".csv"), path)


@pytest.mark.thorough
def test_a_file_of_before_there_were_hashes_is_repeated_too(copy: Path, tmp_path: Path):
    replace_text(copy, "entry/provenance/folder", str(tmp_path))
    with h5py.File(copy, "r+") as file:
        del file["entry/provenance/inputs"]
        values = file["entry/arrays/digits/value"][()]
        del file["entry/arrays/digits"]
        file["entry/arrays/digits"] = values
        file["entry/arrays/digits"].attrs["units"] = ""
    run_samples.seal_again(copy)
    again = rerun(copy, output=tmp_path / "again.h5")
    assert again.equal
    assert "which is gone" in again.remarks[0]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (run_samples.other_run, "instruments: this key is missing"),
        (run_samples.empty_run, "run.h5 is a run of Nothing, and there is no procedure 'Nothing'"),
        (imported, "was not made on a bench (Import)"),
        (lambda path: path, "there is no run file"),
    ],
)
def test_what_cannot_be_repeated_is_refused(
    make: Callable[[Path], Path],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    path = make(tmp_path / "run.h5")
    assert said in Shell(tmp_path / "runs", monkeypatch, capsys).refused("rerun", path)


def test_a_run_on_real_instruments_is_not_repeated(copy: Path):
    with RunFile(copy) as first:
        text = re.sub(r"^\[simulation\][^\[]*", "", first.bench, flags=re.M)
    replace_text(copy, "entry/bench/file", text)
    with pytest.raises(InputError, match=r"was made on real instruments \(simulated\)"):
        rerun(copy)


def test_a_run_that_goes_on_is_not_repeated(tmp_path: Path):
    with run_samples.SampleRun(tmp_path / "run.h5"), pytest.raises(InputError, match="is still running"):
        rerun(tmp_path / "run.h5")


OTHER_PROCESSOR = """
import json, sys
from mho import run
from mho.procedures import Read
from mho.running.continuing import rerun
from mho.cli.run_files.rerun import rerun_as_json
again = rerun(sys.argv[1], output=sys.argv[2])
run(Read(rows="0", columns="0"), after=sys.argv[1], output=sys.argv[3])
print(json.dumps(rerun_as_json(again)))
"""


@pytest.mark.thorough
@pytest.mark.skipif(platform.machine() != "x86_64", reason="kernels of other processors are for this family")
def test_on_another_processor_only_digital_results_differ_and_a_run_can_go_on(tmp_path: Path):
    matrix = ROOT / "mho/chip_maps/matrices/dominant-8x8.mtx"
    here = run(Solve(matrix=str(matrix), bits=12), seed=1, output=tmp_path / "solve.h5")
    with RunFile(here.path) as file:
        kernel = file.provenance["blas"]
    if "openblas" not in kernel:
        pytest.skip(f"kernels are chosen in OpenBLAS, not in {kernel}")
    outputs = tmp_path / "again.h5", tmp_path / "read.h5"
    child = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESSOR, str(here.path), *map(str, outputs)],
        env=os.environ | {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout)
    assert told["equal"], told["differences"]
    assert set(told["rounded"]) >= {"cycles/relative_error", "arrays/reference"}
    assert not {"pulses/conductance", "cycles/output", "products/measured"} & set(told["rounded"])
    assert "blas" in [change["name"] for change in told["changes"]]
    assert outputs[1].exists()
