"""The figures of a page: those that runs declare, of one run, of a few over one another, or of groups of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from mho.analysis import Group, RunCard, SkippedFile
from mho.analysis.figures import (
    LEADING,
    Drawing,
    FigureRequest,
    RunsOfGroup,
    compare,
    compared_figure,
    figures_of,
    fits,
    overlay,
    read_figures,
    sample_of,
)
from mho.errors import MhoError, RunFileError
from mho.escaping import visible
from mho.extensions.report_pages.documents import DIM, Block, Heading, Paragraph, Picture, Pictures
from mho.extensions.report_pages.documents.pictures import alt_text
from mho.runs import Figure, RunFile

MOST_FIGURES = 24  # of one run
MOST_OVER_RUNS, MOST_OF_GROUPS = 12, 5
"""Of a few runs; of groups of many, of each of which every file is read."""


def figure_blocks(
    pictures: Sequence[Picture], note: str, title: str = "Figures", anchor: str = "figures"
) -> Iterator[Block]:
    """Return the part of a page with figures, and what is said of those that are not shown."""
    pictures = tuple(pictures)
    yield Heading(title, 2, anchor)
    if pictures:
        yield Pictures(pictures)
    if note or not pictures:
        yield Paragraph(note or "Nothing is there to draw.", DIM)


def with_captions(pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    """Return pictures with numbered captions, each of which says what is drawn over what, and from where to where."""
    said = (one.title if one.drawing is None else alt_text(one.drawing, curves=False) for one in pictures)
    numbered = zip(pictures, enumerate(said, 1), strict=True)
    return tuple(replace(one, caption=f"Figure {number}. {words}") for one, (number, words) in numbered)


def run_pictures(run: RunFile, *, leading: bool) -> tuple[tuple[Picture, ...], str]:
    """Return the leading figures of a run, as `mho plot` draws them, or the others; and what is said of those not shown."""
    figures = figures_of(run)
    figures, more = (
        (figures[:LEADING], ()) if leading else (figures[LEADING:MOST_FIGURES], figures[MOST_FIGURES:])
    )
    shown, note = _with_something([_picture([run], figure, [""]) for figure in figures], more)
    return (with_captions(shown) if leading else shown), note


def overlaid_pictures(paths: Sequence[Path], names: Sequence[str]) -> tuple[tuple[Picture, ...], str]:
    """Return the figures of a few runs over one another: those that any of them declares, each of the runs that have it."""
    with ExitStack() as stack:
        runs = [stack.enter_context(RunFile(path)) for path in paths]
        figures: dict[str, Figure] = {}
        for run in runs:
            for figure in figures_of(run):
                figures.setdefault(figure.name, figure)
        shown = list(figures.values())[:MOST_OVER_RUNS]
        drawn = [
            (_image_rows if figure.drawn_kind == "map" else _picture)(runs, figure, names) for figure in shown
        ]
    return _with_something(drawn, list(figures.values())[MOST_OVER_RUNS:])


def grouped_pictures(
    runs: Sequence[RunCard], groups: Sequence[Group]
) -> tuple[tuple[Picture, ...], str, list[SkippedFile]]:
    """Return the figures over groups of runs, medians with quartiles; what is not shown; and files that are damaged."""
    skipped: list[SkippedFile] = []
    try:
        figures = read_figures(runs, "", skipped, most=MOST_OF_GROUPS)
    except RunFileError:  # none of them declares any
        return (), "", skipped
    pictures = []
    for one in figures:
        compared = compared_figure(one, groups, runs, skipped, FigureRequest())
        wide = len(compared.panels) > 1 or bool(compared.panels[0].images)
        pictures.append(Picture(one.figure.heading, compared, wide=wide))
    note = "The first figures; `mho plot` draws the others over the runs." * (len(figures) >= MOST_OF_GROUPS)
    return tuple(pictures), note, skipped


def _picture(runs: Sequence[RunFile], figure: Figure, names: Sequence[str]) -> Picture:
    named = zip(runs, names, strict=True)
    with_it = {name: run for run, name in named if len(runs) == 1 or fits(run, figure)}
    try:
        shown = [(run, name or run.path.stem) for name, run in with_it.items()]
        drawing = overlay(figure, shown, [name for name in names if name not in with_it])
    except MhoError as error:
        return Picture(figure.heading, trouble=str(error))
    return Picture(figure.heading, drawing, wide=len(drawing.images) > 1)


def _image_rows(runs: Sequence[RunFile], figure: Figure, names: Sequence[str]) -> Picture:
    """Return the images of runs beside one another, a row a map; those of one run alone, as on its own page."""
    with_it = [(run, name) for run, name in zip(runs, names, strict=True) if fits(run, figure)]
    if len(with_it) == 1:
        return _picture(runs, figure, names)
    try:
        groups = [RunsOfGroup(name, (sample_of(run, figure, len(runs)),)) for run, name in with_it]
        return Picture(figure.heading, compare(figure, groups), wide=True)
    except MhoError as error:
        return Picture(figure.heading, trouble=str(error))


def _with_something(pictures: Sequence[Picture], more: Sequence[Figure]) -> tuple[tuple[Picture, ...], str]:
    """Return the pictures that show something, and what is said of the others and of the figures beyond them."""
    empty = {
        place: visible(one.drawing.nothing, lines=False).removesuffix(" yet")
        for place, one in enumerate(pictures)
        if isinstance(one.drawing, Drawing) and one.drawing.nothing
    }
    notes = [
        f"Nothing to draw: {'; '.join(f'{pictures[place].title} ({why})' for place, why in empty.items())}."
    ]
    notes = notes * bool(empty) + [f"Not shown: {', '.join(figure.name for figure in more)}."] * bool(more)
    return tuple(one for place, one in enumerate(pictures) if place not in empty), " ".join(notes)
