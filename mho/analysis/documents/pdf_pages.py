"""A page as a PDF: the same blocks on sheets of A4, with an outline, page numbers, and figures as vectors.

ReportLab sets text and tables and leaves room for figures; each figure is a PDF of Matplotlib, which pypdf puts into its
place. Fonts are DejaVu, which Matplotlib brings: they have µ, Ω and superscripts. Nothing in the file depends on when or
where it is made.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from mho.analysis.documents import blocks
from mho.analysis.documents.pdf_tables import FIGURE_GAP, TypeSetting, fitted_tables, with_headings
from mho.analysis.documents.pictures import print_picture
from mho.analysis.figures.over_runs.groups_of_runs import GroupedFigure
from mho.errors import InputError
from mho.escaping import visible

NEEDED = ("reportlab", "pypdf")
LARGEST_MAPS = 0.42  # height of maps of several runs, as a share of the page's


def check_installed() -> None:
    """Refuse to begin where the packages that write PDF are missing.

    Raises `InputError`: saying which, and how to install them.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"a PDF needs {' and '.join(missing)}: pip install 'mho[report]', or name a page that ends in .html"
        )


@dataclass
class PlacedFigure:
    """A figure's place on the pages, in points from their lower left corner, and its PDF."""

    page: int
    x: float
    y: float
    scale: float
    data: bytes


def pdf_pages(document: blocks.Document) -> bytes:
    """Return the PDF; the same document gives the same bytes.

    Raises `InputError`: the packages that write PDF are not installed.
    """
    check_installed()
    from reportlab.platypus import SimpleDocTemplate

    setting = TypeSetting.loaded()
    placed: list[PlacedFigure] = []
    anchors = {one.anchor for one in document.blocks if isinstance(one, blocks.Heading) and one.anchor}
    composer = _Composer(setting, placed, anchors)
    story = [composer.title(document.title)]
    for block in document.blocks:
        story += composer.flowables(block)
    buffer = io.BytesIO()
    margin = setting.margin
    sheets = SimpleDocTemplate(
        buffer, pagesize=setting.page, leftMargin=margin, rightMargin=margin, topMargin=margin, bottomMargin=margin,
        title=visible(document.title, lines=False), subject=visible(document.subject, lines=False), author="mho",
        creator="mho", invariant=1,
    )  # fmt: skip
    footer = _Footer(setting, visible(document.title, lines=False))
    sheets.build(with_headings(story), onFirstPage=footer, onLaterPages=footer)
    return _with_figures(buffer.getvalue(), placed)


def _with_figures(pages: bytes, placed: Sequence[PlacedFigure]) -> bytes:
    """Put the figures into their places."""
    from pypdf import PdfReader, PdfWriter, Transformation

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pages)))
    for one in placed:
        figure = PdfReader(io.BytesIO(one.data)).pages[0]
        place = Transformation().scale(one.scale).translate(one.x, one.y)
        writer.pages[one.page - 1].merge_transformed_page(figure, place)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


class _Footer:
    """Title and page number at the foot of each page."""

    def __init__(self, setting: TypeSetting, title: str) -> None:
        self.setting, self.title = setting, title if len(title) < 90 else f"{title[:90]}…"

    def __call__(self, canvas: Any, document: Any) -> None:
        setting = self.setting
        canvas.saveState()
        canvas.setFont(setting.font, 7.0)
        canvas.setFillColor(setting.colour("dim"))
        canvas.drawString(setting.margin, setting.margin - 14.0, self.title)
        canvas.drawRightString(
            setting.page[0] - setting.margin, setting.margin - 14.0, str(canvas.getPageNumber())
        )
        canvas.restoreState()


