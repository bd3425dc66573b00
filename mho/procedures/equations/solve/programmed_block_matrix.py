"""A matrix on the chip by blocks: its approximate inverse is the recursion over the loops of its leaves (BlockAMC)."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.fixed_point import FixedPoint
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.procedures.cells.programming import Programmer
from mho.procedures.equations.algorithms.directions import Method
from mho.procedures.equations.blocks.block_inverse import BlockInverse
from mho.procedures.equations.circuits.analogue_product import AnalogueProducts
from mho.procedures.equations.circuits.inversion import AnalogueInverse
from mho.procedures.equations.solve.block_solve_plan import BlockSolvePlan, LeafOnChip
from mho.procedures.equations.solve.programmed_matrix import INVERT_VOLTS, LOOPS, VECTOR_VOLTS
from mho.procedures.equations.solve.solve_messages import say_failed_cells
from mho.procedures.stream import Stream

Floats = NDArray[np.float64]


class ProgrammedBlockMatrix:
    """The plan of a matrix by blocks, carried out on a bench: parameters and attributes as `ProgrammedMatrix`.

    Products of the whole matrix are taken in float64. Pulses are counted, not recorded one by one.
    """

    on_chip = False
    method: Method = "gcr"  # an inverse by blocks changes from cycle to cycle, which GCR need not mind
    rho = np.inf
    margin: tuple[float | None, float | None] = (None, None)

    def __init__(
        self,
        bench: Bench,
        stream: Stream,
        plan: BlockSolvePlan,
        settings: WriteVerifySettings,
        rng: np.random.Generator,
    ) -> None:
        self._bench, self._stream, self._rng = bench, stream, rng
        self.plan = plan
        self.programmer = Programmer(
            bench,
            stream,
            plan.levels,
            [array.name for array in plan.chip.arrays],
            settings,
            recorded=False,
        )
        self._loops = [self._loop(leaf) for leaf in plan.leaves]
        self._products = AnalogueProducts(bench, plan.products, plan.levels.step, VECTOR_VOLTS)
        self._shifts = [0] * len(plan.leaves)
        self._inverse = BlockInverse(
            plan.tree, self._invert_leaf, lambda k, v: self._products([k], [v])[0], self._products
        )

    def program(self) -> None:
        """Program all blocks."""
        self.programmer.program(self.plan.blocks())
        say_failed_cells(self.failed, self._stream)

    def settle(self, trial: Floats) -> None:
        """Close the loop of each leaf for a trial; one that does not settle is programmed again, shifted further.

        Raises
        ------
        ConvergenceError
            When a leaf's does not settle however far it is shifted.
        """
        for number, leaf in enumerate(self.plan.leaves):
            self._stream.check()
            while why := self.plan.leaves[number].unstable(self.plan.levels, self._bench.input_conductance):
                self._shift_further(number, why)
            self._invert_leaf(number, np.ones(len(leaf.loop.matrix)))

    def shift_further(self, why: str) -> None:
        """Nothing is left to change of a matrix whose leaves have all been shifted as far as they go."""
        raise ConvergenceError(why)

    def calibrate(self) -> None:
        """Calibrate all products for their wires."""

        def progress(done: int, total: int) -> None:
            self._stream.check()
            self._stream.progress("calibrating", done, total)

        self._products.calibrate(progress)

    def invert(self, residual: Floats) -> Floats:
        """Return about S^-1 r as the blocks compute it; errors as `AnalogueInverse`."""
        self._stream.check()
        return self._inverse(residual)

    def multiply(self, vector: FixedPoint) -> Floats:
        """Return S dx, in float64."""
        return np.asarray(self.plan.held @ vector.values)

    @property
    def played(self) -> tuple[Floats, Floats]:
        """No one input and output: NaN."""
        nothing = np.full(len(self.plan.held), np.nan)
        return nothing, nothing

    @property
    def clamped(self) -> int:
        """Inversions whose largest input drove an output out of its linear range."""
        return sum(loop.clamped for loop in self._loops)

    @property
    def counts(self) -> Counter[str]:
        """Counts of integers: none are read."""
        return Counter()

    @property
    def operations(self) -> dict[str, int]:
        """INV of leaves and MVM of blocks so far."""
        return {"inversions": self._inverse.inversions, "products": self._inverse.products}

    @property
    def sample(self) -> Floats:
        """No integers are sampled: (2, 0)."""
        return np.empty((2, 0))

    @property
    def pulses(self) -> int:
        """Pulses so far."""
        return self.programmer.pulses

    @property
    def reads(self) -> int:
        """Verify reads so far."""
        return self.programmer.reads

    @property
    def joules(self) -> float:
        """Energy of pulses and verify reads so far."""
        return self.programmer.joules

    @property
    def failed(self) -> int:
        """Cells that read outside their window after the last pass; 0 before."""
        return self.programmer.failed(self.plan.blocks()) if self.programmer.reads else 0

    def _loop(self, leaf: LeafOnChip) -> AnalogueInverse:
        full_scale = min(INVERT_VOLTS, self._bench.file.limits["vector"].voltage)
        encoding = leaf.loop.candidate.encoding
        return AnalogueInverse(
            self._bench, encoding, leaf.positive, leaf.negative, self.plan.levels.step, full_scale
        )

    def _invert_leaf(self, number: int, rhs: Floats) -> Floats:
        """Return about the inverse of a leaf times r, (m,)."""
        if not rhs.any():
            return np.zeros_like(rhs)
        while True:
            form = self.plan.leaves[number].loop.preconditioning
            try:
                return form.solution(self._loops[number](form.equations(rhs)))
            except ConvergenceError as error:
                self._shift_further(number, str(error))

    def _shift_further(self, number: int, why: str) -> None:
        if self._shifts[number] == LOOPS:
            raise ConvergenceError(
                f"leaf {number}: {why}; neither did {LOOPS} loops settle that were shifted further: check the programmed "
                "cells, or use a chip with tighter ones"
            )
        self._shifts[number] += 1
        leaf = self.plan.shift_further(number, self._rng)
        shift = leaf.loop.candidate.shift
        self._stream.say(f"leaf {number}: {why}; it is programmed again, shifted by {shift:.3g}", "WARNING")
        self.programmer.program(leaf.blocks())
        self._loops[number] = self._loop(leaf)
