"""Sheets of spreadsheets (.xlsx, as openpyxl reads them) as lines of text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from mho.errors import InputError

if TYPE_CHECKING:
    from openpyxl import Workbook

MOST_BYTES = 1 << 30
"""Of a part of the file, unpacked."""


def is_spreadsheet(path: Path) -> bool:
    """Return whether a file is a spreadsheet in Office Open XML."""
    try:
        with zipfile.ZipFile(path) as packed:
            return "xl/workbook.xml" in packed.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


class SheetLines:
    """The lines of a sheet, fields apart by tabs; dates in ISO 8601, of formulas what they came to.

    Parameters
    ----------
    sheet : str
        Its name; the only one that is not empty unless given.

    Raises
    ------
    InputError
        There is no such sheet, or several, the file is damaged, or openpyxl is not installed.
    """

    def __init__(self, path: Path, sheet: str = "") -> None:
        self._path = path
        with self._opened() as book:
            names = [one.title for one in book.worksheets]
            if sheet and sheet not in names:
                raise InputError(f"{path} has no sheet {sheet!r}; it has {', '.join(names)}")
            filled = (
                [sheet] if sheet else [name for name in names if any(text for _, text in _rows(book, name))]
            )
        if len(filled) != 1:
            raise InputError(
                f"{path} has the sheets {', '.join(filled)}; say --dataset '{filled[0]}'"
                if filled
                else f"{path} has no sheet with values"
            )
        (self._sheet,) = filled

    def numbered(self, first: int) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines from `first` on, which counts from 1."""
        with self._opened() as book:
            yield from ((number, text) for number, text in _rows(book, self._sheet) if number >= first)

    @contextmanager
    def _opened(self) -> Iterator[Workbook]:
        try:
            from openpyxl import load_workbook
        except ImportError as error:
            raise InputError(
                "a spreadsheet needs openpyxl: pip install 'mho[exchange]'; or save the table in it as CSV"
            ) from error
        try:
            with zipfile.ZipFile(self._path) as packed:
                size = max(one.file_size for one in packed.infolist())
            if size > MOST_BYTES:
                raise InputError(
                    f"{self._path} has a part of {size / 1e9:.1f} GB; save the table in it as CSV"
                )
            book = load_workbook(self._path, read_only=True, data_only=True)
            try:
                yield book
            finally:
                book.close()
        except (OSError, LookupError, ValueError, TypeError, zipfile.BadZipFile, ParseError) as error:
            raise InputError(
                f"spreadsheet {self._path} cannot be read: {error}; save the table in it as CSV"
            ) from error


def _rows(book: Workbook, sheet: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that a sheet has; fields at the end that are empty are left out."""
    for number, row in enumerate(book[sheet].iter_rows(min_row=1, min_col=1, values_only=True), 1):
        yield number, "\t".join(map(_text, row)).rstrip("\t")


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case _:
            return " ".join(str(value).split())
