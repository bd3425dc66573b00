"""The panels of a run's figure, each drawn into axes it is given; a panel without data says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from mho.analysis.figures import palette
from mho.analysis.reports.cells import ArrayCells
from mho.analysis.reports.convergence import Convergence, ideal
from mho.analysis.reports.quantities import handy_unit
from mho.chip_maps.levels import Levels

Floats = NDArray[np.float64]

MICRO, MICROSIEMENS = handy_unit("S")
BIN = 0.2  # µS, a twelfth of a verify window


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _label_powers(axes: Axes) -> None:
    """Label a logarithmic y axis without mathematical markup: a figure shows any $ as it is."""
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: "10" + f"{np.log10(value):.0f}".translate(SUPERSCRIPTS))
    )
    axes.yaxis.set_minor_formatter(NullFormatter())


def say_nothing_there(axes: Axes, title: str, why: str) -> None:
    """Leave the panel empty but for its title and the reason."""
    axes.set_title(title, loc="left")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=palette.FAINT)


def draw_convergence(axes: Axes, convergence: Convergence | None) -> None:
    """Relative error and residual over the cycles, beside 3 bits a cycle and the forecast."""
    title = "Convergence"
    if convergence is None or not len(convergence.cycle):
        why = "no refinement in this run" if convergence is None else "no cycles yet"
        say_nothing_there(axes, title, why)
        return
    last = float(convergence.cycle[-1])
    line = np.linspace(0.0, last, 200)
    cycle = np.append(0.0, convergence.cycle)
    measured = np.concatenate([convergence.residual, convergence.relative_error])
    measured = measured[np.isfinite(measured) & (measured > 0.0)]
    floors = [*measured, *([convergence.precision] if convergence.precision else [])]
    bottom, top = min(floors, default=1e-3) / 10.0, max([*measured, 1.0]) * 5.0

    axes.semilogy(line, ideal(line), ls="--", color=palette.IDEAL, lw=1.2, label="3 bits a cycle")
    forecast = convergence.forecast(line)
    if forecast is not None:
        label = f"forecast, rho = {convergence.rho:.3f}"
        axes.semilogy(line, forecast, ls="-.", color=palette.FORECAST, lw=1.4, label=label)
    for values, marker, colour, label in (
        (convergence.residual, "s", palette.RESIDUAL, "residual"),
        (convergence.relative_error, "o", palette.RELATIVE_ERROR, "relative error"),
    ):
        axes.semilogy(cycle, np.append(1.0, values), marker=marker, ms=5, color=colour, lw=1.6, label=label)
    for level, name, left in (
        (convergence.precision, f"{convergence.bits} bits", 0.01),
        (convergence.tolerance, "tolerance of the residual", 0.15),
    ):
        if level:
            axes.axhline(level, color=palette.TARGET, lw=1.0, ls=":")
            # Below the line and at its left end, where no curve has come down to it yet.
            place = blended_transform_factory(axes.transAxes, axes.transData)
            axes.text(left, level / 1.25, name, transform=place, color=palette.TARGET, fontsize=9, va="top")
    axes.set_xlim(-0.03 * last, 1.03 * last)
    axes.set_ylim(bottom, top)
    _label_powers(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("cycle")
    axes.set_ylabel("relative to solution / right-hand side")
    axes.grid(True, which="major", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best")
    axes.set_title(title, loc="left")


def draw_levels(axes: Axes, arrays: Sequence[ArrayCells], levels: Levels | None) -> None:
    """Histogram of the last verified conductances, over the verify windows of the digits."""
    title = "Levels of the programmed cells"
    achieved = [MICRO * array.conductance[array.programmed] for array in arrays]
    values = np.concatenate([np.empty(0), *achieved])
    if not values.size:
        say_nothing_there(
            axes, title, "no programmed cells in this run" if not arrays else "no cells read yet"
        )
        return
    top = max(float(values.max()), 0.0 if levels is None else MICRO * float(levels.high[-1]))
    bins = np.arange(min(0.0, np.floor(values.min())), top + 2 * BIN, BIN).tolist()
    edges = bins[0] - 0.5, top + 1.0
    axes.hist(values, bins, color=palette.INSIDE, log=True, label=f"{values.size} cells")
    if levels is None:
        axes.set_title(f"{title} (no chip map in the file)", loc="left")
    else:
        masks = [array.outside(levels)[array.programmed] for array in arrays]
        outside = values[np.concatenate([np.empty(0, bool), *masks])]
        if outside.size:
            label = f"{outside.size} outside their window"
            axes.hist(outside, bins, color=palette.OUTSIDE, log=True, label=label)
        _shade_windows(axes, levels, edges)
        axes.set_title(title, loc="left")
    axes.set_xlim(edges)
    # Room above the bars for the legend and the digits.
    axes.set_ylim(0.7, axes.get_ylim()[1] * 8.0)
    _label_powers(axes)
    axes.set_xlabel(f"conductance / {MICROSIEMENS}")
    axes.set_ylabel("cells")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.94), ncols=2)


def _shade_windows(axes: Axes, levels: Levels, edges: tuple[float, float]) -> None:
    place = blended_transform_factory(axes.transData, axes.transAxes)
    # Digit 0 is verified by its upper limit alone: its window is open to the left.
    lows, highs = np.clip(MICRO * levels.low, *edges), np.clip(MICRO * levels.high, *edges)
    for digit, (low, high) in enumerate(zip(lows, highs, strict=True)):
        axes.axvspan(low, high, color=palette.WINDOW, alpha=0.25, lw=0, zorder=0)
        axes.text((low + high) / 2, 0.985, str(digit), transform=place, ha="center", va="top", fontsize=9)


def draw_error_maps(axes: Sequence[Axes], arrays: Sequence[ArrayCells], left_out: int = 0) -> None:
    """Where the cells miss their targets, array by array on one scale; the last axes take the largest array.

    Parameters
    ----------
    axes : sequence of Axes
        As many as `arrays`; one for the reason when there are none.
    left_out : int
        Arrays that are not drawn.
    """
    if not arrays:
        say_nothing_there(axes[0], "Conductance errors", "no cells to show")
        return
    errors = [MICRO * array.error for array in arrays]
    every = np.abs(np.concatenate([error[np.isfinite(error)] for error in errors]))
    # A few lost cells must not fade all others: they saturate, and the colour bar says so.
    extent = float(np.quantile(every, 0.998)) or 1.0
    colours = LinearSegmentedColormap.from_list("error", palette.DIVERGING).with_extremes(bad=palette.NO_CELL)
    image = None
    for here, array, error in zip(axes, arrays, errors, strict=True):
        image = here.imshow(
            error,
            cmap=colours,
            norm=Normalize(-extent, extent),
            interpolation="nearest",
            aspect="equal",
        )
        here.set_title(array.name.replace("_", " "), loc="left")
        here.set_xlabel("column")
        here.set_ylabel("row")
        for axis, lines in ((here.xaxis, array.columns), (here.yaxis, array.rows)):
            axis.set_major_locator(MaxNLocator(6, integer=True))
            axis.set_major_formatter(line_numbers(lines))
    assert image is not None
    beyond = float(every.max()) > extent
    bar = axes[-1].figure.colorbar(
        image, ax=list(axes), shrink=0.8, aspect=30, pad=0.02, extend="both" if beyond else "neither"
    )
    note = f"; {left_out} more arrays not shown" if left_out else ""
    bar.set_label(f"achieved − target / {MICROSIEMENS}   (grey: no verified cell{note})")


def line_numbers(lines: NDArray[np.int64]) -> FuncFormatter:
    """Label an image's axis with physical line numbers, which skip the lines not in use."""

    def label(place: float, _: int | None = None) -> str:
        index = round(place)
        return str(lines[index]) if 0 <= index < len(lines) else ""

    return FuncFormatter(label)
