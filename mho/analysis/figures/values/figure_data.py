"""The data of a run for a figure: groups of points, or images, in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats


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
    counts : (r, c) array of int, optional
        To be written into the image; 0 is left out.
    """

    name: str
    values: Floats
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    counts: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class AxisText:
    """Name and SI unit of an axis."""

    name: str
    unit: str = ""


NO_AXIS = AxisText("")


@dataclass(frozen=True)
class FigureData:
    """The data of a run for a figure.

    Attributes
    ----------
    run : str
        The run file's name, which identifies the run.
    groups : tuple of PointGroup
    beside : tuple of PointGroup
        To compare with, from another table.
    images : tuple of MapImage
    x, y : AxisText
        Of an image, `y` is what it shows.
    numbers : mapping
        Values for the figure's reference lines, as far as the run has them.
    counts : bool
        Whether the horizontal axis has whole numbers only.
    note : str
        Note on omitted data, for the title.
    nothing : str
        Reason why there is nothing to draw; "" otherwise.
    codes : mapping, optional
        What the whole numbers of the images stand for.
    colour : str
        Colour of the run among others, where it is already chosen.
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
    codes: Mapping[int, str] | None = None
    colour: str = ""
    beside: tuple[PointGroup, ...] = ()
