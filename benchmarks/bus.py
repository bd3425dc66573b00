"""What one message costs: ``*IDN?`` a second at the simulated instrument, through PyVISA, through a driver."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyvisa
from pymeasure.instruments.agilent import AgilentB1500
from pymeasure.instruments.keithley import Keithley2450

from benchmarks import _pyvisa_sim
from benchmarks._twins import on_rack
from benchmarks.registry import Figure, installed, median_seconds
from mho.instruments import open_bench
from mho.instruments.drivers.agilentb1500 import AgilentB1500 as B1500Smu
from mho.instruments.simulated.agilentb1500.instrument import SimulatedAgilentB1500
from mho.instruments.simulated.clock import VirtualClock

QUERIES = 5000
GPIB = "GPIB0::17::INSTR"
IDENTIFY = b"*IDN?\n"


def run(repeat: int) -> list[Figure]:
    """Measure the simulated 2450 of the packaged bench, and pyvisa-sim's answering the same."""
    rate = partial(_rate, repeat=repeat)
    with open_bench("simulated", seed=1) as bench, tempfile.TemporaryDirectory() as folder:
        assert bench.laboratory is not None
        driver: Any = bench.instruments.smu
        device = bench.laboratory.devices[bench.file.instruments.smu.address]
        identity = driver.identify()
        peers = _pyvisa_sim_rates(Path(folder) / "devices.yaml", identity, rate)
        connection = driver.adapter.connection
        theirs = Keithley2450(driver.adapter)

        def ask_device() -> str:
            device.write(IDENTIFY)
            return bytes(device.read()).decode().rstrip()

        return [
            Figure(
                "*IDN? at the simulated instrument",
                rate(ask_device, identity),
                "1/s",
                "pyvisa-sim's device",
                peers.get("device"),
                detail={"what pyvisa-sim's includes": "reading byte by byte, as its sessions do"},
                peer_package=_pyvisa_sim.PACKAGE,
            ),
            Figure(
                "*IDN? through PyVISA",
                rate(lambda: connection.query("*IDN?"), identity),
                "1/s",
                "pyvisa-sim through PyVISA",
                peers.get("PyVISA"),
                peer_package=_pyvisa_sim.PACKAGE,
            ),
            Figure(
                "*IDN? through PyVISA and driver",
                rate(driver.identify, identity),
                "1/s",
                "PyMeasure's Keithley2450 at @mho",
                rate(lambda: theirs.id, identity),
                detail={"PyMeasure's on pyvisa-sim, 1/s": peers.get("driver", "not installed")},
            ),
            *_b1500(rate),
        ]


class _Open:
    """A terminal that nothing is wired to."""

    def drive(self, volts: float, *, connected: bool) -> None:
        pass

    def current(self, volts: float, aperture: float) -> float:
        return 0.0


def _b1500(rate: Callable[..., float]) -> list[Figure]:
    """Measure the driver that wraps PyMeasure's, beside PyMeasure's."""
    device = SimulatedAgilentB1500(VirtualClock(), np.random.default_rng(0), {1: _Open()})
    with on_rack({GPIB: device}) as library, closing(B1500Smu(GPIB, library)) as ours:
        theirs = AgilentB1500(GPIB, visa_library=library)
        reached = rate(ours.identify, ours.identify())
        peer = rate(lambda: theirs.ask("*IDN?"), ours.identify())
        theirs.adapter.close()
    return [
        Figure(
            "*IDN? of a B1500 through PyVISA and driver",
            reached,
            "1/s",
            "PyMeasure's AgilentB1500 at @mho",
            peer,
            target=">= 60,000",
            met=reached >= 60_000,
        )
    ]


def _rate(ask: Callable[[], str], expected: str, *, repeat: int) -> float:
    """Return queries a second; raises `RuntimeError` when the answer is not the expected one."""
    if (answer := ask()).strip() != expected:
        raise RuntimeError(f"answered {answer!r} instead of {expected!r}")

    def work() -> None:
        for _ in range(QUERIES):
            ask()

    return QUERIES / median_seconds(work, repeat)


def _pyvisa_sim_rates(path: Path, identity: str, rate: Callable[..., float]) -> dict[str, float]:
    """Return pyvisa-sim's queries a second by layer; none when it is not installed."""
    if not installed(_pyvisa_sim.MODULE):
        return {}
    (address,) = _pyvisa_sim.write_definition(path, {"*IDN?": identity})
    with closing(pyvisa.ResourceManager(f"{path}@sim")) as manager:
        connection: Any = manager.open_resource(address, read_termination="\n", write_termination="\n")
        theirs = Keithley2450(
            address, visa_library=f"{path}@sim", read_termination="\n", write_termination="\n"
        )
        library: Any = manager.visalib
        device = library.sessions[connection.session].device

        def ask_device() -> str:
            device.write(IDENTIFY)
            answer, ended = bytearray(), False
            while not ended:
                byte, ended = device.read()
                answer += byte
            return answer.decode().rstrip()

        return {
            "device": rate(ask_device, identity),
            "PyVISA": rate(lambda: connection.query("*IDN?"), identity),
            "driver": rate(lambda: theirs.id, identity),
        }
