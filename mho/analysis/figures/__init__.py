"""Draws a run: what its figures are, what they show, and the picture file.

The names are loaded when they are asked for (PEP 562): who only asks which figures there are needs no Matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.figures.drawing import compose
    from mho.analysis.figures.marks import BELOW, Drawing, Mark, ReferenceLevel
    from mho.analysis.figures.over_runs.comparing import compare
    from mho.analysis.figures.over_runs.drawing_runs import compared_figure
    from mho.analysis.figures.over_runs.groups_of_runs import GroupedFigure, RunsOfGroup
    from mho.analysis.figures.over_runs.layout import draw_compared
    from mho.analysis.figures.over_runs.reading import read_figures, sample_of
    from mho.analysis.figures.over_runs.runs_table import runs_of_groups, table_figure
    from mho.analysis.figures.plotting import WIDTHS, check_picture, draw, plot, plot_drawing, plot_panels
    from mho.analysis.figures.rendering.axes import SHARES
    from mho.analysis.figures.request import FigureRequest
    from mho.analysis.figures.sheet import Sheet, draw_alone, draw_drawing, overlay, save_to
    from mho.analysis.figures.values.expressions import Formula, parse_expression
    from mho.analysis.figures.values.figure_data import AxisText, FigureData, MapImage
    from mho.analysis.figures.values.figure_reading import gather
    from mho.analysis.figures.values.figures_of_run import (
        LEADING,
        figure_of,
        figure_of_table,
        figures_of,
        fits,
        map_figure,
    )
    from mho.analysis.figures.values.statistics import normal_quantile, signed_extent
    from mho.analysis.palette import INK, OUTSIDE, SERIES
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "BELOW", "INK", "LEADING", "OUTSIDE", "SERIES", "SHARES", "WIDTHS", "AxisText", "Drawing", "FigureData",
    "FigureRequest", "Formula", "GroupedFigure", "MapImage", "Mark", "ReferenceLevel", "RunsOfGroup",
    "Sheet", "check_picture", "compare", "compared_figure", "compose", "draw", "draw_alone",
    "draw_compared", "draw_drawing", "figure_of", "figure_of_table", "figures_of", "fits", "gather",
    "map_figure", "normal_quantile", "overlay", "parse_expression", "plot", "plot_drawing",
    "plot_panels", "read_figures", "runs_of_groups", "sample_of", "save_to", "signed_extent",
    "table_figure",
]  # fmt: skip
