"""Twin of the microcontroller: answers its text protocol, with the noise and the steps of its converters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.lines import LineDevice
from mho.instruments.simulated.ports import CellsPort

SIZE = 8
APERTURE = 200e-6  # s, of a reading
PULSES = 1e-6, 1.0  # s, shortest and longest
LEVEL = 5.0  # V, the DACs' range of either sign
STEP = 4e-9  # A, of the ADCs: 16 bits of +-131 uA
ENDS = 125e-6  # A


class Refused(Exception):
    """A line that the firmware refuses, with the reason."""


class SimulatedMicrocontroller(LineDevice):
    """The firmware, at the lines of an 8 x 8 array."""

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, cells: CellsPort, *, serial: str = "SIM00008"
    ) -> None:
        super().__init__(clock, rng)
        self._cells, self._serial, self._output = cells, serial, b""
        self._row = self._column = 0
        self._on, self._fault = False, ""

    # --- what transports use ---

    def take_line(self, line: str) -> None:
        """Answer a line by a line."""
        name, *words = line.split() or [""]
        act = getattr(self, f"_do_{name.lower().replace('?', '_asked')}", self._do_nothing)
        fault, self._fault = self._fault, ""
        try:
            answer = f"ERR {fault}" if fault else act(*map(float, words))
        except Refused as refused:
            answer = f"ERR {refused}"
        except (TypeError, ValueError):
            answer = f"ERR {name} does not take {' '.join(words) or 'nothing'}"
        self._output += f"{answer}\n".encode()

    def read(self) -> bytes:
        """Return the next answer, or all where they follow each other."""
        end = len(self._output) if self.stream else self._output.find(b"\n") + 1
        answer, self._output = self._output[:end], self._output[end:]
        return answer

    def status_byte(self) -> int:
        """Return 0: a serial line has none."""
        return 0

    def clear(self) -> None:
        """Discard what is pending."""
        self._input = self._output = b""

    def push_error(self, code: int, detail: str = "") -> None:
        """Refuse the next line."""
        self._fault = f"{code} {detail}".strip()

    # --- commands ---

    def _do_nothing(self, *values: float) -> str:
        raise Refused("no such command")

    def _do_id_asked(self) -> str:
        return f"MCU8,1.0,{self._serial}"

    def _do_out_asked(self) -> str:
        return str(int(self._on))

    def _do_off(self) -> str:
        self._cells.gate(0.0)
        self._on = False
        return "OK"

    def _do_sel(self, row: float, column: float) -> str:
        if not (row in range(SIZE) and column in range(SIZE)):
            raise Refused(f"no cell {row:g} {column:g}")
        self._row, self._column = int(row), int(column)
        return "OK"

    def _do_gt(self, volts: float) -> str:
        self._cells.gate(self._level(volts))
        self._on = volts != 0.0
        return "OK"

    def _do_rd(self, volts: float) -> str:
        amperes = self._cells.read(self._cell, self._level(volts), APERTURE)
        self.clock.advance(APERTURE)
        return self._converted(amperes)

    def _do_pu(self, volts: float, width: float, count: float) -> str:
        if not (PULSES[0] <= width <= PULSES[1] and 1 <= count <= 1e6):
            raise Refused(f"a pulse of {width:g} s, {count:g} times")
        self._cells.pulse(self._cell, self._level(volts), width, int(count))
        self.clock.advance(2.0 * width * count)
        return "OK"

    def _do_mv(self, *volts: float) -> str:
        if len(volts) != SIZE:
            raise Refused(f"{len(volts)} voltages, not {SIZE}")
        lines = range(SIZE)
        vector = np.array([[self._level(level) for level in volts]])
        amperes = self._cells.multiply("multiply", lines, lines, vector, APERTURE)
        self.clock.advance(APERTURE)
        return " ".join(self._converted(one) for one in amperes[0])

    @property
    def _cell(self) -> tuple[str, int, int]:
        return "multiply", self._row, self._column

    def _level(self, volts: float) -> float:
        if not (math.isfinite(volts) and abs(volts) <= LEVEL):
            raise Refused(f"{volts:g} V is beyond {LEVEL:g} V")
        return volts

    def _converted(self, amperes: Any) -> str:
        noisy = float(amperes) + STEP * float(self.rng.standard_normal())
        return f"{1e9 * STEP * round(min(max(noisy, -ENDS), ENDS) / STEP):.0f}"
