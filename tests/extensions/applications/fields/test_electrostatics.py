"""Poisson's equation by finite volumes: against the sine transform, closed forms of the continuum and Rayleigh's
cylinders.
"""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.fields.electrostatics import (
    Electrostatics,
    field,
    flux,
    grounded,
    rayleigh,
    sine_transform,
    system,
)
from mho.extensions.applications.fields.poisson import CYLINDER, PRESETS, VOLTS, seeds, sine, streamlines


def solved(problem: Electrostatics) -> np.ndarray:
    matrix, rhs = system(problem)
    return np.linalg.solve(matrix, rhs).reshape(problem.size, problem.size)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_matrix_is_symmetric_positive_definite(name: str) -> None:
    matrix, _ = system(PRESETS[name](8))
    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix)[0] > 0.0


@pytest.mark.parametrize("name", ["dipole", "quadrupole", "sine"])
def test_charges_in_a_box_are_as_the_sine_transform_has_them(name: str) -> None:
    problem = PRESETS[name](9)
    assert problem.has_sine_transform
    np.testing.assert_allclose(solved(problem), sine_transform(problem.source), atol=1e-14)


def test_error_to_the_continuum_falls_with_the_square_of_the_step() -> None:
    errors = []
    for n in (8, 16):
        exact = sine(n).source / (2.0 * np.pi**2)
        errors.append(float(np.abs(solved(sine(n)) - exact).max()))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


def test_cylinders_have_rayleighs_permittivity() -> None:
    problem = PRESETS["cylinder"](24)
    share = float((problem.permittivity > 1.0).mean())
    effective = flux(solved(problem), problem) / VOLTS
    assert effective == pytest.approx(rayleigh(CYLINDER, share), rel=0.01)


def test_few_cylinders_are_as_maxwell_garnett_has_them() -> None:
    assert rayleigh(3.0, 1e-3) == pytest.approx(1.0 + 2e-3 * 0.5, rel=1e-5)


def test_field_between_wide_plates_is_voltage_over_distance() -> None:
    n = 16
    problem = PRESETS["capacitor"](n)
    rows = np.flatnonzero(problem.fixed.any(axis=1))
    _, along = field(solved(problem), problem)
    assert along[n // 2, n // 2] == pytest.approx(VOLTS * n / np.diff(rows)[0], rel=0.01)


def test_electrodes_keep_their_potential() -> None:
    problem = PRESETS["capacitor"](12)
    np.testing.assert_allclose(solved(problem)[problem.fixed], problem.potential[problem.fixed], atol=1e-14)


def test_field_is_that_of_a_linear_potential() -> None:
    n = 6
    none = np.zeros((n, n))
    problem = Electrostatics(none, np.ones((n, n)), none.astype(bool), none, (1.0, 0.0, None, None))
    across, along = field(solved(problem), problem)
    np.testing.assert_allclose(across, 1.0, atol=1e-12)
    np.testing.assert_allclose(along, 0.0, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4), (4,), (1, 1)])
def test_source_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="square array of at least 2 x 2"):
        grounded(np.ones(shape))


def test_source_without_charge_is_refused() -> None:
    with pytest.raises(InputError, match="zero everywhere"):
        grounded(np.zeros((4, 4)))


def test_floating_potential_is_refused() -> None:
    none = np.zeros((4, 4))
    with pytest.raises(InputError, match="singular"):
        system(Electrostatics(none, np.ones((4, 4)), none.astype(bool), none, (None,) * 4))


def test_field_lines_of_a_uniform_field_are_straight() -> None:
    ones = np.ones((8, 8))
    (line,) = streamlines(ones, 0.0 * ones, np.array([[0.5, 0.3]]), np.zeros((8, 8), dtype=bool))
    np.testing.assert_allclose(line[:, 1], 0.3)
    assert line[0, 0] < 0.05
    assert line[-1, 0] > 0.95
    assert (np.diff(line[:, 0]) > 0.0).all()


@pytest.mark.thorough
def test_field_lines_of_a_rotation_are_circles() -> None:
    n = 32
    x = (np.arange(n) + 0.5) / n - 0.5
    across, along = np.tile(-x[:, None], (1, n)), np.tile(x, (n, 1))
    (line,) = streamlines(across, along, np.array([[0.75, 0.5]]), np.zeros((n, n), dtype=bool))
    np.testing.assert_allclose(np.hypot(*(line - 0.5).T), 0.25, rtol=1e-3)


def test_field_lines_end_at_charges() -> None:
    problem = PRESETS["dipole"](16)
    charged = problem.source != 0.0
    lines = streamlines(*field(solved(problem), problem), seeds(problem), charged)
    ends = np.array([line[-1] for line in lines])
    negative = (np.argwhere(problem.source < 0.0)[0, ::-1] + 0.5) / 16
    assert (np.abs(ends - negative).max(axis=1) < 1.0 / 16).sum() > 12
