"""What the panels share: runs that are shown and followed, the queue as others change it, work in other threads."""

import gc
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import run_samples
from PySide6.QtCore import QObject
from queue_runners import LIVING, Desk, eventually, order, running, served_bench, start_runner
from run_writers import WriterProcess
from shiboken6 import Shiboken
from window_steps import PATIENCE

from mho import platforms
from mho.errors import InputError
from mho.gui.queue import QueuePanel
from mho.gui.session import task_thread
from mho.gui.session.bench_safety import SafetyVerdict
from mho.gui.session.session import Session
from mho.gui.session.task_thread import TaskThread
from mho.gui.window.main_window import CommandBar
from mho.instruments.bench import locking
from mho.instruments.bench_file import load_bench_file
from mho.running.queue import Queue, database
from mho.running.runner.connection import Rendezvous
from mho.running.runner.server import WATCHERS
from mho.runs import Status


@pytest.fixture
def said(session: Session) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []
    session.message.connect(lambda level, text: heard.append((level, text)))
    return heard


def test_a_run_is_opened_with_all_there_is(session: Session, solved: Path, qtbot) -> None:
    news = []
    session.run_news.connect(news.append)
    with qtbot.waitSignal(session.run_opened, timeout=PATIENCE) as opened:
        session.open_run(solved)
    assert opened.args[0] is session.run
    assert news[0].status is Status.FINISHED
    assert len(news[0].convergence.cycle) == 5
    assert [entry.level for entry in news[0].log] == ["WARNING", "INFO"]


def test_a_run_is_followed_while_it_is_written(
    session: Session, writer: WriterProcess, tmp_path: Path, qtbot
) -> None:
    counts = []
    session.run_news.connect(lambda news: counts.append(len(news.log)))
    writer.tell("plan")
    session.open_run(tmp_path / "live.h5")
    writer.tell("program")
    qtbot.waitUntil(lambda: sum(counts) == 1, timeout=PATIENCE)
    writer.tell("forecast")
    qtbot.waitUntil(lambda: sum(counts) == 2, timeout=PATIENCE)


@pytest.mark.thorough
def test_a_damaged_file_is_said_once_and_shown_when_it_is_whole(
    session: Session, said: list, solved: Path, tmp_path: Path, qtbot
) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(b"no HDF5")
    session.open_run(damaged)
    assert session.run is None
    assert [level for level, _ in said] == ["ERROR"]
    assert "damaged.h5" in said[0][1]
    damaged.write_bytes(solved.read_bytes())
    qtbot.waitUntil(lambda: session.run is not None, timeout=PATIENCE)
    assert len(said) == 1


@pytest.mark.thorough
def test_a_file_that_is_taken_away_is_said_and_no_run_is_shown(
    session: Session, said: list, solved: Path, qtbot
) -> None:
    session.open_run(solved)
    solved.unlink()
    qtbot.waitUntil(lambda: session.run is None, timeout=PATIENCE)
    assert "moved or deleted" in said[0][1]
    session.close_run()
    assert session.run_path is None


def test_jobs_that_another_process_queues_are_seen(session: Session, qtbot) -> None:
    session.start()
    qtbot.waitUntil(lambda: session.lane is not None, timeout=PATIENCE)
    with Queue(session.queue_path) as queue:
        number = queue.add(order()).id
        qtbot.waitUntil(lambda: [job.id for job in session.jobs] == [number], timeout=PATIENCE)
        queue.hold("simulated", "for tea")
    qtbot.waitUntil(lambda: session.lane.held, timeout=PATIENCE)
    assert session.lane.reason == "for tea"


