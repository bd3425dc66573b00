"""The run file of a projection: every curve has a name, and its numbers are those of the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.analysis.figures.values.figure_reading import code_names
from mho.extensions.projection import PRESETS, PUBLISHED, PUBLISHED_POINTS, project, save
from mho.extensions.projection.digital import in_double, kept_matrix, new_matrix
from mho.extensions.projection.model import cost_in_blocks, cost_in_one_loop
from mho.extensions.projection.projecting import CURVES
from mho.runs import RunFile


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projection")
    return save(project(PUBLISHED, [32, 96], draws=50, seed=2), folder / "p.h5")


@pytest.mark.thorough
def test_every_curve_has_a_name_in_the_legend(path: Path) -> None:
    with RunFile(path) as run:
        for figure in run.figures:
            for column in figure.groups:
                codes = run.column(figure.table, column)
                names = code_names(run.stored(figure.table, column).description)
                assert set(codes) == set(names), figure.name
                assert len(set(names.values())) == len(names), figure.name


def test_curves_are_those_of_the_model(path: Path) -> None:
    with RunFile(path) as run:
        table = run.table("throughput")
        blocks = run.table("blocks")
    parameters = PUBLISHED.parameters
    for name, cost in (("one loop", cost_in_one_loop), ("by blocks", cost_in_blocks)):
        mine = table["curve"] == CURVES["throughput"].index(name)
        for size, value in zip(table["size"][mine], table["throughput"][mine], strict=True):
            if np.isfinite(value):
                assert value == pytest.approx(float(cost(int(size), parameters).throughput))
    assert blocks["size"][-1] == 2**20
    assert blocks["inversions"][-1] == pytest.approx(3.0**15)
    np.testing.assert_allclose(blocks["chips"], np.ceil(blocks["cells"] / 2**20))
    assert np.all(np.diff(blocks["energy"]) > 0.0)


def test_energies_stand_beside_the_published_ones_and_those_in_double_precision(path: Path) -> None:
    with RunFile(path) as run:
        energy, double = run.table("energy"), run.table("fp64_energy")
    mine = energy["curve"] == CURVES["energy"].index("published circuit")
    known = mine & np.isfinite(energy["energy"])
    assert dict(zip(energy["size"][known], energy["energy"][known], strict=True)) == {32: 103e-9, 128: 529e-9}
    parameters = PUBLISHED.parameters
    fast = PRESETS["fast"].parameters
    processors = in_double(parameters)
    expected = {
        "one loop": cost_in_one_loop(64, parameters).energy,
        "one loop with faster amplifiers": cost_in_one_loop(64, fast).energy,
        "H100 in FP64 on tensor cores with new A": new_matrix(
            64, processors["H100 in FP64 on tensor cores"]
        ).joules,
        "GH200 in emulated FP64 with A kept": kept_matrix(64, processors["GH200 in emulated FP64"]).joules,
    }
    for name, value in expected.items():
        here = (double["curve"] == CURVES["fp64_energy"].index(name)) & (double["size"] == 64)
        assert double["energy"][here] == pytest.approx([float(value)])
    largest = double["size"] > 128
    ours = double["curve"] < 2
    assert np.isnan(double["energy"][largest & ours]).all()
    assert np.isfinite(double["energy"][~ours]).all()


def test_every_published_point_has_its_deviation(path: Path) -> None:
    with RunFile(path) as run:
        table = run.table("published")
    for one, code, size, deviation in zip(PUBLISHED_POINTS, *table.values(), strict=True):
        assert (CURVES["published"][code], size) == (one.words, one.size)
        assert deviation == one.deviation(PUBLISHED.parameters)


@pytest.mark.thorough
def test_the_same_seed_makes_the_same_bands_and_the_assumptions_can_be_used_again(
    path: Path, tmp_path: Path
) -> None:
    again = save(project(PUBLISHED, [32, 96], draws=50, seed=2), tmp_path / "again.h5")
    with RunFile(path) as one, RunFile(again) as other:
        for name in one.tables:
            for column, values in one.table(name).items():
                np.testing.assert_array_equal(values, other.table(name)[column])
        file = tmp_path / "used.toml"
        file.write_text(one.provenance["assumptions"])
    assert PRESETS["fast"].with_file(file).each == PUBLISHED.each


def test_a_size_without_blocks_is_said(path: Path) -> None:
    found = project(PUBLISHED, [96], draws=10)
    assert [one.partition(":")[0] for one in found.remarks] == ["no reading by blocks"]
    assert "circuit_blocks" not in {one.key for one in found.readings[96]}


def test_a_loop_size_that_fits_no_curve_leaves_a_gap_and_no_error() -> None:
    found = project(PUBLISHED.over({"loop_size": 24}, "test"), [48], draws=10)
    table = found.tables["throughput"]
    mine = table["curve"] == CURVES["throughput"].index("by blocks")
    assert np.isnan(table["throughput"][mine][table["size"][mine] > 24]).all()
    assert "circuit_blocks" in {one.key for one in found.readings[48]}
    assert found.tables["blocks"]["size"][1] == 48
