"""A proved upper bound of ||A^-1|| in the 2-norm, by the cheaper of two ways that prove it.

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
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.certificates.power_scaling import Integers, power_scaling, scaled
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
    rough_defect,
)

Floats = NDArray[np.float64]

SHARP = 2.0**-10  # share of what is bounded that rounding may take where a better way is left
MARGINS = (2.0**-20, 2.0**-10, 2.0**-5, 2.0**-2)  # of an estimate, until a factorisation proves it
MOST_STEPS, BETWEEN = 48, 4  # of an estimate: at most, and from one judgement of it to the next
STEADY = 2.0**-20  # residual of its eigenvector, relative to the eigenvalue, that ends it
FLOOR = 2.0**-480  # smaller entries of the scaled matrix are set to zero, which is bounded

BY_SINGULAR_VALUE, BY_INVERSE = "smallest singular value", "verified inverse"


@dataclass(frozen=True)
class Bound:
    """A bound, how it was proved, and the multiplications in float64 that this took.

    Attributes
    ----------
    value : float
        Infinite, of a lower bound 0, where nothing is proved.
    by : str
    multiplications : int
    estimate : float
        What is bounded, not proved.
    """

    value: float
    by: str
    multiplications: int
    estimate: float


def inverse_norm(matrix: Floats) -> Bound:
    """Return an upper bound of ||A^-1||; infinite where A is singular, or too near to it for float64.

    Parameters
    ----------
    matrix : (n, n) array
        A, finite.
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
        found = math.ldexp(value, exponent)
    except OverflowError:
        return math.inf
    return found if found > 2.0**-1000 else math.nextafter(found, math.inf)


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
    from scipy.linalg import cho_solve  # loads slowly

    found: Floats = cho_solve((factor, True), vector, check_finite=False)
    return found


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
