"""A PyVISA backend for racks of simulated instruments, so that any VISA program can talk to them.

``register_rack("name", rack)`` makes ``pyvisa.ResourceManager("name@mho")`` open that rack; without a
registered name the text before ``@mho`` is a bench file; no text means the packaged simulated bench. A read that finds
nothing times out at once: the timeout passes on the virtual clock only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import BufferOperation, StatusCode
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from mho.instruments.simulated.faults import striking
from mho.instruments.simulated.visa.events import EventLibrary
from mho.instruments.simulated.visa.racks import (
    PACKAGED_BENCH,
    find_rack,
    keep_open,
    let_go,
    rack_names,
)
from mho.instruments.simulated.visa.racks import register_rack as register_rack
from mho.instruments.simulated.visa.racks import unregister_rack as unregister_rack
from mho.instruments.simulated.visa.sessions import Line, VisaSession, canonical

__all__ = ["MhoVisaLibrary", "register_rack", "unregister_rack"]

_SUCCESS = StatusCode.success
_MAX_COUNT = StatusCode.success_max_count_read
_TERMCHAR = StatusCode.success_termination_character_read
_NO_WARNINGS = {StatusCode.success_device_not_present, _MAX_COUNT}  # of what `read` returns


class MhoVisaLibrary(EventLibrary):
    """VISA's functions on a rack of simulated instruments."""

    @staticmethod
    def get_library_paths() -> Iterable[LibraryPath]:
        """Return the packaged simulated bench, for ``@mho`` without a name."""
        return (LibraryPath(PACKAGED_BENCH),)

    @staticmethod
    def get_debug_info() -> dict[str, str]:
        """Return the description of this backend for ``pyvisa-info``."""
        return {"Backend": "mho: simulated instruments", "Racks": ", ".join(rack_names()) or "none"}

    # --- resource manager ---

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Look the rack up by its name, and keep this library until it is closed."""
        name = str(self.library_path)
        if self.rack is None or name in rack_names():
            self.rack = find_rack(name)
        counted = getattr(self.rack, "traffic", {})
        self._lines = {
            canonical(resource): Line(resource, device, rname.ResourceName.from_string(resource))
            for resource, device in self.rack.devices.items()
        }
        for line in self._lines.values():
            line.traffic = counted.setdefault(line.name, line.traffic)
        self.issue_warning_on -= _NO_WARNINGS
        self._manager = VISARMSession(next(self._handles))
        keep_open(name, self)
        return self._manager, self._done(self._manager, _SUCCESS)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Return the resource names of the rack that match a VISA expression."""
        return rname.filter([line.name for line in self._lines.values()], query)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int | None = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open a session, and lock the resource if asked to."""
        try:
            line = self._lines.get(canonical(resource_name))
        except rname.InvalidResourceName:
            self._fail(session, StatusCode.error_invalid_resource_name)
        if line is None:
            self._fail(session, StatusCode.error_resource_not_found)
        if line.lost is not None and line.lost in getattr(self.rack, "faults", ()) and not line.lost.heals():
            self._fail(session, StatusCode.error_resource_not_found)
        line.lost = None
        try:
            int(0 if open_timeout is None else open_timeout)
        except (TypeError, ValueError):
            raise ValueError(
                f"open_timeout ({open_timeout!r}) must be an integer (or compatible type)"
            ) from None
        opened = VisaSession(line, session)
        handle = VISASession(next(self._handles))
        if access_mode != constants.AccessModes.no_lock:
            _, status = line.lock(opened, constants.Lock(access_mode), None)
            self._done(session, status)
        self._sessions[handle] = opened
        return handle, self._done(handle, _SUCCESS)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session, an event context, or the resource manager with everything."""
        if session == getattr(self, "_manager", None):
            for handle in list(self._sessions):
                self.close(VISASession(handle))
            self._contexts.clear()
            self._last_status_in_session.clear()
            self._ignore_warning_in_session.clear()
            let_go(str(self.library_path))
            self.rack = None
            self._lines = {}
            return _SUCCESS
        if self._contexts.pop(session, None) is not None:
            return _SUCCESS
        closing = self._sessions.pop(session, None)
        if closing is None:
            self._fail(None, StatusCode.error_invalid_object)
        while closing.line.unlock(closing) == _SUCCESS:
            pass
        closing.line.listeners.pop(session, None)
        self._forget_events(session)
        self._last_status_in_session.pop(session, None)
        self._ignore_warning_in_session.pop(session, None)
        return _SUCCESS

    # --- messages ---

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes; the instrument's reply is queued for reading."""
        sender = self._sessions.get(session) or self._enter(session)
        line = sender.line
        if line.exclusive is not None or line.sharers or line.lost is not None:
            sender = self._enter(session)
        if sender.buffer and not sender.is_stream:  # a reply that is not read completely
            sender.buffer = b""
            sender.device.push_error(-410)
        traffic = sender.traffic
        traffic.messages += 1
        traffic.bytes_sent += len(data)
        faults = getattr(self.rack, "faults", None)
        if faults:
            self._write_with_faults(session, sender, data, faults)
        else:
            sender.device.write(data if type(data) is bytes else bytes(data), sender.send_end)
        if line.listeners:
            self._notify(line)
        self._last_status_in_session[session] = _SUCCESS
        return len(data), _SUCCESS

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Receive at most `count` bytes, up to the end of the reply or the termination character."""
        reader = self._sessions.get(session) or self._enter(session)
        line = reader.line
        if line.exclusive is not None or line.sharers or line.lost is not None:
            reader = self._enter(session)
        data, start = reader.buffer, reader.taken
        if not data:
            data, start = reader.device.read(), 0
        if not data:
            self._time_out(session, reader, reader.timeout)
        end, status = len(data), _SUCCESS
        if reader.frames:
            found = data.find(reader.frames, start) + 1
            # END counts more than a termination character on the same byte (VPP-4.3, viRead (?)).
            if found and (reader.is_stream or found < end):
                end, status = found, _TERMCHAR
        if end - start > count:
            end, status = start + count, _MAX_COUNT
        else:
            reader.traffic.replies += 1
        # A long reply is read in hundreds of parts: the rest is not copied.
        reader.buffer, reader.taken = (data, end) if end < len(data) else (b"", 0)
        reader.traffic.bytes_received += end - start
        self._last_status_in_session[session] = status
        return data[start:end], status

    def _write_with_faults(self, handle: VISASession, sender: VisaSession, data: bytes, faults: Any) -> None:
        striking_now = striking(faults, sender.line.name, data)
        for fault in striking_now:
            if fault.kind == "disconnect":
                sender.line.lost = fault
                sender.buffer = b""
                sender.device.clear()
                self._fail(handle, StatusCode.error_connection_lost)
            if fault.kind in ("error", "refusal"):
                sender.device.push_error(fault.code)
            if fault.kind == "accident":
                fault.accident(self.rack)
        kinds = {fault.kind for fault in striking_now}
        if "refusal" not in kinds:
            sender.device.write(bytes(data), sender.send_end)
        if kinds & {"timeout", "cut"}:
            sender.device.clear()
        for fault in striking_now:
            if fault.kind == "cut":
                sender.line.lost = fault
                self._fail(handle, StatusCode.error_connection_lost)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll."""
        return self._enter(session).device.status_byte(), self._done(session, _SUCCESS)

    def clear(self, session: VISASession) -> StatusCode:
        """Device clear: the instrument discards unfinished input and unread output."""
        clearing = self._enter(session)
        clearing.buffer = b""
        clearing.device.clear()
        return self._done(session, _SUCCESS)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """Bus trigger."""
        line = self._enter(session).line
        line.device.trigger()
        self._notify(line)
        return self._done(session, _SUCCESS)

    def flush(self, session: VISASession, mask: BufferOperation) -> StatusCode:
        """Discard what has been received and not read; writes are never buffered."""
        flushing = self._enter(session)
        discarding = (
            BufferOperation.discard_read_buffer
            | BufferOperation.discard_read_buffer_no_io
            | BufferOperation.discard_receive_buffer
            | BufferOperation.discard_receive_buffer2
        )
        if mask & discarding:
            flushing.buffer = b""
            if flushing.is_stream:
                flushing.device.read()
        return self._done(session, _SUCCESS)

    def gpib_control_ren(self, session: VISASession, mode: constants.RENLineOperation) -> StatusCode:
        """Accept remote and local; a simulated front panel has no keys."""
        self._enter(session)
        return self._done(session, _SUCCESS)

    # --- attributes, locks ---

    def get_attribute(
        self,
        session: VISASession | VISAEventContext | VISARMSession,
        attribute: constants.ResourceAttribute | constants.EventAttribute,
    ) -> tuple[Any, StatusCode]:
        """Return an attribute of a session or of an event."""
        if session in self._contexts:
            return self._event_attribute(session, attribute), _SUCCESS
        value, status = self._find(session).get(attribute)
        return value, self._done(session, status)

    def set_attribute(
        self, session: VISASession, attribute: constants.ResourceAttribute, attribute_state: Any
    ) -> StatusCode:
        """Set an attribute of a session."""
        return self._done(session, self._find(session).set(attribute, attribute_state))

    def lock(
        self, session: VISASession, lock_type: constants.Lock, timeout: int, requested_key: str | None = None
    ) -> tuple[str, StatusCode]:
        """Lock the resource; a wait times out at once, on the virtual clock."""
        locking = self._find(session)
        key, status = locking.line.lock(locking, lock_type, requested_key)
        if status == StatusCode.error_resource_locked and self.rack is not None:
            locking.wait(self.rack.clock, timeout)
        return key, self._done(session, status)

    def unlock(self, session: VISASession) -> StatusCode:
        """Release the lock."""
        unlocking = self._find(session)
        return self._done(session, unlocking.line.unlock(unlocking))
