"""One-step inversion through the bench: scale, play, and select the largest answer that is not clamped."""

from __future__ import annotations

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.inverse_encoding import InverseEncoding
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells

LADDER = 2.0 ** -np.arange(12)  # input scales played in one exchange
RAILS = (
    "the INV loop rails: its outputs sit in the clamps at every input scale; check the programmed cells and the stability "
    "of the matrix"
)
LINEAR = 0.3  # V: outputs up to here are not affected by the +-0.4 V diode clamps


def loop_inputs(encoding: InverseEncoding, volts: Floats) -> Floats:
    """Return the loop's inputs (..., order), V, with `volts` (..., n) at the matrix's rows and none at a bias column's."""
    inputs = np.zeros((*volts.shape[:-1], encoding.order))
    inputs[..., : encoding.size] = volts
    return inputs


def largest_linear(outputs: Floats) -> int | None:
    """Return the first of the outputs (scales, n), V, that are all in their linear range; None where there are none."""
    linear = np.flatnonzero(np.abs(outputs).max(axis=1) < LINEAR)
    return int(linear[0]) if linear.size else None


class AnalogueInverse:
    """The programmed inverting loop as a function r -> about A^-1 r.

    Parameters
    ----------
    bench : Bench
    cells : LoopOnCells
        The programmed loop.
    full_scale : float
        Largest input voltage, V.

    Attributes
    ----------
    last : tuple of (n,) arrays
        Input and output of the last inversion, V.
    clamped : int
        Number of inversions in which the largest input drove an output out of its linear range, so that a smaller one
        was used.
    """

    def __init__(self, bench: Bench, cells: LoopOnCells, full_scale: float) -> None:
        self._bench, self._cells, self._full_scale = bench, cells, full_scale
        self.last: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))
        self.clamped = 0

    def __call__(self, residual: Floats) -> Floats:
        """Return A0^-1 r as the circuit computes it.

        The output range is not known beforehand, so one exchange plays r at a ladder of scales and the
        largest answer outside the clamps is used.

        Raises
        ------
        ConvergenceError
            When even the smallest input drives an output into its clamp: the loop rails.
        """
        encoding = self._cells.encoding
        self._cells.connect(self._bench)
        n, peak = encoding.size, float(np.abs(residual).max())
        inputs = loop_inputs(encoding, LADDER[:, None] * (residual / peak * self._full_scale))
        outputs = self._bench.invert(inputs)
        best = largest_linear(outputs)
        if best is None:
            raise ConvergenceError(RAILS)
        self.clamped += int(best > 0)
        self.last = (inputs[best, :n], outputs[best, :n])
        amperes_per_unit = self._bench.input_conductance * LADDER[best] * self._full_scale / peak
        return np.asarray(-outputs[best, :n] * (self._cells.step / encoding.unit) / amperes_per_unit)

    def columns(self, residuals: Floats) -> Floats:
        """Return A0^-1 R of many vectors (n, k) as the circuit computes them; zeros give zeros.

        Each is played at the full scale first, all in one exchange; those whose outputs left their linear range are played
        again, each time at half the scale. Errors as of one vector.
        """
        encoding = self._cells.encoding
        self._cells.connect(self._bench)
        peaks = np.abs(residuals).max(axis=0)
        answers, left = np.zeros_like(residuals), np.flatnonzero(peaks)
        for scale in LADDER:
            if not left.size:
                break
            volts = (residuals[:, left] / peaks[left]).T * (scale * self._full_scale)
            outputs = self._bench.invert(loop_inputs(encoding, volts))
            linear = np.abs(outputs).max(axis=1) < LINEAR  # False of a clamped one, which is NaN
            siemens = self._bench.input_conductance * scale * self._full_scale / peaks[left[linear]]
            found = -outputs[linear, : encoding.size] * (self._cells.step / encoding.unit) / siemens[:, None]
            answers[:, left[linear]] = found.T
            left = left[~linear]
            self.clamped += left.size if scale == LADDER[0] else 0
        if left.size:
            raise ConvergenceError(RAILS)
        return answers
