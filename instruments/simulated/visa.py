"""A PyVISA backend for racks of simulated instruments, so that any VISA program can talk to them.

``register_rack("name", rack)`` makes ``pyvisa.ResourceManager("name@mho")`` open that rack; without a
registered name the text before ``@mho`` is a bench file, and nothing stands for the packaged simulated bench.
A read that finds nothing times out at once: the time out passes on the virtual clock, nobody sleeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any, NoReturn, cast

from pyvisa import constants, errors, rname
from pyvisa.constants import BufferOperation, EventMechanism, EventType, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from instruments.simulated.faults import striking
from instruments.simulated.racks import PACKAGED_BENCH, Rack, find_rack, keep_open, let_go, rack_names
from instruments.simulated.racks import register_rack as register_rack
from instruments.simulated.racks import unregister_rack as unregister_rack
from instruments.simulated.visa_sessions import Line, Session, canonical

__all__ = ["MhoVisaLibrary", "Rack", "register_rack", "unregister_rack"]

_SUCCESS = StatusCode.success
_MAX_COUNT = StatusCode.success_max_count_read
_TERMCHAR = StatusCode.success_termination_character_read


class MhoVisaLibrary(VisaLibraryBase):
    """VISA's functions on a rack of simulated instruments."""

    rack: Rack | None

    @staticmethod
    def get_library_paths() -> Iterable[LibraryPath]:
        """Name the packaged simulated bench, for ``@mho`` without anything before it."""
        return (LibraryPath(PACKAGED_BENCH),)

    @staticmethod
    def get_debug_info() -> dict[str, str]:
        """Tell ``pyvisa-info`` what this backend is."""
        return {"Backend": "mho: simulated instruments", "Racks": ", ".join(rack_names()) or "none"}

    def _init(self) -> None:
        self.rack = find_rack(str(self.library_path))
        self._lines: dict[str, Line] = {}
        self._sessions: dict[int, Session] = {}
        self._contexts: dict[int, EventType] = {}
        self._handles = count(1)

    # --- resource manager ---

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Switch the rack on: look it up under its name, and keep this library until it is closed."""
        name = str(self.library_path)
        if self.rack is None or name in rack_names():
            self.rack = find_rack(name)
        self._lines = {
            canonical(resource): Line(resource, device, rname.ResourceName.from_string(resource))
            for resource, device in self.rack.devices.items()
        }
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
        opened = Session(line, session)
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
        self._last_status_in_session.pop(session, None)
        self._ignore_warning_in_session.pop(session, None)
        return _SUCCESS

    # --- messages ---

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes; what the instrument replies waits to be read."""
        sender = self._enter(session)
        faults = getattr(self.rack, "faults", None)
        if faults:
            self._write_with_faults(session, sender, data, faults)
        else:
            sender.device.write(bytes(data), sender.send_end)
        self._last_status_in_session[session] = _SUCCESS
        return len(data), _SUCCESS

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Receive at most `count` bytes, up to the end of the reply or the termination character."""
        reader = self._enter(session)
        data = reader.buffer or reader.device.read()
        if not data:
            self._time_out(session, reader, reader.timeout)
        reader.buffer = b""
        status = _SUCCESS
        if reader.frames:
            end = data.find(reader.frames) + 1
            if end:
                data, reader.buffer = data[:end], data[end:]
                status = _TERMCHAR
        if len(data) > count:
            data, reader.buffer = data[:count], data[count:] + reader.buffer
            status = _MAX_COUNT
        self._last_status_in_session[session] = status
        return data, status

    def _enter(self, session: VISASession) -> Session:
        """Find a session and make sure that it may do I/O."""
        entering = self._sessions.get(session)
        if entering is None:
            self._fail(None, StatusCode.error_invalid_object)
        line = entering.line
        if line.guarded:
            if line.lost is not None and line.lost not in getattr(self.rack, "faults", ()):
                line.lost = None
            if line.lost is not None:
                self._fail(session, StatusCode.error_connection_lost)
            if not line.admits(entering):
                self._fail(session, StatusCode.error_resource_locked)
        return entering

    def _write_with_faults(self, handle: VISASession, sender: Session, data: bytes, faults: Any) -> None:
        striking_now = striking(faults, sender.line.name, data)
        for fault in striking_now:
            if fault.kind == "disconnect":
                sender.line.lost = fault
                sender.buffer = b""
                sender.device.clear()
                self._fail(handle, StatusCode.error_connection_lost)
            if fault.kind == "error":
                sender.device.push_error(fault.code)
        sender.device.write(bytes(data), sender.send_end)
        if any(fault.kind == "timeout" for fault in striking_now):
            sender.device.clear()

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll."""
        return self._enter(session).device.status_byte(), self._done(session, _SUCCESS)

    def clear(self, session: VISASession) -> StatusCode:
        """Device clear: the instrument forgets unfinished input and unread output."""
        clearing = self._enter(session)
        clearing.buffer = b""
        clearing.device.clear()
        return self._done(session, _SUCCESS)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """Bus trigger."""
        self._enter(session).device.trigger()
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
            if attribute != constants.EventAttribute.event_type:
                self._fail(None, StatusCode.error_nonsupported_attribute)
            return self._contexts[session], _SUCCESS
        if session not in self._sessions:
            self._fail(None, StatusCode.error_invalid_object)
        value, status = self._sessions[session].get(attribute)
        return value, self._done(session, status)

    def set_attribute(
        self, session: VISASession, attribute: constants.ResourceAttribute, attribute_state: Any
    ) -> StatusCode:
        """Set an attribute of a session."""
        if session not in self._sessions:
            self._fail(None, StatusCode.error_invalid_object)
        return self._done(session, self._sessions[session].set(attribute, attribute_state))

    def lock(
        self, session: VISASession, lock_type: constants.Lock, timeout: int, requested_key: str | None = None
    ) -> tuple[str, StatusCode]:
        """Lock the resource; who has to wait gives up at once, on the virtual clock."""
        locking = self._sessions.get(session)
        if locking is None:
            self._fail(None, StatusCode.error_invalid_object)
        key, status = locking.line.lock(locking, lock_type, requested_key)
        if status == StatusCode.error_resource_locked and self.rack is not None:
            locking.wait(self.rack.clock, timeout)
        return key, self._done(session, status)

    def unlock(self, session: VISASession) -> StatusCode:
        """Release the lock."""
        unlocking = self._sessions.get(session)
        if unlocking is None:
            self._fail(None, StatusCode.error_invalid_object)
        return self._done(session, unlocking.line.unlock(unlocking))

    # --- events: service requests, by queue ---

    def enable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism, context: None = None
    ) -> StatusCode:
        """Queue service requests from now on."""
        enabling = self._enter(session)
        if event_type != EventType.service_request:
            self._fail(session, StatusCode.error_invalid_event)
        if mechanism != EventMechanism.queue:
            self._fail(session, StatusCode.error_nonsupported_mechanism)
        if event_type not in enabling.events:
            enabling.events.add(event_type)
            enabling.seen_requests = enabling.device.service_requests
        return self._done(session, _SUCCESS)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Stop queueing."""
        self._event_session(session).events.clear()
        return self._done(session, _SUCCESS)

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Forget the service requests that nobody has waited for."""
        discarding = self._event_session(session)
        discarding.seen_requests = discarding.device.service_requests
        return self._done(session, _SUCCESS)

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Return the next queued service request under a fresh context."""
        waiting = self._enter(session)
        if EventType.service_request not in waiting.events:
            self._fail(session, StatusCode.error_not_enabled)
        if waiting.seen_requests >= waiting.device.service_requests:
            self._time_out(session, waiting, timeout)
        waiting.seen_requests += 1
        context = VISAEventContext(next(self._handles))
        self._contexts[context] = EventType.service_request
        return EventType.service_request, context, self._done(session, _SUCCESS)

    def _event_session(self, session: VISASession) -> Session:
        if session not in self._sessions:
            self._fail(None, StatusCode.error_invalid_object)
        return self._sessions[session]

    # --- status ---

    def status_description(self, session: VISASession, status: StatusCode) -> tuple[str, StatusCode]:
        """Explain a status code in words."""
        _, text = errors.completion_and_error_messages.get(status, ("", f"unknown status {status}"))
        return text, _SUCCESS

    def _done(self, session: int, status: StatusCode) -> StatusCode:
        """Note a status; raises `VisaIOError` when it is an error."""
        return self.handle_return_value(cast(VISASession, session), status)

    def _fail(self, session: int | None, status: StatusCode) -> NoReturn:
        self.handle_return_value(cast(VISASession, session) if session is not None else None, status)
        raise errors.VisaIOError(status)

    def _time_out(self, handle: VISASession, session: Session, milliseconds: int) -> NoReturn:
        if self.rack is not None:
            session.wait(self.rack.clock, milliseconds)
        self._fail(handle, StatusCode.error_timeout)
