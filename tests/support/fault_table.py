"""The fault table: kills, bad and late replies, bad procedures; what is live afterwards, and what a finished run holds.

Everything happens on twins served by the test's own process, which outlive the tested processes, and is judged at their
wires. "Live and unsaid" is an output that is on at the end without a report that it is not confirmed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from bad_replies import BAD, BadReply
from queue_runners import ROOT, SUPPORT, Desk, eventually, running, served_bench, start_runner, unsafe_roles

from mho import platforms, run
from mho.errors import RunFileError
from mho.instruments.laboratory.laboratory import Laboratory
from mho.procedures import Read
from mho.running.queue import JobStatus, Order, Policy, Reaction
from mho.running.runner import StopTimeouts
from mho.runs import RunFile

SIZE = 2  # rows and columns that are read
TRUTH = 1e-6 * np.array([[10.0, 20.0], [30.0, 40.0]])  # S
CLOSE = 0.03  # relative: accuracy and noise of the twins
PATIENCE = 90.0  # s until all must be over
ROLES = ("SIM00001", "SIM00002", "SIM00003", "ASRL3")  # addresses of smu, gate, pulser, board
POSIX = hasattr(os, "fork")
NOT_SAFE = "confirmed safe: "


@dataclass
class Tally:
    """Results of the cases of one row of the table."""

    name: str
    cases: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    unsaid: list[str] = field(default_factory=list)
    said: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, case: str, laboratory: Laboratory, path: Path | None, words: str) -> None:
        """Judge one ended case."""
        self.cases += 1
        live = unsafe_roles(laboratory)
        if live and NOT_SAFE in words.replace("CONFIRMED SAFE", "confirmed safe"):
            self.said += 1
        elif live:
            self.unsaid.append(f"{case}: {sorted(live)}; {words[-300:]}")
        status = "no file"
        if path is not None and path.exists():
            try:
                with RunFile(path) as file:
                    status = str(file.status)
                    if status == "finished" and "repeat" in file.table("reads"):
                        rows = file.table("reads")
                        read = np.asarray(rows["conductance"])
                        true = TRUTH[np.asarray(rows["row"]), np.asarray(rows["column"])]
                        if not np.allclose(read, true, rtol=CLOSE, atol=0.0):
                            self.wrong.append(f"{case}: {read} instead of {true}")
            except RunFileError as error:
                status = f"unreadable: {error}"
        self.ended[status] += 1

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {name}" for name, count in sorted(self.ended.items()))
        return (
            f"{self.name:28} {self.cases:4} cases  {len(self.unsaid):3} live unsaid  {self.said:3} live and said  "
            f"{len(self.wrong):3} wrong in a finished run   ({ends})"
        )


@contextmanager
def bench_to_spoil(folder: Path) -> Iterator[tuple[str, Laboratory]]:
    """A served bench whose cells are known."""
    folder.mkdir(parents=True, exist_ok=True)
    with served_bench(folder) as (bench, laboratory):
        for (row, column), conductance in np.ndenumerate(TRUTH):
            laboratory.chip.cells["multiply"].fix((row, column), float(conductance))
        yield bench, laboratory


# --- replies, in this process ---


def spoil_replies(tally: Tally, kinds: Sequence[str], count: int, folder: Path, seed: int) -> Tally:
    """Read known cells `count` times, each time with one reply of one instrument spoilt."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        kind, role = kinds[number % len(kinds)], ROLES[int(rng.integers(len(ROLES)))]
        after = int(rng.integers(0, 40 if role != "SIM00003" else 12))
        case = f"{kind} reply {after} of {role}"
        with bench_to_spoil(folder / f"{number}") as (bench, laboratory):
            device = next(device for name, device in laboratory.devices.items() if role in name)
            spoilt = BadReply(device, kind, after)
            path, words = folder / f"{number}.h5", ""
            try:
                run(Read(rows="0:2", columns="0:2", repeats=5), bench, seed=1, output=path)
            except Exception as error:  # what it is, other tests look at
                words = f"{type(error).__name__}: {error}"
                if path.exists():
                    with RunFile(path) as file:
                        words += "".join(entry.message for entry in file.log() if entry.level == "CRITICAL")
            tally.note(f"{case}{'' if spoilt.struck else ' (never came)'}", laboratory, path, words)
    return tally


BAD_KINDS = sorted(BAD)
LATE_KINDS = ("late",)


# --- `mho run`, its own processes ---


def start(bench: str, path: Path, *words: str) -> subprocess.Popen[str]:
    """Start `mho run` on a bench."""
    mho = ["-m", "mho"] if POSIX else [str(SUPPORT / "told_by_file.py")]
    return subprocess.Popen(
        [sys.executable, *mho, "run", *words, "--bench", bench, "--output", str(path)],
        cwd=SUPPORT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "RUN_FILE": str(path), "STOP_BY": f"{path}.stop"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **platforms.here.apart(),
    )


def stop(process: subprocess.Popen[str], path: Path) -> None:
    """Ask the run that writes to `path` to stop."""
    if POSIX:
        process.send_signal(signal.SIGTERM)
    else:
        Path(f"{path}.stop").touch()


def worker_of(process: subprocess.Popen[str]) -> psutil.Process | None:
    """Return the worker that a supervisor has started."""
    children = psutil.Process(process.pid).children()
    return next((one for one in children if not platforms.here.is_the_systems(one)), None)


def kill(pid: int, group: bool = False) -> None:
    """Kill a worker, or all of its group; where there are no groups, all that descends from it."""
    if group and POSIX:
        os.killpg(pid, signal.SIGKILL)
        return
    worker = psutil.Process(pid)
    for one in (*(worker.children(recursive=True) if group else ()), worker):
        one.kill()


