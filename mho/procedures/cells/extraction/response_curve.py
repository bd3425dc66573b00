"""The curve of a cell's response to a pulse: threshold, steepest slope and saturation, fitted to many cells at once.

    y(x) = bottom + s w [softplus((x - a)/w) - softplus((x - b)/w)],   s = (top - bottom)/(b - a)

A ramp from `a` to `b` whose corners are rounded over `w`: a straight line that is cut off where w is small, the logistic
function where b - a is. Nothing else is assumed of the cells. What is told is what both ends of the family share: the
steepest slope, the place where the tangent there leaves the bottom (the threshold), and the top. Where the data does not
bend over, the same with b at infinity: there is no top then.

Cells differ for life, so all readings of a cell deviate together. Intervals are therefore those of clusters: cells are left
out, one by one or in groups, and the rest is fitted anew with weights of its own (delete-group jackknife). The formula that
keeps the weights (Cameron and Miller, J. Human Resources 50, 317 (2015), section VI) says too little of a top, and of a
threshold of few cells; where it says more, its interval stands. A degree of freedom is taken for the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from mho.array_types import Booleans, Floats, Integers

LEVEL = 0.95  # of all intervals

SHAPES = math.log(0.5), math.log(100.0)
"""Range of ln((b - a)/w): the logistic function to 0.5 %, and a ramp with corners of a hundredth."""

SOFTEST = 0.02  # least deviation of a reading, as a share of the range: for where all cells agree
GROUPS = 16  # groups of cells that are left out, at most: each costs a fit

RISING = 0.1, 0.75
"""Shares of the way from bottom to top between which the spreads are taken: there cells follow the pulse."""


@dataclass(frozen=True)
class IntervalEstimate:
    """A number with its 95 % interval: NaN, and infinite at an end, where the data do not reach it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ResponseCurve:
    """A fitted curve."""

    bottom: float  # where it starts, as measured before the pulses
    # (4,) or (3,): middle, ln slope, top, ln shape; or of a curve without a top: threshold, ln slope, ln w
    parameters: Floats
    covariance: Floats  # of the parameters, at the weights of the fit
    cells: int  # from which it was fitted
    # Parameters of the rest where a group of cells is left out, (groups, parameters); empty for a single cell
    left_out: Callable[[], Floats] = field(compare=False, repr=False)

    @cached_property
    def without(self) -> Floats:
        """What `left_out` returns: computed once an interval is asked for, as strategies ask for none."""
        return self.left_out()

    @property
    def saturates(self) -> bool:
        """Whether the curve has a top."""
        return len(self.parameters) == 4

    def __call__(self, x: Floats) -> Floats:
        """Return the curve at `x`."""
        return _curve(x, self.bottom, self.parameters)

    def estimate(self, of: Callable[[Floats], float]) -> IntervalEstimate:
        """Return a function of the parameters with its interval: the wider of the jackknife's and of the covariance's."""
        from scipy.special import stdtrit

        value = of(self.parameters)
        gradient = _derivatives(lambda p: np.array([of(p)]), self.parameters)[0]
        error = math.sqrt(max(float(gradient @ self.covariance @ gradient), 0.0))
        half = error * float(stdtrit(max(self.cells - 2, 1), 0.5 + LEVEL / 2.0))
        groups = len(self.without)
        if groups > 1:
            others = np.array([of(parameters) for parameters in self.without])
            error = math.sqrt((groups - 1.0) * float(others.var()))
            half = max(half, error * float(stdtrit(max(groups - 2, 1), 0.5 + LEVEL / 2.0)))
        return IntervalEstimate(value, value - half, value + half)

    @property
    def slope(self) -> IntervalEstimate:
        """The steepest slope."""
        return self.estimate(lambda p: math.exp(p[1]))

    @property
    def threshold(self) -> IntervalEstimate:
        """Where the tangent at the steepest place leaves the bottom."""
        if not self.saturates:
            return self.estimate(lambda p: float(p[0]))
        return self.estimate(lambda p: float(p[0] - (p[2] - self.bottom) / (2.0 * math.exp(p[1]))))

    @property
    def top(self) -> IntervalEstimate | None:
        """Where it saturates; None where it does not within the data."""
        return self.estimate(lambda p: float(p[2])) if self.saturates else None

    def inverse(self, y: float, parameters: Floats | None = None) -> float:
        """Return where the curve has the value `y`, by bisection; NaN where it never has."""
        p = self.parameters if parameters is None else parameters
        middle, reach = (
            float(p[0]),
            4.0 * abs(float(p[2] if self.saturates else y) - self.bottom) / math.exp(p[1]),
        )
        low, high = middle - reach, middle + reach
        if not _curve(np.array([low]), self.bottom, p)[0] < y < _curve(np.array([high]), self.bottom, p)[0]:
            return math.nan
        for _ in range(60):
            half = 0.5 * (low + high)
            low, high = (half, high) if _curve(np.array([half]), self.bottom, p)[0] < y else (low, half)
        return 0.5 * (low + high)

    def line_through(self, levels: Floats) -> tuple[IntervalEstimate, IntervalEstimate] | None:
        """Return offset and slope of the straight line x = offset + y / slope nearest to the curve at `levels`.

        None where it has less than two of them.
        """
        reached = np.array([y for y in levels.tolist() if math.isfinite(self.inverse(y))])
        if len(reached) < 2:
            return None

        def line(p: Floats) -> tuple[float, float]:
            places = np.array([self.inverse(y, p) for y in reached.tolist()])
            known = np.isfinite(places)
            steep, offset = np.polyfit(reached[known], places[known], 1)
            return float(offset), 1.0 / float(steep)

        return self.estimate(lambda p: line(p)[0]), self.estimate(lambda p: line(p)[1])


