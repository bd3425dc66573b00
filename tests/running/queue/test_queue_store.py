"""The queue's order, durability and refusals, on a real SQLite file, in one process and in several."""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.errors import QueueError
from mho.running.queue import Job, JobStatus, Order, Policy, Queue, Reaction
from mho.running.queue.database import StorageError
from mho.running.queue.job import Decision, Lane, decide, unsafe_text
from mho.running.queue.orders import run_before
from mho.running.queue.store import DeferredWrites
from mho.runs import Conclusion

SOLVE = Order("solve", {"matrix": "a.npy", "bits": 12}, folder=Path("/lab"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "queue.sqlite"


@pytest.fixture
def queue(path: Path):
    with Queue(path) as opened:
        yield opened


def line(queue: Queue, bench: str | None = None) -> list[int]:
    return [job.id for job in queue.jobs(bench, [JobStatus.QUEUED])]


def begin(queue: Queue, job: Job) -> Job | None:
    return queue.begin(job.id, run=Path("/runs/a.h5"), worker=1)


# --- order ---


def test_what_was_added_is_there_after_closing(path):
    order = Order(
        "solve", {"bits": 3, "rhs": "ones", "x": 0.5, "y": True}, "b.toml", 7, "pku", Path("o.h5"), Path("/f")
    )
    with Queue(path) as queue:
        added = queue.add(order, priority=2, estimate=3.5)
    with Queue(path) as queue:
        assert queue.jobs() == [added]
    assert (added.order, added.status, added.priority, added.estimate) == (order, JobStatus.QUEUED, 2, 3.5)


def test_the_highest_priority_goes_first_and_then_the_first_added(queue):
    a, b, c, d = (queue.add(SOLVE, priority=p).id for p in (0, 5, 0, 5))
    assert line(queue) == [b, d, a, c]
    queue.set_priority(c, 9)
    assert line(queue) == [c, b, d, a]
    assert queue.next("simulated").id == c


@settings(max_examples=20)
@given(
    st.lists(st.integers(-1, 1), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 10)), max_size=6),
)
def test_a_moved_job_stands_where_it_was_put_and_the_others_keep_their_order(
    tmp_path_factory, priorities, moves
):
    with Queue(tmp_path_factory.mktemp("queue") / "q.sqlite") as queue:
        jobs = [queue.add(SOLVE, priority=priority).id for priority in priorities]
        for index, place in moves:
            number = jobs[index % len(jobs)]
            expected = [one for one in line(queue) if one != number]
            expected.insert(place - 1, number)
            queue.move(number, place)
            assert line(queue) == expected


def test_benches_have_lines_of_their_own(queue):
    a = queue.add(SOLVE).id
    b = queue.add(Order("solve", bench="/lab/b.toml")).id
    assert (line(queue, "simulated"), line(queue, "/lab/b.toml")) == ([a], [b])
    queue.hold("simulated", "tea")
    assert [(lane.bench, lane.held) for lane in queue.lanes()] == [
        ("/lab/b.toml", False),
        ("simulated", True),
    ]
    moved = queue.edit(a, Order("solve", bench="/lab/b.toml"))
    assert line(queue, "/lab/b.toml") == [b, moved.id]


def test_the_list_shows_what_ended_then_what_runs_then_what_waits(queue):
    a, b, c, d = (queue.add(SOLVE) for _ in range(4))
    begin(queue, b)
    queue.end(b.id, JobStatus.FINISHED, "")
    begin(queue, d)
    assert [job.id for job in queue.jobs()] == [b.id, d.id, a.id, c.id]


@pytest.mark.parametrize(
    "conclusion", [None, Conclusion("converged, 25 µ", ("warm", "wet"), measured=False, unsafe="no answer")]
)
def test_what_a_job_s_run_concluded_is_read_as_it_was_kept(conclusion, queue):
    job = begin(queue, queue.add(SOLVE))
    queue.end(job.id, JobStatus.FINISHED, "", conclusion=conclusion)
    assert queue.job(job.id).conclusion == conclusion


# --- changing ---


