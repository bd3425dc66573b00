"""Certificate of a solution: its residual in float64, from the matrix as given, and the resulting error bound.

    ||x - x*|| <= ||A^-1|| ||b - A x||,   ||x*|| >= ||x|| - ||x - x*||
    ||x - x*|| <= ||(R A)^-1|| ||R (b - A x)||   for every diagonal R

The second bound is for equations in units of very different size: with R, powers of two that make the rows of like size,
||(R A)^-1|| ||R A|| is near the least that a scaling of the rows can make it (van der Sluis, Numer. Math. 14, 14 (1969)).
Unknowns in units of very different size make neither bound larger than the error: what they enlarge is ||A||, from which
nothing is proved.

The residual is summed without rounding errors (products split after Dekker, Numer. Math. 18, 224 (1971); sums after
Shewchuk, by `math.fsum`), so it is accurate to the last bits of a double, where a plain product is rounding noise.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.procedures.equations.certificates.inverse_norm import Bound, inverse_norm, norm_estimate

Floats = NDArray[np.float64]

MANTISSA = 53  # bits of a double
SPLITTER = 2.0**27 + 1.0  # splits a double into two halves whose products are exact
EPSILON = 2.0 ** (1 - MANTISSA)
NAMED = 10  # lines that depend on others which a message names
SMALLEST_TERM = 2.0**-1000
"""Of a sum whose largest term is near 1: below it a double holds fewer bits, or none."""
NO_POWER = -10_000
"""Exponent of zero, below those of all doubles."""
WORTH = 16.0
"""Factor by which scaled rows must lower the condition number: for less the residual is measured as it is."""


def exact_residual(matrix: Floats, solution: Floats, rhs: Floats) -> Floats:
    """Return b - A x, each element rounded once; none that is not zero becomes zero.

    Parameters
    ----------
    matrix : (m, n) array
        A.
    solution : (n,) array
        x.
    rhs : (m,) or (m, k) array
        b, or terms whose sum it is.
    """
    # Mantissas and exponents apart, a power of two a row: no product leaves the range of a double.
    (a, of_a), (x, of_x) = np.frexp(matrix), np.frexp(solution)
    product = a * x
    (a_high, a_low), (x_high, x_low) = _halves(a), _halves(x)
    rest = a_low * x_low - (((product - a_high * x_high) - a_low * x_high) - a_high * x_low)
    b, of_b = np.frexp(rhs.reshape(len(rhs), -1))
    values = np.concatenate([b, -product, -rest], axis=1)
    powers = np.concatenate([of_b, of_a + of_x, of_a + of_x], axis=1)
    largest = np.where(values != 0.0, powers, NO_POWER).max(axis=1)
    terms = np.ldexp(values, powers - largest[:, None])
    sums = np.array([math.fsum(row) for row in terms.tolist()])
    # What is beyond the range beside its row's largest term counts as if it were as large as it may be.
    lost = (values != 0.0) & (np.abs(terms) < SMALLEST_TERM)
    sums += np.copysign(lost.sum(axis=1) * SMALLEST_TERM, sums)
    found = np.ldexp(sums, largest)
    return np.where((found == 0.0) & (sums != 0.0), 2.0**-1074, found)


def dependent_rows(matrix: Floats) -> list[int]:
    """Return rows (m, n) that are combinations of the others to rounding, as few as leave independent ones."""
    from scipy.linalg import qr  # loads slowly

    sizes = np.abs(matrix).max(axis=1)
    scaled = matrix / np.where(sizes > 0.0, sizes, 1.0)[:, None]
    triangle, order = qr(scaled.T, mode="r", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    rank = int((diagonal > max(matrix.shape) * EPSILON * diagonal.max(initial=0.0)).sum())
    return sorted(int(row) for row in order[rank:]) or [int(order[-1])]


def dependent_rows_in_words(matrix: Floats) -> str:
    """Return `dependent_rows` by their numbers, of many the first `NAMED` and how many more there are."""
    rows = dependent_rows(matrix)
    named = ", ".join(str(row) for row in rows[:NAMED])
    return named if len(rows) <= NAMED else f"{named} and {len(rows) - NAMED} more"


def norm(vector: Floats) -> float:
    """Return the Euclidean norm; no intermediate square leaves the range of a double."""
    return math.hypot(*vector.tolist())


def _power(values: Floats) -> float:
    peak = float(np.abs(values).max(initial=0.0))
    return 2.0 ** math.frexp(peak)[1] if peak > 0.0 else 1.0


def _halves(values: Floats) -> tuple[Floats, Floats]:
    high = SPLITTER * values
    high = high - (high - values)
    return high, values - high


@dataclass(frozen=True)
class Certificate:
    """Proved properties of a solution x of A x = b.

    Attributes
    ----------
    residual : float
        ||b - A x||, with A as given and x as returned.
    rhs_norm : float
        ||b||.
    inverse_norm : float
        Upper bound of ||A^-1||; infinite where none is proved.
    error_bound : float
        Upper bound of ||x - x*|| / ||x*||; infinite where the residual gives none.
    bits : float
        -log2 of the bound: proved bits of the solution, 0 to 53.
    by : str
        How the bound was proved.
    multiplications : int
        In float64, of the proof: what is proved of the matrix, once, and what this solution takes.
    """

    residual: float
    rhs_norm: float
    inverse_norm: float
    error_bound: float
    bits: float
    by: str = ""
    multiplications: int = 0

    @property
    def relative_residual(self) -> float:
        """Norm of the residual relative to the right-hand side's."""
        return self.residual / self.rhs_norm if self.residual else 0.0

    def plain(self) -> dict[str, float | str | None]:
        """Return the values by name, for the run file; infinite values are None."""
        values = asdict(self).items()
        return {name: None if value in (math.inf, -math.inf) else value for name, value in values}


