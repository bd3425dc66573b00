"""Loops with drawn cell errors, and the cycles that a refinement takes around their inverses: what plans are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.inverse_encoding import Candidate
from mho.chip_maps.levels import Levels
from mho.procedures.equations.algorithms.directions import Method
from mho.procedures.equations.algorithms.refinement import CORRECTION_BITS, refine
from mho.procedures.equations.certificates.certificate import norm

DRAWS = 6  # inverses with drawn cell errors that a loop is judged by
JUDGED_BITS = 24  # to which the residual falls in the judged refinements by which loops are compared
MOST_CYCLES = 60  # of a judged refinement; one that takes more counts as that many


@dataclass(frozen=True)
class DrawnLoops:
    """What a loop may come out as, and a right-hand side to try it with.

    Attributes
    ----------
    matrix : (n, n) array
        S, the matrix in the form that the loop holds.
    inverses : (draws, n, n) array
        Of the loops; zero for singular ones.
    rhs : (n,) array
    """

    matrix: Floats
    inverses: Floats
    rhs: Floats

    @classmethod
    def of(cls, matrix: Floats, candidate: Candidate, levels: Levels, rng: np.random.Generator) -> Self:
        """Draw loops of an encoding, and a right-hand side."""
        inverses = draw_inverses(candidate, levels, DRAWS, rng)
        return cls(matrix, inverses, rng.standard_normal(len(matrix)))

    @classmethod
    def programmed(cls, matrix: Floats, achieved: Floats, rhs: Floats) -> Self:
        """Return the one loop that inverts A0 (n, n), `achieved`, in the form of S."""
        return cls(matrix, _inverse(achieved)[None], rhs)

    def cycles(
        self,
        method: Method,
        *,
        held: Floats | None = None,
        limit: float | None = None,
        correction_bits: int = CORRECTION_BITS,
    ) -> tuple[int, ...]:
        """Return, of each loop, the cycles after which the residual's norm is at most a limit.

        Parameters
        ----------
        held : (n, n) array, optional
            S as the products hold it; S itself where left out.
        limit : float, optional
            2^-24 of the right-hand side's norm where left out.
        correction_bits : int
            Of the vectors that are multiplied.
        """
        matrix = self.matrix if held is None else held
        enough = 2.0**-JUDGED_BITS * norm(self.rhs) if limit is None else limit
        return tuple(self._cycles(one, method, matrix, enough, correction_bits) for one in self.inverses)

    def _cycles(
        self, inverse: Floats, method: Method, held: Floats, limit: float, correction_bits: int
    ) -> int:
        cycles = cycles_around(
            inverse.__matmul__,
            self.matrix,
            self.rhs,
            limit,
            method,
            MOST_CYCLES,
            held=held,
            correction_bits=correction_bits,
        )
        return min(cycles, MOST_CYCLES)


def cycles_around(
    inverse: Callable[[Floats], Floats],
    matrix: Floats,
    rhs: Floats,
    limit: float,
    method: Method,
    most: int,
    *,
    held: Floats | None = None,
    correction_bits: int = CORRECTION_BITS,
) -> int:
    """Return the cycles after which the residual's norm is at most `limit`, around r -> about A^-1 r.

    Parameters
    ----------
    most : int
        One more than that is returned where it takes more.
    held : (n, n) array, optional
        The matrix as the products hold it; the matrix itself where left out.
    """
    multiplied = matrix if held is None else held
    for cycle in refine(
        rhs,
        inverse,
        lambda vector: multiplied @ vector.values,
        lambda solution: rhs - matrix @ solution,
        lambda solution, size: size <= limit,
        method=method,
        correction_bits=correction_bits,
        max_cycles=most,
    ):
        if cycle.end == "converged":
            return cycle.number
    return most + 1


def draw_inverses(candidate: Candidate, levels: Levels, draws: int, rng: np.random.Generator) -> Floats:
    """Return inverses of loops with drawn cell errors, (draws, n, n), in the matrix's units; zero for singular ones."""
    encoding, step = candidate.encoding, levels.step
    positive = levels.draw(encoding.positive, draws, rng)
    negative = None if encoding.negative is None else levels.draw(encoding.negative, draws, rng)
    networks = encoding.network(
        positive, negative, encoding.diagonal_conductance(step), encoding.bias_conductance(step)
    )
    return np.stack([_inverse(one) for one in encoding.represented(networks, step)])


def _inverse(matrix: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.inv(matrix))
    except np.linalg.LinAlgError:
        return np.zeros_like(matrix)
