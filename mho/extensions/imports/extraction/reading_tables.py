"""What is extracted of imported tables of reads: noise by its spectrum and levels, retention by its drift."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps import parse_chip_map
from mho.extensions.imports import Derivation, Derived, Imported
from mho.extensions.imports.extraction.rows_by_cell import (
    COLUMN,
    ROW,
    Columns,
    groups,
    image_of,
    level_figures,
    map_of,
    median_of,
    table_of,
)
from mho.procedures.cells import (
    CELLS,
    Telegraph,
    allan_deviation,
    find_telegraph,
    in_windows,
    level_rows,
    nearest_levels,
    slope,
    spectrum,
)
from mho.runs import Column, Figure, Table

LARGEST_STACK, MOST_IMAGES = 1 << 22, 256  # values and number of the images of a retention


def _levels_of(two: Telegraph) -> dict[str, float]:
    """Return the two levels of telegraph noise and their dwell times, with the ends of the intervals of these."""
    facts = {name: getattr(two, name) for name in ("low", "high", "dwell_low", "dwell_high")}
    for name in ("dwell_low", "dwell_high"):
        facts |= zip((f"{name}_low", f"{name}_high"), getattr(two, f"{name}_interval"), strict=True)
    return facts


def noise(imported: Imported) -> Derivation:
    """Find spectra, Allan deviations and telegraph levels of each cell, as `mho run noise` does."""
    where = (ROW, COLUMN)
    spectra = Table(
        "spectra", (*where, Column("frequency", "Hz"), Column("density", "1/Hz", description="of G over its mean")),
        "density", "frequency", "spectra",
    )  # fmt: skip
    allan = Table(
        "allan", (*where, Column("averaging", "s"), Column("deviation", description="of G over its mean")),
        "deviation", "averaging", "Allan deviations",
    )  # fmt: skip
    cells = Table(CELLS.name, (*where, *CELLS.columns[2:]), CELLS.signal, CELLS.axis, CELLS.title)

    def by_cell(name: str, table: Table, title: str) -> Figure:
        return Figure(
            name, table=table.name, x=table.axis, y=table.signal, by=("row", "column"), x_scale="log", y_scale="log",
            title=title,
        )  # fmt: skip

    figures = (
        by_cell("spectra", spectra, "Spectrum of the relative conductance by cell"),
        by_cell("allan", allan, "Allan deviation of the relative conductance by cell"),
        Figure("deviations", kind="scatter", table=cells.name, x="mean", y="deviation", by="levels",
               title="Deviation over mean, by number of levels"),
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        parts: dict[str, list[Columns]] = {"spectra": [], "allan": []}
        columns: dict[str, list[Any]] = {one.name: [] for one in cells.columns}
        slopes, intervals = [], []
        for (row, column), place in groups(rows, "row", "column"):
            series, interval = _series(
                {name: rows[name][place] for name in ("time", "number", "conductance")}
            )
            if not series.size or not interval > 0.0 or not series.mean():
                continue
            intervals.append(interval)
            frequency, density = spectrum(series, interval)
            averaging, deviation = allan_deviation(series, interval)
            for name, one in (
                ("spectra", {"frequency": frequency, "density": density}),
                ("allan", {"averaging": averaging, "deviation": deviation}),
            ):
                count = len(next(iter(one.values())))
                parts[name].append({"row": np.full(count, row), "column": np.full(count, column), **one})
            tilt, two = slope(frequency, density), find_telegraph(series, interval)
            slopes.append(tilt.value)
            facts: dict[str, Any] = {
                "row": row, "column": column, "mean": series.mean(), "deviation": series.std(), "slope": tilt.value,
                "slope_low": tilt.low, "slope_high": tilt.high, "levels": 1 if two is None else 2,
                "own": 0,  # a table has no reads of the meter alone
            }  # fmt: skip
            facts |= {} if two is None else _levels_of(two)
            for name in columns:
                columns[name].append(facts.get(name, math.nan))
        tables = {
            name: {key: np.concatenate([one[key] for one in some]) for key in some[0]}
            for name, some in parts.items()
            if some
        }
        if columns["row"]:
            tables[cells.name] = table_of(columns, cells.columns)
        result = {"cells": len(columns["row"]), "slope": median_of(slopes), "interval": median_of(intervals)}
        return Derived(tables, {}, result, {"interval": "s"})

    return Derivation((spectra, allan, cells), (), figures, derive)


def reads(imported: Imported) -> Derivation | None:
    """Take the targets of programmed cells, where the table has them, with the figures of `mho run program`."""
    if "target" not in imported.names:
        return None
    target = map_of(imported, "target", "S", "target conductance")
    figures = level_figures(f"{imported.prefix}conductance", target.name)

    def derive(rows: Columns) -> Derived:
        cells = list(groups(rows, "row", "column"))
        last = np.array([place[-1] for _, place in cells])
        targets = rows["target"][last].astype(float)
        errors = rows["conductance"][last] - targets
        image = image_of(imported, [cell for cell, _ in cells], targets)
        known = errors[np.isfinite(errors)]
        result = {"error_deviation": float(known.std()) if known.size else None}
        return Derived({}, {target.name: [(0.0, image)]}, result, {"error_deviation": "S"})

    return Derivation((), (target,), figures, derive)


def _joined(parts: list[Columns]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def _series(cell: Columns) -> tuple[Floats, float]:
    """Return the series (series, samples) of a cell, S, and the time between samples, s; of unequal ones the longest."""
    some = [place for _, place in groups(cell, "number")]
    length = max(len(place) for place in some)
    whole = [place for place in some if len(place) == length]
    times = np.array([cell["time"][place] for place in whole])
    interval = float(np.median(np.diff(times, axis=1))) if length > 1 else math.nan
    values = np.array([cell["conductance"][place] for place in whole], dtype=float)
    return values[np.isfinite(values).all(axis=1)], interval


def retention(imported: Imported) -> Derivation | None:
    """Find the drift by level, as `mho run retention` does, where a chip map says what the levels are."""
    columns = (
        Column("elapsed", "s", description="since the first read"),
        Column("level", dtype="u1", description="nearest level at the first read"),
        Column("change", "S", description="mean change since the first read"),
        Column("deviation", "S", description="standard deviation of the change"),
        Column("robust_deviation", "S", description="its interquartile range, as a normal deviation"),
        Column("inside", description="share of cells in the window of that level"),
    )  # fmt: skip
    table = Table("retention", columns, "change", "elapsed", "change by level", series="level")
    image = map_of(imported, "conductance", "S", "conductance")

    def over_time(name: str, column: str, title: str, fit: str = "log-time line") -> Figure:
        return Figure(
            name, table="retention", x="elapsed", y=column, by="level", x_scale="log", fit=fit, title=title
        )

    figures = (
        over_time("drift", "change", "Mean change by level"),
        over_time("spread", "deviation", "Standard deviation of the change by level"),
        over_time("inside", "inside", "Share of cells in their window", fit=""),
    )
    chip = parse_chip_map(imported.chip, "the chip map") if imported.chip else None

    def derive(rows: Columns) -> Derived:
        cells = list(groups(rows, "row", "column"))
        reads = min(len(place) for _, place in cells)
        if reads * len(cells) > LARGEST_STACK:
            return Derived(remarks=(f"{reads} reads of {len(cells)} cells are too many for a map a read",))
        taken = np.array([place[:reads] for _, place in cells])
        conductance, times = rows["conductance"][taken].T, np.median(rows["time"][taken], axis=0)
        result = {"cells": len(cells), "reads": int(conductance.size), "elapsed": float(times[-1] - times[0])}
        shown = np.linspace(0, reads - 1, min(reads, MOST_IMAGES)).round().astype(np.int64)
        images = [
            (float(time), image_of(imported, [cell for cell, _ in cells], one))
            for time, one in zip(times[shown], conductance[shown], strict=True)
        ]
        if chip is None:
            return Derived({}, {image.name: images}, result, {"elapsed": "s"})
        levels = chip.level_scale()
        digits = nearest_levels(conductance[0], levels, conductance[0] > chip.write_verify.formed_above)
        by_level = level_rows(times - times[0], conductance, digits, in_windows(conductance, digits, levels))
        return Derived({"retention": by_level}, {image.name: images}, result, {"elapsed": "s"})

    return Derivation((table,), (image,), figures, derive) if chip else Derivation((), (image,), (), derive)
