"""Contents of the run file of a solve: tables, figures, matrices and vectors, and the summary.

The summary is what ``mho solve --json`` prints and the run file keeps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.matrix_files import to_real, to_real_vector
from mho.confidence import finite
from mho.procedures.equations.algorithms.refinement import method_name
from mho.procedures.equations.certificates.certificate import MANTISSA
from mho.procedures.equations.certificates.enclosure import Enclosure, best_enclosure
from mho.procedures.equations.circuits.loop_on_cells import loop_table
from mho.procedures.equations.circuits.programmed_blocks import contents_of
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.planning.solve_plan import SolvePlan
from mho.procedures.equations.solve.answers import (
    ColumnAnswer,
    answers_table,
    largest_error,
    plain_numbers,
    reasons,
    where_short,
)
from mho.procedures.equations.solve.programmed_block_matrix import MatrixOnChip
from mho.procedures.equations.solve.programmed_matrix import COUNTS
from mho.procedures.stream import Stream
from mho.runs import Array, Column, Figure, Layout, ReferenceLine, Table
from mho.runs.standard_figures import leading_first

ENCLOSURE_ARRAYS = {
    "correction": "exact solution minus solution, to `radius`; 0 where nothing is certified",
    "radius": "half width of the interval about solution + correction that holds the exact solution, with proof",
    "solution_lower": "lower end of the interval, rounded down",
    "solution_upper": "upper end of the interval, rounded up",
}


def enclose_solutions(system: LinearSystem, solutions: Floats) -> Enclosure:
    """Enclose the exact solutions of a system as given, in its real form.

    Of least squares the exact solution is that of the augmented system [[I, A], [A^T, 0]] (r, x) = (b, 0).
    `solutions` (n, k): X as found.
    """
    if system.square_form is None:
        return best_enclosure(system.matrix, system.rhs, solutions)
    a, b = to_real(system.given_matrix), to_real_vector(system.given_rhs.T).T
    rows, columns = a.shape
    b = b.reshape(rows, -1)
    augmented = np.block([[np.eye(rows), a], [a.T, np.zeros((columns, columns))]])
    rhs = np.concatenate([b, np.zeros((columns, b.shape[1]))])
    whole = best_enclosure(augmented, rhs, np.concatenate([b - a @ solutions, solutions]))
    parts = {name: getattr(whole, name)[rows:] for name in ("correction", "radius", "lower", "upper")}
    return replace(whole, solution=solutions, **parts)


def enclosure_arrays(system: LinearSystem) -> tuple[Array, ...]:
    """Return the arrays of an enclosure, in the shape of the solution; NaN until they are known."""
    unknown = np.full(system.reference.shape, np.nan)
    values = unknown[:, 0] if system.single else unknown
    return tuple(Array(name, values, description=text) for name, text in ENCLOSURE_ARRAYS.items())


def record_enclosure(enclosure: Enclosure, system: LinearSystem, stream: Stream) -> dict[str, Any]:
    """Write the arrays of an enclosure, say what it proves, and return what the summary tells of it."""
    ends = (enclosure.correction, enclosure.radius, enclosure.lower, enclosure.upper)
    for name, values in zip(ENCLOSURE_ARRAYS, ends, strict=True):
        stream.set_array(name, values[:, 0] if system.single else values)
    if not enclosure.certified:
        stream.say(f"the solution cannot be certified: {enclosure.reason}", "WARNING")
    return enclosure_summary(enclosure)


def enclosure_summary(enclosure: Enclosure) -> dict[str, Any]:
    """Return an enclosure in a few numbers and words; infinite ones are None.

    `bits` is -log2 of the proved relative error, at most 53.
    """
    error = enclosure.relative_error
    bits = float(MANTISSA) if error == 0.0 else min(max(-math.log2(error), 0.0), float(MANTISSA))
    return {
        "certified": enclosure.certified,
        "bits": bits if enclosure.certified else 0.0,
        "contraction": finite(enclosure.contraction),
        "relative_error": finite(error) if enclosure.certified else None,
        "componentwise_error": finite(enclosure.componentwise_error) if enclosure.certified else None,
        "reason": enclosure.reason,
        "method": enclosure.method,
    }


LARGEST_JUDGED = 1024
"""Unknowns up to which the condition number is found: its time grows with their cube, a second here."""


def unconverged(answers: Sequence[ColumnAnswer]) -> list[tuple[int, ColumnAnswer]]:
    """Return the answers that did not converge, with their columns."""
    return [(column, answer) for column, answer in enumerate(answers) if not answer.converged]


def worst_of(answers: Sequence[ColumnAnswer]) -> ColumnAnswer:
    """Return the answer of which the least is proved."""

    def proof(answer: ColumnAnswer) -> tuple[bool, float, float]:  # bits end at 53, bounds do not
        return answer.converged, -answer.certificate.error_bound, -answer.certificate.relative_residual

    return min(answers, key=proof)


def summary_of(
    system: LinearSystem, matrix: MatrixOnChip, answers: Sequence[ColumnAnswer], solutions: Floats,
    sliced: Floats, *, bits: int | None, tolerance: float | None, now: float,
) -> dict[str, Any]:  # fmt: skip
    """Return the summary.

    `solutions`, `sliced` (n, k): found, and of the matrix as the chip's products hold it. `bits`, `tolerance`: what
    was asked for; None for what was not. `now`: the bench's time, s.
    """
    on_chip, counts, worst = matrix.plan, matrix.counts, worst_of(answers)
    rows = [row for answer in answers for row in answer.rows]
    solution = system.columns_as_given(solutions)
    rhos = [answer.rho for answer in answers if answer.rho is not None]
    return {
        "converged": not unconverged(answers), "reason": reasons(system, unconverged(answers)),
        "bits_asked": bits, "tolerance": tolerance, "bits": worst.certificate.bits,
        "certificate": worst.certificate.plain(), "encoding": on_chip.encoding_name, "shift": on_chip.shift,
        "method": method_name(matrix.method), "methods_judged": [one.plain() for one in on_chip.choice.judged],
        "residual_from": "analogue" if matrix.on_chip else "float64",
        "condition": None if system.residual_only else condition_number(system.given_matrix),
        "forecast_rho": matrix.rho if np.isfinite(matrix.rho) else None,
        "forecast_bits_a_cycle": _bits(matrix.rho), "measured_rho": max(rhos, default=None),
        "bits_a_cycle": _bits(reduction_a_cycle(rows)), "loop_slowest": matrix.margin[0],
        "loop_damping": matrix.margin[1],
        "cycles_to_goal": None
        if unconverged(answers)
        else max((answer.cycles for answer in answers), default=0),
        "relative_error": None if system.residual_only else largest_error(solutions, system.reference),
        "sliced_error": None if system.residual_only else largest_error(solutions, sliced),
        **where_short("solution", plain_numbers(solution), solutions.size),
        **where_short("cycles", rows, sum(map(len, rows))),
        **{f"mvm_{name}": counts[name] for name in COUNTS}, **matrix.operations,
        "products_off": max(answer.products_off for answer in answers), "inv_clamped": matrix.clamped,
        **on_chip.choices, "cells": sum(block.digits.size for block in on_chip.blocks()),
        "cells_failed": matrix.failed, "pulses": matrix.pulses, "reads": matrix.reads,
        "joules": matrix.joules, "virtual_seconds": now,
    }  # fmt: skip


def reduction_a_cycle(rows: Sequence[Mapping[str, float]]) -> float | None:
    """Return the factor by which a cycle reduced the residual, the geometric mean; of several columns the largest.

    `rows`: of each cycle ``rhs``, ``cycle`` and ``residual``, relative to the right-hand side.
    """
    last: dict[float, Mapping[str, float]] = {}
    for row in rows:
        if row["residual"] > 0.0 and row["cycle"] >= last.get(row["rhs"], row)["cycle"]:
            last[row["rhs"]] = row
    reductions = [row["residual"] ** (1.0 / row["cycle"]) for row in last.values() if row["cycle"] > 0]
    return max(reductions, default=None)


def condition_number(matrix: NDArray[Any]) -> float | None:
    """Return the condition number of a matrix in the 2-norm; None where it is infinite, or would take long to find."""
    if min(matrix.shape) > LARGEST_JUDGED:
        return None
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0.0 else None


def _bits(rho: float | None) -> float | None:
    """Return the bits that a cycle finds whose error shrinks by `rho`."""
    return -float(np.log2(rho)) if rho is not None and np.isfinite(rho) and rho > 0.0 else None


PRODUCTS = Table(
    "products",
    (
        Column("cycle", dtype="u4"),
        Column("expected", "digit", description="the digits' exact sum"),
        Column("measured", "digit", description="before it is rounded"),
    ),
    signal="measured", axis="expected", title="a sample of each product's outputs", rows=1000,
)  # fmt: skip

WITHOUT_CHIP = Table(
    "without_chip",
    (
        Column("rhs", dtype="u4", description="right-hand side, counted from 0"),
        Column("cycle", dtype="u4"),
        Column("residual", description="relative to the right-hand side", digital=1e-11),
        Column("relative_error", description="to a float64 solve of the matrix as given", digital=1e-11),
        Column("bits", description="-log2 relative_error", digital=0.01),
    ),
    signal="relative_error", axis="cycle", title="the same solve without the chip", rows=64,
)  # fmt: skip


def cycles_table(size: int, unknowns: int, rows: int) -> Table:
    """Return the table of refinement cycles: `size` lines on the chip, `unknowns` in the solution, about `rows` cycles."""
    vector = (size,)
    return Table(
        "cycles",
        (
            Column("rhs", dtype="u4", description="right-hand side, counted from 0"),
            Column("cycle", dtype="u4"),
            Column("time", "s", description="bench time"),
            Column(
                "residual", description="relative to the right-hand side, as the products carried it on", digital=1e-11,
            ),
            Column("true_residual", description="recomputed in float64; NaN where it was not", digital=1e-11),
            Column("relative_error", description="to a float64 solve of the matrix as given", digital=1e-11),
            Column("sliced_error", description="to the solution of the matrix as held by the slices", digital=1e-11),
            Column("bits", description="-log2 relative_error", digital=0.01),
            Column("step", description="length of the step along the correction", digital=1e-6),
            *(Column(f"mvm_{name}", dtype="u8", description=text) for name, text in COUNTS.items()),
            Column("input", "V", shape=vector, description="volts at the INV inputs, by row of the loop", digital=1e-9),
            Column("output", "V", shape=vector, description="volts at the INV outputs, by column of the loop"),
            Column("solution", shape=(unknowns,), description="x after this cycle", digital=1e-9),
        ),
        signal="relative_error", axis="cycle", title="refinement", rows=rows,
    )  # fmt: skip


IDEAL_RATIO = 2.0**-3
"""Best typical factor by which an INV circuit of 3-bit cells reduces an error per cycle (Zuo 2025, Fig. 3)."""


def cycle_figures(system: LinearSystem) -> tuple[Figure, ...]:
    """Return the figures of the cycles, from x = 0, beside the forecast and 3 bits a cycle.

    They show residual and relative error, the bits, and how often integers were wrong. Residuals are shown alone where
    errors are not known; several right-hand sides have a curve each.
    """
    bits, tolerance = system.goal.bits, system.goal.tolerance
    error = "residual" if system.residual_only else "relative_error"
    shown = ("residual", error) if system.count == 1 and not system.residual_only else error
    by = () if system.count == 1 else "rhs"
    errors = [
        ReferenceLine(1.0, ratio=IDEAL_RATIO, label="3 bits a cycle"),
        ReferenceLine(1.0, ratio="forecast_rho", label="forecast, rho"),
        ReferenceLine(2.0**-bits, label=f"{bits} bits"),
    ]
    if tolerance:
        errors.append(ReferenceLine(float(tolerance), label="tolerance of the residual"))
    reference_lines = (
        ReferenceLine(-np.log2(IDEAL_RATIO), power=1.0, label="3 bits a cycle"),
        ReferenceLine("forecast_bits_a_cycle", power=1.0, label="forecast, bits a cycle"),
        ReferenceLine(float(bits), label=f"{bits} bits"),
    )
    return (
        Figure(
            "convergence", table="cycles", x="cycle", y=shown, by=by, y_scale="log", lines=tuple(errors), start=(0.0, 1.0),
            title="Convergence", beside=WITHOUT_CHIP.name,
        ),
        Figure(
            "bits_by_cycle", table="cycles", x="cycle", y="bits", by=by, lines=reference_lines, start=(0.0, 0.0),
            title="Bits over the cycles", beside=WITHOUT_CHIP.name,
        ),
        Figure(
            "wrong_by_cycle", kind="share", table="cycles", x="cycle", y=("mvm_wrong", "mvm_outputs"), y_scale="log",
            title="Wrong integers by cycle",
        ),
    )  # fmt: skip


def solve_layout(
    system: LinearSystem, on_chip: SolvePlan | BlockSolvePlan, cycles: int, *, enclosed: bool
) -> Layout:
    """Declare tables of pulses, cycles and products, maps per array, and matrices and vectors.

    Of a matrix by blocks neither pulses nor maps are kept: they would take gigabytes. `cycles`: most of a right-hand
    side; `enclosed`: whether the solutions are enclosed.
    """
    rows = cycles_table(system.size, len(system.reference), min(cycles, 50) * system.count)
    tables, figures = (rows, PRODUCTS, WITHOUT_CHIP, answers_table(system)), cycle_figures(system)
    arrays = solve_arrays(system, on_chip) + (enclosure_arrays(system) if enclosed else ())
    if isinstance(on_chip, BlockSolvePlan):
        return Layout(tables, (), arrays, default="cycles", figures=figures)
    rounded = on_chip.cells.levels is on_chip.levels
    blocks = contents_of(on_chip.blocks(), on_chip.levels, rounded=rounded)
    return Layout(
        (blocks.pulses, *tables, loop_table(on_chip.chip, on_chip.encoding.order)), blocks.maps, arrays,
        default="cycles", figures=leading_first(figures, blocks.figures),
    )  # fmt: skip


def solve_arrays(system: LinearSystem, plan: SolvePlan | BlockSolvePlan) -> tuple[Array, ...]:
    """Return the matrices and vectors of a solve; unknown results are NaN."""
    n, form = system.size, plan.preconditioning
    columns = (lambda values: values[:, 0]) if system.single else (lambda values: values)
    arrays: list[Array] = []
    achieved: list[Array] = []
    if isinstance(plan, SolvePlan):
        what = "A as the products hold it, in the form as given"
        digits = f"targets of the inverting array, in units of {plan.cells.step:g} S"
        arrays = [
            Array("matrix_held", form.given_matrix(plan.held), description=what),
            Array("digits_invert", plan.cells.positive.digits, description=digits),
        ]
        unknown = np.full((n, n), np.nan)
        achieved = [Array("matrix_achieved", unknown, description="A0, what INV inverts", digital=1e-9)]
        if plan.multiply is not None:
            digits = "digits (inputs, columns)"
            achieved.append(Array("digits_multiply", plan.multiply.digits, description=digits))
    return (
        Array("matrix", system.given_matrix, description="A as given"),
        Array("rhs", system.given_rhs, description="b as given"),
        Array("reference", columns(system.reference), description="float64 solution of the matrix as given", digital=1e-9),
        Array("solution", columns(np.full(system.reference.shape, np.nan)), description="x", digital=1e-9),
        *arrays,
        Array("rows_invert", form.order, description="row of A (as a real matrix) that each row on the chip holds"),
        Array("row_factors", form.row_factors, description="signed power of two by which it is multiplied"),
        Array("column_factors", form.column_factors, description="power of two of each column on the chip"),
        *achieved,
    )  # fmt: skip
