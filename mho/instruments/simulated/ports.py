"""The seam between a simulated instrument's terminals and the wires behind them.

A simulated instrument knows its own front panel and its ports; it never sees the chip. What a port is
wired to is the business of `mho.instruments.laboratory.laboratory`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class SourcePort(Protocol):
    """A terminal that holds a voltage and carries a current (source-measure unit, DC output)."""

    def drive(self, volts: float, *, connected: bool) -> None:
        """Hold `volts` (V) from now on; not `connected` means the output relay is open."""
        ...

    def current(self, volts: float, aperture: float) -> float:
        """Current (A) out of the terminal at `volts`, averaged over `aperture` seconds, noise included.

        The caller advances the clock.
        """
        ...


class PulsePort(Protocol):
    """A terminal that emits voltage pulses from a base of 0 V."""

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        """Deliver `count` pulses of `volts` (V) and `width` (s), one every `period` (s): those of a triggered burst.

        The caller advances the clock.
        """
        ...


class ConverterPort(Protocol):
    """All analogue outputs and inputs of a data acquisition device, on one sample clock.

    One that has ``hold(volts, period)`` is told of levels that stay, and of samples that are played over and over.
    """

    def exchange(self, volts: Floats, period: float) -> Floats:
        """Play `volts` (samples, outputs) at one sample per `period` seconds.

        Returns the volts at the input terminals, (samples, inputs), before the converter's own noise,
        range and quantisation. The caller advances the clock.
        """
        ...


class CarrierPort(Protocol):
    """What an array board finds on its sockets: the chip's arrays and the sources that may be live."""

    def array_size(self, array: str) -> tuple[int, int] | None:
        """Rows and columns of an array, or None when the chip has none of that name."""
        ...

    def switching(self, what: str) -> None:
        """Told before switches move, so that a hot switch is noticed."""
        ...

    def exchange(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Play samples of the board's own converters into the connected block; (samples, inputs), V."""
        ...
