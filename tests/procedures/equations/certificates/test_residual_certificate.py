"""A certificate without a factorisation claims an error bound only where comparisons of entries prove it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.procedures.equations.certificates.certificate import (
    BY_DOMINANCE,
    BY_NOTHING,
    BY_SOLUTION,
    ResidualCertifier,
    dominance_norms,
)

Floats = np.ndarray


def chain(n: int) -> Floats:
    """Return the Laplacian of a chain, an M-matrix that is not strictly diagonally dominant."""
    return 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


def inverse_norms(matrix: Floats) -> tuple[float, float]:
    inverse = np.linalg.inv(matrix)
    return float(np.linalg.norm(inverse, 2)), float(np.linalg.norm(inverse, np.inf))


@given(st.integers(0, 10_000), st.integers(1, 8), st.floats(0.0, 12.0), st.floats(-4.0, 4.0))
@settings(max_examples=examples(200), deadline=None)
def test_no_bound_by_dominance_is_below_the_norm(seed, n, diagonal, decades):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, n)) + np.diag(rng.choice([-1.0, 1.0], n) * diagonal)
    matrix *= 10.0 ** rng.uniform(-abs(decades), abs(decades), n)[:, None]
    norms = inverse_norms(matrix)
    assert norms[0] <= ResidualCertifier(matrix).inverse_norm * (1.0 + 1e-9)
    for weights in (np.ones(n), rng.uniform(0.1, 1.0, n), np.abs(np.linalg.solve(matrix, np.ones(n)))):
        assert all(
            norm <= bound * (1.0 + 1e-9)
            for norm, bound in zip(norms, dominance_norms(matrix, weights), strict=True)
        )


def test_strict_dominance_of_rows_and_columns_gives_the_bound_of_varah():
    matrix = np.array([[4.0, -1.0, 1.0], [1.0, 5.0, 2.0], [0.0, -1.0, 4.0]])
    assert dominance_norms(matrix, np.ones(3))[1] == pytest.approx(1.0 / 2.0)
    assert dominance_norms(matrix.T, np.ones(3))[1] == pytest.approx(1.0 / 1.0)
    certifier = ResidualCertifier(matrix)
    assert certifier.by == BY_DOMINANCE
    assert inverse_norms(matrix)[0] <= certifier.inverse_norm <= 0.5**0.5 * (1.0 + 1e-12)


def test_weights_are_found_where_the_diagonal_alone_does_not_dominate():
    matrix = chain(6)
    assert dominance_norms(matrix, np.ones(6)) == (math.inf, math.inf)
    assert (
        inverse_norms(matrix)[0] <= ResidualCertifier(matrix).inverse_norm < 10.0 * inverse_norms(matrix)[0]
    )


def test_a_positive_solution_of_an_m_matrix_proves_the_bound_that_sweeps_do_not():
    matrix = chain(64)
    certifier = ResidualCertifier(matrix)
    assert (certifier.by, certifier.inverse_norm) == (BY_NOTHING, math.inf)
    solution = np.linalg.solve(matrix, np.ones(64))
    found = certifier.certify(solution, 1e-9, 8.0, 1e-9)
    assert found.by == BY_SOLUTION
    assert inverse_norms(matrix)[0] <= found.inverse_norm < 1.5 * inverse_norms(matrix)[0]
    assert found.bits > 20.0
    assert certifier.inverse_norm == math.inf, "one solution's proof is no other's"


@pytest.mark.parametrize(
    "matrix",
    [np.ones((3, 3)), np.zeros((2, 2)), np.array([[0.0, 1.0], [1.0, 0.0]]), chain(4) - 2.0 * np.eye(4)],
)
def test_nothing_is_claimed_where_nothing_dominates(matrix):
    certifier = ResidualCertifier(matrix)
    certifier.require(40.0, np.ones((len(matrix), 1)))
    found = certifier.certify(np.ones(len(matrix)), 1e-12, 1.0, 1e-12)
    assert (found.by, found.bits, found.error_bound) == (BY_NOTHING, 0.0, math.inf)
    assert found.plain()["inverse_norm"] is None
    assert certifier.certify(np.zeros(len(matrix)), 0.0, 0.0, 0.0).error_bound == math.inf, (
        "it may be singular"
    )
    assert found.relative_residual == pytest.approx(1e-12)


def test_multiplications_are_a_multiple_of_the_entries_and_no_more_than_the_sweeps():
    for n in (8, 200):
        once = ResidualCertifier(np.random.default_rng(0).standard_normal((n, n))).once
        assert once % n**2 == 0
        assert once <= 64 * n**2
    assert ResidualCertifier(10.0 * np.eye(4) + 1.0).once < 64 * 16, "sweeps end when they gain little"
