"""User code passes mypy --strict and pyright, and both find the same planted mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import user_code
from repository import ROOT

HERE = Path(__file__).parent
PLANTED = HERE / "planted_mistakes.py"
CHECKED = [str(HERE / "user_code.py"), str(PLANTED)]
# Packages that no type of the two files comes from; following mho's imports of them takes most of the time.
ASIDE = "IPython, bokeh, dask, distributed, matplotlib, pandas, rich, xarray"
MISTAKES = [
    number
    for number, line in enumerate(PLANTED.read_text("utf-8").splitlines(), 1)
    if re.search(r"# mistake: ", line)
]


def found_by_mypy(folder: Path) -> list[tuple[str, int]]:
    """Return file and line of every error of mypy --strict in the files, with mho found as an installed package is."""
    settings = folder / "mypy.ini"
    aside = ",".join(f"mypy-{one}.*" for one in ASIDE.split(", "))
    settings.write_text(
        f"[mypy]\nstrict = True\nfollow_imports = silent\nmypy_path = {ROOT}\n[{aside}]\nfollow_imports = skip\n"
    )
    words = ["--config-file", settings, "--cache-dir", folder / "cache", "--output", "json", *CHECKED]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    errors = [json.loads(line) for line in done.stdout.splitlines()]
    return [(Path(one["file"]).name, one["line"]) for one in errors if one["severity"] == "error"]


def found_by_pyright(folder: Path) -> list[tuple[str, int]]:
    """Return file and line of every error of pyright, in its standard mode."""
    settings = {
        "include": CHECKED, "extraPaths": [str(ROOT)], "typeCheckingMode": "standard", "exclude": [],
    }  # fmt: skip
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    words = ["--project", folder, "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    errors = json.loads(done.stdout)["generalDiagnostics"]
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in errors
        if one["severity"] == "error"
    ]


def test_ten_mistakes_are_planted() -> None:
    assert len(MISTAKES) == 10


@pytest.mark.thorough
@pytest.mark.timeout(900)  # mypy follows mho's imports: 75 s of a processor
@pytest.mark.parametrize("found", [found_by_mypy, found_by_pyright])
def test_a_type_checker_finds_the_planted_mistakes_of_a_user_and_no_others(found, tmp_path) -> None:
    """Nothing is found in `user_code`."""
    assert sorted({*found(tmp_path)}) == [(PLANTED.name, line) for line in MISTAKES]


@pytest.mark.thorough
def test_the_checked_user_code_runs(tmp_path) -> None:
    user_code.main(tmp_path)
