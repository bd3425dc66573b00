"""The selected cells of an array: by dragging, by their state, or from a mask file; and their text for a form."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from mho.array_types import Booleans
from mho.chip_maps.levels import Levels
from mho.errors import InputError
from mho.gui import widgets
from mho.gui.chip.cell_grid import CellGrid


@dataclass(frozen=True)
class Selection:
    """A set of cells: those that are True in a mask of the array."""

    mask: Booleans

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Selection:
        """Return the empty selection of an array of this shape."""
        return cls(np.zeros(shape, dtype=bool))

    def rectangle(self, first: tuple[int, int], last: tuple[int, int]) -> Booleans:
        """Return the cells between two corners, both included, as far as the array reaches."""
        mask = np.zeros_like(self.mask)
        (top, bottom), (left, right) = (sorted(ends) for ends in zip(first, last, strict=True))
        mask[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)] = True
        return mask

    def with_cells(self, cells: Booleans) -> Selection:
        """Return the selection with `cells` added."""
        return Selection(self.mask | cells)

    def without(self, cells: Booleans) -> Selection:
        """Return the selection with `cells` taken away."""
        return Selection(self.mask & ~cells)

    @property
    def count(self) -> int:
        """Number of selected cells."""
        return int(self.mask.sum())

    @property
    def rows(self) -> str:
        """The rows that hold a selected cell, as `mho.procedures.cell_range.parse_lines` reads them."""
        return lines_text(np.flatnonzero(self.mask.any(axis=1)))

    @property
    def columns(self) -> str:
        """The columns that hold a selected cell, likewise."""
        return lines_text(np.flatnonzero(self.mask.any(axis=0)))

    @property
    def crossings(self) -> int:
        """Number of cells at the crossings of `rows` and `columns`, which may exceed the selection."""
        return int(self.mask.any(axis=1).sum() * self.mask.any(axis=0).sum())

    def blocks(self) -> list[tuple[str, str]]:
        """Return rows and columns, as texts, of blocks that hold the selected cells and no others."""
        together: dict[bytes, list[int]] = {}
        for row in np.flatnonzero(self.mask.any(axis=1)):
            together.setdefault(self.mask[row].tobytes(), []).append(int(row))
        return [
            (lines_text(np.array(rows)), lines_text(np.flatnonzero(self.mask[rows[0]])))
            for rows in together.values()
        ]

    def describe(self) -> str:
        """Describe the selection, and the lines that a form makes of it."""
        if not self.count:
            return "no cell selected: click a cell or drag over some (Ctrl adds, Shift takes away)"
        cells = f"{self.count:,} cell{'' if self.count == 1 else 's'} selected"
        lines = f"rows {self.rows}, columns {self.columns}"
        if self.crossings == self.count:
            return f"{cells}: {lines}"
        return f"{cells}; a form takes {self.crossings:,}: {lines}"


def lines_text(lines: NDArray[np.int64]) -> str:
    """Return ascending line numbers as text: ``0:8, 12, 20:40:2``."""
    return ", ".join(_parts([int(line) for line in lines]))


def _parts(lines: list[int]) -> Iterator[str]:
    """Cut off runs of equal steps, longest first from the left; only steps of 1, or three lines and more."""
    start = 0
    while start < len(lines):
        end = start + 1
        step = lines[end] - lines[start] if end < len(lines) else 1
        while end < len(lines) and lines[end] - lines[end - 1] == step:
            end += 1
        if step != 1 and end - start < 3:
            end = start + 1
        if end - start == 1:
            yield str(lines[start])
        else:
            yield f"{lines[start]}:{lines[end - 1] + 1}" + (f":{step}" if step != 1 else "")
        start = end


def load_mask(path: str, shape: tuple[int, int]) -> Booleans:
    """Return the cells for which a file (.npy, .csv, .mtx) of the array's shape holds anything but 0; else `InputError`."""
    from mho.chip_maps.matrix_files import load_digits  # late, for scipy takes long to import

    mask: Booleans = load_digits(path) != 0
    if mask.shape != shape:
        raise InputError(
            f"mask {path} has {mask.shape[0]} x {mask.shape[1]} cells, the array {shape[0]} x {shape[1]}; "
            "give one number for each cell"
        )
    return mask


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
        self._name = ""
        self._kept: dict[tuple[str, tuple[int, ...]], Selection] = {}  # of arrays that were not shown yet
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
            ("Whole rows", lambda: self._choose(self._whole(1))),
            ("Whole columns", lambda: self._choose(self._whole(0))),
            ("The other cells", lambda: self._choose(~self.selection.mask)),
            ("No cell", lambda: self._choose(self._none())),
            ("From a mask file…", self._ask_for_mask),
        )
        for text, act in choices:
            self.menu.addAction(text, act)
        self.text = widgets.plain_label()
        self.text.setFixedHeight(2 * self.text.fontMetrics().lineSpacing())
        widgets.row(self, self.menu_button, (self.text, 1), margins=0)

    def show_array(self, name: str, grid: CellGrid, bad: Booleans, levels: Levels | None) -> None:
        """Turn to an array; what was selected of one of the same name and size stays selected."""
        self._grid, self._bad, self._levels = grid, bad, levels
        if (name, grid.shape) != (self._name, self.selection.mask.shape):
            self._before = self._kept.pop((name, grid.shape), Selection.nothing(grid.shape))
        self._name = name
        self._set(self._before)

    def keep(self) -> str:
        """Return the selection as text, by which `recall` finds it again."""
        if not self.selection.count:
            return ""
        packed = base64.b64encode(np.packbits(self.selection.mask).tobytes()).decode()
        rows, columns = self.selection.mask.shape
        return f"{rows} {columns} {packed} {self._name}"

    def recall(self, kept: str) -> None:
        """Select what `keep` returned, as soon as its array is shown; a text that is none is passed over."""
        try:
            rows, columns, packed, name = kept.split(" ", 3)
            shape = int(rows), int(columns)
            bits = np.unpackbits(np.frombuffer(base64.b64decode(packed), np.uint8), count=shape[0] * shape[1])
            selection = Selection(bits.reshape(shape).astype(bool))
        except ValueError:
            return
        if (name, shape) == (self._name, self.selection.mask.shape):
            self._before = selection
            self._set(selection)
            self.chosen.emit(selection)
        else:
            self._kept[name, shape] = selection

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

    def _whole(self, axis: int) -> Booleans:
        """Return all cells of the rows (1) or columns (0) that hold a selected one."""
        mask = self.selection.mask
        return np.zeros_like(mask) | mask.any(axis=axis, keepdims=True)

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
