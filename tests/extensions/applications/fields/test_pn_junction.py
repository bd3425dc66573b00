"""A p-n junction by Newton's method, against the built-in potential, the exact peak field and the depletion
approximation.
"""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.fields.junction import JunctionModel, intrinsic, newton

SYMMETRIC = JunctionModel(1e23, 1e23, 4e-7, 64)
ONE_SIDED = JunctionModel(1e22, 1e23, 1e-6, 96)


def solved(junction: JunctionModel) -> np.ndarray:
    return list(newton(junction, np.linalg.solve, 1e-10, 30))[-1].phi


def test_intrinsic_density_of_silicon_is_as_measured() -> None:
    assert intrinsic(300.0) == pytest.approx(9.7e15, rel=0.01)


@pytest.mark.parametrize("junction", [SYMMETRIC, ONE_SIDED], ids=["symmetric", "one-sided"])
def test_built_in_potential_follows_from_no_field_at_the_ends(junction: JunctionModel) -> None:
    phi = solved(junction)
    assert (phi[-1] - phi[0]) * junction.thermal == pytest.approx(junction.built_in, rel=1e-3)


@pytest.mark.parametrize("junction", [SYMMETRIC, ONE_SIDED], ids=["symmetric", "one-sided"])
def test_peak_field_is_the_first_integrals(junction: JunctionModel) -> None:
    assert junction.largest_field(solved(junction)) == pytest.approx(junction.peak_field, rel=5e-3)


def test_error_of_the_peak_field_falls_with_the_square_of_the_step() -> None:
    errors = []
    for points in (64, 128):
        junction = JunctionModel(1e23, 1e23, 4e-7, points)
        errors.append(abs(junction.largest_field(solved(junction)) / junction.peak_field - 1.0))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_depletion_approximation_overestimates_the_field_a_little() -> None:
    approximate = 2.0 * SYMMETRIC.built_in / SYMMETRIC.depletion_width
    assert 1.0 < approximate / SYMMETRIC.peak_field < 1.06


def test_mass_action_holds_everywhere() -> None:
    electrons, holes = SYMMETRIC.carriers(solved(SYMMETRIC))
    np.testing.assert_allclose(electrons * holes, SYMMETRIC.intrinsic**2, rtol=1e-9)


def test_jacobian_is_that_of_the_residual() -> None:
    phi = SYMMETRIC.depletion_potential()
    step = 1e-6 * np.eye(64)
    columns = [(SYMMETRIC.residual(phi + one) - SYMMETRIC.residual(phi - one)) / 2e-6 for one in step]
    np.testing.assert_allclose(np.array(columns).T, SYMMETRIC.jacobian(phi), rtol=1e-6, atol=1e-6)


def test_newton_converges_quadratically() -> None:
    changes = [step.change for step in newton(SYMMETRIC, np.linalg.solve, 1e-10, 30)]
    assert len(changes) <= 6
    assert changes[-1] < changes[-2] ** 1.5


def test_an_inexact_solution_only_costs_steps() -> None:
    def rough(matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
        return np.linalg.solve(matrix, rhs) * 1.05

    steps = list(newton(SYMMETRIC, rough, 1e-8, 30))
    np.testing.assert_allclose(steps[-1].phi, solved(SYMMETRIC), atol=1e-7)
    assert len(steps) < 12


@pytest.mark.parametrize("doping", [-1e22, 0.0, 1e14])
def test_doping_below_the_intrinsic_density_is_refused(doping: float) -> None:
    with pytest.raises(InputError, match="the doping of the n side"):
        JunctionModel(1e23, doping, 1e-6, 64)


def test_bar_that_is_depleted_through_is_refused() -> None:
    with pytest.raises(InputError, match="no neutral ends"):
        JunctionModel(1e22, 1e22, 4e-7, 64)
    with pytest.raises(InputError, match="lighter doped side"):
        JunctionModel(1e22, 1e24, 6e-7, 64)
