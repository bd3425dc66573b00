"""A figure over groups of runs as marks: in one axes, a panel a group, or a crowd of medians; and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.drawing import Said, drawable, is_seen, magnitudes
from mho.analysis.figures.fitting import fitted_curve
from mho.analysis.figures.marks import Drawing, Mark
from mho.analysis.figures.over_runs import counting
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
    MOST_INNER,
    MOST_PANELS,
    Compared,
    RunsOfGroup,
    StyledGroups,
)
from mho.analysis.figures.over_runs.median_images import median_images
from mho.analysis.figures.over_runs.pooled_statistics import pooled_statistics
from mho.analysis.figures.over_runs.reading import Kept
from mho.analysis.figures.references import levels, references
from mho.analysis.figures.values.figure_data import AxisText, FigureData
from mho.escaping import visible
from mho.runs.figures import COUNTS, GREY, RUNS, STATISTICS, Figure

Floats = NDArray[np.float64]

MOST_BANDS = 10
"""Bands in one axes; with more, each group has a panel of its own."""


MOST_TOLD = 2
"""Remarks of single runs."""


def compare(
    figure: Figure, groups: Sequence[RunsOfGroup], *, panels: bool = False, ratio: bool = False
) -> Compared:
    """Return the marks of a figure over groups of runs.

    Parameters
    ----------
    groups : sequence of RunsOfGroup
        At least one; those without data are named in the note.
    panels : bool
        One panel a group, also where they fit into one axes.
    ratio : bool
        Of curves, below them their ratio to the first group's median at equal x.
    """
    title = visible(figure.heading, lines=False)
    groups = [replace(one, label=visible(one.label, lines=False)) for one in groups]
    shown = [
        replace(group, kept=tuple(_magnitude(figure, one) for one in group.kept if not one.data.nothing))
        for group in groups
    ]
    empty = [group.label for group in shown if not group.kept]
    shown = [group for group in shown if group.kept]
    notes = [f"nothing of {', '.join(empty)}"] if empty and shown else []
    if not shown:
        why = next((one.data.nothing for group in groups for one in group.kept), "nothing measured")
        return Compared(title, "", (Drawing(title, nothing=why),))
    notes += _told(shown)
    base = _base(figure, title, shown)
    if figure.drawn_kind == "map":
        return median_images(base, shown, notes)
    if figure.drawn_kind in STATISTICS:
        return pooled_statistics(figure, shown, notes)
    if any(group.unfinished for group in shown):
        notes.append("† not finished")
    inner, pooled_inside = _inner(shown)
    if pooled_inside:
        notes.append(
            f"{pooled_inside} {'groups' if figure.drawn_kind in COUNTS else 'curves'} of a run pooled"
        )
    if figure.drawn_kind == "histogram" or figure.drawn_kind == "scatter":
        inner = ("",)
    apart = panels or len(shown) * len(inner) > MOST_BANDS
    crowd = not panels and len(shown) > MOST_PANELS
    if apart and not crowd:
        if len(shown) > MOST_PANELS:
            notes.append(f"{MOST_PANELS} of {len(shown)} groups")
        shown = shown[:MOST_PANELS]
    if crowd:
        inner, apart = ("",), False
        notes.append(
            f"medians of {len(shown)} groups, from {shown[0].label} (dark) to {shown[-1].label} (light)"
        )
    drawn = StyledGroups(figure, tuple(shown), inner, apart=apart and len(shown) > 1, crowd=crowd)
    return _Marked(base, drawn).compared(title, notes, ratio=ratio)


def _told(groups: Sequence[RunsOfGroup]) -> list[str]:
    """Return what was said when the runs were read, each once; how many curves there are is said of all together."""
    told = dict.fromkeys(
        one
        for group in groups
        for kept in group.kept
        for one in kept.data.note.lstrip(";, ").split("; ")
        if one
    )
    notes = [one for one in told if not re.fullmatch(r"\d+ (curves|groups|columns)", one)]
    return notes[:MOST_TOLD] + ["…"] * (len(notes) > MOST_TOLD)


def _magnitude(figure: Figure, kept: Kept) -> Kept:
    (data,) = magnitudes(figure, [drawable(kept.data)])
    return replace(kept, data=data)


def _base(figure: Figure, title: str, groups: Sequence[RunsOfGroup]) -> Drawing:
    every = [one.data for group in groups for one in group.kept]
    first = every[0]
    x = next((one.x for one in every if one.x.name.startswith("|")), first.x)
    y = next((one.y for one in every if one.y.name.startswith("|")), first.y)
    return Drawing(
        title,
        bands=tuple(replace(band, label=visible(band.label, lines=False)) for band in figure.bands),
        signed=bool(figure.subtrahends),
        x=x,
        y=y,
        x_scale=figure.x_scale,
        y_scale=figure.y_scale,
        counts=first.counts,
        grey=figure.colours == GREY,
        equal=figure.equal,
    )


def _inner(groups: Sequence[RunsOfGroup]) -> tuple[tuple[str, ...], int]:
    """Return the labels of the curves in a run that are kept apart, and how many are pooled instead."""
    labels = dict.fromkeys(
        points.label for group in groups for one in group.kept for points in one.data.groups
    )
    if len(labels) <= MOST_INNER:
        return tuple(labels), 0
    return ("",), max(len(one.data.groups) for group in groups for one in group.kept)


@dataclass(frozen=True)
class _Marked:
    """A drawing without marks, and the groups whose marks it gets."""

    base: Drawing
    drawn: StyledGroups

    def compared(self, title: str, notes: list[str], *, ratio: bool) -> Compared:
        kind = self.drawn.figure.drawn_kind
        ratios: list[Drawing] = []
        base, said = self.base, Said()
        if kind == "histogram":
            base = (
                replace(base, y=AxisText(f"{base.y.name} a run")) if self.drawn.figure.table != RUNS else base
            )
            marks = counting.histograms(self.drawn.figure, self.drawn.groups, self.drawn.colour, said)
        elif kind == "distribution":
            base = replace(base, y=AxisText("share of values"))
            marks = counting.distributions(
                self.drawn.figure, self.drawn.groups, self.drawn.inner, self.drawn.style, said
            )
        elif self.drawn.figure.table == RUNS:
            marks = [points_and_whiskers(self.drawn, place) for place in range(len(self.drawn.groups))]
        elif kind == "scatter":
            marks = [scattered(self.drawn, place) for place in range(len(self.drawn.groups))]
        elif kind == "errorbars":
            marks = [whiskers(self.drawn, place) for place in range(len(self.drawn.groups))]
        else:
            curves, ways = pooled_curves(self.drawn)
            marks = [
                [mark for one in curves if one.group == place for mark in curve_marks(self.drawn, one)]
                for place in range(len(self.drawn.groups))
            ]
            notes += missing_runs(self.drawn, curves) + ways
            if ratio and len(self.drawn.groups) > 1:
                ratios = self._ratios(curves)
        if ratio and not ratios:
            notes.append("a ratio is drawn of curves of two groups or more")
        if self.drawn.figure.fit and kind not in COUNTS and not self.drawn.crowd:
            marks = [self._with_fits(place, mine, said) for place, mine in enumerate(marks)]
        notes += list(dict.fromkeys(said.missing))[:MOST_TOLD]
        panels = self._panels(base, marks)
        if len(self.drawn.inner) > 1 and not self.drawn.apart and not self.drawn.crowd:
            panels = [replace(panel, marks=(*panel.marks, *self._names_of_inner())) for panel in panels]
        if not any(panel.marks for panel in panels):
            return Compared(title, "", (Drawing(title, nothing="nothing that these axes can show"),))
        return Compared(title, "; ".join(notes), tuple(panels), tuple(ratios), fits=tuple(said.fits))

    def _with_fits(self, place: int, marks: Sequence[Mark], said: Said) -> list[Mark]:
        """Return the marks of a group and the fits to all points of its runs."""
        found, group = list(marks), self.drawn.groups[place]
        for number, inner in enumerate(self.drawn.inner):
            points = [curve for kept in group.kept for curve in self.drawn.of_inner(kept, number)]
            x, y = (
                np.concatenate([np.empty(0), *axis])
                for axis in ([x for x, _ in points], [y for _, y in points])
            )
            curve = replace(
                self.drawn.style(place, number), label=", ".join(filter(None, (group.label, inner))), x=x, y=y
            )
            fit = fitted_curve(self.drawn.figure, self.base.x, self.base.y, curve)
            _, *lines = said.with_fit(curve, fit)
            if len(self.drawn.inner) == 1 and fit.short:
                found = [
                    replace(one, label=f"{one.label}: {fit.short}") if one.label else one for one in found
                ]
            found += lines
        return found

    def _names_of_inner(self) -> list[Mark]:
        """Return marks without points that name the curves of a run in the legend: dashes tell them apart."""
        nowhere = np.array([np.nan])
        return [
            replace(self.drawn.style(0, number), label=label, colour=palette.IDEAL, x=nowhere, y=nowhere)
            for number, label in enumerate(self.drawn.inner)
        ]

    def _ratios(self, curves: Sequence[Curve]) -> list[Drawing]:
        """Return the drawings of the ratio to the first group, in the order of the panels."""
        marks = ratio_marks(self.drawn, curves)
        middles = np.concatenate([mark.y for group in marks for mark in group] or [np.empty(0)])
        known = middles[np.isfinite(middles) & (middles > 0.0)]
        wide = (
            bool(known.size) and self.drawn.figure.y_scale == "log" and float(np.ptp(np.log10(known))) > 0.7
        )
        base = replace(
            self.base, title="", bands=(), y=AxisText(f"ratio to {self.drawn.groups[0].label}"),
            y_scale="log" if wide else "linear",
        )  # fmt: skip
        return [replace(one, title="") for one in self._panels(base, marks, with_levels=False)]

    def _panels(
        self, base: Drawing, marks: Sequence[Sequence[Mark]], *, with_levels: bool = True
    ) -> list[Drawing]:
        """Return one drawing of all groups, or one a group, with the reference lines of their runs."""
        whole = [[one.data for one in group.kept] for group in self.drawn.groups]
        if not self.drawn.apart:
            return [
                self._panel(
                    base,
                    [mark for group in marks for mark in group],
                    [run for runs in whole for run in runs],
                    with_levels,
                )
            ]
        return [
            self._panel(replace(base, title=group.name), list(mine), runs, with_levels)
            for group, mine, runs in zip(self.drawn.groups, marks, whole, strict=True)
        ]

    def _panel(self, base: Drawing, marks: list[Mark], runs: list[FigureData], with_levels: bool) -> Drawing:
        lines = (
            references(self.drawn.figure, runs)
            if with_levels and self.drawn.figure.drawn_kind not in COUNTS
            else []
        )
        if self.drawn.apart:  # one legend names the lines of all panels
            lines = [replace(line, label=line.label.partition(" = ")[0]) for line in lines]
        named = [replace(mark, label=visible(mark.label, lines=False)) for mark in [*lines, *marks]]
        if not any(is_seen(mark, base) for mark in marks):
            return replace(base, nothing="nothing that these axes can show")
        return replace(
            base, marks=tuple(named), levels=levels(self.drawn.figure, runs) if with_levels else ()
        )
