"""Assumptions that run files of a bench tell: settling, bits a cycle, pulses a cell, what a pulse takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.extensions.projection.assumptions import Assumptions
from mho.runs import RunFile

KINDS = "invert and solve"
MOST_SLICES = 128


@dataclass(frozen=True)
class BenchMedians:
    """What run files tell."""

    values: Mapping[str, float]
    counts: Mapping[str, int]
    simulated: bool

    def over(self, assumptions: Assumptions, name: str) -> Assumptions:
        """Return assumptions with what the runs tell in their place."""
        for one, value in self.values.items():
            where = "simulated" if self.simulated else "measured"
            assumptions = assumptions.over({one: value}, f"{where}, median of {self.counts[one]} run(s)")
        return Assumptions(name, f"{assumptions.about}; and what runs of a bench tell", assumptions.each)


def read_runs(paths: Iterable[Path]) -> BenchMedians:
    """Return what runs of ``invert`` and ``solve`` tell of a bench.

    Raises
    ------
    InputError
        A run of another kind, or none that tells anything.
    RunFileError
        A file that is no run file.
    """
    readings: dict[str, list[float]] = {}
    simulated = False
    for path in paths:
        with RunFile(path) as run:
            simulated |= bool(run.preset)
            reader = READERS.get(run.procedure)
            if reader is None:
                raise InputError(
                    f"{path.name} is a run of {run.procedure}, which tells nothing of a projection; name runs of {KINDS}"
                )
            here = reader(run, run.summary)
        if not here:
            raise InputError(
                f"{path.name} tells no time, cycles or pulses: it did not come so far; name another run"
            )
        for name, value in here.items():
            readings.setdefault(name, []).append(value)
    if not readings:
        raise InputError(f"no run is named; name run files of {KINDS} by --runs")
    return BenchMedians(
        {name: float(np.median(values)) for name, values in readings.items()},
        {name: len(values) for name, values in readings.items()},
        simulated,
    )


def _of_invert(run: RunFile, summary: Mapping[str, Any]) -> dict[str, float]:
    return _positive({"inv_time": summary.get("settling_time")}) | _of_pulses(run, summary)


def _of_solve(run: RunFile, summary: Mapping[str, Any]) -> dict[str, float]:
    bits, cycles = summary.get("bits_asked"), summary.get("cycles_to_goal")
    quantities = {"bits": bits, "bits_per_cycle": bits / cycles if bits and cycles else None}
    return _positive(quantities) | _of_products(run, summary) | _of_pulses(run, summary)


def _of_products(run: RunFile, summary: Mapping[str, Any]) -> dict[str, float]:
    """Return how many shots a product took: integers of a cycle over the columns that hold the slices of both signs."""
    outputs, cycles = summary.get("mvm_outputs"), summary.get("cycles")
    if not outputs or not cycles or "digits_multiply" not in run.arrays:
        return {}
    shots = max(1, round(outputs / (len(cycles) * run.array_shape("digits_multiply")[1])))
    return {"vector_slices": float(min(shots, MOST_SLICES)), "line_groups": float(-(-shots // MOST_SLICES))}


def _of_pulses(run: RunFile, summary: Mapping[str, Any]) -> dict[str, float]:
    """Return what write-verify took, if cells were written in this run; one cell at a time, as benches do."""
    pulses, cells, joules = (summary.get(name) for name in ("pulses", "cells", "joules"))
    if not pulses or not cells:
        return {}
    quantities = {
        "write_pulses": pulses / cells,
        "pulse_energy": joules / pulses if joules else None,
        "cells_at_once": 1.0,
    }
    if "pulses" in run.tables:
        times = run.column("pulses", "time")
        if times.size > 1:
            quantities["pulse_time"] = float(np.ptp(times)) / (times.size - 1)
    return _positive(quantities)


def _positive(quantities: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in quantities.items()
        if isinstance(value, int | float) and np.isfinite(value) and value > 0.0
    }


READERS: Mapping[str, Callable[[RunFile, Mapping[str, Any]], dict[str, float]]] = {
    "Invert": _of_invert,
    "Solve": _of_solve,
}
