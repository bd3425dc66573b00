"""A simulated TSP instrument: messages in, Lua scripts run, prints out.

A model derives from `TspDevice`, adds its tables to `tables` and resets what it adds in `reset`::

    class Switch(TspDevice):
        model = "707B"

        def __init__(self, clock, rng, *, serial="SIM00000"):
            super().__init__(clock, rng, serial=serial)
            self.tables["channel"] = Group({"connectrule": Attribute(1.0, choice(0, 1, 2))},
                                           contents={"close": self._close})

Every line of a message is a script of its own, and every ``print`` a reply with its own END. An instrument
error is queued and the script goes on; only Lua's own run-time errors end it (2600S-901-01, p. B-2). The
transports use `write`, `read`, `status_byte`, `clear` and `trigger`, as they do with `ScpiDevice`.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.status import POWER_ON, QueuedError, StatusModel
from mho.instruments.simulated.tsp.events import (
    QUEUE_SIZE,
    TSP_ERROR_TEXTS,
    Events,
    StatusTable,
    Trigger,
    error_queue,
)
from mho.instruments.simulated.tsp.lua import Failure, Sandbox
from mho.instruments.simulated.tsp.tables import (
    ILLEGAL,
    MISSING,
    TOO_BIG,
    WRONG_TYPE,
    Attribute,
    Format,
    InertTable,
    ScriptTable,
    TspError,
    as_number,
    bound,
    choice,
    real,
    text,
    whole,
)

LONGEST_DELAY = 1e5  # s
EPOCH = 1_735_689_600  # 2025-01-01, when a virtual bench is switched on
LINE_FREQUENCY = 60.0
_WORD = 0xFFFFFFFF


class TspLibrary:
    """Functions and tables of the scripts that do not depend on the model: time, the local node, bits, printing of
    numbers.
    """

    def __init__(self, device: TspDevice) -> None:
        self._device = device
        self._started = 0.0
        self.node = ScriptTable(
            {
                "prompts": Attribute(0.0, choice(0, 1)), "prompts4882": Attribute(1.0, choice(0, 1)),
                "showerrors": Attribute(0.0, choice(0, 1)),
                "linefreq": Attribute(LINE_FREQUENCY, choice(50, 60)),
                "autolinefreq": Attribute(True, lambda value: bool(value)),
                "description": Attribute("", text), "password": Attribute("", text),
            },
            contents={
                "model": device.model, "serialno": device.serial, "revision": device.firmware,
                "reset": lambda: device.reset(), "PASS": 1.0,
            },
        )  # fmt: skip
        self.tables: dict[str, Any] = {
            "localnode": self.node, "node": [self.node], "display": _display(),
            "beeper": InertTable({"ON": 1.0, "OFF": 0.0, "enable": 1.0}, ("beep",)),
            "bit": ScriptTable(contents=_bits()),
            "timer": ScriptTable(
                contents={
                    "reset": lambda: setattr(self, "_started", device.clock.now),
                    "measure": ScriptTable(contents={"t": lambda: device.clock.now - self._started}),
                }
            ),
            "os": ScriptTable(
                contents={"time": lambda: EPOCH + int(device.clock.now), "clock": lambda: device.clock.now}
            ),
            "delay": lambda seconds: device.events.pass_time(real(0.0, LONGEST_DELAY)(seconds)),
            "waitcomplete": self._wait_complete, "opc": self._operation_complete,
            "reset": lambda: device.reset(), "printnumber": self._print_numbers, "printbuffer": self._print_buffers,
        }  # fmt: skip

    def _wait_complete(self, group: object) -> None:
        if group is not None:
            whole(0, 64)(group)
        self._device.settle()

    def _operation_complete(self) -> None:
        self._device.settle()
        self._device.status.events |= 1

    def _print_numbers(self, *values: object) -> None:
        numbers = [as_number(value) for value in _given(values)]
        if not numbers:
            raise TspError(WRONG_TYPE)
        self._device.reply(self._device.format.reply(numbers))

    def _print_buffers(self, start: object, end: object, *columns: Any) -> None:
        """Print readings `start` to `end` of each buffer, one buffer's beside the other's."""
        first, last = int(whole(1, 1e9)(start)), int(whole(1, 1e9)(end))
        if last < first or not _given(columns):
            raise TspError(ILLEGAL)
        if (last - first + 1) * len(_given(columns)) > 4_000_000:
            raise TspError(TOO_BIG)
        self._device.catch_up()
        block = np.full((last - first + 1, len(_given(columns))), MISSING)
        for index, column in enumerate(_given(columns)):
            # A Lua table has any attribute.
            if not (isinstance(column, ScriptTable) and hasattr(column, "numbers")):
                raise TspError(WRONG_TYPE)
            readings = column.numbers()[first - 1 : last]
            block[: len(readings), index] = readings
        self._device.reply(self._device.format.reply(block.ravel()))


def _given(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Drop the arguments at the end that were not given."""
    count = len(values)
    while count and values[count - 1] is None:
        count -= 1
    return values[:count]


