"""The eight levels after write-verify."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from docs.cell_figures.bench import COLOURS, GRADUAL, LEVELS, MICRO, Row, save, write_verify


def levels() -> Iterator[Row]:
    """Histograms of the eight levels after write-verify, read an hour later."""
    figure = Figure((9, 7.2), layout="constrained")
    for ax, (name, preset) in zip(figure.subplots(4, 1, sharex=True), GRADUAL.items(), strict=True):
        array, clock, _, pulses, verified = write_verify(preset, 500)
        clock.advance(3600.0)
        g = MICRO * array.conductance()
        for digit in range(8):
            ax.hist(g[digit], np.arange(-1, 42, 0.25), color=COLOURS[name], alpha=0.75)
            if digit:
                ax.axvspan(MICRO * LEVELS.low[digit], MICRO * LEVELS.high[digit], color="k", alpha=0.08, lw=0)
        ax.axvspan(0.22, 0.52, color="k", alpha=0.08, lw=0)
        ax.set(
            ylabel="cells",
            yscale="log",
            ylim=(0.7, 700),
            title=f"{name}: an hour after write-verify, {verified.mean():.2%} verified",
        )
        spread = g[1:].std(axis=1)
        if name == "pku":
            off = np.abs(g[1:] - MICRO * LEVELS.nominal[1:, None])
            yield (
                "sd of levels 1 to 7, an hour on",
                name,
                f"{spread.min():.2f} to {spread.max():.2f} uS",
                "0.6 to 0.7 uS [R]",
            )
            yield (
                "half width that holds 99 % of the cells",
                name,
                f"{np.quantile(off, 0.99):.2f} uS",
                "about 1.2 uS [R]",
            )
            low, high = g[0].min(), g[0].max()
            yield (
                "level 0, all cells",
                name,
                f"{low:.2f} to {high:.2f} uS",
                "0.22 to 0.52 uS [R]; verified below 0.6",
            )
        source = "all of 400 cells [P]" if name == "pku" else "0.94 to 0.996 with plain ISPP [L]"
        yield "write-verify success, 4000 cells", name, f"{verified.mean():.2%}", source
        yield "pulses a cell, forming apart", name, f"{pulses.mean():.1f}", "80 with plain ISPP [L]"
    ax.set(xlabel="G (uS); grey: verify windows, published range of level 0")
    save(figure, "levels")
