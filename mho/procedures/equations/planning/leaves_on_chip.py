"""Leaves of a matrix that no loop holds, on inverting arrays: a loop chosen for each, and a place for its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.inverse_encoding import Kind
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement, defects_text, free_places, shared
from mho.errors import ChipMapError
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells
from mho.procedures.equations.circuits.second_slice import loop_levels
from mho.procedures.equations.planning.loop_choice import Loop, LoopChooser
from mho.procedures.equations.planning.loop_places import kinds_on
from mho.procedures.equations.planning.resistor_shift import shifted_in_resistors


@dataclass
class LeafOnChip:
    """A leaf's loop and its cells.

    Attributes
    ----------
    loop, cells
        As those of `SolvePlan`.
    rotation, matrix : int or None
        Numbers of the blocks that multiply with the Q^T of a polar factor's loop, and with what the loop holds.
    """

    loop: Loop
    cells: LoopOnCells
    rotation: int | None = None
    matrix: int | None = None


@dataclass
class LeavesOnChip:
    """Leaves on one chip, a loop each.

    Attributes
    ----------
    chip : ChipMap
    levels : Levels
    leaves : list of LeafOnChip
        By their numbers.
    """

    chip: ChipMap
    levels: Levels
    leaves: list[LeafOnChip]

    @property
    def shift(self) -> float:
        """The largest shift of a leaf's loop."""
        return max(leaf.loop.candidate.shift for leaf in self.leaves)

    def blocks(self) -> list[Block]:
        """All their cells."""
        return [block for leaf in self.leaves for block in leaf.cells.blocks()]

    def shift_further(self, number: int, input_conductance: float, rng: np.random.Generator) -> LeafOnChip:
        """Shift a leaf's loop further by its resistors, around the cells as they are, and return the leaf.

        Raises
        ------
        ConvergenceError
            As `shifted_in_resistors`.
        """
        leaf = self.leaves[number]
        loop, cells = shifted_in_resistors(leaf.loop, leaf.cells, input_conductance, rng)
        self.leaves[number] = replace(leaf, loop=loop, cells=cells)
        return self.leaves[number]


@dataclass(frozen=True)
class LeafPlaces:
    """Places for leaves on one chip, before their loops are chosen.

    Attributes
    ----------
    chip : ChipMap
    places : tuple of Placement
        One a leaf, by their numbers.
    chooser : LoopChooser
        Of loops that fit there.
    levels : Levels
        That their cells are programmed to.
    slice_ratio : float or None
        Of loops with a second slice.
    """

    chip: ChipMap
    places: tuple[Placement, ...]
    chooser: LoopChooser
    levels: Levels
    slice_ratio: float | None

    def hold(self, loops: Sequence[Loop]) -> LeavesOnChip:
        """Return the leaves with a loop each."""
        leaves = []
        for place, loop in zip(self.places, loops, strict=True):
            placed, encoding = _first(place, loop), loop.candidate.encoding
            cells = LoopOnCells.on(self.chip, placed, encoding, self.levels, self.slice_ratio)
            leaves.append(LeafOnChip(loop, cells))
        return LeavesOnChip(self.chip, self.levels, leaves)


def place_leaves(
    chip: ChipMap,
    matrices: Sequence[Floats],
    *,
    encoding: str,
    lines: tuple[int, int],
    input_conductance: float,
    size: int,
    slice_ratio: float | None = None,
) -> LeafPlaces:
    """Find a place for each leaf, and with which encodings its loop fits there.

    Parameters
    ----------
    matrices : sequence of (m, m) arrays
        The leaves.
    encoding, lines, input_conductance
        As `plan_block_solve`.
    size : int
        Rows of the whole matrix, for the message where there is no room.
    slice_ratio : float, optional
        The board's, for loops with a second slice.

    Raises
    ------
    ChipMapError
        When the leaves do not fit, with how many would, or there is no second slice.
    """
    levels, appearing = loop_levels(chip, chip.level_scale(), slice_ratio)
    used = chip.arrays_for("invert")[:2] + (() if slice_ratio is None else chip.second_slice)
    kinds, places = _kinds_and_places(chip, used, matrices, encoding, lines, size)
    chooser = LoopChooser(appearing, kinds, len(chip.arrays_for("invert")), input_conductance)
    return LeafPlaces(chip, tuple(places), chooser, levels, slice_ratio)


def _kinds_and_places(
    chip: ChipMap,
    loops: Sequence[ArrayMap],
    matrices: Sequence[Floats],
    encoding: str,
    lines: tuple[int, int],
    size: int,
) -> tuple[tuple[Kind, ...], list[Placement]]:
    """Return the encodings to consider, and one place a leaf on all of `loops`, the arrays in use.

    A bias column is considered where all leaves have room for its line; without that line more leaves fit.
    """
    count, largest = len(matrices), max(map(len, matrices))
    kinds = kinds_on(loops[0], encoding)
    signed = len(loops) < 2 and any(bool((matrix < 0.0).any()) for matrix in matrices)
    unsigned = ("bias", "differential") if signed else ("bias",)  # of kinds without a line more
    narrow = tuple(kind for kind in kinds if kind not in unsigned)
    places: list[Placement] = []
    if "bias" in kinds and largest < min(*loops[0].stretch, *lines):
        places = _leaf_places(loops, count, largest + 1)
    if len(places) < count and narrow:
        kinds, places = narrow, _leaf_places(loops, count, largest)
    if len(places) == count:
        return kinds, places
    beside = "" if narrow else ", and a line for the bias column,"
    beside += defects_text(shared(loops))
    raise ChipMapError(
        f"the matrix is {size} x {size} (as a real one) and takes {count} loops of up to {largest} x {largest}; the "
        f"inverting arrays of chip {chip.name!r} take up to {len(places)} of that size{beside}: use smaller loops "
        "(--leaf, where there is that option), or a chip with more arrays, as that of the bench `arrays` (--bench arrays)"
    )


def _leaf_places(loops: Sequence[ArrayMap], count: int, most: int) -> list[Placement]:
    """Return up to `count` places of `most` lines each way, within segments, whose crossings hold no known bad cell."""
    places = islice(free_places(shared(loops), most, most), count)
    return [Placement(loops[0].name, rows, columns) for rows, columns in places]


def _first(place: Placement, loop: Loop) -> Placement:
    """Return the part of a place that a loop takes: one line more than its matrix has with a bias column."""
    order = loop.candidate.encoding.order
    return Placement(place.array, place.rows[:order], place.columns[:order])
