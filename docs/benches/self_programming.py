"""Driver of a chip that programs its cells by itself, at the SPI of an FTDI bridge, through pyftdi.

The registers are on the page beside this file. A frame has three bytes: out go a register, its highest bit set to write,
and a value of 16 bits; back come the chip's state and what the register had.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from mho.errors import InputError, InstrumentError
from mho.instruments.roles import Cell, ProgrammedCell, Pulse, Reading

IDENTITY, SERIAL, COMMAND, ROW, COLUMN, LEVEL, READ_VOLTS, COARSE, CODE, PULSES, MOST_PULSES, WIDTH = range(
    12
)
SET_VOLTS, RESET_VOLTS, FORM_VOLTS, FORM_WIDTH, LEVELS = 12, 14, 16, 18, 32  # a gate after each voltage
STOP, READ, PROGRAM, FORM = range(4)  # commands
BUSY, ON, REACHED, UNSET, STATE = 1, 2, 4, 8, 0xA0  # of a state; UNSET: no settings since its supply came
NAME, TOP = 0x5E08, 63  # its identity; highest code of its converter
STEPS, VERIFY = (100e-9, 1.6e-6), 0.2  # A a code, fine and coarse; V at which the chip verifies
VOLT, SECOND, SIEMENS = 1 / 0.01, 1 / 100e-9, VERIFY / STEPS[0]  # steps of the registers


class SelfProgrammingChip:
    """The chip; serves `select`, `read` and `program`, and forms its cells.

    `address`: pyftdi's URL of the bridge. `library`: in place of pyftdi's `SpiController`. `levels`: lowest and highest
    conductance (S) of each level, and the word line (V) of its first SET. `forming_voltage`: the highest, V; `timeout`: s.
    """

    edge = 10e-9  # s

    def __init__(
        self, address: str, library: Any = None, *, levels: Sequence[Sequence[float]], most_pulses: int = 200,
        forming_voltage: float = 4.5, timeout: float = 2.0,
    ) -> None:  # fmt: skip
        up, down = Pulse("set", 3.0, 1e-6, gate=2.6), Pulse("reset", 3.0, 1e-6, gate=2.8)
        form = Pulse("set", forming_voltage, 10e-6, gate=1.6)
        self.program_pulses, self.forming_pulses = (up, down), (form,)
        self.levels, self._timeout, self._ready = levels, timeout, False
        self._settings = {WIDTH: SECOND * up.width, FORM_WIDTH: SECOND * form.width, MOST_PULSES: most_pulses}
        for register, pulse in ((SET_VOLTS, up), (RESET_VOLTS, down), (FORM_VOLTS, form)):
            self._settings |= {register: VOLT * pulse.voltage, register + 1: VOLT * pulse.gate}
        for at, (low, high, gate) in zip(range(LEVELS, 96, 4), levels, strict=False):
            codes = math.ceil(SIEMENS * low - 1e-6), math.floor(SIEMENS * high + 1e-6)
            self._settings |= {at: codes[0], at + 1: codes[1], at + 2: VOLT * gate}
        if library is None:
            from pyftdi.spi import SpiController

            library = SpiController()
        self._bridge = library
        try:
            library.configure(address)
            self._port = library.get_port(cs=0, freq=1e6, mode=0)
        except Exception as error:  # pyftdi's, libusb's, or that of a URL
            raise InstrumentError(f"the bridge {address} cannot be opened: {error}") from error

    def _exchange(self, register: int, value: float | None = None) -> tuple[int, int]:
        """Return the chip's state and what a register has; write it where a value is given."""
        written = value is not None
        frame = bytes([written << 7 | register, *round(value or 0).to_bytes(2, "big")])
        try:
            answer = self._port.exchange(frame, len(frame), duplex=True)
        except OSError as error:  # pyftdi's errors, too
            raise InstrumentError(f"the bridge of the chip does not answer: {error}") from error
        if len(answer) != len(frame) or answer[0] & 0xF0 != STATE:
            said = bytes(answer).hex(" ") or "nothing"
            raise InstrumentError(f"the chip answered {said}: look after its supply and its wires")
        if self._ready and answer[0] & UNSET:
            self._ready = False
            raise InstrumentError("the chip has lost its settings: look after its supply, and start again")
        return answer[0], int.from_bytes(answer[1:], "big")

    def _write(self, register: int, value: float) -> None:
        self._exchange(register, value)
        if (kept := self._exchange(register)[1]) != round(value):
            raise InstrumentError(f"register {register} of the chip has {kept}, not {value:.0f} as written")

    def _carry_out(self, command: int) -> tuple[int, int]:
        """Give a command, wait until it is done, and return the chip's state and the last code."""
        self._exchange(COMMAND, command)
        until = time.monotonic() + self._timeout
        while self._exchange(COMMAND)[0] & BUSY:
            if time.monotonic() > until:
                raise InstrumentError(f"the chip is busy with command {command} for {self._timeout:g} s")
        return self._exchange(CODE)

    def identify(self) -> str:
        """Return name and serial number; `InstrumentError` for another chip's."""
        if (name := self._exchange(IDENTITY)[1]) != NAME:
            raise InstrumentError(f"the chip says it is {name:#06x}, not {NAME:#06x}: is it another one?")
        return f"self-programming chip, serial {self._exchange(SERIAL)[1]}"

    def settings(self) -> dict[str, str]:
        """Return what run files keep of it."""
        return {name: str(getattr(self, name)) for name in ("levels", "program_pulses", "forming_pulses")}

    @property
    def output_enabled(self) -> bool:
        """Whether its charge pump is on."""
        return bool(self._exchange(COMMAND)[0] & ON)

    def make_safe(self) -> None:
        """Stop what it does, and ask whether its charge pump is off."""
        self._ready = False
        self._exchange(COMMAND, STOP)
        if self.output_enabled:
            raise InstrumentError("the chip's charge pump is still on; take its supply off")

    def close(self) -> None:
        """Release the bridge."""
        self._bridge.close()

    def select(self, cell: Cell) -> None:
        """Address one cell."""
        self._write(ROW, cell.row)
        self._write(COLUMN, cell.column)

    def read(self, voltage: float) -> Reading:
        """Measure once at `voltage` (V), on the coarse range where the fine one is at its end."""
        if not 0.01 <= voltage <= 1.0:
            raise InputError(f"the chip reads at 0.01 to 1 V, not at {voltage:g} V")
        self._write(READ_VOLTS, VOLT * voltage)
        code, coarse = TOP, -1
        while code == TOP and coarse < 1:
            coarse += 1
            self._write(COARSE, coarse)
            code = self._carry_out(READ)[1]
        return Reading(round(VOLT * voltage) / VOLT, STEPS[coarse] * code, code == TOP)

    def program(self, target: float, tolerance: float) -> ProgrammedCell:
        """Bring the cell into the window of the level that has `target` (S) in it and is no wider than asked."""
        least, most = target - tolerance - 1e-12, target + tolerance + 1e-12
        for number, (low, high, _) in enumerate(self.levels):
            if least <= low <= target <= high <= most:
                return self._by_itself(PROGRAM, number)
        there = ", ".join(f"{1e6 * low:g} to {1e6 * high:g}" for low, high, _ in self.levels)
        asked = f"{1e6 * target:g} uS +- {1e6 * tolerance:g} uS"
        raise InputError(
            f"the chip has no level within {asked}; its `levels` in the bench file are {there} uS"
        )

    def form(self) -> ProgrammedCell:
        """Pulse the cell with rising voltages until it conducts."""
        return self._by_itself(FORM)

    def _by_itself(self, command: int, level: int = 0) -> ProgrammedCell:
        settings = {} if self._ready else self._settings
        for register, value in {**settings, LEVEL: level, READ_VOLTS: VOLT * VERIFY, COARSE: 0}.items():
            self._write(register, value)
        self._ready = True
        state, code = self._carry_out(command)
        return ProgrammedCell(code / SIEMENS, self._exchange(PULSES)[1], bool(state & REACHED))
