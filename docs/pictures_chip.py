"""Makes the pictures of the chip panel from a fresh solve: the map with a cell's history, and a selection."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from gui.chip_panel import ChipPanel
from gui.session import Session


def grab_chip_panel(run: Path, folder: Path) -> None:
    """Save what the panel on `run` looks like into `folder`, beginning with the picture's name ``chip-``."""
    with tempfile.TemporaryDirectory() as empty:
        session = Session(Path(empty))
        panel = ChipPanel(session)
        panel.resize(1280, 800)
        panel.show()
        session.open_run(run)
        _wait(lambda: panel.complete)
        canvas, cell = panel.canvas, _busiest(panel)
        _click(panel, *cell)
        _wait(lambda: panel.complete)
        _point(panel, *cell)
        panel.grab().save(str(folder / "chip-history.png"))

        panel.quantity.setCurrentText("error")
        start, end = (_place(panel, *cell) for cell in ((4, 10), (20, 40)))
        QTest.mousePress(canvas.viewport(), Qt.MouseButton.LeftButton, pos=start)
        for share in (0.3, 0.6, 1.0):
            QTest.mouseMove(canvas.viewport(), start + (end - start) * share)
            QTest.qWait(40)
        QTest.mouseRelease(canvas.viewport(), Qt.MouseButton.LeftButton, pos=end)
        QTest.qWait(100)
        panel.grab().save(str(folder / "chip-selection.png"))

        panel.quantity.setCurrentText("level")
        QTest.qWait(100)
        panel.grab().save(str(folder / "chip-level.png"))
        panel.close()
        session.close()
        panel.deleteLater()
        session.deleteLater()
        QTest.qWait(50)


def _busiest(panel: ChipPanel) -> tuple[int, int]:
    """Return the cell that took most pulses."""
    assert panel.grid is not None
    row, column = np.unravel_index(np.nanargmax(panel.grid.pulses), panel.grid.shape)
    return int(row), int(column)


def _place(panel: ChipPanel, row: int, column: int) -> QPoint:
    place: QPoint = panel.canvas.mapFromScene(panel.canvas.scene_position(row, column))
    return place


def _click(panel: ChipPanel, row: int, column: int) -> None:
    QTest.mouseClick(panel.canvas.viewport(), Qt.MouseButton.LeftButton, pos=_place(panel, row, column))
    QTest.qWait(50)


def _point(panel: ChipPanel, row: int, column: int) -> None:
    QTest.mouseMove(panel.canvas.viewport(), _place(panel, row, column) + QPoint(1, 1))
    QTest.qWait(50)
    QTest.mouseMove(panel.canvas.viewport(), _place(panel, row, column))
    QTest.qWait(100)


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(600):
        QTest.qWait(50)
        if done():
            return
