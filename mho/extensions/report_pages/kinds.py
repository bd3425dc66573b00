"""Chooses the kind of report by what there is: one run, a few to be compared, a campaign, a characterisation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mho.analysis.reports import find_runs
from mho.errors import InputError, RunFileError
from mho.input_files import check_ordinary
from mho.runs.index import read_card
from mho.toml import load_toml

KINDS = ("run", "comparison", "campaign", "characterisation")
MOST_COMPARED = 10  # run files that are compared one by one; more are a campaign
PLAN = "plan.toml"
LARGEST_PLAN = 1 << 20
LOOKED_AT = 20  # runs of a folder whose procedures are looked at


def kind_of(paths: Sequence[Path], by: str = "") -> str:
    """Return the kind of report for run files or a folder of them.

    A folder is a campaign where its plan has a sweep, or where its runs, or those in folders below it, are all of one
    procedure; it is a characterisation otherwise.

    Raises `InputError`: a place is not there, or holds no run.
    """
    if len(paths) == 1 and paths[0].is_dir():
        return _kind_of_folder(paths[0], by)
    if by:
        return "comparison"
    if len(paths) == 1:
        return "run"
    return "campaign" if any(path.is_dir() for path in paths) or len(paths) > MOST_COMPARED else "comparison"


def _kind_of_folder(folder: Path, by: str) -> str:
    run_paths = list(find_runs(folder))
    here = [path for path in run_paths if path.parent == folder]
    plan: dict[str, object] = {}
    with suppress(InputError):  # where it is no plan, the page will say so
        plan = load_toml(read_plan(folder), "the plan", InputError)
    if by or plan.get("sweep"):
        return "campaign"
    if plan.get("steps"):
        return "characterisation"
    if not here and run_paths:
        return "campaign"
    procedures = set()
    for path in (here or run_paths)[:LOOKED_AT]:
        try:
            procedures.add(read_card(path).facts.procedure)
        except RunFileError:
            continue
    return "campaign" if len(procedures) == 1 and len(here) > 1 else "characterisation"


def read_plan(folder: Path) -> str:
    """Return the text of the plan in a folder; "" where there is none that can be read."""
    path = folder / PLAN
    try:
        check_ordinary(path)
        return path.read_text("utf-8") if path.stat().st_size <= LARGEST_PLAN else ""
    except (OSError, UnicodeDecodeError):
        return ""
