"""Choosing a procedure, filling in its form, and what becomes of it."""

from pathlib import Path

import pytest
from daily import daily
from lacking_benches import take_away, without_chuck
from pymeasure.experiment import BooleanParameter, FloatParameter
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox, QLineEdit, QMessageBox
from queue_runners import SUPPORT, served_bench
from repository import ROOT
from window_steps import PATIENCE, choose, drop_file, press

from mho.gui.experiments.panel import ExperimentsPanel, check_of, words_of
from mho.gui.experiments.parameter_form import ParameterForm
from mho.gui.experiments.procedure_list import NAME
from mho.gui.session.session import Session
from mho.gui.widgets import OutputWindow
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Procedure
from mho.procedures.manifest import describe, described_entries
from mho.running.queue import Order, Queue
from mho.runs import Labels


@pytest.fixture
def panel(session: Session, qtbot) -> ExperimentsPanel:
    panel = ExperimentsPanel(session)
    panel.panel = lambda title: panel  # as `window_steps.choose` looks for it in a window
    qtbot.addWidget(panel)
    panel.resize(400, 700)
    panel.show()
    session.ensure_runner = lambda: None  # nothing is run here
    session.start()
    return panel


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("2,0.5\n0.25,1.5\n", encoding="utf-8")
    return path


def type_into(panel: ExperimentsPanel, name: str, text: str, qtbot) -> None:
    editor = panel.form.fields[name].editor
    assert isinstance(editor, QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, text)


def edit_first(panel: ExperimentsPanel, qtbot) -> None:
    """Ask to change the first job, and wait for its form: the procedures on offer may still be on their way."""
    panel.session.edit_wanted.emit(panel.session.jobs[0])
    qtbot.waitUntil(lambda: panel.form is not None and panel.buttons.change.isVisible(), timeout=PATIENCE)


def test_procedures_are_found_by_any_word_and_shown_in_groups(panel: ExperimentsPanel, qtbot) -> None:
    qtbot.waitUntil(lambda: bool(panel.list.names()), timeout=PATIENCE)
    assert {"read", "program", "solve"} <= set(panel.list.names())
    qtbot.keyClicks(panel.list.search, "linear digital")
    assert panel.list.names() == ["solve"]
    qtbot.keyClick(panel.list.search, Qt.Key.Key_Return)
    assert panel.heading.text() == "Solve A x = b"
    assert "linear equations" in panel.line.text()


