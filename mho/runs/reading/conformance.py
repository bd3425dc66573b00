"""Checks that the tables, maps, arrays and the log of a run file have the types and shapes that mho writes.

Each check raises `ValueError`, or the h5py error for missing data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from mho.errors import RunFileError
from mho.runs.figures import FIGURES, FIGURES_BYTES, Drawable, Figure, check_figures, figures_from_text
from mho.runs.reading.opening import DAMAGE, items_of
from mho.runs.reading.text import decode, text_attribute

Check = Callable[[h5py.HLObject], None]
Items = Mapping[str, Any]  # a group, or what it holds by name
NUMBERS, TEXT = "biufc", "S"  # kinds of numpy types


def check_table(table: h5py.Group, columns: Mapping[str, h5py.HLObject] | None = None) -> None:
    """Check that all members are columns of numbers, and that those to be plotted are as wide as the table says."""
    columns = dict(items_of(table)) if columns is None else columns
    for column in columns.values():
        check_column(column)
    attributes = table.attrs
    axes = [str(axis) for axis in np.atleast_1d(attributes.get("axes", "."))]
    signal = str(attributes.get("signal", ""))
    for name in {signal, axes[0], str(attributes.get("series", "")) or "."} - {"."}:
        if name not in columns:
            raise ValueError(f"{table.name} is to be plotted by {name!r}, which it does not have")
        dimensions = len(axes) if name == signal else 1
        if columns[name].ndim != dimensions:
            raise ValueError(
                f"{columns[name].name} has the shape {columns[name].shape}, not {dimensions} dimensions"
            )


def check_column(column: h5py.HLObject) -> None:
    """Check that a member of a table is a column of numbers."""
    _check_dataset(column, NUMBERS)
    if not column.shape:
        raise ValueError(f"{column.name} is a single number, no column")


def check_map(image: Items) -> None:
    """Check that the images of a map are stacked over time, and as large as its rows and columns."""
    time, row, column, value = (image[name] for name in ("time", "row", "column", "value"))
    for axis, kinds in ((time, NUMBERS), (row, "iu"), (column, "iu")):
        _check_dataset(axis, kinds, 1)
    check_images(value)
    if value.shape[1:] != row.shape + column.shape:
        raise ValueError(
            f"{value.name} has images of {value.shape[1:]} for {len(row)} rows and {len(column)} columns"
        )


def check_images(value: h5py.HLObject) -> None:
    """Check that the values of a map are a stack of images."""
    _check_dataset(value, "biuf", 3)


def check_array(array: h5py.HLObject) -> None:
    """Check that an array holds numbers."""
    _check_dataset(_values(array), NUMBERS)


def _values(array: h5py.HLObject) -> h5py.Dataset:
    return array["value"] if isinstance(array, h5py.Group) else array  # datasets until schema 1


def check_log(log: Items) -> None:
    """Check that a log has times and texts."""
    for name, kinds in (("time", NUMBERS), ("level", TEXT), ("message", TEXT)):
        _check_dataset(log[name], kinds, 1)


def declared_figures(entry: h5py.Group) -> tuple[Figure, ...]:
    """Return the figures that a run declares, none in files from before there were any.

    `ValueError` where they are no figures, or cannot be drawn from what the run has.
    """
    stored = entry.get(FIGURES)
    if stored is None or is_table(stored):  # once a table could be called so
        return ()
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind != TEXT or stored.nbytes > FIGURES_BYTES:
        raise ValueError(f"{stored.name} is no text of at most {FIGURES_BYTES} bytes")
    try:
        figures = figures_from_text(decode(stored[()]))
        check_figures(figures, drawable_of(entry))
    except RunFileError as error:
        raise ValueError(str(error)) from None
    return figures


def drawable_of(entry: h5py.Group) -> Drawable:
    """Return what figures can be drawn from in a run; raises as the checks where a part of it is malformed."""
    tables = {name: item for name, item in items_of(entry) if is_table(item)}
    maps, arrays = dict(items_of(entry["maps"])), dict(items_of(entry["arrays"]))
    for check, items in ((check_table, tables), (check_map, maps), (check_array, arrays)):
        for item in items.values():
            check(item)
    values = {name: _values(array) for name, array in arrays.items()}
    return Drawable(
        {
            name: {one: (column.dtype.kind, column.ndim - 1) for one, column in items_of(table)}
            for name, table in tables.items()
        },
        {name: image["value"].shape[1:] for name, image in maps.items()},
        {name: (one.dtype.kind, one.ndim) for name, one in values.items()},
    )


def is_table(item: h5py.HLObject) -> bool:
    """Return whether a member of the entry is a table."""
    return isinstance(item, h5py.Group) and text_attribute(item, "NX_class") == "NXdata"


def malformed(entry: h5py.Group) -> Iterator[str]:
    """Yield what is wrong with the tables, maps, arrays and the log of a run, one sentence each."""
    checks: list[tuple[Check, h5py.HLObject]]
    checks = [(check_table, item) for _, item in items_of(entry) if is_table(item)]
    checks += [(check_map, item) for _, item in items_of(entry["maps"])]
    checks += [(check_array, item) for _, item in items_of(entry["arrays"])]
    for check, item in [*checks, (check_log, entry["log"]), (declared_figures, entry)]:
        try:
            check(item)
        except DAMAGE as error:
            yield str(error)


def _check_dataset(item: h5py.HLObject, kinds: str, dimensions: int | None = None) -> None:
    if not isinstance(item, h5py.Dataset):
        raise ValueError(f"{item.name} is a group, where values are expected")
    if item.dtype.kind not in kinds:
        raise ValueError(f"{item.name} holds {item.dtype}, not {'text' if kinds == TEXT else 'numbers'}")
    if dimensions is not None and item.ndim != dimensions:
        raise ValueError(f"{item.name} has the shape {item.shape}, not {dimensions} dimensions")
