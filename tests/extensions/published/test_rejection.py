"""Is a published curve one of an ensemble's? The test is exact, sees what it says it sees, and knows its limits."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.published import detectable, reject
from mho.extensions.published.rejection import (
    FACTORS,
    LEVEL,
    Rejection,
    combined,
    curve_numbers,
    exchangeable_p,
)

CYCLES = 6


def curves(count: int, seed: int, slope: float = -0.8, spread: float = 0.08) -> np.ndarray:
    """Straight lines on a log scale, each with a start, a slope and scatter of its own."""
    rng = np.random.default_rng(seed)
    start, own = rng.normal(-0.8, 0.15, (count, 1)), rng.normal(slope, spread, (count, 1))
    logs = start + own * np.arange(CYCLES) + rng.normal(0.0, 0.02, (count, CYCLES))
    return 10.0**logs


def p_of(curve: np.ndarray, others: np.ndarray) -> float:
    return reject(curve, others, falling=CYCLES, rng=np.random.default_rng(0)).p


def test_a_straight_line_is_its_start_its_slope_and_its_end():
    logs = -0.5 - 0.75 * np.arange(CYCLES)
    found = curve_numbers(10.0**logs, CYCLES, True)
    np.testing.assert_allclose(found, [-0.5, -0.75, logs[-1]], rtol=1e-12)
    np.testing.assert_allclose(curve_numbers(10.0**logs, 1, False), [-0.5])
    np.testing.assert_allclose(curve_numbers(10.0 ** np.append(logs, [-9.0, -9.0]), CYCLES, True)[1], -0.75)


def test_one_of_the_ensemble_is_rejected_as_often_as_the_level_says():
    p = np.array([p_of(one[0], one[1:]) for one in (curves(40, seed) for seed in range(400))])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.08)
    assert p.min() >= 1.0 / 40.0


def test_a_curve_that_falls_otherwise_is_rejected_with_the_smallest_p():
    others = curves(99, 1)
    found = reject(curves(1, 2, -0.2)[0], others, falling=CYCLES, rng=np.random.default_rng(0))
    assert found.p == found.least == 0.01
    assert found.rejected
    assert np.all(found.below[-1] == 1.0)
    assert found.in_words() == "rejected at 0.05, p = 0.01 of 99 chips"


def test_p_does_not_depend_on_units_nor_on_a_common_factor():
    curve, others = curves(1, 3, -0.6)[0], curves(50, 4)
    factor = np.geomspace(3.0, 0.1, CYCLES)
    assert p_of(curve * factor, others * factor) == p_of(curve, others)


def test_too_few_chips_decide_nothing_and_say_how_many_would():
    found = reject(curves(1, 2, -0.2)[0], curves(5, 1), falling=CYCLES, rng=np.random.default_rng(0))
    assert found.p == found.least == 1.0 / 6.0
    assert not found.rejected
    assert found.in_words() == "not decided: 5 chips cannot reject anything at 0.05; give at least 19"
    assert detectable(curves(19, 1), falling=CYCLES) is None, "18 others allow no p at or below 0.05"


@pytest.mark.thorough
def test_more_chips_see_smaller_factors_and_what_they_see_is_rejected():
    few, many = (detectable(curves(count, 5), falling=CYCLES) for count in (30, 120))
    assert few is not None
    assert many is not None
    assert 1.0 < many[1] < few[1] * 1.2
    assert few[0] < 1.0
    ensemble = curves(120, 5)
    slower = ensemble * (2.0 * many[1]) ** np.arange(CYCLES)
    shares = [p_of(one, np.delete(ensemble, k, axis=0)) <= 0.05 for k, one in enumerate(slower[:30])]
    assert np.mean(shares) > 0.5
    assert detectable(curves(30, 5)[:, :1], falling=1) is None, "one cycle has no slope"


def test_a_factor_is_told_for_the_side_on_which_half_of_the_curves_are_rejected():
    """A few curves fall much faster than the others, so that the two sides differ."""
    logs = -0.8 + np.random.default_rng(7).normal(0.0, 0.15, (40, 1)) - 0.8 * np.arange(CYCLES)
    slopes = np.linspace(-0.02, 0.02, 40)
    slopes[:3] = -0.5, -0.45, -0.4
    ensemble = 10.0 ** (logs + slopes[:, None] * np.arange(CYCLES))

    def rejected(factor: float) -> float:
        moved = ensemble * factor ** np.arange(CYCLES)
        return float(
            np.mean([p_of(one, np.delete(ensemble, k, axis=0)) <= 0.05 for k, one in enumerate(moved)])
        )

    found = detectable(ensemble, falling=CYCLES)
    assert found is not None
    faster, slower = found
    step = FACTORS[1] / FACTORS[0]
    assert rejected(faster) >= 0.5 > rejected(faster * step)
    assert rejected(slower) >= 0.5 > rejected(slower / step)


def test_an_ensemble_without_any_spread_is_compared_too():
    one = curves(1, 6)[0]
    assert p_of(one, np.tile(one, (19, 1))) == 1.0
    assert p_of(10.0 * one, np.tile(one, (19, 1))) == 0.05


def test_reading_a_figure_badly_makes_the_test_milder():
    curve, others = curves(1, 7, -0.75)[0], curves(99, 8, spread=0.001)
    sharp = p_of(curve, others)
    blunt = reject(curve, others, falling=CYCLES, reading=1.0, rng=np.random.default_rng(0)).p
    assert sharp < blunt


def test_p_of_several_tests_is_that_of_fisher():
    assert combined([0.3]) == pytest.approx(0.3)
    assert combined([0.05, 0.05]) == pytest.approx(0.01748, rel=1e-3)
    assert combined([1.0, 1.0]) == 1.0
    with pytest.raises(InputError, match="no p was given"):
        combined([])


def test_points_of_several_numbers_are_judged_together():
    rng = np.random.default_rng(9)
    along = rng.standard_normal((200, 1)) * [1.0, 1.0] + 0.01 * rng.standard_normal((200, 2))
    assert exchangeable_p(np.array([1.0, 1.0]), along) > 0.1
    assert exchangeable_p(np.array([1.0, -1.0]), along) == 1.0 / 201.0, "each number alone would pass"


@pytest.mark.parametrize(
    ("curve", "others", "message"),
    [
        (np.ones(3), np.ones((4, 2)), r"a published curve of shape \(3,\) beside curves of shape \(4, 2\)"),
        (np.ones(3), np.ones((0, 3)), "at least one other"),
        (np.array([1.0, 0.0]), np.ones((4, 2)), "not above 0"),
        (np.ones(2), np.array([[1.0, np.nan]]), "not above 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(curve, others, message):
    with pytest.raises(InputError, match=message):
        reject(curve, others, falling=2, rng=np.random.default_rng(0))


def test_a_p_at_the_level_rejects():
    below = np.zeros(1)
    assert [Rejection(p, 0.01, 99, below).rejected for p in (0.03, LEVEL, np.nextafter(LEVEL, 1.0))] == [
        True,
        True,
        False,
    ]
