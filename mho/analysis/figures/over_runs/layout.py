"""A sheet of figures over runs: panels with the same axes, the ratio below, images in rows, the note at the bottom."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.over_runs.groups_of_runs import GroupedFigure
from mho.analysis.figures.rendering.axes import draw_axes
from mho.analysis.figures.rendering.images import draw_images
from mho.analysis.figures.rendering.lettering import in_print
from mho.analysis.figures.sheet import DOTS, MOST, NARROW_STYLE, SIMULATED, STYLE, Sheet
from mho.escaping import visible

RATIO = 0.42  # height of the axes of a ratio, beside those above
MOST_NAMED = 9  # names in a legend below the axes


@dataclass(frozen=True)
class Page:
    """The sizes of a sheet."""

    width: float = 7.0  # of a figure, inches
    height: float = 4.4  # likewise
    columns: int = 2  # figures beside one another
    title: float = 11.0  # size of the sheet's title, points; 0 for none
    small: float = 8.0  # size of the note, points
    style: Mapping[Any, object] = field(default_factory=dict)  # what differs from the style of every sheet

    @property
    def line(self) -> float:
        """Height of a line of the note, inches."""
        return self.small / 72.0 * 1.42

    @property
    def compact(self) -> bool:
        """Whether legends stand below the axes, where they hide nothing."""
        return self.width < COMPACT

    def lines(self, one: GroupedFigure, width: float) -> list[str]:
        """Return the lines below a figure of a width, inches."""
        letters = max(int(width * LETTERS * 8.0 / self.small), 20)
        parts = [one.note] * bool(one.note) + [f"fit: {fit}" for fit in one.fits[:MOST_FITS]]
        parts += [f"and {len(one.fits) - MOST_FITS} more fits"] * (len(one.fits) > MOST_FITS)
        return [line for part in parts for line in textwrap.wrap(in_print(part), letters)]


LETTERS, TITLE_LETTERS = 15.5, 115.5
"""Letters of an inch of the note at 8 points, and of the title at 1 point."""

MOST_FITS = 12
HANDLE = 7  # letters that a legend's line takes beside its name
LEGEND_LINE = 0.16  # inches
COMPACT = 5.0  # inches
BETWEEN = 0.45  # inches between images, for the numbers of their lines
SLIMNESS = 0.25, 4.0  # width over height of an image, at least and at most, that it is given room for

PAPER: dict[Any, object] = {
    **NARROW_STYLE, "font.size": 8.0, "axes.titlesize": 8.5, "axes.labelsize": 8.0, "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0, "legend.fontsize": 7.0, "lines.markersize": 4.0,
}  # fmt: skip
"""Sizes of a journal's page: letters of 7 to 8.5 points."""

DOTS_OF_PAPER = 300


def page_of(width: float | None) -> Page:
    """Return the sizes of a sheet to look at, or of one of a `width` in mm for a paper."""
    if width is None:
        return Page()
    inches = width / 25.4
    columns = 2 if inches > COMPACT else 1
    each = inches / columns
    return Page(each, float(np.clip(0.78 * each, 1.8, 4.0)), columns, 0.0, 7.0, PAPER)


