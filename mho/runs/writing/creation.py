"""Atomic creation of a new run file, so that no reader finds a partial file.

It is laid out under a temporary name, switched to HDF5's single-writer-multiple-readers mode (SWMR) and only
then given its name.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from datetime import datetime
from pathlib import Path

import h5py

from mho.errors import RunFileError
from mho.runs.liveness import Writer
from mho.runs.reading.superblock import FORMAT
from mho.runs.schema import Layout, RunHeader
from mho.runs.writing import live_file
from mho.runs.writing.outcome import plain_words
from mho.runs.writing.structure import check_layout, lay_out


def create_run_file(path: Path, header: RunHeader, layout: Layout) -> h5py.File:
    """Create the run file at `path`, with its missing folders, and return it open for SWMR writing.

    Raises
    ------
    RunFileError
        The path exists, cannot be written, or header or layout do not fit a run file.
    """
    check_layout(layout)
    # Windows renames no open file: there the file has its name from the start.
    draft = path if os.name == "nt" else path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        if path.exists():
            raise _in_the_way(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_space(path)
        # HDF5 does not survive a write that fails while it lays out a file: it does so in memory.
        beginning = _laid_out(header, layout)
        try:
            with draft.open("xb") as new:
                new.write(beginning)
            # Without a cache of chunks, rows are in the file before the metadata that tell of them, and a write
            # that fails does so at once: what a reader sees has been written, whatever happens next.
            file = h5py.File(draft, "r+", libver=FORMAT, locking="best-effort", rdcc_nbytes=0)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        try:
            # Before the name, not after: SWMR gives up the lock with which a reader could get in the way.
            file.swmr_mode = True
            if draft != path:
                _publish(draft, path)
        except BaseException:
            file.close()
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RunFileError(
            f"run file {path} cannot be created: {plain_words(error)}; choose another place with --output"
        ) from error
    return file


def _laid_out(header: RunHeader, layout: Layout) -> bytes:
    """Return a run file without data, as bytes."""
    name = (
        f"run of thread {threading.get_ident()}"  # HDF5 knows open files by their names, those in memory too
    )
    with h5py.File(name, "w", driver="core", backing_store=False, libver=FORMAT, rdcc_nbytes=0) as file:
        lay_out(file, header, layout, Writer.this_process(), datetime.now().astimezone())
        file.flush()
        return bytes(file.id.get_file_image())


def _check_space(path: Path) -> None:
    """Refuse to start when the disk is so full that the run would stop at once."""
    free = shutil.disk_usage(path.parent).free
    if free < live_file.RESERVE:
        raise RunFileError(
            f"run file {path} cannot be created: its disk has {free / 1e6:.0f} MB left and a run needs "
            f"{live_file.RESERVE / 1e6:.0f} MB; free the disk or choose another place with --output"
        )


def _publish(draft: Path, path: Path) -> None:
    """Rename the laid-out file to its name; a file that was created under this name meanwhile is not replaced."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise _in_the_way(path) from None
    except OSError:
        # No hard links on this file system: rename, which would replace a file of that name.
        if path.exists():
            raise _in_the_way(path) from None
        draft.rename(path)
    else:
        draft.unlink()


def _in_the_way(path: Path) -> RunFileError:
    return RunFileError(f"run file {path} exists already and is never overwritten; choose another --output")
