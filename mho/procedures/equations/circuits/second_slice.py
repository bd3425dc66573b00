"""The second slice of an inverting loop: cells that hold, enlarged, what the first ones as achieved leave of the matrix.

A loop whose outputs also drive two more arrays, divided by a ratio, inverts

    G+ - G- + (F+ - F-) / ratio.

With F programmed to `ratio` times what G+ and G- leave, only a ratio-th of the cells' errors remains, and of what the wires
take. What moves after it was read is not made up for. (Slices that make up for each other, in products: Song et al.,
Science 383, 903, 2024.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ChipMap
from mho.chip_maps.compensation import next_targets
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.errors import ChipMapError
from mho.procedures.cells.programming.record.blocks import Block

Floats = NDArray[np.float64]
PARTS = 10  # of a digit and the ratio, that targets are apart

Achieved = Callable[[Block], Floats]
"""Conductances of a block's cells between its wires, S."""


@dataclass(frozen=True)
class SecondSlice:
    """Cells on the lines of the loop.

    Attributes
    ----------
    positive, negative : Block
        On the arrays that get the outputs and their inverses; without targets before `aim`.
    ratio : float
        By which the board divides the outputs.
    """

    positive: Block
    negative: Block
    ratio: float

    @classmethod
    def on(cls, chip: ChipMap, placed: Placement, ratio: float) -> Self:
        """Place a second slice on the lines of a loop; raises as `check_second_slice`."""
        check_second_slice(chip, ratio)
        nothing = np.zeros((len(placed.rows), len(placed.columns)), np.int64)
        positive, negative = (
            Block(replace(placed, array=array.name), nothing.copy()) for array in chip.second_slice
        )
        return cls(positive, negative, ratio)

    @property
    def arrays(self) -> tuple[str, str]:
        """Names of its arrays."""
        return self.positive.placement.array, self.negative.placement.array

    def blocks(self) -> list[Block]:
        """Both blocks."""
        return [self.positive, self.negative]

    def aim(self, positive: Block, negative: Block | None, levels: Levels, achieved: Achieved) -> None:
        """Set the targets to what the first slice's blocks leave of their own; the cells are not programmed yet."""
        first = [positive] if negative is None else [positive, negative]
        wanted = [levels.conductance(block.digits) for block in first]
        targets = self.left(wanted, [achieved(block) for block in first], float(levels.nominal[-1]))
        for block, target in zip(self.blocks(), targets, strict=True):
            block.digits = np.rint(target / levels.step).astype(np.int64)

    def left(self, wanted: Sequence[Floats], held: Sequence[Floats], top: float) -> tuple[Floats, Floats]:
        """Return what the first slice leaves for both blocks, (k, k) each, S, before it is rounded.

        Parameters
        ----------
        wanted, held : sequences of (k, k) arrays
            What its cells were to hold, and do between the wires, S: on its first array, and on its second one where there
            is one.
        top : float
            Largest target, S.
        """
        none = np.zeros(wanted[0].shape)
        (plus, minus), (above, below) = (([*some, none])[:2] for some in (wanted, held))
        return next_targets(plus - minus, [(above, below)], self.ratio, top)

    def network(self, achieved: Achieved) -> Floats:
        """Return what it adds to the loop, (k, k), S."""
        return (achieved(self.positive) - achieved(self.negative)) / self.ratio

    def row_load(self, achieved: Achieved) -> Floats:
        """Return the sum of its conductances on each row, (k,), S."""
        return np.asarray(sum(achieved(block).sum(axis=1) for block in self.blocks()))


def loop_levels(
    chip: ChipMap, levels: Levels, slice_ratio: float | None = None, *, analogue: bool = False
) -> tuple[Levels, Levels]:
    """Return the levels that a loop's cells are programmed to, and those as which they appear in forecasts.

    Both are `levels`, the chip's; where they are not rounded to digits, finer targets; with a second slice targets so fine
    that what the first slice's round off is none of the second one's, and errors a ratio-th of the cells'.

    Raises
    ------
    ChipMapError
        As `check_second_slice`, for a ratio.
    """
    if slice_ratio is None:
        levels = levels.refined() if analogue else levels
        return levels, levels
    check_second_slice(chip, slice_ratio)
    fine = levels.refined(round(PARTS * slice_ratio))
    return fine, fine.compensated(slice_ratio)


def check_second_slice(chip: ChipMap, ratio: float) -> None:
    """Refuse a second slice where the chip or the board cannot hold it.

    Raises
    ------
    ChipMapError
        Saying what is missing.
    """
    if not chip.second_slice:
        count = len(chip.arrays_for("invert"))
        raise ChipMapError(
            f"a second slice of the loop takes four inverting arrays of one size; chip {chip.name!r} has {count}: give "
            "loop_slices = 1, or a bench whose chip has them, as `arrays`"
        )
    if not ratio > 1.0:
        raise ChipMapError(
            "a second slice of the loop takes dividers behind the outputs; the board has none (slice ratio 0): give "
            "loop_slices = 1"
        )
    levels = chip.level_scale()
    most = float(levels.nominal[-1] / (levels.high[-1] - levels.nominal[-1]))
    if ratio > most:
        raise ChipMapError(
            f"the board divides by {ratio:g} in front of a second slice, whose cells hold what the first ones leave up to "
            f"a ratio of {most:.3g}; give loop_slices = 1, or lower the chip map's `tolerance`"
        )
