"""A passive crossbar: rows and columns with a cell at each crossing, and nothing else that selects it.

Lines are nodes without resistance. Those that a source holds have its voltage; for the others Kirchhoff's law says

    sum_j G_ij (v_i - v_j) = 0,

a linear system over the lines that float. A cell bears the difference of its two lines.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mho.array_types import Floats

LEAKAGE = 1e-12  # S, from each line to ground: a line with nothing on it is at 0 V
STEPS, WEIGHT = 100, 0.3  # of the iteration for cells that are no resistors
ACCURACY = 1e-6  # V


def line_voltages(conductance: Floats, held: Floats) -> Floats:
    """Return the voltages (R + C,), V, of rows and columns.

    `conductance`: of the cells, (R, C), S.
    `held`: voltages at which sources hold the lines, rows first, (R + C,), V; NaN for one that floats.
    """
    rows, volts = len(conductance), held.copy()
    floating = np.isnan(held)
    if not floating.any():
        return volts
    between = np.zeros((held.size, held.size))
    between[:rows, rows:] = conductance
    between[rows:, :rows] = conductance.T
    law = np.diag(between.sum(axis=1) + LEAKAGE) - between
    driven = law[np.ix_(floating, ~floating)] @ held[~floating]
    volts[floating] = np.linalg.solve(law[np.ix_(floating, floating)], -driven)
    return volts


def across_cells(volts: Floats, rows: int) -> Floats:
    """Return the voltages (R, C) of the cells, row against column, for those (R + C,) of the lines, V."""
    return np.asarray(volts[:rows, None] - volts[None, rows:])


def settled_voltages(conductance: Floats, held: Floats, current: Callable[[Floats], Floats]) -> Floats:
    """Return the voltages as `line_voltages`, for cells whose `current` (A) at voltages (R, C), V, is not in proportion.

    Each step takes the cells as resistors, `WEIGHT` of the way (in ln G) to what they conduct at the voltages of the last:
    all the way, a superlinear cell that bears too much would bear too little next.
    """
    rows = len(conductance)
    chord, volts = conductance, line_voltages(conductance, held)
    for _ in range(STEPS if np.isnan(held).any() else 0):
        across = across_cells(volts, rows)
        bears = np.abs(across) > ACCURACY
        at_volts = np.where(bears, current(across) / np.where(bears, across, 1.0), conductance)
        chord = chord ** (1.0 - WEIGHT) * at_volts**WEIGHT
        before, volts = volts, line_voltages(chord, held)
        if np.abs(volts - before).max() < ACCURACY:
            break
    return volts
