"""What the cells of a block carry beyond I = G V: their I-V law as Chebyshev polynomials in the voltage on their lines.

A circuit with linear cells is solved once for all inputs. The rest of the law is a current beside it, which a batch of
vectors gets from one product of matrices, and Newton's method its slopes. The polynomials' coefficients, relative to G,
are kept over ln G for a preset, a gate and a range of voltages, so that cells that age need no new solution of the law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev

from mho.array_types import Floats
from mho.instruments.simulated.physics.cells.conduction import Line, cell_current
from mho.instruments.simulated.physics.cells.presets import CellPreset

DEGREE = 8  # of the polynomials: within 1e-5 of the excess up to 0.4 V
LOWEST, HIGHEST, POINTS = 1e-10, 1e-2, 4096  # S; of ln G, interpolated linearly
_NODES = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
_FITTED = np.linalg.inv(chebyshev.chebvander(_NODES, DEGREE))  # values at the nodes -> coefficients
_SLOPES = chebyshev.chebder(np.eye(DEGREE + 1))  # of T_q, by T_0 to T_(DEGREE - 1)
_STRETCH = _FITTED @ (_NODES[:, None] * (chebyshev.chebvander(_NODES, DEGREE - 1) @ _SLOPES))  # f -> x df/dx


@dataclass(frozen=True)
class ExcessCurrents:
    """The currents of a block's cells beyond I = G V, summed over the lines that drive them.

    Attributes
    ----------
    coefficients : (..., DEGREE + 1, inputs, outputs) array
        Of each cell's current, A, by Chebyshev polynomials in the voltage over `reach`.
    reach : float
        Largest voltage, V; the excess stays the same beyond.
    """

    coefficients: Floats
    reach: float

    def __add__(self, other: ExcessCurrents) -> ExcessCurrents:
        """Return those of two blocks between the same lines, over the same voltages."""
        return ExcessCurrents(self.coefficients + other.coefficients, self.reach)

    def currents(self, volts: Floats) -> Floats:
        """Return the currents (..., samples, outputs), A, at `volts` (..., samples, inputs), V, on the inputs."""
        x = np.clip(volts / self.reach, -1.0, 1.0)
        before, power = np.ones_like(x), x
        result = before @ self.coefficients[..., 0, :, :]
        for degree in range(1, DEGREE + 1):
            result += power @ self.coefficients[..., degree, :, :]
            before, power = power, 2.0 * x * power - before
        return np.asarray(result)

    def slopes(self, volts: Floats) -> Floats:
        """Return the conductances (samples, outputs, inputs), S, that they add at `volts` (samples, inputs)."""
        inside = np.abs(volts) <= self.reach
        x = np.clip(volts / self.reach, -1.0, 1.0)
        basis = chebyshev.chebvander(x, DEGREE - 1) @ _SLOPES * (inside / self.reach)[..., None]
        return np.asarray(np.einsum("sjq,qjk->skj", basis, self.coefficients, optimize=True))


def excess_currents(
    preset: CellPreset,
    cells: Floats,
    transfer: Floats,
    gate: float,
    line: Line,
    reach: float,
    drive: float = 1.0,
) -> ExcessCurrents | None:
    """Return what cells carry beyond I = G V; None where they are linear.

    Of a cell's voltage the wires leave the share s = T / G, and of a current at the cell as much reaches the end of the
    line: T v + s e(s v), with e at s v to first order in 1 - s.

    Parameters
    ----------
    preset : CellPreset
    cells, transfer : (..., inputs, outputs) arrays
        G, and T between the lines' ends, S; 0 for no cell.
    gate, line
        As for `cell_current`.
    reach : float
        Largest voltage on an input, V.
    drive : float
        Volts on a line per volt on its input: -1 behind an inverter.
    """
    if preset.nonlinearity == 0.0:
        return None
    cells = np.maximum(cells, LOWEST)
    share = transfer / cells
    law = _law(preset, gate, line, reach * abs(drive))
    places = np.log(np.minimum(cells, HIGHEST) / LOWEST) * ((POINTS - 1) / np.log(HIGHEST / LOWEST))
    left = np.minimum(places.astype(np.intp), POINTS - 2)
    right = (places - left)[..., None]
    relative = law[left] * (1.0 - right) + law[left + 1] * right  # (..., inputs, outputs, DEGREE + 1)
    relative = relative + (share - 1.0)[..., None] * (relative @ _STRETCH.T)
    relative *= (share * cells)[..., None]
    if drive < 0.0:
        relative[..., 1::2] *= -1.0
    return ExcessCurrents(np.ascontiguousarray(np.moveaxis(relative, -1, -3)), reach)


@lru_cache(maxsize=64)
def _law(preset: CellPreset, gate: float, line: Line, reach: float) -> Floats:
    """Return the coefficients (POINTS, DEGREE + 1), V, of a cell's excess current over G, by ln G."""
    conductance = np.geomspace(LOWEST, HIGHEST, POINTS)
    volts = reach * _NODES
    excess = cell_current(preset, conductance[:, None], volts, gate, line) / conductance[:, None] - volts
    return np.asarray(excess @ _FITTED.T)
