"""Draws figures with Matplotlib: marks into axes, images beside one another on one scale."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, font_manager, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import SubFigure
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)
from matplotlib.transforms import ScaledTranslation, blended_transform_factory
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.marks import BELOW, Drawing, Mark
from mho.analysis.figures.values.figure_data import AxisText, MapImage
from mho.analysis.figures.values.statistics import normal_quantile, signed_extent
from mho.analysis.reports.quantities import handy_unit
from mho.runs.figures import PROBABILITY

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHARES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
"""Labelled on an axis of probability."""

RASTER_FROM = 2000
"""Points from which on a vector picture holds them as pixels."""

USUAL_MARKER = 6.0
"""Size of a marker in Matplotlib's own style."""

SHORT = 26
"""Characters of a label that stands beside the axes, its key included."""

FEW_LABELS = 4
"""Up to so many labels stand inside the axes."""

KEY = 5
"""Characters that the key before a label is wide."""

LEGEND_SHARE, LINE = 0.4, 1.5
"""Share of the height of axes from which on a legend is shortened, and the height of its lines in sizes of a letter."""

MOST_COLUMNS = 4
"""Of a legend below the axes."""

BESIDE = 0.9, 0.9  # inches beside axes and below and above them that labels, numbers and a title take
BELOW_LABEL = 3.6  # sizes of its letters from the axes to below the name of the horizontal one
WIDE = 1.7  # width over height of a sheet from which on images stand in one row
MEAN_WIDTH, BOLD_WIDTH = 0.53, 0.62  # of a character, as a share of the size of its font

MOST_WRITTEN = 16
"""Lines and columns up to which counts are written into an image."""

CODES = 12
"""Up to so many whole numbers in an image count as codes: each has a colour and a number of its own."""

DASHES = {"solid": "-", "dash": "--", "dot": ":", "dash-dot": "-."}
MARKERS = {"square": "s", "circle": "o", "diamond": "D", "triangle": "^", BELOW: "v", "": ""}


def draw_axes(axes: Axes, drawing: Drawing) -> None:
    """Draw a figure without images into axes; without data, the reason is shown."""
    if drawing.nothing:
        say_nothing_there(axes, drawing.title, drawing.nothing)
        return
    x_factor, y_factor = (_factor(axis) for axis in (drawing.x, drawing.y))
    for mark in drawing.marks:
        _draw_mark(axes, mark, x_factor, y_factor)
    title = f"{drawing.title}, {drawing.note}" if drawing.note else drawing.title
    width, height = _inches(axes)
    _title(axes, title)
    _scale(axes, drawing)
    axes.set_xlabel(_wrapped(axis_label(drawing.x), "axes.labelsize", width))
    axes.set_ylabel(_wrapped(axis_label(drawing.y), "axes.labelsize", height))
    axes.grid(True, which="major", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _draw_levels(axes, drawing, x_factor, y_factor)
    if drawing.bands:
        _shade_bands(axes, drawing, x_factor)
    _name(axes, drawing)


def draw_images(axes: Sequence[Axes], drawing: Drawing) -> None:
    """Draw a figure's images, one per axes, on one scale of colours; without images, the reason is shown."""
    if drawing.nothing:
        say_nothing_there(axes[0], drawing.title, drawing.nothing)
        return
    factor = _factor(drawing.y)
    every = np.concatenate([image.values[np.isfinite(image.values)] for image in drawing.images]) * factor
    norm, colours, beyond = _colours(drawing, every)
    drawn = None
    for here, image in zip(axes, drawing.images, strict=True):
        drawn = here.imshow(
            factor * image.values, cmap=colours, norm=norm, interpolation="nearest", aspect="equal"
        )
        _number_lines(here, image, drawing.lines)
        _write_counts(here, image)
    assert drawn is not None
    _name_images(axes, drawing)
    bar = axes[-1].figure.colorbar(
        drawn, ax=list(axes), shrink=0.8, aspect=30, pad=0.02, extend="both" if beyond else "neither"
    )
    if isinstance(norm, BoundaryNorm):
        bar.set_ticks(np.unique(every).tolist(), labels=[f"{code:g}" for code in np.unique(every)])
        bar.minorticks_off()
    missing = drawing.signed and any(not np.isfinite(image.values).all() for image in drawing.images)
    gaps = "   (grey: no value)" if missing else ""
    note = f"   {drawing.note}" if drawing.note else ""
    bar.set_label(f"{axis_label(AxisText(drawing.y.name, drawing.y.unit))}{gaps}{note}")


def place_images(figure: SubFigure, drawing: Drawing) -> list[Axes]:
    """Place the largest image below, with the most space, the others in a row above it; all in a row where that is wide."""
    if drawing.nothing:
        return [figure.subplots()]
    *others, largest = drawing.images
    if not others:
        return [figure.subplots()]
    if figure.bbox.width > WIDE * figure.bbox.height:
        shares = [np.clip(1.0 / _slimness(one), 0.6, 1.6) for one in drawing.images]
        row = figure.subplots(1, len(shares), squeeze=False, width_ratios=shares)[0]
        return [*row]
    heights = max(map(_slimness, others)) / len(others), _slimness(largest)
    grid = figure.add_gridspec(2, len(others), height_ratios=np.clip(heights, 0.4, 1.0))
    axes = [figure.add_subplot(grid[0, number]) for number in range(len(others))]
    return [*axes, figure.add_subplot(grid[1, :])]


def say_nothing_there(axes: Axes, title: str, why: str) -> None:
    """Show only the title and the reason in empty axes."""
    _title(axes, title)
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


def _name(axes: Axes, drawing: Drawing) -> None:
    """Place a legend where there is most space; one with many lines, or with long ones, outside the axes."""
    labels = [mark.label for mark in drawing.marks if mark.label]
    if not labels:
        return
    width, height = _inches(axes)
    room = _characters("legend.fontsize", width)
    if len(labels) > 1 and 72.0 * height * LEGEND_SHARE < len(labels) * LINE * _points("legend.fontsize"):
        labels = _shortened(
            axes, labels
        )  # many, with numbers behind their names, would leave no room for curves
    longest = max(map(len, labels)) + KEY
    fitting = max(1, room // longest)
    few = len(labels) <= FEW_LABELS and longest < 0.75 * room
    if few and drawing.bands:  # below the bands' names
        axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.94), ncols=min(2, fitting, len(labels)))
    elif few:
        axes.legend(
            loc="best" if drawing.limits is None else "upper left"
        )  # where the limits leave room for it
    elif longest <= SHORT and fitting > 2:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        holder = axes.figure
        assert holder is not None
        depth = BELOW_LABEL * _points("axes.labelsize") / 72.0
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


