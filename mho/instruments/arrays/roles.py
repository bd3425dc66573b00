"""Models that fill the roles of a bench with the chip alone, without an instrument.

They store settings, and take as long as the operation takes at the wires of a bench; no message is sent on a bus.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import BenchError
from mho.instruments.arrays.converter_errors import ConverterErrors
from mho.instruments.arrays.laboratory import READ_OVERHEAD, SETTLING, SWITCHING, ArrayLaboratory, Halves
from mho.instruments.bench_file.entries import DaqEntry
from mho.instruments.roles import Cell, Mode, Path, Reading
from mho.instruments.simulated.excursions import Excursion, excursions
from mho.instruments.simulated.physics.cells.pulse_trains import Level, pulse_train

MODE_TIME = 1e-3  # s, all lines are grounded before a mode changes
CONNECTING = 2e-6  # s
LARGE = 1 << 14  # readings, from which a batch of blocks is evaluated in halves


class _Part:
    """Common part of all roles: nothing to identify, to make safe or to release."""

    def __init__(self, arrays: ArrayLaboratory) -> None:
        self._arrays = arrays

    def identify(self) -> str:
        """Return a note that there is no instrument."""
        return "no instrument: the chip itself, a whole array at a time"

    def settings(self) -> dict[str, str]:
        """Nothing is set."""
        return {}

    def make_safe(self) -> None:
        """There is no output."""

    def close(self) -> None:
        """There is no connection."""


class ModelBoard(_Part):
    """Stores the connected cell, path, word-line voltage and block."""

    def __init__(self, arrays: ArrayLaboratory) -> None:
        super().__init__(arrays)
        self._connected = arrays.connected
        self.transimpedance = self._connected.transimpedance  # of the MULTIPLY amplifiers, ohm
        self.input_conductance = self._connected.input_conductance  # g_in of the INVERT rows, S
        self.slice_ratio = self._connected.slice_ratio  # of the dividers in front of a second slice
        self.cell: Cell | None = None
        self.path: Path = "OPEN"
        self.gate = 0.0  # volts on the word line
        self._mode: Mode = "SAFE"

    def settings(self) -> dict[str, str]:
        """Parameters of the board's amplifiers."""
        return {"transimpedance": f"{self.transimpedance}", "input_conductance": f"{self.input_conductance}"}

    def make_safe(self) -> None:
        """Disconnect everything."""
        self.set_mode("SAFE")

    def set_mode(self, mode: Mode) -> None:
        """Disconnect everything, and switch to a mode."""
        self._mode, self.cell, self.path = mode, None, "OPEN"
        self._connected.mode, self._connected.block = mode[:4], None
        self._arrays.clock.advance(MODE_TIME if mode == "SAFE" else 2.0 * MODE_TIME)

    def select(self, cell: Cell) -> None:
        """Address one cell; raises `BenchError` when the chip does not have it."""
        self._arrays.chip.one(*cell)
        self.cell = cell

    def route(self, path: Path) -> None:
        """Close a path to the cell."""
        self.path = path
        self._arrays.clock.advance(0.0 if path == "OPEN" else SWITCHING)

    def connect_multiply(self, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Connect a block between DAQ and transimpedance amplifiers."""
        self._connect(array, rows, columns)

    def connect_invert(
        self, positive: str, rows: Sequence[int], columns: Sequence[int], *, negative: str | None,
        second_slice: tuple[str, str] | None = None, diagonal: float, diagonal_count: int, bias: float = 0.0,
    ) -> None:  # fmt: skip
        """Close the loop around a block."""
        if len(rows) != len(columns):
            raise BenchError(f"a loop needs as many rows as columns, not {len(rows)} and {len(columns)}")
        if second_slice is not None and not self.slice_ratio:
            raise BenchError("the board has no dividers for a second slice")
        for name in (*(() if negative is None else (negative,)), *(second_slice or ())):
            self._find(name, rows, columns)
        self._connected.negative, self._connected.second_slice = negative, second_slice
        self._connected.diagonal, self._connected.diagonal_count = diagonal, diagonal_count
        self._connected.bias = bias
        self._connect(positive, rows, columns)

    def _connect(self, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        self._find(array, rows, columns)
        self._connected.block = (array, tuple(rows), tuple(columns))
        self._arrays.clock.advance(CONNECTING)

    def _find(self, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        self._arrays.chip.at(array, np.asarray(rows, np.int64), np.asarray(columns, np.int64))

    def arm_watchdog(self, seconds: float) -> None:
        """Do nothing: no output can be left on."""

    def beat(self, patience: float) -> None:
        """Do nothing: there is no watchdog."""

    def standing_mode(self) -> Mode:
        """Return the mode set last."""
        return self._mode


class _Source(_Part):
    """Common part of the two sources."""

    def __init__(self, arrays: ArrayLaboratory, board: ModelBoard) -> None:
        super().__init__(arrays)
        self._board = board
        self._limit = 0.0

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Store the current limit (A)."""
        self._limit = current_limit

    def enable(self) -> None:
        """There is no output."""

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V)."""

    def read(self, voltage: float) -> Reading:
        """Return the current (A) into the cell at `voltage` (V) on its bit line."""
        arrays, board = self._arrays, self._board
        arrays.clock.advance(SETTLING)
        amperes = 0.0
        if board.path == "READ" and board.cell is not None:
            amperes = arrays.current(board.cell, voltage, board.gate, self._limit)
        arrays.clock.advance(arrays.aperture + READ_OVERHEAD)
        if not abs(amperes) > self._limit:
            return Reading(voltage, amperes, False)
        left = voltage * self._limit / abs(amperes) if np.isfinite(amperes) else voltage
        return Reading(left, float(np.copysign(self._limit, amperes)), True)

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Return one reading per level, each after `delay` (s)."""
        readings = []
        for voltage in voltages:
            self._arrays.clock.advance(delay)
            readings.append(self.read(voltage))
        return readings