def _bits() -> dict[str, Callable[..., Any]]:
    def word(value: object) -> int:
        return int(whole(0, _WORD)(value))

    def place(value: object) -> int:
        return 1 << int(whole(1, 32)(value)) - 1

    return {
        "bitand": lambda a, b: word(a) & word(b),
        "bitor": lambda a, b: word(a) | word(b),
        "bitxor": lambda a, b: word(a) ^ word(b),
        "test": lambda value, index: bool(word(value) & place(index)),
        "set": lambda value, index: word(value) | place(index),
        "clear": lambda value, index: word(value) & ~place(index) & _WORD,
        "toggle": lambda value, index: word(value) ^ place(index),
    }


def _display() -> InertTable:
    channel = InertTable(
        {"digits": 5.0, "measure": InertTable({"func": 1.0}), "limit": InertTable({"func": 0.0})}
    )
    return InertTable(
        {
            "SMUA": 0.0, "SMUB": 1.0, "SMUA_SMUB": 2.0, "USER": 3.0, "screen": 2.0, "locallockout": 0.0,
            "MEASURE_DCAMPS": 0.0, "MEASURE_DCVOLTS": 1.0, "MEASURE_OHMS": 2.0, "MEASURE_WATTS": 3.0,
            "smua": channel, "smub": channel,
        },
        ("clear", "settext", "gettext", "setcursor", "getcursor", "sendkey"),
    )  # fmt: skip


LONGEST_LINE = 1 << 20  # bytes (?)
LONGEST_SCRIPT = 4 << 20
ABORT = b"abort"  # as a message it ends the script that runs (?)
OUTPUT_SIZE = 32 << 20  # bytes of unread replies before a script deadlocks (?)
_LOADING = re.compile(r"\A(loadscript|loadandrunscript)(?:\s+([A-Za-z_]\w*))?\s*\Z")
_COMMON = re.compile(r"\A\*([A-Za-z]+)(\?)?(?:\s+([+-]?\d+))?\s*\Z")
_CONTROL = re.compile(r"[\x00-\x1f]")  # a tab or line feed that an error quotes would break its reply apart


