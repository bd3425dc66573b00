"""Reads tables in text files, however they are written: encoding, separator, what stands before and within the table.

A table is found by its numbers: the longest run of lines that have the same number of fields, most of them numbers. The
line above is its header, or the two lines above are names and units. What stands further up (settings of an instrument) is
left out. Keysight EasyEXPERT marks header and values itself, by ``DataName`` and ``DataValue`` (User's Guide, "Exporting
the test result" (?)).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from mho.analysis.imports.headers import looks_like_units
from mho.errors import InputError
from mho.input_files import check_ordinary

HEAD_LINES = 400
"""Lines from which separator and header are told."""

HEADER_LINES = 4
"""Lines of a header at most: short and long names, units, comments."""

LONGEST_LINE = 1 << 24  # characters
PIECE = 1 << 16
MARKS = ("\t", ";", ",", " ")
COMMENT = ("#", "%", "!")
MISSING = {
    "",
    "nan",
    "na",
    "n/a",
    "null",
    "none",
    "-",
    "--",
    "#n/a",
    "inf",
    "+inf",
    "-inf",
    "overflow",
    "---",
}
NAME_TAG, VALUE_TAG = "dataname", "datavalue"

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_BINARY = {
    b"PK\x03\x04": "a spreadsheet or an archive", b"\x89HDF": "an HDF5 file", b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}  # fmt: skip


class Line(NamedTuple):
    """A line of values: its number in the file, from 1, its fields, and in which of several tables it stands, from 0."""

    number: int
    fields: list[str]
    part: int


@dataclass(frozen=True)
class Form:
    """How a table is written.

    Attributes
    ----------
    mark : str
        What stands between fields; a blank stands for any white space.
    comma : bool
        Whether the decimal mark is a comma.
    header, units : tuple of str
        Names of the columns and their units; empty where there is no such line.
    first : int
        Number of the line after the header, from 1.
    width : int
        Fields of a line.
    tagged : bool
        Whether lines begin with ``DataName`` and ``DataValue``.
    """

    mark: str
    comma: bool
    header: tuple[str, ...]
    units: tuple[str, ...]
    first: int
    width: int
    tagged: bool = False

    def split(self, line: str) -> list[str]:
        """Return the fields of a line, without blanks around them."""
        if '"' not in line:  # several times as fast as a reader of CSV
            return line.split() if self.mark == " " else [*map(str.strip, line.split(self.mark))]
        (fields,) = csv.reader([line.strip("\r\n")], delimiter=self.mark, skipinitialspace=True) or [[]]
        return [field.strip() for field in fields]

    def number(self, text: str) -> float | None:
        """Return a number as it stands there, NaN for a missing one; None for what is none."""
        if text.lower() in MISSING:
            return math.nan
        try:
            return float(text.replace(",", ".") if self.comma else text)
        except ValueError:
            return None


class TextTable:
    """A table in a file, read line by line as often as needed.

    Raises
    ------
    InputError
        The file cannot be read, is no text, or holds no table.
    """

    def __init__(self, path: Path, names: Sequence[str] | None = None) -> None:
        self.path = path
        self._encoding = _find_encoding(path)
        self.form = self._find_form(names)

    def lines(self) -> Iterator[Line]:
        """Yield each line of values; blank lines and repeated headers part tables that stand below one another.

        Raises
        ------
        InputError
            A line cannot be read.
        """
        form, part, gap, begun = self.form, 0, False, False
        header = [field.lower() for field in form.header]
        for number, text in self._numbered(form.first):
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
            part += gap
            gap, begun = False, True
            yield Line(number, fields, part)

    def head(self, count: int) -> list[Line]:
        """Return the first lines of values."""
        return list(itertools.islice(self.lines(), count))

    def preamble(self) -> list[str]:
        """Return the lines above the table."""
        return [
            text.strip()
            for _, text in itertools.takewhile(lambda one: one[0] < self.form.first, self._numbered(1))
        ]

    def _fields(self, text: str, number: int) -> list[str]:
        try:
            return self.form.split(text)
        except (csv.Error, ValueError) as error:
            raise InputError(f"{self.path}, line {number}: {error}") from error

    def _numbered(self, first: int) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines from `first` on."""
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

    def _find_form(self, names: Sequence[str] | None) -> Form:
        head = [(number, text) for number, text in itertools.islice(self._numbered(1), HEAD_LINES)]
        if not any(text.strip() for _, text in head):
            raise InputError(f"table {self.path} is empty; it begins with a line of column names")
        tagged = next(((n, t) for n, t in head if t.strip().lower().startswith(NAME_TAG)), None)
        if tagged:
            number, text = tagged
            fields = _trimmed(Form(",", False, (), (), 1, 0).split(text)[1:])
            return Form(",", False, tuple(fields), (), number + 1, len(fields), tagged=True)
        whole = [(n, t) for n, t in head if t.strip() and not t.strip().startswith(COMMENT)]
        if not whole:
            raise InputError(f"table {self.path} is empty; it begins with a line of column names")
        forms = [self._as_marked(mark, whole, head) for mark in MARKS]
        _, form = max(enumerate(forms), key=lambda one: (one[1][0], -one[0]))
        return _renamed(form[1], names, self.path) if names is not None else form[1]

    def _as_marked(
        self, mark: str, whole: Sequence[tuple[int, str]], head: Sequence[tuple[int, str]]
    ) -> tuple[int, Form]:
        """Return the form with fields marked off by `mark`, and how much speaks for it."""
        plain = Form(mark, False, (), (), 1, 0)
        try:
            split = [(number, _trimmed(plain.split(text))) for number, text in whole]
        except (csv.Error, ValueError):
            return -1, Form(mark, False, (), (), whole[0][0], 0)
        fields = [field for _, some in split for field in some]
        comma = (
            mark != ","
            and any(map(_DECIMAL_COMMA.fullmatch, fields))
            and not any("." in f and _is_number(f) for f in fields)
        )
        plain = Form(mark, comma, (), (), 1, 0)
        counts = [
            (sum(bool(f) and plain.number(f) is not None for f in some), len(some)) for _, some in split
        ]
        body = [index for index, (numbers, width) in enumerate(counts) if numbers and 2 * numbers >= width]
        if not body:
            number, names = split[0]
            several = len(names) > 1
            return (len(names) if several else 0), Form(mark, comma, tuple(names), (), number + 1, len(names))
        widths = Counter(counts[index][1] for index in body)
        named = {len(some) for _, some in split[: body[0]]}  # where lines are ragged, the header's counts
        width = max(widths, key=lambda one: (widths[one], one in named, one))
        begin = next(index for index in body if counts[index][1] == width)
        if body[0] and counts[body[0] - 1][1] == width:  # the first lines below the header are ragged
            begin = body[0]
        header, units = _names_above(split, begin, width, plain)
        first = split[begin][0]
        own = split[begin][1]
        if not header and (plain.number(own[0]) is None or not own[0]):
            header, first = (
                tuple(own),
                first + 1,
            )  # a name, or none, above row numbers; numbers of columns beside it
        elif not header:
            header = _commented(head, first, plain, width)
        good = sum(2 * numbers - width for numbers, of in counts[begin:] if of == width)
        speaks = 1000 * max(good, 0) // max(len(counts) - begin, 1) + 10 * min(width, 50)
        return speaks if width > 1 else speaks // 100, Form(mark, comma, header, units, first, width)


