"""A resource of the VISA backend and the sessions on it: attributes, locks, events, framing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pyvisa import attributes, constants, rname
from pyvisa.constants import ResourceAttribute as Attr
from pyvisa.constants import StatusCode

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.ports import Device, Traffic

_FOREVER = constants.VI_TMO_INFINITE
_shared_keys = count(1)
_BUFFER_SIZE = 4096
# Attributes without a default in PyVISA: a serial cable with all its wires, and unused buffers.
_WIRES: dict[str, Any] = {
    "VI_ATTR_ASRL_WIRE_MODE": constants.WireMode.rs232_dte, "VI_ATTR_ASRL_CONNECTED": True,
    **{
        f"VI_ATTR_ASRL_{line}_STATE": constants.LineState.asserted
        for line in ("RTS", "CTS", "DTR", "DSR", "DCD")
    },
    "VI_ATTR_ASRL_RI_STATE": constants.LineState.unasserted, "VI_ATTR_RD_BUF_SIZE": _BUFFER_SIZE,
    "VI_ATTR_WR_BUF_SIZE": _BUFFER_SIZE, "VI_ATTR_USB_MAX_INTR_SIZE": 64,
    "VI_ATTR_TCPIP_HISLIP_OVERLAP_EN": False, "VI_ATTR_TCPIP_HISLIP_VERSION": 0,
}  # fmt: skip


def canonical(resource_name: str) -> str:
    """Spell a resource name in full and in upper case, so that ``USB::…`` finds ``USB0::…::0::INSTR``."""
    return str(rname.ResourceName.from_string(resource_name)).upper()


@dataclass(eq=False)
class VisaResource:
    """One resource: its device, its locks, and whether its cable is plugged in."""

    name: str
    device: Device
    parsed: rname.ResourceName
    exclusive: VisaSession | None = None
    shared_key: str = ""
    sharers: set[VisaSession] = field(default_factory=set)
    lost: Fault | None = None
    traffic: Traffic = field(default_factory=Traffic)
    listeners: dict[int, VisaSession] = field(default_factory=dict)  # sessions with enabled handlers

    def admits(self, session: VisaSession) -> bool:
        """Return whether the locks allow `session` to do I/O."""
        if self.exclusive is not None:
            return self.exclusive is session
        return not self.sharers or session in self.sharers

    def lock(self, session: VisaSession, kind: constants.Lock, key: str | None) -> tuple[str, StatusCode]:
        """Lock for `session`; returns the access key ("" for an exclusive lock) and a status."""
        if self.exclusive not in (None, session):
            return "", StatusCode.error_resource_locked
        if kind == constants.Lock.exclusive:
            if self.sharers - {session}:
                return "", StatusCode.error_resource_locked
            nested = self.exclusive is session
            self.exclusive = session
            return "", StatusCode.success_nested_exclusive if nested else StatusCode.success
        if self.sharers and session not in self.sharers and key != self.shared_key:
            return "", StatusCode.error_resource_locked
        if session in self.sharers:
            return self.shared_key, StatusCode.success_nested_shared
        if not self.sharers:
            self.shared_key = key or f"mho-{next(_shared_keys)}"
        self.sharers.add(session)
        return self.shared_key, StatusCode.success

    def unlock(self, session: VisaSession) -> StatusCode:
        """Release the lock of `session`, the exclusive one first."""
        if self.exclusive is session:
            self.exclusive = None
        elif session in self.sharers:
            self.sharers.discard(session)
        else:
            return StatusCode.error_session_not_locked
        return StatusCode.success


class VisaSession:
    """An open session on a line, with VISA's attributes and the unread part of a reply."""

    __slots__ = (
        "attributes", "buffer", "completions", "device", "events", "frames", "handled", "handled_requests",
        "interface", "is_stream", "line", "seen_requests", "send_end", "taken", "timeout", "traffic",
    )  # fmt: skip

    def __init__(self, line: VisaResource, manager: int) -> None:
        parsed = line.parsed
        self.line = line
        self.device = line.device
        self.traffic = line.traffic
        self.buffer, self.taken = b"", 0  # a reply, and the number of bytes read
        self.interface = (parsed.interface_type_const, str(parsed.resource_class))
        self.attributes = _defaults(line, self.interface, manager)
        self.events: set[int] = set()  # kinds that are queued
        self.handled: set[int] = set()  # kinds for which handlers are called
        self.seen_requests = self.handled_requests = 0
        self.completions: list[Any] = []
        # Whether the transport has no END: a serial port or a raw socket.
        self.is_stream = self.interface[0] == constants.InterfaceType.asrl or self.interface[1] == "SOCKET"
        self._cache()
        if self.is_stream:
            self.device.stream = True

    def _cache(self) -> None:
        """Cache the attributes that every read and write needs."""
        read = self.attributes.get
        self.timeout: int = read(Attr.timeout_value, 2000)
        self.send_end = bool(read(Attr.send_end_enabled, True)) and not self.is_stream
        enabled = read(Attr.termchar_enabled, False) or self.is_stream
        self.frames = bytes([read(Attr.termchar, 10)]) if enabled else b""

    def get(self, attribute: int) -> tuple[Any, StatusCode]:
        """Return an attribute's value and a status."""
        if attribute == constants.VI_ATTR_ASRL_AVAIL_NUM and self.is_stream:
            self.buffer, self.taken = self.buffer[self.taken :] + self.device.read(), 0
            return len(self.buffer), StatusCode.success
        if attribute == Attr.resource_lock_state:
            return self._lock_state(), StatusCode.success
        try:
            return self.attributes[attribute], StatusCode.success
        except KeyError:
            return None, StatusCode.error_nonsupported_attribute

    def set(self, attribute: int, state: Any) -> StatusCode:
        """Set an attribute; returns an error status for an unknown attribute or a value that is not allowed."""
        description = attributes.AttributesByID.get(attribute)
        if description is None or attribute not in self.attributes:
            return StatusCode.error_nonsupported_attribute
        if not description.write:
            return StatusCode.error_attribute_read_only
        if not _allowed(description, state):
            return StatusCode.error_nonsupported_attribute_state
        self.attributes[attribute] = state
        self._cache()
        return StatusCode.success

    def _lock_state(self) -> int:
        if self.line.exclusive is not None:
            return int(constants.AccessModes.exclusive_lock)
        return int(constants.AccessModes.shared_lock if self.line.sharers else constants.AccessModes.no_lock)

    def wait(self, clock: VirtualClock, milliseconds: int) -> None:
        """Advance the virtual clock by the timeout; an infinite one ends at once."""
        if milliseconds != _FOREVER:
            clock.advance(milliseconds * 1e-3)


