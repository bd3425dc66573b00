"""Inverse of a matrix larger than a loop, by blocks: one-step inversions of leaves and products of off-diagonal blocks.

A stage M = [[M1, M2], [M3, M4]] with the complement S = M4 - M3 M1^-1 M2 is solved as (BlockAMC, arXiv 2401.10042)

    u = M1^-1 b1;   x2 = S^-1 (b2 - M3 u);   x1 = M1^-1 (b1 - M2 x2)

and M1 and S are stages again, down to leaves that fit on a loop. A halving costs three inversions and two products, so
N / N0 = 2^k leaves cost 3^k = (N / N0)^(log2 3) INV, and products with blocks of N0 x N0

    m(n) = 3 m(n / 2) + 2 (n / 2)^2,  m(1) = 0,  n = N / N0:   m(n) = 2 n^2 - 2 n^(log2 3)

The residual's n^2 are not among them; with these a cycle of refinement costs 3 n^2 - 2 n^(log2 3). A block that is zero
costs nothing, nor does the inversion whose result only it would use.

A *factored* stage holds L = M3 M1^-1, which its complement takes to compute anyway, instead of M3 (block LU; Golub and
Van Loan, Matrix Computations, 4th ed., section 3.2.11):

    x2 = S^-1 (b2 - L b1);   x1 = M1^-1 (b1 - M2 x2)

M1 is inverted once, so that all n leaves cost n INV and n^2 - n products.

An operation works relative to the peak of its input, so nothing is scaled between stages. Arrays that hold M1 + E1,
M2 + E2, M3 + E3 and S + E4 make the operator the exact inverse of

    [[M1 + E1, M2 + E2], [M3 + E3, S + E4 + (M3 + E3) (M1 + E1)^-1 (M2 + E2)]]

since one array of M1 serves both its inversions. To first order the last block is off by

    E4 - M3 M1^-1 E1 M1^-1 M2 + E3 M1^-1 M2 + M3 M1^-1 E2

so a stage passes the error of its M1 on to its S, multiplied by up to ||M3 M1^-1|| ||M1^-1 M2||. That is small where the
diagonal dominates and large where M1 is nearly singular, which is why its rows are chosen (`block_plan`). Factored, with
L + E3, it is the exact inverse of

    [[M1 + E1, M2 + E2], [(L + E3) (M1 + E1), S + E4 + (L + E3) (M2 + E2)]]

where E1 is multiplied by L alone, which the choice of rows keeps small.

As every stage passes the errors of its leaves on, leaves may be refined before they are used, by a few steps of GCR
around a loop's own INV. A step minimises the residual (Eisenstat, Elman and Schultz, SIAM J. Numer. Anal. 20, 345
(1983)): with exact products it never does harm. How far it gets depends on the right-hand side, so the operator is no
longer linear, and the solver around it must be a flexible one (GCR, FGMRES).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError


class RefinedLeaves:
    """(k, r) -> the inverse of leaf k times r, more accurate than `invert_leaf` gives it.

    `invert_leaf`: (k, r) -> about the inverse of leaf k times r; r is (..., m). `multiply_leaf`: (k, v) -> about leaf
    k times v; v is (..., m). `steps`: largest number of inversions a call, at least 1; each takes a product.
    `tolerance`: norm of a leaf's residual, relative to its right-hand side, that is small enough: from 0, which takes
    all steps, to below 1. In a batch the largest counts. `inversions`, `products`: INV and MVM so far; a batch counts
    each of its vectors.
    """

    def __init__(
        self, invert_leaf: Operation, multiply_leaf: Operation, steps: int, *, tolerance: float = 0.0
    ) -> None:
        if steps < 1 or not 0.0 <= tolerance < 1.0:
            raise InputError(
                f"{steps} steps of leaf refinement to a tolerance of {tolerance:g}: give at least 1 step, and a tolerance "
                "from 0 to below 1"
            )
        self._invert, self._multiply = invert_leaf, multiply_leaf
        self._steps, self._tolerance = steps, tolerance
        self.inversions = self.products = 0

    def __call__(self, number: int, rhs: Floats) -> Floats:
        """Return about the inverse of leaf `number` times r, (..., m)."""
        solution, residual = np.zeros_like(rhs), rhs
        enough = self._tolerance**2 * _inner(rhs, rhs)
        directions: list[tuple[Floats, Floats]] = []
        for _ in range(self._steps):
            if (_inner(residual, residual) <= enough).all():
                break
            direction = self._invert(number, residual)
            product = self._multiply(number, direction)
            self.inversions += rhs.size // rhs.shape[-1]
            self.products += rhs.size // rhs.shape[-1]
            for earlier, its_product in directions:
                share = _inner(its_product, product)
                direction, product = direction - share * earlier, product - share * its_product
            length = np.sqrt(_inner(product, product))
            scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
            direction, product = direction * scale, product * scale
            directions.append((direction, product))
            share = _inner(product, residual)
            solution, residual = solution + share * direction, residual - share * product
        return solution


def _inner(one: Floats, other: Floats) -> Floats:
    return np.asarray((one * other).sum(axis=-1, keepdims=True))


Operation = Callable[[int, Floats], Floats]
ManyProducts = Callable[[Sequence[int], Sequence[Floats]], list[Floats]]


@dataclass(frozen=True)
class Leaf:
    """A matrix that one loop inverts."""

    number: int  # its place among the plan's leaves
    size: int  # number of its rows
    inversions: ClassVar[int] = 1  # INV a call
    products: ClassVar[int] = 0  # MVM a call


@dataclass(frozen=True)
class Tile:
    """A part of an off-diagonal block that one array multiplies."""

    number: int  # its place among the plan's blocks
    sign: float  # 1 or -1: what the array's product is multiplied by
    # rows, columns: its place in the off-diagonal block
    rows: slice
    columns: slice


@dataclass(frozen=True)
class OffDiagonal:
    """An off-diagonal block by its tiles that are not zero."""

    rows: int  # number of rows of the whole block
    tiles: tuple[Tile, ...]  # empty for a block that is zero


@dataclass(frozen=True)
class Stage:
    """A matrix in four blocks."""

    # (n,): row i of the stage is row ``order[i]`` of its matrix; columns are not exchanged
    order: NDArray[np.int64]
    # leading, complement: those of M1 and S; one and the same where one serves for both
    leading: Node
    complement: Node
    # upper, lower: M2, and M3 or L = M3 M1^-1
    upper: OffDiagonal
    lower: OffDiagonal
    factored: bool = False  # whether `lower` is L

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.order)

    @property
    def inversions(self) -> int:
        """INV a call."""
        return self._uses * self.leading.inversions + self.complement.inversions

    @property
    def products(self) -> int:
        """MVM a call."""
        own = len(self.upper.tiles) + len(self.lower.tiles)
        return own + self._uses * self.leading.products + self.complement.products

    @property
    def _uses(self) -> int:
        """Number of times that M1 is inverted: u is for M3 alone, without M2 it is x1, and L takes b1 as it is."""
        return 2 if self.upper.tiles and self.lower.tiles and not self.factored else 1


Node: TypeAlias = Leaf | Stage


@dataclass(frozen=True)
class BlockPlan:
    """What to program, and the order in which it is used."""

    root: Node  # the whole matrix
    leaves: tuple[Floats, ...]  # tuple of (m, m): matrices to invert, one loop each, however often it is used
    blocks: tuple[Floats, ...]  # tuple of (m, p): matrices to multiply with, one array each
    # Place of each leaf in the recursion, where it was first met: ``S.M1``, the leading block of the
    # complement; ``A`` where the whole matrix is one leaf
    names: tuple[str, ...]
    multiplications: int = 0  # in float64, of the plan: inverses, exchanges of rows and Schur complements

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return self.root.size

    @property
    def inversions(self) -> int:
        """INV that one application takes for a right-hand side without zero parts."""
        return self.root.inversions

    @property
    def products(self) -> int:
        """MVM that one application takes for a right-hand side without zero parts."""
        return self.root.products


class BlockInverse:
    """The operator r -> about M^-1 r of a plan.

    `invert_leaf`: (k, r) -> about the inverse of leaf k times r; r is (..., m), not all zero. `multiply_blocks`:
    lists of k and v -> list of about block k times v, all those of an off-diagonal block; v is (..., p), not all
    zero. `inversions`, `products`: INV and MVM so far; a batch counts each of its vectors.
    """

    def __init__(self, plan: BlockPlan, invert_leaf: Operation, multiply_blocks: ManyProducts) -> None:
        self.plan = plan
        self._invert, self._multiply = invert_leaf, multiply_blocks
        self.inversions = self.products = 0

    def __call__(self, rhs: Floats) -> Floats:
        """Return about M^-1 r for a vector (n,) or a batch (..., n); parts that are zero are not played."""
        if rhs.shape[-1] != self.plan.size:
            raise InputError(
                f"the right-hand side has {rhs.shape[-1]} entries, the matrix {self.plan.size} rows: give one entry a row"
            )
        return self.solve(self.plan.root, rhs)

    def solve(self, node: Node, rhs: Floats) -> Floats:
        """Return about the inverse of a node's matrix times r, (..., m)."""
        if not np.any(rhs):
            return np.zeros_like(rhs)
        if isinstance(node, Leaf):
            self.inversions += rhs.size // node.size
            return self._invert(node.number, rhs)
        split = node.leading.size
        ordered = rhs[..., node.order]
        first, second = ordered[..., :split], ordered[..., split:]
        twice = bool(node.lower.tiles) and not node.factored
        x1 = self.solve(node.leading, first) if twice else None
        v = self._product(node.lower, first if x1 is None else x1)
        x2 = self.solve(node.complement, second - v)
        w = self._product(node.upper, x2)
        if x1 is None or np.any(w):
            x1 = self.solve(node.leading, first - w)
        return np.concatenate([x1, x2], axis=-1)

    def _product(self, block: OffDiagonal, vector: Floats) -> Floats:
        if not block.tiles:
            return np.zeros(block.rows)
        product = np.zeros((*vector.shape[:-1], block.rows))
        played = [(tile, part) for tile in block.tiles if np.any(part := vector[..., tile.columns])]
        if not played:  # a right-hand side may be zero over all the columns that these tiles hold
            return product
        self.products += sum(part.size // part.shape[-1] for _, part in played)
        answers = self._multiply([tile.number for tile, _ in played], [part for _, part in played])
        for (tile, _), answer in zip(played, answers, strict=True):
            product[..., tile.rows] += tile.sign * answer
        return product
