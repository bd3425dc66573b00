"""Procedures on cells.

- `cell_procedure`: what they have in common; `cell_visits`: an experiment on many cells, one by one or at once;
- `programming`: write cells to levels and verify them;
- `reading`: measure cells without changing them, and whether they are connected;
- `switching`: forming, pulses and sweeps that change cells;
- `extraction`: what these tell of the device, as functions of arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.chip_maps.levels import in_windows, nearest_levels
    from mho.procedures.cells.detection_limit import Blank
    from mho.procedures.cells.extraction.forming_extraction import quantile, share_rows
    from mho.procedures.cells.extraction.iv_extraction import Branches, Loops, PointNoise, extract, low_field
    from mho.procedures.cells.extraction.lifetimes import GOOD, REASONS, fit_weibull, judge
    from mho.procedures.cells.programming.record import PULSES_PER_CELL
    from mho.procedures.cells.reading.drift import level_rows
    from mho.procedures.cells.reading.noise import CELLS
    from mho.procedures.cells.reading.spectrum import allan_deviation, slope, spectrum
    from mho.procedures.cells.reading.telegraph import Telegraph, find_telegraph
    from mho.procedures.cells.switching.iv import conductance_left
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "CELLS", "GOOD", "PULSES_PER_CELL", "REASONS", "Blank", "Branches", "Loops", "PointNoise", "Telegraph",
    "allan_deviation", "conductance_left", "extract", "find_telegraph", "fit_weibull", "in_windows", "judge",
    "level_rows", "low_field", "nearest_levels", "quantile", "share_rows", "slope", "spectrum",
]  # fmt: skip
