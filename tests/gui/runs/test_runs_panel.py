"""The panel of runs: found, tagged, opened, compared and exported, through what a user does in the window."""

import threading
import time

import pytest
import run_samples
from daily import daily
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtWidgets import QDialogButtonBox
from shiboken6 import Shiboken
from window_steps import PATIENCE

import mho
from mho.gui.runs.compare_view import CompareView, differences
from mho.gui.runs.panel import FORMS, ExportDialog, RunsPanel
from mho.gui.runs.preview import RunPreview, read_facts
from mho.gui.runs.table import COLUMNS
from mho.gui.session.session import Session
from mho.gui.signals.figure_plot import FigurePlot
from mho.procedures import Read
from mho.runs import Layout, RecordedParameter, RunHeader, RunIndex, RunWriter
from mho.runs.index import index

TITLE, STATUS, FILE = (
    next(i for i, c in enumerate(COLUMNS) if c.heading == h) for h in ("Run", "Status", "File")
)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs"
    made.mkdir()
    for number, name in enumerate(("alpha", "beta", "gamma")):
        run_samples.whole_run(made / f"{name}.h5", cycles=2 + number, title=f"Solve {name}")
    run_samples.failed_run(made / "delta.h5")
    return made


@pytest.fixture
def session(folder, qapp):
    made = Session(folder)
    yield made
    made.close()


@pytest.fixture
def panel(session, qtbot):
    made = RunsPanel(session)
    qtbot.addWidget(made)
    made.resize(1280, 560)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: made.count.text().startswith("4 "), timeout=PATIENCE)
    yield made
    made.close_down()


def names(panel):
    return [run.path.stem for run in panel.model.rows]


def choose(panel, *names_):
    """Choose runs with the mouse and Ctrl, as it were."""
    selection = panel.table.selectionModel()
    selection.clear()
    for row, name in enumerate(names(panel)):
        if name in names_:
            flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
            selection.select(panel.model.index(row, 0), flags)


def look_for(qtbot, panel, query):
    panel.search.query.setFocus()
    panel.search.query.clear()
    qtbot.keyClicks(panel.search.query, query)


def test_the_newest_run_is_on_top_and_a_failure_says_why(panel):
    assert names(panel) == ["delta", "gamma", "beta", "alpha"]
    failed = panel.model.index(0, STATUS)
    assert failed.data() == "failed"
    assert failed.data(Qt.ItemDataRole.ToolTipRole) == "ValueError: boom"
    assert panel.model.index(1, TITLE).data() == "Solve gamma"


def test_a_query_finds_as_it_is_typed(qtbot, panel):
    look_for(qtbot, panel, "status = finished and not title ~ beta")
    qtbot.waitUntil(lambda: names(panel) == ["gamma", "alpha"], timeout=PATIENCE)
    assert panel.count.text() == "2 of 4 runs"

    panel.search.query.selectAll()
    qtbot.keyClick(panel.search.query, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(names(panel)) == 4, timeout=PATIENCE)


def test_a_mistake_is_marked_where_it_is_and_the_table_stays(qtbot, panel):
    look_for(qtbot, panel, "statas = finished")
    qtbot.waitUntil(panel.search.mistake.isVisible, timeout=PATIENCE)

    assert "▲statas" in panel.search.mistake.text()
    assert "did you mean 'status'?" in panel.search.mistake.text()
    assert "background" in panel.search.query.styleSheet()
    assert len(names(panel)) == 4

    look_for(qtbot, panel, "status = failed")
    qtbot.waitUntil(lambda: names(panel) == ["delta"], timeout=PATIENCE)
    assert not panel.search.mistake.isVisible()
    assert panel.search.query.styleSheet() == ""


