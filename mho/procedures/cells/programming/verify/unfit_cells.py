"""Cells of a simulated bench that do not hold the levels of its chip map: said before anything is programmed."""

from __future__ import annotations

from mho.chip_maps.levels import Levels
from mho.instruments.simulated import CellPreset, levels_not_held


def unfit_cells(preset: CellPreset, levels: Levels) -> str:
    """Return a sentence on the levels that more than half of a preset's cells do not hold; "" where there are none."""
    unheld = levels_not_held(preset, levels.nominal, levels.low, levels.high)
    if not unheld:
        return ""
    return (
        f"cells of preset {preset.name} do not hold the levels of this chip map: {unheld}; take a chip map with levels of "
        "such cells"
    )
