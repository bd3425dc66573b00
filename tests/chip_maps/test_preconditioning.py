"""The form in which the chip holds a matrix: the same system to the last bit, large diagonals, entries of like size."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.inverse_encoding import choose_encoding
from mho.chip_maps.preconditioning import Preconditioning
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


@st.composite
def badly_scaled(draw: st.DrawFn) -> np.ndarray:
    matrix = draw(regular())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.sampled_from([1.0, 6.0, 60.0]))
    rows, columns = np.exp(size * rng.standard_normal((2, len(matrix))))
    return rows[:, None] * matrix * columns


@given(regular())
def test_no_order_of_the_rows_has_a_larger_product_on_its_diagonal(matrix):
    n = len(matrix)
    form = Preconditioning.exchanging(matrix)
    diagonal = np.diag(form.matrix(matrix))
    assert sorted(form.order) == list(range(n))
    assert (diagonal > 0.0).all()
    assert not form.scales
    best = max(np.abs(np.prod(matrix[list(order), np.arange(n)])) for order in permutations(range(n)))
    assert np.prod(diagonal) == pytest.approx(best)


@given(badly_scaled(), st.sampled_from(["none", "exchanging", "equilibrating"]))
def test_the_system_stays_the_same_to_the_last_bit(matrix, kind):
    n = len(matrix)
    form = Preconditioning.none(n) if kind == "none" else getattr(Preconditioning, kind)(matrix)
    rhs = np.arange(1.0, n + 1.0)
    held = form.matrix(matrix)
    np.testing.assert_array_equal(form.given_matrix(held), matrix)
    np.testing.assert_array_equal(form.given_equations(form.equations(rhs)), rhs)
    factors = np.concatenate([np.abs(form.row_factors), form.column_factors])
    np.testing.assert_array_equal(factors, np.exp2(np.rint(np.log2(factors))))  # powers of two
    # S y = P R b is A x = b with x = C y: each product by powers of two is exact.
    for column, one in enumerate(np.eye(n)):
        given_product = matrix @ form.solution(one)
        np.testing.assert_array_equal(form.equations(given_product), held[:, column])


@given(badly_scaled())
def test_equilibrated_rows_and_columns_are_of_like_size_and_the_diagonal_is_positive(matrix):
    form = Preconditioning.equilibrating(matrix)
    held = form.matrix(matrix)
    for axis in (0, 1):
        peaks = np.abs(held).max(axis=axis)
        assert ((peaks >= 0.5) & (peaks <= 2.0)).all()
    assert (np.diag(held) > 0.0).all()


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_a_symmetric_matrix_with_a_dominant_diagonal_stays_symmetric(seed, n):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n)) + 3.0 * np.eye(n)
    scale = np.exp(4.0 * rng.standard_normal(n))
    matrix = scale[:, None] * (root @ root.T) * scale
    held = Preconditioning.equilibrating(matrix).matrix(matrix)
    np.testing.assert_allclose(held, held.T, rtol=1e-14)


def test_rows_that_stand_well_are_left():
    well = np.array([[3.0, 1.0], [-2.0, 4.0]])
    assert not Preconditioning.exchanging(well).exchanges
    assert not Preconditioning.none(3).exchanges
    assert not Preconditioning.none(3).scales
    tied = np.array([[1.0, 2.0], [2.0, 4.1]])  # both orders have nearly the same product
    assert not Preconditioning.exchanging(tied).exchanges


@pytest.mark.thorough
def test_most_random_matrices_get_a_loop_that_settles_and_all_of_them_with_a_shift():
    rng = np.random.default_rng(0)
    stable = {"as given": 0, "exchanged": 0, "shifted": 0}
    for _ in range(40):
        matrix = rng.standard_normal((3, 3))
        held = Preconditioning.exchanging(matrix).matrix(matrix)
        shift = 2.0 * float(np.abs(np.linalg.eigvals(held)).max())
        for name, of, by in (("as given", matrix, 0.0), ("exchanged", held, 0.0), ("shifted", held, shift)):
            try:
                best, _ = choose_encoding(of, LEVELS, rng, input_conductance=35e-6, shift=by)
            except ConvergenceError:
                continue
            assert best.shift == by
            stable[name] += 1
    assert stable["as given"] <= 20
    assert stable["exchanged"] >= 36
    assert stable["shifted"] == 40
