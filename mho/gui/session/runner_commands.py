"""Sends the window's commands to the runner, and starts one. Each may take seconds, so threads call them."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mho import platforms
from mho.errors import QueueError
from mho.processes import environment, python
from mho.running import queue as job_queue
from mho.running import runner as runners

STARTED_WITHIN = 40.0  # s; the imports of a cold machine
LOOK = 0.1  # s

Command = Literal["pause", "resume", "abort"]

Said = tuple[str, str] | None
"""Level and text of a message to the user; None for no message."""


def carry_out(command: Command, path: Path, bench: str, job: int | None = None) -> None:
    """Send a command to the runner of the queue at `path`; without a runner, do what is possible without it.

    QueueError is raised where the runner refuses, or does not answer.
    """
    from mho.input_files import bench_key

    client = runners.RunnerClient(path, bench)
    abort = partial(client.abort, job)
    requests: dict[Command, Callable[[], Any]] = {
        "pause": client.pause,
        "resume": client.resume,
        "abort": abort,
    }
    try:
        requests[command]()
    except runners.NoRunnerError:
        if command == "abort":
            raise
        with job_queue.Queue(path) as jobs:
            if command == "pause":
                jobs.hold(bench_key(bench), "paused by hand")
            else:
                jobs.release(bench_key(bench))


OPENED_WITHIN = 60.0  # s from an order to a session that takes acts


def act_by_hand(
    path: Path,
    session: job_queue.Order,
    act: tuple[str, Mapping[str, Any], str],
    then: Callable[[], None],
) -> tuple[int, bool]:
    """Let the session by hand on a bench carry out an act; open one first where there is none, as the next job.

    `act`: a procedure and its parameters, or a touch and its values, and of which instrument.
    `then` is called before waiting for a session that was ordered. QueueError is raised where none can be had.
    Returns the number of the session's job, and whether it was opened for this act.
    """
    client = runners.RunnerClient(path, session.bench)
    deadline, ordered = time.monotonic() + OPENED_WITHIN, None
    while True:
        with job_queue.Queue(path) as jobs:
            known = jobs.jobs(client.bench)
            open_ones = [
                job for job in known if job.order.procedure == job_queue.BY_HAND and job.status == "running"
            ]
            if not open_ones and ordered is None:
                busy = next((job for job in known if job.status in ("running", "paused")), None)
                if busy is not None:
                    raise QueueError(
                        f"job {busy.id} has the bench; nothing is done by hand before it has ended"
                    )
                expected = job_queue.expect(session, jobs)
                ordered = jobs.move(jobs.add(expected.order, estimate=expected.seconds).id, 1)
                lane = jobs.lane(client.bench)
                if lane.held:
                    jobs.remove(ordered.id)
                    raise QueueError(f"the queue is held ({lane.reason}); Resume lets it go on")
                then()
            elif ordered is not None and jobs.job(ordered.id).status in job_queue.ENDED:
                ended = jobs.job(ordered.id)
                raise QueueError(f"the session by hand has ended: {ended.outcome or ended.status}")
        if open_ones:
            client.act(*act)
            return open_ones[-1].id, ordered is not None
        if time.monotonic() > deadline:
            raise QueueError(f"no session by hand has begun within {OPENED_WITHIN:.0f} s; see the queue")
        time.sleep(LOOK / 2)


END_WITHIN = 2.0  # s that a runner may take to hear that a session ends


def end_by_hand(path: Path, bench: str, job: int, by: str = "") -> None:
    """End the session by hand that is a job of a bench, unless it is over; `by`: who ends that of another, and for what."""
    with contextlib.suppress(QueueError):
        runners.RunnerClient(path, bench).end_by_hand(job, by, END_WITHIN)


def start_runner(path: Path, bench: str) -> Said:
    """Start a runner that outlives this process, unless one serves the queue at `path`, and wait until it answers.

    QueueError is raised where it cannot be started, with its own words.
    """
    client = runners.RunnerClient(path, bench)
    try:
        client.status()
        return None
    except runners.NoRunnerError:
        pass
    log = path.parent / "runner.log"
    began = log.stat().st_size if log.exists() else 0
    process = _start_detached(["-m", "mho", "runner", "--bench", bench], path.parent, log)
    deadline = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < deadline:
        try:
            return "INFO", f"runner started for bench {client.bench}, process {client.status().pid}"
        except runners.NoRunnerError:
            if process.poll() is not None:
                words = _last_words(log, began)
                raise QueueError(f"the runner of bench {bench!r} ended at once: {words}") from None
        time.sleep(LOOK)
    raise QueueError(f"the runner of bench {bench!r} (process {process.pid}) does not answer; see {log}")


def _start_detached(arguments: list[str], runs: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start mho in its own session, so that it survives the end of this process and of its terminal."""
    try:
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [python(), *arguments],
                env=environment(MHO_RUNS=str(runs)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                **platforms.here.apart(),
            )
    except OSError as error:
        raise QueueError(
            f"the runner cannot be started: {error.strerror}; start it with `mho runner`"
        ) from None
    # It may end before this process does, and must then leave no zombie.
    threading.Thread(target=process.wait, name="runner's end", daemon=True).start()
    return process


def _last_words(log: Path, began: int) -> str:
    """Return the last line that an ended process wrote to its log."""
    try:
        with log.open("rb") as file:
            file.seek(began)
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError as error:
        return f"and {log} cannot be read ({error.strerror})"
    said = [line.strip() for line in lines if line.strip()]
    return said[-1].removeprefix("mho: ") if said else "it said nothing"
