"""The share of cells in their windows after a second, an hour and a day: with and without verifying again, and a refresh.

For every preset of cells, on the bench without instruments: a block of random digits is programmed with no pass and with
two passes of touching up, and read as time goes by. A day after the programming it is refreshed, and read again in the
same steps. Each share is of one read of each cell, whose noise counts too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.registry import Figure
from benchmarks.strategies import CASES
from mho.instruments import Bench, open_bench
from mho.instruments.simulated import CELL_PRESETS
from mho.procedures import Program, Read, Refresh
from mho.procedures.chip_in_use import chip_of
from mho.running.execution import evaluate

SIDE = 64
TIMES = {"1 s": 1.0, "1 h": 3600.0, "1 day": 86400.0}
PASSES = {"not verified again": 0, "verified again": 2}


def run(repeat: int) -> list[Figure]:
    """Measure each preset with `repeat` seeds."""
    found = []
    for name in CELL_PRESETS:
        detail: dict[str, float] = {}
        for how, passes in PASSES.items():
            runs = [shares(name, passes, seed) for seed in range(repeat)]
            for when in runs[0]:
                detail[f"{how}, {when}"] = round(float(np.mean([one[when] for one in runs])), 4)
        found.append(
            Figure(
                f"{name}: in window a day after a refresh",
                detail["verified again, 1 day after a refresh"],
                "",
                "a day after programming",
                detail["verified again, 1 day"],
                detail={**detail, "cells": SIDE * SIDE * repeat},
            )
        )
    return found


def shares(preset: str, passes: int, seed: int, side: int = SIDE) -> Mapping[str, float]:
    """Return the share of cells in their windows, by time since they were programmed, and since they were refreshed."""
    found: dict[str, float] = {}
    name, _ = CASES.get(preset, ("arrays", preset))
    with open_bench(name, preset=preset, seed=seed) as bench:
        count = len(chip_of(bench).level_scale().nominal)
        digits = np.random.default_rng(seed).integers(0, count, (side, side))
        evaluate(Program(digits=digits, passes=passes), bench, seed=seed)
        found |= _followed(bench, digits, "")
        refreshed = evaluate(Refresh(digits=digits, passes=passes), bench, seed=seed)
        found["repaired"] = refreshed.summary["repaired"] / digits.size
        found |= _followed(bench, digits, " after a refresh")
    return found


def _followed(bench: Bench, digits: np.ndarray, since: str) -> dict[str, float]:
    start, levels = bench.now(), chip_of(bench).level_scale()
    lines = f"0:{len(digits)}"
    found = {}
    for when, seconds in TIMES.items():
        bench.wait_until(start + seconds)
        read = evaluate(Read(rows=lines, columns=lines), bench, seed=0).conductance[0]
        found[when + since] = float(levels.inside(read, digits).mean())
    return found
