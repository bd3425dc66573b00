"""A sheet of figures over runs: panels with the same axes, the ratio below, images in rows, the note at the bottom."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Sheet
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.axes import draw_axes, draw_images
from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.over_runs.groups_of_runs import Compared
from mho.analysis.figures.sheet import DOTS, MOST, STYLE
from mho.escaping import visible

WIDTH = 7.0
"""Of a figure alone, inches."""

HEIGHT, RATIO_HEIGHT, LINE_HEIGHT = 4.4, 1.7, 0.16
"""Of one row of axes, of the ratio below it, and of a line of the note, inches."""

LETTERS_PER_INCH = 15.5
"""Of the note, at its size."""

TITLE_LETTERS = 10.5
"""Of the title, an inch, at its size."""

MOST_NAMED = 9
"""Names in the legend below panels."""

NOTE_SIZE = 8.0


def draw_compared(title: str, figures: Sequence[Compared]) -> Sheet:
    """Draw figures over runs on one sheet, two beside one another, those of images in a row of their own.

    Returns
    -------
    matplotlib.figure.Figure
        With its own canvas, not registered with pyplot.
    """
    shown = figures[:MOST]
    planes, maps = [one for one in shown if not _images(one)], [one for one in shown if _images(one)]
    columns = 1 if len(planes) <= 1 else 2
    rows = [planes[start : start + columns] for start in range(0, len(planes), columns)]
    rows += [[one] for one in maps]
    heights = [max(_height(one, WIDTH * columns / len(row)) for one in row) for row in rows]
    with matplotlib.rc_context(STYLE):
        sheet = Sheet(figsize=(WIDTH * columns, sum(heights) + 0.4), dpi=DOTS, layout="constrained")
        FigureCanvasAgg(sheet)
        words = "\n".join(textwrap.wrap(visible(title, lines=False), int(WIDTH * columns * TITLE_LETTERS)))
        sheet.suptitle(words, fontsize=11.0, fontweight="bold", x=0.01, ha="left")
        parts = sheet.subfigures(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, row in zip(parts, rows, strict=True):
            for here, one in zip(part.subfigures(1, len(row), squeeze=False)[0], row, strict=True):
                _draw(here, one, WIDTH * columns / len(row))
    return sheet


def _images(one: Compared) -> int:
    return len(one.panels[0].images)


def _height(one: Compared, width: float) -> float:
    """Return the height of a figure, inches."""
    note = LINE_HEIGHT * len(_lines(one.note, width))
    rows, columns = _grid(one)
    if _images(one):
        slim = max(len(image.rows) / max(len(image.columns), 1) for image in one.panels[0].images)
        each = float(np.clip((width - 1.0) / columns * slim, 1.0, 4.0)) + 0.45
        return note + rows * each + 0.5
    each = HEIGHT if len(one.panels) == 1 else max(width / columns * 0.8, 1.9)
    return note + rows * (each + (RATIO_HEIGHT if one.ratios else 0.0))


def _grid(one: Compared) -> tuple[int, int]:
    """Return rows and columns of panels, or of images."""
    count = _images(one) or len(one.panels)
    if one.columns and one.columns <= 6:
        return math.ceil(count / one.columns), one.columns
    columns = count if count <= 3 else 2 if count == 4 else 3 if count <= 9 else 4
    return math.ceil(count / columns), columns


def _draw(part: SubFigure, one: Compared, width: float) -> None:
    rows, columns = _grid(one)
    if lines := _lines(one.note, width):
        space = LINE_HEIGHT * len(lines)
        heights = [max(_height(one, width) - space, space), space]
        part, below_it = part.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
        words = "\n".join(lines)
        below_it.text(0.01, 1.0, words, fontsize=NOTE_SIZE, color=palette.FAINT, ha="left", va="top")
    if count := _images(one):
        axes = part.subplots(rows, columns, squeeze=False)
        every = axes.ravel()
        draw_images(list(every[:count]), one.panels[0])
        for empty in every[count:]:
            empty.set_visible(False)
        for here in axes[:-1].ravel():
            here.set_xlabel("")
        for here in axes[:, 1:].ravel():
            here.set_ylabel("")
        if one.title:
            part.suptitle(one.title, fontsize=10.5, fontweight="bold", x=0.01, ha="left")
        return
    several, below = len(one.panels) > 1, bool(one.ratios)
    if several and one.title:
        part.suptitle(one.title, fontsize=10.5, fontweight="bold", x=0.01, ha="left")
    axes = part.subplots(
        rows * (1 + below), columns, squeeze=False, sharex=True,
        height_ratios=[1.0, 0.42] * rows if below else None,
    )  # fmt: skip
    main = _fill(axes[:: 1 + below], one.panels)
    if below:
        for here in _fill(axes[1::2], one.ratios):
            here.axhline(1.0, color=palette.IDEAL, lw=0.8, ls=":")
        for here in main:
            here.set_xlabel("")
            here.tick_params(labelbottom=False)
    if several:
        _name_together(part, main)


def _fill(axes: NDArray[np.object_], panels: Sequence[Drawing]) -> list[Axes]:
    """Draw panels into rows of axes, with the same limits; names of axes stand at the left and below."""
    every = list(axes.ravel())
    used = every[: len(panels)]
    for here, panel in zip(used, panels, strict=True):
        draw_axes(here, panel)
    for here in every[len(panels) :]:
        here.set_visible(False)
    _same_limits(used)
    columns = axes.shape[1]
    for place, here in enumerate(used):
        if place % columns:
            here.set_ylabel("")
            here.tick_params(labelleft=False)
        if place + columns < len(used):
            here.set_xlabel("")
        else:
            here.tick_params(labelbottom=True)
    return used


def _name_together(part: SubFigure, axes: Sequence[Axes]) -> None:
    """Replace the legends of panels by one below them where they name the same; few panels keep a long one each."""
    named: dict[str, Artist] = {}
    for one in axes:
        handles, labels = one.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if not named or len(named) > MOST_NAMED:
        return
    for one in axes:
        if (legend := one.get_legend()) is not None:
            legend.remove()
    style: dict[str, Any] = {"loc": "outside lower center", "ncols": min(len(named), 4), "fontsize": 8.5}
    part.legend(list(named.values()), list(named), **style)


def _same_limits(axes: Sequence[Axes]) -> None:
    """Give all axes the limits that hold what each shows."""
    drawn = [one for one in axes if one.lines or one.collections or one.patches]
    if len(drawn) < 2:
        return
    limits = np.array([[*one.get_xlim(), *one.get_ylim()] for one in drawn])
    for one in drawn:
        one.set_xlim(limits[:, 0].min(), limits[:, 1].max())
        one.set_ylim(limits[:, 2].min(), limits[:, 3].max())


def _lines(note: str, width: float) -> list[str]:
    return textwrap.wrap(note, int(width * LETTERS_PER_INCH)) if note else []
