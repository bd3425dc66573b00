"""The words of a picture: how much room letters take, texts broken into lines, titles, names and numbers of axes."""

from __future__ import annotations

import math
import re
import textwrap
from typing import Any

import numpy as np
from matplotlib import font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, ScalarFormatter
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.values.figure_data import AxisText
from mho.analysis.reports.quantities import handy_unit, with_unit

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
EXPONENT = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]?\d+)\b")
HYPHEN = re.compile(r"(?<![\w.)\]])-(?=\.?\d)")
"""Numbers in a text; a date, or the number behind a run's name, is left as it is."""

PREFIXED = ("S", "A", "V", "s", "Hz", "W", "J", "Ω")
PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
FINEST_AND_COARSEST = -15, 9
SHORTEST, LONGEST = 0.01, 10_000.0
"""Of the largest number on an axis; beyond them the unit has another prefix."""

BESIDE = 0.9, 0.9  # inches beside axes and below and above them that labels, numbers and a title take
MEAN_WIDTH, BOLD_WIDTH = 0.53, 0.62  # of a character, as a share of the size of its font


def say_nothing_there(axes: Axes, title: str, why: str) -> None:
    """Show only the title and the reason in empty axes."""
    put_title(axes, title)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=palette.FAINT)


def axis_label(axis: AxisText, unit: str | None = None) -> str:
    """Return the words beside an axis: its name, and a unit, by default the handy one."""
    unit = handy_unit(axis.unit)[1] if unit is None else unit
    return with_unit(axis.name, unit)


def shown_unit(axis: AxisText, values: NDArray[np.float64]) -> tuple[float, str]:
    """Return factor and unit of a linear axis that shows values (SI): the handy one, or that which keeps numbers short.

    ``0.00022 µS`` are 220 pS, ``1.2e-7 s`` 120 ns.
    """
    factor, unit = handy_unit(axis.unit)
    known = np.abs(values[np.isfinite(values)])
    largest = float(known.max()) if known.size else 0.0
    if axis.unit not in PREFIXED or not largest or SHORTEST <= factor * largest < LONGEST:
        return factor, unit
    power = int(np.clip(3 * math.floor(math.log10(largest) / 3.0), *FINEST_AND_COARSEST))
    if axis.unit == "s" and power > 0:
        return factor, unit  # nobody counts in kiloseconds
    return 10.0**-power, PREFIXES[power] + axis.unit


def in_print(text: str) -> str:
    """Return a text with numbers as they are printed: a minus sign for a hyphen, 2×10⁻⁷ for 2e-07."""

    def power(match: re.Match[str]) -> str:
        factor = "" if match[1] == "1" else f"{match[1]}×"
        return f"{factor}10{str(int(match[2])).translate(SUPERSCRIPTS)}"

    return HYPHEN.sub("−", EXPONENT.sub(power, text))


class PlainNumbers(ScalarFormatter):
    """Numbers of a linear axis: no offset is taken off, and a power of ten stands at the end of the axis as ×10⁵."""

    def __init__(self) -> None:
        super().__init__(useOffset=False, useMathText=False)

    def get_offset(self) -> str:
        """Return the power of ten that all numbers are multiplied by."""
        written = super().get_offset().replace("−", "-")
        return f"×{in_print(written)}" if written else ""


def power_of_ten(value: float, _: int | None = None) -> str:
    """Return a power of ten without mathematical markup: a figure shows any $ as it is."""
    return "10" + f"{np.log10(value):.0f}".translate(SUPERSCRIPTS)


def between_powers(value: float, _: int | None = None) -> str:
    """Return 2 and 5 times a power of ten; no other number has a label."""
    exponent = math.floor(math.log10(value) + 1e-9)
    first = round(value / 10.0**exponent)
    if first not in (2, 5):
        return ""
    return f"{value:.3g}" if -3 < exponent < 3 else f"{first}×10{str(exponent).translate(SUPERSCRIPTS)}"


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
    """Return text as it is printed, in lines that fit, three at most; the rest is left out."""
    text = in_print(text)
    most = characters(size, width, bold=bold)
    return "\n".join(textwrap.wrap(text, most, max_lines=3, placeholder=" …")) if len(text) > most else text
