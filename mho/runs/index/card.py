"""The card of a run: what the index keeps of it, stored in the run file as one JSON text.

Gathering the same facts from their places takes five times as long, and is done only for files without a card.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.errors import RunFileError
from mho.runs.conclusion import GOING_ON, Conclusion, Status
from mho.runs.labels import NAMES as LABELS
from mho.runs.paths import SUFFIX
from mho.runs.provenance import text_hash
from mho.runs.reading import opening
from mho.runs.reading.record import CONCLUSION_SINCE, RunRecord, conclusion_from
from mho.runs.reading.text import read_text
from mho.runs.schema import Array, RecordedParameter, RunHeader
from mho.toml import load_toml

CARD = "card"  # name of the dataset in the entry
UNREADABLE = "unreadable"
SOURCES = ("parameter", "result")

_PROVENANCE = {
    "preset": "preset", "seed": "seed", "host": "host", "user": "user", "mho": "mho_version",
    "commit": "git_commit", "sample": "sample", "operator": "operator", "project": "project",
}  # fmt: skip


@dataclass(frozen=True)
class ResultQuantity:
    """A parameter or a result: as text, and as a number where it is one (true is 1)."""

    name: str
    number: float | None
    text: str
    unit: str = ""

    @property
    def value(self) -> bool | int | float | str | None:
        """The quantity as it was before it became text and number."""
        if self.number is None:
            return None if self.text == "none" else self.text
        if self.text in ("true", "false"):
            return self.text == "true"
        return int(self.text) if self.text.lstrip("-").isdigit() else self.number


class CardName(NamedTuple):
    """A name of something that runs have: `source` is "" for a fact, else one of `SOURCES`."""

    source: str
    name: str

    @property
    def title(self) -> str:
        """The name in full."""
        return f"{self.source}.{self.name}" if self.source else self.name


def find_name(name: str, facts: Collection[str], known: Mapping[str, Collection[str]]) -> CardName | None:
    """Return what a name means, whatever its case: one of the facts, or of what is known by source; None for nothing."""
    prefix, _, rest = name.partition(".")
    looked_up = (prefix, rest, known), ("", name, {"": facts}), *((source, name, known) for source in SOURCES)
    for source, word, names in looked_up:
        if alike := [one for one in names.get(source.lower(), ()) if one.lower() == word.lower()]:
            return CardName(source.lower(), word if word in alike else alike[0])
    return None


@dataclass(frozen=True)
class CardFacts:
    """Facts about a run that are known at its start."""

    run_id: str = ""  # the same in every copy of the file, and different for every run
    title: str = ""
    procedure: str = ""
    version: str = ""
    start: float | None = None  # Unix time, s
    chip: str = ""  # name that the chip map gives itself
    chip_hash: str = ""  # SHA-256 of the chip map's text
    matrix_hash: str = ""  # SHA-256 of the array ``matrix``; "" without one
    bench: str = ""  # name that the bench file gives itself
    preset: str = ""
    seed: str = ""
    host: str = ""
    user: str = ""
    mho: str = ""
    commit: str = ""
    resume_of: str = ""  # `run_id` of the run that this one goes on with
    rerun_of: str = ""  # `run_id` of the run that this one repeats
    sample: str = ""  # as it was given; "" for what was not, like the next two
    operator: str = ""
    project: str = ""

    def as_dict(self) -> dict[str, str | float | None]:
        """Return the facts by name; a label that was not given is not among them."""
        return {name: fact for name, fact in asdict(self).items() if fact or name not in LABELS}


_FACTS = {field.name for field in fields(CardFacts)}  # a later mho may keep more


@dataclass(frozen=True)
class Card:
    """An index entry of a run: its facts, status and results."""

    facts: CardFacts
    status: str  # see `mho.runs.Status`, when the file was looked at; or ``unreadable``, `reason` says why
    reason: str
    end: float | None = None  # Unix time, s
    parameters: tuple[ResultQuantity, ...] = ()
    results: tuple[ResultQuantity, ...] = ()  # the numbers and words of the run's summary
    conclusion: Conclusion | None = None  # None of the file of an older mho, and of one that cannot be read


def card_text(header: RunHeader, arrays: Iterable[Array], start: datetime) -> str:
    """Return the JSON text that a new run file stores of its `header`; it holds the run's permanent identity."""
    matrix = next((array.values for array in arrays if array.name == "matrix"), None)
    facts = _facts(header, header.provenance, secrets.token_hex(16), start, matrix)
    return _json(facts, header.parameters)


def read_card(path: Path) -> Card:
    """Return what an index keeps of the run file at `path`.

    `RunFileError` where the file cannot be read as a run file; the message says why.
    """
    with closing(opening.open_run_file(path, whole=False)) as file, opening.intact(path):
        record = RunRecord(path, file)
        entry = h5py.h5g.open(file.id, b"entry")
        status = Status(_text(path, entry, "status"))
        has_card = entry.links.exists(CARD.encode())
        if status is not Status.FINISHED or not has_card:
            opening.check_contained(path, file)  # more of it is read then
        if status in GOING_ON:
            status = record.status  # a living writer is checked for separately
        card = _text(path, entry, CARD) if has_card else gathered_card(record, h5py.Group(entry))
        facts, parameters = _read(card)
        end = _text(path, entry, "end_time") if status not in GOING_ON else ""
        results, units = _results(path, entry)
        concluded = opening.schema_of(file) >= CONCLUSION_SINCE
        return Card(
            facts, status, "" if status is Status.FINISHED else record.reason,
            datetime.fromisoformat(end).timestamp() if end else None, parameters,
            tuple(_quantity(name, one, units.get(name, "")) for name, one in plain_results(results).items()),
            _conclusion(path, entry) if concluded else None,
        )  # fmt: skip


