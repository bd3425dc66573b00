"""The source of the simulated 2450: what it has beyond any source with a limit.

Model 2450 Reference Manual 2450-901-01, pp. 6-66 to 6-79, and data sheet. (?) from memory: the accuracies, that a change of
the function switches the output off, that a measurement range has to hold the limit, that level and limit beyond the
source's 20 W are a settings conflict, and that a fixed range counts there with its end.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any

import numpy as np

from mho.instruments.simulated.analogue import SpecimenConverter
from mho.instruments.simulated.keithley2450.ranges import OHM_LIMIT, OVERRANGE, SOURCE, TEST_CURRENTS
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import FunctionSetting, IndexedSetting, ScpiError, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric
from mho.instruments.simulated.source_meters import LISTED, SOURCED, SourcePart, list_commands

OFF_MODES = ("NORMal", "HIMPedance", "ZERO", "GUARd")
PROTECTIONS = {"NONE": math.inf} | {
    f"PROT{volts}": float(volts) for volts in (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)
}
AUTO_DELAY = 1e-3  # s
DELAY = Numeric(0.0, 0.0, 1e4, unit="S")


def _ranged(source: SpecimenConverter, level: float) -> tuple[float, float]:
    """Return the range that a level takes by itself, and what comes out there."""
    span = source.range_for(level)
    return span, source.convert(level, span)


class Source(SourcePart):
    """The part of the instrument that sources: ``:SOURce`` and ``:OUTPut``."""

    RANGES, OVERRANGE, INTERLOCK_VOLTAGE = SOURCE, OVERRANGE, 42.0

    ranges = FunctionSetting(
        ":SOURce[1]:<function>:RANGe", SOURCED,
        {"VOLT": Numeric(0.02, -200.0, 200.0, unit="V"), "CURR": Numeric(1e-8, -1.0, 1.0, unit="A")},
    )  # fmt: skip
    limits = FunctionSetting(
        ":SOURce[1]:<function>[:LEVel]",
        {"CURR": "VOLTage:ILIMit", "VOLT": "CURRent:VLIMit"},
        {"CURR": Numeric(1.05e-4, 1e-9, 1.05, unit="A"), "VOLT": Numeric(21.0, 0.02, 210.0, unit="V")},
    )
    protections = FunctionSetting(
        ":SOURce[1]:<function>:PROTection[:LEVel]", SOURCED, Choice("NONE", tuple(PROTECTIONS))
    )
    delays = FunctionSetting(":SOURce[1]:<function>:DELay", SOURCED, DELAY)
    delay_auto = FunctionSetting(":SOURce[1]:<function>:DELay:AUTO", SOURCED, Boolean(True))
    voltage_user_delay = IndexedSetting(":SOURce[1]:VOLTage:DELay:USER[1|2|3|4|5]", DELAY)
    current_user_delay = IndexedSetting(":SOURce[1]:CURRent:DELay:USER[1|2|3|4|5]", DELAY)
    readback = FunctionSetting(":SOURce[1]:<function>:READ:BACK", SOURCED, Boolean(True))
    high_capacitance = FunctionSetting(":SOURce[1]:<function>:HIGH:CAPacitance", SOURCED, Boolean(False))
    off_modes = FunctionSetting(":OUTPut[1]:<function>:SMODe", SOURCED, Choice("NORM", OFF_MODES))

    commands = {
        ":SOURce[1]:VOLTage:ILIMit[:LEVel]:TRIPped?": lambda self: self.is_tripped("CURR"),
        ":SOURce[1]:CURRent:VLIMit[:LEVel]:TRIPped?": lambda self: self.is_tripped("VOLT"),
        ":SOURce[1]:VOLTage:PROTection[:LEVel]:TRIPped?": lambda self: (
            "1" if self.output_on and self.function == "VOLT" and abs(self.level) > self.highest else "0"
        ),
        ":OUTPut[1]:INTerlock:TRIPped?": lambda self: "1" if self.device.interlock else "0",
        **list_commands(":SOURce[1]", SOURCED, LISTED),
    }

    def __init__(self, device: Any, rng: np.random.Generator, port: SourcePort, accuracy: float) -> None:
        super().__init__(device, rng, port, accuracy)
        self._volts_of = lru_cache(1024)(partial(_ranged, self.converters["VOLT"]))

    @property
    def programmed(self) -> float:
        """The level that is set, or the ohmmeter's test current."""
        if self.meter.has_source:
            return TEST_CURRENTS[self.meter.ranges["RES"]]
        return self.levels[self.function]

    @property
    def highest(self) -> float:
        """The largest voltage that the protection lets out, V."""
        return PROTECTIONS[self.protections[self.function]]

    @property
    def grounded(self) -> bool:
        """Whether the terminals are at 0 V when the output is off, and not open."""
        return self.off_modes[self.function] in ("NORM", "ZERO")

    @property
    def bound(self) -> float:
        """What limits the source: A for one of volts, V for one of amperes."""
        if self.function == "VOLT":
            return self.limits["CURR"]
        return OHM_LIMIT if self.meter.has_source else min(self.limits["VOLT"], self.highest)

    @property
    def settling(self) -> float:
        """Wait between a level and its reading, s."""
        return AUTO_DELAY if self.delay_auto[self.function] else self.delays[self.function]

    def check_function(self, function: str) -> None:
        """Refuse volts while the ohmmeter has the source."""
        if self.meter.has_source and function != "CURR":
            raise ScpiError(-221, "the ohmmeter sources current")

    def level_changed(self, function: str, level: float) -> None:
        """The terminals follow; levels come far more often than all other settings together."""
        if function == "VOLT" == self.function and self.output_on and self.auto["VOLT"]:
            # as `apply`, of what changes
            span, actual = self._volts_of(level)
            highest = PROTECTIONS[self.protections["VOLT"]]
            if abs(actual) > highest:
                actual = math.copysign(highest, actual)
            self.level, self.ranges["VOLT"], self.actual = level, span, actual
            self.terminals.hold(actual)
        else:
            self.apply()

    @protections.on_change
    @off_modes.on_change
    def _setting_changed(self, function: str, value: object) -> None:
        self.apply()

    @command(":OUTPut[1]:SMODe", Choice("NORM", OFF_MODES))
    def _set_off_modes(self, mode: str) -> None:
        """Set it for both functions (p. 6-32)."""
        self.off_modes = dict.fromkeys(SOURCED, mode)
        self.apply()

    @delays.on_change
    def _delay_changed(self, function: str, seconds: float) -> None:
        self.delay_auto[function] = False
