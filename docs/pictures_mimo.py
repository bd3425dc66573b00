"""Draws the pictures of docs/applications/mimo.md: ``python docs/make_pictures.py mimo``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import mho  # noqa: E402
from mho.extensions.applications import Mimo  # noqa: E402
from mho.runs import RunFile  # noqa: E402

SEED = 1
CLOUDS = {"snr": "20", "bits_per_point": 30_000}
IMAGE = {"antennas": 16, "users": 4, "snr": "30", "cycles": 2, "image": "sample"}


def draw_mimo(folder: Path, pictures: Path) -> None:
    """Draw bit error rates beside the published ones, constellations cycle by cycle, and an image."""
    rates = sent(folder / "rates.h5", {})
    mho.plot(rates, pictures / "mimo-bit-error-rate.png", "bit_error_rate", width=120)
    mho.plot(sent(folder / "image.h5", IMAGE), pictures / "mimo-image.png", "image", width=90)
    draw_clouds(sent(folder / "clouds.h5", CLOUDS), pictures / "mimo-constellations.png")


def sent(path: Path, parameters: dict[str, Any]) -> Path:
    """Run on the bench `arrays`; return the run file."""
    mho.run(Mimo(seed=SEED, **parameters), bench="arrays", seed=SEED, output=path)
    return path


def draw_clouds(run: Path, picture: Path) -> None:
    """Draw the symbols after each cycle beside one another: those that are decided right, and wrong."""
    with RunFile(run) as file, mpl.rc_context({"font.size": 9, "savefig.dpi": 90}):
        figure = Figure((9.2, 3.4), layout="constrained")
        for cycle, axes in enumerate(figure.subplots(1, 3, sharex=True, sharey=True), 1):
            table = file.table(f"constellation_cycle_{cycle}")
            wrong = table["wrong"].astype(bool)
            for shown, colour, name in ((~wrong, "#0072B2", "right"), (wrong, "#D55E00", "wrong")):
                axes.plot(
                    table["in_phase"][shown],
                    table["quadrature"][shown],
                    ".",
                    ms=2.2,
                    color=colour,
                    label=name,
                )
            axes.set(
                title=f"after cycle {cycle}: {wrong.sum()} of {len(wrong)} wrong",
                xlabel="in phase",
                aspect="equal",
            )
            axes.set_xticks(range(-16, 17, 4))
            axes.set_yticks(range(-16, 17, 4))
            axes.grid(True, color="0.9", lw=0.6)
        figure.axes[0].set_ylabel("quadrature")
        figure.savefig(picture)
