"""The second slice of an inverting loop: cells that hold, enlarged, what the first ones as achieved leave of the matrix.

A loop whose outputs also drive two more arrays, divided by a ratio, inverts

    G+ - G- + (F+ - F-) / ratio.

With F programmed to `ratio` times what G+ and G- leave, only a ratio-th of the cells' errors remains, and of what the wires
take. What moves after it was read is not made up for. (Slices that make up for each other, in products: Song et al.,
Science 383, 903, 2024.)

Slices that make up for each other: a later one is programmed to what the earlier ones, as achieved, leave of the matrix.

A cell ends anywhere in its verify window. Where a matrix is read as an analogue sum of slices,

    A = sum_k ratio^-k (G+_k - G-_k),

the next slice can hold the residue of those before, `ratio` times as large, so that only the error of the last one counts
(Song et al., Science 383, 903, 2024). What moves after it was read is not made up for: noise and relaxation of the first
slice count in full. `ratio` is bounded by the windows: the largest residue must fit the range of a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.errors import ChipMapError, InputError
from mho.procedures.cells.programming.record import Block

Pair = tuple[Floats, Floats]
"""Conductances of the positive and of the negative cells, (m, n) each, S."""


def represented(slices: Sequence[Pair], ratio: float) -> Floats:
    """Return the sum of slices, the first with weight 1, in S.

    Raises
    ------
    InputError
        Without slices, or for a ratio that is not above 1.
    """
    if not slices or not ratio > 1.0:
        raise InputError(f"{len(slices)} slices of ratio {ratio:g}; give at least one, and a ratio above 1")
    parts = [ratio**-number * (positive - negative) for number, (positive, negative) in enumerate(slices)]
    return np.asarray(np.sum(parts, axis=0))


def next_targets(matrix: Floats, achieved: Sequence[Pair], ratio: float, top: float) -> Pair:
    """Return the targets of the next slice: the residue of the slices as `achieved`, split by sign.

    Parameters
    ----------
    matrix : (m, n) array
        A, scaled so that its largest entry is at most `top`, S.
    achieved : sequence of Pair
        The slices so far, as read; none for the first slice.
    ratio : float
        From the weight of a slice to that of the next.
    top : float
        Largest target, S. A residue beyond ends there, and is left to the slice after.

    Raises
    ------
    InputError
        For a ratio that is not above 1, a top that is not above 0, or an entry beyond it or not finite.
    """
    if not (ratio > 1.0 and 0.0 < top < np.inf):
        raise InputError(
            f"slices of ratio {ratio:g} up to {top:g} S; give a ratio above 1 and a largest target above 0 S"
        )
    peak = float(np.abs(matrix).max(initial=0.0))
    if not peak <= top * (1.0 + 1e-12):
        raise InputError(
            f"the largest entry is {peak:g} S, and the largest target {top:g} S; scale the matrix to that"
        )
    residue = matrix - represented(achieved, ratio) if achieved else np.asarray(matrix, np.float64)
    scaled = residue * ratio ** len(achieved)
    return np.clip(scaled, 0.0, top), np.clip(-scaled, 0.0, top)


def largest_ratio(levels: Levels) -> float:
    """Return the largest power of two by which a slice's residue can be enlarged: windows fit the range of a cell."""
    half_width = float(levels.high[-1] - levels.nominal[-1])
    return float(2.0 ** np.floor(np.log2(levels.nominal[-1] / half_width)))


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
