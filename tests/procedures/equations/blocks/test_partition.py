"""Parts of a graph: each unknown in one, of nearly equal size, and compact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mho.procedures.equations.blocks.schwarz import graph_parts, grown, pattern_of


def grid(side: int) -> sparse.csr_array:
    line = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(side, side))
    return sparse.csr_array(
        sparse.kron(line, sparse.eye_array(side)) + sparse.kron(sparse.eye_array(side), line)
    )


@pytest.mark.thorough
@given(st.integers(1, 60), st.floats(0.0, 0.3), st.integers(1, 60), st.integers(0, 100))
@settings(max_examples=60)
def test_each_unknown_is_in_one_part_and_parts_are_of_nearly_equal_size(n, density, count, seed):
    count = min(count, n)
    pattern = pattern_of(
        sparse.random_array((n, n), density=density, rng=np.random.default_rng(seed)).tocsr()
    )
    parts = graph_parts(pattern, count)
    assert len(parts) == count
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all((np.diff(part) > 0).all() for part in parts)


def test_parts_of_a_shuffled_grid_have_short_borders():
    order = np.random.default_rng(0).permutation(256)
    pattern = pattern_of(grid(16)[order][:, order])

    def border(parts: list[np.ndarray]) -> int:
        return sum(len(grown(pattern, part, 1)) - len(part) for part in parts)

    assert border(graph_parts(pattern, 16)) < 0.4 * border(np.array_split(np.arange(256), 16))


@pytest.mark.parametrize(("layers", "expected"), [(0, [12]), (1, [7, 11, 12, 13, 17]), (9, list(range(25)))])
def test_a_part_grows_by_layers_of_neighbours(layers, expected):
    assert grown(pattern_of(grid(5)), np.array([12]), layers).tolist() == expected


def test_the_pattern_is_symmetric_and_without_stored_zeros():
    entries = np.array([1.0, 1.0, 1.0, -3.0, 0.0])
    matrix = sparse.csr_array((entries, ([0, 1, 2, 0, 0], [0, 1, 2, 1, 2])))
    assert matrix.nnz == 5
    expected = [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    pattern = pattern_of(matrix)
    np.testing.assert_array_equal(pattern.toarray(), expected)
    assert pattern.nnz == 5
