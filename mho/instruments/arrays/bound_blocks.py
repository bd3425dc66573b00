"""Blocks that are multiplied with again and again, bound once: what does not change between exchanges is kept.

`ArrayBench.multiply_blocks` finds cells, wires and slow noise anew for every exchange, which takes ten milliseconds for
eight thousand cells. Here they hold for `HOLD` seconds of bench time, less where cells relax. Noise slower than that is
held with them. What changes faster, but not within an exchange, is drawn for each exchange anew, which leaves its variance
as it is and forgets that one exchange's has something of the one before; what is faster still is drawn for each vector, as
ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.arrays.roles import CONNECTING
from mho.instruments.laboratory.block_circuits import BANDWIDTH
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit

if TYPE_CHECKING:
    from mho.instruments.arrays.bench import ArrayBench

HOLD = 1.0  # s on the bench's clock
YOUNG = 0.05  # share of the cells' age for which they are taken not to relax
Lines = NDArray[np.int64]


class BoundBlocks:
    """Blocks of one shape on one array, (blocks, R) `rows` and (blocks, C) `columns`, to multiply with often."""

    def __init__(self, bench: ArrayBench, array: str, rows: Lines, columns: Lines) -> None:
        self._bench, self._place = bench, (array, rows, columns)
        chip = bench.arrays.chip
        self._cells = chip.population
        self._index = np.stack([chip.at(array, *each)[1][0] for each in zip(rows, columns, strict=True)]), 0
        self._converters = (
            bench.daq.converters.without_noise()
        )  # which is added to the circuit's: one draw for both
        self._until, self._version = -np.inf, -1
        # Without the noise of an exchange, and standard deviation of that, by number of samples
        self._circuits: dict[int, tuple[MultiplyCircuit, Floats]] = {}

    def multiply(self, volts: Floats, which: Lines) -> Floats:
        """Return the currents (blocks, samples, C), A, as `ArrayBench.multiply_blocks`.

        `volts` (inputs, samples, R): V, those that differ. `which` (blocks,): number of the input of each block. Errors
        as `ArrayBench.multiply_blocks`.
        """
        bench, arrays = self._bench, self._bench.arrays
        if bench.is_recorded or self._cells.preset.nonlinearity:
            return bench.multiply_blocks(*self._place, volts[which])
        asked = bench.begin_exchange(volts, self._place[2].shape[1])
        daq, (_, vectors, lines) = bench.daq, volts.shape
        played = daq.converters.played(asked.reshape(-1, lines)).reshape(asked.shape)
        circuit = self._circuit(vectors + 1)
        outputs = circuit.outputs(played[which], arrays.circuits.rng)
        arrays.circuits.report_multiply(self._place[0], circuit)
        read = self._converters.sampled(outputs.reshape(-1, outputs.shape[2])).reshape(outputs.shape)
        arrays.clock.advance(len(which) * (CONNECTING + (vectors + 2) * daq.sample_period))
        currents: Floats = (read[:, 1:] - read[:, :1]) / -bench.instruments.board.transimpedance
        bench.on_vectors("MULTIPLY", volts[which].reshape(-1, lines), currents.reshape(-1, currents.shape[2]))
        return currents

    def _circuit(self, samples: int) -> MultiplyCircuit:
        """Return the circuit during an exchange of so many samples."""
        if self._bench.arrays.clock.now >= self._until or self._cells.version != self._version:
            self._hold()
        if samples not in self._circuits:
            self._circuits[samples] = self._circuit_between(samples * self._bench.daq.sample_period)
        circuit, spread = self._circuits[samples]
        relative = self._bench.arrays.circuits.rng.standard_normal(spread.shape, np.float32)
        relative *= spread
        return circuit.with_cells_off(relative)

    def _hold(self) -> None:
        """Find what the cells and their slow noise are now."""
        chip, now = self._bench.arrays.chip, self._bench.arrays.clock.now
        transfer = chip.transfer_of_blocks(*self._place)
        frozen, self._fast = self._cells.relative_noise(self._index, HOLD, 1.0 / BANDWIDTH)
        self._transfer, self._noisy = transfer, transfer * (1.0 + frozen)
        ages = self._cells.states(self._index).age
        ages = ages[ages > 0.0]  # of cells that had pulses
        self._until = now + (min(HOLD, YOUNG * float(np.median(ages))) if ages.size else HOLD)
        self._version = self._cells.version
        self._circuits.clear()

    def _circuit_between(self, window: float) -> tuple[MultiplyCircuit, Floats]:
        """Return the circuit for exchanges of `window` seconds, and the spread of what changes from one to another."""
        circuits = self._bench.arrays.circuits
        within = self._cells.fast_noise(self._index, min(window, HOLD), 1.0 / BANDWIDTH)
        spread = np.sqrt(np.maximum(self._fast - within, 0.0)).astype(np.float32)
        resistance = circuits.board.transimpedance
        readout = float(np.hypot(circuits.readout_noise, self._bench.daq.converters.noise / resistance))
        circuit = MultiplyCircuit(
            self._noisy, self._transfer**2 * within, circuits.transimpedance, resistance, BANDWIDTH,
            precision="single", readout=readout,
        )  # fmt: skip
        return circuit, np.broadcast_to(spread, self._noisy.shape)
