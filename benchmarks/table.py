"""`mho table` of thousands of run files, as a process of its own: its CPU time, with starting Python."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._run_folder import fill
from benchmarks.registry import Figure

RUNS = int(os.environ.get("MHO_BENCHMARK_RUNS", "2400"))
WANTED = 3.0  # s of CPU


def run(repeat: int) -> list[Figure]:
    """Measure the table of `RUNS` runs in each form."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, RUNS)
        return [_figure(folder, suffix, repeat) for suffix in (".csv", ".parquet", ".json")]


def _figure(folder: Path, suffix: str, repeat: int) -> Figure:
    output = folder / f"table{suffix}"
    taken = min(
        _cpu([sys.executable, "-m", "mho", "table", str(folder), "--output", str(output)])
        for _ in range(repeat)
    )
    return Figure(
        f"mho table, {suffix}", taken, "s of CPU", target=f"{WANTED:g} s", met=taken < WANTED,
        detail={"files": RUNS, "written": f"{output.stat().st_size / 1e6:.1f} MB"},
    )  # fmt: skip


def _cpu(command: list[str]) -> float:
    """Return the CPU time of a process and of what it starts, s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
