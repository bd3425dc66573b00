"""Plan of a matrix on a chip for a solve: encoding, blocks and placement, made before any operation.

Where cells could not be programmed, another order of the loop's lines may do less harm: a cell stuck in its low resistance
beside a large entry changes little; beside the diagonal of the second array it cancels the entry that the loop's stability
rests on, and no shift helps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.checksums import CheckedTile, checked_tiles, place_checked
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.inverse_encoding import (
    EncodingForecast,
    InverseEncoding,
    contraction,
    loop_eigenvalues,
    slowest_eigenvalue,
)
from mho.chip_maps.levels import Levels
from mho.chip_maps.multiply_encoding import MultiplyEncoding, encode_multiply
from mho.chip_maps.placement import Placement
from mho.chip_maps.preconditioning import Preconditioning
from mho.errors import ChipMapError, ConvergenceError
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.algorithms.refinement import CORRECTION_BITS, Method
from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells
from mho.procedures.equations.planning.linear_system import Goal
from mho.procedures.equations.planning.loop_choice import (
    LoopChooser,
    LoopOption,
    LoopSetup,
    PlannedLoop,
    shifted_in_resistors,
)
from mho.procedures.equations.planning.method_choice import (
    CHOSEN,
    Chosen,
    Judging,
    MethodChoice,
    choose_method,
)

TRIES = 300  # orders that are drawn; of eight lines one in some tens serves


def order_around_lost_cells(
    loop: LoopOnCells, input_conductance: float, rng: np.random.Generator
) -> tuple[Integers, Integers] | None:
    """Return the order of rows and of columns, of those drawn, whose loop is expected to settle and errs least.

    Cells outside their windows are taken to keep what they read, all others to reach their targets. `loop`: as
    programmed; what a second slice makes up for is not counted. `input_conductance`: g_in, S. Row i of the loop goes
    to the line that row ``order[i]`` is on now, and so for columns. None where no cell is lost, or no order that was
    drawn settles.
    """
    encoding, levels, blocks = loop.encoding, loop.levels, loop.first_slice()
    lost = [~levels.inside(block.achieved, block.digits) for block in blocks]
    if not any(cells.any() for cells in lost):
        return None
    targets = [levels.conductance(block.digits) for block in blocks]
    diagonal, bias = encoding.diagonal_conductance(levels.step), encoding.bias_conductance(levels.step)
    k = encoding.order
    second = targets[1] if len(blocks) > 1 else None
    ideal = encoding.represented(encoding.network(targets[0], second, diagonal, bias), levels.step)
    best: tuple[float, tuple[Integers, Integers]] | None = None
    for _ in range(TRIES):
        order = rng.permutation(k), rng.permutation(k)
        place = np.ix_(*order)
        cells = [
            np.where(out[place], block.achieved[place], target)
            for out, block, target in zip(lost, blocks, targets, strict=True)
        ]
        negative = cells[1] if len(cells) > 1 else None
        network = encoding.network(cells[0], negative, diagonal, bias)
        load = encoding.row_load(cells[0], negative, diagonal, input_conductance, bias)
        if slowest_eigenvalue(loop_eigenvalues(network, load)).real <= 0.0:
            continue
        off = float(contraction(ideal, encoding.represented(network, levels.step)))
        if best is None or off < best[0]:
            best = off, order
    return None if best is None else best[1]


JUDGING = Judging(Goal(24, None), CORRECTION_BITS)
TILE_WIDTH = 32  # columns measured at once, check columns included; limits the current in one line's wire


@dataclass
class SolvePlan:
    """A matrix on a chip."""

    chip: ChipMap
    levels: Levels
    loop: PlannedLoop  # the inverting loop's form of the matrix and its encoding
    # The matrix, in the loop's form, in digit slices; None where products are taken in float64
    multiply: MultiplyEncoding | None
    tiles: list[Block]  # its columns in order, split into tiles with check columns
    checked: tuple[CheckedTile, ...]  # the checksums of the tiles
    cells: LoopOnCells  # the loop on the inverting arrays
    chooser: LoopChooser  # that found the loop
    choice: MethodChoice  # the method of refinement, and how it was chosen

    @property
    def candidate(self) -> EncodingForecast:
        """The loop's encoding with its forecast."""
        return self.loop.candidate

    @property
    def encoding(self) -> InverseEncoding:
        """The inverting encoding."""
        return self.cells.encoding

    @property
    def encoding_name(self) -> str:
        """Name of the inverting encoding."""
        return self.encoding.name

    @property
    def shift(self) -> float:
        """s, where the loop holds A + s I."""
        return self.candidate.shift

    @property
    def choices(self) -> dict[str, object]:
        """What a run's result has of it alone: of a second slice, its ratio."""
        second = self.cells.second_slice
        return {} if second is None else {"slice_ratio": second.ratio}

    @property
    def held_bits(self) -> int | None:
        """Bits of the matrix that the products hold; None for products in float64."""
        return None if self.multiply is None else self.multiply.fixed.bits

    @property
    def tried(self) -> list[LoopOption]:
        """What was considered for the loop."""
        return self.chooser.tried

    @property
    def preconditioning(self) -> Preconditioning:
        """The form in which loop and products hold the matrix."""
        return self.loop.preconditioning

    @property
    def held(self) -> Floats:
        """The matrix (n, n), in the loop's form, as the products hold it."""
        return self.loop.matrix if self.multiply is None else self.multiply.matrix

    def loop_blocks(self) -> list[Block]:
        """The loop's cells."""
        return self.cells.blocks()

    def blocks(self) -> list[Block]:
        """All blocks to program."""
        return self.loop_blocks() + self.tiles

    def forecast(self, input_conductance: float) -> tuple[Floats, float]:
        """Return A0, what INV inverts, in the form of the matrix as given, and rho(I - A A0^-1).

        Both are those of the achieved cells between the array's wires. Raises `ConvergenceError` when the loop as
        programmed would be unstable: it must not be connected.
        """
        achieved = self.cells.achieved(input_conductance)
        if achieved.unstable:
            raise ConvergenceError(achieved.unstable)
        given = self.preconditioning.given_matrix(achieved.matrix)
        return given, float(contraction(self.held, achieved.matrix))

    def margin(self, input_conductance: float) -> tuple[float, float]:
        """Return the smallest real part and the `damping` of the eigenvalues of D^-1 G, from the achieved cells.

        The loop settles where the first is positive, and with real amplifiers where the second is, too.
        """
        achieved = self.cells.achieved(input_conductance)
        return achieved.slowest.real, achieved.damping

    def shift_further(self, input_conductance: float, rng: np.random.Generator) -> SolvePlan:
        """Return the plan with its loop shifted further by its resistors, around the cells as they are.

        Raises `ConvergenceError` as `shifted_in_resistors`.
        """
        loop, cells = shifted_in_resistors(self.loop, self.cells, input_conductance, rng)
        return replace(self, loop=loop, cells=cells)

    def around_lost_cells(self, input_conductance: float, rng: np.random.Generator) -> SolvePlan | None:
        """Return the plan with the loop on the same lines in another order, in which its lost cells do less harm.

        None where there are none, or no such order is found.
        """
        order = order_around_lost_cells(self.cells, input_conductance, rng)
        if order is None:
            return None
        now = self.cells.positive.placement
        placed = Placement(now.array, now.rows[order[0]], now.columns[order[1]])
        return replace(self, cells=self.cells.holding(self.encoding, placed))


