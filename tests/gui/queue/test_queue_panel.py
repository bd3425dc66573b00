"""The queue's table: what stands in it, how far a job is, and what is done by keys, buttons and dragging."""

from pathlib import Path

import pytest
import run_samples
from PySide6.QtCore import QModelIndex, Qt
from queue_runners import LIVING, order
from window_steps import PATIENCE

from mho.gui.queue import COLUMNS, DONE, PROGRESS, QueuePanel
from mho.gui.session.session import Session
from mho.running.queue import JobStatus, Order, Queue
from mho.running.runner.messages import RunnerState


@pytest.fixture
def queue(session: Session) -> Queue:
    with Queue(session.queue_path) as queue:
        yield queue


@pytest.fixture
def panel(session: Session, queue: Queue, qtbot) -> QueuePanel:
    panel = QueuePanel(session)
    qtbot.addWidget(panel)
    panel.resize(1000, 300)
    panel.show()
    session.start()
    return panel


def add(queue: Queue, panel: QueuePanel, count: int, qtbot) -> list[int]:
    numbers = [queue.add(Order("read", {"repeats": one + 1})).id for one in range(count)]
    qtbot.waitUntil(lambda: ids(panel)[-count:] == numbers, timeout=PATIENCE)
    return numbers


def ids(panel: QueuePanel) -> list[int]:
    return [job.id for job in panel.model.jobs]


def text(panel: QueuePanel, row: int, column: str) -> str:
    return panel.model.index(row, [one.heading for one in COLUMNS].index(column)).data()


def click(panel: QueuePanel, row: int, qtbot) -> None:
    where = panel.view.visualRect(panel.model.index(row, 0)).center()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=where)


def trigger(panel: QueuePanel, name: str) -> None:
    action = panel._actions[name]
    assert action.isEnabled()
    action.trigger()


def drop(panel: QueuePanel, number: int, row: int) -> None:
    model = panel.model
    data = model.mimeData([model.index(model.row_of(number), 0)])
    model.dropMimeData(data, Qt.DropAction.MoveAction, row, 0, QModelIndex())


