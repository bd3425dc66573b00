from __future__ import annotations

import os
from pathlib import Path

import h5py
import hdf5_lock
import numpy as np
import pytest
from daily import daily

from mho.errors import RunFileError
from mho.runs import Layout, RunFile, RunHeader, RunWriter, Status


@pytest.fixture
def finished(tmp_path: Path, header: RunHeader, layout: Layout) -> Path:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.emit_block("reads", {"current": np.arange(20_000.0)})
        run.snapshot("conductance", np.ones((2, 3)))
        run.log("INFO", "hello")
    return run.path


def read_all(path: Path) -> None:
    members = (
        "title status reason start_time end_time procedure version parameters bench chip cells instruments"
    )
    with RunFile(path) as file:
        for name in [*members.split(), "settings_after", "provenance", "summary", "default"]:
            getattr(file, name)
        file.log()
        for name in file.tables:
            file.table(name)
        for name in file.maps:
            file.map_times(name)
        for name in file.arrays:
            file.array(name)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"there is no run file .*none\.h5"):
        RunFile(tmp_path / "none.h5")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="is a folder"):
        RunFile(tmp_path)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_forbidden(finished: Path) -> None:
    finished.chmod(0)
    with pytest.raises(RunFileError, match="cannot be opened: Permission denied"):
        RunFile(finished)


@pytest.mark.parametrize("contents", [b"", b"voltage,current\n1,2\n", bytes(5000)])
def test_no_hdf5(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "odd.h5"
    path.write_bytes(contents)
    with pytest.raises(RunFileError, match=r"odd\.h5 is not an HDF5 file"):
        RunFile(path)


def test_a_call_that_does_not_fit_is_no_damage(finished: Path) -> None:
    with RunFile(finished) as file, pytest.raises(TypeError, match="unexpected keyword argument 'first'"):
        file.table("reads", first=3)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_somebody_elses_hdf5(tmp_path: Path, libver: str) -> None:
    with h5py.File(tmp_path / "other.h5", "w", libver=libver) as file:
        file["entry/data"] = [1, 2]
    with pytest.raises(RunFileError, match=r"other\.h5 is an HDF5 file, but no run file of mho"):
        RunFile(tmp_path / "other.h5")


def test_from_a_newer_mho(finished: Path) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        file.attrs["mho_schema"] = 99
    with pytest.raises(RunFileError, match=r"run\.h5 has schema 99.*update mho"):
        RunFile(finished)


@pytest.mark.parametrize(
    "gone", daily(["entry", "entry/status", "entry/procedure/name", "entry/log/level", "entry/maps"], 2)
)
def test_with_a_piece_missing(finished: Path, gone: str) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        del file[gone]
    with pytest.raises(RunFileError, match=r"run\.h5 is damaged"):
        read_all(finished)


@pytest.mark.parametrize(
    ("name", "text"), daily([("status", b"dancing"), ("start_time", b"noon"), ("result/values", b"{")], 1)
)
def test_with_contents_that_make_no_sense(finished: Path, name: str, text: bytes) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        file[f"entry/{name}"][()] = text
    with pytest.raises(RunFileError, match=r"run\.h5 is damaged"):
        read_all(finished)


@pytest.mark.parametrize(
    ("place", "member"),
    daily([("procedure/parameters", "parameters"), ("provenance", "provenance"), ("maps", "figures")], 1),
)
def test_an_error_leaves_hdf5_to_other_threads_while_its_traceback_is_kept(
    finished: Path, place: str, member: str
) -> None:
    with h5py.File(finished, "r+") as file:
        file.create_group(f"entry/{place}/a group")
    with RunFile(finished) as run, pytest.raises(RunFileError) as kept:
        getattr(run, member)
    assert hdf5_lock.is_free(), f"an iterator left half-way holds it: {kept.value}"


@pytest.mark.parametrize("part", daily([0.001, 0.01, 0.1, 0.5, 0.9, 0.999], 2))
def test_cut_short(finished: Path, part: float) -> None:
    contents = finished.read_bytes()
    finished.write_bytes(contents[: int(len(contents) * part)])
    with pytest.raises(RunFileError, match=r"run\.h5 is (damaged|not an HDF5 file)"):
        read_all(finished)


def test_a_closed_file_says_so(finished: Path) -> None:
    with RunFile(finished) as file:
        file.table("reads")
    file.close()
    with pytest.raises(RunFileError, match="was closed"):
        file.table("reads")
    with pytest.raises(RunFileError, match="was closed"):
        _ = file.status


def test_a_running_file_whose_writer_is_another_process_by_now_is_interrupted(finished: Path) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        file["entry/status"][()] = b"running"
        birth = file["entry/writer/process_birth"]
        birth[()] = b"1" + birth[()]
        file["entry/writer/process_start"][()] -= 100.0
    with RunFile(finished) as file:
        assert file.status is Status.INTERRUPTED
