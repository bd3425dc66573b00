"""Linear, ridge and logistic regression of a table, the equations solved on the chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    MatrixHolder,
    Prepared,
    beside_digital,
    is_blank,
    name_of,
    record_rows,
    relative_error,
    say_unconverged,
    worst_error,
)
from mho.extensions.applications.learning.linear_model import (
    Design,
    LinearFit,
    augmented_system,
    best_scale,
    digital_answers,
    fit_by_qr,
    fit_of,
    normal_matrix,
    normal_rhs,
    singular_values,
    standardised,
)
from mho.extensions.applications.learning.logistic_model import (
    HESSIANS,
    STEP_BITS,
    LogisticRegression,
    digital_fit,
    separating,
    with_ones,
)
from mho.extensions.applications.learning.tables import Regressors, load_regressors
from mho.instruments import Bench
from mho.procedures import (
    HeldMatrix,
    IntegerParameter,
    ListParameter,
    Parameter,
    Solve,
    Stream,
    percent,
    refine,
)
from mho.procedures.equations import CORRECTION_BITS, dependent_rows
from mho.runs import IDENTITY, Array, Column, Figure, Layout, ReferenceLine, Table


def published_cycles(chip_matrix: HeldMatrix, rhs: Floats, cycles: int) -> Iterator[Floats]:
    """Yield the solutions (n,) of the published loop, with a line search, so that the residual never grows."""
    yield from chip_matrix.solve(rhs, cycles=cycles, method="line search").each[:, :, 0]


def gcr_cycles(chip_matrix: HeldMatrix, rhs: Floats, cycles: int, bits: int) -> Iterator[Floats]:
    """Yield the solutions (n,) of GCR around the same INV and MVM, until the residual is below 2^-bits of `rhs`.

    The way that `HeldMatrix.solve` takes where the published loop is slow.
    """
    matrix = np.asarray(chip_matrix.matrix, dtype=np.float64)
    goal = 2.0**-bits * float(np.linalg.norm(rhs))
    for cycle in refine(
        rhs,
        chip_matrix.invert,
        lambda correction: chip_matrix.multiply(correction.values, CORRECTION_BITS),
        lambda solution: rhs - matrix @ solution,
        lambda solution, size: size <= goal,
        method="gcr",
        max_cycles=cycles,
    ):
        yield cycle.solution


# Of what digital and refined fits find, whose last digits differ from processor to processor
fit_column = partial(Column, digital=1e-6)
CYCLES = Table(
    "cycles",
    (
        Column("penalty"), Column("cycle", dtype="u4"),
        Column(
            "published",
            description="error of all weights to the digital ones, by the published loop with a line search",
        ),
        fit_column("gcr", description="the same by GCR around the same INV and MVM; NaN after its end"),
    ),
    signal="gcr", axis="cycle", series="penalty", title="Refinement of the weights",
)  # fmt: skip

TRACE = Table(
    "trace",
    (
        Column("penalty"),
        fit_column("left_out_error", description="root mean square error of rows left out"),
        fit_column("digital_left_out_error", description="the same of the digital fit"),
        fit_column("relative_error", description="of the refined weights, to the digital ones"),
        fit_column("one_step_error", description="of the weights of one step of INV, to the digital ones"),
        fit_column("condition", description="condition number of the held matrix"),
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
        fit_column("observed", description="target less its mean"),
        fit_column("one_step", description="prediction less the mean, with the weights of one step of INV"),
        fit_column("predicted", description="the same with the refined weights"),
        fit_column("digital", description="the same in float64"),
        fit_column("left_out", description="the same without the row; NaN where it alone decides"),
    ),
    signal="predicted",
    axis="observed",
    title="Predictions",
)  # fmt: skip

NEWTON = Table(
    "newton",
    (
        Column("step", dtype="u4"),
        fit_column("gradient", description="length of the gradient of the mean loss after the step, on the chip"),
        Column("digital_gradient", description="the same of Newton's method in float64; NaN after its end",
               digital=1e-2),
        fit_column("loss", description="mean negative log likelihood with the penalty"),
        Column("length", description="share of the step that was taken"),
        fit_column("relative_error", description="of all weights, to the digital ones at their end"),
        Column("inversions", dtype="u8", description="steps of INV so far"),
    ),
    signal="gradient", axis="step", title="Newton's method",
)  # fmt: skip

PROBABILITIES = Table(
    "probabilities",
    (
        Column("row", dtype="u4", description="of the table, from 0"),
        fit_column("score", description="linear predictor with the refined weights"),
        fit_column("observed", description="class, 0 or 1"),
        fit_column("probability", description="of the second class"),
        fit_column("digital", description="the same in float64"),
    ),
    signal="probability", axis="score", title="Probabilities",
)  # fmt: skip


def weights_table(data: Regressors) -> Table:
    """Return the table of the weights of standardised columns."""
    return Table(
        "weights",
        (
            Column("penalty"), column_number(data),
            fit_column("one_step", description="weight of the standardised column by one step of INV"),
            fit_column("weight", description="weight of the standardised column, refined"),
            fit_column("digital", description="the same in float64"),
        ),
        signal="weight", axis="column", title="Weights of the standardised columns",
    )  # fmt: skip


def coefficients_table(data: Regressors) -> Table:
    """Return the table of coefficients in the units of the table, with their standard errors."""
    return Table(
        "coefficients",
        (
            Column("penalty"), column_number(data),
            fit_column("coefficient", description="in the units of the table"),
            fit_column("error", description="standard error of the coefficient"),
            fit_column("digital_coefficient", description="in the units of the table, in float64"),
            fit_column("digital_error", description="its standard error in float64"),
        ),
        signal="coefficient", axis="column", title="Coefficients",
    )  # fmt: skip


def column_number(data: Regressors) -> Column:
    """Return the column that numbers the columns of a table, and names them in its description."""
    names = "; ".join(f"{number} {name}" for number, name in enumerate(data.columns, 1))
    return Column("column", dtype="u4", description=f"0 intercept; {names}")


def linear_figures(bits: int, penalties: int) -> tuple[Figure, ...]:
    """Return predictions, weights and refinement of a linear or ridge regression; of several penalties their trace."""
    asked = ReferenceLine(2.0**-bits, label=f"{bits} bits")
    common = (
        Figure("predictions", kind="scatter", table="predictions", x="observed",
               y=("one_step", "left_out", "predicted"), lines=(IDENTITY,),
               title="Predictions over the truth, both less the mean"),
        Figure("convergence", table="cycles", x="cycle", y=("published", "gcr") if penalties == 1 else "gcr",
               by="penalty" if penalties > 1 else (), y_scale="log", start=(0.0, 1.0), lines=(asked,),
               title="Error of the weights over the cycles"),
    )  # fmt: skip
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


CIRCUITS = ("normal", "generalised-inverse")


def system_of(circuit: str, design: Design, penalty: float) -> tuple[Floats, Floats]:
    """Return matrix and right-hand sides that a circuit holds; the last rows of its solutions are weights and inverse."""
    if circuit == "normal":
        return normal_matrix(design, penalty), normal_rhs(design)
    # With a penalty the columns are as good as those of a larger least singular value.
    rows = len(design.target)
    scale = float(np.hypot(best_scale(design), np.sqrt(penalty / rows / 2.0)))
    return augmented_system(design, penalty, scale)


class LinearRegression:
    """Fits of one design with several penalties, each matrix held on the chip.

    `circuit`: one of `CIRCUITS`; `cycles`: of the published loop, recorded for the weights.
    """

    def __init__(self, chip: MatrixHolder, stream: Stream, circuit: str, bits: int, cycles: int) -> None:
        self._chip, self._stream, self._circuit = chip, stream, circuit
        self._bits, self._cycles = bits, cycles

    def fit(self, design: Design, observed: Floats, penalties: tuple[float, ...]) -> dict[str, Any]:
        """Fit with every penalty, record, and return the result of the one with the least error of rows left out."""
        best: tuple[float, dict[str, Any], dict[str, Floats]] | None = None
        for number, penalty in enumerate(penalties):
            self._stream.progress("penalties", number, len(penalties))
            fit, result, predictions = self._fit(design, observed, penalty)
            left_out = _left_out_error(fit, observed)
            if best is None or left_out < best[0]:
                best = left_out, result, predictions
        assert best is not None  # at least one penalty
        self._count(design, len(penalties))
        rows = {"row": np.arange(len(observed)), "observed": design.target} | best[2]
        self._stream.record_block("predictions", rows)
        return best[1]

    def _fit(
        self, design: Design, observed: Floats, penalty: float
    ) -> tuple[LinearFit, dict[str, Any], dict[str, Floats]]:
        matrix, rhs = system_of(self._circuit, design, penalty)
        size = len(design.moments)
        chip_matrix = self._chip.hold(matrix)
        exact = digital_answers(design, penalty)
        with chip_matrix.showing():
            one_step = self._record_cycles(chip_matrix, rhs[:, 0], exact[:, 0], penalty)
        answers = chip_matrix.solve(rhs)
        say_unconverged(self._stream, answers, self._bits, f"penalty {penalty:g}")
        digital = fit_of(design, exact, penalty)
        fit = fit_of(design, answers.solutions[-size:], penalty)
        self._record_fit(penalty, one_step, fit, digital)
        weights_error = relative_error(fit.weights, digital.weights)
        one_step_error = relative_error(one_step, digital.weights)
        condition, cycles = float(np.linalg.cond(matrix)), int(answers.cycles.max())
        off = design.target - design.columns @ one_step
        self._stream.record(
            "trace", penalty=penalty, left_out_error=_left_out_error(fit, observed),
            digital_left_out_error=_left_out_error(digital, observed), relative_error=weights_error,
            one_step_error=one_step_error, condition=condition, cycles=cycles,
        )  # fmt: skip
        result = {
            "penalty": penalty, "circuit": self._circuit, "relative_error": weights_error,
            "one_step_error": one_step_error,
            "coefficients_error": worst_error(fit.coefficients, digital.coefficients),
            "errors_error": worst_error(fit.errors, digital.errors), "determination": fit.determination,
            "digital_determination": digital.determination,
            "one_step_determination": float(1.0 - off @ off / (design.target @ design.target)),
            "deviation": fit.deviation,
            "left_out_error": _left_out_error(fit, observed), "condition": condition, "cycles": cycles,
            "bits": (float(np.min(answers.bits)), "bit"), "residual": float(answers.residuals.max()),
            "converged": bool(answers.converged.all()), "encoding": chip_matrix.summary()["encoding"],
        }  # fmt: skip
        predictions = {
            "one_step": design.columns @ one_step,
            "predicted": fit.predictions - design.target_mean,
            "digital": digital.predictions - design.target_mean,
            "left_out": fit.left_out - design.target_mean,
        }
        return fit, result, predictions

    def _count(self, design: Design, penalties: int) -> None:
        """Count what is digital beside the solves, and the digital fits."""
        beside, (rows, columns) = self._chip.beside.digital, design.columns.shape
        if self._circuit == "normal":  # Z^T y, and Z^T Z by half, once each
            beside["beside"] += rows * columns + rows * columns * (columns + 1) // 2
        else:
            beside["beside"] += singular_values(rows, columns)
            self._chip.replace_direct(fit_by_qr(rows + columns, columns), penalties)

    def _record_cycles(self, chip_matrix: HeldMatrix, rhs: Floats, exact: Floats, penalty: float) -> Floats:
        """Record how both methods converge; return the weights of the first cycle: one step of INV."""
        size = len(exact)
        published = [solution[-size:] for solution in published_cycles(chip_matrix, rhs, self._cycles)]
        by_gcr = [solution[-size:] for solution in gcr_cycles(chip_matrix, rhs, self._cycles, self._bits)]
        for number, (one, other) in enumerate(zip_longest(published, by_gcr), 1):
            self._stream.record(
                "cycles", penalty=penalty, cycle=number, published=relative_error(one, exact),
                gcr=np.nan if other is None else relative_error(other, exact),
            )  # fmt: skip
        return published[0]

    def _record_fit(self, penalty: float, one_step: Floats, fit: LinearFit, digital: LinearFit) -> None:
        count = len(one_step)
        record_rows(
            self._stream, "weights", penalty=penalty, column=np.arange(1, count + 1), one_step=one_step,
            weight=fit.weights, digital=digital.weights,
        )  # fmt: skip
        record_rows(
            self._stream, "coefficients", penalty=penalty, column=np.arange(count + 1),
            coefficient=fit.coefficients, error=fit.errors, digital_coefficient=digital.coefficients,
            digital_error=digital.errors,
        )  # fmt: skip


def _left_out_error(fit: LinearFit, observed: Floats) -> float:
    """Return the root mean square error of rows predicted without them; NaN where a row alone decides."""
    return float(np.sqrt(np.mean((fit.left_out - observed) ** 2)))


KINDS = ("linear", "ridge", "logistic")
SAMPLES = {"linear": "longley", "ridge": "longley", "logistic": "iris"}  # tables where none is given
RIDGE_PENALTIES = "0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10"
MOST_PENALTIES = 32

# Condition number of the columns from which on some count as combinations of the others: its square is 2^46
DEPENDENT = 1e7


@dataclass(frozen=True)
class RegressionTask:
    """A table, its standardised columns, and the penalties to be tried."""

    data: Regressors
    design: Design
    penalties: tuple[float, ...]


class Regression(Application[ApplicationResult]):
    """Fit a linear, ridge or logistic model to a table, with its equations solved on the chip."""

    title: ClassVar[str] = "Regression"
    leading: ClassVar[tuple[str, ...]] = ("kind", "table", "target", "bits")
    seed = None  # type: ignore[assignment] # nothing is drawn

    kind = ListParameter("Kind of regression", choices=list(KINDS), default="linear")
    table = Parameter("Table, a sample's name or a .csv or .npz file; a sample fit for the kind unless given")
    target = Parameter("Column to be explained, the last one unless given")
    features = Parameter("Columns that explain, separated by commas, all others unless given")
    penalty: Parameter[Any] = Parameter(
        "Penalty on squared weights of standardised columns, one or several separated by commas"
    )
    circuit = ListParameter("Circuit of linear and ridge regression", choices=list(CIRCUITS),
                            default="normal")  # fmt: skip
    hessian = ListParameter("Hessian of logistic regression that is held", choices=list(HESSIANS),
                            default="first")  # fmt: skip
    cycles = IntegerParameter("Cycles of the published loop that are recorded", minimum=1, maximum=100,
                              default=20)  # fmt: skip

    def check(self) -> RegressionTask:
        """Read the table, and refuse one that does not determine the model."""
        super().check()
        source = SAMPLES[self.kind] if self.table is None or self.table == "" else self.table
        data = load_regressors(
            source, str(self.target or ""), str(self.features or ""), classes=self.kind == "logistic"
        )
        design = standardised(data.values, data.observed)
        penalties = _penalties(self.penalty, self.kind)
        if 0.0 in penalties:
            _check_determined(data, design, str(self.kind))
        if self.kind == "logistic":
            if 0.0 in penalties and separating(with_ones(design), data.observed):
                raise InputError(
                    f"{data.name}: {' and '.join(data.classes)} can be separated by these columns, so the likelihood has "
                    "no maximum and the weights would grow without end; give a penalty, such as 1"
                )
            digital_fit(design, data.observed, penalties[0])
        else:
            for one in penalties:
                matrix, _ = system_of(self.circuit, design, one)
                Solve(matrix=matrix, rhs=np.ones(len(matrix)), bits=int(self.bits)).check()
        return RegressionTask(data, design, penalties)

    def layout(self, plan: Prepared) -> Layout:
        """Declare the tables and figures of the kind of regression."""
        task: RegressionTask = plan.given
        fitted = (MATRICES, weights_table(task.data), coefficients_table(task.data))
        columns = Array("columns", task.design.columns, description="standardised columns", digital=1e-12)
        if self.kind == "logistic":
            return Layout(
                (*fitted, NEWTON, PROBABILITIES), (), (columns,), default="probabilities",
                figures=LOGISTIC_FIGURES,
            )  # fmt: skip
        figures = linear_figures(int(self.bits), len(task.penalties))
        return Layout(
            (*fitted, CYCLES, TRACE, PREDICTIONS), (), (columns,), default="predictions", figures=figures
        )

    def in_use(self, plan: Prepared) -> dict[str, tuple[float | str, str]]:
        """Return table, target, columns and penalties in use."""
        task: RegressionTask = plan.given
        return dict(super().in_use(plan)) | {
            "table": (task.data.name, "a sample for the kind"),
            "target": (task.data.target, "the last column"),
            "features": (", ".join(task.data.columns), "all other columns"),
            "penalty": (", ".join(f"{one:g}" for one in task.penalties), "the kind's"),
        }

    def describe_cells(self, plan: Prepared) -> str:
        """Return what the chip holds; where is known once it is programmed."""
        task: RegressionTask = plan.given
        size = len(task.data.columns) + (self.kind == "logistic")
        size += task.data.rows if self.circuit == "generalised-inverse" and self.kind != "logistic" else 0
        return f"{size} x {size} matrices, one after another, placed when they are programmed"

    def run_title(self) -> str:
        """Return the kind and the name of the table."""
        source = SAMPLES[self.kind] if self.table is None or self.table == "" else self.table
        return f"{str(self.kind).capitalize()} regression of {name_of(source, 'a table')}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Fit on the chip, compare with the digital fit, record."""
        task: RegressionTask = plan.given
        data, design = task.data, task.design
        with self.holding(plan, bench, stream) as chip:
            quantities: dict[str, Any]
            if self.kind == "logistic":
                bits = int(self.bits)
                fitting = LogisticRegression(chip, stream, str(self.hessian), bits, min(bits, STEP_BITS))
                quantities = fitting.fit(design, data.observed, task.penalties[0])
            else:
                linear = LinearRegression(chip, stream, str(self.circuit), int(self.bits), int(self.cycles))
                quantities = linear.fit(design, data.observed, task.penalties)
            costs = chip.costs()
        return ApplicationResult.of(
            {
                "rows": data.rows,
                "columns": len(data.columns),
                **({"classes": ", ".join(data.classes)} if data.classes else {}),
                "condition_of_columns": design.condition,
                **quantities,
                **costs,
            }
        )

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return the error of the weights beside the digital fit, and the accuracy of classes."""
        accuracy = summary.get("accuracy")
        return (
            beside_digital(summary, "relative_error"),
            ""
            if accuracy is None
            else f"accuracy {percent(accuracy)}, digitally {percent(summary['digital_accuracy'])}",
        )


def _penalties(given: Any, kind: str) -> tuple[float, ...]:
    """Return the penalties in ascending order."""
    if is_blank(given):
        given = RIDGE_PENALTIES if kind == "ridge" else "0"
    texts = [one.strip() for one in str(given).split(",") if one.strip()]
    try:
        penalties = sorted({float(one) for one in texts})
    except ValueError:
        raise InputError(f"penalty is {given!r}; give numbers of 0 or more, separated by commas") from None
    if not penalties or not all(0.0 <= one < 1e12 for one in penalties):
        raise InputError(f"penalty is {given!r}; give numbers of 0 or more, separated by commas")
    if len(penalties) > MOST_PENALTIES:
        raise InputError(f"{len(penalties)} penalties are given; {MOST_PENALTIES} is the most")
    if kind == "linear" and penalties != [0.0]:
        raise InputError(f"penalty is {given!r}, and linear regression has none; give kind = ridge with it")
    if kind == "ridge" and penalties[0] == 0.0:
        raise InputError("penalty is 0, which is no ridge; give one above 0, or kind = linear")
    if kind == "logistic" and len(penalties) > 1:
        raise InputError(f"penalty is {given!r}; logistic regression takes one")
    return tuple(penalties)


def _check_determined(data: Regressors, design: Design, kind: str) -> None:
    """Refuse columns that do not determine their weights without a penalty."""
    count, ridge = len(data.columns), "a penalty" if kind == "logistic" else "a penalty (kind = ridge)"
    if data.rows <= count + 1:
        raise InputError(
            f"{data.name} has {data.rows} rows for {count} columns and an intercept, which leave nothing to judge a fit "
            f"by; give {ridge}, fewer columns (features), or more rows"
        )
    if design.condition > DEPENDENT:
        named = [data.columns[one] for one in dependent_rows(np.ascontiguousarray(design.columns.T))]
        which = ", ".join(named) or "one of them"
        raise InputError(
            f"{data.name}: columns depend on one another (condition number {design.condition:.3g}), {which} on the rest: "
            f"leave that out (features), or give {ridge}"
        )
