"""The views beside the convergence: solution and its error, constellation, field, expected against measured."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from mho.analysis import palette
from mho.gui.solve.convergence_view import PowersOfTen
from mho.gui.solve.reading import Checked, Wrong
from mho.gui.widgets.theme import colours
from mho.gui.widgets.themed_plot import ThemedPlot, WholeAxis

Floats = NDArray[np.float64]

BOTH = "circles: float64 reference, dots: solution"  # above the plot, where a legend would cover points
ALONE = "solution"


class SolutionView(QWidget):
    """Solution and reference, component by component, and their difference on a logarithmic axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.values = ThemedPlot(axisItems={"bottom": WholeAxis("bottom")})
        self.values.setLabel("left", "x")
        self.reference = _dots(self.values, palette.RESIDUAL, "o", size=11, hollow=True)
        self.solution = _dots(self.values, palette.RELATIVE_ERROR, "o")
        self.errors = ThemedPlot(axisItems={"left": PowersOfTen("left"), "bottom": WholeAxis("bottom")})
        self.errors.setLogMode(y=True)
        self.errors.setLabel("left", "|x − reference|")
        self.errors.setLabel("bottom", "component")
        self.errors.setXLink(self.values)
        self.errors.paint_ground()
        self.error = _dots(self.errors, palette.OUTSIDE, "s")
        for plot in (self.values, self.errors):
            plot.getAxis("left").setWidth(62)
            plot.getAxis("left").enableAutoSIPrefix(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.values, 3)
        layout.addWidget(self.errors, 2)

    def show_solution(
        self, solution: NDArray[np.generic] | None, reference: NDArray[np.generic] | None
    ) -> None:
        """Show a solution; of complex ones the real parts, then the imaginary parts. None clears."""
        if solution is None:
            for dots in (self.solution, self.reference, self.error):
                dots.setData([], [])
            self.values.say("no solution yet")
            return
        self.values.say(BOTH if reference is not None else ALONE)
        found = _real(solution)
        places = np.arange(len(found), dtype=float)
        self.solution.setData(places, found)
        complex_ = np.iscomplexobj(solution)
        self.errors.setLabel(
            "bottom", "component: real parts, then imaginary parts" if complex_ else "component"
        )
        if reference is None:
            self.reference.setData([], [])
            self.error.setData([], [])
            return
        wanted = _real(reference)
        error = np.abs(found - wanted)
        self.reference.setData(places, wanted)
        self.error.setData(places, np.where(error > 0.0, error, np.nan))
        shown = error[error > 0.0]
        if shown.size:
            self.errors.setYRange(np.log10(shown.min()) - 0.3, np.log10(shown.max()) + 0.3, padding=0.0)


class ConstellationView(ThemedPlot):
    """A complex solution in the complex plane, over the reference."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.reference = _dots(self, palette.RESIDUAL, "o", size=13, hollow=True)
        self.points = _dots(self, palette.RELATIVE_ERROR, "o")
        self.setAspectLocked(True)
        self.setLabel("bottom", "real part")
        self.setLabel("left", "imaginary part")
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.paint_ground()

    def show_solution(self, solution: NDArray[np.generic], reference: NDArray[np.generic] | None) -> None:
        """Show each unknown."""
        self.points.setData(solution.real, solution.imag)
        if reference is None:
            self.reference.setData([], [])
        else:
            self.reference.setData(reference.real, reference.imag)
        self.say(BOTH if reference is not None else ALONE)


class FieldView(ThemedPlot):
    """A solution whose unknowns are the points of a grid, as an image."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, axisItems={side: WholeAxis(side) for side in ("left", "bottom")})
        self.image = pg.ImageItem(axisOrder="row-major")
        self.addItem(self.image)
        colours_ = pg.colormap.get(palette.SEQUENTIAL)
        self.image.setLookupTable(colours_.getLookupTable(nPts=256))
        self.bar = pg.ColorBarItem(
            values=(0.0, 1.0), width=14, interactive=False, colorMap=colours_, label="x"
        )
        self.bar.axis.enableAutoSIPrefix(False)
        self.plotItem.layout.addItem(self.bar, 2, 5)
        self.setAspectLocked(True)
        self.invertY(True)
        self.showGrid(x=False, y=False)
        self.setLabel("bottom", "column of the grid")
        self.setLabel("left", "row of the grid")
        self.paint_ground()

    def paint_ground(self) -> None:
        """Apply the colours of the window, including the colour bar."""
        super().paint_ground()
        if hasattr(self, "bar"):
            self.bar.axis.setPen(colours().faint)
            self.bar.axis.setTextPen(colours().ink)

    def show_solution(self, solution: NDArray[np.generic], grid: tuple[int, int]) -> None:
        """Show each unknown at its place among `grid` rows and columns."""
        values = np.asarray(solution, dtype=float).reshape(grid)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        span = (high - low) or 1.0
        self.image.setImage(
            np.rint(255 * np.nan_to_num((values - low) / span)).astype(np.uint8), levels=(0, 255)
        )
        self.image.setRect(-0.5, -0.5, grid[1], grid[0])
        self.bar.setLevels((low, low + span))


