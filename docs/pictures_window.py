"""Makes the pictures of the window as a whole: a real runner carries out a real queue while the window watches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PySide6.QtCore import QSettings
from PySide6.QtTest import QTest

import mho.gui as gui
from mho.gui import widgets
from mho.gui.window.main_window import MainWindow
from mho.running.queue import JobStatus, Order, Policy, Queue, Reaction

MATRIX = str(Path("data", "matrices", "mimo-16x16.mtx").resolve())
HALF, MOST = 0.55, 0.85  # how far cells are programmed when the pictures are taken
PATIENCE = 180.0  # s
_NONE = SimpleNamespace(times=())


def grab_main_window(pictures: Path) -> None:
    """Save what the window looks like while a solve is programmed, refined and over; needs a QApplication."""
    with tempfile.TemporaryDirectory() as name, _window(Path(name)) as window, _runner(Path(name)):
        session, form = window.session, window.panel("Experiments")
        running = _fill_queue(Path(name))
        form.show_form("solve", {"matrix": MATRIX, "bits": "24"})
        _wait(lambda: _progress(window, running) > HALF)
        window.messages.clear()  # that job 2 failed; the queue tells it too
        _grab(window, pictures / "window-main.png")
        form.form.fields["bits"].show_value("24 V")
        window.show_panel("Bench")
        window.show_panel("Log")
        _wait(lambda: _progress(window, running) > MOST)
        _grab(window, pictures / "window-bench.png")
        form.form.fields["bits"].show_value("24")
        widgets.choose("dark")
        window.show_panel("Solve")
        window.show_panel("Queue")
        _wait(lambda: _status(window, running) is JobStatus.FINISHED)
        _wait(lambda: session.runner is not None and bool(session.runner.total))
        session.open_run(next(job.run for job in session.jobs if job.id == running and job.run))
        _grab(window, pictures / "window-dark.png")
        widgets.choose("system")


def grab_by_hand(pictures: Path) -> None:
    """Save what the panel looks like while a cell is formed, connected and watched by hand; needs a QApplication."""
    with (
        tempfile.TemporaryDirectory() as name,
        _window(Path(name), "heated") as window,
        _runner(Path(name), "heated"),
    ):
        panel = _shown_panel(window)
        by_hand, session = panel.by_hand, window.session
        session.act("form", {"array": "multiply", "rows": "3", "columns": "4"})
        _wait(lambda: not session.acting)
        by_hand.touch("board", "connect", {"array": "multiply", "row": 3.0, "column": 4.0})
        for role, touch, values in (
            ("chuck", "heat", {"temperature": 320.0}), ("chuck", "watch", {"every": 1.0}),
            ("smu", "source", {"voltage": 0.2}), ("smu", "watch", {"every": 0.5}),
        ):  # fmt: skip
            by_hand.touch(role, touch, values)
        by_hand.recall('{"heated": [["smu", "source", {"voltage": 0.2}], ["smu", "off", {}]]}')
        _wait(lambda: len(by_hand.chart.traces.get(("smu", "current"), _NONE).times) > 20)
        window.panels.enlarge_strip()
        QTest.qWait(600)
        panel.grab().save(str(pictures / "panel-bench-by-hand.png"))
        session.end_by_hand()
        _wait(lambda: session.job is None)


def _shown_panel(window: MainWindow) -> Any:
    window.show_panel("Bench")
    panel = window.panel("Bench")
    _wait(lambda: bool(panel.by_hand.cards))
    panel.turn.click()
    return panel


def grab_plan(pictures: Path) -> None:
    """Save a plan of I-V loops and a solve with seeds, one of them refused; needs a QApplication."""
    with tempfile.TemporaryDirectory() as name, _window(Path(name)) as window:
        form, matrix = window.panel("Experiments"), window.session.folder / "mimo-16x16.mtx"
        shutil.copy(MATRIX, matrix)
        window.show_panel("Plan")
        plan = window.panel("Plan")
        here = {"bench": "simulated", "folder": window.session.folder}
        plan.add([Order("solve", {"matrix": str(matrix), "bits": 24}, seed=seed, **here) for seed in (1, 2)])
        _wait(lambda: len(plan.model.rows) == 2)
        form.show_form("iv", {"gate": "1.2 to 4.4 V in 3 steps", "rows": "0:4"})
        _wait(lambda: form.estimate.text().startswith("3 runs"))
        form.buttons.plan.click()
        _wait(lambda: len(plan.model.rows) == 5 and None not in map(plan.model.check_of, plan.model.rows))
        plan.view.scrollToTop()
        _grab(window, pictures / "window-plan.png")


@contextmanager
def _runner(folder: Path, bench: str = "simulated") -> Iterator[None]:
    """A runner, which ends with the pictures; with the job that it may still carry out."""
    runner = subprocess.Popen(
        [sys.executable, "-m", "mho", "runner", "--bench", bench],
        env=os.environ | {"MHO_RUNS": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        runner.terminate()
        runner.wait(60)


@contextmanager
def _window(folder: Path, bench: str = "simulated") -> Iterator[MainWindow]:
    """The window on an empty folder."""
    settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
    settings.setValue("guided", True)
    window = gui.open_main_window(folder, bench, settings=settings)
    window.resize(1280, 800)
    _wait(lambda: bool(window.panel("Experiments").list.names()))
    yield window
    window.close()
    window.deleteLater()
    QTest.qWait(500)  # gone before its application is


def _fill_queue(folder: Path) -> int:
    """Queue what a morning may bring, a matrix that has no inverse among it; return the job to be watched."""
    singular = folder / "singular-8x8.csv"
    np.savetxt(singular, np.ones((8, 8)), delimiter=",")
    small = str(Path("data", "matrices", "zuo2025-4x4.mtx").resolve())
    with Queue(folder / "queue.sqlite") as queue:
        queue.set_policy("simulated", Policy(on_failure=Reaction.SKIP))
        jobs = queue.add_all(
            [
                (Order("solve", {"matrix": small, "bits": 16}, seed=1), 3.0),
                (Order("solve", {"matrix": str(singular)}), 4.0),
                (Order("solve", {"matrix": MATRIX, "bits": 24}, seed=1), 14.0),
                (Order("read", {"rows": "0:64", "columns": "0:64", "interval": "60 s", "repeats": 60}), 90.0),
                (Order("iv", {"rows": "0:4", "columns": "0:4"}), 3.0),
            ]
        )
    return jobs[2].id


def _status(window: MainWindow, number: int) -> JobStatus | None:
    return next((job.status for job in window.session.jobs if job.id == number), None)


def _progress(window: MainWindow, number: int) -> float:
    """How far the cells of a job are programmed."""
    state = window.session.runner
    if state is None or state.job != number or state.stage != "programming" or not state.total:
        return 0.0
    return float(state.done / state.total)


def _grab(window: MainWindow, picture: Path) -> None:
    QTest.qWait(400)  # layouts settle
    window.grab().save(str(picture))


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(round(PATIENCE / 0.05)):
        QTest.qWait(50)
        if done():
            return
    raise TimeoutError("the window does not come to show what its picture is of")
