"""The figures over a swept parameter: the results of a campaign against a number that was varied, with quartiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mho.analysis.documents import Picture
from mho.analysis.figures.over_runs.comparing import compare
from mho.analysis.figures.over_runs.runs_table import runs_of_groups, table_figure
from mho.analysis.grouping import Group, RunCard, group_runs
from mho.analysis.report_pages.campaign_facts import SEEDS, Floats, Varied, separation
from mho.errors import InputError

FEWEST_POINTS = 3
"""Values of a parameter from which on results are drawn over it."""

MOST_SWEPT, MOST_RESULTS = 2, 4
ALIKE = 0.99
"""Correlation of ranks from which on two results are one: cycles and inversions."""


def swept(found: Sequence[Varied], runs: Sequence[RunCard]) -> dict[str, Floats]:
    """Return the numbers, seeds aside, that were varied as parameters, over the runs; NaN where a run has none.

    Words, lists and truth values are no numbers; those that a run alone has, or two values, make no curve.
    """
    numbers: dict[str, Floats] = {}
    for one in found:
        if one.name in SEEDS or "." in one.name:
            continue
        column = np.full(len(runs), np.nan)
        for place, run in enumerate(runs):
            known = next((mine for mine in run.card.parameters if mine.name == one.name), None)
            if known is not None and known.number is not None and known.text not in ("true", "false"):
                column[place] = known.number
        points = np.unique(column[np.isfinite(column)])
        if FEWEST_POINTS <= points.size < np.isfinite(column).sum():
            numbers[one.name] = column
    return dict(list(numbers.items())[:MOST_SWEPT])


def moved_results(parameter: Floats, values: Mapping[str, Floats]) -> list[str]:
    """Return the results that a parameter moves most, each once: none that is the parameter, or goes with another.

    Parameters
    ----------
    parameter : (n,) array
        Its value in each run.
    values : mapping of (n,) arrays
        Each result over the runs; NaN where one has none.
    """
    points = np.unique(parameter[np.isfinite(parameter)])
    groups = [Group(str(point), tuple(np.flatnonzero(parameter == point).tolist())) for point in points]
    apart = {name: separation(column, groups) for name, column in values.items()}
    chosen: list[str] = []
    for name in sorted(apart, key=lambda name: -round(apart[name], 3)):
        if apart[name] == 0.0 or len(chosen) == MOST_RESULTS:
            break
        known = np.isfinite(values[name])
        is_parameter = np.array_equal(parameter[known], values[name][known])
        if not is_parameter and not any(_alike(values[name], values[one]) for one in chosen):
            chosen.append(name)
    return chosen


def _alike(one: Floats, other: Floats) -> bool:
    """Return whether two results order the runs alike, or the other way round."""
    from scipy.stats import rankdata  # loads slowly

    known = np.isfinite(one) & np.isfinite(other)
    ranks = [rankdata(values[known]) for values in (one, other)]
    if known.sum() < FEWEST_POINTS or any(np.ptp(values) == 0.0 for values in ranks):
        return False
    return bool(abs(np.corrcoef(ranks[0], ranks[1])[0, 1]) > ALIKE)


def swept_pictures(
    runs: Sequence[RunCard], found: Sequence[Varied], by: Sequence[str], values: Mapping[str, Floats]
) -> tuple[Picture, ...]:
    """Return the results over each swept parameter: medians with quartiles over the seeds, a colour a group of the others.

    Parameters
    ----------
    by : sequence of str
        What the runs are grouped by.
    """
    pictures = []
    for name, column in swept(found, runs).items():
        groups = group_runs([one for one in by if one.removeprefix("parameter.") != name], runs)
        for result in moved_results(column, values):
            try:
                figure = table_figure(f"parameter.{name}", f"result.{result}", runs, ())
                members = runs_of_groups(figure, runs, groups)
            except InputError as error:
                pictures.append(Picture(f"{result} over {name}", trouble=str(error)))
                continue
            title = figure.title.replace(".", ", ")
            drawn = compare(replace(figure, title=f"{title[:1].upper()}{title[1:]}"), members)
            pictures.append(Picture(title, drawn))
    return tuple(pictures)
