"""Start-up: the time until mho can be used, beside ``import pymeasure.experiment``, in turns with it and as ratios to it.

CPU time of a fresh Python for a script, help and the queue's list; wall time of the worker that waits for the next job,
from its assignment to the begin of its run, and of the window (offscreen), until a procedure can be chosen.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.registry import Figure
from mho.procedures.stream import Started
from mho.running.queue import Order, Queue
from mho.running.runner.messages import JobAssignment
from mho.running.runner.worker_process import Child, ChildEnded, ChildMessage

PEER = "import pymeasure.experiment"
JOBS = 500
READ = Order("read", {"rows": "0:2", "columns": "0:2"}, "simulated", 1)
LOADED = 1.0  # s without any CPU time: a worker then waits
STARTS: dict[str, tuple[Sequence[str], float | None]] = {
    "import mho": (("-c", "import mho"), None),
    "mho --help": (("-m", "mho", "--help"), 0.2),
    "mho run read --help": (("-m", "mho", "run", "read", "--help"), 0.5),
    "mho procedures": (("-m", "mho", "procedures"), None),
    f"mho queue list, {JOBS} jobs": (("-m", "mho", "queue", "list"), 0.5),
    "a worker, loaded": (("-m", "mho.running.runner.worker", "mho.procedures.cells.reading.read"), None),
}
"""What is started, and the ratio of its CPU time that is wanted; the worker's runner is gone at once, so it ends."""
WORKER = "a worker that waited, to its run"
WINDOW, MAP = "the window, to its procedures", "the window, to its map of the chip"
WALL = {WORKER: 0.4, WINDOW: 1.0, MAP: None}


def run(repeat: int) -> list[Figure]:
    """Measure each start in turns with the peer, after one turn that fills the caches."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        with Queue(place / "queue.sqlite") as queue:
            queue.add_all([(READ, None)] * JOBS)
        turns = [_turn(place, number) for number in range(repeat + 1)][1:]
    return [_figure(name, wanted, turns, "CPU") for name, (_, wanted) in STARTS.items()] + [
        _figure(name, wanted, turns, "wall") for name, wanted in WALL.items()
    ]


def _figure(name: str, wanted: float | None, turns: Sequence[dict[str, float]], clock: str) -> Figure:
    ratio = median(turn[name] / turn[clock] for turn in turns)
    return Figure(
        name,
        median(turn[name] for turn in turns),
        f"s {clock}",
        PEER,
        median(turn[clock] for turn in turns),
        ratio=ratio,
        target=None if wanted is None else f"< {wanted:g} times",
        met=None if wanted is None else ratio < wanted,
    )


def _turn(folder: Path, number: int) -> dict[str, float]:
    """Return the times of one turn, s; the peer's by its clock."""
    environment = os.environ | {
        "MHO_RUNS": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "QT_QPA_PLATFORM": "offscreen"
    }  # fmt: skip

    def python(*words: str) -> str:
        return subprocess.run(
            [sys.executable, *words], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, check=True, text=True,
        ).stdout  # fmt: skip

    begun = time.perf_counter()
    times = {"CPU": _cpu(lambda: python("-c", PEER))}
    times["wall"] = time.perf_counter() - begun
    times |= {name: _cpu(lambda words=words: python(*words)) for name, (words, _) in STARTS.items()}
    times[WORKER] = _waited(folder / f"{number}.h5")
    asked = time.time()
    window = json.loads(python("-m", "benchmarks._window_start").splitlines()[-1])
    times |= {WINDOW: window["offers"] - asked, MAP: window["maps"] - asked}
    return times


def _cpu(start: Callable[[], object]) -> float:
    """Return the CPU time of the processes that `start` starts and waits for, s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _waited(path: Path) -> float:
    """Return the wall time from the assignment of a worker that waits loaded to the begin of its run, s."""
    inbox: SimpleQueue[Any] = SimpleQueue()
    child = Child(inbox, modules=["mho.procedures.cells.reading.read", "mho.instruments.laboratory"])
    process = psutil.Process(child.pid)
    spent = -1.0
    while spent != (spent := sum(process.cpu_times()[:2])) or not spent:
        time.sleep(LOADED)
    asked, begun = time.perf_counter(), None
    child.tell(JobAssignment(READ, path, 1, 1))
    while not isinstance(message := inbox.get(), ChildEnded):
        if begun is None and isinstance(message, ChildMessage) and isinstance(message.event, Started):
            begun = time.perf_counter()
    if begun is None:
        raise RuntimeError(child.exit_description())
    return begun - asked
