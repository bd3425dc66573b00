"""Makes the pictures of README and docs from fresh runs with fixed seeds: ``python docs/make_pictures.py [NAME …]``.

Each name of `MAKERS` makes some of them; without a name all are made. ``--compare`` changes none, makes them elsewhere, and
says which differ from those that are there.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import tempfile
from collections.abc import Callable
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
SEED = 1
MAKERS = {
    "settling": ("pictures_circuit:draw_settling", "inv-settling"),
    "slices": ("pictures_slices:draw_slices", "inv-two-slices"),
    "policy": ("pictures_optimise:draw_policy", "optimise"),
    "krylov": ("pictures_linalg:draw_krylov", "linalg-iterations"),
    "worth": ("pictures_worth:draw_worth", "worth-map"),
    "plot": ("make_pictures:plot_solve", "plot"),
    "budget": ("pictures_budget:draw_budget", "budget"),
    "experiments": ("pictures_experiments:plot_experiments", "multiply-* invert-*"),
    "strategies": ("pictures_experiments:plot_strategies", "strategies-pulses"),
    "learning": ("pictures_learning:draw_learning", "learning-*"),
    "levels": ("pictures_levels:draw_levels", "program-picture"),
    "refresh": ("pictures_levels:plot_refresh", "refresh-*"),
    "cells": ("pictures_cells:plot_cells", "form-* iv-* contact-* response-*"),
    "lifetimes": (
        "pictures_lifetimes:plot_lifetimes",
        "switching-* endurance-* retention-* noise-* disturb-* map-*",
    ),
    "mimo": ("pictures_mimo:draw_mimo", "mimo-*"),
    "field": ("pictures_field:draw_field", "field-*"),
    "fields": (
        "pictures_fields:draw_fields",
        "poisson-* diffusion-* junction-* kalman-* arm-* power-flow-* portfolio-*",
    ),
    "characterise": ("pictures_characterise:draw_page", "characterise"),
    "import": ("pictures_imports:plot_import", "import-current-voltage"),
    "published": ("pictures_published:draw_published", "published-*"),
    "calibrate": ("pictures_calibrate:draw_checks", "calibrate-checks"),
    "over-runs": ("pictures_over_runs:plot_over_runs", "over-runs-*"),
    "projection": ("pictures_projection:draw_projection", "projection-*"),
    "reports": ("pictures_reports:draw_reports", "report-* notebook-*"),
    "training": ("pictures_training:draw_training", "training-*"),
    "window": ("make_pictures:grab_window", "window"),
    "by-hand": ("pictures_window:grab_by_hand", "panel-bench-by-hand"),
    "main-window": ("pictures_window:grab_main_window", "window-main window-bench window-dark"),
    "plan": ("pictures_window:grab_plan", "window-plan"),
    "chip-panel": ("pictures_chip:grab_chip_panel", "panel-chip panel-chip-selection"),
    "actions": ("pictures_actions:grab_actions", "panel-actions"),
    "panels": (
        "pictures_panels:grab_panels",
        "panel-runs panel-signals panel-signals-sweep panel-solve watch",
    ),
}
"""By name the function that makes pictures, and which; its arguments are of `solved`, `folder` and `pictures`."""
CELL_FIGURES = "cells-*"
ALIKE = 0.002
"""Largest share of pixels that may differ between two pictures which show the same."""


def maker_of(picture: str) -> str:
    """Return the command that makes a picture, by its name without the suffix."""
    if fnmatch(picture, CELL_FIGURES):
        return "python docs/make_cell_figures.py"
    (name,) = (
        name
        for name, (_, patterns) in MAKERS.items()
        if any(fnmatch(picture, one) for one in patterns.split())
    )
    return f"python docs/make_pictures.py {name}"


def solve(folder: Path) -> Path:
    """Solve the massive-MIMO matrix to 24 bits and return the run file."""
    from mho import run
    from mho.procedures import Solve

    procedure = Solve(matrix=str(Path("data", "matrices", "mimo-16x16.mtx")), bits=24)
    path: Path = run(procedure, seed=SEED, output=folder / "mimo-16x16.h5").path
    return path


def plot_solve(solved: Path, pictures: Path) -> None:
    """Draw what `mho plot` makes of a solve."""
    import mho.analysis as analysis

    analysis.plot(solved, pictures / "plot.png")


def grab_window(solved: Path, pictures: Path) -> None:
    """Save what the window on the run file `solved` looks like; needs a QApplication."""
    from PySide6.QtTest import QTest

    import mho.gui as gui

    window = gui.open_run_window(solved)
    QTest.qWait(200)  # layouts settle
    view = window.map
    QTest.mouseMove(view.canvas.viewport(), view.canvas.mapFromScene(view.scene_position(24, 39)))
    QTest.qWait(100)
    window.grab().save(str(pictures / "window.png"))
    window.close()
    window.deleteLater()
    QTest.qWait(50)  # gone before its application is


def make(name: str, pictures: Path, solved: Callable[[], Path]) -> None:
    """Make the pictures of one name, with their runs in a folder of their own; `solved` gives the run that several show."""
    module, _, function = MAKERS[name][0].partition(":")
    maker = getattr(import_module(module), function)
    with tempfile.TemporaryDirectory() as folder:
        offered = {"folder": lambda: Path(folder), "pictures": lambda: pictures, "solved": solved}
        maker(**{one: offered[one]() for one in inspect.signature(maker).parameters})


def difference(one: Path, other: Path) -> float:
    """Return the share of pixels that differ visibly between two pictures; 1 for pictures of other sizes."""
    from PIL import Image

    a, b = (np.asarray(Image.open(path).convert("RGB"), dtype=np.int16) for path in (one, other))
    return 1.0 if a.shape != b.shape else float((np.abs(a - b).max(axis=2) > 48).mean())


def main() -> None:
    """Make the pictures that are named, or say which differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MAKERS], metavar="NAME", help=", ".join(MAKERS))
    parser.add_argument("--compare", action="store_true", help="change no picture, say which differ")
    asked = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    os.chdir(ROOT)  # runs name their matrices as the README does
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as runs, tempfile.TemporaryDirectory() as elsewhere:
        solved = cache(lambda: solve(Path(runs)))
        target = Path(elsewhere) if asked.compare else PICTURES
        for name in asked.names or MAKERS:
            make(name, target, solved)
        shares = {
            picture.name: difference(picture, PICTURES / picture.name)
            if (PICTURES / picture.name).exists()
            else 1.0
            for picture in (sorted(target.iterdir()) if asked.compare else ())
        }
    for picture, share in shares.items():
        print(f"{'differs' if share > ALIKE else 'alike  '}  {picture}: {share:.2%} of its pixels are others")
    del app
    sys.exit(any(share > ALIKE for share in shares.values()))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.modules["make_pictures"] = sys.modules["__main__"]  # whose functions make some of them
    main()
