"""The form's conditions of a run: the seed, and the chip and cells of a simulated bench."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QFormLayout, QLabel, QLineEdit, QWidget

from mho.gui.widgets import theme
from mho.instruments.simulated import CELL_PRESETS

if TYPE_CHECKING:
    from mho.running.queue import Job, Order

AS_IN_FILE = "as the bench file says"
FRESH = "a fresh one"
CHOOSE = "as a run left it…"
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
        self.chip.setToolTip("the simulated chip: a fresh one, or the one that another run left")
        self.chip.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chip.setMinimumContentsLength(12)
        self.chip.addItem(FRESH)
        self.chip.addItem(CHOOSE)
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
        self._jobs: list[tuple[str, str]] = []
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        for text, widget in (
            ("Seed of the run", self.seed_line), ("Simulated chip", self.chip), ("Simulated cells", self.cells),
            ("Limits", self.insist),
        ):  # fmt: skip
            label = QLabel(text)
            label.setMinimumWidth(110)
            self._layout.addRow(label, widget)
        self._only_where_simulated(False)
        self.show_force(False)

    def _only_where_simulated(self, simulated: bool) -> None:
        for widget in (self.chip, self.cells):
            self._layout.setRowVisible(widget, simulated)

    def show_simulated(self, simulated: bool) -> None:
        """Show the fields for chip and cells only where they are simulated."""
        self._only_where_simulated(simulated)
        if not simulated:
            self.chip.setCurrentIndex(0)
            self.cells.setCurrentText(AS_IN_FILE)

    def offer_chips(self, jobs: Sequence[Job]) -> None:
        """Offer the chips that jobs leave; what is chosen stays chosen."""
        good = [job for job in jobs if job.status in ("queued", "running", "paused", "finished")]
        newest = sorted(good, key=lambda job: job.id, reverse=True)[:OFFERED]
        offered = [
            (f"as job {job.id} ({job.order.procedure.rpartition(':')[2].lower()}) leaves it", f"#{job.id}")
            for job in newest
        ]
        if offered == self._jobs:
            return
        self._jobs = offered
        chosen, text = self.chip.currentData(), self.chip.currentText()
        with QSignalBlocker(self.chip):
            self.chip.clear()
            self.chip.addItem(FRESH)
            for words, after in offered:
                self.chip.addItem(words, after)
            self.chip.addItem(CHOOSE)
            self._show_chip(chosen, text)

    def fill(self, order: Order) -> None:
        """Show the conditions of an order."""
        self.seed_line.setText("" if order.seed is None else str(order.seed))
        self.cells.setCurrentText(order.preset or AS_IN_FILE)
        self._show_chip(order.after)
        self.show_force(order.force)

    def show_force(self, force: bool) -> None:
        """Show whether implausible limits are accepted; this can be revoked here, and given by `--force`."""
        self.insist.setChecked(force)
        self._layout.setRowVisible(self.insist, force)

    def _show_chip(self, after: str | None, words: str = "") -> None:
        """Choose the chip that a run left, which is offered from then on; None for a fresh one."""
        if after is None:
            self.chip.setCurrentIndex(0)
            return
        if self.chip.findData(after) < 0:
            self.chip.insertItem(1, words or f"as {Path(after).name} left it", after)
        self.chip.setCurrentIndex(self.chip.findData(after))

    def seed(self) -> int | None:
        """Return the seed, or None for a fresh one."""
        text = self.seed_line.text().strip()
        return int(text) if text else None

    def preset(self) -> str | None:
        """Return the cells' preset, or None for that of the bench file, or of the run that is continued."""
        text = self.cells.currentText()
        return None if text == AS_IN_FILE or self.after() else text

    def after(self) -> str | None:
        """Return the run whose chip is used: a run file, or a job as ``#5``; None for a fresh chip."""
        after: str | None = self.chip.currentData()
        return after

    def problems(self) -> list[str]:
        """Return what is wrong."""
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
        self._show_chip(path or None)

    def _typed(self) -> None:
        ground = f"background: {theme.colours().wrong_ground};" if self.problems() else ""
        self.seed_line.setStyleSheet(ground)
        self.edited.emit()
