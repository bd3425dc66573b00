"""Checksum columns beside a tile, which show a wrong integer without the digital product.

Each line i of a tile holds, besides its digits d[i, j], the residue

    r[i] = q + sum over j of w[j] d[i, j]    modulo a prime P

in check columns, as digits of base B, so that they hold residues below B^checks. Products are linear: for any
set of active lines the integers y[j] of the data columns and c[k] of the check columns fulfil

    sum over j of w[j] y[j]  +  q lines  -  sum over k of B^k c[k]  =  0    modulo P,

where `lines` is the number of active lines. What this sum comes to is the syndrome. With weights whose multiples by 1
to `reach`, of either sign, all differ, a single wrong integer is found whatever its size below P, two are found up to
`reach`, and any other pattern goes unseen with a probability of 1/P. The weight q makes a line that contributes nothing
seen, which the columns alone cannot show, since what is left is a right product. (Checksums of matrix products: Huang
and Abraham, IEEE Trans. Comput. C-33, 518 (1984); weighted ones: Jou and Abraham, Proc. IEEE 74, 732 (1986).)

Which integers are wrong, and whether they are a check column's own, is told by `line_sums`. Check columns of so few bits
cannot: each syndrome that is laid on them is one that 1 in P patterns of wrong data have as well.

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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from mho.array_types import Booleans, Integers
from mho.chip_maps.chip import ArrayMap
from mho.chip_maps.placement import Placement, place_tiles
from mho.errors import ChipMapError

MODULUS = 8191  # p, a prime: four sums fill a word of 52 bits
ROOT = 17  # primitive root; its powers, unlike 1, 2, 3, ..., have no sums in common with small factors
SUMS = 4  # two for each integer that is located
REACH = 12  # digits, largest error that is corrected: that of a cell stuck on


@dataclass(frozen=True, eq=False)
class LineSums:
    """Checksums of the lines of a tile."""

    sums: Integers  # (lines, SUMS): h
    powers: Integers  # (columns, SUMS): x[j]^k modulo p

    def difference(self, integers: Integers, shots: Integers) -> Integers:
        """Return t, (shots, SUMS): zeros where integers (shots, columns) are those of patterns (shots, lines)."""
        return np.asarray((integers @ self.powers - shots @ self.sums) % MODULUS)

    def locate(self, difference: Integers) -> tuple[Integers, Booleans]:
        """Return the errors of up to two integers that explain each difference.

        Returns `errors` (shots, columns): by how much each integer is too large; zeros where they are not located.
        `located` (shots,): whether two integers or fewer, off by at most `REACH`, explain it.
        """
        first, second = np.triu_indices(len(self.powers), 1)
        node = self.powers[:, 1]
        apart = _inverse(node[second] - node[first])
        plain, weighted = difference[:, :1], difference[:, 1:2]
        # Two of the four equations give the errors of a pair, the other two tell whether it is that pair.
        later = (weighted - node[first] * plain) * apart % MODULUS
        pair = np.stack([(plain - later) % MODULUS, later])
        pair -= MODULUS * (pair > MODULUS // 2)
        explained: Booleans = np.all(np.abs(pair) <= REACH, axis=0)
        for power in range(2, SUMS):
            both = pair[0] * self.powers[first, power] + pair[1] * self.powers[second, power]
            explained &= (both - difference[:, [power]]) % MODULUS == 0
        errors: Integers = np.zeros((len(difference), len(self.powers)), np.int64)
        shot, which = np.nonzero(explained)  # a single error is one of several pairs, with the same errors
        errors[shot, first[which]] = pair[0, shot, which]
        errors[shot, second[which]] = pair[1, shot, which]
        return errors, np.any(explained, axis=1) | ~np.any(difference, axis=1)


def line_sums(digits: Integers) -> LineSums:
    """Sum the digits (lines, columns) of a tile's data columns.

    Raises `ChipMapError` when there are more columns than the modulus tells apart.
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


def _inverse(numbers: Integers) -> Integers:
    """Return 1/number modulo p, as number^(p - 2)."""
    result, square, left = np.ones_like(numbers), numbers % MODULUS, MODULUS - 2
    while left:
        if left & 1:
            result = result * square % MODULUS
        square, left = square * square % MODULUS, left >> 1
    return result


SHARE = 0.15  # of the data columns, that the check columns may be
FEWEST_BITS, MOST_BITS = 9, 12
"""Of a tile's checksum: of many wrong integers 1 of 509 and 1 of 4093 patterns goes unseen."""


@dataclass(frozen=True, eq=False)
class ChecksumCode:
    """A weighted checksum modulo a prime."""

    modulus: int  # P
    # (columns + checks,): of the data columns' integers, w, and of the check columns', -B^k
    weights: Integers
    line_weight: int  # q, of the number of active lines
    reach: int  # two errors up to it are never taken for none
    base: int  # B, number of levels of a digit
    checks: int  # number of check columns

    @property
    def columns(self) -> int:
        """Number of data columns."""
        return len(self.weights) - self.checks

    def encode(self, digits: Integers) -> Integers:
        """Return the check columns' digits (lines, checks) of the data columns' (lines, columns)."""
        if digits.shape[1] != self.columns:
            raise ChipMapError(
                f"this checksum is of {self.columns} columns, the digits have {digits.shape[1]}; "
                "make one of as many with `checksum_code`"
            )
        residues = (digits @ self.weights[: self.columns] + self.line_weight) % self.modulus
        return residues[:, None] // self.base ** np.arange(self.checks) % self.base

    def syndrome(self, integers: Integers, lines: Integers) -> Integers:
        """Return 0 for shots whose integers agree with their checksum.

        `integers` (..., columns + checks); `lines` (...): number of active lines of each shot.
        """
        return np.asarray((integers @ self.weights + self.line_weight * lines) % self.modulus)


