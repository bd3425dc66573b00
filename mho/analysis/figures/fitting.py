"""The fits of a figure as marks: a dashed line, short numbers for the legend, all of them with intervals for below.

Curves are fitted by least squares where they are straight: ``linear`` y = a + b x; ``log`` y = a + b log10 x; ``exp``
y = a exp(b x), ``power`` y = a x**b and ``arrhenius`` y = a exp(-b / (k T)) in the logarithm of y, so that the error is
relative. Intervals are Student's, R^2 is that of what was fitted (Draper and Smith, "Applied Regression Analysis", ch. 1).
Points that bend away from the line, by the F test of a squared term, have no interval: the law is not theirs.

Distributions are fitted by maximum likelihood: ``weibull`` 1 - exp(-(x / scale)**shape), ``lognormal`` by mean and
deviation of ln x. Goodness is the Anderson-Darling A^2 for estimated numbers with its p (D'Agostino and Stephens,
"Goodness-of-Fit Techniques", tables 4.9 and 4.17; p of the Weibull by MIL-HDBK-5): a p below 0.05 speaks against the law.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc, ndtr, stdtrit

from mho.analysis.figures.marks import Mark
from mho.analysis.figures.values.figure_data import AxisText
from mho.analysis.figures.values.statistics import normal_quantile
from mho.analysis.reports.quantities import handy_unit
from mho.array_types import Floats
from mho.confidence import freedom_interval, likelihood_drop, profile_interval
from mho.runs.figures import DISTRIBUTION_FITS, PROBABILITY, Figure, fit_kind

BOLTZMANN = 8.617333262e-5  # Boltzmann's constant, eV/K (CODATA 2018, exact)
FEWEST_POINTS, FEWEST_VALUES = 3, 8
"""Points of a curve, and values of a distribution, from which on numbers have intervals, and a law is judged."""

FEWEST_BENT, BENT = 6, 0.01
"""Points from which on a bend is told, and the p value below which a law's numbers have no interval."""

UPPER = 0.975  # quantile at the upper end of a 95 % interval


class CurveLaw(NamedTuple):
    """What the two numbers of a curve are called, where its points are straight, and the curve that they make."""

    numbers: tuple[str, str]
    place: Callable[[Floats], Floats]
    curve: Callable[[float, float, Floats], Floats]


CURVE_LAWS = {
    "linear": CurveLaw(("at 0", "slope"), lambda x: x, lambda a, b, x: a + b * x),
    "log": CurveLaw(("at 1", "a decade"), np.log10, lambda a, b, x: a + b * np.log10(x)),
    "power": CurveLaw(("at 1", "power"), np.log, lambda a, b, x: a * x**b),
    "exp": CurveLaw(("at 0", "rate"), lambda x: x, lambda a, b, x: a * np.exp(b * x)),
    "arrhenius": CurveLaw(
        ("A", "Ea"), lambda x: -1.0 / (BOLTZMANN * x), lambda a, b, x: a * np.exp(-b / (BOLTZMANN * x))
    ),
}


@dataclass(frozen=True)
class Number:
    """A number of a fit with its 95 % interval; NaN ends where there are too few points."""

    name: str
    value: float
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class Fit:
    """A fitted curve or distribution."""

    kind: str  # one of `mho.runs.figures.FITS`
    # Two: value at 0 (or at 1) and slope, power, value a decade or rate; A and the activation energy, eV;
    # scale and shape; median and deviation of ln x
    numbers: tuple[Number, Number]
    count: int  # points, or values
    r_squared: float = np.nan  # of a curve; NaN of a distribution, and where it has no meaning
    a_squared: float = np.nan  # Anderson and Darling's, of a distribution
    # Of a distribution that of A^2; of a curve, that its points lie along it and do not bend. NaN of too few
    p: float = np.nan

    @property
    def a(self) -> float:
        """The first number."""
        return self.numbers[0].value

    @property
    def b(self) -> float:
        """The second number."""
        return self.numbers[1].value

    def __call__(self, x: Floats) -> Floats:
        """Return the curve, or the share of a distribution up to x."""
        with np.errstate(all="ignore"):
            if self.kind in CURVE_LAWS:
                return np.asarray(CURVE_LAWS[self.kind].curve(self.a, self.b, x))
            if self.kind == "weibull":
                return np.asarray(-np.expm1(-((np.maximum(x, 0.0) / self.a) ** self.b)))
            return np.asarray(ndtr(np.log(np.maximum(x, 0.0) / self.a) / self.b))


