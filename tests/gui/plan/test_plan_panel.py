"""The plan by mouse: rows from a form or a file, changed in place, checked, saved, queued, carried out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLineEdit
from window_steps import PATIENCE, choose, drop_file, press

from mho.gui.plan.panel import PlanPanel, RepeatDialog, TextWindow
from mho.gui.session.session import Session
from mho.running.plan import load_plan
from mho.running.queue import Order

IV = '[[steps]]\nprocedure = "iv"\nparameters = { rows = "0:2", columns = "0:2" }\n'
SWEPT = ("gate", "gate_reset", "delay")
GATES = 'name = "gates"\n' + IV + "[[sweep]]\ngate = [1.2, 1.6]\n[[sweep]]\nseed = { from = 1, to = 3 }\n"


@pytest.fixture
def panel(session: Session, qtbot) -> PlanPanel:
    panel = PlanPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1200, 400)
    panel.show()
    session.ensure_runner = lambda: None
    session.start()
    return panel


@pytest.fixture
def said(session: Session) -> list[str]:
    texts: list[str] = []
    session.message.connect(lambda level, text, topic: texts.append(text))
    return texts


def open_text(panel: PlanPanel, text: str, runs: int, tmp_path: Path, qtbot) -> Path:
    path = tmp_path / "given.toml"
    path.write_text(text, "utf-8")
    panel.open(path)
    qtbot.waitUntil(lambda: len(panel.model.rows) == runs, timeout=PATIENCE)
    return path


def column(panel: PlanPanel, heading: str) -> list[str]:
    place = [one.heading for one in panel.model.columns].index(heading)
    return [panel.model.index(row, place).data() for row in range(len(panel.model.rows))]


def type_into(panel: PlanPanel, row: int, heading: str, text: str, qtbot) -> None:
    """Double click a cell, type over what it says, and press Return."""
    view, place = panel.view, [one.heading for one in panel.model.columns].index(heading)
    index = panel.model.index(row, place)
    view.scrollTo(index)
    view.setCurrentIndex(index)
    where = view.visualRect(index).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    editor = view.viewport().findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: view.state() != QAbstractItemView.State.EditingState, timeout=PATIENCE)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # no editor of before is found again


def wait_checked(panel: PlanPanel, qtbot) -> None:
    model = panel.model
    qtbot.waitUntil(lambda: all(model.check_of(row) is not None for row in model.rows), timeout=PATIENCE)


def test_a_sweep_in_the_form_becomes_rows_of_the_plan(open_main: Callable, tmp_path: Path, qtbot) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    window = open_main(folder)
    choose(window, "iv", qtbot)
    form = window.panel("Experiments")
    form.form.fields["gate"].editor.setText("1.2 to 2 V in 3 steps")
    form.form.fields["cycles"].editor.setText("1; 2")
    press(form.buttons.plan, qtbot)
    qtbot.waitUntil(lambda: len(window.panel("Plan").model.rows) == 6, timeout=PATIENCE)
    plan = window.panel("Plan")
    assert sorted(zip(column(plan, "gate (V)"), column(plan, "cycles"), strict=True)) == [
        (gate, cycles) for gate in ("1.2", "1.6", "2") for cycles in ("1", "2")
    ]
    assert plan.isVisible()


def test_a_file_is_shown_and_saved_as_the_same_runs(panel: PlanPanel, tmp_path: Path, qtbot) -> None:
    path = open_text(panel, GATES, 6, tmp_path, qtbot)
    assert column(panel, "gate (V)") == ["1.2"] * 3 + ["1.6"] * 3
    assert column(panel, "Run seed") == ["1", "2", "3"] * 2
    panel.save(tmp_path / "same")
    qtbot.waitUntil((tmp_path / "same.toml").exists, timeout=PATIENCE)
    assert (tmp_path / "same.toml").read_text() == GATES  # as it was, with its comments
    type_into(panel, 0, "gate (V)", "1400 mV", qtbot)
    panel.save(tmp_path / "other.toml")
    qtbot.waitUntil((tmp_path / "other.toml").exists, timeout=PATIENCE)
    before, after = (load_plan(one).runs for one in (path, tmp_path / "other.toml"))
    assert [run.parameters["gate"] for run in after] == [1.4, 1.2, 1.2, 1.6, 1.6, 1.6]
    assert [(run.seed, run.bench) for run in after] == [(run.seed, run.bench) for run in before]


def test_what_is_typed_wrong_is_said_and_not_taken(
    panel: PlanPanel, said: list[str], tmp_path: Path, qtbot
) -> None:
    open_text(panel, GATES, 6, tmp_path, qtbot)
    for text, words in (("99", "run 2: gate is 99.0; it must be a number from 0 to 10"), ("3 kg", "'kg'")):
        type_into(panel, 1, "gate (V)", text, qtbot)
        assert words in said[-1]
    type_into(panel, 1, "Run seed", "-4", qtbot)
    assert "the seed is '-4'" in said[-1]
    assert column(panel, "gate (V)")[1] == "1.2"
    assert column(panel, "Run seed")[1] == "2"


def test_several_values_in_a_cell_make_as_many_rows_and_undo_takes_them_back(
    panel: PlanPanel, tmp_path: Path, qtbot
) -> None:
    open_text(panel, GATES, 6, tmp_path, qtbot)
    type_into(panel, 5, "gate (V)", "2 to 3 in 3 steps", qtbot)
    qtbot.waitUntil(lambda: column(panel, "gate (V)")[5:] == ["2", "2.5", "3"], timeout=PATIENCE)
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert column(panel, "gate (V)") == ["1.2"] * 3 + ["1.6"] * 3


def test_rows_are_removed_duplicated_moved_and_had_back(panel: PlanPanel, tmp_path: Path, qtbot) -> None:
    open_text(panel, GATES, 6, tmp_path, qtbot)
    panel.view.setFocus()
    panel.view.selectRow(1)
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete)
    assert column(panel, "Run seed") == ["1", "3", "1", "2", "3"]
    panel.view.selectRow(0)
    qtbot.keyClick(panel.view, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert column(panel, "Run seed") == ["1", "1", "3", "1", "2", "3"]
    panel.view.selectRow(2)
    qtbot.keyClick(panel.view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert column(panel, "Run seed") == ["1", "3", "1", "1", "2", "3"]
    for _ in range(3):
        qtbot.keyClick(panel.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert column(panel, "Run seed") == ["1", "2", "3"] * 2


def test_rows_are_repeated_with_seeds(panel: PlanPanel, tmp_path: Path, qtbot) -> None:
    open_text(panel, 'name = "two"\n' + IV + "[[sweep]]\ngate = [1, 2]\n", 2, tmp_path, qtbot)
    panel.view.selectAll()
    qtbot.keyClick(panel.view, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    dialog = panel.findChild(RepeatDialog)
    dialog.times.setValue(3)
    dialog.seed.setText("7")
    dialog.accept()
    assert column(panel, "Run seed") == ["7", "8", "9"] * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not valid TOML"),
        ('name = "x"\n[[steps]]\nprocedure = "sovle"\n', "solve"),
        ('name = "x"\n' + IV + '[[sweep]]\ngate = ["1 kg"]\n', "kg"),
        ('name = "x"\n' + IV.replace("rows", "rowz"), "rowz"),
        ('name = "x"\nfuture = 1\n' + IV, "future"),
        (
            'name = "x"\n' + IV + "".join(f"[[sweep]]\n{key} = {{ from = 1, to = 9, steps = 300 }}\n" for key in SWEPT),
            "27000000 runs are more than the 10000",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_sentence_and_changes_nothing(
    text: str, words: str, panel: PlanPanel, said: list[str], tmp_path: Path, qtbot
) -> None:
    open_text(panel, GATES, 6, tmp_path, qtbot)
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    drop_file(panel, path, QPoint(20, 20))
    qtbot.waitUntil(lambda: "wrong.toml" in said[-1], timeout=PATIENCE)
    assert words in said[-1]
    assert "\n" not in said[-1]
    assert len(panel.model.rows) == 6


def test_a_dry_run_tells_what_is_refused_and_queue_then_queues_nothing(
    panel: PlanPanel, session: Session, said: list[str], tmp_path: Path, qtbot
) -> None:
    open_text(panel, GATES.replace("1.6", "9"), 6, tmp_path, qtbot)
    press(panel.buttons["Dry run"], qtbot)
    qtbot.waitUntil(lambda: panel.findChild(TextWindow) is not None, timeout=PATIENCE)
    text = panel.findChild(TextWindow).text.toPlainText()
    assert text.startswith("6 runs: 6 iv")
    assert "runs 4, 5, 6 would be refused: word line: voltage of 9 V exceeds the limit of 4 V" in text
    press(panel.buttons["Queue"], qtbot)
    qtbot.waitUntil(lambda: said[-1].startswith("nothing is queued: run 4 is refused"), timeout=PATIENCE)
    assert session.jobs == []


def test_the_plan_is_queued_in_order_and_its_rows_tell_what_became_of_them(
    panel: PlanPanel, session: Session, said: list[str], tmp_path: Path, qtbot
) -> None:
    open_text(panel, GATES, 6, tmp_path, qtbot)
    press(panel.buttons["Queue"], qtbot)
    qtbot.waitUntil(lambda: len(session.jobs) == 6, timeout=PATIENCE)
    assert [(job.order.parameters["gate"], job.order.seed) for job in sorted(session.jobs, key=lambda job: job.id)] == [
        (gate, seed) for gate in (1.2, 1.6) for seed in (1, 2, 3)
    ]  # fmt: skip
    qtbot.waitUntil(lambda: column(panel, "State")[0] == "job 1 waiting", timeout=PATIENCE)
    type_into(panel, 1, "gate (V)", "2", qtbot)  # a run that was not queued
    wait_checked(panel, qtbot)
    assert column(panel, "State")[:3] == [
        "job 1 waiting",
        "not queued",
        "job 3 waiting",
    ]
    press(panel.buttons["Queue"], qtbot)
    qtbot.waitUntil(lambda: len(session.jobs) == 7, timeout=PATIENCE)
    session.change_queue(lambda queue: queue.skip(1, "skipped by hand"))
    qtbot.waitUntil(
        lambda: column(panel, "State")[0].startswith("job 1 skipped: skipped by hand"), timeout=PATIENCE
    )


def test_what_goes_on_with_the_chip_of_a_row_stays_behind_it(
    panel: PlanPanel, session: Session, said: list[str], tmp_path: Path, qtbot
) -> None:
    chain = (
        'name = "chain"\n[[steps]]\nprocedure = "form"\nparameters = { rows = "0:2", columns = "0:2" }\n' + IV
    )
    open_text(
        panel, chain.replace('procedure = "iv"', 'procedure = "iv"\nafter = "form"'), 2, tmp_path, qtbot
    )
    assert column(panel, "Procedure") == ["form", "iv, after run 1"]
    panel.view.selectRow(0)
    for act in (lambda: panel._actions[0].trigger(), lambda: panel._actions[4].trigger()):
        act()
        assert "goes on with the chip of run 1" in said[-1]
    assert column(panel, "Procedure") == ["form", "iv, after run 1"]
    press(panel.buttons["Queue"], qtbot)
    qtbot.waitUntil(lambda: len(session.jobs) == 2, timeout=PATIENCE)
    assert [job.order.after for job in sorted(session.jobs, key=lambda job: job.id)] == [None, "#1"]


def test_a_thousand_rows_stay_fluent(panel: PlanPanel, session: Session, qtbot) -> None:
    panel.session.change_queue = lambda *_: (
        None
    )  # what takes the time of the checks is no matter of the table
    orders = [Order("iv", {"gate": 1 + number / 1000}, seed=number) for number in range(1000)]
    panel.add(orders)
    qtbot.waitUntil(lambda: len(panel.model.rows) == 1000, timeout=PATIENCE)
    assert len(panel.view.findChildren(QLineEdit)) == 0
    panel.view.selectRow(500)
    began = time.perf_counter()
    panel._actions[3].trigger()
    panel.view.viewport().repaint()
    assert time.perf_counter() - began < 1.0  # some 30 ms where nothing else runs
    assert panel.chosen()[0].order.seed == 500


def test_the_runs_are_those_of_the_dry_run_on_the_terminal(panel: PlanPanel, tmp_path: Path, qtbot) -> None:
    from mho.cli.experiments.plan import print_plan
    from mho.cli.terminal.terminal import Terminal

    path = open_text(panel, GATES.replace("1.6", "9"), 6, tmp_path, qtbot)
    wait_checked(panel, qtbot)
    refused = print_plan(load_plan(path), Terminal(stderr=True))
    mine = [panel.model.number_of(row.id) for row in panel.model.rows if panel.model.check_of(row).refusal]
    assert mine == [one.number for one in refused] == [4, 5, 6]


@pytest.mark.usefixtures("own_locks")
def test_a_small_plan_is_carried_out(session: Session, qtbot, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    panel = PlanPanel(session)
    qtbot.addWidget(panel)
    session.ensure_runner = lambda: None
    session.start()
    open_text(panel, 'name = "two"\n' + IV + "[[sweep]]\nseed = [1, 2]\n", 2, tmp_path, qtbot)
    press(panel.buttons["Queue"], qtbot)
    qtbot.waitUntil(lambda: len(session.jobs) == 2, timeout=PATIENCE)
    environment = os.environ | {"MHO_RUNS": str(session.folder)}
    with subprocess.Popen(
        [sys.executable, "-m", "mho", "runner", "--drain"], env=environment, stdout=subprocess.DEVNULL
    ) as runner:
        assert runner.wait(PATIENCE / 1000) == 0
    qtbot.waitUntil(lambda: all(" finished" in text for text in column(panel, "State")), timeout=PATIENCE)
    assert "2 runs · 0 to go" in panel.standing.text()
