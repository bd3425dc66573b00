"""The array board's own converters as a DAQ: vectors in and out over the board's connection; docs/array-board.md."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.errors import InstrumentError
from mho.instruments.drivers.languages.output_vectors import checked_vectors
from mho.instruments.drivers.languages.scpi import CHECK

if TYPE_CHECKING:
    from mho.instruments.drivers.array_board import ArrayBoardDriver

Floats = NDArray[np.float64]

CODE = "<i2"  # a sample on the wire
FULL = 32767  # the code of a range's end
MEMORY = 65536  # codes that the board keeps


class ArrayBoardConverters:
    """Fills the role `mho.instruments.roles.Daq`; `ArrayBoardDriver.converters` makes one.

    Many vectors travel in one message; more than the board keeps are played one batch after the other. Outputs are
    at 0 V but while they play: the board sees to it.
    """

    def __init__(self, board: ArrayBoardDriver) -> None:
        self._board = board

    @cached_property
    def output_count(self) -> int:
        """How many outputs the board has; asked once."""
        return int(self._board.ask(":SOUR:DAC:COUN?"))

    @cached_property
    def input_count(self) -> int:
        """How many inputs the board has; asked once."""
        return int(self._board.ask(":READ:ARR:COUN?"))

    @cached_property
    def sample_period(self) -> float:
        """Time from one vector to the next, s; asked once."""
        return float(self._board.ask(":SOUR:DAC:PER?"))

    @cached_property
    def output_range(self) -> float:
        """Largest magnitude of an output, V; asked once."""
        return float(self._board.ask(":SOUR:DAC:RANG?"))

    @cached_property
    def input_range(self) -> float:
        """Largest magnitude that an input reads, V; asked once."""
        return float(self._board.ask(":READ:ARR:RANG?"))

    def identify(self) -> str:
        """Return the board's identification."""
        return self._board.identify()

    def settings(self) -> dict[str, str]:
        """Return counts, ranges and the sample period, as text."""
        return {
            "outputs": str(self.output_count),
            "inputs": str(self.input_count),
            "period": f"{self.sample_period:g} s",
            "output_range": f"{-self.output_range:g} V to {self.output_range:g} V",
            "input_range": f"{self.input_range:g} V",
        }

    def exchange(self, volts: ArrayLike) -> Floats:
        """Play vectors and return what the inputs read.

        Parameters
        ----------
        volts : array (samples, outputs)
            One vector a row, V. With fewer columns than outputs, the others are at 0 V.

        Returns
        -------
        array (samples, inputs)
            V, each row the settled answer to that row of `volts`.

        Raises
        ------
        InputError, LimitError
            For a wrong shape or a value beyond the outputs' range; nothing has been sent.
        InstrumentError
            When the board refuses, as without a connected block, or does not answer.
        """
        span = self.output_range
        vectors = checked_vectors(
            volts, self.output_count, -span, span, "array board", "array board output {}".format
        )
        batch = max(1, MEMORY // max(vectors.shape[1], self.input_count))
        return np.concatenate(
            [self._play(vectors[start : start + batch]) for start in range(0, len(vectors), batch)]
        )

    def _play(self, vectors: Floats) -> Floats:
        samples, outputs = vectors.shape
        data = np.rint(vectors * (FULL / self.output_range)).astype(CODE).tobytes()
        length = str(len(data))
        head = f":SOUR:DAC {outputs},#{len(length)}{length}".encode()
        query = f";:READ:ARR? {self.input_count}{CHECK}\n".encode()
        codes = self._board.exchange_samples(head + data + query, CODE)
        if codes.size != samples * self.input_count:
            raise InstrumentError(
                f"the array board answered {samples} vectors with {codes.size} codes instead of "
                f"{samples * self.input_count}"
            )
        answers: Floats = codes.reshape(samples, self.input_count) * (self.input_range / FULL)
        return answers

    def make_safe(self) -> None:
        """Ground everything on the board, its outputs included, confirmed by query."""
        self._board.make_safe()

    def close(self) -> None:
        """Release the board's connection."""
        self._board.close()
