"""Common part of the VISA functions of the simulated backend: open sessions, permissions, and status codes."""

from __future__ import annotations

from itertools import count
from typing import NoReturn, cast

from pyvisa import errors
from pyvisa.constants import StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISASession

from mho.instruments.simulated.devices import Rack
from mho.instruments.simulated.visa.racks import find_rack
from mho.instruments.simulated.visa.sessions import Line, VisaSession


class SessionLibrary(VisaLibraryBase):
    """A library with its rack's lines and the sessions on them."""

    rack: Rack | None

    def _init(self) -> None:
        self.rack = find_rack(str(self.library_path))
        self._lines: dict[str, Line] = {}
        self._sessions: dict[int, VisaSession] = {}
        self._handles = count(1)

    def _find(self, session: int) -> VisaSession:
        """Find an open session."""
        found = self._sessions.get(session)
        if found is None:
            self._fail(None, StatusCode.error_invalid_object)
        return found

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
