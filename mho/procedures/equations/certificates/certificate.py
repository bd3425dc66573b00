"""Certificate of a solution: its residual in float64, from the matrix as given, and the resulting error bound.

    ||x - x*|| <= ||A^-1|| ||b - A x||,   ||x*|| >= ||x|| - ||x - x*||
    ||x - x*|| <= ||(R A)^-1|| ||R (b - A x)||   for every diagonal R

The second bound is for equations in units of very different size: with R, powers of two that make the rows of like size,
||(R A)^-1|| ||R A|| is near the least that a scaling of the rows can make it (van der Sluis, Numer. Math. 14, 14 (1969)).
Unknowns in units of very different size make neither bound larger than the error: what they enlarge is ||A||, from which
nothing is proved.

The residual is summed without rounding errors (products split after Dekker, Numer. Math. 18, 224 (1971); sums after
Shewchuk, by `math.fsum`), so it is accurate to the last bits of a double, where a plain product is rounding noise.

A Cholesky factorisation that runs to its end proves a symmetric matrix T to be positive semidefinite but for its rounding,

    L L^T = T + E,   ||E|| <= gamma tr(T)   =>   lambda_min(T) >= -gamma tr(T)

(Rump, BIT 46, 433 (2006)). Of T = A^T A - t I this proves the smallest singular value of A, of T = t I - K^T K the largest
of K. The first needs no inverse and serves up to condition numbers of about 1e5, as A^T A has the square of that.

Beyond, an inverse of A with rows and columns scaled to like size is verified (`VerifiedInverse`). With A = D S C, D and C
powers of two, R about S^-1, G v <= q v for |I - R S| <= G,

    S^-1 = R + (I - R S) S^-1,   |S^-1 - R| <= g m^T,   g = G v,   m_j = max_i (|R_ij| / v_i) / (1 - q)
    =>   ||A^-1|| <= ||C^-1 R D^-1|| + ||C^-1 g|| ||D^-1 m||

so that units of rows or columns, which make the singular values of A rounding noise, cost nothing.

Numbers of multiplications are those of the field (Golub & Van Loan, Matrix Computations, 4th ed.): n^3/6 of a Cholesky
factorisation, n^3 of an inverse, half of a product for a symmetric one.

With <A> the comparison matrix, |a_ii| on the diagonal and -|a_ij| beside it, any v > 0 with <A> v > 0 proves A regular, and

    |A^-1| <= <A>^-1,   <A>^-1 1 <= v / min(<A> v)
    =>   ||A^-1||_inf <= max(v) / min(<A> v),   ||A^-1 r||_2 <= ||v||_2 max|r| / min(<A> v)

(Ostrowski, Comment. Math. Helv. 10, 69 (1937); Varah, Linear Algebra Appl. 11, 3 (1975)). With v = 1 that is strict
diagonal dominance; Jacobi's sweeps of <A> v = 1 find v for other matrices. Columns do as well as rows, by the transposed
matrix, and both together prove ||A^-1||_2 <= sqrt(||A^-1||_1 ||A^-1||_inf). The magnitudes of a solution are tried for v,
too: of an M-matrix and a positive right-hand side they are one, so that there the chip has found what proves the bound.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.errors import InputError
from mho.lazy_names import compiled_alone
from mho.procedures.equations.certificates.verified_inverse import (
    DEFECT_PRODUCTS,
    ROUGH_PRODUCTS,
    ROUNDOFF,
    UNDERFLOW,
    UP,
    VerifiedInverse,
    bounded_product,
    defect,
    gamma,
    power_scaling,
    rough_defect,
    scaled,
)

if TYPE_CHECKING:
    from scipy.linalg.lapack import dpotrs
else:
    (dpotrs,) = compiled_alone("scipy.linalg", "_flapack", ["dpotrs"], "scipy.linalg.lapack")

SHARP = 2.0**-10  # share of what is bounded that rounding may take where a better way is left
MARGINS = (2.0**-20, 2.0**-10, 2.0**-5, 2.0**-2)  # of an estimate, until a factorisation proves it
MOST_STEPS, BETWEEN = 48, 4  # of an estimate: at most, and from one judgement of it to the next
STEADY = 2.0**-20  # residual of its eigenvector, relative to the eigenvalue, that ends it
FLOOR = 2.0**-480  # smaller entries of the scaled matrix are set to zero, which is bounded

BY_SINGULAR_VALUE, BY_INVERSE = "smallest singular value", "verified inverse"


@dataclass(frozen=True)
class Bound:
    """A bound, how it was proved, and the multiplications in float64 that this took."""

    value: float  # infinite, of a lower bound 0, where nothing is proved
    by: str
    multiplications: int
    estimate: float  # what is bounded, not proved


def inverse_norm(matrix: Floats) -> Bound:
    """Return an upper bound of ||A^-1||; infinite where A is singular, or too near to it for float64.

    `matrix` (n, n): A, finite.
    """
    singular = smallest_singular_value(matrix)
    if singular.value > 0.0:
        estimate = _reciprocal(singular.estimate)
        return replace(singular, value=_reciprocal(singular.value), estimate=estimate)
    verified = _by_inverse(matrix)
    return replace(verified, multiplications=singular.multiplications + verified.multiplications)


def smallest_singular_value(matrix: Floats) -> Bound:
    """Return a lower bound of the smallest singular value of A (m, n), m >= n, from A^T A; 0 where that proves too little.

    It is below the smallest singular value by less than 2^-11 of it, where it is estimated well.
    """
    (m, n), exponent = matrix.shape, _exponent(matrix)
    a = np.ldexp(matrix, -exponent)
    gram, spent = a.T @ a, m * n**2 // 2
    trace = float(np.trace(gram)) * (1.0 + gamma(m + n)) * UP
    slack = (gamma(n + 1) + gamma(m) + 4.0 * ROUNDOFF) * trace * UP + UNDERFLOW
    factor, spent = _cholesky(gram), spent + n**3 // 6
    if factor is None or not slack < SHARP * float(np.diag(factor).min()) ** 2:  # not below the eigenvalue
        return Bound(0.0, BY_SINGULAR_VALUE, spent, 0.0)
    inverse, steps = _largest_eigenvalue(lambda vector: _solved(factor, vector), n)
    spent += steps * n**2
    for margin in MARGINS:
        level = (1.0 - margin) / inverse
        if not slack < SHARP * level:
            break
        spent += n**3 // 6
        if _cholesky(gram - level * np.eye(n)) is not None:
            value = math.sqrt((level - slack) / UP) / UP
            estimate = math.ldexp(1.0 / math.sqrt(inverse), exponent)
            return Bound(math.ldexp(value, exponent), BY_SINGULAR_VALUE, spent, estimate)
    return Bound(0.0, BY_SINGULAR_VALUE, spent, 0.0)


def largest_singular_value(matrix: Floats) -> Bound:
    """Return an upper bound of the largest singular value of K (n, n), from K^T K: at most that of all together."""
    n, exponent = len(matrix), _exponent(matrix)
    k = np.ldexp(matrix, -exponent)
    gram, spent = k.T @ k, n**3 // 2
    whole = (
        float(np.trace(gram)) * (1.0 + gamma(2 * n)) + UNDERFLOW
    ) * UP  # the square of the Frobenius norm
    estimate, steps = _largest_eigenvalue(lambda vector: gram @ vector, n)
    spent, square = spent + steps * n**2, whole
    for margin in MARGINS:
        level = (1.0 + margin) * estimate
        spent += n**3 // 6
        if _cholesky(level * np.eye(n) - gram) is not None:
            slack = gamma(n + 1) * n * level + (gamma(n) + 4.0 * ROUNDOFF) * whole + UNDERFLOW
            square = min(whole, (level + slack * UP) * UP)
            break
    most, about = (_power_of_two(math.sqrt(one) * UP, exponent) for one in (square, estimate))
    return Bound(most, BY_INVERSE, spent, about)


def norm_estimate(matrix: Floats) -> tuple[float, int]:
    """Return about the norm of A (m, n), from below, and the multiplications that it took."""
    (m, n), exponent = matrix.shape, _exponent(matrix)
    a = np.ldexp(matrix, -exponent)
    square, steps = _largest_eigenvalue(lambda vector: a.T @ (a @ vector), n)
    return _power_of_two(math.sqrt(square), exponent), 2 * steps * m * n


def _by_inverse(matrix: Floats) -> Bound:
    """Return an upper bound of ||A^-1|| from a verified inverse of A with scaled rows and columns."""
    n, exponents = len(matrix), power_scaling(matrix)
    if exponents is None:
        return Bound(math.inf, BY_INVERSE, 0, math.inf)
    rows, columns = exponents
    scaled_matrix = scaled(matrix, -rows[:, None] - columns, FLOOR)
    inverse, spent = VerifiedInverse(*scaled_matrix, rough_defect), (1 + ROUGH_PRODUCTS) * n**3
    if not inverse.contraction < SHARP:
        inverse, spent = VerifiedInverse(*scaled_matrix, defect), spent + (1 + DEFECT_PRODUCTS) * n**3
    if not inverse.contraction < 1.0:
        return Bound(math.inf, BY_INVERSE, spent, math.inf)
    with np.errstate(over="ignore"):
        exponent, whole = _scaled_back(inverse.inverse, -columns[:, None] - rows)
        most = largest_singular_value(whole)
        growth = bounded_product(inverse.bound, inverse.weights)
        share = (inverse.magnitude / inverse.weights[:, None]).max(axis=0) / (1.0 - inverse.contraction) * UP
        rest = _vector_norm(growth, -columns), _vector_norm(share, -rows)
        unknown = _power_of_two(rest[0][0] * rest[1][0] * UP, rest[0][1] + rest[1][1])
        value = (_power_of_two(most.value, exponent) + unknown) * UP
    estimate = _power_of_two(most.estimate, exponent)
    return Bound(value, BY_INVERSE, spent + most.multiplications, estimate)


def _scaled_back(values: Floats, exponents: Integers) -> tuple[int, Floats]:
    """Return an exponent e, and values times 2^(exponents - e), the largest below 1; callers bound the underflow."""
    sizes = np.where(values != 0.0, np.frexp(values)[1] + exponents, np.iinfo(np.int32).min)
    largest = int(sizes.max())
    return largest, np.ldexp(values, np.maximum(exponents - largest, -4000))


def _vector_norm(values: Floats, exponents: Integers) -> tuple[float, int]:
    """Return f and e, with f 2^e an upper bound of the norm of a vector times 2^exponents."""
    exponent, whole = _scaled_back(values, exponents)
    return (math.hypot(*whole.tolist()) + UNDERFLOW) * (1.0 + gamma(len(values))) * UP, exponent


def _exponent(matrix: Floats) -> int:
    return int(np.frexp(np.abs(matrix).max())[1])


def _power_of_two(value: float, exponent: int) -> float:
    """Return value 2^exponent, not below it; infinite where float64 does not hold it."""
    try:
        power = math.ldexp(value, exponent)
    except OverflowError:
        return math.inf
    return power if power > 2.0**-1000 else math.nextafter(power, math.inf)


def _reciprocal(value: float) -> float:
    return UP / value if value > 2.0**-1020 else math.inf


def _cholesky(matrix: Floats) -> Floats | None:
    """Return L, or None where the factorisation does not come to its end."""
    try:
        factor = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    return factor if np.isfinite(factor).all() else None


def _solved(factor: Floats, vector: Floats) -> Floats:
    return np.asarray(dpotrs(factor, vector, lower=True)[0])


def _largest_eigenvalue(apply: Callable[[Floats], Floats], n: int) -> tuple[float, int]:
    """Return about the largest eigenvalue of a positive semidefinite operator, and the products that it took.

    By Lanczos' method with whole reorthogonalisation, until the vector's residual makes the value's error a square of it.
    """
    basis = np.zeros((0, n))
    diagonal: list[float] = []
    beside: list[float] = []
    vector = np.random.default_rng(0).standard_normal(n)
    vector /= np.linalg.norm(vector)
    for step in range(1, min(n, MOST_STEPS) + 1):
        basis = np.vstack([basis, vector])
        product = apply(vector)
        diagonal.append(float(vector @ product))
        product = product - basis.T @ (basis @ product)
        product -= basis.T @ (basis @ product)
        rest = float(np.linalg.norm(product))
        if step % BETWEEN == 0 or step == min(n, MOST_STEPS) or not rest > ROUNDOFF * abs(diagonal[0]):
            values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, -1))
            if step == min(n, MOST_STEPS) or rest * abs(vectors[-1, -1]) <= STEADY * values[-1]:
                break
        beside.append(rest)
        vector = product / rest
    return float(values[-1]), step


MANTISSA = 53  # bits of a double
SPLITTER = 2.0**27 + 1.0  # splits a double into two halves whose products are exact
EPSILON = 2.0 ** (1 - MANTISSA)
NAMED = 10  # lines that depend on others which a message names
SMALLEST_TERM = 2.0**-1000
"""Of a sum whose largest term is near 1: below it a double holds fewer bits, or none."""
NO_POWER = -10_000  # exponent of zero, below those of all doubles
WORTH = 16.0
"""Factor by which scaled rows must lower the condition number: for less the residual is measured as it is."""


def exact_residual(matrix: Floats, solution: Floats, rhs: Floats) -> Floats:
    """Return b - A x, each element rounded once; none that is not zero becomes zero.

    `matrix` (m, n): A; `solution` (n,): x; `rhs` (m,) or (m, k): b, or terms whose sum it is.
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
    residual = np.ldexp(sums, largest)
    return np.where((residual == 0.0) & (sums != 0.0), 2.0**-1074, residual)


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


