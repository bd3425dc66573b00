"""A figure over groups of runs as marks: each group a median with the band between the quartiles of its runs.

Bands are those of the runs: half of the runs lie within. Where fewer runs remain (a solve that converged earlier), a
curve is paler, and it ends where fewer than half of its runs do: a run that has ended is not carried on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.drawing import Said, drawable, is_seen, magnitudes
from mho.analysis.figures.fitting import fitted_curve
from mho.analysis.figures.marks import DASHES, MARKERS, Drawing, Mark
from mho.analysis.figures.over_runs import counting
from mho.analysis.figures.over_runs.groups_of_runs import (
    FEWEST,
    MOST_INNER,
    MOST_PANELS,
    SHADE,
    Compared,
    RunsOfGroup,
)
from mho.analysis.figures.over_runs.median_images import median_images
from mho.analysis.figures.over_runs.pooled_statistics import pooled_statistics
from mho.analysis.figures.over_runs.reading import Kept
from mho.analysis.figures.references import levels, references
from mho.analysis.figures.values.figure_data import AxisText, FigureData
from mho.analysis.figures.values.pooling import (
    Places,
    Points,
    Pooled,
    common_places,
    pool_curves,
)
from mho.analysis.figures.values.statistics import quartiles_over
from mho.escaping import visible
from mho.runs.figures import COUNTS, RUNS, STATISTICS, Figure

Floats = NDArray[np.float64]

MOST_BANDS = 10
"""Bands in one axes; with more, each group has a panel of its own."""


MOST_TOLD = 2
"""Remarks of single runs."""

PALE = 0.09
"""Opacity of the part of a band where runs are missing."""

FEW = 40
"""Up to so many points of a curve each has a marker."""

SCATTERED = 20_000
"""Points of a scatter figure at most."""

PLACES = 1000


@dataclass(frozen=True)
class Curve:
    """The pooled curve of one group: `inner` is the number of the curve within a run."""

    group: int
    inner: int
    pooled: Pooled
    runs: int


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
    drawn = _Drawn(figure, base, shown, inner, apart=apart and len(shown) > 1, crowd=crowd)
    return drawn.compared(title, notes, ratio=ratio)


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
class _Drawn:
    """The marks of curves, points or counts."""

    figure: Figure
    base: Drawing
    groups: Sequence[RunsOfGroup]
    inner: tuple[str, ...]
    apart: bool
    crowd: bool

    def compared(self, title: str, notes: list[str], *, ratio: bool) -> Compared:
        kind = self.figure.drawn_kind
        ratios: list[Drawing] = []
        base, said = self.base, Said()
        if kind == "histogram":
            base = replace(base, y=AxisText(f"{base.y.name} a run")) if self.figure.table != RUNS else base
            marks = counting.histograms(self.figure, self.groups, self.colour, said)
        elif kind == "distribution":
            base = replace(base, y=AxisText("share of values"))
            marks = counting.distributions(self.figure, self.groups, self.inner, self.style, said)
        elif self.figure.table == RUNS:
            marks = [self._points_and_whiskers(place) for place in range(len(self.groups))]
        elif kind == "scatter":
            marks = [[self._points(place)] for place in range(len(self.groups))]
        elif kind == "errorbars":
            marks = [self._whiskers(place) for place in range(len(self.groups))]
        else:
            curves, ways = self._curves()
            marks = [
                [mark for one in curves if one.group == place for mark in self._marks(one)]
                for place in range(len(self.groups))
            ]
            notes += self._missing(curves) + ways
            if ratio and len(self.groups) > 1:
                ratios = self._ratios(curves)
        if ratio and not ratios:
            notes.append("a ratio is drawn of curves of two groups or more")
        if self.figure.fit and kind not in COUNTS and not self.crowd:
            marks = [self._with_fits(place, mine, said) for place, mine in enumerate(marks)]
        notes += list(dict.fromkeys(said.missing))[:MOST_TOLD]
        panels = self._panels(base, marks)
        if len(self.inner) > 1 and not self.apart and not self.crowd:
            panels = [replace(panel, marks=(*panel.marks, *self._names_of_inner())) for panel in panels]
        if not any(panel.marks for panel in panels):
            return Compared(title, "", (Drawing(title, nothing="nothing that these axes can show"),))
        return Compared(title, "; ".join(notes), tuple(panels), tuple(ratios), fits=tuple(said.fits))

    def _with_fits(self, place: int, marks: Sequence[Mark], said: Said) -> list[Mark]:
        """Return the marks of a group and the fits to all points of its runs."""
        found, group = list(marks), self.groups[place]
        for number, inner in enumerate(self.inner):
            points = [curve for kept in group.kept for curve in self._of_inner(kept, number)]
            x, y = (
                np.concatenate([np.empty(0), *axis])
                for axis in ([x for x, _ in points], [y for _, y in points])
            )
            curve = replace(
                self.style(place, number), label=", ".join(filter(None, (group.label, inner))), x=x, y=y
            )
            fit = fitted_curve(self.figure, self.base.x, self.base.y, curve)
            _, *lines = said.with_fit(curve, fit)
            if len(self.inner) == 1 and fit.short:
                found = [
                    replace(one, label=f"{one.label}: {fit.short}") if one.label else one for one in found
                ]
            found += lines
        return found

    def colour(self, place: int) -> str:
        """Colour of a group; in panels of their own, groups are told apart by the panel."""
        if self.crowd:
            return palette.along(place / max(len(self.groups) - 1, 1))
        return palette.SERIES[place % len(palette.SERIES)]

    def style(self, place: int, number: int) -> Mark:
        """Return an empty mark of a group's curve `number`."""
        nothing = np.empty(0)
        label = self.groups[place].name
        if self.crowd:
            return Mark("line", "", nothing, nothing, self.colour(place), opacity=0.8, front=False)
        if self.apart:
            colour = (
                palette.SERIES[number % len(palette.SERIES)] if len(self.inner) > 1 else self.colour(place)
            )
            return Mark(
                "line", self.inner[number], nothing, nothing, colour, marker=MARKERS[number % len(MARKERS)]
            )
        label = label if number == 0 else ""
        marker = MARKERS[number % len(MARKERS)] if len(self.inner) > 1 else "circle"
        dash = DASHES[number % len(DASHES)]
        return Mark("line", label, nothing, nothing, self.colour(place), dash=dash, marker=marker)

    def _names_of_inner(self) -> list[Mark]:
        """Return marks without points that name the curves of a run in the legend: dashes tell them apart."""
        nowhere = np.array([np.nan])
        return [
            replace(self.style(0, number), label=label, colour=palette.IDEAL, x=nowhere, y=nowhere)
            for number, label in enumerate(self.inner)
        ]

    def _of_inner(self, kept: Kept, number: int) -> list[Points]:
        """Return the curves of a run that belong to one that is drawn."""
        start = self.figure.start
        found = []
        for points in kept.data.groups:
            if self.inner == ("",) or points.label == self.inner[number]:
                x, y = points.x, points.y
                if start is not None:
                    x, y = np.append(start[0], x), np.append(start[1], y)
                found.append((x, y))
        return found

    def _curves(self) -> tuple[list[Curve], list[str]]:
        """Pool the curves of each group on places that all groups have in common."""
        found, ways = [], []
        for number in range(len(self.inner)):
            by_group = [
                [curve for one in group.kept for curve in self._of_inner(one, number)]
                for group in self.groups
            ]
            every = [curve for curves in by_group for curve in curves]
            if not every:
                continue
            places: Places = common_places(
                every, log_x=self.figure.x_scale == "log", log_y=self.figure.y_scale == "log"
            )
            if places.way == "grid":
                ways = ["interpolated within each curve"]
            for place, curves in enumerate(by_group):
                if curves:
                    found.append(Curve(place, number, pool_curves(places, curves), len(curves)))
        return found, ways

    def _marks(self, curve: Curve) -> list[Mark]:
        style, pooled = self.style(curve.group, curve.inner), curve.pooled
        shape = "steps" if self.figure.drawn_kind == "steps" else "line"
        marks = []
        for mask, shade, opacity in (
            (pooled.count == curve.runs, SHADE, 1.0),
            ((pooled.count < curve.runs) & (2 * pooled.count >= curve.runs), PALE, 0.4),
        ):
            if not mask.any():
                continue
            # A paler part begins where the other ends, so that they meet.
            mask = mask | (_beside(mask) & (pooled.count == curve.runs)) if opacity < 1.0 else mask
            x, low, middle, high = (
                np.where(mask, one, np.nan) for one in (pooled.x, pooled.low, pooled.middle, pooled.high)
            )
            if curve.runs >= FEWEST and not self.crowd:
                marks.append(
                    replace(
                        style, shape="step band" if shape == "steps" else "band", label="", x=pooled.x, y=middle,
                        low=low, high=high, opacity=shade, marker="", front=False,
                    )
                )  # fmt: skip
            seen = int(np.isfinite(middle).sum())
            kept = np.isfinite(middle) if seen <= FEW else slice(None)
            marks.append(
                replace(
                    style, shape=shape if seen > 1 else "points", label=style.label if opacity == 1.0 else "",
                    x=(x if seen > FEW else pooled.x)[kept], y=middle[kept], opacity=style.opacity * opacity,
                    marker=style.marker if seen <= FEW else "",
                )
            )  # fmt: skip
        if marks and not any(mark.label for mark in marks):
            marks[-1] = replace(marks[-1], label=style.label)
        return marks

    def _missing(self, curves: Sequence[Curve]) -> list[str]:
        """Say of which groups runs end earlier than others, and where curves end for that."""
        paler: dict[str, str] = {}
        cut = False
        for one in curves:
            count, known = one.pooled.count, np.isfinite(one.pooled.middle)
            seen = known & (count < one.runs) & (2 * count >= one.runs)
            cut = cut or bool((known & (2 * count < one.runs)).any())
            if seen.any():
                paler[self.groups[one.group].label] = f"{int(count[seen].min())} of {one.runs}"
        if self.crowd:
            return []
        listed = ", ".join(f"{label} {said}" for label, said in list(paler.items())[:MOST_INNER])
        notes = [f"paler where some runs have ended: {listed} remain"] if paler else []
        return notes + ["a curve ends where fewer than half of its runs remain"] * cut

    def _ratios(self, curves: Sequence[Curve]) -> list[Drawing]:
        """Return the drawings of the ratio to the first group, in the order of the panels."""
        first = {one.inner: one for one in curves if one.group == 0}
        marks: list[list[Mark]] = [[] for _ in self.groups]
        for one in curves:
            if one.inner not in first:
                continue
            with np.errstate(all="ignore"):
                by = np.where(first[one.inner].pooled.middle != 0.0, first[one.inner].pooled.middle, np.nan)
                low, middle, high = (
                    values / by for values in (one.pooled.low, one.pooled.middle, one.pooled.high)
                )
            low, high = np.fmin(low, high), np.fmax(low, high)
            pooled = Pooled(one.pooled.x, low, middle, high, one.pooled.count)
            marks[one.group] += [replace(mark, label="") for mark in self._marks(replace(one, pooled=pooled))]
        middles = np.concatenate([mark.y for group in marks for mark in group] or [np.empty(0)])
        known = middles[np.isfinite(middles) & (middles > 0.0)]
        wide = bool(known.size) and self.figure.y_scale == "log" and float(np.ptp(np.log10(known))) > 0.7
        base = replace(
            self.base, title="", bands=(), y=AxisText(f"ratio to {self.groups[0].label}"),
            y_scale="log" if wide else "linear",
        )  # fmt: skip
        return [replace(one, title="") for one in self._panels(base, marks, with_levels=False)]

    def _points_and_whiskers(self, place: int) -> list[Mark]:
        """Return a point a run, and median and quartiles where several runs lie at one x."""
        marks = []
        for number in range(len(self.inner)):
            style = self.style(place, number)
            points = self._of_inner(self.groups[place].kept[0], number)
            x, y = (np.concatenate(axis) for axis in ([x for x, _ in points], [y for _, y in points]))
            distinct, counts = np.unique(x, return_counts=True)
            often = np.isin(x, distinct[counts >= FEWEST])
            repeated = int((counts >= FEWEST).sum()) > 1 or (counts >= FEWEST).all()
            dots = replace(style, shape="points", x=x, y=y, opacity=0.35 if repeated else 0.8)
            if repeated:
                at, low, middle, high = quartiles_over(x[often], y[often], PLACES)
                marks.append(replace(style, shape="whiskers", x=at, y=middle, low=low, high=high))
                dots = replace(dots, label="", marker="")
            marks.append(dots)
        return marks

    def _points(self, place: int) -> Mark:
        """Return the points of all runs of a group."""
        points = [curve for kept in self.groups[place].kept for curve in self._of_inner(kept, 0)]
        x, y = (
            np.concatenate([np.empty(0), *axis]) for axis in ([x for x, _ in points], [y for _, y in points])
        )
        most = SCATTERED // len(self.groups)
        if len(x) > most:
            rows = np.linspace(0, len(x) - 1, most).round().astype(int)
            x, y = x[rows], y[rows]
        style = self.style(place, 0)
        return replace(style, shape="points", x=x, y=y, marker="", opacity=0.5)

    def _whiskers(self, place: int) -> list[Mark]:
        """Return median and quartiles of all rows of all runs of a group at each x."""
        marks = []
        for number in range(len(self.inner)):
            points = [curve for kept in self.groups[place].kept for curve in self._of_inner(kept, number)]
            if not points:
                continue
            x, y = (np.concatenate(axis) for axis in ([x for x, _ in points], [y for _, y in points]))
            x, low, middle, high = quartiles_over(x, y, PLACES)
            style = replace(self.style(place, number), marker="circle")
            marks.append(replace(style, shape="whiskers", x=x, y=middle, low=low, high=high))
        return marks

    def _panels(
        self, base: Drawing, marks: Sequence[Sequence[Mark]], *, with_levels: bool = True
    ) -> list[Drawing]:
        """Return one drawing of all groups, or one a group, with the reference lines of their runs."""
        whole = [[one.data for one in group.kept] for group in self.groups]
        if not self.apart:
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
            for group, mine, runs in zip(self.groups, marks, whole, strict=True)
        ]

    def _panel(self, base: Drawing, marks: list[Mark], runs: list[FigureData], with_levels: bool) -> Drawing:
        lines = references(self.figure, runs) if with_levels and self.figure.drawn_kind not in COUNTS else []
        if self.apart:  # one legend names the lines of all panels
            lines = [replace(line, label=line.label.partition(" = ")[0]) for line in lines]
        named = [replace(mark, label=visible(mark.label, lines=False)) for mark in [*lines, *marks]]
        if not any(is_seen(mark, base) for mark in marks):
            return replace(base, nothing="nothing that these axes can show")
        return replace(base, marks=tuple(named), levels=levels(self.figure, runs) if with_levels else ())


def _beside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the places next to those of a mask."""
    found = np.zeros_like(mask)
    found[:-1] |= mask[1:]
    found[1:] |= mask[:-1]
    return found
