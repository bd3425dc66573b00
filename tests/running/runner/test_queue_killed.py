"""``kill -9`` of the runner, its worker, the window, at any moment: files, queue and bench are right afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from fault_table import POSIX
from queue_runners import (
    SUPPORT,
    Desk,
    eventually,
    nowhere,
    order,
    running,
    served_bench,
    start_runner,
    start_window,
    unsafe_roles,
)

from mho.errors import UnsafeError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.running.queue import Job, JobStatus, Order, Policy, Queue, Reaction
from mho.running.runner.connection import Rendezvous
from mho.running.runner.emergency import emergency_stop
from mho.running.runner.messages import RUNNER_GONE
from mho.runs import RunFile, Status

RUNNER, WORKER, BOTH = "runner", "worker", "both"
KILLED = "the worker was (ended by SIGKILL|killed)"
ROLES = {"smu", "gate", "pulser", "board"}  # what is on while a cell is measured


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Laboratory]]:
    with served_bench(tmp_path) as bench:
        yield bench


@pytest.fixture
def desk(tmp_path: Path, served: tuple[str, Laboratory]) -> Desk:
    return Desk(tmp_path / "runs" / "queue.sqlite", served[0])


@pytest.fixture
def laboratory(served: tuple[str, Laboratory]) -> Laboratory:
    return served[1]


@contextmanager
def ended_afterwards() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def runners() -> Iterator[list[subprocess.Popen[bytes]]]:
    with ended_afterwards() as started:
        yield started


@pytest.fixture
def windows() -> Iterator[list[subprocess.Popen[bytes]]]:
    with ended_afterwards() as started:
        yield started


def kill(runner: subprocess.Popen[bytes], job: Job, who: str) -> int:
    """Kill without a warning; return how many rows the job's file had until then."""
    rows = rows_of(job)
    if who != WORKER:
        runner.kill()
    if who != RUNNER:
        psutil.Process(job.worker).kill()
    if who != WORKER:
        runner.wait()
    return rows


def check_file(job: Job, who: str, rows: int) -> None:
    """The file opens, says how its run ended, and has all rows that it had; before it was begun there is none."""
    assert job.run is not None
    if not job.run.exists():
        assert "before its run file was begun" in job.reason
        return
    with RunFile(job.run) as file:
        assert file.length("reads") >= rows
        assert job.ended == pytest.approx(file.last_sign, abs=1e-3)  # not when it was settled
        if who == RUNNER:  # its worker ended by itself, in good order
            assert (file.status, file.reason) == (Status.INTERRUPTED, RUNNER_GONE)
            assert file.settings_after["board"]["mode"] == "SAFE"
            return
        assert file.status is Status.INTERRUPTED


def check_queue(desk: Desk, order_before: list[int], settled: Job) -> None:
    """One job is interrupted, and says why; the others stand as they stood."""
    assert settled.status is JobStatus.INTERRUPTED
    assert settled.reason
    with Queue(desk.path) as queue:
        others = [job.id for job in queue.jobs() if job.id > settled.id]
    assert others == [number for number in order_before if number > settled.id]


@pytest.mark.thorough
@pytest.mark.parametrize(("who", "rows"), [(RUNNER, 200), (WORKER, 300), (BOTH, 1)])
def test_after_a_kill_everything_is_right(desk, laboratory, runners, who, rows):
    jobs = desk.add(*[order(desk.bench, seconds=600)] * 3)
    runners.append(start_runner(desk))
    job = desk.wait_begun(jobs[0])
    eventually(lambda: unsafe_roles(laboratory) == ROLES)  # it measures: everything is on
    eventually(lambda: rows_of(job) >= rows)
    rows = kill(runners[-1], job, who)
    if who == RUNNER:  # its worker ends by itself, in good order
        eventually(lambda: not psutil.pid_exists(job.worker))
        assert unsafe_roles(laboratory) == set()
    if who == BOTH:
        assert unsafe_roles(laboratory) == ROLES
    if who == WORKER:  # the runner sees to everything, and holds the queue as its policy says
        settled = desk.wait(job.id, JobStatus.INTERRUPTED)
        assert unsafe_roles(laboratory) == set()
        runners[-1].terminate()
        runners[-1].wait(60)
        told = desk.log.read_text("utf-8")
        assert re.search(KILLED, settled.reason)
    else:
        assert desk.job(job.id).status is JobStatus.RUNNING  # as it was left
        with running(desk):
            pass
        settled, told = desk.job(job.id), desk.said()
        assert f"job {job.id} was left by a runner that is gone" in told
        assert unsafe_roles(laboratory) == set()
    assert "was made safe by a fresh process" in told
    assert f"the queue of {desk.bench} is held: job 1 " in told
    check_file(settled, who, rows)
    check_queue(desk, jobs, settled)
    with Queue(desk.path) as queue:
        assert queue.lane(desk.bench).held
        assert queue.next(desk.bench).id == jobs[1]
    assert laboratory.incidents == []