@pytest.mark.thorough
def test_of_a_long_queue_only_what_has_changed_is_read(session: Session, monkeypatch, qtbot) -> None:
    read: list[int] = []
    made = database.job_of

    def counted(row):
        job = made(row)
        if threading.current_thread().name == "queue":  # the window's, not the test's own
            read.append(job.id)
        return job

    with Queue(session.queue_path) as queue:
        jobs = queue.add_all([(order(), None)] * 300)
        queue.add(order("other"))
    monkeypatch.setattr(database, "job_of", counted)  # by which every job goes that is read
    session.start()
    qtbot.waitUntil(lambda: len(session.jobs) == 300, timeout=PATIENCE)
    assert sorted(read) == [job.id for job in jobs]

    def change(act: Callable[[Queue], object]) -> list[int]:
        """Let another connection change the queue; return what was read when the window has seen it."""
        read.clear()
        with Queue(session.queue_path) as queue:
            act(queue)
            wanted = queue.jobs("simulated")
            qtbot.waitUntil(lambda: session.jobs == wanted, timeout=PATIENCE)
        return sorted(read)

    first, second, last = jobs[0].id, jobs[1].id, jobs[-1].id
    assert change(lambda queue: queue.skip(last, "not wanted")) == [last]
    assert change(lambda queue: queue.move(second, 1)) == [first, second]
    assert change(lambda queue: queue.remove(first)) == []
    assert change(lambda queue: queue.edit(second, order("other"))) == []
    added = jobs[-1].id + 2
    assert change(lambda queue: queue.add(order())) == [added]
    assert change(lambda queue: queue.edit(second, order())) == [second]
    read.clear()
    with Queue(session.queue_path) as queue:
        queue.hold("simulated", "for tea")
    qtbot.waitUntil(lambda: session.lane.held, timeout=PATIENCE)
    assert read == []


def test_a_queue_that_cannot_be_read_is_said(session: Session, said: list, qtbot) -> None:
    session.queue_path.write_bytes(b"no SQLite, " * 100)
    session.start()
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE)
    assert said[0][0] == "ERROR"
    assert "queue.sqlite" in said[0][1]


@pytest.mark.thorough
def test_what_the_runner_says_is_heard_and_its_job_shown(session: Session, qtbot) -> None:
    heard, states = set(), []
    session.event_heard.connect(lambda event: heard.add(type(event).__name__))
    session.runner_changed.connect(states.append)
    session.start()
    qtbot.waitUntil(lambda: states == [None], timeout=PATIENCE)
    desk = Desk(session.queue_path)
    with running(desk, drain=False):
        qtbot.waitUntil(lambda: session.runner is not None, timeout=PATIENCE)
        desk.add(order(seconds=0.5))
        qtbot.waitUntil(lambda: session.run is not None, timeout=PATIENCE)
        qtbot.waitUntil(lambda: "Ended" in heard, timeout=PATIENCE)
    assert {"Started", "Progress", "JobChanged"} <= heard
    qtbot.waitUntil(lambda: session.runner is None, timeout=PATIENCE)


def test_a_run_that_the_user_opens_stays_until_the_next_job_begins(
    session: Session, solved: Path, tmp_path: Path, qtbot
) -> None:
    live = run_samples.whole_run(tmp_path / "runs" / "live.h5")
    session.start()
    with Queue(session.queue_path) as queue:
        number = queue.add(order()).id
        queue.begin(number, run=live, **LIVING)
        qtbot.waitUntil(lambda: session.run_path == live, timeout=PATIENCE)
        session.open_run(solved)
        queue.hold("simulated", "a change that is none of this run")
        qtbot.waitUntil(lambda: session.lane is not None and session.lane.held, timeout=PATIENCE)
        assert session.run_path == solved
        session.follow_current(True)
        qtbot.waitUntil(lambda: session.run_path == live, timeout=PATIENCE)


def test_nothing_is_followed_that_is_not_wanted(session: Session, tmp_path: Path, qtbot) -> None:
    live = run_samples.whole_run(tmp_path / "runs" / "live.h5")
    session.follow_current(False)
    session.start()
    with Queue(session.queue_path) as queue:
        queue.begin(queue.add(order()).id, run=live, **LIVING)
    qtbot.waitUntil(lambda: len(session.jobs) == 1, timeout=PATIENCE)
    qtbot.wait(100)
    assert session.run_path is None


def test_work_is_done_in_another_thread_and_its_result_comes_back_to_this_one(
    session: Session, qtbot
) -> None:
    where: list[threading.Thread] = []
    session.ask(threading.current_thread, lambda thread: where.extend([thread, threading.current_thread()]))
    qtbot.waitUntil(lambda: len(where) == 2, timeout=PATIENCE)
    assert where[0] is not where[1]
    assert where[1] is threading.current_thread()


