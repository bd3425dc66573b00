"""Accidents: the effect of a `Fault` of that kind on the laboratory when it occurs.

A relay sticks, a cell shorts or opens, an interlock or a cable is pulled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mho.instruments.laboratory.laboratory import Laboratory


@dataclass(frozen=True)
class StuckSwitch:
    """The board's switches of its path, or of its mode, no longer move; the board reports their true state."""

    setting: Literal["path", "mode"]

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        lab.board.stuck[self.setting] = getattr(lab.board, self.setting)


@dataclass(frozen=True)
class BadCell:
    """A cell turns into a resistor that no pulse changes: an open, a short, or one to check contacts with."""

    conductance: float  # S; 0 for an open, 10 mS for a short that trips every compliance in use
    # None for the cell that the board has selected; nothing happens while none is selected
    cell: tuple[str, int, int] | None = None

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        cell = self.cell or lab.board.cell
        if cell is not None:
            array, row, column = cell
            lab.chip.cells[array].fix((row, column), self.conductance)


@dataclass(frozen=True)
class LeakySelector:
    """The select transistor of a cell no longer switches off: it conducts so much (S) with its word line at 0 V."""

    conductance: float
    cell: tuple[str, int, int]

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        lab.lines.leaks[self.cell] = self.conductance


@dataclass(frozen=True)
class BrokenLineAccident:
    """A line of an array breaks: the cells from the crossing line `first` on are no longer connected."""

    array: str
    kind: Literal["row", "column"]  # a bit line or a source line
    line: int  # its number
    first: int = 0

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        lab.lines.broken.add((self.array, self.kind, self.line, self.first))


@dataclass(frozen=True)
class OpenInterlock:
    """The lid of the test fixture opens: the instrument at `resource` then refuses hazardous voltages."""

    resource: str

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        lab.devices[self.resource].interlock = False


@dataclass(frozen=True)
class OutputKey:
    """The OUTPUT key of the SCPI source-measure unit at `resource` is pressed while the output is on."""

    resource: str

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        lab.devices[self.resource].write(b":OUTP OFF\n")


@dataclass(frozen=True)
class StuckOutput:
    """The output relay of the SCPI instrument at `resource` welds: it accepts OFF, stays on, and reports so."""

    resource: str

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        device = lab.devices[self.resource]
        write = device.write
        device.write = lambda data, end=True: write(re.sub(rb"(:OUTP\d?) OFF", rb"\1 ON", data), end)


@dataclass(frozen=True)
class UnpluggedDaq:
    """The cable of a DAQ device is pulled."""

    device: str

    def __call__(self, lab: Laboratory) -> None:
        """Apply the accident to the laboratory."""
        lab.daq.unplug(self.device)
