"""The words of a picture: how much room letters take, texts broken into lines, titles, names and numbers of axes."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.values.figure_data import AxisText
from mho.analysis.reports.quantities import handy_unit

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

BESIDE = 0.9, 0.9  # inches beside axes and below and above them that labels, numbers and a title take
MEAN_WIDTH, BOLD_WIDTH = 0.53, 0.62  # of a character, as a share of the size of its font


def say_nothing_there(axes: Axes, title: str, why: str) -> None:
    """Show only the title and the reason in empty axes."""
    put_title(axes, title)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=palette.FAINT)


def axis_label(axis: AxisText) -> str:
    """Return the words beside an axis: its name, and a handy unit."""
    unit = handy_unit(axis.unit)[1]
    return f"{axis.name} / {unit}" if unit else axis.name


def line_numbers(lines: NDArray[np.int64]) -> FuncFormatter:
    """Label an image's axis with physical line numbers, which skip the lines not in use."""

    def label(place: float, _: int | None = None) -> str:
        index = round(place)
        return str(lines[index]) if 0 <= index < len(lines) else ""

    return FuncFormatter(label)


def put_title(axes: Axes, title: str) -> None:
    """Put a title above axes, at their left end."""
    axes.set_title(wrapped(title, "axes.titlesize", inches(axes)[0], bold=True), loc="left")


def inches(axes: Axes) -> tuple[float, float]:
    """Return about how wide and high axes will be, inches, without what stands beside them."""
    holder = axes.figure
    assert holder is not None
    box, dots = holder.bbox, holder.dpi
    place = axes.get_subplotspec()
    rows, columns = (1, 1) if place is None else place.get_gridspec().get_geometry()
    return max(box.width / dots / columns - BESIDE[0], 1.0), max(box.height / dots / rows - BESIDE[1], 1.0)


def characters(size: str, width: float, *, bold: bool = False) -> int:
    """Return how many characters of text of a size in `rcParams` are about so wide, inches."""
    return max(8, int(72.0 * width / (points(size) * (BOLD_WIDTH if bold else MEAN_WIDTH))))


def points(size: str) -> float:
    """Return a size of letters in `rcParams`, in points."""
    style: Any = rcParams
    return float(font_manager.FontProperties(size=style[size]).get_size_in_points())


def wrapped(text: str, size: str, width: float, *, bold: bool = False) -> str:
    """Return text in lines that fit, three at most; the rest is left out."""
    most = characters(size, width, bold=bold)
    return "\n".join(textwrap.wrap(text, most, max_lines=3, placeholder=" …")) if len(text) > most else text
