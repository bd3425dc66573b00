"""Solve A x = b on the chip: encode, program, forecast, then refine until the residual passes the tolerance."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.inverse_encoding import KINDS
from mho.chip_maps.multiply_encoding import MAX_BITS, slice_count, slices_needed
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.arrays import as_arrays
from mho.instruments.bench_file import BenchSource, Operation
from mho.instruments.simulated import Cells
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cells.programming.record import PULSES_PER_CELL
from mho.procedures.cells.programming.settings_text import (
    VERIFIED,
    read_settings,
    settings_in_use,
    settings_text,
    verified_needs,
)
from mho.procedures.chip_in_use import chip_of
from mho.procedures.equations.algorithms.refinement import METHODS, Method
from mho.procedures.equations.circuits.programmed_blocks import cells_in_words, check_limits, wait_at_rest
from mho.procedures.equations.forecast import SolveForecast, draw_solves, metering, wall_time
from mho.procedures.equations.planning.block_leaves import EFFORTS
from mho.procedures.equations.planning.block_solve_plan import (
    BLOCKS,
    OVERLAP,
    SCHUR_OF_SOLVE,
    SUBDOMAINS,
    BlockSolvePlan,
    check_blocks,
    check_leaf,
    plan_block_solve,
    plan_schwarz_solve,
)
from mho.procedures.equations.planning.linear_system import FORMS, PROOFS, Goal, LinearSystem
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.procedures.equations.planning.method_choice import CHOSEN, Judging
from mho.procedures.equations.planning.solve_plan import plan_solve
from mho.procedures.equations.solve.answers import ColumnAnswer, Solution, earlier_answers, record_answer
from mho.procedures.equations.solve.prepared_solve import PreparedSolve, record_worth, solutions_as_sliced
from mho.procedures.equations.solve.programmed_block_matrix import MatrixOnChip
from mho.procedures.equations.solve.programmed_matrix import VECTOR_VOLTS
from mho.procedures.equations.solve.refined_answers import RefinedAnswers
from mho.procedures.equations.solve.solve_messages import (
    say_inverse_residual,
    say_least_squares,
    say_outcome,
    say_taken_over,
)
from mho.procedures.equations.solve.solve_tables import (
    enclose_solutions,
    record_enclosure,
    solve_layout,
    summary_of,
    unconverged,
    worst_of,
)
from mho.procedures.equations.worth import Work
from mho.procedures.named_code import CODE
from mho.procedures.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    OwnCodeParameter,
    Parameter,
)
from mho.procedures.stream import Stream
from mho.procedures.wording import joined, lost_cells, verified_cells
from mho.runs import Conclusion, Layout
from mho.runs.intervals import LEAST_DRAWS

UNPROVED = "residual only: no error bound is proved"


class Solve(Procedure[Solution]):
    """Solve a system of linear equations to digital precision with analogue INV and MVM (HP-INV)."""

    # In version 1 a tolerance of 0 meant none given; in 2 the method was a line search, in 3 auto was GCR; in 4 recursive
    # blocks were BlockAMC's; in 5 auto took the fewest cycles, certificates came from singular values, and rho was read off
    # the residual's curve.
    version: ClassVar[str] = "6"
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "6": ("certificate", "certificate.*", "bits", "measured_rho")
    }
    title: ClassVar[str] = "Solve A x = b"
    leading: ClassVar[tuple[str, ...]] = ("matrix", "rhs", "bits", "method")
    needs: ClassVar[tuple[Operation, ...]] = ("select", "read", "program", "invert")
    may_need: ClassVar[Mapping[Operation, str]] = {
        "multiply": f"for residuals on the chip, which residual = float64 does without, and {VERIFIED}"
    }
    group: ClassVar[str] = "Linear equations"
    recorded_in_use: ClassVar[tuple[str, ...]] = ("write_verify",)

    matrix: Parameter[Any] = Parameter("Matrix", default="")
    rhs: Parameter[Any] = Parameter("Right-hand sides", default="random")
    count = IntegerParameter("Number of random right-hand sides", minimum=1, maximum=10_000)
    bits = IntegerParameter("Precision", units="bit", minimum=3, maximum=MAX_BITS - 2, default=24)
    tolerance = FloatParameter("Tolerance of the residual instead of the bits", minimum=0.0, maximum=1.0)
    max_cycles = IntegerParameter("Most cycles", minimum=1, maximum=10_000, default=50)
    method = OwnCodeParameter(
        "Method of refinement", "refinement", choices=[*CHOSEN, *METHODS], default="auto"
    )
    residual = ListParameter("Residual from", choices=["auto", "analogue", "float64"], default="auto")
    least_squares = ListParameter("Least squares by", choices=["auto", *FORMS], default="auto")
    certificate = ListParameter("Certificate", choices=list(PROOFS), default="proved")
    certify = BooleanParameter("Enclose the exact solution, with proof", default=False)
    encoding = OwnCodeParameter("Encoding of INV", "encoding", choices=["auto", *KINDS], default="auto")
    preconditioning = OwnCodeParameter(
        "Forms in which INV may hold the matrix", "preconditioning", choices=["auto"], default="auto"
    )
    leaf = IntegerParameter("Largest loop; a larger matrix is inverted by blocks", minimum=1, maximum=4096)
    blocks = ListParameter("Blocks of a matrix larger than a loop", choices=list(BLOCKS), default="recursive")
    overlap = IntegerParameter("Layers of neighbours that Schwarz subdomains share", minimum=1, maximum=64)
    coarse = BooleanParameter("Coarse level beside the subdomains", default=False)
    schur = ListParameter("Schur complements of blocks", choices=list(SCHUR_OF_SOLVE), default="exact")
    effort = ListParameter(
        "Effort of each cycle by blocks", choices=["auto", *(one.name for one in EFFORTS)], default="auto"
    )
    loop_targets = ListParameter(
        "Targets of the INV cells", choices=["auto", "digits", "analogue"], default="auto"
    )
    loop_slices = IntegerParameter("Slices of the INV loop", minimum=1, maximum=2, default=1)
    correction_bits = IntegerParameter(
        "Bits of each correction", units="bit", minimum=3, maximum=24, default=12
    )
    wait = FloatParameter(
        "Wait between programming and the first cycle", units="s", minimum=0.0, maximum=1e8, default=0.0
    )
    seed = IntegerParameter("Seed of the right-hand side", minimum=0, default=0)
    write_verify = Parameter("Write-verify settings, the chip map's unless given")
    draws = IntegerParameter(
        "Chips drawn to forecast the solve before it is programmed", minimum=LEAST_DRAWS, maximum=10_000
    )

    def check(self) -> LinearSystem:
        """Read matrix and right-hand side, and refuse a system without a solution at this precision."""
        read_settings(self.write_verify)
        self.own_classes()
        check_blocks(self.blocks, self.overlap, self.coarse, self.schur, self.effort)
        if self.loop_slices == 2 and self.loop_targets == "digits":
            raise InputError(
                "two slices of the INV loop hold what is left of the matrix, which is no digit: give loop_targets = auto "
                "or analogue, or loop_slices = 1"
            )
        if self.count is not None and not (isinstance(self.rhs, str) and self.rhs == "random"):
            raise InputError(
                f"count is {self.count}, which is of random right-hand sides; leave it out where they are given"
            )
        if self.certify and self.certificate == "residual":
            raise InputError(
                "certify encloses the solution by an inverse, which is of order n^3; leave it out, or give certificate = "
                "proved"
            )
        return LinearSystem.load(
            self.matrix, self.rhs, self.seed, Goal(self.bits, self.tolerance), self.count,
            self.least_squares, self.certificate,
        )  # fmt: skip

    def prepare(self, given: LinearSystem, bench: Bench, rng: np.random.Generator) -> PreparedSolve:
        """Choose form, encoding and shift, place the blocks, check stability and limits."""
        chip = chip_of(bench)
        settings = settings_in_use(chip.write_verify, self.write_verify)
        check_limits(bench, settings, VECTOR_VOLTS)
        analogue = self.loop_targets == "analogue"
        own = self.own_classes()
        setup = LoopSetup.of(
            bench, chip, own.get("encoding", self.encoding), slices=self.loop_slices, analogue=analogue,
            preconditioning=own.get("preconditioning"),
        )  # fmt: skip
        leaf = check_leaf(self.leaf, setup)
        if given.size > leaf:
            on_chip = self._blocks_on_chip(given, replace(setup, analogue=False), leaf, rng)
            return PreparedSolve(given, on_chip, given.reference, 0, settings, leaf, rng, self.max_cycles)
        digit_bits = setup.digits.bits
        count = 0

        def slices(matrix: Floats) -> tuple[int, int]:
            # Enough slices that rounding the matrix changes the solution by less than the requested bits.
            nonlocal count
            if given.residual_only:
                count = slice_count(self.bits, digit_bits)
                return count, min(count, slice_count(self.correction_bits, digit_bits))
            error = 2.0**-self.bits * float(np.linalg.svd(matrix, compute_uv=False)[-1])
            count = slices_needed(matrix, self.bits, error, digit_bits)
            return count, min(count, slice_count(self.correction_bits, digit_bits))

        whole = plan_solve(
            setup, given.matrix, rng, slices=None if self.residual == "float64" else slices,
            method=own.get("method", self.method), judging=Judging(given.goal, self.correction_bits),
        )  # fmt: skip
        sliced = solutions_as_sliced(whole, given)
        return PreparedSolve(given, whole, sliced, count, settings, leaf, rng, self.max_cycles)

    def _blocks_on_chip(
        self, given: LinearSystem, setup: LoopSetup, leaf: int, rng: np.random.Generator
    ) -> BlockSolvePlan:
        """Plan a matrix that no loop holds."""
        if self.residual == "analogue":
            raise InputError(
                f"the matrix of {given.size} rows is larger than a loop of {leaf}, and is inverted by blocks: its residual "
                "is taken in float64; give residual = float64 or auto"
            )
        if self.blocks in SUBDOMAINS:
            return plan_schwarz_solve(
                setup, given.matrix, rng, leaf, overlap=self._layers(), coarse=self.coarse
            )
        if self.schur == "complex" and not np.iscomplexobj(given.given_matrix):
            raise InputError(
                "the matrix is real: schur = complex takes the real part of a complex one; give exact, diagonal or M4"
            )
        return plan_block_solve(
            setup, given.matrix, rng, leaf, recursion=self.blocks, schur=self.schur, effort=self.effort,
            most_cycles=self.max_cycles, rhs=next(filter(np.any, given.rhs.T), None),
        )  # fmt: skip

    def needed(self) -> tuple[Operation, ...]:
        """Return `needs`, `multiply` unless residuals are taken in float64, and what verifies cells."""
        on_chip: tuple[Operation, ...] = () if self.residual == "float64" else ("multiply",)
        return verified_needs((*type(self).needs, *on_chip), self.write_verify)

    def layout(self, plan: PreparedSolve) -> Layout:
        """Declare tables of pulses, cycles and products, maps per array, and matrices and vectors."""
        return solve_layout(plan.system, plan.on_chip, self.max_cycles, enclosed=bool(self.certify))

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a tolerance of 0, which stood for that of the bits in version 1; name what versions 1 to 5 did."""
        named = dict(values)
        if version == "1" and named.get("tolerance") == 0:
            del named["tolerance"]
        if version in ("1", "2"):
            return {"method": "line search", "residual": "analogue"} | named
        if version == "3" and named.get("method", "auto") == "auto":
            named["method"] = "gcr"
        if version in ("4", "5") and named.get("method", "auto") == "auto":
            named["method"] = "fewest cycles"
        if version in ("3", "4") and named.get("blocks", "recursive") == "recursive":
            named["blocks"] = "blockamc"
        return named

    def in_use(self, plan: PreparedSolve) -> Mapping[str, tuple[str, str]]:
        """Return the residual that the bits require, where no tolerance was given, and the settings of write-verify."""
        return {
            "count": (str(plan.system.count), "the right-hand sides'"),
            "draws": ("no forecast", "the default's"),
            "leaf": (str(plan.leaf), "the arrays' and converters'"),
            "overlap": (str(self._layers()), "that of the blocks"),
            "tolerance": (
                f"2^-{self.bits}" if plan.system.residual_only else f"what proves {self.bits} bits",
                "the bits'",
            ),
            "write_verify": (settings_text(plan.settings), "the chip map's"),
        }

    def describe_cells(self, plan: PreparedSolve) -> str:
        """Return arrays and cell ranges in use."""
        if isinstance(plan.on_chip, BlockSolvePlan):
            return f"{plan.on_chip.encoding_name} on {plan.on_chip.chip.name}"
        return cells_in_words(plan.on_chip.blocks())

    def run_title(self) -> str:
        """Return the name of the matrix and the precision."""
        name = Path(self.matrix).name if isinstance(self.matrix, str | Path) else "array"
        if self.tolerance is not None:
            return f"Solve {name}, residual {self.tolerance:g}"
        return f"Solve {name}, {self.bits} bit" + (" of residual" if self.certificate == "residual" else "")

    def estimate(self, given: LinearSystem, source: BenchSource) -> Estimate:
        """Estimate the pulses from the number of cells; zeros take hardly any, and inverting arrays count as full."""
        return Estimate(pulses=round(PULSES_PER_CELL * (given.digits + 2 * given.size**2)))

    def execute(self, plan: PreparedSolve, bench: Bench, stream: Stream) -> Solution:
        """Forecast where that is asked for; program, refine each right-hand side, report."""
        if self.draws is None:
            return self._solve(plan, bench, stream)
        forecast = self._forecast(self.draws, plan, bench, stream)
        solution = self._solve(plan, bench, stream)
        return replace(solution, summary=solution.summary | {"forecast": forecast})

    def _forecast(self, draws: int, plan: PreparedSolve, bench: Bench, stream: Stream) -> dict[str, Any]:
        """Return the forecast from so many solves on drawn chips by the same plan; nothing is sent to the bench."""
        rng = np.random.default_rng(plan.rng.integers(2**63))
        source, preset = _source(bench)
        drawn = []
        for one in draw_solves(
            lambda bench, rng: replace(copy.deepcopy(plan), rng=rng),
            self._solve,
            as_arrays(source, preset),
            draws,
            rng,
        ):
            drawn.append(one)
            stream.check()
            stream.progress("forecast", len(drawn), draws)
        forecast = SolveForecast.of(drawn)
        stream.say(forecast.in_words())
        numbers = forecast.plain()
        if wall := wall_time(source, preset, drawn, Solve, lambda *_: stream.check()):
            numbers["solve_seconds"] = wall.plain()
        stream.set_result({"forecast": numbers})  # so that it can be scored if no loop settles
        return numbers

    def _solve(self, plan: PreparedSolve, bench: Bench, stream: Stream) -> Solution:
        """Program, refine each right-hand side, report, with the energy and the time on this machine that it took."""
        started, apart = time.perf_counter(), stream.seconds
        with metering(bench) as meter:
            solution = self._refine(plan, bench, stream)
        spent = {
            "joules": solution.summary["joules"] + meter.joules,
            "vectors": meter.vectors,
            "solve_seconds": time.perf_counter() - started - (stream.seconds - apart),
        }
        return replace(solution, summary=solution.summary | spent)

    def _refine(self, plan: PreparedSolve, bench: Bench, stream: Stream) -> Solution:
        """Program, refine each right-hand side, report."""
        system = plan.system
        say_least_squares(system, stream)
        taken = {} if stream.earlier is None else earlier_answers(stream.earlier, system)
        say_taken_over(len(taken), system, stream)
        open_columns = [
            column for column in range(system.count) if not (system.zeros[column] or column in taken)
        ]
        matrix = self.matrix_on(plan, bench, stream)
        if open_columns:
            matrix.program()
            matrix.settle(system.rhs[:, open_columns[0]])
            wait_at_rest(bench, self.wait)
            matrix.calibrate()
        elif not taken:
            stream.say("every solution is zero, as the right-hand sides are: nothing is programmed")
        refined = RefinedAnswers(
            system, plan.sliced, matrix, bench, stream, correction_bits=int(self.correction_bits),
            most=self.max_cycles, either=self.residual == "auto",
        )  # fmt: skip
        answers = []
        for column in range(system.count):
            answers.append(taken[column] if column in taken else refined.answer(column))
            record_answer(answers[-1], column, bench.now(), stream)
        return self._report(plan, bench, stream, matrix, answers, refined.work)

    def matrix_on(self, plan: PreparedSolve, bench: Bench, stream: Stream) -> MatrixOnChip:
        """Return the matrix of a plan on a bench, not programmed yet, and say how it is held."""
        matrix = plan.matrix_on(bench, stream)
        matrix.method = self.given_method or matrix.method
        return matrix

    @property
    def given_method(self) -> Method | None:
        """The method that was asked for by its name; None where it is to be chosen."""
        return None if self.method in CHOSEN else cast(Method, self.own_classes().get("method", self.method))

    def own_classes(self) -> Mapping[str, type]:
        """Return the refinement, the encoding and the preconditioning that are a user's own."""
        named = {name: getattr(self, name) for name in ("method", "encoding", "preconditioning")}
        return {
            name: CODE[name].find(one)
            for name, one in named.items()
            if one not in self._parameters[name].choices
        }

    def _layers(self) -> int:
        """Return the overlap in use: none of block Jacobi."""
        if self.blocks != "schwarz":
            return 0
        return OVERLAP if self.overlap is None else int(self.overlap)

    def _report(
        self, plan: PreparedSolve, bench: Bench, stream: Stream, matrix: MatrixOnChip,
        answers: list[ColumnAnswer], refining: Work,
    ) -> Solution:  # fmt: skip
        """Announce the result, and return it with its certificate; `refining` is what refinement took beside the matrix."""
        system = plan.system
        solutions = system.unknowns(np.stack([answer.solution for answer in answers], axis=1))
        stream.set_array("solution", solutions[:, 0] if system.single else solutions)
        say_outcome(matrix.counts, unconverged(answers), system, stream)
        summary = summary_of(
            system, matrix, answers, solutions, plan.sliced,
            bits=int(self.bits) if system.goal.tolerance is None else None, tolerance=system.goal.tolerance,
            now=bench.now(),
        )  # fmt: skip
        summary |= record_worth(plan, matrix, answers, refining, stream)
        if system.square_form is not None:
            summary["least_squares"] = system.square_form.plain()
        if isinstance(self.rhs, str) and self.rhs == "identity" and system.square_form is None:
            summary["inverse_residual"] = system.largest_residual(solutions)
            say_inverse_residual(summary["inverse_residual"], stream)
        if self.certify:
            summary["enclosure"] = record_enclosure(enclose_solutions(system, solutions), system, stream)
        return Solution(
            system.columns_as_given(solutions), summary["converged"], worst_of(answers).certificate,
            [row for answer in answers for row in answer.rows], summary=summary,
        )  # fmt: skip

    def conclude(self, plan: PreparedSolve, result: Solution) -> Conclusion:
        """Return whether all right-hand sides converged, and what is proved of them."""
        summary = result.summary
        system = plan.system
        proved = f"{math.floor(result.certificate.bits)} bits proved"
        if system.residual_only:
            bounded = result.certificate.error_bound < math.inf
            proved = f"{proved} by {result.certificate.by}" if bounded else UNPROVED
        if system.count > 1 and proved != UNPROVED:
            proved = f"at least {proved} of {system.count:,} right-hand sides"
        short = "converged" if result.converged else "not converged"
        cells = verified_cells(summary["cells"], summary["cells_failed"]) if summary["cells_failed"] else ""
        worth = summary["without_chip"]["in_words"] if "without_chip" in summary else ""
        line = joined(short, proved, worth, cells, lost_cells(summary))
        return Conclusion(line if result.converged else f"{line}: {summary['reason']}")


def _source(bench: Bench) -> tuple[BenchSource, Cells | None]:
    """Return what an open bench was opened from: its file, and its preset where it is simulated."""
    source = BenchSource(
        bench=bench.file, text=bench.text, chip_text=bench.chip_text, defects_text=bench.defects_text,
        circuit=None if bench.simulated is None else bench.simulated.elements,
    )  # fmt: skip
    return source, None if bench.simulated is None else bench.simulated.chip.preset
