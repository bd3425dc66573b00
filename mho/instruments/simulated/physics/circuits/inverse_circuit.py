"""INV on the board: amplifiers whose outputs drive the columns and whose inputs are the rows.

    static   (G + D/A) v = -i - I_b + D Vos        ideal: v = -G^-1 i

with D the sum of all conductance on each row, A the open-loop gain, Vos and I_b the amplifiers' offsets and bias
current (Zuo 2025, Methods). Outputs are clamped at +-0.4 V, or earlier where an amplifier has no more current for its
column. Cells that are no lines carry a current e(v) more: (G + D/A) v + e(v) = -i - I_b + D Vos, solved by iteration.
`loop_dynamics` has the way there, and the stability: a loop whose state matrix has an eigenvalue in the right half plane
rails along its fastest growing mode. Way and stability are those of cells that are lines.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.physics.cells.conduction import ExcessCurrents
from mho.instruments.simulated.physics.circuits.amplifiers import (
    CLAMP,
    AmplifierBank,
    Converter,
    thermal_density,
)
from mho.instruments.simulated.physics.circuits.loop_network import LoopDynamics, StepResponse

CLAMPINGS = 100  # rounds of clamping and letting go; a few suffice
CHORDS, NEWTON = 12, 40  # steps by the linear loop's inverse, and further ones by Newton's method
CLOSE = 1e-8  # V, of the last step
HELD = 1 << 21  # numbers of Jacobians held at once, 16 MiB
HORIZON = 12.0  # time constants of the slowest mode after which a waveform has ended: 6e-6 of it is left


class InverseCircuit:
    """One loop, connected; factorised once for all inputs.

    `network` (n, n): G, signed: current into row k per volt of output j, S.
    `load` (n,) or (n, n): D, all conductance on each row including the input's, S; a matrix where wires tie rows together.
    `variance` (n, n): variance of each entry from shot to shot, S^2: a noise current on its row.
    `bank`: at least n amplifiers.
    `bandwidth`: noise bandwidth of a reading, Hz.
    `adc`: the board's own converter at the outputs; none where the instrument outside converts.
    `near`: as of `LoopDynamics`: that of the same loop without noise.
    `excess`: what the cells carry beyond the network's G v; none of linear cells.
    `drawn` (n,): current that an output drives a volt, S: of its column and what else hangs on it.

    Of the loop, `levels` (n,) are the largest output voltages, V: of the clamps, or at which an amplifier gives all its
    current; `asked` (n,) the largest that each output was asked for so far and did not reach, V, 0 where it reached all.
    """

    def __init__(
        self, network: Floats, load: Floats, variance: Floats, bank: AmplifierBank, bandwidth: float,
        adc: Converter | None = None, near: LoopDynamics | None = None,
        excess: ExcessCurrents | None = None, drawn: Floats | None = None,
    ) -> None:  # fmt: skip
        n = len(network)
        self.load = np.diag(load) if load.ndim == 1 else load
        rows = np.diagonal(self.load)
        if not (np.all(np.isfinite(network)) and np.all(rows > 0.0)):
            raise ValueError("INV network: conductances must be finite and every row's load positive (S)")
        self.network, self.variance = network, variance
        self.bank, self.bandwidth, self.adc = bank.first(n), bandwidth, adc
        self.dynamics = LoopDynamics(network, self.load, self.bank, near)
        self._excess = excess
        current = np.inf if drawn is None else bank.preset.output_current / np.maximum(drawn, 1e-12)
        self.levels = np.minimum(np.minimum(np.full(n, CLAMP), self.bank.swing), current)
        self.asked = np.zeros(n)
        self._offset = self.load @ self.bank.offsets - self.bank.bias_current
        self._floor = bandwidth * (thermal_density(rows) + (rows * self.bank.noise) ** 2)

    # --- static ---

    @cached_property
    def system(self) -> Floats:
        """G + D/A, the matrix that the settled loop inverts, S."""
        return np.asarray(self.network + self.load / self.bank.gain)

    @cached_property
    def _inverse(self) -> Floats:
        # The transposed inverse turns a batch of solves into one product; n is small and the loop stable,
        # so forming it costs no accuracy that the noise would not drown.
        return np.ascontiguousarray(np.linalg.inv(self.system).T)

    def settled(self, currents: Floats, rng: np.random.Generator | None = None) -> Floats:
        """Output voltages (samples, n), V, after settling, for `currents` (samples, n), A, into the rows.

        Noise is drawn where `rng` is given: every cell's fluctuation is a current on its row, so to first
        order one draw per row with the exact variance sum_j v_j^2 var(G_kj) carries all of it.
        """
        if not self.stable:
            return self._railed(len(currents), rng)
        forward = self._offset - currents
        outputs = self._solved(forward)
        if rng is not None:
            spread = np.sqrt(np.minimum(outputs**2, CLAMP**2) @ self.variance.T + self._floor)
            noise = spread * rng.standard_normal(forward.shape)
            forward += noise
            # Noise is small: what it does beside other currents than G v is of second order.
            outputs = forward @ self._inverse if self._excess is None else outputs + noise @ self._inverse
        beyond = np.flatnonzero((np.abs(outputs) > self.levels).any(axis=1))
        if beyond.size:
            self.asked = np.maximum(self.asked, _beyond(outputs[beyond], self.levels))
            if self._excess is not None:
                forward[beyond] -= self._excess.currents(outputs[beyond])
        for sample in beyond:
            outputs[sample] = self._clamped(forward[sample], outputs[sample])
        return outputs

    def _solved(self, forward: Floats) -> Floats:
        """Return the outputs (samples, n), V, for currents (samples, n), A, without clamps."""
        outputs = np.asarray(forward @ self._inverse)
        if self._excess is None:
            return outputs
        step = max(HELD // outputs.shape[1] ** 2, 1)
        for first in range(0, len(outputs), step):
            some = slice(first, first + step)
            outputs[some] = self._iterated(forward[some], outputs[some], self._excess)
        return outputs

    def _iterated(self, forward: Floats, outputs: Floats, excess: ExcessCurrents) -> Floats:
        """Return the outputs of cells that carry more than G v, from those of linear ones; beyond the clamps if none are.

        The inverse of the linear loop serves first, for all samples at once; what that does not bring close is left to
        Newton's method, with slopes of its own for each sample.
        """
        open_ones = np.arange(len(outputs))
        for number in range(CHORDS + NEWTON):
            volts = outputs[open_ones]
            missing = forward[open_ones] - volts @ self.system.T - excess.currents(volts)
            if number < CHORDS:
                steps = np.asarray(missing @ self._inverse)
            else:
                slopes = self.system + excess.slopes(volts)
                steps = np.asarray(np.linalg.solve(slopes, missing[..., None])[..., 0])
            outputs[open_ones] = volts + steps
            open_ones = open_ones[np.abs(steps).max(axis=1) > CLOSE]
            if not open_ones.size:
                break
        outputs[open_ones] = np.copysign(2.0 * excess.reach, outputs[open_ones])
        return outputs

    def _clamped(self, forward: Floats, outputs: Floats) -> Floats:
        """Return the settled outputs with some in their clamps: those act as sources, the others settle.

        An output that its amplifier would pull out of its clamp, once others are in theirs, is let go again. A clamp is a
        current on its row that holds the output there, so the inverse of the whole loop serves whichever are held.
        """
        unheld, at_limit = outputs, np.zeros(len(outputs), dtype=bool)
        currents = np.zeros(len(outputs))
        for _ in range(CLAMPINGS):
            over = ~at_limit & (np.abs(outputs) > self.levels)
            if over.any():
                at_limit |= over
                levels = np.where(at_limit, np.clip(outputs, -self.levels, self.levels), 0.0)
            else:
                released = at_limit & (np.linalg.solve(self.load, currents) * outputs > 0.0)
                if not released.any():
                    break
                at_limit &= ~released
            lines = np.flatnonzero(at_limit)
            response = self._inverse[lines]  # of all outputs to a current on the row of each that is held
            currents = np.zeros(len(outputs))
            currents[lines] = _currents_that_hold(response[:, lines].T, (levels - unheld)[lines])
            outputs = np.where(at_limit, levels, unheld + currents[lines] @ response)
        return np.clip(outputs, -self.levels, self.levels)

    # --- dynamic ---

    @property
    def slowest(self) -> complex:
        """Eigenvalue of the state matrix nearest to (or farthest into) instability, 1/s."""
        return self.dynamics.slowest

    @property
    def stable(self) -> bool:
        """Whether every mode decays."""
        return self.dynamics.stable

    def step(self, currents: Floats, times: Floats, start: Floats | None = None) -> Floats:
        """Return the outputs (times, n), V, at ascending `times` (s) after `currents` (n,), A, are applied, without noise.

        `start` (n,) are the outputs before the step, settled; zero by default.
        """
        dynamics = self.dynamics
        before = dynamics.at_rest(np.zeros(len(self.load)) if start is None else start)
        linear = self._solved((self._offset - currents)[None])[0] if self.stable else np.zeros(len(self.load))
        if self._excess is not None:  # the way of linear cells to where these are
            currents = currents + self._excess.currents(linear[None])[0]
        return dynamics.waveform(currents, times, before, dynamics.at_rest(linear))

    def step_response(
        self, currents: Floats, duration: float | None = None, points: int = 2000, start: Floats | None = None
    ) -> StepResponse:
        """Return the waveforms after `currents` (n,), A, are applied, as `step`, at `points` equally spaced times.

        `duration` (s) is by default until the slowest mode has decayed (or grown) 12 times by e.
        """
        if duration is None:
            duration = HORIZON / abs(self.slowest.real)
        times = np.linspace(0.0, duration, points + 1)[1:]
        start = np.zeros(len(self.load)) if start is None else start
        final = self.settled(currents[None])[0] if self.stable else np.full(len(self.load), np.nan)
        return StepResponse(times, self.step(currents, times, start), start, final)

    def settling_time(self, currents: Floats, tolerance: float = 1e-2, points: int = 2000) -> float:
        """Return the time (s) from which the response to a step from 0 V stays within `tolerance` of it; `ValueError` if
        never.
        """
        if not self.stable:
            raise ValueError("settling time: the loop is unstable")
        duration = HORIZON / -self.slowest.real * max(1.0, np.log10(1.0 / tolerance) / 2.0)
        return self.step_response(currents, duration, points).settling_time(tolerance)

    def sampled(
        self, currents: Floats, delay: float, period: float, rng: np.random.Generator | None = None
    ) -> Floats:
        """Outputs as a converter samples them `delay` (s) after each update, one update a `period` (s).

        Where the loop has settled by then (to a millionth) this is `settled`; where it has not, each sample
        starts from the state at the previous one.
        """
        outputs = self._sampled(currents, delay, period, rng)
        return self.adc.readings(outputs, rng) if self.adc else outputs

    def _sampled(
        self, currents: Floats, delay: float, period: float, rng: np.random.Generator | None
    ) -> Floats:
        settled = self.settled(currents, rng)
        if not self.stable or np.exp(self.slowest.real * delay) < 1e-6:
            return settled
        targets = self.dynamics.at_rest(settled)
        until_sample, until_update = self.dynamics.passed(delay), self.dynamics.passed(period)
        state = targets[0]  # the first input had been applied before
        result = np.empty_like(settled)
        for index, target in enumerate(targets):
            deviation = state - target
            result[index] = (until_sample @ deviation + target)[: len(self.load)]
            state = until_update @ deviation + target
        return np.clip(result, -CLAMP, CLAMP)

    def _railed(self, samples: int, rng: np.random.Generator | None) -> Floats:
        """Outputs of an unstable loop: in the clamps, signed as the mode that grows fastest."""
        mode = self.dynamics.growing
        phase = 1.0 if rng is None else np.exp(2j * np.pi * rng.random((samples, 1)))
        signs = np.sign((phase * np.broadcast_to(mode, (samples, len(mode)))).real)
        return np.asarray(np.where(signs == 0.0, CLAMP, signs * CLAMP))


def _beyond(outputs: Floats, levels: Floats) -> Floats:
    """Return the largest voltage of each output (samples, n) that is beyond its level, V; 0 where none is."""
    size = np.abs(outputs)
    return np.asarray(np.where(size > levels, size, 0.0).max(axis=0))


def _currents_that_hold(matrix: Floats, volts: Floats) -> Floats:
    """Return the currents that hold outputs in their clamps; the smallest ones where more than one would do."""
    try:
        return np.asarray(np.linalg.solve(matrix, volts))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, volts, rcond=None)[0])
