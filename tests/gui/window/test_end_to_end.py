"""The whole way through the window with a real runner: queue, watch, abort, open; and a window that is killed meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_table import POSIX
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from queue_runners import Desk, order
from window_steps import PATIENCE, choose, press

from mho.gui.window.main_window import MainWindow
from mho.running.queue import JobStatus
from mho.runs import RunFile, Status

pytestmark = pytest.mark.thorough


def type_into(window: MainWindow, field: str, text: str, qtbot) -> None:
    editor = window.panel("Experiments").form.fields[field].editor
    assert isinstance(editor, QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, text)


def test_a_solve_is_queued_watched_and_opened_and_another_is_aborted(
    desk: Desk, open_main: Callable[..., MainWindow], tmp_path: Path, qtbot
) -> None:
    matrix = tmp_path / "a.csv"
    matrix.write_text("2,0.5\n0.25,1.5\n", encoding="utf-8")
    window = open_main(desk.path.parent)
    form, jobs = window.panel("Experiments"), window.panel("Queue")
    choose(window, "solve", qtbot)
    type_into(window, "matrix", str(matrix), qtbot)
    type_into(window, "bits", "12", qtbot)
    qtbot.waitUntil(lambda: form.expected is not None, timeout=PATIENCE)
    press(form.buttons.run_now, qtbot)
    qtbot.waitUntil(lambda: [str(job.status) for job in jobs.model.jobs] == ["finished"], timeout=PATIENCE)
    run = jobs.model.jobs[0].run
    qtbot.waitUntil(lambda: window.session.run_path == run, timeout=PATIENCE)  # it was followed

    session = window.session
    session.change_queue(lambda queue: queue.add(order(seconds=600.0)))
    qtbot.waitUntil(
        lambda: session.runner is not None and session.runner.stage == "reading", timeout=PATIENCE
    )
    qtbot.waitUntil(lambda: session.run is not None and session.run.procedure == "Reading", timeout=PATIENCE)
    abort = window.commands.widgetForAction(window.commands.commands["abort"])
    press(abort, qtbot)
    qtbot.waitUntil(lambda: jobs.model.jobs[0].status == "aborted", timeout=PATIENCE)
    assert "aborted by hand" in jobs.model.jobs[0].reason

    first = jobs.view.visualRect(jobs.model.index(1, 0)).center()
    qtbot.mouseClick(jobs.view.viewport(), Qt.MouseButton.LeftButton, pos=first)
    qtbot.keyClick(jobs.view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.run_path == run and session.run is not None, timeout=PATIENCE)
    assert session.run.status is Status.FINISHED
    assert session.run.summary["converged"]

    window.close()
    state = desk.client.status()  # the runner goes on
    assert (
        not POSIX or os.getsid(state.pid) == state.pid
    )  # and ends neither with the window nor with its terminal


def test_esc_twice_breaks_off_a_job_and_holds_the_queue(
    desk: Desk, open_main: Callable[..., MainWindow], qtbot
) -> None:
    desk.add(order("simulated", how="block"))
    window = open_main(desk.path.parent)
    window.session.ensure_runner()
    qtbot.waitUntil(lambda: any(job.status == "running" for job in window.session.jobs), timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.session.run is not None, timeout=PATIENCE)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.session.jobs[0].status == "aborted", timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.session.lane is not None and window.session.lane.held, timeout=PATIENCE)
    assert "emergency stop" in window.commands.standing.text()


def test_a_window_killed_in_the_middle_of_a_run_finds_all_of_it_when_started_again(
    desk: Desk, open_main: Callable[..., MainWindow], tmp_path: Path, qtbot
) -> None:
    (number,) = desk.add(order(seconds=600.0))
    program = (
        "import sys; from PySide6.QtCore import QSettings, QTimer; from PySide6.QtWidgets import QApplication;"
        "import mho.gui as gui;"
        "app = QApplication([]);"
        "window = gui.open_main_window(sys.argv[1], settings=QSettings(sys.argv[2], QSettings.Format.IniFormat));"
        "window.session.ensure_runner(); app.exec()"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", program, str(desk.path.parent), str(tmp_path / "killed.ini")]
    )
    job = desk.wait_begun(number)
    killed.kill()
    killed.wait(10)

    window = open_main(desk.path.parent)
    qtbot.waitUntil(lambda: window.session.run_path == job.run, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.session.runner is not None, timeout=PATIENCE)
    before = window.session.run.length("reads")
    qtbot.waitUntil(lambda: window.session.run.length("reads") > before, timeout=PATIENCE)  # it goes on
    assert desk.job(number).status is JobStatus.RUNNING
    window.session.command("abort")
    qtbot.waitUntil(lambda: window.session.jobs[0].status == "aborted", timeout=PATIENCE)
    with RunFile(job.run) as run:
        times = run.column("reads", "time")
    assert len(times) > before  # from before the kill to the abort, in one file
