"""The quantities that a map of cells can show, with their colour scales: conductance, target, error, pulses, level, age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.levels import Levels
from mho.gui.chip.cell_grid import CellGrid

MICRO = 1e6  # conductances are shown in µS


@dataclass(frozen=True)
class CellQuantity:
    """One quantity that a cell has.

    Attributes
    ----------
    name, unit : str
        As people read them.
    of : callable
        Takes the grid, an index into it, and the bench time now (s); returns values in `unit`.
    signed : bool
        Whether zero is the middle of the scale.
    counts : bool
        Whether it has whole values only.
    """

    name: str
    unit: str
    of: Callable[[CellGrid, Any, float], Floats]
    signed: bool = False
    counts: bool = False


def quantities(levels: Levels | None) -> tuple[CellQuantity, ...]:
    """Return what can be shown of cells with these levels; without levels all but the level."""
    listing = [
        CellQuantity("conductance", "µS", lambda grid, cells, now: MICRO * grid.conductance[cells]),
        CellQuantity("target", "µS", lambda grid, cells, now: MICRO * grid.target[cells]),
        CellQuantity(
            "error", "µS", lambda grid, cells, now: MICRO * (grid.conductance[cells] - grid.target[cells]), True
        ),
        CellQuantity("pulses", "pulses", lambda grid, cells, now: grid.pulses[cells], counts=True),
        CellQuantity("age", "s", lambda grid, cells, now: now - grid.touched[cells]),
    ]  # fmt: skip
    if levels is not None:
        level = CellQuantity("level", "", lambda grid, cells, now: level_of(levels, grid, cells), counts=True)
        listing.insert(4, level)
    return tuple(listing)


def level_of(levels: Levels, grid: CellGrid, cells: Any) -> Floats:
    """Return the digit whose nominal conductance is nearest to what each cell last read; NaN where unread."""
    conductance = grid.conductance[cells]
    edges = (levels.nominal[1:] + levels.nominal[:-1]) / 2.0
    return np.where(np.isfinite(conductance), np.searchsorted(edges, conductance).astype(float), np.nan)


def scale(quantity: CellQuantity, values: Floats, levels: Levels | None) -> tuple[float, float]:
    """Return the values at the ends of the colours: of round numbers, so that a map that fills seldom changes.

    Conductances and errors are scaled by the chip's levels; a few cells beyond take the colour of the end.
    """
    known = np.abs(values[np.isfinite(values)])
    largest = float(np.quantile(known, 0.998)) if known.size else 0.0
    if levels is not None and quantity.name in ("conductance", "target"):
        largest = max(MICRO * float(levels.high[-1]), largest)
    if levels is not None and quantity.name == "error":
        largest = max(MICRO * float(levels.high[-1] - levels.nominal[-1]), largest)
    if quantity.name == "level":
        return -0.5, (levels.top if levels is not None else 1) + 0.5
    top = round_up(largest)
    return (-top if quantity.signed else 0.0), top


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 3, 4, 5, 7 times a power of ten; 1 for zero."""
    if value <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0])
    return float(power * steps[np.searchsorted(steps, value / power - 1e-9)])


def describe(grid: CellGrid, row: int, column: int, levels: Levels | None, now: float) -> str:
    """Describe a cell: every known quantity with its unit."""
    cell = (row, column)
    conductance, target = MICRO * grid.conductance[cell], MICRO * grid.target[cell]
    parts = []
    if np.isfinite(conductance):
        parts.append(f"{conductance:.4g} µS")
        if levels is not None:
            parts[0] += f" (level {int(level_of(levels, grid, (slice(row, row + 1), column))[0])})"
    if np.isfinite(target):
        parts.append(f"target {target:.4g} µS")
    if np.isfinite(conductance - target):
        parts.append(f"error {conductance - target:+.3g} µS")
    if np.isfinite(grid.pulses[cell]):
        count = int(grid.pulses[cell])
        parts.append(f"{count} pulse{'' if count == 1 else 's'}")
    if np.isfinite(grid.touched[cell]):
        parts.append(f"last touched {now - grid.touched[cell]:.3g} s ago")
    return ", ".join(parts) or "not used by this run"
