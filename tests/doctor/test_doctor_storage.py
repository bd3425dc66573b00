"""The folder of runs: local, on a network, within a synchronised folder, full, read-only."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_machine import DISK, machine, only, verdicts

from mho.doctor import storage
from mho.doctor.machine import run_probe

HDF5 = {"hdf5": "1.14.6", "sync": 0.002, "read_meanwhile": True}


def examined(tmp_path: Path, hdf5: Any = HDF5, **facts: Any) -> Any:
    return list(storage.check_storage(machine(tmp_path, probes={"hdf5": hdf5}, **facts)))


def test_a_local_folder_is_well_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    found = examined(tmp_path, hdf5=lambda folder: run_probe("hdf5", folder))
    told = verdicts(found)
    del told["disk"]  # of this machine
    assert told.pop("HDF5") != "wrong"  # a busy disk may be slow
    assert set(told.values()) == {"ok"}
    assert "was read while it was written" in only(found, "HDF5").found
    assert not list((tmp_path / "runs").iterdir())


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = only(examined(tmp_path), "runs folder")
    assert found.found == f"{tmp_path / 'runs'} (not there yet; {tmp_path} is)"
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_may_not_be_written_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = examined(tmp_path, hdf5=None)
    assert verdicts(found)["runs folder"] == "wrong"
    assert not [one for one in found if one.topic == "HDF5"]  # nothing is tried there


@pytest.mark.parametrize(
    ("kind", "options", "verdict"),
    [
        ("nfs4", "rw", "note"),
        ("fuse.sshfs", "rw", "note"),
        ("cifs", "rw", "note"),
        ("", "rw,remote", "note"),
        ("tmpfs", "rw", "note"),
        ("ext4", "rw", "ok"),
        ("NTFS", "rw,fixed", "ok"),
        ("apfs", "rw", "ok"),
        ("btrfs", "rw", "ok"),
    ],
)
def test_the_kind_of_file_system(kind: str, options: str, verdict: str, tmp_path: Path) -> None:
    partitions = [*DISK, (str(tmp_path), kind, options), (f"{tmp_path}-beside", "nfs", "rw")]
    assert verdicts(examined(tmp_path, partitions=partitions))["file system"] == verdict


@pytest.mark.parametrize(
    ("folder", "there"),
    [
        ("OneDrive - Institute/runs", True),
        ("Dropbox/x/runs", True),
        ("Google Drive/runs", True),
        ("Boxes/runs", False),
        ("synced/runs", False),
    ],
)
def test_a_synchronised_folder_is_noted(folder: str, there: bool, tmp_path: Path) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True)
    found = [one for one in examined(tmp_path, runs=place) if one.topic == "synchronised"]
    assert bool(found) is there
    assert all(one.verdict == "note" and folder.split("/")[0] in one.found for one in found)


def test_a_synchronised_folder_of_another_name_is_known_from_the_environment(tmp_path: Path) -> None:
    place = tmp_path / "Wolke" / "runs"
    place.mkdir(parents=True)
    found = examined(tmp_path, runs=place, environ={"ONEDRIVECOMMERCIAL": str(place.parent)})
    assert "'Wolke'" in only(found, "synchronised").found


ALLOWED = {"reg query": "    LongPathsEnabled    REG_DWORD    0x1\r\n"}
REFUSED = {"reg query": "    LongPathsEnabled    REG_DWORD    0x0\r\n"}
FITS = storage.LONGEST_PATH - 1 - storage.LONGEST_NAME


@pytest.mark.parametrize(
    ("programs", "length", "verdict", "words"),
    [
        (ALLOWED, FITS + 1, "ok", "more than 259 characters are allowed"),
        (REFUSED, FITS, "ok", f"{FITS} of 259"),
        (REFUSED, FITS + 1, "wrong", f"{FITS + 1} characters, and a run up to 80"),
        ({}, FITS + 1, "wrong", f"{FITS + 1} characters"),
    ],
)
def test_a_path_that_becomes_too_long_for_windows(
    programs: dict[str, str], length: int, verdict: str, words: str, tmp_path: Path
) -> None:
    folder = Path("/", "r" * 90).absolute()  # on Windows with a drive
    runs = folder / ("r" * (length - len(str(folder)) - 1))
    found = only(examined(tmp_path, system="win32", runs=runs, programs=programs), "long names")
    assert found.verdict == verdict
    assert words in found.found
    assert ("LongPathsEnabled" in found.advice) is (verdict == "wrong")


@pytest.mark.parametrize(("free", "verdict"), [(5e8, "wrong"), (5e9, "note"), (5e10, "ok")])
def test_a_full_disk(free: float, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1e12, 1e12 - free, free))
    assert verdicts(examined(tmp_path))["disk"] == verdict


@pytest.mark.parametrize(
    ("change", "verdict"), [({}, "ok"), ({"sync": 0.5}, "note"), ({"read_meanwhile": False}, "wrong")]
)
def test_the_trial(change: dict[str, Any], verdict: str, tmp_path: Path) -> None:
    found = examined(tmp_path, hdf5=HDF5 | change, environ={"HDF5_USE_FILE_LOCKING": "FALSE"})
    assert verdicts(found)["HDF5"] == verdict
    assert "HDF5_USE_FILE_LOCKING=FALSE" in only(found, "HDF5").found
