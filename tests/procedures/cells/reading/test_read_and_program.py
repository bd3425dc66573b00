"""Reading and programming blocks as procedures of their own: files, maps, ranges, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mho import run
from mho.chip_maps.chip import load_chip_map
from mho.errors import ChipMapError, InputError, LimitError
from mho.instruments import open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Program, Read
from mho.procedures.cell_range import parse_lines
from mho.runs import RunFile

LEVELS = load_chip_map("reference").level_scale()


def test_digits_are_programmed_where_they_are_wanted_and_read_back(tmp_path):
    digits = np.arange(12).reshape(3, 4) % 8
    with open_bench(preset="quiet", seed=5) as bench:
        programmed = run(
            Program(digits=digits, row=2, column=7), bench, seed=1, output=tmp_path / "program.h5"
        )
        reads = run(Read(rows="2:5", columns="7:11", repeats=3, interval=60.0), bench, output=tmp_path)
    assert programmed.failed == 0
    assert LEVELS.inside(programmed.achieved, digits).all()
    assert reads.conductance.shape == (3, 3, 4)
    np.testing.assert_allclose(reads.conductance[0], programmed.achieved, rtol=0.1, atol=0.3e-6)
    assert np.diff(reads.times) == pytest.approx(60.0, abs=1e-9)
    with RunFile(programmed.path) as file:
        assert file.status == "finished"
        assert file.default == "maps/multiply_conductance"
        assert_array_equal(file.array("digits"), digits)
        assert file.map("multiply_conductance") == pytest.approx(programmed.achieved)
        assert file.summary["pulses"] == programmed.pulses.sum()


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_digits_are_programmed_to_any_lines_in_the_order_named(name, tmp_path):
    digits = np.array([[1, 2, 3], [4, 5, 6]])
    with open_bench(name, preset="quiet", seed=5) as bench:
        programmed = run(
            Program(digits=digits, rows="70,3", columns="2,100,1000"),
            bench,
            seed=1,
            output=tmp_path / "run.h5",
        )
        reads = run(Read(rows="70,3", columns="2,100,1000"), bench, output=tmp_path)
    assert programmed.failed == 0
    assert LEVELS.inside(programmed.achieved, digits).all()
    np.testing.assert_allclose(reads.conductance[0], programmed.achieved, rtol=0.1, atol=0.3e-6)
    with RunFile(programmed.path) as file:
        assert file.cells == "multiply[70, 3, 2, 100, 1000]"
        rows, columns = file.map_axes("multiply_conductance")
        image = file.map("multiply_conductance")
        found = image[np.ix_(np.searchsorted(rows, [70, 3]), np.searchsorted(columns, [2, 100, 1000]))]
        assert found == pytest.approx(programmed.achieved)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rows": "0:3"}, "rows '0:3' are 3, and the digits have 2"),
        ({"columns": "4", "column": 2}, "leave out column 2"),
        ({"rows": "4,5", "place": "auto"}, "the place is given"),
        ({"rows": "4,5000"}, "row 5000 is not among them"),
    ],
)
def test_lines_that_do_not_fit_the_digits_are_refused(given, said, tmp_path):
    with pytest.raises((InputError, ChipMapError), match=said):
        run(Program(digits=[[1], [2]], **given), seed=1, output=tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_read_is_a_row_and_every_repeat_an_image_in_the_order_of_the_array(tmp_path):
    reads = run(Read(rows="5, 1", columns="3:0:1, 2, 0", repeats=2), seed=3, output=tmp_path)
    with RunFile(reads.path) as file:
        table = file.table("reads")
        assert table["row"].tolist() == [5, 5, 1, 1] * 2
        assert table["column"].tolist() == [2, 0] * 4
        assert_array_equal(table["conductance"], reads.conductance.ravel())
        rows, columns = file.map_axes("multiply_conductance")
        assert (rows.tolist(), columns.tolist()) == ([1, 5], [0, 2])
        for repeat in range(2):
            image = file.map("multiply_conductance", repeat)
            assert_array_equal(image, reads.conductance[repeat, ::-1, ::-1])


@pytest.mark.thorough
def test_cells_are_read_at_the_voltage_wanted_if_the_limits_allow_it(tmp_path):
    with open_bench(preset="ideal", seed=2) as bench:
        run(Program(digits=[[5, 7]]), bench, output=tmp_path)
        low = run(Read(rows="0", columns="0:2", read_voltage=0.05), bench, output=tmp_path)
        high = run(Read(rows="0", columns="0:2", read_voltage=0.4), bench, output=tmp_path)
        np.testing.assert_allclose(low.conductance, high.conductance, rtol=0.05)
        with pytest.raises(LimitError, match="bit line"):
            run(Read(rows="0", columns="0:2", read_voltage=5.0), bench, output=tmp_path)


@pytest.mark.thorough
def test_reads_in_a_row_are_one_list_on_the_instrument_and_a_row_each(tmp_path):
    with open_bench(preset="quiet", seed=5) as bench:
        run(Program(digits=[[3, 7]]), bench, seed=1, output=tmp_path)
        device = bench.laboratory.devices[bench.file.instruments.smu.address]
        write, seen = device.write, []
        device.write = lambda data, *end: (seen.append(data), write(data, *end))[1]
        reads = run(Read(rows="0", columns="0:2", samples=300, repeats=2), bench, output=tmp_path)
        assert sum(b"INIT" in message for message in seen) == 4
        single = run(Read(rows="0", columns="0:2"), bench, output=tmp_path)
    with RunFile(reads.path) as file:
        table = file.table("reads")
        values = table["conductance"].reshape(2, 2, 300)
        assert table["sample"].tolist() == 4 * [*range(300)]
        np.testing.assert_allclose(reads.conductance[:, 0], values.mean(axis=-1))
        np.testing.assert_allclose(reads.deviation[:, 0], values.std(axis=-1, ddof=1))
        assert file.summary["reads"] == 1200
        assert file.summary["mean_deviation"] == pytest.approx(reads.deviation.mean())
    assert (np.abs(single.conductance - reads.conductance[1]) < 6 * reads.deviation[1]).all()
    assert np.isnan(single.deviation).all()


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (Read(rows="0:9999"), ChipMapError, "has 1024 rows, 0 to 1023; row 9998"),
        (Read(array="nowhere"), ChipMapError, "has no array 'nowhere'"),
        (Read(rows="a:b"), InputError, "rows 'a:b': 'a:b' is neither"),
        (Program(digits=[[9]]), ChipMapError, "digit 9 is outside 0..7"),
        (Program(digits=[[0.5]]), InputError, "entry [0, 0], counted from 0, is 0.5"),
        (Program(digits=[1, 2]), InputError, "shape (2,)"),
        (Program(digits="nowhere.csv"), InputError, "nowhere.csv does not exist"),
        (
            Program(digits=[[1]], array="invert_positive", column=4000),
            ChipMapError,
            "column 4000 is not among",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_file_exists(procedure, error, said, tmp_path):
    with pytest.raises(error) as caught:
        run(procedure, seed=1, output=tmp_path)
    assert said in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_bench_whose_limits_forbid_forming_programs_nothing(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(load_bench_file("simulated").text.replace("voltage = 4.6 ", "voltage = 3.3 "), "utf-8")
    with open_bench(str(path), seed=1) as bench:
        with pytest.raises(LimitError, match="bit line"):
            run(Program(digits=[[1]]), bench, output=tmp_path)
        assert bench.laboratory.monitor.pulses == 0


@given(st.lists(st.integers(0, 4095), min_size=1, max_size=20, unique=True))
def test_a_list_of_lines_is_read_as_written(lines):
    assert parse_lines(", ".join(map(str, lines)), "rows").tolist() == lines


@given(st.integers(0, 100), st.integers(1, 100), st.integers(1, 9))
def test_a_range_counts_as_python_does(first, count, step):
    text = f"{first}:{first + count}:{step}"
    assert parse_lines(text, "rows").tolist() == list(range(first, first + count, step))


@pytest.mark.parametrize("text", ["", "1,", "5:5", "0:4:0", "1, 0:3", "-1", "1.5", "9999999", "0:8 4"])
def test_no_line_or_a_line_twice_is_refused(text):
    with pytest.raises(InputError, match="rows"):
        parse_lines(text, "rows")
