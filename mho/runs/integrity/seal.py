"""The seal of a run file, a digest of every group and dataset that is written last, and its verification.

It reveals changes by other programs, accidental or well-meant. It is no signature: a changed file can be sealed again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.errors import RunFileError
from mho.runs.conclusion import GOING_ON, Status
from mho.runs.index.card import read_card
from mho.runs.reading.chunks import BLOCK_BYTES, create_array, damaged_rows
from mho.runs.reading.conformance import malformed
from mho.runs.reading.opening import DAMAGE, intact, open_run_file
from mho.runs.reading.record import RunRecord

Unreadable = Callable[[str, Exception], None]  # called with the path of an unreadable item, and the reason

Identifier: TypeAlias = h5py.h5g.GroupID | h5py.h5d.DatasetID


def create_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that remembers the order of its members; without an index of it, which takes half a kB.

    Nor does it keep when it was made: a copy has the same bytes whenever it is made.
    """
    properties = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    properties.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
    properties.set_obj_track_times(False)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=properties))


def walk(file: h5py.File, unreadable: Unreadable) -> Iterator[tuple[str, Identifier | None]]:
    """Yield everything in `file`, each with its path; None where a link is broken, or leads to a group again.

    `unreadable`: called for damage, which is then skipped. h5py's objects take four times as long as its identifiers.
    """
    return _walk("/", file.id, unreadable, set())


def _walk(
    path: str, item: Identifier, unreadable: Unreadable, seen: set[int]
) -> Iterator[tuple[str, Identifier | None]]:
    """Walk on from `item`, which is at `path`.

    `seen` are the addresses of the visited groups: mho writes no second link to a group, which could form a cycle or double
    the number of paths at every level.
    """
    if not isinstance(item, h5py.h5g.GroupID):
        yield path, item
        return
    address = h5py.h5o.get_info(item).addr
    if address in seen:
        yield path, None
        return
    seen.add(address)
    yield path, item
    try:
        names = list(item)
    except DAMAGE as error:
        unreadable(path, error)
        return
    for name in names:
        below = f"{path.rstrip('/')}/{name.decode('utf-8', 'surrogateescape')}"
        try:
            member = h5py.h5o.open(item, name)
        except DAMAGE as error:
            if item.links.get_info(name).type == h5py.h5l.TYPE_HARD:
                unreadable(below, error)
            else:  # mho writes no such links: it was added
                yield below, None
            continue
        yield from _walk(below, member, unreadable, seen)


SEAL = "entry/seal"
SEALED_SINCE = 2  # the schema
DIGEST_BYTES = 64


def prepare_seal(seal: h5py.Group) -> None:
    """Create the seal's dataset after all others: SWMR allows no new object later."""
    paths = [b"/"]
    seal.file.visit(lambda name: paths.append(f"/{name}".encode()))
    paths.remove(f"/{SEAL}".encode())
    for name, values, size, meaning in (
        ("path", paths, max(map(len, paths)), "groups and datasets, their attributes included"),
        ("sha256", [b""] * len(paths), DIGEST_BYTES, "their digests; empty until the run has ended"),
    ):
        dataset = create_array(seal, name, np.array(values, h5py.string_dtype("utf-8", size)))
        dataset.attrs["long_name"] = meaning


def write_seal(file: h5py.File, known: Mapping[str, bytes]) -> None:
    """Write the digest of everything in `file`.

    `known`: `data_digest` of the datasets that need not be read again, by path.
    """
    paths = [path.decode() for path in file[SEAL]["path"][()]]
    digests = [_digest(h5py.h5o.open(file.id, path.encode()), known.get(path)) for path in paths]
    target = file[SEAL]["sha256"]
    target[...] = np.array(digests, target.dtype)


