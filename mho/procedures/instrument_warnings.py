"""Recording of instruments' warnings (such as a restored connection) in the file of the present run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mho.procedures.stream import Stream


class _WarningHandler(logging.Handler):
    """Passes warnings and errors to a stream; the run itself reports critical ones."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(logging.WARNING)
        self._stream, self._thread = stream, threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Accept only records of the run's own thread, which alone may write its file."""
        return record.thread == self._thread and record.levelno < logging.CRITICAL

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a file that cannot be written must not keep an instrument from being made safe."""
        try:
            self._stream.say(record.getMessage(), "ERROR" if record.levelno >= logging.ERROR else "WARNING")
        except Exception:
            self.handleError(record)


@contextmanager
def warnings_recorded(stream: Stream) -> Iterator[None]:
    """Write warnings of the instruments' loggers to `stream` within the block."""
    handler, logger = _WarningHandler(stream), logging.getLogger("mho.instruments")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
