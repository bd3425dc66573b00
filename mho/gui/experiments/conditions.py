"""The form's conditions of a run: the seed, its chip, and the cells of a simulated bench."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QFormLayout, QLabel, QLineEdit, QWidget

from mho.errors import InputError
from mho.gui.widgets import theme
from mho.instruments.simulated import CELL_PRESETS
from mho.runs import Labels
from mho.runs.labels import VARIABLES

if TYPE_CHECKING:
    from mho.running.queue import Job, Order

AS_IN_FILE = "as the bench file says"
FRESH = "a fresh one"
CHOOSE = "as a run left it…"
NONE = "none"
GOOD = ("queued", "running", "paused", "finished")
"""Statuses of jobs whose chip is offered."""
OFFERED = 8
"""Jobs whose chip is offered, the newest."""


class Conditions(QWidget):
    """The parts of an order other than its procedure's parameters."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.seed_line = QLineEdit()
        self.seed_line.setPlaceholderText("a fresh one")
        self.seed_line.setToolTip("of everything random in the run; the same seed gives the same run")
        self.seed_line.textChanged.connect(self._typed)
        self.chip = QComboBox()
        self.chip.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chip.setMinimumContentsLength(12)
        self.chip.currentIndexChanged.connect(self._chip_chosen)
        self.chip.activated.connect(self._choose_run)
        self.cells = QComboBox()
        self.cells.addItems([AS_IN_FILE, *CELL_PRESETS])
        self.cells.setEditable(True)  # the path of a preset file can be typed
        self.cells.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.cells.setToolTip("how the cells of the simulated chip behave")
        self.cells.currentTextChanged.connect(self.edited)
        self.insist = QCheckBox("take the bench's as they are (--force)")
        self.insist.setToolTip(
            "limits of the bench file that can hardly be meant are not questioned for this job"
        )
        self.insist.toggled.connect(self.edited)
        self.label_lines = {name: QLineEdit(os.environ.get(one)) for name, one in VARIABLES.items()}
        for line in self.label_lines.values():
            line.setPlaceholderText("not given")
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

    def offer_chips(self, jobs: Sequence[Job], edited: int | None = None) -> None:
        """Offer the chips that jobs leave, but not the edited job and those after it; what is chosen stays chosen."""
        following = defaultdict(list)
        for job in jobs:
            following[job.order.after].append(f"#{job.id}")
        never = [f"#{edited}"]
        for one in never:  # grows meanwhile
            never += following.pop(one, [])
        shut = set(never)
        good = [job for job in jobs if job.status in GOOD and f"#{job.id}" not in shut]
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

    def fill(self, order: Order) -> None:
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

    def seed(self) -> int | None:
        """Return the seed, or None for a fresh one."""
        text = self.seed_line.text().strip()
        return int(text) if text else None

    def labels(self) -> Labels:
        """Return sample, operator and project, as far as they are given.

        Raises
        ------
        InputError
            One cannot be kept.
        """
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
        fits = not text or (text.isdecimal() and text.isascii() and int(text) < 2**63)
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
        ground = f"background: {theme.colours().wrong_ground};" if self._seed_problem() else ""
        self.seed_line.setStyleSheet(ground)
        self.edited.emit()
