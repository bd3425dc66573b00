"""What every figure of docs/cells.md starts from: cells formed or programmed as on a bench, and where pictures land."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import VIRGIN, CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset
from mho.procedures.cells.programming.strategies.literature import Asap

Floats = NDArray[np.float64]
Row = tuple[str, str, str, str]  # quantity, preset, measured, source

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
ALL = slice(None)
MICRO = 1e6
DAY = 86400.0
COLOURS = {"ideal": "#777777", "quiet": "#0072B2", "pku": "#009E73", "relaxing": "#D55E00"}
GRADUAL = {name: preset for name, preset in CELL_PRESETS.items() if preset.law == "gradual"}
LEVELS = load_chip_map("reference").level_scale()
SETTINGS = WriteVerifySettings()


def formed(preset: CellPreset, rows: int, columns: int) -> tuple[CellArray, VirtualClock]:
    """Cells formed as the write-verify procedure forms them, and reset."""
    clock = VirtualClock()
    array = CellArray(rows, columns, preset, clock, np.random.default_rng(2025))
    for voltage in SETTINGS.forming_voltages:
        array.set_cells(ALL, np.where(array.status() == VIRGIN, voltage, 0.0), 1e-6, SETTINGS.forming_gate)
    array.reset_cells(ALL, SETTINGS.reset_full, SETTINGS.width, SETTINGS.reset_gate)
    return array, clock


def write_verify(preset: CellPreset, count: int) -> tuple[CellArray, VirtualClock, Floats, Floats, Floats]:
    """Program `count` cells to each level; return their last reads, pulses and whether they verified."""
    array, clock = formed(preset, 8, count)
    reads, pulses, verified = np.zeros((8, count)), np.zeros((8, count)), np.zeros((8, count))
    for digit, column in np.ndindex(8, count):
        cell = digit, column
        window = (float(x[digit]) for x in (LEVELS.nominal, LEVELS.low, LEVELS.high))
        state = Asap.towards(*window, SETTINGS)
        while True:
            clock.advance(5e-4)
            reads[cell] = array.read(cell)
            if state.done(reads[cell]) or state.given_up(reads[cell]):
                break
            pulse = state.next_pulse(reads[cell])
            act = array.set if pulse.kind == "set" else array.reset
            act(cell, pulse.voltage, pulse.width, pulse.gate)
        pulses[cell], verified[cell] = state.pulses, state.done(reads[cell])
    return array, clock, reads, pulses, verified


def save(figure: Figure, name: str) -> None:
    """Write the picture of that name."""
    PICTURES.mkdir(exist_ok=True)
    figure.savefig(PICTURES / f"cells-{name}.png")
