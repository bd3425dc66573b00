"""Styles, tables and room for figures of a PDF: what `pdf_pages` sets its blocks with."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib import get_data_path
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Flowable, Paragraph, Preformatted, Table, TableStyle

from mho.extensions.report_pages.documents.blocks import Words, plain

PAGE = float(A4[0]), float(A4[1])  # width and height, points
MARGIN = 40.0  # points
WIDTH = PAGE[0] - 2.0 * MARGIN - 12.0  # between the margins, less the frame's own padding, points
FIGURE_GAP = 12.0
HEADING_ROOM, BEGINNING = 30.0, 90.0  # points
MOST_KEPT = 10  # lines of a table or listing that stay on one page with their heading
SIZES = (8.0, 7.0, 6.2)  # of the type in a table, points: as large as lets it fit
LEADING = 1.25
PADDING = 8.0  # between two columns, points
WIDEST = 110.0  # of a column of words that is broken into lines where the table is wide, points
SLACK = 1.5  # so that rounding breaks no word, points
LONGEST_LINE = 112  # characters of a line of a listing

COLOURS = {
    "": "#000000", "body": "#000000", "dim": "#4a4f59", "good": "#004d39", "bad": "#8a1010", "doubtful": "#5c3d00",
    "note": "#4a4f59",
}  # fmt: skip
FONT, BOLD, MONO = "mho", "mho-bold", "mho-mono"
FONTS = {FONT: "DejaVuSans.ttf", BOLD: "DejaVuSans-Bold.ttf", MONO: "DejaVuSansMono.ttf"}


@functools.cache
def styles() -> dict[str, Any]:
    """Register the fonts, and return the styles of paragraphs by name."""
    folder = Path(get_data_path()) / "fonts" / "ttf"
    for name, file in FONTS.items():
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)

    def style(name: str, size: float, **more: Any) -> Any:
        given = {"fontName": FONT, "splitLongWords": 1, "textColor": COLOURS.get(name, "#000000")} | more
        return ParagraphStyle(name, fontSize=size, leading=LEADING * size, **given)

    heads = {}
    for name, size, before in (("h2", 12.0, 14), ("h3", 10.0, 9), ("h4", 8.5, 7)):
        bold = {"fontName": BOLD, "spaceBefore": before, "spaceAfter": 3, "keepWithNext": 1}
        heads[name] = style(name, size, **bold)
    return {
        **heads,
        **{name: style(name, 8.5, spaceBefore=2, spaceAfter=3) for name in COLOURS if name},
        "title": style("title", 16.0, fontName=BOLD, spaceAfter=6),
        "listing": style("listing", 6.2, fontName=MONO, spaceAfter=4),
        **{f"cell{size}": style("cell", size) for size in SIZES},
        **{f"head{size}": style("head", size, fontName=BOLD) for size in SIZES},
        **{f"number{size}": style("number", size, fontName=BOLD, alignment=TA_RIGHT) for size in SIZES},
    }


def colour(tone: str) -> Any:
    """Return a tone's colour."""
    return HexColor(COLOURS.get(tone, "#000000"))


def paragraph(marked: str, style: str) -> Any:
    """Return a paragraph of marked text."""
    return Paragraph(marked, styles().get(style, styles()["body"]))


def heading(marked: str, style: str, outline: str) -> Any:
    """Return a heading that stands in the outline too, "" for none."""

    class Outlined(Paragraph):  # type: ignore[misc]
        """A heading that enters itself into the outline where it is drawn."""

        def draw(self) -> None:
            canvas = self.canv
            # A level of the outline has one above it.
            level = min(int(style[1]) - 2, getattr(canvas, "_mho_level", -1) + 1)
            canvas._mho_level = level
            key = f"outline-{len(getattr(canvas, '_mho_keys', ()))}"
            canvas._mho_keys = (*getattr(canvas, "_mho_keys", ()), key)
            canvas.bookmarkHorizontal(key, 0, self.height)
            canvas.addOutlineEntry(outline, key, level, closed=level > 0)
            super().draw()

    return (Outlined if outline else Paragraph)(marked, styles()[style])