def _read(text: str) -> tuple[CardFacts, tuple[ResultQuantity, ...]]:
    """Return the facts and parameters of a card; `ValueError` and the like for a text that is no card."""
    card = json.loads(text)
    facts = {name: fact for name, fact in card["facts"].items() if name in _FACTS}
    parameters = [(name, value, unit) for name, (value, unit) in card["parameters"].items()]
    start = facts.get("start")
    texts = [fact for name, fact in facts.items() if name != "start"] + [unit for _, _, unit in parameters]
    if not all(isinstance(one, str) for one in texts) or not isinstance(start, int | float | None):
        raise ValueError("its card holds other things than texts")
    return CardFacts(**facts), tuple(_quantity(*one) for one in parameters)


def plain_results(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers and words of a run's summary; those of a mapping in it are ``NAME.KEY``, lists are left out."""
    result: dict[str, Any] = {}
    for name, value in results.items():
        if isinstance(value, Mapping):
            result |= {f"{name}.{key}": one for key, one in plain_results(value).items()}
        elif not isinstance(value, list):
            result[name] = value
    return result


def _results(path: Path, entry: h5py.h5g.GroupID) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Return what a run file holds of the result, and its units by name."""
    kind = opening.link_kind(entry, b"result")
    if kind is None:  # until schema 2
        return json.loads(_text(path, entry, "summary")), {}
    opening.check_link(path, b"result", kind)
    group = h5py.h5g.open(entry, b"result")
    values, units = (json.loads(_text(path, group, name)) for name in ("values", "units"))
    if not all(isinstance(unit, str) for unit in units.values()):
        raise ValueError("its result has units that are no text")
    return values, units


def _conclusion(path: Path, entry: h5py.h5g.GroupID) -> Conclusion:
    opening.check_link(path, b"conclusion", entry.links.get_info(b"conclusion").type)
    group = h5py.h5g.open(entry, b"conclusion")
    line, unsafe, warnings = (_text(path, group, name) for name in ("line", "unsafe", "warnings"))
    measured = h5py.Dataset(opening.open_text(path, group, b"measured"))
    return conclusion_from(line, unsafe, warnings, int(measured[()]))


def _text(path: Path, group: h5py.h5g.GroupID, name: str) -> str:
    return read_text(opening.open_text(path, group, name.encode()))


def unreadable(path: Path, error: RunFileError) -> Card:
    """Return what an index keeps of a file that it cannot read."""
    return Card(CardFacts(title=path.name), UNREADABLE, str(error))


def gathered_card(record: RunRecord, entry: h5py.Group) -> str:
    """Build the card of a file that has none, from all its other contents."""
    start = record.start_time
    matrix = entry.get("arrays/matrix/value" if "arrays/matrix/value" in entry else "arrays/matrix")
    # No process starts two runs in one millisecond.
    writer = opening.writer_of(entry)
    identity = f"{writer.host}|{writer.pid}|{writer.started}|{start.isoformat()}"
    run_id = hashlib.sha256(identity.encode()).hexdigest()[:32]
    values = None if matrix is None else matrix[()]
    return _json(_facts(record, record.provenance, run_id, start, values), record.parameters)


def _facts(
    run: RunHeader | RunRecord,
    provenance: Mapping[str, str],
    run_id: str,
    start: datetime,
    matrix: NDArray[np.generic] | None,
) -> CardFacts:
    return CardFacts(
        run_id=run_id,
        title=run.title,
        procedure=run.procedure,
        version=run.version,
        start=math.floor(1e3 * start.timestamp()) / 1e3,  # as `start_time` has it
        chip=_name_in(run.chip),
        chip_hash=text_hash(run.chip) if run.chip else "",
        matrix_hash="" if matrix is None else array_hash(matrix),
        bench=_name_in(run.bench),
        resume_of=_identity(provenance.get("resume_of", "")),
        rerun_of=_identity(provenance.get("rerun_of", "")),
        **{name: provenance.get(stored, "") for name, stored in _PROVENANCE.items()},
    )


def _json(facts: CardFacts, parameters: Mapping[str, RecordedParameter]) -> str:
    values = {
        name: [one.value.item() if isinstance(one.value, np.generic) else one.value, one.unit]
        for name, one in parameters.items()
    }
    return json.dumps({"facts": facts.as_dict(), "parameters": values}, ensure_ascii=False)


def array_hash(values: NDArray[np.generic]) -> str:
    """Return the SHA-256 of an array: its type, shape and numbers."""
    digest = hashlib.sha256(f"{values.dtype.str} {values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _identity(run: str) -> str:
    """Return the identity of the run whose file a provenance names; any other text stays as it is."""
    if not run.endswith(SUFFIX):
        return run
    try:
        return read_card(Path(run)).facts.run_id
    except RunFileError:
        return Path(run).name


@lru_cache(maxsize=64)
def _name_in(text: str) -> str:
    try:
        return str(load_toml(text, "text", RunFileError).get("name", ""))
    except RunFileError:
        return ""


def _quantity(name: str, value: object, unit: str = "") -> ResultQuantity:
    match value:
        case bool():
            return ResultQuantity(name, float(value), str(value).lower(), unit)
        case int() | float():
            try:
                return ResultQuantity(name, float(value), str(value), unit)
            except OverflowError:  # a whole number beyond any float
                return ResultQuantity(name, None, str(value), unit)
        case _:
            return ResultQuantity(name, None, "none" if value is None else str(value), unit)
