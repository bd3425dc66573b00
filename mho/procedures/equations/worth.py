"""What a chip was worth in a solve: its cycles and its digital work beside those of the same solve without it.

Multiplications are those that the chip stands for, and those done digitally, by kind. A number of them is what the
operation takes in float64, to its leading order. An INV of n lines stands for n^2, a product with a stored inverse; an
MVM of n x n, with all its slices and bits, for n^2, a product with the matrix. Integers that are shifted and added into
a product are additions and not counted. What an application does "beside" its solves is the same with a chip and
without it.

Krylov methods need no preconditioner: around residuals in float64 GCR ends within about as many cycles as there are
unknowns, whatever INV makes of a residual. What a chip is worth is told by the cycles that it saves of these, so every
solve is done once more with the residual itself in INV's place: in the same form of the matrix (rows exchanged, rows and
columns scaled), for the same right-hand side, until the same certificate.

A chip must be held against a direct digital solve, too, by the factorisation that takes fewest multiplications. Column k of
a triangle has c_k entries beside its diagonal. A factorisation L L^T (or L D L^T) takes c + c (c + 1) / 2
multiplications and divisions a column, L U takes c + c c'; a right-hand side takes two triangular solves (Golub and Van
Loan, sections 3.2, 4.2; of sparse matrices Davis, Direct Methods for Sparse Linear Systems, section 4). A product of two
complex numbers is four.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import MAX_BITS, FixedPoint
from mho.chip_maps.preconditioning import Preconditioning
from mho.procedures.equations.algorithms.refinement import (
    ConjugateResiduals,
    Method,
    directions,
    method_name,
    refine,
    unit_of,
)
from mho.procedures.equations.certificates.certificate import is_positive_definite, norm
from mho.procedures.equations.planning.linear_system import LinearSystem

OnChip = Literal["inversions", "products"]
Digital = Literal[
    "products", "residual", "orthogonalisation", "cell errors", "Schur complements", "certificate",
    "preconditioning", "beside",
]  # fmt: skip

EXACT = 6
"""Multiplications a double takes in a product without rounding errors (Dekker): itself, two halves, four parts of these."""


class Work:
    """Counts multiplications.

    Attributes
    ----------
    chip, digital : Counter
        By kind, the names of `OnChip` and `Digital`.
    """

    def __init__(self) -> None:
        self.chip: Counter[OnChip] = Counter()
        self.digital: Counter[Digital] = Counter()

    def __add__(self, other: Work) -> Work:
        """Return the work of both."""
        both = Work()
        both.chip, both.digital = self.chip + other.chip, self.digital + other.digital
        return both

    @property
    def share_on_chip(self) -> float | None:
        """Share of all multiplications that the chip does; None of none at all."""
        chip, digital = self.chip.total(), self.digital.total()
        return chip / (chip + digital) if chip + digital else None

    def plain(self) -> dict[str, Any]:
        """Return the numbers by name, for a run's result."""
        return {
            "chip": {kind: int(count) for kind, count in sorted(self.chip.items())},
            "digital": {kind: int(count) for kind, count in sorted(self.digital.items())},
            "share_on_chip": self.share_on_chip,
        }


Verdict = Literal["saved", "saved nothing", "contributed nothing", "needed", "unknown"]

INDEPENDENT = 0.003
"""Singular value, relative to the largest, down to which normalised residuals count as independent of each other: what is
below is the noise of INV."""


def contraction_of(residuals: Sequence[Floats], remainders: Sequence[Floats]) -> float | None:
    """Return the largest Ritz value's magnitude of M = I - A A0^-1 over the residuals that INV was asked for.

    INV(r) of a known r, multiplied by A, leaves r - A INV(r) = M r. Over the span of several r the eigenvalues of M's
    projection are near its outermost ones, as those of Arnoldi's method; unlike the factor by which a Krylov method
    reduces the residual, they are the loop's own. Of one r it is |M r| / |r|. `residuals`, `remainders`, sequences of
    (n,): r and M r. None without any residual.
    """
    known = [
        (one, other, size) for one, other in zip(residuals, remainders, strict=True) if (size := norm(one))
    ]
    if not known:
        return None
    basis = np.stack([one / size for one, _, size in known], axis=1)
    images = np.stack([other / size for _, other, size in known], axis=1)
    if len(known) == 1:
        return norm(images[:, 0])
    left, sizes, right = np.linalg.svd(basis, full_matrices=False)
    independent = sizes > INDEPENDENT * sizes[0]
    projected = left[:, independent].T @ images @ (right[independent].T / sizes[independent])
    return float(np.abs(np.linalg.eigvals(projected)).max()) if np.isfinite(projected).all() else None


