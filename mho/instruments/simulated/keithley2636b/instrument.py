"""The simulated Keithley 2636B, 2602B, 2612B and 2614B: two sources of volts or amperes that measure, and scripts in Lua.

Series 2600B Reference Manual 2600BS-901-01 (a 2614B has neither contact check, Rev. F p. 15-6, nor digital I/O, Rev. C
p. 7-59); accuracies from the data sheets. Not simulated: nodes on a TSP-Link.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2636b.channel import SourceMeasureUnit
from mho.instruments.simulated.keithley2636b.factory_scripts import FactoryScripts
from mho.instruments.simulated.keithley2636b.source import (
    ABILITIES_2602B,
    ABILITIES_2612B,
    ABILITIES_2614B,
    ABILITIES_2636B,
    Specimen,
    UnitAbilities,
)
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.tsp.digital_lines import DigitalPort, Wiring
from mho.instruments.simulated.tsp.events import CURRENT_LIMIT, VOLTAGE_LIMIT
from mho.instruments.simulated.tsp.instrument import TspDevice

CHANNELS = {1: "smua", 2: "smub"}


class SimulatedKeithley2636B(TspDevice):
    """A 2636B on a bench; constructed as `SimulatedKeithley2450`, but for what is wired to it.

    `outputs` are what the terminals are wired to: 1 for smua, 2 for smub; terminals of a number that is missing are open.
    More than 20 V need the interlock. `wiring`: what its digital I/O is plugged into, with that of other instruments.
    """

    model = "2636B"
    abilities: ClassVar[UnitAbilities] = ABILITIES_2636B

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, outputs: Mapping[int, SourcePort], *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6, interlock: bool = True,
        wiring: Wiring | None = None,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.digital = DigitalPort(self.events, self.spend, wiring) if self.abilities.digital_lines else None
        if self.digital is not None:
            self.tables["digio"] = self.digital
        self.units = {
            name: SourceMeasureUnit(
                self,
                number,
                outputs.get(number),
                Specimen.draw(rng, accuracy, noise, self.abilities),
                interlock=interlock,
            )
            for number, name in CHANNELS.items()
        }
        for name, unit in self.units.items():
            self.tables[name] = unit.group
            self.library.node.include(name, unit.group)
        self.tables |= FactoryScripts(self, self.units, self.digital).tables

    def reset(self) -> None:
        """Power-on state: 0 V, outputs off, automatic ranges."""
        super().reset()
        if self.digital is not None:
            self.digital.restore()
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


class SimulatedKeithley2602B(SimulatedKeithley2636B):
    """A 2602B on a bench, of 40 V and 3 A; constructed as a 2636B. It needs no interlock."""

    model = "2602B"
    abilities = ABILITIES_2602B


class SimulatedKeithley2612B(SimulatedKeithley2636B):
    """A 2612B on a bench, without the 2636B's smallest ranges; constructed as a 2636B."""

    model = "2612B"
    abilities = ABILITIES_2612B


class SimulatedKeithley2614B(SimulatedKeithley2636B):
    """A 2614B on a bench, a 2612B without contact check; constructed as a 2636B."""

    model = "2614B"
    abilities = ABILITIES_2614B
