"""Writes the systems of reach as a data package: what a stranger needs to score a solver, without mho."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.extensions.reach.certified import slug
from mho.extensions.reach.families import FAMILIES
from mho.extensions.reach.reader import FORMAT, GOAL_BITS, MOST_CYCLES, VERSION, Answer, System, write_answers
from mho.whole_files import whole_file

PARTS = ("matrix", "rhs", "solution", "error")


def check_absent(folder: str | os.PathLike[str]) -> None:
    """Raise `InputError` where something is already that a package would replace."""
    if Path(folder).exists():
        raise InputError(f"{folder} exists already and is never overwritten; choose another folder")


def write_package(
    folder: str | os.PathLike[str],
    systems: Sequence[System],
    answers: Iterable[Answer] = (),
    solver: str = "",
) -> Path:
    """Write a data package, whole or not at all.

    Parameters
    ----------
    folder : path
        One that does not exist yet.
    systems : sequence of System
    answers : iterable of Answer
        The package's first ones, where there are any.
    solver : str
        Whose they are.

    Raises
    ------
    InputError
        The folder exists, or cannot be written.
    """
    check_absent(folder)
    target, answers = Path(folder), list(answers)
    with whole_file(target, advice="; choose another folder") as draft:
        (draft / "systems").mkdir(parents=True)
        facts = _write_systems(draft, systems)
        texts = resources.files("mho.extensions.reach")
        (draft / "reach.py").write_text((texts / "reader.py").read_text("utf-8"), "utf-8")
        for name in ("README.md", "LICENSE"):
            (draft / name).write_text((texts / "package_files" / name).read_text("utf-8"), "utf-8")
        (draft / "package.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        if answers:
            (draft / "answers").mkdir()
            write_answers(draft / "answers" / "mho.json", solver, answers)
        _write_checksums(draft)
    return target


def _write_systems(draft: Path, systems: Sequence[System]) -> dict[str, Any]:
    """Write a file a family, and return what `package.json` says."""
    rows, files = [], {}
    for family in dict.fromkeys(one.family for one in systems):
        mine = [one for one in systems if one.family == family]
        files[family] = f"systems/{slug(family)}.npz"
        arrays: dict[str, Any] = {}
        for size in dict.fromkeys(one.size for one in mine):
            alike = [one for one in mine if one.size == size]
            rows += [_row(one, index) for index, one in enumerate(alike)]
            arrays |= {f"{name}_{size}": np.stack([getattr(one, name) for one in alike]) for name in PARTS}
        np.savez_compressed(draft / files[family], **arrays)
    return {
        "format": FORMAT, "version": VERSION, "license": "MIT", "goal_bits": GOAL_BITS,
        "most_cycles": MOST_CYCLES, "families": {name: _first_line(name) for name in files}, "files": files,
        "systems": rows,
    }  # fmt: skip


def _row(system: System, index: int) -> dict[str, Any]:
    return {
        **{name: getattr(system, name) for name in ("id", "family", "size", "seed", "condition")},
        "certified_bits": system.certified_bits, "without_chip": asdict(system.without_chip), "index": index,
    }  # fmt: skip


def _first_line(family: str) -> str:
    return (FAMILIES[family].__doc__ or "").strip().partition("\n")[0]


def _write_checksums(draft: Path) -> None:
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(draft).as_posix()}"
        for path in files
    ]
    text = "\n".join(lines) + "\n"
    (draft / "SHA256SUMS").write_text(
        text, "utf-8", newline="\n"
    )  # `sha256sum -c` takes no other end of a line
