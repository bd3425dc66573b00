"""A matrix on the chip as two operators, INV and MVM, on vectors in the form in which the chip holds it.

Any outer loop can use them: `refine`, or one of a user's own procedure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import FixedPoint, FixedPointColumns
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.equations.algorithms.refinement import Method
from mho.procedures.equations.circuits.loop_on_cells import AnalogueInverse, full_scale, record_loop
from mho.procedures.equations.circuits.products import SlicedProduct
from mho.procedures.equations.circuits.programmed_blocks import say_failed_cells
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.planning.loop_choice import DrawnLoops
from mho.procedures.equations.planning.solve_plan import SolvePlan
from mho.procedures.equations.solve.solve_messages import say_forecast, say_other_method, say_products
from mho.procedures.equations.worth import Work
from mho.procedures.stream import Stream

VECTOR_VOLTS = 0.2  # V, input of a 1 in MULTIPLY
COUNTS = {
    "outputs": "integers read in this cycle",
    "found": "shots that their checksum showed to be wrong",
    "repeated": "further shots played for that",
    "corrected": "integers that the checksum corrected",
    "unresolved": "shots whose digits were taken instead",
    "recalibrated": "tiles calibrated again",
    "wrong": "integers that are not the digits' exact sum, which is an oracle's",
    "subtracted": "integers from which a cell's known error was subtracted digitally",
    "alone": "integers that the array alone gave as the digits' exact sum, an oracle's as well",
}
"""What is counted of the chip's products, as `SlicedProduct` does it: columns of the table of cycles."""
SCALING = 3  # multiplications of each element of an INV: to the range of converters, and back by two factors

LOOPS = 12  # changes of a loop that does not settle: its lines in another order, and larger and larger shifts


class MatrixCells:
    """The cells of a plan: those of its loops, and those of digits to multiply with, which may have other windows."""

    plan: SolvePlan | BlockSolvePlan
    programmer: Programmer  # of cells that hold digits
    loop_programmer: Programmer

    @property
    def _programmers(self) -> Iterable[Programmer]:
        return dict.fromkeys((self.programmer, self.loop_programmer))

    @property
    def pulses(self) -> int:
        """Pulses so far."""
        return sum(one.pulses for one in self._programmers)

    @property
    def reads(self) -> int:
        """Verify reads so far."""
        return sum(one.reads for one in self._programmers)

    @property
    def joules(self) -> float:
        """Energy of pulses and verify reads so far."""
        return sum(one.joules for one in self._programmers)

    @property
    def failed(self) -> int:
        """Cells that read outside their window after the last pass; 0 before."""
        if not self.reads:
            return 0
        return self.loop_programmer.failed(self.plan.loop_blocks()) + self.programmer.failed(self.plan.tiles)

    @property
    def loops_lost(self) -> bool:
        """Whether most cells of the loops are outside their windows: what they hold is then by chance."""
        blocks = self.plan.loop_blocks()
        cells = sum(one.digits.size for one in blocks)
        return bool(self.reads) and 2 * self.loop_programmer.failed(blocks) > cells


