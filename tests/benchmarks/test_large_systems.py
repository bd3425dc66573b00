"""Systems larger than a loop: the equations they discretise, and their sizes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._large_systems import LARGE, draw, spd
from mho.extensions.reach.families import convection_diffusion, grid_sides, poisson


@pytest.mark.parametrize(
    ("n", "sides"), [(1, (1, 1)), (7, (1, 7)), (16, (4, 4)), (48, (6, 8)), (1024, (32, 32)), (2048, (32, 64))]
)
def test_a_grid_is_as_square_as_its_points_allow(n, sides):
    assert grid_sides(n) == sides


@pytest.mark.parametrize("n", [1, 7, 12, 48])
def test_the_eigenvalues_of_poisson_are_those_of_its_lines(n):
    rows, columns = (
        2.0 - 2.0 * np.cos(np.pi * np.arange(1, side + 1) / (side + 1)) for side in grid_sides(n)
    )
    np.testing.assert_allclose(np.linalg.eigvalsh(poisson(n)), np.sort(np.add.outer(rows, columns).ravel()))


def test_convection_carries_downstream_and_keeps_a_constant_inside():
    matrix = convection_diffusion(48, peclet=3.0)
    inside = 3 * 8 + 4
    np.testing.assert_allclose(matrix[inside].sum(), 0.0, atol=1e-14)
    assert matrix[inside, inside - 1] == -4.0
    assert matrix[inside, inside + 1] == -1.0
    assert matrix[inside, inside - 8] == -2.5
    assert np.linalg.eigvalsh(matrix + matrix.T).min() > 0.0


def test_a_definite_matrix_has_the_condition_number_asked_for():
    assert np.linalg.cond(spd(np.random.default_rng(0), 24, 1e3)) == pytest.approx(1e3)


@pytest.mark.parametrize("family", LARGE)
def test_a_draw_is_the_same_for_the_same_seed(family):
    one, again, other = draw(family, 20, 1), draw(family, 20, 1), draw(family, 20, 2)
    np.testing.assert_array_equal(one.matrix, again.matrix)
    np.testing.assert_array_equal(one.rhs, again.rhs)
    assert one.matrix.shape == (20, 20)
    assert np.any(one.rhs != other.rhs)
