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
from typing import Any

import typer

from mho.cli.verbs import ENTRY_POINTS as VERBS
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
    groups = load_toml(text, str(project), InputError).get("project", {}).get("entry-points", {})
    tables: dict[Path, dict[str, dict[str, Mapping[str, Any]]]] = {}

    def add(group: str, name: str, target: str, facts: Mapping[str, Any]) -> None:
        folder = Path(str(import_module(target.partition(":")[0]).__file__)).parent
        tables.setdefault(folder / MANIFEST, {}).setdefault(group.removeprefix("mho."), {})[name] = facts

    for name, target in sorted(groups.get(PROCEDURES, {}).items()):
        add(PROCEDURES, name, target, _procedure(name, target))
    for name, target in sorted(groups.get(VERBS, {}).items()):
        add(VERBS, name, target, describe_verb(name, target))
    return {path: _in_lines(table) for path, table in tables.items()}


def _procedure(name: str, target: str) -> dict[str, Any]:
    facts = asdict(describe(name, find_procedure(target)))
    del facts["name"], facts["imported"]
    return facts | {"parameters": {key: _stated(one) for key, one in facts["parameters"].items()}}


def _stated(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None and value != ()}


def _in_lines(table: Mapping[str, Any]) -> str:
    """Return JSON with a parameter a line."""
    text = json.dumps(table, indent=1, ensure_ascii=False)
    return re.sub(r"\{[^{}]*\}", lambda inner: re.sub(r"\n *", " ", inner[0]), text) + "\n"


def main(project: Path = Path("pyproject.toml")) -> None:
    """Write the manifests of a project anew, and print their paths."""
    try:
        for path, text in manifests(project).items():
            path.write_text(text, "utf-8")
            typer.echo(path)
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    typer.run(main)
