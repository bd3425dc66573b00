"""Makes one research package of any number of runs, a folder or a file for lab notebooks: all of it, or nothing."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.analysis.exports.package.checksums import packaged_files, write_manifest
from mho.analysis.exports.package.contents import Contents, PackagedRun
from mho.analysis.exports.package.crate import FILE as CRATE_FILE
from mho.analysis.exports.package.crate import crate
from mho.analysis.exports.package.datacite import FILE as DATACITE_FILE
from mho.analysis.exports.package.datacite import datacite
from mho.analysis.exports.package.description import Description
from mho.analysis.exports.package.pictures import How, check_how, draw_pictures
from mho.analysis.exports.package.readme import readme
from mho.analysis.exports.package.text_tables import TextTables, check_which, text_tables
from mho.analysis.exports.places import runs_at
from mho.analysis.reports.run_table import SOURCES, row_of, table_of
from mho.analysis.reports.table_files import csv_heads, csv_value
from mho.errors import InputError, RunFileError
from mho.escaping import csv_cell
from mho.runs import outcome_line
from mho.runs.index import read_card
from mho.runs.nexus import FILE as DEFINITION_FILE
from mho.runs.nexus import definition_text

SUFFIX = "-published"
ELN = ".eln"
"""Suffix of a package as one file that electronic lab notebooks take in."""
MOST_KINDS = 4
"""Procedures that a title names."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Published:
    """A package.

    Attributes
    ----------
    skipped : tuple of str
        Files that are not in it, and why, one sentence each.
    missing : tuple of str
        What a repository requires and was not given, one sentence each.
    """

    path: Path
    runs: tuple[PackagedRun, ...]
    skipped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def publish(
    places: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    described: Description | None = None,
    *,
    eln: bool = False,
    personal: bool = False,
    figures: str | None = None,
    tables: str | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Published:
    """Make a package of the runs at `places`, files or folders of them.

    Parameters
    ----------
    output : path, optional
        A folder or ``.eln`` file that does not exist yet; by default beside the run or the folder.
    described : Description, optional
        What is said of it; what is not said is left out.
    eln : bool
        Write one file for electronic lab notebooks instead of a folder, see `_write_eln`.
    personal : bool
        Keep user, host, command line, paths and uncommitted changes in the run files, which are then copied as they are.
    figures : {"each", "together", "none"}, optional
        See `draw_pictures`.
    tables : {"all", "none"}, optional
        What of the runs is written as CSV too; by default the smallest tables, maps and arrays up to 10 million values.
    progress : callable
        Told stage, how much of it is done, and of how much.

    Raises
    ------
    RunFileError, InputError
        A single run that cannot be published, none that can be, an output that exists, cannot be written, or has
        another suffix than ``.eln`` where one such file is asked for.
    """
    described, how, which = described or Description.of(), check_how(figures), check_which(tables)
    paths = runs_at(places)
    target = Path(output) if output is not None else _beside(places, ELN if eln else SUFFIX)
    if target.exists():
        raise InputError(f"{target} exists already and is never overwritten; choose another --output")
    if eln and target.suffix.lower() != ELN:
        raise InputError(f"{target} would not be taken for a file of lab notebooks; end its name in {ELN}")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.mkdir(parents=True)
        as_text = text_tables(paths, which)
        runs, skipped = _add(Contents(draft, personal, as_text), paths, progress)
        _describe(draft, described, runs, as_text, how, progress)
        if eln:
            _write_eln(draft, target)
        else:
            draft.rename(target)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{target} cannot be written: {reason}; choose another --output") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Published(target, tuple(runs), tuple(skipped), described.missing)


def _beside(places: Sequence[str | os.PathLike[str]], suffix: str) -> Path:
    """Return where a package goes unless it is said: beside the run or the folder, of several beside the first."""
    first = Path(os.path.abspath(places[0]))
    given = Path(places[0])
    if first.is_dir():
        return (
            given.parent / f"{first.name}{suffix}" if given.name else first.with_name(f"{first.name}{suffix}")
        )
    return given.with_name(f"{given.stem if len(places) == 1 else 'runs'}{suffix}")


def _write_eln(folder: Path, target: Path) -> None:
    """Write a package as one zipped RO-Crate with a single root folder, named as the file.

    The same package gives the same bytes: the files have one order and no time of their own. The ELN Consortium,
    Specification for the ELN file format, commit 401e7aa (2026-08-20).
    """
    draft = folder.with_suffix(".zip")
    try:
        with zipfile.ZipFile(draft, "x") as archive:
            for file in packaged_files(folder):
                entry = zipfile.ZipInfo(f"{target.stem}/{file.path}")
                entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, file.size
                entry.external_attr = 0o644 << 16
                with (folder / file.path).open("rb") as source, archive.open(entry, "w") as sink:
                    shutil.copyfileobj(source, sink)
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


def _add(
    contents: Contents, paths: Sequence[Path], progress: Progress
) -> tuple[list[PackagedRun], list[str]]:
    runs: list[PackagedRun] = []
    skipped: list[str] = []
    known: dict[str, Path] = {}
    for number, path in enumerate(paths):
        progress("runs", number, len(paths))
        try:
            run_id = read_card(path).facts.run_id
            if run_id in known:  # as of an earlier package below the same folder
                skipped.append(f"{path} is another copy of the run in {known[run_id]}")
                continue
            runs.append(contents.add(path))
            known[run_id] = path
        except (RunFileError, InputError) as error:
            if len(paths) == 1:
                raise
            skipped.append(str(error))
    if not runs:
        raise InputError(f"none of {len(paths)} run files can be published; the first: {skipped[0]}")
    return runs, skipped


def _describe(
    folder: Path,
    described: Description,
    runs: Sequence[PackagedRun],
    as_text: TextTables,
    how: How | None,
    progress: Progress,
) -> None:
    """Write all that is told of the runs."""
    title, text = described.title or title_of(runs), described.text or text_of(runs)
    pictures = draw_pictures(folder, runs, how, lambda done, total: progress("figures", done, total))
    (folder / DEFINITION_FILE).write_text(definition_text(), encoding="utf-8")
    _write_table(folder, runs)
    top = [path.name for path in folder.iterdir()]
    page = readme(described, title, text, runs, as_text.left_out, pictures, top)
    (folder / "README.md").write_text(page, encoding="utf-8")
    _write_json(folder / DATACITE_FILE, datacite(described, title, text, runs, packaged_files(folder)))
    _write_json(folder / CRATE_FILE, crate(described, title, text, runs, pictures, packaged_files(folder)))
    write_manifest(folder)


def title_of(runs: Sequence[PackagedRun]) -> str:
    """Return a title from what the runs say of themselves."""
    if len(runs) == 1:
        return runs[0].title
    kinds = Counter(one.procedure for one in runs)
    if len(kinds) > MOST_KINDS:
        return f"RRAM array: {len(runs)} runs of {len(kinds)} procedures"
    told = [f"{count} run{'s' * (count > 1)} of {name}" for name, count in kinds.most_common()]
    return f"RRAM array: {', '.join(told)}"


def text_of(runs: Sequence[PackagedRun]) -> str:
    """Return a description from what the runs say of themselves."""
    kinds = ", ".join(dict.fromkeys(one.procedure for one in runs))
    benches = ", ".join(dict.fromkeys(one.bench for one in runs if one.bench))
    chips = ", ".join(dict.fromkeys(one.chip for one in runs if one.chip))
    first, last = min(one.start for one in runs).date(), max(one.start for one in runs).date()
    when = f"on {first}" if first == last else f"from {first} to {last}"
    versions = ", ".join(dict.fromkeys(one.provenance.get("mho_version", "") for one in runs)).strip(", ")
    simulated = sum(one.simulated for one in runs)
    kind = {0: "", len(runs): " All were made on a simulated bench."}.get(
        simulated, f" {simulated} were made on a simulated bench."
    )
    return (
        f"{len(runs)} run{'s' * (len(runs) > 1)} on an array of RRAM cells ({kinds}){f', bench {benches}' * bool(benches)}"
        f"{f', chip {chips}' * bool(chips)}, recorded {when} with mho{f' {versions}' * bool(versions)}.{kind}"
    )


def _write_table(folder: Path, runs: Sequence[PackagedRun]) -> None:
    """Write a line a run: what it is, what was set, what came of it, as its file in the package says."""
    header = ("file", "run_id", "title", "procedure", "version", "status", "reason", "conclusion", "start", "end",
              "bench", "chip", "cells", "seed", "preset", "original_sha256")  # fmt: skip
    table = table_of(row_of(folder / one.path) for one in runs)
    measured = [name for name in table.columns if name.startswith(tuple(f"{one}." for one in SOURCES))]
    with (folder / "runs.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow([*header, *csv_heads(table, measured)])
        for one, row in zip(runs, table.rows, strict=True):
            end = one.end.isoformat() if one.end else ""
            facts = (one.path, one.run_id, one.title, one.procedure, one.version, one.status, one.reason,
                     outcome_line(one.status, one.reason, one.conclusion, named=False),
                     one.start.isoformat(), end, one.bench, one.chip, one.cells, one.provenance.get("seed", ""),
                     one.provenance.get("preset", ""), one.original_sha256)  # fmt: skip
            cells = [csv_cell(str(fact)) for fact in facts]
            writer.writerow([*cells, *(csv_value(row[name]) for name in measured)])


def _write_json(path: Path, told: object) -> None:
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