@dataclass(frozen=True)
class SampledWorth:
    """What a chip was worth: sampled right-hand sides with it and without it; of several matrices added up.

    Attributes
    ----------
    cycles : tuple of int or None
        Of the same right-hand sides with the chip; None where the goal was not met.
    work : Work
        Of all right-hand sides with the chip.
    digital_without : int
        Multiplications of all right-hand sides without the chip, their certificates included.
    most, allowed : int
        Cycles allowed without the chip, and with it.
    lost : bool
        Whether every loop is worth nothing: it contracts no error, or most of its cells are outside their windows.
    method, same_method
        As those of an `UnaidedBaseline`; cycles of the same method are those of the solves where left out.
    """

    solves: tuple[UnaidedSolve, ...] = ()
    cycles: tuple[int | None, ...] = ()
    work: Work = field(default_factory=Work)
    digital_without: int = 0
    most: int = 0
    allowed: int = 0
    lost: bool = True
    method: Method = "gcr"
    same_method: tuple[int | None, ...] | None = None

    def __add__(self, other: SampledWorth) -> SampledWorth:
        """Return both together."""
        return SampledWorth(
            self.solves + other.solves, self.cycles + other.cycles, self.work + other.work,
            self.digital_without + other.digital_without, max(self.most, other.most),
            max(self.allowed, other.allowed), self.lost and other.lost,
        )  # fmt: skip

    def worth(self, beside: int = 0) -> SampledWorth | None:
        """Return it with `beside` digital multiplications that are the same without the chip.

        None where nothing was refined on it.
        """
        work = self.work + Work()
        work.digital["beside"] = beside
        without = self.digital_without + beside
        return replace(self, work=work, digital_without=without) if self.solves else None

    @property
    def without(self) -> tuple[int | None, ...]:
        """Cycles of each sampled right-hand side without the chip; None where the goal was not met."""
        return tuple(one.cycles for one in self.solves)

    @property
    def saved(self) -> float | None:
        """Cycles saved a right-hand side, in the mean; at least so many where it is not solved without the chip.

        None where a right-hand side is not solved with the chip.
        """
        if None in self.cycles:
            return None
        count, without = len(self.cycles), [self.most if one is None else one for one in self.without]
        return sum(without) / count - sum(one or 0 for one in self.cycles) / count

    @property
    def verdict(self) -> Verdict:
        """Whether the chip saved cycles; "needed" where nothing converges without it in as many as were allowed."""
        if (
            None in self.cycles
        ):  # the chip was allowed fewer cycles, so that more of them without it say nothing
            fewer = all(one is not None and one <= self.allowed for one in self.without)
            return "saved nothing" if fewer else "unknown"
        if None in self.without:
            return "needed"
        if (self.saved or 0.0) > 0.0:
            return "saved"
        return "contributed nothing" if self.lost else "saved nothing"

    def in_words(self) -> str:
        """Return it as a part of a run's line."""
        with_it, without = _mean(self.cycles), _mean(self.without)
        return {
            "saved": f"{with_it} cycles, {without} without the chip",
            "needed": f"{with_it} cycles, more than {self.most} without the chip",
            "saved nothing": (
                f"without the chip {without} cycles do"
                if None in self.cycles
                else f"the chip saved no cycle ({with_it}, {without} without it)"
            ),
            "contributed nothing": f"the chip contributed nothing ({with_it} cycles, {without} without it)",
            "unknown": f"without the chip {without} cycles do"
            if None not in self.without
            else f"nor does it without the chip in {self.most} cycles",
        }[self.verdict]

    def plain(self) -> dict[str, Any]:
        """Return the numbers by name, for a run's result; cycles are means over right-hand sides, None of one not met."""
        digital, unmet = self.work.digital.total(), None in self.cycles or None in self.without
        same = self.without if self.same_method is None else self.same_method
        return {
            "verdict": self.verdict, "method": method_name(self.method), "right_hand_sides": len(self.cycles),
            "cycles_with": _mean_or_none(self.cycles), "cycles": _mean_or_none(self.without),
            "cycles_same_method": _mean_or_none(same), "most_cycles": self.most,
            "saved": self.saved,
            "cycles_ratio": _ratio(_mean_or_none(self.cycles), _mean_or_none(self.without)),
            "digital_with": digital, "digital": self.digital_without,
            "digital_ratio": None if unmet else _ratio(digital, self.digital_without),
        }  # fmt: skip


