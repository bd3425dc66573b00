"""What the fast paths of the instruments cost: readings a second, and long lists in binary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pyvisa

from benchmarks.registry import Figure, median_seconds
from instruments import Cell, Pulse, open_bench
from instruments.simulated.clock import VirtualClock
from instruments.simulated.keysightb2912a import SimulatedKeysightB2912A
from instruments.simulated.visa import register_rack, unregister_rack

READS, POINTS, LEVELS = 2000, 100_000, 2500
ADDRESS = "USB0::0x0957::0x8E18::SIM00001::INSTR"


class _Resistor:
    def drive(self, volts: float, *, connected: bool) -> None:
        pass

    def current(self, volts: float, aperture: float) -> float:
        return volts * 1e-5


def run(repeat: int) -> list[Figure]:
    """Measure readings through driver, engine and physics, and a REAL,32 transfer of many points."""
    return [_reads(repeat), _transfer(repeat)]


def _reads(repeat: int) -> Figure:
    with open_bench("simulated", seed=1) as bench:
        cell = Cell("multiply", 0, 0)
        bench.pulse(cell, Pulse("set", 4.5, 1e-6, 1.6))
        bench.read(cell)  # the path stays closed and the gate on: what follows reads the cell
        smu = bench.instruments.smu

        def read() -> None:
            for _ in range(READS):
                smu.read(0.2)

        rate = READS / median_seconds(read, repeat)
    return Figure(
        "readings of a 2450 of a cell through driver, PyVISA, engine and physics",
        rate,
        "1/s",
        target=">= 10,000",
        met=rate >= 10_000,
        detail={"each": "level, :READ? with status, level to 0 V, error check: one message"},
    )


def _transfer(repeat: int) -> Figure:
    with _b2912a() as connection:
        connection.write(":FORM REAL,32;:FORM:BORD SWAP;:FORM:ELEM:SENS CURR;:SENS:CURR:APER 1E-5")
        connection.write(":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT " + ",".join(["0.1"] * LEVELS))
        connection.write(f":TRIG:COUN {POINTS};:OUTP ON;:INIT (@1)")

        def fetch() -> np.ndarray:
            return np.asarray(connection.query_binary_values(":FETC:ARR? (@1)", "f", container=np.array))

        points = len(fetch())
        seconds = median_seconds(fetch, 4 * repeat)
    return Figure(
        f"REAL,32 transfer of {points:,} points from a B2912A, formatting included",
        seconds * 1e3,
        "ms",
        target="under 5 ms for 100,000",
        met=points == POINTS and seconds < 5e-3,
    )


@contextmanager
def _b2912a() -> Iterator[pyvisa.resources.MessageBasedResource]:
    clock = VirtualClock()
    device = SimulatedKeysightB2912A(clock, np.random.default_rng(0), {1: _Resistor(), 2: _Resistor()})
    register_rack("transfers", SimpleNamespace(devices={ADDRESS: device}, clock=clock))
    try:
        manager = pyvisa.ResourceManager("transfers@mho")
        connection = manager.open_resource(ADDRESS, read_termination="\n", write_termination="\n")
        yield connection  # type: ignore[misc]
        connection.close()
    finally:
        unregister_rack("transfers")
