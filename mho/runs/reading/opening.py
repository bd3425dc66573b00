"""Opens a run file for reading, and says in one sentence what is wrong with one that cannot be read.

HDF5 lets a file show data of other files and declare more rows than it holds. mho writes neither, so a file that does is
refused: it can neither expose other files nor block its reader.

HDF5 opens a marked file only in SWMR mode, and retries there for minutes or hours when metadata are damaged. So a file
whose writer is gone is read through `UnmarkedFile`, in the ordinary mode, which reports damage at once.

Superblock version 3 (HDF5 File Format Specification, section II.A): signature 0-7, version 8, mark 11,
end of file 28-35, checksum 44-47, little-endian.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache, wraps
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import h5py
import numpy as np

from mho import platforms
from mho.errors import RunFileError, os_errors_as
from mho.runs.liveness import Writer
from mho.runs.schema import SCHEMA_VERSION

Kind = TypeVar("Kind", bound=type)
# Version of the file format: the first with SWMR (1.10). Older libraries cannot read the choice of newer
# ones.
FORMAT = "v110"
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


DAMAGED = (OSError, RuntimeError, LookupError, ValueError)  # exceptions of h5py's low-level calls on damage
EXPANSION = 1100  # bytes declared for each byte of the file; deflate packs at most 1032 into one
ROOM = 1 << 30  # bytes declared beside that: arrays that are not filled in yet

# Bytes of the file that a chunk takes at least, with its place in the index; chunks declared beside that
CHUNK_BYTES, CHUNK_ROOM = 16, 1 << 15


DEEPEST = 32  # groups within each other; mho's own files have five


def check_regular(path: Path) -> None:
    """Refuse anything but an ordinary file before it is opened: opening a pipe would wait for a writer.

    `RunFileError` when there is nothing, or a folder, a pipe, a device or a socket; `OSError` when the path
    cannot be examined.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise RunFileError(f"there is no run file {path}; check the path") from None
    except ValueError:  # a NUL within it
        raise RunFileError(f"{str(path)!r} is no path of a file; check the path") from None
    if stat.S_ISDIR(mode):
        raise RunFileError(f"{path} is a folder; name a run file in it")
    if not stat.S_ISREG(mode):
        raise RunFileError(f"{path} is a pipe, a device or a socket, no file; name a run file written by mho")


def check_contained(path: Path, file: h5py.File) -> None:
    """Refuse a file that shows what is in another one, or declares more than it can hold.

    What is damaged is left to who reads it.

    `RunFileError` naming the link or dataset.
    """
    root = h5py.h5g.open(file.id, b"/")
    declared = Declared(path)
    for name, kind in _links(path, root):
        check_link(path, name, kind)
        if kind == h5py.h5l.TYPE_HARD:
            with contextlib.suppress(*DAMAGED):
                item = h5py.h5o.open(root, name)
                if isinstance(item, h5py.h5d.DatasetID):
                    declared.add(item)
    declared.check()


class Declared:
    """What the datasets of a file declare together, in bytes and chunks: no more than the file can hold."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = self._chunks = 0

    def add(self, dataset: h5py.h5d.DatasetID) -> None:
        """Add a dataset, which is the file's own; errors as `check_contained`."""
        declared, chunks = _check_dataset(self._path, dataset)
        self._bytes, self._chunks = self._bytes + declared, self._chunks + chunks

    def check(self) -> None:
        """Refuse a file that cannot hold all that was added."""
        _check_size(self._path, lambda: "it", self._bytes, self._chunks)


def open_text(path: Path, group: h5py.h5g.GroupID, name: bytes) -> h5py.h5d.DatasetID:
    """Open the dataset of a text, if it is the file's own; how much it declares is checked by `reading.text.read_text`."""
    check_link(path, name, group.links.get_info(name).type)
    dataset = h5py.h5d.open(group, name)
    check_values(path, dataset)
    return dataset


def link_kind(group: h5py.h5g.GroupID, name: bytes) -> int | None:
    """Return what kind of link a group has of a name, or along a path; None where there is none.

    The groups on the way are there.
    """
    try:
        return int(group.links.get_info(name).type)
    except RuntimeError:  # asking first whether it exists takes twice the time where it does
        if group.links.exists(name):
            raise
        return None


def check_link(path: Path, name: bytes, kind: int) -> None:
    """Refuse a link of a `kind` that leads out of the file."""
    if kind not in (h5py.h5l.TYPE_HARD, h5py.h5l.TYPE_SOFT):
        raise RunFileError(
            f"run file {path} is not read: {name.decode('utf-8', 'replace')} is a link into another file, which mho never "
            "writes"
        )


def check_values(path: Path, dataset: h5py.h5d.DatasetID) -> h5py.h5p.PropDCID:
    """Refuse a dataset whose values are in another file; return the properties that it was created with."""
    properties = dataset.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count():
        raise RunFileError(
            f"run file {path} is not read: the values of {_name(dataset)} are in another file, where mho never puts them"
        )
    return properties