class ArrayMeter(_Source):
    """The source-measure unit at the bit line: reads the cell that the board has selected."""

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Store limit and range (A), and the integration time (power line cycles)."""
        super().configure(current_limit=current_limit, current_range=current_range, nplc=nplc)
        self._arrays.set_meter(current_range, nplc)


class ArrayGate(_Source):
    """The source at the word lines, which may be a bare voltage source."""

    def configure(self, *, current_limit: float, current_range: float = 0.0, nplc: float = 0.0) -> None:
        """Store the current limit (A)."""
        self._limit = current_limit

    def enable(self) -> None:
        """Begin at 0 V, whatever was held before."""
        self._board.gate = 0.0

    def hold(self, voltage: float) -> None:
        """Put `voltage` (V) on the word line."""
        self._board.gate = voltage


class ArrayPulser(_Part):
    """Pulses the cell that the board has selected, over the closed path; plays waveforms of any length and speed."""

    def __init__(self, arrays: ArrayLaboratory, board: ModelBoard, edge: float) -> None:
        super().__init__(arrays)
        self._board = board
        self.edge = self.step_edge = edge  # of pulses, and from sample to sample: 10 to 90 %, s
        self._cycle: list[Excursion] = []
        self._lasts = 0.0  # s, a cycle of a waveform; pulses take no time

    def configure(self, channel: int) -> None:
        """There is no output."""

    def shape(self, channel: int, *, voltage: float, width: float) -> None:
        """Set amplitude (V) and width (s) of the next pulses."""
        self._cycle, self._lasts = [Excursion(voltage, width)], 0.0

    def check_waveform(self, volts: Floats, *, interval: float, count: int = 1) -> Floats:
        """Return the samples: any can be played."""
        return volts

    def shape_waveform(self, channel: int, volts: Floats, *, interval: float) -> None:
        """Set samples (V), `interval` seconds each, that `fire` plays instead of pulses."""
        self._lasts = len(volts) * interval
        self._cycle = excursions(volts, self._lasts)

    def fire(self, channel: int, count: int = 1) -> None:
        """Apply `count` pulses, or the waveform as often."""
        board, chip = self._board, self._arrays.chip
        self._arrays.clock.advance(count * self._lasts)
        if board.cell is None:
            return
        sign = 1.0 if board.path == "SET" else -1.0
        cycle = [Level(sign * volts, seconds, times) for volts, seconds, times in self._cycle]
        pulse_train(chip.population, chip.one(*board.cell), cycle, count, board.gate)


class ArrayDaq(_Part):
    """Plays vectors into the connected block, through the converters that the bench file names."""

    def __init__(self, arrays: ArrayLaboratory, entry: DaqEntry) -> None:
        super().__init__(arrays)
        converters = self.converters = ConverterErrors(
            entry, arrays.board_channels, arrays.converter_rng, arrays.elements
        )
        self._halves = Halves(arrays.converter_rng)
        # Numbers of lines that can be driven and read; from one vector to the next, s
        self.output_count, self.input_count = converters.output_count, converters.input_count
        self.sample_period = converters.period

    def settings(self) -> dict[str, str]:
        """Counts and rate."""
        rate = f"{1.0 / self.sample_period:.9g} 1/s"
        return {"outputs": str(self.output_count), "inputs": str(self.input_count), "rate": rate}

    def exchange_blocks(
        self, array: str, rows: NDArray[np.int64], columns: NDArray[np.int64], volts: Floats
    ) -> Floats:
        """Play vectors (blocks, samples, lines), V, on many blocks one after the other, each followed by 0 V.

        Returns the settled answers (blocks, samples, columns), V.
        """
        arrays, converters, period = self._arrays, self.converters, self.sample_period
        count, samples, lines = volts.shape

        def exchanged(part: slice, rng: np.random.Generator | None) -> Floats:
            asked = volts[part]
            played = converters.played(asked.reshape(-1, lines)).reshape(asked.shape)
            answers = arrays.circuits.multiply_blocks(array, rows[part], columns[part], played, period, rng)
            return converters.sampled(answers.reshape(-1, answers.shape[-1]), rng).reshape(answers.shape)

        if count > 1 and count * samples * columns.shape[1] > LARGE:
            # Own elements are asked by one thread at a time.
            apart = arrays.chip.apart(array, rows, columns) and arrays.elements is None
            read = np.concatenate(self._halves.run(exchanged, count, apart=apart))
        else:
            read = exchanged(slice(None), None)
        arrays.clock.advance(count * (CONNECTING + (samples + 1) * period))
        return read

    def exchange(self, volts: Floats) -> Floats:
        """Play vectors (samples, outputs), V, then 0 V; return the settled answers (samples, inputs), V."""
        arrays, converters = self._arrays, self.converters
        played = np.zeros((len(volts) + 1, volts.shape[1]))
        played[:-1] = volts
        inverts = arrays.connected.mode != "MULT"
        driven = converters.played(played, inverts=inverts)
        answers = arrays.circuits.answer(driven, self.input_count, self.sample_period)
        arrays.clock.advance(len(played) * self.sample_period)
        return converters.sampled(answers[:-1], inverts=inverts)
