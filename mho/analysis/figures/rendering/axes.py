"""Draws marks into Matplotlib's axes: curves, bars, bands, reference lines, and the scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from mho.analysis import palette
from mho.analysis.figures.marks import BELOW, Drawing, Mark
from mho.analysis.figures.rendering import lettering
from mho.analysis.figures.values.statistics import normal_quantile
from mho.analysis.reports.quantities import handy_unit
from mho.runs.figures import PROBABILITY

SHORT = 26  # characters of a label that stands beside the axes, its key included
FEW_LABELS = 4  # up to so many labels stand inside the axes
KEY = 5  # characters that the key before a label is wide
LEGEND_SHARE, LINE = 0.4, 1.5
"""Share of the height of axes from which on a legend is shortened, and the height of its lines in sizes of a letter."""

BELOW_NAMES = 0.94  # share of the height of axes below the names of bands and of vertical lines
MOST_COLUMNS = 4  # of a legend below the axes
BELOW_LABEL = 3.6  # sizes of its letters from the axes to below the name of the horizontal one


def name_marks(axes: Axes, drawing: Drawing) -> None:
    """Place a legend where there is most space; one with many lines, or with long ones, outside the axes."""
    labels = [lettering.in_print(mark.label) for mark in drawing.marks if mark.label]
    if not labels:
        return
    width, height = lettering.inches(axes)
    room = lettering.characters("legend.fontsize", width)
    if len(labels) > 1 and 72.0 * height * LEGEND_SHARE < len(labels) * LINE * lettering.points(
        "legend.fontsize"
    ):
        labels = _shortened(axes, labels)  # many, with numbers behind their names, would leave no room
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
        depth = BELOW_LABEL * lettering.points("axes.labelsize") / 72.0
        below = axes.transAxes + ScaledTranslation(0.0, -depth, holder.dpi_scale_trans)
        columns = min(fitting, MOST_COLUMNS)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=below, ncols=columns)


def _shortened(axes: Axes, labels: list[str]) -> list[str]:
    """Leave out of the labels of a legend what stands behind their names."""
    handles: list[Any] = [*axes.lines, *axes.containers]
    for handle in handles:
        label = str(handle.get_label())
        if label in labels:
            handle.set_label(label.partition(": ")[0])
    return [label.partition(": ")[0] for label in labels]


SHARES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)  # labelled on an axis of probability
RASTER_FROM = 2000  # points from which on a vector picture holds them as pixels
FEW_DOTS, MANY_DOTS = 100, 1000
USUAL_MARKER = 6.0  # size of a marker in Matplotlib's own style
DASHES = {"solid": "-", "dash": "--", "dot": ":", "dash-dot": "-."}
STEPS = (1, 2, 5, 10)  # between the labels of whole numbers
MARKERS = {"square": "s", "circle": "o", "diamond": "D", "triangle": "^", BELOW: "v", "": ""}


def draw_axes(axes: Axes, drawing: Drawing) -> None:
    """Draw a figure without images into axes; without data, the reason is shown."""
    if drawing.nothing:
        lettering.say_nothing_there(axes, drawing.title, drawing.nothing)
        return
    (x_factor, x_unit), (y_factor, y_unit) = _units(drawing)
    for mark in drawing.marks:
        _draw_mark(axes, mark, x_factor, y_factor)
    title = f"{drawing.title}, {drawing.note}" if drawing.note else drawing.title
    width, height = lettering.inches(axes)
    lettering.put_title(axes, title)
    _scale(axes, drawing, y_factor)
    if drawing.equal:
        axes.set_aspect(x_factor / y_factor, adjustable="datalim")
    axes.set_xlabel(lettering.wrapped(lettering.axis_label(drawing.x, x_unit), "axes.labelsize", width))
    axes.set_ylabel(lettering.wrapped(lettering.axis_label(drawing.y, y_unit), "axes.labelsize", height))
    axes.grid(True, which="major", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _draw_levels(axes, drawing, x_factor, y_factor)
    if drawing.bands:
        _shade_bands(axes, drawing, x_factor)
    if drawing.x_scale == "log":
        ends = axes.get_xlim()
        if (wider := _a_decade(*ends)) != ends:
            axes.set_xlim(wider)
        _label_powers(axes, "x")
    name_marks(axes, drawing)


def _size(usual: float) -> float:
    """Size of a marker, as the sheet's style scales it."""
    return usual * float(rcParams["lines.markersize"]) / USUAL_MARKER


