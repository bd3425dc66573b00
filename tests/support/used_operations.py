"""Which of a bench's operations a run really uses: the bench's methods, listened to at the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mho.instruments import Bench
from mho.instruments.bench_file import OPERATIONS

SERVING = {
    "read": "read", "measure": "read", "read_list": "read", "sweep": "sweep", "pulse": "pulse",
    "waveform": "waveform", "program": "program", "connect_multiply": "multiply", "multiply": "multiply",
    "connect_invert": "invert", "invert": "invert",
}  # fmt: skip
"""The operation that each method of a bench is, as procedures declare it; what a method calls itself does not count."""
AT_CELLS = ("read", "measure", "read_list", "sweep", "pulse", "waveform", "program")


class UsedOperations:
    """What was asked of a bench.

    A gate counts where the word line takes part: at every pulse, and at readings with another level than the bench's for
    reads. Selecting counts once a second cell is asked for, a temperature once the simulated chip has another one.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench, self._within = bench, False
        self._names: set[str] = set()
        self._cells: set[Any] = set()
        self._kelvin = bench.simulated.chip.temperature

    def all(self) -> tuple[str, ...]:
        """Return the operations, in the order of `OPERATIONS`."""
        used = self._names | ({"select"} if len(self._cells) > 1 else set())
        return tuple(one for one in OPERATIONS if one in used)

    def listening(self, name: str) -> Callable[..., Any]:
        """Return the bench's method of this name, listened to."""
        method = getattr(self._bench, name)

        def heard(*arguments: Any, **named: Any) -> Any:
            if self._within:
                return method(*arguments, **named)
            self._names.add(SERVING[name])
            if self._bench.simulated.chip.temperature != self._kelvin:
                self._names.add("temperature")
            if name in AT_CELLS:
                self._cells.add(arguments[0])
            gate = named.get("gate", arguments[2] if name == "measure" and len(arguments) > 2 else None)
            if name in ("pulse", "waveform") or gate not in (None, self._bench.file.read.gate):
                self._names.add("gate")
            self._within = True
            try:
                return method(*arguments, **named)
            finally:
                self._within = False

        return heard


@contextmanager
def operations_used(bench: Bench) -> Iterator[UsedOperations]:
    """Listen to a bench within the block."""
    used = UsedOperations(bench)
    for name in SERVING:
        setattr(bench, name, used.listening(name))
    try:
        yield used
    finally:
        for name in SERVING:
            delattr(bench, name)
