"""Contents of the run file of a solve: tables of cycles and of products, and the matrices and vectors."""

from __future__ import annotations

import numpy as np

from mho.procedures.equations.linear_system import LinearSystem
from mho.procedures.equations.solve_plan import SolvePlan
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


def cycles_table(size: int, rows: int) -> Table:
    """Return the table of refinement cycles: `size` unknowns, about `rows` cycles."""
    vector = (size,)
    return Table(
        "cycles",
        (
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
            Column("mvm_wrong", dtype="u8", description="of these, not the digits' exact sum"),
            Column(
                "input",
                "V",
                shape=vector,
                description="volts at the INV inputs, by row of A; negated where INV holds the row negated",
            ),
            Column("output", "V", shape=vector, description="volts at the INV outputs"),
            Column("solution", shape=vector, description="x after this cycle", digital=1e-9),
        ),
        signal="relative_error",
        axis="cycle",
        title="refinement",
        rows=rows,
    )


def solve_arrays(system: LinearSystem, plan: SolvePlan) -> tuple[Array, ...]:
    """Return the matrices and vectors of a solve; unknown results are NaN."""
    n = system.size
    return (
        Array("matrix", system.given_matrix, description="A as given"),
        Array("matrix_held", plan.multiply.matrix, description="A as the slices hold it"),
        Array("rhs", system.given_rhs, description="b as given"),
        Array(
            "reference",
            system.reference,
            description="float64 solution of the matrix as given",
            digital=1e-9,
        ),
        Array("solution", np.full(n, np.nan), description="x", digital=1e-9),
        Array("digits_multiply", plan.multiply.digits, description="digits (inputs, columns)"),
        Array("digits_invert", plan.positive.digits, description="digits of the inverting array"),
        Array(
            "rows_invert",
            plan.exchange.order,
            description="row of A (as a real matrix) that each row of INV holds",
        ),
        Array("signs_invert", plan.exchange.signs, description="-1 where it holds it negated"),
        Array("matrix_achieved", np.full((n, n), np.nan), description="A0, what INV inverts", digital=1e-9),
    )
