"""INV on the board: amplifiers whose outputs drive the columns and whose inputs are the rows.

    static   (G + D/A) v = -i + D Vos        ideal: v = -G^-1 i
    dynamic  dz/dt = w_2 (-w_u D^-1 (G v + i - D Vos) - w_1 v - z),   dv/dt = z, at most the slew rate

with D the sum of all conductance on each row, A the open-loop gain, w_u = 2 pi GBW, w_1 = w_u/A, and w_2 the
second pole: the amplifier's own and that of the row's capacitance, 1/w_2 = 1/w_a + C/D (Zuo 2025, Methods).
Outputs are clamped at +-0.4 V. The loop is stable only when every eigenvalue of its state matrix lies in the
left half plane; otherwise it rails along its fastest growing mode.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.physics.circuits.amplifiers import CLAMP, AmplifierBank, thermal_density
from mho.instruments.simulated.physics.circuits.converters import Converter

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


class InverseCircuit:
    """One loop, connected; factorised once for all inputs.

    Parameters
    ----------
    network : (n, n) array
        G, signed: current into row k per volt of output j, S.
    load : (n,) or (n, n) array
        D, all conductance on each row including the input's, S; a matrix where wires tie rows together.
    variance : (n, n) array
        Variance of each entry from shot to shot, S^2: a noise current on its row.
    bank : AmplifierBank
        At least n amplifiers.
    bandwidth : float
        Noise bandwidth of a reading, Hz.
    adc : Converter, optional
        The board's own converter at the outputs; none where the instrument outside converts.

    Raises
    ------
    ValueError
        For a row without conductance, or anything not finite.
    """

    def __init__(
        self,
        network: Floats,
        load: Floats,
        variance: Floats,
        bank: AmplifierBank,
        bandwidth: float,
        adc: Converter | None = None,
    ) -> None:
        n = len(network)
        self.load = np.diag(load) if load.ndim == 1 else load
        rows = np.diagonal(self.load)
        if not (np.all(np.isfinite(network)) and np.all(rows > 0.0)):
            raise ValueError("INV network: conductances must be finite and every row's load positive (S)")
        self.network, self.variance = network, variance
        self.bank, self.bandwidth, self.adc = bank.first(n), bandwidth, adc
        own = 1.0 / (2.0 * np.pi * bank.preset.second_pole)
        self._second = 1.0 / (own + bank.preset.row_capacitance / rows)
        self._offset = self.load @ self.bank.offsets - bank.preset.bias_current
        self._floor = bandwidth * (thermal_density(rows) + (rows * bank.preset.noise) ** 2)

    # --- static ---

    @cached_property
    def system(self) -> Floats:
        """G + D/A, the matrix that the settled loop inverts, S."""
        return self.network + self.load / self.bank.preset.gain

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
        outputs = forward @ self._inverse
        if rng is not None:
            spread = np.sqrt(np.minimum(outputs**2, CLAMP**2) @ self.variance.T + self._floor)
            forward += spread * rng.standard_normal(forward.shape)
            outputs = forward @ self._inverse
        beyond = np.flatnonzero(np.abs(outputs).max(axis=1, initial=0.0) > CLAMP)
        for sample in beyond:
            outputs[sample] = self._clamped(forward[sample], outputs[sample])
        return outputs

    def _clamped(self, forward: Floats, outputs: Floats) -> Floats:
        """Return the settled outputs with some in their clamps: those act as sources, the others settle."""
        held = np.zeros(len(outputs), dtype=bool)
        while np.any(over := ~held & (np.abs(outputs) > CLAMP)):
            held |= over
            outputs = np.where(held, np.clip(outputs, -CLAMP, CLAMP), outputs)
            free = ~held
            if not free.any():
                break
            rest = forward[free] - self.system[np.ix_(free, held)] @ outputs[held]
            outputs[free] = np.linalg.lstsq(self.system[np.ix_(free, free)], rest, rcond=None)[0]
        return outputs

    # --- dynamic ---

    @cached_property
    def state_matrix(self) -> Floats:
        """(2n, 2n) matrix of d(v, z)/dt, 1/s, inside the linear range."""
        n, p = len(self.load), self.bank.preset
        unity, second = 2.0 * np.pi * p.bandwidth, self._second[:, None]
        drive = -unity * (np.linalg.solve(self.load, self.network) + np.eye(n) / p.gain)
        return np.block([[np.zeros((n, n)), np.eye(n)], [second * drive, -second * np.eye(n)]])

    @cached_property
    def _modes(self) -> tuple[Complexes, Complexes, Complexes]:
        values, vectors = np.linalg.eig(self.state_matrix)
        return values, vectors, np.linalg.inv(vectors)

    @property
    def slowest(self) -> complex:
        """Eigenvalue of the state matrix nearest to (or farthest into) instability, 1/s."""
        values = self._modes[0]
        return complex(values[np.argmax(values.real)])

    @property
    def stable(self) -> bool:
        """Whether every mode decays."""
        return self.slowest.real < 0.0

    @property
    def damping(self) -> float:
        """Smallest damping ratio of any mode: 1 is aperiodic, 0 the edge of oscillation."""
        values = self._modes[0]
        return float(np.min(-values.real / np.abs(values)))

    def step(self, currents: Floats, times: Floats, start: Floats | None = None) -> Floats:
        """Outputs at `times` (s) after `currents` (n,), A, are applied, (times, n), V, without noise.

        Exact by modes while the loop stays linear; integrated where it slews, clamps or diverges.

        Parameters
        ----------
        start : (n,) array, optional
            Outputs before the step, settled; zero by default.
        """
        n = len(self.load)
        state = np.zeros(2 * n)
        if start is not None:
            state[:n] = start
        if self.stable:
            final = np.concatenate([(self._offset - currents) @ self._inverse, np.zeros(n)])
            deviation = state - final
            if self._stays_linear(deviation, final):
                return np.asarray((self._linear(deviation, times) + final)[:, :n])
        return self._integrated(state, currents, times)

    def _stays_linear(self, deviation: Floats, final: Floats) -> bool:
        """Return whether outputs and slopes stay within clamps and slew rate at all times."""
        speeds = np.abs(self._modes[0])
        path = self._linear(deviation, np.geomspace(0.05 / speeds.max(), 6.0 / speeds.min(), 300)) + final
        n = len(self.load)
        return bool(np.abs(path[:, :n]).max() < CLAMP and np.abs(path[:, n:]).max() < self.bank.preset.slew)

    def _linear(self, deviation: Floats, times: Floats) -> Floats:
        values, vectors, inverse = self._modes
        weights = vectors * (inverse @ deviation)
        return np.asarray((np.exp(np.multiply.outer(times, values)) @ weights.T).real)

    def _integrated(self, state: Floats, currents: Floats, times: Floats) -> Floats:
        """Classical Runge-Kutta with the slew limit and the clamps, (times, n)."""
        n, p = len(self.load), self.bank.preset
        source = (
            2.0 * np.pi * p.bandwidth * self._second * np.linalg.solve(self.load, self._offset - currents)
        )
        matrix = self.state_matrix
        longest = 0.2 / float(np.abs(self._modes[0]).max())

        def slope(y: Floats) -> Floats:
            rate = matrix @ y
            rate[n:] += source
            rate[:n] = np.clip(rate[:n], -p.slew, p.slew)
            outward = (np.abs(y[:n]) >= CLAMP) & (rate[:n] * y[:n] > 0.0)
            rate[:n][outward] = 0.0
            return rate

        result = np.empty((len(times), n))
        now = 0.0
        for index, time in enumerate(times):
            count = max(int(np.ceil((time - now) / longest)), 1)
            h = (time - now) / count
            for _ in range(count):
                a = slope(state)
                b = slope(state + 0.5 * h * a)
                c = slope(state + 0.5 * h * b)
                d = slope(state + h * c)
                state = state + h / 6.0 * (a + 2.0 * b + 2.0 * c + d)
                np.clip(state[:n], -CLAMP, CLAMP, out=state[:n])
            now = float(time)
            result[index] = state[:n]
        return result

    def settling_time(self, currents: Floats, tolerance: float = 1e-2, points: int = 2000) -> float:
        """Time (s) from which the step response stays within `tolerance` of its final value.

        Raises
        ------
        ValueError
            For a loop that never settles.
        """
        if not self.stable:
            raise ValueError("settling time: the loop is unstable")
        horizon = 12.0 / -self.slowest.real * max(1.0, np.log10(1.0 / tolerance) / 2.0)
        times = np.linspace(0.0, horizon, points + 1)[1:]
        waveform = self.step(currents, times)
        final = self.settled(currents[None])[0]
        off = np.abs(waveform - final).max(axis=1) > tolerance * np.abs(final).max()
        last = np.flatnonzero(off)
        return float(times[min(last[-1] + 1, points - 1)]) if last.size else float(times[0])

    def overshoot(self, currents: Floats, points: int = 4000) -> float:
        """Largest excursion beyond the final value, relative to the largest final value."""
        if not self.stable:
            return np.inf
        times = np.linspace(0.0, 12.0 / -self.slowest.real, points + 1)[1:]
        waveform = self.step(currents, times)
        final = self.settled(currents[None])[0]
        beyond = (waveform - final) * np.sign(final)
        return float(beyond.max() / np.abs(final).max())

    def sampled(
        self, currents: Floats, delay: float, period: float, rng: np.random.Generator | None = None
    ) -> Floats:
        """Outputs as a converter samples them `delay` (s) after each update, one update a `period` (s).

        Where the loop has settled by then (to a millionth) this is `settled`; where it has not, each sample
        starts from the state at the previous one.
        """
        outputs = self._sampled(currents, delay, period, rng)
        return self.adc.levels(self.adc.codes(outputs)) if self.adc else outputs

    def _sampled(
        self, currents: Floats, delay: float, period: float, rng: np.random.Generator | None
    ) -> Floats:
        settled = self.settled(currents, rng)
        if not self.stable or np.exp(self.slowest.real * delay) < 1e-6:
            return settled
        n = len(self.load)
        state = np.concatenate([settled[0], np.zeros(n)])  # the first input had been applied before
        result = np.empty_like(settled)
        for index, final in enumerate(settled):
            target = np.concatenate([final, np.zeros(n)])
            both = self._linear(state - target, np.array([delay, period])) + target
            result[index] = both[0, :n]
            state = both[1]
        return np.clip(result, -CLAMP, CLAMP)

    def _railed(self, samples: int, rng: np.random.Generator | None) -> Floats:
        """Outputs of an unstable loop: in the clamps, signed as the mode that grows fastest."""
        values, vectors, _ = self._modes
        mode = vectors[: len(self.load), np.argmax(values.real)]
        phase = 1.0 if rng is None else np.exp(2j * np.pi * rng.random((samples, 1)))
        signs = np.sign((phase * np.broadcast_to(mode, (samples, len(mode)))).real)
        return np.asarray(np.where(signs == 0.0, CLAMP, signs * CLAMP))