def _check_dataset(path: Path, dataset: h5py.h5d.DatasetID) -> tuple[int, int]:
    """Refuse a dataset whose values are in another file, or beyond all size; return its bytes and chunks."""
    properties = check_values(path, dataset)
    shape = dataset.shape or ()
    declared = math.prod(shape) * dataset.get_type().get_size()
    chunks = 0
    if properties.get_layout() == h5py.h5d.CHUNKED:
        cut = properties.get_chunk()
        chunks = math.prod(-(-length // step) for length, step in zip(shape, cut, strict=True))
    _check_size(path, lambda: _name(dataset), declared, chunks)
    return declared, chunks


def _name(dataset: h5py.h5d.DatasetID) -> str:
    return (h5py.h5i.get_name(dataset) or b"a dataset").decode("utf-8", "replace")  # takes its time


def _check_size(path: Path, name: Callable[[], str], declared: int, chunks: int) -> None:
    if declared <= ROOM and chunks <= CHUNK_ROOM:
        return  # in a file of any size
    size = os.stat(path).st_size
    if declared > EXPANSION * size + ROOM or chunks > size // CHUNK_BYTES + CHUNK_ROOM:
        raise RunFileError(
            f"run file {path} is damaged: {name()} declares {declared / 1e9:.3g} GB in {chunks} chunks, and the file has "
            f"{size / 1e6:.3g} MB; restore it from a copy"
        )


def _links(path: Path, root: h5py.h5g.GroupID) -> list[tuple[bytes, int]]:
    """Return name and type of every link, those of a group once, whatever leads to it."""
    result: list[tuple[bytes, int]] = []

    def note(name: bytes, info: h5py.h5l.LinkInfo) -> bool | None:
        result.append((name, info.type))
        return True if _is_too_deep(name) else None  # True ends the visit, in which HDF5 fills the stack

    try:
        root.links.visit(note, info=True)
    except DAMAGED:
        result = list(_links_past_damage(root))
    if result and _is_too_deep(result[-1][0]):
        raise RunFileError(
            f"run file {path} is damaged: its groups lie more than {DEEPEST} deep within each other; restore it from a "
            "copy"
        )
    return result


def _is_too_deep(name: bytes) -> bool:
    return name.count(b"/") >= DEEPEST


def _links_past_damage(root: h5py.h5g.GroupID) -> Iterator[tuple[bytes, int]]:
    """Yield name and type of each link that can be read, down to the first that lies too deep."""
    waiting, seen = [(b"", root)], set()
    while waiting:
        above, group = waiting.pop()
        names: list[bytes] = []
        with contextlib.suppress(*DAMAGED):
            address = h5py.h5o.get_info(group).addr
            names = [] if address in seen else [bytes(name) for name in group]
            seen.add(address)
        for name in names:
            with contextlib.suppress(*DAMAGED):
                kind = group.links.get_info(name).type
                yield above + name, kind
                member = h5py.h5o.open(group, name) if kind == h5py.h5l.TYPE_HARD else None
                if _is_too_deep(above + name):
                    return
                if isinstance(member, h5py.h5g.GroupID):
                    waiting.append((above + name + b"/", member))


DAMAGE = (*DAMAGED, TypeError, AttributeError, OverflowError, MemoryError)  # and those of its high-level ones
ATTEMPTS, PAUSE = 5, 0.05  # attempts at a file that its writer may be changing, and their interval, s


def items_of(group: h5py.Group | h5py.AttributeManager) -> list[tuple[str, Any]]:
    """Return the members of a group, or the attributes, by name.

    h5py's own iterators hold its lock until they end. One that an error has left half-way, kept by its traceback, would
    block HDF5 in all other threads.
    """
    return list(group.items())


def open_run_file(path: Path, *, whole: bool = True) -> h5py.File:
    """Open the run file at `path`: finished, being written, or left by a killed writer.

    `whole`: check that all data are its own. A caller that reads only a few datasets has these checked one by
        one, by `mho.runs.reading.record.OwnItems` or `open_text`, in a tenth of the time.
    `RunFileError` where there is no such file, it is no run file, is damaged, comes from a newer mho, or
    shows what is in other files.
    """
    return _opened(path, _check_origin, *[check_contained] * whole)


def open_hdf5(path: Path) -> h5py.File:
    """Open any HDF5 file for reading, as `open_run_file` does; that it is one of mho's is not checked.

    `RunFileError` where there is no such file, it is no HDF5 file, is damaged, or shows what is in other
    files.
    """
    return _opened(path, check_contained)


def _opened(path: Path, *checks: Callable[[Path, h5py.File], None]) -> h5py.File:
    with os_errors_as(RunFileError, f"run file {path} cannot be opened"):
        check_regular(path)
        head = head_of(path)
    if not head.startswith(SIGNATURE) and not h5py.is_hdf5(path):
        raise RunFileError(
            f"{path} is not an HDF5 file, or its beginning is damaged; name a run file written by mho"
        )
    with intact(path):
        if has_mark(head):
            file = _open_marked(path)
        else:  # as ``h5py.File(path, "r", locking="best-effort")``, in half the time
            file = h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, fapl=_access()))
    try:
        for check in checks:
            check(path, file)
    except BaseException:
        file.close()
        raise
    return file


