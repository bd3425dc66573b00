"""Export of a run as a self-contained folder for publication, with checksums and a README.

It holds the run file, the same data as CSV, bench file and chip map, the figure, the state of the code, and
``SHA256SUMS`` (``sha256sum -c SHA256SUMS`` checks that nothing has changed).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py

from mho.analysis.exports.csv_folder import write_csv
from mho.analysis.reports.quantities import parameter_text
from mho.errors import InputError
from mho.escaping import markdown, visible
from mho.runs import GOING_ON, RunFile, Status, recover
from mho.runs.provenance import file_hash

_README = """\
# {title}

One run of mho, a lab suite for analogue matrix computing on RRAM chips.

| | |
|---|---|
{facts}

## What is here

| file | what it is |
|---|---|
{files}

Tables in `csv/` have their units in the headers. The run file is HDF5 in the NeXus layout: silx, NeXpy and H5Web
open it at a plot, `h5py.File("{name}", "r")` reads it. `sha256sum -c SHA256SUMS` checks that nothing has changed.
{repeat}"""

_REPEAT = """
## To repeat it

The bench was simulated (seed {seed}), so the run can be repeated bit for bit with mho {version}{commit}:

    mho rerun {name}
"""


def write_folder(run: RunFile, file: h5py.File, folder: Path) -> None:
    """Write the folder of a run.

    Raises
    ------
    InputError
        The run is not over.
    """
    if run.status in GOING_ON:
        raise InputError(f"{run.path} is still being written; publish it when its run is over")
    folder.mkdir()
    copy = folder / run.path.name
    shutil.copyfile(run.path, copy)
    if run.status is Status.INTERRUPTED:
        recover(copy)  # so that any viewer opens it
    write_csv(run, file, folder / "csv")
    texts = {
        "bench.toml": run.bench,
        "chip.toml": run.chip,
        "packages.txt": run.provenance.get("packages", ""),
        "uncommitted.diff": run.provenance.get("git_diff", ""),
        "summary.json": json.dumps(run.summary, indent=1) if run.summary else "",
        "provenance.json": json.dumps(run.provenance, indent=1),
    }
    for name, text in texts.items():
        if text:
            (folder / name).write_text(text, encoding="utf-8")
    _draw(run, folder)
    (folder / "README.md").write_text(_readme(run, folder), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{file_hash(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def _draw(run: RunFile, folder: Path) -> None:
    from mho.analysis.figures.sheet import draw_runs, save  # matplotlib takes its time

    sheet = draw_runs([run])
    save(sheet, folder / "figure.png", "png")
    save(sheet, folder / "figure.svg", "svg")


_WHAT = {
    "csv": "the same data as text",
    "bench.toml": "the bench: instruments, wiring, limits",
    "chip.toml": "the chip: arrays, levels, known bad cells",
    "packages.txt": "Python packages and their versions",
    "uncommitted.diff": "changes of the code that were not committed",
    "summary.json": "the result in a few numbers and words",
    "provenance.json": "where the run came from",
    "figure.png": "the declared figures",
    "figure.svg": "the declared figures, to be edited",
    "SHA256SUMS": "checksums",
}


def _readme(run: RunFile, folder: Path) -> str:
    end, provenance = run.end_time, run.provenance
    facts = {
        "procedure": f"{run.procedure}, version {run.version}",
        "started": run.start_time.isoformat(),
        "ended": "unknown" if end is None else end.isoformat(),
        "status": f"{run.status}{f': {run.reason}' if run.reason else ''}",
        "cells": run.cells,
        "seed": provenance.get("seed", ""),
        "mho": f"{provenance.get('mho_version', '')} {provenance.get('git_commit', '')}".strip(),
    } | {parameter.label or name: parameter_text(parameter) for name, parameter in run.parameters.items()}
    present = {run.path.name: "the run file"} | {
        name: what for name, what in _WHAT.items() if name == "SHA256SUMS" or (folder / name).exists()
    }
    code = _code(run.path.name)
    commit = provenance.get("git_commit", "")
    repeat = _REPEAT.format(
        seed=markdown(provenance.get("seed", "")),
        version=markdown(provenance.get("mho_version", "")),
        commit=f" (commit {markdown(commit[:12])})" if commit else "",
        name=code,
    )
    return _README.format(
        title=markdown(run.title),
        facts=_rows(facts),
        files=_rows({f"`{_code(name)}`": what for name, what in present.items()}),
        name=code,
        repeat=repeat if "preset" in provenance else "",
    )


def _code(text: str) -> str:
    """Return text that stands between backticks or in a block of code, where nothing can be escaped."""
    return visible(text, lines=False).replace("`", "'")


def _rows(pairs: dict[str, str]) -> str:
    return "\n".join(
        f"| {name if name.startswith('`') else markdown(name)} | {markdown(text)} |"
        for name, text in pairs.items()
        if text
    )
