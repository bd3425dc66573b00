"""Text over a VISA session by the library's own two calls, `viWrite` and `viRead`.

A `pyvisa.resources.MessageBasedResource` does the same and more for each message (logs it, copies it, looks for a
terminator that is given twice), which takes longer than all that a driver does with a reply.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

from pymeasure.adapters import Adapter
from pyvisa.constants import StatusCode
from pyvisa.resources import MessageBasedResource

_MORE = StatusCode.success_max_count_read
_EXPECTED = (
    StatusCode.success_device_not_present,
    _MORE,
)  # no warnings: PyVISA's own reads ignore these, too

Send = Callable[..., Any]
Take = Callable[[], str]


def ways(adapter: Adapter) -> tuple[Send, Take]:
    """Return functions that send and receive text: of the VISA session, or of the adapter when it has to log them."""
    session = getattr(adapter, "connection", None)
    if isinstance(session, MessageBasedResource) and not adapter.log.isEnabledFor(logging.DEBUG):
        return _sender(session), _receiver(session)
    return adapter.write, adapter.read


def _sender(session: MessageBasedResource) -> Send:
    library, encoding = session.visalib, session.encoding

    def send(message: str, **options: Any) -> None:
        if options:
            session.write(message, **options)
        else:
            library.write(session.session, (message + (session.write_termination or "")).encode(encoding))

    return send


def _receiver(session: MessageBasedResource) -> Take:
    """Return a function that reads up to the end of a reply, and returns it without its terminator."""
    library, size, encoding = session.visalib, session.chunk_size, session.encoding
    warns = not library.issue_warning_on.isdisjoint(_EXPECTED)

    def more(data: bytes) -> bytes:
        status: Any = _MORE
        while status == _MORE:
            part, status = library.read(session.session, size)
            data += part
        return data

    def take() -> str:
        if warns:
            with library.ignore_warning(session.session, *_EXPECTED):
                data = more(b"")
        else:
            data, status = library.read(session.session, size)
            if status == _MORE:
                data = more(data)
        text, end = data.decode(encoding), session.read_termination
        if not end:
            return text
        if not text.endswith(end):
            warnings.warn("a reply does not end with its terminator", stacklevel=2)
            return text
        return text[: -len(end)]

    return take
