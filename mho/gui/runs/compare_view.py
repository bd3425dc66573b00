"""Compares up to eight runs: their convergence or another figure, and the parameters and results in which they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from mho.analysis import palette
from mho.analysis.figures import FigureData, compose, gather
from mho.analysis.reports import Convergence, read_convergence
from mho.errors import RunFileError
from mho.gui import widgets
from mho.gui.plots import PowersOfTen, ThemedPlot, WholeAxis
from mho.gui.runs.preview import IndexedFacts, quantity_text
from mho.gui.signals.figure_plot import FigurePlot
from mho.gui.widgets import swatch
from mho.runs import Figure, RunFile
from mho.runs.integrity import OF_THE_MOMENT

FEWEST, MOST = 2, 8
SYMBOLS = ("o", "s", "t", "d", "+", "x", "star", "p")


MOST_ROWS = 100_000  # of a table that a figure is drawn of, the newest


@dataclass(frozen=True)
class RunConvergence:
    """A run's refinement; None without one, or when the file cannot be read, and then `trouble` says why.

    `figures` are those without images that a run without refinement declares, each with its data.
    """

    convergence: Convergence | None
    trouble: str = ""
    figures: Mapping[str, tuple[Figure, FigureData]] = field(default_factory=dict)


def read_refined(paths: Sequence[Path]) -> list[RunConvergence]:
    """Read the refinement of each run file, or of a run without one the data of its figures."""
    convergences = []
    for path in paths:
        try:
            with RunFile(path) as run:
                convergence = read_convergence(run)
                declared = () if convergence is not None else run.figures
                figures = {
                    one.name: (one, gather(run, one, MOST_ROWS)) for one in declared if not one.is_image
                }
                convergences.append(RunConvergence(convergence, figures=figures))
        except RunFileError as error:
            convergences.append(RunConvergence(None, str(error)))
    return convergences


def differences(runs: Sequence[IndexedFacts]) -> list[tuple[str, list[str]]]:
    """Return name and texts, run by run, of all that differs: parameters first, then results."""
    rows: list[tuple[str, list[str]]] = []
    for kind in ("parameters", "results"):
        values = [{one.name: quantity_text(one) for one in getattr(run, kind)} for run in runs]
        for name in dict.fromkeys(name for one in values for name in one):
            texts = [one.get(name, "") for one in values]
            if len(set(texts)) > 1 and name not in OF_THE_MOMENT:
                rows.append((name, texts))
    for name in ("status", "procedure", "version", "bench", "preset", "chip", "seed", "mho", "commit"):
        texts = [str(getattr(run.run if name == "status" else run.run.facts, name)) for run in runs]
        if len(set(texts)) > 1:
            rows.append((name, texts))
    return rows


class CompareView(QDialog):
    """A window on several runs."""

    def __init__(
        self, runs: Sequence[IndexedFacts], refined: Sequence[RunConvergence], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{len(runs)} runs compared")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(1000, 700)
        self.plot = ThemedPlot(
            x="cycle", y="relative error", x_axis=WholeAxis, y_axis=PowersOfTen, legend=True
        )
        self.plot.setLogMode(y=True)
        self.residuals = QCheckBox("residuals too")
        self.errors: list[pg.PlotDataItem] = []
        self._residuals: list[pg.PlotDataItem] = []
        for place, (known, one) in enumerate(zip(runs, refined, strict=True)):
            if one.convergence is not None:
                self._draw(known.run.path.stem, palette.SERIES[place], SYMBOLS[place], one.convergence)
        common = [name for name in refined[0].figures if all(name in one.figures for one in refined)]
        drawn: ThemedPlot = self.plot
        if not self.errors and common:
            drawn = self._common_figure(common[0], runs, refined)
        elif not self.errors:
            self.plot.say("none of these runs refines a solution, and they have no figure in common")
        self.residuals.setVisible(bool(self.errors))
        self.residuals.toggled.connect(lambda shown: [item.setVisible(shown) for item in self._residuals])
        self.table = _table(runs, differences(runs))
        trouble = QLabel("\n".join(one.trouble for one in refined if one.trouble), wordWrap=True)
        trouble.setVisible(bool(trouble.text()))
        halves = widgets.splitter(Qt.Orientation.Vertical, (drawn, 420), (self.table, 280))
        widgets.column(self, trouble, self.residuals, (halves, 1))

    @staticmethod
    def _common_figure(
        name: str, runs: Sequence[IndexedFacts], refined: Sequence[RunConvergence]
    ) -> FigurePlot:
        """Return a figure that all runs declare, of all of them, each in its colour."""
        figure = refined[0].figures[name][0]
        data = [
            replace(one.figures[name][1], run=known.run.path.stem, colour=palette.SERIES[place])
            for place, (known, one) in enumerate(zip(runs, refined, strict=True))
        ]
        plot = FigurePlot()
        plot.show_drawing(compose(figure, data))
        return plot

    def _draw(self, name: str, colour: str, symbol: str, convergence: Convergence) -> None:
        cycle = np.append(0.0, convergence.cycle)
        for values, style, label, items in (
            (convergence.relative_error, Qt.PenStyle.SolidLine, name, self.errors),
            (convergence.residual, Qt.PenStyle.DotLine, None, self._residuals),
        ):
            shown = np.append(1.0, values)
            item = self.plot.plot(
                cycle,
                np.where(shown > 0.0, shown, np.nan),
                pen=pg.mkPen(colour, width=1.8, style=style),
                symbol=symbol if label else None,
                symbolSize=8,
                symbolBrush=colour,
                symbolPen=pg.mkPen(colour),
                name=label,
                connect="finite",
            )
            item.setVisible(label is not None)
            items.append(item)


def _table(runs: Sequence[IndexedFacts], rows: Sequence[tuple[str, list[str]]]) -> QTableWidget:
    table = QTableWidget(len(rows), len(runs))
    table.setAccessibleName("what is not the same")
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setVerticalHeaderLabels([name for name, _ in rows])
    table.verticalHeader().setDefaultSectionSize(22)
    for column, known in enumerate(runs):
        heading = QTableWidgetItem(known.run.path.stem)
        heading.setIcon(swatch(palette.SERIES[column]))
        heading.setToolTip(str(known.run.path))
        table.setHorizontalHeaderItem(column, heading)
        for row, (_, texts) in enumerate(rows):
            item = QTableWidgetItem(texts[column])
            item.setToolTip(texts[column])
            table.setItem(row, column, item)
    table.resizeColumnsToContents()
    return table
