"""The pulses in run files: those of several runs on one chip, one after the other.

What a run's tables hold depends on its procedure; `PulseTable` says how its rows become pulses, each with a read after it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.reports import read_chip
from mho.errors import InputError
from mho.extensions.calibration.pulses_by_cell import READ, RESET, SET, Columns
from mho.runs import RunFile

Rows = Mapping[str, NDArray[Any]]

COLUMNS = ("time", "array", "row", "column", "kind", "voltage", "width", "gate", "conductance")
BETWEEN = 1e-2  # s between the reads before and after a pulse, at most, where a table has one time for both
KNOWN = 4  # rows, by whose times and readings a run is known again


@dataclass(frozen=True)
class PulseTable:
    """How the rows of a run's table become pulses."""

    table: str
    # ``pulses`` (a row a read, with the pulse before it), ``ramp`` (the same of `form`), ``responses`` (a row
    # has the reads before and after) or ``cycles`` (SET and RESET in turn)
    form: str
    array: int | None = None  # number of the array in the chip map, where the rows have none
    kind: int = SET  # of the pulses of responses
    # What rows do not have: voltages, gates and width of full pulses
    fixed: Mapping[str, float] = field(default_factory=dict)

    def columns(self, rows: Rows) -> Columns:
        """Return the columns `COLUMNS` of the rows of the table, in SI."""
        match self.form:
            case "ramp":
                rows = {**rows, "kind": np.where(np.asarray(rows["pulse"]) > 0, SET, READ)}
            case "responses":
                rows = self._responses(rows)
            case "cycles":
                rows = self._cycles(rows)
        result = dict(rows)
        if "array" not in result:
            result["array"] = np.full(len(result["row"]), self.array or 0)
        kind = np.asarray(result["kind"])  # a chip's own pulses are not known, only what it read after them
        result["kind"] = np.where(kind > RESET, READ, kind)
        return {name: np.asarray(result[name], dtype=float) for name in COLUMNS}

    def _responses(self, rows: Rows) -> Rows:
        """Return a read and a pulse for each row; between rows a cell was brought back, which is not recorded."""
        time, count = np.asarray(rows["time"], dtype=float), len(rows["time"])
        apart = min(BETWEEN, 0.5 * float(np.diff(np.unique(time)).min())) if np.ptp(time) > 0.0 else BETWEEN
        pairs = {"time": (time - apart, time), "conductance": (rows["before"], rows["conductance"])}
        kinds = np.asarray(rows["kind"]) if "kind" in rows else np.full(count, self.kind)  # of imported ones
        pairs["kind"] = (np.zeros(count), kinds)
        for name in ("row", "column", "voltage", "width", "gate"):
            pairs[name] = (np.asarray(rows[name]),) * 2
        return {name: np.stack(pair, axis=1).ravel() for name, pair in pairs.items()}

    def _cycles(self, rows: Rows) -> Rows:
        """Return the cycles; what the first SET of a cell met is not known."""
        reset = np.asarray(rows["state"]) == 1
        whole = {
            **rows,
            "width": np.full(len(reset), self.fixed["width"]),
            "kind": np.where(reset, RESET, SET),
        }
        for name in ("voltage", "gate"):
            whole[name] = np.where(reset, self.fixed[f"reset_{name}"], self.fixed[f"set_{name}"])
        first = np.flatnonzero((np.asarray(rows["cycle"]) == 0) & ~reset)
        unknown = {name: np.asarray(whole[name], dtype=float)[first] for name in ("row", "column")}
        unknown |= {name: np.zeros(len(first)) for name in ("kind", "voltage", "width", "gate")}
        unknown["time"] = np.asarray(rows["time"], dtype=float)[first] - 1e-6
        unknown["conductance"] = np.full(len(first), np.nan)
        return {
            name: np.concatenate([unknown[name], np.asarray(whole[name], dtype=float)]) for name in unknown
        }


def pulse_table(run: RunFile) -> PulseTable | None:
    """Return how a run tells its pulses; None where it holds none.

    Raises `InputError`: a table of pulses lacks a column.
    """
    tables, parameters = run.tables, run.parameters
    named = parameters["array"].value if "array" in parameters else None
    chip = read_chip(run)
    arrays = [one.name for one in chip.arrays] if chip else []
    array = arrays.index(str(named)) if named in arrays else None
    if "responses" in tables:
        needed = ("time", "voltage", "width", "gate", "before")
        if missing := [name for name in needed if name not in run.units("responses")]:
            raise _lacks(run, "responses", missing)
        kind = RESET if "against" in parameters and parameters["against"].value == "V_SL" else SET
        return PulseTable("responses", "responses", array, kind)
    if "cycles" in tables:
        names = ("set_voltage", "set_gate", "reset_voltage", "reset_gate", "width")
        # Those of a solve are cycles of refinement: its pulses are in a table of their own.
        if all(name in parameters and isinstance(parameters[name].value, float) for name in names):
            fixed = {name: float(parameters[name].value or 0.0) for name in names}
            return PulseTable("cycles", "cycles", array, fixed=fixed)
    for table in ("pulses", "reads"):
        if table not in tables or not run.length(table):
            continue
        there = set(run.units(table))
        if {"time", "pulse", "ramped", "width", "gate"} <= there:
            return PulseTable(table, "ramp", array)
        missing = [name for name in COLUMNS if name not in there and name != "array"]
        if not missing:
            return PulseTable(table, "pulses", array)
        if "kind" in there or (table == "reads" and {"voltage", "width"} <= there):
            raise _lacks(run, table, missing)
    return None


