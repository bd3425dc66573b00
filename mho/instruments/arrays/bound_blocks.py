"""Blocks that are multiplied with again and again, bound once: what does not change between exchanges is kept.

`ArrayBench.multiply_blocks` finds cells, wires and slow noise anew for every exchange, which takes ten milliseconds for
eight thousand cells. Here they hold for `HOLD` seconds of bench time, less where cells relax, in one matrix from the
inputs to the converters' codes (`FoldedPath`), and normal deviates are drawn many at once. Noise slower than that is
held with them. What changes faster, but not within an exchange, is drawn for each exchange anew, which leaves its variance
as it is and forgets that one exchange's has something of the one before; what is faster still is drawn for each vector, as
ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.arrays.folded_path import FoldedPath
from mho.instruments.arrays.roles import CONNECTING
from mho.instruments.bench.vectors import unheard
from mho.instruments.laboratory.block_circuits import BANDWIDTH
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit
from mho.instruments.simulated.physics.normal_draws import ManyNormals

if TYPE_CHECKING:
    from mho.instruments.arrays.bench import ArrayBench

HOLD = 1.0  # s on the bench's clock
YOUNG = 0.05  # share of the cells' age for which they are taken not to relax
Lines = NDArray[np.int64]


class BoundBlocks:
    """Blocks of one shape on one array, (blocks, R) `rows` and (blocks, C) `columns`, to multiply with often.

    `inputs`: number of inputs, each of as many consecutive blocks.
    """

    def __init__(self, bench: ArrayBench, array: str, rows: Lines, columns: Lines, inputs: int = 1) -> None:
        self._bench, self._place = bench, (array, rows, columns)
        chip = bench.arrays.chip
        self._cells = chip.population
        self._shape = inputs, len(rows) // inputs, rows.shape[1], columns.shape[1]
        cells = [(array, down[:, None], across) for down, across in zip(rows, columns, strict=True)]
        self._index = np.stack(chip.slots_of(cells)), 0
        self._adc = bench.daq.converters.adc_line(columns.shape[1])
        self._normals = ManyNormals.on(bench.arrays.circuits.rng)
        self._until, self._version = -np.inf, -1
        self._paths: dict[int, FoldedPath] = {}  # by number of samples

    def multiply(self, volts: Floats) -> Floats:
        """Return the currents (inputs, blocks / inputs, samples, C), A, as `ArrayBench.multiply_blocks` of each block.

        `volts` (inputs, samples, R): V. Errors as `ArrayBench.multiply_blocks`.
        """
        if self._is_unbound:
            currents = self._bench.multiply_blocks(*self._place, self._by_block(volts))
            return currents.reshape(*self._shape[:2], *currents.shape[1:])
        return self._currents(self._codes(volts))

    def differences(self, volts: Floats) -> Floats:
        """Return the currents of even columns less those of the next, (blocks / inputs, samples, C / 2), A.

        They are summed over the inputs; otherwise as `multiply`.
        """
        if self._is_unbound:
            return _differences(self.multiply(volts).sum(axis=0))
        return self._currents(_differences(self._codes(volts).sum(axis=0)))

    @property
    def _is_unbound(self) -> bool:
        """Whether exchanges differ from one to the next, somebody is told of every block, or no line leads to codes."""
        bench = self._bench
        return bench.is_recorded or bench.daq.converters.has_own_adc or bool(self._cells.preset.nonlinearity)

    def _codes(self, volts: Floats) -> NDArray[np.float32]:
        """Return the readings (inputs, blocks / inputs, samples and a zero in front, C), in codes."""
        bench, arrays = self._bench, self._bench.arrays
        inputs, each, _, columns = self._shape
        asked = bench.begin_exchange(volts, columns)
        daq, (_, samples, lines) = bench.daq, asked.shape
        played = daq.converters.played(asked.reshape(-1, lines)).reshape(inputs, 1, samples, lines)
        path = self._path(samples)
        codes = path.codes(played, self._normals)
        arrays.circuits.report_multiply(self._place[0], path.circuit)
        arrays.clock.advance(inputs * each * (CONNECTING + (samples + 1) * daq.sample_period))
        if bench.on_vectors is not unheard:
            currents = self._currents(codes).reshape(-1, columns)
            bench.on_vectors("MULTIPLY", self._by_block(volts).reshape(-1, lines), currents)
        return codes

    def _by_block(self, volts: Floats) -> Floats:
        return np.repeat(volts, self._shape[1], axis=0)

    def _currents(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return readings (..., samples and a zero in front, C) as currents (..., samples, C), A."""
        currents: NDArray[Any] = codes[..., 1:, :] - codes[..., :1, :]
        currents *= -self._adc.step / self._bench.transimpedance
        return currents

    def _path(self, samples: int) -> FoldedPath:
        """Return the path of an exchange of so many samples."""
        if self._bench.arrays.clock.now >= self._until or self._cells.version != self._version:
            self._hold()
        if samples not in self._paths:
            self._paths[samples] = self._path_between(samples * self._bench.daq.sample_period)
        return self._paths[samples]

    def _hold(self) -> None:
        """Find what the cells and their slow noise are now."""
        chip, now = self._bench.arrays.chip, self._bench.arrays.clock.now
        self._transfer = chip.transfer_of_blocks(*self._place).reshape(self._shape)
        frozen, self._fast = self._cells.relative_noise(self._index, HOLD, 1.0 / BANDWIDTH, self._normals)
        self._noisy = self._transfer * (1.0 + self._by_input(frozen))
        ages = self._cells.states(self._index).age
        ages = ages[ages > 0.0]  # of cells that had pulses
        self._until = now + (min(HOLD, YOUNG * float(np.median(ages))) if ages.size else HOLD)
        self._version = self._cells.version
        self._paths.clear()

    def _path_between(self, window: float) -> FoldedPath:
        """Return the path of exchanges that last `window` seconds."""
        circuits = self._bench.arrays.circuits
        within = self._cells.fast_noise(self._index, min(window, HOLD), 1.0 / BANDWIDTH)
        changes = np.sqrt(np.maximum(self._fast - within, 0.0))
        resistance = circuits.board.transimpedance
        readout = float(np.hypot(circuits.readout_noise, self._bench.daq.converters.noise / resistance))
        circuit = MultiplyCircuit(
            self._noisy, self._transfer**2 * self._by_input(within), circuits.transimpedance, resistance, BANDWIDTH,
            readout=readout,
        )  # fmt: skip
        return FoldedPath(circuit, self._adc, self._by_input(changes))

    def _by_input(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values of the cells, or one for all, as (inputs, blocks / inputs, R, C)."""
        return np.broadcast_to(values, self._index[0].shape).reshape(self._shape)


def _differences(columns: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(columns[..., ::2] - columns[..., 1::2])
