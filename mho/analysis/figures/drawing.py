"""A figure of one run, or of several laid over one another, as the marks to be put on a plane: what every renderer draws.

Which colour, which marker, which bins, which words: all is decided here, once. A renderer puts the marks into its axes,
and turns SI units into handy ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.fitting import Fitted, fitted_counts, fitted_curve
from mho.analysis.figures.marks import BELOW, DASHES, MARKERS, Drawing, Mark
from mho.analysis.figures.references import bounded, levels, references
from mho.analysis.figures.values import statistics
from mho.analysis.figures.values.figure_data import AxisText, FigureData, MapImage, PointGroup
from mho.analysis.figures.values.figure_reading import CURVES_NAMED, POINTS, extremes
from mho.analysis.reports.quantities import handy_unit
from mho.array_types import Floats, Integers
from mho.confidence import binomial_interval
from mho.escaping import visible
from mho.runs.figures import COUNTS, GREY, PROBABILITY, Band, Figure

LabelledT = TypeVar("LabelledT", Mark, Band)


def in_order(bands: Sequence[Band]) -> tuple[Band, ...]:
    """Return levels in the order of their windows, from the lowest up."""
    return tuple(sorted(bands, key=lambda band: -np.inf if band.low is None else band.low))


def decided_levels(values: Floats, bands: Sequence[Band]) -> Integers:
    """Return the place among bands `in_order` of the level for which each of `values` (n,) is taken.

    The border between two lies in the middle between their ends that face each other.
    """
    facing = [[end for end in (below.high, above.low) if end is not None] for below, above in pairwise(bands)]
    borders = [float(np.mean(ends)) if ends else np.nan for ends in facing]
    return np.searchsorted(np.array(borders), values).astype(np.int64)


def confusion(targets: Integers, outcomes: Integers, levels: int) -> Integers:
    """Return how often each level was wanted and another found, (levels, levels): a row for each that was wanted."""
    counts = np.bincount(levels * targets + outcomes, minlength=levels**2)
    return counts.reshape(levels, levels)


def row_shares(counts: Integers) -> Floats:
    """Return counts as shares of their row; NaN where there are none, so that a rare one shows."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(counts > 0, counts / np.maximum(total, 1), np.nan)