def _mean(cycles: Sequence[int | None]) -> str:
    mean = _mean_or_none(cycles)
    return "more" if mean is None else f"{mean:.4g}"


def _mean_or_none(cycles: Sequence[int | None]) -> float | int | None:
    known = [one for one in cycles if one is not None]
    if len(known) < len(cycles) or not known:
        return None
    return known[0] if len(known) == 1 else sum(known) / len(known)


def _ratio(with_it: float | None, without: float | None) -> float | None:
    return with_it / without if with_it is not None and without else None


MOST_COLUMNS = 4  # right-hand sides that are solved without the chip; of more, as many evenly spaced ones

STOOD_STILL = 1e-6
"""Share of the residual by which it must change, lest the next direction be the last one's product: of a skew matrix the
residual is no direction in which it falls, and GCR would stop where GMRES goes on (as in Orthodir)."""


CLEAR = 1e-12
"""Residual, relative to the largest entry and the solution, above which float64 tells it as well as an exact sum."""


@dataclass(frozen=True)
class UnaidedSolve:
    """One right-hand side solved without the chip.

    Attributes
    ----------
    cycles : int or None
        Until the goal was met; None where it was not met in as many as were allowed.
    curve : list of dict
        Of each cycle ``rhs``, ``cycle``, ``residual`` (relative) and ``relative_error`` to the reference.
    solution : (N,) array
        Of the square system, as given.
    recomputed : int
        Residuals that were taken from the solution, not carried along.
    """

    column: int
    cycles: int | None
    curve: list[dict[str, float]] = field(repr=False)
    work: Work
    solution: Floats = field(default_factory=lambda: np.empty(0), repr=False)
    recomputed: int = 0


def sampled_columns(columns: Sequence[int]) -> list[int]:
    """Return the right-hand sides that stand for all: evenly spaced, the first and the last among them."""
    if len(columns) <= MOST_COLUMNS:
        return list(columns)
    return [columns[place] for place in np.linspace(0, len(columns) - 1, MOST_COLUMNS).round().astype(int)]


