"""Makes the pictures of the pages on Multiply and Invert, each a declared figure of a run as the page has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import mho

SEED = 1
MULTIPLY = ("error_by_active_lines", "errors_in_patterns")
INVERT = ("error_by_scale", "error_by_condition", "settling_time", "waveforms", "deviations")


def plot_experiments(folder: Path, pictures: Path) -> None:
    """Run both experiments, with run files in `folder`, and draw their figures into `pictures`."""
    dense = folder / "dense.npy"
    np.save(dense, np.random.default_rng(1).standard_normal((6, 32)))
    runs = {
        "multiply": (mho.Multiply(matrix=str(dense)), MULTIPLY),
        "invert": (mho.Invert(conditions="2, 5, 10, 30, 100", vectors=32, seed=SEED), INVERT),
    }
    for name, (procedure, figures) in runs.items():
        path = mho.run(procedure, seed=SEED, output=folder / f"{name}.h5").path
        for figure in figures:
            mho.plot(path, pictures / f"{name}-{figure.replace('_', '-')}.png", figure=figure)