@lru_cache(maxsize=1)
def _access() -> h5py.h5p.PropFAID:
    """Return how HDF5 opens a file, made once for thousands of them."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_LATEST)
    access.set_file_locking(True, ignore_when_disabled=True)
    return access


def _open_marked(path: Path) -> h5py.File:
    """Open a file that carries a writer's mark: live while the writer lives, as it was left otherwise."""
    for attempt in range(ATTEMPTS):
        try:
            left = h5py.File(UnmarkedFile(path), "r")
            if not writer_of(left["entry"]).lives(float(left["entry/heartbeat"][()]), time.time()):
                return left
            left.close()
            check_superblock(path)
            break
        except DAMAGE:
            # A living writer may be in the middle of a flush; damage stays.
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE)
    return h5py.File(path, "r", swmr=True, locking="best-effort")


def clear_writer_flag(path: str | os.PathLike[str]) -> None:
    """Remove a killed writer's mark from a run file, so that viewers without SWMR can open it.

    mho itself needs no mended files; the run stays interrupted. Without a mark nothing is done.

    Raises
    ------
    RunFileError
        When the file is still being written, or cannot be opened.
    """
    path = Path(path)
    with contextlib.closing(open_run_file(path)) as file:
        if file.swmr_mode:
            raise RunFileError(
                f"run file {path} is still being written; its flag can be cleared when its run is over"
            )
    if is_marked(path):
        with path.open("r+b") as raw:
            head = raw.read(SIZE)
            raw.seek(0)
            raw.write(unmarked(head, path.stat().st_size))


def writer_of(entry: h5py.Group) -> Writer:
    """Return the process that a run file names as its writer."""
    writer = entry["writer"]
    host = bytes(writer["host"][()]).decode("utf-8")
    birth = bytes(writer["process_birth"][()]).decode("utf-8") if "process_birth" in writer else ""
    return Writer(host, int(writer["pid"][()]), float(writer["process_start"][()]), birth)


def _check_origin(path: Path, file: h5py.File) -> None:
    with intact(path):
        if not h5py.h5a.exists(file.id, b"mho_schema"):
            raise RunFileError(
                f"{path} is an HDF5 file, but no run file of mho; name one that mho has written"
            )
        schema = schema_of(file)
        if schema > SCHEMA_VERSION:
            raise RunFileError(
                f"run file {path} has schema {schema}, this mho reads up to {SCHEMA_VERSION}; update mho"
            )
        kind = link_kind(file.id, b"entry")
        if kind is None:
            raise RunFileError(f"run file {path} is damaged: it has no entry; restore it from a copy")
        check_link(path, b"entry", kind)


def schema_of(file: h5py.File) -> int:
    """Return the schema that a run file names."""
    stored = h5py.h5a.open(file.id, b"mho_schema")
    if stored.shape != () or stored.get_type().get_class() != h5py.h5t.INTEGER:
        raise ValueError("its schema is no whole number")
    value = np.empty((), np.int64)
    stored.read(value, h5py.h5t.NATIVE_INT64)
    return int(value)


@contextlib.contextmanager
def intact(path: Path) -> Iterator[None]:
    """Turn what h5py raises while reading `path` into `RunFileError`."""
    try:
        yield
    except DAMAGE as error:
        if platforms.here.is_locked(error):
            raise RunFileError(
                f"run file {path} is locked by another program that writes to it; close it there and try again"
            ) from error
        raise RunFileError(f"run file {path} is damaged: {error}; restore it from a copy") from error


def intact_members(kind: Kind) -> Kind:
    """Let every public member of a class that has a `path` turn what h5py raises into `RunFileError`, as `intact`."""
    for name, member in list(vars(kind).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, FunctionType):
            setattr(kind, name, _intact_member(member))
        elif isinstance(member, cached_property):
            member.func = _intact_member(member.func)
        elif isinstance(member, property) and member.fget is not None:
            setattr(kind, name, property(_intact_member(member.fget), doc=member.__doc__))
    return kind


def _intact_member(read: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(read)
    def within(self: Any, *given: Any, **named: Any) -> Any:
        try:
            with intact(self.path):
                return read(self, *given, **named)
        except RunFileError:
            signature(read).bind(self, *given, **named)  # a call that does not fit is no damage: TypeError
            raise

    return within