@pytest.mark.parametrize(
    ("typed", "taken"),
    daily(
        [
            ("read cells", "read"),
            ("read", "read"),
            ("cells read", "read"),
            ("endur", "endurance"),
            ("solv", "solve"),
        ],
        2,
    ),
)
def test_return_takes_the_procedure_whose_name_is_nearest_and_marks_it_before(
    panel: ExperimentsPanel, typed: str, taken: str, qtbot
) -> None:
    qtbot.waitUntil(lambda: bool(panel.list.names()), timeout=PATIENCE)
    qtbot.keyClicks(panel.list.search, typed)
    assert panel.list.best() == taken
    marked = panel.list.tree.currentItem()
    assert marked is not None
    assert marked.data(0, NAME) == taken
    qtbot.keyClick(panel.list.search, Qt.Key.Key_Return)
    assert panel.name == taken


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
def test_what_stresses_cells_by_the_million_is_asked_about(
    panel: ExperimentsPanel, session: Session, monkeypatch: pytest.MonkeyPatch, answer, qtbot
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(QMessageBox, "question", lambda _, __, text, *___: asked.append(text) or answer)
    panel.show_form("disturb", {})
    qtbot.waitUntil(lambda: panel.expected is not None, timeout=PATIENCE)
    press(panel.buttons.queue, qtbot)
    assert "16,000,000 pulses" in asked[0]
    if answer == QMessageBox.StandardButton.No:
        qtbot.wait(100)
        assert session.jobs == []
    else:
        qtbot.waitUntil(lambda: len(session.jobs) == 1, timeout=PATIENCE)


@pytest.mark.parametrize("name", daily(["read", "map", "Noise"], 1))
def test_a_name_that_is_typed_whole_is_taken_whatever_else_it_is_found_in(
    panel: ExperimentsPanel, name: str, qtbot
) -> None:
    choose(panel, name, qtbot)
    assert len(panel.list.names()) > 1 or name != "read"
    chosen = panel.list.tree.currentItem()
    assert chosen is not None
    assert chosen.data(0, NAME) == name.lower()


def test_a_procedure_is_chosen_by_a_click(panel: ExperimentsPanel, qtbot) -> None:
    qtbot.waitUntil(lambda: bool(panel.list.names()), timeout=PATIENCE)
    tree = panel.list.tree
    groups = [tree.topLevelItem(place) for place in range(tree.topLevelItemCount())]
    cells = next(group for group in groups if group.text(0) == "Cells")
    tree.scrollToItem(cells.child(1))
    where = tree.visualItemRect(cells.child(1)).center()
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert panel.heading.text() == cells.child(1).text(0)


def test_what_cannot_be_used_is_marked_as_it_is_typed(panel: ExperimentsPanel, qtbot) -> None:
    choose(panel, "read", qtbot)
    interval = panel.form.fields["interval"]
    type_into(panel, "interval", "3 V", qtbot)
    assert "not a unit of its kind" in interval.reason.text()
    qtbot.waitUntil(interval.reason.isVisible, timeout=PATIENCE)
    assert interval.editor.styleSheet()
    assert not panel.buttons.queue.isEnabled()
    type_into(panel, "interval", "250 ms", qtbot)
    assert not interval.reason.isVisible()
    assert not interval.editor.styleSheet()
    assert panel.buttons.queue.isEnabled()
    type_into(panel, "repeats", "0", qtbot)
    assert panel.form.problems()["repeats"] == "repeats is 0; it must be a whole number from 1 to 1e+06"
    type_into(panel, "repeats", "2.5", qtbot)
    assert "whole number" in panel.form.problems()["repeats"]


def test_a_number_that_need_not_be_given_is_empty_and_a_zero_is_a_zero(
    panel: ExperimentsPanel, qtbot
) -> None:
    choose(panel, "iv", qtbot)
    gate = panel.form.fields["gate"]
    assert isinstance(gate.editor, QLineEdit)
    assert (gate.editor.text(), gate.editor.placeholderText()) == ("", "not given")
    assert "may be left out" in gate.toolTip()
    assert panel.form.problems() == {}
    assert "gate" not in panel.form.values()
    type_into(panel, "gate", "0", qtbot)
    assert panel.form.values()["gate"] == "0"
    assert panel.form.problems() == {}
    panel.form.fill({"gate": 1.5})
    assert panel.form.values()["gate"] == "1.5"
    panel.form.fill({})
    assert "gate" not in panel.form.values()


def test_units_and_limits_are_shown(panel: ExperimentsPanel, qtbot) -> None:
    choose(panel, "solve", qtbot)
    bits = panel.form.fields["bits"]
    assert bits.row.itemAt(1).widget().text() == "bit"
    assert bits.toolTip() == "3 to 50 bit, default 24 bit"
    assert isinstance(panel.form.fields["encoding"].editor, QComboBox)


def test_what_must_be_given_comes_first_and_keeps_the_buttons_off(panel: ExperimentsPanel, qtbot) -> None:
    choose(panel, "solve", qtbot)
    assert next(iter(panel.form.fields)) == "matrix"
    assert not panel.buttons.run_now.isEnabled()
    assert "Matrix" in panel.estimate.text()


def test_what_only_the_whole_shows_is_said_where_the_estimate_would_be(
    panel: ExperimentsPanel, qtbot
) -> None:
    choose(panel, "solve", qtbot)
    type_into(panel, "matrix", "nowhere.csv", qtbot)
    qtbot.waitUntil(lambda: "nowhere.csv" in panel.estimate.text(), timeout=PATIENCE)
    assert not panel.buttons.queue.isEnabled()


def test_time_and_pulses_are_estimated_before_anything_is_queued(
    panel: ExperimentsPanel, matrix: Path, qtbot
) -> None:
    choose(panel, "solve", qtbot)
    type_into(panel, "matrix", str(matrix), qtbot)
    qtbot.waitUntil(lambda: panel.expected is not None, timeout=PATIENCE)
    assert panel.expected.pulses > 0
    assert f"{panel.expected.pulses:,} pulses" in panel.estimate.text()


def test_an_order_is_queued_as_typed_behind_the_others_and_run_now_before_them(
    panel: ExperimentsPanel, matrix: Path, qtbot
) -> None:
    choose(panel, "read", qtbot)
    type_into(panel, "interval", "250 ms", qtbot)
    qtbot.keyClicks(panel.conditions.seed_line, "7")
    panel.conditions.cells.setCurrentText("quiet")
    press(panel.buttons.queue, qtbot)
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 1, timeout=PATIENCE)
    choose(panel, "solve", qtbot)
    type_into(panel, "matrix", str(matrix), qtbot)
    press(panel.buttons.run_now, qtbot)
    qtbot.waitUntil(
        lambda: [job.order.procedure for job in panel.session.jobs] == ["solve", "read"], timeout=PATIENCE
    )
    first, second = (job.order for job in panel.session.jobs)
    assert first.parameters == {"matrix": str(matrix)}
    assert (second.procedure, second.parameters) == ("read", {"interval": "250 ms"})
    assert (second.seed, second.preset) == (7, "quiet")


