"""Rows of imported tables by cell, and the maps and tables that are made of what each cell tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.extensions.imports import Imported
from mho.runs import Column, Figure, Map

Columns = Mapping[str, NDArray[Any]]

ROW, COLUMN = Column("row", dtype="u4"), Column("column", dtype="u4")


def groups(columns: Columns, *names: str) -> Iterator[tuple[tuple[int, ...], NDArray[np.int64]]]:
    """Yield the rows (in their order) of each combination of values of whole columns."""
    keys = np.stack([columns[name].astype(np.int64) for name in names], axis=1)
    values, which = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    edges = np.searchsorted(which.ravel()[order], np.arange(len(values) + 1))
    for number, key in enumerate(values):
        yield tuple(key.tolist()), order[edges[number] : edges[number + 1]]


def image_of(imported: Imported, cells: list[tuple[int, ...]], values: Floats) -> Floats:
    """Return a map with the values of cells (row, column), NaN elsewhere."""
    image = np.full((imported.rows.size, imported.columns.size), np.nan)
    if cells:
        rows, columns = np.array([cell[:2] for cell in cells]).T
        image[np.searchsorted(imported.rows, rows), np.searchsorted(imported.columns, columns)] = values
    return image


def map_of(imported: Imported, name: str, unit: str, title: str) -> Map:
    """Return the declaration of a map of the cells, named after the array where one was given."""
    return Map(f"{imported.prefix}{name}", unit, imported.rows, imported.columns, title, images=1)


def table_of(rows: dict[str, list[Any]], columns: tuple[Column, ...]) -> dict[str, NDArray[Any]]:
    """Return lists as the columns of a table."""
    return {one.name: np.array(rows.get(one.name, []), dtype=one.dtype) for one in columns}


def median_of(values: list[float]) -> float | None:
    """Return the median of the finite values; None for none."""
    known = np.array(values)[np.isfinite(values)] if values else np.empty(0)
    return float(np.median(known)) if known.size else None


def level_figures(conductance: str, target: str) -> tuple[Figure, Figure]:
    """Return the figures of maps of programmed cells: levels by target, and errors."""
    return (
        Figure("levels", kind="histogram", map=conductance, by=target, y_scale="log",
               title="Levels of the programmed cells"),
        Figure("errors", map=conductance, minus=target, title="Conductance errors"),
    )  # fmt: skip
