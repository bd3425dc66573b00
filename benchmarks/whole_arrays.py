"""Whole arrays formed and programmed to 3 bits through the whole stack: CPU, messages, memory.

A block of 128 x 128 virgin cells is formed, programmed, verified again and touched up as `mho run program` does it:
drivers, messages, simulated instruments, one cell's physics at a time, every pulse and read into the run file. Its first
32 x 32 cells come before, so that what grows with the cells shows. Both are measured once, which takes a minute.

The peer is pyvisa-sim, which answers such messages from memory with no instrument and no cell behind it, in turns with
small blocks: their ratio holds where the machine's speed changes. The code that took 28.5 s takes `BEFORE` times
as long as this peer (in turns, 20 x 20 cells), so that 20 s, where that was, are 2.62 times the peer.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import _pyvisa_sim
from benchmarks._steps import Steps, workplace
from benchmarks.registry import Figure, installed
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Bench, Cell, open_bench
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import PULSES, Block, BlockMaps
from mho.procedures.stream import Stream
from mho.runs import Layout, RunHeader, RunWriter

PRESET, SEED = "quiet", 1
SIDE, FIRST = 128, 32
CPU = 20.0  # s
WHOLE, MINUTES, MEMORY = 1024, 25.0, 1000.0  # side of the largest array, min, MB
THREADS = 2  # the caller's, and the run file's that flushes
BEFORE, BEFORE_CPU = 3.74, 28.5  # times the peer; s where it was measured
CANNED = "pyvisa-sim answering from memory"
TURNS = 5  # of the peer, for each of a block
STEPS = 8  # side of the block of which the peer's messages are


@dataclass(frozen=True)
class Programming:
    """What a block took: CPU (s), pulses, reads, cells that failed, messages by role, resident memory after it (MB)."""

    seconds: float
    pulses: int
    reads: int
    failed: int
    messages: dict[str, int]
    memory: float


def run(repeat: int) -> list[Figure]:
    """Program a small block and a large one, and more small ones in turns with the peer."""
    with tempfile.TemporaryDirectory() as folder:
        small = program(FIRST, Path(folder) / "small.h5")
        large = program(SIDE, Path(folder) / "large.h5")
        beside = _beside_the_peer(Path(folder), repeat)  # last, as the peer takes memory of its own
    cells, messages = SIDE**2, sum(large.messages.values())
    return [
        Figure(
            f"{SIDE} x {SIDE} cells formed and programmed to 3 bits, CPU",
            large.seconds,
            "s",
            target=f"< {CPU:g}",
            met=large.seconds < CPU,
            detail={
                "pulses": large.pulses,
                "reads": large.reads,
                "failed": large.failed,
                "preset": PRESET,
                f"s of the first {FIRST} x {FIRST}": round(small.seconds, 2),
            },
            threads=THREADS,
        ),
        beside,
        Figure(
            f"{WHOLE} x {WHOLE}, at the same CPU a cell",
            large.seconds * WHOLE**2 / cells / 60.0,
            "min",
            target=f"< {MINUTES:g}",
            met=large.seconds * WHOLE**2 / cells < 60.0 * MINUTES,
            threads=THREADS,
        ),
        Figure(
            "messages a pulse, with all reads and addresses",
            messages / large.pulses,
            "",
            detail={role: round(count / large.pulses, 2) for role, count in large.messages.items()},
        ),
        Figure("messages a cell that is read after another", messages_of_reads(), ""),
        Figure(
            f"resident memory after it, all {WHOLE} x {WHOLE} cells of the array included",
            large.memory,
            "MB",
            target=f"< {MEMORY:g}",
            met=large.memory < MEMORY,
            detail={f"after {FIRST} x {FIRST}, MB": round(small.memory, 1)},
        ),
    ]


def program(side: int, path: Path) -> Programming:
    """Form and program `side` x `side` virgin cells of a new bench to random digits."""
    with _bench() as bench:
        chip = parse_chip_map(bench.chip_text)
        array = chip.arrays_for("multiply")[0]
        lines = np.arange(side)
        digits = np.random.default_rng(SEED).integers(0, 8, (side, side))
        block = Block(Placement(array.name, lines, lines), digits)
        layout = Layout((PULSES,), BlockMaps.covering(array.name, [block]).declared(), default="pulses")
        with RunWriter.create(path, RunHeader("array", "Array", "1", {}), layout) as writer:
            names = [one.name for one in chip.arrays]
            programmer = Programmer(bench, Stream(writer), chip.level_scale(), names, WriteVerifySettings())
            # The instrument, and so its twin, keeps its last 100,000 readings (20 MB): nothing that grows with cells.
            bench.instruments.smu.exchange(':TRAC:POIN 10,"defbuffer1"')  # type: ignore[attr-defined]
            before, start = _messages(bench), time.process_time()
            programmer.program([block])
            seconds = time.process_time() - start
            messages = {role: count - before[role] for role, count in _messages(bench).items()}
            failed = programmer.failed([block])
        return Programming(seconds, programmer.pulses, programmer.reads, failed, messages, _resident())


def _beside_the_peer(folder: Path, repeat: int) -> Figure:
    """Return the CPU of a message of small blocks, each in turn with the peer."""
    own, peer = [], []
    with _canned(folder) as canned:
        for turn in range(repeat):
            block = program(FIRST, folder / f"turn-{turn}.h5")
            own.append(block.seconds / sum(block.messages.values()))
            peer.append(statistics.median(canned() for _ in range(TURNS)))
    there = installed(_pyvisa_sim.MODULE)
    ratio = statistics.median(a / b for a, b in zip(own, peer, strict=True))
    wanted = BEFORE * CPU / BEFORE_CPU
    return Figure(
        f"{FIRST} x {FIRST} cells, CPU of a message with all behind it",
        1e6 * statistics.median(own),
        "us",
        CANNED,
        1e6 * statistics.median(peer) if there else None,
        ratio if there else None,
        target=f"ratio < {wanted:.2f}",
        met=ratio < wanted if there else None,
        detail={
            "ratio of the code before": BEFORE,
            "its CPU of the large block, s": BEFORE_CPU,
            f"ratio wanted for {WHOLE} x {WHOLE}": round(
                BEFORE * 60.0 * MINUTES * (SIDE / WHOLE) ** 2 / BEFORE_CPU, 2
            ),
        },
        threads=THREADS,
        peer_package=_pyvisa_sim.PACKAGE,
    )


def messages_of_reads(count: int = 16) -> float:
    """Return how many messages the instruments get for each of `count` cells in a row that are read one after the other."""
    with _bench() as bench:
        bench.read(Cell("multiply", 0, 0))
        before = sum(_messages(bench).values())
        for column in range(1, count + 1):
            bench.read(Cell("multiply", 0, column))
        return (sum(_messages(bench).values()) - before) / count


@contextmanager
def _canned(folder: Path) -> Iterator[Callable[[], float]]:
    """Return what times pyvisa-sim: the CPU (s) of a message of recorded steps; NaN without it."""
    if not installed(_pyvisa_sim.MODULE):
        yield lambda: float("nan")
        return
    with workplace(STEPS, folder / "steps.h5") as work:
        steps = Steps(work)
    with _pyvisa_sim.replaying(steps.messages, folder / "devices.yaml") as replay:

        def message() -> float:
            start = time.process_time()
            replay()
            return (time.process_time() - start) / len(steps.messages)

        yield message


@contextmanager
def _bench() -> Iterator[Bench]:
    with open_bench("simulated", preset=PRESET, seed=SEED) as bench:
        yield bench


def _messages(bench: Bench) -> dict[str, int]:
    """Return how many messages each instrument of a cell's path has got so far."""
    assert bench.laboratory is not None
    entries = bench.file.instruments
    roles = {"smu": entries.smu, "gate": entries.gate, "pulser": entries.pulser, "board": entries.board}
    return {role: bench.laboratory.traffic[entry.address].messages for role, entry in roles.items()}


def _resident() -> float:
    """Return the memory of this process, MB; NaN where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) * 1.024e-3 for line in lines if line.startswith("VmRSS"))
