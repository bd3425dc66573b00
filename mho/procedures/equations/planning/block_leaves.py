"""Leaves of a matrix that no loop holds, on inverting arrays: a loop chosen for each, and a place for its cells.

How much a matrix by blocks takes from the chip in each cycle is chosen, too. The errors of leaves and products pass from
stage to stage, so what is enough at a condition number of 30 is not at 1e3. More exact products take more cells and shots,
refined leaves more inversions. Each effort is judged by the cycles that the same refinement takes around blocks with drawn
cell errors, before anything is placed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ArrayMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.multiply_encoding import MultiplyEncoding, encode_multiply, encode_offset, to_fixed_point
from mho.chip_maps.placement import Placement, defects_text, free_places, shared
from mho.errors import ChipMapError
from mho.procedures.equations.blocks.block_inverse import BlockInverse, BlockPlan, RefinedLeaves
from mho.procedures.equations.certificates.certificate import norm
from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells, check_second_slice
from mho.procedures.equations.planning.loop_choice import (
    JUDGED_BITS,
    LoopChooser,
    LoopSetup,
    PlannedLoop,
    cycles_around,
    shifted_in_resistors,
)

SPARE = 1.25
"""Times the expected cycles that must lie within the most allowed: the chip at hand may be a worse one than that drawn."""

NOISE = 0.01
"""Standard deviation of a cell's conductance from one inversion to the next, relative to it: measured, of cells without
telegraph noise. GCR learns what an inverse does to a direction, so what changes meanwhile costs cycles: it doubles the
twenty that a condition number of 300 takes otherwise."""


@dataclass(frozen=True)
class BlockEffort:
    """What one application of a block inverse does."""

    name: str
    # Digits of each block to multiply with. One-step products err as the first slice's cells do, about 0.13
    # of a digit each: a third slice would hold less than that
    slices: int
    # Whether products are bit-serial with exact integers; else they are of one step. Their digits hold the
    # sign as an offset, which halves cells and integers; of one step, its cells' errors would be those of the
    # product
    integers: bool
    leaf_steps: int = 1  # largest number of inversions of a leaf's loop each time that the leaf is inverted
    leaf_tolerance: float = 0.0  # residual of a leaf, relative to its right-hand side, that is small enough

    @property
    def refines(self) -> bool:
        """Whether leaves are refined, which takes products with the leaves' own matrices."""
        return self.leaf_steps > 1

    def encode(self, block: Floats, digit_bits: int) -> MultiplyEncoding:
        """Return a block in digits of `digit_bits` bits."""
        encode = encode_offset if self.integers else encode_multiply
        return encode(block, self.slices * digit_bits, digit_bits)


EFFORTS = (
    BlockEffort("one-step", slices=2, integers=False),
    BlockEffort("integers", slices=4, integers=True),
    BlockEffort("refined leaves", slices=5, integers=True, leaf_steps=16, leaf_tolerance=3e-4),
)
"""From the least to the most."""


@dataclass(frozen=True)
class LeafLoop:
    """A leaf's loop, and what its right-hand sides are multiplied with before."""

    loop: PlannedLoop  # of the leaf, or of its definite polar factor
    # (m, m) or None: Q^T where the loop is that of the polar factor P, the leaf being Q P
    rotation: Floats | None = None

    def loop_matrix(self, leaf: Floats) -> Floats:
        """Return what the loop of a leaf holds: the leaf, or its definite polar factor."""
        return leaf if self.rotation is None else np.asarray(self.rotation @ leaf)


@dataclass(frozen=True)
class EffortForecast:
    """An effort and what is expected of it."""

    effort: BlockEffort
    # That it is expected to take, `most` + 1 where they are more; None where it was given and not judged
    cycles: int | None = None
    most: int = 0  # cycles within which it was to converge, with some to spare

    @property
    def enough(self) -> bool:
        """Whether it is expected to converge in time; that of an effort that was given is not asked."""
        return self.cycles is None or SPARE * self.cycles <= self.most

    def in_words(self) -> str:
        """Return what is expected."""
        if self.cycles is None:
            return f"{self.effort.name}, as given"
        count = f"more than {self.most}" if self.cycles > self.most else str(self.cycles)
        return f"{self.effort.name}: {count} cycles are expected"


