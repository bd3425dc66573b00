"""Draws a run: what its figures are, what they show, and the picture file.

The names are loaded when they are asked for (PEP 562): who only asks which figures there are needs no Matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.analysis.figures.drawing import compose
    from mho.analysis.figures.marks import BELOW, Drawing, Mark, ReferenceLevel
    from mho.analysis.figures.plotting import check_picture, draw, plot, plot_panels
    from mho.analysis.figures.rendering.axes import SHARES
    from mho.analysis.figures.sheet import draw_alone, draw_drawing, save_to
    from mho.analysis.figures.values.figure_data import AxisText, FigureData, MapImage
    from mho.analysis.figures.values.figure_reading import gather
    from mho.analysis.figures.values.figures_of_run import figure_of, figures_of, map_figure
    from mho.analysis.figures.values.statistics import normal_quantile, signed_extent
    from mho.analysis.palette import INK, OUTSIDE, SERIES
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "BELOW", "INK", "OUTSIDE", "SERIES", "SHARES", "AxisText", "Drawing", "FigureData", "MapImage", "Mark",
    "ReferenceLevel", "check_picture", "compose", "draw", "draw_alone", "draw_drawing", "figure_of",
    "figures_of", "gather", "map_figure", "normal_quantile", "plot", "plot_panels", "save_to", "signed_extent",
]  # fmt: skip
