"""Copies a run file for publication: without what is personal, sealed anew, and with the file it was made from.

The copy is a new file: nothing of what is withheld is left in its bytes. The names withheld are those that the file itself
gives. They are sought as whole words; in code and TOML only within comments and strings, in JSON only within values. Of
absolute paths the last part is left, except in what describes instruments: there ``/Dev1/ao/StartTrigger`` is a terminal.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.errors import RunFileError
from mho.runs.index.card import CARD, gathered_card
from mho.runs.integrity.seal import SEAL, Verdict, create_group, prepare_seal, verify, write_seal
from mho.runs.labels import PLACES
from mho.runs.nexus.validation import follows
from mho.runs.provenance import file_hash, text_hash
from mho.runs.reading.chunks import is_growing
from mho.runs.reading.conformance import is_table
from mho.runs.reading.opening import FORMAT, intact, items_of, open_run_file, writer_of
from mho.runs.reading.record import RunRecord
from mho.runs.reading.text import ELLIPSIS, create_text, decode, encode
from mho.runs.schema import DEFINITION, DEFINITION_VERSION
from mho.runs.writing.repacking import copy_attribute, repack

PART = r"""[^\s/\\'"<>|:;,()\[\]{}]"""  # a character of a name in a path that stands among words
_START = r"(?:file://|~|[A-Za-z]:(?=[\\/]))?"
_OURS = r"(?:dev|entry)/"
_FOLDERS = re.compile(
    rf"(?<![\w./:~\\\])…-]){_START}/(?!/|{_OURS})(?:{PART}+/+)+(?=[^\s/])"
    rf"|(?<!\w)[A-Za-z]:[\\/]+(?:{PART}+[\\/]+)+"
    rf"|(?<![\w\\])\\\\(?:[\w.$-]+\\(?!\\)){{2,}}"
)
_ROOT = rf"(?:{_START}/(?!/|{_OURS})|[A-Za-z]:\\|\\\\(?=[\w.$-]+\\[\w.$ -]+\\))"
_QUOTED_PATH = re.compile(rf"(['\"]){_ROOT}[^'\"\n]*[/\\]([^'\"\n/\\]+)\1")
# Within quotes, and alone, a name may have blanks; what goes on behind a file or a comma is a sentence
_WHOLE = re.compile(rf"{_ROOT}(?!.*(?:\.\w+|[,;:])\s)[^\n'\"]*[/\\]([^\n/\\'\"]+)")


def without_folders(text: str, mark: str = "") -> str:
    """Return a text in which of every absolute path only the last part is left, behind a `mark`."""
    if "/" not in text and "\\" not in text:
        return text
    if alone := _WHOLE.fullmatch(text):
        return f"{mark}{alone[1]}"
    before = ""
    while before != text:  # what is left of one path may begin another
        before, text = text, _FOLDERS.sub(mark, _QUOTED_PATH.sub(rf"\1{mark}\2\1", text))
    return text


# Names of accounts and hosts that are the same everywhere
SHARED_ACCOUNTS = frozenset((
    "root", "admin", "administrator", "user", "users", "guest", "nobody", "unknown", "lab", "labor", "test", "public",
    "pi", "ubuntu", "debian", "jovyan", "runner", "vagrant", "ec2-user", "localhost", "localhost.localdomain",
))  # fmt: skip

_HOME = re.compile(rf"(?:/home/|/Users/|\b[A-Za-z]:[\\/]+Users[\\/]+)({PART}+)")
# A home with nothing in it behind, whose last part is a name; and one in an address, of which the rest is
# left
_HOME_ALONE = re.compile(rf"(?<=file://){_HOME.pattern}|{_HOME.pattern}(?![^\W_]|[\\/]+{PART})")
# Comments and strings, of Python and of TOML alike
_QUOTED = re.compile(
    r'"""[\s\S]*?"""|' + r"'''[\s\S]*?'''" + r'|"(?:[^"\\\n]|\\.)*"|' + r"'(?:[^'\\\n]|\\.)*'|#[^\n]*"
)


@dataclass(frozen=True)
class PersonalNames:
    """What is withheld of a text."""

    users: tuple[str, ...] = ()  # names
    hosts: tuple[str, ...] = ()  # names
    folders: tuple[str, ...] = ()  # absolute paths, the longest first

    def withheld(self, text: str) -> str:
        """Return a text in words, with absolute paths cut to the name of the file, and names replaced."""
        for folder in self.folders:
            text = re.sub(rf"{re.escape(folder)}(?:[\\/]+|(?!\w))", "", text) if folder in text else text
        return self.without_names(without_folders(_HOME_ALONE.sub("[home]", text)))

    def without_names(self, text: str) -> str:
        """Return a text about instruments, with homes and names replaced."""
        text = _HOME.sub("[home]", text)
        for names, instead in ((self.users, "[user]"), (self.hosts, "[host]")):
            for name in names:
                text = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", instead, text, flags=re.IGNORECASE)
        return text


Change = Callable[[str], str]


def in_code(text: str, change: Change) -> str:
    """Return Python or TOML with its comments and strings changed."""
    return _QUOTED.sub(lambda match: change(match[0]), text)


def in_json(text: str, change: Change, only: Collection[str] = ()) -> str:
    """Return JSON with the texts among its values changed; with `only`, those of these keys."""
    try:
        values = json.loads(text)
    except ValueError:
        return change(text)
    anonymous = _in_values(values, change, only, "")
    return text if anonymous == values else json.dumps(anonymous, ensure_ascii=False)


def personal_names(provenance: Mapping[str, str], hosts: Iterable[str] = ()) -> PersonalNames:
    """Return the names that a run's provenance gives, and further hosts: that of its writer."""
    paths = " ".join((provenance.get("folder", ""), provenance.get("command_line", "")))
    users = {provenance.get("user", ""), provenance.get("operator", ""), *_HOME.findall(paths)}
    whole = {host for host in (provenance.get("host", ""), *hosts) if host}
    folder = provenance.get("folder", "").rstrip("/\\")
    return PersonalNames(
        _identifying(users),
        _identifying(whole | {host.partition(".")[0] for host in whole}),
        (folder,) if len(re.split(r"[\\/]+", folder)) > 2 else (),
    )


def _identifying(names: Iterable[str]) -> tuple[str, ...]:
    words = {
        name
        for name in names
        if len(name) > 1 and name.lower() not in SHARED_ACCOUNTS and not name.isdecimal()
    }
    return tuple(sorted(words, key=lambda name: (-len(name), name)))


def _in_values(value: Any, change: Change, only: Collection[str], key: str) -> Any:
    match value:
        case str():
            return change(value) if not only or key in only else value
        case dict():
            return {name: _in_values(one, change, only, name) for name, one in value.items()}
        case list():
            return [_in_values(one, change, only, key) for one in value]
    return value


PUBLICATION = "publication"  # name of the group that says what a copy was made from

# Texts of the entry that a copy holds empty
EMPTIED = (
    "provenance/host", "provenance/user", "provenance/command_line", "provenance/folder", "provenance/git_status",
    "provenance/git_diff", "writer/host", "writer/process_birth", PLACES["operator"],
)  # fmt: skip

# Texts that hold no words of a person
AS_THEY_ARE = frozenset((
    "definition", "status", "start_time", "end_time", "procedure/name", "procedure/version", "result/units",
    "chip/sha256", "chip/formed", "procedure/source_sha256", "log/level", "provenance/git_commit", "provenance/inputs",
))  # fmt: skip

CODE = ("chip/map", "chip/defects", "procedure/source", "bench/file")
JSON = ("figures", "result/values", "conclusion/warnings")
# JSON of which only some values are words, the others names of columns
IN_WORDS = {"figures": ("title", "label")}
WORDS = ("title", "long_name", "origin")  # attributes that hold words

# Size of the texts that are stored in their dataset's object header, as `mho.runs.writing.repacking` does
COMPACT_BYTES = 256


@dataclass(frozen=True)
class PublicationCopy:
    """A copy, and what was withheld of it."""

    path: Path
    run_id: str
    original_sha256: str  # of the file that it was made from
    emptied: tuple[str, ...]  # places in the entry of texts that are left empty
    changed: tuple[str, ...]  # and of those in which names or paths are replaced
    follows: bool  # whether it follows the NeXus definition


def copy_for_publication(source: Path, target: Path, original_sha256: str = "") -> PublicationCopy:
    """Write a copy of a finished run file to `target`, which does not exist yet, without what is personal.

    `original_sha256`: of the file that its author has, where `source` was recovered from it.
    `RunFileError` where the file is not sound, or the copy cannot be made; `target` is then not there.
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
        target, writing.run_id, digest, tuple(writing.emptied), tuple(dict.fromkeys(writing.changed)),
        writing.follows,
    )  # fmt: skip


def _check(copy: Path, source: Path) -> None:
    verification = verify(copy)
    if verification.verdict is not Verdict.SOUND:
        raise RunFileError(
            f"the copy of {source} is {verification.verdict}: {'; '.join(verification.findings)}"
        )


class _Copying:
    """Copies one file; notes what it withholds."""

    def __init__(self, record: RunRecord, file: h5py.File) -> None:
        self._file, self._entry = file, file["entry"]
        self._names = personal_names(record.provenance, [writer_of(self._entry).host])
        self._card = (
            decode(self._entry[CARD][()]) if CARD in self._entry else gathered_card(record, self._entry)
        )
        self.run_id = str(json.loads(self._card)["facts"]["run_id"])
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
            create_text(entry, CARD, self._anonymous_card())
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
                anonymous = self._names.withheld(value)
                if anonymous != value:
                    self.changed.append(f"{path}@{name}")
                    target.attrs[name] = anonymous
                    continue
            copy_attribute(attribute, target)

    def _texts(self, source: h5py.Dataset, group: h5py.Group, name: str, path: str) -> None:
        """Copy a dataset of texts, each with what it has to withhold."""
        values = [decode(one) for one in np.ravel(source[()]).tolist()]
        if path in EMPTIED:
            if any(values):
                self.emptied.append(path)
            anonymous = [""] * len(values)
        else:
            anonymous = self._without_names(values, path)
            if anonymous != values:
                self.changed.append(path)
        stored = [encode(one) for one in anonymous]
        # A text that is written again while a run lasts has room to spare, which is left as it is.
        dtype = h5py.string_dtype("utf-8", max(1, *map(len, stored), *[0] * (not stored)))
        if not source.shape:
            dataset = group.create_dataset(name, data=np.bytes_(stored[0]), dtype=dtype)
        else:
            array = np.array(stored, dtype).reshape(source.shape)
            dataset = group.create_dataset(name, data=array, **_layout(source, array))
        self._attributes(source, dataset, path)

    def _without_names(self, values: list[str], path: str) -> list[str]:
        names = self._names
        if path in AS_THEY_ARE:
            return values
        if path == CARD:
            return [self._anonymous_card()]
        if path == "log/message":
            return _in_pieces(values, names.withheld)
        change = names.without_names if path.startswith("bench/") else names.withheld
        if path in CODE:
            return [in_code(one, change) for one in values]
        if path.startswith("bench/") or path in JSON:
            return [in_json(one, change, IN_WORDS.get(path, ())) for one in values]
        return [change(one) for one in values]

    def _anonymous_card(self) -> str:
        card = json.loads(in_json(self._card, self._names.withheld))
        facts = card["facts"] | {name: "" for name in ("host", "user", "operator") if name in card["facts"]}
        chip = decode(self._entry["chip/map"][()])
        if (anonymous := in_code(chip, self._names.withheld)) != chip:
            facts["chip_hash"] = text_hash(anonymous)
        return json.dumps(card | {"facts": facts}, ensure_ascii=False)

    def _hash_again(self, entry: h5py.Group) -> None:
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
    parts = [f"left empty: {', '.join(emptied)}"] * bool(emptied)
    parts += [f"names or paths replaced in: {', '.join(dict.fromkeys(changed))}"] * bool(changed)
    return "; ".join(parts) or "nothing"


def _in_pieces(pieces: list[str], change: Callable[[str], str]) -> list[str]:
    """Change messages, each of which may go on in further pieces, with as many pieces as before."""
    lines: list[str] = []
    for start, stop in _messages(pieces):
        message = pieces[start:stop]
        whole = message[0] + "".join(one.removeprefix(ELLIPSIS) for one in message[1:])
        changed = change(whole)
        if changed != whole:
            step = -(-len(changed) // len(message))
            cut = [changed[place * step : (place + 1) * step] for place in range(len(message))]
            message = [cut[0], *(f"{ELLIPSIS}{one}" for one in cut[1:])]
        lines += message
    return lines


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
