"""Makes the pictures of the pages on experiments with cells, each a declared figure of a run as the page has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import mho
from mho.procedures import Disturb, Endurance, MapArray, Noise, Procedure, Program, Retention, Switching

BLOCK = {"rows": "0:16", "columns": "0:16"}
LEVELS = 1 + np.arange(256).reshape(16, 16) % 7
RUNS: dict[str, tuple[str, Procedure, tuple[str, ...]]] = {
    "switching": ("relaxing", Switching(**BLOCK), ("distributions",)),
    "endurance": ("pku", Endurance(cycles=10**8), ("endurance",)),
    "retention": ("quiet", Retention(**BLOCK, last=1e6), ("drift",)),
    "noise": ("relaxing", Noise(rows="0, 2", columns="1, 4", series=2), ("spectra",)),
    "disturb": (
        "pku",
        Disturb(rows="0:7", columns="0:4", stress="set", share="V/3", pulses=1000),
        ("disturb",),
    ),
    "map": ("pku", MapArray(**BLOCK), ("conductances",)),
}
"""Cells, experiment and figures, by name."""


def plot_lifetimes(folder: Path, pictures: Path) -> None:
    """Carry the experiments out on programmed cells, with run files in `folder`, and draw their figures into `pictures`."""
    for name, (preset, procedure, figures) in RUNS.items():
        # Reads in a row are faster at the wire, where the source-measure unit times them.
        with mho.open_bench("simulated" if name == "noise" else "arrays", preset=preset, seed=1) as bench:
            mho.run(Program(digits=LEVELS, passes=0), bench, seed=1, output=folder / f"{name}-program.h5")
            path = mho.run(procedure, bench, seed=1, output=folder / f"{name}.h5").path
        for figure in figures:
            mho.plot(path, pictures / f"{name}-{figure}.png", figure=figure)