def choose_effort(
    matrix: Floats, tree: BlockPlan, leaves: Sequence[LeafLoop], levels: Levels, rng: np.random.Generator,
    most: int, rhs: Floats | None = None,
) -> list[EffortForecast]:  # fmt: skip
    """Judge efforts from the least upwards, and return those that were: the last one is to be taken.

    That is the first whose expected cycles, with some to spare, are within `most`; the largest where none are. The cycles
    are the most of those of a random right-hand side and of `rhs` (n,), in the form of `matrix`: a solution that lies where
    the inverse is worst may take many more than a random one.
    """
    tried = [rng.standard_normal(len(matrix)), *([] if rhs is None else [rhs])]
    inverses = [leaf.loop.drawn.inverses[0] for leaf in leaves]
    judged = []
    for effort in EFFORTS:
        inverse = _drawn(effort, tree, leaves, inverses, levels, rng)
        cycles = max(
            cycles_around(inverse, matrix, one, 2.0**-JUDGED_BITS * norm(one), "gcr", most) for one in tried
        )
        judged.append(EffortForecast(effort, cycles, most))
        if judged[-1].enough:
            break
    return judged


def _drawn(
    effort: BlockEffort, tree: BlockPlan, leaves: Sequence[LeafLoop], inverses: Sequence[Floats],
    levels: Levels, rng: np.random.Generator,
) -> BlockInverse:  # fmt: skip
    """Return the block inverse with drawn errors of its leaves, which are noisy, and of one-step products."""

    def as_multiplied(block: Floats) -> Floats:
        encoding = effort.encode(block, levels.bits)
        if effort.integers:
            return encoding.matrix
        cells = encoding.digits + levels.spread / levels.step * rng.standard_normal(encoding.digits.shape)
        return encoding.combine(cells).T

    def as_played(vector: Floats) -> Floats:
        if not (effort.integers and vector.any()):
            return vector
        return to_fixed_point(vector, effort.slices * levels.bits).values

    blocks = [as_multiplied(block) for block in tree.blocks]
    loops = [_loop_inverse(leaf, inverse) for leaf, inverse in zip(leaves, inverses, strict=True)]
    matrices = [one.loop_matrix(leaf) for one, leaf in zip(leaves, tree.leaves, strict=True)]
    rotations = [None if leaf.rotation is None else as_multiplied(leaf.rotation) for leaf in leaves]

    def invert(number: int, rhs: Floats) -> Floats:
        answer = loops[number] @ rhs
        change = NOISE * rng.standard_normal(matrices[number].shape) * matrices[number]
        return np.asarray(answer - loops[number] @ (change @ answer))

    refined: Callable[[int, Floats], Floats] = invert
    if effort.refines:
        own = [as_multiplied(matrix) for matrix in matrices]
        refined = RefinedLeaves(
            invert,
            lambda k, v: np.asarray(own[k] @ as_played(v)),
            effort.leaf_steps,
            tolerance=effort.leaf_tolerance,
        )

    def leaf_inverse(number: int, rhs: Floats) -> Floats:
        rotation = rotations[number]
        return refined(number, rhs if rotation is None else np.asarray(rotation @ as_played(rhs)))

    def products(numbers: Sequence[int], vectors: Sequence[Floats]) -> list[Floats]:
        return [blocks[k] @ as_played(v) for k, v in zip(numbers, vectors, strict=True)]

    return BlockInverse(tree, leaf_inverse, products)


def _loop_inverse(leaf: LeafLoop, inverse: Floats) -> Floats:
    """Return what a leaf's loop, with its form, does to a right-hand side, as a matrix."""
    form = leaf.loop.preconditioning
    return np.asarray(form.solution(inverse @ form.equations(np.eye(len(inverse)))))


