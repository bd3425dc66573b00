"""Writes the manifests of a project: what its procedures and verbs say of themselves, so that listing imports none.

``python -m mho.cli.manifests [pyproject.toml]``, in the environment in which the project is installed. A manifest lies in
the folder of the module that an entry point names; `mho.extension_points` reads it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from mho.cli.verbs import ENTRY_POINTS as VERBS
from mho.cli.verbs import VERBS as OWN_VERBS
from mho.cli.verbs import describe_verb
from mho.errors import InputError
from mho.extension_points import MANIFEST
from mho.procedures.catalogue import find_procedure
from mho.procedures.manifest import ENTRY_POINTS as PROCEDURES
from mho.procedures.manifest import describe
from mho.toml import load_toml


def manifests(project: Path) -> dict[Path, str]:
    """Return the texts of a project's manifests by path, from what the entry points of its pyproject.toml name.

    Raises
    ------
    InputError
        The file is not there or no TOML, or a procedure cannot be loaded.
    """
    try:
        text = project.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{project} cannot be read: {error}") from None
    facts = load_toml(text, str(project), InputError).get("project", {})
    groups = facts.get("entry-points", {})
    tables: dict[Path, dict[str, dict[str, Mapping[str, Any]]]] = {}

    def add(group: str, name: str, target: str, facts: Mapping[str, Any]) -> None:
        module = import_module(target.partition(":")[0])
        if not (module.__package__ and module.__file__):
            raise InputError(
                f"{target} is in no package; put the module into one, where its manifest is found"
            )
        folder = Path(module.__file__).parent
        tables.setdefault(folder / MANIFEST, {}).setdefault(group.removeprefix("mho."), {})[name.lower()] = (
            facts
        )

    for name, target in sorted(groups.get(PROCEDURES, {}).items()):
        add(PROCEDURES, name, target, _procedure(name, target))
    for name, target in sorted(groups.get(VERBS, {}).items()):
        add(VERBS, name, target, describe_verb(name, target))
    if facts.get("name") == "mho":
        tables[Path(__file__).with_name(MANIFEST)] = {"verbs": _own_verbs()}
    return {path: _in_lines(table) for path, table in tables.items()}


def _own_verbs() -> dict[str, Mapping[str, Any]]:
    places = {name: place for group in OWN_VERBS.values() for name, place in group.items()}
    return {
        name: {
            key: fact
            for key, fact in describe_verb(name, f"{__package__}.{place}").items()
            if key != "group"  # which `mho.cli.verbs` says
        }
        for name, place in places.items()
    }


def _procedure(name: str, target: str) -> dict[str, Any]:
    facts = asdict(describe(name, find_procedure(target)))
    del facts["name"], facts["imported"]
    return facts | {"parameters": {key: _stated(one) for key, one in facts["parameters"].items()}}


def _stated(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in facts.items()
        if value is not None and not (isinstance(value, tuple) and not value)
    }


def _in_lines(table: Mapping[str, Any]) -> str:
    """Return JSON with a parameter a line."""
    try:
        text = json.dumps(table, indent=1, ensure_ascii=False, default=_plain)
    except TypeError as error:
        raise InputError(
            f"a default or a choice of a parameter cannot be written into a manifest: {error}"
        ) from None
    return re.sub(r"\{[^{}]*\}", lambda inner: re.sub(r"\n *", " ", inner[0]), text) + "\n"


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's number."""
    if not hasattr(value, "item"):
        raise TypeError(f"{value!r} is no text or number")
    return value.item()


def _check_replaceable(path: Path) -> None:
    try:
        known = not path.exists() or {*json.loads(path.read_text("utf-8"))} <= {"procedures", "verbs"}
    except (OSError, ValueError, TypeError):
        known = False
    if not known:
        raise InputError(f"{path} is no manifest of mho; move it, for one is to be written there")


def main(project: Annotated[Path, typer.Argument()] = Path("pyproject.toml")) -> None:
    """Write the manifests of a project anew, and print their paths."""
    try:
        texts = manifests(project)
        for path in texts:
            _check_replaceable(path)
        for path, text in texts.items():
            path.write_text(text, "utf-8")
            typer.echo(path)
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    typer.run(main)
