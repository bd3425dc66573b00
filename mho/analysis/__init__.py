"""Run files in; figures, numbers and exports out. No instrument and no procedure is imported here.

- `datasets`: runs as NumPy, pandas and xarray, one or thousands;
- `figures`: a run as pictures, for ``mho plot``, the report and the notebook;
- `reports`: a run, or thousands of them, in a few numbers and words;
- `grouping`: which runs make a group, for figures, comparisons and reports;
- `comparisons`: runs, or groups of them, compared in settings and results;
- `exports`: a run as CSV, MATLAB, NetCDF, or as a folder to publish;
- `palette`: the colours of every figure and view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.datasets import Run, Runs, open_run, open_runs
    from mho.analysis.figures import draw, plot
    from mho.analysis.grouping import Group, RunCard, SkippedFile, group_runs, read_cards
    from mho.analysis.reports import Summary, summarise
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Group", "Run", "RunCard", "Runs", "SkippedFile", "Summary", "draw", "group_runs", "open_run", "open_runs",
    "plot", "read_cards", "summarise",
]  # fmt: skip
