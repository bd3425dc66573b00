"""A DAQ of two halves: NI outputs hold a vector while a DAQ6510 scans its inputs, one vector after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.instruments.drivers.keithleydaq6510 import KeithleyDAQ6510
from mho.instruments.drivers.languages.output_vectors import zero_on_error
from mho.instruments.drivers.ni_daq import NIOutputs


class ScannedDaq:
    """The two instruments as `mho.instruments.roles.Daq`, at some milliseconds per input and vector.

    Connecting changes no output and no setting. The inputs are scanned in the order of their `channels`.

    `full_scale`: largest voltage expected at the inputs, V.
    `nplc`: integration time in power line cycles.
    """

    def __init__(
        self, outputs: NIOutputs, inputs: KeithleyDAQ6510, *, full_scale: float = 10.0, nplc: float = 0.1
    ) -> None:
        self._outputs, self._inputs = outputs, inputs
        self._full_scale, self._nplc = full_scale, nplc
        self._configured = False

    @property
    def sample_period(self) -> float:
        """Shortest time for which a vector is held, s: the apertures of its scan at 60 Hz."""
        return self.input_count * self._nplc / 60.0

    @property
    def output_count(self) -> int:
        """Number of analogue outputs."""
        return self._outputs.output_count

    @property
    def input_count(self) -> int:
        """Number of inputs that are scanned."""
        return self._inputs.input_count

    def identify(self) -> str:
        """Return the identification of both halves."""
        return f"{self._outputs.identify()}; {self._inputs.identify()}"

    def settings(self) -> dict[str, str]:
        """Return the settings of both halves, as text."""
        return {**self._outputs.settings(), **self._inputs.settings()}

    def exchange(self, volts: ArrayLike) -> Floats:
        """Hold each vector and scan the inputs meanwhile, as `mho.instruments.roles.Daq`; NaN where the range overflowed.

        All outputs end at 0 V. When an instrument refuses, they have been set to 0 V, or a note on the error and the log
        say that this could not be confirmed.
        """
        vectors = self._outputs.checked(volts)
        if not self._configured:
            self._inputs.configure(function="VOLT", full_scale=self._full_scale, nplc=self._nplc)
            self._configured = True
        answers = np.zeros((len(vectors), self.input_count))
        with zero_on_error(self._outputs.make_safe):
            for vector, answer in zip(vectors, answers, strict=True):
                self._outputs.hold(vector)
                answer[:] = self._inputs.scan()
        self._outputs.make_safe()
        return answers

    def make_safe(self) -> None:
        """Bring the outputs to 0 V, then open the scanner's relays; raises `InstrumentError` unless confirmed."""
        self._configured = False
        try:
            self._outputs.make_safe()
        finally:
            self._inputs.make_safe()

    def close(self) -> None:
        """Release both connections; no output changes."""
        try:
            self._outputs.close()
        finally:
            self._inputs.close()
