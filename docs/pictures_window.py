"""Makes the pictures of the window as a whole: a solve being watched, the form, the bench, the dark theme."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtTest import QTest

import gui
from gui import theme
from procedures.queue import JobStatus, Order, Queue
from procedures.queue.messages import RunnerState

MATRIX = str(Path("data", "matrices", "mimo-16x16.mtx"))
INSTRUMENT = "InstrumentError: pulser (USB0::0x0957::0x2C07::SIM00003::INSTR) does not answer; check its cable and power"


def grab_main_window(solved: Path, pictures: Path) -> None:
    """Save what the window on the run file `solved` looks like; needs a QApplication."""
    with tempfile.TemporaryDirectory() as folder:
        running = _fill_queue(Path(folder), solved)
        settings = QSettings(str(Path(folder, "settings.ini")), QSettings.Format.IniFormat)
        window = gui.open_main_window(folder, settings=settings)
        window.resize(1280, 800)
        session = window.session
        _wait(lambda: bool(session.jobs) and bool(window.panel("Experiments").list.names()))
        session.runner = RunnerState(
            "simulated", 4711, "running", running, stage="refining", done=5, total=50, seconds_left=21.0
        )
        session.runner_changed.emit(session.runner)
        window.panel("Experiments").show_form("solve", {"matrix": MATRIX, "bits": "24"})
        session.open_run(solved)
        _wait(lambda: window.panel("Experiments").expected is not None)
        QTest.qWait(1000)
        window.grab().save(str(pictures / "window-main.png"))
        window.panel("Experiments").form.fields["bits"].show_value("24 V")
        window.show_panel("Bench")
        window.show_panel("Log")
        QTest.qWait(500)
        window.grab().save(str(pictures / "window-bench.png"))
        window.panel("Experiments").form.fields["bits"].show_value("24")
        theme.choose("dark")
        window.show_panel("Solve")
        window.show_panel("Queue")
        session.tell("ERROR", f"job 2 failed: read: {INSTRUMENT}")
        QTest.qWait(1000)
        window.grab().save(str(pictures / "window-dark.png"))
        theme.choose("system")
        window.close()
        window.deleteLater()
        QTest.qWait(50)


def _fill_queue(folder: Path, solved: Path) -> int:
    """Queue what a morning may have left, and return the job that runs."""
    with Queue(folder / "queue.sqlite") as queue:
        orders = [
            Order("solve", {"matrix": MATRIX, "bits": 16}, seed=1),
            Order("read", {"rows": "0:32", "columns": "0:32", "repeats": 10}),
            Order("solve", {"matrix": MATRIX, "bits": 24}, seed=1),
            Order("read", {"rows": "0:64", "columns": "0:64", "interval": "60 s", "repeats": 60}),
            Order("solve", {"matrix": str(Path("data", "matrices", "dominant-8x8.mtx")), "bits": 32}),
        ]
        jobs = [job.id for job in queue.add_all([(order, 30.0) for order in orders])]
        for number, status, reason in (
            (jobs[0], JobStatus.FINISHED, ""),
            (jobs[1], JobStatus.FAILED, INSTRUMENT),
        ):
            queue.begin(number, run=folder / f"{number}.h5", worker=1, worker_started=0.0)
            queue.end(number, status, reason)
        queue.begin(jobs[2], run=solved, worker=1, worker_started=0.0)
    return jobs[2]


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(600):
        QTest.qWait(50)
        if done():
            return
