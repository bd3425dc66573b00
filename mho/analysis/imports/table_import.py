"""Imports a foreign table of cell reads (CSV, TSV) as a run file; checks all of it before writing anything."""

from __future__ import annotations

import codecs
import csv
import itertools
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.analysis.imports.foreign_columns import KINDS, UNITS, ForeignColumn, read_header
from mho.chip_maps.chip import parse_chip_map, read_chip_text
from mho.errors import InputError
from mho.runs import (
    Column,
    Layout,
    Map,
    RecordedParameter,
    RunHeader,
    RunWriter,
    Table,
    collect,
    new_run_path,
)
from mho.runs.provenance import input_files

BLOCK_LINES = 10_000
NAMED = 10
"""Bad lines that are named; the others are counted."""

LARGEST_LINE_NUMBER = 2**31
LARGEST_MAP = 1 << 24
"""Cells beyond which no map is made of the table."""

_WORDS = "say read, set or reset, or 0, 1 or 2"
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "--"}


def import_table(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    array: str = "",
    chip: str = "",
) -> Path:
    """Write the cell reads in a foreign table into a new run file.

    The table has a header line; units may stand in it (``G (uS)``, ``I [nA]``, ``V / mV``, ``G_uS``), else
    values are taken to be in SI. Lines that begin with # are left out, and so are columns that hold text.

    Parameters
    ----------
    path : path
        Values apart by comma, semicolon (then a comma may be the decimal mark), tab or blanks; UTF-8, UTF-16 or Latin-1.
    output : path, optional
        As for `mho.runs.new_run_path`.
    columns, units : mapping, optional
        Headers by what they mean, and units: see `mho.analysis.imports.foreign_columns.read_header`.
    array : str, optional
        The array of the chip that the cells belong to: names the map ``<array>_conductance``.
    chip : str, optional
        Packaged chip map or file to keep in the run file.

    Returns
    -------
    Path
        The run file: table ``reads`` in SI units, map ``conductance`` with the last read of each cell.

    Raises
    ------
    InputError
        The file cannot be read, its columns are not understood, or lines are wrong: each is named.
    """
    source = Path(path)
    if source.exists() and not source.is_file():  # reading a pipe would wait for a writer
        raise InputError(f"table {source} is no file; name one that holds cell reads")
    text = _ForeignTable(source, columns or {}, units or {})
    survey = text.survey()
    name = f"{array}_conductance" if array else "conductance"
    if not name.isidentifier():
        raise InputError(f"array {array!r} is no name for a map; use letters, digits and _")
    if chip:
        _check_cells(survey, array, chip)
    rows, lines = (np.array(sorted(found), dtype=np.int64) for found in (survey.rows, survey.columns))
    mapped = rows.size * lines.size <= LARGEST_MAP
    layout = Layout(
        (text.declaration(survey),), (Map(name, "S", rows, lines, "last read"),) if mapped else ()
    )
    parameters = {"table": RecordedParameter(str(source), "", "Table")}
    header = RunHeader(
        title=f"Import of {source.name}",
        procedure="Import",
        version="1",
        parameters=parameters,
        chip=read_chip_text(chip) if chip else "",
        provenance=collect(None, sys.argv) | input_files(parameters),
    )
    target = new_run_path("import", output)
    image = np.full((rows.size, lines.size), np.nan) if mapped else None
    with RunWriter.create(target, header, layout) as run:
        for block in text.blocks(survey):
            run.emit_block("reads", block)
            if image is not None:
                # Of several reads of a cell numpy's assignment keeps the last.
                image[np.searchsorted(rows, block["row"]), np.searchsorted(lines, block["column"])] = block[
                    "conductance"
                ]
        if image is not None:
            run.snapshot(name, image, time=0.0)
        for header_text in survey.left_out:
            run.log("WARNING", f"column {header_text!r} holds text and is left out")
        run.set_result({"reads": survey.lines, "rows": rows.size, "columns": lines.size})
    return target


