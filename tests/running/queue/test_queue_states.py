"""The queue against a plain model of it: lists that two processes change, each of which may crash at any statement."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from state_machines import daily_and_thorough

from mho.errors import QueueError
from mho.running.queue import Job, JobStatus, Order, Policy, Queue, Reaction
from mho.running.queue.database import StorageError
from mho.running.queue.job import ACTIVE, ENDED, Decision, Lane
from mho.running.queue.store import NO_REVISION, Revision

BENCHES = ("simulated", "/lab/b.toml")
QUEUED, RUNNING, PAUSED = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED

benches = st.sampled_from(BENCHES)
priorities = st.integers(-2, 2)
which = st.integers(0, 50)
"""One of the jobs, from the first on and round again."""
processes = st.integers(0, 1)
statements = st.integers(1, 14)


class CrashError(Exception):
    """The process is gone."""


class FailingConnection:
    """A connection to SQLite that fails at a statement, at the latest at COMMIT: killed, or refused by the disk."""

    def __init__(self, connection: sqlite3.Connection, statement: int, *, killed: bool) -> None:
        self._connection, self._left, self._killed = connection, statement, killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _count(self, statement: str) -> None:
        self._left = 0 if statement == "COMMIT" else self._left - 1
        if self._killed and self._left <= 0:
            raise CrashError
        if self._left == 0:
            raise sqlite3.OperationalError("disk I/O error")

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        self._count(statement)
        return self._connection.execute(statement, *values)

    def executemany(self, statement: str, *values: Any) -> sqlite3.Cursor:
        self._count(statement)
        return self._connection.executemany(statement, *values)


@dataclass
class Follower:
    """A window: what it knows of the jobs of a bench by their changes."""

    revision: Revision = NO_REVISION
    jobs: dict[int, Job] = field(default_factory=dict)


class QueueStates(RuleBasedStateMachine):
    """`jobs` are as the last change of each returned them, `lines` those that wait for each bench, the next one first."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.jobs: dict[int, Job] = {}
        self.lines: dict[str, list[int]] = {bench: [] for bench in BENCHES}
        self.lanes = {bench: Lane(bench) for bench in BENCHES}
        self.newest = 0
        self.queues = [self.open(), self.open()]
        self.news = [False, False]
        self.followers = {bench: Follower() for bench in BENCHES}

    def open(self) -> Queue:
        return Queue(self.folder / "queue.sqlite")

    def teardown(self) -> None:
        for queue in self.queues:
            queue.close()
        shutil.rmtree(self.folder)

    # --- parts of rules ---

    def change(self, process: int, act: Callable[[Queue], Any]) -> Any:
        """Make a change that succeeds; the other process is to notice it."""
        done = act(self.queues[process])
        self.news[1 - process] = True
        return done

    def pick(self, number: int, *statuses: JobStatus) -> int | None:
        chosen = [job.id for job in self.jobs.values() if not statuses or job.status in statuses]
        return chosen[number % len(chosen)] if chosen else None

    def place(self, job: Job) -> None:
        """Let a job wait behind all others of its priority, and keep it."""
        line = self.lines[job.order.bench]
        behind = sum(self.jobs[other].priority >= job.priority for other in line)
        line.insert(behind, job.id)
        self.jobs[job.id] = job
        self.newest = max(self.newest, job.id)

    def take(self, number: int) -> Job:
        """Let a job wait no more."""
        job = self.jobs[number]
        if job.status is QUEUED:
            self.lines[job.order.bench].remove(number)
        return job

    # --- ordering ---

    @initialize(several=st.lists(st.tuples(benches, priorities), min_size=1, max_size=6))
    def begin_with_some(self, several: Sequence[tuple[str, int]]) -> None:
        for bench, priority in several:
            self.add(0, bench, priority, None, None)

    @rule(
        process=processes,
        bench=benches,
        priority=priorities,
        after=st.none() | which,
        estimate=st.none() | st.just(2.5),
    )
    def add(self, process: int, bench: str, priority: int, after: int | None, estimate: float | None) -> None:
        ground = None if after is None or not self.jobs else f"#{self.pick(after)}"
        order = Order(
            "read", {"row": 3, "name": "Ω", "on": True, "v": 0.25}, bench, after=ground, folder=Path("/lab")
        )
        job = self.change(process, lambda queue: queue.add(order, priority=priority, estimate=estimate))
        assert (job.order, job.status, job.priority, job.estimate) == (order, QUEUED, priority, estimate)
        assert job.id > self.newest  # never a number again
        self.place(job)

    @rule(
        process=processes,
        several=st.lists(st.tuples(benches, st.integers(0, 4)), max_size=4),
        priority=priorities,
    )
    def add_together(self, process: int, several: Sequence[tuple[str, int]], priority: int) -> None:
        orders = [
            Order("solve", {}, bench, after=f"@{place}" if 0 < place <= index else None, folder=Path("/lab"))
            for index, (bench, place) in enumerate(several)
        ]
        act = lambda queue: queue.add_all([(one, None) for one in orders], priority=priority)  # noqa: E731
        added = self.change(process, act) if orders else act(self.queues[process])
        assert [job.order.bench for job in added] == [one.bench for one in orders]
        for job, one in zip(added, orders, strict=True):
            expected = one.after and f"#{added[int(one.after[1:]) - 1].id}"
            assert job.order == replace(one, after=expected)
            self.place(job)

    @precondition(lambda self: self.jobs)
    @rule(process=processes, number=which)
    def clone(self, process: int, number: int) -> None:
        earlier = self.jobs[self.pick(number)]
        job = self.change(process, lambda queue: queue.clone(earlier.id))
        assert (job.order, job.priority, job.status) == (earlier.order, earlier.priority, QUEUED)
        assert (job.attempts, job.run, job.resume_of, job.reason, job.error) == (0, None, None, "", "")
        self.place(job)

    @precondition(lambda self: any(self.lines.values()))
    @rule(process=processes, number=which, bench=benches, after=st.none() | which)
    def edit(self, process: int, number: int, bench: str, after: int | None) -> None:
        number = self.pick(number, QUEUED)
        ground = None if after is None else self.pick(after)
        order = Order("sweep", {"stop": 1.0}, bench, after=ground and f"#{ground}", folder=Path("/lab"))
        before = self.jobs[number]
        ring = set()
        while ground is not None and ground in self.jobs and ground not in ring:
            ring.add(ground)
            further = self.jobs[ground].order.after
            ground = int(further[1:]) if further else None
        if number in ring:
            with pytest.raises(QueueError, match="cannot go on from"):
                self.queues[process].edit(number, order)
            return
        job = self.change(process, lambda queue: queue.edit(number, order, estimate=1.0))
        assert job == replace(before, order=order, estimate=1.0, position=job.position)
        if bench == before.order.bench:
            assert job.position == before.position
            self.jobs[number] = job
        else:
            self.take(number)
            self.place(job)

    @precondition(lambda self: any(self.lines.values()))
    @rule(process=processes, number=which, priority=priorities)
    def set_priority(self, process: int, number: int, priority: int) -> None:
        number = self.pick(number, QUEUED)
        bench = self.jobs[number].order.bench
        others = [other for other in self.lines[bench] if other != number]
        job = self.change(process, lambda queue: queue.set_priority(number, priority))
        assert job == replace(self.jobs[number], priority=priority)
        self.jobs[number] = job
        line = [one.id for one in self.queues[process].jobs(bench, [QUEUED])]
        assert [other for other in line if other != number] == others
        assert [self.jobs[one].priority for one in line] == sorted(
            (self.jobs[one].priority for one in line), reverse=True
        )
        self.lines[bench] = line  # where among those of its priority is not said

    @precondition(lambda self: any(self.lines.values()))
    @rule(process=processes, number=which, place=st.integers(-1, 8))
    def move(self, process: int, number: int, place: int) -> None:
        number = self.pick(number, QUEUED)
        line = self.lines[self.jobs[number].order.bench]
        line.remove(number)
        line.insert(max(place - 1, 0), number)
        index = line.index(number)
        job = self.change(process, lambda queue: queue.move(number, place))
        around = [self.jobs[other].priority for other in (*line[:index][-1:], *line[index + 1 :][:1])]
        assert job.priority == self.jobs[number].priority or job.priority in around
        self.jobs[number] = job
        for other in line:  # all may have another position now
            self.jobs[other] = replace(self.jobs[other], position=self.queues[process].job(other).position)

    @precondition(lambda self: any(self.lines.values()))
    @rule(process=processes, number=which)
    def skip(self, process: int, number: int) -> None:
        number = self.pick(number, QUEUED)
        before = self.take(number)
        job = self.change(process, lambda queue: queue.skip(number, "not today"))
        assert job == replace(before, status=JobStatus.SKIPPED, reason="not today", ended=job.ended)
        self.jobs[number] = job

    @precondition(lambda self: self.jobs)
    @rule(process=processes, number=which)
    def remove(self, process: int, number: int) -> None:
        number = self.pick(number)
        if self.jobs[number].status in ACTIVE:
            with pytest.raises(QueueError, match="is being run"):
                self.queues[process].remove(number)
            return
        self.change(process, lambda queue: queue.remove(number))
        self.take(number)
        del self.jobs[number]

    @rule(
        process=processes,
        bench=st.none() | benches,
        statuses=st.just(ENDED) | st.sets(st.sampled_from(JobStatus)).map(tuple),
    )
    def clear(self, process: int, bench: str | None, statuses: Sequence[JobStatus]) -> None:
        gone = [
            job.id
            for job in self.jobs.values()
            if job.status in statuses and job.status not in ACTIVE and bench in (None, job.order.bench)
        ]
        act = lambda queue: queue.clear(bench, statuses)  # noqa: E731
        assert (self.change(process, act) if gone else act(self.queues[process])) == len(gone)
        for number in gone:
            self.take(number)
            del self.jobs[number]

    # --- carrying out ---

    @precondition(lambda self: self.jobs)
    @rule(process=processes, number=which)
    def begin(self, process: int, number: int) -> None:
        number = self.pick(number)
        run = self.folder / f"{number}.h5"
        job = self.queues[process].begin(number, run=run, worker=7, worker_birth="then")
        before = self.jobs[number]
        assert (job is not None) == (before.status is QUEUED)
        if job is None:
            return
        self.news[1 - process] = True
        self.take(number)
        assert (job.status, job.run, job.worker, job.attempts) == (RUNNING, run, 7, before.attempts + 1)
        assert (job.reason, job.ended, job.error, job.conclusion) == ("", None, "", None)
        self.jobs[number] = job

    @precondition(lambda self: self.jobs)
    @rule(process=processes, number=which, status=st.sampled_from(ACTIVE))
    def pause_or_stop(self, process: int, number: int, status: JobStatus) -> None:
        number = self.pick(number)
        stop = lambda queue: queue.note_stop(number, "stopped by hand")  # noqa: E731
        if self.jobs[number].status not in ACTIVE:
            assert stop(self.queues[process]) == self.jobs[number]
            return
        self.jobs[number] = replace(self.jobs[number], reason="stopped by hand", status=status)
        self.change(process, lambda queue: queue.mark(number, status))
        assert self.change(process, stop) == self.jobs[number]

    @precondition(lambda self: self.pick(0, *ACTIVE))
    @rule(
        process=processes,
        number=which,
        status=st.sampled_from([one for one in ENDED if one is not JobStatus.SKIPPED]),
        decision=st.builds(
            Decision, again=st.booleans(), resume=st.booleans(), hold=st.sampled_from(["", "it failed"])
        ),
        confirmed=st.none() | st.floats(1.0, 100.0),
    )
    def end(
        self, process: int, number: int, status: JobStatus, decision: Decision, confirmed: float | None
    ) -> None:
        number = self.pick(number, *ACTIVE)
        before, bench = self.jobs[number], self.jobs[number].order.bench
        act = lambda queue: queue.end(number, status, "so", decision, seconds=1.5, confirmed=confirmed)  # noqa: E731
        job = self.change(process, act)
        assert (job.worker, job.runner, job.seconds, job.run) == (None, None, 1.5, before.run)
        if decision.again:
            assert (job.status, job.resume_of) == (QUEUED, before.run if decision.resume else None)
            self.lines[bench].insert(0, number)  # before all others
        else:
            assert (job.status, job.reason) == (status, "so")
        self.jobs[number] = job
        lane = self.lanes[bench]
        if decision.hold:
            lane = replace(lane, held=True, reason=f"job {number} ({before.order.procedure}): it failed: so")
        if confirmed is not None and confirmed >= (lane.confirmed or 0.0):
            lane = replace(lane, confirmed=confirmed, confirmed_by=f"read back when job {number} had ended")
        self.lanes[bench] = lane

    # --- the state of a bench's queue ---

    @rule(
        process=processes,
        bench=benches,
        act=st.sampled_from(["hold", "hold_unsafe", "release", "confirm_safe", "acknowledge", "set_policy"]),
        when=st.floats(1.0, 100.0),
        reaction=st.sampled_from(Reaction),
    )
    def change_lane(self, process: int, bench: str, act: str, when: float, reaction: Reaction) -> None:
        policy, live = Policy(reaction, Reaction.SKIP, 3), ("smu", "gate")
        arguments = {
            "hold": ["lunch"], "hold_unsafe": ["stop", "lost", live], "confirm_safe": [when, "a person"],
            "set_policy": [policy],
        }.get(act, [])  # fmt: skip
        lane = self.change(process, lambda queue: getattr(queue, act)(bench, *arguments))
        before, no_warning = self.lanes[bench], {"unsafe": False, "unsafe_reason": "", "live": ()}
        newer = when >= (
            before.confirmed or 0.0
        )  # a read-back that is noted late replaces none that came after it
        known: dict[str, dict[str, Any]] = {
            "hold": {"held": True, "reason": "lunch"},
            "hold_unsafe": {
                "held": True,
                "reason": "stop",
                "unsafe": True,
                "unsafe_reason": "lost",
                "live": live,
            },
            "release": {"held": False, "reason": ""},
            "confirm_safe": no_warning | ({"confirmed": when, "confirmed_by": "a person"} if newer else {}),
            "acknowledge": no_warning | {"acknowledged": lane.acknowledged},
            "set_policy": {"policy": policy},
        }
        self.lanes[bench] = replace(before, **known[act])
        assert lane == self.lanes[bench]

    # --- what goes wrong ---

    @rule(process=processes)
    def reopen(self, process: int) -> None:
        self.queues[process].close()
        self.queues[process] = self.open()
        self.news[process] = False

    @rule(process=processes, number=st.sampled_from([0, -1, 2**40]) | which)
    def change_what_cannot_be_changed(self, process: int, number: int) -> None:
        """A job that is not there, or one that waits no more."""
        queue = self.queues[process]
        if number and 0 < number < 2**40:
            number = self.pick(number, *ACTIVE, *ENDED) or 0
        there = number in self.jobs
        refusal = "only a queued job can be changed" if there else f"there is no job {number} "
        acts: list[Callable[[], Any]] = [
            lambda: queue.move(number, 1), lambda: queue.set_priority(number, 1), lambda: queue.skip(number, ""),
            lambda: queue.edit(number, Order("read")),
        ]  # fmt: skip
        if not there:
            acts += [
                lambda: queue.job(number), lambda: queue.remove(number), lambda: queue.clone(number),
                lambda: queue.note_stop(number, ""), lambda: queue.end(number, JobStatus.FAILED, ""),
            ]  # fmt: skip
        for act in acts:
            with pytest.raises(QueueError, match=refusal):
                act()
        assert queue.begin(number, run=None, worker=7) is None

    @rule(process=processes, bench=benches)
    def add_what_cannot_wait(self, process: int, bench: str) -> None:
        good, wrong = Order("read", {}, bench), Order("read", {"x": float("nan")}, bench)
        with pytest.raises(QueueError):
            self.queues[process].add_all([(good, None), (wrong, None)])

    @rule(
        process=processes, bench=benches, number=which, statement=statements, killed=st.booleans(),
        act=st.sampled_from(["add", "move", "end", "edit", "hold_unsafe"]),
    )  # fmt: skip
    def fail_between(
        self, process: int, bench: str, number: int, statement: int, killed: bool, act: str
    ) -> None:
        """Kill the process in the middle of a change, or let the disk refuse a part of it: nothing of it is done."""
        queue, bench_job = self.queues[process], Order("read", {}, bench)
        waiting, active = self.pick(number, QUEUED), self.pick(number, *ACTIVE)
        changes: dict[str, Callable[[], Any]] = {
            "add": lambda: queue.add_all([(bench_job, None)] * 3),
            "hold_unsafe": lambda: queue.hold_unsafe(bench, "stop", "lost", ["smu"]),
        }
        if waiting is not None:
            changes |= {
                "move": lambda: queue.move(waiting, 1),
                "edit": lambda: queue.edit(waiting, bench_job),
            }
        if active is not None:
            again = Decision(again=True, hold="it failed")
            changes |= {"end": lambda: queue.end(active, JobStatus.FAILED, "so", again)}
        change = changes.get(act, changes["add"])
        sound = queue._database._connection
        queue._database._connection = FailingConnection(sound, statement, killed=killed)  # type: ignore[assignment]
        with pytest.raises(CrashError if killed else StorageError):
            change()
        queue._database._connection = sound
        if killed:
            self.reopen(process)

    # --- looking ---

    @rule(process=processes, bench=benches)
    def follow(self, process: int, bench: str) -> None:
        follower = self.followers[bench]
        follower.revision, changed, order = self.queues[process].changes(bench, follower.revision)
        known = follower.jobs | {job.id: job for job in changed}
        follower.jobs = {number: known[number] for number in order}
        assert list(follower.jobs.values()) == self.queues[1 - process].jobs(bench)

    @rule(process=processes)
    def notice_changes(self, process: int) -> None:
        assert self.queues[process].changed() == self.news[process]
        self.news[process] = False

    @rule(process=processes, bench=benches, ended=st.integers(0, 3), waiting=st.integers(0, 3))
    def show(self, process: int, bench: str, ended: int, waiting: int) -> None:
        everything = self.queues[process].jobs(bench)
        was, runs = ([job for job in everything if job.status in group] for group in (ENDED, ACTIVE))
        next_ones = (self.jobs[one] for one in self.lines[bench][:waiting])
        expected = [*was[len(was) - min(ended, len(was)) :], *runs, *next_ones]
        assert self.queues[process].shown(bench, ended=ended, waiting=waiting) == expected

    @precondition(lambda self: self.newest)
    @rule(process=processes, number=which)
    def miss(self, process: int, number: int) -> None:
        number = 1 + number % self.newest
        assert self.queues[process].removed(number) == (number not in self.jobs)

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        for queue in self.queues:
            assert {job.id: job for job in queue.jobs()} == self.jobs
        for bench in BENCHES:
            listed = self.queues[0].jobs(bench)
            mine = [job for job in self.jobs.values() if job.order.bench == bench]
            was = sorted((job for job in mine if job.status in ENDED), key=lambda job: (job.ended, job.id))
            runs = sorted(job.id for job in mine if job.status in ACTIVE)
            assert [job.id for job in listed] == [*(job.id for job in was), *runs, *self.lines[bench]]
            following = self.queues[1].next(bench)
            assert (following and following.id) == next(iter(self.lines[bench]), None)
            assert self.queues[1].lane(bench) == self.lanes[bench]
        self.follow(0, BENCHES[0])
        counted = {(one.bench, one.status): one.count for one in self.queues[1].totals()}
        assert sum(counted.values()) == len(self.jobs)
        for (bench, status), count in counted.items():
            assert count == sum(
                (job.order.bench, job.status) == (bench, status) for job in self.jobs.values()
            )


TestQueueStates, TestQueueStatesThoroughly = daily_and_thorough(QueueStates, examples=25, steps=40, times=10)
