"""The systems A X = B of a solve, as real ones with their float64 solutions, and the goal that a solution must meet.

Where only residuals are asked for, nothing of order n^3 is computed: there are no float64 solutions then. A system with
more equations than unknowns is solved in the sense of least squares, by a square system in place of A: the normal
equations, or the augmented system.

    A^T A x = A^T b        or        [[a I, A], [A^T, 0]] (y, x) = (b, 0),   y = (b - A x) / a

The first is symmetric positive definite and as small as x, its condition number is that of A squared. The second has
m + n unknowns; with the scale of Bjorck (BIT 7, 1 (1967)) its condition number is about 1.4 times that of A. A Krylov
method around INV takes as many cycles as there are unknowns at most, so the normal equations are the faster way at any
condition number that lets the bits be proved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.matrix_files import (
    from_real_vector,
    load_matrix,
    load_right_hand_sides,
    to_real,
    to_real_vector,
)
from mho.chip_maps.multiply_encoding import PEAKS, encode_multiply
from mho.errors import InputError
from mho.procedures.equations.certificates.certificate import (
    Certificate,
    Certifier,
    ResidualCertifier,
    dependent_rows_in_words,
    norm,
)
from mho.procedures.equations.certificates.least_squares_certificate import (
    AugmentedCertifier,
    NormalCertifier,
    exact_gradient,
    full_rank,
)

LeastSquaresForm = Literal["normal", "augmented"]

FORM_NAMES: dict[LeastSquaresForm, str] = {"normal": "normal equations", "augmented": "augmented system"}
FORMS: tuple[LeastSquaresForm, ...] = tuple(FORM_NAMES)


@dataclass(frozen=True)
class SquareForm:
    """A least-squares problem as a square system."""

    form: LeastSquaresForm  # "normal" or "augmented"
    why: str  # why this form, in words
    condition: float  # condition number of A
    # matrix, rhs: (N, N), (N, k): the system
    matrix: Floats
    rhs: Floats
    certifier: Certifier  # of solutions of the system, for A as given
    certified_rhs: Floats  # (m or N, k): the right-hand sides from which `certifier` takes residuals
    zeros: NDArray[np.bool_]  # (k,): for which right-hand sides A^T b is exactly zero, and with it x

    def bits(self, reference: Floats) -> float:
        """Return the bits that can be proved of the solutions near `reference`, (n, k), in float64."""
        solutions = [
            self._whole(x, b)
            for x, b, zero in zip(reference.T, self.certified_rhs.T, self.zeros, strict=True)
            if not zero
        ]
        return min((self.certifier.provable_bits_of(one) for one in solutions), default=np.inf)

    def plain(self) -> dict[str, Any]:
        """Return form, its name in words, why it was chosen, and the condition number of A, for the run file."""
        return {
            "form": self.form, "system": FORM_NAMES[self.form], "why": self.why, "condition": self.condition,
        }  # fmt: skip

    def _whole(self, x: Floats, rhs: Floats) -> Floats:
        if not isinstance(self.certifier, AugmentedCertifier):
            return x
        rows = len(self.matrix) - len(x)
        scale, matrix = self.certifier.scale, self.matrix[:rows, rows:]
        return np.concatenate([(rhs[:rows] - matrix @ x) / scale, x])


def square_form(matrix: Floats, rhs: Floats, reference: Floats, choice: str, bits: float) -> SquareForm:
    """Return the square system by which least squares are solved: of the two the smaller that lets the bits be proved.

    `matrix`, `rhs` (m, n), (m, k): A and B, real, m > n. `reference` (n, k): about the solutions. `choice`: "auto",
    "normal" or "augmented". `bits`: bits that are to be proved; 0 for none. Raises `InputError` for columns that
    depend on others, and for more bits than can be proved of a solution in float64.
    """
    largest, smallest = full_rank(matrix)
    condition, most = largest / smallest, 0.0
    forms = [form for form in FORMS if choice in ("auto", form)]
    for form in forms:
        square = _made(form, matrix, rhs, condition)
        provable = square.bits(reference)
        if provable >= bits or (bits == 0 and form == forms[-1]):
            return replace(square, why=_why(form, choice, condition))
        most = max(most, provable)
    raise InputError(
        f"{bits:g} bits cannot be had of least squares with a condition number of {condition:.3g}: a solution in float64 "
        f"can be proved to {int(most)}; ask for no more, or for a tolerance of the residual"
        + ("" if choice == "auto" else ", or choose the form by itself (least_squares = auto)")
    )


def _why(form: LeastSquaresForm, choice: str, condition: float) -> str:
    if choice != "auto":
        return "as asked"
    squared = f"{condition**2:.3g}, the condition number of A^T A,"
    return (
        f"{squared} lets the bits be proved, and it is the smaller system"
        if form == "normal"
        else f"{squared} would let fewer bits be proved"
    )


def _made(form: LeastSquaresForm, matrix: Floats, rhs: Floats, condition: float) -> SquareForm:
    columns, count = matrix.shape[1], rhs.shape[1]
    gradients = np.stack([exact_gradient(matrix, np.zeros(columns), column) for column in rhs.T], axis=1)
    zeros = np.all(gradients == 0.0, axis=0)
    if form == "normal":
        return SquareForm(
            form, "", condition, matrix.T @ matrix, gradients, NormalCertifier(matrix), rhs, zeros
        )
    certifier = AugmentedCertifier(matrix)
    whole = np.concatenate([rhs, np.zeros((columns, count))])
    return SquareForm(form, "", condition, certifier.augmented, whole, certifier, whole, zeros)


Proof = Literal["proved", "residual"]

PROOFS: tuple[Proof, ...] = get_args(Proof)
"""What a certificate rests on: a proved bound of ||A^-1||, or the residual and what n^2 operations prove beside it."""

DIGIT_BITS = 3  # bits per cell, until the chip's number of levels is known


@dataclass(frozen=True)
class Goal:
    """The goal of a solution: `bits`, or a `tolerance` of its residual where one is given."""

    bits: int
    tolerance: float | None

    def met(self, certificate: Certificate) -> bool:
        """Return whether a solution with this certificate meets the goal."""
        if self.tolerance is not None:
            return bool(certificate.relative_residual <= self.tolerance)
        return bool(certificate.bits >= self.bits)

    def reached(self, certificate: Certificate) -> str:
        """Return the precision that a solution reached, in words."""
        if self.tolerance is None:
            return f"{certificate.bits:.1f} of {self.bits} bits are proved"
        return f"the residual is {certificate.relative_residual:.2e}, the tolerance {self.tolerance:g}"

    def of_residual(self) -> Goal:
        """Return the goal with a tolerance, 2^-bits where none is given."""
        return self if self.tolerance is not None else replace(self, tolerance=2.0**-self.bits)


@dataclass(frozen=True)
class LinearSystem:
    """A X = B for one or several right-hand sides, and their goal.

    Attributes
    ----------
    given_matrix, given_rhs : arrays
        A and B as given, real or complex; B is (m,) or (m, k), m = n but for least squares.
    matrix, rhs : (N, N), (N, k) arrays
        The systems as real ones, a right-hand side a column: A and B, or a square form of least squares.
    reference : (n, k) array
        The solutions X of A X = B in float64, as real ones; NaN where only residuals are asked for.
    digits : int
        Approximate number of cells that the matrix takes in slices, without zeros.
    square_form : SquareForm or None
        Of least squares; None where A is square.
    """

    given_matrix: NDArray[Any]
    given_rhs: NDArray[Any]
    matrix: Floats
    rhs: Floats
    reference: Floats
    digits: int
    certifier: Certifier
    goal: Goal
    square_form: SquareForm | None = None

    @classmethod
    def load(
        cls, matrix: Any, rhs: Any, seed: int, goal: Goal, count: int | None = None,
        least_squares: str = "auto", proof: Proof = "proved",
    ) -> LinearSystem:  # fmt: skip
        """Read matrix and right-hand sides, and refuse a system without a solution that could meet the goal.

        Parameters
        ----------
        matrix, rhs
            As `load_matrix` and `load_right_hand_sides` take them.
        seed : int
            Seed of random right-hand sides.
        count : int, optional
            Number of random right-hand sides; one where left out.
        least_squares : str
            "auto", "normal" or "augmented": by which square system one of more rows than columns is solved.
        proof : str
            One of `PROOFS`. With "residual" the goal is one of the residual.

        Raises
        ------
        InputError
            For a file that cannot be read, a system that is singular or too large, more unknowns than equations, or more
            bits than float64 holds.
        """
        given = load_matrix(matrix, square=False)
        rows, columns = given.shape
        if rows < columns:
            raise InputError(
                f"the matrix has {rows} rows and {columns} columns, fewer equations than unknowns, so the solution is not "
                "unique; add equations (more rows than columns are solved by least squares)"
            )
        given_rhs = load_right_hand_sides(
            rhs, len(given), np.random.default_rng(seed), complex_values=np.iscomplexobj(given), count=count
        )
        a, b = to_real(given), to_real_vector(given_rhs.T).T
        b = b.reshape(len(b), -1)
        _check_peaks("matrix", a.reshape(-1, 1), np.array([not a.any()]))
        if rows == columns:
            return cls._square(given, given_rhs, a, b, goal, proof)
        if proof == "residual":
            raise InputError(
                f"the matrix has {rows} rows and {columns} columns, and least squares need its singular values, which "
                "is of order n^3: give certificate = proved, or a square system"
            )
        peak, zeros = float(np.abs(a).max()) or 1.0, np.all(b == 0.0, axis=0)
        _check_peaks("right-hand side", b, zeros)
        with np.errstate(over="ignore"):  # the gradient A^T b is summed exactly
            _check_peaks("right-hand side times the matrix", b * peak, zeros)
            _check_peaks("solution", b / peak, zeros)
        reference = np.asarray(np.linalg.lstsq(a, b, rcond=None)[0], dtype=np.float64)
        form = square_form(a, b, reference, least_squares, goal.bits if goal.tolerance is None else 0)
        # Next to a right-hand side that is orthogonal to all columns, rounding may leave a solution of zeros.
        _check_peaks("solution", reference, form.zeros | np.all(reference == 0.0, axis=0))
        digits = _digits(form.matrix, goal.bits)
        square = (form.matrix, form.rhs, reference, digits, form.certifier)
        return cls(given, given_rhs, *square, goal, form)

    @classmethod
    def _square(
        cls, given: NDArray[Any], given_rhs: NDArray[Any], a: Floats, b: Floats, goal: Goal, proof: Proof
    ) -> LinearSystem:
        if proof == "residual":
            _check_zeros(a)
        certifier = Certifier(a) if proof == "proved" else ResidualCertifier(a)
        unsolved = cls(given, given_rhs, a, b, b, _digits(a, goal.bits), certifier, goal)
        system = unsolved.for_right_hand_sides(b, given_rhs, goal)
        _check_peaks("right-hand side", b, system.zeros)
        solutions = system.reference
        if system.residual_only:  # the largest magnitude in each is so much at least
            with np.errstate(over="ignore"):
                solutions = np.abs(b).max(axis=0, keepdims=True) / np.abs(a).sum(axis=1).max()
        _check_peaks("solution", solutions, system.zeros)
        if goal.tolerance is None and not all(math.isfinite(certifier.measure(column)) for column in b.T):
            sizes = np.abs(a).max(axis=1)
            raise InputError(
                f"the rows of the matrix are of sizes between {sizes.min():.3g} and {sizes.max():.3g}, and made alike "
                "they take the right-hand side out of the range of float64; scale rows and right-hand side to like sizes"
            )
        return system

    def for_right_hand_sides(self, rhs: Floats, given_rhs: NDArray[Any], goal: Goal) -> LinearSystem:
        """Return the system of the same square matrix with other right-hand sides (n, k), and their goal.

        Raises
        ------
        InputError
            For a matrix that is singular, and more bits than float64 holds of one of the solutions.
        """
        if self.residual_only:
            reference, goal = np.full_like(rhs, np.nan), goal.of_residual()
        else:
            self.certifier.require(0.0)
            try:
                reference = np.asarray(np.linalg.solve(self.matrix, rhs), dtype=np.float64)
            except np.linalg.LinAlgError:  # rounding made a pivot zero, of a matrix that is barely regular
                reference = np.full_like(rhs, np.inf)
            if goal.tolerance is None or not np.isfinite(reference).all():
                self.certifier.require(goal.bits if goal.tolerance is None else 0, reference)
        return replace(self, rhs=rhs, given_rhs=given_rhs, reference=reference, goal=goal)

    @property
    def residual_only(self) -> bool:
        """Whether only residuals are asked for; an error bound may be proved all the same."""
        return isinstance(self.certifier, ResidualCertifier)

    @property
    def provable_bits(self) -> float:
        """Bits that can be proved of solutions in float64, given the residual that rounding leaves."""
        if self.square_form is not None or self.residual_only:
            return self.certifier.provable_bits
        return self.certifier.provable_bits_of_all(self.reference)

    @property
    def zeros(self) -> NDArray[np.bool_]:
        """For which right-hand sides (k,) the solution is exactly zero: those of zeros, or orthogonal to A's columns."""
        form = self.square_form
        return np.all(self.rhs == 0.0, axis=0) if form is None else form.zeros

    def zero(self, column: int) -> Floats:
        """Return the solution (N,) of the square system where x is zero."""
        if isinstance(self.certifier, AugmentedCertifier):  # its residual is all of b
            return self.rhs[:, column] / self.certifier.scale
        return np.zeros(self.size)

    def unknowns(self, solutions: Floats) -> Floats:
        """Return x, (n,) or (n, k), of solutions of the square system, (N,) or (N, k)."""
        return self.certifier.answer(solutions)

    def residual(self, solution: Floats, column: int) -> Floats:
        """Return the residual (N,) of a solution (N,) of the square system, from A and B as given."""
        form = self.square_form
        rhs = self.rhs if form is None else form.certified_rhs
        return self.certifier.residual(solution, rhs[:, column])

    @property
    def size(self) -> int:
        """Number of lines of the square real system."""
        return len(self.matrix)

    @property
    def count(self) -> int:
        """Number of right-hand sides."""
        return int(self.rhs.shape[1])

    @property
    def single(self) -> bool:
        """Whether the right-hand side was given as a vector."""
        return self.given_rhs.ndim == 1

    def columns_as_given(self, solutions: Floats) -> NDArray[Any]:
        """Convert solutions (n, k) of the real systems to the shape of the right-hand sides, complex where those are."""
        columns = from_real_vector(solutions.T).T if np.iscomplexobj(self.given_matrix) else solutions
        return columns[:, 0] if self.single else columns

    def largest_residual(self, solutions: Floats) -> float:
        """Return the largest magnitude in B - A X, of solutions (n, k) of a square A."""
        columns = range(self.count)
        residuals = np.stack([self.residual(solutions[:, column], column) for column in columns], axis=1)
        return float(np.abs(self.columns_as_given(residuals)).max())

    def certify(self, solution: Floats, residual: Floats, column: int) -> Certificate:
        """Return the certificate of a solution of one column, from its residual b - A x."""
        measured = self.certifier.measure(residual)
        return self.certifier.certify(solution, norm(residual), norm(self.rhs[:, column]), measured)

    def measure(self, residual: Floats) -> float:
        """Return the size of a residual b - A x in which the goal is judged: its norm, with scaled rows where bits are."""
        return norm(residual) if self.goal.tolerance is not None else self.certifier.measure(residual)

    def good_enough(self, solution: Floats, size: float, column: int) -> bool:
        """Return whether a solution with a residual of this size, as `measure` returns it, meets the goal."""
        rhs = norm(self.rhs[:, column])
        if self.goal.tolerance is not None:
            return self.goal.met(self.certifier.unproved(solution, size, rhs))
        return self.goal.met(self.certifier.certify(solution, math.inf, rhs, size))

    def exhausted(self, solution: Floats, residual: float) -> bool:
        """Return whether no solution in float64 has a smaller residual than this one."""
        return residual <= self.certifier.smallest_residual(solution)


