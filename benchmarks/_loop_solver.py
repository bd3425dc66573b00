"""Static outputs of an INVERT loop with its wires, solved over all nodes or through the admittances at the arrays' ends.

    (N + Lambda / A) v = -g_in u + Lambda Vos,          N and Lambda as in `LoopNetwork`

For few amplifiers, or many vectors, N and Lambda are computed. A few vectors on a large loop are solved over all nodes
instead: GMRES on one sweep of source lines, amplifiers and bit lines, each solved exactly with the others fixed.

GMRES (Saad & Schultz 1986) is for operators given as functions, without a threaded BLAS, whose second thread makes SciPy's
inner products of 10^4 numbers a hundred times slower on a busy machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgWarning, lu_factor, lu_solve

from benchmarks._nodal_solver import BlockLines, dot, line_drops
from mho.array_types import Floats
from mho.errors import BenchError, ConvergenceError
from mho.instruments.simulated.physics.circuits.loop_network import LoopNetwork, each_amplifiers
from mho.instruments.simulated.physics.wires import WiredBlock, check_values

SMALL = 64  # amplifiers up to which the admittances cost no more than one solve over all nodes
VECTORS_A_LINE = 6  # the admittances cost about n / 6 solves over all nodes
TOLERANCE = 1e-13  # of one sweep's correction to drops and outputs
MAX_SWEEPS = 60  # a few suffice; a loop that needs more is solved through its admittances


class LoopSolver(LoopNetwork):
    """A loop whose outputs are asked for; `gain`, a number or (n,), is its amplifiers', infinity for an ideal one."""

    def __init__(
        self,
        arrays: Sequence[tuple[WiredBlock, ArrayLike]],
        *,
        input_conductance: ArrayLike,
        diagonal: ArrayLike = 0.0,
        gain: ArrayLike = np.inf,
    ) -> None:
        super().__init__(arrays, input_conductance=input_conductance, diagonal=diagonal)
        gains = np.asarray(gain, np.float64)
        if not np.all(gains > 0.0):
            raise BenchError(f"gain is {gains}; an amplifier needs one above 0, infinity for an ideal one")
        self._per_gain = each_amplifiers("1 / gain", 1.0 / gains, self.n, "")
        self._solved = 0

    def solve(self, input_volts: ArrayLike, offsets: ArrayLike = 0.0) -> Floats:
        """Return the outputs (samples, n), V, for inputs (samples, n), V, and amplifier offsets (n,), V.

        Raises `BenchError` for a voltage that is not finite or missing, `ConvergenceError` where the matrix is singular.
        """
        u = np.asarray(input_volts, np.float64)
        if u.ndim != 2 or u.shape[1] != self.n:
            raise BenchError(f"input_volts has shape {u.shape}; give (samples, {self.n}), one for each input")
        check_values("input_volts", u, "V")
        vos = each_amplifiers("offsets", offsets, self.n, "V", lowest=-np.inf)
        outputs = self._over_all_nodes(u, vos)
        if outputs is None:
            factors, load = self._dense
            outputs = np.asarray(lu_solve(factors, (load @ vos - u * self._input).T).T)
        return outputs

    def _over_all_nodes(self, u: Floats, vos: Floats) -> Floats | None:
        """Return the outputs for a few vectors; None where the admittances are cheaper, or GMRES fails."""
        self._solved += len(u)
        known = all("admittance" in vars(block) for block, _ in self._arrays)
        if known or self.n <= SMALL or self._solved * VECTORS_A_LINE >= self.n:
            return None
        outputs = np.empty(u.shape)
        for k, vector in enumerate(u):
            solved = self._sweeps.solve(vector, vos)
            if solved is None:
                return None
            outputs[k] = solved
        return outputs

    @cached_property
    def _dense(self) -> tuple[tuple[Floats, NDArray[np.int32]], Floats]:
        load = self.load()
        return _factorise(self.matrix() + load * self._per_gain), load

    @cached_property
    def _sweeps(self) -> _Sweeps:
        return _Sweeps(self._arrays, self._input, self._diagonal, self._per_gain)


