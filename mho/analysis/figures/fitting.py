"""The fits of a figure as marks: a dashed line, short numbers for the legend, all of them with intervals for below."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mho.analysis.figures.marks import Mark
from mho.analysis.figures.values.figure_data import AxisText
from mho.analysis.figures.values.statistics import normal_quantile
from mho.analysis.reports.quantities import handy_unit
from mho.runs.figures import PROBABILITY, Figure, fit_kind

if TYPE_CHECKING:
    from mho.analysis.figures.values.fits import Fit

Floats = NDArray[np.float64]

PLACES = 200
"""Points of a fitted line."""

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
    from mho.analysis.figures.values.fits import (
        NotFitted,
        fit_curve,
    )  # loads slowly, and most figures have no fit

    kind = fit_kind(figure.fit)
    x = curve.x
    if kind == "arrhenius":
        if x_axis.unit in CELSIUS:
            x = x + 273.15
        elif x_axis.unit != "K":
            return Fitted(
                missing=f"an Arrhenius fit is over a temperature in K, and x is in {x_axis.unit or 'no unit'}"
            )
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
    return Fitted(line, _short(fit, x_axis, factor, unit), _full(fit, x_axis, factor, unit))


def fitted_counts(
    figure: Figure, x_axis: AxisText, values: Floats, style: Mark, edges: Floats | None = None
) -> Fitted:
    """Fit the law of values that a histogram (with its `edges`) or a distribution shows."""
    from mho.analysis.figures.values.fits import NotFitted, fit_distribution, in_words

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
            said = f"power {fit.b:.3g}"
        case "log":
            said = f"{factor * fit.b:+.3g}{of} a decade"
        case "exp":
            said = f"rate {fit.b:.3g}{per}"
        case _:
            said = f"slope {factor * fit.b:.3g}{of}{per}"
    place = "1" if fit.kind in ("power", "log") else "0"
    return f"{said}, {factor * fit.a:.3g}{of} at {place}" + f" {x.unit}" * bool(x.unit)


def _full(fit: Fit, x: AxisText, factor: float, unit: str) -> str:
    from mho.analysis.figures.values.fits import in_words

    slope = {
        "arrhenius": ("eV", 1.0),
        "power": ("", 1.0),
        "log": (unit, factor),
        "exp": (f"/ {x.unit}" if x.unit else "", 1.0),
    }.get(fit.kind, (f"{unit} / {x.unit}" if x.unit else unit, factor))
    return in_words(fit, (unit, slope[0]), (factor, slope[1]))
