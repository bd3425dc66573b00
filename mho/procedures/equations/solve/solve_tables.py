"""Contents of the run file of a solve: tables of cycles and of products, and the matrices and vectors."""

from __future__ import annotations

import numpy as np

from mho.chip_maps.preconditioning import Preconditioning
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.planning.solve_plan import SolvePlan
from mho.runs import Array, Column, Table

PRODUCTS = Table(
    "products",
    (
        Column("cycle", dtype="u4"),
        Column("expected", "digit", description="the digits' exact sum"),
        Column("measured", "digit", description="before it is rounded"),
    ),
    signal="measured",
    axis="expected",
    title="a sample of each product's outputs",
    rows=1000,
)

WITHOUT_CHIP = Table(
    "without_chip",
    (
        Column("rhs", dtype="u4", description="right-hand side, counted from 0"),
        Column("cycle", dtype="u4"),
        Column("residual", description="relative to the right-hand side", digital=1e-11),
        Column("relative_error", description="to a float64 solve of the matrix as given", digital=1e-11),
        Column("bits", description="-log2 relative_error", digital=1e-2),
    ),
    signal="relative_error",
    axis="cycle",
    title="the same solve without the chip",
    rows=64,
)


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
                "residual",
                description="relative to the right-hand side, as the products carried it on",
                digital=1e-11,
            ),
            Column("true_residual", description="recomputed in float64; NaN where it was not", digital=1e-11),
            Column("relative_error", description="to a float64 solve of the matrix as given", digital=1e-11),
            Column(
                "sliced_error",
                description="to the solution of the matrix as held by the slices",
                digital=1e-11,
            ),
            Column("bits", description="-log2 relative_error", digital=1e-2),
            Column("step", description="length of the step along the correction", digital=1e-6),
            Column("mvm_outputs", dtype="u8", description="integers read in this cycle"),
            Column("mvm_found", dtype="u8", description="shots that their checksum showed to be wrong"),
            Column("mvm_repeated", dtype="u8", description="further shots played for that"),
            Column("mvm_corrected", dtype="u8", description="integers that the checksum corrected"),
            Column("mvm_unresolved", dtype="u8", description="shots whose digits were taken instead"),
            Column("mvm_recalibrated", dtype="u8", description="tiles calibrated again"),
            Column(
                "mvm_wrong",
                dtype="u8",
                description="integers that are not the digits' exact sum, which is an oracle's",
            ),
            Column(
                "mvm_subtracted",
                dtype="u8",
                description="integers from which a cell's known error was subtracted digitally",
            ),
            Column(
                "mvm_alone",
                dtype="u8",
                description="integers that the array alone gave as the digits' exact sum, an oracle's as well",
            ),
            Column(
                "input",
                "V",
                shape=vector,
                description="volts at the INV inputs, by row of the loop",
                digital=1e-9,
            ),
            Column(
                "output", "V", shape=vector, description="volts at the INV outputs, by column of the loop"
            ),
            Column("solution", shape=(unknowns,), description="x after this cycle", digital=1e-9),
        ),
        signal="relative_error",
        axis="cycle",
        title="refinement",
        rows=rows,
    )


def block_solve_arrays(system: LinearSystem, plan: BlockSolvePlan) -> tuple[Array, ...]:
    """Return the matrices and vectors of a solve by blocks."""
    return (*_system_arrays(system), *_form_arrays(plan.preconditioning))


def solve_arrays(system: LinearSystem, plan: SolvePlan) -> tuple[Array, ...]:
    """Return the matrices and vectors of a solve; unknown results are NaN."""
    n, form = system.size, plan.preconditioning
    arrays = [
        *_system_arrays(system),
        Array(
            "matrix_held",
            form.given_matrix(plan.held),
            description="A as the products hold it, in the form as given",
        ),
        Array(
            "digits_invert",
            plan.cells.positive.digits,
            description=f"targets of the inverting array, in units of {plan.cells.step:g} S",
        ),
        *_form_arrays(form),
        Array("matrix_achieved", np.full((n, n), np.nan), description="A0, what INV inverts", digital=1e-9),
    ]
    if plan.multiply is not None:
        arrays.append(Array("digits_multiply", plan.multiply.digits, description="digits (inputs, columns)"))
    return tuple(arrays)


def _system_arrays(system: LinearSystem) -> tuple[Array, ...]:
    columns = (lambda values: values[:, 0]) if system.single else (lambda values: values)
    return (
        Array("matrix", system.given_matrix, description="A as given"),
        Array("rhs", system.given_rhs, description="b as given"),
        Array(
            "reference",
            columns(system.reference),
            description="float64 solution of the matrix as given",
            digital=1e-9,
        ),
        Array("solution", columns(np.full(system.reference.shape, np.nan)), description="x", digital=1e-9),
    )


def _form_arrays(form: Preconditioning) -> tuple[Array, ...]:
    return (
        Array(
            "rows_invert",
            form.order,
            description="row of A (as a real matrix) that each row on the chip holds",
        ),
        Array("row_factors", form.row_factors, description="signed power of two by which it is multiplied"),
        Array("column_factors", form.column_factors, description="power of two of each column on the chip"),
    )
