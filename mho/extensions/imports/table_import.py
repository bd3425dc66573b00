"""Imports a foreign table of measurements as a run file; checks all of it before writing anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps import parse_chip_map, read_chip_text
from mho.errors import InputError
from mho.extensions.imports.conversion import Survey
from mho.extensions.imports.measurements import MEASUREMENTS, Measurement
from mho.extensions.imports.resolving import constants_of, headers_of
from mho.extensions.imports.rows import Rows
from mho.extensions.imports.series import ColumnAssignment, assign, line_meaning
from mho.extensions.imports.tables import TextTable
from mho.extensions.imports.tables.units import plain_unit
from mho.runs import (
    Column,
    Conclusion,
    Figure,
    Layout,
    Map,
    RecordedParameter,
    RunHeader,
    RunWriter,
    Table,
    collect,
    file_hash,
)

BLOCK_LINES = 10_000
# Rows beyond which nothing is derived of a table, which would take them all into memory
MOST_ROWS = 2_000_000
MOST_TOLD = 256  # columns of a wide table of which the log tells the numbers
LARGEST_MAP = 1 << 24  # cells beyond which no map is made of the table


@dataclass(frozen=True)
class TableReading:
    """How a foreign table is to be read."""

    type: str = "reads"  # one of `mho.extensions.imports.measurements.MEASUREMENTS`
    # columns, units: headers by what they mean, and units: see `mho.extensions.imports.series.named`
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    # Numbers in SI units by meaning, the same in all lines: the voltage of a read
    constants: Mapping[str, float] = field(default_factory=dict)
    # Names of the columns of a table without a header; None for one that has one
    names: tuple[str, ...] | None = None
    recipe: str = ""  # the text of the recipe that says so; empty for none
    decimal: str = ""  # the decimal mark, ``comma`` or ``point``; found unless given
    dataset: str = ""  # the sheet of a spreadsheet, or the arrays of a file with several
    # What the dimensions of an array count: see `mho.extensions.imports.tables.array_files.ArrayLines`
    axes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Derived:
    """What follows from the rows of a table."""

    tables: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)  # columns by table
    # By map: the time of each image (s), and the image
    images: Mapping[str, Sequence[tuple[float, NDArray[Any]]]] = field(default_factory=dict)
    # result, units: of the run's result
    result: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()  # warnings


@dataclass(frozen=True)
class Derivation:
    """How more is extracted of a measurement than its rows: what is declared for it, and the function of the columns."""

    tables: tuple[Table, ...]
    maps: tuple[Map, ...]
    figures: tuple[Figure, ...]
    derive: Callable[[Mapping[str, NDArray[Any]]], Derived]


@dataclass(frozen=True)
class Imported:
    """What is known of a table before its rows are written."""

    measurement: Measurement
    names: frozenset[str]  # the columns of the run file's table
    # rows, columns: lines of the cells
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    prefix: str  # before the names of maps: the array and ``_``, or nothing
    chip: str  # the chip map as text; empty for none


Deriving = Callable[[Imported], Derivation | None]


def import_table(
    path: str | os.PathLike[str], output: str | os.PathLike[str] | None = None, *,
    columns: Mapping[str, str] | None = None, units: Mapping[str, str] | None = None, array: str = "",
    chip: str = "", type: str = "reads", constants: Mapping[str, float] | None = None,
) -> Path:  # fmt: skip
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
        See `TableReading`.
    array : str, optional
        The array of the chip that the cells belong to: names the map ``<array>_conductance``.
    chip : str, optional
        Packaged chip map or file to keep in the run file.
    type : str, optional
        The kind of measurement, one of `mho.extensions.imports.measurements.MEASUREMENTS`.

    Returns
    -------
    Path
        The run file: its table in SI units, with the names, units and figures of our own runs of that kind.

    Raises
    ------
    InputError
        The file cannot be read, its columns are not understood, or lines are wrong: each is named.
    """
    reading = TableReading(type, columns or {}, units or {}, constants or {})
    return import_reading(Path(path), reading, output, array=array, chip=chip)


