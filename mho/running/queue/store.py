"""The durable queue: jobs in SQLite beside the runs, changed safely by any number of processes at once.

A runner's changes that a full or broken disk refuses are kept, and written later, in order.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

from mho import platforms
from mho.errors import QueueError
from mho.running.queue import database
from mho.running.queue.job import ACTIVE, ENDED, WITHIN, Decision, Job, JobStatus, Lane, Order, Policy, Total
from mho.runs.conclusion import Conclusion
from mho.runs.paths import DEFAULT_FOLDER

NAME = "queue.sqlite"
HIGHEST = 2**63 - 1  # that the database can be asked for
LAST = 20  # jobs that finished and are asked what such jobs take
# Ended jobs come first, in the order of their ends; queued ones come last, in the order in which they will run.
_ORDER = """
ORDER BY CASE status WHEN 'queued' THEN 2 WHEN 'running' THEN 1 WHEN 'paused' THEN 1 ELSE 0 END,
    CASE status WHEN 'queued' THEN -priority END, CASE status WHEN 'queued' THEN position END, ended, id
"""
_WAITING = "ORDER BY priority DESC, position, id"

GO_ON = Decision()
# Number of the last change of a job that was there, and id of the last that was added
Revision = tuple[int, int]
NO_REVISION: Revision = (-1, 0)
SAFED = "made safe by a fresh process"
_NO_WARNING: dict[str, Any] = {"unsafe": False, "unsafe_reason": "", "live": ()}


def queue_path(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return where the queue of a runs folder lies; the folder is ``MHO_RUNS`` or ``data/runs`` unless given."""
    return Path(folder or os.environ.get("MHO_RUNS") or DEFAULT_FOLDER).resolve() / NAME


def job_number(after: str) -> int | None:
    """Return the number of the job that an order is `after`; None where that is a run file."""
    number = after.removeprefix("#")
    return min(int(number), HIGHEST) if number.isdecimal() and number.isascii() else None


