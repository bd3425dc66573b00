"""Maps of arrays: through the DAQ a row at once, cell by cell, classes, lines that stand out, what cannot be."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from daily import daily
from formed_cells import bench_with
from hypothesis import given
from hypothesis import strategies as st

from mho import run
from mho.chip_maps.chip import load_chip_map
from mho.errors import ChipMapError, InputError, LimitError
from mho.instruments import open_bench
from mho.instruments.laboratory.accidents import BadCell
from mho.procedures import Form, MapArray, Switching
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.reading.array_map import blocks, classes, line_scores, outliers
from mho.runs import RunFile

CHIP = load_chip_map("reference")
DIGITS = 1 + np.arange(24).reshape(4, 6) % 7


@given(st.integers(1, 70), st.integers(1, 40), st.sampled_from([None, 7, 32]))
def test_blocks_cover_every_cell_once_within_what_the_daq_has_and_within_segments(rows, columns, segment):
    array = CHIP.array("multiply").model_copy(update={"segment": segment})
    cells = CellRange(np.arange(3, 3 + rows), np.arange(columns)[::-1])
    count = np.zeros(cells.shape, int)
    for some, others in blocks(array, cells, 32, 16):
        assert len(some) <= 32
        assert len(others) <= 16
        if segment is not None:
            assert len(set(cells.rows[some] // segment)) == len(set(cells.columns[others] // segment)) == 1
        count[np.ix_(some, others)] += 1
    assert (count == 1).all()


def test_cells_are_counted_by_class():
    values = np.array([[1e-9, 0.4e-6, 5e-6, 7.5e-6], [35.5e-6, 36.5e-6, 10e-6, 10.5e-6]])
    found = classes(values, CHIP.level_scale(), 0.1e-6)
    assert {name: count for name, count in found.items() if count} == {
        "unformed": 1, "in_window": 5, "between": 1, "above": 1, "level_0": 1, "level_1": 1, "level_2": 2, "level_7": 1,
    }  # fmt: skip


def test_a_line_that_is_open_or_shorted_stands_out_and_usual_ones_do_not():
    rng = np.random.default_rng(1)
    values = rng.choice(np.arange(1, 8) * 5e-6, (40, 30))
    rows, columns = line_scores(values)
    assert outliers(rows, np.arange(40)) == outliers(columns, np.arange(30)) == []
    values[7] = 0.0
    values[:, 3] += 40e-6
    rows, columns = line_scores(values)
    assert outliers(rows, np.arange(100, 140)) == [107]
    assert outliers(columns, np.arange(30)) == [3]
    assert not np.concatenate(line_scores(values[:4, :4])).any()  # too few lines to tell


@pytest.mark.parametrize(
    ("method", "name"),
    daily(product(["daq", "smu"], ["simulated", "arrays"]), [("daq", "arrays"), ("smu", "simulated")]),
)
def test_a_map_is_of_the_cells_and_its_repeats(name, method, tmp_path):
    with bench_with(DIGITS, name) as bench:
        procedure = MapArray(rows="0:4", columns="5, 0:5", method=method, repeats=4)
        mapped = run(procedure, bench, seed=1, output=tmp_path)
    nominal = CHIP.level_scale().conductance(DIGITS[:, [5, 0, 1, 2, 3, 4]])
    np.testing.assert_allclose(mapped.mean, nominal, atol=1.7e-6)
    np.testing.assert_allclose(mapped.mean, mapped.conductance.mean(axis=0))
    assert mapped.summary["unformed"] == 0
    assert mapped.summary["in_window"] >= 22
    with RunFile(mapped.path) as file:
        np.testing.assert_allclose(file.map("multiply_mean"), mapped.mean[:, [1, 2, 3, 4, 5, 0]])
        assert len(file.map_times("multiply_conductance")) == 4
        assert file.map("multiply_deviation").shape == (4, 6)
        lines = file.table("lines")
        assert lines["line"].tolist() == [0, 1, 2, 3, 5, 0, 1, 2, 3, 4]
        assert lines["mean"][:4] == pytest.approx(mapped.mean.mean(axis=1))


def test_both_ways_tell_the_same_of_a_chip(tmp_path):
    with bench_with(DIGITS, "simulated", "ideal") as bench:
        daq, smu = (
            run(
                MapArray(rows="0:4", columns="0:6", method=method),
                bench,
                seed=1,
                output=tmp_path / f"{method}.h5",
            )
            for method in ("daq", "smu")
        )
    np.testing.assert_allclose(daq.mean, smu.mean, atol=0.25e-6)


def test_cells_that_were_never_formed_are_not_taken_for_level_0_by_noise(tmp_path):
    with open_bench("arrays", seed=1) as bench:
        summary = run(MapArray(rows="0:32", columns="0:32"), bench, seed=1, output=tmp_path).summary
    assert summary["unformed"] == 1024
    assert summary["median"] is None
    assert summary["formed_above"] > 0.1e-6


def test_cells_in_hrs_are_of_level_0_once_they_have_conducted(tmp_path):
    with open_bench("stanford-arrays", seed=2) as bench:
        run(Form(rows="0:4", columns="0:4"), bench, seed=1, output=tmp_path / "formed.h5")
        run(Switching(rows="0:4", columns="0:4", cycles=1), bench, seed=1, output=tmp_path / "hrs.h5")
        summary = run(MapArray(rows="0:4", columns="0:8"), bench, seed=1, output=tmp_path / "map.h5").summary
    assert summary["unformed"] == 16
    assert summary["level_0"] > 3
    assert MapArray.from_version("1", {"repeats": 2}) == {"repeats": 2, "sure": 3.0}


def test_an_open_row_is_told(tmp_path):
    with bench_with(np.full((6, 6), 4), "simulated", "ideal") as bench:
        for column in range(6):
            BadCell(0.0, ("multiply", 2, column))(bench.laboratory)
        mapped = run(MapArray(rows="0:6", columns="0:6"), bench, seed=1, output=tmp_path)
    assert mapped.outlier_rows == [2]
    with RunFile(mapped.path) as file:
        assert any(entry.message == "rows whose means stand out: 2" for entry in file.log())


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (MapArray(rows="1999"), ChipMapError, "row 1999"),
        (MapArray(rows="none"), InputError, "rows 'none'"),
        (MapArray(read_voltage=1.5), LimitError, "vector: voltage of 1.5 V"),
        (MapArray(read_voltage=0.0), InputError, "read_voltage is 0 V"),
        (MapArray(repeats=1000), InputError, "are more than the 268,435,456"),
    ],
)
def test_what_cannot_be_done_is_refused(procedure, error, said, tmp_path):
    with open_bench(seed=1) as bench, pytest.raises(error, match=said):
        run(procedure, bench, output=tmp_path)
    assert not list(tmp_path.iterdir())