def test_ctrl_f_leads_to_the_query(qtbot, panel):
    panel.activateWindow()
    panel.table.setFocus()
    qtbot.waitUntil(panel.table.hasFocus, timeout=PATIENCE)
    qtbot.keyClick(panel.table, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert panel.search.query.hasFocus()


def test_filters_go_with_the_query(qtbot, panel):
    look_for(qtbot, panel, "title ~ alpha or title ~ beta or status = failed")
    qtbot.waitUntil(lambda: len(names(panel)) == 3, timeout=PATIENCE)
    panel.search.status.setFocus()
    qtbot.keyClicks(panel.search.status, "fin")

    qtbot.waitUntil(lambda: names(panel) == ["beta", "alpha"], timeout=PATIENCE)
    assert panel.search.status.currentText() == "finished"
    assert panel.search.procedure.findText("Solve") > 0


def test_a_heading_sorts(qtbot, panel):
    header = panel.table.horizontalHeader()
    x = header.sectionViewportPosition(FILE) + 20
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, 8))
    qtbot.waitUntil(lambda: names(panel) == sorted(names(panel)), timeout=PATIENCE)
    before = names(panel)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, 8))
    qtbot.waitUntil(lambda: names(panel) == before[::-1], timeout=PATIENCE)


def test_the_preview_shows_results_and_convergence(qtbot, panel):
    choose(panel, "gamma")
    qtbot.waitUntil(panel.preview.convergence.isVisible, timeout=PATIENCE)

    facts = panel.preview.facts
    shown = {facts.item(row, 0).text(): facts.item(row, 1).text() for row in range(facts.rowCount())}
    assert "bits" not in shown  # as by default
    assert shown["converged"] == "true"
    assert shown["forecast_rho"] == "0.05"
    assert len(panel.preview.convergence.convergence.cycle) == 4


def test_the_preview_says_results_then_what_differs_from_the_defaults_then_where_and_when(qtbot, tmp_path):
    mho.run(
        Read(rows="0:2", columns="0:2", samples=3),
        "arrays",
        preset="ideal",
        seed=5,
        output=tmp_path / "one.h5",
    )
    preview = RunPreview()
    qtbot.addWidget(preview)
    with RunIndex(tmp_path) as index:
        index.update()
        preview.show_facts(read_facts(index, index.find("one")))
        table = preview.facts
        names = [table.item(row, 0).text() for row in range(table.rowCount())]
        results = [one.name for one in preview.known.results]
        (tmp_path / "one.h5").unlink()
        gone = read_facts(index, preview.known.run)
    assert [one for one in names if one in ("mean_conductance", "rows", "columns", "samples")] == [
        "mean_conductance", "rows", "columns", "samples",
    ]  # fmt: skip
    assert names[-4:] == ["chip", "preset", "seed", "started"]
    assert names.index("samples") > max(names.index(one) for one in results if one in names)
    assert "array" not in names  # as by default
    assert "array" in dict(gone.asked)  # without the file nobody knows


def test_the_fields_of_tags_and_notes_stay_where_they_are(qtbot, panel):
    preview = panel.preview
    choose(panel, "alpha")
    qtbot.waitUntil(preview.note.isEnabled, timeout=PATIENCE)
    qtbot.keyClicks(preview.note, "after the laser was moved")
    qtbot.keyClick(preview.note, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "laser" in preview.notes.text(), timeout=PATIENCE)
    places = []
    for chosen in ("alpha", "delta"):  # one that converged, and one that failed
        choose(panel, chosen)
        qtbot.waitUntil(
            lambda name=chosen: (
                preview.known is not None
                and preview.known.run.path.stem == name
                and preview.convergence.isVisible() == (name == "alpha")
            ),
            timeout=PATIENCE,
        )
        qtbot.wait(50)
        places += [(edit.y(), edit.height()) for edit in (preview.tags, preview.note)]
    assert places[:2] == places[2:]


def test_tags_that_are_being_typed_outlast_an_update_of_the_index(qtbot, panel):
    choose(panel, "beta")
    qtbot.waitUntil(panel.preview.tags.isEnabled, timeout=PATIENCE)
    qtbot.keyClicks(panel.preview.tags, "half a wor")
    known = panel.preview.known
    panel._choose()
    qtbot.waitUntil(lambda: panel.preview.known is not known, timeout=PATIENCE)
    assert panel.preview.tags.text() == "half a wor"


