"""Where the lines of a table come from: text, a sheet of a spreadsheet, or arrays; told by how the file begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from mho.analysis.imports.tables.array_files import ArrayLines
from mho.analysis.imports.tables.spreadsheets import SheetLines, is_spreadsheet
from mho.analysis.imports.tables.text_files import TextLines
from mho.errors import InputError
from mho.input_files import check_ordinary

_ARRAYS = (b"\x93NUMPY", b"\x89HDF", b"MATLAB")


class LineSource(Protocol):
    """Where lines of text come from."""

    def numbered(self, first: int) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines from `first` on, which counts from 1."""


def open_lines(path: Path, dataset: str = "", axes: Sequence[str] = ()) -> LineSource:
    """Return the lines of the table in a file.

    Parameters
    ----------
    dataset, axes : str, sequence of str
        Which sheet, or array, and what its dimensions count: see `ArrayLines` and `SheetLines`.

    Raises
    ------
    InputError
        The file cannot be read, or has no such table.
    """
    start = _start(path)
    if start.startswith(b"PK") and is_spreadsheet(path):
        return SheetLines(path, dataset)
    packed = start.startswith(b"PK") and path.suffix.lower() == ".npz"
    if packed or start.startswith(_ARRAYS) or path.suffix.lower() == ".json":
        return ArrayLines(path, dataset, axes)
    if dataset or axes:
        raise InputError(f"{path} is a text file, which has one table; leave out --dataset and --axes")
    return TextLines(path)


def _start(path: Path) -> bytes:
    try:
        check_ordinary(path)
        with path.open("rb") as raw:
            return raw.read(32)
    except OSError as error:
        raise InputError(f"table {path} cannot be read: {error.strerror or error}; check the path") from error
