"""The queue with many jobs: how long it takes to add them, to list them, and to find the one that goes next."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.registry import Figure, median_seconds
from procedures.queue import JobStatus, Order, Queue
from procedures.queue.ordering import checked_all, orders_of_plan

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
    added = [_added(folder / f"{number}.sqlite", orders) for number in range(repeat)]
    (folder / "plan.toml").write_text(PLAN.replace("JOBS", str(JOBS)), "utf-8")
    planned = [_planned(folder / "plan.toml", folder / f"plan-{number}.sqlite") for number in range(repeat)]
    with Queue(folder / "queue.sqlite") as queue:
        for job in queue.add_all(orders)[: JOBS // 5]:
            queue.begin(job.id, run=folder / "a.h5", worker=1)
            queue.end(job.id, JobStatus.FINISHED, "")
        listed = median_seconds(queue.jobs, repeat)
        shown = median_seconds(lambda: (queue.shown(ended=20, waiting=40), queue.totals()), repeat)
        next_ = median_seconds(lambda: queue.next("simulated"), repeat)
        moved = median_seconds(lambda: queue.move(JOBS, 1), repeat)
    command = median_seconds(lambda: _list(folder), min(repeat, 3))
    figures = {
        "added in one go": (sorted(added)[repeat // 2], 3.0),
        "a plan checked and added": (sorted(planned)[repeat // 2], 3.0),
        "all of them listed": (listed, 1.0),
        "the next one found": (next_, 0.05),
        "what a list shows, with all counted": (shown, None),
        "the last moved to the front": (moved, None),
        "`mho queue list`, whole command": (command, None),
    }
    return [
        Figure(
            name, 1e3 * seconds, "ms", target=None if wanted is None else f"< {1e3 * wanted:.0f} ms",
            met=None if wanted is None else seconds < wanted, detail={"jobs": JOBS},
        )
        for name, (seconds, wanted) in figures.items()
    ]  # fmt: skip


def _added(path: Path, orders: list[tuple[Order, float | None]]) -> float:
    with Queue(path) as queue:
        start = time.perf_counter()
        queue.add_all(orders)
        return time.perf_counter() - start


def _planned(plan: Path, path: Path) -> float:
    with Queue(path) as queue:
        start = time.perf_counter()
        queue.add_all(checked_all(orders_of_plan(plan), queue))
        return time.perf_counter() - start


def _list(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mho", "queue", "list"],
        cwd=Path(__file__).resolve().parent.parent,
        env=os.environ | {"MHO_RUNS": str(folder)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
