"""The session that all panels share: the shown run, the queue, the runner, and the signals about them.

Panels are independent of each other. Each is created with the session, receives its signals, and calls its methods.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from mho.errors import MhoError, RunFileError
from mho.gui.session.actions import Action, Actions
from mho.gui.session.bench_safety import SafetyRecord, SafetyVerdict, Use, safety_topic, say_runner_gone
from mho.gui.session.loading import load, load_procedures
from mho.gui.session.queue_listener import QueueListener, RunnerListener, WatchRefused
from mho.gui.session.runner_commands import Command, act_by_hand, carry_out, end_by_hand, start_runner
from mho.gui.session.task_thread import Refused, TaskThread, Then
from mho.running import queue as job_queue
from mho.running import runner as runners
from mho.runs import GOING_ON

if TYPE_CHECKING:
    from mho.gui.session.file_follower import RunFollower
    from mho.runs import RunFile

LOOK_PERIOD = 100
"""Interval of updates while the run lasts, ms."""

REST_PERIOD = 1000
"""Interval of updates of a file whose run is over, or which cannot be read, ms."""


class ShownRun(QObject):
    """One run file at a time, of which the session's signals `run_opened` and `run_news` tell.

    Attributes
    ----------
    run : RunFile or None
        The open file.
    path : Path or None
        Its path; also while it cannot be read.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.run: RunFile | None = None
        self.path: Path | None = None
        self._session = session
        self._follower: RunFollower | None = None
        self._trouble = ""
        self._looking = QTimer(self, singleShot=True)
        self._looking.timeout.connect(self._look)

    def open(self, path: str | os.PathLike[str]) -> None:
        """Show the file at `path` now."""
        self._leave_file()
        self.path, self._trouble = Path(path).resolve(), ""
        self._look()

    def open_soon(self, path: Path) -> None:
        """Open the file at `path` in another thread and show it, unless another file is requested meanwhile."""
        before = self.path

        def then(follower: RunFollower) -> None:
            if self.path != before:
                follower.close()
                return
            self._leave_file()
            self.path, self._trouble = path, ""
            self._take(follower)
            self._looking.start(0)  # its contents a moment later: the panels have enough to do with the file

        def refused(error: str) -> None:
            if self.path == before:
                self.path = path
                self._give_up(error)

        self._session.ask(lambda: _follower(path), then, refused)

    def close(self) -> None:
        """Show none."""
        self.stop()
        self._session.run_opened.emit(None)

    def stop(self) -> None:
        """Close the file, and send no more signals."""
        self._looking.stop()
        self.path = None
        self._leave_file()

    def _look(self) -> None:
        """Open the file if it is not open, and pass on what has come since the last look."""
        if self.path is None:
            return
        try:
            if self._follower is None:
                self._take(_follower(self.path))
            assert self._follower is not None
            news = self._follower.look()
            self._looking.start(LOOK_PERIOD if news.status in GOING_ON else REST_PERIOD)
            self._session.run_news.emit(news)
        except RunFileError as error:
            self._give_up(str(error))

    def _take(self, follower: RunFollower) -> None:
        self._follower, self.run = follower, follower.run
        self._session.run_opened.emit(self.run)

    def _give_up(self, error: str) -> None:
        """Report the error once and retry after a pause, in another thread, since a damaged file takes long."""
        if self._follower is not None:
            self._leave_file()
            self._session.run_opened.emit(None)
        if error != self._trouble:
            self._session.tell("ERROR", error)
        self._trouble = error
        QTimer.singleShot(REST_PERIOD, self, partial(self._try_again, self.path))

    def _try_again(self, path: Path | None) -> None:
        if path is not None and self.path == path and self._follower is None:
            self.open_soon(path)

    def _leave_file(self) -> None:
        if self._follower is not None:
            self._follower.close()
        self._follower = self.run = None


def _after_loading(work: Callable[[], Any]) -> Any:
    load_procedures()
    return work()


def _follower(path: Path) -> RunFollower:
    from mho.gui.session.file_follower import (
        RunFollower,  # and with it HDF5, which an empty window does not need
    )

    return RunFollower(path)


HEAR_PERIOD = 40  # ms between two times at which what the runner said is passed on
HEARD_AT_ONCE = 200  # events; a runner that says more has some of them shown later


