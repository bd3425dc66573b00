"""Says what was varied in a campaign and what that moved: groups of runs, results, and the runs that stand apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mho.analysis import Group, RunCard
from mho.array_types import Floats
from mho.extensions.report_pages.extracted_parameters import OF_THE_RUN
from mho.runs.integrity import OF_THE_MOMENT

FACTS = ("preset", "bench", "chip", "version", "mho", "commit", "seed")
SEEDS = ("seed", "chip_seed", "parameter.seed")
"""What is varied so that chance is seen: no groups are made of it."""

NOT_THERE = "not there"
MOST_GROUPS = 12
FENCE = 3.0
"""Distances between quartiles beyond which a value is far out (Tukey, Exploratory Data Analysis, 1977, section 2D)."""

FEW = 0.05
"""Share of a group's runs that may differ from a value that more than half of them have, and still stand apart."""

FEWEST = 5  # runs of a group from which on one can stand apart


@dataclass(frozen=True)
class Varied:
    """A fact or parameter that is not the same in all runs."""

    name: str
    values: tuple[tuple[str, int], ...]  # its values as texts, in order, and how many runs have each
    of_runs: tuple[str, ...]  # its value in each run


@dataclass(frozen=True)
class Outlier:
    """A run that stands apart from its group in a result, `distance` times the distance between the quartiles."""

    run: int
    group: str
    result: str
    value: float
    median: float
    distance: float


def varied(runs: Sequence[RunCard]) -> tuple[Varied, ...]:
    """Return what is not the same in all runs, facts first."""
    by_name: dict[str, dict[int, tuple[float, str]]] = {name: {} for name in FACTS}
    for place, run in enumerate(runs):
        for name in FACTS:
            text = str(getattr(run.card.facts, name))
            number = float(text) if text.isdecimal() and len(text) < 16 else math.inf
            by_name[name][place] = number, text or "none"
        for one in run.card.parameters:
            number = math.inf if one.number is None else one.number
            name = f"parameter.{one.name}" if one.name in FACTS else one.name
            if name != one.name and one.text == str(getattr(run.card.facts, one.name)):
                continue  # said already
            by_name.setdefault(name, {})[place] = number, f"{one.text} {one.unit}".rstrip()
    result = []
    for name, values in by_name.items():
        counted = Counter(values.values())
        missing = len(runs) - len(values)
        if len(counted) + bool(missing) > 1:
            ordered = [(key[1], counted[key]) for key in sorted(counted)]
            of_runs = tuple(values.get(place, (0.0, NOT_THERE))[1] for place in range(len(runs)))
            result.append(Varied(name, (*ordered, *([(NOT_THERE, missing)] * bool(missing))), of_runs))
    return tuple(result)


def chosen_groups(variations: Sequence[Varied]) -> tuple[str, ...]:
    """Return by which of the things that were varied runs are grouped: as many as make at most `MOST_GROUPS` groups.

    What follows from the others makes no new groups, as the tolerance that follows from the bits.
    """
    chosen: list[str] = []
    groups = 1
    known = [""] * (len(variations[0].of_runs) if variations else 0)
    for one in sorted(variations, key=lambda one: len(one.values)):
        if one.name in SEEDS or one.name in ("mho", "commit", "version"):
            continue
        finer = [f"{before}\0{mine}" for before, mine in zip(known, one.of_runs, strict=True)]
        if len(set(finer)) > len(set(known)) and groups * len(one.values) <= MOST_GROUPS:
            chosen.append(one.name)
            groups *= len(one.values)
            known = finer
    order = [one.name for one in variations]
    return tuple(sorted(chosen, key=order.index))


def results_of(runs: Sequence[RunCard]) -> tuple[dict[str, Floats], dict[str, str]]:
    """Return each numeric result over the runs, NaN where one has none, and its unit; of several units the first one's."""
    values: dict[str, Floats] = {}
    units: dict[str, str] = {}
    for place, run in enumerate(runs):
        for one in run.card.results:
            if one.number is None or not abs(one.number) < 1e300 or one.name in (*OF_THE_MOMENT, *OF_THE_RUN):
                continue
            if units.setdefault(one.name, one.unit) == one.unit:
                values.setdefault(one.name, np.full(len(runs), np.nan))[place] = one.number
    return values, units


