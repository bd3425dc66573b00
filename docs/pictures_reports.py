"""Makes the pictures of reports and notebooks: the top of pages and what a cell shows, painted by Qt's reader of HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from PySide6.QtGui import QColor, QFont, QImage, QPainter, QTextDocument

import mho
from mho.extensions.report_pages.campaign_page import campaign_document
from mho.extensions.report_pages.documents import Document
from mho.extensions.report_pages.documents.html_page import html_page
from mho.extensions.report_pages.run_page import run_document
from mho.procedures import Solve

SEEDS, BITS = range(1, 6), (12, 16, 24)
WIDTH = 720  # pixels
STYLE = "td, th { padding-right: 14px } td.n { text-align: right } .dim, .note { color: #5f6878 } .good { color: #00664d }"


def page_of(document: Document) -> str:
    """Return a page as Qt reads it: figures as pixels, two in a row."""
    text = html_page(replace(document, pixels=True))
    return re.sub("</?figure[^>]*>", "", text).replace("<img ", f'<img width="{WIDTH // 2 - 15}" ')


def paint_page(text: str, picture: Path, height: int, width: int = WIDTH) -> None:
    """Paint the top of an HTML page, or of a part of one; needs a QApplication."""
    text = re.sub(r"<(style|nav|caption)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r'<th scope="row">(.*?)</th>', r'<td class="dim">\1</td>', text).replace(
        "<th ", '<th align="left" '
    )
    document = QTextDocument()
    document.setDefaultFont(QFont("DejaVu Sans", 8))
    document.setDefaultStyleSheet(STYLE)
    document.setHtml(text)
    document.setTextWidth(width)
    image = QImage(width, min(height, round(document.size().height())), QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    document.drawContents(painter)
    painter.end()
    image.save(str(picture))


def solve_sweep(folder: Path) -> None:
    """Solve the matrix of four unknowns to several numbers of bits, on a chip a seed, evaluated a whole array at a time."""
    matrix = str(Path("data", "matrices", "zuo2025-4x4.mtx"))
    for bits in BITS:
        for seed in SEEDS:
            output = folder / f"{bits}-bit-{seed}.h5"
            mho.run(Solve(matrix=matrix, bits=bits), bench="arrays", seed=seed, output=output)


def draw_reports(solved: Path, folder: Path, pictures: Path) -> None:
    """Write the pages of a run and of a campaign, with their files in `folder`, and paint them and their cells."""
    campaign = folder / "bits-swept"
    solve_sweep(campaign)
    paint_page(page_of(run_document(solved)), pictures / "report-run.png", 620)
    page = page_of(campaign_document([campaign]))
    paint_page(page, pictures / "report-campaign.png", 560)
    paint_page(page[page.index('id="figures-Solve"') - 4 :], pictures / "report-swept.png", 508)
    with mho.open_run(solved) as shown:
        folded = shown._repr_html_().index("<details")
        paint_page(shown._repr_html_()[:folded], pictures / "notebook-run.png", 1200, 420)
    paint_page(mho.open_runs(campaign)._repr_html_(), pictures / "notebook-runs.png", 800)
