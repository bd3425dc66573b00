"""An eigenpair of a matrix: power iteration by MVM, inverse iteration and Davidson's method by INV, beside LAPACK.

All of them keep a vector and its Rayleigh quotient, and take the residual A v - lambda v in float64:

- power iteration: v <- A v, a product (MVM) a step; converges as |lambda_2 / lambda_1|;
- inverse iteration: v <- (A - s I)^-1 v, a refined solve a step; converges as |lambda_1 - s| / |lambda_2 - s|
  (Wielandt 1944; Golub and Van Loan, Matrix Computations, section 7.6.1);
- Davidson's method: the residual, through one step of INV of A - s I, widens a subspace, in which the best pair is found
  digitally (Davidson, J. Comput. Phys. 17, 87 (1975)). An inverse that is right to a few bits is all that it needs.

The circuit of Sun et al., PNAS 116, 4123 (2019), solves (A - s I) x = 0 in one step with s an eigenvalue that is known
beforehand; here s is near it, and the eigenvalue is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    name_of,
    record_rows,
)
from mho.extensions.applications.graphs.graph_files import load_graph, sample_graphs
from mho.extensions.applications.input_data import real_matrix
from mho.extensions.applications.near_matrix import worth_of
from mho.instruments import Bench
from mho.procedures import FloatParameter, HeldMatrix, IntegerParameter, Parameter, Stream, quantity
from mho.procedures.equations import DirectSolve, Work
from mho.runs import Array, Column, Figure, Layout, ReferenceLine, Table

Operator = Callable[[Floats], Floats]


@dataclass(frozen=True)
class EigenStep:
    """An eigenpair as it stands after a step."""

    value: float  # Rayleigh quotient
    vector: Floats  # (n,): of unit length
    residual: float  # |A v - lambda v|, relative to |A|, in float64


def eigen_step(matrix: Floats, vector: Floats, scale: float) -> EigenStep:
    """Return the pair of a vector and its Rayleigh quotient, in float64; `scale` is the norm of the matrix."""
    unit = vector / np.linalg.norm(vector)
    product = matrix @ unit
    value = float(unit @ product)
    return EigenStep(value, unit, float(np.linalg.norm(product - value * unit)) / scale)


def power_iteration(
    matrix: Floats, multiply: Operator, start: Floats, steps: int, tolerance: float
) -> list[EigenStep]:
    """Return the pairs after each product; stop at `tolerance` of the residual, or where a product is zero.

    `multiply`: v -> about A v; `start` (n,): not orthogonal to the eigenvector.
    """
    return _iterated(matrix, multiply, start, steps, tolerance)


def inverse_iteration(
    matrix: Floats, solve: Operator, start: Floats, steps: int, tolerance: float
) -> list[EigenStep]:
    """Return the pairs after each solve; `solve` is r -> about (A - s I)^-1 r. Else as `power_iteration`."""
    return _iterated(matrix, solve, start, steps, tolerance)


def davidson(
    matrix: Floats, invert: Operator, start: Floats, steps: int, tolerance: float, near: float
) -> list[EigenStep]:
    """Return the pairs after each widening of the subspace; of its pairs the one whose value is nearest to `near`.

    `invert`: r -> about (A - s I)^-1 r; one step of INV. `near`: the eigenvalue asked for lies nearest to it.
    """
    scale = float(np.linalg.norm(matrix, 2))
    basis = (start / np.linalg.norm(start))[:, None]
    history: list[EigenStep] = []
    for _ in range(steps):
        pair = _best_pair(matrix, basis, near, scale)
        history.append(pair)
        if pair.residual <= tolerance or basis.shape[1] == len(matrix):
            break
        residual = matrix @ pair.vector - pair.value * pair.vector
        widened = _orthogonal_to(basis, invert(residual / np.linalg.norm(residual)))
        if widened is None:
            break  # the inverse adds nothing to the subspace
        basis = np.column_stack([basis, widened])
    return history


def davidson_work(size: int, steps: int) -> Work:
    """Return the digital multiplications of so many steps of `davidson` without those of its inverse.

    A step takes a product with A for the pair, and one for the newest vector of the basis; k vectors of the basis are
    projected, combined and made orthogonal to the next one twice, and the eigenvalues of k x k take 10 k^3 (Golub and Van
    Loan, section 7.5).
    """
    work = Work()
    work.digital["products"], work.digital["residual"] = size**2 * steps, size**2 * steps
    work.digital["orthogonalisation"] = sum(6 * size * k + 10 * k**3 for k in range(1, steps + 1))
    return work


def eigenvalues_by_qr(size: int, symmetric: bool) -> DirectSolve:
    """Return LAPACK's way to all eigenvalues and one vector (Golub and Van Loan, sections 7.5 and 8.3)."""
    return DirectSolve("LAPACK", 2 * size**3 // 3 if symmetric else 5 * size**3, 2 * size**2)


def angle(first: Floats, second: Floats) -> float:
    """Return the angle between the lines of two vectors, rad; exact also where it is small."""
    one, other = first / np.linalg.norm(first), second / np.linalg.norm(second)
    other = other if one @ other >= 0.0 else -other
    return float(2.0 * np.arcsin(min(1.0, float(np.linalg.norm(one - other)) / 2.0)))


def _iterated(
    matrix: Floats, operate: Operator, start: Floats, steps: int, tolerance: float
) -> list[EigenStep]:
    scale = float(np.linalg.norm(matrix, 2))
    history = [eigen_step(matrix, start, scale)]
    while len(history) <= steps and history[-1].residual > tolerance:
        moved = operate(history[-1].vector)
        if not np.linalg.norm(moved) > 0.0:
            break
        history.append(eigen_step(matrix, moved, scale))
    return history


def _best_pair(matrix: Floats, basis: Floats, near: float, scale: float) -> EigenStep:
    values, vectors = np.linalg.eig(basis.T @ matrix @ basis)
    best = int(np.argmin(np.abs(values - near)))
    return eigen_step(matrix, basis @ vectors[:, best].real, scale)


def _orthogonal_to(basis: Floats, vector: Floats) -> Floats | None:
    """Return the unit vector along what of `vector` lies outside the subspace; None where that is rounding."""
    before = float(np.linalg.norm(vector))
    for _ in range(2):  # twice is enough (Kahan and Parlett)
        vector = vector - basis @ (basis.T @ vector)
    left = float(np.linalg.norm(vector))
    return vector / left if left > 1e-12 * before else None


UNAIDED = "without_chip"
METHODS = ("power", "inverse", "davidson", UNAIDED)

# Products in float64 from which the shift is taken where none is given: an eigenvalue known beforehand, about
ROUGH_STEPS = 20
# So far beyond that estimate the shift lies, relative to it: the matrix that is held has an inverse
BESIDE = 0.05
SINGULAR = 1e-9  # least singular value over the norm below which a shift counts as an eigenvalue
MULTIPLE = 1e-9  # eigenvalues so near each other, relative to the norm, share a space of eigenvectors

STEPS = Table(
    "steps",
    (
        Column("step", dtype="u4"),
        Column("power", description="residual |A v - lambda v| / |A|; NaN after the iteration's end",
               digital=1e-6),
        Column("inverse", description="as power", digital=1e-6),
        Column("davidson", description="as power", digital=1e-3),
        Column("without_chip", description="Davidson's method without INV: Lanczos's subspace", digital=1e-3),
    ),
    title="Residuals",
)  # fmt: skip
ANGLES = Table(
    "angles",
    (
        Column("step", dtype="u4"),
        Column("power", "rad", description="angle to LAPACK's eigenvector; NaN after the iteration's end",
               digital=1e-6),
        Column("inverse", "rad", description="as power", digital=1e-6),
        Column("davidson", "rad", description="as power", digital=1e-3),
        Column("without_chip", "rad", description="Davidson's method without INV", digital=1e-3),
    ),
    title="Angles",
)  # fmt: skip
COMPONENTS = Table(
    "components",
    (
        Column("place", dtype="u4", description="place among the components, the largest of LAPACK's first"),
        Column("index", dtype="u4", description="of the component, from 0"),
        Column(
            "one_step", description="component after the first step of Davidson's iteration", digital=1e-6
        ),
        Column("davidson", description="component of the eigenvector found on the chip", digital=1e-7),
        Column("lapack", description="component of LAPACK's eigenvector", digital=1e-7),
    ),
    title="Eigenvector",
)


@dataclass(frozen=True)
class Spectrum:
    """A matrix, the shift, and the eigenvalue nearest to it as LAPACK finds it."""

    matrix: Floats
    shift: float
    value: float
    space: Floats  # (n, multiplicity): its eigenvectors, orthonormal
    dominant: bool  # whether no eigenvalue is larger in magnitude
    given: bool  # whether the shift was given, not estimated

    @property
    def scale(self) -> float:
        """Norm of the matrix."""
        return float(np.linalg.norm(self.matrix, 2))

    def signed(self, vector: Floats) -> Floats:
        """Return a vector with the sign that makes the sum of its eigenspace's part positive."""
        return vector if float((self.space @ (self.space.T @ vector)).sum()) >= 0.0 else -vector

    def angle(self, vector: Floats) -> float:
        """Return the angle between a vector and the eigenspace, rad."""
        return angle(vector, self.space @ (self.space.T @ vector))


class Eigenvector(Application[ApplicationResult]):
    """Find the dominant eigenpair of a matrix, or that nearest to a shift, with INV and MVM."""

    title: ClassVar[str] = "Eigenvector"
    leading: ClassVar[tuple[str, ...]] = ("matrix", "steps", "bits")
    held: ClassVar[str] = "matrix less the shift"
    seed = None  # type: ignore[assignment] # nothing is drawn

    matrix: Parameter[Any] = Parameter("Matrix or graph, a sample's name or a file", default="florentine")
    shift = FloatParameter("Shift near the eigenvalue asked for, the dominant one's unless given",
                           minimum=-1e12, maximum=1e12)  # fmt: skip
    steps = IntegerParameter("Most steps of each iteration", minimum=1, maximum=1000, default=30)

    def check(self) -> Spectrum:
        """Read the matrix, choose the shift, and refuse one that is an eigenvalue itself."""
        super().check()
        matrix = _load(self.matrix)
        return _spectrum(matrix, None if self.shift is None else float(self.shift))

    def matrices(self, given: Spectrum) -> tuple[Floats, ...]:
        """Return A - s I."""
        return (given.matrix - given.shift * np.eye(len(given.matrix)),)

    def layout(self, plan: Prepared) -> Layout:
        """Declare residuals and angles over the steps, and the eigenvector."""
        given: Spectrum = plan.given
        asked = ReferenceLine(2.0 ** -int(self.bits), label=f"{self.bits} bits")
        figures = (
            Figure("residuals", table="steps", x="step", y=METHODS, y_scale="log", lines=(asked,),
                   title="Residual |A v - lambda v| / |A| over the steps"),
            Figure("angles", table="angles", x="step", y=METHODS, y_scale="log", title="Angle to LAPACK's eigenvector"),
            Figure("eigenvector", kind="scatter", table="components", x="place", y=("one_step", "davidson", "lapack"),
                   title="Components of the eigenvector"),
        )  # fmt: skip
        arrays = (
            Array("matrix", given.matrix, description="A"),
            Array("eigenvector", np.full(len(given.matrix), np.nan), description="found on the chip"),
        )
        return Layout((MATRICES, STEPS, ANGLES, COMPONENTS), (), arrays, default="steps", figures=figures)

    def in_use(self, plan: Prepared) -> dict[str, tuple[float | str, str]]:
        """Return the shift beside the settings of write-verify."""
        given: Spectrum = plan.given
        return dict(super().in_use(plan)) | {
            "shift": (given.shift, f"beside {ROUGH_STEPS} digital products'")
        }

    def run_title(self) -> str:
        """Return the name of the matrix."""
        return f"Eigenvector of {name_of(self.matrix, 'a matrix')}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold A - s I once, and iterate with it in three ways."""
        given: Spectrum = plan.given
        start = _start(len(given.matrix))
        tolerance = 2.0 ** -int(self.bits)
        with self.holding(plan, bench, stream) as chip:
            chip_matrix = chip.hold(given.matrix - given.shift * np.eye(len(given.matrix)))
            if not chip_matrix.products_on_chip:
                stream.say(
                    "the matrix is larger than a loop: its products are taken in float64, and power iteration with them",
                    "WARNING",
                )
            runs = _iterate(given, chip_matrix, start, int(self.steps), tolerance)
            _count(chip, given, runs, tolerance)
            costs, encoding = chip.costs(), chip_matrix.summary()["encoding"]
        costs["without_chip"]["method"] = "davidson"
        _record(stream, given, runs)
        best = runs["davidson"][-1]
        if best.residual > tolerance:
            stream.say(
                f"Davidson's iteration ended at a residual of {best.residual:.2g} after {len(runs['davidson'])} steps; "
                f"{tolerance:.2g} was asked for (bits, steps)",
                "WARNING",
            )
        return ApplicationResult.of({
            "eigenvalue": best.value, "eigenvalue_lapack": given.value,
            "value_error": abs(best.value - given.value) / given.scale, "residual": best.residual,
            "angle": (given.angle(best.vector), "rad"), "converged": best.residual <= tolerance,
            "dominant": given.dominant, "multiplicity": given.space.shape[1], "shift": given.shift,
            "products_from": "analogue" if chip_matrix.products_on_chip else "float64",
            **{f"{name}_steps": len(steps) - 1 for name, steps in runs.items()},
            **{f"{name}_residual": min(one.residual for one in steps) for name, steps in runs.items()},
            **{
                f"{name}_angle": (min(given.angle(one.vector) for one in steps), "rad")
                for name, steps in runs.items()
            },
            "one_step_angle": (given.angle(runs["davidson"][:2][-1].vector), "rad"), "encoding": encoding,
            **costs,
        })  # fmt: skip

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return how far eigenvalue and eigenvector are from LAPACK's."""
        return (
            f"eigenvalue within {summary['value_error']:.2g} of LAPACK's",
            f"vector within {quantity(summary['angle'], 'rad')}",
        )


def _iterate(
    given: Spectrum, chip_matrix: HeldMatrix, start: Floats, steps: int, tolerance: float
) -> dict[str, list[EigenStep]]:
    """Return the pairs of each method, from the same start."""
    matrix = given.matrix
    with chip_matrix.showing():  # the answer is Davidson's
        shown = {
            "power": power_iteration(
                matrix, lambda v: chip_matrix.multiply(v) + given.shift * v, start, steps, tolerance
            ),
            "inverse": inverse_iteration(
                matrix, lambda v: chip_matrix.solve(v).solutions, start, steps, tolerance
            ),
        }
    return shown | {
        name: davidson(matrix, invert, start, steps, tolerance, given.shift)
        for name, invert in (("davidson", chip_matrix.invert), (UNAIDED, lambda residual: residual))
    }


def _count(
    chip: MatrixHolder, given: Spectrum, iterations: dict[str, list[EigenStep]], tolerance: float
) -> None:
    """Count Davidson's method with INV and without it, and LAPACK's solver."""
    aided, unaided = (
        (len(iterations[name]), iterations[name][-1].residual <= tolerance) for name in ("davidson", UNAIDED)
    )
    size = len(given.matrix)
    chip.add_worth(worth_of(davidson_work, size, aided, unaided, size))
    chip.beside.digital["beside"] += ROUGH_STEPS * size**2
    symmetric = np.array_equal(given.matrix, given.matrix.T)
    chip.replace_direct(eigenvalues_by_qr(size, symmetric), 1)


def _record(stream: Stream, given: Spectrum, iterations: dict[str, list[EigenStep]]) -> None:
    longest = max(map(len, iterations.values()))
    for table, value in (
        ("steps", lambda one: one.residual), ("angles", lambda one: given.angle(one.vector)),
    ):  # fmt: skip
        columns = {
            name: np.array([value(one) for one in steps] + [np.nan] * (longest - len(steps)))
            for name, steps in iterations.items()
        }
        stream.record_block(table, {"step": np.arange(longest)} | columns)
    vector = given.signed(iterations["davidson"][-1].vector)
    one_step = given.signed(iterations["davidson"][:2][-1].vector)
    reference = given.space @ (given.space.T @ vector)
    reference = reference / np.linalg.norm(reference)
    stream.set_array("eigenvector", vector)
    order = np.argsort(-reference, kind="stable")
    record_rows(
        stream, "components", place=np.arange(1, len(vector) + 1), index=order, one_step=one_step[order],
        davidson=vector[order], lapack=reference[order],
    )  # fmt: skip


def _start(size: int) -> Floats:
    """Return the start of all iterations: ones, and a little more, lest an eigenvector be orthogonal by symmetry."""
    return np.asarray(1.0 + 0.1 * np.cos(np.arange(size)), dtype=np.float64)


def _load(source: Any) -> Floats:
    if isinstance(source, str) and source in sample_graphs():
        return load_graph(source).weights
    matrix = real_matrix(
        source,
        "the matrix is complex; an eigenpair is found of real ones: give its real form [[Re, -Im], [Im, Re]]",
        square=True,
    )
    if len(matrix) < 2:
        raise InputError("the matrix has one row; its eigenvalue is its entry")
    return matrix


def _spectrum(matrix: Floats, shift: float | None) -> Spectrum:
    """Return the shift and the eigenvalue nearest to it.

    Raises `InputError`: for a matrix of zeros, a shift that is an eigenvalue, and a complex eigenvalue.
    """
    scale = float(np.linalg.norm(matrix, 2))
    if scale == 0.0:
        raise InputError("the matrix is zero; every vector is an eigenvector")
    given = shift is not None
    near = _estimate(matrix) if shift is None else shift
    least = float(np.linalg.svd(matrix - near * np.eye(len(matrix)), compute_uv=False)[-1])
    if least <= SINGULAR * scale:
        raise InputError(
            f"the shift {near:.10g} is an eigenvalue of the matrix: A - s I has no inverse and cannot be held; give one "
            f"beside it, such as {near + BESIDE * (abs(near) or scale):.6g}"
        )
    values, vectors = np.linalg.eig(matrix)
    place = int(np.argmin(np.abs(values - near)))
    value = values[place]
    if abs(value.imag) > MULTIPLE * scale:
        pair = f"{value.real:.6g} and {abs(value.imag):.6g} i"
        raise InputError(
            f"the eigenvalue nearest to {near:.6g} is one of a complex pair ({pair}); what is iterated here are real "
            "vectors: give a shift near a real eigenvalue"
        )
    same = np.abs(values - value) <= MULTIPLE * scale
    space, sizes, _ = np.linalg.svd(vectors[:, same].real, full_matrices=False)
    space = space[:, sizes > 1e-9 * sizes[0]]
    dominant = bool(np.abs(value) >= np.abs(values).max() - MULTIPLE * scale)
    return Spectrum(matrix, near, float(value.real), space, dominant, given)


def _estimate(matrix: Floats) -> float:
    """Return a shift a little beyond the dominant eigenvalue, from some products in float64."""
    vector = _start(len(matrix))
    for _ in range(ROUGH_STEPS):
        product = matrix @ vector
        length = float(np.linalg.norm(product))
        if not length > 0.0:
            break
        vector = product / length
    value = float(vector @ (matrix @ vector)) / float(vector @ vector)
    size = max(abs(value), float(np.linalg.norm(matrix @ vector)) / float(np.linalg.norm(vector)))
    return (1.0 + BESIDE) * (size if value >= 0.0 else -size)
