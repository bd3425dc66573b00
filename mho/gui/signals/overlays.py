"""Earlier runs that are laid over the one that is shown: a list with their colours, read in another thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from mho.analysis import palette
from mho.analysis.figures import FigureData
from mho.gui.session.session import Session
from mho.gui.session.task_thread import TaskThread
from mho.gui.signals.reading import Curves
from mho.gui.widgets.themed_plot import swatch
from mho.runs import RunFile
from mho.runs.paths import SUFFIX

Contents = Curves | FigureData
"""Data of a run: curves that the user chose, or a figure's data."""

MOST_OVERLAID = 8
PATH, COLOUR = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


class Overlays(QWidget):
    """Lists the runs that are laid over another; `changed` says that others are to be shown."""

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task_thread = TaskThread("signals", self)
        self._read: Callable[[RunFile], Contents] | None = None
        self._found: dict[Path, Contents] = {}
        self.list = QListWidget()
        self.list.setAccessibleName("runs laid over this one")
        self.add, self.remove = QPushButton("Lay over…"), QPushButton("Remove")
        self.add.setToolTip(f"Show the same of an earlier run, of up to {MOST_OVERLAID}")
        self.add.clicked.connect(self._choose)
        self.remove.clicked.connect(self._remove)
        self.list.itemChanged.connect(lambda _: self.changed.emit())
        self.list.itemSelectionChanged.connect(self._allow)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel("Earlier runs"))
        column.addWidget(self.list, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.remove)
        column.addLayout(buttons)
        self._allow()

    def close_down(self) -> None:
        """End the work in another thread."""
        self._task_thread.close()

    def want(self, read: Callable[[RunFile], Contents] | None) -> None:
        """Read something else of each run from now on; None for nothing."""
        self._read = read
        self._found.clear()
        for path in self.paths():
            self._look_into(path)

    def checked(self) -> Iterator[tuple[str, str, Contents]]:
        """Yield name, colour and contents of the runs that are to be seen and have been read."""
        for row in range(self.list.count()):
            item = self.list.item(row)
            found = self._found.get(item.data(PATH))
            if found is not None and item.checkState() is Qt.CheckState.Checked:
                yield item.text(), item.data(COLOUR), found

    def lay_over(self, path: Path) -> None:
        """Show the run file at `path` too."""
        if path in self.paths():
            return
        if self.list.count() >= MOST_OVERLAID:
            self._session.tell("WARNING", f"{MOST_OVERLAID} runs are laid over this one; remove one first")
            return
        used = [self.list.item(row).data(COLOUR) for row in range(self.list.count())]
        item = QListWidgetItem(path.stem)
        item.setData(PATH, path)
        item.setToolTip(str(path))
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        colour = next(one for one in palette.SERIES[1:] if one not in used)
        item.setData(COLOUR, colour)
        item.setIcon(swatch(colour))
        item.setCheckState(Qt.CheckState.Checked)
        with QSignalBlocker(self.list):
            self.list.addItem(item)
        self._look_into(path)
        self._allow()

    def paths(self) -> list[Path]:
        """Return the run files."""
        return [self.list.item(row).data(PATH) for row in range(self.list.count())]

    def _look_into(self, path: Path) -> None:
        read = self._read
        if read is None:
            return

        def look() -> Contents:
            with RunFile(path) as run:
                return read(run)

        def keep(found: Contents) -> None:
            if read is self._read and path in self.paths():
                self._found[path] = found
                self.changed.emit()

        self._task_thread.ask(look, keep, lambda text: self._session.tell("ERROR", text))

    def _choose(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, "Lay earlier runs over this one", str(self._session.folder), f"run files (*{SUFFIX})"
        )
        for name in names:
            self.lay_over(Path(name))

    def _remove(self) -> None:
        for item in self.list.selectedItems():
            self._found.pop(item.data(PATH), None)
            self.list.takeItem(self.list.row(item))
        self._allow()
        self.changed.emit()

    def _allow(self) -> None:
        self.add.setEnabled(self.list.count() < MOST_OVERLAID)
        self.remove.setEnabled(bool(self.list.selectedItems()))
