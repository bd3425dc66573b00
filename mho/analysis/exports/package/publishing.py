"""Makes one research package of any number of runs, a folder or a file for lab notebooks: all of it, or nothing.

DataCite Metadata Working Group, DataCite Metadata Schema 4.5 (2024), doi:10.14454/g8e5-6293. A property that is required
and was not given is left out: a repository asks for it.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho import platforms
from mho.analysis.exports.package.contents import (
    MANIFEST,
    Contents,
    PackagedFile,
    PackagedRun,
    packaged_files,
    write_manifest,
)
from mho.analysis.exports.package.crate import FILE as CRATE_FILE
from mho.analysis.exports.package.crate import Crate
from mho.analysis.exports.package.description import Creator, Description
from mho.analysis.exports.package.pictures import How, PackagePicture, check_how, draw_pictures
from mho.analysis.exports.package.text_tables import TableKind, TextTables, check_which, text_tables
from mho.analysis.reports.collection import runs_at
from mho.analysis.reports.quantities import parameter_text
from mho.analysis.reports.run_table import csv_heads, csv_value, row_of, table_of
from mho.errors import InputError, RunFileError
from mho.escaping import csv_cell, markdown, visible
from mho.runs import Status, outcome_line
from mho.runs.index import SOURCES, read_card
from mho.runs.nexus import FILE as DEFINITION_FILE
from mho.runs.nexus import definition_text
from mho.whole_files import whole_file

MOST_PARAMETERS = 3  # runs of a package up to which the page lists their parameters

_PLACES = {
    "runs/": "the run files, HDF5 in the NeXus layout: all that was measured, and how",
    "data/NAME/": "the same as text: a CSV file a table, map, array; parameters and results in `run.json`",
    "figures/": "the figures, as PNG, SVG and PDF",
    "bench/": "the benches: instruments, wiring, limits",
    "chip/": "the chips: arrays, levels, known bad cells",
    "source/": "the code of procedures that are not part of mho",
    "environment/": "Python packages, platform and versions",
    "runs.csv": "a line a run: file, identity, procedure, status, times, seed, the original's hash, parameters, results",
    DEFINITION_FILE: "what is where in a run file, as NeXus has it",
    "ro-crate-metadata.json": "all of this for machines (RO-Crate 1.1)",
    "datacite.json": "what a repository registers (DataCite 4.5)",
    MANIFEST: "checksums of all files",
}


def readme(
    described: Description, title: str, text: str, runs: Sequence[PackagedRun],
    left_out: Mapping[TableKind, int], pictures: Sequence[PackagePicture], present: Iterable[str],
) -> str:  # fmt: skip
    """Return the page; `left_out` are in the run files only, `present` the names at the top of the package."""
    there = {*present, MANIFEST, "ro-crate-metadata.json", "datacite.json"}
    places = {name: what for name, what in _PLACES.items() if name.partition("/")[0] in there}
    parts = [
        f"# {markdown(title)}\n",
        f"{markdown(text)}\n",
        _section(
            "What is here", _table(("where", "what"), [(f"`{name}`", what) for name, what in places.items()])
        ),
        _section("What is in the run files only", _only_there(left_out)),
        _section("The runs", _runs(runs)),
        *(_section(markdown(one.title), _parameters(one)) for one in runs if len(runs) <= MOST_PARAMETERS),
        _section("How to read it", _reading(runs[0], bool(pictures))),
        _section("How to repeat it", _repeating(runs)),
        _section("How to check it", _checking(runs)),
        _section("How to cite it", _citation(described, title)),
    ]
    return "\n".join(part for part in parts if part)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}\n" if text else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _only_there(left_out: Mapping[TableKind, int]) -> str:
    if not left_out:
        return ""
    rows = [
        (markdown(one.procedure), one.kind, f"`{_code(one.name)}`", f"{values:,}")
        for one, values in sorted(left_out.items())
    ]
    return """\
These are large, so `data/` has no text of them. They are in `runs/`, whole: the columns of a table as `entry/TABLE/COLUMN`,
a map as `entry/maps/MAP`, an array as `entry/arrays/ARRAY`. `mho export runs/*.h5 --to csv` writes them as text.

