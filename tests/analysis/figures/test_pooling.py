"""Curves of several runs on a common x: quartiles in closed form, and nothing beyond the ends of a curve."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mho.analysis.figures.values.pooling import common_places, pool_curves, sampled, shares_at, sketch


def test_curves_at_the_same_x_are_pooled_row_by_row() -> None:
    x = np.array([0.0, 1.0, 2.0])
    curves = [(x, factor * np.array([1.0, 10.0, 100.0])) for factor in (1.0, 2.0, 3.0, 4.0, 5.0)]
    places = common_places(curves)
    pooled = pool_curves(places, curves)
    assert places.way == "rows"
    assert_array_equal(pooled.low, [2.0, 20.0, 200.0])
    assert_array_equal(pooled.middle, [3.0, 30.0, 300.0])
    assert_array_equal(pooled.high, [4.0, 40.0, 400.0])
    assert_array_equal(pooled.count, [5, 5, 5])


def test_a_curve_that_ends_earlier_is_not_carried_on() -> None:
    curves = [(np.arange(3.0), np.ones(3)), (np.arange(5.0), np.full(5, 3.0))]
    pooled = pool_curves(common_places(curves), curves)
    assert_array_equal(pooled.count, [2, 2, 2, 1, 1])
    assert_array_equal(pooled.middle, [2, 2, 2, 3, 3])


def test_x_that_repeats_is_matched_exactly_though_floats_differ_in_the_last_bit() -> None:
    one = np.array([0.1, 0.3, 0.5])
    other = np.array([0.5, 0.1 + 0.2, 0.1, 0.9])
    curves = [(one, np.array([1.0, 2.0, 3.0])), (other, np.array([5.0, 4.0, 3.0, 9.0]))]
    places = common_places(curves)
    assert places.way == "equal"
    assert_allclose(places.x, [0.1, 0.3, 0.5, 0.9])
    assert_array_equal(pool_curves(places, curves).middle, [2.0, 3.0, 4.0, 9.0])


def test_other_curves_are_interpolated_within_their_ranges_only() -> None:
    rng = np.random.default_rng(1)
    curves = [(x := np.sort(rng.uniform(low, low + 5.0, 40)), 2.0 * x) for low in (0.0, 1.0, 2.0)]
    places = common_places(curves)
    pooled = pool_curves(places, curves)
    assert places.way == "grid"
    assert_allclose(pooled.middle, 2.0 * pooled.x, rtol=1e-9)
    for x, y in curves:
        found = np.isfinite(sampled(places, x, y))
        assert places.x[found].min() >= x[0] - 1e-9
        assert places.x[found].max() <= x[-1] + 1e-9
    assert pooled.count.max() == 3
    assert pooled.count[0] == pooled.count[-1] == 1


def test_between_logarithms_a_power_law_is_met_exactly() -> None:
    curves = [(x := np.geomspace(1.0 + shift, 1e4, 9), x**-0.5) for shift in (0.0, 0.1, 0.2, 0.3)]
    places = common_places(curves, log_x=True, log_y=True)
    pooled = pool_curves(places, curves)
    assert_allclose(pooled.middle, pooled.x**-0.5, rtol=1e-9)
    assert_allclose(np.diff(np.log(places.x)), np.log(1e4) / 199)


def test_the_branches_of_a_loop_are_kept_apart() -> None:
    def loop(end: float) -> tuple[np.ndarray, np.ndarray]:
        up, down = np.linspace(0.0, end, 50), np.linspace(end, 0.0, 50)[1:]
        return np.append(up, down), np.append(up, 10.0 + down)

    curves = [loop(end) for end in (0.97, 1.03, 1.01)]
    places = common_places(curves)
    pooled = pool_curves(places, curves)
    assert len(places.branches) == 2
    up, down = places.branches
    inside = places.x < 0.9
    assert_allclose(pooled.middle[up], places.x[up], atol=1e-9)
    assert_allclose(pooled.middle[down][inside[down]], 10.0 + places.x[down][inside[down]], atol=0.3)
    assert (np.diff(places.x[down]) < 0.0).all()


def test_points_without_a_number_are_left_out_and_no_curve_is_no_error() -> None:
    curves = [(np.array([0.0, 1.0, np.nan]), np.array([1.0, np.nan, 3.0])), (np.empty(0), np.empty(0))]
    pooled = pool_curves(common_places(curves), curves)
    assert_array_equal(pooled.middle, [1.0, np.nan])
    assert_array_equal(pooled.count, [1, 0])


@pytest.mark.parametrize("most", [10, 1000])
def test_a_sketch_keeps_the_quantiles_and_says_for_how_many_each_stands(most: int) -> None:
    values = np.random.default_rng(0).permutation(np.append(np.arange(1000.0), np.nan))
    kept, weight = sketch(values, most)
    assert len(kept) * weight == 1000.0
    assert_allclose(np.median(kept), 500.0, atol=1000 / most)
    assert_array_equal(shares_at(np.array([-1.0, kept[-1]]), kept), [0.0, 1.0])
