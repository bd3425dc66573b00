"""Makes the picture of 8 levels on 100 x 100 cells, and the figures of a refresh, for the page on programming."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

import mho
from mho.analysis.reports import read_chip
from mho.instruments import Bench, open_bench
from mho.procedures import Program, Read, Refresh

SIDE, SEED, DAY = 100, 1, 86400.0
MICRO = 1e6
MOVED = ("before", "levels", "moved")


def ball(side: int = SIDE, levels: int = 8) -> NDArray[np.int64]:
    """A lit ball before waves, as digits: its shade is the cosine between the surface and the light."""
    y, x = np.mgrid[-1.0 : 1.0 : 1j * side, -1.0 : 1.0 : 1j * side]
    radius, light = 0.72, np.array([-0.48, -0.56, 0.675])
    inside = x**2 + y**2 < radius**2
    z = np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0.0))
    shade = np.maximum((light[0] * x + light[1] * y + light[2] * z) / radius, 0.0)
    waves = 0.28 + 0.22 * np.sin(9.0 * np.hypot(x + 1.3, y - 1.1))
    grey = np.where(inside, 0.06 + 0.94 * shade, waves)
    return np.clip((levels * grey).astype(np.int64), 0, levels - 1)


def draw_levels(folder: Path, pictures: Path) -> str:
    """Program the picture on the simulated bench, read it back, draw both; return the count of cells in their windows."""
    digits = ball()
    with open_bench("simulated", seed=SEED) as bench:
        programmed = mho.run(Program(digits=digits), bench, seed=SEED, output=folder / "picture.h5")
        with mho.open_run(programmed.path) as file:
            chip = read_chip(file)
        assert chip is not None
        levels = chip.level_scale()
        read = _read(bench, folder / "picture-read.h5")
    inside = levels.inside(read, digits)
    told = f"{inside.sum():,} of {inside.size:,} in window"
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.3), layout="constrained")
    for axis, image, title in zip(
        axes, (levels.conductance(digits), read), ("target, 8 levels", f"read back: {told}"), strict=True
    ):
        shown = axis.imshow(MICRO * image, cmap="gray", vmin=0.0, vmax=MICRO * levels.nominal[-1])
        axis.set(title=title, xlabel="column", ylabel="row" if axis is axes[0] else "")
    figure.colorbar(shown, ax=axes, label="conductance (uS)", shrink=0.85)
    figure.savefig(pictures / "program-picture.png", dpi=110)
    plt.close(figure)
    return told


def plot_refresh(folder: Path, pictures: Path) -> None:
    """Refresh a block of cells that move after a day, and draw what was found and what it left."""
    digits = np.random.default_rng(SEED).integers(0, 8, (48, 48))
    with open_bench("arrays", preset="relaxing", seed=SEED) as bench:
        first = mho.run(Program(digits=digits), bench, seed=SEED, output=folder / "day.h5")
        path = mho.run(
            Refresh(of=str(first.path), wait=DAY), bench, seed=SEED, output=folder / "refresh.h5"
        ).path
    for name in MOVED:
        mho.plot(path, pictures / f"refresh-{name}.png", figure=name)


def _read(bench: Bench, path: Path) -> NDArray[np.float64]:
    lines = f"0:{SIDE}"
    found: NDArray[np.float64] = mho.run(
        Read(rows=lines, columns=lines), bench, seed=SEED, output=path
    ).conductance[0]
    return found
