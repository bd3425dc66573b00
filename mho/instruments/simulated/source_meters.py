"""Parts that simulated source-measure units share: a source with ranges, limit and power envelope, and its meter.

A model's parts name its ranges with their errors, and declare anew the settings that its commands call otherwise, or whose
limits are others; what is checked of them, and what follows, is here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

import numpy as np

from mho.instruments.simulated.analogue import (
    TEST_CURRENTS,
    TWENTY_WATTS,
    Regulated,
    SourceTerminals,
    SpecimenConverter,
    largest_current,
    range_for,
)
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import FunctionSetting, ScpiError, ScpiPart, Setting
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric

SOURCED = {"VOLT": "VOLTage", "CURR": "CURRent"}
SENSED = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
LIMITED = {"CURR": "CURRent[:DC]", "VOLT": "VOLTage[:DC]"}
OTHER = {"CURR": "VOLT", "VOLT": "CURR"}
# of Keithley's 2400 and 2450
LEVELS = {"VOLT": Numeric(0.0, -210.0, 210.0, unit="V"), "CURR": Numeric(0.0, -1.05, 1.05, unit="A")}
LISTED = {
    "VOLT": Numeric(0.0, -210.0, 210.0, unit="V", repeated=True),
    "CURR": Numeric(0.0, -1.05, 1.05, unit="A", repeated=True),
}
LIST_SIZE = 2500

Ranges = Mapping[str, Mapping[float, tuple[float, float]]]  # of each function: see `SpecimenConverter`


def list_commands(source: str, functions: Mapping[str, str], levels: Any) -> dict[str, Any]:
    """Return the commands of a source's list, below the node `source`; `levels` are their parameters, by function."""
    listed = f"{source}:LIST:<function>"
    return {
        f"{listed}?": (functions, lambda self, name: ",".join(map(self.device.real, self.lists[name]))),
        f"{listed}:POINts?": (functions, lambda self, name: str(len(self.lists[name]))),
        listed: (functions, levels, lambda self, name, new: self.store_list(name, [], new)),
        f"{listed}:APPend": (
            functions, levels, lambda self, name, new: self.store_list(name, self.lists[name], new),
        ),
    }  # fmt: skip