class Certifier:
    """Certifies solutions of systems with one matrix.

    Parameters
    ----------
    matrix : (n, n) array
        A as given, real.

    Attributes
    ----------
    condition : float
        About the condition number of R A, rather more; infinite where that is singular in float64.
    condition_as_given : float
        About the condition number of A.
    inverse_norm : float
        Upper bound of ||A^-1||; infinite where A is singular in float64.
    row_factors : (n,) array
        The diagonal of R; ones unless it lowers the condition number by far.
    by : str
        How ||(R A)^-1|| was bounded.
    once, each : int
        Multiplications in float64 of what is proved of A, and of each residual that is certified, once it is there.
    """

    def __init__(self, matrix: Floats) -> None:
        self._matrix = matrix
        self.row_factors = np.ones(len(matrix))
        proof, self._norm, self.once = _bounded(matrix)
        self.inverse_norm = self._scaled_inverse_norm = proof.value
        self.condition, self.condition_as_given = self._norm * proof.value, self._norm * proof.estimate
        self.by, self.each = proof.by, len(matrix)
        peaks = np.abs(matrix).max(axis=1)
        if not peaks.all():
            return
        exponents = np.frexp(peaks)[1]
        # No factor is below 1, so that no residual vanishes by it; 2^1000 is near the largest double.
        factors = np.ldexp(1.0, np.minimum(exponents.max() - exponents, 1000))
        if factors.max() > WORTH:  # a scaling lowers a condition number by no more than its own
            proof, size, spent = _bounded(factors[:, None] * matrix)
            self.once += spent
            if size * proof.value * WORTH < self.condition:
                self.row_factors, self.condition = factors, size * proof.value
                self._scaled_inverse_norm, self.by, self.each = proof.value, proof.by, 3 * len(matrix)

    @property
    def provable_bits(self) -> float:
        """Return the bits that can be proved of any float64 solution, given the residual that rounding leaves."""
        return MANTISSA - math.log2(self.condition) if self.condition < math.inf else 0.0

    def require(self, bits: float, solutions: Floats | None = None) -> None:
        """Raise `InputError` when A is singular in float64, or a float64 solution cannot be proved to have `bits`.

        Parameters
        ----------
        bits : float
            0 for none: only a singular matrix is refused.
        solutions : (n, k) array, optional
            About the solutions that are meant; left out, all those that there may be.
        """
        provable = self.provable_bits if solutions is None else self.provable_bits_of_all(solutions)
        regular = min(self.inverse_norm, self._scaled_inverse_norm) < math.inf
        if not regular or (solutions is not None and provable <= 0.0):
            rows, columns = (dependent_rows_in_words(lines) for lines in (self._matrix, self._matrix.T))
            raise InputError(
                "the matrix is singular in float64, or nearly: no residual proves a bit of a solution; rows that depend on "
                f"others (counted from 0): {rows}; columns: {columns}; without these columns the rest can be solved by "
                "least squares"
            )
        if bits > max(provable, 0.0):
            raise InputError(
                f"{bits:g} bits cannot be had with a condition number of {self.condition:.3g}: a solution in float64 can "
                f"be proved to {int(max(provable, 0.0))}; ask for no more, or for a tolerance of the residual"
            )

    @property
    def residual_size(self) -> int:
        """Multiplications of a residual in float64: entries of the matrices that it takes."""
        return self._matrix.size

    def answer(self, solution: Floats) -> Floats:
        """Return the unknowns whose error is bounded, of those of the system: here all."""
        return solution

    def provable_bits_of(self, solution: Floats) -> float:
        """Return the bits that can be proved of a solution, given the residual that rounding it leaves."""
        length = norm(self.answer(solution))
        return -math.log2(self.inverse_norm * self.smallest_residual(solution) / length) if length else 0.0

    def provable_bits_of_all(self, solutions: Floats) -> float:
        """Return the bits that can be proved of each of several solutions, (n, k); units of unknowns cost none of them.

        Rounding x leaves a residual of at most |A| |x| 2^-53, element by element (Skeel, J. ACM 26, 494 (1979)).
        """
        found = []
        for x in solutions.T[solutions.any(axis=0)]:
            with np.errstate(over="ignore", invalid="ignore"):
                left = self.row_factors * (np.abs(self._matrix) @ np.abs(x))
            error = self._scaled_inverse_norm * norm(left) * 2.0**-MANTISSA / norm(x)
            found.append(-math.log2(error) if 0.0 < error < math.inf else 0.0)
        return max(self.provable_bits, min(found, default=float(MANTISSA)))

    def smallest_residual(self, solution: Floats) -> float:
        """Return the largest norm of the residual left by rounding a solution to float64: ||A|| ||x|| 2^-53."""
        return self._norm * norm(solution) * 2.0**-MANTISSA

    def residual(self, solution: Floats, rhs: Floats) -> Floats:
        """Return b - A x, (n,)."""
        return exact_residual(self._matrix, solution, rhs)

    def measure(self, residual: Floats) -> float:
        """Return ||R r||, by which a solution is certified, of a residual r = b - A x; infinite beyond float64's range."""
        with np.errstate(over="ignore"):
            return norm(self.row_factors * residual)

    def certify(
        self, solution: Floats, residual: float, rhs_norm: float, measured: float | None = None
    ) -> Certificate:
        """Return the certificate of a solution from the norms of its residual.

        Parameters
        ----------
        solution : (n,) array
            x.
        residual, rhs_norm : float
            ||b - A x|| and ||b||; an infinite residual, for one that is not known, proves nothing by itself.
        measured : float, optional
            ||R (b - A x)||, as `measure` returns it; left out, `residual` alone proves.
        """
        rounding, length = 1.0 + len(solution) * EPSILON, norm(self.answer(solution))
        proofs = [(self.inverse_norm, residual), (self._scaled_inverse_norm, measured)]
        error = min(
            (
                max(inverse * size * rounding, SMALLEST_TERM if size else 0.0)  # lest a product vanish
                for inverse, size in proofs
                if size is not None and inverse < math.inf
            ),
            default=math.inf,
        )
        bound = error / (length - error) if error < length < math.inf else math.inf
        regular = min(self.inverse_norm, self._scaled_inverse_norm) < math.inf
        if regular and 0.0 in (residual, measured):  # as of a right-hand side of zeros
            bound = 0.0
        bits = min(max(-math.log2(bound), 0.0), float(MANTISSA)) if bound > 0.0 else float(MANTISSA)
        told = self.inverse_norm, bound, bits, self.by, self.once + self.each
        return Certificate(residual * rounding, rhs_norm, *told)

    def unproved(self, solution: Floats, residual: float, rhs_norm: float) -> Certificate:
        """Return what the norm of its residual alone tells of a solution."""
        return Certificate(residual * (1.0 + len(solution) * EPSILON), rhs_norm, math.inf, math.inf, 0.0)


def _bounded(matrix: Floats) -> tuple[Bound, float, int]:
    """Return an upper bound of ||A^-1||, about ||A||, and the multiplications of both."""
    proof, (size, spent) = inverse_norm(matrix), norm_estimate(matrix)
    return proof, size, proof.multiplications + spent