class Session(QObject):
    """The state that all panels share; for the window's thread only.

    Parameters
    ----------
    folder : Path
        Where the run files and the queue are.
    bench : str
        Packaged name or bench file.
    parent : QObject, optional

    Attributes
    ----------
    folder, queue_path : Path
    bench : str
    jobs : list of Job
        Of this bench, as `mho.running.queue.Queue.jobs` orders them.
    lane : Lane or None
        The state of the bench's queue; None before it was read.
    runner : RunnerState or None
        The state of the runner; None without one, and when it is not known.
    heard : bool
        Whether it is known if there is a runner.
    silent : str
        Why the state of an existing runner is not known; empty otherwise.
    safety : bench_safety.Safety
        Whether the bench is safe, and from which source.
    actions : actions.Actions
        What is done with run files in the background.
    cells : tuple of str
        Array, rows and columns of the cells that were selected last; empty texts before any were.

    Signals
    -------
    run_opened(RunFile or None)
        Another run is shown; `run_news` with all there is follows.
    run_news(file_follower.News)
        The shown run has grown, or ended.
    jobs_changed(list of Job), lane_changed(Lane), runner_changed(RunnerState or None)
    event_heard(event of procedures.stream)
        The running job's events, see `mho.running.runner.messages.Event`.
    cells_selected(array, rows, columns)
        Texts as `mho.procedures.cell_range.parse_lines` takes them.
    message(level, text, topic)
        A message for the user; `level` as in `logging`; `topic` is empty, or `mho.gui.session.bench_safety.safety_topic`.
    form_wanted(procedure, parameters)
        The user wants to run this: a name, and values by parameter.
    edit_wanted(Job)
        The user wants to change this waiting job.
    runs_planned(list of Order)
        The user wants to append these to the plan.
    plan_wanted(path)
        The user wants to see the plan in this file.
    bench_changed(bench)
        Another bench was chosen; all facts about the one before are void.
    safety_changed(Safety)
    confirmed_safe(bench)
        Every output of a bench was read back as off; earlier warnings about it are withdrawn.
    stop_told(level, text)
        The progress of the requested emergency stop: CRITICAL until it is confirmed, then INFO.
    act_changed(procedures.stream.ActChanged or None)
        An act of the session by hand was asked for (None), has begun, or is over.
    release_asked(Job, why)
        The session by hand that another window has opened is to end, for what `why` says: the user is to be asked.
    """

    run_opened = Signal(object)
    run_news = Signal(object)
    jobs_changed = Signal(object)
    lane_changed = Signal(object)
    runner_changed = Signal(object)
    event_heard = Signal(object)
    cells_selected = Signal(str, str, str)
    message = Signal(str, str, str)
    form_wanted = Signal(str, object)
    edit_wanted = Signal(object)
    runs_planned = Signal(object)
    plan_wanted = Signal(str)
    bench_changed = Signal(str)
    safety_changed = Signal(object)
    confirmed_safe = Signal(str)
    stop_told = Signal(str, str)
    act_changed = Signal(object)
    release_asked = Signal(object, str)

    def __init__(self, folder: Path, bench: str = "simulated", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = Path(folder).resolve()
        self.queue_path = self.folder / "queue.sqlite"
        self.bench = bench
        self.jobs: list[job_queue.Job] = []
        self.lane: job_queue.Lane | None = None
        self.runner: runners.RunnerState | None = None
        self.silent = self._refused = ""
        self.heard = False
        self._record = SafetyRecord()
        self.safety = self._record.safety()
        self.conditions: Callable[[], Mapping[str, Any]] = dict
        """Fields of an order beside procedure and parameters with which a session by hand is opened."""
        self.acting = ""  # what is being done by hand
        self._wanted = self._unsent = 0  # acts that were asked for and are not over; that no session has yet
        self._opened: int | None = None  # the session by hand that this window has opened, as a job
        self._acts_in: int | None = None  # the one that has its acts
        self.acted: set[Path] = set()  # run files of the acts of one session by hand
        self._acted_in: int | None = None  # the job of that session
        self._following = True
        self._followed: Path | None = None  # the last run file of the runner that was to be shown
        self.actions = Actions(self.folder, self)
        self.actions.ended.connect(self._tell_action)
        self.cells = ("", "", "")
        self.cells_selected.connect(self._keep_cells)
        self._tasks = TaskThread("background", self, self.tell)
        self._acts = TaskThread("acts by hand", self, self.tell)  # in their order
        self._shown = ShownRun(self)
        self._hearing = QTimer(self)
        self._hearing.timeout.connect(self._hear)
        self._queue_listener: QueueListener | None = None
        self._runner_listener: RunnerListener | None = None

    # --- life ---

    def start(self) -> None:
        """Start listening to the queue and the runner."""
        bench = self.bench

        def changed(jobs: list[job_queue.Job], lane: job_queue.Lane, use: Use) -> None:
            self._tasks.tell(lambda: self._take_jobs(bench, jobs, lane, use))

        def failed(error: MhoError) -> None:
            self._tasks.tell(lambda: self.tell("ERROR", str(error)))

        self._queue_listener = QueueListener(self.queue_path, bench, changed, failed)
        self._runner_listener = RunnerListener(self.queue_path, self.bench)
        over = self._queue_listener.close, self._runner_listener.close
        self.destroyed.connect(lambda: [close() for close in over])  # also without `close`
        self._hearing.start(HEAR_PERIOD)

    def close(self) -> None:
        """Stop listening; the runner and its job go on, but for a session by hand of this window, whose hand is gone."""
        if self.listens and (held := self.by_hand) is not None and held.id == self._opened:
            end_by_hand(self.queue_path, self.bench, held.id)
        self._stop_listening()
        self._shown.stop()
        self.actions.close()
        self._tasks.close(0.0)
        self._acts.close(0.0)

    @property
    def listens(self) -> bool:
        """Whether it was started."""
        return self._queue_listener is not None

    def set_bench(self, bench: str) -> None:
        """Turn to another bench's queue and runner."""
        listening = self.listens
        self._stop_listening()
        self.bench, self._followed = bench, None
        self.jobs, self.lane, self.runner = [], None, None
        self.silent = self._refused = ""
        self.heard = False
        self.acting, self._wanted, self._unsent, self.acted = "", 0, 0, set()
        self._opened = self._acts_in = self._acted_in = None
        self._record = SafetyRecord()
        self.jobs_changed.emit([])
        self.runner_changed.emit(None)
        self.bench_changed.emit(bench)
        self._assess()
        if listening:
            self.start()

    def _stop_listening(self) -> None:
        self._hearing.stop()
        for listener in (self._queue_listener, self._runner_listener):
            if listener is not None:
                listener.close()
        self._queue_listener = self._runner_listener = None

    # --- the run that is shown ---

    @property
    def run(self) -> RunFile | None:
        """The shown run file."""
        return self._shown.run

    @property
    def run_path(self) -> Path | None:
        """Its path; also while it cannot be read."""
        return self._shown.path

    def open_run(self, path: str | os.PathLike[str]) -> None:
        """Show the run file at `path`; if it cannot be read, say why, and show it as soon as it can."""
        self._shown.open(path)

    def close_run(self) -> None:
        """Show no run."""
        self._shown.close()

    def follow_current(self, follow: bool) -> None:
        """Show the running job's file, now and whenever another job begins; with False, the user chooses."""
        self._following = follow
        if follow:
            self._followed = None
            self._follow(self.jobs)

    @property
    def follows(self) -> bool:
        """Whether the running job's file is shown as it begins."""
        return self._following

    def _follow(self, jobs: list[job_queue.Job]) -> None:
        """Show the run file of the job that runs, when it is there for the first time; of a session by hand its acts."""
        running = (job for job in jobs if job.status in ("running", "paused"))
        current = next((job.run for job in running if job.order.procedure != job_queue.BY_HAND), None)
        if self._following and current is not None and current != self._followed and current.exists():
            self._followed = current
            self._shown.open_soon(current)

    # --- what is to be done ---

    def tell(self, level: str, text: str, topic: str = "") -> None:
        """Show a message to the user; `level` and `topic` as of the signal `message`."""
        self.message.emit(level, text, topic)

    @contextmanager
    def reporting_damage(self, level: str = "ERROR") -> Iterator[None]:
        """Show what is wrong with a run file that is read within, and go on behind it."""
        try:
            yield
        except RunFileError as error:
            self.tell(level, str(error))

    def command(self, name: Command, job: int | None = None) -> None:
        """Send a command to the runner, and show its refusal. Without a runner the queue is held or released."""
        bench = self.bench
        self._ask_at_once(lambda: carry_out(name, self.queue_path, bench, job))

    def emergency_stop(self) -> None:
        """Break off the running job at once, make the bench safe, and hold the queue; `stop_told` reports the outcome."""
        bench = self.bench
        self.stop_told.emit("CRITICAL", f"emergency stop of bench {bench}: asked for, not yet confirmed…")
        self._ask_at_once(
            lambda: runners.emergency_stop(self.queue_path, bench),
            partial(self._take_confirmation, bench),
            partial(self.stop_told.emit, "CRITICAL"),
        )

    def _take_confirmation(self, bench: str, text: str) -> None:
        self.confirmed_safe.emit(bench)
        self.stop_told.emit("INFO", text)  # the queue notes when it was confirmed

    def take_findings(self, bench: str, findings: list[dict[str, Any]]) -> None:
        """Store the findings of *Check bench* on `bench`."""
        if bench == self.bench:
            self._record.take_findings(findings, datetime.now())
            self._assess()

    def ensure_runner(self) -> None:
        """Start a runner for the bench, as a process that outlives the window, unless there is one."""

        def then(said: tuple[str, str] | None) -> None:
            if said is not None:
                self.tell(*said)

        self._ask_at_once(lambda: start_runner(self.queue_path, self.bench), then)

    @property
    def by_hand(self) -> job_queue.Job | None:
        """The bench's running job where it is a session by hand."""
        number = None if self.job is None else self.job[0]
        sessions = (job for job in self.jobs if job.order.procedure == job_queue.BY_HAND)
        return next((job for job in sessions if job.id == number), None)

    @property
    def held_by_hand(self) -> bool:
        """Whether there is such a session."""
        return self.by_hand is not None

    def act(self, procedure: str, parameters: Mapping[str, Any], instrument: str = "") -> None:
        """Carry out a procedure at once on the bench, in a session by hand, which is opened if there is none.

        With an instrument's role it is a touch of it, and the parameters are its values.
        """
        path, bench = self.queue_path, self.bench
        order = job_queue.Order(job_queue.BY_HAND, {}, bench, folder=Path.cwd(), **self.conditions())
        self._wanted += 1
        self._unsent += 1
        self.acting = self.acting or f"{instrument} {procedure}".strip()
        self.act_changed.emit(None)

        def then(sent: tuple[int, bool]) -> None:
            self._unsent = max(self._unsent - 1, 0)
            self._acts_in, is_new = sent
            if is_new:
                self._opened = self._acts_in
                self.tell("INFO", f"the bench is held by hand, as job {self._opened}")
            self._settle_acts()

        def refused(error: str) -> None:
            self._unsent = max(self._unsent - 1, 0)
            self._end_act()
            self.tell("ERROR", error)

        def ensure() -> None:
            start_runner(path, bench)

        self._acts.ask(
            partial(
                _after_loading,
                lambda: act_by_hand(path, order, (procedure, parameters, instrument), ensure),
            ),
            then,
            refused,
        )

    def end_by_hand(self, why: str = "") -> None:
        """End the session by hand, if there is one, for what `why` says; of another window's the user is asked first."""
        held = self.by_hand
        if held is not None and held.id == self._opened:
            self._opened = None  # nothing is to be told of its end
            self.release(held.id)
        elif held is not None:
            self.release_asked.emit(held, why)

    def release(self, job: int, by: str = "") -> None:
        """End the session by hand that is a job; `by`: who ends another window's, and for what."""
        path, bench = self.queue_path, self.bench
        self._ask_at_once(lambda: end_by_hand(path, bench, job, by))

    def _end_act(self) -> None:
        self._wanted = max(self._wanted - 1, 0)
        if not self._wanted:
            self.acting = ""
        self.act_changed.emit(None)

    def _settle_acts(self) -> None:
        """Forget the acts of a session that is over: it says no more of them. Tell how this window's own has ended."""
        over = {job.id: job for job in self.jobs if job.status in job_queue.ENDED}
        if self._acts_in in over:
            self._acts_in, self._wanted = None, self._unsent
            if not self._wanted:
                self.acting = ""
            self.act_changed.emit(None)
        if self._opened is not None and (own := over.get(self._opened)) is not None:
            self._opened = None
            self.tell("WARNING", f"the session by hand, job {own.id}, has ended: {own.outcome or own.status}")

    def _take_act(self, event: Any) -> None:
        """Follow an act of the session by hand: its run is shown, and how it ended is said."""
        self.act_changed.emit(event)
        if not event.outcome:
            self.acting = event.title
            if event.path == Path():
                return  # a touch has no run file of its own
            number = None if self.job is None else self.job[0]
            self.acted = {event.path, *(self.acted if number == self._acted_in else ())}
            self._acted_in = number
            # What the user has done is shown whatever was looked at before: acts are on that chip
            if (self._following or self._wanted) and event.path.exists():
                self._shown.open_soon(event.path)
            return
        self.tell("ERROR" if event.failed else "INFO", f"{event.title}: {event.outcome}")
        self._end_act()

    def _keep_cells(self, array: str, rows: str, columns: str) -> None:
        self.cells = array, rows, columns

    def _tell_action(self, action: Action) -> None:
        """Say how an action has ended."""
        doubtful = action.state in ("not in order", "not converged")
        level = "ERROR" if action.state == "failed" else "WARNING" if doubtful else "INFO"
        self.tell(level, f"{action.title} {action.state}: {action.said}".removesuffix(": "))

    def change_queue(
        self, act: Callable[[job_queue.Queue], Any], then: Then | None = None, refused: Refused | None = None
    ) -> None:
        """Run `act` on the queue in another thread; `then` and `refused` as of `ask`."""

        def work() -> Any:
            with job_queue.Queue(self.queue_path) as queue:
                return act(queue)

        self.ask(work, then, refused)

    def ask(self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None) -> None:
        """Run `work`, which must not use objects of the window, in turn in the shared background thread.

        In this thread, `then` gets its result, and `refused` the text of its error, which is else shown as a message.
        """
        self._tasks.ask(partial(_after_loading, work), then, refused)

    def _ask_at_once(
        self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None
    ) -> None:
        self._tasks.ask_at_once(partial(_after_loading, work), then, refused)

    def load(self, module: str, then: Callable[[], None]) -> None:
        """Import `module` in a thread of its own, and call `then` in this one; it fails again where it is used."""

        def work() -> None:
            with suppress(Exception):  # a package's module may raise anything
                load(module)

        # At the next turn of the event loop: the window is shown first.
        QTimer.singleShot(0, self, lambda: self._ask_at_once(work, lambda _: then()))

    # --- what comes in from threads ---

    def _take_jobs(self, bench: str, jobs: list[job_queue.Job], lane: job_queue.Lane, use: Use) -> None:
        if bench != self.bench:
            return  # read a moment before the window turned to another
        self._record.take_lane(lane)
        self._record.take_jobs(jobs, use)
        self.jobs = jobs
        self._settle_acts()
        self.jobs_changed.emit(jobs)
        if lane != self.lane:
            self.lane = lane
            self.lane_changed.emit(lane)
        self._assess()
        self._follow(jobs)

    @property
    def job(self) -> tuple[int, str] | None:
        """Number and status of the running job, by its runner or else by the queue."""
        if self.runner is not None and self.runner.job is not None:
            return self.runner.job, str(self.runner.state)
        active = (job for job in self.jobs if job.status in ("running", "paused"))
        return next(((job.id, str(job.status)) for job in active), None)

    def _take_runner(self, state: runners.RunnerState | None, refused: str = "") -> None:
        """Store the runner's state, and why it refuses to be watched; both are empty when there is no runner."""
        before, self.runner = self.runner, state
        self.heard = True
        gone = state is None and not refused
        self.silent = refused if state is None else ""
        self._record.take_runner(state, datetime.now(), gone=gone)
        if gone and before is not None:
            waiting = sum(job.status == "queued" for job in self.jobs)
            level, text = say_runner_gone(before, self._record.outputs, waiting)
            self.tell(level, text, safety_topic(self.bench) if level == "CRITICAL" else "")
        if refused and refused != self._refused:
            self.tell("WARNING", refused)
        self._refused = refused

    def _assess(self) -> None:
        """Signal the safety of the bench when it has changed."""
        safety = self._record.safety()
        if safety != self.safety:
            self.safety = safety
            self.safety_changed.emit(safety)
            if safety.verdict is SafetyVerdict.SAFE:
                self.confirmed_safe.emit(self.bench)

    def _hear(self) -> None:
        if self._runner_listener is None:
            return
        self._follow(self.jobs)  # whose file may not have been there when the queue named it
        is_news = False
        for event in self._runner_listener.take(HEARD_AT_ONCE):
            if isinstance(event, WatchRefused):
                self._take_runner(event.state, event.reason)
                is_news = True
            elif event is None or type(event).__name__ == "RunnerState":
                self._take_runner(event)  # type: ignore[arg-type]
                is_news = True
            elif type(event).__name__ == "ActChanged":
                self._take_act(event)
            else:
                self._record.take_event(event, datetime.now())
                self.event_heard.emit(event)
        if is_news:
            self.runner_changed.emit(self.runner)
        self._assess()
