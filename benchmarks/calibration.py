"""Calibrations of chips whose parameters are hidden: how often 95 % intervals hold the truth, and what one costs.

``--repeat N``: N hidden presets about `stanford`, drawn by the factors of `_hidden_presets`, with 256 cells and 200 pulses
on each, SETs and RESETs at random voltages and widths.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from benchmarks._hidden_presets import FACTOR, LOGIT, VOLTS, hidden, random_pulses
from benchmarks.registry import Figure
from mho.analysis.calibration import FITTED, calibrate, transitions_of
from mho.errors import ConvergenceError
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

BASE = "stanford"
CELLS, PULSES = 256, 200


def run(repeat: int) -> list[Figure]:
    base = CELL_PRESETS[BASE]
    inside, told, seconds, astray = [], [], [], []
    for seed in range(repeat):
        truth = hidden(base, FITTED, np.random.default_rng(seed))
        columns = random_pulses(
            truth, CELLS, PULSES, seed,
            gates=(2.0, 3.4), sets=(1.8, 3.0), resets=(1.2, 2.6), reset_gates=(3.0, 4.2),
        )  # fmt: skip
        begun = time.process_time()
        try:
            found = calibrate(transitions_of(columns, asdict(base)), BASE, asdict(base))
        except ConvergenceError:
            astray.append(seed)
            continue
        finally:
            seconds.append(time.process_time() - begun)
        true = np.array([getattr(truth, name) for name in found.names])
        inside.append((found.low <= true) & (true <= found.high))
        told.append(found.told)
    held, known = np.array(inside), np.array(told)
    share, all_of_them = 100.0 * held[known].mean(), 100.0 * held.mean()
    about = {
        "presets": repeat,
        "cells": CELLS,
        "pulses": PULSES,
        "sd of ln": FACTOR,
        "V": VOLTS,
        "of log-odds": LOGIT,
        "intervals": int(known.sum()),
    }
    by_name = dict(zip(found.names, np.round(100.0 * held.mean(axis=0)).tolist(), strict=True))
    return [
        Figure("intervals of told parameters that hold the truth", share, "%", target="90 to 98 %",
               met=bool(90.0 <= share <= 98.0), detail=about),
        Figure("intervals of all parameters that hold the truth", all_of_them, "%", detail=by_name),
        Figure("calibrations that ended without an interval", float(len(astray)), "", detail={"seeds": astray}),
        Figure("one calibration, CPU", float(np.median(seconds)), "s", target="below 180 s",
               met=bool(max(seconds) < 180.0), detail={"longest": max(seconds)}),
    ]  # fmt: skip