def _remarks(survey: Survey, left_out: Iterable[str], numbered: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield what the log says of an imported table, each with its level."""
    for one in survey.left_out:
        yield "WARNING", f"column {one.text!r} holds text and is left out"
    for text in left_out:
        yield "WARNING", text
    if survey.offsets:
        yield (
            "WARNING",
            f"{survey.offsets} conductances are a little below 0, as a meter's offset leaves them; kept as they are",
        )
    for text, count in [*survey.missing.items()][:MOST_TOLD]:
        yield "INFO", f"column {text!r}: {count} of {survey.lines} values are missing"
    for text in numbered:
        yield "INFO", text
    for cell, number in survey.cells.items():
        yield "INFO", f"cell {cell!r} is row {number}"


def import_reading(
    path: Path, reading: TableReading, output: str | os.PathLike[str] | None = None, *, array: str = "", chip: str = "",
    grounds: Sequence[str] = (), deriving: Deriving | None = None,
) -> Path:  # fmt: skip
    """Write a foreign table into a new run file.

    Parameters
    ----------
    grounds : sequence of str, optional
        Lines on why the table is read so, for the log: see `mho.extensions.imports.guessing.Grounds`.
    deriving : callable, optional
        Says what is extracted of a measurement (`extraction`); without it the file has the rows only.

    The other parameters, results and errors are those of `import_table`.
    """
    source, name = Path(path), f"{array}_conductance" if array else "conductance"
    _check_names(source, name, array)
    measurement = measurement_named(reading.type)
    table = table_of(source, reading)
    assignment = assigned(table, reading)
    rows = Rows(table, measurement, assignment, BLOCK_LINES)
    survey = rows.survey()
    if chip:
        _check_cells(survey, array, chip)
    chip_text = read_chip_text(chip) if chip else ""
    image = _CellMap(name, survey, measurement)
    columns = rows.columns(survey)
    derivation = None
    if deriving is not None and survey.kept <= MOST_ROWS:
        names = frozenset(one.name for one in columns)
        prefix = f"{array}_" if array else ""
        derivation = deriving(Imported(measurement, names, image.rows, image.columns, prefix, chip_text))
    layout = _layout(measurement, columns, survey, image, source.name, derivation)
    header = RunHeader(
        title=f"Import of {source.name}",
        procedure="Import",
        version="2",
        parameters=_parameters(source, reading, assignment, measurement, array),
        chip=chip_text,
        provenance=collect(None, sys.argv)
        | {"inputs": f"table {file_hash(source)}"}
        | ({"recipe": reading.recipe} if reading.recipe else {}),
    )
    with RunWriter.create_new("import", output, header, layout) as run:
        blocks: list[Mapping[str, NDArray[Any]]] = []
        for block in rows.blocks(survey):
            run.emit_block(measurement.table, block)
            image.take(block)
            if derivation is not None:
                blocks.append(block)
        derived = Derived()
        if derivation is not None:
            whole = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
            derived = derivation.derive(whole)
        _write_derived(run, derived, image)
        for text in grounds:
            run.log("INFO", text)
        for level, text in _remarks(survey, table.left_out(), _numbered(assignment, measurement)):
            run.log(level, text)
        result = {
            "reads" if measurement.name == "reads" else "rows_imported": survey.kept,
            "rows": len(survey.rows), "columns": len(survey.columns), **derived.result,
        }  # fmt: skip
        run.set_result(result, derived.units)
        what = f"{survey.kept:,} row{'s' * (survey.kept != 1)} of {measurement.name}"
        run.conclude(Conclusion(f"{what} imported", measured=survey.kept > 0))
    return run.path


def _check_names(source: Path, image: str, array: str) -> None:
    if source.exists() and not source.is_file():  # reading a pipe would wait for a writer
        raise InputError(f"table {source} is no file; name one that holds measurements")
    if not image.isidentifier():
        raise InputError(f"array {array!r} is no name for a map; use letters, digits and _")


def _numbered(assignment: ColumnAssignment, measurement: Measurement) -> list[str]:
    """Return which columns of a wide table became which cell, cycle or sweep; nothing of a matrix, which says so itself."""
    if len(assignment.series) < 2 or measurement.name == "reads":
        return []
    texts = [{one.text for one in series.columns.values()} for series in assignment.series]
    shared = set.intersection(*texts)
    lines = []
    for series, own in zip(assignment.series[:MOST_TOLD], texts, strict=False):
        names = " and ".join(repr(text) for text in sorted(own - shared))
        lines.append(f"{names}: {', '.join(f'{name} {value:g}' for name, value in series.fixed.items())}")
    return lines


def _write_derived(run: RunWriter, derived: Derived, image: _CellMap) -> None:
    """Write tables and maps that were derived; the last conductances where no map was."""
    for name, columns in derived.tables.items():
        run.emit_block(name, columns)
    for name, images in derived.images.items():
        for time, one in images:
            run.snapshot(name, one, time=time)
    if image.name not in derived.images:
        image.write(run)
    for remark in derived.remarks:
        run.log("WARNING", remark)


def table_of(path: Path, reading: TableReading) -> TextTable:
    """Return the table in a file that a reading is of."""
    return TextTable(path, reading.names, reading.decimal, reading.dataset, reading.axes)


def measurement_named(name: str) -> Measurement:
    """Return a kind of measurement; an `InputError` says which there are."""
    try:
        return MEASUREMENTS[name]
    except KeyError:
        raise InputError(
            f"no kind of measurement is called {name!r}; there are {', '.join(MEASUREMENTS)}"
        ) from None


def assigned(table: TextTable, reading: TableReading) -> ColumnAssignment:
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
    headers = headers_of(table, reading.columns, reading.units)
    constants = constants_of(table, headers, reading.constants)
    return assign(headers, measurement, source, constants, line_meaning(reading.columns))


def _parameters(
    source: Path, reading: TableReading, assignment: ColumnAssignment, measurement: Measurement, array: str
) -> dict[str, RecordedParameter]:
    """Return what was imported, and how: the source by its name only, since folders are personal."""
    said = [
        f"{meaning} = {one.text}" + (f" in {plain_unit(one.unit)}" if one.unit and one.unit not in one.text else "")
        for series in assignment.series[:4] for meaning, one in series.columns.items()
    ]  # fmt: skip
    said += [
        f"read at {series.fixed['read_voltage']:g} V"
        for series in assignment.series[:4]
        if "read_voltage" in series.fixed
    ]
    mapping = "; ".join(dict.fromkeys(said))
    parameters = {
        "table": RecordedParameter(source.name, "", "Table"),
        "type": RecordedParameter(measurement.name, "", "Kind of measurement"),
        "mapping": RecordedParameter(mapping, "", "Columns"),
    }
    if array:
        parameters["array"] = RecordedParameter(array, "", "Array")
    return parameters


def _layout(
    measurement: Measurement, columns: tuple[Column, ...], survey: Survey, image: _CellMap, name: str,
    derivation: Derivation | None,
) -> Layout:  # fmt: skip
    there = {one.name for one in columns}
    axis = measurement.axis if measurement.axis in there else columns[0].name
    if measurement.name == "response":
        axis = next(one for one in ("pulse", "gate", "voltage", "width", "before") if one in there)
    signal = next(one for one in (measurement.signal, "v_reset") if one in there)
    title = f"reads from {name}" if measurement.name == "reads" else measurement.table_title
    table = Table(
        measurement.table, columns, signal=signal, axis=axis, title=title,
        series=measurement.series if measurement.series in there else "", rows=survey.kept,
    )  # fmt: skip
    figures = [one for one in measurement.figures if set(one.columns) <= there]
    if table.series:  # a curve of its own for each, with its number
        figures = [one if one.by else replace(one, by=table.series) for one in figures]
    if measurement.name == "response":
        by_cell = Figure(
            "by_cell", kind="scatter", table=table.name, x=axis, y="conductance", by=("row", "column"),
            title="Conductance after each pulse, by cell",
        )  # fmt: skip
        figures.append(by_cell)
    figures += [Figure(one.name, map=one.name) for one in image.declared]
    if derivation is None:
        return Layout((table,), image.declared, default=table.name, figures=tuple(figures))
    others = tuple(one for one in derivation.maps if one.name != image.name or not image.declared)
    return Layout(
        (table, *derivation.tables), (*image.declared, *others), default=table.name,
        figures=(*figures, *derivation.figures),
    )  # fmt: skip


class _CellMap:
    """The map of the cells: the last conductance of each."""

    def __init__(self, name: str, survey: Survey, measurement: Measurement) -> None:
        self.rows, self.columns = (
            np.array(sorted(places), dtype=np.int64) for places in (survey.rows, survey.columns)
        )
        mapped = bool(measurement.map_title) and self.rows.size * self.columns.size <= LARGEST_MAP
        self._image: NDArray[np.float64] | None = (
            np.full((self.rows.size, self.columns.size), np.nan) if mapped else None
        )
        self.name = name
        self.declared = (Map(name, "S", self.rows, self.columns, measurement.map_title),) if mapped else ()

    def take(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Put the rows of a block into the map."""
        if self._image is not None:
            # Of several reads of a cell numpy's assignment keeps the last.
            place = np.searchsorted(self.rows, block["row"]), np.searchsorted(self.columns, block["column"])
            self._image[place] = block["conductance"]

    def write(self, run: RunWriter) -> None:
        """Write the map."""
        if self._image is not None:
            run.snapshot(self.name, self._image, time=0.0)


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
