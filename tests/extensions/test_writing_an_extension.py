"""docs/extensions.md as its reader follows it: the files are written, the package is installed, every command is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from repository import ROOT
from system_packages import needs_qt

PAGE = (ROOT / "docs/extensions.md").read_text("utf-8")
BLOCK = re.compile(
    r"(?:Write `(?P<name>[\w./]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S
)
IN_THE_WINDOW = """
from pathlib import Path
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
import mho.gui as gui
app = QApplication([])
window = gui.open_main_window(Path(), "simulated", QSettings("s.ini", QSettings.Format.IniFormat))
window.show_panel("Spread")
panel = window.panels.panel("Spread")
print(panel.text())
window.session.open_run(Path("watch.h5"))
while panel.text() == "no run is shown":
    app.processEvents()
print(panel.text())
window.close()
"""


def in_folder(folder: Path, *words: str) -> str:
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "MHO_RUNS": str(folder), "QT_QPA_PLATFORM": "offscreen",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files of the page, install the package, and run its commands."""
    folder = tmp_path_factory.mktemp("lab")
    commands: list[str] = []
    for block in BLOCK.finditer(PAGE):
        if block["name"]:
            path = folder / block["name"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block["text"], "utf-8")
        elif block["language"] == "sh":
            commands += block["text"].splitlines()
        else:  # of another package
            assert block["language"] == "toml"
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    info = folder / "lab_spread-1.0.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lab-spread\nVersion: 1.0\n{needs}")
    lines: list[str] = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    said = []
    for command in commands:
        program, *words = shlex.split(command)
        said.append(in_folder(folder, *(["-m", "mho"] if program == "mho" else []), *words))
    (folder / "said.json").write_text(json.dumps(said))
    return folder


@pytest.mark.thorough
def test_the_page_can_be_followed(folder: Path) -> None:
    _, spread, written = json.loads((folder / "said.json").read_text())
    assert re.fullmatch(r"\d+\.\d\d%\n", spread)
    assert written.split() == [str(folder / "lab_spread/manifest.json")]
    manifest = json.loads((folder / "lab_spread/manifest.json").read_text("utf-8"))
    spread_facts = manifest["verbs"]["spread"]
    assert spread_facts.pop("parameters")["path"]["required"]
    assert spread_facts == {"group": "Run files", "help": "Say how far the reads of a run lie apart."}
    shown = in_folder(
        folder, "-c", "from mho.procedures.manifest import *; print(entry_of('watch').imported)"
    )
    assert shown == "False\n"
    help_ = in_folder(folder, "-m", "mho", "--help")
    assert "Say how far the reads of a run lie apart." in help_
    assert "Watch" not in help_


@pytest.mark.thorough
@needs_qt
def test_its_panel_shows_what_its_verb_says(folder: Path) -> None:
    first, then = in_folder(folder, "-c", IN_THE_WINDOW).splitlines()
    assert first == "no run is shown"
    assert f"{then}\n" == json.loads((folder / "said.json").read_text())[1]
