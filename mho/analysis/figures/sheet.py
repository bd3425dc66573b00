"""A sheet with the figures of a run, or of several runs laid over one another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

import matplotlib
import matplotlib.figure
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mho.analysis import palette
from mho.analysis.figures.drawing import compose
from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.rendering.axes import draw_axes
from mho.analysis.figures.rendering.images import draw_images, place_images
from mho.analysis.figures.rendering.lettering import say_nothing_there
from mho.analysis.figures.values.figure_reading import gather
from mho.analysis.figures.values.figures_of_run import LEADING, figure_of, figures_of, find_figure, fits
from mho.analysis.grouping import short_names
from mho.analysis.reports.summary import read_bench
from mho.escaping import visible
from mho.runs import RunFile, Status
from mho.runs.figures import Figure

Form = Literal["png", "svg", "pdf"]
CSS_DOTS = 96.0  # pixels of a page in an inch
UNUSED = ("GSUB", "GPOS", "GDEF", "kern")
"""Tables of ligatures and kerning: a PDF has a place for every letter already. They take two thirds of the time that it
takes to cut a font down, 0.1 s, and a figure has three."""


@contextmanager
def embedded_fonts() -> Iterator[None]:
    """Have Matplotlib embed fonts without unused tables, as long as the context lasts."""
    from fontTools import subset  # Matplotlib's own way to embed TrueType fonts

    class Options(subset.Options):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.drop_tables: list[str] = [*self.drop_tables, *UNUSED]

    usual, subset.Options = subset.Options, Options
    try:
        yield
    finally:
        subset.Options = usual


WIDTH, HEIGHT = 11.0, 7.0  # inches
PANEL_HEIGHT = 2.9  # of one among several above each other, at least
ALONE = (7.0, 4.8)  # of a figure alone
DOTS = 160  # per inch
MOST = 20  # figures on one sheet
SIMULATED = "SIMULATED"  # on every sheet of runs of a virtual bench

STYLE: dict[Any, object] = {
    "font.size": 10.0, "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.labelsize": 10.0,
    "xtick.labelsize": 9.0, "ytick.labelsize": 9.0, "legend.fontsize": 9.0, "legend.frameon": False,
    "axes.edgecolor": palette.FAINT, "axes.labelcolor": palette.INK, "text.color": palette.INK,
    "xtick.color": palette.INK, "ytick.color": palette.INK,
    "text.parse_math": False,  # a $ in a title is a $
    "svg.hashsalt": "mho",  # the same run gives the same file
    "agg.path.chunksize": 1000,  # a line that goes up and down 20,000 times takes 400 MB in one piece
}  # fmt: skip

NARROW = 4.5  # inches: a sheet below it has the letters of a journal's column
NARROW_STYLE: dict[Any, object] = {
    "font.size": 7.0, "axes.titlesize": 7.5, "axes.labelsize": 7.5, "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5, "legend.fontsize": 6.5, "lines.markersize": 4.5, "axes.linewidth": 0.6,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6,
}  # fmt: skip


class Sheet(matplotlib.figure.Figure):
    """Matplotlib's figure, which shows itself at the end of a notebook's cell.

    Matplotlib's own does so only where pyplot is loaded (``%matplotlib inline``), and mho's are not registered with it.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture, and width and height at which a page shows it: its own, whatever its dots per inch."""
        picture = BytesIO()
        self.savefig(picture, format="png")
        width, height = self.get_size_inches()
        return picture.getvalue(), {"width": round(width * CSS_DOTS), "height": round(height * CSS_DOTS)}


def draw_runs(runs: Sequence[RunFile], figure: str = "", *, every: bool = False) -> Sheet:
    """Draw runs from their present files: the leading figures of the first, or `every` one, or one by its name.

    Raises `RunFileError`: when a file is damaged, or lacks the figure or its data.
    """
    figures = (figure_of(runs[0], figure),) if figure else figures_of(runs[0])
    figures = tuple(_with_beside(one, runs[1:]) for one in figures)
    title = _title(runs)
    most = MOST if every else LEADING
    if len(figures) > most:
        title += f"   ·   {most} of {len(figures)} figures"
    drawings = [(one.is_image, _composed(one, runs, must=bool(figure))) for one in figures[:most]]
    planes = [drawing for is_map, drawing in drawings if not is_map]
    return _sheet(planes, [drawing for is_map, drawing in drawings if is_map], title)


def _with_beside(figure: Figure, others: Sequence[RunFile]) -> Figure:
    """Return a figure with what stands beside it in another run, where the first is of before there was any."""
    if figure.beside:
        return figure
    named = (find_figure(run, figure.name) for run in others)
    beside = (one.beside for one in named if one is not None and one.beside and one.table == figure.table)
    return replace(figure, beside=next(beside, ""))


def draw_panels(title: str, drawings: Sequence[Drawing]) -> Sheet:
    """Draw figures that are made of marks already, none of them of images, on one sheet."""
    more = f"   ·   {MOST} of {len(drawings)} figures" if len(drawings) > MOST else ""
    return _sheet(drawings[:MOST], [], visible(title + more, lines=False))


def draw_alone(run: RunFile, figure: Figure, size: tuple[float, float], dots: int, newest: int) -> Sheet:
    """Draw the `newest` rows of one figure on a sheet of its own (inches), with no title; errors as `draw_runs`."""
    return draw_drawing(compose(figure, [gather(run, figure, newest)]), size, dots)


def draw_drawing(drawing: Drawing, size: tuple[float, float], dots: int) -> Sheet:
    """Draw a figure that is made of marks or images already on a sheet of its own (inches), with no title."""
    return _sheet(*([], [drawing]) if drawing.images else ([drawing], []), size=size, dots=dots)


def _sheet(
    planes: Sequence[Drawing], maps: Sequence[Drawing], title: str = "", size: tuple[float, float] | None = None,
    dots: int = DOTS,
) -> Sheet:  # fmt: skip
    """Return a sheet of figures, of the `size` that they need if none is given, inches."""
    size = size or _size(len(planes), len(maps))
    with matplotlib.rc_context(STYLE | (NARROW_STYLE if size[0] < NARROW else {})):
        sheet = Sheet(figsize=size, dpi=dots, layout="constrained")
        FigureCanvasAgg(sheet)
        if title:
            sheet.suptitle(title, fontsize=12.5, fontweight="bold", x=0.01, ha="left")
        _fill(sheet, planes, maps)
    return sheet


def save(sheet: Sheet, path: Path, form: Form, *, text: bool = False) -> None:
    """Write a sheet to `path`; nothing in the file depends on when or where that is done.

    With `text` the letters of a vector picture stay letters, for a paper that sets them anew; else an SVG holds their
    outlines, and is the same on every machine.
    """
    with path.open("wb") as file:
        save_to(sheet, file, form, text=text)


def save_to(sheet: Sheet, file: IO[bytes], form: Form, *, text: bool = False) -> None:
    """Write a sheet to an open file, as `save`."""
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    fonts: dict[Any, object] = {"svg.fonttype": "none", "pdf.fonttype": 42} if text else {}
    with (
        matplotlib.rc_context({**STYLE, **fonts}),
        embedded_fonts() if fonts and form == "pdf" else nullcontext(),
    ):
        sheet.savefig(file, format=form, metadata=metadata)


def _composed(figure: Figure, runs: Sequence[RunFile], *, must: bool) -> Drawing:
    """Compose a figure of all runs that have it; one that is asked for by its name `must` be in every run."""
    named = list(zip(runs, short_names([run.path for run in runs]), strict=True))
    those = [one for one in named if must or one[0] is runs[0] or fits(one[0], figure)]
    return overlay(figure, those, [name for run, name in named if (run, name) not in those])


def overlay(figure: Figure, runs: Sequence[tuple[RunFile, str]], without: Sequence[str]) -> Drawing:
    """Return a figure of runs by their names, laid over one another; it says `without` which other ones it is."""
    drawing = compose(
        figure, [replace(gather(run, figure), run=visible(name, lines=False)) for run, name in runs]
    )
    notes = [drawing.note] * bool(drawing.note) + [f"not in {', '.join(without)}"] * bool(without)
    return replace(drawing, note=visible("; ".join(notes), lines=False)) if without else drawing


def _size(planes: int, maps: int) -> tuple[float, float]:
    """Return width and height of a sheet, inches."""
    if planes + maps == 1:
        return ALONE
    columns, rows = _grid(planes, maps)
    width = WIDTH if columns + bool(maps) <= 2 else WIDTH + 4.5
    return width, max(HEIGHT, PANEL_HEIGHT * max(rows, maps))


def _grid(planes: int, maps: int) -> tuple[int, int]:
    """Return columns and rows of the figures that are not maps; maps take a column of their own beside them."""
    columns = 1 if planes <= (3 if maps else 1) else 2 if planes <= 8 else 3
    return columns, math.ceil(planes / columns)


def _fill(sheet: Sheet, planes: Sequence[Drawing], maps: Sequence[Drawing]) -> None:
    if not planes and not maps:
        say_nothing_there(sheet.subplots(), "", "no table or map with a measurement")
        return
    columns, rows = _grid(len(planes), len(maps))
    shares = [float(columns)] * bool(planes) + [1.05] * bool(maps)
    parts = iter(sheet.subfigures(1, len(shares), width_ratios=shares, squeeze=False)[0])
    if planes:
        panels = next(parts).subplots(rows, columns, squeeze=False).ravel()
        for axes, drawing in zip(panels, planes, strict=False):
            draw_axes(axes, drawing)
        for axes in panels[len(planes) :]:
            axes.set_visible(False)
    if maps:
        for part, drawing in zip(
            next(parts).subfigures(len(maps), 1, squeeze=False)[:, 0], maps, strict=True
        ):
            draw_images(place_images(part, drawing), drawing)


def _title(runs: Sequence[RunFile]) -> str:
    """Name the run and how it stands; of several, what they have in common."""
    first = runs[0]
    titles, states = {run.title for run in runs}, {run.status for run in runs} - {Status.FINISHED}
    parts = [first.title if len(titles) == 1 else f"{first.procedure} and others"]
    parts.append(first.path.name if len(runs) == 1 else f"{len(runs)} runs")
    parts += sorted(map(str, states))
    if any(read_bench(run).preset is not None for run in runs):
        parts.append(SIMULATED)
    return visible("   ·   ".join(parts), lines=False)
