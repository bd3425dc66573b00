"""The simulated Keithley 2400: a source and a meter, a trigger model and a buffer around them, and the front panel.

Series 2400 SourceMeter User's Manual, 2400S-900-01, sections 3 to 6, 10, 11, 17 and 18, appendices A and B. (?) from
memory: accuracies, numbers of errors, bits of the status word, the automatic delay, that a change of the function or of the
terminals switches the output off, that a sweep stays at its last level, the steps of the overvoltage protection, what an
empty buffer answers, that ``ONCE`` leaves the automatic zero off, and that ``:CONFigure`` leaves ranges and integration
time alone. Not simulated, and refused: source memory, binary replies, limit tests, math and digital I/O. Nothing comes
over trigger links and keys: what waits for them waits until ``:ABORt``. The wires are on both pairs of terminals.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mho.instruments.simulated.analogue import OVERFLOW, Regulated, staircase
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
from mho.instruments.simulated.source_meters import (
    LEVELS,
    LIMITED,
    LIST_SIZE,
    LISTED,
    OTHER,
    SENSED,
    SOURCED,
    MeterPart,
    SourcePart,
    Terminals,
    list_commands,
)

OUTPUT_BLOCKED, TOO_SMALL, AUTO_OHMS, TOO_MUCH_POWER = 802, 822, 825, 826  # errors
OVERRANGE = 1.05
UNPROTECTED = 210.0  # V
PROTECTIONS = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0, UNPROTECTED)  # V
OVERHEAD = 3e-4  # s a reading takes beside its conversions
NOT_A_NUMBER = 9.91e37
READ_BACK, BEYOND_COMPLIANCE = 823, 824  # errors
# Bits of a reading's status word
OVERFLOWN, FILTERED, FRONT, COMPLIANT, PROTECTED, OHMS_AUTO = 1, 2, 4, 8, 16, 1 << 10
MEASURED_BITS = {"VOLT": 1 << 11, "CURR": 1 << 12, "RES": 1 << 13}
SOURCED_BITS = {"VOLT": 1 << 14, "CURR": 1 << 15}
RANGE_LIMITED, SENSED_REMOTELY = 1 << 16, 1 << 22
FUNCTIONS = Choice("CURR:DC", tuple(SENSED.values()), quoted=True, repeated=True)
ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
_ORDER = ("VOLT", "CURR", "RES", "TIME", "STAT")
STORING, OUTPUT_OFF = 800, 803
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
BUFFER_FULL = 512  # bit of the measurement event register
MOST_POINTS = 2500
ARM, TRIGGER = ":ARM[:SEQuence[1]][:LAYer[1]]", ":TRIGger[:SEQuence[1]]"
COUNT = Numeric(1, 1, MOST_POINTS, integer=True)
INPUT_LINE, OUTPUT_LINE = Numeric(1, 1, 4, integer=True), Numeric(2, 1, 4, integer=True)


class RangeEnd(Numeric):
    """A range, which its query replies by its end, with the overrange."""

    def format(self, value: float, device: Any) -> str:
        """Write the end of the range, which is no larger than what may be asked for."""
        lowest, largest = self.limits(device, ())
        return super().format(min(max(OVERRANGE * value, lowest), largest), device)


VOLTS, AMPERES = RangeEnd(20.0, -210.0, 210.0, unit="V"), RangeEnd(1e-4, -1.05, 1.05, unit="A")
LIMITS = {"CURR": Numeric(1.05e-4, -1.05, 1.05, unit="A"), "VOLT": Numeric(21.0, -210.0, 210.0, unit="V")}


class Source(SourcePart):
    """Volts or amperes, fixed, listed or swept: ``:SOURce``, ``:OUTPut`` and the compliances."""

    # function: range: (gain error, offset error in V or A), one year
    RANGES = {
        "VOLT": {0.2: (2e-4, 6e-4), 2.0: (2e-4, 6e-4), 20.0: (2e-4, 2.4e-3), 200.0: (2e-4, 2.4e-2)},
        "CURR": {
            1e-6: (3.5e-4, 6e-10), 1e-5: (3.3e-4, 2e-9), 1e-4: (3.1e-4, 2e-8), 1e-3: (3.4e-4, 2e-7),
            1e-2: (4.5e-4, 2e-6), 1e-1: (6.6e-4, 2e-5), 1.0: (2.7e-3, 9e-4),
        },
    }  # fmt: skip
    BEYOND_POWER = (TOO_MUCH_POWER,)
    EMPTY_LIST = (0.0,)

    modes = FunctionSetting(":SOURce[1]:<function>:MODE", SOURCED, Choice("FIX", ("FIXed", "LIST", "SWEep")))
    ranges = FunctionSetting(":SOURce[1]:<function>:RANGe", SOURCED, {"VOLT": VOLTS, "CURR": AMPERES})
    limits = FunctionSetting("[:SENSe[1]]:<function>:PROTection[:LEVel]", LIMITED, LIMITS)
    protection = Setting(
        ":SOURce[1]:VOLTage:PROTection[:LEVel]",
        Numeric(UNPROTECTED, -210.0, 210.0, unit="V", names={"NONE": UNPROTECTED}),
    )
    delay = Setting(":SOURce[1]:DELay", Numeric(1e-3, 0.0, 999.9999, unit="S"))
    auto_delay = Setting(":SOURce[1]:DELay:AUTO", Boolean(True))
    auto_clear = Setting(":SOURce[1]:CLEar:AUTO", Boolean(False))
    starts = FunctionSetting(":SOURce[1]:<function>:STARt", SOURCED, LEVELS)
    stops = FunctionSetting(":SOURce[1]:<function>:STOP", SOURCED, LEVELS)
    points = Setting(":SOURce[1]:SWEep:POINts", Numeric(2500, 2, LIST_SIZE, integer=True))
    spacing = Setting(":SOURce[1]:SWEep:SPACing", Choice("LIN", ("LINear", "LOGarithmic")))
    direction = Setting(":SOURce[1]:SWEep:DIRection", Choice("UP", ("UP", "DOWN")))
    off_mode = Setting(":OUTPut[1]:SMODe", Choice("NORM", ("HIMPedance", "NORMal", "ZERO", "GUARd")))
    guarded = Setting(":OUTPut[1]:ENABle[:STATe]", Boolean(False))

    commands = {
        "[:SENSe[1]]:<function>:PROTection[:LEVel]:TRIPped?": (
            LIMITED, lambda self, function: self.is_tripped(function),
        ),
        ":SOURce[1]:VOLTage:PROTection[:LEVel]:TRIPped?": lambda self: "1" if self.held_back else "0",
        ":OUTPut[1]:ENABle:TRIPped?": lambda self: "1" if self.device.interlock else "0",
        ":SOURce[1]:<function>:STEP?": (
            SOURCED,
            lambda self, function: self.device.real(
                (self.stops[function] - self.starts[function]) / (self.points - 1.0)
            ),
        ),
        ":SOURce[1]:CLEar[:IMMediate]": lambda self: self.turn(False),
        **list_commands(":SOURce[1]", SOURCED, LISTED),
    }  # fmt: skip

    def reset(self) -> None:
        """0 V, output off, and the automatic ranges where they begin."""
        super().reset()
        type(self).ranges.restore(self)

    @property
    def highest(self) -> float:
        """The largest voltage that the protection lets out, V: above 160 V there is none."""
        return self.protection if self.protection < UNPROTECTED else math.inf

    @property
    def grounded(self) -> bool:
        """Whether the terminals are at 0 V when the output is off, and not open."""
        return self.off_mode in ("NORM", "ZERO")

    def check_level(self, function: str, level: float) -> None:
        """Refuse amperes while the ohmmeter has the source, and what any source refuses."""
        if self.meter.has_source and function == "CURR":
            raise ScpiError(AUTO_OHMS)
        super().check_level(function, level)

    def limit_changed(self, quantity: str, limit: float) -> None:
        """A limit has no sign, and takes the meter's range down to one that it exceeds."""
        super().limit_changed(quantity, limit)
        self.limits[quantity] = abs(limit)
        meter = self.meter
        meter.ranges[quantity] = min(meter.ranges[quantity], meter.nominal(quantity, abs(limit)))

    @protection.on_change
    def _protection_changed(self, volts: float) -> None:
        self.protection = next(step for step in PROTECTIONS if abs(volts) <= step)
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

    def check_output(self, on: bool) -> None:
        """Refuse to switch on while the line of ``:OUTP:ENAB`` is in use, and open."""
        if on and self.guarded and not self.device.interlock:
            raise ScpiError(OUTPUT_BLOCKED)

    @off_mode.on_change
    def _state_changed(self, mode: str) -> None:
        self.apply()

    @property
    def bound(self) -> float:
        """What limits the source: the limit, or the end of the meter's range where that is fixed."""
        quantity = OTHER[self.function]
        end = OVERRANGE * self.meter.ranges[quantity]
        return super().bound if self.meter.auto[quantity] else min(super().bound, end)

    @property
    def held_back(self) -> bool:
        """Whether the overvoltage protection holds the source back right now."""
        over = abs(self.level) if self.function == "VOLT" else abs(self.terminals.volts)
        return self.output_on and self.protection < UNPROTECTED and over >= self.protection

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
            self.check_level(function, extreme)
        return levels if self.direction == "UP" else levels[::-1]


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


