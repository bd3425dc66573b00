"""Plan of a matrix that no loop holds: its leaves on inverting arrays, its other blocks on multiplying ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.forecast import loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.inverse_encoding import KINDS, Candidate, Kind
from mho.chip_maps.levels import Levels
from mho.chip_maps.multiply_encoding import encode_multiply
from mho.chip_maps.placement import Placement
from mho.chip_maps.preconditioning import Preconditioning
from mho.errors import ChipMapError
from mho.procedures.cells.programming import Block
from mho.procedures.equations.blocks.block_inverse import BlockPlan
from mho.procedures.equations.blocks.block_plan import Schur, plan_blocks
from mho.procedures.equations.circuits.analogue_product import ProductOnChip
from mho.procedures.equations.solve.loop_choice import Form, Loop, LoopChooser, Tried
from mho.procedures.equations.solve.method_choice import MethodChoice

Floats = NDArray[np.float64]

SCHUR_OF_SOLVE: dict[str, Schur | tuple[Schur, ...]] = {
    "exact": "exact",
    "diagonal": "diagonal",
    "M4": "M4",
    "complex": ("M1", "exact"),
}
"""Schur complements of `plan_blocks`; that of a complex matrix is taken as its real part, its own blocks' exactly."""

SLICES = 2
"""Slices of the blocks that are multiplied with. Their one-step products err as the first slice's cells do, about 0.13 of a
digit each: a third slice would hold less than that."""


@dataclass
class LeafOnChip:
    """A leaf's loop and its cells; attributes as those of `SolvePlan`."""

    loop: Loop
    positive: Block
    negative: Block | None

    def blocks(self) -> list[Block]:
        """Its cells."""
        return [self.positive] if self.negative is None else [self.positive, self.negative]

    def unstable(self, levels: Levels, input_conductance: float) -> str:
        """Return why the loop as programmed must not be connected; empty when it may."""
        encoding = self.loop.candidate.encoding
        negative = None if self.negative is None else self.negative.achieved
        diagonal = encoding.diagonal_conductance(levels.step)
        network = encoding.network(self.positive.achieved, negative, diagonal)
        load = encoding.row_load(self.positive.achieved, negative, diagonal, input_conductance)
        slowest = slowest_eigenvalue(loop_eigenvalues(network, load))
        if slowest.real > 0.0:
            return ""
        return f"the programmed loop would be unstable: eigenvalue {slowest:.4g} of D^-1 G has no positive real part"


@dataclass
class BlockSolvePlan:
    """A matrix on a chip, by blocks.

    Attributes
    ----------
    preconditioning : Preconditioning
        The form in which the blocks hold the matrix.
    held : (n, n) array
        The matrix in that form.
    tree : BlockPlan
        Which leaves are inverted and which blocks multiplied with.
    leaves : list of LeafOnChip
    products : list of ProductOnChip
    chooser : LoopChooser
        Finds another loop for a leaf whose own does not settle.
    """

    chip: ChipMap
    levels: Levels
    preconditioning: Preconditioning
    held: Floats
    tree: BlockPlan
    leaves: list[LeafOnChip]
    products: list[ProductOnChip]
    chooser: LoopChooser

    @property
    def encoding_name(self) -> str:
        """How many leaves and blocks there are."""
        return f"{len(self.leaves)} leaves, {len(self.products)} blocks"

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
        return max(leaf.loop.candidate.shift for leaf in self.leaves)

    def blocks(self) -> list[Block]:
        """All blocks to program."""
        leaves = [block for leaf in self.leaves for block in leaf.blocks()]
        return leaves + [tile for one in self.products for tile in one.tiles]

    def shift_further(self, number: int, rng: np.random.Generator) -> LeafOnChip:
        """Replace a leaf's loop by one that is shifted further, on the same cells, and return it.

        Raises
        ------
        ConvergenceError
            When there is none.
        """
        leaf = self.leaves[number]
        chooser = replace(self.chooser, kinds=(leaf.loop.candidate.encoding.kind,))
        form = Form(leaf.loop.preconditioning, leaf.loop.matrix)
        loop = chooser.shifted([form], rng, beyond=leaf.loop.candidate.shift)
        self.leaves[number] = _on_pair(self.chip.arrays_for("invert"), leaf.positive.placement, loop)
        return self.leaves[number]


