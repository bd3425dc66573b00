"""The sockets of a board of a user's own: its twin says how its switches stand, and the chip is connected accordingly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mho.array_types import Floats
from mho.errors import BenchError
from mho.instruments.laboratory.block_circuits import ConnectedBlock
from mho.instruments.laboratory.chip_lines import Carrier

SWITCHES = {"OPEN": "OPEN", "READ": "READ", "SET": "SET", "RESET": "RES"}


class BoardSwitches(ConnectedBlock):
    """A `BoardPort`, with what the lines of the chip ask of a board.

    `carrier`: the sockets that hold the chip.
    """

    goes_safe_at = math.inf  # a watchdog of the twin's own grounds by a message of it

    def __init__(self, carrier: Carrier) -> None:
        super().__init__()
        self.path = "OPEN"
        self.cell: tuple[str, int, int] | None = None
        self._carrier = carrier

    # --- what the twin calls ---

    def array_size(self, array: str) -> tuple[int, int] | None:
        """Return rows and columns of an array, or None."""
        return self._carrier.array_size(array)

    def ground(self) -> None:
        """Ground every line: no cell and no block is connected."""
        self._carrier.switching("mode")
        self._disconnect("SAFE")

    def connect_cell(self, cell: tuple[str, int, int] | None, path: str) -> None:
        """Connect a cell to a source; all other lines are grounded."""
        if self.mode != "PROG" or self.path != "OPEN":
            self._carrier.switching("path" if self.mode == "PROG" else "mode")
        if self.mode != "PROG":
            self._disconnect("PROG")
        self.path = "OPEN"
        self.cell = cell
        if path != "OPEN":
            self.path = SWITCHES[path]
            self._carrier.switching("path")

    def connect_multiply(
        self, array: str, rows: Sequence[int], columns: Sequence[int], *, transimpedance: float
    ) -> None:
        """Put rows on the outputs, and columns on amplifiers with a feedback of `transimpedance` (ohm)."""
        self._connect("MULT", array, rows, columns)
        self.transimpedance = transimpedance

    def connect_invert(
        self, positive: str, rows: Sequence[int], columns: Sequence[int], *, input_conductance: float,
        negative: str | None = None, second_slice: tuple[str, str] | None = None, slice_ratio: float = 0.0,
        diagonal: float = 0.0, diagonal_count: int = 0, bias: float = 0.0,
    ) -> None:  # fmt: skip
        """Close the loop of the amplifiers around rows and columns; conductances in S."""
        self._connect("INV", positive, rows, columns)
        self.input_conductance, self.negative = input_conductance, negative
        self.second_slice, self.slice_ratio = second_slice, slice_ratio
        self.diagonal, self.diagonal_count, self.bias = diagonal, diagonal_count, bias

    def exchange(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Play samples of the board's own converters into the connected block; (samples, inputs), V."""
        return self._carrier.exchange(volts, input_count, period)

    # --- what the lines of the chip ask ---

    def closes(self, path: str) -> bool:
        """Return whether the switch of a path (``"READ"``, ``"SET"``, ``"RES"``) is closed."""
        return self.path == path

    def watch(self) -> None:
        """Do nothing: the twin has no time of its own."""

    def heard(self, last: float, until: float) -> bool:
        """Return True: nothing has to be heard."""
        return True

    def _connect(self, mode: str, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        size = self.array_size(array)
        if size is None or max(rows, default=-1) >= size[0] or max(columns, default=-1) >= size[1]:
            raise BenchError(
                f"the twin of the board connects lines that array {array!r} has not: {rows}, {columns}"
            )
        self._carrier.switching("block" if self.mode == mode else "mode")
        self._disconnect(mode)
        self.block = array, tuple(rows), tuple(columns)

    def _disconnect(self, mode: str) -> None:
        self.mode, self.path = mode, "OPEN"
        self.cell = self.block = self.negative = self.second_slice = None
        self.diagonal = self.bias = 0.0
        self.diagonal_count = 0
