"""Calibrations of chips whose parameters are hidden: how often 95 % intervals hold the truth, and what one costs.

``--repeat N``: N hidden presets about `stanford`, drawn by the factors of `_hidden_presets`, with 256 cells and 200 pulses
on each, SETs and RESETs at random voltages and widths.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._hidden_presets import FACTOR, LOGIT, VOLTS, hidden, random_pulses
from benchmarks.registry import Figure
from mho.analysis.calibration import FITTED, calibrate, transitions_of
from mho.errors import ConvergenceError
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

BASE = "stanford"
CELLS, PULSES = 256, 200


@dataclass(frozen=True)
class Outcome:
    """A calibration: for each parameter whether its interval holds the truth, and whether the data tell it."""

    names: tuple[str, ...]
    held: NDArray[np.bool_]
    told: NDArray[np.bool_]


def run(repeat: int) -> list[Figure]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(repeat, os.cpu_count() or 1), mp_context=context) as pool:
        outcomes, seconds = zip(*pool.map(calibrated, range(repeat)), strict=True)
    found = [one for one in outcomes if one is not None]
    astray = [seed for seed, one in enumerate(outcomes) if one is None]
    held, known = np.array([one.held for one in found]), np.array([one.told for one in found])
    share = 100.0 * float(held[known].mean()) if found else 0.0
    about = {
        "presets": repeat,
        "cells": CELLS,
        "pulses": PULSES,
        "sd of ln": FACTOR,
        "V": VOLTS,
        "of log-odds": LOGIT,
        "intervals": int(known.sum()),
    }
    by_name = (
        dict(zip(found[0].names, np.round(100.0 * held.mean(axis=0)).tolist(), strict=True)) if found else {}
    )
    return [
        Figure("intervals of told parameters that hold the truth", share, "%", target="90 to 98 %",
               met=bool(90.0 <= share <= 98.0), detail=about),
        Figure("intervals of all parameters that hold the truth", 100.0 * float(held.mean()) if found else 0.0, "%",
               detail=by_name),
        Figure("calibrations that ended without an interval", float(len(astray)), "", detail={"seeds": astray}),
        Figure("one calibration, CPU", float(np.median(seconds)), "s", target="below 180 s",
               met=bool(max(seconds) < 180.0), detail={"longest": max(seconds)}),
    ]  # fmt: skip


def calibrated(seed: int) -> tuple[Outcome | None, float]:
    """Return the outcome of one hidden preset, none where no search ended at a maximum, and the processor time, s."""
    base = CELL_PRESETS[BASE]
    truth = hidden(base, FITTED, np.random.default_rng(seed))
    columns = random_pulses(
        truth, CELLS, PULSES, seed,
        gates=(2.0, 3.4), sets=(1.8, 3.0), resets=(1.2, 2.6), reset_gates=(3.0, 4.2),
    )  # fmt: skip
    begun = time.process_time()
    try:
        found = calibrate(transitions_of(columns, asdict(base)), BASE, asdict(base))
    except ConvergenceError:
        return None, time.process_time() - begun
    seconds = time.process_time() - begun
    true = np.array([getattr(truth, name) for name in found.names])
    return Outcome(found.names, (found.low <= true) & (true <= found.high), found.told), seconds
