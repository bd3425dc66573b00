"""Copies a run file for publication: without what is personal, sealed anew, and saying which file it was made from.

The copy is a new file, into which everything else is copied: nothing of what is withheld is left in its bytes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.errors import RunFileError
from mho.runs.index.card import CARD, gathered_card
from mho.runs.integrity.seal import SEAL, create_group, prepare_seal, write_seal
from mho.runs.integrity.verification import Verdict, verify
from mho.runs.labels import PLACES
from mho.runs.nexus.validation import follows
from mho.runs.provenance import file_hash, text_hash
from mho.runs.publication.personal import in_code, in_json, personal_names
from mho.runs.reading.chunks import is_growing
from mho.runs.reading.conformance import is_table
from mho.runs.reading.opening import FORMAT, intact, items_of, open_run_file, writer_of
from mho.runs.reading.record import RunRecord
from mho.runs.reading.text import ELLIPSIS, create_text, decode, encode
from mho.runs.schema import DEFINITION, DEFINITION_VERSION
from mho.runs.writing.repacking import copy_attribute, repack

PUBLICATION = "publication"  # name of the group that says what a copy was made from

EMPTIED = (
    "provenance/host", "provenance/user", "provenance/command_line", "provenance/folder", "provenance/git_status",
    "provenance/git_diff", "writer/host", "writer/process_birth", PLACES["operator"],
)  # fmt: skip
"""Texts of the entry that a copy holds empty."""

AS_THEY_ARE = frozenset((
    "definition", "status", "start_time", "end_time", "procedure/name", "procedure/version", "result/units",
    "chip/sha256", "chip/formed", "procedure/source_sha256", "log/level", "provenance/git_commit", "provenance/inputs",
))  # fmt: skip
"""Texts that hold no words of a person."""

CODE = ("chip/map", "chip/defects", "procedure/source")
IN_WORDS = {"figures": ("title", "label")}
"""JSON of which only some values are words, the others names of columns."""

WORDS = ("title", "long_name", "origin")  # attributes that hold words

COMPACT_BYTES = 256
"""Size of the texts that are stored in their dataset's object header, as `mho.runs.writing.repacking` does."""


@dataclass(frozen=True)
class PublicationCopy:
    """A copy, and what was withheld of it."""

    path: Path
    run_id: str
    original_sha256: str  # of the file that it was made from
    # emptied, changed: texts that are left empty, and in which names or paths are replaced, by their places
    # in the entry
    emptied: tuple[str, ...]
    changed: tuple[str, ...]
    follows: bool  # whether it follows the NeXus definition


def copy_for_publication(source: Path, target: Path, original_sha256: str = "") -> PublicationCopy:
    """Write a copy of a finished run file to `target`, which does not exist yet, without what is personal.

    Parameters
    ----------
    original_sha256 : str
        Of the file that its author has, where `source` was recovered from it.

    Raises
    ------
    RunFileError
        The file is not sound, or the copy cannot be made; `target` is then not there.
    """
    digest = original_sha256 or file_hash(source)
    try:
        with closing(open_run_file(source)) as file, intact(source):
            record = RunRecord(source, file)
            writing = _Copying(record, file)
            with h5py.File(target, "w-", libver=FORMAT, locking="best-effort") as copy:
                writing.copy(copy, digest)
        checked = False
        with contextlib.suppress(RunFileError, OSError, RuntimeError):  # it is whole without that
            checked = repack(target)  # which compares everything with the seal
        if not checked:
            _check(target, source)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return PublicationCopy(
        target,
        writing.run_id,
        digest,
        tuple(writing.emptied),
        tuple(dict.fromkeys(writing.changed)),
        writing.follows,
    )


def _check(copy: Path, source: Path) -> None:
    found = verify(copy)
    if found.verdict is not Verdict.SOUND:
        raise RunFileError(f"the copy of {source} is {found.verdict}: {'; '.join(found.findings)}")


