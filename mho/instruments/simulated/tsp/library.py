"""Functions common to the scripts of all simulated TSP instruments: time, the local node, bits, printing of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.status import StatusModel
from mho.instruments.simulated.tsp.events import Events
from mho.instruments.simulated.tsp.formats import MISSING, Format
from mho.instruments.simulated.tsp.tables import (
    ILLEGAL,
    TOO_BIG,
    WRONG_TYPE,
    Attribute,
    InertTable,
    ScriptTable,
    TspError,
    as_number,
    choice,
    real,
    text,
    whole,
)

LONGEST_DELAY = 1e5  # s
EPOCH = 1_735_689_600  # 2025-01-01, when a virtual bench is switched on
LINE_FREQUENCY = 60.0
_WORD = 0xFFFFFFFF


class BufferColumn(Protocol):
    """One column of a reading buffer, as ``printbuffer`` takes it."""

    def numbers(self) -> NDArray[np.float64]:
        """Return the whole column."""
        ...


class ScriptedInstrument(Protocol):
    """The instrument whose library it is: what is printed, reset or waited for there."""

    model: ClassVar[str]
    firmware: ClassVar[str]
    serial: str
    clock: VirtualClock
    status: StatusModel
    events: Events
    format: Format

    def reset(self) -> None:
        """Do what ``reset()`` does."""
        ...

    def catch_up(self) -> None:
        """Advance overlapped work to the present time."""
        ...

    def settle(self) -> None:
        """Complete overlapped work."""
        ...

    def reply(self, data: bytes) -> None:
        """Queue a reply."""
        ...


class Library:
    """Functions and tables that do not depend on the model."""

    def __init__(self, device: ScriptedInstrument) -> None:
        self._device = device
        self._started = 0.0
        self.node = ScriptTable(
            {
                "prompts": Attribute(0.0, choice(0, 1)),
                "prompts4882": Attribute(1.0, choice(0, 1)),
                "showerrors": Attribute(0.0, choice(0, 1)),
                "linefreq": Attribute(LINE_FREQUENCY, choice(50, 60)),
                "autolinefreq": Attribute(True, lambda value: bool(value)),
                "description": Attribute("", text),
                "password": Attribute("", text),
            },
            contents={
                "model": device.model,
                "serialno": device.serial,
                "revision": device.firmware,
                "reset": self._reset,
                "PASS": 1.0,
            },
        )
        self.tables: dict[str, Any] = {
            "localnode": self.node,
            "node": [self.node],
            "display": _display(),
            "beeper": InertTable({"ON": 1.0, "OFF": 0.0, "enable": 1.0}, ("beep",)),
            "bit": ScriptTable(contents=_bits()),
            "timer": ScriptTable(
                contents={"reset": self._restart, "measure": ScriptTable(contents={"t": self._elapsed})}
            ),
            "os": ScriptTable(
                contents={"time": lambda: EPOCH + int(device.clock.now), "clock": lambda: device.clock.now}
            ),
            "delay": self._delay,
            "waitcomplete": self._wait_complete,
            "opc": self._operation_complete,
            "reset": self._reset,
            "printnumber": self._print_numbers,
            "printbuffer": self._print_buffers,
        }

    def _reset(self) -> None:
        self._device.reset()

    def _restart(self) -> None:
        self._started = self._device.clock.now

    def _elapsed(self) -> float:
        return self._device.clock.now - self._started

    def _delay(self, seconds: object) -> None:
        self._device.events.pass_time(real(0.0, LONGEST_DELAY)(seconds))

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
            if not (
                isinstance(column, ScriptTable) and hasattr(column, "numbers")
            ):  # a Lua table has any attribute
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

    def bitand(a: object, b: object) -> int:
        return word(a) & word(b)

    def bitor(a: object, b: object) -> int:
        return word(a) | word(b)

    def bitxor(a: object, b: object) -> int:
        return word(a) ^ word(b)

    def test(value: object, index: object) -> bool:
        return bool(word(value) & place(index))

    def set_bit(value: object, index: object) -> int:
        return word(value) | place(index)

    def clear(value: object, index: object) -> int:
        return word(value) & ~place(index) & _WORD

    def toggle(value: object, index: object) -> int:
        return word(value) ^ place(index)

    return {"bitand": bitand, "bitor": bitor, "bitxor": bitxor, "test": test, "set": set_bit, "clear": clear,
            "toggle": toggle}  # fmt: skip


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
