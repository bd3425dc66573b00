"""The cards of run files: what a run is called, what was set, what came of it; no data."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mho.analysis.reports.collection import find_runs
from mho.errors import InputError, RunFileError
from mho.runs.index import Card, read_card


@dataclass(frozen=True)
class RunCard:
    """A run file that can be read, and what its card says; it serves as the path of the file wherever one is asked for."""

    path: Path
    card: Card

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.card.status == "finished"


@dataclass(frozen=True)
class Skipped:
    """A file that cannot be read, and why."""

    path: str
    reason: str


def read_cards(places: Iterable[str | os.PathLike[str]]) -> tuple[list[RunCard], list[Skipped]]:
    """Return the cards of all run files at places, files or folders, and the files that cannot be read.

    A place that is a `RunCard` is not read again.

    Raises
    ------
    InputError
        A place is not there, or no file can be read.
    """
    named = list(places)
    known = {one.path: one for one in named if isinstance(one, RunCard)}
    runs, skipped = [], []
    for path in find_runs(*named):
        try:
            runs.append(known.get(path) or RunCard(path, read_card(path)))
        except RunFileError as error:
            skipped.append(Skipped(str(path), str(error)))
    if not runs and not skipped:
        where = f"{named[0]} is a folder without run files" if len(named) == 1 else "no run file is there"
        raise InputError(f"{where}; name run files, or folders that hold some")
    if not runs:
        raise InputError(f"none of {len(skipped)} run files can be read: {skipped[0].reason}")
    return runs, skipped
