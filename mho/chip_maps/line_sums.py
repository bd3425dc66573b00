"""Exact checksums of a tile's lines, kept as numbers, which clear right data and correct up to two wrong integers.

Line i of a tile has the sums

    h[i, k] = sum over j of x[j]^k d[i, j]    modulo p,    k = 0 to 3,

of its digits d[i, j], with another x[j] for each column. They are computed once, as the digits are cut into tiles. For
the integers y[j] of a set of active lines,

    t[k] = sum over j of x[j]^k y[j]  -  sum over active i of h[i, k]    modulo p

is 0 when all are right. That is the syndrome of a Reed-Solomon code over the integers modulo the prime p: any four
columns of x[j]^k are independent (they form a Vandermonde matrix), so that up to four wrong integers never leave t at 0,
and two different patterns of up to two wrong ones never have the same t, whatever they are wrong by, short of p. (Reed
and Solomon, J. SIAM 8, 300 (1960).)

One shot takes four additions for each active line, and no product: far less than its integers would, which have as many
additions in each column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.errors import ChipMapError

Digits = NDArray[np.int64]
Mask = NDArray[np.bool_]

MODULUS = 8191  # p, a prime: four sums fill a word of 52 bits
ROOT = 17  # primitive root; its powers, unlike 1, 2, 3, ..., have no sums in common with small factors
SUMS = 4  # two for each integer that is located
REACH = 12  # digits, largest error that is corrected: that of a cell stuck on


@dataclass(frozen=True, eq=False)
class LineSums:
    """Checksums of the lines of a tile.

    Attributes
    ----------
    sums : (lines, SUMS) array
        h.
    powers : (columns, SUMS) array
        x[j]^k modulo p.
    """

    sums: Digits
    powers: Digits

    def difference(self, integers: Digits, shots: Digits) -> Digits:
        """Return t, (shots, SUMS): zeros where integers (shots, columns) are those of patterns (shots, lines)."""
        return np.asarray((integers @ self.powers - shots @ self.sums) % MODULUS)

    def locate(self, difference: Digits) -> tuple[Digits, Mask]:
        """Return the errors of up to two integers that explain each difference.

        Returns
        -------
        errors : (shots, columns) array
            By how much each integer is too large; zeros where they are not located.
        located : (shots,) array of bool
            Whether two integers or fewer, off by at most `REACH`, explain it.
        """
        first, second = np.triu_indices(len(self.powers), 1)
        node = self.powers[:, 1]
        apart = _inverse(node[second] - node[first])
        plain, weighted = difference[:, :1], difference[:, 1:2]
        # Two of the four equations give the errors of a pair, the other two tell whether it is that pair.
        later = (weighted - node[first] * plain) * apart % MODULUS
        pair = np.stack([(plain - later) % MODULUS, later])
        pair -= MODULUS * (pair > MODULUS // 2)
        explained: Mask = np.all(np.abs(pair) <= REACH, axis=0)
        for power in range(2, SUMS):
            both = pair[0] * self.powers[first, power] + pair[1] * self.powers[second, power]
            explained &= (both - difference[:, [power]]) % MODULUS == 0
        errors: Digits = np.zeros((len(difference), len(self.powers)), np.int64)
        shot, which = np.nonzero(explained)  # a single error is one of several pairs, with the same errors
        errors[shot, first[which]] = pair[0, shot, which]
        errors[shot, second[which]] = pair[1, shot, which]
        return errors, np.any(explained, axis=1) | ~np.any(difference, axis=1)


def line_sums(digits: Digits) -> LineSums:
    """Sum the digits (lines, columns) of a tile's data columns.

    Raises
    ------
    ChipMapError
        When there are more columns than the modulus tells apart.
    """
    columns = digits.shape[1]
    if columns >= MODULUS:
        raise ChipMapError(
            f"{columns} columns cannot be told apart modulo {MODULUS}; cut them into tiles of fewer"
        )
    nodes = np.array([pow(ROOT, column, MODULUS) for column in range(columns)], np.int64)
    powers = np.ones((columns, SUMS), np.int64)
    for power in range(1, SUMS):
        powers[:, power] = powers[:, power - 1] * nodes % MODULUS
    return LineSums(digits @ powers % MODULUS, powers)


def _inverse(numbers: Digits) -> Digits:
    """Return 1/number modulo p, as number^(p - 2)."""
    result, square, left = np.ones_like(numbers), numbers % MODULUS, MODULUS - 2
    while left:
        if left & 1:
            result = result * square % MODULUS
        square, left = square * square % MODULUS, left >> 1
    return result
