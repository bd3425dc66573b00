"""Matrices with a given condition number are what they claim to be, and a list of such numbers is read or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.procedures.equations.invert import LARGEST, MOST, condition_numbers, positive_definite


@given(st.integers(2, 12), st.floats(1.0, 1e6), st.integers(0, 1000))
def test_a_matrix_is_symmetric_positive_definite_with_its_condition_number(size, condition, seed):
    matrix = positive_definite(size, condition, np.random.default_rng(seed))
    assert (matrix == matrix.T).all()
    eigenvalues = np.linalg.eigvalsh(matrix)
    expected = np.geomspace(1.0 / condition, 1.0, size)
    assert eigenvalues == pytest.approx(expected, rel=1e-6, abs=1e-14)


def test_condition_number_1_is_the_identity_to_the_last_bit():
    assert (positive_definite(5, 1.0, np.random.default_rng(1)) == np.eye(5)).all()


def test_eigenvectors_point_in_all_directions_alike():
    # Each eigenvector's share of each axis is 1 / n on average.
    rng = np.random.default_rng(3)
    matrices = np.array([positive_definite(3, 1e6, rng) for _ in range(4000)])
    assert matrices.mean(axis=0) == pytest.approx(np.eye(3) * (1 + 1e-3 + 1e-6) / 3, abs=0.03)
    off = np.sign(matrices[:, 0, 1])
    assert abs(off.mean()) < 0.06


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ("1, 10,1e3", (1.0, 10.0, 1000.0)),
        (7, (7.0,)),
        ([2, 4.5], (2.0, 4.5)),
        (np.array([3.0, 5.0]), (3.0, 5.0)),
    ],
)
def test_condition_numbers_are_read(given, numbers):
    assert condition_numbers(given) == numbers


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("1, ten", r"conditions has 'ten'; a condition number is a number from 1 to 1e\+12"),
        ("1,,3", "conditions has ''"),
        ("0.5", "conditions has '0.5'"),
        ("nan", "conditions has 'nan'"),
        (LARGEST * 10, "conditions has 10000000000000.0"),
        ([None], "conditions has None"),
        ([], "conditions has 0 numbers; give 1 to 100 of them"),
        ([2.0] * (MOST + 1), "conditions has 101 numbers"),
    ],
)
def test_what_is_no_condition_number_is_refused(given, sentence):
    with pytest.raises(InputError, match=sentence):
        condition_numbers(given)
