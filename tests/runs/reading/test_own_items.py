"""Parts of a run file that are checked when they are asked for: the same values, and nothing of any other file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples

from mho.errors import RunFileError
from mho.runs import RunFile
from mho.runs.index import read_card
from mho.runs.reading.chunks import create_growing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return run_samples.whole_run(tmp_path / "run.h5")


@contextmanager
def changed(path: Path) -> Iterator[h5py.Group]:
    with h5py.File(path, "r+", libver="latest") as file:
        yield file["entry"]


def everything(run: RunFile) -> dict[str, object]:
    told: dict[str, object] = {
        name: getattr(run, name)
        for name in ("title", "status", "parameters", "provenance", "summary", "result_units", "tables", "maps",
                     "arrays", "bench", "chip", "instruments", "figures", "is_unclosed", "start_time")
    }  # fmt: skip
    for table in run.tables:
        told[f"{table}#"] = (run.length(table), run.units(table), run.plotted(table), run.series(table))
        told |= {f"{table}/{name}": values for name, values in run.table(table).items()}
        told |= {f"{table}:{name}": run.column(table, name, 1, 3) for name in run.units(table)}
    for image in run.maps:
        told[f"maps/{image}"] = run.map(image, 0)
        told[f"maps/{image}#"] = (run.map_length(image), run.map_unit(image), len(run.map_times(image)))
        told |= {f"maps/{image}@{n}": axis for n, axis in enumerate(run.map_axes(image))}
    return told | {f"arrays/{name}": run.array(name) for name in run.arrays}


def test_all_that_a_run_holds_is_read_the_same(path):
    with RunFile(path) as whole, RunFile(path, whole=False) as piecemeal:
        first, second = everything(whole), everything(piecemeal)
        assert piecemeal.log() == whole.log()
    assert len(first) > 40
    assert first.keys() == second.keys()
    for name, value in first.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(second[name], value, err_msg=name)
        else:
            assert second[name] == value, name


def test_a_link_out_of_the_file_is_refused_where_it_lies_and_never_opened(path):
    os.mkfifo(path.with_name("pipe.h5"))  # whoever opens it waits for ever
    with changed(path) as entry:
        entry["stolen"] = h5py.ExternalLink("pipe.h5", "/entry/cycles")
        entry["cycles/stolen"] = h5py.ExternalLink("pipe.h5", "/x")
        entry["soft"] = h5py.SoftLink("/entry/stolen")
    with RunFile(path, whole=False) as run:
        assert len(run.column("cycles", "cycle"))
        assert run.map(run.maps[0]).shape
        for ask in (
            lambda: run.table("stolen"),
            lambda: run.table("soft"),
            lambda: run.table("cycles"),
            lambda: run.column("cycles", "stolen"),
            lambda: run.tables,
            lambda: run.figures,
        ):
            with pytest.raises(
                RunFileError, match="stolen is a link into another file, which mho never writes"
            ):
                ask()


def test_values_in_other_files_and_endless_ones_are_refused_where_they_are_read(path):
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["values"] = np.ones(5)
    with changed(path) as entry:
        layout = h5py.VirtualLayout(shape=(5,), dtype="f8")
        layout[...] = h5py.VirtualSource(str(path.with_name("other.h5")), "values", shape=(5,))
        entry["cycles"].create_virtual_dataset("virtual", layout)
        endless = create_growing(entry["cycles"], "endless", "f8", ())
        endless.resize(2**34, axis=0)
    with RunFile(path, whole=False) as run:
        assert run.column("cycles", "cycle").ndim == 1
        with pytest.raises(RunFileError, match="cycles/virtual are in another file"):
            run.column("cycles", "virtual")
        with pytest.raises(RunFileError, match="cycles/endless declares 137 GB"):
            run.column("cycles", "endless")


def test_what_is_read_of_a_file_is_counted_together(path):
    with changed(path) as entry:
        for number in range(600):
            entry[f"arrays/a{number}/value"] = h5py.Dataset(
                h5py.h5d.create(entry.id, None, h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((2**20,)))
            )
            entry[f"arrays/a{number}/value"].attrs["units"] = "S"
    with RunFile(path, whole=False) as run:
        assert run.array_unit("a0") == "S"
        with pytest.raises(RunFileError, match="it declares"):
            list(map(run.array_unit, run.arrays))


@pytest.mark.parametrize(
    "name", ["", ".", "../entry", "maps/multiply_target", "cycles/cycle", "a\0b", "nope"]
)
def test_only_names_of_tables_are_tables(name, path):
    with (
        RunFile(path, whole=False) as run,
        pytest.raises(RunFileError, match=r"has no table .*; it has pulses, cycles"),
    ):
        run.column(name, "cycle")


def test_a_text_that_is_several_is_refused(path):
    """HDF5 fills as many as there are, whatever the room for them."""
    with changed(path) as entry:
        for name in ("title", "card"):
            del entry[name]
            entry[name] = np.full(10_000, b"x" * 30)
    with RunFile(path, whole=False) as run, pytest.raises(RunFileError, match="title holds not one text"):
        _ = run.title
    with pytest.raises(RunFileError, match="card holds not one text"):
        read_card(path)
