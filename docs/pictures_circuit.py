"""Draws the picture of docs/inv-circuit.md: ``python docs/make_pictures.py settling``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.settling import FAST, ORDER, ORDERS, RHS, SMALLEST, USUAL, loop, measured  # noqa: E402
from mho.chip_maps.chip import load_chip_map  # noqa: E402
from mho.chip_maps.matrix_files import load_matrix  # noqa: E402

CURRENT = 1e-5  # A for a right-hand side of 1
LOOPS = 4


def draw_settling(pictures: Path) -> None:
    """Draw waveforms of the published matrix, and settling times against lambda_min and N."""
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 130}):
        figure = Figure((9, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _waveforms(left)
        _times(right)
        figure.savefig(pictures / "inv-settling.png")


def _waveforms(axes: Axes) -> None:
    levels = load_chip_map("reference").level_scale()
    digits = np.rint(2**levels.bits * load_matrix("zuo2025-4x4").astype(np.float64)).astype(np.int64)
    circuit = loop(levels.draw(digits, 1, np.random.default_rng(1))[0], FAST)
    response = circuit.step_response(CURRENT * np.array(RHS[0]), duration=250e-9)
    axes.plot(1e9 * response.times, 1e3 * response.outputs)
    axes.set_prop_cycle(None)
    for volts in response.final:
        axes.axhline(1e3 * volts, color="0.5", lw=0.6, ls="--")
    axes.axvline(1e9 * response.settling_time(), color="k", lw=0.8, ls=":")
    axes.set(
        xlabel="time after the step (ns)",
        ylabel="outputs (mV)",
        title="published 4 x 4, C_in 3 pF, C_f 0.2 pF",
    )


def _times(axes: Axes) -> None:
    for marker, kinds, label in (
        ("o", [(ORDER, smallest) for smallest in SMALLEST], f"N = {ORDER}, each lambda_min"),
        (
            "x",
            [(order, USUAL) for order in ORDERS],
            f"lambda_min = {1e6 * USUAL:g} uS, N = {ORDERS[0]} to {ORDERS[-1]}",
        ),
    ):
        smallest, seconds = measured(kinds, FAST, LOOPS)
        axes.loglog(1e6 * smallest, 1e9 * seconds, marker, ms=4, label=label)
    axes.set(
        xlabel="lambda_min(G) (uS)", ylabel="settling to 1 % (ns)", title="time follows lambda_min, not N"
    )
    axes.legend()
