"""Writes the report of a run, of several, of a campaign or of a characterisation, as HTML or PDF."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mho.analysis.characterisation import characterisation_document
from mho.analysis.documents import check_page, save_page
from mho.analysis.report_pages.run_page import CommandOf, run_document
from mho.errors import InputError

KINDS = ("run", "comparison", "campaign", "characterisation")

Place = str | os.PathLike[str]


def report(
    *places: Place,
    output: Place | None = None,
    kind: str = "",
    personal: bool = False,
    command_of: CommandOf | None = None,
) -> Path:
    """Write the report of run files or of a folder of them, and return the page.

    Parameters
    ----------
    places : path
        Run files, or a folder.
    output : path, optional
        Page (``.html`` or ``.pdf``); by default beside the run file, or ``report.html`` in the folder.
    kind : str
        One of `KINDS`; chosen by what there is where left out.
    personal : bool
        Show folders, user, host, command line and changes to the code too.
    command_of : callable, optional
        Returns the command that starts a run anew, for the page of one run.

    Raises
    ------
    InputError
        There is nothing to report on, or the page cannot be written.
    RunFileError
        The one run file cannot be read.
    """
    paths = [Path(one) for one in places]
    if not paths:
        raise InputError("nothing is named; give run files, or a folder of them")
    if kind and kind not in KINDS:
        raise InputError(f"{kind!r} is no kind of report; choose one of {', '.join(KINDS)}")
    chosen = kind or _kind_of(paths)
    target = _target(paths, chosen) if output is None else Path(output)
    check_page(target)
    if chosen == "characterisation":
        return save_page(characterisation_document(paths[0], personal=personal), target)
    return save_page(run_document(paths[0], personal=personal, command_of=command_of), target)


def _kind_of(paths: Sequence[Path]) -> str:
    return "characterisation" if paths[0].is_dir() else "run"


def _target(paths: Sequence[Path], kind: str) -> Path:
    first = paths[0]
    return first / "report.html" if first.is_dir() else first.with_suffix(".html")
