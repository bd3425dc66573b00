"""What went on between a chip's cells and the converters while a bench played vectors: recorded, to be repeated otherwise.

A recorder listens to a simulated bench, with instruments or without, and changes nothing of what it does. Of every exchange
it keeps the cells as they were, their noise as it was drawn, and the generators as they stood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.instruments.arrays.bench import ArrayBench
from mho.instruments.arrays.converter_errors import ConverterErrors
from mho.instruments.bench.bench import Bench
from mho.instruments.bench.vectors import inverse_zero
from mho.instruments.laboratory.block_circuits import BlockCircuits, ConnectedBlock
from mho.instruments.simulated.physics.cells.cells import STUCK_ON
from mho.instruments.simulated.physics.cells.relaxation import relaxed
from mho.instruments.simulated.physics.chip import BlockNoise

ALIKE = 8  # cells among which noise is dealt out anew
CONDUCTS = 0.05  # of the largest conductance of a block, from which a cell does more than hardly conduct

Place = tuple[str, str, tuple[int, ...], tuple[int, ...]]
"""MULT or INV, array, rows and columns of a connected block."""

# Array, rows and columns of a block -> bench times (s) and conductances (S) of its cells' last verify reads, or NaN
Verified = Callable[[str, Integers, Integers], tuple[Floats, Floats]]


@dataclass(frozen=True)
class HeldCells:
    """Cells (R, C) of one array between the lines of a connected block."""

    read: Floats  # what the last verify read said, S: through the wires of the cell, with its noise
    # verified, now: conductance without noise, S, at that read and during the exchange
    verified: Floats
    now: Floats
    # frozen, variance: as of `BlockNoise`: relative deviation during the exchange, and relative variance from shot to
    # shot
    frozen: Floats
    variance: Floats
    series: Floats  # wire in series with each cell where it is read alone, ohm
    stuck: NDArray[np.bool_] | Literal[False] = False  # cells that no pulse moves; False for none

    def redrawn(self, rng: np.random.Generator) -> Self:
        """Return the same cells with noise of another moment.

        Slow noise was there when the cells were verified and is there still: the part of the noise that follows what those
        reads saw remains. The rest is dealt out anew among cells that are alike: those next to one another in conductance,
        in lots of `ALIKE`, as noise is not the same at every conductance, and apart those that hardly conduct.
        """
        conducts = self.now > CONDUCTS * self.now.max()
        # What a read of the others says is the meter's noise.
        seen = np.where(conducts, self.read * (1.0 / self.verified + self.series) - 1.0, 0.0)
        power = float(np.sum((self.now * seen) ** 2))
        follows = float(np.sum(self.now**2 * seen * self.frozen)) / power if power > 0.0 else 0.0
        slow = min(max(follows, 0.0), 1.0) * seen
        order = np.argsort(self.now, axis=None, kind="stable")
        source = np.empty(order.size, np.intp)
        for some in np.split(order, [np.count_nonzero(~conducts)]):
            for lot in np.array_split(some, max(some.size // ALIKE, 1)):
                source[lot] = rng.permutation(lot)
        fast, variance = (
            values.ravel()[source].reshape(values.shape) for values in (self.frozen - slow, self.variance)
        )
        return replace(self, frozen=slow + fast, variance=variance)


@dataclass(frozen=True)
class Exchange:
    """Vectors that were played into a connected block, and what came back."""

    board: ConnectedBlock  # the circuit that was closed, with its lines
    cells: Mapping[str, HeldCells]  # the cells of each array in it
    # shots, readings: of the circuit's noise and the converters', as they stood before; copies
    shots: np.random.Generator
    readings: np.random.Generator
    volts: Floats  # asked for, V
    answers: Floats  # as the bench returned them: outputs, V, in INVERT, or currents, A, in MULTIPLY
    # Number of lines that were converted, from the first; all inputs of the converters for None
    converted: int | None = None

    @property
    def place(self) -> Place:
        """What was connected."""
        assert self.board.block is not None  # nothing was played otherwise
        return "MULT" if self.board.mode == "MULT" else "INV", *self.board.block

    def later(self, number: int) -> Self:
        """Return the same exchange played once more, the `number`-th time: shots and readings have noise of their own."""
        shots, readings = (deepcopy(one).spawn(number)[-1] for one in (self.shots, self.readings))
        return replace(self, shots=shots, readings=readings)

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same exchange at another moment: noise is drawn anew, what was programmed remains.

        `moment`: seed of the cells' noise, which is slow: exchanges of one moment have it in common.
        `number`: of the exchange among those of the moment: shots and readings have noise of their own.
        """
        rng = np.random.default_rng([moment, 0])
        cells = {name: values.redrawn(rng) for name, values in self.cells.items()}
        shots, readings = np.random.default_rng([moment, 1, number]).spawn(2)
        return replace(self, cells=cells, shots=shots, readings=readings)


