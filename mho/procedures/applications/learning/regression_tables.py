"""Contents of the run file of a regression: coefficients, predictions, cycles, Newton steps, and their figures."""

from __future__ import annotations

from mho.procedures.applications.learning.tables import Regressors
from mho.runs import Column, Figure, ReferenceLine, Table
from mho.runs.standard_figures import IDENTITY

DIGITAL = 1e-6
"""Relative tolerance of what digital and refined fits find, whose last digits differ from processor to processor."""

CYCLES = Table(
    "cycles",
    (
        Column("penalty"),
        Column("cycle", dtype="u4"),
        Column(
            "published",
            description="error of all weights to the digital ones, by the published loop with a line search",
        ),
        Column(
            "gcr",
            description="the same by GCR around the same INV and MVM; NaN after its end",
            digital=DIGITAL,
        ),
    ),
    signal="gcr",
    axis="cycle",
    series="penalty",
    title="Refinement of the weights",
)

TRACE = Table(
    "trace",
    (
        Column("penalty"),
        Column("left_out_error", description="root mean square error of rows left out", digital=DIGITAL),
        Column("digital_left_out_error", description="the same of the digital fit", digital=DIGITAL),
        Column("relative_error", description="of the refined weights, to the digital ones", digital=DIGITAL),
        Column("one_step_error", description="of the weights of one step of INV, to the digital ones", digital=DIGITAL),
        Column("condition", description="condition number of the held matrix", digital=DIGITAL),
        Column("cycles", dtype="u4", description="cycles to the bits asked for"),
    ),
    signal="left_out_error",
    axis="penalty",
    title="Penalties",
)  # fmt: skip

PREDICTIONS = Table(
    "predictions",
    (
        Column("row", dtype="u4", description="of the table, from 0"),
        Column("observed", description="target less its mean", digital=DIGITAL),
        Column("one_step", description="prediction less the mean, with the weights of one step of INV", digital=DIGITAL),
        Column("predicted", description="the same with the refined weights", digital=DIGITAL),
        Column("digital", description="the same in float64", digital=DIGITAL),
        Column("left_out", description="the same without the row; NaN where it alone decides", digital=DIGITAL),
    ),
    signal="predicted",
    axis="observed",
    title="Predictions",
)  # fmt: skip

NEWTON = Table(
    "newton",
    (
        Column("step", dtype="u4"),
        Column(
            "gradient",
            description="length of the gradient of the mean loss after the step, on the chip",
            digital=DIGITAL,
        ),
        Column(
            "digital_gradient",
            description="the same of Newton's method in float64; NaN after its end",
            digital=1e-2,
        ),
        Column("loss", description="mean negative log likelihood with the penalty", digital=DIGITAL),
        Column("length", description="share of the step that was taken"),
        Column(
            "relative_error", description="of all weights, to the digital ones at their end", digital=DIGITAL
        ),
        Column("inversions", dtype="u8", description="steps of INV so far"),
    ),
    signal="gradient",
    axis="step",
    title="Newton's method",
)

PROBABILITIES = Table(
    "probabilities",
    (
        Column("row", dtype="u4", description="of the table, from 0"),
        Column("score", description="linear predictor with the refined weights", digital=DIGITAL),
        Column("observed", description="class, 0 or 1", digital=DIGITAL),
        Column("probability", description="of the second class", digital=DIGITAL),
        Column("digital", description="the same in float64", digital=DIGITAL),
    ),
    signal="probability",
    axis="score",
    title="Probabilities",
)


def weights_table(data: Regressors) -> Table:
    """Return the table of the weights of standardised columns."""
    return Table(
        "weights",
        (
            Column("penalty"),
            column_number(data),
            Column(
                "one_step",
                description="weight of the standardised column by one step of INV",
                digital=DIGITAL,
            ),
            Column("weight", description="weight of the standardised column, refined", digital=DIGITAL),
            Column("digital", description="the same in float64", digital=DIGITAL),
        ),
        signal="weight",
        axis="column",
        title="Weights of the standardised columns",
    )


def coefficients_table(data: Regressors) -> Table:
    """Return the table of coefficients in the units of the table, with their standard errors."""
    return Table(
        "coefficients",
        (
            Column("penalty"),
            column_number(data),
            Column("coefficient", description="in the units of the table", digital=DIGITAL),
            Column("error", description="standard error of the coefficient", digital=DIGITAL),
            Column(
                "digital_coefficient", description="in the units of the table, in float64", digital=DIGITAL
            ),
            Column("digital_error", description="its standard error in float64", digital=DIGITAL),
        ),
        signal="coefficient",
        axis="column",
        title="Coefficients",
    )


def column_number(data: Regressors) -> Column:
    """Return the column that numbers the columns of a table, and names them in its description."""
    names = "; ".join(f"{number} {name}" for number, name in enumerate(data.columns, 1))
    return Column("column", dtype="u4", description=f"0 intercept; {names}")


def linear_figures(bits: int, penalties: int) -> tuple[Figure, ...]:
    """Return predictions, weights and refinement of a linear or ridge regression; of several penalties their trace."""
    asked = ReferenceLine(2.0**-bits, label=f"{bits} bits")
    common = (
        Figure(
            "predictions",
            kind="scatter",
            table="predictions",
            x="observed",
            y=("one_step", "left_out", "predicted"),
            lines=(IDENTITY,),
            title="Predictions over the truth, both less the mean",
        ),
        Figure(
            "convergence",
            table="cycles",
            x="cycle",
            y=("published", "gcr") if penalties == 1 else "gcr",
            by="penalty" if penalties > 1 else (),
            y_scale="log",
            start=(0.0, 1.0),
            lines=(asked,),
            title="Error of the weights over the cycles",
        ),
    )
    if penalties == 1:
        weights = Figure("weights", kind="scatter", table="weights", x="column",
                         y=("one_step", "weight", "digital"), title="Weights of the standardised columns")  # fmt: skip
        return (common[0], weights, common[1])
    chosen = ReferenceLine(x="penalty", label="least error of rows left out")
    return (
        Figure("ridge_trace", table="weights", x="penalty", y="weight", by="column", x_scale="log",
               lines=(chosen,), title="Weights of the standardised columns over the penalty"),
        Figure("left_out", table="trace", x="penalty", y=("left_out_error", "digital_left_out_error"),
               x_scale="log", lines=(chosen,), title="Error of rows left out over the penalty"),
        Figure("errors", table="trace", x="penalty", y=("one_step_error", "relative_error"), x_scale="log",
               y_scale="log", lines=(asked,), title="Error to the digital weights over the penalty"),
        *common,
    )  # fmt: skip


LOGISTIC_FIGURES = (
    Figure("probabilities", kind="scatter", table="probabilities", x="score", y=("observed", "probability"),
           lines=(ReferenceLine(x=0.0, label="as probable"),), title="Probability of the second class, and the classes"),
    Figure("newton", table="newton", x="step", y=("gradient", "digital_gradient"), y_scale="log",
           title="Gradient over Newton's steps"),
    Figure("weights", kind="scatter", table="weights", x="column", y=("weight", "digital"),
           title="Weights of the standardised columns"),
)  # fmt: skip
