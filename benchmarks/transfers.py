"""What the fast paths of the instruments cost: readings a second, and long lists in binary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pyvisa

from benchmarks._twins import Resistor, on_rack
from benchmarks.registry import Figure, median_seconds
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.drivers.agilentb1500 import AgilentB1500
from mho.instruments.simulated.agilentb1500.instrument import SimulatedAgilentB1500
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keysightb2912a import SimulatedKeysightB2912A

READS, POINTS, LEVELS = 2000, 100_000, 2500
ADDRESS = "USB0::0x0957::0x8E18::SIM00001::INSTR"  # whatever stands there


def run(repeat: int) -> list[Figure]:
    """Measure readings through driver, engine and physics, and a REAL,32 transfer of many points."""
    return [_reads(repeat), _reads_of_b1500(repeat), _transfer(repeat)]


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


def _reads_of_b1500(repeat: int) -> Figure:
    device = SimulatedAgilentB1500(VirtualClock(), np.random.default_rng(0), {1: Resistor(1e-5)})
    with on_rack({ADDRESS: device}) as library, closing(AgilentB1500(ADDRESS, library)) as smu:
        smu.configure(current_limit=1e-4, current_range=1e-4, nplc=0.01)
        smu.enable()
        levels = [1e-4 * index for index in range(READS)]

        def read() -> None:
            for volts in levels:
                smu.read(volts)

        rate = READS / median_seconds(read, repeat)
    return Figure(
        "readings of a B1500 of a resistor through driver, PyVISA and engine",
        rate,
        "1/s",
        target=">= 10,000",
        met=rate >= 10_000,
        detail={"each": "level, TI, TV, level to 0 V: one line; then ERRX?"},
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
    device = SimulatedKeysightB2912A(
        VirtualClock(), np.random.default_rng(0), {1: Resistor(1e-5), 2: Resistor(1e-5)}
    )
    with on_rack({ADDRESS: device}) as library:
        manager = pyvisa.ResourceManager(library)
        connection = manager.open_resource(ADDRESS, read_termination="\n", write_termination="\n")
        yield connection  # type: ignore[misc]
        connection.close()
