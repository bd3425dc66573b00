"""Patterns of active lines: their weighted sum is the vector, and random ones are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal

from mho.chip_maps.multiply_encoding import FixedPoint
from mho.procedures.equations.circuits.tiles import (
    active_counts,
    bit_serial,
    bit_serial_complement,
    consecutive_groups,
    random_patterns,
)

BITS = 9
INTEGERS = arrays.arrays(np.int64, st.integers(1, 12), elements=st.integers(-(2**BITS) + 1, 2**BITS - 1))


def fixed_point(integers: np.ndarray, bits: int = BITS) -> FixedPoint:
    return FixedPoint(integers, bits, 1.0, integers * 2.0**-bits)


@given(INTEGERS, st.integers(1, 5))
def test_the_weighted_patterns_are_the_integers(integers, most):
    groups = consecutive_groups(len(integers), most)
    patterns, weights = bit_serial(fixed_point(integers), groups)
    assert_array_equal(weights @ patterns, integers)
    assert patterns.sum(axis=1).max(initial=1) <= most
    assert patterns.any(axis=1).all()
    assert set(np.unique(patterns)) <= {0, 1}


def test_a_pattern_holds_one_bit_of_one_sign_of_one_group():
    patterns, weights = bit_serial(fixed_point(np.array([5, -4, 1]), 3), [np.array([0, 1]), np.array([2])])
    assert_array_equal(weights, [1, 1, 4, -4])
    assert_array_equal(patterns, [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])


@given(INTEGERS, st.integers(1, 5))
def test_patterns_in_two_s_complement_are_the_integers_in_fewer_shots(integers, most):
    groups = consecutive_groups(len(integers), most)
    patterns, weights = bit_serial_complement(fixed_point(integers), groups)
    assert_array_equal(weights @ patterns, integers)
    assert patterns.sum(axis=1).max(initial=1) <= most
    assert patterns.any(axis=1).all()
    assert len(patterns) <= (BITS + 1) * len(groups)


@pytest.mark.parametrize(
    ("lines", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (9, [1, 2, 4, 8, 9])]
)
def test_active_lines_double_up_to_all(lines, counts):
    assert active_counts(lines) == counts


@given(st.integers(1, 20), st.data())
def test_groups_of_neighbours_cover_every_line_once(lines, data):
    most = data.draw(st.integers(1, 25))
    groups = consecutive_groups(lines, most)
    assert_array_equal(np.concatenate(groups), np.arange(lines))
    assert max(map(len, groups)) == min(most, lines)


def test_random_patterns_have_so_many_lines_active_and_prefer_none():
    patterns = random_patterns(10, 3, 20_000, np.random.default_rng(1))
    assert_array_equal(patterns.sum(axis=1), 3)
    # Each line is active in 3 of 10 patterns, each pair of lines in 3 x 2 of 10 x 9.
    together = patterns.T @ patterns / len(patterns)
    assert np.abs(np.diag(together) - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 20_000)
    assert np.abs(together[~np.eye(10, dtype=bool)] - 6 / 90).max() < 5 * np.sqrt(6 / 90 / 20_000)
