"""Writes the runs of a package: their files, tables and figures, and once each the texts that several share.

Everything is written from the copy that is in the package, so that nothing is told elsewhere that was withheld there.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from mho.analysis.exports.csv_folder import write_csv
from mho.analysis.exports.package.text_tables import TextTables
from mho.analysis.reports.summary import read_description
from mho.errors import InputError, RunFileError
from mho.runs import (
    GOING_ON,
    Conclusion,
    RecordedParameter,
    RunFile,
    Status,
    Verdict,
    check_conformance,
    outcome_line,
    recover,
    verify,
)
from mho.runs.index import read_card
from mho.runs.provenance import file_hash
from mho.runs.publication import PersonalNames, copy_for_publication, personal_names, withheld_words

MANIFEST = "manifest-sha256.txt"

FORMATS = {
    ".h5": "application/x-hdf5", ".csv": "text/csv", ".json": "application/json", ".md": "text/markdown",
    ".toml": "application/toml", ".txt": "text/plain", ".diff": "text/x-diff", ".py": "text/x-python",
    ".xml": "application/xml", ".png": "image/png", ".svg": "image/svg+xml", ".pdf": "application/pdf",
}  # fmt: skip
"""Media types by suffix."""


@dataclass(frozen=True)
class PackagedFile:
    """A file of a package."""

    path: PurePosixPath  # from the package's folder
    size: int  # bytes
    sha256: str

    @property
    def media_type(self) -> str:
        """The media type, by its suffix."""
        return FORMATS.get(self.path.suffix, "application/octet-stream")


def packaged_files(folder: Path) -> tuple[PackagedFile, ...]:
    """Return all files of a folder, in the order of their paths."""
    result = [path for path in folder.rglob("*") if path.is_file()]
    return tuple(
        PackagedFile(PurePosixPath(path.relative_to(folder).as_posix()), path.stat().st_size, file_hash(path))
        for path in sorted(result, key=lambda path: path.relative_to(folder).as_posix())
    )


def write_manifest(folder: Path) -> None:
    """Write the checksums of all files, one a line."""
    lines = [f"{one.sha256}  {one.path}\n" for one in packaged_files(folder)]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")


ENVIRONMENT = ("mho_version", "git_commit", "python", "platform", "processor", "blas", "time_zone")


@dataclass(frozen=True, eq=False)
class PackagedRun:
    """A run of a package; paths are from its folder."""

    path: PurePosixPath
    data: PurePosixPath
    run_id: str
    original_sha256: str  # of the file that its author has
    title: str
    procedure: str
    version: str
    status: Status
    reason: str
    start: datetime
    end: datetime | None
    cells: str
    bench: str  # the name that the bench file gives itself
    chip: str  # that of the chip map
    parameters: Mapping[str, RecordedParameter]
    provenance: Mapping[str, str]
    instruments: Mapping[str, Mapping[str, str]]
    # Paths by what they are: ``bench``, ``chip``, ``defects``, ``source``, ``packages``, ``environment``
    texts: Mapping[str, PurePosixPath]
    conforms: bool  # whether the file follows the NeXus definition
    withheld: str = ""  # what was withheld, in words
    conclusion: Conclusion | None = None

    @property
    def outcome(self) -> str:
        """How it ended, in one line."""
        return outcome_line(self.status, self.reason, self.conclusion)

    @property
    def name(self) -> str:
        """The name of its file without the suffix."""
        return self.path.stem

    @property
    def simulated(self) -> bool:
        """Whether it was made on a simulated bench, so that it can be repeated."""
        return "preset" in self.provenance


@dataclass
class Contents:
    """Writes runs into a new folder, one after the other."""

    folder: Path
    # Copy the files as they are: with user, host, command line, paths and uncommitted changes
    personal: bool = False
    tables: TextTables = field(default_factory=lambda: TextTables({}))  # what is written as CSV too
    _texts: dict[tuple[str, str], PurePosixPath] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def add(self, source: Path) -> PackagedRun:
        """Write one run.

        Raises `RunFileError` or `InputError`: the file is damaged, changed since its run ended, or still being written;
        nothing is left of it then.
        """
        names, interrupted = _checked(source)
        stem = source.stem if self.personal else names.withheld(source.stem)
        name = self._free("runs", _plain_name(stem), ".h5")
        target = self.folder / "runs" / f"{name}.h5"
        target.parent.mkdir(exist_ok=True)
        try:
            digest, withheld, conforms = self._copy(source, target, interrupted)
            with RunFile(target) as run:
                data = self.folder / "data" / name
                data.parent.mkdir(exist_ok=True)
                procedure = run.procedure
                write_csv(run, data, lambda group: self.tables.holds(procedure, group))
                (data / "run.json").write_text(_facts(run), encoding="utf-8")
                return self._described(run, name, digest, withheld, conforms)
        except BaseException:
            target.unlink(missing_ok=True)
            shutil.rmtree(self.folder / "data" / name, ignore_errors=True)
            raise

    def _copy(self, source: Path, target: Path, interrupted: bool) -> tuple[str, str, bool]:
        """Copy a run file; return the hash of the original, what was withheld, and whether it follows the definition."""
        digest = file_hash(source)
        if self.personal:
            shutil.copyfile(source, target)
            if interrupted:
                recover(target)  # so that any viewer opens it
            return digest, "", check_conformance(target).conforms
        if not interrupted:
            made = copy_for_publication(source, target)
            return digest, withheld_words(made.emptied, made.changed), made.follows
        whole = target.with_name(f".{target.name}")
        try:
            shutil.copyfile(source, whole)
            recover(whole)
            made = copy_for_publication(whole, target, digest)
        finally:
            whole.unlink(missing_ok=True)
        return digest, withheld_words(made.emptied, made.changed), made.follows

    def _described(self, run: RunFile, name: str, digest: str, withheld: str, conforms: bool) -> PackagedRun:
        provenance = run.provenance
        bench, chip = (str(read_description(text).get("name", "")) for text in (run.bench, run.chip))
        known = {key: provenance[key] for key in ENVIRONMENT if provenance.get(key)}
        environment = json.dumps(known, indent=1)
        place = provenance.get("procedure", "").rpartition(":")[0]  # ``path/file.py``, or ``package.module``
        module = Path(place).stem if place.endswith(".py") else place.rpartition(".")[2] or run.procedure
        texts = {
            "bench": self._text("bench", bench or "bench", ".toml", run.bench),
            "chip": self._text("chip", chip or "chip", ".toml", run.chip),
            "defects": self._text("chip", f"{chip or 'chip'}-defects", ".toml", run.defects),
            "source": self._text("source", module, ".py", run.source),
            "packages": self._text("environment", "packages", ".txt", provenance.get("packages", "")),
            "environment": self._text("environment", "environment", ".json", environment),
            "uncommitted": self._text("environment", "uncommitted", ".diff", provenance.get("git_diff", "")),
        }
        return PackagedRun(
            PurePosixPath("runs", f"{name}.h5"), PurePosixPath("data", name),
            read_card(run.path).facts.run_id, digest, run.title, run.procedure, run.version, run.status,
            run.reason, run.start_time, run.end_time, run.cells, bench, chip, run.parameters, provenance,
            run.instruments, {what: path for what, path in texts.items() if path is not None}, conforms,
            withheld, run.conclusion,
        )  # fmt: skip

    def _text(self, place: str, name: str, suffix: str, text: str) -> PurePosixPath | None:
        """Write a text that further runs may share, once; None for an empty one."""
        if not text.strip():
            return None
        if (place, text) not in self._texts:
            name = self._free(place, _plain_name(name), suffix)
            path = PurePosixPath(place, f"{name}{suffix}")
            (self.folder / place).mkdir(exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
            self._texts[place, text] = path
        return self._texts[place, text]

    def _free(self, place: str, name: str, suffix: str) -> str:
        """Return a name that no file at this place has yet, and take it."""
        free, number = name, 1
        while f"{place}/{free}{suffix}".lower() in self._taken:
            number += 1
            free = f"{name}-{number}"
        self._taken.add(f"{place}/{free}{suffix}".lower())
        return free


def _checked(source: Path) -> tuple[PersonalNames, bool]:
    """Return the names in a file that can be published, and whether its writer left it open."""
    with RunFile(source) as run:
        names, interrupted = personal_names(run.provenance), run.is_unclosed
        if run.status in GOING_ON:
            raise InputError(f"{source} is still being written; publish it when its run is over")
    verification = verify(source)
    if verification.verdict not in (Verdict.SOUND, Verdict.INTERRUPTED):
        raise RunFileError(f"{source} is {verification.verdict}: {'; '.join(verification.findings[:3])}")
    return names, interrupted


def _facts(run: RunFile) -> str:
    """Return a run as JSON: parameters and results with units, whole, and provenance."""
    end, long = run.end_time, ("packages", "git_diff")
    facts = {
        "title": run.title, "procedure": run.procedure, "version": run.version, "status": str(run.status),
        "reason": run.reason, "conclusion": None if run.conclusion is None else vars(run.conclusion),
        "start_time": run.start_time.isoformat(), "end_time": "" if end is None else end.isoformat(), "cells": run.cells,
        "parameters": {
            name: {"value": one.value, "unit": one.unit, "label": one.label, "origin": one.origin}
            for name, one in run.parameters.items()
        },
        "result": run.summary, "result_units": run.result_units, "instruments": run.instruments,
        "instruments_after": run.settings_after,
        "provenance": {name: text for name, text in run.provenance.items() if text and name not in long},
    }  # fmt: skip
    return json.dumps(facts, indent=1) + "\n"


def _plain_name(name: str) -> str:
    """Return a name for a file that every system takes."""
    return re.sub(r"[^\w.-]+", "-", name.replace("[", "").replace("]", "")).strip(".-") or "run"
