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
