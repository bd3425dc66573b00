"""A stream that hands on warnings and progress and records nothing: for matrices that are means to another end."""

from __future__ import annotations

from mho.procedures.stream import Event, NullStream, Progress, Stream


class WarningsOnly(NullStream):
    """The words and safe points of another stream, whose run file has tables of its own.

    Parameters
    ----------
    stream : Stream
        That of the run.
    """

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._whole = stream
        self.check = stream.check

    def say(self, text: str, level: str = "INFO", *, unsafe: bool = False) -> None:
        """Hand on what is no mere information."""
        if level != "INFO":
            self._whole.say(text, level, unsafe=unsafe)

    def announce(self, event: Event) -> None:
        """Hand on progress; rows are those of tables that the run does not have."""
        if isinstance(event, Progress):
            self._whole.announce(event)
