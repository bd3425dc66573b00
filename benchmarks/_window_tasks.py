"""The process of `benchmarks.window_tasks`: opens the window on a folder and does the tasks; prints what came of each."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

import mho.gui as gui
from mho.gui.window.main_window import MainWindow
from mho.runs import RunFile

SOON, LONG = 30.0, 90.0  # s
LEFT = Qt.MouseButton.LeftButton


class NotDone(Exception):
    """A task has not come to its end."""


class Hands:
    """The user's mouse and keyboard on one window, counting clicks."""

    def __init__(self, window: MainWindow) -> None:
        self.window, self.clicks = window, 0

    def wait(self, until: Callable[[], Any], seconds: float = SOON) -> Any:
        end = time.monotonic() + seconds
        while not (found := until()):
            if time.monotonic() > end:
                raise NotDone(f"it has not come true within {seconds:.0f} s")
            QTest.qWait(20)
        return found

    def click(
        self,
        widget: QWidget,
        keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        at: QPoint | None = None,
    ) -> None:
        self.wait(widget.isEnabled)
        QTest.mouseClick(widget, LEFT, keys, at or widget.rect().center())
        self.clicks += 1
        QTest.qWait(30)

    def cell(self, row: int, column: int, *, add: bool = False) -> None:
        panel = self.window.panel("Chip")
        QTest.qWait(QApplication.doubleClickInterval() + 30)
        place = panel.canvas.mapFromScene(panel.canvas.scene_position(row, column))
        keys = Qt.KeyboardModifier.ControlModifier if add else Qt.KeyboardModifier.NoModifier
        self.click(panel.canvas.viewport(), keys, place)
        self.wait(lambda: panel.bar.selection.mask[row, column])

    def type(self, name: str, text: str) -> None:
        panel = self.window.panel("Experiments")
        self.wait(lambda: name in panel.form.fields)  # the form before it may still be shown
        editor = panel.form.fields[name].editor
        editor.selectAll()
        QTest.keyClicks(editor, text)

    def choose(self, typed: str) -> None:
        """Choose a procedure by the keyboard: Ctrl+N, its name, Return."""
        QTest.keyClick(self.window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
        search = self.window.panel("Experiments").list.search
        QTest.keyClicks(search, typed)
        QTest.keyClick(search, Qt.Key.Key_Return)
        self.wait(lambda: self.window.panel("Experiments").form is not None)

    def act(self, name: str) -> Any:
        """Press a button of the cell console, and return how the act ended."""
        ended: list[Any] = []
        take = self.window.session.act_changed.connect(
            lambda act: ended.append(act) if act and act.outcome else None
        )
        self.click(self.window.panel("Chip").acts.buttons[name])
        self.wait(lambda: ended, LONG)
        self.window.session.act_changed.disconnect(take)
        if ended[0].failed:
            raise NotDone(ended[0].outcome)
        return ended[0]


def first_solve(hands: Hands) -> str:
    window = hands.window
    hands.wait(lambda: window.guide is not None)
    hands.click(window.guide.begin)
    buttons = window.panel("Experiments").buttons
    hands.wait(lambda: window.panel("Experiments").expected is not None)
    hands.click(buttons.run_now)
    job = hands.wait(
        lambda: next((one for one in window.session.jobs if str(one.status) == "finished"), None), LONG
    )
    hands.click(window.guide.leave)
    return str(job.outcome)


def form_one_cell(hands: Hands) -> str:
    panel = hands.window.panel("Chip")
    hands.window.session.close_run()
    hands.wait(lambda: panel.grid is not None)
    panel.canvas.show_cells((0, 15), (0, 15))
    hands.cell(3, 4)
    return str(hands.act("Form").outcome)


def set_to_level_five(hands: Hands) -> str:
    level = hands.window.panel("Chip").acts.level
    level.setFocus()
    level.selectAll()
    QTest.keyClicks(level, "5")
    act = hands.act("To level")
    with RunFile(act.path) as run:
        achieved = 1e6 * float(
            np.nanmax(run.map(next(name for name in run.maps if name.endswith("_conductance"))))
        )
    if not 22.0 < achieved < 28.0:
        raise NotDone(f"{achieved} µS is not level 5")
    return f"{act.outcome}, {achieved:.1f} µS"


def iv_of_three_cells(hands: Hands) -> str:
    for column in (5, 6):
        hands.cell(3, column, add=True)
    act = hands.act("I-V")
    hands.window.show_panel("Signals")
    signals = hands.window.panel("Signals")
    hands.wait(lambda: hands.window.session.run_path == act.path)
    hands.wait(lambda: signals.figure_plot.drawn and any(signals.figure_plot.log))
    return f"{act.outcome}, logarithmic current"


def gate_over_five_values_on_a_row(hands: Hands) -> str:
    window = hands.window
    form = window.panel("Experiments")
    hands.choose("I-V loops")
    form.form.more.setChecked(True)
    hands.clicks += 1
    hands.type("rows", "3")
    hands.type("columns", "0:4")
    hands.type("gate", "1.2 to 2 V in 5 steps")
    hands.wait(lambda: form.expected is not None and form.estimate.text().startswith("5 runs"))
    before = {job.id for job in window.session.jobs}
    hands.click(form.buttons.queue)

    def made() -> list[Any]:
        return [job for job in window.session.jobs if job.id not in before and job.order.procedure == "iv"]

    hands.wait(lambda: len(made()) == 5 and all(str(job.status) == "finished" for job in made()), LONG)
    return f"5 runs at {', '.join(str(job.order.parameters['gate']) for job in made())} V"


def compare_two(hands: Hands) -> str:
    window = hands.window
    window.show_panel("Runs")
    hands.clicks += 1
    runs = window.panel("Runs")
    hands.wait(lambda: len(runs.model.rows) >= 7)
    rows = [number for number, one in enumerate(runs.model.rows) if str(one.facts.procedure) == "IV"][:2]
    for number, row in enumerate(rows):
        keys = Qt.KeyboardModifier.ControlModifier if number else Qt.KeyboardModifier.NoModifier
        place = runs.table.visualRect(runs.model.index(row, 1)).center()
        hands.click(runs.table.viewport(), keys, place)
    hands.click(runs.compare)
    from mho.gui.runs.compare_view import CompareView

    view = hands.wait(lambda: runs.findChild(CompareView))
    differing = [view.table.verticalHeaderItem(row).text() for row in range(view.table.rowCount())]
    view.close()
    return f"they differ in {', '.join(differing[:3])}"


def failed_run(hands: Hands) -> str:
    window = hands.window
    job = hands.wait(lambda: next((one for one in window.session.jobs if str(one.status) == "failed"), None))
    window.show_panel("Queue")
    hands.clicks += 1
    queue = window.panel("Queue")
    row = hands.wait(lambda: queue.model.row_of(job.id) is not None) and queue.model.row_of(job.id)
    reason = queue.model.index(row, 5).data()
    if "singular" not in reason:
        raise NotDone(reason)
    return str(reason)[:60]


def instrument_reading(hands: Hands) -> str:
    window = hands.window
    window.show_panel("Bench")
    hands.clicks += 1
    panel = window.panel("Bench")
    hands.wait(lambda: panel.by_hand.cards)
    hands.click(panel.turn)
    hands.click(panel.by_hand.cards["smu"].lines["source"].button)
    hands.click(panel.by_hand.cards["smu"].lines["watch"].button)
    chart = panel.by_hand.chart
    hands.wait(lambda: any(len(one.times) > 2 for one in chart.traces.values()), LONG)
    hands.click(panel.by_hand.end)
    hands.wait(lambda: window.commands.light.text().startswith("SAFE"), LONG)
    return chart.last.text()


def stop_everything(hands: Hands) -> str:
    window = hands.window
    hands.choose("read cells")
    hands.type("repeats", "100000")
    form = window.panel("Experiments")
    hands.wait(lambda: form.expected is not None)
    hands.click(form.buttons.run_now)
    hands.wait(lambda: window.commands.light.text().startswith("LIVE"), LONG)
    hands.click(window.commands.stop)
    hands.wait(lambda: window.commands.light.text().startswith("SAFE"), LONG)
    light = window.commands.light.text()
    window.session.command("resume")
    return light


def figure_for_a_paper(hands: Hands) -> str:
    window, session = hands.window, hands.window.session
    run = next(job.run for job in session.jobs if job.order.procedure == "iv" and job.run is not None)
    session.open_run(run)
    window.show_panel("Signals")
    hands.clicks += 1
    signals = window.panel("Signals")
    hands.wait(lambda: signals.figure_plot.drawn)
    signals.picture_width.setCurrentText("column, 85 mm")
    hands.clicks += 2
    target = session.folder / "figure.pdf"
    hands.clicks += 2  # Save…, and the name in its dialog
    signals.save_as(target)
    hands.wait(target.exists)
    return f"{target.stat().st_size} bytes of PDF, 85 mm wide"


TASKS: dict[str, Callable[[Hands], str]] = {
    "first solve": first_solve,
    "form one cell": form_one_cell,
    "SET it to level 5": set_to_level_five,
    "I-V of three cells on a log axis": iv_of_three_cells,
    "gate over five values on a row": gate_over_five_values_on_a_row,
    "compare two runs": compare_two,
    "a failed run and its reason": failed_run,
    "add an instrument reading": instrument_reading,
    "stop everything and know that it is safe": stop_everything,
    "a figure for a paper": figure_for_a_paper,
}


def main(place: Path) -> None:
    """Do the tasks one after another in one window."""
    app = QApplication.instance() or QApplication([])
    runs = place / "runs"
    window = gui.open_main_window(runs, settings=QSettings(str(place / "s.ini"), QSettings.Format.IniFormat))
    window.resize(1280, 800)
    window.show()
    QTest.qWait(300)
    np.savetxt(place / "singular.csv", np.ones((4, 4)), delimiter=",")
    hands, told = Hands(window), {}
    for name, task in TASKS.items():
        hands.clicks, began = 0, time.monotonic()
        try:
            came, done = task(hands), True
        except Exception as error:
            came, done = f"{type(error).__name__}: {error}", False
        told[name] = {
            "done": done,
            "clicks": hands.clicks,
            "s": round(time.monotonic() - began, 1),
            "what": came,
        }
        if name == "first solve":  # last week's failure, for a later task
            from mho.running.queue import Order, Queue

            with Queue(runs / "queue.sqlite") as queue:
                queue.add(Order("solve", {"matrix": str(place / "singular.csv")}, folder=place))
    if window.session.held_by_hand:
        window.session.end_by_hand()
        QTest.qWait(500)
    window.close()
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    _end_runner(runs)
    app.quit()


def _end_runner(runs: Path) -> None:
    """End the runner that the window has started, by its own process id."""
    import psutil

    from mho.running.runner import NoRunnerError, RunnerClient

    with suppress(NoRunnerError, psutil.NoSuchProcess):
        psutil.Process(RunnerClient(runs / "queue.sqlite", "simulated").status().pid).terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
