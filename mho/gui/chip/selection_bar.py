"""Selects cells: by dragging, by their state, or from a mask file; shows the selection in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from mho.array_types import Booleans
from mho.chip_maps.levels import Levels
from mho.errors import InputError
from mho.gui import widgets
from mho.gui.chip.cell_grid import CellGrid
from mho.gui.chip.selection import Selection, load_mask


class SelectionBar(QWidget):
    """Holds the selection of the array that is shown.

    Signals
    -------
    changed(Selection)
        Also while the mouse is still dragging.
    chosen(Selection)
        The user has made up their mind.
    refused(text)
        A mask file cannot be used.
    """

    changed = Signal(object)
    chosen = Signal(object)
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.selection = Selection.nothing((0, 0))
        self._before = self.selection
        self._grid: CellGrid | None = None
        self._levels: Levels | None = None
        self._bad = self.selection.mask
        self.menu_button = QToolButton()
        self.menu_button.setText("Select")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.menu_button.setMenu(self.menu)
        choices: tuple[tuple[str, Callable[[], None]], ...] = (
            ("Cells the run uses", lambda: self._choose(self._of(lambda grid: grid.used))),
            ("Cells outside their window", lambda: self._choose(self._of(self._outside))),
            ("Known bad cells", lambda: self._choose(self._bad)),
            ("All cells", lambda: self._choose(~self._none())),
            ("The other cells", lambda: self._choose(~self.selection.mask)),
            ("No cell", lambda: self._choose(self._none())),
            ("From a mask file…", self._ask_for_mask),
        )
        for text, act in choices:
            self.menu.addAction(text, act)
        self.text = widgets.plain_label()
        self.text.setFixedHeight(2 * self.text.fontMetrics().lineSpacing())
        widgets.row(self, self.menu_button, (self.text, 1), margins=0)

    def show_array(self, grid: CellGrid, bad: Booleans, levels: Levels | None) -> None:
        """Turn to another array, of which nothing is selected."""
        self._grid, self._bad, self._levels = grid, bad, levels
        self._before = Selection.nothing(grid.shape)
        self._set(self._before)

    def drag(
        self, first: tuple[int, int], last: tuple[int, int], modifiers: Qt.KeyboardModifier, over: bool
    ) -> None:
        """Select the cells between two corners: instead of the others, or with Ctrl added, with Shift taken away."""
        cells = self._before.rectangle(first, last)
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            now = self._before.with_cells(cells)
        elif modifiers & Qt.KeyboardModifier.ShiftModifier:
            now = self._before.without(cells)
        else:
            now = Selection(cells)
        self._set(now)
        if over:
            self._finish()

    def take_mask(self, path: str) -> None:
        """Select what a mask file says."""
        try:
            mask = load_mask(path, self.selection.mask.shape)
        except InputError as error:
            self.refused.emit(str(error))
        else:
            self._choose(mask)

    def _ask_for_mask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Mask of cells", "", "Masks (*.npy *.csv *.mtx)")
        if path:
            self.take_mask(path)

    def _choose(self, cells: Booleans) -> None:
        self._set(Selection(cells.copy()))
        self._finish()

    def _finish(self) -> None:
        self._before = self.selection
        self.chosen.emit(self.selection)

    def _set(self, selection: Selection) -> None:
        self.selection = selection
        self.text.setText(selection.describe())
        self.text.setToolTip(selection.describe())
        self.changed.emit(selection)

    def _none(self) -> Booleans:
        return np.zeros_like(self.selection.mask)

    def _of(self, mask: Callable[[CellGrid], Booleans]) -> Booleans:
        return self._none() if self._grid is None else mask(self._grid)

    def _outside(self, grid: CellGrid) -> Booleans:
        """Return the cells whose last read was outside the verify window of their target level."""
        mask = np.isfinite(grid.conductance) & np.isfinite(grid.target)
        if self._levels is not None:
            nominal = self._levels.nominal
            digits = np.abs(nominal - grid.target[mask][:, None]).argmin(axis=1)
            mask[mask] = ~self._levels.inside(grid.conductance[mask], digits)
        return mask
