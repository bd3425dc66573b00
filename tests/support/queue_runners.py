"""Runners for tests: in a thread of the test, or as the process that `mho runner` is."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repository import ROOT, SUPPORT

from mho import platforms
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Server
from mho.procedures.stream import Message
from mho.running.queue import Job, JobStatus, Order, Queue
from mho.running.runner import Runner, RunnerClient, StopTimeouts
from mho.running.runner.messages import Event
from mho.running.runner.worker_process import STOP_TIMEOUTS

PATIENCE = (
    110.0  # s: each job starts a process, which a busy machine makes slow; below the time limit of a test
)
LIVING: dict[str, Any] = {"worker": os.getpid(), "worker_birth": platforms.here.birth_of(os.getpid())}
"""A worker that is there: the test itself."""


def eventually(true: Callable[[], Any], progress: Callable[[], Any] = lambda: None) -> Any:
    """Wait until it is true, as long as `progress` changes and `PATIENCE` after that, and return what it was."""
    reached, deadline = progress(), time.monotonic() + PATIENCE
    while not (found := true()):
        if (now := progress()) != reached:
            reached, deadline = now, time.monotonic() + PATIENCE
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.01)
    return found


def nowhere() -> str:
    """An address of this call's own at which nothing answers; two tests with one would lock it against each other."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"TCPIP0::127.0.0.1::{unused.getsockname()[1]}::SOCKET"


def order(bench: str = "simulated", *, how: str = "", **parameters: Any) -> Order:
    """An order for one of the procedures in queue_procedures.py."""
    name = "Going" if how else "Reading"
    values = parameters | ({"how": how} if how else {})
    return Order(
        f"queue_procedures:{name}",
        values,
        bench,
        1,
        "ideal" if bench == "simulated" else None,
        folder=SUPPORT,
    )


@dataclass
class Desk:
    """A queue, and what one does with it in a test."""

    path: Path
    bench: str = "simulated"
    heard: list[Event] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.path.with_suffix(".log")

    @property
    def client(self) -> RunnerClient:
        return RunnerClient(self.path, self.bench)

    def add(self, *orders: Order) -> list[int]:
        with Queue(self.path) as queue:
            return [queue.add(one).id for one in orders]

    def job(self, number: int) -> Job:
        with Queue(self.path) as queue:
            return queue.job(number)

    def change(self, act: Callable[[Queue], Any]) -> Any:
        with Queue(self.path) as queue:
            return act(queue)

    def wait(self, number: int, *statuses: JobStatus) -> Job:
        return eventually(lambda: (job := self.job(number)).status in statuses and job)

    def wait_begun(self, number: int) -> Job:
        """Wait until the job's run file is there: it has begun to measure."""
        job = self.wait(number, JobStatus.RUNNING)
        eventually(lambda: job.run.exists())
        return job

    def said(self) -> str:
        return "\n".join(f"{e.level}: {e.text}" for e in self.heard if isinstance(e, Message))


@contextmanager
def running(desk: Desk, *, drain: bool = True, timeouts: StopTimeouts = STOP_TIMEOUTS) -> Iterator[Runner]:
    """Serve the queue from a thread; at the end wait until it is drained, or end it. What fails there fails the test."""
    listeners = [desk.heard.append]
    with ThreadPoolExecutor(1, "serve") as thread:  # one, for SQLite's sake
        runner = thread.submit(Runner, desk.path, desk.bench, listeners=listeners, timeouts=timeouts).result()
        served = thread.submit(runner.serve, drain=drain)
        try:
            yield runner
        except BaseException:
            drain = False
            raise
        finally:
            if not drain:
                runner.end("the test is over")
            eventually(served.done, progress=lambda: len(desk.heard))
            served.result()


def start_runner(
    desk: Desk, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `mho runner` on the desk's queue; what it shows goes to `desk.log`."""
    desk.log.parent.mkdir(parents=True, exist_ok=True)
    with desk.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mho", "runner", "--bench", desk.bench, *options],
            cwd=ROOT,
            env=os.environ | {"MHO_RUNS": str(desk.path.parent)} | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def start_window(desk: Desk) -> subprocess.Popen[bytes]:
    """Open the window on the desk's runs, without a screen and with settings of its own."""
    folder = desk.path.parent
    environment = {
        "MHO_RUNS": str(folder),
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    with desk.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mho", "gui", "--bench", desk.bench],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


@contextmanager
def served_bench(folder: Path) -> Iterator[tuple[str, Laboratory]]:
    """A bench whose instruments outlive its user: twins served on sockets by the test's own process.

    Yields the bench file, and the laboratory with the actual state of the chip's terminals. The board's own converters
    play vectors, as a simulated NI device lives in the process that uses it.
    """
    converters = '[instruments.daq]\ndriver = "array_board"'
    text = re.sub(r"(?m)^\[instruments\.daq\](\n.+)*", converters, load_bench_file("simulated").text)
    text = re.sub(r"(?m)^watchdog = .*\n", "", text)  # fed by the wall clock, it starves on the virtual one
    path = folder / "served.toml"
    path.write_text(text, encoding="utf-8")
    laboratory = Laboratory(load_bench_file(str(path)), preset="ideal", seed=1)
    with Server(laboratory, 0) as server:
        real = re.sub(r"(?m)^\[simulation\](\n.+)*", "", text).replace(
            'chip = "', 'visa = "@py"\nchip = "', 1
        )
        for endpoint in server.endpoints:
            real = real.replace(endpoint.resource, endpoint.address)
        path.write_text(real, encoding="utf-8")
        yield str(path), laboratory


def unsafe_roles(laboratory: Laboratory) -> set[str]:
    """Return the instruments that are not at 0 V and off, or not SAFE."""
    entries = load_bench_file("simulated").bench.instruments
    smu, gate, pulser = (laboratory.devices[e.address] for e in (entries.smu, entries.gate, entries.pulser))
    safe = {
        "smu": not smu.output_on and smu.level == 0.0,
        "gate": not gate.output_on and gate.level == 0.0,
        "pulser": not any(pulser.output_on.values()),
        "board": (laboratory.board.mode, laboratory.board.path) == ("SAFE", "OPEN"),
    }
    return {role for role, yes in safe.items() if not yes}
