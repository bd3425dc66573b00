"""The numbers in figures: bins, cumulative shares, quartiles, correlations of maps. Functions of arrays.

The spatial correlation tells whether the error of a cell tells that of its neighbours:

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
    lags, result, band = [], [], []
    for lag in range(1, min(MOST_LAGS, max((one.shape[1] for one in turned), default=0) // 2) + 1):
        pairs = sum(int((there[:, lag:] & there[:, :-lag]).sum()) for _, there in rest)
        if pairs < FEWEST_PAIRS or not power > 0.0:
            break
        products = sum(float((one[:, lag:] * one[:, :-lag]).sum()) for one, _ in rest)
        lags.append(float(lag))
        result.append(products / pairs / (power / count))
        band.append(QUANTILE / np.sqrt(pairs))
    return np.array(lags), np.array(result), np.array(band)


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


BINS_IN_BAND = 12  # bins that a band of usual width is cut into
FEWEST_BINS, MOST_BINS = 10, 400
LARGEST_COUNT = 200  # up to here whole numbers have a bin each
LESSER_SIDE = 0.02
"""How far the side of zero that has the smaller values reaches at least on a scale with zero in its middle."""

EXTENT_IN_DECILES = 4.0
"""Largest error on a scale of errors, in what nine of ten keep below: 6.6 deviations of a normal distribution."""


def bin_edges(
    values: Floats, *, log: bool = False, band: float | None = None, width: float | None = None
) -> Floats:
    """Return the edges of bins that hold all finite `values`, of a `width` or, if that is None, of one of their own.

    Whole numbers get one bin each, values beside bands a twelfth of a band's width `band`; else the width is Freedman's
    and Diaconis', 2 IQR / n^(1/3), "On the histogram as a density estimator" (1981).
    """
    known = values[np.isfinite(values) & ((values > 0.0) | (not log))]
    if not known.size:
        return np.array([0.0, 1.0])
    low, high = float(known.min()), float(known.max())
    if log:
        count = int(np.clip(2.0 * np.cbrt(known.size), FEWEST_BINS, MOST_BINS))
        if not high > low:
            low, high = low / 2.0, high * 2.0
        return np.logspace(np.log10(low) - 1e-9, np.log10(high) + 1e-9, count + 1)
    if high - low <= LARGEST_COUNT and abs(low) < 2**52 and bool((known == np.round(known)).all()):
        return np.arange(np.round(low), np.round(high) + 2.0) - 0.5
    if band:
        width = max(band / BINS_IN_BAND, (high - low) / MOST_BINS)
        first = np.floor(min(low, 0.0) / width) if abs(low) < 100 * band else np.floor(low / width)
        last = np.floor(high / width) + 1.0
        if last - first <= 4 * MOST_BINS:
            return width * np.arange(first, last + 1.0)
    width = bin_width(known) if width is None else width
    bins = (high - low) / width if width > 0.0 else FEWEST_BINS
    count = int(np.clip(np.ceil(bins), FEWEST_BINS, MOST_BINS))
    if not high > low:
        low, high = low - (abs(low) or 1.0) * 0.05, high + (abs(high) or 1.0) * 0.05
    return np.linspace(low, high, count + 1)


def bin_width(values: Floats) -> float:
    """Return the width of bins of finite values after Freedman and Diaconis; 0 for values most of which are equal."""
    q1, q3 = np.quantile(values, (0.25, 0.75))
    return 2.0 * float(q3 - q1) / float(np.cbrt(values.size))


def cumulative(values: Floats, most: int) -> tuple[Floats, Floats]:
    """Return at most `most` sorted values and the share of values up to each, (k - 1/2) / n."""
    known = np.sort(values[np.isfinite(values)])
    share = (np.arange(known.size) + 0.5) / max(known.size, 1)
    if known.size > most:
        rows = np.unique(np.linspace(0, known.size - 1, most).round().astype(int))
        known, share = known[rows], share[rows]
    return known, share


def normal_quantile(share: Floats) -> Floats:
    """Return where a normal distribution of mean 0 and deviation 1 has reached a share."""
    from scipy.special import ndtri  # loads slowly, and most figures do without

    return np.asarray(ndtri(share), dtype=float)


def quartiles(values: Floats) -> tuple[float, float, float]:
    """Return first quartile, median and third quartile of the finite values; NaN of none."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.nan, np.nan, np.nan
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def is_signed(values: Floats) -> bool:
    """Return whether values lie on both sides of zero, so that zero belongs into the middle of their scale.

    Noise around zero beside large values of one sign, as of cells that do not conduct, does not count.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return False
    low, high = (float(one) for one in np.quantile(known, (0.01, 0.99)))  # a lost cell makes no other side
    return low < 0.0 < high and min(-low, high) > LESSER_SIDE * float(np.abs(known).max())


def signed_extent(values: Floats) -> float:
    """Return the end of a scale of finite errors with zero in its middle: a few lost cells must not fade all others."""
    magnitudes = np.abs(values)
    extent = float(np.quantile(magnitudes, 0.998))
    usual = EXTENT_IN_DECILES * float(np.quantile(magnitudes, 0.9))
    return (min(extent, usual) if usual > 0.0 else extent) or 1.0


def quartiles_over(x: Floats, y: Floats, most: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the distinct values of `x`, the last `most`, and first quartile, median, third quartile of `y` at each."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    places, which = np.unique(x, return_inverse=True)
    order = np.argsort(which, kind="stable")
    parts = np.split(y[order], np.cumsum(np.bincount(which, minlength=len(places)))[:-1])[-most:]
    result = np.array([quartiles(part) for part in parts]).reshape(-1, 3) if x.size else np.empty((0, 3))
    return places[-most:], result[:, 0], result[:, 1], result[:, 2]
