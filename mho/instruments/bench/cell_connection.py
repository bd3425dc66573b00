"""Connection of one cell to a source, in an order that protects the chip and the relays.

The word line is on before the path closes, and off after it opens. Relays of a switch matrix move while the path is
open and every source is at 0 V. Opened relays are read back before others close: a stuck one must not join two sources.

Where a switch matrix selects the cell, its relays are the path: the word line goes through them, too, and is on only after
they have closed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mho.errors import BenchError
from mho.instruments.bench.instruments import SOURCES, Operators
from mho.instruments.bench.output_states import OutputStates
from mho.instruments.bench_file.bench_file import BenchFile, ReadSettings
from mho.instruments.limits import Limits
from mho.instruments.roles import Cell, Path, Reading

REST = "ON, at rest at 0 V"
BESIDE = "ON, with the source at the bit line"
OFFSET = 10e-3  # V, above the error of a source-measure unit at 0 V


class Drive(NamedTuple):
    """How pulses of a kind reach the cell: the path to close, the generator's channel, and the sign of its voltages."""

    path: Path
    channel: int
    sign: float


def drives(file: BenchFile) -> dict[str, Drive]:
    """Return how SET and RESET pulses reach the cell; with no source at the source line RESET is negative, at the bit line.

    The channels are those of a pulse generator; a source-measure unit in its place has one, at the path of reads.
    """
    pulser = file.instruments.pulser
    if pulser is None:
        return {"set": Drive("READ", 1, 1.0), "reset": Drive("READ", 1, -1.0)}
    channels = {line: channel for channel, line in pulser.channels.items()}
    up = Drive("SET", channels["bit line"], 1.0)
    across = channels.get("source line")
    return {"set": up, "reset": up._replace(sign=-1.0) if across is None else Drive("RESET", across, 1.0)}


def gate_settings(file: BenchFile) -> dict[str, float]:
    """Return how the source at the word line is configured: a source-measure unit as the reading one, but for its limit."""
    gate, read = file.instruments.gate, file.read
    limit = {"current_limit": file.gate_current}
    if gate is not None and gate.kind == "voltage source":
        return limit
    return limit | {"current_range": max(read.current_range, file.gate_current), "nplc": read.nplc}


class CellLines:
    """The cell, path, word-line voltage and crosspoints that are set; only changes are sent.

    `crosspoints`: closed crosspoints of a switch matrix, by path.
    `states`: record of the state of the sources.
    """

    def __init__(
        self, tools: Operators, crosspoints: Mapping[str, frozenset[str]], limits: Limits,
        states: OutputStates,
    ) -> None:  # fmt: skip
        self._tools, self._crosspoints, self._limits, self._states = tools, crosspoints, limits, states
        self.forget()

    def forget(self) -> None:
        """Discard what is known of the connection."""
        self._cell: Cell | None = None
        self._path: Path | None = None
        self._gate: float | None = None
        self._closed: frozenset[str] | None = None
        self._states.forget(*SOURCES)

    def where(self) -> str:
        """Return which path is closed to which cell, in words."""
        cell = "" if self._cell is None else f" to {_name(self._cell)}"
        return f"path {self._path or 'moving'}{cell}"

    def prepare(self, read: ReadSettings, gate: Mapping[str, float], channels: Iterable[int]) -> None:
        """Take all sources to 0 V, outputs on, then the board into PROGRAM mode.

        `gate`: how the source at the word line is configured.
        `channels`: the pulser's.
        """
        self.forget()
        tools = self._tools
        tools.smu.configure(
            current_limit=read.current_limit, current_range=read.current_range, nplc=read.nplc
        )
        tools.gate.configure(**gate)
        tools.smu.enable()
        self._states.note("smu", REST)
        self._states.note("sink", BESIDE)  # which no bench without one shows
        for channel in channels:
            tools.pulser.configure(channel)
        self._states.note("pulser", REST)
        tools.gate.enable()
        self._states.note("gate", "ON, 0 V")
        tools.board.set_mode("PROGRAM")
        self._path, self._gate = "OPEN", 0.0

    def reach(self, cell: Cell, path: Path, gate: float) -> None:
        """Connect `cell` by `path` with its word line at `gate` (V); the sources are at 0 V, as after each use.

        From cell to cell at one word-line voltage, as reads go, nothing but the board has to act: one that offers
        `connect_cell` opens, addresses and closes in one message.

        `LimitError` for a word-line voltage beyond the limits; nothing is closed; `InstrumentError` when a switch
        does not respond as commanded.
        """
        board = self._tools.board
        relays_move = self._tools.switch is not None and self._closed != self._crosspoints[path]
        if cell != self._cell:
            connect = getattr(board, "connect_cell", None)  # a user's own driver need not have it
            if connect is not None and gate == self._gate and not relays_move:
                self._cell = self._path = None
                connect(cell, path)
                self._cell, self._path = cell, path
                return
            self._route("OPEN")
            self._cell = None
            board.select(cell)
            self._cell = cell
        if relays_move:
            self.idle()
            self.switch_to(self._crosspoints[path])
        self._word_line(gate)
        self._route(path)

    def idle(self) -> None:
        """Take the sources to 0 V, open the path and read it back, then take the word line to 0 V."""
        self._path = None
        self._tools.smu.hold(0.0)
        self._states.note("smu", REST)
        self._route("OPEN")
        self._word_line(0.0)

    def switch_to(self, crosspoints: frozenset[str]) -> None:
        """Close these crosspoints and no others; what somebody closed at the matrix meanwhile is opened, too."""
        switch = self._tools.switch
        if switch is None or crosspoints == self._closed:
            return
        self._closed = None
        closed = switch.closed()
        switch.open_paths(sorted(set(closed) - crosspoints))
        switch.close_paths(sorted(crosspoints.difference(closed)))
        self._closed = crosspoints

    def _word_line(self, volts: float) -> None:
        if volts != self._gate:
            self._limits.check_level("word line", volts, self._gate or 0.0)
            self._gate = None
            self._states.forget("gate")
            self._tools.gate.hold(volts)
            self._gate = volts
            self._states.note("gate", f"ON, {volts:g} V")

    def _route(self, path: Path) -> None:
        # Sources are at 0 V whenever this runs: a read returns the SMU to 0 V in its own message and the
        # pulser idles at 0 V. The board opens, reads back, closes and reads back.
        if path != self._path:
            self._path = None
            self._tools.board.route(path)
            self._path = path