class Queue:
    """The queue at `path`, created if it is missing; a context manager, for use by one thread.

    Every change is one transaction and on the disk when its method returns.

    `path`: the SQLite file; that of the runs folder, `queue_path`, if not given.
    `QueueError` where it cannot be opened or used; also by methods that are asked for a job that is not
    there, or asked to change one that has begun.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = queue_path() if path is None else Path(path).resolve()
        self._database = database.open_queue(self.path)
        self._version = self._version_of_data()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._database.close()

    # --- looking ---

    def jobs(self, bench: str | None = None, statuses: Sequence[JobStatus] = tuple(JobStatus)) -> list[Job]:
        """Return jobs: what has ended, then what runs, then what waits, in the order in which it will go."""
        marks = ", ".join("?" * len(statuses))
        where = f"WHERE status IN ({marks}) AND (bench = ? OR ? IS NULL) {_ORDER}"
        return self._jobs(where, *statuses, bench, bench)

    def changes(self, bench: str, since: Revision = NO_REVISION) -> tuple[Revision, list[Job], list[int]]:
        """Return what has changed of the jobs of a bench since a revision: the one now, those jobs, the ids of all.

        The ids stand in the order of `jobs`; what is not among them is not there any more.
        """
        last = "SELECT last, (SELECT coalesce(max(id), 0) FROM jobs) FROM revisions"
        with self._database.reading():
            ((change, newest),) = self._database.rows(last)
            changed = self._jobs("WHERE bench = ? AND (revision > ? OR id > ?)", bench, *since)
            order = self._database.rows(f"SELECT id FROM jobs WHERE bench = ? {_ORDER}", (bench,))
        return (change, newest), changed, [number for (number,) in order]

    def job(self, number: int) -> Job:
        """Return the job with the id `number`."""
        result = self._jobs("WHERE id = ?", number)
        if not result:
            raise QueueError(
                f"there is no job {number} in queue {self.path}; `mho queue list` shows which there are"
            )
        return result[0]

    def removed(self, number: int) -> bool:
        """Return whether there was a job `number`, and is not any more."""
        question = "FROM sqlite_sequence WHERE name = 'jobs' AND ? BETWEEN 1 AND seq AND ? NOT IN (SELECT id FROM jobs)"
        return bool(self._database.value(f"SELECT count(*) {question}", (number, number)))

    def chain(self, after: str | None) -> Iterator[Job]:
        """Yield the jobs that an order `after` goes on from, the nearest first, each once, as far as they are there."""
        seen: set[int] = set()  # a ring may be in the queue of an earlier mho
        while after is not None and (number := job_number(after)) is not None and number not in seen:
            seen.add(number)
            jobs = self._jobs("WHERE id = ?", number)
            if not jobs:
                return
            yield jobs[0]
            after = jobs[0].order.after

    def shown(
        self,
        bench: str | None = None,
        statuses: Sequence[JobStatus] = tuple(JobStatus),
        *,
        ended: int,
        waiting: int,
    ) -> list[Job]:
        """Return jobs as `jobs` does, but only the last of those that ended and the first of those that wait."""
        marks = lambda group: ", ".join(f"'{one}'" for one in group if one in statuses)  # noqa: E731
        where = "WHERE status IN ({}) AND (bench = ? OR ? IS NULL) {} LIMIT ?"
        parts = (
            reversed(
                self._jobs(where.format(marks(ENDED), "ORDER BY ended DESC, id DESC"), bench, bench, ended)
            ),
            self._jobs(where.format(marks(ACTIVE), _ORDER), bench, bench, -1),
            self._jobs(where.format(marks([JobStatus.QUEUED]), _WAITING), bench, bench, waiting),
        )
        return [job for part in parts for job in part]

    def totals(self) -> list[Total]:
        """Return how many jobs of each status there are for each bench, and how long they are expected to take."""
        return [
            Total(bench, JobStatus(status), count, known, seconds)
            for bench, status, count, known, seconds in self._database.rows(
                "SELECT bench, status, count(*), count(estimate), total(estimate) FROM jobs GROUP BY bench, status"
            )
        ]

    def next(self, bench: str) -> Job | None:
        """Return the next job on `bench`, or None."""
        waiting = self._jobs(f"WHERE bench = ? AND status = 'queued' {_WAITING} LIMIT 1", bench)
        return waiting[0] if waiting else None

    def _jobs(self, clause: str, *values: Any) -> list[Job]:
        return [database.job_of(row) for row in self._database.rows(f"{database.JOBS} {clause}", values)]

    def lane(self, bench: str) -> Lane:
        """Return the state of the queue of `bench`."""
        result = self._database.rows("SELECT * FROM lanes WHERE bench = ?", (bench,))
        return database.lane_of(result[0]) if result else Lane(bench)

    def lanes(self) -> list[Lane]:
        """Return the state of each bench's queue that has jobs or was ever held."""
        benches = self._database.rows("SELECT bench FROM jobs UNION SELECT bench FROM lanes")
        return [self.lane(bench) for (bench,) in benches]

    def changed(self) -> bool:
        """Return whether another process has changed the queue since the last time this was asked."""
        before, self._version = self._version, self._version_of_data()
        return self._version != before

    def _version_of_data(self) -> int:
        """Return a number that changes whenever another connection has changed something."""
        return int(self._database.value("PRAGMA data_version"))

    def finished(self, bench: str, like: Order | None = None) -> list[Job]:
        """Return the last jobs that finished on `bench`, the newest first; with `like`, of its procedure and cells."""
        clause, values = "", (bench,)  # type: tuple[str, tuple[str | None, ...]]
        if like is not None:
            clause, values = "AND procedure = ? AND preset IS ?", (bench, like.procedure, like.preset)
        return self._jobs(
            f"WHERE bench = ? {clause} AND status = 'finished' ORDER BY ended DESC LIMIT {LAST}", *values
        )

    # --- ordering ---

    def add(self, order: Order, *, priority: int = 0, estimate: float | None = None) -> Job:
        """Append a new job to those of its priority."""
        return self.add_all([(order, estimate)], priority=priority)[0]

    def add_all(self, orders: Sequence[tuple[Order, float | None]], *, priority: int = 0) -> list[Job]:
        """Append jobs, each with its estimate (s), to those of their priority: all of them or none.

        ``@2`` in `after` refers to the second of them.
        """
        numbers: list[int] = []
        places: dict[str, int] = {}
        with self._database.changing():
            for order, estimate in orders:
                if order.after is not None and order.after.startswith(WITHIN):
                    ground = numbers[int(order.after.removeprefix(WITHIN)) - 1]
                    order = replace(order, after=f"#{ground}")
                if order.bench not in places:
                    places[order.bench] = self._end_of_line(order.bench)
                row = database.order_row(order) | {
                    "status": JobStatus.QUEUED, "priority": priority, "reason": "", "attempts": 0,
                    "added": time.time(), "estimate": estimate, "position": places[order.bench],
                }  # fmt: skip
                numbers.append(self._database.insert("jobs", row))
                places[order.bench] += 1
            # No other process adds any meanwhile.
            return self._jobs("WHERE id >= ? ORDER BY id", numbers[0]) if numbers else []

    def clone(self, number: int) -> Job:
        """Append a copy of a job, with any status, to those of its priority."""
        job = self.job(number)
        took = (
            job.ended - job.started
            if job.status == "finished" and job.ended and job.started
            else job.estimate
        )
        return self.add(job.order, priority=job.priority, estimate=took)

    def edit(self, number: int, order: Order, *, estimate: float | None = None) -> Job:
        """Replace the order of a queued job; on another bench it is appended to all others.

        An order that would go on from the job itself is refused here, where no other process changes a job between.
        """
        with self._database.changing():
            job = self._waiting(number)
            if any(earlier.id == number for earlier in self.chain(order.after)):
                itself = "itself" if order.after == f"#{number}" else f"{order.after}, which goes on from it"
                raise QueueError(
                    f'job {number} cannot go on from {itself}; name another, or none by --after ""'
                )
            columns = database.order_row(order) | {"estimate": estimate}
            if order.bench != job.order.bench:
                columns["position"] = self._end_of_line(order.bench)
            return self._set(number, **columns)

    def set_priority(self, number: int, priority: int) -> Job:
        """Change the priority of a queued job; the highest runs first."""
        with self._database.changing():
            self._waiting(number)
            return self._set(number, priority=priority)

    def move(self, number: int, place: int) -> Job:
        """Move a job that waits to a place (from 1) among those that wait for its bench.

        Beyond jobs of another priority it takes on the nearest priority that lets it stand there.
        """
        with self._database.changing():
            job = self._waiting(number)
            others = self._database.rows(
                f"SELECT id, priority FROM jobs WHERE bench = ? AND status = 'queued' AND id != ? {_WAITING}",
                (job.order.bench, number),
            )
            index = min(max(place - 1, 0), len(others))
            priority = job.priority
            if index > 0:
                priority = min(priority, others[index - 1]["priority"])
            if index < len(others):
                priority = max(priority, others[index]["priority"])
            line = [one["id"] for one in others]
            places = [
                (place, one, place) for place, one in enumerate([*line[:index], number, *line[index:]], 1)
            ]
            self._database.execute_each("UPDATE jobs SET position = ? WHERE id = ? AND position != ?", places)
            return self._set(number, priority=priority)

    def skip(self, number: int, reason: str) -> Job:
        """Skip a job that waits, and keep it on record."""
        with self._database.changing():
            self._waiting(number)
            return self._set(number, status=JobStatus.SKIPPED, reason=reason, ended=time.time())

    def remove(self, *numbers: int) -> list[dict[str, Any]]:
        """Delete jobs that are not running, all or none, and return what `put_back` needs; run files stay."""
        removed: list[dict[str, Any]] = []
        with self._database.changing():
            for number in numbers:
                if self.job(number).status in ACTIVE:
                    raise QueueError(f"job {number} is being run; abort it before it is removed")
                removed += map(dict, self._database.rows("SELECT * FROM jobs WHERE id = ?", (number,)))
                self._database.execute("DELETE FROM jobs WHERE id = ?", (number,))
        return removed

    def put_back(self, *removed: Mapping[str, Any]) -> None:
        """Put removed jobs back, all or none, each with its number, status and place in line."""
        with self._database.changing():
            for row in removed:
                if not self.removed(number := int(row["id"])):
                    raise QueueError(f"job {number} is in the queue already")
                self._database.insert("jobs", row)
                # a change, for who listens
                self._database.execute("UPDATE jobs SET id = id WHERE id = ?", (number,))

    def clear(self, bench: str | None = None, statuses: Sequence[JobStatus] = ENDED) -> int:
        """Delete all jobs of `statuses` but running ones; return how many. Run files stay."""
        clearable = [status for status in statuses if status not in ACTIVE]
        marks = ", ".join("?" * len(clearable))
        with self._database.changing():
            return self._database.execute(
                f"DELETE FROM jobs WHERE status IN ({marks}) AND (bench = ? OR ? IS NULL)",
                (*clearable, bench, bench),
            ).rowcount

    def hold(self, bench: str, reason: str) -> Lane:
        """Start no further job on `bench`, and pause a running one, until `release`."""
        return self._set_lane(bench, held=True, reason=reason)

    def hold_unsafe(self, bench: str, hold: str, reason: str, live: Sequence[str] = ()) -> Lane:
        """Hold the queue of `bench` for the reason `hold`: its outputs are not confirmed safe until `confirm_safe`.

        `reason` says why they are not; `live` names the roles, none when nothing is known of any.
        """
        return self._set_lane(
            bench, held=True, reason=hold, unsafe=True, unsafe_reason=reason, live=tuple(live)
        )

    def release(self, bench: str) -> Lane:
        """Resume the queue of `bench`; the safety of its bench is not changed."""
        return self._set_lane(bench, held=False, reason="")

    def confirm_safe(self, bench: str, when: float, by: str = SAFED) -> Lane:
        """Record when every output of `bench` was last read back as off (Unix time, s), and by whom."""
        with self._database.changing():
            return self._put_lane(replace(_read_back(self.lane(bench), when, by), **_NO_WARNING))

    def acknowledge(self, bench: str) -> Lane:
        """Record that a user states that `bench` is safe; nothing was read back."""
        return self._set_lane(bench, acknowledged=time.time(), **_NO_WARNING)

    def touch(self, bench: str) -> Lane:
        """Write the state of the queue of `bench` unchanged, to find out whether the file can be written."""
        return self._set_lane(bench)

    def set_policy(self, bench: str, policy: Policy) -> Lane:
        """Set what follows when a run on `bench` fails or is interrupted."""
        return self._set_lane(bench, policy=policy)

    # --- carrying out ---

    def begin(self, number: int, *, run: Path | None, worker: int, worker_birth: str = "") -> Job | None:
        """Record that a worker of this process runs the job and writes `run`; return None if it is no longer queued."""
        with self._database.changing():
            result = self._jobs("WHERE id = ? AND status = 'queued'", number)
            if not result:
                return None
            return self._set(
                number, status=JobStatus.RUNNING, reason="", run=run and str(run), attempts=result[0].attempts + 1,
                worker=worker, worker_birth=worker_birth,
                runner=os.getpid(), runner_birth=platforms.here.birth_of(os.getpid()),
                started=time.time(), ended=None, error="", conclusion=None,
            )  # fmt: skip

    def mark(self, number: int, status: JobStatus) -> Job:
        """Record that the running job is paused, or resumed."""
        with self._database.changing():
            return self._set(number, status=status)

    def note_stop(self, number: int, reason: str) -> Job:
        """Record why a running job was stopped without its runner: the job is then not run again."""
        with self._database.changing():
            return self._set(number, reason=reason) if self.job(number).status in ACTIVE else self.job(number)

    def end(
        self,
        number: int,
        status: JobStatus,
        reason: str,
        decision: Decision = GO_ON,
        *,
        seconds: float | None = None,
        pulses: int | None = None,
        error: str = "",
        ended: float | None = None,
        confirmed: float | None = None,
        conclusion: Conclusion | None = None,
    ) -> Job:
        """Record the end of a job and the decision about it in one transaction, which no crash can split.

        `ended` says when (Unix time, s), unless it was just now; `confirmed` when its bench was read back as off at its
        end, None where that was not.
        """
        with self._database.changing():
            job = self.job(number)
            columns: dict[str, Any] = {
                "status": status, "reason": reason, "ended": ended or time.time(), "seconds": seconds, "pulses": pulses,
                "worker": None, "worker_birth": None, "runner": None, "runner_birth": None, "error": error,
                "conclusion": database.conclusion_row(conclusion),
            }  # fmt: skip
            if decision.again:
                first = self.next(job.order.bench)
                columns |= {
                    "status": JobStatus.QUEUED,
                    "conclusion": None,
                    "reason": f"attempt {job.attempts} {status}: {reason}",
                    "resume_of": str(job.run) if decision.resume and job.run else None,
                    "position": first.position - 1 if first else job.position,
                    "priority": max(job.priority, first.priority) if first else job.priority,
                }
            lane = self.lane(job.order.bench)
            if decision.hold:
                hold = f"job {number} ({job.order.procedure}): {decision.hold}: {reason}"
                lane = replace(lane, held=True, reason=hold)
            if confirmed is not None:
                lane = _read_back(lane, confirmed, f"read back when job {number} had ended")
            self._put_lane(lane)
            return self._set(number, **columns)

    # --- parts of changes ---

    def _set(self, number: int, **columns: Any) -> Job:
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        self._database.execute(f"UPDATE jobs SET {changes} WHERE id = :number", {**columns, "number": number})
        return self.job(number)

    def _set_lane(self, bench: str, **changes: Any) -> Lane:
        with self._database.changing():
            return self._put_lane(replace(self.lane(bench), **changes))

    def _put_lane(self, lane: Lane) -> Lane:
        self._database.insert("lanes", database.lane_row(lane), "INSERT OR REPLACE")
        return lane

    def _waiting(self, number: int) -> Job:
        job = self.job(number)
        if job.status is not JobStatus.QUEUED:
            raise QueueError(
                f"job {number} is {job.status}; only a queued job can be changed. Clone it instead"
            )
        return job

    def _end_of_line(self, bench: str) -> int:
        return int(self._database.value("SELECT max(position) FROM jobs WHERE bench = ?", (bench,)) or 0) + 1


