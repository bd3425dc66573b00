"""The panel of signals: any table of the run that is shown, as a sweep or as waveforms, over those of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from mho.analysis.figures import palette
from mho.errors import RunFileError
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.session.task_thread import Clerk
from mho.gui.signals.plot import Shown, SignalsPlot
from mho.gui.signals.reading import ROW, Curves, TableOffer, Wanted, read_curves, read_offer
from mho.gui.widgets.themed_plot import swatch
from mho.runs import RunFile
from mho.runs.paths import SUFFIX

MOST_OVERLAID = 8
PATH, COLOUR = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
LOOK_PERIOD = 150
"""How often the curves are drawn anew at most, ms."""

WINDOWS = (1_000, 10_000, 100_000)
"""Rows that the user may have shown, the newest."""


class SignalsPanel(QWidget):
    """Shows tables of the session's run, growing with it."""

    title: ClassVar[str] = "Signals"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._clerk = Clerk("signals", self)
        self._offer: TableOffer | None = None
        self._length = -1
        self._overlaid: dict[Path, Curves] = {}
        self._scales: dict[tuple[str, str], bool] = {}  # where the user chose, by table and signal
        self._build()
        self._timer = QTimer(self, singleShot=True, interval=LOOK_PERIOD)
        self._timer.timeout.connect(self._look)
        session.run_opened.connect(self._open)
        session.run_news.connect(self._take)
        self._open(session.run)

    def _build(self) -> None:
        self.table, self.signal, self.axis, self.rows = (QComboBox() for _ in range(4))
        for box, name in (
            (self.table, "table"), (self.signal, "signal"), (self.axis, "axis"), (self.rows, "rows"),
        ):  # fmt: skip
            box.setAccessibleName(name)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        for count in WINDOWS:
            self.rows.addItem(f"newest {count:,} rows".replace(",", " "), count)
        self.rows.setCurrentIndex(1)
        self.log_x, self.log_y = QCheckBox("log x"), QCheckBox("log y")
        self.cursors = QCheckBox("cursors")
        self.plot = SignalsPlot()
        self.readout = QLabel()
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.overlays = QListWidget()
        self.overlays.setAccessibleName("runs laid over this one")
        self.add, self.remove = QPushButton("Lay over…"), QPushButton("Remove")
        self.add.setToolTip(f"Show the same columns of an earlier run, of up to {MOST_OVERLAID}")

        self.table.currentTextChanged.connect(self._offer_columns)
        self.signal.currentTextChanged.connect(self._offer_axes)
        self.axis.currentIndexChanged.connect(self._want_others)
        self.rows.currentIndexChanged.connect(self._want_others)
        for check in (self.log_x, self.log_y):
            check.toggled.connect(lambda: self.plot.set_log(self.log_x.isChecked(), self.log_y.isChecked()))
        self.log_y.clicked.connect(lambda: self._scales.update({self._scale_of(): self.log_y.isChecked()}))
        self.cursors.toggled.connect(self.plot.show_cursors)
        self.plot.read.connect(self.readout.setText)
        self.add.clicked.connect(self._choose_overlays)
        self.remove.clicked.connect(self._remove_overlay)
        self.overlays.itemChanged.connect(lambda _: self._show())
        self.overlays.itemSelectionChanged.connect(self._allow)

        top = QHBoxLayout()
        for widget in (
            QLabel("Table"), self.table, QLabel("show"), self.signal, QLabel("over"), self.axis, self.rows,
        ):  # fmt: skip
            top.addWidget(widget)
        top.addStretch(1)
        for check in (self.log_x, self.log_y, self.cursors):
            top.addWidget(check)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel("Earlier runs"))
        column.addWidget(self.overlays, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.remove)
        column.addLayout(buttons)
        middle = QSplitter(Qt.Orientation.Horizontal)
        middle.addWidget(self.plot)
        middle.addWidget(side)
        middle.setSizes([800, 200])
        middle.setStretchFactor(0, 1)
        middle.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(middle, 1)
        layout.addWidget(self.readout)
        self._allow()

    def close_down(self) -> None:
        """End the work in another thread."""
        self._clerk.close()

    # --- the run that is shown ---

    def _open(self, run: RunFile | None) -> None:
        before = self.table.currentText()
        with QSignalBlocker(self.table):
            self.table.clear()
            if run is not None:
                self.table.addItems(list(run.tables))
                first = before if before in run.tables else run.default
                self.table.setCurrentText(first if first in run.tables else next(iter(run.tables), ""))
        self._offer_columns()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Show what has come while the panel was hidden."""
        super().showEvent(event)
        self._look()

    def _take(self, news: News) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _look(self) -> None:
        """Draw anew if rows have come."""
        run, table = self._session.run, self.table.currentText()
        if run is None or not table:
            return
        try:
            grown = run.length(table) != self._length
        except RunFileError as error:
            self._session.tell("ERROR", str(error))
            return
        if grown:
            self._show()

    # --- what is wanted of it ---

    def _offer_columns(self) -> None:
        run, table = self._session.run, self.table.currentText()
        self._offer = None
        if run is not None and table:
            try:
                self._offer = read_offer(run, table)
            except RunFileError as error:
                self._session.tell("ERROR", str(error))
        before = self.signal.currentText()
        with QSignalBlocker(self.signal):
            self.signal.clear()
            if self._offer is not None:
                self.signal.addItems(list(self._offer.columns))
                self.signal.setCurrentText(before if before in self._offer.columns else self._offer.signal)
        self._offer_axes()

    def _offer_axes(self) -> None:
        offer, before = self._offer, self.axis.currentData()
        with QSignalBlocker(self.axis):
            self.axis.clear()
            if offer is not None:
                axes = offer.axes_for(self.signal.currentText())
                for name in axes:
                    shape = offer.columns.get(self.signal.currentText(), ())
                    self.axis.addItem(name or ("sample" if shape else "row"), name)
                wanted = before if before and before in axes else offer.axis
                self.axis.setCurrentIndex(max(0, self.axis.findData(wanted)))
        self._want_others()

    def _wanted(self) -> Wanted | None:
        table, signal = self.table.currentText(), self.signal.currentText()
        if not table or not signal:
            return None
        return Wanted(table, signal, self.axis.currentData() or ROW, self.rows.currentData())

    def _scale_of(self) -> tuple[str, str]:
        return self.table.currentText(), self.signal.currentText()

    def _want_others(self) -> None:
        """Read what is wanted now, also of the runs laid over it."""
        self._overlaid.clear()
        for path in self._overlay_paths():
            self._read_overlay(path)
        self._show()
        self.plot.enableAutoRange()
        self.plot.place_cursors()

    def _show(self) -> None:
        run, wanted = self._session.run, self._wanted()
        shown: list[Shown] = []
        self._length = -1
        if run is not None and wanted is not None:
            try:
                self._length = run.length(wanted.table)
                curves = read_curves(run, wanted)
                shown.append(Shown(run.path.stem, palette.SERIES[0], curves))
                self.log_y.setChecked(self._scales.get(self._scale_of(), curves.wants_log))
            except RunFileError as error:
                self._session.tell("ERROR", str(error))
        for row in range(self.overlays.count()):
            item = self.overlays.item(row)
            laid_over = self._overlaid.get(item.data(PATH))
            if laid_over is not None and item.checkState() is Qt.CheckState.Checked:
                shown.append(Shown(item.text(), item.data(COLOUR), laid_over))
        self.plot.show_curves(shown)
        empty = "no run is shown" if run is None else "this run has no table of numbers"
        nothing = "no rows yet" if not self._length else ""
        self.plot.say(nothing if wanted is not None else empty)

    # --- earlier runs ---

    def lay_over(self, path: Path) -> None:
        """Show the same columns of the run file at `path` too."""
        if path in self._overlay_paths():
            return
        if self.overlays.count() >= MOST_OVERLAID:
            self._session.tell("WARNING", f"{MOST_OVERLAID} runs are laid over this one; remove one first")
            return
        used = [self.overlays.item(row).data(COLOUR) for row in range(self.overlays.count())]
        item = QListWidgetItem(path.stem)
        item.setData(PATH, path)
        item.setToolTip(str(path))
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        colour = next(one for one in palette.SERIES[1:] if one not in used)
        item.setData(COLOUR, colour)
        item.setIcon(swatch(colour))
        item.setCheckState(Qt.CheckState.Checked)
        with QSignalBlocker(self.overlays):
            self.overlays.addItem(item)
        self._read_overlay(path)
        self._allow()

    def _overlay_paths(self) -> list[Path]:
        return [self.overlays.item(row).data(PATH) for row in range(self.overlays.count())]

    def _read_overlay(self, path: Path) -> None:
        wanted = self._wanted()
        if wanted is None:
            return

        def read() -> Curves:
            with RunFile(path) as run:
                return read_curves(run, wanted)

        def show(curves: Curves) -> None:
            if wanted == self._wanted() and path in self._overlay_paths():
                self._overlaid[path] = curves
                self._show()

        self._clerk.ask(read, show, lambda text: self._session.tell("ERROR", text))

    def _choose_overlays(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, "Lay earlier runs over this one", str(self._session.folder), f"run files (*{SUFFIX})"
        )
        for name in names:
            self.lay_over(Path(name))

    def _remove_overlay(self) -> None:
        for item in self.overlays.selectedItems():
            self._overlaid.pop(item.data(PATH), None)
            self.overlays.takeItem(self.overlays.row(item))
        self._allow()
        self._show()

    def _allow(self) -> None:
        self.add.setEnabled(self.overlays.count() < MOST_OVERLAID)
        self.remove.setEnabled(bool(self.overlays.selectedItems()))
