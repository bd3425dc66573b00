"""A page as a PDF: the same blocks on sheets of A4, with an outline, page numbers, and figures as vectors.

ReportLab sets text and tables and leaves room for figures; each figure is a PDF of Matplotlib, which pypdf puts into its
place. Fonts are DejaVu, which Matplotlib brings: they have µ, Ω and superscripts. Nothing in the file depends on when or
where it is made.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

from pypdf import PdfReader, PdfWriter, Transformation
from reportlab.platypus import Preformatted, SimpleDocTemplate

from mho.analysis.figures import GroupedFigure
from mho.escaping import html, visible
from mho.extensions.report_pages.documents import blocks
from mho.extensions.report_pages.documents import pdf_tables as setting
from mho.extensions.report_pages.documents.pdf_tables import MARGIN, PAGE, WIDTH
from mho.extensions.report_pages.documents.pictures import print_picture

LARGEST_MAPS = 0.42  # height of maps of several runs, as a share of the page's


PlacedFigure = tuple[
    int, float, float, float, bytes
]  # page, place from its lower left corner (points), scale, and PDF


def pdf_pages(document: blocks.Document) -> bytes:
    """Return the PDF; the same document gives the same bytes."""
    placed: list[PlacedFigure] = []
    anchors = {one.anchor for one in document.blocks if isinstance(one, blocks.Heading) and one.anchor}
    composer = _Composer(placed, anchors, document.unfolded)
    story = [setting.paragraph(_escaped(document.title), "title")]
    for block in document.blocks:
        story += composer.flowables(block)
    buffer = io.BytesIO()
    title = visible(document.title, lines=False)
    sheets = SimpleDocTemplate(
        buffer, pagesize=PAGE, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN, title=title,
        subject=visible(document.subject, lines=False), author="mho", creator="mho", invariant=1,
    )  # fmt: skip

    def footer(canvas: Any, _: Any) -> None:
        """Set title and page number at the foot of a page."""
        canvas.saveState()
        canvas.setFont(setting.FONT, 7.0)
        canvas.setFillColor(setting.colour("dim"))
        canvas.drawString(MARGIN, MARGIN - 14.0, title if len(title) < 90 else f"{title[:90]}…")
        canvas.drawRightString(PAGE[0] - MARGIN, MARGIN - 14.0, str(canvas.getPageNumber()))
        canvas.restoreState()

    sheets.build(setting.with_headings(story), onFirstPage=footer, onLaterPages=footer)
    return _with_figures(buffer.getvalue(), placed)


def _with_figures(pages: bytes, placed: Sequence[PlacedFigure]) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pages)))
    for page, x, y, scale, data in placed:
        figure = PdfReader(io.BytesIO(data)).pages[0]
        writer.pages[page - 1].merge_transformed_page(figure, Transformation().scale(scale).translate(x, y))
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


class _Composer:
    """Makes of blocks what ReportLab sets."""

    def __init__(self, placed: list[PlacedFigure], anchors: set[str], unfolded: bool) -> None:
        self.placed, self.anchors, self.unfolded = placed, anchors, unfolded

    def flowables(self, block: blocks.Block) -> Iterator[Any]:
        """Yield what a block becomes."""
        match block:
            case blocks.Heading():
                anchor = f'<a name="{_escaped(block.anchor)}"/>' if block.anchor else ""
                style = f"h{min(max(block.level, 2), 4)}"
                yield setting.heading(anchor + _escaped(block.text), style, visible(block.text, lines=False))
            case blocks.Paragraph():
                yield setting.paragraph(self._marked(block.words), block.tone or "body")
            case blocks.FactList():
                yield from setting.fitted_tables(("", ""), block.rows, (), self._marked)
            case blocks.Grid():
                yield from setting.fitted_tables(block.head, block.rows, block.numbers, self._marked)
                if block.note:
                    yield setting.paragraph(_escaped(block.note), "note")
            case blocks.Listing():  # its long lines are broken
                text = visible(block.text).expandtabs(4)
                yield Preformatted(text, setting.styles()["listing"], maxLineLength=setting.LONGEST_LINE)
            case blocks.Pictures():
                yield from self._pictures(block.pictures)
            case blocks.VerdictBox():
                for one in block.blocks:
                    yield from self.flowables(one)
            case blocks.Folded() if not self.unfolded:
                yield setting.paragraph(_escaped(f"▸ {block.summary}"), "dim")
            case blocks.Folded():
                yield setting.heading(_escaped(block.summary), "h4", "")
                for one in block.blocks:
                    yield from self.flowables(one)

    def _pictures(self, pictures: Sequence[blocks.Picture]) -> Iterator[Any]:
        """Set figures two beside one another, wide ones and those over groups alone."""
        waiting: list[Any] = []
        for picture in pictures:
            if picture.drawing is None:
                yield setting.paragraph(_escaped(f"{picture.title}: not drawn: {picture.trouble}"), "dim")
                continue
            data, (width, height) = print_picture(picture.drawing, wide=picture.wide)
            alone = picture.wide or width > 5.0
            room = WIDTH if alone else (WIDTH - setting.FIGURE_GAP) / 2.0
            scale = min(room / (72.0 * width), 1.0)
            if isinstance(picture.drawing, GroupedFigure) and picture.drawing.panels[0].images:
                # rather smaller than half a page empty before it
                scale = min(scale, LARGEST_MAPS * (PAGE[1] - 2.0 * MARGIN) / (72.0 * height))
            box = setting.FigureBox(72.0 * width * scale, 72.0 * height * scale, self._place(data, scale))
            if not alone:
                waiting.append(box)
            if waiting and (alone or len(waiting) == 2):
                yield setting.figure_row(waiting)
                waiting = []
            if alone:
                yield box
        if waiting:
            yield setting.figure_row(waiting)
        yield from (setting.paragraph(_escaped(one.caption), "note") for one in pictures if one.caption)

    def _place(self, data: bytes, scale: float) -> Any:
        return lambda page, x, y: self.placed.append((page, x, y, scale, data))

    def _marked(self, words: blocks.Words) -> str:
        """Return words in ReportLab's markup."""
        if len(blocks.plain(words)) > blocks.LONGEST_WORDS:
            words = f"{blocks.plain(words)[: blocks.LONGEST_WORDS]} …"
        return "".join(self._span(part) for part in (words if isinstance(words, tuple) else (words,)))

    def _span(self, part: str | blocks.TextSpan) -> str:
        if not isinstance(part, blocks.TextSpan):
            return _escaped(part)
        shown = _escaped(part.text)
        if part.link in self.anchors:
            return f'<link href="#{_escaped(part.link)}">{shown}</link>'
        if part.tone == "code":
            return f'<font face="{setting.MONO}">{shown}</font>'
        return (
            f'<font color="{setting.COLOURS.get(part.tone, setting.COLOURS[""])}">{shown}</font>'
            if part.tone
            else shown
        )


def _escaped(text: str) -> str:
    return html(text).replace("\n", "<br/>")
