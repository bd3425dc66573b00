"""The simulated Lake Shore 335 and 336: sensor inputs, and control loops of which one heats a stage.

Model 335 User's Manual, 119-055, section 6.4.1: RAMP p. 122, SRDG? and TLIMIT p. 125; Model 336 User's Manual, 119-048,
section 6.6.1. (?) from memory: the power-up settings, that a setpoint ramps with the heater off too, that `SETP?` tells
where a ramp is, that an input without a sensor reads 0 K with the bits 0 and 6, and that a sensor without a valid reading
takes the output to zero. The loop is ideal but for its lag (`HeatedStage`): `PID` is kept and means nothing. Modes other
than off and closed loop do not heat here; zones, curves, alarms, relays and the display are not simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.lakeshore335.language import (
    COMMAND_ERROR,
    EXECUTION_ERROR,
    LakeShoreDevice,
    Refused,
    integer,
    real,
    takes,
)
from mho.instruments.simulated.ports import StagePort

NOISE = 5e-3  # K, of a reading
FULL = (0.0, 0.01, 0.1, 1.0)  # K/s at full power of the ranges off, low, medium, high: a factor of ten each
CLOSED_LOOP, KELVIN = 1, 1
NO_SENSOR = 1 | 64  # invalid reading, sensor units zero
OPEN_LOAD = 1


def output(device: Any, text: str) -> int:
    """Parse the number of an output."""
    return int(integer(1, len(device.inputs))(device, text))


def sensor(device: Any, text: str) -> str:
    """Parse the letter of an input."""
    letter = text.upper()
    if len(letter) != 1 or not letter.isalpha():
        raise Refused(COMMAND_ERROR)
    if letter not in device.inputs:
        raise Refused(EXECUTION_ERROR)
    return letter


def six_digits(value: float) -> str:
    """Format a reading as ``±nnnnnn``: a sign and six digits around the point."""
    for decimals in (5, 4, 3, 2, 1):
        text = f"{value:+.{decimals}f}"
        if len(text) <= 8:
            return text
    return f"{value:+.0f}"


@dataclass
class Loop:
    """The control loop of one output.

    Attributes
    ----------
    start, target, since : float
        Where the setpoint's way began and ends, K, and when it began, s.
    ramps, rate : bool, float
        Whether setpoints ramp, and how fast, K/min; 0 is at once.
    heater : int
        Heater range; 0 is off.
    mode : tuple of int
        Control mode, number of the input, whether it stays on after a power cut.
    gains : tuple of float
        P, I, D.
    """

    start: float = 0.0
    target: float = 0.0
    since: float = 0.0
    ramps: bool = False
    rate: float = 0.0
    heater: int = 0
    mode: tuple[int, int, int] = (CLOSED_LOOP, 1, 0)
    gains: tuple[float, float, float] = (50.0, 20.0, 0.0)

    def speed(self) -> float:
        """Return the speed of the setpoint, K/s; infinite without a ramp."""
        return self.rate / 60.0 if self.ramps and self.rate else math.inf

    def setpoint(self, now: float) -> float:
        """Return where the setpoint is, K."""
        way = self.target - self.start
        moved = self.speed() * (now - self.since) if math.isfinite(self.speed()) else math.inf
        return self.target if moved >= abs(way) else self.start + math.copysign(moved, way)


class SimulatedLakeShore335(LakeShoreDevice):
    """A 335 on a bench.

    Parameters
    ----------
    clock, rng, serial
        As for `LakeShoreDevice`.
    stage : StagePort
        The heated stage.
    output, input : int, str
        Where its heater and its sensor are.

    Attributes
    ----------
    sensor_fault, heater_fault : int
        What RDGST? and HTRST? answer of the stage's; set with `break_sensor`, and faults to inject.
    stuck : bool
        Whether the heater's range no longer goes off; a fault to inject.
    """

    model = "MODEL335"
    inputs: ClassVar[str] = "AB"

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        stage: StagePort,
        *,
        serial: str = "SIM00000",
        output: int = 1,
        input: str = "A",
    ) -> None:
        super().__init__(clock, rng, serial=serial)
        self.sensor_fault = self.heater_fault = 0
        self.stuck = False
        self._stage, self._output_at, self._input_at = stage, output, input
        numbers = range(1, len(self.inputs) + 1)
        self.loops = {number: Loop(mode=(CLOSED_LOOP, number, 0)) for number in numbers}
        self._types = dict.fromkeys(self.inputs, (3, 1, 0, 1, KELVIN))  # platinum, in kelvin
        self._limits = dict.fromkeys(self.inputs, 0.0)
        stage.follow(self._keep_limit)

    def break_sensor(self, status: int) -> None:
        """Let the stage's sensor give no valid reading, with these bits of RDGST?; 0 mends it."""
        self.sensor_fault = status
        self._drive()

    def _keep_limit(self, kelvin: float) -> None:
        limit = self._limits[self._input_at]
        if limit and kelvin > limit and not self.sensor_fault:
            for loop in self.loops.values():
                loop.heater = 0
            self._drive()

    def _drive(self) -> None:
        """Heat the stage as its loop is set."""
        loop = self.loops[self._output_at]
        mode, number, _ = loop.mode
        regulates = mode == CLOSED_LOOP and self.inputs[number - 1 :][:1] == self._input_at and number
        if loop.heater and regulates and not self.sensor_fault and not self.heater_fault:
            full = FULL[loop.heater if self._ranges(self._output_at) > 1 else -1]
            self._stage.regulate(loop.setpoint(self.clock.now), loop.target, loop.speed(), full)
        else:
            self._stage.release()

    def _ranges(self, number: int) -> int:
        """Return the highest range of an output; the voltage outputs of a 336 are on or off."""
        return 3 if number <= 2 else 1

    # --- inputs ---

    @takes("KRDG?", sensor)
    def _kelvin(self, letter: str) -> str:
        if self._status_of(letter):
            return six_digits(0.0)
        return six_digits(max(self._stage.temperature + NOISE * float(self.rng.standard_normal()), 0.0))

    @takes("RDGST?", sensor)
    def _reading_status(self, letter: str) -> str:
        return f"{self._status_of(letter):03d}"

    def _status_of(self, letter: str) -> int:
        return self.sensor_fault if letter == self._input_at else NO_SENSOR

    @takes("INTYPE?", sensor)
    def _input_type(self, letter: str) -> str:
        return ",".join(map(str, self._types[letter]))

    @takes("INTYPE", sensor, integer(0, 4), integer(0, 1), integer(0, 8), integer(0, 1), integer(1, 3))
    def _set_input_type(self, letter: str, *values: int) -> None:
        self._types[letter] = values  # type: ignore[assignment]

    @takes("TLIMIT", sensor, real(0.0, 9999.0))
    def _set_limit(self, letter: str, kelvin: float) -> None:
        self._limits[letter] = kelvin
        if letter == self._input_at:
            self._keep_limit(self._stage.temperature)

    @takes("TLIMIT?", sensor)
    def _limit(self, letter: str) -> str:
        return f"{self._limits[letter]:+.0f}"

    # --- loops ---

    @takes("SETP", output, real(0.0, 9999.0))
    def _set_setpoint(self, number: int, kelvin: float) -> None:
        loop, now = self.loops[number], self.clock.now
        loop.start, loop.target, loop.since = loop.setpoint(now), kelvin, now
        self._drive()

    @takes("SETP?", output)
    def _setpoint(self, number: int) -> str:
        return six_digits(self.loops[number].setpoint(self.clock.now))

    @takes("RAMP", output, integer(0, 1), real(0.0, 100.0))
    def _set_ramp(self, number: int, on: int, rate: float) -> None:
        if 0.0 < rate < 0.1:
            raise Refused(EXECUTION_ERROR)
        loop, now = self.loops[number], self.clock.now
        loop.start, loop.since = loop.setpoint(now), now
        loop.ramps, loop.rate = bool(on), round(rate, 1)
        self._drive()

    @takes("RAMP?", output)
    def _ramp(self, number: int) -> str:
        return f"{int(self.loops[number].ramps)},{self.loops[number].rate:+.1f}"

    @takes("RAMPST?", output)
    def _ramping(self, number: int) -> str:
        loop = self.loops[number]
        return str(int(loop.setpoint(self.clock.now) != loop.target))

    @takes("RANGE", output, integer(0, 3))
    def _set_range(self, number: int, heater: int) -> None:
        if heater > self._ranges(number):
            raise Refused(EXECUTION_ERROR)
        if heater or not self.stuck:
            self.loops[number].heater = heater
        self._drive()

    @takes("RANGE?", output)
    def _range(self, number: int) -> str:
        return str(self.loops[number].heater)

    @takes("HTRST?", output)
    def _heater_status(self, number: int) -> str:
        return str(self.heater_fault if number == self._output_at else OPEN_LOAD)

    @takes("OUTMODE", output, integer(0, 5), integer(0, 4), integer(0, 1))
    def _set_mode(self, number: int, mode: int, source: int, stays: int) -> None:
        if source > len(self.inputs):
            raise Refused(EXECUTION_ERROR)
        self.loops[number].mode = (mode, source, stays)
        self._drive()

    @takes("OUTMODE?", output)
    def _mode(self, number: int) -> str:
        return ",".join(map(str, self.loops[number].mode))

    @takes("PID", output, real(0.1, 1000.0), real(0.1, 1000.0), real(0.0, 200.0))
    def _set_gains(self, number: int, *gains: float) -> None:
        self.loops[number].gains = gains  # type: ignore[assignment]

    @takes("PID?", output)
    def _gains(self, number: int) -> str:
        return ",".join(six_digits(gain) for gain in self.loops[number].gains)

    @takes("*RST")
    def _reset(self) -> None:
        for number, loop in self.loops.items():
            mode = loop.mode
            self.loops[number] = Loop(mode=mode, gains=loop.gains)
        self._drive()


class SimulatedLakeShore336(SimulatedLakeShore335):
    """A 336 on a bench, of four inputs and outputs; constructed as a 335."""

    model = "MODEL336"
    inputs = "ABCD"
