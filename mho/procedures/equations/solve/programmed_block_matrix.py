"""A matrix on the chip by blocks: its approximate inverse from the loops of its leaves, by recursion or by Schwarz.

A product with exact integers takes a shot for each bit (`IntegerProducts`). Inside a preconditioner a few bits may be
enough: then the whole vector is played at once, and the columns' currents are summed with the weights of their digits. A
tile is calibrated like one of exact products: a factor for each line and each column takes the wires out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import FixedPoint, FixedPointColumns
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.equations.algorithms.refinement import Method
from mho.procedures.equations.blocks.block_inverse import BlockInverse, Operation, RefinedLeaves
from mho.procedures.equations.blocks.schwarz import Schwarz, SchwarzPlan
from mho.procedures.equations.circuits.loop_on_cells import AnalogueInverse, full_scale
from mho.procedures.equations.circuits.products import IntegerProducts
from mho.procedures.equations.circuits.programmed_blocks import say_failed_cells
from mho.procedures.equations.circuits.tiles import TilesOnChip, Trim
from mho.procedures.equations.planning.block_leaves import LeafOnChip, LeavesOnChip
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.solve.programmed_matrix import (
    LOOPS,
    SCALING,
    VECTOR_VOLTS,
    MatrixCells,
    ProgrammedMatrix,
)
from mho.procedures.equations.worth import Work
from mho.procedures.stream import Stream

REPEATS = 2  # shots of each line alone in the calibration


class AnalogueProducts:
    """The programmed tiles of many blocks as functions v -> about M v."""

    def __init__(self, on_chip: TilesOnChip) -> None:
        self._on_chip = on_chip
        self._trims: list[list[Trim]] = []

    def calibrate(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Fit each tile's factors of lines and columns; `progress` as that of `TilesOnChip.calibrated`."""
        self._trims = self._on_chip.calibrated(REPEATS, progress)

    def __call__(self, numbers: Sequence[int], vectors: Sequence[Floats]) -> list[Floats]:
        """Return about M_k v (..., outputs) for each k of `numbers` and its v (..., inputs), none of them all zero.

        Each vector is played at the full scale.
        """
        full, products = self._on_chip.volts, [self._on_chip.products[number] for number in numbers]
        tiles, volts = [], []
        peaks = [np.abs(vector).max(axis=-1, keepdims=True) for vector in vectors]
        for number, product, vector, peak in zip(numbers, products, vectors, peaks, strict=True):
            for tile, trim in zip(product.tiles, self._trims[number], strict=True):
                tiles.append(tile)
                drive = trim.drive / trim.drive.max()  # no voltage exceeds the full scale
                volts.append(np.atleast_2d(drive * (vector * (full / peak))))
        currents = iter(self._on_chip.play(tiles, volts))
        results = []
        for number, product, vector, peak in zip(numbers, products, vectors, peaks, strict=True):
            scale = [trim.gain * (trim.drive.max() / full) for trim in self._trims[number]]
            sums = np.concatenate([next(currents) * each for each in scale], axis=1)
            results.append(product.encoding.combine(sums).reshape(*vector.shape[:-1], -1) * peak)
        return results


