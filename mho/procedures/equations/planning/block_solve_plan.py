"""Plan of a matrix that no loop holds: its leaves on inverting arrays, its other blocks on multiplying ones.

A leaf of which no loop settles is held as its polar factors, of which the definite one has a loop that settles:

    A = Q P,   Q^T Q = I,   P = (A^T A)^(1/2):   A^-1 r = P^-1 (Q^T r)

The eigenvalues of P are A's singular values, so P is as well conditioned as A. Its loop is stable: D^-1 (P + E) is similar
to D^-1/2 (P + E) D^-1/2, whose symmetric part is positive definite as long as the cells' errors E have norms below
sigma_min(A). Q^T r is one MVM; refinement absorbs its error as it does the cells', so few bits are enough.

A sparse matrix may be cut into subdomains instead: one loop each on inverting arrays, no blocks between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement, defects_text, free_places
from mho.chip_maps.preconditioning import Preconditioning
from mho.errors import ChipMapError, InputError
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.blocks.block_inverse import BlockPlan
from mho.procedures.equations.blocks.block_plan import Schur, plan_blocks
from mho.procedures.equations.blocks.schwarz import SchwarzPlan, plan_schwarz
from mho.procedures.equations.circuits.tiles import ProductOnChip
from mho.procedures.equations.planning.block_leaves import (
    EFFORTS,
    BlockEffort,
    EffortForecast,
    LeafLoop,
    LeafOnChip,
    LeavesOnChip,
    choose_effort,
    place_leaves,
)
from mho.procedures.equations.planning.loop_choice import LoopChooser, LoopOption, LoopSetup
from mho.procedures.equations.planning.method_choice import MethodChoice


def polar_factors(matrix: Floats) -> tuple[Floats, Floats]:
    """Return Q and P of a real matrix (n, n), from its singular value decomposition; P is exactly symmetric.

    P is positive definite for a regular matrix. Of all orthogonal matrices Q is the nearest to A (Higham, SIAM J. Sci.
    Stat. Comput. 7, 1160 (1986)); a symmetric positive definite A has Q = I and P = A.
    """
    left, values, right = np.linalg.svd(matrix)
    definite = (right.T * values) @ right
    return np.asarray(left @ right), np.asarray(0.5 * (definite + definite.T))


SCHUR_OF_SOLVE: dict[str, Schur | tuple[Schur, ...]] = {
    "exact": "exact", "diagonal": "diagonal", "M4": "M4", "complex": ("M1", "exact"),
}  # fmt: skip
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
    products : list of ProductOnChip
        The tree's blocks, then the rotations of leaves and what their loops hold; none of subdomains.
    judged : list of EffortForecast
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
    judged: list[EffortForecast]
    # Products of the whole matrix are those of float64; there is no one loop to judge, and GCR serves any inverse
    held_bits: ClassVar[None] = None
    candidate: ClassVar[None] = None
    tried: ClassVar[tuple[LoopOption, ...]] = ()
    choice: ClassVar[MethodChoice] = MethodChoice("gcr")

    @property
    def leaves(self) -> list[LeafOnChip]:
        """The leaves, by their numbers."""
        return self.loops.leaves

    @property
    def effort(self) -> BlockEffort:
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
    def shift(self) -> float:
        """The largest shift of a leaf's loop."""
        return self.loops.shift

    @property
    def tiles(self) -> list[Block]:
        """Cells of the products."""
        return [tile for one in self.products for tile in one.tiles]

    def loop_blocks(self) -> list[Block]:
        """Cells of the leaves' loops."""
        return [block for leaf in self.leaves for block in leaf.cells.blocks()]

    def blocks(self) -> list[Block]:
        """All blocks to program."""
        return self.loop_blocks() + self.tiles


def plan_block_solve(
    setup: LoopSetup, matrix: Floats, rng: np.random.Generator, leaf: int, *, recursion: str = "recursive",
    schur: str = "exact", effort: str = "auto", most_cycles: int = MOST_CYCLES, rhs: Floats | None = None,
) -> BlockSolvePlan:  # fmt: skip
    """Cut a matrix into blocks, choose a loop for each leaf, and place them all.

    - `matrix` (n, n): A as given.
    - `leaf`: N0, the largest leaf.
    - `recursion`, `schur`: one of `RECURSIONS`, and of `SCHUR_OF_SOLVE`.
    - `effort`: "auto", or the name of one of `EFFORTS`.
    - `most_cycles`: cycles within which the solve is to converge.
    - `rhs` (n,), optional: a right-hand side that the effort is to be enough for, beside random ones.

    Raises `ChipMapError` when the blocks do not fit, with how many would; `ConvergenceError` for a block that is
    singular, or a leaf for which no loop settles.
    """
    chip, products = setup.chip, setup.chip.arrays_for("multiply")
    if not setup.arrays or not products:
        raise ChipMapError(f"chip {chip.name!r} lacks an inverting or a multiplying array; both are needed")
    form = Preconditioning.none(len(matrix))
    if schur != "complex":  # which needs [[Re, -Im], [Im, Re]] as it is
        form = Preconditioning.equilibrating(matrix)
    scaled = form.matrix(matrix)
    tree = plan_blocks(scaled, leaf, schur=SCHUR_OF_SOLVE[schur], factored=RECURSIONS[recursion])
    places = place_leaves(setup, tree.leaves, len(matrix))
    chosen = [_leaf_loop(places.chooser, each, rng) for each in tree.leaves]
    if effort == "auto":
        sides = None if rhs is None else form.equations(rhs)
        most = min(most_cycles, MOST_CYCLES)
        judged = choose_effort(scaled, tree, chosen, setup.digits, rng, most, sides)
    else:
        judged = [EffortForecast(one) for one in EFFORTS if one.name == effort]
    leaves, blocks = places.hold([one.loop for one in chosen]), list(tree.blocks)
    for leaf_on_chip, one, block in zip(leaves.leaves, chosen, tree.leaves, strict=True):
        if one.rotation is not None:
            leaf_on_chip.rotation = len(blocks)
            blocks.append(one.rotation)
        if judged[-1].effort.refines:
            leaf_on_chip.matrix = len(blocks)
            blocks.append(one.loop_matrix(block))
    on_chip = _place_products(setup, products[-1], blocks, judged[-1].effort)
    return BlockSolvePlan(chip, setup.digits, form, scaled, tree, leaves, on_chip, judged)


