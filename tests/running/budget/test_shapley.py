"""What each of several causes has in a number, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.running.budget.shares import sampled_values, shapley_values


def over_sets(count: int, value) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return v of every set, by its number, from a function of its members."""
    return np.array([value({i for i in range(count) if s >> i & 1}) for s in range(1 << count)])


def closed_form(d: np.ndarray) -> np.ndarray:
    """Return the values (k,) of the mean square of a sum of k parts (k, n): each product of two is shared equally."""
    return d @ d.sum(axis=0) / d.shape[1]


def test_independent_causes_have_their_own_variances() -> None:
    variances = {0: 4.0, 1: 1.0, 2: 0.25}
    found = shapley_values(over_sets(3, lambda members: sum(variances[i] for i in members)))
    np.testing.assert_allclose(found, [4.0, 1.0, 0.25], rtol=1e-15)


def test_what_two_causes_do_together_is_shared_equally() -> None:
    found = shapley_values(over_sets(3, lambda s: 2.0 * (0 in s) + 6.0 * ({0, 1} <= s)))
    np.testing.assert_allclose(found, [5.0, 3.0, 0.0], atol=1e-15)


def test_a_cause_that_makes_up_for_another_is_below_zero() -> None:
    # d_0 = 2 and d_1 = -1 add to 1, whose square is 1: shares 2 * 1 and -1 * 1
    found = shapley_values(over_sets(2, lambda s: (2.0 * (0 in s) - 1.0 * (1 in s)) ** 2))
    np.testing.assert_allclose(found, [2.0, -1.0])


def test_no_causes_have_no_values() -> None:
    assert shapley_values([3.0]).shape == (0,)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_values_that_are_not_of_all_sets_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} values"):
        shapley_values(np.zeros(count))


def test_sixteen_causes_are_as_many_as_are_computed_from_all_sets() -> None:
    found = shapley_values(np.bitwise_count(np.arange(1 << 16)))
    np.testing.assert_allclose(found, np.ones(16))
    with pytest.raises(ValueError, match="k up to 16"):
        shapley_values(np.zeros(1 << 17))


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_values_of_any_function_add_up(count: int, seed: int) -> None:
    v = np.random.default_rng(seed).normal(size=1 << count)
    assert shapley_values(v).sum() == pytest.approx(v[-1] - v[0], abs=1e-12)


@given(st.integers(1, 5), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_mean_square_of_a_sum_has_the_values_of_its_closed_form(count: int, size: int, seed: int) -> None:
    d = np.random.default_rng(seed).normal(size=(count, size))
    v = over_sets(count, lambda members: np.mean(sum((d[i] for i in members), np.zeros(size)) ** 2))
    np.testing.assert_allclose(closed_form(d), shapley_values(v), atol=1e-12)


def test_sampled_orders_are_exact_where_causes_act_by_twos() -> None:
    d = np.random.default_rng(1).normal(size=(9, 5))
    asked: list[int] = []

    def value(members: int) -> float:
        asked.append(members)
        return float(np.mean(d[[i for i in range(9) if members >> i & 1]].sum(axis=0) ** 2))

    found = sampled_values(value, 9, np.random.default_rng(0), 1e-6, 50)
    np.testing.assert_allclose(found.values, closed_form(d), atol=1e-12)
    assert found.orders == 4  # two pairs show that they agree
    assert len(asked) == len(set(asked))  # a set is computed once


def test_sampled_orders_come_near_where_causes_act_all_together() -> None:
    v = np.random.default_rng(3).normal(size=64)
    found = sampled_values(lambda s: float(v[s]), 6, np.random.default_rng(0), 1e-9, 400)
    assert found.orders == 800
    assert np.all(np.abs(found.values - shapley_values(v)) < 4.0 * found.errors)
    assert found.values.sum() == pytest.approx(v[-1] - v[0], abs=1e-12)


def test_sampling_stops_when_it_is_good_enough() -> None:
    v = np.random.default_rng(3).normal(size=64) + 100.0 * np.array([s.bit_count() for s in range(64)])
    found = sampled_values(lambda s: float(v[s]), 6, np.random.default_rng(0), 0.01, 400)
    assert found.orders < 40
    assert found.errors.max() <= 0.01 * abs(v[-1] - v[0])