def test_a_job_that_waits_is_changed_in_the_form_and_keeps_its_place(panel: ExperimentsPanel, qtbot) -> None:
    with Queue(panel.session.queue_path) as queue:
        first, _ = (queue.add(Order("read", {"repeats": count}, seed=3)) for count in (2, 3))
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 2, timeout=PATIENCE)
    edit_first(panel, qtbot)
    assert panel.form.values() == {"repeats": "2"}
    assert panel.buttons.change.text() == f"Change job {first.id}"
    assert not panel.buttons.queue.isVisible()
    type_into(panel, "repeats", "5", qtbot)
    press(panel.buttons.change, qtbot)
    qtbot.waitUntil(lambda: panel.session.jobs[0].order.parameters == {"repeats": "5"}, timeout=PATIENCE)
    assert [job.id for job in panel.session.jobs] == [first.id, first.id + 1]
    assert panel.session.jobs[0].order.seed == 3
    qtbot.waitUntil(panel.buttons.queue.isVisible, timeout=PATIENCE)


@pytest.mark.thorough
def test_a_job_that_insists_on_limits_keeps_that_when_it_is_changed_and_no_other_gets_it(
    panel: ExperimentsPanel, tmp_path: Path, qtbot
) -> None:
    bench = tmp_path / "bold.toml"
    bench.write_text(load_bench_file("simulated").text.replace("voltage = 4.6 ", "voltage = 46 "), "utf-8")
    panel.session.set_bench(str(bench))
    with Queue(panel.session.queue_path) as queue:
        queue.add(Order("read", {"repeats": 2}, bench=str(bench), force=True))
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 1, timeout=PATIENCE)
    edit_first(panel, qtbot)
    assert not panel.conditions.insist.isHidden()
    type_into(panel, "repeats", "5", qtbot)
    qtbot.waitUntil(lambda: panel.expected is not None, timeout=PATIENCE)  # it is not refused
    press(panel.buttons.change, qtbot)
    qtbot.waitUntil(lambda: panel.session.jobs[0].order.parameters == {"repeats": "5"}, timeout=PATIENCE)
    assert panel.session.jobs[0].order.force
    choose(panel, "read", qtbot)
    assert panel.conditions.insist.isHidden()
    assert not panel.order().force
    qtbot.waitUntil(lambda: "46 V is beyond" in panel.estimate.text(), timeout=PATIENCE)


