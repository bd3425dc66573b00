"""The page of a package that people read: what is what, how to read it, to repeat it, to check it and to cite it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mho.analysis.exports.package.checksums import MANIFEST
from mho.analysis.exports.package.contents import PackagedRun
from mho.analysis.exports.package.description import Description
from mho.analysis.exports.package.pictures import Picture
from mho.analysis.exports.package.text_tables import Kind
from mho.analysis.reports.quantities import parameter_text
from mho.escaping import markdown, visible
from mho.runs import Status
from mho.runs.nexus import FILE as DEFINITION_FILE

MOST_PARAMETERS = 3
"""Runs of a package up to which the page lists their parameters."""

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
    described: Description,
    title: str,
    text: str,
    runs: Sequence[PackagedRun],
    left_out: Mapping[Kind, int],
    pictures: Sequence[Picture],
    present: Iterable[str],
) -> str:
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


def _only_there(left_out: Mapping[Kind, int]) -> str:
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
    note = (
        f"\n\n**{odd} of {len(runs)} did not come to their end**: what they measured until then is here."
        if odd
        else ""
    )
    rows = [
        (
            f"`{_code(str(one.path))}`",
            markdown(one.title),
            markdown(one.procedure),
            markdown(one.outcome),
            one.start.isoformat(timespec="seconds"),
        )
        for one in runs
    ]
    return _table(("file", "title", "procedure", "status", "started"), rows) + note


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
    versions = dict.fromkeys(map(_version, simulated))
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


def _version(run: PackagedRun) -> str:
    version, commit = (run.provenance.get(name, "") for name in ("mho_version", "git_commit"))
    return f"{version} (commit {commit[:12]})" if commit else version


def _checking(runs: Sequence[PackagedRun]) -> str:
    told = f"""\
    sha256sum -c {MANIFEST}   # nothing has changed
    mho verify runs/*.h5                 # every run file is as it was sealed"""
    if all(one.conforms for one in runs):
        told += "\n    mho verify --nexus runs/*.h5         # and follows NXrram_array"
    if any(one.withheld for one in runs):
        told += """

The run files are copies for publication: what names a person, a computer or its folders is left empty or replaced by
`[user]`, `[host]` or `[home]`, and paths are cut to the names of files. `entry/publication/withheld` in each says where,
`original_sha256` there is the SHA-256 of the file that its author keeps."""
    return told


def _citation(described: Description, title: str) -> str:
    names = "; ".join(one.name for one in described.creators)
    address = f"https://doi.org/{described.doi}" if "/" in described.doi else ""
    parts = [
        f"{names} ({described.day.year})" if names else str(described.day.year),
        title,
        described.publisher,
        address,
    ]
    told = f"> {'. '.join(markdown(part) for part in parts if part)}\n"
    if not names or not address:
        lacking = " and ".join(["creators"] * (not names) + ["DOI"] * (not address))
        told += f"\nNot given when the package was made: {lacking}.\n"
    if described.paper:
        told += f"\nThe data belong to https://doi.org/{described.paper}.\n"
    if described.licence:
        told += f"\nLicence: {markdown(described.licence.name)}, {described.licence.address}.\n"
    return told


def _code(text: str) -> str:
    """Return text that stands between backticks or in a block of code, where nothing can be escaped."""
    return visible(text, lines=False).replace("`", "'")
