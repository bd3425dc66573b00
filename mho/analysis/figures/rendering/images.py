"""Images: maps and confusions beside one another on one scale of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mho.analysis import palette
from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.rendering import lettering
from mho.analysis.figures.values.figure_data import MapImage
from mho.analysis.figures.values.statistics import signed_extent

WIDE = 1.7  # width over height of a sheet from which on images stand in one row
MOST_WRITTEN = 16  # lines and columns up to which counts are written into an image
CODES = 12
"""Up to so many whole numbers in an image count as codes: each has a colour and a number of its own."""

BAR = 0.8  # inches that the bar of colours takes beside all images
SMALLEST_LETTERS = 4.0  # points; smaller counts are not written
LARGEST_CODE = 255  # larger numbers are counts, of cycles or pulses


def draw_images(axes: Sequence[Axes], drawing: Drawing) -> None:
    """Draw a figure's images, one per axes, on one scale of colours; without images, the reason is shown."""
    if drawing.nothing:
        lettering.say_nothing_there(axes[0], drawing.title, drawing.nothing)
        return
    every = np.concatenate([image.values[np.isfinite(image.values)] for image in drawing.images])
    factor, unit = lettering.shown_unit(drawing.y, every)
    every = factor * every
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
        codes = np.unique(every).tolist()
        bar.set_ticks(codes, labels=[drawing.codes.get(code) or f"{code:g}" for code in codes])
        bar.minorticks_off()
    else:
        bar.formatter = lettering.PlainNumbers()
        bar.update_ticks()
    missing = drawing.signed and any(not np.isfinite(image.values).all() for image in drawing.images)
    gaps = "   (grey: no value)" if missing else ""
    note = f"   {drawing.note}" if drawing.note else ""
    bar.set_label(lettering.in_print(f"{lettering.axis_label(drawing.y, unit)}{gaps}{note}"))


def place_images(figure: SubFigure, drawing: Drawing) -> list[Axes]:
    """Place images: of one size in a grid; else the largest below, with the most space, the others in a row above it.

    All stand in a row where that is wide.
    """
    if drawing.nothing:
        return [figure.subplots()]
    *others, largest = drawing.images
    if not others:
        return [figure.subplots()]
    if figure.bbox.width > WIDE * figure.bbox.height:
        shares = [np.clip(1.0 / _slimness(one), 0.6, 1.6) for one in drawing.images]
        row = figure.subplots(1, len(shares), squeeze=False, width_ratios=shares)[0]
        return [*row]
    if len(others) > 1 and len({image.values.shape for image in drawing.images}) == 1:
        count = len(drawing.images)
        across = round(np.sqrt(count * _slimness(largest) * figure.bbox.width / figure.bbox.height))
        across = int(np.clip(across, 1, count))
        grid = figure.add_gridspec(-(-count // across), across)
        return [figure.add_subplot(grid[divmod(number, across)]) for number in range(count)]
    heights = max(map(_slimness, others)) / len(others), _slimness(largest)
    grid = figure.add_gridspec(2, len(others), height_ratios=np.clip(heights, 0.4, 1.0))
    axes = [figure.add_subplot(grid[0, number]) for number in range(len(others))]
    return [*axes, figure.add_subplot(grid[1, :])]


def _colours(drawing: Drawing, every: NDArray[np.float64]) -> tuple[Normalize, Colormap, bool]:
    """Return scale and colours of images, and whether values lie beyond the scale."""
    if drawing.signed:
        # A few lost cells must not fade all others: they saturate, and the colour bar says so.
        extent = signed_extent(every)
        diverging = LinearSegmentedColormap.from_list("error", palette.DIVERGING)
        beyond = float(np.abs(every).max()) > extent
        return Normalize(-extent, extent), diverging.with_extremes(bad=palette.NO_CELL), beyond
    colours: Colormap = colormaps[palette.SEQUENTIAL]
    if drawing.grey:
        colours = LinearSegmentedColormap.from_list("grey", palette.GREY)
    if drawing.limits is not None:
        return Normalize(*drawing.limits), colours, False
    codes = np.unique(every)
    whole = (
        len(codes) <= CODES and bool((codes == np.round(codes)).all()) and np.abs(codes).max() <= LARGEST_CODE
    )
    if whole and not drawing.y.unit and not drawing.grey:
        edges = [codes[0] - 0.5, *((codes[:-1] + codes[1:]) / 2.0), codes[-1] + 0.5]
        return BoundaryNorm(edges, colours.N), colours, False
    return Normalize(float(every.min()), float(every.max())), colours, False


def _name_images(axes: Sequence[Axes], drawing: Drawing) -> None:
    """Put the figure's title above its images: of one image with its name, of several above theirs."""
    if len(drawing.images) == 1:
        (image,) = drawing.images
        text = image.name if image.name.startswith(drawing.title) else f"{drawing.title}: {image.name}"
        width, height = lettering.inches(axes[0])
        width = min(width, height / _slimness(image)) + lettering.BESIDE[0] / 2.0
        axes[0].set_title(lettering.wrapped(text, "axes.titlesize", width, bold=True), loc="left")
        return
    for here, image in zip(axes, drawing.images, strict=True):
        width, height = lettering.inches(here)
        width -= BAR / max(len(axes), 1)
        width = min(max(width, lettering.BESIDE[0]), height / _slimness(image) + lettering.BESIDE[0] / 2.0)
        here.set_title(
            lettering.wrapped(image.name, "axes.titlesize", width), loc="left", fontweight="normal"
        )
    holder = axes[0].figure
    assert holder is not None
    size = rcParams["axes.titlesize"]
    holder.suptitle(drawing.title, x=0.02, ha="left", fontsize=size, fontweight="bold")


def _write_counts(axes: Axes, image: MapImage) -> None:
    """Write the counts of an image into it, light on dark colours and dark on light ones, where they can be read."""
    if image.counts is None or max(image.counts.shape) > MOST_WRITTEN:
        return
    cell = 72.0 * min(lettering.inches(axes)) / max(image.counts.shape)  # points
    digits = len(str(image.counts.max()))
    size = min(
        lettering.points("legend.fontsize"), cell / 2.0, cell / (lettering.MEAN_WIDTH * 1.2 * (digits + 0.5))
    )
    if size < SMALLEST_LETTERS:
        return
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
        axis.set_major_formatter(lettering.line_numbers(lines))


def _slimness(image: MapImage) -> float:
    """Height of an image at a width of 1."""
    return len(image.rows) / len(image.columns)