@dataclass
class _Open:
    """An exchange of which the bench has not returned yet."""

    shots: np.random.Generator
    readings: np.random.Generator
    cells: dict[str, HeldCells] = field(default_factory=dict)


@dataclass(frozen=True)
class _Batch:
    """Blocks that are played at once, all or half of them: their cells, and the generators as they stood."""

    rows: Integers
    columns: Integers
    cells: list[HeldCells]
    shots: np.random.Generator
    readings: np.random.Generator | None  # None: it is the one of the shots, which come first


class ExchangeRecorder:
    """Records the exchanges of a simulated bench; takes the place of its `on_vectors`.

    `bench`: with a laboratory, or without instruments.
    `verified`: what is known of the cells' last verify reads.
    `keep`: called with every `Exchange`, after the bench has had its answer; of blocks that are played at once, with
        one for each.

    `circuits`: the bench's amplifiers and resistors.
    `converters`: its converters, with the errors of its own channels.
    `zero`: how it measures that of INV.
    """

    def __init__(self, bench: Bench, verified: Verified, keep: Callable[[Exchange], None]) -> None:
        simulated: Any = bench.simulated  # a laboratory, or the chip without instruments
        self.circuits: BlockCircuits = simulated.circuits
        self._chip = simulated.chip
        self._keep, self._verified, self._bench = keep, verified, bench
        self.converters, self._readings = _converters_of(bench)
        self.zero = inverse_zero(bench.file)
        self._open: _Open | None = None
        self._batches: list[_Batch] = []
        self._heard_before = simulated.chip.on_noise, bench.on_vectors
        simulated.chip.on_noise = self._on_noise
        bench.on_vectors = self._on_vectors
        if isinstance(bench, ArrayBench):
            self._blocks_before = simulated.chip.on_noise_of_blocks, bench.on_blocks
            simulated.chip.on_noise_of_blocks, bench.on_blocks = self._on_noise_of_blocks, self._on_blocks

    def close(self) -> None:
        """Listen no more, so that neither bench nor chip is kept by what was heard of them."""
        self._chip.on_noise, self._bench.on_vectors = self._heard_before
        if isinstance(self._bench, ArrayBench):
            self._chip.on_noise_of_blocks, self._bench.on_blocks = self._blocks_before

    def _on_noise(self, array: str, rows: Integers, columns: Integers, noise: BlockNoise) -> None:
        if self._open is None or array in self._open.cells:  # no bench waits for what was drawn before
            self._open = _Open(deepcopy(self.circuits.rng), deepcopy(self._readings))
        self._open.cells[array] = self._cells_now(array, rows, columns, noise)

    def _cells_now(self, array: str, rows: Integers, columns: Integers, noise: BlockNoise) -> HeldCells:
        """Return the cells of a block as they are now."""
        times, read = self._verified(array, rows, columns)
        _, verified, series = held_history(self._bench, array, rows, columns, times)
        if self.circuits.board.mode == "MULT":
            cells, index = self._chip.at(array, rows, columns)
            now = cells.conductance(index)
        else:  # a loop is evaluated again only once its cells have aged by some
            block = self._chip.block(array, rows, columns)
            now = block.as_asked(block.conductance)
        read = np.where(np.isnan(read), verified / (1.0 + verified * series), read)
        stuck = stuck_cells(self._bench, array, rows, columns)
        return HeldCells(read, verified, np.asarray(now), noise.frozen, noise.variance, series, stuck)

    def _on_vectors(self, mode: str, volts: Floats, answers: Floats) -> None:
        now, self._open = self._open, None
        if now is None:
            return
        self._keep(
            Exchange(self._connected(), now.cells, now.shots, now.readings, volts.copy(), answers.copy())
        )

    def _on_noise_of_blocks(
        self, array: str, rows: Integers, columns: Integers, noise: BlockNoise,
        rng: np.random.Generator | None,
    ) -> None:  # fmt: skip
        cells = [
            self._cells_now(array, down, across, BlockNoise(frozen, variance))
            for down, across, frozen, variance in zip(
                rows, columns, noise.frozen, noise.variance, strict=True
            )
        ]
        own = deepcopy(self.circuits.rng if rng is None else rng)
        readings = deepcopy(self._readings) if rng is None else None
        self._batches.append(_Batch(rows, columns, cells, own, readings))

    def _on_blocks(
        self, array: str, rows: Integers, columns: Integers, volts: Floats, currents: Floats
    ) -> None:
        batches, self._batches = self._batches, []
        self._open = None  # of a block that was connected before
        # Halves may be done in either order; they come back as one.
        batches.sort(key=lambda one: not np.array_equal(one.rows, rows[: len(one.rows)]))
        played = iter(zip(rows, columns, volts, currents, strict=True))
        for batch in batches:
            samples, lines = currents.shape[1] + 1, currents.shape[2]
            shots, readings = deepcopy(batch.shots), deepcopy(batch.readings)
            if readings is None:
                readings = deepcopy(shots)
                readings.standard_normal((len(batch.cells), samples, lines), np.float32)
            for cells in batch.cells:
                down, across, asked, answers = next(played)
                connected = replace(
                    self._connected(), block=(array, tuple(down.tolist()), tuple(across.tolist()))
                )
                generators = deepcopy(shots), deepcopy(readings)
                self._keep(
                    Exchange(connected, {array: cells}, *generators, asked.copy(), answers.copy(), lines)
                )
                shots.standard_normal((samples, lines), np.float32)
                if not self.converters.noiseless:
                    readings.standard_normal((samples, lines))

    def _connected(self) -> ConnectedBlock:
        board = self.circuits.board
        return ConnectedBlock(**{one.name: getattr(board, one.name) for one in fields(ConnectedBlock)})