def separation(values: Floats, groups: Sequence[Group]) -> float:
    """Return how far groups lie apart, from 0 to 1: the share of the ranks' variance that lies between them.

    That is epsilon squared of the test of Kruskal and Wallis (J. Am. Stat. Assoc. 47, 583 (1952)); 0 for one group.
    """
    from scipy.stats import rankdata  # loads slowly

    lots = [values[list(group.runs)] for group in groups]
    lots = [lot[np.isfinite(lot)] for lot in lots]
    lots = [lot for lot in lots if lot.size]
    if len(lots) < 2:
        return 0.0
    ranks = rankdata(np.concatenate(lots))
    total = float(((ranks - ranks.mean()) ** 2).sum())
    if total == 0.0:
        return 0.0
    parts = np.split(ranks, np.cumsum([lot.size for lot in lots])[:-1])
    return sum(part.size * float(part.mean() - ranks.mean()) ** 2 for part in parts) / total


def outliers(values: Floats, runs: Sequence[int], group: str, result: str) -> Iterator[Outlier]:
    """Yield the runs of a group whose result lies far out: beyond 3 distances between quartiles from the nearer one.

    Where the quartiles are equal, few runs that differ from them stand apart (`FEW`), many do not. `values` are of all
    runs, `runs` the places of the group's.
    """
    mine = values[list(runs)]
    known = mine[np.isfinite(mine)]
    if known.size < FEWEST:
        return
    lower, median, upper = np.quantile(known, (0.25, 0.5, 0.75))
    between = upper - lower
    beyond = np.where(mine > upper, mine - upper, lower - mine)
    if between == 0.0 and (beyond > 0.0).sum() > FEW * known.size:
        return
    for place in np.flatnonzero(beyond > FENCE * between).tolist():
        distance = float(beyond[place] / between) if between > 0.0 else math.inf
        yield Outlier(runs[place], group, result, float(mine[place]), float(median), distance)


def all_outliers(values: dict[str, Floats], groups: Sequence[Group]) -> tuple[Outlier, ...]:
    """Return one entry a run that stands apart, with the result in which it does most; the farthest run first."""
    farthest: dict[int, Outlier] = {}
    for name, column in values.items():
        for group in groups:
            for one in outliers(column, group.runs, group.label, name):
                known = farthest.get(one.run)
                # A distance between quartiles says more than none.
                if known is None or math.isinf(known.distance) or known.distance < one.distance < math.inf:
                    farthest[one.run] = one
    return tuple(
        sorted(farthest.values(), key=lambda one: (math.isinf(one.distance), -one.distance, one.run))
    )


FEWEST_POINTS = 3  # values of a parameter from which on results are drawn over it
MOST_SWEPT, MOST_DRAWN = 2, 4
ALIKE = 0.99  # correlation of ranks from which on two results are one: cycles and inversions


def swept(variations: Sequence[Varied], runs: Sequence[RunCard]) -> dict[str, Floats]:
    """Return the numbers, seeds aside, that were varied as parameters, over the runs; NaN where a run has none.

    Words, lists and truth values are no numbers; those that a run alone has, or two values, make no curve.
    """
    numbers: dict[str, Floats] = {}
    for one in variations:
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
    """Return the results that a parameter (n,) moves most, each once: none that is the parameter, or goes with another."""
    points = np.unique(parameter[np.isfinite(parameter)])
    groups = [Group(str(point), tuple(np.flatnonzero(parameter == point).tolist())) for point in points]
    apart = {name: separation(column, groups) for name, column in values.items()}
    chosen: list[str] = []
    for name in sorted(apart, key=lambda name: -round(apart[name], 3)):
        if apart[name] == 0.0 or len(chosen) == MOST_DRAWN:
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
