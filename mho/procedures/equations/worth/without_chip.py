"""The same solve without the chip: the cycles and the digital work of the same loop with no INV in it.

Krylov methods need no preconditioner: around residuals in float64 GCR ends within about as many cycles as there are
unknowns, whatever INV makes of a residual. What a chip is worth is told by the cycles that it saves of these, so every
solve is done once more with the residual itself in INV's place: in the same form of the matrix (rows exchanged, rows and
columns scaled), for the same right-hand side, until the same certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.fixed_point import MAX_BITS, FixedPoint
from mho.chip_maps.preconditioning import Preconditioning
from mho.procedures.equations.algorithms.directions import ConjugateResiduals, Method, directions, unit_of
from mho.procedures.equations.algorithms.refinement import Cycle, refine
from mho.procedures.equations.certificates.certificate import norm
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.worth.work import EXACT, Work

Floats = NDArray[np.float64]

MOST_COLUMNS = 4
"""Right-hand sides that are solved without the chip; of more, as many evenly spaced ones stand for all."""

STOOD_STILL = 1e-6
"""Share of the residual by which it must change, lest the next direction be the last one's product: of a skew matrix the
residual is no direction in which it falls, and GCR would stop where GMRES goes on (as in Orthodir)."""


CLEAR = 1e-12
"""Residual, relative to the largest entry and the solution, above which float64 tells it as well as an exact sum."""


@dataclass(frozen=True)
class UnaidedSolve:
    """One right-hand side solved without the chip.

    Attributes
    ----------
    column : int
    cycles : int or None
        Until the goal was met; None where it was not met in as many as were allowed.
    curve : list of dict
        Of each cycle ``rhs``, ``cycle``, ``residual`` (relative) and ``relative_error`` to the reference.
    work : Work
    solution : (N,) array
        Of the square system, as given.
    recomputed : int
        Residuals that were taken from the solution, not carried along.
    """

    column: int
    cycles: int | None
    curve: list[dict[str, float]] = field(repr=False)
    work: Work
    solution: Floats = field(default_factory=lambda: np.empty(0), repr=False)
    recomputed: int = 0


def sampled_columns(columns: Sequence[int]) -> list[int]:
    """Return the right-hand sides that stand for all: evenly spaced, the first and the last among them."""
    if len(columns) <= MOST_COLUMNS:
        return list(columns)
    return [columns[place] for place in np.linspace(0, len(columns) - 1, MOST_COLUMNS).round().astype(int)]


def solve_unaided(
    system: LinearSystem, form: Preconditioning, held: Floats, column: int, method: Method, most: int
) -> UnaidedSolve:
    """Refine one right-hand side with the residual itself as the correction.

    Parameters
    ----------
    form : Preconditioning
        The form in which the chip holds the matrix.
    held : (N, N) array
        The matrix in that form, in float64.
    method : str
        One of `directions.METHODS`.
    most : int
        Cycles allowed.
    """
    work, way = Work(), ConjugateResiduals(most) if method == "gcr" else directions(method)
    size = held.size
    largest = float(np.abs(held).max())
    directed = _Directed(unit_of(largest))

    def multiply(vector: FixedPoint) -> Floats:
        work.digital["products"] += size
        return directed.remember(np.asarray(held @ vector.values))

    rhs = form.equations(system.rhs[:, column])

    def measure(residual: Floats) -> float:
        return system.measure(form.given_equations(residual))

    def enough(unknowns: Floats, size: float) -> bool:
        return system.good_enough(form.solution(unknowns), size, column)

    recomputed = 0

    def recompute(unknowns: Floats) -> Floats:
        nonlocal recomputed
        recomputed += 1
        work.digital["residual"] += size
        plain = np.asarray(rhs - held @ unknowns)
        # Products here are right to float64, so that the exact residual is wanted where the goal or rounding is near.
        if norm(plain) > CLEAR * largest * norm(unknowns) and not enough(unknowns, measure(plain)):
            return plain
        work.digital["residual"] += EXACT * system.certifier.residual_size
        return form.equations(system.residual(form.solution(unknowns), column))

    curve = []
    end, solution = "", np.zeros(system.size)
    reference = system.reference[:, column]
    length = norm(reference) or 1.0
    for cycle in refine(
        rhs,
        directed,
        multiply,
        recompute,
        enough,
        method=method,
        correction_bits=MAX_BITS,
        max_cycles=most,
        measure=measure,
        earlier=way,
        patience=most if method == "gcr" else None,  # it may pause until its last cycle
    ):
        curve.append(
            _point(cycle, norm(system.unknowns(form.solution(cycle.solution)) - reference) / length, column)
        )
        end, solution = cycle.end, form.solution(cycle.solution)
    work.digital["orthogonalisation"] += way.multiplications
    work.digital["preconditioning"] += 2 * len(held) * len(curve)
    cycles = len(curve) if end == "converged" else None
    return UnaidedSolve(column, cycles, curve, work, solution, recomputed)


class _Directed:
    """The correction without a chip: the residual, or the last product where the residual stood still.

    Parameters
    ----------
    unit : float
        Of the matrix: a power of two by which corrections are divided, lest their products leave the range of a double.
    """

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._before: Floats | None = None
        self._product: Floats | None = None

    def __call__(self, residual: Floats) -> Floats:
        before, self._before = self._before, residual
        stood = before is not None and norm(residual - before) <= STOOD_STILL * norm(residual)
        direction = self._product if stood and self._product is not None else residual
        return direction / self._unit

    def remember(self, product: Floats) -> Floats:
        """Keep a product, and return it."""
        self._product = product
        return product


def _point(cycle: Cycle, error: float, column: int) -> dict[str, float]:
    known = cycle.carried if np.isnan(cycle.recomputed) else cycle.recomputed
    return {"rhs": column, "cycle": cycle.number, "residual": known, "relative_error": error}


@dataclass(frozen=True)
class WithoutChip:
    """Sampled right-hand sides with the chip and without it.

    Attributes
    ----------
    method : str
        The one that needs fewest cycles without the chip: that of the solve, or GCR.
    solves : tuple of UnaidedSolve
        By that method.
    same_method : tuple of int or None
        Cycles of the solve's own method without INV, of the first of them alone where GCR took fewer for that.
    """

    method: Method
    solves: tuple[UnaidedSolve, ...]
    same_method: tuple[int | None, ...]

    @classmethod
    def of(
        cls, method: Method, unaided: Callable[[int, Method], UnaidedSolve], columns: Sequence[int]
    ) -> WithoutChip:
        """Solve sampled columns by the solve's method or by GCR, whichever takes fewer cycles for the first of them.

        Parameters
        ----------
        unaided : callable
            Column and method -> the solve without the chip.
        """
        first, *others = columns
        best, solve = method, unaided(first, method)
        same = solve.cycles
        if method != "gcr":
            krylov = unaided(first, "gcr")
            if _cycles(krylov) < _cycles(solve):
                best, solve = "gcr", krylov
        solves = (solve, *(unaided(column, best) for column in others))
        return cls(best, solves, tuple(one.cycles for one in solves) if best == method else (same,))

    @property
    def digital_each(self) -> float:
        """Digital multiplications of a right-hand side, in the mean."""
        return mean_digital(self.solves)


def mean_digital(solves: Sequence[UnaidedSolve]) -> float:
    """Return the digital multiplications of a right-hand side, in the mean; 0 of none."""
    return sum(one.work.digital.total() for one in solves) / len(solves) if solves else 0.0


def _cycles(solve: UnaidedSolve) -> float:
    return np.inf if solve.cycles is None else solve.cycles