@pytest.mark.thorough
def test_a_gate_that_stays_live_is_said_first_until_it_is_safe_whatever_the_policy_says(desk, laboratory):
    bench = Path(desk.bench)
    wired = bench.read_text("utf-8")
    address = load_bench_file(desk.bench).bench.instruments.gate.address
    number, _ = desk.add(*[order(desk.bench, seconds=600)] * 2)
    with running(desk, drain=False):
        job = desk.wait_begun(number)
        eventually(lambda: unsafe_roles(laboratory) == ROLES)
        bench.write_text(wired.replace(address, nowhere()), "utf-8")  # its cable is out
        psutil.Process(job.worker).kill()
        desk.wait(number, JobStatus.INTERRUPTED)
        assert unsafe_roles(laboratory) == {"gate"}
        state, lane = desk.client.status(), desk.change(lambda queue: queue.lane(desk.bench))
        assert f"job {number} " in lane.reason  # the policy's word for the hold takes nothing away
        for standing in (state, lane):
            assert (standing.unsafe, standing.live) == (True, ("gate",))
            assert standing.warning.startswith(
                f"NOT CONFIRMED SAFE: bench {desk.bench}, gate may be live (gate ("
            )
        desk.client.pause()
        bench.write_text(wired, "utf-8")
        assert emergency_stop(desk.path, desk.bench).endswith("is safe, the queue is held")
        assert unsafe_roles(laboratory) == set()
        assert not desk.client.status().unsafe


def left_on(laboratory: Laboratory) -> None:
    entries = load_bench_file("simulated").bench.instruments
    laboratory.devices[entries.gate.address].write(b":SOUR:VOLT 1.0;:OUTP ON\n")
    laboratory.devices[entries.smu.address].write(b":SOUR:VOLT 0.3;:OUTP ON\n")


def test_an_emergency_stop_without_a_runner_makes_safe_what_somebody_left_on(desk, laboratory):
    left_on(laboratory)
    assert unsafe_roles(laboratory) == {"smu", "gate"}
    said = emergency_stop(desk.path, desk.bench)
    assert said.startswith(f"emergency stop: no runner was there; bench {desk.bench} is safe")
    assert unsafe_roles(laboratory) == set()
    lane = desk.change(lambda queue: queue.lane(desk.bench))
    assert (lane.held, lane.reason, lane.unsafe) == (True, "emergency stop", False)
    Path(desk.bench).write_text(Path(desk.bench).read_text("utf-8").replace("::SOCKET", "9::SOCKET"), "utf-8")
    with pytest.raises(UnsafeError, match="NOT CONFIRMED SAFE") as told:
        emergency_stop(desk.path, desk.bench)
    assert "gate" in told.value.live
    assert desk.change(lambda queue: queue.lane(desk.bench)).live == told.value.live


