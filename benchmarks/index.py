"""The index of runs: how fast it is made from the files, kept in step with them, and asked.

Peer: reading status and parameters of every file with plain h5py, which is what one does without an index.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py

from benchmarks._run_folder import fill
from benchmarks.registry import Figure
from mho.runs.index.index import RunIndex

RUNS = int(os.environ.get("MHO_BENCHMARK_RUNS", "10000"))
SHOWN = 50

QUERIES = {
    "newest 50": "",
    "parameter and status": "bits>=24 and status=finished",
    "with a unit": "read_voltage > 150mV and read_voltage <= 200mV",
    "result": "relative_error < 1e-5 and not converged",
    "date": "date >= 2026-09-25 and date < 2026-09-26",
    "text anywhere": '"mimo-16x16" and "bench-3"',
    "nothing found": 'text ~ "no such words anywhere"',
    "nested": "(procedure=solve or procedure=read) and not (bits<10 or seed>=9000) and tag=good",
}


def run(repeat: int) -> list[Figure]:
    """Measure rebuild, update and queries on `RUNS` files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, RUNS)
        return list(_measure(folder, repeat))


def _measure(folder: Path, repeat: int) -> list[Figure]:
    with RunIndex(folder) as index:
        cpu = time.process_time()
        rebuild = RUNS / _seconds(index.rebuild, 1)
        cpu = time.process_time() - cpu
        for run in index.search(limit=200):
            index.annotations.tag(run.facts.run_id, "good")
        update = _seconds(index.update, repeat)
        longest = {
            name: _seconds(lambda w=where: index.search(w, limit=SHOWN), repeat)
            for name, where in QUERIES.items()
        }
        sort = _seconds(lambda: index.search("bits>=10", sort="-relative_error", limit=SHOWN), repeat)
        count = _seconds(lambda: index.count("bits>=24"), repeat)
        every = _seconds(index.search, repeat)
        links = _seconds(lambda: index.links(index.search(limit=1)[0]), repeat)
    slowest = max([*longest.values(), sort, count])
    costs = {name: f"{1e3 * seconds:.1f} ms" for name, seconds in longest.items()}
    costs |= {"sorted by a result": f"{1e3 * sort:.1f} ms", "counted": f"{1e3 * count:.1f} ms"}
    peer = RUNS / _seconds(lambda: [_plain(path) for path in sorted(folder.glob("*.h5"))], 1)
    return [
        Figure(
            "rebuild", rebuild, "files/s", "h5py, status and parameters", peer, target="500 files/s", met=rebuild >= 500,
            detail={"files": RUNS, "files per CPU second": round(RUNS / cpu)},
        ),
        Figure(
            "slowest query", 1e3 * slowest, "ms", "h5py, every file", 1e3 * RUNS / peer,
            target="50 ms", met=slowest < 0.05, detail=costs,
        ),
        Figure("all runs as objects", 1e3 * every, "ms", detail={"runs": RUNS}),
        Figure("links of one run", 1e3 * links, "ms"),
        Figure("update, nothing new", 1e3 * update, "ms", detail={"files": RUNS}),
    ]  # fmt: skip


def _plain(path: Path) -> tuple[str, dict[str, object]]:
    with h5py.File(path, "r") as file:
        entry = file["entry"]
        return str(entry["status"][()]), {
            name: item[()] for name, item in entry["procedure/parameters"].items()
        }


def _seconds(action: Callable[[], object], repeat: int) -> float:
    """Return the median of `repeat` times."""
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return sorted(taken)[len(taken) // 2]
