"""Rows exchanged and negated: the largest diagonal of all orders, and the same system."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.inverse_encoding import choose_encoding
from mho.chip_maps.row_exchange import RowExchange
from mho.errors import ConvergenceError

LEVELS = load_chip_map("reference").level_scale()


@st.composite
def regular(draw: st.DrawFn) -> np.ndarray:
    """A matrix with zeros here and there that an order of its rows brings off the diagonal."""
    n = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    matrix = rng.standard_normal((n, n)) * (rng.random((n, n)) < draw(st.sampled_from([0.4, 1.0])))
    matrix[rng.permutation(n), np.arange(n)] += rng.choice([-1.0, 1.0], n) * 0.5
    return matrix


@given(regular())
def test_no_order_of_the_rows_has_a_larger_product_on_its_diagonal(matrix):
    n = len(matrix)
    exchange = RowExchange.to_diagonal(matrix)
    diagonal = np.diag(exchange.of(matrix))
    assert sorted(exchange.order) == list(range(n))
    assert (diagonal > 0.0).all()
    best = max(np.abs(np.prod(matrix[list(order), np.arange(n)])) for order in permutations(range(n)))
    assert np.prod(diagonal) == pytest.approx(best)


@given(regular())
def test_the_system_stays_the_same_to_the_last_bit(matrix):
    exchange = RowExchange.to_diagonal(matrix)
    rhs = np.arange(1.0, len(matrix) + 1.0)
    np.testing.assert_array_equal(exchange.undone(exchange.of(matrix)), matrix)
    np.testing.assert_array_equal(exchange.undone(exchange.of(rhs)), rhs)
    both = np.column_stack([matrix, rhs])
    np.testing.assert_array_equal(exchange.of(both), np.column_stack([exchange.of(matrix), exchange.of(rhs)]))
    assert exchange.changes == (not np.array_equal(exchange.of(both), both))


def test_rows_that_stand_well_are_left():
    assert not RowExchange.to_diagonal(np.array([[3.0, 1.0], [-2.0, 4.0]])).changes
    assert not RowExchange.none(3).changes


def test_most_random_matrices_get_a_loop_that_settles():
    rng = np.random.default_rng(0)
    stable = {False: 0, True: 0}
    for _ in range(40):
        matrix = rng.standard_normal((3, 3))
        for exchanged in stable:
            held = RowExchange.to_diagonal(matrix).of(matrix) if exchanged else matrix
            try:
                choose_encoding(held, LEVELS, rng, input_conductance=35e-6)
            except ConvergenceError:
                continue
            stable[exchanged] += 1
    assert stable[False] <= 20
    assert stable[True] >= 36