""" + _table(("procedure", "what", "name", "values in all runs"), rows)


def _runs(runs: Sequence[PackagedRun]) -> str:
    odd = sum(one.status is not Status.FINISHED for one in runs)
    note = f"\n\n**{odd} of {len(runs)} did not come to their end**: what they measured until then is here."
    rows = [
        (f"`{_code(str(one.path))}`", *map(markdown, (one.title, one.procedure, one.outcome)),
         one.start.isoformat(timespec="seconds"))
        for one in runs
    ]  # fmt: skip
    return _table(("file", "title", "procedure", "status", "started"), rows) + note * bool(odd)


def _parameters(run: PackagedRun) -> str:
    rows = [
        (markdown(one.label or name), markdown(parameter_text(one))) for name, one in run.parameters.items()
    ]
    rows += [("cells", markdown(run.cells))] * bool(run.cells)
    seed = run.provenance.get("seed", "")
    rows += [("seed", markdown(seed))] * bool(seed)
    return _table(("setting", "value"), rows)


def _reading(run: PackagedRun, pictures: bool) -> str:
    drawing = "\n    mho plot RUN.h5                     # its figures" if pictures else ""
    return f"""\
silx, NeXpy and H5Web open a run file at a plot. In Python, without mho:

    import h5py
    with h5py.File("{_code(str(run.path))}") as file:
        entry = file["entry"]           # what is where: {DEFINITION_FILE}

The tables in `data/` are CSV with units in the headers (`voltage (V)`), in UTF-8; an apostrophe stands before what a
spreadsheet would take for a formula. With mho:

    mho show RUN.h5                     # parameters, results, log{drawing}"""


def _repeating(runs: Sequence[PackagedRun]) -> str:
    simulated = [one for one in runs if one.simulated]
    if not simulated:
        return ""
    versions: dict[str, None] = {}
    for one in simulated:
        version, commit = (one.provenance.get(name, "") for name in ("mho_version", "git_commit"))
        versions[f"{version} (commit {commit[:12]})" if commit else version] = None
    own = any("source" in one.texts for one in simulated)
    return f"""\
{len(simulated)} of {len(runs)} were made on a simulated bench, with seeds, so they can be repeated bit for bit with mho \
{markdown(", ".join(versions))}:

    mho rerun {_code(str(simulated[0].path))}""" + (
        "\n\nThe code of procedures that are not part of mho is in `source/`; `mho rerun` looks for it where `procedure` "
        "in `run.json` says, from the current folder."
        if own
        else ""
    )


def _checking(runs: Sequence[PackagedRun]) -> str:
    text = f"""\
    sha256sum -c {MANIFEST}   # nothing has changed
    mho verify runs/*.h5                 # every run file is as it was sealed"""
    if all(one.conforms for one in runs):
        text += "\n    mho verify --nexus runs/*.h5         # and follows NXrram_array"
    if any(one.withheld for one in runs):
        text += """

The run files are copies for publication: what names a person, a computer or its folders is left empty or replaced by
`[user]`, `[host]` or `[home]`, and paths are cut to the names of files. `entry/publication/withheld` in each says where,
`original_sha256` there is the SHA-256 of the file that its author keeps."""
    return text


def _citation(described: Description, title: str) -> str:
    names = "; ".join(one.name for one in described.creators)
    address = f"https://doi.org/{described.doi}" if "/" in described.doi else ""
    who = f"{names} ({described.day.year})" if names else str(described.day.year)
    parts = [who, title, described.publisher, address]
    text = f"> {'. '.join(markdown(part) for part in parts if part)}\n"
    if not names or not address:
        lacking = " and ".join(["creators"] * (not names) + ["DOI"] * (not address))
        text += f"\nNot given when the package was made: {lacking}.\n"
    if described.paper:
        text += f"\nThe data belong to https://doi.org/{described.paper}.\n"
    if described.licence:
        text += f"\nLicence: {markdown(described.licence.name)}, {described.licence.address}.\n"
    return text


def _code(text: str) -> str:
    """Return text that stands between backticks or in a block of code, where nothing can be escaped."""
    return visible(text, lines=False).replace("`", "'")


