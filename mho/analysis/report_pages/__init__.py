"""Reports: one page about a run, a comparison of several, or a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.report_pages.campaign_page import campaign_document
    from mho.analysis.report_pages.comparison_page import comparison_document
    from mho.analysis.report_pages.kinds import KINDS
    from mho.analysis.report_pages.reporting import report
    from mho.analysis.report_pages.run_page import run_document
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["KINDS", "campaign_document", "comparison_document", "report", "run_document"]