@pytest.mark.slow
@pytest.mark.parametrize("how", ["", "block", "deaf"])
def test_an_emergency_stop_past_a_runner_that_hangs_ends_its_worker(desk, laboratory, runners, tmp_path, how):
    marker = tmp_path / "marker"
    wanted = order(desk.bench, how=how, marker=str(marker)) if how else order(desk.bench, seconds=600)
    (number,) = desk.add(wanted)
    desk.change(lambda queue: queue.set_policy(desk.bench, Policy(Reaction.RETRY, Reaction.RETRY)))
    runners.append(start_runner(desk))
    job = desk.wait_begun(number)
    eventually(lambda: marker.exists() or not how)
    eventually(lambda: unsafe_roles(laboratory) == ROLES)
    runners[-1].send_signal(signal.SIGSTOP)
    said = emergency_stop(desk.path, desk.bench)
    assert f"(process {runners[-1].pid}) does not answer" in said
    assert unsafe_roles(laboratory) == set()
    assert not psutil.pid_exists(job.worker) or psutil.Process(job.worker).status() == psutil.STATUS_ZOMBIE
    runners[-1].send_signal(signal.SIGCONT)
    settled = desk.wait(number, JobStatus.INTERRUPTED if how == "deaf" else JobStatus.ABORTED)
    assert (
        settled.reason.startswith("emergency stop") if how == "deaf" else settled.reason == "emergency stop"
    )
    with RunFile(settled.run) as file:
        assert file.status.value == settled.status.value
        assert file.reason == ("" if how == "deaf" else "emergency stop")
    assert desk.change(lambda queue: queue.lane(desk.bench)).held


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_a_second_runner_from_another_environment_leaves_the_first_one_s_job_alone(desk, laboratory, runners):
    (number,) = desk.add(order(desk.bench, seconds=600))
    runners.append(first := start_runner(desk))
    job = desk.wait_begun(number)
    place = Rendezvous(desk.path, desk.bench)
    link = desk.path.parent
    if POSIX:
        link = desk.path.parent.with_name("link")
        link.symlink_to(desk.path.parent, target_is_directory=True)
    elsewhere = {"TMPDIR": "/var/tmp", "XDG_RUNTIME_DIR": str(link), "HOME": str(link), "MHO_RUNS": str(link)}
    for taken_away in (None, place.lock, place._card):  # what somebody tidied away does not matter, either
        if taken_away is not None:
            # Windows removes no file that is open
            with nullcontext() if POSIX else suppress(PermissionError):
                taken_away.unlink()
        runners.append(start_runner(desk, environment=elsewhere))
        assert runners[-1].wait(90) == 2
        assert unsafe_roles(laboratory) == ROLES
        assert desk.job(number) == job
    assert desk.log.read_text("utf-8").count(f"(process {first.pid})") == 3
    first.terminate()
    assert first.wait(60) == 0 or not POSIX  # where it is ended at once


def left_by(worker: int, how: str) -> bool:
    """Return whether a worker has the child that it leaves; a daemon's session is neither the worker's nor its own."""
    for child in psutil.Process(worker).children():
        with suppress(ProcessLookupError):
            if (os.getsid(child.pid) in (worker, child.pid)) is (how == "child"):
                return True
    return False


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["daemon", pytest.param("child", marks=pytest.mark.slow)])
def test_a_killed_worker_takes_along_what_it_has_forked(desk, laboratory, tmp_path, how):
    """A child that lives on has all that its parent had: the pipes to the runner, the connections, the bench's lock."""
    marker = tmp_path / "marker"
    (number,) = desk.add(order(desk.bench, how=how, marker=str(marker)))
    with running(desk):
        job = desk.wait_begun(number)
        eventually(lambda: left_by(job.worker, how))
        assert unsafe_roles(laboratory) == ROLES
        psutil.Process(job.worker).kill()
        settled = desk.wait(number, JobStatus.INTERRUPTED)
        assert unsafe_roles(laboratory) == set()
    assert "was made safe by a fresh process" in desk.said()
    assert re.match(KILLED, settled.reason)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["process stays", pytest.param("fork at exit", marks=pytest.mark.slow)])
def test_a_job_whose_forked_process_uses_the_bench_after_it_finishes_on_a_safe_bench(
    desk, laboratory, tmp_path, how
):
    marker = tmp_path / "marker"
    job = Order(
        "bad_procedures:Bad", {"how": how, "marker": str(marker)}, desk.bench, 1, None, folder=SUPPORT
    )
    (number,) = desk.add(job)
    with running(desk):
        desk.wait(number, JobStatus.FINISHED)
        assert unsafe_roles(laboratory) == set()
    assert f"bench {desk.bench} was made safe by a fresh process" in desk.said()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["block", "deaf"])
def test_a_worker_that_hangs_when_its_runner_is_killed_ends_safe_without_another_runner(
    desk, laboratory, runners, tmp_path, how
):
    marker = tmp_path / "marker"
    (number,) = desk.add(order(desk.bench, how=how, marker=str(marker)))
    runners.append(start_runner(desk))
    job = desk.wait_begun(number)
    eventually(marker.exists)
    time.sleep(0.5)
    assert unsafe_roles(laboratory) == ROLES
    runners[-1].kill()
    runners[-1].wait()
    worker = psutil.Process(job.worker)
    eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    eventually(lambda: unsafe_roles(laboratory) == set())
    with running(desk):  # the next runner asks the policy what follows
        pass
    check_file(settled := desk.job(number), RUNNER if how == "block" else WORKER, 1)
    check_queue(desk, [number], settled)
    assert desk.change(lambda queue: queue.lane(desk.bench)).held


