"""What a pulse-and-verify step costs through the whole stack, layer by layer, beside PyMeasure and pyvisa-sim.

A step is what write-verify repeats: gate voltage, path, pulse, path, gate voltage, read, with every setting
checked and every switch read back. All layers replay the same steps on the same simulated chip.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import _pyvisa_sim
from benchmarks._pymeasure import PyMeasureBench, recorder
from benchmarks._steps import PRESET, Replay, Steps, Workplace, workplace
from benchmarks.registry import Figure, installed
from mho.procedures.cells.programming.record import KINDS, PULSES

SIDE = 20  # rows and columns of the block
TARGET = 2000.0  # steps a second
TURNS_A_REPEAT = 3  # a layer's own cost is a difference of two medians, so these need more
PYMEASURE = "PyMeasure's drivers at @mho, into its CSV"
CANNED = "pyvisa-sim, canned replies behind it"
THREADS = 2  # the caller's, and the run file's that flushes
ROUND_TRIP = (
    0.4e-3  # s, at least, from a message to its reply: three transfers over USB 2.0 of a microframe each (?)
)
OUTSIDE = 10.0  # %


def run(repeat: int) -> list[Figure]:
    """Time whole jobs, then each layer and the peers on recorded steps."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work = stack.enter_context(workplace(SIDE, folder / "run.h5"))
        job = _job(work, repeat)
        steps = Steps(work)
        names = [column.name for column in PULSES.columns]
        csv = stack.enter_context(recorder(folder / "pulses.csv", names))
        replays: dict[str, Replay] = {
            "cells": steps.cells,
            "SCPI engines and wires": steps.devices,
            "PyVISA": steps.sessions,
            "drivers": steps.drivers,
            "bench": steps.bench,
            "run file": steps.stream,
            PYMEASURE: _pymeasure(work, steps, csv.handle),
        }
        for name, replay in replays.items():
            check_work(name, replay, work, len(steps))
        if installed(_pyvisa_sim.MODULE):
            replays[CANNED] = stack.enter_context(
                _pyvisa_sim.replaying(steps.messages, folder / "devices.yaml")
            )
        seconds = _interleaved(replays, len(steps), TURNS_A_REPEAT * repeat)
        messages = len(steps.messages) / len(steps)
        roles = Counter(message.role for message in steps.messages)
        began = work.bench.now()
        steps.bench()
        passed = (work.bench.now() - began) / len(steps)
    canned = seconds.pop(CANNED, None)
    theirs = seconds.pop(PYMEASURE)
    return [
        Figure(
            "pulse-and-verify steps, whole stack into the run file",
            1.0 / seconds["run file"],
            "1/s",
            PYMEASURE,
            1.0 / theirs,
            target=f">= {TARGET:g}",
            met=1.0 / seconds["run file"] >= TARGET,
            detail={
                **_costs(seconds),
                "steps": len(steps),
                "messages a step": round(messages, 2),
                **{f"to the {role}": round(count / len(steps), 2) for role, count in roles.items()},
            },
            threads=THREADS,
        ),
        job,
        _outside(seconds["run file"] - seconds["SCPI engines and wires"], messages, passed),
        Figure(
            "steps' messages through PyVISA, engines and physics behind it",
            1.0 / seconds["PyVISA"],
            "1/s",
            CANNED,
            None if canned is None else 1.0 / canned,
            peer_package=_pyvisa_sim.PACKAGE,
        ),
    ]


def _job(work: Workplace, repeat: int) -> Figure:
    """Time re-programming with all it takes: addressing, first and last reads, decisions, maps, run file."""
    programmer, rates, counts = work.programmer, [], []
    for _ in range(repeat):
        pulses, reads, start = programmer.pulses, programmer.reads, time.perf_counter()
        work.reprogram()
        seconds = time.perf_counter() - start
        counts.append((programmer.pulses - pulses, programmer.reads - reads))
        rates.append(counts[-1][0] / seconds)
    return Figure(
        "pulses in a whole write-verify job, with addressing and all reads",
        statistics.median(rates),
        "1/s",
        target=f">= {TARGET:g}",
        met=statistics.median(rates) >= TARGET,
        detail={
            "cells": work.block.digits.size,
            "pulses": counts[-1][0],
            "reads": counts[-1][1],
            "preset": PRESET,
        },
        threads=THREADS,
    )


def _outside(own: float, messages: float, passed: float) -> Figure:
    """Compare what a step takes on this side of the wire with what real instruments take for it at the least.

    Parameters
    ----------
    own : float
        Time of a step outside the instruments: PyVISA, drivers, bench, run file, s.
    messages : float
        A step's messages, of `ROUND_TRIP` each.
    passed : float
        What a step takes by the bench's clock: settling, integration, pulse and switches, but no message, s.
    """
    instruments = passed + messages * ROUND_TRIP
    return Figure(
        "time of a step outside the instruments, of that in real ones",
        100.0 * own / instruments,
        "%",
        target=f"< {OUTSIDE:g}",
        met=100.0 * own / instruments < OUTSIDE,
        detail={
            "outside, us": round(1e6 * own, 1),
            "in real instruments, us": round(1e6 * instruments),
            "of which by the bench's clock, us": round(1e6 * passed),
            "a message, us": round(1e6 * ROUND_TRIP),
        },
        threads=THREADS,
    )


def check_work(name: str, replay: Replay, work: Workplace, count: int) -> None:
    """Raise `RuntimeError` unless every pulse and every read of a replay reaches a cell: the same work."""
    pulses, reads = work.counted(replay)
    if pulses != count or reads != count:
        raise RuntimeError(f"{name}: {pulses} pulses and {reads} reads reached a cell instead of {count}")


def _interleaved(replays: Mapping[str, Replay], count: int, turns: int) -> dict[str, float]:
    """Return each replay's median seconds a step, taken in turns so that a busy machine hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in replays}
    for _ in range(turns):
        for name, replay in replays.items():
            start = time.perf_counter()
            replay()
            times[name].append((time.perf_counter() - start) / count)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _costs(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return what each layer adds to the one below, us a step."""
    costs, below = {}, 0.0
    for name, value in seconds.items():
        costs[f"{name}, us"] = round(1e6 * (value - below), 1)
        below = value
    return costs


def _pymeasure(work: Workplace, steps: Steps, record: Callable[[Mapping[str, float]], object]) -> Replay:
    bench = PyMeasureBench(work.bench)
    now = work.bench.now

    def replay() -> None:
        for cell, pulse in steps.steps:
            bench.pulse(cell, pulse)
            conductance = bench.read()
            record(
                {
                    "time": now(),
                    "array": 0,
                    "row": cell.row,
                    "column": cell.column,
                    "kind": KINDS[pulse.kind],
                    "voltage": pulse.voltage,
                    "width": pulse.width,
                    "gate": pulse.gate,
                    "conductance": conductance,
                }
            )

    return replay
