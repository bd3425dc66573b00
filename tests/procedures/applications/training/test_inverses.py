"""Inverses from a chip: symmetric, with their errors told, whole and along the worst direction."""

import numpy as np
import pytest

from mho.procedures.applications.training.inverses import invert_on_chip


class OffBy:
    """A holder whose matrices answer by an inverse that is off by a given matrix."""

    products_on_chip = True

    def __init__(self, off):
        self._off = off

    def hold(self, matrix, **options):
        self.size, self._matrix, self.options = len(matrix), matrix, options
        return self

    def invert(self, rhs):
        return (np.linalg.inv(self._matrix) + self._off) @ rhs

    def summary(self):
        return {"pulses": 7}


MATRIX = np.diag([0.1, 1.0, 10.0])


def test_errors_of_no_sense_in_a_symmetric_inverse_are_taken_out():
    off = np.zeros((3, 3))
    off[0, 2], off[2, 0] = 0.3, -0.3
    found = invert_on_chip(MATRIX, OffBy(off), 1)
    np.testing.assert_allclose(found.inverse, np.linalg.inv(MATRIX))
    assert found.error == pytest.approx(0.0, abs=1e-15)
    assert (found.pulses, found.condition) == (7, pytest.approx(100.0))


@pytest.mark.parametrize(("place", "worst"), [(0, 0.02), (1, 0.2), (2, 2.0)])
def test_the_same_error_counts_more_along_a_direction_of_more_curvature(place, worst):
    off = np.zeros((3, 3))
    off[place, place] = -0.2
    found = invert_on_chip(MATRIX, OffBy(off), 1)
    assert found.error == pytest.approx(0.2 / np.linalg.norm([10.0, 1.0, 0.1]))
    assert found.worst == pytest.approx(worst)
    assert (np.linalg.eigvalsh(found.inverse).min() < 0.0) == (worst > 1.0)


def test_a_single_step_asks_for_no_products():
    holder = OffBy(np.zeros((3, 3)))
    invert_on_chip(MATRIX, holder, 1)
    assert holder.options["residual"] == "float64"