class _Sweeps:
    """One sweep over a loop's lines and amplifiers, and GMRES on it.

    The state is the bit lines' drops of each array (padded) and the outputs. Outputs are corrected through
    the matrix of a loop in which every cell is alone on its two lines' profiles: exact to first order in R.
    """

    def __init__(
        self, arrays: list[tuple[WiredBlock, Floats]], inputs: Floats, diagonal: Floats, per_gain: Floats
    ) -> None:
        self._inputs, self._diagonal, self._per_gain = inputs, diagonal, per_gain
        self._arrays = [_SweptArray(block, drive) for block, drive in arrays]
        matrix = np.diag(diagonal)
        load = inputs + diagonal
        for array in self._arrays:
            matrix += array.block.as_asked(array.reach * array.source_profile) * array.drive
            load[array.block.row_order] += array.reach.sum(axis=1)
        self._factors = _factorise(matrix + np.diag(load * per_gain))
        self._starts = np.cumsum([0, *(array.lines.bit.loads.size for array in self._arrays)])
        self._size = int(self._starts[-1]) + len(inputs)

    def solve(self, inputs: Floats, offsets: Floats) -> Floats | None:
        """Return the outputs (n,), or None when GMRES did not converge."""
        nothing = np.zeros(len(inputs))
        first = self._sweep(np.zeros(self._size), inputs, offsets)
        state = gmres(
            lambda state: state - self._sweep(state, nothing, nothing), first, TOLERANCE, MAX_SWEEPS
        )
        return None if state is None else state[self._starts[-1] :]

    def _sweep(self, state: Floats, inputs: Floats, offsets: Floats) -> Floats:
        new = np.empty(self._size)
        volts = state[self._starts[-1] :]
        rows = offsets - volts * self._per_gain
        into = self._inputs * (inputs - rows) + self._diagonal * (volts - rows)
        pieces = list(zip(self._arrays, self._starts[:-1], self._starts[1:], strict=True))
        remaining = []
        for array, start, stop in pieces:
            across = array.across(rows, volts)
            across -= array.lines.source_drops(across - array.drops(state[start:stop]))
            into[array.block.row_order] -= np.einsum("ij,ij->i", array.reach, across)
            remaining.append(across)
        correction = lu_solve(self._factors, -into, check_finite=False)
        for (array, start, stop), across in zip(pieces, remaining, strict=True):
            column_step = (array.drive * correction)[array.block.column_order]
            across -= array.source_profile * column_step
            across -= (correction * self._per_gain)[array.block.row_order, None]
            out = new[start:stop].reshape(array.lines.bit.loads.shape)
            out[:, array.lines.bit.n :] = 0.0
            line_drops(array.lines.bit, across, out)
        new[self._starts[-1] :] = volts + correction
        return new


class _SweptArray:
    """One array of a loop with the profiles along its lines.

    `reach` (n, n) is the current into a row's end per volt at a cell's source node, the row end at 0 V, S; `source_profile`
    (n, n) the voltage at a cell's source node per volt at its column's end, bit lines at 0 V.
    """

    def __init__(self, block: WiredBlock, drive: Floats) -> None:
        self.block, self.drive = block, drive
        self.lines = BlockLines(block)
        ones = np.ones(block.shape)
        self.source_profile = ones - self.lines.source_drops(ones)
        bit = self.lines.bit
        self.reach = block.conductance * (ones - line_drops(bit, ones, bit.zeros()))

    def across(self, rows: Floats, outputs: Floats) -> Floats:
        """Return the voltages (n, n) across the cells if the wires were perfect."""
        columns = (self.drive * outputs)[self.block.column_order]
        return np.asarray(rows[self.block.row_order, None] - columns)

    def drops(self, piece: Floats) -> Floats:
        """Return the bit lines' drops (n, n) held in a piece of the state."""
        bit = self.lines.bit
        return bit.cells(piece.reshape(bit.loads.shape))


def gmres(
    apply: Callable[[Floats], Floats], right: Floats, tolerance: float, max_iterations: int
) -> Floats | None:
    """Solve apply(x) = right, (n,), to `tolerance` of the residual relative to `right`; None when the iterations do not
    suffice.

    What `apply` returns is overwritten.
    """
    size = np.sqrt(dot(right, right))
    if size == 0.0:
        return np.zeros_like(right)
    basis = [right / size]
    projected = np.zeros((max_iterations + 1, max_iterations))
    target = np.zeros(max_iterations + 1)
    target[0] = size
    for k in range(max_iterations):
        vector = apply(basis[k])
        for j, member in enumerate(basis):
            projected[j, k] = dot(member, vector)
            vector -= projected[j, k] * member
        projected[k + 1, k] = np.sqrt(dot(vector, vector))
        small = projected[: k + 2, : k + 1]
        weights = np.linalg.lstsq(small, target[: k + 2], rcond=None)[0]
        if np.linalg.norm(small @ weights - target[: k + 2]) <= tolerance * size:
            return np.asarray(sum(weight * member for weight, member in zip(weights, basis, strict=True)))
        vector /= projected[k + 1, k]
        basis.append(vector)
    return None


def _factorise(matrix: Floats) -> tuple[Floats, NDArray[np.int32]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)  # raised below as our own error
        factors, pivots = lu_factor(matrix)
    if not np.diagonal(factors).all():
        row = int(np.flatnonzero(np.diagonal(factors) == 0.0)[0])
        raise ConvergenceError(
            f"the loop of {len(matrix)} amplifiers has no solution: its matrix is singular at row {row}; "
            "add a diagonal or choose another encoding"
        )
    return factors, pivots
