"""Logistic regression on the chip: each Hessian held for one Newton step, or the first one as a preconditioner."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import MatrixHolder
from mho.extensions.applications.learning.linear_model import Design
from mho.extensions.applications.learning.logistic_model import (
    LogisticFit,
    LogisticStep,
    fit_of,
    hessian,
    multiplications,
    newton,
    preconditioned_step,
    with_ones,
)
from mho.extensions.applications.near_matrix import near_work, worth_of
from mho.extensions.applications.outcome import relative_error, worst_error
from mho.procedures import HeldMatrix, Stream
from mho.procedures.equations import solve_directly

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
        numbers = {"penalty": np.full(count, penalty), "column": np.arange(count)}
        self._stream.record_block(
            "weights", numbers | {"one_step": one_step, "weight": fit.weights, "digital": digital.weights}
        )
        self._stream.record_block(
            "coefficients",
            numbers
            | {
                "coefficient": fit.coefficients,
                "error": fit.errors,
                "digital_coefficient": digital.coefficients,
                "digital_error": digital.errors,
            },
        )
        order = np.argsort(fit.scores, kind="stable")
        self._stream.record_block(
            "probabilities",
            {
                "row": order, "score": fit.scores[order], "observed": observed[order],
                "probability": fit.probabilities[order], "digital": digital.probabilities[order],
            },
        )  # fmt: skip


def _solved(matrix: Floats, rhs: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrix, rhs), dtype=np.float64)
