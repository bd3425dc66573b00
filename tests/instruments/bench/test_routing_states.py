"""Routing on the bench with a switch matrix against a plain model of it: never two sources on a line, whatever happens.

The model is what each use is to leave closed. The twin of the laboratory records what would have hurt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from state_machines import daily_and_thorough

from mho.errors import BenchError, InputError, LimitError, MhoError
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.bench_file.switch_paths import SLOTS
from mho.instruments.simulated.faults import Fault

MATRIX = "GPIB0::16::INSTR"
PATHS = {
    "READ": frozenset({"1A01", "1B02"}), "SET": frozenset({"1C01", "1B02"}), "RESET": frozenset({"1D03", "1B02"}),
    "": frozenset(),
}  # fmt: skip
FORM = Pulse("set", 4.0, 1e-6, 1.6)
SET = Pulse("set", 3.0, 100e-9, 1.6)
RESET = Pulse("reset", 1.5, 100e-9, 2.8)

cells = st.sampled_from([Cell("multiply", 0, 0), Cell("multiply", 1, 1)])
uses = st.sampled_from(["read", "sweep", "set", "reset", "multiply", "rest", "safe"])
moves = st.sampled_from(["read", "sweep", "set", "reset", "safe"])
crosspoints = st.sampled_from(["1A01", "1B02", "1C01", "1D03", "1A03", "4H12"])
resources = st.sampled_from(
    [MATRIX, "ASRL3::INSTR", "USB0::0x05E6::0x2636::SIM00001::INSTR", "USB0::0x0957::0x2C07::SIM00003::INSTR"]
)


class RoutingStates(RuleBasedStateMachine):
    """`closed` are the crosspoints that are to be closed, `idle` is whether every source is apart from the chip."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = open_bench("switched", preset="ideal", seed=1)
        self.bench.__enter__()
        self.matrix = self.bench.laboratory.devices[MATRIX]
        self.closed: frozenset[str] = frozenset()
        self.idle = True
        self.by_hand, self.joined = False, 0
        tell = self.matrix._on_switch

        def look(closed: frozenset[str]) -> None:
            columns = [SLOTS.split(crosspoint)[1] for crosspoint in closed]
            joined = len(columns) - len(set(columns))
            assert self.by_hand or joined <= self.joined, f"two sources on one line: {sorted(closed)}"
            assert self.by_hand or self.lines_are_at_rest(), (
                "a relay moved under a source, or with the path closed"
            )
            self.joined = joined
            tell(closed)

        self.matrix._on_switch = look

    def teardown(self) -> None:
        self.bench.laboratory.faults.clear()
        self.matrix.stuck_closed.clear()
        self.matrix.stuck_open.clear()
        try:
            self.bench.__exit__(None, None, None)
            self.check_safe()
        finally:
            self.bench.close()

    # --- parts of rules ---

    def act(self, use: str, cell: Cell) -> str:
        """Use the bench; return the path that is to be closed then."""
        bench = self.bench
        match use:
            case "read":
                bench.measure(cell)
                return "READ"
            case "sweep":
                bench.sweep(cell, [0.05, 0.1])
                return "READ"
            case "set" | "reset":
                bench.pulse(cell, SET if use == "set" else RESET)
                return use.upper()
            case "multiply":
                bench.connect_multiply("multiply", [cell.row], [cell.column])
                bench.multiply(np.array([[0.1]]))
            case _:
                getattr(bench, use)()
        return ""

    def lines_are_at_rest(self) -> bool:
        lab = self.bench.laboratory
        volts = [abs(lab.lines.held.get(line, 0.0)) for line in ("bit line", "word line")]
        return lab.board.path == "OPEN" and max(volts) < 5e-3

    def messages(self) -> int:
        return sum(one.messages for one in self.bench.laboratory.traffic.values())

    @contextmanager
    def nothing_sent(self) -> Iterator[None]:
        before = self.messages()
        yield
        assert self.messages() == before

    def check_safe(self) -> None:
        lab = self.bench.laboratory
        assert lab.board.mode == "SAFE"
        assert self.lines_are_at_rest()
        assert self.matrix.closed == frozenset()
        assert self.bench.live() == ()

    # --- rules ---

    @rule(use=uses, cell=cells)
    def use(self, use: str, cell: Cell) -> None:
        path = self.act(use, cell)
        self.closed, self.idle = PATHS[path], not path
        if use == "safe":
            self.check_safe()

    @rule()
    def forget(self) -> None:
        self.bench.forget()

    @rule(
        wrong=st.sampled_from([
            (lambda bench: bench.read(Cell("multiply", 9999, 0)), InputError),
            (lambda bench: bench.read(Cell("nowhere", 0, 0)), InputError),
            (lambda bench: bench.pulse(Cell("multiply", 0, 0), Pulse("set", 9.0, 100e-9, 1.6)), LimitError),
            (lambda bench: bench.pulse(Cell("multiply", 0, 0), Pulse("reset", 1.5, 1.0, 2.8)), LimitError),
            (lambda bench: bench.measure(Cell("multiply", 0, 0), 0.1, 5.0), LimitError),
            (lambda bench: bench.sweep(Cell("multiply", 0, 0), [0.1, 5.0]), LimitError),
            (lambda bench: bench.connect_multiply("multiply", [9999], [0]), InputError),
        ])
    )  # fmt: skip
    def ask_for_what_cannot_be(self, wrong: tuple[Callable[[Any], Any], type[MhoError]]) -> None:
        act, error = wrong
        with self.nothing_sent(), pytest.raises(error):
            act(self.bench)

    @precondition(lambda self: self.idle)
    @rule(first=crosspoints, second=crosspoints, use=moves, cell=cells)
    def close_by_hand(self, first: str, second: str, use: str, cell: Cell) -> None:
        """Somebody at the matrix, while the sources are apart from the chip: the next path opens what is not its own.

        A use that moves no relay, a product after a product, does not look: that would be a message for each product.
        """
        self.by_hand = True
        self.matrix.write(f'channel.close("{first},{second}")\n'.encode())
        self.by_hand = False
        self.use(use, cell)

    @rule(
        use=uses,
        cell=cells,
        resource=resources,
        kind=st.sampled_from(["timeout", "disconnect"]),
        after=st.integers(0, 12),
    )
    def lose_a_message(self, use: str, cell: Cell, resource: str, kind: str, after: int) -> None:
        """A use succeeds all the same, or fails in words; the bench can be made safe once the cable is back."""
        faults = self.bench.laboratory.faults
        faults.append(Fault(resource, kind, after=after))
        try:
            path = self.act(use, cell)
        except MhoError:
            faults.clear()
            self.bench.safe()
            self.check_safe()
            path = ""
        faults.clear()
        self.closed, self.idle = PATHS[path], not path

    @precondition(lambda self: self.closed & PATHS["READ"] | self.closed & {"1C01", "1D03"})
    @rule(number=st.integers(0, 5), use=uses, cell=cells)
    def weld_a_relay(self, number: int, use: str, cell: Cell) -> None:
        """A relay that stays closed is named before another source joins it, and on the way out."""
        welded = sorted(self.closed)[number % len(self.closed)]
        self.matrix.stuck_closed.add(welded)
        path, said = "", ""
        try:
            path = self.act(use, cell)
        except MhoError as error:
            said = str(error)
        assert welded in PATHS[path] if path else f"{welded} did not open" in said
        if path:
            with pytest.raises(BenchError, match=f"{welded} did not open"):
                self.bench.safe()
        self.matrix.stuck_closed.clear()
        self.bench.safe()
        self.check_safe()
        self.closed, self.idle = frozenset(), True

    @invariant()
    def nothing_happened_that_would_have_hurt(self) -> None:
        assert [one.kind for one in self.bench.laboratory.incidents] == []
        assert self.matrix.closed == self.closed


TestRoutingStates, TestRoutingStatesThoroughly = daily_and_thorough(RoutingStates, examples=10, steps=12)
