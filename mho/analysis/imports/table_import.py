"""Imports a foreign table of measurements as a run file; checks all of it before writing anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.imports.conversion import Survey
from mho.analysis.imports.headers import plain_unit, read_headers
from mho.analysis.imports.measurements import MEASUREMENTS, Measurement
from mho.analysis.imports.rows import Rows
from mho.analysis.imports.series import Assignment, assign, named, without_header
from mho.analysis.imports.text_tables import TextTable
from mho.chip_maps.chip import parse_chip_map, read_chip_text
from mho.errors import InputError
from mho.runs import (
    Figure,
    Layout,
    Map,
    RecordedParameter,
    RunHeader,
    RunWriter,
    Table,
    collect,
    new_run_path,
)
from mho.runs.provenance import file_hash

BLOCK_LINES = 10_000
LARGEST_MAP = 1 << 24
"""Cells beyond which no map is made of the table."""


@dataclass(frozen=True)
class Reading:
    """How a foreign table is to be read.

    Attributes
    ----------
    type : str
        One of `mho.analysis.imports.measurements.MEASUREMENTS`.
    columns, units : mapping
        Headers by what they mean, and units: see `mho.analysis.imports.series.named`.
    constants : mapping
        Numbers in SI units by meaning, the same in all lines: the voltage of a read.
    names : tuple of str or None
        Names of the columns of a table without a header; None for one that has one.
    recipe : str
        The text of the recipe that says so; empty for none.
    """

    type: str = "reads"
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    recipe: str = ""


def import_table(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    array: str = "",
    chip: str = "",
    type: str = "reads",
    constants: Mapping[str, float] | None = None,
) -> Path:
    """Write the measurements in a foreign table into a new run file.

    Units may stand in the header (``G (uS)``, ``I [nA]``, ``V / mV``, ``G_uS``) or in a line below it, else values are
    taken to be in SI. Lines that begin with # are left out, and so are columns that hold text.

    Parameters
    ----------
    path : path
        Values apart by comma, semicolon (then a comma may be the decimal mark), tab or blanks; UTF-8, UTF-16 or Latin-1.
    output : path, optional
        As for `mho.runs.new_run_path`.
    columns, units, constants : mapping, optional
        See `Reading`.
    array : str, optional
        The array of the chip that the cells belong to: names the map ``<array>_conductance``.
    chip : str, optional
        Packaged chip map or file to keep in the run file.
    type : str, optional
        The kind of measurement, one of `mho.analysis.imports.measurements.MEASUREMENTS`.

    Returns
    -------
    Path
        The run file: its table in SI units, with the names, units and figures of our own runs of that kind.

    Raises
    ------
    InputError
        The file cannot be read, its columns are not understood, or lines are wrong: each is named.
    """
    reading = Reading(type, columns or {}, units or {}, constants or {})
    return import_reading(Path(path), reading, output, array=array, chip=chip)


def import_reading(
    path: Path,
    reading: Reading,
    output: str | os.PathLike[str] | None = None,
    *,
    array: str = "",
    chip: str = "",
) -> Path:
    """Write a foreign table into a new run file; parameters, results and errors as `import_table`."""
    source = Path(path)
    if source.exists() and not source.is_file():  # reading a pipe would wait for a writer
        raise InputError(f"table {source} is no file; name one that holds measurements")
    measurement = measurement_named(reading.type)
    name = f"{array}_conductance" if array else "conductance"
    if not name.isidentifier():
        raise InputError(f"array {array!r} is no name for a map; use letters, digits and _")
    table = TextTable(source, reading.names)
    assignment = assigned(table, reading)
    rows = Rows(table, measurement, assignment, BLOCK_LINES)
    survey = rows.survey()
    if chip:
        _check_cells(survey, array, chip)
    image = _CellMap(name, survey, measurement)
    layout = _layout(measurement, rows, survey, image, source.name)
    header = RunHeader(
        title=f"Import of {source.name}",
        procedure="Import",
        version="2",
        parameters=_parameters(source, reading, assignment, measurement, array),
        chip=read_chip_text(chip) if chip else "",
        provenance=collect(None, sys.argv)
        | {"inputs": f"table {file_hash(source)}"}
        | ({"recipe": reading.recipe} if reading.recipe else {}),
    )
    target = new_run_path("import", output)
    with RunWriter.create(target, header, layout) as run:
        for block in rows.blocks(survey):
            run.emit_block(measurement.table, block)
            image.take(block)
        image.write(run)
        for one in survey.left_out:
            run.log("WARNING", f"column {one.text!r} holds text and is left out")
        for cell, number in survey.cells.items():
            run.log("INFO", f"cell {cell!r} is row {number}")
        count = "reads" if measurement.name == "reads" else "rows_imported"
        run.set_result({count: survey.kept, "rows": len(survey.rows), "columns": len(survey.columns)})
    return target


def measurement_named(name: str) -> Measurement:
    """Return a kind of measurement; an `InputError` says which there are."""
    try:
        return MEASUREMENTS[name]
    except KeyError:
        raise InputError(
            f"no kind of measurement is called {name!r}; there are {', '.join(MEASUREMENTS)}"
        ) from None


def assigned(table: TextTable, reading: Reading) -> Assignment:
    """Return what the columns of a table mean; an `InputError` says what is missing or conflicts."""
    source, form = str(table.path), table.form
    measurement = measurement_named(reading.type)
    plain = not form.header and not (reading.columns or (measurement.name == "reads" and form.width > 3))
    if plain:
        first = next(iter(table.head(1)), None)
        shown = form.mark.join(first.fields)[:60] if first else ""
        raise InputError(
            f"table {source} has no header: its first line is {shown!r}, not names; name its columns by their numbers, "
            f"from 1: --column {measurement.needed[0][0]}=1"
        )
    headers = read_headers(form.header, form.units) if form.header else without_header(form.width)
    told = named(headers, reading.columns, reading.units, source)
    return assign(told, measurement, source, reading.constants)


def _parameters(
    source: Path, reading: Reading, assignment: Assignment, measurement: Measurement, array: str
) -> dict[str, RecordedParameter]:
    """Return what was imported, and how: the source by its name only, since folders are personal."""
    said = [
        f"{meaning} = {one.text}"
        + (f" in {plain_unit(one.unit)}" if one.unit and one.unit not in one.text else "")
        for series in assignment.series[:4]
        for meaning, one in series.columns.items()
    ]
    mapping = "; ".join(dict.fromkeys(said))
    found = {
        "table": RecordedParameter(source.name, "", "Table"),
        "type": RecordedParameter(measurement.name, "", "Kind of measurement"),
        "mapping": RecordedParameter(mapping, "", "Columns"),
    }
    if array:
        found["array"] = RecordedParameter(array, "", "Array")
    return found


def _layout(measurement: Measurement, rows: Rows, survey: Survey, image: _CellMap, name: str) -> Layout:
    columns = rows.columns(survey)
    there = {one.name for one in columns}
    axis = measurement.axis if measurement.axis in there else columns[0].name
    title = f"reads from {name}" if measurement.name == "reads" else measurement.table_title
    table = Table(
        measurement.table, columns, signal=measurement.signal, axis=axis, title=title,
        series=measurement.series if measurement.series in there else "", rows=survey.kept,
    )  # fmt: skip
    figures = [one for one in measurement.figures if set(one.columns) <= there]
    if measurement.name == "response":
        x = next((one for one in ("pulse", "gate", "voltage", "width") if one in there), "")
        figures.append(
            Figure(
                "by_cell", kind="scatter", table=table.name, x=x, y="conductance", by=("row", "column"),
                title="Conductance after each pulse, by cell",
            )
        )  # fmt: skip
        table = Table(table.name, table.columns, "conductance", x, table.title, "", table.rows)
    figures += [Figure(one.name, map=one.name) for one in image.declared]
    return Layout((table,), image.declared, default=table.name, figures=tuple(figures))


class _CellMap:
    """The map of the cells: the last conductance of each."""

    def __init__(self, name: str, survey: Survey, measurement: Measurement) -> None:
        self._rows, self._columns = (
            np.array(sorted(found), dtype=np.int64) for found in (survey.rows, survey.columns)
        )
        mapped = bool(measurement.map_title) and self._rows.size * self._columns.size <= LARGEST_MAP
        self._image: NDArray[np.float64] | None = (
            np.full((self._rows.size, self._columns.size), np.nan) if mapped else None
        )
        self._name = name
        self.declared = (Map(name, "S", self._rows, self._columns, measurement.map_title),) if mapped else ()

    def take(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Put the rows of a block into the map."""
        if self._image is not None:
            # Of several reads of a cell numpy's assignment keeps the last.
            place = np.searchsorted(self._rows, block["row"]), np.searchsorted(self._columns, block["column"])
            self._image[place] = block["conductance"]

    def write(self, run: RunWriter) -> None:
        """Write the map."""
        if self._image is not None:
            run.snapshot(self._name, self._image, time=0.0)


def _check_cells(survey: Survey, array: str, chip: str) -> None:
    """Raise unless `chip` is a chip map that has the named array with all the cells that were read."""
    chip_map = parse_chip_map(read_chip_text(chip), f"chip map {chip}")
    if not array:
        return
    there = chip_map.array(array)
    lines: Sequence[tuple[str, set[int], int]] = (
        ("row", survey.rows, there.rows),
        ("column", survey.columns, there.columns),
    )
    for name, read, count in lines:
        if max(read) >= count:
            raise InputError(
                f"array {array!r} of chip map {chip} has {count} {name}s, 0 to {count - 1}; the table has {name} "
                f"{max(read)}"
            )
