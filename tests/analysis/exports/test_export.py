"""What is exported is what is in the run file, and nothing is ever half there."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import xarray
from command_line import Shell
from endurance_runs import conductances, endurance_run

import mho
import mho.analysis.exports.netcdf as netcdf
from mho.analysis.exports.exporting import FORMS, export
from mho.analysis.exports.netcdf import to_xarray
from mho.chip_maps.matrix_files import load_matrix
from mho.cli.exit_codes import UNFINISHED
from mho.errors import InputError, RunFileError
from mho.runs import Array, Column, Layout, Map, RecordedParameter, RunHeader, RunWriter, Table

MATRIX = np.array([[1 / 3, 2e-300], [-0.0, 7.0]])
COMPLEX = np.array([[1 + 2j, 0.1 - 1e-9j], [0, -3]])
IMAGE = np.array([[[1e-6, np.nan], [3e-6, 4e-6]], [[5e-6, 6e-6], [7e-6, 8e-6]]])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of data."""
    path = tmp_path_factory.mktemp("export") / "run.h5"
    table = Table(
        "points",
        (
            Column("number", dtype="u2"),
            Column("voltage", "V", description="what was set"),
            Column("single", "A", dtype="f4"),
            Column("on", dtype="?"),
            Column("pair", "S", shape=(2,)),
        ),
        "voltage",
        "number",
    )
    empty = Table("nothing", (Column("x"),), "x", "x")
    layout = Layout(
        (table, empty),
        (Map("heat", "K", np.array([3, 5]), np.array([0, 9])),),
        (
            Array("matrix", MATRIX, "S", "a matrix"),
            Array("complex", COMPLEX),
            Array("cube", np.arange(24.0).reshape(2, 3, 4)),
            Array("heat", np.arange(3)),
        ),
    )
    parameters = {
        "volts": RecordedParameter(0.2, "V", "Volts"),
        "entropy": RecordedParameter(2**100),
        "note": RecordedParameter(None),
        "name": RecordedParameter('Ω, "quoted"\nand broken'),
    }
    header = RunHeader(
        "A title, with | and ✓",
        "Sweep",
        "1",
        parameters,
        bench="x = 1\n",
        chip="y = 2\n",
        provenance={"packages": "a==1", "seed": "7"},
    )
    with RunWriter.create(path, header, layout) as run:
        run.emit_block(
            "points",
            {
                "number": np.arange(3, dtype="u2"),
                "voltage": np.array([0.1, np.nan, 1 / 3]),
                "single": np.array([0.1, 1e-9, 3.0], dtype="f4"),
                "on": np.array([True, False, True]),
                "pair": np.arange(6.0).reshape(3, 2),
            },
        )
        for index, image in enumerate(IMAGE):
            run.snapshot("heat", image, time=float(index))
        run.log("INFO", "hello")
        run.set_result({"found": 3, "good": True, "list": [1, 2]})
    return path


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))


def test_csv_has_units_in_its_headers_and_numbers_that_read_back(path: Path, tmp_path: Path):
    folder = export(path, "csv", tmp_path / "out")
    header, *lines = rows(folder / "points.csv")
    assert header == ["number", "voltage (V)", "single (A)", "on", "pair_0 (S)", "pair_1 (S)"]
    assert [float(line[1]) for line in lines] == pytest.approx(
        [0.1, np.nan, 1 / 3], rel=0, abs=0, nan_ok=True
    )
    assert lines[0][2] == "0.1"
    assert lines[2] == ["2", repr(1 / 3), "3.0", "True", "4.0", "5.0"]
    header, *lines = rows(folder / "maps" / "heat.csv")
    assert header == ["time (s)", "row", "column", "value (K)"]
    assert lines[2] == ["0.0", "5", "0", "3e-06"]
    assert len(lines) == 8
    np.testing.assert_array_equal(load_matrix(folder / "arrays" / "matrix.csv"), MATRIX)
    np.testing.assert_array_equal(load_matrix(folder / "arrays" / "complex.csv"), COMPLEX)
    assert (folder / "arrays" / "matrix.csv").read_text().startswith("# matrix (2x2), in S: a matrix\n")
    assert len(rows(folder / "arrays" / "cube.csv")) == 1 + 2
    assert rows(folder / "nothing.csv") == [["x"]]
    facts = {(what, name): (value, unit) for what, name, value, unit in rows(folder / "run.csv")}
    assert facts["parameter", "volts"] == ("0.2", "V")
    assert facts["parameter", "name"][0] == 'Ω, "quoted"\\nand broken'
    assert facts["result", "found"] == ("3", "")
    assert ("result", "list") not in facts
    assert rows(folder / "log.csv")[1][1:] == ["INFO", "hello"]


