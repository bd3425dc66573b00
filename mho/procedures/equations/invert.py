"""Invert in one step: a matrix in the INV loop, right-hand sides at a ladder of input scales, no refinement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.inverse_encoding import KINDS
from mho.chip_maps.levels import Levels
from mho.chip_maps.matrix_files import from_real_vector, load_matrix, load_vectors, to_real, to_real_vector
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ConvergenceError, InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, Procedure, ProcedureResult
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import PULSES_PER_CELL, Block
from mho.procedures.cells.programming.settings_text import (
    VERIFIED,
    read_settings,
    settings_in_use,
    settings_text,
    verified_needs,
)
from mho.procedures.chip_in_use import chip_of
from mho.procedures.equations.circuits.loop_on_cells import full_scale, loop_table, record_loop
from mho.procedures.equations.circuits.programmed_blocks import (
    cells_in_words,
    check_limits,
    contents_of,
    images_of,
    make_programmer,
    program,
    wait_at_rest,
)
from mho.procedures.equations.invert_measurement import (
    STORED,
    InverseLoop,
    LoopMeasurement,
    MatrixResult,
    ProgrammedLoop,
    SettlingMeasurement,
    Systems,
    bits_of,
    plan_loop,
)
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, if_any, joined, lost_cells, percent, verified_cells
from mho.runs import Array, Column, Conclusion, Figure, Layout, ReferenceLine, Table
from mho.runs.standard_figures import IDENTITY

MOST, LARGEST = 100, 1e12
"""Condition numbers in a list, and the largest of them: float64 solves such a system to four digits."""


def positive_definite(size: int, condition: float, rng: np.random.Generator) -> Floats:
    """Draw a symmetric positive definite matrix: eigenvalues from 1 to 1 / `condition`, evenly spaced by ratio.

    Its eigenvectors are uniformly distributed: those of a QR factorisation of normal numbers are, up to signs
    (Mezzadri, Notices AMS 54, 592 (2007)), on which the matrix does not depend. `size`: n; at least 2 where the
    condition number is above 1. `condition`: in the 2-norm, from 1.
    """
    turn, _ = np.linalg.qr(rng.standard_normal((size, size)))
    # From the identity downwards, so that condition number 1 is the identity to the last bit.
    matrix = np.eye(size) - (turn * (1.0 - np.geomspace(1.0, 1.0 / condition, size))) @ turn.T
    return np.asarray((matrix + matrix.T) / 2.0)


def condition_numbers(given: Any) -> tuple[float, ...]:
    """Return condition numbers from a text, ``1, 10, 100``, from one number, or from several.

    Raises `InputError` when there are none or too many, or one is no number from 1 to 1e12.
    """
    parts = given.split(",") if isinstance(given, str) else given
    parts = list(parts) if isinstance(parts, Iterable) else [parts]
    if not 0 < len(parts) <= MOST:
        raise InputError(f"conditions has {len(parts)} numbers; give 1 to {MOST} of them, as in 1, 10, 100")
    return tuple(_condition(part) for part in parts)


def _condition(part: Any) -> float:
    try:
        value = float(part)
    except (TypeError, ValueError):
        value = np.nan
    if not 1.0 <= value <= LARGEST:
        text = repr(part.strip() if isinstance(part, str) else part)
        raise InputError(f"conditions has {text}; a condition number is a number from 1 to {LARGEST:g}")
    return value


_MATRIX = Column("matrix", dtype="u4", description="number of the matrix")
_CONDITION = Column("condition", description="condition number of the matrix", digital=1e-6)
_RHS = Column("rhs", dtype="u4", description="number of the right-hand side")
_SCALE = Column("scale", description="largest input, as a share of the full scale")
_ERROR = Column("error", description="relative to the float64 solution of A x = b", digital=1e-9)
_ACHIEVED = Column(
    "achieved_error",
    description="relative to the float64 solution of A0 x = b, A0 as programmed",
    digital=1e-9,
)
_CLAMPED = Column("clamped", dtype="u1", description="1 where an output was in reach of the clamps")


_LAMBDA = Column("lambda_min", description="smallest real part of an eigenvalue of D^-1 G", digital=1e-6)
_SETTLING = Column("settling_time", "s", description="until all outputs stay within the band", digital=1e-6)
_OVERSHOOT = Column("overshoot", description="largest, relative to the largest output's step", digital=1e-6)


TABLES = (
    Table(
        "inversions",
        (
            _MATRIX, _CONDITION, _RHS, _SCALE,
            Column("input", "V", description="largest input"),
            Column("output", "V", description="largest output of any amplifier; NaN where one was in its clamp"),
            _CLAMPED, _ERROR, _ACHIEVED,
        ),
        signal="error", axis="scale", title="every inversion",
    ),
    Table(
        "outputs",
        (
            _MATRIX, _RHS, _SCALE,
            Column("row", dtype="u2", description="element of the solution"),
            Column("expected", "V", description="as A0 gives it", digital=1e-9),
            Column("measured", "V", description="NaN where an output was in its clamp"),
            _CLAMPED,
        ),
        signal="measured", axis="expected", title="every output",
    ),
    Table(
        "solutions",
        (
            _MATRIX, _CONDITION, _RHS, _SCALE, _ERROR, _ACHIEVED,
            Column("bits", description="-log2 error", digital=1e-6),
        ),
        signal="error", axis="condition", title="of each right-hand side the largest input that clamps no output",
    ),
    Table(
        "matrices",
        (
            _MATRIX, _CONDITION,
            Column("expected_rho", description="rho before programming, a median", digital=1e-6),
            Column("forecast_rho", description="rho(I - A A0^-1) of A0 as programmed", digital=1e-6),
            _LAMBDA,
            Column("mean_error", description="of its solutions; NaN where the loop gave none", digital=1e-9),
            Column("mean_achieved_error", digital=1e-9),
            Column("bits", description="-log2 mean_error", digital=1e-6),
            Column("gain_error", description="of the outputs, beside A0", digital=1e-6),
            Column("offset", "V", description="of the outputs", digital=1e-6),
            _SETTLING, _OVERSHOOT,
            Column("cells_failed", dtype="u4"),
        ),
        signal="mean_error", axis="condition", title="matrices",
    ),
    Table(
        "settling",
        (
            _MATRIX, _CONDITION, _RHS, _SCALE, _LAMBDA,
            Column("inverse_lambda_min", description="1 / lambda_min", digital=1e-6),
            _SETTLING, _OVERSHOOT,
            Column("one_pole", "s", description="the same of the slowest mode, were it alone", digital=1e-6),
        ),
        signal="settling_time", axis="inverse_lambda_min", title="steps of the inputs",
    ),
    Table(
        "waveforms",
        (
            _MATRIX, _CONDITION, _RHS,
            Column("time", "s", description="after the step", digital=1e-6),
            Column("scaled_time", "s", description="lambda_min time", digital=1e-6),
            Column("output", "V", description="the one with the largest step", digital=1e-6),
            Column("response", description="output as a share of its step", digital=1e-6),
            Column(
                "deviation", description="largest of any output from where it settles, as a share of that step",
                digital=1e-6,
            ),
        ),
        signal="response", axis="time", series="matrix",
        title="the loops with the smallest and the largest lambda_min",
    ),
)  # fmt: skip


def tables(scales: int, matrices: int, vectors: int, size: int, steps: int) -> tuple[Table, ...]:
    """Return the tables for so many input scales, matrices, right-hand sides of `size` elements, and steps of a loop."""
    solutions = matrices * vectors
    settling, waveforms = matrices * min(vectors, steps), 2 * STORED if steps else 0
    rows = (scales * solutions, scales * solutions * size, solutions, matrices, settling, waveforms)
    return tuple(replace(one, rows=count) for one, count in zip(TABLES, rows, strict=True))


def loop_arrays(systems: Systems) -> tuple[Array, ...]:
    """Return the matrix as given, unless made; the matrices (count, n, n), as programmed too; the right-hand sides."""
    matrices = systems.matrices
    given = () if systems.given is None else (Array("matrix", systems.given, description="A as given"),)
    is_complex = systems.given is not None and np.iscomplexobj(systems.given)
    rhs = from_real_vector(systems.rhs) if is_complex else systems.rhs
    return (
        *given,
        Array("matrices", matrices, description="A of each matrix, as a real one", digital=1e-9),
        Array("matrices_achieved", np.full(matrices.shape, np.nan), description="A0, what INV inverts", digital=1e-9),
        Array("rhs", rhs, description="b, one a row"),
    )  # fmt: skip


FIGURES = (
    Figure(
        "error_by_scale", kind="errorbars", table="inversions", x="scale", y="error", by="condition", x_scale="log",
        y_scale="log", title="Error of A x = b against input scale, by condition number",
    ),
    Figure(
        "achieved_error_by_scale", kind="errorbars", table="inversions", x="scale", y="achieved_error", by="condition",
        x_scale="log", y_scale="log", title="Error beside A0 against input scale, by condition number",
    ),
    Figure(
        "error_by_condition", kind="errorbars", table="solutions", x="condition", y=("error", "achieved_error"),
        x_scale="log", y_scale="log", title="Error against condition number",
    ),
    Figure(
        "outputs", kind="scatter", table="outputs", x="expected", y="measured", by="matrix", lines=(IDENTITY,),
        title="Outputs, measured against expected of A0",
    ),
    Figure(
        "settling_time", kind="errorbars", table="settling", x="inverse_lambda_min", y=("settling_time", "one_pole"),
        x_scale="log", y_scale="log", title="Settling time against 1 / lambda_min",
    ),
    Figure(
        "waveforms", table="waveforms", x="time", y="response", by=("matrix", "condition"), x_scale="log",
        lines=(ReferenceLine(1.0, label="settled"),),
        title="Output with the largest step, smallest and largest lambda_min",
    ),
    Figure(
        "deviations", table="waveforms", x="scaled_time", y="deviation", by=("matrix", "condition"), y_scale="log",
        lines=(ReferenceLine("settling_band", label="band"),),
        title="Distance from the settled outputs against time x lambda_min",
    ),
)  # fmt: skip


RHS_ROLE = "the batch of right-hand sides"  # what messages call an array of them


@dataclass(frozen=True, eq=False, repr=False)
class Inversions(ProcedureResult):
    """Result of bare inversions; `units` are those of the summary.

    Attributes
    ----------
    matrices : tuple of MatrixResult
        In their order.
    """

    matrices: tuple[MatrixResult, ...]
    units: ClassVar[Mapping[str, str]] = {
        "enob": "bit", "offset": "V", "settling_time": "s", "virtual_seconds": "s",
    }  # fmt: skip


@dataclass(frozen=True)
class InvertPlan:
    """Systems on one chip, each with its loop; the loops use the same cells, one after the other."""

    systems: Systems
    chip: ChipMap
    loops: tuple[InverseLoop, ...]
    settings: WriteVerifySettings

    @property
    def levels(self) -> Levels:
        """What the digits of all loops stand for."""
        return self.loops[0].cells.levels

    def blocks(self) -> list[Block]:
        """Return the blocks of all loops."""
        return [block for loop in self.loops for block in loop.cells.blocks()]


class Invert(Procedure[Inversions]):
    """Invert in one step of the analogue INV loop, without refinement, and measure the error."""

    title: ClassVar[str] = "Invert in one step"
    leading: ClassVar[tuple[str, ...]] = ("matrix", "size", "rhs", "vectors")
    needs: ClassVar[tuple[Operation, ...]] = ("select", "read", "program", "invert")
    may_need: ClassVar[Mapping[Operation, str]] = {"multiply": VERIFIED}
    group: ClassVar[str] = "Linear equations"
    recorded_in_use: ClassVar[tuple[str, ...]] = ("write_verify",)

    matrix = Parameter("Matrix, unless condition numbers are given")
    conditions = Parameter("Condition numbers of made positive definite matrices, as 1, 10, 100")
    size = IntegerParameter("Size of made matrices", minimum=2, maximum=1024, default=8)
    rhs: Parameter[Any] = Parameter(
        "Right-hand sides, random, unit or a file with one a row", default="random"
    )
    vectors = IntegerParameter("Number of random right-hand sides", minimum=1, maximum=10_000, default=8)
    scales = IntegerParameter("Input scales, each half of the one before", minimum=1, maximum=24, default=12)
    steps = IntegerParameter(
        "Right-hand sides of each matrix whose settling is measured, on a simulated bench", minimum=0,
        maximum=10_000, default=8,
    )  # fmt: skip
    band = FloatParameter(
        "Band in which outputs have settled, as a share of the largest step", minimum=1e-4, maximum=0.5,
        default=1e-2,
    )  # fmt: skip
    encoding = ListParameter("Encoding of INV", choices=["auto", *KINDS], default="auto")
    loop_slices = IntegerParameter("Slices of the INV loop", minimum=1, maximum=2, default=1)
    wait = FloatParameter(
        "Wait between programming and the first inversion", units="s", minimum=0.0, maximum=1e8, default=0.0
    )
    seed = IntegerParameter("Seed of made matrices and of random right-hand sides", minimum=0, default=0)
    write_verify = Parameter("Write-verify settings, the chip map's unless given")

    def check(self) -> Systems:
        """Read or make the matrices, read the right-hand sides, and refuse systems without a solution."""
        read_settings(self.write_verify)
        if _given(self.matrix) == _given(self.conditions):
            raise InputError(
                "give either a matrix, or the condition numbers of matrices to be made (conditions)"
            )
        rng = np.random.default_rng(self.seed)
        if _given(self.matrix):
            given = load_matrix(self.matrix)
            rhs = load_vectors(
                self.rhs, len(given), self.vectors, rng, role=RHS_ROLE, complex_values=np.iscomplexobj(given)
            )
            return Systems.of(to_real(given)[None], to_real_vector(rhs), given=given)
        conditions = condition_numbers(self.conditions)
        matrices = np.stack([positive_definite(self.size, one, rng) for one in conditions])
        rhs = load_vectors(self.rhs, self.size, self.vectors, rng, role=RHS_ROLE)
        return Systems.of(matrices, to_real_vector(rhs), np.array(conditions))

    def prepare(self, given: Systems, bench: Bench, rng: np.random.Generator) -> InvertPlan:
        """Choose the encoding of every matrix, place the loops, check limits."""
        chip = chip_of(bench)
        setup, loops = LoopSetup.of(bench, chip, self.encoding, slices=self.loop_slices), []
        for matrix, condition in zip(given.matrices, given.conditions.tolist(), strict=True):
            try:
                loops.append(plan_loop(setup, matrix, rng))
            except ConvergenceError as error:
                raise ConvergenceError(f"condition number {condition:.3g}: {error}") from None
        settings = settings_in_use(chip.write_verify, self.write_verify)
        check_limits(bench, settings, full_scale(bench))
        return InvertPlan(given, chip, tuple(loops), settings)

    def layout(self, plan: InvertPlan) -> Layout:
        """Declare tables of pulses, inversions, outputs and matrices, maps per array, matrices and right-hand sides."""
        contents = contents_of(plan.blocks(), plan.chip.level_scale(), rounded=self.loop_slices == 1)
        count, vectors, size = plan.systems.solutions.shape
        return Layout(
            (
                contents.pulses,
                *tables(self.scales, count, vectors, size, self.steps),
                loop_table(plan.chip, count * (size + 1)),
            ),
            contents.maps, loop_arrays(plan.systems), default="inversions",
            figures=(*FIGURES, *contents.figures),
        )  # fmt: skip

    def needed(self) -> tuple[Operation, ...]:
        """Return `needs`, and what verifies cells."""
        return verified_needs(type(self).needs, self.write_verify)

    def in_use(self, plan: InvertPlan) -> Mapping[str, tuple[str, str]]:
        """Return the settings of write-verify."""
        return {"write_verify": (settings_text(plan.settings), "the chip map's")}

    def describe_cells(self, plan: InvertPlan) -> str:
        """Return arrays and cell ranges in use."""
        return cells_in_words(plan.blocks())

    def run_title(self) -> str:
        """Return the name of the matrix, or the range of condition numbers."""
        if not _given(self.matrix):
            numbers = condition_numbers(self.conditions)
            return f"Invert, condition {' to '.join(f'{n:g}' for n in dict.fromkeys((min(numbers), max(numbers))))}"
        return f"Invert {Path(self.matrix).name if isinstance(self.matrix, str | Path) else 'array'}"

    def estimate(self, given: Systems, source: BenchSource) -> Estimate:
        """Estimate the pulses from the number of cells; both arrays count as full."""
        return Estimate(pulses=round(PULSES_PER_CELL * 2 * given.matrices.size))

    def execute(self, plan: InvertPlan, bench: Bench, stream: Stream) -> Inversions:
        """Program one loop after the other, invert all right-hand sides with each."""
        programmer = make_programmer(bench, stream, plan.chip, plan.settings, plan.levels)
        settling = SettlingMeasurement(bench, stream, self.band, self.steps)
        scales = 2.0 ** -np.arange(float(self.scales))
        measurement = LoopMeasurement(bench, stream, scales, full_scale(bench), settling)
        results: list[MatrixResult] = []
        reason = ""
        images = images_of(plan.blocks())
        achieved = np.full(plan.systems.matrices.shape, np.nan)
        for number, loop in enumerate(plan.loops):
            stream.say(
                f"matrix {number}: {loop.encoding.name}, expected rho {loop.candidate.rho:.3f}, "
                f"condition number {plan.systems.conditions[number]:.3g}"
            )
            failed = program(programmer, loop.cells.first_slice(), stream, images)
            if rest := loop.cells.aim_second_slice():
                failed += program(programmer, rest, stream, images)
            record_loop(bench, stream, loop.cells, number)
            programmed = ProgrammedLoop(loop, loop.cells.achieved(bench.input_conductance), failed)
            achieved[number] = programmed.achieved.matrix
            stream.set_array("matrices_achieved", achieved)
            wait_at_rest(bench, self.wait)
            try:
                results.append(measurement.measure(number, plan.systems, programmed))
            except ConvergenceError as error:
                reason = str(error)
                stream.say(f"matrix {number} gives no solution: {reason}", "WARNING")
                results.append(measurement.give_up(number, plan.systems, programmed))
        settling.record_waveforms()
        if not any(one.used for one in results):
            raise ConvergenceError(reason)
        summary = _summary(results, measurement, programmer, plan, bench) | settling.summary()
        return Inversions(tuple(results), summary=summary)

    def conclude(self, plan: InvertPlan, result: Inversions) -> Conclusion:
        """Return the error of the inversions beside the digital answers, and which gave none."""
        summary = result.summary
        without = summary["without_solution"]
        return Conclusion(
            joined(
                f"{counted(summary['inversions'], 'inversion')}, mean error {percent(summary['mean_error'])} beside the "
                "digital answers",
                if_any(summary["clamped"], "clamped"),
                f"{without:,} of {counted(len(plan.loops), 'matrix', 'matrices')} without a solution"
                if without
                else "",
                verified_cells(summary["cells"], summary["cells_failed"]) if summary["cells_failed"] else "",
                lost_cells(summary),
            )
        )


def _summary(
    results: list[MatrixResult], measurement: LoopMeasurement, programmer: Programmer, plan: InvertPlan,
    bench: Bench,
) -> dict[str, Any]:  # fmt: skip
    """Return the result: means over the matrices that gave solutions, and each of them."""
    used = [one for one in results if one.used]
    error = float(np.mean([one.mean_error for one in used]))
    line, enob = measurement.line(), measurement.enob()
    return {
        "mean_error": error, "bits": bits_of(error),
        "mean_achieved_error": float(np.mean([one.mean_achieved_error for one in used])),
        "condition": max(one.condition for one in results), "enob": enob if np.isfinite(enob) else None,
        "forecast_rho": max(one.forecast_rho for one in results),
        "lambda_min": min(one.lambda_min for one in results),
        "encoding": "; ".join(dict.fromkeys(loop.encoding.name for loop in plan.loops)),
        "gain_error": line.gain - 1.0, "offset": line.offset, "inversions": measurement.inversions,
        "clamped": measurement.clamped, "without_solution": len(results) - len(used),
        "by_matrix": [
            {**asdict(one), "encoding": loop.encoding.name}
            for one, loop in zip(results, plan.loops, strict=True)
        ],
        "cells": sum(block.digits.size for block in plan.blocks()),
        "cells_failed": sum(one.cells_failed for one in results), "pulses": programmer.pulses,
        "reads": programmer.reads, "virtual_seconds": bench.now(),
    }  # fmt: skip


def _given(value: Any) -> bool:
    """Return whether a parameter was given; an array is, and an empty text is not."""
    return value is not None and not (isinstance(value, str) and not value.strip())
