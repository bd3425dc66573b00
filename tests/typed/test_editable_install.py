"""An editable install, as of the README, is found by type checkers, which run no code to find a package."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from repository import ROOT


@pytest.mark.thorough
@pytest.mark.skipif(
    int(importlib.metadata.version("setuptools").partition(".")[0]) < 77,
    reason="needs setuptools 77 or newer",
)
def test_an_editable_install_names_the_checkout_in_a_pth_file(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "mho", checkout / "mho", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyvisa_mho.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout / name)
    code = f"from setuptools import build_meta; build_meta.build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        (pth,) = (name for name in content.namelist() if name.endswith(".pth"))
        assert Path(content.read(pth).decode().strip()).samefile(checkout)  # Windows has short names, too
    assert (checkout / "mho" / "py.typed").exists()
