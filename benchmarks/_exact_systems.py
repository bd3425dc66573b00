"""Systems of equations in every shape and scale, and their exact solutions in integers: what enclosures are held to.

Rows and columns become integers by powers of two; Bareiss's elimination (Math. Comp. 22, 565 (1968)), in which every
division is exact, gives numerators and determinant. Nothing of it rounds, and nothing of it is shared with the enclosure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.linalg import hilbert, toeplitz

from mho.array_types import Floats

SIZES = (1, 2, 3, 4, 5, 6, 8, 12, 16, 32)
SHARES = (0.04, 0.13, 0.16, 0.17, 0.13, 0.13, 0.12, 0.075, 0.035, 0.01)
SCALES = ("none", "1e-200", "1e200", "rows", "columns", "both")
ACCURACIES = ("24 bits", "48 bits", "all bits", "float64", "zero")


@dataclass(frozen=True)
class ExactSystem:
    """A x = b with its exact solution, and an approximate one.

    Attributes
    ----------
    family, scale, accuracy : str
        How it was drawn.
    condition : float
        Condition number of the matrix before it was scaled.
    matrix, rhs, solution : array
        A, b, and the approximate x.
    truth : list of Fraction
        x*.
    """

    family: str
    scale: str
    accuracy: str
    condition: float
    matrix: Floats
    rhs: Floats
    solution: Floats
    truth: list[Fraction]


def exact_solution(matrix: Floats, rhs: Floats) -> list[Fraction] | None:
    """Return the exact solution of A x = b; None where A is singular."""
    n = len(matrix)
    columns = [_lowest(matrix[:, j]) for j in range(n)]
    table = []
    for values, right in zip(matrix.tolist(), rhs.tolist(), strict=True):
        row = [_times_power(value, -lowest) for value, lowest in zip(values, columns, strict=True)]
        row.append(Fraction(right))
        common = max(entry.denominator for entry in row)  # all are powers of two
        whole = [int(entry * common) for entry in row]
        divisor = math.gcd(*whole) or 1
        table.append([value // divisor for value in whole])
    if not _eliminate(table):
        return None
    return [_times_power(Fraction(row[-1], row[j]), -columns[j]) for j, row in enumerate(table)]


def _eliminate(table: list[list[int]]) -> bool:
    """Make the left part a multiple of the unit matrix, without fractions; False where it is singular."""
    n, divisor = len(table), 1
    for k in range(n):
        pivot = next((i for i in range(k, n) if table[i][k]), None)
        if pivot is None:
            return False
        table[k], table[pivot] = table[pivot], table[k]
        lead, head = table[k], table[k][k]
        for i, row in enumerate(table):
            if i != k:
                factor = row[k]
                table[i] = [(head * v - factor * w) // divisor for v, w in zip(row, lead, strict=True)]
        divisor = head
    return True


def _lowest(values: Floats) -> int:
    """Return the exponent of the largest value, less the bits of a double."""
    return int(np.frexp(np.abs(values).max())[1]) - 53


def _times_power(value: float | Fraction, exponent: int) -> Fraction:
    power = Fraction(2 ** abs(exponent))
    return Fraction(value) * power if exponent >= 0 else Fraction(value) / power


def _conditioned(low: float, high: float) -> Callable[[np.random.Generator, int], Floats]:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
        matrix: Floats = left * np.geomspace(1.0, 10.0 ** -rng.uniform(low, high), n) @ right
        return matrix

    return draw


def _sparse(rng: np.random.Generator, n: int) -> Floats:
    matrix = rng.standard_normal((n, n)) * (rng.random((n, n)) < 2.0 / n)
    matrix[np.arange(n), rng.permutation(n)] += rng.uniform(1.0, 2.0, n)
    return matrix


def _triangular(rng: np.random.Generator, n: int) -> Floats:
    return np.triu(rng.standard_normal((n, n)), 1) + np.diag(rng.uniform(0.5, 2.0, n))


def _poisson(rng: np.random.Generator, n: int) -> Floats:
    column = np.zeros(n)
    column[0] = 2.0
    column[1:2] = -1.0
    matrix: Floats = toeplitz(column) + np.diag(rng.uniform(0.0, 0.1, n))
    return matrix


FAMILIES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "random": lambda rng, n: rng.standard_normal((n, n)),
    "condition 1 to 1e6": _conditioned(0.0, 6.0),
    "condition 1e6 to 1e12": _conditioned(6.0, 12.0),
    "condition 1e12 to 1e18": _conditioned(12.0, 18.0),
    "sparse": _sparse,
    "triangular": _triangular,
    "Hilbert": lambda rng, n: hilbert(n + int(rng.integers(2)))[:n, -n:],
    "Poisson": _poisson,
    "integers": lambda rng, n: rng.integers(-9, 10, (n, n)).astype(np.float64),
    "wide entries": lambda rng, n: rng.standard_normal((n, n)) * 10.0 ** rng.uniform(-9.0, 0.0, (n, n)),
}


def draw_exact_system(seed: int) -> ExactSystem:
    """Draw a regular system: family, size, scale and accuracy all by the seed."""
    rng = np.random.default_rng([seed, 12])
    while True:
        family = str(rng.choice(list(FAMILIES)))
        n = int(rng.choice(SIZES, p=SHARES))
        plain = FAMILIES[family](rng, n)
        scale = str(rng.choice(SCALES))
        matrix = _scaled(rng, plain, scale)
        rhs = matrix.max(axis=1) * rng.standard_normal(n)
        truth = exact_solution(matrix, rhs)
        if truth is not None and all(abs(value) < 2**1000 for value in truth):
            accuracy = str(rng.choice(ACCURACIES))
            solution = _approximate(rng, matrix, rhs, truth, accuracy)
            return ExactSystem(family, scale, accuracy, _condition(plain), matrix, rhs, solution, truth)


def _condition(matrix: Floats) -> float:
    """Return the condition number with rows and columns scaled to a largest entry of 1."""
    rows = matrix / np.abs(matrix).max(axis=1, keepdims=True)
    return float(np.linalg.cond(rows / np.abs(rows).max(axis=0)))


def _scaled(rng: np.random.Generator, matrix: Floats, scale: str) -> Floats:
    n = len(matrix)
    rows = 10.0 ** rng.uniform(-70.0, 70.0, (n, 1)) if scale in ("rows", "both") else 1.0
    columns = 10.0 ** rng.uniform(-70.0, 70.0, n) if scale in ("columns", "both") else 1.0
    whole = float(scale) if scale.startswith("1e") else 1.0
    return matrix * rows * columns * whole


def _approximate(
    rng: np.random.Generator, matrix: Floats, rhs: Floats, truth: list[Fraction], accuracy: str
) -> Floats:
    """Return the truth rounded to so many bits of each element, what LAPACK says, or nothing."""
    nearest = np.array([float(value) for value in truth])
    if accuracy == "zero":
        return np.zeros_like(nearest)
    if accuracy == "all bits":
        return nearest
    if accuracy == "float64":
        try:
            found = np.asarray(np.linalg.solve(matrix, rhs), dtype=np.float64)
        except np.linalg.LinAlgError:
            return nearest
        return found if np.isfinite(found).all() else nearest
    return nearest * (1.0 + 2.0 ** -int(accuracy.split()[0]) * rng.uniform(-1.0, 1.0, len(nearest)))
