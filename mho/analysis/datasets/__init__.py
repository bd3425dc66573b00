"""Runs as NumPy, pandas and xarray: one that is open, or thousands, one after another.

The names are loaded when they are asked for (PEP 562): pandas and xarray are needed only by who asks for theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.datasets.grids import Grid, find_grid
    from mho.analysis.datasets.run import Run, open_run
    from mho.analysis.datasets.runs import Runs, SkippedRunWarning, open_runs
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".grids": ("Grid", "find_grid"),
            ".run": ("Run", "open_run"),
            ".runs": ("Runs", "SkippedRunWarning", "open_runs"),
        },
    )

__all__ = ["Grid", "Run", "Runs", "SkippedRunWarning", "find_grid", "open_run", "open_runs"]