def test_tags_and_notes_are_kept_in_the_index(qtbot, panel, folder):
    choose(panel, "beta")
    qtbot.waitUntil(panel.preview.tags.isEnabled, timeout=PATIENCE)
    qtbot.keyClicks(panel.preview.tags, "good thesis-3")
    qtbot.keyClick(panel.preview.tags, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: panel.search.tag.findText("thesis-3") > 0, timeout=PATIENCE)
    panel.preview.tags.setText("good")
    qtbot.keyClick(panel.preview.tags, Qt.Key.Key_Return)
    qtbot.keyClicks(panel.preview.note, "after the second forming")
    qtbot.keyClick(panel.preview.note, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "second forming" in panel.preview.notes.text(), timeout=PATIENCE)

    with RunIndex(folder) as index:
        run = index.find("beta")
        assert run.tags == ("good",)
        assert [text for _, text in index.annotations.notes(run.facts.run_id)] == ["after the second forming"]
    assert [run.path.stem for run in panel.chosen()] == ["beta"]  # still


def test_a_tag_that_is_no_word_is_told(qtbot, session, panel):
    told = []
    session.message.connect(lambda level, text: told.append(text))
    choose(panel, "beta")
    qtbot.waitUntil(panel.preview.tags.isEnabled, timeout=PATIENCE)
    qtbot.keyClicks(panel.preview.tags, "good,bad")
    qtbot.keyClick(panel.preview.tags, Qt.Key.Key_Return)

    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE)
    assert "a tag is one word" in told[0]


def test_enter_opens_the_run_in_the_window(qtbot, session, panel, folder):
    choose(panel, "alpha")
    panel.table.setCurrentIndex(panel.model.index(names(panel).index("alpha"), 0))
    panel.table.setFocus()
    qtbot.keyClick(panel.table, Qt.Key.Key_Return)

    assert session.run_path == folder / "alpha.h5"


def test_a_run_s_parameters_go_to_the_form(qtbot, session, panel):
    choose(panel, "alpha")
    with qtbot.waitSignal(session.form_wanted, timeout=PATIENCE) as heard:
        qtbot.mouseClick(panel.again, Qt.MouseButton.LeftButton)

    procedure, parameters = heard.args
    assert procedure == "solve"
    assert parameters["bits"] == 24


def test_runs_are_compared(qtbot, panel):
    choose(panel, "alpha")
    assert not panel.compare.isEnabled()
    choose(panel, "alpha", "gamma", "delta")
    qtbot.mouseClick(panel.compare, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.findChild(CompareView) is not None, timeout=PATIENCE)

    view = panel.findChild(CompareView)
    assert sorted(len(item.getOriginalDataset()[0]) for item in view.errors) == [1, 3, 5]  # with cycle 0
    rows = [view.table.verticalHeaderItem(row).text() for row in range(view.table.rowCount())]
    assert "status" in rows
    assert "bits" not in rows  # the same in all
    view.close()


@pytest.fixture
def compared(qtbot, panel):
    """Compare runs, and return the window, once it has drawn."""

    def compare(*chosen):
        panel.index.update()
        qtbot.waitUntil(lambda: set(chosen) <= set(names(panel)), timeout=PATIENCE)
        choose(panel, *chosen)
        qtbot.mouseClick(panel.compare, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: panel.findChild(CompareView) is not None, timeout=PATIENCE)
        view = panel.findChild(CompareView)
        if view.figure.count() and not view.errors:
            qtbot.waitUntil(lambda: view.shown.currentWidget() is not view.plot, timeout=PATIENCE)
        return view

    return compare


