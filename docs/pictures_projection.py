"""Makes the pictures of the page on a thousand times: figures of the run file of one projection."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.extensions.projection import PUBLISHED, project, save

SEED = 1
FIGURES = (
    "thousand",
    "throughput",
    "energy",
    "fp64_energy",
    "published",
    "tornado",
    "settling",
    "block_energy",
)


def draw_projection(folder: Path, pictures: Path) -> None:
    """Project with the published assumptions, and draw."""
    run = save(project(PUBLISHED, [32, 128], seed=SEED), folder / "projection.h5")
    for name in FIGURES:
        mho.plot(run, pictures / f"projection-{name.replace('_', '-')}.png", name)