FILE = "datacite.json"
SCHEMA = "http://datacite.org/schema/kernel-4"


def datacite(
    described: Description, title: str, text: str, runs: Sequence[PackagedRun], files: Sequence[PackagedFile]
) -> dict[str, Any]:
    """Return the metadata of a package; the days of the runs are the first and the last (RKMS-ISO8601)."""
    days = [one.start.date() for one in runs] + [one.end.date() for one in runs if one.end]
    collected = "/".join(dict.fromkeys((min(days).isoformat(), max(days).isoformat())))
    metadata: dict[str, Any] = {
        "schemaVersion": SCHEMA,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "RRAM array measurements"},
        "titles": [{"title": title}],
        "publicationYear": str(described.day.year),
        "descriptions": [{"description": text, "descriptionType": "Abstract"}],
        "dates": [
            {"date": described.day.isoformat(), "dateType": "Issued"},
            {"date": collected, "dateType": "Collected"},
        ],
        "formats": sorted({one.media_type for one in files}),
        "sizes": [f"{len(files)} files", f"{sum(one.size for one in files)} bytes"],
        "alternateIdentifiers": [
            {"alternateIdentifier": run_id, "alternateIdentifierType": "mho run"}
            for run_id in dict.fromkeys(one.run_id for one in runs)
        ],
    }
    if described.creators:
        metadata["creators"] = [_creator(one) for one in described.creators]
    if described.publisher:
        metadata["publisher"] = {"name": described.publisher}
    if described.keywords:
        metadata["subjects"] = [{"subject": one} for one in dict.fromkeys(described.keywords)]
    if licence := described.licence:
        rights = {"rights": licence.name, "rightsUri": licence.address}
        if licence.identifier:
            rights |= {"rightsIdentifier": licence.identifier, "rightsIdentifierScheme": "SPDX"}
            rights["schemeUri"] = "https://spdx.org/licenses/"
        metadata["rightsList"] = [rights]
    if described.paper:
        related = {"relatedIdentifier": described.paper, "relatedIdentifierType": "DOI"}
        metadata["relatedIdentifiers"] = [{**related, "relationType": "IsSupplementTo"}]
    if described.doi:
        prefix, slash, _ = described.doi.partition("/")
        metadata |= {"doi": described.doi} if slash else {"prefix": prefix}
    return metadata


def _creator(creator: Creator) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": creator.name, "nameType": "Personal"}
    if creator.family_and_given:
        entry["familyName"], entry["givenName"] = creator.family_and_given
    if creator.affiliation:
        entry["affiliation"] = [{"name": creator.affiliation}]
    if creator.orcid:
        orcid = {"nameIdentifier": f"https://orcid.org/{creator.orcid}", "nameIdentifierScheme": "ORCID"}
        entry["nameIdentifiers"] = [{**orcid, "schemeUri": "https://orcid.org"}]
    return entry


SUFFIX = "-published"
ELN = ".eln"  # suffix of a package as one file that electronic lab notebooks take in
MOST_KINDS = 4  # procedures that a title names

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Published:
    """A package."""

    path: Path
    runs: tuple[PackagedRun, ...]
    skipped: tuple[str, ...] = ()  # files that are not in it, and why, one sentence each
    missing: tuple[str, ...] = ()  # what a repository requires and was not given, one sentence each


