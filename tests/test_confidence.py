"""Intervals against closed forms and published values; how often they hold the truth is in `test_coverage`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import beta, binom, binomtest, chi2, f, t, ttest_1samp

from mho.confidence import (
    binomial_interval,
    clustered_binomial_interval,
    component_interval,
    deviation_interval,
    difference_of,
    difference_of_means,
    finite,
    freedom_interval,
    jackknife,
    likelihood_drop,
    mean_interval,
    median,
    median_interval,
    profile_interval,
    quantile_ranks,
    ratio_interval,
    repetition_interval,
    with_interval,
)


@given(
    arrays.arrays(
        float, st.tuples(st.integers(1, 50), st.integers(1, 3)), elements=st.floats(0.0, math.inf, width=64)
    )
)
def test_a_median_is_numpys_to_the_bit(values):
    with np.errstate(over="ignore"):  # the sum of two beyond half of the range
        assert np.array_equal(median(values), np.median(values, axis=0))


SAMPLES = arrays.arrays(float, st.integers(5, 30), elements=st.integers(-50, 50).map(float))


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.9, 0.95]))
def test_the_interval_of_a_probability_is_clopper_s_and_pearson_s(successes, trials, level):
    successes = min(successes, trials)
    exact = binomtest(successes, trials).proportion_ci(level, "exact")
    assert binomial_interval(successes, trials, level) == pytest.approx((exact.low, exact.high))


@given(st.floats(0.05, 20.0), st.floats(0.5, 20.0))
def test_fractions_of_trials_have_the_interval_between_those_of_whole_ones(successes, failures):
    low, high = binomial_interval(successes, successes + failures)
    assert beta.cdf(low, successes, failures + 1.0) == pytest.approx(0.025, abs=1e-5)
    assert beta.sf(high, successes + 1.0, failures) == pytest.approx(0.025, abs=1e-5)


def test_of_no_trial_a_probability_is_anything():
    assert binomial_interval(0, 0) == (0.0, 1.0)
    assert np.isnan([binomial_interval(np.nan, 4), binomial_interval(1, np.nan)]).all()
    low, high = binomial_interval([0, 3], [0, 3])
    assert low.tolist() == pytest.approx([0.0, 0.025 ** (1 / 3)])
    assert high.tolist() == [1.0, 1.0]


def test_clusters_that_are_alike_count_as_so_many_trials_and_others_as_fewer():
    alike = clustered_binomial_interval(np.full(40, 8), np.full(40, 16))
    nearly = clustered_binomial_interval([7, 9] * 20, np.full(40, 16))
    assert nearly == pytest.approx(binomial_interval(320, 640)), "there are no more than there are"
    free = binomial_interval(320, 640)
    assert alike == pytest.approx(free, abs=1e-9)  # no cluster differs from another
    apart = clustered_binomial_interval([0, 16] * 20, np.full(40, 16))
    assert apart[1] - apart[0] > 3.5 * (free[1] - free[0])
    assert apart[0] + apart[1] == pytest.approx(1.0)


def test_where_none_fails_each_cluster_is_a_trial():
    assert clustered_binomial_interval(np.full(20, 400), np.full(20, 400)) == pytest.approx(
        (0.025 ** (1 / 20), 1.0)
    )
    assert clustered_binomial_interval([3], [400]) == pytest.approx(binomial_interval(3 / 400, 1))


@pytest.mark.parametrize(
    ("failures", "freedom"), [([2.0, 5.0, 3.0, 6.0, 4.0], 4.0), ([3.0, 3.0, 4.0, 3.0, 7.0], 480 / 151)]
)
def test_the_effective_trials_of_korn_and_graubard_by_hand(failures, freedom):
    k, n = np.array(failures), np.full(5, 10.0)
    squares = (k - 4.0) ** 2
    variance = 5 / 4 * squares.sum() / 50.0**2
    kurtosis = 5 * (squares**2).sum() / squares.sum() ** 2
    assert min(2 * 4 / (kurtosis - 2 / 5), 4.0) == pytest.approx(freedom, rel=1e-5)
    trials = min(0.4 * 0.6 / variance * (t.ppf(0.975, 49) / t.ppf(0.975, freedom)) ** 2, 50.0)
    assert clustered_binomial_interval(k, n) == pytest.approx(binomial_interval(0.4 * trials, trials))


@given(SAMPLES)
def test_the_interval_of_a_mean_is_student_s(values):
    if np.ptp(values) == 0.0:
        assert mean_interval(values) == (values[0], values[0])
    else:
        student = ttest_1samp(values, 0.0).confidence_interval(0.95)
        assert mean_interval(values) == pytest.approx((student.low, student.high), abs=1e-9)


def test_a_repetition_scatters_about_a_mean_that_is_known_from_as_many():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    half = t.ppf(0.975, 3) * math.sqrt(values.var(ddof=1) * 1.25)
    assert repetition_interval(values) == pytest.approx((3.75 - half, 3.75 + half))
    assert np.isnan(repetition_interval(values[:1])).all()
    wider = repetition_interval(values, 2.0)
    assert wider[1] - 3.75 == pytest.approx(t.ppf(0.975, 3) * math.sqrt(values.var(ddof=1) * 1.25 + 4.0))


def test_a_deviation_of_so_many_degrees_of_freedom_is_chi_square_s():
    low, high = freedom_interval(4.0, 7.0)
    assert (low, high) == pytest.approx(
        (math.sqrt(28.0 / chi2.ppf(0.975, 7)), math.sqrt(28.0 / chi2.ppf(0.025, 7)))
    )


def test_longer_tails_make_a_deviation_less_certain():
    even = np.tile([-1.0, 1.0], 50)
    tailed = np.concatenate([np.zeros(90), np.tile([-3.2, 3.2], 5)])
    widths = [np.log(high / low) for low, high in map(deviation_interval, (even, tailed))]
    assert widths[1] > 2.0 * widths[0]
    # By hand: no trimmed value moves the middle, and the kurtosis is that of the values, pulled towards 8.
    own = 100 * (tailed**4).sum() / (tailed**2).sum() ** 2
    kurtosis = (100 * own + 20 * 8.0) / 120
    freedom = 2.0 * 99 / (kurtosis - 0.97)
    assert deviation_interval(tailed) == pytest.approx(freedom_interval(tailed.var(ddof=1), freedom))


def test_values_that_are_all_the_same_have_no_deviation():
    assert deviation_interval(np.full(8, 3.0)) == (0.0, 0.0)


@given(st.integers(1, 80), st.floats(0.05, 0.95))
def test_order_statistics_hold_a_quantile_with_95_percent(count, share):
    first, last = quantile_ranks(count, share)
    # So many below the quantile that it lies between the two, counted from 0; without an end there is no limit.
    held = binom.cdf(last, count, share) - binom.cdf(first, count, share)
    assert held >= 0.95 - 1e-12
    assert first == -1 or binom.cdf(first + 1, count, share) >= 0.025 - 1e-12  # not one further in
    assert last == count or binom.cdf(last - 1, count, share) < 0.975


def test_the_interval_of_a_median_by_rank():
    assert np.isnan(median_interval(np.arange(4.0))).all()
    assert np.isnan(median_interval([1.0, 2.0, np.nan, 4.0, 5.0, 6.0])).all()
    assert median_interval([4.0, 1.0, 9.0, 2.0, 3.0]) == (1.0, 9.0)
    low, high = median_interval(np.arange(1.0, 11.0))
    # Between the 2nd and the 9th are 97.9 %, between the 3rd and the 8th 89.1 % (Hettmansperger and Sheather, eq. 2.2).
    part = (0.978515625 - 0.95) / (0.978515625 - 0.890625)
    weight = 8 * part / (2 + 6 * part)
    assert (low, high) == pytest.approx((2.0 + weight, 9.0 - weight))


def test_a_median_of_values_some_of_which_never_came():
    values = np.array([1.0, 2.0, 3.0, np.inf, np.inf, np.inf, np.inf, np.inf])
    low, high = median_interval(values)
    assert 1.0 <= low <= 2.0
    assert high == np.inf
    assert median_interval(-values) == (-np.inf, -low)


@given(SAMPLES)
def test_the_interval_of_a_median_turns_with_the_values(values):
    low, high = median_interval(values)
    assert low <= np.median(values) <= high
    assert median_interval(-values) == pytest.approx((-high, -low))


def test_a_ratio_is_held_where_student_does_not_tell_the_difference_from_0():
    rng = np.random.default_rng(1)
    below = rng.lognormal(0.0, 0.3, 9)
    above = 2.0 * below * rng.lognormal(0.0, 0.2, 9)
    for end in ratio_interval(above, below):
        assert ttest_1samp(above - end * below, 0.0).pvalue == pytest.approx(0.05)
    assert np.isnan(ratio_interval(above, np.array([5.0, -4.0] * 4 + [0.1]))).all()
    assert ratio_interval(0.7 * below, below) == pytest.approx((0.7, 0.7))
    half = t.ppf(0.975, 1) * 0.05  # of two pairs; the denominators are known
    assert ratio_interval([1.0, 1.2], [2.0, 2.0]) == pytest.approx((0.55 - half, 0.55 + half))


def test_means_with_other_variances_and_differences_of_numbers_with_intervals():
    assert np.isnan(difference_of_means([1.0], [1.0, 2.0])).all()
    assert difference_of_means([2.0, 2.0], [5.0, 5.0, 5.0]) == (3.0, 3.0)
    low, high = difference_of((1.0, 5.0), (9.0, 12.0), (2.0, 10.0))
    assert low == pytest.approx(8.0 - math.hypot(1.0, 3.0))
    assert high == pytest.approx(8.0 + math.hypot(2.0, 1.0))


def test_a_component_that_is_all_there_is_has_the_limits_of_chi_square():
    between, size = 9.0, 3.0
    low, high = component_interval(between, 0.0, 9, 18.0, size)
    assert (low, high) == pytest.approx(freedom_interval(between / size, 8.0))
    assert component_interval(1.0, 4.0, 9, 18.0, size)[0] == 0.0
    assert np.isnan(component_interval(1.0, 1.0, 4, 8.0, 2.0)).all()
    assert np.isfinite(
        component_interval(4.0, 1.0, 9, 1.0, size)
    ).all()  # groups that one more value than they tells
    # The lower end leaves 0 where the test of F tells the component from 0.
    told = float(f.ppf(0.975, 8, 18))
    assert component_interval(told * (1.0 - 1e-6), 1.0, 9, 18.0, size)[0] == 0.0
    assert 0.0 < component_interval(told * (1.0 + 1e-6), 1.0, 9, 18.0, size)[0] < 0.01
    # So does the upper one.
    least = float(f.ppf(0.025, 8, 18))
    assert component_interval(least * (1.0 - 1e-6), 1.0, 9, 18.0, size)[1] == 0.0
    assert 0.0 < component_interval(least * (1.0 + 1e-6), 1.0, 9, 18.0, size)[1] < 0.01


def test_leaving_rows_out_gives_a_mean_its_own_interval():
    values = np.random.default_rng(2).normal(3.0, 1.0, 12)
    found = jackknife(values, lambda some: {"mean": float(some.mean())}, {"mean": "linear"})["mean"]
    assert found == pytest.approx(mean_interval(values))
    logs = jackknife(values, lambda some: {"g": float(np.exp(np.log(some).mean()))}, {"g": "log"})["g"]
    assert np.log(logs) == pytest.approx(mean_interval(np.log(values)))


def test_many_rows_are_left_out_in_groups_and_few_have_no_interval():
    calls = []

    def mean(some):
        calls.append(len(some))
        return {"mean": float(some.mean()), "never": math.nan}

    values = np.random.default_rng(3).normal(size=6400)
    low, high = jackknife(values, mean, {"mean": "linear"})["mean"]
    assert calls == [6400] + [6300] * 64
    assert (high - low) / 2.0 == pytest.approx(1.96 * values.std() / 80.0, rel=0.25)
    assert np.isnan(jackknife(values[:4], mean, {"mean": "linear"})["mean"]).all()
    assert np.isnan(jackknife(values[:50], mean, {"never": "linear"})["never"]).all()


def test_a_correlation_stays_between_its_ends():
    rng = np.random.default_rng(4)
    pairs = rng.normal(size=(8, 1)) + 0.05 * rng.normal(size=(8, 2))
    found = jackknife(pairs, lambda some: {"r": float(np.corrcoef(some.T)[0, 1])}, {"r": "correlation"})["r"]
    assert -1.0 < found[0] < np.corrcoef(pairs.T)[0, 1] < found[1] < 1.0


def test_the_likelihood_of_a_normal_mean_falls_as_student_has_it():
    values = np.array([1.0, 2.0, 4.0, 8.0, 9.0, 3.0])

    def cost(place):
        mean, log_deviation = place
        return float(6 * log_deviation + 0.5 * ((values - mean) ** 2).sum() * math.exp(-2.0 * log_deviation))

    place = np.array([values.mean(), math.log(values.std())])
    found = profile_interval(cost, place, 0, likelihood_drop(6))
    assert found == pytest.approx(mean_interval(values), abs=2e-3)
    assert likelihood_drop(100_000) == pytest.approx(chi2.ppf(0.95, 1), rel=1e-3)


def test_an_end_that_is_not_found_is_not_known():
    low, high = profile_interval(lambda place: float(place[1] ** 2), np.zeros(2), 0, 3.84)
    assert math.isnan(low)
    assert math.isnan(high)


def test_what_is_not_known_is_none_in_a_result():
    assert with_interval("rate", 2.0, (math.nan, math.inf)) == {
        "rate": 2.0,
        "rate_low": None,
        "rate_high": None,
    }
    assert finite(math.nan) is None


def test_two_values_have_an_interval_and_one_has_none():
    half = t.ppf(0.975, 1)
    assert mean_interval([1.0, 3.0]) == pytest.approx((2.0 - half, 2.0 + half))
    wide = half * math.sqrt(3.0)
    assert repetition_interval([1.0, 3.0]) == pytest.approx((2.0 - wide, 2.0 + wide))
    assert difference_of_means([1.0, 3.0], [6.0, 8.0]) == pytest.approx(
        (5.0 - t.ppf(0.975, 2) * math.sqrt(2.0), 5.0 + t.ppf(0.975, 2) * math.sqrt(2.0))
    )
    for ends in (mean_interval([1.0]), repetition_interval([1.0]), difference_of_means([1.0, 3.0], [6.0])):
        assert np.isnan(ends).all()