class Meter(MeterPart):
    """Measures volts, amperes and ohms, one after the other: ``:SENSe`` and ``:FORMat``."""

    # function: range: (gain error, offset error in V or A), one year
    RANGES = {
        "VOLT": {0.2: (1.2e-4, 3e-4), 2.0: (1.2e-4, 3e-4), 20.0: (1.5e-4, 1.5e-3), 200.0: (1.5e-4, 1e-2)},
        "CURR": {
            1e-6: (2.9e-4, 3e-10), 1e-5: (2.7e-4, 7e-10), 1e-4: (2.5e-4, 6e-9), 1e-3: (2.7e-4, 6e-8),
            1e-2: (3.5e-4, 6e-7), 1e-1: (5.5e-4, 6e-6), 1.0: (2.2e-3, 5.7e-4),
        },
    }  # fmt: skip
    source: Source

    ranges = FunctionSetting(
        "[:SENSe[1]]:<function>:RANGe[:UPPer]", SENSED,
        {"VOLT": VOLTS, "CURR": AMPERES, "RES": RangeEnd(2e5, 0.0, 2.1e8, unit="OHM")},
    )  # fmt: skip
    nplcs = FunctionSetting("[:SENSe[1]]:<function>:NPLCycles", SENSED, Numeric(1.0, 0.01, 10.0))
    concurrent = Setting("[:SENSe[1]]:FUNCtion:CONCurrent", Boolean(True))
    ohms_mode = Setting("[:SENSe[1]]:RESistance:MODE", Choice("AUTO", ("MANual", "AUTO")))
    offset_compensated = Setting("[:SENSe[1]]:RESistance:OCOMpensated", Boolean(False))
    filtering = Setting("[:SENSe[1]]:AVERage[:STATe]", Boolean(False))
    filter_type = Setting("[:SENSe[1]]:AVERage:TCONtrol", Choice("REP", ("REPeat", "MOVing")))
    filter_count = Setting("[:SENSe[1]]:AVERage:COUNt", Numeric(10, 1, 100, integer=True))
    four_wire = Setting(":SYSTem:RSENse", Boolean(False))
    auto_zero = Setting(":SYSTem:AZERo[:STATe]", _ZeroState(True))
    data_format = Setting(":FORMat[:DATA]", Choice("ASC", ("ASCii",)))

    commands = {
        "[:SENSe[1]]:FUNCtion[:ON]?": lambda self: ",".join(
            f'"{name if name == "RES" else name + ":DC"}"' for name in self.functions
        ),
        "[:SENSe[1]]:FUNCtion[:ON]:ALL": lambda self: self.choose(list(SENSED)),
        "[:SENSe[1]]:FUNCtion[:ON]:COUNt?": lambda self: str(len(self.functions)),
        "[:SENSe[1]]:FUNCtion:OFF:ALL": lambda self: self.choose([]),
        ":FORMat:ELEMents[:SENSe[1]]?": lambda self: ",".join(self.elements),
    }

    def reset(self) -> None:
        """Amperes are measured on an automatic range, and everything is reported."""
        super().reset()
        self.functions: tuple[str, ...] = ("CURR",)
        self.elements: tuple[str, ...] = _ORDER

    @property
    def has_source(self) -> bool:
        """Whether the ohmmeter has the source."""
        return self.ohms_mode == "AUTO" and "RES" in self.functions

    def check_limit(self, quantity: str, limit: float) -> None:
        """Refuse a limit far below the range; a fixed range that is smaller bounds the source by itself."""
        if limit < 1e-3 * self.ranges[quantity] * (1 - 1e-9):
            raise ScpiError(TOO_SMALL)

    @ranges.check
    def _check_range(self, function: str, value: float) -> None:
        if function == self.source.function:
            raise ScpiError(READ_BACK)
        if function != "RES" and self.nominal(function, value) > self.nominal(
            function, self.source.limits[function]
        ):
            raise ScpiError(BEYOND_COMPLIANCE)

    def range_changed(self, function: str, value: float) -> None:
        """The range is fixed; the limit stays, as the range bounds the source where it is smaller."""
        self.auto[function] = False
        self.ranges[function] = self.nominal(function, value)

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
        if self.has_source and self.source.function != "CURR":
            self.source.function = "CURR"
            self.source.apply()

    @command(":FORMat:ELEMents[:SENSe[1]]", Choice("VOLT", ELEMENTS, repeated=True))
    def _set_elements(self, elements: list[str]) -> None:
        self.elements = tuple(name for name in _ORDER if name in elements)

    # --- readings ---

    def measure(self) -> MeasuredPoint:
        """Integrate each function over the aperture; advances the clock."""
        device, source = self.device, self.source
        repeated = self.filtering and self.filter_type == "REP"
        nplc = self.nplcs["CURR"] * (self.filter_count if repeated else 1.0)  # as one longer integration
        aperture = nplc / device.line_frequency
        flow = self.ohm_flow(aperture) if self.has_source else source.flow(aperture)
        measured = {"VOLT", "CURR"} if "RES" in self.functions else set(self.functions)
        device.clock.advance(len(measured) * aperture + OVERHEAD)
        volts, amperes = (
            self.read(name, value, nplc) if name in measured else math.nan
            for name, value in (("VOLT", flow.volts), ("CURR", flow.amperes))
        )
        if self.filtering and not repeated:
            volts, amperes = self.average((volts, amperes), self.filter_count)
        over = any(abs(value) >= OVERFLOW for value in (volts, amperes))
        ohms = OVERFLOW if over or not amperes or (self.has_source and flow.limited) else volts / amperes
        volts, amperes = (
            value if name in self.functions else source.level if name == source.function else math.nan
            for name, value in (("VOLT", volts), ("CURR", amperes))
        )
        status = self._status(flow, over)
        return MeasuredPoint(
            volts, amperes, ohms if "RES" in self.functions else math.nan, device.clock.now, status
        )

    def _status(self, flow: Regulated, over: bool) -> int:
        source, bits, limited = self.source, 0, OTHER[self.source.function]
        by_range = not self.auto[limited] and OVERRANGE * self.ranges[limited] < source.limits[limited]
        states = {
            OVERFLOWN: over, FILTERED: self.filtering, FRONT: self.device.terminals.chosen == "FRON",
            PROTECTED: source.held_back, OHMS_AUTO: self.has_source, SENSED_REMOTELY: self.four_wire,
            RANGE_LIMITED if by_range else COMPLIANT: flow.limited,
            SOURCED_BITS[source.function]: True, **{MEASURED_BITS[name]: True for name in self.functions},
        }  # fmt: skip
        for bit, state in states.items():
            bits |= bit if state else 0
        return bits

    def text(self, points: list[MeasuredPoint]) -> str:
        """Write the chosen elements of points; -230 when there are none."""
        if not points:
            raise ScpiError(-230)
        columns = [_ORDER.index(name) for name in self.elements]
        return ",".join([self.number(point[column]) for point in points for column in columns])

    def number(self, value: float) -> str:
        """Write a number, of which there may be none."""
        written: str = self.device.real(NOT_A_NUMBER if math.isnan(value) else value)
        return written


