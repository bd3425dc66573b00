"""What a benchmark is, how it is found by name, and how its time is taken.

A benchmark is a module of this package whose name starts with a letter, with a function
``run(repeat: int) -> list[Figure]``. Nothing of it is imported before it is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import pkgutil
import platform
import statistics
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

NOT_BENCHMARKS = {"registry", "mutants", "__main__"}


@dataclass(frozen=True)
class Figure:
    """One measured number, beside the peer's on the same work in the same run.

    Attributes
    ----------
    name, value, unit
        What was measured: a median over the repeats.
    peer_name, peer_value
        The other tool and its median; without a value the peer is shown as not installed.
    ratio
        value / peer_value, unless given.
    target, met
        What the project wants of this figure, in words, and whether it was reached.
    detail
        What the layers cost, sizes and settings: anything JSON can hold.
    threads
        Threads the work could use.
    peer_package
        What ``pip install`` calls the peer.
    """

    name: str
    value: float
    unit: str
    peer_name: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    target: str | None = None
    met: bool | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    peer_package: str | None = None

    def __post_init__(self) -> None:
        if self.ratio is None and self.peer_value:
            object.__setattr__(self, "ratio", self.value / self.peer_value)

    @property
    def peer(self) -> str:
        """The peer's value as a reader wants it, or how to get the peer."""
        if self.peer_name is None:
            return ""
        if self.peer_value is None:
            hint = f" (pip install {self.peer_package})" if self.peer_package else ""
            return f"{self.peer_name}: not installed{hint}"
        return f"{self.peer_name}: {self.peer_value:.4g} {self.unit}"


@dataclass(frozen=True)
class Outcome:
    """What one benchmark came to: its figures, or the error that stopped it."""

    benchmark: str
    figures: tuple[Figure, ...]
    seconds: float
    error: str | None = None


def names() -> list[str]:
    """Return the benchmarks there are, in alphabetical order."""
    package = importlib.import_module(__package__)
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if name not in NOT_BENCHMARKS and not name.startswith("_"))


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that somebody who typed `name` may have meant, the likeliest first."""
    return difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)


def measure(name: str, repeat: int) -> Outcome:
    """Run one benchmark; an error in it is an outcome, so that the others still run."""
    start = time.perf_counter()
    try:
        figures = tuple(importlib.import_module(f"{__package__}.{name}").run(repeat))
    except Exception:  # a report is due whatever a benchmark or its peer raises
        return Outcome(name, (), time.perf_counter() - start, traceback.format_exc())
    return Outcome(name, figures, time.perf_counter() - start)


def installed(module: str) -> bool:
    """Tell whether a peer can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def median_seconds(work: Callable[[], object], repeat: int) -> float:
    """Return the median wall time of `work`, s, over `repeat` calls after one that warms up."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def machine() -> dict[str, str]:
    """Return what a figure depends on besides the code: processor, threads, interpreter, libraries."""
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    limits = {name: os.environ[name] for name in _THREAD_LIMITS if name in os.environ}
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "usable cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ""),
        "thread limits": ", ".join(f"{name}={value}" for name, value in limits.items()) or "none set",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
    }


def as_json(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return outcomes and machine as JSON can hold them."""
    return {"machine": machine(), "benchmarks": [asdict(outcome) for outcome in outcomes]}


_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def _processor() -> str:
    """Return the processor's name; Linux tells it in one place only."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