def _units(drawing: Drawing) -> tuple[tuple[float, str], tuple[float, str]]:
    """Return factor and unit of each axis; a logarithmic one keeps the handy unit."""
    shown: list[tuple[float, str]] = []
    for axis, scale, name in ((drawing.x, drawing.x_scale, "x"), (drawing.y, drawing.y_scale, "y")):
        values = np.concatenate([np.empty(0), *(getattr(mark, name) for mark in drawing.marks)])
        shown.append(lettering.shown_unit(axis, values) if scale == "linear" else handy_unit(axis.unit))
    return shown[0], shown[1]


def _draw_mark(axes: Axes, mark: Mark, x_factor: float, y_factor: float) -> None:
    x, y = x_factor * mark.x, y_factor * mark.y
    low, high = (np.empty(0) if end is None else end for end in (mark.low, mark.high))
    label = lettering.in_print(mark.label) or "_nolegend_"
    depth = 2.5 if mark.front else 2.0
    raster = len(x) > RASTER_FROM
    if mark.shape == "bars":
        axes.bar(x[:-1], y, np.diff(x), align="edge", color=mark.colour, label=label, alpha=mark.opacity)
        return
    if mark.shape.endswith("band"):
        axes.fill_between(
            x, y_factor * low, y_factor * high, color=mark.colour, alpha=mark.opacity, lw=0, zorder=1.5,
            step="post" if mark.shape == "step band" else None,
        )  # fmt: skip
        return
    if mark.shape == "rows":
        axes.barh(y, x, height=0.62, color=mark.colour, label=label, alpha=mark.opacity)
        if mark.low is not None:
            reach = np.abs(x_factor * np.stack((mark.x - low, high - mark.x)))
            axes.errorbar(x, y, xerr=reach, fmt="none", lw=1.1, capsize=3, color=palette.INK)
        return
    if mark.shape == "whiskers":
        reach = np.abs(y_factor * np.stack((mark.y - low, high - mark.y)))
        axes.errorbar(
            x, y, yerr=reach, fmt="o-", ms=_size(4), lw=1.1, capsize=3, color=mark.colour, label=label, alpha=mark.opacity
        )  # fmt: skip
        return
    style: dict[str, Any] = {
        "color": mark.colour, "label": label, "alpha": mark.opacity, "zorder": depth, "rasterized": raster,
    }  # fmt: skip
    if mark.shape == "points":
        # few must be seen, many must not run together
        dot = 4.0 if mark.marker or FEW_DOTS < len(x) <= MANY_DOTS else 6.0 if len(x) <= FEW_DOTS else 3.0
        axes.plot(x, y, MARKERS[mark.marker] or ".", ms=_size(dot), **style)
        return
    width = 1.6 if mark.marker else 1.2 if mark.front or mark.dash != "solid" else 0.8
    axes.plot(
        x, y, ls=DASHES[mark.dash], lw=width, marker=MARKERS[mark.marker], ms=_size(5),
        drawstyle="steps-post" if mark.shape == "steps" else "default", **style,
    )  # fmt: skip


def _scale(axes: Axes, drawing: Drawing, y_factor: float) -> None:
    if drawing.x_scale == "log":
        axes.set_xscale("log", nonpositive="mask")
    else:
        axes.xaxis.set_major_formatter(lettering.PlainNumbers())
        if drawing.counts:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=STEPS))
    if drawing.y_scale == "linear" and not drawing.names:
        axes.yaxis.set_major_formatter(lettering.PlainNumbers())
    if drawing.names:
        axes.yaxis.set_major_locator(FixedLocator(list(range(len(drawing.names)))))
        axes.yaxis.set_major_formatter(FixedFormatter(drawing.names))
        axes.set_ylim(-0.6, len(drawing.names) - 0.4)
    if drawing.limits is not None:
        axes.set_ylim(*drawing.limits)
    if drawing.y_scale == "log":
        counted = any(mark.shape == "bars" for mark in drawing.marks)
        axes.set_yscale("log", nonpositive="clip" if counted else "mask")
        low, high = axes.get_ylim()
        if counted:
            axes.set_ylim(0.7, max(high, 10.0) * (8.0 if drawing.bands else 2.0))  # room for legend and names
        elif low > 0.0:
            places = [level.y for level in drawing.levels if level.y is not None and level.y > 0.0]
            room = 5.0 if drawing.levels else 1.0  # for their names, and the legend
            low = min([low, *(y_factor * place for place in places)])
            axes.set_ylim(*_a_decade(low / room, high * room))
        _label_powers(axes, "y")
    elif drawing.y_scale == PROBABILITY:
        axes.yaxis.set_major_locator(FixedLocator(normal_quantile(np.array(SHARES)).tolist()))
        axes.yaxis.set_major_formatter(FixedFormatter([f"{100 * share:g} %" for share in SHARES]))
        axes.yaxis.set_minor_locator(NullLocator())


