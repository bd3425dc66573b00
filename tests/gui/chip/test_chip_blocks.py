"""Blocks and slices of a run, as they are outlined on the chip."""

import numpy as np
import pulse_runs
import pytest
import run_samples

from mho import run
from mho.analysis.reports.cells import read_chip
from mho.chip_maps.chip import read_chip_text
from mho.gui.chip.blocks import CHECKSUM, Outline, read_outlines
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Solve
from mho.runs import RunFile


@pytest.fixture(scope="module", params=["reference", "four levels"])
def solved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("solved")
    bench = load_bench_file("simulated").text
    if request.param == "four levels":
        steps = ["5e-6, 10e-6, 15e-6, 20e-6, 25e-6, 30e-6, 35e-6", "12e-6, 24e-6, 36e-6"]
        (folder / "chip.toml").write_text(read_chip_text("reference").replace(*steps), "utf-8")
        bench = bench.replace('chip = "reference"', f'chip = "{folder.as_posix()}/chip.toml"')
    (folder / "bench.toml").write_text(bench, "utf-8")
    rng = np.random.default_rng(6)
    matrix = np.diag([1.0, 1.1, 1.2, 0.9]) + rng.uniform(-0.2, 0.2, (4, 4))
    path = folder / "run.h5"
    run(Solve(matrix=matrix, bits=9, tolerance=0.01), str(folder / "bench.toml"), seed=2, output=path)
    with RunFile(path) as file:
        yield file


def test_every_cell_of_a_solve_lies_in_a_block(solved):
    outlines = read_outlines(solved, read_chip(solved))
    assert {one.array for one in outlines} == {
        name.removesuffix("_target") for name in solved.maps if "target" in name
    }
    for array in {one.array for one in outlines}:
        rows, columns = solved.map_axes(f"{array}_target")
        for i, j in np.argwhere(np.isfinite(solved.map(f"{array}_target"))):
            holding = [one for one in outlines if one.array == array and one.holds(rows[i], columns[j])]
            assert len(holding) == 1


def test_the_slices_named_add_up_to_the_matrix(solved):
    tiles = [one for one in read_outlines(solved, read_chip(solved)) if one.array == "multiply"]
    every = [tile.slice_at(column) for tile in tiles for column in range(tile.left, tile.right)]
    names = [name for name in every if name != CHECKSUM]
    assert 0 < len(every) - len(names) <= 8 * len(tiles)
    digits, levels = solved.array("digits_multiply").sum(axis=0), len(read_chip(solved).levels.conductances)
    total = {"positive": 0.0, "negative": 0.0}
    for name, digit in zip(names, digits, strict=True):
        _, number, *_, sign, _ = name.split()
        total[sign] += digit * float(levels) ** -int(number)
    held = solved.array("matrix_held")
    assert total["positive"] / total["negative"] == pytest.approx(
        held[held > 0].sum() / -held[held < 0].sum()
    )


def test_a_block_is_read_from_the_cells_that_a_run_names(tmp_path):
    pulse_runs.programmed(tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as file:
        assert read_outlines(file, read_chip(file)) == (Outline("multiply", 2, 7, 3, 9),)
        assert file.cells == Outline("multiply", 2, 7, 3, 9).name


@pytest.mark.parametrize("make", [run_samples.whole_run, run_samples.other_run, run_samples.empty_run])
def test_runs_that_name_no_cells_have_no_outline(tmp_path, make):
    with RunFile(make(tmp_path / "run.h5")) as file:
        assert read_outlines(file, read_chip(file)) == ()
