"""Grids in tables: found where each point is there once, in any order of rows, and nowhere else."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.analysis.datasets.grids import GridCandidate, TableGrid, find_grid, grid_with_gaps, rows_of


def candidates(columns: dict[str, np.ndarray], declared: tuple[str, ...] = ()) -> list[GridCandidate]:
    return [
        GridCandidate(
            name, values.dtype, lambda start, stop, values=values: values[start:stop], name in declared
        )
        for name, values in columns.items()
    ]


def looped(**axes: list[float]) -> dict[str, np.ndarray]:
    """Return the columns of loops within each other, the first one outermost."""
    points = np.array(list(itertools.product(*axes.values())))
    return {name: points[:, place].astype(np.asarray(axes[name]).dtype) for place, name in enumerate(axes)}


def found(columns: dict[str, np.ndarray], declared: tuple[str, ...] = ()) -> TableGrid | None:
    return find_grid(candidates(columns, declared), len(next(iter(columns.values()))))


def is_whole(grid: TableGrid, columns: dict[str, np.ndarray]) -> None:
    """Check that each point's row has the point's coordinates, and each row is a point's."""
    rows = rows_of(grid.shape, grid.order, (slice(None),) * len(grid.shape))
    assert sorted(rows.ravel()) == list(range(len(next(iter(columns.values())))))
    for axis, (name, values) in enumerate(grid.coordinates.items()):
        shape = [1] * rows.ndim
        shape[axis] = -1
        np.testing.assert_array_equal(columns[name][rows], np.broadcast_to(values.reshape(shape), rows.shape))


def test_loops_are_dimensions_the_outermost_first():
    columns = looped(cycle=[1, 2, 5], row=[3, 4], column=[0, 7, 9, 2])
    columns["conductance"] = np.random.default_rng(1).normal(size=24)
    grid = found(columns)
    assert {name: list(values) for name, values in grid.coordinates.items()} == {
        "cycle": [1, 2, 5], "row": [3, 4], "column": [0, 7, 9, 2]
    }  # fmt: skip
    assert grid.order is None
    is_whole(grid, columns)


def test_columns_that_say_the_same_are_taken_once_and_broken_numbers_may_be_keys():
    columns = looped(matrix=[0, 1], scale=[0.1, 0.3, 0.2], row=[0, 1])
    columns = {"matrix": columns["matrix"], "condition": columns["matrix"] * 1.5 + 2, **columns}
    assert tuple(found(columns).coordinates) == ("matrix", "scale", "row")


@given(
    counts=st.lists(st.integers(2, 4), min_size=2, max_size=4),
    seed=st.integers(0, 99),
    shuffled=st.booleans(),
)
def test_every_grid_is_found_whole(counts, seed, shuffled):
    rng = np.random.default_rng(seed)
    axes = {f"key_{place}": list(rng.permutation(50)[:count]) for place, count in enumerate(counts)}
    columns = looped(**axes)
    order = rng.permutation(len(columns["key_0"])) if shuffled else np.arange(len(columns["key_0"]))
    columns = {name: values[order] for name, values in columns.items()}
    grid = found(columns)
    is_whole(grid, columns)
    if not shuffled:
        assert grid.shape == tuple(counts)


def test_a_point_that_is_missing_or_there_twice_makes_no_grid():
    columns = looped(row=[0, 1, 2], column=[0, 1, 2])
    assert found({name: values[:-1] for name, values in columns.items()}) is None
    twice = {name: np.append(values[:-1], values[0]) for name, values in columns.items()}
    assert found(twice) is None


def test_what_is_declared_and_rises_is_the_one_dimension():
    columns = {"time": np.arange(6.0), "count": np.array([1, 1, 2, 2, 3, 3]), "half": np.array([0, 1] * 3)}
    assert tuple(found(columns, ("time",)).coordinates) == ("count", "half")
    columns["cycle"] = np.arange(6)
    assert tuple(found(columns, ("cycle",)).coordinates) == ("cycle",)
    assert tuple(found({"time": np.arange(6.0), "x": np.ones(6)}, ("time",)).coordinates) == ("time",)
    assert found({"x": np.arange(6.0)}) is None


