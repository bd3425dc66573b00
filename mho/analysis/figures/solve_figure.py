"""One figure that tells a run: convergence, the levels of the programmed cells, and where they miss their targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from mho.analysis.figures import palette
from mho.analysis.figures.contents import draw_contents
from mho.analysis.figures.panels import draw_convergence, draw_error_maps, draw_levels
from mho.analysis.reports.cells import ArrayCells, read_arrays, read_chip
from mho.analysis.reports.convergence import read_convergence
from mho.analysis.reports.summary import read_bench
from mho.escaping import visible
from mho.runs import RunFile, Status

SIZE = (11.0, 7.0)  # inches
DOTS = 160  # per inch

STYLE: dict[Any, object] = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 10.0,
    "axes.edgecolor": palette.FAINT,
    "axes.labelcolor": palette.INK,
    "text.color": palette.INK,
    "xtick.color": palette.INK,
    "ytick.color": palette.INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "text.parse_math": False,  # a $ in a title is a $
    "svg.hashsalt": "mho",  # the same run gives the same file
}


def draw_run(run: RunFile) -> Figure:
    """Draw `run` as it stands in its file now.

    Returns
    -------
    matplotlib.figure.Figure
        With a canvas of its own: pyplot knows nothing of it.

    Raises
    ------
    RunFileError
        The file is damaged.
    """
    chip = read_chip(run)
    levels = None if chip is None else chip.level_scale()
    arrays = read_arrays(run)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, dpi=DOTS, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(_title(run), fontsize=12.5, fontweight="bold", x=0.01, ha="left")
        convergence = read_convergence(run)
        if convergence is None and not arrays:
            draw_contents(figure, run)
        else:
            halves = figure.add_gridspec(1, 2, width_ratios=(1.0, 1.05))
            left, right = figure.add_subfigure(halves[0]), figure.add_subfigure(halves[1])
            panels = left.subplots(2 if convergence is not None else 1, 1, squeeze=False)[:, 0]
            if convergence is not None:
                draw_convergence(panels[0], convergence)
            draw_levels(panels[-1], arrays, levels)
            _draw_maps(right, arrays)
    return figure


def save(figure: Figure, path: Path, form: Literal["png", "svg", "pdf"]) -> None:
    """Write `figure` to `path`; nothing in the file depends on when or where that is done."""
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    with matplotlib.rc_context(STYLE), path.open("wb") as file:
        figure.savefig(file, format=form, metadata=metadata)


def _title(run: RunFile) -> str:
    parts = [run.title, run.path.name]
    status = run.status
    if status is not Status.FINISHED:
        parts.append(str(status))
    if read_bench(run).preset is not None:
        parts.append("SIMULATED")
    return visible("   ·   ".join(parts), lines=False)


def _draw_maps(figure: SubFigure, arrays: tuple[ArrayCells, ...]) -> None:
    """Give the largest array the most room, and up to three others a row above it."""
    shown = sorted((a for a in arrays if a.programmed.any()), key=lambda a: a.used.size)
    if not shown:
        draw_error_maps([figure.subplots()], [])
        return
    *others, largest = shown
    others = others[-3:]
    axes: list[Axes]
    if others:
        heights = max(map(_slimness, others)) / len(others), _slimness(largest)
        grid = figure.add_gridspec(2, len(others), height_ratios=np.clip(heights, 0.4, 1.0))
        axes = [figure.add_subplot(grid[0, i]) for i in range(len(others))]
        axes.append(figure.add_subplot(grid[1, :]))
    else:
        axes = [figure.subplots()]
    draw_error_maps(axes, [*others, largest], left_out=len(arrays) - len(others) - 1)


def _slimness(cells: ArrayCells) -> float:
    """Height of an array's map at a width of 1."""
    return len(cells.rows) / len(cells.columns)