def solve_unaided(
    system: LinearSystem, form: Preconditioning, matrix: Floats, column: int, method: Method, most: int
) -> UnaidedSolve:
    """Refine one right-hand side with the residual itself as the correction.

    Parameters
    ----------
    form : Preconditioning
        The form in which the chip holds the matrix.
    matrix : (N, N) array
        The matrix in that form, in float64.
    method : str or class
        As `Solve`'s.
    most : int
        Cycles allowed.
    """
    # GCR keeps all directions, and may pause until its last cycle.
    work, way = Work(), ConjugateResiduals(most, patience=most) if method == "gcr" else directions(method)
    size = matrix.size
    largest = float(np.abs(matrix).max())
    directed = _Directed(unit_of(largest))

    def multiply(vector: FixedPoint) -> Floats:
        work.digital["products"] += size
        return directed.remember(np.asarray(matrix @ vector.values))

    rhs = form.equations(system.rhs[:, column])

    def measure(residual: Floats) -> float:
        return system.measure(form.given_equations(residual))

    def enough(unknowns: Floats, size: float) -> bool:
        return system.good_enough(form.solution(unknowns), size, column)

    recomputed = 0

    def recompute(unknowns: Floats) -> Floats:
        nonlocal recomputed
        recomputed += 1
        work.digital["residual"] += size
        plain = np.asarray(rhs - matrix @ unknowns)
        # Products here are right to float64, so that the exact residual is wanted where the goal or rounding is near.
        if norm(plain) > CLEAR * largest * norm(unknowns) and not enough(unknowns, measure(plain)):
            return plain
        work.digital["residual"] += EXACT * system.certifier.residual_size
        return form.equations(system.residual(form.solution(unknowns), column))

    curve = []
    end, solution = "", np.zeros(system.size)
    reference = system.reference[:, column]
    length = norm(reference) or 1.0
    for cycle in refine(
        rhs,
        directed,
        multiply,
        recompute,
        enough,
        method=way,
        correction_bits=MAX_BITS,
        max_cycles=most,
        measure=measure,
    ):
        end, solution = cycle.end, form.solution(cycle.solution)
        error = norm(system.unknowns(solution) - reference) / length
        residual = cycle.carried if np.isnan(cycle.recomputed) else cycle.recomputed
        curve.append({"rhs": column, "cycle": cycle.number, "residual": residual, "relative_error": error})
    work.digital["orthogonalisation"] += way.multiplications
    work.digital["preconditioning"] += 2 * len(matrix) * len(curve)
    cycles = len(curve) if end == "converged" else None
    return UnaidedSolve(column, cycles, curve, work, solution, recomputed)


class _Directed:
    """The correction without a chip: the residual, or the last product where the residual stood still.

    `unit`: of the matrix: a power of two by which corrections are divided, lest their products leave the range of a
    double.
    """

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._before: Floats | None = None
        self._product: Floats | None = None

    def __call__(self, residual: Floats) -> Floats:
        before, self._before = self._before, residual
        stood = before is not None and norm(residual - before) <= STOOD_STILL * norm(residual)
        direction = self._product if stood and self._product is not None else residual
        return direction / self._unit

    def remember(self, product: Floats) -> Floats:
        """Keep a product, and return it."""
        self._product = product
        return product


@dataclass(frozen=True)
class UnaidedBaseline:
    """Sampled right-hand sides with the chip and without it."""

    method: Method  # the one that needs fewest cycles without the chip: that of the solve, or GCR
    solves: tuple[UnaidedSolve, ...]  # by that method
    # Cycles of the solve's own method without INV, of the first of them alone where GCR took fewer for that
    same_method: tuple[int | None, ...]

    @classmethod
    def of(
        cls, method: Method, unaided: Callable[[int, Method], UnaidedSolve], columns: Sequence[int]
    ) -> UnaidedBaseline:
        """Solve sampled columns by the solve's method or by GCR, whichever takes fewer cycles for the first of them.

        `unaided`: column and method -> the solve without the chip.
        """
        first, *others = columns
        best, solve = method, unaided(first, method)
        same = solve.cycles
        if method != "gcr":
            krylov = unaided(first, "gcr")
            if (krylov.cycles or np.inf) < (solve.cycles or np.inf):
                best, solve = "gcr", krylov
        solves = (solve, *(unaided(column, best) for column in others))
        return cls(best, solves, tuple(one.cycles for one in solves) if best == method else (same,))


def mean_digital(solves: Sequence[UnaidedSolve]) -> float:
    """Return the digital multiplications of a right-hand side, in the mean; 0 of none."""
    return sum(one.work.digital.total() for one in solves) / len(solves) if solves else 0.0


SPARSE = 0.5  # share of entries up to which a sparse factorisation is tried

Order = Literal["COLAMD", "MMD_AT_PLUS_A"]
ORDERS: tuple[Order, ...] = ("COLAMD", "MMD_AT_PLUS_A")
"""Orders of columns that SuperLU finds, the second for matrices of a symmetric pattern."""

MANY = 99.5  # ratio from which on it is written out in whole numbers


@dataclass(frozen=True)
class DirectSolve:
    """A factorisation.

    Attributes
    ----------
    method : str
        "Cholesky", "LDL" or "LU", behind "sparse" where entries of zero are left out.
    once, each : int
        Multiplications of the factorisation, and of a right-hand side.
    """

    method: str
    once: int
    each: int

    def work(self, count: int) -> int:
        """Return the multiplications of so many right-hand sides."""
        return self.once + count * self.each


