"""What a training takes: digital operations, counted from the sizes of the layers, and their energy.

An operation is an addition or a multiplication. Products of matrices are counted in full, element-wise functions are not:
they are less than a tenth.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

# Energy of a digital operation, J: 700 W over 67e12 operations a second in FP32, the data sheet limits of an
# H100 SXM. Matrices as small as these stay far from that limit, so it is the least that a GPU takes, not what
# it would take.
H100_JOULES = 700.0 / 67e12
# Operations a weight of an update: as `Momentum`, `Adam` and `NaturalGradient` are written
UPDATES = {"sgd": 4, "adam": 13, "second-order": 7}


def weights_in(sizes: Sequence[int]) -> int:
    """Return the number of weights, biases included."""
    return sum(outputs * (inputs + 1) for inputs, outputs in pairwise(sizes))


def step_operations(kind: str, sizes: Sequence[int], batch: int) -> int:
    """Return the operations of a step without factors: forward, backward, and the update of an optimiser's kind."""
    passes = 2 * batch * (2 * weights_in(sizes) + _carried_back(sizes))
    natural = 0
    if kind == "second-order":
        natural = sum(2 * outputs * (inputs + 1) * (inputs + outputs) for inputs, outputs in pairwise(sizes))
    return passes + natural + UPDATES[kind] * weights_in(sizes)


def factor_operations(sizes: Sequence[int], samples: int) -> int:
    """Return the operations of computing the factors of all layers over so many samples, each for every class."""
    classes = sizes[-1]
    passes = 2 * samples * (weights_in(sizes) + classes * _carried_back(sizes))
    return passes + sum(
        2 * samples * (inputs**2 + classes * outputs**2) for inputs, outputs in pairwise(sizes)
    )


def inverse_operations(size: int) -> int:
    """Return the operations of inverting a symmetric positive definite matrix by Cholesky, n^3 (potrf and potri)."""
    return size**3


def residual_operations(size: int, cycles: int) -> int:
    """Return the operations of the residuals that so many cycles of refinement of an inverse take in float64."""
    return 2 * size**3 * (cycles - 1)


def factor_sizes(sizes: Sequence[int]) -> list[int]:
    """Return the sizes of the factors, of each layer C and then G."""
    return [size for pair in pairwise(sizes) for size in pair]


def _carried_back(sizes: Sequence[int]) -> int:
    """Return the weights through which derivatives are carried back: those of all layers but the first."""
    return sum(outputs * inputs for inputs, outputs in pairwise(sizes[1:]))
