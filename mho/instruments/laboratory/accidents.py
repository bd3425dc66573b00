"""Accidents: what a `Fault` of that kind does to the laboratory at the moment it strikes.

A relay sticks, a cell shorts or opens, an interlock or a cable is pulled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mho.instruments.laboratory.laboratory import Laboratory


@dataclass(frozen=True)
class StuckSwitch:
    """The board's switches of its path, or of its mode, stay as they are from now on; it reports that truly."""

    setting: Literal["path", "mode"]

    def __call__(self, lab: Laboratory) -> None:
        """Let it happen."""
        lab.board.stuck[self.setting] = getattr(lab.board, self.setting)


@dataclass(frozen=True)
class BadCell:
    """A cell turns into a resistor that no pulse changes: an open, a short, or one to check contacts with.

    Attributes
    ----------
    conductance : float
        S; 0 for an open, 10 mS for a short that trips every compliance in use.
    cell : (array, row, column) or None
        None for the one that the board has selected; nothing happens while it has none.
    """

    conductance: float
    cell: tuple[str, int, int] | None = None

    def __call__(self, lab: Laboratory) -> None:
        """Let it happen."""
        cell = self.cell or lab.board.cell
        if cell is not None:
            array, row, column = cell
            lab.chip.cells[array].fix((row, column), self.conductance)


@dataclass(frozen=True)
class OpenInterlock:
    """The lid of the test fixture opens: the instrument at `resource` refuses dangerous voltages from now on."""

    resource: str

    def __call__(self, lab: Laboratory) -> None:
        """Let it happen."""
        lab.devices[self.resource].interlock = False


@dataclass(frozen=True)
class OutputKey:
    """Somebody presses the OUTPUT key of the SCPI source-measure unit at `resource`, which is on."""

    resource: str

    def __call__(self, lab: Laboratory) -> None:
        """Let it happen."""
        lab.devices[self.resource].write(b":OUTP OFF\n")


@dataclass(frozen=True)
class StuckOutput:
    """The output relay of the SCPI instrument at `resource` welds: OFF is accepted, the output stays on, and it says so."""

    resource: str

    def __call__(self, lab: Laboratory) -> None:
        """Let it happen."""
        device = lab.devices[self.resource]
        write = device.write
        device.write = lambda data, end=True: write(re.sub(rb"(:OUTP\d?) OFF", rb"\1 ON", data), end)


@dataclass(frozen=True)
class UnpluggedDaq:
    """The cable of a DAQ device is pulled."""

    device: str

    def __call__(self, lab: Laboratory) -> None:
        """Let it happen."""
        lab.daq.unplug(self.device)
