"""Poisson's equation on a square by finite volumes: matrix, right-hand side, field, and the closed forms to compare with.

    -div(eps grad u) = f  on (0, 1)^2,   u given or du/dn = 0 on each wall,   u given in some cells

Cell [row, column] has its centre at ((column + 1/2) h, (row + 1/2) h), h = 1/n. Two neighbours are coupled by the harmonic
mean of their permittivities, a cell and a wall by twice the cell's, since the wall is half a cell away. All rows are
multiplied by h^2, so that entries are of order 1 and symmetric (LeVeque, Finite Difference Methods, SIAM 2007, 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn

from mho.array_types import Floats
from mho.errors import InputError

# Rayleigh's second lattice sum of a square array of cylinders, with the factor that his formula has it with
LATTICE_SUM = 0.305827


@dataclass(frozen=True)
class Electrostatics:
    """What makes a potential."""

    source: Floats  # (n, n): f, the charge density over the vacuum's permittivity, V/m^2
    permittivity: Floats  # (n, n): relative, positive
    fixed: NDArray[np.bool_]  # (n, n): the cells of electrodes
    potential: Floats  # (n, n): their potential, V
    # Potential of the left, right, top and bottom wall, V; None insulates
    walls: tuple[float | None, float | None, float | None, float | None] = (0.0, 0.0, 0.0, 0.0)

    @property
    def size(self) -> int:
        """Cells along a side."""
        return len(self.source)

    @property
    def has_sine_transform(self) -> bool:
        """Whether the sine transform solves it: grounded walls, one permittivity, no electrode."""
        return self.walls == (0.0,) * 4 and not self.fixed.any() and bool((self.permittivity == 1.0).all())


def grounded(source: Floats) -> Electrostatics:
    """Return charges in an empty grounded box.

    Raises `InputError`: the array is not square, or has no charge.
    """
    source = np.asarray(source, dtype=np.float64)
    if source.ndim != 2 or source.shape[0] != source.shape[1] or source.size < 4:
        raise InputError(
            f"the source has shape {source.shape}; give a square array of at least 2 x 2, one value a cell of the grid"
        )
    if not source.any():
        raise InputError("the source is zero everywhere, and so is the potential; give some charge")
    none = np.zeros(source.shape)
    return Electrostatics(source, np.ones(source.shape), none.astype(bool), none)


def system(problem: Electrostatics) -> tuple[Floats, Floats]:
    """Return matrix and right-hand side; unknowns row by row.

    `matrix` (n^2, n^2): symmetric positive definite. A cell of an electrode keeps its row, with the permittivity's 4 on
    the diagonal. `rhs` (n^2,): V. Raises `InputError`: no potential is given anywhere, so that it is known up to a
    constant only.
    """
    n, eps = problem.size, problem.permittivity
    if all(wall is None for wall in problem.walls) and not problem.fixed.any():
        raise InputError("no wall and no electrode has a potential: give one, or the matrix is singular")
    number = np.arange(n * n).reshape(n, n)
    matrix = np.zeros((n * n, n * n))
    rhs = problem.source.ravel() / n**2
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1, :], np.s_[1:, :])):
        coupling = (2.0 * eps[here] * eps[there] / (eps[here] + eps[there])).ravel()
        one, other = number[here].ravel(), number[there].ravel()
        matrix[one, other] -= coupling
        matrix[other, one] -= coupling
        np.add.at(matrix, (one, one), coupling)
        np.add.at(matrix, (other, other), coupling)
    for wall, one in zip(problem.walls, (number[:, 0], number[:, -1], number[0], number[-1]), strict=True):
        if wall is not None:
            coupling = 2.0 * eps.ravel()[one]
            matrix[one, one] += coupling
            rhs[one] += coupling * wall
    is_fixed = problem.fixed.ravel()
    if is_fixed.any():
        given = problem.potential.ravel()[is_fixed]
        rhs -= matrix[:, is_fixed] @ given
        matrix[is_fixed, :] = matrix[:, is_fixed] = 0.0
        matrix[is_fixed, is_fixed] = 4.0 * eps.ravel()[is_fixed]
        rhs[is_fixed] = 4.0 * eps.ravel()[is_fixed] * given
    return matrix, rhs


def field(potential: Floats, problem: Electrostatics) -> tuple[Floats, Floats]:
    """Return E = -grad u at the centres of the cells, V/m, along x (columns) and y (rows).

    Differences over two cells; at a wall with a potential that is half a cell away, at an insulating one the other
    side's half.
    """
    n = problem.size
    left, right, top, bottom = problem.walls
    across = _gradient(potential, left, right, n)
    along = _gradient(potential.T, top, bottom, n).T
    return -across, -along


def _gradient(u: Floats, low: float | None, high: float | None, n: int) -> Floats:
    """Differentiate along the last axis; ghost cells mirror at the walls, oddly about a given potential."""
    before = u[:, :1] if low is None else 2.0 * low - u[:, :1]
    after = u[:, -1:] if high is None else 2.0 * high - u[:, -1:]
    padded = np.concatenate((before, u, after), axis=1)
    return (padded[:, 2:] - padded[:, :-2]) * (n / 2.0)


def sine_transform(source: Floats) -> Floats:
    """Return the potential of charges in a grounded box by the sine transform, which diagonalises the matrix.

    Its eigenvalues are 4 sin^2(pi k / 2n) + 4 sin^2(pi l / 2n), k, l = 1..n (LeVeque 2007, section 3.4 for the nodes of
    a grid).
    """
    n = len(source)
    half = 4.0 * np.sin(np.pi * np.arange(1, n + 1) / (2.0 * n)) ** 2
    return np.asarray(idstn(dstn(source / n**2, type=2) / (half[:, None] + half), type=2))


def flux(potential: Floats, problem: Electrostatics) -> float:
    """Return the flux of eps E out of the left wall, V; over the voltage between left and right it is the effective
    permittivity.
    """
    wall = problem.walls[0]
    if wall is None:
        raise InputError("the left wall has no potential, so no flux leaves it")
    return float(np.sum(2.0 * problem.permittivity[:, 0] * (wall - potential[:, 0])))


def rayleigh(permittivity: float, share: float) -> float:
    """Return the effective permittivity of a square array of cylinders (Lord Rayleigh, Phil. Mag. 34, 481 (1892),
    section on cylinders).

    `permittivity`: of the cylinders, relative to what surrounds them; `share`: of the area that they fill.
    """
    contrast = (permittivity + 1.0) / (permittivity - 1.0)
    return 1.0 + 2.0 * share / (contrast - share - LATTICE_SUM * share**4 / contrast)
