"""The source of the simulated 2450: volts or amperes, with the other one limited; ranges, accuracies of one year.

Model 2450 Reference Manual 2450-901-01, pp. 6-66 to 6-79, and data sheet. (?) from memory: the accuracies, that a change of
the function switches the output off, that a measurement range has to hold the limit, and that level and limit beyond the
source's 20 W are a settings conflict.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any

import numpy as np

from mho.instruments.simulated.analogue import (
    TEST_CURRENTS,
    TWENTY_WATTS,
    Regulated,
    SourceTerminals,
    SpecimenConverter,
    largest_current,
)
from mho.instruments.simulated.keithley2450.ranges import OHM_LIMIT, OVERRANGE, SOURCE
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import (
    FunctionSetting,
    IndexedSetting,
    ScpiError,
    ScpiPart,
    Setting,
    command,
)
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric

SOURCED = {"VOLT": "VOLTage", "CURR": "CURRent"}
OFF_MODES = ("NORMal", "HIMPedance", "ZERO", "GUARd")
INTERLOCK_VOLTAGE = 42.0
FULL_CURRENT_VOLTAGE = TWENTY_WATTS[0][0]
PROTECTIONS = {"NONE": math.inf} | {
    f"PROT{volts}": float(volts) for volts in (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)
}
DELAY = Numeric(0.0, 0.0, 1e4, unit="S")
LEVELS = {"VOLT": Numeric(0.0, -210.0, 210.0, unit="V"), "CURR": Numeric(0.0, -1.05, 1.05, unit="A")}


def _ranged(source: SpecimenConverter, level: float) -> tuple[float, float]:
    """Return the range that a level takes by itself, and what comes out there."""
    span = source.range_for(level)
    return span, source.convert(level, span)


class Source(ScpiPart):
    """The part of the instrument that sources: ``:SOURce`` and ``:OUTPut``.

    It asks its `device` for what the meter is set to: `sensing`, `measure_ranges`, `measuring_auto`, `aperture` (s).
    """

    commands = {
        ":SOURce[1]:VOLTage:ILIMit[:LEVel]:TRIPped?": lambda self: self._is_tripped("VOLT"),
        ":SOURce[1]:CURRent:VLIMit[:LEVel]:TRIPped?": lambda self: self._is_tripped("CURR"),
        ":SOURce[1]:VOLTage:PROTection[:LEVel]:TRIPped?": lambda self: (
            "1" if self.output_on and self.function == "VOLT" and abs(self.level) > self.highest else "0"
        ),
        ":OUTPut[1]:INTerlock:TRIPped?": lambda self: "1" if self.interlock else "0",
    }

    function = Setting(":SOURce[1]:FUNCtion[:MODE]", Choice("VOLT", ("VOLTage", "CURRent")))
    levels = FunctionSetting(":SOURce[1]:<function>[:LEVel][:IMMediate][:AMPLitude]", SOURCED, LEVELS)
    auto = FunctionSetting(":SOURce[1]:<function>:RANGe:AUTO", SOURCED, Boolean(True))
    ranges = FunctionSetting(
        ":SOURce[1]:<function>:RANGe",
        SOURCED,
        {"VOLT": Numeric(0.02, -200.0, 200.0, unit="V"), "CURR": Numeric(1e-8, -1.0, 1.0, unit="A")},
    )
    current_limit = Setting(":SOURce[1]:VOLTage:ILIMit[:LEVel]", Numeric(1.05e-4, 1e-9, 1.05, unit="A"))
    voltage_limit = Setting(":SOURce[1]:CURRent:VLIMit[:LEVel]", Numeric(21.0, 0.02, 210.0, unit="V"))
    protections = FunctionSetting(
        ":SOURce[1]:<function>:PROTection[:LEVel]", SOURCED, Choice("NONE", tuple(PROTECTIONS))
    )
    delays = FunctionSetting(":SOURce[1]:<function>:DELay", SOURCED, DELAY)
    delay_auto = FunctionSetting(":SOURce[1]:<function>:DELay:AUTO", SOURCED, Boolean(True))
    voltage_user_delay = IndexedSetting(":SOURce[1]:VOLTage:DELay:USER[1|2|3|4|5]", DELAY)
    current_user_delay = IndexedSetting(":SOURce[1]:CURRent:DELay:USER[1|2|3|4|5]", DELAY)
    readback = FunctionSetting(":SOURce[1]:<function>:READ:BACK", SOURCED, Boolean(True))
    high_capacitance = FunctionSetting(":SOURce[1]:<function>:HIGH:CAPacitance", SOURCED, Boolean(False))
    output_on = Setting(":OUTPut[1][:STATe]", Boolean(False))
    off_modes = FunctionSetting(":OUTPut[1]:<function>:SMODe", SOURCED, Choice("NORM", OFF_MODES))

    def __init__(
        self, device: Any, rng: np.random.Generator, output: SourcePort, *, accuracy: float, interlock: bool
    ) -> None:
        super().__init__(device)
        self.output, self.interlock = output, interlock
        self.terminals = SourceTerminals(output)
        self.converters = SpecimenConverter.of_each(rng, SOURCE, accuracy, overrange=OVERRANGE)
        self._volts_of = lru_cache(1024)(partial(_ranged, self.converters["VOLT"]))
        self._actual = 0.0  # output of the source, V or A, with its errors

    @property
    def level(self) -> float:
        """The programmed source level, V or A."""
        if self.device.sensing == "RES":
            return TEST_CURRENTS[self.device.measure_ranges["RES"]]
        return self.levels[self.function]

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        return self.current_limit if self.function == "VOLT" else abs(self._actual)

    # --- settings that depend on each other ---

    @function.check
    def _check_function(self, function: str) -> None:
        if self.device.sensing == "RES" and function != "CURR":
            raise ScpiError(-221, "the ohmmeter sources current")

    @function.on_change
    def _function_changed(self, function: str) -> None:
        self.output_on = False
        self.apply()

    @levels.check
    def check_level(self, function: str, level: float) -> None:
        """Refuse a level that range, interlock or power do not allow."""
        if not self.auto[function] and abs(level) > OVERRANGE * self.ranges[function]:
            raise ScpiError(-222)
        if function == "VOLT":
            if abs(level) > FULL_CURRENT_VOLTAGE:  # no more than 20 W, and no interlock, concerns lower ones
                self.check_interlock(level)
                self.check_power(level, self.current_limit)
        else:
            self.check_power(self.voltage_limit, level)

    def check_power(self, volts: float, amperes: float) -> None:
        """Refuse volts and amperes that are too many together."""
        if abs(amperes) > largest_current(volts, TWENTY_WATTS) * (1 + 1e-9):
            raise ScpiError(-221, "level and limit are beyond 20 W")

    def check_interlock(self, volts: float) -> None:
        """Refuse volts that need the interlock closed."""
        if abs(volts) > INTERLOCK_VOLTAGE and not self.interlock:
            raise ScpiError(-221, "interlock")

    @ranges.check
    def _check_source_range(self, function: str, span: float) -> None:
        source = self.converters[function]
        if not source.holds(self.levels[function], source.range_for(span)):
            raise ScpiError(-221)
        if function == "VOLT":
            self.check_power(OVERRANGE * source.range_for(span), self.current_limit)

    @ranges.on_change
    def _source_range_changed(self, function: str, span: float) -> None:
        self.auto[function] = False
        self.ranges[function] = self.converters[function].range_for(span)
        self.apply()

    @property
    def highest(self) -> float:
        """Largest voltage with the overvoltage protection, V."""
        return PROTECTIONS[self.protections[self.function]]

    @levels.on_change
    def _level_changed(self, function: str, level: float) -> None:
        if function == "VOLT" == self.function and self.output_on and self.auto["VOLT"]:
            # as `apply`, of what changes: levels come far more often than all other settings together
            span, actual = self._volts_of(level)
            highest = PROTECTIONS[self.protections["VOLT"]]
            if abs(actual) > highest:
                actual = math.copysign(highest, actual)
            self.ranges["VOLT"], self._actual = span, actual
            self.terminals.hold(actual)
        else:
            self.apply()

    @protections.on_change
    @auto.on_change
    @off_modes.on_change
    def _setting_changed(self, function: str, value: object) -> None:
        self.apply()

    @command(":OUTPut[1]:SMODe", Choice("NORM", OFF_MODES))
    def _set_off_modes(self, mode: str) -> None:
        """Set it for both functions (p. 6-32)."""
        self.off_modes = dict.fromkeys(SOURCED, mode)
        self.apply()

    @output_on.on_change
    def _output_changed(self, on: bool) -> None:
        self.apply()

    @delays.on_change
    def _delay_changed(self, function: str, seconds: float) -> None:
        self.delay_auto[function] = False

    @current_limit.check
    def _check_current_limit(self, amperes: float) -> None:
        self._check_limit("CURR", amperes)
        fixed = 0.0 if self.auto["VOLT"] else OVERRANGE * self.ranges["VOLT"]
        self.check_power(max(abs(self.levels["VOLT"]), fixed), amperes)

    @voltage_limit.check
    def _check_voltage_limit(self, volts: float) -> None:
        self._check_limit("VOLT", volts)
        self.check_interlock(volts)
        self.check_power(volts, self.levels["CURR"])

    def _check_limit(self, quantity: str, limit: float) -> None:
        span = self.device.measure_ranges[quantity]
        if not self.device.measuring_auto[quantity] and limit > OVERRANGE * span * (1 + 1e-9):
            raise ScpiError(-221)

    @current_limit.on_change
    @voltage_limit.on_change
    def _limit_changed(self, limit: float) -> None:
        self.terminals.tripped = None

    # --- the terminals ---

    def apply(self) -> None:
        """Set the terminals to the state of the settings."""
        function, level = self.function, self.level
        source = self.converters[function]
        if self.auto[function] or self.device.sensing == "RES":
            self.ranges[function] = source.range_for(level)
        self._actual = source.convert(level, self.ranges[function])
        highest = self.highest
        if function == "VOLT" and abs(self._actual) > highest:
            self._actual = math.copysign(highest, self._actual)
        if not self.output_on:
            self.terminals.open(grounded=self.off_modes[function] in ("NORM", "ZERO"))
        elif function == "VOLT":
            self.terminals.hold(self._actual)
        else:
            self.terminals.feed(self._actual, self._bound)

    @property
    def _bound(self) -> float:
        """What limits the source: A for one of volts, V for one of amperes."""
        if self.function == "VOLT":
            return self.current_limit
        return OHM_LIMIT if self.device.sensing == "RES" else min(self.voltage_limit, self.highest)

    def flow(self, aperture: float) -> Regulated:
        """Return what is at the terminals on the average of `aperture` seconds; the caller advances the clock."""
        return self.terminals.flow(aperture, self._bound)

    def _is_tripped(self, function: str) -> str:
        if function != self.function:
            return "0"
        if self.terminals.tripped is None:  # the level has changed since the last measurement
            self.flow(self.device.aperture)
        return "1" if self.terminals.tripped else "0"