class TspDevice:
    """Base of the simulated TSP instruments, on the bench's clock and generator."""

    model: ClassVar[str] = "TSP"
    firmware: ClassVar[str] = "3.2.2"

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        self.clock, self.rng, self.serial = clock, rng, serial
        self.status = StatusModel(QUEUE_SIZE, events=POWER_ON)
        self.stream = False
        # Called between two slices of a script: a transport that serves one message at a time lets others come in
        self.pause: Callable[[], None] = lambda: None
        self.format = Format(self._set_precision)
        self.events = Events(clock)
        self.triggers = Trigger(self.events, self.spend)
        self.library = TspLibrary(self)
        self.tables: dict[str, Any] = {
            "format": self.format, "errorqueue": error_queue(self.status),
            "status": StatusTable(self.status, lambda: bool(self._output), self.sweeping, self.limited),
            "trigger": self.triggers, **self.library.tables,
        }  # fmt: skip
        self._input = b""
        self._output: deque[bytes] = deque()
        self._waiting = 0  # bytes in the output queue
        self._script: list[str] | None = None  # lines of the script that is being loaded
        self._script_name, self._script_runs, self._script_size = "", False, 0
        self._lua: Sandbox | None = None
        self._carrying_out = threading.RLock()  # messages of several threads are carried out one by one

    # --- what transports use ---

    def write(self, data: bytes, end: bool = True) -> None:
        """Receive a message or a part of one; a line is complete at a line feed, or at END."""
        if data[: len(ABORT)] == ABORT:  # it need not wait for the script that it is to end
            self.abort()
        with self._carrying_out:
            lines = (self._input + data).split(b"\n")
            self._input = b"" if end else lines.pop()
            if len(self._input) > LONGEST_LINE:
                self._input = b""
                self.push_error(-363)
            for line in lines:
                self._take(line.strip(b" \t\r\0"))
            if self.status.service_enable:
                self.status.update_service_request(bool(self._output))

    def read(self) -> bytes:
        """Return the next reply; without one, -420 is queued and nothing returned."""
        if self.stream:
            replies = b"".join(self._output)
            self._output.clear()
            self._waiting = 0
            return replies
        if not self._output:
            self.push_error(-420)
            return b""
        reply = self._output.popleft()
        self._waiting -= len(reply)
        if self.status.service_enable:
            self.status.update_service_request(bool(self._output))
        return reply

    def status_byte(self) -> int:
        """Return the status byte as a serial poll does: RQS in bit 6, and the request is released."""
        return self.status.poll(bool(self._output))

    @property
    def service_requests(self) -> int:
        """Number of service requests of the instrument so far."""
        return self.status.service_requests

    def clear(self) -> None:
        """Device clear: unfinished input and unread replies go, a script that runs is aborted; settings, errors stay."""
        self.abort()
        with self._carrying_out:
            self._input = b""
            self._script = None
            self._output.clear()
            self._waiting = 0

    def abort(self) -> None:
        """End the script that runs, if one does (another thread has called): it ends with an error."""
        if self._lua is not None:
            self._lua.abort()

    def trigger(self) -> None:
        """Bus trigger: as ``*TRG``."""
        self._take(b"*TRG")

    def push_error(self, code: int, detail: str = "") -> None:
        """Queue an error of this number, with its own text or the usual one."""
        text = detail or self.error_texts().get(code, "Device-specific error")
        self.status.push(QueuedError(code, _CONTROL.sub(" ", text), self.clock.now))
        if self.status.service_enable:
            self.status.update_service_request(bool(self._output))

    # --- what instruments use ---

    def error_texts(self) -> dict[int, str]:
        """Return the texts of the error numbers; a model adds its own."""
        return TSP_ERROR_TEXTS

    def reset(self) -> None:
        """Do what ``reset()`` does; a model extends it."""
        self.events.clear()
        self.triggers.restore()
        self.format.restore()

    def sweeping(self) -> int:
        """Return the channels that sweep, as status bits, and let the sweeps end; none by default."""
        return 0

    def limited(self, channel: str) -> int:
        """Return the bit of the limit that stops a channel's source; none by default."""
        return 0

    def catch_up(self) -> None:
        """Advance overlapped work to the present time, before a state is read or changed."""
        if self.events.busy:
            self.events.settle()

    def settle(self) -> None:
        """Complete overlapped work; the script stops when this waits for an event that never occurs."""
        if self.events.busy and not self.events.settle():
            self.lua.stop("stuck")

    def spend(self, count: int = 1) -> None:
        """Charge readings or events to the running message; raises `ScriptStopped` when they are too many."""
        self.lua.spend(count)

    def reply(self, data: bytes) -> None:
        """Queue a reply; a script with too many unread replies is stopped."""
        self._waiting += len(data)
        if self._waiting > OUTPUT_SIZE:
            self._waiting -= len(data)
            self.lua.stop("output")
        self._output.append(data)

    def refuse(self, error: TspError) -> None:
        """Queue the error with which something was refused."""
        self.push_error(error.code, error.text)

    def bind(self, group: ScriptTable) -> Any:
        """Return the Lua table of a group that a script has just made."""
        return group.bind(self.lua, self.refuse)

    @property
    def lua(self) -> Sandbox:
        """The Lua state, made when it is first needed."""
        if self._lua is None:
            self._lua = Sandbox(self._print, lambda: float(self.rng.random()), lambda: self.pause())
            for name, content in self.tables.items():
                self._lua.set_global(name, bound(content, self._lua, self.refuse))
            self._lua.set_precision(self.format.precision)
        return self._lua

    def _set_precision(self, digits: int) -> None:
        if self._lua is not None:
            self._lua.set_precision(digits)

    def _print(self, text: str) -> None:
        self.reply(text.encode("latin-1", "replace") + b"\n")

    # --- messages ---

    def _take(self, line: bytes) -> None:
        if len(line) > LONGEST_LINE:
            self.push_error(-363)
            return
        text = line.decode("latin-1")
        if self._script is not None:
            self._load(text)
        elif not line:
            return
        elif line == ABORT:
            return  # what ran has ended
        elif line[:1] == b"*":
            self._common(text)
        elif (loading := _LOADING.match(text)) is not None:
            self._script_runs = loading[1] == "loadandrunscript"
            self._script_name = loading[2] or ""
            self._script, self._script_size = [], 0
        else:
            self._finish(self.lua.execute(text))

    def _load(self, text: str) -> None:
        """Receive a line of a script."""
        assert self._script is not None
        if text != "endscript":
            self._script_size += len(text)
            if self._script_size > LONGEST_SCRIPT:
                self._script = None
                self.push_error(-225)
            else:
                self._script.append(text)
            return
        source, self._script = "\n".join(self._script), None
        self._finish(self.lua.define(self._script_name, source, run=self._script_runs))

    def _finish(self, failure: Failure | None) -> None:
        """Queue what a script ended with."""
        if failure is None:
            return
        self.push_error(*failure)
        if failure.code == -225 and self.lua.crowded:
            self._lua = None  # globals are lost, as at power-up

    def _common(self, text: str) -> None:
        """Carry out IEEE 488.2 common commands, separated by semicolons."""
        for part in text.split(";"):
            match = _COMMON.match(part.strip())
            header = f"*{match[1].upper()}{match[2] or ''}" if match else ""
            if match is None or header not in _HANDLERS or (match[3] is not None) != (header in _TAKE_MASKS):
                self.push_error(
                    -285, f"TSP Syntax error at line 1: unexpected symbol near `{part.strip()[:1]}'"
                )
                return
            answer = _HANDLERS[header](self, *(int(match[3]),) if match[3] is not None else ())
            if answer is not None:
                self._print(answer)

    def _perform(self, work: Callable[[], None], answer: str | None = None) -> str | None:
        """Do work as a script would; return the answer unless it failed."""
        failure = self.lua.perform(work)
        self._finish(failure)
        return answer if failure is None else None

    def _complete(self) -> None:
        self._perform(self.settle)
        self.status.events |= 1

    def _pull_trigger(self) -> None:
        """Advance sweeps to their wait, then trigger; they continue when their state is read."""
        self.catch_up()
        self.triggers.fire()


_TAKE_MASKS = ("*ESE", "*SRE")
_HANDLERS: dict[str, Callable[..., str | None]] = {
    "*IDN?": lambda self: f"Keithley Instruments Inc., Model {self.model}, {self.serial}, {self.firmware}",
    "*RST": lambda self: self._perform(self.reset),
    "*CLS": lambda self: self.status.clear(),
    "*ESE": lambda self, mask: setattr(self.status, "event_enable", mask & 255),
    "*ESE?": lambda self: str(self.status.event_enable),
    "*ESR?": lambda self: str(self.status.take_events()),
    "*SRE": lambda self, mask: setattr(self.status, "service_enable", mask & 255 & ~64),
    "*SRE?": lambda self: str(self.status.service_enable),
    "*STB?": lambda self: str(self.status.byte(bool(self._output))),
    "*OPC": lambda self: self._complete(),
    "*OPC?": lambda self: self._perform(self.settle, "1"),
    "*WAI": lambda self: self._perform(self.settle),
    "*TRG": lambda self: self._perform(self._pull_trigger),
    "*TST?": lambda self: "0",
}
