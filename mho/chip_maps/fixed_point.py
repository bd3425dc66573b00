"""Matrices as integers and integers as 3-bit digits: A = scale 2^-t (Q+ - Q-), Q = sum of digit slices."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mho.array_types import Floats, Integers
from mho.errors import InputError

MAX_BITS = 52  # a double holds 53 bits: more would be lost in the conversion
PEAKS = (1e-250, 1e250)  # range of the largest magnitude in which scale and unit are normal doubles


class FixedPoint(NamedTuple):
    """A real matrix or vector in fixed point; a named tuple, as one is made in every cycle of a refinement.

    Attributes
    ----------
    integers : array of int64
        Values in units of ``scale * 2**-bits``, magnitude below ``2**bits``.
    bits : int
        Bits t of the magnitude.
    scale : float
        Full scale: the value that ``2**bits`` would stand for.
    values : array
        The represented real numbers.
    """

    integers: Integers
    bits: int
    scale: float
    values: Floats


def to_fixed_point(values: Floats, bits: int) -> FixedPoint:
    """Scale to |a| < 1 and round to `bits` bits.

    The scale is a power of two where this represents every value exactly (so that published digits are
    reproduced); otherwise the largest magnitude becomes the largest integer, which uses the full range.

    Raises
    ------
    InputError
        When `bits` is outside 1..52, all values are zero, or the largest magnitude is near the limits of a
        double.
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
    mantissa, power = math.frexp(peak)
    scale = 2.0 ** (power - 1 if mantissa == 0.5 else power)
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
    """Vectors in fixed point, each with a scale of its own.

    Attributes
    ----------
    integers : (n, k) array of int64
        Values in units of ``scales * 2**-bits``.
    bits : int
    scales : (k,) array
    values : (n, k) array
        The represented real numbers.
    """

    integers: Integers
    bits: int
    scales: Floats
    values: Floats


def columns_to_fixed_point(vectors: Floats, bits: int) -> FixedPointColumns:
    """Round each of the vectors (n, k) to `bits` bits of its largest magnitude; zeros stay zeros.

    Raises
    ------
    InputError
        When `bits` is outside 1..52.
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

    Returns
    -------
    (slices, *integers.shape) array of int64
        Digits 0 .. 2**digit_bits - 1, truncated: the remainder goes to the next slice.

    Raises
    ------
    InputError
        For negative integers, or integers that need more slices.
    """
    if integers.size and (integers.min() < 0 or int(integers.max()) >> (slices * digit_bits)):
        raise InputError(f"integers up to {integers.max()} do not fit {slices} digits of {digit_bits} bits")
    shifts = digit_bits * np.arange(slices - 1, -1, -1, dtype=np.int64)
    return (integers[None] >> shifts.reshape(-1, *[1] * integers.ndim)) & ((1 << digit_bits) - 1)


def join_digits(digits: Integers, digit_bits: int = 3) -> Integers:
    """Join digit slices (most significant first); digits may exceed their range."""
    result = np.zeros(digits.shape[1:], dtype=np.int64)
    for digit in digits:
        result = (result << digit_bits) + digit
    return result
