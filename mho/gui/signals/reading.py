"""Reads a run file for the panel in a thread of its own: what it offers to be drawn, and what a plot shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mho.analysis.figures import figures_of
from mho.analysis.reports import read_bench
from mho.gui.signals.own_plot import Plot, PlotData, first_plot, read_plot
from mho.runs import Figure, RunFile

Columns = Mapping[str, tuple[str, int]]
"""Of a table: the kind of number (numpy's) and the dimensions of a row of each column."""

NUMBERS = "iufb"


@dataclass(frozen=True)
class RunOffer:
    """What a run file offers to be drawn.

    Attributes
    ----------
    path : Path
    procedure : str
    figures : dict
        The figures that it declares, or would have, by their names.
    declares : bool
        Whether it declares any.
    tables : dict
        The columns of numbers of each table.
    default : str
        The table that is shown first; "" for none.
    simulated : bool
        Whether there were no instruments.
    """

    path: Path
    procedure: str
    figures: Mapping[str, Figure]
    declares: bool
    tables: Mapping[str, Columns]
    default: str
    simulated: bool


class RunReader:
    """Keeps the shown run file open and follows it; used by one thread only, which closes `opened` at its end.

    Its methods raise `RunFileError` for a file that cannot be read, or lacks what is asked for, and `InputError` for a
    formula that cannot be evaluated.
    """

    def __init__(self, opened: ExitStack) -> None:
        self._run: RunFile | None = None
        self._last: tuple[object, ...] = ()  # what was read last, and how much there was of it
        self._data: PlotData | None = None
        opened.callback(self.close)

    def close(self) -> None:
        """Close the file."""
        if self._run is not None:
            self._run.close()
        self._run, self._last = None, ()

    def offer(self, path: Path) -> RunOffer:
        """Return what a run file offers."""
        run = self._open(path)
        figures = {figure.name: figure for figure in figures_of(run)}
        tables = {
            table: {name: kind for name, kind in columns.items() if kind[0] in NUMBERS and kind[1] <= 1}
            for table, columns in run.drawable.tables.items()
        }
        there = {table: columns for table, columns in tables.items() if columns}
        simulated = read_bench(run).preset is not None
        return RunOffer(path, run.procedure, figures, bool(run.figures), there, run.default, simulated)

    def first(self, path: Path, table: str) -> Plot:
        """Return the plot with which a table begins."""
        return first_plot(self._open(path), table)

    def read(self, path: Path, plot: Plot, newest: int) -> tuple[PlotData, bool]:
        """Return what a plot shows of a run, and whether that is new: nothing is read where nothing has come."""
        run = self._open(path)
        now = path, plot, newest, _size(run, plot.figure)
        if self._data is not None and now == self._last:
            return self._data, False
        self._data, self._last = read_plot(run, plot, newest), now
        return self._data, True

    def _open(self, path: Path) -> RunFile:
        if self._run is None or self._run.path != path:
            self.close()
            self._run = RunFile(path)
        self._run.refresh()
        return self._run


def read_other(path: Path, plot: Plot, newest: int) -> PlotData:
    """Return what a plot shows of another run file; errors as of `RunReader`."""
    with RunFile(path) as run:
        return read_plot(run, plot, newest)


def _size(run: RunFile, figure: Figure) -> object:
    """Return what changes when there is more to show."""
    if figure.table:
        return run.length(figure.table), run.status
    return tuple(run.map_length(name) for name in (*figure.maps, *figure.subtrahends)), run.status
