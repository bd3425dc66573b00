"""The pictures of the page as PNG: one figure of a run each."""

from __future__ import annotations

import io
from pathlib import Path

from mho.analysis.figures import draw_alone, figure_of, map_figure
from mho.runs import RunFile
from mho.runs.figures import Figure

SIZE = (6.4, 4.6)  # inches
DOTS = 140  # per inch
NEWEST = 100_000  # rows: a page is drawn anew while its run goes on


def map_picture(path: Path, name: str) -> bytes:
    """Draw the last image of map `name` of the run file at `path`.

    Raises
    ------
    RunFileError
        The file cannot be read any more.
    """
    with RunFile(path) as run:
        return _png(run, map_figure(name))


def figure_picture(path: Path, name: str) -> bytes:
    """Draw a declared figure; errors as `map_picture`."""
    with RunFile(path) as run:
        return _png(run, figure_of(run, name))


def _png(run: RunFile, figure: Figure) -> bytes:
    written = io.BytesIO()
    draw_alone(run, figure, SIZE, DOTS, NEWEST).savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()
