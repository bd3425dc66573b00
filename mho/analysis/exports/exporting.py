"""Exports a run file as CSV tables, ``.mat``, NetCDF, a package, a chip map, or a netlist; whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from mho.analysis.reports.collection import runs_at
from mho.errors import InputError, MhoError
from mho.runs import RunFile
from mho.whole_files import whole_file

if TYPE_CHECKING:
    from mho.analysis.exports.spice import Played

FORMS = ("csv", "mat", "netcdf", "folder", "eln", "chip-map", "spice")
PACKAGES = ("folder", "eln")  # forms that hold any number of runs, and what is said of them
_WRITERS = {
    "csv": ("csv_folder", "write_csv"), "mat": ("matlab", "write_matlab"), "netcdf": ("netcdf", "write_netcdf"),
    "chip-map": ("chip_map", "write_chip_map"), "spice": ("spice", "write_netlist"),
}  # fmt: skip
_SUFFIXES = {"csv": "-csv", "mat": ".mat", "netcdf": ".nc", "chip-map": "-chip.toml", "spice": ".cir"}


def export(
    path: str | os.PathLike[str], form: str, output: str | os.PathLike[str] | None = None, played: Played | None = None
) -> Path:  # fmt: skip
    """Write the run file at `path` in another form; return what was written.

    One that is still being written is exported as it stands, except to a folder. For the forms see `csv_folder`, `matlab`,
    `netcdf`, `package`, `chip_map` and `spice` in `mho.analysis.exports`; `package.publish` takes several runs, and what is
    to be said of them.

    Parameters
    ----------
    path : path-like
        The run file.
    form : str
        "csv", "mat", "netcdf", "chip-map", "spice", "folder" or "eln".
    output : path-like, optional
        What to write, which does not exist yet; by default beside the run file.
    played : Played, optional
        Whose inputs a netlist has; by default those of the first.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    RunFileError
        When the run file is missing, foreign or damaged.
    InputError
        For an unknown form, an output that exists or cannot be written, a package that is not installed, a run that the
        form cannot hold.
    """
    source = Path(path)
    check_form(form)
    if form in PACKAGES:
        from mho.analysis.exports.package import publish

        return publish([source], output, eln=form == "eln").path
    target = source.with_name(output_name(source, form)) if output is None else Path(output)
    with RunFile(source) as run:
        if target.exists():
            raise InputError(f"{target} exists already and is never overwritten; choose another output")
        with whole_file(target) as draft:
            target.parent.mkdir(parents=True, exist_ok=True)
            module, function = _WRITERS[form]  # is loaded only now
            write: Callable[..., None] = getattr(import_module(f"mho.analysis.exports.{module}"), function)
            write(run, draft, **({"played": played} if form == "spice" and played else {}))
    return target


def export_all(
    places: Sequence[str | os.PathLike[str]], form: str, folder: str | os.PathLike[str] | None = None,
    played: Played | None = None,
) -> Iterator[Path | MhoError]:  # fmt: skip
    """Write each of the run files at `places`, files or folders of them, in another form, under their names into a folder.

    Without a `folder` each goes beside its run file. Yields what was written, or why a file was skipped.

    Raises `InputError`: unknown form, a place that is not there or holds no run.
    """
    check_form(form)
    for path in runs_at(places):
        try:
            target = None if folder is None else Path(folder) / output_name(path, form)
            yield export(path, form, target, played)
        except MhoError as error:
            yield error


def check_form(form: str) -> None:
    """Refuse a form that there is not."""
    if form not in FORMS:
        raise InputError(f"there is no form {form!r} to export to; there are {', '.join(FORMS)}")


def output_name(source: Path, form: str) -> str:
    """Return the name that a run has in another form."""
    return source.stem + _SUFFIXES[form]
