"""The runs that are laid over the shown one: those of the same procedure, newest first, to be ticked, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFileDialog, QLabel, QListWidget, QListWidgetItem, QWidget

from mho.analysis import palette
from mho.analysis.reports import quantity_text
from mho.gui import widgets
from mho.gui.session.session import Session
from mho.gui.session.task_thread import TaskThread
from mho.gui.signals.own_plot import PlotData
from mho.gui.widgets import swatch
from mho.runs.index import RunIndex
from mho.runs.integrity import OF_THE_MOMENT
from mho.runs.paths import SUFFIX

MOST_OVERLAID = 8
MOST_LISTED = 200
"""Runs of a procedure that are offered, the newest."""

MOST_NAMED = 2
"""Parameters that a legend names of a run."""

FACTS = ("preset", "chip", "seed")
PATH, COLOUR = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class ListedRun:
    """A run file, and the text of each of its parameters and of some facts."""

    path: Path
    settings: Mapping[str, str] = field(default_factory=dict)


def list_runs(index: RunIndex, procedure: str) -> list[ListedRun]:
    """Return the newest runs of a procedure in an index; `RunFileError` when it cannot be read."""
    escaped = procedure.replace("\\", "\\\\").replace('"', '\\"')
    runs = index.search(f'procedure = "{escaped}"', limit=MOST_LISTED)
    quantities = index.quantities(runs)
    listed = []
    for run in runs:
        settings = {
            one.name: " ".join(filter(None, quantity_text(one.value, one.unit)))
            for one in quantities[run.id]["parameter"]
            if one.name not in OF_THE_MOMENT
        }
        facts = {name: str(getattr(run.facts, name)) for name in FACTS if getattr(run.facts, name)}
        listed.append(ListedRun(index.folder / run.path, settings | facts))
    return listed


def differing(runs: Iterable[ListedRun]) -> list[str]:
    """Return the names of the settings that are not the same in all runs."""
    several = [run.settings for run in runs]
    names = dict.fromkeys(name for one in several for name in one)
    return [name for name in names if len({one.get(name, "") for one in several}) > 1]


def legend_names(runs: Iterable[ListedRun]) -> dict[Path, str]:
    """Return what a legend calls each run: by what differs between them, or by its file where that tells none apart."""
    several = list(runs)
    names = [name for name in differing(several) if name not in FACTS] or differing(several)
    texts = [_said(run, names) for run in several]
    if len(set(texts)) < len(texts):
        texts = [
            ", ".join(filter(None, (run.path.stem, text))) for run, text in zip(several, texts, strict=True)
        ]
    return {run.path: text for run, text in zip(several, texts, strict=True)}


def _said(run: ListedRun, names: Iterable[str]) -> str:
    there = [f"{name.replace('_', ' ')} {run.settings[name]}" for name in names if name in run.settings]
    return ", ".join([*there[:MOST_NAMED], *["…"] * (len(there) > MOST_NAMED)]) or run.path.stem


class Overlays(QWidget):
    """Lists the runs that can be laid over another; `changed` says that others are to be shown."""

    changed = Signal()

    def __init__(self, session: Session, thread: TaskThread, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._thread = session, thread
        self._read: Callable[[Path], PlotData] | None = None
        self._contents: dict[Path, PlotData] = {}
        self._listed: dict[Path, ListedRun] = {}
        self._shown: Path | None = None
        self.waiting = 0  # runs that are being read
        self.list = QListWidget()
        self.list.setAccessibleName("runs laid over this one")
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.add = widgets.button("Others…", self._choose, "Lay run files from elsewhere over this one")
        self.clear = widgets.button("None", self._untick, "Show this run alone")
        self.list.itemChanged.connect(self._take_tick)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        heading = QLabel("Over it")
        heading.setToolTip(
            f"The newest runs of the same procedure, of which up to {MOST_OVERLAID} are laid over this one"
        )
        line = widgets.row(None, (heading, 1), self.add, self.clear)
        widgets.column(self, line, (self.list, 1), margins=0, spacing=4)
        self._allow()

    # --- what is offered ---

    def offer(self, runs: Iterable[ListedRun], shown: Path | None) -> None:
        """Offer these runs beside the one that is shown; those that are ticked stay."""
        listed = {run.path: run for run in runs}
        self._shown = shown
        ticked = {item.data(PATH): item.data(COLOUR) for item in self._items() if _is_ticked(item)}
        self._listed = {path: ListedRun(path) for path in ticked if path not in listed} | listed
        with QSignalBlocker(self.list):
            self.list.clear()
            for path in self._listed:
                if path != shown:
                    self._append(path, ticked.get(path, ""))
        self._allow()

    def lay_over(self, path: Path) -> None:
        """Show the run file at `path` too."""
        if path not in self._listed:
            self._listed[path] = ListedRun(path)
            with QSignalBlocker(self.list):
                self._append(path, "")
        item = next((one for one in self._items() if one.data(PATH) == path), None)
        if item is not None:
            item.setCheckState(Qt.CheckState.Checked)

    def _append(self, path: Path, colour: str) -> None:
        run, here = self._listed[path], self._listed.get(self._shown or path)
        names = differing([run, here]) if here is not None and here.settings and run.settings else []
        text = f"{path.stem}   {_said(run, names)}" if names else path.stem
        item = QListWidgetItem(text)
        item.setData(PATH, path)
        item.setData(COLOUR, colour)
        lines = [f"{name.replace('_', ' ')}: {run.settings.get(name, 'none')}" for name in names]
        item.setToolTip("\n".join([str(path), *lines]))
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setIcon(swatch(colour) if colour else QIcon())
        item.setCheckState(Qt.CheckState.Checked if colour else Qt.CheckState.Unchecked)
        self.list.addItem(item)

    # --- what is shown ---

    def want(self, read: Callable[[Path], PlotData] | None) -> None:
        """Read something else of each run from now on; None for nothing."""
        self._read = read
        self._contents.clear()
        for path in self.seen():
            self._look_into(path)

    def checked(self) -> Iterator[tuple[Path, str, PlotData]]:
        """Yield path, colour and contents of the runs that are to be seen and have been read."""
        for item in self._items():
            contents = self._contents.get(item.data(PATH))
            if contents is not None and _is_ticked(item):
                yield item.data(PATH), item.data(COLOUR), contents

    def seen(self) -> list[Path]:
        """Return the run files that are to be seen."""
        return [item.data(PATH) for item in self._items() if _is_ticked(item)]

    def names(self) -> dict[Path, str]:
        """Return what a legend calls the shown run and those over it."""
        paths = [*([self._shown] if self._shown else []), *self.seen()]
        return legend_names(self._listed.get(path, ListedRun(path)) for path in paths)

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    def _take_tick(self, item: QListWidgetItem) -> None:
        path, ticked = item.data(PATH), _is_ticked(item)
        if ticked == bool(item.data(COLOUR)):
            return
        used = [one.data(COLOUR) for one in self._items() if one.data(COLOUR)]
        with QSignalBlocker(self.list):
            if ticked and len(used) >= MOST_OVERLAID:
                item.setCheckState(Qt.CheckState.Unchecked)
                self._session.tell(
                    "WARNING", f"{MOST_OVERLAID} runs are laid over this one; untick one first"
                )
                return
            colour = next(one for one in palette.SERIES[1:] if one not in used) if ticked else ""
            item.setData(COLOUR, colour)
            item.setIcon(swatch(colour) if colour else QIcon())
        if ticked:
            self._look_into(path)
        else:
            self._contents.pop(path, None)
        self._allow()
        self.changed.emit()

    def _untick(self) -> None:
        for item in self._items():
            item.setCheckState(Qt.CheckState.Unchecked)

    def _look_into(self, path: Path) -> None:
        read = self._read
        if read is None:
            return
        self.waiting += 1

        def keep(contents: PlotData) -> None:
            self.waiting -= 1
            if read is self._read and path in self.seen():
                self._contents[path] = contents
                self.changed.emit()

        def refused(text: str) -> None:
            self.waiting -= 1
            if read is self._read:
                self._session.tell("ERROR", text)

        self._thread.ask(lambda: read(path), keep, refused)

    def _choose(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, "Lay runs over this one", str(self._session.folder), f"run files (*{SUFFIX})"
        )
        for name in names:
            self.lay_over(Path(name))

    def _allow(self) -> None:
        self.clear.setEnabled(bool(self.seen()))


def _is_ticked(item: QListWidgetItem) -> bool:
    return item.checkState() is Qt.CheckState.Checked