def plan_block_solve(
    chip: ChipMap,
    matrix: Floats,
    rng: np.random.Generator,
    *,
    leaf: int,
    encoding: str,
    lines: tuple[int, int],
    input_conductance: float,
    schur: str = "exact",
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
    schur : str
        One of `SCHUR_OF_SOLVE`.

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
    tree = plan_blocks(held, leaf, schur=SCHUR_OF_SOLVE[schur])
    places = _leaf_places(chip, loops, len(tree.leaves), leaf, len(matrix))
    kinds: tuple[Kind, ...] = tuple(kind for kind in KINDS if encoding in ("auto", kind))
    if leaf + 1 > min(*loops[0].stretch, *lines):
        kinds = tuple(kind for kind in kinds if kind != "bias") or kinds
    chooser = LoopChooser(levels, kinds, len(loops), input_conductance)
    leaves = [
        _on_pair(loops, _first(place, one), one)
        for place, one in zip(places, (chooser.choose(each, rng) for each in tree.leaves), strict=False)
    ]
    on_chip = _place_products(chip, products[-1], tree.blocks, levels, lines)
    return BlockSolvePlan(chip, levels, form, held, tree, leaves, on_chip, chooser)


def _leaf_places(
    chip: ChipMap, loops: Sequence[ArrayMap], count: int, leaf: int, size: int
) -> list[Placement]:
    """Return one place a leaf, within a segment of rows and of columns, whose crossings hold no known bad cell."""
    array = loops[0]
    bad = {cell for one in loops[:2] for cell in one.bad_cells}
    rows, columns = array.stretch
    most = min(leaf + 1, rows, columns)  # with a bias column
    places: list[Placement] = []
    starts = _starts(array.rows, rows, most), _starts(array.columns, columns, most)
    for top, left in product(*starts):
        if any(top <= r < top + most and left <= c < left + most for r, c in bad):
            continue
        places.append(Placement(array.name, np.arange(top, top + leaf), np.arange(left, left + leaf)))
        if len(places) == count:
            return places
    raise ChipMapError(
        f"the matrix is {size} x {size} (as a real one) and takes {count} loops of up to {leaf} x {leaf}; the inverting "
        f"arrays of chip {chip.name!r} take up to {len(places)}: use smaller loops (--leaf), or a chip with more "
        "arrays, as that of the bench `arrays`"
    )


def _first(place: Placement, loop: Loop) -> Placement:
    """Return the part of a place that a loop takes: one line more than its matrix has with a bias column."""
    order = loop.candidate.encoding.order
    return Placement(place.array, place.rows[0] + np.arange(order), place.columns[0] + np.arange(order))


def _on_pair(loops: Sequence[ArrayMap], placed: Placement, loop: Loop) -> LeafOnChip:
    encoding = loop.candidate.encoding
    negative = None
    if encoding.negative is not None:
        negative = Block(replace(placed, array=loops[1].name), encoding.negative)
    return LeafOnChip(loop, Block(placed, encoding.positive), negative)


def _place_products(
    chip: ChipMap, array: ArrayMap, blocks: Sequence[Floats], levels: Levels, lines: tuple[int, int]
) -> list[ProductOnChip]:
    rows, columns = (min(a, b) for a, b in zip(array.stretch, lines, strict=True))
    free = _free_tiles(array, rows, columns)
    found: list[ProductOnChip] = []
    for block in blocks:
        encoding = encode_multiply(block, SLICES * levels.bits, levels.bits)
        tiles = []
        for start in range(0, encoding.digits.shape[1], columns):
            digits = encoding.digits[:, start : start + columns]
            try:
                top, left = next(free)
            except StopIteration:
                raise ChipMapError(
                    f"the multiplying array of chip {chip.name!r} has room for {len(found)} of the {len(blocks)} blocks "
                    "of the matrix; use a chip with a larger one"
                ) from None
            place = Placement(array.name, top + np.arange(len(digits)), left + np.arange(digits.shape[1]))
            tiles.append(Block(place, digits))
        found.append(ProductOnChip(encoding, tiles))
    return found


def _free_tiles(array: ArrayMap, rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield the corners of tiles that lie within segments and hold no known bad cell."""
    bad = set(array.bad_cells)
    for top in _starts(array.rows, array.stretch[0], rows):
        for left in _starts(array.columns, array.stretch[1], columns):
            if not any(top <= r < top + rows and left <= c < left + columns for r, c in bad):
                yield top, left


def _starts(lines: int, segment: int, size: int) -> list[int]:
    return [
        first + start
        for first in range(0, lines, segment)
        for start in range(0, segment - size + 1, size)
        if first + start + size <= lines
    ]


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
