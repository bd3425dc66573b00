"""Acts on selected cells: by buttons and menu, on the cells that are selected and no others; the selection stays."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QMenu
from queue_runners import Desk
from window_steps import PATIENCE, press

from mho.gui.chip.panel import ChipPanel
from mho.gui.session.session import Session
from mho.gui.window.main_window import MainWindow
from mho.procedures.cell_range import parse_lines
from mho.procedures.stream import ActChanged
from mho.running.queue import JobStatus
from mho.runs import RunFile

LEFT = Qt.MouseButton.LeftButton
ADD = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def panel(session: Session, qtbot) -> ChipPanel:
    panel = ChipPanel(session)
    qtbot.addWidget(panel)
    panel.resize(950, 500)
    panel.show()
    qtbot.waitUntil(lambda: panel.grid is not None, timeout=PATIENCE)
    panel.canvas.show_cells((0, 15), (0, 15))
    return panel


@pytest.fixture
def asked(panel: ChipPanel) -> list[tuple[str, dict[str, str]]]:
    acts: list[tuple[str, dict[str, str]]] = []
    panel._session.act = lambda procedure, parameters: acts.append((procedure, dict(parameters)))
    return acts


def click(
    panel: ChipPanel, row: int, column: int, qtbot, keys=Qt.KeyboardModifier.NoModifier, button=LEFT
) -> None:
    qtbot.waitUntil(lambda: panel.canvas.isVisible() and panel.canvas.width() > 200, timeout=PATIENCE)
    place = panel.canvas.mapFromScene(panel.canvas.scene_position(row, column))
    qtbot.mouseClick(panel.canvas.viewport(), button, keys, place)


def wait_selected(panel: ChipPanel, count: int, qtbot) -> None:
    qtbot.waitUntil(lambda: panel.bar.selection.count == count, timeout=PATIENCE)


def test_a_click_selects_a_cell_and_a_button_acts_on_it(panel: ChipPanel, asked: list, qtbot) -> None:
    assert not panel.acts.buttons["Read"].isEnabled()
    click(panel, 3, 4, qtbot)
    wait_selected(panel, 1, qtbot)
    for name, procedure, parameters in (
        ("Read", "read", {}), ("Form", "form", {}), ("SET", "pulses", {"kind": "set"}),
        ("RESET", "pulses", {"kind": "reset"}), ("I-V", "iv", {}),
    ):  # fmt: skip
        press(panel.acts.buttons[name], qtbot)
        assert asked[-1] == (procedure, parameters | {"array": "multiply", "rows": "3", "columns": "4"})
    panel.acts.level.setValue(5)
    press(panel.acts.buttons["To level"], qtbot)
    assert asked[-1] == ("program", {"digits": "5", "array": "multiply", "rows": "3", "columns": "4"})


def test_no_cell_is_acted_on_that_is_not_selected(panel: ChipPanel, asked: list, qtbot) -> None:
    click(panel, 2, 2, qtbot)
    wait_selected(panel, 1, qtbot)
    qtbot.wait(QApplication.doubleClickInterval() + 50)
    click(panel, 8, 9, qtbot, ADD)
    wait_selected(panel, 2, qtbot)
    press(panel.acts.buttons["SET"], qtbot)
    touched = np.zeros(panel.grid.shape, int)
    for _, cells in asked:
        touched[np.ix_(parse_lines(cells["rows"], "rows"), parse_lines(cells["columns"], "columns"))] += 1
    np.testing.assert_array_equal(touched, panel.bar.selection.mask)


@pytest.mark.thorough
def test_the_right_button_offers_the_acts_at_the_cell(panel: ChipPanel, asked: list, qtbot) -> None:
    wanted: list = []
    panel._session.form_wanted.connect(lambda *given: wanted.append(given))
    menu = panel.acts.menu(panel.mapToGlobal(QPoint(10, 10)))
    assert [one.isEnabled() for one in menu.actions()][:3] == [False] * 3
    menu.close()
    click(panel, 5, 6, qtbot, button=Qt.MouseButton.RightButton)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu), timeout=PATIENCE)
    menu = QApplication.activePopupWidget()
    assert (panel.bar.selection.rows, panel.bar.selection.columns) == ("5", "6")
    actions = {one.text(): one for one in menu.actions()}
    actions["RESET"].trigger()
    assert asked[-1][1] == {"kind": "reset", "array": "multiply", "rows": "5", "columns": "6"}
    values = {one.text(): one for one in actions["With values…"].menu().actions()}
    values["I-V"].trigger()
    assert wanted == [("iv", {"array": "multiply", "rows": "5", "columns": "6"})]
    menu.close()


@pytest.mark.thorough
def test_a_selection_stays_through_runs_and_restarts(
    panel: ChipPanel, session: Session, tmp_path: Path, qtbot
) -> None:
    click(panel, 3, 4, qtbot)
    wait_selected(panel, 1, qtbot)
    kept = panel.bar.keep()
    session.open_run(tmp_path / "missing.h5")
    session.close_run()
    qtbot.waitUntil(lambda: panel.grid is not None, timeout=PATIENCE)
    assert (panel.bar.selection.rows, panel.bar.selection.columns) == ("3", "4")
    other = ChipPanel(session)
    qtbot.addWidget(other)
    for text in ("", "nonsense", "3 x y z", "1024 1024 !! multiply"):
        other.bar.recall(text)
    other.bar.recall(kept)
    qtbot.waitUntil(lambda: other.grid is not None, timeout=PATIENCE)
    assert (other.bar.selection.rows, other.bar.selection.columns) == ("3", "4")


@pytest.mark.thorough
@pytest.mark.usefixtures("own_locks")
def test_cells_are_formed_set_and_swept_by_hand_with_a_real_runner(
    desk: Desk, open_main: Callable[..., MainWindow], qtbot
) -> None:
    window = open_main(desk.path.parent)
    session, panel = window.session, window.panel("Chip")
    ended: list[ActChanged] = []
    session.act_changed.connect(lambda act: ended.append(act) if act is not None and act.outcome else None)
    qtbot.waitUntil(lambda: panel.grid is not None, timeout=PATIENCE)
    panel.canvas.show_cells((0, 15), (0, 15))
    click(panel, 3, 4, qtbot)
    wait_selected(panel, 1, qtbot)
    for number, name in enumerate(("Form", "SET", "RESET", "To level", "I-V", "Read"), 1):
        panel.acts.level.setValue(5)
        press(panel.acts.buttons[name], qtbot)
        qtbot.waitUntil(lambda number=number: len(ended) == number, timeout=PATIENCE)
        assert not ended[-1].failed, ended[-1].outcome
    assert [act.number for act in ended] == [1, 2, 3, 4, 5, 6]
    assert len({job.id for job in session.jobs}) == 1  # one session holds the bench for all of them
    qtbot.waitUntil(lambda: session.run_path == ended[-1].path, timeout=PATIENCE)
    with RunFile(ended[-1].path) as run:
        assert run.summary["mean_conductance"] == pytest.approx(25e-6, rel=0.2)
    click(panel, 3, 4, qtbot)
    qtbot.waitUntil(lambda: "earlier runs on this chip" in panel.history.heading.text(), timeout=PATIENCE)
    assert window.panel("Experiments").conditions.after() == str(ended[-1].path)
    press(panel.acts.end, qtbot)
    qtbot.waitUntil(lambda: [str(job.status) for job in session.jobs] == ["finished"], timeout=PATIENCE)
    press(panel.acts.buttons["Read"], qtbot)  # another session, which goes with its window
    qtbot.waitUntil(lambda: len(ended) == 7, timeout=PATIENCE)
    number = max(job.id for job in session.jobs)
    window.close()
    assert desk.wait(number, JobStatus.FINISHED).conclusion.line == "1 act"