def _title(axes: Axes, title: str) -> None:
    axes.set_title(_wrapped(title, "axes.titlesize", _inches(axes)[0], bold=True), loc="left")


def _inches(axes: Axes) -> tuple[float, float]:
    """Return about how wide and high axes will be, inches, without what stands beside them."""
    holder = axes.figure
    assert holder is not None
    box, dots = holder.bbox, holder.dpi
    place = axes.get_subplotspec()
    rows, columns = (1, 1) if place is None else place.get_gridspec().get_geometry()
    return max(box.width / dots / columns - BESIDE[0], 1.0), max(box.height / dots / rows - BESIDE[1], 1.0)


def _characters(size: str, inches: float, *, bold: bool = False) -> int:
    """Return how many characters of text of a size in `rcParams` are about so wide."""
    points = _points(size)
    return max(8, int(72.0 * inches / (points * (BOLD_WIDTH if bold else MEAN_WIDTH))))


def _points(size: str) -> float:
    """Return a size of letters in `rcParams`, in points."""
    style: Any = rcParams
    return float(font_manager.FontProperties(size=style[size]).get_size_in_points())


def _wrapped(text: str, size: str, inches: float, *, bold: bool = False) -> str:
    """Return text in lines that fit, three at most; the rest is left out."""
    most = _characters(size, inches, bold=bold)
    return "\n".join(textwrap.wrap(text, most, max_lines=3, placeholder=" …")) if len(text) > most else text


def _size(points: float) -> float:
    """Size of a marker, as the sheet's style scales it."""
    return points * float(rcParams["lines.markersize"]) / USUAL_MARKER


def _factor(axis: AxisText) -> float:
    return handy_unit(axis.unit)[0]


