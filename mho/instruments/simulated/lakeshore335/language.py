"""The command language of Lake Shore's temperature controllers: short headers, and an event register instead of a queue.

Model 335 User's Manual, 119-055, chapter 6: common commands p. 108, messages and their flow p. 104 f., the standard event
status register section 6.2.5. Not SCPI: there is no error queue, `*ESR?` tells what kind of error there was since it was
last read. (?) from memory: the longest message, that a number takes no exponent, and that an unknown header is a command
error and a value out of range an execution error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from mho.instruments.simulated.clock import VirtualClock

Handler = TypeVar("Handler", bound=Callable[..., Any])
Parse = Callable[[Any, str], Any]

POWER_ON, COMMAND_ERROR, EXECUTION_ERROR, QUERY_ERROR, OPERATION_COMPLETE = 128, 32, 16, 4, 1
MESSAGE_AVAILABLE, EVENT_SUMMARY, MASTER_SUMMARY = 16, 32, 64
LONGEST = 255  # characters of a message
_COMMAND = re.compile(r"\s*:?(\*?[A-Z]+\??)(?:\s+(\S.*?))?\s*", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")


class Refused(Exception):
    """Raised to refuse a command: the bit of the event register that it sets."""

    def __init__(self, bit: int) -> None:
        super().__init__(bit)
        self.bit = bit


def real(low: float, high: float) -> Parse:
    """Return what parses a number from `low` to `high`."""

    def parse(device: Any, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise Refused(COMMAND_ERROR)
        if not low <= float(text) <= high:
            raise Refused(EXECUTION_ERROR)
        return float(text)

    return parse


def integer(low: int, high: int) -> Parse:
    """Return what parses a whole number from `low` to `high`."""
    number = real(low, high)

    def parse(device: Any, text: str) -> int:
        if "." in text:
            raise Refused(COMMAND_ERROR)
        return int(number(device, text))

    return parse


def takes(header: str, *parameters: Parse) -> Callable[[Handler], Handler]:
    """Make a method the handler of a header with these parameters; of a query it returns the reply."""

    def decorate(function: Handler) -> Handler:
        function.__dict__["header"] = (header, parameters)
        return function

    return decorate


class LakeShoreDevice:
    """An instrument with the interface for transports; methods declared with `takes` are its commands.

    Parameters
    ----------
    clock : VirtualClock
        The bench's time, s.
    rng : numpy.random.Generator
        The bench's source of randomness.
    serial : str
        Serial number for ``*IDN?``.
    """

    model: ClassVar[str]
    firmware: ClassVar[str] = "1.6"
    service_requests = 0  # it raises none
    vocabulary: ClassVar[dict[str, tuple[str, tuple[Parse, ...]]]] = {}

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        self.clock, self.rng, self.serial = clock, rng, serial
        self.stream = False
        self.events, self._event_enable, self._service_enable = POWER_ON, 0, 0
        self._input = self._output = b""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.vocabulary = {
            member.header[0]: (name, member.header[1])
            for base in reversed(cls.__mro__)
            for name, member in vars(base).items()
            if hasattr(member, "header")
        }

    # --- what transports use ---

    def write(self, data: bytes, end: bool = True) -> None:
        """Receive a message or a part of one; it is complete at a line feed or at END."""
        *lines, self._input = (self._input + data).split(b"\n")
        if end and self._input:
            lines.append(self._input)
            self._input = b""
        for line in lines:
            self._take(line.decode("latin-1"))

    def read(self) -> bytes:
        """Return the response; without one, a query error is recorded and nothing returned."""
        output, self._output = self._output, b""
        if not output and not self.stream:
            self.events |= QUERY_ERROR
        return output

    def status_byte(self) -> int:
        """Answer a serial poll."""
        byte = (MESSAGE_AVAILABLE if self._output else 0) | (
            EVENT_SUMMARY if self.events & self._event_enable else 0
        )
        return byte | (MASTER_SUMMARY if byte & self._service_enable else 0)

    def clear(self) -> None:
        """Device clear: empty input and output; settings and events stay."""
        self._input = self._output = b""

    def trigger(self) -> None:
        """Bus trigger: nothing waits for it."""

    def push_error(self, code: int, detail: str = "") -> None:
        """Record an error (fault injection): the event of SCPI's error number."""
        self.events |= {1: COMMAND_ERROR, 4: QUERY_ERROR}.get(-code // 100, EXECUTION_ERROR)

    # --- commands ---

    def _take(self, message: str) -> None:
        if not message.strip():
            return
        if self._output and not self.stream:
            self._output = b""
            self.events |= QUERY_ERROR
        if len(message) > LONGEST:
            self.events |= COMMAND_ERROR
            return
        replies = []
        for command in message.split(";"):
            try:
                reply = self._carry_out(command)
            except Refused as refused:
                self.events |= refused.bit
            else:
                if reply is not None:
                    replies.append(reply)
        if replies:
            self._output += ";".join(replies).encode("latin-1") + b"\r\n"

    def _carry_out(self, command: str) -> str | None:
        match = _COMMAND.fullmatch(command)
        if match is None or match[1].upper() not in self.vocabulary:
            raise Refused(COMMAND_ERROR)
        name, parameters = self.vocabulary[match[1].upper()]
        texts = [text.strip() for text in match[2].split(",")] if match[2] else []
        if len(texts) != len(parameters):
            raise Refused(COMMAND_ERROR)
        values = [parse(self, text) for parse, text in zip(parameters, texts, strict=True)]
        reply: str | None = getattr(self, name)(*values)
        return reply

    @takes("*IDN?")
    def _identify(self) -> str:
        return f"LSCI,{self.model},{self.serial}/{self.serial},{self.firmware}"

    @takes("*CLS")
    def _clear_events(self) -> None:
        self.events = 0

    @takes("*ESR?")
    def _take_events(self) -> str:
        events, self.events = self.events, 0
        return f"{events:03d}"

    @takes("*ESE", integer(0, 255))
    def _enable_events(self, mask: int) -> None:
        self._event_enable = mask

    @takes("*ESE?")
    def _enabled_events(self) -> str:
        return f"{self._event_enable:03d}"

    @takes("*SRE", integer(0, 255))
    def _enable_service(self, mask: int) -> None:
        self._service_enable = mask & ~MASTER_SUMMARY

    @takes("*SRE?")
    def _enabled_service(self) -> str:
        return f"{self._service_enable:03d}"

    @takes("*STB?")
    def _query_status(self) -> str:
        return f"{self.status_byte():03d}"

    @takes("*OPC")
    def _complete(self) -> None:
        self.events |= OPERATION_COMPLETE

    @takes("*OPC?")
    def _is_complete(self) -> str:
        return "1"

    @takes("*WAI")
    def _wait(self) -> None:
        """Nothing is pending between two messages."""

    @takes("*TST?")
    def _self_test(self) -> str:
        return "0"
