"""A figure over groups of runs as marks: in one axes, a panel a group, or a crowd of medians; and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from mho.analysis import palette
from mho.analysis.figures.drawing import (
    FitNotes,
    compose,
    drawable,
    is_seen,
    magnitudes,
    window,
    with_images,
    with_visible_labels,
    without_marks,
)
from mho.analysis.figures.fitting import fitted_counts, fitted_curve
from mho.analysis.figures.marks import Drawing, Mark
from mho.analysis.figures.over_runs.curves import (
    Curve,
    curve_marks,
    missing_runs,
    points_and_whiskers,
    pooled_curves,
    ratio_marks,
    scattered,
    whiskers,
)
from mho.analysis.figures.over_runs.groups_of_runs import (
    FEWEST,
    MOST_INNER,
    MOST_PANELS,
    SHADE,
    GroupedFigure,
    RunsOfGroup,
    StyledGroups,
)
from mho.analysis.figures.over_runs.reading import RunSample
from mho.analysis.figures.references import levels, references
from mho.analysis.figures.values.figure_data import AxisText, FigureData, MapImage, PointGroup
from mho.analysis.figures.values.pooling import quantiles_over_runs, shares_at
from mho.analysis.figures.values.statistics import bin_edges, normal_quantile
from mho.analysis.reports.quantities import handy_unit
from mho.array_types import Floats
from mho.escaping import visible
from mho.runs.figures import COUNTS, PROBABILITY, RUNS, STATISTICS, Figure

STEPS = 400  # places at which shares are drawn
MOST_WHOLE = 60  # bins of whole numbers; with more, several numbers share one


def histograms(
    figure: Figure, groups: Sequence[RunsOfGroup], colour: Callable[[int], str], fit_notes: FitNotes
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
    result = []
    for place, group in enumerate(groups):
        counts = np.array([_counts(one, edges) for one in group.kept])
        low, _, high = quantiles_over_runs(counts)
        quartiles = _quartiles(group, *_with_shares([_values(one, None) for one in group.kept]))
        label = f"{group.name}: {quartiles}{_strays(figure, group)}"
        outline = Mark("steps", label, edges, _with_last(counts.mean(axis=0), floor), colour(place))
        marks = [outline]
        if len(group.kept) >= FEWEST:
            low, high = _with_last(low, floor), _with_last(high, floor)
            shade = replace(
                outline, shape="step band", label="", low=low, high=high, opacity=SHADE, front=False
            )
            marks = [shade, outline]
        if figure.fit:
            values = np.concatenate([_values(one, None)[0] for one in group.kept])
            fit = fitted_counts(figure, group.kept[0].data.x, values, outline, edges)
            share = counts.sum() / max(values.size, 1) / len(group.kept)
            _, *lines = fit_notes.with_fit(replace(outline, label=group.label), fit)
            marks = [*marks, *(replace(one, y=np.maximum(share * one.y, floor)) for one in lines)]
        result.append(marks)
    return result


def _whole_edges(values: Floats) -> Floats:
    """Return bins of one or several whole numbers each, so few that outlines show; none where values are no such."""
    known = values[np.isfinite(values)]
    if not known.size or not bool((known == np.round(known)).all()) or np.abs(known).max() > 2.0**50:
        return np.empty(0)
    low, high = float(known.min()), float(known.max())
    step = np.ceil((high - low + 1.0) / MOST_WHOLE)
    return np.arange(low, high + step + 0.5, step) - 0.5


def distributions(
    figure: Figure, groups: Sequence[RunsOfGroup], inner: tuple[str, ...], style: Callable[[int, int], Mark],
    fit_notes: FitNotes,
) -> list[list[Mark]]:  # fmt: skip
    """Return for each group the share of all its values up to each, and the quartiles of its runs' shares."""
    result = []
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
                    marks += fit_notes.with_fit(replace(mine, label=name), fit)[1:]
        result.append(marks)
    return result


def _distribution(
    figure: Figure, group: RunsOfGroup, values: list[tuple[Floats, Floats]], style: Mark, *, one_only: bool
) -> list[Mark]:
    pooled, shares = _with_shares(values)
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


def _values(sample: RunSample, label: str | None) -> tuple[Floats, Floats]:
    """Return the ordered values of a run and how many each stands for; without a label of all its groups."""
    mine = [
        (points.x, np.full(points.x.size, weight))
        for points, weight in zip(sample.data.groups, sample.weights, strict=True)
        if label is None or points.label == label
    ]
    values, weights = (np.concatenate([np.empty(0), *part]) for part in zip(*mine, strict=True)) if mine else (
        np.empty(0), np.empty(0),
    )  # fmt: skip
    order = np.argsort(values, kind="stable")
    return values[order], weights[order]


