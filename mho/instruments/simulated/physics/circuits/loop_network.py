"""The INVERT loop as one network: cells, wires, input and diagonal resistors, amplifiers and inverters.

Row end k of the block is the inverting input of amplifier k; its output v_k drives column end k of each array, as it is,
through an inverter, or through a divider. With x = Vos - v/A at the row ends,

    (N + Lambda / A) v = -g_in u + Lambda Vos,
    N = sum over the arrays of T diag(drive) + diag(d),      Lambda = sum of Y_rr + diag(g_in + d),

with T and Y_rr the admittances of the arrays at their ends (wires.py). N and Lambda are computed.

Row k has the capacitance C_in to ground (amplifier, pad, board); the capacitor C_f lies between output k and row k.
Kirchhoff's current law at the rows (voltages x), and amplifiers of gain A, unity-gain frequency w_u = 2 pi GBW and
second pole w_a, give

    (C_in + C_f) dx/dt = G v + i + I_b - D x + C_f dv/dt
    dz/dt = w_a (Vos - x - v/A - z)
    dv/dt = w_u z, at most the slew rate; nothing further outward in a clamp

This is third order for each amplifier; without any capacitance the rows follow at once, and it is second order.
At rest x = Vos - v/A, so (G + D/A) v = -i - I_b + D Vos: capacitances do not change what the loop settles to.

What C_f does is seen where the rows and the second pole are fast: (D + w_u C_f) dv/dt = -w_u (G v + i). Where
D >> w_u C_f, the amplifiers set the time constant, 1 / (w_u lambda_min(D^-1 G)). Where D << w_u C_f, the capacitors do,
C_f / lambda_min(G), however fast the amplifiers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Complexes, Floats
from mho.errors import BenchError, ConvergenceError, InputError
from mho.instruments.simulated.physics.circuits.amplifiers import CLAMP, AmplifierBank
from mho.instruments.simulated.physics.wires import WiredBlock, check_values


@dataclass(frozen=True)
class StepResponse:
    """Waveforms of an INV loop after a step of its inputs at time 0: what an oscilloscope would show."""

    times: Floats  # (times,): ascending, s
    outputs: Floats  # (times, n): output voltages, V
    start: Floats  # (n,): outputs before the step, V
    final: Floats  # (n,): after settling, V; NaN for a loop that never settles

    def settling_time(self, tolerance: float = 1e-2) -> float:
        """Return the time (s) from which all outputs stay within `tolerance` (0 to 1) of the largest output's step.

        Infinite where they do not within the times that are shown.
        """
        if not 0.0 < tolerance < 1.0:
            raise InputError(f"tolerance is {tolerance:g}; give a share of the step between 0 and 1")
        within = np.abs(self.outputs - self.final).max(axis=1) <= tolerance * self._height
        outside = np.flatnonzero(~within)
        first = outside[-1] + 1 if outside.size else 0
        return float(self.times[first]) if first < len(self.times) else np.inf

    @property
    def overshoot(self) -> float:
        """Largest excursion beyond a final value, relative to the largest output's step; infinite where none is final."""
        if np.isnan(self._height):
            return np.inf
        beyond = (self.outputs - self.final) * np.sign(self.final - self.start)
        return float(max(beyond.max(), 0.0) / self._height) if self._height > 0.0 else 0.0

    @property
    def _height(self) -> float:
        return float(np.abs(self.final - self.start).max())


WORST_MODES = 1e9  # condition number from which rounding would show in a waveform: integrate instead
ACCURACY, SMALLEST = 1e-6, 1e-9  # of the integration: relative, and V
MOST_RATES = 500_000  # evaluations of the state's rate in one integration: some seconds
KNEE = 1e-3  # V below the clamp from which the diodes conduct, so that the rate is continuous


