"""Steps that one takes in the panel of signals, and run files to take them on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from window_steps import PATIENCE

from mho.runs import Column, Layout, RecordedParameter, RunHeader, RunWriter, Table


def settle(panel: Any) -> None:
    """Wait until a panel has read and drawn what is wanted of it."""
    end = time.monotonic() + PATIENCE / 1000.0
    QTest.qWait(1)
    while not panel.settled:
        assert time.monotonic() < end, "the panel reads on and on"
        QTest.qWait(5)


def choices(box: Any) -> list[str]:
    """Return what a list offers."""
    return [box.itemText(place) for place in range(box.count())]


def choose(panel: Any, box: Any, text: str) -> None:
    """Choose with the arrow keys, as a user does."""
    box.setFocus()
    while box.currentIndex() > 0:
        QTest.keyClick(box, Qt.Key.Key_Up)
    for _ in range(box.count()):
        if box.currentText() == text:
            settle(panel)
            return
        QTest.keyClick(box, Qt.Key.Key_Down)
    raise AssertionError(f"{text} is not offered: {choices(box)}")


def write_field(panel: Any, box: Any, text: str) -> None:
    """Type a column or a formula into a field, and leave it with Enter."""
    line = box.lineEdit()
    line.setFocus()
    line.selectAll()
    QTest.keyClick(line, Qt.Key.Key_Delete)
    QTest.keyClicks(line, text)
    box.completer().popup().hide()
    QTest.keyClick(line, Qt.Key.Key_Return)
    settle(panel)


def own_plot(panel: Any) -> None:
    """Turn to the plot of one's own."""
    panel.figure.setCurrentIndex(panel.figure.findData(""))
    settle(panel)


def curves(panel: Any) -> list[tuple[Any, Any]]:
    """Return x and y of all that is drawn over two axes, once it is read."""
    settle(panel)
    return [
        item.getOriginalDataset() for item in panel.figure_plot.drawn if hasattr(item, "getOriginalDataset")
    ]


def legend(panel: Any) -> list[str]:
    """Return the names in the legend."""
    settle(panel)
    return [label.text for _, label in panel.figure_plot.plotItem.legend.items]


def write_points(path: Path, columns: dict[str, tuple[str, Any]], **parameters: Any) -> Path:
    """Write a finished run of one table; each column is a unit and its numbers."""
    made = [(name, unit, np.asarray(values)) for name, (unit, values) in columns.items()]
    table = Table(
        "points", tuple(Column(name, unit, dtype=values.dtype.str[1:]) for name, unit, values in made),
        made[1][0], made[0][0],
    )  # fmt: skip
    given = {name: RecordedParameter(value) for name, value in parameters.items()}
    with RunWriter.create(path, RunHeader("Points", "Points", "1", given), Layout((table,))) as run:
        run.emit_block("points", {name: values for name, _, values in made})
    return path


def write_waveforms(path: Path, rows: int = 12, samples: int = 50) -> Path:
    """Write pulses as waveforms: a voltage over time a row, and its peak."""
    table = Table(
        "shots",
        (
            Column("number", dtype="u4"), Column("peak", "V"), Column("when", "s", shape=(samples,)),
            Column("voltage", "V", shape=(samples,)),
        ),
        "voltage",
        "when",
    )  # fmt: skip
    with RunWriter.create(path, RunHeader("Pulses", "Pulse", "1", {}), Layout((table,))) as run:
        for number in range(rows):
            when = np.arange(samples) * 1e-9
            voltage = number * np.exp(-when / 1e-8)
            run.emit("shots", number=number, peak=float(number), when=when, voltage=voltage)
    return path


def write_sweeps(path: Path, cells: Any = ((0, 0), (0, 1), (3, 2)), ways: int = 11) -> Path:
    """Write I-V curves of some cells, one after the other, a table of several curves."""
    table = Table(
        "sweeps",
        (
            Column("sweep", dtype="u4"), Column("row", dtype="u2"), Column("column", dtype="u2"),
            Column("voltage", "V"), Column("current", "A"),
        ),
        "current",
        "voltage",
        series="sweep",
    )  # fmt: skip
    with RunWriter.create(path, RunHeader("Sweeps", "Sweep", "1", {}), Layout((table,))) as run:
        for number, (row, column) in enumerate(cells):
            volts = np.linspace(-0.5, 0.5, ways)
            block = {
                "sweep": np.full(ways, number), "row": np.full(ways, row), "column": np.full(ways, column),
                "voltage": volts, "current": volts * 1e-5 * (number + 1),
            }  # fmt: skip
            run.emit_block("sweeps", block)
    return path
