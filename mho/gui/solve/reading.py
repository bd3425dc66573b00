"""Reads from a run file of a solve: the solution of each cycle, the verdict, and the checks beside the convergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.runs import RunFile

MOST_POINTS = 20_000
"""Points of a table that are shown, the last ones."""


@dataclass(frozen=True)
class SolveFrame:
    """Data that are constant during the refinement of a run.

    Attributes
    ----------
    references : (n, k) array or None
        The float64 solution of each right-hand side, NaN without one; complex when matrix or right-hand side is.
    is_complex : bool
        Whether the table holds real parts, then imaginary parts.
    grid : (int, int) or None
        Rows and columns of the grid whose points the unknowns are.
    """

    references: NDArray[np.generic] | None
    is_complex: bool
    grid: tuple[int, int] | None

    @property
    def count(self) -> int:
        """Number of right-hand sides; 1 where the file does not say."""
        return 1 if self.references is None else self.references.shape[1]

    def reference(self, column: int) -> NDArray[np.generic] | None:
        """Return the float64 solution of one right-hand side, (n,); None where there is none."""
        if self.references is None or np.isnan(self.references[:, column]).all():
            return None
        return self.references[:, column]


@dataclass(frozen=True)
class ComparedValues:
    """Measured and expected numbers, both in `unit`."""

    name: str
    expected: Floats
    measured: Floats
    unit: str


@dataclass(frozen=True)
class MvmErrors:
    """MVM integers by cycle: how many were read, and how many of these were not the digits' exact sum."""

    cycle: Floats
    outputs: Floats
    wrong: Floats


@dataclass(frozen=True)
class SolveVerdict:
    """Return whether a solve converged, in words; `proved` by a certificate in the file."""

    converged: bool
    text: str
    proved: bool = False


def read_verdict(run: RunFile) -> SolveVerdict | None:
    """Return the verdict in the result of `run`; None where there is none, as during the run.

    A file without a certificate was judged by the residual that the iteration carries along; the verdict says so.
    """
    result = run.summary
    converged = result.get("converged")
    if not isinstance(converged, bool):
        return None
    certificate = result.get("certificate")
    bound = certificate.get("error_bound") if isinstance(certificate, dict) else None
    reached, asked = result.get("bits"), result.get("bits_asked")
    if not isinstance(certificate, dict):
        return SolveVerdict(
            converged,
            "converged by the residual of the iteration; no certificate" if converged else "NOT converged",
        )
    if not converged:
        return SolveVerdict(False, f"NOT converged: {result.get('reason') or 'the certificate did not pass'}")
    if bound is None and not reached:
        return SolveVerdict(True, "converged by the residual only; no error bound is proved")
    text = "converged"
    if isinstance(reached, int | float):
        text += f": {reached:.1f}" + (f" of {asked:g}" if isinstance(asked, int | float) else "") + " bits"
    return SolveVerdict(
        True, text + (f" (proved bound {bound:.1e})" if isinstance(bound, int | float) else ""), proved=True
    )


def has_solutions(run: RunFile) -> bool:
    """Return whether `run` records a solution per cycle."""
    return "cycles" in run.tables and "solution" in run.units("cycles")


def read_frame(run: RunFile) -> SolveFrame:
    """Return what stays the same; `RunFileError` when the file is damaged."""
    arrays = run.arrays
    is_complex = any(name in arrays and np.iscomplexobj(run.array(name)) for name in ("rhs", "matrix"))
    references = run.array("reference") if "reference" in arrays else None
    if references is not None:
        references = references.reshape(len(references), -1)
        references = _complex(references.T).T if is_complex else references
    grid = None
    if "matrix" in arrays and not is_complex:
        grid = grid_of(run.array("matrix"))
    return SolveFrame(references, is_complex, grid)


def read_solution(run: RunFile, frame: SolveFrame, index: int) -> NDArray[np.generic]:
    """Return the solution of the cycle in row `index` of the table; errors as `read_frame`."""
    solution = run.column("cycles", "solution", index)[0]
    return _complex(solution) if frame.is_complex else solution


