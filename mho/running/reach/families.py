"""Families of systems that the field solves, drawn by seed: what verdicts and reach are counted over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.running.reach.applied_families import APPLIED
from mho.running.reach.structured_families import STRUCTURED

Matrix = NDArray[Any]


@dataclass(frozen=True)
class System:
    """A family's name, and one draw of it: matrix and right-hand side, real or complex."""

    family: str
    matrix: Matrix
    rhs: Matrix

    @property
    def condition(self) -> float:
        """Condition number of the matrix."""
        return float(np.linalg.cond(self.matrix))


def dominant(rng: np.random.Generator, n: int) -> Matrix:
    """Random signs and sizes, each diagonal entry as large as its row's others together."""
    matrix = rng.uniform(-1.0, 1.0, (n, n))
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + rng.uniform(0.1, 1.0, n))


def gram(rng: np.random.Generator, n: int) -> Matrix:
    """H^H H of a channel with eight times as many antennas as users, scaled to 1 on the diagonal."""
    channel = rng.standard_normal((8 * n, n)) / np.sqrt(8 * n)
    return np.asarray(channel.T @ channel)


def random(rng: np.random.Generator, n: int) -> Matrix:
    """Independent normal entries; most have no stable loop until their rows are exchanged."""
    return rng.standard_normal((n, n))


def random_positive(rng: np.random.Generator, n: int) -> Matrix:
    """Independent entries, uniform between 0 and 1."""
    return rng.uniform(0.0, 1.0, (n, n))


def conditioned(condition: float) -> Callable[[np.random.Generator, int], Matrix]:
    """Symmetric positive definite, eigenvalues spaced evenly by ratio down to 1 / `condition`."""

    def draw(rng: np.random.Generator, n: int) -> Matrix:
        """Symmetric positive definite, eigenvalues spaced evenly by ratio down to the inverse of this number."""
        turn = np.linalg.qr(rng.standard_normal((n, n)))[0]
        return np.asarray(turn @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ turn.T)

    return draw


def complex_gram(rng: np.random.Generator, n: int) -> Matrix:
    """As `gram`, of a complex channel; n is the size of the real system."""
    half = max(n // 2, 1)
    shape = (8 * half, half)
    channel = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(16 * half)
    return np.asarray(channel.conj().T @ channel)


def complex_dominant(rng: np.random.Generator, n: int) -> Matrix:
    """Complex entries beside a dominant real diagonal; n is the size of the real system."""
    half = max(n // 2, 1)
    matrix = rng.standard_normal((half, half)) + 1j * rng.standard_normal((half, half))
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + 0.5)


BASIC: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "dominant": dominant,
    "Gram": gram,
    "random": random,
    "random positive": random_positive,
    "condition 1": conditioned(1.0),
    "condition 3": conditioned(3.0),
    "condition 10": conditioned(10.0),
    "condition 100": conditioned(100.0),
    "condition 1e3": conditioned(1e3),
    "condition 1e4": conditioned(1e4),
    "complex Gram": complex_gram,
    "complex dominant": complex_dominant,
}
"""The twelve that verdicts are counted over."""

FAMILIES = BASIC | STRUCTURED | APPLIED


def draw(family: str, n: int, seed: int) -> System:
    """Draw a system of a family: the same for the same seed."""
    rng = np.random.default_rng([seed, n, *family.encode()])
    matrix = FAMILIES[family](rng, n)
    rhs = rng.standard_normal(len(matrix))
    return System(
        family, matrix, rhs + 1j * rng.standard_normal(len(matrix)) if np.iscomplexobj(matrix) else rhs
    )
