"""Makes the pictures of the chip panel: a solve with the history of a cell, and cells selected on a chip with bad ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from mho import run
from mho.chip_maps.chip import read_chip_text
from mho.gui.chip.panel import ChipPanel
from mho.gui.session.session import Session
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Program

SIZE = (1280, 800)
BAD_CELLS = [[5, 9], [5, 10], [14, 21], [15, 21], [11, 3]]
DIGITS = (18, 28)
SEED = 1
LEFT = Qt.MouseButton.LeftButton


def grab_chip_panel(solved: Path, pictures: Path) -> None:
    """Save what the panel looks like on the run file `solved`, and on one of its own; needs a QApplication."""
    with _panel(solved) as panel:
        cell = _busiest(panel)
        _click(panel, *cell)
        _point(panel, *cell)
        panel.grab().save(str(pictures / "panel-chip.png"))
    with tempfile.TemporaryDirectory() as folder, _panel(_program(Path(folder))) as panel:
        panel.quantity.setCurrentText("error")
        _click(panel, 8, 20)
        view, start, end = panel.canvas.viewport(), _place(panel, 3, 5), _place(panel, 12, 16)
        QTest.mousePress(view, LEFT, pos=start)
        for share in (0.3, 0.6, 1.0):
            QTest.mouseMove(view, start + (end - start) * share)
            QTest.qWait(40)
        QTest.mouseRelease(view, LEFT, pos=end)
        _point(panel, 14, 21)
        panel.grab().save(str(pictures / "panel-chip-selection.png"))


def _program(folder: Path) -> Path:
    """Program a block of a chip some of whose cells are known to be bad, and return the run file."""
    (folder / "chip.toml").write_text(f"{read_chip_text('reference')}\nbad_cells = {BAD_CELLS}\n", "utf-8")
    bench = load_bench_file("simulated").text.replace('chip = "reference"', 'chip = "chip.toml"')
    (folder / "bench.toml").write_text(bench, "utf-8")
    digits = np.random.default_rng(SEED).integers(0, 8, DIGITS)
    path: Path = run(
        Program(digits=digits), bench=str(folder / "bench.toml"), seed=SEED, output=folder / "program.h5"
    ).path
    return path


@contextmanager
def _panel(run_file: Path) -> Iterator[ChipPanel]:
    """The panel on a run file, shown whole."""
    session = Session(run_file.parent)
    panel = ChipPanel(session)
    panel.resize(*SIZE)
    panel.show()
    session.open_run(run_file)
    _wait(lambda: panel.complete)
    yield panel
    panel.close()
    session.close()
    panel.deleteLater()
    session.deleteLater()
    QTest.qWait(50)  # gone before their application is


def _busiest(panel: ChipPanel) -> tuple[int, int]:
    """Return the cell that took most pulses."""
    assert panel.grid is not None
    row, column = np.unravel_index(np.nanargmax(panel.grid.pulses), panel.grid.shape)
    return int(row), int(column)


def _place(panel: ChipPanel, row: int, column: int) -> QPoint:
    place: QPoint = panel.canvas.mapFromScene(panel.canvas.scene_position(row, column))
    return place


def _click(panel: ChipPanel, row: int, column: int) -> None:
    QTest.mouseClick(panel.canvas.viewport(), LEFT, pos=_place(panel, row, column))
    _wait(lambda: panel.complete)


def _point(panel: ChipPanel, row: int, column: int) -> None:
    for near in (QPoint(1, 1), QPoint()):
        QTest.mouseMove(panel.canvas.viewport(), _place(panel, row, column) + near)
        QTest.qWait(50)


def _wait(done: Callable[[], bool]) -> None:
    """Wait until `done`, for half a minute at most."""
    for _ in range(600):
        QTest.qWait(50)
        if done():
            return
    raise TimeoutError("the panel does not come to rest")