def publish(
    places: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str] | None = None,
    described: Description | None = None, *, eln: bool = False, personal: bool = False, figures: str | None = None,
    tables: str | None = None, progress: Progress = lambda stage, done, total: None,
) -> Published:  # fmt: skip
    """Make a package of the runs at `places`, files or folders of them.

    Parameters
    ----------
    output
        A folder or ``.eln`` file that does not exist yet; by default beside the run or the folder.
    described
        What is said of it; what is not said is left out.
    eln
        Write one file for electronic lab notebooks instead of a folder, see `_zip_in_place`.
    personal
        Keep user, host, command line, paths and uncommitted changes in the run files, which are then copied as they are.
    figures, tables
        See `draw_pictures`; and what of the runs is written as CSV too, by default the smallest up to 10 million values.
    progress
        Is told the stage, how much of it is done, and of how much.

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
        raise InputError(f"{target} exists already and is never overwritten; choose another output")
    if eln and target.suffix.lower() != ELN:
        raise InputError(f"{target} would not be taken for a file of lab notebooks; end its name in {ELN}")
    with whole_file(target) as draft:
        draft.mkdir(parents=True)
        as_text = text_tables(paths, which)
        runs, skipped = _add(Contents(draft, personal, as_text), paths, progress)
        _describe(draft, described, runs, as_text, how, progress)
        if eln:
            _zip_in_place(draft, target.stem)
    return Published(target, tuple(runs), tuple(skipped), described.missing)


def _beside(places: Sequence[str | os.PathLike[str]], suffix: str) -> Path:
    """Return where a package goes unless it is said: beside the run or the folder, of several beside the first."""
    first = Path(os.path.abspath(places[0]))
    given = Path(places[0])
    if first.is_dir():
        return (given if given.name else first).with_name(f"{first.name}{suffix}")
    return given.with_name(f"{given.stem if len(places) == 1 else 'runs'}{suffix}")


def _zip_in_place(folder: Path, root: str) -> None:
    """Replace a package by one zipped RO-Crate with a single root folder of that name.

    The same package gives the same bytes: the files have one order and no time of their own. The ELN Consortium,
    Specification for the ELN file format, commit 401e7aa (2026-08-20).
    """
    draft = folder.with_suffix(".zip")
    try:
        with zipfile.ZipFile(draft, "x") as archive:
            for file in packaged_files(folder):
                entry = zipfile.ZipInfo(f"{root}/{file.path}")
                entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, file.size
                entry.external_attr = 0o644 << 16
                with (folder / file.path).open("rb") as source, archive.open(entry, "w") as sink:
                    shutil.copyfileobj(source, sink)
        shutil.rmtree(folder)
        platforms.here.replace(draft, folder)
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
    folder: Path, described: Description, runs: Sequence[PackagedRun], as_text: TextTables, how: How | None,
    progress: Progress,
) -> None:  # fmt: skip
    title, text = described.title or title_of(runs), described.text or text_of(runs)
    pictures = draw_pictures(folder, runs, how, lambda done, total: progress("figures", done, total))
    (folder / DEFINITION_FILE).write_text(definition_text(), encoding="utf-8")
    _write_table(folder, runs)
    top = [path.name for path in folder.iterdir()]
    page = readme(described, title, text, runs, as_text.left_out, pictures, top)
    (folder / "README.md").write_text(page, encoding="utf-8")
    _write_json(folder / FILE, datacite(described, title, text, runs, packaged_files(folder)))
    crate = Crate(described, runs, pictures, packaged_files(folder))
    _write_json(folder / CRATE_FILE, crate.written(title, text))
    write_manifest(folder)


def title_of(runs: Sequence[PackagedRun]) -> str:
    """Return a title from what the runs say of themselves."""
    if len(runs) == 1:
        return runs[0].title
    kinds = Counter(one.procedure for one in runs)
    if len(kinds) > MOST_KINDS:
        return f"RRAM array: {len(runs)} runs of {len(kinds)} procedures"
    counts = [f"{count} run{'s' * (count > 1)} of {name}" for name, count in kinds.most_common()]
    return f"RRAM array: {', '.join(counts)}"


def text_of(runs: Sequence[PackagedRun]) -> str:
    """Return a description from what the runs say of themselves."""
    kinds = ", ".join(dict.fromkeys(one.procedure for one in runs))
    benches = ", ".join(dict.fromkeys(one.bench for one in runs if one.bench))
    chips = ", ".join(dict.fromkeys(one.chip for one in runs if one.chip))
    first, last = min(one.start for one in runs).date(), max(one.start for one in runs).date()
    when = f"on {first}" if first == last else f"from {first} to {last}"
    versions = ", ".join(dict.fromkeys(one.provenance.get("mho_version", "") for one in runs)).strip(", ")
    simulated = sum(one.simulated for one in runs)
    whole = "All" if simulated == len(runs) else simulated
    kind = f" {whole} were made on a simulated bench." * bool(simulated)
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


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
