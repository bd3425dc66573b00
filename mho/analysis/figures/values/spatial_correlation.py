"""Spatial correlation of a map: whether the error of a cell tells that of its neighbours.

    r(k) = <d_i d_(i + k)> / <d_i^2>,    d_i = x_i - <x>

over all pairs of cells with values that are k lines apart, along rows or along columns. Of n independent pairs, r(k) has
the deviation 1 / sqrt(n): 95 % of uncorrelated maps lie within +-1.96 / sqrt(n) (Box, Jenkins and Reinsel, "Time Series
Analysis", section 2.1.6).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

MOST_LAGS = 32
FEWEST_PAIRS = 16
QUANTILE = 1.959964


def autocorrelation(images: Sequence[Floats], axis: int) -> tuple[Floats, Floats, Floats]:
    """Return lags, the correlation at each, and the 95 % band of none (n,), of one map (r, c) or of several together.

    NaN stands for no value; each map has its own mean taken off. Axis 0 is along columns, from row to row, 1 along
    rows. Lags go from 1 to half the longest line, at most 32, as far as there are enough pairs.
    """
    turned = [image if axis == 1 else image.T for image in images]
    rest = [_deviations(image) for image in turned]
    power = sum(float((one**2).sum()) for one, _ in rest)
    count = sum(int(there.sum()) for _, there in rest)
    lags, found, band = [], [], []
    for lag in range(1, min(MOST_LAGS, max((one.shape[1] for one in turned), default=0) // 2) + 1):
        pairs = sum(int((there[:, lag:] & there[:, :-lag]).sum()) for _, there in rest)
        if pairs < FEWEST_PAIRS or not power > 0.0:
            break
        products = sum(float((one[:, lag:] * one[:, :-lag]).sum()) for one, _ in rest)
        lags.append(float(lag))
        found.append(products / pairs / (power / count))
        band.append(QUANTILE / np.sqrt(pairs))
    return np.array(lags), np.array(found), np.array(band)


def _deviations(image: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return deviations from the mean, 0 where there is no value, and where there are values."""
    there = np.isfinite(image)
    mean = float(image[there].mean()) if there.any() else 0.0
    return np.where(there, image - mean, 0.0), there


def without_group_medians(image: Floats, groups: Floats) -> Floats:
    """Return an image less the median of each group: of the cells of one level, so that no pattern of levels is left."""
    there = np.isfinite(image) & np.isfinite(groups)
    left = np.full(image.shape, np.nan)
    if not there.any():
        return left
    values = image[there]
    _, which = np.unique(groups[there], return_inverse=True)
    order = np.argsort(which, kind="stable")
    parts = np.split(values[order], np.cumsum(np.bincount(which))[:-1])
    medians = np.array([np.median(part) for part in parts])  # a lost cell moves a mean, and so all others
    left[there] = values - medians[which]
    return left
