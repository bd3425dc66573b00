"""Makes the pictures of figures over many runs: a campaign of 60 solves, three presets and twenty seeds."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.procedures import Solve

PRESETS, SEEDS = ("quiet", "relaxing", "stanford"), range(1, 21)


def solve_campaign(folder: Path) -> None:
    """Solve the massive-MIMO matrix on chips of each preset, evaluated a whole array at a time."""
    matrix = str(Path("data", "matrices", "mimo-16x16.mtx"))
    for preset in PRESETS:
        for seed in SEEDS:
            output = folder / f"{preset}-{seed:02}.h5"
            mho.run(Solve(matrix=matrix, bits=24), bench="arrays", preset=preset, seed=seed, output=output)


def plot_over_runs(pictures: Path, folder: Path) -> None:
    """Draw what docs/figures.md shows."""
    folder.mkdir(exist_ok=True)
    solve_campaign(folder)
    shown = pictures / "over-runs-convergence.png"
    mho.plot(folder, shown, "convergence", by="preset", ratio=True, width="full")
    mho.plot(folder, pictures / "over-runs-column.png", "convergence", by="preset", width="column")
    mho.plot(folder, pictures / "over-runs-pulses.png", "pulses_per_cell", by="preset", width=120)
    mho.plot(folder, pictures / "over-runs-table.png", "cycles_by_rho", width=120)