def renew_seal(source: h5py.File, copy: h5py.File, stored: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Update the seal of a copied file with the digests of datasets that the copy stores in another layout.

    `stored`: the digests of each such dataset as it was read, and as it was written, by path.
    `RunFileError` where what was read is not what the seal was made of.
    """
    seal = read_seal(source)
    for path, (before, now) in stored.items():
        if seal.get(path) != before:
            raise RunFileError(
                f"run file {source.filename} stays as it is: {path} does not agree with its seal"
            )
        seal[path] = now
    target = copy[SEAL]["sha256"]
    target[...] = np.array(list(seal.values()), target.dtype)


def read_seal(file: h5py.File) -> dict[str, bytes]:
    """Return the digest of each path, as the writer left them; nothing where a seal is missing or not filled in whole."""
    try:
        seal = file[SEAL]
        paths, digests = seal["path"][()].tolist(), seal["sha256"][()].tolist()
        result = {path.decode(): digest for path, digest in zip(paths, digests, strict=True)}
        return result if all(len(digest) == DIGEST_BYTES for digest in digests) else {}
    except DAMAGE:
        return {}


def changes(file: h5py.File, seal: Mapping[str, bytes], unreadable: Unreadable) -> list[str]:
    """Return what was changed in a file since its `seal` was written, one sentence each.

    Unreadable items are passed to `unreadable`, with their paths, and not compared.
    """
    sealed = dict(seal)
    result = []

    def lost(path: str, error: Exception) -> None:
        for name in [name for name in sealed if f"{name}/".startswith(f"{path}/")]:
            del sealed[name]
        unreadable(path, error)

    for path, item in walk(file, lost):
        if path in (f"/{SEAL}", f"/{SEAL}/path", f"/{SEAL}/sha256"):
            continue
        before = sealed.pop(path, None)
        try:
            if before is None or item is None:
                result.append(f"{path} was {'added' if before is None else 'changed'}")
            elif _digest(item) != before:
                result.append(f"{path} was changed")
        except DAMAGE as error:
            unreadable(path, error)
    return result + [f"{path} is missing" for path in sealed]


def data_digest(dataset: h5py.h5d.DatasetID) -> bytes:
    """Return the SHA-256 of a dataset's values; of one in chunks, that of its chunks' SHA-256s.

    Chunks are counted along the first axis, and only values count that the dataset has.
    """
    shape, dtype = dataset.shape, dataset.dtype
    if shape is None:  # a null dataspace, which mho never writes
        return hashlib.sha256().digest()
    chunk: tuple[int, ...] = ()
    if shape:  # asking how a single value is stored takes as long as reading it
        layout = dataset.get_create_plist()
        chunk = layout.get_chunk() if layout.get_layout() == h5py.h5d.CHUNKED else ()
    rows = chunk[0] if chunk else None
    if rows is None or math.prod(shape) * dtype.itemsize <= BLOCK_BYTES:
        values = np.zeros(shape, dtype)  # dataset[()] takes six times as long
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        return values_digest(np.asarray(values[()]), rows)  # a single text counts without what pads it
    if shape == (1,) and dtype.kind == "S":
        return _text_digest(dataset, layout)
    step = rows * max(1, BLOCK_BYTES // (math.prod(chunk) * dtype.itemsize))
    digests, by_rows = bytearray(), h5py.Dataset(dataset)
    for start in range(0, shape[0], step):
        block = by_rows[start : start + step]
        for first in range(0, len(block), rows):
            digests += hashlib.sha256(block[first : first + rows].tobytes()).digest()
    return hashlib.sha256(digests).digest()


_last_text: dict[tuple[Any, ...], bytes] = {}


def _text_digest(dataset: h5py.h5d.DatasetID, layout: h5py.h5p.PropDCID) -> bytes:
    """Return the `data_digest` of a text with room for megabytes.

    They are not unpacked again where the file stores the same bytes, for the same filters, as the file before.
    """
    filters = (layout.get_filter(index) for index in range(layout.get_nfilters()))
    stored = (dataset.read_direct_chunk((0,)), dataset.dtype, *filters)
    digest = _last_text.get(stored) or values_digest(h5py.Dataset(dataset)[()], 1)
    _last_text.clear()
    _last_text[stored] = digest
    return digest


def values_digest(values: NDArray[Any], rows: int | None) -> bytes:
    """Return the `data_digest` of a dataset that has these values, in chunks of so many rows, or in none."""
    if rows is None:
        return hashlib.sha256(values.tobytes()).digest()
    pieces = (values[start : start + rows].tobytes() for start in range(0, len(values), rows))
    return hashlib.sha256(b"".join(hashlib.sha256(piece).digest() for piece in pieces)).digest()


def _digest(item: Identifier, data: bytes | None = None) -> bytes:
    attributes = attributes_text(item)
    if isinstance(item, h5py.h5d.DatasetID):
        return dataset_digest(attributes, item, data or data_digest(item))
    return hashlib.sha256(attributes).hexdigest().encode()


def dataset_digest(attributes: bytes, dataset: h5py.h5d.DatasetID, data: bytes) -> bytes:
    """Return the digest of a dataset that has these attributes, as `attributes_text`, and this `data_digest`."""
    kind = f"{dataset.dtype.str}{dataset.shape}".encode()
    return hashlib.sha256(attributes + kind + data).hexdigest().encode()


_JSON = json.JSONEncoder(default=repr)


def attributes_text(item: Identifier) -> bytes:
    """Return the attributes as JSON, in the order of the names; ``attrs`` of `h5py.Group` takes twice the time."""
    result = {}
    for index in range(h5py.h5a.get_num_attrs(item)):
        attribute = h5py.h5a.open(item, index=index)
        values = np.empty((0,) if attribute.shape is None else attribute.shape, attribute.dtype)
        attribute.read(values)
        result[attribute.name.decode("utf-8", "surrogateescape")] = values.tolist()
    return _JSON.encode(result).encode()


# Items in the entry of every run file
NEEDED = (
    "title", "start_time", "end_time", "status", "reason", "heartbeat", "writer/host", "writer/pid",
    "writer/process_start", "procedure/name", "procedure/version", "procedure/parameters", "bench/file", "chip/map",
    "chip/cells", "provenance", "maps", "arrays", "log/time", "log/level", "log/message",
)  # fmt: skip


class Verdict(StrEnum):
    """The state of a run file: the worst finding decides."""

    SOUND = "sound"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    CHANGED = "changed"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Verification:
    """The findings about one file.

    Attributes
    ----------
    status : str
        How the run stands, see `mho.runs.Status`; "" when the file does not tell.
    findings : tuple of str
        What is wrong, or worth knowing, one sentence each.
    """

    path: Path
    verdict: Verdict
    status: str = ""
    findings: tuple[str, ...] = ()


def verify(path: str | os.PathLike[str]) -> Verification:
    """Read a whole run file and check whether it is intact; the file is not changed.

    Everything is read, so that every checksum is checked, and compared with the seal of the writer. A file that is no run
    file, or that this mho cannot read, is UNREADABLE; no error is raised.
    """
    path = Path(path)
    try:
        file = open_run_file(path)
    except RunFileError as error:
        return Verification(path, Verdict.UNREADABLE, findings=(str(error),))
    with closing(file):
        try:
            record = RunRecord(path, file)
            status = record.status
            if status in GOING_ON:
                note = "it is being written; verify it when its run is over"
                return Verification(path, Verdict.RUNNING, status, (note,))
            with intact(path):
                return _verified(record, file, status)
        except RunFileError as error:
            return Verification(path, Verdict.DAMAGED, findings=(str(error),))


def bytes_to_verify(path: str | os.PathLike[str]) -> int:
    """Return how many bytes `verify` would read of the file at `path`: its data as they are when unpacked.

    `RunFileError` where it is no run file, or damaged.
    """
    path = Path(path)
    with closing(open_run_file(path)) as file, intact(path):
        result = (item for _, item in walk(file, lambda *_: None))
        return sum(int(h5py.Dataset(item).nbytes) for item in result if isinstance(item, h5py.h5d.DatasetID))


def _verified(record: RunRecord, file: h5py.File, status: Status) -> Verification:
    path, unclosed = record.path, record.is_unclosed
    damage: list[str] = []

    def unreadable(where: str, error: Exception) -> None:
        damage.append(f"{where} cannot be read: {error}".replace("\n", " "))

    def unreadable_rows(where: str, error: Exception) -> None:
        rows = damaged_rows(file[where], lenient=unclosed) if _is_dataset(file, where) else []
        damage.extend(rows)
        if not rows:
            unreadable(where, error)

    # A writer seals, then says how the run ended, then closes: what it could not close need not fit its seal.
    seal = {} if unclosed else read_seal(file)
    if seal:
        altered = changes(file, seal, unreadable_rows)
    else:
        altered = []
        seen = set()
        for name, item in walk(file, unreadable):
            seen.add(name)
            if isinstance(item, h5py.h5d.DatasetID):
                damage.extend(damaged_rows(h5py.Dataset(item), lenient=unclosed))
        if not damage:  # else it lies below what is damaged
            damage = [f"/entry/{name} is missing" for name in NEEDED if f"/entry/{name}" not in seen]
        if not unclosed and (SEAL in file or int(file.attrs["mho_schema"]) >= SEALED_SINCE):
            altered = [f"/{SEAL} is missing or not filled in, so that other changes cannot be told"]
    if not damage and not altered:
        damage = [*malformed(file["entry"]), *_unreadable_facts(record)]
    if damage or altered:
        verdict = Verdict.DAMAGED if damage else Verdict.CHANGED
        return Verification(path, verdict, status, (*damage, *altered))
    if unclosed:
        note = "its writer is gone and has not closed it; `mho recover` makes an ordinary file of it"
        return Verification(path, Verdict.INTERRUPTED, status, (note,))
    note = "it carries no seal, so that later changes cannot be told"
    return Verification(path, Verdict.SOUND, status, () if seal else (note,))


# Read the facts that commands use of a run in addition to its data
FACTS: tuple[Callable[[RunRecord], object], ...] = (
    lambda run: (run.title, run.reason, run.procedure, run.version, run.bench, run.chip, run.cells),
    lambda run: (run.start_time, run.end_time),
    lambda run: run.parameters,
    lambda run: (run.instruments, run.settings_after),
    lambda run: (run.provenance, run.seed, run.chip_seed, run.input_hashes),
    lambda run: (run.summary, run.result_units, run.source, run.conclusion),
    lambda run: read_card(run.path),
)


def _unreadable_facts(record: RunRecord) -> Iterator[str]:
    """Yield which facts about a run cannot be decoded, though their bytes can be read."""
    for look in FACTS:
        try:
            look(record)
        except RunFileError as error:
            yield str(error.__cause__ or error)


def _is_dataset(file: h5py.File, where: str) -> bool:
    try:
        return isinstance(file[where], h5py.Dataset)
    except DAMAGE:
        return False