class MatrixLines(CellLines):
    """The same where relays connect the cell: they move with every source at 0 V, the word line's too."""

    def reach(self, cell: Cell, path: Path, gate: float) -> None:
        """Connect `cell` by `path`, then take its word line to `gate` (V); nothing is sent for what is there already.

        Errors as of any `CellLines`; what is connected when a word-line voltage is refused is at 0 V.
        """
        if cell != self._cell or path != self._path:
            self._ground()
            self._cell = self._path = None
            self._tools.board.select(cell)
            self._tools.board.route(path)
            self._cell, self._path = cell, path
        self._word_line(gate)

    def idle(self) -> None:
        """Take all sources to 0 V, then open every relay and read that back."""
        self._ground()
        self._cell = self._path = None
        self._route("OPEN")

    def _ground(self) -> None:
        self._tools.smu.hold(0.0)
        self._states.note("smu", REST)
        self._word_line(0.0)


def conductance(cell: Cell, reading: Reading, volts: float, read: ReadSettings) -> float:
    """Return the conductance (S) of a cell by one reading at `volts` (V), with the settings `read`.

    `BenchError` when the reading ran into compliance, overflowed, or was not taken at the read voltage.
    """
    if reading.tripped:
        raise BenchError(
            f"{_name(cell)}: the read of {volts} V ran into the current limit of {read.current_limit} A; the "
            "cell is shorted or the limit too low"
        )
    if not math.isfinite(reading.current):
        raise BenchError(
            f"{_name(cell)}: the read of {volts} V overflowed the measurement range of {read.current_range} A; give "
            "[read] a larger `current_range`"
        )
    if not abs(reading.voltage - volts) <= 0.1 * abs(volts):
        raise BenchError(
            f"{_name(cell)}: the read was taken at {reading.voltage:.3g} V instead of {volts} V; check whether the "
            "output of the source-measure unit was switched off by hand"
        )
    return reading.current / reading.voltage


def check_levels(cell: Cell, readings: Sequence[Reading], volts: Sequence[float]) -> None:
    """Raise `BenchError` when a point of a sweep is missing, or was not taken at its level (V) without being limited.

    A point in compliance is at a lower voltage: that is a result of a sweep, not an error.
    """
    if len(readings) != len(volts):
        raise BenchError(
            f"{_name(cell)}: a sweep of {len(volts)} points came back with {len(readings)}; nothing of it is kept"
        )
    for reading, level in zip(readings, volts, strict=True):
        if not reading.tripped and not abs(reading.voltage - level) <= 0.1 * abs(level) + OFFSET:
            raise BenchError(
                f"{_name(cell)}: a point of a sweep was taken at {reading.voltage:.3g} V instead of {level:.3g} V; "
                "check whether the output of the source-measure unit was switched off by hand"
            )


def _name(cell: Cell) -> str:
    return f"{cell.array}[{cell.row}, {cell.column}]"
