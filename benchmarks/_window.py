"""The window under observation, in a process of its own: ``python -m benchmarks._window WHAT RUN.h5 [SECONDS]``.

WHAT is a function below; what it returns is printed as one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.window import READY
from mho.gui.app import open_main_window
from mho.gui.window.main_window import MainWindow
from mho.gui.window.panel_docks import PANELS

SIZE = 1280, 800
FRAME = 16  # ms between two movements of the view
SETTLED = 8.0  # s, within which the window has imported what it leaves for after its start


class Frames(QObject):
    """Counts how often a widget is painted, and finds the longest time for which the window did not answer.

    `longest` is by the clock, `busiest` what the window's thread itself worked at once, both in s.
    """

    def __init__(self, widget: QObject) -> None:
        super().__init__()
        self.painted = 0
        self.longest = self.busiest = 0.0
        self._widget = widget
        self._last, self._worked = time.perf_counter(), time.thread_time()
        widget.installEventFilter(self)
        self._beat = QTimer(self, interval=1)
        self._beat.timeout.connect(self._note)
        self._beat.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        self.painted += watched is self._widget and event.type() == QEvent.Type.Paint
        return False

    def _note(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self.busiest = max(self.busiest, worked - self._worked)
        self._last, self._worked = now, worked

    def begin(self) -> None:
        """Count from here on."""
        self.painted, self.longest, self.busiest = 0, 0.0, 0.0
        self._last, self._worked = time.perf_counter(), time.thread_time()


def wait(seconds: float, done: Callable[[], bool] = lambda: False) -> float:
    """Let the window live until `done`, for so many seconds at most; return how many it was."""
    app, start = QApplication.instance(), time.perf_counter()
    assert app is not None
    while (past := time.perf_counter() - start) < seconds and not done():
        app.processEvents()
        time.sleep(0.0005)
    return past


@contextmanager
def window() -> Iterator[MainWindow]:
    """The window with every panel made, for each has been looked at, and the chip in front."""
    app = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        shown = open_main_window(folder, settings=QSettings(f"{folder}/ini", QSettings.Format.IniFormat))
        shown.resize(*SIZE)
        for title in (*PANELS, "Chip"):
            shown.show_panel(title)
            app.processEvents()
        wait(0.5)
        yield shown
        shown.close()
        shown.deleteLater()
        wait(0.1)
    del app


def stream(path: Path, seconds: float) -> dict[str, Any]:
    """Show a run while it grows: at rest for half of `seconds`, moved about by the user for the other."""
    with window() as shown:
        panel = shown.panel("Chip")
        shown.session.open_run(path)
        wait(SETTLED)
        frames = Frames(panel.canvas.viewport())
        rows = panel.rows_seen
        process = psutil.Process()
        frames.begin()
        cpu = sum(process.cpu_times()[:2])
        past = wait(seconds / 2.0)
        found = {
            "cpu": (sum(process.cpu_times()[:2]) - cpu) / past,
            "blocked": frames.longest,
            "busiest": frames.busiest,
            "updates": frames.painted / past,
            "rows": (panel.rows_seen - rows) / past,
        }
        move = QTimer(interval=FRAME)
        move.timeout.connect(lambda: panel.canvas.box.translateBy(x=0.5, y=0.25))
        move.start()
        frames.begin()
        cpu = sum(process.cpu_times()[:2])
        past = wait(seconds / 2.0)
        move.stop()
        found |= {
            "frames": frames.painted / past,
            "moved_blocked": frames.longest,
            "moved_busiest": frames.busiest,
            "moved_cpu": (sum(process.cpu_times()[:2]) - cpu) / past,
        }
    return found


def redraw(path: Path, seconds: float) -> dict[str, Any]:
    """Draw a map of which every cell changes as often as it goes; and with pyqtgraph's ImageItem as it comes."""
    with window() as shown:
        panel = shown.panel("Chip")
        shown.session.open_run(path)
        wait(20.0, lambda: panel.complete)
        panel.whole.click()
        grid, view = panel.grid, panel.canvas.viewport()

        def frame() -> None:
            grid.conductance += 1e-9
            panel.painter.paint_all(0.0)
            view.repaint()

        some = np.arange(256)

        def few() -> None:
            panel.painter.paint(some, 0.0)
            view.repaint()

        ours, partial = _rate(frame, seconds / 3.0), _rate(few, seconds / 3.0)
        plain = pg.GraphicsLayoutWidget(size=(view.width(), view.height()), show=True)
        item = pg.ImageItem(axisOrder="row-major", colorMap="viridis")
        plot = plain.addPlot()
        plot.addItem(item)
        plot.setAspectLocked(True)
        values = grid.conductance.copy()
        item.setImage(values)
        wait(0.2)

        def usual() -> None:
            values.__iadd__(1e-9)
            item.setImage(values)
            plain.viewport().repaint()
            assert item.qimage is not None  # it was drawn, not only asked for

        theirs = _rate(usual, seconds / 3.0)
        size = [view.width(), view.height()]
        plain.close()
        plain.deleteLater()
    return {"frames": ours, "partial": partial, "plain": theirs, "size": size}


def _rate(draw: Callable[[], None], seconds: float) -> float:
    draw()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        draw()
        count += 1
    return count / (time.perf_counter() - start)


def opening(path: Path, seconds: float) -> dict[str, Any]:
    """Open a long run until its map is there, and until all its past is."""
    with window() as shown:
        panel = shown.panel("Chip")
        wait(1.0)
        frames = Frames(panel.canvas.viewport())
        frames.begin()
        start = time.perf_counter()
        shown.session.open_run(path)
        wait(seconds, lambda: panel.images_shown and frames.painted > 0)
        opened = time.perf_counter() - start
        wait(seconds, lambda: panel.complete)
        whole = time.perf_counter() - start
        start = time.perf_counter()
        panel.canvas.pick(500, 500)
        wait(seconds, lambda: panel.history.complete)
        return {
            "opened": opened,
            "whole": whole,
            "blocked": frames.longest,
            "busiest": frames.busiest,
            "history": time.perf_counter() - start,
            "found": len(panel.history.history),
        }


def memory(path: Path, rows: float) -> dict[str, Any]:
    """Follow a run that is written as fast as it goes, to so many rows; what memory is taken on the way."""
    with window() as shown:
        panel = shown.panel("Chip")
        shown.session.open_run(path)
        wait(SETTLED)
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        process, taken = psutil.Process(), []
        for share in np.linspace(0.2, 1.0, 9):
            wait(300.0, lambda share=share: panel.rows_seen >= share * rows)
            taken.append(process.memory_info().rss / 2**20)
        return {"taken": [round(mib, 1) for mib in taken], "rows": panel.rows_seen}


if __name__ == "__main__":
    what, run, number = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    result = globals()[what](run, number)
    sys.stdout.write(f"\n{json.dumps(result)}\n")
