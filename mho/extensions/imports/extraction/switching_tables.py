"""What is extracted of imported tables of sweeps, cycles, ramps and pulses, by the functions that the procedures use.

A table comes without blank readings: what its own readings of nothing scatter by stands for them, and what lies below that
is not extracted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.extensions.imports import MEASUREMENTS, Derivation, Derived, Imported
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
    GOOD,
    REASONS,
    Blank,
    Branches,
    Loops,
    PointNoise,
    conductance_left,
    extract,
    fit_weibull,
    judge,
    low_field,
    quantile,
    share_rows,
)
from mho.runs import Column, Figure, ReferenceLine, Table

LOW_VOLTAGE = 0.2  # V: what counts as low in a sweep
LEAST_CHANGE = 2.0  # factor from one state to the other from which a cell has switched
LEAST_WINDOW = 5.0  # LRS/HRS of a good window
LEAST_LRS = 1e-7  # S
JUMP = 5.0  # factor of the conductance from one level of a ramp to the next at which a cell is formed
LEAST_FORMED = 0.1  # of the largest conductance, to which a jump that forms a cell leads
MOST_SWEEPS = 20_000
AT_REST = 20  # points at 0 V of a table that tell its noise by themselves
FEWEST = 8  # readings of nothing from which a scatter is told


def iv(imported: Imported) -> Derivation:
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
    image = map_of(imported, "conductance", "S", "conductance that the sweep left")
    figures = (*MEASUREMENTS["switching"].figures, Figure(image.name, map=image.name))

    def derive(rows: Columns) -> Derived:
        sweeps = list(groups(rows, "sweep", "row", "column"))
        swept = _swept(rows, sweeps[:MOST_SWEEPS])
        blank = _blank_of([points for _, points in swept])
        loops, left, below = _loops_of(swept, blank, [one.name for one in columns])
        medians = {name: median_of(loops[name]) for name in ("v_set", "v_reset", "lrs", "hrs", "window")}
        remarks = []
        if len(sweeps) > MOST_SWEEPS:
            remarks.append(f"loops were extracted of the first {MOST_SWEEPS} sweeps only")
        result: dict[str, Any] = {"sweeps": len(sweeps)}
        if blank is None:
            remarks.append(
                f"the table has fewer than {FEWEST} points at low voltage: its noise is not known, and what is extracted "
                "may be noise"
            )
        else:
            if below > np.isfinite(loops["hrs"]).sum():  # the median is one of those
                medians["hrs"] = medians["window"] = None
            why = (
                f"in none of {len(swept)} sweeps does it stand out of the table's own scatter at low voltage"
            )
            result["not_extracted"] = {name: why for name, value in medians.items() if value is None}
            if result["not_extracted"]:
                remarks.append(f"{', '.join(result['not_extracted'])} not extracted: {why}")
        picture = image_of(imported, list(left), np.array(list(left.values())))
        units = {"v_set": "V", "v_reset": "V", "lrs": "S", "hrs": "S"}
        return Derived(
            {"loops": table_of(loops, columns)}, {image.name: [(0.0, picture)]}, result | medians, units,
            tuple(remarks),
        )  # fmt: skip

    return Derivation((table,), (image,), figures, derive)


# A sweep's number, row and column, and its points: V, A, and whether in compliance
Sweep = tuple[tuple[int, int, int], tuple[Floats, Floats, NDArray[np.bool_]]]


def _swept(rows: Columns, sweeps: Sequence[tuple[Any, Any]]) -> list[Sweep]:
    """Return the sweeps that have enough points, those without a voltage left out."""
    swept = []
    for cell, place in sweeps:
        limited = rows["limited"][place] > 0 if "limited" in rows else np.zeros(len(place), bool)
        known = np.isfinite(rows["voltage"][place])
        points = rows["voltage"][place][known], rows["current"][place][known], limited[known]
        if len(points[0]) >= 4 and np.ptp(points[0]) > 0.0:
            swept.append((cell, points))
    return swept


def _loops_of(
    swept: Sequence[Sweep], blank: Blank | None, names: Sequence[str]
) -> tuple[dict[str, list[Any]], dict[tuple[int, int], float], int]:
    """Return the columns of the loops, what the last sweep left of each cell, and how many loops are below the noise."""
    loops: dict[str, list[Any]] = {name: [] for name in names}
    cycles: dict[tuple[int, int], int] = {}
    left: dict[tuple[int, int], float] = {}
    below = 0
    for (sweep, row, column), (volts, amperes, limited) in swept:
        noise = None if blank is None else PointNoise.of([(slice(None), blank)], len(volts), len(swept))
        loop: Loops = extract(volts, amperes[None], limited[None], LOW_VOLTAGE, LEAST_CHANGE, noise)
        below += int(loop.below_noise[0])
        values = {name: float(value[0]) for name, value in asdict(loop).items() if name in loops}
        cycle = cycles.setdefault((row, column), 0)
        for name, value in {"sweep": sweep, "row": row, "column": column, "cycle": cycle, **values}.items():
            loops[name].append(value)
        cycles[row, column] += 1
        left[row, column] = conductance_left(volts, amperes, limited, LOW_VOLTAGE)
    return loops, left, below


def _blank_of(sweeps: list[tuple[Floats, Floats, NDArray[np.bool_]]]) -> Blank | None:
    """Return what sweeps (V, A, in compliance) show of no current: at 0 V, and where that is too little, as scatter.

    None where there are too few points for either.
    """
    rest = [amperes[(volts == 0.0) & np.isfinite(amperes)] for volts, amperes, _ in sweeps]
    nothing = np.concatenate(rest) if rest else np.empty(0)
    if len(nothing) < AT_REST:
        offset = float(np.median(nothing)) if len(nothing) else 0.0
        scatter = [
            _low_field_residuals(volts, amperes - offset, limited, LOW_VOLTAGE)
            for volts, amperes, limited in sweeps
        ]
        nothing = np.concatenate([nothing, *(offset + one for one in scatter)])
    return Blank.of(nothing) if len(nothing) >= FEWEST else None


def _low_field_residuals(
    voltages: Floats, currents: Floats, limited: NDArray[np.bool_], window: float
) -> Floats:
    """Return what the points (A) of a sweep within +-`window` (V) lie off the line through 0 V of their branch.

    They have the deviation of the points: a branch of one point has none.
    """
    residuals = []
    for branch in vars(Branches.of(voltages)).values():
        used = branch & ~limited & (np.abs(voltages) <= window) & np.isfinite(currents)
        if (count := int(used.sum())) > 1:
            line = low_field(voltages, currents, used, window) * voltages[used]
            residuals.append((currents[used] - line) * math.sqrt(count / (count - 1)))
    return np.concatenate([np.empty(0), *residuals])


def endurance(imported: Imported) -> Derivation:
    """Find when windows failed, as `mho run endurance` does; one that was good again later had not failed."""
    columns = (
        ROW, COLUMN, Column("good", dtype="f8", description="cycles up to which the window was good"),
        Column("failed", dtype="f8", description="cycles at which it was not; infinite where it never was"),
        Column("reason", dtype="u1", description=", ".join(f"{n} {r}" for n, r in enumerate(REASONS))),
    )  # fmt: skip
    table = Table("lifetimes", columns, "failed", "good", "when each cell's window failed, and why")
    lifetime = map_of(imported, "lifetime", "", "last cycle with a good window")
    failure = map_of(imported, "failure", "", ", ".join(f"{n} {r}" for n, r in enumerate(REASONS)))
    figures = (
        Figure("lifetimes", kind="distribution", table="lifetimes", x="failed", x_scale="log",
               lines=(ReferenceLine(x="weibull_scale", label="Weibull's scale"),),
               title="Cycles at which windows were found failed"),
        *(Figure(one.name, map=one.name) for one in (lifetime, failure)),
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        lifetimes: dict[str, list[Any]] = {one.name: [] for one in columns}
        known = rows["conductance"][np.isfinite(rows["conductance"]) & (rows["conductance"] > 0.0)]
        middle = float(np.exp(np.log(known).mean())) if known.size else LEAST_LRS
        cells = []
        for cell, place in groups(rows, "row", "column"):
            windows = _windows({name: rows[name][place] for name in ("cycles", "state", "conductance")})
            verdicts = [judge(lrs, hrs, LEAST_WINDOW, middle, LEAST_LRS) for _, lrs, hrs in windows]
            if not verdicts:
                continue
            last = max((n for n, one in enumerate(verdicts) if one == GOOD), default=-1)
            ended = last + 1 < len(verdicts)
            values = (
                *cell, windows[last][0] if last >= 0 else 0.0, windows[last + 1][0] if ended else math.inf,
            )  # fmt: skip
            for name, value in zip(columns, (*values, verdicts[last + 1] if ended else GOOD), strict=True):
                lifetimes[name.name].append(value)
            cells.append(cell)
        good, failed = np.array(lifetimes["good"]), np.array(lifetimes["failed"])
        switched = good > 0.0  # what was never good has no lifetime: it may be dead, and its reads noise
        fit = fit_weibull(good[switched], failed[switched]) if switched.any() else None
        result = {
            "cells": len(cells),
            "failed": int(np.isfinite(failed[switched]).sum()) if len(cells) else 0,
            "never_good": len(cells) - int(np.count_nonzero(switched)),
            "weibull_scale": None if fit is None else fit.scale,
            "weibull_shape": None if fit is None or math.isnan(fit.shape) else fit.shape,
        }  # fmt: skip
        images = {
            lifetime.name: [(0.0, image_of(imported, cells, good))],
            failure.name: [(0.0, image_of(imported, cells, np.array(lifetimes["reason"], dtype=float)))],
        }
        return Derived({"lifetimes": table_of(lifetimes, columns)}, images, result)

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


def form(imported: Imported) -> Derivation:
    """Find the level at which each cell was formed, and their distribution, as `mho run form` does."""
    columns = (
        Column("ramped", "V", description="level of the ramp"),
        Column("share", description="of the cells that were to be formed"),
        Column("low", description="lower end of its 95 % interval"), Column("high"),
        Column("normal", description="normal distribution, fitted to the brackets"),
        Column("weibull", description="Weibull's distribution, fitted to the brackets"),
    )  # fmt: skip
    table = Table("formed", columns, title="share of the cells that were formed up to each level")
    voltage = map_of(imported, "forming_voltage", "V", "level of the ramp that formed the cell")
    after = map_of(imported, "conductance", "S", "conductance after the last pulse")
    figures = (
        Figure(
            "forming_distribution", table="formed", x="ramped", y=("share", "low", "high", "normal", "weibull"),
            lines=(ReferenceLine(x="median", label="median"),), title="Share of the cells that are formed",
        ),
        Figure("forming_voltage", map=voltage.name, title="Forming voltage"),
        Figure("conductance_after", kind="histogram", map=after.name, title="Conductance after forming"),
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        cells, jumps, before, last = [], [], [], []
        for cell, place in groups(rows, "row", "column"):
            conductance = rows["conductance"][place]
            cells.append(cell)
            level, jumped, quiet = _jump(rows["ramped"][place].astype(float), conductance)
            jumps.append((level, jumped))
            before.append(quiet)
            last.append(float(conductance[-1]))
        least, remarks = _least_of(before, len(rows["conductance"]))
        formed = [level if not jumped <= least else math.nan for level, jumped in jumps]
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
            voltage.name: [(0.0, image_of(imported, cells, at))],
            after.name: [(0.0, image_of(imported, cells, np.array(last)))],
        }
        return Derived(tables, images, result, {"median": "V"}, remarks)

    return Derivation((table,), (voltage, after), figures, derive)


def _jump(ramped: Floats, conductance: Floats) -> tuple[float, float, Floats]:
    """Return the level (V) at which a cell's conductance (S) jumped most, to what, and its readings before.

    Of a single line that level, whatever it reads, as NaN; both are NaN where nothing jumped.
    """
    if len(ramped) == 1:
        return float(ramped[0]), math.nan, np.empty(0)
    sizes = np.abs(conductance)
    known = np.isfinite(ramped) & (sizes > 0.0)  # at 0 V nothing was measured
    ramped, conductance, sizes = ramped[known], conductance[known], sizes[known]
    if len(ramped) < 2:
        return math.nan, math.nan, conductance
    # A meter's noise jumps too, far below what a formed cell conducts.
    steps = np.where(sizes[1:] >= LEAST_FORMED * sizes.max(), sizes[1:] / sizes[:-1], 0.0)
    place = int(steps.argmax())
    fell = place + 2 < len(sizes) and np.median(sizes[place + 2 :]) < sizes[place + 1] / JUMP
    if steps[place] < JUMP or fell:  # what is formed stays so
        return math.nan, math.nan, conductance
    return float(ramped[place + 1]), float(conductance[place + 1]), conductance[: place + 1]


def _least_of(before: list[Floats], looks: int) -> tuple[float, tuple[str, ...]]:
    """Return what a reading (S) exceeds that is no noise, by those of all cells before they jumped, and a remark."""
    quiet = np.concatenate([np.empty(0), *before])
    if len(quiet) >= FEWEST:
        return Blank.of(quiet).limit(looks), ()
    if not len(quiet):
        return -math.inf, ()
    return -math.inf, (
        f"the table has fewer than {FEWEST} readings of cells that were not formed: its noise is not known, and what "
        "counts as formed may be noise",
    )


def response(imported: Imported) -> Derivation:
    """Find median and quartiles of the responses at each level of the pulses, as `mho run response` does."""
    axis = next(one for one in ("pulse", "gate", "voltage", "width", "before") if one in imported.names)
    unit = next(one.unit for one in imported.measurement.columns if one.name == axis)
    by_kind = "kind" in imported.names  # potentiation and depression are two curves
    columns = (
        *((Column("kind", dtype="u1", description="1 SET, 2 RESET"),) if by_kind else ()),
        Column(axis, unit), Column("median", "S", description="of all cells and repeats"),
        Column("lower_quartile", "S"), Column("upper_quartile", "S"),
    )  # fmt: skip
    table = Table("curve", columns, "median", axis, "the response")
    quartiles = ("median", "lower_quartile", "upper_quartile")
    title = f"Conductance after a pulse, by {axis}"
    figure = Figure(
        "curve", table="curve", x=axis, y="median" if by_kind else quartiles, by="kind" if by_kind else "",
        title=f"{title} and kind: 1 SET, 2 RESET" if by_kind else title,
    )  # fmt: skip

    def derive(rows: Columns) -> Derived:
        known = np.isfinite(rows["conductance"]) & np.isfinite(rows[axis])
        if not known.any():
            return Derived(result={"levels": 0})
        kinds = rows["kind"][known].astype(float) if by_kind else np.zeros(np.count_nonzero(known))
        keys = np.stack([kinds, rows[axis][known].astype(float)], axis=1)
        levels, which = np.unique(keys, axis=0, return_inverse=True)
        values = rows["conductance"][known][np.argsort(which.ravel(), kind="stable")]
        parts = np.split(values, np.cumsum(np.bincount(which.ravel(), minlength=len(levels)))[:-1])
        spread = np.array([np.quantile(part, (0.5, 0.25, 0.75)) for part in parts]).reshape(-1, 3)
        curve = {axis: levels[:, 1], **dict(zip(quartiles, spread.T, strict=True))}
        curve |= {"kind": levels[:, 0].astype("u1")} if by_kind else {}
        return Derived({"curve": curve}, {}, {"levels": len(np.unique(levels[:, 1]))})

    return Derivation((table,), (), (figure,), derive)


def program(imported: Imported) -> Derivation:
    """Count the pulses of each cell, and take its target, as `mho run program` does."""
    names = ("conductance", "target", "pulses") if "target" in imported.names else ("conductance", "pulses")
    units = {"conductance": "S", "target": "S", "pulses": ""}
    titles = {"conductance": "conductance", "target": "target conductance", "pulses": "pulses per cell"}
    maps = {name: map_of(imported, name, units[name], titles[name]) for name in names}
    figures = [
        Figure("pulses_per_cell", kind="histogram", map=maps["pulses"].name, y_scale="log",
               title="Pulses per cell"),
    ]  # fmt: skip
    if "target" in maps:
        levels, errors = level_figures(maps["conductance"].name, maps["target"].name)
        figures = [levels, *figures, errors]

    def derive(rows: Columns) -> Derived:
        cells = list(groups(rows, "row", "column"))
        keys = [cell for cell, _ in cells]
        pulses = np.array([np.count_nonzero(rows["kind"][place]) for _, place in cells], dtype=float)
        images = {maps["pulses"].name: [(0.0, image_of(imported, keys, pulses))]}
        if "target" in maps:
            targets = np.array([rows["target"][place][-1] for _, place in cells], dtype=float)
            images[maps["target"].name] = [(0.0, image_of(imported, keys, targets))]
        return Derived({}, images, {"cells": len(cells), "pulses": int(pulses.sum())})

    return Derivation(
        (), tuple(one for name, one in maps.items() if name != "conductance"), tuple(figures), derive
    )
