"""Recovers the file of a killed writer: turns it into an ordinary run file that every viewer opens."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np

from mho.errors import RunFileError
from mho.runs.conclusion import GOING_ON, Status
from mho.runs.integrity.seal import SEAL, Verdict, prepare_seal, verify, walk, write_seal
from mho.runs.reading.chunks import BLOCK_BYTES, create_growing, is_growing, read_torn
from mho.runs.reading.opening import DAMAGE, FORMAT, intact, items_of, open_run_file
from mho.runs.reading.record import RunRecord
from mho.runs.reading.text import decode, write_text
from mho.runs.writing.appending import Growing
from mho.runs.writing.live_file import RESERVE, abandon, plain_words
from mho.runs.writing.repacking import repack, replacement

GONE = "the process that wrote this file was gone before the run ended; recovered"


def recover(path: str | os.PathLike[str], reason: str = GONE) -> bool:
    """Replace an interrupted run file by a complete, closed and sealed one that records this.

    The data are copied into a new file beside it, the copy is verified, and then takes the place of the
    original in one step. Its status is *interrupted*, its end the writer's last sign of life; the columns of a
    table are cut to the rows that all have. Without that need nothing is done.

    Parameters
    ----------
    reason : str
        Reason for the end of the run, if known.

    Returns
    -------
    bool
        Whether there was anything to recover.

    Raises
    ------
    RunFileError
        The run goes on, the file is damaged, or there is no room for the copy; the original is then unchanged.
    """
    path = Path(path)
    with closing(open_run_file(path)) as source:
        record = RunRecord(path, source)
        if record.status in GOING_ON:
            raise RunFileError(f"run file {path} is still being written; recover it when its run is over")
        if not record.is_unclosed:
            return False
        _check_tree(path, source)
        _check_space(path, path.stat().st_size)
        with replacement(path) as draft:
            _write_copy(source, draft, path, reason)
            _check(draft, path)
            source.close()  # Windows replaces no open file
    with contextlib.suppress(RunFileError, *DAMAGE):  # it is whole without that
        repack(path)
    return True


def _check_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < size + RESERVE:
        raise RunFileError(
            f"run file {path} cannot be recovered: the copy needs {(size + RESERVE) / 1e6:.0f} MB and its disk has "
            f"{free / 1e6:.0f} MB left; free the disk, or recover a copy of the file elsewhere"
        )


def _check_tree(path: Path, source: h5py.File) -> None:
    """Refuse a file in which one group has several links: a copy by name would duplicate it."""
    with intact(path):
        strange = next((name for name, item in walk(source, lambda *_: None) if item is None), "")
    if strange:
        raise RunFileError(
            f"run file {path} cannot be recovered and stays as it is: {strange} is a link that mho did not write"
        )


def _write_copy(source: h5py.File, draft: Path, path: Path, reason: str) -> None:
    """Write all of `source` into a new file at `draft`, with outcome and seal."""
    try:
        target = h5py.File(draft, "w-", libver=FORMAT, locking="best-effort", rdcc_nbytes=0)
    except OSError as error:
        raise RunFileError(
            f"run file {path} cannot be recovered: no copy can be made beside it ({plain_words(error)})"
        ) from error
    try:
        digests = dict(_copy(source, target))
        _settle(target["entry"], reason)
        prepare_seal(target["entry"].create_group(SEAL.rpartition("/")[2], track_order=True))
        target[SEAL].attrs["NX_class"] = "NXcollection"
        write_seal(target, digests)
        target.close()
    except DAMAGE as error:
        abandon(target, draft, target)
        raise RunFileError(
            f"run file {path} cannot be recovered ({plain_words(error)}) and stays as it is; "
            "`mho verify` says what is damaged"
        ) from error


def _copy(source: h5py.Group, target: h5py.Group) -> Iterator[tuple[str, bytes]]:
    """Copy a group with all its members; yield the digest of each dataset that was written row by row."""
    for name, value in items_of(source.attrs):
        target.attrs[name] = value
    members = {name: item for name, item in items_of(source) if item.name != f"/{SEAL}"}
    length = min((len(item) for item in members.values() if is_growing(item)), default=0)
    for name, item in members.items():
        if isinstance(item, h5py.Group):
            yield from _copy(item, target.create_group(name, track_order=True))
        elif is_growing(item):
            dataset = _copy_rows(item, target, name, length)
            yield dataset.name, dataset.digest()
        else:
            source.copy(item, target, name)


def _copy_rows(source: h5py.Dataset, group: h5py.Group, name: str, length: int) -> Growing:
    expected = 2 * source.chunks[0] if source.chunks else 0  # so the copy has chunks of the same size
    target = create_growing(group, name, source.dtype, source.shape[1:], expected)
    for attribute, value in items_of(source.attrs):
        target.attrs[attribute] = value
    growing = Growing(target)
    row_bytes = source.dtype.itemsize * int(np.prod(source.shape[1:]))
    step = target.chunks[0] * max(1, BLOCK_BYTES // (row_bytes * target.chunks[0]))
    for start in range(0, length, step):
        growing.write(start, read_torn(source, start, min(start + step, length)))
    return growing


def _settle(entry: h5py.Group, reason: str) -> None:
    """Write how the run ended, if its writer could not."""
    if decode(entry["status"][()]) not in GOING_ON:
        return
    zone = datetime.fromisoformat(decode(entry["start_time"][()])).tzinfo
    end = datetime.fromtimestamp(float(entry["heartbeat"][()]), zone)
    write_text(entry["end_time"], end.isoformat(timespec="milliseconds"))
    write_text(entry["reason"], reason)
    write_text(entry["status"], Status.INTERRUPTED)


def _check(draft: Path, path: Path) -> None:
    verification = verify(draft)
    if verification.verdict is not Verdict.SOUND:
        raise RunFileError(
            f"run file {path} cannot be recovered and stays as it is: its copy is {verification.verdict} "
            f"({'; '.join(verification.findings)})"
        )
