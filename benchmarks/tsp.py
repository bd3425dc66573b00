"""What simulated TSP instruments cost: Lua in the sandbox, prints a second, reads through driver and engine, blocks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pyvisa
from lupa import lua51

from benchmarks._twins import Resistor, on_rack
from benchmarks.registry import Figure, median_seconds
from mho.instruments.drivers.keithley707b import Keithley707B
from mho.instruments.drivers.keithley2636b import Keithley2636B
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley707b import SimulatedKeithley707B
from mho.instruments.simulated.keithley2636b.instrument import SimulatedKeithley2636B

QUERIES, READS, POINTS, SWITCHES = 5000, 2000, 100_000, 500
LOOP = "local s = 0 for i = 1, 1e7 do s = s + i * 2 end x = s"
SOURCE_METER, MATRIX = "TCPIP0::192.0.2.36::inst0::INSTR", "GPIB0::16::INSTR"


def run(repeat: int) -> list[Figure]:
    """Measure the 2636B and the 707B, with their drivers and without."""
    clock = VirtualClock()
    twin = SimulatedKeithley2636B(clock, np.random.default_rng(1), {1: Resistor(1e-4)})
    matrix = SimulatedKeithley707B(clock, np.random.default_rng(1))
    with on_rack({SOURCE_METER: twin, MATRIX: matrix}) as library:
        return [
            _loop(twin, repeat),
            *_prints(twin, library, repeat),
            *_reads(library, repeat),
            _block(twin, library, repeat),
            _switching(library, repeat),
        ]


def _loop(twin: SimulatedKeithley2636B, repeat: int) -> Figure:
    plain = lua51.LuaRuntime()
    twin.write(b"x = 0")
    seconds = median_seconds(lambda: twin.write(LOOP.encode()), repeat)
    alone = median_seconds(lambda: plain.execute(LOOP), repeat)
    return Figure(
        "a loop of 1e7 turns in the sandbox",
        1e3 * seconds,
        "ms",
        "lupa's Lua 5.1 by itself",
        1e3 * alone,
        target="<= 2 times plain lupa",
        met=seconds <= 2 * alone,
    )


def _prints(twin: SimulatedKeithley2636B, library: str, repeat: int) -> list[Figure]:
    def at_device() -> None:
        for _ in range(QUERIES):
            twin.write(b"print(1)\n")
            twin.read()

    with closing(pyvisa.ResourceManager(library)) as manager:
        connection: Any = manager.open_resource(SOURCE_METER, read_termination="\n", write_termination="\n")

        def through_pyvisa() -> None:
            for _ in range(QUERIES):
                connection.query("print(1)")

        return [
            _rate("print(1) at the simulated instrument", at_device, QUERIES, repeat, 30_000),
            _rate("print(1) through PyVISA", through_pyvisa, QUERIES, repeat, 30_000),
        ]


def _reads(library: str, repeat: int) -> list[Figure]:
    smu = Keithley2636B(SOURCE_METER, library).channel(1)
    with closing(smu):
        smu.configure(current_limit=1e-3, current_range=1e-3, nplc=0.01)
        smu.enable()
        levels = [1e-6 * index for index in range(READS)]

        def read() -> None:
            for volts in levels:
                smu.read(volts)

        return [
            _rate("read: level, measure, back to 0 through the driver", read, READS, repeat, 10_000),
            _rate("points of a list of reads", lambda: smu.read_list(levels), READS, repeat),
            _rate("points of a sweep, binary", lambda: smu.sweep(levels), READS, repeat),
        ]


def _block(twin: SimulatedKeithley2636B, library: str, repeat: int) -> Figure:
    twin.write(b"b = smua.makebuffer(%d) smua.measure.nplc = 0.001" % POINTS)
    twin.write(b"smua.measure.count = %d smua.measure.i(b) smua.measure.count = 1" % POINTS)
    twin.write(b"format.data = format.REAL32")
    with closing(pyvisa.ResourceManager(library)) as manager:
        connection: Any = manager.open_resource(SOURCE_METER)
        connection.chunk_size = 1 << 20

        def transfer() -> None:
            connection.write(f"printbuffer(1, {POINTS}, b)")
            if len(connection.read_raw()) != 4 * POINTS + 3:
                raise RuntimeError("the block is incomplete")

        seconds = median_seconds(transfer, repeat)
    twin.write(b"format.data = format.ASCII")
    return Figure(f"{POINTS} readings as REAL32", 1e3 * seconds, "ms", target="< 5 ms", met=seconds < 5e-3)


def _switching(library: str, repeat: int) -> Figure:
    with closing(Keithley707B(MATRIX, library)) as matrix:

        def switch() -> None:
            for index in range(SWITCHES):
                matrix.connect_only(["1A01" if index % 2 else "1B02"])

        return _rate("changes of a path, read back", switch, SWITCHES, repeat)


def _rate(
    name: str, work: Callable[[], object], count: int, repeat: int, target: float | None = None
) -> Figure:
    rate = count / median_seconds(work, repeat)
    if target is None:
        return Figure(name, rate, "1/s")
    return Figure(name, rate, "1/s", target=f">= {target:,.0f}", met=rate >= target)
