"""Linear, ridge and logistic regression of a table, the equations solved on the chip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.applications.application import MATRICES, Application, Prepared
from mho.procedures.applications.conclusions import beside_digital, concluded
from mho.procedures.applications.learning.linear_model import Design, standardised
from mho.procedures.applications.learning.linear_regression import CIRCUITS, LinearRegression, system_of
from mho.procedures.applications.learning.logistic_model import separating, with_ones
from mho.procedures.applications.learning.logistic_regression import (
    HESSIANS,
    STEP_BITS,
    LogisticRegression,
    digital_fit,
)
from mho.procedures.applications.learning.regression_tables import (
    CYCLES,
    LOGISTIC_FIGURES,
    NEWTON,
    PREDICTIONS,
    PROBABILITIES,
    TRACE,
    coefficients_table,
    linear_figures,
    weights_table,
)
from mho.procedures.applications.learning.tables import Regressors, load_regressors
from mho.procedures.applications.outcome import Outcome
from mho.procedures.equations.certificates.certificate import dependent_rows
from mho.procedures.equations.solve.solve import Solve
from mho.procedures.parameters import IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import percent
from mho.runs import Array, Conclusion, Layout

Floats = NDArray[np.float64]

KINDS = ("linear", "ridge", "logistic")

SAMPLES = {"linear": "longley", "ridge": "longley", "logistic": "iris"}
"""Tables where none is given."""

RIDGE_PENALTIES = "0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10"

MOST_PENALTIES = 32

DEPENDENT = 1e7
"""Condition number of the columns from which on some count as combinations of the others: its square is 2^46."""


@dataclass(frozen=True)
class Task:
    """A table, its standardised columns, and the penalties to be tried."""

    data: Regressors
    design: Design
    penalties: tuple[float, ...]


class Regression(Application):
    """Fit a linear, ridge or logistic model to a table, with its equations solved on the chip."""

    title: ClassVar[str] = "Regression"
    seed = None  # nothing is drawn

    kind = ListParameter("Kind of regression", choices=list(KINDS), default="linear")
    table = Parameter("Table, a sample's name or a .csv or .npz file; a sample fit for the kind unless given")
    target = Parameter("Column to be explained, the last one unless given")
    features = Parameter("Columns that explain, separated by commas, all others unless given")
    penalty = Parameter(
        "Penalty on squared weights of standardised columns, one or several separated by commas"
    )
    circuit = ListParameter(
        "Circuit of linear and ridge regression", choices=list(CIRCUITS), default="normal"
    )
    hessian = ListParameter(
        "Hessian of logistic regression that is held", choices=list(HESSIANS), default="first"
    )
    cycles = IntegerParameter(
        "Cycles of the published loop that are recorded", minimum=1, maximum=100, default=20
    )

    def check(self) -> Task:
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
        return Task(data, design, penalties)

    def layout(self, plan: Prepared) -> Layout:
        """Declare the tables and figures of the kind of regression."""
        task: Task = plan.given
        fitted = (MATRICES, weights_table(task.data), coefficients_table(task.data))
        columns = Array("columns", task.design.columns, description="standardised columns", digital=1e-12)
        if self.kind == "logistic":
            return Layout(
                (*fitted, NEWTON, PROBABILITIES),
                (),
                (columns,),
                default="probabilities",
                figures=LOGISTIC_FIGURES,
            )
        figures = linear_figures(int(self.bits), len(task.penalties))
        return Layout(
            (*fitted, CYCLES, TRACE, PREDICTIONS), (), (columns,), default="predictions", figures=figures
        )

    def in_use(self, plan: Prepared) -> dict[str, tuple[float | str, str]]:
        """Return table, target, columns and penalties in use."""
        task: Task = plan.given
        return dict(super().in_use(plan)) | {
            "table": (task.data.name, "a sample for the kind"),
            "target": (task.data.target, "the last column"),
            "features": (", ".join(task.data.columns), "all other columns"),
            "penalty": (", ".join(f"{one:g}" for one in task.penalties), "the kind's"),
        }

    def describe_cells(self, plan: Prepared) -> str:
        """Return what the chip holds; where is known once it is programmed."""
        task: Task = plan.given
        size = len(task.data.columns) + (self.kind == "logistic")
        size += task.data.rows if self.circuit == "generalised-inverse" and self.kind != "logistic" else 0
        return f"{size} x {size} matrices, one after another, placed when they are programmed"

    def run_title(self) -> str:
        """Return the kind and the name of the table."""
        source = SAMPLES[self.kind] if self.table is None or self.table == "" else self.table
        name = Path(source).name if isinstance(source, (str, Path)) else "a table"
        return f"{str(self.kind).capitalize()} regression of {name}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> Outcome:
        """Fit on the chip, compare with the digital fit, record."""
        task: Task = plan.given
        data, design = task.data, task.design
        with self.holding(plan, bench, stream) as chip:
            found: dict[str, Any]
            if self.kind == "logistic":
                bits = int(self.bits)
                fitting = LogisticRegression(chip, stream, str(self.hessian), bits, min(bits, STEP_BITS))
                found = fitting.fit(design, data.observed, task.penalties[0])
            else:
                linear = LinearRegression(chip, stream, str(self.circuit), int(self.bits), int(self.cycles))
                found = linear.fit(design, data.observed, task.penalties)
            costs = chip.costs()
        return Outcome.of(
            {
                "rows": data.rows,
                "columns": len(data.columns),
                **({"classes": ", ".join(data.classes)} if data.classes else {}),
                "condition_of_columns": design.condition,
                **found,
                **costs,
            }
        )

    def conclude(self, plan: Prepared, result: Outcome) -> Conclusion:
        """Return the error of the weights beside the digital fit, and the accuracy of classes."""
        summary = result.summary
        accuracy = summary.get("accuracy")
        return concluded(
            summary,
            beside_digital(summary, "relative_error"),
            ""
            if accuracy is None
            else f"accuracy {percent(accuracy)}, digitally {percent(summary['digital_accuracy'])}",
        )


def _penalties(given: Any, kind: str) -> tuple[float, ...]:
    """Return the penalties in ascending order."""
    if given is None or (isinstance(given, str) and not given.strip()):
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