@dataclass(frozen=True)
class NotFitted:
    """The reason why there is no fit."""

    reason: str


@np.errstate(all="ignore")
def fit_curve(kind: str, x: Floats, y: Floats) -> Fit | NotFitted:
    """Fit a curve, by its present or former name, to the points (n,) that it can go through; x of ``arrhenius`` is in K."""
    kind = fit_kind(kind)
    log_x, log_y = kind in ("power", "log"), kind in ("power", "exp", "arrhenius")
    known = np.isfinite(x) & np.isfinite(y)
    known &= ((x > 0.0) | (not (log_x or kind == "arrhenius"))) & ((y > 0.0) | (not log_y))
    x, y = x[known], y[known]
    values, places = np.log(y) if log_y else y, CURVE_LAWS[kind].place(x)
    if len(places) < 2:
        return NotFitted(f"{len(places)} points that it can go through")
    if not np.ptp(places) > 0.0:
        return NotFitted("all points lie at one x")
    return _straight(kind, places, values, log_y=log_y)


def _straight(kind: str, places: Floats, values: Floats, *, log_y: bool) -> Fit | NotFitted:
    count = len(places)
    middle, centre = float(places.mean()), float(values.mean())
    with np.errstate(all="ignore"):
        offset = places - middle
        scale = float(np.abs(offset).max())  # squares of very small or large numbers are no numbers any more
        unit = offset / scale
        across = float(unit @ unit)
        slope = float(unit @ (values - centre) / across / scale)
        level = centre - slope * middle
        left = values - (level + slope * places)
        size = float(np.abs(values - centre).max()) or 1.0
        rest = float((left / size) @ (left / size))
        whole = float(((values - centre) / size) @ ((values - centre) / size))
        r_squared = 1.0 - rest / whole if whole > 0.0 else np.nan
        reach = np.array([np.nan, np.nan])
        p = _bend_p(unit, left / size, r_squared) if count >= FEWEST_BENT else np.nan
        if count >= FEWEST_POINTS and not p < BENT:
            deviation = size * np.sqrt(rest / (count - 2))
            of_level = np.sqrt(1.0 / count + (middle / scale) ** 2 / across)
            of_both = np.array([of_level, 1.0 / scale / np.sqrt(across)])
            reach = float(stdtrit(count - 2, UPPER)) * deviation * of_both
        ends = level + np.array([0.0, -reach[0], reach[0]])
        ends = np.exp(ends) if log_y else ends
        a, low, high = (float(end) for end in ends)
    if not (np.isfinite(a) and np.isfinite(slope)):
        return NotFitted("its numbers are beyond any size")
    first, second = CURVE_LAWS[kind].numbers
    half = float(reach[1])
    numbers = Number(first, a, low, high), Number(second, slope, slope - half, slope + half)
    return Fit(kind, numbers, count, r_squared, p=p)


def _bend_p(x: Floats, left: Floats, r_squared: float) -> float:
    """Return the p value of what a line left of points at centred places `x`, against a bend: the F test of x squared."""
    if not r_squared < 1.0 - 1e-12:  # rounding bends, too
        return np.nan
    base = np.linalg.qr(np.stack((np.ones(len(x)), x), axis=1))[0]
    bend = x**2 - base @ (base.T @ x**2)
    size, freedom = float(bend @ bend), len(x) - 3
    if not size > 1e-12:
        return np.nan
    taken = float(bend @ left) ** 2 / size
    rest = float(left @ left) - taken
    return float(fdtrc(1.0, freedom, taken * freedom / rest)) if rest > 0.0 else 0.0


@np.errstate(all="ignore")
def fit_distribution(kind: str, values: Floats) -> Fit | NotFitted:
    """Fit a law of positive values by maximum likelihood."""
    known = values[np.isfinite(values)]
    if known.size < FEWEST_VALUES:
        return NotFitted(f"{known.size} values, {FEWEST_VALUES} are needed")
    if not bool((known > 0.0).all()):
        return NotFitted(f"{int((known <= 0.0).sum())} of {known.size} values are not above 0")
    logs = np.log(known)
    if not float(np.ptp(logs)) > 1e-9:
        return NotFitted("all values are the same")
    fit = _weibull(known, logs) if fit_kind(kind) == "weibull" else _lognormal(logs)
    if isinstance(fit, NotFitted):
        return fit
    a_squared = _anderson_darling(fit(np.sort(known)))
    return replace(fit, a_squared=a_squared, p=_p_value(fit.kind, a_squared, known.size))


