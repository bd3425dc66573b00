"""Memory of many solves in one process: by how much its peak grows after the first of them, for each kind of solve.

The peak, not what is left after a collection: what a solve leaves to the collector counts until the collector comes.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import mho
from benchmarks.registry import Figure

SOLVES = int(os.environ.get("MHO_BENCHMARK_SOLVES", "61"))
SIZE = 4
TARGET = 100.0  # MB, of a thousand solves
KINDS = {
    "arrays": ("arrays", False),
    "arrays, one open bench": ("arrays", True),
    "simulated": ("simulated", False),
    "simulated, one open bench": ("simulated", True),
}
PRESETS = ("pku", "stanford")  # in turn where a bench is opened anew


def run(repeat: int) -> list[Figure]:
    """Measure each kind in a process of its own, once: `SOLVES` of them say more than repeats."""
    return [_figure(kind) for kind in KINDS]


def _figure(kind: str) -> Figure:
    words = [sys.executable, "-m", "benchmarks.memory", kind, str(SOLVES)]
    seen = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    growth = seen.pop("growth, MB")
    return Figure(
        f"growth over {SOLVES:,} solves, {kind}", growth, "MB",
        target=f"< {TARGET:g} MB", met=growth < TARGET, detail=seen,
    )  # fmt: skip


def grow(kind: str, solves: int) -> dict[str, Any]:
    """Solve random systems, each with a run file, and return the growth of this process's peak, MB."""
    bench, stays_open = KINDS[kind]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if stays_open:
            opened = stack.enter_context(mho.open_bench(bench, seed=1))
            solve: Callable[..., Any] = partial(mho.solve, bench=opened)
        else:
            solve = partial(mho.solve, bench=bench)
        peaks, objects = [], []
        for seed in range(solves + 1):
            preset = None if stays_open else PRESETS[seed % len(PRESETS)]
            path = folder / f"{seed}.h5"
            solve(_matrix(seed), seed=seed, preset=preset, output=path)
            path.unlink()
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
            if seed in (solves // 2, solves):
                gc.collect()
                objects.append(len(gc.get_objects()))
    return {
        "growth, MB": peaks[-1] - peaks[0],
        "of it in the last half, MB": round(peaks[-1] - peaks[solves // 2], 1),
        "objects left by a solve of the last half": round(
            (objects[-1] - objects[0]) / (solves - solves // 2), 1
        ),
    }


def _matrix(seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (SIZE, SIZE)) + SIZE * np.eye(SIZE)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(grow(sys.argv[1], int(sys.argv[2]))))
