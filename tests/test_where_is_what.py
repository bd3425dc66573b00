"""Where is what: every answer leads to a file that is there, and the name to look for stands in it."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT

PAGE = ROOT / "docs/where-is-what.md"
LINK = re.compile(r"\[`([^`]+)`\]\((\.\./mho[^)]*)\)((?:(?:: |, )`[\w.]+`)*)")
FLOORS = ("analysis", "chip_maps", "cli", "extensions", "gui", "instruments", "procedures", "running", "runs")


def questions() -> list[str]:
    """Return the rows of the tables that answer a question."""
    return [
        line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and "](../mho" in line
    ]


def answers() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return what each link shows, where it leads, and the names to look for there."""
    found = LINK.findall(PAGE.read_text("utf-8"))
    return [(shown, target, tuple(re.findall(r"`([\w.]+)`", names))) for shown, target, names in found]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names that a file defines at its top, members of classes as ``Class.member``; keys of a TOML file."""
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return frozenset(keys(tomllib.loads(text)))
    return frozenset(defined(ast.parse(text).body))


def keys(table: dict[str, Any]) -> set[str]:
    inner = [keys(value) for value in table.values() if isinstance(value, dict)]
    return set(table).union(*inner)


def defined(body: list[ast.stmt], owner: str = "") -> set[str]:
    found = set()
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(owner + node.name)
        if isinstance(node, ast.ClassDef) and not owner:
            found |= defined(node.body, node.name + ".")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                owner + one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)
            }
    return found


def test_at_least_forty_questions_are_answered() -> None:
    assert len(questions()) >= 40
    assert all(LINK.search(line) for line in questions())


@pytest.mark.parametrize(("shown", "target", "names"), answers())
def test_an_answer_is_where_it_says(shown: str, target: str, names: tuple[str, ...]) -> None:
    path = (PAGE.parent / target).resolve()
    assert path.is_file()
    assert path.relative_to(ROOT).as_posix() in (shown, f"{shown}/__init__.py", f"{shown}/instrument.py")
    assert set(names) <= names_in(path)


def test_the_twelve_tasks_are_counted_right_and_their_files_are_there() -> None:
    _, _, section = PAGE.read_text("utf-8").partition("## Twelve tasks")
    table = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table[1:]]
    assert len(rows) == 12
    for _, _, _, guess, right in rows:
        file = ROOT / (guess.strip("*") if right == "the same" else right)
        assert file.is_dir() or file.with_suffix(".py").is_file()
        assert guess.startswith("**") == (right == "the same")
    before, after = (sum(row[column].startswith("**") for row in rows) for column in (1, 3))
    assert f"Before, {before} of 12 were; after, {after} of 12." in section


def test_a_name_that_is_not_there_is_found_out() -> None:
    assert "StopButton" in names_in(ROOT / "mho/gui/window/main_window.py")
    assert "GoButton" not in names_in(ROOT / "mho/gui/window/main_window.py")
    assert "Queue.next" in names_in(ROOT / "mho/running/queue/store.py")
    assert "Queue.previous" not in names_in(ROOT / "mho/running/queue/store.py")
    assert "tolerance" in names_in(ROOT / "mho/chip_maps/maps/reference.toml")


def entries_of(text: str) -> set[str]:
    """Return the rooms and modules that a room's docstring lists."""
    entries = re.findall(r"^- (.+?): ", text, re.M) + re.findall(r"; ((?:`\w+`(?:, )?)+): ", text)
    return {name for entry in entries for name in re.findall(r"`(\w+)`", entry)}


@pytest.mark.parametrize("floor", FLOORS)
def test_every_floor_says_which_room_is_for_what(floor: str) -> None:
    folder = ROOT / "mho" / floor
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    assert {path.parent.name for path in folder.glob("*/__init__.py")} <= entries_of(text)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "mho").rglob("__init__.py")), ids=lambda path: path.parent.name
)
def test_every_room_says_what_it_is_for(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first, *rest = text.splitlines()
    assert entries_of(text) <= {one.stem for one in path.parent.iterdir()}
    assert first.endswith((".", ":"))
    assert not rest or not rest[0]
