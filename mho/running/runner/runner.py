"""The runner of one bench: takes job after job from the queue, and runs and supervises each in its own process."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Self

from filelock import FileLock, Timeout

from mho import platforms
from mho.errors import BenchError, MhoError, QueueError, recorded_name
from mho.input_files import bench_key
from mho.instruments.bench import STOPPING, HandledSignals
from mho.instruments.bench_file import is_real, read_bench_texts
from mho.procedures import stream
from mho.procedures.manifest import described_entry
from mho.processes import SafetyResult, make_safe_apart
from mho.running.queue.database import StorageError
from mho.running.queue.job import (
    ACTIVE,
    BY_HAND,
    Job,
    JobStatus,
    Order,
    decide,
    family_of_workers,
    runner_lives,
)
from mho.running.queue.orders import next_run_path, run_before, runs_on_chip
from mho.running.queue.progress import Pace
from mho.running.queue.store import GO_ON, DeferredWrites, Queue
from mho.running.runner import messages
from mho.running.runner.connection import Rendezvous, RunnerAddress
from mho.running.runner.outcome import JobOutcome, recorded_outcome, wait_for_worker
from mho.running.runner.server import ClientRequest, ControlServer
from mho.running.runner.worker_process import STOP_TIMEOUTS, Child, ChildEnded, ChildMessage, StopTimeouts
from mho.running.safety_statement import left_live
from mho.running.trust import runs_foreign_code
from mho.runs.conclusion import Status
from mho.toml import load_toml


@dataclass(frozen=True)
class EndRequested:
    """A request that the runner ends."""

    reason: str


class RunnerService:
    """Context that makes a process the runner of a bench.

    `QueueError` on entering, when there is another runner, or no socket can be created.
    """

    def __init__(
        self, place: Rendezvous, bench: str, listeners: Sequence[Callable[[messages.Event], None]] = ()
    ) -> None:
        # all incoming events: those of workers, requests of clients (`server.ClientRequest`), and
        # `EndRequested`
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._place, self._bench, self._listeners = place, bench, tuple(listeners)
        self._server: ControlServer | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._alone())
            stack.enter_context(self._ended_by_signals())
            stack.callback(self._place.withdraw)
            self._place.withdraw()  # what a killed runner left: its secret is not that of the next one at this address
            listener = self._place.listen()
            card = self._place.publish(listener)
            self._server = stack.enter_context(ControlServer(listener, card.secret, self.inbox))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def announce(self, event: messages.Event) -> None:
        """Send an event to all clients that watch and all listeners."""
        if self._server is not None:
            self._server.announce(event)
        for listener in self._listeners:
            listener(event)

    def end(self, reason: str) -> None:
        """Request the runner to end; from any thread, and from a signal handler."""
        self.inbox.put(EndRequested(reason))  # a SimpleQueue takes it even in the middle of its own `put`

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._place.prepare()
        lock = FileLock(self._place.lock, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise self._taken(self._place.card()) from None
        except OSError as error:
            raise QueueError(f"the lock {self._place.lock} cannot be had: {error.strerror}") from None
        try:
            card = self._place.card()
            if card is not None and card.pid != os.getpid() and card.lives():
                raise self._taken(card)  # the lock file was removed
            yield
        finally:
            lock.release()

    def _taken(self, card: RunnerAddress | None) -> QueueError:
        holder = f"process {card.pid}" if card else "another process"
        return QueueError(
            f"bench {self._bench!r} has a runner already ({holder}); command it with `mho queue`, or end it"
        )

    def _ended_by_signals(self) -> AbstractContextManager[object]:
        if threading.current_thread() is not threading.main_thread():
            return nullcontext()

        def end(number: int, frame: FrameType | None) -> None:
            self.end(f"the runner received {platforms.here.signal_name(number)}")

        # Ignored signals stay ignored: with `nohup` the runner is to outlive its terminal.
        numbers = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        return HandledSignals(dict.fromkeys(numbers, end))


LOOK = 0.2  # s between looks into the queue, which other processes change

log = logging.getLogger(__name__)


class Runner:
    """The runner of one bench; call `serve` in the thread that created it.

    `bench`: packaged name or bench file; only jobs for it are taken.
    `listeners`: called with all that is announced, in this thread.
    """

    def __init__(
        self,
        path: Path,
        bench: str = "simulated",
        *,
        timeouts: StopTimeouts = STOP_TIMEOUTS,
        listeners: Sequence[Callable[[messages.Event], None]] = (),
    ) -> None:
        self.bench = bench_key(bench)
        self._queue = Queue(path)
        self._presence = RunnerService(Rendezvous(self._queue.path, self.bench), self.bench, listeners)
        self._writes = DeferredWrites(self._queue, self.bench, self._say)
        self._family = family_of_workers(self._queue.path, self.bench)
        self._timeouts = timeouts
        self._worker: Child | None = None  # while it has a job
        self._spare: Child | None = None  # which waits for the next job, loaded
        self._job: Job | None = None
        self._pace = Pace()
        self._state: messages.State = "idle"
        self._ending = ""
        self._drain = self._once = False  # as `serve` was told
        self._safing_asked = False
        self._next_look = 0.0

    # --- life ---

    def serve(self, *, drain: bool = False, once: bool = False) -> str:
        """Run jobs until a signal says to end; return why the queue is held, or an empty text.

        `drain`: end when no job waits any more, or the queue is held.
        `once`: end after one job as well.
        `QueueError` where another runner serves this queue and bench, or the queue cannot be used.
        """
        with closing(self._queue):
            self._refuse_second_runner()
            return self._serve(drain, once)

    def _serve(self, drain: bool, once: bool) -> str:
        with self._presence, ExitStack() as awake:
            asked = False  # the computer to stay awake, from the first job until none is left
            try:
                self._recover_orphaned_jobs()
                self._presence.announce(self.state())
                self._drain, self._once = drain, once
                if not (drain or once):
                    self._start_spare()
                while not self._ending:
                    if self._safing_asked:
                        self._safing_asked = False
                        self._make_safe()
                    job = self._next()
                    if job is not None:
                        if not asked:
                            asked = True
                            awake.enter_context(
                                platforms.here.kept_awake(f"jobs of the queue on bench {self.bench}")
                            )
                        self._carry_out(job)
                        if once:
                            break
                    elif (drain or once) and self._writes.settled:
                        break
                    else:
                        awake.close()
                        asked = False
                        self._attend()
                if not self._writes.catch_up():
                    raise QueueError(
                        f"the runner of bench {self.bench!r} ends before the queue could be written: "
                        f"{self._writes.lane.reason}. The next runner settles what is left"
                    )
                return self._writes.lane.reason
            finally:
                if self._worker is not None:  # the queue failed, and is no longer served
                    self._worker.close_stdin()
                self._discard_spare()

    def end(self, reason: str) -> None:
        """Request `serve` to abort its job and return; a second call does not wait for a safe point. For any thread."""
        self._presence.end(reason)

    # --- jobs ---

    def _next(self) -> Job | None:
        """Return the job to run now: none while the queue is held or the bench is not safe."""
        lane = self._writes.lane
        if lane.held or not self._writes.settled:
            return None
        if lane.unsafe and not self._make_safe():
            return None
        return self._writes.next()

    def _carry_out(self, job: Job) -> None:
        """Run one job from its start to the decision on what follows."""
        run, after, trouble, error = None, None, "", ""
        same_chip: tuple[Path, ...] = ()
        try:
            if job.order.after is not None and is_real(self.bench):
                same_chip = runs_on_chip(job.order, self._queue)
            else:
                after = run_before(job.order, self._queue)
            run = next_run_path(job, self._queue.path.parent)
        except MhoError as refused:
            trouble, error = f"{type(refused).__name__}: {refused}", recorded_name(refused)
        # A worker begins on request. If this process is killed before the request, the worker does nothing; if killed
        # later, the queue has recorded both processes and the run file.
        worker = self._take_worker(job.order)
        try:
            begun = self._queue.begin(
                job.id, run=run, worker=worker.pid, worker_birth=platforms.here.birth_of(worker.pid)
            )
        except StorageError:
            self._dismiss(worker)
            # Nothing is begun before that is written
            self._writes.write(lambda: self._queue.touch(self.bench))
            return
        if begun is None or run is None:  # taken out of the line a moment ago, or it cannot be
            self._dismiss(worker)
            if begun is not None:
                self._settle(begun, JobOutcome(Status.FAILED, trouble, safe=True, error=error))
            return
        self._job, self._worker, self._pace, self._state = begun, worker, Pace(job.estimate), "running"
        worker.tell(
            messages.JobAssignment(job.order, run, job.id, begun.attempts, job.resume_of, after, same_chip)
        )
        self._tell_job(job.id)
        self._presence.announce(self.state())  # it may be long before the job says anything of itself
        self._wait_for(worker)
        self._worker = None
        done = worker.done
        outcome = (
            JobOutcome(**vars(done))
            if done
            else recorded_outcome(run, worker.exit_description(), self._why_asked(worker, begun))
        )
        if worker.children:
            self._say("WARNING", f"job {job.id} left processes that could use the bench, and they were ended")
            outcome = replace(outcome, safe=False, confirmed=None)
        self._settle(begun, outcome)
        self._job, self._state = None, "idle"
        self._presence.announce(self.state())

    def _take_worker(self, order: Order) -> Child:
        """Return a worker that waits for its assignment: the one that was started ahead, if it can be used."""
        spare, self._spare = self._spare, None
        if spare is not None and spare.usable:
            return spare
        if spare is not None:
            spare.discard()
        return Child(self._presence.inbox, self._family, self._modules(order.procedure))

    def _start_spare(self, procedure: str = "") -> None:
        """Start the worker of the next job, which is likely to be of the same procedure."""
        self._discard_spare()
        self._spare = Child(self._presence.inbox, self._family, self._modules(procedure))

    def _discard_spare(self) -> None:
        if self._spare is not None:
            self._spare.discard()
            self._spare = None

    def _modules(self, procedure: str) -> list[str]:
        """Return what a worker of this bench imports ahead: mho's own modules only."""
        modules = []
        with suppress(MhoError, OSError):
            entry = described_entry(procedure)
            if entry is not None and entry.target.startswith("mho."):
                modules.append(entry.target.partition(":")[0])
            if _is_simulated(self.bench):
                modules.append("mho.instruments.laboratory")
        return modules

    def _why_asked(self, worker: Child, job: Job) -> str:
        """Return why the worker was asked to stop, by this runner or without it; empty when it was not."""
        if not worker.asked:
            with suppress(StorageError):
                return self._queue.job(job.id).reason
        return worker.asked

    def _dismiss(self, worker: Child) -> None:
        """End a worker that got no assignment, and wait until it and all processes that it started are gone."""
        worker.close_stdin()
        self._wait_for(worker)

    def _settle(self, job: Job, outcome: JobOutcome) -> None:
        """Make the bench safe first, then note how the job ended and what follows: a crash in between repeats both."""
        # An emergency stop wants it confirmed, also when nothing was begun
        stopped = self._writes.lane.unsafe
        if not outcome.safe or (stopped and outcome.confirmed is None):
            self._make_safe(outcome.live)
        elif _has_begun(job, outcome) and _runs_foreign_code(job.order):
            outcome = self._read_back(job, outcome)
        elif stopped and outcome.confirmed is not None:
            self._writes.confirm_safe(outcome.confirmed, f"read back when job {job.id} had ended")
        self._writes.write(lambda: self._note_end(job, outcome))

    def _note_end(self, job: Job, outcome: JobOutcome) -> None:
        policy = self._queue.lane(self.bench).policy
        decision = (
            GO_ON
            if outcome.asked
            else decide(policy, outcome.status, job.attempts, outcome.error, safe=outcome.safe)
        )
        self._queue.end(
            job.id, JobStatus(outcome.status), outcome.reason, decision,
            seconds=outcome.seconds, pulses=outcome.pulses, error=outcome.error,
            ended=outcome.ended, confirmed=outcome.confirmed, conclusion=outcome.conclusion,
        )  # fmt: skip
        self._tell_job(job.id)
        if decision.hold:
            reason = self._queue.lane(self.bench).reason
            self._say("ERROR", f"the queue of {self.bench} is held: {reason}", held=True)

    def _refuse_second_runner(self) -> None:
        """Refuse when a job's own runner lives, even if its lock is gone."""
        for job in self._queue.jobs(self.bench, ACTIVE):
            if runner_lives(job):
                raise QueueError(
                    f"job {job.id} of bench {self.bench!r} has a runner already (process {job.runner}); command it with "
                    "`mho queue`, or end it"
                )

    def _recover_orphaned_jobs(self) -> None:
        """Settle first the jobs of a runner that was killed, and make safe a bench that it left live."""
        left = self._queue.jobs(self.bench, ACTIVE)
        if self._queue.lane(self.bench).unsafe and not left:
            self._make_safe()
        for job in left:
            self._say("WARNING", f"job {job.id} was left by a runner that is gone")
            end = wait_for_worker(job, self._family, self._timeouts.orphan, self._attend)
            self._settle(job, recorded_outcome(job.run, end, job.reason))

    def _read_back(self, job: Job, outcome: JobOutcome) -> JobOutcome:
        """Return how a job ended that had code of the user's own, whose word on the bench is not taken: it is read back."""
        read_back = self._make_safe_apart()
        trouble = left_live(self.bench, read_back)
        if not trouble:
            return replace(outcome, confirmed=read_back.confirmed)
        if not read_back.safe:
            self._hold_unsafe(read_back)
        else:
            self._say("CRITICAL", f"job {job.id}: {trouble}")
        self._state = "idle"
        reason = "; ".join(filter(None, (outcome.reason, trouble)))
        return replace(
            outcome, reason=reason, safe=read_back.safe, confirmed=read_back.confirmed, live=read_back.live,
        )  # fmt: skip

    def _make_safe_apart(self) -> SafetyResult:
        """Make the bench safe from a new process, and attend meanwhile."""
        self._state = "making safe"
        self._presence.announce(self.state())
        with ThreadPoolExecutor(1, "making safe") as apart:
            making = apart.submit(make_safe_apart, self.bench, Path.cwd(), self._timeouts.safing)
            while not making.done():
                self._attend()
        done = making.result()
        if done.confirmed is not None:
            self._writes.confirm_safe(done.confirmed)
        return done

    def _make_safe(self, feared: Sequence[str] = ()) -> bool:
        """Make the bench safe from a new process; an unconfirmed output holds the queue, whatever its policy.

        `feared` are roles that the worker could not confirm: they may be live where the new process finds none.
        """
        done = self._make_safe_apart()
        if done.confirmed is not None:
            self._say("WARNING", f"bench {self.bench} was made safe by a fresh process")
        else:
            self._hold_unsafe(done, feared)
        self._state = "idle"
        if self._job is None:  # else the end of the job says it
            self._presence.announce(self.state())
        return done.safe

    def _hold_unsafe(self, done: SafetyResult, feared: Sequence[str] = ()) -> None:
        """Hold the queue, for the bench is not confirmed safe."""
        reason = f"bench {self.bench} is not confirmed safe: {done.reason}"
        self._writes.hold_unsafe(reason, done.reason, done.live or feared)
        self._say(
            "CRITICAL",
            f"{reason}. The queue is held; see to the bench, then `mho queue resume`",
            unsafe=True,
            held=True,
        )

    # --- what comes in ---

    def _wait_for(self, child: Child) -> None:
        """Handle events until the child process is gone; its deadlines are enforced meanwhile."""
        while not child.ended:
            self._attend()
            if done := child.press(self._timeouts.emergency):
                who = f"worker {child.pid}" if self._job is None else f"job {self._job.id}"
                self._say("WARNING", f"{who}: {done}")

    def _attend(self) -> None:
        """Handle the next event, and check the queue now and then."""
        with suppress(queue.Empty):
            item = self._presence.inbox.get(timeout=LOOK)
            if isinstance(item, ChildMessage):
                self._handle(item.event)
            elif isinstance(item, ChildEnded):
                item.child.ended = True
            elif isinstance(item, ClientRequest):
                self._answer(item)
            elif isinstance(item, EndRequested):
                self._abort_job(item.reason)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK
            settled = self._writes.settled
            if self._writes.changed() or (self._writes.catch_up() and not settled):
                self._follow_queue()

    def _handle(self, event: stream.Event) -> None:
        job = self._job
        if job is None:
            return
        self._pace.take(event)
        if isinstance(event, stream.Started) and not self._once:
            following = self._writes.next()
            if following is not None or not self._drain:
                self._start_spare((following or job).order.procedure)
        if isinstance(event, stream.Paused | stream.Resumed):
            paused = isinstance(event, stream.Paused)
            self._state = "paused" if paused else "running"
            self._writes.write(lambda: self._mark(job, JobStatus(self._state)))
        self._presence.announce(event)
        if isinstance(event, stream.Progress | stream.Paused | stream.Resumed):
            self._presence.announce(self.state())

    def _mark(self, job: Job, status: JobStatus) -> None:
        self._queue.mark(job.id, status)
        self._tell_job(job.id)

    def _follow_queue(self) -> None:
        """Apply what others have changed: holding and releasing also pauses and resumes the running job."""
        if self._worker is not None and self._writes.settled:  # a full disk must not change the job
            self._worker.tell(messages.Command("pause" if self._writes.lane.held else "resume"))
        self._presence.announce(messages.QueueChanged())
        self._presence.announce(self.state())

    def _abort_job(self, reason: str) -> None:
        """Abort the running job; on the second call, do not wait for its safe point."""
        if self._worker is not None:
            again = bool(self._ending)
            patience = self._timeouts.emergency if again else self._timeouts.abort
            self._worker.stop(reason, emergency=again, patience=patience)
        self._ending = reason

    # --- commands ---

    def _answer(self, asked: ClientRequest) -> None:
        try:
            self._obey(asked.request)
            asked.answer.set_result(self.state())
        except MhoError as error:
            asked.answer.set_exception(error)

    def _obey(self, request: messages.Request) -> None:
        worker, job = self._worker, self._job
        match request.command:
            case "pause":
                if worker is not None:
                    worker.tell(messages.Command("pause"))
                self._queue.hold(self.bench, "paused by hand")
            case "resume":
                self._queue.release(self.bench)
                if worker is not None:
                    worker.tell(messages.Command("resume"))
            case "abort":
                if worker is None or job is None:
                    raise QueueError(f"no job is being run on bench {self.bench!r}")
                if request.job not in (None, job.id):
                    raise QueueError(f"job {request.job} is not being run; job {job.id} is")
                worker.stop("aborted by hand", patience=self._timeouts.abort)
            case "act":
                if worker is None or job is None or job.order.procedure != BY_HAND:
                    raise QueueError(f"no session by hand is open on bench {self.bench!r}; open one first")
                if request.job not in (None, job.id):
                    raise QueueError(f"job {request.job} is no open session by hand; job {job.id} is")
                act = stream.ActWanted(request.procedure, request.parameters, request.instrument, request.by)
                worker.tell(messages.Command("act", act=act))
            case "emergency":
                if worker is not None:  # first of all; what is noted may have to wait
                    worker.stop(messages.EMERGENCY, emergency=True, patience=self._timeouts.emergency)
                elif self._state == "idle":  # another process may have left an output on
                    self._safing_asked, self._state = True, "making safe"
                self._writes.hold_unsafe(messages.EMERGENCY, f"{messages.EMERGENCY}, not confirmed yet")
        if request.command in ("pause", "resume", "emergency"):
            self._presence.announce(self.state())

    # --- what goes out ---

    def state(self) -> messages.RunnerState:
        """Return the state of the runner."""
        lane, progress = self._writes.lane, self._pace.progress
        job = self._job
        return messages.RunnerState(
            bench=self.bench, pid=os.getpid(), state=self._state, job=None if job is None else job.id,
            held=lane.held, reason=lane.reason, stage=progress.stage if job and progress else "",
            done=progress.done if job and progress else 0, total=progress.total if job and progress else 0,
            seconds_left=self._pace.seconds_left() if job else None, unsafe=lane.unsafe,
            unsafe_reason=lane.unsafe_reason, live=lane.live,
        )  # fmt: skip

    def _tell_job(self, number: int) -> None:
        with suppress(StorageError):
            self._presence.announce(messages.JobChanged(self._queue.job(number)))

    def _say(self, level: str, text: str, *, unsafe: bool = False, held: bool = False) -> None:
        log.log(logging.getLevelNamesMapping()[level], text)
        self._presence.announce(stream.Message(level, text, unsafe, held))


def _has_begun(job: Job, outcome: JobOutcome) -> bool:
    """Return whether a job has sent anything; one that was refused before may have found the bench in another's hands."""
    return outcome.confirmed is not None or (job.run is not None and job.run.exists())


def _is_simulated(bench: str) -> bool:
    """Return whether a bench is simulated; errors as `read_bench_texts`. No driver of the user's own is loaded for it."""
    return "simulation" in load_toml(read_bench_texts(bench)[0], f"bench file {bench}", BenchError)


def _runs_foreign_code(order: Order) -> bool:
    """Return whether a job has code that is none of mho's own on real instruments; twins are gone with their worker."""
    try:
        foreign = runs_foreign_code(order.procedure, order.parameters, order.bench)
        return foreign and not _is_simulated(order.bench)
    except (MhoError, OSError):  # nor can a worker have run it
        return False
