"""Verifies a run file: whether it is whole, and unchanged since its run ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import h5py

from mho.errors import RunFileError
from mho.runs.conclusion import GOING_ON, Status
from mho.runs.index.card import read_card
from mho.runs.integrity.seal import SEAL, SEALED_SINCE, changes, read_seal, walk
from mho.runs.reading.chunks import damaged_rows
from mho.runs.reading.conformance import malformed
from mho.runs.reading.opening import DAMAGE, intact, open_run_file
from mho.runs.reading.record import RunRecord

NEEDED = (
    "title", "start_time", "end_time", "status", "reason", "heartbeat", "writer/host", "writer/pid",
    "writer/process_start", "procedure/name", "procedure/version", "procedure/parameters", "bench/file", "chip/map",
    "chip/cells", "provenance", "maps", "arrays", "log/time", "log/level", "log/message",
)  # fmt: skip
"""Items in the entry of every run file."""


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

    Raises
    ------
    RunFileError
        It is no run file, or damaged.
    """
    path = Path(path)
    with closing(open_run_file(path)) as file, intact(path):
        found = (item for _, item in walk(file, lambda *_: None))
        return sum(int(item.nbytes) for item in found if isinstance(item, h5py.Dataset))


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
            if isinstance(item, h5py.Dataset):
                damage.extend(damaged_rows(item, lenient=unclosed))
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


FACTS: tuple[Callable[[RunRecord], object], ...] = (
    lambda run: (run.title, run.reason, run.procedure, run.version, run.bench, run.chip, run.cells),
    lambda run: (run.start_time, run.end_time),
    lambda run: run.parameters,
    lambda run: (run.instruments, run.settings_after),
    lambda run: (run.provenance, run.seed, run.chip_seed, run.input_hashes),
    lambda run: (run.summary, run.result_units, run.source, run.conclusion),
    lambda run: read_card(run.path),
)
"""Read the facts that commands use of a run in addition to its data."""


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
