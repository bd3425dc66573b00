"""The solve panel: error and residual per cycle beside the forecast, and the solution at each cycle."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QSlider, QTabWidget, QWidget

from mho.analysis import palette
from mho.analysis.reports import Convergence, read_convergence
from mho.array_types import Floats
from mho.gui import widgets
from mho.gui.plots import PowersOfTen, ThemedPlot, WholeAxis
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.solve import reading
from mho.gui.solve.convergence_view import ConvergenceView
from mho.gui.widgets import ElidedLabel, colours
from mho.runs import GOING_ON, RunFile

BOTH = "circles: float64 reference, dots: solution"  # above the plot, where a legend would cover points
ALONE = "solution"


class SolutionView(QWidget):
    """Solution and reference, component by component, and their difference on a logarithmic axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.values = ThemedPlot(y="x", x_axis=WholeAxis)
        self.reference = _dots(self.values, palette.RESIDUAL, "o", size=11, hollow=True)
        self.solution = _dots(self.values, palette.RELATIVE_ERROR, "o")
        self.errors = ThemedPlot(x="component", y="|x − reference|", x_axis=WholeAxis, y_axis=PowersOfTen)
        self.errors.setLogMode(y=True)
        self.errors.setXLink(self.values)
        self.error = _dots(self.errors, palette.OUTSIDE, "s")
        for plot in (self.values, self.errors):
            plot.getAxis("left").setWidth(62)
        widgets.column(self, (self.values, 3), (self.errors, 2), margins=0)

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
        values = _real(solution)
        places = np.arange(len(values), dtype=float)
        self.solution.setData(places, values)
        complex_ = np.iscomplexobj(solution)
        self.errors.setLabel(
            "bottom", "component: real parts, then imaginary parts" if complex_ else "component"
        )
        if reference is None:
            self.reference.setData([], [])
            self.error.setData([], [])
            return
        exact = _real(reference)
        error = np.abs(values - exact)
        self.reference.setData(places, exact)
        self.error.setData(places, np.where(error > 0.0, error, np.nan))
        shown = error[error > 0.0]
        if shown.size:
            self.errors.setYRange(np.log10(shown.min()) - 0.3, np.log10(shown.max()) + 0.3, padding=0.0)


