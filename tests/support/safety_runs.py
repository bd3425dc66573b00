"""Runs of every procedure with something going wrong in the middle, and what must hold of their end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mho import run
from mho.errors import BenchError, MhoError
from mho.instruments import Bench, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.procedures import Procedure
from mho.procedures.catalogue import find_procedure
from mho.procedures.manifest import known_entries
from mho.procedures.stream import Message, Started
from mho.runs import RunFile, Status

SMALL_CHIP = """
name = "small"
[levels]
conductances = [0.37e-6, 5e-6, 10e-6, 15e-6, 20e-6, 25e-6, 30e-6, 35e-6]
tolerance = 1.2e-6
spread = 0.65e-6
zero_range = [0.22e-6, 0.52e-6]
zero_limit = 0.6e-6
""" + "".join(
    f'[[arrays]]\nname = "{name}"\npurpose = "{name.partition("_")[0]}"\nrows = {size}\ncolumns = {size}\n'
    "wire_resistance = 1.73\n"
    for name, size in (("invert_positive", 4), ("invert_negative", 4), ("multiply", 16))
)
ENTRIES = load_bench_file("simulated").bench.instruments
ROLES = ("smu", "gate", "pulser", "board")
ADDRESSES = {role: getattr(ENTRIES, role).address for role in ROLES}

# The bench file with other instruments in it: what is replaced by what.
SIMULATED, SWITCHED, HEATED = (load_bench_file(name).text for name in ("simulated", "switched", "heated"))
NI = SIMULATED[SIMULATED.index("[instruments.daq]") : SIMULATED.index("[instruments.board]")]
SCANNED = """[instruments.daq]
driver = "keithleydaq6510"
address = "USB0::0x05E6::0x6510::SIM00006::INSTR"
inputs = "101:116"
outputs = "PXI1Slot2/ao0:15"
products = { PXI1Slot2 = "PXIe-6738" }

