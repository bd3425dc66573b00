"""Figures over the table of runs: a run is a row, its facts, parameters, results and formulas of them are the columns.

A `Figure` with ``table="runs"`` is drawn so, a layout's own too: ``Figure("cycles_by_rho", table="runs", x="forecast_rho",
y="cycles_to_goal", by="preset", kind="errorbars")``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mho.analysis.figures.over_runs.groups_of_runs import RunsOfGroup
from mho.analysis.figures.over_runs.reading import RunSample
from mho.analysis.figures.values.expressions import Formula, ValuesWithUnit, evaluate
from mho.analysis.figures.values.figure_data import AxisText, FigureData, PointGroup
from mho.analysis.grouping import Group, RunCard, resolve, value_of
from mho.analysis.reports.quantities import name_words
from mho.array_types import Floats
from mho.errors import InputError
from mho.runs.figures import COUNTS, RUNS, Figure
from mho.runs.units import converted

DECADES = 2.0  # span of positive numbers from which on an axis is logarithmic, where no figure says how


def table_figure(x: str, y: str, runs: Sequence[RunCard], formulas: Sequence[Formula]) -> Figure:
    """Return the figure of one column of the table of runs over another, or of how often one occurs.

    Raises `InputError`: no `x` is named, or a name is unknown.
    """
    if not x:
        raise InputError(
            f"--y {y} needs --x, the parameter or result that it is drawn over; or name a --figure"
        )
    if not y:
        return Figure(RUNS, kind="histogram", table=RUNS, x=x, title=_words(x))
    figure = Figure(RUNS, kind="errorbars", table=RUNS, x=x, y=y, title=f"{_words(y)} over {_words(x)}")
    columns = {name: _column(name, runs, formulas)[0] for name in (x, y)}
    return replace(figure, x_scale=_scale(columns[x]), y_scale=_scale(columns[y]))


def runs_of_groups(
    figure: Figure, runs: Sequence[RunCard], groups: Sequence[Group], formulas: Sequence[Formula] = ()
) -> list[RunsOfGroup]:
    """Return each group's points, one a run that has both numbers.

    Raises `InputError`: a name is unknown, has no numbers, or has units of several kinds.
    """
    names = figure.values or (figure.x,)
    columns = {name: _column(name, runs, formulas) for name in dict.fromkeys((figure.x, *names))}
    counted = figure.drawn_kind in COUNTS
    units = {columns[name][1] for name in names}
    x_axis = AxisText(_words(figure.x), columns[figure.x][1])
    y_axis = AxisText("runs")
    if not counted:
        y_axis = AxisText(", ".join(map(_words, names)), units.pop() if len(units) == 1 else "")
    result = []
    for group in groups:
        mine = np.array(group.runs, dtype=int)
        points = []
        for name in names:
            x, y = columns[figure.x][0][mine], columns[name][0][mine]
            known = np.isfinite(x) & np.isfinite(y)
            label = _words(name) if len(names) > 1 else ""
            points.append(PointGroup(label, x[known], np.empty(0) if counted else y[known]))
        count = max(len(one.x) for one in points)
        if not count:
            continue
        every = np.concatenate([one.x for one in points])
        whole = bool((every == np.round(every)).all()) and not x_axis.unit
        data = FigureData(group.label, tuple(points), x=x_axis, y=y_axis, counts=whole)
        unfinished = sum(not runs[place].finished for place in group.runs)
        result.append(RunsOfGroup(group.label, (RunSample(data, (1.0,) * len(points)),), unfinished, count))
    return result


def _column(name: str, runs: Sequence[RunCard], formulas: Sequence[Formula]) -> tuple[Floats, str]:
    """Return a number of every run, NaN where it has none, and the unit."""
    computed = {one.name: one for one in formulas}
    if name in computed:
        before = [one for one in formulas if one.name != name]
        needed = {need: ValuesWithUnit(*_column(need, runs, before)) for need in computed[name].needs}
        result = evaluate(computed[name], needed)
        return np.broadcast_to(result.values, (len(runs),)).copy(), result.unit
    known = resolve(name, runs)
    values, unit = np.full(len(runs), np.nan), None
    for place, run in enumerate(runs):
        quantity = value_of(run, known)
        if quantity is None or quantity.number is None:
            continue
        unit = quantity.unit if unit is None else unit
        number = converted(quantity.number, quantity.unit, unit)
        if number is None:
            raise InputError(
                f"{name} is in {unit or 'no unit'} in one run and in {quantity.unit or 'no unit'} in another"
            )
        values[place] = number
    if unit is None:
        raise InputError(f"{name} is no number in any run; group runs by it instead, --by {name}")
    return values, unit


def _scale(values: Floats) -> str:
    known = values[np.isfinite(values)]
    if known.size < 2 or not float(known.min()) > 0.0:
        return "linear"
    return "log" if float(np.log10(known.max() / known.min())) > DECADES else "linear"


def _words(name: str) -> str:
    prefix, dot, rest = name.partition(".")
    return name_words(rest if dot and prefix in ("parameter", "result") else name)
