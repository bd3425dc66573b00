"""Line sums: right integers agree, up to four wrong ones never do, up to two are located, more are not taken for two."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mho.chip_maps.checksums import MODULUS, REACH, SUMS, LineSums, line_sums
from mho.errors import ChipMapError

LINES = 12
COLUMNS = st.sampled_from([1, 2, 3, 14, 28])
SEEDS = st.integers(0, 2**32 - 1)


def sums_and_shots(columns: int, seed: int) -> tuple[LineSums, np.ndarray, np.ndarray]:
    """Return line sums of random digits, patterns of lines, and the integers that they add up to."""
    rng = np.random.default_rng(seed)
    digits, shots = rng.integers(0, 8, (LINES, columns)), rng.integers(0, 2, (5, LINES))
    return line_sums(digits), shots, shots @ digits


def wrong(rng: np.random.Generator, shape: tuple[int, int], count: int, most: int) -> np.ndarray:
    """Return errors of up to `most` of either sign in `count` columns of each shot."""
    errors = np.zeros(shape, np.int64)
    errors[:, :count] = rng.integers(1, most + 1, (shape[0], count)) * rng.choice([-1, 1], (shape[0], count))
    return rng.permuted(errors, axis=1)


@given(COLUMNS, SEEDS)
def test_right_integers_of_any_lines_agree(columns, seed):
    sums, shots, integers = sums_and_shots(columns, seed)
    difference = sums.difference(integers, shots)
    assert not difference.any()
    errors, located = sums.locate(difference)
    assert not errors.any()
    assert located.all()


@given(COLUMNS, SEEDS, st.integers(1, SUMS), st.sampled_from([1, 3, REACH, MODULUS // 2]))
def test_up_to_four_wrong_integers_of_any_size_disagree(columns, seed, count, most):
    sums, shots, integers = sums_and_shots(columns, seed)
    errors = wrong(np.random.default_rng(seed), integers.shape, min(count, columns), most)
    assert sums.difference(integers + errors, shots).any(axis=1).all()


@given(COLUMNS.filter(lambda columns: columns > 1), SEEDS, st.integers(1, 2))
def test_up_to_two_wrong_integers_are_located(columns, seed, count):
    sums, shots, integers = sums_and_shots(columns, seed)
    errors = wrong(np.random.default_rng(seed), integers.shape, count, REACH)
    found, located = sums.locate(sums.difference(integers + errors, shots))
    assert located.all()
    assert_array_equal(found, errors)


def test_any_four_columns_are_independent_so_that_five_wrong_integers_are_the_fewest_that_agree():
    powers = line_sums(np.zeros((1, 28), np.int64)).powers
    nodes = powers[:, 1].tolist()
    assert_array_equal(powers, [[pow(node, power, MODULUS) for power in range(SUMS)] for node in nodes])
    for four in itertools.combinations(nodes, SUMS):  # the determinant of a Vandermonde matrix
        assert np.prod([int(b - a) for a, b in itertools.combinations(four, 2)], dtype=object) % MODULUS


@pytest.mark.parametrize("count", daily([3, 4, 5, 8, 16], 3))
def test_more_wrong_integers_are_not_taken_for_two(count):
    rng = np.random.default_rng(count)
    sums, none = line_sums(np.zeros((1, 28), np.int64)), np.zeros((2000, 1), np.int64)
    assert not sums.locate(sums.difference(wrong(rng, (2000, 28), count, 3), none))[1].any()


def test_three_neighbours_with_errors_in_small_ratios_are_not_taken_for_two():
    sums, size = line_sums(np.zeros((1, 28), np.int64)), np.delete(np.arange(-6, 7), 6)
    patterns = np.array(list(itertools.product(size, repeat=3)))
    for first in (0, 1, 12, 25):
        errors = np.zeros((len(patterns), 28), np.int64)
        errors[:, first : first + 3] = patterns
        assert not sums.locate(sums.difference(errors, np.zeros((len(patterns), 1), np.int64)))[1].any()


def test_an_error_beyond_the_reach_is_seen_and_not_located():
    sums, shots, integers = sums_and_shots(28, 0)
    integers[:, 3] += REACH + 1
    difference = sums.difference(integers, shots)
    assert difference.any(axis=1).all()
    assert not sums.locate(difference)[1].any()


def test_more_columns_than_the_modulus_tells_apart_are_refused():
    with pytest.raises(ChipMapError, match=f"{MODULUS} columns cannot be told apart modulo {MODULUS}; cut"):
        line_sums(np.zeros((1, MODULUS), np.int64))