def is_positive_definite(matrix: NDArray[Any]) -> bool:
    """Return whether a symmetric or Hermitian matrix (n, n) has a Cholesky factorisation in float64."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


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
    """Proved properties of a solution x of A x = b."""

    residual: float  # ||b - A x||, with A as given and x as returned
    rhs_norm: float  # ||b||
    inverse_norm: float  # upper bound of ||A^-1||; infinite where none is proved
    error_bound: float  # upper bound of ||x - x*|| / ||x*||; infinite where the residual gives none
    bits: float  # -log2 of the bound: proved bits of the solution, 0 to 53
    by: str = ""  # how the bound was proved
    # In float64, of the proof: what is proved of the matrix, once, and what this solution takes
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

    - `condition`: about the condition number of R A, rather more; infinite where that is singular in float64.
    - `condition_as_given`: about the condition number of A.
    - `inverse_norm`: upper bound of ||A^-1||; infinite where A is singular in float64.
    - `row_factors` (n,): the diagonal of R; ones unless it lowers the condition number by far.
    - `by`: how ||(R A)^-1|| was bounded.
    - `once`, `each`: multiplications in float64 of what is proved of A, and of each residual that is certified, once
      it is there.

    `matrix` (n, n): A as given, real.
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

        `bits`: 0 for none: only a singular matrix is refused. `solutions` (n, k), optional: about the solutions that
        are meant; left out, all those that there may be.
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
        bits = []
        for x in solutions.T[solutions.any(axis=0)]:
            with np.errstate(over="ignore", invalid="ignore"):
                left = self.row_factors * (np.abs(self._matrix) @ np.abs(x))
            error = self._scaled_inverse_norm * norm(left) * 2.0**-MANTISSA / norm(x)
            bits.append(-math.log2(error) if 0.0 < error < math.inf else 0.0)
        return max(self.provable_bits, min(bits, default=float(MANTISSA)))

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

        `solution` (n,): x. `residual`, `rhs_norm`: ||b - A x|| and ||b||; an infinite residual, for one that is not
        known, proves nothing by itself. `measured`: ||R (b - A x)||, as `measure` returns it; left out, `residual`
        alone proves.
        """
        rounding, length = 1.0 + len(solution) * EPSILON, norm(self.answer(solution))
        proofs = [(self.inverse_norm, residual), (self._scaled_inverse_norm, measured)]
        error = min(
            (
                max(inverse * size * rounding, SMALLEST_TERM)  # lest a product vanish
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
        proved = self.inverse_norm, bound, bits, self.by, self.once + self.each
        return Certificate(residual * rounding, rhs_norm, *proved)

    def unproved(self, solution: Floats, residual: float, rhs_norm: float) -> Certificate:
        """Return what the norm of its residual alone tells of a solution."""
        return Certificate(residual * (1.0 + len(solution) * EPSILON), rhs_norm, math.inf, math.inf, 0.0)


def _bounded(matrix: Floats) -> tuple[Bound, float, int]:
    """Return an upper bound of ||A^-1||, about ||A||, and the multiplications of both."""
    proof, (size, spent) = inverse_norm(matrix), norm_estimate(matrix)
    return proof, size, proof.multiplications + spent


SWEEPS = 16  # of Jacobi's method, at most
ENOUGH = 0.99  # share of its bound to which a sweep must come for another one
BY_DOMINANCE, BY_SOLUTION = "diagonal dominance", "diagonal dominance with the solution's weights"
BY_NOTHING = "residual only"


class ResidualCertifier(Certifier):
    """Tells residuals, and bounds errors where n^2 operations find weights with which A is diagonally dominant.

    `matrix` (n, n): A as given, real. `inverse_norm`, `condition`: infinite where nothing is proved, which says
    nothing of A.
    """

    def __init__(self, matrix: Floats) -> None:
        n, self._matrix = len(matrix), matrix
        self.row_factors = np.ones(n)
        by_rows, of_rows = _by_sweeps(matrix)
        by_columns, of_columns = _by_sweeps(matrix.T)
        self.inverse_norm = self._scaled_inverse_norm = _least(by_rows, by_columns)
        sizes = np.abs(matrix)
        with np.errstate(over="ignore"):
            by_both = float(sizes.sum(axis=0).max()), float(sizes.sum(axis=1).max())
        self._norm = math.sqrt(by_both[0]) * math.sqrt(by_both[1])
        self.once, self.each = (of_rows + of_columns) * n**2, 2 * n**2 + n
        self.condition = self.condition_as_given = self._norm * self.inverse_norm
        self.by = BY_DOMINANCE if self.inverse_norm < math.inf else BY_NOTHING

    def require(self, bits: float, solutions: Floats | None = None) -> None:
        """Refuse nothing, as no bits are promised."""

    def certify(
        self, solution: Floats, residual: float, rhs_norm: float, measured: float | None = None
    ) -> Certificate:
        """Return the certificate of a solution, which also serves as weights; parameters as those of `Certifier`."""
        weights = np.abs(solution)
        by_solution = _least(*(dominance_norms(one, weights) for one in (self._matrix, self._matrix.T)))
        if not by_solution < self.inverse_norm:
            return super().certify(solution, residual, rhs_norm, measured)
        better = copy.copy(self)
        better.inverse_norm = better._scaled_inverse_norm = by_solution
        better.by = BY_SOLUTION
        return super(ResidualCertifier, better).certify(solution, residual, rhs_norm, measured)


def dominance_norms(matrix: Floats, weights: Floats) -> tuple[float, float]:
    """Return upper bounds of ||A^-1||_2 and ||A^-1||_inf by weights v >= 0, (n,); infinite where these prove nothing."""
    if not (weights > 0.0).all():
        return math.inf, math.inf
    sizes, n = np.abs(matrix), len(matrix)
    diagonal = np.diag(sizes) * weights
    np.fill_diagonal(sizes, 0.0)
    with np.errstate(all="ignore"):
        beside = (sizes @ weights) * (1.0 + gamma(n)) * UP
        least = float((diagonal - beside - 4.0 * ROUNDOFF * (diagonal + beside)).min())
        if not 2.0**-900 < least < math.inf:
            return math.inf, math.inf
        return norm(weights) / least * (1.0 + gamma(n)) * UP, float(weights.max()) / least * UP


def _least(by_rows: tuple[float, float], by_columns: tuple[float, float]) -> float:
    """Return the least bound of ||A^-1||_2 of what `dominance_norms` returns of A and of its transpose."""
    return min(by_rows[0], by_columns[0], math.sqrt(by_rows[1]) * math.sqrt(by_columns[1]) * UP)


def _by_sweeps(matrix: Floats) -> tuple[tuple[float, float], int]:
    """Return the least of `dominance_norms` that Jacobi's sweeps of <A> v = 1 come to, and the products that they took."""
    sizes = np.abs(matrix)
    diagonal = np.diag(sizes).copy()
    np.fill_diagonal(sizes, 0.0)
    best, weights, spent = (math.inf, math.inf), np.ones(len(matrix)), 0
    for _ in range(SWEEPS if diagonal.all() else 0):
        norms, spent = dominance_norms(matrix, weights), spent + 2
        last, best = best, min(best, norms)
        if norms[0] > ENOUGH * last[0]:
            break
        with np.errstate(over="ignore"):
            weights = (1.0 + sizes @ weights) / diagonal
    return best, spent
