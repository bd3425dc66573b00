"""A switch matrix in the place of a board: it selects a cell by connecting the cell's lines, one device at a time."""

from __future__ import annotations

from mho.errors import InstrumentError
from mho.instruments.bench.stand_ins import Absent
from mho.instruments.bench_file.switch_paths import CellWiring
from mho.instruments.roles import Cell, Mode, Path, SwitchMatrix


class MatrixBoard(Absent):
    """Connects a cell by relays; whoever calls it has taken every source to 0 V.

    What is to open is open, as read back, before anything closes: a stuck relay must not join two devices.
    """

    serves = "multiply"
    slice_ratio = 0.0

    def __init__(self, bench: str, switch: SwitchMatrix, wiring: CellWiring) -> None:
        super().__init__(bench)
        self._switch, self._wiring = switch, wiring
        self._cell: Cell | None = None

    def set_mode(self, mode: Mode) -> None:
        """Open every relay, for a mode without vectors."""
        if mode not in ("SAFE", "PROGRAM"):
            self.__getattr__("set_mode")
        self.route("OPEN")

    def select(self, cell: Cell) -> None:
        """Take the cell that the next `route` connects; no relay moves."""
        self._cell = cell

    def route(self, path: Path) -> None:
        """Open all relays but those of this use of the cell, read back, close these, read back.

        `InstrumentError` when a relay stays closed, or open; in the first case none has been closed.
        """
        switch, cell = self._switch, self._cell
        wanted: frozenset[str] = frozenset()
        if path != "OPEN" and cell is not None:
            wanted = self._wiring.crosspoints(path, cell.row, cell.column)
        if others := {*switch.closed()} - wanted:
            switch.open_paths(sorted(others))
        closed = {*switch.closed()}
        if stuck := closed - wanted:
            raise InstrumentError(
                f"the switch matrix still has {', '.join(sorted(stuck))} closed: nothing else is closed, for that could "
                "join two devices; look for a stuck relay"
            )
        if missing := wanted - closed:
            switch.close_paths(sorted(missing))
            if (closed := {*switch.closed()}) != wanted:
                raise InstrumentError(
                    f"the switch matrix has {', '.join(sorted(closed)) or 'nothing'} closed instead of "
                    f"{', '.join(sorted(wanted))}; look for a stuck relay"
                )
