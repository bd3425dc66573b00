"""`mho run` under its supervisor: whatever a procedure does to its process, and whoever is killed, the bench ends safe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from queue_procedures import Reading
from queue_runners import ROOT, Desk, eventually, nowhere, order, running, served_bench, unsafe_roles
from supervised_runs import ROLES, Runs

from mho import run
from mho.cli.experiments.plan import run_plan
from mho.cli.main import main
from mho.errors import BenchError, InstrumentError, UnsafeError
from mho.instruments.bench.locking import lock_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures.stream import BenchTaken, Ended, Message, Started
from mho.running.queue import JobStatus, Queue, queue_path
from mho.running.safety_statement import SUPERVISOR_GONE, observed_safety
from mho.running.supervisor import Report
from mho.runs import Labels, RunFile, Status

pytestmark = pytest.mark.thorough

PLAN = """
name = "two"
bench = "{bench}"
[[steps]]
procedure = "read"
[[sweep]]
seed = [1, 2]
"""


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with served_bench(tmp_path) as (bench, laboratory):
        made = Runs(tmp_path, bench, laboratory)
        yield made
        for process in made.started:
            process.kill()
            process.communicate()


def ignoring(*numbers: signal.Signals) -> Callable[[], None]:
    return lambda: [signal.signal(number, signal.SIG_IGN) for number in numbers] and None


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("leave", 3, "the run ended with exit code 3"),
        pytest.param("segfault", 139, "the run was ended by SIGSEGV", marks=pytest.mark.slow),
        pytest.param("kill", 137, "the run was ended by SIGKILL", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_ends_its_process_leaves_a_safe_bench_and_says_so(runs, how, code, words):
    status, said = runs.end(runs.start(how))
    assert unsafe_roles(runs.laboratory) == set()
    assert status == code, said
    assert f"mho: {words}; bench {runs.bench} was made safe by a fresh process" in said
    with RunFile(runs.path) as file:
        assert file.status is Status.INTERRUPTED
        assert file.reason.startswith(words)
    assert not queue_path(runs.folder).exists()  # nobody has made one


@pytest.mark.parametrize(
    "how", ["process stays", "fork at exit", pytest.param("fork late", marks=pytest.mark.slow)]
)
def test_a_bench_that_a_forked_process_may_use_after_its_parent_is_made_safe_when_that_is_ended(runs, how):
    code, said = runs.end(runs.start(how, procedure="bad_procedures:Bad"))
    assert unsafe_roles(runs.laboratory) == set()
    assert code == 0, said  # the run itself came to its end
    words = "processes that the run had left could use its bench, and were ended"
    assert f"mho: {words}; bench {runs.bench} was made safe by a fresh process" in said
    with RunFile(runs.path) as file:
        assert file.status is Status.FINISHED


@pytest.mark.parametrize(
    ("how", "numbers", "status"),
    [
        ("block", [signal.SIGTERM], Status.ABORTED),
        ("block", [signal.SIGINT, signal.SIGINT], Status.ABORTED),
        pytest.param("deaf", [signal.SIGINT], Status.INTERRUPTED, marks=pytest.mark.slow),
        pytest.param("block", [signal.SIGTERM] * 2, Status.ABORTED, marks=pytest.mark.slow),
        pytest.param("block", [signal.SIGHUP], Status.ABORTED, marks=pytest.mark.slow),
        pytest.param("daemon", [signal.SIGHUP], Status.ABORTED, marks=pytest.mark.slow),
        pytest.param("child", [signal.SIGINT], Status.ABORTED, marks=pytest.mark.slow),
    ],
)
def test_a_procedure_that_sleeps_is_ended_when_it_is_asked_to(runs, how, numbers, status):
    process = runs.start(how)
    eventually(lambda: unsafe_roles(runs.laboratory) == ROLES)
    for number in numbers:
        process.send_signal(number)
        eventually(lambda: f"{numbers[0].name} received" in runs.said())
    code, said = runs.end(process)
    assert unsafe_roles(runs.laboratory) == set()
    assert code == 130, said
    assert f"{numbers[0].name} received" in said
    with RunFile(runs.path) as file:
        assert file.status is status
        if status is Status.ABORTED:
            assert file.reason == f"{numbers[0].name} received"
        else:
            assert file.reason.startswith(f"{numbers[0].name} received; the run did not stop within 10 s")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nohup", "background"])
def test_what_the_shell_lets_a_run_ignore_stays_ignored_and_the_rest_is_heard(runs, kind):
    """`nohup mho run …`, and `mho run … &` in a script, which ignores SIGINT."""
    ignored = signal.SIGHUP if kind == "nohup" else signal.SIGINT
    process = runs.start("block", preexec_fn=ignoring(ignored))
    process.send_signal(ignored)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert runs.end(process)[0] == 130
    assert unsafe_roles(runs.laboratory) == set()
    with RunFile(runs.path) as file:
        assert (file.status, file.reason) == (Status.ABORTED, "SIGTERM received")


@pytest.mark.parametrize("how", ["block", pytest.param("deaf", marks=pytest.mark.slow)])
def test_a_worker_whose_supervisor_is_killed_ends_on_a_safe_bench(runs, how):
    process = runs.start(how)
    worker = runs.worker_of(process)
    eventually(lambda: unsafe_roles(runs.laboratory) == ROLES)
    process.kill()
    eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    eventually(lambda: unsafe_roles(runs.laboratory) == set())
    with RunFile(runs.path) as file:
        assert file.status is Status.INTERRUPTED  # nobody wanted it
        if how == "block":
            assert file.reason == SUPERVISOR_GONE


def test_a_solve_is_supervised_as_well(runs):
    command = [sys.executable, "-m", "mho", "solve", "mimo-16x16", "--bench", runs.bench]
    with (runs.folder / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen([*command, "--output", str(runs.path)], cwd=ROOT, stderr=said, text=True)
    runs.started.append(process)
    eventually(lambda: unsafe_roles(runs.laboratory) == ROLES)
    runs.worker_of(process).kill()
    code, said = runs.end(process)
    assert unsafe_roles(runs.laboratory) == set()
    assert code == 137, said
    assert "was made safe by a fresh process" in said


def test_a_run_that_leaves_its_bench_unsafe_tells_the_queue_and_the_next_one_makes_it_safe_first(
    runs, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    bench = Path(runs.bench)
    wired = bench.read_text("utf-8")
    gate = load_bench_file(runs.bench).bench.instruments.gate.address
    with Queue(queue_path()) as queue:
        process = runs.start("block")
        bench.write_text(wired.replace(gate, nowhere()), "utf-8")  # its cable is out
        runs.worker_of(process).kill()
        _, said = runs.end(process)
        assert f"bench {bench} is NOT confirmed safe: NOT CONFIRMED SAFE: gate (" in said
        assert "; its queue is held" in said
        assert unsafe_roles(runs.laboratory) == {"gate"}
        lane = queue.lane(runs.bench)
        assert (lane.held, lane.unsafe, lane.live) == (True, True, ("gate",))
        monkeypatch.setattr(sys, "argv", ["mho", "queue", "list"])
        with pytest.raises(SystemExit):
            main()
        assert capsys.readouterr().out.startswith(f"NOT CONFIRMED SAFE: bench {bench}, gate may be live")

        runs.path.unlink()
        (tmp_path / "marker").unlink()
        code, said = runs.end(runs.start("leave"))  # its cable is still out
        assert code == 2, said
        assert f"NOT CONFIRMED SAFE: bench {bench}, gate may be live" in said
        assert "Nothing was begun" in said
        assert not runs.path.exists()
        assert queue.lane(runs.bench) == lane

        bench.write_text(wired, "utf-8")
        code, said = runs.end(runs.start("", "--until", "1"))
        assert code == 0, said
        assert "was made safe by a fresh process first; the queue warns of it no more" in " ".join(
            said.split()
        )
        assert unsafe_roles(runs.laboratory) == set()
        assert not queue.lane(runs.bench).unsafe


def test_a_run_whose_bench_was_made_safe_after_it_holds_no_queue(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    with Queue(queue_path()) as queue:
        runs.end(runs.start("leave"))
        (lane,) = queue.lanes()
        assert (lane.held, lane.unsafe, lane.confirmed_by) == (False, False, "made safe by a fresh process")


def test_without_a_supervisor_the_run_itself_tells_the_queue(tmp_path, monkeypatch):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    with served_bench(tmp_path) as (bench, _), Queue(queue_path()) as queue:
        with suppress(UnsafeError), observed_safety(bench, Report(), print) as witness:
            witness(BenchTaken())
            raise UnsafeError("gate did not answer", live=("gate",))
        lane = queue.lane(bench)
        assert (lane.unsafe, lane.unsafe_reason, lane.live) == (True, "gate did not answer", ("gate",))
        with observed_safety(bench, Report(), print) as witness:  # its gate answers again
            witness(BenchTaken())
            witness(Started("a run", tmp_path / "run.h5"))
            witness(Ended(Status.FINISHED, "", tmp_path / "run.h5", safe=True))
        assert not queue.lane(bench).unsafe


def test_a_run_that_is_refused_leaves_a_bench_alone_that_is_another_s(tmp_path):
    told, tell = os.pipe()
    with served_bench(tmp_path) as (bench, laboratory), Queue(tmp_path / "queue.sqlite") as queue:
        gate = load_bench_file("simulated").bench.instruments.gate
        with lock_bench(load_bench_file(bench)):
            laboratory.devices[gate.address].write(b":SOUR:VOLT 1.0;:OUTP ON\n")
            with (
                pytest.raises(BenchError, match="is in use"),
                observed_safety(bench, Report(tell), print) as witness,
            ):
                run(
                    Reading(), bench, output=tmp_path / "run.h5", observers=[witness], control=witness.control
                )
            os.close(tell)
            assert (
                os.read(told, 1 << 12) == b""
            )  # a supervisor hears of no bench that it would have to see to
            os.close(told)
            number = queue.add(order(bench)).id
            with running(Desk(queue.path, bench)):
                pass
            assert unsafe_roles(laboratory) == {"gate"}
        job, lane = queue.job(number), queue.lane(bench)
        assert job.status is JobStatus.FAILED
        assert "is in use" in job.reason
        assert not lane.unsafe


def test_a_plan_ends_at_a_bench_that_is_not_known_safe(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    with served_bench(tmp_path) as (bench, _):
        wired = Path(bench)
        gate = load_bench_file(bench).bench.instruments.gate.address
        wired.write_text(wired.read_text("utf-8").replace(gate, nowhere()), "utf-8")
        plan = tmp_path / "plan.toml"
        plan.write_text(PLAN.format(bench=bench), "utf-8")
        report = Report()
        with pytest.raises(InstrumentError):
            run_plan(plan, tmp_path, False, Labels(), report)
        assert report.bench == bench
    assert "run 2 of 2" not in capsys.readouterr().err


def test_a_run_after_a_job_whose_worker_was_killed_makes_the_bench_safe_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    said: list[Message] = []
    with served_bench(tmp_path) as (bench, laboratory), Queue(queue_path()) as queue:
        job = queue.add(order(bench))
        queue.begin(job.id, run=None, worker=os.getpid(), worker_birth="of a process that is gone")
        gate = load_bench_file("simulated").bench.instruments.gate
        laboratory.devices[gate.address].write(b":SOUR:VOLT 1.0;:OUTP ON\n")
        assert unsafe_roles(laboratory) == {"gate"}
        with observed_safety(bench, Report(), said.append):
            assert unsafe_roles(laboratory) == set()
    (message,) = said
    assert message.text == f"bench {bench} was not confirmed safe, and was made safe by a fresh process first"
