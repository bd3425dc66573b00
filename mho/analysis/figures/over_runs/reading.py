"""The one pass over run files: of each run, open alone, what its figures need, in bounded size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mho.analysis.figures.drawing import outside
from mho.analysis.figures.over_runs.standard_set import over_table
from mho.analysis.figures.references import bounded
from mho.analysis.figures.values.expressions import Formula
from mho.analysis.figures.values.figure_data import FigureData, PointGroup
from mho.analysis.figures.values.figure_reading import gather
from mho.analysis.figures.values.figures_of_run import can_draw, drawable_with, figures_of, find_figure
from mho.analysis.figures.values.pooling import sketch
from mho.analysis.grouping import RunCard, SkippedFile
from mho.errors import RunFileError
from mho.runs import RunFile
from mho.runs.figures import COUNTS, STATISTICS, Drawable, Figure

NUMBERS_KEPT = 1 << 22  # numbers that are kept of all runs for one figure, images aside
LEAST_KEPT, MOST_KEPT = 256, 1 << 17  # and of one run at least and at most
CELLS_KEPT = 1 << 23  # cells of images that are kept of all runs for one figure


@dataclass(frozen=True)
class RunSample:
    """What is kept of one run for one figure."""

    # Of a curve at most so many points; of a histogram or distribution evenly spaced ranks of the ordered
    # values
    data: FigureData
    weights: tuple[float, ...] = ()  # for each group of points, how many values each stands for
    # Values outside the band of their group, and values that have one; None where the figure has no bands
    outside: tuple[int, int] | None = None


@dataclass
class FigureRuns:
    """One figure over the runs."""

    figure: Figure
    # By the place of the run among those that can be read
    kept: dict[int, RunSample] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)  # names of the runs that have no such figure
    left_out: int = 0  # runs whose images are not kept, so that memory is bounded


def read_figures(
    runs: Sequence[RunCard], name: str, skipped: list[SkippedFile],
    changed: Callable[[Figure], Figure] = lambda figure: figure, formulas: Sequence[Formula] = (),
    most: int | None = None,
) -> list[FigureRuns]:  # fmt: skip
    """Read a figure of all runs, or without a name the first (`most`) figures of the first run; one file is open at a time.

    `changed` makes of a declared figure the one that is wanted. Files that turn out to be damaged are added to `skipped`.

    Raises `RunFileError`: no run has the figure; `InputError`: a formula cannot be evaluated in any run.
    """
    result: list[FigureRuns] = []
    known: dict[str, None] = {}
    before: list[str] = []
    for place, run in enumerate(runs):
        try:
            with RunFile(run.path, whole=False) as file:
                if not result:
                    own = {figure.name: figure for figure in figures_of(file)}
                    known |= dict.fromkeys(own)
                    named = find_figure(file, name) if name else None
                    chosen = [named] if named else [] if name else list(own.values())[:most]
                    if not chosen:
                        before.append(run.path.stem)
                        continue
                    result = [FigureRuns(changed(figure), without=list(before)) for figure in chosen]
                for one in result:
                    _read_one(one, file, place, len(runs), changed, formulas)
        except RunFileError as error:
            skipped.append(SkippedFile(run.path, str(error)))
            for one in result:
                one.kept.pop(place, None)
    if not result:
        has = (
            f"{len(runs)} runs are named and none has a"
            if len(runs) > 1
            else f"run file {runs[0].path} has no"
        )
        what = f"figure {name!r}" if name else "figure"
        raise RunFileError(f"{has} {what}; there is {', '.join(known) or 'none'}")
    return result


def declared_over_runs(runs: Sequence[RunCard], name: str) -> Figure | None:
    """Return the figure over the table of runs that is meant by a name, as the first run that can be read says."""
    for run in runs:
        try:
            with RunFile(run.path) as file:
                return over_table(file, name)
        except RunFileError:
            continue
    return None


def _read_one(
    target: FigureRuns, file: RunFile, place: int, count: int, changed: Callable[[Figure], Figure],
    formulas: Sequence[Formula],
) -> None:  # fmt: skip
    figure = target.figure
    there = drawable_with(file, figure, formulas)
    if not can_draw(figure, there):
        mine = find_figure(file, figure.name)
        alike = None if mine is None else changed(mine)
        if alike is not None and not target.kept and alike == figure:
            gather(file, figure, formulas=formulas)  # says what is wrong with a figure that is asked for
        if alike is None or alike.drawn_kind != figure.drawn_kind:
            target.without.append(file.path.stem)
            return
        # of a run whose figure of that name is drawn from other maps
        figure, there = alike, drawable_with(file, alike, formulas)
    if figure.drawn_kind in ("map", "correlation") and not _has_room(file, figure, place, count):
        target.left_out += 1
        return
    target.kept[place] = sample_of(file, figure, count, formulas, there)


def sample_of(
    run: RunFile, figure: Figure, count: int, formulas: Sequence[Formula] = (), there: Drawable | None = None
) -> RunSample:
    """Return what is kept of a figure of one run among `count`; the others as for `gather`."""
    data = gather(run, figure, formulas=formulas, there=there)
    return reduced(figure, data, numbers_of_one(count))


def numbers_of_one(count: int) -> int:
    """Return how many numbers are kept of one run among `count`."""
    return int(np.clip(NUMBERS_KEPT // max(count, 1), LEAST_KEPT, MOST_KEPT))


def _has_room(file: RunFile, figure: Figure, place: int, count: int) -> bool:
    """Return whether the images of a run are among those that are kept: evenly spaced ones of all."""
    cells = 1
    if figure.maps:
        cells = sum(math.prod(file.stored(f"maps/{name}").shape[1:]) for name in figure.maps)
    elif figure.array:
        cells = int(np.size(file.array(figure.array)))
    room = max(1, CELLS_KEPT // max(cells, 1))
    return count <= room or place * room // count != (place - 1) * room // count


def reduced(figure: Figure, data: FigureData, most: int) -> RunSample:
    """Return what is kept of a run's data: at most about `most` numbers."""
    groups = [replace(one, x=bounded(one.x), y=bounded(one.y)) for one in data.groups]
    each = max(most // max(len(groups), 1), 16)
    if figure.drawn_kind in COUNTS:
        sketches = [sketch(group.x, each) for group in groups]
        groups = [replace(group, x=values) for group, (values, _) in zip(groups, sketches, strict=True)]
        weights = tuple(weight for _, weight in sketches)
        stray = None
        if figure.bands and figure.groups:
            values, judged = outside(figure, data.groups)
            stray = (values.size, judged)
        return RunSample(replace(data, groups=tuple(groups)), weights, stray)
    images = tuple(replace(one, values=bounded(one.values)) for one in data.images)
    few = sum(len(one.x) for one in groups) <= most
    thinned = groups if few else [_thinned(one, each) for one in groups]
    note = data.note
    count, of = (sum(len(one.x) for one in some) for some in (thinned, groups))
    if figure.drawn_kind in (*STATISTICS, "errorbars") and count < of:
        sampled = f"{100.0 * count / of:.2g} % of the values of a run, evenly spaced"
        note = "; ".join(filter(None, (note.lstrip(";, "), sampled)))
    return RunSample(replace(data, groups=tuple(thinned), images=images, note=note))


def _thinned(group: PointGroup, most: int) -> PointGroup:
    """Keep evenly spaced points of a curve: the same rows in each run of one length."""
    if len(group.x) <= most:
        return group
    rows = np.linspace(0, len(group.x) - 1, most).round().astype(int)
    return replace(group, x=group.x[rows], y=group.y[rows] if len(group.y) else group.y)
