"""A plot of a run's table as the user wants it: columns or formulas over each other, kept as text, read and composed.

It is a declared figure (`mho.runs.Figure`) with formulas for columns, so that every renderer draws it. It does not use Qt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mho.analysis import palette
from mho.analysis.figures import (
    AxisText,
    Drawing,
    FigureData,
    Formula,
    Mark,
    compose,
    figure_of_table,
    gather,
    parse_expression,
)
from mho.analysis.reports import handy_unit
from mho.array_types import Floats
from mho.errors import InputError, RunFileError
from mho.runs import Figure, RunFile
from mho.runs.figures import COUNTS, figures_from_text, figures_text

NAME = "own"
"""Of a figure that the user makes."""

SHADES = 32
"""Colours of a column of many values."""

MOST_POINTS = 20_000
"""Points of a plot with a column as colour."""

WIDE = 100.0
"""Ratio of largest to smallest from which on positive numbers without a unit begin on a logarithmic axis."""


@dataclass(frozen=True)
class Plot:
    """A figure, the formulas among its columns, and the column or formula by which its points are coloured."""

    figure: Figure
    formulas: tuple[Formula, ...] = ()
    colour: str = ""

    @property
    def text(self) -> str:
        """The plot as JSON, which `plot_from_text` reads."""
        formulas = [one.text for one in self.formulas]
        return json.dumps(
            {"figure": figures_text([self.figure]), "formulas": formulas, "colour": self.colour}
        )


NO_AXIS = AxisText("")


@dataclass(frozen=True)
class PlotData:
    """What a plot shows of one run; `colour` (n,) holds the values by which its points are coloured."""

    data: FigureData
    colour: Floats | None = None
    colour_axis: AxisText = NO_AXIS


def plot_from_text(text: str) -> Plot:
    """Return the plot that `Plot.text` wrote; `InputError` where it is none."""
    try:
        stored = json.loads(text)
        (figure,) = figures_from_text(stored["figure"])
        formulas = tuple(parse_expression(one) for one in stored["formulas"])
        return Plot(figure, formulas, str(stored["colour"]))
    except (ValueError, KeyError, TypeError, AttributeError, RunFileError) as error:
        raise InputError(f"a kept plot cannot be read ({error}); remove it, and keep it anew") from None


def make_plot(
    columns: Sequence[str],
    table: str,
    *,
    x: str = "",
    y: str = "",
    by: Sequence[str] = (),
    colour: str = "",
    kind: str = "lines",
    scales: tuple[str, str] = ("linear", "linear"),
    fit: str = "",
    like: Figure | None = None,
) -> Plot:
    """Return the plot that is written in some fields.

    Parameters
    ----------
    columns : sequence of str
        Those of the table.
    table : str
    x, y, colour : str
        A column or a formula, "" for none; `y` also several with commas between them. Of a histogram or distribution, `y`
        is what it is of.
    by : sequence of str
        Columns that tell curves apart.
    kind, fit : str
        As of `mho.runs.Figure`.
    scales : (x, y)
        ``linear`` or ``log``.
    like : Figure, optional
        A figure whose reference lines, points and bands are taken over where the axes are the same.

    Raises
    ------
    InputError
        A formula is none, or the parts do not go together.
    """
    values = split_outside_brackets(y)
    if not values:
        raise InputError("name a column or a formula for y")
    if colour and by:
        raise InputError("colour and curves both tell points apart; choose one of them")
    if colour and (kind in COUNTS or kind == "errorbars"):
        raise InputError("a column as colour needs points; choose points, or no colour")
    names = {name: _formula(name, columns) for name in filter(None, (x.strip(), *values, colour.strip()))}
    counts = kind in COUNTS
    if counts and len(values) > 1:
        raise InputError(f"a {kind} is that of one column, and y names {len(values)}")
    axes = (values[0], ()) if counts else (x.strip(), tuple(values) if len(values) > 1 else values[0])
    kind = "scatter" if colour else kind
    of = values[0] if counts else f"{', '.join(values)} over {x.strip() or 'the row'}"
    try:
        figure = Figure(
            NAME, title=of[:200], kind=kind, table=table, x=axes[0], y=axes[1], by=tuple(by),
            x_scale=scales[0], y_scale=scales[1], fit=fit,
        )  # fmt: skip
        if like is not None and _same_axes(figure, like):
            parts = {name: getattr(like, name) for name in ("lines", "bands", "points", "start")}
            figure = replace(figure, **parts)
    except RunFileError as error:
        raise InputError(said_of_own(error)) from None
    return Plot(figure, tuple(one for one in names.values() if one is not None), colour.strip())


def _formula(name: str, columns: Sequence[str]) -> Formula | None:
    return None if name in columns else parse_expression(name)


def _same_axes(figure: Figure, other: Figure) -> bool:
    mine, its = ((one.table, one.drawn_kind, one.x, one.values) for one in (figure, other))
    return mine == its


def said_of_own(error: Exception) -> str:
    """Return what is wrong with a figure without the name that the user has not given it."""
    return str(error).replace(f"figure {NAME!r}: ", "").replace(f"figure {NAME!r}", "the plot")


def split_outside_brackets(text: str) -> list[str]:
    """Return the parts of a text between commas that stand in no brackets: ``a, min(b, c)`` has two."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def first_plot(run: RunFile, table: str) -> Plot:
    """Return the plot with which a table begins: as its procedure declared it; errors as `read_plot`."""
    figure = replace(figure_of_table(run, table), name=NAME)
    columns = run.drawable.tables[table]
    (signal,) = figure.values
    if (
        columns[signal][1] and not figure.x
    ):  # a file names no axis of a waveform: its times are taken, if there are any
        units = run.units(table)
        times = [one for one, kind in columns.items() if units[one] == "s" and kind == columns[signal]]
        figure = replace(figure, x=next((one for one in times if one != signal), ""))
    if run.length(table) and _begins_on_log(gather(run, figure, 1_000), by=bool(figure.groups)):
        figure = replace(figure, y_scale="log")
    return Plot(figure)


