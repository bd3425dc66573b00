"""Under which conditions a procedure runs: the seed of everything random, and the cells of a simulated bench."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QWidget

from gui import theme

AS_IN_FILE = "as the bench file says"
PRESETS = ("ideal", "quiet", "pku", "relaxing")


class Conditions(QWidget):
    """What an order has beside its procedure's parameters."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.seed_line = QLineEdit()
        self.seed_line.setPlaceholderText("a fresh one")
        self.seed_line.setToolTip("of everything random in the run; the same seed gives the same run")
        self.seed_line.textChanged.connect(self._typed)
        self.cells = QComboBox()
        self.cells.addItems([AS_IN_FILE, *PRESETS])
        self.cells.setToolTip("how the cells of the simulated chip behave")
        self.cells.currentTextChanged.connect(self.edited)
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        for text, widget in (("Seed of the run", self.seed_line), ("Simulated cells", self.cells)):
            label = QLabel(text)
            label.setMinimumWidth(110)
            self._layout.addRow(label, widget)
        self._layout.setRowVisible(self.cells, False)

    def show_simulated(self, simulated: bool) -> None:
        """Ask for the cells only where they are simulated."""
        self._layout.setRowVisible(self.cells, simulated)
        if not simulated:
            self.cells.setCurrentText(AS_IN_FILE)

    def fill(self, seed: int | None, preset: str | None) -> None:
        """Show a seed and a preset; None for a fresh one, and for what the bench file says."""
        self.seed_line.setText("" if seed is None else str(seed))
        self.cells.setCurrentText(preset or AS_IN_FILE)

    def seed(self) -> int | None:
        """Return the seed, or None for a fresh one."""
        text = self.seed_line.text().strip()
        return int(text) if text else None

    def preset(self) -> str | None:
        """Return the cells' preset, or None for that of the bench file."""
        text = self.cells.currentText()
        return None if text == AS_IN_FILE else text

    def problems(self) -> list[str]:
        """Return what is wrong."""
        text = self.seed_line.text().strip()
        fits = not text or (text.isdecimal() and text.isascii() and int(text) < 2**63)
        return [] if fits else [f"the seed is {text!r}; it must be a whole number from 0, or empty"]

    def _typed(self) -> None:
        ground = f"background: {theme.colours().wrong_ground};" if self.problems() else ""
        self.seed_line.setStyleSheet(ground)
        self.edited.emit()
