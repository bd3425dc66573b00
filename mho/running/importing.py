"""Imports foreign tables with what the procedures of the same kind extract: loops, lifetimes, forming voltages, spectra.

The rows come from `mho.analysis.imports`; what follows from them is found by the functions that the procedures use. Where a
procedure decides by settings of its chip, this decides by the numbers below.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.imports import Derivation, Derived, Imported, Reading, import_reading
from mho.chip_maps.chip import parse_chip_map
from mho.procedures.cells import (
    CELLS,
    GOOD,
    REASONS,
    Loops,
    allan_deviation,
    conductance_left,
    extract,
    find_telegraph,
    fit_weibull,
    in_windows,
    judge,
    level_rows,
    nearest_levels,
    quantile,
    share_rows,
    slope,
    spectrum,
)
from mho.runs import Column, Figure, Map, ReferenceLine, Table

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

LOW_VOLTAGE = 0.2  # V: what counts as low in a sweep
LEAST_CHANGE = 2.0  # factor from one state to the other from which a cell has switched
LEAST_WINDOW = 5.0  # LRS/HRS of a good window
LEAST_LRS = 1e-7  # S
JUMP = 5.0  # factor of the conductance from one level of a ramp to the next at which a cell is formed
MOST_SWEEPS = 20_000
LARGEST_STACK, MOST_IMAGES = 1 << 22, 256  # values and number of the images of a retention

ROW, COLUMN = Column("row", dtype="u4"), Column("column", dtype="u4")


def import_measurement(
    path: Path,
    reading: Reading,
    output: str | os.PathLike[str] | None = None,
    *,
    array: str = "",
    chip: str = "",
) -> Path:
    """Write a foreign table, and what is extracted of it, into a new run file; as `mho.analysis.imports.import_reading`."""
    return import_reading(path, reading, output, array=array, chip=chip, deriving=derivation)


def derivation(imported: Imported) -> Derivation | None:
    """Return what is extracted of a kind of measurement; None where its rows are all there is."""
    make = DERIVATIONS.get(imported.measurement.name)
    return None if make is None else make(imported)


def _groups(columns: Columns, *names: str) -> Iterator[tuple[tuple[int, ...], NDArray[np.int64]]]:
    """Yield the rows (in their order) of each combination of values of whole columns."""
    keys = np.stack([columns[name].astype(np.int64) for name in names], axis=1)
    values, which = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    edges = np.searchsorted(which.ravel()[order], np.arange(len(values) + 1))
    for number, key in enumerate(values):
        yield tuple(key.tolist()), order[edges[number] : edges[number + 1]]


def _image(imported: Imported, cells: list[tuple[int, ...]], values: Floats) -> Floats:
    """Return a map with the values of cells (row, column), NaN elsewhere."""
    image = np.full((imported.rows.size, imported.columns.size), np.nan)
    if cells:
        rows, columns = np.array([cell[:2] for cell in cells]).T
        image[np.searchsorted(imported.rows, rows), np.searchsorted(imported.columns, columns)] = values
    return image


def _map(imported: Imported, name: str, unit: str, title: str) -> Map:
    return Map(f"{imported.prefix}{name}", unit, imported.rows, imported.columns, title, images=1)


def _table(rows: dict[str, list[Any]], columns: tuple[Column, ...]) -> dict[str, NDArray[Any]]:
    return {one.name: np.array(rows.get(one.name, []), dtype=one.dtype) for one in columns}


def _iv(imported: Imported) -> Derivation:
    """Extract SET and RESET voltages and both states of each sweep, as `mho run iv` does."""
    columns = (
        Column("sweep", dtype="u4", description="number of the sweep"), Column("cycle", dtype="u4"), ROW, COLUMN,
        Column("v_set", "V", description="steepest rise; NaN where the cell was not set"),
        Column("v_reset", "V", description="steepest fall; NaN where it was not reset"),
        Column("lrs", "S", description="at low voltage, after the positive half"),
        Column("hrs", "S", description="at low voltage, after the negative half"),
        Column("window", description="lrs / hrs"),
        Column("peak_current", "A", description="largest on the way to the lowest voltage"),
        Column("peak_voltage", "V", description="where it flows"),
    )  # fmt: skip
    table = Table("loops", columns, "window", "cycle", "what was extracted of each loop")
    image = _map(imported, "conductance", "S", "conductance that the sweep left")
    figures = (
        Figure("set_voltage", kind="distribution", table="loops", x="v_set", y_scale="probability"),
        Figure("reset_voltage", kind="distribution", table="loops", x="v_reset", y_scale="probability"),
        Figure(
            "states", kind="errorbars", table="loops", x="cycle", y=("lrs", "hrs"), y_scale="log",
            title="Both states at low voltage, by cycle",
        ),
        Figure("window", kind="distribution", table="loops", x="window", x_scale="log", title="On/off window"),
        Figure(image.name, map=image.name),
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        found: dict[str, list[Any]] = {one.name: [] for one in columns}
        cycles: dict[tuple[int, int], int] = {}
        left: dict[tuple[int, int], float] = {}
        sweeps = list(_groups(rows, "sweep", "row", "column"))
        for (sweep, row, column), place in sweeps[:MOST_SWEEPS]:
            volts, amperes = rows["voltage"][place], rows["current"][place]
            limited = rows["limited"][place] > 0 if "limited" in rows else np.zeros(len(place), bool)
            known = np.isfinite(volts)
            volts, amperes, limited = volts[known], amperes[known], limited[known]
            if len(volts) < 4 or not np.ptp(volts) > 0.0:
                continue
            loop: Loops = extract(volts, amperes[None], limited[None], LOW_VOLTAGE, LEAST_CHANGE)
            for name, value in asdict(loop).items():
                found[name].append(float(value[0]))
            for name, number in (("sweep", sweep), ("row", row), ("column", column)):
                found[name].append(number)
            found["cycle"].append(cycles.setdefault((row, column), 0))
            cycles[row, column] += 1
            left[row, column] = conductance_left(volts, amperes, limited, LOW_VOLTAGE)
        result = {"sweeps": len(sweeps)}
        medians = {name: _median(found[name]) for name in ("v_set", "v_reset", "lrs", "hrs", "window")}
        remarks = (
            (f"loops were extracted of the first {MOST_SWEEPS} sweeps only",)
            if len(sweeps) > MOST_SWEEPS
            else ()
        )
        picture = _image(imported, list(left), np.array(list(left.values())))
        units = {"v_set": "V", "v_reset": "V", "lrs": "S", "hrs": "S"}
        return Derived(
            {"loops": _table(found, columns)},
            {image.name: [(0.0, picture)]},
            result | medians,
            units,
            remarks,
        )

    return Derivation((table,), (image,), figures, derive)


def _median(values: list[float]) -> float | None:
    known = np.array(values)[np.isfinite(values)] if values else np.empty(0)
    return float(np.median(known)) if known.size else None


def _endurance(imported: Imported) -> Derivation:
    """Find when windows failed, as `mho run endurance` does; one that was good again later had not failed."""
    columns = (
        ROW, COLUMN, Column("good", dtype="f8", description="cycles up to which the window was good"),
        Column("failed", dtype="f8", description="cycles at which it was not; infinite where it never was"),
        Column("reason", dtype="u1", description=", ".join(f"{n} {r}" for n, r in enumerate(REASONS))),
    )  # fmt: skip
    table = Table("lifetimes", columns, "failed", "good", "when each cell's window failed, and why")
    lifetime = _map(imported, "lifetime", "", "last cycle with a good window")
    failure = _map(imported, "failure", "", ", ".join(f"{n} {r}" for n, r in enumerate(REASONS)))
    figures = (
        Figure(
            "lifetimes", kind="distribution", table="lifetimes", x="failed", x_scale="log",
            lines=(ReferenceLine(x="weibull_scale", label="Weibull's scale"),),
            title="Cycles at which windows were found failed",
        ),
        *(Figure(one.name, map=one.name) for one in (lifetime, failure)),
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        found: dict[str, list[Any]] = {one.name: [] for one in columns}
        known = rows["conductance"][np.isfinite(rows["conductance"]) & (rows["conductance"] > 0.0)]
        middle = float(np.exp(np.log(known).mean())) if known.size else LEAST_LRS
        cells = []
        for cell, place in _groups(rows, "row", "column"):
            windows = _windows({name: rows[name][place] for name in ("cycles", "state", "conductance")})
            verdicts = [judge(lrs, hrs, LEAST_WINDOW, middle, LEAST_LRS) for _, lrs, hrs in windows]
            if not verdicts:
                continue
            last = max((n for n, one in enumerate(verdicts) if one == GOOD), default=-1)
            ended = last + 1 < len(verdicts)
            values = (
                *cell,
                windows[last][0] if last >= 0 else 0.0,
                windows[last + 1][0] if ended else math.inf,
            )
            for name, value in zip(columns, (*values, verdicts[last + 1] if ended else GOOD), strict=True):
                found[name.name].append(value)
            cells.append(cell)
        good, failed = np.array(found["good"]), np.array(found["failed"])
        fit = fit_weibull(good, failed) if len(good) else None
        result = {
            "cells": len(cells), "failed": int(np.isfinite(failed).sum()) if len(cells) else 0,
            "weibull_scale": None if fit is None else fit.scale,
            "weibull_shape": None if fit is None or math.isnan(fit.shape) else fit.shape,
        }  # fmt: skip
        images = {
            lifetime.name: [(0.0, _image(imported, cells, good))],
            failure.name: [(0.0, _image(imported, cells, np.array(found["reason"], dtype=float)))],
        }
        return Derived({"lifetimes": _table(found, columns)}, images, result)

    return Derivation((table,), (lifetime, failure), figures, derive)


def _windows(cell: Columns) -> list[tuple[float, float, float]]:
    """Return cycles, LRS and HRS (S) of a cell's reads of both states, cycle after cycle."""
    cycles, which = np.unique(cell["cycles"], return_inverse=True)
    both = np.full((len(cycles), 2), np.nan)
    both[which.ravel(), cell["state"].astype(np.int64)] = cell["conductance"]
    whole = np.isfinite(both).all(axis=1)
    return [
        (float(n), float(lrs), float(hrs)) for n, (lrs, hrs) in zip(cycles[whole], both[whole], strict=True)
    ]


