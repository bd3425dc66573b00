"""Blocks land on good cells, tiles share none, and what does not fit says what would."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mho.chip_maps.chip import ArrayMap
from mho.chip_maps.placement import place, place_tiles
from mho.errors import ChipMapError


def array(rows: int, columns: int, bad: list[tuple[int, int]] | None = None) -> ArrayMap:
    return ArrayMap(
        name="a",
        purpose="multiply",
        rows=rows,
        columns=columns,
        wire_resistance=1.0,
        bad_cells=tuple(bad or ()),
    )


def cells(placement) -> set[tuple[int, int]]:
    rows, columns = placement.cells()
    return set(zip(rows.ravel().tolist(), columns.ravel().tolist(), strict=True))


arrays_with_flaws = st.tuples(st.integers(4, 20), st.integers(4, 20)).flatmap(
    lambda size: st.lists(
        st.tuples(st.integers(0, size[0] - 1), st.integers(0, size[1] - 1)), max_size=4, unique=True
    ).map(lambda bad: array(*size, bad))
)


@given(arrays_with_flaws, st.integers(1, 20), st.integers(1, 20))
def test_a_block_avoids_bad_cells_or_does_not_fit(a, rows, columns):
    try:
        placed = place(a, rows, columns)
    except ChipMapError:
        # Giving up a line per bad cell, rows or columns alone, would have made room otherwise.
        flaws = len(a.bad_cells)
        assert rows + flaws > a.rows or columns > a.columns
        assert columns + flaws > a.columns or rows > a.rows
        return
    assert placed.shape == (rows, columns)
    assert not cells(placed) & set(a.bad_cells)
    assert len(cells(placed)) == rows * columns
    assert placed.rows.max() < a.rows
    assert placed.columns.max() < a.columns


@given(arrays_with_flaws, st.integers(1, 6), st.integers(1, 60), st.integers(1, 16))
def test_tiles_share_no_cell_and_hold_every_column(a, rows, columns, width):
    try:
        tiles = place_tiles(a, rows, columns, width)
    except ChipMapError:
        return
    assert sum(len(tile.columns) for tile in tiles) == columns
    assert all(len(tile.rows) == rows and len(tile.columns) <= width for tile in tiles)
    used = [cells(tile) for tile in tiles]
    assert len(set().union(*used)) == rows * columns
    assert not set().union(*used) & set(a.bad_cells)
    assert all(row < a.rows and column < a.columns for row, column in set().union(*used))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 90), st.integers(1, 16))
def test_tiles_fit_whenever_the_array_has_room_for_that_many(height, breadth, rows, columns, width):
    wide = min(width, breadth)
    room = (height // rows) * (breadth // wide)
    if room >= -(-columns // wide):
        assert place_tiles(array(height, breadth), rows, columns, width)


def test_without_bad_cells_a_block_lies_at_the_origin():
    placed = place(array(8, 8), 3, 2)
    assert_array_equal(placed.rows, [0, 1, 2])
    assert_array_equal(placed.columns, [0, 1])


def test_a_bad_column_is_given_up_where_there_are_columns_to_spare():
    placed = place(array(4, 8, [(0, 1), (2, 1)]), 4, 4)
    assert_array_equal(placed.rows, [0, 1, 2, 3])
    assert_array_equal(placed.columns, [0, 2, 3, 4])


def test_tiles_are_stacked_near_the_origin():
    tiles = place_tiles(array(1024, 1024), 16, 16 * 16, 16)
    assert max(tile.rows.max() + tile.columns.max() for tile in tiles) < 8 * 16


def test_a_block_that_does_not_fit_says_what_is_left():
    with pytest.raises(
        ChipMapError, match=r"block of 4 x 4 .* array 'a' of 4 x 4: 3 x 4|4 x 3 are left beside its 1"
    ):
        place(array(4, 4, [(1, 1)]), 4, 4)


def test_too_many_columns_say_how_many_would_fit():
    a = array(8, 40)
    with pytest.raises(ChipMapError, match="use fewer bits or a smaller matrix") as refused:
        place_tiles(a, 4, 500, 16)
    fits = int(re.search(r": (\d+) do", str(refused.value))[1])
    assert 0 < fits < 500
    place_tiles(a, 4, fits, 16)
    with pytest.raises(ChipMapError):
        place_tiles(a, 4, fits + 1, 16)


def test_too_many_rows_say_how_many_there_are():
    with pytest.raises(ChipMapError, match="array 'a' has 8 rows; 9 are needed"):
        place_tiles(array(8, 40), 9, 4, 16)