def _names_above(
    split: Sequence[tuple[int, list[str]]], begin: int, width: int, plain: Form
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return header and units that stand above the first line of numbers."""
    above = [_widened(fields, width) for _, fields in split[max(begin - HEADER_LINES, 0) : begin]]
    above = [*reversed([*itertools.takewhile(lambda fields: len(fields) == width, reversed(above))])]
    if not above:
        return (), ()
    for place in range(len(above) - 1, 0, -1):  # Origin has comments below the units
        if looks_like_units(above[place]):
            return _told_apart(above[place - 1], above[place + 1 :]), tuple(above[place])
    return (tuple(above[-1]), ()) if any(plain.number(f) is None for f in above[-1]) else ((), ())


def _widened(fields: list[str], width: int) -> list[str]:
    """Return fields without the name of a last column that no line has values of, as LabVIEW's comment."""
    return fields[:width] if len(fields) == width + 1 and width > 1 else fields


def _told_apart(names: Sequence[str], comments: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return names, with the comments below them where several columns have the same one."""
    alike = {name for name in names if list(names).count(name) > 1}
    return tuple(
        " ".join([name, *(line[place] for line in comments if line[place])]) if name in alike else name
        for place, name in enumerate(names)
    )


def _commented(head: Sequence[tuple[int, str]], first: int, plain: Form, width: int) -> tuple[str, ...]:
    """Return the names in the comment right above the numbers, as numpy's savetxt writes them."""
    above = [text.strip() for number, text in head if number < first and text.strip()]
    if not above or not above[-1].startswith(COMMENT):
        return ()
    text = above[-1].lstrip("#%! ")
    fields = plain.split(text)
    if plain.mark == " " and len(fields) != width:  # a unit belongs to the name before it
        fields = re.split(r"\s+(?![(\[])", text)
    return (
        tuple(fields)
        if len(fields) == width and all(not f or plain.number(f) is None for f in fields)
        else ()
    )


def _renamed(form: Form, names: Sequence[str], path: Path) -> Form:
    """Return the form with names that a recipe gives for columns without a header; those with {n} repeat, n from 1."""
    if form.header:
        raise InputError(
            f"{path} has the header {', '.join(form.header)[:80]}, and the recipe is for a table without one"
        )
    plain = [name for name in names if "{n}" not in name]
    again = [name for name in names if "{n}" in name]
    rest = form.width - len(plain)
    if rest < 0 or (rest and not again) or (again and rest % len(again)):
        raise InputError(f"{path} has {form.width} columns, and the recipe names {', '.join(names)}")
    repeated = [
        name.replace("{n}", str(n))
        for n in range(1, 1 + (rest // len(again) if again else 0))
        for name in again
    ]
    return Form(form.mark, form.comma, (*plain, *repeated), (), form.first, form.width, form.tagged)


def _trimmed(fields: list[str]) -> list[str]:
    """Return fields without the empty last one that a separator at the end of a line makes."""
    return fields[:-1] if len(fields) > 2 and not fields[-1] else fields


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
