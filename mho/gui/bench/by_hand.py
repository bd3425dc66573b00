"""The bench by hand: what can be done with each instrument, its readings on a strip chart, and touches that are kept.

Each touch goes through the session by hand (`mho.running.by_hand`), whose run file has it.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QScrollArea,
    QWidget,
)

from mho.analysis import palette
from mho.errors import InputError
from mho.gui import widgets
from mho.gui.bench.facts import in_units
from mho.gui.plots import ThemedPlot
from mho.gui.session.bench_safety import UNKNOWN_OUTPUT, Safety, SafetyVerdict
from mho.gui.session.session import Session
from mho.gui.widgets import ChoiceBox, ElidedLabel
from mho.instruments.bench import WATCH, Touch, Touchable, Value, touchables
from mho.instruments.bench_file import BenchSource
from mho.procedures.quantities import parse_quantity

KEPT = 20_000  # readings of each quantity that the strip chart has
DRAWN = 200  # ms between two drawings of it
SPANS = {"1 min": 60.0, "10 min": 600.0, "1 h": 3600.0, "all": math.inf}
UNTOUCHED = "not touched yet"
ALONE = ("off", "look", WATCH)
"""Touches that share the last line."""


def shown(value: Value) -> str:
    """Return what a field shows first."""
    return value.first if isinstance(value.first, str) else quantity_text(value.first, value.unit)


def quantity_text(number: float, unit: str) -> str:
    """Return a number with its unit, as a field takes it."""
    return in_units(number, unit) if unit in ("V", "A", "s") else f"{number:g} {unit}".strip()


def limits_text(value: Value) -> str:
    """Return the limits of a value in words; empty without any."""
    if math.isinf(value.highest):
        return ""
    highest = quantity_text(value.highest, value.unit)
    return f"±{highest}" if value.lowest == -value.highest else f"{value.lowest:g} to {highest}"


class TouchLine(QWidget):
    """One touch: a button, and a field for each value that it takes.

    Signals
    -------
    wanted(str, dict)
        The touch, with its values as numbers and texts.
    refused(str)
        What is wrong with a value that was typed.
    keep_wanted(str, dict)
        The user wants to keep the touch with these values.
    """

    wanted, refused, keep_wanted = Signal(str, object), Signal(str), Signal(str, object)

    def __init__(self, touch: Touch, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.touch, self._title = touch, title
        self.fields: dict[str, QLineEdit | QComboBox] = {}
        self.button = widgets.button(touch.name.capitalize(), self._act, touch.tip)
        self.button.setMinimumWidth(74)
        self.button.setAccessibleName(f"{title}, {touch.name}")
        self.button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.button.customContextMenuRequested.connect(lambda _: self._offer())
        parts: list[Any] = [self.button]
        for value in touch.values:
            parts.append(self._field(value))
        limits = ElidedLabel()
        limits.setText("; ".join(filter(None, map(limits_text, touch.values))))
        limits.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        widgets.row(self, *parts, (limits, 1), margins=0, spacing=4)

    def _field(self, value: Value) -> QWidget:
        name = value.name.replace("_", " ")
        made: QLineEdit | QComboBox
        if value.choices:
            made = ChoiceBox(name, list(value.choices))
        else:
            made = QLineEdit(shown(value))
            made.setFixedWidth(190 if isinstance(value.first, str) else 76)
            made.returnPressed.connect(self._act)
        made.setAccessibleName(f"{self._title}, {self.touch.name}: {name}")
        limits = limits_text(value)
        made.setToolTip(f"{name}, {limits}" if limits else name)
        self.fields[value.name] = made
        return made

    def values(self) -> dict[str, float | str]:
        """Return the values that are typed; `InputError` for one that is none, or beyond its limits."""
        given: dict[str, float | str] = {}
        for value in self.touch.values:
            one = self.fields[value.name]
            text = one.currentText() if isinstance(one, QComboBox) else one.text().strip()
            who = f"{self._title}, {self.touch.name}"
            number: Any = text
            if not isinstance(value.first, str):
                plain = text.removesuffix(
                    f" {value.unit}"
                )  # a unit such as K/min is read only where it is left out
                number = parse_quantity(plain, value.unit, f"{who}: {value.name}")
            given[value.name] = value.checked(number, who)
        return given

    def fill_in(self, values: Mapping[str, Any]) -> None:
        """Show these values."""
        for value in self.touch.values:
            if value.name not in values:
                continue
            one, given = self.fields[value.name], values[value.name]
            text = given if isinstance(given, str) else quantity_text(given, value.unit)
            if isinstance(one, QComboBox):
                one.setCurrentText(text)
            else:
                one.setText(text)

    def _act(self) -> None:
        self._with_values(self.wanted.emit)

    def _with_values(self, then: Callable[[str, Any], object]) -> None:
        try:
            values = self.values()
        except InputError as error:
            self.refused.emit(str(error))
            return
        then(self.touch.name, values)

    def _offer(self) -> None:
        menu = QMenu(self)
        menu.addAction("Keep with these values", lambda: self._with_values(self.keep_wanted.emit))
        menu.popup(self.button.mapToGlobal(self.button.rect().bottomLeft()))


class InstrumentCard(QFrame):
    """What can be done with one instrument, what it said last, and how long ago.

    Signals
    -------
    wanted(role, touch, values), keep_wanted(role, touch, values), refused(text)
    """

    wanted, keep_wanted = Signal(str, str, object), Signal(str, str, object)
    refused = Signal(str)

    def __init__(self, one: Touchable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.one = one
        self.lines: dict[str, TouchLine] = {}
        title = QLabel(one.title, textFormat=Qt.TextFormat.PlainText)
        widgets.embolden(title)
        where = QLabel(one.terminals, textFormat=Qt.TextFormat.PlainText)
        self.said = ElidedLabel()
        self._when: float | None = None  # Unix time, s
        self._words = ""
        self._output, self._live = "", False  # how the output stood last, and whether it may have been on
        self._stood: float | None = None  # likewise
        self.has_output = any(touch.name == "off" for touch in one.touches)
        for touch in one.touches:
            line = TouchLine(touch, one.title)
            line.wanted.connect(partial(self.wanted.emit, one.role))
            line.keep_wanted.connect(partial(self.keep_wanted.emit, one.role))
            line.refused.connect(self.refused)
            self.lines[touch.name] = line
        own = [line for name, line in self.lines.items() if name not in ALONE]
        alike = [self.lines[name] for name in ALONE if name in self.lines]
        shared = widgets.row(None, *((line, int(line is alike[-1])) for line in alike), spacing=4)
        head = widgets.row(None, title, where, (self.said, 1), spacing=10)
        widgets.column(self, head, *own, shared, (None, 1), margins=4, spacing=4)
        self.age()

    def say(self, words: str) -> None:
        """Show what the instrument said, or came to, now."""
        self._words, self._when = words, time.time()
        self.age()

    def stand(self, output: str, when: float | None, *, live: bool, over: bool = False) -> None:
        """Take how the output stood at a Unix time, s: what was held is not shown once it is off, or all is `over`."""
        if not self.has_output or (when is None and not self._words and not self._output):
            return
        if over or (self._live and not live):
            self._words = ""
        self._output, self._stood, self._live = output, when, live
        self.age()

    def forget(self) -> None:
        """Show how the output stands in place of what was said before something else was done."""
        if self._output:
            self._words = ""
            self.age()

    def age(self) -> None:
        """Show what was said last, else how the output stands, and how long ago that was."""
        unknown = "output not known" if self._output == UNKNOWN_OUTPUT else self._output
        words, when = (self._words, self._when) if self._words else (unknown or UNTOUCHED, self._stood)
        ago = "" if when is None else f", {_ago(time.time() - when)}"
        self.said.setText(f"{words}{ago}")

    def set_usable(self, usable: bool) -> None:
        """Let it be touched, or not."""
        for line in self.lines.values():
            line.setEnabled(usable)


def _ago(seconds: float) -> str:
    if seconds < 1.5:
        return "now"
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


@dataclass
class _Trace:
    """The readings of one quantity of one instrument: when (Unix time, s), and what."""

    label: str
    unit: str
    times: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    values: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))


class StripChart(QWidget):
    """Any readings against the time of day: those of one unit, each instrument a curve."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.traces: dict[tuple[str, str], _Trace] = {}
        self.quantity = ChoiceBox("reading on the chart", [])
        self.span = ChoiceBox("time on the chart", list(SPANS))
        self.last = ElidedLabel()
        self.plot = ThemedPlot(x_axis=pg.DateAxisItem, legend=True)
        self.plot.getAxis("left").enableAutoSIPrefix(True)
        self._changed = self._chosen = False
        top = widgets.row(None, self.quantity, self.span, (self.last, 1), spacing=6)
        widgets.column(self, top, (self.plot, 1), margins=0, spacing=2)
        for box in (self.quantity, self.span):
            box.currentIndexChanged.connect(lambda _: self._mark())
        self.quantity.activated.connect(lambda _: self._choose())
        self._timer = QTimer(self, interval=DRAWN)
        self._timer.timeout.connect(self.draw)
        self._timer.start()

    def clear(self) -> None:
        """Forget all readings: they are another bench's."""
        self.traces.clear()
        self.quantity.offer([], "")
        self._changed = True

    def take(self, title: str, units: Mapping[str, str], read: Mapping[str, Any]) -> None:
        """Take readings of an instrument that have just come."""
        now = time.time()
        for name, unit in units.items():
            value = read.get(name)
            if not isinstance(value, int | float) or not math.isfinite(value):
                continue
            key = title, name
            if key not in self.traces:
                self.traces[key] = _Trace(title, unit)
                # What is measured comes before what it was measured at.
                names = dict.fromkeys(self._name(*one) for one in sorted(self.traces, key=lambda one: one[1]))
                kept = self.quantity.currentText() if self._chosen else next(iter(names))
                self.quantity.offer(list(names), kept)
            trace = self.traces[key]
            trace.times.append(now)
            trace.values.append(float(value))
        self._changed = True

    def draw(self) -> None:
        """Draw what is chosen, if anything has come since."""
        if not self._changed or not self.isVisible():
            return
        self._changed = False
        chosen = self.quantity.currentText()
        drawn = [trace for key, trace in self.traces.items() if self._name(*key) == chosen]
        self.plot.clear()
        if not drawn:
            self.last.setText("readings that are watched are drawn here")
            return
        name, _, unit = chosen.rpartition(" (")
        self.plot.legend.setVisible(len(drawn) > 1)
        self.plot.setLabel("left", name, units=unit.rstrip(")"))
        since = time.time() - SPANS[self.span.currentText()]
        for number, trace in enumerate(drawn):
            points = [(at, value) for at, value in zip(trace.times, trace.values, strict=True) if at >= since]
            pen = pg.mkPen(palette.of_series(number), width=2)
            self.plot.plot(
                [at for at, _ in points], [value for _, value in points], pen=pen, name=trace.label
            )
        self.last.setText(
            "   ".join(f"{trace.label} {_reading(trace.values[-1], trace.unit)}" for trace in drawn)
        )

    def _name(self, title: str, name: str) -> str:
        unit = self.traces[title, name].unit
        return f"{name.replace('_', ' ')} ({unit})" if unit else name.replace("_", " ")

    def _mark(self) -> None:
        self._changed = True

    def _choose(self) -> None:
        self._chosen = True  # by the user: what comes later does not change it


