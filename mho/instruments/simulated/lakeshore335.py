"""The simulated Lake Shore 335 and 336: sensor inputs, and control loops of which one heats a stage.

Model 335 User's Manual, 119-055, chapter 6: messages p. 104 f., common commands p. 108, events section 6.2.5, RAMP p. 122,
SRDG? and TLIMIT p. 125; Model 336 User's Manual, 119-048, section 6.6.1. Not SCPI: headers are short, there is no error
queue, `*ESR?` tells what kind of error there was since it was last read. (?) from memory: the longest message, that a
number takes no exponent, that an unknown header is a command error and a value out of range an execution error, the
power-up settings, that a setpoint ramps with the heater off too, that `SETP?` tells where a ramp is, that an input without
a sensor reads 0 K with the bits 0 and 6, and that a sensor without a valid reading takes the output to zero. The loop is
ideal but for its lag (`HeatedStage`): `PID` is kept and means nothing. Modes other than off and closed loop do not heat
here; zones, curves, alarms, relays and the display are not simulated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.lines import LineDevice, RefusedCommand, handles
from mho.instruments.simulated.ports import StagePort

Parse = Callable[[Any, str], Any]

POWER_ON, COMMAND_ERROR, EXECUTION_ERROR, QUERY_ERROR, OPERATION_COMPLETE = 128, 32, 16, 4, 1
MESSAGE_AVAILABLE, EVENT_SUMMARY, MASTER_SUMMARY = 16, 32, 64
LONGEST = 255  # characters of a message
_COMMAND = re.compile(r"\s*:?(\*?[A-Z]+\??)(?:\s+(\S.*?))?\s*", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")


def real(low: float, high: float) -> Parse:
    """Return what parses a number from `low` to `high`."""

    def parse(device: Any, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise RefusedCommand(COMMAND_ERROR)
        if not low <= float(text) <= high:
            raise RefusedCommand(EXECUTION_ERROR)
        return float(text)

    return parse


def integer(low: int, high: int) -> Parse:
    """Return what parses a whole number from `low` to `high`."""
    number = real(low, high)

    def parse(device: Any, text: str) -> int:
        if "." in text:
            raise RefusedCommand(COMMAND_ERROR)
        return int(number(device, text))

    return parse


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
        raise RefusedCommand(COMMAND_ERROR)
    if letter not in device.inputs:
        raise RefusedCommand(EXECUTION_ERROR)
    return letter


def six_digits(value: float) -> str:
    """Format a reading as ``±nnnnnn``: a sign and six digits around the point."""
    for decimals in (5, 4, 3, 2, 1):
        text = f"{value:+.{decimals}f}"
        if len(text) <= 8:
            return text
    return f"{value:+.0f}"


@dataclass
class ControlLoop:
    """The control loop of one output.

    The setpoint goes from `start` to `target` (K) since a time (s), at `rate` (K/min, 0 is at once) where it `ramps`. A
    `heater` range of 0 is off. `mode` is control mode, number of the input, and whether it stays on after a power cut;
    `gains` are P, I, D.
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


