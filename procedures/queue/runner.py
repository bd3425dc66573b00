"""The runner of one bench: takes job after job from the queue, each into a process of its own, and looks after them."""

from __future__ import annotations

import logging
import os
import queue
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from mho_errors import MhoError, QueueError
from procedures import stream
from procedures.origin import bench_key
from procedures.queue.child import Child, ChildEnded, ChildSaid, Grace
from procedures.queue.control import Asked
from procedures.queue.job import ACTIVE, Job, JobStatus
from procedures.queue.leftovers import wait_for_worker
from procedures.queue.meeting import MeetingPlace
from procedures.queue.messages import (
    Assignment,
    Command,
    Done,
    Event,
    JobChanged,
    QueueChanged,
    Request,
    RunnerState,
    Safing,
    State,
)
from procedures.queue.ordering import next_run_path, run_before
from procedures.queue.outcome import Outcome, found, told
from procedures.queue.pace import Pace
from procedures.queue.policy import Policy, decide
from procedures.queue.presence import EndAsked, Presence
from procedures.queue.store import GO_ON, Queue
from runs import Status

LOOK = 0.2  # s between looks into the queue, which other processes change
EMERGENCY = "emergency stop"
GRACE = Grace()

log = logging.getLogger(__name__)


class Runner:
    """The runner of one bench; `serve` does the work, in the thread that made it.

    Parameters
    ----------
    path : Path
        The queue's file.
    bench : str
        Packaged name or bench file; only jobs for it are taken.
    grace : Grace
    listeners : sequence of callables
        Called with all that is announced, in this thread.
    """

    def __init__(
        self,
        path: Path,
        bench: str = "simulated",
        *,
        grace: Grace = GRACE,
        listeners: Sequence[Callable[[Event], None]] = (),
    ) -> None:
        self.bench = bench_key(bench)
        self._queue = Queue(path)
        self._presence = Presence(MeetingPlace(self._queue.path, self.bench), self.bench, listeners)
        self._grace = grace
        self._worker: Child | None = None  # while it has a job
        self._job: Job | None = None
        self._pace = Pace()
        self._state: State = "idle"
        self._ending = ""
        self._safing_asked = False
        self._look_at = 0.0

    # --- life ---

    def serve(self, *, drain: bool = False, once: bool = False) -> str:
        """Run jobs until a signal says to end; return why the queue is held, or an empty text.

        Parameters
        ----------
        drain : bool
            End when no job waits any more, or the queue is held.
        once : bool
            End after one job as well.

        Raises
        ------
        QueueError
            Another runner serves this queue and bench, or the queue cannot be used.
        """
        with closing(self._queue), self._presence:
            try:
                self._settle_leftovers()
                self._presence.announce(self.state())
                while not self._ending:
                    if self._safing_asked:
                        self._safing_asked = False
                        self._make_safe()
                    job = self._next()
                    if job is not None:
                        self._carry_out(job)
                        if once:
                            break
                    elif drain or once:
                        break
                    else:
                        self._attend()
                return self._queue.lane(self.bench).reason
            finally:
                if self._worker is not None:  # the queue failed us: nobody looks after it any more
                    self._worker.hang_up()

    def end(self, reason: str) -> None:
        """Ask `serve` to abort its job and return; again, not to wait for a safe point. From anywhere at any time."""
        self._presence.end(reason)

    # --- jobs ---

    def _next(self) -> Job | None:
        """Return the job to run now: none while the queue is held or the bench is not safe."""
        lane = self._queue.lane(self.bench)
        if lane.held:
            return None
        if lane.unsafe and not self._make_safe():
            return None
        return self._queue.next(self.bench)

    def _carry_out(self, job: Job) -> None:
        """Run one job from its beginning to the decision what follows on it."""
        run, after, trouble = None, None, ""
        try:
            after = run_before(job.order, self._queue)
            run = next_run_path(job, self._queue.path.parent)
        except MhoError as error:
            trouble = f"{type(error).__name__}: {error}"
        # A worker begins when it is told to. Were we killed before that it would have nothing to do; killed after
        # it, the queue knows of both, and of the run file.
        worker = Child(self._presence.inbox)
        begun = self._queue.begin(job.id, run=run, worker=worker.pid, worker_started=worker.started)
        if begun is None or run is None:  # taken out of the line a moment ago, or it cannot be
            worker.hang_up()
            if begun is not None:
                self._settle(begun, Outcome(JobStatus.FAILED, trouble, safe=True))
            return
        self._job, self._worker, self._pace, self._state = begun, worker, Pace(job.estimate), "running"
        worker.tell(Assignment(job.order, run, job.id, begun.attempts, job.resume_of, after))
        self._tell_job(job.id)
        self._wait_for(worker)
        self._worker = None
        done = worker.done
        self._settle(begun, told(done) if done else found(run, worker.how_it_ended(), worker.asked))
        self._job, self._state = None, "idle"
        self._presence.announce(self.state())

    def _settle(self, job: Job, outcome: Outcome) -> None:
        """See to a safe bench first, then note how the job ended and what follows: a crash in between repeats both."""
        if not outcome.safe:
            self._make_safe()
        decision = GO_ON if outcome.asked else decide(self._policy, outcome.status, job.attempts)
        self._queue.end(
            job.id, outcome.status, outcome.reason, decision, seconds=outcome.seconds, pulses=outcome.pulses
        )
        self._tell_job(job.id)
        if decision.hold:
            self._say("ERROR", f"the queue of {self.bench} is held: {self._queue.lane(self.bench).reason}")

    @property
    def _policy(self) -> Policy:
        return self._queue.lane(self.bench).policy

    def _settle_leftovers(self) -> None:
        """Settle what a runner that was killed left behind, before anything else."""
        for job in self._queue.jobs(self.bench, ACTIVE):
            self._say("WARNING", f"job {job.id} was left by a runner that is gone")
            end = wait_for_worker(job, self._grace.orphan, self._attend)
            self._settle(job, found(job.run, end))

    def _make_safe(self) -> bool:
        """Make the bench safe from a fresh process; what cannot be confirmed holds the queue, whatever its policy."""
        self._state = "making safe"
        self._presence.announce(self.state())
        child = Child(self._presence.inbox)
        child.expect_end(self._grace.safing)
        child.tell(Safing(self.bench, Path.cwd()))
        self._wait_for(child)
        done = child.done or Done(Status.FAILED, child.how_it_ended(), False)
        if done.safe:
            self._queue.confirm_safe(self.bench)
            self._say("WARNING", f"bench {self.bench} was made safe by a fresh process")
        else:
            reason = f"bench {self.bench} is not confirmed safe: {done.reason}"
            self._queue.hold(self.bench, reason, unsafe=True)
            self._say("CRITICAL", f"{reason}. The queue is held; see to the bench, then `mho queue resume`")
        self._state = "idle"
        if self._job is None:  # else the end of the job says it
            self._presence.announce(self.state())
        return done.safe

    # --- what comes in ---

    def _wait_for(self, child: Child) -> None:
        """Attend to everything until a child is gone, which is seen to."""
        while not child.ended:
            self._attend()
            child.press(self._grace.emergency)

    def _attend(self) -> None:
        """Attend to what comes in next, and look around now and then."""
        with suppress(queue.Empty):
            item = self._presence.inbox.get(timeout=LOOK)
            if isinstance(item, ChildSaid):
                self._hear(item.event)
            elif isinstance(item, ChildEnded):
                item.child.ended = True
            elif isinstance(item, Asked):
                self._answer(item)
            elif isinstance(item, EndAsked):
                self._wind_up(item.reason)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK
            if self._queue.changed():
                self._follow_queue()

    def _hear(self, event: stream.Event) -> None:
        job = self._job
        if job is None:
            return
        self._pace.take(event)
        if isinstance(event, stream.Paused | stream.Resumed):
            paused = isinstance(event, stream.Paused)
            self._queue.mark(job.id, JobStatus.PAUSED if paused else JobStatus.RUNNING)
            self._state = "paused" if paused else "running"
            self._tell_job(job.id)
        self._presence.announce(event)
        if isinstance(event, stream.Progress | stream.Paused | stream.Resumed):
            self._presence.announce(self.state())

    def _follow_queue(self) -> None:
        """Follow what others have changed: holding and releasing pauses and resumes the running job too."""
        if self._worker is not None:
            self._worker.tell(Command("pause" if self._queue.lane(self.bench).held else "resume"))
        self._presence.announce(QueueChanged())
        self._presence.announce(self.state())

    def _wind_up(self, reason: str) -> None:
        """Abort the running job; asked a second time, do not wait for its safe point."""
        if self._worker is not None:
            again = bool(self._ending)
            patience = self._grace.emergency if again else self._grace.abort
            self._worker.stop(reason, emergency=again, patience=patience)
        self._ending = reason

    # --- commands ---

    def _answer(self, asked: Asked) -> None:
        try:
            self._obey(asked.request)
            asked.answer.set_result(self.state())
        except MhoError as error:
            asked.answer.set_exception(error)

    def _obey(self, request: Request) -> None:
        worker, job = self._worker, self._job
        match request.command:
            case "pause":
                self._queue.hold(self.bench, "paused by hand")
                if worker is not None:
                    worker.tell(Command("pause"))
            case "resume":
                self._queue.release(self.bench)
                if worker is not None:
                    worker.tell(Command("resume"))
            case "abort":
                if worker is None or job is None:
                    raise QueueError(f"no job is being run on bench {self.bench!r}")
                if request.job not in (None, job.id):
                    raise QueueError(f"job {request.job} is not being run; job {job.id} is")
                worker.stop("aborted by hand")
            case "emergency":
                self._queue.hold(self.bench, EMERGENCY, unsafe=worker is None)
                if worker is not None:
                    worker.stop(EMERGENCY, emergency=True, patience=self._grace.emergency)
                elif self._state == "idle":  # somebody else may have left an output on
                    self._safing_asked, self._state = True, "making safe"
        if request.command in ("pause", "resume", "emergency"):
            self._presence.announce(self.state())

    # --- what goes out ---

    def state(self) -> RunnerState:
        """Return how the runner stands."""
        lane, progress = self._queue.lane(self.bench), self._pace.progress
        job = self._job
        return RunnerState(
            bench=self.bench,
            pid=os.getpid(),
            state=self._state,
            job=None if job is None else job.id,
            held=lane.held,
            reason=lane.reason,
            stage=progress.stage if job and progress else "",
            done=progress.done if job and progress else 0,
            total=progress.total if job and progress else 0,
            seconds_left=self._pace.seconds_left() if job else None,
            unsafe=lane.unsafe,
        )

    def _tell_job(self, number: int) -> None:
        self._presence.announce(JobChanged(self._queue.job(number)))

    def _say(self, level: str, text: str) -> None:
        log.log(logging.getLevelNamesMapping()[level], text)
        self._presence.announce(stream.Message(level, text))