class ProgrammedMatrix(MatrixCells):
    """The plan of a matrix, carried out on a bench.

    `bench`, `stream`: where it is programmed, and what is said of it; `rng`: of the forecasts, where a loop is
    planned again. `rho`: contraction forecast from the achieved conductances. `margin`: of stability, as
    `SolvePlan.margin`; None before. `on_chip`: whether products are taken on the chip, now; False makes them those of
    float64. `method`: method of refinement, now: the plan's, as long as it is the right one for the cells as
    programmed.
    """

    plan: SolvePlan  # with the achieved conductances; another one after `shift_further`

    def __init__(
        self, bench: Bench, stream: Stream, plan: SolvePlan, settings: WriteVerifySettings,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._bench, self._stream, self._rng = bench, stream, rng
        self.plan = plan
        self.rho = np.inf
        self.margin: tuple[float | None, float | None] = (None, None)
        names = [array.name for array in plan.chip.arrays]
        self.programmer = Programmer(bench, stream, plan.levels, names, settings)
        self.loop_programmer = self.programmer
        if (
            plan.cells.levels is not plan.levels
        ):  # cells of digits and cells of finer targets have other windows
            self.loop_programmer = Programmer(bench, stream, plan.cells.levels, names, settings)
        self.on_chip = plan.multiply is not None
        self.method: Method = plan.choice.method
        self._inverse: AnalogueInverse | None = None
        self._product: SlicedProduct | None = None
        self._clamped = self._loops = self._inversions = self._multiplied = self._multiplied_in_float64 = 0
        self._moved = False
        self._achieved = np.empty((0, 0))

    def program(self) -> None:
        """Program all blocks."""
        if self.loop_programmer is self.programmer:
            self.programmer.program(self.plan.blocks())
        else:
            self._program_loop()
            if self.plan.tiles:
                self.programmer.program(self.plan.tiles)
        record_loop(self._bench, self._stream, self.plan.cells, self._loops)
        say_failed_cells(self.failed, self._stream)

    def settle(self, trial: Floats) -> None:
        """Forecast contraction and stability from the achieved conductances, then close the loop and feed it with `trial`.

        A loop that does not settle is changed by `shift_further`. Raises `ConvergenceError` when none settles.
        """
        while why := self._unsettled(trial):
            self.shift_further(why)
        say_forecast(self.rho, self.plan.candidate.shift, self._stream)
        self._confirm_method(trial)

    def shift_further(self, why: str) -> None:
        """Change the loop: once program its lines in another order where cells are lost, then shift it by its resistors.

        Raises `ConvergenceError` when it settles with none of `LOOPS` changes.
        """
        if self._loops == LOOPS:
            raise ConvergenceError(
                f"{why}; neither did {LOOPS} other loops settle: check the programmed cells, or use a chip with tighter "
                "ones"
            )
        self._loops += 1
        moved = None
        if not self._moved:
            moved = self.plan.around_lost_cells(self._bench.input_conductance, self._rng)
        if moved is not None:
            self.plan, self._moved = moved, True
            how = (
                "the loop is programmed again with its lines in another order, around the cells that are lost"
            )
            self._stream.say(f"{why}; {how}", "WARNING")
            self._program_loop()
        else:
            self.plan = self.plan.shift_further(self._bench.input_conductance, self._rng)
            how = f"its resistors now shift the loop by {self.plan.candidate.shift:.3g}, around the cells as they are"
            self._stream.say(f"{why}; {how}", "WARNING")
        record_loop(self._bench, self._stream, self.plan.cells, self._loops)
        self._clamped, self._inverse = self.clamped, None

    def calibrate(self) -> None:
        """Calibrate the products for their wires; nothing without slices."""
        plan = self.plan
        if plan.multiply is not None:
            self._product = SlicedProduct(
                self._bench, plan.multiply, plan.tiles, plan.levels.step, VECTOR_VOLTS, checked=plan.checked
            )
            self._product.calibrate()
            say_products(len(plan.tiles), self._product, self._stream)

    def invert(self, residual: Floats) -> Floats:
        """Return about S^-1 r as the loop computes it; errors as `AnalogueInverse`."""
        self._inversions += 1
        return self._loop()(residual)

    def multiply(self, vector: FixedPoint) -> Floats:
        """Return S dx, from the chip or in float64."""
        if self.on_chip and self._product is not None:
            self._multiplied += 1
            return self._product(vector)
        self._multiplied_in_float64 += 1
        return np.asarray(self.plan.held @ vector.values)

    def invert_columns(self, residuals: Floats) -> Floats:
        """Return about S^-1 R of many vectors (n, k) in one exchange; errors as `AnalogueInverse`."""
        self._inversions += residuals.shape[1]
        return self._loop().columns(residuals)

    def multiply_columns(self, vectors: FixedPointColumns) -> Floats:
        """Return S Z of many vectors, (n, k), from the chip or in float64."""
        if self.on_chip and self._product is not None:
            self._multiplied += vectors.values.shape[1]
            return self._product.columns(vectors.integers.T, vectors.bits, vectors.scales).T
        self._multiplied_in_float64 += vectors.values.shape[1]
        return np.asarray(self.plan.held @ vectors.values)

    @property
    def played(self) -> tuple[Floats, Floats]:
        """Input and output of the last inversion, V, by row of the loop."""
        return self._loop().last

    @property
    def clamped(self) -> int:
        """Inversions whose largest input drove an output out of its linear range."""
        return self._clamped + (0 if self._inverse is None else self._inverse.clamped)

    @property
    def counts(self) -> Counter[str]:
        """What the chip's products came to so far, by the names of `COUNTS`, as `SlicedProduct` counts them."""
        return Counter({name: getattr(self._product, name, 0) for name in COUNTS})

    @property
    def sample(self) -> Floats:
        """Sample of the last product's outputs, (2, k), as `SlicedProduct.sample`; none of products in float64."""
        return self._product.sample if self._product is not None and self.on_chip else np.empty((2, 0))

    @property
    def operations(self) -> dict[str, int]:
        """INV so far, and MVM shots of the products."""
        return {"inversions": self._inversions, "products": getattr(self._product, "shots", 0)}

    @property
    def work(self) -> Work:
        """Multiplications so far: those of INV and products, what corrects these, and what scales vectors for INV."""
        work, size = Work(), self.plan.held.size
        work.chip["inversions"] = self._inversions * size
        work.chip["products"] = self._multiplied * size
        work.digital["products"] = self._multiplied_in_float64 * size
        work.digital["cell errors"] = getattr(self._product, "corrections", 0)
        work.digital["preconditioning"] = SCALING * self._inversions * len(self.plan.held)
        return work

    def _program_loop(self) -> None:
        """Program the loop, and what its cells leave of the matrix into its second slice."""
        self.loop_programmer.program(self.plan.cells.first_slice())
        if rest := self.plan.cells.aim_second_slice():
            self.loop_programmer.program(rest)

    def _loop(self) -> AnalogueInverse:
        if self._inverse is None:
            self._inverse = AnalogueInverse(self._bench, self.plan.cells, full_scale(self._bench))
        return self._inverse

    def _unsettled(self, trial: Floats) -> str:
        """Return why the loop cannot be used; empty when it can."""
        try:
            self.margin = self.plan.margin(self._bench.input_conductance)
            self._achieved, self.rho = self.plan.forecast(self._bench.input_conductance)
            self._stream.set_array("matrix_achieved", self._achieved)
            self.invert(self.plan.preconditioning.equations(trial))
        except ConvergenceError as error:
            return str(error)
        return ""

    def _confirm_method(self, trial: Floats) -> None:
        """Go over to GCR where the chosen method is expected to take more cycles around the cells as programmed."""
        plan, form = self.plan, self.plan.preconditioning
        if self.method != plan.choice.method:  # it is GCR already
            return
        programmed = DrawnLoops.programmed(
            plan.loop.matrix, form.matrix(self._achieved), form.equations(trial)
        )
        self.method = plan.choice.confirmed(programmed, plan.held)
        if self.method != plan.choice.method:
            say_other_method(plan.choice.method, self._stream)
