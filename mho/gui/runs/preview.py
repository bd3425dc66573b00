"""The preview of the chosen run: verdict, results, what differs from the defaults, where and when, tags and notes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QWidget

from mho.analysis.reports import Convergence
from mho.errors import RunFileError
from mho.escaping import html as escape
from mho.gui import widgets
from mho.gui.solve.convergence_view import ConvergenceView
from mho.runs import outcome_line
from mho.runs.index import IndexedRun, ResultQuantity, RunIndex
from mho.runs.integrity import OF_THE_MOMENT


@dataclass(frozen=True)
class IndexedFacts:
    """The index's facts about a run; `asked` are the names and texts of its parameters that are not as by default."""

    run: IndexedRun
    parameters: tuple[ResultQuantity, ...]
    results: tuple[ResultQuantity, ...]
    notes: tuple[tuple[float, str], ...]
    asked: tuple[tuple[str, str], ...] = ()


def read_facts(index: RunIndex, run: IndexedRun) -> IndexedFacts:
    """Return the facts about `run` in `index`; `RunFileError` when the index cannot be read."""
    quantities = index.quantities([run])[run.id]
    parameters, notes = quantities["parameter"], tuple(index.annotations.notes(run.facts.run_id))
    return IndexedFacts(
        run, parameters, quantities["result"], notes, _asked(index.folder / run.path, parameters)
    )


def _asked(path: Path, parameters: tuple[ResultQuantity, ...]) -> tuple[tuple[str, str], ...]:
    """Return what differs from the defaults, by the run's file; all parameters where that is gone or damaged."""
    from mho.analysis.reports import parameter_text
    from mho.procedures.manifest import asked_for
    from mho.runs import RunFile

    try:
        with RunFile(path, whole=False) as file:
            asked = asked_for(file.procedure, file.parameters)
    except RunFileError:
        return tuple((one.name, quantity_text(one)) for one in parameters)
    return tuple((name, parameter_text(one)) for name, one in asked.items())


MOST_WARNINGS = 4
"""Of a run, in the preview; its window shows all."""


def quantity_text(quantity: ResultQuantity) -> str:
    """Return a quantity as people read it."""
    number = quantity.number
    whole = number is None or quantity.text in ("true", "false") or quantity.text.lstrip("-").isdigit()
    return f"{quantity.text if whole else f'{number:.6g}'} {quantity.unit}".rstrip()


class RunPreview(QWidget):
    """Shows one run; the signal `tags_wanted` carries its new tags, `note_wanted` a new note."""

    tags_wanted = Signal(object)
    note_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.known: IndexedFacts | None = None
        self.heading = QLabel(textFormat=Qt.TextFormat.RichText, wordWrap=True)
        self.facts = widgets.FactsTable()
        self.facts.setAccessibleName("facts")
        self.facts.setWordWrap(False)
        self.facts.setTextElideMode(Qt.TextElideMode.ElideLeft)  # the end of a path is its most useful part
        self.convergence = ConvergenceView(legend=False)
        self.convergence.setMinimumHeight(140)
        self.convergence.setToolTip(
            "dots: relative error, squares: residual; dash-dotted: forecast, dashed: 3 bits a cycle"
        )
        self.tags = QLineEdit(placeholderText="words, then Enter")
        self.tags.setAccessibleName("tags")
        self.note = QLineEdit(placeholderText="a new note, then Enter")
        self.note.setAccessibleName("note")
        self.notes = widgets.plain_label()
        self.tags.editingFinished.connect(self._say_tags)
        self.note.returnPressed.connect(self._say_note)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Tags", self.tags)
        form.addRow("Note", self.note)
        widgets.column(
            self, form, self.heading, (self.facts, 2), (self.convergence, 3), self.notes, margins=0
        )
        self.show_facts(None)

    def show_facts(self, known: IndexedFacts | None) -> None:
        """Show these facts; None for no run."""
        same = known is not None and self.known is not None and known.run.path == self.known.run.path
        self.known = known
        for edit in (self.tags, self.note):
            edit.setEnabled(known is not None and bool(known.run.facts.run_id))
        if known is None:
            self.heading.setText("choose a run to see what is known of it")
            self.facts.setRowCount(0)
            self.tags.clear()
            self.notes.clear()
            self.convergence.setVisible(False)
            return
        run = known.run
        outcome = outcome_line(run.status, run.reason, run.conclusion)
        warnings = () if run.conclusion is None else run.conclusion.warnings
        lines = [f"<b>{escape(run.facts.title)}</b>", *map(escape, (outcome, *warnings[:MOST_WARNINGS]))]
        if len(warnings) > MOST_WARNINGS:
            lines.append(f"and {len(warnings) - MOST_WARNINGS} more warnings")
        self.heading.setText("<br>".join(lines))
        start = (
            "" if run.facts.start is None else f"{datetime.fromtimestamp(run.facts.start):%Y-%m-%d %H:%M:%S}"
        )
        facts = [
            ("bench", run.facts.bench),
            ("chip", run.facts.chip),
            ("preset", run.facts.preset),
            ("seed", run.facts.seed),
            ("started", start),
        ]
        results = [(one.name, quantity_text(one)) for one in known.results if one.name not in OF_THE_MOMENT]
        self.facts.show_rows([*results, *known.asked, *((name, text) for name, text in facts if text)])
        if not (same and self.tags.isModified()):  # what is being typed stays
            self.tags.setText(" ".join(run.tags))
        self.notes.setText(
            "\n".join(f"{datetime.fromtimestamp(when):%Y-%m-%d %H:%M}  {text}" for when, text in known.notes)
        )
        if not same:
            self.convergence.setVisible(False)

    def show_convergence(self, convergence: Convergence | None) -> None:
        """Show the convergence, or hide the plot when there is none."""
        self.convergence.show_convergence(convergence)
        self.convergence.setVisible(convergence is not None)

    def _say_tags(self) -> None:
        words = tuple(self.tags.text().split())
        self.tags.setModified(False)
        if self.known is not None and sorted(words) != sorted(self.known.run.tags):
            self.tags_wanted.emit(words)

    def _say_note(self) -> None:
        if self.note.text().strip():
            self.note_wanted.emit(self.note.text())
            self.note.clear()
