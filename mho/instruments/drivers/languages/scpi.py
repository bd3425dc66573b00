"""Base of the SCPI drivers: a command and the ``:SYST:ERR?`` after it are one message."""

from __future__ import annotations

import re

from pymeasure.instruments import SCPIMixin

from mho.instruments.drivers.languages.bus import BusChannel, BusInstrument, ReportedError
from mho.instruments.drivers.languages.scpi_properties import (
    CHECK,
    Span,
    choice,
    control,
    counted,
    one_of,
    switch,
    whole,
    within,
)

__all__ = [
    "CHECK", "ScpiChannel", "ScpiInstrument", "Span", "choice", "control", "counted", "one_of", "switch", "whole",
    "within",
]  # fmt: skip

_ERROR_REPLY = re.compile(r'(?:\A|;)\s*([+-]?\d+),"([^"]*(?:""[^"]*)*)"\s*\Z')


class ScpiInstrument(SCPIMixin, BusInstrument):
    """An instrument that speaks SCPI.

    Parameters
    ----------
    address, visa_library, timeout, **connection
        As for `BusInstrument`.
    """

    CHECK = CHECK
    _fine = ""  # the answer to a check that found nothing, as this instrument words it

    def exchange(self, command: str) -> str:
        """Send a message with an error check at its end, and return the replies before the check.

        Raises
        ------
        InstrumentError
            When the instrument reports an error or does not answer.
        """
        self.write(command + CHECK)
        return self._checked(self.receive())

    def _checked(self, reply: str) -> str:
        """Return the part of a reply before the check; most end in the words in which an earlier one found nothing."""
        fine = self._fine
        if reply == fine:
            return ""
        if fine and reply.endswith(fine) and reply[-len(fine) - 1] == ";":
            return reply[: -len(fine) - 1]
        before = super()._checked(reply)
        self._fine = reply[len(before) :].removeprefix(";")
        return before

    def _error_in(self, reply: str) -> ReportedError | None:
        match = _ERROR_REPLY.search(reply)
        return match and ReportedError(int(match[1]), match[2], reply[: match.start()])


class ScpiChannel(BusChannel):
    """One channel of a `ScpiInstrument`; ``{ch}`` in a command is its number."""
