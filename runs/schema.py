"""What a run file holds: the plain data with which a procedure declares its tables, maps and arrays.

A file is laid out whole before the run starts (HDF5's single-writer mode allows neither new objects nor
new attributes afterwards), so everything a run may write is declared here first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1


class Status(StrEnum):
    """How a run stands. INTERRUPTED is never written: it is what a reader calls RUNNING without a writer."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Column:
    """One column of a table: a value, or an array of fixed `shape`, per row.

    Attributes
    ----------
    name : str
        A Python identifier; the HDF5 dataset's name.
    unit : str
        SI unit ("" for a pure number).
    dtype : str
        numpy dtype; text is not allowed in a table (use the log).
    shape : tuple of int
        Shape of one row's value.
    description : str
        One line, the dataset's ``long_name``.
    """

    name: str
    unit: str = ""
    dtype: str = "f8"
    shape: tuple[int, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Table:
    """A growing table, an NXdata group with one dataset per column.

    Attributes
    ----------
    signal, axis : str
        The columns plotted by default against each other.
    """

    name: str
    columns: tuple[Column, ...]
    signal: str
    axis: str
    title: str = ""


@dataclass(frozen=True)
class Map:
    """A growing stack of images over (time, row, column) of an array's cells, an NXdata group.

    Attributes
    ----------
    rows, columns : array of int
        The cells' physical row and column numbers: the image's axes.
    """

    name: str
    unit: str
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    title: str = ""


@dataclass(frozen=True)
class Array:
    """A fixed array known before the run (a matrix) or filled in by it (a solution, NaN until then)."""

    name: str
    values: NDArray[np.generic]
    unit: str = ""
    description: str = ""


@dataclass(frozen=True)
class Layout:
    """Everything a run will write: declared by the procedure before anything is touched."""

    tables: tuple[Table, ...] = ()
    maps: tuple[Map, ...] = ()
    arrays: tuple[Array, ...] = ()
    default: str = ""  # the table or map (``maps/NAME``) a viewer opens first


@dataclass(frozen=True)
class Parameter:
    """A procedure's parameter as it was set: value, unit ("" for none) and the label of its form."""

    value: bool | int | float | str | None
    unit: str = ""
    label: str = ""


@dataclass(frozen=True)
class RunHeader:
    """What is known of a run before it starts.

    Attributes
    ----------
    title : str
        One line for lists and plots.
    procedure, version : str
        Class name and the procedure's own version.
    bench, chip : str
        The bench file and the chip map, as text.
    instruments : mapping
        For each instrument ``{"identity": "*IDN? reply", setting: value, ...}``.
    cells : str
        The arrays and cell ranges in use, as text.
    provenance : mapping
        See `runs.provenance.collect`.
    """

    title: str
    procedure: str
    version: str
    parameters: Mapping[str, Parameter]
    bench: str = ""
    chip: str = ""
    cells: str = ""
    instruments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
