"""Plan of a matrix that no loop holds: its leaves on inverting arrays, its other blocks on multiplying ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.inverse_encoding import Candidate
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement, defects_text, free_places
from mho.chip_maps.polar import polar_factors
from mho.chip_maps.preconditioning import Preconditioning
from mho.errors import ChipMapError
from mho.procedures.cells.programming.record.blocks import Block
from mho.procedures.equations.blocks.block_inverse import BlockPlan
from mho.procedures.equations.blocks.block_plan import Schur, plan_blocks
from mho.procedures.equations.blocks.schwarz import SchwarzPlan
from mho.procedures.equations.circuits.tiles_on_chip import ProductOnChip
from mho.procedures.equations.planning.block_effort import EFFORTS, Effort, Judged, LeafLoop, choose_effort
from mho.procedures.equations.planning.leaves_on_chip import LeafOnChip, LeavesOnChip, place_leaves
from mho.procedures.equations.planning.loop_choice import LoopChooser, Tried
from mho.procedures.equations.planning.method_choice import MethodChoice

Floats = NDArray[np.float64]

SCHUR_OF_SOLVE: dict[str, Schur | tuple[Schur, ...]] = {
    "exact": "exact",
    "diagonal": "diagonal",
    "M4": "M4",
    "complex": ("M1", "exact"),
}
"""Schur complements of `plan_blocks`; that of a complex matrix is taken as its real part, its own blocks' exactly."""

RECURSIONS: dict[str, bool | None] = {"recursive": None, "blockamc": False, "lu": True}
"""Whether a stage with an exact complement holds M3 M1^-1 and so inverts M1 once; None: where it takes no more arrays."""

MOST_CYCLES = 25  # within which an effort is expected to converge where more are allowed


@dataclass
class BlockSolvePlan:
    """A matrix on a chip, by blocks.

    Attributes
    ----------
    preconditioning : Preconditioning
        The form in which the blocks hold the matrix.
    held : (n, n) array
        The matrix in that form.
    tree : BlockPlan or SchwarzPlan
        Which leaves are inverted and which blocks multiplied with.
    loops : LeavesOnChip
    products : list of ProductOnChip
        The tree's blocks, then the rotations of leaves and what their loops hold; none of subdomains.
    judged : list of Judged
        Efforts that were considered, with the cycles that each is expected to take: the last one is in use. Empty for
        subdomains, which know only one.
    """

    chip: ChipMap
    levels: Levels
    preconditioning: Preconditioning
    held: Floats
    tree: BlockPlan | SchwarzPlan
    loops: LeavesOnChip
    products: list[ProductOnChip]
    judged: list[Judged]

    @property
    def leaves(self) -> list[LeafOnChip]:
        """The leaves, by their numbers."""
        return self.loops.leaves

    @property
    def effort(self) -> Effort:
        """What one application of the block inverse does."""
        return self.judged[-1].effort if self.judged else EFFORTS[0]

    @property
    def encoding_name(self) -> str:
        """How many leaves and blocks there are, or subdomains."""
        if isinstance(self.tree, SchwarzPlan):
            coarse = "" if self.tree.coarse is None else ", coarse level"
            return f"{len(self.tree.subdomains)} subdomains on {len(self.leaves)} loops{coarse}"
        return f"{len(self.leaves)} leaves, {len(self.products)} blocks"

    @property
    def choices(self) -> dict[str, object]:
        """What a run's result has of it alone."""
        second = self.leaves[0].cells.second_slice
        sliced: dict[str, object] = {} if second is None else {"slice_ratio": second.ratio}
        if not self.judged:
            return sliced
        return {"effort": self.effort.name, "expected_cycles": self.judged[-1].cycles, **sliced}

    @property
    def held_bits(self) -> int | None:
        """Products of the whole matrix are those of float64."""
        return None

    @property
    def candidate(self) -> Candidate | None:
        """There is no one loop."""
        return None

    @property
    def choice(self) -> MethodChoice:
        """GCR, which any inverse serves; nothing is judged without one loop."""
        return MethodChoice("gcr")

    @property
    def tried(self) -> list[Tried]:
        """There is no one loop for which anything was considered."""
        return []

    @property
    def shift(self) -> float:
        """The largest shift of a leaf's loop."""
        return self.loops.shift

    @property
    def tiles(self) -> list[Block]:
        """Cells of the products."""
        return [tile for one in self.products for tile in one.tiles]

    def blocks(self) -> list[Block]:
        """All blocks to program."""
        return self.loops.blocks() + self.tiles


