"""Reports and comparisons: CPU and memory of `mho report` and `mho compare`, each in a process of its own.

A programmed array of 128 x 128 cells and a campaign of 200 solves of 16 x 16 (copies of ten, of five presets) are made on
bench `arrays`; the large runs, of small rows and of waves, have chunks that repeat (`_long_runs`).
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._long_runs import LONG, SIZE
from benchmarks.registry import Figure
from mho import run as carry_out
from mho.instruments import open_bench
from mho.procedures import Program, Solve

SIDE, PAGE_CPU = 128, 5.0  # cells; s
RUNS, CAMPAIGN_CPU = 200, 20.0  # s
PRESETS, SEEDS = ("ideal", "quiet", "pku", "relaxing", "stanford"), 2
MEMORY = 500.0  # MB

_MEASURED = """\
import resource, sys, time
from mho.cli.main import app
app(sys.argv[1:], standalone_mode=False, obj=False)
used = resource.getrusage(resource.RUSAGE_SELF)
sys.stderr.write(f"{time.process_time()} {used.ru_maxrss / 1024.0}")
"""


@dataclass(frozen=True)
class Cost:
    """CPU (s) and peak memory (MB) of a command."""

    seconds: float
    memory: float


def run(repeat: int) -> list[Figure]:
    """Report an array, a campaign and a large run; compare the campaign's presets."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        array = _array(folder / "array.h5")
        campaign = _campaign(folder / "campaign")
        page = _cost(repeat, "report", array)
        pages = _cost(1, "report", campaign)
        compared = _cost(1, "compare", campaign, "--by", "preset")
        large = [_long(folder, kind) for kind in LONG]
        html, many = (
            path.stat().st_size / 1e6 for path in (array.with_suffix(".html"), campaign / "report.html")
        )
    return [
        _within(
            f"report of a programmed array, {SIDE} x {SIDE}", page, PAGE_CPU, {"MB of HTML": round(html, 2)}
        ),
        _within(
            f"report of a campaign of {RUNS} solves", pages, CAMPAIGN_CPU, {"MB of HTML": round(many, 2)}
        ),
        Figure(f"comparison of {RUNS} solves by preset", compared.seconds, "s"),
        *large,
    ]


def _long(folder: Path, kind: str) -> Figure:
    """Report runs of three sizes whose table holds one kind of rows."""
    costs = {}
    for size in (0.01 * SIZE, 0.1 * SIZE, SIZE):
        path = folder / f"{size:g}.h5"
        LONG[kind][0](path, 1e9 * size)
        costs[size] = _cost(1, "report", path)
        path.unlink()
    *smaller, large = costs.values()
    return Figure(
        f"report of a run of {SIZE:g} GB of {kind}, peak memory", large.memory, "MB", target=f"< {MEMORY:g}, flat",
        met=large.memory < MEMORY and large.memory < 1.2 * smaller[-1].memory,
        detail={f"{size:g} GB": f"{cost.memory:.0f} MB, {cost.seconds:.1f} s" for size, cost in costs.items()},
    )  # fmt: skip


def _within(name: str, cost: Cost, most: float, detail: dict[str, float]) -> Figure:
    return Figure(
        f"{name}, CPU",
        cost.seconds,
        "s",
        target=f"< {most:g}",
        met=cost.seconds < most,
        detail=detail | {"peak MB": round(cost.memory)},
    )


def _cost(repeat: int, *words: object) -> Cost:
    """Return the median cost of a verb, each time in a new process."""
    found = []
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, *map(str, words)], capture_output=True, text=True, check=True
        )
        found.append(tuple(map(float, done.stderr.split()[-2:])))
    return Cost(*(statistics.median(values) for values in zip(*found, strict=True)))


def _array(path: Path) -> Path:
    levels = path.with_suffix(".csv")
    digits = np.random.default_rng(1).integers(0, 8, (SIDE, SIDE))
    np.savetxt(levels, digits, fmt="%d", delimiter=",")
    with open_bench("arrays", preset="pku", seed=1) as bench:
        carry_out(Program(digits=str(levels)), bench, seed=1, output=path)
    return path


def _campaign(folder: Path) -> Path:
    folder.mkdir()
    made = []
    for preset in PRESETS:
        for seed in range(1, SEEDS + 1):
            path = folder / f"{preset}-{seed}-0.h5"
            with open_bench("arrays", preset=preset, seed=seed) as bench:
                carry_out(Solve(matrix="mimo-16x16", bits=24, seed=seed), bench, seed=seed, output=path)
            made.append(path)
    for number in range(1, RUNS // len(made)):
        for path in made:
            shutil.copy(path, path.with_name(path.name.replace("-0.h5", f"-{number}.h5")))
    return folder