def draw_compared(
    title: str, figures: Sequence[GroupedFigure], width: float | None = None, *, simulated: bool = False
) -> Sheet:
    """Draw figures over runs on one sheet, two beside one another, those of images in a row of their own.

    With a `width`, mm, the sheet has the sizes of a paper, and no title of its own: of `simulated` runs only that word.
    """
    page = page_of(width)
    shown = figures[:MOST]
    planes, maps = [one for one in shown if not _images(one)], [one for one in shown if _images(one)]
    columns = page.columns if len(planes) > 1 else 1
    whole = page.width * (page.columns if page.title == 0.0 else columns)
    if page.title == 0.0 and len(shown) == 1:
        page = replace(page, width=whole, height=float(np.clip(0.6 * whole, page.height, 4.0)))
    rows = [planes[start : start + columns] for start in range(0, len(planes), columns)]
    rows += [[one] for one in maps]
    heights = [max(_height(one, page, whole / len(row)) for one in row) for row in rows]
    with matplotlib.rc_context({**STYLE, **page.style}):
        dots = DOTS if page.title else DOTS_OF_PAPER
        sheet = Sheet(
            figsize=(whole, sum(heights) + (0.4 if page.title else 0.0)), dpi=dots, layout="constrained"
        )
        FigureCanvasAgg(sheet)
        if simulated:
            title = f"{title}   ·   {SIMULATED}" if title else SIMULATED
        if page.title:
            letters = int(whole * TITLE_LETTERS / page.title)
            words = "\n".join(textwrap.wrap(visible(title, lines=False), letters))
            sheet.suptitle(words, fontsize=page.title, fontweight="bold", x=0.01, ha="left")
        elif simulated:
            sheet.suptitle(SIMULATED, fontsize=page.small, color=palette.FAINT, x=0.99, ha="right")
        parts = sheet.subfigures(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, row in zip(parts, rows, strict=True):
            for here, one in zip(part.subfigures(1, len(row), squeeze=False)[0], row, strict=True):
                _draw(here, one, page, whole / len(row))
    return sheet


def _images(one: GroupedFigure) -> int:
    return len(one.panels[0].images)


def _shares(one: GroupedFigure) -> list[float]:
    """Return how wide the images of a figure are where all are equally high."""
    return [
        float(np.clip(len(image.columns) / max(len(image.rows), 1), *SLIMNESS))
        for image in one.panels[0].images
    ]


def _height(one: GroupedFigure, page: Page, width: float) -> float:
    note = page.line * len(page.lines(one, width))
    rows, columns = _grid(one, page)
    if _images(one):
        shares = _shares(one)
        across = sum(shares) if rows == 1 else columns * min(shares)
        each = float(np.clip((width - 1.0 - BETWEEN * (columns - 1)) / across, 0.7, 4.0)) + 0.45
        return note + rows * each + 0.5
    each = page.height if len(one.panels) == 1 else max(width / columns * 0.8, 0.42 * page.height)
    if page.compact or one.ratios or len(one.panels) > 1:
        marks = [mark for panel in one.panels for mark in panel.marks]
        labels = list(dict.fromkeys(mark.label for mark in marks if mark.label))
        columns_of_names, words = _legend(labels, page, len(one.panels))
        if len(labels) <= MOST_NAMED:
            lines = max((word.count("\n") + 1 for word in words), default=0)
            note += LEGEND_LINE * lines * math.ceil(len(labels) / columns_of_names)
    return note + rows * each * (1.0 + (RATIO if one.ratios else 0.0))


def _legend(labels: Sequence[str], page: Page, panels: int) -> tuple[int, list[str]]:
    """Return the columns of a legend below the axes, and its names, broken into lines."""
    room = int(page.width * LETTERS * 8.0 / page.small * 1.1)
    longest = max(map(len, labels), default=0)
    columns = int(np.clip(room // (longest + HANDLE), 1, 4 if panels > 1 else 2))
    return columns, ["\n".join(textwrap.wrap(label, max(room - HANDLE, 20))) for label in labels]


def _grid(one: GroupedFigure, page: Page) -> tuple[int, int]:
    count = _images(one) or len(one.panels)
    if one.columns and one.columns <= (3 if page.compact else 6):
        return math.ceil(count / one.columns), one.columns
    columns = count if count <= 3 else 2 if count == 4 else 3 if count <= 9 else 4
    columns = min(columns, 2) if page.compact else columns
    return math.ceil(count / columns), columns


def _draw(part: SubFigure, one: GroupedFigure, page: Page, width: float) -> None:
    rows, columns = _grid(one, page)
    title: dict[str, Any] = {"fontweight": "bold", "x": 0.01, "ha": "left"}
    title["fontsize"] = matplotlib.rcParams["axes.titlesize"]
    if lines := page.lines(one, width):
        space = page.line * (len(lines) + 0.4)
        heights = [max(_height(one, page, width) - space, space), space]
        part, below_it = part.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
        words = "\n".join(lines)
        below_it.text(0.01, 1.0, words, fontsize=page.small, color=palette.FAINT, ha="left", va="top")
    if count := _images(one):
        shares = _shares(one) if rows == 1 else None
        axes = part.subplots(rows, columns, squeeze=False, width_ratios=shares)
        every = axes.ravel()
        draw_images(list(every[:count]), one.panels[0])
        for empty in every[count:]:
            empty.set_visible(False)
        if columns > 2 or (page.compact and count > 1):
            small: dict[str, Any] = {
                "fontsize": matplotlib.rcParams["legend.fontsize"],
                "fontweight": "normal",
            }
            for here in every[:count]:
                here.set_title(here.get_title(loc="left"), loc="left", **small)
        for here in axes[:-1].ravel():
            here.set_xlabel("")
        for here in axes[:, 1:].ravel():
            here.set_ylabel("")
        if one.title and count > 1:  # of a single image, its own title says it
            part.suptitle(in_print(one.title), **title)
        return
    several, below = len(one.panels) > 1, bool(one.ratios)
    if several and one.title:
        part.suptitle(in_print(one.title), **title)
    axes = part.subplots(
        rows * (1 + below), columns, squeeze=False, sharex=True,
        height_ratios=[1.0, RATIO] * rows if below else None,
    )  # fmt: skip
    panels = one.panels
    if several and page.compact:  # no room for the names of bands
        bare = [tuple(replace(band, label="") for band in one.bands) for one in panels]
        panels = tuple(replace(one, bands=bands) for one, bands in zip(panels, bare, strict=True))
    main = _fill(axes[:: 1 + below], panels)
    if below:
        for here in _fill(axes[1::2], one.ratios):
            here.axhline(1.0, color=palette.IDEAL, lw=0.8, ls=":")
        for here in main:
            here.set_xlabel("")
            here.tick_params(labelbottom=False)
    if several or below or page.compact:
        _name_together(part, main, page)


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


def _name_together(part: SubFigure, axes: Sequence[Axes], page: Page) -> None:
    """Replace the legends of axes by one below them where they name the same."""
    named: dict[str, Artist] = {}
    for one in axes:
        handles, labels = one.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if not named or len(named) > MOST_NAMED:
        return
    for one in axes:
        if (legend := one.get_legend()) is not None:
            legend.remove()
    columns, words = _legend(list(named), page, len(axes))
    style: dict[str, Any] = {"loc": "outside lower center", "ncols": columns, "columnspacing": 1.2}
    part.legend(list(named.values()), words, **style)


def _same_limits(axes: Sequence[Axes]) -> None:
    """Give all axes the limits that hold what each shows."""
    drawn = [one for one in axes if one.lines or one.collections or one.patches]
    if len(drawn) < 2:
        return
    limits = np.array([[*one.get_xlim(), *one.get_ylim()] for one in drawn])
    for one in drawn:
        one.set_xlim(limits[:, 0].min(), limits[:, 1].max())
        one.set_ylim(limits[:, 2].min(), limits[:, 3].max())
