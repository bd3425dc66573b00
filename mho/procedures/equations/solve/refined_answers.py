"""Refinement of one right-hand side after the other on a programmed matrix: cycles recorded, and changed where stuck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import FixedPoint
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.procedures.equations.algorithms.refinement import Cycle, directions, method_name, refine
from mho.procedures.equations.certificates.certificate import Certificate, norm
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.solve.answers import ColumnAnswer, cycle_row
from mho.procedures.equations.solve.programmed_block_matrix import MatrixOnChip
from mho.procedures.equations.solve.programmed_matrix import COUNTS
from mho.procedures.equations.worth import EXACT, Work, contraction_of
from mho.procedures.stream import Stream

NEAR_ONE = 0.95  # contraction from which refinement is too slow to be useful
ORTHOGONAL = 1e-6  # |A^T r| / (|A| |r|) down to which a residual may still fall; a singular value of A is as small then


def shortfall(
    system: LinearSystem, last: Cycle, solution: Floats, certificate: Certificate, matrix: MatrixOnChip
) -> str:
    """Return why the solve of one right-hand side ended before it converged, with advice.

    `solution` is that of the system as given.
    """
    rho, unresolved, failed = matrix.rho, matrix.counts["unresolved"], matrix.failed
    why = {
        "cycles": f"all cycles allowed ({last.number}) are used up",
        "stalled": "the residual falls no more",
        "railed": "the INV loop rails",
    }[last.end]
    reached = system.goal.reached(certificate)
    if system.exhausted(solution, certificate.residual):
        return f"{why}, {reached}; a solution in float64 holds no smaller residual"
    if system.residual_only and _least(matrix.plan.preconditioning.matrix(system.matrix), last.residual):
        return (
            f"{why}, {reached}; no unknown changes it further, so the matrix is singular, or its condition number above "
            f"{1.0 / ORTHOGONAL:.0e}: take out columns that depend on others and solve by least squares, or ask for less"
        )
    advice = []
    if last.end == "cycles" and (not NEAR_ONE <= rho < np.inf or matrix.plan.shift):
        advice.append("allow more cycles")
    if NEAR_ONE <= rho < np.inf and not matrix.plan.shift:  # there is none of a matrix by blocks
        advice.append(f"choose another encoding or a chip with tighter cells (rho is {rho:.2f})")
    if unresolved or failed:
        advice.append(
            f"program again, or use quieter cells ({failed} cells outside their window, {unresolved} shots of products "
            "that no repeat made right)"
        )
    if matrix.on_chip and unresolved:
        advice.append("take the residual in float64 (residual = float64)")
    return f"{why}, {reached}; {', or '.join(advice or ['scale or reorder the matrix'])}"


def _least(matrix: Floats, residual: Floats) -> bool:
    """Return whether a residual is the least that there is: orthogonal to all columns of the matrix."""
    return norm(matrix.T @ residual) <= ORTHOGONAL * float(np.linalg.norm(matrix)) * norm(residual)


FLOAT64, GCR = "products in float64", "method GCR"
WORTHLESS = 0.05  # error of a carried residual, relative to the last, from which float64 products are faster


@dataclass(frozen=True)
class RefinedAnswers:
    """Answers to the right-hand sides of a system."""

    system: LinearSystem
    sliced: Floats  # (n, k): solutions of the matrix as the chip's products hold it
    matrix: MatrixOnChip
    bench: Bench
    stream: Stream
    correction_bits: int  # of the vectors that are multiplied
    most: int  # cycles allowed for each right-hand side
    either: bool  # whether the residual may come from the chip or from float64
    # Multiplications of the refinements so far, beside the matrix's: residuals, methods, scaled vectors
    work: Work = field(default_factory=Work)

    def answer(self, column: int) -> ColumnAnswer:
        """Refine one right-hand side, and record its cycles."""
        system, matrix, form = self.system, self.matrix, self.matrix.plan.preconditioning
        if system.zeros[column]:
            zero = system.zero(column)
            return ColumnAnswer([], 0.0, zero, system.certify(zero, np.zeros_like(zero), column), True, "", 0)
        rows: list[dict[str, float]] = []
        off = 0.0
        before = matrix.counts
        inversions = _InversionLog()
        for cycle in self._cycles(column, inversions):
            self.stream.check()
            solution = form.solution(cycle.solution)
            unknowns = system.unknowns(solution)
            rows.append(
                cycle_row(cycle, unknowns, column, system.reference[:, column], self.sliced[:, column])
            )
            off = max(off, cycle.off) if cycle.off == cycle.off else off
            given, answered = matrix.played
            counts = matrix.counts
            self.stream.emit(
                "cycles", **rows[-1], true_residual=cycle.recomputed, time=self.bench.now(), step=cycle.step,
                **{f"mvm_{name}": counts[name] - before[name] for name in COUNTS}, input=given,
                output=answered, solution=unknowns,
            )  # fmt: skip
            expected, measured = matrix.sample
            numbers = np.full(expected.shape, cycle.number)
            self.stream.record_block(
                "products", {"cycle": numbers, "expected": expected, "measured": measured}
            )
            before = counts
        self.work.digital["preconditioning"] += 2 * system.size * len(rows)
        certificate = system.certify(solution, form.given_equations(cycle.residual), column)
        converged = cycle.end == "converged"
        reason = "" if converged else shortfall(system, cycle, solution, certificate, matrix)
        return ColumnAnswer(
            rows, off, solution, certificate, converged, reason, len(rows), rho=inversions.contraction()
        )

    def _cycles(self, column: int, inversions: _InversionLog) -> Iterator[Cycle]:
        """Yield the cycles of one right-hand side, in legs.

        A new leg goes on from the solution of the last one: with another loop where it rails, and with products in
        float64 where those of the chip are worth too little and the residual may come from either, and with GCR where
        the chosen method takes longer than was expected. Another loop has the same products: what was learnt of the matrix
        is kept.
        """
        system, matrix = self.system, self.matrix
        rhs, form = system.rhs[:, column], matrix.plan.preconditioning
        done, start = 0, None
        earlier = directions(matrix.method)

        def recompute(unknowns: Floats) -> Floats:
            self.work.digital["residual"] += EXACT * system.certifier.residual_size
            return form.equations(system.residual(form.solution(unknowns), column))

        def multiply(vector: FixedPoint) -> Floats:
            return inversions.note_product(matrix.multiply(vector))

        while True:
            leg = refine(
                form.equations(rhs), lambda residual: matrix.invert(inversions.note_residual(residual)),
                multiply, recompute,
                lambda unknowns, size: system.good_enough(form.solution(unknowns), size, column),
                method=earlier, correction_bits=self.correction_bits, max_cycles=self.most - done,
                measure=lambda residual: system.measure(form.given_equations(residual)), start=start,
            )  # fmt: skip
            change = ""
            try:
                for cycle in leg:
                    change = self._change(cycle)
                    more = change and done + cycle.number < self.most
                    yield cycle._replace(number=done + cycle.number, end="" if more else cycle.end)
                    if more:
                        done, start = done + cycle.number, cycle.solution
                        break
                else:
                    return
            except ConvergenceError as error:  # the loop rails before the leg's first cycle is over
                change = str(error)
            finally:
                self.work.digital["orthogonalisation"] += earlier.multiplications
                earlier.multiplications = 0
            if change == FLOAT64:
                matrix.on_chip = False
                earlier = directions(matrix.method)
                self.stream.say(
                    f"the products on the chip are off by {cycle.off:.1%} of the residual: from here on they are taken in "
                    "float64",
                    "WARNING",
                )
            elif change == GCR:
                self.stream.say(
                    f"{method_name(matrix.method)} takes more cycles than was expected: GCR takes over"
                )
                matrix.method = "gcr"
                earlier = directions(matrix.method)
            else:
                matrix.shift_further(change)
                matrix.settle(rhs)
                inversions.forget()

    def _change(self, cycle: Cycle) -> str:
        """Return what must change before another cycle helps; empty where nothing need."""
        matrix = self.matrix
        if cycle.end == "railed":
            return "the INV loop rails"
        poor = cycle.off > WORTHLESS or cycle.end == "stalled"
        if self.either and matrix.on_chip and poor and cycle.end != "converged":
            return FLOAT64
        slow = matrix.method != "gcr" and matrix.plan.choice.outlasted(cycle)
        return GCR if slow and cycle.end != "converged" else ""


class _InversionLog:
    """The residuals that a loop was asked to invert, and what each correction, multiplied by the matrix, left of them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another loop takes over."""
        self._residuals: list[Floats] = []
        self._remainders: list[Floats] = []

    def note_residual(self, residual: Floats) -> Floats:
        """Note a residual that is to be inverted, and return it."""
        del self._residuals[len(self._remainders) :]  # what railed was not answered
        self._residuals.append(residual)
        return residual

    def note_product(self, product: Floats) -> Floats:
        """Note the product of the correction, and return it."""
        self._remainders.append(self._residuals[-1] - product)
        return product

    def contraction(self) -> float | None:
        """Return the contraction that they show."""
        return contraction_of(self._residuals[: len(self._remainders)], self._remainders)
