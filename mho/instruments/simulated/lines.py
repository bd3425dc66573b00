"""Instruments of lines: each command is a header and its values, and a line ends at a line feed or at END.

A class declares its handlers as methods by `handles`, and those of one expression as rows of its table `commands`: by
header, what `handles` would get, and the handler behind it, in a tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from mho.instruments.simulated.clock import VirtualClock

Handler = TypeVar("Handler", bound=Callable[..., Any])


class RefusedCommand(Exception):
    """Raised by a handler to refuse a command: an error number of the instrument."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def handles(header: str, *takes: Any) -> Callable[[Handler], Handler]:
    """Make a method the handler of a header; `takes` says which values, in the language's own way."""

    def decorate(function: Handler) -> Handler:
        function.__dict__["line_header"] = (header, takes)
        return function

    return decorate


class LineDevice:
    """Base of the instruments of lines, with the interface for transports; a language adds `take_line` and `read`."""

    service_requests = 0  # it raises none
    commands: ClassVar[Mapping[str, Any]] = {}
    vocabulary: ClassVar[dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]] = {}

    def __init__(self, clock: VirtualClock, rng: np.random.Generator) -> None:
        self.clock, self.rng = clock, rng
        self.stream = False
        self._input = b""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.vocabulary = {}
        for base in reversed(cls.__mro__):
            for header, row in vars(base).get("commands", {}).items():
                *takes, handler = row if isinstance(row, tuple) else (row,)
                cls.vocabulary[header] = handler, tuple(takes)
            for name, member in vars(base).items():
                if (declared := getattr(member, "line_header", None)) is not None:
                    cls.vocabulary[declared[0]] = getattr(cls, name), declared[1]

    def write(self, data: bytes, end: bool = True) -> None:
        """Receive a line or a part of one."""
        *lines, self._input = (self._input + data).split(b"\n")
        if end and self._input:
            lines.append(self._input)
            self._input = b""
        for line in lines:
            self.take_line(line.decode("latin-1"))

    def take_line(self, line: str) -> None:
        """Carry out a line, without its line feed."""
        raise NotImplementedError

    def trigger(self) -> None:
        """Bus trigger: nothing waits for it."""


class Refusal(Exception):
    """Raised by a command of an `AnsweringDevice` to refuse it, with the reason."""


class AnsweringDevice(LineDevice):
    """Base of instruments that answer a line by a line, as those of one's own often do.

    ``SEL 3 4`` calls ``_do_sel("3", "4")``, ``ID?`` calls ``_do_id_asked()``; what that returns is the answer. A `Refusal`,
    an unknown command, and words that it does not take are answered by ``ERR`` and the reason.
    """

    def __init__(self, clock: VirtualClock, rng: np.random.Generator) -> None:
        super().__init__(clock, rng)
        self._output, self._fault = b"", ""

    def take_line(self, line: str) -> None:
        """Answer a line."""
        fault, self._fault = self._fault, ""
        self._output += f"{f'ERR {fault}' if fault else self._answer(*(line.split() or ['']))}\n".encode()

    def _answer(self, name: str, *words: str) -> str:
        act = getattr(self, f"_do_{name.lower().replace('?', '_asked')}", None)
        if act is None:
            return "ERR no such command"
        try:
            return str(act(*words))
        except Refusal as refusal:
            return f"ERR {refusal}"
        except (TypeError, ValueError):
            return f"ERR {name} does not take {' '.join(words) or 'nothing'}"

    def read(self) -> bytes:
        """Return the next answer, or all where they follow each other."""
        end = len(self._output) if self.stream else self._output.find(b"\n") + 1
        answer, self._output = self._output[:end], self._output[end:]
        return answer

    def status_byte(self) -> int:
        """Return 0: such an instrument has none."""
        return 0

    def clear(self) -> None:
        """Discard what is pending."""
        self._input = self._output = b""

    def push_error(self, code: int, detail: str = "") -> None:
        """Refuse the next line (fault injection)."""
        self._fault = f"{code} {detail}".strip()
