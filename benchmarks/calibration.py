"""Calibrations of chips whose parameters are hidden: how often 95 % intervals hold the truth, and what one costs.

``--repeat N``: N hidden presets about `stanford`, drawn by the factors of `_hidden_presets`, with 256 cells and 200 pulses
on each, SETs and RESETs at random voltages and widths; and as many about `pku`, of the gradual law, with 64 cells and 100
pulses. Beyond pulses, chips with hidden forming, noise and retention are formed, programmed, baked and read on the bench
`stanford-arrays`, and calibrated from their run files.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._hidden_experiments import Interval, told_of_hidden
from benchmarks._hidden_presets import FACTOR, LOGIT, VOLTS, hidden, random_pulses
from benchmarks.registry import Figure
from mho.errors import ConvergenceError
from mho.extensions.calibration import calibrate, sought, transitions_of
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

EXPERIMENTS = 12  # chips that are formed, programmed and baked, at most
READ = 0.65  # V: reads would change cells with a V_BL threshold below it


@dataclass(frozen=True)
class Chips:
    """Chips with hidden parameters: about which preset, how large, and pulses of which voltages they are given."""

    base: str
    cells: int
    pulses: int
    seconds: float  # CPU, that one calibration may take
    ranges: dict[str, tuple[float, float]]


CHIPS = (
    Chips("stanford", 256, 200, 180.0,
          {"gates": (2.0, 3.4), "sets": (1.8, 3.0), "resets": (1.2, 2.6), "reset_gates": (3.0, 4.2)}),
    Chips("pku", 64, 100, 60.0,
          {"gates": (1.0, 2.8), "sets": (0.7, 2.2), "resets": (0.8, 2.6), "reset_gates": (1.8, 3.0)}),
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A calibration: for each parameter whether its interval holds the truth, and whether the data tell it."""

    names: tuple[str, ...]
    held: NDArray[np.bool_]
    told: NDArray[np.bool_]


def run(repeat: int) -> list[Figure]:
    """Calibrate `repeat` hidden presets about each one, on all cores."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(repeat, os.cpu_count() or 1), mp_context=context) as pool:
        found = [figure for chips in CHIPS for figure in _of(chips, repeat, pool)]
        return [*found, beyond_pulses(list(pool.map(told_of_hidden, range(min(repeat, EXPERIMENTS)))))]


def beyond_pulses(chips: Sequence[Sequence[Interval]]) -> Figure:
    """Return the share of intervals from experiments, of all `chips`, that hold the truth; in detail those of each name."""
    told = [one for chip in chips for one in chip]
    names = sorted({one.name for one in told})
    by_name = {
        name: f"{sum(one.held for one in told if one.name == name)} of {sum(one.name == name for one in told)}"
        for name in names
    }
    share = 100.0 * float(np.mean([one.held for one in told])) if told else 0.0
    return Figure(
        "stanford: intervals beyond pulses that hold the truth",
        share,
        "%",
        detail={"presets": len(chips), **by_name},
    )


def _of(chips: Chips, repeat: int, pool: ProcessPoolExecutor) -> list[Figure]:
    outcomes, seconds = zip(*pool.map(calibrated, repeat * [chips], range(repeat)), strict=True)
    found = [one for one in outcomes if one is not None]
    astray = [seed for seed, one in enumerate(outcomes) if one is None]
    held, known = np.array([one.held for one in found]), np.array([one.told for one in found])
    share = 100.0 * float(held[known].mean()) if found else 0.0
    about = {
        "presets": repeat,
        "cells": chips.cells,
        "pulses": chips.pulses,
        "sd of ln": FACTOR,
        "V": VOLTS,
        "of log-odds": LOGIT,
        "intervals": int(known.sum()),
    }
    by_name = (
        dict(zip(found[0].names, np.round(100.0 * held.mean(axis=0)).tolist(), strict=True)) if found else {}
    )
    return [
        Figure(f"{chips.base}: intervals of told parameters that hold the truth", share, "%", target="90 to 98 %",
               met=bool(90.0 <= share <= 98.0), detail=about),
        Figure(f"{chips.base}: intervals of all parameters that hold the truth",
               100.0 * float(held.mean()) if found else 0.0, "%", detail=by_name),
        Figure(f"{chips.base}: calibrations that ended without an interval", float(len(astray)), "",
               detail={"seeds": astray}),
        Figure(f"{chips.base}: one calibration, CPU", float(np.median(seconds)), "s",
               target=f"below {chips.seconds:.0f} s", met=bool(max(seconds) < chips.seconds),
               detail={"longest": max(seconds)}),
    ]  # fmt: skip


def calibrated(chips: Chips, seed: int) -> tuple[Outcome | None, float]:
    """Return the outcome of one hidden preset, none where no search ended at a maximum, and the processor time, s."""
    base = CELL_PRESETS[chips.base]
    kinds, rng = sought(asdict(base)), np.random.default_rng(seed)
    truth = hidden(base, kinds, rng)
    while truth.set_threshold - 4.0 * truth.set_threshold_spread < READ:
        truth = hidden(base, kinds, rng)
    columns = random_pulses(truth, chips.cells, chips.pulses, seed, **chips.ranges)
    begun = time.process_time()
    try:
        found = calibrate(transitions_of(columns, asdict(base)), chips.base, asdict(base))
    except ConvergenceError:
        return None, time.process_time() - begun
    seconds = time.process_time() - begun
    true = np.array([getattr(truth, name) for name in found.names])
    return Outcome(found.names, (found.low <= true) & (true <= found.high), found.told), seconds
