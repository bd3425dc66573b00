"""Twin of a chip that programs itself, at the functions of pyftdi's `SpiController` by which its driver reaches it.

Behind them is the chip's state machine. It goes on while the virtual clock does: a pulse, a settling, a conversion at a
time, and every frame on the SPI takes its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import CellsPort

IDENTITY, SERIAL, COMMAND, ROW, COLUMN, LEVEL, READ_VOLTS, COARSE, CODE, PULSES, MOST_PULSES, WIDTH = range(
    12
)
SET_VOLTS, SET_GATE, RESET_VOLTS, RESET_GATE, FORM_VOLTS, FORM_GATE, FORM_WIDTH = range(12, 19)
LEVELS, PER_LEVEL, REGISTERS = 32, 4, 128
READ_ONLY = (IDENTITY, SERIAL, CODE, PULSES)
READ, PROGRAM, FORM = 1, 2, 3
BUSY, ON, REACHED, UNSET = 1, 2, 4, 8
NAME, STATE = 0x5E08, 0xA0

SIZE = 8
LATENCY = 125e-6  # s, of a frame over USB: a microframe
CONVERSION = 10e-6  # s, of a code, settling included
READ_GATE = 2.5  # V
TOP, STEPS, NOISE = 63, (100e-9, 1.6e-6), 0.25  # codes; A a code; standard deviation in codes
FORMED = 4  # codes from which a cell conducts
FORM_START, FORM_STEP = 3.3, 0.2  # V
RESET_START, RESET_STEP = 0.9, 0.06  # V
GATE_STEP = 0.03  # V


class SimulatedSpi:
    """The bridge as `SpiController` has it, with the chip at its chip select 0."""

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, cells: CellsPort, *, serial: str = "SIM00008"
    ) -> None:
        self._clock, self._rng, self._cells = clock, rng, cells
        self._frequency = 0.0
        self._registers = [0] * REGISTERS
        self._registers[IDENTITY], self._registers[SERIAL] = NAME, int(serial[3:])
        self._acts: Iterator[float] | None = None  # of a command that is carried out: seconds to the next one
        self._due = 0.0
        self._on = self._reached = False
        self._unset = True

    def configure(self, url: str, **kwargs: Any) -> None:
        """Open the bridge."""
        if self._frequency:
            raise OSError("Already configured")
        self._frequency = 6e6

    def close(self, freeze: bool = False) -> None:
        """Close the bridge."""
        self._frequency = 0.0

    def get_port(self, cs: int, freq: float | None = None, mode: int = 0) -> SimulatedPort:
        """Return the port of a chip select."""
        if cs:
            raise OSError(f"No such SPI port: {cs}")
        return SimulatedPort(self, freq or self._frequency)

    def transfer(self, out: bytes, seconds: float) -> bytes:
        """Return what the chip shifts out while a frame that takes so long comes in."""
        if not self._frequency:
            raise OSError("FTDI controller not initialized")
        self._clock.advance(seconds)
        self._go_on()
        state = (
            STATE
            | BUSY * (self._acts is not None)
            | ON * self._on
            | REACHED * self._reached
            | UNSET * self._unset
        )
        register = out[0] & 0x7F
        before = self._registers[register]
        if len(out) == 3 and out[0] & 0x80:
            self._take(register, int.from_bytes(out[1:], "big"))
        return bytes([state, *before.to_bytes(2, "big")])[: len(out)]

    def _take(self, register: int, value: int) -> None:
        if register == COMMAND:
            self._begin(value)
        elif register not in READ_ONLY and self._acts is None:  # busy, it keeps its settings
            self._registers[register] = value
            self._unset = self._unset and register != MOST_PULSES

    def _begin(self, command: int) -> None:
        """Stop what is carried out, and begin a command; one that it does not know stops only."""
        acts = {READ: self._read_once, PROGRAM: self._program, FORM: self._form}.get(command)
        self._acts, self._reached = None, False
        self._power(False)
        if acts is not None and max(self._registers[ROW], self._registers[COLUMN]) < SIZE:
            self._registers[COMMAND], self._registers[PULSES] = command, 0
            self._power(True)
            self._acts, self._due = acts(), self._clock.now

    def _power(self, on: bool) -> None:
        self._on = on
        self._cells.gate(READ_GATE if on else 0.0)

    def _go_on(self) -> None:
        """Do what was due by now."""
        while self._acts is not None and self._due <= self._clock.now:
            seconds = next(self._acts, None)
            if seconds is None:
                self._acts = None
                self._power(False)
            else:
                self._due += seconds

    @property
    def _cell(self) -> tuple[str, int, int]:
        return "multiply", self._registers[ROW], self._registers[COLUMN]

    def _volts(self, register: int) -> float:
        return 0.01 * self._registers[register]

    def _convert(self) -> int:
        amperes = self._cells.read(self._cell, self._volts(READ_VOLTS), CONVERSION)
        step = STEPS[bool(self._registers[COARSE])]
        code = round(float(amperes) / step + NOISE * float(self._rng.standard_normal()))
        self._registers[CODE] = min(max(code, 0), TOP)
        return self._registers[CODE]

    def _pulse(self, volts: float, gate: float, width: int) -> float:
        """Apply a pulse of so many V, and steps of width, and return how long it takes."""
        seconds = 100e-9 * self._registers[width]
        self._cells.gate(gate)
        self._cells.pulse(self._cell, volts, seconds, 1)
        self._cells.gate(READ_GATE)
        self._registers[PULSES] += 1
        return 2.0 * seconds

    @property
    def _left(self) -> bool:
        return self._registers[PULSES] < self._registers[MOST_PULSES]

    def _read_once(self) -> Iterator[float]:
        self._convert()
        yield CONVERSION

    def _program(self) -> Iterator[float]:
        """Write-verify: SETs and RESETs, each a step more after one too weak, and a step less after one too strong."""
        at = LEVELS + PER_LEVEL * self._registers[LEVEL]
        low, high, first = self._registers[at : at + 3]
        gate, volts, raised = 0.01 * first, RESET_START, None
        while not (reached := low <= self._convert() <= high) and self._left:
            yield CONVERSION
            below = self._registers[CODE] < low
            if raised is True:
                gate += GATE_STEP if below else -GATE_STEP
            elif raised is False:
                volts += -RESET_STEP if below else RESET_STEP
            raised = below
            if raised:
                gate = min(gate, self._volts(SET_GATE))
                yield self._pulse(self._volts(SET_VOLTS), gate, WIDTH)
            else:
                volts = min(volts, self._volts(RESET_VOLTS))
                yield self._pulse(-volts, self._volts(RESET_GATE), WIDTH)
        yield CONVERSION
        self._reached = reached

    def _form(self) -> Iterator[float]:
        """Raise the voltage from pulse to pulse until the cell conducts."""
        volts, last = FORM_START, self._volts(FORM_VOLTS)
        while not (formed := self._convert() >= FORMED) and volts <= last + 1e-9:
            yield CONVERSION
            yield self._pulse(volts, self._volts(FORM_GATE), FORM_WIDTH)
            volts += FORM_STEP
        yield CONVERSION
        self._reached = formed


class SimulatedPort:
    """A port as `SpiPort` has it."""

    def __init__(self, bridge: SimulatedSpi, frequency: float) -> None:
        self._bridge, self._frequency = bridge, frequency

    def exchange(
        self, out: bytes = b"", readlen: int = 0, start: bool = True, stop: bool = True, duplex: bool = False,
        droptail: int = 0,
    ) -> bytes:  # fmt: skip
        """Shift a frame out and another in at once, the only way in which the chip is spoken to."""
        if not duplex or not out:
            raise OSError("the twin of the chip knows frames of both directions only: duplex = True")
        answer = self._bridge.transfer(bytes(out), LATENCY + 8 * len(out) / self._frequency)
        return answer[: readlen or len(out)]
