"""Non-negative factorisation: what is never lost, and what a poor inverse costs."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.learning.factorisation import (
    METHODS,
    factorise,
    least_error,
    peak_ratio,
    random_factors,
    relative_error,
)

RNG = np.random.default_rng(2)
TRUE = RNG.random((20, 3)) ** 3, RNG.random((3, 15)) ** 3
PICTURE = TRUE[0] @ TRUE[1]


def exact(matrix):
    return lambda rhs: np.linalg.solve(matrix, rhs)


def poor(share):
    """Stand in for a chip: a fixed wrong inverse, and noise on every answer."""
    rng = np.random.default_rng(4)

    def hold(matrix):
        wrong = np.linalg.inv(matrix + share * rng.standard_normal(matrix.shape) / np.sqrt(len(matrix)))

        def operate(rhs):
            answer = wrong @ rhs
            return answer * (1.0 + share * rng.standard_normal(answer.shape))

        return operate

    return hold


def errors(hold, method="admm", iterations=200, rank=3, inner=5):
    found = []
    start = random_factors(PICTURE, rank, np.random.default_rng(1))
    for factors in factorise(PICTURE, start, iterations, hold, method, inner):
        assert (factors.left >= 0).all()
        assert (factors.right >= 0).all()
        found.append(relative_error(PICTURE, factors.product))
    return found


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_product_of_non_negative_factors_is_found(method):
    assert errors(exact, method)[-1] < 0.01


def test_a_poor_inverse_costs_iterations_and_no_precision():
    digital, chip = errors(exact), errors(poor(0.1))
    assert chip[-1] < 0.01
    assert chip[-1] < 2.0 * digital[-1]


def test_every_half_step_holds_one_matrix_as_small_as_the_rank_and_well_conditioned():
    held = []

    def hold(matrix):
        held.append(matrix)
        return exact(matrix)

    errors(hold, iterations=7)
    assert len(held) == 14
    for matrix in held:
        assert matrix.shape == (3, 3)
        np.testing.assert_allclose(np.diag(matrix), 2.0)
        assert np.linalg.cond(matrix) < 4.0


def test_no_factorisation_is_better_than_the_best_product_of_its_rank():
    bound = least_error(PICTURE, 2)
    assert bound * (1 - 1e-12) <= errors(exact, rank=2)[-1] < 1.6 * bound
    assert least_error(PICTURE, 3) < 1e-12


def test_a_part_that_dies_out_begins_anew_and_leaves_no_nan():
    start = random_factors(PICTURE, 4, np.random.default_rng(1))
    start.left[:, 2] = 0.0
    start.right[1] = 0.0
    *_, factors = factorise(PICTURE, start, 60, exact)
    assert np.isfinite(factors.product).all()
    assert relative_error(PICTURE, factors.product) < 0.05


def test_the_peak_ratio_is_that_of_a_known_error():
    assert peak_ratio(np.full((2, 2), 0.6), np.full((2, 2), 0.5)) == pytest.approx(20.0)