def test_what_goes_wrong_in_another_thread_is_said(session: Session, said: list, caplog, qtbot) -> None:
    def refuse() -> None:
        raise InputError("not like this")

    session.ask(refuse)
    session.ask(lambda: 1 // 0)
    qtbot.waitUntil(lambda: len(said) == 2, timeout=PATIENCE)
    assert said[0] == ("ERROR", "not like this")
    assert said[1][0] == "CRITICAL"
    assert "ZeroDivisionError" in said[1][1]


@pytest.mark.thorough
def test_pausing_and_stopping_work_without_a_runner(session: Session, said: list, qtbot) -> None:
    session.start()
    session.command("pause")
    qtbot.waitUntil(lambda: session.lane is not None and session.lane.held, timeout=PATIENCE)
    session.command("resume")
    qtbot.waitUntil(lambda: not session.lane.held, timeout=PATIENCE)
    session.command("abort")
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE)
    assert "no runner serves" in said[0][1]
    assert session.safety.verdict is SafetyVerdict.UNKNOWN
    stop = stop_told(session)
    session.emergency_stop()
    qtbot.waitUntil(lambda: len(stop) == 2, timeout=PATIENCE)
    assert [level for level, _ in stop] == ["CRITICAL", "INFO"]
    assert "not yet confirmed" in stop[0][1]
    assert "is safe, the queue is held" in stop[1][1]
    qtbot.waitUntil(lambda: session.lane.held and not session.lane.unsafe, timeout=PATIENCE)
    qtbot.waitUntil(lambda: session.safety.verdict is SafetyVerdict.SAFE, timeout=PATIENCE)


def test_a_real_bench_with_devices_of_the_same_names_does_not_use_a_simulated_one(
    session: Session, tmp_path: Path, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr(type(platforms.here), "shared_folder", lambda self: tmp_path)
    source = load_bench_file("simulated")
    with Queue(session.queue_path) as queue:
        queue.confirm_safe("simulated", time.time() - 1.0)
    for key in locking._keys(source.bench.instruments):  # as a real one leaves it, later than the read-back
        locking._stamp(locking._digest(key))
    assert locking.last_taken(source) > time.time() - 1.0
    session.start()
    qtbot.waitUntil(lambda: session.lane is not None, timeout=PATIENCE)
    assert session.safety.verdict is SafetyVerdict.SAFE


def stop_told(session: Session) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    session.stop_told.connect(lambda level, text: told.append((level, text)))
    return told


@pytest.mark.thorough
def test_a_stop_of_an_idle_runner_comes_to_its_end(session: Session, said: list, qtbot) -> None:
    """The runner had said "making safe" and never again that it was done."""
    session.start()
    states, stop = [], stop_told(session)
    session.runner_changed.connect(lambda state: states.append(state and state.state))
    with running(Desk(session.queue_path), drain=False):
        qtbot.waitUntil(lambda: session.runner is not None, timeout=PATIENCE)
        assert session.safety.verdict is SafetyVerdict.UNKNOWN  # idle is not safe
        session.emergency_stop()
        qtbot.waitUntil(lambda: session.runner.state == "making safe", timeout=PATIENCE)
        assert session.safety.verdict is SafetyVerdict.UNSAFE
        qtbot.waitUntil(lambda: session.runner.state == "idle" and len(stop) == 2, timeout=PATIENCE)
        assert stop[1][0] == "INFO"
        qtbot.waitUntil(lambda: session.safety.verdict is SafetyVerdict.SAFE, timeout=PATIENCE)
        assert session.lane.held


@pytest.mark.thorough
def test_a_stop_that_cannot_be_confirmed_is_red_on_every_surface(
    session: Session, said: list, tmp_path: Path, qtbot
) -> None:
    with served_bench(tmp_path) as (bench, _):
        pass  # its instruments are gone: nobody answers
    session.set_bench(bench)
    session.start()
    stop = stop_told(session)
    with running(Desk(session.queue_path, bench), drain=False):
        qtbot.waitUntil(lambda: session.runner is not None and session.lane is not None, timeout=PATIENCE)
        session.emergency_stop()
        qtbot.waitUntil(lambda: len(stop) == 2, timeout=PATIENCE)
        assert [level for level, _ in stop] == ["CRITICAL", "CRITICAL"]
        assert "NOT CONFIRMED SAFE" in stop[1][1]
        qtbot.waitUntil(lambda: session.runner.state == "idle" and session.lane.unsafe, timeout=PATIENCE)
        assert session.runner.unsafe
        assert session.safety.verdict is SafetyVerdict.UNSAFE
        assert session.lane.unsafe_reason in session.safety.text


@pytest.mark.thorough
def test_a_runner_that_is_killed_is_said_at_once_and_its_bench_is_not_taken_for_safe(
    session: Session, said: list, qtbot
) -> None:
    desk = Desk(session.queue_path)
    (number,) = desk.add(order(seconds=600.0))
    session.start()
    process = start_runner(desk)
    try:
        qtbot.waitUntil(
            lambda: session.runner is not None and session.runner.stage == "reading", timeout=PATIENCE
        )
        qtbot.waitUntil(lambda: "gate ON" in session.safety.text, timeout=PATIENCE)
        assert session.safety.verdict is SafetyVerdict.LIVE
        process.kill()
        process.wait(10)
        qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE)
        level, text = said[-1]
        assert level == "CRITICAL"
        assert f"(process {process.pid}) is gone while job {number} was running" in text
        assert "gate ON" in text
        # Until the system has been asked whether its runner lives, which it is now and then, the bench is called live.
        assert session.safety.verdict in (SafetyVerdict.LIVE, SafetyVerdict.UNSAFE)
        qtbot.waitUntil(lambda: session.safety.verdict is SafetyVerdict.UNSAFE, timeout=PATIENCE)
        assert f"job {number} was left by a runner that is gone: " in session.safety.text
        with running(desk):
            pass  # settles what was left
        qtbot.waitUntil(lambda: session.safety.verdict is SafetyVerdict.SAFE, timeout=PATIENCE)
        assert session.safety.text.startswith("every output off since ")
    finally:
        process.kill()