def _draw_mark(axes: Axes, mark: Mark, x_factor: float, y_factor: float) -> None:
    x, y = x_factor * mark.x, y_factor * mark.y
    label = mark.label or "_nolegend_"
    depth = 2.5 if mark.front else 2.0
    raster = len(x) > RASTER_FROM
    if mark.shape == "bars":
        axes.bar(x[:-1], y, np.diff(x), align="edge", color=mark.colour, label=label, alpha=mark.opacity)
        return
    if mark.shape.endswith("band"):
        assert mark.low is not None
        assert mark.high is not None
        axes.fill_between(
            x, y_factor * mark.low, y_factor * mark.high, color=mark.colour, alpha=mark.opacity, lw=0, zorder=1.5,
            step="post" if mark.shape == "step band" else None,
        )  # fmt: skip
        return
    if mark.shape == "rows":
        axes.barh(y, x, height=0.62, color=mark.colour, label=label, alpha=mark.opacity)
        if mark.low is not None and mark.high is not None:
            reach = np.abs(x_factor * np.stack((mark.x - mark.low, mark.high - mark.x)))
            axes.errorbar(x, y, xerr=reach, fmt="none", lw=1.1, capsize=3, color=palette.INK)
        return
    if mark.shape == "whiskers":
        assert mark.low is not None
        assert mark.high is not None
        reach = np.abs(y_factor * np.stack((mark.y - mark.low, mark.high - mark.y)))
        axes.errorbar(
            x, y, yerr=reach, fmt="o-", ms=_size(4), lw=1.1, capsize=3, color=mark.colour, label=label, alpha=mark.opacity
        )  # fmt: skip
        return
    style: dict[str, Any] = {
        "color": mark.colour, "label": label, "alpha": mark.opacity, "zorder": depth, "rasterized": raster,
    }  # fmt: skip
    if mark.shape == "points":
        axes.plot(x, y, MARKERS[mark.marker] or ".", ms=_size(4 if mark.marker else 3), **style)
        return
    width = 1.6 if mark.marker else 1.2 if mark.front or mark.dash != "solid" else 0.8
    axes.plot(
        x,
        y,
        ls=DASHES[mark.dash],
        lw=width,
        marker=MARKERS[mark.marker],
        ms=_size(5),
        drawstyle="steps-post" if mark.shape == "steps" else "default",
        **style,
    )


def _scale(axes: Axes, drawing: Drawing) -> None:
    if drawing.x_scale == "log":
        axes.set_xscale("log", nonpositive="mask")
        _label_powers(axes, "x")
    elif drawing.counts:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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
            axes.set_ylim(min([low, *(_factor(drawing.y) * place for place in places)]) / room, high * room)
        _label_powers(axes, "y")
    elif drawing.y_scale == PROBABILITY:
        axes.yaxis.set_major_locator(FixedLocator(normal_quantile(np.array(SHARES)).tolist()))
        axes.yaxis.set_major_formatter(FixedFormatter([f"{100 * share:g} %" for share in SHARES]))
        axes.yaxis.set_minor_locator(NullLocator())


