"""The figures of a page: those that runs declare, drawn as `mho plot` draws them."""

from __future__ import annotations

from mho.analysis.documents import Picture
from mho.analysis.figures import compose, figures_of, gather
from mho.errors import MhoError
from mho.runs import Figure, RunFile

MOST_FIGURES = 24
"""Of one run."""


def run_pictures(run: RunFile) -> tuple[tuple[Picture, ...], str]:
    """Return the figures of a run, and what is said of those that are not shown."""
    figures = figures_of(run)
    drawn = tuple(_picture(run, figure) for figure in figures[:MOST_FIGURES])
    left_out = [figure.name for figure in figures[MOST_FIGURES:]]
    return drawn, f"Not shown: {', '.join(left_out)}." if left_out else ""


def _picture(run: RunFile, figure: Figure) -> Picture:
    try:
        return Picture(figure.heading, compose(figure, [gather(run, figure)]))
    except MhoError as error:
        return Picture(figure.heading, trouble=str(error))
