"""The experiments panel: the list of procedures, and the form from which one is queued, run or rehearsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from mho.errors import MhoError
from mho.gui.experiments.buttons import OrderButtons
from mho.gui.experiments.conditions import Conditions
from mho.gui.experiments.orders import check_of, expect_at, in_words, is_simulated, words_of
from mho.gui.experiments.parameter_form import ParameterForm
from mho.gui.experiments.procedure_list import ProceduresList
from mho.gui.session.session import Session
from mho.gui.widgets import theme
from mho.procedures.manifest import ProcedureEntry, entry_of, known_entries

if TYPE_CHECKING:
    from mho.running.queue import Expected, Order

THINKING = 400
"""Pause in typing after which the whole form is checked and estimated, ms."""


class ExperimentsPanel(QWidget):
    """Choose a procedure, fill in its form, and queue it, run it now, or rehearse it."""

    title = "Experiments"
    ready = Signal()
    """The procedures are there; their modules take a moment to load."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.form: ParameterForm | None = None
        self.expected: Expected | None = None
        self._bad = False  # whether the line of the estimate shows an error
        self._offers: dict[str, ProcedureEntry] = {}
        self._asked = 0  # numbers the questions, for only the last one's answer counts
        self._wanted: tuple[str, Mapping[str, Any], Callable[[], None] | None] | None = None
        self._build()
        self._pause = QTimer(self, singleShot=True, interval=THINKING)
        self._pause.timeout.connect(self._estimate)
        session.form_wanted.connect(self.show_form)
        session.edit_wanted.connect(lambda job: self.show_order(job.order, job.id))
        session.cells_selected.connect(self._take_cells)
        session.bench_changed.connect(self._bench_changed)
        session.bench_changed.connect(lambda: self.conditions.choose_chip(None))  # else the other bench's
        session.ask(lambda: list(known_entries().values()), self._offer)

    def _build(self) -> None:
        self.list = ProceduresList()
        self.list.chosen.connect(self._choose)
        self.heading = QLabel("Choose a procedure")
        theme.embolden(self.heading, 12)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.defaults = QPushButton("Fill in from")
        menu = QMenu(self.defaults)
        menu.addAction("the procedure's defaults", self._fill_defaults)
        menu.addAction("the last job of this procedure", self._fill_last)
        menu.addAction("the run that is shown", self._fill_shown)
        menu.addAction("a run file…", self._fill_chosen)
        self.defaults.setMenu(menu)
        self.defaults.setEnabled(False)
        self.conditions = Conditions()
        self.conditions.edited.connect(self._edited)
        self._place = QVBoxLayout()
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 6, 0)
        column.addLayout(self._place)
        column.addWidget(self.conditions)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        self.estimate = QLabel()
        self.estimate.setTextFormat(Qt.TextFormat.PlainText)
        self.estimate.setWordWrap(True)
        self.buttons = OrderButtons(self.session, self.order, self._words)
        self.buttons.leave.clicked.connect(self._offer_chips)
        self.session.jobs_changed.connect(self._offer_chips)
        head = QHBoxLayout()
        head.addWidget(self.heading, 1)
        head.addWidget(self.defaults)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addLayout(head)
        layout.addWidget(self.line)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.estimate)
        layout.addWidget(self.buttons)
        self.buttons.enable(False)

    # --- which procedure ---

    def _offer(self, offers: list[ProcedureEntry]) -> None:
        self._offers = {offer.name: offer for offer in offers}
        self.list.show_offers(offers)
        self._bench_changed(self.session.bench)
        self.ready.emit()
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self.show_form(*wanted)

    def show_form(self, name: str, values: Mapping[str, Any], then: Callable[[], None] | None = None) -> None:
        """Show the form of procedure `name` with `values`, the others at their defaults; `then`, once it is there."""
        if not self._offers:
            self._wanted = (name, values, then)  # as soon as they are loaded
            return
        if name not in self._offers:
            self.session.ask(lambda: entry_of(name), lambda offer: self._show_foreign(offer, values, then))
            return
        self.list.select(name)
        self._choose(name)
        if self.form is not None:
            self.form.fill(values)
        if then is not None:
            then()

    def show_order(self, order: Order, job: int | None = None) -> None:
        """Show the form of an order, with its seed and cells; of a job that waits, whose values it then changes."""

        def then() -> None:
            self.conditions.fill(order)
            self.buttons.edit(job)
            self._offer_chips()

        self.show_form(order.procedure, order.parameters, then)

    def _show_foreign(
        self, offer: ProcedureEntry, values: Mapping[str, Any], then: Callable[[], None] | None
    ) -> None:
        """Show the form of a procedure of the user's own."""
        self._offer([*self._offers.values(), offer])
        self.show_form(offer.name, values, then)

    def _choose(self, name: str) -> None:
        if name not in self._offers:
            self.show_form(name, {})
            return
        offer = self._offers[name]
        if self.form is not None:
            self._place.removeWidget(self.form)
            self.form.deleteLater()
        self.form = ParameterForm(offer.parameters, check_of(offer))
        self.form.edited.connect(self._edited)
        self._place.addWidget(self.form)
        self.heading.setText(offer.title)
        self.line.setText(offer.line)
        self.defaults.setEnabled(True)
        self.name = name
        self.buttons.edit(None)
        self._offer_chips()
        self.conditions.choose_chip(None)
        self.conditions.show_force(False)
        self._fill_last(quietly=True)
        self._edited()

    def _take_cells(self, array: str, rows: str, columns: str) -> None:
        """Enter the cells selected on the chip into a form that asks for cells."""
        if self.form is None:
            return
        first = {"row": rows.partition(":")[0], "column": columns.partition(":")[0]}
        for name, text in ({"array": array, "rows": rows, "columns": columns} | first).items():
            if name in self.form.fields:
                self.form.fields[name].show_value(text)

    # --- where the values come from ---

    def _fill_defaults(self) -> None:
        assert self.form is not None
        self.form.fill({})

    def _fill_last(self, *, quietly: bool = False) -> None:
        assert self.form is not None
        jobs = [job for job in self.session.jobs if job.order.procedure.lower() == self.name.lower()]
        if jobs:
            last = max(jobs, key=lambda job: job.id).order
            self._fill(replace(last, after=None, force=False))  # which nobody has asked for here
        elif not quietly:
            self.session.tell("INFO", f"no job of {self.name} is in the queue or was; nothing was filled in")

    def _fill_shown(self) -> None:
        if self.session.run_path is None:
            self.session.tell("INFO", "no run is shown; open one first")
        else:
            self.fill_from_run(self.session.run_path)

    def _fill_chosen(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Run file", str(self.session.folder), "Run files (*.h5)")
        if path:
            self.fill_from_run(Path(path))

    def fill_from_run(self, path: Path) -> None:
        """Show the form of a run's procedure, with its parameters, seed and cells."""

        def work() -> Order:
            from mho.running.queue import order_of_run

            return order_of_run(path)

        self.session.ask(work, self.show_order)

    def _fill(self, order: Order) -> None:
        assert self.form is not None
        self.form.fill(order.parameters)
        self.conditions.fill(order)

    def _offer_chips(self) -> None:
        self.conditions.offer_chips(self.session.jobs, self.buttons.job)

    def _bench_changed(self, bench: str) -> None:
        self.session.ask(lambda: is_simulated(bench), self.conditions.show_simulated)
        self._edited()

    # --- what it will be ---

    def _edited(self) -> None:
        """Show at once what is wrong with a field, and shortly after the last key how long the order will take."""
        self._asked += 1
        self.expected = None
        if self.form is None:
            return
        problems = list(self.form.problems().values()) + self.conditions.problems()
        self.buttons.enable(not problems)
        self._say(problems[0] if problems else "…", bad=False)
        if problems:
            self._pause.stop()
        else:
            self._pause.start()

    def order(self) -> Order:
        """Return what the form asks for."""
        from mho.running.queue import Order

        assert self.form is not None
        return Order(
            self.name,
            self.form.values(),
            self.session.bench,
            self.conditions.seed(),
            self.conditions.preset(),
            folder=Path.cwd(),
            after=self.conditions.after(),
            force=self.conditions.insist.isChecked(),
        )

    def _words(self) -> list[str]:
        assert self.form is not None
        return words_of(self._offers[self.name], self.form.values())

    def _estimate(self) -> None:
        self._asked += 1
        asked, order, path = self._asked, self.order(), self.session.queue_path

        def then(expected: Expected) -> None:
            if asked == self._asked:
                self.expected = expected
                self._say(in_words(expected), bad=False)

        def refused(error: MhoError) -> None:
            if asked == self._asked:
                self._say(str(error), bad=True)
                self.buttons.enable(False)

        self.session.ask(lambda: expect_at(order, path), then, refused)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._say(self.estimate.text(), bad=self._bad)

    def _say(self, text: str, *, bad: bool) -> None:
        self.estimate.setText(text)
        self._bad = bad
        now = theme.colours()
        self.estimate.setStyleSheet(f"color: {now.bad if bad else now.faint};")
