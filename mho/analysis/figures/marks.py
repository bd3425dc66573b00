"""Input of every renderer: the marks of a figure, in SI units, with their colours and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mho.analysis.figures.values.figure_data import NO_AXIS, AxisText, MapImage
from mho.array_types import Floats
from mho.runs.figures import Band

DASHES = ("solid", "dash", "dot", "dash-dot")
MARKERS = ("square", "circle", "diamond", "triangle")
BELOW = "below"  # the marker of an upper end: a triangle that points down


@dataclass(frozen=True)
class Mark:
    """One thing on the plane, in SI units."""

    # ``line``, ``steps``, ``points``, ``bars`` (`x` has the edges), ``whiskers`` (from `low` to `high`),
    # ``band`` or ``step band`` (shaded from `low` to `high`), or ``rows``: horizontal bars from 0 to `x` at
    # `y`, with whiskers from `low` to `high` where these are given
    shape: str
    label: str  # for the legend; "" keeps it out
    x: Floats
    y: Floats
    colour: str
    dash: str = "solid"  # of a line, one of `DASHES`
    marker: str = ""  # at the points of a line, one of `MARKERS` or `BELOW`; "" for none
    opacity: float = 1.0
    front: bool = True  # whether it stands out: a reference or a crowd of curves does not
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True)
class ReferenceLevel:
    """A horizontal line at `y`, or a vertical one at `x`."""

    label: str
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class Drawing:
    """Everything to draw of a figure."""

    title: str  # above the figure
    note: str = ""  # on omitted data
    marks: tuple[Mark, ...] = ()  # from the bottom to the top
    levels: tuple[ReferenceLevel, ...] = ()
    bands: tuple[Band, ...] = ()
    images: tuple[MapImage, ...] = ()
    signed: bool = False  # whether the images' scale has zero in its middle
    lines: tuple[str, str] = ("column", "row")  # names of the horizontal and the vertical axis of images
    # (low, high): ends of the images' scale, or of the vertical axis, where they do not follow from the
    # values
    limits: tuple[float, float] | None = None
    x: AxisText = NO_AXIS
    y: AxisText = NO_AXIS  # of images, what they show
    x_scale: str = "linear"  # or ``log``
    y_scale: str = "linear"  # or ``log``, or ``probability``: then y holds quantiles of a normal law
    counts: bool = False  # whether the horizontal axis has whole numbers only
    # Of 0, 1, 2 and so on up the vertical axis, in place of numbers; `Mark` has them as y
    names: tuple[str, ...] = ()
    nothing: str = ""  # reason why there is nothing to draw; "" otherwise
    codes: Mapping[int, str] = field(default_factory=dict)  # what whole numbers of images stand for
    grey: bool = False  # whether images go from black to white
    equal: bool = False  # whether a unit is as long on one axis as on the other
    # The numbers of each fit, with their intervals and how good it is, for below the figure
    fits: tuple[str, ...] = ()
