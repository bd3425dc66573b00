"""Actions on runs: which are offered, their forms, and their carrying out by real processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import run_samples
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox, QWidget
from window_steps import PATIENCE

import mho
from mho.gui.experiments.parameter_form import ParameterForm
from mho.gui.runs.action_form import ActionForm
from mho.gui.runs.actions import RunAction, all_actions
from mho.gui.runs.actions_view import ActionOutput, ActionsView
from mho.gui.runs.panel import RunsPanel
from mho.gui.runs.verbs import known_verbs, read_verb
from mho.gui.session.actions import Action
from mho.gui.session.session import Session
from mho.instruments.bench_file import load_bench_file
from mho.procedures import Program, Solve
from mho.runs import RunFile, Status

ELSEWHERE = {
    "solve", "run", "rehearse", "procedures",  # the form of experiments
    "gui", "doctor", "watch",  # the window itself, the machine, a page for others
    "runner", *(f"queue {one}" for one in (
        "add", "list", "show", "pause", "resume", "abort", "stop", "acknowledge", "move", "edit", "remove", "clear",
        "policy", "watch")),  # the queue
    "runs tag", "runs note",  # the preview
    "bench new", "bench check", "bench safe", "bench show", "bench serve",  # the bench
    "import", "published", "reach",  # of no run
}  # fmt: skip
"""Verbs that are no action on runs."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "runs"
    made.mkdir()
    for name in ("alpha", "beta"):
        run_samples.whole_run(made / f"{name}.h5", title=f"Solve {name}")
    return made


@pytest.fixture
def panel(folder: Path, qtbot) -> Iterator[RunsPanel]:
    session = Session(folder)
    made = RunsPanel(session)
    qtbot.addWidget(made)
    made.resize(1280, 560)
    made.show()
    qtbot.waitExposed(made)
    files = len(list(folder.glob("*.h5")))
    qtbot.waitUntil(lambda: made.count.text().startswith(f"{files} "), timeout=PATIENCE)
    yield made
    made.close_down()
    session.close()


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    """A folder with a solve of 12 x 12 that was carried out."""
    made = tmp_path / "solved"
    made.mkdir()
    matrix = made / "a.csv"
    np.savetxt(matrix, np.random.default_rng(1).normal(size=(12, 12)) * 0.1 + 2 * np.eye(12), delimiter=",")
    mho.run(Solve(matrix=str(matrix), bits=12), seed=1, output=made / "solve.h5")
    return made


def choose(panel: RunsPanel, *names: str) -> None:
    selection = panel.table.selectionModel()
    selection.clear()
    for row, run in enumerate(panel.model.rows):
        if run.path.stem in names:
            flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
            selection.select(panel.model.index(row, 0), flags)


def action_named(text: str) -> RunAction:
    (found,) = (one for one in all_actions() if one.text == text)
    return found


def ask(panel: RunsPanel, text: str, qtbot) -> ActionForm:
    """Choose an action in the menu, and return its form."""
    menu = panel.action_menu()
    (entry,) = (one for one in menu.actions() if one.text() == text)
    assert entry.isEnabled(), entry.toolTip()
    entry.trigger()
    qtbot.waitUntil(lambda: bool(panel.findChildren(ActionForm)), timeout=PATIENCE)
    form: ActionForm = panel.findChildren(ActionForm)[-1]
    return form


def start(form: ActionForm, qtbot) -> Action:
    session = form._session
    qtbot.mouseClick(form.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(session.actions.actions), timeout=PATIENCE)
    return session.actions.actions[-1]


def wait_for_end(action: Action, qtbot) -> None:
    qtbot.waitUntil(lambda: action.is_over, timeout=PATIENCE)


@pytest.fixture
def session(folder: Path, qapp) -> Iterator[Session]:
    made = Session(folder)
    yield made
    made.close()


# --- forms ---


def test_every_verb_is_an_action_on_runs_or_has_its_place_elsewhere() -> None:
    offered = {one.verb for one in all_actions() if one.verb}
    assert offered.isdisjoint(ELSEWHERE)
    assert {*known_verbs()} == offered | ELSEWHERE


@pytest.mark.parametrize("name", known_verbs())
def test_every_option_of_every_verb_has_a_field(name: str, qtbot) -> None:
    from typer.core import TyperGroup
    from typer.main import get_command

    from mho.cli.main import app

    verb = get_command(app)
    for word in name.split():
        assert isinstance(verb, TyperGroup)
        verb = verb.get_command(None, word)
        verb = getattr(verb, "verb", verb)
    stated = read_verb(name)
    form = ParameterForm({**stated.parameters, **stated.of_procedure}, lambda key, value: None)
    qtbot.addWidget(form)
    asked = {one.name: one for one in verb.params if not getattr(one, "hidden", False)}
    assert asked.keys() <= form.fields.keys()
    for key, one in asked.items():
        parameter = stated.parameters[key]
        assert list(parameter.options) == (list(one.opts) if one.param_type_name == "option" else [])
        assert parameter.help == (one.help or "").format(presets=", ".join(parameter.choices[1:]))
        if isinstance(one.default, int | float | str) and one.default not in ("", None):
            assert parameter.default == one.default
        assert bool(parameter.required) == bool(one.required)


