"""Docstrings of what `mho` exports: every parameter, what is returned and raised, and an example that runs."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
import re
from typing import Any

import numpy as np
import pytest

import mho

DATA = {
    name: thing
    for name in mho.__all__
    if inspect.isclass(thing := getattr(mho, name))
    and thing.__module__.startswith("mho")
    and not issubclass(thing, mho.Procedure | BaseException)
}
FUNCTIONS = {name: thing for name in mho.__all__ if inspect.isfunction(thing := getattr(mho, name))}
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


@pytest.mark.parametrize("name", DATA)
def test_a_class_says_what_it_holds(name: str) -> None:
    kind = DATA[name]
    said = sections(kind)
    assert "Examples" in said
    described = entries(said.get("Attributes", "") + "\n" + said.get("Parameters", ""))
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    plain = {one.name for one in fields if not one.name.startswith("_") and not one.metadata}
    plain |= set(getattr(kind, "_fields", ())) | set(getattr(kind, "model_fields", ()))
    assert plain - {"summary", "path", "name"} <= described, name


@pytest.mark.parametrize("name", [*FUNCTIONS, *DATA])
def test_its_example_runs(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # runs go to data/runs
    monkeypatch.delenv("MHO_RUNS", raising=False)
    examples = doctest.DocTestFinder(recurse=False).find(
        getattr(mho, name), name, module=False, globs={"mho": mho, "np": np}
    )
    (test,) = examples
    assert test.examples
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert not said, "".join(said)
