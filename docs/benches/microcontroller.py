"""Driver of a microcontroller with eight DACs and eight ADCs at an 8 x 8 array, by a text protocol of one's own.

The protocol is on the page beside this file. Each line is answered by one line: ``OK``, numbers, or ``ERR`` and a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyvisa

from mho.errors import InstrumentError
from mho.instruments.roles import Cell, Reading

SIZE = 8  # rows, and columns
CLIPPED = 120e-6  # A, from which on an ADC is at its end


class Microcontroller:
    """The controller; serves `select`, `read`, `gate`, `pulse` and `multiply`.

    `address`: VISA resource name.
    `visa_library`: PyVISA's choice of a library; empty for the system's.
    """

    output_count = input_count = SIZE
    sample_period = 200e-6  # s
    edge = 1e-6  # s, of the DACs' amplifiers

    def __init__(self, address: str, visa_library: str = "") -> None:
        try:
            self._line: Any = pyvisa.ResourceManager(visa_library).open_resource(
                address, read_termination="\n", write_termination="\n", timeout=5000
            )
        except (pyvisa.VisaIOError, OSError, ValueError) as error:
            raise InstrumentError(f"the microcontroller at {address} cannot be opened: {error}") from error

    def ask(self, line: str) -> str:
        """Send a line and return its answer; raises `InstrumentError` for none, or a refusal."""
        try:
            answer = str(self._line.query(line)).strip()
        except (pyvisa.VisaIOError, pyvisa.errors.InvalidSession, OSError, UnicodeDecodeError) as error:
            raise InstrumentError(f"the microcontroller did not answer {line!r}: {error}") from error
        if answer.startswith("ERR"):
            raise InstrumentError(f"the microcontroller refused {line!r}: {answer[3:].strip()}")
        return answer

    def _numbers(self, line: str, count: int) -> list[float]:
        answer = self.ask(line)
        try:
            numbers = [float(text) for text in answer.split()]
        except ValueError:
            numbers = []
        if len(numbers) != count:
            raise InstrumentError(f"the microcontroller answered {answer!r} to {line!r}, not {count} numbers")
        return numbers

    # --- what every instrument does ---

    def identify(self) -> str:
        """Return name, firmware and serial number."""
        return self.ask("ID?")

    def settings(self) -> dict[str, str]:
        """Return what run files keep of it."""
        return {"output": self.ask("OUT?")}

    @property
    def output_enabled(self) -> bool:
        """Whether a DAC is on."""
        return self.ask("OUT?") == "1"

    def make_safe(self) -> None:
        """Switch the DACs off, and ask whether they are."""
        self.ask("OFF")
        if self.output_enabled:
            raise InstrumentError("the microcontroller still has a DAC on; take its supply off")

    def close(self) -> None:
        """Release the line."""
        self._line.close()

    # --- operations ---

    def select(self, cell: Cell) -> None:
        """Address one cell."""
        self.ask(f"SEL {cell.row} {cell.column}")

    def read(self, voltage: float) -> Reading:
        """Measure once at `voltage` (V)."""
        (nanoamperes,) = self._numbers(f"RD {voltage:.9e}", 1)
        return Reading(voltage, 1e-9 * nanoamperes, abs(1e-9 * nanoamperes) >= CLIPPED)

    def gate(self, voltage: float) -> None:
        """Hold the word lines at `voltage` (V)."""
        self.ask(f"GT {voltage:.9e}")

    def pulse(self, voltage: float, width: float, count: int = 1) -> None:
        """Apply `count` pulses of `voltage` (V) and `width` (s)."""
        self.ask(f"PU {voltage:.9e} {width:.9e} {count}")

    def multiply(
        self, array: str, rows: Sequence[int], columns: Sequence[int], volts: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        """Return currents (samples, columns), A, for `volts` (samples, rows); other rows are at 0 V."""
        answers = np.empty((len(volts), len(columns)))
        for sample, vector in enumerate(volts):
            levels = np.zeros(SIZE)
            levels[list(rows)] = vector
            line = "MV " + " ".join(f"{level:.9e}" for level in levels)
            answers[sample] = np.array(self._numbers(line, SIZE))[list(columns)]
        return 1e-9 * answers