def _digits(matrix: Floats, bits: int) -> int:
    return int(np.count_nonzero(encode_multiply(matrix, bits, DIGIT_BITS).digits))


def _check_zeros(matrix: Floats) -> None:
    """Raise `InputError` where the places of zeros alone make a matrix singular: no loop holds a form of it."""
    if np.diag(matrix).all():
        return
    from scipy.sparse import csr_array  # load slowly
    from scipy.sparse.csgraph import structural_rank

    if structural_rank(csr_array(matrix)) < len(matrix):
        rows, columns = (dependent_rows_in_words(lines) for lines in (matrix, matrix.T))
        raise InputError(
            "the matrix is singular: in each order of its rows there is a zero on the diagonal; rows that depend on others "
            f"(counted from 0): {rows}; columns: {columns}; without these columns the rest can be solved by least squares, "
            "with certificate = proved"
        )


def _check_peaks(what: str, values: Floats, zeros: NDArray[np.bool_]) -> None:
    """Raise `InputError` for columns (n, k) whose scale float64 does not hold, but for those that are `zeros` (k,).

    NaN stands for what left the range of a double, as infinite parts of a solution that were taken from each other.
    """
    peaks = np.abs(values).max(axis=0)
    peaks[np.isnan(peaks)] = np.inf
    wrong = peaks[~zeros & ~((peaks >= PEAKS[0]) & (peaks <= PEAKS[1]))]
    if wrong.size:
        raise InputError(
            f"the largest magnitude of the {what} is {wrong[0]:.3g}; scale the system to between {PEAKS[0]:.0e} and "
            f"{PEAKS[1]:.0e}"
        )
