"""The bench knows which cells have conducted, and lets none of them have more than a formed cell bears."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mho.cell_sets import PackedCells, formed_cells_in, formed_cells_text, most_bytes, united
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.defects import DefectList, chip_with_defects
from mho.errors import BenchError, ChipMapError, InputError, LimitError
from mho.instruments import ArrayBench, Bench, Cell, Pulse, open_bench
from mho.instruments.arrays import CellPositions
from mho.instruments.bench.cell_record import FormingRecord
from mho.instruments.bench_file import load_bench_file

CELL = Cell("multiply", 3, 5)
FORMING = Pulse("set", 4.4, 1e-6, 1.6)
RESET = Pulse("reset", 3.0, 100e-9, 2.8)
MASKS = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: arrays(bool, shape))


def formed(bench: Bench, cell: Cell = CELL) -> None:
    """Form a cell, virgin before."""
    for volts in (3.3, 3.5, 3.7, 3.9):
        if bench.read(cell) < 1e-6:
            bench.pulse(cell, Pulse("set", volts, 1e-6, 1.6))
    assert bench.read(cell) > 1e-6


@pytest.fixture(params=["simulated", "arrays"])
def bench(request):
    with open_bench(request.param, seed=4) as opened:
        yield opened


def test_a_cell_that_once_read_as_formed_is_formed_whatever_it_reads_later(bench):
    assert not bench.forming.is_formed(CELL)
    bench.read(CELL)
    assert not bench.forming.is_formed(CELL)
    formed(bench)
    for _ in range(3):
        bench.pulse(CELL, RESET)
        bench.read(CELL)
        assert bench.forming.is_formed(CELL)
    bench.forming.formed_above = 1.0  # nothing reads as formed any more
    bench.read(CELL)
    assert bench.forming.is_formed(CELL)
    assert np.argwhere(bench.forming.mask("multiply")).tolist() == [[3, 5]]


def test_a_formed_cell_gets_no_pulse_beyond_what_it_bears(bench):
    formed(bench)
    before = bench.read(CELL)
    for refused in (FORMING, Pulse("set", 4.01, 1e-7, 1.0)):
        with pytest.raises(
            LimitError, match=r"multiply\[3, 5\].*4 V that a formed cell bears.*it has conducted"
        ):
            bench.pulse(CELL, refused)
    assert bench.read(CELL) == pytest.approx(before, rel=0.05)


def test_a_pulse_beyond_that_is_for_a_cell_that_was_read_as_unformed_since_its_last_one(bench):
    with pytest.raises(LimitError, match="not read as unformed since its last pulse"):
        bench.pulse(CELL, FORMING)
    bench.read(CELL)
    with pytest.raises(LimitError, match="may be formed on the way"):
        bench.pulse(CELL, FORMING, 2)
    bench.pulse(CELL, FORMING)
    with pytest.raises(LimitError, match="not read as unformed since its last pulse"):
        bench.pulse(CELL, FORMING)
    assert bench.read(CELL) > 1e-6


def test_levels_and_waveforms_beyond_that_are_refused_before_anything_is_sent(bench):
    bench.read(CELL)
    with pytest.raises(LimitError, match="a formed cell bears"):
        bench.sweep(CELL, [1.0, 4.2])
    with pytest.raises(LimitError, match="a formed cell bears"):
        bench.read(CELL, 4.2)
    with pytest.raises(LimitError, match="a formed cell bears"):
        bench.measure(CELL, -4.2)
    with pytest.raises(LimitError, match="a formed cell bears"):
        bench.check_sweep([4.2], 2.5)
    with pytest.raises(LimitError, match="a formed cell bears"):
        bench.check_pulse(FORMING)
    bench.check_pulse(FORMING, forming=True)
    assert not bench.forming.is_formed(CELL)


def test_a_leak_or_a_closed_word_line_says_nothing_of_forming(bench):
    formed(bench)
    bench.pulse(CELL, RESET)
    bench.measure(CELL, gate=0.0)
    assert bench.forming.is_formed(CELL)
    other = Cell("multiply", 0, 0)
    bench.measure(other, gate=0.0)
    with pytest.raises(LimitError, match="not read as unformed"):
        bench.pulse(other, FORMING)


def test_many_cells_are_held_to_the_same_as_one():
    with open_bench("arrays", seed=4) as bench:
        assert isinstance(bench, ArrayBench)
        rows, columns = np.arange(10), np.zeros(10, np.int64)
        which, ones = np.arange(10), np.ones(10)
        beyond = which >= 0, 4.4 * ones, 1e-6 * ones, 1.6 * ones
        with bench.visit([CellPositions("multiply", rows, columns)]) as visit:
            with pytest.raises(LimitError, match=r"10 cells: bit line: 4\.4 V"):
                visit.pulse(which, *beyond)
            visit.measure(which, gate=0.0)  # the word line is closed: it says nothing
            with pytest.raises(LimitError, match="not read as unformed since its last pulse"):
                visit.pulse(which, *beyond)
            visit.read(which)
            visit.pulse(which, *beyond)
            with pytest.raises(LimitError, match="not read as unformed since its last pulse"):
                visit.pulse(which, *beyond)
            read = visit.read(which)[0]
            assert (read > 1e-6).all()
            assert visit.formed.all()
            with pytest.raises(LimitError, match="it has conducted"):
                visit.pulse(which[:1], *(one[:1] for one in beyond))
            bench.forming.formed_above = 1.0  # nothing reads as formed any more
            visit.read(which)
            assert visit.formed.all()
            bench.forming.saw("multiply", rows, columns, np.zeros(10), 1.0)
        assert bench.forming.mask("multiply")[rows, columns].all()
        assert bench.forming.mask("multiply").sum() == 10


def test_insisting_beside_the_limit_is_the_user_s_consent(tmp_path):
    text = load_bench_file("arrays").text.replace("voltage = 4.6 ", "insist = true\nvoltage = 4.6 ")
    (tmp_path / "own.toml").write_text(text, "utf-8")
    with open_bench(str(tmp_path / "own.toml"), seed=4) as bench:
        bench.check_pulse(FORMING)
        bench.pulse(CELL, FORMING)


# --- as text ---


def record(list_text: str = "") -> FormingRecord:
    return FormingRecord(load_bench_file("simulated").chip_text, list_text)


@given(MASKS)
def test_a_mask_comes_back_from_its_text(mask):
    text = formed_cells_text([PackedCells.of("multiply", mask)])
    assert len(text) <= most_bytes({"multiply": mask.shape})
    (read,) = formed_cells_in(text, "a text", InputError)
    np.testing.assert_array_equal(read.mask, mask)


def test_a_megabit_takes_200_kb_at_most():
    mask = np.random.default_rng(1).random((1024, 1024)) < 0.5
    assert len(formed_cells_text([PackedCells.of("multiply", mask)])) < 200_000
    few = np.zeros((1024, 1024), bool)
    few[:16, :16] = True
    assert len(formed_cells_text([PackedCells.of("multiply", few)])) < 500


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("cells = 2", "cells = 3"), "hold 2 cells"),
        (("rows = 4", "rows = 400"), "not the packed mask"),
        (('bits = "', 'bits = "!'), "not the packed mask"),
    ],
)
def test_a_mask_that_was_spoilt_is_refused(change, match):
    mask = np.zeros((4, 4), bool)
    mask[1, :2] = True
    text = formed_cells_text([PackedCells.of("multiply", mask)])
    with pytest.raises(InputError, match=match):
        formed_cells_in(text.replace(*change), "a text", InputError)


def test_sets_are_united_by_array_and_sizes_must_agree():
    one, other = np.eye(3, dtype=bool), np.zeros((3, 3), bool)
    other[0, 2] = True
    (whole,) = united([PackedCells.of("multiply", one)], [PackedCells.of("multiply", other)])
    np.testing.assert_array_equal(whole.mask, one | other)
    with pytest.raises(ValueError, match="3 x 3 cells in one set and 2 x 2"):
        united([PackedCells.of("multiply", one)], [PackedCells.of("multiply", np.ones((2, 2), bool))])


def test_what_a_list_says_is_known_from_the_start_and_another_chip_s_is_refused():
    mask = np.zeros((1024, 1024), bool)
    mask[7, 9] = True
    listed = DefectList(chip="reference").with_formed([PackedCells.of("multiply", mask)])
    known = record(listed.text())
    assert known.is_formed(Cell("multiply", 7, 9))
    assert known.mask("multiply").sum() == 1
    assert formed_cells_in(known.text(), "a text", InputError) == listed.formed
    small = [PackedCells.of("multiply", np.ones((2, 2), bool))]
    with pytest.raises(BenchError, match="of another chip"):
        known.add(small)
    assert record(DefectList(chip="reference").with_formed(small).text()).mask("multiply").sum() == 0
    assert record("no TOML [").mask("multiply").sum() == 0


def test_a_simulated_chip_is_virgin_whatever_a_list_says_and_a_list_that_does_not_fit_is_refused():
    mask = np.zeros((1024, 1024), bool)
    mask[3, 5] = True
    listed = DefectList(chip="reference").with_formed([PackedCells.of("multiply", mask)]).text()
    source = load_bench_file("arrays")
    with ArrayBench(source.model_copy(update={"defects_text": listed})) as bench:
        assert not bench.forming.is_formed(CELL)
    wrong = DefectList(chip="reference").with_formed([PackedCells.of("none", mask)]).text()
    with pytest.raises(ChipMapError, match="formed cells of an array 'none'"):
        chip_with_defects(load_chip_map("reference"), wrong)
