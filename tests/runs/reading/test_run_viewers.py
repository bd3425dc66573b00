"""Run files in the viewers of the field: silx, NeXpy (nexusformat) and H5Web (h5grove)."""

from __future__ import annotations

import logging
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from daily import daily

from mho.runs import Array, Column, Layout, Map, RunFile, RunHeader, RunWriter, Table, recover

pytest.importorskip("silx")
pytest.importorskip("nexusformat")
pytest.importorskip("h5grove")

import silx.io
from h5grove import create_content
from silx.io import h5py_utils
from silx.io.nxdata import NXdata, get_default

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own imports are behind the times
    from nexusformat.nexus import nxload
    from nexusformat.nexus.validate import logger as validation
    from nexusformat.nexus.validate import validate_file

TABLES = (
    Table("sweep", (Column("voltage", "V"), Column("current", "A")), "current", "voltage"),
    Table("waves", (Column("time", "s"), Column("wave", "V", shape=(50,))), "wave", "time"),
    Table("images", (Column("time", "s"), Column("image", "A", shape=(4, 5))), "image", "time"),
    Table("bursts", (Column("time", "s"), Column("burst", "A", shape=(6,), ragged=True)), "burst", "time"),
    Table("flags", (Column("time", "s"), Column("ok", dtype="?")), "ok", "time"),
    Table("phasors", (Column("time", "s"), Column("y", "S", dtype="c16")), "y", "time"),
    Table("alone", (Column("current", "A"),), "current", "current"),
)
ARRAYS = (
    Array("matrix", np.arange(6.0).reshape(2, 3), "S"),
    Array("solution", np.full(3, np.nan), "V"),
    Array("cube", np.ones((2, 3, 4), dtype=complex)),
    Array("numbers", np.arange(5)),
    Array("large", np.random.default_rng(1).random((100, 100))),
    Array("scale", np.array(3.0)),
)
LAYOUT = Layout(TABLES, (Map("conductance", "S", np.array([4, 5]), np.array([0, 2, 7])),), ARRAYS)
PLOTS = [table.name for table in TABLES] + ["maps/conductance"] + [f"arrays/{array.name}" for array in ARRAYS]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("viewers") / "run.h5"
    with RunWriter.create(path, RunHeader("All there is", "P", "1", {}), LAYOUT) as run:
        for index in range(7):
            now = float(index)
            run.emit("sweep", voltage=now, current=now * 1e-6)
            run.emit("waves", time=now, wave=np.sin(np.arange(50.0)))
            run.emit("images", time=now, image=np.full((4, 5), now))
            run.emit("bursts", time=now, burst=np.ones(index))
            run.emit("flags", time=now, ok=index > 3)
            run.emit("phasors", time=now, y=1 + 1j)
            run.emit("alone", current=now)
            run.snapshot("conductance", np.full((2, 3), now))
    return path


@pytest.mark.parametrize("plot", PLOTS)
def test_silx_takes_every_table_map_and_array_for_a_plot(finished: Path, plot: str) -> None:
    with silx.io.open(str(finished)) as file:
        data = NXdata(file[f"entry/{plot}"])
        assert data.is_valid, data.issues
        assert data.signal.ndim == len(data.axes)


@pytest.mark.parametrize("plot", daily([plot for plot in PLOTS if plot != "arrays/scale"], 4))
def test_nexpy_takes_every_table_map_and_array_for_a_plot(finished: Path, plot: str) -> None:
    group = nxload(str(finished))[f"entry/{plot}"]
    assert group.is_plottable()
    assert group.nxsignal.nxname == group.attrs["signal"]
    assert len(group.nxaxes) == group.nxsignal.ndim


def test_the_definitions_of_nexus_find_no_error(finished: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = validation.total["error"]
    with caplog.at_level(logging.ERROR, validation.name):
        validate_file(str(finished))
    assert validation.total["error"] == before


def test_h5web_gets_the_plot_and_its_numbers(finished: Path) -> None:
    with h5py.File(finished, "r") as file:
        path = "/"
        while "default" in (attributes := create_content(file, path).attributes()):
            path = f"{path.rstrip('/')}/{attributes['default']}"
        assert (path, attributes["NX_class"], attributes["signal"]) == ("/entry/sweep", "NXdata", "current")
        assert list(attributes["axes"]) == ["voltage"]
        np.testing.assert_array_equal(create_content(file, f"{path}/current").data(), np.arange(7) * 1e-6)
        assert create_content(file, "/entry/bursts/burst_length").data()[-1] == 6


def test_the_default_plot_opens_at_once(finished: Path) -> None:
    with silx.io.open(str(finished)) as file:
        plot = get_default(file)
        assert plot is not None
        assert (plot.signal_dataset_name, plot.title) == ("current", "sweep")


@pytest.mark.thorough
def test_a_running_file_is_drawn_by_a_viewer_that_follows(
    tmp_path: Path, start_child: Callable[[str, Path], subprocess.Popen[str]]
) -> None:
    path = tmp_path / "run.h5"
    start_child("silent", path)
    with RunFile(path) as file:
        while file.length("points") < 3:
            file.refresh()
    with h5py_utils.File(str(path), mode="r", swmr=True) as live:
        plot = get_default(live)
        assert plot is not None
        np.testing.assert_array_equal(plot.signal[()], [0.25, 1.25, 2.25])
        np.testing.assert_array_equal(create_content(live, "/entry/points/a").data(), [0.25, 1.25, 2.25])


def test_a_recovered_file_is_drawn_like_a_finished_one(
    tmp_path: Path, killed: Callable[[Path], Path]
) -> None:
    path = killed(tmp_path / "run.h5")
    recover(path)
    with silx.io.open(str(path)) as file:
        plot = get_default(file)
        assert plot is not None
        np.testing.assert_array_equal(plot.signal[()], [0.25, 1.25, 2.25])
    assert nxload(str(path))["entry/points"].is_plottable()
    with h5py.File(path, "r") as file:
        assert create_content(file, "/entry").attributes()["default"] == "points"