def test_a_job_that_begins_meanwhile_is_not_changed_and_that_is_said(panel: ExperimentsPanel, qtbot) -> None:
    with Queue(panel.session.queue_path) as queue:
        job = queue.add(Order("read", {"repeats": 1}))
        qtbot.waitUntil(lambda: len(panel.session.jobs) == 1, timeout=PATIENCE)
        edit_first(panel, qtbot)
        with qtbot.waitSignal(panel.session.message, timeout=PATIENCE) as said:
            queue.begin(job.id, run=None, worker=1)
    assert said.args[:2] == ["WARNING", f"job {job.id} waits no longer; Queue makes a new one of the form"]
    assert not panel.buttons.change.isVisible()
    assert panel.buttons.queue.isVisible()


def test_an_order_for_a_held_queue_says_that_it_waits(panel: ExperimentsPanel, qtbot) -> None:
    with Queue(panel.session.queue_path) as queue:
        queue.hold("simulated", "for tea")
    qtbot.waitUntil(lambda: panel.session.lane is not None and panel.session.lane.held, timeout=PATIENCE)
    choose(panel, "read", qtbot)
    with qtbot.waitSignal(panel.session.message, timeout=PATIENCE) as said:
        press(panel.buttons.queue, qtbot)
    assert said.args[0] == "WARNING"
    assert "for tea" in said.args[1]


@pytest.mark.parametrize("seed", ["-3", "9223372036854775808", "1" * 5000])
def test_a_seed_that_is_none_is_marked(panel: ExperimentsPanel, qtbot, seed: str) -> None:
    choose(panel, "read", qtbot)
    panel.conditions.seed_line.setText(seed)
    assert not panel.buttons.queue.isEnabled()
    assert f"'{seed}'" in panel.estimate.text()


def test_the_form_begins_with_what_the_last_job_had(panel: ExperimentsPanel, qtbot) -> None:
    with Queue(panel.session.queue_path) as queue:
        queue.add(Order("read", {"rows": "0:4", "interval": 0.5}, seed=3))
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 1, timeout=PATIENCE)
    choose(panel, "read", qtbot)
    values = panel.form.values()
    assert values == {"rows": "0:4", "interval": "0.5"}
    assert panel.conditions.seed() == 3
    panel.defaults.menu().actions()[0].trigger()
    assert panel.form.values() == {}


def test_the_form_is_filled_from_a_run(panel: ExperimentsPanel, solved: Path, tmp_path: Path, qtbot) -> None:
    from mho import run
    from mho.procedures import Read

    path = run(Read(rows="0:2", columns="3"), "simulated", seed=5, output=tmp_path / "read.h5").path
    qtbot.waitUntil(lambda: bool(panel.list.names()), timeout=PATIENCE)
    panel.fill_from_run(path)
    qtbot.waitUntil(
        lambda: panel.form is not None and panel.form.values().get("columns") == "3", timeout=PATIENCE
    )
    assert panel.conditions.seed() == 5
    with qtbot.waitSignal(panel.session.message, timeout=PATIENCE) as said:
        panel.fill_from_run(solved)  # says too little of its origin
    assert said.args[0] == "ERROR"


