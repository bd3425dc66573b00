"""A file is repacked when its run is over: it gets smaller, and nothing in it is lost, whatever happens meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daily import daily
from numpy.typing import NDArray
from repository import SUPPORT, TESTS

import mho
import mho.runs.writing.live_file as live_file
import mho.runs.writing.repacking as repacking
from mho.errors import RunFileError
from mho.runs import (
    Array,
    Column,
    Layout,
    Map,
    RunFile,
    RunHeader,
    RunWriter,
    Status,
    Table,
    Verdict,
    recover,
    verify,
)
from mho.runs.integrity.seal import walk
from mho.runs.writing.repacking import repack

LAYOUT = Layout(
    (
        Table(
            "all_kinds",
            (
                Column("number", "V", description="A number"),
                Column("count", dtype="u2"),
                Column("ok", dtype="?"),
                Column("phasor", "S", dtype="c16"),
                Column("wave", "V", shape=(700,)),
                Column("burst", "A", shape=(6,), ragged=True),
            ),
            "number",
            "count",
            rows=100,
        ),
        Table("many", (Column("x"),), "x", "x", rows=300),
        Table("empty", (Column("x"), Column("y", digital=1e-9)), "x", "x"),
    ),
    (
        Map("conductance", "S", np.array([4, 5]), np.array([0, 2, 7])),
        Map("none", "S", np.arange(2), np.arange(2)),
    ),
    (Array("matrix", np.arange(6.0).reshape(2, 3), "S"), Array("solution", np.full(3, np.nan), "V")),
)
HEADER = RunHeader(
    "Repacked", "P", "1", {}, chip="cells = 4\n" * 300, provenance={"git_diff": "+ ℧\n" * 2000}
)


def write_run(path: Path) -> Path:
    """Write a run that has something of everything, in small and in large."""
    generator, rows = np.random.default_rng(7), 200
    with RunWriter.create(path, HEADER, LAYOUT) as run:
        run.emit_block(
            "all_kinds",
            {
                "number": generator.standard_normal(rows),
                "count": np.arange(rows, dtype="u2"),
                "ok": generator.random(rows) > 0.5,
                "phasor": generator.standard_normal(rows) * 1j,
                "wave": generator.integers(0, 9, (rows, 700)) * 0.5,
                "burst": [np.ones(index % 7) for index in range(rows)],
            },
        )
        run.emit_block("many", {"x": np.round(generator.standard_normal(9000), 1)})
        for turn in range(3):
            run.snapshot("conductance", np.full((2, 3), turn))
        run.log("INFO", "größer")
        run.log("WARNING", "als ein ℧")
        run.set_result({"cells": 6})
    return path


@pytest.fixture
def as_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file as its writer has closed it, before it is repacked."""
    with monkeypatch.context() as patch:
        patch.setattr(live_file, "repack", lambda path: False)
        return write_run(tmp_path / "run.h5")


def contents(path: Path) -> dict[str, object]:
    """All that a file holds, in its order: attributes, types and shapes, but for the room of texts, and values."""

    def fail(where: str, error: Exception) -> None:
        raise AssertionError(where) from error

    found: dict[str, object] = {}
    with h5py.File(path, "r") as file:
        for name, _ in walk(file, fail):
            if name.startswith("/entry/seal/"):
                continue
            item = file[name]
            attributes = {key: (type(one), np.asarray(one).tolist()) for key, one in item.attrs.items()}
            if not isinstance(item, h5py.Dataset):
                found[name] = (attributes, list(item))
            elif text := h5py.check_string_dtype(item.dtype):
                found[name] = (attributes, text.encoding, item.shape, np.asarray(item.asstr()[()]).tolist())
            else:
                found[name] = (attributes, item.dtype, item.shape, item[()].tobytes())
    return found


def test_a_repacked_file_holds_the_same_and_is_sound(as_closed: Path) -> None:
    before, size = contents(as_closed), as_closed.stat().st_size
    assert repack(as_closed)
    assert contents(as_closed) == before
    assert list(contents(as_closed)) == list(before)
    assert as_closed.stat().st_size < 0.7 * size
    assert verify(as_closed).verdict is Verdict.SOUND
    assert [path.name for path in as_closed.parent.iterdir()] == ["run.h5"]


def test_a_writer_repacks_its_file_when_the_run_is_over(as_closed: Path, tmp_path: Path) -> None:
    assert write_run(tmp_path / "other.h5").stat().st_size < 0.7 * as_closed.stat().st_size


def test_an_older_hdf5_library_reads_a_repacked_file(as_closed: Path) -> None:
    repack(as_closed)
    options = {"driver": "core", "backing_store": False, "libver": ("v110", "v110")}
    with h5py.File(as_closed, "r") as file, h5py.File("old", "w", **options) as old:
        file.copy("entry", old)


def test_a_recovered_file_is_repacked_too(tmp_path: Path, killed: Callable[[Path], Path]) -> None:
    path = killed(tmp_path / "run.h5")
    before = path.stat().st_size
    assert recover(path)
    assert path.stat().st_size < before / 2
    assert verify(path).verdict is Verdict.SOUND


