"""The pictures of the page as PNG: the last image of the current map, and the convergence."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mho.analysis.figures.contents import draw_map
from mho.analysis.figures.panels import draw_convergence
from mho.analysis.figures.solve_figure import STYLE
from mho.analysis.reports.convergence import Convergence
from mho.runs import RunFile

SIZE = (6.4, 4.6)  # inches
DOTS = 140  # per inch


def map_picture(path: Path, name: str) -> bytes:
    """Draw the last image of map `name` of the run file at `path`.

    Raises
    ------
    RunFileError
        The file cannot be read any more.
    """
    with RunFile(path) as run:
        return _png(lambda axes: draw_map(axes, run, name))


def convergence_picture(convergence: Convergence) -> bytes:
    """Draw a refinement."""
    return _png(lambda axes: draw_convergence(axes, convergence))


def _png(draw: Callable[[Axes], None]) -> bytes:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, dpi=DOTS, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.subplots())
        written = io.BytesIO()
        figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()
