"""Logistic regression by Newton's method, of which a chip solves the steps.

    w <- w + t H^-1 g,    H = D^T S D / m + alpha / m E,    g = D^T (y - p) / m - alpha / m E w

D is a column of ones beside the standardised columns, p the probabilities, S = diag(p (1 - p)), E the identity less the
place of the intercept: iteratively reweighted least squares (McCullagh and Nelder, Generalized Linear Models, section
2.5). t halves until the loss falls.

H changes with every step. Either each H is programmed anew, or the first one, with p = 1/2 everywhere, stays on the chip
and preconditions GCR for the others: at w = 0 it is the largest that H can be (Böhning and Lindsay,
Annals of the Institute of Statistical Mathematics 40, 641 (1988)), so that H0^-1 H has its eigenvalues between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.extensions.applications.learning.linear_model import Design
from mho.procedures import refine

StepSolver = Callable[[Floats, Floats], Floats]

MOST_HALVINGS = 30


@dataclass(frozen=True)
class LogisticStep:
    """One step of Newton's method."""

    loss: float  # mean negative log likelihood with the penalty, after the step
    gradient: float  # length of the gradient after the step
    length: float  # t, the share of the step that was taken; 0 where no share of it lowers the loss
    weights: Floats  # (p + 1,): after the step


@dataclass(frozen=True)
class LogisticFit:
    """A fitted logistic model."""

    weights: Floats  # (p + 1,): the intercept, then one a standardised column
    # coefficients, errors: (p + 1,): in the units of the table, and their standard errors
    coefficients: Floats
    errors: Floats
    # scores, probabilities: (m,): D w, and the probability of the second class
    scores: Floats
    probabilities: Floats
    accuracy: float  # share of the rows whose class is the more probable one
    deviance: float  # twice the negative log likelihood, without the penalty


def with_ones(design: Design) -> Floats:
    """Return D (m, p + 1)."""
    return np.column_stack([np.ones(len(design.target)), design.columns])


def probabilities(scores: Floats) -> Floats:
    """Return 1 / (1 + exp(-scores)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scores)), dtype=np.float64)


def hessian(columns: Floats, weights: Floats, penalty: float) -> Floats:
    """Return H (p + 1, p + 1) at some weights; exactly symmetric."""
    rows = len(columns)
    chance = probabilities(columns @ weights)
    product = columns.T @ ((chance * (1.0 - chance))[:, None] * columns) / rows
    return (product + product.T) / 2.0 + np.diag(_penalties(columns, penalty))


def gradient(columns: Floats, observed: Floats, weights: Floats, penalty: float) -> Floats:
    """Return g (p + 1,): the direction in which the loss falls."""
    chance = probabilities(columns @ weights)
    return np.asarray(columns.T @ (observed - chance) / len(columns) - _penalties(columns, penalty) * weights)


def loss(columns: Floats, observed: Floats, weights: Floats, penalty: float) -> float:
    """Return the mean negative log likelihood with the penalty."""
    scores = columns @ weights
    likelihood = np.logaddexp(0.0, scores) - observed * scores
    return float(likelihood.mean() + 0.5 * weights @ (_penalties(columns, penalty) * weights))


def newton(
    columns: Floats, observed: Floats, penalty: float, solve: StepSolver, tolerance: float, most: int
) -> list[LogisticStep]:
    """Return the steps from w = 0 until the gradient is at most `tolerance`, or no share of a step lowers the loss.

    `solve`: (H, g) -> about H^-1 g.
    """
    weights = np.zeros(columns.shape[1])
    before = loss(columns, observed, weights, penalty)
    slope = gradient(columns, observed, weights, penalty)
    steps: list[LogisticStep] = []
    while len(steps) < most and np.linalg.norm(slope) > tolerance:
        step = solve(hessian(columns, weights, penalty), slope)
        length = _taken(columns, observed, penalty, weights, step, before)
        weights = weights + length * step
        before = loss(columns, observed, weights, penalty)
        slope = gradient(columns, observed, weights, penalty)
        steps.append(LogisticStep(before, float(np.linalg.norm(slope)), length, weights))
        if length == 0.0:
            break
    return steps


def multiplications(rows: int, size: int, steps: int) -> int:
    """Return those of Newton's steps beside their systems: two sums of scores, g, H and the loss each, and the last H."""
    return steps * rows * size * (5 + size) + rows * size * (1 + size)


