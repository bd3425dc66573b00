"""Docstrings of what a script imports: every parameter, what is returned and raised, and an example that runs.

Procedures have no example: their docstrings are the help of the command line, and their parameters are declared.
"""

from __future__ import annotations

import dataclasses
import doctest
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho

# What docs/public-api.md promises all of this for, beside `mho` itself
MODULES = ("linalg", "applications", "cells", "circuits", "instruments", "analysis")


def public() -> Iterator[tuple[str, Any]]:
    """Yield what is public by its name, each thing once."""
    seen: set[int] = set()
    taken_out = {"linalg", "applications"} - set(mho.__all__)
    for module in ("mho", *(f"mho.{one}" for one in MODULES if one not in taken_out)):
        there = import_module(module)
        for name in there.__all__:
            if id(thing := getattr(there, name)) not in seen:
                seen.add(id(thing))
                yield f"{module}.{name}", thing


PUBLIC = dict(public())
DATA = {
    name: thing
    for name, thing in PUBLIC.items()
    if inspect.isclass(thing)
    and thing.__module__.startswith("mho")
    and not issubclass(thing, mho.Procedure | BaseException)
}
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}
SECTION = re.compile(r"^(\w[\w ]*)\n-+\n((?:(?!^\w[\w ]*\n-+\n).*\n?)*)", re.MULTILINE)


def sections(thing: Any) -> dict[str, str]:
    """Return the sections of a docstring in numpydoc's form, by heading."""
    return dict(SECTION.findall(inspect.getdoc(thing) or ""))


def entries(section: str) -> set[str]:
    """Return the names that a section describes, one or several a line."""
    heads = re.findall(r"^(\*{0,2}\w[^:\n]*?)(?: :.*)?$", section, re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.split(",")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_it_takes_returns_and_raises(name: str) -> None:
    written = inspect.unwrap(FUNCTIONS[name])  # without the options of others that it shows besides
    said, signature = sections(written), inspect.signature(written)
    parameters = {one.name for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD}
    assert parameters <= entries(said.get("Parameters", "")), name
    assert signature.return_annotation in (None, "None") or said.keys() & {"Returns", "Yields"}
    assert {"Raises", "Examples"} <= said.keys()


def check_class(kind: type) -> None:
    """Assert that a class describes its fields, and has an example."""
    said = sections(kind)
    assert "Examples" in said
    described = entries(said.get("Attributes", "") + "\n" + said.get("Parameters", ""))
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    plain = {one.name for one in fields if not one.name.startswith("_") and not one.metadata}
    plain |= set(getattr(kind, "_fields", ())) | set(getattr(kind, "model_fields", ()))
    assert plain - {"summary", "path", "name"} <= described, kind


def run_example(thing: Any, name: str) -> None:
    """Run the example of a docstring as a doctest."""
    examples = doctest.DocTestFinder(recurse=False).find(
        thing, name, module=False, globs={"mho": mho, "np": np}
    )
    (test,) = examples
    assert test.examples
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder of its own, with run files in data/runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MHO_RUNS", raising=False)


@pytest.mark.parametrize("name", DATA)
def test_a_class_says_what_it_holds(name: str) -> None:
    check_class(DATA[name])


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("name", [*FUNCTIONS, *DATA])
def test_its_example_runs(name: str) -> None:
    run_example(PUBLIC[name], name)


@pytest.mark.thorough
@pytest.mark.usefixtures("empty_folder")
def test_layers_of_pytorch_say_it_too() -> None:
    pytest.importorskip("torch")
    layers = import_module("mho.torch")
    for name in layers.__all__:
        check_class(getattr(layers, name))
        run_example(getattr(layers, name), name)
