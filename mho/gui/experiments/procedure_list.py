"""The procedures on offer, in groups, found by any word of their name or description."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QWidget

from mho.gui import widgets
from mho.procedures.manifest import ProcedureEntry

NAME = Qt.ItemDataRole.UserRole


class ProceduresList(QWidget):
    """A field to search with, and below it the groups and their procedures; `chosen` carries a name.

    What Return takes is marked: of those that are found, the one whose name is nearest to what was typed. Typing
    ``module:Class`` or ``path/file.py:Class``, and Return, asks for a procedure of the user's own.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        hint = "search the procedures, or type module:Class or path/file.py:Class"
        self.search = QLineEdit(placeholderText=hint, clearButtonEnabled=True)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self._take_first)
        self.tree = QTreeWidget(columnCount=2)
        self.tree.setHeaderHidden(True)
        self.tree.setMaximumHeight(124)
        self.tree.setColumnHidden(1, True)  # the descriptions, which are searched too
        self.tree.setAlternatingRowColors(True)
        self.tree.itemClicked.connect(self._take)
        self.tree.itemActivated.connect(self._take)
        self._groups: list[QTreeWidgetItem] = []
        widgets.column(self, self.search, self.tree, margins=0)

    def show_offers(self, offers: Collection[ProcedureEntry]) -> None:
        """Show what can be chosen."""
        self.tree.clear()
        groups: dict[str, QTreeWidgetItem] = {}
        for offer in sorted(offers, key=lambda one: (one.group == "Other", one.group, one.title)):
            if offer.group not in groups:
                group = QTreeWidgetItem(self.tree, [offer.group])
                group.setFlags(Qt.ItemFlag.ItemIsEnabled)
                group.setFirstColumnSpanned(True)
                group.setExpanded(True)
                groups[offer.group] = group
            item = QTreeWidgetItem(groups[offer.group], [offer.title, offer.line])
            item.setData(0, NAME, offer.name)
            for column in range(2):
                item.setToolTip(column, offer.line)
        self._groups = list(groups.values())
        self.tree.resizeColumnToContents(0)

    def names(self) -> list[str]:
        """Return the names of the procedures that the search leaves."""
        return [str(item.data(0, NAME)) for item in self._items() if not item.isHidden()]

    def select(self, name: str) -> None:
        """Mark `name` as chosen."""
        for item in self._items():
            if item.data(0, NAME) == name:
                self.tree.setCurrentItem(item)
                self.tree.scrollToItem(item)

    def _items(self) -> list[QTreeWidgetItem]:
        return [item for group in self._groups for item in _children(group)]

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        for group in self._groups:
            for item in _children(group):
                said = f"{item.data(0, NAME)} {item.text(0)} {item.text(1)} {group.text(0)}".lower()
                item.setHidden(not all(word in said for word in words))
            group.setHidden(all(item.isHidden() for item in _children(group)))
        if words and (best := self.best()):
            self.select(best)

    def best(self) -> str:
        """Return the name that Return takes: the nearest to what was typed, not the first of the list; "" for none.

        A name that is typed whole comes first, then titles that begin with what was typed, then those that hold all its
        words, and last those that are found by their description.
        """
        text = self.search.text().strip().lower()

        def rank(item: QTreeWidgetItem) -> tuple[int, int]:
            name, title = str(item.data(0, NAME)).lower(), item.text(0).lower()
            plain = {name, name.replace("_", " "), title}
            if text in plain:
                return 0, 0
            if any(one.startswith(text) for one in plain):
                return 1, len(title)
            known = f"{name.replace('_', ' ')} {title}".split()
            if all(any(one.startswith(word) for one in known) for word in text.split()):
                return 2, len(title)
            return (3 if all(word in " ".join(known) for word in text.split()) else 4), 0

        found = [item for item in self._items() if not item.isHidden()]
        return str(min(found, key=rank).data(0, NAME)) if found else ""

    def _take_first(self) -> None:
        text = self.search.text().strip()
        best = self.best()
        if ":" in text and not best:
            self.chosen.emit(text)
        elif best:
            self.select(best)
            self.chosen.emit(best)

    def _take(self, item: QTreeWidgetItem) -> None:
        name = item.data(0, NAME)
        if name:
            self.chosen.emit(str(name))


def _children(group: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    return [item for index in range(group.childCount()) if (item := group.child(index)) is not None]