class LoopDynamics:
    """The state (v, z, x) of a loop of n amplifiers, V, and how it moves.

    `network`, `load` (n, n): G, signed: current into row k per volt of output j, S. D: current out of row k per volt
        of row j, S.
    `near`: the same loop with a slightly different network, whose modes are known: eigenvalues then follow from its,
        to first order, as long as a bound on the rest shows that all modes decay.
    """

    def __init__(
        self, network: Floats, load: Floats, bank: AmplifierBank, near: LoopDynamics | None = None
    ) -> None:
        self._network, self._load, self._bank, self._near = network, load, bank, near
        preset = bank.preset
        self._unity, self._second = 2.0 * np.pi * preset.bandwidth, 2.0 * np.pi * preset.second_pole
        self._capacitance = preset.row_capacitance + preset.feedback_capacitance
        # Number of states: 3 n, or 2 n where no row has a capacitance
        self.order = len(network) * (3 if self._capacitance > 0.0 else 2)

    @cached_property
    def state_matrix(self) -> Floats:
        """(order, order) matrix of the state's rate, 1/s, inside the linear range."""
        n = len(self._network)
        one, none = np.eye(n), np.zeros((n, n))
        second, gain = self._second, self._bank.gain
        if not self._capacitance > 0.0:
            return np.block([[none, self._unity * one], [self._network_rates, -second * one]])
        return np.block(
            [
                [none, self._unity * one, none],
                [-second / gain * one, -second * one, -second * one],
                [self._network_rates, self._coupling * one, -self._load / self._capacitance],
            ]
        )

    @cached_property
    def _network_rates(self) -> Floats:
        """(n, n) part of the state matrix that has the network in it: its last rows, at the outputs."""
        if self._capacitance > 0.0:
            return np.asarray(self._network / self._capacitance)
        at_once = np.linalg.solve(self._load, self._network)
        return np.asarray(-self._second * (at_once + np.eye(len(at_once)) / self._bank.preset.gain))

    @property
    def _coupling(self) -> float:
        """Rate of a row, V/s, per volt of z, through its feedback capacitor."""
        return self._unity * self._bank.preset.feedback_capacitance / self._capacitance

    def source(self, currents: Floats) -> Floats:
        """Return the part of the state's rate, V/s, that `currents` (n,), A, into the rows and the offsets make."""
        into = currents + self._bank.bias_current
        offsets = self._second * self._bank.offsets
        if not self._capacitance > 0.0:
            rows = self._second * np.linalg.solve(self._load, into)
            return np.concatenate([np.zeros(len(into)), offsets - rows])
        return np.concatenate([np.zeros(len(into)), offsets, into / self._capacitance])

    def at_rest(self, outputs: Floats) -> Floats:
        """Return the states (..., order) of loops that rest at `outputs` (..., n), V."""
        rows = self._bank.offsets - outputs / self._bank.gain
        parts = [outputs, np.zeros_like(outputs), rows]
        return np.concatenate(parts[: self.order // len(self._network)], axis=-1)

    # --- stability ---

    @cached_property
    def eigenvalues(self) -> Complexes:
        """Eigenvalues (order,) of the state matrix, 1/s."""
        followed = None if self._near is None else self._followed(self._near)
        if followed is not None:
            return followed
        return np.linalg.eigvals(self.state_matrix).astype(np.complex128)

    def _followed(self, near: LoopDynamics) -> Complexes | None:
        """Return the eigenvalues to first order of the change from `near`; None where one of them might not decay.

        In the modes of `near` the state matrix is its eigenvalues plus what the change makes of them. By Gershgorin all
        eigenvalues lie in discs around the diagonal, with the sums of the other magnitudes in a row as radii.
        """
        values, vectors, independent = near._modes
        if not independent:
            return None
        n = len(self._network)  # the network enters the last n rows, at the outputs, which come first
        change = self._network_rates - near._network_rates
        coupled = near._dual_modes[:, -n:] @ change @ vectors[:n]
        own = coupled.diagonal()
        moved = values + own
        radii = np.abs(coupled).sum(axis=1) - np.abs(own)
        return moved if (moved.real + radii).max() < 0.0 else None

    @property
    def slowest(self) -> complex:
        """Eigenvalue nearest to (or farthest into) instability, 1/s."""
        return complex(self.eigenvalues[np.argmax(self.eigenvalues.real)])

    @property
    def stable(self) -> bool:
        """Whether every mode decays."""
        return self.slowest.real < 0.0

    @property
    def growing(self) -> Complexes:
        """Outputs (n,) of the mode that decays slowest or grows fastest."""
        values, vectors, _ = self._modes
        return vectors[: len(self._network), np.argmax(values.real)]

    @cached_property
    def _modes(self) -> tuple[Complexes, Complexes, bool]:
        """Eigenvalues, eigenvectors, and whether these are independent enough to compute with."""
        values, vectors = np.linalg.eig(self.state_matrix)
        return values, vectors, bool(np.linalg.cond(vectors) < WORST_MODES)

    @cached_property
    def _dual_modes(self) -> Complexes:
        return np.asarray(np.linalg.inv(self._modes[1]), np.complex128)

    # --- waveforms ---

    def waveform(self, currents: Floats, times: Floats, start: Floats, final: Floats) -> Floats:
        """Return the outputs (times, n), V, at ascending `times`, s, after `currents` (n,), A, are applied, without noise.

        Exact by modes while the loop stays linear; integrated where it slews, clamps or diverges. `start` and `final`
        (order,) are the state before the step, and that in which the linear loop rests.
        """
        n = len(self._network)
        if self.stable and self._modes[2]:
            weights = self._modes[1] * np.linalg.solve(self._modes[1], start - final)
            if self._stays_linear(weights, final):
                return self._by_modes(weights, times)[:, :n] + final[:n]
        return self._integrated(currents, times, start)

    def _by_modes(self, weights: Complexes, times: Floats) -> Floats:
        return np.asarray((np.exp(np.multiply.outer(times, self._modes[0])) @ weights.T).real)

    def _stays_linear(self, weights: Complexes, final: Floats) -> bool:
        """Return whether outputs and slopes stay within clamps and slew rate at all times."""
        speeds, n = np.abs(self._modes[0]), len(self._network)
        path = self._by_modes(weights, np.geomspace(0.05 / speeds.max(), 6.0 / speeds.min(), 300)) + final
        slopes = self._unity * np.abs(path[:, n : 2 * n])
        return bool(np.abs(path[:, :n]).max() < CLAMP and slopes.max() < self._bank.preset.slew)

    def _integrated(self, currents: Floats, times: Floats, start: Floats) -> Floats:
        """Integrate with the slew limit and the clamps; implicit where the loop is stiff."""
        n, last = len(self._network), float(times[-1])
        source, spent = self.source(currents), 0

        def rate(_: float, state: Floats) -> Floats:
            nonlocal spent
            spent += 1
            if spent > MOST_RATES:
                raise ConvergenceError(
                    f"the waveform of a loop of {n} amplifiers until {last:g} s takes more than {MOST_RATES} steps; "
                    "ask for a shorter time"
                )
            return self._limited(self.state_matrix @ state + source, state)

        from scipy.integrate import solve_ivp  # loads slowly

        solved = solve_ivp(rate, (0.0, last), start, "LSODA", t_eval=times, rtol=ACCURACY, atol=SMALLEST)
        if not solved.success:
            raise ConvergenceError(
                f"the waveform of a loop of {n} amplifiers until {last:g} s could not be integrated "
                f"({solved.message}); ask for a shorter time"
            )
        return np.clip(solved.y[:n].T, -CLAMP, CLAMP)

    def _limited(self, rate: Floats, state: Floats) -> Floats:
        """Return the state's rate with slew limit and clamps; a row is coupled to its output as that really moves."""
        n, slew = len(self._network), self._bank.preset.slew
        moving = np.clip(rate[:n], -slew, slew)
        room = np.clip((CLAMP - np.abs(state[:n])) / KNEE, 0.0, 1.0)
        moving *= np.where(moving * state[:n] > 0.0, room, 1.0)
        if self.order > 2 * n:
            rate[2 * n :] += self._coupling / self._unity * (moving - rate[:n])
        rate[:n] = moving
        return rate

    def passed(self, seconds: float) -> Floats:
        """Return the matrix (order, order) by which a deviation from rest has changed after a time, s."""
        from scipy.linalg import expm  # loads slowly

        return np.asarray(expm(self.state_matrix * seconds))


class LoopNetwork:
    """A closed loop of n amplifiers around one or more arrays; `BenchError` for parts that do not match.

    `arrays`: arrays (n, n) whose row ends are the amplifiers' inputs, and what their column ends get per volt of each
        output, a number or (n,): 1, or -1 behind ideal inverters.
    `input_conductance`, `diagonal`, numbers or (n,): from input k, and from output k, to row end k, S.
    """

    def __init__(
        self, arrays: Sequence[tuple[WiredBlock, ArrayLike]], *, input_conductance: ArrayLike,
        diagonal: ArrayLike = 0.0,
    ) -> None:  # fmt: skip
        n = arrays[0][0].shape[0]
        for number, (block, _) in enumerate(arrays):
            if block.shape != (n, n):
                raise BenchError(
                    f"array {number} has {block.shape[0]} x {block.shape[1]} cells, but a loop of {n} "
                    f"amplifiers needs {n} x {n}"
                )
        self.n = n
        self._input = each_amplifiers("input_conductance", input_conductance, n, "S")
        self._diagonal = each_amplifiers("diagonal", diagonal, n, "S")
        self._arrays = [
            (block, each_amplifiers(f"drive of array {number}", drive, n, "", lowest=-np.inf))
            for number, (block, drive) in enumerate(arrays)
        ]

    def matrix(self) -> Floats:
        """Return N (n, n), S: current into row ends per volt at the outputs."""
        result = np.diag(self._diagonal)
        for block, drive in self._arrays:
            result += block.admittance.transfer * drive
        return result

    def load(self) -> Floats:
        """Return Lambda (n, n), S: current out of row ends per volt at the row ends."""
        result = np.diag(self._input + self._diagonal)
        for block, _ in self._arrays:
            result += block.admittance.row_row
        return result


def each_amplifiers(name: str, value: ArrayLike, n: int, unit: str, lowest: float = 0.0) -> Floats:
    """Return one value for each of n amplifiers, checked."""
    values = np.asarray(value, np.float64)
    if values.shape not in ((), (n,)):
        raise BenchError(f"{name} has shape {values.shape}; give one value or {n}, one for each amplifier")
    check_values(name, values, unit, lowest)
    return values.copy() if values.ndim else np.full(n, values)
