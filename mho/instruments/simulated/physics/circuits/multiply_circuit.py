"""MVM on the board: DACs on the rows, cells, transimpedance amplifiers on the columns, ADCs.

    v = -R G^T u,  disturbed by cell noise, thermal noise, amplifier offset, noise, finite gain and
    saturation, and by both converters' steps and nonlinearity.

Independent per-cell noise enters as one draw per output with the exact variance sum_j u_j^2 var(G_ji): a sum
of independent Gaussians is a Gaussian, so a matrix of draws per vector would change nothing but the time.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.physics.cells.conduction import ExcessCurrents
from mho.instruments.simulated.physics.circuits.amplifiers import AmplifierBank, Converter, thermal_density


class MultiplyCircuit:
    """One block connected for MVM, or many of one shape, one after the other, on the same amplifiers.

    Everything that does not depend on the vector is computed once.

    `ports`, `variance` (..., rows, columns): transfer conductances of the blocks, wires included, S; variance of each
        from shot to shot, S^2.
    `bank`: transimpedance amplifiers, at least one a column.
    `resistance`: nominal feedback resistance R, ohm.
    `bandwidth`: noise bandwidth of a reading, Hz.
    `dac`, `adc`: converters of the board; none where the instrument outside converts.
    `precision`: single is twice as fast for large blocks; it rounds by a millionth of the full output, far below any
        converter's step.
    `readout`: standard deviation of further noise of each reading, as a current at the amplifier's input, A.
    `excess`: what the cells carry beyond G u; none of linear cells.
    """

    def __init__(
        self, ports: Floats, variance: Floats, bank: AmplifierBank, resistance: float, bandwidth: float,
        dac: Converter | None = None, adc: Converter | None = None,
        precision: Literal["double", "single"] = "double", readout: float = 0.0,
        excess: ExcessCurrents | None = None,
    ) -> None:  # fmt: skip
        for name, value, unit in (("resistance", resistance, "ohm"), ("bandwidth", bandwidth, "Hz")):
            if not value > 0.0:
                raise ValueError(f"transimpedance {name} {value} {unit}: must be positive")
        bank = bank.first(ports.shape[-1])
        load = ports.sum(axis=-2, keepdims=True)
        noise_gain = 1.0 + resistance * load
        closed = 1.0 / (1.0 + noise_gain / bank.gain)
        scale = -closed * resistance * (1.0 + bank.gain_errors)
        real = np.float64 if precision == "double" else np.float32
        self._transfer = (ports * scale).astype(real)
        # Single precision suffices for noise: seven digits of a standard deviation.
        self._variance = (variance * scale**2).astype(np.float32)
        offset = closed * (noise_gain * bank.offsets + resistance * bank.bias_current)
        self._offset = offset.astype(real)
        amplifier = closed * noise_gain * bank.noise
        thermal = scale**2 * thermal_density(load + 1.0 / resistance)
        further = (resistance * readout) ** 2
        self._floor = (bandwidth * (amplifier**2 + thermal) + further).astype(np.float32)
        self.dac, self.adc = dac, adc
        self._excess, self._scale = excess, scale
        # Largest output voltage, V, of the supply, or with all of the amplifier's current through R; and the largest that
        # an output was asked for so far and did not reach, 0 where all were reached.
        self._levels = np.minimum(bank.swing, bank.preset.output_current * resistance)
        self.level, self.asked = float(self._levels.min()), 0.0

    @property
    def linear(self) -> tuple[Floats, Floats, Floats, Floats]:
        """What outputs consist of: V a volt of each row, (..., rows, columns), and V with none, (..., 1, columns).

        Then their variances: V^2 a squared volt of each row, and V^2 with none. Without what cells that are not linear
        carry in excess, and without the converters of the board.
        """
        return self._transfer, self._offset, self._variance, self._floor

    def outputs(self, volts: Floats, rng: np.random.Generator) -> Floats:
        """Output voltages (..., samples, columns), V, for `volts` (..., samples, rows)."""
        volts = volts.astype(self._transfer.dtype, copy=False)
        driven = self.dac.outputs(volts) if self.dac else volts
        squares = driven.astype(np.float32)  # a copy even where it is single already
        squares *= squares
        # OpenBLAS may raise the flag by what lies beside short rows in its buffers (its issue 1924; numpy's 24067).
        with np.errstate(invalid="ignore"):
            result = self._currents(driven)
            spread = squares @ self._variance
        result += self._offset
        spread += self._floor
        np.sqrt(spread, out=spread)
        spread *= rng.standard_normal(spread.shape, dtype=np.float32)
        result += spread
        result = self.clamped(result)
        return self.adc.levels(self.adc.codes(result)) if self.adc else result

    def clamped(self, outputs: Floats) -> Floats:
        """Return outputs (..., columns), V, as far as the amplifiers reach; in place."""
        largest = max(float(outputs.max(initial=0.0)), -float(outputs.min(initial=0.0)))
        if largest > self.level:
            beyond = np.abs(outputs) > self._levels
            self.asked = max(self.asked, float(np.abs(outputs).max(initial=0.0, where=beyond)))
            np.clip(outputs, -self._levels, self._levels, out=outputs)
        return outputs

    def _currents(self, driven: Floats) -> Floats:
        """Return what the cells' currents make at the outputs, V."""
        result = np.asarray(driven @ self._transfer)
        if self._excess is not None:
            result += self._excess.currents(driven) * self._scale
        return result
