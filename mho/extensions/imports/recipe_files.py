"""Recipes: how known tables are read. Those of published data sets come with mho, those of a user's are remembered.

A recipe is a TOML file, readable and to be handed on. What `mho import` was told of a table is remembered by the
fingerprint of its header in one file beside the runs, so that all who share that folder share it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from pydantic import Field

from mho.errors import InputError, nearest
from mho.extensions.imports.headers import UNITS, beyond, ratio_to, why_beyond
from mho.extensions.imports.measurements import MEASUREMENTS
from mho.extensions.imports.table_import import TableReading
from mho.extensions.imports.tables import DECIMAL_MARKS
from mho.extensions.imports.tables.numbers import NUMBER, plain_number, shown
from mho.extensions.imports.tables.units import plain_unit
from mho.input_files import check_ordinary
from mho.runs import runs_folder
from mho.toml import StrictModel, parse_toml, toml_value

MEMORY = "import-recipes.toml"
VERSION = 2
SUFFIX = ".toml"
_CONSTANT = re.compile(rf"(?P<number>{NUMBER})\s*(?P<unit>\S{{0,40}})")


class Recipe(StrictModel):
    """How a table is read."""

    title: str = ""  # what the table is, in words
    type: str  # kind of measurement; empty where nobody told it, which only what is remembered may be
    # source, files, layout: where the data are published, which files of it these are, and where their layout
    # is told
    source: str = ""
    files: str = ""
    layout: str = ""
    # Of the columns of a table without a header; those with ``{n}`` repeat to the end of the line, n from 1
    names: tuple[str, ...] = ()
    header: tuple[str, ...] = ()  # the header that the recipe belongs to; empty for any
    decimal: str = ""  # the decimal mark, ``comma`` or ``point``; found unless given
    # dataset, axes: the sheet, or the arrays, and what their dimensions count
    dataset: str = ""
    axes: tuple[str, ...] = ()
    # columns, units, constants: headers, units, and texts such as ``0.2 V``, by meaning
    columns: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)

    @property
    def says(self) -> bool:
        """Whether it says anything of how a table is read."""
        return bool(self.type or self.names or self.decimal or self.columns or self.units or self.constants)

    def reading(self, text: str, source: str) -> TableReading:
        """Return how a table is read by it; errors name the recipe by `source`."""
        if self.type not in MEASUREMENTS:
            raise InputError(f"{source}: type is {self.type!r}; {nearest(self.type, MEASUREMENTS)}")
        return TableReading(
            self.type, self.columns, self.units, constants_in_si(self.constants, source), self.names or None,
            text, decimal_of(self.decimal, source), self.dataset, self.axes,
        )  # fmt: skip


class _Memory(StrictModel):
    """The file of what was told of tables.

    Before version 2 it had kinds of measurement that were guessed beside those that were told; none of them counts.
    """

    version: int = 1
    recipe: dict[str, Recipe] = Field(default_factory=dict)

    @property
    def recipes(self) -> dict[str, Recipe]:
        """What was told or proved, by fingerprint."""
        if self.version >= VERSION:
            return dict(self.recipe)
        return {key: one.model_copy(update={"type": ""}) for key, one in self.recipe.items()}


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe, its name, and its text."""

    name: str
    recipe: Recipe
    text: str

    @property
    def reading(self) -> TableReading:
        """How a table is read by it."""
        return self.recipe.reading(self.text, f"recipe {self.name}")


def packaged_recipes() -> tuple[NamedRecipe, ...]:
    """Return the recipes that come with mho, by name."""
    folder = resources.files("mho.extensions.imports") / "recipes"
    files = sorted((one for one in folder.iterdir() if one.name.endswith(SUFFIX)), key=lambda one: one.name)
    return tuple(_parsed(one.name.removesuffix(SUFFIX), one.read_text("utf-8")) for one in files)


def find_recipe(name: str) -> NamedRecipe:
    """Return a packaged recipe by its name, or the one in a file.

    Raises
    ------
    InputError
        There is none, or the file is no recipe.
    """
    known = {one.name: one for one in packaged_recipes()}
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix != SUFFIX:
        raise InputError(
            f"there is no recipe {name!r}; {nearest(name, known)} (`mho import --recipes` lists them), or name a file, "
            ".toml"
        )
    try:
        check_ordinary(path)
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"recipe {name} cannot be read: {getattr(error, 'strerror', None) or error}; check the path"
        ) from error
    return _parsed(name, text)


def _parsed(name: str, text: str) -> NamedRecipe:
    return NamedRecipe(name, parse_toml(text, Recipe, f"recipe {name}", InputError), text)