@dataclass
class LeafOnChip:
    """A leaf's loop and its cells."""

    # loop, cells: as those of `SolvePlan`
    loop: PlannedLoop
    cells: LoopOnCells
    # rotation, matrix: numbers of the blocks that multiply with the Q^T of a polar factor's loop, and with
    # what the loop holds
    rotation: int | None = None
    matrix: int | None = None


@dataclass
class LeavesOnChip:
    """Leaves on one chip, a loop each, by their numbers; `levels` are what their cells are programmed to."""

    levels: Levels
    leaves: list[LeafOnChip]

    @property
    def shift(self) -> float:
        """The largest shift of a leaf's loop."""
        return max(leaf.loop.candidate.shift for leaf in self.leaves)

    def shift_further(self, number: int, input_conductance: float, rng: np.random.Generator) -> LeafOnChip:
        """Shift a leaf's loop further by its resistors, around the cells as they are, and return the leaf.

        Raises `ConvergenceError` as `shifted_in_resistors`.
        """
        leaf = self.leaves[number]
        loop, cells = shifted_in_resistors(leaf.loop, leaf.cells, input_conductance, rng)
        self.leaves[number] = replace(leaf, loop=loop, cells=cells)
        return self.leaves[number]


@dataclass(frozen=True)
class LeafPlaces:
    """Places for leaves on one chip, one a leaf, before their loops are chosen; `chooser` is of loops that fit there."""

    places: tuple[Placement, ...]
    chooser: LoopChooser

    def hold(self, loops: Sequence[PlannedLoop]) -> LeavesOnChip:
        """Return the leaves with a loop each, which has one line more than its matrix with a bias column."""
        setup, leaves = self.chooser.setup, []
        for place, loop in zip(self.places, loops, strict=True):
            encoding = loop.candidate.encoding
            k = encoding.order
            placed = Placement(place.array, place.rows[:k], place.columns[:k])
            leaves.append(LeafOnChip(loop, setup.cells(encoding, placed)))
        return LeavesOnChip(setup.levels, leaves)


def place_leaves(setup: LoopSetup, matrices: Sequence[Floats], size: int) -> LeafPlaces:
    """Find a place for each leaf on all arrays in use, and with which encodings its loop fits there.

    A bias column is considered where all leaves have room for its line; without that line more leaves fit.
    `matrices`, sequence of (m, m): the leaves; `size`: rows of the whole matrix, for the message where there is no
    room. Raises `ChipMapError` when the leaves do not fit, with how many would, or there is no second slice.
    """
    if setup.slice_ratio is not None:
        check_second_slice(setup.chip, setup.slice_ratio)
    loops = setup.arrays[:2] + (() if setup.slice_ratio is None else setup.chip.second_slice)
    count, largest, kinds = len(matrices), max(map(len, matrices)), setup.kinds
    signed = len(loops) < 2 and any(bool((matrix < 0.0).any()) for matrix in matrices)
    unsigned = ("bias", "differential") if signed else ("bias",)  # of kinds without a line more
    narrow = tuple(kind for kind in kinds if kind not in unsigned)
    places: list[Placement] = []
    if "bias" in kinds and largest < setup.room:
        places = _leaf_places(loops, count, largest + 1)
    if len(places) < count and narrow:
        kinds, places = narrow, _leaf_places(loops, count, largest)
    if len(places) == count:
        return LeafPlaces(tuple(places), LoopChooser(setup, kinds))
    beside = "" if narrow else ", and a line for the bias column,"
    beside += defects_text(shared(loops))
    raise ChipMapError(
        f"the matrix is {size} x {size} (as a real one) and takes {count} loops of up to {largest} x {largest}; the "
        f"inverting arrays of chip {setup.chip.name!r} take up to {len(places)} of that size{beside}: use smaller loops "
        "(--leaf, where there is that option), or a chip with more arrays, as that of the bench `arrays` (--bench arrays)"
    )


def _leaf_places(loops: Sequence[ArrayMap], count: int, most: int) -> list[Placement]:
    """Return up to `count` places of `most` lines each way, within segments, whose crossings hold no known bad cell."""
    places = islice(free_places(shared(loops), most, most), count)
    return [Placement(loops[0].name, rows, columns) for rows, columns in places]
