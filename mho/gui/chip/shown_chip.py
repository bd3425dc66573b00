"""The chip that the window shows: its arrays with the state of their cells, and the blocks that a run uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mho.analysis.reports import lost_cells
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.defects import Place
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import known_bad
from mho.gui.chip.blocks import Outline, read_outlines
from mho.gui.chip.cell_grid import CellGrid
from mho.gui.chip.cell_quantities import describe
from mho.gui.chip.cell_updates import CellFeed, Lines
from mho.runs import RunFile

Extent = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class ShownChip:
    """Arrays by name.

    Attributes
    ----------
    chip : ChipMap or None
        None when a run's file holds no chip map that can be read.
    grids : mapping of CellGrid
        What is known of the cells.
    lines : mapping of two arrays of int
        Rows and columns that a run has images of.
    outlines : tuple of Outline
        Blocks that a run uses.
    lost : mapping of str
        Cells that the run's own pulses destroyed, each with what it had.
    """

    chip: ChipMap | None = None
    grids: Mapping[str, CellGrid] = field(default_factory=dict)
    lines: Mapping[str, Lines] = field(default_factory=dict)
    outlines: tuple[Outline, ...] = ()
    lost: Mapping[Place, str] = field(default_factory=dict)

    @classmethod
    def of_bench(cls, chip: ChipMap) -> ShownChip:
        """Return a chip on which nothing was done."""
        return cls(chip, {array.name: CellGrid((array.rows, array.columns)) for array in chip.arrays})

    @classmethod
    def of_run(cls, feed: CellFeed, chip: ChipMap | None) -> ShownChip:
        """Return the chip of a run; `RunFileError` when its file is damaged."""
        shown = cls(chip, feed.grids, feed.lines, read_outlines(feed.run, chip))
        return shown.after_its_end(feed.run)

    def after_its_end(self, run: RunFile) -> ShownChip:
        """Return the same chip with the cells that the run's pulses destroyed, which are known at its end."""
        return replace(self, lost={place: by for place, (_, by) in lost_cells(run).items()})

    @cached_property
    def levels(self) -> Levels | None:
        """Conductance levels of the digits."""
        return self.chip.level_scale() if self.chip else None

    @cached_property
    def bad(self) -> dict[str, NDArray[np.bool_]]:
        """Known bad cells of each array, and those that the run destroyed."""
        masks: dict[str, NDArray[np.bool_]] = {
            name: np.zeros(grid.shape, dtype=np.bool_) for name, grid in self.grids.items()
        }
        masks |= {array.name: known_bad(array) for array in (self.chip.arrays if self.chip else ())}
        for array, row, column in self.lost:
            if array in masks and row is not None and column is not None:
                masks[array][row : row + 1, column : column + 1] = (
                    True  # of a file that names others: nothing
                )
        return masks

    def first_array(self, wanted: str) -> str:
        """Return the array to show first: `wanted` where the run uses it, else the largest that it uses."""
        used = {outline.array for outline in self.outlines} | set(self.lines)
        offered = [name for name in self.grids if name in used] or list(self.grids)
        if wanted in offered:
            return wanted
        return max(offered, key=lambda name: int(np.prod(self.grids[name].shape)), default="")

    def outlined(self, array: str) -> list[Outline]:
        """Return the blocks on an array."""
        return [outline for outline in self.outlines if outline.array == array]

    def extent(self, array: str) -> Extent:
        """Return first and last row and column that the run uses, by its blocks, else its images; else all."""
        blocks = self.outlined(array)
        if blocks:
            return (
                (min(one.top for one in blocks), max(one.bottom for one in blocks) - 1),
                (min(one.left for one in blocks), max(one.right for one in blocks) - 1),
            )
        if array in self.lines:
            rows, columns = self.lines[array]
            return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))
        height, width = self.grids[array].shape
        return (0, height - 1), (0, width - 1)

    def describe(self, array: str, row: int, column: int, now: float) -> str:
        """Describe a cell at bench time `now` (s); empty outside the array."""
        height, width = self.grids[array].shape
        if not (0 <= row < height and 0 <= column < width):
            return ""
        known = describe(self.grids[array], row, column, self.levels, now)
        parts = [f"{array}, row {row}, column {column}: {known}"]
        for block in self.outlined(array):
            if block.holds(row, column):
                parts.append(block.slice_at(column) or f"block {block.name}")
                break
        if by := self.lost.get(Place(array, row, column)):
            parts.append(f"destroyed by this run's own pulses ({by})")
        elif self.bad[array][row, column]:
            parts.append("known to be bad")
        return "; ".join(parts)
