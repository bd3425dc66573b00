"""Contents of the run file of massive MIMO: tables of error rates, deviations and constellations, images, figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.extensions.applications.application import MATRICES
from mho.extensions.applications.wireless.published_rates import published_lines, published_points
from mho.runs import Column, Figure, Layout, Map, Table

SINGLE = "float32"
SYMBOLS_KEPT = 4096  # symbols of each constellation at most
_SNR = Column("snr", "dB", description="20 log10(|signal| / |noise|)", digital=1e-9)


def receivers(cycles: int) -> tuple[str, ...]:
    """Return who decides, by number: float32, and the chip after each cycle."""
    return (SINGLE, *(f"after cycle {number}" for number in range(1, cycles + 1)))


def constellation_table(receiver: int) -> str:
    """Return the name of the table of a receiver's constellation."""
    return f"constellation_cycle_{receiver}" if receiver else f"constellation_{SINGLE}"


def image_map(receiver: int | None) -> str:
    """Return the name of the map of a receiver's image; of None that of the one which is sent."""
    return "sent" if receiver is None else f"cycle_{receiver}" if receiver else SINGLE


def mimo_layout(
    cycles: int, ratios: int, picture: NDArray[np.uint8] | None, published: bool, words: str
) -> Layout:
    """Return what a run writes.

    `cycles`, `ratios`: numbers of cycles, and of signal-to-noise ratios; `picture`: the image that is sent;
    `published`: whether published rates stand beside the run's; `words`: what is sent, for titles.
    """
    names = receivers(cycles)
    codes = Column(
        "receiver", dtype="u1", description="; ".join(f"{n} {name}" for n, name in enumerate(names))
    )
    rates = Table(
        "error_rates",
        (
            codes, _SNR, Column("errors", dtype="u8", description="bits decided wrong"),
            Column("bits", dtype="u8", description="bits sent"),
            Column("rate", description="errors over bits", digital=1e-9),
            Column("low", description="95 % interval of the rate, vectors as units", digital=1e-9),
            Column("high", description="95 % interval of the rate, vectors as units", digital=1e-9),
            Column("only_this", dtype="u8",
                   description="bits that this receiver has wrong and float32 right"),
            Column("only_single", dtype="u8",
                   description="bits that float32 has wrong and this receiver right"),
            Column("difference", description="rate less that of float32", digital=1e-9),
            Column("difference_low", description="95 % interval, vectors as units", digital=1e-9),
            Column("difference_high", description="95 % interval, vectors as units", digital=1e-9),
            Column("p", description="McNemar's exact test against float32", digital=1e-9),
            Column("closed_form", description="expected of exact detection; NaN for precoding", digital=1e-9),
        ),
        signal="rate", axis="snr", series="receiver", title="bit errors", rows=ratios * len(names),
    )  # fmt: skip
    deviations = Table(
        "deviations",
        (
            Column("cycle", dtype="u1"), _SNR,
            Column("deviation", description="of the solutions, relative to float64", digital=1e-6),
        ),
        signal="deviation", axis="cycle", series="snr", title="solutions beside float64",
        rows=ratios * cycles,
    )  # fmt: skip
    constellations = tuple(_constellation(number, name) for number, name in enumerate(names))
    maps, images = ((), ()) if picture is None else _images(picture.shape, names, ratios)
    return Layout(
        (rates, deviations, *constellations, MATRICES), maps, default="error_rates",
        figures=(_rates(published, words), *images, *map(_scatter, range(len(names)), names), *OTHERS),
    )  # fmt: skip


def _rates(published: bool, words: str) -> Figure:
    return Figure(
        "bit_error_rate", kind="share", table="error_rates", x="snr", y=("errors", "bits"), by="receiver",
        y_scale="log", title=f"Bit error rate, {words}", points=published_points() if published else (),
        lines=published_lines() if published else (),
    )  # fmt: skip


OTHERS = (
    Figure("difference", kind="scatter", table="error_rates", x="snr", y="difference", by="receiver",
           title="Bit error rate less that of float32"),
    Figure("deviation", kind="errorbars", table="deviations", x="cycle", y="deviation", y_scale="log",
           title="Solutions beside float64"),
)  # fmt: skip


def _constellation(number: int, name: str) -> Table:
    return Table(
        constellation_table(number),
        (
            _SNR, Column("in_phase", digital=1e-6), Column("quadrature", digital=1e-6),
            Column("wrong", dtype="u1", description="0 right; 1 wrong"),
        ),
        signal="quadrature", axis="in_phase", title=f"symbols at the highest SNR, {name}", rows=SYMBOLS_KEPT,
    )  # fmt: skip


def _scatter(number: int, name: str) -> Figure:
    table = constellation_table(number)
    return Figure(
        table, kind="scatter", table=table, x="in_phase", y="quadrature", by="wrong", equal=True,
        title=f"Symbols at the highest SNR, {name}",
    )  # fmt: skip


def _images(
    shape: tuple[int, ...], names: tuple[str, ...], ratios: int
) -> tuple[tuple[Map, ...], tuple[Figure, ...]]:
    order: tuple[int | None, ...] = (None, *range(1, len(names)), 0)
    rows, columns = (np.arange(length) for length in shape)
    maps = tuple(
        Map(image_map(one), "", rows, columns,
            "image sent" if one is None else f"image received, {names[one]}", images=ratios)
        for one in order
    )  # fmt: skip
    figure = Figure(
        "image", map=tuple(one.name for one in maps), colours="grey", title="Image at the highest SNR"
    )
    return maps, (figure,)