def _lognormal(logs: Floats) -> Fit:
    count = logs.size
    mean, deviation = float(logs.mean()), float(logs.std(ddof=1))
    reach = float(stdtrit(count - 1, UPPER)) * deviation / np.sqrt(count)
    low, high = (float(end) for end in freedom_interval(deviation**2, count - 1))
    median = Number("median", *(float(np.exp(one)) for one in (mean, mean - reach, mean + reach)))
    return Fit("lognormal", (median, Number("sigma of ln", deviation, low, high)), count)


def _weibull(values: Floats, logs: Floats) -> Fit | NotFitted:
    """Fit scale and shape: the shape solves one equation (Lawless, "Statistical Models for Lifetime Data", 5.1)."""
    from scipy.optimize import brentq  # a second of CPU, which a figure without a fit does not pay

    count, mean, largest = values.size, float(logs.mean()), float(logs.max())

    def score(shape: float) -> float:
        weights = np.exp(shape * (logs - largest))
        return float(weights @ logs / weights.sum() - 1.0 / shape - mean)

    start = 1.2 / float(logs.std())
    low, high = start / 50.0, start * 50.0
    if not (score(low) < 0.0 < score(high)):
        return NotFitted("its shape is not determined")
    shape, result = brentq(score, low, high, full_output=True, disp=False)
    if not result.converged:
        return NotFitted("the search for its shape did not converge")
    scale = float(np.exp(largest + np.log(np.mean(np.exp(shape * (logs - largest)))) / shape))

    def cost(place: Floats) -> float:
        z = np.exp(place[1]) * (logs - place[0])
        return float(np.exp(z).sum() - z.sum() - count * place[1])

    place, drop = np.array([np.log(scale), np.log(shape)]), likelihood_drop(count)
    first, second = (
        Number(name, value, *(float(np.exp(end)) for end in profile_interval(cost, place, axis, drop)))
        for name, value, axis in (("scale", scale, 0), ("shape", float(shape), 1))
    )
    return Fit("weibull", (first, second), count)


def _anderson_darling(shares: Floats) -> float:
    """Return A^2 of the shares that a law gives the ordered values."""
    count = shares.size
    clear = np.clip(shares, 1e-300, 1.0 - 1e-16)
    rank = 2.0 * np.arange(count) + 1.0
    return float(-count - (rank * (np.log(clear) + np.log1p(-clear[::-1]))).mean())


def _p_value(kind: str, a_squared: float, count: int) -> float:
    if kind == "weibull":
        a = a_squared * (1.0 + 0.2 / np.sqrt(count))
        return float(1.0 / (1.0 + np.exp(-0.1 + 1.24 * np.log(max(a, 1e-12)) + 4.48 * a)))
    a = a_squared * (1.0 + 0.75 / count + 2.25 / count**2)
    if a < 0.2:
        return float(1.0 - np.exp(-13.436 + 101.14 * a - 223.73 * a**2))
    if a < 0.34:
        return float(1.0 - np.exp(-8.318 + 42.796 * a - 59.938 * a**2))
    if a < 0.6:
        return float(np.exp(0.9177 - 4.279 * a - 1.38 * a**2))
    return float(np.exp(1.2937 - 5.709 * a + 0.0186 * a**2)) if a < 13.0 else 0.0


def in_words(fit: Fit, units: Sequence[str], factors: Sequence[float] = (1.0, 1.0)) -> str:
    """Return the numbers with intervals and the goodness as a sentence; units and factors of the two numbers."""
    parts = []
    for one, unit, factor in zip(fit.numbers, units, factors, strict=True):
        value, low, high = (factor * end for end in (one.value, one.low, one.high))
        interval = f" ({low:.4g} to {high:.4g})" if np.isfinite(low) and np.isfinite(high) else ""
        parts.append(f"{one.name} {value:.4g}{interval} {unit}".rstrip())
    if np.isfinite(fit.r_squared):
        parts.append(f"R² {fit.r_squared:.4f}")
    if fit.p < BENT and fit.kind not in DISTRIBUTION_FITS:
        parts.append(f"the points bend away from it (p {fit.p:.1g}): no intervals")
    if np.isfinite(fit.a_squared):
        parts.append(f"Anderson-Darling A² {fit.a_squared:.3g}, p {fit.p:.2g}")
    what = "values" if fit.kind in DISTRIBUTION_FITS else "points"
    return f"{', '.join(parts)}, {fit.count} {what}"


