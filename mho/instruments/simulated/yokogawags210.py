"""The simulated Yokogawa GS210: a source of volts or amperes with a limiter, a program memory, and no meter.

GS200 DC Voltage/Current Source User's Manual, IM GS210-01EN: ``:SOURce`` pp. 13-11 f., status p. 13-30, limiter appendix 2:
it holds the current at its value and switches nothing off; the condition register tells. (?) from memory: accuracies, the
state after a reset, that a level that a new range does not hold is a settings conflict, that another function switches the
output off at level 0, that an output that is off is open, and error numbers. A program runs to its end within
``:PROGram:RUN``, on the virtual clock. Not simulated: a program repeated, held or triggered; the option /MON; the output
resistance of 2 ohm of the two lowest ranges.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mho.instruments.simulated.analogue import OFF, Regulated, SpecimenConverter, carry, regulate
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, Setting, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric


class SourceRange(NamedTuple):
    """One range: highest level, resolution, gain error, offset error, and the exponent in which it is written."""

    most: float
    step: float
    gain: float
    offset: float
    exponent: int


# V and A, errors of one year
RANGES = {
    "VOLT": {
        0.01: SourceRange(0.012, 1e-7, 2.5e-4, 5e-6, -3), 0.1: SourceRange(0.12, 1e-6, 2.5e-4, 1e-5, -3),
        1.0: SourceRange(1.2, 1e-5, 2e-4, 1.2e-4, 0), 10.0: SourceRange(12.0, 1e-4, 2e-4, 2.4e-4, 0),
        30.0: SourceRange(32.0, 1e-3, 2e-4, 6e-4, 0),
    },
    "CURR": {
        1e-3: SourceRange(1.2e-3, 1e-8, 3e-4, 1e-7, -3), 1e-2: SourceRange(1.2e-2, 1e-7, 3e-4, 5e-7, -3),
        0.1: SourceRange(0.12, 1e-6, 3e-4, 5e-6, -3), 0.2: SourceRange(0.2, 1e-6, 3e-4, 3e-5, -3),
    },
}  # fmt: skip
UP, DOWN = math.inf, -math.inf  # the next range
SETTLING = 1e-3  # s over which a load is seen
IDLE = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 8  # nothing is measured, traced, written, or got ready
CHANGED, STEP_ENDED, PROGRAM_ENDED, TRIPPED = 1 << 5, 1 << 6, 1 << 7, 1 << 12  # events
LOW, HIGH = 1 << 10, 1 << 11  # the limiter acts
LONGEST_PROGRAM = 10_000  # steps
SLOPE_STEPS = 100  # levels along one slope


def written(value: float, step: float, exponent: int) -> str:
    """Write a value as the instrument does: ``+1.5000E+0``, ``+50.000E-3``; `step` says how many decimals it has."""
    decimals = max(0, exponent - round(math.log10(step)))
    return f"{value / 10.0**exponent + 0.0:+.{decimals}f}E{exponent:+d}"


def _whole(value: float, step: float) -> float:
    return round(value, -round(math.log10(step)))


class _Limiter(Numeric):
    """A limiter's level, in whole units of its resolution."""

    def format(self, value: float, device: Any) -> str:
        """Write it as the instrument does."""
        return written(value, 1e-3, -3) if self.unit == "A" else written(value, 1.0, 0)


