"""Reports: one page, HTML or PDF, about a run, a comparison of several, a campaign, or the runs of a folder.

- `run_page`, `comparison_page`, `campaign_page`, `characterisation_page`: what stands on each, as a document;
- `campaign_facts`: what was varied in a campaign, and what that moved;
- `run_figures`: the figures on them; `extracted_parameters`: the parameters in a run's result, with their intervals;
- `run_command`: the command that starts a run anew;
- `documents`: what every page is made of, and how it is written;
- `kinds`, `reporting`: the kind of page by what there is, and its file; `command`: `mho report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.report_pages.campaign_page import campaign_document
    from mho.extensions.report_pages.characterisation_page import characterisation_document, write_report
    from mho.extensions.report_pages.comparison_page import comparison_document
    from mho.extensions.report_pages.extracted_parameters import Extracted, extracted
    from mho.extensions.report_pages.kinds import KINDS
    from mho.extensions.report_pages.reporting import report
    from mho.extensions.report_pages.run_page import run_document
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "KINDS", "Extracted", "campaign_document", "characterisation_document", "comparison_document", "extracted",
    "report", "run_document", "write_report",
]  # fmt: skip