class FigureBox(Flowable):  # type: ignore[misc]
    """Room for a figure, which says where it lies when the pages are set."""

    def __init__(self, width: float, height: float, place: Callable[[int, float, float], None]) -> None:
        super().__init__()
        self.width, self.height, self._tell = width, height, place

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return width and height, points."""
        return self.width, self.height

    def draw(self) -> None:
        """Say on which page it is, and where."""
        self._tell(self.canv.getPageNumber(), *self.canv.absolutePosition(0.0, 0.0))


def figure_row(row: Sequence[Any]) -> Any:
    """Return one figure, or two beside one another."""
    half = (WIDTH - FIGURE_GAP) / 2.0 + FIGURE_GAP / 2.0
    cells = [[box] for box in row] + [[]] * (2 - len(row))
    bare = [(name, (0, 0), (-1, -1), 0) for name in ("LEFTPADDING", "RIGHTPADDING")]
    style = TableStyle([*bare, ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return Table([cells], colWidths=[half, half], style=style, hAlign="LEFT")


def with_headings(story: Sequence[Any]) -> list[Any]:
    """Return what is set, where headings stay with the beginning of a long table or listing, not with all of it.

    ReportLab keeps a heading and what follows on one page, and leaves the rest of the page before empty.
    """
    result: list[Any] = []
    headings: list[Any] = []
    for one in story:
        if one.getKeepWithNext():
            headings.append(one)
            continue
        lines = (
            one.lines if isinstance(one, Preformatted) else one._cellvalues if isinstance(one, Table) else ()
        )
        if headings and len(lines) > MOST_KEPT:  # enough to be cut at the end of a page
            for above in headings:
                above.keepWithNext = 0
            result.append(CondPageBreak(HEADING_ROOM * len(headings) + BEGINNING))
        result += [*headings, one]
        headings = []
    return result + headings


def fitted_tables(
    head: Sequence[str], rows: Sequence[Sequence[Words]], numbers: Sequence[int], marked: Callable[[Words], str]
) -> Iterator[Any]:  # fmt: skip
    """Yield a table in type as small as needed; one still too wide comes in parts, its first column in each."""
    if not rows:
        return
    natural = [_natural(place, head, rows) for place in range(len(head))]
    for size in SIZES:
        full_widths = [size * width + PADDING + SLACK for width in natural]
        least = [width if place in numbers else min(width, WIDEST) for place, width in enumerate(full_widths)]
        if sum(least) <= WIDTH:
            widths = _shared(least, full_widths, WIDTH)
            yield _table(head, rows, numbers, marked, widths, size)
            return
    for places in _parts(least, WIDTH):
        least_widths = [least[place] for place in places]
        full = [full_widths[place] for place in places]
        widths = _shared(least_widths, full, WIDTH)
        part = [[row[place] if place < len(row) else "" for place in places] for row in rows]
        aligned = [new for new, place in enumerate(places) if place in numbers]
        yield _table([head[place] for place in places], part, aligned, marked, widths, size)


def _natural(place: int, head: Sequence[str], rows: Sequence[Sequence[Words]]) -> float:
    """Return the width of a column in units of the size of its type, without a break within a line."""
    texts = [line for row in rows if place < len(row) for line in plain(row[place]).split("\n")]
    longest = sorted(set(texts), key=len)[-64:]  # as many as may be the widest
    widths = [pdfmetrics.stringWidth(text[:400], FONT, 1.0) for text in longest]
    return float(max([*widths, pdfmetrics.stringWidth(head[place], BOLD, 1.0), 1.0]))


def _parts(widths: Sequence[float], room: float) -> Iterator[list[int]]:
    """Yield the places of columns that fit together; each part begins with the first one."""
    part, used = [0], widths[0]
    for place in range(1, len(widths)):
        if len(part) > 1 and used + widths[place] > room:
            yield part
            part, used = [0], widths[0]
        part.append(place)
        used += widths[place]
    yield part


def _shared(least: Sequence[float], full: Sequence[float], room: float) -> list[float]:
    """Return widths that fill the room: each column its least, and of the rest as much as it lacks, in shares."""
    if sum(least) >= room:
        return [room * width / sum(least) for width in least]
    lacking = [max(ideal - width, 0.0) for ideal, width in zip(full, least, strict=True)]
    share = min((room - sum(least)) / sum(lacking), 1.0) if sum(lacking) else 0.0
    return [width + share * lack for width, lack in zip(least, lacking, strict=True)]


def _table(
    head: Sequence[str], rows: Sequence[Sequence[Words]], numbers: Sequence[int], marked: Callable[[Words], str],
    widths: Sequence[float], size: float,
) -> Any:  # fmt: skip
    cell, title, right = (styles()[f"{name}{size}"] for name in ("cell", "head", "number"))

    def shown(words: Words, width: float) -> Any:
        # A paragraph costs ten times as much as a text, and few cells need one.
        simple = isinstance(words, str) and words.isprintable()
        if simple and pdfmetrics.stringWidth(words, FONT, size) <= width - PADDING:
            return words
        return Paragraph(marked(words), cell)

    lines = [[shown(words, width) for words, width in zip(row, widths, strict=False)] for row in rows]
    named = any(head)
    if named:
        kinds = [right if place in numbers else title for place in range(len(head))]
        lines.insert(0, [Paragraph(marked(text), kind) for text, kind in zip(head, kinds, strict=True)])
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), FONT, size, LEADING * size),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
        *((("ALIGN", (place, 0), (place, -1), "RIGHT")) for place in numbers),
    ]
    if named:
        style.append(("LINEBELOW", (0, 0), (-1, 0), 0.5, colour("dim")))
    else:
        style.append(("TEXTCOLOR", (0, 0), (0, -1), colour("dim")))
    return Table(
        lines, colWidths=list(widths), style=TableStyle(style), repeatRows=1 if named else 0, hAlign="LEFT", splitInRow=1,
        spaceBefore=2, spaceAfter=4,
    )  # fmt: skip