"""
TWO_CHANNELS = {"SIM00002": "SIM00001", 'terminal = "word line"': 'terminal = "word line"\nchannel = 2'}
BENCHES: dict[str, str] = {
    "2450, 33522B, NI": SIMULATED,
    "2636B, 33522B, 707B": SWITCHED,
}
for _name, _changes in {
    "2450, AFG31000, DAQ6510": {NI: SCANNED, "keysight33522b": "tektronixafg31000"},
    "B2912A, 33622A": {**TWO_CHANNELS, "keithley2450": "keysightb2912a", "keysight33522b": "keysight33622a"},
    "B1500, 33522B": {**TWO_CHANNELS, "keithley2450": "agilentb1500"},
}.items():
    BENCHES[_name] = SIMULATED
    for _old, _new in _changes.items():
        assert _old in BENCHES[_name]
        BENCHES[_name] = BENCHES[_name].replace(_old, _new)

THREE_BUSES = str(Path(__file__).parent / "three_buses.m")

# Parameters for the shortest possible run; a procedure not named here runs with its defaults.
SHORTEST: dict[str, dict[str, Any]] = {
    "solve": {"matrix": np.array([[0.8, 0.2], [0.1, 0.7]]), "bits": 3, "max_cycles": 2},
    "read": {"rows": "0:2", "columns": "0:2", "repeats": 2},
    "refresh": {"digits": np.zeros((2, 2), np.int64)},  # as on a fresh chip: it reads
    "program": {"digits": np.array([[0, 3], [7, 5]]), "passes": 1},
    "iv": {"rows": "0:1", "columns": "0:2", "step": 0.1, "compliance": 5e-5},
    "form": {"rows": "0:1", "columns": "0:2", "start": 3.0, "stop": 3.4, "step": 0.1},
    "contact": {"rows": "0:1", "columns": "0:2"},
    "response": {"rows": "0:1", "columns": "0:2", "points": 5, "repeats": 1},
    "multiply": {"matrix": np.array([[3.0, -2.0]]), "bits": 3, "vector_bits": 2, "vectors": 1, "shots": 2},
    "invert": {"matrix": np.array([[0.8, 0.2], [0.1, 0.7]]), "vectors": 1, "scales": 4},
    "switching": {"rows": "0:1", "columns": "0:2", "cycles": 1},
    "endurance": {"rows": "0:1", "columns": "0:2", "cycles": 3},
    "disturb": {"rows": "0:1", "columns": "0:2", "pulses": 2},
    "retention": {"rows": "0:1", "columns": "0:2", "last": 2.0, "temperature": 299.15},
    "noise": {"rows": "0:1", "columns": "0:2", "samples": 64, "series": 1},
    "map": {"rows": "0:2", "columns": "0:2", "repeats": 1},
    "poisson": {"arrangement": "dipole", "size": 2, "bits": 3},
    "diffusion": {"start": "sine", "size": 2, "steps": 1, "bits": 3},
    "junction": {"acceptors": 1e23, "points": 4, "max_steps": 1, "bits": 3},
    "kalman": {"sensors": 2, "tracks": 1, "steps": 5, "gap": 1, "gain": "steady", "bits": 3},
    "arm": {"joints": 2, "steps": 2, "matrix": "held", "leaf": 2, "bits": 3},
    "portfolio": {"assets": 2, "days": 20, "points": 2, "bits": 3},
    "powerflow": {"network": THREE_BUSES, "scenarios": 1, "outages": False, "bits": 3},
    "mimo": {
        "antennas": 4,
        "users": 2,
        "constellation": 4,
        "snr": "30",
        "bits_per_point": 4,
        "cycles": 1,
        "bits": 3,
        "correction_bits": 3,
    },
    "pagerank": {"graph": np.array([[0.0, 1.0], [1.0, 1.0]]), "cycles": 1, "bits": 3},
    "eigenvector": {"matrix": np.array([[0.8, 0.2], [0.0, 0.4]]), "steps": 1, "bits": 3},
    "regression": {
        "kind": "ridge",
        "penalty": "1",
        "table": {"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 2.0, 1.0], "y": [1.0, 2.0, 3.0, 5.0]},
        "cycles": 1,
        "bits": 3,
    },
    "pseudoinverse": {"matrix": np.array([[1.0], [0.5]]), "cycles": 1, "bits": 3},
    "factorisation": {
        "picture": np.array([[4.0, 1.0, 2.0], [1.0, 3.0, 1.0], [2.0, 2.0, 4.0]]),
        "ranks": "2",
        "iterations": 1,
        "solves": 1,
        "bits": 3,
    },
    "train": {
        "data": "iris",
        "network": "4,3",
        "optimiser": "second-order",
        "epochs": 1,
        "seeds": 1,
        "cycles": "1",
    },
}
TRAINING = SHORTEST["train"] | {"epochs": 3}
# All known procedures, so that a new one is tested automatically.
PROCEDURES: dict[str, Callable[[], Procedure]] = {
    name: partial(find_procedure(name), **SHORTEST.get(name, {})) for name in known_entries()
}


class BusListener(Fault):
    """A fault that never strikes, but notes who was sent what."""

    def __init__(self) -> None:
        super().__init__("", "accident")
        self.heard: list[tuple[str, bytes]] = []

    def strikes(self, resource: str, message: bytes) -> bool:
        self.heard.append((resource, message))
        return False


class DaqListener(DaqFault):
    """The same for calls of NI-DAQmx."""

    def __init__(self) -> None:
        super().__init__("timeout")
        self.heard: list[tuple[tuple[str, ...], str]] = []

    def strikes(self, devices: Collection[str], call: str) -> bool:
        self.heard.append((tuple(devices), call))
        return False


@dataclass
class Aftermath:
    """End of a run."""

    lab: Laboratory
    error: BaseException | None
    said: list[Any]
    path: Path | None
    addresses: dict[str, str]
    unsafe: list[set[str]]
    threads: set[threading.Thread]

    @property
    def loud(self) -> list[str]:
        return [event.text for event in self.said if isinstance(event, Message) and event.level == "CRITICAL"]


@cache
def bench_file(folder: Path, text: str = SIMULATED) -> str:
    (folder / "small.toml").write_text(SMALL_CHIP, encoding="utf-8")
    path = folder / "bench.toml"
    path.write_text(
        text.replace('chip = "reference"', f'chip = "{(folder / "small.toml").as_posix()}"').replace(
            '"pku"', '"ideal"'
        ),
        "utf-8",
    )
    return str(path)


def unsafe_roles(bench: Bench) -> set[str]:
    """Return outputs not at 0 V and off, and switches not open, from the state of the wires behind the twins."""
    lab, entries = bench.laboratory, bench.file.instruments
    held = lab.held  # an output that is on at 0 V is some microvolts away from it
    safe = {
        "smu": held.get("bit line", held.get("smu", 0.0)) == 0.0,
        "gate": held.get("word line", held.get("gate", 0.0)) == 0.0,
        "pulser": not any(lab.devices[entries.pulser.address].output_on.values()),
        "daq": np.abs(lab.held_vector()).max(initial=0.0) < 5e-3,
        "board": (lab.board.mode, lab.board.path) == ("SAFE", "OPEN"),
        "chuck": entries.chuck is None
        or not any(loop.heater for loop in lab.devices[entries.chuck.address].loops.values()),
        "switch": entries.switch is None or not lab.devices[entries.switch.address].closed,
    }
    return {role for role, yes in safe.items() if not yes}


def perform(
    procedure: Procedure, bench_name: str, inject: Callable[[Bench], None], folder: Path
) -> Aftermath:
    """Run it with something injected, and leave the bench; look at the twins after the run and after leaving."""
    said: list[Any] = []
    error: BaseException | None = None
    before = set(threading.enumerate())
    unsafe: list[set[str]] = []
    with suppress(BenchError), open_bench(bench_name, seed=1) as bench:  # on leaving it says it once more
        lab = bench.laboratory
        inject(bench)
        try:
            run(procedure, bench, seed=1, output=folder, observers=[said.append])
        except (Exception, KeyboardInterrupt) as caught:
            error = caught
        unsafe.append(unsafe_roles(bench))
    unsafe.append(unsafe_roles(bench))
    started = [event.path for event in said if isinstance(event, Started)]
    return Aftermath(
        lab,
        error,
        said,
        started[0] if started else None,
        bench.file.instruments.buses(),
        unsafe,
        set(threading.enumerate()) - before,
    )


@cache
def heard(name: str, bench_name: str) -> tuple[list[tuple[str, bytes]], list[tuple[tuple[str, ...], str]]]:
    """Messages and calls of NI-DAQmx in a run without faults, in order; they are the same every time."""
    bus, daq = BusListener(), DaqListener()
    with open_bench(bench_name, seed=1) as bench:
        bench.laboratory.faults += [bus, daq]
        run(PROCEDURES[name](), bench, seed=1, output=Path(bench_name).parent / name)
        bench.laboratory.faults.clear()
    return bus.heard, daq.heard


def assert_end(after: Aftermath, lost: str = "", stuck: str = "") -> None:
    """Check what is promised of the end of a run; which address is `lost`, which role `stuck`, must at least be said."""
    lab = after.lab
    told = " ".join([str(after.error), *after.loud])
    excused = {role for role, address in after.addresses.items() if address == lost}
    excused |= {stuck} if stuck else set()
    excused |= {"switch"} if "switch (left as it is" in told else set()
    if lost:
        assert isinstance(after.error, MhoError)
        assert lost in told
    if after.path is not None and "NOT CONFIRMED SAFE" not in told:
        excused = set()  # so it is claimed that everything is safe
    assert all(unsafe <= excused for unsafe in after.unsafe), after.unsafe
    assert [i for i in lab.incidents if i.kind in ("hot switch", "over limit")] == []
    for thread in after.threads:
        thread.join(timeout=5.0)
        assert not thread.is_alive(), thread
    if after.path is None:
        assert after.error is not None
        return
    with RunFile(after.path) as file:
        status, reason = file.status, file.reason
        kept = [entry.message for entry in file.log() if entry.level == "CRITICAL"]
    if after.error is None:
        assert (status, reason) == (Status.FINISHED, "")
        assert after.loud == []
    else:
        stopped = isinstance(after.error, KeyboardInterrupt) or type(after.error).__name__ == "Aborted"
        assert status is (Status.ABORTED if stopped else Status.FAILED)
        assert reason
        assert (str(after.error)[:60] or "interrupted from the keyboard") in reason
    assert [text[:60] for text in kept] == [text[:60] for text in after.loud]


def chosen(count: int, few: int | None, seed: int) -> list[int]:
    """All indices, or `few` of them: one at random out of each of as many equal parts."""
    if few is None or few >= count:
        return list(range(count))
    edges = np.linspace(0, count, few + 1).astype(int)
    rng = np.random.default_rng(seed)
    return [int(rng.integers(low, high)) for low, high in pairwise(edges)]
