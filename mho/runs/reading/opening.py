"""Opens a run file for reading, and says in one sentence what is wrong with one that cannot be read."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mho.errors import RunFileError
from mho.runs.liveness import Writer
from mho.runs.reading.containment import check_contained, check_link, check_regular, link_kind
from mho.runs.reading.superblock import (
    SIGNATURE,
    SIZE,
    UnmarkedFile,
    check_superblock,
    has_mark,
    head_of,
    is_marked,
    unmarked,
)
from mho.runs.schema import SCHEMA_VERSION

DAMAGE = (
    OSError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""Exceptions of h5py on a file with wrong bytes or contents."""

ATTEMPTS = 5
PAUSE = 0.05
"""Number and interval (s) of further attempts to read a file that its writer may be changing."""


def items_of(group: h5py.Group | h5py.AttributeManager) -> list[tuple[str, Any]]:
    """Return the members of a group, or the attributes, by name.

    h5py's own iterators hold its lock until they end. One that an error has left half-way, kept by its traceback, would
    block HDF5 in all other threads.
    """
    return list(group.items())


def open_run_file(path: Path, *, whole: bool = True) -> h5py.File:
    """Open the run file at `path`: finished, being written, or left by a killed writer.

    Parameters
    ----------
    whole : bool
        Check that all data are its own. A caller that reads only a few datasets has these checked one by one, by
        `mho.runs.reading.record.OwnItems` or `mho.runs.reading.containment.open_text`, in a tenth of the time.

    Raises
    ------
    RunFileError
        There is no such file, it is no run file, is damaged, comes from a newer mho, or shows what is in other files.
    """
    file = open_hdf5(path, contained=False)
    try:
        _check_origin(path, file)
        if whole:
            check_contained(path, file)
    except BaseException:
        file.close()
        raise
    return file


def open_hdf5(path: Path, *, contained: bool = True) -> h5py.File:
    """Open any HDF5 file for reading, as `open_run_file` does; that it is one of mho's is not checked.

    Parameters
    ----------
    contained : bool
        Check that all data are its own.

    Raises
    ------
    RunFileError
        There is no such file, it is no HDF5 file, is damaged, or shows what is in other files.
    """
    try:
        check_regular(path)
        head = head_of(path)
    except OSError as error:
        raise RunFileError(f"run file {path} cannot be opened: {error.strerror}") from error
    if not head.startswith(SIGNATURE) and not h5py.is_hdf5(path):
        raise RunFileError(
            f"{path} is not an HDF5 file, or its beginning is damaged; name a run file written by mho"
        )
    with intact(path):
        file = _open_marked(path) if has_mark(head) else _open_plain(path)
    try:
        if contained:
            check_contained(path, file)
    except BaseException:
        file.close()
        raise
    return file


def _open_plain(path: Path) -> h5py.File:
    """Open a file that carries no mark, as ``h5py.File(path, "r", locking="best-effort")`` does, in half the time."""
    return h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, fapl=_access()))


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
    except BlockingIOError as error:
        raise RunFileError(
            f"run file {path} is locked by another program that writes to it; close it there and try again"
        ) from error
    except DAMAGE as error:
        raise RunFileError(f"run file {path} is damaged: {error}; restore it from a copy") from error
