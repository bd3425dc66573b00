"""Implicit steps of diffusion, against the exact decay of modes on the grid and the heat kernel."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.fields.diffusion import (
    SCHEMES,
    STARTS,
    WIDTH,
    closed_form,
    implicit_matrix,
    march,
)


def mode_factor(n: int, ratio: float, theta: float) -> float:
    """Return the factor by which one step shrinks the slowest sine mode, exactly, on the grid."""
    eigenvalue = 8.0 * np.sin(np.pi / (2.0 * n)) ** 2
    return float((1.0 - (1.0 - theta) * ratio * eigenvalue) / (1.0 + theta * ratio * eigenvalue))


def marched(start: str, n: int, step: float, steps: int, scheme: str) -> list[np.ndarray]:
    ratio, theta = step * n**2, SCHEMES[scheme]
    matrix = implicit_matrix(n, ratio, theta)
    return list(
        march(closed_form(start, n, 0.0), ratio, theta, steps, lambda rhs: np.linalg.solve(matrix, rhs))
    )


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_mode_shrinks_by_its_factor(scheme: str) -> None:
    n, step = 10, 2e-3
    first = closed_form("sine", n, 0.0)
    last = marched("sine", n, step, 5, scheme)[-1]
    np.testing.assert_allclose(last, first * mode_factor(n, step * n**2, SCHEMES[scheme]) ** 5, rtol=1e-12)


@pytest.mark.parametrize(("scheme", "order"), [("Crank-Nicolson", 2), ("Euler", 1)])
def test_the_factor_of_a_step_has_the_schemes_order(scheme: str, order: int) -> None:
    rate = 8.0 * 100**2 * np.sin(np.pi / 200.0) ** 2
    errors = [
        abs(mode_factor(100, step * 1e4, SCHEMES[scheme]) ** (0.1 / step) - np.exp(-rate * 0.1))
        for step in (2e-3, 1e-3)
    ]
    assert errors[0] / errors[1] == pytest.approx(2.0**order, rel=0.05)


@pytest.mark.thorough
@pytest.mark.parametrize("start", sorted(STARTS))
def test_crank_nicolson_follows_the_closed_form(start: str) -> None:
    last = marched(start, 24, 1e-3, 10, "Crank-Nicolson")[-1]
    exact = closed_form(start, 24, 1e-2)
    assert np.abs(last - exact).max() < 0.02 * exact.max()


def test_closed_forms_are_zero_at_the_walls_and_fall() -> None:
    early, late = closed_form("gaussian", 101, 0.0), closed_form("gaussian", 101, 0.05)
    assert early[50, 50] == pytest.approx(1.0)
    assert early[0].max() < 1e-3
    assert late.sum() < early.sum()


def test_a_narrow_bump_is_the_heat_kernel() -> None:
    spread = 1e-3
    value = closed_form("gaussian", 101, spread)[50, 50]
    assert value == pytest.approx(WIDTH**2 / (WIDTH**2 + 2.0 * spread), rel=1e-6)


def test_matrix_dominates_its_diagonal() -> None:
    matrix = implicit_matrix(6, 0.5, 1.0)
    off = np.abs(matrix - np.diag(np.diag(matrix))).sum(axis=1)
    assert (np.diag(matrix) - off >= 1.0 - 1e-12).all()
