"""Sizes of effects against closed forms, by arithmetic that a reader can repeat."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import t as student
from scipy.stats import ttest_ind

from mho.analysis.comparisons.effects import cliffs_delta, difference_interval, effect, hedges_g, mann_whitney

SAMPLES = arrays.arrays(float, st.integers(2, 12), elements=st.integers(-5, 5).map(float))


def test_the_difference_of_medians_and_means() -> None:
    a, b = np.array([1.0, 2.0, 9.0]), np.array([4.0, 5.0, 6.0, 7.0])
    assert effect(a, b).difference.value == 5.5 - 2.0
    assert effect(a, b, "mean").difference.value == 5.5 - 4.0
    assert effect(a, b).ratio == 5.5 / 2.0
    assert math.isnan(effect(a, -b).ratio)
    assert math.isnan(effect(np.zeros(2), b).ratio)


def test_the_interval_of_a_difference_of_means_is_welchs() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.0, 1.0, 12), rng.normal(3.0, 4.0, 7)
    welch = ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert difference_interval(a, b, "mean") == pytest.approx((welch.low, welch.high))


def test_a_difference_of_medians_has_an_interval_from_five_values_on() -> None:
    a, b = np.arange(5.0), np.arange(5.0) + 10.0
    assert np.isnan(difference_interval(a[:4], b)).all()
    low, high = difference_interval(a, b)
    assert (low, high) == pytest.approx((10.0 - math.hypot(2.0, 2.0), 10.0 + math.hypot(2.0, 2.0)))


def test_without_scatter_the_interval_is_the_difference() -> None:
    found = effect(np.full(5, 2.0), np.full(7, 3.0))
    assert (found.difference.value, found.difference.low, found.difference.high) == (1.0, 1.0, 1.0)
    assert found.hedges_g.value == math.inf
    assert effect(np.full(5, 2.0), np.full(7, 2.0)).hedges_g.value == 0.0
    assert effect(np.full(5, 2.0), np.full(7, 2.0)).p_value == 1.0


def test_hedges_g_of_two_pairs() -> None:
    found = hedges_g(np.array([0.0, 2.0]), np.array([1.0, 3.0]))
    g = 1.0 / math.sqrt(2.0) / math.sqrt(math.pi)  # d = 1 / sqrt 2, J(2) = Gamma(1) / Gamma(1/2)
    assert found.value == pytest.approx(g)
    half = 1.959964 * math.sqrt(4.0 / 4.0 + g * g / 8.0)
    assert (found.low, found.high) == pytest.approx((g - half, g + half), rel=1e-6)


def test_cliffs_delta_counts_pairs() -> None:
    found = cliffs_delta(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))
    assert found.value == pytest.approx((6 - 1) / 9)
    assert -1.0 <= found.low < found.value < found.high <= 1.0


def newcombe(delta: float, n: int, m: int) -> tuple[float, float]:
    """Return the deltas at which the difference is 1.96 errors of the law of exponential samples, by searching a grid."""
    share, other = (1.0 + delta) / 2.0, np.linspace(0.0, 1.0, 200_001)
    more = (1.0 - other) / (2.0 - other) + other / (1.0 + other)
    error = np.sqrt(other * (1.0 - other) * (1.0 + ((n + m) / 2.0 - 1.0) * more) / (n * m))
    inside = other[np.abs(share - other) <= 1.9599639845 * error]
    return 2.0 * float(min(inside.min(), share)) - 1.0, 2.0 * float(max(inside.max(), share)) - 1.0


def test_where_no_pair_contradicts_the_interval_ends_at_one() -> None:
    found = cliffs_delta(np.zeros(40), np.ones(50))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(newcombe(1.0, 40, 50)[0], abs=2e-5)
    back = cliffs_delta(np.ones(50), np.zeros(40))
    assert (back.value, back.low, back.high) == (-1.0, -1.0, -found.low)


@pytest.mark.thorough
@given(SAMPLES, SAMPLES)
def test_cliffs_delta_is_that_of_all_pairs_and_turns_with_the_samples(a, b) -> None:
    pairs = np.sign(b[None, :] - a[:, None])
    found, back = cliffs_delta(a, b), cliffs_delta(b, a)
    assert found.value == pytest.approx(pairs.mean())
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    n, m = pairs.shape
    d = float(pairs.mean())
    high = newcombe(d, n, m)[1]
    if abs(d) < 1.0:
        of_a, of_b = pairs.mean(axis=1).var(ddof=1) / n, pairs.mean(axis=0).var(ddof=1) / m
        spread = ((pairs - d) ** 2).sum() / (n * m * (n - 1) * (m - 1))
        variance = max(
            of_a * m / (m - 1) + of_b * n / (n - 1) - spread, of_a + of_b, (1 - d * d) / (n * m - 1)
        )
        both = of_a**2 / (n - 1) + of_b**2 / (m - 1)
        z = student.ppf(0.975, (of_a + of_b) ** 2 / both if both > 0.0 else n + m - 2)
        half = z * math.sqrt(variance * ((1 - d * d) ** 2 + z * z * variance))
        high = max(high, min((d - d**3 + half) / (1 - d * d + z * z * variance), 1.0))
    assert found.high == pytest.approx(high, abs=2e-5)


def test_cliffs_delta_of_few_or_hardly_overlapping_samples_is_held() -> None:
    rng, held = np.random.default_rng(5), []
    for number, shift in ((64, 2.0), (5, 1.0)):
        truth = math.erf(shift / 2.0 if number == 5 else shift / math.sqrt(2.0 * 1.09))
        scale = 1.0 if number == 5 else 0.3
        samples = rng.standard_normal((400, 2, number)) * np.array([[1.0], [scale]])
        found = [cliffs_delta(one, two + shift) for one, two in samples]
        held.append(np.mean([one.low <= truth <= one.high for one in found]))
    assert min(held) > 0.94


def test_mann_and_whitney_of_separate_samples_is_exact() -> None:
    # 2 of the 20 ways to choose 3 ranks of 6 are as extreme.
    assert mann_whitney(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])) == pytest.approx(2 / 20)


def test_of_a_single_value_there_is_a_difference_and_no_interval() -> None:
    found = effect(np.array([1.0]), np.array([2.0, 3.0, 4.0]))
    assert found.difference.value == 2.0
    assert not found.difference.known
    assert math.isnan(found.hedges_g.value)
    assert math.isnan(found.cliffs_delta.value)
    assert math.isnan(found.p_value)


def test_effects_are_ordered_by_their_size() -> None:
    still = effect(np.arange(9.0), np.arange(9.0))
    little = effect(np.arange(9.0), np.arange(9.0) + 1.0)
    large = effect(np.arange(9.0), np.arange(9.0) + 20.0)
    larger = effect(np.arange(9.0), np.arange(9.0) + 90.0)
    assert still.size < little.size < large.size < larger.size
    doubled, halved = effect(np.ones(1), np.full(1, 2.0)), effect(np.ones(1), np.full(1, 0.25))
    assert doubled.size < halved.size