def test_what_is_typed_becomes_the_words_of_the_command(panel: RunsPanel, folder: Path, qtbot) -> None:
    choose(panel, "alpha")
    form = ask(panel, "Budget of its error…", qtbot)
    assert form.command.text() == f"mho budget {folder / 'alpha.h5'}"
    assert [name for name, field in form.form.fields.items() if field.isVisible()] == [
        "draws",
        "figure",
        "preset",
    ]
    form.form.fields["draws"].editor.setText("8")
    form.form.fields["trust"].editor.setChecked(True)
    form.form.fields["preset"].editor.setCurrentText("pku")
    assert form.words() == ["budget", "--preset=pku", "--draws=8", "--trust", str(folder / "alpha.h5")]


def test_a_value_that_is_none_is_said_and_not_begun(panel: RunsPanel, qtbot) -> None:
    choose(panel, "alpha")
    form = ask(panel, "Budget of its error…", qtbot)
    form.form.fields["draws"].editor.setText("many")
    assert form.message.text() == "draws is 'many'; give a whole number"
    assert not form.start.isEnabled()
    form.form.fields["draws"].editor.setText("4")
    assert form.message.text() == ""
    assert form.start.isEnabled()


def test_a_field_that_is_emptied_is_said(panel: RunsPanel, qtbot) -> None:
    choose(panel, "alpha")
    form = ask(panel, "Budget of its error…", qtbot)
    form.form.fields["draws"].editor.clear()
    assert form.message.text() == "draws is empty"
    assert not form.start.isEnabled()
    assert not form.isModal()  # the window's STOP stays in reach


def test_a_characterisation_begins_with_the_cells_that_are_selected(panel: RunsPanel, qtbot) -> None:
    panel._session.cells_selected.emit("multiply", "0:4", "2:6")
    choose(panel)
    form = ask(panel, "Characterise cells…", qtbot)
    assert form.words() == ["characterise", "--array=multiply", "--rows=0:4", "--columns=2:6"]


def test_a_limit_of_a_verb_is_one_of_its_field() -> None:
    with pytest.raises(mho.InputError, match="workers is '0'; give a whole number from 1"):
        read_verb("campaign").words({"plan": "plan.toml", "workers": "0"})
    with pytest.raises(mho.InputError, match="runs must be given"):
        read_verb("report").words({"runs": []})
    with pytest.raises(mho.InputError, match="to must be given: the preset file to write"):
        read_verb("calibrate").words({"runs": ["a.h5"]})


def test_options_that_take_several_values_are_given_one_by_one(tmp_path: Path) -> None:
    words = read_verb("plot").words({"runs": [tmp_path / "a b.h5"], "formula": "G = I / V; R = V / I"})
    assert words == ["plot", "--formula=G = I / V", "--formula=R = V / I", str(tmp_path / "a b.h5")]
    assert read_verb("forecast").words({"matrix": "a.csv", "alternatives": False}) == [
        "forecast", "--no-alternatives", "a.csv",
    ]  # fmt: skip


def test_a_forecast_begins_with_what_the_run_was_given(solved: Path, qtbot) -> None:
    session = Session(solved)
    panel = RunsPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: len(panel.model.rows) == 1, timeout=PATIENCE)
    choose(panel, "solve")
    form = ask(panel, "Forecast of such a solve…", qtbot)
    assert form.words() == ["forecast", "--preset=pku", "--bits=12", str(solved / "a.csv")]
    assert not {"Rerun and compare bit for bit…", "Queue again…"} & reasons(panel).keys()
    panel.close_down()
    session.close()


# --- what does not fit ---


def reasons(panel: RunsPanel) -> dict[str, str]:
    return {one.text(): one.toolTip() for one in panel.action_menu().actions() if not one.isEnabled()}


def test_what_does_not_fit_the_selection_is_grey_and_says_why(panel: RunsPanel) -> None:
    choose(panel, "alpha")
    grey = reasons(panel)
    assert grey["Compare in numbers…"] == "choose 2 runs or more; 1 is chosen"
    assert grey["Resume…"] == "alpha.h5 has finished: nothing of it is left to do"
    assert "there is no plan.toml" in grey["Go on with its campaign…"]
    assert "Budget of its error…" not in grey
    choose(panel, "alpha", "beta")
    grey = reasons(panel)
    assert "Compare in numbers…" not in grey
    assert grey["Rerun and compare bit for bit…"] == "choose one run; 2 are chosen"
    choose(panel)
    grey = reasons(panel)
    assert grey["Report…"] == "choose at least one run; none is chosen"
    assert "Optimise programming…" not in grey