@dataclass(frozen=True)
class Spread:
    """Standard deviations of log10 of the response about the curve, decades."""

    device: float | None  # of the cells' means: from cell to cell. None of one cell
    cycle: float | None  # about the mean of each cell: from pulse to pulse


def fit_response(x: Floats, y: Floats, cell: Integers, bottom: float) -> ResponseCurve | None:
    """Fit the curve to responses of many cells; None where they do not rise above their scatter.

    `x` (n,): level of the pulse; `y` (n,): response; `cell` (n,): which cell it is of; `bottom`: response of no pulse
    at all, in the unit of `y`.
    """
    known = np.isfinite(y)
    x, y, cell = x[known], y[known], cell[known]
    levels, place = np.unique(x, return_inverse=True)
    if len(levels) < 5:
        return None
    middle, scatter = _of_levels(y, place, len(levels))
    rise = float(middle.max() - bottom)
    if not rise > 3.0 * max(float(scatter[0]), 1e-3 * abs(bottom)):
        return None
    weight = 1.0 / np.maximum(scatter, SOFTEST * rise)[place]
    span, step = float(np.ptp(levels)), float(np.diff(levels).min())
    half = float(np.interp(bottom + 0.5 * rise, np.maximum.accumulate(middle), levels))
    slope = max(float(np.diff(middle).max() / step), rise / span)
    steepest = math.log(10.0 * rise / step)
    of_top = (
        np.array([levels[0] - span, math.log(0.05 * rise / span), bottom + 0.3 * rise, SHAPES[0]]),
        np.array([levels[-1] + span, steepest, bottom + 3.0 * rise, SHAPES[1]]),
    )
    of_none = (
        np.array([levels[0] - 2.0 * span, math.log(0.05 * rise / span), math.log(0.01 * step)]),
        np.array([levels[-1], steepest, math.log(span)]),
    )

    def residuals(p: Floats) -> Floats:
        return (_curve(x, bottom, p) - y) * weight

    with_top = _fitted(
        residuals, np.array([half, min(math.log(slope), steepest), bottom + rise, math.log(4.0)]), *of_top
    )
    without_top = _fitted(
        residuals, np.array([half - 0.5 * rise / slope, math.log(slope), math.log(0.1 * span)]), *of_none
    )
    # A top costs a parameter; it must be worth it, and lie where the data has been (Schwarz' criterion, over the levels).
    penalty = math.log(len(levels)) * len(x) / len(levels) * 0.01
    saturates = with_top[1] + penalty < without_top[1]
    parameters, bounds = (with_top[0], of_top) if saturates else (without_top[0], of_none)

    cells, which = np.unique(cell, return_inverse=True)
    left_out = partial(_left_out, x, y, which % min(len(cells), GROUPS), bottom, rise, parameters, bounds)
    return ResponseCurve(bottom, parameters, _clustered(residuals, parameters, cell), len(cells), left_out)


def _left_out(
    x: Floats,
    y: Floats,
    group: Integers,
    bottom: float,
    rise: float,
    parameters: Floats,
    bounds: tuple[Floats, Floats],
) -> Floats:
    """Return the parameters of the curve where each group of cells is left out; of none for a single group."""
    groups = int(group.max()) + 1

    def rest(left: Booleans) -> Floats:
        levels, place = np.unique(x[left], return_inverse=True)
        weight = 1.0 / np.maximum(_of_levels(y[left], place, len(levels))[1], SOFTEST * rise)[place]
        return _fitted(
            lambda p: (_curve(x[left], bottom, p) - y[left]) * weight, parameters, *bounds, precision=1e-8
        )[0]

    others = [rest(group != one) for one in range(groups)] if groups > 1 else []
    return np.array(others).reshape(-1, len(parameters))


def deviations_from(curve: ResponseCurve, x: Floats, y: Floats) -> tuple[Booleans, Floats]:
    """Return where cells follow the pulse, and the deviations there, decades: log10 of the response over the curve.

    That is where the curve has risen but does not saturate yet, for positive responses.
    """
    at = curve(x)
    height = float((curve.parameters[2] if curve.saturates else np.nanmax(at)) - curve.bottom)
    share = (at - curve.bottom) / height
    with np.errstate(invalid="ignore"):
        used = (share > RISING[0]) & (share < RISING[1] if curve.saturates else share <= 1.0) & (y > 0.0)
    return used, np.log10(y[used] / at[used])