def finish(process: subprocess.Popen[str], worker: psutil.Process | None, laboratory: Laboratory) -> str:
    """Wait until the run and its worker have ended; return their output."""
    _, words = process.communicate(timeout=PATIENCE)
    if worker is not None:
        eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    deadline = time.monotonic() + 30.0  # of whom a worker without supervisor has called to make safe
    while (
        platforms.here.is_kill(process.returncode)
        and unsafe_roles(laboratory)
        and time.monotonic() < deadline
    ):
        time.sleep(0.1)
    return words


def kill_runs(tally: Tally, count: int, folder: Path, seed: int) -> Tally:
    """Kill worker, its group, or the supervisor of `mho run` at random moments."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        who = ("worker", "group", "supervisor")[number % 3]
        with bench_to_spoil(folder / f"{number}") as (bench, laboratory):
            path = folder / f"{number}.h5"
            process = start(bench, path, "read", "--rows", "0:2", "--columns", "0:2", "--repeats", "100000")
            try:
                worker = eventually(lambda at=process: worker_of(at))
                if number % 4:
                    eventually(path.exists)
                delay = float(rng.uniform(0.0, 1.5 if number % 4 else 5.0))
                time.sleep(delay)
                if who == "supervisor":
                    process.kill()
                else:
                    kill(worker.pid, who == "group")
                words = finish(process, worker, laboratory)
            finally:
                process.kill()
            tally.note(f"{who} killed {delay:.2f} s later", laboratory, path, words)
    return tally


def misbehave(tally: Tally, ways: Sequence[str], folder: Path) -> Tally:
    """Run procedures that misuse their process under `mho run`; those that do not end get SIGTERM."""
    for number, how in enumerate(ways):
        with bench_to_spoil(folder / f"{number}") as (bench, laboratory):
            path, marker = folder / f"{number}" / "run.h5", folder / f"{number}" / "marker"
            process = start(bench, path, "bad_procedures:Bad", how, "--marker", str(marker))
            try:
                eventually(lambda at=process, note=marker: note.exists() or at.poll() is not None)
                if process.poll() is None:
                    worker = worker_of(process)
                    time.sleep(1.0)
                    stop(process, path)
                    words = finish(process, worker, laboratory)
                else:
                    words = finish(process, None, laboratory)
            finally:
                process.kill()
            assert marker.exists(), (how, words)
            tally.note(how, laboratory, path, words)
    return tally


# --- the queue ---


def desk_at(folder: Path, bench: str) -> Desk:
    desk = Desk(folder / "runs" / "queue.sqlite", bench)
    desk.change(lambda queue: queue.set_policy(desk.bench, Policy(Reaction.SKIP, Reaction.SKIP)))
    return desk


def kill_jobs(tally: Tally, count: int, folder: Path, seed: int) -> Tally:
    """Kill a job's worker, its group, its runner, or both at random moments; a killed runner's place is taken."""
    rng = np.random.default_rng(seed)
    with bench_to_spoil(folder) as (bench, laboratory):
        desk = desk_at(folder, bench)
        order = Order(
            "read", {"rows": "0:2", "columns": "0:2", "repeats": 100_000}, bench, 1, None, folder=SUPPORT
        )
        jobs = desk.add(*[order] * count)
        runners = [start_runner(desk)]
        try:
            for number, wanted in enumerate(jobs):
                who = ("worker", "group", "runner", "both")[number % 4]
                job = desk.wait(wanted, JobStatus.RUNNING)
                if number % 3:
                    desk.wait_begun(wanted)
                delay = float(rng.uniform(0.0, 1.5 if number % 3 else 4.0))
                time.sleep(delay)
                if who in ("runner", "both"):
                    runners[-1].kill()
                    runners[-1].wait()
                if who != "runner":
                    kill(job.worker, who == "group")
                if who in ("runner", "both"):
                    runners.append(start_runner(desk))
                settled = desk.wait(wanted, JobStatus.INTERRUPTED, JobStatus.ABORTED, JobStatus.FAILED)
                lane = desk.change(lambda queue: queue.lane(desk.bench))
                tally.note(
                    f"{who} killed {delay:.2f} s later", laboratory, job.run, lane.reason + settled.reason
                )
        finally:
            for runner in runners:
                runner.terminate()
                runner.wait(PATIENCE)
    return tally


def misbehave_in_queue(tally: Tally, ways: Sequence[str], folder: Path) -> Tally:
    """The same procedures as jobs; what does not end is stopped by the emergency stop."""
    for number, how in enumerate(ways):
        with bench_to_spoil(folder / f"{number}") as (bench, laboratory):
            desk, marker = desk_at(folder / f"{number}", bench), folder / f"{number}" / "marker"
            order = Order(
                "bad_procedures:Bad", {"how": how, "marker": str(marker)}, bench, 1, None, folder=SUPPORT
            )
            os.environ["RUN_FILE"] = str(desk.path)
            (job,) = desk.add(order)
            ended = (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.ABORTED, JobStatus.INTERRUPTED)
            with running(desk, drain=False, timeouts=StopTimeouts(emergency=2.0)):
                eventually(lambda note=marker: note.exists())
                time.sleep(1.0)
                if desk.job(job).status not in ended:
                    desk.client.emergency_stop()
                settled = desk.wait(job, *ended)
                lane = desk.change(lambda queue, at=desk: queue.lane(at.bench))
            tally.note(how, laboratory, settled.run, lane.reason + settled.reason)
    return tally
