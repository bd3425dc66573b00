"""One analogue output of a simulated NI device, wired to a line: what `NIOutput` finds in place of NI-DAQmx's devices."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.nidaqmx.system import DaqSystem
from mho.instruments.simulated.ports import SourcePort


class SimulatedNIOutput:
    """A device that appears under the name by which its output is asked for.

    `port`: the line.
    `product`: of the device; a 6363 of the bus that its name says, where none is given.
    """

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, port: SourcePort, *, serial: str = "",
        product: str = "",
    ) -> None:  # fmt: skip
        self._clock, self._rng, self._port, self._product = clock, rng, port, product
        self.system: DaqSystem | None = None
        port.drive(0.0, connected=True)  # an output has no relay

    def selected(self, channel: str) -> AbstractContextManager[None]:
        """Return the context within which nidaqmx finds the device of a channel."""
        if self.system is None:
            device = channel.strip("/").partition("/")[0]
            bus = "PXIe" if device.upper().startswith("PXI") else "USB"
            products = {device: self._product or f"{bus}-6363"}
            self.system = DaqSystem(products, self._clock, self._rng, self, outputs=[channel], inputs=[])
        return self.system.selected()

    # --- the port of its converters ---

    def exchange(self, volts: Floats, period: float) -> Floats:
        """Take what the output plays, and return that no input is wired."""
        self.hold(volts, period)
        return np.zeros((len(volts), 0))

    def hold(self, volts: Floats, period: float) -> None:
        """Bring the output's level to the line."""
        self._port.drive(float(volts[-1, 0]), connected=True)
