"""Figures over runs from their files: cards, groups, data, marks, sheet."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mho.analysis.figures.drawing import compose
from mho.analysis.figures.over_runs.comparing import compare
from mho.analysis.figures.over_runs.groups_of_runs import GroupedFigure, RunsOfGroup
from mho.analysis.figures.over_runs.layout import draw_compared
from mho.analysis.figures.over_runs.reading import FigureRuns, declared_over_runs, read_figures
from mho.analysis.figures.over_runs.runs_table import runs_of_groups, table_figure
from mho.analysis.figures.request import FigureRequest
from mho.analysis.figures.sheet import Sheet
from mho.analysis.figures.values.expressions import Formula, parse_formula
from mho.analysis.figures.values.figures_of_run import LEADING
from mho.analysis.grouping import (
    Group,
    RunCard,
    SkippedFile,
    group_runs,
    read_cards,
    short_names,
    varied_within,
)
from mho.analysis.reports.collection import left_out_tries
from mho.errors import InputError
from mho.escaping import visible
from mho.runs.figures import COUNTS, CURVE_FITS, CURVES, DISTRIBUTION_FITS, Figure, fit_kind

MOST_NAMED = 3  # files that a note names
MOST_TOLD = 4  # names in which the runs of a group differ that a note tells
MOST_OVERLAID = 9  # runs that are told apart by their colour where nothing groups them


def draw_over_runs(
    places: Sequence[str | os.PathLike[str]], request: FigureRequest
) -> tuple[Sheet, list[SkippedFile]]:
    """Draw figures over the runs at places, files or folders; return the sheet, and the files that could not be read.

    Raises `RunFileError`: no run has the figure; `InputError`: a place is not there, no file can be read, a name is
    unknown, or a formula or fit cannot be used.
    """
    formulas = tuple(map(parse_formula, request.formulas))
    if request.fit and fit_kind(request.fit) not in (*CURVE_FITS, *DISTRIBUTION_FITS):
        raise InputError(f"--fit {request.fit}: choose one of {', '.join((*CURVE_FITS, *DISTRIBUTION_FITS))}")
    runs, skipped = read_cards(places)
    overlaid = not (request.by or request.panels or request.ratio) and len(runs) <= MOST_OVERLAID
    figure = _runs_figure(request, runs, formulas)
    if figure is not None:
        by = request.by or figure.groups
        members = runs_of_groups(figure, runs, group_runs(by, runs), formulas)
        if members:
            compared = [compare(figure, members, panels=request.panels, ratio=request.ratio)]
        else:
            compared = [GroupedFigure.of_nothing(figure.heading, "no run has these numbers")]
    else:
        groups = None if overlaid else group_runs(request.by, runs)
        figures = read_figures(
            runs,
            request.figure,
            skipped,
            lambda figure: _changed(figure, request, formulas),
            formulas,
            None if request.every else LEADING,
        )
        compared = [
            _laid_over(one, runs, skipped)
            if groups is None
            else compared_figure(one, groups, runs, skipped, request)
            for one in figures
        ]
    simulated = any(run.card.facts.preset for run in runs)
    title = _title(runs, request, places)
    return draw_compared(title, compared, request.width, simulated=simulated), skipped


def _runs_figure(
    request: FigureRequest, runs: Sequence[RunCard], formulas: Sequence[Formula]
) -> Figure | None:
    """Return the figure over the table of runs that is wanted; None where another one is."""
    if request.figure:
        figure = declared_over_runs(runs, request.figure)
        return None if figure is None else _changed(figure, request, formulas)
    if not (request.x or request.y):
        if formulas:
            raise InputError("--formula makes a new column; say where with --figure, or with --x and --y")
        return None
    figure = table_figure(request.x, request.y, runs, formulas)
    return _changed(figure, replace(request, x="", y=""), ())


def _changed(figure: Figure, request: FigureRequest, formulas: Sequence[Formula]) -> Figure:
    """Return a declared figure with the axes and the fit that are asked for instead."""
    curves = figure.drawn_kind in CURVES
    new = formulas[-1].name if formulas and not (request.x or request.y) else ""
    x, y = request.x or (new if not curves else ""), request.y or (new if curves else "")
    if (x or y) and not figure.table:
        raise InputError(
            f"figure {figure.name!r} is drawn from {figure.source}; --x, --y and --formula change those of tables"
        )
    if y and not curves:
        raise InputError(
            f"figure {figure.name!r} is a {figure.drawn_kind} of its x; name the column with --x"
        )
    if x:
        figure = replace(figure, x=x, bands=(), start=None, lines=() if not curves else figure.lines)
    if y:
        figure = replace(figure, y=y, lines=(), start=None, fit="")
    if request.fit:
        fits = CURVE_FITS if curves else DISTRIBUTION_FITS if figure.drawn_kind in COUNTS else ()
        if fit_kind(request.fit) in fits:
            figure = replace(figure, fit=request.fit)
        elif request.figure or request.x or request.y:
            hint = f"choose one of {', '.join(fits)}" if fits else "it has none"
            raise InputError(f"--fit {request.fit}: figure {figure.name!r} is a {figure.drawn_kind}; {hint}")
    return figure


def _laid_over(one: FigureRuns, runs: Sequence[RunCard], skipped: Sequence[SkippedFile]) -> GroupedFigure:
    """Compose a figure of few runs, each in its own colour."""
    names = short_names([runs[place].path for place in one.kept])
    data = [
        replace(figure.data, run=visible(name, lines=False) + "†" * (not runs[place].finished))
        for name, (place, figure) in zip(names, one.kept.items(), strict=True)
    ]
    if not data:
        return GroupedFigure.of_nothing(one.figure.heading, "in none of the runs")
    drawing = compose(one.figure, data)
    notes = [drawing.note] * bool(drawing.note)
    if len(data) > 1 and any(not runs[place].finished for place in one.kept):
        notes.append("† not finished")
    notes += _left_out(one, skipped)
    return GroupedFigure(drawing.title, "; ".join(notes), (replace(drawing, note=""),), fits=drawing.fits)


def compared_figure(
    one: FigureRuns, groups: Sequence[Group], runs: Sequence[RunCard], skipped: Sequence[SkippedFile],
    request: FigureRequest,
) -> GroupedFigure:  # fmt: skip
    """Compose a figure over groups, and say what is not in it."""
    members = []
    for group in groups:
        mine = [place for place in group.runs if place in one.kept]
        unfinished = sum(not runs[place].finished for place in mine)
        if mine:
            members.append(RunsOfGroup(group.label, tuple(one.kept[place] for place in mine), unfinished))
    if not members:
        return GroupedFigure.of_nothing(one.figure.heading, "in none of the runs")
    compared = compare(one.figure, members, panels=request.panels, ratio=request.ratio)
    notes = [compared.note] * bool(compared.note)
    used = [Group(group.label, tuple(place for place in group.runs if place in one.kept)) for group in groups]
    if varied := varied_within(used, runs):
        more = f" and {len(varied) - MOST_TOLD} more" if len(varied) > MOST_TOLD else ""
        notes.append(f"runs of one group differ in {', '.join(varied[:MOST_TOLD])}{more}")
    notes += _left_out(one, skipped)
    return replace(compared, note=visible("; ".join(notes), lines=False))


def _left_out(one: FigureRuns, skipped: Sequence[SkippedFile]) -> list[str]:
    """Say which runs are not in a figure, and why."""
    notes = []
    if one.without:
        more = f" and {len(one.without) - MOST_NAMED} more" if len(one.without) > MOST_NAMED else ""
        notes.append(f"not in {', '.join(one.without[:MOST_NAMED])}{more}")
    if one.left_out:
        notes.append(f"images of {len(one.kept)} of {len(one.kept) + one.left_out} runs")
    if skipped:
        notes.append(f"{len(skipped)} damaged file{'s' * (len(skipped) > 1)} left out")
    return [visible(note, lines=False) for note in notes]


def _title(runs: Sequence[RunCard], request: FigureRequest, places: Sequence[str | os.PathLike[str]]) -> str:
    """Name what the runs have in common, how many they are, and how many did not finish."""
    titles = Counter(run.card.facts.title for run in runs)
    procedures = Counter(run.card.facts.procedure for run in runs)
    common = (
        next(iter(titles)) if len(titles) == 1 else ", ".join(name for name, _ in procedures.most_common(3))
    )
    parts = [common, f"{len(runs)} runs" if len(runs) != 1 else runs[0].path.name]
    if request.by:
        parts[-1] += f" by {', '.join(request.by)}"
    states = Counter(run.card.status for run in runs if not run.finished)
    parts += [f"{count} {state}" for state, count in sorted(states.items())]
    if tries := left_out_tries(*places):
        parts.append(tries.partition(":")[0])  # names would fill the line
    return "   ·   ".join(parts)
