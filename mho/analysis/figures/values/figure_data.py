"""The data of a run for a figure: groups of points, or images, in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats


@dataclass(frozen=True)
class PointGroup:
    """The points of one curve, or the values that one distribution is of."""

    label: str  # "" where there is nothing to tell apart
    x: Floats  # (n,): SI units, in the order of their rows
    y: Floats  # (n,), or empty for a histogram or distribution
    key: float = np.nan  # the value by which it is grouped, where that is one number; else NaN


@dataclass(frozen=True)
class MapImage:
    """One image to draw."""

    name: str
    values: Floats  # (r, c): SI units; NaN where there is nothing
    rows: NDArray[np.int64]  # (r,): physical numbers of the lines
    columns: NDArray[np.int64]  # (c,)
    counts: NDArray[np.int64] | None = None  # (r, c): to be written into the image; 0 is left out


@dataclass(frozen=True)
class AxisText:
    """Name and SI unit of an axis."""

    name: str
    unit: str = ""


NO_AXIS = AxisText("")


@dataclass(frozen=True)
class FigureData:
    """The data of a run for a figure."""

    run: str  # the run file's name, which identifies the run
    groups: tuple[PointGroup, ...] = ()
    images: tuple[MapImage, ...] = ()
    x: AxisText = NO_AXIS
    y: AxisText = NO_AXIS  # of an image, what it shows
    # Values for the figure's reference lines, as far as the run has them
    numbers: Mapping[str, float] | None = None
    counts: bool = False  # whether the horizontal axis has whole numbers only
    note: str = ""  # note on omitted data, for the title
    nothing: str = ""  # reason why there is nothing to draw; "" otherwise
    codes: Mapping[int, str] | None = None  # what the whole numbers of the images stand for
    colour: str = ""  # colour of the run among others, where it is already chosen
    beside: tuple[PointGroup, ...] = ()  # to compare with, from another table
