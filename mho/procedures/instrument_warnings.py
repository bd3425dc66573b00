"""What instruments warn of while a run goes on (a connection that came back, say), kept in its file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mho.procedures.stream import Stream


class _Overhearing(logging.Handler):
    """Passes warnings and errors on to a stream; what is critical, its run says itself."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(logging.WARNING)
        self._stream, self._thread = stream, threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let only the run's own thread write its file."""
        return record.thread == self._thread and record.levelno < logging.CRITICAL

    def emit(self, record: logging.LogRecord) -> None:
        """Say it; a file that cannot be written must not keep an instrument from being made safe."""
        try:
            self._stream.say(record.getMessage(), "ERROR" if record.levelno >= logging.ERROR else "WARNING")
        except Exception:
            self.handleError(record)


@contextmanager
def overheard(stream: Stream) -> Iterator[None]:
    """Say to `stream` what the instruments' loggers warn of within."""
    handler, logger = _Overhearing(stream), logging.getLogger("mho.instruments")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