def _counts(sample: RunSample, edges: Floats) -> Floats:
    counts = np.zeros(len(edges) - 1)
    for points, weight in zip(sample.data.groups, sample.weights, strict=True):
        known = points.x[np.isfinite(points.x)]
        counts += weight * np.histogram(known, edges)[0]
    return counts


def _with_last(counts: Floats, floor: float) -> Floats:
    """Return counts with the last one again, so that steps reach the last edge; none below the floor."""
    return np.maximum(np.append(counts, counts[-1:]), floor)


def _with_shares(values: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Return all values of runs in order, and the share of values up to each; in runs each stands for several."""
    pooled, weights = (np.concatenate(part) for part in zip(*values, strict=True))
    order = np.argsort(pooled, kind="stable")
    weights = weights[order]
    return pooled[order], (np.cumsum(weights) - 0.5 * weights) / max(weights.sum(), 1e-300)


def _quartiles(group: RunsOfGroup, ordered: Floats, shares: Floats) -> str:
    if not ordered.size:
        return "nothing"
    factor, unit = handy_unit(group.kept[0].data.x.unit)
    low, middle, high = (factor * float(one) for one in np.interp((0.25, 0.5, 0.75), shares, ordered))
    return f"{middle:.3g} ({low:.3g} to {high:.3g}) {unit}".rstrip()


def _strays(figure: Figure, group: RunsOfGroup) -> str:
    """Return how many values lie outside their band."""
    outside = [one.outside for one in group.kept if one.outside is not None]
    judged = sum(count for _, count in outside)
    if not judged:
        return ""
    share = sum(count for count, _ in outside) / judged
    return f"; {100 * share:.2g} % outside their {window(figure)}"


MOST_MAPS = 2  # maps of one run that are drawn, the largest


def median_images(base: Drawing, groups: Sequence[RunsOfGroup], notes: list[str]) -> GroupedFigure:
    """Return the median image of each group, a row a map, a column a group; the largest maps are kept."""
    names: dict[str, int] = {}
    for group in groups:
        for one in group.kept:
            for image in one.data.images:
                names[image.name] = max(names.get(image.name, 0), int(image.values.size))
    chosen = sorted(names, key=lambda name: names[name])[-MOST_MAPS:]
    if len(names) > len(chosen):
        notes.append(f"the {len(chosen)} largest of {len(names)} maps")
    if len(groups) > MOST_PANELS:
        notes.append(f"{MOST_PANELS} of {len(groups)} groups")
    images = []
    for name in chosen:
        for group in groups[:MOST_PANELS]:
            middle, count = _median_image(group, name)
            if middle is not None:
                label = f"{group.label}\n{name}" if len(chosen) > 1 else group.label
                images.append(replace(middle, name=label))
                if count < len(group.kept):
                    notes.append(f"{group.label}: {count} of {len(group.kept)} runs have {name} in this size")
    if any(len(group.kept) > 1 for group in groups):
        notes.append("median over " + ", ".join(group.name for group in groups[:MOST_INNER]))
    codes = groups[0].kept[0].data.codes if all(len(group.kept) == 1 for group in groups) else None
    columns = len(groups[:MOST_PANELS]) if len(chosen) > 1 else 0
    return GroupedFigure(base.title, "; ".join(notes), (with_images(base, images, codes),), columns=columns)


def _median_image(group: RunsOfGroup, name: str) -> tuple[MapImage | None, int]:
    """Return the median over the runs of a group, cell by cell, and of how many runs it is."""
    result = [image for one in group.kept for image in one.data.images if image.name == name]
    if not result:
        return None, 0
    same = [image for image in result if image.values.shape == result[0].values.shape]
    stacked = np.array([image.values.ravel() for image in same])
    _, middle, _ = quantiles_over_runs(stacked)
    return replace(result[0], values=middle.reshape(result[0].values.shape)), len(same)


def pooled_statistics(figure: Figure, groups: Sequence[RunsOfGroup], notes: list[str]) -> GroupedFigure:
    """Return the drawing of a share, a confusion or a correlation, one curve or image a group of runs."""
    if len(groups) > MOST_PANELS:
        notes.append(f"{MOST_PANELS} of {len(groups)} groups")
    notes.append("runs of a group taken together")
    drawing = compose(figure, [_together(group) for group in groups[:MOST_PANELS]])
    return GroupedFigure(drawing.title, "; ".join(notes), (replace(drawing, note=""),))


def _together(group: RunsOfGroup) -> FigureData:
    """Return the data of all runs of a group as that of one."""
    every = [one.data for one in group.kept]
    parts = [points for data in every for points in data.groups]
    return replace(
        every[0],
        run=group.name,
        groups=_merged(parts[::2], parts[1::2]) if parts and parts[0].y.size else tuple(parts),
        images=tuple(image for data in every for image in data.images),
        note="",
        colour="",
    )


def _merged(groups: Sequence[PointGroup], of: Sequence[PointGroup]) -> tuple[PointGroup, ...]:
    """Return pairs of counts, how many and of how many, with one pair for each label."""
    merged = []
    for label in dict.fromkeys(one.label for one in groups):
        for counts in (groups, of):
            mine = [one for one in counts if one.label == label]
            x, y = (np.concatenate([getattr(one, axis) for one in mine]) for axis in "xy")
            merged.append(replace(mine[0], x=x, y=y))
    return tuple(merged)


MOST_BANDS = 10  # bands in one axes; with more, each group has a panel of its own
MOST_TOLD = 2  # remarks of single runs


def compare(
    figure: Figure, groups: Sequence[RunsOfGroup], *, panels: bool = False, ratio: bool = False
) -> GroupedFigure:
    """Return the marks of a figure over groups of runs, at least one; those without data are named in the note.

    With `panels` each group has one, also where they fit into one axes; with `ratio`, curves have below them their ratio to
    the first group's median at equal x.
    """
    title = visible(figure.heading, lines=False)
    groups = [replace(one, label=visible(one.label, lines=False)) for one in groups]
    shown = [
        replace(
            group,
            kept=tuple(
                replace(one, data=magnitudes(figure, [drawable(one.data)])[0])
                for one in group.kept
                if not one.data.nothing
            ),
        )
        for group in groups
    ]
    empty = [group.label for group in shown if not group.kept]
    shown = [group for group in shown if group.kept]
    notes = [f"nothing of {', '.join(empty)}"] if empty and shown else []
    if not shown:
        why = next((one.data.nothing for group in groups for one in group.kept), "nothing measured")
        return GroupedFigure.of_nothing(title, why)
    notes += _remarks(shown)
    every = [one.data for group in shown for one in group.kept]
    x, y = (next((one for one in axes if one.name.startswith("|")), axes[0])
            for axes in ([one.x for one in every], [one.y for one in every]))  # fmt: skip
    base = replace(without_marks(figure, every[0]), x=x, y=y)
    if figure.drawn_kind == "map":
        return median_images(base, shown, notes)
    if figure.drawn_kind in STATISTICS:
        return pooled_statistics(figure, shown, notes)
    if any(group.unfinished for group in shown):
        notes.append("† not finished")
    inner, pooled_inside = _inner(shown)
    if pooled_inside:
        what = "groups" if figure.drawn_kind in COUNTS else "curves"
        notes.append(f"{pooled_inside} {what} of a run pooled")
    if figure.drawn_kind in ("histogram", "scatter"):
        inner = ("",)
    apart = panels or len(shown) * len(inner) > MOST_BANDS
    crowd = not panels and len(shown) > MOST_PANELS
    if apart and not crowd:
        if len(shown) > MOST_PANELS:
            notes.append(f"{MOST_PANELS} of {len(shown)} groups")
        shown = shown[:MOST_PANELS]
    if crowd:
        inner, apart = ("",), False
        ends = f"from {shown[0].label} (dark) to {shown[-1].label} (light)"
        notes.append(f"medians of {len(shown)} groups, {ends}")
    drawn = StyledGroups(figure, tuple(shown), inner, apart=apart and len(shown) > 1, crowd=crowd)
    return _marked(base, drawn, notes, ratio=ratio)


def _remarks(groups: Sequence[RunsOfGroup]) -> list[str]:
    """Return what was said when the runs were read, each once; how many curves there are is said of all together."""
    remarks = dict.fromkeys(
        one
        for group in groups
        for sample in group.kept
        for one in sample.data.note.lstrip(";, ").split("; ")
        if one
    )
    notes = [one for one in remarks if not re.fullmatch(r"\d+ (curves|groups|columns)", one)]
    return notes[:MOST_TOLD] + ["…"] * (len(notes) > MOST_TOLD)


def _inner(groups: Sequence[RunsOfGroup]) -> tuple[tuple[str, ...], int]:
    """Return the labels of the curves in a run that are kept apart, and how many are pooled instead."""
    labels = dict.fromkeys(
        points.label for group in groups for one in group.kept for points in one.data.groups
    )
    if len(labels) <= MOST_INNER:
        return tuple(labels), 0
    return ("",), max(len(one.data.groups) for group in groups for one in group.kept)


def _marked(base: Drawing, drawn: StyledGroups, notes: list[str], *, ratio: bool) -> GroupedFigure:
    """Return a figure whose `base` gets the marks of its groups."""
    figure, kind, places = drawn.figure, drawn.figure.drawn_kind, range(len(drawn.groups))
    ratios: list[Drawing] = []
    title, fit_notes, axes = base.title, FitNotes(), base
    if kind == "histogram":
        axes = replace(base, y=AxisText(f"{base.y.name} a run")) if figure.table != RUNS else base
        marks = histograms(figure, drawn.groups, drawn.colour, fit_notes)
    elif kind == "distribution":
        axes = replace(base, y=AxisText("share of values"))
        marks = distributions(figure, drawn.groups, drawn.inner, drawn.style, fit_notes)
    elif figure.table == RUNS:
        marks = [points_and_whiskers(drawn, place) for place in places]
    elif kind == "scatter":
        marks = [scattered(drawn, place) for place in places]
    elif kind == "errorbars":
        marks = [whiskers(drawn, place) for place in places]
    else:
        curves, ways = pooled_curves(drawn)
        marks = [
            [mark for one in curves if one.group == place for mark in curve_marks(drawn, one)] for place in places
        ]  # fmt: skip
        notes += missing_runs(drawn, curves) + ways
        if ratio and len(drawn.groups) > 1:
            ratios = _ratios(base, drawn, curves)
    if ratio and not ratios:
        notes.append("a ratio is drawn of curves of two groups or more")
    if figure.fit and kind not in COUNTS and not drawn.crowd:
        marks = [_with_fits(base, drawn, place, mine, fit_notes) for place, mine in enumerate(marks)]
    notes += list(dict.fromkeys(fit_notes.missing))[:MOST_TOLD]
    panels = _panels(axes, drawn, marks)
    if len(drawn.inner) > 1 and not drawn.apart and not drawn.crowd:
        # Marks without points name the curves of a run in the legend: dashes tell them apart.
        nowhere = np.array([np.nan])
        names = [
            replace(drawn.style(0, number), label=label, colour=palette.IDEAL, x=nowhere, y=nowhere)
            for number, label in enumerate(drawn.inner)
        ]
        panels = [replace(panel, marks=(*panel.marks, *names)) for panel in panels]
    if not any(panel.marks for panel in panels):
        return GroupedFigure.of_nothing(title, "nothing that these axes can show")
    return GroupedFigure(title, "; ".join(notes), tuple(panels), tuple(ratios), fits=tuple(fit_notes.fits))


def _with_fits(
    base: Drawing, drawn: StyledGroups, place: int, marks: Sequence[Mark], fit_notes: FitNotes
) -> list[Mark]:
    """Return the marks of a group and the fits to all points of its runs."""
    result = list(marks)
    for number, inner in enumerate(drawn.inner):
        x, y = drawn.points(place, number)
        label = ", ".join(filter(None, (drawn.groups[place].label, inner)))
        curve = replace(drawn.style(place, number), label=label, x=x, y=y)
        fit = fitted_curve(drawn.figure, base.x, base.y, curve)
        _, *lines = fit_notes.with_fit(curve, fit)
        if len(drawn.inner) == 1 and fit.short:
            result = [replace(one, label=one.label and f"{one.label}: {fit.short}") for one in result]
        result += lines
    return result


def _ratios(base: Drawing, drawn: StyledGroups, curves: Sequence[Curve]) -> list[Drawing]:
    """Return the drawings of the ratio to the first group, in the order of the panels."""
    marks = ratio_marks(drawn, curves)
    middles = np.concatenate([mark.y for group in marks for mark in group] or [np.empty(0)])
    known = middles[np.isfinite(middles) & (middles > 0.0)]
    wide = bool(known.size) and drawn.figure.y_scale == "log" and float(np.ptp(np.log10(known))) > 0.7
    y = AxisText(f"ratio to {drawn.groups[0].label}")
    base = replace(base, title="", bands=(), y=y, y_scale="log" if wide else "linear")
    return [replace(one, title="") for one in _panels(base, drawn, marks, with_levels=False)]


def _panels(
    base: Drawing, drawn: StyledGroups, marks: Sequence[Sequence[Mark]], *, with_levels: bool = True
) -> list[Drawing]:
    """Return one drawing of all groups, or one a group, with the reference lines of their runs."""
    whole = [[one.data for one in group.kept] for group in drawn.groups]
    if not drawn.apart:
        return [_panel(base, drawn, list(chain(*marks)), list(chain(*whole)), with_levels)]
    return [
        _panel(replace(base, title=group.name), drawn, mine, runs, with_levels)
        for group, mine, runs in zip(drawn.groups, marks, whole, strict=True)
    ]


def _panel(
    base: Drawing, drawn: StyledGroups, marks: Sequence[Mark], runs: list[FigureData], with_levels: bool
) -> Drawing:
    figure = drawn.figure
    lines = references(figure, runs) if with_levels and figure.drawn_kind not in COUNTS else []
    if drawn.apart:  # one legend names the lines of all panels
        lines = [replace(line, label=line.label.partition(" = ")[0]) for line in lines]
    if not any(is_seen(mark, base) for mark in marks):
        return replace(base, nothing="nothing that these axes can show")
    named = with_visible_labels([*lines, *marks])
    return replace(base, marks=named, levels=levels(figure, runs) if with_levels else ())
