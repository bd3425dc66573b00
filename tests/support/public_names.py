"""The public names of mho: what `mho` and every room export by ``__all__``; as a program it writes them into their list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from repository import ROOT

LIST = ROOT / "tests" / "public_names.txt"
ROOMS = sorted((ROOT / "mho").rglob("__init__.py"))


def name_of(room: Path) -> str:
    """Return the dotted name of a room."""
    return ".".join(room.parent.relative_to(ROOT).parts)


def exported(room: Path) -> list[str]:
    """Return what a room says that it exports."""
    for node in ast.parse(room.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def public_names() -> Iterator[str]:
    """Yield all public names, in order."""
    yield from sorted(f"{name_of(room)}.{name}" for room in ROOMS for name in exported(room))


if __name__ == "__main__":
    LIST.write_text("".join(f"{name}\n" for name in public_names()), "utf-8")