def _taken(
    columns: Floats, observed: Floats, penalty: float, weights: Floats, step: Floats, before: float
) -> float:
    """Return the share of a step, halved until the loss does not rise by more than rounding; 0 where none is good."""
    length, rounding = 1.0, 4.0 * np.finfo(np.float64).eps * max(abs(before), 1.0)
    for _ in range(MOST_HALVINGS):
        if loss(columns, observed, weights + length * step, penalty) <= before + rounding:
            return length
        length /= 2.0
    return 0.0


class PreconditionedStep(NamedTuple):
    """x of H x = g, its residual relative to g, and the cycles of GCR that it took."""

    solution: Floats
    left: float
    cycles: int


def preconditioned_step(
    matrix: Floats, rhs: Floats, precondition: Callable[[Floats], Floats], tolerance: float, most: int
) -> PreconditionedStep:
    """Solve H x = g by GCR.

    The preconditioner is one step of INV of another matrix, neither symmetric nor the same twice, which conjugate gradients
    do not bear on noisy cells.

    `tolerance`: of the residual, relative to g; `most`: calls of `precondition` at most.
    """
    goal = tolerance * float(np.linalg.norm(rhs))
    solution, left, cycles = np.zeros_like(rhs), 1.0, 0
    for cycle in refine(
        rhs,
        precondition,
        lambda correction: np.asarray(matrix @ correction.values),
        lambda found: np.asarray(rhs - matrix @ found),
        lambda found, size: size <= goal,
        method="gcr",
        max_cycles=most,
    ):
        solution, left, cycles = cycle.solution, cycle.carried, cycle.number
    return PreconditionedStep(solution, left, cycles)


def fit_of(design: Design, observed: Floats, weights: Floats, inverse: Floats) -> LogisticFit:
    """Return the model of fitted weights.

    `observed` (m,): 0 and 1; `weights` (p + 1,); `inverse` (p + 1, p + 1): of the Hessian at these weights.
    """
    columns = with_ones(design)
    scores = columns @ weights
    size = len(weights)
    # Back to the units of the table: slopes w / s, intercept w0 - sum(w m / s).
    back = np.diag([1.0, *(1.0 / design.scales)])
    back[0, 1:] = -design.means / design.scales
    variances = np.diag(back @ ((inverse + inverse.T) / 2.0) @ back.T)[:size] / len(observed)
    chance = probabilities(scores)
    return LogisticFit(
        weights, back @ weights, np.sqrt(np.where(variances >= 0.0, variances, np.nan)), scores, chance,
        float(np.mean((chance > 0.5) == (observed > 0.5))),
        float(2.0 * np.sum(np.logaddexp(0.0, scores) - observed * scores)),
    )  # fmt: skip


def separating(columns: Floats, observed: Floats) -> bool:
    """Return whether some weights separate the classes, if only weakly: the likelihood has no maximum then.

    A linear programme finds the weights of -1 to 1 with the largest sum of margins, none of them negative (Konis, Oxford
    (2007), section 3.3): it is zero only where the classes overlap.
    """
    from scipy.optimize import linprog

    margins = (2.0 * observed - 1.0)[:, None] * columns
    found = linprog(
        -margins.sum(axis=0), A_ub=-margins, b_ub=np.zeros(len(margins)), bounds=(-1.0, 1.0), method="highs"
    )
    return bool(found.status == 0 and float(found.fun or 0.0) < -1e-7 * len(margins))


def _penalties(columns: Floats, penalty: float) -> Floats:
    """Return alpha / m E as a diagonal, (p + 1,); the intercept is not penalised."""
    diagonal = np.full(columns.shape[1], penalty / len(columns))
    diagonal[0] = 0.0
    return diagonal
