"""Patterns of active lines: a vector bit by bit, and random ones with a given number of lines active."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.fixed_point import FixedPoint


def bit_serial(vector: FixedPoint, groups: Sequence[Integers]) -> tuple[Integers, Floats]:
    """Return the patterns that present a vector bit by bit, its signs apart, one group of lines at a time (Zuo 2025).

    Parameters
    ----------
    vector : FixedPoint
        (lines,) integers.
    groups : sequence of (k,) index arrays
        Lines that may be active at once; every line is in one group.

    Returns
    -------
    patterns : (shots, lines) array of 0 and 1
        Without those in which no line is active.
    weights : (shots,) array
        ``weights @ patterns`` are the integers.
    """
    magnitudes = np.maximum(np.multiply.outer((1, -1), vector.integers), 0)
    places = np.arange(vector.bits)
    bits = (magnitudes[:, None] >> places[:, None]) & 1  # (signs, bits, lines)
    member = np.zeros((len(groups), len(vector.integers)), np.int64)
    for mask, group in zip(member, groups, strict=True):
        mask[group] = 1
    patterns = bits[:, :, None] * member  # (signs, bits, groups, lines)
    weights = np.broadcast_to(np.multiply.outer((1.0, -1.0), 2.0**places)[..., None], patterns.shape[:-1])
    played = patterns.any(axis=-1)
    return patterns[played], weights[played]


def bit_serial_complement(vector: FixedPoint, groups: Sequence[Integers]) -> tuple[Integers, Floats]:
    """Return the patterns that present a vector in two's complement bit by bit, one group of lines at a time.

    It takes bits + 1 shots a group where `bit_serial`, with its signs apart, takes 2 x bits; parameters and returns as
    there.
    """
    places = np.arange(vector.bits + 1)
    bits = (vector.integers >> places[:, None]) & 1  # (places, lines); the last one is the sign
    member = np.zeros((len(groups), len(vector.integers)), np.int64)
    for mask, group in zip(member, groups, strict=True):
        mask[group] = 1
    patterns = bits[:, None] * member
    each = np.where(places < vector.bits, 2.0**places, -(2.0**vector.bits))
    weights = np.broadcast_to(each[:, None], patterns.shape[:-1])
    played = patterns.any(axis=-1)
    return patterns[played], weights[played]


def active_counts(lines: int) -> list[int]:
    """Return 1, 2, 4, ... below `lines`, and `lines` itself."""
    return [*(1 << power for power in range((lines - 1).bit_length())), lines]


def random_patterns(lines: int, active: int, count: int, rng: np.random.Generator) -> Integers:
    """Draw `count` patterns (count, lines) of 0 and 1, each with `active` lines, all choices of them alike."""
    order = np.argsort(rng.random((count, lines)), axis=1)
    return (order < active).astype(np.int64)


def consecutive_groups(lines: int, most: int) -> list[Integers]:
    """Cut `lines` lines into groups of at most `most` neighbours."""
    return [np.arange(start, min(start + most, lines)) for start in range(0, lines, most)]
