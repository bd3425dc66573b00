"""Curves from the tables of a run file: a column over another, the newest rows of it; or the newest waveforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs import RunFile

Floats = NDArray[np.float64]

ROW = ""
"""Name of the axis that is the row's number, or a waveform's sample."""

MOST_WAVEFORMS = 8
"""Rows of a waveform column that are shown, the newest."""


@dataclass(frozen=True)
class Wanted:
    """Which curves: column `signal` of `table` over column `axis` (`ROW` for none), the newest `rows` rows."""

    table: str
    signal: str
    axis: str
    rows: int


@dataclass(frozen=True)
class Curves:
    """Curves of one run, the newest last; `signal` and `axis` are what they are called, the units those of the file."""

    signal: str
    unit: str
    axis: str
    axis_unit: str
    curves: tuple[tuple[Floats, Floats], ...]


@dataclass(frozen=True)
class Offer:
    """What can be shown of a table: columns by their shape in a row, () for one number."""

    columns: dict[str, tuple[int, ...]]
    signal: str
    axis: str

    def axes_for(self, signal: str) -> list[str]:
        """Return the columns over which `signal` can be shown, `ROW` among them."""
        shape = self.columns.get(signal)
        return [ROW, *(name for name, other in self.columns.items() if other == shape and name != signal)]


def read_offer(run: RunFile, table: str) -> Offer:
    """Return the columns of numbers of a table, and which are plotted unless the user wants others.

    Raises
    ------
    RunFileError
        The file is damaged, or has no such table.
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
    return Offer(shapes, signal, axis)


def read_curves(run: RunFile, wanted: Wanted) -> Curves:
    """Return the curves that are wanted; errors as `read_offer`."""
    units = run.units(wanted.table)
    length = run.length(wanted.table)
    start = max(0, length - wanted.rows)
    if run.column(wanted.table, wanted.signal, length).ndim == 2:
        unnamed = "sample"
        curves = _waveforms(run, wanted, max(start, length - MOST_WAVEFORMS))
    else:
        unnamed = "row"
        curves = (_column(run, wanted, start),)
    axis = wanted.axis or unnamed
    return Curves(wanted.signal, units[wanted.signal], axis, units.get(wanted.axis, ""), curves)


def _column(run: RunFile, wanted: Wanted, start: int) -> tuple[Floats, Floats]:
    values = run.column(wanted.table, wanted.signal, start).astype(float)
    if not wanted.axis:
        return np.arange(start, start + len(values), dtype=float), values
    places = run.column(wanted.table, wanted.axis, start).astype(float)
    common = min(len(values), len(places))
    return places[:common], values[:common]


def _waveforms(run: RunFile, wanted: Wanted, start: int) -> tuple[tuple[Floats, Floats], ...]:
    rows = _ragged(run, wanted.table, wanted.signal, start)
    if wanted.axis:
        places = _ragged(run, wanted.table, wanted.axis, start)
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
