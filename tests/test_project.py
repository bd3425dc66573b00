"""The repository as a newcomer finds it: two commands that work, and nothing of anybody's machine."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from repository import ROOT

PACKAGES = ("mho", "benchmarks")
FOLDERS = (*PACKAGES, "docs", "tests", ".ci")
TEXTS = {"", ".py", ".md", ".toml", ".mtx", ".csv", ".txt", ".cfg", ".ini", ".json", ".yml", ".yaml", ".svg"}

SOLVE = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/mho solve mimo-16x16"
WINDOWS = r"py -m venv .venv; .venv\Scripts\pip install .; .venv\Scripts\mho solve mimo-16x16"
TEST = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"

MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:work|root|home|Users)/\w|\b[A-Z]:\\Users\\")
PACKAGE_HOST = re.compile(
    r"pypi\.org|pythonhosted\.org|anaconda\.(?:org|com)|--(?:extra-)?index-url|://(?:registry|mirror|proxy)\b"
)


def texts() -> list[Path]:
    """Return the text files that are, or would be, committed."""
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    return sorted(
        path
        for path in (*ROOT.glob("*"), *inside)
        if path.is_file() and path.suffix in TEXTS and not {"__pycache__", ".git"} & set(path.parts)
    )


TOML_READERS = {
    "mho/toml.py": "the checked way to read a text",
    "mho/runs/provenance.py": "mho's own pyproject.toml",
}


def test_toml_is_read_in_the_checked_way_alone():
    """`tomllib` by itself ends in a traceback on a text that is nested too deep."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if re.search(r"^\s*(import|from) tomllib", path.read_text("utf-8"), re.M)
    }
    assert found == set(TOML_READERS)


def modules() -> list[Path]:
    inside = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted((*ROOT.glob("*.py"), *inside))


@pytest.mark.thorough
@pytest.mark.parametrize("pattern", [MACHINE_PATH, PACKAGE_HOST], ids=["path", "host"])
def test_no_file_tells_of_a_machine(pattern: re.Pattern[str]):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        if pattern.search(path.read_text(encoding="utf-8"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        (MACHINE_PATH, "open('/{}/me/run.h5')".format("home"), True),
        (MACHINE_PATH, "cd /{}/main".format("work"), True),
        (MACHINE_PATH, "the entry /entry/title, docs/home/x, https://doi.example/work/1", False),
        (PACKAGE_HOST, "pip install --{}-url x".format("index"), True),
        (PACKAGE_HOST, "registry.names()", False),
    ],
)
def test_what_counts_as_telling(pattern: re.Pattern[str], line: str, found: bool):
    assert bool(pattern.search(line)) is found


def test_the_readme_begins_with_exactly_two_commands_and_the_first_for_windows():
    screen, _, _ = (ROOT / "README.md").read_text(encoding="utf-8").partition("![")  # the first picture
    assert commands(screen.splitlines()) == [SOLVE, TEST, WINDOWS]


def commands(lines: list[str]) -> list[str]:
    """Return the lines of code blocks, fenced or indented."""
    found, fenced = [], False
    for line in lines:
        if line.startswith("```"):
            fenced = not fenced
        elif (fenced or line.startswith("    ")) and line.strip():
            found.append(line.strip())
    return found


def test_ci_runs_the_readme_s_test_command():
    assert TEST in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_marks_mean_the_same_wherever_they_are_chosen():
    """What `tests/conftest.py` spreads over the cores is what the bare command, `.ci/run` and `.ci/windows` select."""
    text = (ROOT / "tests/conftest.py").read_text(encoding="utf-8")
    chosen = dict(re.findall(r'^(EVERY_\w+) = "(.*)"', text, re.M))
    pytest_options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"][
        "ini_options"
    ]
    assert f"-m '{chosen['EVERY_DAY']}'" in pytest_options["addopts"]
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert f'all_tests="{chosen["EVERY_CHANGE"]}"' in ci
    assert f'every_day="{chosen["EVERY_DAY"]}"' in (ROOT / ".ci/windows").read_text(encoding="utf-8")
    assert """bash -c "$test_command -m '$all_tests'\"""" in ci


@pytest.mark.parametrize("script", ["run", "windows"])
def test_the_quick_tests_of_the_newest_python_and_of_windows_are_there(script: str):
    (words,) = re.findall(r'^quick_tests="(.*)"', (ROOT / ".ci" / script).read_text(encoding="utf-8"), re.M)
    assert words
    assert all(any((ROOT / word).glob("test_*.py")) for word in words.split())


@pytest.mark.thorough
def test_every_module_says_what_it_is_for():
    silent = []
    for path in modules():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if not docstring.split("\n\n")[0].rstrip().endswith((".", ":", "?")):
            silent.append(str(path.relative_to(ROOT)))
    assert not silent, "these begin without a sentence that says what they are for"


def test_the_version_is_the_changelog_s_newest():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    numbers = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert numbers[0] == project["version"]


def test_every_module_and_package_is_shipped():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert {path.stem for path in ROOT.glob("*.py")} == set(setuptools["py-modules"])
    shipped = {pattern.rstrip("*") for pattern in setuptools["packages"]["find"]["include"]}
    assert {
        path.parent.name for path in ROOT.glob("*/__init__.py") if not path.parent.is_symlink()
    } == shipped | {"benchmarks"}


def test_no_two_test_modules_have_one_name():
    """pytest imports them by their file's name."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert not {name for name in names if names.count(name) > 1}
