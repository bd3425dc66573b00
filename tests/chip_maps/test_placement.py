"""Blocks land on good cells, tiles share none, and what does not fit says what would."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mho.chip_maps.chip import ArrayMap
from mho.chip_maps.placement import free_places, place, place_tiles, shared
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


def spared(rows: int = 10, columns: int = 10, **changed: object) -> ArrayMap:
    facts = {"name": "a", "purpose": "multiply", "rows": rows, "columns": columns, "wire_resistance": 1.0}
    return ArrayMap(**(facts | {"spare_rows": 2, "spare_columns": 1} | changed))


def test_without_a_defect_spare_lines_are_not_used():
    placed = place(spared(), 8, 9)
    assert_array_equal(placed.rows, range(8))
    assert_array_equal(placed.columns, range(9))
    with pytest.raises(
        ChipMapError,
        match=r"8 x 9 are left .*its 2 spare rows and 1 spare columns only stand in for defective",
    ):
        place(spared(), 9, 9)
    with pytest.raises(ChipMapError, match="has 10 rows, 2 of them spare ones; 9 are needed"):
        place_tiles(spared(), 9, 4, 4)


def test_spare_lines_stand_in_for_lines_with_a_defect():
    placed = place(spared(bad_rows=(3,), bad_cells=((1, 1), (6, 1))), 8, 9)
    assert_array_equal(placed.rows, [0, 1, 2, 4, 5, 6, 7, 8])
    assert_array_equal(placed.columns, [0, 2, 3, 4, 5, 6, 7, 8, 9])


def test_spares_that_are_used_up_are_said_with_the_lines_they_stand_in_for():
    with pytest.raises(ChipMapError) as refused:
        place(spared(bad_rows=(3, 5, 6)), 8, 9)
    assert str(refused.value) == (
        "a block of 8 x 9 cells does not fit array 'a' of 10 x 10: 7 x 9 are left beside its 0 known bad cells and 3 bad "
        "lines (rows 3, 5, 6 given up); the 2 spare rows are used up"
    )


@given(arrays_with_flaws, st.integers(0, 2), st.integers(0, 2), st.integers(1, 20), st.integers(1, 20))
def test_spare_lines_never_make_more_room_than_there_is_without_a_defect(
    a, spare_rows, spare_columns, rows, columns
):
    a = a.model_copy(update={"spare_rows": spare_rows, "spare_columns": spare_columns})
    try:
        placed = place(a, rows, columns)
    except ChipMapError:
        return
    assert rows <= a.rows - spare_rows
    assert columns <= a.columns - spare_columns
    assert not cells(placed) & set(a.bad_cells)


def test_a_block_lies_within_one_segment():
    segmented = spared(32, 32, segment=8, spare_rows=0, spare_columns=0, bad_cells=((0, 0), (9, 3)))
    placed = place(segmented, 8, 8)
    assert_array_equal(placed.rows, range(8))
    assert_array_equal(placed.columns, range(8, 16))


def test_free_places_share_no_cell_and_go_around_bad_ones_with_spare_lines():
    segmented = spared(16, 16, segment=8, spare_rows=1, spare_columns=1, bad_cells=((2, 2), (2, 3), (9, 15)))
    found = list(free_places(segmented, 7, 7))
    assert len(found) == 4
    assert_array_equal(found[0][0], [0, 1, 3, 4, 5, 6, 7])
    assert_array_equal(found[0][1], range(7))
    used = [{(r, c) for r in rows.tolist() for c in columns.tolist()} for rows, columns in found]
    assert len(set().union(*used)) == 4 * 49
    assert not set().union(*used) & set(segmented.bad_cells)
    without = segmented.model_copy(update={"spare_rows": 0, "spare_columns": 0})
    assert len(list(free_places(without, 8, 8))) == 2
    assert list(free_places(segmented, 8, 8)) == []


def test_the_defects_of_arrays_that_share_lines_count_together():
    one, other = spared(bad_cells=((1, 1),)), spared(bad_rows=(2,), bad_cells=((1, 1), (0, 5)))
    joined = shared([one, other])
    assert set(joined.bad_cells) == {(1, 1), (0, 5)}
    assert joined.bad_rows == (2,)
    assert joined.defects == 3


def test_spare_lines_leave_some_to_use():
    with pytest.raises(ValueError, match="leave no line to use of a stretch of 8 x 8"):
        spared(16, 16, segment=8, spare_rows=8)