def plan_solve(
    setup: LoopSetup, matrix: Floats, rng: np.random.Generator, *,
    slices: Callable[[Floats], tuple[int, int]] | None, method: Method | Chosen = "gcr",
    judging: Judging = JUDGING,
) -> SolvePlan:  # fmt: skip
    """Choose the loop by its forecast, slice the matrix in the loop's form, and place every block on good cells.

    `matrix` (n, n): A as given. `slices`: matrix in the loop's form -> slices wanted, and the fewest that serve. None
    where products are taken in float64. `method`: method of the refinement, by which loops are judged; those of
    `CHOSEN` judge them by GCR, and then choose. `judging`: what methods are judged with. Raises `ChipMapError` when
    the matrix does not fit, with the size that would; `ConvergenceError` when no loop settles, however far the matrix
    is shifted.
    """
    chip = setup.chip
    if not setup.arrays or (slices is not None and not chip.arrays_for("multiply")):
        raise ChipMapError(f"chip {chip.name!r} lacks an inverting or a multiplying array; both are needed")
    by = "gcr" if method in CHOSEN else cast(Method, method)
    chooser = LoopChooser(setup, setup.fitting_kinds(matrix), by)
    loop = chooser.choose(matrix, rng)
    cells = setup.cells(loop.candidate.encoding)
    multiply: MultiplyEncoding | None = None
    tiles: list[Block] = []
    checked: tuple[CheckedTile, ...] = ()
    if slices is not None:
        multiply, tiles, checked = _sliced(setup, loop.matrix, *slices(loop.matrix))
    sliced = loop.matrix if multiply is None else multiply.matrix
    choice = choose_method(method, loop.drawn, sliced, judging, slack=multiply is None)
    return SolvePlan(chip, setup.digits, loop, multiply, tiles, checked, cells, chooser, choice)


def _sliced(
    setup: LoopSetup, matrix: Floats, slices: int, least: int
) -> tuple[MultiplyEncoding, list[Block], tuple[CheckedTile, ...]]:
    """Slice a matrix for the products into `slices` slices, or into as many as fit, and place them."""
    array, bits = setup.chip.arrays_for("multiply")[0], setup.digits.bits
    width = min(TILE_WIDTH, setup.lines[1], array.columns)
    while True:
        encoding = encode_multiply(matrix, slices * bits, bits)
        checked = checked_tiles(encoding.digits, width, bits)
        try:
            places = place_checked(array, checked)
        except ChipMapError:
            if slices <= least:
                raise
            slices -= 1
            continue
        tiles = [Block(at, tile.digits) for at, tile in zip(places, checked, strict=True)]
        return encoding, tiles, checked
