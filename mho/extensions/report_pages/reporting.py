"""Writes the report of a run, of several, of a campaign or of a characterisation, as HTML or PDF."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mho.analysis.comparisons import compare_files
from mho.errors import InputError
from mho.extensions.report_pages.campaign_page import campaign_document
from mho.extensions.report_pages.characterisation_page import characterisation_document
from mho.extensions.report_pages.comparison_page import comparison_document
from mho.extensions.report_pages.documents import Document, check_page, save_page
from mho.extensions.report_pages.kinds import KINDS, kind_of
from mho.extensions.report_pages.run_page import run_document

Place = str | os.PathLike[str]


def report(
    *places: Place,
    output: Place | None = None,
    kind: str = "",
    by: str = "",
    personal: bool = False,
    whole: bool = False,
) -> Path:
    """Write the report of run files or of a folder of them, and return the page.

    Parameters
    ----------
    output
        Page (``.html`` or ``.pdf``); by default beside the run file, or ``report.html`` in the folder.
    kind
        One of `KINDS`; chosen by what there is where left out.
    by
        What the runs of a campaign or a comparison are grouped by: a fact, parameter or result, or several with commas
        between them. Of a campaign what was varied, the seed aside, where left out.
    personal
        Show folders, user, host, command line and changes to the code too.
    whole
        Open what is folded, on the screen and in print.

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
    target = None if output is None else Path(output)
    if target is not None:
        check_page(target)
    chosen = kind or kind_of(paths, by)
    if target is None:
        target = _target(paths, chosen)
        check_page(target)
    return save_page(replace(_document(paths, chosen, by, personal), unfolded=whole), target)


def _document(paths: Sequence[Path], kind: str, by: str, personal: bool) -> Document:
    if kind in ("run", "characterisation") and (by or len(paths) > 1):
        what = "--by goes" if by else f"{len(paths)} places go"
        raise InputError(f"{what} with a comparison or a campaign; a report of kind {kind} is of one place")
    if kind == "run":
        return run_document(paths[0], personal=personal)
    if kind == "characterisation":
        return characterisation_document(paths[0], personal=personal)
    if kind == "campaign":
        return campaign_document(paths, by=by, personal=personal)
    shown = [str(path) if personal else path.name for path in paths]
    command = shlex.join(["mho", "compare", *shown, *(["--by", by] if by else [])])
    return comparison_document(compare_files(paths, by=by), command=command, personal=personal)


def _target(paths: Sequence[Path], kind: str) -> Path:
    first = paths[0]
    if first.is_dir():
        return first / "report.html"
    return first.with_suffix(".html") if kind == "run" else first.with_name(f"{first.stem}-{kind}.html")
