"""Many runs, as one thing: found by folder, paths or a query, opened one after another, in a table, in one dataset.

Nothing is opened before it is needed, and never two at once. A damaged file ends no pass over the others: it is left out
with a warning, and named in `Runs.skipped`. An interrupted run is used; its status says what it is.
"""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from mho.analysis.datasets.run import Run
from mho.analysis.reports import RunRow, find_runs, row_of_card, table_of
from mho.errors import RunFileError, needing
from mho.runs import RunIndex, runs_folder
from mho.runs.conclusion import GOING_ON
from mho.runs.index import Card, read_card
from mho.runs.paths import SUFFIX

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure as Sheet

    from mho.analysis.grouping import RunCard

Place = str | os.PathLike[str]


class SkippedRunWarning(UserWarning):
    """A run file was left out, as it cannot be read."""


class Runs(Sequence[Run]):
    """Run files, as a sequence of runs: ``for run in runs`` opens and closes each.

    ``runs[3]`` opens one, which is to be closed; ``runs[:3]`` are Runs again.

    Parameters
    ----------
    paths : iterable of paths
        Run files, in their order.

    Attributes
    ----------
    paths : tuple of Path
    skipped : dict
        Why a file was left out, by path, as far as files have been read.

    Examples
    --------
    >>> paths = [mho.run(mho.Read(rows="0", columns="0:2"), "arrays", seed=seed).path for seed in (1, 2)]
    >>> [run.seed for run in mho.open_runs(paths)]
    [1, 2]
    """

    def __init__(self, paths: Iterable[Place]) -> None:
        self.paths = tuple(map(Path, paths))
        self.skipped: dict[Path, str] = {}
        self._cards: dict[Path, Card] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, place: int) -> Run: ...

    @overload
    def __getitem__(self, place: slice) -> Runs: ...

    def __getitem__(self, place: int | slice) -> Run | Runs:
        return self._with(self.paths[place]) if isinstance(place, slice) else Run(self.paths[place])

    def __iter__(self) -> Iterator[Run]:
        for path in self.paths:
            try:
                run = Run(path)
            except RunFileError as error:
                self.skip(path, str(error))
                continue
            with run:
                yield run

    def where(self, query: str) -> Runs:
        """Return those runs for which a query holds, as of ``mho runs --where``: ``preset=pku and bits>=24``.

        Raises
        ------
        InputError
            The query is wrong, or asks for a name that no run has.
        """
        if not self.paths:
            return self
        folder = Path(os.path.commonpath([path.absolute().parent for path in self.paths]))
        with RunIndex(folder) as index:
            index.update()
            result = {(folder / run.path).absolute() for run in index.search(query)}
        return self._with(path for path in self.paths if path.absolute() in result)

    def table(self) -> pandas.DataFrame:
        """Return a DataFrame with a row a run: facts, ``parameter.NAME`` and ``result.NAME``; units in ``attrs["units"]``.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        with needing("a DataFrame", "pandas"):
            from mho.analysis.datasets.frames import frame_of_runs
        return frame_of_runs(table_of(self.rows()))

    def to_xarray(self, name: str, *, dim: str = "run", by: str | Sequence[str] = ()) -> xarray.Dataset:
        """Return a table, map or array of all runs, in memory, stacked along a dimension.

        Parameters
        ----------
        name : str
            As of `Run.to_xarray`; a run that does not have it is left out, and named in `skipped`.
        dim : str
            The dimension: ``run``, with the files' names, or a fact, parameter or result, with its values: ``seed``.
        by : str or sequence of str
            Further facts, parameters and results, as coordinates along `dim`.

        Returns
        -------
        xarray.Dataset
            Points that a run does not have, as one that was stopped, are NaN. Seed and preset are coordinates, too.

        Raises
        ------
        InputError
            No run has it, a name of `dim` or `by` is unknown, or xarray is not installed.
        """
        with needing("a Dataset", "xarray"):
            from mho.analysis.datasets.xarray_values import stack
        names = [one.strip() for one in by.split(",")] if isinstance(by, str) else list(by)
        return stack(self, self.rows(), name, dim, [one for one in names if one], self.skip)

    def draw(self, figure: str = "", **options: Any) -> Sheet:
        """Draw a declared figure of all runs, see `mho.draw`: ``runs.draw("convergence", by="preset")``.

        Parameters
        ----------
        figure : str
            Its name; all figures without.
        **options
            ``by=``, ``panels=``, ``ratio=`` and the others of `mho.draw`.
        """
        from mho.analysis.figures import draw

        return draw(*self._with_cards(), figure=figure, **options)

    def plot(self, output: Place | None = None, figure: str = "", **options: Any) -> Path:
        """Draw as `draw` into a picture file, and return its path; see `mho.plot`."""
        from mho.analysis.figures import plot

        return plot(self._with_cards(), output, figure, **options)

    def readable(self) -> Runs:
        """Return the runs whose files can be read; the others are in `skipped`."""
        cards = self.cards()
        return self._with(path for path in self.paths if path in cards)

    def cards(self) -> dict[Path, Card]:
        """Return the card of each run that can be read, by path: what the index knows of it, read once a run is over."""
        for path in self.paths:
            known = self._cards.get(path)
            if known is None or known.status in GOING_ON:
                try:
                    self._cards[path] = read_card(path)
                except RunFileError as error:
                    self._cards.pop(path, None)
                    self.skip(path, str(error))
        return {path: self._cards[path] for path in self.paths if path in self._cards}

    def rows(self) -> list[RunRow]:
        """Return the row of each run that can be read, from its card."""
        cards = self.cards()
        return [row_of_card(path, cards[path]) for path in self.paths if path in cards]

    def _with_cards(self) -> list[RunCard]:
        """Return the runs that can be read, as paths that need no second look for what their cards say."""
        from mho.analysis.grouping import RunCard

        cards = self.cards()
        return [RunCard(path, cards[path]) for path in self.paths if path in cards]

    def _with(self, paths: Iterable[Path]) -> Runs:
        runs = Runs(paths)
        runs.skipped, runs._cards = self.skipped, self._cards
        return runs

    def skip(self, path: Path, reason: str) -> None:
        """Note that a file is left out, and warn the first time."""
        if path not in self.skipped:
            self.skipped[path] = reason
            warnings.warn(f"left out: {reason}", SkippedRunWarning, stacklevel=3)

    def __repr__(self) -> str:
        if not self.paths:
            return "<Runs, none>"
        return f"<Runs, {len(self)} of {self.paths[0].name} to {self.paths[-1].name}>"

    def _repr_html_(self) -> str:
        from mho.analysis.datasets.html import MOST_ROWS, runs_html

        return runs_html(len(self), self[:MOST_ROWS].rows(), self.skipped)


def open_runs(where: Place | Iterable[Place] | None = None, *, folder: Place | None = None) -> Runs:
    """Find runs: in a folder, at paths, or by a query of the index.

    Parameters
    ----------
    where : path, pattern, query, or several paths and patterns
        A folder, which is searched whole, a run file, a pattern (``data/runs/2026*.h5``), or a query as of
        ``mho runs --where``: ``preset=pku and bits>=24``. By default all runs of `folder`.
    folder : path, optional
        Where a query looks; default ``MHO_RUNS`` or ``data/runs``.

    Returns
    -------
    Runs
        In the order of their names; those of a query the oldest first. There may be none.

    Raises
    ------
    RunFileError
        There is no such folder.
    InputError
        The query is wrong, or a place is not there.

    Examples
    --------
    >>> result = mho.run(mho.Read(rows="0", columns="0:2"), "arrays", seed=7)
    >>> [run.seed for run in mho.open_runs("seed=7")]
    [7]
    """
    if where is None:
        where = runs_folder(folder)
    if isinstance(where, str) and not _is_place(where):
        root = runs_folder(folder)
        with RunIndex(root) as index:
            index.update()
            result = [root / run.path for run in index.search(where, "start")]
        searched = set(find_runs(root))  # without earlier tries of runs that were tried again
        return Runs(path for path in result if path in searched)
    places = [where] if isinstance(where, str | os.PathLike) else list(where)
    return Runs(path for place in places for path in _at(place))


def _is_place(text: str) -> bool:
    """Return whether a text is a path or a pattern, and no query."""
    if os.path.exists(text) or text.endswith((SUFFIX, "/", os.sep)):
        return True
    return glob.has_magic(text) and (text.endswith("*") or bool(glob.glob(text)))


def _at(place: Place) -> Iterator[Path]:
    text = os.fspath(place)
    if not os.path.exists(text) and glob.has_magic(text):
        yield from find_runs(*sorted(glob.glob(text, recursive=True)))
    else:
        yield from find_runs(place)
