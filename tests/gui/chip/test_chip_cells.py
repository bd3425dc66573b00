"""What the window knows of cells, against the table read whole; and the history of one cell."""

import numpy as np
import pulse_runs
import pytest
import run_samples
from hypothesis import given
from hypothesis import strategies as st
from pulse_runs import LINES, PulseRun

from mho import run
from mho.analysis.reports.cells import read_chip
from mho.gui.chip import cell_history
from mho.gui.chip import cell_updates as cell_feed
from mho.gui.chip.cell_grid import CellGrid, CellRows
from mho.gui.chip.cell_history import HistoryReader
from mho.gui.chip.cell_updates import CellFeed
from mho.procedures import Program
from mho.runs import RunFile

SHAPE = (3, 4)

events = st.lists(
    st.tuples(st.integers(0, 11), st.floats(1e-7, 4e-5), st.booleans()), min_size=1, max_size=60
)


def rows(given_events, first):
    cells, conductance, pulsed = (np.array(column) for column in zip(*given_events, strict=True))
    return CellRows(cells, first + np.arange(len(cells), dtype=float), conductance, pulsed)


def told(rows):
    """What the rows, taken one by one, leave of the cells."""
    conductance, touched, pulses = (np.full(12, np.nan) for _ in range(3))
    for cell, time, value, pulsed in zip(rows.cells, rows.time, rows.conductance, rows.pulsed, strict=True):
        conductance[cell], touched[cell] = value, time
        pulses[cell] = np.nan_to_num(pulses[cell]) + pulsed
    return conductance.reshape(SHAPE), touched.reshape(SHAPE), pulses.reshape(SHAPE)


def part(rows, start, stop):
    return CellRows(
        rows.cells[start:stop], rows.time[start:stop], rows.conductance[start:stop], rows.pulsed[start:stop]
    )


@given(events, st.data())
def test_an_image_and_rows_in_any_blocks_tell_the_same_as_all_rows(taken, data):
    whole = rows(taken, 1.0)
    opened = data.draw(st.integers(0, len(taken)))
    pictured = data.draw(st.integers(0, opened))
    block = data.draw(st.integers(1, 20))
    grid = CellGrid(SHAPE)
    if pictured:
        before = part(whole, 0, pictured)
        conductance, _, pulses = told(before)
        lines = np.arange(3), np.arange(4)
        grid.take_image("conductance", conductance, lines, before.time[-1])
        grid.take_image("pulses", pulses, lines, before.time[-1])
    stop, later = opened, opened
    while stop or later < len(taken):  # backwards and live, in turn
        if stop:
            start = max(0, stop - block)
            grid.apply_earlier(part(whole, start, stop))
            stop = start
        if later < len(taken):
            grid.apply(part(whole, later, later + block))
            later += block

    conductance, touched, pulses = told(whole)
    np.testing.assert_array_equal(grid.conductance, conductance)
    np.testing.assert_array_equal(grid.touched, touched)
    np.testing.assert_array_equal(grid.pulses, pulses)


def follow(feed):
    for _ in range(1000):
        changed = feed.look()
        if not changed and feed.complete:
            return feed.grids
        feed.look_back()
    raise AssertionError("the feed does not come to an end")


@pytest.mark.parametrize("maps", [True, False], ids=["with images", "rows only"])
@pytest.mark.parametrize("block", [7, 32_768])
def test_a_finished_run_is_known_whole(tmp_path, monkeypatch, maps, block):
    monkeypatch.setattr(cell_feed, "BLOCK", block)
    made = pulse_runs.programmed(tmp_path / "run.h5", maps=maps)
    with RunFile(tmp_path / "run.h5") as file:
        feed = CellFeed(file, read_chip(file))
        grid = follow(feed)["multiply"]
        place = np.ix_(*LINES)
        np.testing.assert_array_equal(grid.conductance[place], made.conductance)
        np.testing.assert_allclose(grid.touched[place], made.touched)
        np.testing.assert_array_equal(np.nan_to_num(grid.pulses[place]), made.pulses)
        assert np.isnan(np.delete(grid.conductance, LINES[0], axis=0)).all()
        assert np.isnan(feed.grids["invert"].conductance).all()
        assert feed.now == pytest.approx(made.time)