def test_only_what_waits_can_be_changed(queue):
    job = begin(queue, queue.add(SOLVE))
    for change in (
        lambda: queue.move(job.id, 1),
        lambda: queue.set_priority(job.id, 1),
        lambda: queue.edit(job.id, SOLVE),
        lambda: queue.skip(job.id, ""),
    ):
        with pytest.raises(QueueError, match=f"job {job.id} is running; only a queued job can be changed"):
            change()
    assert begin(queue, job) is None
    with pytest.raises(QueueError, match="is being run; abort it"):
        queue.remove(job.id)


def test_a_job_that_is_not_there_is_named(queue):
    with pytest.raises(QueueError, match="there is no job 7"):
        queue.remove(7)


def test_a_removed_job_s_number_is_not_used_again(queue):
    first = queue.add(SOLVE).id
    queue.remove(first)
    assert queue.add(SOLVE).id != first


def test_a_clone_is_a_new_job_with_the_same_order(queue):
    job = begin(queue, queue.add(SOLVE, priority=3))
    queue.end(job.id, JobStatus.FAILED, "no")
    copy = queue.clone(job.id)
    assert (copy.order, copy.priority, copy.status, copy.attempts) == (SOLVE, 3, JobStatus.QUEUED, 0)


def test_clearing_forgets_what_has_ended_and_nothing_else(queue):
    ended, running, waiting = (queue.add(SOLVE) for _ in range(3))
    begin(queue, ended)
    queue.end(ended.id, JobStatus.ABORTED, "")
    begin(queue, running)
    assert queue.clear() == 1
    assert [job.id for job in queue.jobs()] == [running.id, waiting.id]
    assert queue.clear(statuses=tuple(JobStatus)) == 1
    assert [job.id for job in queue.jobs()] == [running.id]


@pytest.mark.parametrize("value", [[[1, 2], object()], float("nan"), float("inf")])
def test_an_array_or_no_number_cannot_wait_in_a_queue(queue, value):
    with pytest.raises(QueueError, match="parameter 'matrix' of solve cannot wait in a queue"):
        queue.add(Order("solve", {"bits": 12, "matrix": value}))
    assert queue.jobs() == []


# --- what follows ---

STOP, SKIP, RETRY, RESUME = Reaction
TABLE = [
    # on_failure, on_interruption, retries, how it ended, attempts: again, resume, held
    (STOP, STOP, 1, "finished", 1, False, False, False),
    (STOP, STOP, 1, "aborted", 1, False, False, False),
    (STOP, SKIP, 1, "failed", 1, False, False, True),
    (STOP, SKIP, 1, "interrupted", 1, False, False, False),
    (SKIP, STOP, 1, "failed", 1, False, False, False),
    (SKIP, STOP, 1, "interrupted", 1, False, False, True),
    (RETRY, STOP, 2, "failed", 1, True, False, False),
    (RETRY, STOP, 2, "failed", 2, True, False, False),
    (RETRY, STOP, 2, "failed", 3, False, False, True),
    (RETRY, STOP, 0, "failed", 1, False, False, True),
    (RETRY, STOP, 9, "aborted", 1, False, False, False),
    (STOP, RESUME, 1, "interrupted", 1, True, True, False),
    (STOP, RESUME, 1, "interrupted", 2, False, False, True),
    (RESUME, STOP, 1, "failed", 1, True, True, False),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}-{row[3]}-{row[4]}")
def test_the_policy_decides(row):
    failure, interruption, retries, status, attempts, again, resume, held = row
    decision = decide(Policy(failure, interruption, retries), status, attempts)
    assert (decision.again, decision.resume, bool(decision.hold)) == (again, resume, held)


@pytest.mark.parametrize("policy", [Policy(), Policy(on_failure=RETRY, retries=3)])
@pytest.mark.parametrize(
    ("error", "safe", "goes_on"),
    [
        ("InputError", True, True),
        ("ChipMapError", True, True),
        ("LimitError", True, True),
        ("InputError", False, False),  # the bench is in doubt
        ("UnsafeError", True, False),
        ("BenchError", True, False),
        ("InstrumentError", True, False),
        ("ValueError", True, False),
        ("", True, False),
    ],
)
def test_a_job_of_bad_input_holds_no_other_unless_the_bench_is_in_doubt(policy, error, safe, goes_on):
    decision = decide(policy, "failed", 1, error, safe=safe)
    assert (decision == Decision()) is goes_on
    assert decide(Policy(), "interrupted", 1, error, safe=safe).hold


