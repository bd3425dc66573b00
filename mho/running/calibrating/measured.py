"""The runs that a fitted preset is held to: what was done, and what came out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration import PulseTable, pulse_table
from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.errors import MhoError
from mho.instruments.bench_file import BenchFile, BenchSource
from mho.procedures import Form, Procedure, Program, Response, Switching
from mho.runs import RunFile, Status
from mho.toml import parse_toml

Columns = dict[str, NDArray[np.float64]]

REPEATED: dict[str, type[Procedure]] = {kind.__name__: kind for kind in (Form, Program, Response, Switching)}
"""Procedures that are carried out again, as the pulses that they choose follow their reads."""

MOSTLY = 0.5  # of the cells of a program run; of a fresh one only those of digit 0 get no pulse


@dataclass(frozen=True)
class MeasuredRun:
    """A run with pulses.

    Attributes
    ----------
    name : str
        Of its file.
    how : PulseTable
    columns : mapping
        Its pulses, as `mho.analysis.calibration.read_pulses` has them.
    kind : type of Procedure or None
        The procedure; None where the table's pulses are repeated one by one.
    values : mapping
        Parameters of the procedure.
    source : BenchSource or None
        Bench and chip map.
    chip : ChipMap or None
    digits : array or None
        Of a program run: wanted of each cell.
    why_not : str
        Why it cannot be repeated; "" where it can.
    """

    name: str
    how: PulseTable
    columns: Columns
    kind: type[Procedure] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    source: BenchSource | None = None
    chip: ChipMap | None = None
    digits: NDArray[np.int64] | None = None
    why_not: str = ""


def measured_run(path: str | os.PathLike[str]) -> MeasuredRun | None:
    """Return what a run did, or None for one without pulses."""
    with RunFile(path) as run:
        how = pulse_table(run)
        if how is None:
            return None
        columns = how.columns(run.table(how.table))
        name = Path(path).name
        if run.procedure == "Import":
            return MeasuredRun(name, how, columns, why_not=_followed(columns))
        kind = REPEATED.get(run.procedure)
        if kind is None:
            return MeasuredRun(name, how, columns, why_not=f"runs of {run.procedure} are not repeated")
        if run.status is not Status.FINISHED:
            return MeasuredRun(
                name, how, columns, why_not=f"it is {run.status}, and only whole runs are repeated"
            )
        try:
            return _of_procedure(run, name, how, columns, kind)
        except MhoError as error:
            return MeasuredRun(name, how, columns, why_not=str(error))


def _of_procedure(
    run: RunFile, name: str, how: PulseTable, columns: Columns, kind: type[Procedure]
) -> MeasuredRun:
    bench = parse_toml(run.bench, BenchFile, f"bench file in {run.path}", MhoError)
    source = BenchSource(bench=bench, text=run.bench, chip_text=run.chip, defects_text=run.defects)
    values: dict[str, Any] = {one: value for one, value in run.given.items() if one in run.parameters}
    digits = None
    if kind is Program:
        digits = np.asarray(run.array("digits"), dtype=np.int64)
        values["digits"] = digits
    chip = parse_chip_map(run.chip, f"chip map in {run.path}")
    if digits is not None and _untouched(columns) > MOSTLY:
        why = (
            "most of its cells were in their windows when it came: an earlier run's pulses brought them there"
        )
        return MeasuredRun(name, how, columns, why_not=why)
    return MeasuredRun(name, how, columns, kind, kind.from_version(run.version, values), source, chip, digits)


def _untouched(columns: Columns) -> float:
    """Return the share of a program run's cells that got no pulse."""
    places = np.stack([columns[name] for name in ("array", "row", "column")])
    _, cells = np.unique(places, axis=1, return_inverse=True)
    pulses = np.bincount(cells, columns["kind"] > 0)
    return float((pulses == 0).mean()) if len(pulses) else 0.0


def _followed(columns: Columns) -> str:
    """Return why the pulses of a foreign table cannot be repeated: whether a read chose them, only its program knows."""
    pulsed = columns["kind"] > 0
    places = np.stack([columns[name][pulsed] for name in ("array", "row", "column")])
    if not places.shape[1]:
        return "it has no pulses"
    _, counts = np.unique(places, axis=1, return_counts=True)
    if int(counts.max()) > int(counts.min()):
        return (
            f"its cells have {counts.min()} to {counts.max()} pulses: where the reads decided over them, they cannot be "
            "repeated without the program that did"
        )
    return ""
