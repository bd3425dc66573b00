"""Pulse-and-verify steps as re-programming really takes them, recorded once, to be replayed at every layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks._taping import Call, taped
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.placement import place
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import KINDS, PULSES, Block, BlockMaps
from mho.procedures.stream import Stream
from mho.runs import Layout, RunHeader, RunWriter

PRESET, SEED = "pku", 1
CALLS = {"gate": ["hold"], "board": ["select", "route"], "pulser": ["shape", "fire"], "smu": ["read"]}

Replay = Callable[[], None]


class Message(NamedTuple):
    """What went to one instrument, by role, and its reply."""

    role: str
    text: str
    reply: str


@dataclass
class Workplace:
    """A formed block on an open bench, the programmer that writes it, and its run file."""

    bench: Bench
    laboratory: Laboratory
    stream: Stream
    programmer: Programmer
    block: Block
    rng: np.random.Generator

    def reprogram(self) -> None:
        """Bring the block to fresh random digits: a whole write-verify job."""
        self.block.digits[:] = self.rng.integers(0, 8, self.block.digits.shape)
        self.programmer.program([self.block])

    def cell_calls(self, replay: Replay) -> list[Call]:
        """Return what a replay asks of the cells: `set`, `reset` and `read`."""
        tape: list[Call] = []
        cells = self.laboratory.chip.cells[self.block.placement.array]
        with taped(tape, cells, ["set", "reset", "read"]):
            replay()
        return tape

    def counted(self, replay: Replay) -> tuple[int, int]:
        """Return how many pulses and how many reads of a replay reach the cells."""
        calls = self.cell_calls(replay)
        reads = sum(call.name == "read" for call in calls)
        return len(calls) - reads, reads


@contextmanager
def workplace(side: int, path: Path) -> Iterator[Workplace]:
    """Open the simulated bench, form and program a block of `side` x `side` cells, streaming into `path`."""
    unwatched = path.with_suffix(
        ".toml"
    )  # a step's messages alone: what feeds the watchdog comes by time, not by step
    unwatched.write_text(re.sub(r"(?m)^watchdog = .*\n", "", load_bench_file("simulated").text), "utf-8")
    with open_bench(str(unwatched), preset=PRESET, seed=SEED) as bench:
        assert bench.laboratory is not None
        chip = parse_chip_map(bench.chip_text)
        array = chip.arrays_for("multiply")[0]
        block = Block(place(array, side, side), np.zeros((side, side), np.int64))
        layout = Layout((PULSES,), BlockMaps.covering(array.name, [block]).declared(), default="pulses")
        with RunWriter.create(path, RunHeader("steps", "Steps", "1", {}), layout) as writer:
            stream = Stream(writer)
            names = [one.name for one in chip.arrays]
            programmer = Programmer(bench, stream, chip.level_scale(), names, WriteVerifySettings(), passes=0)
            place_of_work = Workplace(
                bench, bench.laboratory, stream, programmer, block, np.random.default_rng(SEED)
            )
            place_of_work.reprogram()
            yield place_of_work


class Steps:
    """Recorded steps and, for each layer, what it was asked to do for them.

    Forming is not among them: a longer, higher pulse that only a cell which never conducts gets again.
    """

    def __init__(self, work: Workplace) -> None:
        self._work = work
        tape: list[Call] = []
        with taped(tape, work.bench, ["pulse"]):
            work.reprogram()
        width = WriteVerifySettings().width
        self.steps: list[tuple[Cell, Pulse]] = [
            (cell, pulse) for cell, pulse in (call.arguments for call in tape) if pulse.width == width
        ]
        # Once through, so that the tapes begin in the state in which they end.
        self.bench()
        chip = work.laboratory.chip
        self._physics: list[Call] = []
        with (
            taped(self._physics, chip.cells[work.block.placement.array], ["set", "reset"]),
            taped(self._physics, chip, ["read"]),
        ):
            self.bench()
        drivers = {role: getattr(work.bench.instruments, role) for role in CALLS}
        self._calls: list[Call] = []
        with ExitStack() as stack:
            for role, names in CALLS.items():
                stack.enter_context(taped(self._calls, drivers[role], names))
            self.bench()
        devices = {role: work.laboratory.devices[driver.resource] for role, driver in drivers.items()}
        self._writes: list[Call] = []
        with ExitStack() as stack:
            for device in devices.values():
                stack.enter_context(taped(self._writes, device, ["write"]))
            self.bench()
        roles = {id(device): role for role, device in devices.items()}
        self.messages = [
            Message(roles[id(call.target)], call.arguments[0].decode().rstrip(), _ask(call))
            for call in self._writes
        ]
        refused = [message for message in self.messages if '0,"No error' not in message.reply]
        if refused:
            raise RuntimeError(f"{len(refused)} messages are refused when replayed, the first: {refused[0]}")
        self._sessions = {role: driver.adapter.connection for role, driver in drivers.items()}

    def __len__(self) -> int:
        return len(self.steps)

    def cells(self) -> None:
        """Pulse and read the simulated cells: the physics alone."""
        for call in self._physics:
            call.again()

    def devices(self) -> None:
        """Send the messages straight into the simulated instruments."""
        for call in self._writes:
            call.again()
            call.target.read()

    def sessions(self) -> None:
        """Send the messages through PyVISA."""
        for role, text, _ in self.messages:
            self._sessions[role].query(text)

    def drivers(self) -> None:
        """Call the drivers as the bench does."""
        for call in self._calls:
            call.again()

    def bench(self) -> None:
        """Pulse and read through the bench."""
        bench = self._work.bench
        for cell, pulse in self.steps:
            bench.pulse(cell, pulse)
            bench.read(cell)

    def stream(self) -> None:
        """Pulse and read through the bench, and stream each reading into the run file."""
        bench, record = self._work.bench, self._work.stream.record
        for cell, pulse in self.steps:
            bench.pulse(cell, pulse)
            conductance = bench.read(cell)
            record(
                "pulses",
                time=bench.now(),
                array=0,
                row=cell.row,
                column=cell.column,
                kind=KINDS[pulse.kind],
                voltage=pulse.voltage,
                width=pulse.width,
                gate=pulse.gate,
                conductance=conductance,
            )


def _ask(write: Call) -> str:
    write.again()
    return bytes(write.target.read()).decode().rstrip()
