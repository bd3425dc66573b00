"""The instruments of a bench as a table: the state of each, its age, and its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QTreeWidget, QTreeWidgetItem, QWidget

from mho.gui.bench.facts import DescribedInstrument
from mho.gui.bench.trees import COLUMNS, CONNECTION, KNOWN, OUTPUT, prepare_table, tell_below
from mho.gui.session.bench_safety import clock
from mho.gui.widgets import theme

NEVER = "never read"
UNTOLD = "not told"


@dataclass(frozen=True)
class InstrumentState:
    """The state in which an instrument was found.

    Attributes
    ----------
    when : datetime
        Local time.
    source : str
        Source: ``Check bench``, ``job 4``, ``before solve-3.h5``.
    connection, output : str
        In words; empty where the source does not tell.
    wrong : bool
        Whether that is to be put right.
    live : bool
        Whether the output may be on.
    """

    when: datetime
    source: str
    connection: str = ""
    output: str = ""
    wrong: bool = False
    live: bool = False


@dataclass(frozen=True)
class Details:
    """Lines below the instruments, by role, from one source; each with how it is to be taken, empty where that is open."""

    title: str
    lines: Mapping[str, Sequence[tuple[str, str, str]]]


class InstrumentTable(QTreeWidget):
    """A row per instrument with its latest state, and below it all findings by source."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        prepare_table(self, COLUMNS)
        self._instruments: tuple[DescribedInstrument, ...] = ()
        self._seen: dict[str, InstrumentState] = {}
        self._details: dict[str, Details] = {}  # by kind: one of a kind takes the other's place

    def show_instruments(self, instruments: Iterable[DescribedInstrument]) -> None:
        """Show these instruments, of which nothing is known yet."""
        self.clear()
        self._instruments, self._seen, self._details = tuple(instruments), {}, {}
        for one in self._instruments:
            QTreeWidgetItem(self, [one.role, one.driver, one.terminals])
        self.redraw()

    @property
    def roles(self) -> list[str]:
        """The roles of the instruments, in order."""
        return [one.role for one in self._instruments]

    def see(self, role: str, seen: InstrumentState) -> None:
        """Store an instrument's state unless a newer one is known; empty texts do not replace known ones."""
        old = self._seen.get(role)
        if role in self.roles and (old is None or seen.when >= old.when):
            self._seen[role] = seen
            self._show_seen(role)

    def detail(self, kind: str, details: Details | None) -> None:
        """Show lines below the instruments in the place of those of the same kind; None for none."""
        if details is None:
            self._details.pop(kind, None)
        else:
            self._details[kind] = details
        self.redraw()

    def redraw(self) -> None:
        """Show all states in the colours of the theme."""
        now = theme.colours()
        colours = {"ok": now.good, "note": now.doubtful, "wrong": now.bad}
        for one in self._instruments:
            item = self._row(one.role)
            open_ = item.isExpanded()
            item.takeChildren()
            if one.address:
                tell_below(item, "address", one.address)
            for details in self._details.values():
                lines = details.lines.get(one.role, ())
                if lines:
                    heading = QTreeWidgetItem(item, [details.title])
                    heading.setFirstColumnSpanned(True)
                    heading.setForeground(0, QBrush(QColor(now.faint)))
                for name, text, verdict in lines:
                    line = tell_below(item, name, text)
                    if verdict in colours:
                        line.setForeground(0, QBrush(QColor(colours[verdict])))
            item.setExpanded(open_)
            self._show_seen(one.role)

    def _row(self, role: str) -> QTreeWidgetItem:
        item = self.topLevelItem(self.roles.index(role))
        assert item is not None
        return item

    def _show_seen(self, role: str) -> None:
        item, seen, now = self._row(role), self._seen.get(role), theme.colours()
        if seen is None:
            texts = {CONNECTION: NEVER, OUTPUT: "", KNOWN: ""}
        else:
            known = f"{clock(seen.when)}, {seen.source}"
            texts = {CONNECTION: seen.connection or UNTOLD, OUTPUT: seen.output or UNTOLD, KNOWN: known}
        for column, text in texts.items():
            item.setText(column, text)
            item.setToolTip(column, text)
            loud = seen is not None and (seen.wrong or (column == OUTPUT and seen.live))
            colour = (
                now.bad if loud and column != KNOWN else now.faint if text in (NEVER, UNTOLD) else now.ink
            )
            item.setForeground(column, QBrush(QColor(colour)))
        item.setTextAlignment(KNOWN, Qt.AlignmentFlag.AlignLeft)


def of_findings(
    findings: Sequence[Mapping[str, Any]], when: datetime
) -> tuple[Details, dict[str, InstrumentState]]:
    """Return what *Check bench* has found of each instrument: all of it, and how it stands."""
    lines: dict[str, list[tuple[str, str, str]]] = {}
    told: dict[str, dict[str, Any]] = {}
    wrong = set()
    for one in findings:
        role, what = one["subject"], one["what"]
        text = f"{one['detail']}; {one['advice']}" if one["advice"] else str(one["detail"])
        lines.setdefault(role, []).append((what, text, one["verdict"]))
        column = {"connection": "connection", "output": "output", "mode": "output"}.get(what)
        if column is not None:
            told.setdefault(role, {})[column] = str(one["detail"])
            if column == "output":
                told[role]["live"] = one["verdict"] != "ok"
            if one["verdict"] == "wrong":
                wrong.add(role)
    seen = {
        role: InstrumentState(when, "Check bench", **words, wrong=role in wrong)
        for role, words in told.items()
    }
    return Details(f"read at {clock(when)} by Check bench", lines), seen
