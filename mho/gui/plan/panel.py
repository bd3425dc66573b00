"""The plan panel: a table of runs, made by mouse or read from a plan file, checked, rehearsed and queued together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QSpinBox,
    QTableView,
    QToolButton,
    QWidget,
)

from mho.errors import MhoError
from mho.gui import widgets
from mho.gui.experiments.panel import is_meant, tell_queued, words_of
from mho.gui.plan.rows import (
    BENCH,
    MOST_ROWS,
    PRESET,
    Forms,
    OpenedPlan,
    PlanRow,
    check_some,
    complete,
    open_plan,
    queue_rows,
    text_of,
)
from mho.gui.plan.table import PlanModel
from mho.gui.session.session import Session
from mho.gui.widgets import ElidedLabel, OutputWindow
from mho.input_files import bench_key
from mho.procedures.manifest import entry_of
from mho.running import queue as job_queue
from mho.runs import Labels
from mho.whole_files import whole_file

PAUSE = 150
"""Time after a change before the rows are checked, ms."""
AT_ONCE = 200
"""Rows that are handed over to be checked at once."""
REASONS = 20
"""Reasons of refusal that a dry run tells in full."""
PLAN_FILES = "Plans (*.toml)"


class PlanPanel(widgets.Themed):
    """Runs, a row each, with their values, expected times and states, and what is done with all of them."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.model = PlanModel(self)
        self.model.changed.connect(self._changed)
        self.model.refused.connect(lambda text: session.tell("ERROR", text))
        self.path: Path | None = None  # of the file that was opened or saved last
        self.name = self.description = ""  # of the plan in that file
        self._text: tuple[list[PlanRow], Path, str] | None = (
            None  # rows, folder and text as that file has them
        )
        self._headings: list[str] = []
        self._asking = False
        self._asked_anew = 0
        self._when_checked: Callable[[], None] | None = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE)
        self._pause.timeout.connect(self._check)
        self._build()
        session.jobs_changed.connect(self._show_jobs)
        self._changed()

    def _build(self) -> None:
        self.view = _table(self.model)
        self.view.selectionModel().selectionChanged.connect(self._see_what_can_be_done)
        self.view.customContextMenuRequested.connect(self._menu)
        self.standing = ElidedLabel()
        self.columns = QMenu("Show column", self)
        self.columns.aboutToShow.connect(self._offer_columns)
        self._actions = self._make_actions()
        button = widgets.button
        self.buttons = {
            "Open": button("Open…", self._choose_to_open, "read a plan file; what is here can be had back by Ctrl+Z"),
            "Save": button("Save…", self._choose_to_save, "write a plan file, which `mho run` and `mho campaign` take"),
            "Dry run": button("Dry run", self.dry_run, "say what every run would do, and touch nothing"),
            "Rehearse": button("Rehearse", self._rehearse, "run the chosen row, or the first, on the twins of its bench"),
            "Queue": button("Queue", self.queue, "put all runs that are not queued yet behind all others, in this order"),
            "Clear": button("Clear", lambda: self.model.change([]), "remove all rows; Ctrl+Z brings them back"),
        }  # fmt: skip
        top = widgets.row(None, (self.standing, 1), spacing=3)
        for action in self._actions:
            tool = QToolButton()
            tool.setDefaultAction(action)
            top.addWidget(tool)
        for one in self.buttons.values():
            one.setMinimumWidth(44)
            top.addWidget(one)
        widgets.column(self, top, (self.view, 1))
        self.setAcceptDrops(True)

    def _make_actions(self) -> list[QAction]:
        rows: tuple[tuple[str, str, str, Callable[[], Any]], ...] = (
            (
                "Remove",
                "Del",
                "remove the chosen rows (Ctrl+Z brings them back)",
                lambda: self._try(self._remove),
            ),
            (
                "Duplicate",
                "Ctrl+D",
                "put a copy behind each of the chosen rows",
                lambda: self._try(self._duplicate),
            ),
            ("Repeat…", "Ctrl+R", "several runs of each of the chosen rows, with seeds", self._ask_repeats),
            (
                "Up",
                "Alt+Up",
                "the chosen rows earlier",
                lambda: self._try(lambda ids: self.model.shift(ids, -1)),
            ),
            (
                "Down",
                "Alt+Down",
                "the chosen rows later",
                lambda: self._try(lambda ids: self.model.shift(ids, 1)),
            ),
        )
        made = [widgets.action(self, *row) for row in rows]
        undo = widgets.action(self, "Undo", "Ctrl+Z", "take back the last change of the plan", self._undo)
        for action in (*made, undo):
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.addAction(action)
        return made

    # --- what comes in ---

    def add(self, orders: Sequence[job_queue.Order]) -> None:
        """Append a row for each order, once their values are known in the parameters' units."""

        def then(made: tuple[list[job_queue.Order], Forms]) -> None:
            self._try(lambda _: self.model.add(*made))
            self.view.scrollToBottom()

        self.session.ask(lambda: complete(orders), then)

    def open(self, path: str | Path) -> None:
        """Show the runs of a plan file in place of what is there; what is wrong with one is said, and changes nothing."""
        labels = self.session.conditions().get("labels", Labels())
        self.session.ask(lambda: open_plan(Path(path), labels), self._show_opened)

    def _show_opened(self, plan: OpenedPlan) -> None:
        self.model.open(plan.orders, plan.forms, plan.after)
        self.path, self.name, self.description = plan.path, plan.name, plan.description
        self._text = self.model.rows, plan.path.parent, plan.text
        self.session.tell("INFO", f"plan {plan.path} is open: {_runs(len(plan.orders))}")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Accept a plan file."""
        if any(url.toLocalFile().endswith(".toml") for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open the plan file."""
        self.open(
            next(url.toLocalFile() for url in event.mimeData().urls() if url.toLocalFile().endswith(".toml"))
        )
        event.acceptProposedAction()

    def _choose_to_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Plan", str(self._folder()), PLAN_FILES)
        if path:
            self.open(path)

    def _folder(self) -> Path:
        return self.session.folder if self.path is None else self.path.parent

    # --- what is shown ---

    def _changed(self) -> None:
        self._when_checked = None
        for name in ("Save", "Dry run", "Rehearse", "Queue", "Clear"):
            self.buttons[name].setEnabled(bool(self.model.rows))
        self._fit_columns()
        self._see_what_can_be_done()
        self._show_standing()
        self._pause.start()

    def _fit_columns(self) -> None:
        """Give new columns their width; those that are there keep the one that the user gave them."""
        names = [column.heading for column in self.model.columns]
        if names != self._headings:
            for place, column in enumerate(self.model.columns[:-1]):
                self.view.setColumnWidth(place, column.width)
        self._headings = names

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        self._show_standing()

    def _show_jobs(self, jobs: list[job_queue.Job]) -> None:
        self.model.show_jobs(jobs, bench_key(self.session.bench))
        self._show_standing()

    def _show_standing(self) -> None:
        """Say how many runs there are, how long they take and when they would be over, and how many are refused."""
        rows = self.model.rows
        if not rows:
            self.standing.setText("no runs: fill in a form and press its To plan, or open a plan file")
            self.standing.setStyleSheet(f"color: {widgets.colours().faint};")
            return
        left = [row for row in rows if not self._is_over(row)]
        checks = [self.model.check_of(row) for row in left]
        facts = [_runs(len(rows))]
        if len(left) < len(rows):
            facts.append(f"{len(left)} to go")
        if missing := checks.count(None):
            facts.append(
                f"checking, {missing} to go…"
                if self._when_checked is None
                else f"{missing} to be checked first…"
            )
        else:
            seconds = [one.seconds for one in checks if one is not None and not one.refusal]
            facts.append(job_queue.expected_together(seconds))
            known = sum(one for one in seconds if one is not None)
            if known and None not in seconds:
                facts.append(f"over at {_clock(time.time() + known)}, if they begin now")
        refused = sum(one is not None and bool(one.refusal) for one in checks)
        facts += [f"{refused} refused"] * bool(refused)
        self.standing.setText(" · ".join(facts))
        self.standing.setStyleSheet(f"color: {widgets.colours().bad};" if refused else "")

    def _is_over(self, row: PlanRow) -> bool:
        job = self.model.job_of(row)
        return job is not None and (job not in self.model.jobs or self.model.jobs[job].ended is not None)

    # --- checks ---

    def _check(self) -> None:
        """Have the rows checked that were not yet, some at a time, by the session's thread."""
        rows = [] if self._asking else self.model.unchecked(AT_ONCE)
        if not rows:
            if not self._asking and self._when_checked is not None:
                act, self._when_checked = self._when_checked, None
                act()
            self._show_standing()
            return
        self._asking, asked = True, self._asked_anew

        def then(found: dict[int, Any]) -> None:
            self._asking = False
            if asked == self._asked_anew:
                self.model.show_checks(found)
            self._check()

        def refused(error: str) -> None:
            self._asking = False
            self.session.tell("ERROR", error)

        self.session.change_queue(lambda queue: check_some(rows, queue), then, refused)
        self._show_standing()

    def _once_checked(self, act: Callable[[], None]) -> None:
        """Call `act` when all rows are checked, unless they change before."""
        self._when_checked = act
        self._check()

    def dry_run(self) -> None:
        """Say what every run would do, checked anew: how many, how long, how many pulses, which are refused and why."""
        self._asked_anew += 1
        self.model.forget_checks()
        self._once_checked(lambda: TextWindow("Dry run", self.summary(), self).show())

    def summary(self) -> str:
        """Return what the runs would do, as far as it is known."""
        checks = [(row, self.model.check_of(row)) for row in self.model.rows]
        able = [one.expected for _, one in checks if one is not None and one.expected is not None]
        pulses = [one.pulses for one in able]
        total = sum(one or 0 for one in pulses)
        benches = dict.fromkeys(row.order.bench for row in self.model.rows)
        counts = dict.fromkeys((row.order.procedure for row in self.model.rows), 0)
        for row in self.model.rows:
            counts[row.order.procedure] += 1
        unknown = f", and {pulses.count(None)} runs of which it is unknown" if None in pulses else ""
        lines = [
            f"{_runs(len(checks))}: {', '.join(f'{number} {name}' for name, number in counts.items())}",
            f"bench {', '.join(benches)}; nothing was touched",
            f"one after the other: {job_queue.expected_together([one.seconds for one in able])}",
            f"{total:,} pulses{unknown}",
        ]
        refused: dict[str, list[str]] = {}
        for row, check in checks:
            if check is not None and check.refusal:
                refused.setdefault(check.refusal, []).append(str(self.model.number_of(row.id)))
        lines += [_refusal(numbers, why) for why, numbers in list(refused.items())[:REASONS]]
        lines += [f"and {len(refused) - REASONS} reasons more"] * (len(refused) > REASONS)
        lines += ["every run can be carried out, as far as that is known without the bench"] * (not refused)
        return "\n\n".join(lines)

    # --- what is done with all ---

    def queue(self) -> None:
        """Queue the rows that are not queued yet, once all are checked; a refused one keeps all of them out."""
        if all(self.model.job_of(row) is not None for row in self.model.rows):
            self.session.tell(
                "INFO", "every run of the plan is in the queue already; Duplicate makes new ones"
            )
            return
        self._once_checked(self._queue)

    def _queue(self) -> None:
        checks = [(row, self.model.checks[self.model.key_of(row)]) for row in self.model.rows]
        jobs = {row.id: job for row, _ in checks if (job := self.model.job_of(row)) is not None}
        fresh = [(row, check) for row, check in checks if row.id not in jobs]
        for row, check in fresh:
            if check.refusal:
                number = self.model.number_of(row.id)
                self.session.tell("ERROR", f"nothing is queued: run {number} is refused: {check.refusal}")
                return
        if not is_meant(self, sum(one.expected.pulses or 0 for _, one in fresh if one.expected is not None)):
            return

        def then(made: list[job_queue.Job]) -> None:
            self.model.show_queued([row for row, _ in fresh], made)
            self._show_standing()
            here = bench_key(self.session.bench)
            if mine := [job for job in made if job.order.bench == here]:
                tell_queued(self.session, mine)
            if others := dict.fromkeys(job.order.bench for job in made if job.order.bench != here):
                self.session.tell("WARNING", f"turn to the bench {' and '.join(others)} to start its runner")

        self.session.change_queue(lambda queue: queue_rows(checks, jobs, queue), then)

    def _rehearse(self) -> None:
        row = (self.chosen() or self.model.rows)[0]
        order, number = row.order, self.model.number_of(row.id)

        def then(entry: Any) -> None:
            arguments = ["rehearse", order.bench, order.procedure, *words_of(entry, order.parameters)]
            for option, value in (("--seed", order.seed), ("--preset", order.preset)):
                arguments += [] if value is None else [f"{option}={value}"]
            arguments += ["--force"] * order.force
            OutputWindow(
                f"Rehearsal: run {number}, {order.procedure}", ["-m", "mho", *arguments], self
            ).show()

        self.session.ask(lambda: entry_of(order.procedure), then)

    def _choose_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Plan", str(self.path or self._folder() / "plan.toml"), PLAN_FILES
        )
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the plan file; one that was opened and not changed as it was, with its comments."""
        path = path.resolve() if path.suffix == ".toml" else path.resolve().with_name(f"{path.name}.toml")
        rows, name, description = list(self.model.rows), self.name or path.stem, self.description
        same = self._text is not None and self._text[:2] == (rows, path.parent)
        known = self._text[2] if self._text is not None and same else ""

        def work() -> str:
            text = known or text_of(name, description, rows, path.parent)
            with whole_file(path, "plan") as draft:
                draft.write_text(text, "utf-8")
            return text

        def then(text: str) -> None:
            self.path, self.name, self._text = path, name, (rows, path.parent, text)
            self.session.tell("INFO", f"plan {path} is written: {_runs(len(rows))}")

        self.session.ask(work, then)

    # --- what is done with the chosen rows ---

    def chosen(self) -> list[PlanRow]:
        """Return the rows that are chosen, in their order."""
        places = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        return [self.model.rows[place] for place in places if place < len(self.model.rows)]

    def _see_what_can_be_done(self) -> None:
        for action in self._actions:
            action.setEnabled(bool(self.view.selectionModel().hasSelection()))

    def _try(self, act: Callable[[list[int]], Any]) -> None:
        """Do something with the chosen rows, which stay chosen; say why if it cannot be done."""
        ids = [row.id for row in self.chosen()]
        try:
            self._choose(act(ids) or ids)
        except MhoError as error:
            self.session.tell("ERROR", str(error))

    def _choose(self, ids: Sequence[int]) -> None:
        wanted = {*ids}
        widgets.select_rows(
            self.view, [place for place, row in enumerate(self.model.rows) if row.id in wanted]
        )

    def _remove(self, ids: list[int]) -> None:
        self.model.remove(ids)

    def _duplicate(self, ids: list[int]) -> list[int]:
        return self.model.repeat(ids, 2)

    def _ask_repeats(self) -> None:
        dialog = RepeatDialog(len(self.chosen()), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(
            lambda: self._try(
                lambda ids: [*ids, *self.model.repeat(ids, dialog.times.value(), dialog.first_seed())]
            )
        )
        dialog.open()

    def _undo(self) -> None:
        if not self.model.undo():
            self.session.tell("INFO", "the plan was not changed; there is nothing to undo")

    def _offer_columns(self) -> None:
        """Offer the parameters that have no column yet."""
        self.columns.clear()
        procedures = {row.order.procedure for row in self.chosen() or self.model.rows}
        names = dict.fromkeys(key for one in sorted(procedures) for key in self.model.forms[one])
        for key in [key for key in (*names, PRESET, BENCH) if key not in self.model.keys]:
            self.columns.addAction(key).triggered.connect(lambda _, key=key: self.model.show_key(key))

    def _menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(self._actions)
        menu.addMenu(self.columns)
        menu.popup(self.view.viewport().mapToGlobal(position))


class RepeatDialog(QDialog):
    """Asks how often rows are repeated, and with which seeds."""

    def __init__(self, rows: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Repeat {_runs(rows)}")
        self.times = QSpinBox(minimum=1, maximum=MOST_ROWS, value=5)
        self.seed = QLineEdit("1", placeholderText="as they are")
        self.seed.setToolTip(
            "the first has this seed, the next ones those after it; empty leaves the seeds as they are"
        )
        yes, no = QDialogButtonBox.StandardButton.Ok, QDialogButtonBox.StandardButton.Cancel
        self.buttons = QDialogButtonBox(yes | no)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.seed.textChanged.connect(lambda _: self.buttons.button(yes).setEnabled(self._is_right()))
        form = QFormLayout()
        form.addRow("Runs of each", self.times)
        form.addRow("Seeds from", self.seed)
        widgets.column(self, form, self.buttons)

    def first_seed(self) -> int | None:
        """Return the first seed; None to leave the seeds as they are."""
        text = self.seed.text().strip()
        return int(text) if text else None

    def _is_right(self) -> bool:
        text = self.seed.text().strip()
        return not text or (text.isdecimal() and text.isascii() and len(text) < 18)


class TextWindow(QDialog):
    """Shows a text that can be copied."""

    def __init__(self, title: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(640, 320)
        self.text = QPlainTextEdit(text, readOnly=True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        widgets.column(self, (self.text, 1), buttons)


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"


def _refusal(numbers: Sequence[str], why: str) -> str:
    """Return which runs are refused, and why."""
    first = ", ".join(numbers[:5]) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
    return f"run{'' if len(numbers) == 1 else 's'} {first} would be refused: {why}"


def _clock(moment: float) -> str:
    """Return when that is: the time, with the day if it is another."""
    then, now = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%a %d %b %H:%M", then)


def _table(model: PlanModel) -> QTableView:
    view = QTableView()
    widgets.prepare_table(view, model, model.columns, 22)
    view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    view.setAlternatingRowColors(True)
    view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    triggers = QAbstractItemView.EditTrigger
    view.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
    return view
