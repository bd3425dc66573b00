"""Linear and ridge regression on the chip: the equations of each penalty held, answered in one step and refined."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.procedures.applications.application import Holder
from mho.procedures.applications.comparison import relative_error, say_unconverged, worst_error
from mho.procedures.applications.learning.linear_model import (
    Design,
    LinearFit,
    augmented_system,
    best_scale,
    digital_answers,
    fit_by_qr,
    fit_of,
    normal_matrix,
    normal_rhs,
    singular_values,
)
from mho.procedures.applications.recorded_cycles import gcr_cycles, published_cycles
from mho.procedures.equations.held.held_matrix import HeldMatrix
from mho.procedures.stream import Stream

Floats = NDArray[np.float64]

CIRCUITS = ("normal", "generalised-inverse")


def system_of(circuit: str, design: Design, penalty: float) -> tuple[Floats, Floats]:
    """Return matrix and right-hand sides that a circuit holds; the last rows of its solutions are weights and inverse."""
    if circuit == "normal":
        return normal_matrix(design, penalty), normal_rhs(design)
    # With a penalty the columns are as good as those of a larger least singular value.
    rows = len(design.target)
    scale = float(np.hypot(best_scale(design), np.sqrt(penalty / rows / 2.0)))
    return augmented_system(design, penalty, scale)


class LinearRegression:
    """Fits of one design with several penalties, each matrix held on the chip.

    Parameters
    ----------
    circuit : str
        One of `CIRCUITS`.
    bits : int
    cycles : int
        Of the published loop, recorded for the weights.
    """

    def __init__(self, chip: Holder, stream: Stream, circuit: str, bits: int, cycles: int) -> None:
        self._chip, self._stream, self._circuit = chip, stream, circuit
        self._bits, self._cycles = bits, cycles

    def fit(self, design: Design, observed: Floats, penalties: tuple[float, ...]) -> dict[str, Any]:
        """Fit with every penalty, record, and return the result of the one with the least error of rows left out."""
        best: tuple[float, dict[str, Any], dict[str, Floats]] | None = None
        for number, penalty in enumerate(penalties):
            self._stream.progress("penalties", number, len(penalties))
            fit, result, predictions = self._fit(design, observed, penalty)
            left_out = _left_out_error(fit, observed)
            if best is None or left_out < best[0]:
                best = left_out, result, predictions
        assert best is not None  # at least one penalty
        self._count(design, len(penalties))
        rows = {"row": np.arange(len(observed)), "observed": design.target} | best[2]
        self._stream.record_block("predictions", rows)
        return best[1]

    def _fit(
        self, design: Design, observed: Floats, penalty: float
    ) -> tuple[LinearFit, dict[str, Any], dict[str, Floats]]:
        matrix, rhs = system_of(self._circuit, design, penalty)
        size = len(design.moments)
        held = self._chip.hold(matrix)
        exact = digital_answers(design, penalty)
        with held.showing():
            one_step = self._record_cycles(held, rhs[:, 0], exact[:, 0], penalty)
        answers = held.solve(rhs)
        say_unconverged(self._stream, answers, self._bits, f"penalty {penalty:g}")
        digital = fit_of(design, exact, penalty)
        fit = fit_of(design, answers.solutions[-size:], penalty)
        self._record_fit(penalty, one_step, fit, digital)
        weights_error = relative_error(fit.weights, digital.weights)
        one_step_error = relative_error(one_step, digital.weights)
        condition = float(np.linalg.cond(matrix))
        cycles = int(answers.cycles.max())
        self._stream.record(
            "trace",
            penalty=penalty,
            left_out_error=_left_out_error(fit, observed),
            digital_left_out_error=_left_out_error(digital, observed),
            relative_error=weights_error,
            one_step_error=one_step_error,
            condition=condition,
            cycles=cycles,
        )
        result = {
            "penalty": penalty,
            "circuit": self._circuit,
            "relative_error": weights_error,
            "one_step_error": one_step_error,
            "coefficients_error": worst_error(fit.coefficients, digital.coefficients),
            "errors_error": worst_error(fit.errors, digital.errors),
            "determination": fit.determination,
            "digital_determination": digital.determination,
            "one_step_determination": _determination(design, one_step),
            "deviation": fit.deviation,
            "left_out_error": _left_out_error(fit, observed),
            "condition": condition,
            "cycles": cycles,
            "bits": (float(np.min(answers.bits)), "bit"),
            "residual": float(answers.residuals.max()),
            "converged": bool(answers.converged.all()),
            "encoding": held.summary()["encoding"],
        }
        predictions = {
            "one_step": design.columns @ one_step,
            "predicted": fit.predictions - design.target_mean,
            "digital": digital.predictions - design.target_mean,
            "left_out": fit.left_out - design.target_mean,
        }
        return fit, result, predictions

    def _count(self, design: Design, penalties: int) -> None:
        """Count what is digital beside the solves, and the digital fits."""
        beside, (rows, columns) = self._chip.beside.digital, design.columns.shape
        if self._circuit == "normal":  # Z^T y, and Z^T Z by half, once each
            beside["beside"] += rows * columns + rows * columns * (columns + 1) // 2
        else:
            beside["beside"] += singular_values(rows, columns)
            self._chip.replace_direct(fit_by_qr(rows + columns, columns), penalties)

    def _record_cycles(self, held: HeldMatrix, rhs: Floats, exact: Floats, penalty: float) -> Floats:
        """Record how both methods converge; return the weights of the first cycle: one step of INV."""
        size = len(exact)
        published = [found[-size:] for found in published_cycles(held, rhs, self._cycles)]
        by_gcr = [found[-size:] for found in gcr_cycles(held, rhs, self._cycles, self._bits)]
        for number, (one, other) in enumerate(zip_longest(published, by_gcr), 1):
            self._stream.record(
                "cycles",
                penalty=penalty,
                cycle=number,
                published=relative_error(one, exact),
                gcr=np.nan if other is None else relative_error(other, exact),
            )
        return published[0]

    def _record_fit(self, penalty: float, one_step: Floats, fit: LinearFit, digital: LinearFit) -> None:
        count = len(one_step)
        self._stream.record_block(
            "weights",
            {
                "penalty": np.full(count, penalty),
                "column": np.arange(1, count + 1),
                "one_step": one_step,
                "weight": fit.weights,
                "digital": digital.weights,
            },
        )
        self._stream.record_block(
            "coefficients",
            {
                "penalty": np.full(count + 1, penalty),
                "column": np.arange(count + 1),
                "coefficient": fit.coefficients,
                "error": fit.errors,
                "digital_coefficient": digital.coefficients,
                "digital_error": digital.errors,
            },
        )


def _left_out_error(fit: LinearFit, observed: Floats) -> float:
    """Return the root mean square error of rows predicted without them; NaN where a row alone decides."""
    return float(np.sqrt(np.mean((fit.left_out - observed) ** 2)))


def _determination(design: Design, weights: Floats) -> float:
    off = design.target - design.columns @ weights
    return float(1.0 - off @ off / (design.target @ design.target))
