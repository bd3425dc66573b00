"""The acts on selected cells: buttons and a context menu that have them read, formed, pulsed, written or swept at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QMenu, QPushButton, QSpinBox, QWidget

from mho.gui import widgets
from mho.gui.chip.selection import Selection
from mho.gui.session.session import Session
from mho.gui.widgets import ElidedLabel

Act = tuple[str, Mapping[str, Any], str]
"""A procedure, its parameters beside the cells, and what the act is, for its tool tip."""

ACTS: Mapping[str, Act] = {
    "Read": ("read", {}, "read the selected cells"),
    "Form": ("form", {}, "form them by the chip map's ramp"),
    "SET": ("pulses", {"kind": "set"}, "one full SET, read before and after"),
    "RESET": ("pulses", {"kind": "reset"}, "one full RESET, read before and after"),
    "I-V": ("iv", {}, "a loop up, down and back, from the form's voltages"),
    "Pulses": (
        "pulses",
        {"kind": "in turn", "count": 10},
        "ten pulses, SET and RESET in turn, read after each",
    ),
}
TO_LEVEL = "To level"
MOST_BLOCKS = 64  # acts that one selection may come to


class CellActs(QWidget):
    """Buttons for acts on the selection, each carried out at once in a session by hand (`mho.running.by_hand`).

    Signals
    -------
    history_wanted
        The user wants the history of the cell that was picked.
    """

    history_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._array = ""
        self._selection: Selection | None = None
        self.buttons: dict[str, QPushButton] = {}
        for name, (_, _, tip) in ACTS.items():
            self.buttons[name] = widgets.button(name, self._act_of(name), tip)
        tip = "program the selected cells to this level, by the chip map's strategy"
        self.buttons[TO_LEVEL] = widgets.button(TO_LEVEL, self._to_level, tip)
        self.level = QSpinBox()
        self.level.setAccessibleName("level")
        self.level.setRange(0, 0)
        self.standing = ElidedLabel()
        self.end = widgets.button(
            "Release", session.end_by_hand, "end the session by hand: jobs that wait go on"
        )
        for button in self.buttons.values():
            button.setMinimumWidth(56)
        first = [self.buttons[name] for name in ("Read", "Form", "SET", "RESET")]
        second = [self.buttons["I-V"], self.buttons["Pulses"], self.buttons[TO_LEVEL], self.level]
        widgets.column(
            self, widgets.row(None, *first), widgets.row(None, *second),
            widgets.row(None, (self.standing, 1), self.end), margins=0, spacing=4,
        )  # fmt: skip
        for changed in (session.jobs_changed, session.runner_changed):
            changed.connect(lambda _: self._show_standing())
        session.act_changed.connect(lambda _: self._show_standing())
        session.bench_changed.connect(lambda _: self._show_standing())
        self._show_standing()

    def show_levels(self, top: int) -> None:
        """Offer the levels 0 to `top`."""
        self.level.setRange(0, top)

    def show_selection(self, array: str, selection: Selection) -> None:
        """Act on these cells from now on."""
        self._array, self._selection = array, selection
        self._show_standing()

    def menu(self, place: QPoint) -> QMenu:
        """Show the acts at a place of the screen, and what else can be done with the selection."""
        menu = QMenu(self)
        for name in ACTS:
            menu.addAction(name, self.buttons[name].click).setEnabled(self.buttons[name].isEnabled())
        levels = menu.addMenu(TO_LEVEL)
        levels.setEnabled(self.buttons[TO_LEVEL].isEnabled())
        for level in range(self.level.maximum() + 1):
            levels.addAction(str(level), partial(self._program, level))
        values = menu.addMenu("With values…")
        for name, (procedure, given, _) in ACTS.items():
            values.addAction(name, partial(self._open_form, procedure, given))
        menu.addSeparator()
        menu.addAction("History of the cell", self.history_wanted.emit)
        menu.popup(place)
        return menu

    # --- what is done ---

    def _act_of(self, name: str) -> Callable[[], None]:
        procedure, parameters, _ = ACTS[name]
        return lambda: self._act(procedure, parameters)

    def _to_level(self) -> None:
        self._program(self.level.value())

    def _program(self, level: int) -> None:
        self._act("program", {"digits": str(level)})

    def _act(self, procedure: str, parameters: Mapping[str, Any]) -> None:
        """Ask for an act on each block of the selection: never on a cell that is not selected."""
        if self._selection is None or not self._selection.count:
            return
        blocks = self._selection.blocks()
        if len(blocks) > MOST_BLOCKS:
            self._session.tell(
                "WARNING",
                f"the selection would take {len(blocks)} acts, more than {MOST_BLOCKS}; select whole rows, or queue it",
            )
            return
        for rows, columns in blocks:
            cells = {"array": self._array, "rows": rows, "columns": columns}
            self._session.act(procedure, {**parameters, **cells})

    def _open_form(self, procedure: str, parameters: Mapping[str, Any]) -> None:
        cells: dict[str, Any] = {}
        if self._selection is not None and self._selection.count:
            cells = {"array": self._array, "rows": self._selection.rows, "columns": self._selection.columns}
        self._session.form_wanted.emit(procedure, {**parameters, **cells})

    # --- what is shown ---

    def _show_standing(self) -> None:
        session, selection = self._session, self._selection
        held = session.held_by_hand
        busy = session.job is not None and not held
        chosen = selection is not None and selection.count > 0
        for button in self.buttons.values():
            button.setEnabled(chosen and not busy)
        self.end.setEnabled(held)
        if busy:
            assert session.job is not None
            self.standing.setText(f"job {session.job[0]} has the bench")
        elif session.acting:
            self.standing.setText(f"{session.acting}…")
        elif held:
            self.standing.setText("the bench is held by hand")
        else:
            self.standing.setText(
                "the first act takes the bench" if chosen else "select cells to act on them"
            )
