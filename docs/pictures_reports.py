"""Makes the pictures of reports, by chromium, and of what a notebook's cell shows, painted by Qt's reader of HTML."""

from __future__ import annotations

import re
import shutil
import subprocess
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


def grab_page(document: Document, page: Path, picture: Path, height: int) -> None:
    """Write a page, and save what its top looks like in chromium, where that is there."""
    page.write_text(html_page(document), "utf-8")
    if (chromium := shutil.which("chromium")) is not None:
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--window-size=1000,{height}", f"--screenshot={picture}", page.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=60)


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
    grab_page(run_document(solved), folder / "run.html", pictures / "report-run.png", 1150)
    grab_page(campaign_document([campaign]), folder / "campaign.html", pictures / "report-campaign.png", 1350)
    with mho.open_run(solved) as shown:
        folded = shown._repr_html_().index("<details")
        paint_page(shown._repr_html_()[:folded], pictures / "notebook-run.png", 1200, 420)
    paint_page(mho.open_runs(campaign)._repr_html_(), pictures / "notebook-runs.png", 800)