def _leaf_loop(chooser: LoopChooser, matrix: Floats, rng: np.random.Generator) -> LeafLoop:
    """Return a leaf's own loop where one settles as it is, else that of its definite polar factor."""
    own = chooser.unshifted(matrix, rng)
    if own is not None:
        return LeafLoop(own)
    orthogonal, definite = polar_factors(matrix)
    return LeafLoop(chooser.choose(definite, rng), np.ascontiguousarray(orthogonal.T))


def _place_products(
    setup: LoopSetup, array: ArrayMap, blocks: Sequence[Floats], effort: BlockEffort
) -> list[ProductOnChip]:
    """Return the blocks in digit slices, each cut into tiles, on free places of the array."""
    rows, columns = (min(a, b) for a, b in zip(array.stretch, setup.lines, strict=True))
    free = free_places(array, rows, columns)
    products: list[ProductOnChip] = []
    for block in blocks:
        encoding = effort.encode(block, setup.digits.bits)
        tiles = []
        for start in range(0, encoding.digits.shape[1], columns):
            digits = encoding.digits[:, start : start + columns]
            try:
                down, across = next(free)
            except StopIteration:
                raise ChipMapError(
                    f"the multiplying array of chip {setup.chip.name!r} has room for {len(products)} of the {len(blocks)} "
                    f"blocks of the matrix{defects_text(array)}; use a chip with a larger one"
                ) from None
            place = Placement(array.name, down[: len(digits)], across[: digits.shape[1]])
            tiles.append(Block(place, digits))
        products.append(ProductOnChip(encoding, tiles))
    return products


def check_leaf(leaf: int | None, setup: LoopSetup) -> int:
    """Return the largest matrix of a loop: `leaf`, or as many lines as loops and converters have.

    Raises `ChipMapError` when a loop cannot be as large as asked for.
    """
    if not setup.arrays:
        raise ChipMapError(f"chip {setup.chip.name!r} has no inverting array; one is needed")
    if leaf is not None and leaf > setup.room:
        raise ChipMapError(
            f"loops of {leaf} lines do not fit the inverting arrays of chip {setup.chip.name!r} and the bench's "
            f"converters, which take up to {setup.room}"
        )
    return setup.room if leaf is None else leaf


SUBDOMAINS = ("jacobi", "schwarz")
BLOCKS = (*RECURSIONS, *SUBDOMAINS)
"""How a matrix that no loop holds is cut: by recursion (BlockAMC, block LU, or whichever of them a stage takes fewer
inversions with and no more arrays), or into subdomains without and with overlap."""

OVERLAP = 1
"""Layers of neighbours that a subdomain of Schwarz takes where nothing else is said: each further one takes more loops than
it saves cycles (docs/blocks.md)."""


def check_blocks(blocks: str, overlap: int | None, coarse: bool, schur: str, effort: str) -> None:
    """Raise `InputError` for an option that is another decomposition's: each of `BLOCKS` has its own."""
    if overlap is not None and blocks != "schwarz":
        raise InputError(
            f"overlap is {overlap}, which is of Schwarz subdomains, and blocks is {blocks}: give blocks = schwarz, or "
            "leave it out"
        )
    if coarse and blocks not in SUBDOMAINS:
        raise InputError(
            f"a coarse level is one of subdomains, and blocks is {blocks}: give blocks = jacobi or schwarz, or leave it out"
        )
    for name, value, default in (("schur", schur, "exact"), ("effort", effort, "auto")):
        if value != default and blocks in SUBDOMAINS:
            raise InputError(
                f"{name} is {value}, which is of recursive blocks, and blocks is {blocks}: give blocks = recursive, or "
                "leave it out"
            )
    if blocks == "lu" and schur != "exact":
        raise InputError(
            f"schur is {schur}, and blocks is lu, which takes M3 M1^-1 from exact Schur complements: give blocks = "
            "recursive, or leave schur out"
        )


def plan_schwarz_solve(
    setup: LoopSetup, matrix: Floats, rng: np.random.Generator, leaf: int, *, overlap: int,
    coarse: bool = False,
) -> BlockSolvePlan:  # fmt: skip
    """Cut a matrix (n, n) into subdomains of its graph, choose a loop for each, and place them all.

    `leaf`: N0, the largest subdomain with its overlap. `overlap`, `coarse`: as `plan_schwarz`; an overlap of 0 is
    block Jacobi. Raises `InputError` for an overlap with which no subdomain fits on a loop; `ChipMapError` when the
    loops do not fit, with how many would; `ConvergenceError` for a subdomain that is singular, or one for which no
    loop settles.
    """
    form = Preconditioning.equilibrating(matrix)
    scaled = form.matrix(matrix)
    tree = plan_schwarz(scaled, leaf, overlap=overlap, coarse=coarse)
    places = place_leaves(setup, tree.leaves, len(matrix))
    loops = places.hold([places.chooser.choose(each, rng) for each in tree.leaves])
    return BlockSolvePlan(setup.chip, setup.digits, form, scaled, tree, loops, [], [])
