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
from typing import Any, NamedTuple

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import MatrixHolder, record_rows, relative_error, worst_error
from mho.extensions.applications.learning.linear_model import Design
from mho.extensions.applications.near_matrix import near_work, worth_of
from mho.procedures import HeldMatrix, Stream, refine
from mho.procedures.equations import solve_directly

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
        lambda answer: np.asarray(rhs - matrix @ answer),
        lambda answer, size: size <= goal,
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
    solution = linprog(
        -margins.sum(axis=0), A_ub=-margins, b_ub=np.zeros(len(margins)), bounds=(-1.0, 1.0), method="highs"
    )
    return bool(solution.status == 0 and float(solution.fun or 0.0) < -1e-7 * len(margins))


def _penalties(columns: Floats, penalty: float) -> Floats:
    """Return alpha / m E as a diagonal, (p + 1,); the intercept is not penalised."""
    diagonal = np.full(columns.shape[1], penalty / len(columns))
    diagonal[0] = 0.0
    return diagonal


HESSIANS = ("first", "each")

# Bits of a Newton step: each step leaves that share of the error at least, and fewer bits take fewer cells
STEP_BITS = 12
MOST_STEPS = 50
MOST_DIRECTIONS = 100
INEXACT = 1e-3  # residual of a step by GCR, relative to the gradient
FLAT = 1e-12  # length of the digital gradient at the end


def digital_fit(design: Design, observed: Floats, penalty: float) -> list[LogisticStep]:
    """Return Newton's steps in float64.

    Raises `InputError`: where they do not converge.
    """
    columns = with_ones(design)
    steps = newton(columns, observed, penalty, _solved, FLAT, MOST_STEPS)
    if steps and steps[-1].gradient > 1e3 * FLAT:
        raise InputError(
            f"Newton's method in float64 does not converge on this table (gradient {steps[-1].gradient:.2g} after "
            f"{len(steps)} steps); give a larger penalty, or leave out columns that depend on others (features)"
        )
    return steps