@dataclass(frozen=True)
class DirectWork:
    """Direct digital solves of all that a chip solved.

    Attributes
    ----------
    methods : tuple of str
        Of the factorisations, each once.
    """

    methods: tuple[str, ...] = ()
    multiplications: int = 0

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.multiplications)

    def plus(self, way: DirectSolve, count: int) -> DirectWork:
        """Return it with a factorisation and so many right-hand sides more; nothing where there is none."""
        if not count:
            return self
        return DirectWork(
            tuple(dict.fromkeys((*self.methods, way.method))), self.multiplications + way.work(count)
        )

    def plain(self, beside: int, with_chip: int) -> dict[str, Any]:
        """Return the numbers by name, for a run's result.

        Parameters
        ----------
        beside, with_chip : int
            Digital multiplications that it takes as well, and those with the chip; of either without the certificate.
        """
        method, every = " and ".join(self.methods), self.multiplications + beside
        ratio = with_chip / every
        times = f"{ratio:.2g}" if ratio < MANY else f"{ratio:,.0f}"
        return {
            "method": method, "digital": every, "digital_with": with_chip, "digital_ratio": ratio,
            "in_words": f"{times} times the digital multiplications of {method}",
        }  # fmt: skip


def solve_directly(matrix: NDArray[Any]) -> DirectSolve:
    """Return the factorisation of a regular matrix (n, n) that takes the fewest multiplications for one right-hand side."""
    symmetric = np.array_equal(matrix, matrix.conj().T)
    name = ("Cholesky" if is_positive_definite(matrix) else "LDL") if symmetric else "LU"
    dense = np.arange(len(matrix))
    ways = [_counted(name, dense, dense, matrix, symmetric)]
    if np.count_nonzero(matrix) <= SPARSE * matrix.size and name != "LDL":
        ways += [
            _counted(f"sparse {name}", *_sparse_triangles(matrix, symmetric, order), matrix, symmetric)
            for order in ORDERS[symmetric:]
        ]
    return min(ways, key=lambda one: one.work(1))


def _counted(
    method: str, lower: NDArray[np.int64], upper: NDArray[np.int64], matrix: NDArray[Any], symmetric: bool
) -> DirectSolve:
    """Return the count of a factorisation with so many entries beside the diagonal in each column of L and row of U."""
    product = 4 if np.iscomplexobj(matrix) else 1
    update = lower * (lower + 1) // 2 if symmetric else lower * upper
    each = int(lower.sum() + (lower if symmetric else upper).sum()) + len(matrix) * (1 + symmetric)
    return DirectSolve(method, product * int((lower + update).sum()), product * each)


def _sparse_triangles(
    matrix: NDArray[Any], symmetric: bool, order: Order
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries beside the diagonal in each column of L and row of U, columns in an order of little fill-in."""
    from scipy.sparse import csc_array  # takes a tenth of a second to import
    from scipy.sparse.linalg import splu

    # A positive definite matrix needs no exchange of rows, which would leave its symmetry.
    plain: dict[str, Any] = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    factors = splu(csc_array(matrix), permc_spec=order, **(plain if symmetric else {}))
    below = np.diff(factors.L.tocsc().indptr) - 1
    beside = np.diff(factors.U.tocsr().indptr) - 1
    return below.astype(np.int64), beside.astype(np.int64)


def worth_in_numbers(total: SampledWorth, direct: DirectWork, beside: Work) -> dict[str, Any]:
    """Return the multiplications, and what the chip was worth beside the same solves without it and direct ones, by name.

    Parameters
    ----------
    beside : Work
        What there is beside the solves, with a chip and without it.
    """
    work, extra = total.work + beside, beside.digital.total()
    numbers: dict[str, Any] = {"multiplications": work.plain()}
    if (worth := total.worth(extra)) is not None:
        numbers["without_chip"] = worth.plain() | {"in_words": worth.in_words()}
    if direct:
        numbers["direct"] = direct.plain(extra, work.digital.total() - work.digital["certificate"])
    return numbers