def spread_of(deviation: Floats, cell: Integers) -> Spread:
    """Split deviations (decades) of cells into those of the cells and those of the pulses: one-way analysis of variance."""
    if len(deviation) < 3:
        return Spread(None, None)
    _, which = np.unique(cell, return_inverse=True)
    count = np.bincount(which)
    mean = np.bincount(which, deviation) / count
    within = deviation - mean[which]
    freedom = len(deviation) - len(count)
    cycle = float(within @ within) / freedom if freedom > 0 else None
    if len(count) < 2:
        return Spread(None, None if cycle is None else math.sqrt(cycle))
    between = float(mean.var(ddof=1)) - (cycle or 0.0) * float((1.0 / count).mean())
    return Spread(math.sqrt(max(between, 0.0)), None if cycle is None else math.sqrt(cycle))


def _curve(x: Floats, bottom: float, p: Floats) -> Floats:
    if len(p) == 3:
        threshold, slope, width = float(p[0]), math.exp(p[1]), math.exp(p[2])
        rising: Floats = bottom + slope * width * np.logaddexp(0.0, (x - threshold) / width)
        return rising
    middle, slope, top, shape = float(p[0]), math.exp(p[1]), float(p[2]), math.exp(p[3])
    ramp = (top - bottom) * math.tanh(shape / 4.0) / slope  # b - a, so that the slope is that in the middle
    width = max(ramp / shape, 1e-12)
    ends = [np.logaddexp(0.0, (x - middle + side * ramp / 2.0) / width) for side in (1.0, -1.0)]
    curve: Floats = bottom + (top - bottom) / shape * (ends[0] - ends[1])
    return curve


def _of_levels(y: Floats, place: Integers, count: int) -> tuple[Floats, Floats]:
    """Return median and robust deviation of the responses at each level."""
    parts = [y[place == level] for level in range(count)]
    middle = np.array([np.median(part) for part in parts])
    scatter = [
        1.4826 * float(np.median(np.abs(part - centre))) for part, centre in zip(parts, middle, strict=True)
    ]
    return middle, np.array(scatter)


def _fitted(
    residuals: Callable[[Floats], Floats], start: Floats, low: Floats, high: Floats, precision: float = 1e-12
) -> tuple[Floats, float]:
    """Return the parameters with the least cost, outliers counted linearly, and that cost."""
    from scipy.optimize import least_squares

    scale = np.maximum(np.abs(high - low), 1e-12)
    inside = np.clip(start, low + 1e-6 * scale, high - 1e-6 * scale)
    optimum = least_squares(
        residuals, inside, bounds=(low, high), loss="soft_l1", x_scale=scale, xtol=precision, ftol=precision,
        max_nfev=400,
    )  # fmt: skip
    return np.asarray(optimum.x, dtype=float), float(optimum.cost)


def _clustered(residuals: Callable[[Floats], Floats], at: Floats, cell: Integers) -> Floats:
    """Return the covariance of parameters by leaving out one cell after the other; of one cell, one reading.

    The jackknife of clusters, each refit by one step of Newton's from the whole fit (known as CR3): with a dozen cells it
    does not claim too much, as sums over cells alone do.
    """
    jacobian, z = _derivatives(residuals, at), residuals(at)
    # First and second derivative of soft_l1: outliers count as in the fit.
    scores = (z / np.sqrt(1.0 + z * z))[:, None] * jacobian
    curvatures = ((1.0 + z * z) ** -1.5)[:, None, None] * jacobian[:, :, None] * jacobian[:, None, :]
    _, which = np.unique(cell, return_inverse=True)
    if which.max() == 0:
        which = np.arange(len(z))
    order = np.argsort(which, kind="stable")
    first = np.flatnonzero(np.diff(which[order], prepend=-1))
    score, curvature = (np.add.reduceat(one[order], first, axis=0) for one in (scores, curvatures))
    # In units in which the curvature is 1 in the diagonal, so that what is negligible is so for all parameters.
    whole = curvature.sum(axis=0)
    unit = 1.0 / np.sqrt(np.maximum(np.diag(whole), 1e-300))
    left = (whole - curvature) * unit[:, None] * unit
    moved = np.einsum("cij,cj->ci", np.linalg.pinv(left, rcond=1e-8, hermitian=True), score * unit) * unit
    count = len(first)
    covariance: Floats = (count - 1) / count * (moved.T @ moved)
    return covariance


def _derivatives(of: Callable[[Floats], Floats], at: Floats) -> Floats:
    """Return the derivatives of a vector by the parameters, (n, parameters), by central differences."""
    columns = []
    for number, value in enumerate(at):
        step = np.zeros(len(at))
        step[number] = 1e-5 * max(abs(float(value)), 1e-6)
        columns.append((of(at + step) - of(at - step)) / (2.0 * step[number]))
    return np.stack(columns, axis=1)
