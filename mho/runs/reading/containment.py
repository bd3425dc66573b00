"""Checks that a run file holds its own data: nothing in other files, and no more rows than its bytes can hold.

HDF5 lets a file show data of other files (external links, external storage, virtual datasets) and declare more rows
than it holds, which read as fill values. mho writes neither, except arrays that are not filled in yet. With these checks
a malicious file can neither expose other files nor block its reader.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import h5py

from mho.errors import RunFileError

DAMAGED = (OSError, RuntimeError, LookupError, ValueError)
"""Exceptions of h5py's low-level calls on damage."""

EXPANSION = 1100
"""Bytes declared for each byte of the file; deflate packs at most 1032 into one."""

ROOM = 1 << 30
"""Bytes declared beside that: arrays that are not filled in yet."""

CHUNK_BYTES, CHUNK_ROOM = 16, 1 << 15
"""Bytes of the file that a chunk takes at least, with its place in the index; chunks declared beside that."""


DEEPEST = 32
"""Groups within each other; mho's own files have five."""


def check_regular(path: Path) -> None:
    """Refuse anything but an ordinary file before it is opened: opening a pipe would wait for a writer.

    Raises
    ------
    RunFileError
        When there is nothing, or a folder, a pipe, a device or a socket.
    OSError
        When the path cannot be examined.
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

    Raises
    ------
    RunFileError
        Naming the link or dataset.
    """
    root = h5py.h5g.open(file.id, b"/")
    declared = Declared(path, tell=False)
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

    def __init__(self, path: Path, *, tell: bool = True) -> None:
        self._path = path
        self._tell = tell
        self._bytes = self._chunks = 0

    def add(self, dataset: h5py.h5d.DatasetID) -> None:
        """Add a dataset, which is the file's own; errors as `check_contained`."""
        declared, chunks = _check_dataset(self._path, dataset)
        self._bytes, self._chunks = self._bytes + declared, self._chunks + chunks
        if self._tell and (self._bytes > ROOM or self._chunks > CHUNK_ROOM):
            self.check()

    def check(self) -> None:
        """Refuse a file that cannot hold all that was added."""
        _check_size(self._path, "it", self._bytes, self._chunks)


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
    if declared > ROOM or chunks > CHUNK_ROOM:
        _check_size(path, _name(dataset), declared, chunks)
    return declared, chunks


def _name(dataset: h5py.h5d.DatasetID) -> str:
    return (h5py.h5i.get_name(dataset) or b"a dataset").decode("utf-8", "replace")  # takes its time


def _check_size(path: Path, name: str, declared: int, chunks: int) -> None:
    size = os.stat(path).st_size
    if declared > EXPANSION * size + ROOM or chunks > size // CHUNK_BYTES + CHUNK_ROOM:
        raise RunFileError(
            f"run file {path} is damaged: {name} declares {declared / 1e9:.3g} GB in {chunks} chunks, and the file has "
            f"{size / 1e6:.3g} MB; restore it from a copy"
        )


def _links(path: Path, root: h5py.h5g.GroupID) -> list[tuple[bytes, int]]:
    """Return name and type of every link, those of a group once, whatever leads to it."""
    found: list[tuple[bytes, int]] = []

    def note(name: bytes, info: h5py.h5l.LinkInfo) -> bool | None:
        found.append((name, info.type))
        return True if _is_too_deep(name) else None  # True ends the visit, in which HDF5 fills the stack

    try:
        root.links.visit(note, info=True)
    except DAMAGED:
        found = list(_links_past_damage(root))
    if found and _is_too_deep(found[-1][0]):
        raise RunFileError(
            f"run file {path} is damaged: its groups lie more than {DEEPEST} deep within each other; restore it from a "
            "copy"
        )
    return found


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
