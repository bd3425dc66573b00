"""Histograms and distributions of groups of runs: counts of all runs of a group, and the quartiles over its runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.analysis.figures.drawing import Said, window
from mho.analysis.figures.fitting import fitted_counts
from mho.analysis.figures.marks import Mark
from mho.analysis.figures.over_runs.groups_of_runs import FEWEST, SHADE, RunsOfGroup
from mho.analysis.figures.over_runs.reading import Kept
from mho.analysis.figures.values.pooling import quantiles_over_runs, shares_at
from mho.analysis.figures.values.statistics import bin_edges, normal_quantile
from mho.analysis.reports.quantities import handy_unit
from mho.runs.figures import PROBABILITY, Figure

Floats = NDArray[np.float64]

STEPS = 400
"""Places at which shares are drawn."""

MOST_WHOLE = 60
"""Bins of whole numbers; with more, several numbers share one."""


def histograms(
    figure: Figure, groups: Sequence[RunsOfGroup], colour: Callable[[int], str], said: Said
) -> list[list[Mark]]:
    """Return for each group the outline of its counts a run, and the quartiles of the runs' counts in each bin."""
    every = np.concatenate(
        [np.empty(0), *(points.x for group in groups for one in group.kept for points in one.data.groups)]
    )
    widths = [band.high - band.low for band in figure.bands if band.low is not None and band.high is not None]
    band = float(np.median(widths)) if widths and figure.x_scale != "log" else None
    edges = _whole_edges(every) if figure.x_scale != "log" and band is None else np.empty(0)
    if not edges.size:
        edges = bin_edges(every, log=figure.x_scale == "log", band=band)
    # On a logarithmic axis an empty bin stands below the least count that there can be.
    floor = 0.5 / max(len(group.kept) for group in groups) if figure.y_scale == "log" else 0.0
    found = []
    for place, group in enumerate(groups):
        counts = np.array([_counts(one, edges) for one in group.kept])
        low, _, high = quantiles_over_runs(counts)
        label = f"{group.name}: {_said(group)}{_strays(figure, group)}"
        outline = Mark("steps", label, edges, _held(counts.mean(axis=0), floor), colour(place))
        marks = [outline]
        if len(group.kept) >= FEWEST:
            shade = replace(
                outline, shape="step band", label="", low=_held(low, floor), high=_held(high, floor), opacity=SHADE,
                front=False,
            )  # fmt: skip
            marks = [shade, outline]
        if figure.fit:
            values = np.concatenate([_values(one, None)[0] for one in group.kept])
            fit = fitted_counts(figure, group.kept[0].data.x, values, outline, edges)
            share = counts.sum() / max(values.size, 1) / len(group.kept)
            _, *lines = said.with_fit(replace(outline, label=group.label), fit)
            marks = [*marks, *(replace(one, y=np.maximum(share * one.y, floor)) for one in lines)]
        found.append(marks)
    return found


def _whole_edges(values: Floats) -> Floats:
    """Return bins of one or several whole numbers each, so few that outlines show; none where values are no such."""
    known = values[np.isfinite(values)]
    if not known.size or not bool((known == np.round(known)).all()) or np.abs(known).max() > 2.0**50:
        return np.empty(0)
    low, high = float(known.min()), float(known.max())
    step = np.ceil((high - low + 1.0) / MOST_WHOLE)
    return np.arange(low, high + step + 0.5, step) - 0.5


def distributions(
    figure: Figure,
    groups: Sequence[RunsOfGroup],
    inner: tuple[str, ...],
    style: Callable[[int, int], Mark],
    said: Said,
) -> list[list[Mark]]:
    """Return for each group the share of all its values up to each, and the quartiles of its runs' shares."""
    found = []
    for place, group in enumerate(groups):
        marks = []
        for number in range(len(inner)):
            values = [_values(one, inner[number] if len(inner) > 1 else None) for one in group.kept]
            values = [one for one in values if one[0].size]
            if values:
                mine = style(place, number)
                marks += _distribution(figure, group, values, mine, one_only=len(inner) == 1)
                if figure.fit:
                    pooled = np.concatenate([one for one, _ in values])
                    name = ", ".join(filter(None, (group.label, inner[number])))
                    fit = fitted_counts(figure, group.kept[0].data.x, pooled, mine)
                    marks += said.with_fit(replace(mine, label=name), fit)[1:]
        found.append(marks)
    return found