@pytest.mark.slow
def test_an_emergency_stop_reaches_the_worker_of_a_runner_in_the_background(
    desk, laboratory, runners, tmp_path
):
    """Which ignores SIGINT, as a shell's script starts it, and so would all that it starts."""
    marker = tmp_path / "marker"
    (number,) = desk.add(order(desk.bench, how="block", marker=str(marker)))
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        runners.append(start_runner(desk))
    finally:
        signal.signal(signal.SIGINT, usual)
    desk.wait_begun(number)
    eventually(marker.exists)
    desk.client.emergency_stop()
    job = desk.wait(number, JobStatus.ABORTED)
    assert job.reason == "emergency stop"  # its own words: it was broken off, not killed
    assert unsafe_roles(laboratory) == set()


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_runner_that_is_asked_to_end_aborts_its_job_in_good_order(desk, laboratory, runners, number):
    jobs = desk.add(*[order(desk.bench, seconds=600)] * 2)
    runners.append(start_runner(desk))
    job = desk.wait_begun(jobs[0])
    runners[-1].send_signal(number)
    assert runners[-1].wait(60) == 0
    assert unsafe_roles(laboratory) == set()
    assert "Traceback" not in desk.log.read_text("utf-8")
    settled = desk.job(job.id)
    assert (settled.status, settled.reason) == (JobStatus.ABORTED, f"the runner received {number.name}")
    assert desk.job(jobs[1]).status is JobStatus.QUEUED
    with RunFile(settled.run) as file:
        assert file.status is Status.ABORTED
        assert file.settings_after["board"]["mode"] == "SAFE"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills(desk, laboratory, runners, windows):
    """At random moments from the worker's start on, a window watching; after each the next job is run."""
    rng = np.random.default_rng(1)
    count = int(os.environ.get("MHO_KILLS", "100"))
    jobs = desk.add(*[order(desk.bench, seconds=600)] * (count + 1))
    desk.change(lambda queue: queue.set_policy(desk.bench, Policy(Reaction.SKIP, Reaction.SKIP)))
    runners.append(start_runner(desk))
    windows.append(start_window(desk))
    for index, number in enumerate(jobs[:-1]):
        job = desk.wait(number, JobStatus.RUNNING)
        if index % 2:  # the window is killed first: the measurement does not notice
            desk.wait_begun(number)
            windows[-1].kill()
            windows[-1].wait()
            rows = rows_of(job)
            eventually(lambda before=rows, at=job: rows_of(at) > before)
            windows.append(start_window(desk))
        if index % 3:  # from the middle of a run, else at any moment of its beginning
            desk.wait_begun(number)
        time.sleep(rng.uniform(0.0, 2.0))
        who = (RUNNER, WORKER, BOTH)[rng.integers(3)]
        rows = kill(runners[-1], job, who)
        if who == BOTH:
            windows[-1].kill()
            windows[-1].wait()
            windows.append(start_window(desk))
        if who != WORKER:
            time.sleep(rng.choice([0.0, 1.0]))
            runners.append(start_runner(desk))
        settled, safe = settled_and_safe(desk, laboratory, number)
        assert safe, unsafe_roles(laboratory)
        check_file(settled, who, rows)
        check_queue(desk, jobs, settled)
    desk.wait(jobs[-1], JobStatus.RUNNING)
    runners[-1].terminate()
    runners[-1].wait(60)
    assert desk.job(jobs[-1]).status is JobStatus.ABORTED
    assert unsafe_roles(laboratory) == set()
    assert laboratory.incidents == []


def rows_of(job: Job) -> int:
    """Return how many rows the job's file has; 0 before it is begun."""
    assert job.run is not None
    if not job.run.exists():
        return 0
    with RunFile(job.run) as file:
        return file.length("reads")


def settled_and_safe(desk: Desk, laboratory: Laboratory, number: int) -> tuple[Job, bool]:
    """Wait until the job is settled; the bench must be safe then, before the next job has opened it."""
    job = desk.wait(number, JobStatus.INTERRUPTED)
    return job, unsafe_roles(laboratory) == set()
