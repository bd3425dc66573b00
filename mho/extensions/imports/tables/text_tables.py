"""Tables in text: read line by line as often as needed, without what stands above, between and below the values."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol
from xml.etree.ElementTree import ParseError

from mho.errors import InputError, needing
from mho.extensions.imports.tables.array_files import ArrayLines
from mho.extensions.imports.tables.form_finding import NAME_TAG, VALUE_TAG, TextForm, find_form
from mho.input_files import check_ordinary

if TYPE_CHECKING:
    from openpyxl import Workbook

MOST_BYTES = 1 << 30  # of a part of the file, unpacked


def is_spreadsheet(path: Path) -> bool:
    """Return whether a file is a spreadsheet in Office Open XML."""
    try:
        with zipfile.ZipFile(path) as packed:
            return "xl/workbook.xml" in packed.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


class SheetLines:
    """The lines of a sheet, fields apart by tabs; dates in ISO 8601, of formulas what they came to.

    `sheet`: its name; the only one that is not empty unless given. Raises `InputError`: there is no such sheet, or
    several, the file is damaged, or openpyxl is not installed.
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
        with needing("a spreadsheet", "openpyxl", otherwise="; or save the table in it as CSV"):
            from openpyxl import load_workbook
        try:
            with zipfile.ZipFile(self._path) as packed:
                size = max(one.file_size for one in packed.infolist())
            self._check_size(size)
            book = load_workbook(self._path, read_only=True, data_only=True)
            try:
                yield book
            finally:
                book.close()
        except InputError:
            raise
        except (OSError, LookupError, ValueError, TypeError, zipfile.BadZipFile, ParseError) as error:
            raise InputError(
                f"spreadsheet {self._path} cannot be read: {error}; save the table in it as CSV"
            ) from error

    def _check_size(self, size: int) -> None:
        """Raise `InputError` for a part of so many bytes that the table would not fit into memory."""
        if size > MOST_BYTES:
            raise InputError(f"{self._path} has a part of {size / 1e9:.1f} GB; save the table in it as CSV")


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


LONGEST_LINE = 1 << 24  # characters
PIECE = 1 << 16

_BINARY = {
    b"PK\x03\x04": "a spreadsheet or an archive", b"\x89HDF": "an HDF5 file", b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}  # fmt: skip


class TextLines:
    """The lines of a text file.

    Raises `InputError`: the file cannot be read, or is no text.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._encoding = _find_encoding(path)

    def numbered(self, first: int) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines from `first` on, which counts from 1."""
        try:
            with _opened(self.path) as raw, io.TextIOWrapper(raw, self._encoding, newline="") as file:
                for number in itertools.count(1):
                    text = file.readline(LONGEST_LINE + 1)
                    if not text:
                        return
                    if len(text) > LONGEST_LINE:
                        raise InputError(
                            f"{self.path}, line {number} has more than {LONGEST_LINE} characters; it is no table"
                        )
                    if number >= first:
                        yield number, text
        except UnicodeError as error:
            raise InputError(f"{self.path} is no text: {error}; save the table as CSV in UTF-8") from error
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"table {self.path} cannot be read: {getattr(error, 'strerror', None) or error}; check the path"
            ) from error


