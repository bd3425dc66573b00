"""The simulated Keithley 2636B: two sources of volts or amperes that measure, and scripts in Lua.

Series 2600B Reference Manual 2600BS-901-01; accuracies from the data sheet. (?) in the modules behind it marks
what is from memory. Not simulated: sweeps of a current, the factory scripts, digital I/O, and nodes on a TSP-Link.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2636b.accuracy import Specimen
from mho.instruments.simulated.keithley2636b.smu import SourceMeasureUnit
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.tsp.instrument import TspDevice
from mho.instruments.simulated.tsp.status import CURRENT_LIMIT, VOLTAGE_LIMIT

CHANNELS = {1: "smua", 2: "smub"}


class SimulatedKeithley2636B(TspDevice):
    """A 2636B on a bench.

    Parameters
    ----------
    clock, rng, serial
        As for `TspDevice`.
    outputs : mapping of int to SourcePort
        What the terminals are wired to: 1 for smua, 2 for smub; terminals of a number that is missing are open.
    accuracy : float
        Standard deviation of this specimen's gain and offset errors as a fraction of the specification.
    noise : float
        Standard deviation of a reading at 1 NPLC as a fraction of the measurement range.
    interlock : bool
        Whether the interlock is closed, which more than 20 V need.
    """

    model = "2636B"

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        outputs: Mapping[int, SourcePort],
        *,
        serial: str = "SIM00000",
        accuracy: float = 0.2,
        noise: float = 2e-6,
        interlock: bool = True,
    ) -> None:
        super().__init__(clock, rng, serial=serial)
        self.units = {
            name: SourceMeasureUnit(
                self, number, outputs.get(number), Specimen.draw(rng, accuracy, noise), interlock=interlock
            )
            for number, name in CHANNELS.items()
        }
        for name, unit in self.units.items():
            self.tables[name] = unit.group
            self.library.node.include(name, unit.group)

    def reset(self) -> None:
        """Power-on state: 0 V, outputs off, automatic ranges."""
        super().reset()
        for unit in self.units.values():
            unit.reset()

    def sweeping(self) -> int:
        """Return the channels that sweep as bits 1 and 2, then let the sweeps come to their end."""
        mask = sum(2 << index for index, unit in enumerate(self.units.values()) if unit.model.running)
        if mask:
            self.events.settle()
        return mask

    def limited(self, channel: str) -> int:
        """Return the bit of the limit that stops a channel's source, or 0."""
        unit = self.units[channel]
        if not unit.source.in_compliance():
            return 0
        return CURRENT_LIMIT if unit.source.sources_volts else VOLTAGE_LIMIT
