"""What any run file holds, drawn as its procedure declared it: the last image of a map, a table's signal over its axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis import palette
from analysis.panels import line_numbers, say_nothing_there
from analysis.quantities import handy_unit
from runs import RunFile

Floats = NDArray[np.float64]

POINTS = 20_000  # drawn of a table at most: more cannot be told apart
CURVES = len(palette.SERIES)  # of a table of several curves, the newest


def draw_contents(figure: Figure, run: RunFile) -> None:
    """Draw the first map and the first table that have something in them side by side, the default one first."""
    maps = [name for name in run.maps if len(run.map_times(name))]
    tables = [name for name in run.tables if run.length(name)]
    default = run.default
    maps.sort(key=lambda name: f"maps/{name}" != default)
    tables.sort(key=lambda name: name != default)
    panels = [*((draw_map, name) for name in maps[:1]), *((draw_table, name) for name in tables[:1])]
    if not panels:
        say_nothing_there(figure.subplots(), run.title, "nothing measured yet")
        return
    for axes, (draw, name) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes, run, name)


def draw_map(axes: Axes, run: RunFile, name: str) -> None:
    """Draw the last image of a map over the physical numbers of its lines."""
    factor, unit = handy_unit(run.map_unit(name))
    rows, columns = run.map_axes(name)
    image = axes.imshow(factor * run.map(name), cmap="viridis", interpolation="nearest", aspect="equal")
    count = len(run.map_times(name))
    axes.set_title(name.replace("_", " ") + (f", image {count} of {count}" if count > 1 else ""), loc="left")
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    for axis, lines in ((axes.xaxis, columns), (axes.yaxis, rows)):
        axis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_major_formatter(line_numbers(lines))
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.7, aspect=30, pad=0.02)
    bar.set_label(f"{name.rpartition('_')[2]} / {unit or '1'}")


def draw_table(axes: Axes, run: RunFile, name: str) -> None:
    """Draw a table's signal over its axis: row by row, or curve by curve where its series tells them apart.

    Of a waveform per row, the last one is drawn over its samples.
    """
    signal, axis = run.plotted(name)
    units = run.units(name)
    factor, unit = handy_unit(units[signal])
    values = factor * run.column(name, signal).astype(float)
    if values.ndim > 1:
        places, label = np.arange(values[-1].size, dtype=float), "sample of the last row"
        values = values[-1].ravel()
    elif axis:
        scale, of = handy_unit(units[axis])
        places, label = scale * run.column(name, axis).astype(float), f"{axis} / {of or '1'}"
    else:
        places, label = np.arange(len(values), dtype=float), "row of the table"
    count = min(len(values), len(places))
    series = run.series(name)
    if series:
        left_out = _draw_curves(
            axes, places[:count], values[:count], run.column(name, series)[:count], series
        )
    else:
        every = max(len(values) // POINTS, 1)
        left_out = f", every {every}th row" if every > 1 else ""
        axes.plot(
            places[:count:every],
            values[:count:every],
            ".",
            ms=3,
            color=palette.INSIDE,
            rasterized=count > 2000,
        )
    axes.set_title(f"{name.replace('_', ' ')}{left_out}", loc="left")
    axes.set_xlabel(label)
    axes.set_ylabel(f"{signal} / {unit or '1'}")
    axes.grid(True, color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_curves(axes: Axes, places: Floats, values: Floats, keys: NDArray[Any], series: str) -> str:
    """Draw the newest curves, each named by its `series`; return what the title says of the others."""
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    curves = [*zip(starts, [*starts[1:], len(keys)], strict=True)]
    for colour, (start, stop) in zip(palette.SERIES, curves[-CURVES:], strict=False):
        label = f"{series} {keys[start]}"
        axes.plot(places[start:stop], values[start:stop], "-", lw=1.1, color=colour, label=label)
    if len(curves) > 1:
        axes.legend(loc="best")
    return f", newest {CURVES} of {len(curves)}" if len(curves) > CURVES else ""
