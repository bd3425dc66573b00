"""The log: levels, filter, order, nothing said twice, and no end of memory."""

from datetime import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from mho.gui import log as log_panel
from mho.gui.log import LogLine, LogModel, LogPanel
from mho.gui.session.session import Session
from mho.procedures.stream import Message


@pytest.fixture
def panel(session: Session, qtbot) -> LogPanel:
    panel = LogPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def shown(panel: LogPanel) -> list[str]:
    return [panel.filter.index(row, 3).data() for row in range(panel.filter.rowCount())]


def test_messages_of_the_window_are_listed_and_filtered_by_level_and_text(panel: LogPanel, qtbot) -> None:
    for level, text in (("DEBUG", "very fine"), ("INFO", "tea is ready"), ("ERROR", "the cup is broken")):
        panel.session.tell(level, text)
    assert shown(panel) == ["tea is ready", "the cup is broken"]
    qtbot.keyClick(panel.level, Qt.Key.Key_Home)
    assert shown(panel)[0] == "very fine"
    qtbot.keyClick(panel.level, Qt.Key.Key_End)
    qtbot.keyClick(panel.level, Qt.Key.Key_Up)
    assert shown(panel) == ["the cup is broken"]
    qtbot.keyClick(panel.level, Qt.Key.Key_Home)
    qtbot.keyClicks(panel.search, "TEA")
    assert shown(panel) == ["tea is ready"]


def test_the_log_of_a_run_is_listed_once_however_often_it_is_opened(panel: LogPanel, solved: Path) -> None:
    panel.session.open_run(solved)
    first = shown(panel)
    assert first == [
        "3 cells could not be brought into their verify window",
        "forecast: rho(I - A A0^-1) = 0.050",
    ]
    panel.session.open_run(solved)
    assert shown(panel) == first
    assert panel.filter.index(0, 2).data() == "solved.h5"


def test_what_the_runner_announced_is_not_listed_again_from_the_file(panel: LogPanel, solved: Path) -> None:
    panel.session.event_heard.emit(Message("INFO", "forecast: rho(I - A A0^-1) = 0.050"))
    panel.session.open_run(solved)
    assert shown(panel).count("forecast: rho(I - A A0^-1) = 0.050") == 1


def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_panel, "KEPT", 10)
    model = LogModel()
    for batch in range(5):
        model.add(LogLine(datetime.now(), "INFO", "window", f"{batch}.{one}") for one in range(4))
    assert model.rows[0].text == "2.2"
    assert model.rowCount() == 10


def test_rows_are_copied_as_text(panel: LogPanel, qtbot) -> None:
    panel.session.tell("WARNING", "mind the step")
    panel.view.selectRow(0)
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text().endswith("WARNING\twindow\tmind the step")


def test_the_log_can_be_cleared(panel: LogPanel, qtbot) -> None:
    panel.session.tell("INFO", "old news")
    qtbot.mouseClick(panel.clear, Qt.MouseButton.LeftButton)
    assert shown(panel) == []
