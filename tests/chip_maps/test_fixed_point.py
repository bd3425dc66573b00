"""Fixed point and digits: what goes in comes out, and nothing is rounded that need not be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal

from mho.chip_maps.multiply_encoding import MAX_BITS, slice_count, slice_digits, slices_needed, to_fixed_point
from mho.errors import InputError

bits = st.integers(1, MAX_BITS)


def joined(digits: np.ndarray) -> np.ndarray:
    return np.tensordot(8 ** np.arange(len(digits))[::-1], digits, axes=1)


matrices = arrays(
    np.float64,
    array_shapes(min_dims=1, max_dims=2, max_side=6),
    elements=st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=False),
).filter(lambda values: bool(np.abs(values).max() > 1e-200))


@given(matrices, bits)
def test_rounding_is_off_by_at_most_half_a_unit(values, bits):
    fixed = to_fixed_point(values, bits)
    unit = fixed.scale * 2.0**-bits
    assert np.all(np.abs(fixed.values - values) <= 0.5 * unit * (1.0 + 1e-9))
    assert np.abs(fixed.integers).max() < 2**bits


@given(matrices, bits)
def test_the_range_is_used_to_the_last_integer_unless_nothing_is_rounded(values, bits):
    fixed = to_fixed_point(values, bits)
    assert np.abs(fixed.integers).max() == 2**bits - 1 or np.array_equal(fixed.values, values)


@given(
    arrays(np.int64, (3, 4), elements=st.integers(-(2**12) + 1, 2**12 - 1)).filter(np.any),
    st.integers(-40, 40),
)
def test_numbers_that_fit_a_power_of_two_stay_exactly_what_they_are(integers, exponent):
    values = integers * 2.0**exponent
    fixed = to_fixed_point(values, 12)
    assert_array_equal(fixed.values, values)
    assert np.log2(fixed.scale) % 1.0 == 0.0


@given(arrays(np.int64, (3,), elements=st.integers(-2047, 2047)), st.integers(0, 2))
def test_one_value_that_does_not_fit_a_power_of_two_keeps_none_from_the_full_range(integers, place):
    values = np.append(integers, 2048.0)
    values[place] = 0.3  # the largest value fits, another does not
    assert np.abs(to_fixed_point(values, 12).integers).max() == 2**12 - 1


@pytest.mark.parametrize("values", [[1.0, np.nan], [np.nan, np.nan], [1.0, np.inf]])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(InputError, match=r"largest magnitude is (nan|inf)"):
        to_fixed_point(np.array(values), 12)


@given(arrays(np.int64, (2, 3), elements=st.integers(0, 2**51 - 1)), st.integers(17, 20))
def test_digits_joined_again_are_the_integers(integers, slices):
    digits = slice_digits(integers, slices)
    assert digits.shape == (slices, 2, 3)
    assert digits.min() >= 0
    assert digits.max() <= 7
    assert_array_equal(joined(digits), integers)


@given(st.integers(0, 2**24 - 1), st.integers(1, 7))
def test_leading_slices_truncate(value, kept):
    digits = slice_digits(np.array([value]), 8)
    assert joined(digits[:kept])[0] == value >> (3 * (8 - kept))


@pytest.mark.parametrize(("bits", "slices"), [(1, 1), (3, 1), (4, 2), (12, 4), (24, 8), (32, 11), (48, 16)])
def test_so_many_slices_hold_so_many_bits(bits, slices):
    assert slice_count(bits) == slices


def test_too_large_and_negative_integers_are_refused_rather_than_cut():
    with pytest.raises(InputError, match="up to 512 do not fit 3 digits of 3 bits"):
        slice_digits(np.array([512]), 3)
    with pytest.raises(InputError):
        slice_digits(np.array([5, -1]), 3)


@pytest.mark.parametrize("bits", [0, -1, MAX_BITS + 1])
def test_bits_that_a_double_cannot_hold_are_refused(bits):
    with pytest.raises(InputError, match=f"bits is {bits}; it must be between 1 and {MAX_BITS}"):
        to_fixed_point(np.ones(2), bits)


def test_zeros_cannot_be_scaled():
    with pytest.raises(InputError, match="nothing but zeros"):
        to_fixed_point(np.zeros((2, 2)), 12)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-300, 1e300, 1.7e308])
def test_magnitudes_at_the_ends_of_float64_are_refused_before_they_overflow(size):
    with pytest.raises(InputError, match="scale it"):
        to_fixed_point(np.array([size, -size / 3]), 12)


@pytest.mark.parametrize("size", [1e-250, 1e250])
def test_the_ends_of_the_range_belong_to_it(size):
    assert to_fixed_point(np.array([size, -size / 3]), 12).values[0] == pytest.approx(size)
    for beyond in (size / 2 if size < 1.0 else 1.001 * size, 0.0):
        with pytest.raises(InputError, match=r"scale it|nothing but zeros"):
            to_fixed_point(np.array([beyond]), 12)
    with pytest.raises(InputError, match="nothing but zeros"):
        to_fixed_point(np.zeros(0), 12)


@pytest.mark.parametrize("share", [0.5, 0.99, 1.0])
def test_as_many_slices_as_hold_a_matrix_to_within_an_error(share):
    matrix = np.random.default_rng(3).standard_normal((5, 4))
    norms = [np.linalg.norm(matrix - to_fixed_point(matrix, bits).values, 2) for bits in range(3, 37, 3)]
    for count in (3, 5, 8):
        error = norms[count - 1] if share == 1.0 else share * norms[count - 2]
        assert slices_needed(matrix, 4, error) == count
    assert slices_needed(matrix, 14, 1.0) == 5  # no fewer than for its bits


def test_where_no_number_of_slices_is_enough_there_are_as_many_as_there_are_bits():
    assert slices_needed(np.array([[1.0, 1e-3 / 3.0]]), 3, 0.0) == MAX_BITS // 3
    assert slices_needed(np.array([[1.0, 0.5]]), 3, 0.0) == 1
