"""Which cells are selected, and how a form names them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.gui.chip.selection import Selection, lines_text, load_mask
from mho.procedures.cell_range import parse_lines

lines = st.sets(st.integers(0, 4095), min_size=1, max_size=40).map(sorted)
cell = st.tuples(st.integers(-3, 12), st.integers(-3, 15))


@given(lines)
def test_a_form_reads_the_lines_that_are_named(numbers):
    text = lines_text(np.array(numbers))
    np.testing.assert_array_equal(parse_lines(text, "rows"), numbers)


def test_lines_are_named_briefly():
    assert lines_text(np.arange(8)) == "0:8"
    assert lines_text(np.array([3])) == "3"
    assert lines_text(np.array([0, 1, 2, 12, 20, 22, 24, 26])) == "0:3, 12, 20:27:2"
    assert lines_text(np.array([5, 9])) == "5, 9"


@given(cell, cell)
def test_a_rectangle_takes_its_corners_and_ends_with_the_array(first, last):
    mask = Selection.nothing((10, 13)).rectangle(first, last)
    for row in range(10):
        for column in range(13):
            inside = min(first[0], last[0]) <= row <= max(first[0], last[0]) and min(
                first[1], last[1]
            ) <= column <= max(first[1], last[1])
            assert mask[row, column] == inside


def test_cells_are_added_and_taken_away():
    nothing = Selection.nothing((6, 6))
    assert "no cell selected" in nothing.describe()
    block = nothing.with_cells(nothing.rectangle((0, 0), (1, 2)))
    assert block.describe() == "6 cells selected: rows 0:2, columns 0:3"
    ragged = block.with_cells(block.rectangle((4, 5), (4, 5))).without(block.rectangle((0, 0), (0, 0)))
    assert ragged.count == 6
    assert ragged.describe() == "6 cells selected; a form takes 12: rows 0:2, 4, columns 0:3, 5"


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=6))
def test_the_blocks_of_a_selection_hold_its_cells_and_no_others(rows):
    mask = np.array(rows)
    found = np.zeros(mask.shape, int)
    for lines, columns in Selection(mask).blocks():
        found[np.ix_(parse_lines(lines, "rows"), parse_lines(columns, "columns"))] += 1
    np.testing.assert_array_equal(found, mask.astype(int))


def test_a_mask_is_read_from_a_file(tmp_path):
    mask = np.zeros((4, 5), dtype=int)
    mask[1, 2] = mask[3, 4] = 1
    np.savetxt(tmp_path / "mask.csv", mask, delimiter=",", fmt="%d")
    np.testing.assert_array_equal(load_mask(str(tmp_path / "mask.csv"), (4, 5)), mask == 1)


def test_a_mask_of_another_shape_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((3, 3)))
    with pytest.raises(InputError, match="3 x 3 cells, the array 4 x 5"):
        load_mask(str(tmp_path / "mask.npy"), (4, 5))
    with pytest.raises(InputError, match=r"missing\.npy"):
        load_mask(str(tmp_path / "missing.npy"), (4, 5))
