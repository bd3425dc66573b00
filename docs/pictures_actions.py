"""Makes the picture of what can be done with a run: the panel of runs, and over it the menu of actions."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtGui import QPainter
from PySide6.QtTest import QTest

from mho.gui.runs.panel import RunsPanel
from mho.gui.session.session import Session

SIZE = (1280, 640)  # pixels
PLACE = QPoint(640, 34)


def grab_actions(solved: Path, pictures: Path) -> None:
    """Save what the menu of actions offers for the run file `solved`; needs a QApplication."""
    session = Session(solved.parent)
    panel = RunsPanel(session)
    panel.resize(*SIZE)
    panel.show()
    for _ in range(200):
        QTest.qWait(50)
        if panel.model.rows:
            break
    panel.table.selectRow(
        next(row for row, run in enumerate(panel.model.rows) if run.path.name == solved.name)
    )
    QTest.qWait(1000)  # for what is read of it
    menu = panel.action_menu()
    menu.ensurePolished()
    menu.resize(menu.sizeHint())
    picture = panel.grab()
    painter = QPainter(picture)
    painter.drawPixmap(PLACE, menu.grab())
    painter.end()
    picture.save(str(pictures / "panel-actions.png"))
    panel.close_down()
    panel.close()
    panel.deleteLater()
    session.close()
    QTest.qWait(50)
