"""What a run has to show in a figure: groups of points, or images, in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PointGroup:
    """The points of one curve, or the values that one distribution is of.

    Attributes
    ----------
    label : str
        "" where there is nothing to tell apart.
    x, y : (n,) arrays
        SI units, in the order of their rows. `y` is empty for a histogram or distribution.
    key : float
        The value by which it is grouped, where that is one number; else NaN.
    """

    label: str
    x: Floats
    y: Floats
    key: float = np.nan


@dataclass(frozen=True)
class MapImage:
    """One image to draw.

    Attributes
    ----------
    name : str
    values : (r, c) array
        SI units; NaN where there is nothing.
    rows, columns : (r,), (c,) array of int
        Physical numbers of the lines.
    """

    name: str
    values: Floats
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class AxisText:
    """What an axis shows: a name, and the SI unit."""

    name: str
    unit: str = ""


NO_AXIS = AxisText("")


@dataclass(frozen=True)
class FigureData:
    """What a run has to show in a figure.

    Attributes
    ----------
    run : str
        The run file's name, by which it is told apart from others.
    groups : tuple of PointGroup
    images : tuple of MapImage
    x, y : AxisText
        Of an image, `y` is what it shows.
    numbers : mapping
        What the figure's reference lines name, as far as the run has it.
    counts : bool
        Whether the horizontal axis has whole numbers only.
    note : str
        What is left out, for the title.
    nothing : str
        Why there is nothing to draw; "" when there is something.
    colour : str
        What the run is drawn in beside others, where that is chosen already.
    """

    run: str
    groups: tuple[PointGroup, ...] = ()
    images: tuple[MapImage, ...] = ()
    x: AxisText = NO_AXIS
    y: AxisText = NO_AXIS
    numbers: Mapping[str, float] | None = None
    counts: bool = False
    note: str = ""
    nothing: str = ""
    colour: str = ""
