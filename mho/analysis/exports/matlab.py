"""Exports a run as a ``.mat`` file (version 5, which MATLAB, Octave and scipy read).

Variables: a struct a table with a field a column; ``maps`` and ``arrays``; ``units`` with the same fields as these;
``run`` with title, status, parameters and results. One series at a time is in memory.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.io.matlab import MatWriteError

from mho.analysis.datasets.stored_values import BLOCK_BYTES, StoredValues
from mho.analysis.exports.series import SeriesGroup, read_contents, run_facts
from mho.errors import InputError
from mho.runs import RunFile

LONGEST = 63  # characters of a name that MATLAB takes


def write_matlab(run: RunFile, path: Path) -> None:
    """Write a run as a new ``.mat`` file.

    Raises `InputError`: a variable is beyond the 4 GB that the format holds.
    """
    contents = read_contents(run)
    kinds = ("map", "array")
    with tempfile.TemporaryDirectory(prefix="mho-export-") as spool, path.open("wb") as stream:
        units = {f"{kind}s": {_name(g.name): _units(g) for g in contents if g.kind == kind} for kind in kinds}
        units |= {_name(g.name): _units(g) for g in contents if g.kind == "table"}
        try:
            for variables in (
                {"run": _facts(run), "units": units},
                *({_name(g.name): _struct(g, Path(spool))} for g in contents if g.kind == "table"),
                *(
                    {f"{kind}s": {_name(g.name): _struct(g, Path(spool)) for g in contents if g.kind == kind}}
                    for kind in kinds
                ),
            ):
                # The file's header is written at its beginning only; what follows is appended.
                scipy.io.savemat(stream, variables, long_field_names=True, oned_as="column")  # type: ignore[arg-type]
        except (MatWriteError, OverflowError) as error:
            raise InputError(
                f"{run.path} does not fit into a .mat file ({error}); export it as netcdf"
            ) from error


def _struct(group: SeriesGroup, spool: Path) -> Any:
    """Return a group in the form for savemat; an array is a separate variable."""
    if group.kind == "array":
        return _spooled(group.value, spool)
    return {_name(name): _spooled(series, spool) for name, series in group.series.items()}


def _units(group: SeriesGroup) -> Any:
    if group.kind == "array":
        return group.value.unit
    return {_name(name): series.unit for name, series in group.series.items()}


def _spooled(series: StoredValues, spool: Path) -> NDArray[Any]:
    """Return all values, of a long series in a file of `spool` that the system keeps in as much memory as there is."""
    if series.dtype.itemsize * int(np.prod(series.shape)) <= BLOCK_BYTES:
        return series.read()
    with tempfile.NamedTemporaryFile(dir=spool, delete=False) as file:
        values = np.memmap(file, series.dtype, "w+", shape=series.shape)
    for start, block in series.blocks():
        values[start : start + len(block)] = block
    return values


def _facts(run: RunFile) -> dict[str, Any]:
    results = {name: value for name, value in run.summary.items() if not isinstance(value, dict | list)}
    return run_facts(run) | {
        "parameters": {_name(name): _plain(one.value) for name, one in run.parameters.items()},
        "parameter_units": {_name(name): one.unit for name, one in run.parameters.items()},
        "results": {_name(name): _plain(value) for name, value in results.items()},
        "bench": run.bench,
        "chip": run.chip,
        "provenance": {_name(name): text for name, text in run.provenance.items()},
    }


def _plain(value: Any) -> Any:
    return "" if value is None else str(value) if isinstance(value, int) and abs(value) >= 2**63 else value


def _name(name: str) -> str:
    """Return a name that MATLAB takes: it begins with a letter and has no other than letters, digits and _."""
    plain = "".join(mark if mark.isascii() and mark.isalnum() else "_" for mark in name)
    return (plain if plain[:1].isalpha() else f"x{plain}")[:LONGEST]
