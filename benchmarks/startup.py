"""Start-up: the CPU time until mho can be used, from a script, on the command line, and as a worker of the queue."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.registry import Figure

STARTS: dict[str, tuple[Sequence[str], float]] = {
    "import mho": (("-c", "import mho"), 0.1),
    "mho --help": (("-m", "mho", "--help"), 0.2),
    "mho run read --help": (("-m", "mho", "run", "read", "--help"), 0.6),
    "a worker's start": (("-m", "mho.running.runner.worker"), 0.6),  # its runner is gone at once, so it ends
}
"""What is started, and the CPU seconds wanted, Python's own start included."""


def run(repeat: int) -> list[Figure]:
    """Measure each start, beside Python's own and beside that of PyMeasure's experiments."""
    python, peer = _cpu(("-c", ""), repeat), _cpu(("-c", "import pymeasure.experiment"), repeat)
    return [
        Figure(
            name,
            cpu := _cpu(words, repeat),
            "s of CPU",
            "import pymeasure.experiment",
            peer,
            target=f"< {wanted:g} s",
            met=cpu < wanted,
            detail={"python alone, s": round(python, 3)},
        )
        for name, (words, wanted) in STARTS.items()
    ]


def _cpu(words: Sequence[str], repeat: int) -> float:
    """Return the median CPU time of a fresh Python, s, after one start that fills the caches."""
    times = []
    for _ in range(repeat + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times[1:])