PLACES = 200  # points of a fitted line
CELSIUS = ("°C", "degC", "celsius")


@dataclass(frozen=True)
class Fitted:
    """A fit of one curve: its mark, and what is said in the legend and below; or why there is none."""

    line: Mark | None = None
    short: str = ""
    full: str = ""
    missing: str = ""


def fitted_curve(figure: Figure, x_axis: AxisText, y_axis: AxisText, curve: Mark) -> Fitted:
    """Fit a curve or points as the figure says."""
    kind = fit_kind(figure.fit)
    x = curve.x
    if kind == "arrhenius":
        if x_axis.unit in CELSIUS:
            x = x + 273.15
        elif x_axis.unit != "K":
            unit = x_axis.unit or "no unit"
            return Fitted(missing=f"an Arrhenius fit is over a temperature in K, and x is in {unit}")
    fit = fit_curve(kind, x, curve.y)
    if isinstance(fit, NotFitted):
        return Fitted(missing=fit.reason)
    known = curve.x[np.isfinite(curve.x) & np.isfinite(curve.y)]
    if kind in ("power", "log"):
        known = known[known > 0.0]
    low, high = float(known.min()), float(known.max())
    spaced = np.geomspace if figure.x_scale == "log" and low > 0.0 else np.linspace
    places = np.asarray(spaced(low, high, PLACES), dtype=float)
    y = fit(places + 273.15 if kind == "arrhenius" and x_axis.unit in CELSIUS else places)
    line = Mark("line", "", places, y, curve.colour, dash="dash", front=False)
    factor, unit = handy_unit(y_axis.unit)
    per = f" / {x_axis.unit}" * bool(x_axis.unit)
    second = {"arrhenius": ("eV", 1.0), "power": ("", 1.0), "log": (unit, factor), "exp": (per.lstrip(), 1.0)}
    of_second, by = second.get(fit.kind, (unit + per, factor))
    return Fitted(line, _short(fit, x_axis, factor, unit), in_words(fit, (unit, of_second), (factor, by)))


def fitted_counts(
    figure: Figure, x_axis: AxisText, values: Floats, style: Mark, edges: Floats | None = None
) -> Fitted:
    """Fit the law of values that a histogram (with its `edges`) or a distribution shows."""
    fit = fit_distribution(figure.fit, values)
    if isinstance(fit, NotFitted):
        return Fitted(missing=fit.reason)
    factor, unit = handy_unit(x_axis.unit)
    full = in_words(fit, (unit, ""), (factor, 1.0))
    first, second = fit.numbers
    short = f"{first.name} {factor * first.value:.3g} {unit}".rstrip() + f", {second.name} {second.value:.3g}"
    style = replace(style, label="", marker="", dash="dash", front=False, opacity=1.0, low=None, high=None)
    if edges is not None:
        counts = values[np.isfinite(values)].size * np.diff(fit(edges))
        steps = replace(style, shape="steps", x=edges, y=np.append(counts, counts[-1:]))
        return Fitted(steps, short, full)
    known = values[np.isfinite(values)]
    x = np.geomspace(float(known.min()), float(known.max()), PLACES)
    shares = fit(x)
    if figure.y_scale == PROBABILITY:
        with np.errstate(all="ignore"):
            shares = normal_quantile(shares)
    return Fitted(replace(style, shape="line", x=x, y=shares), short, full)


def _short(fit: Fit, x: AxisText, factor: float, unit: str) -> str:
    of = f" {unit}" if unit else ""
    per = f" / {x.unit}" if x.unit else ""
    match fit.kind:
        case "arrhenius":
            return f"Ea {fit.b:.3g} eV, A {factor * fit.a:.3g}{of}"
        case "power":
            text = f"power {fit.b:.3g}"
        case "log":
            text = f"{factor * fit.b:+.3g}{of} a decade"
        case "exp":
            text = f"rate {fit.b:.3g}{per}"
        case _:
            text = f"slope {factor * fit.b:.3g}{of}{per}"
    place = "1" if fit.kind in ("power", "log") else "0"
    return f"{text}, {factor * fit.a:.3g}{of} at {place}" + f" {x.unit}" * bool(x.unit)
