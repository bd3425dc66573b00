"""Draws every panel of the window at three sizes and in both themes, to be looked at: python docs/panel_pictures.py FOLDER.

Each size is a process of its own, for Qt takes its scale once. A solve, an I-V run and one that failed are there to see.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SIZES = {"1280x800": (1280, 800, "1"), "1920x1080": (1920, 1080, "1"), "scale-2": (1280, 800, "2")}
"""Width and height, in the window's own pixels, and scale."""

PATIENCE = 120.0  # s


def main(folder: Path) -> None:
    """Make the runs, and draw each size in a process."""
    from mho import run
    from mho.errors import MhoError
    from mho.procedures import IV, Solve

    runs = folder / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    if not any(runs.glob("*.h5")):
        (folder / "a.csv").write_text("2,0.5,0,0\n0.25,1.5,0.1,0\n0,0.2,1.8,0.3\n0,0,0.4,2.2\n", "utf-8")
        run(IV(rows="0:2", columns="0:2"), seed=1, output=runs)
        run(Solve(matrix=str(folder / "a.csv"), bits=24), seed=1, output=runs)
        (folder / "singular.csv").write_text("1,1\n1,1\n", "utf-8")
        try:
            run(Solve(matrix=str(folder / "singular.csv")), seed=1, output=runs)
        except MhoError as error:
            print(f"as it should: {error}")
    for size, (*_, scale) in SIZES.items():
        more = {"QT_SCALE_FACTOR": scale, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
        command = [sys.executable, __file__, str(folder), size]
        subprocess.run(command, env=os.environ | more, check=True)


def draw(folder: Path, size: str) -> None:
    """Draw every panel at a size, in both themes."""
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    import mho.gui as gui
    from mho.gui import widgets
    from mho.gui.window.panel_docks import PANELS

    app = QApplication([])

    def wait(until: Callable[[], object], seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            app.processEvents()
            time.sleep(0.01)

    settings = QSettings(str(folder / f"{size}.ini"), QSettings.Format.IniFormat)
    settings.setValue("guided", True)
    window = gui.open_main_window(folder / "runs", settings=settings)
    window.resize(*SIZES[size][:2])
    window.show()
    form = window.panel("Experiments")
    wait(lambda: form.list.names())
    form.show_form("solve", {"matrix": str(folder / "a.csv"), "bits": "24"})
    solved = sorted((folder / "runs").glob("*solve*.h5"))[0]
    window.session.open_run(solved)
    for theme in ("light", "dark"):
        widgets.choose(theme)
        for title in PANELS:
            window.show_panel(title)
            wait(lambda: False, 1.5)
            window.grab().save(str(folder / f"{size}-{theme}-{title.lower()}.png"))
            if title == "Bench":
                window.panel("Bench").turn.click()
                wait(lambda: False, 1.0)
                window.grab().save(str(folder / f"{size}-{theme}-bench-by-hand.png"))
                window.panel("Bench").turn.click()
    window.close()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        draw(Path(sys.argv[1]), sys.argv[2])
    elif len(sys.argv) == 2:
        main(Path(sys.argv[1]))
    else:
        sys.exit("give the folder for the pictures: python docs/panel_pictures.py FOLDER")
