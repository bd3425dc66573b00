"""A run file as its user has it: facts as attributes, tables as NumPy, pandas or xarray, and a page in a notebook."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mho.errors import InputError, needing
from mho.runs import RunFile

if TYPE_CHECKING:
    import pandas
    import xarray


class Run(RunFile):
    """A run, open for reading; a context manager.

    Nothing is read before it is asked for, and nothing more: a table of 10 GB opens in flat memory. What a part of the file
    may not be is said when that part is read.

    Parameters
    ----------
    path : path
        The run file.

    Attributes
    ----------
    title, status, procedure, preset, seed, parameters, provenance, bench, chip
        And all else of a `mho.runs.RunFile`.

    Raises
    ------
    RunFileError
        As a `mho.runs.RunFile`.

    Examples
    --------
    >>> result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=1)
    >>> with mho.open_run(result.path) as run:
    ...     run.procedure, run.seed, run.units("reads")["conductance"]
    ('Read', 1, 'S')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, whole=False)

    @cached_property
    def result(self) -> Mapping[str, Any]:
        """What the procedure returned, in numbers and words; empty until it has. Units are `result_units`."""
        return self.summary

    def to_pandas(self, name: str = "") -> pandas.DataFrame:
        """Return a table as a DataFrame, its units in ``attrs["units"]``.

        Parameters
        ----------
        name : str
            Of a table; by default the one that a viewer opens first.

        Returns
        -------
        pandas.DataFrame
            A column a column. One of arrays has an array in each row, a ragged one each as long as it was emitted.

        Raises
        ------
        RunFileError
            There is no such table, or it is damaged.
        InputError
            pandas is not installed.
        """
        with needing("a DataFrame", "pandas"):
            from mho.analysis.datasets.frames import frame_of
        return frame_of(self, name or self._first())

    def to_xarray(
        self, name: str = "", *, chunks: Any = None, grid: bool = True
    ) -> xarray.Dataset | xarray.DataArray:
        """Return a table as a Dataset, or a map or an array as a DataArray, read when its values are asked for.

        Where the rows of a table are a full grid of some of its columns, cycle x row x column, these are the dimensions,
        with their values as coordinates; NaN where nothing was measured, as long as the rows fill half of the grid (whole
        numbers become floats then). Otherwise the dimension is ``row_number``. See `mho.analysis.datasets.grids`. A
        map has the dimensions time, row and column. Units are ``attrs["units"]``, as pint-xarray has them.

        Parameters
        ----------
        name : str
            Of a table, a map or an array, in this order; ``maps/NAME`` and ``arrays/NAME`` are never tables. By default
            the one that a viewer opens first.
        chunks : optional
            As of ``xarray.Dataset.chunk``: the values are arrays of dask.
        grid : bool
            False keeps a table as rows, a long table without gaps.

        Raises
        ------
        RunFileError
            There is nothing of this name, or it is damaged; by reading values, too.
        InputError
            xarray, or dask where chunks are asked for, is not installed.
        """
        with needing("a Dataset", "xarray"):
            from mho.analysis.datasets.xarray_values import labelled
        result = labelled(self, name or self._first(), grid=grid)
        if chunks is None:
            return result
        with needing("an array in chunks", "dask"):
            return result.chunk(chunks)

    def _first(self) -> str:
        return self.default or next(iter((*self.tables, *(f"maps/{one}" for one in self.maps))), "")

    def __repr__(self) -> str:
        if not self.is_open:
            return f"<Run {self.path.name}, closed>"
        groups = [("tables", self.tables), ("maps", self.maps), ("arrays", self.arrays)]
        text = "; ".join(f"{what} {', '.join(names)}" for what, names in groups if names)
        return f"<Run {self.path.name}: {self.title}, {self.status}; {text or 'empty'}>"

    def _repr_html_(self) -> str:
        from mho.analysis.datasets.html import run_html

        return run_html(self)


def open_run(path: str | os.PathLike[str] | None) -> Run:
    """Open a run: finished, still being written, or left behind; as ``with mho.open_run(path) as run`` or without.

    Parameters
    ----------
    path : path
        The run file; that of a result is its `path`.

    Returns
    -------
    Run

    Raises
    ------
    RunFileError
        It is no run file, or cannot be read.
    InputError
        It is None, the `path` of a result of which no run file was kept.

    Examples
    --------
    >>> result = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=1)
    >>> with mho.open_run(result.path) as run:
    ...     str(run.status), len(run.to_pandas("reads"))
    ('finished', 4)
    """
    if path is None:
        raise InputError("there is no run file to open: the run kept none; give it an `output`")
    return Run(path)