def _lacks(run: RunFile, table: str, missing: Sequence[str]) -> InputError:
    hint = f"name the table's own with `mho import --column {missing[0]}=…`"
    if "gate" in missing:
        hint = (
            "a SET is limited by the word line in every law here: give its voltage, also where it was the same for all "
            "pulses. Cells without a select transistor cannot be calibrated"
        )
    elif "kind" in missing:
        hint = "it says of each line whether its pulse is a SET, a RESET, or none: set, reset, read"
    return InputError(f"{run.path}: the table {table!r} has no column {', '.join(missing)}; {hint}")


@dataclass(frozen=True)
class Records:
    """The pulses of run files."""

    columns: Columns  # `COLUMNS`, in the order of the runs' starts
    without: Mapping[str, str]  # names of the files that hold no pulses, with their procedures


def read_records(paths: Sequence[str | os.PathLike[str]]) -> Records:
    """Return the pulses in run files of one chip, and which of them have none.

    Raises `InputError`: no run holds pulses, a table of pulses lacks a column, or two runs are of different chips; they
    are named; `RunFileError`: a file cannot be read.
    """
    check_one_chip(paths)
    parts, without = [], {}
    for path in paths:
        with RunFile(path) as run:
            pulses = pulses_of(run)
            if pulses is None:
                without[str(path)] = run.procedure
            else:
                parts.append((run.start_time.timestamp(), pulses))
    if not parts:
        name, procedure = next(iter(without.items()))
        raise InputError(
            f"{name} is a run of {procedure} and holds no pulses; name runs with pulses (response, switching, program, "
            "form), or import a table with the columns " + ", ".join(COLUMNS)
        )
    return Records(joined(parts), without)


def pulses_of(run: RunFile) -> Columns | None:
    """Return the columns of a run's pulses; None where it has none."""
    how = pulse_table(run)
    return how.columns(run.table(how.table)) if how is not None else None


def joined(parts: Sequence[tuple[float, Columns]]) -> Columns:
    """Return the columns of several runs, each with the time of its start, one after the other."""
    columns: dict[str, list[NDArray[np.float64]]] = {name: [] for name in COLUMNS}
    later = 0.0
    for _, part in sorted(parts, key=lambda one: one[0]):  # each bench's clock begins at its own zero
        times = part["time"]
        if not len(times):
            continue
        for name in COLUMNS:
            columns[name].append(part[name] if name != "time" else times - times.min() + later)
        later += float(np.ptp(times)) + 1.0
    return {name: np.concatenate(column) if column else np.empty(0) for name, column in columns.items()}


def check_one_chip(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Raise `InputError` unless there are runs, none is of another chip than the others, and none has rows of another.

    A copy, a repetition, or a run that was taken up and holds what came before: intervals would be too narrow by what
    counts twice, and a run that is held out would be held to itself.
    """
    if not paths:
        raise InputError("a calibration needs a run file, such as that of a program run")
    named: list[tuple[str, str]] = []
    begun: dict[tuple[str, bytes], None] = {}
    for path in paths:
        with RunFile(path) as run:
            chip, seed = read_chip(run), run.chip_seed
            if chip is not None:
                drawn = "" if seed is None else f", simulated with seed {seed}"
                named.append((str(path), f"{chip.name!r}{drawn}"))
            for name in run.tables:  # by the first rows of a table with readings it is known again
                if run.length(name) >= KNOWN and {"time", "conductance"} <= run.units(name).keys():
                    columns = (run.column(name, one, 0, KNOWN) for one in ("time", "conductance"))
                    begun.setdefault((str(path), b"".join(one.tobytes() for one in columns)))
    for path, name in named[1:]:
        if name != named[0][1]:
            raise InputError(
                f"{named[0][0]} is of chip {named[0][1]} and {path} of chip {name}; calibrate each chip by itself"
            )
    first: dict[bytes, str] = {}
    for path, rows in begun:
        if rows in first:
            raise InputError(
                f"{path} begins with the rows of {first[rows]}: it is the same run, or goes on with it, and its rows would "
                "count twice; name one of them, of a run that was taken up the last"
            )
        first[rows] = path