class LogisticRegression:
    """A logistic fit by Newton's method, the steps solved on the chip.

    `held`: one of `HESSIANS`; `bits`: the gradient is to fall to 2^-bits; `step_bits`: bits of each step, where each
    Hessian is held.
    """

    def __init__(self, chip: MatrixHolder, stream: Stream, held: str, bits: int, step_bits: int) -> None:
        self._chip, self._stream, self._held = chip, stream, held
        self._bits, self._step_bits = bits, step_bits
        self._first: HeldMatrix | None = None
        self._unconverged = 0
        self._after: list[int] = []  # steps of INV after each Newton step

    def fit(self, design: Design, observed: Floats, penalty: float) -> dict[str, Any]:
        """Fit, record, and return the result."""
        columns, goal = with_ones(design), 2.0**-self._bits
        steps = newton(columns, observed, penalty, self._solve, goal, MOST_STEPS)
        weights = steps[-1].weights if steps else np.zeros(columns.shape[1])
        last = hessian(columns, weights, penalty)
        inverse = self._inverse(last)
        fit = fit_of(design, observed, weights, inverse)
        self._chip.beside.digital["beside"] += multiplications(len(columns), len(weights), len(steps))
        exact = digital_fit(design, observed, penalty)
        digital = fit_of(
            design, observed, exact[-1].weights,
            _solved(hessian(columns, exact[-1].weights, penalty), np.eye(columns.shape[1])),
        )  # fmt: skip
        self._record(penalty, steps, exact, observed, fit, digital)
        gradient = steps[-1].gradient if steps else np.inf
        if gradient > goal:
            self._stream.say(
                f"Newton's method ended at a gradient of {gradient:.2g} after {len(steps)} steps; {goal:.2g} was asked for",
                "WARNING",
            )
        if self._unconverged:
            self._stream.say(
                f"{self._unconverged} Newton steps were solved to fewer than {self._step_bits} bits",
                "WARNING",
            )
        return {
            "penalty": penalty, "hessian": self._held,
            "relative_error": relative_error(fit.weights, digital.weights),
            "coefficients_error": worst_error(fit.coefficients, digital.coefficients),
            "errors_error": worst_error(fit.errors, digital.errors), "accuracy": fit.accuracy,
            "digital_accuracy": digital.accuracy, "deviance": fit.deviance,
            "digital_deviance": digital.deviance, "newton_steps": len(steps),
            "digital_newton_steps": len(exact), "gradient": gradient,
            "unconverged_systems": self._unconverged, "converged": gradient <= goal and not self._unconverged,
            "condition": float(np.linalg.cond(last)),
        }  # fmt: skip

    def _solve(self, matrix: Floats, rhs: Floats) -> Floats:
        """Return about H^-1 g."""
        if self._held == "first":
            first = self._first or self._chip.hold(matrix, residual="float64")
            self._first = first
            step = self._preconditioned(first, matrix, rhs, INEXACT)
            self._chip.add_direct(solve_directly(matrix), 1)
        else:
            answers = self._chip.hold(matrix, bits=self._step_bits).solve(rhs)
            self._unconverged += int(not answers.converged.all())
            step = answers.solutions
        self._after.append(int(self._chip.operations()["inversions"]))
        return step

    def _inverse(self, matrix: Floats) -> Floats:
        """Return the inverse of the last Hessian, for the standard errors."""
        eye = np.eye(len(matrix))
        if self._first is None:
            answers = self._chip.hold(matrix).solve(eye)
            self._unconverged += int(not answers.converged.all())
            return np.asarray(answers.solutions)
        goal = 2.0**-self._bits
        self._chip.add_direct(solve_directly(matrix), len(matrix))
        return np.stack([self._preconditioned(self._first, matrix, one, goal) for one in eye], axis=1)

    def _preconditioned(self, first: HeldMatrix, matrix: Floats, rhs: Floats, goal: float) -> Floats:
        step, unaided = (
            preconditioned_step(matrix, rhs, invert, goal, MOST_DIRECTIONS)
            for invert in (first.invert, lambda residual: residual)
        )
        self._unconverged += int(step.left > goal)
        aided, alone = ((one.cycles, one.left <= goal) for one in (step, unaided))
        self._chip.add_worth(worth_of(near_work, len(matrix), aided, alone, MOST_DIRECTIONS))
        return step.solution

    def _record(
        self, penalty: float, steps: list[LogisticStep], exact: list[LogisticStep], observed: Floats,
        fit: LogisticFit, digital: LogisticFit,
    ) -> None:  # fmt: skip
        one_step = steps[0].weights if steps else np.zeros(len(fit.weights))
        for number, step in enumerate(steps):
            self._stream.record(
                "newton", step=number + 1, gradient=step.gradient,
                digital_gradient=exact[number].gradient if number < len(exact) else np.nan, loss=step.loss,
                length=step.length, relative_error=relative_error(step.weights, digital.weights),
                inversions=self._after[number],
            )  # fmt: skip
        count = len(fit.weights)
        numbers = {"penalty": penalty, "column": np.arange(count)}
        record_rows(
            self._stream, "weights", **numbers, one_step=one_step, weight=fit.weights, digital=digital.weights
        )
        record_rows(
            self._stream, "coefficients", **numbers, coefficient=fit.coefficients, error=fit.errors,
            digital_coefficient=digital.coefficients, digital_error=digital.errors,
        )  # fmt: skip
        order = np.argsort(fit.scores, kind="stable")
        record_rows(
            self._stream, "probabilities", row=order, score=fit.scores[order], observed=observed[order],
            probability=fit.probabilities[order], digital=digital.probabilities[order],
        )  # fmt: skip


def _solved(matrix: Floats, rhs: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrix, rhs), dtype=np.float64)