class SimulatedYokogawaGS210(ScpiDevice):
    """A GS210 on a bench.

    `output`: what its terminals are wired to.
    `accuracy`: standard deviation of its errors as a fraction of the specification.
    """

    identity = "YOKOGAWA,GS210,{serial},2.02"
    real_format = "%+.5E"
    commands = {
        "*OPT?": lambda self: "NONE",
        ":SYSTem:LFRequency?": lambda self: "50",
        ":SOURce:RANGe?": lambda self: written(self.span, self.span, self._range.exponent),
        ":SOURce:LEVel[:FIXed]?": lambda self: self._level_text(),
        ":SOURce:LEVel:AUTO?": lambda self: self._level_text(),
        ":STATus:CONDition?": lambda self: str(self.condition()),
        ":PROGram:EDIT:END": lambda self: setattr(self, "editing", False),
        ":PROGram:COUNt?": lambda self: str(len(self.program)),
    }

    function = Setting(":SOURce:FUNCtion", Choice("VOLT", ("VOLTage", "CURRent")))
    current_limit = Setting(":SOURce:PROTection:CURRent", _Limiter(0.2, 1e-3, 0.2, unit="A"))
    voltage_limit = Setting(":SOURce:PROTection:VOLTage", _Limiter(30.0, 1.0, 30.0, unit="V"))
    output_on = Setting(":OUTPut[:STATe]", Boolean(False))
    remote_sense = Setting(":SENSe:REMote", Boolean(False))
    guard = Setting(":SENSe:GUARd", Boolean(False))
    connector_out = Setting(":ROUTe:BNCO", Choice("TRIG", ("TRIGger", "OUTPut", "READy")))
    connector_in = Setting(":ROUTe:BNCI", Choice("TRIG", ("TRIGger", "OUTPut")))
    repeat = Setting(":PROGram:REPeat", Boolean(False))
    interval = Setting(":PROGram:INTerval", Numeric(1.0, 0.1, 3600.0, unit="S"))
    slope = Setting(":PROGram:SLOPe", Numeric(0.0, 0.0, 3600.0, unit="S"))

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, output: SourcePort, *, serial: str = "SIM00000",
        accuracy: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.stuck = False  # whether the output no longer goes off; a fault to inject
        self.output = output
        self._sources = {
            function: SpecimenConverter(rng, {span: (it.gain, it.offset) for span, it in ranges.items()}, accuracy)
            for function, ranges in RANGES.items()
        }  # fmt: skip
        self.reset()

    def reset(self) -> None:
        """Go to 0 V on the range of 1 V, off, with an empty program."""
        self.level, self.span = 0.0, 1.0
        self.program: list[float] = []
        self.editing = False
        self.status.operation.condition = IDLE
        self._apply()

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        return self.current_limit if self.function == "VOLT" else abs(self.level)

    @property
    def _range(self) -> SourceRange:
        return RANGES[self.function][self.span]

    def _level_text(self) -> str:
        return written(self.level, self._range.step, self._range.exponent)

    def _including(self, value: float) -> float:
        """Return the smallest range that holds a level; `ScpiError` -222 when none does."""
        for span, it in RANGES[self.function].items():
            if abs(value) <= it.most * (1 + 1e-9):
                return span
        raise ScpiError(-222)

    # --- settings that depend on each other ---

    @function.on_change
    def _function_changed(self, function: str) -> None:
        self.output_on = False
        self.level, self.span = 0.0, min(RANGES[function]) if function == "CURR" else 1.0
        self._apply()

    @current_limit.on_change
    def _current_limit_changed(self, amperes: float) -> None:
        self.current_limit = _whole(amperes, 1e-3)

    @voltage_limit.on_change
    def _voltage_limit_changed(self, volts: float) -> None:
        self.voltage_limit = _whole(volts, 1.0)

    @output_on.on_change
    def _output_changed(self, on: bool) -> None:
        self.output_on = on or self.stuck
        self._apply()

    @command(
        ":SOURce:RANGe",
        Numeric(1.0, 0.0, lambda self: max(RANGES[self.function]), names={"UP": UP, "DOWN": DOWN}),
    )
    def _set_range(self, value: float) -> None:
        spans = list(RANGES[self.function])
        if math.isinf(value):
            index = spans.index(self.span) + (1 if value == UP else -1)
            span = spans[min(max(index, 0), len(spans) - 1)]
        else:
            span = next((span for span in spans if value <= span * (1 + 1e-9)), math.inf)
        if span not in spans:  # the default of volts, in amperes
            raise ScpiError(-222)
        if abs(self.level) > RANGES[self.function][span].most * (1 + 1e-9):
            raise ScpiError(-221, "the level is beyond the range")
        self.span = span
        self._go_to(self.level)

    @command(
        ":SOURce:LEVel[:FIXed]", Numeric(0.0, lambda self: -self._range.most, lambda self: self._range.most)
    )
    def _set_level(self, value: float) -> None:
        if not self.editing:
            self._go_to(value)
        elif len(self.program) < LONGEST_PROGRAM:
            self.program.append(_whole(value, self._range.step))
        else:
            raise ScpiError(-223)

    @command(":SOURce:LEVel:AUTO", Numeric(0.0, lambda self: -self._highest(), lambda self: self._highest()))
    def _set_level_and_range(self, value: float) -> None:
        if self.editing:
            raise ScpiError(-221, "a program is edited")
        self.span = self._including(value)
        self._go_to(value)

    def _highest(self) -> float:
        return max(it.most for it in RANGES[self.function].values())

    # --- the terminals ---

    def _go_to(self, level: float) -> None:
        level = _whole(level, self._range.step)
        if level != self.level:
            self.status.operation.event |= CHANGED
        self.level = level
        self._apply()

    def _apply(self) -> None:
        """Set the terminals to the state of the settings."""
        self._actual = self._sources[self.function].convert(self.level, self.span)
        self._volts = 0.0
        if not self.output_on:
            self.output.drive(0.0, connected=False)
        elif self.function == "VOLT":
            self._volts = self._actual
            self.output.drive(self._actual, connected=True)
        else:
            self._regulate()

    def _regulate(self) -> Regulated:
        """Find the voltage of the current source."""
        point = regulate(
            lambda volts: self.output.current(volts, SETTLING), self._actual, self.voltage_limit, self._volts
        )
        self._volts = point.volts
        self.output.drive(point.volts, connected=True)
        return point

    def flow(self) -> Regulated:
        """Return what is at the terminals: in its limiter the current is held, and the voltage falls."""
        if not self.output_on:
            return OFF
        if self.function == "CURR":
            return self._regulate()
        return carry(self._volts, self.output.current(self._volts, SETTLING), self.current_limit)

    # --- status ---

    def condition(self) -> int:
        """Return the condition register (p. 13-30); a bit that rises is an event."""
        point = self.flow()
        acting = (HIGH if point.amperes > 0.0 else LOW) if point.limited else 0
        self.status.operation.update(IDLE | acting)
        return self.status.operation.condition

    @command(":STATus:EVENt?")
    def _take_events(self) -> str:
        self.condition()
        return str(self.status.operation.take())

    def trip(self) -> None:
        """Let the instrument switch its output off by itself; a fault to inject."""
        self.output_on = False
        self.status.operation.event |= TRIPPED
        self._apply()

    # --- programs ---

    @command(":PROGram:EDIT:STARt")
    def _edit(self) -> None:
        self.program, self.editing = [], True

    @command(":PROGram:RUN")
    def _run_program(self) -> None:
        if self.editing or not self.output_on:
            raise ScpiError(-221, "the output is off, or a program is edited")
        if self.repeat:
            raise ScpiError(-221, "a program that does not end is not simulated")
        most = self._range.most * (1 + 1e-9)
        if any(abs(target) > most for target in self.program):
            raise ScpiError(-222)
        for target in self.program:
            self._run_step(target)
            self.status.operation.event |= STEP_ENDED
        self.status.operation.event |= PROGRAM_ENDED

    def _run_step(self, target: float) -> None:
        """Go to a level along the slope, and stay there for the rest of the interval."""
        start, slope = self.level, min(self.slope, self.interval)
        for number in range(1, SLOPE_STEPS if slope else 1):
            self.clock.advance(slope / SLOPE_STEPS)
            self._go_to(start + (target - start) * number / SLOPE_STEPS)
        self.clock.advance(slope / SLOPE_STEPS)
        self._go_to(target)
        self.clock.advance(self.interval - slope)
