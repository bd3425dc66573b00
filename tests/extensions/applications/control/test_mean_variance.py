"""Portfolios of least variance: the system against Merton's closed form, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.control.portfolio import (
    conditions,
    frontier,
    made_market,
    moments,
    right_sides,
    variances,
)

COVARIANCE, MEANS = moments(made_market(6, 500, np.random.default_rng(2)))
WANTED = np.linspace(MEANS.min(), MEANS.max(), 9)


def weights() -> np.ndarray:
    return np.linalg.solve(conditions(COVARIANCE, MEANS), right_sides(WANTED, MEANS))[:-2]


def test_portfolios_lie_on_mertons_frontier() -> None:
    np.testing.assert_allclose(
        variances(weights(), COVARIANCE), frontier(WANTED, COVARIANCE, MEANS), rtol=1e-10
    )


def test_weights_add_up_to_one_and_give_the_wanted_return() -> None:
    np.testing.assert_allclose(weights().sum(axis=0), 1.0)
    np.testing.assert_allclose(MEANS @ weights(), WANTED)


def test_no_other_portfolio_of_that_return_varies_less() -> None:
    rng = np.random.default_rng(0)
    least = variances(weights(), COVARIANCE)
    for _ in range(20):
        change = rng.standard_normal(6)
        across = np.linalg.qr(np.stack((np.ones(6), MEANS), axis=1))[0]
        change -= across @ (across.T @ change)  # neither budget nor return change
        assert (variances(weights() + 0.1 * change[:, None], COVARIANCE) > least).all()


def test_two_assets_are_as_by_hand() -> None:
    covariance, means = np.diag([0.04, 0.01]), np.array([0.1, 0.05])
    found = np.linalg.solve(conditions(covariance, means), right_sides(np.array([0.06]), means))[:2, 0]
    np.testing.assert_allclose(found, [0.2, 0.8])


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        (np.ones((9, 1)), "1 asset; a portfolio takes two"),
        (np.random.default_rng(0).standard_normal((5, 4)), "5 days of 4 assets"),
        (np.stack((np.arange(9.0), np.ones(9)), axis=1), "asset 1, counted from 0, never moves"),
    ],
)
def test_returns_without_a_covariance_are_refused(returns: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        moments(returns)


def test_equal_means_are_refused() -> None:
    with pytest.raises(InputError, match="the same mean return"):
        conditions(np.eye(3), np.full(3, 0.1))
