"""Faults to be injected into a rack: what happens to messages on the bus, and to the bench behind it.

A `Fault` strikes chosen messages, a `DaqFault` chosen calls of NI-DAQmx; an accident is what a fault of that kind
does to the laboratory at that moment: a relay sticks, a cell shorts or opens, an interlock or a cable is pulled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mho.instruments.laboratory.laboratory import Laboratory

Kind = Literal["timeout", "error", "refusal", "disconnect", "cut", "accident"]
DaqKind = Literal["timeout", "reset", "removal", "overrun", "underflow", "reserved", "refusal"]


@dataclass(eq=False)
class Fault:
    """One thing that goes wrong on a VISA resource; put it into ``rack.faults``, a list.

    Attributes
    ----------
    resource : str
        VISA resource name, as the rack spells it; empty for every resource.
    kind : {"timeout", "error", "refusal", "disconnect", "cut", "accident"}
        ``timeout``: the message is carried out but its reply is lost. ``error``: the instrument queues error
        `code` before it carries the message out. ``refusal``: it queues the error and carries nothing out, as with
        a message garbled on its way. ``disconnect``: the message does not arrive, and all I/O fails until the
        fault is taken out of the list again (the cable is back in) or, with `opens`, until it is opened anew.
        ``cut``: the same, but the message arrived and is carried out: a pulse is on its way. ``accident``: the
        message passes unharmed, but `accident` happens.
    match : bytes
        Strikes only messages that contain these bytes, as they are on the wire; empty matches all.
    after : int
        How many matching messages pass unharmed first.
    times : int
        How many are struck.
    code : int
        SCPI error number of an ``error`` or a ``refusal``.
    opens : int or None
        At which attempt to open the resource anew a lost connection is back; None is never.
    accident : callable
        Called with the rack.
    """

    resource: str
    kind: Kind
    match: bytes = b""
    after: int = 0
    times: int = 1
    code: int = -240
    opens: int | None = None
    accident: Callable[[Any], object] = field(default=lambda rack: None)
    seen: int = field(default=0, init=False)
    opened: int = field(default=0, init=False)

    def strikes(self, resource: str, message: bytes) -> bool:
        """Tell whether this message is struck; counts it."""
        if self.resource not in ("", resource) or self.match not in message:
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times

    def heals(self) -> bool:
        """Tell whether the lost connection is back at this attempt to open it; counts it."""
        self.opened += 1
        return self.opens is not None and self.opened >= self.opens


def striking(faults: Iterable[Fault | DaqFault], resource: str, message: bytes) -> list[Fault]:
    """Return the faults that strike a message on its way to `resource`."""
    return [fault for fault in faults if isinstance(fault, Fault) and fault.strikes(resource, message)]


@dataclass(eq=False)
class DaqFault:
    """One thing that goes wrong in a call of NI-DAQmx; put it into the laboratory's ``faults`` as well.

    What it strikes raises the `DaqError` that nidaqmx raises on hardware, and is not carried out, except for what
    ends a task.

    Attributes
    ----------
    kind : {"timeout", "reset", "removal", "overrun", "underflow", "reserved", "refusal"}
        ``timeout``: samples (-200284), room in a buffer (-200292) or the end of a task (-200560) do not come in
        time; other calls end with -200474. ``reset``: somebody resets the device, its tasks are aborted and its
        outputs go to 0 V (-88709). ``removal``: the device is gone, its outputs lose their power, and all calls
        fail (-201003) until the fault is taken out of the list again. ``overrun``: samples were overwritten
        before they were read (-200279). ``underflow``: a generation ran out of samples, and its outputs hold
        what they have reached (-200290). ``reserved``: another program has the resource (-50103). ``refusal``:
        error `code`.
    device : str
        Strikes only calls to this device, ``Dev1``; empty for every device.
    match : str
        Strikes only calls whose name in nidaqmx's interpreter contains this: ``read_analog_f64``, ``start_task``.
    after, times : int
        How many matching calls pass unharmed first, and how many are struck.
    code : int
        NI-DAQmx error number instead of the kind's own.
    """

    kind: DaqKind
    device: str = ""
    match: str = ""
    after: int = 0
    times: int = 1
    code: int = 0
    seen: int = field(default=0, init=False)

    def strikes(self, devices: Collection[str], call: str) -> bool:
        """Tell whether a call to `devices` is struck; counts it."""
        if self.device not in ("", *devices) or self.match not in call:
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


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