def plan_block_solve(
    chip: ChipMap,
    matrix: Floats,
    rng: np.random.Generator,
    *,
    leaf: int,
    encoding: str,
    lines: tuple[int, int],
    input_conductance: float,
    recursion: str = "recursive",
    schur: str = "exact",
    effort: str = "auto",
    most_cycles: int = MOST_CYCLES,
    slice_ratio: float | None = None,
    rhs: Floats | None = None,
) -> BlockSolvePlan:
    """Cut a matrix into blocks, choose a loop for each leaf, and place them all.

    Parameters
    ----------
    matrix : (n, n) array
        A as given.
    leaf : int
        N0, the largest leaf.
    encoding : str
        "auto", or the only kind to consider.
    lines : tuple of int
        Numbers of lines that the converters can drive and read.
    input_conductance : float
        g_in of the loops, S.
    recursion : str
        One of `RECURSIONS`.
    schur : str
        One of `SCHUR_OF_SOLVE`.
    effort : str
        "auto", or the name of one of `EFFORTS`.
    most_cycles : int
        Cycles within which the solve is to converge.
    slice_ratio : float, optional
        The board's, for loops with a second slice.
    rhs : (n,) array, optional
        A right-hand side that the effort is to be enough for, beside random ones.

    Raises
    ------
    ChipMapError
        When the blocks do not fit, with how many would.
    ConvergenceError
        For a block that is singular, or a leaf for which no loop settles.
    """
    loops, products = chip.arrays_for("invert"), chip.arrays_for("multiply")
    if not loops or not products:
        raise ChipMapError(f"chip {chip.name!r} lacks an inverting or a multiplying array; both are needed")
    levels, form = chip.level_scale(), Preconditioning.none(len(matrix))
    if schur != "complex":  # which needs [[Re, -Im], [Im, Re]] as it is
        form = Preconditioning.equilibrating(matrix)
    held = form.matrix(matrix)
    tree = plan_blocks(held, leaf, schur=SCHUR_OF_SOLVE[schur], factored=RECURSIONS[recursion])
    places = place_leaves(
        chip,
        tree.leaves,
        encoding=encoding,
        lines=lines,
        input_conductance=input_conductance,
        size=len(matrix),
        slice_ratio=slice_ratio,
    )
    chosen = [_leaf_loop(places.chooser, each, rng) for each in tree.leaves]
    wanted = None if rhs is None else form.equations(rhs)
    judged = _judged(effort, held, tree, chosen, levels, rng, most_cycles, wanted)
    leaves, blocks = places.hold([one.loop for one in chosen]), list(tree.blocks)
    for leaf_on_chip, one, block in zip(leaves.leaves, chosen, tree.leaves, strict=True):
        if one.rotation is not None:
            leaf_on_chip.rotation = len(blocks)
            blocks.append(one.rotation)
        if judged[-1].effort.refines:
            leaf_on_chip.matrix = len(blocks)
            blocks.append(one.held(block))
    on_chip = _place_products(chip, products[-1], blocks, judged[-1].effort, lines)
    return BlockSolvePlan(chip, levels, form, held, tree, leaves, on_chip, judged)


def _leaf_loop(chooser: LoopChooser, matrix: Floats, rng: np.random.Generator) -> LeafLoop:
    """Return a leaf's own loop where one settles as it is, else that of its definite polar factor."""
    own = chooser.unshifted(matrix, rng)
    if own is not None:
        return LeafLoop(own)
    orthogonal, definite = polar_factors(matrix)
    return LeafLoop(chooser.choose(definite, rng), np.ascontiguousarray(orthogonal.T))


def _judged(
    effort: str,
    held: Floats,
    tree: BlockPlan,
    leaves: Sequence[LeafLoop],
    levels: Levels,
    rng: np.random.Generator,
    most_cycles: int,
    rhs: Floats | None,
) -> list[Judged]:
    """Return the efforts considered, the one to take last."""
    if effort == "auto":
        return choose_effort(held, tree, leaves, levels, rng, min(most_cycles, MOST_CYCLES), rhs)
    return [Judged(one) for one in EFFORTS if one.name == effort]


def _place_products(
    chip: ChipMap, array: ArrayMap, blocks: Sequence[Floats], effort: Effort, lines: tuple[int, int]
) -> list[ProductOnChip]:
    """Return the blocks in digit slices, each cut into tiles, on free places of the array."""
    digit_bits = chip.level_scale().bits
    rows, columns = (min(a, b) for a, b in zip(array.stretch, lines, strict=True))
    free = free_places(array, rows, columns)
    found: list[ProductOnChip] = []
    for block in blocks:
        encoding = effort.encode(block, digit_bits)
        tiles = []
        for start in range(0, encoding.digits.shape[1], columns):
            digits = encoding.digits[:, start : start + columns]
            try:
                down, across = next(free)
            except StopIteration:
                raise ChipMapError(
                    f"the multiplying array of chip {chip.name!r} has room for {len(found)} of the {len(blocks)} blocks "
                    f"of the matrix{defects_text(array)}; use a chip with a larger one"
                ) from None
            place = Placement(array.name, down[: len(digits)], across[: digits.shape[1]])
            tiles.append(Block(place, digits))
        found.append(ProductOnChip(encoding, tiles))
    return found


def check_leaf(leaf: int | None, chip: ChipMap, lines: tuple[int, int]) -> int:
    """Return the largest matrix of a loop: `leaf`, or as many lines as loops and converters have.

    Raises
    ------
    ChipMapError
        When a loop cannot be as large as asked for.
    """
    loops = chip.arrays_for("invert")
    if not loops:
        raise ChipMapError(f"chip {chip.name!r} has no inverting array; one is needed")
    room = min(*loops[0].stretch, *lines)
    if leaf is not None and leaf > room:
        raise ChipMapError(
            f"loops of {leaf} lines do not fit the inverting arrays of chip {chip.name!r} and the bench's converters, "
            f"which take up to {room}"
        )
    return room if leaf is None else leaf
