"""Runs of a group with their data, and a figure over such groups: what the marks are made of, and what is laid out."""

from __future__ import annotations

from dataclasses import dataclass

from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.over_runs.reading import Kept

FEWEST = 3
"""Runs from which on their quartiles are drawn."""

SHADE = 0.22
"""Opacity of a band between quartiles."""

MOST_INNER = 9
"""Curves of one run that are kept apart; more are pooled."""

MOST_PANELS = 12


@dataclass(frozen=True)
class RunsOfGroup:
    """A group with what is kept of its runs.

    Attributes
    ----------
    unfinished : int
        How many of them did not come to their end.
    count : int
        Runs, where their data are kept together; 0 where each has its own.
    """

    label: str
    kept: tuple[Kept, ...]
    unfinished: int = 0
    count: int = 0

    @property
    def name(self) -> str:
        """What a legend calls it."""
        count = self.count or len(self.kept)
        marked = f", {self.unfinished}†" if self.unfinished else ""
        return f"{self.label} ({count} run{'s' * (count != 1)}{marked})"


@dataclass(frozen=True)
class Compared:
    """A figure over groups of runs.

    Attributes
    ----------
    title, note : str
    panels : tuple of Drawing
        One, or one a group; with the same axes.
    ratios : tuple of Drawing
        Below each panel the ratio to the first group; empty without.
    columns : int
        Images of one row, where each row is another map; 0 for any number.
    fits : tuple of str
        A line for each fit.
    """

    title: str
    note: str
    panels: tuple[Drawing, ...]
    ratios: tuple[Drawing, ...] = ()
    columns: int = 0
    fits: tuple[str, ...] = ()
