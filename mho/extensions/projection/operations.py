"""Counts: the operations that a solve is worth, those of BlockAMC, and the cells that hold a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import InputError

LARGEST = 1 << 24  # unknowns beyond which nothing is counted


def solve_operations(size: ArrayLike) -> Floats:
    """Return the operations of one digital solve of a positive definite system, factorisation included.

    Cholesky takes ``N^3/3 + N^2/2 + N/6`` additions, multiplications, divisions and roots, the two triangular systems
    ``N^2`` each (Golub and Van Loan, Matrix Computations, sections 3.1 and 4.2): together ``N^3/3 + 5/2 N^2 + N/6``.

    This is the convention that the published throughput follows (Zuo et al. 2025, Fig. 5): this count over each of the six
    published values is one and the same time, 1.546 us, within 0.3 %. LU, 2/3 N^3 + 2 N^2, is not it: its times would
    differ by a factor of 1.6.
    """
    n = np.asarray(size, dtype=np.float64)
    return n**3 / 3.0 + 2.5 * n**2 + n / 6.0


def inverse_operations(size: ArrayLike) -> Floats:
    """Return the operations of a whole inverse by LU: ``2 N^3`` (Golub and Van Loan, section 3.2)."""
    return 2.0 * np.asarray(size, dtype=np.float64) ** 3


def product_operations(size: ArrayLike) -> Floats:
    """Return the operations of one product of matrix and vector: ``2 N^2``."""
    return 2.0 * np.asarray(size, dtype=np.float64) ** 2


@dataclass(frozen=True)
class Calls:
    """What one cycle of refinement takes."""

    lines: int  # of each loop, and of each block of a product
    # inversions, products: INV and MVM operations
    inversions: float
    products: float
    # loops, blocks: arrays for INV, and blocks of the matrix for MVM, that must be there
    loops: float
    blocks: float


def one_loop(size: int) -> Calls:
    """Return what a cycle takes in one loop: one INV and one MVM."""
    return Calls(_checked(size), 1.0, 1.0, 1.0, 1.0)


def in_blocks(size: int, loop: int) -> Calls:
    """Return what a cycle takes by BlockAMC, to the depth at which a block fits a loop.

    With n = N / N0 (arXiv 2401.10042): n^(log2 3) INV; 2 n^2 - 2 n^(log2 3) products within the block
    inverse, and n^2 for the residual. The loops hold n blocks, the products n^2 - n blocks of the recursion and all n^2 of
    the residual.

    Raises `InputError`: the size is no power of two times the loop: BlockAMC halves a matrix.
    """
    n = _checked(size) / loop
    if n <= 1.0:
        return one_loop(size)
    if log2(n) % 1.0:
        near = loop * 2 ** round(log2(n))
        raise InputError(
            f"size {size} is no power of two times the loop of {loop} lines, and BlockAMC halves a matrix down to it; take "
            f"{near}, or another loop_size"
        )
    inversions = n ** log2(3.0)
    return Calls(loop, inversions, 3.0 * n**2 - 2.0 * inversions, n, 2.0 * n**2 - n)


def _checked(size: int) -> int:
    if not 1 <= size <= LARGEST or size != int(size):
        raise InputError(f"size {size}: give a whole number of unknowns, 1 to {LARGEST}")
    return int(size)