@pytest.mark.thorough
def test_a_run_goes_on_with_the_chip_of_a_job_or_of_a_run_file(
    panel: ExperimentsPanel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot
) -> None:
    with Queue(panel.session.queue_path) as queue:
        first = queue.add(Order("program", {"digits": "digits.csv"}, seed=3))
        queue.skip(queue.add(Order("read")).id, "no")
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 2, timeout=PATIENCE)
    choose(panel, "read", qtbot)
    chip = panel.conditions.chip
    qtbot.waitUntil(chip.isVisible, timeout=PATIENCE)
    assert [chip.itemText(i) for i in range(chip.count())] == [
        "a fresh one", "as job 1 (program) leaves it", "as a run left it…",
    ]  # fmt: skip
    panel.conditions.cells.setCurrentText("quiet")
    qtbot.keyClick(chip, Qt.Key.Key_Down)
    assert (panel.order().after, panel.order().preset) == (f"#{first.id}", None)
    assert not panel.conditions.cells.isEnabled()
    with Queue(panel.session.queue_path) as queue:  # another job does not change what was chosen
        queue.add(Order("read"))
    qtbot.waitUntil(lambda: chip.count() == 4, timeout=PATIENCE)
    assert panel.order().after == "#1"
    press(panel.buttons.queue, qtbot)
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 4, timeout=PATIENCE)
    assert max(panel.session.jobs, key=lambda job: job.id).order.after == "#1"

    path = str(tmp_path / "program.h5")
    monkeypatch.setattr("mho.gui.experiments.panel.QFileDialog.getOpenFileName", lambda *_: (path, ""))
    chip.setCurrentIndex(chip.count() - 1)
    chip.activated.emit(chip.count() - 1)
    assert (panel.order().after, chip.currentText()) == (path, "as program.h5 left it")
    qtbot.waitUntil(lambda: "there is no run file" in panel.estimate.text(), timeout=PATIENCE)
    monkeypatch.setattr("mho.gui.experiments.panel.QFileDialog.getOpenFileName", lambda *_: ("", ""))
    chip.setCurrentIndex(chip.count() - 1)
    chip.activated.emit(chip.count() - 1)
    assert panel.order().after is None
    assert panel.order().preset == "quiet"


@pytest.fixture
def real(panel: ExperimentsPanel, tmp_path: Path) -> str:
    """A bench file of real instruments, to which the window has turned; nobody answers there."""
    with served_bench(tmp_path) as (bench, _):
        pass
    panel.session.set_bench(bench)
    return bench


@pytest.mark.thorough
def test_a_new_job_on_real_instruments_is_after_none_whatever_the_last_one_was(
    panel: ExperimentsPanel, real: str, qtbot
) -> None:
    with Queue(panel.session.queue_path) as queue:
        gone = queue.add(Order("read", {"rows": "0"}, real))
        queue.add(Order("read", {"rows": "1"}, real, after=f"#{gone.id}"))
        queue.remove(gone.id)
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 1, timeout=PATIENCE)
    choose(panel, "read", qtbot)
    assert panel.form.values() == {"rows": "1"}
    assert panel.order().after is None
    qtbot.waitUntil(lambda: panel.expected is not None, timeout=PATIENCE)
    assert panel.conditions.chip.isHidden()
    press(panel.buttons.queue, qtbot)
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 2, timeout=PATIENCE)
    assert panel.session.jobs[-1].order.after is None


@pytest.mark.thorough
def test_a_job_on_real_instruments_keeps_the_one_before_it_until_that_is_taken_off(
    panel: ExperimentsPanel, real: str, qtbot
) -> None:
    with Queue(panel.session.queue_path) as queue:
        first, second, third = (
            queue.add(Order("read", {}, real, after=after)) for after in (None, "#1", "#2")
        )
        queue.remove(first.id)
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 2, timeout=PATIENCE)
    edit_first(panel, qtbot)
    qtbot.waitUntil(
        lambda: panel.expected is not None, timeout=PATIENCE
    )  # the one that was removed is no error
    chip = panel.conditions.chip
    assert chip.isVisible()
    assert panel.conditions.cells.isHidden()
    assert [chip.itemText(i) for i in range(chip.count())] == [
        "none",
        "as job 1 left it",
    ]  # not itself, nor what follows
    type_into(panel, "repeats", "5", qtbot)
    press(panel.buttons.change, qtbot)
    qtbot.waitUntil(lambda: panel.session.jobs[0].order.parameters == {"repeats": "5"}, timeout=PATIENCE)
    assert panel.session.jobs[0].order.after == "#1"

    panel.session.edit_wanted.emit(panel.session.jobs[1])
    qtbot.waitUntil(lambda: panel.buttons.job == third.id, timeout=PATIENCE)
    assert chip.currentText() == f"as job {second.id} (read) leaves it"
    qtbot.keyClick(chip, Qt.Key.Key_Home)
    press(panel.buttons.change, qtbot)
    qtbot.waitUntil(lambda: panel.session.jobs[1].order.after is None, timeout=PATIENCE)


