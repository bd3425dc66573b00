"""Tells by their contents what files are that were dropped on the window: runs, benches, plans, matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mho.errors import InputError
from mho.input_files import read_text
from mho.toml import load_toml

FileKind = Literal["run", "bench", "plan", "matrix"]

MATRICES = (".npy", ".csv", ".mtx")
"""Suffixes of the files that a matrix is read from."""

MARKS: tuple[tuple[FileKind, set[str]], ...] = (
    ("plan", {"steps"}),
    ("bench", {"instruments", "limits", "simulation"}),
)
"""The keys by one of which a TOML file is told."""

OTHERS = (
    ({"arrays", "levels", "terminals"}, 'a chip map; name it in a bench file (chip = "...") and drop that'),
    ({"posterior", "laws", "base"}, "a preset of simulated cells; write it into Simulated cells in the form"),
)
"""Likewise what the window has no use for, and what to do with it."""

TAKEN = "drop a run (.h5), a bench or a plan (.toml), or a matrix (.npy, .csv, .mtx)"


@dataclass(frozen=True)
class SortedFiles:
    """The first file of each kind, and in a sentence each what is wrong with others."""

    of_kind: Mapping[FileKind, Path]
    troubles: tuple[str, ...]


def sort_files(paths: Iterable[Path]) -> SortedFiles:
    """Return which files are what; reads those whose suffix does not say it."""
    of_kind: dict[FileKind, Path] = {}
    troubles = []
    for path in paths:
        try:
            kind = kind_of(path)
        except InputError as error:
            troubles.append(str(error))
            continue
        if kind in of_kind:
            troubles.append(
                f"{path.name} is a {kind}, too; of several the first is taken, {of_kind[kind].name}"
            )
        of_kind.setdefault(kind, path)
    return SortedFiles(of_kind, tuple(troubles))


def kind_of(path: Path) -> FileKind:
    """Return what a file is; `InputError` for one that is none of these, and for a TOML file that cannot be read."""
    suffix = path.suffix.lower()
    if suffix == ".h5":
        return "run"
    if suffix in MATRICES:
        return "matrix"
    if suffix != ".toml":
        raise InputError(f"{path.name} is nothing that can be dropped here; {TAKEN}")
    keys = load_toml(read_text(path, InputError, f"{path} cannot be read"), str(path), InputError).keys()
    for kind, marks in MARKS:
        if marks & keys:
            return kind
    for marks, words in OTHERS:
        if marks & keys:
            raise InputError(f"{path.name} is {words}")
    raise InputError(
        f"{path.name} is neither a bench nor a plan: it has no [instruments] and no [[steps]]; {TAKEN}"
    )
