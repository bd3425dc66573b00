"""Run files in; summaries and figures out. No instrument and no procedure is imported here."""

from analysis.plotting import plot
from analysis.summary import Summary, summarise
from analysis.terminal import show

__all__ = ["Summary", "plot", "show", "summarise"]
