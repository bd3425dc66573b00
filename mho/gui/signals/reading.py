"""Curves from the tables of a run file: the newest rows of a column over another, as one curve or, where the table
declares a column that separates its curves, as several; or the newest waveforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.reports import name_words
from mho.array_types import Floats
from mho.runs import RunFile

Curve = tuple[Floats, Floats]

ROW = ""
"""Name of the axis that is the row's number, or a waveform's sample."""

MOST_WAVEFORMS = 8
"""Rows of a waveform column that are shown, the newest."""

MOST_SERIES = 8
"""Curves of a table of several that are shown, the newest: as many as there are colours."""

WIDE = 100.0
"""Ratio of largest to smallest from which on positive numbers without a unit are shown on a logarithmic axis."""


@dataclass(frozen=True)
class CurveChoice:
    """Choice of curves: column `signal` of `table` over column `axis` (`ROW` for none), the newest `rows` rows."""

    table: str
    signal: str
    axis: str
    rows: int


@dataclass(frozen=True)
class Curves:
    """Curves of one run, the newest last.

    Attributes
    ----------
    signal, axis : str
        What is shown, and over what, in words.
    unit, axis_unit : str
        Those of the file.
    curves : tuple of (axis, signal)
    names : tuple of str
        What each curve is called; empty where there is only one thing to see.
    counts : bool
        Whether the axis counts: it has whole numbers only.
    """

    signal: str
    unit: str
    axis: str
    axis_unit: str
    curves: tuple[Curve, ...]
    names: tuple[str, ...] = ()
    counts: bool = False

    @property
    def wants_log(self) -> bool:
        """Return whether a logarithmic axis is preferable: for I-V curves, and for errors that fall by powers of ten."""
        if self.names:
            return self.unit == "A"
        values = np.concatenate([values for _, values in self.curves]) if self.curves else np.empty(0)
        known = values[np.isfinite(values)]
        return bool(known.size and not self.unit and known.min() > 0.0 and known.max() > WIDE * known.min())


@dataclass(frozen=True)
class TableOffer:
    """Columns of a table that can be shown, by their shape per row, () for one number."""

    columns: dict[str, tuple[int, ...]]
    signal: str
    axis: str

    def axes_for(self, signal: str) -> list[str]:
        """Return the columns over which `signal` can be shown, `ROW` among them."""
        shape = self.columns.get(signal)
        return [ROW, *(name for name, other in self.columns.items() if other == shape and name != signal)]


def read_offer(run: RunFile, table: str) -> TableOffer:
    """Return the columns of numbers of a table, and which are plotted unless the user wants others.

    RunFileError is raised for a damaged file, or one that has no such table.
    """
    length = run.length(table)
    shapes: dict[str, tuple[int, ...]] = {}
    for name in run.units(table):
        nothing = run.column(table, name, length)  # no rows, but their type and shape
        if nothing.dtype.kind in "iufb" and nothing.ndim <= 2:
            shapes[name] = nothing.shape[1:]
    signal, axis = run.plotted(table)
    if signal not in shapes:
        signal = next(iter(shapes), "")
    if shapes.get(signal):  # a file names no axis of a waveform: its times are taken, if there are any
        units = run.units(table)
        times = [one for one, shape in shapes.items() if units[one] == "s" and shape == shapes[signal]]
        axis = next((one for one in times if one != signal), ROW)
    elif shapes.get(axis) != ():
        axis = ROW
    return TableOffer(shapes, signal, axis)


def read_curves(run: RunFile, choice: CurveChoice) -> Curves:
    """Return the curves that are wanted; errors as `read_offer`."""
    units = run.units(choice.table)
    length = run.length(choice.table)
    start = max(0, length - choice.rows)
    series, names = run.series(choice.table), tuple[str, ...]()
    if run.column(choice.table, choice.signal, length).ndim == 2:
        unnamed = "sample"
        curves = _waveforms(run, choice, max(start, length - MOST_WAVEFORMS))
    else:
        unnamed = "row"
        curves = (_column(run, choice, start),)
        if series in units and choice.axis and series not in (choice.axis, choice.signal):
            curves, names = _cut_by_series(run, choice.table, series, start, curves[0])
    counts = not choice.axis or run.column(choice.table, choice.axis, length).dtype.kind in "iu"
    return Curves(
        in_words(choice.signal),
        units[choice.signal],
        in_words(choice.axis) or unnamed,
        units.get(choice.axis, ""),
        curves,
        names,
        counts,
    )


def in_words(column: str) -> str:
    """Return a column's name as people write it."""
    return name_words(column)


def _column(run: RunFile, choice: CurveChoice, start: int) -> Curve:
    values = run.column(choice.table, choice.signal, start).astype(float)
    if not choice.axis:
        return np.arange(start, start + len(values), dtype=float), values
    places = run.column(choice.table, choice.axis, start).astype(float)
    common = min(len(values), len(places))
    return places[:common], values[:common]


def _cut_by_series(
    run: RunFile, table: str, series: str, start: int, curve: Curve
) -> tuple[tuple[Curve, ...], tuple[str, ...]]:
    """Cut a curve where column `series` changes, and name the newest of its parts by their cells, if they have any."""
    numbers = run.column(table, series, start)[: len(curve[0])]
    if not len(numbers):
        return (), ()
    begins = np.flatnonzero(np.diff(numbers.astype(float), prepend=np.nan))
    if start and len(begins) > 1:
        begins = begins[1:]  # only the end of the oldest one is loaded
    begins = begins[-MOST_SERIES:]
    ends = [*begins[1:], len(numbers)]
    curves = tuple((curve[0][a:b], curve[1][a:b]) for a, b in zip(begins, ends, strict=True))
    names = [f"{in_words(series)} {numbers[begin]}" for begin in begins]
    if {"row", "column"} <= set(run.units(table)):
        rows, columns = (run.column(table, name, start) for name in ("row", "column"))
        names = [
            f"[{rows[a]}, {columns[a]}], {name}" if a < len(rows) else name
            for a, name in zip(begins, names, strict=True)
        ]
    return curves, tuple(names)


def _waveforms(run: RunFile, choice: CurveChoice, start: int) -> tuple[Curve, ...]:
    rows = _ragged(run, choice.table, choice.signal, start)
    if choice.axis:
        places = _ragged(run, choice.table, choice.axis, start)
    else:
        places = [np.arange(len(row), dtype=float) for row in rows]
    return tuple(
        (where[: len(row)].astype(float), row[: len(where)].astype(float))
        for where, row in zip(places, rows, strict=False)
    )


def _ragged(run: RunFile, table: str, name: str, start: int) -> list[NDArray[Any]]:
    if f"{name}_length" in run.units(table):
        return run.ragged(table, name, start)
    return list(run.column(table, name, start))
