"""The figures of a page: as SVG or PNG on a screen, as PDF in print, and in words for who cannot see them.

A figure's SVG stands in the page as an image of its own: no identifier of one meets that of another, and no browser
executes what is in it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from mho.analysis.figures import Drawing, GroupedFigure, draw_compared, draw_drawing, save_to
from mho.analysis.reports import handy_unit

if TYPE_CHECKING:
    from mho.analysis.figures import Sheet

SIZE, WIDE = (6.0, 4.0), (9.0, 4.2)  # inches, on a screen
PRINTED, PRINTED_WIDE = (3.7, 2.9), (7.2, 3.2)  # in print
DOTS = 130  # per inch
MOST_POINTS = 4000  # points of curves up to which a figure is SVG
LARGEST_SVG = 160_000  # bytes of an SVG beyond which PNG is tried
NAMED = 6  # curves that the words for a figure name


def screen_picture(
    drawing: Drawing | GroupedFigure, *, wide: bool = False, pixels: bool = False
) -> tuple[str, bytes]:
    """Return a figure for a screen, its media type and its bytes; the same drawing gives the same bytes."""
    sheet = _sheet(drawing, WIDE if wide else SIZE)
    if pixels or _points(drawing) > MOST_POINTS:
        return "image/png", _saved(sheet, "png")
    vector = _saved(sheet, "svg")
    if len(vector) <= LARGEST_SVG:
        return "image/svg+xml", vector
    raster = _saved(sheet, "png")
    return ("image/png", raster) if len(raster) < len(vector) else ("image/svg+xml", vector)


def print_picture(
    drawing: Drawing | GroupedFigure, *, wide: bool = False
) -> tuple[bytes, tuple[float, float]]:
    """Return a figure as a PDF of one page, and its width and height in inches."""
    sheet = _sheet(drawing, PRINTED_WIDE if wide else PRINTED)
    width, height = sheet.get_size_inches()
    return _saved(sheet, "pdf"), (float(width), float(height))


def alt_text(drawing: Drawing | GroupedFigure, *, curves: bool = True) -> str:
    """Return what a figure shows, in words; without the names of its `curves` what stands below it, beside its legend."""
    if isinstance(drawing, GroupedFigure):
        panels = "; ".join(alt_text(one, curves=curves) for one in drawing.panels[:NAMED])
        return "; ".join(filter(None, (panels, drawing.note)))
    if drawing.nothing:
        return f"{drawing.title}: {drawing.nothing}"
    if drawing.images:
        every = np.concatenate([one.values[np.isfinite(one.values)].ravel() for one in drawing.images])
        sizes = ", ".join(f"{one.name} ({len(one.rows)} x {len(one.columns)})" for one in drawing.images)
        return f"{drawing.title}: map of {drawing.y.name}, {sizes}; {_range(every, drawing.y.unit)}"
    what = f"{drawing.y.name} over {drawing.x.name}" if drawing.y.name else drawing.x.name
    names = [mark.label for mark in drawing.marks if mark.label and curves]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    named = f"; {', '.join(names[:NAMED])}{more}" if names else ""
    x = np.concatenate([mark.x for mark in drawing.marks] or [np.empty(0)])
    said = f"; {drawing.x.name} {_range(x, drawing.x.unit)}"
    if drawing.y_scale != "probability":
        y = np.concatenate([mark.y for mark in drawing.marks] or [np.empty(0)])
        said += f", {drawing.y.name} {_range(y, drawing.y.unit)}"
    named = named if drawing.title.casefold() == what.casefold() else f": {what}{named}"
    return f"{drawing.title}{named}{said}"


def _range(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], unit: str) -> str:
    known = values[np.isfinite(values)]
    factor, handy = handy_unit(unit)
    if not known.size:
        return "without values"
    return f"from {factor * known.min():.3g} to {factor * known.max():.3g} {handy}".rstrip()


def _points(drawing: Drawing | GroupedFigure) -> int:
    if isinstance(drawing, GroupedFigure):
        return sum(map(_points, (*drawing.panels, *drawing.ratios)))
    return sum(len(mark.x) for mark in drawing.marks)


def _sheet(drawing: Drawing | GroupedFigure, size: tuple[float, float]) -> Sheet:
    if isinstance(drawing, GroupedFigure):
        return draw_compared("", [drawing])
    return draw_drawing(drawing, size, DOTS)


def _saved(sheet: Sheet, form: str) -> bytes:
    buffer = io.BytesIO()
    save_to(sheet, buffer, form)  # type: ignore[arg-type]
    return buffer.getvalue()