class ConstellationView(ThemedPlot):
    """A complex solution in the complex plane, over the reference."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, x="real part", y="imaginary part")
        self.reference = _dots(self, palette.RESIDUAL, "o", size=13, hollow=True)
        self.points = _dots(self, palette.RELATIVE_ERROR, "o")
        self.setAspectLocked(True)

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
        super().__init__(
            parent, x="column of the grid", y="row of the grid", x_axis=WholeAxis, y_axis=WholeAxis
        )
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
        self.counts = ThemedPlot(x="cycle", y="wrong MVM integers", x_axis=WholeAxis, y_axis=WholeAxis)
        self.wrong = pg.BarGraphItem(x=[], height=[], width=0.7, brush=palette.OUTSIDE, pen=None)
        self.counts.addItem(self.wrong)
        self.against.getAxis("left").setWidth(62)
        self.counts.getAxis("left").setWidth(62)
        widgets.column(self, (self.against, 3), (self.counts, 2), margins=0)

    def show_compared(self, checked: reading.ComparedValues | None) -> None:
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

    def show_mvm_errors(self, wrong: reading.MvmErrors | None) -> None:
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


class SolvePanel(widgets.Themed):
    """Shows the refinement of the session's run live, and any earlier cycle by the slider."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._frame: reading.SolveFrame | None = None
        self._cycles = self._checks = self._column = 0
        self._stale = False
        self._verdict: reading.SolveVerdict | None = None
        self.convergence = ConvergenceView()
        self.verdict = ElidedLabel()
        self.solution, self.check = SolutionView(), CheckView()
        self.constellation, self.field = ConstellationView(), FieldView()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("cycle")
        self.slider.setMinimum(1)
        self.slider.valueChanged.connect(self._show_cycle)
        self.cycle = QLabel()
        self.cycle.setMinimumWidth(110)

        of_cycle = QWidget()
        self.tabs = QTabWidget(documentMode=True)
        self.tabs.addTab(self.solution, "Solution")
        self.tabs.addTab(self.constellation, "Constellation")
        self.tabs.addTab(self.field, "Field")
        self.tabs.addTab(self.check, "Expected and measured")
        self.tabs.currentChanged.connect(lambda _: self._turn())
        choice = widgets.row(None, self.cycle, (self.slider, 1))
        widgets.column(of_cycle, (self.tabs, 1), choice, margins=(0, 6, 0, 0))
        halves = widgets.splitter(Qt.Orientation.Horizontal, (self.convergence, 500), (of_cycle, 500))
        widgets.column(self, self.verdict, (halves, 1), margins=6)

        session.run_opened.connect(self._open)
        session.run_news.connect(self._take)
        self._open(session.run)

    def _open(self, run: RunFile | None) -> None:
        self._frame, self._stale = None, False
        self._cycles = self._checks = self._column = 0
        self.convergence.show_convergence(None)
        self.solution.show_solution(None, None)
        self.check.show_compared(None)
        self.check.show_mvm_errors(None)
        self._offer(self._frame)
        self._limit_slider()
        self._show_verdict(None)
        if run is None:
            return
        with self._session.reporting_damage():
            if reading.has_solutions(run):
                self._frame = reading.read_frame(run)
                self._offer(self._frame)
        self._catch_up(run)

    def _catch_up(self, run: RunFile) -> None:
        """Show all cycles that the run has so far."""
        self._stale = False
        with self._session.reporting_damage():
            self._take_convergence(run, read_convergence(run))
            self._take_cycles(run)
            self._take_checks(run)
            self._show_verdict(reading.read_verdict(run))

    def _show_verdict(self, verdict: reading.SolveVerdict | None) -> None:
        """Show whether the solution converged; nothing while that is open."""
        self._verdict, now = verdict, colours()
        self.verdict.setVisible(verdict is not None)
        if verdict is not None:
            self.verdict.setText(verdict.text)
            colour = now.bad if not verdict.converged else now.good if verdict.proved else now.doubtful
            self.verdict.setStyleSheet(f"color: {colour}; font-weight: bold;")

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        self._show_verdict(self._verdict)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Show what has come while the panel was hidden."""
        super().showEvent(event)
        if self._stale and self._session.run is not None:
            self._catch_up(self._session.run)

    def _take(self, news: News) -> None:
        run = self._session.run
        if run is None:
            return
        if not self.isVisible():
            self._stale = True
            return
        with self._session.reporting_damage():
            if news.convergence is not None:
                self._take_convergence(run, news.convergence)
                self._take_cycles(run)
            self._take_checks(run)
            if news.status not in GOING_ON and self._verdict is None:
                self._show_verdict(reading.read_verdict(run))

    def _take_convergence(self, run: RunFile, convergence: Convergence | None) -> None:
        """Show the convergence of the right-hand side that is worked on, unless the user looks at that of another one."""
        count = run.length("cycles") if convergence is not None else 0
        column = reading.read_column(run, count - 1) if count else 0
        if self.slider.value() >= self._cycles or column == self._column:
            self._column = column
            self.convergence.show_convergence(convergence)

    def _take_cycles(self, run: RunFile) -> None:
        """Show new cycles, and move to the newest unless the user looks at an earlier one."""
        if "cycles" not in run.tables:
            return
        at_the_end = self.slider.value() >= self._cycles
        self._cycles = run.length("cycles")
        self._limit_slider()
        self.check.show_mvm_errors(reading.read_mvm_errors(run))
        if at_the_end:
            self.slider.setValue(self._cycles)
        self._show_cycle()

    def _take_checks(self, run: RunFile) -> None:
        """Show measured beside expected values, if there are new ones and the view is visible."""
        if self.tabs.currentWidget() is not self.check:
            return
        table = reading.compared_table(run)
        count = run.length(table) if table else self._cycles
        if count != self._checks:
            self._checks = count
            self.check.show_compared(reading.read_compared(run))

    def _turn(self) -> None:
        """Fill the view that was brought to the front."""
        run = self._session.run
        with self._session.reporting_damage():
            if run is not None:
                self._take_checks(run)
        self._show_cycle()

    def _limit_slider(self) -> None:
        self.slider.setMaximum(max(self._cycles, 1))
        self.slider.setEnabled(self._cycles > 1 and self._frame is not None)
        self.cycle.setText(
            f"cycle {self.slider.value()} of {self._cycles}" if self._cycles else "no cycle yet"
        )

    def _show_cycle(self) -> None:
        run, frame = self._session.run, self._frame
        self._limit_slider()
        if run is None or frame is None or not self._cycles:
            return
        with self._session.reporting_damage():
            index = self.slider.value() - 1
            column = reading.read_column(run, index)
            solution, reference = reading.read_solution(run, frame, index), frame.reference(column)
            self._show_column(run, frame, index, column)
            self.solution.show_solution(solution, reference)
            if frame.is_complex:
                self.constellation.show_solution(solution, reference)
            elif frame.grid is not None:
                self.field.show_solution(solution, frame.grid)

    def _show_column(self, run: RunFile, frame: reading.SolveFrame, index: int, column: int) -> None:
        """Say which of several right-hand sides is shown, and show its convergence."""
        if frame.count == 1:
            return
        self.cycle.setText(
            f"right-hand side {column} of 0 to {frame.count - 1}, cycle {reading.read_number(run, index)}"
        )
        if column != self._column:
            self._column = column
            self.convergence.show_convergence(read_convergence(run, column))
        self.convergence.say(f"right-hand side {column}")

    def _offer(self, frame: reading.SolveFrame | None) -> None:
        """Offer the views that suit the solution."""
        for view, suits in (
            (self.constellation, frame is not None and frame.is_complex),
            (self.field, frame is not None and frame.grid is not None),
        ):
            self.tabs.setTabVisible(self.tabs.indexOf(view), suits)
