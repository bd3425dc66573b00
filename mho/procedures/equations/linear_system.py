"""The system A x = b of a solve, as a real one with its float64 solution, and the goal that a solution must meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.fixed_point import PEAKS
from mho.chip_maps.matrix_files import from_real_vector, load_matrix, load_vector, to_real, to_real_vector
from mho.chip_maps.multiply_encoding import encode_multiply
from mho.errors import InputError
from mho.procedures.equations.algorithms.certificate import Certificate, Certifier, norm
from mho.procedures.equations.algorithms.refinement import Cycle

Floats = NDArray[np.float64]

DIGIT_BITS = 3  # bits per cell, until the chip's number of levels is known


@dataclass(frozen=True)
class Goal:
    """The goal of a solution: `bits`, or a `tolerance` of its residual where one is given."""

    bits: int
    tolerance: float | None

    def met(self, certificate: Certificate) -> bool:
        """Return whether a solution with this certificate meets the goal."""
        if self.tolerance is not None:
            return bool(certificate.relative_residual <= self.tolerance)
        return bool(certificate.bits >= self.bits)

    def reached(self, certificate: Certificate) -> str:
        """Return the precision that a solution reached, in words."""
        if self.tolerance is None:
            return f"{certificate.bits:.1f} of {self.bits} bits are proved"
        return f"the residual is {certificate.relative_residual:.2e}, the tolerance {self.tolerance:g}"


@dataclass(frozen=True)
class LinearSystem:
    """A x = b, and its goal.

    Attributes
    ----------
    given_matrix, given_rhs : arrays
        A and b as given, real or complex.
    matrix, rhs, reference : (n, n), (n,), (n,) arrays
        The system as a real one, and its solution in float64.
    digits : int
        Approximate number of cells that the matrix takes in slices, without zeros.
    certifier : Certifier
    goal : Goal
    """

    given_matrix: NDArray[Any]
    given_rhs: NDArray[Any]
    matrix: Floats
    rhs: Floats
    reference: Floats
    digits: int
    certifier: Certifier
    goal: Goal

    @classmethod
    def load(cls, matrix: Any, rhs: Any, seed: int, goal: Goal) -> LinearSystem:
        """Read matrix and right-hand side, and refuse a system without a solution that could meet the goal.

        Parameters
        ----------
        matrix, rhs
            As `load_matrix` and `load_vector` take them.
        seed : int
            Seed of a random right-hand side.
        goal : Goal

        Raises
        ------
        InputError
            For a file that cannot be read, a system that is singular, zero or too large, or more bits than float64 holds.
        """
        given = load_matrix(matrix)
        given_rhs = load_vector(
            rhs, len(given), np.random.default_rng(seed), complex_values=np.iscomplexobj(given)
        )
        a, b = to_real(given), to_real_vector(given_rhs)
        if not np.any(b):
            raise InputError("the right-hand side is zero everywhere; so is the solution")
        digits = np.count_nonzero(encode_multiply(a, goal.bits, DIGIT_BITS).digits)
        certifier = Certifier(a, b)
        certifier.require(goal.bits if goal.tolerance is None else 0)
        reference = np.asarray(np.linalg.solve(a, b), dtype=np.float64)
        for what, values in (("right-hand side", b), ("solution", reference)):
            peak = float(np.abs(values).max())
            if not PEAKS[0] <= peak <= PEAKS[1]:
                raise InputError(
                    f"the largest magnitude of the {what} is {peak:.3g}; scale the system to between {PEAKS[0]:.0e} and "
                    f"{PEAKS[1]:.0e}"
                )
        return cls(given, given_rhs, a, b, reference, int(digits), certifier, goal)

    @property
    def size(self) -> int:
        """Number of real unknowns."""
        return len(self.matrix)

    def as_given(self, solution: Floats) -> NDArray[Any]:
        """Convert a solution of the real system to one of the system as given, possibly complex."""
        return from_real_vector(solution) if np.iscomplexobj(self.given_matrix) else solution

    def certify(self, cycle: Cycle) -> Certificate:
        """Return the certificate of the solution after `cycle`."""
        return self.certifier.certify(cycle.solution, norm(cycle.residual))

    def good_enough(self, solution: Floats, residual: float) -> bool:
        """Return whether a solution with this norm of the residual meets the goal."""
        return self.goal.met(self.certifier.certify(solution, residual))

    def exhausted(self, solution: Floats, residual: float) -> bool:
        """Return whether no solution in float64 has a smaller residual than this one."""
        return residual <= self.certifier.smallest_residual(solution)