def test_matlab_has_structs_with_units(path: Path, tmp_path: Path):
    told = scipy.io.loadmat(export(path, "mat", tmp_path / "out.mat"), simplify_cells=True)
    np.testing.assert_array_equal(told["points"]["voltage"], [0.1, np.nan, 1 / 3])
    np.testing.assert_array_equal(told["points"]["pair"], np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(told["maps"]["heat"]["value"], IMAGE)
    np.testing.assert_array_equal(told["maps"]["heat"]["row"], [3, 5])
    np.testing.assert_array_equal(told["arrays"]["complex"], COMPLEX)
    assert told["units"]["points"]["voltage"] == "V"
    assert told["units"]["maps"]["heat"]["value"] == "K"
    assert told["run"]["title"] == "A title, with | and ✓"
    assert told["run"]["parameters"]["volts"] == 0.2
    assert told["run"]["parameters"]["entropy"] == str(2**100)
    assert told["run"]["results"]["found"] == 3


@pytest.mark.thorough
def test_netcdf_is_a_dataset_with_units_and_coordinates(path: Path, tmp_path: Path):
    with xarray.open_dataset(export(path, "netcdf", tmp_path / "out.nc"), engine="h5netcdf") as told:
        np.testing.assert_array_equal(told["points_voltage"], [0.1, np.nan, 1 / 3])
        assert told["points_voltage"].attrs == {"units": "V", "long_name": "what was set"}
        assert told["points_pair"].dims == ("points", "points_pair_0")
        assert told["points_on"].values.tolist() == [1, 0, 1]
        assert float(told["heat"].sel(heat_time=1.0, heat_row=5, heat_column=9)) == 8e-6
        assert told["heat_array"].values.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(told["complex_real"] + 1j * told["complex_imag"], COMPLEX)
        assert told["nothing_x"].size == 0
        assert json.loads(told.attrs["summary"])["list"] == [1, 2]
        assert told.attrs["title"] == "A title, with | and ✓"
        with to_xarray(path) as in_memory:
            assert in_memory.identical(told.load())


@pytest.mark.thorough
@pytest.mark.parametrize("block", [8 << 20, 1])
def test_a_table_that_is_a_grid_has_its_dimensions_in_netcdf(tmp_path: Path, block: int, monkeypatch):
    monkeypatch.setattr("mho.analysis.datasets.stored_values.BLOCK_BYTES", block)
    path = endurance_run(tmp_path / "run.h5", seed=3)
    with xarray.open_dataset(export(path, "netcdf"), engine="h5netcdf") as told:
        conductance = told["endurance_conductance"]
        assert conductance.dims == ("endurance_cycle", "endurance_row", "endurance_column")
        np.testing.assert_array_equal(conductance, conductances(3))
        assert (
            conductance.sel(endurance_cycle=10, endurance_row=1, endurance_column=6)
            == conductances(3)[1, 1, 2]
        )
        assert len(told[["endurance_conductance", "endurance_time"]].to_dataframe()) == 18
        with mho.open_run(path) as run:
            of_run = run.to_xarray("endurance")
        np.testing.assert_array_equal(told["endurance_trace"], of_run["trace"])


@pytest.mark.thorough
@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("chip-map", "spice")])
def test_nothing_is_left_when_an_export_breaks_off(
    path: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    for writer in (
        "csv_folder.csv.writer",
        "matlab.scipy.io.savemat",
        "netcdf._write_table",
        "package.publishing.draw_pictures",
    ):
        monkeypatch.setattr(f"mho.analysis.exports.{writer}", broken)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        export(path, form, tmp_path / "below" / "out.eln")
    assert not any((tmp_path / "below").iterdir())


def test_a_place_where_nothing_can_be_written_is_said(path: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"below.out cannot be written: Not a directory; choose another output"
    ):
        export(path, "csv", tmp_path / "file" / "below" / "out")


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_overwritten(path: Path, tmp_path: Path, form: str):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        export(path, form, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_what_is_missing_is_said(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="there are csv, mat, netcdf, folder"):
        export(path, "xls")
    with pytest.raises(RunFileError, match="there is no run file"):
        export(tmp_path / "nowhere.h5", "csv")
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(InputError, match=r"needs h5netcdf: .* -m pip install h5netcdf$"):
        export(path, "netcdf", tmp_path / "out.nc")
    with pytest.raises(InputError, match=r"needs xarray: .* -m pip install xarray$"):
        to_xarray(path)
    assert not any(tmp_path.iterdir())


@pytest.mark.thorough
def test_a_long_table_is_exported_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mho.analysis.datasets.stored_values.BLOCK_BYTES", 1 << 18)
    monkeypatch.setattr("mho.analysis.exports.matlab.BLOCK_BYTES", 1 << 18)
    count = 400_000
    columns = tuple(Column(name) for name in "abcd")
    layout = Layout((Table("points", columns, "a", "a"),))
    with RunWriter.create(tmp_path / "run.h5", RunHeader("t", "p", "1", {}), layout) as run:
        for start in range(0, count, 50_000):
            run.emit_block("points", {name: np.arange(start, start + 50_000.0) for name in "abcd"})
    whole = 4 * 8 * count
    for form in ("netcdf", "mat"):
        tracemalloc.start()
        export(tmp_path / "run.h5", form, tmp_path / form)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # A column at a time at the most: .mat has no smaller piece.
        assert peak < whole / 3, form
    assert scipy.io.loadmat(tmp_path / "mat", simplify_cells=True)["points"]["d"][-1] == count - 1


def test_the_command_says_where_it_wrote(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    assert shell("export", path, "--to", "mat", "-o", tmp_path / "x.mat") == (
        0,
        f"{tmp_path / 'x.mat'}\n",
        "",
    )
    assert "there is no form 'xls'" in shell.refused("export", path, "--to", "xls")


@pytest.mark.thorough
def test_several_runs_are_exported_under_their_names_and_damaged_ones_are_named(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    runs = tmp_path / "mine"
    runs.mkdir()
    for name in ("a.h5", "b.h5"):
        (runs / name).write_bytes(path.read_bytes())
    (runs / "bad.h5").write_bytes(path.read_bytes()[:5000])
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    code, out, err = shell("export", runs, "--to", "csv", "-o", tmp_path / "out")
    assert (code, out.split()) == (UNFINISHED, [f"{tmp_path / 'out' / name}-csv" for name in "ab"])
    assert "bad.h5" in err
    assert (tmp_path / "out" / "a-csv" / "points.csv").is_file()
    assert shell("export", runs / "a.h5", runs / "b.h5", "--to", "mat")[0] == 0
    assert sorted(file.name for file in runs.glob("*.mat")) == ["a.mat", "b.mat"]
    assert "there is no form 'xls'" in shell.refused("export", runs, "--to", "xls")
    assert "--title would describe a package" in shell.refused(
        "export", runs / "a.h5", "--to", "csv", "--title", "x"
    )


@pytest.mark.thorough
def test_analysis_needs_neither_xarray_nor_instruments():
    code = (
        "import sys, mho.analysis.exports.exporting, mho.cli.run_files.runs\n"
        "sys.exit(bool({'xarray', 'h5netcdf', 'matplotlib', 'mho.instruments'} & set(sys.modules)))"
    )
    house = Path(netcdf.__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=house, check=False).returncode == 0
