"""The procedures on offer, in groups, found by any word of their name or description."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

NAME = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class ProcedureOffer:
    """A procedure that can be chosen.

    Attributes
    ----------
    name : str
        As `mho.procedures.catalogue.find_procedure` takes it.
    title, line, group : str
        What it is called, what it does, and under which heading.
    parameters : mapping
        PyMeasure's Parameters by name, in the order of their declaration.
    judge : callable
        Raises `MhoError` for a parameter's name and a value that it refuses.
    words : callable
        Makes arguments for the command line of values by parameter.
    """

    name: str
    title: str
    line: str
    group: str
    parameters: Mapping[str, Any]
    judge: Callable[[str, Any], None]
    words: Callable[[Mapping[str, Any]], list[str]]

    @classmethod
    def of(cls, name: str, kind: Any) -> ProcedureOffer:
        """Return the offer of the procedure `kind`, to be asked for as `name`."""
        from mho.procedures.catalogue import is_required, plain_value

        form = kind().form()
        declared = dict.fromkeys(name for base in reversed(kind.__mro__) for name in vars(base))
        parameters = {name: form[name] for name in declared if name in form}

        def judge(key: str, value: Any) -> None:
            kind(**{key: plain_value(key, parameters[key], value)})

        def words(values: Mapping[str, Any]) -> list[str]:
            options, places = [], []
            for key, value in values.items():
                option = key.replace("_", "-")
                if is_required(parameters[key]):
                    places.append(str(value))
                elif isinstance(value, bool):
                    options.append(f"--{option}" if value else f"--no-{option}")
                else:
                    options.append(f"--{option}={value}")
            return [*places, *options]

        line = (inspect.getdoc(kind) or "").partition("\n")[0]
        return cls(name, kind.title or kind.__name__, line, kind.group, parameters, judge, words)


class ProceduresList(QWidget):
    """A field to search with, and below it the groups and their procedures; `chosen` carries a name.

    Typing ``module:Class`` or ``path/file.py:Class``, and Return, asks for a procedure of the user's own.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = QLineEdit()
        self.search.setPlaceholderText("loading the procedures…")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self._take_first)
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setColumnCount(2)
        self.tree.setMaximumHeight(170)
        self.tree.setAlternatingRowColors(True)
        self.tree.itemClicked.connect(self._take)
        self.tree.itemActivated.connect(self._take)
        self._groups: list[QTreeWidgetItem] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.search)
        layout.addWidget(self.tree)

    def show_offers(self, offers: Sequence[ProcedureOffer]) -> None:
        """Show what can be chosen."""
        self.search.setPlaceholderText("search the procedures, or type module:Class or path/file.py:Class")
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

    def _items(self) -> list[QTreeWidgetItem]:
        return [item for group in self._groups for item in _children(group)]

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        for group in self._groups:
            for item in _children(group):
                said = f"{item.data(0, NAME)} {item.text(0)} {item.text(1)} {group.text(0)}".lower()
                item.setHidden(not all(word in said for word in words))
            group.setHidden(all(item.isHidden() for item in _children(group)))

    def _take_first(self) -> None:
        text = self.search.text().strip()
        left = self.names()
        if ":" in text and not left:
            self.chosen.emit(text)
        elif left:
            # A name that is typed whole is meant, whatever else its letters are found in.
            first = text.lower() if text.lower() in left else left[0]
            self.select(first)
            self.chosen.emit(first)

    def _take(self, item: QTreeWidgetItem) -> None:
        name = item.data(0, NAME)
        if name:
            self.chosen.emit(str(name))


def _children(group: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    return [item for index in range(group.childCount()) if (item := group.child(index)) is not None]
