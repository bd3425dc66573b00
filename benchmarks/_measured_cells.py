"""Experiments on simulated cells as they were made on measured ones: single SETs, RESET staircases, cycles, ISPP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import VIRGIN, CellArray
from mho.instruments.simulated.physics.cells.presets import CellPreset

MEASURED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "measured" / "stanford.json").read_text(encoding="utf-8")
)
"""Statistics of the measured chips, with their sources; conductances in uS."""

MICRO = 1e6
WIDTH = 100e-9  # s
SET_VOLTAGE = 2.0  # V, bit line
RESET_VOLTAGE, RESET_GATE = 2.23, 4.0  # V: those of the evaluation runs are not told, the first is fitted
RAMP_START = 2.14  # V: fitted; 2.1 in the slides
RAMP_SPAN = 1.75  # V: 1.7 to 1.8 follows from the counts
RESET_ABOVE, MOST_RESETS = 1e6 / 60e3, 20  # uS: below 60 kOhm single SETs began with a RESET
PULSE_PERIOD = 1e-3  # s


@dataclass(frozen=True)
class Programmed:
    """Result of programming cells to one level; each array is (cells,).

    Attributes
    ----------
    pulses : array
        SETs and RESETs but one, as the source counts them.
    resets : array
        Attempts.
    success : array of bool
        Whether a read ended in the window.
    """

    pulses: NDArray[np.int64]
    resets: NDArray[np.int64]
    success: NDArray[np.bool_]


def formed(preset: CellPreset, count: int, seed: int) -> tuple[CellArray, VirtualClock]:
    """Return `count` cells in one column, formed as the measured ones: V_BL in steps at V_WL 2 V, 1 us."""
    clock = VirtualClock()
    cells = CellArray(count, 1, preset, clock, np.random.default_rng(seed))
    for voltage in np.arange(2.0, 4.3, 0.05):
        virgin = np.flatnonzero(cells.status((slice(None), 0)) == VIRGIN)
        if len(virgin):
            cells.set_cells((virgin, 0), voltage, 1e-6, 2.0)
    return cells, clock


def cycled(cells: CellArray, clock: VirtualClock, cycles: int) -> tuple[Floats, Floats]:
    """Return HRS and LRS conductances (cycles, cells), uS, of RESET and SET pulses as in the measured cycling."""
    everyone = (np.arange(cells.shape[0]), 0)
    low, high = np.zeros((cycles, cells.shape[0])), np.zeros((cycles, cells.shape[0]))
    for cycle in range(cycles):
        for kept, act, voltage, gate in (
            (low, cells.reset_cells, 2.3, 4.0),
            (high, cells.set_cells, 3.3, 3.0),
        ):
            act(everyone, voltage, WIDTH, gate)
            clock.advance(PULSE_PERIOD)
            kept[cycle] = MICRO * cells.read(everyone)
    return low, high


def single_sets(preset: CellPreset, devices: int, repeats: int, gate: float, seed: int) -> Floats:
    """Return conductances (repeats, devices), uS, after one SET at `gate` (V), each after RESETs to 60 kOhm."""
    cells, clock = formed(preset, devices, seed)
    everyone = (np.arange(devices), 0)
    read = np.zeros((repeats, devices))
    for repeat in range(repeats):
        for _ in range(MOST_RESETS):
            conducting = np.flatnonzero(MICRO * cells.read(everyone) > RESET_ABOVE)
            cells.reset_cells((conducting, 0), RESET_VOLTAGE, WIDTH, RESET_GATE)
            clock.advance(PULSE_PERIOD)
        cells.set_cells(everyone, SET_VOLTAGE, WIDTH, gate)
        clock.advance(PULSE_PERIOD)
        read[repeat] = MICRO * cells.read(everyone)
    return read


def reset_staircase(preset: CellPreset, devices: int, seed: int) -> dict[float, Floats]:
    """Return conductances (devices,), uS, by V_SL (V) of a staircase of 200 ns pulses from a full SET.

    The sweep of a cell ends above 100 kOhm, where it keeps its last value.
    """
    cells, clock = formed(preset, devices, seed)
    everyone = (np.arange(devices), 0)
    cells.set_cells(everyone, 3.3, 2 * WIDTH, 4.0)
    going = np.arange(devices)
    kept: dict[float, Floats] = {}
    last = MICRO * cells.read(everyone)
    for voltage in np.arange(1.0, 3.01, 0.05):
        cells.reset_cells((going, 0), voltage, 2 * WIDTH, 4.0)
        clock.advance(PULSE_PERIOD)
        last = last.copy()
        last[going] = MICRO * cells.read((going, 0))
        kept[round(float(voltage), 2)] = last
        going = going[last[going] > 10.0]
    return kept


def program(
    cells: CellArray, clock: VirtualClock, low: float, high: float, step: float, attempts: int
) -> Programmed:
    """Program all cells to the window `low` to `high` (uS) by ISPP as it was run on the measured chips.

    An attempt is a RESET and a ramp of SETs with the word line rising by `step` (V), with a read after each pulse; it ends
    in the window (success), above it, or with the ramp.
    """
    count = cells.shape[0]
    sets, resets = np.zeros(count, np.int64), np.zeros(count, np.int64)
    read, success = np.zeros(count), np.zeros(count, bool)
    ramp = RAMP_START + step * np.arange(round(RAMP_SPAN / step) + 1)

    def verify(which: NDArray[np.int64]) -> None:
        clock.advance(PULSE_PERIOD)
        read[which] = MICRO * cells.read((which, 0))
        success[which] = (low <= read[which]) & (read[which] <= high)

    for _ in range(attempts):
        going = np.flatnonzero(~success)
        if not len(going):
            break
        cells.reset_cells((going, 0), RESET_VOLTAGE, WIDTH, RESET_GATE)
        resets[going] += 1
        verify(going)
        for gate in ramp:
            going = going[~success[going] & (read[going] < low)]
            if not len(going):
                break
            cells.set_cells((going, 0), SET_VOLTAGE, WIDTH, gate)
            sets[going] += 1
            verify(going)
    return Programmed(sets + resets - 1, resets, success)


def variance_parts(log: Floats) -> tuple[float, float]:
    """Return the standard deviations cycle to cycle and device to device of values (repeats, devices).

    One-way random effects: pooled within devices; between them with the first part taken off.
    """
    cycle = float(log.var(axis=0, ddof=1).mean())
    device = max(float(log.mean(axis=0).var(ddof=1)) - cycle / len(log), 0.0)
    return cycle**0.5, device**0.5
