"""Pages that follow from the code are what `docs/make_pages.py` writes, and name all there is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from repository import ROOT
from scripts import load_script

import mho
import mho.errors


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return load_script("make_pages")


@pytest.fixture(scope="module")
def pages(generator: ModuleType) -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): text for path, text in generator.pages().items()}


def test_generated_pages_are_up_to_date(pages: dict[str, str]) -> None:
    stale = [name for name, text in pages.items() if (ROOT / name).read_text("utf-8") != text]
    assert not stale, "run docs/make_pages.py"


def test_every_public_name_and_error_is_described(pages: dict[str, str]) -> None:
    assert all(f"\n| `{name}` | " in pages["docs/python/mho.md"] for name in mho.__all__)
    kinds = [name for name, one in vars(mho.errors).items() if getattr(one, "__module__", "") == "mho.errors"]
    kinds = [name for name in kinds if isinstance(getattr(mho.errors, name), type)]
    described = pages["docs/python/errors.md"] + pages["docs/python/mho.md"]
    assert len(kinds) > 10
    assert all(f"`{name}`" in described for name in kinds)


def test_commands_have_their_options_with_defaults(pages: dict[str, str]) -> None:
    _, _, solve = pages["docs/commands.md"].partition("\n## mho solve\n")
    solve = solve.partition("\n## ")[0]
    assert "| `--bench TEXT` | `simulated` | a packaged bench or a bench file |" in solve
    assert "| `--seed INT` |  | of everything random; fresh when left out |" in solve
    assert "| `--force` |  |" in solve
    assert "{presets}" not in pages["docs/commands.md"]
    _, _, read = pages["docs/parameters.md"].partition("\n## read\n")
    assert "| `--rows` |  | `0:8` | Rows |" in read.partition("\n## ")[0]


def test_every_extra_has_its_line(pages: dict[str, str]) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert all(f"\n| `{name}` | " in pages["docs/extras.md"] for name in declared)


def test_every_picture_is_in_the_gallery_with_one_command(pages: dict[str, str]) -> None:
    pictures = {path.stem for path in (ROOT / "docs/pictures").iterdir()}
    rows = {
        name: row
        for row in pages["docs/gallery.md"].splitlines()
        for name in pictures
        if f"/{name}.png)" in row
    }
    assert set(rows) == pictures
    assert all("`python docs/make_" in row for row in rows.values())
    assert Path(ROOT / "docs/make_pictures.py").is_file()
