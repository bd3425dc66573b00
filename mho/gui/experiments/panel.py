"""The experiments panel: the list of procedures, and the form from which one is queued, run or rehearsed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakMethod

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from mho.errors import BenchError, InputError, MhoError
from mho.gui import widgets
from mho.gui.experiments.parameter_form import ParameterForm
from mho.gui.experiments.procedure_list import ProceduresList
from mho.gui.experiments.sweeps import combinations
from mho.gui.session.bench_safety import hold_topic
from mho.gui.session.session import Session
from mho.gui.widgets import OutputWindow
from mho.instruments.simulated import CELL_PRESETS
from mho.procedures.manifest import ProcedureEntry, described_entries, entry_of, known_entries, offered_names
from mho.running import queue as job_queue
from mho.runs import Labels
from mho.runs.labels import VARIABLES

ASKED_ABOUT = 1_000_000
"""Pulses from which the user is asked whether they are meant: what stresses cells so much is not begun by a slip."""


def in_words(expected: job_queue.Expected, runs: int = 1) -> str:
    """Format duration and number of pulses, of several runs those of the first."""
    if runs > 1:
        return f"{runs} runs, the first: {in_words(expected)}"
    pulses = {None: "", 0: ", no pulses"}.get(expected.pulses, f", about {expected.pulses or 0:,} pulses")
    return f"duration {job_queue.expected_text(expected.seconds)}{pulses}"


def check_of(entry: ProcedureEntry) -> Callable[[str, Any], None]:
    """Return what raises `MhoError` for the name of a parameter of a procedure and a value that it refuses."""
    from mho.procedures.catalogue import accepted, parameters_of

    parameters = parameters_of(entry)

    def check(key: str, value: Any) -> None:
        if value is not None or parameters[key].default is not None:
            accepted(parameters[key], key, value)

    return check


def words_of(entry: ProcedureEntry, values: Mapping[str, Any]) -> list[str]:
    """Return arguments for the command line that give a procedure these values."""
    options, places = [], []
    for key, value in values.items():
        option = key.replace("_", "-")
        if entry.parameters[key].required:
            places.append(str(value))
        elif isinstance(value, bool):
            options.append(f"--{option}" if value else f"--no-{option}")
        else:
            options.append(f"--{option}={value}")
    return [*places, *options]


def is_meant(parent: QWidget, pulses: int) -> bool:
    """Return whether the user means so many pulses: what stresses cells by the million is asked about."""
    if pulses < ASKED_ABOUT:
        return True
    question = f"This gives cells about {pulses:,} pulses, which ages them. Is that meant?"
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    return QMessageBox.question(parent, "Many pulses", question, yes | no, no) == yes


def tell_queued(session: Session, jobs: list[job_queue.Job]) -> None:
    """Say that jobs were queued, and see to it that a runner carries them out."""
    job, others, lane = jobs[0], jobs[1:], session.lane
    session.end_by_hand(f"for job {job.id}, {job.order.procedure}")  # which would keep the job waiting
    if lane is not None and lane.held:
        session.tell(
            "WARNING",
            f"job {job.id} waits: the queue is held ({lane.reason}); Resume lets it go on",
            hold_topic(session.bench),
        )
    else:
        named = f"jobs {job.id} to {others[-1].id} are" if others else f"job {job.id} is"
        session.tell("INFO", f"{named} in the queue: {job.order.procedure}")
        session.ensure_runner()


def is_simulated(bench: str) -> bool:
    """Return whether a bench is simulated; `BenchError` for a wrong bench file."""
    from mho.instruments.bench_file import load_bench_file

    return load_bench_file(bench).bench.simulation is not None


def refusal(entry: ProcedureEntry, bench: str) -> str:
    """Return why no run of a procedure can be carried out on a bench; "" where one may be, or the file is faulty."""
    from mho.instruments.bench_file import load_bench_file
    from mho.procedures.needs import check_entry

    try:
        described = load_bench_file(bench).bench
    except MhoError:  # which is said where the bench is chosen
        return ""
    try:
        check_entry(entry, described)
    except BenchError as error:
        return str(error)
    return ""


def chip_defaults_of(entry: ProcedureEntry, bench: str) -> Mapping[str, str]:
    """Return what a form shows in place of defaults that the chip on a bench does not have; none where a file is faulty."""
    from mho.chip_maps import parse_chip_map
    from mho.instruments.bench_file import load_bench_file
    from mho.procedures.chip_in_use import chip_defaults

    try:
        chip = parse_chip_map(load_bench_file(bench).chip_text)
    except MhoError:
        return {}
    return chip_defaults({name: one.default for name, one in entry.parameters.items()}, (), chip)


AS_IN_FILE = "as the bench file says"
FRESH = "a fresh one"
CHOOSE = "as a run left it…"
NONE = "none"
GOOD = ("queued", "running", "paused", "finished")
"""Statuses of jobs whose chip is offered."""
OFFERED = 8
"""Jobs whose chip is offered, the newest."""


class ConditionsForm(QWidget):
    """The parts of an order other than its procedure's parameters."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.seed_line = QLineEdit(placeholderText="a fresh one")
        self.seed_line.setToolTip("of everything random in the run; the same seed gives the same run")
        self.seed_line.textChanged.connect(self._typed)
        self.chip = QComboBox()
        self.chip.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chip.setMinimumContentsLength(12)
        self.chip.currentIndexChanged.connect(self._chip_chosen)
        self.chip.activated.connect(self._choose_run)
        # The path of a preset file can be typed.
        self.cells = QComboBox(editable=True, insertPolicy=QComboBox.InsertPolicy.NoInsert)
        self.cells.addItems([AS_IN_FILE, *CELL_PRESETS])
        self.cells.setToolTip("how the cells of the simulated chip behave")
        self.cells.currentTextChanged.connect(self.edited)
        self.insist = QCheckBox("take the bench's as they are (--force)")
        self.insist.setToolTip(
            "limits of the bench file that can hardly be meant are not questioned for this job"
        )
        self.insist.toggled.connect(self.edited)
        self.label_lines = {
            name: QLineEdit(os.environ.get(one), placeholderText="not given")
            for name, one in VARIABLES.items()
        }
        for line in self.label_lines.values():
            line.setToolTip("kept in the run file; runs are found by it")
            line.textChanged.connect(self._typed)
        self._chip_label = QLabel()
        self._simulated = False
        self._jobs: list[tuple[str, str]] = []
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        for label, widget in (
            (QLabel("Seed of the run"), self.seed_line), (self._chip_label, self.chip),
            (QLabel("Simulated cells"), self.cells), (QLabel("Limits"), self.insist),
            *((QLabel(name.capitalize()), line) for name, line in self.label_lines.items()),
        ):  # fmt: skip
            label.setMinimumWidth(110)
            self._layout.addRow(label, widget)
        self.show_simulated(False)
        self.show_force(False)

    def show_simulated(self, simulated: bool) -> None:
        """Show the fields for chip and cells where they are simulated; elsewhere the job before, if the order names one."""
        self._simulated = simulated
        self._chip_label.setText("Simulated chip" if simulated else "Same chip")
        self.chip.setToolTip(
            "the simulated chip: a fresh one, or the one that another run left"
            if simulated
            else "the job that had this chip before: the cells that were formed then are known"
        )
        if not simulated:
            self.cells.setCurrentText(AS_IN_FILE)
        self._layout.setRowVisible(self.cells, simulated)
        self._list_chips()

    def offer_chips(self, jobs: Sequence[job_queue.Job], edited: int | None = None) -> None:
        """Offer the chips that jobs leave, but not the edited job and those after it; what is chosen stays chosen."""
        following = defaultdict(list)
        for job in jobs:
            following[job.order.after].append(f"#{job.id}")
        never = [f"#{edited}"]
        for one in never:  # grows meanwhile
            never += following.pop(one, [])
        shut = set(never)
        good = [
            job
            for job in jobs
            if job.status in GOOD
            and f"#{job.id}" not in shut
            and job.order.procedure != job_queue.BY_HAND  # whose acts are runs of their own
        ]
        newest = sorted(good, key=lambda job: job.id, reverse=True)[:OFFERED]
        offered = [
            (f"as job {job.id} ({job.order.procedure.rpartition(':')[2].lower()}) leaves it", f"#{job.id}")
            for job in newest
        ]
        if offered == self._jobs:
            return
        self._jobs = offered
        self._list_chips()

    def _list_chips(self) -> None:
        chosen, text = self.chip.currentData(), self.chip.currentText()
        with QSignalBlocker(self.chip):
            self.chip.clear()
            self.chip.addItem(FRESH if self._simulated else NONE)
            for words, after in self._jobs:
                self.chip.addItem(words, after)
            if self._simulated:
                self.chip.addItem(CHOOSE)
            self.choose_chip(chosen, text)

    def fill(self, order: job_queue.Order) -> None:
        """Show the conditions of an order."""
        self.seed_line.setText("" if order.seed is None else str(order.seed))
        self.cells.setCurrentText(order.preset or AS_IN_FILE)
        self.choose_chip(order.after)
        self.show_force(order.force)
        for name, line in self.label_lines.items():
            line.setText(getattr(order.labels, name) or "")

    def show_force(self, force: bool) -> None:
        """Show whether implausible limits are accepted; this can be revoked here, and given by `--force`."""
        self.insist.setChecked(force)
        self._layout.setRowVisible(self.insist, force)

    def choose_chip(self, after: str | None, words: str = "") -> None:
        """Choose the chip that a run left, which is offered from then on; None for a fresh one, or a real one as it is."""
        if after is not None and self.chip.findData(after) < 0:
            run = f"job {after[1:]}" if after.startswith("#") else Path(after).name
            self.chip.insertItem(1, words or f"as {run} left it", after)
        self.chip.setCurrentIndex(0 if after is None else self.chip.findData(after))
        self._layout.setRowVisible(self.chip, self._simulated or after is not None)

    @property
    def simulated(self) -> bool:
        """Whether the bench is simulated."""
        return self._simulated

    def seed(self) -> int | None:
        """Return the seed, or None for a fresh one."""
        text = self.seed_line.text().strip()
        return int(text) if text else None

    def labels(self) -> Labels:
        """Return sample, operator and project, as far as they are given; `InputError` for one that cannot be kept."""
        return Labels(**{name: line.text() for name, line in self.label_lines.items()})

    def preset(self) -> str | None:
        """Return the cells' preset, or None for that of the bench file, or of the run that is continued."""
        text = self.cells.currentText()
        return None if text == AS_IN_FILE or self.after() else text

    def after(self) -> str | None:
        """Return the run whose chip is used: a run file, or a job as ``#5``; None as for `choose_chip`."""
        after: str | None = self.chip.currentData()
        return after

    def problems(self) -> list[str]:
        """Return what is wrong."""
        wrong = self._seed_problem()
        try:
            self.labels()
        except InputError as error:
            wrong.append(str(error))
        return wrong

    def _seed_problem(self) -> list[str]:
        text = self.seed_line.text().strip()
        fits = not text or (text.isdecimal() and text.isascii() and len(text) < 20 and int(text) < 2**63)
        return [] if fits else [f"the seed is {text!r}; it must be a whole number from 0, or empty"]

    def _chip_chosen(self) -> None:
        self.cells.setEnabled(self.after() is None)  # else they are those of that run
        self.edited.emit()

    def _choose_run(self, index: int) -> None:
        if self.chip.itemText(index) != CHOOSE:
            return
        path, _ = QFileDialog.getOpenFileName(self, "Run whose chip to go on with", "", "Run files (*.h5)")
        self.choose_chip(path or None)

    def _typed(self) -> None:
        ground = f"background: {widgets.colours().wrong_ground};" if self._seed_problem() else ""
        self.seed_line.setStyleSheet(ground)
        self.edited.emit()