PROCEDURES = {
    "I-V": (mho.IV(rows="0", columns="0"), "arrays"),
    "read": (mho.Read(rows="0:2", columns="0:2"), "arrays"),
    "endurance": (mho.Endurance(rows="0", columns="0", cycles=20), "arrays"),
    "retention": (mho.Retention(rows="0", columns="0:2"), "arrays"),
}


@pytest.mark.parametrize("name", daily([*PROCEDURES], ["I-V", "read"]))
def test_two_runs_of_any_procedure_are_compared_by_a_figure_that_shows_both(compared, folder, name):
    procedure, bench = PROCEDURES[name]
    for seed, file in enumerate(("first", "second"), 1):
        mho.run(procedure, bench, seed=seed, output=folder / f"{file}.h5")
    view = compared("first", "second")
    shown = view.shown.currentWidget()
    if isinstance(shown, FigurePlot):
        assert {label.text.partition(",")[0] for _, label in shown.legend.items} >= {"first", "second"}
    else:
        assert {picture.name.partition(":")[0] for picture in shown.pictures} == {"first", "second"}
    view.close()


def test_the_figure_of_a_comparison_is_chosen(qtbot, compared):
    view = compared("alpha", "beta")
    assert view.shown.currentWidget() is view.plot
    view.figure.setFocus()
    while view.figure.currentText() != "Pulses per cell":
        qtbot.keyClick(view.figure, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: view.shown.currentWidget() is not view.plot, timeout=PATIENCE)
    assert not view.residuals.isVisible()
    qtbot.keyClick(view.figure, Qt.Key.Key_Home)
    assert view.shown.currentWidget() is view.plot
    view.close()


def test_runs_of_two_procedures_are_compared_by_what_both_have(compared, folder):
    mho.run(mho.IV(rows="0", columns="0"), "arrays", seed=1, output=folder / "swept.h5")
    mho.run(mho.Read(rows="0", columns="0"), "arrays", seed=1, output=folder / "read.h5")
    view = compared("swept", "read")
    assert {picture.name.partition(":")[0] for picture in view.shown.currentWidget().pictures} == {
        "swept",
        "read",
    }
    view.close()


def test_only_what_differs_is_listed(qtbot, panel, folder):
    for name, bits in (("one", 12), ("two", 24)):
        header = RunHeader(
            name, "Solve", "1", {"bits": RecordedParameter(bits, "bit"), "rhs": RecordedParameter("ones")}
        )
        with RunWriter.create(folder / f"{name}.h5", header, Layout()):
            pass
    panel.index.update()
    qtbot.waitUntil(lambda: "two" in names(panel), timeout=PATIENCE)
    with RunIndex(folder) as index:
        known = [read_facts(index, index.find(name)) for name in ("one", "two")]
    assert differences(known) == [("bits", ["12 bit", "24 bit"])]


@pytest.mark.parametrize("ending", daily([".png", ".svg", ".pdf"], [".svg"]))
def test_a_figure_is_exported(qtbot, session, panel, folder, tmp_path, ending):
    target = tmp_path / f"figure{ending}"
    choose(panel, "alpha")
    qtbot.mouseClick(panel.figure, Qt.MouseButton.LeftButton)
    dialog = panel.findChild(ExportDialog)
    dialog.form.setFocus()
    while FORMS[dialog.form.currentIndex()].ending != ending:
        qtbot.keyClick(dialog.form, Qt.Key.Key_Down)
    dialog.target.selectAll()
    qtbot.keyClicks(dialog.target, str(target))
    with qtbot.waitSignal(session.message, timeout=PATIENCE) as heard:
        qtbot.keyClick(dialog.target, Qt.Key.Key_Return)

    assert heard.args[:2] == ["INFO", f"written: {target}"]
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending]
    assert target.read_bytes().startswith(start)


def ask_for_data(qtbot, panel):
    choose(panel, "alpha")
    qtbot.mouseClick(panel.data, Qt.MouseButton.LeftButton)
    dialog = panel.findChildren(ExportDialog)[-1]
    assert dialog.form.currentText() == "data, CSV tables (a folder)"
    return dialog