@pytest.mark.thorough
def test_a_window_for_which_no_seat_is_left_asks_the_runner_and_says_why(
    session: Session, said: list, qtbot
) -> None:
    panel, bar = QueuePanel(session), CommandBar(session)
    for widget in (panel, bar):
        qtbot.addWidget(widget)
    desk = Desk(session.queue_path)
    with running(desk, drain=False) as runner, ExitStack() as watchers:
        eventually(lambda: runner._presence._server)
        for _ in range(WATCHERS):
            watchers.enter_context(desk.client.watch()).receive(5.0)
        session.start()
        qtbot.waitUntil(lambda: session.runner is not None, timeout=PATIENCE)
        assert session.runner.state == "idle"
        assert [text.partition(",")[0] for _, text in said] == [
            f"a runner serves this bench (process {os.getpid()})"
        ]
        assert "no runner" not in panel.standing.text() + bar.standing.text()
        assert panel.start.isHidden()
        desk.change(lambda queue: queue.hold("simulated", "for tea"))
        qtbot.waitUntil(lambda: session.runner.held, timeout=PATIENCE)  # it is asked again and again
        watchers.close()
        desk.add(order())
        desk.change(lambda queue: queue.release("simulated"))
        qtbot.waitUntil(lambda: [job.status for job in session.jobs] == ["finished"], timeout=PATIENCE)
    qtbot.waitUntil(lambda: session.runner is None, timeout=PATIENCE)
    assert "no runner serves" in panel.standing.text()


def test_a_runner_that_does_not_answer_is_not_taken_for_none(session: Session, said: list, qtbot) -> None:
    panel, bar = QueuePanel(session), CommandBar(session)
    for widget in (panel, bar):
        qtbot.addWidget(widget)
    place = Rendezvous(session.queue_path, "simulated")
    place.prepare()
    with place.listen() as listener:
        place.publish(listener)  # of this process, which does not listen any more
    session.start()
    qtbot.waitUntil(lambda: bool(session.silent), timeout=PATIENCE)
    assert f"(process {os.getpid()}) does not answer" in panel.standing.text()
    assert "the runner is not heard" in bar.standing.text()
    assert panel.start.isHidden()
    assert [level for level, _ in said] == ["WARNING"]
    place.withdraw()
    qtbot.waitUntil(lambda: not session.silent, timeout=PATIENCE)
    assert "no runner serves" in panel.standing.text()


