"""The convergence of a run's refinement, beside its forecast and three bits a cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.chip_maps.inverse_encoding import contraction
from mho.runs import RunFile

BITS_A_CYCLE = 3  # best typical bits per cycle of an INV circuit of 3-bit cells (Zuo 2025, Fig. 3)
_COLUMNS = ("cycle", "residual", "relative_error")


@dataclass(frozen=True)
class Convergence:
    """The cycles of a refinement; cycle 0 is x = 0, whose error and residual are 1."""

    cycle: Floats  # (k,): cycle numbers, from 1
    residual: Floats  # (k,): norm of the residual relative to the right-hand side's
    relative_error: Floats  # (k,): of the solution against float64
    rho: float | None  # forecast contraction a cycle, rho(I - A A0^-1); None before it is known
    bits: int | None  # precision asked for
    tolerance: float | None  # relative residual to stop at, when the user gave one
    # (k,): as `residual`, but recomputed in float64 from the matrix as given; NaN where it was not, None in
    # files without
    true_residual: Floats | None = None
    # (j,): relative error after each cycle of the same solve without the chip, residual where errors are not
    # known; None where the file has none of this solution
    without_chip: Floats | None = None

    @property
    def precision(self) -> float | None:
        """Relative error of the precision asked for, 2^-bits; None without."""
        return None if self.bits is None else 2.0**-self.bits

    def forecast(self, cycles: ArrayLike) -> Floats | None:
        """Forecast relative error after `cycles`; None before there is a forecast."""
        return None if self.rho is None else self.rho ** np.asarray(cycles, dtype=float)


def ideal(cycles: ArrayLike) -> Floats:
    """Relative error after `cycles` at three bits each."""
    return 2.0 ** (-BITS_A_CYCLE * np.asarray(cycles, dtype=float))


def read_convergence(run: RunFile, rhs: int | None = None) -> Convergence | None:
    """Return the refinement that `run` has recorded so far, of its last right-hand side or another; None if there is none.

    Raises `RunFileError`: the file is damaged.
    """
    if "cycles" not in run.tables or not set(_COLUMNS) <= set(run.units("cycles")):
        return None
    # Column by column: the table also holds vectors.
    cycle, residual, error = (run.column("cycles", name).astype(float) for name in _COLUMNS)
    units = run.units("cycles")
    true_residual = None
    if "true_residual" in units:
        true_residual = run.column("cycles", "true_residual").astype(float)[: len(cycle)]
    unaided = None
    if "rhs" in units and len(cycle):
        column = run.column("cycles", "rhs")[: len(cycle)]
        one = int(column[-1]) if rhs is None else rhs
        meant, unaided = column == one, _without_chip(run, one)
        cycle, residual, error = cycle[meant], residual[meant], error[meant]
        true_residual = None if true_residual is None else true_residual[meant]
    parameters = run.parameters
    bits = parameters["bits"].value if "bits" in parameters else None
    tolerance = parameters["tolerance"].value if "tolerance" in parameters else None
    return Convergence(
        cycle, residual, error, read_forecast(run), int(bits) if isinstance(bits, int | float) else None,
        float(tolerance) if isinstance(tolerance, int | float) and tolerance else None, true_residual,
        unaided,
    )  # fmt: skip


def _without_chip(run: RunFile, rhs: int) -> Floats | None:
    """Return the relative errors of one right-hand side without the chip; None where it was not solved so."""
    if "without_chip" not in run.tables:
        return None
    column, error, residual = (
        run.column("without_chip", name) for name in ("rhs", "relative_error", "residual")
    )
    rows = min(map(len, (column, error, residual)))
    mine = column[:rows] == rhs
    result = error[:rows].astype(float)[mine]
    if not np.isfinite(result).any():  # of a solve whose errors nobody asked for
        result = residual[:rows].astype(float)[mine]
    return result if result.size else None


def read_forecast(run: RunFile) -> float | None:
    """Return the contraction forecast for `run`, from its summary or from the matrices; None before it is known.

    Raises `RunFileError`: the file is damaged.
    """
    rho = run.summary.get("forecast_rho")
    if isinstance(rho, int | float):
        return float(rho)
    if not {"matrix_held", "matrix_achieved"} <= set(run.arrays):
        return None
    achieved = run.array("matrix_achieved")
    # Filled in when the cells are programmed; until then there is nothing to forecast from.
    if not np.isfinite(achieved).all():
        return None
    return float(contraction(run.array("matrix_held"), achieved))