def _distribution(
    figure: Figure, group: RunsOfGroup, values: list[tuple[Floats, Floats]], style: Mark, *, one_only: bool
) -> list[Mark]:
    pooled, weights = (np.concatenate(part) for part in zip(*values, strict=True))
    order = np.argsort(pooled, kind="stable")
    pooled, weights = pooled[order], weights[order]
    shares = (np.cumsum(weights) - 0.5 * weights) / weights.sum()
    if len(pooled) > STEPS:
        rows = np.unique(np.linspace(0, len(pooled) - 1, STEPS).round().astype(int))
        pooled, shares = pooled[rows], shares[rows]
    runs = np.array([_clear(shares_at(pooled, one), one.size, figure) for one, _ in values])
    low, _, high = quantiles_over_runs(runs)
    straight = figure.y_scale == PROBABILITY
    label = f"{style.label}: {_quartiles(group, pooled, shares)}" if one_only and style.label else style.label
    line = replace(style, shape="line" if straight else "steps", label=label, x=pooled, marker="")
    line = replace(line, y=normal_quantile(shares) if straight else shares)
    if len(values) < FEWEST:
        return [line]
    shade = replace(
        line, shape="band" if straight else "step band", label="", low=low, high=high, opacity=SHADE, front=False
    )  # fmt: skip
    return [shade, line]


def _clear(shares: Floats, count: int, figure: Figure) -> Floats:
    """Keep shares of a run off 0 and 1 where an axis of probability has no place for them."""
    if figure.y_scale != PROBABILITY:
        return shares
    return normal_quantile(np.clip(shares, 0.5 / count, 1.0 - 0.5 / count))


def _values(kept: Kept, label: str | None) -> tuple[Floats, Floats]:
    """Return the ordered values of a run and how many each stands for; without a label of all its groups."""
    mine = [
        (points.x, np.full(points.x.size, weight))
        for points, weight in zip(kept.data.groups, kept.weights, strict=True)
        if label is None or points.label == label
    ]
    values, weights = (np.concatenate([np.empty(0), *part]) for part in zip(*mine, strict=True)) if mine else (
        np.empty(0), np.empty(0),
    )  # fmt: skip
    order = np.argsort(values, kind="stable")
    return values[order], weights[order]


def _counts(kept: Kept, edges: Floats) -> Floats:
    counts = np.zeros(len(edges) - 1)
    for points, weight in zip(kept.data.groups, kept.weights, strict=True):
        known = points.x[np.isfinite(points.x)]
        counts += weight * np.histogram(known, edges)[0]
    return counts


def _held(counts: Floats, floor: float) -> Floats:
    """Return counts with the last one again, so that steps reach the last edge; none below the floor."""
    return np.maximum(np.append(counts, counts[-1:]), floor)


def _said(group: RunsOfGroup) -> str:
    values, weights = zip(*(_values(one, None) for one in group.kept), strict=True)
    pooled, each = np.concatenate(values), np.concatenate(weights)
    order = np.argsort(pooled, kind="stable")
    shares = (np.cumsum(each[order]) - 0.5 * each[order]) / max(each.sum(), 1e-300)
    return _quartiles(group, pooled[order], shares)


def _quartiles(group: RunsOfGroup, ordered: Floats, shares: Floats) -> str:
    """Return median and quartiles in words, in a handy unit."""
    if not ordered.size:
        return "nothing"
    factor, unit = handy_unit(group.kept[0].data.x.unit)
    low, middle, high = (factor * float(one) for one in np.interp((0.25, 0.5, 0.75), shares, ordered))
    return f"{middle:.3g} ({low:.3g} to {high:.3g}) {unit}".rstrip()


def _strays(figure: Figure, group: RunsOfGroup) -> str:
    """Return how many values lie outside their band."""
    found = [one.outside for one in group.kept if one.outside is not None]
    judged = sum(count for _, count in found)
    if not judged:
        return ""
    share = sum(count for count, _ in found) / judged
    return f"; {100 * share:.2g} % outside their {window(figure)}"
