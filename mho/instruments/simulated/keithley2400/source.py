"""The source of the simulated 2400: volts or amperes with the other one limited, lists and staircases of them.

2400S-900-01, sections 10 and 18. (?) from memory: the accuracies, that a change of the function switches the output off,
and the steps of the overvoltage protection.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from mho.instruments.simulated.analogue import (
    TWENTY_WATTS,
    Regulated,
    SourceTerminals,
    SpecimenConverter,
    largest_current,
    range_for,
    staircase,
)
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import FunctionSetting, ScpiError, ScpiPart, Setting, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric

# function: range: (gain error, offset error in V or A), one year
SOURCE = {
    "VOLT": {0.2: (2e-4, 6e-4), 2.0: (2e-4, 6e-4), 20.0: (2e-4, 2.4e-3), 200.0: (2e-4, 2.4e-2)},
    "CURR": {
        1e-6: (3.5e-4, 6e-10), 1e-5: (3.3e-4, 2e-9), 1e-4: (3.1e-4, 2e-8), 1e-3: (3.4e-4, 2e-7),
        1e-2: (4.5e-4, 2e-6), 1e-1: (6.6e-4, 2e-5), 1.0: (2.7e-3, 9e-4),
    },
}  # fmt: skip
OVERRANGE = 1.05  # what a range's query replies is its end, with the overrange
PROTECTIONS = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0)  # V; beyond them there is none
AUTO_DELAY = 1e-3  # s
LIST_SIZE, LISTED_AT_ONCE = 2500, 100
OUTPUT_BLOCKED, TOO_SMALL, AUTO_OHMS, TOO_MUCH_POWER = 802, 822, 825, 826  # errors

SOURCED = {"VOLT": "VOLTage", "CURR": "CURRent"}
LIMITS = {"CURR": "CURRent[:DC]", "VOLT": "VOLTage[:DC]"}
LEVELS = {"VOLT": Numeric(0.0, -210.0, 210.0, unit="V"), "CURR": Numeric(0.0, -1.05, 1.05, unit="A")}
# of ranges, with the overrange, and of limits
ENDS = {
    "VOLT": Numeric(21.0, -210.0, 210.0, unit="V"),
    "CURR": Numeric(1.05e-4, -1.05, 1.05, unit="A"),
    "RES": Numeric(2.1e5, 0.0, 2.1e8, unit="OHM"),
}
PROTECTION = Numeric(210.0, -210.0, 210.0, unit="V", names={"NONE": 210.0})
LISTED = {function: replace(level, repeated=True) for function, level in LEVELS.items()}


def nominal(ranges: Iterable[float], value: float) -> float:
    """Return the smallest of ranges that holds a value with its overrange."""
    return range_for(tuple(ranges), value, OVERRANGE)


class Source(ScpiPart):
    """Volts or amperes with the other one limited: ``:SOURce``, ``:OUTPut`` and the compliances.

    The meter of its `device` limits it too.
    """

    function = Setting(":SOURce[1]:FUNCtion[:MODE]", Choice("VOLT", ("VOLTage", "CURRent")))
    modes = FunctionSetting(":SOURce[1]:<function>:MODE", SOURCED, Choice("FIX", ("FIXed", "LIST", "SWEep")))
    levels = FunctionSetting(":SOURce[1]:<function>[:LEVel][:IMMediate][:AMPLitude]", SOURCED, LEVELS)
    auto = FunctionSetting(":SOURce[1]:<function>:RANGe:AUTO", SOURCED, Boolean(True))
    ranges = FunctionSetting(":SOURce[1]:<function>:RANGe", SOURCED, ENDS)
    limits = FunctionSetting("[:SENSe[1]]:<function>:PROTection[:LEVel]", LIMITS, ENDS)
    protection = Setting(":SOURce[1]:VOLTage:PROTection[:LEVel]", PROTECTION)
    delay = Setting(":SOURce[1]:DELay", Numeric(AUTO_DELAY, 0.0, 999.9999, unit="S"))
    auto_delay = Setting(":SOURce[1]:DELay:AUTO", Boolean(True))
    auto_clear = Setting(":SOURce[1]:CLEar:AUTO", Boolean(False))
    starts = FunctionSetting(":SOURce[1]:<function>:STARt", SOURCED, LEVELS)
    stops = FunctionSetting(":SOURce[1]:<function>:STOP", SOURCED, LEVELS)
    points = Setting(":SOURce[1]:SWEep:POINts", Numeric(2500, 2, LIST_SIZE, integer=True))
    spacing = Setting(":SOURce[1]:SWEep:SPACing", Choice("LIN", ("LINear", "LOGarithmic")))
    direction = Setting(":SOURce[1]:SWEep:DIRection", Choice("UP", ("UP", "DOWN")))
    output_on = Setting(":OUTPut[1][:STATe]", Boolean(False))
    off_mode = Setting(":OUTPut[1]:SMODe", Choice("NORM", ("HIMPedance", "NORMal", "ZERO", "GUARd")))
    guarded = Setting(":OUTPut[1]:ENABle[:STATe]", Boolean(False))

    commands = {
        "[:SENSe[1]]:<function>:PROTection[:LEVel]:TRIPped?": (
            LIMITS, lambda self, function: self.is_tripped(function),
        ),
        ":SOURce[1]:VOLTage:PROTection[:LEVel]:TRIPped?": lambda self: "1" if self.held_back else "0",
        ":OUTPut[1]:ENABle:TRIPped?": lambda self: "1" if self.device.interlock else "0",
        ":SOURce[1]:LIST:<function>?": (
            SOURCED, lambda self, function: ",".join(map(self.device.real, self.lists[function])),
        ),
        ":SOURce[1]:LIST:<function>:POINts?": (
            SOURCED, lambda self, function: str(len(self.lists[function])),
        ),
        ":SOURce[1]:LIST:<function>": (
            SOURCED, LISTED, lambda self, function, levels: self.store_list(function, [], levels),
        ),
        ":SOURce[1]:LIST:<function>:APPend": (
            SOURCED, LISTED,
            lambda self, function, levels: self.store_list(function, self.lists[function], levels),
        ),
        ":SOURce[1]:<function>:STEP?": (
            SOURCED,
            lambda self, function: self.device.real(
                (self.stops[function] - self.starts[function]) / (self.points - 1.0)
            ),
        ),
        ":SOURce[1]:CLEar[:IMMediate]": lambda self: self.turn(False),
    }  # fmt: skip

    def __init__(self, device: Any, rng: np.random.Generator, port: SourcePort, accuracy: float) -> None:
        super().__init__(device)
        self._terminals = SourceTerminals(port)
        self.level = 0.0  # V or A, of a sweep or programmed
        self._converters = SpecimenConverter.of_each(rng, SOURCE, accuracy, overrange=OVERRANGE)

    def reset(self) -> None:
        """0 V, output off, automatic ranges; the lists hold one 0."""
        self.lists = {function: [0.0] for function in SOURCED}
        self.apply()

    # --- settings that depend on each other ---

    @function.on_change
    def _function_changed(self, function: str) -> None:
        self.turn(False)

    @levels.check
    def _check_level(self, function: str, level: float) -> None:
        if self.device.meter.auto_ohms and function == "CURR":
            raise ScpiError(AUTO_OHMS)
        if not self.auto[function] and abs(level) > self.ranges[function] * (1 + 1e-9):
            raise ScpiError(-222)
        self._check_power(**{function: level})

    def _check_power(self, **extremes: float) -> None:
        """Refuse what would go beyond the power with the other quantity's limit, or level."""
        quantities = self.limits | extremes
        if abs(quantities["CURR"]) > largest_current(quantities["VOLT"], TWENTY_WATTS) * (1 + 1e-9):
            raise ScpiError(TOO_MUCH_POWER)

    @limits.check
    def _check_limit(self, quantity: str, limit: float) -> None:
        if abs(limit) < 1e-3 * self.device.meter.span(quantity) * (1 - 1e-9):
            raise ScpiError(TOO_SMALL)
        function = "VOLT" if quantity == "CURR" else "CURR"
        level = self.levels[function] if self.auto[function] else self.ranges[function]
        self._check_power(**{quantity: limit, function: level})

    @limits.on_change
    def _limit_changed(self, quantity: str, limit: float) -> None:
        self.limits[quantity] = abs(limit)
        self.device.meter.hold_within(quantity, abs(limit))
        self._terminals.tripped = None

    @ranges.check
    def _check_range(self, function: str, value: float) -> None:
        end = OVERRANGE * nominal(SOURCE[function], value)
        if abs(self.levels[function]) > end * (1 + 1e-9):
            raise ScpiError(-221)
        self._check_power(**{function: end})

    @ranges.on_change
    def _range_changed(self, function: str, value: float) -> None:
        self.auto[function] = False
        self.ranges[function] = OVERRANGE * nominal(SOURCE[function], value)
        self.apply()

    @protection.on_change
    def _protection_changed(self, volts: float) -> None:
        self.protection = next((step for step in PROTECTIONS if abs(volts) <= step), 210.0)
        self.apply()

    @delay.on_change
    def _delay_changed(self, seconds: float) -> None:
        self.auto_delay = False

    @command(":SOURce[1]:<function>:STEP", LEVELS, functions=SOURCED)
    def _set_step(self, function: str, step: float) -> None:
        """The number of points follows it."""
        span = self.stops[function] - self.starts[function]
        if not step or not 1 <= span / step < LIST_SIZE:
            raise ScpiError(-222)
        self.points = float(int(span / step + 1e-9) + 1)

    @output_on.check
    def _check_output(self, on: bool) -> None:
        if on and self.guarded and not self.device.interlock:
            raise ScpiError(OUTPUT_BLOCKED)

    @levels.on_change
    @auto.on_change
    def _level_changed(self, function: str, value: object) -> None:
        self.apply()

    @off_mode.on_change
    @output_on.on_change
    def _state_changed(self, value: object) -> None:
        self.apply()

    def store_list(self, function: str, before: list[float], levels: list[float]) -> None:
        """Store a list of levels behind the ones before."""
        if len(levels) > LISTED_AT_ONCE or len(before) + len(levels) > LIST_SIZE:
            raise ScpiError(-223)
        for level in levels:
            self._check_level(function, level)
        self.lists[function] = before + levels

    # --- the terminals ---

    def turn(self, on: bool) -> None:
        """Switch the output."""
        Source.output_on.store(self, on)

    @property
    def bound(self) -> tuple[float, bool]:
        """What limits the source (A for one of volts, V for one of amperes), and whether that is the meter's range."""
        quantity = "CURR" if self.function == "VOLT" else "VOLT"
        meter, limit = self.device.meter, self.limits[quantity]
        if quantity == "VOLT":
            limit = min(limit, self.protection)
        fixed = math.inf if meter.auto[quantity] else meter.ranges[quantity]
        return min(limit, fixed), fixed < limit

    @property
    def held_back(self) -> bool:
        """Whether the overvoltage protection holds the source back right now."""
        over = abs(self.level) if self.function == "VOLT" else abs(self._terminals.volts)
        return self.output_on and self.protection < 210.0 and over >= self.protection

    def apply(self, level: float | None = None) -> None:
        """Set the terminals to the state of the settings, or to a `level` of a sweep."""
        function = self.function
        self.level = value = self.levels[function] if level is None else level
        if self.auto[function] and (value or level is not None or self.output_on):
            self.ranges[function] = OVERRANGE * nominal(SOURCE[function], value)
        actual = self._converters[function].convert(value, nominal(SOURCE[function], self.ranges[function]))
        if not self.output_on:
            self._terminals.open(grounded=self.off_mode in ("NORM", "ZERO"))
        elif function == "VOLT":
            highest = self.protection if self.protection < 210.0 else math.inf
            self._terminals.hold(math.copysign(min(abs(actual), highest), actual))
        else:
            self._terminals.feed(actual, self.bound[0])

    def flow(self, aperture: float) -> Regulated:
        """Return what is at the terminals on the average of `aperture` (s)."""
        return self._terminals.flow(aperture, self.bound[0])

    def is_tripped(self, quantity: str) -> str:
        """Answer whether the limit of a quantity stops the source now."""
        if quantity == self.function:
            return "0"
        if self._terminals.tripped is None:
            self.flow(self.device.meter.aperture)
        return "1" if self._terminals.tripped else "0"

    def swept(self) -> list[float]:
        """Return the levels of the sweep that is chosen; none for a fixed source."""
        function = self.function
        if self.modes[function] == "LIST":
            return self.lists[function]
        if self.modes[function] == "FIX":
            return []
        start, stop = self.starts[function], self.stops[function]
        levels = staircase(start, stop, self.points, logarithmic=self.spacing == "LOG")
        for extreme in (start, stop):
            self._check_level(function, extreme)
        return levels if self.direction == "UP" else levels[::-1]
