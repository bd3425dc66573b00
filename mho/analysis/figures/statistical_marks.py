"""What is drawn of statistics: shares with their intervals, the confusion of levels, the spatial correlation of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.marks import BELOW, DASHES, MARKERS, Drawing, Mark
from mho.analysis.figures.values.figure_data import AxisText, FigureData, MapImage
from mho.analysis.figures.values.level_counts import confusion, decided_levels, in_order, row_shares, shares
from mho.analysis.figures.values.spatial_correlation import autocorrelation
from mho.analysis.figures.values.statistics import signed_extent
from mho.runs.figures import Band, Figure

Floats = NDArray[np.float64]

DIRECTIONS = ((1, "along rows"), (0, "along columns"))


def share_marks(figure: Figure, runs: Sequence[FigureData]) -> list[Mark]:
    """Return points with the interval of each share, one curve a group, or a run."""
    marks: list[Mark] = []
    for place, run in enumerate(runs):
        curves = _shares_of_levels(figure, run) if figure.maps else _shares_of_table(run)
        for number, (label, (x, share, low, high)) in enumerate(curves):
            shown = number if len(runs) == 1 else place
            named = ", ".join(filter(None, (run.run if len(runs) > 1 else "", label)))
            colour = run.colour if len(runs) > 1 and run.colour else _colour(shown)
            marks.append(
                Mark(
                    "whiskers", named, x, share, colour, low=low, high=high,
                    marker=MARKERS[shown % len(MARKERS)], dash=DASHES[number % len(DASHES)],
                )
            )  # fmt: skip
            none = share == 0.0
            if figure.y_scale == "log" and none.any():  # no place for 0, but for what it is below
                marks.append(Mark("points", "", x[none], high[none], colour, marker=BELOW))
    if any(mark.marker == BELOW for mark in marks):
        last = max(number for number, mark in enumerate(marks) if mark.marker == BELOW)
        marks[last] = replace(marks[last], label="none found, upper end of 95 %")
    return marks


def _colour(number: int) -> str:
    return palette.SERIES[number % len(palette.SERIES)]


def _shares_of_table(run: FigureData) -> list[tuple[str, tuple[Floats, Floats, Floats, Floats]]]:
    """Return the shares of each group; groups come in pairs, how many and of how many."""
    pairs = zip(run.groups[::2], run.groups[1::2], strict=True)
    return [(found.label, shares(found.x, found.y, of.y)) for found, of in pairs]


def _shares_of_levels(
    figure: Figure, run: FigureData
) -> list[tuple[str, tuple[Floats, Floats, Floats, Floats]]]:
    """Return the share of the cells of each level that lie in its window."""
    levels = in_order(figure.bands)
    wanted, values = _cells(run, levels)
    low = np.array([-np.inf if band.low is None else band.low for band in levels])[wanted]
    high = np.array([np.inf if band.high is None else band.high for band in levels])[wanted]
    inside = (values >= low) & (values <= high)
    numbers = np.array(_numbers(levels), dtype=float)[wanted]
    return [("", shares(numbers, inside.astype(float), np.ones(len(values))))]


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
    return replace(
        drawing,
        images=tuple(images),
        y=AxisText("share of the cells of a wanted level"),
        lines=("read level", "wanted level"),
        limits=(0.0, 1.0),
    )


def _counted(figure: Figure, run: FigureData) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the levels, and the counts."""
    if figure.maps:
        bands = in_order(figure.bands)
        wanted, values = _cells(run, bands)
        found = decided_levels(values, bands)
        return np.array(_numbers(bands), dtype=np.int64), confusion(wanted, found, len(bands))
    x, y = (np.concatenate([getattr(group, axis) for group in run.groups]) for axis in "xy")
    known = np.isfinite(x) & np.isfinite(y)
    levels, places = np.unique(np.rint(np.stack((x[known], y[known]))), return_inverse=True)
    wanted, found = places.reshape(2, -1)
    return levels.astype(np.int64), confusion(wanted, found, len(levels))


def correlation_marks(runs: Sequence[FigureData]) -> list[Mark]:
    """Return the correlation along rows and along columns, and the lines between which 95 % of maps without any lie."""
    curves: list[Mark] = []
    bands: list[Mark] = []
    for place, run in enumerate(runs):
        for number, (axis, direction) in enumerate(DIRECTIONS):
            lags, found, band = autocorrelation([_clipped(image.values) for image in run.images], axis)
            if not lags.size:
                continue
            alone = len(runs) == 1
            colour = _colour(number) if alone else run.colour or _colour(place)
            named = direction if alone else f"{run.run}, {direction}"
            dash = "solid" if alone else DASHES[number]
            curves.append(Mark("line", named, lags, found, colour, dash=dash, marker=MARKERS[number]))
            faint = colour if alone else palette.IDEAL  # of several runs, they are not taken for curves
            bands += (Mark("line", "", lags, ends, faint, dash="dot", front=False) for ends in (band, -band))
    if bands:
        bands[-1] = replace(bands[-1], label="95 % of maps without any")
    return [*curves, *bands]


def _clipped(errors: Floats) -> Floats:
    """Return errors cut to the ends of their scale: a few lost cells must not hide what all others have in common."""
    extent = signed_extent(errors[np.isfinite(errors)])
    return np.clip(errors, -extent, extent)
