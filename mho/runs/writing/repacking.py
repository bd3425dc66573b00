"""Repacks the file of a finished run: the reserve for growth is most of a short run's file."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mho import platforms
from mho.errors import RunFileError
from mho.runs.integrity import seal
from mho.runs.reading.chunks import BLOCK_BYTES, is_growing
from mho.runs.reading.opening import FORMAT


@contextlib.contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """Yield the path of a draft beside the file at `path`; after the block the draft replaces the file.

    `RunFileError` where the file changed meanwhile or cannot be replaced; it is then unchanged, as it is
    after whatever the block raises.
    """
    before = path.stat()
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield draft
        shutil.copymode(path, draft)
        if (now := path.stat()).st_mtime_ns != before.st_mtime_ns or now.st_size != before.st_size:
            raise RunFileError(f"run file {path} was changed meanwhile, and is left alone; try again")
        _replace(draft, path)
    finally:
        with contextlib.suppress(OSError):  # the original error matters more than a failed clean-up
            draft.unlink(missing_ok=True)


def _replace(draft: Path, path: Path) -> None:
    try:
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        platforms.here.replace(draft, path)
    except OSError as error:
        raise RunFileError(
            f"run file {path} cannot be replaced by its copy ({error.strerror}); close it in other programs"
        ) from error


LARGEST = 1 << 22  # size of the largest file that is repacked, bytes

# Largest size of data stored in their dataset's object header, whose checksum HDF5 also checks
COMPACT_BYTES = 256
TEXT_BYTES = 1024  # room of a text from which on it is cut to what it takes

# Groups of the entry without such texts, and in which nothing grows
COPIED_WHOLE = ("writer", "procedure", "arrays", "seal")
# Of a chunk, before it is compressed: twice as much as while it is written anew at every flush
CHUNK_BYTES = 32 * 1024
LEVEL = 6  # of deflate: what is packed is small, and written once


def repack(path: Path) -> bool:
    """Replace the closed and sealed run file at `path` by a smaller one that holds the same groups, values, attributes.

    Return whether it was replaced: a large one is not.

    `RunFileError` where the copy is not sound, or cannot take the file's place; the file is then unchanged;
    `OSError`, `RuntimeError` where HDF5 cannot copy it; the file is then unchanged.
    """
    if path.stat().st_size > LARGEST:
        return False
    with replacement(path) as draft:
        with closing(h5py.File(path, "r", locking="best-effort")) as file:
            image = _packed(path, file)
        with draft.open("xb") as new:
            new.write(image)
    return True


def _packed(path: Path, file: h5py.File) -> bytes:
    """Return a packed copy of a run file, as bytes, checked against the seal of the file."""
    with (
        closing(_in_memory(f"{path}, rewritten")) as rewritten,
        closing(_in_memory(f"{path}, packed")) as packed,
    ):
        seal.renew_seal(file, rewritten, dict(_copy(file, rewritten)))
        # HDF5 leaves out, where it copies itself, the room to spare in object headers.
        _copy_attributes(rewritten, packed)
        rewritten.copy("entry", packed)
        packed.flush()
        differences: list[str] = []
        differences += seal.changes(
            packed, seal.read_seal(packed), lambda where, error: differences.append(f"{where}: {error}")
        )
        if differences:
            raise RunFileError(
                f"run file {path} stays as it is: its copy is another one ({'; '.join(differences)})"
            )
        return bytes(packed.id.get_file_image())


def _in_memory(name: str) -> h5py.File:
    # HDF5 knows open files by their names, those in memory too
    return h5py.File(f"{name} {secrets.token_hex(8)}", "w", driver="core", backing_store=False, libver=FORMAT)


def _copy_attributes(source: h5py.HLObject, target: h5py.HLObject) -> None:
    for index in range(h5py.h5a.get_num_attrs(source.id)):
        copy_attribute(h5py.h5a.open(source.id, index=index), target)


def copy_attribute(attribute: h5py.h5a.AttrID, target: h5py.HLObject) -> None:
    """Copy an attribute, with the type that it has."""
    kind, space = attribute.get_type(), attribute.get_space()
    values = np.empty(space.shape, kind.dtype)
    attribute.read(values)
    h5py.h5a.create(target.id, attribute.name, kind, space).write(values)


def _copy(source: h5py.Group, target: h5py.Group) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Copy all in a group, in its order; yield path and digests, before and after, of datasets stored in another way."""
    _copy_attributes(source, target)
    for name in list(source.id):
        item = h5py.h5o.open(source.id, name)
        if isinstance(item, h5py.h5g.GroupID) and name.decode() not in COPIED_WHOLE:
            yield from _copy(h5py.Group(item), seal.create_group(target, name.decode()))
        elif isinstance(item, h5py.h5d.DatasetID) and _has_room_to_spare(dataset := h5py.Dataset(item)):
            values = np.asarray(dataset[()])
            attributes = seal.attributes_text(item)
            before = seal.values_digest(values, dataset.chunks and dataset.chunks[0])
            copy, now = _write(values, target, name.decode())
            _copy_attributes(dataset, copy)
            yield (
                dataset.name,
                (
                    seal.dataset_digest(attributes, item, before),
                    seal.dataset_digest(attributes, copy.id, now),
                ),
            )
        else:
            h5py.h5o.copy(source.id, name, target.id, name)


def _has_room_to_spare(dataset: h5py.Dataset) -> bool:
    long_text = dataset.dtype.kind == "S" and dataset.dtype.itemsize >= TEXT_BYTES
    return (long_text or is_growing(dataset)) and dataset.size * dataset.dtype.itemsize <= BLOCK_BYTES


def _write(values: NDArray[Any], group: h5py.Group, name: str) -> tuple[h5py.Dataset, bytes]:
    """Write values into the least room; return the dataset, and the digest of what was written."""
    if values.dtype.kind == "S":
        longest = int(np.char.str_len(values).max(initial=1))
        values = values.astype(h5py.string_dtype("utf-8", longest))
    if values.nbytes <= COMPACT_BYTES or not values.shape:
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        return group.create_dataset(name, data=values, dcpl=compact), seal.values_digest(values, None)
    rows = min(max(1, CHUNK_BYTES * len(values) // values.nbytes), len(values))
    filters = _filters(values[:rows].tobytes(), values.dtype.itemsize)
    dataset = group.create_dataset(name, data=values, chunks=(rows, *values.shape[1:]), **filters)
    return dataset, seal.values_digest(values, rows)


def _filters(sample: bytes, item_bytes: int) -> dict[str, Any]:
    """Return the filters that pack data such as `sample` best: shuffled, what repeats in a table may not be found."""
    shuffled = np.frombuffer(sample, np.uint8).reshape(-1, item_bytes).T.tobytes()
    shuffle = len(zlib.compress(shuffled, LEVEL)) < len(zlib.compress(sample, LEVEL))
    return {"shuffle": shuffle, "compression": "gzip", "compression_opts": LEVEL, "fletcher32": True}
