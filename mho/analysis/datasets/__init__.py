"""Runs as NumPy, pandas and xarray: one that is open, or thousands, one after another.

The names are loaded when they are asked for (PEP 562): pandas and xarray are needed only by who asks for theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.datasets.grids import TableGrid, find_grid, rows_of
    from mho.analysis.datasets.run import Run, open_run
    from mho.analysis.datasets.runs import Runs, SkippedRunWarning, open_runs
    from mho.analysis.datasets.stored_values import StoredValues, grid_of
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Run", "Runs", "SkippedRunWarning", "StoredValues", "TableGrid", "find_grid", "grid_of", "open_run",
    "open_runs", "rows_of",
]  # fmt: skip