def _form(imported: Imported) -> Derivation:
    """Find the level at which each cell was formed, and their distribution, as `mho run form` does."""
    columns = (
        Column("ramped", "V", description="level of the ramp"),
        Column("share", description="of the cells that were to be formed"),
        Column("low", description="lower end of its 95 % interval (Wilson)"), Column("high"),
        Column("normal", description="normal distribution, fitted to the brackets"),
        Column("weibull", description="Weibull's distribution, fitted to the brackets"),
    )  # fmt: skip
    table = Table("formed", columns, title="share of the cells that were formed up to each level")
    voltage = _map(imported, "forming_voltage", "V", "level of the ramp that formed the cell")
    after = _map(imported, "conductance", "S", "conductance after the last pulse")
    figures = (
        Figure(
            "forming_distribution", table="formed", x="ramped", y=("share", "low", "high", "normal", "weibull"),
            lines=(ReferenceLine(x="median", label="median"),), title="Share of the cells that are formed",
        ),
        Figure("forming_voltage", map=voltage.name, title="Forming voltage"),
        Figure("conductance_after", kind="histogram", map=after.name, title="Conductance after forming"),
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        cells, formed, last = [], [], []
        for cell, place in _groups(rows, "row", "column"):
            cells.append(cell)
            formed.append(_formed_at(rows["ramped"][place].astype(float), rows["conductance"][place]))
            last.append(float(rows["conductance"][place][-1]))
        levels = np.unique(rows["ramped"][np.isfinite(rows["ramped"])].astype(float))
        at = np.array(formed)
        by = np.where(np.isfinite(at), np.searchsorted(levels, np.nan_to_num(at)), -1).astype(np.int64)
        median = quantile(0.5, by, levels).value if len(levels) > 1 else math.nan
        result = {
            "cells": len(cells),
            "formed": int((by >= 0).sum()),
            "median": None if math.isnan(median) else median,
        }
        tables = {"formed": share_rows(by, levels)} if len(levels) > 1 else {}
        images = {
            voltage.name: [(0.0, _image(imported, cells, at))],
            after.name: [(0.0, _image(imported, cells, np.array(last)))],
        }
        return Derived(tables, images, result, {"median": "V"})

    return Derivation((table,), (voltage, after), figures, derive)


def _formed_at(ramped: Floats, conductance: Floats) -> float:
    """Return the level (V) at which a cell's conductance jumped most; of a single line that level; NaN for no jump."""
    if len(ramped) == 1:
        return float(ramped[0])
    sizes = np.maximum(np.abs(np.nan_to_num(conductance)), 1e-15)
    steps = sizes[1:] / sizes[:-1]
    place = int(steps.argmax())
    return float(ramped[place + 1]) if steps[place] >= JUMP else math.nan


def _noise(imported: Imported) -> Derivation:
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
        Figure(
            "deviations", kind="scatter", table=cells.name, x="mean", y="deviation", by="levels",
            title="Deviation over mean, by number of levels",
        ),
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        parts: dict[str, list[Columns]] = {"spectra": [], "allan": []}
        found: dict[str, list[Any]] = {one.name: [] for one in cells.columns}
        slopes, intervals = [], []
        for (row, column), place in _groups(rows, "row", "column"):
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
            told: dict[str, Any] = {
                "row": row, "column": column, "mean": series.mean(), "deviation": series.std(), "slope": tilt.value,
                "slope_low": tilt.low, "slope_high": tilt.high, "levels": 1 if two is None else 2,
            }  # fmt: skip
            if two is not None:
                told |= {
                    "low": two.low,
                    "high": two.high,
                    "dwell_low": two.dwell_low,
                    "dwell_high": two.dwell_high,
                }
                for name in ("dwell_low", "dwell_high"):
                    told |= zip(
                        (f"{name}_low", f"{name}_high"), getattr(two, f"{name}_interval"), strict=True
                    )
            for name in found:
                found[name].append(told.get(name, math.nan))
        tables = {
            name: {key: np.concatenate([one[key] for one in some]) for key in some[0]}
            for name, some in parts.items()
            if some
        }
        if found["row"]:
            tables[cells.name] = _table(found, cells.columns)
        result = {"cells": len(found["row"]), "slope": _median(slopes), "interval": _median(intervals)}
        return Derived(tables, {}, result, {"interval": "s"})

    return Derivation((spectra, allan, cells), (), figures, derive)


def _joined(parts: list[Columns]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def _series(cell: Columns) -> tuple[Floats, float]:
    """Return the series (series, samples) of a cell, S, and the time between samples, s; of unequal ones the longest."""
    some = [place for _, place in _groups(cell, "number")]
    length = max(len(place) for place in some)
    whole = [place for place in some if len(place) == length]
    times = np.array([cell["time"][place] for place in whole])
    interval = float(np.median(np.diff(times, axis=1))) if length > 1 else math.nan
    values = np.array([cell["conductance"][place] for place in whole], dtype=float)
    return values[np.isfinite(values).all(axis=1)], interval


def _retention(imported: Imported) -> Derivation | None:
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
    image = _map(imported, "conductance", "S", "conductance")

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
        cells = list(_groups(rows, "row", "column"))
        reads = min(len(place) for _, place in cells)
        if reads * len(cells) > LARGEST_STACK:
            return Derived(remarks=(f"{reads} reads of {len(cells)} cells are too many for a map a read",))
        taken = np.array([place[:reads] for _, place in cells])
        conductance, times = rows["conductance"][taken].T, np.median(rows["time"][taken], axis=0)
        result = {"cells": len(cells), "reads": int(conductance.size), "elapsed": float(times[-1] - times[0])}
        images = [
            (float(time), _image(imported, [cell for cell, _ in cells], one))
            for time, one in zip(times, conductance, strict=True)
        ]
        if chip is None:
            return Derived({}, {image.name: images}, result, {"elapsed": "s"})
        levels = chip.level_scale()
        digits = nearest_levels(conductance[0], levels, chip.write_verify.formed_above)
        by_level = level_rows(times - times[0], conductance, digits, in_windows(conductance, digits, levels))
        return Derived({"retention": by_level}, {image.name: images}, result, {"elapsed": "s"})

    return Derivation((table,), (image,), figures, derive) if chip else Derivation((), (image,), (), derive)


def _program(imported: Imported) -> Derivation:
    """Count the pulses of each cell, and take its target, as `mho run program` does."""
    names = ("conductance", "target", "pulses") if "target" in imported.names else ("conductance", "pulses")
    units = {"conductance": "S", "target": "S", "pulses": ""}
    titles = {"conductance": "conductance", "target": "target conductance", "pulses": "pulses per cell"}
    maps = {name: _map(imported, name, units[name], titles[name]) for name in names}
    figures = [
        Figure(
            "pulses_per_cell",
            kind="histogram",
            map=maps["pulses"].name,
            y_scale="log",
            title="Pulses per cell",
        )
    ]
    if "target" in maps:
        conductance, target = maps["conductance"].name, maps["target"].name
        figures = [
            Figure(
                "levels", kind="histogram", map=conductance, by=target, y_scale="log",
                title="Levels of the programmed cells",
            ),
            *figures,
            Figure("errors", map=conductance, minus=target, title="Conductance errors"),
        ]  # fmt: skip

    def derive(rows: Columns) -> Derived:
        cells = list(_groups(rows, "row", "column"))
        keys = [cell for cell, _ in cells]
        pulses = np.array([np.count_nonzero(rows["kind"][place]) for _, place in cells], dtype=float)
        images = {maps["pulses"].name: [(0.0, _image(imported, keys, pulses))]}
        if "target" in maps:
            wanted = np.array([rows["target"][place][-1] for _, place in cells], dtype=float)
            images[maps["target"].name] = [(0.0, _image(imported, keys, wanted))]
        return Derived({}, images, {"cells": len(cells), "pulses": int(pulses.sum())})

    return Derivation(
        (), tuple(one for name, one in maps.items() if name != "conductance"), tuple(figures), derive
    )


DERIVATIONS: Mapping[str, Callable[[Imported], Derivation | None]] = {
    "iv": _iv, "endurance": _endurance, "form": _form, "noise": _noise, "retention": _retention, "program": _program,
}  # fmt: skip
