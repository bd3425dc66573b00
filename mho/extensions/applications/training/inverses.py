"""Inverses of Kronecker factors: kept while the matrices have not moved, made by float64 or by a chip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.errors import ChipMapError, ConvergenceError
from mho.extensions.applications.application import MatrixHolder
from mho.extensions.applications.training.curvature import Solve as Solves
from mho.instruments import Bench
from mho.procedures import HeldMatrix, Solve

# Takes the number of a factor and its matrix, and returns about its inverse
Invert = Callable[[int, Floats], Floats]


class KeptInverses:
    """Holds matrices by their inverses, and makes anew only those that have moved since.

    Reprogramming cells is what takes time, energy and endurance: a factor that is still what it was stays.

    `moved`: relative change of a matrix, in the Frobenius norm, above which it is inverted anew.
    """

    def __init__(self, invert: Invert, moved: float) -> None:
        self._invert, self._moved = invert, moved
        self._kept: dict[int, tuple[Floats, Solves]] = {}

    def __call__(self, matrices: Sequence[Floats]) -> list[Solves]:
        """Return what solves with each matrix."""
        return [self._solve(number, matrix) for number, matrix in enumerate(matrices)]

    def _solve(self, number: int, matrix: Floats) -> Solves:
        before, solve = self._kept.get(number, (None, None))
        if before is None or solve is None or change(before, matrix) > self._moved:
            solve = self._invert(number, matrix).__matmul__
            self._kept[number] = matrix, solve
        return solve


def options_for(cycles: int) -> dict[str, Any]:
    """Return how a factor is held: a single step needs no product with it, so nothing is programmed for any."""
    return {"method": "plain"} | ({"residual": "float64"} if cycles == 1 else {})


def check_room(size: int, bench: Bench, cycles: int, bits: int) -> None:
    """Raise `ChipMapError` where a bench's chip does not hold a factor of so many lines; nothing is sent."""
    neighbours = np.eye(size, k=1) + np.eye(size, k=-1)  # signed, as factors are
    solve = Solve(
        matrix=2.0 * np.eye(size) - 0.5 * neighbours, rhs=np.ones(size), bits=bits, **options_for(cycles)
    )
    try:
        solve.prepare(solve.check(), bench, np.random.default_rng(0))
    except ChipMapError as error:
        raise ChipMapError(
            f"the largest factor of the network has {size} lines, those of its widest layer: {error}; or give a narrower "
            "network"
        ) from None


@dataclass(frozen=True)
class ChipInverse:
    """An inverse as the chip found it."""

    inverse: Floats  # (n, n): symmetric
    error: float  # relative to the inverse in float64, Frobenius norm
    # Largest relative error of a direction: the spectral radius of I - X A, X being the inverse found. From 1
    # on a step goes uphill along some direction, which few of the entries of X tell: it is one of large
    # curvature
    worst: float
    condition: float  # of the matrix
    pulses: int  # programming it took
    digital_products: bool  # whether residuals were taken in float64
    settled: bool = True  # false where the chip did not invert the matrix and the inverse is that of float64
    reason: str = ""  # why it did not


def invert_on_chip(matrix: Floats, holder: MatrixHolder, cycles: int) -> ChipInverse:
    """Program a symmetric positive definite matrix, and find its inverse from the answers to the unit vectors.

    The chip holds ``D^-1/2 A D^-1/2`` with a diagonal of ones, whose condition number is at most n times the least that any
    scaling gives (van der Sluis, Numer. Math. 14, 14 (1969)), and whose entries fill the range of the cells. The inverse is
    symmetric: the mean with the transpose has less of the noise.

    `cycles`: 1 for a single step of INV, more for cycles of refinement.
    """
    exact: Floats = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    condition = float(np.linalg.cond(matrix))
    try:
        scales = 1.0 / np.sqrt(np.diag(matrix))
        held = holder.hold(matrix * np.outer(scales, scales), **options_for(cycles))
        found = _found(held, cycles)
    except ConvergenceError as error:
        return ChipInverse(exact, np.nan, np.nan, condition, 0, True, False, str(error))
    inverse = np.asarray(0.5 * (found + found.T) * np.outer(scales, scales), dtype=np.float64)
    return ChipInverse(
        inverse, change(exact, inverse),
        float(np.abs(np.linalg.eigvals(np.eye(len(matrix)) - inverse @ matrix)).max()), condition,
        held.summary()["pulses"], cycles > 1 and not held.products_on_chip,
    )  # fmt: skip


def _found(held: HeldMatrix, cycles: int) -> Floats:
    """Return about the inverse of a held matrix; of several cycles by a line search, which cannot diverge."""
    units = np.eye(held.size)
    if cycles == 1:
        return np.asarray(held.invert(units), dtype=np.float64)
    return np.asarray(held.solve(units, cycles=cycles, method="line search").solutions, dtype=np.float64)


def change(before: Floats, now: Floats) -> float:
    """Return the relative change of a matrix in the Frobenius norm."""
    return float(np.linalg.norm(now - before) / np.linalg.norm(before))
