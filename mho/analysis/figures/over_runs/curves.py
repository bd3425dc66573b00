"""Curves and points of groups of runs: each group a median with the band between the quartiles of its runs.

Bands are those of the runs: half of the runs lie within. Where fewer runs remain (a solve that converged earlier), a
curve is paler, and it ends where fewer than half of its runs do: a run that has ended is not carried on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mho.analysis.figures.marks import Mark
from mho.analysis.figures.over_runs.groups_of_runs import FEWEST, MOST_INNER, SHADE, StyledGroups
from mho.analysis.figures.values.pooling import Places, Pooled, common_places, pool_curves
from mho.analysis.figures.values.statistics import quartiles_over

PALE = 0.09  # opacity of the part of a band where runs are missing
FEW = 40  # up to so many points of a curve each has a marker
SCATTERED = 20_000  # points of a scatter figure at most
PLACES = 1000


@dataclass(frozen=True)
class Curve:
    """The pooled curve of one group: `inner` is the number of the curve within a run."""

    group: int
    inner: int
    pooled: Pooled
    runs: int


def pooled_curves(drawn: StyledGroups) -> tuple[list[Curve], list[str]]:
    """Pool the curves of each group on places that all groups have in common."""
    result, ways = [], []
    for number in range(len(drawn.inner)):
        by_group = [
            [curve for one in group.kept for curve in drawn.of_inner(one, number)] for group in drawn.groups
        ]
        every = [curve for curves in by_group for curve in curves]
        if not every:
            continue
        places: Places = common_places(
            every, log_x=drawn.figure.x_scale == "log", log_y=drawn.figure.y_scale == "log"
        )
        if places.way == "grid":
            ways = ["interpolated within each curve"]
        for place, curves in enumerate(by_group):
            if curves:
                result.append(Curve(place, number, pool_curves(places, curves), len(curves)))
    return result, ways


def curve_marks(drawn: StyledGroups, curve: Curve) -> list[Mark]:
    """Return the marks of a pooled curve: median and band, paler where runs are missing, with an end where most are."""
    style, pooled = drawn.style(curve.group, curve.inner), curve.pooled
    shape = "steps" if drawn.figure.drawn_kind == "steps" else "line"
    marks = []
    for mask, shade, opacity in (
        (pooled.count == curve.runs, SHADE, 1.0),
        ((pooled.count < curve.runs) & (2 * pooled.count >= curve.runs), PALE, 0.4),
    ):
        if not mask.any():
            continue
        if opacity < 1.0:  # a paler part begins where the other ends, so that they meet
            beside = np.append(mask[1:], False) | np.append(False, mask[:-1])
            mask = mask | (beside & (pooled.count == curve.runs))
        x, low, middle, high = (
            np.where(mask, one, np.nan) for one in (pooled.x, pooled.low, pooled.middle, pooled.high)
        )
        if curve.runs >= FEWEST and not drawn.crowd:
            marks.append(
                replace(
                    style, shape="step band" if shape == "steps" else "band", label="", x=pooled.x, y=middle,
                    low=low, high=high, opacity=shade, marker="", front=False,
                )
            )  # fmt: skip
        seen = int(np.isfinite(middle).sum())
        where = np.isfinite(middle) if seen <= FEW else slice(None)
        marks.append(
            replace(
                style, shape=shape if seen > 1 else "points", label=style.label if opacity == 1.0 else "",
                x=(x if seen > FEW else pooled.x)[where], y=middle[where], opacity=style.opacity * opacity,
                marker=style.marker if seen <= FEW else "",
            )
        )  # fmt: skip
    if marks and not any(mark.label for mark in marks):
        marks[-1] = replace(marks[-1], label=style.label)
    return marks


def missing_runs(drawn: StyledGroups, curves: Sequence[Curve]) -> list[str]:
    """Say of which groups runs end earlier than others, and where curves end for that."""
    paler: dict[str, str] = {}
    cut = False
    for one in curves:
        count, known = one.pooled.count, np.isfinite(one.pooled.middle)
        seen = known & (count < one.runs) & (2 * count >= one.runs)
        cut = cut or bool((known & (2 * count < one.runs)).any())
        if seen.any():
            paler[drawn.groups[one.group].label] = f"{int(count[seen].min())} of {one.runs}"
    if drawn.crowd:
        return []
    listed = ", ".join(f"{label} {said}" for label, said in list(paler.items())[:MOST_INNER])
    notes = [f"paler where some runs have ended: {listed} remain"] if paler else []
    return notes + ["a curve ends where fewer than half of its runs remain"] * cut


def ratio_marks(drawn: StyledGroups, curves: Sequence[Curve]) -> list[list[Mark]]:
    """Return the marks of each group's ratio to the first group's median at equal x."""
    first = {one.inner: one for one in curves if one.group == 0}
    marks: list[list[Mark]] = [[] for _ in drawn.groups]
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
        marks[one.group] += [
            replace(mark, label="") for mark in curve_marks(drawn, replace(one, pooled=pooled))
        ]
    return marks


def points_and_whiskers(drawn: StyledGroups, place: int) -> list[Mark]:
    """Return a point a run, and median and quartiles where several runs lie at one x."""
    marks = []
    for number in range(len(drawn.inner)):
        style = drawn.style(place, number)
        x, y = drawn.points(place, number)
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


def scattered(drawn: StyledGroups, place: int) -> list[Mark]:
    """Return the points of all runs of a group."""
    x, y = drawn.points(place, 0)
    most = SCATTERED // len(drawn.groups)
    if len(x) > most:
        rows = np.linspace(0, len(x) - 1, most).round().astype(int)
        x, y = x[rows], y[rows]
    return [replace(drawn.style(place, 0), shape="points", x=x, y=y, marker="", opacity=0.5)]


def whiskers(drawn: StyledGroups, place: int) -> list[Mark]:
    """Return median and quartiles of all rows of all runs of a group at each x."""
    marks = []
    for number in range(len(drawn.inner)):
        x, y = drawn.points(place, number)
        if not x.size:
            continue
        x, low, middle, high = quartiles_over(x, y, PLACES)
        style = replace(drawn.style(place, number), marker="circle")
        marks.append(replace(style, shape="whiskers", x=x, y=middle, low=low, high=high))
    return marks