def test_a_job_that_is_tried_again_goes_next_and_says_why(queue):
    job, other = queue.add(SOLVE), queue.add(SOLVE, priority=4)
    begin(queue, job)
    again = queue.end(job.id, JobStatus.INTERRUPTED, "power cut", Decision(again=True, resume=True))
    assert line(queue) == [job.id, other.id]
    assert (again.status, again.attempts, again.resume_of) == (JobStatus.QUEUED, 1, Path("/runs/a.h5"))
    assert again.reason == "attempt 1 interrupted: power cut"


def test_a_held_queue_says_which_job_held_it_and_why(queue):
    job = begin(queue, queue.add(SOLVE))
    queue.end(job.id, JobStatus.FAILED, "smoke", decide(Policy(), "failed", 1))
    lane = queue.lane("simulated")
    assert lane.held
    assert lane.reason == f"job {job.id} (solve): it failed, and the policy is to stop: smoke"
    assert queue.release("simulated").reason == ""


def test_a_line_that_is_only_written_again_is_as_it_was(queue):
    held = queue.hold("simulated", "for lunch")
    assert queue.touch("simulated") == held == queue.lane("simulated")


def test_what_is_not_safe_stays_said_until_somebody_has_made_it_safe(queue):
    queue.hold_unsafe("simulated", "bench is not safe", "gate: no answer", ["gate"])
    job = begin(queue, queue.add(SOLVE))
    queue.end(job.id, JobStatus.FAILED, "smoke", decide(Policy(), "failed", 1))
    queue.hold("simulated", "tea")
    queue.set_policy("simulated", Policy(Reaction.SKIP))
    for lane in (queue.lane("simulated"), queue.release("simulated"), queue.lanes()[0]):
        assert (lane.unsafe, lane.live, lane.unsafe_reason) == (True, ("gate",), "gate: no answer")
        assert lane.warning.startswith("NOT CONFIRMED SAFE: bench simulated, gate may be live")
    lane = queue.confirm_safe("simulated", 5.0)
    assert (lane.unsafe, lane.live, lane.warning) == (False, (), "")
    assert (lane.confirmed, lane.on_word) == (5.0, "")


def test_somebody_s_word_is_no_read_back(queue):
    queue.hold_unsafe("simulated", "bench is not safe", "gate: no answer", ["gate"])
    lane = queue.acknowledge("simulated")
    assert lane == queue.lane("simulated")
    assert (lane.unsafe, lane.confirmed) == (False, None)
    assert "on somebody's word" in lane.on_word
    lane = queue.confirm_safe("simulated", time.time(), "read back")
    assert (lane.confirmed_by, lane.on_word) == ("read back", "")


@pytest.mark.parametrize(
    ("acknowledged", "confirmed", "unsafe", "said"),
    [(None, None, False, False), (5.0, None, False, True), (5.0, 4.0, False, True), (5.0, 5.0, False, False),
     (5.0, 6.0, False, False), (5.0, 4.0, True, False)],
)  # fmt: skip
def test_somebody_s_word_counts_until_outputs_are_read_back(acknowledged, confirmed, unsafe, said):
    lane = Lane("lab", acknowledged=acknowledged, confirmed=confirmed, unsafe=unsafe, unsafe_reason="why")
    assert bool(lane.on_word) is said
    assert lane.warning == ("NOT CONFIRMED SAFE: bench lab, any output may be live (why)" if unsafe else "")


@pytest.mark.parametrize(
    ("live", "reason", "text"),
    [
        ((), "", "any output may be live"),
        (("smu",), "NOT CONFIRMED SAFE: smu (gone)", "smu may be live (smu (gone))"),
        (("smu", "gate", "board"), "", "smu, gate and board may be live"),
    ],
)
def test_what_may_be_live_is_named(live, reason, text):
    assert unsafe_text("lab", live, reason) == f"NOT CONFIRMED SAFE: bench lab, {text}"


