"""The page for those who test drivers of other projects: its tests pass as they stand, and pytest pays for no plugin."""

from __future__ import annotations

import doctest
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from repository import ROOT

from mho.instruments import simulated

PAGE = (ROOT / "docs/test-your-driver.md").read_text("utf-8")
NAMES = ("BareRack", "Diode", "Fault", "Load", "Open", "Resistor", "Short", "rack")


def snippets() -> list[str]:
    """Return the Python of the page."""
    return [part.partition("```")[0] for part in PAGE.split("```python\n")[1:]]


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    file = tmp_path / "test_smu.py"
    file.write_text("\n".join(snippets()), "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    answer = subprocess.run([*command, str(file)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-4000:]
    assert f"{PAGE.count('def test_')} passed" in answer.stdout


def test_the_first_is_as_short_as_it_says() -> None:
    lines = [line for line in snippets()[0].splitlines() if line.strip()]
    assert len(lines) <= 13


def test_nobody_who_does_not_ask_for_the_fixture_loads_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "pytest11" not in project["entry-points"]


def test_every_model_is_on_the_page() -> None:
    from mho.instruments.simulated.racks import MODELS

    assert [model for model in MODELS if f"`{model}`" not in PAGE] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_name_runs(name: str) -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(
        getattr(simulated, name), name, module=False, globs={}
    )
    assert example.examples
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert not said, "".join(said)
