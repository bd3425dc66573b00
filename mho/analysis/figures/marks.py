"""Input of every renderer: the marks of a figure, in SI units, with their colours and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mho.analysis.figures.values.figure_data import NO_AXIS, AxisText, MapImage
from mho.array_types import Floats
from mho.runs.figures import Band

DASHES = ("solid", "dash", "dot", "dash-dot")
MARKERS = ("square", "circle", "diamond", "triangle")
BELOW = "below"
"""The marker of an upper end: a triangle that points down."""


@dataclass(frozen=True)
class Mark:
    """One thing on the plane, in SI units.

    Attributes
    ----------
    shape : str
        ``line``, ``steps``, ``points``, ``bars`` (`x` has the edges), ``whiskers`` (from `low` to `high`), ``band`` or
        ``step band`` (shaded from `low` to `high`), or ``rows``: horizontal bars from 0 to `x` at `y`, with whiskers
        from `low` to `high` where these are given.
    label : str
        For the legend; "" keeps it out.
    colour : str
    dash : str
        Of a line, one of `DASHES`.
    marker : str
        At the points of a line, one of `MARKERS` or `BELOW`; "" for none.
    opacity : float
    front : bool
        Whether it stands out: a reference or a crowd of curves does not.
    """

    shape: str
    label: str
    x: Floats
    y: Floats
    colour: str
    dash: str = "solid"
    marker: str = ""
    opacity: float = 1.0
    front: bool = True
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
    """Everything to draw of a figure.

    Attributes
    ----------
    title, note : str
        Text above the figure; note on omitted data.
    marks : tuple of Mark
        From the bottom to the top.
    images : tuple of MapImage
    signed : bool
        Whether the images' scale has zero in its middle.
    lines : (str, str)
        Names of the horizontal and the vertical axis of images.
    limits : (low, high), optional
        Ends of the images' scale, or of the vertical axis, where they do not follow from the values.
    x, y : AxisText
        Of images, `y` is what they show.
    x_scale, y_scale : str
        ``linear``, ``log``, or ``probability``: then y holds quantiles of a normal distribution.
    counts : bool
        Whether the horizontal axis has whole numbers only.
    names : tuple of str
        Of 0, 1, 2 and so on up the vertical axis, in place of numbers; `Mark` has them as y.
    nothing : str
        Reason why there is nothing to draw; "" otherwise.
    codes : mapping
        What whole numbers of images stand for.
    grey : bool
        Whether images go from black to white.
    equal : bool
        Whether a unit is as long on one axis as on the other.
    fits : tuple of str
        The numbers of each fit, with their intervals and how good it is, for below the figure.
    """

    title: str
    note: str = ""
    marks: tuple[Mark, ...] = ()
    levels: tuple[ReferenceLevel, ...] = ()
    bands: tuple[Band, ...] = ()
    images: tuple[MapImage, ...] = ()
    signed: bool = False
    lines: tuple[str, str] = ("column", "row")
    limits: tuple[float, float] | None = None
    x: AxisText = NO_AXIS
    y: AxisText = NO_AXIS
    x_scale: str = "linear"
    y_scale: str = "linear"
    counts: bool = False
    names: tuple[str, ...] = ()
    nothing: str = ""
    codes: Mapping[int, str] = field(default_factory=dict)
    grey: bool = False
    equal: bool = False
    fits: tuple[str, ...] = ()
