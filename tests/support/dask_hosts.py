"""Dask schedulers and workers as processes of their own, on loopback, each under a host name that is given."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mho.processes import environment

NAMED = """
import socket
socket.gethostname = lambda: {host!r}
"""
"""What a worker loads first: to mho it is on this host then."""


def start_worker(scheduler: str, host: str, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start a worker that dies alone when it is killed; mho sees it on the host of this name."""
    preload = folder / f"{host}.py"
    preload.write_text(NAMED.format(host=host))
    return _started(
        "dask_worker", scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1",
        "--local-directory", str(folder), "--death-timeout", "60", "--preload", str(preload), *more, folder=folder,
    )  # fmt: skip


@contextmanager
def scheduler_process(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a scheduler; yields its process and its address."""
    place = folder / "scheduler.json"
    process = _started(
        "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show",
        "--scheduler-file", str(place), *more, folder=folder,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60.0
        while not (place.exists() and place.read_text().endswith("}")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "dask_scheduler.log").read_text())
            time.sleep(0.1)
        yield process, json.loads(place.read_text())["address"]
    finally:
        end(process)


def end(*processes: subprocess.Popen[bytes]) -> None:
    """Kill processes and wait for their end."""
    for process in processes:
        process.kill()
        process.wait()


def _started(verb: str, *words: str, folder: Path) -> subprocess.Popen[bytes]:
    command: Sequence[str] = [sys.executable, "-m", f"distributed.cli.{verb}", *words]
    # A configuration of the user's own must not reach into the tests.
    env = environment(DASK_CONFIG=str(folder), DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="60s")
    with (folder / f"{verb}.log").open("ab") as log:
        return subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
        )
