"""The amplifiers around the arrays: transimpedance for MVM, the closed loop for INV.

Static first version (physics.md, sections 3 and 4): finite gain, offset, noise, clamp; a loop with an
eigenvalue of D^-1 G in the left half plane rails, as it does on a bench.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instruments.simulated.physics.presets import AmplifierPreset

Floats = NDArray[np.float64]

BOLTZMANN_4T = 4 * 1.380649e-23 * 300.0  # J, 4 k T
CLAMP = 0.4  # V, the diode pairs that keep cells from being disturbed [P]
SUPPLY = 5.0  # V, swing of the MULTIPLY amplifiers


@dataclass(frozen=True)
class AmplifierBank:
    """One amplifier a line, each with its own offset.

    Attributes
    ----------
    offsets : (n,) array
        Input offset voltages, V.
    gain_errors : (n,) array
        Relative error of each feedback resistor (MULTIPLY) or inverter (INVERT).
    """

    preset: AmplifierPreset
    offsets: Floats
    gain_errors: Floats

    @classmethod
    def draw(
        cls, preset: AmplifierPreset, count: int, rng: np.random.Generator, tolerance: float = 5e-4
    ) -> AmplifierBank:
        """Draw `count` amplifiers with feedback parts of relative `tolerance`."""
        offsets = preset.offset * rng.standard_normal(count)
        return cls(preset, offsets, tolerance * rng.standard_normal(count))

    def noise(self, bandwidth: float) -> float:
        """Input noise (V rms) in `bandwidth` (Hz)."""
        return self.preset.noise * float(np.sqrt(bandwidth))


def transimpedance_outputs(
    volts: Floats,
    ports: Floats,
    cell_spread: Floats,
    bank: AmplifierBank,
    resistance: float,
    bandwidth: float,
    rng: np.random.Generator,
) -> Floats:
    """Output voltages (samples, columns) of v = -R G^T u with everything that disturbs them.

    Per-cell read noise enters as one draw per output with the exact variance sum_j u_j^2 var(G_j): a sum
    of independent Gaussians needs no matrix of draws.
    """
    columns = ports.shape[1]
    gain = resistance * (1.0 + bank.gain_errors[:columns])
    load = ports.sum(axis=0)
    current = volts @ ports
    variance = (volts**2) @ cell_spread**2
    variance += BOLTZMANN_4T * bandwidth * (load + 1.0 / resistance)
    current += np.sqrt(variance) * rng.standard_normal(current.shape)
    noise_gain = 1.0 + resistance * load
    input_error = bank.offsets[:columns] + bank.noise(bandwidth) * rng.standard_normal(current.shape)
    closed = 1.0 / (1.0 + noise_gain / bank.preset.gain)
    return np.asarray(np.clip(closed * (-gain * current + noise_gain * input_error), -SUPPLY, SUPPLY))


def loop_outputs(
    currents: Floats,
    network: Floats,
    load: Floats,
    cell_variance: Floats,
    bank: AmplifierBank,
    bandwidth: float,
    rng: np.random.Generator,
) -> Floats:
    """Settled output voltages (samples, k) of the inverting loop: (G + D/A) v = -i + D Vos.

    Parameters
    ----------
    currents : (samples, k) array
        Into the rows, A.
    network : (k, k) array
        Signed conductances from output to row, S.
    load : (k,) array
        All conductance on each row, D, S.
    cell_variance : (k, k) array
        Variance of each entry's read noise, S^2; acts as a noise current on its row, to first order.
    """
    k = len(load)
    if np.linalg.eigvals(network / load[:, None]).real.min() <= 0.0:
        return np.asarray(np.where(rng.random((len(currents), k)) < 0.5, -CLAMP, CLAMP))
    system = network + np.diag(load / bank.preset.gain)
    forward = -currents + load * bank.offsets[:k]
    settled = np.linalg.solve(system, forward.T).T
    variance = np.clip(settled, -CLAMP, CLAMP) ** 2 @ cell_variance.T
    variance += BOLTZMANN_4T * bandwidth * load + (load * bank.noise(bandwidth)) ** 2
    disturbed = forward + np.sqrt(variance) * rng.standard_normal(forward.shape)
    return np.clip(np.linalg.solve(system, disturbed.T).T, -CLAMP, CLAMP)
