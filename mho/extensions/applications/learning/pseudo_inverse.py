"""The pseudo-inverse of a rectangular matrix by the circuit of the generalised inverse, in one step and refined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    Prepared,
    name_of,
    relative_error,
    say_unconverged,
)
from mho.extensions.applications.input_data import real_matrix
from mho.extensions.applications.learning.linear_model import inverse_by_qr, singular_values, standardised
from mho.extensions.applications.learning.tables import load_regressors, sample_tables
from mho.instruments import Bench
from mho.procedures import IntegerParameter, Parameter, Solve, Stream
from mho.runs import Array, Column, Figure, Layout, Map, ReferenceLine, Table

DEPENDENT = 1e7  # condition number from which on rows or columns count as combinations of the others

# Columns of a sample that hardly depend on one another, in use where none are given; of other samples all but
# the last
COLUMNS = {"longley": "gnp, unemployed, armed_forces"}
CYCLES = Table(
    "cycles",
    (
        Column("cycle", dtype="u4"),
        Column("relative_error", description="of all entries to float64, published loop, line search",
               digital=1e-6),
    ),
    signal="relative_error", axis="cycle", title="Refinement of the pseudo-inverse",
)  # fmt: skip


@dataclass(frozen=True)
class Rectangular:
    """A matrix X, and the loop that has its pseudo-inverse as answers."""

    tall: Floats  # (m, n): X or its transpose, m >= n, over `size`
    wide: bool  # whether X is the transpose
    size: float  # largest singular value of X
    matrix: Floats  # (m + n, m + n)
    rhs: Floats  # (m + n, m)
    digital: Floats  # X^+ in float64

    @property
    def condition(self) -> float:
        """Condition number of X."""
        return float(np.linalg.cond(self.tall))

    def answer(self, solutions: Floats) -> Floats:
        """Return X^+ of the loop's solutions (m + n, m)."""
        inverse = solutions[len(self.tall) :] / self.size
        return np.asarray(inverse.T if self.wide else inverse)


def generalised_inverse_system(tall: Floats) -> tuple[Floats, Floats]:
    """Return matrix and right-hand sides of the circuit; the last n rows of its solutions are the pseudo-inverse.

    [[s I, X], [-X^T, 0]] (R, W) = (I, 0), with Bjorck's s; see `linear_model.augmented_system`.
    """
    rows, columns = tall.shape
    scale = float(np.linalg.svd(tall, compute_uv=False)[-1] / np.sqrt(2.0))
    matrix = np.block([[scale * np.eye(rows), tall], [-tall.T, np.zeros((columns, columns))]])
    return matrix, np.eye(rows + columns, rows)


