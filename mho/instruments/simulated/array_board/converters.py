"""The simulated array board's converters: samples in, the connected block's answers out, as 16-bit integers."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, Setting, command, query
from mho.instruments.simulated.scpi.parameters import BlockParameter, Numeric, block_text

Floats = NDArray[np.float64]

CHANNELS = 32  # outputs, and inputs, of a board that is not said to have more
MOST_CHANNELS = 4096  # of any board: as many as an array has lines
OUTPUT_RANGE, INPUT_RANGE = 2.5, 10.0  # V, either side of zero
FULL = 32767  # the code of a range's end
MEMORY = 65536  # codes that the board keeps
CODE = "<i2"


def codes_of(volts: Floats, full_scale: float) -> NDArray[np.int16]:
    """Digitise `volts`: the nearest code, clipped to the range, whose ends are the codes -32767 and 32767."""
    return np.rint(np.clip(volts / full_scale, -1.0, 1.0) * FULL).astype(np.int16)


class BoardConverters(ScpiDevice):
    """The part of the board that plays vectors and reads their answers; outputs are at 0 V but while it does.

    Parameters
    ----------
    channels : int
        Number of outputs, and of inputs.

    Attributes
    ----------
    output_count, input_count : int
    """

    period = Setting(":SOURce:DAC:PERiod", Numeric(1e-5, 1e-6, 1.0, unit="S"))

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, *, serial: str, channels: int = CHANNELS
    ) -> None:
        self.output_count = self.input_count = channels
        self._samples: NDArray[np.int16] = np.zeros((0, 1), np.int16)
        super().__init__(clock, rng, serial=serial)

    @abstractmethod
    def check_converting(self) -> None:
        """Raise `ScpiError` where nothing is connected to the converters."""

    @abstractmethod
    def answer(self, volts: Floats) -> Floats:
        """Answer of the connected block, (samples, inputs), V."""

    def forget_samples(self) -> None:
        """Empty the memory."""
        self._samples = np.zeros((0, 1), np.int16)

    @command(":SOURce:DAC", Numeric(1, 1, MOST_CHANNELS, integer=True), BlockParameter())
    def _load(self, outputs: float, data: bytes) -> None:
        _check_there(outputs, self.output_count, "outputs")
        vector = 2 * int(outputs)
        if not data or len(data) % vector:
            raise ScpiError(-161, f"samples of {vector} bytes, not {len(data)} bytes")
        if len(data) > 2 * MEMORY:
            raise ScpiError(-223, f"at most {MEMORY} codes")
        self._samples = np.frombuffer(data, CODE).reshape(-1, int(outputs))

    @query(":SOURce:DAC")
    def _loaded(self) -> str:
        return f"{len(self._samples)},{self._samples.shape[1]}"

    @query(":SOURce:DAC:COUNt")
    def _output_count(self) -> str:
        return str(self.output_count)

    @query(":SOURce:DAC:RANGe")
    def _output_range(self) -> str:
        return f"{OUTPUT_RANGE:.9E}"

    @query(":READ:ARRay:COUNt")
    def _input_count(self) -> str:
        return str(self.input_count)

    @query(":READ:ARRay:RANGe")
    def _input_range(self) -> str:
        return f"{INPUT_RANGE:.9E}"

    @query(":READ:ARRay", Numeric(1, 1, MOST_CHANNELS, integer=True))
    def _play(self, inputs: float) -> str:
        _check_there(inputs, self.input_count, "inputs")
        self.check_converting()
        if not len(self._samples):
            raise ScpiError(-221, "no samples are loaded")
        volts = np.zeros((len(self._samples), self.output_count))
        volts[:, : self._samples.shape[1]] = self._samples * (OUTPUT_RANGE / FULL)
        answer = self.answer(volts)[:, : int(inputs)]
        self.clock.advance(len(volts) * self.period)
        return block_text(codes_of(answer, INPUT_RANGE).astype(CODE).tobytes())


def _check_there(wanted: float, count: int, what: str) -> None:
    if wanted > count:
        raise ScpiError(-222, f"the board has {count} {what}")