def _opened(path: Path) -> IO[bytes]:
    check_ordinary(path)
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _find_encoding(path: Path) -> str:
    """Return UTF-8, UTF-16 or Latin-1; raise an `InputError` for what is no text."""
    try:
        with _opened(path) as raw:
            start = raw.read(PIECE)
            if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # a spreadsheet's "Unicode text"
                return "utf-16"
            what = next((name for magic, name in _BINARY.items() if start.startswith(magic)), "")
            if what:
                raise InputError(f"{path} is {what}, no text; save the table in it as CSV")
            if b"\0" in start:
                zeros = [start[side::2].count(0) / max(len(start) // 2, 1) for side in (0, 1)]
                if max(zeros) < 0.4 or min(zeros) > 0.1:
                    raise InputError(f"{path} is no text: it has bytes that are 0; save the table as CSV")
                return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
            decoder = codecs.getincrementaldecoder("utf-8")()
            while start:
                decoder.decode(start)
                start = raw.read(1 << 20)
            decoder.decode(b"", final=True)
        return "utf-8-sig"
    except UnicodeDecodeError:
        return "latin-1"  # in which µ and Ω's friends are often written
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"table {path} cannot be read: {reason}; check the path") from error


_ARRAYS = (b"\x93NUMPY", b"\x89HDF", b"MATLAB")


class LineSource(Protocol):
    """Where lines of text come from."""

    def numbered(self, first: int) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines from `first` on, which counts from 1."""


def open_lines(path: Path, dataset: str = "", axes: Sequence[str] = ()) -> LineSource:
    """Return the lines of the table in a file.

    `dataset`, `axes`: which sheet, or array, and what its dimensions count: see `ArrayLines` and `SheetLines`. Raises
    `InputError`: the file cannot be read, or has no such table.
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


HEAD_LINES = 400  # lines from which separator and header are told
MOST_SHOWN = 6
MOST_FIELDS = 4_000_000  # in memory at once
MOST_HEAD = 1 << 25  # characters from which separator and header are told, at most
MOST_COLUMNS = 20_000
LONGEST_NAME = 400  # characters of a column's name

# Words with which a spreadsheet's lines of statistics below the values begin
SUMMARIES = {
    "average", "averages", "avg", "mean", "median", "std", "std dev", "std. dev.", "stdev", "stddev", "standard deviation",
    "sigma", "variance", "min", "minimum", "max", "maximum", "sum", "count", "cv", "rsd", "mittelwert", "stabw",
}  # fmt: skip


class TextLine(NamedTuple):
    """A line of values: its number in the file, from 1, its fields, and in which of several tables it stands, from 0."""

    number: int
    fields: list[str]
    part: int


class TextTable:
    """A table in a file, read line by line as often as needed.

    Parameters
    ----------
    names : sequence of str, optional
        Of the columns, for a table without a header.
    decimal : str, optional
        The decimal mark, ``comma`` or ``point``; found unless given.
    dataset, axes : str, sequence of str
        Of a file with several sheets or arrays: see `open_lines`.

    Attributes
    ----------
    summaries : dict
        Lines of statistics below the values that were left out, by number: what they begin with.

    Raises
    ------
    InputError
        The file cannot be read, is no text, or holds no table.
    """

    def __init__(
        self, path: Path, names: Sequence[str] | None = None, decimal: str = "", dataset: str = "",
        axes: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.path = path
        self._source = open_lines(path, dataset, axes)
        self.form: TextForm = find_form(self._head_lines(), names, decimal, path)
        if self.form.width > MOST_COLUMNS:
            raise InputError(
                f"{path} has {self.form.width} columns, and {MOST_COLUMNS} are read at most; save it with lines and "
                "columns exchanged, or a part of it"
            )
        for place, name in enumerate((*self.form.header, *self.form.units)):
            if len(name) > LONGEST_NAME:
                raise InputError(
                    f"{path}: a name or unit in its header ({name[:24]!r}…, field {place + 1}) has {len(name)} characters, "
                    f"and {LONGEST_NAME} are read at most; give it a short one"
                )
        self.summaries: dict[int, str] = {}

    def _head_lines(self) -> list[tuple[int, str]]:
        """Return the first lines, fewer where they are very long."""
        lines, size = [], 0
        for number, text in itertools.islice(self._source.numbered(1), HEAD_LINES):
            lines.append((number, text))
            size += len(text)
            if size > MOST_HEAD:
                break
        return lines

    def lines(self) -> Iterator[TextLine]:
        """Yield each line of values; blank lines and repeated headers part tables that stand below one another.

        Raises `InputError`: a line cannot be read.
        """
        form, part, gap, begun = self.form, 0, False, False
        header = [field.lower() for field in form.header]
        for number, text in self._source.numbered(form.first):
            stripped = text.strip()
            if not stripped or not stripped.strip(form.mark):
                gap = begun
                continue
            if stripped.startswith("#"):
                continue
            fields = self._fields(text, number)
            if form.tagged:
                tag, fields = fields[0].lower() if fields else "", fields[1:]
                if tag == NAME_TAG:
                    gap = begun
                if tag != VALUE_TAG:
                    continue
            while len(fields) > form.width and not fields[-1]:
                fields.pop()
            if (
                header
                and fields
                and fields[0].lower() == header[0]
                and [*map(str.lower, fields[: len(header)])] == header
            ):
                gap = begun
                continue
            if form.units and tuple(fields) == form.units:
                continue
            if begun and (word := _summary(fields)):
                self.summaries[number] = word
                continue
            part += gap
            gap, begun = False, True
            yield TextLine(number, fields, part)

    def head(self, count: int) -> list[TextLine]:
        """Return the first lines of values; fewer of a table with very many columns."""
        return list(itertools.islice(self.lines(), self.fitting(count)))

    def fitting(self, count: int) -> int:
        """Return how many lines are kept in memory at once: `count`, or fewer of a table with very many columns."""
        return max(1, min(count, MOST_FIELDS // max(self.form.width, 1)))

    def preamble(self) -> list[str]:
        """Return the lines above the table."""
        return [
            text.strip()
            for _, text in itertools.takewhile(lambda one: one[0] < self.form.first, self._source.numbered(1))
        ]

    def left_out(self) -> tuple[str, ...]:
        """Return what is to be said of the lines of statistics that were left out while lines were read."""
        if not self.summaries:
            return ()
        count = len(self.summaries)
        where = ", ".join(
            f"{word} in line {number}" for number, word in [*self.summaries.items()][:MOST_SHOWN]
        )
        more = f" and {count - MOST_SHOWN} more" if count > MOST_SHOWN else ""
        lines = "1 line" if count == 1 else f"{count} lines"
        return (f"{lines} of statistics below the values left out: {where}{more}",)

    def _fields(self, text: str, number: int) -> list[str]:
        try:
            return self.form.split(text)
        except (csv.Error, ValueError) as error:
            raise InputError(f"{self.path}, line {number}: {error}") from error


def _summary(fields: Sequence[str]) -> str:
    """Return the word with which a line of statistics begins; nothing for a line of values."""
    word = next((one for one in fields if one), "").rstrip(":= ")
    return word if word.lower() in SUMMARIES else ""