class PseudoInverse(Application[ApplicationResult]):
    """Find the pseudo-inverse of a rectangular matrix with one INV loop, in one step and refined."""

    title: ClassVar[str] = "Pseudo-inverse"
    leading: ClassVar[tuple[str, ...]] = ("matrix", "features", "bits")
    compared: ClassVar[str] = "relative_error"
    held: ClassVar[str] = "matrix of the circuit"
    seed = None  # type: ignore[assignment] # nothing is drawn

    matrix: Parameter[Any] = Parameter(
        "Matrix, a file, or a sample table's columns, standardised", default="longley"
    )
    features = Parameter("Columns of a sample table, separated by commas, well-conditioned ones unless given")
    cycles = IntegerParameter("Cycles of the published loop that are recorded", minimum=1, maximum=100,
                              default=16)  # fmt: skip

    def check(self) -> Rectangular:
        """Read the matrix, and refuse one whose rank is below its smaller side."""
        super().check()
        given = self._load()
        singular = np.linalg.svd(given, compute_uv=False)
        if not singular[-1] * DEPENDENT > singular[0]:
            condition = singular[0] / singular[-1] if singular[-1] > 0.0 else np.inf
            raise InputError(
                f"the matrix has {given.shape[0]} rows and {given.shape[1]} columns and a condition number of "
                f"{condition:.3g}: some of them depend on the others, and the circuit takes a matrix of full rank; leave "
                "them out, or fit with a penalty (regression, kind = ridge)"
            )
        wide, size = given.shape[0] < given.shape[1], float(singular[0])
        tall = np.ascontiguousarray(given.T if wide else given) / size
        matrix, rhs = generalised_inverse_system(tall)
        Solve(matrix=matrix, rhs=np.ones(len(matrix)), bits=int(self.bits)).check()
        return Rectangular(tall, wide, size, matrix, rhs, np.asarray(np.linalg.pinv(given)))

    def _load(self) -> Floats:
        if isinstance(self.matrix, str) and self.matrix in sample_tables():
            data = load_regressors(
                self.matrix,
                features=str(self.features or COLUMNS.get(self.matrix, "")),
                classes=self.matrix == "iris",
            )
            return standardised(data.values, data.observed).columns
        if self.features:
            raise InputError("features are columns of a sample table; leave them out for a matrix")
        return real_matrix(self.matrix, "the matrix is complex; give its real form [[Re, -Im], [Im, Re]]")

    def matrices(self, given: Rectangular) -> tuple[Floats, ...]:
        """Return the matrix of the circuit."""
        return (given.matrix,)

    def layout(self, plan: Prepared) -> Layout:
        """Declare the cycles, and images of the pseudo-inverse."""
        given: Rectangular = plan.given
        rows, columns = map(np.arange, given.digital.shape)
        names = ("one_step", "refined", "digital")
        maps = tuple(Map(name, "", rows, columns, title=f"X^+, {name}", images=1) for name in names)
        asked = ReferenceLine(2.0 ** -int(self.bits), label=f"{self.bits} bits")
        figures = (
            Figure("pseudo_inverse", map=names, title="X^+ by one step of the circuit, refined, and in float64"),
            Figure("error_of_one_step", map="one_step", minus="digital", title="X^+ by one step less that in float64"),
            Figure("convergence", table="cycles", x="cycle", y="relative_error", y_scale="log", start=(0.0, 1.0),
                   lines=(asked,), title="Error of X^+ over the cycles"),
        )  # fmt: skip
        arrays = (Array("matrix", given.matrix, description="of the loop"),)
        return Layout((MATRICES, CYCLES), maps, arrays, default="cycles", figures=figures)

    def in_use(self, plan: Prepared) -> dict[str, tuple[float | str, str]]:
        """Return which columns are in use."""
        name = self.matrix if isinstance(self.matrix, str) else ""
        return dict(super().in_use(plan)) | {"features": (COLUMNS.get(name, "all columns"), "the matrix's")}

    def run_title(self) -> str:
        """Return the name of the matrix."""
        return f"Pseudo-inverse of {name_of(self.matrix, 'a matrix')}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold the loop, answer all unit vectors in one step, over the cycles, and refined."""
        given: Rectangular = plan.given
        with self.holding(plan, bench, stream) as chip:
            chip_matrix = chip.hold(given.matrix)
            with chip_matrix.showing():
                loop = chip_matrix.solve(given.rhs, cycles=int(self.cycles), method="line search")
            chip.beside.digital["beside"] += singular_values(*given.tall.shape)  # Bjorck's s
            chip.replace_direct(inverse_by_qr(*given.tall.shape), 1)
            for cycle, solutions in enumerate(loop.each, 1):
                error = relative_error(given.answer(solutions), given.digital)
                stream.record("cycles", cycle=cycle, relative_error=error)
            answers = chip_matrix.solve(given.rhs)
            say_unconverged(stream, answers, int(self.bits), "the pseudo-inverse")
            costs, encoding = chip.costs(), chip_matrix.summary()["encoding"]
        one_step, refined = given.answer(loop.each[0]), given.answer(answers.solutions)
        for name, image in (("one_step", one_step), ("refined", refined), ("digital", given.digital)):
            stream.snapshot(name, image, bench.now())
        return ApplicationResult.of({
            "rows": given.digital.shape[1], "columns": given.digital.shape[0],
            "condition_of_matrix": given.condition, "condition": float(np.linalg.cond(given.matrix)),
            "relative_error": relative_error(refined, given.digital),
            "one_step_error": relative_error(one_step, given.digital), "cycles": int(answers.cycles.max()),
            "residual": float(answers.residuals.max()), "converged": bool(answers.converged.all()),
            "encoding": encoding, **costs,
        })  # fmt: skip
