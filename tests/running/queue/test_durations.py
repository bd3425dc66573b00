"""What a job is expected to take: start, repeated runs, its own run by the last of its kind, and unknown where it is."""

from dataclasses import replace
from itertools import pairwise

import pytest
from queue_runners import order

from mho import run
from mho.errors import InputError, RunFileError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Read
from mho.procedures.base import Estimate
from mho.procedures.stream import Paused, Progress, Resumed
from mho.running.queue import JobStatus, Order, Queue, duration, expected_text, expected_together
from mho.running.queue.orders import (
    HARDWARE_PULSE,
    RUN,
    SIMULATED_PULSE,
    START,
    checked_all,
    expect,
    expected_seconds,
    own_seconds,
    repeated_seconds,
)
from mho.running.queue.progress import Pace

SOURCE = load_bench_file("simulated")
READ = Order("read", {"rows": "0:4", "columns": "0:4", "repeats": 3})


@pytest.fixture
def queue(tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        yield queue


def finish(queue, wanted, *, start=2.0, seconds=6.0, pulses=None):
    """Put a job on record that finished: its worker's start took `start`, its run `seconds`."""
    job = queue.add(wanted)
    queue.begin(job.id, run=None, worker=1, worker_birth="long ago")
    queue.end(job.id, JobStatus.FINISHED, "", seconds=seconds, pulses=pulses)
    with queue._database.changing():
        queue._set(job.id, started=1000.0 * job.id, ended=1000.0 * job.id + start + seconds)
    return queue.job(job.id)


def test_without_a_record_the_procedure_says_it_and_a_worker_has_to_start(queue):
    for own, expected in (
        (Estimate(1000), START + RUN + 1000 * SIMULATED_PULSE),
        (Estimate(0, 5.0), START + RUN + 5.0),
        (Estimate(), None),
    ):
        assert expected_seconds(READ, own, queue, SOURCE) == (expected and pytest.approx(expected))
    real = SOURCE.bench.model_copy(update={"simulation": None})
    assert (
        own_seconds(Estimate(10), type(SOURCE)(**{**vars(SOURCE), "bench": real}))
        == RUN + 10 * HARDWARE_PULSE
    )


def test_the_same_order_takes_what_it_took(queue):
    for seconds in (100.0, 6.0, 7.0, 6.5, 6.8, 6.4):
        finish(queue, READ, seconds=seconds)
    assert expected_seconds(READ, Estimate(0, 0.1), queue, SOURCE) == pytest.approx(
        2.0 + 6.5
    )  # the median of five


def test_another_of_its_kind_goes_at_the_pace_of_the_last(queue):
    solve = Order("solve", {"matrix": "a.npy"})
    finish(queue, Order("solve", {"matrix": "b.npy"}), seconds=6.0, pulses=3000)
    pace = 6.0 / (RUN + 3000 * SIMULATED_PULSE)
    expected = 2.0 + pace * (RUN + 1000 * SIMULATED_PULSE)
    assert expected_seconds(solve, Estimate(1000), queue, SOURCE) == pytest.approx(expected)
    finish(
        queue, READ, seconds=8.0
    )  # a procedure that tells seconds is asked what it would have said of that one
    longer = Order("read", READ.parameters | {"repeats": 30})
    shorter_own, longer_own = (_estimate(one.parameters) for one in (READ, longer))
    assert longer_own > shorter_own
    expected = 2.0 + 8.0 / (RUN + shorter_own) * (RUN + longer_own)
    assert expect(longer, queue).seconds == pytest.approx(expected)


def _estimate(parameters):
    procedure = Read(**parameters)
    return procedure.estimate(procedure.check(), SOURCE).seconds


def test_each_of_a_chain_repeats_all_before_it(queue, tmp_path):
    first = finish(queue, READ, start=3.0, seconds=1.0)
    second = finish(queue, Order("read", READ.parameters, after=f"#{first.id}"), start=4.0, seconds=1.5)
    third = Order("read", READ.parameters, after=f"#{second.id}")
    expected = expect(third, queue)
    complete, seconds = expected.order, expected.seconds
    assert seconds == pytest.approx(3.0 + (1.0 + 1.5) + 1.25)  # start, repeated, its own as the median of two
    waiting = queue.add(complete, estimate=seconds)
    fourth = expect(Order("read", READ.parameters, after=f"#{waiting.id}"), queue).seconds
    assert fourth == pytest.approx(seconds + 1.25)
    unknown = queue.add(READ)  # of which nobody knows how long it takes
    assert expect(Order("read", READ.parameters, after=f"#{unknown.id}"), queue).seconds is None


def test_a_run_that_failed_after_seconds_is_expected_to_take_what_it_was(queue):
    finish(queue, READ, start=3.0, seconds=1.0)
    failed = queue.add(READ, estimate=50.0)
    queue.begin(failed.id, run=None, worker=1, worker_birth="long ago")
    queue.end(failed.id, JobStatus.FAILED, "", seconds=2.0, pulses=None)
    assert repeated_seconds(f"#{failed.id}", queue, 3.0) == pytest.approx(50.0 - 3.0)


def test_ten_chained_reads_are_expected_to_take_ever_longer(queue, tmp_path):
    plan = [Order("read", READ.parameters, after=f"@{number}" if number else None) for number in range(10)]
    found = [seconds for _, seconds in checked_all(plan, queue)]
    steps = [b - a for a, b in pairwise(found)]
    assert found[0] >= START
    assert steps == pytest.approx([found[0] - START] * 9)


def test_orders_of_a_plan_that_differ_in_more_than_their_seed_are_each_checked(queue):
    """Also where a parameter happens to have the seed's value."""
    few, many = (Order("read", {**READ.parameters, "repeats": repeats}, seed=7) for repeats in (7, 4000))
    (_, first), (_, second), (_, same) = checked_all([few, many, replace(few, seed=8)], queue)
    assert first < second
    assert same == first
    with pytest.raises(InputError, match="bogus"):
        checked_all([Order("read", {}, seed=7), Order("read", {"bogus": 7}, seed=7)], queue)


@pytest.mark.thorough
def test_runs_that_files_name_are_counted(queue, tmp_path):
    run(Read(**READ.parameters), seed=1, output=tmp_path / "a.h5")
    run(Read(**READ.parameters), after=tmp_path / "a.h5", seed=2, output=tmp_path / "b.h5")
    finish(queue, READ, start=0.0, seconds=0.0)
    one = expect(Order("read", READ.parameters, after=str(tmp_path / "a.h5")), queue).seconds
    two = expect(Order("read", READ.parameters, after=str(tmp_path / "b.h5")), queue).seconds
    assert 0.0 < one < two
    (tmp_path / "b.h5").write_bytes(b"damaged")
    with pytest.raises(RunFileError, match="not an HDF5 file"):
        expect(Order("read", READ.parameters, after=str(tmp_path / "b.h5")), queue)


def test_a_procedure_that_says_nothing_is_unknown_and_then_as_the_last(queue):
    going = order(seconds=3.0)
    assert expect(going, queue).seconds is None
    finish(queue, going, start=1.0, seconds=3.2)
    assert expect(going, queue).seconds == pytest.approx(4.2)
    assert expect(order(seconds=600.0), queue).seconds is None  # of which that says nothing


def test_what_is_not_known_is_written_so():
    assert [expected_text(one) for one in (None, 0.2, 7.0, 7200.0)] == [
        "unknown", "< 1 s", "about 7 s", "about 2 h 0 min",
    ]  # fmt: skip
    assert expected_together([None, None]) == "how long is unknown"
    assert expected_together([3.0, None, 4.0]) == "about 7 s expected, and 1 of unknown length"
    assert expected_together([3.0]) == "about 3 s expected"
    assert duration(None) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.99, "< 1 s"), (1.0, "1 s"), (99.4, "99 s"), (99.5, "2 min"), (3569.0, "59 min"), (3571.0, "1 h 0 min"),
        (7500.0, "2 h 5 min"), (90_000.0, "25 h 0 min"),
    ],
)  # fmt: skip
def test_seconds_are_said_as_people_say_them(seconds, words):
    assert duration(seconds) == words
    assert expected_text(seconds) == ("< 1 s" if seconds < 1.0 else f"about {words}")


