"""One word for one state: Queue, Runs, Log, `mho runs`, `mho queue list` and `mho show` say the same of the same run."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from daily import daily
from queue_runners import LIVING, SUPPORT, eventually, order
from run_writers import WriterProcess

from mho import platforms
from mho.cli.main import main
from mho.gui.queue import JobsModel, job_sentence
from mho.gui.runs.table import COLUMNS
from mho.procedures.stream import Control, Event, Paused, Progress
from mho.running.queue import Job, JobStatus, Queue
from mho.running.queue.job import Policy, Reaction, decide
from mho.running.runner.messages import RUNNER_GONE, JobAssignment
from mho.running.runner.outcome import JobOutcome, as_it_stands, recorded_outcome
from mho.running.runner.worker import _run
from mho.runs import RunFile, RunIndex

Words = dict[str, str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(SUPPORT)  # the worker goes to its order's folder
    return tmp_path


@pytest.fixture
def words(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys, qapp) -> Callable[[Job], Words]:
    """Ask every surface for its word for a job and its run."""

    def printed(*line: object) -> str:
        monkeypatch.setattr(sys, "argv", ["mho", *map(str, line)])
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    def ask(job: Job) -> Words:
        with Queue(folder / "queue.sqlite") as queue:
            standing = as_it_stands(queue.job(job.id))
        model = JobsModel()
        model.show_jobs([standing])
        with RunIndex(folder) as index:
            index.update()
            (run,) = index.search()
        known = [*map(str, JobStatus)]

        def word(text: str) -> str:
            return next(one for one in re.sub("[:,]", " ", text).split() if one in known)

        return {
            "Queue": model.index(0, 1).data(),
            "Log": word(job_sentence(standing).partition(f"job {job.id} ")[2]),
            "Runs": next(one for one in COLUMNS if one.heading == "Status").text(run),
            "mho queue list": word(printed("queue", "list").splitlines()[1]),
            "mho runs": word(next(line for line in printed("runs").splitlines() if ".h5" in line)),
            "mho show": word(printed("show", job.run).splitlines()[0]),
        }

    return ask


def begin(folder: Path, how: str = "", seconds: float = 0.0) -> Job:
    with Queue(folder / "queue.sqlite") as queue:
        job = queue.add(order(how=how, seconds=seconds))
        begun = queue.begin(job.id, run=folder / "run.h5", **LIVING)
        assert begun is not None
        return begun


def settle(folder: Path, job: Job, outcome: JobOutcome) -> None:
    with Queue(folder / "queue.sqlite") as queue:
        queue.end(job.id, outcome.status, outcome.reason)


def carry_out(job: Job, control: Control, tell: Callable[[Event], None]) -> JobOutcome:
    """Do what a worker does with a job, and return what its runner makes of it."""
    return JobOutcome(**vars(_run(JobAssignment(job.order, job.run, job.id, 1), control, tell)))


@pytest.mark.parametrize(
    ("how", "seconds", "stop", "word"),
    [
        ("", 0.0, None, "finished"),
        ("fail", 0.0, None, "failed"),
        ("", 60.0, ("aborted by hand", False), "aborted"),
        ("", 60.0, (RUNNER_GONE, True), "interrupted"),
    ],
)
def test_a_run_that_has_ended(
    folder: Path, words, how: str, seconds: float, stop: tuple[str, bool] | None, word: str
) -> None:
    job, control = begin(folder, how, seconds), Control()

    def tell(event: Event) -> None:
        if stop is not None and isinstance(event, Progress):
            control.abort(stop[0], lost=stop[1])

    settle(folder, job, carry_out(job, control, tell))
    assert set(words(job).values()) == {word}, words(job)


@pytest.mark.thorough
def test_a_run_that_goes_on_rests_and_goes_on(folder: Path, words) -> None:
    job, control = begin(folder, seconds=60.0), Control()
    heard: list[str] = []
    worker = threading.Thread(
        target=carry_out, args=(job, control, lambda event: heard.append(type(event).__name__))
    )
    worker.start()
    try:
        eventually(lambda: "Progress" in heard)
        assert set(words(job).values()) == {"running"}, words(job)
        control.pausing = True
        eventually(lambda: Paused.__name__ in heard)
        with Queue(folder / "queue.sqlite") as queue:
            queue.mark(job.id, JobStatus.PAUSED)  # as the runner does that hears it
        assert set(words(job).values()) == {"paused"}, words(job)
        control.pausing = False
        eventually(lambda: "Resumed" in heard)
        with Queue(folder / "queue.sqlite") as queue:
            queue.mark(job.id, JobStatus.RUNNING)
        assert set(words(job).values()) == {"running"}, words(job)
    finally:
        control.abort("the test is over")
        worker.join(30)


@pytest.mark.parametrize("asked", daily(["", "emergency stop"], [""]))
def test_a_run_whose_worker_was_killed_before_and_after_its_runner_has_settled_it(
    folder: Path, words, asked: str
) -> None:
    writer = WriterProcess(folder / "run.h5")
    writer.tell("plan")
    writer.kill()
    job = begin(folder)
    with Queue(folder / "queue.sqlite") as queue, queue._database.changing():
        queue._set(job.id, worker=2**22 + 1, worker_birth="long ago")  # nobody is there
    assert set(words(job).values()) == {"interrupted"}, words(job)
    outcome = recorded_outcome(job.run, "the worker was ended by SIGKILL", asked)
    settle(folder, job, outcome)
    assert set(words(job).values()) == {"interrupted"}, words(job)
    assert outcome.asked is bool(asked)  # what somebody asked for is not run again, whatever it is called
    assert decide(Policy(on_interruption=Reaction.RETRY), outcome.status, 1).again


def test_a_file_that_was_paused_when_its_writer_was_killed_is_interrupted(folder: Path) -> None:
    writer = WriterProcess(folder / "run.h5")
    writer.tell("plan")
    writer.tell("pause")
    with RunFile(folder / "run.h5") as run:
        assert run.status == "paused"
        writer.kill()
        assert run.status == "interrupted"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("runner", "words"), [(True, "its runner settles it"), (False, "left by a runner that is gone")]
)
def test_a_job_whose_worker_has_gone_is_not_left_while_its_runner_lives(runner, words, folder: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        with Queue(folder / "queue.sqlite") as queue:
            queue.add(order())
            job = queue.begin(1, run=folder / "a.h5", worker=gone.pid, worker_birth="of another")
        birth = platforms.here.birth_of(living.pid) if runner else "of another"
        job = as_it_stands(replace(job, runner=living.pid, runner_birth=birth))
        living.communicate(b"\n")
    assert job.status is JobStatus.INTERRUPTED
    assert words in job.reason
