"""Events of the simulated VISA library: service requests and finished asynchronous reads, by queue or by handler.

Nothing happens between two calls on a virtual bench, so a handler is called before the write that caused the
event returns, and an asynchronous read is complete when it is begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyvisa import errors
from pyvisa.constants import EventAttribute, EventMechanism, EventType, StatusCode
from pyvisa.typing import VISAEventContext, VISAHandler, VISAJobID, VISASession

from mho.instruments.simulated.visa.library import SessionLibrary
from mho.instruments.simulated.visa.sessions import Line

SUPPORTED = frozenset({EventType.service_request, EventType.io_completion})


@dataclass(frozen=True)
class Occurrence:
    """An event that has occurred, with the attributes of its context."""

    kind: EventType
    attributes: Mapping[int, Any] = field(default_factory=dict)


class EventLibrary(SessionLibrary):
    """VISA's functions for events."""

    def _init(self) -> None:
        super()._init()
        self._contexts: dict[int, Occurrence] = {}
        self._handlers: dict[int, list[tuple[EventType, VISAHandler, Any]]] = {}
        self._jobs: dict[VISAJobID, tuple[int, bytes]] = {}  # session and data of asynchronous reads

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
        found = [
            number
            for number, (kind, function, handle) in enumerate(installed)
            if kind == event_type and function == handler and handle is user_handle
        ]
        if not found:
            self._fail(session, StatusCode.error_invalid_handler_reference)
        del installed[found[0]]
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
                EventAttribute.status: status,
                EventAttribute.job_id: job,
                EventAttribute.return_count: len(data),
                EventAttribute.operation_name: "viReadAsync",
            },
        )
        if EventType.io_completion in reading.events:
            reading.completions.append(occurrence)
        if EventType.io_completion in reading.handled:
            self._call(session, occurrence)
        return data, job, self._done(session, StatusCode.success)

    def get_buffer_from_id(self, job_id: VISAJobID) -> bytes | None:
        """Return the data of an asynchronous read of an open session; None for any other number."""
        job = self._jobs.get(job_id)
        return None if job is None else job[1]

    def _notify(self, line: Line) -> None:
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