def test_a_decision_says_why_the_queue_is_held():
    assert decide(Policy(), "failed", 1).hold == "it failed, and the policy is to stop"
    assert decide(Policy(), "interrupted", 1).hold == "it was interrupted, and the policy is to stop"
    policy = Policy(on_failure=RETRY)
    assert decide(policy, "failed", 1) == Decision(again=True)
    assert decide(policy, "failed", 2).hold == "it failed 2 times, and the policy allows 1 retries"


def test_a_read_back_that_is_noted_late_replaces_no_later_one(queue):
    queue.confirm_safe("simulated", 20.0, "one process")
    lane = queue.confirm_safe("simulated", 10.0, "another")
    assert (lane.confirmed, lane.confirmed_by) == (20.0, "one process")


def test_of_a_job_s_end_only_what_was_read_back_is_noted_of_the_bench(queue):
    first, second, third = (begin(queue, queue.add(SOLVE)) for _ in range(3))
    queue.end(first.id, JobStatus.FINISHED, "")
    assert queue.lane("simulated").confirmed is None
    queue.end(second.id, JobStatus.FAILED, "smoke", confirmed=7.0)
    queue.end(third.id, JobStatus.FINISHED, "", confirmed=6.0)  # an older one takes nothing back
    lane = queue.lane("simulated")
    assert (lane.confirmed, lane.confirmed_by) == (7.0, f"read back when job {second.id} had ended")


def test_the_last_finished_runs_of_a_kind_are_found(queue):
    assert queue.finished("simulated", SOLVE) == []
    for number in range(3):
        job = begin(queue, queue.add(SOLVE))
        queue.end(job.id, JobStatus.FAILED if number == 2 else JobStatus.FINISHED, "", pulses=number)
    assert [job.pulses for job in queue.finished("simulated", SOLVE)] == [1, 0]
    assert len(queue.finished("simulated")) == 2
    assert queue.finished("simulated", replace(SOLVE, preset="quiet")) == []
    assert queue.finished("simulated", replace(SOLVE, procedure="read")) == []
    assert queue.finished("other") == []


def test_a_copy_of_what_has_run_is_expected_to_take_as_long(queue):
    job = begin(queue, queue.add(SOLVE, estimate=0.9))
    assert queue.clone(job.id).estimate == 0.9
    ended = queue.end(job.id, JobStatus.FINISHED, "")
    assert queue.clone(job.id).estimate == ended.ended - ended.started


# --- many ---


def test_of_a_long_queue_only_what_is_asked_for_is_shown_and_all_are_counted(queue):
    jobs = queue.add_all([(SOLVE, 2.0)] * 6)
    other = queue.add(Order("solve", bench="/lab/b.toml"))
    for job in jobs[:3]:
        begin(queue, job)
        queue.end(job.id, JobStatus.FINISHED, "")
    begin(queue, jobs[3])
    queue.set_priority(jobs[5].id, 1)
    shown = queue.shown("simulated", ended=2, waiting=1)
    assert [job.id for job in shown] == [jobs[i].id for i in (1, 2, 3, 5)]
    assert queue.shown(ended=9, waiting=9) == queue.jobs()
    assert queue.shown(statuses=[JobStatus.FINISHED], ended=1, waiting=9) == queue.jobs()[2:3]
    assert {(one.bench, one.status): (one.count, one.seconds) for one in queue.totals()} == {
        ("simulated", JobStatus.FINISHED): (3, 6.0),
        ("simulated", JobStatus.RUNNING): (1, 2.0),
        ("simulated", JobStatus.QUEUED): (2, 4.0),
        (other.order.bench, JobStatus.QUEUED): (1, 0.0),
    }


def test_jobs_that_are_added_together_go_on_after_each_other(queue):
    queue.add(SOLVE)
    jobs = queue.add_all(
        [(SOLVE, None), (replace(SOLVE, after="@1"), 1.0), (replace(SOLVE, bench="b"), None)]
    )
    assert [job.order.after for job in jobs] == [None, f"#{jobs[0].id}", None]
    assert [job.position for job in jobs] == [2, 3, 1]
    assert queue.add_all([]) == []


# --- a disk that fails ---


