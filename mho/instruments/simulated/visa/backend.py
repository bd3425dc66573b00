"""A PyVISA backend for racks of simulated instruments, so that any VISA program can talk to them.

``register_rack("name", rack)`` makes ``pyvisa.ResourceManager("name@mho")`` open that rack; without a
registered name the text before ``@mho`` is a bench file; no text means the packaged simulated bench. A read that finds
nothing times out at once: the timeout passes on the virtual clock only. Nothing happens between two calls on a virtual
bench, so an event's handler is called before the write that caused it returns, and an asynchronous read is complete when it
is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn, cast

from pyvisa import constants, errors, rname
from pyvisa.constants import BufferOperation, EventAttribute, EventMechanism, EventType, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISAHandler, VISAJobID, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from mho.instruments.simulated.faults import striking
from mho.instruments.simulated.ports import Rack
from mho.instruments.simulated.visa.sessions import VisaResource, VisaSession, canonical

PACKAGED_BENCH = "simulated"

# Builds the rack of a bench file from its name, "" for the packaged simulated bench
Build = Callable[[str], Rack]


# PyVISA identifies a library by its path only, with a weak reference: the racks by path, and the libraries
# with an open resource manager, have to be kept here.
_racks: dict[str, Rack] = {}
_open_libraries: dict[str, VisaLibraryBase] = {}
_builders: list[Build] = []


def register_rack(name: str, rack: Rack) -> None:
    """Make ``pyvisa.ResourceManager(f"{name}@mho")`` open `rack`; `ValueError` when another rack has that name."""
    if name in _racks and _racks[name] is not rack:
        raise ValueError(f"a rack named {name!r} is registered already; unregister it first")
    _racks[name] = rack


def unregister_rack(name: str) -> None:
    """Remove a rack and close the sessions that are still open on it."""
    _racks.pop(name, None)
    library = _open_libraries.get(name)
    if library is not None and library.resource_manager is not None:
        library.resource_manager.close()


def rack_names() -> list[str]:
    """Return the names that are registered."""
    return sorted(_racks)


def build_others_by(build: Build) -> None:
    """Set `build` as the function that builds the rack of a name that is not registered."""
    _builders[:] = [build]


def find_rack(name: str) -> Rack:
    """Return a registered rack; any other name is a bench file whose rack is built, if `build_others_by` was called."""
    if name in _racks:
        return _racks[name]
    if not _builders:
        raise ValueError(f"no rack is named {name!r}; there are {', '.join(rack_names()) or 'none'}")
    return _builders[0]("" if name == PACKAGED_BENCH else name)


SUPPORTED = frozenset({EventType.service_request, EventType.io_completion})


@dataclass(frozen=True)
class Occurrence:
    """An event that has occurred, with the attributes of its context."""

    kind: EventType
    attributes: Mapping[int, Any] = field(default_factory=dict)


__all__ = ["MhoVisaLibrary", "register_rack", "unregister_rack"]

_SUCCESS = StatusCode.success
_MAX_COUNT = StatusCode.success_max_count_read
_TERMCHAR = StatusCode.success_termination_character_read
_NO_WARNINGS = {StatusCode.success_device_not_present, _MAX_COUNT}  # of what `read` returns


class MhoVisaLibrary(VisaLibraryBase):
    """VISA's functions on a rack of simulated instruments."""

    rack: Rack | None

    def _init(self) -> None:
        self.rack = find_rack(str(self.library_path))
        self._lines: dict[str, VisaResource] = {}
        self._sessions: dict[int, VisaSession] = {}
        self._handles = count(1)
        self._contexts: dict[int, Occurrence] = {}
        self._handlers: dict[int, list[tuple[EventType, VISAHandler, Any]]] = {}
        self._jobs: dict[VISAJobID, tuple[int, bytes]] = {}  # session and data of asynchronous reads

    def _find(self, session: int) -> VisaSession:
        """Find an open session."""
        visa_session = self._sessions.get(session)
        if visa_session is None:
            self._fail(None, StatusCode.error_invalid_object)
        return visa_session

    def _enter(self, session: VISASession) -> VisaSession:
        """Find a session and check that it may do I/O."""
        entering = self._sessions.get(session)
        if entering is None:
            self._fail(None, StatusCode.error_invalid_object)
        line = entering.line
        if line.exclusive is not None or line.sharers or line.lost is not None:
            if line.lost is not None and line.lost not in getattr(self.rack, "faults", ()):
                line.lost = None
            if line.lost is not None:
                self._fail(session, StatusCode.error_connection_lost)
            if not line.admits(entering):
                self._fail(session, StatusCode.error_resource_locked)
        return entering

    def status_description(self, session: VISASession, status: StatusCode) -> tuple[str, StatusCode]:
        """Explain a status code in words."""
        _, text = errors.completion_and_error_messages.get(status, ("", f"unknown status {status}"))
        return text, StatusCode.success

    def _done(self, session: int, status: StatusCode) -> StatusCode:
        """Store a status; raises `VisaIOError` when it is an error."""
        return self.handle_return_value(cast(VISASession, session), status)

    def _fail(self, session: int | None, status: StatusCode) -> NoReturn:
        self.handle_return_value(cast(VISASession, session) if session is not None else None, status)
        raise errors.VisaIOError(status)

    def _time_out(self, handle: VISASession, session: VisaSession, milliseconds: int) -> NoReturn:
        if self.rack is not None:
            session.wait(self.rack.clock, milliseconds)
        self._fail(handle, StatusCode.error_timeout)

    # --- handlers and queues ---

    def install_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any = None
    ) -> tuple[VISAHandler, Any, Any, StatusCode]:
        """Install `handler(session, event_type, context, user_handle)`, called once events are enabled for it."""
        self._find(session)
        if not callable(handler):
            raise TypeError(f"an event handler must be callable, not {type(handler).__name__}")
        self._handlers.setdefault(session, []).append((event_type, handler, user_handle))
        return handler, user_handle, handler, self._done(session, StatusCode.success)

    def uninstall_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any = None
    ) -> StatusCode:
        """Remove a handler."""
        self._find(session)
        installed = self._handlers.get(session, [])
        places = [
            number
            for number, (kind, function, handle) in enumerate(installed)
            if kind == event_type and function == handler and handle is user_handle
        ]
        if not places:
            self._fail(session, StatusCode.error_invalid_handler_reference)
        del installed[places[0]]
        return self._done(session, StatusCode.success)

    def enable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism, context: None = None
    ) -> StatusCode:
        """Queue events from now on, or call the handlers."""
        enabling = self._enter(session)
        if event_type not in SUPPORTED:
            self._fail(session, StatusCode.error_invalid_event)
        if mechanism == EventMechanism.queue:
            if event_type not in enabling.events:
                enabling.events.add(event_type)
                enabling.seen_requests = enabling.device.service_requests
        elif mechanism == EventMechanism.handler:
            if not any(kind == event_type for kind, _, _ in self._handlers.get(session, ())):
                self._fail(session, StatusCode.error_handler_not_installed)
            if event_type not in enabling.handled:
                enabling.handled.add(event_type)
                enabling.handled_requests = enabling.device.service_requests
                enabling.line.listeners[session] = enabling
        else:
            self._fail(session, StatusCode.error_nonsupported_mechanism)
        return self._done(session, StatusCode.success)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Stop queueing, or calling."""
        disabling = self._find(session)
        kinds = SUPPORTED if event_type == EventType.all_enabled else {event_type}
        if mechanism & EventMechanism.queue:
            disabling.events -= kinds
        if mechanism & EventMechanism.handler:
            disabling.handled -= kinds
            if not disabling.handled:
                disabling.line.listeners.pop(session, None)
        return self._done(session, StatusCode.success)

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Discard the queued events."""
        discarding = self._find(session)
        if event_type in (EventType.service_request, EventType.all_enabled):
            discarding.seen_requests = discarding.device.service_requests
        if event_type in (EventType.io_completion, EventType.all_enabled):
            discarding.completions.clear()
        return self._done(session, StatusCode.success)

    # --- events ---

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Return the next queued event under a fresh context."""
        waiting = self._enter(session)
        kinds = (SUPPORTED if in_event_type == EventType.all_enabled else {in_event_type}) & waiting.events
        if not kinds:
            self._fail(session, StatusCode.error_not_enabled)
        if EventType.io_completion in kinds and waiting.completions:
            occurrence = waiting.completions.pop(0)
        elif EventType.service_request in kinds and waiting.seen_requests < waiting.device.service_requests:
            waiting.seen_requests += 1
            occurrence = Occurrence(EventType.service_request)
        else:
            self._time_out(session, waiting, timeout)
        return occurrence.kind, self._open(occurrence), self._done(session, StatusCode.success)

    def read_asynchronously(self, session: VISASession, count: int) -> tuple[bytes, VISAJobID, StatusCode]:
        """Read, and report the result by an I/O completion event; a read that finds nothing completes as timed out."""
        reading = self._enter(session)
        try:
            data, status = self.read(session, count)
        except errors.VisaIOError as error:
            data, status = b"", StatusCode(error.error_code)
        job = VISAJobID(next(self._handles))
        self._jobs[job] = session, data
        occurrence = Occurrence(
            EventType.io_completion,
            {
                EventAttribute.status: status, EventAttribute.job_id: job,
                EventAttribute.return_count: len(data), EventAttribute.operation_name: "viReadAsync",
            },
        )  # fmt: skip
        if EventType.io_completion in reading.events:
            reading.completions.append(occurrence)
        if EventType.io_completion in reading.handled:
            self._call(session, occurrence)
        return data, job, self._done(session, StatusCode.success)

    def get_buffer_from_id(self, job_id: VISAJobID) -> bytes | None:
        """Return the data of an asynchronous read of an open session; None for any other number."""
        job = self._jobs.get(job_id)
        return None if job is None else job[1]

    def _notify(self, line: VisaResource) -> None:
        """Call the handlers of all sessions on a line that has requested service since their last call."""
        for handle, listening in list(line.listeners.items()):
            while listening.handled_requests < listening.device.service_requests:
                listening.handled_requests += 1
                if EventType.service_request in listening.handled:
                    self._call(handle, Occurrence(EventType.service_request))

    def _call(self, session: int, occurrence: Occurrence) -> None:
        for kind, handler, user_handle in list(self._handlers.get(session, ())):
            if kind == occurrence.kind:
                context = self._open(occurrence)
                try:
                    handler(VISASession(session), kind, context, user_handle)
                finally:
                    self._contexts.pop(context, None)

    def _open(self, occurrence: Occurrence) -> VISAEventContext:
        context = VISAEventContext(next(self._handles))
        self._contexts[context] = occurrence
        return context

    def _event_attribute(self, context: int, attribute: int) -> Any:
        occurrence = self._contexts[context]
        if attribute == EventAttribute.event_type:
            return occurrence.kind
        if attribute not in occurrence.attributes:
            self._fail(None, StatusCode.error_nonsupported_attribute)
        return occurrence.attributes[attribute]

    def _forget_events(self, session: int) -> None:
        """Discard the events of a closed session."""
        self._handlers.pop(session, None)
        for job in [job for job, (owner, _) in self._jobs.items() if owner == session]:
            del self._jobs[job]

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
            canonical(resource): VisaResource(resource, device, rname.ResourceName.from_string(resource))
            for resource, device in self.rack.devices.items()
        }
        for line in self._lines.values():
            line.traffic = counted.setdefault(line.name, line.traffic)
        self.issue_warning_on -= _NO_WARNINGS
        self._manager = VISARMSession(next(self._handles))
        _open_libraries[name] = self
        return self._manager, self._done(self._manager, _SUCCESS)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Return the resource names of the rack that match a VISA expression."""
        return rname.filter([line.name for line in self._lines.values()], query)

    def open(
        self, session: VISARMSession, resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int | None = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:  # fmt: skip
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
            _open_libraries.pop(str(self.library_path), None)
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
        abort = getattr(closing.device, "abort", None)
        if abort is not None and all(other.line is not closing.line for other in self._sessions.values()):
            abort()  # of a script that another thread has begun, and that nobody could clear any more
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
            line_end = data.find(reader.frames, start) + 1
            # END counts more than a termination character on the same byte (VPP-4.3, viRead (?)).
            if line_end and (reader.is_stream or line_end < end):
                end, status = line_end, _TERMCHAR
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
            BufferOperation.discard_read_buffer | BufferOperation.discard_read_buffer_no_io
            | BufferOperation.discard_receive_buffer | BufferOperation.discard_receive_buffer2
        )  # fmt: skip
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
