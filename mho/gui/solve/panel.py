"""The solve panel: error and residual per cycle beside the forecast, and the solution at each cycle."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QSplitter, QTabWidget, QVBoxLayout, QWidget

from mho.analysis.reports import Convergence, read_convergence
from mho.errors import RunFileError
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.solve.convergence_view import ConvergenceView
from mho.gui.solve.reading import (
    SolveFrame,
    SolveVerdict,
    checked_table,
    has_solutions,
    read_checked,
    read_column,
    read_frame,
    read_number,
    read_solution,
    read_verdict,
    read_wrong,
)
from mho.gui.solve.views import CheckView, ConstellationView, FieldView, SolutionView
from mho.gui.widgets.elided_label import ElidedLabel
from mho.gui.widgets.theme import colours
from mho.runs import GOING_ON, RunFile


class SolvePanel(QWidget):
    """Shows the refinement of the session's run live, and any earlier cycle by the slider."""

    title: ClassVar[str] = "Solve"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._frame: SolveFrame | None = None
        self._cycles = self._checks = self._column = 0
        self._stale = False
        self._verdict: SolveVerdict | None = None
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
        layout = QVBoxLayout(of_cycle)
        layout.setContentsMargins(0, 6, 0, 0)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.solution, "Solution")
        self.tabs.addTab(self.constellation, "Constellation")
        self.tabs.addTab(self.field, "Field")
        self.tabs.addTab(self.check, "Expected and measured")
        self.tabs.currentChanged.connect(lambda _: self._turn())
        choice = QHBoxLayout()
        choice.addWidget(self.cycle)
        choice.addWidget(self.slider, 1)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(choice)
        halves = QSplitter(Qt.Orientation.Horizontal)
        halves.addWidget(self.convergence)
        halves.addWidget(of_cycle)
        halves.setSizes([500, 500])
        halves.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(6, 6, 6, 6)
        whole.addWidget(self.verdict)
        whole.addWidget(halves, 1)

        session.run_opened.connect(self._open)
        session.run_news.connect(self._take)
        self._open(session.run)

    def _open(self, run: RunFile | None) -> None:
        self._frame, self._stale = None, False
        self._cycles = self._checks = self._column = 0
        self.convergence.show_convergence(None)
        self.solution.show_solution(None, None)
        self.check.show_checked(None)
        self.check.show_wrong(None)
        self._offer(self._frame)
        self._limit_slider()
        self._show_verdict(None)
        if run is None:
            return
        try:
            if has_solutions(run):
                self._frame = read_frame(run)
                self._offer(self._frame)
        except RunFileError as error:
            self._session.tell("ERROR", str(error))
        self._catch_up(run)

    def _catch_up(self, run: RunFile) -> None:
        """Show all cycles that the run has so far."""
        self._stale = False
        try:
            self._take_convergence(run, read_convergence(run))
            self._take_cycles(run)
            self._take_checks(run)
            self._show_verdict(read_verdict(run))
        except RunFileError as error:
            self._session.tell("ERROR", str(error))

    def _show_verdict(self, verdict: SolveVerdict | None) -> None:
        """Show whether the solution converged; nothing while that is open."""
        self._verdict, now = verdict, colours()
        self.verdict.setVisible(verdict is not None)
        if verdict is not None:
            self.verdict.setText(verdict.text)
            colour = now.bad if not verdict.converged else now.good if verdict.proved else now.doubtful
            self.verdict.setStyleSheet(f"color: {colour}; font-weight: bold;")

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
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
        try:
            if news.convergence is not None:
                self._take_convergence(run, news.convergence)
                self._take_cycles(run)
            self._take_checks(run)
            if news.status not in GOING_ON and self._verdict is None:
                self._show_verdict(read_verdict(run))
        except RunFileError as error:
            self._session.tell("ERROR", str(error))

    def _take_convergence(self, run: RunFile, convergence: Convergence | None) -> None:
        """Show the convergence of the right-hand side that is worked on, unless the user looks at that of another one."""
        count = run.length("cycles") if convergence is not None else 0
        column = read_column(run, count - 1) if count else 0
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
        self.check.show_wrong(read_wrong(run))
        if at_the_end:
            self.slider.setValue(self._cycles)
        self._show_cycle()

    def _take_checks(self, run: RunFile) -> None:
        """Show measured beside expected values, if there are new ones and the view is visible."""
        if self.tabs.currentWidget() is not self.check:
            return
        table = checked_table(run)
        count = run.length(table) if table else self._cycles
        if count != self._checks:
            self._checks = count
            self.check.show_checked(read_checked(run))

    def _turn(self) -> None:
        """Fill the view that was brought to the front."""
        run = self._session.run
        try:
            if run is not None:
                self._take_checks(run)
        except RunFileError as error:
            self._session.tell("ERROR", str(error))
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
        try:
            index = self.slider.value() - 1
            column = read_column(run, index)
            solution, reference = read_solution(run, frame, index), frame.reference(column)
            self._show_column(run, frame, index, column)
        except RunFileError as error:
            self._session.tell("ERROR", str(error))
            return
        self.solution.show_solution(solution, reference)
        if frame.is_complex:
            self.constellation.show_solution(solution, reference)
        elif frame.grid is not None:
            self.field.show_solution(solution, frame.grid)

    def _show_column(self, run: RunFile, frame: SolveFrame, index: int, column: int) -> None:
        """Say which of several right-hand sides is shown, and show its convergence."""
        if frame.count == 1:
            return
        self.cycle.setText(
            f"right-hand side {column} of 0 to {frame.count - 1}, cycle {read_number(run, index)}"
        )
        if column != self._column:
            self._column = column
            self.convergence.show_convergence(read_convergence(run, column))
        self.convergence.say(f"right-hand side {column}")

    def _offer(self, frame: SolveFrame | None) -> None:
        """Offer the views that suit the solution."""
        for view, suits in (
            (self.constellation, frame is not None and frame.is_complex),
            (self.field, frame is not None and frame.grid is not None),
        ):
            self.tabs.setTabVisible(self.tabs.indexOf(view), suits)
