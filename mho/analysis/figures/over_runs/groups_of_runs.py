"""Runs of a group with their data, how groups are told apart, and a figure over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.analysis import palette
from mho.analysis.figures.marks import DASHES, MARKERS, Drawing, Mark
from mho.analysis.figures.over_runs.reading import RunSample
from mho.analysis.figures.values.pooling import Points
from mho.runs.figures import Figure

FEWEST = 3  # runs from which on their quartiles are drawn
SHADE = 0.22  # opacity of a band between quartiles
MOST_INNER = 9  # curves of one run that are kept apart; more are pooled
MOST_PANELS = 12


@dataclass(frozen=True)
class RunsOfGroup:
    """A group with what is kept of its runs."""

    label: str
    kept: tuple[RunSample, ...]
    unfinished: int = 0  # how many of them did not come to their end
    count: int = 0  # runs, where their data are kept together; 0 where each has its own

    @property
    def name(self) -> str:
        """What a legend calls it."""
        count = self.count or len(self.kept)
        marked = f", {self.unfinished}†" if self.unfinished else ""
        return f"{self.label} ({count} run{'s' * (count != 1)}{marked})"


@dataclass(frozen=True)
class StyledGroups:
    """Groups of runs in one figure, and how they and the curves within their runs are told apart."""

    figure: Figure
    groups: tuple[RunsOfGroup, ...]
    # Labels of the curves of one run that are kept apart; ``("",)`` where there is one, or where all are
    # pooled
    inner: tuple[str, ...]
    apart: bool = False  # whether each group has a panel of its own
    crowd: bool = False  # whether there are too many groups to be named

    def colour(self, place: int) -> str:
        """Colour of a group; in panels of their own, groups are told apart by the panel."""
        if self.crowd:
            return palette.along(place / max(len(self.groups) - 1, 1))
        return palette.of_series(place)

    def style(self, place: int, number: int) -> Mark:
        """Return an empty mark of a group's curve `number`."""
        nothing, label = np.empty(0), self.groups[place].name
        marker = MARKERS[number % len(MARKERS)]
        if self.crowd:
            return Mark("line", "", nothing, nothing, self.colour(place), opacity=0.8, front=False)
        if self.apart:
            colour = palette.of_series(number) if len(self.inner) > 1 else self.colour(place)
            return Mark("line", self.inner[number], nothing, nothing, colour, marker=marker)
        label = label if number == 0 else ""
        marker = marker if len(self.inner) > 1 else "circle"
        dash = DASHES[number % len(DASHES)]
        return Mark("line", label, nothing, nothing, self.colour(place), dash=dash, marker=marker)

    def of_inner(self, sample: RunSample, number: int) -> list[Points]:
        """Return the curves of a run that belong to one that is drawn."""
        start = self.figure.start
        result = []
        for points in sample.data.groups:
            if self.inner == ("",) or points.label == self.inner[number]:
                x, y = points.x, points.y
                if start is not None:
                    x, y = np.append(start[0], x), np.append(start[1], y)
                result.append((x, y))
        return result

    def points(self, place: int, number: int) -> Points:
        """Return the points of all runs of a group, of one curve within a run."""
        curves = [curve for one in self.groups[place].kept for curve in self.of_inner(one, number)]
        x, y = (np.concatenate([np.empty(0), *(curve[axis] for curve in curves)]) for axis in (0, 1))
        return x, y


@dataclass(frozen=True)
class GroupedFigure:
    """A figure over groups of runs."""

    title: str
    note: str
    panels: tuple[Drawing, ...]  # one, or one a group; with the same axes
    ratios: tuple[Drawing, ...] = ()  # below each panel the ratio to the first group; empty without
    columns: int = 0  # images of one row, where each row is another map; 0 for any number
    fits: tuple[str, ...] = ()  # a line for each fit

    @classmethod
    def of_nothing(cls, title: str, why: str) -> GroupedFigure:
        """Return a figure that only says why there is nothing to draw."""
        return cls(title, "", (Drawing(title, nothing=why),))