def test_what_is_read_backwards_ends_where_nothing_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(cell_feed, "BLOCK", 100)
    writer = PulseRun(tmp_path / "run.h5")
    for _ in range(4):
        writer.pulse(1000)
    writer.image()
    writer.finish()
    with RunFile(tmp_path / "run.h5") as file:
        feed = CellFeed(file, read_chip(file))
        looks = 0
        while not feed.complete:
            feed.look()
            feed.look_back()
            looks += 1
        assert looks < 10  # of 40 blocks
        np.testing.assert_array_equal(feed.grids["multiply"].pulses[np.ix_(*LINES)], writer.pulses)


def test_rows_of_unknown_arrays_and_cells_outside_harm_nothing(tmp_path):
    made = PulseRun(tmp_path / "run.h5")
    made.pulse()
    for array, row in ((9, 0), (1, 4000)):
        made.writer.emit(
            "pulses", time=9.0, array=array, row=row, column=0, kind=1, voltage=1.0, width=1e-7, gate=1.0,
            conductance=1.0,
        )  # fmt: skip
    made.finish()
    with RunFile(tmp_path / "run.h5") as file:
        grids = follow(CellFeed(file, read_chip(file)))
        assert np.nanmax(grids["multiply"].conductance) < 1e-4


def test_a_program_on_the_bench_is_known_as_its_own_images_say(tmp_path):
    digits = np.random.default_rng(2).integers(0, 8, (4, 5))
    path = run(Program(digits=digits, row=10, column=20), seed=4, output=tmp_path / "run.h5").path
    with RunFile(path) as file:
        grid = follow(CellFeed(file, read_chip(file)))["multiply"]
        block = slice(10, 14), slice(20, 25)
        for quantity in ("conductance", "target", "pulses"):
            np.testing.assert_array_equal(getattr(grid, quantity)[block], file.map(f"multiply_{quantity}"))
        assert np.isfinite(grid.touched[block]).all()


@pytest.mark.parametrize("make", [run_samples.whole_run, run_samples.other_run, run_samples.empty_run])
def test_other_runs_can_be_followed(tmp_path, make):
    with RunFile(make(tmp_path / "run.h5")) as file:
        follow(CellFeed(file, read_chip(file)))


@pytest.mark.parametrize("block", [13, 1000])
def test_the_history_of_a_cell_is_every_row_of_it(tmp_path, monkeypatch, block):
    monkeypatch.setattr(cell_history, "BLOCK", block)
    pulse_runs.programmed(tmp_path / "run.h5")
    cell = int(LINES[0][1]), int(LINES[1][2])
    with RunFile(tmp_path / "run.h5") as file:
        table = file.table("pulses")
        mine = (table["row"] == cell[0]) & (table["column"] == cell[1])
        assert mine.sum() > 5
        feed = CellFeed(file, read_chip(file))
        reader = HistoryReader(file, feed.tables[0], pulse_runs.ARRAY, cell)
        while not reader.complete:
            reader.look()
        for column in cell_history.COLUMNS:
            np.testing.assert_array_equal(getattr(reader.history, column), table[column][mine].astype(float))
        assert not reader.look()
        last = int(np.flatnonzero(table["kind"][mine] == 1)[-1])
        text = cell_history.describe(reader.history[last])
        assert "SET 3 V, 100 ns, gate 1.25 V → " in text
        assert text.endswith(f"{1e6 * table['conductance'][mine][last]:.4g} µS")


def test_a_cell_that_the_chip_programmed_by_itself_is_told_without_what_is_not_known():
    one = np.rec.array([(0.5, 8e-6, 3.0, np.nan, np.nan, np.nan)], dtype=cell_history.RECORD)[0]
    assert cell_history.describe(one) == "0.5 s: by the chip → 8 µS"