def shares(places: Floats, counts: Floats, of: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the distinct places (m,) with counts, and there the share of the counts, and the ends of its interval.

    Counts `counts` of `of` (n,) at one place are added up. The interval is Clopper's and Pearson's, of 95 %: it holds
    whatever the share is, also where none was found.
    """
    known = np.isfinite(places) & (of > 0.0) & (counts >= 0.0) & (counts <= of)
    distinct, which = np.unique(places[known], return_inverse=True)
    sums = [np.rint(np.bincount(which, one[known], len(distinct))).astype(np.int64) for one in (counts, of)]
    low, high = binomial_interval(sums[0], sums[1])
    return distinct, sums[0] / np.maximum(sums[1], 1), low, high


DIRECTIONS = ((1, "along rows"), (0, "along columns"))


def share_marks(figure: Figure, runs: Sequence[FigureData]) -> list[Mark]:
    """Return points with the interval of each share, one curve a group, or a run."""
    marks: list[Mark] = []
    for place, run in enumerate(runs):
        if figure.maps:
            curves = [("", _shares_of_levels(figure, run))]
        else:  # groups come in pairs: how many, and of how many
            pairs = zip(run.groups[::2], run.groups[1::2], strict=True)
            curves = [(one.label, shares(one.x, one.y, of.y)) for one, of in pairs]
        for number, (label, (x, share, low, high)) in enumerate(curves):
            shown = number if len(runs) == 1 else place
            named = ", ".join(filter(None, (run.run if len(runs) > 1 else "", label)))
            colour = run.colour if len(runs) > 1 and run.colour else palette.of_series(shown)
            marker, dash = MARKERS[shown % len(MARKERS)], DASHES[number % len(DASHES)]
            marks.append(Mark("whiskers", named, x, share, colour, dash, marker, low=low, high=high))
            none = share == 0.0
            if figure.y_scale == "log" and none.any():  # no place for 0, but for what it is below
                marks.append(Mark("points", "", x[none], high[none], colour, marker=BELOW))
    if below := [number for number, mark in enumerate(marks) if mark.marker == BELOW]:
        marks[below[-1]] = replace(marks[below[-1]], label="none found, upper end of 95 %")
    return marks


def _shares_of_levels(figure: Figure, run: FigureData) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the share of the cells of each level that lie in its window."""
    levels = in_order(figure.bands)
    targets, values = _cells(run, levels)
    low, high = np.array([_ends(band) for band in levels]).reshape(-1, 2)[targets].T
    inside = (values >= low) & (values <= high)
    numbers = np.array(_numbers(levels), dtype=float)[targets]
    return shares(numbers, inside.astype(float), np.ones(len(values)))


def _cells(run: FigureData, levels: Sequence[Band]) -> tuple[NDArray[np.int64], Floats]:
    """Return of each cell the place of the level that it was to hold, and its value."""
    keys = np.concatenate([np.empty(0), *(np.full(len(group.x), group.key) for group in run.groups)])
    values = np.concatenate([np.empty(0), *(group.x for group in run.groups)])
    known = np.isfinite(keys) & np.isfinite(values)
    return decided_levels(keys[known], levels), values[known]


def _numbers(levels: Sequence[Band]) -> list[int]:
    """Return the number of each level: what its band is called, or else its place."""
    named = [band.label for band in levels]
    if len(set(named)) == len(named) and all(name.isdecimal() for name in named):
        return [int(name) for name in named]
    return list(range(len(levels)))


def confusion_drawing(figure: Figure, runs: Sequence[FigureData], drawing: Drawing) -> Drawing:
    """Return images of how often a cell that was to hold one level is read as another, one a run."""
    images = []
    for run in runs:
        levels, counts = _counted(figure, run)
        wrong = int(counts.sum() - np.trace(counts))
        name = f"{wrong} of {counts.sum()} misread"
        if len(runs) > 1:  # beside one another there is room for few words
            name = f"{run.run}: {100.0 * wrong / max(int(counts.sum()), 1):.2g} % misread"
        images.append(MapImage(name, row_shares(counts), levels, levels, counts))
    if not any(image.counts is not None and image.counts.any() for image in images):
        return replace(drawing, nothing="no cell whose level is known")
    y, lines = AxisText("share of the cells of a wanted level"), ("read level", "wanted level")
    return replace(drawing, images=tuple(images), y=y, lines=lines, limits=(0.0, 1.0))


def _counted(figure: Figure, run: FigureData) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the levels, and the counts."""
    if figure.maps:
        bands = in_order(figure.bands)
        targets, values = _cells(run, bands)
        result = decided_levels(values, bands)
        return np.array(_numbers(bands), dtype=np.int64), confusion(targets, result, len(bands))
    x, y = (np.concatenate([getattr(group, axis) for group in run.groups]) for axis in "xy")
    known = np.isfinite(x) & np.isfinite(y)
    levels, places = np.unique(np.rint(np.stack((x[known], y[known]))), return_inverse=True)
    targets, result = places.reshape(2, -1)
    return levels.astype(np.int64), confusion(targets, result, len(levels))


def correlation_marks(runs: Sequence[FigureData]) -> list[Mark]:
    """Return the correlation along rows and along columns, and the lines between which 95 % of maps without any lie."""

    def clipped(errors: Floats) -> Floats:
        """Cut errors to the ends of their scale: a few lost cells must not hide what all others have in common."""
        extent = statistics.signed_extent(errors[np.isfinite(errors)])
        return np.clip(errors, -extent, extent)

    curves: list[Mark] = []
    bands: list[Mark] = []
    for place, run in enumerate(runs):
        for number, (axis, direction) in enumerate(DIRECTIONS):
            lags, correlations, band = statistics.autocorrelation(
                [clipped(image.values) for image in run.images], axis
            )
            if not lags.size:
                continue
            alone = len(runs) == 1
            colour = palette.of_series(number) if alone else run.colour or palette.of_series(place)
            named = direction if alone else f"{run.run}, {direction}"
            dash = "solid" if alone else DASHES[number]
            curves.append(Mark("line", named, lags, correlations, colour, dash=dash, marker=MARKERS[number]))
            faint = colour if alone else palette.IDEAL  # of several runs, they are not taken for curves
            bands += (Mark("line", "", lags, ends, faint, dash="dot", front=False) for ends in (band, -band))
    if bands:
        bands[-1] = replace(bands[-1], label="95 % of maps without any")
    return [*curves, *bands]


FEW = 60  # up to so many points of a curve each has a marker
QUARTILES_TOLD = 4  # distributions up to which the legend has the quartiles of each
ROOM_FOR_NAMES = 2.6
"""How much further an axis reaches than its curves, so that a legend does not lie on them."""

STEPS = 2000  # of a distribution
PLACES = 1000  # at which quartiles are drawn
MOST_TOLD = 3  # fits that are missing
FOR_COLUMN = {"residual": palette.RESIDUAL, "relative error": palette.RELATIVE_ERROR}
"""Colours of what stands for the same thing everywhere."""


def compose(figure: Figure, runs: Sequence[FigureData]) -> Drawing:
    """Return the drawing of a figure of a run, or of several runs in the same axes."""
    title = visible(figure.heading, lines=False)
    shown = [drawable(run) for run in runs if not run.nothing]
    if not shown:
        return Drawing(title, nothing=runs[0].nothing)
    note = "; ".join(dict.fromkeys(run.note.lstrip(";, ") for run in shown if run.note))
    drawing = replace(without_marks(figure, shown[0]), note=note)
    if figure.drawn_kind == "map":
        if len(shown) > 1:
            shown = [
                replace(run, images=tuple(replace(one, name=f"{run.run}: {one.name}") for one in run.images))
                for run in shown
            ]
        return with_images(drawing, [image for run in shown for image in run.images], shown[0].codes)
    if figure.drawn_kind == "confusion":
        return confusion_drawing(figure, shown, replace(drawing, bands=()))
    shown = magnitudes(figure, shown)
    drawing = replace(drawing, x=shown[0].x, y=shown[0].y)
    marks: Sequence[Mark]
    fit_notes = FitNotes()
    if figure.drawn_kind == "histogram":
        marks = _histogram(figure, shown, fit_notes)
    elif figure.drawn_kind == "distribution":
        marks = _distribution(figure, shown, fit_notes)
        drawing = replace(drawing, y=AxisText("share of values"))
    elif figure.drawn_kind == "share":
        marks = [*references(figure, shown), *share_marks(figure, shown)]
        if figure.maps:  # the windows are of values, and the axis has levels
            drawing = replace(
                drawing, x=AxisText("level"), y=AxisText("share inside the window"), bands=(), counts=True
            )
    elif figure.drawn_kind == "correlation":
        marks = correlation_marks(shown)
        extent = ROOM_FOR_NAMES * max((float(np.abs(mark.y).max()) for mark in marks), default=1.0)
        named = replace(drawing, x=AxisText("lines apart"), y=AxisText("correlation"), counts=True)
        drawing = replace(named, limits=(-extent, extent))
    else:
        marks = [*references(figure, shown), *_beside(figure, shown), *_curves(figure, shown, fit_notes)]
    if not any(is_seen(mark, drawing) for mark in marks):
        return Drawing(title, nothing="nothing that these axes can show")
    return fit_notes.added_to(
        replace(drawing, marks=with_visible_labels(marks), levels=levels(figure, shown))
    )


def without_marks(figure: Figure, data: FigureData) -> Drawing:
    """Return the drawing of a figure before anything is drawn: title, bands, axes and scales."""
    return Drawing(
        visible(figure.heading, lines=False), bands=with_visible_labels(figure.bands), signed=bool(figure.subtrahends),
        x=data.x, y=data.y, x_scale=figure.x_scale, y_scale=figure.y_scale, counts=data.counts,
        grey=figure.colours == GREY, equal=figure.equal,
    )  # fmt: skip


def with_visible_labels(labelled: Iterable[LabelledT]) -> tuple[LabelledT, ...]:
    """Return marks or bands whose labels hold no character that cannot be seen."""
    return tuple(replace(one, label=visible(one.label, lines=False)) for one in labelled)


def with_images(
    drawing: Drawing, images: Sequence[MapImage], codes: Mapping[int, str] | None = None
) -> Drawing:
    """Return a drawing of images; where they show both signs, zero is in the middle of their scale."""
    values = np.concatenate([np.empty(0), *(image.values.ravel() for image in images)])
    signed = drawing.signed or (not codes and statistics.is_signed(values))
    return replace(drawing, images=tuple(images), signed=signed, codes=codes or {})


def drawable(run: FigureData) -> FigureData:
    """Drop numbers that are too large for an axis."""
    images = tuple(replace(one, values=bounded(one.values)) for one in run.images)
    return replace(_points_changed(run, bounded, bounded), images=images)


def _points_changed(
    run: FigureData, x: Callable[[Floats], Floats], y: Callable[[Floats], Floats]
) -> FigureData:
    """Return data with other x and y of their curves, and of those beside."""
    groups, beside = (
        tuple(replace(one, x=x(one.x), y=y(one.y)) for one in points) for points in (run.groups, run.beside)
    )
    return replace(run, groups=groups, beside=beside)


def is_seen(mark: Mark, drawing: Drawing) -> bool:
    """Return whether a mark has a point that the axes can show."""
    if mark.shape == "bars":
        return bool(mark.y.any())
    seen = np.isfinite(mark.x) & np.isfinite(mark.y)
    for scale, values in ((drawing.x_scale, mark.x), (drawing.y_scale, mark.y)):
        seen &= (values > 0.0) | (scale != "log")
    return bool(seen.any())


def magnitudes(figure: Figure, runs: Sequence[FigureData]) -> list[FigureData]:
    """Make what a logarithmic axis shows positive, and say so in the axis' name; what is 0 cannot be shown."""

    def positive(values: Floats) -> Floats:
        return np.where(np.abs(values) > 0.0, np.abs(values), np.nan)

    def same(values: Floats) -> Floats:
        return values

    log_x = figure.x_scale == "log"
    log_y = figure.y_scale == "log" and figure.drawn_kind not in (*COUNTS, "share")
    if not (log_x or log_y):
        return list(runs)
    groups = [group for run in runs for group in run.groups]
    signed_x = log_x and any(bool((group.x < 0.0).any()) for group in groups)
    signed_y = log_y and any(bool((group.y < 0.0).any()) for group in groups)
    return [
        replace(
            _points_changed(run, positive if log_x else same, positive if log_y else same),
            x=replace(run.x, name=f"|{run.x.name}|") if signed_x else run.x,
            y=replace(run.y, name=f"|{run.y.name}|") if signed_y else run.y,
        )
        for run in runs
    ]


# --- curves ---


def _curves(figure: Figure, runs: Sequence[FigureData], fit_notes: FitNotes) -> list[Mark]:
    marks: list[Mark] = []
    count = sum(len(run.groups) for run in runs)
    for place, run in enumerate(runs):
        for number, group in enumerate(run.groups):
            style = _style(figure, runs, place, number, count)
            curve = _curve(figure, group, style, count)
            if figure.fit and count <= CURVES_NAMED:
                marks += fit_notes.with_fit(curve, fitted_curve(figure, run.x, run.y, curve))
            else:
                marks.append(curve)
    return marks


def _beside(figure: Figure, runs: Sequence[FigureData]) -> list[Mark]:
    """Return what curves are compared with, grey and behind them; of several runs it is named once."""
    marks: list[Mark] = []
    for run in runs:
        for group in run.beside:
            label = group.label * (not marks)
            style = Mark("line", label, group.x, group.y, palette.FAINT, opacity=0.6, front=False)
            marks.append(_curve(figure, group, style, len(run.beside)))
    return marks


def _style(figure: Figure, runs: Sequence[FigureData], place: int, number: int, count: int) -> Mark:
    """Return an empty mark with label and colour: of a run alone by its groups, of several by the run."""
    run = runs[place]
    label = run.groups[number].label
    nothing = np.empty(0)
    alone = len(runs) == 1
    if alone and count > CURVES_NAMED:
        colour = palette.along(number / (count - 1))
        return Mark("line", "", nothing, nothing, colour, opacity=0.8, front=False)
    colour = FOR_COLUMN.get(label) or palette.of_series(number)
    mark = Mark("line", label, nothing, nothing, colour, marker=MARKERS[number % len(MARKERS)])
    if alone:
        return mark if label else replace(mark, marker="circle")
    named = ", ".join(filter(None, (run.run, label)))
    if count > CURVES_NAMED:
        named = run.run if number == len(run.groups) - 1 else ""
    dash = DASHES[number % len(DASHES)] if len(figure.values) > 1 and not figure.groups else "solid"
    colour = _of_run(run, place)
    fainter = bool(figure.groups) or len(figure.values) < 2  # dashes tell columns apart
    opacity = 0.3 + 0.7 * (number + 1) / len(run.groups) if fainter else 1.0
    return replace(mark, label=named, colour=colour, dash=dash, opacity=opacity, marker="circle")


def _curve(figure: Figure, group: PointGroup, style: Mark, count: int) -> Mark:
    kind = figure.drawn_kind
    if kind == "errorbars":
        x, low, middle, high = statistics.quartiles_over(group.x, group.y, PLACES)
        return replace(style, shape="whiskers", x=x, y=middle, low=low, high=high)
    x, y = group.x, group.y
    if figure.start is not None:
        x, y = np.append(figure.start[0], x), np.append(figure.start[1], y)
    most = max(POINTS // count, 100)
    if len(y) > most + 2:
        places = extremes(y, -(-2 * len(y) // most))
        x, y = x[places], y[places]
    shape = {"scatter": "points", "steps": "steps"}.get(kind, "line")
    known = int((np.isfinite(x) & np.isfinite(y)).sum())
    if shape == "line" and known <= 1:
        shape = "points"
    return replace(style, shape=shape, x=x, y=y, marker=style.marker if known <= FEW and style.front else "")


@dataclass
class FitNotes:
    """What fits say below a figure, and why there are none."""

    fits: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def with_fit(self, curve: Mark, fit: Fitted) -> list[Mark]:
        """Return a curve with the numbers behind its label, and the fitted line."""
        if fit.line is None:
            self.missing.append(": ".join(filter(None, (curve.label, f"no fit, {fit.missing}"))))
            return [curve]
        name = curve.label.partition(":")[0]
        self.fits.append(": ".join(filter(None, (name, fit.full))))
        return [replace(curve, label=f"{curve.label}: {fit.short}" if curve.label else fit.short), fit.line]

    def added_to(self, drawing: Drawing) -> Drawing:
        """Return a drawing that says it."""
        missing = list(dict.fromkeys(self.missing))
        note = "; ".join(filter(None, (drawing.note, *missing[:MOST_TOLD], "…" * (len(missing) > MOST_TOLD))))
        return replace(drawing, note=visible(note, lines=False), fits=tuple(self.fits))


# --- counts ---


def _histogram(figure: Figure, runs: Sequence[FigureData], fit_notes: FitNotes) -> Sequence[Mark]:
    values = [np.concatenate([np.empty(0), *(group.x for group in run.groups)]) for run in runs]
    widths = [band.high - band.low for band in figure.bands if band.low is not None and band.high is not None]
    edges = statistics.bin_edges(
        np.concatenate(values),
        log=figure.x_scale == "log",
        band=float(np.median(widths)) if widths and figure.x_scale != "log" else None,
        width=None if figure.bands or not figure.groups else _group_width(runs),
    )

    def bars(values: Floats, label: str, colour: str) -> Mark:
        heights, _ = np.histogram(values[np.isfinite(values)], edges)
        return Mark("bars", label, edges, heights.astype(float), colour)

    def with_fits(marks: Sequence[Mark], of: Sequence[Floats]) -> Sequence[Mark]:
        if not figure.fit or len(of) > CURVES_NAMED:
            return marks
        result: list[Mark] = []
        for mark, one in zip(marks, of, strict=False):
            law = fitted_counts(figure, runs[0].x, one, replace(mark, colour=palette.IDEAL), edges)
            result += fit_notes.with_fit(mark, law)
        return [*result, *marks[len(of) :]]

    if len(runs) > 1:
        marks = [
            replace(bars(one, _with_quartiles(run, one), _of_run(run, place)), opacity=0.5)
            for place, (run, one) in enumerate(zip(runs, values, strict=True))
        ]
        return with_fits(marks, values)
    (run,) = runs
    if figure.bands or not figure.groups:
        every = bars(values[0], f"{np.isfinite(values[0]).sum()} {run.y.name}", palette.INSIDE)
        values_out, _ = outside(figure, run.groups)
        strays = bars(values_out, f"{values_out.size} outside their {window(figure)}", palette.OUTSIDE)
        return with_fits((every, strays) if values_out.size else (every,), values)
    count = len(run.groups)
    named = count <= CURVES_NAMED
    colours = [palette.of_series(one) if named else palette.along(one / (count - 1)) for one in range(count)]
    marks = [
        replace(bars(group.x, group.label if named else "", colour), opacity=0.6)
        for group, colour in zip(run.groups, colours, strict=True)
    ]
    return with_fits(marks, [group.x for group in run.groups])


def _group_width(runs: Sequence[FigureData]) -> float | None:
    """Return the median of the width of bins that each group asks for: what separates groups must not widen them."""
    known = [group.x[np.isfinite(group.x)] for run in runs for group in run.groups]
    widths = [width for one in known if one.size and (width := statistics.bin_width(one)) > 0.0]
    return float(np.median(widths)) if widths else None


def window(figure: Figure) -> str:
    """Return what the bands of a figure are called."""
    return "window" if figure.maps else "band"


def outside(figure: Figure, groups: Sequence[PointGroup]) -> tuple[Floats, int]:
    """Return the values that do not lie in the band of their group, and how many values have one."""
    result, judged = [np.empty(0)], 0
    for group in groups if figure.groups else ():
        mine = [band for band in figure.bands if _within(np.array([group.key]), band)[0]]
        if mine:
            result.append(group.x[~_within(group.x, mine[0])])
            judged += group.x.size
    return np.concatenate(result), judged


def _within(values: Floats, band: Band) -> NDArray[np.bool_]:
    low, high = _ends(band)
    return (values >= low) & (values <= high)


def _ends(band: Band) -> tuple[float, float]:
    """Return the ends of a band; infinite where it has none."""
    return -np.inf if band.low is None else band.low, np.inf if band.high is None else band.high


def _distribution(figure: Figure, runs: Sequence[FigureData], fit_notes: FitNotes) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    count = sum(len(run.groups) for run in runs)
    for place, run in enumerate(runs):
        for number, group in enumerate(run.groups):
            style = _style(figure, runs, place, number, count)
            x, share = statistics.cumulative(group.x, max(STEPS // count, 50))
            if figure.y_scale == PROBABILITY:
                share = statistics.normal_quantile(share)
            label = style.label
            if figure.bands and figure.maps and len(runs) == 1:
                label = ""  # the bands are named
            elif (label or count == 1) and count <= QUARTILES_TOLD:
                label = _with_quartiles(run, group.x, label)
            shape = "points" if figure.y_scale == PROBABILITY else "steps"
            mark = replace(style, shape=shape, label=label, x=x, y=share, marker="")
            if figure.fit and count <= CURVES_NAMED:
                marks += fit_notes.with_fit(mark, fitted_counts(figure, run.x, group.x, style))
            else:
                marks.append(mark)
    return tuple(marks)


def _with_quartiles(run: FigureData, values: Floats, label: str | None = None) -> str:
    """Return a label with median and quartiles in a handy unit."""
    factor, unit = handy_unit(run.x.unit)
    low, middle, high = (f"{factor * one:.3g}" for one in statistics.quartiles(values))
    text = f"{middle} ({low} to {high}) {unit}".rstrip()
    name = run.run if label is None else label
    return f"{name}: {text}" if name else text


def _of_run(run: FigureData, place: int) -> str:
    return run.colour or palette.of_series(place)