def test_a_job_is_not_offered_its_own_chip_nor_that_of_those_after_it(panel: ExperimentsPanel, qtbot) -> None:
    with Queue(panel.session.queue_path) as queue:
        for after in (None, "#1", "#2", None):
            queue.add(Order("read", after=after))
    qtbot.waitUntil(lambda: len(panel.session.jobs) == 4, timeout=PATIENCE)
    chip = panel.conditions.chip

    def offered() -> list[str]:
        return [chip.itemData(i) for i in range(chip.count()) if chip.itemData(i)]

    assert offered() == ["#4", "#3", "#2", "#1"]
    edit_first(panel, qtbot)
    assert offered() == ["#4"]
    press(panel.buttons.leave, qtbot)
    assert offered() == ["#4", "#3", "#2", "#1"]
    panel.session.edit_wanted.emit(panel.session.jobs[2])
    assert offered() == ["#4", "#2", "#1"]
    assert panel.order().after == "#2"
    choose(panel, "read", qtbot)
    assert panel.order().after is None
    panel.defaults.menu().actions()[1].trigger()
    assert panel.order().after is None


def test_cells_selected_on_the_chip_go_into_the_form(panel: ExperimentsPanel, qtbot) -> None:
    choose(panel, "read", qtbot)
    panel.session.cells_selected.emit("invert_positive", "2:6", "0, 3")
    values = panel.form.values()
    assert (values["array"], values["rows"], values["columns"]) == ("invert_positive", "2:6", "0, 3")


@pytest.mark.parametrize("name", ["queue_procedures:Reading", f"{SUPPORT}/queue_procedures.py:Reading"])
def test_a_procedure_of_ones_own_is_asked_for_by_its_module_or_file(
    panel: ExperimentsPanel, monkeypatch: pytest.MonkeyPatch, qtbot, name: str
) -> None:
    monkeypatch.syspath_prepend(str(SUPPORT))
    choose(panel, name, qtbot)
    qtbot.waitUntil(lambda: panel.heading.text() == "Read a cell", timeout=PATIENCE)
    assert "seconds" in panel.form.fields
    with qtbot.waitSignal(panel.session.message, timeout=PATIENCE) as said:
        choose(panel, "queue_procedures:Nothing", qtbot)
    assert "no procedure" in said.args[1]


def test_a_file_dropped_on_a_field_is_its_path(panel: ExperimentsPanel, matrix: Path, qtbot) -> None:
    choose(panel, "solve", qtbot)
    drop_file(panel.form.fields["matrix"].editor, matrix, QPoint(5, 5))
    assert Path(panel.form.values()["matrix"]) == matrix


@pytest.mark.thorough
def test_a_rehearsal_runs_in_a_process_of_its_own_and_reports(panel: ExperimentsPanel, qtbot) -> None:
    choose(panel, "read", qtbot)
    type_into(panel, "rows", "0:2", qtbot)
    press(panel.buttons.rehearse, qtbot)
    (window,) = panel.findChildren(OutputWindow)
    qtbot.waitUntil(lambda: window.state.text() == "done", timeout=PATIENCE)
    assert "passed: it finished within all limits" in window.text.toPlainText()
    window.close()
    qtbot.waitUntil(lambda: not panel.findChildren(OutputWindow), timeout=PATIENCE)


class Grouped(Procedure):
    """Has a switch and what it switches."""

    pulsed = BooleanParameter("Pulsed", default=False)
    width = FloatParameter("Width", units="s", default=1e-6, minimum=0, maximum=1, group_by="pulsed")


