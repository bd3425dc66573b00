"""The reference lines of a figure: numbers that are given, or named and found in the runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mho.analysis import palette
from mho.analysis.figures.marks import Mark, ReferenceLevel
from mho.analysis.figures.values.figure_data import FigureData, PointGroup
from mho.analysis.figures.values.statistics import normal_quantile, quartiles
from mho.array_types import Floats
from mho.escaping import visible
from mho.runs.figures import PROBABILITY, Figure, ReferenceLine

REFERENCE_MARKERS = ("diamond", "triangle", "square")
SMALLEST, LARGEST = 1e-100, 1e100
"""Numbers nearer to 0 count as 0, larger ones as none: arithmetic of axes needs room beyond them."""

AGREEMENT = 0.1  # numbers of several runs agree when their quartiles lie within this share of the median


def references(figure: Figure, runs: Sequence[FigureData]) -> list[Mark]:
    """Return lines that fall or rise by a constant factor, or by a power of x, over the whole range."""
    every = np.concatenate(
        [_known(group) for run in runs for group in run.groups] + [[(figure.start or (0.0,))[0]]]
    )
    known = every[np.isfinite(every)]
    if figure.x_scale == "log":
        known = known[known > 0.0]
        x = np.geomspace(float(known.min(initial=np.inf)), float(known.max()), 200) if known.size else known
    else:
        straight = figure.y_scale == "log" and all(line.power is None for line in figure.lines)
        x = np.linspace(float(known.min(initial=0.0)), float(known.max(initial=0.0)), 2 if straight else 200)
    marks = []
    for line in figure.lines:
        level, ratio = number(line.y, runs), number(line.ratio, runs)
        if level is None:
            continue
        with np.errstate(all="ignore"):
            if line.power is not None:
                source, value, y = line.y, level, level * x**line.power
            elif ratio is not None and ratio >= 0.0:
                source, value, y = line.ratio, ratio, level * ratio**x
            else:
                continue
        named = isinstance(source, str)
        colour, dash = (palette.FORECAST, "dash-dot") if named else (palette.IDEAL, "dash")
        y = np.where((y > 0.0) | (figure.y_scale != "log"), bounded(y), np.nan)
        marks.append(Mark("line", _named(line, source, value), x, y, colour, dash=dash, front=False))
    return [*marks, *_points(figure)]


def _points(figure: Figure) -> list[Mark]:
    """Return points to compare with, those that the axes can show; each set has a marker of its own."""
    marks = []
    for number, given in enumerate(figure.points):
        x, y = bounded(np.array(given.x)), bounded(np.array(given.y))
        shown = ((x > 0.0) | (figure.x_scale != "log")) & ((y > 0.0) | (figure.y_scale != "log"))
        if shown.any():
            marker = REFERENCE_MARKERS[number % len(REFERENCE_MARKERS)]
            marks.append(Mark("points", given.label, x[shown], y[shown], palette.INK, marker=marker))
    return marks


def _known(group: PointGroup) -> Floats:
    """Return the places at which a curve has a value, or the values that are counted."""
    return group.x[np.isfinite(group.y)] if group.y.shape == group.x.shape else group.x


def levels(figure: Figure, runs: Sequence[FigureData]) -> tuple[ReferenceLevel, ...]:
    """Return horizontal and vertical lines whose places are known."""
    result = []
    for line in figure.lines:
        if line.ratio is not None or line.power is not None:
            continue
        place = number(line.y if line.x is None else line.x, runs)
        scale = figure.x_scale if line.y is None else figure.y_scale
        if place is None or not abs(place) < LARGEST or (scale == "log" and place <= 0.0):
            continue
        if line.x is None and figure.y_scale == PROBABILITY:
            place = float(normal_quantile(np.array([place]))[0])
        label = visible(_named(line, line.y if line.x is None else line.x, place), lines=False)
        result.append(ReferenceLevel(label, y=place) if line.x is None else ReferenceLevel(label, x=place))
    return tuple(result)


def number(given: float | str | None, runs: Sequence[FigureData]) -> float | None:
    """Return a number of a reference line; of one that is named the runs' median, where all have one and they agree."""
    if not isinstance(given, str):
        return None if given is None else float(given)
    result = [(run.numbers or {}).get(given) for run in runs]
    if len(result) == 1:
        return result[0]
    known = np.array([one for one in result if one is not None])
    if not known.size or known.size < len(result):
        return None
    low, middle, high = quartiles(known)
    return middle if high - low <= AGREEMENT * abs(middle) else None


def bounded(values: Floats) -> Floats:
    """Return values without those that are too large for an axis; those too near to 0 are 0."""
    known = np.where(np.abs(values) < LARGEST, values, np.nan)
    return np.where(np.abs(known) < SMALLEST, 0.0, known)


def _named(line: ReferenceLine, given: float | str | None, value: float) -> str:
    return f"{line.label or given} = {value:.3g}" if isinstance(given, str) else line.label
