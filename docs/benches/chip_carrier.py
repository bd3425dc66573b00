"""Driver of a chip carrier with 8 x 8 arrays: switches, amplifiers and converters, by a text protocol of one's own.

The protocol is in docs/your-own-board.md. Each line is answered by one line: ``OK``, numbers, or ``ERR`` and a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyvisa

from mho.errors import InstrumentError
from mho.instruments.roles import Cell, Mode, Path

SIZE = 8  # outputs, and inputs
MODES: dict[str, Mode] = {"SAFE": "SAFE", "PROG": "PROGRAM", "MUL": "MULTIPLY", "INV": "INVERT"}


class ChipCarrier:
    """The carrier as a board: selects cells, connects blocks; its converters are the bench's DAQ.

    `address`: VISA resource name.
    `visa_library`: PyVISA's choice of a library; empty for the system's.
    `transimpedance`: feedback resistors that are fitted, ohm.
    """

    input_conductance = 35e-6  # S, of the resistors between outputs and rows in INVERT
    output_count = input_count = SIZE
    sample_period = 1e-3  # s, a vector a line

    def __init__(self, address: str, visa_library: str = "", *, transimpedance: float = 20e3) -> None:
        self.transimpedance = transimpedance
        self._cell: Cell | None = None
        try:
            self._line: Any = pyvisa.ResourceManager(visa_library).open_resource(
                address, read_termination="\n", write_termination="\n", timeout=5000
            )
        except (pyvisa.VisaIOError, OSError, ValueError) as error:
            raise InstrumentError(f"the carrier at {address} cannot be opened: {error}") from error

    def ask(self, line: str) -> str:
        """Send a line and return its answer; raises `InstrumentError` for none, or a refusal."""
        try:
            answer = str(self._line.query(line)).strip()
        except (pyvisa.VisaIOError, pyvisa.errors.InvalidSession, OSError, UnicodeDecodeError) as error:
            raise InstrumentError(f"the carrier did not answer {line!r}: {error}") from error
        if answer.startswith("ERR"):
            raise InstrumentError(f"the carrier refused {line!r}: {answer[3:].strip()}")
        return answer

    def identify(self) -> str:
        """Return name, firmware and serial number."""
        return self.ask("ID?")

    def settings(self) -> dict[str, str]:
        """Return what run files keep of it."""
        return {"mode": self.standing_mode(), "transimpedance": f"{self.transimpedance:g} ohm"}

    def standing_mode(self) -> Mode:
        """Ask for the mode; with this it is believed when it says that it is safe."""
        return MODES[self.ask("MODE?")]

    def make_safe(self) -> None:
        """Ground every line, and ask whether that is so."""
        self.set_mode("SAFE")
        if self.standing_mode() != "SAFE":
            raise InstrumentError("the carrier does not ground its lines; take its supply off")

    def close(self) -> None:
        """Release the line."""
        self._line.close()

    # --- select ---

    def set_mode(self, mode: Mode) -> None:
        """Ground every line; a block is connected, or a cell addressed, by what follows."""
        self.ask("PROG" if mode == "PROGRAM" else "SAFE")

    def select(self, cell: Cell) -> None:
        """Take the cell that the next path connects."""
        self._cell = cell

    def route(self, path: Path) -> None:
        """Connect the cell to a source; the carrier opens before it closes."""
        if self._cell is None or path == "OPEN":
            self.ask("PROG")
        else:
            self.ask(f"CELL {self._cell.array} {self._cell.row} {self._cell.column} {path}")

    # --- multiply, invert ---

    def connect_multiply(self, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Put rows on the outputs, columns on the amplifiers."""
        self.ask(f"MUL {array} {_lines(rows)} {_lines(columns)}")

    def connect_invert(
        self, positive: str, rows: Sequence[int], columns: Sequence[int], *, negative: str | None,
        diagonal: float, diagonal_count: int,
    ) -> None:  # fmt: skip
        """Close the loop; the carrier has neither dividers for a second slice nor bias resistors."""
        self.ask(
            f"INV {positive} {negative or '-'} {_lines(rows)} {_lines(columns)} {diagonal:.6e} {diagonal_count}"
        )

    @property
    def converters(self) -> ChipCarrier:
        """Its converters are over the same line."""
        return self

    def exchange(self, volts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Play vectors (samples, outputs), V, and return what the inputs read, (samples, inputs), V."""
        lines = ["PLAY " + " ".join(f"{level:.9e}" for level in vector) for vector in volts]
        return np.array([[float(text) for text in self.ask(line).split()] for line in lines])


def _lines(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
