"""Figures over runs from their files: cards, groups, data, marks, sheet."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure as Sheet

from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.over_runs.card_values import RunCard
from mho.analysis.figures.over_runs.comparing import compare
from mho.analysis.figures.over_runs.grouping import MOST_TOLD, Group, group_runs, varied_within
from mho.analysis.figures.over_runs.groups_of_runs import Compared, RunsOfGroup
from mho.analysis.figures.over_runs.layout import draw_compared
from mho.analysis.figures.over_runs.reading import FigureRuns, Skipped, read_cards, read_figures
from mho.escaping import visible

MOST_NAMED = 3
"""Files that a note names."""


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn over runs.

    Attributes
    ----------
    figure : str
        Name of a declared figure; "" for all of the first run.
    by : tuple of str
        Facts, parameters or results by which runs are grouped.
    panels, ratio : bool
        As of `mho.analysis.figures.over_runs.comparing.compare`.
    """

    figure: str = ""
    by: tuple[str, ...] = ()
    panels: bool = False
    ratio: bool = False


def draw_over_runs(places: Sequence[str | os.PathLike[str]], wanted: Wanted) -> tuple[Sheet, list[Skipped]]:
    """Draw figures over the runs at places, files or folders.

    Returns
    -------
    tuple
        The sheet, and the files that could not be read.

    Raises
    ------
    RunFileError
        No run has the figure.
    InputError
        A place is not there, no file can be read, or a name of `by` is unknown.
    """
    runs, skipped = read_cards(places)
    groups = group_runs(wanted.by, runs)
    found = read_figures(runs, wanted.figure, skipped)
    compared = [compared_figure(one, groups, runs, skipped, wanted) for one in found]
    return draw_compared(_title(runs, wanted), compared), skipped


def compared_figure(
    one: FigureRuns,
    groups: Sequence[Group],
    runs: Sequence[RunCard],
    skipped: Sequence[Skipped],
    wanted: Wanted,
) -> Compared:
    """Compose a figure over groups, and say what is not in it."""
    members = []
    for group in groups:
        mine = [place for place in group.runs if place in one.kept]
        unfinished = sum(not runs[place].finished for place in mine)
        if mine:
            members.append(RunsOfGroup(group.label, tuple(one.kept[place] for place in mine), unfinished))
    if not members:
        return Compared(one.figure.heading, "", (Drawing(one.figure.heading, nothing="in none of the runs"),))
    compared = compare(one.figure, members, panels=wanted.panels, ratio=wanted.ratio)
    notes = [compared.note] * bool(compared.note)
    used = [Group(group.label, tuple(place for place in group.runs if place in one.kept)) for group in groups]
    if varied := varied_within(used, runs):
        more = f" and {len(varied) - MOST_TOLD} more" if len(varied) > MOST_TOLD else ""
        notes.append(f"runs of one group differ in {', '.join(varied[:MOST_TOLD])}{more}")
    if one.without:
        notes.append(f"not in {_listed(one.without)}")
    if one.left_out:
        notes.append(f"images of {len(one.kept)} of {len(one.kept) + one.left_out} runs")
    if skipped:
        notes.append(f"{len(skipped)} damaged files left out")
    note = visible("; ".join(notes), lines=False)
    return Compared(compared.title, note, compared.panels, compared.ratios, compared.columns)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _title(runs: Sequence[RunCard], wanted: Wanted) -> str:
    """Name what the runs have in common, how many they are, and how many did not finish."""
    titles = Counter(run.card.facts.title for run in runs)
    procedures = Counter(run.card.facts.procedure for run in runs)
    common = (
        next(iter(titles)) if len(titles) == 1 else ", ".join(name for name, _ in procedures.most_common(3))
    )
    parts = [common, f"{len(runs)} runs" if len(runs) != 1 else runs[0].path.name]
    if wanted.by:
        parts[-1] += f" by {', '.join(wanted.by)}"
    states = Counter(run.card.status for run in runs if not run.finished)
    parts += [f"{count} {state}" for state, count in sorted(states.items())]
    if any(run.card.facts.preset for run in runs):
        parts.append("SIMULATED")
    return "   ·   ".join(parts)
