"""Styles, tables and room for figures of a PDF: what `pdf_pages` sets its blocks with."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mho.analysis.documents.blocks import Words, plain

MARGIN = 40.0  # points
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
FONTS = {"mho": "DejaVuSans.ttf", "mho-bold": "DejaVuSans-Bold.ttf", "mho-mono": "DejaVuSansMono.ttf"}


@dataclass(frozen=True)
class TypeSetting:
    """Page, fonts and styles."""

    page: tuple[float, float]  # (width, height): A4, points
    styles: dict[str, Any] = field(default_factory=dict)  # paragraph styles by name
    margin: float = MARGIN
    font: str = "mho"
    bold: str = "mho-bold"
    mono: str = "mho-mono"

    @classmethod
    @functools.cache
    def loaded(cls) -> Self:
        """Register the fonts, and return the setting."""
        from matplotlib import get_data_path
        from reportlab.lib.enums import TA_RIGHT
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont

        folder = Path(get_data_path()) / "fonts" / "ttf"
        for name, file in FONTS.items():
            pdfmetrics.registerFont(TTFont(name, str(folder / file)))
        pdfmetrics.registerFontFamily(
            "mho", normal="mho", bold="mho-bold", italic="mho", boldItalic="mho-bold"
        )

        def style(name: str, size: float, **more: Any) -> Any:
            given = {"fontName": "mho", "splitLongWords": 1, "textColor": COLOURS.get(name, "#000000")} | more
            return ParagraphStyle(name, fontSize=size, leading=LEADING * size, **given)

        heads = {}
        for name, size, before in (("h2", 12.0, 14), ("h3", 10.0, 9), ("h4", 8.5, 7)):
            bold = {"fontName": "mho-bold", "spaceBefore": before, "spaceAfter": 3, "keepWithNext": 1}
            heads[name] = style(name, size, **bold)
        tones = {name: style(name, 8.5, spaceBefore=2, spaceAfter=3) for name in COLOURS if name}
        styles = {
            **heads,
            **tones,
            "title": style("title", 16.0, fontName="mho-bold", spaceAfter=6),
            "listing": style("listing", 6.2, fontName="mho-mono", spaceAfter=4),
            **{f"cell{size}": style("cell", size) for size in SIZES},
            **{f"head{size}": style("head", size, fontName="mho-bold") for size in SIZES},
        }
        for size in SIZES:
            styles[f"number{size}"] = style("number", size, fontName="mho-bold", alignment=TA_RIGHT)
        return cls((float(A4[0]), float(A4[1])), styles)

    @property
    def width(self) -> float:
        """Width between the margins, points."""
        return self.page[0] - 2.0 * self.margin - 12.0  # the frame's own padding

    def colour(self, tone: str) -> Any:
        """Return a tone's colour."""
        from reportlab.lib.colors import HexColor

        return HexColor(self.hexadecimal(tone))

    def hexadecimal(self, tone: str) -> str:
        """Return a tone's colour as text."""
        return COLOURS.get(tone, "#000000")

    def paragraph(self, marked: str, style: str) -> Any:
        """Return a paragraph of marked text."""
        from reportlab.platypus import Paragraph

        return Paragraph(marked, self.styles.get(style, self.styles["body"]))

    def heading(self, marked: str, style: str, outline: str) -> Any:
        """Return a heading that stands in the outline too, "" for none."""
        from reportlab.platypus import Paragraph

        class Outlined(Paragraph):  # type: ignore[misc]
            """A heading that enters itself into the outline where it is drawn."""

            def draw(self) -> None:
                canvas = self.canv
                level = int(style[1]) - 2
                # A level of the outline has one above it.
                level = min(level, getattr(canvas, "_mho_level", -1) + 1)
                canvas._mho_level = level
                key = f"outline-{len(getattr(canvas, '_mho_keys', ()))}"
                canvas._mho_keys = (*getattr(canvas, "_mho_keys", ()), key)
                canvas.bookmarkHorizontal(key, 0, self.height)
                canvas.addOutlineEntry(outline, key, level, closed=level > 0)
                super().draw()

        return (Outlined if outline else Paragraph)(marked, self.styles[style])

    def listing(self, text: str) -> Any:
        """Return a text as it stands; its long lines are broken."""
        from reportlab.platypus import Preformatted

        return Preformatted(text, self.styles["listing"], maxLineLength=LONGEST_LINE)

    def figure_box(self, width: float, height: float, place: Callable[[int, float, float], None]) -> Any:
        """Return room for a figure, which says where it lies when the pages are set."""
        from reportlab.platypus import Flowable

        class Box(Flowable):  # type: ignore[misc]
            """Room for a figure."""

            def __init__(self) -> None:
                super().__init__()
                self.width, self.height = width, height

            def wrap(self, *_: float) -> tuple[float, float]:
                return self.width, self.height

            def draw(self) -> None:
                place(self.canv.getPageNumber(), *self.canv.absolutePosition(0.0, 0.0))

        return Box()

    def figure_rows(self, rows: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """Yield figures two beside one another."""
        from reportlab.platypus import Table, TableStyle

        half = (self.width - FIGURE_GAP) / 2.0 + FIGURE_GAP / 2.0
        for row in rows:
            cells = [[box] for box in row]
            cells += [[]] * (2 - len(cells))
            bare = [(name, (0, 0), (-1, -1), 0) for name in ("LEFTPADDING", "RIGHTPADDING")]
            style = TableStyle([*bare, ("VALIGN", (0, 0), (-1, -1), "TOP")])
            yield Table([cells], colWidths=[half, half], style=style, hAlign="LEFT")


def with_headings(story: Sequence[Any]) -> list[Any]:
    """Return what is set, where headings stay with the beginning of a long table or listing, not with all of it.

    ReportLab keeps a heading and what follows on one page, and leaves the rest of the page before empty.
    """
    from reportlab.platypus import CondPageBreak

    result: list[Any] = []
    headings: list[Any] = []
    for one in story:
        if one.getKeepWithNext():
            headings.append(one)
            continue
        if headings and _is_long(one):
            for heading in headings:
                heading.keepWithNext = 0
            result.append(CondPageBreak(HEADING_ROOM * len(headings) + BEGINNING))
        result += [*headings, one]
        headings = []
    return result + headings


def _is_long(flowable: Any) -> bool:
    """Return whether something set has lines enough to be cut at the end of a page."""
    from reportlab.platypus import Preformatted, Table

    if isinstance(flowable, Preformatted):
        return len(flowable.lines) > MOST_KEPT
    return isinstance(flowable, Table) and len(flowable._cellvalues) > MOST_KEPT


def fitted_tables(
    setting: TypeSetting, head: Sequence[str], rows: Sequence[Sequence[Words]], numbers: Sequence[int],
    marked: Callable[[Words], str],
) -> Iterator[Any]:  # fmt: skip
    """Yield a table in type as small as needed; one still too wide comes in parts, its first column in each."""
    if not rows:
        return
    natural = [_natural(setting, place, head, rows) for place in range(len(head))]
    for size in SIZES:
        full_widths = [size * width + PADDING + SLACK for width in natural]
        least = [width if place in numbers else min(width, WIDEST) for place, width in enumerate(full_widths)]
        if sum(least) <= setting.width:
            widths = _shared(least, full_widths, setting.width)
            yield _table(setting, head, rows, numbers, marked, widths, size)
            return
    for places in _parts(least, setting.width):
        kept = [least[place] for place in places]
        full = [full_widths[place] for place in places]
        widths = _shared(kept, full, setting.width)
        part = [[row[place] if place < len(row) else "" for place in places] for row in rows]
        aligned = [new for new, place in enumerate(places) if place in numbers]
        yield _table(setting, [head[place] for place in places], part, aligned, marked, widths, size)


def _natural(setting: TypeSetting, place: int, head: Sequence[str], rows: Sequence[Sequence[Words]]) -> float:
    """Return the width of a column in units of the size of its type, without a break within a line."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    texts = [line for row in rows if place < len(row) for line in plain(row[place]).split("\n")]
    longest = sorted(set(texts), key=len)[-64:]  # as many as may be the widest
    widths = [stringWidth(text[:400], setting.font, 1.0) for text in longest]
    return float(max([*widths, stringWidth(head[place], setting.bold, 1.0), 1.0]))


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
    lacking = [max(wanted - width, 0.0) for wanted, width in zip(full, least, strict=True)]
    share = min((room - sum(least)) / sum(lacking), 1.0) if sum(lacking) else 0.0
    return [width + share * lack for width, lack in zip(least, lacking, strict=True)]


def _table(
    setting: TypeSetting, head: Sequence[str], rows: Sequence[Sequence[Words]], numbers: Sequence[int],
    marked: Callable[[Words], str], widths: Sequence[float], size: float,
) -> Any:  # fmt: skip
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.platypus import Paragraph, Table, TableStyle

    cell, title = setting.styles[f"cell{size}"], setting.styles[f"head{size}"]

    def shown(words: Words, width: float) -> Any:
        # A paragraph costs ten times as much as a text, and few cells need one.
        simple = isinstance(words, str) and words.isprintable()
        if simple and stringWidth(words, setting.font, size) <= width - PADDING:
            return words
        return Paragraph(marked(words), cell)

    lines = [[shown(words, width) for words, width in zip(row, widths, strict=False)] for row in rows]
    named = any(head)
    if named:
        right = setting.styles[f"number{size}"]
        styles = [right if place in numbers else title for place in range(len(head))]
        lines.insert(0, [Paragraph(marked(text), style) for text, style in zip(head, styles, strict=True)])
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), setting.font, size, LEADING * size),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
        *((("ALIGN", (place, 0), (place, -1), "RIGHT")) for place in numbers),
    ]
    if named:
        style.append(("LINEBELOW", (0, 0), (-1, 0), 0.5, setting.colour("dim")))
    else:
        style.append(("TEXTCOLOR", (0, 0), (0, -1), setting.colour("dim")))
    return Table(
        lines, colWidths=list(widths), style=TableStyle(style), repeatRows=1 if named else 0, hAlign="LEFT", splitInRow=1,
        spaceBefore=2, spaceAfter=4,
    )  # fmt: skip
