"""Systems larger than a loop, of any size: discretised differential equations, and matrices of a given condition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks._families import DrawnSystem, Matrix, conditioned, dominant, gram, random
from mho.extensions.reach.families import convection_diffusion, poisson


def spd(rng: np.random.Generator, n: int, condition: float) -> Matrix:
    """Symmetric positive definite and dense, eigenvalues spaced evenly by ratio down to 1 / `condition`."""
    return conditioned(condition)(rng, n)


LARGE: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "Gram": gram,
    "dominant": dominant,
    "Poisson": lambda _, n: poisson(n),
    "convection-diffusion": lambda _, n: convection_diffusion(n),
    "SPD 30": lambda rng, n: spd(rng, n, 30.0),
    "SPD 1e3": lambda rng, n: spd(rng, n, 1e3),
    "general": random,
}


def draw(family: str, n: int, seed: int) -> DrawnSystem:
    """Draw a system of a family: the same for the same seed."""
    rng = np.random.default_rng([seed, n, *family.encode()])
    return DrawnSystem(family, LARGE[family](rng, n), rng.standard_normal(n))
