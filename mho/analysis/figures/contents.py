"""What any run file holds, drawn as its procedure declared it: the last image of a map, a table's signal over its axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mho.analysis.figures import palette
from mho.analysis.figures.panels import line_numbers, say_nothing_there
from mho.analysis.reports.quantities import handy_unit
from mho.runs import RunFile

Floats = NDArray[np.float64]

POINTS = 20_000  # drawn of a table at most: more cannot be told apart
BLOCK_ROWS = 1 << 18  # of a table in memory at a time
NEWEST = 1 << 20  # rows of a table of several curves among which the newest are looked for
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
    units, length = run.units(name), run.length(name)
    factor, unit = handy_unit(units[signal])
    scale, of = handy_unit(units[axis]) if axis else (1.0, "")
    label = f"{axis} / {of or '1'}" if axis else "row of the table"
    last = run.column(name, signal, max(length - 1, 0))
    series = run.series(name)
    if last.ndim > 1:
        label = "sample of the last row"
        waveform = factor * last[-1].ravel().astype(float)
        left_out = _draw_points(axes, np.arange(waveform.size, dtype=float), waveform, 1)
    elif series:
        start = max(length - NEWEST, 0)
        rows, values = _read(run, name, signal, axis, start, length)
        keys = run.column(name, series, start, length)
        left_out = _draw_curves(axes, scale * rows, factor * values, keys, series)
    else:
        rows, values, every = _thinned(run, name, signal, axis, length)
        left_out = _draw_points(axes, scale * rows, factor * values, every)
    axes.set_title(f"{name.replace('_', ' ')}{left_out}", loc="left")
    axes.set_xlabel(label)
    axes.set_ylabel(f"{signal} / {unit or '1'}")
    axes.grid(True, color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _read(run: RunFile, name: str, signal: str, axis: str, start: int, stop: int) -> tuple[Floats, Floats]:
    """Return places and values of rows of a table, by number where there is no axis."""
    values = run.column(name, signal, start, stop).astype(float)
    stop = start + len(values)
    rows = run.column(name, axis, start, stop).astype(float) if axis else np.arange(start, stop, dtype=float)
    return rows[: len(values)], values[: len(rows)]


def _thinned(run: RunFile, name: str, signal: str, axis: str, length: int) -> tuple[Floats, Floats, int]:
    """Return places and values of at most `POINTS` rows and of how many each is one, a block in memory at a time.

    Of every stretch of rows the lowest and the highest are kept: no outlier is lost.
    """
    stretch = -(-2 * length // POINTS) if length > POINTS else 1
    if stretch == 1:
        return *_read(run, name, signal, axis, 0, length), 1
    kept: list[tuple[Floats, Floats]] = []
    block = max(BLOCK_ROWS // stretch, 1) * stretch
    for start in range(0, length, block):
        rows, values = _read(run, name, signal, axis, start, min(start + block, length))
        filled = np.append(values, np.full(-len(values) % stretch, values[-1]))
        cut = np.nan_to_num(filled).reshape(-1, stretch)
        ends = np.stack((cut.argmin(axis=1), cut.argmax(axis=1)), axis=1)
        places = (np.sort(ends, axis=1) + stretch * np.arange(len(cut))[:, None]).ravel()
        places = np.minimum(places, len(values) - 1)
        kept.append((rows[places], values[places]))
    return np.concatenate([one for one, _ in kept]), np.concatenate([one for _, one in kept]), stretch


def _draw_points(axes: Axes, places: Floats, values: Floats, every: int) -> str:
    """Draw points; return what the title says of those left out."""
    axes.plot(places, values, ".", ms=3, color=palette.INSIDE, rasterized=len(values) > 2000)
    return f", lowest and highest of every {every} rows" if every > 1 else ""


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
