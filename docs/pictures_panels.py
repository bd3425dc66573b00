"""Makes the pictures of the panels solve, signals and runs, and of the page of ``mho watch``."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from mho import run
from mho.extensions.watch import WatchServer
from mho.gui.runs.panel import RunsPanel
from mho.gui.session.session import Session
from mho.gui.signals.panel import SignalsPanel
from mho.gui.solve.panel import SolvePanel
from mho.procedures import IV, Solve

PANEL = (1000, 560)  # pixels
WHOLE = (1280, 560)
OTHERS = ("poisson-4x4-grid", "zuo2025-4x4", "dominant-8x8")
SEED = 1


def grab_panels(solved: Path, pictures: Path) -> None:
    """Save what the panels look like on the run file `solved`, beside which others are made; needs a QApplication.

    The page is left out where there is no chromium.
    """
    folder = solved.parent
    others = []
    for name in OTHERS:
        procedure = Solve(matrix=str(Path("data", "matrices", f"{name}.mtx")), bits=24)
        others.append(run(procedure, seed=SEED, output=folder / f"{name}.h5").path)
    session = Session(folder)
    session.open_run(solved)
    solve, signals, table = SolvePanel(session), SignalsPanel(session), RunsPanel(session)
    _grab(solve, PANEL, pictures / "panel-solve.png")
    for one in others:
        signals.overlays.lay_over(one)
    _grab(
        signals,
        PANEL,
        pictures / "panel-signals.png",
        lambda: len(list(signals.overlays.checked())) == len(others),
    )
    with tempfile.TemporaryDirectory() as elsewhere:
        session.open_run(_swept(solved, Path(elsewhere)))
        sweeps = SignalsPanel(session)
        sweeps.figure.setCurrentIndex(sweeps.figure.count() - 1)  # the table, with cursors
        sweeps.cursors.setChecked(True)
        _grab(sweeps, PANEL, pictures / "panel-signals-sweep.png", lambda: bool(sweeps.plot.drawn))
    table.show()
    _wait(lambda: len(table.model.rows) > len(others))
    table.table.selectRow(1)
    _grab(table, WHOLE, pictures / "panel-runs.png", table.preview.convergence.isVisible)
    session.close()
    grab_page(folder, pictures / "watch.png")


def _swept(solved: Path, folder: Path) -> Path:
    """Sweep programmed cells of the chip that a solve left, SET and RESET, and return the run file."""
    cells = IV(rows="1, 2", columns="33, 34", highest=2.0, lowest=-1.6, step=0.05, gate=1.8)
    path: Path = run(cells, after=solved, output=folder / "sweep.h5").path
    return path


def _grab(
    panel: QWidget, size: tuple[int, int], picture: Path, ready: Callable[[], bool] = lambda: True
) -> None:
    panel.resize(*size)
    panel.show()
    _wait(ready)
    panel.grab().save(str(picture))
    panel.close()
    panel.deleteLater()
    QTest.qWait(50)


def _wait(ready: Callable[[], bool]) -> None:
    """Wait for what is read in other threads, and for layouts to settle."""
    for _ in range(200):
        QTest.qWait(50)
        if ready():
            break
    QTest.qWait(200)


def grab_page(folder: Path, picture: Path) -> None:
    """Save what ``mho watch`` looks like in chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return
    with WatchServer(folder, 0) as server:
        subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,860",
                "--virtual-time-budget=4000", f"--screenshot={picture}", server.address,
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )  # fmt: skip
