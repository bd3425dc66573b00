"""Fits against closed forms: numbers, intervals that hold as often as they say, and what is not determined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from mho.analysis.figures.fitting import BOLTZMANN, Fit, NotFitted, fit_curve, fit_distribution, in_words
from mho.errors import RunFileError
from mho.runs.figures import FITS, FORMER_FITS, Figure, fit_kind


def found(fit: Fit | NotFitted) -> Fit:
    assert isinstance(fit, Fit), fit
    return fit


@pytest.mark.parametrize(
    ("kind", "curve", "numbers"),
    [
        ("linear", lambda x: 2.0 + 3.0 * x, (2.0, 3.0)),
        ("log", lambda x: 2.0 - 0.25 * np.log10(x), (2.0, -0.25)),
        ("exp", lambda x: 2.0 * np.exp(-0.1 * x), (2.0, -0.1)),
        ("power", lambda x: 2.0 * x**-0.5, (2.0, -0.5)),
        ("arrhenius", lambda x: 1e3 * np.exp(-0.7 / (BOLTZMANN * x)), (1e3, 0.7)),
    ],
)
def test_a_curve_without_noise_is_found_exactly(kind: str, curve: Any, numbers: tuple[float, float]) -> None:
    x = (
        np.array([300.0, 330.0, 350.0, 380.0, 400.0])
        if kind == "arrhenius"
        else np.array([1.0, 2.0, 5.0, 10.0])
    )
    fit = found(fit_curve(kind, x, curve(x)))
    assert_allclose((fit.a, fit.b), numbers, rtol=1e-6)
    assert_allclose(fit.r_squared, 1.0)
    assert_allclose(fit(x), curve(x), rtol=1e-6)


def test_intervals_are_those_of_linear_regression() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(0.0, 5.0, 12)
    y = 1.0 + 2.0 * x + 0.3 * rng.standard_normal(12)
    fit, known = found(fit_curve("linear", x, y)), stats.linregress(x, y)
    t = stats.t.ppf(0.975, 10)
    assert_allclose(fit.b, known.slope)
    assert_allclose(
        (fit.numbers[1].low, fit.numbers[1].high), known.slope + t * known.stderr * np.array([-1, 1])
    )
    assert_allclose(
        (fit.numbers[0].low, fit.numbers[0].high),
        known.intercept + t * known.intercept_stderr * np.array([-1, 1]),
    )
    assert_allclose(fit.r_squared, known.rvalue**2)


def test_two_points_have_a_line_and_no_interval() -> None:
    fit = found(fit_curve("linear", np.array([0.0, 1.0]), np.array([1.0, 3.0])))
    assert np.isnan(fit.numbers[1].low)
    assert "(" not in in_words(fit, ("", ""))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "law"),
    [("weibull", stats.weibull_min(1.7, scale=3e-6)), ("lognormal", stats.lognorm(0.4, scale=3e-6))],
)
def test_laws_hold_their_numbers_as_often_as_they_say(kind: str, law: Any) -> None:
    true = (3e-6, 1.7 if kind == "weibull" else 0.4)
    inside, accepted = np.zeros(2), 0
    for seed in range(200):
        fit = found(fit_distribution(kind, law.rvs(60, random_state=seed)))
        inside += [one.low <= number <= one.high for one, number in zip(fit.numbers, true, strict=True)]
        accepted += fit.p > 0.05
    assert (inside / 200 > 0.90).all()
    assert 0.90 < accepted / 200 < 0.99


def test_a_weibull_is_scipy_s_maximum_of_likelihood_and_another_law_is_doubted() -> None:
    values = stats.weibull_min(2.2, scale=5.0).rvs(400, random_state=1)
    shape, _, scale = stats.weibull_min.fit(values, floc=0.0)
    fit = found(fit_distribution("weibull", values))
    assert_allclose((fit.a, fit.b), (scale, shape), rtol=1e-4)
    assert_allclose(fit(values), stats.weibull_min(shape, scale=scale).cdf(values), atol=1e-4)
    assert found(fit_distribution("lognormal", values)).p < 0.001


@pytest.mark.parametrize(
    ("fit", "why"),
    [
        (fit_curve("linear", np.array([1.0, 1.0]), np.array([1.0, 2.0])), "all points lie at one x"),
        (fit_curve("power", np.array([-1.0, 2.0]), np.array([1.0, 2.0])), "1 points that it can go through"),
        (fit_distribution("weibull", np.arange(1.0, 5.0)), "4 values, 8 are needed"),
        (fit_distribution("lognormal", np.arange(-2.0, 20.0)), "3 of 22 values are not above 0"),
        (fit_distribution("weibull", np.full(20, 3.0)), "all values are the same"),
    ],
)
def test_what_is_not_determined_is_said(fit: Fit | NotFitted, why: str) -> None:
    assert fit == NotFitted(why)


def test_any_numbers_have_a_fit_or_a_reason() -> None:
    rng = np.random.default_rng(0)
    odd = [0.0, -1.0, 1e-320, 1e308, np.inf, np.nan, 1e-5, 1.0]
    for _ in range(300):
        x, y = rng.choice(odd, 9), rng.choice(odd, 9)
        for kind in FITS:
            fit = fit_distribution(kind, x) if kind in ("weibull", "lognormal") else fit_curve(kind, x, y)
            assert isinstance(fit, Fit | NotFitted)


def test_the_names_of_before_stay_valid() -> None:
    assert [fit_kind(name) for name in FORMER_FITS] == ["linear", "power", "log", "exp"]
    assert Figure("f", table="t", y="y", fit="log-time line").fit == "log-time line"
    with pytest.raises(RunFileError, match="fit is 'weibull'; to figures of kind lines fits one of linear"):
        Figure("f", table="t", y="y", fit="weibull")
    assert Figure("f", kind="distribution", table="t", x="x", fit="weibull").fit == "weibull"


def test_points_that_bend_away_from_a_law_have_no_interval_of_its_numbers() -> None:
    """A loss over log time: a slope a decade would have a tight interval, and no meaning."""
    rng = np.random.default_rng(1)
    times = np.geomspace(1.0, 1e6, 13)
    lost = found(fit_curve("log", times, 20.0 * np.expm1(-times / 1e6) + 0.01 * rng.standard_normal(13)))
    assert lost.p < 0.01
    assert not any(np.isfinite(one.low) or np.isfinite(one.high) for one in lost.numbers)
    assert "the points bend away from it (p " in in_words(lost, ("uS", "uS"))
    straight = [
        found(fit_curve("log", times, -0.2 * np.log10(times) + 0.01 * rng.standard_normal(13))).p
        for _ in range(500)
    ]
    assert np.mean(np.array(straight) < 0.05) < 0.08
    assert np.isnan(found(fit_curve("log", times, -0.2 * np.log10(times))).p)
    assert np.isfinite(found(fit_curve("log", times[:5], -0.2 * np.log10(times[:5]))).b)
