"""The contents of a run file as plain data: a procedure declares its tables, maps and arrays with them.

A file is laid out whole before the run: HDF5's single-writer mode allows neither new objects nor new attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.runs.figures import Drawable, Figure, check_figures

SCHEMA_VERSION = 5
"""Of the run files written.

2: arrays are NXdata groups, chunks are checksummed, a finished file is sealed. 3: the result is a group, with units;
figures are declared. 4: figures of the kinds ``confusion``, ``correlation`` and ``share``, reference lines with a power,
reference points. 5: the conclusion.
"""


# The NeXus application definition that run files follow (`mho.runs.nexus`), and its version
DEFINITION, DEFINITION_VERSION = "NXrram_array", "1.1"
DIGITAL_ATTRIBUTE = "digital"  # the HDF5 attribute that keeps `Column.digital` and `Array.digital`


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
        Shape of one row's value: ``(samples,)`` of a waveform, ``(rows, columns)`` of an image.
    description : str
        One line, the dataset's ``long_name``.
    ragged : bool
        A row's value may be shorter than ``shape[0]``. It is stored filled up with NaN (0 in integers), and its
        own length in a column ``NAME_length``: HDF5's single-writer mode knows no datasets of variable length.
    digital : float
        Tolerance, relative to the column's largest value, of what a digital computation (a solve, a norm) finds: its
        last digits differ from processor to processor. 0 is for what was measured, sent or counted: bit for bit.

    Examples
    --------
    >>> mho.Column("current", "A", shape=(100,), ragged=True).length_name
    'current_length'
    """

    name: str
    unit: str = ""
    dtype: str = "f8"
    shape: tuple[int, ...] = ()
    description: str = ""
    ragged: bool = False
    digital: float = 0.0

    @property
    def length_name(self) -> str:
        """Name of the column that holds the lengths of a ragged one."""
        return f"{self.name}_length"


