"""Inverses from a chip: symmetric, with their errors told, whole and along the worst direction."""

import numpy as np
import pytest

from mho.extensions.applications.training.training_run import invert_on_chip


class OffBy:
    """A holder whose matrices answer by an inverse that is off by a given matrix."""

    products_on_chip = True

    def __init__(self, off):
        self._off = off

    def hold(self, matrix, **options):
        self.size, self.held, self.options = len(matrix), matrix, options
        return self

    def invert(self, rhs):
        return (np.linalg.inv(self.held) + self._off) @ rhs

    def summary(self):
        return {"pulses": 7}


MATRIX = np.diag([0.1, 1.0, 10.0])


def test_the_chip_holds_a_diagonal_of_ones():
    root = np.random.default_rng(0).normal(size=(4, 4)) * np.array([1.0, 10.0, 100.0, 0.1])
    matrix = root.T @ root + np.eye(4)
    holder = OffBy(np.zeros((4, 4)))
    found = invert_on_chip(matrix, holder, 1)
    np.testing.assert_allclose(np.diag(holder.held), 1.0)
    assert np.linalg.cond(holder.held) < 0.1 * np.linalg.cond(matrix)
    np.testing.assert_allclose(found.inverse @ matrix, np.eye(4), atol=1e-9)
    assert (found.pulses, found.condition) == (7, pytest.approx(np.linalg.cond(matrix)))


def test_errors_that_no_symmetric_inverse_has_are_taken_out():
    off = np.zeros((3, 3))
    off[0, 2], off[2, 0] = 0.3, -0.3
    found = invert_on_chip(MATRIX, OffBy(off), 1)
    np.testing.assert_allclose(found.inverse, np.linalg.inv(MATRIX))
    assert found.error == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("size", [0.2, 2.0])
def test_the_worst_direction_tells_what_the_entries_hide(place, size):
    off = np.zeros((3, 3))
    off[place, place] = -size
    found = invert_on_chip(MATRIX, OffBy(off), 1)
    assert found.error == pytest.approx(size / MATRIX[place, place] / np.linalg.norm([10.0, 1.0, 0.1]))
    assert found.worst == pytest.approx(size)
    assert (np.linalg.eigvalsh(found.inverse).min() < 0.0) == (size > 1.0)


def test_a_single_step_asks_for_no_products():
    holder = OffBy(np.zeros((3, 3)))
    invert_on_chip(MATRIX, holder, 1)
    assert holder.options["residual"] == "float64"
