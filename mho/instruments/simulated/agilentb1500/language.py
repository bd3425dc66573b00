"""FLEX, the command language of the simulated B1500, and the measurement settings with their replies to ``*LRN?``.

B1500A/B1505A Programming Guide, B1500-90010, edition 11: input format pp. 1-22 to 1-24, output pp. 1-25 ff., settings
chapter 4. (?) from memory: the error numbers beside 100, 121 and 200, that a query's reply is read before data, and the
replies that no driver notes. FLEX is not SCPI: a header and numbers, ``DV 1,0,0.2,1E-4``; commands of a line are separated
by ``;``; the errors' text ends with a full stop; a line ends with CR LF.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.lines import LineDevice, RefusedCommand, handles

SPOT, STAIRCASE, SAMPLING = 1, 2, 10  # measurement modes


class Staircase(NamedTuple):
    """``WV``: which source sweeps, and through which levels (V)."""

    slot: int
    mode: int
    span: int  # 0 is automatic
    start: float
    stop: float
    steps: int
    limit: float | None

    def __str__(self) -> str:
        """The command that sets it."""
        limit = "" if self.limit is None else f",{self.limit:.6E}"
        return f"WV{self.slot},{self.mode},{self.span},{self.start:.6E},{self.stop:.6E},{self.steps}{limit}"

    @property
    def levels(self) -> list[float]:
        """The levels in turn; modes 2 and 4 are logarithmic, 3 and 4 go there and back."""
        space = np.geomspace if self.mode in (2, 4) else np.linspace
        levels: list[float] = space(self.start, self.stop, self.steps).tolist()
        return levels + levels[::-1] if self.mode in (3, 4) else levels


class Bias(NamedTuple):
    """``MV``: what a source is at before and while samples are taken, V."""

    span: int
    base: float
    bias: float
    limit: float | None


@dataclass
class MeasurementPlan:
    """The measurement that ``XE`` starts, with the defaults of ``*RST``."""

    mode: int = SPOT
    channels: tuple[int, ...] = ()
    delays: tuple[float, ...] = (0.0,) * 5  # hold, delay, step, trigger, measure
    abort: int = 1
    post: int = 1
    staircase: Staircase | None = None
    sampling: tuple[float, float, int, float] = (0.0, 2e-3, 1000, 0.0)  # hold, interval, samples, base hold
    biases: dict[int, Bias] = field(default_factory=dict)
    sampling_ends: tuple[int, int] = (1, 1)  # automatic abort; sources afterwards at base or bias
    measured: dict[int, int] = field(default_factory=dict)  # CMM by slot: 0 is the compliance side
    ranges: dict[tuple[str, int], int] = field(default_factory=dict)  # of I or V by slot; 0 is automatic
    filters: set[int] = field(default_factory=set)
    resistors: set[int] = field(default_factory=set)
    ranging: dict[int, tuple[int, int]] = field(default_factory=dict)  # RM by slot
    averaging: tuple[int, int] = (1, 0)
    auto_zero: int = 0
    time_stamps: int = 0

    def learn(self, kind: int, slots: Sequence[int], format_kind: tuple[int, int]) -> str | None:
        """Answer ``*LRN?`` of a kind; None for one that is set elsewhere."""
        if kind == 30:
            return ";".join(f"FL{int(slot in self.filters)},{slot}" for slot in slots)
        if kind == 31:
            modes = ",".join(map(str, (self.mode, *self.channels)))
            number, mode = self.averaging
            return f"TM1;AV{number},{mode};CM0;FMT{format_kind[0]},{format_kind[1]};MM{modes}"
        if kind == 32:
            return ";".join(
                f"R{name}{slot},{self.ranges.get((name, slot), 0)}" for name in "IV" for slot in slots
            )
        if kind == 33:
            delays = ",".join(f"{seconds:.4f}" for seconds in self.delays)
            stairs = "" if self.staircase is None else f";{self.staircase}"
            return f"WM{self.abort},{self.post};WT{delays}{stairs}"
        if kind == 46:
            return ";".join(f"CMM{slot},{self.measured.get(slot, 0)}" for slot in slots)
        if kind == 47:
            hold, interval, samples, base = self.sampling
            abort, post = self.sampling_ends
            return f"MSC{abort},{post};ML1;MT{hold:.4f},{interval:.4f},{samples},{base:.4f}"
        if kind == 53:
            return ";".join(f"SSR{slot},{int(slot in self.resistors)}" for slot in slots)
        if kind == 54:
            ranging = ((slot, *self.ranging.get(slot, (1, 50))) for slot in slots)
            return ";".join(f"RM{slot},{mode},{rate}" for slot, mode, rate in ranging)
        return f"TSC{self.time_stamps}" if kind == 60 else None


ERROR_TEXTS = {
    0: "No Error.", 100: "Undefined GPIB command.", 101: "Incorrect numeric data syntax.",
    102: "Incorrect number of parameters.", 120: "Incorrect parameter value.",
    121: "Channel number must be 1 to 10.", 123: "Compliance must be set correctly.",
    126: "Undefined program number.", 200: "Channel output switch must be ON.",
}  # fmt: skip
ERROR_CAPACITY = 30
LONGEST_LINE = 256  # characters, the terminator included
PROGRAMS, PROGRAM_COMMANDS = 2000, 40_000
_COMMAND = re.compile(r"\s*(\*?[A-Za-z]+\??)\s*(.*?)\s*\Z", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?\Z")


@lru_cache(4096)
def _split(command: str) -> tuple[str, tuple[float, ...] | RefusedCommand]:
    """Split a command into its header and its numbers, or the error in them."""
    match = _COMMAND.match(command)
    if match is None:
        return "", ()
    try:
        return match[1].upper(), tuple(map(_number, match[2].split(","))) if match[2] else ()
    except RefusedCommand as error:
        return match[1].upper(), error


def _number(text: str) -> float:
    text = text.strip()
    if not _NUMBER.match(text):
        raise RefusedCommand(101)
    number = float(text)
    if abs(number) > 1e30:
        raise RefusedCommand(120)
    return number


def engineering(value: float, width: int) -> str:
    """Write a number in `width` characters with an exponent that is a multiple of three."""
    exponent = 0 if value == 0.0 else 3 * math.floor(math.log10(abs(value)) / 3)
    decimals = width - 9
    if round(abs(value) / 10.0**exponent, decimals) >= 1000.0:
        exponent += 3
    return f"{value / 10.0**exponent:+0{width - 4}.{decimals}f}E{exponent:+03d}"


class FlexDevice(LineDevice):
    """A FLEX instrument; what a handler takes is how many numbers, or the fewest and the most."""

    commands = {
        "BC": lambda self: self._data.clear(),
        "AB": lambda self: None,  # nothing runs between two messages on the virtual clock
        "*OPC?": lambda self: "1",
        "*STB?": lambda self: str(self.status_byte()),
        "END": lambda self: setattr(self, "_storing", None),
    }

    def __init__(self, clock: VirtualClock, rng: np.random.Generator) -> None:
        super().__init__(clock, rng)
        self.errors: deque[int] = deque()
        self._reply = ""  # the query buffer holds one reply
        self._data: deque[str] = deque()
        self._programs: dict[int, list[str]] = {}
        self._storing: int | None = None

    # --- what transports use ---

    def read(self) -> bytes:
        """Return a query's reply if there is one, else the oldest data, else nothing; all of it where it streams."""
        if self.stream:
            waiting = [self._reply, *self._data] if self._reply else [*self._data]
            self._reply = ""
            self._data.clear()
            return "".join(f"{text}\r\n" for text in waiting).encode("latin-1")
        if self._reply:
            text, self._reply = self._reply, ""
        elif self._data:
            text = self._data.popleft()
        else:
            return b""
        return text.encode("latin-1") + b"\r\n"

    def status_byte(self) -> int:
        """Answer a serial poll: data ready, error (bits 0 and 5)."""
        return (1 if self._data or self._reply else 0) | (32 if self.errors else 0)

    def clear(self) -> None:
        """Device clear: empty the input and both output buffers; settings and errors stay."""
        self._input, self._reply, self._storing = b"", "", None
        self._data.clear()

    def push_error(self, code: int, detail: str = "") -> None:
        """Queue an error; what finds the queue full is lost."""
        if len(self.errors) < ERROR_CAPACITY:
            self.errors.append(code)

    # --- commands ---

    def take_line(self, line: str) -> None:
        """Carry out the commands of a line."""
        if len(line) >= LONGEST_LINE:
            self.push_error(102)
            return
        for command in line.split(";"):
            if command.strip():
                self._take(command)

    def _take(self, command: str) -> None:
        """Execute one command, or store it while a program is being entered."""
        header, numbers = _split(command)
        if self._storing is not None and header != "END":
            full = sum(map(len, self._programs.values())) >= PROGRAM_COMMANDS
            if full or header in ("", "ST", "DO") or header.endswith("?"):
                self.push_error(120)
            else:
                self._programs[self._storing].append(command)
            return
        try:
            self._execute(header, numbers)
        except RefusedCommand as error:
            self.push_error(error.code)

    def _execute(self, header: str, numbers: tuple[float, ...] | RefusedCommand) -> None:
        if header not in self.vocabulary:
            raise RefusedCommand(100)
        if isinstance(numbers, RefusedCommand):
            raise RefusedCommand(numbers.code)
        handler, takes = self.vocabulary[header]
        counts = takes or (0,)
        if not counts[0] <= len(numbers) <= counts[-1]:
            raise RefusedCommand(102)
        reply = handler(self, *numbers)
        if reply is not None:
            self._reply = reply

    def _refuse_if(self, wrong: object, code: int = 120) -> None:
        if wrong:
            raise RefusedCommand(code)

    @handles("ERRX?", 0, 1)
    def _next_error(self, mode: float = 0.0) -> str:
        code = self.errors.popleft() if self.errors else 0
        return f'{code:+d},"{ERROR_TEXTS.get(code, "Hardware error.")}"'

    @handles("ERR?", 0, 1)
    def _next_errors(self, mode: float = 0.0) -> str:
        """Reply the oldest four errors, and empty the queue."""
        codes = [*self.errors, 0, 0, 0, 0][:4]
        self.errors.clear()
        return ",".join(map(str, codes))

    @handles("PA", 0, 1)
    def _pause(self, seconds: float = 0.0) -> None:
        self._refuse_if(not 0.0 <= seconds <= 99.9999)
        self.clock.advance(round(seconds, 4))

    @handles("ST", 1)
    def _store(self, number: float) -> None:
        self._refuse_if(not 1 <= number <= PROGRAMS)
        self._storing = int(number)
        self._programs[self._storing] = []

    @handles("SCR", 0, 1)
    def _scratch(self, number: float | None = None) -> None:
        if number is None:
            self._programs.clear()
        else:
            self._refuse_if(self._programs.pop(int(number), None) is None, 126)

    @handles("DO", 1, 8)
    def _do(self, *numbers: float) -> None:
        for number in numbers:
            self._refuse_if(int(number) not in self._programs, 126)
            for command in self._programs[int(number)]:
                self._take(command)
