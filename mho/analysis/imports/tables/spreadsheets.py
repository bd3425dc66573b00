"""Sheets of spreadsheets in Office Open XML (ECMA-376, part 1, section 18), .xlsx, as lines of text."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

from mho.errors import InputError

MOST_BYTES = 1 << 30
"""Of a sheet, unpacked."""

LONGEST_GAP = 1000
"""Empty lines in a row that are handed on."""

_WORKBOOK = "xl/workbook.xml"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DATES = {*range(14, 23), *range(45, 48)}
"""Formats of dates and times that every spreadsheet has (ECMA-376, part 1, section 18.8.30)."""

_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)


def is_spreadsheet(path: Path) -> bool:
    """Return whether a file is a spreadsheet in Office Open XML."""
    try:
        with zipfile.ZipFile(path) as packed:
            return _WORKBOOK in packed.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


class SheetLines:
    """The lines of a sheet, fields apart by tabs; dates in ISO 8601.

    Parameters
    ----------
    sheet : str
        Its name; the only one that is not empty unless given.

    Raises
    ------
    InputError
        There is no such sheet, or several, or the file is damaged.
    """

    def __init__(self, path: Path, sheet: str = "") -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as packed:
                self._shared = _shared(packed)
                self._dates, self._epoch = _date_styles(packed), _epoch(packed)
                self._part = self._find(packed, sheet)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, ElementTree.ParseError) as error:
            raise self._damaged(error) from error

    def numbered(self, first: int) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines from `first` on, which counts from 1."""
        last = 0
        try:
            with zipfile.ZipFile(self._path) as packed:
                for number, fields in self._rows(packed, self._part):
                    for empty in range(max(last + 1, number - LONGEST_GAP), number):
                        if empty >= first:
                            yield empty, ""
                    last = number
                    if number >= first:
                        yield number, "\t".join(fields)
        except (
            OSError,
            KeyError,
            ValueError,
            IndexError,
            zipfile.BadZipFile,
            ElementTree.ParseError,
        ) as error:
            raise self._damaged(error) from error

    def _find(self, packed: zipfile.ZipFile, sheet: str) -> str:
        """Return the part of the archive that has the sheet."""
        parts = _sheets(packed)
        if sheet:
            if sheet not in parts:
                raise InputError(f"{self._path} has no sheet {sheet!r}; it has {', '.join(parts)}")
            return parts[sheet]
        filled = {name: part for name, part in parts.items() if next(self._rows(packed, part), None)}
        if len(filled) != 1:
            raise InputError(
                f"{self._path} has the sheets {', '.join(filled)}; say --dataset '{next(iter(filled))}'"
                if filled
                else f"{self._path} has no sheet with values"
            )
        return next(iter(filled.values()))

    def _rows(self, packed: zipfile.ZipFile, part: str) -> Iterator[tuple[int, list[str]]]:
        """Yield number and fields of the rows that a sheet has."""
        _check_size(self._path, packed, part)
        number = 0
        with packed.open(part) as raw:
            for _, row in ElementTree.iterparse(raw):
                if _tag(row) != "row":
                    continue
                number = int(row.get("r") or number + 1)
                fields: list[str] = []
                for cell in row:
                    place = _place(cell.get("r") or "", len(fields))
                    fields += [""] * (place - len(fields))
                    fields.append(self._text(cell))
                row.clear()
                if any(fields):
                    yield number, fields

    def _text(self, cell: ElementTree.Element) -> str:
        value = next((one for one in cell if _tag(one) in ("v", "is")), None)
        if value is None:
            return ""
        text = "".join(value.itertext())
        kind = cell.get("t", "n")
        if kind == "s":
            text = self._shared[int(text)]
        elif kind == "n" and int(cell.get("s") or 0) in self._dates and text:
            text = (self._epoch + timedelta(days=float(text))).isoformat(" ").removesuffix("+00:00")
        return " ".join(text.split())

    def _damaged(self, error: Exception) -> InputError:
        return InputError(f"spreadsheet {self._path} cannot be read: {error}; save the table in it as CSV")


def _sheets(packed: zipfile.ZipFile) -> dict[str, str]:
    """Return the parts of the archive that have the sheets, by their names."""
    targets = {
        one.get("Id"): one.get("Target", "")
        for one in ElementTree.fromstring(packed.read("xl/_rels/workbook.xml.rels"))
    }
    sheets = [one for one in ElementTree.fromstring(packed.read(_WORKBOOK)).iter() if _tag(one) == "sheet"]
    return {
        one.get("name", ""): "xl/" + targets[one.get(_RELATION)].removeprefix("/xl/").removeprefix("/")
        for one in sheets
    }


def _shared(packed: zipfile.ZipFile) -> list[str]:
    """Return the texts that cells name by their numbers."""
    part = "xl/sharedStrings.xml"
    if part not in packed.namelist():
        return []
    _check_size(Path(packed.filename or ""), packed, part)
    return [
        "".join(text.text or "" for text in one.iter() if _tag(text) == "t")
        for one in ElementTree.fromstring(packed.read(part))
    ]


def _date_styles(packed: zipfile.ZipFile) -> frozenset[int]:
    """Return the styles of cells that are dates or times."""
    if "xl/styles.xml" not in packed.namelist():
        return frozenset()
    root = ElementTree.fromstring(packed.read("xl/styles.xml"))
    own = {
        int(one.get("numFmtId", 0))
        for one in root.iter()
        if _tag(one) == "numFmt"
        and re.search("[ymdhs]", re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", one.get("formatCode", "").lower()))
    }
    formats = next((one for one in root if _tag(one) == "cellXfs"), ())
    return frozenset(n for n, one in enumerate(formats) if int(one.get("numFmtId", 0)) in _DATES | own)


def _epoch(packed: zipfile.ZipFile) -> datetime:
    """Return day 0, which is another in books of an old Macintosh."""
    root = ElementTree.fromstring(packed.read(_WORKBOOK))
    old = any(_tag(one) == "workbookPr" and one.get("date1904") in ("1", "true") for one in root)
    return datetime(1904, 1, 1, tzinfo=UTC) if old else _EPOCH


def _check_size(path: Path, packed: zipfile.ZipFile, part: str) -> None:
    size = packed.getinfo(part).file_size
    if size > MOST_BYTES:
        raise InputError(f"{path} has a part of {size / 1e9:.1f} GB; save the table in it as CSV")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _place(reference: str, following: int) -> int:
    """Return the column of a cell such as AB12, from 0; the one after the last where it does not say."""
    letters = reference.rstrip("0123456789")
    place = 0
    for letter in letters:
        place = 26 * place + ord(letter) - ord("A") + 1
    return min(place - 1, 1 << 14) if letters else following