class _Copying:
    """Copies one file; notes what it withholds."""

    def __init__(self, record: RunRecord, file: h5py.File) -> None:
        self._file, self._entry = file, file["entry"]
        self._names = personal_names(record.provenance, [writer_of(self._entry).host])
        self._card = (
            decode(self._entry[CARD][()]) if CARD in self._entry else gathered_card(record, self._entry)
        )
        self.run_id = _run_id(self._card)
        self.follows = follows(self._entry)
        self.emptied: list[str] = []
        self.changed: list[str] = []

    def copy(self, target: h5py.File, digest: str) -> None:
        self._attributes(self._file, target, "")
        entry = create_group(target, "entry")
        self._group(self._entry, entry, "")
        if "definition" not in entry and self.follows:  # as files of before do
            create_text(entry, "definition", DEFINITION).attrs["version"] = DEFINITION_VERSION
        if CARD not in entry:
            create_text(entry, CARD, self._card_of_nobody())
        self._hash_again(entry)
        if PUBLICATION not in entry:
            self._say(entry, digest)
        elif is_table(entry[PUBLICATION]):
            raise RunFileError(
                f"run file {self._file.filename} has a table {PUBLICATION!r}, where its copy says what it was made from; "
                "publish it with --personal"
            )
        seal = create_group(entry, SEAL.rpartition("/")[2])
        seal.attrs["NX_class"] = "NXcollection"
        prepare_seal(seal)
        write_seal(target, {})

    def _group(self, source: h5py.Group, target: h5py.Group, path: str) -> None:
        self._attributes(source, target, path)
        for name, item in items_of(source):
            below = f"{path}/{name}".lstrip("/")
            if f"/entry/{below}" == f"/{SEAL}":
                continue
            if isinstance(item, h5py.Group):
                self._group(item, create_group(target, name), below)
            elif h5py.check_string_dtype(item.dtype) is None:
                source.copy(item, target, name, without_attrs=True)
                self._attributes(item, target[name], below)
            else:
                self._texts(item, target, name, below)

    def _attributes(self, source: h5py.HLObject, target: h5py.HLObject, path: str) -> None:
        """Copy all attributes; h5py's own `attrs` takes four times as long."""
        for index in range(h5py.h5a.get_num_attrs(source.id)):
            attribute = h5py.h5a.open(source.id, index=index)
            name = decode(attribute.name)
            if name in WORDS and isinstance(value := source.attrs[name], str):
                kept = self._names.withheld(value)
                if kept != value:
                    self.changed.append(f"{path}@{name}")
                    target.attrs[name] = kept
                    continue
            copy_attribute(attribute, target)

    def _texts(self, source: h5py.Dataset, group: h5py.Group, name: str, path: str) -> None:
        """Copy a dataset of texts, each with what it has to withhold."""
        values = [decode(one) for one in np.ravel(source[()]).tolist()]
        if path in EMPTIED:
            if any(values):
                self.emptied.append(path)
            kept = [""] * len(values)
        else:
            kept = self._kept(values, path)
            if kept != values:
                self.changed.append(path)
        stored = [encode(one) for one in kept]
        # A text that is written again while a run lasts has room to spare, which is left as it is.
        dtype = h5py.string_dtype("utf-8", max(1, *map(len, stored), *[0] * (not stored)))
        if not source.shape:
            dataset = group.create_dataset(name, data=np.bytes_(stored[0]), dtype=dtype)
        else:
            array = np.array(stored, dtype).reshape(source.shape)
            dataset = group.create_dataset(name, data=array, **_layout(source, array))
        self._attributes(source, dataset, path)

    def _kept(self, values: list[str], path: str) -> list[str]:
        names = self._names
        if path in AS_THEY_ARE:
            return values
        if path == CARD:
            return [self._card_of_nobody()]
        if path == "log/message":
            return _in_pieces(values, names.withheld)
        if path in CODE:
            return [in_code(one, names.withheld) for one in values]
        if path == "bench/file":
            return [in_code(one, names.without_names) for one in values]
        if path.startswith("bench/"):
            return [in_json(one, names.without_names) for one in values]
        if path in IN_WORDS:
            return [in_json(one, names.withheld, IN_WORDS[path]) for one in values]
        if path in ("result/values", "conclusion/warnings"):
            return [in_json(one, names.withheld) for one in values]
        return [names.withheld(one) for one in values]

    def _card_of_nobody(self) -> str:
        told = json.loads(in_json(self._card, self._names.withheld))
        facts = told["facts"] | {name: "" for name in ("host", "user", "operator") if name in told["facts"]}
        chip = decode(self._entry["chip/map"][()])
        if (kept := in_code(chip, self._names.withheld)) != chip:
            facts["chip_hash"] = text_hash(kept)
        return json.dumps(told | {"facts": facts}, ensure_ascii=False)

    def _hash_again(self, entry: h5py.Group) -> None:
        """Write the hashes of texts in which something was replaced."""
        for text, digest in (("chip/map", "chip/sha256"), ("procedure/source", "procedure/source_sha256")):
            if text in self.changed and digest in entry:
                entry[digest][()] = text_hash(decode(entry[text][()])).encode()

    def _say(self, entry: h5py.Group, digest: str) -> None:
        group = create_group(entry, PUBLICATION)
        group.attrs["NX_class"] = "NXcollection"
        create_text(group, "run_id", self.run_id)
        create_text(group, "original_sha256", digest)
        create_text(group, "withheld", withheld_words(self.emptied, self.changed))


def withheld_words(emptied: list[str] | tuple[str, ...], changed: list[str] | tuple[str, ...]) -> str:
    """Return in words what was withheld."""
    told = [f"left empty: {', '.join(emptied)}"] * bool(emptied)
    told += [f"names or paths replaced in: {', '.join(dict.fromkeys(changed))}"] * bool(changed)
    return "; ".join(told) or "nothing"


def _run_id(card: str) -> str:
    return str(json.loads(card)["facts"]["run_id"])


def _in_pieces(pieces: list[str], change: Callable[[str], str]) -> list[str]:
    """Change messages, each of which may go on in further pieces, with as many pieces as before."""
    kept: list[str] = []
    for start, stop in _messages(pieces):
        told = pieces[start:stop]
        whole = told[0] + "".join(one.removeprefix(ELLIPSIS) for one in told[1:])
        changed = change(whole)
        if changed != whole:
            step = -(-len(changed) // len(told))
            cut = [changed[place * step : (place + 1) * step] for place in range(len(told))]
            told = [cut[0], *(f"{ELLIPSIS}{one}" for one in cut[1:])]
        kept += told
    return kept


def _messages(pieces: list[str]) -> list[tuple[int, int]]:
    """Return first and last but one piece of each message."""
    starts = [place for place, one in enumerate(pieces) if not place or not one.startswith(ELLIPSIS)]
    return list(zip(starts, [*starts[1:], len(pieces)], strict=True)) if pieces else []


def _layout(source: h5py.Dataset, values: NDArray[Any]) -> dict[str, Any]:
    """Return how the copy of an array of texts is stored: as its source is."""
    if source.chunks:
        rows = source.chunks[:1] if is_growing(source) else (max(1, min(source.chunks[0], len(values))),)
        packed = {"compression": source.compression, "shuffle": source.shuffle} if source.compression else {}
        return {"maxshape": source.maxshape, "chunks": rows, "fletcher32": True, **packed}
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if values.nbytes <= COMPACT_BYTES:
        compact.set_layout(h5py.h5d.COMPACT)
    return {"dcpl": compact}