def test_a_full_disk_is_told_apart_and_leaves_nothing_half_done(queue):
    queue.add_all([(SOLVE, None)] * 50)
    connection = queue._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    long = Order("solve", {"matrix": "a" * 10_000})
    with pytest.raises(StorageError, match="database or disk is full"):
        queue.add_all([(SOLVE, None), (long, None)])
    assert len(queue.jobs()) == 50
    connection.execute(f"PRAGMA max_page_count = {10 * pages}")
    assert len(queue.add_all([(SOLVE, None), (long, None)])) == 2


def test_a_queue_that_may_only_be_read_is_shown(queue, path):
    queue.add(SOLVE)
    queue._database._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="attempt to write a readonly database"):
        queue.add(SOLVE)
    assert queue.next("simulated").id == 1


# --- several processes ---


def take_turns(path: str, count: int) -> None:
    with Queue(path) as queue:
        for _ in range(count):
            queue.add(SOLVE)
            while (job := queue.next("simulated")) is not None:
                if begin(queue, job) is not None:  # else another process was faster
                    queue.end(job.id, JobStatus.FINISHED, "")


@pytest.mark.thorough
def test_processes_that_add_and_take_at_once_lose_and_double_nothing(path):
    Queue(path).close()
    processes = [multiprocessing.Process(target=take_turns, args=(str(path), 15)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with Queue(path) as queue:
        jobs = queue.jobs()
    assert len(jobs) == 60
    assert {(job.status, job.attempts) for job in jobs} == {(JobStatus.FINISHED, 1)}


def test_a_change_by_another_is_noticed_once(queue, path):
    assert not queue.changed()
    with Queue(path) as other:
        other.add(SOLVE)
    assert queue.changed()
    assert not queue.changed()
    queue.add(SOLVE)  # one's own is no news
    assert not queue.changed()


# --- what is no queue ---


def test_a_file_that_is_no_queue_is_refused_and_left_alone(tmp_path):
    text, database = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    text.write_text("precious" * 100)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    for path, told in ((text, "cannot be used: file is not a database"), (database, "no queue of mho")):
        before = path.read_bytes()
        with pytest.raises(QueueError, match=told):
            Queue(path)
        assert path.read_bytes() == before


def test_a_runner_goes_on_when_a_newer_mho_has_added_a_column(path):
    with Queue(path) as queue:
        queue.add(Order("read"))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("ALTER TABLE jobs ADD COLUMN colour TEXT")
        connection.close()
        assert queue.job(1).order == Order("read")


def test_a_newer_queue_is_refused(path):
    Queue(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(QueueError, match="version 99, this mho reads up to 7; update mho"):
        Queue(path)


def test_no_job_goes_on_with_the_chip_of_one_that_has_not_finished(queue):
    job = queue.add(SOLVE)
    following = replace(SOLVE, after=f"#{job.id}")
    with pytest.raises(
        QueueError, match=r"job 1, whose chip this one goes on with, is queued; run that one first"
    ):
        run_before(following, queue)
    begin(queue, job)
    queue.end(job.id, JobStatus.FINISHED, "")
    assert run_before(following, queue) == Path("/runs/a.h5")
    assert run_before(replace(SOLVE, after="/runs/b.h5"), queue) == Path("/runs/b.h5")
    assert run_before(SOLVE, queue) is None


def test_a_disk_that_fails_is_said_once_and_so_is_that_all_is_written(queue, monkeypatch):
    said: list[tuple[str, str]] = []
    writes = DeferredWrites(queue, "simulated", lambda level, text: said.append((level, text)))
    written: list[int] = []

    def fail(*_):
        raise StorageError("the disk is full")

    def change(number):
        return fail() if not room else written.append(number)

    room: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(queue, "lane", fail)
        for number in (1, 2):
            assert not writes.write(lambda number=number: change(number))
        assert not writes.settled
        assert (writes.lane.held, writes.lane.reason) == (True, "the disk is full")
    assert said == [("CRITICAL", "the disk is full. It is tried again, and no job is begun before")]
    room.append(True)
    assert writes.catch_up()
    assert writes.catch_up()
    assert written == [1, 2]
    assert writes.settled
    assert said[1:] == [("WARNING", "the queue of simulated is written again; nothing was lost")]
    assert not writes.lane.held
    room.clear()
    assert not writes.write(lambda: change(3))
    assert [level for level, _ in said] == ["CRITICAL", "WARNING", "CRITICAL"]