def _label_powers(axes: Axes, which: str) -> None:
    """Label a logarithmic axis without mathematical markup: a figure shows any $ as it is."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    if low > 0.0 and np.ceil(np.log10(low)) > np.floor(np.log10(high)):  # no power of ten in view
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        return
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: "10" + f"{np.log10(value):.0f}".translate(SUPERSCRIPTS))
    )
    axis.set_minor_formatter(NullFormatter())


def _draw_levels(axes: Axes, drawing: Drawing, x_factor: float, y_factor: float) -> None:
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    above = blended_transform_factory(axes.transData, axes.transAxes)
    left = 0.01
    for level in drawing.levels:
        style: dict[str, Any] = {"color": palette.TARGET, "fontsize": _points("legend.fontsize"), "va": "top"}
        if level.y is not None:
            place = y_factor * level.y
            axes.axhline(place, color=palette.TARGET, lw=1.0, ls=":")
            # Below the line and at its left end, where no curve has come down to it yet; the next beside it.
            axes.annotate(
                level.label, (left, place), (0, -2), xycoords=beside, textcoords="offset points", **style
            )
            left += 0.03 + 0.013 * len(level.label)
        elif level.x is not None:
            place = x_factor * level.x
            axes.axvline(place, color=palette.TARGET, lw=1.0, ls=":")
            ends = (
                axes.transData.transform((place, 0.0))[0],
                *(axes.transAxes.transform(((0, 0), (1, 0)))[:, 0]),
            )
            right = ends[0] > 0.7 * ends[2] + 0.3 * ends[1]
            axes.annotate(
                level.label, (place, 0.99), (-3 if right else 3, 0), xycoords=above, textcoords="offset points",
                ha="right" if right else "left", **style,
            )  # fmt: skip


def _shade_bands(axes: Axes, drawing: Drawing, x_factor: float) -> None:
    place = blended_transform_factory(axes.transData, axes.transAxes)
    ends = [x_factor * end for band in drawing.bands for end in (band.low, band.high) if end is not None]
    marked = [x_factor * mark.x[np.isfinite(mark.x)] for mark in drawing.marks]
    every = np.concatenate([ends, *marked]) if marked or ends else np.zeros(1)
    room = 0.015 * float(np.ptp(every))
    edges = float(every.min()) - room, float(every.max()) + room
    for band in drawing.bands:
        low = edges[0] if band.low is None else x_factor * band.low
        high = edges[1] if band.high is None else x_factor * band.high
        axes.axvspan(low, high, color=palette.WINDOW, alpha=0.25, lw=0, zorder=0)
        axes.text(
            (low + high) / 2, 0.985, band.label, transform=place, ha="center", va="top",
            fontsize=_points("legend.fontsize"), clip_on=True,
        )  # fmt: skip
    if drawing.x_scale == "linear":
        axes.set_xlim(edges)


def _colours(drawing: Drawing, every: NDArray[np.float64]) -> tuple[Normalize, Colormap, bool]:
    """Return scale and colours of images, and whether values lie beyond the scale."""
    if drawing.signed:
        # A few lost cells must not fade all others: they saturate, and the colour bar says so.
        extent = signed_extent(every)
        diverging = LinearSegmentedColormap.from_list("error", palette.DIVERGING)
        beyond = float(np.abs(every).max()) > extent
        return Normalize(-extent, extent), diverging.with_extremes(bad=palette.NO_CELL), beyond
    colours = colormaps[palette.SEQUENTIAL]
    if drawing.limits is not None:
        return Normalize(*drawing.limits), colours, False
    codes = np.unique(every)
    if len(codes) <= CODES and not drawing.y.unit and bool((codes == np.round(codes)).all()):
        edges = [codes[0] - 0.5, *((codes[:-1] + codes[1:]) / 2.0), codes[-1] + 0.5]
        return BoundaryNorm(edges, colours.N), colours, False
    return Normalize(float(every.min()), float(every.max())), colours, False


def _name_images(axes: Sequence[Axes], drawing: Drawing) -> None:
    """Put the figure's title above its images: of one image with its name, of several above theirs."""
    if len(drawing.images) == 1:
        (image,) = drawing.images
        text = image.name if image.name.startswith(drawing.title) else f"{drawing.title}: {image.name}"
        width, height = _inches(axes[0])
        width = min(width, height / _slimness(image)) + BESIDE[0] / 2.0
        axes[0].set_title(_wrapped(text, "axes.titlesize", width, bold=True), loc="left")
        return
    for here, image in zip(axes, drawing.images, strict=True):
        width, height = _inches(here)
        width = min(max(width, BESIDE[0]), height / _slimness(image) + BESIDE[0] / 2.0)
        here.set_title(_wrapped(image.name, "axes.titlesize", width), loc="left", fontweight="normal")
    holder = axes[0].figure
    assert holder is not None
    size = rcParams["axes.titlesize"]
    holder.suptitle(drawing.title, x=0.02, ha="left", fontsize=size, fontweight="bold")


def _write_counts(axes: Axes, image: MapImage) -> None:
    """Write the counts of an image into it, light on dark colours and dark on light ones."""
    if image.counts is None or max(image.counts.shape) > MOST_WRITTEN:
        return
    size = min(_points("legend.fontsize"), 72.0 * min(_inches(axes)) / max(image.counts.shape) / 2.6)
    for (row, column), count in np.ndenumerate(image.counts):
        if count:
            colour = palette.INK if image.values[row, column] > 0.6 else "white"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=size, color=colour)


def _number_lines(axes: Axes, image: MapImage, names: tuple[str, str]) -> None:
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    most = 6 if image.counts is None else MOST_WRITTEN
    for axis, lines in ((axes.xaxis, image.columns), (axes.yaxis, image.rows)):
        axis.set_major_locator(MaxNLocator(most, integer=True))
        axis.set_major_formatter(line_numbers(lines))


def _slimness(image: MapImage) -> float:
    """Height of an image at a width of 1."""
    return len(image.rows) / len(image.columns)
