"""The window as a whole: STOP, SIMULATED, messages, layout, themes, keys, the guided run."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import run_samples
from daily import daily
from PySide6.QtCore import QEvent, QPoint, QRect, QSettings, Qt, QTimer
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QCompleter,
    QDockWidget,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QTabBar,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from queue_runners import LIVING
from shiboken6 import Shiboken
from window_steps import PATIENCE, drop_file

import mho
import mho.gui as gui
from mho.analysis import palette
from mho.gui import widgets
from mho.gui.session.bench_safety import QUEUE_UNREAD, Safety, SafetyVerdict, Use
from mho.gui.window.first_start import DONE, FORM, OFFER, QUEUED
from mho.gui.window.main_window import EscapeTwice, MainWindow, ShortcutsDialog
from mho.gui.window.panel_docks import SHARES
from mho.procedures.manifest import described_entries
from mho.procedures.stream import Ended, Message, Standing
from mho.running.queue import JobStatus, Lane, Order, Queue
from mho.running.runner.messages import JobChanged, RunnerState
from mho.runs import Status

LEFT = Qt.MouseButton.LeftButton
NOW = datetime.now()
ARRAYS = Path(mho.__file__).parent / "instruments" / "benches" / "arrays.toml"

pytestmark = pytest.mark.usefixtures("own_locks")  # the window shows when another process used its bench


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    run_samples.whole_run(folder / "one.h5")
    return folder


@pytest.fixture
def window(open_main: Callable[..., MainWindow], folder: Path) -> MainWindow:
    return open_main(folder)


@pytest.fixture
def commands(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(
        "mho.gui.window.main_window.TWICE_WITHIN", PATIENCE
    )  # a busy machine is late with the second
    given: list[str] = []
    window.session.command = lambda name, job=None: given.append(name)
    window.session.emergency_stop = lambda: given.append("emergency")
    return given


def inside(window: MainWindow, widget: QWidget) -> bool:
    """Whether all of a widget is to be seen."""
    corner = widget.mapTo(window, widget.rect().bottomRight())
    return widget.isVisible() and window.rect().contains(corner)


def test_no_tabs_are_shown_twice_before_the_first_layout(tmp_path: Path, qtbot) -> None:
    for _ in range(2):  # the second has the layout of the first
        window = gui.open_main_window(
            tmp_path, settings=QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
        )
        bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        shown = [bar.tabText(0) for bar in bars if bar.isVisible()]
        assert shown == ["Queue"]
        window.close()
        window.deleteLater()
        qtbot.wait(50)


@pytest.mark.thorough
def test_every_panel_is_there_and_the_first_of_each_place_is_in_front(window: MainWindow) -> None:
    titles = [dock.windowTitle() for dock in window.findChildren(QDockWidget)]
    assert set(titles) >= {"Experiments", "Solve", "Signals", "Runs", "Bench", "Queue", "Log"}
    for title in ("Experiments", "Chip", "Queue"):
        assert not window.panel(title).visibleRegion().isEmpty()


@pytest.mark.thorough
def test_stop_is_always_in_sight_and_needs_no_confirmation(
    window: MainWindow, commands: list[str], qtbot
) -> None:
    stop = window.commands.stop
    for width, height in ((1280, 800), (900, 600)):
        window.resize(width, height)
        window.session.runner = RunnerState(
            "simulated", 1, "running", 1, stage="a very long stage " * 30, total=9
        )
        window.session.runner_changed.emit(window.session.runner)
        assert inside(window, stop)
        light = window.commands.light
        assert inside(window, light)
        assert light.width() >= light.sizeHint().width(), "what the light says is cut"
    qtbot.mouseClick(stop, LEFT)
    assert commands == ["emergency"]


@pytest.mark.thorough
def test_escape_twice_stops_and_once_does_not(window: MainWindow, commands: list[str], qtbot) -> None:
    native = window.windowHandle()
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    assert commands == []
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    assert commands == ["emergency"]
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    qtbot.keyClick(native, Qt.Key.Key_A)
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    assert commands == ["emergency"]


def escape_twice(widget: QWidget, qtbot) -> None:
    """Press Escape twice as a keyboard does: into the window that is in front."""
    native = widget.window().windowHandle()
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    qtbot.keyClick(native, Qt.Key.Key_Escape)


@pytest.mark.thorough
def test_an_escape_that_closes_a_dialog_does_not_count(
    window: MainWindow, commands: list[str], qtbot
) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F1)
    (dialog,) = window.findChildren(ShortcutsDialog)
    qtbot.waitExposed(dialog)
    dialog.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWindow() is dialog.windowHandle(), timeout=PATIENCE)
    qtbot.keyClick(dialog.windowHandle(), Qt.Key.Key_Escape)
    assert not Shiboken.isValid(dialog) or not dialog.isVisible()
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWindow() is window.windowHandle(), timeout=PATIENCE)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
    assert commands == []
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
    assert commands == ["emergency"]


@pytest.mark.thorough
def test_an_escape_that_closes_a_menu_does_not_count(window: MainWindow, commands: list[str], qtbot) -> None:
    action = window.menuBar().actions()[0]  # kept: its menu lives no longer than what names it
    menu = action.menu()
    menu.popup(window.mapToGlobal(QPoint(20, 20)))
    qtbot.waitUntil(menu.isVisible, timeout=PATIENCE)
    escape_twice(window, qtbot)
    assert commands == []
    assert not menu.isVisible()
    menu.popup(window.mapToGlobal(QPoint(20, 20)))
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)  # with the second of before it is no pair
    assert commands == []
    escape_twice(window, qtbot)
    assert commands == ["emergency"]


@pytest.mark.thorough
def test_an_escape_that_leaves_a_list_or_a_cell_does_not_count(
    window: MainWindow, commands: list[str], qtbot
) -> None:
    box, field, table = QComboBox(), QLineEdit(), QTableWidget(1, 1)
    box.addItems(["read", "reset"])
    field.setCompleter(QCompleter(["read", "reset"], field))
    table.setItem(0, 0, QTableWidgetItem("1.0"))
    other = QWidget()
    for widget in (box, field, table):
        (other.layout() or QVBoxLayout(other)).addWidget(widget)
    qtbot.addWidget(other)
    other.show()
    qtbot.waitExposed(other)
    other.activateWindow()

    def popup() -> bool:
        return QApplication.activePopupWidget() is not None

    def type_re() -> None:
        field.setFocus()
        qtbot.keyClicks(field, "re")

    def edit() -> None:
        table.setFocus()
        table.editItem(table.item(0, 0))

    def editing() -> bool:
        return isinstance(QApplication.focusWidget(), QLineEdit) and QApplication.focusWidget() is not field

    for begin, begun in ((box.showPopup, popup), (type_re, popup), (edit, editing)):
        other.activateWindow()
        qtbot.waitUntil(lambda: QApplication.focusWindow() is other.windowHandle(), timeout=PATIENCE)
        begin()
        qtbot.waitUntil(begun, timeout=PATIENCE)
        escape_twice(other, qtbot)
        assert commands == [], begin
        assert not begun()
        qtbot.keyClick(other.windowHandle(), Qt.Key.Key_Shift)  # so that the next begins anew


@pytest.mark.thorough
def test_somebody_at_the_form_can_still_stop_by_the_keyboard(
    window: MainWindow, commands: list[str], qtbot
) -> None:
    field = window.panel("Experiments").list.search
    field.setFocus()
    qtbot.keyClicks(field, "read")
    escape_twice(window, qtbot)
    assert commands == ["emergency"]


def test_presses_far_apart_are_no_stop_however_late_they_are_seen(qapp) -> None:
    escape = EscapeTwice()
    stops = []
    escape.pressed.connect(lambda: stops.append(True))
    seen = []
    for when in (0, 2000, 2500, 2900):  # ms
        key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
        key.setTimestamp(when)
        escape.eventFilter(escape, key)
        seen.append(len(stops))
    assert seen == [0, 0, 1, 1]


@pytest.mark.thorough
def test_commands_have_keys_and_are_on_when_they_do_something(
    window: MainWindow, commands: list[str], folder: Path, qtbot
) -> None:
    qtbot.waitUntil(lambda: window.session.lane is not None, timeout=PATIENCE)
    assert not window.commands.commands["abort"].isEnabled()
    qtbot.keyClick(window, Qt.Key.Key_F6)
    assert commands == ["pause"]
    with Queue(folder / "queue.sqlite") as queue:
        queue.hold("simulated", "for tea")
    qtbot.waitUntil(lambda: "for tea" in window.commands.standing.text(), timeout=PATIENCE)
    qtbot.keyClick(window, Qt.Key.Key_F5)
    assert commands == ["pause", "resume"]


@pytest.mark.thorough
def test_a_simulated_bench_is_marked_and_a_real_one_is_not(window: MainWindow, tmp_path: Path, qtbot) -> None:
    from mho.instruments.bench_file.bench_file import load_bench_file

    assert inside(window, window.commands.simulated)
    text = load_bench_file("simulated").text
    real = tmp_path / "real.toml"
    real.write_text(
        text.replace('[simulation]\npreset = "pku" ', "#").replace('amplifier = "AD823"', "#"), "utf-8"
    )
    window.session.set_bench(str(real))
    qtbot.waitUntil(lambda: not window.commands.simulated.isVisible(), timeout=PATIENCE)
    assert "real.toml" in window.commands.standing.text()


@pytest.mark.thorough
def test_errors_stay_until_they_are_closed(window: MainWindow, qtbot) -> None:
    window.session.tell("ERROR", "the disk is full; make room")
    window.session.tell("INFO", "something nice")
    assert window.messages.text.text() == "the disk is full; make room"
    assert inside(window, window.messages)
    qtbot.mouseClick(window.messages.close_button, LEFT)
    assert window.messages.text.text() == ""
    window.session.tell("INFO", "something nice")
    assert window.messages.text.text() == "something nice"


@pytest.mark.thorough
def test_a_job_that_fails_is_said_with_its_reason(window: MainWindow, folder: Path) -> None:
    with Queue(folder / "queue.sqlite") as queue:
        number = queue.add(Order("read")).id
        queue.begin(number, run=folder / "full.h5", worker=1)
        job = queue.end(number, JobStatus.FAILED, "RunFileError: full.h5: no space left on device; make room")
    window.session.event_heard.emit(JobChanged(job))
    assert window.messages.text.text() == (
        f"job {number} failed: read: RunFileError: full.h5: no space left on device; make room"
    )
    log = window.panel("Log").model.rows
    assert (log[-1].level, log[-1].source) == ("ERROR", "runner")


def test_what_the_runner_says_of_an_unsafe_bench_is_said_aloud(window: MainWindow) -> None:
    window.session.event_heard.emit(Message("CRITICAL", "bench simulated is not confirmed safe"))
    assert window.messages.level == "CRITICAL"
    assert inside(window, window.messages.text)


@pytest.mark.thorough
def test_a_damaged_file_is_a_message_and_the_window_lives(
    window: MainWindow, tmp_path: Path, folder: Path
) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes((folder / "one.h5").read_bytes()[:5000])
    window.session.open_run(damaged)
    assert "damaged.h5" in window.messages.text.text()
    window.session.open_run(folder / "one.h5")
    assert "one.h5" in window.windowTitle()


@pytest.mark.thorough
def test_a_run_dropped_on_the_window_is_shown(window: MainWindow, folder: Path, qtbot) -> None:
    drop_file(window, folder / "one.h5", QPoint(600, 5))
    qtbot.waitUntil(lambda: window.session.run_path == folder / "one.h5", timeout=PATIENCE)


def test_a_bench_file_dropped_on_the_window_is_turned_to(window: MainWindow, tmp_path: Path, qtbot) -> None:
    bench = tmp_path / "own.toml"
    bench.write_text(ARRAYS.read_text("utf-8"), "utf-8")
    drop_file(window, bench, QPoint(600, 5))
    qtbot.waitUntil(lambda: window.session.bench == str(bench), timeout=PATIENCE)


def test_a_plan_dropped_on_the_window_is_no_bench(window: MainWindow, tmp_path: Path, qtbot) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "p"\n[[steps]]\nprocedure = "iv"\n', "utf-8")
    with qtbot.waitSignal(window.session.plan_wanted, timeout=PATIENCE) as wanted:
        drop_file(window, plan, QPoint(600, 5))
    assert wanted.args == [str(plan)]
    assert window.session.bench == "simulated"


def test_a_matrix_dropped_on_the_window_is_that_of_the_form(
    window: MainWindow, tmp_path: Path, qtbot
) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.mtx"
    for one in (first, second):
        one.write_text("1,0\n0,1\n", "utf-8")
    panel = window.panel("Experiments")
    drop_file(window, first, QPoint(600, 5))
    qtbot.waitUntil(lambda: panel.form is not None, timeout=PATIENCE)
    assert panel.name == "solve"
    panel.form.fields["bits"].show_value("12")
    drop_file(window, second, QPoint(600, 5))
    qtbot.waitUntil(lambda: panel.form.fields["matrix"].value() == str(second), timeout=PATIENCE)
    assert panel.form.fields["bits"].value() == "12"  # the form stays


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("chip.toml", 'name = "c"\n[[arrays]]\n', "chip.toml is a chip map; name it in a bench file"),
        ("cells.toml", 'name = "c"\nbase = "pku"\n', "cells.toml is a preset of simulated cells"),
        ("other.toml", "colour = 3\n", "other.toml is neither a bench nor a plan"),
        ("broken.toml", "name = \n", "broken.toml is not valid TOML"),
        ("notes.txt", "1 2", "notes.txt is nothing that can be dropped here; drop a run (.h5)"),
    ],
)
def test_a_file_of_no_use_is_answered_in_a_sentence(
    window: MainWindow, tmp_path: Path, qtbot, name: str, text: str, words: str
) -> None:
    told: list[str] = []
    window.session.message.connect(lambda level, said: told.append(said))
    path = tmp_path / name
    path.write_text(text, "utf-8")
    drop_file(window, path, QPoint(600, 5))
    qtbot.waitUntil(lambda: any(words in one for one in told), timeout=PATIENCE)
    assert window.session.bench == "simulated"


def test_runs_and_benches_that_were_opened_are_offered_again(
    window: MainWindow, folder: Path, tmp_path: Path
) -> None:
    menus = {menu.title(): menu for menu in window.findChildren(QMenu)}

    def offered(name: str) -> list[str]:
        menus[name].aboutToShow.emit()
        return [action.text() for action in menus[name].actions()]

    assert offered("Recent runs") == ["none yet"]
    for damaged in (7, "", ["", 3]):  # settings of somebody else
        window.settings.setValue("recent runs", damaged)
        assert offered("Recent runs") == ["none yet"]
    run_samples.whole_run(folder / "two.h5")
    for name in ("one.h5", "two.h5", "one.h5"):
        window.session.open_run(folder / name)
    assert offered("Recent runs") == [str(folder / "one.h5"), str(folder / "two.h5")]
    window.session.close_run()
    menus["Recent runs"].actions()[1].trigger()
    assert window.session.run_path == folder / "two.h5"
    bench = tmp_path / "own.toml"
    bench.write_text(ARRAYS.read_text("utf-8"), "utf-8")
    window.session.set_bench(str(bench))
    window.session.set_bench("simulated")
    assert offered("Recent benches") == [str(bench)]
    menus["Recent benches"].actions()[0].trigger()
    assert window.session.bench == str(bench)
    bench.unlink()  # what is gone is not offered
    assert offered("Recent benches") == ["none yet"]


def test_about_says_which_mho_this_is_and_where_its_files_are(window: MainWindow) -> None:
    window.show_about()
    (box,) = window.findChildren(QMessageBox)
    text = box.informativeText()
    assert mho.__version__ in text
    assert str(window.session.queue_path) in text
    box.close()


@pytest.mark.thorough
def test_the_layout_is_kept_and_can_be_put_back(
    window: MainWindow, open_main: Callable[..., MainWindow], folder: Path
) -> None:
    window.show_panel("Log")
    window.findChild(QDockWidget, "Log").setFloating(True)
    window.close()
    again = open_main(folder)
    log = again.findChild(QDockWidget, "Log")
    assert log.isFloating()
    actions = {action.text(): action for action in again.findChildren(QAction)}
    actions["Default layout"].trigger()
    assert not log.isFloating()


@pytest.mark.thorough
def test_only_panels_in_view_are_at_work(window: MainWindow, qtbot) -> None:
    queue, solve = window.panel("Queue"), window.panel("Solve")
    assert queue.isVisible()
    assert not solve.isVisible()
    window.show_panel("Solve")
    qtbot.waitUntil(lambda: solve.isVisible() and not queue.isVisible(), timeout=PATIENCE)
    assert window.panel("Chip").isVisible()


@pytest.mark.thorough
def test_a_panel_is_made_when_it_is_first_looked_at(window: MainWindow, qtbot) -> None:
    dock = window.findChild(QDockWidget, "Signals")
    assert dock.panel is None
    window.show_panel("Signals")
    qtbot.waitUntil(
        lambda: dock.panel is not None and not dock.panel.visibleRegion().isEmpty(), timeout=PATIENCE
    )


def places(window: MainWindow) -> dict[str, QRect]:
    """Where the things are that a user may be about to click."""
    shown = {
        "stop": window.commands.stop,
        "light": window.commands.light,
        "chip": window.panels.centre,
        "queue": window.panel("Queue").view,
        "form": window.panel("Experiments"),
    }
    return {name: QRect(one.mapTo(window, QPoint()), one.size()) for name, one in shown.items()}


@pytest.mark.thorough
def test_nothing_moves_when_messages_come_and_go(window: MainWindow, qtbot) -> None:
    qtbot.waitUntil(lambda: window.session.lane is not None, timeout=PATIENCE)
    window.resize(1280, 800)
    qtbot.wait(50)
    before = places(window)
    for text in ("short", "a long story " * 40, "two\nlines"):
        window.messages.say("ERROR", text)
        qtbot.wait(20)
        assert places(window) == before
    window.messages.clear()
    qtbot.wait(20)
    assert places(window) == before


@pytest.mark.thorough
def test_no_panel_moves_another_when_it_is_shown_or_changed(window: MainWindow, folder: Path, qtbot) -> None:
    window.resize(1280, 800)
    for title in window.panels.titles:
        window.show_panel(title)
        qtbot.waitUntil(lambda title=title: window.panel(title).isVisible(), timeout=PATIENCE)
    window.show_panel("Queue")
    qtbot.wait(50)
    before = places(window)
    for title in [*window.panels.titles, "Queue"]:
        window.show_panel(title)
        qtbot.wait(20)
        assert places(window)["chip"] == before["chip"], title
    with Queue(folder / "queue.sqlite") as queue:
        number = queue.add(Order("disturb", folder=folder)).id
    qtbot.waitUntil(lambda: any(one.id == number for one in window.session.jobs), timeout=PATIENCE)
    window.panel("Queue").select(number)
    window.panel("Queue").view.setFocus()
    qtbot.keyClick(window.panel("Queue").view, Qt.Key.Key_F2)
    qtbot.waitUntil(lambda: window.panel("Experiments").buttons.job == number, timeout=PATIENCE)
    assert {**places(window), "form": None} == {**before, "form": None}
    assert places(window)["form"].width() <= before["form"].width()


def test_the_array_has_the_most_of_the_window_and_every_button_of_the_form_is_in_sight(
    window: MainWindow, qtbot
) -> None:
    window.resize(1280, 800)
    form = window.panel("Experiments")
    form.show_form("solve", {})
    qtbot.wait(50)
    centre = window.panels.centre
    assert centre.width() * centre.height() >= 0.45 * 1280 * 800
    for button in (form.buttons.queue, form.buttons.run_now, form.buttons.rehearse):
        assert inside(window, button)
        assert not button.visibleRegion().isEmpty()
        assert button.visibleRegion().boundingRect() == button.rect()


@pytest.mark.thorough
def test_the_whole_of_a_message_is_a_click_away_and_those_of_before_are_in_the_log(
    window: MainWindow, qtbot
) -> None:
    text = "the gate does not answer\n" * 8
    window.messages.say("ERROR", text)
    qtbot.mouseClick(window.messages.text, LEFT)
    whole = QApplication.activePopupWidget()
    assert isinstance(whole, QLabel)
    assert whole.text() == text
    whole.close()
    qtbot.mouseClick(window.messages.history, LEFT)
    qtbot.waitUntil(lambda: window.panel("Log").isVisible(), timeout=PATIENCE)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "now"), (59, "now"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")]
)
def test_the_light_tells_how_long_ago_a_bench_was_found_safe(seconds: float, text: str) -> None:
    then = datetime(2026, 1, 1)
    safe = Safety(SafetyVerdict.SAFE, "every output off", then, "runner")
    assert safe.in_short(then + timedelta(seconds=seconds)) == f"SAFE {text}, runner"
    assert Safety(SafetyVerdict.LIVE, "", source="job 4").in_short(then) == "LIVE, job 4"


@pytest.mark.thorough
def test_there_is_one_bar_of_tabs_for_each_place(window: MainWindow, qtbot) -> None:
    """Qt replaces bars while it lays docks out; what it replaces goes as soon as its event loop has come round."""

    def bars() -> list[tuple[str, ...]]:
        found = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return sorted(tuple(bar.tabText(one) for one in range(bar.count())) for bar in found)

    extensions = window.panels.titles[9:]
    places = [("Queue", "Signals", "Solve", "Runs", "Bench", "Plan", "Log", *extensions)]
    qtbot.waitUntil(lambda: bars() == places, timeout=PATIENCE)
    window.findChild(QDockWidget, "Log").setFloating(True)
    window.panels.arrange()
    qtbot.waitUntil(lambda: bars() == places, timeout=PATIENCE)


def ground(window: MainWindow) -> str:
    return window.messages.styleSheet().partition("background: ")[2].partition(";")[0]


@pytest.mark.thorough
def test_a_stop_is_red_until_it_is_confirmed_and_green_then(window: MainWindow) -> None:
    told, messages = window.session.stop_told, window.messages
    told.emit("CRITICAL", "asked for, not yet confirmed")
    assert (messages.text.text(), ground(window)) == ("asked for, not yet confirmed", widgets.STOP)
    told.emit("INFO", "bench simulated is safe, the queue is held")
    assert (messages.text.text(), ground(window)) == (
        "bench simulated is safe, the queue is held",
        palette.GOOD,
    )
    told.emit("CRITICAL", "bench simulated is NOT confirmed safe")
    assert (messages.text.text(), ground(window)) == ("bench simulated is NOT confirmed safe", widgets.STOP)


@pytest.mark.thorough
def test_what_is_less_grave_never_takes_the_place_of_what_is_graver(window: MainWindow, qtbot) -> None:
    say, messages = window.session.tell, window.messages
    say("CRITICAL", "the gate is live")
    for level in ("ERROR", "WARNING", "INFO", "DEBUG"):
        say(level, "something less")
        assert messages.text.text() == "the gate is live"
    say("CRITICAL", "the smu is live, too")
    shown = []
    while messages.level:
        shown.append(messages.text.text())
        qtbot.mouseClick(messages.close_button, LEFT)
    assert shown == ["the smu is live, too", "the gate is live", "something less"]
    say("WARNING", "it is late")
    say("INFO", "job 3 is in the queue")
    assert messages.text.text() == "it is late"


@pytest.mark.thorough
def test_a_queue_that_goes_on_takes_the_message_of_its_stop_away_and_no_other(window: MainWindow) -> None:
    session = window.session
    session.tell("CRITICAL", "the runner is gone")
    session.stop_told.emit("INFO", "emergency stop: the queue is held")
    session._take_jobs("simulated", [], Lane("simulated", held=True, reason="emergency stop"), Use())
    assert [one.text for one in window.messages._said] == [
        "emergency stop: the queue is held",
        "the runner is gone",
    ]
    session._take_jobs("simulated", [], Lane("simulated", unsafe=True), Use())
    assert len(window.messages._said) == 2
    session._take_jobs("simulated", [], Lane("simulated"), Use())
    assert [one.text for one in window.messages._said] == ["the runner is gone"]


@pytest.mark.thorough
def test_that_the_queue_is_held_is_not_said_when_it_goes_on(window: MainWindow) -> None:
    session, messages = window.session, window.messages
    session._take_jobs("simulated", [], Lane("simulated", held=True, reason="job 4 failed"), Use())
    session.event_heard.emit(Message("ERROR", "the queue of simulated is held: job 4 failed", held=True))
    assert messages.text.text() == "the queue of simulated is held: job 4 failed"
    session._take_jobs("simulated", [], Lane("simulated"), Use())
    assert [one.text for one in messages._said] == []
    session.event_heard.emit(Message("ERROR", "the disk is full"))
    session._take_jobs("simulated", [], Lane("simulated", reason="another"), Use())
    assert [one.text for one in messages._said] == ["the disk is full"]


ENDED = Ended(Status.FINISHED, "", Path("a.h5"), confirmed=NOW.timestamp())


@pytest.mark.thorough
def test_what_is_confirmed_is_not_said_to_be_unsafe_any_more(window: MainWindow) -> None:
    session, messages = window.session, window.messages

    def say_unsafe() -> None:
        session._take_runner(RunnerState("simulated", 77, "running", 4))
        session._take_runner(None)
        session.event_heard.emit(Message("CRITICAL", "bench simulated is not confirmed safe", unsafe=True))
        session.event_heard.emit(Message("CRITICAL", "the queue cannot be written"))
        session.tell("ERROR", "job 4 interrupted")

    def said() -> list[str]:
        return [one.text for one in messages._said]

    say_unsafe()
    assert len(said()) == 4  # none takes the place of another
    messages.close_message()  # that of the queue
    session._take_confirmation("other.toml", "bench other is safe")
    assert len(said()) == 4
    assert messages.level == "CRITICAL"
    session._take_confirmation("simulated", "bench simulated is safe")
    assert said() == ["job 4 interrupted", "bench simulated is safe"]
    assert (messages.text.text(), ground(window)) == ("bench simulated is safe", palette.GOOD)
    messages.clear()
    say_unsafe()
    later = Lane("simulated", confirmed=datetime.now().timestamp() + 1)  # by whomever
    session._take_jobs("simulated", [], later, Use())
    assert said() == ["job 4 interrupted", "the queue cannot be written"]


@pytest.mark.thorough
def test_a_job_of_which_no_runner_is_heard_can_be_aborted_and_its_bench_not_checked(
    window: MainWindow,
) -> None:
    session, bench = window.session, window.panel("Bench")
    with Queue(session.queue_path) as queue:
        number = queue.add(Order("read", folder=session.folder)).id
        job = queue.begin(number, run=session.folder / "a.h5", **LIVING)
    assert job is not None
    for runner in (None, RunnerState("simulated", 1, "idle")):
        session._take_runner(runner)
        session._take_jobs("simulated", [job], Lane("simulated"), Use())
        assert f"job {number} read running" in window.commands.standing.text()
        assert "idle" not in window.commands.standing.text()
        assert "no runner" not in window.commands.standing.text()
        assert window.commands.commands["abort"].isEnabled()
        assert not bench.check.isEnabled()


LIGHTS = {
    SafetyVerdict.SAFE: palette.GOOD,
    SafetyVerdict.UNKNOWN: palette.FAINT,
    SafetyVerdict.LIVE: widgets.LIVE,
    SafetyVerdict.UNSAFE: widgets.STOP,
}


@pytest.mark.thorough
def test_the_light_beside_stop_says_what_the_lane_and_the_runner_say(window: MainWindow) -> None:
    session, light = window.session, window.commands.light
    assert (light.text(), light.why.text()) == ("NOT KNOWN", QUEUE_UNREAD)
    session._take_jobs("simulated", [], Lane("simulated"), Use())
    assert light.why.text().startswith("nothing was read of this bench")
    unsafe = Lane("simulated", True, "stopped", unsafe=True, unsafe_reason="no answer")
    for act, verdict, words in (
        (lambda: session._take_runner(RunnerState("simulated", 1, "idle")), SafetyVerdict.UNKNOWN, "nothing was read"),
        (lambda: session._take_runner(RunnerState("simulated", 1, "running", 4)), SafetyVerdict.LIVE, "job 4 running"),
        (lambda: session._record.take_event(Standing({"gate": "ON, 2.5 V", "smu": "off"}, ("gate",)), NOW),
         SafetyVerdict.LIVE, "job 4 running: gate ON, 2.5 V, confirmed at "),
        (lambda: session._record.take_event(ENDED, NOW), SafetyVerdict.LIVE, "job 4"),
        (lambda: session._take_runner(RunnerState("simulated", 1, "idle")), SafetyVerdict.SAFE, "run a.h5 had ended"),
        (lambda: session._take_runner(RunnerState("simulated", 1, "making safe")), SafetyVerdict.UNSAFE, "being made safe"),
        (lambda: session._take_runner(RunnerState("simulated", 1, "idle", unsafe=True, live=("gate",))),
         SafetyVerdict.UNSAFE, "not confirmed: gate may be live"),
        (lambda: session._take_jobs("simulated", [], unsafe, Use()),
         SafetyVerdict.UNSAFE, "not confirmed: any output may be live (no answer)"),
        (lambda: session._take_runner(RunnerState("simulated", 1, "making safe")), SafetyVerdict.UNSAFE, "being made safe"),
        (lambda: session._take_runner(RunnerState("simulated", 1, "idle")), SafetyVerdict.UNSAFE, "may be live"),
        (lambda: session._take_jobs("simulated", [], replace(unsafe, unsafe=False, acknowledged=NOW.timestamp()), Use()),
         SafetyVerdict.UNKNOWN, "taken on somebody's word"),
        (lambda: session._take_jobs("simulated", [], replace(unsafe, unsafe=False, confirmed=NOW.timestamp() + 1), Use()),
         SafetyVerdict.SAFE, ""),
    ):  # fmt: skip
        act()
        session._assess()
        assert session.safety.verdict is verdict, words
        assert words in session.safety.text
        assert (light.text().startswith(verdict.value), light.why.text()) == (True, session.safety.text)
        assert light.width() >= light.sizeHint().width()
        light.show_safety(replace(session.safety, since=NOW - timedelta(minutes=48), source="fresh process"))
        assert light.width() >= light.sizeHint().width()  # as long as it gets
        assert f"background: {LIGHTS[verdict]};" in light.styleSheet()


@pytest.mark.thorough
def test_nothing_of_one_bench_is_said_of_the_next(window: MainWindow, qtbot) -> None:
    session = window.session
    qtbot.waitUntil(lambda: session.lane is not None, timeout=PATIENCE)
    session._take_jobs("simulated", [], Lane("simulated", True, "gate is on", unsafe=True), Use())
    assert session.safety.verdict is SafetyVerdict.UNSAFE
    session.set_bench("other.toml")
    assert session.safety == Safety(SafetyVerdict.UNKNOWN, QUEUE_UNREAD)
    assert (session.lane, session.jobs, session.runner) == (None, [], None)
    session._take_jobs(
        "simulated", [], Lane("simulated", True, "gate is on", unsafe=True), None
    )  # read before
    assert session.safety.verdict is SafetyVerdict.UNKNOWN


def test_a_runner_that_is_gone_is_said_aloud_with_what_is_known(window: MainWindow) -> None:
    session, messages = window.session, window.messages
    session._take_runner(RunnerState("simulated", 77, "running", 4))
    session._record.take_event(Standing({"gate": "ON, 2.5 V"}), NOW)
    session._take_runner(None)
    assert messages.level == "CRITICAL"
    assert "(process 77) is gone while job 4 was running" in messages.text.text()
    assert "gate ON, 2.5 V, confirmed at" in messages.text.text()
    messages.clear()
    session._take_runner(RunnerState("simulated", 78, "idle"))
    session._take_runner(None)
    assert messages.level == "INFO"  # it had nothing to do


@pytest.mark.thorough
def test_form_and_strip_keep_their_shares_of_the_window(
    window: MainWindow, open_main: Callable[..., MainWindow], folder: Path, qtbot
) -> None:
    strip, form = (window.findChild(QDockWidget, name) for name in ("Queue", "Experiments"))

    def shares() -> tuple[float, float]:
        return form.width() / window.width(), window.panels.height_of(strip) / window.height()

    for wide, high in ((1280, 800), (1800, 1000), (1280, 800)):
        window.resize(wide, high)
        wanted = pytest.approx((SHARES["left"], SHARES["bottom"]), abs=0.01)
        qtbot.waitUntil(lambda wanted=wanted: shares() == wanted, timeout=PATIENCE)
    window.panels.divide({"left": 0.4, "bottom": 0.3})
    qtbot.waitUntil(lambda: shares() == pytest.approx((0.4, 0.3), abs=0.01), timeout=PATIENCE)
    window.panels.remember()
    window.close()
    again = open_main(folder)
    again.resize(1600, 900)
    strip, form, window = (
        again.findChild(QDockWidget, "Queue"),
        again.findChild(QDockWidget, "Experiments"),
        again,
    )
    qtbot.waitUntil(lambda: shares() == pytest.approx((0.4, 0.3), abs=0.01), timeout=PATIENCE)
    qtbot.keyClick(window, Qt.Key.Key_F11)
    qtbot.waitUntil(lambda: shares()[1] > 0.6, timeout=PATIENCE)
    qtbot.keyClick(window, Qt.Key.Key_F11)
    qtbot.waitUntil(lambda: shares() == pytest.approx((0.4, 0.3), abs=0.01), timeout=PATIENCE)


@pytest.mark.thorough
def test_panels_come_to_the_front_by_keys(window: MainWindow, qtbot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_9, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.panel("Log").visibleRegion().isEmpty(), timeout=PATIENCE)


@pytest.mark.thorough
def test_the_window_is_light_or_dark_as_chosen_and_remembers(
    window: MainWindow, open_main: Callable[..., MainWindow], folder: Path
) -> None:
    try:
        window._choose_theme("dark")
        assert widgets.is_dark()
        window.close()
        widgets.choose("system")
        open_main(folder)
        assert widgets.is_dark()
    finally:
        widgets.choose("system")


@pytest.mark.thorough
def test_f1_lists_the_keys(window: MainWindow, qtbot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F1)
    (dialog,) = window.findChildren(ShortcutsDialog)
    table = dialog.table
    listed = {table.item(row, 1).text() for row in range(table.rowCount())}
    assert {"Esc Esc", "F5", "F6", "F8", "F1", "Ctrl+O", "Alt+Up", "Del"} <= listed
    dialog.close()


@pytest.mark.thorough
def test_somebody_new_is_offered_a_guided_run_once(
    open_main: Callable[..., MainWindow], tmp_path: Path, qtbot
) -> None:
    folder = tmp_path / "empty"
    window = open_main(folder)
    window.session.ensure_runner = lambda: None
    qtbot.waitUntil(lambda: window.guide is not None, timeout=PATIENCE)
    guide, form = window.guide, window.panel("Experiments")
    assert guide.step == OFFER
    qtbot.mouseClick(guide.begin, LEFT)
    qtbot.waitUntil(lambda: guide.step == FORM, timeout=PATIENCE)
    qtbot.waitUntil(lambda: form.expected is not None, timeout=PATIENCE)
    qtbot.mouseClick(form.buttons.run_now, LEFT)
    qtbot.waitUntil(lambda: guide.step == QUEUED, timeout=PATIENCE)
    window.session.open_run(run_samples.whole_run(tmp_path / "guided.h5"))
    assert guide.step == DONE
    qtbot.mouseClick(guide.leave, LEFT)
    assert window.guide is None
    window.close()
    again = open_main(tmp_path / "as-empty")
    qtbot.waitUntil(lambda: again.session.lane is not None, timeout=PATIENCE)
    assert again.guide is None


@pytest.mark.parametrize("key", daily(["layout", "geometry"], 1))
def test_damaged_settings_keep_no_window_from_opening(
    open_main: Callable[..., MainWindow], tmp_path: Path, key
) -> None:
    QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat).setValue(key, "nonsense")
    assert open_main(tmp_path / "runs").commands.stop.isVisible()


@pytest.mark.thorough
def test_a_folder_that_cannot_be_made_is_said(
    open_main: Callable[..., MainWindow], tmp_path: Path, qtbot
) -> None:
    (tmp_path / "file").write_text("no folder")
    window = open_main(tmp_path / "file" / "runs")
    qtbot.waitUntil(lambda: window.messages.level == "ERROR", timeout=PATIENCE)
    assert "file" in window.messages.text.text()


@pytest.mark.thorough
def test_the_program_ends_with_0_when_the_window_is_closed(tmp_path: Path, qapp) -> None:
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))

    def close() -> None:
        (window,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, MainWindow)]
        window.close()

    QTimer.singleShot(300, close)
    assert gui.show_main_window(tmp_path / "runs") == 0
    assert list(tmp_path.rglob("mho.conf"))


@pytest.mark.thorough
def test_a_script_goes_on_with_all_its_garbage_collected(tmp_path: Path) -> None:
    """Also where there was no window."""
    code = (
        "import gc, sys\n"
        "from PySide6.QtCore import QSettings\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from mho.errors import InputError\n"
        "from mho.gui import app\n"
        "find, app.qt_trouble = app.qt_trouble, lambda: 'it is not there'\n"
        "try: app.show_main_window(sys.argv[1])\n"
        "except InputError: print(gc.isenabled())\n"
        "app.qt_trouble = find\n"
        "QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, sys.argv[1])\n"
        "qt = QApplication([])\n"
        "freeze, app.SETTLED = app._freeze, 50\n"
        "app._freeze = lambda: [freeze(), print(gc.get_freeze_count() > 0), qt.closeAllWindows()]\n"
        "app.show_main_window(sys.argv[1])\n"
        "print(gc.get_freeze_count())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.split() == ["True", "True", "0"]


@pytest.mark.thorough
def test_the_window_can_be_used_before_what_draws_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import mho.gui as gui\n"
        "from PySide6.QtCore import QSettings\n"
        "from PySide6.QtWidgets import QApplication, QDockWidget\n"
        "app = QApplication([])\n"
        "window = gui.open_main_window(sys.argv[1], settings=QSettings(sys.argv[2], QSettings.Format.IniFormat))\n"
        "print(len(window.panel('Experiments').list.names()))\n"
        "print({'numpy', 'h5py', 'pyqtgraph', 'psutil', 'mho.procedures.catalogue'} & {*sys.modules})\n"
        "place = window.centralWidget()\n"
        "while place.panel is None or place.panel.visibleRegion().isEmpty(): app.processEvents()\n"
        "print(type(place.panel).__name__)\n"
        "window.close()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "runs"), str(tmp_path / "s.ini")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    offered, loaded, panel = ended.stdout.splitlines()
    assert (int(offered), loaded, panel) == (len(described_entries()), "set()", "ChipPanel")


@pytest.mark.thorough
def test_a_window_that_was_left_open_goes_before_its_application(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import mho.gui as gui\n"
        "from PySide6.QtCore import QSettings\n"
        "from PySide6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "window = gui.open_main_window(sys.argv[1], settings=QSettings(sys.argv[2], QSettings.Format.IniFormat))\n"
        "for _ in range(20): app.processEvents()\n"
    )
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-c",
        code,
        str(tmp_path / "runs"),
        str(tmp_path / "s.ini"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.thorough
def test_a_fault_of_mho_itself_is_said_and_the_window_lives(tmp_path: Path, qtbot) -> None:
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    said: list[str] = []

    def close() -> None:
        (window,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, MainWindow)]
        said.append(window.messages.text.text())
        window.close()

    with qtbot.capture_exceptions() as caught:
        QTimer.singleShot(200, lambda: 1 // 0)
        QTimer.singleShot(400, close)
        assert gui.show_main_window(tmp_path / "runs") == 0
    assert caught[0][0] is ZeroDivisionError
    assert said[0].startswith("ZeroDivisionError: ")
    assert "report it" in said[0]
