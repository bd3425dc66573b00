"""Exports a run as CSV: a folder with one file a table, map and array; ``run.csv`` has parameters and results.

Units stand in the headers, ``voltage (V)``. A column of arrays becomes a column an element, ``solution_0``;
a map one line a cell and image; an array its rows, below a line that begins with ``#``. Numbers are written so
that they read back exactly.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from mho.analysis.datasets import StoredValues
from mho.analysis.exports.series import SeriesGroup, read_contents, run_facts
from mho.escaping import csv_cell
from mho.runs import RunFile
from mho.runs.index import plain_results


def write_csv(run: RunFile, folder: Path, chosen: Callable[[SeriesGroup], bool] = lambda group: True) -> None:
    """Write the CSV files of a run into a new `folder`: of the tables, maps and arrays that are `chosen`."""
    folder.mkdir()
    for group in filter(chosen, read_contents(run)):
        name = (
            group.name if group.name.isidentifier() else quote(group.name, safe="")
        )  # mho's own are identifiers
        path = folder / ("" if group.kind == "table" else f"{group.kind}s") / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as text:
            _WRITERS[group.kind](group, text)
    log = ((entry.time, entry.level, entry.message) for entry in run.log())
    for name, head, rows in (
        ("run", ("what", "name", "value", "unit"), _facts(run)), ("log", ("time (s)", "level", "message"), log),
    ):  # fmt: skip
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows([head, *map(_cells, rows)])


def _cells(row: Iterable[object]) -> list[object]:
    return [csv_cell(value) for value in row]


def _write_table(table: SeriesGroup, text: Any) -> None:
    writer = csv.writer(text)
    every = list(table.series.values())
    writer.writerow(_cells(header for series in every for header in _headers(series)))
    rows = min(series.block_rows for series in every)
    for start in range(0, every[0].shape[0], rows):
        blocks = [series.read(start, start + rows) for series in every]
        elements = [element for block in blocks for element in block.reshape(len(block), -1).T]
        writer.writerows(zip(*map(_plain, elements), strict=True))


def _headers(series: StoredValues) -> Iterator[str]:
    unit = f" ({series.unit})" if series.unit else ""
    for place in np.ndindex(series.shape[1:]):
        yield "_".join([series.column, *map(str, place)]) + unit


def _plain(values: NDArray[Any]) -> list[Any]:
    if np.iscomplexobj(values):
        return [str(value).strip("()") for value in values.tolist()]
    return [str(value) for value in values] if values.dtype == np.float32 else values.tolist()


def _write_map(image: SeriesGroup, text: Any) -> None:
    writer = csv.writer(text)
    value, time = image.value, image.series["time"]
    unit = f" ({value.unit})" if value.unit else ""
    writer.writerow(_cells((f"time ({time.unit})", "row", "column", f"value{unit}")))
    rows, columns = (image.series[axis].read() for axis in ("row", "column"))
    row, column = (grid.ravel().tolist() for grid in np.meshgrid(rows, columns, indexing="ij"))
    for index, when in enumerate(time.read().tolist()):
        (cells,) = value.read(index, index + 1)
        writer.writerows(zip([when] * cells.size, row, column, cells.ravel().tolist(), strict=True))


def _write_array(array: SeriesGroup, text: Any) -> None:
    value = array.value
    unit = f", in {value.unit}" if value.unit else ""
    shape = "x".join(map(str, value.shape)) or "a number"
    text.write(f"{csv_cell(f'# {array.name} ({shape}){unit}: {value.description}')}\n")
    writer = csv.writer(text)
    for _, values in value.blocks():
        rows = np.atleast_1d(values)
        writer.writerows(_plain(line.ravel()) for line in rows.reshape(len(rows), -1))


def _facts(run: RunFile) -> Iterator[tuple[str, str, Any, str]]:
    for name, text in run_facts(run).items():
        if name != "warnings":
            yield "run", name, text, ""
            continue
        for warning in () if run.conclusion is None else run.conclusion.warnings:
            yield "run", "warning", warning, ""
    for name, parameter in run.parameters.items():
        yield "parameter", name, parameter.value, parameter.unit
    units = run.result_units
    for name, value in plain_results(run.summary).items():
        yield "result", name, value, units.get(name, "")
    for name, text in run.provenance.items():
        if name not in ("git_diff", "packages"):
            yield "provenance", name, text, ""


_WRITERS = {"table": _write_table, "map": _write_map, "array": _write_array}
