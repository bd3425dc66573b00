"""Makes the pictures of the applications on fields and control: one run each on whole arrays, its figures."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.extensions.applications import Arm, Diffusion, Junction, Kalman, Poisson, Portfolio, PowerFlow

SEED = 1

RUNS = {
    "poisson": (Poisson(), ("field_lines", "potential")),
    "poisson-quadrupole": (Poisson(arrangement="quadrupole"), ("field_lines", "streamlines")),
    "diffusion": (Diffusion(), ("moments", "errors")),
    "junction": (Junction(), ("carriers", "field", "newton")),
    "kalman": (Kalman(), ("track", "errors")),
    "arm": (Arm(), ("path", "poses")),
    "power-flow": (PowerFlow(), ("grid", "flow_after_outage")),
    "portfolio": (Portfolio(), ("frontier",)),
}
"""Pictures by the figures of each run; a picture is called by both."""


def draw_fields(folder: Path, pictures: Path) -> None:
    """Run every application, and draw its figures into `pictures`."""
    for name, (procedure, figures) in RUNS.items():
        (folder / name).mkdir()
        path = folder / name / "run.h5"  # its name is in the title of a picture, which has little room
        mho.run(procedure, "arrays", seed=SEED, output=path)
        for figure in figures:
            mho.plot(path, pictures / f"{name}-{figure.replace('_', '-')}.png", figure=figure)