def test_a_bench_that_is_not_there_is_said_by_stop_and_by_the_runner(
    session: Session, said: list, qtbot
) -> None:
    session.set_bench("nowhere.toml")
    stop = stop_told(session)
    session.emergency_stop()
    qtbot.waitUntil(lambda: len(stop) == 2, timeout=PATIENCE)
    assert stop[1][0] == "CRITICAL"
    assert "NOT CONFIRMED SAFE" in stop[1][1]
    assert "nowhere.toml" in stop[1][1]
    assert session.safety.verdict is SafetyVerdict.UNKNOWN


@pytest.mark.thorough
def test_a_runner_that_ends_at_once_is_said_in_its_own_words(session: Session, said: list, qtbot) -> None:
    session.queue_path.write_bytes(b"no SQLite, " * 100)
    session.ensure_runner()
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE)
    assert said[0][0] == "ERROR"
    assert "ended at once: queue" in said[0][1]
    assert "queue.sqlite" in said[0][1]


def test_another_bench_has_its_own_jobs(session: Session, qtbot) -> None:
    session.start()
    with Queue(session.queue_path) as queue:
        queue.add(order())
    qtbot.waitUntil(lambda: len(session.jobs) == 1, timeout=PATIENCE)
    session.set_bench("other")
    qtbot.waitUntil(lambda: session.jobs == [], timeout=PATIENCE)


def test_a_closed_session_hears_nothing_more(session: Session, qtbot) -> None:
    told: list[int] = []
    began, go_on = threading.Event(), threading.Event()

    def work() -> int:
        began.set()
        go_on.wait(10)
        return 1

    session.ask(work, told.append)
    qtbot.waitUntil(began.is_set, timeout=PATIENCE)
    session.close()
    go_on.set()
    qtbot.wait(100)
    assert told == []


def test_errands_whose_window_was_deleted_under_them_begin_and_bring_nothing(qtbot) -> None:
    """As when a window goes without being closed while a thread is at work for it."""
    going, brought = threading.Event(), []
    background = TaskThread("tested")
    background.ask_at_once(lambda: going.wait(10), brought.append)
    background.ask(lambda: brought.append("begun"))
    Shiboken.delete(background)
    background.ask(lambda: brought.append("begun"))
    background.tell(lambda: brought.append("brought"))
    going.set()
    eventually(lambda: not any(thread.name == "errand" for thread in threading.enumerate()))
    qtbot.wait(20)
    background.close()
    assert brought == []


@pytest.mark.parametrize("way", ["closed", "deleted"])
def test_what_a_task_has_opened_is_closed_by_its_thread_after_it(qtbot, way) -> None:
    """A window's files can be removed when it is gone, and a database takes nothing from another thread."""
    background, begun, over, order = TaskThread("tested"), threading.Event(), threading.Event(), []

    def work() -> None:
        background.opened.callback(lambda: order.append(threading.current_thread().name))
        begun.set()
        over.wait(PATIENCE)
        order.append("done")

    background.ask(work)
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE)
    Shiboken.delete(background) if way == "deleted" else background.close(patience=0.01)
    assert order == []
    over.set()
    eventually(lambda: order == ["done", "tested_0"])
    background.close()


class Dropped(QObject):
    """Garbage once nobody has it: it is part of a cycle. It notes which thread frees it."""

    def __init__(self, threads: list[int]) -> None:
        super().__init__()
        self.itself, self.threads = self, threads

    def __del__(self) -> None:
        self.threads.append(threading.get_ident())