class _Composer:
    """Makes of blocks what ReportLab sets."""

    def __init__(self, setting: TypeSetting, placed: list[PlacedFigure], anchors: set[str]) -> None:
        self.setting, self.placed, self.anchors = setting, placed, anchors

    def title(self, text: str) -> Any:
        return self.setting.paragraph(self._escaped(text), "title")

    def flowables(self, block: blocks.Block) -> list[Any]:
        return list(self._flowables(block))

    def _flowables(self, block: blocks.Block) -> Iterator[Any]:
        setting = self.setting
        match block:
            case blocks.Heading():
                anchor = f'<a name="{self._escaped(block.anchor)}"/>' if block.anchor else ""
                style = f"h{min(max(block.level, 2), 4)}"
                yield setting.heading(
                    anchor + self._escaped(block.text), style, visible(block.text, lines=False)
                )
            case blocks.Paragraph():
                yield setting.paragraph(self._marked(block.words), block.tone or "body")
            case blocks.FactList():
                rows = [(name, words) for name, words in block.rows]
                yield from fitted_tables(setting, ("", ""), rows, (), self._marked)
            case blocks.Grid():
                yield from fitted_tables(setting, block.head, block.rows, block.numbers, self._marked)
                if block.note:
                    yield setting.paragraph(self._escaped(block.note), "note")
            case blocks.Listing():
                yield setting.listing(visible(block.text).expandtabs(4))
            case blocks.Pictures():
                yield from self._pictures(block.pictures)
            case blocks.Folded():
                yield setting.heading(self._escaped(block.summary), "h4", "")
                for one in block.blocks:
                    yield from self._flowables(one)

    def _pictures(self, pictures: Sequence[blocks.Picture]) -> Iterator[Any]:
        """Set figures two beside one another, wide ones and those over groups alone."""
        waiting: list[Any] = []
        half = (self.setting.width - FIGURE_GAP) / 2.0
        for picture in pictures:
            if picture.drawing is None:
                told = f"{picture.title}: not drawn: {picture.trouble}"
                yield self.setting.paragraph(self._escaped(told), "dim")
                continue
            data, (width, height) = print_picture(picture.drawing, wide=picture.wide)
            alone = picture.wide or width > 5.0
            room = self.setting.width if alone else half
            scale = min(room / (72.0 * width), 1.0)
            several = isinstance(picture.drawing, GroupedFigure) and picture.drawing.panels[0].images
            if several:  # smaller rather than half a page empty before it
                room = LARGEST_MAPS * (self.setting.page[1] - 2.0 * self.setting.margin)
                scale = min(scale, room / (72.0 * height))
            box = self.setting.figure_box(
                72.0 * width * scale, 72.0 * height * scale, self._place(data, scale)
            )
            if alone:
                yield from self.setting.figure_rows([waiting] if waiting else [])
                waiting = []
                yield box
            else:
                waiting.append(box)
                if len(waiting) == 2:
                    yield from self.setting.figure_rows([waiting])
                    waiting = []
        if waiting:
            yield from self.setting.figure_rows([waiting])

    def _place(self, data: bytes, scale: float) -> Any:
        return lambda page, x, y: self.placed.append(PlacedFigure(page, x, y, scale, data))

    def _marked(self, words: blocks.Words) -> str:
        """Return words in ReportLab's markup."""
        if len(blocks.plain(words)) > blocks.LONGEST_WORDS:
            words = f"{blocks.plain(words)[: blocks.LONGEST_WORDS]} …"
        return "".join(self._span(part) for part in (words if isinstance(words, tuple) else (words,)))

    def _span(self, part: str | blocks.TextSpan) -> str:
        if not isinstance(part, blocks.TextSpan):
            return self._escaped(part)
        shown = self._escaped(part.text)
        if part.link in self.anchors:
            return f'<link href="#{self._escaped(part.link)}">{shown}</link>'
        if part.tone == "code":
            return f'<font face="{self.setting.mono}">{shown}</font>'
        return f'<font color="{self.setting.hexadecimal(part.tone)}">{shown}</font>' if part.tone else shown

    def _escaped(self, text: str) -> str:
        from mho.escaping import html

        return html(text).replace("\n", "<br/>")
