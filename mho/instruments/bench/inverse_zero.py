"""The zero of INV's outputs: what is played in front of the vectors, and what is subtracted from their answers.

A converter without a code at 0 V reads nothing as half a step, and every answer is off by as much. The mean of readings
with dither of zero mean at the inputs falls between the codes: half a step over sqrt(3 N) is left of N of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.errors import ConvergenceError
from mho.instruments.bench_file.bench_file import CLAMPED, BenchFile


@dataclass(frozen=True)
class InverseZero:
    """How the zero is measured, as a bench file's ``[inverse]`` says.

    Attributes
    ----------
    readings : int
        That are averaged; 0 where the board trims its outputs, and nothing is subtracted.
    dither : float
        Largest voltage at an input while they are taken, V; 0 for none.
    """

    readings: int = 1
    dither: float = 0.0

    def samples(self, lines: int) -> Floats:
        """Return what is played in front of the vectors, (samples, lines), V: first nothing, at which a loop may rail."""
        if not self.dither:
            return np.zeros((max(self.readings, 1), lines))
        # The same at every exchange: a seed of its own, so that nothing else that is drawn depends on it.
        half = np.random.default_rng(0).uniform(-self.dither, self.dither, (self.readings // 2, lines))
        return np.concatenate([np.zeros((1, lines)), half, -half])

    def subtracted(self, answers: Floats) -> Floats:
        """Return the answers (samples + vectors, n), V, to the vectors, less the zero; NaN in a row of a clamped output.

        Raises
        ------
        ConvergenceError
            When an output is in its clamp with nothing at the inputs.
        """
        count = len(self.samples(0))
        zeros, outputs = answers[:count], answers[count:]
        peak = float(np.abs(zeros[0]).max(initial=0.0))
        if peak > CLAMPED:
            raise ConvergenceError(
                f"the INV loop rails: an output reads {peak:.2f} V with nothing at its inputs; check the programmed "
                "cells and the stability of the matrix"
            )
        clamped = np.abs(outputs).max(axis=1, keepdims=True, initial=0.0) > CLAMPED
        return np.where(clamped, np.nan, outputs - self._of(zeros))

    def _of(self, zeros: Floats) -> Floats:
        """Return the zero (n,), V, from the answers to `samples`."""
        if not self.readings:
            return np.zeros(zeros.shape[1])
        if not self.dither:
            # One reading as it is: a mean would lose the sign of -0.0.
            return np.asarray(zeros[0] if len(zeros) == 1 else zeros.mean(axis=0))
        pairs = zeros[1:].reshape(2, -1, zeros.shape[1])
        linear = np.abs(pairs).max(axis=(0, 2), initial=0.0) <= CLAMPED
        return np.asarray(pairs[:, linear].mean(axis=(0, 1)) if linear.any() else zeros[0])


def inverse_zero(file: BenchFile) -> InverseZero:
    """Return how a bench file says that the zero is measured."""
    return InverseZero(file.inverse.zero_readings, file.inverse.zero_dither)
