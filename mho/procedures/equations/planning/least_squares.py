"""Least squares as square systems that a chip can solve: the normal equations, or the augmented system.

    A^T A x = A^T b        or        [[a I, A], [A^T, 0]] (y, x) = (b, 0),   y = (b - A x) / a

The first is symmetric positive definite and as small as x, its condition number is that of A squared. The second has
m + n unknowns; with the scale of Bjorck (BIT 7, 1 (1967)) its condition number is about 1.4 times that of A. A Krylov
method around INV takes as many cycles as there are unknowns at most, so the normal equations are the faster way at any
condition number that lets the bits be proved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.procedures.equations.certificates.certificate import Certifier
from mho.procedures.equations.certificates.least_squares_certificate import (
    AugmentedCertifier,
    NormalCertifier,
    exact_gradient,
    full_rank,
)

Form = Literal["normal", "augmented"]

FORM_NAMES: dict[Form, str] = {"normal": "normal equations", "augmented": "augmented system"}
FORMS: tuple[Form, ...] = tuple(FORM_NAMES)


@dataclass(frozen=True)
class SquareForm:
    """A least-squares problem as a square system.

    Attributes
    ----------
    form : str
        "normal" or "augmented".
    why : str
        Why this form, in words.
    condition : float
        Condition number of A.
    matrix, rhs : (N, N), (N, k) arrays
        The system.
    certifier : Certifier
        Of solutions of the system, for A as given.
    certified_rhs : (m or N, k) array
        The right-hand sides from which `certifier` takes residuals.
    zeros : (k,) array
        For which right-hand sides A^T b is exactly zero, and with it x.
    """

    form: Form
    why: str
    condition: float
    matrix: Floats
    rhs: Floats
    certifier: Certifier
    certified_rhs: Floats
    zeros: NDArray[np.bool_]

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
            "form": self.form,
            "system": FORM_NAMES[self.form],
            "why": self.why,
            "condition": self.condition,
        }

    def _whole(self, x: Floats, rhs: Floats) -> Floats:
        if not isinstance(self.certifier, AugmentedCertifier):
            return x
        rows = len(self.matrix) - len(x)
        scale, matrix = self.certifier.scale, self.matrix[:rows, rows:]
        return np.concatenate([(rhs[:rows] - matrix @ x) / scale, x])


def square_form(matrix: Floats, rhs: Floats, reference: Floats, wanted: str, bits: float) -> SquareForm:
    """Return the square system by which least squares are solved: of the two the smaller that lets the bits be proved.

    Parameters
    ----------
    matrix, rhs : (m, n), (m, k) arrays
        A and B, real, m > n.
    reference : (n, k) array
        About the solutions.
    wanted : str
        "auto", "normal" or "augmented".
    bits : float
        Bits that are to be proved; 0 for none.

    Raises
    ------
    InputError
        For columns that depend on others, and for more bits than can be proved of a solution in float64.
    """
    largest, smallest = full_rank(matrix)
    condition, most = largest / smallest, 0.0
    forms = [form for form in FORMS if wanted in ("auto", form)]
    for form in forms:
        found = _made(form, matrix, rhs, condition)
        provable = found.bits(reference)
        if provable >= bits or (bits == 0 and form == forms[-1]):
            return replace(found, why=_why(form, wanted, condition))
        most = max(most, provable)
    raise InputError(
        f"{bits:g} bits cannot be had of least squares with a condition number of {condition:.3g}: a solution in float64 "
        f"can be proved to {int(most)}; ask for no more, or for a tolerance of the residual"
        + ("" if wanted == "auto" else ", or choose the form by itself (least_squares = auto)")
    )


def _why(form: Form, wanted: str, condition: float) -> str:
    if wanted != "auto":
        return "as asked"
    squared = f"{condition**2:.3g}, the condition number of A^T A,"
    return (
        f"{squared} lets the bits be proved, and it is the smaller system"
        if form == "normal"
        else f"{squared} would let fewer bits be proved"
    )


def least_squares_solution(matrix: Floats, rhs: Floats) -> Floats:
    """Return the least-squares solutions (n, k) in float64, of A (m, n) and B (m, k)."""
    return np.asarray(np.linalg.lstsq(matrix, rhs, rcond=None)[0], dtype=np.float64)


def _made(form: Form, matrix: Floats, rhs: Floats, condition: float) -> SquareForm:
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
