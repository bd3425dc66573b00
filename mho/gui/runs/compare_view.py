"""Compares up to eight runs: their convergence or a figure that all have, and the parameters and results that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QLabel,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)
from shiboken6 import Shiboken

from mho.analysis import palette
from mho.analysis.figures import Drawing, compose, figures_of, gather
from mho.analysis.reports import Convergence, read_convergence
from mho.errors import RunFileError
from mho.gui import widgets
from mho.gui.plots import PowersOfTen, ThemedPlot, WholeAxis
from mho.gui.runs.preview import IndexedFacts, quantity_text
from mho.gui.signals.figure_plot import FigureImages, FigurePlot
from mho.gui.widgets import swatch
from mho.runs import Figure, RunFile
from mho.runs.integrity import OF_THE_MOMENT

FEWEST, MOST = 2, 8
SYMBOLS = ("o", "s", "t", "d", "+", "x", "star", "p")


REFINEMENT = ""
"""Entry in the list of figures for relative errors and residuals by cycle."""

MOST_ROWS = 100_000  # of a table that a figure is drawn of, the newest


@dataclass(frozen=True)
class RunConvergence:
    """A run's refinement; None without one, or when the file cannot be read, and then `trouble` says why.

    `figures` are those that the run declares, or would have, by their names.
    """

    convergence: Convergence | None
    trouble: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)


def read_refined(paths: Sequence[Path]) -> list[RunConvergence]:
    """Read the refinement of each run file, and which figures it has."""
    convergences = []
    for path in paths:
        try:
            with RunFile(path) as run:
                figures = {one.name: one for one in figures_of(run)}
                convergences.append(RunConvergence(read_convergence(run), figures=figures))
        except RunFileError as error:
            convergences.append(RunConvergence(None, str(error)))
    return convergences


def draw_common(paths: Sequence[Path], figures: Sequence[Figure]) -> tuple[Figure, Drawing]:
    """Return the first of some figures in which the runs have anything to show, and its drawing, a colour a run.

    `RunFileError` where a file cannot be read any more.
    """
    for figure in figures:
        data = []
        for path, colour in zip(paths, palette.SERIES, strict=False):
            with RunFile(path) as run:
                data.append(replace(gather(run, figure, MOST_ROWS), run=path.stem, colour=colour))
        drawing = compose(figure, data)
        if not drawing.nothing:
            break
    return figure, drawing


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
    """A window on several runs, of which `ask` reads the figures in another thread."""

    def __init__(
        self,
        folder: Path,
        runs: Sequence[IndexedFacts],
        refined: Sequence[RunConvergence],
        ask: Callable[..., None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{len(runs)} runs compared")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(1000, 700)
        self._ask = ask
        self._readable = [
            (folder / known.run.path, one)
            for known, one in zip(runs, refined, strict=True)
            if not one.trouble
        ]
        self.plot = ThemedPlot(
            x="cycle", y="relative error", x_axis=WholeAxis, y_axis=PowersOfTen, legend=True
        )
        self.plot.setLogMode(y=True)
        self.figure_plot = FigurePlot(heading=False)
        self.shown = QStackedWidget()
        self.shown.addWidget(self.plot)
        self.shown.addWidget(self.figure_plot)
        self.residuals = QCheckBox("residuals too")
        self.errors: list[pg.PlotDataItem] = []
        self._residuals: list[pg.PlotDataItem] = []
        for place, (known, one) in enumerate(zip(runs, refined, strict=True)):
            if one.convergence is not None:
                self._draw(known.run.path.stem, palette.SERIES[place], SYMBOLS[place], one.convergence)
        self.residuals.toggled.connect(lambda shown: [item.setVisible(shown) for item in self._residuals])
        self.figure = widgets.ChoiceBox("figure")
        self.table = _table(runs, differences(runs))
        self.trouble = QLabel("\n".join(one.trouble for one in refined if one.trouble), wordWrap=True)
        self.trouble.setVisible(bool(self.trouble.text()))
        halves = widgets.splitter(Qt.Orientation.Vertical, (self.shown, 420), (self.table, 280))
        top = widgets.row(None, QLabel("Figure"), self.figure, self.residuals, (None, 1))
        widgets.column(self, self.trouble, top, (halves, 1))
        self._offer_figures()

    def _offer_figures(self) -> None:
        """Offer the figures that all runs have, and begin with the refinement or the first that shows something."""
        every = [one.figures for _, one in self._readable]
        first, *others = every or [{}]
        self._common = {
            name: figure
            for name, figure in first.items()
            if all(name in one and one[name].source == figure.source for one in others)
        }
        entries = [("refinement", REFINEMENT)] * bool(self.errors)
        entries += [(figure.heading, name) for name, figure in self._common.items()]
        self.figure.offer(entries)
        self.figure.currentIndexChanged.connect(lambda _: self._choose())
        self.residuals.setVisible(bool(self.errors))
        if not entries:
            self.plot.say("none of these runs refines a solution, and they have no figure in common")
        elif not self.errors:
            self._read(list(self._common.values()))

    def _choose(self) -> None:
        name = self.figure.currentData()
        self.residuals.setVisible(name == REFINEMENT)
        if name == REFINEMENT:
            self.shown.setCurrentWidget(self.plot)
        else:
            self._read([self._common[name]])

    def _read(self, figures: Sequence[Figure]) -> None:
        """Draw the first of some figures that shows something, once it is read, unless another is chosen meanwhile."""
        paths, chosen = [path for path, _ in self._readable], self.figure.currentData()

        def then(result: tuple[Figure, Drawing]) -> None:
            if not Shiboken.isValid(self) or self.figure.currentData() != chosen:
                return
            figure, drawing = result
            with QSignalBlocker(self.figure):
                self.figure.setCurrentIndex(self.figure.findData(figure.name))
            view: Any = self.figure_plot
            if drawing.images:
                view = FigureImages()
                self.shown.addWidget(view)
            view.show_drawing(drawing)
            self.shown.setCurrentWidget(view)

        def refused(text: str) -> None:
            if Shiboken.isValid(self):
                self.trouble.setText(text)
                self.trouble.setVisible(True)

        self._ask(lambda: draw_common(paths, figures), then, refused)

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
