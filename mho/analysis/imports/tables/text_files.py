"""Lines of text files: UTF-8, UTF-16 or Latin-1, also packed as .gz; what is no text is refused."""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mho.errors import InputError
from mho.input_files import check_ordinary

LONGEST_LINE = 1 << 24  # characters
PIECE = 1 << 16

_BINARY = {
    b"PK\x03\x04": "a spreadsheet or an archive", b"\x89HDF": "an HDF5 file", b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}  # fmt: skip


class TextLines:
    """The lines of a text file.

    Raises
    ------
    InputError
        The file cannot be read, or is no text.
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