class SimulatedLakeShore335(LineDevice):
    """A 335 on a bench; what a handler takes are functions that parse its parameters.

    `stage`: the heated stage.
    `output`, `input`: where its heater and its sensor are.
    """

    model: ClassVar[str] = "MODEL335"
    firmware: ClassVar[str] = "1.6"
    inputs: ClassVar[str] = "AB"
    commands = {
        "*IDN?": lambda self: f"LSCI,{self.model},{self.serial}/{self.serial},{self.firmware}",
        "*CLS": lambda self: setattr(self, "events", 0),
        "*ESE": (integer(0, 255), lambda self, mask: setattr(self, "_event_enable", mask)),
        "*ESE?": lambda self: f"{self._event_enable:03d}",
        "*SRE": (
            integer(0, 255), lambda self, mask: setattr(self, "_service_enable", mask & ~MASTER_SUMMARY),
        ),
        "*SRE?": lambda self: f"{self._service_enable:03d}",
        "*STB?": lambda self: f"{self.status_byte():03d}",
        "*OPC": lambda self: setattr(self, "events", self.events | OPERATION_COMPLETE),
        "*OPC?": lambda self: "1",
        "*WAI": lambda self: None,  # nothing is pending between two messages
        "*TST?": lambda self: "0",
        "RDGST?": (sensor, lambda self, letter: f"{self._status_of(letter):03d}"),
        "INTYPE?": (sensor, lambda self, letter: ",".join(map(str, self._types[letter]))),
        "INTYPE": (
            sensor, integer(0, 4), integer(0, 1), integer(0, 8), integer(0, 1), integer(1, 3),
            lambda self, letter, *values: self._types.update({letter: values}),
        ),
        "TLIMIT?": (sensor, lambda self, letter: f"{self._limits[letter]:+.0f}"),
        "SETP?": (output, lambda self, number: six_digits(self.loops[number].setpoint(self.clock.now))),
        "RAMP?": (output, lambda self, n: f"{int(self.loops[n].ramps)},{self.loops[n].rate:+.1f}"),
        "RANGE?": (output, lambda self, number: str(self.loops[number].heater)),
        "HTRST?": (output, lambda self, n: str(self.heater_fault if n == self._output_at else OPEN_LOAD)),
        "OUTMODE?": (output, lambda self, number: ",".join(map(str, self.loops[number].mode))),
        "PID": (
            output, real(0.1, 1000.0), real(0.1, 1000.0), real(0.0, 200.0),
            lambda self, number, *gains: setattr(self.loops[number], "gains", gains),
        ),
        "PID?": (output, lambda self, number: ",".join(map(six_digits, self.loops[number].gains))),
    }  # fmt: skip

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, stage: StagePort, *, serial: str = "SIM00000",
        output: int = 1, input: str = "A",
    ) -> None:  # fmt: skip
        super().__init__(clock, rng)
        self.serial = serial
        self.events, self._event_enable, self._service_enable = POWER_ON, 0, 0
        self._output = b""
        # Faults to inject: what RDGST? (see `break_sensor`) and HTRST? answer of the stage's
        self.sensor_fault = self.heater_fault = 0
        self.stuck = False  # whether the heater's range no longer goes off; a fault to inject
        self._stage, self._output_at, self._input_at = stage, output, input
        numbers = range(1, len(self.inputs) + 1)
        self.loops = {number: ControlLoop(mode=(CLOSED_LOOP, number, 0)) for number in numbers}
        self._types = dict.fromkeys(self.inputs, (3, 1, 0, 1, KELVIN))  # platinum, in kelvin
        self._limits = dict.fromkeys(self.inputs, 0.0)
        stage.follow(self._keep_limit)

    # --- what transports use ---

    def read(self) -> bytes:
        """Return the response; without one, a query error is recorded and nothing returned."""
        output, self._output = self._output, b""
        if not output and not self.stream:
            self.events |= QUERY_ERROR
        return output

    def status_byte(self) -> int:
        """Answer a serial poll."""
        byte = (MESSAGE_AVAILABLE if self._output else 0) | (
            EVENT_SUMMARY if self.events & self._event_enable else 0
        )
        return byte | (MASTER_SUMMARY if byte & self._service_enable else 0)

    def clear(self) -> None:
        """Device clear: empty input and output; settings and events stay."""
        self._input = self._output = b""

    def push_error(self, code: int, detail: str = "") -> None:
        """Record an error (fault injection): the event of SCPI's error number."""
        self.events |= {1: COMMAND_ERROR, 4: QUERY_ERROR}.get(-code // 100, EXECUTION_ERROR)

    # --- commands ---

    def take_line(self, message: str) -> None:
        """Carry out a message."""
        if not message.strip():
            return
        if self._output and not self.stream:
            self._output = b""
            self.events |= QUERY_ERROR
        if len(message) > LONGEST:
            self.events |= COMMAND_ERROR
            return
        replies = []
        for command in message.split(";"):
            try:
                reply = self._carry_out(command)
            except RefusedCommand as error:
                self.events |= error.code
            else:
                if reply is not None:
                    replies.append(reply)
        if replies:
            self._output += ";".join(replies).encode("latin-1") + b"\r\n"

    def _carry_out(self, command: str) -> str | None:
        match = _COMMAND.fullmatch(command)
        if match is None or match[1].upper() not in self.vocabulary:
            raise RefusedCommand(COMMAND_ERROR)
        handler, parameters = self.vocabulary[match[1].upper()]
        texts = [text.strip() for text in match[2].split(",")] if match[2] else []
        if len(texts) != len(parameters):
            raise RefusedCommand(COMMAND_ERROR)
        values = [parse(self, text) for parse, text in zip(parameters, texts, strict=True)]
        reply: str | None = handler(self, *values)
        return reply

    @handles("*ESR?")
    def _take_events(self) -> str:
        events, self.events = self.events, 0
        return f"{events:03d}"

    # --- the stage ---

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

    @handles("KRDG?", sensor)
    def _kelvin(self, letter: str) -> str:
        if self._status_of(letter):
            return six_digits(0.0)
        return six_digits(max(self._stage.temperature + NOISE * float(self.rng.standard_normal()), 0.0))

    def _status_of(self, letter: str) -> int:
        return self.sensor_fault if letter == self._input_at else NO_SENSOR

    @handles("TLIMIT", sensor, real(0.0, 9999.0))
    def _set_limit(self, letter: str, kelvin: float) -> None:
        self._limits[letter] = kelvin
        if letter == self._input_at:
            self._keep_limit(self._stage.temperature)

    # --- loops ---

    @handles("SETP", output, real(0.0, 9999.0))
    def _set_setpoint(self, number: int, kelvin: float) -> None:
        loop, now = self.loops[number], self.clock.now
        loop.start, loop.target, loop.since = loop.setpoint(now), kelvin, now
        self._drive()

    @handles("RAMP", output, integer(0, 1), real(0.0, 100.0))
    def _set_ramp(self, number: int, on: int, rate: float) -> None:
        if 0.0 < rate < 0.1:
            raise RefusedCommand(EXECUTION_ERROR)
        loop, now = self.loops[number], self.clock.now
        loop.start, loop.since = loop.setpoint(now), now
        loop.ramps, loop.rate = bool(on), round(rate, 1)
        self._drive()

    @handles("RAMPST?", output)
    def _ramping(self, number: int) -> str:
        loop = self.loops[number]
        return str(int(loop.setpoint(self.clock.now) != loop.target))

    @handles("RANGE", output, integer(0, 3))
    def _set_range(self, number: int, heater: int) -> None:
        if heater > self._ranges(number):
            raise RefusedCommand(EXECUTION_ERROR)
        if heater or not self.stuck:
            self.loops[number].heater = heater
        self._drive()

    @handles("OUTMODE", output, integer(0, 5), integer(0, 4), integer(0, 1))
    def _set_mode(self, number: int, mode: int, source: int, stays: int) -> None:
        if source > len(self.inputs):
            raise RefusedCommand(EXECUTION_ERROR)
        self.loops[number].mode = (mode, source, stays)
        self._drive()

    @handles("*RST")
    def _reset(self) -> None:
        for number, loop in self.loops.items():
            mode = loop.mode
            self.loops[number] = ControlLoop(mode=mode, gains=loop.gains)
        self._drive()


class SimulatedLakeShore336(SimulatedLakeShore335):
    """A 336 on a bench, of four inputs and outputs; constructed as a 335."""

    model = "MODEL336"
    inputs = "ABCD"