def test_a_group_is_shown_when_its_switch_is_on(qtbot) -> None:
    entry = describe("grouped", Grouped)
    form = ParameterForm(entry.parameters, check_of(entry))
    qtbot.addWidget(form)
    form.show()
    assert not form.fields["width"].isVisible()
    qtbot.keyClick(form.fields["pulsed"].editor, Qt.Key.Key_Space)
    assert form.fields["width"].isVisible()
    assert form.values() == {"pulsed": True}
    assert words_of(entry, form.values()) == ["--pulsed"]


def test_labels_are_those_of_the_user_and_of_a_job_that_waits(
    session: Session, panel: ExperimentsPanel, qtbot
) -> None:
    """What is filled in from a run or another job is for a new run, of who sits here now."""
    line = panel.conditions.label_lines
    line["operator"].setText("Lu, Bo")
    choose(panel, "read", qtbot)
    with Queue(session.queue_path) as queue:
        queue.add(Order("read", {"rows": "0:3"}, labels=Labels("die 1", "Keller, Anna")))
    qtbot.waitUntil(lambda: bool(session.jobs), timeout=PATIENCE)
    panel._fill_last()
    assert panel.order().parameters["rows"] == "0:3"
    assert panel.order().labels == Labels(operator="Lu, Bo")
    edit_first(panel, qtbot)
    assert panel.order().labels == Labels("die 1", "Keller, Anna")
    line["sample"].setText("die 2")
    panel.buttons.change.click()
    qtbot.waitUntil(lambda: session.jobs[0].order.labels.sample == "die 2", timeout=PATIENCE)


def test_a_label_that_cannot_be_kept_is_said_before_a_job_is_made(panel: ExperimentsPanel, qtbot) -> None:
    choose(panel, "read", qtbot)
    panel.conditions.label_lines["project"].setText("x" * 201)
    assert panel.estimate.text() == "the project has 201 characters; give a name of at most 200"
    assert not panel.buttons.queue.isEnabled()


def test_a_form_on_a_bench_that_cannot_carry_it_out_says_so_before_it_is_filled_in(
    panel: ExperimentsPanel, monkeypatch, qtbot
) -> None:
    take_away(monkeypatch, "invert")
    choose(panel, "solve", qtbot)  # whose matrix is still to be named
    said = "solve cannot run on bench 'simulated': nothing there serves `invert`"
    qtbot.waitUntil(lambda: panel.estimate.text().startswith(said), timeout=PATIENCE)
    buttons = (panel.buttons.queue, panel.buttons.run_now, panel.buttons.rehearse)
    assert not any(button.isEnabled() for button in buttons)
    type_into(panel, "bits", "12", qtbot)
    assert panel.estimate.text().startswith(said)
    assert not any(button.isEnabled() for button in buttons)
    assert not panel.elsewhere.isVisible()  # no other bench serves it either
    choose(panel, "read", qtbot)
    assert all(button.isEnabled() for button in buttons)
    qtbot.waitUntil(lambda: panel.estimate.text().startswith("duration"), timeout=PATIENCE)


def test_a_parameter_that_asks_for_what_the_bench_has_not_is_refused_with_the_form(
    panel: ExperimentsPanel, tmp_path: Path, qtbot
) -> None:
    panel.session.set_bench(without_chuck(tmp_path))
    choose(panel, "retention", qtbot)
    qtbot.waitUntil(lambda: panel.estimate.text().startswith("duration"), timeout=PATIENCE)
    type_into(panel, "temperature", "398", qtbot)
    said = "Retention cannot run on bench 'lab': nothing there serves `temperature`"
    qtbot.waitUntil(lambda: panel.estimate.text().startswith(said), timeout=PATIENCE)
    assert not panel.buttons.queue.isEnabled()
    qtbot.waitUntil(panel.elsewhere.isVisible, timeout=PATIENCE)
    assert panel.elsewhere.text() == "It can run on the bench heated: turn to it"
    press(panel.elsewhere, qtbot)
    assert panel.session.bench == "heated"
    qtbot.waitUntil(lambda: panel.estimate.text().startswith("duration"), timeout=PATIENCE)
    assert not panel.elsewhere.isVisible()
    panel.session.set_bench("simulated")
    qtbot.waitUntil(lambda: panel.estimate.text().startswith("duration"), timeout=PATIENCE)
    assert panel.buttons.queue.isEnabled()


