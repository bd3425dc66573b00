"""Ready-made arrangements of charges and electrodes, and where their field lines begin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mho.procedures.applications.fields.electrostatics import Electrostatics, grounded

Floats = NDArray[np.float64]

CYLINDER = 10.0
"""Relative permittivity of the cylinder."""

RADIUS = 0.3
"""Of the cylinder, in sides of the box."""

VOLTS = 1.0
"""Between plates, and between the walls beside the cylinder; the strength of a charge, over the vacuum's permittivity."""

LINES = 12
"""Field lines from each charge."""

AROUND = 0.9
"""Cells from a charge at which its field lines begin."""


def dipole(n: int) -> Electrostatics:
    """Return two opposite charges in a grounded box."""
    return grounded(_charges(n, ((0.5, 0.3, 1.0), (0.5, 0.7, -1.0))))


def quadrupole(n: int) -> Electrostatics:
    """Return four charges of alternating sign in a grounded box."""
    return grounded(_charges(n, ((0.3, 0.3, 1.0), (0.3, 0.7, -1.0), (0.7, 0.3, -1.0), (0.7, 0.7, 1.0))))


def sine(n: int) -> Electrostatics:
    """Return 2 pi^2 sin(pi x) sin(pi y), whose potential is sin(pi x) sin(pi y)."""
    one = np.sin(np.pi * (np.arange(n) + 0.5) / n)
    return grounded(2.0 * np.pi**2 * np.outer(one, one))


def capacitor(n: int) -> Electrostatics:
    """Return two plates at +-1/2 V in a grounded box: 60 % of its width, a quarter of its height apart."""
    fixed, potential = np.zeros((n, n), dtype=bool), np.zeros((n, n))
    columns = slice(round(0.2 * n), n - round(0.2 * n))
    upper = round(0.375 * n) - (n > 4)
    for row, volts in ((upper, VOLTS / 2.0), (n - 1 - upper, -VOLTS / 2.0)):
        fixed[row, columns], potential[row, columns] = True, volts
    return Electrostatics(np.zeros((n, n)), np.ones((n, n)), fixed, potential)


def cylinder(n: int) -> Electrostatics:
    """Return a dielectric cylinder between walls at +-1/2 V, top and bottom insulating: a square array of cylinders."""
    x = (np.arange(n) + 0.5) / n - 0.5
    inside = x[:, None] ** 2 + x**2 < RADIUS**2
    none = np.zeros((n, n))
    walls = (VOLTS / 2.0, -VOLTS / 2.0, None, None)
    return Electrostatics(none, np.where(inside, CYLINDER, 1.0), none.astype(bool), none, walls)


PRESETS: dict[str, Callable[[int], Electrostatics]] = {
    "dipole": dipole,
    "quadrupole": quadrupole,
    "sine": sine,
    "capacitor": capacitor,
    "cylinder": cylinder,
}


def seeds(problem: Electrostatics) -> Floats:
    """Return where field lines begin, (lines, 2) as x and y: around charges that stand alone, along electrodes or the
    left wall.

    Of a source that fills the box they begin on a coarse grid.
    """
    n = problem.size
    charged = np.argwhere(problem.source != 0.0)
    if 0 < len(charged) <= 16:
        angles = 2.0 * np.pi * (np.arange(LINES) + 0.5) / LINES
        ring = AROUND / n * np.stack((np.cos(angles), np.sin(angles)), axis=1)
        centres = (charged[:, ::-1] + 0.5) / n
        return np.asarray((centres[:, None, :] + ring).reshape(-1, 2))
    if problem.fixed.any():
        rows, columns = np.nonzero(problem.fixed)
        sides = np.concatenate([np.stack((columns, rows + side), axis=1) for side in (-1.0, 1.0)])
        return np.asarray((sides[::2] + 0.5) / n)
    if problem.walls[0] is not None and problem.walls[0] != 0.0:
        lines = (np.arange(LINES) + 0.5) / LINES
        return np.stack((np.full(LINES, 0.5 / n), lines), axis=1)
    coarse = (np.arange(5) + 0.5) / 5
    return np.stack([axis.ravel() for axis in np.meshgrid(coarse, coarse)], axis=1)


def _charges(n: int, placed: tuple[tuple[float, float, float], ...]) -> Floats:
    """Return line charges, each (row, column, V) as shares of the side, spread over the cell that holds it."""
    source = np.zeros((n, n))
    for row, column, charge in placed:
        at = np.array((row, column)) * n
        # The mirror image of a place must fall into the mirror image of its cell.
        r, c = (int(p) if p < n / 2 else n - 1 - int(n - p) for p in at)
        source[r, c] += charge * n**2
    return source