Say = Callable[[str, str], None]
Read = TypeVar("Read")


class DeferredWrites:
    """The queue of one bench as its runner uses it; no failure of the disk ends the runner.

    `say`: called with level and text, once when writing fails and once when everything is written.
    """

    def __init__(self, queue: Queue, bench: str, say: Say) -> None:
        self._queue, self._bench, self._say = queue, bench, say
        self._waiting: deque[Callable[[], object]] = deque()
        self._trouble = ""
        self._lane = Lane(bench)  # as it was read last
        self._safety: dict[str, Any] = {}  # pending changes

    @property
    def settled(self) -> bool:
        """Whether everything is written; no job starts before that."""
        return not self._waiting

    @property
    def lane(self) -> Lane:
        """The state of the queue, unwritten changes included; the last known state when it cannot be read."""
        self._lane = self._read(lambda: self._queue.lane(self._bench), self._lane)
        if self.settled:
            return self._lane
        return replace(self._lane, held=True, reason=self._trouble, **self._safety)

    def write(self, change: Callable[[], object]) -> bool:
        """Make a change after all pending ones; return whether it is written."""
        self._waiting.append(change)
        return self.catch_up()

    def catch_up(self) -> bool:
        """Write pending changes; return whether none is left."""
        while self._waiting:
            try:
                self._waiting[0]()
            except database.StorageError as error:
                self._report_trouble(error)
                return False
            self._waiting.popleft()
        self._safety = {}
        if self._trouble:
            self._trouble = ""
            self._say("WARNING", f"the queue of {self._bench} is written again; nothing was lost")
        return True

    def hold_unsafe(self, hold: str, reason: str, live: Sequence[str] = ()) -> None:
        """Hold the queue for a bench that is not confirmed safe, as `Queue.hold_unsafe`."""
        self._safety = {"unsafe": True, "unsafe_reason": reason, "live": tuple(live)}
        self.write(lambda: self._queue.hold_unsafe(self._bench, hold, reason, live))

    def confirm_safe(self, when: float, by: str = SAFED) -> None:
        """Record that the bench was read back as safe, as `Queue.confirm_safe`."""
        self._safety = {
            "unsafe": False, "unsafe_reason": "", "live": (), "confirmed": when, "confirmed_by": by,
        }  # fmt: skip
        self.write(lambda: self._queue.confirm_safe(self._bench, when, by))

    def next(self) -> Job | None:
        """Return the next job; None as long as the queue cannot be read."""
        return self._read(lambda: self._queue.next(self._bench), None)

    def changed(self) -> bool:
        """Return whether another process has changed the queue."""
        return self._read(self._queue.changed, False)

    def _read(self, look: Callable[[], Read], otherwise: Read) -> Read:
        try:
            return look()
        except database.StorageError as error:
            self._report_trouble(error)
            if self.settled:  # until it can be read again, nothing is begun either
                self._waiting.append(lambda: self._queue.lane(self._bench))
            return otherwise

    def _report_trouble(self, error: database.StorageError) -> None:
        if not self._trouble:
            self._say("CRITICAL", f"{error}. It is tried again, and no job is begun before")
        self._trouble = str(error)


def _read_back(lane: Lane, when: float, by: str) -> Lane:
    """Return a lane whose bench was read back as off; unless that is older than what another process has noted."""
    return replace(lane, confirmed=when, confirmed_by=by) if when >= (lane.confirmed or 0.0) else lane