def test_of_nothing_nothing_is_expected():
    assert expected_together([]) == "nothing to do"
    assert expected_together([0.2, None, None]) == "< 1 s expected, and 2 of unknown length"


def test_a_worker_s_start_and_a_run_of_nothing_take_seconds_before_any_was_measured(queue):
    assert (START, RUN, SIMULATED_PULSE) == (3.0, 0.5, 1e-3)  # (?) of one machine
    assert own_seconds(Estimate(pulses=0), SOURCE) == 0.5
    assert own_seconds(Estimate(), SOURCE) is None
    assert HARDWARE_PULSE >= SIMULATED_PULSE


def test_the_last_five_of_a_kind_are_what_a_job_is_expected_to_take(queue):
    for number, seconds in enumerate((900.0, 900.0, 900.0, 1.0, 2.0, 3.0, 4.0, 5.0)):
        finish(queue, READ, start=10.0 * (8 - number), seconds=seconds)
    # of runs the last five: 3 s; of starts, too: 50, 40, 30, 20, 10
    assert expected_seconds(READ, Estimate(7), queue, SOURCE) == pytest.approx(30.0 + 3.0)


def test_before_anything_was_made_of_a_stage_its_pace_is_unknown():
    clock = [5.0]
    pace = Pace(None, lambda: clock[0])
    pace.take(Progress("programming", 4, 12))
    clock[0] += 3.0
    assert pace.seconds_left() is None
    pace.take(Progress("programming", 5, 12))
    assert pace.seconds_left() == 21.0
    pace.take(Resumed())  # without a pause before
    assert pace.elapsed() == 3.0


def test_the_time_left_is_the_larger_of_the_estimate_and_the_pace_of_the_stage():
    clock = [100.0]
    pace = Pace(60.0, lambda: clock[0])
    assert pace.seconds_left() == 60.0
    pace.take(Progress("programming", 2, 12))
    clock[0] += 10.0
    assert (pace.seconds_left(), pace.elapsed()) == (50.0, 10.0)
    pace.take(Progress("programming", 3, 12))  # a cell in 10 s
    assert pace.seconds_left() == 90.0
    pace.take(Paused())
    clock[0] += 1000.0
    pace.take(Paused())
    assert pace.elapsed() == 10.0
    pace.take(Resumed())
    assert (pace.seconds_left(), pace.elapsed()) == (90.0, 10.0)
    pace.take(Progress("solving", 0, 4))  # its pace is its own
    assert pace.seconds_left() == 50.0
    clock[0] += 10.0
    pace.take(Progress("solving", 1, 4))
    assert (pace.seconds_left(), pace.progress.stage) == (40.0, "solving")
    clock[0] += 500.0
    pace.take(Progress("solving", 5, 4))
    assert pace.seconds_left() == 0.0
    assert Pace().seconds_left() is None