class OrderButtons(QWidget):
    """Buttons below the form.

    `orders` returns what the form asks for, `words` the first of it as arguments of ``mho rehearse`` behind the bench;
    `job` is the waiting job that is being changed, or None.
    """

    def __init__(
        self,
        session: Session,
        orders: Callable[[], list[job_queue.Order]],
        words: Callable[[], Sequence[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.job: int | None = None
        self.pulses = 0  # that the form asks for, as far as they are known
        self._orders, self._words = orders, words
        tip = "give the job that waits these values; its place stays"
        self.change = widgets.button("", self._change, tip)
        self.leave = widgets.button("Leave it", lambda: self.edit(None), "leave the job as it was")
        self.queue = widgets.button("Queue", lambda: self._add(first=False), "put it behind all others")
        self.run_now = widgets.button(
            "Run now", lambda: self._add(first=True), "put it in front of all others"
        )
        tip = "run it on simulated twins of the bench's instruments, and report"
        self.rehearse = widgets.button("Rehearse", self._rehearse, tip)
        tip = "do it at once, in a session by hand that holds the bench"
        self.by_hand = widgets.button("By hand", self._act, tip)
        tip = "append it to the table of runs in the panel Plan, a row for each combination of values"
        self.plan = widgets.button("To plan", self._plan, tip)
        row = (self.change, self.leave, self.queue, self.run_now, self.by_hand, self.rehearse, self.plan)
        widgets.row(self, *row, margins=0, spacing=4)
        for button in row:
            button.setMinimumWidth(40)
        session.jobs_changed.connect(self._take_jobs)
        self.edit(None)

    def enable(self, enabled: bool) -> None:
        """Enable or disable the buttons."""
        for button in (self.change, self.queue, self.run_now, self.by_hand, self.rehearse, self.plan):
            button.setEnabled(enabled)

    def edit(self, job: int | None) -> None:
        """Offer to change the job with this number; None offers new jobs again."""
        self.job = job
        self.change.setText(f"Change job {job}")
        for button in (self.change, self.leave):
            button.setVisible(job is not None)
        for button in (self.queue, self.run_now, self.by_hand, self.plan):
            button.setVisible(job is None)

    def _take_jobs(self, jobs: list[job_queue.Job]) -> None:
        """Stop changing a job that no longer waits."""
        if self.job is not None and not any(job.id == self.job and job.status == "queued" for job in jobs):
            self.session.tell("WARNING", f"job {self.job} waits no longer; Queue makes a new one of the form")
            self.edit(None)

    def _add(self, *, first: bool) -> None:
        if not is_meant(self, self.pulses):
            return
        try:
            orders = self._orders()
        except MhoError as error:
            self.session.tell("ERROR", str(error))
            return

        def act(queue: job_queue.Queue) -> list[job_queue.Job]:
            checked = [job_queue.expect(order, queue) for order in orders]  # all, before the first is added
            jobs = [queue.add(one.order, estimate=one.seconds) for one in checked]
            return [queue.move(job.id, place) for place, job in enumerate(jobs, 1)] if first else jobs

        self.session.change_queue(act, partial(tell_queued, self.session))

    def _plan(self) -> None:
        try:
            self.session.runs_planned.emit(self._orders())
        except MhoError as error:
            self.session.tell("ERROR", str(error))

    def _act(self) -> None:
        if is_meant(self, self.pulses):
            for order in self._orders():
                self.session.act(order.procedure, order.parameters)

    def _change(self) -> None:
        (order, *others), number = self._orders(), self.job
        assert number is not None
        if others:
            self.session.tell("ERROR", f"the form asks for {1 + len(others)} runs; a job that waits is one")
            return

        def act(queue: job_queue.Queue) -> job_queue.Job:
            expected = job_queue.expect(replace(order, output=queue.job(number).order.output), queue)
            return queue.edit(number, expected.order, estimate=expected.seconds)

        def then(job: job_queue.Job) -> None:
            self.edit(None)
            self.session.tell("INFO", f"job {job.id} is changed")

        self.session.change_queue(act, then)

    def _rehearse(self) -> None:
        order, *_ = self._orders()
        arguments = ["rehearse", self.session.bench, order.procedure, *self._words()]
        for option, value in (("--seed", order.seed), ("--preset", order.preset)):
            arguments += [] if value is None else [f"{option}={value}"]
        arguments += ["--force"] * order.force
        OutputWindow(f"Rehearsal: {order.procedure}", ["-m", "mho", *arguments], self).show()


FORM_FIRST = "queue the forming of these cells; this experiment then goes on with the chip that it leaves"
THINKING = 400
"""Pause in typing after which the whole form is checked and estimated, ms."""


class ExperimentsPanel(widgets.Themed):
    """Choose a procedure, fill in its form, and queue it, run it now, or rehearse it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.form: ParameterForm | None = None
        self.expected: job_queue.Expected | None = None
        self._bad = False  # whether the line of the estimate shows an error
        self._refusal = ""  # why the procedure cannot be carried out on the bench
        self._cells: tuple[str, str, str] | None = None  # that were selected on the chip last
        self._left_by_hand: str | None = None  # run file of the last act on the simulated chip
        self._kept = True  # whether what was done by hand is in run files that can be repeated
        self._offers: dict[str, ProcedureEntry] = {}
        self._asked = 0  # numbers the questions, for only the last one's answer counts
        self._build()
        self._pause = QTimer(self, singleShot=True, interval=THINKING)
        self._pause.timeout.connect(self._estimate)
        session.form_wanted.connect(self.show_form)
        session.edit_wanted.connect(lambda job: self.show_order(job.order, job.id))
        session.cells_selected.connect(self._take_cells)
        conditions = WeakMethod(self._conditions_by_hand)  # no circle: what is in one is collected anywhere
        session.conditions = lambda: found() if (found := conditions()) is not None else {}
        session.act_changed.connect(self._take_act)
        session.bench_changed.connect(self._bench_changed)
        session.bench_changed.connect(self._forget_chip)  # else the other bench's
        self._offer(described_entries().values())
        self._bench_changed(session.bench)
        if offered_names() - self._offers.keys():  # which are imported
            session.ask(lambda: known_entries().values(), self._offer)

    def _build(self) -> None:
        self.list = ProceduresList()
        self.list.chosen.connect(self._choose)
        self.heading = QLabel("Choose a procedure")
        widgets.embolden(self.heading, 12)
        self.line = widgets.plain_label()
        self.line.setFixedHeight(2 * self.line.fontMetrics().lineSpacing())
        self.line.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.defaults = QPushButton("Fill in from")
        menu = QMenu(self.defaults)
        menu.addAction("the procedure's defaults", self._fill_defaults)
        menu.addAction("the last job of this procedure", self._fill_last)
        menu.addAction("the run that is shown", self._fill_shown)
        menu.addAction("a run file…", self._fill_chosen)
        self.defaults.setMenu(menu)
        self.defaults.setEnabled(False)
        self.conditions = ConditionsForm()
        self.conditions.edited.connect(self._edited)
        self._place = QVBoxLayout()
        inside = QWidget()
        self._below = widgets.column(None, margins=0)
        widgets.column(inside, self._place, self.conditions, self._below, (None, 1), margins=(0, 0, 6, 0))
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        self.estimate = widgets.plain_label()
        # Of constant height, as the buttons would otherwise move under the mouse.
        self.estimate.setFixedHeight(2 * self.estimate.fontMetrics().lineSpacing())
        self.estimate.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self.form_first = widgets.button("Form these cells first", self._form_first, FORM_FIRST)
        self.elsewhere = widgets.button("", self._turn_to_able)
        self._able = ""  # a bench on which the procedure could be carried out
        self.buttons = OrderButtons(self.session, self.orders, self._words)
        self.buttons.leave.clicked.connect(self._offer_chips)
        self.session.jobs_changed.connect(self._offer_chips)
        head = widgets.row(None, (self.heading, 1), self.defaults)
        self._below.addWidget(self.form_first)
        widgets.column(
            self, self.list, head, self.line, (scroll, 1), self.elsewhere, self.estimate, self.buttons
        )
        self.form_first.setVisible(False)
        self._offer_elsewhere("")
        self.buttons.enable(False)

    # --- which procedure ---

    def _offer(self, offers: Collection[ProcedureEntry]) -> None:
        self._offers = {offer.name: offer for offer in offers}
        self.list.show_offers(offers)
        if self.form is not None:
            self.list.select(self.name)

    def show_form(self, name: str, values: Mapping[str, Any], then: Callable[[], None] | None = None) -> None:
        """Show the form of procedure `name` with `values`, the others at their defaults; `then`, once it is there."""
        if name not in self._offers:
            # A procedure of the user's own.
            def show(offer: ProcedureEntry) -> None:
                self._offer([*self._offers.values(), offer])
                self.show_form(offer.name, values, then)

            self.session.ask(lambda: entry_of(name), show)
            return
        self.list.select(name)
        self._choose(name)
        if self.form is not None:
            self.form.fill(values)
        if then is not None:
            then()

    def show_order(self, order: job_queue.Order, job: int | None = None) -> None:
        """Show the form of an order, with its seed and cells; of a job that waits, whose values it then changes."""

        def then() -> None:
            # A job that waits keeps its labels; what is filled in from a run is for a new one, of this user.
            labels = self.conditions.labels() if job is None else order.labels
            self.conditions.fill(replace(order, labels=labels))
            self.buttons.edit(job)
            self._offer_chips()

        self.show_form(order.procedure, order.parameters, then)

    def _choose(self, name: str) -> None:
        if name not in self._offers:
            self.show_form(name, {})
            return
        offer = self._offers[name]
        if self.form is not None:
            self._place.removeWidget(self.form)
            self.form.hide()
            self.form.deleteLater()
        self.form = ParameterForm(offer.parameters, check_of(offer), offer.leading)
        self.form.edited.connect(self._edited)
        self._place.addWidget(self.form)
        self.heading.setText(offer.title)
        self.line.setText(offer.line)
        self.line.setToolTip(offer.description)
        self.defaults.setEnabled(True)
        self.name = name
        self.form_first.setVisible(name != "form" and {"array", "rows", "columns"} <= {*self.form.fields})
        self.buttons.edit(None)
        self._offer_chips()
        self.conditions.choose_chip(None)
        self.conditions.show_force(False)
        self._ask_refusal()
        self._ask_defaults()
        self._fill_last(quietly=True)
        if self._cells is not None:
            self._take_cells(*self._cells)
        self._go_on_by_hand()
        self._edited()

    def _forget_chip(self) -> None:
        self._left_by_hand = None
        self.conditions.choose_chip(None)

    def _ask_refusal(self) -> None:
        """Find out whether the bench offers what the chosen procedure needs."""
        self._refusal = ""
        if self.form is None or self.name not in self._offers:
            return
        offer, bench = self._offers[self.name], self.session.bench

        def then(why: str) -> None:
            if why and (offer.name, bench) == (self.name, self.session.bench):
                self._refusal = why
                self._edited()

        self.session.ask(lambda: refusal(offer, bench), then)

    def _ask_defaults(self) -> None:
        """Let the form begin with what the bench's chip has."""
        if (form := self.form) is None or self.name not in self._offers:
            return
        offer, bench = self._offers[self.name], self.session.bench

        def then(values: Mapping[str, str]) -> None:
            if form is self.form and bench == self.session.bench:
                form.begin_with(values)

        self.session.ask(lambda: chip_defaults_of(offer, bench), then)

    def _conditions_by_hand(self) -> Mapping[str, Any]:
        """Return the conditions with which a session by hand is opened: those of the form, as far as they are right."""
        if self.conditions.problems():
            return {}
        return {
            "seed": self.conditions.seed(), "preset": self.conditions.preset(), "after": self.conditions.after(),
            "force": self.conditions.insist.isChecked(), "labels": self.conditions.labels(),
        }  # fmt: skip

    def _take_act(self, act: Any) -> None:
        """Let the next order go on with the simulated chip that an act by hand has left."""
        if act is None or not act.outcome or not self.conditions.simulated:
            return
        if act.kept and not act.failed and act.path != Path():  # a touch has no run file
            self._left_by_hand = str(act.path)
            self._go_on_by_hand()
        if not act.kept and self._kept:
            self.session.tell(
                "INFO",
                "the chip was touched by hand, which no run file can repeat: By hand goes on with it; what is queued takes "
                f"the chip that the form names, now {self.conditions.chip.currentText()}",
            )
        self._kept = act.kept

    def _go_on_by_hand(self) -> None:
        """Choose the simulated chip as the last act by hand has left it, if there was one."""
        if self._left_by_hand is not None:
            self.conditions.choose_chip(self._left_by_hand, f"as {Path(self._left_by_hand).stem} left it")

    def _take_cells(self, array: str, rows: str, columns: str) -> None:
        """Enter the cells selected on the chip into a form that asks for cells, and into those that are chosen later."""
        self._cells = array, rows, columns
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
            # Nobody has asked for the others here.
            self.form.fill(last.parameters)
            self.conditions.fill(replace(last, after=None, force=False, labels=self.conditions.labels()))
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
        self.session.ask(lambda: job_queue.order_of_run(path), self.show_order)

    def _offer_chips(self) -> None:
        self.conditions.offer_chips(self.session.jobs, self.buttons.job)

    def _bench_changed(self, bench: str) -> None:
        self.session.ask(lambda: is_simulated(bench), self.conditions.show_simulated)
        self._ask_refusal()
        self._ask_defaults()
        self._edited()

    # --- what it will be ---

    def _edited(self) -> None:
        """Show at once what is wrong with a field, and shortly after the last key how long the order will take."""
        self._asked += 1
        self.expected, self.buttons.pulses = None, 0
        self._offer_elsewhere("")
        if self.form is None:
            return
        problems = list(self.form.problems().values()) + self.conditions.problems()
        self.buttons.enable(not problems and not self._refusal)
        if self._refusal:
            self._say(self._refusal, bad=True)
            self._pause.stop()
            self._look_elsewhere(self._asked)
            return
        self._say(problems[0] if problems else "…", bad=False)
        if problems:
            self._pause.stop()
        else:
            self._pause.start()

    def order(self) -> job_queue.Order:
        """Return what the form asks for."""
        assert self.form is not None
        return job_queue.Order(
            self.name,
            self.form.values(),
            self.session.bench,
            self.conditions.seed(),
            self.conditions.preset(),
            folder=Path.cwd(),
            after=self.conditions.after(),
            force=self.conditions.insist.isChecked(),
            labels=self.conditions.labels(),
        )

    def orders(self) -> list[job_queue.Order]:
        """Return an order for each combination of the values that fields name; `InputError` for too many."""
        assert self.form is not None
        first = self.order()
        return [
            replace(first, parameters={**first.parameters, **one}) for one in combinations(self.form.sweeps())
        ]

    def _words(self) -> list[str]:
        assert self.form is not None
        return words_of(self._offers[self.name], self.form.values())

    def _estimate(self) -> None:
        self._asked += 1
        try:
            asked, order, runs = self._asked, self.order(), len(self.orders())
        except MhoError as error:
            self._say(str(error), bad=True)
            self.buttons.enable(False)
            return

        def then(expected: job_queue.Expected) -> None:
            if asked == self._asked:
                self.expected = expected
                self.buttons.pulses = runs * (expected.pulses or 0)
                self._say(in_words(expected, runs), bad=False)
                if self.form is not None:
                    self.form.show_in_use(expected.in_use)

        def refused(error: str) -> None:
            if asked == self._asked:
                self._say(error, bad=True)
                self.buttons.enable(False)
                self._look_elsewhere(asked)

        self.session.change_queue(lambda queue: job_queue.expect(order, queue), then, refused)

    # --- what else could be done ---

    def _look_elsewhere(self, asked: int) -> None:
        """Find out on which bench the order could be carried out, and offer to turn to it."""
        try:
            order = self.order()
        except MhoError:
            return

        def then(benches: list[str]) -> None:
            if asked == self._asked and benches:
                # One with instruments rather than one of arrays alone
                self._offer_elsewhere(min(benches, key=lambda name: "arrays" in name))

        self.session.ask(lambda: job_queue.able_benches(order), then, lambda _: None)

    def _offer_elsewhere(self, bench: str) -> None:
        self._able = bench
        self.elsewhere.setText(f"It can run on the bench {bench}: turn to it")
        self.elsewhere.setVisible(bool(bench))

    def _turn_to_able(self) -> None:
        self.session.set_bench(self._able)

    def _form_first(self) -> None:
        """Queue the forming of the form's cells, and let what the form asks for go on with the chip that it leaves."""
        assert self.form is not None
        order = self.order()
        cells = {name: self.form.fields[name].value() for name in ("array", "rows", "columns")}
        forming = replace(order, procedure="form", parameters=cells, output=None)

        def act(queue: job_queue.Queue) -> job_queue.Job:
            expected = job_queue.expect(forming, queue)
            return queue.add(expected.order, estimate=expected.seconds)

        def then(job: job_queue.Job) -> None:
            self.conditions.choose_chip(f"#{job.id}", f"as job {job.id} (form) leaves it")
            self.session.tell("INFO", f"job {job.id} forms the cells; what the form asks for comes after it")
            self.session.ensure_runner()

        self.session.change_queue(act, then)

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        self._say(self.estimate.text(), bad=self._bad)

    def _say(self, text: str, *, bad: bool) -> None:
        self.estimate.setText(text)
        self.estimate.setToolTip(text)
        self._bad = bad
        now = widgets.colours()
        self.estimate.setStyleSheet(f"color: {now.bad if bad else now.faint};")
