"""Spectrum and Allan deviation of reads in a row, relative to the mean: what noise there is, and on which scale of time.

    S(f) = variance of G/mean in 1 Hz           1/f noise has a slope of -1 in log S over log f
    sigma(tau)                                  Allan deviation of means over tau: flat for 1/f noise, tau^-1/2 for white

The spectrum is Welch's (IEEE Trans. Audio Electroacoust. 15, 70 (1967)), over overlapping parts of all series; the Allan
deviation is the overlapping one (NIST Special Publication 1065 (2008), section 5.2.4).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.procedures.cells.log_spacing import log_counts

LEAST_PART, PARTS = 64, 2  # samples of a part, parts of a series
BINS = 8  # a decade of frequency
MODEL = 0.02  # least variance of a bin, in units of the lowest one's
LEVEL = 0.95
OVERLAPPING = 2.8  # independent parts of a series: three that overlap by half
STEPS = 6  # Allan deviations a decade


FITTING = 1e-3  # p of a fit below which its numbers are not told
CORRELATED = 1.94  # variance of a mean of neighbouring lines of a Hann window, over that of independent ones
RIPPLE = 0.01  # variance of ln S that a sum of Lorentzians, one a decade, has about a power of f


class Slope(NamedTuple):
    """Slope of log S over log f, with its 95 % interval, and the p value of the fit; NaN where that is not known."""

    value: float
    low: float
    high: float
    p: float = math.nan


NO_SLOPE = Slope(math.nan, math.nan, math.nan)


def spectrum(series: Floats, interval: float, mean: float | None = None) -> tuple[Floats, Floats]:
    """Return frequencies (Hz) and relative densities (1/Hz), in bins of an eighth of a decade.

    Parameters
    ----------
    series : (series, samples) array
        Reads in a row, S; there may be any time between one series and the next.
    interval : float
        From sample to sample, s.
    mean : float, optional
        To which densities are relative, S; that of the series without it.

    Returns
    -------
    frequency, density : (bins,) arrays
        Empty for series that are too short, or of mean 0.
    """
    from scipy.signal import welch  # loads slowly

    samples, mean = series.shape[1], float(series.mean()) if mean is None else mean
    part = min(max(samples // PARTS, LEAST_PART), samples)
    if samples < 8 or not mean:
        return np.empty(0), np.empty(0)
    frequency, each = welch(series / mean, 1.0 / interval, nperseg=part, axis=1)
    frequency, density = frequency[1:], each.mean(axis=0)[1:]
    bins = np.floor(BINS * np.log10(frequency / frequency[0]) + 1e-9).astype(int)
    count = np.bincount(bins)
    some = count > 0
    middle = np.bincount(bins, np.log(frequency))[some] / count[some]
    return np.exp(middle), np.bincount(bins, density)[some] / count[some]


def density_at_1_hz(frequency: Floats, density: Floats) -> float:
    """Return the density (1/Hz) at 1 Hz of the 1/f spectrum nearest to one, in logarithms; NaN of none."""
    used = density > 0.0
    return float(np.exp(np.log(density[used] * frequency[used]).mean())) if used.any() else math.nan


def flicker_at_1_hz(frequency: Floats, density: Floats, floor: float) -> float:
    """Return the density (1/Hz) at 1 Hz of 1/f noise over a floor of the meter's, in logarithms; NaN where it is none.

    Bins that do not rise above twice the floor tell nothing of it.
    """
    return density_at_1_hz(frequency, np.where(density > 2.0 * floor, density - floor, 0.0))


def slope(frequency: Floats, density: Floats, series: int = 0) -> Slope:
    """Return the slope of a spectrum ``A f**slope + W``; NaN for fewer than six bins.

    The floor W stands for white noise and for aliases: what lies beyond half of the sampling rate is folded into the band,
    and of 1/f noise that is about a constant.

    Parameters
    ----------
    frequency, density : (bins,) arrays
        As `spectrum` returns them.
    series : int
        Of how many series the spectrum is, for the p value of the fit; 0 if that is not wanted.
    """
    from scipy.optimize import least_squares
    from scipy.stats import t as student

    used = density > 0.0
    x, y = np.log(frequency[used]), np.log(density[used])
    if len(x) < 6:
        return NO_SLOPE
    # A bin holds the more lines of the spectrum the higher it lies; beyond some tens the model is no better.
    weight = 1.0 / np.sqrt(np.exp(x[0] - x) + MODEL)
    half = len(x) // 2
    tilt = float(np.polyfit(x[:half], y[:half], 1)[0])
    start = np.array([y[0], min(tilt, -0.05), y[-1] - 1.0])

    def rest(place: Floats) -> Floats:
        level, power, floor = place
        misfit: Floats = weight * (np.logaddexp(level + power * (x - x[0]), floor) - y)
        return misfit

    optimum = least_squares(rest, start, x_scale=[1.0, 0.3, 1.0])
    jacobian = np.asarray(optimum.jac, dtype=np.float64)
    curvature = jacobian.T @ jacobian + 1e-12 * np.eye(3)
    variance = 2.0 * optimum.cost / (len(x) - 3) * np.linalg.inv(curvature)[1, 1]
    reach = float(student.ppf(0.5 + LEVEL / 2.0, len(x) - 3)) * math.sqrt(max(float(variance), 0.0))
    value = float(optimum.x[1])
    p = _fit_p(x, (rest(optimum.x) / weight), series) if series else math.nan
    return Slope(value, value - reach, value + reach, p)


def _fit_p(x: Floats, rest: Floats, series: int) -> float:
    """Return the p value of what a fit left of ln S in bins at ln f, by chi square.

    A line of Welch's spectrum averages three overlapping parts of each series, and a bin its lines.
    """
    from scipy.stats import chi2

    lines = np.maximum(np.expm1(math.log(10.0) / BINS) * np.exp(x - x[0]), 1.0)
    averaged = OVERLAPPING * series * np.where(lines > 1.5, lines / CORRELATED, 1.0)
    squares = rest**2 / (1.0 / np.maximum(averaged, 1.0) + RIPPLE)
    return float(chi2.sf(float(squares.sum()), len(x) - 3))


def allan_deviation(series: Floats, interval: float) -> tuple[Floats, Floats]:
    """Return averaging times (s) and relative Allan deviations of series (series, samples), S, to a third of them."""
    samples, mean = series.shape[1], float(series.mean())
    if samples < 6 or not mean:
        return np.empty(0), np.empty(0)
    sums = np.concatenate([np.zeros((len(series), 1)), np.cumsum(series / mean, axis=1)], axis=1)
    lengths = log_counts(samples // 3, STEPS)
    deviations = []
    for length in lengths.tolist():
        means = (sums[:, length:] - sums[:, :-length]) / length
        deviations.append(math.sqrt(0.5 * float(((means[:, length:] - means[:, :-length]) ** 2).mean())))
    return lengths.astype(float) * interval, np.array(deviations)
