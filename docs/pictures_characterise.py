"""Makes the picture of the page on characterising: the protocol on the virtual bench, and the top of its page."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtGui import QColor, QFont, QImage, QPainter, QTextDocument

from mho.extensions.characterise import Characterisation, CharacterisationRequest, plan_protocol, write_plan
from mho.extensions.report_pages import write_report

SEED = 1
WIDTH, HEIGHT = 900, 1150  # pixels
STYLE = "td, th { padding-right: 18px } td.n { text-align: right } .dim { color: #5f6878 }"


def draw_page(folder: Path, pictures: Path) -> None:
    """Carry the protocol out, with its files in `folder`, and paint the top of its page; needs a QApplication."""
    place = folder / "characterise"
    write_plan(plan_protocol(CharacterisationRequest("simulated", seed=SEED)), place)
    Characterisation(place).carry_out()
    text = re.sub("<style>.*?</style>", "", write_report(place).read_text("utf-8"), flags=re.DOTALL)
    document = QTextDocument()
    document.setDefaultFont(QFont("DejaVu Sans", 9))
    document.setDefaultStyleSheet(STYLE)
    document.setHtml(text)
    document.setTextWidth(WIDTH)
    image = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    document.drawContents(painter)
    painter.end()
    image.save(str(pictures / "characterise.png"))