class SourcePart(ScpiPart):
    """Volts or amperes with the other one limited, on ranges, within a power envelope, and below an interlock's voltage.

    `interlock` of the instrument says whether that is closed.

    Attributes
    ----------
    level, actual : float
        What is sourced, V or A: as it was set, and with the specimen's errors.
    meter : MeterPart
        Its meter, which bounds the limits.
    """

    RANGES: ClassVar[Ranges]
    OVERRANGE: ClassVar[float] = 1.05
    ENVELOPE: ClassVar[Sequence[tuple[float, float]]] = TWENTY_WATTS
    BEYOND_POWER: ClassVar[tuple[Any, ...]] = (-221, "level and limit are beyond its power")  # the error
    INTERLOCK_VOLTAGE: ClassVar[float] = math.inf
    LISTED_AT_ONCE: ClassVar[int] = 100
    EMPTY_LIST: ClassVar[tuple[float, ...]] = ()
    meter: MeterPart
    lists: dict[str, list[float]]

    function = Setting(":SOURce[1]:FUNCtion[:MODE]", Choice("VOLT", ("VOLTage", "CURRent")))
    levels = FunctionSetting(":SOURce[1]:<function>[:LEVel][:IMMediate][:AMPLitude]", SOURCED, LEVELS)
    auto = FunctionSetting(":SOURce[1]:<function>:RANGe:AUTO", SOURCED, Boolean(True))
    ranges = FunctionSetting(":SOURce[1]:<function>:RANGe", SOURCED, LEVELS)
    limits = FunctionSetting(
        "[:SENSe[1]]:<function>:PROTection[:LEVel]", LIMITED, LEVELS
    )  # of the other quantity
    output_on = Setting(":OUTPut[1][:STATe]", Boolean(False))

    def __init__(self, device: Any, rng: np.random.Generator, port: SourcePort, accuracy: float) -> None:
        super().__init__(device)
        self.terminals = SourceTerminals(port)
        self.converters = SpecimenConverter.of_each(rng, self.RANGES, accuracy, overrange=self.OVERRANGE)
        self.level = self.actual = 0.0
        self._free = self.ENVELOPE[0][0]  # V, up to which no limit is too much

    def reset(self) -> None:
        """0 V, output off, automatic ranges."""
        self.lists = {function: list(self.EMPTY_LIST) for function in SOURCED}
        self.apply()

    # --- what a model has of its own ---

    @property
    def programmed(self) -> float:
        """The level that is set, V or A."""
        return self.levels[self.function]

    @property
    def highest(self) -> float:
        """The largest voltage that an overvoltage protection lets out, V."""
        return math.inf

    @property
    def grounded(self) -> bool:
        """Whether the terminals are at 0 V when the output is off, and not open."""
        return True

    # --- settings that depend on each other ---

    @function.check
    def check_function(self, function: str) -> None:
        """Refuse to source something else."""

    @function.on_change
    def _function_changed(self, function: str) -> None:
        self.turn(False)

    @levels.check
    def check_level(self, function: str, level: float) -> None:
        """Refuse a level that range, interlock or power do not allow."""
        if not self.auto[function] and not self.converters[function].holds(level, self.ranges[function]):
            raise ScpiError(-222)
        if function == "VOLT":
            if abs(level) <= self._free:
                return
            self.check_interlock(level)
        self.check_power(**{function: level})

    def check_interlock(self, volts: float) -> None:
        """Refuse volts that need the interlock closed."""
        if abs(volts) > self.INTERLOCK_VOLTAGE and not self.device.interlock:
            raise ScpiError(-221, "interlock")

    def check_power(self, **extremes: float) -> None:
        """Refuse a level and a limit that are too much together; `extremes` replaces the limit of its quantity."""
        quantities = self.limits | extremes
        if abs(quantities["CURR"]) > largest_current(quantities["VOLT"], self.ENVELOPE) * (1 + 1e-9):
            raise ScpiError(*self.BEYOND_POWER)

    @limits.check
    def check_limit(self, quantity: str, limit: float) -> None:
        """Refuse a limit that the meter's range, interlock or power do not allow."""
        self.meter.check_limit(quantity, abs(limit))
        if quantity == "VOLT":
            self.check_interlock(limit)
        function = OTHER[quantity]
        fixed = 0.0 if self.auto[function] else self.OVERRANGE * self.ranges[function]
        self.check_power(**{quantity: limit, function: max(abs(self.levels[function]), fixed)})

    @limits.on_change
    def limit_changed(self, quantity: str, limit: float) -> None:
        """The terminals are looked at anew."""
        self.terminals.tripped = None

    @ranges.check
    def check_range(self, function: str, value: float) -> None:
        """Refuse a range that does not hold the level, or whose end is too much with the limit."""
        span = self.converters[function].range_for(value)
        if not self.converters[function].holds(self.levels[function], span):
            raise ScpiError(-221)
        self.check_power(**{function: self.OVERRANGE * span})

    @ranges.on_change
    def _range_changed(self, function: str, value: float) -> None:
        self.auto[function] = False
        self.ranges[function] = self.converters[function].range_for(value)
        self.apply()

    @levels.on_change
    def level_changed(self, function: str, level: float) -> None:
        """The terminals follow."""
        self.apply()

    @auto.on_change
    def _auto_changed(self, function: str, auto: bool) -> None:
        self.apply()

    @output_on.check
    def check_output(self, on: bool) -> None:
        """Refuse to switch on."""

    @output_on.on_change
    def _output_changed(self, on: bool) -> None:
        self.apply()

    def store_list(self, function: str, before: list[float], levels: list[float]) -> None:
        """Store a list of levels behind those before."""
        if len(levels) > self.LISTED_AT_ONCE or len(before) + len(levels) > LIST_SIZE:
            raise ScpiError(-223)
        for level in levels:
            self.check_level(function, level)
        self.lists[function] = before + levels

    # --- the terminals ---

    def turn(self, on: bool) -> None:
        """Switch the output."""
        type(self).output_on.store(self, on)

    @property
    def bound(self) -> float:
        """What limits the source: A for one of volts, V for one of amperes."""
        return self.limits["CURR"] if self.function == "VOLT" else min(self.limits["VOLT"], self.highest)

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        return self.bound if self.function == "VOLT" else abs(self.actual)

    def apply(self, level: float | None = None) -> None:
        """Set the terminals to the state of the settings, or to a `level` of a sweep (V or A)."""
        function = self.function
        self.level = value = self.programmed if level is None else level
        source = self.converters[function]
        if self.auto[function] or self.meter.has_source:
            self.ranges[function] = source.range_for(value)
        actual = source.convert(value, self.ranges[function])
        if function == "VOLT" and abs(actual) > (highest := self.highest):
            actual = math.copysign(highest, actual)
        self.actual = actual
        if not self.output_on:
            self.terminals.open(grounded=self.grounded)
        elif function == "VOLT":
            self.terminals.hold(actual)
        else:
            self.terminals.feed(actual, self.bound)

    def flow(self, aperture: float) -> Regulated:
        """Return what is at the terminals on the average of `aperture` (s); the caller advances the clock."""
        return self.terminals.flow(aperture, self.bound)

    def is_tripped(self, quantity: str) -> str:
        """Answer whether the limit of a quantity stops the source now."""
        if quantity == self.function:
            return "0"
        if self.terminals.tripped is None:  # something has changed since the last measurement
            self.flow(self.meter.aperture)
        return "1" if self.terminals.tripped else "0"


