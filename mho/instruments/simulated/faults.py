"""Faults to be injected into a rack: what happens to messages on the bus, and to calls of NI-DAQmx.

A `Fault` strikes chosen messages, a `DaqFault` chosen calls of NI-DAQmx. What a fault may do to the bench behind it at
that moment, an accident, is the business of who wires the rack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["timeout", "error", "refusal", "disconnect", "cut", "accident"]
DaqKind = Literal["timeout", "reset", "removal", "overrun", "underflow", "reserved", "refusal"]


@dataclass(eq=False)
class Fault:
    """One thing that goes wrong on a VISA resource; put it into ``rack.faults``, a list.

    Examples
    --------
    >>> import pyvisa
    >>> from mho.instruments import simulated
    >>> with simulated.rack({"GPIB0::24::INSTR": "keithley2450"}) as rack:
    ...     smu = pyvisa.ResourceManager(rack.visa_library).open_resource("GPIB0::24::INSTR")
    ...     rack.faults.append(simulated.Fault("GPIB0::24::INSTR", "error", match=b"OUTP", code=-350))
    ...     smu.query(":OUTP ON;:SYST:ERR?").split(";")[0]
    '-350,"Queue overflow'
    """

    resource: str  # VISA resource name, as the rack spells it; empty for every resource
    # ``timeout``: the message is carried out but its reply is lost. ``error``: the instrument queues error `code`
    # before it carries the message out. ``refusal``: it queues the error and carries nothing out, as with a message
    # garbled on its way. ``disconnect``: the message does not arrive, and all I/O fails until the fault is taken out
    # of the list again (the cable is back in) or, with `opens`, until it is opened anew that often. ``cut``: the
    # same, but the message arrived and is carried out: a pulse is on its way. ``accident``: the message passes
    # unharmed, but `accident` is called with the rack.
    kind: Kind
    # Strikes only messages that contain these bytes, as they are on the wire; empty matches all
    match: bytes = b""
    # after, times: how many matching messages pass unharmed first, and how many are struck
    after: int = 0
    times: int = 1
    code: int = -240
    opens: int | None = None
    accident: Callable[[Any], object] = field(default=lambda rack: None)
    seen: int = field(default=0, init=False)
    opened: int = field(default=0, init=False)

    def strikes(self, resource: str, message: bytes) -> bool:
        """Count this message, and return whether the fault affects it."""
        if self.resource not in ("", resource) or self.match not in message:
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times

    def heals(self) -> bool:
        """Count this attempt to open the lost connection, and return whether it succeeds."""
        self.opened += 1
        return self.opens is not None and self.opened >= self.opens


def striking(faults: Iterable[Fault | DaqFault], resource: str, message: bytes) -> list[Fault]:
    """Return the faults that strike a message on its way to `resource`."""
    return [fault for fault in faults if isinstance(fault, Fault) and fault.strikes(resource, message)]


@dataclass(eq=False)
class DaqFault:
    """A fault in a call of NI-DAQmx; also added to the laboratory's ``faults``.

    What it strikes raises the `DaqError` that nidaqmx raises on hardware, and is not carried out, except for what
    ends a task.
    """

    # ``timeout``: samples (-200284), room in a buffer (-200292) or the end of a task (-200560) do not come in time;
    # other calls end with -200474. ``reset``: somebody resets the device, its tasks are aborted and its outputs go to
    # 0 V (-88709). ``removal``: the device is gone, its outputs lose their power, and all calls fail (-201003) until
    # the fault is taken out of the list again. ``overrun``: samples were overwritten before they were read (-200279).
    # ``underflow``: a generation ran out of samples, and its outputs hold what they have reached (-200290).
    # ``reserved``: another program has the resource (-50103). ``refusal``: error `code`.
    kind: DaqKind
    device: str = ""  # strikes only calls to this device, ``Dev1``; empty for every device
    # Strikes only calls whose name in nidaqmx's interpreter contains this: ``read_analog_f64``, ``start_task``
    match: str = ""
    # after, times: how many matching calls pass unharmed first, and how many are struck
    after: int = 0
    times: int = 1
    code: int = 0  # NI-DAQmx error number instead of the kind's own
    seen: int = field(default=0, init=False)

    def strikes(self, devices: Collection[str], call: str) -> bool:
        """Count a call to `devices`, and return whether the fault affects it."""
        if self.device not in ("", *devices) or self.match not in call:
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times