def _begins_on_log(data: FigureData, *, by: bool) -> bool:
    """Return whether a logarithmic axis is preferable: for I-V curves, and for errors that fall by powers of ten."""
    if by:
        return data.y.unit == "A"
    values = np.concatenate([np.empty(0), *(group.y for group in data.groups)])
    known = values[np.isfinite(values)]
    return bool(known.size and not data.y.unit and known.min() > 0.0 and known.max() > WIDE * known.min())


def read_plot(run: RunFile, plot: Plot, newest: int) -> PlotData:
    """Read what a plot shows of a run, of its table the `newest` rows.

    Raises `RunFileError`: the file is damaged, or lacks what is shown; `InputError`: a formula cannot be evaluated.
    """
    figure = plot.figure
    try:
        if not plot.colour:
            return PlotData(gather(run, figure, newest, plot.formulas))
        several = replace(figure, y=(*figure.values, plot.colour), fit="")
        data = gather(run, several, newest, plot.formulas)
        if data.nothing:
            return PlotData(data)
        axes, colour = (
            gather(run, replace(figure, y=y, fit=""), 1, plot.formulas) for y in (figure.y, plot.colour)
        )
    except RunFileError as error:
        raise RunFileError(said_of_own(error)) from error
    if len(data.groups) != len(figure.values) + 1:
        raise InputError(f"{figure.y} has several values a row, which no colour tells apart")
    *groups, last = data.groups
    labelled = len(groups) > 1
    named = tuple(replace(one, label=one.label if labelled else "") for one in groups)
    return PlotData(replace(data, groups=named, y=axes.y), last.y, colour.y)


def compose_plot(plot: Plot, runs: Sequence[PlotData]) -> Drawing:
    """Return the drawing of a plot of a run, or of several in the same axes, which are told apart by their colours."""
    drawing = compose(plot.figure, [one.data for one in runs])
    if len(runs) == 1 and runs[0].colour is not None and not drawing.nothing:
        drawing = _coloured(drawing, runs[0])
    return drawing


def _coloured(drawing: Drawing, shown: PlotData) -> Drawing:
    """Colour the points of a drawing by the values of a column; fits and references stay."""
    assert shown.colour is not None
    groups = shown.data.groups
    x, y = (np.concatenate([getattr(one, axis) for one in groups]) for axis in "xy")
    values = np.tile(shown.colour, len(groups))
    x = np.abs(x) if drawing.x_scale == "log" else x
    y = np.abs(y) if drawing.y_scale == "log" else y
    known = np.isfinite(x) & np.isfinite(y) & np.isfinite(values)
    x, y, values = x[known], y[known], values[known]
    others = tuple(mark for mark in drawing.marks if mark.shape != "points")
    if not len(values):
        return replace(drawing, marks=others, note=f"{shown.colour_axis.name} has no numbers")
    step = -(-len(values) // MOST_POINTS)
    x, y, values = x[::step], y[::step], values[::step]
    places, labels = _shades(values, shown.colour_axis)
    top = max(labels)
    marks = [
        Mark(
            "points",
            labels[place],
            x[places == place],
            y[places == place],
            palette.along(place / max(top, 1)),
        )
        for place in sorted(labels)
    ]
    return replace(drawing, marks=(*marks, *others))


def _shades(values: Floats, axis: AxisText) -> tuple[Floats, dict[int, str]]:
    """Return the shade of each value (n,), and what the legend calls each shade that is there."""
    factor, unit = handy_unit(axis.unit)

    def said(value: float) -> str:
        return f"{axis.name} {factor * value:.3g} {unit}".rstrip()

    distinct, which = np.unique(values, return_inverse=True)
    if len(distinct) <= len(palette.SERIES):
        return which.ravel().astype(float), {
            place: said(value) for place, value in enumerate(distinct.tolist())
        }
    low, high = float(distinct[0]), float(distinct[-1])
    log = low > 0.0 and high > WIDE * low
    shares = np.log(values / low) / np.log(high / low) if log else (values - low) / (high - low)
    places = np.minimum((shares * SHADES).astype(int), SHADES - 1)
    told = {0: low, SHADES // 2: low * (high / low) ** 0.5 if log else 0.5 * (low + high), SHADES - 1: high}
    there = {*np.unique(places).tolist(), *told}
    return places.astype(float), {place: said(told[place]) if place in told else "" for place in there}
