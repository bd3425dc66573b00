"""SCPI drivers: properties declared in a line each, and a command and the ``:SYST:ERR?`` after it as one message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pymeasure.instruments import Instrument, SCPIMixin

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.languages.bus import BusChannel, BusInstrument, ReportedError

CHECK = ";:SYST:ERR?"
"""Suffix of a setting command; `check_set_errors` reads its answer."""


@dataclass(frozen=True)
class Span:
    """Allowed range of a setting, for `within`: limits in `unit`, and the name shown to the user."""

    minimum: float
    maximum: float
    name: str
    unit: str = ""


def within(value: float, span: Span) -> float:
    """Return `value` when it lies in `span`.

    Raises
    ------
    LimitError
        When it does not, or is not a number; nothing is truncated.
    """
    try:
        if span.minimum <= value <= span.maximum:
            return value
    except (TypeError, ValueError) as error:
        raise LimitError(f"{span.name} is one number, not {value!r}; give a number") from error
    raise LimitError(
        f"{span.name} {value:g} {span.unit} is beyond what the instrument can do "
        f"({span.minimum:g} to {span.maximum:g} {span.unit}); choose a value within"
    )


def whole(value: float, span: Span) -> float:
    """Return `value` when it is a whole number in `span`, else raise `LimitError`: an instrument would round it."""
    if within(value, span) != int(value):
        raise LimitError(f"{span.name} {value:g} is not a whole number; choose one")
    return value


def one_of(value: Any, choices: Iterable[Any], name: str = "value") -> Any:
    """Return `value` when it is one of `choices`, else raise `InstrumentError` with the value."""
    if value not in choices:
        raise InstrumentError(
            f"{name} {value!r} does not exist; choose one of {', '.join(map(repr, choices))}"
        )
    return value


def control(command: str, docs: str, span: Span) -> Any:
    """Declare a numeric property: ``command?`` queries, ``command <value>`` sets and is checked.

    Parameters
    ----------
    command : str
        Header without question mark.
    docs : str
        Docstring of the property.
    span : Span
        Values that may be set.
    """
    return Instrument.control(
        f"{command}?", f"{command} %.9e{CHECK}", docs, validator=within, values=span, check_set_errors=True
    )


def counted(command: str, docs: str, span: Span) -> Any:
    """Declare a whole-number property; otherwise as `control`."""
    return Instrument.control(
        f"{command}?", f"{command} %.9e{CHECK}", docs, validator=whole, values=span, check_set_errors=True
    )


def switch(command: str, docs: str) -> Any:
    """Declare a bool property; the command takes ``ON`` and ``OFF`` and answers 1 and 0."""
    return Instrument.control(
        f"{command}?", f"{command} %s{CHECK}", docs, values=(True, False),
        validator=lambda value, known: one_of(value, known, command),
        set_process=lambda on: "ON" if on else "OFF", cast=bool, check_set_errors=True,
    )  # fmt: skip


def choice(command: str, docs: str, choices: Sequence[str], quoted: bool = False) -> Any:
    """Declare a property with mnemonics as values, in the short form of the instrument's answers."""
    mark = '"' if quoted else ""
    return Instrument.control(
        f"{command}?", f"{command} {mark}%s{mark}{CHECK}", docs, values=tuple(choices),
        validator=lambda value, known: one_of(value, known, command),
        cast=lambda text: text.strip().strip('"'), check_set_errors=True,
    )  # fmt: skip


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
