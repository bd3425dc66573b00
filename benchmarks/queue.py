"""The queue with many jobs: how long it takes to add them, to list them, and to find the one that goes next."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.registry import Figure, median_seconds
from mho.running.queue import JobStatus, Order, Queue
from mho.running.queue.orders import checked_all, orders_of_plan

JOBS = int(os.environ.get("MHO_BENCHMARK_JOBS", "10000"))
PLAN = """
name = "many"
[[steps]]
procedure = "read"
[[sweep]]
seed = { from = 1, to = JOBS }
"""


def run(repeat: int) -> list[Figure]:
    """Measure a queue of `JOBS` jobs, a fifth of which have ended."""
    with tempfile.TemporaryDirectory() as name:
        return list(_measure(Path(name), repeat))


def _measure(folder: Path, repeat: int) -> list[Figure]:
    orders = [
        (Order("read", {"repeats": 1 + number % 7}, seed=number, folder=folder), 3.0)
        for number in range(JOBS)
    ]
    plan = folder / "plan.toml"
    plan.write_text(PLAN.replace("JOBS", str(JOBS)), "utf-8")
    fresh = (folder / f"{number}.sqlite" for number in itertools.count())
    with Queue(folder / "queue.sqlite") as queue:
        for job in queue.add_all(orders)[: JOBS // 5]:
            queue.begin(job.id, run=folder / "a.h5", worker=1)
            queue.end(job.id, JobStatus.FINISHED, "")

        def add_plan(to: Queue) -> None:
            to.add_all(checked_all(orders_of_plan(plan), to))

        work: dict[str, tuple[Callable[[Queue], object], float | None]] = {
            "added in one go": (lambda to: to.add_all(orders), 3.0),
            "a plan checked and added": (add_plan, 3.0),
            "all of them listed": (lambda _: queue.jobs(), 1.0),
            "the next one found": (lambda _: queue.next("simulated"), 0.05),
            "what a list shows, with all counted": (
                lambda _: (queue.shown(ended=20, waiting=40), queue.totals()),
                None,
            ),
            "the last moved to the front": (lambda _: queue.move(JOBS, 1), None),
        }
        figures = [_figure(name, wanted, fresh, do, repeat) for name, (do, wanted) in work.items()]
    command = 1e3 * median_seconds(lambda: _list(folder), min(repeat, 3))
    return [*figures, Figure("`mho queue list`, whole command", command, "ms", detail={"jobs": JOBS})]


def _figure(
    name: str, wanted: float | None, fresh: Iterator[Path], do: Callable[[Queue], object], repeat: int
) -> Figure:
    """Time what is done, each time with a fresh queue at hand; wall time, and the CPU's beside it."""
    wall, cpu = [], []
    for _ in range(repeat):
        with Queue(next(fresh)) as empty:
            began, used = time.perf_counter(), time.process_time()
            do(empty)
            wall.append(time.perf_counter() - began)
            cpu.append(time.process_time() - used)
    seconds = statistics.median(wall)
    return Figure(
        name, 1e3 * seconds, "ms", target=None if wanted is None else f"< {1e3 * wanted:.0f} ms",
        met=None if wanted is None else seconds < wanted,
        detail={"jobs": JOBS, "CPU, ms": round(1e3 * statistics.median(cpu), 2)},
    )  # fmt: skip


def _list(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mho", "queue", "list"],
        cwd=Path(__file__).resolve().parent.parent,
        env=os.environ | {"MHO_RUNS": str(folder)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
