"""What is said while a bench works for another library: the log, as there is neither a run file nor a terminal."""

from __future__ import annotations

import logging

from mho.procedures.stream import NullStream

log = logging.getLogger("mho.linalg")


class Messages(NullStream):
    """A stream without a run file: what is said goes to the log ``mho.linalg``, where Python shows warnings.

    Attributes
    ----------
    said : list of (str, str)
        Level and text of each message.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []

    def say(self, text: str, level: str = "INFO", *, unsafe: bool = False) -> None:
        """Keep a message, and log it."""
        self.said.append((level, text))
        log.log(logging.getLevelNamesMapping()[level], text)
