"""Chips whose parameters are drawn about a preset, and the pulses on them that a calibration is given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CellPreset

Columns = dict[str, NDArray[np.float64]]

FACTOR = 0.25  # of ln: parameters above 0
VOLTS = 0.15  # thresholds
LOGIT = 0.5  # shares
PERIOD = 1e-3  # s from pulse to pulse
WIDTHS = (50e-9, 100e-9, 200e-9)  # s


def hidden(preset: CellPreset, fitted: dict[str, str], rng: np.random.Generator) -> CellPreset:
    """Draw a preset about `preset`: parameters by the kind of coordinate in which they are fitted."""
    drawn = {}
    for name, kind in fitted.items():
        value = getattr(preset, name)
        draw = rng.standard_normal()
        match kind:
            case "log":
                drawn[name] = value * np.exp(FACTOR * draw)
            case "logit":
                drawn[name] = 1.0 / (1.0 + (1.0 / value - 1.0) * np.exp(-LOGIT * draw))
            case _:
                drawn[name] = value + VOLTS * draw
    return replace(preset, name="hidden", **{name: float(value) for name, value in drawn.items()})


def random_pulses(
    preset: CellPreset,
    count: int,
    pulses: int,
    seed: int,
    *,
    gates: tuple[float, float],
    sets: tuple[float, float],
    resets: tuple[float, float],
    reset_gates: tuple[float, float],
    forming: tuple[float, float] = (4.2, 4.0),
) -> Columns:
    """Return the columns of a table `pulses` of `count` cells: a forming pulse, then SETs and RESETs at random.

    Parameters
    ----------
    gates, sets, resets, reset_gates : (low, high)
        Of V_WL and V_BL of SETs, V_SL and V_WL of RESETs, V.
    forming : (voltage, gate)
        Of the forming pulse of 10 us, V.
    """
    clock, rng = VirtualClock(), np.random.default_rng(seed)
    cells = CellArray(count, 1, preset, clock, np.random.default_rng(seed + 1))
    everyone, number = (np.arange(count), 0), np.arange(count)
    rows: list[tuple[NDArray[np.float64], ...]] = []

    def read(kind: NDArray[np.int64], *pulse: NDArray[np.float64]) -> None:
        clock.advance(PERIOD)
        rows.append((np.full(count, clock.now), number, kind, *pulse, cells.read(everyone)))

    still = np.zeros(count)
    read(np.zeros(count, np.int64), still, still, still)
    volts, gate = forming
    cells.set_cells(everyone, volts, 10e-6, gate)
    read(np.ones(count, np.int64), still + volts, still + 10e-6, still + gate)
    for _ in range(pulses - 1):
        kind = rng.integers(1, 3, count)
        raised = kind == 1
        voltage = np.where(raised, rng.uniform(*sets, count), rng.uniform(*resets, count))
        gate = np.where(raised, rng.uniform(*gates, count), rng.uniform(*reset_gates, count))
        width = rng.choice(WIDTHS, count)
        for some, act in ((raised, cells.set_cells), (~raised, cells.reset_cells)):
            act((number[some], 0), voltage[some], width[some], gate[some])
        read(kind, voltage, width, gate)
    names = ("time", "row", "kind", "voltage", "width", "gate", "conductance")
    columns = {name: np.concatenate(part) for name, part in zip(names, zip(*rows, strict=True), strict=True)}
    return columns | {"column": np.zeros(len(columns["row"])), "array": np.zeros(len(columns["row"]))}