def _a_decade(low: float, high: float) -> tuple[float, float]:
    """Return ends of a logarithmic axis that are a decade apart at least: less would show small differences as large."""
    if not 0.0 < low < high or high >= 10.0 * low:
        return low, high
    middle = np.sqrt(low * high)
    return float(middle / np.sqrt(10.0)), float(middle * np.sqrt(10.0))


def _label_powers(axes: Axes, which: str) -> None:
    """Label a logarithmic axis without mathematical markup: a figure shows any $ as it is."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    one = low > 0.0 and np.floor(np.log10(high)) - np.ceil(np.log10(low)) < 1.0  # power of ten in view
    axis.set_major_formatter(FuncFormatter(lettering.power_of_ten))
    axis.set_minor_formatter(FuncFormatter(lettering.between_powers) if one else NullFormatter())
    axis.set_tick_params(which="minor", labelsize=lettering.points(f"{which}tick.labelsize"))


def _draw_levels(axes: Axes, drawing: Drawing, x_factor: float, y_factor: float) -> None:
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    above = blended_transform_factory(axes.transData, axes.transAxes)
    left = 0.01
    for level in drawing.levels:
        size = lettering.points("legend.fontsize")
        style: dict[str, Any] = {"color": palette.TARGET, "fontsize": size, "va": "top"}
        if level.y is not None:
            place = y_factor * level.y
            axes.axhline(place, color=palette.TARGET, lw=1.0, ls=":")
            # Below the line and at its left end, where no curve has come down to it yet; the next beside it.
            axes.annotate(
                lettering.in_print(level.label), (left, place), (0, -2), xycoords=beside, textcoords="offset points",
                **style,
            )  # fmt: skip
            left += 0.03 + 0.013 * len(level.label)
        elif level.x is not None:
            place = x_factor * level.x
            axes.axvline(place, color=palette.TARGET, lw=1.0, ls=":")
            left_end, right_end = axes.transAxes.transform(((0, 0), (1, 0)))[:, 0]
            right = axes.transData.transform((place, 0.0))[0] > 0.7 * right_end + 0.3 * left_end
            axes.annotate(
                lettering.in_print(level.label), (place, 0.99), (-3 if right else 3, 0), xycoords=above,
                textcoords="offset points", ha="right" if right else "left", **style,
            )  # fmt: skip


def _names_apart(axes: Axes, drawing: Drawing, span: float) -> int:
    """Return of how many bands one has its name, so that names do not run together."""
    ends = [(band.low, band.high) for band in drawing.bands if band.low is not None and band.high is not None]
    if len(ends) < 2 or drawing.x_scale != "linear" or not span > 0.0:
        return 1
    middles = np.sort([(low + high) / 2.0 for low, high in ends])
    apart = float(np.median(np.diff(middles))) / span * 72.0 * lettering.inches(axes)[0]
    longest = max(len(band.label) for band in drawing.bands) + 0.5
    needed = lettering.points("legend.fontsize") * lettering.MEAN_WIDTH * 1.2 * longest
    return max(1, int(np.ceil(needed / max(apart, 1e-9))))


def _shade_bands(axes: Axes, drawing: Drawing, x_factor: float) -> None:
    place = blended_transform_factory(axes.transData, axes.transAxes)
    ends = [x_factor * end for band in drawing.bands for end in (band.low, band.high) if end is not None]
    marked = [x_factor * mark.x[np.isfinite(mark.x)] for mark in drawing.marks]
    every = np.concatenate([ends, *marked]) if marked or ends else np.zeros(1)
    room = 0.015 * float(np.ptp(every))
    edges = float(every.min()) - room, float(every.max()) + room
    every_one = _names_apart(axes, drawing, (edges[1] - edges[0]) / x_factor)
    for number, band in enumerate(drawing.bands):
        low = edges[0] if band.low is None else x_factor * band.low
        high = edges[1] if band.high is None else x_factor * band.high
        axes.axvspan(low, high, color=palette.WINDOW, alpha=0.25, lw=0, zorder=0)
        if number % every_one:
            continue
        axes.text(
            (low + high) / 2, 0.985, band.label, transform=place, ha="center", va="top",
            fontsize=lettering.points("legend.fontsize"), clip_on=True,
        )  # fmt: skip
    if drawing.x_scale == "linear":
        axes.set_xlim(edges)