class ProgrammedLeaves:
    """The leaves of a plan as a function (k, r) -> about the inverse of leaf k times r, or times many (vectors, m).

    `bench`, `stream`: where they are, and what is said of them; `plan`: changed where a loop is shifted further;
    `programmer`: of their cells; `rng`: of the forecasts of another loop.
    """

    def __init__(
        self, bench: Bench, stream: Stream, plan: LeavesOnChip, programmer: Programmer,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._bench, self._stream, self._rng = bench, stream, rng
        self._plan, self._programmer = plan, programmer
        self._loops = [self._loop(leaf) for leaf in plan.leaves]
        self._shifts = [0] * len(plan.leaves)
        self._clamped = 0

    def program(self) -> None:
        """Program all leaves, and what their cells leave into their second slices."""
        loops = [leaf.cells for leaf in self._plan.leaves]
        self._programmer.program([block for loop in loops for block in loop.first_slice()])
        if rest := [block for loop in loops for block in loop.aim_second_slice()]:
            self._programmer.program(rest)

    @property
    def clamped(self) -> int:
        """Inversions whose largest input drove an output out of its linear range."""
        return self._clamped + sum(loop.clamped for loop in self._loops)

    def settle(self) -> None:
        """Close the loop of each leaf for a trial; one that does not settle is shifted further.

        Raises `ConvergenceError` when a leaf's does not settle however far it is shifted.
        """
        for number, leaf in enumerate(self._plan.leaves):
            self._stream.check()
            while why := self._plan.leaves[number].cells.achieved(self._bench.input_conductance).unstable:
                self._shift_further(number, why)
            self(number, np.ones(len(leaf.loop.matrix)))

    def __call__(self, number: int, rhs: Floats) -> Floats:
        """Return about the inverse of a leaf times r, (m,) or (vectors, m); errors as `settle`.

        Many vectors are played in one exchange, each at the full scale and then, where that was too much, at smaller ones.
        """
        if not rhs.any():
            return np.zeros_like(rhs)
        while True:
            form, loop = self._plan.leaves[number].loop.preconditioning, self._loops[number]
            try:
                if rhs.ndim == 1:
                    return form.solution(loop(form.equations(rhs)))
                return form.solution(loop.columns(form.equations(rhs.T))).T
            except ConvergenceError as error:
                self._shift_further(number, str(error))

    def _loop(self, leaf: LeafOnChip) -> AnalogueInverse:
        return AnalogueInverse(self._bench, leaf.cells, full_scale(self._bench))

    def _shift_further(self, number: int, why: str) -> None:
        if self._shifts[number] == LOOPS:
            raise ConvergenceError(
                f"leaf {number}: {why}; neither did {LOOPS} loops settle that were shifted further: check the programmed "
                "cells, or use a chip with tighter ones"
            )
        self._shifts[number] += 1
        leaf = self._plan.shift_further(number, self._bench.input_conductance, self._rng)
        shift = leaf.loop.candidate.shift
        self._stream.say(f"leaf {number}: {why}; its resistors now shift it by {shift:.3g}", "WARNING")
        self._clamped += self._loops[number].clamped
        self._loops[number] = self._loop(leaf)


class ProgrammedBlockMatrix(MatrixCells):
    """The plan of a matrix by blocks, carried out on a bench: parameters and attributes as `ProgrammedMatrix`.

    Products of the whole matrix are taken in float64. Pulses are counted, not `recorded` one by one.
    """

    plan: BlockSolvePlan

    recorded = False
    on_chip = False
    method: Method = "gcr"  # an inverse by blocks changes from cycle to cycle, which GCR need not mind
    rho = np.inf
    margin: tuple[float | None, float | None] = (None, None)
    sample = np.empty((2, 0))  # no integers are sampled

    def __init__(
        self, bench: Bench, stream: Stream, plan: BlockSolvePlan, settings: WriteVerifySettings,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._stream = stream
        self.plan = plan
        names = [array.name for array in plan.chip.arrays]
        self.programmer, self.loop_programmer = (
            Programmer(bench, stream, levels, names, settings, recorded=self.recorded)
            for levels in (plan.levels, plan.loops.levels)
        )
        self._leaves = ProgrammedLeaves(bench, stream, plan.loops, self.loop_programmer, rng)
        tiles = TilesOnChip(bench, plan.products, plan.levels.step, VECTOR_VOLTS)
        self._products: AnalogueProducts | IntegerProducts = AnalogueProducts(tiles)
        if plan.effort.integers:
            self._products = IntegerProducts(tiles, plan.effort.slices * plan.levels.bits)
        self._inversions = self._leaf_products = self._multiplied_in_float64 = 0
        self._played = Work()
        self._inverse = self._operator(plan)

    def _operator(self, plan: BlockSolvePlan) -> BlockInverse | Schwarz:
        tree, effort = plan.tree, plan.effort
        if isinstance(tree, SchwarzPlan):
            return Schwarz(tree, self._invert_leaf, self._product_in_float64)
        invert: Operation = self._invert_leaf
        if effort.refines:
            refined = RefinedLeaves(
                self._invert_loop, self._multiply_leaf, effort.leaf_steps, tolerance=effort.leaf_tolerance
            )

            def invert(number: int, rhs: Floats) -> Floats:
                return refined(number, self._rotated(number, rhs))

        return BlockInverse(tree, invert, self._multiplied)

    def program(self) -> None:
        """Program all blocks."""
        self._leaves.program()
        if self.plan.tiles:
            self.programmer.program(self.plan.tiles)
        say_failed_cells(self.failed, self._stream)

    def settle(self, trial: Floats) -> None:
        """Close the loop of each leaf for a trial, as `ProgrammedLeaves.settle`."""
        self._leaves.settle()

    def shift_further(self, why: str) -> None:
        """Nothing is left to change of a matrix whose leaves have all been shifted as far as they go."""
        raise ConvergenceError(why)

    def calibrate(self) -> None:
        """Calibrate all products for their wires."""

        def progress(done: int, total: int) -> None:
            self._stream.check()
            self._stream.progress("calibrating", done, total)

        if self.plan.products:
            self._products.calibrate(progress)

    def invert(self, residual: Floats) -> Floats:
        """Return about S^-1 r as the blocks compute it; errors as `AnalogueInverse`."""
        self._stream.check()
        return self._inverse(residual)

    def invert_columns(self, residuals: Floats) -> Floats:
        """Return about S^-1 R of many vectors (n, k), each leaf and each block taking all of them in one exchange.

        Subdomains take one vector after the other.
        """
        self._stream.check()
        if isinstance(self._inverse, BlockInverse):
            return self._inverse(residuals.T).T
        answers = [self._inverse(one) if one.any() else np.zeros_like(one) for one in residuals.T]
        return np.stack(answers, axis=1)

    def multiply(self, vector: FixedPoint) -> Floats:
        """Return S dx, in float64."""
        return self._product_in_float64(vector.values)

    def multiply_columns(self, vectors: FixedPointColumns) -> Floats:
        """Return S Z of many vectors, (n, k), in float64."""
        return self._product_in_float64(vectors.values)

    @property
    def played(self) -> tuple[Floats, Floats]:
        """No one input and output: NaN."""
        nothing = np.full(len(self.plan.held), np.nan)
        return nothing, nothing

    @property
    def clamped(self) -> int:
        """Inversions whose largest input drove an output out of its linear range."""
        return self._leaves.clamped

    @property
    def counts(self) -> Counter[str]:
        """Integers of the blocks' products, and those of them that were wrong, where they are exact ones."""
        return Counter({name: getattr(self._products, name, 0) for name in ("outputs", "wrong")})

    @property
    def operations(self) -> dict[str, int]:
        """INV of leaves and MVM of blocks so far."""
        return {"inversions": self._inversions, "products": self._inverse.products + self._leaf_products}

    @property
    def work(self) -> Work:
        """Multiplications so far: those of leaves and blocks, and in float64 of whole products and of the plan."""
        work = self._played + Work()
        work.digital["products"] = self._multiplied_in_float64 * self.plan.held.size
        work.digital["cell errors"] = getattr(self._products, "corrections", 0)
        if not isinstance(self.plan.tree, SchwarzPlan):
            work.digital["Schur complements"] = self.plan.tree.multiplications
        return work

    def _product_in_float64(self, vectors: Floats) -> Floats:
        """Return S Z of one vector, (n,), or many, (n, k)."""
        self._multiplied_in_float64 += vectors.size // len(vectors)
        return np.asarray(self.plan.held @ vectors)

    def _invert_leaf(self, number: int, rhs: Floats) -> Floats:
        """Return about the inverse of a leaf times r, (..., m)."""
        return self._invert_loop(number, self._rotated(number, rhs))

    def _rotated(self, number: int, rhs: Floats) -> Floats:
        """Return what a leaf's loop inverts for r, (..., m): Q^T r where it holds the polar factor of the leaf."""
        rotation = self.plan.leaves[number].rotation
        return rhs if rotation is None else self._leaf_multiplied(rotation, rhs)

    def _invert_loop(self, number: int, rhs: Floats) -> Floats:
        """Return about the inverse of what a leaf's loop holds times r, (..., m)."""
        if not rhs.any():
            return np.zeros_like(rhs)
        played = int(np.count_nonzero(rhs.any(axis=-1)))
        self._inversions += played
        self._played.chip["inversions"] += played * rhs.shape[-1] ** 2
        self._played.digital["preconditioning"] += SCALING * played * rhs.shape[-1]
        return self._leaves(number, rhs)

    def _multiply_leaf(self, number: int, vector: Floats) -> Floats:
        """Return what a leaf's loop holds times v, (..., m)."""
        block = self.plan.leaves[number].matrix
        if block is None:
            raise ValueError(f"leaf {number} is not among the blocks to multiply with")
        return self._leaf_multiplied(block, vector)

    def _leaf_multiplied(self, block: int, vector: Floats) -> Floats:
        """Return a leaf's block times v, (..., m)."""
        self._leaf_products += int(np.count_nonzero(vector.any(axis=-1)))
        return self._multiplied([block], [vector])[0]

    def _multiplied(self, blocks: Sequence[int], vectors: Sequence[Floats]) -> list[Floats]:
        """Return each block times its v, (..., p), all played together; nothing is played for zeros."""
        used = [vector.any(axis=-1) for vector in vectors]
        played = [number for number, each in enumerate(used) if each.any()]
        products: list[Floats] = []
        if played:
            products = self._products(
                [blocks[number] for number in played], [vectors[number][used[number]] for number in played]
            )
        results = [
            np.zeros((*vector.shape[:-1], len(self.plan.products[block].encoding.fixed.integers)))
            for block, vector in zip(blocks, vectors, strict=True)
        ]
        for number, product in zip(played, products, strict=True):
            results[number][used[number]] = product
            self._played.chip["products"] += product.size * vectors[number].shape[-1]
        return results


MatrixOnChip = ProgrammedMatrix | ProgrammedBlockMatrix  # a programmed matrix, whole or by blocks
