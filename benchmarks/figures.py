"""Figures: five of a campaign of 200 runs, and those of a run of many gigabytes, in CPU seconds and memory.

The campaign is one solve of each of five presets on whole arrays, copied; the long runs' chunks repeat (`_long_runs`).
Each is drawn in a process of its own, whose peak of memory is that of importing, reading and drawing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mho
from benchmarks._long_runs import LONG as LONG_RUNS
from benchmarks._long_runs import SIZE
from benchmarks.registry import Figure
from mho.procedures import Solve

RUNS = int(os.environ.get("MHO_BENCHMARK_RUNS", "200"))
PRESETS = ("ideal", "quiet", "pku", "relaxing", "stanford")

FIVE = """
import mho
runs = mho.open_runs({folder!r})
for name in ("convergence", "levels", "pulses_per_cell", "errors", "cycles_by_rho"):
    runs.plot({folder!r} + "/" + name + ".pdf", name, by="preset", width="column")
"""
"""What an analyst writes."""

ONE = "import mho\nmho.plot({folder!r}, {folder!r} + '/one.png', 'convergence', by='preset')\n"
LONG = "import mho\nmho.plot({path!r}, {path!r} + '.png', {name!r})\n"
MEASURED = """
import json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))
"""


def run(repeat: int) -> list[Figure]:
    """Measure both; the long run once."""
    with tempfile.TemporaryDirectory() as name:
        return [*_campaign(Path(name) / "campaign", repeat), *_long(Path(name))]


def _campaign(folder: Path, repeat: int) -> list[Figure]:
    folder.mkdir()
    matrix = str(Path(mho.__file__).parent / "chip_maps" / "matrices" / "mimo-16x16.mtx")
    for preset in PRESETS:
        first = folder / f"{preset}-0.h5"
        mho.run(Solve(matrix=matrix, bits=24), bench="arrays", preset=preset, seed=1, output=first)
        for number in range(1, RUNS // len(PRESETS)):
            shutil.copy(first, folder / f"{preset}-{number}.h5")
    found = []
    for name, script, target in (("five figures", FIVE, 10.0), ("convergence by preset", ONE, None)):
        costs = sorted(_measured(script.format(folder=str(folder))) for _ in range(max(repeat, 1)))
        seconds, memory = costs[len(costs) // 2]
        found.append(
            Figure(
                f"{name} of {RUNS} runs", seconds, "s CPU", target="10 s" if target else None,
                met=seconds < target if target else None, detail={"peak": f"{memory / 1e6:.0f} MB"},
            )
        )  # fmt: skip
    return found


def _long(folder: Path) -> list[Figure]:
    return [_long_of(kind, folder) for kind in LONG_RUNS]


def _long_of(kind: str, folder: Path) -> Figure:
    """Draw the figures of runs of three sizes, one after another and all on a sheet."""
    write, figures = LONG_RUNS[kind]
    peaks = {}
    details: dict[str, str] = {}
    for size in (0.01 * SIZE, 0.1 * SIZE, SIZE):
        path = folder / f"{size:g}.h5"
        rows = write(path, 1e9 * size)
        costs = {one.name: _measured(LONG.format(path=str(path), name=one.name)) for one in figures}
        costs["all on a sheet"] = _measured(LONG.format(path=str(path), name=""))
        peaks[size] = max(memory for _, memory in costs.values())
        told = ", ".join(
            f"{name} {memory / 1e6:.0f} MB {seconds:.0f} s" for name, (seconds, memory) in costs.items()
        )
        details[f"{size:g} GB, {rows} rows"] = told
        path.unlink()
    return Figure(
        f"peak of memory, a run of {SIZE:g} GB of {kind}", peaks[SIZE] / 1e6, "MB", target="500 MB, flat",
        met=peaks[SIZE] < 500e6 and peaks[SIZE] < 1.2 * peaks[0.1 * SIZE], detail=details,
    )  # fmt: skip


def _measured(script: str) -> tuple[float, int]:
    """Return CPU seconds and peak memory, bytes, of a script in a process of its own."""
    code = [sys.executable, "-c", script + MEASURED]
    done = subprocess.run(code, stdout=subprocess.PIPE, text=True, check=True)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), int(memory)