class TriggerModel(ScpiPart):
    """Two layers of counts, sources and delays around a reading: ``:ARM``, ``:TRIGger``, ``:INITiate``, ``:READ?``."""

    device: SimulatedKeithley2400

    arm_count = Setting(f"{ARM}:COUNt", COUNT)
    arm_source = Setting(
        f"{ARM}:SOURce",
        Choice("IMM", ("IMMediate", "TLINk", "TIMer", "MANual", "BUS", "NSTest", "PSTest", "BSTest")),
    )
    arm_timer = Setting(f"{ARM}:TIMer", Numeric(0.1, 1e-3, 99999.99, unit="S"))
    arm_input = Setting(f"{ARM}[:TCONfigure]:ILINe", INPUT_LINE)
    arm_line = Setting(f"{ARM}[:TCONfigure]:OLINe", OUTPUT_LINE)
    arm_output = Setting(f"{ARM}[:TCONfigure]:OUTPut", Choice("NONE", ("TENTer", "TEXit", "NONE")))
    count = Setting(f"{TRIGGER}:COUNt", COUNT)
    delay = Setting(f"{TRIGGER}:DELay", Numeric(0.0, 0.0, 999.9999, unit="S"))
    trigger_source = Setting(f"{TRIGGER}:SOURce", Choice("IMM", ("IMMediate", "TLINk")))
    trigger_input = Setting(f"{TRIGGER}[:TCONfigure]:ILINe", INPUT_LINE)
    trigger_line = Setting(f"{TRIGGER}[:TCONfigure]:OLINe", OUTPUT_LINE)
    trigger_output = Setting(
        f"{TRIGGER}[:TCONfigure]:OUTPut", Choice("NONE", ("SOURce", "DELay", "SENSe", "NONE"))
    )

    commands = {
        ":TRIGger:CLEar": lambda self: None,
        ":FETCh?": lambda self: self.device.meter.text(self.points),
        ":CONFigure?": lambda self: f'"{",".join(self.device.meter.functions)}"',
        ":CONFigure:<function>": (SENSED, lambda self, function: self.configure(function)),
    }

    def reset(self) -> None:
        """Idle, without readings."""
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

    commands = {
        ":TRACe:CLEar": lambda self: self.empty(),
        ":TRACe:POINts:ACTual?": lambda self: str(len(self.points)),
        ":TRACe:DATA?": lambda self: self.device.meter.text(self.points),
        ":CALCulate3:DATA?": lambda self: self.statistics(),
    }

    def reset(self) -> None:
        """Empty."""
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
    parts = (Source, Meter, TriggerModel, Buffer, Terminals)

    displayed = Setting(":DISPlay:ENABle", Boolean(True))
    digits = Setting(":DISPlay:DIGits", Numeric(6, 4, 7, integer=True))
    beeping = Setting(":SYSTem:BEEPer:STATe", Boolean(True))

    commands = {
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
        self.source = Source(self, rng, output, accuracy)
        self.meter = Meter(self, self.source, rng, accuracy, noise)
        self.trigger_model = TriggerModel(self)
        self.buffer = Buffer(self)
        self.terminals = Terminals(self)
        self._reset()

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        return self.source.limit

    def _set_line(self, hertz: float) -> None:
        self.line_frequency, self.line_auto = hertz, False

    def on_trigger(self) -> None:
        """Pass the arm layer where it waits for the bus."""
        if self.trigger_model.arm_source != "BUS":
            raise ScpiError(-211)
        self.trigger_model.pass_arm()

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with the 2400's own."""
        return TEXTS
