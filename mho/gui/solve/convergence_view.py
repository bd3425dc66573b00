"""The plot of relative error and residual per cycle, beside the forecast and three bits a cycle."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.analysis.reports import Convergence, ideal
from mho.array_types import Floats
from mho.gui.plots import PowersOfTen, ThemedPlot, WholeAxis
from mho.gui.widgets import colours

AHEAD = 6  # cycles to which the lines reach before there are that many

NO_FORECAST = "no forecast yet"


class ConvergenceView(ThemedPlot):
    """A plot of a `Convergence`, drawn anew whenever it grows; a small one does without its legend."""

    def __init__(self, parent: QWidget | None = None, *, legend: bool = True) -> None:
        super().__init__(
            parent,
            x="cycle",
            y="relative error, residual",
            x_axis=WholeAxis,
            y_axis=PowersOfTen,
            legend=legend,
        )
        self.convergence: Convergence | None = None
        self.setLogMode(y=True)
        self.showGrid(x=False, y=True, alpha=0.15)
        dashed, dash_dotted = Qt.PenStyle.DashLine, Qt.PenStyle.DashDotLine
        self.ideal = self._line(palette.IDEAL, dashed, "3 bits a cycle")
        self.forecast = self._line(palette.FORECAST, dash_dotted, NO_FORECAST)
        self.without_chip = self.plot(pen=pg.mkPen(palette.FAINT, width=1.5))
        self.residual = self._points(palette.RESIDUAL, "s", "residual")
        self.relative_error = self._points(palette.RELATIVE_ERROR, "o", "relative error")
        self.true_residual = self.plot(
            pen=None, symbol="d", symbolSize=13, symbolBrush=None, symbolPen=pg.mkPen(palette.TARGET, width=2)
        )
        self._precision, self._tolerance = self._level(0.03), self._level(0.35)
        self.paint_ground()
        self.show_convergence(None)

    def paint_ground(self) -> None:
        """Apply the colours of the window; what is compared with is drawn in the colour of the axes."""
        super().paint_ground()
        if hasattr(self, "ideal"):
            self.ideal.setPen(pg.mkPen(colours().faint, width=1.5, style=Qt.PenStyle.DashLine))
            self.without_chip.setPen(pg.mkPen(colours().faint, width=1.5))

    def show_convergence(self, convergence: Convergence | None) -> None:
        """Show `convergence`; None clears the plot."""
        self.convergence = convergence
        if self.legend is not None:
            self.legend.setVisible(convergence is not None)
        if convergence is None:
            for item in (self.ideal, self.forecast, self.residual, self.relative_error):
                item.setData([], [])
            for item in (self.true_residual, self.without_chip):
                self._show_named(item, np.empty(0), np.empty(0), "")
            self._mark(self._precision, None, "")
            self._mark(self._tolerance, None, "")
            self.say("no refinement in this run")
            self.setXRange(0.0, AHEAD, padding=0.03)
            self.setYRange(-AHEAD, 0.5, padding=0.0)
            return
        self.say("")
        cycle = np.append(0.0, convergence.cycle)
        self.residual.setData(cycle, _positive(np.append(1.0, convergence.residual)))
        self.relative_error.setData(cycle, _positive(np.append(1.0, convergence.relative_error)))
        # The residuals that were recomputed, beside those that the iteration carries along.
        true = np.empty(0) if convergence.true_residual is None else convergence.true_residual
        known = np.isfinite(true) & (true > 0.0)
        self._show_named(
            self.true_residual, convergence.cycle[: len(true)][known], true[known], "residual, recomputed"
        )
        # The same solve without the chip; nothing before it is known.
        unaided = np.empty(0) if convergence.without_chip is None else convergence.without_chip
        beside = _positive(np.append(1.0, unaided)) if unaided.size else unaided
        self._show_named(self.without_chip, np.arange(float(len(beside))), beside, "without the chip")
        last = max(float(cycle[-1]), float(AHEAD) if len(cycle) < AHEAD else 0.0, float(unaided.size))
        ends = np.array([0.0, last])
        self.ideal.setData(ends, ideal(ends))
        forecast = convergence.forecast(ends)
        if forecast is None:
            self.forecast.setData([], [])
        else:
            self.forecast.setData(ends, _positive(forecast))
        if self.legend is not None:
            label = NO_FORECAST if forecast is None else f"forecast, rho = {convergence.rho:.3f}"
            self.legend.getLabel(self.forecast).setText(label)
        self._mark(self._precision, convergence.precision, f"{convergence.bits} bits")
        self._mark(self._tolerance, convergence.tolerance, "tolerance of the residual")
        self._fit(convergence, last)

    def _show_named(self, item: pg.PlotDataItem, x: Floats, y: Floats, name: str) -> None:
        """Draw points that not every run has; they are in the legend where there are any."""
        item.setData(x, y)
        if self.legend is not None:
            self.legend.removeItem(item)
            if len(x):
                self.legend.addItem(item, name)

    def labels(self) -> dict[str, str]:
        """Return what the legend calls the curves; empty while there is nothing to show."""
        if self.convergence is None or self.legend is None:
            return {}
        curves = ("ideal", "forecast", "residual", "relative_error")
        return {curve: self.legend.getLabel(getattr(self, curve)).text for curve in curves}

    def _fit(self, convergence: Convergence, last: float) -> None:
        """Show all measured points and the requested precision; the forecast may exceed the view."""
        true = np.array([]) if convergence.true_residual is None else convergence.true_residual
        measured = np.concatenate([[1.0], convergence.residual, convergence.relative_error, true])
        levels = [level for level in (convergence.precision, convergence.tolerance) if level]
        shown = np.append(_positive(measured), levels)
        shown = np.log10(shown[np.isfinite(shown)])
        self.setXRange(0.0, last, padding=0.05)
        self.setYRange(float(shown.min()) - 0.8, float(shown.max()) + 0.5, padding=0.0)

    def _line(self, colour: str, style: Qt.PenStyle, name: str) -> pg.PlotDataItem:
        return self.plot(pen=pg.mkPen(colour, width=1.5, style=style), name=name)

    def _points(self, colour: str, symbol: str, name: str) -> pg.PlotDataItem:
        pen = pg.mkPen(colour, width=2)
        return self.plot(
            pen=pen,
            symbol=symbol,
            symbolSize=8,
            symbolBrush=colour,
            symbolPen=None,
            name=name,
            connect="finite",
        )

    def _level(self, place: float) -> pg.InfiniteLine:
        """A horizontal line with its name at a fraction `place` of the width."""
        line = pg.InfiniteLine(
            angle=0,
            pen=pg.mkPen(palette.TARGET, style=Qt.PenStyle.DotLine),
            label="",
            labelOpts={"position": place, "color": palette.TARGET, "anchors": [(0, 0), (0, 0)]},
        )
        self.addItem(line, ignoreBounds=True)
        return line

    def _mark(self, line: pg.InfiniteLine, level: float | None, name: str) -> None:
        line.setVisible(bool(level))
        if level:
            line.setPos(np.log10(level))
            line.label.setFormat(name)


def _positive(values: Floats) -> Floats:
    """Return the values that a logarithmic axis can show; NaN for the others."""
    return np.where(values > 0.0, values, np.nan)
