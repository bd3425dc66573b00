"""Reading of the data for a figure from one run file: groups of points, or images, in SI units.

The work is bounded: of a long table with a single curve, the lowest and the highest of every block of rows are kept, so
that no outlier is lost; of any other table the newest rows are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.values.expressions import Formula, ValuesWithUnit, evaluate
from mho.analysis.figures.values.figure_data import AxisText, FigureData, MapImage, PointGroup
from mho.analysis.figures.values.figures_of_run import drawable_with, with_formulas
from mho.analysis.figures.values.statistics import without_group_medians
from mho.analysis.reports.convergence import read_forecast
from mho.analysis.reports.quantities import handy_unit, name_words
from mho.array_types import Floats
from mho.errors import InputError, RunFileError
from mho.runs import RunFile
from mho.runs.figures import COUNTS, CURVES, RUNS, Drawable, Figure, check_figure
from mho.runs.index import plain_results


class TableColumns:
    """Reads columns of one table of an open run, and those of formulas, of which a later one may use an earlier one.

    Raises `InputError`: a formula has the name of a column, or cannot be evaluated.
    """

    def __init__(self, run: RunFile, table: str, formulas: Sequence[Formula] = ()) -> None:
        self._run, self._table = run, table
        self._formulas = {one.name: one for one in formulas}
        for name in self._formulas:
            if name in self._units:
                raise InputError(f"formula {name}: table {table!r} has a column of that name; choose another")

    @cached_property
    def _units(self) -> dict[str, str]:
        return self._run.units(self._table)

    @cached_property
    def _scalars(self) -> dict[str, ValuesWithUnit]:
        """The numbers of the run: its results, then its parameters."""
        units = self._run.result_units
        values = {name: (one.value, one.unit) for name, one in self._run.parameters.items()}
        values |= {name: (one, units.get(name, "")) for name, one in plain_results(self._run.summary).items()}
        return {
            name: ValuesWithUnit(float(value), unit)
            for name, (value, unit) in values.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }

    def floats(self, name: str, start: int, stop: int | None = None) -> Floats:
        """Return rows of a column as floats, (rows,)."""
        if name not in self._formulas:
            return self._run.column(self._table, name, start, stop).astype(float)
        return np.asarray(self._computed(name, start, stop).values, dtype=float)

    def together(self, names: Sequence[str], start: int, stop: int | None = None) -> dict[str, Floats]:
        """Return rows that all columns of these names have, and their numbers as the column ``""``."""
        columns = {name: self.floats(name, start, stop) for name in names}
        rows = min(map(len, columns.values()))
        numbers = {"": np.arange(start, start + rows, dtype=float)}
        return {name: values[:rows] for name, values in columns.items()} | numbers

    def unit(self, name: str) -> str:
        """Return the unit of a column."""
        if name in self._formulas:
            return self._computed(name, 0, 0).unit
        return self._run.stored(self._table, name).unit

    def description(self, name: str) -> str:
        """Return what is said of a column; "" of a formula."""
        return "" if name in self._formulas else self._run.stored(self._table, name).description

    def length(self, names: Sequence[str]) -> int:
        """Return how many rows all columns of these names have; formulas have as many as what they are of."""
        lengths = [
            self._run.stored(self._table, name).shape[0] for name in names if name not in self._formulas
        ]
        return min(lengths) if lengths else self._run.length(self._table)

    def _computed(self, name: str, start: int, stop: int | None) -> ValuesWithUnit:
        formula = self._formulas[name]
        known: dict[str, ValuesWithUnit] = dict(self._scalars) | {
            column: ValuesWithUnit(np.empty(0)) for column in self._units
        }
        rows = None
        for need in formula.needs:
            if need in self._formulas and need != name:
                known[need] = self._computed(need, start, stop)
            elif need in self._units:
                known[need] = ValuesWithUnit(self.floats(need, start, stop), self._units[need])
            else:
                continue
            if np.ndim(known[need].values) != 1:
                raise InputError(f"formula {name}: column {need!r} has several values a row")
            rows = len(known[need].values) if rows is None else min(rows, len(known[need].values))
        if rows is None:
            length = self._run.length(self._table)
            rows = (length if stop is None else min(stop, length)) - start
        known = {
            key: ValuesWithUnit(one.values[:rows], one.unit) if np.ndim(one.values) else one
            for key, one in known.items()
        }
        result = evaluate(formula, known)
        return ValuesWithUnit(np.broadcast_to(result.values, (max(rows, 0),)), result.unit)


LONGEST = 24  # characters of a name; a longer description ends at its first comma


def code_names(description: str) -> dict[int, str]:
    """Return the name of each code; none where a description is not made of codes and names.

    Parts are separated by ``;``, or else by commas; what stands before a colon is no part of them.
    """
    listed = description.rpartition(": ")[2]
    parts = [part.strip() for part in listed.split(";" if ";" in listed else ",")]
    matches = [re.fullmatch(r"(\d{1,3}) (\D.*|\d+[a-z].*)", part) for part in parts]
    if len(parts) < 2:
        return {}
    names: dict[int, str] = {}
    for one in matches:
        if one is None or int(one[1]) in names:
            return {}
        short = len(one[2]) <= LONGEST and ";" not in listed
        names[int(one[1])] = one[2] if short else one[2].partition(",")[0]
    return names


POINTS = 20_000  # largest number of points drawn; more cannot be distinguished
BLOCK_ROWS = 1 << 18  # rows of a table in memory at a time
NEWEST = 1 << 20  # rows of a table of several curves among which the newest are looked for
CURVES_NAMED, CURVES_SHOWN = len(palette.SERIES), 256
"""Curves that have a colour and a name of their own, and curves that are drawn at all: the newest."""

WAVEFORMS = 8  # rows with several values that are drawn, the newest
IMAGES, PIXELS = 4, 1 << 22  # images side by side, the largest; and pixels of one that are read


def gather(
    run: RunFile, figure: Figure, newest: int = NEWEST, formulas: Sequence[Formula] = (),
    there: Drawable | None = None,
) -> FigureData:  # fmt: skip
    """Read the data of `figure` from the present file of `run`: of a table, its `newest` rows.

    `formulas` are columns that are computed from others; `there` is what the figure is drawn from, where that is known
    already.

    Raises `RunFileError`: when the file is damaged, or lacks the figure's data.
    """
    if formulas or (figure.beside and figure.beside not in run.tables):  # of its own table; of an older run
        figure = replace(figure, beside="")
    there = there or drawable_with(run, figure, formulas)
    try:
        check_figure(figure, there)
    except RunFileError:
        why = f"figure {figure.name!r} cannot be drawn from what it holds"
        try:  # what it lacks of all that there is
            check_figure(figure, with_formulas(run.drawable, figure, formulas))
        except RunFileError as error:
            why = str(error)
        raise RunFileError(f"run file {run.path}: {why}") from None
    if figure.table == RUNS and RUNS not in there.tables:
        return FigureData(run.path.stem, nothing="drawn over several runs")
    if figure.maps:
        counted = figure.drawn_kind in (*COUNTS, "share", "confusion")
        result = _of_maps(run, figure) if counted else _images(run, figure)
    elif figure.array:
        result = _of_array(run, figure)
    elif TableColumns(run, figure.table, formulas).length(figure.columns) == 0:
        result = {"nothing": "no rows yet"}
    elif there.tables[figure.table][figure.columns[0]][1]:
        result = _waveforms(run, figure)
    else:
        whole_x = not figure.x or there.tables[figure.table][figure.x][0] in "iu"
        columns = TableColumns(run, figure.table, formulas)
        result = {"counts": whole_x, **_of_table(run, figure, newest, columns)}
    lines = {one for line in figure.lines for one in (line.x, line.y, line.ratio) if isinstance(one, str)}
    numbers = {name: value for name in lines if (value := _named_number(run, name)) is not None}
    return FigureData(run.path.stem, **{"numbers": numbers, **result})


def in_words(name: str) -> str:
    """Return a name as people write it."""
    return name_words(name)


# --- tables ---


def _of_table(run: RunFile, figure: Figure, newest: int, source: TableColumns) -> dict[str, Any]:
    length = source.length(figure.columns)
    whole = figure.drawn_kind in CURVES[:3] and not figure.groups and len(figure.values) == 1
    groups: tuple[PointGroup, ...]
    if whole and newest >= NEWEST:
        x, y, every = thinned_rows(source, figure.values[0], figure.x, length)
        groups, note = (PointGroup("", x, y),), f", lowest and highest of every {every} rows" * (every > 1)
    else:
        start = max(0, length - min(newest, 4 * NEWEST // max(4, len(figure.columns))))
        columns = source.together(figure.columns, start)
        codes = {name: code_names(source.description(name)) for name in figure.groups}
        groups, note = _grouped(figure, columns, codes)
        if start:
            note = f", newest {len(columns[''])} of {length} rows{note}"
    units = {name: source.unit(name) for name in figure.columns}
    result = {"groups": groups, "note": note, **_axes_of(units, figure, "row of the table")}
    return result | ({"beside": _beside(run, figure)} if figure.beside else {})


def _beside(run: RunFile, figure: Figure) -> tuple[PointGroup, ...]:
    """Read the curves of the table beside, of the last of several columns y."""
    source, shown = TableColumns(run, figure.beside, ()), replace(figure, y=figure.values[-1])
    columns = source.together(shown.columns, 0, NEWEST)
    groups, _ = (
        _grouped(shown, columns, {name: {} for name in figure.groups}) if len(columns[""]) else ((), "")
    )
    return tuple(
        replace(one, label=in_words(figure.beside) * (not number)) for number, one in enumerate(groups)
    )


def _axes_of(units: Mapping[str, str], figure: Figure, unnamed: str) -> dict[str, AxisText]:
    x = AxisText(in_words(figure.x), units[figure.x]) if figure.x else AxisText(unnamed)
    if figure.drawn_kind in COUNTS:
        return {"x": x, "y": AxisText("values")}
    if figure.drawn_kind == "share":
        return {"x": x, "y": AxisText(", share of ".join(map(in_words, figure.values)))}
    names, of = ", ".join(map(in_words, figure.values)), {units[name] for name in figure.values}
    return {"x": x, "y": AxisText(names, of.pop() if len(of) == 1 else "")}


def _grouped(
    figure: Figure, columns: Mapping[str, Floats], codes: Mapping[str, Mapping[int, str]]
) -> tuple[tuple[PointGroup, ...], str]:
    """Cut columns into the groups of the figure's `by`; return the newest, and what is said of the others."""
    x, values = columns[figure.x], figure.values or (figure.x,)
    parts: list[tuple[str, float, NDArray[np.int64]]] = [("", np.nan, np.arange(len(x)))]
    shown, note = max(1, CURVES_SHOWN // len(values)), ""
    counted = figure.drawn_kind in COUNTS
    of = "groups" if counted else "curves"
    if figure.groups:
        keys = np.stack([columns[name] for name in figure.groups], axis=1)
        distinct, which = np.unique(keys, axis=0, return_inverse=True)
        which = which.ravel()
        order = np.argsort(which, kind="stable")
        ends = np.cumsum(np.bincount(which, minlength=len(distinct)))
        begins = ends - np.bincount(which, minlength=len(distinct))
        first = order[begins]  # the row in which each begins
        newest = np.argsort(first, kind="stable")[-shown:]
        parts = [
            (_group_label(figure.groups, distinct[k], codes), distinct[k][0], order[begins[k] : ends[k]])
            for k in newest
        ]
        if len(distinct) > shown:
            note = f", newest {shown} of {len(distinct)} {of}"
        elif len(distinct) * len(values) > CURVES_NAMED:
            note = f", {len(distinct)} {of}"
    alone = len(values) == 1 or figure.drawn_kind == "share"  # whose second column is of how many
    return tuple(
        PointGroup(
            ", ".join(filter(None, ("" if alone else in_words(name), label))),
            x[rows],
            np.empty(0) if counted else columns[name][rows],
            key if len(figure.groups) == 1 else np.nan,
        )
        for label, key, rows in parts
        for name in values
    ), note


def _group_label(names: tuple[str, ...], values: Floats, codes: Mapping[str, Mapping[int, str]]) -> str:
    """Return what a group is called: a cell by its lines, a code by what it stands for, all else by name and value."""
    facts = dict(zip(names, values.tolist(), strict=True))
    cell = ""
    if "row" in facts and "column" in facts:
        cell = f"[{facts.pop('row'):g}, {facts.pop('column'):g}]"
    words = (codes[name].get(value) or f"{in_words(name)} {value:g}" for name, value in facts.items())
    return ", ".join(filter(None, (cell, *words)))


def thinned_rows(source: TableColumns, signal: str, axis: str, length: int) -> tuple[Floats, Floats, int]:
    """Return places and values of at most `POINTS` rows and of how many each is one, a block in memory at a time.

    Of every stretch of rows the lowest and the highest are kept: no outlier is lost.
    """
    stretch = -(-2 * length // POINTS) if length > POINTS else 1
    if stretch == 1:
        return *_read(source, signal, axis, 0, length), 1
    parts: list[Floats] = []
    block = max(BLOCK_ROWS // stretch, 1) * stretch
    for start in range(0, length, block):
        rows = np.stack(_read(source, signal, axis, start, min(start + block, length)))
        parts.append(rows[:, extremes(rows[1], stretch)])
    places, values = np.concatenate(parts, axis=1)
    return places, values, stretch


def extremes(values: Floats, stretch: int) -> NDArray[np.int64]:
    """Return the places of the lowest and the highest value of every `stretch` of values."""
    filled = np.append(values, np.full(-len(values) % stretch, values[-1]))
    cut = np.nan_to_num(filled).reshape(-1, stretch)
    ends = np.stack((cut.argmin(axis=1), cut.argmax(axis=1)), axis=1)
    places = (np.sort(ends, axis=1) + stretch * np.arange(len(cut))[:, None]).ravel()
    return np.minimum(places, len(values) - 1)


def _read(source: TableColumns, signal: str, axis: str, start: int, stop: int) -> tuple[Floats, Floats]:
    """Return places and values of rows of a table, by number where there is no axis."""
    values = source.floats(signal, start, stop)
    stop = start + len(values)
    rows = source.floats(axis, start, stop) if axis else np.arange(start, stop, dtype=float)
    return rows[: len(values)], values[: len(rows)]


def _waveforms(run: RunFile, figure: Figure) -> dict[str, Any]:
    """Read the newest rows of columns that have several values in each."""
    table = figure.table
    start = max(0, run.length(table) - WAVEFORMS)
    names = figure.values or (figure.x,)
    for name in figure.columns:
        size = math.prod(run.column(table, name, run.length(table)).shape[1:])  # no rows, but their shape
        if size > PIXELS // WAVEFORMS:
            raise RunFileError(
                f"run file {run.path}: a row of column {name!r} has {size} values, too many to draw"
            )
    lengths = [f"{name}_length" for name in figure.columns if f"{name}_length" in run.units(table)]
    cut = run.column(table, lengths[0], start) if lengths else None
    rows = {name: run.column(table, name, start) for name in figure.columns}
    groups = []
    for number in range(min(map(len, rows.values()))):
        for name in names:
            y = rows[name][number].ravel().astype(float)
            x = rows[figure.x][number].ravel().astype(float) if figure.x else np.arange(y.size, dtype=float)
            used = slice(None if cut is None else int(cut[number]))
            label = ", ".join(filter(None, (in_words(name) * (len(names) > 1), f"row {start + number}")))
            y = np.empty(0) if figure.drawn_kind in COUNTS else y[used]
            groups.append(PointGroup(label, x[used][:POINTS], y[:POINTS]))
    note = f", newest {WAVEFORMS} of {run.length(table)} rows" if start else ""
    return {
        "groups": tuple(groups), "note": note, "counts": not figure.x, **_axes_of(run.units(table), figure, "sample"),
    }  # fmt: skip


# --- maps and arrays ---


def _of_maps(run: RunFile, figure: Figure) -> dict[str, Any]:
    """Read the values of the maps' last images, in groups of equal values of the maps of `by`."""
    values, keys = [], []
    for number in range(len(figure.maps)):
        image = _difference(run, figure, number)
        if image is None:
            continue
        by = _last_image(run, figure.groups[number]) if figure.groups else np.zeros(image.shape)
        if by is not None and by.shape == image.shape:
            known = np.isfinite(image) & np.isfinite(by)
            values.append(image[known])
            keys.append(by[known])
    x, key = np.concatenate([np.empty(0), *values]), np.concatenate([np.empty(0), *keys])
    name = _quantity(figure)
    axes = {"x": AxisText(name, run.map_unit(figure.maps[0])), "y": AxisText("cells")}
    if not x.size:
        return {"nothing": "no cells read yet", **axes}
    distinct, which = np.unique(key, return_inverse=True)
    if len(distinct) > CURVES_SHOWN or not figure.groups:
        return {"groups": (PointGroup("", x, np.empty(0)),), **axes}
    by_name = in_words(figure.groups[0].rpartition("_")[2])
    factor, unit = handy_unit(run.map_unit(figure.groups[0]))
    groups = tuple(
        PointGroup(f"{by_name} {factor * one:.3g} {unit}".rstrip(), x[which == number], np.empty(0), one)
        for number, one in enumerate(distinct.tolist())
    )
    return {"groups": groups, **axes}


def _images(run: RunFile, figure: Figure) -> dict[str, Any]:
    """Read the last image of each map, of the largest few that have something in them."""
    images = []
    for number, name in enumerate(figure.maps):
        values = _difference(run, figure, number)
        if values is None or not np.isfinite(values).any():
            continue
        if figure.groups:
            groups = _last_image(run, figure.groups[number])
            if groups is None or groups.shape != values.shape:
                continue
            values = without_group_medians(values, groups)
        title = in_words(name)
        if figure.subtrahends:
            array = name.rpartition("_")[0]
            title = in_words(array) if array and figure.subtrahends[number].startswith(array) else title
        elif (count := run.map_length(name)) > 1:
            title = f"{title}, image {count} of {count}"
        rows, columns = run.map_axes(name)
        images.append(MapImage(title, values, rows, columns))
    images.sort(key=lambda image: int(np.isfinite(image.values).sum()))
    axis = {"y": AxisText(_quantity(figure), run.map_unit(figure.maps[0]))}
    if not images:
        return {"nothing": "no cells read yet", **axis}
    left_out = len(images) - IMAGES
    note = f"; {left_out} more not shown" if left_out > 0 else ""
    codes = {} if figure.subtrahends else code_names(run.stored(f"maps/{figure.maps[0]}").description)
    return {"images": tuple(images[-IMAGES:]), "note": note, "codes": codes, **axis}


def _quantity(figure: Figure) -> str:
    """Return what maps show, in words: of ``multiply_conductance`` the conductance."""
    name = in_words(figure.maps[0].rpartition("_")[2])
    return f"{name} − {in_words(figure.subtrahends[0].rpartition('_')[2])}" if figure.subtrahends else name


def _difference(run: RunFile, figure: Figure, number: int) -> Floats | None:
    image = _last_image(run, figure.maps[number])
    if image is None or not figure.subtrahends:
        return image
    other = _last_image(run, figure.subtrahends[number])
    return None if other is None or other.shape != image.shape else image - other


def _last_image(run: RunFile, name: str) -> Floats | None:
    _, rows, columns = run.stored(f"maps/{name}").shape
    if rows * columns > PIXELS:
        raise RunFileError(
            f"run file {run.path}: map {name!r} has {rows} x {columns} cells, too many to draw"
        )
    return np.asarray(run.map(name), dtype=float) if run.map_length(name) else None


def _of_array(run: RunFile, figure: Figure) -> dict[str, Any]:
    size = math.prod(run.array_shape(figure.array))
    if size > PIXELS:  # before it is read
        raise RunFileError(f"run file {run.path}: array {figure.array!r} has {size} values, too many to draw")
    values = np.asarray(run.array(figure.array)).astype(float)
    name, unit = in_words(figure.array), run.array_unit(figure.array)
    if not np.isfinite(values).any():
        return {"nothing": "not filled in yet"}
    if figure.drawn_kind in ("map", "correlation"):
        lines = (np.arange(count) for count in values.shape)
        return {"images": (MapImage(name, values, *lines),), "y": AxisText(name, unit)}
    columns = np.atleast_2d(values.T)
    labels = [f"column {number}" * (len(columns) > 1) for number in range(len(columns))][:CURVES_SHOWN]
    if figure.drawn_kind in COUNTS:
        groups = tuple(
            PointGroup(label, one, np.empty(0)) for label, one in zip(labels, columns, strict=False)
        )
        return {"groups": groups, "x": AxisText(name, unit), "y": AxisText("values")}
    place = np.arange(columns.shape[1], dtype=float)
    groups = tuple(PointGroup(label, place, one) for label, one in zip(labels, columns, strict=False))
    note = f", {len(columns)} columns" if len(columns) > CURVES_NAMED else ""
    return {
        "groups": groups, "x": AxisText("element"), "y": AxisText(name, unit), "counts": True, "note": note,
    }  # fmt: skip


# --- numbers that reference lines name ---


def _named_number(run: RunFile, name: str) -> float | None:
    """Return a number of the result, or an array of one number; None while there is none."""
    value = run.summary.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e300 else None
    if name in ("forecast_rho", "forecast_bits_a_cycle"):  # known before there is a result
        rho = read_forecast(run)
        return rho if name == "forecast_rho" or rho is None else -math.log2(rho) if rho > 0.0 else None
    if name in run.arrays and run.drawable.arrays.get(name, ("c", 0))[0] != "c":
        if math.prod(run.array_shape(name)) != 1:
            return None
        array = np.asarray(run.array(name), dtype=float)
        return float(array.ravel()[0]) if np.isfinite(array).all() else None
    return None