def _reading(value: float, unit: str) -> str:
    return in_units(value, unit) if unit in ("V", "A", "s", "S") else f"{value:.6g} {unit}".strip()


class BenchByHand(QWidget):
    """The instruments of the bench, with all that can be done with the chosen one, and what is read of them.

    While a job has the bench nothing can be touched, and the reason is said; what a run reads beside the bench is drawn.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.cards: dict[str, InstrumentCard] = {}
        self._kept: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}  # touches, by bench
        self._light: SafetyVerdict | None = None  # whether the bench was safe when that was heard last
        self.list = QListWidget()
        self.list.setAccessibleName("instruments")
        self.list.setFixedWidth(150)
        self.standing = ElidedLabel()
        self.end = widgets.button("Release", session.end_by_hand, "make the bench safe, and let jobs go on")
        self.favourites = QWidget()
        self._favourites = widgets.row(self.favourites, margins=0, spacing=4)
        self.place = QScrollArea(widgetResizable=True)
        self.place.setFrameShape(QFrame.Shape.NoFrame)
        self.chart = StripChart()
        for part in (self.list, self.chart.plot):
            part.setMinimumHeight(60)  # what is less is scrolled by itself, not by the whole panel
        top = widgets.row(None, self.favourites, (self.standing, 1), self.end, spacing=6)
        halves = widgets.splitter(Qt.Orientation.Horizontal, (self.place, 560), (self.chart, 480))
        widgets.column(self, top, (widgets.row(None, self.list, (halves, 1)), 1), margins=0, spacing=4)
        self.list.currentRowChanged.connect(self._choose)
        session.act_changed.connect(self._take_act)
        session.event_heard.connect(self._take_event)
        session.safety_changed.connect(self._take_safety)
        for changed in (session.jobs_changed, session.runner_changed, session.act_changed):
            changed.connect(lambda _: self._show_standing())
        self._ageing = QTimer(self, interval=1000)
        self._ageing.timeout.connect(self._age)
        self._ageing.start()
        self._show_standing()

    # --- the bench ---

    def show_bench(self, source: BenchSource | None) -> None:
        """Show the instruments of a bench; None while it is being read."""
        self.place.takeWidget()
        for card in self.cards.values():
            card.deleteLater()
        self.cards = {}
        self.list.clear()
        self.chart.clear()
        if source is not None:
            for one in touchables(source.bench, source.chip_text):
                card = InstrumentCard(one, self)
                card.hide()
                card.wanted.connect(self.touch)
                card.keep_wanted.connect(self._keep)
                card.refused.connect(lambda text: self._session.tell("ERROR", text))
                self.cards[one.role] = card
                self.list.addItem(QListWidgetItem(one.title))
            self.list.setCurrentRow(0)
            self._light = None
            self._take_safety(self._session.safety)
        self._show_favourites()
        self._show_standing()

    def _choose(self, row: int) -> None:
        shown = self.place.takeWidget()
        if shown is not None:
            shown.setParent(self)
            shown.hide()
        if 0 <= row < len(self.cards):
            card = list(self.cards.values())[row]
            self.place.setWidget(card)
            card.show()

    # --- what is done ---

    def touch(self, role: str, name: str, values: Mapping[str, Any]) -> None:
        """Have an instrument touched, in the session by hand."""
        self.cards[role].say("…")
        self._session.act(name, dict(values), role)

    def _take_act(self, event: Any) -> None:
        """Show what a touch came to at its instrument; what the others said before it may be so no more."""
        if event is None:
            return
        card = self.cards.get(event.title.partition(" ")[0])
        if not event.outcome:
            for other in self.cards.values():
                if other is not card:
                    other.forget()
        elif card is not None:
            card.say(event.outcome)

    def _take_safety(self, safety: Safety) -> None:
        """Let what is said of the outputs agree with the light: off as read back, or not known."""
        verdict, since = safety.verdict, safety.since
        if verdict is SafetyVerdict.SAFE and since is not None:
            for card in self.cards.values():
                card.stand("off, read back", since.timestamp(), live=False, over=True)
        elif verdict is not self._light:
            for card in self.cards.values():
                card.stand(UNKNOWN_OUTPUT, None, live=True, over=verdict is not SafetyVerdict.LIVE)
        self._light = verdict

    def _take_event(self, event: Any) -> None:
        """Draw what was read of an instrument, and show how its output stands."""
        kind = type(event).__name__
        if kind == "Standing":
            for role in event.outputs.keys() & self.cards.keys():
                live = event.live is None or role in event.live
                self.cards[role].stand(event.outputs[role], time.time(), live=live)
        if kind != "Row" or event.table not in self.cards:
            return
        one = self.cards[event.table].one
        self.chart.take(one.title, one.readings, event.values)
        read = (
            f"{name} {_reading(float(event.values[name]), unit)}"
            for name, unit in one.readings.items()
            if isinstance(event.values.get(name), int | float)
        )
        self.cards[event.table].say(", ".join(read))

    # --- touches that are kept ---

    def recall(self, text: str) -> None:
        """Offer the touches that `keep` has returned; a damaged text offers none."""
        try:
            kept = json.loads(text or "{}")
            self._kept = {
                bench: [(str(role), str(name), dict(values)) for role, name, values in of_bench]
                for bench, of_bench in kept.items()
            }
        except (ValueError, TypeError, AttributeError):
            self._kept = {}
        self._show_favourites()

    def keep(self) -> str:
        """Return the touches that are kept, as text."""
        return json.dumps(self._kept)

    def _keep(self, role: str, name: str, values: Mapping[str, Any]) -> None:
        self._kept.setdefault(self._session.bench, []).append((role, name, dict(values)))
        self._show_favourites()

    def _drop(self, number: int) -> None:
        del self._kept[self._session.bench][number]
        self._show_favourites()

    def _show_favourites(self) -> None:
        while (item := self._favourites.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for number, (role, name, values) in enumerate(self._kept.get(self._session.bench, ())):
            if role not in self.cards or name not in self.cards[role].lines:
                continue
            self._favourites.addWidget(self._favourite(number, role, name, values))
        self._show_standing()

    def _favourite(self, number: int, role: str, name: str, values: Mapping[str, Any]) -> QPushButton:
        line = self.cards[role].lines[name]
        units = {value.name: value.unit for value in line.touch.values}
        first = [
            given if isinstance(given, str) else quantity_text(given, units.get(key, ""))
            for key, given in values.items()
        ][:2]

        def act() -> None:
            line.fill_in(values)
            line.button.click()

        made = widgets.button(
            " ".join([role, name, *first]), act, "a touch that was kept; right click removes it"
        )
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        made.customContextMenuRequested.connect(lambda _: self._drop(number))
        return made

    # --- what is shown ---

    def _age(self) -> None:
        if self.isVisible():
            for card in self.cards.values():
                card.age()

    def _show_standing(self) -> None:
        session = self._session
        held = session.held_by_hand
        busy = session.job is not None and not held
        for card in self.cards.values():
            card.set_usable(not busy)
        self.favourites.setEnabled(not busy)
        self.end.setEnabled(held)
        if busy:
            assert session.job is not None
            text = f"job {session.job[0]} has the bench: nothing is touched by hand before it has ended"
        elif not self.cards:
            text = "this bench has no instruments to touch: its chip is simulated alone"
        elif session.acting:
            text = f"{session.acting}…"
        elif held:
            text = "the bench is held by hand"
        else:
            text = "the first touch takes the bench"
        self.standing.setText(text)