def _defaults(
    line: VisaResource, interface: tuple[constants.InterfaceType, str], manager: int
) -> dict[int, Any]:
    """Collect the attributes of a resource, from VISA's defaults and from its name."""
    values: dict[int, Any] = {}
    for key in (interface, attributes.AllSessionTypes):
        for description in attributes.AttributesPerResource[key]:
            if description.default is not attributes.NotAvailable:
                values[description.attribute_id] = description.default
    parsed = line.parsed
    known = {
        "VI_ATTR_INTF_TYPE": interface[0], "VI_ATTR_INTF_NUM": _integer(getattr(parsed, "board", 0)),
        "VI_ATTR_INTF_INST_NAME": f"mho simulated {interface[0].name.upper()}",
        "VI_ATTR_RSRC_CLASS": interface[1], "VI_ATTR_RSRC_NAME": str(parsed),
        "VI_ATTR_RSRC_MANF_NAME": "mho", "VI_ATTR_RSRC_MANF_ID": 0, "VI_ATTR_RSRC_IMPL_VERSION": 0x00100000,
        "VI_ATTR_RM_SESSION": manager, "VI_ATTR_DMA_ALLOW_EN": False, "VI_ATTR_4882_COMPLIANT": True,
        "VI_ATTR_MANF_ID": _integer(getattr(parsed, "manufacturer_id", 0)),
        "VI_ATTR_MODEL_CODE": _integer(getattr(parsed, "model_code", 0)),
        "VI_ATTR_USB_SERIAL_NUM": getattr(parsed, "serial_number", ""), "VI_ATTR_USB_PROTOCOL": 1,
        "VI_ATTR_MANF_NAME": "mho", "VI_ATTR_MODEL_NAME": type(line.device).__name__,
        "VI_ATTR_TCPIP_ADDR": getattr(parsed, "host_address", ""),
        "VI_ATTR_TCPIP_HOSTNAME": getattr(parsed, "host_address", ""),
        "VI_ATTR_TCPIP_PORT": _integer(getattr(parsed, "port", 0)),
        "VI_ATTR_TCPIP_DEVICE_NAME": getattr(parsed, "lan_device_name", ""),
        "VI_ATTR_TCPIP_IS_HISLIP": False,
        "VI_ATTR_GPIB_PRIMARY_ADDR": _integer(getattr(parsed, "primary_address", 0)),
        "VI_ATTR_GPIB_SECONDARY_ADDR": constants.VI_NO_SEC_ADDR,
        "VI_ATTR_GPIB_REN_STATE": constants.LineState.asserted, **_WIRES,
    }  # fmt: skip
    for key in (interface, attributes.AllSessionTypes):
        for description in attributes.AttributesPerResource[key]:
            if description.visa_name in known:
                values[description.attribute_id] = known[description.visa_name]
    return values


def _allowed(description: type[attributes.Attribute[Any]], state: Any) -> bool:
    """Return whether a value, as passed to the VISA library, is allowed for an attribute."""
    if issubclass(description, attributes.RangeAttribute):
        return description.min_value <= state <= description.max_value or state in (description.values or ())
    if issubclass(description, attributes.EnumAttribute):
        return state in set(map(int, description.enum_type))
    return True


def _integer(text: Any) -> int:
    try:
        return int(str(text), 0)
    except ValueError:
        return 0
