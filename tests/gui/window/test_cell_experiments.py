"""The ten experiments on cells from the window: chosen, filled in, run by a real runner, drawn when they have ended."""

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit
from queue_runners import Desk
from window_steps import PATIENCE, choose, press, wait_on

from mho.gui.signals.panel import SignalsPanel
from mho.gui.window.main_window import MainWindow
from mho.runs import Status

CELLS = {"rows": "0:2", "columns": "0:2"}
EXPERIMENTS = {
    "contact": CELLS,
    "form": CELLS | {"step": "0.2"},
    "map": CELLS | {"repeats": "3"},
    "iv": CELLS | {"highest": "2", "lowest": "-1.6", "step": "0.1", "gate": "1.8", "gate_reset": "2.8", "cycles": "2"},
    "response": CELLS | {"points": "6", "repeats": "2"},
    "switching": CELLS | {"cycles": "5"},
    "noise": {"rows": "0", "columns": "0:2", "samples": "64", "series": "1"},
    "disturb": CELLS | {"pulses": "100", "stress": "set", "share": "V/3"},
    "retention": CELLS | {"last": "10"},
    "endurance": CELLS | {"cycles": "100"},
}  # fmt: skip
EMPTY = {"endurance": {"lifetimes"}}
"""Figures with nothing to draw: of cells that failed, where none did."""


def fill_in(window: MainWindow, values: dict[str, str], qtbot) -> None:
    """Type values into the form, or choose them."""
    for name, text in values.items():
        editor = window.panel("Experiments").form.fields[name].editor
        match editor:
            case QLineEdit():
                editor.selectAll()
                qtbot.keyClicks(editor, text)
            case QComboBox():
                assert editor.findText(text) >= 0, name
                editor.setCurrentText(text)
            case QCheckBox():
                editor.setChecked(text == "yes")


def on_the_chip_of(window: MainWindow, job: int, qtbot) -> None:
    """Choose the chip that an earlier job leaves."""
    chip = window.panel("Experiments").conditions.chip
    qtbot.waitUntil(lambda: chip.findData(f"#{job}") >= 0, timeout=PATIENCE)
    chip.setCurrentIndex(chip.findData(f"#{job}"))


def something_is_drawn(signals: SignalsPanel) -> bool:
    """Return whether the figure in sight shows at least one value."""
    if signals.shown.currentWidget() is signals.images:
        return any(np.isfinite(one.values).any() for one in signals.images.pictures)
    curves = [item for item in signals.figure_plot.drawn if hasattr(item, "getOriginalDataset")]
    return any(np.isfinite(np.asarray(item.getOriginalDataset()[1], float)).any() for item in curves)


@pytest.mark.thorough
@pytest.mark.timeout(900)  # ten jobs; one that stands still ends it long before
def test_each_experiment_is_run_from_the_window_and_its_figures_are_drawn(
    desk: Desk, open_main: Callable[..., MainWindow], qtbot
) -> None:
    window = open_main(desk.path.parent)
    form, jobs, session = window.panel("Experiments"), window.panel("Queue"), window.session
    for number, (name, values) in enumerate(EXPERIMENTS.items(), 1):
        choose(window, name, qtbot)
        fill_in(window, values, qtbot)
        form.conditions.seed_line.setText(
            "1"
        )  # of four cells formed some seeds leave none in its window, and nothing to draw
        if number > 2:  # on the cells that job 2 has formed
            on_the_chip_of(window, 2, qtbot)
        assert not form.form.problems(), name
        press(form.buttons.queue, qtbot)
        qtbot.waitUntil(lambda number=number: len(session.jobs) == number, timeout=PATIENCE)

    def statuses() -> list[str]:
        return [job.status for job in jobs.model.jobs]

    wait_on(statuses, lambda: {*statuses()} <= {"finished", "failed"}, qtbot)
    done = sorted(jobs.model.jobs, key=lambda job: job.id)
    assert [(job.order.procedure, job.status, job.reason) for job in done] == [
        (name, "finished", "") for name in EXPERIMENTS
    ]
    qtbot.waitUntil(lambda: session.run_path == done[-1].run, timeout=PATIENCE)  # it was followed
    window.show_panel("Signals")
    for job in done:
        session.open_run(job.run)
        assert session.run.status is Status.FINISHED
        _figures_are_drawn(window, job.order.procedure, qtbot)


def _figures_are_drawn(window: MainWindow, name: str, qtbot) -> None:
    signals = window.panel("Signals")
    declared = [figure.name for figure in window.session.run.figures]
    qtbot.waitUntil(lambda: signals.settled, timeout=PATIENCE)
    assert [signals.figure.itemData(place) for place in range(signals.figure.count())] == [*declared, ""]
    for figure in declared:
        signals.figure.setCurrentIndex(signals.figure.findData(figure))
        empty = figure in EMPTY.get(name, ())
        qtbot.waitUntil(lambda: signals.settled, timeout=PATIENCE)
        assert something_is_drawn(signals) is not empty, f"{name}: {figure}"
