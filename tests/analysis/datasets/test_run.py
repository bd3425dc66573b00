"""One run as NumPy, pandas and xarray: facts as attributes, grids with coordinates, values when they are asked for."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import endurance_runs
import h5py
import numpy as np
import pytest
from endurance_runs import COLUMNS, CYCLES, ROWS, conductances, endurance_run

import mho
from mho.analysis.datasets.html import MOST_LETTERS
from mho.analysis.datasets.stored_values import StoredValues
from mho.errors import InputError, RunFileError
from mho.runs import RunFile

pandas = pytest.importorskip("pandas")
xarray = pytest.importorskip("xarray")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return endurance_run(tmp_path_factory.mktemp("run") / "run.h5")


def test_facts_are_plain_attributes(path):
    with mho.open_run(path) as run:
        assert isinstance(run, RunFile)
        assert (run.seed, run.preset, run.chip_seed) == (1, "pku", None)
        assert run.result == {"worst": 1e-6, "good": True}
        assert run.result_units == {"worst": "S"}
        assert run.parameters["amplitude"].value == 0.1
        assert run.provenance["preset"] == "pku"
        assert run.table("endurance")["conductance"].shape == (18,)
        assert repr(run) == (
            "<Run run.h5: Endurance, finished; tables endurance; maps final; arrays matrix, complex>"
        )
    assert repr(run) == "<Run run.h5, closed>"


@pytest.mark.thorough
def test_a_full_grid_has_its_loops_as_dimensions_with_coordinates_and_units(path):
    with mho.open_run(path) as run:
        table = run.to_xarray("endurance")
    assert dict(table.sizes) == {"cycle": 3, "row": 2, "column": 3, "trace_0": 4, "counts_0": 3}
    assert [list(table[name].values) for name in ("cycle", "row", "column")] == [
        list(CYCLES), list(ROWS), list(COLUMNS),
    ]  # fmt: skip
    np.testing.assert_array_equal(table["conductance"], conductances(1))
    assert table["conductance"].attrs == {"units": "S", "long_name": "read after the cycle"}
    assert table.attrs["preset"] == "pku"
    assert float(table["conductance"].sel(cycle=10, row=1, column=6)) == conductances(1)[1, 1, 2]
    assert len(table[["conductance", "time"]].to_dataframe()) == 18


@pytest.mark.thorough
@pytest.mark.parametrize("points", [0, 1, 17])
def test_what_is_no_full_grid_stays_rows(points, tmp_path):
    with mho.open_run(endurance_run(tmp_path / "run.h5", points=points)) as run:
        table = run.to_xarray("endurance")
        assert table.sizes["row_number" if points < 2 else "time"] == points
        rows = run.to_xarray("endurance", grid=False)
    assert rows.sizes["row_number"] == points
    np.testing.assert_array_equal(rows["conductance"], conductances(1).reshape(-1)[:points])
    assert set(rows.coords) == set()


def test_what_lies_behind_a_ragged_value_is_masked(path):
    with mho.open_run(path) as run:
        table = run.to_xarray("endurance")
    first = table.isel(cycle=0, row=0)
    np.testing.assert_array_equal(first["trace"][1], [0.0, 1.0, np.nan, np.nan])
    np.testing.assert_array_equal(first["counts"][0], [7.0, np.nan, np.nan])


def test_any_selection_is_that_of_the_values(path):
    whole = conductances(1)
    with mho.open_run(path) as run:
        lazily = run.to_xarray("endurance")["conductance"]
        for key in (
            (0,), (slice(None), 1), (slice(2, None, -1), slice(None), [0, 2]), (..., slice(1, 1)), (-1, -1, -1),
            ([2, 0], slice(None, None, -1)),
        ):  # fmt: skip
            np.testing.assert_array_equal(lazily[key], xarray.DataArray(whole)[key])


def test_maps_are_stacks_and_arrays_are_arrays(path):
    with mho.open_run(path) as run:
        stack = run.to_xarray("final")
        assert stack.dims == ("time", "row", "column")
        np.testing.assert_array_equal(stack, conductances(1))
        assert stack.sel(time=2.0, row=1, column=5) == conductances(1)[2, 1, 1]
        assert (stack.attrs["units"], stack["time"].attrs["units"]) == ("S", "s")
        np.testing.assert_array_equal(run.to_xarray("arrays/matrix"), np.arange(6.0).reshape(2, 3))
        assert run.to_xarray("matrix").attrs == {"units": "S", "long_name": "wanted"}
        np.testing.assert_array_equal(run.to_xarray("complex"), [1 + 2j, 3])
        with pytest.raises(RunFileError, match="no table, map or array 'nope'; it has endurance, maps/final"):
            run.to_xarray("nope")


def test_values_are_read_when_they_are_asked_for_also_after_the_run_was_closed(path, monkeypatch):
    read: list[tuple[str, int, int]] = []
    original = StoredValues.read

    def noted(self: StoredValues, start: int, stop: int) -> np.ndarray:
        read.append((self.column, start, stop))
        return original(self, start, stop)

    monkeypatch.setattr(StoredValues, "read", noted)
    with mho.open_run(path) as run:
        table = run.to_xarray("endurance")
        assert read == []
        assert "conductance" in repr(table)
        assert table["conductance"][1, 0, 2].values == conductances(1)[1, 0, 2]
        assert read == [("conductance", 8, 9)]
    assert table["conductance"][2, 0].values.tolist() == conductances(1)[2, 0].tolist()
    assert pickle.loads(pickle.dumps(table)).identical(table)


def test_chunks_are_read_one_by_one(path):
    pytest.importorskip("dask")
    with mho.open_run(path) as run:
        chunked = run.to_xarray("endurance", chunks={"cycle": 1})["conductance"]
    assert chunked.chunks[0] == (1, 1, 1)
    assert float(chunked.mean()) == pytest.approx(conductances(1).mean(), rel=1e-15)


def test_pandas_has_units_in_its_attrs_and_ragged_values_as_long_as_they_are(path):
    with mho.open_run(path) as run:
        frame = run.to_pandas("endurance")
        assert frame.equals(run.to_pandas())
    assert frame.attrs["units"] == {"time": "s", "conductance": "S", "trace": "A"}
    assert frame["trace"][2].tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_array_equal(frame.groupby("cycle")["conductance"].mean(), conductances(1).mean((1, 2)))


def test_what_is_missing_is_said(path, monkeypatch):
    with mho.open_run(path) as run:
        with pytest.raises(RunFileError, match="no table 'final'"):
            run.to_pandas("final")
        for module, ask in (("pandas", run.to_pandas), ("xarray", run.to_xarray)):
            for name in ("frames", "xarray_values"):
                monkeypatch.delitem(sys.modules, f"mho.analysis.datasets.{name}", raising=False)
            monkeypatch.setitem(sys.modules, module, None)
            with pytest.raises(InputError, match=f"needs {module}: .* -m pip install {module}$"):
                ask("endurance")


@pytest.mark.thorough
def test_a_notebook_shows_what_a_run_is_each_time_the_same(solved):
    with mho.open_run(solved) as run:
        shown = run._repr_html_()
        assert shown == run._repr_html_()
    assert "Solve [bold]4x4[/bold]" in shown
    assert 1 <= shown.count("<img") <= 2
    assert len(shown) < 200_000
    assert "<script" not in shown


@pytest.mark.thorough
def test_no_text_of_a_file_is_markup_and_none_is_endless(tmp_path):
    bad = "<script>alert(1)</script>" + "x" * 10_000
    path = endurance_run(tmp_path / "run.h5", title=bad, preset="<b>'\"")
    with mho.open_run(path) as run:
        shown = run._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "<b>'" not in shown
    assert "x" * MOST_LETTERS not in shown


def test_damage_is_said_where_it_is_met(tmp_path):
    path = endurance_run(tmp_path / "run.h5")
    with h5py.File(path, "r+") as file:
        file["entry/endurance/stolen"] = h5py.ExternalLink("other.h5", "/x")
    with mho.open_run(path) as run:
        assert run.to_xarray("final").shape == (3, 2, 3)
        with pytest.raises(RunFileError, match="stolen is a link into another file"):
            run.to_xarray("endurance")
        assert "stolen is a link into another file" in run._repr_html_()


def test_a_long_table_opens_without_being_read(tmp_path, monkeypatch):
    """Only the columns that may be keys are looked at, block by block."""
    monkeypatch.setattr("mho.analysis.datasets.grids.BLOCK_ROWS", 4)
    longest: list[int] = []
    original = RunFile.column

    def noted(self: RunFile, table: str, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        values = original(self, table, name, start, stop)
        longest.append(len(values))
        return values

    monkeypatch.setattr(RunFile, "column", noted)
    with mho.open_run(endurance_run(tmp_path / "run.h5")) as run:
        assert run.to_xarray("endurance").sizes["cycle"] == len(endurance_runs.CYCLES)
    assert max(longest) <= 4
