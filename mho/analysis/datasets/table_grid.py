"""The grid that the rows of a run's table fill; found once for the columns of a table as they stand."""

from __future__ import annotations

from functools import partial

from mho.analysis.datasets.grids import GridCandidate, TableGrid, find_grid
from mho.runs import RunFile


def grid_of(run: RunFile, table: str, rows: int, *, lines: bool = True) -> TableGrid | None:
    """Return the grid that the first `rows` rows of a table fill, None where there is none; `lines` as of `find_grid`.

    What the table plots is no key of it.
    """
    signal, axis = run.plotted(table)
    declared = {axis, run.series(table)}
    candidates = []
    for column in run.units(table):
        stored = run.stored(table, column)
        if (
            len(stored.shape) == 1
            and stored.dtype.kind in "biuf"
            and (column != signal or column in declared)
        ):
            read = partial(run.column, table, column)
            candidates.append(GridCandidate(column, stored.dtype, read, column in declared))
    return find_grid(candidates, rows, lines=lines)
