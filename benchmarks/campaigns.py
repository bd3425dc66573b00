"""A campaign of solves on one worker and on two: how much faster two are."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks._solves import MATRICES
from benchmarks.registry import Figure
from mho.running.campaign import Campaign
from mho.running.plan import parse_plan
from mho.workers import dask_workers

SOLVES = 200
WANTED = 1.8
MATRIX = "zuo2025-4x4.mtx"
PLAN = """
name = "campaign"
[[steps]]
procedure = "solve"
parameters = {{ matrix = "{matrix}", bits = 12 }}
[[sweep]]
seed = {{ from = 1, to = {count} }}
"""


def run(repeat: int) -> list[Figure]:
    """Time the same campaign on one and on two workers; the peer of two workers is one."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    finished = 0
    for _ in range(max(repeat // 3, 1)):
        for workers, taken in seconds.items():
            took, finished = _campaign(workers)
            taken.append(took)
    one, two = (statistics.median(taken) for taken in seconds.values())
    return [
        Figure(
            f"campaign of {SOLVES} solves on two workers",
            two,
            "s",
            peer_name="one worker",
            peer_value=one,
            ratio=one / two,
            target=f"{WANTED} times as fast as one",
            met=one / two >= WANTED and finished == SOLVES,
            detail={"finished": finished, "matrix": MATRIX, "bits": 12},
        )
    ]


def _campaign(workers: int) -> tuple[float, int]:
    """Seconds for the whole campaign, its workers' start and end included, and how many runs finished."""
    text = PLAN.format(matrix=(MATRICES / MATRIX).resolve(), count=SOLVES)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        with dask_workers(workers) as started:
            rows = Campaign(parse_plan(text, Path(folder)), Path(folder)).carry_out(started)
        return time.perf_counter() - begin, sum(row["status"] == "finished" for row in rows)