def test_the_few_fields_that_matter_come_first_and_the_rest_is_folded(
    panel: ExperimentsPanel, matrix: Path, qtbot
) -> None:
    choose(panel, "solve", qtbot)
    form = panel.form
    qtbot.waitUntil(lambda: form.fields["bits"].isVisible(), timeout=PATIENCE)
    seen = [name for name, field in form.fields.items() if field.isVisible()]
    assert seen == ["matrix", "rhs", "bits", "method"]
    assert form.more.text().endswith("more, all at their defaults")
    form.fill({"matrix": str(matrix), "wait": 5e-3})
    assert form.more.text().endswith("more; set: wait")
    press(form.more, qtbot)
    assert form.fields["wait"].isVisible()
    press(form.more, qtbot)
    form.fields["wait"].editor.setText("5 V")  # what is wrong is not hidden
    assert form.fields["wait"].isVisible()
    assert "not a unit" in form.fields["wait"].reason.text()


def test_every_procedure_of_ours_names_the_fields_that_matter() -> None:
    for name, entry in described_entries().items():
        assert {*entry.leading} <= entry.parameters.keys(), name
        required = {key for key, one in entry.parameters.items() if one.required}
        assert 2 <= len({*entry.leading} | required) <= 8, name


def test_an_empty_field_shows_what_is_in_use_and_where_it_comes_from(panel: ExperimentsPanel, qtbot) -> None:
    choose(panel, "read", qtbot)
    line = panel.form.fields["read_voltage"].editor
    qtbot.waitUntil(lambda: line.placeholderText() == "0.2 V, the bench's", timeout=PATIENCE)
    choose(panel, "endurance", qtbot)
    line = panel.form.fields["width"].editor
    qtbot.waitUntil(lambda: line.placeholderText() == "100 ns, the chip map's", timeout=PATIENCE)


@pytest.mark.thorough
def test_cells_are_formed_first_by_a_button_and_the_experiment_goes_on_with_their_chip(
    panel: ExperimentsPanel, session: Session, qtbot
) -> None:
    choose(panel, "iv", qtbot)
    type_into(panel, "rows", "3:5", qtbot)
    press(panel.form_first, qtbot)
    qtbot.waitUntil(lambda: len(session.jobs) == 1, timeout=PATIENCE)
    (forming,) = session.jobs
    assert forming.order.procedure == "form"
    assert forming.order.parameters == {"array": "multiply", "rows": "3:5", "columns": "0:2"}
    assert panel.order().after == f"#{forming.id}"
    choose(panel, "form", qtbot)
    assert not panel.form_first.isVisible()


def test_a_form_begins_with_what_the_benchs_chip_has_and_keeps_what_was_typed(
    panel: ExperimentsPanel, qtbot
) -> None:
    choose(panel, "read", qtbot)
    row = str(ROOT / "docs/benches/row-of-devices.toml")
    type_into(panel, "rows", "2:4", qtbot)
    panel.session.set_bench(row)
    fields = panel.form.fields
    qtbot.waitUntil(lambda: fields["array"].value() == "device", timeout=PATIENCE)
    assert panel.form.values() == {"array": "device", "rows": "2:4", "columns": "0"}
    panel.form.fill({"rows": "5"})
    assert panel.form.values() == {"array": "device", "rows": "5", "columns": "0"}
    panel.session.set_bench("simulated")
    qtbot.waitUntil(lambda: fields["array"].value() == "multiply", timeout=PATIENCE)
    assert panel.form.values() == {"rows": "5"}
