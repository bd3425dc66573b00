"""The runner with real workers: what becomes of jobs, of the queue and of the bench, whatever the worker does."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from queue_runners import Desk, eventually, nowhere, order, running

from mho.errors import QueueError, UnsafeError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures.stream import Paused, Progress, Resumed, Started
from mho.running.queue import JobStatus, Policy, Reaction
from mho.running.queue.job import ENDED
from mho.running.runner import NoRunnerError, Runner, StopTimeouts
from mho.running.runner.messages import JobChanged, RunnerState
from mho.runs import RunFile, Status


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "runs" / "queue.sqlite")


@pytest.mark.thorough
def test_jobs_run_one_after_the_other_each_into_a_file_of_its_own(desk, tmp_path):
    first, second = desk.add(order(seconds=0.3), order(seconds=0))
    with running(desk):
        pass
    jobs = [desk.job(number) for number in (first, second)]
    assert [job.status for job in jobs] == [JobStatus.FINISHED] * 2
    assert jobs[0].ended <= jobs[1].started
    assert jobs[0].run.parent == desk.path.parent
    with RunFile(jobs[0].run) as file:
        assert file.status is Status.FINISHED
        assert file.length("reads") > 10
        assert file.provenance["queue_job"] == str(first)
        assert file.provenance["procedure"] == "queue_procedures:Reading"
        assert (file.provenance["bench"], file.provenance["seed"]) == ("simulated", "1")
    kinds = {type(event) for event in desk.heard}
    assert kinds >= {JobChanged, RunnerState, Started, Progress}
    assert desk.said() == ""


@pytest.mark.parametrize(
    ("how", "status", "reason", "made_safe"),
    [
        pytest.param(
            "fail",
            JobStatus.FAILED,
            "InstrumentError: the instrument is cross",
            False,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "bug", JobStatus.FAILED, "IndexError: index 2 is out of bounds", False, marks=pytest.mark.slow
        ),
        pytest.param(
            "segfault",
            JobStatus.INTERRUPTED,
            "by SIGSEGV: Fatal Python error: Segm",
            True,
            marks=pytest.mark.slow,
        ),
        ("kill", JobStatus.INTERRUPTED, "the worker was (ended by SIGKILL|killed)", True),
        pytest.param(
            "leave", JobStatus.INTERRUPTED, "the worker ended with exit code 3", True, marks=pytest.mark.slow
        ),
    ],
)
def test_a_run_that_goes_wrong_holds_the_queue_with_its_reason_and_leaves_the_bench_safe(
    desk, tmp_path, how, status, reason, made_safe
):
    bad, _ = desk.add(order(how=how, marker=str(tmp_path / "m")), order())
    with running(desk):
        pass
    job = desk.job(bad)
    assert job.status is status
    assert re.search(reason, job.reason)
    lane = desk.change(lambda queue: queue.lane("simulated"))
    assert lane.held
    assert f"job {bad} " in lane.reason
    assert re.search(reason, lane.reason)
    assert f"ERROR: the queue of simulated is held: {lane.reason}" in desk.said()
    assert ("bench simulated was made safe by a fresh process" in desk.said()) is made_safe
    assert desk.job(bad + 1).status is JobStatus.QUEUED
    with RunFile(job.run) as file:
        assert file.status == status


@pytest.mark.thorough
@pytest.mark.parametrize("policy", [Policy(), Policy(Reaction.RETRY, Reaction.RETRY, 2)])
def test_a_job_of_bad_input_holds_no_other(desk, policy):
    bad, after, good = desk.add(order(how="refuse"), replace(order(), after="#1"), order())
    desk.change(lambda queue: queue.set_policy("simulated", policy))
    with running(desk):
        pass
    assert (desk.job(bad).status, desk.job(bad).attempts) == (JobStatus.FAILED, 1)
    assert "InputError: no" in desk.job(bad).reason
    assert desk.job(after).status is JobStatus.FAILED  # there is no chip to go on with
    assert desk.job(good).status is JobStatus.FINISHED
    assert not desk.change(lambda queue: queue.lane("simulated")).held


@pytest.mark.thorough
def test_a_job_is_tried_again_and_taken_up_as_the_policy_says(desk, tmp_path):
    retried, resumed = desk.add(
        order(how="fail", marker=str(tmp_path / "a"), until=2),
        order(how="kill", marker=str(tmp_path / "b"), until=2),
    )
    desk.change(lambda queue: queue.set_policy("simulated", Policy(Reaction.RETRY, Reaction.RESUME, 1)))
    with running(desk):
        pass
    jobs = [desk.job(number) for number in (retried, resumed)]
    assert [(job.status, job.attempts) for job in jobs] == [(JobStatus.FINISHED, 2)] * 2
    with RunFile(jobs[1].run) as file:
        before = Path(file.provenance["resume_of"])
        assert file.log()[0].message == f"taking up {before.name}"
    with RunFile(before) as file:
        assert file.status is Status.INTERRUPTED
    with RunFile(jobs[0].run) as file:
        assert "resume_of" not in file.provenance


@pytest.mark.thorough
def test_pause_rests_the_outputs_and_abort_acts_at_the_next_safe_point(desk):
    whole = 600.0  # s, that the run would last
    number, other = desk.add(order(seconds=whole), order())
    with running(desk):
        run = desk.wait_begun(number).run
        state = desk.client.pause()
        assert (state.held, state.job) == (True, number)
        desk.wait(number, JobStatus.PAUSED)
        with RunFile(run) as file:
            reads_after_signs_of_life(
                file, 2
            )  # with the first one not yet all that was measured before is in the file
            rows = file.length("reads")
            assert reads_after_signs_of_life(file, 1) == rows
            assert file.log()[-1].message == "paused, outputs idle"
            desk.change(lambda queue: queue.release("simulated"))  # another process's hand is followed too
            desk.wait(number, JobStatus.RUNNING)
            eventually(lambda: (file.refresh(), file.length("reads"))[1] > rows + 1000)
            desk.client.abort(number)  # it returns when the worker has been asked
            file.refresh()
            asked = file.length("reads")
        job = desk.wait(number, JobStatus.ABORTED)
    assert job.reason == "aborted by hand"
    assert desk.job(other).status is JobStatus.FINISHED  # what somebody wanted does not hold the queue
    assert [type(e) for e in desk.heard if isinstance(e, Paused | Resumed)] == [Paused, Resumed]
    with RunFile(run) as file:
        assert (file.status, file.reason) == (Status.ABORTED, "aborted by hand")
        # What was measured after the abort, or not yet written at it, is a hundredth of the run at most
        times = file.column("reads", "time")
        assert times[-1] - times[asked - 1] < 0.01 * whole
        assert file.settings_after["board"]["mode"] == "SAFE"


def reads_after_signs_of_life(file: RunFile, count: int) -> int:
    for _ in range(count):
        sign = file.last_sign
        eventually(lambda last=sign: (file.refresh(), file.last_sign)[1] > last)
    return file.length("reads")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("block", JobStatus.ABORTED, "emergency stop"),
        pytest.param(  # killed, it cannot write how it ended: its file is interrupted, and so is its job
            "deaf",
            JobStatus.INTERRUPTED,
            "emergency stop; the worker was ended by SIGKILL",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_emergency_stop_does_not_wait_for_the_instrument(desk, tmp_path, how, status, reason):
    number, other = desk.add(order(how=how, marker=str(tmp_path / "m")), order())
    with running(desk, timeouts=StopTimeouts(emergency=1.0)):
        desk.wait_begun(number)
        eventually(lambda: (tmp_path / "m").exists())
        assert desk.client.emergency_stop().held
        job = desk.wait(number, status)  # long before the procedure would have ended
    assert job.reason.startswith(reason)
    assert ("made safe by a fresh process" in desk.said()) is (how == "deaf")
    lane = desk.change(lambda queue: queue.lane("simulated"))
    assert (lane.held, lane.reason, lane.unsafe) == (True, "emergency stop", False)
    assert job.started < lane.confirmed < time.time()
    by = {"block": f"read back when job {number} had ended", "deaf": "made safe by a fresh process"}
    assert lane.confirmed_by == by[how]
    assert desk.job(other).status is JobStatus.QUEUED


@pytest.mark.thorough
def test_that_a_job_runs_is_said_before_the_job_says_anything(desk, tmp_path):
    """It may sleep for hours with its outputs on."""
    (number,) = desk.add(order(how="block", marker=str(tmp_path / "m")))
    with running(desk):
        desk.wait_begun(number)
        eventually(lambda: (tmp_path / "m").exists())
        said = [one for one in desk.heard if isinstance(one, RunnerState | Started | Progress)]
        assert not any(isinstance(one, Progress) for one in said)
        states = [(one.state, one.job) for one in said if isinstance(one, RunnerState)]
        assert states[-1] == ("running", number)
        assert ("idle", number) not in states
        desk.client.emergency_stop()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("block", JobStatus.ABORTED),
        pytest.param("deaf", JobStatus.INTERRUPTED, marks=pytest.mark.slow),
    ],
)
def test_a_job_that_sleeps_is_aborted_in_a_bounded_time_and_the_next_begins(desk, tmp_path, how, status):
    number, other = desk.add(order(how=how, marker=str(tmp_path / "m")), order())
    broken_off = "aborted by hand; it did not stop within 1 s and was broken off"
    with running(desk, timeouts=StopTimeouts(abort=1.0, emergency=1.0)):
        desk.wait_begun(number)
        eventually(lambda: (tmp_path / "m").exists())
        desk.client.abort(number)
        job = desk.wait(number, *ENDED)
    assert job.status is status
    assert job.reason.startswith(broken_off)
    assert f"WARNING: job {number}: it did not stop within 1 s and was broken off" in desk.said()
    killed = how == "deaf"
    assert ("it did not end in time and was killed" in desk.said()) is killed
    assert ("bench simulated was made safe by a fresh process" in desk.said()) is killed
    assert desk.job(other).status is JobStatus.FINISHED
    with RunFile(job.run) as file:
        assert file.status == status


@pytest.mark.thorough
def test_asking_again_grants_no_more_time(desk, tmp_path):
    (number,) = desk.add(order(how="block", marker=str(tmp_path / "m")))
    with running(desk, timeouts=StopTimeouts(abort=2.0)):
        desk.wait_begun(number)
        eventually(lambda: (tmp_path / "m").exists())

        def ended_when_asked_again() -> bool:
            with suppress(QueueError):  # it may have ended a moment ago
                desk.client.abort(number)
            return desk.job(number).status is not JobStatus.RUNNING

        eventually(ended_when_asked_again)  # given more time at each request, it would never end
    assert desk.job(number).status is JobStatus.ABORTED


def serves(desk: Desk) -> bool:
    with suppress(NoRunnerError):
        return bool(desk.client.status())
    return False


@pytest.mark.thorough
def test_an_emergency_stop_of_a_runner_without_a_job_makes_the_bench_safe_all_the_same(desk):
    with running(desk, drain=False):
        eventually(lambda: serves(desk))
        desk.client.emergency_stop()
        assert desk.client.confirm_safe() == "emergency stop: bench simulated is safe, the queue is held"
    assert "bench simulated was made safe by a fresh process" in desk.said()
    lane = desk.change(lambda queue: queue.lane("simulated"))
    assert (lane.held, lane.reason, lane.unsafe) == (True, "emergency stop", False)


@pytest.mark.thorough
def test_nobody_is_told_that_a_bench_is_safe_when_the_runner_is_gone_or_could_not_see_to_it(desk, tmp_path):
    bench = tmp_path / "far.toml"
    bench.write_text(on_hardware(load_bench_file("simulated").text), "utf-8")
    desk.bench = str(bench)
    with running(desk, drain=False):
        eventually(lambda: serves(desk))
        desk.client.emergency_stop()
        with pytest.raises(UnsafeError, match=r"NOT CONFIRMED SAFE: bench .*far\.toml, smu, ") as told:
            desk.client.confirm_safe()
        assert set(told.value.live) == {"smu", "pulser", "daq", "board", "gate"}
        assert desk.client.status().live == told.value.live
    with pytest.raises(NoRunnerError):
        desk.client.confirm_safe()


@pytest.mark.thorough
def test_a_bench_that_cannot_be_made_safe_holds_the_queue_whatever_the_policy(desk, tmp_path):
    bench = tmp_path / "far.toml"
    bench.write_text(on_hardware(load_bench_file("simulated").text), "utf-8")
    desk.bench = str(bench)
    number, other = desk.add(*(order(str(bench), how="kill", marker=str(tmp_path / "m")) for _ in range(2)))
    desk.change(lambda queue: queue.set_policy(str(bench), Policy(Reaction.SKIP, Reaction.SKIP)))
    with running(desk):
        pass
    assert desk.job(number).status is JobStatus.FAILED  # its instruments are not there
    lane = desk.change(lambda queue: queue.lane(str(bench)))
    assert lane.unsafe, desk.job(number).reason
    assert "gate" in lane.live
    assert lane.reason.startswith(f"bench {bench} is not confirmed safe: ")
    assert f"CRITICAL: {lane.reason}" in desk.said()
    assert desk.job(other).status is JobStatus.QUEUED
    # Going on tries to make it safe before anything else, and begins nothing as long as that fails.
    desk.change(lambda queue: queue.release(str(bench)))
    desk.heard.clear()
    with running(desk):
        pass
    assert "is not confirmed safe" in desk.said()
    assert desk.job(other).status is JobStatus.QUEUED


def test_a_second_runner_is_refused_and_names_the_first(desk):
    with running(desk, drain=False):
        pid = eventually(lambda: pid_of(desk))
        with pytest.raises(QueueError, match=rf"has a runner already \(process {pid}\)"):
            Runner(desk.path).serve()
        assert desk.client.status().state == "idle"


def on_hardware(text: str) -> str:
    """The simulated bench with instruments at ports where nobody listens."""
    text = re.sub(r"(?m)^\[simulation\](\n.+)*", "", text)
    return re.sub(r'address = ".*"', lambda found: f'address = "{nowhere()}"', text)


def pid_of(desk: Desk) -> int:
    try:
        return desk.client.status().pid
    except QueueError:
        return 0
