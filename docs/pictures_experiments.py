"""Makes the pictures of the pages on Multiply, Invert and strategies, each a declared figure of runs as the page has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import mho

SEED = 1
MULTIPLY = ("error_by_active_lines", "errors_in_patterns")
STRATEGIES = ("ispp", "fppv", "asap", "model")
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


def plot_strategies(folder: Path, pictures: Path) -> None:
    """Program the same digits by each strategy, with run files in `folder`, and draw their pulses over one another."""
    digits = folder / "digits.npy"
    np.save(digits, np.random.default_rng(1).integers(0, 8, (32, 32)))
    paths = []
    for name in STRATEGIES:
        program = mho.Program(digits=str(digits), strategy=name, passes=0, write_verify="attempts=5")
        path = folder / f"{name}.h5"
        paths.append(mho.run(program, "arrays", preset="relaxing", seed=SEED, output=path).path)
    mho.plot(paths, pictures / "strategies-pulses.png", figure="pulses_per_cell")
