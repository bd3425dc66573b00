"""Legends: inside the axes where there is room, beside or below them where there is none."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.rendering.lettering import characters, in_print, inches, points

SHORT = 26
"""Characters of a label that stands beside the axes, its key included."""

FEW_LABELS = 4
"""Up to so many labels stand inside the axes."""

KEY = 5
"""Characters that the key before a label is wide."""

LEGEND_SHARE, LINE = 0.4, 1.5
"""Share of the height of axes from which on a legend is shortened, and the height of its lines in sizes of a letter."""

BELOW_NAMES = 0.94
"""Share of the height of axes below the names of bands and of vertical lines."""

MOST_COLUMNS = 4
"""Of a legend below the axes."""

BELOW_LABEL = 3.6  # sizes of its letters from the axes to below the name of the horizontal one


def name_marks(axes: Axes, drawing: Drawing) -> None:
    """Place a legend where there is most space; one with many lines, or with long ones, outside the axes."""
    labels = [in_print(mark.label) for mark in drawing.marks if mark.label]
    if not labels:
        return
    width, height = inches(axes)
    room = characters("legend.fontsize", width)
    if len(labels) > 1 and 72.0 * height * LEGEND_SHARE < len(labels) * LINE * points("legend.fontsize"):
        labels = _shortened(
            axes, labels
        )  # many, with numbers behind their names, would leave no room for curves
    longest = max(map(len, labels)) + KEY
    fitting = max(1, room // longest)
    few = len(labels) <= FEW_LABELS and longest < 0.75 * room
    if few and drawing.equal:  # points may be anywhere in a plane
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2.0)
    elif few and drawing.bands:  # below the bands' names
        axes.legend(loc="upper right", bbox_to_anchor=(1.0, BELOW_NAMES), ncols=min(2, fitting, len(labels)))
    elif few and drawing.limits is not None:
        axes.legend(loc="upper left")  # where the limits leave room for it
    elif few:
        named = any(level.x is not None and level.label for level in drawing.levels)  # at the upper end
        axes.legend(loc="best", bbox_to_anchor=(0.0, 0.0, 1.0, BELOW_NAMES if named else 1.0))
    elif longest <= SHORT and fitting > 2:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        holder = axes.figure
        assert holder is not None
        depth = BELOW_LABEL * points("axes.labelsize") / 72.0
        below = axes.transAxes + ScaledTranslation(0.0, -depth, holder.dpi_scale_trans)
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            bbox_transform=below,
            ncols=min(fitting, MOST_COLUMNS),
        )


def _shortened(axes: Axes, labels: list[str]) -> list[str]:
    """Leave out of the labels of a legend what stands behind their names."""
    handles: list[Any] = [*axes.lines, *axes.containers]
    for handle in handles:
        label = str(handle.get_label())
        if label in labels:
            handle.set_label(label.partition(": ")[0])
    return [label.partition(": ")[0] for label in labels]
