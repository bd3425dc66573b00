"""Makes the pictures of the page on training: loss over epochs, error of the inverses, intervals of refreshes."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.analysis.figures.sheet import draw_alone
from mho.analysis.figures.values.figures_of_run import figure_of
from mho.extensions.applications import Train

SEED = 1
SIZES = {
    "loss": (7.2, 4.4),
    "inverse_error": (3.6, 2.7),
    "refresh_epochs": (3.6, 2.7),
    "refresh_pulses": (3.6, 2.7),
}
"""Inches of each figure."""
DOTS = 110


def draw_training(folder: Path, pictures: Path) -> None:
    """Train by every optimiser on `arrays`, with a run file in `folder`, and draw its figures into `pictures`."""
    path = mho.run(Train(), "arrays", seed=SEED, output=folder / "train.h5").path
    with mho.open_run(path) as run:
        for figure, size in SIZES.items():
            sheet = draw_alone(run, figure_of(run, figure), size, DOTS, 1 << 20)
            picture = pictures / f"training-{figure.replace('_', '-')}.png"
            sheet.savefig(picture, metadata={"Software": None})
