"""What a bench can do: its operations, which instrument serves each, and what a procedure would miss.

A procedure says which operations it needs (`Procedure.needs`); a bench offers those that its instruments serve. Both are
compared before anything is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, Protocol

from mho.errors import BenchError

Operation = Literal[
    "select", "read", "sweep", "gate", "pulse", "waveform", "program", "multiply", "invert", "temperature",
    "pulse_measured", "position", "observe",
]  # fmt: skip

OPERATIONS: Mapping[Operation, str] = MappingProxyType(
    {
        "select": "address a cell among others",
        "read": "source a voltage at the cell and measure the current",
        "sweep": "step the voltage at the cell and measure the current at each level",
        "gate": "hold the word line at a voltage",
        "pulse": "apply voltage pulses to the cell",
        "waveform": "play a waveform at the cell",
        "program": "bring a cell to a conductance by itself",
        "multiply": "multiply the array with vectors of voltages",
        "invert": "solve a system of equations in one step, by the array in a loop of amplifiers",
        "temperature": "heat the stage under the chip",
        "pulse_measured": "apply a pulse to the cell and measure the current while it lasts",
        "position": "bring another die under the probes",
        "observe": "record with an oscilloscope what an act does at its probes",
    }
)
"""What each operation does, in words; in the order in which tables show them."""

SERVED_BY: Mapping[Operation, str] = MappingProxyType(
    {
        "select": "an array board, a switch matrix with `bit_lines`, or a tester of one's own",
        "read": "a source-measure unit",
        "sweep": "a source-measure unit",
        "gate": "a voltage source or a source-measure unit at the word line",
        "pulse": "a pulse generator",
        "waveform": "a pulse generator that plays waveforms",
        "program": "a chip with write-verify of its own",
        "multiply": "a DAQ and an array board",
        "invert": "a DAQ and an array board",
        "temperature": "a temperature controller",
        "pulse_measured": "a tester of one's own, or a source-measure unit whose `serves` names it",
        "position": "a prober of one's own",
        "observe": "an oscilloscope of one's own",
    }
)
"""Which instruments can serve each operation, in words."""

SELDOM: frozenset[Operation] = frozenset({"pulse_measured", "position", "observe"})
"""Operations that no procedure of mho's own asks for."""


WITHOUT: Mapping[Operation, tuple[Operation, ...]] = MappingProxyType({"program": ("gate", "pulse")})
"""What does the same where nothing serves an operation: write-verify from the computer, in place of a chip's own."""


class OfferingBench(Protocol):
    """A bench file, as far as it is asked here."""

    @property
    def name(self) -> str:
        """The bench's name."""

    def operations(self) -> dict[Operation, str]:
        """Return what serves each operation that the bench offers."""


def missing_operations(bench: OfferingBench, needs: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return the operations among `needs` that nothing on this bench serves, in the order of `OPERATIONS`.

    One that others do `WITHOUT` it is missing with those that nothing serves of these.
    """
    offered = bench.operations()
    needed = {way for one in needs for way in ((one,) if one in offered else WITHOUT.get(one, (one,)))}
    return tuple(one for one in OPERATIONS if one in needed and one not in offered)


def check_operations(bench: OfferingBench, needs: Iterable[Operation], what: str) -> None:
    """Raise `BenchError` when the bench misses an operation that `what`, a procedure's name, needs; opens nothing."""
    needs = tuple(needs)
    if lacking := missing_operations(bench, needs):
        itself = [one for one in needs if one in WITHOUT and set(WITHOUT[one]) & set(lacking)]
        raise BenchError(
            f"{what} cannot run on bench {bench.name!r}: "
            + "; ".join(f"nothing there serves `{one}` ({OPERATIONS[one]})" for one in lacking)
            + "; describe in the bench file "
            + " and ".join(dict.fromkeys(SERVED_BY[one] for one in lacking))
            + "".join(f", or {SERVED_BY[one]} (`{one}`)" for one in itself)
            + ", or name a bench that has it: `mho bench show BENCH` says what a bench can do"
        )
