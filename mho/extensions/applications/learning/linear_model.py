"""Linear and ridge regression from one symmetric positive definite system, and what follows of its answer.

With columns Z of mean 0 and variance 1, m rows, and the target less its mean:

    (Z^T Z / m + alpha / m I) w = Z^T y / m

which is |y - Z w|^2 + alpha |w|^2 at its least (Hoerl and Kennard, Technometrics 12, 55 (1970)); alpha is 0 of linear
regression. The same matrix inverted gives standard errors and what every row would be predicted without it. The
intercept is not penalised. Or, by the circuit of the generalised inverse, the system without a square of Z:

    [[s I, X], [-X^T, alpha / (m s) I]] (r, w) = (y / sqrt m, 0),   X = Z / sqrt m
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.procedures.equations import DirectSolve


@dataclass(frozen=True)
class Design:
    """Standardised columns of a table, and how they came about."""

    columns: Floats  # (m, p): Z: each column has mean 0 and variance 1
    # means, scales: (p,): mean and standard deviation of each column as given
    means: Floats
    scales: Floats
    target: Floats  # (m,): the explained column less its mean
    target_mean: float

    @property
    def moments(self) -> Floats:
        """Z^T y / m, (p,)."""
        return np.asarray(self.columns.T @ self.target / len(self.target))

    @property
    def condition(self) -> float:
        """Condition number of Z; that of the normal equations without a penalty is its square."""
        singular = np.linalg.svd(self.columns, compute_uv=False)
        return float(singular[0] / singular[-1]) if singular[-1] > 0.0 else np.inf


@dataclass(frozen=True)
class LinearFit:
    """A fitted linear model in the units of the table."""

    weights: Floats  # (p,): of the standardised columns
    coefficients: Floats  # (p + 1,): the intercept, then one a column as given
    errors: Floats  # (p + 1,): their standard errors
    predictions: Floats  # (m,)
    left_out: Floats  # (m,): what each row is predicted without it
    deviation: float  # standard deviation of the residuals
    determination: float  # R^2


def standardised(values: Floats, observed: Floats) -> Design:
    """Return the design of a table: columns of mean 0 and variance 1, the target less its mean."""
    means, scales = values.mean(axis=0), values.std(axis=0)
    mean = float(observed.mean())
    return Design((values - means) / scales, means, scales, observed - mean, mean)


def normal_matrix(design: Design, penalty: float) -> Floats:
    """Return Z^T Z / m + alpha / m I, (p, p); exactly symmetric."""
    rows, columns = design.columns.shape
    gram = design.columns.T @ design.columns / rows
    return np.asarray((gram + gram.T) / 2.0 + penalty / rows * np.eye(columns))


def normal_rhs(design: Design) -> Floats:
    """Return right-hand sides (p, 1 + p): that of the weights, and those of the inverse."""
    return np.column_stack([design.moments, np.eye(len(design.moments))])


def augmented_system(design: Design, penalty: float, scale: float = 1.0) -> tuple[Floats, Floats]:
    """Return matrix (m + p, m + p) and right-hand sides (m + p, 1 + p) of the circuit of the generalised inverse.

    Sun, Pedretti, Bricalli, Ielmini, Science Advances 6, eaay2378 (2020): two arrays hold X, and the identity is the
    feedback resistors of the amplifiers between them. The sign of X^T keeps every eigenvalue to the right of zero.

    `scale`: s, of the resistors over the unit of conductance; `best_scale` makes the condition number least.
    """
    rows, columns = design.columns.shape
    block = design.columns / np.sqrt(rows)
    matrix = np.block([[scale * np.eye(rows), block], [-block.T, penalty / (rows * scale) * np.eye(columns)]])
    rhs = np.zeros((rows + columns, 1 + columns))
    rhs[:rows, 0] = design.target / np.sqrt(rows)
    rhs[rows:, 1:] = np.eye(columns) / scale
    return matrix, rhs


def best_scale(design: Design) -> float:
    """Return Bjorck's scale of the augmented system, least singular value over the root of 2 (BIT 7, 1 (1967))."""
    singular = np.linalg.svd(design.columns, compute_uv=False)
    return float(singular[-1] / np.sqrt(2.0 * len(design.target)))


def singular_values(rows: int, columns: int) -> int:
    """Return the multiplications of the singular values of a tall matrix (Golub and Van Loan, section 8.6: 2 m n^2 + 2 n^3
    additions and multiplications, half of them these).
    """
    return rows * columns**2 + columns**3


def inverse_by_qr(rows: int, columns: int) -> DirectSolve:
    """Return the digital way to the pseudo-inverse R^-1 Q^T of a tall matrix, with Q and R by Householder's reflections."""
    factors = 2 * (rows * columns**2 - columns**3 // 3)  # R, and then Q
    return DirectSolve("QR", factors, columns**2 * rows // 2)


def fit_by_qr(rows: int, columns: int) -> DirectSolve:
    """Return the digital way to weights and (Z^T Z)^-1 by QR, which does not square the condition number."""
    factors = rows * columns**2 - columns**3 // 3
    return DirectSolve("QR", factors, 2 * rows * columns + columns**2 // 2 + columns**3 // 3)


def fit_of(design: Design, answers: Floats, penalty: float) -> LinearFit:
    """Return the model of solved equations.

    `answers` (p, 1 + p): the weights, and the inverse of the normal matrix.

    With a penalty the errors are those of the ridge estimator, sigma^2 G^-1 (Z^T Z) G^-1, and the degrees of freedom of the
    residuals m - 1 - trace(Z G^-1 Z^T).
    """
    weights, inverse = answers[:, 0], answers[:, 1:]
    rows = len(design.target)
    fitted = design.columns @ weights
    residual = design.target - fitted
    influence = np.einsum("ij,jk,ik->i", design.columns, inverse, design.columns) / rows
    freedom = rows - 1.0 - float(influence.sum())
    deviation = float(np.sqrt(residual @ residual / freedom)) if freedom > 0.5 else np.nan
    gram = normal_matrix(design, 0.0)
    spread = inverse @ gram @ inverse.T if penalty else (inverse + inverse.T) / 2.0
    covariance = deviation**2 * spread / rows / np.outer(design.scales, design.scales)
    slopes = weights / design.scales
    intercept = design.target_mean - float(slopes @ design.means)
    of_intercept = deviation**2 / rows + float(design.means @ covariance @ design.means)
    variances = np.array([of_intercept, *np.diag(covariance)])
    remaining = 1.0 - 1.0 / rows - influence
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = residual / np.where(remaining > 1e-9, remaining, np.nan)
        errors = np.sqrt(np.where(variances >= 0.0, variances, np.nan))
    return LinearFit(
        weights, np.array([intercept, *slopes]), errors, fitted + design.target_mean,
        design.target + design.target_mean - alone, deviation,
        float(1.0 - residual @ residual / (design.target @ design.target)),
    )  # fmt: skip


def digital_answers(design: Design, penalty: float) -> Floats:
    """Return the answers (p, 1 + p) in float64, by a QR factorisation, which does not square the condition number."""
    rows, columns = design.columns.shape
    stacked = np.concatenate([design.columns, np.sqrt(penalty) * np.eye(columns)])
    orthogonal, triangle = np.linalg.qr(stacked)
    weights = np.linalg.solve(triangle, orthogonal[:rows].T @ design.target)
    root = np.linalg.inv(triangle)
    return np.column_stack([weights, rows * (root @ root.T)])
