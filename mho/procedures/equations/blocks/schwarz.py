"""Schwarz preconditioners of a sparse matrix: one loop a subdomain, all of them independent of each other.

    restricted:  M^-1 r = sum_i Q_i^T A_i^-1 R_i r,   A_i = R_i A R_i^T

R_i selects the unknowns of subdomain i with its overlap, Q_i those that are its own, so that each unknown is set once (Cai
and Sarkis, SIAM J. Sci. Comput. 21, 792 (1999)). It needs fewer cycles than the sum of R_i^T A_i^-1 R_i, the additive one;
without overlap both are block Jacobi.

A cycle carries information over one subdomain. A coarse level, one more loop, corrects the means first
(Nicolaides, SIAM J. Numer. Anal. 24, 355 (1987)), each column of Z being 1 over a group of neighbouring subdomains:

    x0 = Z (Z^T A Z)^-1 Z^T r;   x = x0 + M^-1 (r - A x0)

Subdomains are parts of the matrix's graph, in which unknowns are neighbours where the matrix couples them. A part is
bisected along the level sets of reverse Cuthill-McKee's breadth-first order (George and Liu, Computer Solution of Large
Sparse Positive Definite Systems, 1981), which keeps the parts compact and their borders short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mho.array_types import Floats, Integers
from mho.errors import InputError
from mho.procedures.equations.blocks.block_plan import DistinctMatrices, regular_inverse

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def pattern_of(matrix: csr_array) -> csr_array:
    """Return the graph of a sparse (n, n) matrix: 1 where it couples two unknowns in either direction."""
    from scipy.sparse import csr_array  # loads slowly

    coupled = abs(matrix) + abs(matrix.T)  # a sum stores no zeros
    return csr_array((np.ones(coupled.nnz), coupled.indices, coupled.indptr), shape=coupled.shape)


def graph_parts(pattern: csr_array, count: int) -> list[Integers]:
    """Return `count` compact parts of nearly equal size, each in ascending order; neighbours in the list are near."""
    return _bisected(pattern, np.arange(pattern.shape[0]), count)


def _bisected(pattern: csr_array, unknowns: Integers, count: int) -> list[Integers]:
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if count == 1:
        return [np.sort(unknowns)]
    within = pattern[unknowns][:, unknowns]
    order = unknowns[reverse_cuthill_mckee(within, symmetric_mode=True)]
    half = count // 2
    middle = len(unknowns) * half // count
    return _bisected(pattern, order[:middle], half) + _bisected(pattern, order[middle:], count - half)


def grown(pattern: csr_array, part: Integers, layers: int) -> Integers:
    """Return a part with so many layers of its neighbours, in ascending order."""
    for _ in range(layers):
        part = np.union1d(part, pattern[part].indices)
    return part.astype(np.int64)


@dataclass(frozen=True)
class Subdomain:
    """Unknowns that one loop solves for."""

    number: int  # its place among the plan's leaves
    unknowns: Integers  # (m,): rows and columns of its matrix, with its overlap
    own: Integers  # (p,): places among them of those that are no other subdomain's own


@dataclass(frozen=True)
class CoarseLevel:
    """One unknown a group of subdomains."""

    number: int  # its place among the plan's leaves
    size: int  # number of groups
    group: Integers  # (n,): the group of each unknown of the matrix


@dataclass(frozen=True)
class SchwarzPlan:
    """What to program, and where it is used."""

    size: int  # number of unknowns
    subdomains: tuple[Subdomain, ...]
    coarse: CoarseLevel | None
    leaves: tuple[Floats, ...]  # tuple of (m, m): matrices to invert, one loop each; equal ones are one
    products: ClassVar[int] = 0  # MVM that one application takes: there are no blocks between subdomains

    @property
    def inversions(self) -> int:
        """INV that one application takes for a right-hand side without zero parts."""
        return len(self.subdomains) + (self.coarse is not None)


def plan_schwarz(matrix: Any, leaf: int, *, overlap: int = 0, coarse: bool = False) -> SchwarzPlan:
    """Cut a matrix into subdomains that fit on a loop.

    `matrix` (n, n) or sparse: real. `leaf`: N0, the largest matrix that a loop inverts. `overlap`: layers of
    neighbours, in the graph of the matrix, that each subdomain takes from others; 0 is block Jacobi. `coarse`:
    whether to add a coarse level; its unknowns are at most N0. Raises `InputError` for a matrix that is not square,
    real and finite, or an overlap with which no subdomain fits on a loop; `ConvergenceError` for a subdomain whose
    matrix is singular in float64: its place, its size and its condition number.
    """
    from scipy.sparse import csr_array  # loads slowly

    sparse = csr_array(matrix)
    _check(sparse, leaf, overlap)
    parts, domains = _fitting(pattern_of(sparse), leaf, overlap)
    leaves = DistinctMatrices()

    def number(matrix: Any, name: str) -> int:
        regular_inverse(matrix.toarray(), name, "invert the matrix by recursive blocks, which exchange rows")
        return leaves.number(matrix.toarray())

    subdomains = tuple(
        Subdomain(
            number(sparse[domain][:, domain], f"subdomain {place}"),
            domain,
            np.flatnonzero(np.isin(domain, part)),
        )
        for place, (part, domain) in enumerate(zip(parts, domains, strict=True))
    )
    level = None
    if coarse and len(parts) > 1:
        count = min(leaf, len(parts))
        group = np.empty(len(sparse.indptr) - 1, dtype=np.int64)
        for place, part in enumerate(parts):
            group[part] = place * count // len(parts)
        member = csr_array((np.ones(len(group)), (np.arange(len(group)), group)), shape=(len(group), count))
        level = CoarseLevel(number(member.T @ sparse @ member, "the coarse level"), count, group)
    return SchwarzPlan(sparse.shape[0], subdomains, level, tuple(leaves.matrices))


def _check(matrix: Any, leaf: int, overlap: int) -> None:
    shape = matrix.shape
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise InputError(f"the matrix has the shape {shape}: give a square one of at least one row")
    if np.iscomplexobj(matrix.data):
        raise InputError("the matrix is complex: give it as the real [[Re, -Im], [Im, Re]]")
    if not np.isfinite(matrix.data).all():
        raise InputError("the matrix has entries that are not finite: take them out")
    if leaf < 1 or overlap < 0:
        raise InputError(f"subdomains of {leaf} with an overlap of {overlap}: give at least 1 and 0")


def _fitting(pattern: Any, leaf: int, overlap: int) -> tuple[list[Integers], list[Integers]]:
    """Return parts, and these with their overlap, as few as the search finds to fit on a loop."""
    n = pattern.shape[0]
    count = -(-n // leaf)
    while True:
        parts = graph_parts(pattern, count)
        domains = [grown(pattern, part, overlap) for part in parts]
        largest = max(len(domain) for domain in domains)
        if largest <= leaf:
            return parts, domains
        if count == n:
            raise InputError(
                f"with an overlap of {overlap} even a single unknown has {largest - 1} others in its subdomain, more than "
                f"fit on a loop of {leaf}: give a smaller overlap, or none (block Jacobi) for a dense matrix"
            )
        count = min(max(count + 1, count * (leaf + largest) // (2 * leaf)), n)


class Schwarz:
    """The operator r -> about A^-1 r of a plan.

    `invert_leaf`: (k, r) -> about the inverse of leaf k times r; r is (..., m), not all zero. `multiply`: x -> about
    A x, (..., n); needed with a coarse level, one product an application. `inversions`, `products`: INV so far, a
    batch counting each of its vectors; MVM of blocks, which there are none of.
    """

    products = 0

    def __init__(
        self, plan: SchwarzPlan, invert_leaf: Callable[[int, Floats], Floats],
        multiply: Callable[[Floats], Floats] | None = None,
    ) -> None:  # fmt: skip
        if plan.coarse is not None and multiply is None:
            raise InputError("a coarse level needs the product with the matrix: pass `multiply`")
        self.plan = plan
        self._invert, self._multiply = invert_leaf, multiply
        self.inversions = 0

    def __call__(self, rhs: Floats) -> Floats:
        """Return about A^-1 r for a vector (n,) or a batch (..., n); parts that are zero are not played."""
        if rhs.shape[-1] != self.plan.size:
            raise InputError(
                f"the right-hand side has {rhs.shape[-1]} entries, the matrix {self.plan.size} rows: give one entry a row"
            )
        level = self.plan.coarse
        if level is None or self._multiply is None:
            return self._over_subdomains(rhs)
        sums = np.apply_along_axis(lambda r: np.bincount(level.group, r, level.size), -1, rhs)
        means = self._inverse(level.number, sums)[..., level.group]
        return means + self._over_subdomains(rhs - self._multiply(means))

    def _over_subdomains(self, rhs: Floats) -> Floats:
        solution = np.zeros_like(rhs)
        for one in self.plan.subdomains:
            solution[..., one.unknowns[one.own]] += self._inverse(one.number, rhs[..., one.unknowns])[
                ..., one.own
            ]
        return solution

    def _inverse(self, number: int, rhs: Floats) -> Floats:
        if not np.any(rhs):
            return np.zeros_like(rhs)
        self.inversions += rhs.size // rhs.shape[-1]
        return self._invert(number, rhs)
