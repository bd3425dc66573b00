"""A form made from a procedure's Parameters: a field each, checked while the user types; the few that matter come first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)

from mho.errors import MhoError
from mho.gui import widgets
from mho.gui.experiments.sweeps import swept

LABELS = 112  # pixels that the labels are wide
MOST_SHOWN = 24  # letters of a value that are shown in an empty field

Judge = Callable[[str, Any], None]
"""Raises `MhoError` for a parameter's name and a value that it refuses."""


FEWEST_FOLDED = 3
"""Fields that are worth being folded; fewer are shown."""


class ParameterForm(widgets.Themed):
    """Fields for PyMeasure's Parameters, one below the other; `judge` says what is wrong with a value.

    `leading` names the fields that come first, after those that must be given; the others are folded. Without it all are
    shown.
    """

    edited = Signal()

    def __init__(
        self,
        parameters: Mapping[str, Any],
        judge: Judge,
        leading: Sequence[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.fields: dict[str, Field] = {}
        self._conditions: dict[str, Mapping[str, Any]] = {}
        self._instead: Mapping[str, Any] = {}
        first = [name for name, one in parameters.items() if one.default == ""]
        first += [name for name in leading if name not in first]
        rest = [name for name in parameters if name not in first]
        if not leading or len(rest) < FEWEST_FOLDED:
            first, rest = [*first, *rest], []
        self._folded = QWidget()
        above, below = _rows(None), _rows(self._folded)
        self._layouts = dict.fromkeys(first, above) | dict.fromkeys(rest, below)
        for name in (*first, *rest):
            parameter = parameters[name]
            field = _field(name, parameter, judge)
            field.edited.connect(self._changed)
            label = QLabel(short_label(parameter.name), wordWrap=True)
            label.setFixedWidth(LABELS)
            label.setBuddy(field.editor)
            label.setToolTip(f"{parameter.name}: {field.toolTip()}")
            self._layouts[name].addRow(label, field)
            self.fields[name] = field
            self._conditions[name] = getattr(parameter, "group_by", None) or {}
        self._rest = rest
        self.more = QToolButton()
        self.more.setCheckable(True)
        self.more.setAutoRaise(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.toggled.connect(self._unfold)
        widgets.column(self, above, self.more, self._folded, margins=0)
        self.more.setVisible(bool(rest))
        self._unfold(False)
        self._show_groups()

    def values(self) -> dict[str, Any]:
        """Return what was given, by parameter: texts as typed, of several values the first; no defaults."""
        given = {name: field.value() for name, field in self.fields.items() if not field.is_default()}
        return given | {name: values[0] for name, values in self.sweeps().items()}

    def sweeps(self) -> dict[str, list[str]]:
        """Return the values of the fields that name several, see `mho.gui.experiments.sweeps`."""
        several = {name: field.several() for name, field in self.fields.items() if not field.problem}
        return {name: values for name, values in several.items() if values is not None}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Show `values`, and the default where there is none; names that are no parameter are passed over."""
        for name, field in self.fields.items():
            field.show_value(values.get(name, self._instead.get(name, field.default)))

    def begin_with(self, values: Mapping[str, Any]) -> None:
        """Show `values` in place of defaults, as far as nobody has given others; they count as given."""
        before, self._instead = self._instead, values
        for name in self.fields.keys() & {*before, *values}:
            field = self.fields[name]
            if field.value() == before.get(name, field.default):
                field.show_value(values.get(name, field.default))

    def show_in_use(self, values: Mapping[str, tuple[float | str, str]]) -> None:
        """Show in empty fields what stands in for them, and where it comes from: ``0.2 V, the bench's``."""
        for name, field in self.fields.items():
            if isinstance(field, TextField):
                field.show_in_use(*values.get(name, ("", "")))

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by parameter; what must be given and is not counts too."""
        return {name: field.problem for name, field in self.fields.items() if field.problem}

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        for field in self.fields.values():
            if field.reason.text():
                field.mark(field.problem)

    def _changed(self) -> None:
        self._show_groups()
        if any(self.fields[name].reason.text() for name in self._rest):
            self.more.setChecked(True)
        self._say_folded()
        self.edited.emit()

    def _unfold(self, shown: bool) -> None:
        self._folded.setVisible(shown)
        self.more.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self._say_folded()

    def _say_folded(self) -> None:
        """Say how many fields are folded, and which of them are set."""
        given = [name.replace("_", " ") for name in self._rest if not self.fields[name].is_default()]
        told = f"; set: {', '.join(given)}" if given else ", all at their defaults"
        self.more.setText(
            f"{len(self._rest)} more fields" if self.more.isChecked() else f"{len(self._rest)} more{told}"
        )
        self.more.setToolTip(told.removeprefix("; "))

    def _show_groups(self) -> None:
        """Show the parameters whose group others switch on (PyMeasure's `group_by`), and hide the rest."""
        for name, conditions in self._conditions.items():
            shown = all(
                condition(self.fields[other].value())
                if callable(condition)
                else self.fields[other].value() == condition
                for other, condition in conditions.items()
                if other in self.fields
            )
            self._layouts[name].setRowVisible(self.fields[name], shown)

    def note(self, name: str, problem: str) -> None:
        """Mark a field as wrong for a reason found by the check of the whole form; the next key removes the mark."""
        self.fields[name].mark(problem)


class Field(QWidget):
    """One parameter: its `editor`, its unit, and below it the `problem`, which is why the value cannot be used.

    `read` returns what is given in the editor, `write` shows a value there.
    """

    edited = Signal()

    def __init__(
        self,
        name: str,
        parameter: Any,
        judge: Judge,
        editor: QWidget,
        read: Callable[[], Any],
        write: Callable[[Any], None],
    ) -> None:
        super().__init__()
        self.name, self.default, self.editor = name, parameter.default, editor
        self.value, self.show_value = read, write
        self.problem = ""
        self._judge = judge
        self.setToolTip(limits(parameter))
        self.reason = widgets.plain_label()
        self.reason.setVisible(False)
        self.row = QHBoxLayout()
        self.row.addWidget(editor, 1)
        unit = getattr(parameter, "units", None) or ""
        if unit:
            self.row.addWidget(QLabel(unit))
        widgets.column(self, self.row, self.reason, margins=0, spacing=2)
        write(self.default)

    def is_default(self) -> bool:
        """Whether the value is the parameter's default."""
        return bool(self.value() == self.default)

    def several(self) -> list[str] | None:
        """Return the values, where there are several; `InputError` for what is wrong with them."""
        return None

    def mark(self, problem: str) -> None:
        """Mark the value as wrong, or as right when `problem` is empty."""
        self.problem = problem
        now = widgets.colours()
        self.reason.setText(problem)
        self.reason.setStyleSheet(f"color: {now.bad};")
        self.reason.setVisible(bool(problem))
        self.editor.setStyleSheet(f"background: {now.wrong_ground};" if problem else "")

    def take_edit(self) -> None:
        """Judge what was typed or chosen."""
        self.mark(self._trouble())
        self.edited.emit()

    def _trouble(self) -> str:
        try:
            self._judge(self.name, self.value())
        except MhoError as error:
            return str(error)
        return ""


class TextField(Field):
    """A text, or a number with or without its unit; one without a default must be given, and may be a file."""

    def __init__(self, name: str, parameter: Any, judge: Judge) -> None:
        self._line = QLineEdit()
        self._label, self._unit = parameter.name, getattr(parameter, "units", None) or ""
        self._needed = parameter.default == ""
        self._optional = parameter.default is None
        super().__init__(name, parameter, judge, self._line, self._read, self._write)
        self.show_in_use("", "")
        if self._needed:
            browse = QToolButton()
            browse.setText("…")
            browse.setToolTip("choose a file")
            browse.clicked.connect(self._browse)
            self.row.addWidget(browse)
        self._line.installEventFilter(self)
        self._line.textChanged.connect(self.take_edit)
        self.problem = self._trouble()  # known, but not shown before the user has typed

    def show_in_use(self, value: float | str, origin: str) -> None:
        """Show in the empty line what stands in for it, by its origin."""
        from mho.procedures.wording import quantity  # late, for it loads what reads run files

        text = quantity(value, self._unit) if isinstance(value, float) else str(value)
        shown = f"{text}, {origin}" if origin and len(text) < MOST_SHOWN else origin or "not given"
        self._line.setPlaceholderText("a file" if self._needed else shown if self._optional else "")
        self._line.setToolTip(f"in use: {text} ({origin})" if origin and self._optional else "")

    def _read(self) -> str | None:
        """Return what is typed; None where nothing is and nothing need be."""
        return self._line.text().strip() or (None if self._optional else "")

    def _write(self, value: Any) -> None:
        self._line.setText(_text(value))
        # The end of a path is its most useful part.
        self._line.setCursorPosition(len(self._line.text()) if self._needed else 0)

    def is_default(self) -> bool:
        """Whether the text equals that of the default."""
        return _text(self.value()) == _text(self.default)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Use a dropped file as the path."""
        if isinstance(event, QDropEvent) and event.mimeData().hasUrls():  # entering and moving are drops too
            if event.type() == QEvent.Type.Drop:
                self._line.setText(event.mimeData().urls()[0].toLocalFile())
            event.acceptProposedAction()
            return True
        return super().eventFilter(watched, event)

    def _trouble(self) -> str:
        if not self.value() and not self._optional:
            return f"{self._label}: name a file" if self._needed else f"{self._label} is empty"
        try:
            for value in self.several() or (self.value(),):
                self._judge(self.name, value)
        except MhoError as error:
            return str(error)
        return ""

    def several(self) -> list[str] | None:
        """Return the values of a sweep."""
        return swept(self.value(), self._unit, self.name)

    def _browse(self) -> None:
        folder = str(Path(typed).parent) if (typed := self.value()) else ""
        chosen, _ = QFileDialog.getOpenFileName(self, self._label, folder)
        if chosen:
            self._line.setText(chosen)


def short_label(name: str) -> str:
    """Return a parameter's label without what stands in the empty field anyway: ``, the bench's unless given``."""
    return re.sub(r"(, [^,]* unless given| \([^()]*\))$", "", name)


def limits(parameter: Any) -> str:
    """Return one line about the allowed values of a parameter."""
    unit = getattr(parameter, "units", None) or ""
    default = _text(parameter.default)
    said = f"default {default} {unit}".rstrip() if default else "must be given"
    if parameter.default is None:
        said = "may be left out"
    low, high = getattr(parameter, "minimum", None), getattr(parameter, "maximum", None)
    if low is None or high is None:
        return said
    return f"{low:g} to {high:g} {unit}".rstrip() + f", {said}"


def _rows(owner: QWidget | None) -> QFormLayout:
    layout = QFormLayout() if owner is None else QFormLayout(owner)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return layout


def _field(name: str, parameter: Any, judge: Judge) -> Field:
    if isinstance(parameter.default, bool):
        check = QCheckBox()
        field = Field(
            name, parameter, judge, check, check.isChecked, lambda value: check.setChecked(bool(value))
        )
        check.toggled.connect(field.take_edit)
        return field
    if getattr(parameter, "choices", None):
        box = QComboBox()
        box.addItems([str(choice) for choice in parameter.choices])
        box.setEditable(bool(getattr(parameter, "noun", None)))  # one's own code can be named
        field = Field(
            name, parameter, judge, box, box.currentText, lambda value: box.setCurrentText(str(value))
        )
        field.default = str(parameter.default)
        box.currentTextChanged.connect(field.take_edit)
        return field
    return TextField(name, parameter, judge)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)
