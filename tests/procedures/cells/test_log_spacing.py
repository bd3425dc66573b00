"""Log-spaced moments and counts, levels of cells: functions of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.levels import UNKNOWN, in_windows, nearest_levels
from mho.errors import InputError
from mho.procedures.cells.extraction.switching_statistics import robust_deviation
from mho.procedures.cells.log_spacing import log_counts, log_spaced

LEVELS = load_chip_map("reference").level_scale()


@given(st.floats(1e-3, 1e6), st.floats(1.0, 1e9), st.integers(1, 50))
def test_values_begin_and_end_where_asked_and_are_evenly_spaced_on_a_log_scale(first, factor, per_decade):
    values = log_spaced(first, first * factor, per_decade)
    assert values[0] == first
    assert values[-1] == first * factor
    assert (np.diff(values) > 0.0).all()
    steps = np.diff(np.log10(values))
    np.testing.assert_allclose(steps[:-1], 1.0 / per_decade, rtol=1e-6)
    assert steps.size == 0 or steps[-1] <= 1.0 / per_decade * (1.0 + 1e-6)


@given(st.integers(1, 10**12), st.integers(1, 20))
def test_counts_are_whole_none_is_twice_and_the_last_is_there(last, per_decade):
    counts = log_counts(last, per_decade)
    assert (counts[0], counts[-1]) == (1, last)
    assert (np.diff(counts) > 0).all()
    assert len(counts) <= per_decade * np.log10(last) + 2.01


def test_a_decade_of_counts():
    assert log_counts(100, 3).tolist() == [1, 2, 5, 10, 22, 46, 100]
    assert log_spaced(2.0, 2.0, 3).tolist() == [2.0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0.0, 1.0, 3), "begins at 0; begin above 0"),
        ((float("nan"), 1.0, 3), "begins at nan"),
        ((2.0, 1.0, 3), "ends at 1, before it begins at 2"),
        ((1.0, float("inf"), 3), "ends at inf"),
        ((1.0, 10.0, 0), "0 values a decade; give 1 to 1000"),
    ],
)
def test_what_cannot_be_spaced_is_refused(arguments, said):
    with pytest.raises(InputError, match=said):
        log_spaced(*arguments)


def test_a_robust_deviation_is_that_of_a_normal_distribution_and_outliers_leave_it_alone():
    values = np.random.default_rng(1).normal(0.0, 2.0, 20_000)
    assert robust_deviation(values) == pytest.approx(2.0, rel=0.03)
    values[:200] = 1e6
    assert robust_deviation(values) == pytest.approx(2.0, rel=0.06)
    assert np.isnan(robust_deviation(np.ones(3)))


def test_a_cell_belongs_to_the_nearest_level_or_to_none():
    reads = np.array([1e-9, 0.3e-6, 4.9e-6, 7.6e-6, 16.3e-6, 60e-6])
    digits = nearest_levels(reads, LEVELS, reads > 0.1e-6)
    assert digits.tolist() == [UNKNOWN, 0, 1, 2, 3, 7]
    assert in_windows(reads, digits, LEVELS).tolist() == [False, True, True, False, False, False]
