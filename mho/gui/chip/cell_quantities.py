"""The quantities that a map of cells can show, with their colour scales, linear or logarithmic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.levels import Levels
from mho.gui.chip.cell_grid import DEFECTS, CellGrid

MICRO = 1e6  # conductances are shown in µS
KILO = 1e-3  # resistances in kΩ
MOST_DECADES = 6.0  # of a logarithmic scale: less is noise of the meter


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

    @property
    def may_be_log(self) -> bool:
        """Whether a logarithmic scale makes sense."""
        return not self.signed and self.name not in ("level", "defects")


@dataclass(frozen=True)
class ColourScale:
    """The values at the ends of the colours, and whether the colours go by their logarithms."""

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The ends, or their logarithms to base 10."""
        return (float(np.log10(self.low)), float(np.log10(self.high))) if self.log else (self.low, self.high)

    def along(self, values: Floats) -> Floats:
        """Return values as `ends` has them; what a logarithmic scale cannot show has the colour of its lower end."""
        return np.log10(np.maximum(values, self.low)) if self.log else values

    def dragged(self, ends: tuple[float, float]) -> ColourScale:
        """Return the scale with other `ends`."""
        low, high = (10.0**one for one in ends) if self.log else ends
        return ColourScale(low, max(high, np.nextafter(low, np.inf)), self.log)


def quantities(levels: Levels | None, volts: float | None = None) -> tuple[CellQuantity, ...]:
    """Return what can be shown of cells with these levels, read at `volts` (V); what needs an unknown one is left out."""
    listing = [
        CellQuantity("conductance", "µS", lambda grid, cells, now: MICRO * grid.conductance[cells]),
        CellQuantity("resistance", "kΩ", lambda grid, cells, now: _inverse(grid.conductance[cells])),
        CellQuantity("target", "µS", lambda grid, cells, now: MICRO * grid.target[cells]),
        CellQuantity(
            "error", "µS", lambda grid, cells, now: MICRO * (grid.conductance[cells] - grid.target[cells]), True
        ),
        CellQuantity("pulses", "pulses", lambda grid, cells, now: grid.pulses[cells], counts=True),
        CellQuantity("age", "s", lambda grid, cells, now: now - grid.touched[cells]),
        CellQuantity("defects", "", lambda grid, cells, now: grid.defects[cells], counts=True),
    ]  # fmt: skip
    if volts is not None:
        current = CellQuantity(
            "current", "µA", lambda grid, cells, now: MICRO * volts * grid.conductance[cells]
        )
        listing.insert(2, current)
    if levels is not None:
        level = CellQuantity("level", "", lambda grid, cells, now: level_of(levels, grid, cells), counts=True)
        listing.insert(-2, level)
    return tuple(listing)


def _inverse(conductance: Floats) -> Floats:
    """Return resistances, kΩ; a reading that is not above nothing tells of none."""
    known = np.where(conductance > 0.0, conductance, np.nan)
    return KILO / known


def level_of(levels: Levels, grid: CellGrid, cells: Any) -> Floats:
    """Return the digit whose nominal conductance is nearest to what each cell last read; NaN where unread."""
    conductance = grid.conductance[cells]
    edges = (levels.nominal[1:] + levels.nominal[:-1]) / 2.0
    return np.where(np.isfinite(conductance), np.searchsorted(edges, conductance).astype(float), np.nan)


def scale(quantity: CellQuantity, values: Floats, levels: Levels | None, *, log: bool = False) -> ColourScale:
    """Return the colours' scale: of round numbers, so that a map that fills seldom changes.

    Conductances and errors are scaled by the chip's levels; a few cells beyond take the colour of the end. A logarithmic
    scale ends with decades.
    """
    known = np.abs(values[np.isfinite(values)])
    largest = float(np.quantile(known, 0.998)) if known.size else 0.0
    if levels is not None and quantity.name in ("conductance", "target"):
        largest = max(MICRO * float(levels.high[-1]), largest)
    if levels is not None and quantity.name == "error":
        largest = max(MICRO * float(levels.high[-1] - levels.nominal[-1]), largest)
    if quantity.name == "level":
        return ColourScale(-0.5, (levels.top if levels is not None else 1) + 0.5)
    if quantity.name == "defects":
        return ColourScale(-0.5, len(DEFECTS) - 0.5)
    top = round_up(largest)
    if not (log and quantity.may_be_log):
        return ColourScale(-top if quantity.signed else 0.0, top)
    positive = known[known > 0.0]
    lowest = float(np.quantile(positive, 0.002)) if positive.size else 0.1 * top
    high = np.ceil(np.log10(top))
    low = min(max(np.floor(np.log10(lowest)), high - MOST_DECADES), high - 1.0)
    return ColourScale(float(10.0**low), float(10.0**high), log=True)


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
