"""Reports: one page about a run, a comparison of several, or a campaign.

- `reporting`: which kind of page there is, and where it is written;
- `run_page`: of one run, from `run_results`, `run_figures`, `run_contents` and `run_record`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.report_pages.reporting import KINDS, report
    from mho.analysis.report_pages.run_page import run_document
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__, {".reporting": ("KINDS", "report"), ".run_page": ("run_document",)}
    )

__all__ = ["KINDS", "report", "run_document"]