@cache
def checksum_code(columns: int, checks: int, digit_bits: int = 3) -> ChecksumCode:
    """Choose modulus and weights for `columns` data columns and `checks` check columns of digits.

    The modulus is the largest prime below 2^(checks digit_bits); weights are powers of a primitive root, which have
    few sums in common, with the largest reach for which they suffice. Raises `ChipMapError` when so many columns
    cannot be told apart.
    """
    if columns < 1 or checks < 1 or not 1 <= checks * digit_bits <= 20:
        raise ChipMapError(
            f"no checksum of {columns} columns in {checks} columns of {digit_bits} bits: at least one of each is "
            "needed, and at most 20 bits in all"
        )
    base = 2**digit_bits
    modulus = _prime_below(base**checks)
    places = -(base ** np.arange(checks)) % modulus
    # From `base` on, an error in one check column is a smaller error in the next.
    for reach in range(min(base - 1, (modulus - 1) // 2), 0, -1):
        weights = _separate(modulus, reach, columns + 1, places)
        if weights is not None:
            break
    else:
        raise ChipMapError(
            f"{columns} columns cannot be told apart modulo {modulus}; use more than {checks} check columns"
        )
    return ChecksumCode(modulus, np.concatenate([weights[1:], places]), int(weights[0]), reach, base, checks)


def _separate(modulus: int, reach: int, count: int, given: Integers) -> Integers | None:
    """Return `count` weights whose multiples up to `reach` differ from each other's and from those of `given`."""
    multiples = np.concatenate([np.arange(1, reach + 1), -np.arange(1, reach + 1)])
    taken = np.zeros(modulus, dtype=bool)
    taken[0] = True
    for weight in given:
        if taken[multiples * weight % modulus].any():
            return None
        taken[multiples * weight % modulus] = True
    chosen: list[int] = []
    for weight in _powers(modulus):
        if len(chosen) == count:
            break
        own = multiples * weight % modulus
        if not taken[own].any():
            taken[own] = True
            chosen.append(weight)
    return np.array(chosen) if len(chosen) == count else None


@cache
def _powers(prime: int) -> tuple[int, ...]:
    """Return all powers of the least primitive root of a prime, so that each residue but 0 comes once."""
    for root in range(1, prime):
        powers = [1]
        while (power := powers[-1] * root % prime) != 1:
            powers.append(power)
        if len(powers) == prime - 1:
            return tuple(powers)
    return ()


def _prime_below(limit: int) -> int:
    """Return the largest prime below `limit`, which is 3 or more; 1 below 3."""
    for number in range(limit - 1, 1, -1):
        if all(number % divisor for divisor in range(2, int(number**0.5) + 1)):
            return number
    return 1


@dataclass(frozen=True, eq=False)
class CheckedTile:
    """A tile of an encoding's columns with its check columns."""

    first: int  # its first column of the encoding; `code.columns` follow
    digits: Integers  # (lines, columns + checks): digits to program
    code: ChecksumCode

    @cached_property
    def sums(self) -> LineSums:
        """Line sums of the data columns, made once."""
        return line_sums(self.digits[:, : self.code.columns])

    @property
    def width(self) -> int:
        """Number of columns, check columns included."""
        return int(self.digits.shape[1])


def checked_tiles(digits: Integers, width: int, digit_bits: int = 3) -> tuple[CheckedTile, ...]:
    """Cut columns into tiles of at most `width` columns with check columns, as even as can be.

    Check columns are at most `SHARE` of the data columns in all, but as many in each tile as hold `FEWEST_BITS`.
    `digits` (lines, columns); `width`: number of columns that are measured at once; `digit_bits`: bits of a digit.
    Raises `ChipMapError` when a tile of `width` columns has no room for check columns, or there is no column.
    """
    total, room = digits.shape[1], data_columns(width, digit_bits)
    if total < 1:
        raise ChipMapError("there is no column to check: the matrix is zero to its bits; give it more bits")
    count = -(-total // room)
    ends = np.arange(count + 1) * total // count
    budget = np.arange(count + 1) * int(SHARE * total) // count
    tiles = []
    for first, end, share in zip(ends[:-1], ends[1:], np.diff(budget), strict=True):
        data = digits[:, first:end]
        checks = min(_checks(int(share), digit_bits), width - data.shape[1])
        code = checksum_code(data.shape[1], checks, digit_bits)
        tiles.append(CheckedTile(int(first), np.concatenate([data, code.encode(data)], axis=1), code))
    return tuple(tiles)


def place_checked(array: ArrayMap, tiles: Sequence[CheckedTile]) -> tuple[Placement, ...]:
    """Place tiles with their check columns, as `place_tiles` does; raises `ChipMapError` when they do not fit."""
    width = max(tile.width for tile in tiles)
    places = place_tiles(array, len(tiles[0].digits), width * len(tiles), width)
    return tuple(
        replace(at, columns=at.columns[: tile.width]) for at, tile in zip(places, tiles, strict=True)
    )


def data_columns(width: int, digit_bits: int = 3) -> int:
    """Return how many of `width` columns measured at once hold data. Raises `ChipMapError` when none is left."""
    rooms = (data for data in range(1, width) if data + _checks(int(SHARE * data), digit_bits) <= width)
    room = max(rooms, default=0)
    if room < 1:
        raise ChipMapError(
            f"{width} columns measured at once leave no room beside {_checks(0, digit_bits)} check columns; use "
            "converters with more inputs"
        )
    return room


def _checks(share: int, digit_bits: int) -> int:
    """Return the number of check columns nearest to `share` that holds a checksum of the least to the most bits."""
    return min(max(share, -(-FEWEST_BITS // digit_bits)), -(-MOST_BITS // digit_bits))
