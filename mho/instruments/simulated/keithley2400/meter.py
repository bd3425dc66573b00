"""The meter of the simulated 2400: volts, amperes and ohms, one after the other, and how readings are replied.

2400S-900-01, sections 3 to 6 and 18. (?) from memory: the accuracies, the bits of the status word, and that ``ONCE`` leaves
the automatic zero off.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mho.instruments.simulated.analogue import OVERFLOW, Regulated
from mho.instruments.simulated.keithley2400.source import (
    AMPERES,
    OVERRANGE,
    TOO_SMALL,
    VOLTS,
    RangeEnd,
    Source,
)
from mho.instruments.simulated.scpi.instrument import FunctionSetting, ScpiError, Setting, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric
from mho.instruments.simulated.source_meters import OTHER, SENSED, MeterPart

OVERHEAD = 3e-4  # s a reading takes beside its conversions
NOT_A_NUMBER = 9.91e37
READ_BACK, BEYOND_COMPLIANCE = 823, 824  # errors
# Bits of a reading's status word
OVERFLOWN, FILTERED, FRONT, LIMITED, PROTECTED, OHMS_AUTO = 1, 2, 4, 8, 16, 1 << 10
MEASURED_BITS = {"VOLT": 1 << 11, "CURR": 1 << 12, "RES": 1 << 13}
SOURCED_BITS = {"VOLT": 1 << 14, "CURR": 1 << 15}
RANGE_LIMITED, SENSED_REMOTELY = 1 << 16, 1 << 22
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
            RANGE_LIMITED if by_range else LIMITED: flow.limited,
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