def test_the_right_mouse_button_offers_the_actions(panel: RunsPanel, qtbot) -> None:
    choose(panel, "alpha")
    row = [run.path.stem for run in panel.model.rows].index("alpha")
    place = panel.table.visualRect(panel.model.index(row, 1)).center()
    viewport = panel.table.viewport()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, viewport.mapToGlobal(place))
    QApplication.sendEvent(viewport, event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert "Report…" in [one.text() for one in menu.actions()]
    menu.close()


def test_a_run_on_real_instruments_is_not_repeated(tmp_path: Path, qtbot) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    run_samples.whole_run(folder / "real.h5", bench=run_samples.REAL_BENCH)
    session = Session(folder)
    panel = RunsPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: len(panel.model.rows) == 1, timeout=PATIENCE)
    choose(panel, "real")
    assert "real.h5 was made on real instruments" in reasons(panel)["Rerun and compare bit for bit…"]
    assert "Queue again…" not in reasons(panel)
    panel.close_down()
    session.close()


def test_an_action_that_is_a_procedure_fills_the_form(tmp_path: Path, qtbot) -> None:
    folder = tmp_path / "programmed"
    folder.mkdir()
    digits = folder / "d.csv"
    np.savetxt(digits, np.eye(4), fmt="%d", delimiter=",")
    mho.run(Program(digits=str(digits)), seed=1, output=folder / "p.h5", bench="arrays")
    session = Session(folder)
    panel = RunsPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: len(panel.model.rows) == 1, timeout=PATIENCE)
    choose(panel, "p")
    (entry,) = (
        one for one in panel.action_menu().actions() if one.text() == "Refresh its cells, in the form"
    )
    with qtbot.waitSignal(session.form_wanted, timeout=PATIENCE) as wanted:
        entry.trigger()
    assert wanted.args == ["refresh", {"of": str(folder / "p.h5")}]
    panel.close_down()
    session.close()


def test_real_instruments_that_a_job_has_are_not_characterised(panel: RunsPanel, tmp_path: Path) -> None:
    session, job = panel._session, SimpleNamespace(job=3, state="running")
    real = tmp_path / "real.toml"
    text = load_bench_file("simulated").text
    real.write_text(re.sub(r"(?m)^\[simulation\](\n.+)*", "", text), "utf-8")
    choose(panel)
    session.runner = job
    assert "Characterise cells…" not in reasons(panel)  # the simulated bench has as many as are asked for
    session.bench = str(real)
    assert (
        reasons(panel)["Characterise cells…"]
        == "job 3 has the instruments of bench real.toml; wait until it is over"
    )
    session.runner = None
    assert "Characterise cells…" not in reasons(panel)


def test_runs_of_a_campaign_are_known_by_its_plan(panel: RunsPanel, folder: Path) -> None:
    (folder.parent / "plan.toml").write_text('name = "p"\n[[steps]]\nprocedure = "solve"\n')
    choose(panel, "alpha")
    grey = reasons(panel)
    assert "Report of its campaign…" not in grey
    assert "Go on with its characterisation…" in grey
    assert action_named("Report of its campaign…").places(panel.selection()) == [folder.parent]


# --- carried out ---


@pytest.mark.thorough
def test_a_report_is_made_and_offered(panel: RunsPanel, folder: Path, qtbot) -> None:
    choose(panel, "alpha")
    action = start(ask(panel, "Report…", qtbot), qtbot)
    view = ActionsView(panel._session)
    qtbot.addWidget(view)
    wait_for_end(action, qtbot)
    assert action.state == "finished"
    assert action.written == folder / "alpha.html"
    assert "<html" in action.written.read_text("utf-8")
    assert view.acts["Open"].isEnabled()
    assert not view.acts["Cancel"].isEnabled()


@pytest.mark.thorough
def test_a_rerun_is_equal_bit_for_bit_and_opened_in_the_window(solved: Path, qtbot) -> None:
    session = Session(solved)
    view = ActionsView(session)
    qtbot.addWidget(view)
    view.show()
    action = session.actions.add("rerun solve.h5", ["rerun", str(solved / "solve.h5")])
    wait_for_end(action, qtbot)
    assert (action.state, action.said.split(":")[0]) == ("finished", "Equal bit for bit")
    assert action.written is not None
    assert action.written.parent == solved  # not in data/runs
    view.acts["Open"].trigger()
    assert session.run_path == action.written
    session.close()