@pytest.mark.parametrize(
    "values", [[], [1.0], [1.0, 1.0], [np.nan, 1.0, np.nan, 1.0], [1.0, 2.0, 1.0, np.nan]]
)
def test_few_equal_or_missing_numbers_make_no_grid(values):
    assert found({"x": np.array(values)}, ("x",)) is None


def test_keys_are_found_block_by_block(monkeypatch):
    monkeypatch.setattr("mho.analysis.datasets.grids.BLOCK_ROWS", 7)
    columns = looped(cycle=list(range(11)), row=list(range(3)), column=list(range(5)))
    assert found(columns).shape == (11, 3, 5)
    monkeypatch.setattr("mho.analysis.datasets.grids.MOST_VALUES", 10)
    monkeypatch.setattr("mho.analysis.datasets.grids.MOST_SORTED_ROWS", 10)
    assert found(columns) is None


@given(data=st.data())
def test_rows_of_points_are_those_of_the_whole_grid(data):
    shape = (3, 4, 2)
    order = data.draw(st.none() | st.permutations(range(24)))
    order = None if order is None else np.array(order).reshape(shape)
    key = tuple(
        data.draw(
            st.integers(0, length - 1) | st.builds(slice, st.integers(0, length), st.integers(0, length))
        )
        for length in shape
    )
    whole = np.arange(24).reshape(shape) if order is None else order
    np.testing.assert_array_equal(rows_of(shape, order, key), whole[key])


@pytest.mark.thorough
def test_a_long_table_is_looked_at_in_little_memory():
    rows = 3_000_000
    read = {
        "cycle": lambda start, stop: (np.arange(start, stop) // 30).astype("u4"),
        "row": lambda start, stop: (np.arange(start, stop) // 5 % 6).astype("u2"),
        "column": lambda start, stop: (np.arange(start, stop) % 5).astype("u2"),
    }
    tracemalloc.start()
    grid = find_grid([GridCandidate(name, one(0, 1).dtype, one) for name, one in read.items()], rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grid.shape == (100_000, 6, 5)
    assert peak < 6e6  # half of one column


@given(st.data())
def test_rows_that_fill_half_of_a_grid_are_one_with_gaps(data):
    columns = looped(gate=[0.1, 0.2, 0.3], cell=[0, 1, 2, 5])
    left = sorted(data.draw(st.sets(st.integers(0, 11), min_size=8, max_size=12)))
    some = {name: values[left] for name, values in columns.items()}
    grid = grid_with_gaps(candidates(some), len(left))
    assert grid is not None
    assert set(grid.coordinates) == {"gate", "cell"}
    filled = grid.order >= 0
    assert sorted(grid.order[filled]) == list(range(len(left)))
    for axis, (name, values) in enumerate(grid.coordinates.items()):
        at = np.nonzero(filled)[axis]
        np.testing.assert_array_equal(values[at], some[name][grid.order[filled]])


def test_a_point_that_is_there_twice_makes_no_grid_with_gaps():
    columns = looped(gate=[0.1, 0.2, 0.3], cell=[0, 1, 2, 5])
    twice = {name: np.append(values, values[:1]) for name, values in columns.items()}
    assert grid_with_gaps(candidates(twice), 13) is None
    assert grid_with_gaps(candidates(twice), 13, ("gate", "cell")) is None


def test_a_sparse_table_is_no_grid_unless_its_columns_are_known():
    columns = {"row": np.arange(6) // 2, "column": np.array([0, 1, 2, 3, 4, 5])}
    assert grid_with_gaps(candidates(columns), 6) is None
    grid = grid_with_gaps(candidates(columns), 6, ("column", "row"))
    assert list(grid.coordinates) == ["column", "row"]
    assert grid.shape == (6, 3)