def constants_in_si(given: Mapping[str, str], source: str) -> dict[str, float]:
    """Return numbers in SI units of texts such as ``0.2 V``, by meaning; an `InputError` says which cannot be."""
    constants = {}
    for meaning, text in given.items():
        if meaning not in UNITS:
            raise InputError(f"no column is called {meaning!r}; {nearest(meaning, UNITS)}")
        parts = _CONSTANT.fullmatch(text.strip())
        number = None if parts is None else plain_number(parts["number"])
        if parts is None or number is None:
            raise InputError(
                f"{source}: {meaning} is {shown(text)}; write a number and its unit, such as 0.2V"
            )
        numerator, denominator = ratio_to(parts["unit"], meaning, f"{meaning} {text}", source)
        value = number * numerator / denominator
        if bool(beyond(meaning, np.array(value))):
            raise InputError(
                f"{source}: {text} is {why_beyond(meaning, value)}; check the number and its unit"
            )
        if meaning == "read_voltage" and not value:
            raise InputError(
                f"{source}: {meaning} is {text}, at which a cell has no conductance; say the voltage"
            )
        constants[meaning] = value
    return constants


def decimal_of(text: str, source: str) -> str:
    """Return a decimal mark that was said; an `InputError` says which there are."""
    if text and text not in DECIMAL_MARKS:
        raise InputError(f"{source}: the decimal mark is {text!r}; say {' or '.join(DECIMAL_MARKS)}")
    return text


def fingerprint(header: Sequence[str], units: Sequence[str] = ()) -> str:
    """Return what a header is known by: its names and units, blanks and capitals aside."""
    plain = [[" ".join(one.lower().split()) for one in some] for some in (header, units)]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]


class RecipeMemory:
    """What was told of tables, in a file beside the runs.

    Parameters
    ----------
    folder : path, optional
        The folder of runs; `mho.runs.runs_folder` unless given.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.path = runs_folder(folder) / MEMORY

    def find(self, header: Sequence[str], units: Sequence[str] = ()) -> NamedRecipe | None:
        """Return what was told of a table with this header; None where nothing was."""
        known = self._load().recipes
        key = fingerprint(header, units)
        if not header or key not in known or not known[key].says:
            return None
        return NamedRecipe(key, known[key], recipe_text(known[key]))

    def keep(self, header: Sequence[str], units: Sequence[str], recipe: Recipe) -> bool:
        """Remember what was told of a table, or proved by it.

        False is returned where that is nothing, and for a table without a header, which nothing tells again.
        """
        if not header or not recipe.says:
            return False
        self._write(self._load().recipes | {fingerprint(header, units): recipe})
        return True

    def forget(self, header: Sequence[str], units: Sequence[str] = ()) -> bool:
        """Forget what was told of a table; return whether anything was."""
        known = self._load().recipes
        if known.pop(fingerprint(header, units), None) is None:
            return False
        self._write(known)
        return True

    def _write(self, known: Mapping[str, Recipe]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            "# What `mho import` was told of tables, or their numbers proved, by the fingerprints of their headers.",
            f"version = {VERSION}\n",
        ]
        lines += [recipe_text(one, f"recipe.{key}") for key, one in known.items()]
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text("\n".join(lines), "utf-8")
        beside.replace(self.path)

    def _load(self) -> _Memory:
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return _Memory()
        except (OSError, UnicodeError) as error:
            raise InputError(f"{self.path} cannot be read: {error}; mend it, or move it away") from error
        return parse_toml(text, _Memory, str(self.path), InputError)


def recipe_of(asked: TableReading, header: Sequence[str], constants: Mapping[str, str]) -> Recipe:
    """Return the recipe of what was told of a table, whichever sheet it was on; `constants` as they were written.

    Its type is empty where that was only guessed.
    """
    units = {name: plain_unit(unit) for name, unit in asked.units.items()}
    return Recipe(
        type=asked.type, header=tuple(header), columns=dict(asked.columns), units=units, constants=dict(constants),
        names=asked.names or (), decimal=asked.decimal,
    )  # fmt: skip


def recipe_text(recipe: Recipe, table: str = "") -> str:
    """Return a recipe as TOML, at the top or as the table of that name."""
    plain = recipe.model_dump(exclude_defaults=True)
    lines = [f"[{table}]"] if table else []
    lines += [f"{name} = {toml_value(value)}" for name, value in plain.items() if not isinstance(value, dict)]
    for name, value in plain.items():
        if isinstance(value, dict):
            lines.append(f"\n[{table}.{name}]" if table else f"\n[{name}]")
            lines += [f"{toml_value(key)} = {toml_value(one)}" for key, one in value.items()]
    return "\n".join(lines) + "\n"
