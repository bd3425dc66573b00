"""The pulses in run files: those of several runs on one chip, one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.reports import read_chip
from mho.errors import InputError
from mho.runs import RunFile, open_run

COLUMNS = ("time", "array", "row", "column", "kind", "voltage", "width", "gate", "conductance")
TABLES = ("pulses", "reads")
"""The table of a program run, and that of `mho import`."""


def read_pulses(paths: Sequence[str | os.PathLike[str]]) -> dict[str, NDArray[Any]]:
    """Return the columns of the pulses in all runs, in the order of their starts.

    Raises
    ------
    InputError
        A run holds no pulses, or two runs are of different chips; they are named.
    RunFileError
        A file cannot be read.
    """
    if not paths:
        raise InputError("a calibration needs a run file, such as that of a program run")
    parts, chips = [], []
    for path in paths:
        with open_run(path) as run:
            parts.append((run.start_time, _columns(run)))
            chip = read_chip(run)
            chips.append((str(path), chip.name if chip else None))
    named = [(path, name) for path, name in chips if name is not None]
    for path, name in named[1:]:
        if name != named[0][1]:
            raise InputError(
                f"{named[0][0]} is of chip {named[0][1]!r} and {path} of chip {name!r}; calibrate each chip by itself"
            )
    parts.sort(key=lambda part: part[0])
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in COLUMNS}
    later = 0.0
    for _, part in parts:  # each bench's clock begins at its own zero
        times = part["time"]
        part["time"] = times - (times.min() if len(times) else 0.0) + later
        later = float(part["time"].max()) + 1.0 if len(times) else later
        for name in COLUMNS:
            columns[name].append(part[name])
    return {name: np.concatenate(column) for name, column in columns.items()}


def _columns(run: RunFile) -> dict[str, NDArray[Any]]:
    for table in TABLES:
        if table in run.tables:
            found = run.table(table)
            missing = [name for name in COLUMNS if name not in found and name != "array"]
            if not missing:
                found.setdefault("array", np.zeros(len(found["row"])))
                if len(found["row"]):
                    return {name: np.asarray(found[name], dtype=float) for name in COLUMNS}
            elif table == "pulses" or "kind" in found:
                raise InputError(f"{run.path}: the table {table!r} has no column {', '.join(missing)}")
    raise InputError(
        f"{run.path} is a run of {run.procedure} and holds no pulses; name runs that program cells, or import a table "
        "with the columns " + ", ".join(COLUMNS)
    )
