"""The superblock, the first bytes of a run file. It holds the writer's mark, which a killed writer leaves there.

HDF5 opens a marked file only in SWMR mode. There it retries for minutes or hours when metadata are damaged, as after a
power cut, since it takes them for half written. So a file whose writer is gone is read through `UnmarkedFile`, in the
ordinary mode, which reports damage at once.

Superblock version 3 (HDF5 File Format Specification, section II.A): signature 0-7, version 8, mark 11,
end of file 28-35, checksum 44-47, little-endian.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

FORMAT = "v110"
"""Version of the file format: the first with SWMR (1.10). Older libraries cannot read the choice of newer ones."""

SIZE = 48
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_VERSION_3 = SIGNATURE + b"\x03"
_MARK = 11
_END_OF_FILE = slice(28, 36)
_CHECKSUM = slice(44, 48)
_WORD = 0xFFFFFFFF


def is_marked(path: Path) -> bool:
    """Return whether the file at `path` carries a writer's mark."""
    return has_mark(head_of(path))


def head_of(path: Path) -> bytes:
    """Return the first bytes of the file at `path`: its superblock, where it is HDF5."""
    with path.open("rb", buffering=0) as file:
        return file.read(SIZE)


def has_mark(head: bytes) -> bool:
    """Return whether a superblock carries a writer's mark."""
    return len(head) == SIZE and head.startswith(_VERSION_3) and head[_MARK] != 0


def check_superblock(path: Path) -> None:
    """Raise `OSError` when the superblock of the file at `path` is damaged, which HDF5 in SWMR mode would wait out."""
    head = head_of(path)
    if int.from_bytes(head[_CHECKSUM], "little") != checksum(head[: _CHECKSUM.start]):
        raise OSError("the superblock does not agree with its checksum")


def unmarked(head: bytes, size: int) -> bytes:
    """Return the superblock `head` without mark, for a file of `size` bytes.

    The end of the file is renewed too, as the writer may have died before it could.
    """
    block = bytearray(head)
    block[_MARK] = 0
    block[_END_OF_FILE] = size.to_bytes(8, "little")
    block[_CHECKSUM] = checksum(bytes(block[: _CHECKSUM.start])).to_bytes(4, "little")
    return bytes(block)


class UnmarkedFile(io.FileIO):
    """A file opened for reading that shows its superblock without the mark; the file itself is not changed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r")
        self._head = unmarked(self.read(SIZE), os.fstat(self.fileno()).st_size)

    def readinto(self, buffer: Any) -> int:
        """Read bytes into `buffer`, as `io.FileIO.readinto`."""
        start = self.tell()
        count: int = super().readinto(buffer) or 0
        if start < SIZE and count:
            patch = self._head[start : start + count]
            memoryview(buffer).cast("B")[: len(patch)] = patch
        return count

    def __del__(self) -> None:
        # HDF5 lets go of the file without closing it.
        self.close()


def checksum(data: bytes) -> int:
    """Return the checksum HDF5 keeps of `data`: Bob Jenkins's lookup3, ``hashlittle`` from 0.

    Only whole words are treated, 44 bytes being all that is asked here.
    """
    words: tuple[int, ...] = struct.unpack(f"<{len(data) // 4}I", data)
    a = b = c = (0xDEADBEEF + len(data)) & _WORD
    while len(words) > 3:
        a, b, c = _mix((a + words[0]) & _WORD, (b + words[1]) & _WORD, (c + words[2]) & _WORD)
        words = words[3:]
    rest = (*words, 0, 0, 0)
    a, b, c = (a + rest[0]) & _WORD, (b + rest[1]) & _WORD, (c + rest[2]) & _WORD
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotate(b, turn)) & _WORD
        a, b, c = b, c, a
    return b


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turn in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _WORD) ^ _rotate(c, turn)
        c = (c + b) & _WORD
        a, b, c = b, c, a
    return a, b, c


def _rotate(word: int, turn: int) -> int:
    return ((word << turn) | (word >> (32 - turn))) & _WORD
