"""The simulated Keithley 2400: a source of volts or amperes that measures volts, amperes and ohms.

Series 2400 SourceMeter User's Manual, 2400S-900-01, sections 11, 17 and 18, appendices A and B. It is composed of a source,
a meter, a trigger model and a buffer. (?) from memory: the numbers of the errors, the bits of the status word, the
automatic delay, that a change of the source's function or of the terminals switches the output off, that a sweep stays at
its last level, what an empty buffer answers, and that ``:CONFigure`` leaves ranges and integration time alone. Not
simulated, and refused: source memory, binary replies, limit tests, math and digital I/O. Nothing comes over trigger links
and keys: what waits for them waits until ``:ABORt``. The wires are on the front and on the rear terminals alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mho.instruments.simulated.analogue import (
    OVERFLOW,
    TEST_CURRENTS,
    TWENTY_WATTS,
    Regulated,
    SourceTerminals,
    SpecimenConverter,
    largest_current,
    range_for,
)
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import (
    FunctionSetting,
    ScpiDevice,
    ScpiError,
    ScpiPart,
    Setting,
    command,
    query,
)
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric, Text
from mho.instruments.simulated.scpi.status import ERROR_TEXTS

# function: range: (gain error, offset error in V or A), one year
SOURCE = {
    "VOLT": {0.2: (2e-4, 6e-4), 2.0: (2e-4, 6e-4), 20.0: (2e-4, 2.4e-3), 200.0: (2e-4, 2.4e-2)},
    "CURR": {
        1e-6: (3.5e-4, 6e-10), 1e-5: (3.3e-4, 2e-9), 1e-4: (3.1e-4, 2e-8), 1e-3: (3.4e-4, 2e-7),
        1e-2: (4.5e-4, 2e-6), 1e-1: (6.6e-4, 2e-5), 1.0: (2.7e-3, 9e-4),
    },
}  # fmt: skip
MEASURE = {
    "VOLT": {0.2: (1.2e-4, 3e-4), 2.0: (1.2e-4, 3e-4), 20.0: (1.5e-4, 1.5e-3), 200.0: (1.5e-4, 1e-2)},
    "CURR": {
        1e-6: (2.9e-4, 3e-10), 1e-5: (2.7e-4, 7e-10), 1e-4: (2.5e-4, 6e-9), 1e-3: (2.7e-4, 6e-8),
        1e-2: (3.5e-4, 6e-7), 1e-1: (5.5e-4, 6e-6), 1.0: (2.2e-3, 5.7e-4),
    },
}  # fmt: skip
OVERRANGE = 1.05  # what a range's query replies is its end, with the overrange
OHM_RANGES = tuple(TEST_CURRENTS)
PROTECTIONS = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0)  # V; beyond them there is none
AUTO_DELAY, OVERHEAD = 1e-3, 3e-4  # s: the automatic delay; what a reading takes beside its conversions
LIST_SIZE, LISTED_AT_ONCE, MOST_POINTS = 2500, 100, 2500
NOT_A_NUMBER = 9.91e37

OUTPUT_BLOCKED, OUTPUT_OFF, STORING, TOO_SMALL, READ_BACK = 802, 803, 800, 822, 823
BEYOND_COMPLIANCE, AUTO_OHMS, TOO_MUCH_POWER = 824, 825, 826
TEXTS = {
    **ERROR_TEXTS,
    -230: "Data corrupt or stale",
    STORING: "Illegal with storage active",
    OUTPUT_BLOCKED: "OUTPUT blocked by interlock",
    OUTPUT_OFF: "Not permitted with OUTPUT off",
    TOO_SMALL: "Too small for sense range",
    READ_BACK: "Invalid with source read-back on",
    BEYOND_COMPLIANCE: "Cannot exceed compliance range",
    AUTO_OHMS: "Invalid with auto-ohms on",
    TOO_MUCH_POWER: "Attempt to exceed power limit",
}
# Bits of a reading's status word
OVERFLOWN, FILTERED, FRONT, LIMITED, PROTECTED, OHMS_AUTO = 1, 2, 4, 8, 16, 1 << 10
MEASURED_BITS = {"VOLT": 1 << 11, "CURR": 1 << 12, "RES": 1 << 13}
SOURCED_BITS = {"VOLT": 1 << 14, "CURR": 1 << 15}
RANGE_LIMITED, SENSED_REMOTELY = 1 << 16, 1 << 22
BUFFER_FULL = 512  # bit of the measurement event register

SOURCED = {"VOLT": "VOLTage", "CURR": "CURRent"}
LIMITS = {"CURR": "CURRent[:DC]", "VOLT": "VOLTage[:DC]"}
SENSED = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
VOLTS, AMPERES = Numeric(0.0, -210.0, 210.0, unit="V"), Numeric(0.0, -1.05, 1.05, unit="A")
LEVELS = {"VOLT": VOLTS, "CURR": AMPERES}
LISTED = {
    "VOLT": Numeric(0.0, -210.0, 210.0, unit="V", repeated=True),
    "CURR": Numeric(0.0, -1.05, 1.05, unit="A", repeated=True),
}
DELAY = Numeric(0.0, 0.0, 999.9999, unit="S")
LINE = Numeric(1, 1, 4, integer=True)
FUNCTIONS = Choice("CURR:DC", tuple(SENSED.values()), quoted=True, repeated=True)
ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
_ORDER = ("VOLT", "CURR", "RES", "TIME", "STAT")


class MeasuredPoint(NamedTuple):
    """One measurement: volts, amperes and ohms (`NOT_A_NUMBER` where there is none), time (s), and status bits."""

    volts: float
    amperes: float
    ohms: float
    time: float
    status: int


class _ZeroState(Boolean):
    """Whether zero is measured with each reading; ``ONCE`` measures it now, and then no more."""

    def parse(self, text: str) -> bool:
        return False if text.upper() == "ONCE" else super().parse(text)


def _nominal(ranges: Mapping[str, Mapping[float, Any]], function: str, value: float) -> float:
    """Return the smallest range that holds a value with its overrange."""
    return range_for(OHM_RANGES if function == "RES" else tuple(ranges[function]), value, OVERRANGE)


class Source(ScpiPart):
    """Volts or amperes with the other one limited: ``:SOURce``, ``:OUTPut`` and the compliances."""

    device: SimulatedKeithley2400

    function = Setting(":SOURce[1]:FUNCtion[:MODE]", Choice("VOLT", ("VOLTage", "CURRent")))
    modes = FunctionSetting(":SOURce[1]:<function>:MODE", SOURCED, Choice("FIX", ("FIXed", "LIST", "SWEep")))
    levels = FunctionSetting(":SOURce[1]:<function>[:LEVel][:IMMediate][:AMPLitude]", SOURCED, LEVELS)
    auto = FunctionSetting(":SOURce[1]:<function>:RANGe:AUTO", SOURCED, Boolean(True))
    ranges = FunctionSetting(
        ":SOURce[1]:<function>:RANGe",
        SOURCED,
        {"VOLT": Numeric(21.0, -210.0, 210.0, unit="V"), "CURR": Numeric(1.05e-4, -1.05, 1.05, unit="A")},
    )
    limits = FunctionSetting(
        "[:SENSe[1]]:<function>:PROTection[:LEVel]",
        LIMITS,
        {"CURR": Numeric(1.05e-4, -1.05, 1.05, unit="A"), "VOLT": Numeric(21.0, -210.0, 210.0, unit="V")},
    )
    protection = Setting(
        ":SOURce[1]:VOLTage:PROTection[:LEVel]",
        Numeric(210.0, -210.0, 210.0, unit="V", names={"NONE": 210.0}),
    )
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

    commands: ClassVar[Mapping[str, Any]] = {
        "[:SENSe[1]]:<function>:PROTection[:LEVel]:TRIPped?": (
            LIMITS, lambda self, function: self.is_tripped(function),
        ),
        ":SOURce[1]:VOLTage:PROTection[:LEVel]:TRIPped?": lambda self: "1" if self.held_back else "0",
        ":OUTPut[1]:ENABle:TRIPped?": lambda self: "1" if self.device.interlock else "0",
        ":SOURce[1]:LIST:<function>?": (
            SOURCED, lambda self, function: ",".join(map(self.real, self.lists[function])),
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
        ":SOURce[1]:CLEar[:IMMediate]": lambda self: self.turn(False),
    }  # fmt: skip

    def __init__(
        self, device: SimulatedKeithley2400, rng: np.random.Generator, port: SourcePort, accuracy: float
    ) -> None:
        self._terminals = SourceTerminals(port)
        self.level = 0.0  # V or A, of a sweep or programmed
        self._converters = {
            function: SpecimenConverter(rng, ranges, accuracy, overrange=OVERRANGE)
            for function, ranges in SOURCE.items()
        }
        super().__init__(device)

    def restore(self) -> None:
        """0 V, output off, automatic ranges; the lists hold one 0."""
        super().restore()
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
        self._check_power(function, level)

    def _check_power(self, function: str, level: float) -> None:
        volts, amperes = (level, self.limits["CURR"]) if function == "VOLT" else (self.limits["VOLT"], level)
        if abs(amperes) > largest_current(volts, TWENTY_WATTS) * (1 + 1e-9):
            raise ScpiError(TOO_MUCH_POWER)

    @limits.check
    def _check_limit(self, quantity: str, limit: float) -> None:
        meter = self.device.meter
        if abs(limit) < 1e-3 * _nominal(MEASURE, quantity, meter.ranges[quantity]) * (1 - 1e-9):
            raise ScpiError(TOO_SMALL)
        function = "VOLT" if quantity == "CURR" else "CURR"
        level = self.levels[function] if self.auto[function] else self.ranges[function]
        volts, amperes = (level, limit) if quantity == "CURR" else (limit, level)
        if abs(amperes) > largest_current(volts, TWENTY_WATTS) * (1 + 1e-9):
            raise ScpiError(TOO_MUCH_POWER)

    @limits.on_change
    def _limit_changed(self, quantity: str, limit: float) -> None:
        self.limits[quantity] = abs(limit)
        self.device.meter.hold_within(quantity, abs(limit))
        self._terminals.tripped = None

    @ranges.check
    def _check_range(self, function: str, value: float) -> None:
        end = OVERRANGE * _nominal(SOURCE, function, value)
        if abs(self.levels[function]) > end * (1 + 1e-9):
            raise ScpiError(-221)
        self._check_power(function, end)

    @ranges.on_change
    def _range_changed(self, function: str, value: float) -> None:
        self.auto[function] = False
        self.ranges[function] = OVERRANGE * _nominal(SOURCE, function, value)
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

    @query(":SOURce[1]:<function>:STEP", functions=SOURCED)
    def _query_step(self, function: str) -> str:
        return self.real((self.stops[function] - self.starts[function]) / (self.points - 1.0))

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
            self.ranges[function] = OVERRANGE * _nominal(SOURCE, function, value)
        actual = self._converters[function].convert(value, _nominal(SOURCE, function, self.ranges[function]))
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
        start, stop, points = self.starts[function], self.stops[function], int(self.points)
        if self.spacing == "LIN":
            levels = np.linspace(start, stop, points)
        elif start * stop <= 0.0:
            raise ScpiError(-221, "a logarithmic sweep does not cross zero")
        else:
            levels = np.copysign(np.geomspace(abs(start), abs(stop), points), start)
        for extreme in (start, stop):
            self._check_level(function, extreme)
        return [float(level) for level in (levels if self.direction == "UP" else levels[::-1])]


class Meter(ScpiPart):
    """Measures volts, amperes and ohms, one after the other: ``:SENSe`` and ``:FORMat``."""

    device: SimulatedKeithley2400

    concurrent = Setting("[:SENSe[1]]:FUNCtion:CONCurrent", Boolean(True))
    auto = FunctionSetting("[:SENSe[1]]:<function>:RANGe:AUTO", SENSED, Boolean(True))
    ranges = FunctionSetting(
        "[:SENSe[1]]:<function>:RANGe[:UPPer]",
        SENSED,
        {"VOLT": Numeric(21.0, -210.0, 210.0, unit="V"), "CURR": Numeric(1.05e-4, -1.05, 1.05, unit="A"),
         "RES": Numeric(2.1e5, 0.0, 2.1e8, unit="OHM")},
    )  # fmt: skip
    nplcs = FunctionSetting("[:SENSe[1]]:<function>:NPLCycles", SENSED, Numeric(1.0, 0.01, 10.0))
    ohms_mode = Setting("[:SENSe[1]]:RESistance:MODE", Choice("AUTO", ("MANual", "AUTO")))
    offset_compensated = Setting("[:SENSe[1]]:RESistance:OCOMpensated", Boolean(False))
    filtering = Setting("[:SENSe[1]]:AVERage[:STATe]", Boolean(False))
    filter_type = Setting("[:SENSe[1]]:AVERage:TCONtrol", Choice("REP", ("REPeat", "MOVing")))
    filter_count = Setting("[:SENSe[1]]:AVERage:COUNt", Numeric(10, 1, 100, integer=True))
    four_wire = Setting(":SYSTem:RSENse", Boolean(False))
    auto_zero = Setting(":SYSTem:AZERo[:STATe]", _ZeroState(True))
    data_format = Setting(":FORMat[:DATA]", Choice("ASC", ("ASCii",)))

    commands: ClassVar[Mapping[str, Any]] = {
        "[:SENSe[1]]:FUNCtion[:ON]?": lambda self: ",".join(
            f'"{name if name == "RES" else name + ":DC"}"' for name in self.functions
        ),
        "[:SENSe[1]]:FUNCtion[:ON]:ALL": lambda self: self.choose(list(SENSED)),
        "[:SENSe[1]]:FUNCtion[:ON]:COUNt?": lambda self: str(len(self.functions)),
        "[:SENSe[1]]:FUNCtion:OFF:ALL": lambda self: self.choose([]),
        ":FORMat:ELEMents[:SENSe[1]]?": lambda self: ",".join(self.elements),
    }

    def __init__(
        self, device: SimulatedKeithley2400, rng: np.random.Generator, accuracy: float, noise: float
    ) -> None:
        self._converters = {
            function: SpecimenConverter(rng, ranges, accuracy, noise=noise, overrange=OVERRANGE)
            for function, ranges in MEASURE.items()
        }
        super().__init__(device)

    def restore(self) -> None:
        """Amperes are measured on an automatic range, and everything is reported."""
        super().restore()
        self.functions: tuple[str, ...] = ("CURR",)
        self.elements: tuple[str, ...] = _ORDER
        self._averaged: list[Regulated] = []

    @property
    def aperture(self) -> float:
        """Integration time, s."""
        return self.nplcs["CURR"] / self.device.line_frequency

    @property
    def auto_ohms(self) -> bool:
        """Whether the ohmmeter has the source."""
        return self.ohms_mode == "AUTO" and "RES" in self.functions

    @ranges.check
    def _check_range(self, function: str, value: float) -> None:
        source = self.device.source
        if function == source.function:
            raise ScpiError(READ_BACK)
        if function != "RES" and _nominal(MEASURE, function, value) > _nominal(
            MEASURE, function, source.limits[function]
        ):
            raise ScpiError(BEYOND_COMPLIANCE)

    @ranges.on_change
    def _range_changed(self, function: str, value: float) -> None:
        self.auto[function] = False
        self.ranges[function] = OVERRANGE * _nominal(MEASURE, function, value)

    def hold_within(self, quantity: str, limit: float) -> None:
        """Take a range down to one that a new limit does not exceed."""
        self.ranges[quantity] = min(self.ranges[quantity], OVERRANGE * _nominal(MEASURE, quantity, limit))

    @nplcs.on_change
    def _nplc_changed(self, function: str, nplc: float) -> None:
        self.nplcs = dict.fromkeys(SENSED, nplc)

    @command("[:SENSe[1]]:FUNCtion[:ON]", FUNCTIONS)
    def _switch_on(self, names: list[str]) -> None:
        chosen = [name.removesuffix(":DC") for name in names]
        self.choose([*self.functions, *chosen] if self.concurrent else chosen[-1:])

    @command("[:SENSe[1]]:FUNCtion:OFF", FUNCTIONS)
    def _switch_off(self, names: list[str]) -> None:
        off = [name.removesuffix(":DC") for name in names]
        self.choose([name for name in self.functions if name not in off])

    def choose(self, names: list[str]) -> None:
        """Measure the functions of these names; the ohmmeter takes the source over unless it is to be manual."""
        self.functions = tuple(name for name in SENSED if name in names)
        self._averaged.clear()
        source = self.device.source
        if self.auto_ohms and source.function != "CURR":
            source.function = "CURR"
            source.apply()

    @command(":FORMat:ELEMents[:SENSe[1]]", Choice("VOLT", ELEMENTS, repeated=True))
    def _set_elements(self, elements: list[str]) -> None:
        self.elements = tuple(name for name in _ORDER if name in elements)

    # --- readings ---

    def measure(self) -> MeasuredPoint:
        """Integrate each function over the aperture; advances the clock."""
        device, source = self.device, self.device.source
        repeated = self.filtering and self.filter_type == "REP"
        nplc = self.nplcs["CURR"] * (self.filter_count if repeated else 1.0)  # as one longer integration
        aperture = nplc / device.line_frequency
        flow = self._ohmmeter_flow(aperture) if self.auto_ohms else source.flow(aperture)
        measured = {"VOLT", "CURR"} if "RES" in self.functions else set(self.functions)
        device.clock.advance(len(measured) * aperture + OVERHEAD)
        volts, amperes = (
            self._read(name, value, nplc) if name in measured else math.nan
            for name, value in (("VOLT", flow.volts), ("CURR", flow.amperes))
        )
        if self.filtering and not repeated:
            self._averaged = [*self._averaged, Regulated(volts, amperes, False)][-int(self.filter_count) :]
            volts = fmean(each.volts for each in self._averaged)
            amperes = fmean(each.amperes for each in self._averaged)
        over = any(abs(value) >= OVERFLOW for value in (volts, amperes))
        ohms = OVERFLOW if over or not amperes or (self.auto_ohms and flow.limited) else volts / amperes
        return MeasuredPoint(
            *(value if name in self.functions else source.level if name == source.function else math.nan
              for name, value in (("VOLT", volts), ("CURR", amperes))),
            ohms if "RES" in self.functions else math.nan,
            device.clock.now,
            self._status(flow, over),
        )

    def _status(self, flow: Regulated, over: bool) -> int:
        source, bits = self.device.source, 0
        states = {
            OVERFLOWN: over, FILTERED: self.filtering, FRONT: self.device.terminals == "FRON",
            PROTECTED: source.held_back, OHMS_AUTO: self.auto_ohms, SENSED_REMOTELY: self.four_wire,
            RANGE_LIMITED if source.bound[1] else LIMITED: flow.limited,
            SOURCED_BITS[source.function]: True, **{MEASURED_BITS[name]: True for name in self.functions},
        }  # fmt: skip
        for bit, state in states.items():
            bits |= bit if state else 0
        return bits

    def _read(self, function: str, value: float, nplc: float) -> float:
        source, meter = self.device.source, self._converters[function]
        if (
            function == source.function and not self.auto_ohms
        ):  # what is sourced is measured on the source's range
            return meter.read(value, _nominal(SOURCE, function, source.ranges[function]), nplc)
        if self.auto[function] or self.auto_ohms:
            self.ranges[function] = OVERRANGE * meter.range_for(value)
        return meter.read(value, _nominal(MEASURE, function, self.ranges[function]), nplc)

    def _ohmmeter_flow(self, aperture: float) -> Regulated:
        """Source the test current of the range; of an automatic one, after it has been found."""
        source = self.device.source
        for _ in OHM_RANGES:
            span = _nominal(MEASURE, "RES", self.ranges["RES"])
            source.apply(TEST_CURRENTS[span])
            flow = source.flow(aperture)
            ohms = math.inf if flow.limited or not flow.amperes else abs(flow.volts / flow.amperes)
            larger = next((each for each in OHM_RANGES if each > span), span)
            better = larger if ohms > OVERRANGE * span else range_for(OHM_RANGES, ohms, OVERRANGE)
            if not self.auto["RES"] or better == span:
                break
            self.ranges["RES"] = OVERRANGE * better
        return flow

    def text(self, points: list[MeasuredPoint]) -> str:
        """Write the chosen elements of points; -230 when there are none."""
        if not points:
            raise ScpiError(-230)
        columns = [_ORDER.index(name) for name in self.elements]
        return ",".join([self.number(point[column]) for point in points for column in columns])

    def number(self, value: float) -> str:
        """Write a number, of which there may be none."""
        return self.real(NOT_A_NUMBER if math.isnan(value) else value)


class TriggerModel(ScpiPart):
    """Two layers of counts, sources and delays around a reading: ``:ARM``, ``:TRIGger``, ``:INITiate``, ``:READ?``."""

    device: SimulatedKeithley2400

    arm_count = Setting(":ARM[:SEQuence[1]][:LAYer[1]]:COUNt", Numeric(1, 1, MOST_POINTS, integer=True))
    arm_source = Setting(
        ":ARM[:SEQuence[1]][:LAYer[1]]:SOURce",
        Choice("IMM", ("IMMediate", "TLINk", "TIMer", "MANual", "BUS", "NSTest", "PSTest", "BSTest")),
    )
    arm_timer = Setting(":ARM[:SEQuence[1]][:LAYer[1]]:TIMer", Numeric(0.1, 1e-3, 99999.99, unit="S"))
    arm_input = Setting(":ARM[:SEQuence[1]][:LAYer[1]][:TCONfigure]:ILINe", LINE)
    arm_line = Setting(":ARM[:SEQuence[1]][:LAYer[1]][:TCONfigure]:OLINe", Numeric(2, 1, 4, integer=True))
    arm_output = Setting(
        ":ARM[:SEQuence[1]][:LAYer[1]][:TCONfigure]:OUTPut", Choice("NONE", ("TENTer", "TEXit", "NONE"))
    )
    arm_direction = Setting(
        ":ARM[:SEQuence[1]][:LAYer[1]][:TCONfigure]:DIRection", Choice("ACC", ("SOURce", "ACCeptor"))
    )
    count = Setting(":TRIGger[:SEQuence[1]]:COUNt", Numeric(1, 1, MOST_POINTS, integer=True))
    delay = Setting(":TRIGger[:SEQuence[1]]:DELay", DELAY)
    trigger_source = Setting(":TRIGger[:SEQuence[1]]:SOURce", Choice("IMM", ("IMMediate", "TLINk")))
    trigger_input = Setting(":TRIGger[:SEQuence[1]][:TCONfigure]:ILINe", LINE)
    trigger_line = Setting(":TRIGger[:SEQuence[1]][:TCONfigure]:OLINe", Numeric(2, 1, 4, integer=True))
    trigger_output = Setting(
        ":TRIGger[:SEQuence[1]][:TCONfigure]:OUTPut", Choice("NONE", ("SOURce", "DELay", "SENSe", "NONE"))
    )
    trigger_direction = Setting(
        ":TRIGger[:SEQuence[1]][:TCONfigure]:DIRection", Choice("ACC", ("SOURce", "ACCeptor"))
    )

    commands: ClassVar[Mapping[str, Any]] = {
        ":TRIGger:CLEar": lambda self: None,
        ":FETCh?": lambda self: self.device.meter.text(self.points),
        ":CONFigure?": lambda self: f'"{",".join(self.device.meter.functions)}"',
        ":CONFigure:<function>": (SENSED, lambda self, function: self.configure(function)),
    }

    def restore(self) -> None:
        """Idle, without readings."""
        super().restore()
        self.points: list[MeasuredPoint] = []
        self._waiting = 0  # passes of the arm layer that wait for an event
        self._levels: list[float] = []
        self._place = 0

    @arm_count.check
    def _check_arm_count(self, count: float) -> None:
        self._check_counts(count * self.count)

    @count.check
    def _check_count(self, count: float) -> None:
        self._check_counts(count * self.arm_count)

    def _check_counts(self, points: float) -> None:
        if points > MOST_POINTS:
            raise ScpiError(-221, f"no more than {MOST_POINTS} points")

    @command(":ABORt")
    def abort(self) -> None:
        """Go idle."""
        self._waiting = 0

    @command(":INITiate[:IMMediate]")
    def initiate(self) -> None:
        """Leave idle: what need not wait runs at once."""
        source = self.device.source
        if self._waiting:
            raise ScpiError(-213)
        levels = source.swept()
        if not source.output_on:
            if not source.auto_clear:
                raise ScpiError(OUTPUT_OFF)
            source.turn(True)
        self.points, self._levels, self._place, self._waiting = [], levels, 0, int(self.arm_count)
        begun, clock = self.device.clock.now, self.device.clock
        for number in range(self._waiting):
            if self.trigger_source != "IMM" or self.arm_source not in ("IMM", "TIM"):
                return
            if self.arm_source == "TIM":
                clock.advance(max(0.0, begun + number * self.arm_timer - clock.now))
            self.pass_arm()

    def pass_arm(self) -> None:
        """Run the trigger layer once; -211 when nothing waits for it."""
        source = self.device.source
        if not self._waiting:
            raise ScpiError(-211)
        for _ in range(int(self.count)):
            if self._levels:
                source.apply(self._levels[self._place % len(self._levels)])
            self._place += 1
            self.device.clock.advance(self.delay + source.delay)
            self.points.append(point := self.device.meter.measure())
            self.device.buffer.take(point)
        self._waiting -= 1
        if not self._waiting and source.auto_clear:
            source.turn(False)

    @query(":READ")
    def read(self) -> str | None:
        """Measure anew and reply all of it; nothing as long as an event is waited for."""
        self.abort()
        self.initiate()
        return None if self._waiting else self.device.meter.text(self.points)

    @query(":MEASure")
    def _measure(self) -> str | None:
        return self.read()

    @query(":MEASure:<function>", functions=SENSED)
    def _measure_function(self, function: str) -> str | None:
        self.configure(function)
        return self.read()

    def configure(self, function: str) -> None:
        """Prepare single readings of one function."""
        self.abort()
        self.device.meter.choose([function])
        self.arm_count = self.count = 1
        self.arm_source = self.trigger_source = "IMM"


class Buffer(ScpiPart):
    """Keeps readings when it is told to, and their statistics: ``:TRACe``, ``:CALCulate3``."""

    device: SimulatedKeithley2400

    capacity = Setting(":TRACe:POINts", Numeric(100, 1, MOST_POINTS, integer=True))
    fed_by = Setting(":TRACe:FEED", Choice("SENS1", ("SENSe[1]", "CALCulate[1]", "CALCulate2")))
    control = Setting(":TRACe:FEED:CONTrol", Choice("NEV", ("NEXT", "NEVer")))
    stamp = Setting(":TRACe:TSTamp:FORMat", Choice("ABS", ("ABSolute", "DELTa")))
    statistic = Setting(
        ":CALCulate3:FORMat", Choice("MEAN", ("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"))
    )

    commands: ClassVar[Mapping[str, Any]] = {
        ":TRACe:CLEar": lambda self: self.empty(),
        ":TRACe:POINts:ACTual?": lambda self: str(len(self.points)),
        ":TRACe:DATA?": lambda self: self.device.meter.text(self.points),
        ":CALCulate3:DATA?": lambda self: self.statistics(),
    }

    def restore(self) -> None:
        """Empty, and fed with nothing."""
        super().restore()
        self.points: list[MeasuredPoint] = []

    @capacity.check
    def _check_capacity(self, points: float) -> None:
        if self.control == "NEXT":
            raise ScpiError(STORING)

    @capacity.on_change
    def _capacity_changed(self, points: float) -> None:
        self.empty()

    @control.on_change
    def _control_changed(self, control: str) -> None:
        if control == "NEXT":
            self.points = []
            self.device.status.measurement.update(0)

    def empty(self) -> None:
        """Forget the readings; -221 while they are stored."""
        self.points = []
        self.device.status.measurement.update(0)

    def take(self, point: MeasuredPoint) -> None:
        """Keep a reading; the last one that fits ends the feed and sets the event of a full buffer."""
        if self.control != "NEXT":
            return
        self.points.append(point)
        if len(self.points) >= self.capacity:
            self.control = "NEV"
            self.device.status.measurement.update(BUFFER_FULL)

    def statistics(self) -> str:
        """Write the chosen statistic of volts, amperes and ohms."""
        if not self.points:
            raise ScpiError(-230)
        table = np.array([point[:3] for point in self.points])
        find: Any = {"MEAN": np.mean, "MAX": np.max, "MIN": np.min, "PKPK": np.ptp}.get(self.statistic)
        values = find(table, axis=0) if find else np.std(table, axis=0, ddof=min(1, len(table) - 1))
        return ",".join(map(self.device.meter.number, values.tolist()))


class SimulatedKeithley2400(ScpiDevice):
    """A 2400 on a bench: a source, a meter, a trigger model and a buffer.

    Parameters
    ----------
    clock, rng, serial
        As for `ScpiDevice`.
    output : SourcePort
        What its terminals are wired to.
    accuracy : float
        Standard deviation of this specimen's gain and offset errors as a fraction of the specification.
    noise : float
        Standard deviation of a reading at 1 NPLC as a fraction of the measurement range.
    """

    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,{serial},C30   Mar 17 2006 09:29:29/A02  /K/J"
    real_format = "%+.6E"
    error_capacity = 10
    parts: ClassVar = {"source": Source, "meter": Meter, "trigger_model": TriggerModel, "buffer": Buffer}

    terminals = Setting(":ROUTe:TERMinals", Choice("FRON", ("FRONt", "REAR")))
    displayed = Setting(":DISPlay:ENABle", Boolean(True))
    digits = Setting(":DISPlay:DIGits", Numeric(6, 4, 7, integer=True))
    beeping = Setting(":SYSTem:BEEPer:STATe", Boolean(True))

    commands: ClassVar[Mapping[str, Any]] = {
        ":SYSTem:BEEPer[:IMMediate]": (
            Numeric(0.0, 65.0, 2e6, unit="HZ"), Numeric(0.0, 0.0, 7.9, unit="S"),
            lambda self, frequency, duration: self.clock.advance(duration),
        ),
        ":SYSTem:LFRequency": (Choice("60", ("50", "60")), lambda self, hertz: self._set_line(float(hertz))),
        ":SYSTem:LFRequency?": lambda self: f"{self.line_frequency:.0f}",
        ":SYSTem:LFRequency:AUTO": (Boolean(), lambda self, auto: setattr(self, "line_auto", auto)),
        ":SYSTem:LFRequency:AUTO?": lambda self: "1" if self.line_auto else "0",
        ":SYSTem:TIME?": lambda self: self.real(self.clock.now),
        ":SYSTem:LOCal": lambda self: None,
        ":SYSTem:REMote": lambda self: None,
        ":DISPlay[:WINDow[1|2]]:TEXT[:DATA]": (Text(), lambda self, window, text: None),
        ":DISPlay[:WINDow[1|2]]:TEXT:STATe": (Boolean(), lambda self, window, shown: None),
        ":STATus:MEASurement[:EVENt]?": lambda self: str(self.status.measurement.take()),
        ":STATus:MEASurement:CONDition?": lambda self: str(self.status.measurement.condition),
        ":STATus:MEASurement:ENABle": (
            Numeric(0, 0, 65535, integer=True),
            lambda self, mask: setattr(self.status.measurement, "enable", int(mask)),
        ),
        ":STATus:MEASurement:ENABle?": lambda self: str(self.status.measurement.enable),
    }  # fmt: skip

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, output: SourcePort, *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.interlock = True  # whether the line of ``:OUTP:ENAB`` is closed
        self.line_frequency, self.line_auto = 60.0, True
        self.meter = Meter(self, rng, accuracy, noise)
        self.source = Source(self, rng, output, accuracy)
        self.trigger_model = TriggerModel(self)
        self.buffer = Buffer(self)

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        source = self.source
        return source.bound[0] if source.function == "VOLT" else abs(source.level)

    def _set_line(self, hertz: float) -> None:
        self.line_frequency, self.line_auto = hertz, False

    @terminals.on_change
    def _terminals_changed(self, terminals: str) -> None:
        self.source.turn(False)

    def on_trigger(self) -> None:
        """Pass the arm layer where it waits for the bus."""
        if self.trigger_model.arm_source != "BUS":
            raise ScpiError(-211)
        self.trigger_model.pass_arm()

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with the 2400's own."""
        return TEXTS
