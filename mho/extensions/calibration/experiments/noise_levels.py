"""Read noise and telegraph noise, from reads of cells in a row.

A series of reads over T, each averaged over a, sees of 1/f noise that is a sum of Lorentzians with correlation times tau
(one a decade, the squares of their sizes add up to read_noise^2) the part

    K = mean over tau of V(a/tau) - V(T/tau)       V(x) = 2 (1 - (1 - e^-x)/x)/x

of its variance, as what is slower than the series is in its mean. The meter's own noise is white: it is in the variance,
and in half the mean square D of the step from read to read, of which 1/f noise has but little, so both are solved for the
noise of the cell. That is needed most in HRS, where few cells have nearly all of the meter's noise. A trap is seen whose
correlation time lies between two reads and a quarter of the series; the others are as many as the log-uniform distribution
of the base has beside these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.confidence import binomial_interval
from mho.extensions.calibration.experiments.estimates import ParameterEstimate, mean_of, root_mean_square

FASTEST, SLOWEST = 2.0, 0.25  # reads, and series: correlation times of traps that are seen
CHANCE = 1e-3  # of cells without noise of their own that look as if they had it
LEAST_SEEN = 0.1  # share of the traps
HIDDEN = 3.0  # times the median variance: a cell that is noisier hides a trap that is not told


def seen_share(interval: float, samples: int, aperture: float, base: Mapping[str, float]) -> float:
    """Return the share K of the variance of 1/f noise that reads of `aperture` (s) every `interval` (s) see."""
    times = _decades(base)
    lasts = lasting_share(min(aperture, interval) / times)
    return float((lasts - lasting_share(interval * samples / times)).mean())


def step_share(interval: float, aperture: float, base: Mapping[str, float]) -> float:
    """Return half the mean square D of the step from read to read, of 1/f noise of unit variance."""
    times, lasts = _decades(base), min(aperture, interval)
    x = np.maximum(lasts / times, 1e-9)
    together = (-np.expm1(-x) / x) ** 2 * np.exp(-(interval - lasts) / times)
    return float((lasting_share(lasts / times) - together).mean())


def _decades(base: Mapping[str, float]) -> Floats:
    """Return the correlation times (s) of the base's 1/f noise, one a decade."""
    fastest, slowest = base["noise_fastest"], base["noise_slowest"]
    return np.geomspace(fastest, slowest, round(math.log10(slowest / fastest)) + 1)


def own_variances(variances: Floats, steps: Floats, seen: float, stepped: float) -> Floats:
    """Return the variances (cells,) of 1/f noise, relative: of series' `variances` and half mean square `steps`.

    `seen` and `stepped` are what is in either of 1/f noise of unit variance. The meter's white noise is taken off; none are
    returned where then nothing is left that stands out over the cells.
    """
    from scipy.stats import t as student  # loads slowly

    own: Floats = (variances - steps) / (seen - stepped)
    if len(own) < 2:
        return own[:0]
    certain = float(student.isf(CHANCE, len(own) - 1)) * own.std(ddof=1) / math.sqrt(len(own))
    return own if own.mean() > certain else own[:0]


def lasting_share(x: Floats) -> Floats:
    """Return the variance of the mean of unit noise over `x` of its correlation times."""
    some = np.maximum(x, 1e-3)
    whole = 2.0 * (1.0 + np.expm1(-some) / some) / some
    return np.where(x < 1e-3, 1.0 - x / 3.0, whole)


def seen_traps(interval: float, samples: int, base: Mapping[str, float]) -> float:
    """Return the share of traps that series of reads every `interval` (s) show."""
    low = max(FASTEST * interval, base["rtn_fastest"])
    high = min(SLOWEST * interval * samples, base["rtn_slowest"])
    return max(math.log(high / low), 0.0) / math.log(base["rtn_slowest"] / base["rtn_fastest"])


def noise_levels(
    variances: Floats, cells: Mapping[str, NDArray[Any]], interval: float, samples: int, aperture: float,
    base: Mapping[str, float], steps: Floats | None = None,
) -> list[ParameterEstimate]:  # fmt: skip
    """Return read_noise, rtn_share and rtn_noise, as far as the reads tell them.

    Parameters
    ----------
    variances, steps
        (cells, series): of each series, and half the mean square of the step from read to read, relative to the square
        of its mean; `steps` tell the meter's white noise.
    cells
        Columns of the table ``noise``: ``levels`` (2 where there is telegraph noise), ``mean``, ``low``, ``high`` (S),
        ``dwell_low``, ``dwell_high`` (s).
    interval, samples, aperture
        From read to read, s; reads of a series; for how long each was averaged, s.
    """
    trapped = np.asarray(cells["levels"]) == 2
    result: list[ParameterEstimate | None] = []
    if not base["noise_full"]:  # else noise depends on conductance in a way that a few cells do not tell
        quiet = variances[~trapped].mean(axis=1)
        calm = quiet < HIDDEN * np.median(quiet) if len(quiet) else np.zeros(0, bool)
        seen = seen_share(interval, samples, aperture, base)
        if steps is None:
            own = quiet[calm] / seen
        else:
            stepped = steps[~trapped].mean(axis=1)[calm]
            own = own_variances(quiet[calm], stepped, seen, step_share(interval, aperture, base))
        result.append(root_mean_square("read_noise", own))
    seen = seen_traps(interval, samples, base)
    if trapped.any() and seen > LEAST_SEEN:
        count, total = int(trapped.sum()), len(trapped)
        value, low, high = (
            min(share / seen, 1.0) for share in (count / total, *binomial_interval(count, total))
        )
        result.append(ParameterEstimate("rtn_share", value, low, high))
    if not base["rtn_spread"] and not base["rtn_asymmetry"]:
        up, down = (np.asarray(cells[f"dwell_{name}"], dtype=float)[trapped] for name in ("high", "low"))
        step = (np.asarray(cells["high"], dtype=float) - np.asarray(cells["low"], dtype=float))[trapped]
        occupied = up / (up + down)
        noise = step / np.asarray(cells["mean"], dtype=float)[trapped] * np.sqrt(occupied * (1.0 - occupied))
        result.append(mean_of("rtn_noise", noise))
    return [one for one in result if one is not None]