class MeterPart(ScpiPart):
    """Meters of volts and amperes on ranges, and an ohmmeter that has the source put a current out."""

    RANGES: ClassVar[Ranges]
    OVERRANGE: ClassVar[float] = 1.05
    OHMS: ClassVar[Mapping[float, float]] = TEST_CURRENTS  # test current, A, of each range, ohm
    ON_RANGE_OF_SOURCE: ClassVar[bool] = True  # what is sourced is measured there
    lowest: Any = {}  # end of the automatic range, by function

    auto = FunctionSetting("[:SENSe[1]]:<function>:RANGe:AUTO", SENSED, Boolean(True))
    ranges = FunctionSetting(
        "[:SENSe[1]]:<function>:RANGe[:UPPer]", SENSED, {**LEVELS, "RES": Numeric(2e5, 20.0, 2e8, unit="OHM")}
    )
    nplcs = FunctionSetting("[:SENSe[1]]:<function>:NPLCycles", SENSED, Numeric(1.0, 0.01, 10.0))

    def __init__(
        self, device: Any, source: SourcePart, rng: np.random.Generator, accuracy: float, noise: float
    ) -> None:
        super().__init__(device)
        self.source, source.meter = source, self
        self.converters = SpecimenConverter.of_each(
            rng, self.RANGES, accuracy, noise=noise, overrange=self.OVERRANGE
        )
        self._averaged: list[tuple[float, ...]] = []

    def reset(self) -> None:
        """Nothing is averaged yet."""
        self._averaged.clear()

    @property
    def has_source(self) -> bool:
        """Whether the ohmmeter has the source."""
        return False

    @property
    def aperture(self) -> float:
        """Integration time, s."""
        return float(self.nplcs["CURR"] / self.device.line_frequency)

    def nominal(self, function: str, value: float) -> float:
        """Return the smallest range of a function that holds a value."""
        ranges = tuple(self.OHMS) if function == "RES" else self.converters[function].ranges
        return range_for(ranges, value, self.OVERRANGE)

    def check_limit(self, quantity: str, limit: float) -> None:
        """Refuse a limit of the source that a fixed range does not hold."""
        if not self.auto.get(quantity, True) and limit > self.OVERRANGE * self.ranges[quantity] * (1 + 1e-9):
            raise ScpiError(-221)

    @ranges.on_change
    def range_changed(self, function: str, value: float) -> None:
        """A fixed range lowers the limit to its end."""
        self.auto[function] = False
        self.ranges[function] = span = self.nominal(function, value)
        limits = self.source.limits
        if function in limits:
            limits[function] = min(limits[function], self.OVERRANGE * span)

    def read(self, function: str, value: float, nplc: float) -> float:
        """Return what the meter of volts or of amperes reads for a value at the terminals."""
        meter, source = self.converters[function], self.source
        if self.auto.get(function, True) or self.has_source:
            self.ranges[function] = meter.range_for(max(abs(value), self.lowest.get(function, 0.0)))
        ranges = source.ranges if self.ON_RANGE_OF_SOURCE and function == source.function else self.ranges
        return meter.read(value, ranges[function], nplc)

    def ohm_flow(self, aperture: float) -> Regulated:
        """Source the test current of the ohmmeter's range; of an automatic one, after it has been found."""
        source = self.source
        for _ in self.OHMS if source.output_on else ():
            span = self.ranges["RES"]
            source.apply(self.OHMS[span])
            flow = source.flow(aperture)
            ohms = math.inf if flow.limited or not flow.amperes else abs(flow.volts / flow.amperes)
            larger = next((each for each in self.OHMS if each > span), span)
            within = ohms <= self.OVERRANGE * span
            better = self.nominal("RES", max(ohms, self.lowest.get("RES", 0.0))) if within else larger
            if not self.auto["RES"] or better == span:
                return flow
            self.ranges["RES"] = better
        return source.flow(aperture)

    def average(self, readings: tuple[float, ...], count: float) -> list[float]:
        """Return the moving average of the last `count` readings, each of some values."""
        self._averaged = [*self._averaged, readings][-int(count) :]
        return [fmean(values) for values in zip(*self._averaged, strict=True)]


class Terminals(ScpiPart):
    """The front or the rear terminals; a change switches the output of the instrument's `source` off."""

    chosen = Setting(":ROUTe:TERMinals", Choice("FRON", ("FRONt", "REAR")))

    @chosen.on_change
    def _changed(self, terminals: str) -> None:
        self.device.source.turn(False)
