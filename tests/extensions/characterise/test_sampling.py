"""Which cells stand for an array, and which lines take the place of those with broken cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.chip_maps.chip import ArrayMap
from mho.errors import InputError
from mho.extensions.characterise.carrying_out import without_broken
from mho.extensions.characterise.plan_files import digits_of, sample_cells, spread, stratified


def array(rows: int = 1024, columns: int = 1024, **bad: object) -> ArrayMap:
    return ArrayMap(
        name="multiply", purpose="multiply", rows=rows, columns=columns, wire_resistance=1.7, **bad
    )


def test_a_line_of_each_stretch_is_taken() -> None:
    lines = stratified(np.arange(1024), 8, np.random.default_rng(1))
    assert (lines // 128).tolist() == list(range(8))


def test_the_sample_is_drawn_by_its_seed() -> None:
    one, same, other = (sample_cells(array(), 64, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.rows.tolist() == same.rows.tolist()
    assert one.rows.tolist() != other.rows.tolist()


@given(count=st.integers(1, 200), rows=st.integers(1, 40), columns=st.integers(1, 40))
def test_the_sample_holds_as_many_cells_as_wanted_or_all(count: int, rows: int, columns: int) -> None:
    cells = sample_cells(array(rows, columns), count, np.random.default_rng(0))
    assert cells.count >= min(count, rows * columns)
    assert cells.count < count + max(cells.shape)
    for lines, size in ((cells.rows, rows), (cells.columns, columns)):
        assert (np.diff(lines) > 0).all()
        assert 0 <= lines.min() <= lines.max() < size


def test_lines_that_are_known_to_be_bad_are_left_out() -> None:
    cells = sample_cells(array(8, 8, bad_rows=(0, 1, 2, 3)), 64, np.random.default_rng(0))
    assert cells.rows.tolist() == [4, 5, 6, 7]
    with pytest.raises(InputError, match="says of all lines"):
        sample_cells(array(1, 8, bad_rows=(0,)), 4, np.random.default_rng(0))
    with pytest.raises(InputError, match="take at least 1"):
        sample_cells(array(), 0, np.random.default_rng(0))


def test_sub_samples_have_no_line_in_common() -> None:
    lines = np.arange(8)
    assert spread(lines, 4).tolist() == [0, 2, 4, 6]
    assert spread(lines, 4, 0.5).tolist() == [1, 3, 5, 7]
    assert spread(lines, 20).tolist() == lines.tolist()


def test_every_level_is_programmed_equally_often() -> None:
    cells = sample_cells(array(), 64, np.random.default_rng(0))
    assert np.bincount(digits_of(cells, 8, np.random.default_rng(0)).ravel()).tolist() == [8] * 8


def test_a_line_with_a_broken_cell_gives_way_to_a_sound_one_nearby() -> None:
    broken = np.zeros((8, 8), bool)
    broken[2, 4] = True
    rows, columns = without_broken(broken, [0, 2, 4, 6], [0, 2, 4, 6])
    assert (rows, columns) == ([0, 1, 4, 6], [0, 2, 4, 6])


def test_where_no_line_is_left_the_broken_one_is_dropped_alone() -> None:
    broken = np.zeros((4, 4), bool)
    broken[:, 3] = True
    assert without_broken(broken, [0, 1, 2, 3], [0, 1, 2, 3]) == ([0, 1, 2, 3], [0, 1, 2])


def test_nothing_is_left_of_a_sample_that_is_all_broken() -> None:
    assert without_broken(np.ones((3, 3), bool), [0, 1], [0, 1]) == ([], [])


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
def test_what_remains_is_sound_and_no_line_is_taken_twice(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    broken = rng.random((8, 6)) < share
    rows, columns = without_broken(broken, [0, 2, 4, 6], [0, 2, 4])
    assert not broken[np.ix_(rows, columns)].any()
    assert len(set(rows)) == len(rows) <= 4
    assert len(set(columns)) == len(columns) <= 3
    assert broken.any() or (rows, columns) == ([0, 2, 4, 6], [0, 2, 4])