@pytest.mark.thorough
def test_a_budget_is_told_line_by_line(solved: Path, qtbot) -> None:
    session = Session(solved)
    view = ActionsView(session)
    qtbot.addWidget(view)
    action = session.actions.add("budget", ["budget", "--draws=2", str(solved / "solve.h5")])
    wait_for_end(action, qtbot)
    assert action.state == "finished"
    view.acts["Output"].trigger()
    (output,) = view.findChildren(ActionOutput)
    assert "quantisation" in output.text.toPlainText()
    session.close()


def test_one_that_fails_says_why_in_a_sentence(session: Session, folder: Path, qtbot) -> None:
    told: list[tuple[str, str]] = []
    session.message.connect(lambda level, text, topic: told.append((level, text)))
    action = session.actions.add("budget iv", ["budget", str(folder / "gone.h5")])
    wait_for_end(action, qtbot)
    assert action.state == "failed"
    assert "gone.h5" in action.said
    assert "Traceback" not in "\n".join(action.lines)
    assert told[-1] == ("ERROR", f"budget iv failed: {action.said}")


def test_one_that_is_killed_is_no_success(session: Session, folder: Path, qtbot) -> None:
    action = session.actions.add("verify", ["verify", str(folder / "alpha.h5")])
    process = session.actions._process
    assert process is not None
    qtbot.waitUntil(lambda: process.processId() > 0, timeout=PATIENCE)
    process.kill()
    wait_for_end(action, qtbot)
    assert (action.state, action.said) == ("failed", "the process was killed")


def test_several_are_carried_out_one_after_the_other(session: Session, folder: Path, qtbot) -> None:
    actions = [
        session.actions.add(name, ["verify", str(folder / f"{name}.h5")]) for name in ("alpha", "beta")
    ]
    last = session.actions.add("cancelled", ["verify", str(folder / "alpha.h5")])
    assert [one.state for one in session.actions.actions] == ["running", "waiting", "waiting"]
    session.actions.cancel(last)
    assert last.said == "cancelled before it began"
    wait_for_end(actions[1], qtbot)
    first, second = actions
    assert (first.state, second.state, last.state) == ("finished", "finished", "aborted")
    assert first.ended is not None
    assert second.began is not None
    assert second.began >= first.ended
    session.actions.remove(actions)
    assert session.actions.actions == [last]


@pytest.mark.thorough
def test_one_that_is_cancelled_half_way_closes_its_run_file(tmp_path: Path, qtbot) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    matrix = folder / "a.csv"
    np.savetxt(matrix, np.random.default_rng(2).normal(size=(64, 64)) * 0.05 + 2 * np.eye(64), delimiter=",")
    mho.run(Solve(matrix=str(matrix), bits=12), seed=1, output=folder / "solve.h5", bench="arrays")
    session = Session(folder)
    action = session.actions.add("rerun", ["rerun", str(folder / "solve.h5")])

    def begun() -> list[Path]:
        return [one for one in folder.glob("*.h5") if one.name != "solve.h5"]

    qtbot.waitUntil(lambda: bool(begun()) or action.is_over, timeout=PATIENCE)
    assert action.state == "running"
    session.actions.cancel(action)
    assert action.state == "stopping"
    wait_for_end(action, qtbot)
    assert action.state == "aborted"
    with RunFile(begun()[0]) as run:
        assert run.status is Status.ABORTED
    session.close()


def test_the_window_asks_before_it_ends_what_is_pending(
    open_main: Callable[..., QWidget], folder: Path, qtbot
) -> None:
    window = open_main(folder)
    action = window.session.actions.add("verify", ["verify", str(folder / "alpha.h5")])
    window._quit()
    (box,) = window.findChildren(QMessageBox)
    assert "verify is running: end them and close the window?" in box.text()
    box.close()
    assert window.isVisible()
    process = window.session.actions._process
    assert process is not None
    window._quit()
    box = window.findChildren(QMessageBox)[-1]
    (end,) = (one for one in box.buttons() if one.text() == "End them and close")
    end.click()
    assert not window.isVisible()
    assert process.processId() == 0  # gone
    assert action.state == "aborted"


# --- copying ---


def test_ctrl_c_copies_the_chosen_rows_below_their_headings(panel: RunsPanel, qtbot) -> None:
    choose(panel, "alpha", "beta")
    panel.activateWindow()
    panel.table.setFocus()
    qtbot.waitUntil(panel.table.hasFocus, timeout=PATIENCE)
    qtbot.keyClick(panel.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = [line.split("\t") for line in QApplication.clipboard().text().split("\n")]
    assert [len(line) for line in lines] == [8, 8, 8]
    assert lines[0][:3] == ["Started", "Run", "Status"]
    assert {line[1] for line in lines[1:]} == {"Solve alpha", "Solve beta"}
