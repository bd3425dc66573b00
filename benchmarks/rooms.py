"""How many modules of mho a pulse and a solve pass through: those whose functions are entered, counted by `sys.setprofile`.

A reader who follows a call pays for each. Importing counts nothing, nor do other threads. MHO_BENCHMARK_ROOMS=1 adds the
modules, in the order of their first entry, and how often each was entered.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import mho
from benchmarks.registry import Figure

TWINS = "mho.instruments.simulated"
LIST = bool(os.environ.get("MHO_BENCHMARK_ROOMS"))


def run(repeat: int) -> list[Figure]:
    """Count each walk once: a count needs no repeats."""
    figures = []
    with mho.open_bench("simulated", preset="quiet", seed=1) as bench:
        cell, pulse = mho.Cell("multiply", 0, 0), mho.Pulse("set", 1.0, 1e-6, gate=1.0)
        for which in ("first pulse on an open bench, which forms the route", "later pulse on the same cell"):
            figures.append(_figure(which, walk(lambda: bench.pulse(cell, pulse)), 28))
    for name in ("simulated", "arrays"):
        _solve(name)  # what is filled once, caches and tables, is not what a solve passes through
        figures.append(_figure(f"solve of 2 x 2 on {name}", walk(lambda name=name: _solve(name)), 120))
    return figures


def walk(work: Callable[[], object]) -> Counter[str]:
    """Do `work`; return how often functions of each module of mho were entered, in the order of the first entry."""
    rooms: Counter[str] = Counter()

    def enter(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            room = frame.f_globals.get("__name__", "")
            if room.startswith("mho."):
                rooms[room] += 1

    sys.setprofile(enter)
    try:
        work()
    finally:
        sys.setprofile(None)
    return rooms


def _solve(bench: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
        mho.solve(matrix, bench=bench, preset="quiet", seed=1, output=Path(folder) / "solve.h5")


def _figure(name: str, rooms: Counter[str], target: int) -> Figure:
    twins = sum(room.startswith(TWINS) for room in rooms)
    return Figure(
        f"modules entered, {name}", len(rooms), "", target=f"< {target}", met=len(rooms) < target,
        detail={"of the twins": twins, "others": len(rooms) - twins, **(rooms if LIST else {})},
    )  # fmt: skip