def held_history(
    bench: Bench, array: str, rows: Integers, columns: Integers, times: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return what the cells (R, C) of a simulated bench held after their last pulse and later, S, and their wires, ohm.

    `times` (R, C): when that is, s of bench time; now where it is NaN.
    """
    simulated: Any = bench.simulated
    chip, now = simulated.chip, simulated.clock.now
    cells, index = chip.at(array, rows, columns)
    state, drawn, since = cells.history(index)
    at = np.where(np.isnan(times), now, times + (now - bench.now()))
    ages = np.maximum(at - since, 0.0).astype(np.float32)
    later = np.maximum(relaxed(cells.preset, state, drawn, ages), cells.preset.unformed)
    series = chip.geometry[array].series_resistance(rows[:, None], columns[None, :])
    return np.asarray(state, np.float64), np.asarray(later, np.float64), series


def stuck_cells(bench: Bench, array: str, rows: Integers, columns: Integers) -> NDArray[np.bool_]:
    """Return which cells (R, C) of a simulated bench no pulse moves."""
    simulated: Any = bench.simulated
    cells, index = simulated.chip.at(array, rows, columns)
    return np.asarray(cells.status(index) >= STUCK_ON)


def _converters_of(bench: Bench) -> tuple[ConverterErrors, np.random.Generator]:
    """Return the converters of a simulated bench, and the generator of their noise."""
    if isinstance(bench, ArrayBench):
        return bench.daq.converters, bench.arrays.converter_rng
    simulated: Any = bench.simulated
    rng = np.random.default_rng(simulated.seed)
    channels = bench.file.simulation.converters if bench.file.simulation else 0
    daq = bench.file.instruments.daq
    assert daq is not None  # else nothing was multiplied
    converters = ConverterErrors(daq, channels, rng, simulated.elements)
    if daq.driver != "ni_daq":
        return converters, rng
    return converters.of_channels(*simulated.daq.channel_errors()), simulated.daq.rng
