"""Many runs as one: found by place or query, passed over one by one, in one table and one dataset; damage ends nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from endurance_runs import conductances, endurance_run

import mho
from mho import Column, IntegerParameter, Layout, Procedure, Table
from mho.analysis.datasets.runs import SkippedRunWarning
from mho.errors import InputError, RunFileError

pandas = pytest.importorskip("pandas")
xarray = pytest.importorskip("xarray")

RUNS = [(1, "pku"), (2, "pku"), (3, "ideal"), (4, "ideal")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for seed, preset in RUNS:
        endurance_run(folder / f"{seed}.h5", seed, preset)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "runs"))


@pytest.fixture
def damaged(folder: Path) -> Path:
    (folder / "2a.h5").write_bytes(b"no run")
    return folder


def names(runs: mho.Runs) -> list[str]:
    return [path.stem for path in runs.paths]


@pytest.mark.thorough
def test_runs_are_found_by_folder_paths_patterns_and_queries(folder, monkeypatch):
    every = ["1", "2", "3", "4"]
    assert names(mho.open_runs(folder)) == every
    assert names(mho.open_runs(f"{folder}/[23].h5")) == ["2", "3"]
    assert names(mho.open_runs([folder / "4.h5", f"{folder}/[12].h5"])) == ["4", "1", "2"]
    assert names(mho.open_runs("preset=ideal and seed<4", folder=folder)) == ["3"]
    assert names(mho.open_runs("result.worst >= 2uS", folder=folder)) == ["2", "3", "4"]
    assert names(mho.open_runs(folder).where("preset=pku")) == ["1", "2"]
    monkeypatch.setenv("MHO_RUNS", str(folder))
    assert names(mho.open_runs()) == every
    with pytest.raises(InputError, match="did you mean 'preset'"):
        mho.open_runs("presett=pku")
    with pytest.raises(InputError, match=r"nowhere.h5 does not exist"):
        mho.open_runs("nowhere.h5")


def test_a_sequence_opens_and_closes_each(folder):
    runs = mho.open_runs(folder)
    assert (len(runs), repr(runs)) == (4, "<Runs, 4 of 1.h5 to 4.h5>")
    seen = []
    for run in runs[1:3]:
        assert run.is_open
        assert all(not one.is_open for one in seen)
        seen.append(run)
    assert [run.path.stem for run in seen] == ["2", "3"]
    assert not seen[-1].is_open
    with runs[-1] as last:
        assert last.seed == 4


def test_a_damaged_file_is_left_out_with_one_warning_and_ends_nothing(damaged):
    runs = mho.open_runs(damaged)
    assert len(runs) == 5
    with pytest.warns(SkippedRunWarning, match=r"left out: .*2a\.h5 is not an HDF5 file") as warned:
        assert [run.seed for run in runs] == [1, 2, 3, 4]
    assert runs.table()["seed"].tolist() == [1, 2, 3, 4]  # it is said once
    assert len(warned) == 1
    assert [path.name for path in runs.skipped] == ["2a.h5"]


def test_the_table_has_a_row_a_run_with_units(folder):
    table = mho.open_runs(folder).table()
    assert table["preset"].tolist() == [preset for _, preset in RUNS]
    assert table["result.worst"].tolist() == [1e-6, 2e-6, 3e-6, 4e-6]
    assert table["parameter.amplitude"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert table.attrs["units"] == {"duration": "s", "parameter.amplitude": "V", "result.worst": "S"}


@pytest.mark.thorough
def test_tables_are_stacked_along_what_runs_differ_in(folder):
    stack = mho.open_runs(folder).to_xarray("endurance", dim="seed", by="parameter.amplitude, worst")
    assert stack["conductance"].dims == ("seed", "cycle", "row", "column")
    assert stack["conductance"].attrs["units"] == "S"
    np.testing.assert_array_equal(stack["conductance"].sel(seed=3), conductances(3))
    assert stack["preset"].values.tolist() == [preset for _, preset in RUNS]
    assert stack["worst"].attrs == {"units": "S"}
    by_preset = stack["conductance"].groupby("preset").median(("seed", "cycle", "row", "column"))
    assert by_preset.sizes == {"preset": 2}


def test_measured_times_are_no_outer_product(folder):
    stack = mho.open_runs(folder).to_xarray("final")
    assert dict(stack.sizes) == {"run": 4, "time_number": 3, "row": 2, "column": 3}
    np.testing.assert_array_equal(stack["time"], np.outer([1, 2, 3, 4], [0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(stack["final"], [conductances(seed) for seed, _ in RUNS])


@pytest.mark.thorough
def test_runs_of_other_lengths_are_filled_up(folder):
    endurance_run(folder / "5.h5", 5, points=7)
    stack = mho.open_runs([folder / "5.h5", endurance_run(folder / "6.h5", 6, points=5)]).to_xarray(
        "endurance"
    )
    assert stack["conductance"].sizes == {"run": 2, "row_number": 7}
    assert np.isnan(stack["conductance"][1]).sum() == 2


class Sweep(Procedure):
    """Four gates at six cells, of which the last ones are left out."""

    rows = IntegerParameter("Rows", default=24)

    def layout(self, plan):
        columns = (
            Column("gate", "V"),
            Column("cell", dtype="u2"),
            Column("count", dtype="i4"),
            Column("current", "A"),
        )
        return Layout((Table("sweep", columns),))

    def execute(self, plan, bench, stream):
        for k in range(self.rows):
            stream.record("sweep", gate=0.1 * (k // 6), cell=k % 6, count=k % 5, current=1e-6 * k)


@pytest.mark.parametrize("rows", [1, 4, 6, 7, 15, 23])
def test_a_stopped_sweep_is_nan_where_nothing_was_measured(rows, tmp_path):
    for seed, count in ((1, 24), (2, rows)):
        mho.run(Sweep(rows=count), "arrays", seed=seed, output=tmp_path / f"{seed}.h5")
    stack = mho.open_runs(tmp_path).to_xarray("sweep", dim="seed")
    assert stack["current"].sizes == {"seed": 2, "gate": 4, "cell": 6}
    measured = np.where(np.arange(24) < rows, np.arange(24), np.nan).reshape(4, 6)
    np.testing.assert_allclose(stack["current"].sel(seed=2), 1e-6 * measured)
    np.testing.assert_array_equal(stack["count"].sel(seed=2), measured % 5)
    with mho.open_run(tmp_path / "2.h5") as run:
        assert run.to_xarray("sweep", grid=False).sizes == {"row_number": rows}
        if rows > 12:
            alone = run.to_xarray("sweep")
            assert set(alone.sizes) == {"gate", "cell"}
            assert np.isfinite(alone["current"]).sum() == rows
            assert alone["current"].isel(gate=-1, cell=-1).isnull() == (rows % 6 > 0)


def test_runs_without_the_table_are_left_out_and_named(folder, solved):
    runs = mho.open_runs([folder / "1.h5", solved])
    with pytest.warns(SkippedRunWarning, match="no table, map or array 'endurance'"):
        assert runs.to_xarray("endurance").sizes["run"] == 1
    with pytest.raises(InputError, match="no run has a column 'amplitud'; did you mean amplitude"):
        mho.open_runs(folder).to_xarray("endurance", by="amplitud")
    with pytest.raises(InputError, match="no run has 'nope'"), pytest.warns(SkippedRunWarning):
        mho.open_runs(folder).to_xarray("nope")


def test_figures_are_drawn_with_what_draw_and_plot_take(damaged, monkeypatch):
    asked: list[tuple[object, ...]] = []
    for name in ("draw", "plot"):
        monkeypatch.setattr(
            f"mho.analysis.figures.{name}",
            lambda *given, **options: asked.append((*given, options)),
            raising=False,
        )
    with pytest.warns(SkippedRunWarning):
        mho.open_runs(damaged).draw("endurance", by="preset")
    mho.open_runs(damaged)[:1].plot("out.png", "endurance", ratio=True)
    whole = [damaged / f"{seed}.h5" for seed, _ in RUNS]
    (*drawn, drawing), (plotted, *plotting) = asked
    assert ([*map(Path, drawn)], drawing) == (whole, {"figure": "endurance", "by": "preset"})
    assert ([*map(Path, plotted)], plotting) == (whole[:1], ["out.png", "endurance", {"ratio": True}])


@pytest.mark.thorough
def test_figures_after_the_first_read_no_card_again(folder, tmp_path, monkeypatch):
    def fail(path: Path) -> None:
        raise AssertionError(f"the card of {path} is read again")

    runs = mho.open_runs(folder)
    first = runs.plot(tmp_path / "first.svg", "endurance", by="preset").read_text()
    monkeypatch.setattr("mho.analysis.grouping.read_card", fail)
    monkeypatch.setattr("mho.analysis.datasets.runs.read_card", fail)
    assert runs.plot(tmp_path / "second.svg", "endurance", by="preset").read_text() == first
    assert runs[:2].plot(tmp_path / "two.svg", "endurance", by="preset").is_file()


@pytest.mark.thorough
def test_runs_and_a_run_are_taken_where_paths_are(folder, tmp_path):
    runs = mho.open_runs(folder)
    wanted = mho.plot([*runs.paths], tmp_path / "paths.svg", "endurance", by="preset").read_text()
    assert mho.plot(runs, tmp_path / "runs.svg", "endurance", by="preset").read_text() == wanted
    with runs[0] as one:
        assert mho.plot(one, tmp_path / "one.svg", "endurance").is_file()


def test_a_notebook_shows_a_bounded_table(folder):
    runs = mho.open_runs(folder)
    shown = runs._repr_html_()
    assert shown.count("<tr>") == 5
    many = mho.Runs(list(runs.paths) * 30)
    assert "80 more" in many._repr_html_()
    assert len(many._repr_html_()) < 40_000
    assert repr(mho.Runs([])) == "<Runs, none>"


def test_a_file_that_is_gone_is_said(tmp_path):
    with pytest.raises(RunFileError, match="there is no run file"):
        mho.Runs([tmp_path / "gone.h5"])[0]