@dataclass(frozen=True)
class Table:
    """A growing table, an NXdata group with one dataset per column.

    Attributes
    ----------
    name : str
        A Python identifier; the HDF5 group's name.
    columns : tuple of Column
    signal, axis : str
        The columns plotted by default against each other; the last over the first unless said otherwise.
    title : str
        The words above it; by default the name.
    series : str
        The column that separates the curves of a plot: where it changes, another begins. "" for one curve.
    rows : int
        Approximate number of rows, so that a small table takes little space; 0 if unknown. Any number of rows can be
        written.

    Examples
    --------
    >>> columns = (mho.Column("cycle", dtype="u4"), mho.Column("conductance", "S"))
    >>> table = mho.Table("endurance", columns, axis="cycle")
    >>> [column.name for column in table.columns]
    ['cycle', 'conductance']
    """

    name: str
    columns: tuple[Column, ...]
    signal: str = ""
    axis: str = ""
    title: str = ""
    series: str = ""
    rows: int = 0

    def __post_init__(self) -> None:
        for name, column in (("signal", self.columns[-1:]), ("axis", self.columns[:1])):
            if column and not getattr(self, name):
                object.__setattr__(self, name, column[0].name)

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns as they are in the file: behind a ragged one that of its lengths."""
        stored = []
        for column in self.columns:
            stored.append(column)
            if column.ragged:
                stored.append(Column(column.length_name, dtype="i8", description=f"length of {column.name}"))
        return tuple(stored)


@dataclass(frozen=True)
class Map:
    """A growing stack of images over (time, row, column) of an array's cells, an NXdata group.

    Attributes
    ----------
    name : str
        A Python identifier; the HDF5 group's name.
    unit : str
        SI unit of a pixel ("" for a pure number).
    rows, columns : array of int
        The cells' physical row and column numbers: the image's axes.
    title : str
        The words above it; by default the name.
    images : int
        About how many images there will be, as `Table.rows`.

    Examples
    --------
    >>> image = mho.Map("left", "S", np.arange(8), np.arange(4), images=1)
    >>> len(image.rows), len(image.columns)
    (8, 4)
    """

    name: str
    unit: str
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    title: str = ""
    images: int = 2


@dataclass(frozen=True)
class Array:
    """A fixed array known before the run (a matrix) or filled in by it (a solution, NaN until then).

    Attributes
    ----------
    name : str
        A Python identifier; the HDF5 dataset's name.
    values : array
        Numbers of any shape.
    unit : str
        SI unit ("" for a pure number).
    description : str
        One line, the dataset's ``long_name``.
    digital : float
        As of a `Column`.

    Examples
    --------
    >>> mho.Array("matrix", np.eye(2), description="as given").values.shape
    (2, 2)
    """

    name: str
    values: NDArray[np.generic]
    unit: str = ""
    description: str = ""
    digital: float = 0.0


@dataclass(frozen=True)
class Layout:
    """Everything a run will write: declared by the procedure before anything is touched.

    Attributes
    ----------
    tables : tuple of Table
    maps : tuple of Map
    arrays : tuple of Array
    default : str
        The table or map (``maps/NAME``) a viewer opens first.
    figures : tuple of Figure
        What is drawn of the run, in this order.

    Raises
    ------
    RunFileError
        A figure names what the layout does not have, or shows it in a way that does not fit.

    Examples
    --------
    >>> table = mho.Table("reads", (mho.Column("time", "s"), mho.Column("conductance", "S")))
    >>> mho.Layout(tables=(table,), figures=(mho.Figure("drift", table="reads", x="time", y="conductance"),)).default
    ''
    """

    tables: tuple[Table, ...] = ()
    maps: tuple[Map, ...] = ()
    arrays: tuple[Array, ...] = ()
    default: str = ""
    figures: tuple[Figure, ...] = ()

    def __post_init__(self) -> None:
        check_figures(self.figures, self._drawable())

    def _drawable(self) -> Drawable:
        return Drawable(
            {
                table.name: {one.name: (kind_of_number(one.dtype), len(one.shape)) for one in table.stored}
                for table in self.tables
            },
            {image.name: (np.size(image.rows), np.size(image.columns)) for image in self.maps},
            {one.name: (np.asarray(one.values).dtype.kind, np.ndim(one.values)) for one in self.arrays},
        )


def kind_of_number(dtype: str) -> str:
    """Return numpy's letter for the kind of a type of numbers; "" for what is no type at all."""
    try:
        return str(np.dtype(dtype).kind)
    except TypeError:
        return ""


@dataclass(frozen=True)
class RecordedParameter:
    """A procedure's parameter: value, unit ("" for none) and the label of its form.

    One that was not given keeps the value in use, and as `origin` whose that is: ``the bench's``.
    """

    value: bool | int | float | str | None
    unit: str = ""
    label: str = ""
    origin: str = ""


@dataclass(frozen=True)
class RunHeader:
    """Facts about a run that are known before it starts.

    Attributes
    ----------
    title : str
        One line for lists and plots.
    procedure, version : str
        Class name and the procedure's own version.
    source : str
        Text of the module of a user's own procedure; "" for mho's own.
    bench, chip, defects : str
        The bench file, the chip map and the list of its defects, as text; "" for no list.
    formed, formed_bytes : str, int
        The cells that were formed before, as text, and the room that those formed by the end may need; 0 for no record.
    instruments : mapping
        For each instrument ``{"identity": "*IDN? reply", setting: value, ...}``.
    cells : str
        The arrays and cell ranges in use, as text.
    provenance : mapping
        See `mho.runs.provenance.collect`; the run's `mho.runs.labels.Labels` are among it.
    """

    title: str
    procedure: str
    version: str
    parameters: Mapping[str, RecordedParameter]
    source: str = ""
    bench: str = ""
    chip: str = ""
    defects: str = ""
    formed: str = ""
    formed_bytes: int = 0
    cells: str = ""
    instruments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