def test_a_window_that_is_loading_does_not_say_that_nothing_waits(
    session: Session, queue: Queue, qtbot
) -> None:
    queue.add(Order("read"))
    panel = QueuePanel(session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.standing.text() == "reading the queue…; looking for its runner"
    assert not panel.start.isVisible()
    session.start()
    qtbot.waitUntil(
        lambda: panel.standing.text() == "1 waiting; no runner serves bench simulated", timeout=PATIENCE
    )
    assert panel.start.isVisible()


def test_jobs_are_shown_with_their_reason(panel: QueuePanel, queue: Queue, qtbot) -> None:
    first, second = add(queue, panel, 2, qtbot)
    queue.begin(first, run=Path("one.h5"), **LIVING)
    queue.end(first, JobStatus.FAILED, "InstrumentError: the smu\nis cross")
    qtbot.waitUntil(lambda: text(panel, 1, "Status") == "failed", timeout=PATIENCE)
    assert text(panel, 1, "Outcome") == "InstrumentError: the smu is cross"
    assert text(panel, 1, "What") == "read repeats=1"
    assert text(panel, 0, "Status") == "queued"
    assert ids(panel) == [second, first]


def test_the_running_job_is_on_top_and_what_waits_before_what_has_ended(
    panel: QueuePanel, queue: Queue, qtbot
) -> None:
    ended, another, runs, waits = add(queue, panel, 4, qtbot)
    queue.skip(ended, "no")
    queue.skip(another, "no")
    queue.begin(runs, run=None, **LIVING)
    qtbot.waitUntil(lambda: ids(panel) == [runs, waits, another, ended], timeout=PATIENCE)


def test_files_are_named_in_short(panel: QueuePanel, queue: Queue, qtbot) -> None:
    queue.add(Order("solve", {"matrix": "/a/long/way/to/a.mtx", "bits": 12}))
    qtbot.waitUntil(lambda: len(ids(panel)) == 1, timeout=PATIENCE)
    assert text(panel, 0, "What") == "solve matrix=a.mtx bits=12"


def test_how_far_the_running_job_is(panel: QueuePanel, queue: Queue, qtbot) -> None:
    (number,) = add(queue, panel, 1, qtbot)
    queue.begin(number, run=None, **LIVING)
    qtbot.waitUntil(lambda: text(panel, 0, "Status") == "running", timeout=PATIENCE)
    state = RunnerState(
        "simulated", 1, "running", number, stage="programming", done=3, total=12, seconds_left=61.0
    )
    panel.session.runner_changed.emit(state)
    assert text(panel, 0, "Status") == "running"
    assert text(panel, 0, "Progress") == "programming 3 of 12"
    assert panel.model.index(0, PROGRESS).data(DONE) == (3, 12)
    assert text(panel, 0, "Time") == "61.0 s left"
    assert not panel.grab().isNull()  # the bar is drawn
    panel.session.runner_changed.emit(
        RunnerState("simulated", 1, "running", number, stage="reading", done=492_928, total=2_048_000)
    )
    assert text(panel, 0, "Progress") == "reading 24 %"


@pytest.mark.thorough
def test_a_job_is_dragged_to_another_place(panel: QueuePanel, queue: Queue, qtbot) -> None:
    one, two, three = add(queue, panel, 3, qtbot)
    drop(panel, three, 0)
    qtbot.waitUntil(lambda: ids(panel) == [three, one, two], timeout=PATIENCE)
    drop(panel, three, 2)
    qtbot.waitUntil(lambda: ids(panel) == [one, three, two], timeout=PATIENCE)
    drop(panel, one, -1)
    qtbot.waitUntil(lambda: ids(panel) == [three, two, one], timeout=PATIENCE)


@pytest.mark.thorough
def test_only_jobs_that_wait_can_be_dragged(panel: QueuePanel, queue: Queue, qtbot) -> None:
    one, _ = add(queue, panel, 2, qtbot)
    queue.skip(one, "no")
    qtbot.waitUntil(lambda: text(panel, 1, "Status") == "skipped", timeout=PATIENCE)
    drags = [
        bool(panel.model.flags(panel.model.index(row, 0)) & Qt.ItemFlag.ItemIsDragEnabled) for row in range(2)
    ]
    assert drags == [True, False]


def test_a_job_is_moved_by_keys_and_stays_chosen(panel: QueuePanel, queue: Queue, qtbot) -> None:
    one, two, three = add(queue, panel, 3, qtbot)
    click(panel, 2, qtbot)
    qtbot.keyClick(panel.view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: ids(panel) == [one, three, two], timeout=PATIENCE)
    assert panel.chosen().id == three
    qtbot.keyClick(panel.view, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: ids(panel) == [one, two, three], timeout=PATIENCE)


@pytest.mark.thorough
def test_a_job_is_cloned_skipped_removed_and_put_back(panel: QueuePanel, queue: Queue, qtbot) -> None:
    (one,) = add(queue, panel, 1, qtbot)
    click(panel, 0, qtbot)
    trigger(panel, "Clone")
    qtbot.waitUntil(lambda: len(ids(panel)) == 2, timeout=PATIENCE)
    assert panel.model.jobs[1].order == panel.model.jobs[0].order
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: queue.job(one).status == "skipped", timeout=PATIENCE)
    qtbot.waitUntil(
        lambda: panel._actions["Remove"].isEnabled() and not panel._actions["Abort"].isEnabled(),
        timeout=PATIENCE,
    )
    before, skipped = ids(panel), queue.job(one)
    trigger(panel, "Remove")
    qtbot.waitUntil(lambda: one not in ids(panel), timeout=PATIENCE)
    undo = next(action for action in panel.actions() if action.text() == "Undo remove")
    undo.trigger()
    qtbot.waitUntil(lambda: ids(panel) == before, timeout=PATIENCE)
    assert queue.job(one) == skipped
    undo.trigger()  # nothing more to put back
    assert ids(panel) == before


def test_the_result_of_a_job_is_opened_by_a_double_click(
    panel: QueuePanel, queue: Queue, tmp_path: Path, qtbot
) -> None:
    run = run_samples.whole_run(tmp_path / "runs" / "done.h5")
    (one,) = add(queue, panel, 1, qtbot)
    queue.begin(one, run=run, **LIVING)
    queue.end(one, JobStatus.FINISHED, "")
    qtbot.waitUntil(lambda: text(panel, 0, "Outcome") == "done.h5", timeout=PATIENCE)
    panel.session.close_run()
    click(panel, 0, qtbot)
    where = panel.view.visualRect(panel.model.index(0, 0)).center()
    qtbot.mouseDClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert panel.session.run_path == run