def test_data_is_exported(qtbot, panel, folder):
    dialog = ask_for_data(qtbot, panel)
    with qtbot.waitSignal(dialog.finished, timeout=PATIENCE):
        qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)

    assert (folder / "alpha-csv" / "run.csv").exists()


def test_nothing_is_exported_over_what_is_there(qtbot, panel, folder):
    (folder / "alpha-csv").mkdir()
    dialog = ask_for_data(qtbot, panel)
    qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: "exists already" in dialog.message.text(), timeout=PATIENCE)
    assert dialog.isVisible()
    with qtbot.waitSignal(dialog.finished, timeout=PATIENCE):
        cancel = dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)


def test_an_export_that_nobody_waits_for_is_told_when_it_is_done(qtbot, session, panel, folder):
    gate = threading.Event()
    panel._files.ask(gate.wait)
    dialog = ask_for_data(qtbot, panel)
    qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    with qtbot.waitSignal(session.message, timeout=PATIENCE) as heard:
        gate.set()

    assert heard.args[:2] == ["INFO", f"written: {folder / 'alpha-csv'}"]
    qtbot.waitUntil(lambda: not Shiboken.isValid(dialog), timeout=PATIENCE)
    assert (folder / "alpha-csv").exists()


def test_a_new_run_and_a_damaged_one_appear(qtbot, panel, folder):
    run_samples.whole_run(folder / "epsilon.h5")
    (folder / "broken.h5").write_bytes((folder / "epsilon.h5").read_bytes()[:3000])
    panel.index.update()
    qtbot.waitUntil(lambda: {"epsilon", "broken"} <= set(names(panel)), timeout=PATIENCE)

    choose(panel, "broken")
    assert not panel.open.isEnabled()
    assert not panel.compare.isEnabled()
    row = names(panel).index("broken")
    assert panel.model.index(row, STATUS).data() == "unreadable"


def test_a_folder_that_is_not_there_is_told_and_the_panel_lives(qtbot, tmp_path):
    told = []
    session = Session(tmp_path / "nowhere")
    session.message.connect(lambda level, text: told.append(text))
    panel = RunsPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: any("no folder of runs" in text for text in told), timeout=PATIENCE)

    (tmp_path / "nowhere").mkdir()
    run_samples.whole_run(tmp_path / "nowhere" / "first.h5")
    panel.index.update()
    qtbot.waitUntil(lambda: names(panel) == ["first"], timeout=PATIENCE)
    panel.close_down()
    session.close()


def test_closing_does_not_wait_for_an_update_to_end(qtbot, folder, qapp, monkeypatch):
    read, look_at = [], index._look_at

    def look_slowly(*which):
        read.append(which)
        time.sleep(0.002)
        return look_at(*which)

    monkeypatch.setattr(index, "_look_at", look_slowly)
    original = (folder / "alpha.h5").read_bytes()
    for number in range(5 * index.BATCH):
        (folder / f"{number}.h5").write_bytes(original[: 4000 + number])
    session = Session(folder)
    panel = RunsPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: bool(read), timeout=PATIENCE)
    panel.close_down()
    assert len(read) < 5 * index.BATCH
    session.close()


def test_the_window_stays_quick_while_ten_thousand_runs_are_shown(qtbot, panel, monkeypatch):
    original = panel.model.rows[0]
    runs = [type(original)(n, original.path, original.facts, "finished", "", None, ()) for n in range(10_000)]
    asked, colour = [], panel.model.colour
    monkeypatch.setattr(panel.model, "colour", lambda *cell: asked.append(cell) or colour(*cell))
    panel.model.show_runs(runs)
    panel.table.scrollToBottom()
    panel.table.viewport().repaint()
    assert 0 < len(asked) < 10_000  # of those in sight only
    assert panel.table.indexAt(panel.table.viewport().rect().center()).row() > 9_900
