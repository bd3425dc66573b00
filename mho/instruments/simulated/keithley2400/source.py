"""The source of the simulated 2400: what it has beyond any source with a limit; lists and staircases.

2400S-900-01, sections 10 and 18. (?) from memory: the accuracies, that a change of the function switches the output off,
and the steps of the overvoltage protection.
"""

from __future__ import annotations

import math
from typing import Any

from mho.instruments.simulated.analogue import staircase
from mho.instruments.simulated.scpi.instrument import FunctionSetting, ScpiError, Setting, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric
from mho.instruments.simulated.source_meters import (
    LEVELS,
    LIMITED,
    LIST_SIZE,
    LISTED,
    OTHER,
    SOURCED,
    SourcePart,
    list_commands,
)

OUTPUT_BLOCKED, TOO_SMALL, AUTO_OHMS, TOO_MUCH_POWER = 802, 822, 825, 826  # errors
OVERRANGE = 1.05
UNPROTECTED = 210.0  # V
PROTECTIONS = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0, UNPROTECTED)  # V


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
