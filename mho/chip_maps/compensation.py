"""Slices that make up for each other: a later one is programmed to what the earlier ones, as achieved, leave of the matrix.

A cell ends anywhere in its verify window. Where a matrix is read as an analogue sum of slices,

    A = sum_k ratio^-k (G+_k - G-_k),

the next slice can hold the residue of those before, `ratio` times as large, so that only the error of the last one counts
(Song et al., Science 383, 903, 2024). What moves after it was read is not made up for: noise and relaxation of the first
slice count in full. `ratio` is bounded by the windows: the largest residue must fit the range of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.levels import Levels
from mho.errors import InputError

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
"""Conductances of the positive and of the negative cells, (m, n) each, S."""


def represented(slices: Sequence[Pair], ratio: float) -> Floats:
    """Return the sum of slices, the first with weight 1, in S.

    Raises
    ------
    InputError
        Without slices, or for a ratio that is not above 1.
    """
    if not slices or not ratio > 1.0:
        raise InputError(f"{len(slices)} slices of ratio {ratio:g}; give at least one, and a ratio above 1")
    parts = [ratio**-number * (positive - negative) for number, (positive, negative) in enumerate(slices)]
    return np.asarray(np.sum(parts, axis=0))


def next_targets(matrix: Floats, achieved: Sequence[Pair], ratio: float, top: float) -> Pair:
    """Return the targets of the next slice: the residue of the slices as `achieved`, split by sign.

    Parameters
    ----------
    matrix : (m, n) array
        A, scaled so that its largest entry is at most `top`, S.
    achieved : sequence of Pair
        The slices so far, as read; none for the first slice.
    ratio : float
        From the weight of a slice to that of the next.
    top : float
        Largest target, S. A residue beyond ends there, and is left to the slice after.

    Raises
    ------
    InputError
        For a ratio that is not above 1, a top that is not above 0, or an entry beyond it or not finite.
    """
    if not (ratio > 1.0 and 0.0 < top < np.inf):
        raise InputError(
            f"slices of ratio {ratio:g} up to {top:g} S; give a ratio above 1 and a largest target above 0 S"
        )
    peak = float(np.abs(matrix).max(initial=0.0))
    if not peak <= top * (1.0 + 1e-12):
        raise InputError(
            f"the largest entry is {peak:g} S, and the largest target {top:g} S; scale the matrix to that"
        )
    residue = matrix - represented(achieved, ratio) if achieved else np.asarray(matrix, np.float64)
    scaled = residue * ratio ** len(achieved)
    return np.clip(scaled, 0.0, top), np.clip(-scaled, 0.0, top)


def largest_ratio(levels: Levels) -> float:
    """Return the largest power of two by which a slice's residue can be enlarged: windows fit the range of a cell."""
    half_width = float(levels.high[-1] - levels.nominal[-1])
    return float(2.0 ** np.floor(np.log2(levels.nominal[-1] / half_width)))
