"""The five scripts of docs/scripts: they run as they stand, are short, and import nothing from within mho."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

SCRIPTS = sorted((ROOT / "docs" / "scripts").glob("*.py"))
MOST = 20  # lines, without the description and blank ones


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_needs_no_inner_name(path: Path) -> None:
    tree = ast.parse(text := path.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith('"""')]
    assert len(lines) <= MOST
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    assert {one for one in imported if one.startswith("mho")} <= {"mho", "mho.torch"}
    assert not [
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr[0] == "_"
    ]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs_and_prints_numbers(path: Path, tmp_path: Path) -> None:
    if path.stem == "learning":
        pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", path], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MHO_RUNS": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d", done.stdout)
    said = dict(re.findall(r"(\w+): ([\d.]+)$", done.stdout, re.MULTILINE))
    if path.stem == "learning":
        assert float(said["layer"]) > 0.9
        assert float(said["ridge"]) > 0.75