def _check_cells(survey: _Survey, array: str, chip: str) -> None:
    """Raise unless `chip` is a chip map that has the named array with all the cells that were read."""
    chip_map = parse_chip_map(read_chip_text(chip), f"chip map {chip}")
    if not array:
        return
    there = chip_map.array(array)
    for name, read, count in (
        ("row", survey.rows, there.rows),
        ("column", survey.columns, there.columns),
    ):
        if max(read) >= count:
            raise InputError(
                f"array {array!r} of chip map {chip} has {count} {name}s, 0 to {count - 1}; the table has {name} "
                f"{max(read)}"
            )


@dataclass
class _Survey:
    """The findings of the first pass over all lines."""

    lines: int = 0
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    bad_count: int = 0

    def complain(self, line: int, what: str) -> None:
        self.bad_count += 1
        if len(self.bad) < NAMED:
            self.bad.append(f"line {line}: {what}")


class _ForeignTable:
    """A table file, read line by line as often as needed."""

    def __init__(self, path: Path, called: Mapping[str, str], units: Mapping[str, str]) -> None:
        self._path = path
        self._encoding = self._find_encoding()
        self._mark, fields = self._find_header()
        self._width = len(fields)
        self._columns = read_header(fields, called, units, str(path))

    def survey(self) -> _Survey:
        """Check every line; raise an `InputError` that names the bad ones."""
        survey = _Survey()
        first = next(self._lines(), None)
        if first is None:
            raise InputError(f"{self._path} has a header and no line of values below it")
        texts = [
            c for c in self._columns if c.name not in UNITS and self._number(self._field(first[1], c)) is None
        ]
        survey.left_out = [column.header for column in texts]
        kept = [column for column in self._columns if column not in texts]
        for line, fields in self._lines():
            survey.lines += 1
            values = self._values(line, fields, kept, survey)
            if values is not None:
                survey.rows.add(int(values["row"]))
                survey.columns.add(int(values["column"]))
        if survey.bad_count:
            more = f"; and {survey.bad_count - NAMED} more" if survey.bad_count > NAMED else ""
            count = f"{survey.bad_count} bad line{'s' if survey.bad_count > 1 else ''}"
            raise InputError(f"{self._path} has {count}: {'; '.join(survey.bad)}{more}; nothing was imported")
        return survey

    def declaration(self, survey: _Survey) -> Table:
        """Return the run file's table."""
        others = [c for c in self._kept(survey) if c.name not in ("row", "column", "conductance")]
        columns = (
            Column("row", dtype="u4"),
            Column("column", dtype="u4"),
            Column("conductance", "S", description=self._how()),
            *(Column(c.name, c.unit, description=f"column {c.header!r} of the table") for c in others),
        )
        axis = "time" if any(c.name == "time" for c in others) else "row"
        return Table("reads", columns, signal="conductance", axis=axis, title=f"reads from {self._path.name}")

    def blocks(self, survey: _Survey) -> Iterator[dict[str, NDArray[np.float64 | np.uint32]]]:
        """Yield the values in SI units, block by block, after a survey that found nothing bad."""
        kept = self._kept(survey)
        lines = self._lines()
        while block := list(itertools.islice(lines, BLOCK_LINES)):
            table = {
                c.name: np.array(
                    [self._value(self._field(fields, c), c) for _, fields in block], dtype=np.float64
                )
                * c.ratio[0]
                / c.ratio[1]
                for c in kept
            }
            if "conductance" not in table:
                with np.errstate(divide="ignore", invalid="ignore"):
                    table["conductance"] = (
                        1.0 / table["resistance"]
                        if "resistance" in table
                        else table["current"] / table["voltage"]
                    )
                # At 0 V, or where 0 ohm were written down, no conductance was measured.
                table["conductance"][~np.isfinite(table["conductance"])] = np.nan
            yield {
                name: values.astype(np.uint32) if name in ("row", "column") else values
                for name, values in table.items()
            }

    def _kept(self, survey: _Survey) -> list[ForeignColumn]:
        return [column for column in self._columns if column.header not in survey.left_out]

    def _how(self) -> str:
        names = {column.name for column in self._columns}
        if "conductance" in names:
            return "as in the table"
        return "1 / resistance" if "resistance" in names else "current / voltage"

    def _values(
        self, line: int, fields: Sequence[str], kept: Sequence[ForeignColumn], survey: _Survey
    ) -> dict[str, float] | None:
        """Return a line's values as they stand there; None, with a complaint, for a bad line."""
        if len(fields) != self._width:
            survey.complain(line, f"{len(fields)} values where the header has {self._width}")
            return None
        values: dict[str, float] = {}
        for column in kept:
            text = self._field(fields, column)
            value = self._value(text, column)
            if value is None and column.name == "kind":
                survey.complain(line, f"{text!r} in column {column.header!r} is no kind of pulse; {_WORDS}")
                return None
            if value is None:
                survey.complain(line, f"{text!r} in column {column.header!r} is no number")
                return None
            if column.whole and not (value.is_integer() and 0 <= value < LARGEST_LINE_NUMBER):
                survey.complain(
                    line, f"{text!r} in column {column.header!r} is no number of a {column.name}, from 0"
                )
                return None
            values[column.name] = value
        return values

    def _field(self, fields: Sequence[str], column: ForeignColumn) -> str:
        return fields[column.index].strip() if column.index < len(fields) else ""

    def _value(self, text: str, column: ForeignColumn) -> float | None:
        """Return a number as it stands there, or that of a kind of pulse; None for what is neither."""
        if column.name != "kind":
            return self._number(text)
        number = KINDS.get(text.lower(), self._number(text))
        return number if number in KINDS.values() else None

    def _number(self, text: str) -> float | None:
        if text.lower() in _MISSING:
            return math.nan
        try:
            return float(text.replace(",", ".") if self._mark == ";" else text)
        except ValueError:
            return None

    def _find_encoding(self) -> str:
        try:
            with self._path.open("rb") as raw:
                if raw.read(2) in (
                    codecs.BOM_UTF16_LE,
                    codecs.BOM_UTF16_BE,
                ):  # a spreadsheet's "Unicode text"
                    return "utf-16"
            with self._path.open(encoding="utf-8-sig") as file:
                while file.read(1 << 20):
                    pass
            return "utf-8-sig"
        except UnicodeDecodeError:
            return "latin-1"  # in which µ and Ω's friends are often written
        except OSError as error:
            raise InputError(
                f"table {self._path} cannot be read: {error.strerror}; check the path"
            ) from error

    def _find_header(self) -> tuple[str, list[str]]:
        with self._path.open(encoding=self._encoding, newline="") as file:
            line = next((line for line in file if line.strip() and not line.startswith("#")), "")
        if not line:
            raise InputError(f"table {self._path} is empty; it begins with a line of column names")
        mark = next((mark for mark in "\t;," if mark in line), " ")
        (fields,) = csv.reader([line.strip()], delimiter=mark, skipinitialspace=True)
        if all(_is_number(field) for field in fields):
            raise InputError(
                f"table {self._path} has no header: its first line is {line.strip()[:60]!r}, not names"
            )
        return mark, fields

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield number (from 1) and fields of each line of values."""
        with self._path.open(encoding=self._encoding, newline="") as file:
            reader = csv.reader(
                (line if not line.startswith("#") else "\n" for line in file),
                delimiter=self._mark,
                skipinitialspace=True,
            )
            header_seen = False
            try:
                for fields in reader:
                    if not any(field.strip() for field in fields):
                        continue
                    if not header_seen:
                        header_seen = True
                        continue
                    yield reader.line_num, fields
            except csv.Error as error:
                raise InputError(f"{self._path}, line {reader.line_num}: {error}") from error


def _is_number(text: str) -> bool:
    """Return whether `text` is a number and so no name of a column."""
    try:
        float(text)
    except ValueError:
        return False
    return True
