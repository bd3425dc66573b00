"""What a run file holds: bounded excerpts of its tables, what its maps and arrays are, its log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mho.analysis.documents import BAD, DIM, Block, Folded, Heading, Paragraph, Span, counted, grid
from mho.analysis.reports import handy_unit
from mho.runs import LogEntry, RunFile

HEAD_ROWS, TAIL_ROWS = 8, 4
MOST_TABLES, MOST_COLUMNS, MOST_ITEMS = 40, 24, 100
VALUES = 4
"""Values shown of a cell that has several."""

LARGEST_CELL = 1 << 16
"""Values in one row of a column up to which it is read."""

LARGEST_IMAGE = 1 << 22
"""Values of one image up to which it is read."""

LOG_BLOCK, LOG_HEAD, LOG_TAIL, LOG_WARNINGS = 4096, 100, 100, 200
QUIET = ("DEBUG", "INFO")


def contents(run: RunFile) -> Iterator[Block]:
    """Return every table in a few of its rows, and maps and arrays by what they are."""
    yield Heading("Data in the file", 2, "data")
    if not run.tables and not run.maps and not run.arrays:
        yield Paragraph("No tables, no maps and no arrays.", DIM)
        return
    for name in run.tables[:MOST_TABLES]:
        yield _table(run, name)
    if len(run.tables) > MOST_TABLES:
        yield Paragraph(f"{len(run.tables) - MOST_TABLES} more tables are not shown.", DIM)
    if run.maps:
        rows = [_map(run, name) for name in run.maps[:MOST_ITEMS]]
        head = ("map", "rows x columns", "images", "unit", "least", "median", "largest of the last image")
        note = f"the first {MOST_ITEMS} of {len(run.maps)} maps" if len(run.maps) > MOST_ITEMS else ""
        table = grid(head, rows, numbers=(1, 2, 4, 5, 6), caption="Maps", note=note)
        yield Folded(counted(len(run.maps), "map"), (table,))
    if run.arrays:
        shapes = [_array(run, name) for name in run.arrays[:MOST_ITEMS]]
        note = f"the first {MOST_ITEMS} of {len(run.arrays)} arrays" if len(run.arrays) > MOST_ITEMS else ""
        table = grid(("array", "shape", "unit"), shapes, numbers=(1,), caption="Arrays", note=note)
        yield Folded(counted(len(run.arrays), "array"), (table,))


def _table(run: RunFile, name: str) -> Folded:
    length, units = run.length(name), run.units(name)
    columns = list(units)[:MOST_COLUMNS]
    said = f"Table {name}: {counted(length, 'row')}, {counted(len(units), 'column')}"
    if not length:
        named = ", ".join(f"{column} / {unit}" if unit else column for column, unit in units.items())
        return Folded(said, (Paragraph(f"No rows. Columns: {named}.", DIM),))
    spans = (
        ((0, length),) if length <= HEAD_ROWS + TAIL_ROWS else ((0, HEAD_ROWS), (length - TAIL_ROWS, length))
    )
    numbers = [number for start, stop in spans for number in range(start, stop)]
    shown = [_cells(run, name, column, spans, len(numbers)) for column in columns]
    rows = [tuple(map(str, one)) for one in zip(numbers, *shown, strict=True)]
    head = ("row", *(_with_unit(column, units[column]) for column in columns))
    notes = [f"rows 0 to {HEAD_ROWS - 1} and the last {TAIL_ROWS} of {length}"] * (len(rows) < length)
    if len(columns) < len(units):
        notes.append(f"the first {len(columns)} of {len(units)} columns")
    table = grid(head, rows, numbers=range(len(head)), caption=f"Table {name}", note="; ".join(notes))
    return Folded(said, (table,))


def _with_unit(name: str, unit: str) -> str:
    handy = handy_unit(unit)[1]
    return f"{name} / {handy}" if handy else name


def _cells(
    run: RunFile, table: str, column: str, spans: tuple[tuple[int, int], ...], count: int
) -> list[str]:
    """Return rows of a column as text; a cell of several values shows the first."""
    shape = run.column(table, column, 0, 0).shape[1:]  # no rows, but their shape
    if math.prod(shape) > LARGEST_CELL:
        return [f"{math.prod(shape)} values"] * count
    factor = handy_unit(run.units(table)[column])[0]
    return [_cell(value, factor) for span in spans for value in run.column(table, column, *span)]


def _cell(value: object, factor: float) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        first = ", ".join(_number(one, factor) for one in value.ravel()[:VALUES])
        return f"[{first}{', …' if value.size > VALUES else ''}]"
    return _number(value, factor)


def _number(value: object, factor: float) -> str:
    if isinstance(value, np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.integer) and factor == 1.0:
        return str(value)
    if isinstance(value, np.complexfloating):
        return f"{factor * complex(value):.5g}"
    number = factor * float(value)  # type: ignore[arg-type]
    return "-" if math.isnan(number) else f"{number:.5g}"


def _map(run: RunFile, name: str) -> tuple[str, ...]:
    rows, columns = (len(one) for one in run.map_axes(name))
    images = len(run.map_times(name))
    factor, unit = handy_unit(run.map_unit(name))
    values = np.empty(0)
    if images and rows * columns <= LARGEST_IMAGE:
        image = np.asarray(run.map(name), dtype=float)
        values = factor * image[np.isfinite(image)]
    told = [f"{one:.5g}" for one in np.quantile(values, (0.0, 0.5, 1.0))] if values.size else ["-"] * 3
    return name, f"{rows} x {columns}", str(images), unit, *told


def _array(run: RunFile, name: str) -> tuple[str, ...]:
    shape = run.array_shape(name)
    return name, " x ".join(map(str, shape)) or "one number", run.array_unit(name)


# --- log ---


@dataclass(frozen=True)
class LogExcerpt:
    """What a page shows of a log: `count` entries in all, the first and the last, and `warnings` of `warned` in all."""

    count: int
    first: tuple[LogEntry, ...]
    last: tuple[LogEntry, ...]
    warnings: tuple[LogEntry, ...]
    warned: int


def log_entries(run: RunFile) -> LogExcerpt:
    """Read a log a block at a time, and keep a bounded part."""
    count, warned = 0, 0
    first: list[LogEntry] = []
    last: list[LogEntry] = []
    warnings: list[LogEntry] = []
    while block := run.log(count, count + LOG_BLOCK):
        count += len(block)
        first += block[: LOG_HEAD - len(first)]
        last = [*last, *block][-LOG_TAIL:]
        loud = [one for one in block if one.level not in QUIET]
        warned += len(loud)
        warnings += loud[: LOG_WARNINGS - len(warnings)]
    return LogExcerpt(count, tuple(first), tuple(last[-max(count - LOG_HEAD, 0) :] if count > LOG_HEAD else ()),
                      tuple(warnings), warned)  # fmt: skip


def of_log(log: LogExcerpt) -> Iterator[Block]:
    """Return the log: warnings first, then the rest in its order."""
    yield Heading("Log", 2, "log")
    if not log.count:
        yield Paragraph("Nothing was logged.", DIM)
        return
    head = ("after", "level", "message")
    if log.warnings:
        note = (
            f"the first {len(log.warnings)} of {log.warned} warnings"
            if log.warned > len(log.warnings)
            else ""
        )
        yield grid(head, [_entry(one) for one in log.warnings], caption="Warnings in the log", note=note)
    if log.count == len(log.warnings):
        return  # all of it stands there
    shown = (*log.first, *log.last)
    note = (
        f"the first {len(log.first)} and the last {len(log.last)} of {log.count} entries"
        if len(shown) < log.count
        else ""
    )
    table = grid(head, [_entry(one) for one in shown], caption="Log", note=note)
    yield Folded(
        (f"All {log.count} entries" if log.count > 1 else "1 entry") if not note else f"Entries: {note}",
        (table,),
    )


def _entry(entry: LogEntry) -> tuple[str | Span, ...]:
    level: str | Span = entry.level if entry.level in QUIET else Span(entry.level, BAD)
    return f"{entry.time:.1f} s", level, entry.message
