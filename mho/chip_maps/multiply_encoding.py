"""A matrix on the multiplying array: signed 3-bit slices as columns whose currents are integers in digits.

The array computes i = G^T v, so array row j holds element j of the vector, and each array column one
digit slice of one sign of one row of A (Zuo 2025: "columns split into a positive and a negative part"). Or a
constant makes all elements positive, which saves half of the columns: the product is off by as much times the
sum of the vector, which is known exactly (Shafiee et al., ISCA 2016, section V).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mho.array_types import Floats, Integers
from mho.errors import InputError

MAX_BITS = 52  # a double holds 53 bits: more would be lost in the conversion
PEAKS = (1e-250, 1e250)  # range of the largest magnitude in which scale and unit are normal doubles


class FixedPoint(NamedTuple):
    """A real matrix or vector in fixed point; a named tuple, as one is made in every cycle of a refinement."""

    integers: Integers  # values in units of ``scale * 2**-bits``, magnitude below ``2**bits``
    bits: int  # bits t of the magnitude
    scale: float  # full scale: the value that ``2**bits`` would stand for
    values: Floats  # the represented real numbers


def to_fixed_point(values: Floats, bits: int) -> FixedPoint:
    """Scale to |a| < 1 and round to `bits` bits.

    The scale is a power of two where this represents every value exactly (so that published digits are reproduced);
    otherwise the largest magnitude becomes the largest integer, which uses the full range. Raises `InputError` when
    `bits` is outside 1..52, all values are zero, or the largest magnitude is near the limits of a double.
    """
    if not 1 <= bits <= MAX_BITS:
        raise InputError(f"bits is {bits}; it must be between 1 and {MAX_BITS}")
    sizes = np.abs(values)
    peak = float(sizes.item(sizes.argmax())) if sizes.size else 0.0
    if peak == 0.0:
        raise InputError("the matrix holds nothing but zeros: there is nothing to scale")
    if not PEAKS[0] <= peak <= PEAKS[1]:
        raise InputError(
            f"the largest magnitude is {peak:.3g}; scale it to between {PEAKS[0]:.0e} and {PEAKS[1]:.0e}"
        )
    full = 2.0**bits
    scale = 2.0 ** math.frexp(peak)[1]
    if peak * full / scale > full - 1.0:
        scale *= 2.0
    if (peak * (full / scale)).is_integer():  # the rest is looked at only where the largest value fits
        scaled = values * (full / scale)
        rounded = np.rint(scaled)
        if np.array_equal(scaled, rounded):
            return FixedPoint(rounded.astype(np.int64), bits, scale, rounded * (scale / full))
    scale = peak * full / (full - 1.0)
    rounded = np.rint(values * (full / scale))
    return FixedPoint(rounded.astype(np.int64), bits, scale, rounded * (scale / full))


class FixedPointColumns(NamedTuple):
    """Vectors in fixed point, each with a scale of its own."""

    integers: Integers  # (n, k): values in units of ``scales * 2**-bits``
    bits: int
    scales: Floats  # (k,)
    values: Floats  # (n, k): the represented real numbers


def columns_to_fixed_point(vectors: Floats, bits: int) -> FixedPointColumns:
    """Round each of the vectors (n, k) to `bits` bits of its largest magnitude; zeros stay zeros.

    Raises `InputError` when `bits` is outside 1..52.
    """
    if not 1 <= bits <= MAX_BITS:
        raise InputError(f"bits is {bits}; it must be between 1 and {MAX_BITS}")
    full = 2.0**bits
    peaks = np.abs(vectors).max(axis=0)
    scales = np.where(peaks > 0.0, peaks, 1.0) * (full / (full - 1.0))
    rounded = np.rint(vectors * (full / scales))
    return FixedPointColumns(rounded.astype(np.int64), bits, scales, rounded * (scales / full))


def slice_count(bits: int, digit_bits: int = 3) -> int:
    """Return the number of digits for `bits` bits: 12 -> 4, 24 -> 8, 32 -> 11, 48 -> 16."""
    return -(-bits // digit_bits)


def slice_digits(integers: Integers, slices: int, digit_bits: int = 3) -> Integers:
    """Split non-negative integers into digits, most significant first.

    Returns (slices, *integers.shape): digits 0 .. 2**digit_bits - 1, truncated: the remainder goes to the next slice.
    Raises `InputError` for negative integers, or integers that need more slices.
    """
    if integers.size and (integers.min() < 0 or int(integers.max()) >> (slices * digit_bits)):
        raise InputError(f"integers up to {integers.max()} do not fit {slices} digits of {digit_bits} bits")
    shifts = digit_bits * np.arange(slices - 1, -1, -1, dtype=np.int64)
    return (integers[None] >> shifts.reshape(-1, *[1] * integers.ndim)) & ((1 << digit_bits) - 1)


@dataclass(frozen=True)
class MultiplyEncoding:
    """The digits of a matrix, and the combination of column sums into the product."""

    fixed: FixedPoint  # the matrix as held, (outputs, inputs)
    digits: Integers  # (inputs, columns): digit of each cell; columns with only zeros are left out
    output: Integers  # (columns,): element of the product that a column contributes to
    # (columns,): signed weight of a column's integer in that element, in units of ``scale * 2**-bits``
    weight: Floats
    offset: float = 0.0  # what the digits hold beyond each element of the matrix, in the same units

    @property
    def matrix(self) -> Floats:
        """The real matrix that the digits represent."""
        return self.fixed.values

    def combine(self, sums: Floats, total: float = 0.0) -> Floats:
        """Combine integer column sums (..., columns) into products (..., outputs) in the matrix's scale.

        `total` is the sum of the vector that was multiplied, which counts where there is an offset.
        """
        size = self.fixed.integers.shape[0]
        gather = np.zeros((len(self.output), size))
        gather[np.arange(len(self.output)), self.output] = self.weight
        return np.asarray((sums @ gather - self.offset * total) * (self.fixed.scale * 2.0**-self.fixed.bits))


def encode_multiply(matrix: Floats, bits: int, digit_bits: int = 3) -> MultiplyEncoding:
    """Round a real matrix to whole slices of at least `bits` bits and arrange the digits as columns."""
    slices = slice_count(bits, digit_bits)
    fixed = to_fixed_point(matrix, slices * digit_bits)
    places = np.arange(slices - 1, -1, -1)
    blocks, outputs, weights = [], [], []
    for sign in (1, -1):
        digits = slice_digits(np.maximum(sign * fixed.integers, 0), slices, digit_bits)
        used = digits.any(axis=2)  # (slices, outputs)
        blocks.append(digits[used])
        outputs.append(np.broadcast_to(np.arange(matrix.shape[0]), used.shape)[used])
        weights.append(np.broadcast_to(sign * 2.0 ** (digit_bits * places)[:, None], used.shape)[used])
    return MultiplyEncoding(
        fixed,
        np.ascontiguousarray(np.concatenate(blocks).T),
        np.concatenate(outputs),
        np.concatenate(weights),
    )


def encode_offset(matrix: Floats, bits: int, digit_bits: int = 3) -> MultiplyEncoding:
    """Arrange the digits of a real matrix with a constant added that leaves no element negative, one column a digit.

    As `encode_multiply`; the sign takes one of the whole slices' bits, of which there are at least `bits`.
    """
    slices = slice_count(bits, digit_bits)
    fixed = to_fixed_point(matrix, slices * digit_bits - 1)
    digits = slice_digits(fixed.integers + (1 << fixed.bits), slices, digit_bits)
    outputs = len(matrix)
    weights = 2.0 ** (digit_bits * np.arange(slices - 1, -1, -1))
    return MultiplyEncoding(
        fixed, np.ascontiguousarray(digits.reshape(slices * outputs, -1).T),
        np.tile(np.arange(outputs), slices), np.repeat(weights, outputs), 2.0**fixed.bits,
    )  # fmt: skip


def slices_needed(matrix: Floats, bits: int, error: float, digit_bits: int = 3) -> int:
    """Return the number of slices of at least `bits` bits that hold a matrix to within `error`.

    `matrix` (n, n); `bits`: least number of bits; `error`: largest norm ||A - A as held||_2; `digit_bits`: bits of a
    digit. The largest number in fixed point (52 bits) where no number of slices suffices.
    """
    slices, most = slice_count(bits, digit_bits), MAX_BITS // digit_bits
    while slices < most:
        fixed_point = to_fixed_point(matrix, slices * digit_bits).values
        if float(np.linalg.norm(matrix - fixed_point, 2)) <= error:
            break
        slices += 1
    return slices


def group_lines(
    errors: Floats, noise: Floats, *, sigmas: float = 5.0, reading: Floats | float = 0.0, spare: float = 0.0
) -> list[Integers]:
    """Group input lines so that any binary pattern within a group gives exact integers.

    A column's sum is off by the sum of its active cells' errors. Lines are added to a group while, in every column,
    neither all positive nor all negative errors together, plus `sigmas` times the noise, reach half a digit, so that
    no pattern of the group can. A line that alone exceeds it forms a separate group: its errors cannot be avoided,
    only subtracted where they are known, and found by a checksum. `errors` (lines, columns): measured minus ideal
    contribution of each cell, in digits; `noise` (lines, columns): standard deviation of each contribution from shot
    to shot, in digits; `reading` (columns,) or float: that of a column's reading itself, which counts once however
    many lines are active; `spare`: of the half digit that is left for what none of them tells, in digits.
    """
    above, below, variance = np.maximum(errors, 0.0), np.maximum(-errors, 0.0), noise**2
    worst = np.abs(errors).max(axis=1, initial=0.0)
    groups: list[list[int]] = []
    sums: list[tuple[Floats, Floats, Floats]] = []
    for line in np.argsort(-worst, kind="stable"):
        for index, (up, down, spread) in enumerate(sums):
            trial = (up + above[line], down + below[line], spread + variance[line])
            if np.all(np.maximum(trial[0], trial[1]) + sigmas * np.sqrt(trial[2]) < 0.5 - spare):
                groups[index].append(int(line))
                sums[index] = trial
                break
        else:
            groups.append([int(line)])
            sums.append((above[line], below[line], variance[line] + np.square(reading)))
    return [np.sort(np.asarray(group, dtype=np.int64)) for group in groups]
