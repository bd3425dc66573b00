"""A copy of the repository from which extensions have been taken out: their folders, their entry points and their tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path

from repository import ROOT

EXTENSIONS = sorted(path.parent.name for path in (ROOT / "mho/extensions").glob("*/__init__.py"))
CORE = ("analysis", "chip_maps", "cli", "gui", "instruments", "procedures", "running", "runs")
"""Folders of the tests of what remains."""


def entry_points(out: Collection[str]) -> dict[str, dict[str, str]]:
    """Return mho's entry points by group and name, without those of some extensions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    gone = tuple(f"mho.extensions.{name}{end}" for name in out for end in ".:")
    return {
        group: {name: target for name, target in points.items() if not target.startswith(gone)}
        for group, points in project["entry-points"].items()
    }


def copy_without(out: Collection[str], folder: Path) -> Path:
    """Copy the repository without some extensions; as installed there, mho offers none of what they add."""
    for name in ("mho", "tests", "benchmarks", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "mho/chip_maps/matrices", folder / "data/matrices")
    for path in ROOT.iterdir():
        if path.is_file() and not path.is_symlink():
            shutil.copy(path, folder)
    for name in out:
        shutil.rmtree(folder / "mho/extensions" / name)
        for short in (name, *(("jax", "torch") if name == "linalg" else ())):  # its short names
            (folder / "mho" / f"{short}.py").unlink(missing_ok=True)
        shutil.rmtree(folder / "tests/extensions" / name, ignore_errors=True)
    info = folder / "mho-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mho\nVersion: 0.1.0\n", "utf-8")
    lines: list[str] = []
    for group, points in entry_points(out).items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def python_in(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy, with its mho; what it printed is one text."""
    path = os.pathsep.join(map(str, (folder, folder / "tests/support")))
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


def core_tests(folder: Path) -> Iterable[Path]:
    """Return the folders of a copy's tests that need no extension."""
    return [folder / "tests" / name for name in CORE]
