"""Plan of a block inverse: which leaves to invert and which blocks to multiply with, found digitally from the matrix.

Of a general matrix the leading block may be nearly singular. The rows of such a stage are exchanged first: those that are
most independent over the first half's columns come into M1, by QR with column pivoting of their transpose (Businger and
Golub, Numer. Math. 7, 269 (1965)). A diagonally dominant matrix, and one with a positive definite symmetric part, needs no
exchange: its M1 and its S have the same property.

The complement takes M3 M1^-1 to compute. A stage may hold that instead of M3: it then inverts M1 once and not twice.

Multiplications are counted as in Golub & Van Loan, Matrix Computations, 4th ed.: n^3 of an inverse, n^3/6 of a Cholesky
factorisation, n m^2 - m^3/3 of a QR factorisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np

from mho.array_types import Floats, Integers
from mho.errors import ConvergenceError, InputError
from mho.procedures.equations.blocks.block_inverse import BlockPlan, Leaf, Node, OffDiagonal, Stage, Tile
from mho.procedures.equations.certificates.certificate import is_positive_definite

Schur = Literal["exact", "diagonal", "M4", "M1"]

SCHUR: tuple[Schur, ...] = get_args(Schur)
EPSILON = float(np.finfo(np.float64).eps)


def plan_blocks(
    matrix: Floats, leaf: int, *, schur: Schur | Sequence[Schur] = "exact", pivot: bool | None = None,
    tile: int | None = None, factored: bool | None = False,
) -> BlockPlan:  # fmt: skip
    """Plan the inverse of a matrix by blocks.

    - `matrix` (n, n): real and regular.
    - `leaf`: N0, the largest matrix that a loop inverts.
    - `schur`: the complement of each stage, from the outermost inwards; the last holds for all further ones.
      ``exact``: M4 - M3 M1^-1 M2, in float64. The others are for refinement to absorb, which it does when the
      eigenvalues of I - S S'^-1 are below 1 for the S' used instead: ``diagonal``, M1^-1 by that of its diagonal;
      ``M4``, the second term left out, which is enough for every symmetric positive definite matrix (0 < S <= M4);
      ``M1``, for a complex matrix as [[Re, -Im], [Im, Re]]: S = Re + Im Re^-1 Im is taken as Re, so that one array
      serves all three inversions of a stage (arXiv 2401.10042), which is enough for every Hermitian positive definite
      matrix (0 < S <= Re).
    - `pivot`: whether stages with an exact complement exchange their rows; where not given, those that need it.
    - `tile`: largest number of rows and columns of a block to multiply with; N0 where not given.
    - `factored`: whether stages with an exact complement hold M3 M1^-1 instead of M3, and so invert M1 once (block
      LU) instead of twice (BlockAMC). None: those in which it takes no more arrays. Of a sparse matrix M3 M1^-1 is
      denser than M3, and of a Toeplitz one its tiles are not equal.

    Raises `InputError` for a matrix that is not square, real and finite, or an option that is not known;
    `ConvergenceError` for a block that is singular in float64: its place, its size and its condition number.
    """
    choices = (schur,) if isinstance(schur, str) else tuple(schur)
    _check(matrix, leaf, leaf if tile is None else tile, choices)
    planner = _Planner(leaf, leaf if tile is None else tile, choices, pivot, factored)
    root = planner.node(np.asarray(matrix, dtype=np.float64), "", 0)
    arrays = tuple(planner.leaves.matrices), tuple(planner.blocks.matrices), tuple(planner.names)
    return BlockPlan(root, *arrays, planner.multiplications)


def _check(matrix: Floats, leaf: int, tile: int, schur: Sequence[str]) -> None:
    if matrix.ndim != 2 or len(matrix) != matrix.shape[1] or not matrix.size:
        raise InputError(f"the matrix has the shape {matrix.shape}: give a square one of at least one row")
    if np.iscomplexobj(matrix):
        raise InputError("the matrix is complex: give it as the real [[Re, -Im], [Im, Re]]")
    if not np.isfinite(matrix).all():
        raise InputError("the matrix has entries that are not finite: take them out")
    if leaf < 1 or tile < 1:
        raise InputError(f"leaves of {leaf} and tiles of {tile} rows: give at least 1 for both")
    if not schur or any(choice not in SCHUR for choice in schur):
        raise InputError(
            f"Schur complement {', '.join(schur) or '(none)'}: give {', '.join(SCHUR)}, one a stage"
        )


def leading_size(size: int, leaf: int) -> int:
    """Return the number of rows of M1.

    Leaves are as few as hold the matrix and of nearly equal size; M1, inverted twice, gets the smaller half of them.
    """
    leaves = -(-size // leaf)
    return size * (leaves // 2) // leaves


def independent_rows(columns: Floats) -> Integers:
    """Return an order of the rows of (n, m) whose first m are well independent; both parts stay in the order given."""
    from scipy.linalg import qr  # loads slowly

    m = columns.shape[1]
    _, chosen = qr(columns.T, mode="r", pivoting=True)
    return np.concatenate([np.sort(chosen[:m]), np.sort(chosen[m:])]).astype(np.int64)


def keeps_its_rows(matrix: Floats) -> bool:
    """Return whether all leading blocks and Schur complements are regular in the order given.

    This holds for a matrix that is strictly diagonally dominant, by rows or by columns, and for one whose symmetric part is
    positive definite.
    """
    sizes = np.abs(matrix)
    diagonal = 2.0 * np.diag(sizes)
    if (diagonal > sizes.sum(axis=1)).all() or (diagonal > sizes.sum(axis=0)).all():
        return True
    return is_positive_definite(matrix + matrix.T)


class DistinctMatrices:
    """Matrices in the order in which they came; equal ones share one number."""

    def __init__(self) -> None:
        self.matrices: list[Floats] = []
        self._numbers: dict[tuple[int, bytes], int] = {}

    def __contains__(self, key: tuple[int, bytes]) -> bool:
        return key in self._numbers

    def number_of(self, matrix: Floats) -> int | None:
        """Return the number of a matrix; None of one that is not among them."""
        return self._numbers.get(_key(matrix))

    def number(self, matrix: Floats) -> int:
        """Return the number of a matrix, which is added where it is not among them."""
        number = self._numbers.setdefault(_key(matrix), len(self.matrices))
        if number == len(self.matrices):
            self.matrices.append(matrix.copy())
        return number


class _Planner:
    """Cuts a matrix into stages; equal leaves share one number, and so do equal blocks and their negatives."""

    def __init__(
        self, leaf: int, tile: int, schur: Sequence[Schur], pivot: bool | None, factored: bool | None
    ) -> None:
        self._leaf, self._tile, self._schur, self._pivot, self._factored = leaf, tile, schur, pivot, factored
        self.leaves, self.blocks = DistinctMatrices(), DistinctMatrices()
        self.names: list[str] = []
        self.multiplications = 0

    def node(self, matrix: Floats, name: str, depth: int) -> Node:
        """Plan a matrix; its place in the recursion is `name`."""
        n = len(matrix)
        if n <= self._leaf:
            regular_inverse(matrix, f"block {name}" if name else "the matrix")
            self.multiplications += n**3
            number = self.leaves.number(matrix)
            self.names += [name or "A"] * (number == len(self.names))
            return Leaf(number, n)
        schur = self._schur[min(depth, len(self._schur) - 1)]
        m = n // 2 if schur == "M1" else leading_size(n, self._leaf)
        order = np.arange(n)
        if schur == "exact" and self._pivot is None:
            self.multiplications += n**3 // 6  # at most: a dominant matrix needs no factorisation
        if schur == "exact" and (self._pivot or (self._pivot is None and not keeps_its_rows(matrix))):
            order = independent_rows(matrix[:, :m])
            self.multiplications += n * m**2 - m**3 // 3
        rows = matrix[order]
        place = f"{name}." if name else ""
        leading = self.node(rows[:m, :m], f"{place}M1", depth + 1)
        if schur == "M1":
            if n % 2:
                raise InputError(
                    f"block {name or 'A'} has {n} rows: M1 serves as its Schur complement only where both halves are equal"
                )
            upper, lower = self._off_diagonal(rows[:m, m:]), self._off_diagonal(rows[m:, :m])
            return Stage(order, leading, leading, upper, lower)
        complement, factor = _complement(rows, m, schur, f"{place}M1")
        if factor is not None:
            self.multiplications += m**3 + factor.size * n  # M1^-1; M3 M1^-1, and that times M2
        lower_left, factored = rows[m:, :m], factor is not None and self._factored is not False
        if factor is not None and factored:  # M3 M1^-1 instead of M3
            factored = bool(self._factored) or self._new_arrays(factor) <= self._new_arrays(lower_left)
            lower_left = factor if factored else lower_left
        upper, lower = self._off_diagonal(rows[:m, m:]), self._off_diagonal(lower_left)
        return Stage(order, leading, self.node(complement, f"{place}S", depth + 1), upper, lower, factored)

    def _new_arrays(self, block: Floats) -> int:
        """Return the number of arrays that an off-diagonal block would take beside those of the blocks so far."""
        keys = {_key(part): _key(-part) for _, _, part in self._parts(block)}
        return sum(key not in self.blocks and negated not in self.blocks for key, negated in keys.items())

    def _parts(self, block: Floats) -> Iterator[tuple[slice, slice, Floats]]:
        """Yield the tiles of an off-diagonal block that are not zero, with their rows and columns."""
        for top in range(0, block.shape[0], self._tile):
            for left in range(0, block.shape[1], self._tile):
                part = block[top : top + self._tile, left : left + self._tile]
                if np.any(part):
                    yield slice(top, top + part.shape[0]), slice(left, left + part.shape[1]), part

    def _off_diagonal(self, block: Floats) -> OffDiagonal:
        tiles = []
        for rows, columns, part in self._parts(block):
            negated = self.blocks.number_of(-part)
            number, sign = (self.blocks.number(part), 1.0) if negated is None else (negated, -1.0)
            tiles.append(Tile(number, sign, rows, columns))
        return OffDiagonal(block.shape[0], tuple(tiles))


def _key(matrix: Floats) -> tuple[int, bytes]:
    return matrix.shape[0], (matrix + 0.0).tobytes()  # + 0.0: without negative zeros


def _complement(rows: Floats, m: int, schur: Schur, leading: str) -> tuple[Floats, Floats | None]:
    """Return S, or what is used instead, of a stage with m rows of M1, called `leading`; and M3 M1^-1 where S takes it."""
    m1, m2, m3, m4 = rows[:m, :m], rows[:m, m:], rows[m:, :m], rows[m:, m:]
    if schur == "M4" or not (np.any(m2) and np.any(m3)):
        return m4, None
    if schur == "diagonal":
        diagonal = np.diag(m1)
        if not diagonal.all():
            raise ConvergenceError(
                f"block {leading} ({m} x {m}) has a zero on its diagonal: take the exact Schur complement, or M4"
            )
        return np.asarray(m4 - m3 @ (m2 / diagonal[:, None])), None
    factor = m3 @ regular_inverse(m1, f"block {leading}")
    return np.asarray(m4 - factor @ m2), np.asarray(factor)


def regular_inverse(
    matrix: Floats,
    name: str,
    advice: str = "let rows be exchanged between the blocks, and take out rows that depend on others",
) -> Floats:
    """Return the inverse of a matrix in float64, or raise `ConvergenceError` under its name when it is rounding noise."""
    n = len(matrix)
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        condition = np.inf
    else:
        with np.errstate(all="ignore"):
            condition = float(np.linalg.norm(matrix, 1) * np.linalg.norm(inverse, 1))
        if condition * n * EPSILON < 1.0:
            return np.asarray(inverse)
    raise ConvergenceError(
        f"{name} ({n} x {n}) is singular in float64, condition number {condition:.2g}: {advice}"
    )