def test_garbage_is_freed_by_the_window_s_thread_whoever_makes_more_of_it(qtbot, monkeypatch) -> None:
    """A widget that another thread frees brings the program down."""
    monkeypatch.setattr(task_thread, "GARBAGE", 0.3)
    background, brought, threads = TaskThread("tested"), [], []
    Dropped(threads)
    background.ask(lambda: len([[] for _ in range(10 * gc.get_threshold()[0])]), brought.append)
    qtbot.waitUntil(lambda: bool(brought), timeout=PATIENCE)
    qtbot.waitUntil(lambda: bool(threads), timeout=PATIENCE)
    assert threads == [threading.get_ident()]
    assert not gc.isenabled()
    background.close()


def test_garbage_is_collected_by_itself_after_the_last_window(qtbot) -> None:
    """Of which some are closed, others deleted, and some both."""
    before = task_thread._collector._threads
    closed, deleted, both = (TaskThread("tested") for _ in range(3))
    closed.close()
    closed.close()
    Shiboken.delete(deleted)
    assert not gc.isenabled()
    both.close()
    Shiboken.delete(both)
    assert task_thread._collector._threads == before
    qtbot.waitUntil(lambda: gc.isenabled() == (not before), timeout=PATIENCE)


@pytest.fixture
def no_other_window(monkeypatch, qtbot):
    """As if none were open, and the last one had been closed for long."""
    qtbot.wait(2 * task_thread.IDLE)
    was_on = gc.isenabled()
    monkeypatch.setattr(task_thread, "_collector", task_thread._Collector())
    yield
    (gc.enable if was_on else gc.disable)()


@pytest.mark.usefixtures("no_other_window")
@pytest.mark.parametrize("way", ["closed", "deleted", "errand"])
def test_garbage_is_left_alone_until_the_last_task_of_a_closed_window_has_ended(qtbot, way) -> None:
    background, begun, over, seen = TaskThread("tested"), threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        over.wait(PATIENCE)
        seen.append(gc.isenabled())

    (background.ask_at_once if way == "errand" else background.ask)(work)
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE)
    Shiboken.delete(background) if way == "deleted" else background.close(patience=0.01)
    qtbot.wait(2 * task_thread.IDLE)
    assert not gc.isenabled()
    over.set()
    qtbot.waitUntil(gc.isenabled, timeout=PATIENCE)
    assert seen == [False]


@pytest.mark.usefixtures("no_other_window")
def test_a_window_that_waits_for_its_task_lets_python_collect_garbage_again(qtbot) -> None:
    """Without an event loop, which may have ended with it."""
    background, begun, over = TaskThread("tested"), threading.Event(), threading.Event()
    background.ask(lambda: (begun.set(), over.wait(PATIENCE)))
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE)
    threading.Timer(0.1, over.set).start()
    background.close()
    assert gc.isenabled()


def test_results_may_be_fetched_while_another_is_delivered(qtbot) -> None:
    """As by a dialog that is shown for the first, and for which more is asked."""
    background, brought = TaskThread("tested"), []

    def show() -> None:
        background.ask(lambda: None)
        qtbot.waitUntil(lambda: bool(brought), timeout=PATIENCE)

    background.tell(show)
    background.tell(lambda: brought.append(1))
    with qtbot.capture_exceptions() as caught:
        qtbot.waitUntil(lambda: bool(brought), timeout=PATIENCE)
        qtbot.wait(task_thread.BUSY)
    assert not caught
    background.close()


def test_nothing_listens_on_for_a_session_that_was_deleted(tmp_path: Path, qtbot) -> None:
    before = {*threading.enumerate()}
    session = Session(tmp_path)
    session.start()
    Shiboken.delete(session)
    qtbot.waitUntil(lambda: before >= {*threading.enumerate()}, timeout=PATIENCE)


@pytest.mark.thorough
def test_windows_may_go_at_any_moment_of_what_is_brought_to_them(qtbot) -> None:
    for _ in range(10):
        background, over = TaskThread("tested"), threading.Event()

        def bring(background: TaskThread = background, over: threading.Event = over) -> None:
            while not over.is_set():
                background.tell(lambda: None)

        threads = [threading.Thread(target=bring) for _ in range(2)]
        for thread in threads:
            thread.start()
        qtbot.wait(1)
        Shiboken.delete(background)
        over.set()
        for thread in threads:
            thread.join()