def test_a_job_that_waits_is_changed_and_one_that_does_not_is_copied_in_the_form(
    panel: QueuePanel, queue: Queue, qtbot
) -> None:
    (number,) = add(queue, panel, 1, qtbot)
    click(panel, 0, qtbot)
    with qtbot.waitSignal(panel.session.edit_wanted, timeout=PATIENCE) as wanted:
        qtbot.keyClick(panel.view, Qt.Key.Key_F2)
    assert wanted.args[0].id == number
    queue.skip(number, "not wanted")
    qtbot.waitUntil(lambda: text(panel, 0, "Status") == "skipped", timeout=PATIENCE)
    with qtbot.waitSignal(panel.session.form_wanted, timeout=PATIENCE) as wanted:
        qtbot.keyClick(panel.view, Qt.Key.Key_F2)
    assert wanted.args == ["read", {"repeats": 1}]


def test_a_held_queue_says_why_and_is_released_by_a_button(panel: QueuePanel, queue: Queue, qtbot) -> None:
    queue.hold("simulated", "job 3 (read): the run failed")
    qtbot.waitUntil(lambda: panel.standing.text() == "held: job 3 (read): the run failed", timeout=PATIENCE)
    qtbot.mouseClick(panel.release, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "held" not in panel.standing.text(), timeout=PATIENCE)
    assert not queue.lane("simulated").held


def test_that_no_runner_is_there_is_said_with_a_button_to_start_one(
    panel: QueuePanel, queue: Queue, qtbot
) -> None:
    add(queue, panel, 1, qtbot)
    said = "1 waiting; no runner serves bench simulated"
    qtbot.waitUntil(lambda: panel.standing.text() == said, timeout=PATIENCE)
    assert panel.start.isVisible()
    panel.session.runner_changed.emit(None)
    panel.session.runner = RunnerState("simulated", 1, "idle")
    panel.session.runner_changed.emit(panel.session.runner)
    assert not panel.start.isVisible()
    assert panel.standing.text() == "1 waiting; runner idle"


def test_a_job_whose_worker_is_gone_is_interrupted_before_a_runner_says_so(
    panel: QueuePanel, queue: Queue, qtbot
) -> None:
    (number,) = add(queue, panel, 1, qtbot)
    queue.begin(number, run=None, worker=1, worker_birth="long ago")
    qtbot.waitUntil(lambda: text(panel, 0, "Status") == "interrupted", timeout=PATIENCE)
    assert "left by a runner that is gone" in text(panel, 0, "Outcome")
    click(panel, 0, qtbot)
    on = {name for name, action in panel._actions.items() if action.isEnabled()}
    assert on == {"Clone", "Edit"}


def test_what_cannot_be_done_with_a_job_is_off(panel: QueuePanel, queue: Queue, qtbot) -> None:
    assert not any(action.isEnabled() for action in panel._actions.values())
    (one,) = add(queue, panel, 1, qtbot)
    queue.begin(one, run=None, **LIVING)
    qtbot.waitUntil(lambda: text(panel, 0, "Status") == "running", timeout=PATIENCE)
    click(panel, 0, qtbot)
    on = {name for name, action in panel._actions.items() if action.isEnabled()}
    assert on == {"Abort", "Clone", "Edit"}


def test_all_selected_jobs_are_removed_at_once_and_put_back_in_place_at_once(
    panel: QueuePanel, queue: Queue, qtbot
) -> None:
    numbers = add(queue, panel, 6, qtbot)
    queue.begin(numbers[0], run=None, **LIVING)
    qtbot.waitUntil(lambda: text(panel, 0, "Status") == "running", timeout=PATIENCE)
    before = [queue.job(number) for number in numbers]
    panel.select(*numbers[:4])
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete, Qt.KeyboardModifier.ShiftModifier)
    kept = [numbers[0], *numbers[4:]]  # the one that runs stays
    qtbot.waitUntil(lambda: ids(panel) == kept, timeout=PATIENCE)
    qtbot.keyClick(panel.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: ids(panel) == numbers, timeout=PATIENCE)
    assert [queue.job(number) for number in numbers] == before


def test_several_jobs_stay_selected_when_the_queue_changes(panel: QueuePanel, queue: Queue, qtbot) -> None:
    one, two, three = add(queue, panel, 3, qtbot)
    panel.select(one, three)
    queue.move(two, 1)
    qtbot.waitUntil(lambda: ids(panel) == [two, one, three], timeout=PATIENCE)
    rows = {index.row() for index in panel.view.selectionModel().selectedRows()}
    assert rows == {1, 2}


@pytest.mark.thorough
def test_two_thousand_jobs_are_shown_at_once(panel: QueuePanel, queue: Queue, qtbot) -> None:
    queue.add_all([(order(), None)] * 2000)
    qtbot.waitUntil(lambda: len(ids(panel)) == 2000, timeout=PATIENCE)
    assert panel.model.rowCount() == 2000