class CheckView(QWidget):
    """Expected against measured, and how many MVM integers were wrong a cycle."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.against = ThemedPlot()
        self.identity = pg.InfiniteLine(angle=45, pen=pg.mkPen(palette.TARGET, style=Qt.PenStyle.DashLine))
        self.against.addItem(self.identity, ignoreBounds=True)
        self.points = _dots(self.against, palette.RELATIVE_ERROR, "o", size=6)
        self.counts = ThemedPlot(axisItems={side: WholeAxis(side) for side in ("left", "bottom")})
        self.counts.setLabel("left", "wrong MVM integers")
        self.counts.setLabel("bottom", "cycle")
        self.wrong = pg.BarGraphItem(x=[], height=[], width=0.7, brush=palette.OUTSIDE, pen=None)
        self.counts.addItem(self.wrong)
        self.against.getAxis("left").setWidth(62)
        self.counts.getAxis("left").setWidth(62)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.against, 3)
        layout.addWidget(self.counts, 2)

    def show_checked(self, checked: Checked | None) -> None:
        """Show what was measured over what was expected; None clears."""
        if checked is None:
            self.points.setData([], [])
            self.against.say("nothing measured beside an expectation yet")
            return
        self.against.setLabel("bottom", "expected", units=checked.unit)
        self.against.setLabel("left", "measured", units=checked.unit)
        self.points.setData(checked.expected, checked.measured)
        spread = float(np.std(checked.measured - checked.expected))
        said = pg.siFormat(spread, suffix=checked.unit, precision=3)
        self.against.say(f"{checked.name}: {checked.measured.size} values, deviation sd {said}")

    def show_wrong(self, wrong: Wrong | None) -> None:
        """Show the wrong integers of each cycle; None clears."""
        self.counts.setVisible(wrong is not None)
        if wrong is None:
            return
        self.wrong.setOpts(x=wrong.cycle, height=wrong.wrong)
        total, bad = int(wrong.outputs.sum()), int(wrong.wrong.sum())
        self.counts.say(
            f"{bad} of {total} MVM integers were not the exact sum" if total else "no products yet"
        )
        self.counts.setXRange(0.4, max(float(wrong.cycle.max(initial=1.0)), 6.0) + 0.6, padding=0.0)
        most = max(float(wrong.wrong.max(initial=0.0)), 1.0)
        self.counts.setYRange(-0.03 * most, 1.1 * most, padding=0.0)


def _real(values: NDArray[np.generic]) -> Floats:
    parts = [values.real, values.imag] if np.iscomplexobj(values) else [values]
    return np.concatenate([np.asarray(part, dtype=float) for part in parts])


def _dots(plot: ThemedPlot, colour: str, symbol: str, size: int = 7, hollow: bool = False) -> pg.PlotDataItem:
    return plot.plot(
        pen=None,
        symbol=symbol,
        symbolSize=size,
        symbolBrush=None if hollow else colour,
        symbolPen=pg.mkPen(colour, width=1.6) if hollow else None,
    )
