"""The form of an action: a field for each parameter of its verb, and the command that they come to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QWidget,
)

from mho.errors import InputError, MhoError
from mho.gui import widgets
from mho.gui.experiments.parameter_form import Field, ParameterForm
from mho.gui.runs.actions import RunAction, Selection
from mho.gui.runs.verbs import APART, Verb, VerbParameter
from mho.gui.session.session import Session

HELP = 250  # pixels that what is said of a field is wide
SIZE = 760, 520


class ActionForm(QDialog):
    """Asks how a verb is to be carried out with a selection, and appends it to the session's actions.

    `values` are those of the verb's procedure to begin with.
    """

    def __init__(
        self,
        action: RunAction,
        verb: Verb,
        chosen: Selection,
        session: Session,
        values: Mapping[str, Any],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(action.text.removesuffix("…"))
        self.resize(*SIZE)
        self.verb = verb
        self._action, self._chosen, self._session = action, chosen, session
        fields = {key: one for key, one in verb.parameters.items() if key != action.takes}
        self.form = ParameterForm({**fields, **verb.of_procedure}, self._judge, action.leading)
        for key, one in fields.items():
            _explain(self.form.fields[key], one)
        of_run = {key: value for key, value in values.items() if key in verb.of_procedure}
        self.form.fill({**of_run, **action.begin(chosen)})
        heading = QLabel(action.title(chosen), textFormat=Qt.TextFormat.PlainText)
        widgets.embolden(heading, 12)
        self.command = QLineEdit(readOnly=True)
        self.command.setAccessibleName("command")
        self.command.setToolTip("the same in a terminal")
        self.message = widgets.plain_label()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = self.buttons.addButton("Start", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self._start)
        self.buttons.rejected.connect(self.reject)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        inside = QWidget()
        widgets.column(inside, self.form, (None, 1), margins=(0, 0, 6, 0))
        scroll.setWidget(inside)
        parts = (
            heading,
            widgets.plain_label(verb.help),
            (scroll, 1),
            self.command,
            self.message,
            self.buttons,
        )
        widgets.column(self, *parts)
        self.form.edited.connect(self._show_command)
        self._show_command()

    def words(self) -> list[str]:
        """Return the words of the command; `InputError` for what cannot be, or is not given."""
        given = {key: one.value() for key, one in self.form.fields.items() if not one.is_default()}
        if self._action.takes:
            given[self._action.takes] = self._action.places(self._chosen)
        words = self.verb.words(given)
        if problems := list(self.form.problems().values()):
            raise InputError(problems[0])
        return words

    def _judge(self, key: str, value: Any) -> None:
        one = self.verb.parameters.get(key)
        if one is not None:
            one.check(value)
            return
        from mho.gui.experiments.panel import check_of
        from mho.procedures.manifest import entry_of

        check_of(entry_of(self.verb.procedure))(key, value)

    def _show_command(self) -> None:
        """Show the command, or why there is none."""
        try:
            words, trouble = self.words(), ""
        except MhoError as error:
            words, trouble = [], str(error)
        self.command.setText(shlex.join(["mho", *words]) if words else "")
        self.command.setCursorPosition(0)
        self.message.setText(trouble)
        self.message.setStyleSheet(f"color: {widgets.colours().bad};")
        self.start.setEnabled(bool(words))

    def _start(self) -> None:
        action = self._session.actions.add(self._action.title(self._chosen), self.words())
        self._session.tell("INFO", f"{action.title} {action.state}; the Queue panel lists it")
        self.accept()


def _explain(field: Field, parameter: VerbParameter) -> None:
    """Say beside a field what it is for, and let a file be chosen where one is asked for."""
    if parameter.kind == "path" and not any(
        isinstance(one, QToolButton) for one in field.findChildren(QToolButton)
    ):
        browse = QToolButton()
        browse.setText("…")
        browse.setToolTip("choose a file")
        browse.clicked.connect(lambda _checked: _browse(field))
        field.row.addWidget(browse)
    several = f"; several with {APART} between" if parameter.several else ""
    text = widgets.plain_label(f"{parameter.help}{several}")
    text.setFixedWidth(HELP)
    field.row.setSpacing(8)
    field.row.addWidget(text)
    field.row.setAlignment(Qt.AlignmentFlag.AlignTop)
    field.setToolTip(f"{' '.join(parameter.options) or 'argument'}: {parameter.help}")


def _browse(field: Field) -> None:
    typed = field.value()
    chosen, _ = QFileDialog.getSaveFileName(
        field, "A file", str(Path(typed)) if typed else "", options=QFileDialog.Option.DontConfirmOverwrite
    )
    if chosen:
        field.show_value(chosen)
