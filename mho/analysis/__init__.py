"""Run files in; figures, reports and exports out. No instrument and no procedure is imported here.

- `datasets`: runs as NumPy, pandas and xarray, one or thousands;
- `figures`: a run as pictures, for ``mho plot``, the report and the notebook;
- `reports`: a run, or thousands of them, in a few numbers and words;
- `grouping`: which runs make a group, for figures, comparisons and reports;
- `comparisons`: runs, or groups of them, compared in settings and results;
- `report_pages`: one page about a run, a comparison or a campaign;
- `documents`: what every page is made of, and how it is written;
- `characterisation`: one page about the runs of a folder;
- `exports`: a run as CSV, MATLAB, NetCDF, or as a folder to publish;
- `palette`: the colours of every figure and view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.datasets import Run, Runs, open_run, open_runs
    from mho.analysis.figures import draw, plot
    from mho.analysis.reports import Summary, summarise
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["Run", "Runs", "Summary", "draw", "open_run", "open_runs", "plot", "summarise"]
