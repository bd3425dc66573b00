"""What `mho` exports: all that a user needs, nothing else, and no class by the name of another."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest
from public_names import ROOMS, exported, name_of
from repository import ROOT

import mho
import mho.errors

SHORT = [name for name in ("linalg", "applications") if name in mho.__all__]


def test_dir_is_what_is_exported_and_sorted() -> None:
    assert dir(mho) == list(mho.__all__) == sorted(mho.__all__)
    assert all(hasattr(mho, name) for name in mho.__all__)
    assert mho.__version__ == version("mho")


def test_every_error_that_a_caller_may_catch_is_exported() -> None:
    errors = {
        name
        for name, one in vars(mho.errors).items()
        if inspect.isclass(one) and issubclass(one, mho.MhoError)
    }
    assert errors <= set(mho.__all__)


def test_every_procedure_is_exported_by_mho_or_by_its_extension() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    homes = {"mho.procedures": mho, "mho.extensions.applications": getattr(mho, "applications", None)}
    for target in described["mho.procedures"].values():
        module, _, name = target.partition(":")
        if homes[module] is not None:
            assert getattr(homes[module], name) is getattr(import_module(module), name)


def test_no_two_public_classes_share_a_name() -> None:
    named: dict[str, set[Any]] = {}
    for room in ROOMS:
        for name in exported(room):
            thing = getattr(import_module(name_of(room)), name, None)
            if inspect.isclass(thing):
                named.setdefault(name, set()).add(thing)
    assert len(named) > 300
    assert {name: those for name, those in named.items() if len(those) > 1} == {}


@pytest.mark.parametrize("name", SHORT)
def test_an_extension_has_a_short_name_however_it_is_imported(name: str) -> None:
    ways = (
        f"import mho; there = mho.{name}",
        f"from mho import {name} as there",
        f"import mho.{name}; there = mho.{name}",
        f"import mho.extensions.{name}; import mho.{name}; there = mho.{name}",
    )
    for way in ways:
        check = (
            f"{way}\nimport mho.extensions.{name} as real, mho.{name} as short\nassert there is real is short"
        )
        subprocess.run([sys.executable, "-c", check], check=True)
    assert getattr(mho, name).__spec__.name == f"mho.extensions.{name}"


def test_importing_mho_loads_nothing_that_is_large() -> None:
    code = "import sys, mho, mho.linalg; print(*{'numpy', 'scipy', 'h5py', 'importlib.metadata'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
