"""A matrix in digit columns: the integers add up to the exact product, and line groups keep their promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from repository import ROOT

from mho.chip_maps.matrix_files import load_matrix
from mho.chip_maps.multiply_encoding import (
    columns_to_fixed_point,
    encode_multiply,
    encode_offset,
    group_lines,
)
from mho.errors import InputError

PUBLISHED = ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx"

signed = arrays(np.float64, (5, 5), elements=st.floats(-1.0, 1.0, allow_subnormal=False)).filter(
    lambda values: bool(np.abs(values).max() > 1e-3)
)


@given(signed, st.sampled_from([3, 12, 24, 32]), st.integers(0, 2**32 - 1))
def test_integer_sums_combine_to_the_exact_product(matrix, bits, seed):
    encoding = encode_multiply(matrix, bits)
    vector = np.random.default_rng(seed).integers(-(2**10), 2**10, 5)
    product = encoding.combine(vector @ encoding.digits)
    exact = encoding.fixed.integers.astype(object) @ vector.astype(object)  # Python's unbounded integers
    unit = encoding.fixed.scale * 2.0**-encoding.fixed.bits
    assert_array_equal(product, exact.astype(np.float64) * unit)


@given(signed, st.integers(1, 50))
def test_every_cell_holds_a_digit_and_no_column_is_empty(matrix, bits):
    encoding = encode_multiply(matrix, bits)
    assert encoding.digits.min() >= 0
    assert encoding.digits.max() <= 7
    assert encoding.digits.any(axis=0).all()
    assert len(encoding.output) == len(encoding.weight) == encoding.digits.shape[1]


@given(signed, st.integers(2, 50))
def test_the_matrix_held_is_the_matrix_to_the_bits_asked_for(matrix, bits):
    held = encode_multiply(matrix, bits).matrix
    assert np.abs(held - matrix).max() <= 2.0**-bits * np.abs(matrix).max()


def test_the_published_example_keeps_its_printed_digits():
    matrix = load_matrix(PUBLISHED)
    encoding = encode_multiply(matrix, 12)
    assert encoding.fixed.scale == 1.0
    assert_array_equal(encoding.matrix, matrix)
    leading = np.zeros((4, 4), dtype=int)
    first = encoding.weight == 512.0
    leading[encoding.output[first]] = encoding.digits[:, first].T
    assert_array_equal(leading, [[3, 2, 0, 0], [0, 2, 5, 0], [1, 2, 7, 1], [0, 1, 0, 1]])


def test_an_unsigned_matrix_takes_no_negative_columns():
    encoding = encode_multiply(np.array([[0.5, 0.25], [0.0, 0.75]]), 3)
    assert (encoding.weight > 0).all()


def test_more_bits_than_a_double_holds_are_refused():
    with pytest.raises(InputError, match="between 1 and 52"):
        encode_multiply(np.eye(2), 52)  # 18 slices hold 54 bits


@given(
    arrays(np.float64, (7, 4), elements=st.floats(-0.4, 0.4, allow_subnormal=False)),
    arrays(np.float64, (7, 4), elements=st.floats(0.0, 0.03, allow_subnormal=False)),
)
@example(np.full((7, 4), 0.25), np.zeros((7, 4)))  # two lines together are at half a digit
def test_no_binary_pattern_within_a_group_reaches_half_a_digit(errors, noise):
    groups = group_lines(errors, noise)
    assert_array_equal(np.sort(np.concatenate(groups)), np.arange(7))
    for group in groups:
        if len(group) == 1:
            continue
        patterns = (np.arange(2 ** len(group))[:, None] >> np.arange(len(group))) & 1
        worst = np.abs(patterns @ errors[group]) + 5.0 * np.sqrt(patterns @ noise[group] ** 2)
        assert worst.max() < 0.5


def test_perfect_cells_all_go_into_one_group():
    (group,) = group_lines(np.zeros((16, 3)), np.zeros((16, 3)))
    assert_array_equal(group, np.arange(16))


def test_opposite_errors_are_not_set_off_against_each_other():
    # +0.3 and -0.3 cancel when both are active, but either may be active alone with a third of +0.3.
    errors = np.array([[0.3], [-0.3], [0.3]])
    groups = group_lines(errors, np.zeros((3, 1)))
    assert sorted(map(len, groups)) == [1, 2]
    assert not any({0, 2} <= set(group.tolist()) for group in groups)


def test_a_line_beyond_half_a_digit_stands_alone():
    errors = np.array([[0.7], [0.01], [0.01]])
    groups = group_lines(errors, np.zeros((3, 1)))
    assert [group.tolist() for group in groups] == [[0], [1, 2]]


@given(signed, st.sampled_from([3, 12, 24, 32]), st.integers(0, 2**32 - 1))
def test_what_an_offset_adds_is_taken_off_by_the_sum_of_the_vector(matrix, bits, seed):
    encoding = encode_offset(matrix, bits)
    vector = np.random.default_rng(seed).integers(-(2**10), 2**10, 5)
    product = encoding.combine(vector @ encoding.digits, float(vector.sum()))
    exact = encoding.fixed.integers.astype(object) @ vector.astype(object)
    unit = encoding.fixed.scale * 2.0**-encoding.fixed.bits
    assert_array_equal(product, exact.astype(np.float64) * unit)


@given(signed, st.integers(2, 50))
def test_an_offset_takes_one_column_a_digit_and_one_bit(matrix, bits):
    encoding = encode_offset(matrix, bits)
    slices = -(-bits // 3)
    assert encoding.digits.shape == (5, 5 * slices)
    assert encoding.digits.min() >= 0
    assert encoding.digits.max() <= 7
    assert encoding.fixed.bits == 3 * slices - 1
    assert np.abs(encoding.matrix - matrix).max() <= 2.0 ** (1 - bits) * np.abs(matrix).max()


def test_the_noise_of_the_reading_counts_once_a_group_and_not_for_each_line():
    errors, noise = np.zeros((32, 4)), np.full((32, 4), 0.01)
    assert len(group_lines(errors, noise, reading=0.05)) == 1  # 5 (0.05^2 + 32 0.01^2)^(1/2) = 0.38
    assert len(group_lines(errors, noise, reading=0.09)) == 2  # 19 lines at once
    assert len(group_lines(errors, np.hypot(noise, 0.05))) == 11


def test_what_is_left_of_the_half_digit_is_not_filled_with_lines():
    errors, noise = np.full((32, 4), 0.04), np.zeros((32, 4))
    assert len(group_lines(errors, noise)) == 3  # 12 lines at once
    assert len(group_lines(errors, noise, spare=0.1)) == 4  # 9


@pytest.mark.parametrize("encode", [encode_multiply, encode_offset])
@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (1, 3)])
def test_a_matrix_need_not_be_square(encode, shape):
    rng = np.random.default_rng(8)
    encoding = encode(rng.standard_normal(shape), 12)
    vectors = rng.integers(-9, 9, (4, shape[1]))
    products = np.array(
        [encoding.combine(one @ encoding.digits, float(one.sum())) for one in vectors.astype(float)]
    )
    np.testing.assert_allclose(products, vectors @ encoding.matrix.T, rtol=1e-12)
    sums = vectors[0] @ encoding.digits
    assert_array_equal(encoding.combine(sums), encoding.combine(sums, 0.0))


def test_the_worst_lines_are_grouped_first():
    errors = np.array([[0.05], [0.2], [0.4], [-0.1]])
    groups = group_lines(errors, np.zeros((4, 1)))
    assert [group.tolist() for group in groups] == [[0, 2, 3], [1]]


def test_columns_in_fixed_point_have_a_scale_each_and_zeros_stay_zeros():
    vectors = np.array([[1.0, 0.0, -3.0], [-0.5, 0.0, 1.0]])
    found = columns_to_fixed_point(vectors, 4)
    assert_array_equal(found.integers, [[15, 0, -15], [-8, 0, 5]])
    np.testing.assert_allclose(found.scales, [16.0 / 15.0, 16.0 / 15.0, 16.0 / 5.0])
    np.testing.assert_allclose(found.values, [[1.0, 0.0, -3.0], [-8.0 / 15.0, 0.0, 1.0]])
    for bits in (1, 52):
        assert np.abs(columns_to_fixed_point(vectors, bits).integers).max() == 2**bits - 1
    for bits in (0, 53):
        with pytest.raises(InputError, match=f"bits is {bits}; it must be between 1 and 52"):
            columns_to_fixed_point(vectors, bits)
