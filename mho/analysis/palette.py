"""The colours of every figure and view, named by their meaning and distinguishable by the colour-blind.

Lines: Okabe and Ito, "Color Universal Design" (2008). Images: viridis, and ColorBrewer's RdBu for signed values.
"""

from __future__ import annotations

RELATIVE_ERROR = "#0072B2"  # blue
RESIDUAL = "#E69F00"  # orange
FORECAST = "#009E73"  # bluish green
IDEAL = "#555555"
TARGET = "#CC79A7"  # reddish purple
INSIDE = "#0072B2"
OUTSIDE = "#D55E00"  # vermillion
WINDOW = "#56B4E9"  # sky blue

SERIES = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288", "#661100", "#004D40",
)  # fmt: skip
"""For runs side by side: Okabe's and Ito's without black, which is left to the axes, and yellow, which does not show on
white; then three dark ones that the colour-blind tell from all others, as two greys or an olive are not."""

GOOD, BUSY, BAD, DOUBTFUL = "#00795A", "#0072B2", "#B54700", "#8A5A00"  # dark enough for white text
NO_CELL = "#C4C4C4"
INK, FAINT = "#1A1A1A", "#6B6B6B"
SEQUENTIAL, GREY = "viridis", ("#000000", "#FFFFFF")
DIVERGING = (
    "#053061", "#2166AC", "#4393C3", "#92C5DE", "#D1E5F0", "#F7F7F7",
    "#FDDBC7", "#F4A582", "#D6604D", "#B2182B", "#67001F",
)  # fmt: skip
"""From below to above the target; the middle is zero."""

CROWD = ("#440154", "#3B528B", "#21918C", "#5EC962", "#BDDF26")
"""For many curves in order, from the first to the last: viridis without its palest end."""


def of_series(number: int) -> str:
    """Return the colour of a curve or run among others; they repeat."""
    return SERIES[number % len(SERIES)]


def along(share: float) -> str:
    """Return the colour of `CROWD` at a share of its length, 0 to 1."""
    place = share * (len(CROWD) - 1)
    number = min(int(place), len(CROWD) - 2)
    ends = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in CROWD[number : number + 2]]
    mixed = (round(one + (place - number) * (other - one)) for one, other in zip(*ends, strict=True))
    return "#" + "".join(f"{value:02X}" for value in mixed)
