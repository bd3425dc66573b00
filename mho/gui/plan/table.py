"""The table of a plan: its rows, a column for each value that they are given, what is known of each, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from mho.errors import InputError, MhoError
from mho.gui import widgets
from mho.gui.plan.rows import (
    BENCH,
    MOST_ROWS,
    PRESET,
    SEED,
    Check,
    Forms,
    PlanRow,
    Unchecked,
    typed,
    with_seed,
)
from mho.gui.widgets import TableColumn
from mho.running import queue as job_queue

UNDONE = 50
"""Changes that can be undone."""

ENDED_BADLY = ("failed", "aborted", "interrupted", "skipped")
WIDTHS = {"Run": 44, "Procedure": 110, "Run seed": 74, "Time": 92}


class PlanModel(widgets.RowsModel):
    """Rows of a plan.

    `changed` follows every change of the rows, `refused` carries why an edit was not taken.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__((), parent)
        self.forms: dict[str, Mapping[str, Any]] = {}
        self.keys: list[str] = []  # of the columns between procedure and seed
        self.checks: dict[int, Check] = {}
        self.jobs: dict[int, job_queue.Job] = {}  # those of the queue, by number
        self._queued: dict[
            int, tuple[job_queue.Order, int]
        ] = {}  # what was queued of a row, and as which job
        self._facts: dict[int, int] = {}  # key of a row's check, by its id
        self._numbers: dict[int, int] = {}  # of rows, by id
        self._undone: list[list[PlanRow]] = []
        self._ids = count(1)
        self._lay_out()

    # --- what is asked of it ---

    def number_of(self, identity: int) -> int:
        """Return the number of a row, from 1."""
        return self._numbers[identity]

    def check_of(self, row: PlanRow) -> Check | None:
        """Return what is known of a row; None before it was checked."""
        return self.checks.get(self.key_of(row))

    def key_of(self, row: PlanRow) -> int:
        """Return the key of a row among the checks; rows that are alike have the same."""
        return self._facts[row.id]

    def job_of(self, row: PlanRow) -> int | None:
        """Return the number of the job that a row was queued as; None where it was not, or was changed since."""
        order, job = self._queued.get(row.id, (None, None))
        return job if order == row.order else None

    def unchecked(self, most: int) -> list[Unchecked]:
        """Return rows that were not checked yet, each alike once, and not before those whose chip they go on with."""
        found: dict[int, Unchecked] = {}
        for row in self.rows:
            key = self._facts[row.id]
            before = None if row.after is None else self.checks.get(self._facts[row.after])
            if key not in self.checks and key not in found and (row.after is None or before is not None):
                found[key] = Unchecked(key, row.order, before)
            if len(found) >= most:
                break
        return list(found.values())

    # --- what changes it ---

    def add(self, orders: Sequence[job_queue.Order], forms: Forms, after: Sequence[int | None] = ()) -> None:
        """Append a row for each order; `after` has the place of the one whose chip it goes on with, or None."""
        self.change([*self.rows, *self._rows_of(orders, forms, after)])

    def open(self, orders: Sequence[job_queue.Order], forms: Forms, after: Sequence[int | None]) -> None:
        """Show these orders in place of what is there."""
        rows = self._rows_of(orders, forms, after)
        before, undone = self.rows, self._undone
        self.change([])  # and with it the columns of before
        self.change(rows)
        self._undone = [*undone, before][-UNDONE:]

    def _rows_of(
        self, orders: Sequence[job_queue.Order], forms: Forms, after: Sequence[int | None]
    ) -> list[PlanRow]:
        self.forms.update(forms)
        ids = [next(self._ids) for _ in orders]
        grounds = [None if place is None else ids[place] for place in after] or [None] * len(ids)
        return [PlanRow(*facts) for facts in zip(ids, orders, grounds, strict=True)]

    def change(self, rows: Sequence[PlanRow]) -> None:
        """Show other rows, with a way back; `InputError` for too many, and where one goes on with no row before it."""
        if len(rows) > MOST_ROWS:
            raise InputError(
                f"the plan would have {len(rows):,} runs, more than the {MOST_ROWS:,} that the table takes"
            )
        _check_grounds(rows, self._numbers)
        self._undone = [*self._undone, self.rows][-UNDONE:]
        self._show(rows)

    def undo(self) -> bool:
        """Take the last change back; return False where there is none."""
        if not self._undone:
            return False
        self._show(self._undone.pop())
        return True

    def _show(self, rows: Sequence[PlanRow]) -> None:
        if [row.id for row in self.rows] != [row.id for row in rows] or self._keys_of(rows) != self.keys:
            self.beginResetModel()
            self._take(rows)
            self.endResetModel()
        else:  # a reset would take the editor of a cell away
            self._take(rows)
            self._redraw(0)
        self.changed.emit()

    def _take(self, rows: Sequence[PlanRow]) -> None:
        self.rows = list(rows)
        self._numbers = {row.id: number for number, row in enumerate(rows, 1)}
        self._facts = {}
        for row in rows:
            self._facts[row.id] = hash((row.facts, self._facts.get(row.after or 0)))
        self._lay_out()

    def remove(self, ids: Iterable[int]) -> None:
        """Remove rows."""
        gone = {*ids}
        self.change([row for row in self.rows if row.id not in gone])

    def repeat(self, ids: Iterable[int], times: int, first_seed: int | None = None) -> list[int]:
        """Put `times` rows in place of each, with seeds from `first_seed` on or their own; return the ids of the new ones.

        Rows that go on with the chip of one another do so again.
        """
        chosen, copies = {*ids}, dict[tuple[int, int], int]()
        rows: list[PlanRow] = []
        for row in self.rows:
            if row.id not in chosen:
                rows.append(row)
                continue
            for turn in range(times):
                name = row.id if turn == 0 else next(self._ids)
                copies[row.id, turn] = name
                order = row.order
                if first_seed is not None:
                    order = with_seed(order, first_seed + turn, self.forms)
                rows.append(
                    replace(row, id=name, order=order, after=copies.get((row.after or 0, turn), row.after))
                )
        self.change(rows)
        return [name for (_, turn), name in copies.items() if turn]

    def shift(self, ids: Iterable[int], by: int) -> None:
        """Move rows up (-1) or down (1) by one place, together."""
        chosen, rows = {*ids}, list(self.rows)
        places = [place for place, row in enumerate(rows) if row.id in chosen]
        if not places or not 0 <= places[0 if by < 0 else -1] + by < len(rows):
            return
        for place in places if by < 0 else reversed(places):
            rows[place], rows[place + by] = rows[place + by], rows[place]
        self.change(rows)

    def show_key(self, key: str) -> None:
        """Show the column of a parameter, of the preset or the bench."""
        if key not in self.keys:
            self.beginResetModel()
            self.keys.append(key)
            self._lay_out()
            self.endResetModel()
            self.changed.emit()

    def show_checks(self, checks: Mapping[int, Check]) -> None:
        """Take what was found of rows."""
        self.checks.update(checks)
        self._redraw()

    def forget_checks(self) -> None:
        """Let every row be checked anew."""
        self.checks.clear()
        self._redraw()

    def show_queued(self, rows: Sequence[PlanRow], jobs: Sequence[job_queue.Job]) -> None:
        """Take the jobs that rows were queued as."""
        self._queued |= {row.id: (row.order, job.id) for row, job in zip(rows, jobs, strict=True)}
        self.jobs |= {job.id: job for job in jobs}
        self._redraw()

    def show_jobs(self, jobs: Iterable[job_queue.Job], bench: str) -> None:
        """Take the jobs of a bench's queue; of other benches what was last known of them stays."""
        mine = {number for _, number in self._queued.values()}
        others = {number: job for number, job in self.jobs.items() if job.order.bench != bench}
        self.jobs = others | {job.id: job for job in jobs if job.id in mine}
        if mine:
            self._redraw()

    def _redraw(self, first: int = -2) -> None:
        """Draw the columns from the first on anew; unless said otherwise those of time and state."""
        if self.rows:
            last = len(self.columns) - 1
            self.dataChanged.emit(self.index(0, first % (last + 1)), self.index(len(self.rows) - 1, last))

    # --- columns ---

    def _keys_of(self, rows: Sequence[PlanRow]) -> list[str]:
        """Return the keys of the columns: those that are there stay in their places, so that nothing moves."""
        if not rows:
            return []
        given: dict[str, set[str]] = {}
        for row in rows:
            for key, value in row.order.parameters.items():
                if key != "seed" or value != row.order.seed:  # else it stands in the column of the run's
                    given.setdefault(key, set()).add(repr(value))
        presets, benches = ({getattr(row.order, key) for row in rows} for key in (PRESET, BENCH))
        shown = [key for key, values in given.items() if len(values) > 1]
        shown += [PRESET] * bool(presets - {None}) + [BENCH] * (len(benches) > 1)
        return list(dict.fromkeys([*self.keys, *shown, *given]))

    def _lay_out(self) -> None:
        self.keys = self._keys_of(self.rows)
        self.columns = (
            TableColumn("Run", lambda row: str(self._numbers[row.id]), WIDTHS["Run"]),
            TableColumn("Procedure", self._procedure, WIDTHS["Procedure"]),
            *(self._value_column(key, self._heading(key)) for key in self.keys),
            self._value_column(SEED, "Run seed"),
            TableColumn("Time", self._time, WIDTHS["Time"]),
            TableColumn("State", self._state),
        )

    def _value_column(self, key: str, heading: str) -> TableColumn:
        return TableColumn(heading, lambda row: self.text(row, key), WIDTHS.get(heading, 96), key)

    def _heading(self, key: str) -> str:
        parameters = (form[key] for form in self.forms.values() if key in form)
        unit = next((one.units for one in parameters if getattr(one, "units", None)), "")
        return f"{key} ({unit})" if unit else key

    def _procedure(self, row: PlanRow) -> str:
        name = row.order.procedure.rpartition(":")[2]
        if row.after is not None:
            return f"{name}, after run {self._numbers[row.after]}"
        return name if row.order.after is None else f"{name}, after {Path(row.order.after).name}"

    def takes(self, row: PlanRow, key: str) -> bool:
        """Return whether a row has a value of this key."""
        return key in (SEED, PRESET, BENCH) or key in self.forms[row.order.procedure]

    def value(self, row: PlanRow, key: str) -> Any:
        """Return a row's value, or None where it is the default."""
        settings = {SEED: row.order.seed, PRESET: row.order.preset, BENCH: row.order.bench}
        return settings[key] if key in settings else row.order.parameters.get(key)

    def text(self, row: PlanRow, key: str) -> str:
        """Return what a cell shows: of a file its name, and the default where nothing is given."""
        value = self.value(row, key)
        if value is None and key not in (SEED, PRESET, BENCH):
            value = self.forms[row.order.procedure][key].default if self.takes(row, key) else None
        text = whole_text(value)
        return Path(text).name if "/" in text or "\\" in text else text

    def _time(self, row: PlanRow) -> str:
        check = self.check_of(row)
        return "…" if check is None else "" if check.refusal else job_queue.expected_text(check.seconds)

    def _state(self, row: PlanRow) -> str:
        number, check = self.job_of(row), self.check_of(row)
        if number is not None:
            job = self.jobs.get(number)
            if job is None:
                return f"job {number}, no longer in the queue"
            status = "waiting" if job.status == "queued" else str(job.status)
            return f"job {number} {status}" + (f": {job.outcome}" if job.outcome else "")
        return "" if check is None else f"refused: {check.refusal}" if check.refusal else "not queued"

    # --- what Qt asks ---

    def tip(self, row: PlanRow, column: TableColumn) -> str:
        """Return the whole value, or all that a row is."""
        if column.sort:
            return whole_text(self.value(row, column.sort)) or "the default"
        order = row.order
        values = (f"{key} = {whole_text(value)}" for key, value in order.parameters.items())
        cells = () if order.preset is None else (f"preset {order.preset}",)
        return "\n".join([order.procedure, *values, f"bench {order.bench}", *cells, self._state(row)]).strip()

    def colour(self, row: PlanRow, column: TableColumn) -> str:
        """Return the colour of a row's state, and of a default."""
        now = widgets.colours()
        if column.heading != "State":
            faint = column.sort and self.value(row, column.sort) is None
            return now.faint if faint else ""
        number, check = self.job_of(row), self.check_of(row)
        if number is not None:
            return widgets.status_colour(self.jobs[number].status) if number in self.jobs else now.faint
        return now.bad if check is not None and check.refusal else now.faint

    def data(self, index: widgets.Place, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return also what is edited, and how numbers stand."""
        column = self.columns[index.column()] if index.isValid() else None
        if column is not None and role == Qt.ItemDataRole.EditRole:
            row = self.rows[index.row()]
            value = self.value(row, column.sort)
            return whole_text(value) if value is not None else self.text(row, column.sort)
        if (
            column is not None
            and role == Qt.ItemDataRole.TextAlignmentRole
            and column.heading in ("Run", "Time")
        ):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return super().data(index, role)

    def setData(self, index: widgets.Place, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Take what was typed: several values make as many rows; what is refused is not taken, and said."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid() or str(value) == self.data(index, role):
            return False
        row, key = self.rows[index.row()], self.columns[index.column()].sort
        try:
            first, *others = typed(row.order, key, str(value), self.forms)
            mine = [
                replace(row, order=first),
                *(replace(row, id=next(self._ids), order=one) for one in others),
            ]
            self.change([*self.rows[: index.row()], *mine, *self.rows[index.row() + 1 :]])
        except MhoError as error:
            self.refused.emit(f"run {self._numbers[row.id]}: {error}")
            return False
        return True

    def _change_late(self, rows: Sequence[PlanRow]) -> None:
        try:
            self.change(rows)
        except MhoError as error:
            self.refused.emit(str(error))

    def flags(self, index: widgets.Place) -> Qt.ItemFlag:
        """Values and seeds can be edited, where the procedure has them."""
        usual = super().flags(index)
        key = self.columns[index.column()].sort if index.isValid() else ""
        return (
            usual | Qt.ItemFlag.ItemIsEditable if key and self.takes(self.rows[index.row()], key) else usual
        )


def _check_grounds(rows: Sequence[PlanRow], numbers: Mapping[int, int]) -> None:
    """Raise `InputError` where a row goes on with the chip of one that is gone, or comes later."""
    before: set[int] = set()
    for row in rows:
        if row.after is not None and row.after not in before:
            mine, other = (numbers.get(one, 0) for one in (row.id, row.after))
            raise InputError(
                f"run {mine} goes on with the chip of run {other}, which has to be there, before it"
            )
        before.add(row.id)


def whole_text(value: Any) -> str:
    """Return a value as one would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