def read_column(run: RunFile, index: int) -> int:
    """Return the right-hand side of the cycle in row `index` of the table, counted from 0; errors as `read_frame`."""
    return int(run.column("cycles", "rhs", index)[0]) if "rhs" in run.units("cycles") else 0


def read_number(run: RunFile, index: int) -> int:
    """Return the cycle in row `index` of the table, from 1 for each right-hand side; errors as `read_frame`."""
    return int(run.column("cycles", "cycle", index)[0])


def read_mvm_errors(run: RunFile) -> MvmErrors | None:
    """Return how many MVM integers were wrong, by cycle; None when the run does not say."""
    names = ("cycle", "mvm_outputs", "mvm_wrong")
    if "cycles" not in run.tables or not set(names) <= set(run.units("cycles")):
        return None
    return MvmErrors(*(run.column("cycles", name).astype(float) for name in names))


def compared_table(run: RunFile) -> str:
    """Return the first table that says what was expected and what was measured; "" for none."""
    return next((table for table in run.tables if {"expected", "measured"} <= set(run.units(table))), "")


def read_compared(run: RunFile) -> ComparedValues | None:
    """Return what was measured beside what was expected: the first table with such columns, else INV.

    INV is expected to give A0^-1 times its input, with the A0 that was achieved; the one factor between inputs and
    outputs, which depends on the encoding, is fitted to the last cycle.
    """
    table = compared_table(run)
    if not table or not run.length(table):
        return _read_inversion(run)
    start = max(0, run.length(table) - MOST_POINTS)
    expected, measured = (
        run.column(table, name, start).astype(float).ravel()[-MOST_POINTS:]
        for name in ("expected", "measured")
    )
    return ComparedValues(table.replace("_", " "), expected, measured, run.units(table)["measured"])


def _read_inversion(run: RunFile) -> ComparedValues | None:
    if "cycles" not in run.tables or "matrix_achieved" not in run.arrays:
        return None
    units = run.units("cycles")
    count = run.length("cycles")
    if not {"input", "output"} <= set(units) or not count:
        return None
    achieved = as_held(run, run.array("matrix_achieved"))
    given, measured = (run.column("cycles", name, count - 1)[0].astype(float) for name in ("input", "output"))
    if not np.isfinite(achieved).all() or len(achieved) != len(given):
        return None
    try:
        shape = np.linalg.solve(achieved, given)
    except np.linalg.LinAlgError:
        return None
    power = float(shape @ shape)
    if not power:
        return None
    return ComparedValues(
        "INV, last cycle", shape * float(shape @ measured) / power, measured, units["output"]
    )


def as_held(run: RunFile, matrix: NDArray[Any]) -> Floats:
    """Return a matrix of a solve in the form in which the chip holds it: its rows and columns ordered and scaled."""
    if not {"rows_invert", "row_factors", "column_factors"} <= {*run.arrays}:
        return np.asarray(matrix, dtype=np.float64)
    rows = np.asarray(matrix, dtype=np.float64)[run.array("rows_invert")].T * run.array("row_factors")
    return np.asarray(rows.T * run.array("column_factors"))


def _complex(vector: Floats) -> NDArray[np.complex128]:
    from mho.chip_maps.matrix_files import (
        from_real_vector,  # only now: it brings scipy along, which takes its time
    )

    return from_real_vector(vector)


def grid_of(matrix: NDArray[np.generic]) -> tuple[int, int] | None:
    """Return rows and columns of the grid that `matrix` couples the neighbours of; None for any other matrix.

    The unknowns run along the rows of the grid: entries stand on the diagonal, beside it where a row of the grid does
    not end, and at the distance of a row.
    """
    n = len(matrix)
    if matrix.shape != (n, n):
        return None
    rows, columns = np.nonzero(matrix)
    distances = np.unique(np.abs(rows - columns))
    if len(distances) != 3 or distances[0] != 0 or distances[1] != 1 or n % distances[2]:
        return None
    width = int(distances[2])
    beside = np.abs(rows - columns) == 1
    crosses = rows[beside] // width != columns[beside] // width
    return None if crosses.any() else (n // width, width)
