"""Makes the pictures of the panels solve, signals and runs, and of the page of ``mho watch``."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

PANEL = (1000, 560)  # pixels
WHOLE = (1280, 560)


def grab_panels(folder: Path, pictures: Path) -> None:
    """Save what the panels look like on the runs in `folder`, the newest of which is shown.

    There must be a QApplication. The page needs chromium, and is left out without.
    """
    from gui.runs_panel import RunsPanel
    from gui.session import Session
    from gui.signals_panel import SignalsPanel
    from gui.solve_panel import SolvePanel

    runs = sorted(folder.glob("*solve*.h5"))
    session = Session(folder)
    session.open_run(runs[-1])
    solve, signals, table = SolvePanel(session), SignalsPanel(session), RunsPanel(session)
    _grab(solve, PANEL, pictures / "panel-solve.png", lambda: None)
    _grab(signals, PANEL, pictures / "panel-signals.png", lambda: _lay_over(signals, runs[:-1]))
    _grab(table, WHOLE, pictures / "panel-runs.png", lambda: table.table.selectRow(0))
    session.close()
    grab_page(folder, pictures / "watch.png")


def _lay_over(signals: object, runs: list[Path]) -> None:
    signals.table.setCurrentText("cycles")  # type: ignore[attr-defined]
    signals.signal.setCurrentText("relative_error")  # type: ignore[attr-defined]
    signals.log_y.setChecked(True)  # type: ignore[attr-defined]
    signals.cursors.setChecked(True)  # type: ignore[attr-defined]
    for run in runs:
        signals.lay_over(run)  # type: ignore[attr-defined]


def _grab(panel: object, size: tuple[int, int], picture: Path, prepare: Callable[[], None]) -> None:
    from PySide6.QtTest import QTest

    panel.resize(*size)  # type: ignore[attr-defined]
    panel.show()  # type: ignore[attr-defined]
    QTest.qWait(1000)  # what is read in other threads has come
    prepare()
    QTest.qWait(1000)
    panel.grab().save(str(picture))  # type: ignore[attr-defined]
    panel.close()  # type: ignore[attr-defined]
    panel.deleteLater()  # type: ignore[attr-defined]
    QTest.qWait(50)


def grab_page(folder: Path, picture: Path) -> None:
    """Save what ``mho watch`` looks like in chromium."""
    from gui.watch import WatchServer

    chromium = shutil.which("chromium")
    if chromium is None:
        return
    with WatchServer(folder, 0) as server:
        subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1000",
                "--virtual-time-budget=4000", f"--screenshot={picture}", server.address,
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )  # fmt: skip