def test_a_large_file_stays_as_it_is(as_closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repacking, "LARGEST", as_closed.stat().st_size - 1)
    before = as_closed.read_bytes()
    assert not repack(as_closed)
    assert as_closed.read_bytes() == before


@pytest.mark.parametrize("value", daily([0.25, 2.25], 1))
def test_a_flipped_bit_among_few_values_is_found(
    tmp_path: Path, killed: Callable[[Path], Path], value: float
) -> None:
    """They stand in an object header, which has a checksum."""
    path = killed(tmp_path / "run.h5")
    recover(path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(np.array([0.25, 1.25, 2.25]).tobytes()) + int(8 * (value - 0.25))] ^= 1
    path.write_bytes(whole)
    found = verify(path)
    assert found.verdict is Verdict.DAMAGED
    assert "/entry/points/a cannot be read" in found.findings[0]


def lose_attributes(source: h5py.HLObject, target: h5py.HLObject) -> None:
    """Copy none."""


def lose_attributes_of_datasets(source: h5py.HLObject, target: h5py.HLObject) -> None:
    """Copy those of groups only."""
    if isinstance(target, h5py.Group):
        COPY_ATTRIBUTES(source, target)


def lose_rows(values: NDArray[Any], group: h5py.Group, name: str) -> tuple[h5py.Dataset, bytes]:
    """Write one row less, and tell the digest of all."""
    dataset, digest = WRITE(values, group, name)
    if name == "number":
        del group[name]
        return group.create_dataset(name, data=values[:-1], chunks=(len(values) - 1,)), digest
    return dataset, digest


WRITE, COPY_ATTRIBUTES = repacking._write, repacking._copy_attributes


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("_copy_attributes", lose_attributes),
        ("_copy_attributes", lose_attributes_of_datasets),
        ("_write", lose_rows),
    ],
)
def test_a_copy_that_is_another_one_never_takes_the_place(
    as_closed: Path, monkeypatch: pytest.MonkeyPatch, part: str, fault: object
) -> None:
    before = as_closed.read_bytes()
    monkeypatch.setattr(repacking, part, fault)
    with pytest.raises(RunFileError, match="stays as it is: its copy is another one"):
        repack(as_closed)
    assert as_closed.read_bytes() == before
    assert [path.name for path in as_closed.parent.iterdir()] == ["run.h5"]


def test_a_file_whose_data_are_others_than_were_written_is_left_alone(as_closed: Path) -> None:
    """What a reader in the same process remembers, or another program wrote meanwhile, is sealed by nobody."""
    with h5py.File(as_closed, "r+") as file:
        file["entry/many/x"][7] = 99.0
    before = as_closed.read_bytes()
    with pytest.raises(RunFileError, match="/entry/many/x does not agree with its seal"):
        repack(as_closed)
    assert as_closed.read_bytes() == before


def test_a_run_ends_well_where_its_file_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, while a viewer has it open."""

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    path = write_run(tmp_path / "run.h5")
    found = verify(path)
    assert (found.verdict, found.status) == (Verdict.SOUND, Status.FINISHED)
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]


def test_who_follows_a_run_reads_it_to_its_end(tmp_path: Path) -> None:
    layout = Layout((Table("t", (Column("x"),), "x", "x"),))
    with RunWriter.create(tmp_path / "run.h5", HEADER, layout) as run, RunFile(run.path) as file:
        run.emit("t", x=1.0)
        run.flush()
        file.refresh()
        np.testing.assert_array_equal(file.column("t", "x"), [1.0])
        run.emit("t", x=2.0)
        run.finish(Status.FINISHED)
        file.refresh()
        assert file.status is Status.FINISHED
        np.testing.assert_array_equal(file.column("t", "x"), [1.0, 2.0])
    with RunFile(run.path) as file:
        assert file.status is Status.FINISHED
        np.testing.assert_array_equal(file.column("t", "x"), [1.0, 2.0])


KILLED = """
import psutil, sys
from pathlib import Path
sys.path[:0] = {paths!r}
import mho.runs.writing.repacking as replacement
import test_run_repacking
if {when!r} == "before":
    replacement._replace = lambda draft, path: psutil.Process().kill()
else:
    replace = Path.replace
    Path.replace = lambda *paths: (replace(*paths), psutil.Process().kill())
test_run_repacking.write_run(Path({path!r}))
"""


@pytest.mark.thorough
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_writer_killed_while_it_repacks_leaves_a_whole_file(tmp_path: Path, when: str) -> None:
    script = KILLED.format(
        paths=[str(TESTS / "runs/writing"), str(SUPPORT)], when=when, path=str(tmp_path / "run.h5")
    )
    house = Path(mho.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=house, check=False)
    assert done.returncode
    found = verify(tmp_path / "run.h5")
    assert (found.verdict, found.status) == (Verdict.SOUND, Status.FINISHED)
