"""The run files that are exported: those that are named, and those in the folders that are named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mho.analysis.reports.collection import find_runs
from mho.errors import InputError


def runs_at(places: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the run files at `places`, each once; a single file need not be there: who opens it says so.

    Earlier tries of a run that was tried again are among them: what is handed on is all there is.

    Raises `InputError`: one of several places is not there, or there is no run file in any.
    """
    if len(places) == 1 and not Path(places[0]).is_dir():
        return [Path(places[0])]
    found = list(dict.fromkeys(find_runs(*places, every_try=True)))
    if not found:
        what = f"{places[0]} is a folder that holds" if len(places) == 1 else "what was given holds"
        raise InputError(f"{what} no run file; give run files, or folders with some")
    return found
