"""The bench's vectors: a block of the chip between DAQ outputs and inputs, played and read, and the zero of INV's outputs.

The zero is played in front of the vectors, and subtracted from their answers. A converter without a code at 0 V reads
nothing as half a step, and every answer is off by as much. The mean of readings with dither of zero mean at the inputs
falls between the codes: half a step over sqrt(3 N) is left of N of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import BenchError, ConvergenceError
from mho.instruments.bench.arguments import check_fits
from mho.instruments.bench.reconnection import once_more
from mho.instruments.bench_file.bench_file import CLAMPED, BenchFile
from mho.instruments.limits import Limits
from mho.instruments.roles import ArrayBoard, Cell, Daq


@dataclass(frozen=True)
class InverseZero:
    """How the zero is measured, as a bench file's ``[inverse]`` says."""

    readings: int = 1  # that are averaged; 0 where the board trims its outputs, and nothing is subtracted
    dither: float = 0.0  # largest voltage at an input while they are taken, V; 0 for none

    def samples(self, lines: int) -> Floats:
        """Return what is played in front of the vectors, (samples, lines), V: first nothing, at which a loop may rail."""
        if not self.dither:
            return np.zeros((max(self.readings, 1), lines))
        # The same at every exchange: a seed of its own, so that nothing else that is drawn depends on it.
        half = np.random.default_rng(0).uniform(-self.dither, self.dither, (self.readings // 2, lines))
        return np.concatenate([np.zeros((1, lines)), half, -half])

    def subtracted(self, answers: Floats) -> Floats:
        """Return the answers (samples + vectors, n), V, to the vectors, less the zero; NaN in a row of a clamped output.

        `ConvergenceError` when an output is in its clamp with nothing at the inputs.
        """
        count = len(self.samples(0))
        zeros, outputs = answers[:count], answers[count:]
        peak = float(np.abs(zeros[0]).max(initial=0.0))
        if peak > CLAMPED:
            raise ConvergenceError(
                f"the INV loop rails: an output reads {peak:.2f} V with nothing at its inputs; check the programmed "
                "cells and the stability of the matrix"
            )
        clamped = np.abs(outputs).max(axis=1, keepdims=True, initial=0.0) > CLAMPED
        return np.where(clamped, np.nan, outputs - self._of(zeros))

    def _of(self, zeros: Floats) -> Floats:
        """Return the zero (n,), V, from the answers to `samples`."""
        if not self.readings:
            return np.zeros(zeros.shape[1])
        if not self.dither:
            # One reading as it is: a mean would lose the sign of -0.0.
            return np.asarray(zeros[0] if len(zeros) == 1 else zeros.mean(axis=0))
        pairs = zeros[1:].reshape(2, -1, zeros.shape[1])
        linear = np.abs(pairs).max(axis=(0, 2), initial=0.0) <= CLAMPED
        return np.asarray(pairs[:, linear].mean(axis=(0, 1)) if linear.any() else zeros[0])


def inverse_zero(file: BenchFile) -> InverseZero:
    """Return how a bench file says that the zero is measured."""
    return InverseZero(file.inverse.zero_readings, file.inverse.zero_dither)


Index = Sequence[int] | NDArray[np.int64]
VectorMode = Literal["MULTIPLY", "INVERT"]

# Told of every exchange: mode, voltages (samples, rows), and currents or voltages (samples, columns)
OnVectors = Callable[[VectorMode, Floats, Floats], None]


def unheard(mode: VectorMode, volts: Floats, answers: Floats) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class BlockConnection:
    """A connected block: its mode, the driven rows, the number of columns read, and a function that connects it again."""

    mode: VectorMode
    rows: Index
    answers: int
    connect: Callable[[], None]


class Vectors:
    """Multiplication and inversion of vectors; see the methods of `Bench` of the same names.

    `daq`, `board`, `limits`: of the bench.
    `enter`: takes the bench into a mode; returns whether it was in another one, so that nothing is connected any
        more.
    `zero`: how that of INV is measured.
    """

    def __init__(
        self, daq: Daq, board: ArrayBoard, limits: Limits, enter: Callable[[VectorMode], bool],
        zero: InverseZero,
    ) -> None:  # fmt: skip
        self._daq, self._board, self._limits, self._enter = daq, board, limits, enter
        self._zero = zero
        self._block: BlockConnection | None = None

    def forget(self) -> None:
        """Regard no block as connected, and reconnect none automatically."""
        self._block = None

    def connect_multiply(self, array: str, rows: Index, columns: Index) -> None:
        """Connect a block for `multiply`."""
        connect = partial(self._board.connect_multiply, array, _ints(rows), _ints(columns))
        self._connect(BlockConnection("MULTIPLY", rows, len(columns), connect))

    def connect_invert(
        self, positive: str, rows: Index, columns: Index, *, negative: str | None,
        second_slice: tuple[str, str] | None, diagonal: float, diagonal_count: int, bias: float = 0.0,
    ) -> None:  # fmt: skip
        """Close the inverting loop around a block."""
        # Boards of one's own need not know of these.
        further: dict[str, Any] = {} if second_slice is None else {"second_slice": second_slice}
        further |= {"bias": bias} if bias else {}
        connect = partial(
            self._board.connect_invert, positive, _ints(rows), _ints(columns), negative=negative,
            diagonal=diagonal, diagonal_count=diagonal_count,
            **further,
        )  # fmt: skip
        self._connect(BlockConnection("INVERT", rows, len(columns), connect))

    def multiply(self, volts: Floats) -> Floats:
        """Return currents (samples, columns), A, for `volts` (samples, rows)."""
        answers = self._exchange("MULTIPLY", np.zeros((1, volts.shape[1])), volts)
        return np.asarray((answers[1:] - answers[0]) / -self._board.transimpedance)

    def invert(self, volts: Floats) -> Floats:
        """Return settled outputs (samples, n), V; a row is NaN where an output was in its clamp."""
        return self._zero.subtracted(self._exchange("INVERT", self._zero.samples(volts.shape[1]), volts))

    def _connect(self, block: BlockConnection) -> None:
        self._block = None
        driven = len(block.rows)
        outputs, inputs = self._daq.output_count, self._daq.input_count
        if driven > outputs or block.answers > inputs:
            raise BenchError(
                f"a block of {driven} rows and {block.answers} columns does not fit the DAQ's {outputs} outputs and "
                f"{inputs} inputs; connect a smaller one, or give the bench more channels"
            )

        def connect() -> None:
            self._enter(block.mode)
            block.connect()

        once_more(connect)
        self._block = block

    def _exchange(self, mode: VectorMode, first: Floats, volts: Floats) -> Floats:
        """Return the answer of the connected columns to what comes `first`, for their offsets, and to `volts`."""
        block = self._block
        if block is not None and block.mode == mode:
            check_fits(block.rows, volts, "vectors")
        samples = np.concatenate([first, volts])
        self._limits.check_vectors("vector", samples, lambda: self._daq.sample_period)
        if block is None or block.mode != mode:
            raise BenchError(
                f"no block is connected in mode {mode}; call connect_{mode.lower()} first, and again after the bench "
                "was made safe"
            )

        def play() -> Floats:
            if self._enter(mode):  # it has rested, used a cell, or was made safe after a loss
                block.connect()
            return self._daq.exchange(samples)

        answer = once_more(play)
        self._block = block
        return answer[:, : block.answers]


class CellwiseProducts:
    """Products from reads of the block's cells, one after the other, on a bench that multiplies by nothing else.

    Each product reads every cell once, and multiplies in float64: the conductances are the chip's, the sums are not.

    `read`: conductance (S) of a cell.
    `bench`: its name, for errors.
    """

    def __init__(self, read: Callable[[Cell], float], bench: str) -> None:
        self._read, self._bench = read, bench
        self._block: tuple[str, Index, Index] | None = None

    def forget(self) -> None:
        """Do nothing: nothing is connected."""

    def connect_multiply(self, array: str, rows: Index, columns: Index) -> None:
        """Take the lines of the next products."""
        self._block = array, rows, columns

    def connect_invert(self, *lines: Any, **circuit: Any) -> None:
        """Raise `BenchError`."""
        raise BenchError(f"bench {self._bench!r} has nothing that serves `invert`")

    def multiply(self, volts: Floats) -> Floats:
        """Return currents (samples, columns), A, for `volts` (samples, rows)."""
        if self._block is None:
            raise BenchError("no block is connected in mode MULTIPLY; call connect_multiply first")
        array, rows, columns = self._block
        check_fits(rows, volts, "vectors")
        cells = [[self._read(Cell(array, row, column)) for column in _ints(columns)] for row in _ints(rows)]
        return np.asarray(volts @ np.array(cells))

    def invert(self, volts: Floats) -> Floats:
        """Raise `BenchError`."""
        raise BenchError(f"bench {self._bench!r} has nothing that serves `invert`")


def _ints(index: Index) -> list[int]:
    return [int(i) for i in index]
