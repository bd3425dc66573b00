"""Run files in; summaries and figures out. No instrument and no procedure is imported here."""

from mho.analysis.figures.plotting import plot
from mho.analysis.reports.summary import Summary, summarise

__all__ = ["Summary", "plot", "summarise"]
